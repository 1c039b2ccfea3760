"""The lineage of a campaign as a server-drawn tree: each trunk run a row, what led nowhere as marks beside it.

A trunk run was champion or has descendants. The newest are drawn; older ones are a link away.
"""

from __future__ import annotations

import json
import sqlite3
from bisect import bisect_left
from html import escape
from urllib.parse import quote

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .labs import campaigns, lab_of, labs_of
from .rendering import arrows, number, page

#: Trunk runs drawn at a time, marks under one of them and in one line, and as many as are written out with their names.
ROWS, MARKS, BESIDE, NAMED = 60, 48, 16, 60
_LINE, _LANE, _MARK, _WIDTH, _MOST_LANES = 24, 26, 42, 860, 6
_FAILED = {"crash", "timeout", "invalid", "lost"}
_COLUMNS = """run, number, role, CASE WHEN verdict = 'retract' THEN 'retracted' WHEN status <> 'blocked' THEN status
 WHEN error LIKE 'rejected by %' THEN 'turned down' ELSE 'refused' END, replace(verdict, 'retract', ''),
 value, description, parent, (SELECT avg(f.value) FROM runs f WHERE
 f.campaign = runs.campaign AND f.commit_id = runs.commit_id AND f.commit_id <> '' AND f.role IN ('baseline', 'pair',
 'control') AND f.value IS NOT NULL AND f.status <> 'invalid')"""
_TRUNK = f"""SELECT {_COLUMNS} FROM runs WHERE campaign = :c AND number < :before AND run IN (
 SELECT run FROM champions WHERE campaign = :c UNION SELECT parent FROM runs WHERE campaign = :c AND role = 'candidate')
 ORDER BY number DESC LIMIT :rows"""

Node = tuple[int, int, str, str, str, float | None, str, int | None, float | None]


def lineage_svg(db: sqlite3.Connection, campaign: str, before: int) -> tuple[str, int, str]:
    """The drawing of the newest trunk runs below a number, the number of the oldest drawn, and the same as a list for a
    narrow screen; ('', 0, '') without any."""
    found: list[Node] = db.execute(_TRUNK, {"c": campaign, "before": before, "rows": ROWS}).fetchall()
    if not found:
        return "", 0, ""
    nodes = sorted(found, key=lambda node: node[1])
    champions = {run for (run,) in db.execute("SELECT run FROM champions WHERE campaign = ?", (campaign,))}
    row_of = {node[0]: i for i, node in enumerate(nodes)}
    lane_of = _lanes(nodes, champions, row_of)
    leaves: dict[int, list[Node]] = {}
    for leaf in db.execute(
        f"SELECT {_COLUMNS} FROM runs WHERE campaign = ?1 AND role = 'candidate' AND status != 'started'"
        " AND parent IN (SELECT value FROM json_each(?2)) AND run NOT IN (SELECT value FROM json_each(?2))"
        " ORDER BY number DESC", (campaign, json.dumps([node[0] for node in nodes])),
    ):  # fmt: skip
        leaves.setdefault(leaf[7], []).append(leaf)
    _without_parent(db, campaign, leaves, nodes, champions, before)
    is_named = sum(map(len, leaves.values())) <= NAMED
    tops, height = {}, 24
    for node in nodes:
        tops[node[0]] = height
        many = len(leaves.get(node[0], []))
        height += 14 + _LINE * (1 + (many if is_named else -(-min(many, MARKS) // BESIDE)))
    label = 40 + max(lane_of.values()) * _LANE
    query = f"?campaign={quote(campaign)}"
    lines, marks = [], []
    reigning: int | None = None  # a log that names no parents still says who followed whom
    for node in nodes:
        run, parent = node[0], node[7]
        x, y = 20 + lane_of[run] * _LANE, tops[run]
        main = run in champions
        if main:
            parent, reigning = (parent if parent in row_of else reigning), run
        if parent in row_of:
            from_x, from_y = 20 + lane_of[parent] * _LANE, tops[parent]
            strength = 'class="main" stroke-width="5"' if main and parent in champions else 'stroke-width="1.5"'
            lines.append(f'<path d="M{from_x} {from_y}V{y - 18}Q{from_x} {y} {x} {y}" {strength}/>')
        bold = ' class="champion"' if main else ""
        marks.append(
            f'<a href="/runs/{node[1]}{query}"{bold}><title>{escape(_told(node))}</title>'
            f'<circle cx="{x}" cy="{y}" r="{8 if main else 5.5}"/>'
            f'<text x="{label}" y="{y + 5}">{_short(node)}</text></a>'
        )
        below = leaves.get(run, [])
        for i, leaf in enumerate(reversed(below if is_named else below[:MARKS])):
            if is_named:
                name = f'<text x="{label + 18}" y="{y + _LINE * (i + 1) + 5}">{_short(leaf)}</text>'
                marks.append(_leaf(leaf, label + 6, y + _LINE * (i + 1), query, name))
            else:
                x, at = label + 6 + i % BESIDE * _MARK, y + _LINE * (1 + i // BESIDE)
                name = f'<text class="rest" x="{x + 8}" y="{at + 4}">{leaf[1]}</text>'
                marks.append(_leaf(leaf, x, at, query, name))
        if not is_named and len(below) > MARKS:
            end = f'x="{label + 6 + BESIDE * _MARK}" y="{y + _LINE * (MARKS // BESIDE) + 4}"'
            marks.append(f'<text class="rest" {end}>{len(below) - MARKS} more</text>')
    head = f'viewBox="0 0 {_WIDTH} {height}" role="group" aria-label="Lineage of {escape(campaign)}"'
    drawn = f'<svg class="lineage" {head}><g class="lines">{"".join(lines)}</g>{"".join(marks)}</svg>'
    return drawn, nodes[0][1], _listed(nodes, leaves, champions, query)


def _listed(nodes: list[Node], leaves: dict[int, list[Node]], champions: set[int], query: str) -> str:
    """The same in words that wrap: what was tried on a run stands below it, by its number."""
    out = []
    for node in nodes:
        below = []
        for leaf in reversed(leaves.get(node[0], [])[:MARKS]):
            mark = "✕" if leaf[3] in _FAILED else "●" if leaf[3] == "keep" else "○"
            below.append(f'<a href="/runs/{leaf[1]}{query}">{mark} #{leaf[1]}</a>')
        name = _short(node).replace("<tspan>", "<b>").replace("</tspan>", "</b>")
        bold = ' class="champion"' if node[0] in champions else ""
        beside = f"<small>{' '.join(below)}</small>" if below else ""
        out.append(f'<li{bold}><a href="/runs/{node[1]}{query}">{name}</a>{beside}</li>')
    return f'<ol class="tried">{"".join(out)}</ol>'


def _without_parent(
    db: sqlite3.Connection, campaign: str, leaves: dict[int, list[Node]], nodes: list[Node], champions: set[int],
    before: int,
) -> None:  # fmt: skip
    """A log that names no parents was tried on what it had kept last: puts such runs, newest first, below that one."""
    reigns = [node for node in nodes if node[0] in champions]
    drawn, starts = {node[0] for node in nodes}, [node[1] for node in reigns]
    for leaf in db.execute(
        f"SELECT {_COLUMNS} FROM runs WHERE campaign = ? AND role = 'candidate' AND status != 'started'"
        " AND parent IS NULL AND number > ? AND number < ? ORDER BY number DESC",
        (campaign, min(starts, default=before), before),
    ):  # fmt: skip
        if leaf[0] not in drawn:
            leaves.setdefault(reigns[bisect_left(starts, leaf[1]) - 1][0], []).append(leaf)


def _short(node: Node) -> str:
    told = f"#{node[1]} {arrows(node[6] or node[2])}"
    worth = (number(node[5]) or node[3]) if node[8] is None else f"{number(node[8])} in fresh runs"
    return f"{escape(told if len(told) < 70 else told[:68] + '…')} <tspan>{worth}</tspan>"


def _lanes(nodes: list[Node], champions: set[int], row_of: dict[int, int]) -> dict[int, int]:
    """Champions stand in the first lane; a side branch takes the nearest lane that is free from its parent down."""
    last_use: dict[int, int] = {}
    lane_of: dict[int, int] = {}
    for node in nodes:
        run, parent = node[0], node[7]
        if run in champions:
            lane_of[run] = 0
        elif parent in lane_of and lane_of[parent] and last_use.get(lane_of[parent]) == row_of[parent]:
            lane_of[run] = lane_of[parent]
        else:
            free = (lane for lane in range(1, _MOST_LANES) if last_use.get(lane, -1) < row_of.get(parent or -1, 0))
            lane_of[run] = next(free, _MOST_LANES)
        last_use[lane_of[run]] = row_of[run]
    return lane_of


def _told(node: Node) -> str:
    worth = number(node[5]) and f" {number(node[5])}" + (f", {number(node[8])} in fresh runs" if node[8] else "")
    return f"#{node[1]} {node[4] or node[3]}{worth}: {node[6] or node[2]}"


def _leaf(leaf: Node, x: int, y: int, query: str, name: str) -> str:
    """A mark for a run that led nowhere: a cross failed, a full dot was kept, a ring is the rest."""
    if leaf[3] in _FAILED:
        shape = f'<path class="cross" d="M{x - 3.5} {y - 3.5}l7 7m0 -7l-7 7"/>'
    else:
        shape = f'<circle class="{"kept" if leaf[3] == "keep" else "ring"}" cx="{x}" cy="{y}" r="4"/>'
    space = f'<rect x="{x - 6}" y="{y - 8}" width="12" height="16" opacity="0"/>'
    return f'<a href="/runs/{leaf[1]}{query}"><title>{escape(_told(leaf))}</title>{space}{shape}{name}</a>'


def _lineage(request: Request) -> Response:
    db = lab_of(request).memory.db
    names = campaigns(request)
    asked = request.query_params.get("campaign")
    campaign = asked if asked in names else (names[0] if names else "")
    text = request.query_params.get("before", "")
    before = int(text) if text.isdecimal() and len(text) < 10 else 1 << 60
    drawn, oldest, listed = labs_of(request).kept(
        ("lineage", campaign, before), lambda: lineage_svg(lab_of(request).memory.db, campaign, before)
    )
    older = db.execute("SELECT 1 FROM (" + _TRUNK + ")", {"c": campaign, "before": oldest, "rows": 1}).fetchone()
    return page(
        request, "lineage.html", "Lineage", drawing=Markup(drawn), listed=Markup(listed), campaign=campaign,
        campaigns=names, older=oldest if older else None, limited=text,
    )  # fmt: skip


ROUTES = [Route("/runs/lineage", _lineage)]
