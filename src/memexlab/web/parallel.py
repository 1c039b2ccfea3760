"""Parallel coordinates as SVG: each run a line through its settings, the metric last. Server-drawn, no script."""

from __future__ import annotations

import json
import math
import sqlite3
from html import escape

_WIDTH, _HEIGHT, _TOP, _BOTTOM, _SIDE = 1100, 340, 46, 26, 70
_MOST_RUNS, _MOST_KNOBS = 400, 8


def parallel_svg(db: sqlite3.Connection, campaign: str) -> str:
    """The knobs that took most values, and the metric, of the newest 400 runs; '' where fewer than two were moved."""
    runs = db.execute(
        "SELECT run, number, value, verdict, status FROM runs WHERE campaign = ? AND value IS NOT NULL"
        " AND role != 'final' ORDER BY number DESC LIMIT ?", (campaign, _MOST_RUNS),
    ).fetchall()  # fmt: skip
    knobs = [
        row[0]
        for row in db.execute(
            "SELECT knob FROM settings WHERE run IN (SELECT value FROM json_each(?)) GROUP BY knob"
            " HAVING count(DISTINCT value) > 1"
            " ORDER BY count(DISTINCT value) DESC, knob LIMIT ?",
            (json.dumps([run for run, *_ in runs]), _MOST_KNOBS),
        )
    ]
    if len(knobs) < 2 or len(runs) < 3:
        return ""
    [(metric, better)] = db.execute("SELECT metric, better FROM campaigns WHERE campaign = ?", (campaign,)).fetchall()
    settings = {run: dict(db.execute("SELECT knob, value FROM settings WHERE run = ?", (run,)).fetchall())
                for run, *_ in runs}  # fmt: skip
    axes = [_places([settings[run].get(knob) for run, *_ in runs]) for knob in knobs]
    values = sorted(value for _, _, value, _, _ in runs)
    # The worst tenth is drawn at the end of its axis: one bad run must not squash the others.
    far = values[int(len(values) * 0.9)] if better == "lower" else values[len(values) // 10]
    best = values[0] if better == "lower" else values[-1]
    step = (_WIDTH - 2 * _SIDE) / len(knobs)
    inner = _HEIGHT - _TOP - _BOTTOM

    def y(place: float) -> float:
        return _TOP + inner * (1 - place)

    out: list[str] = []
    named: list[float] = []
    names: list[str] = []
    for run, number, value, verdict, status in sorted(runs, key=lambda r: (r[3] == "confirmed", r[4] == "keep", r[1])):
        share = 1.0 if far == best else max(0.0, min(1.0, (far - value) / (far - best)))
        dashes = ' stroke-dasharray="4 3"' if (value > far if better == "lower" else value < far) else ""
        points = [(_SIDE + len(knobs) * step, y(share))]
        if verdict == "confirmed" and all(abs(y(share) - taken) > 13 for taken in named):
            named.append(y(share))
            names.append(f'<text x="{points[0][0] + 7:.0f}" y="{y(share) + 4:.0f}" class="n">#{number}</text>')
        for i in reversed(range(len(knobs))):
            place = axes[i][0].get(settings[run].get(knobs[i]))
            if place is not None:
                points.insert(0, (_SIDE + i * step, y(place)))
        colour = "confirmed" if verdict == "confirmed" else "provisional" if status == "keep" else "quiet"
        strength = 0.95 if colour != "quiet" else 0.16 + 0.3 * share
        width = 1.2 if colour == "quiet" else 2.2
        path = " ".join(f"{x:.0f},{v:.1f}" for x, v in points)
        out.append(
            f'<a href="/runs/{number}?campaign={escape(campaign)}"><polyline points="{path}" fill="none"'
            f'{dashes} stroke="var(--c-{colour})" stroke-width="{width}" opacity="{strength:.2f}">'
            f"<title>#{number}: {value:.6g}</title></polyline></a>"
        )
    ends = [
        *((knob, axis[1]) for knob, axis in zip(knobs, axes, strict=True)),
        (metric, (f"{far:.5g} or worse", f"{best:.5g}")),
    ]
    for i, (name, (low, high)) in enumerate(ends):
        x, bottom = _SIDE + i * step, _HEIGHT - _BOTTOM
        middle = f'<text x="{x:.0f}" text-anchor="middle"'
        out += [
            f'<line x1="{x:.0f}" x2="{x:.0f}" y1="{_TOP}" y2="{bottom}" stroke="var(--c-text)" opacity=".5"/>',
            f'{middle} y="16" font-weight="600">{escape(_short(name, 20))}</text>',
            f'{middle} y="36" fill="var(--c-quiet)">{escape(_short(high, 14))}</text>',
            f'{middle} y="{_HEIGHT - 8}" fill="var(--c-quiet)">{escape(_short(low, 18))}</text>',
        ]
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Settings and {escape(metric, quote=True)} of'
        f' {len(runs)} runs" font-size="12.5" fill="var(--c-text)" font-family="\'DejaVu Sans\',system-ui,sans-serif">'
        f"{''.join(out)}{''.join(names)}</svg>"
    )


def _places(values: list[str | None]) -> tuple[dict[str | None, float], tuple[str, str]]:
    """Where each value stands on its axis from 0 to 1, and the names of both ends."""
    known = {value for value in values if value is not None}
    try:
        order = sorted(known, key=float)
        low, high = float(order[0]), float(order[-1])
        if low > 0 and high / low >= 20:  # spread like a learning rate: by factors
            return {v: math.log(float(v) / low) / math.log(high / low) for v in order}, (order[0], order[-1])
        return {v: (float(v) - low) / (high - low or 1) for v in order}, (order[0], order[-1])
    except (ValueError, OverflowError):
        order = sorted(known)
        return {v: i / max(1, len(order) - 1) for i, v in enumerate(order)}, (order[0], order[-1])


def _short(text: str, chars: int) -> str:
    return text if len(text) <= chars else text[: chars - 1] + "…"
