"""A proposer without a model: turns the knobs of the editable files, one or two at a time, and learns from every run.

It sees settings and results only. Each measured change of one knob is an edge between two values of that knob; the
edges add up to what is known around its present value. From that every possible move gets an expected gain, and the
best ones are proposed: a direction that won goes on, one that lost clearly is turned round, a best value between two
losses is narrowed down, what is within the noise is left alone, and wins measured apart are put together. What was
measured under other settings fades with every knob turned since, so near misses and losses get a second chance.

Where every value is positive, gains are counted as ratios: a time that fell from 8 ms to 1 ms is no longer measured to
the tenth of a millisecond that was the noise at 8.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations, product
from statistics import fmean, median

from ...ledger import FAILED, Scalar
from ...memory.changes.knobs import set_knobs, settings
from . import Brief, Prompt, Proposal, Tried
from .moves import Axis, axes, grid, shown

#: Share of the last gain that the next step in the same direction is expected to bring.
GOES_ON = 0.5
#: Share of a loss that the opposite step is expected to bring: most authors' values are already good.
TURNS_ROUND = 0.3
#: What is left of a gain for every other knob turned since it was measured, and of one that the noise may have made.
CARRIES_OVER = 0.7
NEAR_MISS = 0.3
#: Chance, next to an untouched knob, of a move that lost or did nothing where all other settings were different.
SECOND_CHANCE = 0.3
#: What each alternative of a choice that was measured takes from the hope in the next one.
OTHER_WORD = 0.7
#: How far to look, in steps, before saying that nothing is left.
FARTHEST_STEPS = 6
MIXTURES_TO_TRY = 4096

_Key = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class _Edge:
    """One run that changed one knob: from, to, how much better it got (None: it failed), and what to call the run.

    `shown` is the gain in the metric's unit; `turned` is how many other knobs stand elsewhere by now.
    """

    old: Scalar
    new: Scalar
    gain: float | None
    shown: float
    label: str
    turned: int


@dataclass(frozen=True, slots=True)
class _Known:
    """What moving a knob from its present value to another is believed to bring, and the run that says so.

    `backward` says that the move would undo that run; `gain` is -inf where the value failed; `fresh` is 1 where nothing
    else was turned since, and falls towards 0.
    """

    gain: float
    edge: _Edge
    backward: bool
    fresh: float = 1.0


@dataclass(frozen=True, slots=True)
class _Move:
    values: Mapping[str, Scalar]
    expected: float
    why: str


class KnobProposer:
    """Searches the numeric, boolean and word settings of the editable Python files; deterministic given the brief.

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
    """All that one brief says, and the moves that follow from it."""

    def __init__(self, brief: Brief) -> None:
        self.brief = brief
        self.axes = {axis.name: axis for axis in axes(brief.files, brief.ranges)}
        self.random = random.Random(brief.seed)
        self.sign = 1.0 if brief.better == "higher" else -1.0
        self.noise = max(brief.sigma, 0.0) if brief.sigma is not None and math.isfinite(brief.sigma) else 0.0
        values = [value for tried in brief.tried for value in (tried.value, tried.parent_value) if value is not None]
        self.as_ratio = bool(values) and all(math.isfinite(value) and value > 0 for value in values)
        base = next((tried.parent_value for tried in brief.tried if tried.parent_value is not None), None)
        #: The noise in the unit in which gains are counted here.
        self.sigma = self.noise / base if self.as_ratio and base is not None else self.noise
        several = len(brief.files) > 1
        self.here: dict[str, Scalar] = {
            (f"{path}:{name}" if several else name): value
            for path, source in brief.files.items() if path.endswith(".py")
            for name, value in settings(source).items()
        }  # fmt: skip
        self.seen = {_key(self.here)}
        self.edges: dict[str, list[_Edge]] = {name: [] for name in self.axes}
        self.disappointed: Counter[tuple[str, str]] = Counter()
        gains = [gain for gain in map(self._learn, brief.tried, range(1, len(brief.tried) + 1)) if gain is not None]
        clear = [abs(gain) for gain in gains if abs(gain) > self.sigma]
        self.typical = max(2 * self.sigma, 0.5 * median(clear) if clear else 0.0) or 1e-9
        self.known = {name: self._around(axis) for name, axis in self.axes.items()}

    def _learn(self, tried: Tried, position: int) -> float | None:
        """Takes one run into account; returns its gain over its parent, positive when better, None if not measured."""
        if tried.status != "lost":
            self.seen.add(_key(tried.settings))
        if tried.parent_value is not None:
            self.seen.add(_key(tried.parent))
        gain: float | None = None
        difference = 0.0
        if tried.value is not None and tried.parent_value is not None:
            difference = self.sign * (tried.value - tried.parent_value)
            gain = self.sign * math.log(tried.value / tried.parent_value) if self.as_ratio else difference
        if gain is not None and not math.isfinite(gain):
            gain = None
        changed = [name for name, value in tried.settings.items() if not _close(value, tried.parent.get(name))]
        failed = tried.value is None and tried.status in FAILED - {"lost", "started", "blocked"}
        if len(changed) == 1 and changed[0] in self.edges and tried.parent and (gain is not None or failed):
            label = f"Run {tried.number}" if tried.number else f"Candidate {position}"
            others = (name for name in self.axes if name != changed[0])
            turned = sum(not _close(tried.parent.get(name), self.here[name]) for name in others)
            edge = _Edge(tried.parent.get(changed[0]), tried.settings[changed[0]], gain, difference, label, turned)
            self.edges[changed[0]].append(edge)
        elif failed or (gain is not None and gain <= self.sigma):
            self.disappointed.update((name, _text(tried.settings[name])) for name in changed)
        return gain

    def _around(self, axis: Axis) -> dict[Scalar, _Known]:
        """What is known of other values of a knob, added up along the runs that lead there from its present value."""
        found: dict[Scalar, _Known] = {}
        reached: list[tuple[Scalar, float]] = [(axis.value, 0.0)]
        for place, so_far in reached:  # grows while it is walked
            reports: dict[str, list[_Known]] = {}
            values: dict[str, Scalar] = {}
            for edge in self.edges[axis.name]:
                if _close(edge.old, place):
                    values[_text(edge.new)] = edge.new
                    gain = -math.inf if edge.gain is None else edge.gain
                    reports.setdefault(_text(edge.new), []).append(_Known(gain, edge, False))
                elif _close(edge.new, place) and edge.gain is not None:
                    values[_text(edge.old)] = edge.old
                    reports.setdefault(_text(edge.old), []).append(_Known(-edge.gain, edge, True))
            for text, value in values.items():
                if value is not None and not any(_close(value, other) for other in (axis.value, *found)):
                    gain = so_far + fmean(report.gain for report in reports[text])
                    latest = min(report.edge.turned for report in reports[text])
                    last = reports[text][-1]
                    found[value] = _Known(gain, last.edge, last.backward, CARRIES_OVER**latest)
                    if math.isfinite(gain):
                        reached.append((value, gain))
        return found

    # --- choosing

    def best(self, want: int) -> list[_Move]:
        """The `want` moves with the highest expected gain, each knob once as long as there are others."""
        chosen: list[_Move] = []
        taken = set(self.seen)
        for moves in self._rounds():
            order = list(moves)
            self.random.shuffle(order)
            order.sort(key=lambda move: -move.expected)
            for other_knobs_only in (True, False):
                for move in order:
                    if len(chosen) >= want:
                        return chosen
                    key = _key({**self.here, **move.values})
                    busy = {name for other in chosen for name in other.values}
                    if key not in taken and not (other_knobs_only and busy & set(move.values)):
                        taken.add(key)
                        chosen.append(move)
        return chosen

    def _rounds(self) -> Iterator[Iterable[_Move]]:
        """What evidence or a name speaks for, then what nothing speaks against, then farther steps, then anything."""
        every = [move for axis in self.axes.values() for move in self._single_moves(axis)]
        yield [move for move in (*every, *self._joint_moves()) if move.expected > 0]
        yield [move for move in every if -self.sigma <= move.expected <= 0]
        yield list(self._far_moves(2))
        yield [move for move in every if move.expected < -self.sigma]
        for reach in range(3, FARTHEST_STEPS + 1):
            yield list(self._far_moves(reach))
        yield list(self._failures())
        yield self._mixtures()
        for reach in range(2, FARTHEST_STEPS + 1):
            yield list(self._far_moves(reach, beyond=True))

    def _single_moves(self, axis: Axis) -> Iterator[_Move]:
        known = self.known[axis.name]
        for value, fact in known.items():
            if math.isfinite(fact.gain):
                yield self._again(axis, value, fact)
        if axis.scale == "choice":
            for value in axis.choices:
                if not any(_close(value, other) for other in known):
                    move = self._untouched(axis, value, 0.0, f"No run has tried {axis.name} = {shown(value)}")
                    yield replace(move, expected=move.expected * OTHER_WORD ** len(known))
            return
        places = sorted((axis.place(value), value) for value in known if math.isfinite(axis.place(value)))
        for side in (1.0, -1.0):
            ahead = min(((abs(place), value) for place, value in places if place * side > 0), default=None)
            behind = min(((abs(place), value) for place, value in places if place * side < 0), default=None)
            value = axis.at(side * ahead[0] / 2 if ahead else side)
            if value is not None and ahead is None:
                yield self._onward(axis, value, side, known[behind[1]] if behind else None)
            elif value is not None and ahead is not None and ahead[0] > 0.6 and not _close(value, ahead[1]):
                yield self._between(axis, value, ahead, behind)

    def _untouched(self, axis: Axis, value: Scalar, side: float, news: str = "") -> _Move:
        prior = axis.prior
        lean = 1.0 if not prior.first or not side or side == prior.first else 0.8
        why = f"{news or f'No run has turned {axis.name}'} yet, and {prior.why}."
        return _Move({axis.name: value}, self.typical * prior.weight * lean, why)

    def _onward(self, axis: Axis, value: Scalar, side: float, behind: _Known | None) -> _Move:
        """One step to where nothing was measured; `behind` is what is known of the other side."""
        if behind is None:
            return self._untouched(axis, value, side)
        values = {axis.name: value}
        story = self._story(axis, behind.edge)
        plain = self.typical * axis.prior.weight
        if math.isinf(behind.gain):
            return _Move(values, 0.5 * plain, f"{story}; the other way may run, and better.")
        if behind.gain > self.sigma:
            return _Move(values, 0.0, f"{story}; the other way is still open.")
        if abs(behind.gain) <= self.sigma:
            way = "one step farther" if behind.backward else "the other way"
            return _Move(values, 0.3 * plain, f"{story}, within the noise; {way} is still open.")
        if behind.backward:
            return _Move(values, -GOES_ON * behind.gain, f"{story}; one more step the same way may gain again.")
        expected = 0.3 * plain + TURNS_ROUND * min(-behind.gain, 3 * self.typical)
        return _Move(values, expected, f"{story}, so {axis.name} matters here; the other way may gain.")

    def _between(
        self, axis: Axis, value: Scalar, ahead: tuple[float, Scalar], behind: tuple[float, Scalar] | None
    ) -> _Move:
        """Half-way to the nearest measured value, worth what a parabola through the neighbours on both sides says."""
        known = self.known[axis.name]
        far, fact = ahead[0], known[ahead[1]]
        story = self._story(axis, fact.edge)
        if math.isinf(fact.gain):
            expected = 0.1 * self.typical * axis.prior.weight
            return _Move({axis.name: value}, expected, f"{story}; half of that step may run.")
        back = known[behind[1]] if behind else None
        if behind is None or back is None or math.isinf(back.gain):
            return _Move({axis.name: value}, 0.0, f"{story}; half of that step may be the right size.")
        if abs(fact.gain) <= self.sigma and abs(back.gain) <= self.sigma:
            return _Move({axis.name: value}, -self.sigma, f"{story}; a smaller step was never measured.")
        slope, other = fact.gain / far, back.gain / behind[0]
        bend = (slope + other) / (far + behind[0])
        there = bend * (far / 2) ** 2 + (slope - bend * far) * far / 2
        why = f"{story}, and {_lower(self._story(axis, back.edge))}; the best value may lie between."
        return _Move({axis.name: value}, 0.5 * there, why)

    def _again(self, axis: Axis, value: Scalar, fact: _Known) -> _Move:
        """A value that was measured before, now under other settings."""
        story = self._story(axis, fact.edge)
        doubt = 0.5 ** self.disappointed[(axis.name, _text(value))]
        if fact.gain > self.sigma:
            return _Move({axis.name: value}, CARRIES_OVER * fact.gain * doubt, f"{story}; it should hold here too.")
        hope = SECOND_CHANCE * self.typical * axis.prior.weight * (1 - fact.fresh) * doubt
        if fact.gain > NEAR_MISS * self.sigma:
            why = f"{story}: a near miss, and the settings around it have changed since."
            return _Move({axis.name: value}, NEAR_MISS * fact.gain * doubt + hope, why)
        # A loss costs one run, however deep it is, so what is feared is bounded.
        fear = min(-fact.gain, self.typical) * fact.fresh
        return _Move({axis.name: value}, hope - max(fear, 1e-12), f"{story}; {_changed(fact.edge.turned)}.")

    def _joint_moves(self) -> Iterator[_Move]:
        """Two changes at once that gained apart, each by enough to hope that both together show."""
        parts = [
            (axis, value, fact)
            for axis in self.axes.values()
            for value, fact in self.known[axis.name].items()
            if fact.gain > NEAR_MISS * self.sigma and not fact.backward
        ]
        for (one, first, fact), (two, second, other) in combinations(parts, 2):
            if one.name != two.name:
                doubt = self.disappointed[(one.name, _text(first))] + self.disappointed[(two.name, _text(second))]
                share = CARRIES_OVER if min(fact.gain, other.gain) > self.sigma else NEAR_MISS
                why = f"{self._story(one, fact.edge)}, and {_lower(self._story(two, other.edge))}; both may add up."
                expected = share * (fact.gain + other.gain) * 0.5**doubt
                yield _Move({one.name: first, two.name: second}, expected, why)

    def _far_moves(self, reach: int, beyond: bool = False) -> Iterator[_Move]:
        """Steps so far away where nothing was measured; `beyond`: also past a place that failed or lost clearly."""
        for axis in self.axes.values():
            for steps in (float(reach), float(-reach)):
                value = axis.at(steps)
                measured = any(_close(value, other) for other in self.known[axis.name])
                if value is not None and not measured and self._is_past_a_loss(axis, value) == beyond:
                    why = f"The steps near {axis.name} {shown(axis.value)} are used up; this one is {reach} steps away."
                    yield _Move({axis.name: value}, axis.prior.weight, why)

    def _failures(self) -> Iterator[_Move]:
        for axis in self.axes.values():
            for value, fact in self.known[axis.name].items():
                if math.isinf(fact.gain):
                    why = f"{self._story(axis, fact.edge)}; {_changed(fact.edge.turned)}."
                    yield _Move({axis.name: value}, axis.prior.weight, why)

    def _is_past_a_loss(self, axis: Axis, value: Scalar, below: float | None = None) -> bool:
        """Whether a value lies as far out as one that failed, or gained `below` at most: a clear loss, if not given."""
        place, least = axis.place(value), -2 * self.sigma if below is None else below
        lost = [axis.place(other) for other, fact in self.known[axis.name].items() if fact.gain <= least]
        return any(bad * place > 0 and abs(place) >= abs(bad) for bad in lost)

    def _failed_at(self, axis: Axis, value: Scalar) -> bool:
        same = any(math.isinf(fact.gain) and _close(value, bad) for bad, fact in self.known[axis.name].items())
        return same or self._is_past_a_loss(axis, value, -math.inf)

    def _mixtures(self) -> Iterator[_Move]:
        """Several knobs at once: all mixtures where they are few, else a sample of them drawn with the brief's seed."""
        options = [
            [axis.value, *(value for value in grid(axis, FARTHEST_STEPS) if not self._failed_at(axis, value))]
            for axis in self.axes.values()
        ]
        names = list(self.axes)
        if math.prod(map(len, options)) <= MIXTURES_TO_TRY:
            mixtures: Iterable[tuple[Scalar, ...]] = product(*options)
        else:
            mixtures = (self._drawn(options) for _ in range(MIXTURES_TO_TRY))
        for mixture in mixtures:
            values = {name: value for name, value in zip(names, mixture, strict=True) if value != self.here[name]}
            if values:
                why = f"Every single step was measured; this turns {' and '.join(values)} together."
                yield _Move(values, -float(len(values)), why)

    def _drawn(self, options: list[list[Scalar]]) -> tuple[Scalar, ...]:
        turned = set(self.random.sample(range(len(options)), min(len(options), self.random.choice((2, 2, 3)))))
        return tuple(self.random.choice(row) if i in turned else row[0] for i, row in enumerate(options))

    # --- wording

    def _story(self, axis: Axis, edge: _Edge) -> str:
        step = f"{edge.label} ({axis.name} {shown(edge.old)} -> {shown(edge.new)})"
        if edge.gain is None:
            return f"{step} failed"
        return f"{step} {'gained' if edge.gain > 0 else 'lost'} {abs(edge.shown):.3g} by then"

    def proposal(self, move: _Move) -> Proposal:
        changed: dict[str, dict[str, Scalar]] = {}
        for name, value in move.values.items():
            path, _, knob = name.rpartition(":")
            changed.setdefault(path or next(iter(self.brief.files)), {})[knob] = value
        text = ", ".join(f"{name} {shown(self.here[name])} -> {shown(value)}" for name, value in move.values.items())
        files = {path: set_knobs(self.brief.files[path], values) for path, values in changed.items()}
        return Proposal(text, move.why, files)


def _close(one: Scalar, other: Scalar) -> bool:
    if isinstance(one, bool) or isinstance(other, bool) or isinstance(one, str) or isinstance(other, str):
        return type(one) is type(other) and one == other
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-9)


def _text(value: Scalar) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return repr(value)
    return f"{value:.9g}"


def _key(values: Mapping[str, Scalar]) -> _Key:
    return frozenset((name, _text(value)) for name, value in values.items())


def _changed(turned: int) -> str:
    return f"{turned} other knob{'s' if turned != 1 else ''} stood elsewhere then"


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]
