"""Decision packets: for every judged or failed run what it means, what to do next, and why; one queue of them all.

A packet is of the moment: it is landed as a claim (`calls_for`), stays, and is superseded once another action is due.
Every rule reads the views alone, so the same views give the same packets. It measures nothing and decides no verdict.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from typing import get_args

from ...ledger import FAILED, Claim, Draft, Entry, Ref
from ...memory import Memory
from ...memory.doubts import doubts
from ..wording import clean
from .logbook import Logbook, edits_of, read_logbook
from .next_action import Action, Desk, HypothesisStatus, Priority, words_of

RELATION = "calls_for"
_MOST_URGENT = ("promote", "replicate", "branch_followup", "fix_and_retry", "investigate_crash", "retest", "retry")
_BATCH = 500
_DECIDE = f"""WITH RECURSIVE some(run) AS (SELECT run FROM runs WHERE campaign = :campaign AND (role <> 'candidate' OR
 status <> 'discard' OR description LIKE '%seed%' OR number IN (SELECT value FROM json_each(:numbers)))
 UNION SELECT run FROM champions WHERE campaign = :campaign
 UNION SELECT run FROM (SELECT DISTINCT knob FROM changes) k CROSS JOIN changes USING (knob) JOIN runs USING (run)
 WHERE k.knob LIKE '%seed%' AND campaign = :campaign
 UNION SELECT * FROM (SELECT run FROM runs WHERE campaign = :campaign AND value IS NOT NULL AND role <> 'final'
 AND status NOT IN ({", ".join(f"'{status}'" for status in sorted(FAILED))}) ORDER BY number LIMIT 1)
 UNION SELECT r.parent FROM some JOIN runs r USING (run) WHERE r.parent IS NOT NULL) SELECT run FROM some"""
#: Of the runs that were asked for, those for which it matters whether their idea was measured later.
_NOT_SETTLED = """SELECT run, number, description FROM runs WHERE campaign = :campaign AND role = 'candidate' AND
 (status <> 'keep' OR verdict = 'provisional') AND number IN (SELECT value FROM json_each(:numbers))"""
#: Whoever made the same edit later also made one of its changes again.
_SAME_CHANGE = """SELECT DISTINCT b.run FROM (SELECT run, knob, new, max(rowid) FROM changes WHERE run IN
 (SELECT value FROM json_each(:asked)) GROUP BY run) a CROSS JOIN changes b ON b.knob = a.knob AND b.new IS a.new
 COLLATE NOCASE AND b.run > a.run"""
_SAME_TEXT = """SELECT description, run FROM runs WHERE campaign = :campaign AND number > :since AND role = 'candidate'
 AND value IS NOT NULL AND trim(description) IN (SELECT value FROM json_each(:texts)) ORDER BY number"""


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

    Linear in the runs of the campaign; of some runs without a desk, in those that were not simply discarded. Raises
    KeyError for a campaign that nobody defined.
    """
    wanted = None if runs is None else set(runs)
    desk = desk or desk_of(db, campaign, None if wanted is None else book_of(db, campaign, wanted))
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


def book_of(db: sqlite3.Connection, campaign: str, numbers: Collection[int]) -> Logbook:
    """The logbook with no more than the runs of these numbers and those that decide what is due: all that were not
    discarded, those that they come from, and whoever measured the same idea last."""
    named: dict[str, object] = {"campaign": campaign, "numbers": json.dumps([*numbers])}
    found = {run for (run,) in db.execute(_DECIDE, named)}
    asked = db.execute(_NOT_SETTLED, named).fetchall()
    texts = {words_of(text, "") for _, _, text in asked} - {""}
    named |= {"asked": json.dumps([run for run, _, _ in asked]), "since": min((n for _, n, _ in asked), default=0)}
    named["texts"] = json.dumps([form for text in texts for form in (text, f"{text}, mended")])
    later = [run for (run,) in db.execute(_SAME_CHANGE, named)]
    edits = edits_of(db, campaign, {*later, *(run for run, _, _ in asked)})
    own = {edits.get(run) for run, _, _ in asked}
    last = {edit: run for run, edit in sorted(edits.items()) if edit in own}
    last |= {f"\0{words_of(text, '')}": run for text, run in db.execute(_SAME_TEXT, named)}
    return read_logbook(db, campaign, found | set(last.values()))


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
