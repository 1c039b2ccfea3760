"""Draws the progress of a campaign as SVG by hand, and any SVG as PNG. Knows points, steps and noise, no database.

Colour and shape both say what became of a run, so the picture also reads without colour. Values far outside the rest are
shown at the rim with an arrow: one bad run must not squash the picture, and must not vanish from it either.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from statistics import quantiles
from typing import Literal

from .placing import Box, Placed, Placer, shorten, text_width

Mark = Literal[
    "confirmed", "provisional", "inconclusive", "kept", "doubtful", "discard", "baseline", "pair", "running", "failed"
]
Theme = Literal["light", "dark", "page"]

#: Marks in the order of the legend, with their words.
MARKS: dict[Mark, str] = {
    "confirmed": "confirmed win",
    "provisional": "provisional",
    "inconclusive": "inconclusive",
    "kept": "kept, never repeated",
    "doubtful": "kept, gain within noise",
    "discard": "discarded or within noise",
    "baseline": "baseline",
    "pair": "fresh pair",
    "running": "still running",
    "failed": "failed",
}
_COLOURS: dict[str, tuple[str, str]] = {  # light, dark
    "paper": ("#fffdf8", "#1a1b20"),
    "text": ("#24231f", "#ece9e1"),
    "quiet": ("#6b675e", "#a5a199"),
    "grid": ("#e7e2d6", "#32333a"),
    "confirmed": ("#0b7a4b", "#4fd197"),
    "provisional": ("#2563b0", "#7db4f5"),
    "inconclusive": ("#a76500", "#f0b44c"),
    "kept": ("#0e7490", "#58c4dc"),
    "doubtful": ("#a76500", "#f0b44c"),
    "discard": ("#a29d92", "#77746d"),
    "baseline": ("#4b4a63", "#b9b7d9"),
    "pair": ("#85809b", "#918ea8"),
    "running": ("#a29d92", "#77746d"),
    "failed": ("#c22f2f", "#ff7d74"),
}
_EACH_WITH_TITLE_UP_TO = 240
_FONTS = Path(__file__).parent / "fonts"


@dataclass(frozen=True, slots=True)
class Point:
    """One run; `value` is None where nothing was measured."""

    number: int
    value: float | None
    mark: Mark
    title: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A champion from run `since` until the next one took over; `level` is what it measures, `dot` where its mark is."""

    since: int
    level: float
    name: str
    dot: float | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """All that the picture of one campaign shows. `band` is the half width of the noise band, 0 where it is unknown."""

    points: tuple[Point, ...] = ()
    steps: tuple[Step, ...] = ()
    axis: str = ""
    better: str = "lower"
    band: float = 0.0
    band_name: str = "± 1 sigma"
    ruler: str = ""  # unit of the ruler at the side, such as "sigma"; '' draws none
    new_from: int | None = None  # the first run that is new in this report, where others are older


def colours(theme: Theme) -> dict[str, str]:
    """Colours by name; for `page` they are CSS variables that the page sets."""
    if theme == "page":
        return {name: f"var(--c-{name})" for name in _COLOURS}
    return {name: pair[theme == "dark"] for name, pair in _COLOURS.items()}


def colour_variables(theme: Literal["light", "dark"]) -> str:
    """The CSS declarations behind `colours('page')`."""
    return "".join(f"--c-{name}:{value};" for name, value in colours(theme).items())


def finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def limits(chart: Chart) -> tuple[float, float]:
    """The range of values to show: all of the good side, the bulk of the bad side, every champion that fits with them."""
    sign = -1.0 if chart.better == "higher" else 1.0  # from here on lower is better
    values = sorted(sign * p.value for p in chart.points if p.value is not None and math.isfinite(p.value))
    levels = [sign * step.level for step in chart.steps if math.isfinite(step.level)]
    if not values and not levels:
        return 0.0, 1.0
    bulk = values or levels
    if len(bulk) >= 4:
        low_quartile, middle, high_quartile = quantiles(bulk, n=4, method="inclusive")
        spread = max(high_quartile - low_quartile, 3 * chart.band, abs(middle) * 1e-9)
        good = [v for v in bulk if v >= low_quartile - 6 * spread] or bulk
        bad = [v for v in bulk if v <= high_quartile + 2.2 * spread] or bulk
        best, worst = good[0], bad[-1]
    else:
        best, worst = bulk[0], bulk[-1]
        if levels and worst - min(levels) > 40 * chart.band > 0:
            worst = max([min(levels) + 6 * chart.band, *(v for v in bulk if v - min(levels) <= 40 * chart.band)])
    best = min([best, *levels])
    room = (worst - best) * 1.55
    for level in sorted(levels):
        if worst < level <= best + room:
            worst = level
    if levels and chart.band:
        best, worst = min(best, min(levels) - 1.6 * chart.band), max(worst, min(levels) + 1.6 * chart.band)
    if not math.isfinite(worst - best) or worst <= best:
        margin = abs(best) * 0.01 or 1.0
        best, worst = best - margin, (best if not math.isfinite(worst) else worst) + margin
    margin = (worst - best) * 0.06
    best, worst = best - margin, worst + margin
    return (best, worst) if sign > 0 else (-worst, -best)


def nice_step(span: float, parts: int) -> float:
    """A step of 1, 2 or 5 times a power of ten that cuts `span` into about `parts`."""
    raw = span / max(1, parts)
    power = 10.0 ** math.floor(math.log10(raw)) if raw > 0 and math.isfinite(raw) else 1.0
    return next((factor * power for factor in (1, 2, 5) if factor * power >= raw), 10 * power)


def ticks(low: float, high: float, parts: int) -> tuple[list[float], int]:
    """Round values between the limits, and how many decimals they need."""
    step = nice_step(high - low, parts)
    first = math.ceil(low / step - 1e-9)
    found = [i * step for i in range(first, first + 4 * parts + 2) if i * step <= high + step * 1e-9]
    return found, max(0, min(12, -math.floor(math.log10(step) + 1e-9)))


def tick_text(value: float, decimals: int) -> str:
    if value and (abs(value) >= 1e6 or decimals > 7):
        return f"{value:.4g}"
    return f"{value:,.{decimals}f}"


class _Frame:
    """Where things are: maps run numbers and values to the drawing."""

    def __init__(self, chart: Chart, plot: Box, lane: float) -> None:
        self.plot, self.lane = plot, lane
        self.low, self.high = limits(chart)
        numbers = [p.number for p in chart.points] + [s.since for s in chart.steps]
        self.first, self.last = min(numbers, default=1), max(numbers, default=1)
        self.is_clipped = False

    def x(self, number: float) -> float:
        pad = min(18.0, (self.plot.right - self.plot.left) / 20)
        width = self.plot.right - self.plot.left - 2 * pad
        if self.last == self.first:
            return self.plot.left + pad + width * 0.3
        return self.plot.left + pad + width * (number - self.first) / (self.last - self.first)

    def y(self, value: float) -> float:
        share = (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return self.plot.bottom - (self.plot.bottom - self.plot.top) * min(9.0, max(-9.0, share))

    def rim(self, value: float) -> int:
        """-1 where a value lies above the picture, 1 where below, else 0."""
        return -1 if value > self.high else 1 if value < self.low else 0


def progress_svg(
    chart: Chart, *, width: int = 1200, height: int = 600, theme: Theme = "page", heading: Sequence[str] = ()
) -> str:
    """The picture; below 700 wide it is laid out for a phone. `heading` lines go on top, the first one large."""
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
    values, decimals = ticks(low, high, 6 if narrow else 9)
    left = 18 + max((text_width(tick_text(v, decimals), size) for v in values), default=30)
    plot = Box(left, top + 30, width - ruler, height - 34 - lane)
    frame = _Frame(chart, plot, plot.bottom + lane / 2 + 3)
    _axes(out, chart, frame, values, decimals, size, colour, narrow)
    if not chart.points:
        middle = (plot.left + plot.right) / 2, (plot.top + plot.bottom) / 2
        _text(out, *middle, "No runs yet. The first dots land here.", size + 2, colour["quiet"], "middle")
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
        size, limit = (21.0, width - 40) if i == 0 else (14.5, width - 40)
        for part in _wrapped(line, size, limit)[:2]:
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
    if len(greedy) > 1 and _differs(greedy, chart):
        words = "best single run so far"
        if x + 30 + text_width(words, size) > right:
            x, y = left, y + 20
        out.append(f'<path d="M{x:.1f} {y - 4:.1f}h24" stroke="{colour["quiet"]}" stroke-dasharray="5 4"/>')
        _text(out, x + 30, y, words, size, colour["text"])
    return y + 6


def _axes(
    out: list[str],
    chart: Chart,
    frame: _Frame,
    values: Sequence[float],
    decimals: int,
    size: float,
    colour: dict[str, str],
    narrow: bool,
) -> None:
    plot = frame.plot
    for value in values if chart.points or chart.steps else ():
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
    parts = 5 if narrow else 10
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
        _text(out, x + 5, plot.top + size, "new from here", size, colour["quiet"])
    if any(not finite(p.value) for p in chart.points):
        y = plot.bottom + 3
        out.append(f'<rect x="{plot.left:.1f}" y="{y:.1f}" width="{plot.right - plot.left:.1f}" '
                   f'height="{(frame.lane - y) * 2:.1f}" fill="{colour["failed"]}" fill-opacity=".07"/>')  # fmt: skip
        words = "failed" if plot.left < 70 else "no result"
        _text(out, plot.left - 8, frame.lane + size * 0.35, words, size, colour["failed"], "end")


def _ruler(out: list[str], chart: Chart, frame: _Frame, size: float, colour: dict[str, str]) -> None:
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
    _text(out, plot.right + 50, plot.top - 12, chart.ruler, size - 1, colour["quiet"], "end")


def _line(
    out: list[str], chart: Chart, frame: _Frame, size: float, colour: dict[str, str]
) -> list[tuple[float, float]]:
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
    if len(greedy) > 1 and _differs(greedy, chart):
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


def _along_steps(greedy: Sequence[tuple[int, float]], frame: _Frame) -> list[tuple[float, float]]:
    ends = [*(frame.x(number) for number, _ in greedy[1:]), frame.plot.right]
    places = []
    for (number, value), end in zip(greedy, ends, strict=True):
        if not frame.rim(value):
            start, y = frame.x(number), frame.y(value)
            places += [(start + k * 6, y) for k in range(int((end - start) / 6))]
    return places


def greedy_best(chart: Chart) -> list[tuple[int, float]]:
    """What believing every single run would have called best: (run, value) each time it improved."""
    found: list[tuple[int, float]] = []
    sign = -1.0 if chart.better == "higher" else 1.0
    for point in sorted(chart.points, key=lambda p: p.number):
        if point.mark in ("pair", "failed") or point.value is None or not math.isfinite(point.value):
            continue
        if not found or sign * point.value < sign * found[-1][1]:
            found.append((point.number, point.value))
    return found


def _differs(greedy: Sequence[tuple[int, float]], chart: Chart) -> bool:
    levels = [step.level for step in chart.steps]
    return [value for _, value in greedy] != levels


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


def _dots(out: list[str], chart: Chart, frame: _Frame, colour: dict[str, str]) -> list[tuple[float, float]]:
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
    out: list[str], rim: int, hidden: Sequence[Point], frame: _Frame, colour: dict[str, str]
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
    frame: _Frame,
    size: float,
    colour: dict[str, str],
    ink: list[tuple[float, float]],
    narrow: bool,
) -> None:
    """Names of champions and of values beyond the rim, most important first, as many as fit."""
    placer = Placer(frame.plot, size - 0.5, ink)
    towards = 1 if chart.better == "lower" else -1
    gains = [(abs(step.level - before.level), step) for before, step in zip(chart.steps, chart.steps[1:], strict=False)]
    ranked = [step for _, step in sorted(gains, key=lambda item: -item[0])]
    if chart.steps[1:]:
        ranked.remove(chart.steps[-1])
        ranked.insert(0, chart.steps[-1])
    texts: list[tuple[Placed, float, float, bool]] = []
    for step in ranked[: 5 if narrow else 16]:
        dot = step.level if step.dot is None else step.dot
        if frame.rim(dot):
            continue
        x, y = frame.x(step.since), frame.y(dot)
        placed = placer.place(x, y, shorten(step.name, 24 if narrow else 38), towards, 9.0)
        if placed:
            texts.append((placed, x, y, True))
    beyond = [p for p in chart.points if p.value is not None and finite(p.value) and frame.rim(p.value)]
    weights = {"baseline": 0, "confirmed": 0, "kept": 1}
    beyond.sort(key=lambda p: (weights.get(p.mark, 2), -abs(p.value or 0.0)))
    for point in beyond[: 2 if narrow else 5]:
        rim = frame.rim(point.value or 0.0)
        x, y = frame.x(point.number), frame.plot.top + 9 if rim < 0 else frame.plot.bottom - 9
        name = "baseline " if point.mark == "baseline" else ""
        placed = placer.place(x, y, f"#{point.number} {name}{point.value:.4g}", -rim, 5.0)
        if placed:
            texts.append((placed, x, y, False))
    for placed, x, y, is_win in texts:
        if placed.leader:
            out.append(f'<path d="M{x:.1f} {y:.1f}L{placed.leader[0]:.1f} {placed.leader[1]:.1f}" '
                       f'stroke="{colour["quiet"]}" stroke-width=".8"/>')  # fmt: skip
        halo = f' stroke="{colour["paper"]}" stroke-width="3.5" paint-order="stroke" stroke-linejoin="round"'
        bold = ' font-weight="bold"' if is_win else ""
        _text(out, placed.x, placed.y, placed.text, size - 0.5, colour["text" if is_win else "quiet"], placed.anchor,
              halo + bold)  # fmt: skip
