"""Draws the progress of a campaign as SVG by hand, and any SVG as PNG. Knows points, steps and noise, no database.

Colour and shape both say what became of a run, so the picture also reads without colour. Values far outside the rest
are shown at the rim with an arrow: one bad run must not squash the picture, and must not vanish from it either.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from .axes import (
    MARKS,
    Chart,
    Frame,
    Mark,
    Point,
    Step,
    Theme,
    colour_variables,
    colours,
    drawable,
    finite,
    greedy_best,
    greedy_differs,
    limits,
    tick_text,
    ticks,
)
from .placing import BOLD, Box, Placed, Placer, shorten, text_width

__all__ = ["Chart", "Mark", "Point", "Step", "colour_variables", "interval_svg", "progress_svg", "svg_to_png"]

_EACH_WITH_TITLE_UP_TO = 240
_FONTS = Path(__file__).parent / "fonts"


def progress_svg(
    chart: Chart, *, width: int = 1200, height: int = 600, theme: Theme = "page", heading: Sequence[str] = ()
) -> str:
    """The picture; below 700 wide it is laid out for a phone. `heading` lines go on top, the first one large."""
    chart = drawable(chart)
    narrow = width < 700
    size = 12.0 if narrow else 13.0
    colour = colours(theme)
    out: list[str] = []
    top = _heading(out, heading, width, colour)
    numbers = sum(1 for p in chart.points if p.mark == "failed" or not finite(p.value))
    top = _legend(out, chart, 14.0, top + 8, width - 14.0, size, colour)
    lane = 22.0 if numbers else 0.0
    ruler = 52.0 if chart.ruler and chart.band else 14.0
    low, high = limits(chart)
    values, decimals = ticks(low, high, 5 if narrow else 7)
    widest = max(text_width(text, size) for text in ["failed", *(tick_text(v, decimals) for v in values)])
    left = 16 + widest
    plot = Box(left, top + 30, width - ruler, height - 34 - lane)
    frame = Frame(chart, plot, plot.bottom + lane / 2 + 3)
    _axes(out, chart, frame, values, decimals, size, colour, narrow)
    if not chart.steps and not any(finite(p.value) for p in chart.points):
        words = "No run has given a number yet." if chart.points else "No runs yet. The first dots land here."
        middle = (plot.left + plot.right) / 2, (plot.top + plot.bottom) / 2
        _text(out, *middle, words, size + 2, colour["quiet"], "middle")
    if chart.ruler and chart.band and chart.steps:
        _ruler(out, chart, frame, size, colour)
    ink = _line(out, chart, frame, size, colour)
    ink += _dots(out, chart, frame, colour)
    _names(out, chart, frame, size, colour, ink, narrow)
    label = escape(f"Progress of {len(chart.points)} runs; {chart.axis}, {chart.better} is better", quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{label}" '
        f"font-family=\"'DejaVu Sans',system-ui,sans-serif\">"
        f'<rect width="{width}" height="{height}" fill="{colour["paper"]}"/>{"".join(out)}</svg>'
    )


def svg_to_png(svg: str, width: int = 1800) -> bytes:
    """Rasterises with the fonts of this package; a text in another script falls back to the fonts of the machine."""
    import resvg_py

    files = [str(_FONTS / name) for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")]
    foreign = any(ord(char) > 0x2E7F or 0x460 <= ord(char) < 0x1E00 for char in svg)
    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg, width=width, font_files=files, font_family="DejaVu Sans",
            sans_serif_family="DejaVu Sans", skip_system_fonts=not foreign,
        )
    )  # fmt: skip


def interval_svg(low: float, gain: float, high: float, reach: float, mark: Mark) -> str:
    """A small bar: the interval of a gain around its middle, zero as a line, scaled so that `reach` fits each way."""
    reach = reach if reach > 0 and math.isfinite(reach) else 1.0

    def x(value: float) -> float:
        return 65 + 60 * min(1.0, max(-1.0, value / reach))

    colour = f"var(--c-{mark})"
    return (
        '<svg class="interval" viewBox="0 0 130 16" width="130" height="16" aria-hidden="true">'
        f'<path d="M65 0V16" stroke="var(--c-quiet)" stroke-dasharray="2 2"/>'
        f'<path d="M{x(low):.1f} 8H{x(high):.1f}" stroke="{colour}" stroke-width="3" stroke-linecap="round"/>'
        f'<circle cx="{x(gain):.1f}" cy="8" r="4.5" fill="{colour}"/></svg>'
    )


# --- parts of the picture


def _text(
    out: list[str], x: float, y: float, text: str, size: float, fill: str, anchor: str = "start", extra: str = ""
) -> None:
    out.append(
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{fill}" text-anchor="{anchor}"{extra}>'
        f"{escape(text, quote=False)}</text>"
    )


def _heading(out: list[str], lines: Sequence[str], width: int, colour: dict[str, str]) -> float:
    y = 8.0
    for i, line in enumerate(lines):
        size, limit = (21.0, (width - 40) / BOLD) if i == 0 else (14.5, width - 40.0)
        for part in _wrapped(line, size, limit)[: 3 if i == 0 else 1]:
            y += size * 1.42
            bold = ' font-weight="bold"' if i == 0 else ""
            _text(out, 18, y, part, size, colour["text" if i == 0 else "quiet"], extra=bold)
    return y + 8 if lines else 4.0


def _wrapped(text: str, size: float, limit: float) -> list[str]:
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(joined, size) > limit:
            lines.append(word)
        else:
            lines[-1] = joined
    return [
        line if text_width(line, size) <= limit else shorten(line, max(8, int(limit / size / 0.8))) for line in lines
    ]


def _legend(
    out: list[str], chart: Chart, left: float, top: float, right: float, size: float, colour: dict[str, str]
) -> float:
    """Every mark that occurs, with its count; returns where the plot may begin."""
    counts: dict[Mark, int] = {}
    for point in chart.points:
        counts[point.mark] = counts.get(point.mark, 0) + 1
    x, y = left, top + 10
    items = [(mark, f"{words} {counts[mark]:,}") for mark, words in MARKS.items() if counts.get(mark)]
    for mark, words in items:
        width = 20 + text_width(words, size) + 14
        if x + width > right and x > left:
            x, y = left, y + 20
        out.append(_shape(mark, x + 8, y - 4, 4.5, colour))
        _text(out, x + 20, y, words, size, colour["text"])
        x += width
    greedy = greedy_best(chart)
    if len(greedy) > 1 and greedy_differs(greedy, chart):
        words = "best single run so far"
        if x + 30 + text_width(words, size) > right:
            x, y = left, y + 20
        out.append(f'<path d="M{x:.1f} {y - 4:.1f}h24" stroke="{colour["quiet"]}" stroke-dasharray="5 4"/>')
        _text(out, x + 30, y, words, size, colour["text"])
    return y + 6


def _axes(
    out: list[str],
    chart: Chart,
    frame: Frame,
    values: Sequence[float],
    decimals: int,
    size: float,
    colour: dict[str, str],
    narrow: bool,
) -> None:
    plot = frame.plot
    for value in values if chart.steps or any(finite(p.value) for p in chart.points) else ():
        y = frame.y(value)
        out.append(f'<path d="M{plot.left:.1f} {y:.1f}H{plot.right:.1f}" stroke="{colour["grid"]}"/>')
        _text(out, plot.left - 8, y + size * 0.35, tick_text(value, decimals), size, colour["quiet"], "end")
    arrow = "↓" if chart.better == "lower" else "↑"
    name = f"{shorten(chart.axis, 26 if narrow else 60)}  {arrow} {chart.better} is better"
    _text(out, 14, plot.top - 12, name, size, colour["quiet"])
    if chart.band and chart.steps:
        words = f"band: {chart.band_name}"
        x = plot.right - text_width(words, size) - 24
        if x > 14 + text_width(name, size) + 20:
            out.append(
                f'<rect x="{x:.1f}" y="{plot.top - 22:.1f}" width="18" height="11" rx="2" '
                f'fill="{colour["confirmed"]}" fill-opacity=".2"/>'
            )
            _text(out, plot.right, plot.top - 12, words, size, colour["quiet"], "end")
    span = frame.last - frame.first
    parts = 4 if narrow else 9
    numbers = [frame.first] if span == 0 else sorted({round(v) for v in ticks(frame.first, frame.last, parts)[0]})
    for number in numbers if chart.points else ():
        _text(out, frame.x(number), plot.bottom + (frame.lane - plot.bottom) * 2 + 18, f"{number:,}", size,
              colour["quiet"], "middle")  # fmt: skip
    if chart.points:
        _text(
            out, plot.left - 8, plot.bottom + (frame.lane - plot.bottom) * 2 + 18, "run", size, colour["quiet"], "end"
        )
    if chart.new_from is not None and chart.new_from > frame.first:
        x = (frame.x(chart.new_from) + frame.x(chart.new_from - 1)) / 2
        out.append(f'<rect x="{plot.left:.1f}" y="{plot.top:.1f}" width="{x - plot.left:.1f}" '
                   f'height="{plot.bottom - plot.top:.1f}" fill="{colour["grid"]}" fill-opacity=".35"/>')  # fmt: skip
        fits = x + 5 + text_width("new from here", size) < plot.right
        place = (x + 5, "start") if fits else (x - 5, "end")
        _text(out, place[0], plot.top + size, "new from here", size, colour["quiet"], place[1])
    if any(not finite(p.value) for p in chart.points):
        y = plot.bottom + 3
        out.append(f'<rect x="{plot.left:.1f}" y="{y:.1f}" width="{plot.right - plot.left:.1f}" '
                   f'height="{(frame.lane - y) * 2:.1f}" fill="{colour["failed"]}" fill-opacity=".07"/>')  # fmt: skip
        _text(out, plot.left - 8, frame.lane + size * 0.35, "failed", size, colour["failed"], "end")


def _ruler(out: list[str], chart: Chart, frame: Frame, size: float, colour: dict[str, str]) -> None:
    """How many sigma better than the baseline a height is, at the right side."""
    plot, base = frame.plot, chart.steps[0].level
    sign = -1.0 if chart.better == "lower" else 1.0
    edges = sorted(sign * (v - base) / chart.band for v in (frame.low, frame.high))
    if not all(map(math.isfinite, edges)):
        return
    x = plot.right + 6
    out.append(f'<path d="M{x:.1f} {plot.top:.1f}V{plot.bottom:.1f}" stroke="{colour["quiet"]}"/>')
    values, decimals = ticks(edges[0], edges[1], 7)
    for value in values:
        y = frame.y(base + sign * value * chart.band)
        out.append(f'<path d="M{x:.1f} {y:.1f}h5" stroke="{colour["quiet"]}"/>')
        _text(
            out,
            x + 8,
            y + size * 0.35,
            f"{value:+.{decimals}f}".replace("-", "−") if value else "0",
            size - 1,
            colour["quiet"],
        )
    _text(out, plot.right + 46, plot.top - 12, chart.ruler, size - 1, colour["quiet"], "end")


def _line(out: list[str], chart: Chart, frame: Frame, size: float, colour: dict[str, str]) -> list[tuple[float, float]]:
    """Noise band, champion and greedy best; returns where there is ink."""
    plot, ink = frame.plot, []
    ends = [*(frame.x(step.since) for step in chart.steps[1:]), plot.right][: len(chart.steps)]
    path, band = "", ""
    for i, (step, end) in enumerate(zip(chart.steps, ends, strict=True)):
        start = frame.x(step.since) if i else plot.left
        y = min(plot.bottom, max(plot.top, frame.y(step.level)))
        path += f"{'L' if path else 'M'}{start:.1f} {y:.1f}H{end:.1f}"
        top, bottom = frame.y(step.level + chart.band), frame.y(step.level - chart.band)
        top, bottom = max(plot.top, top), min(plot.bottom, bottom)
        if chart.band and bottom > top:
            band += f"M{start:.1f} {top:.1f}H{end:.1f}V{bottom:.1f}H{start:.1f}Z"
        if not frame.rim(step.level):
            ink += [(start + k * 6, y) for k in range(int((end - start) / 6))]
    if band:
        out.append(f'<path d="{band}" fill="{colour["confirmed"]}" fill-opacity=".15"/>')
    greedy = greedy_best(chart)
    if len(greedy) > 1 and greedy_differs(greedy, chart):
        dashed = ""
        for i, (number, value) in enumerate(greedy):
            y = min(plot.bottom, max(plot.top, frame.y(value)))
            end = frame.x(greedy[i + 1][0]) if i + 1 < len(greedy) else plot.right
            dashed += f"{'L' if dashed else 'M'}{frame.x(number):.1f} {y:.1f}H{end:.1f}"
        out.append(f'<path d="{dashed}" fill="none" stroke="{colour["quiet"]}" stroke-dasharray="5 4"/>')
        ink += _along_steps(greedy, frame)
    if path:
        out.append(f'<path d="{path}" fill="none" stroke="{colour["confirmed"]}" stroke-width="2.2" '
                   'stroke-linejoin="round"/>')  # fmt: skip
    return ink


def _along_steps(greedy: Sequence[tuple[int, float]], frame: Frame) -> list[tuple[float, float]]:
    ends = [*(frame.x(number) for number, _ in greedy[1:]), frame.plot.right]
    places = []
    for (number, value), end in zip(greedy, ends, strict=True):
        if not frame.rim(value):
            start, y = frame.x(number), frame.y(value)
            places += [(start + k * 6, y) for k in range(int((end - start) / 6))]
    return places


def _shape(mark: Mark, x: float, y: float, r: float, colour: dict[str, str], title: str = "") -> str:
    hint = f"<title>{escape(title, quote=False)}</title>" if title else ""
    fill, stroke = colour[mark], colour["paper"]
    d, filled = _outline(mark, r)
    style = (
        f'fill="{fill}" stroke="{stroke}" stroke-width=".8"'
        if filled
        else f'fill="none" stroke="{fill}" stroke-width="{max(1.1, r * 0.36):.1f}"'
    )
    return (
        f'<path d="M{x:.1f} {y:.1f}{d}" {style}>{hint}</path>' if hint else f'<path d="M{x:.1f} {y:.1f}{d}" {style}/>'
    )


def _outline(mark: Mark, r: float) -> tuple[str, bool]:
    """A path relative to the middle of a mark, and whether it is filled."""
    if mark == "confirmed":
        points = [
            (math.sin(i * math.pi / 5) * s, -math.cos(i * math.pi / 5) * s)
            for i, s in enumerate([r * 2.1, r * 0.9] * 5)
        ]
        return _polygon(points), True
    if mark in ("provisional", "kept", "doubtful", "inconclusive"):
        s = r * 1.45
        return _polygon([(0, -s), (s, 0), (0, s), (-s, 0)]), mark in ("provisional", "kept")
    if mark == "pair":
        s = r * 0.75
        return _polygon([(-s, -s), (s, -s), (s, s), (-s, s)]), False
    if mark == "failed":
        s = r * 0.95
        return f"m{-s:.1f} {-s:.1f}l{2 * s:.1f} {2 * s:.1f}m{-2 * s:.1f} 0l{2 * s:.1f} {-2 * s:.1f}", False
    return f"m{-r:.1f} 0a{r:.1f} {r:.1f} 0 1 0 {2 * r:.1f} 0a{r:.1f} {r:.1f} 0 1 0 {-2 * r:.1f} 0", mark == "discard"


def _polygon(points: Iterable[tuple[float, float]]) -> str:
    x = y = 0.0
    text = ""
    for px, py in points:
        text += f"{'l' if text else 'm'}{px - x:.1f} {py - y:.1f}"
        x, y = x + round(px - x, 1), y + round(py - y, 1)
    return text + "z"


def _dots(out: list[str], chart: Chart, frame: Frame, colour: dict[str, str]) -> list[tuple[float, float]]:
    count = len(chart.points)
    radius = 4.4 if count <= 150 else 3.2 if count <= 600 else 2.2 if count <= 2000 else 1.6
    scale = 1 if count > 2000 else 2
    ink: list[tuple[float, float]] = []
    rims: dict[tuple[int, int], list[Point]] = {}
    merged: dict[Mark, dict[tuple[int, int], None]] = {}
    order = list(reversed(MARKS))
    for point in sorted(chart.points, key=lambda p: (order.index(p.mark), p.number)):
        x, value = frame.x(point.number), point.value
        has_value = value is not None and math.isfinite(value)
        rim = frame.rim(value) if value is not None and has_value else 0
        if rim:
            rims.setdefault((rim, round(x / 7)), []).append(point)
            continue
        y = frame.y(value) if value is not None and has_value else frame.lane
        if has_value:
            ink += [(x, y)] * 3
        if count <= _EACH_WITH_TITLE_UP_TO or point.mark in ("confirmed", "provisional", "inconclusive"):
            plain = point.mark in ("discard", "pair", "baseline")
            r = radius if plain else max(radius, 3.0) * 1.1 if has_value else min(radius, 3.6)
            out.append(_shape(point.mark, x, y, r, colour, point.title))
        else:
            merged.setdefault(point.mark, {}).setdefault((round(x * scale), round(y * scale)))
    # Thousands of marks are one path a kind; marks on the same pixel are one mark.
    paths = []
    for mark, places in merged.items():
        d, filled = _outline(mark, max(radius, 3.4) if mark in ("kept", "doubtful") else radius)
        style = f'fill="{colour[mark]}" fill-opacity=".75"' if filled else f'fill="none" stroke="{colour[mark]}"'
        spots = "".join(f"M{px / scale:g} {py / scale:g}{d}" for px, py in places)
        if mark == "discard":
            spots = "".join(f"M{px / scale:g} {py / scale:g}h0" for px, py in places)
            style = f'stroke="{colour[mark]}" stroke-width="{2 * radius:g}" stroke-linecap="round" stroke-opacity=".75"'
        paths.append(f'<path d="{spots}" {style}/>')
    out += paths
    for (rim, _), hidden in sorted(rims.items()):
        ink += _rim_arrow(out, rim, hidden, frame, colour)
    return ink


def _rim_arrow(
    out: list[str], rim: int, hidden: Sequence[Point], frame: Frame, colour: dict[str, str]
) -> list[tuple[float, float]]:
    x = sum(frame.x(p.number) for p in hidden) / len(hidden)
    y = frame.plot.top + 4 if rim < 0 else frame.plot.bottom - 4
    strongest = min(hidden, key=lambda p: list(MARKS).index(p.mark))
    names = "; ".join(p.title for p in hidden[:3])
    out.append(
        f'<path d="M{x:.1f} {y:.1f}l-5 {-rim * 8}h10z" fill="{colour[strongest.mark]}">'
        f"<title>{escape(names, quote=False)}</title></path>"
    )
    return [(x, y), (x, y - rim * 8)]


def _names(
    out: list[str],
    chart: Chart,
    frame: Frame,
    size: float,
    colour: dict[str, str],
    ink: list[tuple[float, float]],
    narrow: bool,
) -> None:
    """Names of champions and of values beyond the rim, most important first, as many as fit."""
    marks = [(frame.x(s.since), frame.y(s.level if s.dot is None else s.dot)) for s in chart.steps]
    placer = Placer(frame.plot, size - 0.5, ink, marks)
    towards = 1 if chart.better == "lower" else -1
    gains = [(abs(step.level - before.level), step) for before, step in zip(chart.steps, chart.steps[1:], strict=False)]
    ranked = [step for _, step in sorted(gains, key=lambda item: -item[0])]
    if chart.steps[1:]:
        ranked.remove(chart.steps[-1])
        ranked.insert(0, chart.steps[-1])
    texts: list[tuple[Placed, float, float, bool]] = []
    beyond = [p for p in chart.points if p.value is not None and finite(p.value) and frame.rim(p.value)]
    weights = {"baseline": 0, "confirmed": 0, "kept": 1}
    beyond.sort(key=lambda p: (weights.get(p.mark, 2), -abs(p.value or 0.0)))
    first = [p for p in beyond if p.mark == "baseline"][:1]
    texts += _rim_names(placer, first, frame)
    for step in ranked[: 5 if narrow else 16]:
        dot = step.level if step.dot is None else step.dot
        if frame.rim(dot):
            continue
        x, y = frame.x(step.since), frame.y(dot)
        placed = placer.place(x, y, shorten(step.name, 24 if narrow else 38), towards, 9.0)
        if placed:
            texts.append((placed, x, y, True))
    texts += _rim_names(placer, [p for p in beyond if p not in first][: 2 if narrow else 5], frame)
    for placed, x, y, is_win in texts:
        if placed.leader:
            out.append(f'<path d="M{x:.1f} {y:.1f}L{placed.leader[0]:.1f} {placed.leader[1]:.1f}" '
                       f'stroke="{colour["quiet"]}" stroke-width=".8"/>')  # fmt: skip
        halo = f' stroke="{colour["paper"]}" stroke-width="3.5" paint-order="stroke" stroke-linejoin="round"'
        bold = ' font-weight="bold"' if is_win else ""
        _text(out, placed.x, placed.y, placed.text, size - 0.5, colour["text" if is_win else "quiet"], placed.anchor,
              halo + bold)  # fmt: skip


def _rim_names(placer: Placer, points: Sequence[Point], frame: Frame) -> list[tuple[Placed, float, float, bool]]:
    found = []
    for point in points:
        rim = frame.rim(point.value or 0.0)
        x, y = frame.x(point.number), frame.plot.top + 9 if rim < 0 else frame.plot.bottom - 9
        name = "baseline " if point.mark == "baseline" else ""
        placed = placer.place(x, y, f"#{point.number} {name}{point.value:.4g}", -rim, 5.0)
        if placed:
            found.append((placed, x, y, False))
    return found
