"""What a chart of runs shows, and where values lie in it: marks, colours, limits, ticks. Draws nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import quantiles
from typing import Literal

from .labels import Box

Mark = Literal[
    "confirmed", "provisional", "inconclusive", "kept", "doubtful", "open", "dropped", "discard", "baseline", "pair",
    "running", "failed",
]  # fmt: skip
Theme = Literal["light", "dark", "page"]

#: Marks in the order of the legend, with their words.
MARKS: dict[Mark, str] = {
    "confirmed": "confirmed win",
    "provisional": "provisional",
    "inconclusive": "inconclusive",
    "kept": "kept, never repeated",
    "doubtful": "kept, gain within noise",
    "open": "not judged yet",
    "dropped": "dropped: fresh pairs took it back",
    "discard": "discarded or within noise",
    "baseline": "baseline",
    "pair": "fresh pair",
    "running": "not ended yet",
    "failed": "failed",
}
COLOURS: dict[str, tuple[str, str]] = {  # light, dark
    "paper": ("#fffdf8", "#1a1b20"),
    "text": ("#24231f", "#ece9e1"),
    "quiet": ("#6b675e", "#a5a199"),
    "grid": ("#e7e2d6", "#32333a"),
    "confirmed": ("#0b7a4b", "#4fd197"),
    "provisional": ("#2563b0", "#7db4f5"),
    "inconclusive": ("#a76500", "#f0b44c"),
    "kept": ("#0e7490", "#58c4dc"),
    "doubtful": ("#a76500", "#f0b44c"),
    "open": ("#2563b0", "#7db4f5"),
    "dropped": ("#a29d92", "#77746d"),
    "discard": ("#a29d92", "#77746d"),
    "baseline": ("#4b4a63", "#b9b7d9"),
    "pair": ("#85809b", "#918ea8"),
    "running": ("#a29d92", "#77746d"),
    "failed": ("#c22f2f", "#ff7d74"),
}


#: Beyond it differences overflow, and no picture is of use.
_LARGEST = 1e150


@dataclass(frozen=True, slots=True)
class Point:
    """One run; `value` is None where nothing was measured."""

    number: int
    value: float | None
    mark: Mark
    title: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A champion from run `since` until the next one took over; `level` is what it measures, its mark is at `dot`."""

    since: int
    level: float
    name: str
    dot: float | None = None

    @property
    def height(self) -> float:
        return self.level if self.dot is None else self.dot


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
        return {name: f"var(--c-{name})" for name in COLOURS}
    return {name: pair[theme == "dark"] for name, pair in COLOURS.items()}


def colour_variables(theme: Literal["light", "dark"]) -> str:
    """The CSS declarations behind `colours('page')`."""
    return "".join(f"--c-{name}:{value};" for name, value in colours(theme).items())


def finite(value: float | None) -> bool:
    return value is not None and abs(value) < _LARGEST


def drawable(chart: Chart) -> Chart:
    """The chart without numbers that cannot be drawn, and with arrows in its names.

    A run with such a number keeps its place among the failed.
    """
    steps = [step for step in chart.steps if finite(step.level) and (step.dot is None or finite(step.dot))]
    return replace(
        chart,
        points=tuple(p if p.value is None or finite(p.value) else replace(p, value=None) for p in chart.points),
        steps=tuple(replace(step, name=step.name.replace(" -> ", " → ")) for step in steps),
        band=chart.band if 0 < chart.band < _LARGEST else 0.0,
    )


def limits(chart: Chart) -> tuple[float, float]:
    """The range of values to show: the good side, the bulk of the bad side, every champion that fits with them."""
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
    room = (worst - best) * 3.5  # the first champions gain most, and are what the others are seen against
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
    return next((factor * power for factor in (1, 2, 5) if factor * power >= raw * 0.75), 10 * power)


def ticks(low: float, high: float, parts: int) -> tuple[list[float], int]:
    """Round values between the limits, and how many decimals they need."""
    step = nice_step(high - low, parts)
    if not math.isfinite(low / step) or not math.isfinite(high - low):
        return [low, high], 6  # the limits differ by less, or by more, than floats can count
    first = math.ceil(low / step - 1e-9)
    found = [i * step for i in range(first, first + 4 * parts + 2) if i * step <= high + step * 1e-9]
    return found, max(0, min(12, -math.floor(math.log10(step) + 1e-9)))


def tick_text(value: float, decimals: int) -> str:
    if value and (abs(value) >= 1e6 or decimals > 7):
        return f"{value:.4g}"
    return f"{value:,.{decimals}f}"


class Frame:
    """Where things are: maps run numbers and values to the drawing."""

    def __init__(self, chart: Chart, plot: Box, lane: float) -> None:
        self.plot, self.lane = plot, lane
        self.low, self.high = limits(chart)
        numbers = [p.number for p in chart.points] + [s.since for s in chart.steps]
        self.first, self.last = min(numbers, default=1), max(numbers, default=1)

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
