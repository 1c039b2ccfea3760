"""`memex try`: one candidate from the working tree, measured and judged like any other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from ..lab.evidence.board import Standing
from ..lab.evidence.outliers import too_good
from ..lab.evidence.packets import packets_for
from ..lab.loop.campaign import Event
from ..lab.loop.night import Night
from ..lab.loop.planning import Planner
from ..lab.proposers import Proposal
from ..lab.proposers.agent import knobs_turned
from ..lab.wording import clean
from ..ledger import FAILED, Scalar, UsageError
from ..memory import Memory
from ..memory.changes.knobs import set_knobs, settings
from .run import Options, prepared_night


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one candidate: its run, the verdict on it, and the decision packet that follows."""

    campaign: str
    run: int
    status: str
    value: float | None
    verdict: str
    reason: str
    packet: str
    hint: str
    measured: str = ""
    alarm: str = ""

    def __str__(self) -> str:
        value = f" {self.value:.6g}" if self.value is not None else ""
        told = f"run {self.run}: {self.status}{value}. {self.reason}"
        return "\n\n".join(filter(None, [told, self.alarm, self.measured, self.packet, self.hint]))

    @property
    def exit_code(self) -> int:
        """1 where the novelty guard refused to run it, 2 where it failed, 3 where it was interrupted."""
        return 1 if self.status == "blocked" else 3 if self.status == "lost" else 2 * (self.status in FAILED)


def try_candidate(
    root: Path,
    memory: Memory,
    tell: Callable[[Event], None],
    hypothesis: str,
    description: str,
    by: str,
    options: Options,
    turned: Mapping[str, Scalar] = {},
) -> Tried:
    """What the working tree changes or, where knobs are `turned`, these alone.

    Raises UsageError where there is nothing to try, or nothing that fits onto the working head.
    """
    with prepared_night(root, memory, tell, options, edited=True) as night:
        planner = night.planner

        def made(head: Standing) -> Proposal:
            if turned:
                return _turned(planner, head, hypothesis, description, turned)
            baseline = night.board.baseline()
            since = baseline.commit if baseline is not None else head.commit
            return _from_working_tree(root, planner, head, hypothesis, description, since)

        run = night.try_one(made, by)
        files = " ".join(night.contract.edit)
        [(reason, error)] = memory.db.execute(
            "SELECT r.reason, json_extract(e.body, '$.error') FROM runs r JOIN entries e ON e.seq = r.run"
            " WHERE r.id = ?",
            (run.id,),
        )
        packets = packets_for(memory.db, night.campaign, [run.number])
        others = memory.db.execute(
            "SELECT name, value FROM metrics WHERE run = (SELECT run FROM runs WHERE id = ?) AND name <> ? LIMIT 8",
            (run.id, night.contract.metric.name),
        ).fetchall()
    alarms = [alarm for alarm in too_good(memory.db, night.campaign) if alarm.number == run.number]
    kept = run.status == "keep"
    where = "the working head holds it now" if kept else "only your working tree holds it"
    hint = f"{where}; to start the next idea from the working head: git checkout memex/{night.campaign} -- {files}"
    hint = "" if turned and not kept else hint
    packet = packets[0].markdown().strip() if packets and run.status != "blocked" else ""
    return Tried(
        night.campaign, run.number, run.status, run.value, run.verdict, clean(reason or error or "", 400), packet, hint,
        "measured too: " + ", ".join(f"{name} {number:.6g}" for name, number in others) if others else "",
        "\n".join(f"Look first: {alarm.sentence}" for alarm in alarms),
    )  # fmt: skip


def committed_change(root: Path, night: Night) -> Callable[[Standing], Proposal] | None:
    """What makes a candidate of what the person committed since the baseline; None where that was one already."""
    checkouts, names, baseline = night.checkouts, night.contract.edit, night.board.baseline()
    if baseline is None:
        return None
    mine, before = checkouts.contents([checkouts.head(), baseline.commit], names)
    working = night.board.head()
    if mine == before or (working is not None and mine == checkouts.contents([working.commit], names)[0]):
        return None
    name, subject = checkouts.named()
    marked = f"commit {name}: "
    seen = "SELECT 1 FROM runs WHERE campaign = ? AND substr(description, 1, ?) = ?"
    if night.memory.db.execute(seen, (night.campaign, len(marked), marked)).fetchone():
        return None
    return lambda head: _from_working_tree(root, night.planner, head, subject, f"{marked}{subject}", baseline.commit)


def _turned(
    planner: Planner, head: Standing, hypothesis: str, description: str, turned: Mapping[str, Scalar]
) -> Proposal:
    """The working head with other values of some knobs."""
    before = {name: planner.checkouts.read(head.commit, name) for name in planner.contract.edit if name.endswith(".py")}
    files: dict[str, str] = {}
    for knob, value in turned.items():
        name = next((name for name, text in before.items() if knob in settings(text)), next(iter(before), ""))
        if not name:
            raise UsageError("no file that may be edited is Python, so no knob can be set", "edit it, then memex try")
        files[name] = set_knobs(files.get(name, before[name]), {knob: value})
    changed = {name: text for name, text in files.items() if text != before[name]}
    if not changed:
        told = ", ".join(f"{knob}={value}" for knob, value in turned.items())
        raise UsageError(f"the working head (run {head.number}) has {told} already", "memex try --set KNOB=VALUE")
    return Proposal(description or knobs_turned(before, changed) or hypothesis[:120], hypothesis, changed)


def _from_working_tree(
    root: Path, planner: Planner, head: Standing, hypothesis: str, description: str, since: str
) -> Proposal:
    """What the working tree changes on the working head: beside the last commit, or else since commit `since`."""
    checkouts, names = planner.checkouts, planner.contract.edit
    mine: dict[str, str] = {}
    for name in names:
        try:
            mine[name] = (root / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{name} cannot be read: {error}", f"git checkout -- {name}") from error
    base = checkouts.head() if checkouts.changed_files(names) else since
    edited = checkouts.commit(base, mine, "working tree")
    back = f"git checkout memex/{planner.campaign} -- {' '.join(names)}"
    before = {name: checkouts.read(head.commit, name) for name in names}
    files: dict[str, str] = {}
    for name in names:
        is_from_head = checkouts.staged(name) == before[name] or _nearer(
            mine[name], before[name], checkouts.read(base, name)
        )
        text = mine[name] if is_from_head else planner.merged(name, base, head.commit, edited)
        if text is None:
            raise UsageError(
                f"{name} changes what the working head (run {head.number}) has changed since your commit",
                f"{back}   (then make the change again)",
            )
        files[name] = text
    changed = {name: text for name, text in files.items() if text != before[name]}
    if not changed:
        raise UsageError(
            f"the working tree holds nothing that the working head (run {head.number}) does not",
            f"edit {' or '.join(names)}, then memex try again",
        )
    return Proposal(description or knobs_turned(before, changed) or hypothesis[:120], hypothesis, changed)


def _nearer(text: str, one: str, other: str) -> bool:
    """Whether a text differs from the one in fewer lines than from the other: it was made from that."""
    lines = text.splitlines()
    far, farther = (len(list(unified_diff(each.splitlines(), lines, n=0))) for each in (one, other))
    return far < farther
