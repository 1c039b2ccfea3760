"""Where a knob may go: which knobs are worth turning, in which order, and by how much. Knows names and values, no runs.

The order is a rule on names, not a measurement of the target at hand: under a fixed time budget a step that is cheaper
or larger buys more progress than one that is better regularised, so rates, and what a step costs (context, batch,
width, depth), go before schedules, and schedules before decay, momentum and clipping. Published logs of such
campaigns agree: the first wins are batch, depth and rates, and the last are decays.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeGuard

from ...ledger import Scalar
from ...memory.changes.knobs import Knob, alternatives, read_knobs, written_float
from ...memory.changes.names import normal_knob
from . import KnobRange

Scale = Literal["log", "linear", "near_one", "rungs", "choice"]

#: Words of a name that say: this is how a run is bounded, fed, named or watched, and not what it is.
_NOT_A_SETTING = re.compile(
    r"(?:^|_)(?:budget|seconds|minutes|hours|time|timeout|deadline|seed|paths?|dir|directory|folder|files?|filename|url"
    r"|host|port|user|password|token|key|debug|verbose|logs?|logging|print|device|cuda|version|eval|evaluate|evaluation|random_state|init_from"
    r"|val|validation|test|split|interval|name|tag|run|id|workers?|threads?|checkpoint|save|out|output|resume|profile"
    r"|dry|report|progress|format|encoding|prefix|suffix|title|date)(?:_|$)"
)
_BOUNDS_A_RUN = re.compile(r"(max|num|n|total)_(steps|iters|iterations|epochs|updates|runs|trials)|epochs|steps|iters")


@dataclass(frozen=True, slots=True)
class Prior:
    """What a name alone says: how much the knob tends to matter (0 to 1), which way to go first (0: either), why."""

    weight: float
    first: int
    why: str


_CHEAPER = "under a fixed time budget a cheaper step means more steps"
_PRIORS: tuple[tuple[re.Pattern[str], Prior], ...] = tuple(
    (re.compile(rf"(?:^|_)(?:{words})(?:_|$)"), prior)
    for words, prior in (
        ("(?:final|min|end)_lr|lr_(?:frac|ratio|scale|decay)", Prior(0.4, 0, "schedules matter somewhat")),
        ("weight_decay|dropout|eps|clip|softcap|smoothing", Prior(0.25, 0, "regularisation matters little early")),
        ("momentum|beta|beta1|beta2|betas|ema", Prior(0.3, 0, "optimiser averages matter little early")),
        ("warmup|warmdown|schedule|anneal", Prior(0.4, 0, "schedules matter somewhat")),
        ("lr", Prior(1.0, 1, "rates matter most, and a short run bears a higher one")),
        ("context|window|seq|sequence", Prior(0.8, -1, _CHEAPER)),
        ("batch|batch_size", Prior(0.8, -1, _CHEAPER)),
        ("activation|optimizer", Prior(0.75, 0, "this choice changes both speed and learning")),
        ("cache|page|mmap|buffer|pool|journal|synchronous|index|indexes", Prior(0.8, 1, "memory in reach saves work")),
        ("init|init_scale|init_std", Prior(0.65, 0, "a short run remembers where it began")),
        ("width|depth|heads|kv_heads|head_dim|hidden|layers|mlp_ratio|ff|ffn|mlp|dim", Prior(0.6, -1, _CHEAPER)),
        ("vocab|vocab_size|merges", Prior(0.5, 0, "it sets what a step sees")),
    )
)
_UNKNOWN = Prior(0.5, 0, "its name does not say how much it matters")
_NEAR_ONE = re.compile(r"(?:^|_)(?:momentum|betas?\d?|ema|gamma|discount|decay|quantile)(?:_|$)")
_AT_MOST_ONE = re.compile(r"(?:^|_)(?:frac|fraction|ratio|share|dropout|prob|probability|warmup|warmdown|rate)(?:_|$)")
#: Where a knob that is off begins, for names that say what it is.
_FROM_ZERO = re.compile(
    r"(?:^|_)(?:dropout|weight_decay|decay|smoothing|frac|ratio|prob|warmup|warmdown|momentum)(?:_|$)"
)
STEPS_IN_A_RANGE = 6
LEAST_STEPS_IN_A_RANGE = 4
SIGNIFICANT_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Axis:
    """One knob that may be turned: `low` and `high` are hard bounds, `unit` is the size of one step on its scale.

    `choices` are the other values of a choice; on the scale `rungs`, all of its numbers in order, the present included.
    """

    name: str
    value: Scalar
    scale: Scale
    prior: Prior
    low: float = -math.inf
    high: float = math.inf
    unit: float = 1.0
    whole: bool = False
    power_of_two: bool = False
    choices: tuple[Scalar, ...] = ()

    def at(self, steps: float) -> Scalar | None:
        """The value `steps` away from the present one, rounded as a person would; None where there is none."""
        if self.scale == "choice" or not _is_number(self.value):
            return None
        here = float(self.value)
        if self.scale == "rungs":
            rung = self.choices.index(self.value) + round(steps)
            return self.choices[rung] if 0 <= rung < len(self.choices) and round(steps) else None
        if here == 0 and self.scale == "log":
            raw = self._from_zero(steps)
        elif self.scale == "log":
            raw = here * 2 ** (steps * self.unit)
        elif self.scale == "near_one":
            raw = 1 - (1 - here) * 2 ** (-steps * self.unit)
        else:
            raw = here + steps * self.unit
        if not math.isfinite(raw) or (self.scale == "near_one" and raw <= 0):
            return None
        value = self._rounded(min(max(raw, self.low), self.high))
        gone = self.place(value) if value is not None else 0.0
        return None if value is None or abs(gone) < min(0.25, abs(steps) / 2) or gone * steps < 0 else value

    def place(self, value: Scalar) -> float:
        """How many steps a value lies from the present one; NaN where the scale does not reach it."""
        if not (_is_number(value) and _is_number(self.value)) or (self.scale == "rungs" and value not in self.choices):
            return math.nan
        if self.scale == "rungs":
            return float(self.choices.index(value) - self.choices.index(self.value))
        here, there = float(self.value), float(value)
        if self.scale == "log":
            if here * there > 0:
                sign = 1 if here > 0 else -1
                return sign * math.log2(there / here) / self.unit
            return 0.0 if here == there else math.copysign(1.0, there - here)
        if self.scale == "near_one":
            return math.log2((1 - here) / (1 - there)) / self.unit if there < 1 else math.nan
        return (there - here) / self.unit

    def _from_zero(self, steps: float) -> float:
        if steps <= 0:
            return math.nan
        if self.low > 0 and self.high < math.inf:
            return math.sqrt(self.low * self.high) * 2 ** (steps - 1)
        return float(0.1 * 2 ** (steps - 1))

    def _rounded(self, value: float) -> Scalar | None:
        if self.scale == "near_one":
            return round(1 - float(f"{1 - value:.2g}"), 8)
        if not self.whole and self.scale == "linear":
            return float(round(value, -math.floor(math.log10(self.unit))))
        if not self.whole:
            return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
        if self.power_of_two and value > 0:
            number = 2 ** round(math.log2(value))
            return number if number >= 1 and self.low <= number <= self.high else None
        number = round(value)
        positive = isinstance(self.value, int) and self.value > 0 and self.low == -math.inf
        return None if positive and number < 1 else number


def axes(files: Mapping[str, str], ranges: Mapping[str, KnobRange]) -> list[Axis]:
    """The knobs of the Python files that may be turned, in the order in which they stand.

    Knobs that bound, feed, name or watch a run are left out, unless the person gave a range for them. Raises UsageError
    for a file that is not Python.
    """
    several = len(files) > 1
    found: list[Axis] = []
    for path, source in files.items():
        if path.endswith(".py"):
            words = alternatives(source)
            for name, knob in read_knobs(source).items():
                full = f"{path}:{name}" if several else name
                given = ranges.get(full, ranges.get(name))
                if given is None and _is_left_alone(knob):
                    continue
                axis = _axis(full, knob, given or KnobRange(), words.get(name, ()), given is not None)
                if axis is not None:
                    found.append(axis)
    return found


def shown(value: Scalar) -> str:
    """A value as it stands in Python source, words without quotes."""
    return written_float(value) if isinstance(value, float) else str(value)


def _is_left_alone(knob: Knob) -> bool:
    words = "_".join(re.findall(r"[a-z0-9]+", knob.name.rpartition(".")[2].lower()))
    return _NOT_A_SETTING.search(words) is not None or _BOUNDS_A_RUN.fullmatch(words) is not None


def _axis(full: str, knob: Knob, given: KnobRange, words: tuple[str, ...], in_range_file: bool) -> Axis | None:
    if given.fixed:
        return None
    normal = normal_knob(knob.name)
    prior = next((prior for pattern, prior in _PRIORS if pattern.search(normal)), _UNKNOWN)
    choices = given.choices or ((True, False) if knob.kind == "bool" else words if knob.kind == "choice" else ())
    if choices and knob.kind in ("int", "float") and all(_is_number(choice) for choice in choices):
        rungs = tuple(sorted({*choices, knob.value}, key=lambda rung: float(rung or 0)))
        return Axis(full, knob.value, "rungs", prior, choices=rungs)
    if choices:
        return Axis(full, knob.value, "choice", prior, choices=tuple(c for c in choices if c != knob.value))
    if not _is_number(knob.value):
        return None
    value = float(knob.value)
    low = given.low if given.low is not None else -math.inf
    high = given.high if given.high is not None else math.inf
    bounded = math.isfinite(low) and math.isfinite(high) and high > low
    whole = knob.kind == "int"
    power_of_two = whole and value > 0 and int(value) & (int(value) - 1) == 0
    if knob.kind == "float" and 0.8 <= value < 1 and _NEAR_ONE.search(normal):
        return Axis(full, knob.value, "near_one", prior, low, min(high, math.nextafter(1, 0)))
    if in_range_file and given.scale == "linear" and bounded:
        unit = (high - low) / STEPS_IN_A_RANGE
        return Axis(full, knob.value, "linear", prior, low, high, max(1.0, unit) if whole else unit, whole)
    if bounded and low > 0:
        unit = min(1.0, max(0.25, math.log2(high / low) / LEAST_STEPS_IN_A_RANGE))
        unit = max(1.0, unit) if power_of_two else unit
        return Axis(full, knob.value, "log", prior, low, high, unit, whole, power_of_two)
    if value == 0:
        known = knob.kind == "float" and _FROM_ZERO.search(normal) is not None
        return Axis(full, knob.value, "log", prior, low, min(high, 1.0)) if known else None
    if whole and value == -1:
        return None
    if knob.kind == "float" and 0 < value <= 1 and _AT_MOST_ONE.search(normal):
        high = min(high, 1.0)
    return Axis(full, knob.value, "log", prior, low, high, 1.0, whole, power_of_two)


def _is_number(value: Scalar) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def grid(axis: Axis, reach: int) -> Iterator[Scalar]:
    """All values within `reach` steps, nearest first; every alternative of a choice."""
    if axis.scale == "choice":
        yield from axis.choices
        return
    seen: set[Scalar] = {axis.value}
    for distance in range(1, reach + 1):
        for steps in (distance, -distance):
            value = axis.at(steps)
            if value is not None and value not in seen:
                seen.add(value)
                yield value
