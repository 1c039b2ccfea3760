"""What each of several changes contributed to a run that made them together; on demand, nothing is stored.

A model of main effects and pairs is fitted to every combination that was measured, and a change gets its Shapley value
under it: its main effect and half of each of its pairs (Grabisch and Roubens, Int. J. Game Theory 28 (1999), p. 547).
With two changes and all four combinations that is the 2x2 estimate. Where pairs cannot be told: main effects alone, and
the answer says so. Where these cannot either, it says which runs would. Runs with equal settings count as equal code.
"""

from __future__ import annotations

import math
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

from ...ledger import UsageError
from .estimates import CampaignEffects, Side, named_values
from .noise import gain_of

Method = Literal["one change", "two by two", "pairs", "additive", "inseparable"]
_DRAWS = 4000
_MOST_KNOBS = 12
_Set = frozenset[str]


@dataclass(frozen=True, slots=True)
class Share:
    """What one knob, or two beyond the sum of each, contributed; positive is better. A gain of None cannot be told."""

    knobs: tuple[str, ...]
    change: str
    gain: float | None
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.gain is None:
            return "cannot be separated"
        return f"{self.gain:+.3g}" + (f"  ({self.low:+.3g} to {self.high:+.3g})" if self.low is not None else "")


@dataclass(frozen=True, slots=True)
class Combination:
    """Some of the changes without the others, as measured: the mean of `n` values of these runs."""

    knobs: tuple[str, ...]
    value: float
    n: int
    runs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Attribution:
    """The gain of `run` on `against` (numbers) in parts, with 95 % intervals where the noise is known."""

    campaign: str
    run: int
    against: int
    total: Share
    method: Method
    shares: tuple[Share, ...]
    interactions: tuple[Share, ...]
    measured: tuple[Combination, ...]
    missing: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"run {self.run} against run {self.against}: {self.total}"]
        width = max(len(share.change) for share in self.shares)
        lines += [f"  {share.change.ljust(width)}  {share}" for share in self.shares]
        for both in self.interactions:
            clear = both.low and both.high and both.low * both.high > 0
            told = "" if both.low is None else ", they interact" if clear else ", none that is visible"
            lines.append(f"  interaction of {both.change}: {both}{told}")
        lines.append(_HOW[self.method])
        for cell in self.measured:
            numbers = ", ".join(map(str, cell.runs[:8])) + (f" and {len(cell.runs) - 8} more" if cell.runs[8:] else "")
            whole = "all of them" if len(cell.knobs) == len(self.shares) else "none of them"
            some = f"{' and '.join(cell.knobs)} alone" if 0 < len(cell.knobs) < len(self.shares) else whole
            lines.append(f"  {'runs' if cell.runs[1:] else 'run'} {numbers}: {some}")
        lines += ["The noise of this campaign is unknown: no interval can be given."] if self.total.low is None else []
        lines += ["These runs would tell more:", *(f"  {text}" for text in self.missing)] if self.missing else []
        return "".join(c if c.isprintable() or c == "\n" else " " for c in "\n".join(lines))


_HOW: dict[Method, str] = {
    "one change": "It made one change.",
    "two by two": "Each change in the mean of both orders; all four combinations were measured:",
    "pairs": "Shapley values of main effects and pairs, fitted to the combinations that were measured:",
    "additive": "Only if the changes do not interact, which these combinations cannot show:",
    "inseparable": "What moved together in every run cannot be separated. Measured:",
}


def attribute(db: sqlite3.Connection, campaign: str, run: int) -> Attribution:
    """Splits the gain of a run on its nearest ancestor that differs in two knobs; UsageError where there is nothing."""
    book = _Book(db, campaign)
    ours = book.numbered(run)
    if ours.run not in book.settings:
        raise UsageError(f"what run {run} changed could not be read, so its gain cannot be split", "memex effects")
    base, knobs = ours, frozenset[str]()
    while len(knobs) < 2 and (older := book.runs[base.run][2]) is not None and older.run in book.settings:
        base, knobs = older, book.moved(older.run, ours.run)
    if not knobs:
        raise UsageError(f"run {run} has no measured ancestor that differs in a knob", f"memex attribute {run + 1}")
    if len(knobs) > _MOST_KNOBS:
        raise UsageError(f"run {run} moved {len(knobs)} knobs at once, too many to tell apart", "memex effects")
    return _solve(book, campaign, base, ours, sorted(knobs))


class _Book:
    """The measured runs of a campaign with the settings of each, recorded or replayed."""

    def __init__(self, db: sqlite3.Connection, campaign: str) -> None:
        self.effects = CampaignEffects(db, campaign)
        self.runs: dict[int, tuple[Side, str, Side | None]] = {}  # the run, its role, what it was made from
        known: dict[int, dict[str, str | None]] = defaultdict(dict)
        changed: dict[int, dict[str, str | None]] = defaultdict(dict)
        listed = "SELECT run, knob, settings.value FROM settings JOIN runs USING (run) WHERE campaign = ?"
        for run, knob, value in db.execute(listed, (campaign,)):
            known[run][knob] = value
        listed = "SELECT changes.* FROM changes JOIN runs USING (run) WHERE campaign = ?"
        for run, _, knob, *change, _ in db.execute(listed, (campaign,)):
            changed[run][knob] = named_values(*change)[1]
        listed = "SELECT run, parent, role FROM runs WHERE campaign = ? AND role <> 'final' ORDER BY number, id"
        for run, parent, role in db.execute(listed, (campaign,)).fetchall():
            if (side := self.effects.side(run)) is not None:
                before = self.effects.reference(side, parent)
                self.runs[run] = side, role, before
                if run not in known and before is not None and run in changed:
                    known[run] = {**self.effects.context(before.run), **changed[run]}
                elif run not in known and (role != "candidate" or before is None):
                    known[run] = dict(self.effects.context(run))
        self.settings: Mapping[int, Mapping[str, str | None]] = known

    def numbered(self, number: int) -> Side:
        for side, role, _ in self.runs.values():
            if side.number == number and role != "pair":
                return side
        raise UsageError(f"no run {number} was measured", 'memex sql "select number, status from runs"')

    def moved(self, base: int, other: int) -> _Set:
        before, after = self.settings.get(base, {}), self.settings.get(other, {})
        return frozenset(knob for knob in {**before, **after} if before.get(knob) != after.get(knob))

    def combinations(self, base: Side, ours: Side, knobs: _Set) -> dict[_Set, Combination]:
        """Every measured run that made some of the changes and no other; values that nobody selected come first."""
        found: dict[_Set, list[tuple[bool, Side]]] = defaultdict(list)
        for run in self.settings:
            moved = self.moved(base.run, run)
            if run in self.runs and moved <= knobs and not moved & self.moved(run, ours.run):
                side, role, _ = self.runs[run]
                end = base if not moved else ours if moved == knobs else side
                if run == end.run or side.commit == end.commit != "":
                    found[moved].append((role in ("baseline", "pair"), side))
        result = {}
        for subset, members in sorted(found.items(), key=lambda item: (len(item[0]), sorted(item[0]))):
            used = [side for fresh, side in members if fresh] or [side for _, side in members]
            mean = math.fsum(side.value for side in used) / len(used)
            result[subset] = Combination(tuple(sorted(subset)), mean, len(used), tuple(side.number for side in used))
        return result


def _solve(book: _Book, campaign: str, base: Side, ours: Side, knobs: Sequence[str]) -> Attribution:
    import numpy as np  # here, so that other commands do not wait for it

    cells = book.combinations(base, ours, frozenset(knobs))
    noise, subsets, pairs = book.effects.noise.alone, list(cells), list(combinations(knobs, 2))
    gains = np.array([gain_of(cell.value, 0.0, book.effects.better) for cell in cells.values()])
    counts = np.array([float(cell.n) for cell in cells.values()])

    def fit(subsets: Sequence[_Set], counts: Any, with_pairs: bool) -> Any:
        """A row for each knob's share, then for each pair: the weights of the cells in it, or NaN."""
        terms: list[tuple[str, ...]] = [(), *((knob,) for knob in knobs), *(pairs if with_pairs else ())]
        wanted = [[1.0 if t == (k,) else 0.5 * (k in t and len(t) == 2) for t in terms] for k in knobs]
        wanted += [[float(t == pair) for t in terms] for pair in pairs if with_pairs]
        root = np.sqrt(counts)[:, None]
        design = root * np.array([[float(set(term) <= subset) for term in terms] for subset in subsets])
        inverse, rows = np.linalg.pinv(design), np.array(wanted)
        told = np.abs(rows - rows @ (inverse @ design)).max(axis=1) < 1e-8
        return np.where(told[:, None], rows @ (inverse * root.T), np.nan)

    weights = fit(subsets, counts, True)
    method: Method = "two by two" if len(knobs) == 2 and len(cells) == 4 else "pairs"
    if len(knobs) == 1:
        method = "one change"
    elif np.isnan(weights[: len(knobs)]).any():
        weights = fit(subsets, counts, False)
        method = "inseparable" if np.isnan(weights).any() else "additive"
    draws = None
    if noise.known:  # parametric bootstrap: cells drawn afresh with a sigma as uncertain as the estimate is
        rng = np.random.default_rng(ours.number)
        sigma = noise.sigma * np.sqrt(noise.dof / rng.chisquare(noise.dof, (_DRAWS, 1)))
        draws = gains + sigma * rng.standard_normal((_DRAWS, len(gains))) / np.sqrt(counts)

    def share(names: tuple[str, ...], text: str, row: Any) -> Share:
        if np.isnan(row).any():
            return Share(names, text, None)
        low, high = np.quantile(draws @ row, [0.025, 0.975]).tolist() if draws is not None else (None, None)
        return Share(names, text, float(gains @ row), low, high)

    before, after = ({k: book.settings[run].get(k) or "none" for k in knobs} for run in (base.run, ours.run))
    missing: list[str] = []
    if method in ("additive", "inseparable"):
        for subset in (frozenset(c) for size in (1, len(knobs) - 1, 2) for c in combinations(knobs, size)):
            open_shares = fit(subsets, np.ones(len(subsets)), method == "additive")[: len(knobs)]
            if subset not in subsets and np.isnan(open_shares).any():
                subsets.append(subset)
                moved = " and ".join(f"{knob} = {after[knob]}" for knob in sorted(subset))
                missing.append(f"run {base.number} with {moved} and nothing else")
    ends = np.array([float(len(subset) == len(knobs)) - float(not subset) for subset in cells])
    both = [share(p, " and ".join(p), row) for p, row in zip(pairs, weights[len(knobs) :], strict=False)]
    shares = [share((k,), f"{k} {before[k]} → {after[k]}", row) for k, row in zip(knobs, weights, strict=False)]
    return Attribution(
        campaign, ours.number, base.number, share(tuple(knobs), "all together", ends), method, tuple(shares),
        tuple(one for one in both if one.gain is not None), tuple(cells.values()), tuple(missing),
    )  # fmt: skip
