"""Decision packets: for every judged or failed run what it means, what to do next, and why; one queue of them all.

A packet is of the moment: it is landed as a claim (`calls_for`), stays, and is superseded once another action is due.
Every rule reads the views alone, so the same views give the same packets. It measures nothing and decides no verdict.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import get_args

from ..ledger import Claim, Draft, Entry, Ref
from ..memory import Memory
from ..memory.doubts import doubts
from .choosing import Action, Desk, HypothesisStatus, Priority
from .logbook import Logbook, read_logbook
from .wording import clean

RELATION = "calls_for"
_MOST_URGENT = ("promote", "replicate", "branch_followup", "fix_and_retry", "investigate_crash", "retest", "retry")
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Packet:
    """What to do about one run. `gain` is over run `against`, as its verdict has it, positive is better; `cites`
    are run numbers; `command` can be typed or is ''; a packet that is not `is_open` calls for nothing any more."""

    campaign: str
    number: int
    description: str
    action: Action
    priority: Priority
    rationale: str
    gain: float | None
    unit: str
    against: int | None
    against_name: str
    hypothesis: str
    hypothesis_status: HypothesisStatus
    cites: tuple[int, ...]
    command: str
    is_open: bool

    def markdown(self) -> str:
        gain = "none was measured" if self.gain is None else f"{self.gain:+.6g} {self.unit}".strip()
        over = f", over {self.against_name}" if self.against_name and self.gain is not None else ""
        lines = [
            f"# Run {self.number}: {self.action} ({self.priority})", "", self.rationale, "",
            f"- change: {clean(self.description, 300) or 'not described'}", f"- gain: {gain}{over}",
            f"- hypothesis ({self.hypothesis_status.replace('_', ' ')}): {clean(self.hypothesis, 300) or 'none'}",
            *([f"- next: `{self.command}`"] if self.command else []),
        ]  # fmt: skip
        return "\n".join(lines) + "\n"


def desk_of(db: sqlite3.Connection, campaign: str, book: Logbook | None = None) -> Desk:
    """What packets of a campaign are chosen from: it reads no view after that."""
    return Desk(book or read_logbook(db, campaign), {d.id: d for d in doubts(db, campaign) if d.kind == "run"})


def packets_for(
    db: sqlite3.Connection, campaign: str, runs: Iterable[int] | None = None, desk: Desk | None = None,
    only_open: bool = False,
) -> list[Packet]:  # fmt: skip
    """The packets that are due now, in order of run number: of the runs of these numbers, or of all.

    Linear in the runs of the campaign. Raises KeyError for a campaign that nobody defined.
    """
    desk = desk or desk_of(db, campaign)
    wanted = None if runs is None else set(runs)
    said: dict[int, str] = dict(
        db.execute("SELECT run, hypothesis FROM runs WHERE campaign = ? AND hypothesis <> ''", (campaign,)).fetchall()
    )
    found = []
    for run in desk.book.runs:
        if (wanted is None or run.number in wanted) and desk.is_due(run):
            choice, hypothesis = desk.choose(run), said.get(run.run, "")
            if only_open and not choice.is_open:
                continue
            gain, against, _ = desk.gain(run)
            status = desk.hypothesis_status(run) if hypothesis.strip() else "not_stated"
            cites = dict.fromkeys([*choice.cites, *([against.number] if against else [])])
            found.append(
                Packet(campaign, run.number, run.description, choice.action, choice.priority, choice.why, gain,
                       desk.unit, against.number if against else None, desk.named(against) if against else "",
                       hypothesis, status, tuple(cites), choice.command, choice.is_open)
            )  # fmt: skip
    return found


def land_packets(memory: Memory, campaign: str, by: str) -> list[Entry]:
    """Lands the packets that are missing, or that the one before differs from by its action or its verdict; returns the
    new entries."""
    db = memory.db
    landed = _landed(db, campaign)
    rows = db.execute(
        "SELECT r.number, r.id, e.id FROM runs r LEFT JOIN verdicts v ON v.run = r.run AND v.decision = r.verdict"
        " LEFT JOIN entries e ON e.seq = v.seq WHERE r.campaign = ? ORDER BY r.number, r.id, e.at, e.id",
        (campaign,),
    )
    runs = {number: (run, verdict) for number, run, verdict in rows}
    drafts = []
    for packet in packets_for(db, campaign):
        run, verdict = runs[packet.number]
        before, action = landed.get(run, ("", ""))
        if action == packet.action and (verdict is None or _cites(db, before, verdict)):
            continue
        texts = (json.dumps(asdict(packet), indent=1), packet.markdown())
        cited = [runs[number][0] for number in packet.cites if number in runs and number != packet.number]
        refs = (
            Ref("tests", run),
            *(Ref("from", target) for target in dict.fromkeys([*([verdict] if verdict else []), *cited])),
            *([Ref("supersedes", before)] if before else []),
            *(Ref("file", memory.blobs.put(text.encode("utf-8", "replace"))) for text in texts),
        )
        scope = {name: getattr(packet, name) for name in ("priority", "hypothesis_status", "gain", "against")}
        claim = Claim(packet.rationale, RELATION, packet.action, scope=scope)
        key = f"packet:{before or run}:{packet.action}"
        drafts.append(Draft(f"run:{campaign}/{packet.number}", claim, refs, key=key))
    return [e for i in range(0, len(drafts), _BATCH) for e in memory.land(drafts[i : i + _BATCH], by)]


def ranked(
    db: sqlite3.Connection, campaign: str, runs: Iterable[int] | None = None, desk: Desk | None = None
) -> list[Packet]:
    """The queue: one packet for each run (of these) that still calls for something, the most urgent first."""
    levels = get_args(Priority)
    found = packets_for(db, campaign, runs, desk, only_open=True)
    found.sort(key=lambda p: (levels.index(p.priority), _MOST_URGENT.index(p.action), -(p.gain or 0.0), -p.number))
    return found


def _cites(db: sqlite3.Connection, packet: str, verdict: str) -> bool:
    cited = "SELECT 1 FROM entries e JOIN refs f USING (seq) WHERE e.id = ? AND f.role = 'from' AND f.target = ?"
    return db.execute(cited, (packet, verdict)).fetchone() is not None


def _landed(db: sqlite3.Connection, campaign: str) -> dict[str, tuple[str, str]]:
    """(packet, action) by run: the packet that no other supersedes; between several, the one recorded last."""
    rows = db.execute(
        "SELECT r.id, e.id, json_extract(e.body, '$.object') FROM runs r JOIN refs f ON f.target = r.id AND"
        " f.role = 'tests' JOIN entries e ON e.seq = f.seq AND e.kind = 'claim' WHERE r.campaign = ?"
        " AND json_extract(e.body, '$.relation') = ? AND NOT EXISTS (SELECT 1 FROM refs s WHERE s.target = e.id"
        " AND s.role = 'supersedes') ORDER BY e.at, e.id",
        (campaign, RELATION),
    )
    return {run: (packet, action) for run, packet, action in rows}
