"""The graph: what hangs together, a piece at a time, in columns by kind, so that lines never make a hairball.

Without a thing asked for it shows the most connected of each kind, and one cluster a kind for the rest. Every thing is
a link to the graph around it; the same is told in words beside the picture. The layout depends on the links alone.
"""

from __future__ import annotations

import json
import re
import sqlite3
import textwrap
from collections import Counter
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..commands.trails import thing_named, thing_told
from ..ledger import UsageError
from ..memory import Memory
from ..memory.claims import STANDING
from ..memory.search.trails import Link, Node, Trails
from .labs import lab_of, labs_of
from .named_pages import wiki_page_of
from .rendering import page
from .sources import place_at

#: Kinds in the order of their columns: who, what was read, what it speaks of, what can be set, what was run.
KINDS = {
    "author": "people", "document": "sources", "said": "claims", "name": "subjects", "knob": "knobs",
    "setting": "settings", "run": "runs",
}  # fmt: skip
#: What one thing of a kind is called.
_ONE = {"document": "source", "said": "claim", "name": "subject", "author": "person"}
#: Things that are drawn at a time, and in one column.
DRAWN, COLUMN = 64, 16
_ROW, _WIDTH, _CHAR = 34, 1100, 7.3

#: A heading with the same words after it; a line of several authors, who are names of their own.
_TWICE, _SEVERAL = re.compile(r"(.+) \1"), re.compile(r"[,;&<@]| and ")
#: Of each kind (key, links) until a position, the most connected first; what has one link hangs on what has many.
_HUBS = {
    "author": "SELECT by, count(*) AS n FROM runs WHERE run <= ?1 GROUP BY 1 UNION ALL SELECT author, count(*) AS n"
    # An author line with several people, or with addresses, names nobody; its people are subjects of the wiki.
    " FROM documents WHERE entry <= ?1 AND author <> '' AND author NOT GLOB '*[,;&<@]*'"
    " AND author NOT LIKE '% and %' GROUP BY 1",
    # A claim of the experiments rests on runs, which are no document.
    "document": "SELECT source, count(*) AS n FROM claims WHERE entry <= ?1 AND source IN (SELECT entry FROM documents)"
    " GROUP BY 1",
    # Who speaks of it, and what is told of it in a word (who wrote it, what it replaced); not what all speak of.
    "name": "SELECT name, count(*) + 3 * sum(role = 'object') AS n FROM named WHERE entry <= ?1 AND role <> 'subject'"
    " GROUP BY 1 HAVING n > 1 AND n - 4 * sum(role = 'object') <= max(8, (SELECT count(*) / 5 FROM documents))"
    " AND NOT (substr(name, -1) = 's' AND EXISTS (SELECT 1 FROM named s WHERE s.name = substr(named.name, 1,"
    " length(named.name) - 1)))",
    "knob": "SELECT knob, count(*) AS n FROM changes WHERE run <= ?1 GROUP BY 1",
    "run": "SELECT run, sum(n) AS n FROM (SELECT parent AS run, 1 AS n FROM runs WHERE run <= ?1 UNION ALL"
    " SELECT run, 100 FROM champions WHERE run <= ?1) WHERE run IN (SELECT run FROM runs) GROUP BY 1",
}
_TOTALS = {
    "document": "SELECT count(*) FROM documents WHERE entry <= ?",
    "run": "SELECT count(*) FROM runs WHERE run <= ?",
}
#: What runs link to (run, kind, key); the runs are a JSON list.
_OF_RUNS = (
    "SELECT f.seq, 'run', r.run FROM json_each(?) j JOIN refs f ON f.seq = j.value AND f.role = 'parent'"
    " JOIN runs r ON r.id = f.target",
    "SELECT c.run, 'run', n.run FROM json_each(?) j JOIN champions c ON c.run = j.value JOIN champions n"
    " ON n.campaign = c.campaign AND n.since = c.until AND n.run <> c.run",
    "SELECT c.run, 'knob', c.knob FROM json_each(?) j JOIN changes c ON c.run = j.value",
    "SELECT s.run, 'setting', s.knob || '=' || s.value FROM json_each(?) j JOIN settings s ON s.run = j.value"
    " WHERE s.value IS NOT NULL",
    "SELECT seq, 'author', by FROM json_each(?) j JOIN entries ON seq = j.value",
)


#: What one name is of another by a claim; the names are a JSON list.
_OF_NAMES = (
    "SELECT DISTINCT s.name, o.name FROM json_each(?1) j JOIN named s ON s.name = j.value AND s.role = 'subject'"
    f" JOIN named o ON o.entry = s.entry AND o.role = 'object' AND o.name IN (SELECT value FROM json_each(?1))"
    f" JOIN {STANDING} AND c.entry = s.entry AND c.entry <= ?2"
)
#: The words that a step of a trail rests on (source, line, last line, text): a claim's, or of a source that names.
_QUOTED = "SELECT c.source, q.line, q.last_line, q.text FROM claims c JOIN quotes q USING (entry) WHERE c.entry = ?"
_MENTIONED = (
    "SELECT entry, line, last_line, text FROM mentions WHERE entry = ?1 AND name IN"
    " (SELECT spelt FROM named WHERE entry = ?1 AND name = ?2)"
)
_ALIKE = "SELECT knob FROM settings GROUP BY knob HAVING count(DISTINCT value) = 1 AND count(*) > 1"


@dataclass(frozen=True, slots=True)
class Thing:
    """A node as it is shown: its place in the graph, its own page, and how it hangs on what was asked for."""

    node: Node
    text: str
    here: str
    page: str
    words: str = ""
    #: The words that this rests on, and where they are read; or the run that did it.
    quote: str = ""
    place: str = ""

    @property
    def kind(self) -> str:
        return _ONE.get(self.node[0], self.node[0])


@dataclass(frozen=True, slots=True)
class Column:
    """Things of one kind; `more` of them are not drawn, and `more_at` shows the next."""

    kind: str
    name: str
    things: tuple[Thing, ...]
    more: int
    more_at: str


def _graph(request: Request) -> Response:
    lab = lab_of(request)
    db, asked = lab.memory.db, request.query_params
    last, last_at = db.execute("SELECT seq, at FROM entries ORDER BY seq DESC LIMIT 1").fetchone() or (0, "")
    until = min(_count(asked.get("until"), last), last)
    ran = db.execute("SELECT 1 FROM runs LIMIT 1").fetchone() is not None
    offered = {kind: name for kind, name in KINDS.items() if ran or kind not in ("knob", "setting", "run")}
    # A form with no kind ticked says so; an address that names none means all.
    kinds = [kind for kind in KINDS if kind in asked.getlist("kind")] or ([] if "chosen" in asked else list(KINDS))
    at, to = asked.get("at", "").strip(), asked.get("to", "").strip()
    trails, trouble, columns, lines, path = Trails(db, until), "", [], [], None
    shown: dict[str, Any] = {"until": until} if until < last else {}

    def link(**changed: object) -> str:
        return "?" + urlencode([(name, value) for name, value in (shown | changed).items()], doseq=True)

    def thing(node: Node, by: Link | None = None, before: Node | None = None) -> Thing:
        told = thing_told(lab.memory, node)
        told = told.removeprefix(f"{node[0]} ").removeprefix(f"{_ONE.get(node[0])} ").strip('"')
        own = wiki_page_of(db, lab.root, told) if node[0] == "name" else _page_of(db, node)
        quote, place = _rests_on(db, by.entry, (node, before)) if by and before else ("", "")
        return Thing(node, told, link(at=_key(node)), own, by.words if by else "", quote, place)

    start: Node | None = None
    try:
        start = _node(lab.memory, at) if at else None
        if start and to:
            goal = _node(lab.memory, to)
            at, to = _typed(lab.memory, start), _typed(lab.memory, goal)
            found = trails.path(start, goal)
            if found is not None:
                ends = [start, *(step.to for step in found)]
                path = [thing(start), *map(thing, ends[1:], found, ends)]
            else:
                trouble = f"Nothing leads from {at} to {to}" + (" at that time." if shown else ".")
    except UsageError as error:
        trouble = str(error)
    if path is None and not trouble:
        first = _count(asked.get("from"), 0)
        if start:
            near = near_of(trails, start)
            near["name"] = _ranked(db, lab.root, near.get("name", []))
            near.get("document", []).sort(key=lambda one: one[1] is not None and one[1].words == "mentions")
            if start[0] == "run" and (settings := near.get("setting")):
                alike = {knob for (knob,) in db.execute(_ALIKE)}
                # What every run has says nothing of this one.
                near["setting"] = [one for one in settings if str(one[0][1]).partition("=")[0] not in alike]
        else:
            # The key of now is no position: what is most connected rests while entries land.
            near = labs_of(request).apart(("hubs", until if shown else None), hubs_of, until) or {}
        limit = DRAWN // max(1, min(DRAWN // COLUMN, sum(1 for kind in kinds if near.get(kind))))
        for kind in kinds:
            all_of = near.get(kind, [])
            taken = all_of[first : first + limit]
            total = len(all_of) if start or kind not in _TOTALS else db.execute(_TOTALS[kind], (until,)).fetchone()[0]
            if taken:
                more_at = link(**({"at": _key(start)} if start else {}), kind=kind, **{"from": first + len(taken)})
                listed = first + len(taken) < len(all_of)
                more_at = more_at if listed else {"run": "/runs", "document": "/sources"}.get(kind, "")
                more = total - first - len(taken)
                columns.append(Column(kind, KINDS[kind], tuple(thing(*one) for one in taken), max(0, more), more_at))
        lines = _lines(trails, start, [one.node for column in columns for one in column.things])
    focus = thing(start) if start else None
    told_of = wiki_page_of(db, lab.root, focus.text) if focus and focus.node[0] == "document" else ""
    at = _typed(lab.memory, start) if start else at
    drawn = [*([focus.node] if focus else []), *(one.node for column in columns for one in column.things)]
    numbers = {node: i for i, node in enumerate(drawn)}
    svg = _columns_svg(focus, columns, lines, numbers)
    step = max(1, -(-last // 100))
    moment = db.execute("SELECT at FROM entries WHERE seq = ?", (until,)).fetchone()
    return page(
        request, "graph.html", "Graph", svg=Markup(svg), columns=columns, path=path, focus=focus, at=at, to=to,
        until=until, last=last, moment=moment[0] if moment else last_at, kinds=offered, chosen=kinds, trouble=trouble,
        told_of=told_of,
        all_at=link(), numbers=numbers, step=step, most=step * -(-last // step),
    )  # fmt: skip


def _count(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isdecimal() and text.isascii() and len(text) < 12 else otherwise


def _key(node: Node) -> str:
    """A node as the address has it; a person may type what `memex path` takes instead."""
    return f"{node[0]}~{node[1]}"


def _typed(memory: Memory, node: Node) -> str:
    """What a person would type for it."""
    db = memory.db
    if node[0] == "run":
        return "run:{}/{}".format(*db.execute("SELECT campaign, number FROM runs WHERE run = ?", (node[1],)).fetchone())
    if node[0] == "document":
        return str(db.execute("SELECT document FROM documents WHERE entry = ?", (node[1],)).fetchone()[0])
    if node[0] == "said":
        return str(db.execute("SELECT id FROM entries WHERE seq = ?", (node[1],)).fetchone()[0])
    return thing_told(memory, node).removeprefix("name ") if node[0] == "name" else str(node[1])


def _node(memory: Memory, text: str) -> Node:
    kind, tilde, key = text.partition("~")
    if not tilde or kind not in KINDS:
        return thing_named(memory, text, None)
    node: Node = (kind, int(key) if kind in ("run", "document", "said") and key.isdecimal() and len(key) < 18 else key)
    table = {"run": "runs WHERE run", "document": "documents WHERE entry", "said": "entries WHERE seq"}.get(kind)
    if table and not memory.db.execute(f"SELECT 1 FROM {table} = ?", (node[1],)).fetchone():
        raise UsageError(f"{text[:80]!r} is nothing in this memory", "memex search WORDS")
    return node


def _page_of(db: sqlite3.Connection, node: Node) -> str:
    kind, key = node
    if kind == "run":
        number, campaign = db.execute("SELECT number, campaign FROM runs WHERE run = ?", (key,)).fetchone()
        return f"/runs/{number}?campaign={quote(campaign, safe='')}"
    if kind == "knob":
        return f"/effects?knob={quote(str(key), safe='')}"
    return f"/sources/{key}" if kind == "document" else ""


def _rests_on(db: sqlite3.Connection, entry: int, ends: tuple[Node, Node]) -> tuple[str, str]:
    """The words that a link of a trail rests on, and their address; ('', '') where no source says it."""
    names = [key for kind, key in ends if kind == "name"]
    found = db.execute(_QUOTED, (entry,)).fetchone()
    found = found or (names and db.execute(_MENTIONED, (entry, names[0])).fetchone())
    if not found:
        run = db.execute("SELECT 1 FROM runs WHERE run = ?", (entry,)).fetchone()
        return "", _page_of(db, ("run", entry)) if run else ""
    source, line, last, text = found
    return text, place_at(source, [line, last], text)


def _ranked(
    db: sqlite3.Connection, root: Path, names: list[tuple[Node, Link | None]]
) -> list[tuple[Node, Link | None]]:
    """Those with a page of their own first, then those that most sources name."""
    sql = "SELECT name, count(*), min(spelt) FROM named WHERE name IN (SELECT value FROM json_each(?)) GROUP BY 1"
    known = {name: rest for name, *rest in db.execute(sql, (json.dumps([key for (_, key), _ in names]),))}
    paged = {name for name, (_, spelt) in known.items() if wiki_page_of(db, root, spelt)}
    return sorted(names, key=lambda one: (one[0][1] not in paged, -known.get(one[0][1], [0])[0], str(one[0][1])))


def near_of(trails: Trails, start: Node) -> dict[str, list[tuple[Node, Link | None]]]:
    """What a thing links to, each once, by kind; the newest first."""
    near: dict[str, dict[Node, Link | None]] = {}
    for link in sorted(trails.links(start), key=lambda link: (-link[2], str(link[0][1]))):
        (kind, key), words, _ = link
        # Who took a source in is no news of it.
        if kind == "author" and (_SEVERAL.search(str(key)) or (start[0] != "run" and words == "recorded by")):
            continue
        if kind == "name" and _TWICE.fullmatch(str(key)):
            continue
        near.setdefault(link[0][0], {}).setdefault(link[0], link)
    return {kind: list(found.items()) for kind, found in near.items()}


def hubs_of(memory: Memory, until: int) -> dict[str, list[tuple[Node, Link | None]]]:
    """The most connected of each kind, as far as they have more than a thread to the rest."""
    return {
        kind: [((kind, key), None) for key, _ in memory.db.execute(f"{sql} ORDER BY n DESC, 1 LIMIT 1000", (until,))]
        for kind, sql in _HUBS.items()
    }


def _lines(trails: Trails, start: Node | None, nodes: list[Node]) -> list[tuple[Node, Node]]:
    """The links among what is drawn, read from the side that has few."""
    drawn = {*nodes, start} if start else set(nodes)
    pairs = {
        (min(node, link.to, key=str), max(node, link.to, key=str))
        for node in nodes
        if node[0] in ("document", "said")
        for link in trails.links(node)
        if link.to in drawn
    }
    names = json.dumps([key for kind, key in nodes if kind == "name"])
    for a, b in trails.db.execute(_OF_NAMES, (names, trails.until)):
        pairs.add((min(("name", a), ("name", b), key=str), max(("name", a), ("name", b), key=str)))
    # Runs are many: what they link to is asked of all of them at once.
    for sql in _OF_RUNS:
        for run, kind, key in trails.db.execute(sql, (json.dumps([key for kind, key in nodes if kind == "run"]),)):
            if (kind, key) in drawn:
                ends: tuple[Node, Node] = ("run", run), (kind, key)
                pairs.add((min(ends, key=str), max(ends, key=str)))
    # Who recorded nearly everything is no news; without this one person's lines would cover the rest.
    of = Counter(end for pair in pairs for end in pair if end[0] in ("author", "setting"))
    pairs = {(a, b) for a, b in pairs if start or max(of[a], of[b]) <= COLUMN}
    # So it is with a setting that most of these runs had.
    most = max(3, sum(kind == "run" for kind, _ in drawn) / 2)
    pairs = {(a, b) for a, b in pairs if not any(end[0] == "setting" and of[end] >= most for end in (a, b))}
    return sorted(pairs | {(start, node) for node in nodes if start}, key=str)


def _columns_svg(
    focus: Thing | None, columns: list[Column], lines: list[tuple[Node, Node]], numbers: dict[Node, int]
) -> str:
    if not columns:
        return ""
    columns = [
        replace(
            column, name=column.name if not i else "", things=column.things[i : i + COLUMN],
            more=column.more if i + COLUMN >= len(column.things) else 0,
        )
        for column in columns
        for i in range(0, len(column.things), COLUMN)
    ]  # fmt: skip
    step = _WIDTH / len(columns)
    chars = int((step - 60) / _CHAR)
    rows = max(len(column.things) + (column.more > 0) for column in columns)
    top = 100 if focus else 46
    height = top + rows * _ROW
    places: dict[Node, tuple[float, float]] = {}
    ends: dict[Node, float] = {}
    if focus:
        places[focus.node] = (_WIDTH / 2, 24)
    for i, column in enumerate(columns):
        for j, one in enumerate(column.things):
            places[one.node] = (14 + i * step, top + j * _ROW)
            # A line to the right leaves where the words end.
            ends[one.node] = 14 + i * step + 16 + _CHAR * min(len(one.text), chars)
    drawn = []
    for pair in lines:
        a, b = sorted(pair, key=places.__getitem__)
        (x, y), (u, v) = places[a], places[b]
        x = ends.get(a, x) if u - x > 0.9 * step else x
        bend, arrive = ((u - x) / 2, (x + u) / 2) if u > x else (-46, u - 46)
        drawn.append(
            f'<path data-a="{numbers[a]}" data-b="{numbers[b]}"'
            f' d="M{x:.0f} {y:.0f}C{x + bend:.0f} {y:.0f} {arrive:.0f} {v:.0f} {u:.0f} {v:.0f}"/>'
        )
    for i, column in enumerate(columns):
        drawn.append(f'<text class="head" x="{6 + i * step:.0f}" y="{top - 28}">{escape(column.name)}</text>')
        drawn += [_drawn(one, *places[one.node], numbers[one.node], chars=chars) for one in column.things]
        if column.more > 0:
            y = places[column.things[-1].node][1] + _ROW
            inside = (
                f'<rect x="{6 + i * step:.0f}" y="{y - 11:.0f}" width="104" height="22" rx="11"/>'
                f'<text x="{18 + i * step:.0f}" y="{y + 5:.0f}">{column.more:,} more</text>'
            )
            name = f"{column.more:,} more {column.name}"
            drawn.append(
                f'<a class="cluster" href="{escape(column.more_at)}" aria-label="{name}" tabindex="-1">{inside}</a>'
                if column.more_at
                else f'<g class="cluster">{inside}</g>'
            )
    if focus:
        drawn.append(_drawn(focus, *places[focus.node], numbers[focus.node], "focus"))
    box = f'viewBox="0 0 {_WIDTH} {height:.0f}"'
    name = "What hangs together; the list below says the same in words"
    return f'<svg class="graph" {box} role="group" aria-label="{name}">{"".join(drawn)}</svg>'


def _drawn(one: Thing, x: float, y: float, number: int, more: str = "", chars: int = 90) -> str:
    text = one.text
    lines = textwrap.wrap(text, chars, max_lines=2, placeholder="…", break_long_words=False, break_on_hyphens=False)
    first, *rest = [line if len(line) <= chars else line[: chars - 1] + "…" for line in lines or [""]]
    up = 7 * len(rest)
    told = f'<text x="{x + 12:.0f}" y="{y + 5 - up:.0f}">{escape(first)}</text>' + "".join(
        f'<text x="{x + 12:.0f}" y="{y + 5 + up:.0f}">{escape(line)}</text>' for line in rest
    )
    # The keyboard goes through the list that says the same.
    return (
        f'<a class="node {one.node[0]} {more}" href="{escape(one.here)}" data-n="{number}" tabindex="-1">'
        f"<title>{escape(text)}</title>"
        f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{8 if more else 6}"/>{told}</a>'
    )


ROUTES = [Route("/graph", _graph)]
