"""What `memex next`, `memex registry`, `memex retract` and `memex reinstate` print: results with text and data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ..lab.evidence.board import Board
from ..lab.evidence.logbook import MEANT_FIRST
from ..lab.evidence.outliers import Alarm, too_good
from ..lab.evidence.packets import Packet, ranked
from ..lab.execution.checkouts import Checkouts, has_taken
from ..lab.wording import Amounts, clean, command, plural, run_numbers
from ..ledger import UsageError
from ..memory import Memory
from ..memory.doubts import Doubt, doubts
from ..memory.registry import Known, Registry, registry
from ..memory.retraction import reinstate, retract

_ROWS = 5


@dataclass(frozen=True, slots=True)
class Queue:
    """What to do next, the most urgent first, and what looks too good; `limit` is how many the text shows."""

    campaign: str
    packets: tuple[Packet, ...]
    alarms: tuple[Alarm, ...]
    limit: int

    def data(self) -> dict[str, object]:
        return {"campaign": self.campaign, "queue": [asdict(p) for p in self.packets],
                "alarms": [asdict(a) for a in self.alarms]}  # fmt: skip

    def __str__(self) -> str:
        lines = [f"Look first: {alarm.sentence}" for alarm in self.alarms[-_ROWS:]]
        for place, packet in enumerate(self.packets[: self.limit], 1):
            what = clean(packet.description, 80)
            lines.append(
                f"{place}. {packet.action} ({packet.priority}) run {packet.number}{': ' if what else ''}{what}"
            )
            lines.append(f"   {packet.rationale}")
            lines += [f"   {packet.command}"] if packet.command else []
        if not self.packets:
            lines.append(
                f"Nothing in campaign {self.campaign} calls for anything; try more ideas: memex run --runs 8, memex try"
            )
        if len(self.packets) > self.limit:
            more = command("memex", "next", "--campaign", self.campaign, "--limit", str(len(self.packets)))
            lines.append(f"... and {len(self.packets) - self.limit} more: {more}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Standings:
    """A campaign as it stood after `registry.as_of` runs."""

    registry: Registry

    def data(self) -> dict[str, object]:
        """With numbers of runs in place of positions, which differ from ledger to ledger."""
        r = self.registry
        numbers = {at: known.number for at, known in r.runs.items()}

        def told(run: Known) -> dict[str, object]:
            return run._asdict() | {name: numbers.get(getattr(run, name)) for name in ("run", "parent", "against")}

        return {
            "campaign": r.campaign, "metric": r.metric, "unit": r.unit, "better": r.better, "as_of": r.as_of,
            "champion": told(r.champion) if r.champion else None,
            "challengers": [told(run) for run in r.challengers],
            "lineages": [asdict(lineage) for lineage in r.lineages],
            "failures": [{"status": s, "cause": c, "runs": list(n)} for s, c, n in r.failures],
            "champions": [asdict(reign) | {"run": numbers[reign.run]} for reign in r.reigns],
        }  # fmt: skip

    def __str__(self) -> str:
        r, amounts = self.registry, Amounts.of(self.registry.unit, None)
        lines = [f"Campaign {r.campaign} after {plural(r.as_of, 'run')}: {r.metric}, {r.better} is better."]
        if r.champion is None:
            return f"{lines[0]} Nothing reigns yet."
        lines.append(f"champion    {self._line(r.champion, amounts)}, since run {r.reigns[-1].since}")
        for run in r.challengers[:_ROWS]:
            lines.append(f"challenger  {self._line(run, amounts)}")
        for tree in r.lineages[:_ROWS]:
            path = " > ".join(map(str, tree.path if len(tree.path) < 10 else (*tree.path[:3], "...", *tree.path[-6:])))
            lines.append(f"lineage     {plural(tree.size, 'run')} from run {tree.root}, best run {tree.leader}: {path}")
        for status, cause, numbers in r.failures[:_ROWS]:
            lines.append(f"failed      {len(numbers)} x {status}: {clean(cause, 90) or 'no message'} "
                         f"({run_numbers(numbers, 6)})")  # fmt: skip
        return "\n".join(lines)

    def _line(self, run: Known, amounts: Amounts) -> str:
        level = amounts.with_unit(run.level) if run.level is not None else "unmeasured"
        known = f"mean of {plural(run.fresh, 'fresh run')}" if run.fresh else "one run, never repeated"
        judged = run.verdict or run.status
        if run.gain is not None and run.pairs:
            against = None if run.against is None else self.registry.runs.get(run.against)
            over = f" over run {against.number}" if against else ""
            judged += f", {amounts.signed(run.gain)}{over} in {plural(run.pairs, 'pair')}"
            if run.low is not None and run.high is not None:
                judged += f" (95 % {amounts.fine(run.low)} to {amounts.fine(run.high)})"
        if run.barred:
            judged += ", cannot reign: it rests on a retracted run"
        return f"run {run.number}  {level} ({known}; {judged})  {clean(run.description, 60)}".rstrip()


@dataclass(frozen=True, slots=True)
class Retracted:
    """What a retraction or reinstatement changed."""

    id: str
    campaign: str
    run: int
    decision: str
    champion_before: int | None
    champion: int | None
    doubts: tuple[Doubt, ...]
    branch: str = ""

    def __str__(self) -> str:
        lines = [f"run {self.run} {'is retracted' if self.decision == 'retract' else 'counts again, as before'}"]
        if self.champion != self.champion_before:
            lines.append(f"champion: run {self.champion or 'none'} instead of run {self.champion_before or 'none'}")
        lines += [self.branch] if self.branch else []
        runs = [doubt for doubt in self.doubts if doubt.kind == "run"][:8]
        lines += [f"in doubt: run {doubt.run}, {doubt.path}" for doubt in runs]
        rest = len(self.doubts) - len(runs)
        if rest:
            lines.append(f'and {plural(rest, "more entry", "more entries")}: memex sql "select * from doubted"')
        return "\n".join(lines)


def next_up(memory: Memory, campaign: str | None, limit: int = 8) -> Queue:
    """The queue of a campaign, of the newest one where none is named."""
    if limit < 1:
        raise UsageError(f"--limit is {limit}", "a number above 0, such as --limit 8")
    name = campaign_of(memory, campaign)
    due = [packet for packet in ranked(memory.db, name) if not is_done(memory, packet)]
    return Queue(name, tuple(due), tuple(too_good(memory.db, name)), limit)


def is_done(memory: Memory, packet: Packet) -> bool:
    """Whether a packet asks to take over a win that the person's branch has."""
    commit = "SELECT commit_id FROM runs WHERE campaign = ? AND number = ?"
    return packet.action == "promote" and any(
        has_taken(memory.folder.parent, found)
        for (found,) in memory.db.execute(commit, (packet.campaign, packet.number)) if packet.command
    )  # fmt: skip


def standings(memory: Memory, campaign: str | None, as_of: int | None = None) -> Standings:
    """The registry of a campaign, now or as of its first runs."""
    if as_of is not None and as_of < 1:
        raise UsageError(f"--as-of is {as_of}", "a run number from 1 up, such as --as-of 40")
    return Standings(registry(memory.db, campaign_of(memory, campaign), as_of))


def retraction(memory: Memory, run: int, why: str, by: str, campaign: str | None, back: bool = False) -> Retracted:
    """Retracts a run, or takes its retraction `back`."""
    name = campaign_of(memory, campaign)
    before = _champion(memory, name)
    entry = (reinstate if back else retract)(memory, name, run, why, by)
    found: Sequence[Doubt] = [] if back else doubts(memory.db, name)
    decision, champion = "reinstate" if back else "retract", _champion(memory, name)
    return Retracted(entry.id, name, run, decision, before, champion, tuple(found), _branch_moved(memory, name))


def _branch_moved(memory: Memory, campaign: str) -> str:
    """Takes the branch of a campaign to the working head that counts now, and says so; '' where it is there."""
    try:
        checkouts = Checkouts(memory.folder.parent, memory.folder / "worktrees")
    except UsageError:
        return ""  # a lab without a repository has no branch
    branch, head = checkouts.branch(campaign), Board(memory, campaign, registry(memory.db, campaign).better).head()
    if branch is None or head is None or branch == head.commit or not checkouts.has(head.commit):
        return ""
    try:
        checkouts.advance(campaign, head.commit)
    except UsageError as error:
        return f"the branch memex/{campaign} still holds it: {error}; {error.hint}, then git reset --hard {head.commit}"
    return f"branch memex/{campaign}: at run {head.number} now"


def campaign_of(memory: Memory, campaign: str | None) -> str:
    """The campaign that was named, or the one that is meant without a name."""
    found = memory.db.execute(
        f"SELECT campaign FROM campaigns WHERE ?1 IS NULL OR campaign = ?1 ORDER BY {MEANT_FIRST},"
        " (SELECT max(run) FROM runs r WHERE r.campaign = campaigns.campaign) DESC NULLS LAST, 1",
        (campaign,),
    ).fetchone()
    if found is None:
        if campaign is None:
            raise UsageError("nothing was measured in this lab yet", "memex run --runs 8, or memex import results.tsv")
        raise UsageError(f"there is no campaign {campaign}", 'memex sql "select campaign from campaigns"')
    return str(found[0])


def _champion(memory: Memory, campaign: str) -> int | None:
    row = memory.db.execute(
        "SELECT number FROM champions c JOIN runs r USING (run) WHERE c.campaign = ? AND until IS NULL", (campaign,)
    ).fetchone()
    return row[0] if row else None
