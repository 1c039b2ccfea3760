"""A proposer without a model: turns the knobs of the editable files, one or two at a time, and learns from every run.

It sees settings and results only. Each measured change of one knob is an edge between two values of that knob; the
edges add up to what is known around its present value. From that every possible move gets an expected gain, and the
best ones are proposed: a direction that won goes on, one that lost clearly is turned round, a best value between two
losses is narrowed down, what is within the noise is left alone, wins measured apart are put together, and near misses
get a second chance under new settings.
"""

from __future__ import annotations

import math
import random
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, islice, product
from statistics import median

from ...ledger import Scalar
from ...memory.knobs import set_knobs
from . import Brief, Prompt, Proposal, Tried
from .moves import Axis, axes, grid, shown

#: Share of the last gain that the next step in the same direction is expected to bring.
GOES_ON = 0.5
#: Share of a loss that the opposite step is expected to bring: most authors' values are already good.
TURNS_ROUND = 0.3
#: Chance that a move on a knob which nobody has touched brings a typical gain, times the weight of its name.
UNTOUCHED = 1.0
#: What is left of a gain that was measured under other settings.
CARRIES_OVER = 0.7
NEAR_MISS = 0.3
#: How far to look, in steps, before saying that nothing is left.
FARTHEST_STEPS = 6
COMBINATIONS_TO_TRY = 4096

_Key = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class _Edge:
    """One run that changed one knob: from, to, how much better it got (None: it failed), and how to name the run."""

    old: Scalar
    new: Scalar
    gain: float | None
    label: str


@dataclass(frozen=True, slots=True)
class _Known:
    """What moving a knob from its present value to another is believed to bring, and the run that says so."""

    gain: float
    edge: _Edge
    backward: bool


@dataclass(frozen=True, slots=True)
class _Move:
    values: Mapping[str, Scalar]
    expected: float
    why: str


class KnobProposer:
    """Searches the numeric, boolean and word settings of the editable Python files; the same brief gives the same moves.

    Proposes nothing that was measured, or is being measured, under the same settings; returns fewer than `want` only
    where no knob can be turned to anything new.
    """

    name = "knobs"

    def propose(self, brief: Brief) -> Generator[Prompt, str, list[Proposal]]:
        """Asks no model. Raises UsageError where an editable Python file does not parse."""
        yield from ()
        search = _Search(brief)
        return [search.proposal(move) for move in search.best(brief.want)]


class _Search:
    def __init__(self, brief: Brief) -> None:
        self.brief = brief
        self.axes = {axis.name: axis for axis in axes(brief.files, brief.ranges)}
        self.random = random.Random(brief.seed)
        self.sign = 1.0 if brief.better == "higher" else -1.0
        known = brief.sigma is not None and math.isfinite(brief.sigma) and brief.sigma > 0
        self.sigma = float(brief.sigma or 0.0) if known else 0.0
        self.here = self._settings_here()
        self.measured = {_key(settings) for settings in self._seen_settings()}
        self.edges: dict[str, list[_Edge]] = {name: [] for name in self.axes}
        gains: list[float] = []
        for index, tried in enumerate(brief.tried, start=1):
            gain = self._gain(tried)
            changed = _changed(tried.parent, tried.settings)
            if gain is not None:
                gains.append(abs(gain))
            if len(changed) == 1 and changed[0] in self.edges and (gain is not None or _failed(tried)):
                name = changed[0]
                label = f"run {tried.number}" if tried.number else f"candidate {index}"
                self.edges[name].append(_Edge(tried.parent[name], tried.settings[name], gain, label))
        clear = [gain for gain in gains if gain > self.sigma]
        self.typical = max(2 * self.sigma, 0.5 * median(clear) if clear else 0.0) or 1e-9
        self.known = {name: self._around(axis) for name, axis in self.axes.items()}

    def _settings_here(self) -> dict[str, Scalar]:
        from ...memory.knobs import settings

        several = len(self.brief.files) > 1
        return {
            (f"{path}:{name}" if several else name): value
            for path, source in self.brief.files.items()
            if path.endswith(".py")
            for name, value in settings(source).items()
        }

    def _seen_settings(self) -> Iterator[Mapping[str, Scalar]]:
        yield self.here
        for tried in self.brief.tried:
            if tried.status != "lost":
                yield tried.settings
            if tried.parent_value is not None:
                yield tried.parent

    def _gain(self, tried: Tried) -> float | None:
        if tried.value is None or tried.parent_value is None:
            return None
        gain = self.sign * (tried.value - tried.parent_value)
        return gain if math.isfinite(gain) else None

    def _around(self, axis: Axis) -> dict[Scalar, _Known]:
        """What is known of other values of a knob, added up along the edges from its present value; failures as -inf."""
        found: dict[Scalar, _Known] = {}
        reached: list[tuple[Scalar, float]] = [(axis.value, 0.0)]
        while reached:
            place, so_far = reached.pop(0)
            sums: dict[Scalar, list[tuple[float, _Edge, bool]]] = {}
            for edge in self.edges[axis.name]:
                if _close(edge.old, place):
                    sums.setdefault(edge.new, []).append((-math.inf if edge.gain is None else edge.gain, edge, False))
                elif _close(edge.new, place) and edge.gain is not None:
                    sums.setdefault(edge.old, []).append((-edge.gain, edge, True))
            for value, reports in sums.items():
                if not _close(value, axis.value) and not any(_close(value, other) for other in found):
                    gain = so_far + sum(gain for gain, _, _ in reports) / len(reports)
                    found[value] = _Known(gain, reports[-1][1], reports[-1][2])
                    if math.isfinite(gain):
                        reached.append((value, gain))
        return found

    # --- choosing

    def best(self, want: int) -> list[_Move]:
        """The `want` moves with the highest expected gain, each knob once as long as there are others."""
        chosen: list[_Move] = []
        taken = set(self.measured)
        for moves in self._rounds():
            order = list(moves)
            self.random.shuffle(order)
            order.sort(key=lambda move: -move.expected)
            for fresh_knobs_only in (True, False):
                for move in order:
                    if len(chosen) >= want:
                        return chosen
                    key = _key({**self.here, **move.values})
                    used = {name for other in chosen for name in other.values}
                    if key not in taken and not (fresh_knobs_only and used & set(move.values)):
                        taken.add(key)
                        chosen.append(move)
        return chosen

    def _rounds(self) -> Iterator[Iterable[_Move]]:
        """Moves that evidence or a name speaks for; then second chances; then ever farther ones; then any mixture."""
        every = list(self._single_moves()) + list(self._joint_moves())
        yield [move for move in every if move.expected > 0]
        yield [move for move in every if move.expected <= 0 and move.expected > -math.inf]
        for reach in range(2, FARTHEST_STEPS + 1):
            yield list(self._far_moves(reach))
        yield self._mixtures()

    def _single_moves(self) -> Iterator[_Move]:
        for axis in self.axes.values():
            known = self.known[axis.name]
            for value, fact in known.items():
                if math.isfinite(fact.gain):
                    yield self._again(axis, value, fact)
            if axis.scale == "choice":
                for value in axis.choices:
                    if not any(_close(value, other) for other in known):
                        yield self._untouched(axis, value, 0.0)
            else:
                yield from self._steps(axis, known)

    def _steps(self, axis: Axis, known: Mapping[Scalar, _Known]) -> Iterator[_Move]:
        places = sorted((axis.place(value), value) for value in known if math.isfinite(axis.place(value)))
        for side in (1.0, -1.0):
            ahead = [(abs(place), value) for place, value in places if place * side > 0]
            behind = [(abs(place), value) for place, value in places if place * side < 0]
            nearest = min(ahead, key=lambda pair: pair[0], default=None)
            other = min(behind, key=lambda pair: pair[0], default=None)
            if nearest is None:
                value = axis.at(side)
                if value is not None:
                    yield self._onward(axis, value, known[other[1]] if other else None, side)
            elif nearest[0] > 0.6:
                value = axis.at(side * nearest[0] / 2)
                if value is not None and not _close(value, nearest[1]):
                    yield self._between(axis, value, side, nearest, other, known)

    def _untouched(self, axis: Axis, value: Scalar, side: float) -> _Move:
        prior = axis.prior
        lean = 1.0 if not prior.first or not side or side == prior.first else 0.8
        expected = UNTOUCHED * self.typical * prior.weight * lean
        return _Move({axis.name: value}, expected, f"No run has changed {axis.name} yet; {prior.why}.")

    def _onward(self, axis: Axis, value: Scalar, behind: _Known | None, side: float) -> _Move:
        """One step into where nothing was measured; `behind` is what is known on the other side."""
        if behind is None:
            return self._untouched(axis, value, side)
        values = {axis.name: value}
        if math.isinf(behind.gain):
            return _Move(
                values, 0.5 * self.typical * axis.prior.weight, f"{_story(axis, behind)}; the other way may run."
            )
        if abs(behind.gain) <= self.sigma:
            expected = 0.3 * self.typical * axis.prior.weight - abs(behind.gain) * 0.1
            return _Move(
                values, expected, f"{self._story(axis, behind)}, within the noise; the other way is still open."
            )
        if behind.gain > 0:
            return _Move(values, 0.0, f"{self._story(axis, behind)}; the other way is still open.")
        if behind.backward:
            return _Move(
                values,
                -GOES_ON * behind.gain,
                f"{self._story(axis, behind)}; one more step the same way may gain again.",
            )
        return _Move(
            values,
            -TURNS_ROUND * min(behind.gain, 0.0) * axis.prior.weight + 0.3 * self.typical * axis.prior.weight,
            f"{self._story(axis, behind)}, so {axis.name} matters here; the other way may gain.",
        )
