"""What `memex check` prints: an idea held against what was tried, and a whole campaign held against itself."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import asdict, dataclass

from ..lab.wording import clean
from ..ledger import Scalar, UsageError
from ..memory import Memory
from ..memory.changes.edits import Change, changes_between, changes_in_source, changes_in_text
from ..memory.changes.heading import heading_of
from ..memory.changes.knobs import settings
from ..memory.changes.names import Aliases, known, normal_knob
from ..memory.effects.estimates import CampaignEffects
from ..memory.novelty.guard import Guard, Mode, Replayed, check, replay
from ..memory.novelty.history import History
from ..memory.runs import cells

_UNREAD = Change("<module>", "", None, None, "edit", None)
_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Checked:
    """What the guard says of one idea, and where its changes were read from."""

    guard: Guard
    campaign: str
    mode: Mode
    read_from: str

    def __str__(self) -> str:
        guard = self.guard
        lines = [f"{guard.decision}: {guard.klass.replace('_', ' ')}. {guard.reason}", f"read from {self.read_from}"]
        for match in guard.matches:
            differs = f"; differs: {match.differs}" if match.differs else ""
            run = f"run {match.run}" + (f" of {match.campaign}" if match.campaign else "")
            lines.append(f"  {run} {match.why} ({match.score:.1f}) {clean(match.same + differs, _WIDTH)}")
        return "\n".join(lines)

    def data(self) -> dict[str, object]:
        return {"campaign": self.campaign, "mode": self.mode, "read_from": self.read_from, **_data(self.guard)}


@dataclass(frozen=True, slots=True)
class ReplayTable:
    """Every run of a campaign, checked against the runs before it."""

    campaign: str
    mode: Mode
    runs: tuple[Replayed, ...]

    def __str__(self) -> str:
        blocked = [run for run in self.runs if run.guard.decision == "block"]
        kept = sum(run.status == "keep" for run in blocked)
        lines = [
            f"{self.campaign}: {len(self.runs)} runs, {len(blocked)} blocked in mode {self.mode}, {kept} of them kept"
        ]
        for run in self.runs:
            if run.guard.klass not in ("novel", "incremental_followup"):
                told = f"{run.guard.decision:7} {run.guard.klass.replace('_', ' '):15}"
                lines.append(f"{run.run:5} {run.status:12} {told} {clean(run.description, _WIDTH)}")
                lines.append(f"{'':6}{run.guard.reason}")
        return "\n".join(lines)

    def data(self) -> list[dict[str, object]]:
        return [{"run": run.run, "status": run.status, **_data(run.guard)} for run in self.runs]


def check_idea(
    memory: Memory,
    campaign: str,
    description: str,
    diff: str | tuple[str, str] | None = None,
    mode: Mode = "exploit",
    as_of: int | None = None,
) -> Checked:
    """Holds an idea against the runs of a campaign, the first `as_of` of them where it is given.

    `diff` is a unified diff of the editable file, or its text before and after. Raises UsageError for a campaign that
    does not exist and for an idea with neither description nor diff.
    """
    _known(memory, campaign)
    if as_of is not None and as_of < 0:
        raise UsageError(f"--as-of is {as_of}", "a run number, such as --as-of 40")
    if not description.strip() and not diff:
        raise UsageError("there is no idea to check", 'memex check "LR 0.04 to 0.05"')
    changes, read_from = _read(description, diff, known(memory.index.aliases))
    history = History(memory.db, campaign, None if as_of is None else as_of + 1)
    changes = _as_meant(memory, campaign, changes, description) if diff is None else changes
    return Checked(check(changes, description, history, history.settings(), mode), campaign, mode, read_from)


def replay_campaign(memory: Memory, campaign: str, mode: Mode = "exploit") -> ReplayTable:
    """Checks every run of a campaign against the runs before it; raises UsageError where there is no such campaign."""
    _known(memory, campaign)
    return ReplayTable(campaign, mode, tuple(replay(memory.db, campaign, mode)))


def _known(memory: Memory, campaign: str) -> None:
    names = [row[0] for row in memory.db.execute("SELECT campaign FROM campaigns ORDER BY campaign")]
    if campaign not in names:
        hint = f"--campaign {names[0]}" if names else "memex import FILE"
        raise UsageError(f"there is no campaign {campaign!r}", hint)


def _data(guard: Guard) -> dict[str, object]:
    return {"class" if name == "klass" else name: value for name, value in asdict(guard).items()}


# --- reading


def _as_meant(memory: Memory, campaign: str, changes: tuple[Change, ...], description: str) -> tuple[Change, ...]:
    """ "Revert LR 0.2 to 0.1" undoes 0.1 -> 0.2 where 0.2 stands now, though as a title it would undo 0.2 -> 0.1."""
    if not heading_of(description).undone:
        return changes
    known = CampaignEffects(memory.db, campaign)
    settings = known.context(known.champion.run) if known.champion else {}
    now = {normal_knob(name): value for name, value in settings.items()}
    stands = [c.old is not None and now.get(normal_knob(c.knob), c.old) == cells(c.new)[0] for c in changes]
    if not stands or not all(stands):
        return changes
    back = (changes_between({c.knob: c.new}, {c.knob: c.old}) for c in changes)
    return tuple(change for found in back for change in found)


def _read(description: str, diff: str | tuple[str, str] | None, aliases: Aliases) -> tuple[tuple[Change, ...], str]:
    """The changes of an idea, and what they were read from, in words; a diff counts before the description."""
    if isinstance(diff, tuple):
        return changes_in_source(*diff), "the file before and after"
    changes, unread = _changes_in_diff(diff) if diff else ((), 0)
    if changes:
        left = f"; {unread} changed lines of it are no settings and were not compared" if unread else ""
        return (*changes, *([_UNREAD] if unread else [])), f"the diff{left}"
    said = changes_in_text(description, aliases)
    why = "; nothing in the diff could be read as a setting" if diff else ""
    if said:
        return (*said, *([_UNREAD] if diff else [])), f"the description{why}"
    return ((_UNREAD,) if diff else ()), f"the words of the description, since no change could be read from it{why}"


def _changes_in_diff(diff: str) -> tuple[tuple[Change, ...], int]:
    """Settings that the lines of a unified diff assign, and how many of its changed lines are something else."""
    sides: dict[str, dict[str, Scalar]] = {"-": {}, "+": {}}
    unread = 0
    for line in diff.splitlines():
        if line[:1] in sides and not line.startswith(("---", "+++")):
            text = line[1:].strip()
            if not text or text.startswith("#"):
                continue
            found = _assigned(text)
            unread += not found or bool(found.keys() & sides[line[0]].keys())
            sides[line[0]].update(found)
    return changes_between(sides["-"], sides["+"]), unread


def _assigned(line: str) -> dict[str, Scalar]:
    """`LR = 0.04  # why`, `lr=0.04,` or `lr: float = 0.04` as a setting; empty for any other line."""
    for text in (line, re.sub(r",\s*(#.*)?$", "", line)):
        with suppress(UsageError):
            if found := settings(text):
                return found
    return {}
