"""A run's page: what was tried and why, its patch, what it measured against whom, its log, and what came of it."""

from __future__ import annotations

import math
import sqlite3
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ..commands.deciding import campaign_of
from ..lab.agenda import TITLES
from ..lab.curves import curve_in
from ..lab.packets import ranked
from ..lab.sandbox import MEANING
from ..ledger import OutsideError
from .diffs import rows as diff_rows
from .labs import lab_of, rows_of
from .rendering import page

_LOG_TAIL_BYTES = 6_000
_COMPARED = 6


def _number(request: Request) -> int:
    text = request.path_params["number"]
    return int(text) if text.isdecimal() and len(text) < 10 else -1


def _run(request: Request) -> Response:
    lab = lab_of(request)
    db = lab.memory.db
    campaign = campaign_of(lab.memory, request.query_params.get("campaign"))
    found = rows_of(db, "SELECT * FROM runs WHERE campaign = ? AND number = ?", campaign, _number(request))
    if not found:
        text = f"Campaign {campaign} has no run {request.path_params['number']}."
        return page(request, "error.html", "No such run", 404, text=text)
    run = found[-1]
    position = run["run"]
    parent = rows_of(db, "SELECT * FROM runs WHERE run = ?", run["parent"])
    reign = rows_of(
        db, "SELECT r.* FROM champions c JOIN runs r USING (run) WHERE c.campaign = ? AND c.since < ?"
        " ORDER BY c.since DESC LIMIT 1", campaign, run["number"],
    )  # fmt: skip
    children = rows_of(
        db, "SELECT r.number, r.role, r.description, r.status, r.verdict, r.value FROM refs f JOIN runs r"
        " ON r.run = f.seq WHERE f.target = ? AND f.role = 'parent' ORDER BY r.number LIMIT 60", run["id"],
    )  # fmt: skip
    judged = rows_of(db, "SELECT * FROM verdicts WHERE run = ? ORDER BY seq", position)
    [campaign_row] = rows_of(db, "SELECT * FROM campaigns WHERE campaign = ?", campaign)
    packet = next(iter(ranked(db, campaign, [run["number"]])), None)
    near = "SELECT {}(number) AS number FROM runs WHERE campaign = ? AND number {} ?"
    beside = [rows_of(db, near.format(*way), campaign, run["number"])[0] for way in (("max", "<"), ("min", ">"))]
    return page(
        request, "run.html", f"Run {run['number']}", run=run, campaign=campaign, terms=campaign_row, beside=beside,
        parent=parent[0] if parent else None, champion=reign[0] if reign else None, children=children, judged=judged,
        packet=packet, asks=TITLES, walls=MEANING.get(run["isolation"], ""),
        settings=_settings(db, [position, *[r["run"] for r in (*parent, *reign)]]),
        changes=rows_of(db, "SELECT * FROM changes WHERE run = ?", position),
        metrics=rows_of(db, "SELECT name, value FROM metrics WHERE run = ? ORDER BY name", position),
        doubts=rows_of(db, "SELECT path, retracted FROM doubted WHERE run = ? AND kind = 'run'", position),
        diff=diff_rows(_text(request, position, "diff")), log=_text(request, position, "log")[-_LOG_TAIL_BYTES:],
        falls=_what_falls(db, position),
        curves=curves_svg(*(_text(request, at, "log") for at in (position, reign[0]["run"] if reign else -1))),
    )  # fmt: skip


def curves_svg(mine: str, champions: str) -> Markup:
    """The progress that two logs print, from a tenth of the budget on; '' where the first prints too little."""
    curves = [[p for p in curve_in(log) if p[0] >= 0.1 and math.isfinite(p[1])] for log in (mine, champions)]
    if len(curves[0]) < 3:
        return Markup("")
    values = [value for curve in curves for _, value in curve]
    top, reach = max(values), (max(values) - min(values)) or 1.0
    told = "at the end " + ", the champion ".join(f"{curve[-1][1]:.4g}" for curve in curves if curve)
    drawn = [" ".join(f"{10 + 980 * x:.0f},{12 + 196 * (top - v) / reach:.0f}" for x, v in curve) for curve in curves]
    return Markup(
        '<svg viewBox="0 0 1000 220" role="img" aria-label="Progress" fill="none"><polyline stroke="var(--c-quiet)"'
        f' stroke-dasharray="6 5" points="{drawn[1]}"/><polyline stroke="var(--c-confirmed)" stroke-width="2.5"'
        f' points="{drawn[0]}"/><text x="10" y="210" font-size="14" fill="var(--c-text)">{told}</text></svg>'
    )


def _settings(db: sqlite3.Connection, positions: list[int]) -> list[tuple[str, list[str], bool]]:
    """Knob, its value in each of the runs, and whether they differ; those that differ first."""
    each = [dict(db.execute("SELECT knob, value FROM settings WHERE run = ?", (at,)).fetchall()) for at in positions]
    names = sorted({name for one in each for name in one})
    told = [(name, [one.get(name) or "" for one in each]) for name in names]
    rows = [(name, values, len(set(values)) > 1) for name, values in told]
    return sorted(rows, key=lambda row: not row[2])


def _what_falls(db: sqlite3.Connection, position: int) -> list[dict[str, Any]]:
    """Runs that descend from this one: what a retraction would put in doubt."""
    return rows_of(
        db, "WITH RECURSIVE below(run) AS (SELECT ? UNION SELECT f.seq FROM below b JOIN runs r USING (run) JOIN refs f"
        " ON f.target = r.id AND f.role = 'parent') SELECT number, description, verdict, status FROM runs JOIN below"
        " USING (run) WHERE role = 'candidate' AND run != ? ORDER BY number LIMIT 200", position, position,
    )  # fmt: skip


def _text(request: Request, position: int, role: str) -> str:
    lab = lab_of(request)
    row = lab.memory.db.execute("SELECT target FROM refs WHERE seq = ? AND role = ?", (position, role)).fetchone()
    if row is None:
        return ""
    try:
        return lab.memory.blobs.get(row[0]).decode("utf-8", errors="replace")
    except OutsideError as error:
        return str(error)


def _log(request: Request) -> Response:
    lab = lab_of(request)
    campaign = campaign_of(lab.memory, request.query_params.get("campaign"))
    row = lab.memory.db.execute(
        "SELECT run FROM runs WHERE campaign = ? AND number = ?", (campaign, _number(request))
    ).fetchone()
    return PlainTextResponse(_text(request, row[0], "log") if row else "", 200 if row else 404)


def _compare(request: Request) -> Response:
    """Any runs side by side: values, settings that differ, and the rest behind a fold."""
    lab = lab_of(request)
    db = lab.memory.db
    campaign = campaign_of(lab.memory, request.query_params.get("campaign"))
    words = " ".join(request.query_params.getlist("runs")).replace(",", " ")
    wanted = [int(word) for word in words.split() if word.isdecimal() and len(word) < 10]
    runs = []
    for number in wanted[:_COMPARED]:
        runs += rows_of(db, "SELECT * FROM runs WHERE campaign = ? AND number = ?", campaign, number)[-1:]
    [terms] = rows_of(db, "SELECT * FROM campaigns WHERE campaign = ?", campaign)
    sign = 1 if terms["better"] == "lower" else -1
    metrics = [
        dict(db.execute("SELECT name, value FROM metrics WHERE run = ?", (run["run"],)).fetchall()) for run in runs
    ]
    return page(
        request, "compare.html", "Compare", runs=runs, campaign=campaign, wanted=" ".join(map(str, wanted)),
        settings=_settings(db, [run["run"] for run in runs]), metrics=metrics, terms=terms, sign=sign,
        best=max((run["value"] for run in runs if run["value"] is not None), key=lambda v: -sign * v, default=None),
        names=sorted({name for one in metrics for name in one} - {terms["metric"]}),
    )  # fmt: skip


ROUTES = [
    Route("/runs/compare", _compare),
    Route("/runs/{number:str}/log", _log),
    Route("/runs/{number:str}", _run),
]
