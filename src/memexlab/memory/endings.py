"""How what an entry says ended: the world changed and a later entry supersedes it, or it was wrong and is retracted.

It knows references alone, and that a retraction which is itself retracted ends nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Mapping

from ..ledger import Entry, Run, Verdict

_OBJECTIONS = (
    "SELECT f.target, f.role, e.id, e.at, e.seq, NOT EXISTS(SELECT 1 FROM refs x WHERE x.seq = e.seq AND x.role ="
    " 'retracts'), coalesce(e.since, e.at) FROM json_each(?) j CROSS JOIN refs f ON f.target = j.value AND f.role IN"
    " ('retracts', 'supersedes') JOIN entries e USING (seq) WHERE ?2 IS NULL OR e.at < ?2"
)
_ANY_JOINED = "SELECT 1 FROM entries WHERE kind = 'verdict' AND subject GLOB ? || ':*' LIMIT 1"
#: The decision of a verdict that joins two names, and the beginning of its subject.
SAME = "same"
Ending = tuple[str, str, str | None]


def endings(db: sqlite3.Connection, entries: Collection[str], before: str | None = None) -> dict[str, Ending]:
    """(ended by, `changed` or `corrected`, since when where it changed) of those entries that ended.

    What was recorded at `before` or later is not known. A retraction counts before what supersedes; of several the one
    recorded first.
    """
    against: dict[str, list[tuple[bool, str, str, str, bool]]] = defaultdict(list)
    position: dict[str, int] = {}
    wave = list(entries)
    while wave:
        found = db.execute(_OBJECTIONS, (json.dumps(wave), before)).fetchall()
        for target, role, who, at, _, changes, since in found:
            against[target].append((bool(changes), at, who, since, role == "retracts"))
        wave = list({row[2] for row in found if row[2] not in position})
        position.update((row[2], row[4]) for row in found)
    void: set[str] = set()
    for one in sorted(position, key=lambda one: -position[one]):  # who objects landed later
        if any(objection[4] and objection[2] not in void for objection in against.get(one, ())):
            void.add(one)
    live = {one: [o for o in against.get(one, ()) if o[2] not in void] for one in entries}
    first = {one: min(objections) for one, objections in live.items() if objections}
    return {
        one: (who, "changed" if changes else "corrected", since if changes else None)
        for one, (changes, _, who, since, _) in first.items()
    }


class Endings:
    """Folds `endings`, and `same`, which rests on it; that a started run ended is no ending, so most cost nothing."""

    def __init__(self, db: sqlite3.Connection, aliases: Mapping[str, str]) -> None:
        self._db, self._aliases, self._touched, self._joined = db, aliases, set[str](), False

    def apply(self, entry: Entry) -> None:
        if not isinstance(entry.body, Run):
            self._touched.update(entry.targets("retracts"), entry.targets("supersedes"))
        if isinstance(entry.body, Verdict):
            self._joined |= entry.body.decision == SAME or any(ref.role == "retracts" for ref in entry.refs)

    def finish(self) -> None:
        wave = list(self._touched)
        while wave:  # what a retracted entry had ended has not ended
            rows = self._db.execute(
                "SELECT DISTINCT f.target FROM json_each(?) j JOIN entries e ON e.id = j.value JOIN refs f ON"
                " f.seq = e.seq AND f.role IN ('retracts', 'supersedes') WHERE e.kind <> 'run'",
                (json.dumps(wave),),
            ).fetchall()
            wave = [row[0] for row in rows if row[0] not in self._touched]
            self._touched.update(wave)
        ended = endings(self._db, self._touched) if self._touched else {}
        self._db.executemany("DELETE FROM endings WHERE entry = ?", [(one,) for one in self._touched])
        self._db.executemany("INSERT INTO endings VALUES (?, ?, ?, ?)", [(one, *how) for one, how in ended.items()])
        self._touched.clear()
        if self._joined and self._db.execute(_ANY_JOINED, (SAME,)).fetchone():
            from .entities import settle_same  # here, so that a question does not wait for it

            settle_same(self._db, self._aliases)
        self._joined = False
