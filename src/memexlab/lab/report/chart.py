"""Draws the progress of a campaign as SVG by hand, and any SVG as PNG. Knows points, steps and noise, no database.

Colour and shape both say what became of a run, so the picture also reads without colour. Values far outside the rest
are shown at the rim with an arrow: one bad run must not squash the picture, and must not vanish from it either.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path

from . import axes
from .axes import MARKS, Chart, Frame, Mark, Point, Step, Theme, finite
from .labels import BOLD, Box, Placer, shorten, text_width

__all__ = ["Chart", "Mark", "Point", "Step", "interval_svg", "progress_svg", "svg_to_png"]

_EACH_WITH_TITLE_UP_TO = 240
_FONTS = Path(__file__).parent / "fonts"
_Place = tuple[float, float]


def progress_svg(
    chart: Chart, *, width: int = 1200, height: int = 600, theme: Theme = "page", heading: Sequence[str] = (),
    run_at: str = "",
) -> str:  # fmt: skip
    """The picture; below 700 wide it is laid out for a phone. `heading` lines go on top, the first one large.

    `run_at` is the address of a run, with {} for its number, where there is one: the tab key goes from win to win.
    """
    picture = _Picture(axes.drawable(chart), width, height, theme, heading)
    picture.run_at = run_at
    picture.draw()
    role = "group" if run_at else "img"
    label = escape(f"Progress of {len(chart.points)} runs; {chart.axis}, {chart.better} is better", quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="{role}" aria-label="{label}" '
        f"font-family=\"'DejaVu Sans',system-ui,sans-serif\">"
        f'<rect width="{width}" height="{height}" fill="{picture.colour["paper"]}"/>{"".join(picture.out)}</svg>'
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


class _Picture:
    """One drawing as it grows: what is drawn so far in `out`, and the places that have ink."""

    run_at = ""

    def __init__(self, chart: Chart, width: int, height: int, theme: Theme, heading: Sequence[str]) -> None:
        self.chart, self.colour, self.narrow = chart, axes.colours(theme), width < 700
        self.size = 12.0 if self.narrow else 13.0
        self.out: list[str] = []
        self.ink: list[_Place] = []
        self.has_values = any(finite(p.value) for p in chart.points)
        top = self.legend(14.0, self.heading(heading, width) + 8, width - 14.0)
        below = {p.mark for p in chart.points if p.mark == "failed" or not finite(p.value)}
        self.lane_name = "failed" if below == {"failed"} else "running" if below <= {"running"} else "no value"
        lane = 22.0 if below else 0.0
        values, decimals = axes.ticks(*axes.limits(chart), 5 if self.narrow else 7)
        self.ticks = [(value, axes.tick_text(value, decimals)) for value in values]
        left = 16 + max(text_width(text, self.size) for text in [self.lane_name, *(text for _, text in self.ticks)])
        plot = Box(left, top + 30, width - (52.0 if chart.ruler and chart.band else 14.0), height - 34 - lane)
        self.frame, self.plot = Frame(chart, plot, plot.bottom + lane / 2 + 3), plot

    def draw(self) -> None:
        """Everything below the legend."""
        chart, plot = self.chart, self.plot
        self.scales()
        if not chart.steps and not self.has_values:
            words = "No run has given a number." if chart.points else "No runs yet. The first dots land here."
            middle = (plot.left + plot.right) / 2, (plot.top + plot.bottom) / 2
            self.text(*middle, words, "quiet", "middle", size=self.size + 2)
        if chart.ruler and chart.band and chart.steps:
            self.ruler()
        self.lines()
        self.dots()
        self.names()

    def text(
        self, x: float, y: float, text: str, colour: str, anchor: str = "start", extra: str = "", size: float = 0.0
    ) -> None:
        """A text in a colour of the theme, as large as most where no size is given."""
        self.out.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size or self.size:g}" fill="{self.colour[colour]}" '
            f'text-anchor="{anchor}"{extra}>{escape(text, quote=False)}</text>'
        )

    def path(self, d: str, style: str, title: str | None = None) -> None:
        """A line or a shape; a `title` is shown by browsers where the pointer rests on it."""
        hint = "" if title is None else f"<title>{escape(title.replace(' -> ', ' → '), quote=False)}</title>"
        self.out.append(f'<path d="{d}" {style}>{hint}</path>' if hint else f'<path d="{d}" {style}/>')

    def stroke(self, colour: str) -> str:
        return f'stroke="{self.colour[colour]}"'

    def box(self, left: float, top: float, width: float, height: float, style: str) -> None:
        place = f'x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}"'
        self.out.append(f"<rect {place} {style}/>")

    def heading(self, lines: Sequence[str], width: int) -> float:
        """Returns where the legend may begin."""
        y = 8.0
        for i, line in enumerate(lines):
            size, limit = (21.0, (width - 40) / BOLD) if i == 0 else (14.5, width - 40.0)
            for part in _wrapped(line.replace(" -> ", " → "), size, limit)[: 3 if i == 0 else 1]:
                y += size * 1.42
                bold = ' font-weight="bold"' if i == 0 else ""
                self.text(18, y, part, "text" if i == 0 else "quiet", extra=bold, size=size)
        return y + 8 if lines else 4.0

    def legend(self, left: float, top: float, right: float) -> float:
        """Every mark that occurs, with its count; returns where the plot may begin."""
        counts = Counter(point.mark for point in self.chart.points)
        x, y = left, top + 10
        for mark, words in ((mark, f"{words} {counts[mark]:,}") for mark, words in MARKS.items() if counts[mark]):
            width = 20 + text_width(words, self.size) + 14
            if x + width > right and x > left:
                x, y = left, y + 20
            self.mark(mark, x + 8, y - 4, 4.5)
            self.text(x + 20, y, words, "text")
            x += width
        return y + 6

    def scales(self) -> None:
        chart, frame, plot, size = self.chart, self.frame, self.plot, self.size
        for value, shown in self.ticks if chart.steps or self.has_values else ():
            y = frame.y(value)
            self.path(f"M{plot.left:.1f} {y:.1f}H{plot.right:.1f}", self.stroke("grid"))
            self.text(plot.left - 8, y + size * 0.35, shown, "quiet", "end")
        arrow = "↓" if chart.better == "lower" else "↑"
        name = f"{shorten(chart.axis, 26 if self.narrow else 60)}  {arrow} {chart.better} is better"
        self.text(14, plot.top - 12, name, "quiet")
        if chart.band and chart.steps:
            words = f"band: {chart.band_name}"
            x = plot.right - text_width(words, size) - 24
            if x > 14 + text_width(name, size) + 20:
                self.box(x, plot.top - 22, 18, 11, f'rx="2" fill="{self.colour["confirmed"]}" fill-opacity=".2"')
                self.text(plot.right, plot.top - 12, words, "quiet", "end")
        if chart.points:
            below = plot.bottom + (frame.lane - plot.bottom) * 2 + 18
            found = axes.ticks(frame.first, frame.last, 4 if self.narrow else 9)[0]
            for number in sorted({round(v) for v in found}) if frame.last > frame.first else [frame.first]:
                self.text(frame.x(number), below, f"{number:,}", "quiet", "middle")
            self.text(plot.left - 8, below, "run", "quiet", "end")
        if chart.new_from is not None and chart.new_from > frame.first:
            x = (frame.x(chart.new_from) + frame.x(chart.new_from - 1)) / 2
            shade = f'fill="{self.colour["grid"]}" fill-opacity=".35"'
            self.box(plot.left, plot.top, x - plot.left, plot.bottom - plot.top, shade)
            fits = x + 5 + text_width("new from here", size) < plot.right
            place = (x + 5, "start") if fits else (x - 5, "end")
            self.text(place[0], plot.top + size, "new from here", "quiet", place[1])
        if any(not finite(p.value) for p in chart.points):
            y = plot.bottom + 3
            failed = self.lane_name == "failed"
            shade = f'fill="{self.colour["failed" if failed else "running"]}" fill-opacity=".07"'
            self.box(plot.left, y, plot.right - plot.left, (frame.lane - y) * 2, shade)
            colour = "failed" if failed else "quiet"
            self.text(plot.left - 8, frame.lane + size * 0.35, self.lane_name, colour, "end")

    def ruler(self) -> None:
        """How many sigma better than the baseline a height is, at the right side."""
        chart, frame, plot, base = self.chart, self.frame, self.plot, self.chart.steps[0].level
        sign = -1.0 if chart.better == "lower" else 1.0
        edges = sorted(sign * (v - base) / chart.band for v in (frame.low, frame.high))
        if not all(map(math.isfinite, edges)):
            return
        x, small = plot.right + 6, self.size - 1
        self.path(f"M{x:.1f} {plot.top:.1f}V{plot.bottom:.1f}", self.stroke("quiet"))
        values, decimals = axes.ticks(edges[0], edges[1], 7)
        for value in values:
            y = frame.y(base + sign * value * chart.band)
            self.path(f"M{x:.1f} {y:.1f}h5", self.stroke("quiet"))
            shown = f"{value:+.{decimals}f}".replace("-", "−") if value else "0"
            self.text(x + 8, y + self.size * 0.35, shown, "quiet", size=small)
        self.text(plot.right + 46, plot.top - 12, chart.ruler, "quiet", "end", size=small)

    def stairs(self, steps: Sequence[tuple[float, float]]) -> str:
        """The line of what held from each x on; it leaves ink where it is inside the picture."""
        d, before = "", 0.0
        for i, (start, value) in enumerate(steps):
            end = steps[i + 1][0] if i + 1 < len(steps) else self.plot.right
            y = self.plot.within(self.frame.y(value))
            top, bottom = sorted((y, before if d else y))
            self.ink += [(start, top + k * 6) for k in range(int((bottom - top) / 6))]
            d += f"{'L' if d else 'M'}{start:.1f} {y:.1f}H{end:.1f}"
            before = y
            if not self.frame.rim(value):
                self.ink += [(start + k * 6, y) for k in range(int((end - start) / 6))]
        return d

    def lines(self) -> None:
        """Noise band and champion."""
        chart, frame, plot = self.chart, self.frame, self.plot
        steps = [(frame.x(step.since) if i else plot.left, step.level) for i, step in enumerate(chart.steps)]
        champions, band = self.stairs(steps), ""
        for (start, level), end in zip(steps, [*(x for x, _ in steps[1:]), plot.right], strict=False):
            top, bottom = max(plot.top, frame.y(level + chart.band)), min(plot.bottom, frame.y(level - chart.band))
            if chart.band and bottom > top:
                band += f"M{start:.1f} {top:.1f}H{end:.1f}V{bottom:.1f}H{start:.1f}Z"
        if band:
            self.path(band, f'fill="{self.colour["confirmed"]}" fill-opacity=".15"')
        if champions:
            self.path(champions, f'fill="none" {self.stroke("confirmed")} stroke-width="2.2" stroke-linejoin="round"')

    def mark(self, mark: Mark, x: float, y: float, r: float, title: str = "") -> None:
        d, filled = _outline(mark, r)
        style = f'fill="none" {self.stroke(mark)} stroke-width="{max(1.1, r * 0.36):.1f}"'
        if filled:
            style = f'fill="{self.colour[mark]}" {self.stroke("paper")} stroke-width=".8"'
        self.path(f"M{x:.1f} {y:.1f}{d}", style, title or None)

    def dots(self) -> None:
        """Every run; thousands of marks are one path a kind, and marks on the same pixel are one mark."""
        frame, count = self.frame, len(self.chart.points)
        radius = 4.4 if count <= 150 else 3.2 if count <= 600 else 2.2 if count <= 2000 else 1.6
        scale = 1 if count > 2000 else 2
        beyond: dict[tuple[int, int], list[Point]] = {}
        merged: dict[Mark, dict[tuple[int, int], None]] = {}
        order = list(reversed(MARKS))
        for point in sorted(self.chart.points, key=lambda p: (order.index(p.mark), p.number)):
            x, value = frame.x(point.number), point.value
            if value is not None and (rim := frame.rim(value)):
                beyond.setdefault((rim, round(x / 7)), []).append(point)
                continue
            y = frame.y(value) if value is not None else frame.lane
            self.ink += [(x + aside, y) for aside in (-5, 0, 0, 0, 5)] if value is not None else []
            is_won = point.mark in ("confirmed", "provisional", "kept", "doubtful")
            if count <= _EACH_WITH_TITLE_UP_TO or point.mark == "inconclusive" or is_won:
                plain = point.mark in ("discard", "pair", "baseline")
                large = max(radius, 3.0) * 1.1 if value is not None else min(radius, 3.6)
                self.mark(point.mark, x, y, radius if plain else large, point.title)
                self.link(point, is_won)
            else:
                merged.setdefault(point.mark, {}).setdefault((round(x * scale), round(y * scale)))
        for mark, places in merged.items():
            d, filled = _outline(mark, max(radius, 3.4) if mark in ("kept", "doubtful") else radius)
            style = f'fill="none" {self.stroke(mark)}'
            if mark == "discard":
                d = "h0"
                style = f'{self.stroke(mark)} stroke-width="{2 * radius:g}" stroke-linecap="round" stroke-opacity=".75"'
            elif filled:
                style = f'fill="{self.colour[mark]}" fill-opacity=".75"'
            self.path("".join(f"M{x / scale:g} {y / scale:g}{d}" for x, y in places), style)
        for (rim, _), hidden in sorted(beyond.items()):
            self.rim_arrow(rim, hidden)

    def link(self, point: Point, is_won: bool) -> None:
        """Makes what was drawn last lead to the run."""
        if self.run_at:
            at = escape(self.run_at.format(point.number), quote=True)
            label = escape(point.title or f"#{point.number}", quote=True)
            self.out[-1] = f'<a href="{at}" aria-label="{label}" tabindex="{0 if is_won else -1}">{self.out[-1]}</a>'

    def rim_arrow(self, rim: int, hidden: Sequence[Point]) -> None:
        x = sum(self.frame.x(p.number) for p in hidden) / len(hidden)
        y = self.plot.top + 4 if rim < 0 else self.plot.bottom - 4
        strongest = min(hidden, key=lambda p: list(MARKS).index(p.mark))
        title = "; ".join(p.title for p in hidden[:3])
        self.path(f"M{x:.1f} {y:.1f}l-5 {-rim * 8}h10z", f'fill="{self.colour[strongest.mark]}"', title)
        self.link(strongest, True)
        self.ink += [(x, y), (x, y - rim * 8)]

    def names(self) -> None:
        """Names of champions and of values beyond the rim, most important first, as many as fit."""
        chart, frame = self.chart, self.frame
        marks = [(frame.x(s.since), frame.y(s.height)) for s in chart.steps]
        placer = Placer(self.plot, self.size - 0.5, self.ink, marks)
        gains = [(abs(b.level - a.level), b) for a, b in pairwise(chart.steps)]
        ranked = [step for _, step in sorted(gains, key=lambda item: -item[0])]
        if ranked:
            ranked.remove(chart.steps[-1])
            ranked.insert(0, chart.steps[-1])
        weights = {"baseline": 0, "confirmed": 0, "kept": 1}
        beyond = [p for p in chart.points if p.value is not None and frame.rim(p.value)]
        beyond.sort(key=lambda p: (weights.get(p.mark, 2), -abs(p.value or 0.0)))
        first = [p for p in beyond if p.mark == "baseline"][:1]
        self.rim_names(placer, first)
        towards = 1 if chart.better == "lower" else -1
        wins = [step for step in ranked[: 5 if self.narrow else 16] if not frame.rim(step.height)]
        for step in wins:
            name = shorten(step.name, 24 if self.narrow else 38)
            self.name(placer, (frame.x(step.since), frame.y(step.height)), name, towards, is_win=True)
        self.rim_names(placer, [p for p in beyond if p not in first][: 2 if self.narrow else 5])

    def rim_names(self, placer: Placer, points: Sequence[Point]) -> None:
        for point in points:
            rim = self.frame.rim(point.value or 0.0)
            at = self.frame.x(point.number), self.plot.top + 9 if rim < 0 else self.plot.bottom - 9
            name = "baseline " if point.mark == "baseline" else ""
            self.name(
                placer, at, f"#{point.number} {name}{point.value:.4g} {'↑' if rim < 0 else '↓'}", -rim, is_win=False
            )

    def name(self, placer: Placer, at: _Place, text: str, towards: int, is_win: bool) -> None:
        # Where a win's whole name finds no room, less of it says more than nothing.
        shorter = (text, shorten(text, 18), text.split()[0]) if is_win and text.strip() else (text,)
        room = (9.0, 17.0) if is_win else (5.0, 26.0)
        tried = (placer.place(*at, part, towards, *room) for part in dict.fromkeys(shorter))
        if (placed := next(filter(None, tried), None)) is None:
            return
        if placed.leader:
            line = f"M{at[0]:.1f} {at[1]:.1f}L{placed.leader[0]:.1f} {placed.leader[1]:.1f}"
            self.path(line, f'{self.stroke("quiet")} stroke-width=".8"')
        halo = f' {self.stroke("paper")} stroke-width="3.5" paint-order="stroke" stroke-linejoin="round"'
        extra = halo + (' font-weight="bold"' if is_win else "")
        colour = "text" if is_win else "quiet"
        self.text(placed.x, placed.y, placed.text, colour, placed.anchor, extra, self.size - 0.5)


def _wrapped(text: str, size: float, limit: float) -> list[str]:
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(joined, size) > limit:
            lines.append(word)
        else:
            lines[-1] = joined
    most_chars = max(8, int(limit / size / 0.8))
    return [line if text_width(line, size) <= limit else shorten(line, most_chars) for line in lines]


def _outline(mark: Mark, r: float) -> tuple[str, bool]:
    """A path relative to the middle of a mark, and whether it is filled."""
    if mark == "confirmed":
        corners = enumerate([r * 2.1, r * 0.9] * 5)
        return _polygon((math.sin(i * math.pi / 5) * s, -math.cos(i * math.pi / 5) * s) for i, s in corners), True
    if mark in ("provisional", "kept", "doubtful", "inconclusive", "dropped"):
        s = r * 1.45
        return _polygon([(0, -s), (s, 0), (0, s), (-s, 0)]), mark in ("provisional", "kept")
    if mark == "open":
        return _polygon([(0, -r * 1.3), (r * 1.2, r * 0.8), (-r * 1.2, r * 0.8)]), False
    if mark == "pair":
        s = r * 0.75
        return _polygon([(-s, -s), (s, -s), (s, s), (-s, s)]), False
    if mark == "failed":
        s = r * 0.95
        return f"m{-s:.1f} {-s:.1f}l{2 * s:.1f} {2 * s:.1f}m{-2 * s:.1f} 0l{2 * s:.1f} {-2 * s:.1f}", False
    return f"m{-r:.1f} 0a{r:.1f} {r:.1f} 0 1 0 {2 * r:.1f} 0a{r:.1f} {r:.1f} 0 1 0 {-2 * r:.1f} 0", mark == "discard"


def _polygon(points: Iterable[_Place]) -> str:
    x = y = 0.0
    text = ""
    for px, py in points:
        text += f"{'l' if text else 'm'}{px - x:.1f} {py - y:.1f}"
        x, y = x + round(px - x, 1), y + round(py - y, 1)
    return text + "z"
