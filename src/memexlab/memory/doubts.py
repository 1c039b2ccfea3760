"""What rests on a retracted run, and how: the fold of the table `doubted`, and the way to read it.

A run is derived from a retracted one along parent references, however far; a verdict is in doubt where what it compared
with is retracted or derived from it, and with it the run it judges, but nothing further: what was measured stands.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace

from .retraction import in_force

_LINKS_TOLD = 3
_AGAIN, _TO_JUDGE = "a fresh run of", "measured to judge"


@dataclass(frozen=True, slots=True)
class Doubt:
    """One thing that rests on a retracted run; `run` and `retracted` are run numbers, `path` says how, in words."""

    kind: str
    id: str
    run: int
    retracted: int
    steps: int
    path: str


def doubts(db: sqlite3.Connection, campaign: str) -> list[Doubt]:
    """What rests on a retracted run of the campaign: runs, then verdicts, then what cites them, nearest first."""
    rows = db.execute(
        "SELECT d.kind, e.id, r.number, x.number, d.steps, d.path FROM doubted d CROSS JOIN entries e"
        " ON e.seq = d.entry JOIN runs r ON r.run = d.run JOIN runs x ON x.run = d.retracted WHERE x.campaign = ?"
        " ORDER BY d.kind <> 'run', d.kind <> 'verdict', d.steps, r.number, e.id",
        (campaign,),
    )
    return [Doubt(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class _Node:
    """An entry that was reached: from which run, by which link; `through` is None for the retracted run itself."""

    id: str
    run: int
    number: int
    kind: str = "run"
    link: str = ""
    through: _Node | None = None
    steps: int = 0

    def told(self) -> tuple[int, str]:
        """(position of the retracted run, the path in words)."""
        node, links = self, list[str]()
        while (before := node.through) is not None:
            words = f"{node.link} run {before.number}"
            if len(links) < _LINKS_TOLD or before.through is None:
                links.append(words)
            elif len(links) == _LINKS_TOLD:
                links.append("and so on")
            node = before
        return node.run, ", ".join(links)


_DERIVED = f"""
SELECT r.id, r.run, r.number, 'run', CASE WHEN f.role = 'tests' THEN iif(r.role = 'pair', '{_TO_JUDGE}',
  'made to carry on') WHEN r.role IN ('pair', 'control', 'final') THEN '{_AGAIN}' ELSE 'derived from' END
FROM refs f JOIN runs r ON r.run = f.seq WHERE f.target = ? AND f.role IN ('parent', 'tests') ORDER BY f.role, 3, 1"""
_BESIDE = """
SELECT b.id, b.run, b.number, 'run', 'measured side by side with a run of' FROM runs a
JOIN refs t ON t.seq = a.run AND t.role = 'tests' JOIN refs u ON u.target = t.target AND u.role = 'tests'
JOIN runs b ON b.run = u.seq AND b.role = 'pair' AND b.seed = a.seed WHERE a.id = ? AND a.role = 'pair' ORDER BY 3, 1"""
_JUDGED = """
SELECT DISTINCT e.id, r.run, r.number, 'verdict', 'compares with' FROM refs f JOIN verdicts v ON v.seq = f.seq
JOIN entries e ON e.seq = v.seq JOIN runs r ON r.run = v.run
WHERE f.target = ? AND f.role IN ('parent', 'from') ORDER BY 3, 1"""
_CITING = """
SELECT DISTINCT e.id, coalesce(r.run, ?), coalesce(r.number, ?), e.kind, 'cites' FROM refs f
JOIN entries e ON e.seq = f.seq AND e.kind IN ('claim', 'answer')
LEFT JOIN refs t ON t.seq = e.seq AND t.role = 'tests' LEFT JOIN runs r ON r.id = t.target
WHERE f.target = ? AND f.role IN ('tests', 'from', 'quotes', 'parent')
  AND NOT EXISTS (SELECT 1 FROM refs s WHERE s.target = e.id AND s.role = 'supersedes') ORDER BY 3, 1"""


def settle_doubts(db: sqlite3.Connection) -> None:
    """Fills `doubted` anew; costs what hangs on retracted runs, and next to nothing where there are none."""
    db.execute("DELETE FROM doubted")
    rows = db.execute("SELECT id, run, number FROM runs WHERE verdict = 'retract' ORDER BY number, id")
    level = [_Node(*row) for row in rows]
    reached = {node.id: node for node in level}
    derived: list[_Node] = []

    def reach(sql: str, node: _Node, *more: int) -> Iterable[_Node]:
        for entry, run, number, kind, link in db.execute(sql, (*more, node.id)).fetchall():
            if entry not in reached:
                yield _Node(entry, run, number, kind, link, node, node.steps + 1)

    while level:
        derived += level
        following: list[_Node] = []
        for node in level:
            for found in reach(_DERIVED, node):
                reached[found.id] = found
                following.append(found)
        level = sorted(following, key=lambda node: (node.number, node.id))
    verdicts: dict[str, _Node] = {}
    for node in derived:
        for found in reach(_BESIDE, node) if node.link == _AGAIN else ():
            # The other side of the pair: it stands beside the run that this one repeats.
            reached[found.id] = replace(found, through=node.through, steps=node.steps)
        for found in reach(_JUDGED, node) if node.link not in (_AGAIN, _TO_JUDGE) else ():
            verdicts.setdefault(found.id, found)
    counting = in_force(db, list(verdicts))
    for found in [node for node in verdicts.values() if node.id in counting]:
        reached[found.id] = found
        [(run,)] = db.execute("SELECT id FROM runs WHERE run = ?", (found.run,))
        if run not in reached:
            assert found.through is not None
            reached[run] = _Node(run, found.run, found.number, "run", "judged against", found.through, found.steps)
    for node in list(reached.values()):
        for found in reach(_CITING, node, node.run, node.number):
            reached[found.id] = found
    positions = dict(db.execute("SELECT id, seq FROM entries WHERE id IN (SELECT value FROM json_each(?))",
                                (json.dumps(list(reached)),)))  # fmt: skip
    db.executemany(
        "INSERT INTO doubted VALUES (?, ?, ?, ?, ?, ?)",
        [
            (positions[n.id], n.kind, n.run, (told := n.told())[0], n.steps, told[1])
            for n in reached.values()
            if n.steps
        ],
    )
