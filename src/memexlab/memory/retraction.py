"""Taking back what was said: retractions of runs and reinstatements, and which verdicts count in the end.

A verdict that `retracts` a run makes it invalid. A verdict that `retracts` a verdict makes that one void, with all that
it superseded or retracted, as if it had never landed. So a reinstatement restores exactly what was before, in whatever
order the entries arrived. What rests on a retracted run, and how, is in `doubts`.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..ledger import Draft, Entry, Ref, UsageError, Verdict

if TYPE_CHECKING:
    from .store import Memory

RETRACT, REINSTATE = "retract", "reinstate"


def retract(memory: Memory, campaign: str, number: int, why: str, by: str) -> Entry:
    """Declares a run wrong and returns the verdict; raises UsageError without a reason or where it is retracted."""

    def drafts() -> list[Draft]:
        run, subject, said = _judgements(memory.db, campaign, number, why)
        if RETRACT in said.values():
            raise UsageError(f"run {number} is retracted already", f"memex reinstate {number} --why REASON")
        refs = (Ref("retracts", run), *(Ref("supersedes", verdict) for verdict in sorted(said)))
        return [Draft(subject, Verdict(RETRACT, why.strip()), refs)]

    return memory.land(drafts, by)[0]


def reinstate(memory: Memory, campaign: str, number: int, why: str, by: str) -> Entry:
    """Takes a retraction back: what was before it counts again; raises UsageError where nothing is retracted."""

    def drafts() -> list[Draft]:
        _, subject, said = _judgements(memory.db, campaign, number, why)
        gone = sorted(verdict for verdict, decision in said.items() if decision == RETRACT)
        if not gone:
            raise UsageError(f"run {number} is not retracted", f"memex retract {number} --why REASON")
        refs = tuple(Ref(role, verdict) for role in ("retracts", "supersedes") for verdict in gone)
        return [Draft(subject, Verdict(REINSTATE, why.strip()), refs)]

    return memory.land(drafts, by)[0]


def _judgements(db: sqlite3.Connection, campaign: str, number: int, why: str) -> tuple[str, str, dict[str, str]]:
    """(id, subject, the decisions that count by verdict id) of a run that a person named."""
    if not why.strip():
        raise UsageError("a reason is needed: whoever reads this later must be able to judge it", "--why REASON")
    found = db.execute(
        "SELECT r.id, e.subject, r.run FROM runs r JOIN entries e ON e.seq = r.run WHERE campaign = ? AND number = ?",
        (campaign, number),
    ).fetchall()
    if len(found) != 1:
        many = f"{len(found)} runs have number {number}" if found else f"there is no run {number}"
        raise UsageError(f"{many} in campaign {campaign}", 'memex sql "select campaign, number, description from runs"')
    [(run, subject, seq)] = found
    said = dict(db.execute("SELECT e.id, decision FROM verdicts JOIN entries e USING (seq) WHERE run = ?", (seq,)))
    return run, subject, {verdict: said[verdict] for verdict in in_force(db, list(said))}


def in_force(db: sqlite3.Connection, verdicts: Sequence[str], before: str | None = None) -> set[str]:
    """Those of the verdicts (entry ids) that count: whatever supersedes or retracts them is void itself.

    `before` is an instant: what was recorded then or later is not known.
    """
    against: dict[str, list[tuple[str, str]]] = defaultdict(list)
    position: dict[str, int] = {}
    asked, wave = set(verdicts), list(verdicts)
    while wave:
        rows = db.execute(
            "SELECT f.target, f.role, e.id, e.at, e.seq FROM json_each(?) j CROSS JOIN refs f ON f.target = j.value AND"
            " f.role IN ('retracts', 'supersedes') JOIN entries e USING (seq) WHERE e.kind = 'verdict'",
            (json.dumps(wave),),
        ).fetchall()
        wave = []
        for target, role, who, at, seq in rows:
            if before is None or at < before:
                against[target].append((role, who))
                position[who] = seq
                if who not in asked:
                    asked.add(who)
                    wave.append(who)
    void: dict[str, bool] = {}
    for one in sorted(asked, key=lambda one: position.get(one, -1), reverse=True):  # who objects landed later
        void[one] = any(role == "retracts" and not void[who] for role, who in against[one])
    return {one for one in verdicts if all(void[who] for _, who in against[one])}


def runs_touched(db: sqlite3.Connection, verdicts: Sequence[str]) -> set[int]:
    """The runs whose judgement may change when these entries are retracted or superseded."""
    rows = db.execute(
        "WITH RECURSIVE reach(id) AS (SELECT value FROM json_each(?) UNION SELECT f.target FROM reach"
        " JOIN entries e USING (id) JOIN refs f ON f.seq = e.seq AND f.role IN ('retracts', 'supersedes')"
        " WHERE e.kind = 'verdict') SELECT v.run FROM reach JOIN entries e USING (id) JOIN verdicts v ON v.seq = e.seq",
        (json.dumps(list(verdicts)),),
    )
    return {row[0] for row in rows}


def barred(runs: Iterable[tuple[int, int | None, str, int | None]]) -> set[int]:
    """Runs that may not reign, of (run, parent, verdict, the run it was compared with): those that rest on a retracted
    run, by parent or by whom they were confirmed against.

    One that was confirmed against something that stands is free again, and so is what was confirmed against it.
    """
    listed = list(runs)
    gone = [run for run, _, verdict, _ in listed if verdict == RETRACT]
    below: dict[int | None, list[int]] = defaultdict(list)
    proven: dict[int, list[int]] = defaultdict(list)
    for run, parent, verdict, against in listed if gone else ():
        below[parent].append(run)
        if verdict == "confirmed" and against is not None:
            below[against].append(run)
            proven[against].append(run)
    out, todo = set(gone), list(gone)
    while todo:
        reached = [run for run in below[todo.pop()] if run not in out]
        out.update(reached)
        todo += reached
    held, todo = set(gone), [against for against in proven if against not in out]
    while todo:
        freed = [run for run in proven[todo.pop()] if run in out and run not in held]
        out.difference_update(freed)
        todo += freed
    return out
