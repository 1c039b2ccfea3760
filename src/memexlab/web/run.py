"""A run's page: what was tried and why, its patch, what it measured against whom, its log, and what came of it."""

from __future__ import annotations

import math
import sqlite3
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ..commands.decisions import campaign_of, is_done
from ..lab.evidence.packets import ranked
from ..lab.execution.curves import curve_in
from ..lab.execution.sandbox import MEANING
from ..lab.report.agenda import TITLES
from ..lab.wording import Amounts, plural, run_numbers, sigmas
from ..ledger import OutsideError
from ..memory.effects.noise import fresh_means, gain_of, noise_floor, races_of
from .diffs import rows as diff_rows
from .labs import lab_of, rows_of
from .parallel import told_settings
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
        db, "SELECT r.number, r.role, r.description, r.status, r.verdict, r.value, r.error FROM refs f JOIN runs r"
        " ON r.run = f.seq WHERE f.target = ? AND f.role IN ('parent', 'tests') GROUP BY r.run"
        " ORDER BY r.number LIMIT 60", run["id"],
    )  # fmt: skip
    judged = rows_of(db, "SELECT * FROM verdicts WHERE run = ? ORDER BY seq", position)
    # A win reigns from its own number on, and was not champion yet while it was judged: the verdict says who was.
    said = "SELECT * FROM runs WHERE run = ? AND (role = 'baseline' OR run IN (SELECT run FROM champions))"
    reign = ((judged and rows_of(db, said, judged[-1]["champion"])) or reign) if run["role"] == "candidate" else []
    [campaign_row] = rows_of(db, "SELECT * FROM campaigns WHERE campaign = ?", campaign)
    packet = next((p for p in ranked(db, campaign, [run["number"]]) if not is_done(lab.memory, p)), None)
    logs = [_text(request, at, "log") for at in (position, reign[0]["run"] if reign else -1)]
    near = "SELECT {}(number) AS number FROM runs WHERE campaign = ? AND number {} ?"
    beside = [rows_of(db, near.format(*way), campaign, run["number"])[0] for way in (("max", "<"), ("min", ">"))]
    return page(
        request, "run.html", f"Run {run['number']}", run=run, campaign=campaign, terms=campaign_row, beside=beside,
        parent=parent[0] if parent else None, champion=reign[0] if reign else None, children=children, judged=judged,
        packet=packet, asks=TITLES, walls=MEANING.get(run["isolation"], ""),
        settings=_settings(db, campaign, [position, *[r["run"] for r in (*parent, *reign)]]),
        changes=rows_of(db, "SELECT * FROM changes WHERE run = ?", position),
        metrics=rows_of(db, "SELECT name, value FROM metrics WHERE run = ? ORDER BY name", position),
        doubts=rows_of(db, "SELECT path, retracted FROM doubted WHERE run = ? AND kind = 'run'", position),
        diff=diff_rows(_text(request, position, "diff")), log=_text(request, position, "log")[-_LOG_TAIL_BYTES:],
        if_retracted=_if_retracted(db, run, campaign_row), now=_known_now(db, run, campaign_row),
        curves=[curves_svg(logs[0], logs[1], width) for width in (1000, 420)], told=not _recorded(db, position),
    )  # fmt: skip


def curves_svg(mine: str, champions: str, width: int = 1000) -> Markup:
    """The progress that two logs print, from a tenth of the budget on; '' where the first prints too little."""
    across = width - 80
    curves = [[p for p in curve_in(log) if p[0] >= 0.1 and math.isfinite(p[1])] for log in (mine, champions)]
    if len(curves[0]) < 3:
        return Markup("")
    values = [value for curve in curves for _, value in curve]
    top, reach = max(values), (max(values) - min(values)) or 1.0
    told = "at the end " + ", the champion ".join(f"{curve[-1][1]:.4g}" for curve in curves if curve)
    drawn = [
        " ".join(f"{70 + across * x:.0f},{12 + 186 * (top - v) / reach:.0f}" for x, v in curve) for curve in curves
    ]
    ends = ((12, top, "end", 62), (198, top - reach, "end", 62))
    axis = "".join(f'<text x="{x}" y="{y + 5}" text-anchor="{at}">{value:.4g}</text>' for y, value, at, x in ends)
    axis += "".join(
        f'<text x="{70 + across * x:.0f}" y="220" text-anchor="middle">{x:.0%}</text>' for x in (0.1, 0.5, 0.95)
    )
    return Markup(
        f'<svg viewBox="0 0 {width} 226" role="img" aria-label="Progress: {told}" fill="none" font-size="14">'
        f'<path d="M70 12V198H{width - 10}" stroke="var(--c-quiet)"/><g fill="var(--c-quiet)">{axis}</g>'
        f'<polyline stroke="var(--c-quiet)" stroke-dasharray="6 5" points="{drawn[1]}"/>'
        f'<polyline stroke="var(--c-confirmed)" stroke-width="2.5" points="{drawn[0]}"/>'
        f'<text x="{width - 20}" y="24" text-anchor="end" fill="var(--c-text)">{told}</text></svg>'
    )


def _recorded(db: sqlite3.Connection, run: int) -> bool:
    return db.execute("SELECT 1 FROM settings WHERE run = ? LIMIT 1", (run,)).fetchone() is not None


def _settings(db: sqlite3.Connection, campaign: str, positions: list[int]) -> list[tuple[str, list[str], bool]]:
    """Knob, its value in each of the runs, and whether they differ; those that differ first. Of a log without settings
    what its changes tell."""
    each = [dict(db.execute("SELECT knob, value FROM settings WHERE run = ?", (at,)).fetchall()) for at in positions]
    if not any(each):
        of_changes = told_settings(db, campaign, positions)
        each = [of_changes[at] for at in positions]
    names = sorted({name for one in each for name in one})
    told = [(name, [one.get(name) or "" for one in each]) for name in names]
    rows = [(name, values, len(set(values)) > 1) for name, values in told]
    return sorted(rows, key=lambda row: not row[2])


def _known_now(db: sqlite3.Connection, run: dict[str, Any], terms: dict[str, Any]) -> str:
    """What a judged run gained by all that is known today, as report and effects say it, and what it is worth."""
    noise = noise_floor(db, run["campaign"])
    amounts, told = Amounts.of(terms["unit"] or terms["metric"], noise.sigma), ""
    if (again := fresh_means(db, run["campaign"]).get(run["commit_id"])) and run["role"] == "candidate":
        told = f"Its value is that of one run; the mean of {plural(again[1], 'fresh run')} is {again[0]:.6g}. "
    gain, pairs, basis, against = db.execute(
        "SELECT max(m.gain), max(m.pairs), max(m.basis), a.number FROM measurements m JOIN runs a ON a.run = m.against"
        " WHERE m.run = ?", (run["run"],),
    ).fetchone()  # fmt: skip
    if gain is None or not run["verdict"]:
        return told
    seen = "one run" if not pairs else plural(pairs, "fresh pair" if basis == "pairs" else "fresh run")
    size = f", {sigmas(gain, noise.sigma)}" if noise.known and noise.sigma else ""
    return f"{told}By all that is known now: {amounts.signed(gain)} {amounts.unit} over run {against} in {seen}{size}."


def _if_retracted(db: sqlite3.Connection, run: dict[str, Any], terms: dict[str, Any]) -> str:
    """What a retraction would put in doubt, compare with another run, or make champion again."""
    below = (
        "WITH RECURSIVE below(run) AS (SELECT ? UNION SELECT f.seq FROM below b JOIN runs r USING (run) JOIN refs f ON"
        " f.target = r.id AND f.role = 'parent') SELECT number FROM runs JOIN below USING (run) WHERE role ="
        " 'candidate' AND run != ? ORDER BY number"
    )
    falls = [number for (number,) in db.execute(below, (run["run"], run["run"]))]
    told = [f"{plural(len(falls), 'run')} made from it would be in doubt ({run_numbers(falls)})."] if falls else []
    beside = "SELECT DISTINCT r.number FROM measurements m JOIN runs r USING (run) WHERE m.against = ? ORDER BY 1"
    other = [number for (number,) in db.execute(beside, (run["run"],)) if number not in falls]
    told += [f"{plural(len(other), 'run')} would be compared with another one ({run_numbers(other)})."] if other else []
    reigns = db.execute(
        "SELECT r.number, c.run FROM champions c JOIN runs r USING (run) WHERE c.campaign = ? ORDER BY c.since DESC",
        (run["campaign"],),
    ).fetchall()
    if reigns and reigns[0][1] == run["run"] and len(reigns) > 1:
        later = "" if terms["origin"] == "lab" else ", or what was kept after it"
        told.append(f"It is the champion: run {reigns[1][0]} would be that again{later}.")
    return " ".join(told) or "Nothing rests on it."


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
    better, races, fresh = terms["better"], races_of(db, campaign), fresh_means(db, campaign)
    for run in runs:
        run["level"], run["fresh"] = fresh.get(run["commit_id"], (run["value"], 0))

    def gain(one: dict[str, Any], other: dict[str, Any]) -> tuple[float, str] | None:
        """How much better one is than another: side by side where they raced, else as their means or values say."""
        commits = one["commit_id"], other["commit_id"]
        pairs = [pair for pair in races.get(tuple(sorted(commits)), []) if math.isfinite(sum(pair))]
        if pairs:
            mean = math.fsum(gain_of(*pair, better) for pair in pairs) / len(pairs)
            return mean if commits[0] < commits[1] else -mean, plural(len(pairs), "fresh pair")
        if one["level"] is None or other["level"] is None:
            return None
        both = sum(bool(side["fresh"]) for side in (one, other))
        how = ("one run each", "a mean against one run", "mean against mean")[both]
        return gain_of(one["level"], other["level"], better), how

    lost = [
        [told for other in runs if (told := gain(run, other)) and told[0] < 0 and "pair" in told[1]] for run in runs
    ]
    stand = [run for run, beaten in zip(runs, lost, strict=True) if run["level"] is not None and not beaten]
    best = max(stand, key=lambda run: gain_of(run["level"], 0.0, better), default=None)
    metrics = [
        dict(db.execute("SELECT name, value FROM metrics WHERE run = ?", (run["run"],)).fetchall()) for run in runs
    ]
    return page(
        request, "compare.html", "Compare", runs=runs, campaign=campaign, wanted=" ".join(map(str, wanted)),
        settings=_settings(db, campaign, [run["run"] for run in runs]), metrics=metrics, terms=terms,
        told=not any(_recorded(db, run["run"]) for run in runs), best=best and best["number"],
        gains=[None, *(gain(run, runs[0]) for run in runs[1:])],
        names=sorted({name for one in metrics for name in one} - {terms["metric"]}),
    )  # fmt: skip


ROUTES = [
    Route("/runs/compare", _compare),
    Route("/runs/{number:str}/log", _log),
    Route("/runs/{number:str}", _run),
]
