"""How two things of the memory hang together: a graph read from the tables as it is walked, and never built whole.

Its nodes are runs, knobs, settings, documents, names, authors and what was said of any of them. What many things share
says little of any two, so passing through a node costs the logarithm of its links (the fan effect of J. R. Anderson).
"""

from __future__ import annotations

import math
import re
import sqlite3
from heapq import heappop, heappush
from typing import NamedTuple

from ..claims import STANDING
from .passages import words_for_index

#: Kind (run knob setting document name author said), and what tells it apart in its kind.
Node = tuple[str, str | int]
#: What more things share than this is near everything, and so near nothing; of a thing with more links the last count.
_MOST_LINKS = 300


class Link(NamedTuple):
    """From one thing to the next, in words that read both ways, and the position of the entry that says so."""

    to: Node
    words: str
    entry: int


class Trails:
    """The links of one index, or those that entries up to a position made; keeps what it read, so make one for a
    question and drop it."""

    def __init__(self, db: sqlite3.Connection, until: int | None = None) -> None:
        self.db, self.until = db, math.inf if until is None else until
        self._links: dict[Node, list[Link]] = {}
        self._degrees: dict[Node, int] = {}
        # Sources that were not read for the wiki: what they name is known by their words alone.
        self._unread = db.execute(_UNREAD).fetchone() is not None

    def links(self, node: Node) -> list[Link]:
        """All links of a node."""
        if node not in self._links:
            values = _values(node)
            rows = [row for sql in _LINKS[node[0]].split(";") for row in self.db.execute(sql, values)]
            if node[0] == "name" and (self._unread or not rows):
                rows += self.db.execute(_SPELT, values)
            self._links[node] = [Link(to, words, entry) for *to_, words, entry in rows
                                 if (to := tuple(to_)) != node and entry <= self.until]  # fmt: skip
        return self._links[node]

    def degree(self, node: Node) -> int:
        """How many links it has, counted and not read where there may be many; see `_COUNTS`."""
        if node not in self._degrees:
            sql = _COUNTS.get(node[0])
            counted = self.db.execute(sql, _values(node)).fetchone()[0] if sql else len(self.links(node))
            self._degrees[node] = int(counted)
        return self._degrees[node]

    def path(self, start: Node, goal: Node) -> list[Link] | None:
        """The cheapest trail, as its links from `start` on; None where there is none. Dijkstra's search from both ends.

        It passes through no author: nearly all that a lab knows was recorded by the same few.
        """
        costs: tuple[dict[Node, float], ...] = ({start: 0.0}, {goal: 0.0})
        before: tuple[dict[Node, tuple[Node, Link]], ...] = ({}, {})
        heaps: tuple[list[tuple[float, bool, Node]], ...] = ([(0.0, True, start)], [(0.0, True, goal)])
        best, meeting = (0.0, start) if start == goal else (math.inf, None)
        while heaps[0] and heaps[1] and heaps[0][0][0] + heaps[1][0][0] < best:
            side = 0 if heaps[0][0][0] <= heaps[1][0][0] else 1
            cost, paid, node = heappop(heaps[side])
            if not paid:  # it comes back when what it costs to pass through it is counted
                heappush(heaps[side], (cost + self._toll(node), True, node))
                continue
            for link in self.links(node):
                is_end = link.to in (start, goal)
                if cost >= costs[side].get(link.to, math.inf) or (link.to[0] == "author" and not is_end):
                    continue
                costs[side][link.to], before[side][link.to] = cost, (node, link)
                heappush(heaps[side], (cost, False, link.to))
                if (other := costs[1 - side].get(link.to)) is not None:
                    total = cost + other + (0.0 if is_end else self._toll(link.to))
                    best, meeting = (total, link.to) if total < best else (best, meeting)
        if meeting is None:
            return None
        links: list[Link] = []
        node = meeting
        while node != start:
            node, link = before[0][node]
            links.insert(0, link)
        node = meeting
        while node != goal:
            node, link = before[1][node]
            links.append(Link(node, link.words, link.entry))
        return links

    def _toll(self, node: Node) -> float:
        return 1.0 + math.log2(max(1, self.degree(node)))

    def related(self, start: Node, limit: int) -> list[tuple[Node, float, list[Node]]]:
        """What two hops of activation reach, divided by the links it spreads over: (thing, score, shared things)."""
        gains: dict[Node, dict[Node, float]] = {}
        # Who recorded a thing has nothing to do with it; who wrote it has.
        first = [link for link in self.links(start) if link.to[0] != "author" or link.words == "written by"]
        first = first[-_MOST_LINKS:]
        for link in first:
            onward = self.links(link.to) if self.degree(link.to) <= _MOST_LINKS else []
            gains.setdefault(link.to, {})[link.to] = 1 / len(first) / (len(onward) or _MOST_LINKS)
            for further in onward:
                if further.to != start:
                    found = gains.setdefault(further.to, {})
                    found[link.to] = found.get(link.to, 0.0) + 1 / len(first) / len(onward)
        things = [(n, math.fsum(via.values()), sorted(via, key=lambda shared: (-via[shared], str(shared))))
                  for n, via in gains.items() if n[0] in ("run", "document", "said", "knob")]  # fmt: skip
        return sorted(things, key=lambda near: (-near[1], str(near[0])))[:limit]


def _values(node: Node) -> dict[str, str | int]:
    """The node as the SQL below has it."""
    if node[0] == "name":
        words = " ".join(re.findall(r"[^\W_]+", words_for_index(str(node[1]))))
        return {"key": f'"{words}"', "more": str(node[1])}
    knob, _, value = str(node[1]).partition("=")
    return {"key": knob, "more": value} if node[0] == "setting" else {"key": node[1]}


_ID = "(SELECT id FROM entries WHERE seq = :key)"
_CHANGED = "'changed' || coalesce(', ' || old || ' to ' || coalesce(new, 'none'), '')"
_NEXT = (
    "'one champion after the other', n.run FROM champions c JOIN champions n ON n.campaign = c.campaign"
    " AND n.since = c.until AND n.run <> c.run"
)
_BY_AND_SAID = f"""SELECT 'author', by, 'recorded by', seq FROM entries WHERE seq = :key;
 SELECT DISTINCT 'said', seq, 'evidence', seq FROM refs JOIN entries USING (seq) WHERE target = {_ID}
 AND kind IN ('claim', 'answer')"""
_WORDS = "number IS NULL AND value = lower(value) AND value NOT IN ('true', 'false')"
_SPEAKS = "CASE role WHEN 'title' THEN 'is called' ELSE 'mentions' END"
_ABOUT = f"FROM named n JOIN {STANDING} AND c.entry = n.entry AND n.role IN ('subject', 'object')"
#: What a source says without having been read for the wiki: numbers and scraps of two letters name nothing there.
_NAMES_SOMETHING = """length(CAST(j.value AS BLOB)) > 2 AND j.value GLOB '*[^0-9 ]*'
 AND NOT EXISTS (SELECT 1 FROM named WHERE entry = :key)"""
_UNREAD = "SELECT 1 FROM documents d WHERE NOT EXISTS (SELECT 1 FROM named WHERE entry = d.entry) LIMIT 1"
#: Documents by the words of a name: all of them where nobody names it, else those that were not read for the wiki.
_SPELT = """SELECT DISTINCT 'document', p.entry, 'mentions', p.entry FROM passage_words w JOIN passages p
 ON p.rowid = w.rowid WHERE passage_words MATCH :key AND (NOT EXISTS (SELECT 1 FROM named WHERE name = :more)
 OR NOT EXISTS (SELECT 1 FROM named WHERE entry = p.entry))"""
#: For each kind of node, queries for (kind, key, words, entry) of what it is linked to.
_LINKS = {
    "run": f"""SELECT 'run', run, 'parent and child', run FROM refs JOIN runs ON run = seq WHERE target = {_ID}
 AND refs.role = 'parent'; SELECT 'run', p.run, 'parent and child', r.run FROM runs r JOIN runs p ON p.run = r.parent
 WHERE r.run = :key; SELECT 'run', n.run, {_NEXT} WHERE c.run = :key; SELECT 'run', c.run, {_NEXT} WHERE n.run = :key;
 SELECT 'knob', knob, {_CHANGED}, run FROM changes WHERE run = :key;
 SELECT 'setting', knob || '=' || value, 'ran under', run FROM settings WHERE run = :key AND value IS NOT NULL;
 {_BY_AND_SAID}""",
    "knob": f"SELECT 'run', run, {_CHANGED}, run FROM changes WHERE knob = :key",
    "setting": f"""SELECT 'run', run, 'ran under', run FROM settings WHERE knob = :key AND value = :more;
 SELECT 'name', value, 'is the value', run FROM settings WHERE knob = :key AND value = :more AND {_WORDS} LIMIT 1""",
    "document": f"""SELECT 'name', name, {_SPEAKS}, entry FROM named WHERE entry = :key;
 SELECT DISTINCT 'name', j.value, 'mentions', entry FROM passages, json_each('["' ||
 replace(names, char(10), '","') || '"]') j WHERE entry = :key AND names <> '' AND {_NAMES_SOMETHING};
 SELECT 'name', n.name, 'tells of', min(c.entry) {_ABOUT} AND c.source = :key GROUP BY 2;
 SELECT 'author', author, 'written by', entry FROM documents WHERE entry = :key AND author <> ''; {_BY_AND_SAID}""",
    "name": f"""SELECT 'name', o.name, c.text, c.entry FROM named n JOIN named o ON o.entry = n.entry
 AND o.name <> n.name JOIN {STANDING} AND c.entry = n.entry AND n.name = :more AND n.role IN ('subject', 'object');
 SELECT 'document', c.source, 'tells of', min(c.entry) {_ABOUT} AND n.name = :more GROUP BY 2;
 SELECT 'document', d.entry, {_SPEAKS}, d.entry FROM named JOIN documents d USING (entry) WHERE name = :more;
 SELECT 'setting', s.knob || '=' || s.value, 'is the value', min(s.run) FROM (SELECT DISTINCT knob FROM changes) k
 JOIN settings s ON s.knob = k.knob AND s.value = :more AND {_WORDS} GROUP BY s.knob""",
    "author": """SELECT 'run', run, 'recorded by', run FROM runs WHERE by = :key;
 SELECT 'said', seq, 'recorded by', seq FROM entries WHERE by = :key AND kind IN ('claim', 'answer');
 SELECT 'document', entry, 'written by', entry FROM documents WHERE author = :key""",
    "said": f"""SELECT 'run', run, 'evidence', r.seq FROM refs r JOIN runs ON id = target WHERE r.seq = :key;
 SELECT 'document', d.entry, 'evidence', r.seq FROM refs r JOIN entries e ON e.id = r.target JOIN documents d
 ON d.entry = e.seq WHERE r.seq = :key; SELECT 'said', e.seq, 'evidence', r.seq FROM refs r JOIN entries e
 ON e.id = r.target WHERE r.seq = :key AND e.kind IN ('claim', 'answer'); {_BY_AND_SAID}""",
}
#: A run counts by its lineage, and a setting four times: to have been run under one value says little of two runs.
_COUNTS = {
    "run": f"SELECT 2 + count(*) FROM refs WHERE target = {_ID} AND role = 'parent'",
    "knob": "SELECT count(*) FROM changes WHERE knob = :key",
    "setting": "SELECT 4 * count(*) FROM settings WHERE knob = :key AND value = :more",
    "author": "SELECT count(*) FROM runs WHERE by = :key",
}
