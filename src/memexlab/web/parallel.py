"""Parallel coordinates as SVG: each run a line through its settings, the metric last. Server-drawn, no script."""

from __future__ import annotations

import math
import sqlite3
from html import escape

from ..memory import Memory
from ..memory.changes.names import read_number

_HEIGHT, _TOP, _BOTTOM, _SIDE = 340, 46, 26, 70
_MOST_RUNS = 400


def parallel_svg(memory: Memory, campaign: str, width: int = 1100, most: int = 8) -> str:
    """The knobs that took most values, and the metric, of the newest 400 runs; '' where fewer than two were moved."""
    db = memory.db
    runs = db.execute(
        "SELECT run, number, value, verdict, status FROM runs WHERE campaign = ? AND value IS NOT NULL"
        " AND role != 'final' ORDER BY number DESC LIMIT ?", (campaign, _MOST_RUNS),
    ).fetchall()  # fmt: skip
    read = "SELECT knob, value FROM settings WHERE run = ?"
    settings = {run: dict(db.execute(read, (run,)).fetchall()) for run, *_ in runs}
    if not any(settings.values()):
        settings = told_settings(db, campaign, [run for run, *_ in reversed(runs)])
    values_of: dict[str, set[str]] = {}
    for of_run in settings.values():
        for knob, value in of_run.items():
            values_of.setdefault(knob, set()).add(value)
    moved = sorted((-len(values), knob) for knob, values in values_of.items() if len(values) > 1)
    knobs = [knob for _, knob in moved[:most]]
    if len(knobs) < 2 or len(runs) < 3:
        return ""
    [(metric, better)] = db.execute("SELECT metric, better FROM campaigns WHERE campaign = ?", (campaign,)).fetchall()
    axes = [_places([settings[run].get(knob) for run, *_ in runs]) for knob in knobs]
    values = sorted(value for _, _, value, _, _ in runs)
    # The worst tenth is drawn at the end of its axis: one bad run must not squash the others.
    far = values[int(len(values) * 0.9)] if better == "lower" else values[len(values) // 10]
    best = values[0] if better == "lower" else values[-1]
    step = (width - 2 * _SIDE) / len(knobs)
    inner = _HEIGHT - _TOP - _BOTTOM

    def y(place: float) -> float:
        return _TOP + inner * (1 - place)

    out: list[str] = []
    wins: list[tuple[int, float, int]] = []
    sign = 1 if better == "lower" else -1
    # The best are drawn last, over the others; of those that won, the best take the room for a name first.
    ranks = {run: i for i, (run, *_) in enumerate(sorted(runs, key=lambda r: (r[3] != "confirmed", sign * r[2])))}
    for run, number, value, verdict, status in sorted(
        runs, key=lambda r: (r[3] == "confirmed", r[4] == "keep", -ranks[r[0]])
    ):
        share = 1.0 if far == best else max(0.0, min(1.0, (far - value) / (far - best)))
        dashes = ' stroke-dasharray="4 3"' if (value > far if better == "lower" else value < far) else ""
        points = [(_SIDE + len(knobs) * step, y(share))]
        if verdict == "confirmed" or status == "keep":
            wins.append((ranks[run], y(share), number))
        for i in reversed(range(len(knobs))):
            place = axes[i][0].get(settings[run].get(knobs[i]))
            if place is not None:
                points.insert(0, (_SIDE + i * step, y(place)))
        colour = "confirmed" if verdict == "confirmed" else "provisional" if status == "keep" else "quiet"
        strength = 0.95 if colour != "quiet" else 0.16 + 0.3 * share
        thick = 1.2 if colour == "quiet" else 2.2
        path = " ".join(f"{x:.0f},{v:.1f}" for x, v in points)
        out.append(
            f'<a href="/runs/{number}?campaign={escape(campaign)}" aria-label="run {number}, {value:.6g}" tabindex="'
            f'{0 if verdict == "confirmed" else -1}"><polyline points="{path}" fill="none"'
            f'{dashes} stroke="var(--c-{colour})" stroke-width="{thick}" opacity="{strength:.2f}">'
            f"<title>#{number}: {value:.6g}</title></polyline></a>"
        )
    names: dict[float, str] = {}
    for _, at, number in sorted(wins):
        if all(abs(at - taken) > 13 for taken in names):
            names[at] = f'<text x="{_SIDE + len(knobs) * step + 7:.0f}" y="{at + 4:.0f}" class="n">#{number}</text>'
    ends = [
        *((knob, axis[1]) for knob, axis in zip(knobs, axes, strict=True)),
        (metric, (f"{far:.5g} or worse", f"{best:.5g}")),
    ]
    for i, (name, (low, high)) in enumerate(ends):
        x, bottom = _SIDE + i * step, _HEIGHT - _BOTTOM
        middle = f'<text x="{x:.0f}" text-anchor="middle"'
        out += [
            f'<line x1="{x:.0f}" x2="{x:.0f}" y1="{_TOP}" y2="{bottom}" stroke="var(--c-text)" opacity=".5"/>',
            f'{middle} y="16" font-weight="600">{escape(_short(name, int(step / 8.4)))}</text>',
            f'{middle} y="36" fill="var(--c-quiet)">{escape(_short(high, 14))}</text>',
            f'{middle} y="{_HEIGHT - 8}" fill="var(--c-quiet)">{escape(_short(low, 18))}</text>',
        ]
    return (
        f'<svg viewBox="0 0 {width} {_HEIGHT}" role="group" aria-label="Settings and {escape(metric, quote=True)} of'
        f' {len(runs)} runs" font-size="12.5" fill="var(--c-text)" font-family="\'DejaVu Sans\',system-ui,sans-serif">'
        f"{''.join(out)}{''.join(names.values())}</svg>"
    )


def told_settings(db: sqlite3.Connection, campaign: str, runs: list[int]) -> dict[int, dict[str, str]]:
    """What a log without settings tells of them by its changes: those of the best run then, and what a run changed."""
    found: dict[int, dict[str, str]] = {}
    base: dict[str, str] = {}
    reigns = {run for (run,) in db.execute("SELECT run FROM champions WHERE campaign = ?", (campaign,))}
    first: dict[str, str] = {}
    for run in sorted({*runs, *reigns}):
        changes = db.execute("SELECT knob, old, new FROM changes WHERE run = ? AND new IS NOT NULL", (run,)).fetchall()
        own = {knob: new for knob, _, new in changes if read_number(new)}
        first = {knob: old for knob, old, _ in changes if old is not None} | first
        found[run] = base | own
        base = found[run] if run in reigns else base
    return {run: {knob: first[knob] for knob in first} | found[run] for run in runs}


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
