"""Whether measurements of one change agree and, where they do not, under which setting the change helps.

Pure functions on numbers: gains with standard errors, and the settings that each was measured under. They know no run
and no table. Noise is one sigma for the whole campaign, estimated, so every normal or chi-squared tail of the sources
is replaced by Student's t or by F at the degrees of freedom of that estimate.

`bench/conflict_simulation.py` measures what the claims below are worth, against histories whose truth is known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .noise import Noise, f_tail, runs_to_settle, student_t_quantile

Status = Literal["replicated", "within noise", "conditional", "reversed", "stale", "unresolved"]
#: Of 100 changes without an interaction (an effect), this share may be called conditional or reversed (replicated).
ALPHA = 0.05
#: A context, and a claim, needs a change to have been seen at least so often: one run may be an outlier.
LEAST_SEEN = 2
#: A difference that would take more pairs than this to show is called noise, not unresolved.
MOST_PAIRS = 40


@dataclass(frozen=True, slots=True)
class Estimate:
    """A gain, positive is better, and its standard error."""

    gain: float
    error: float

    @property
    def t(self) -> float:
        if self.error > 0:
            return self.gain / self.error
        return math.copysign(math.inf, self.gain) if self.gain else 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One independent measurement of a change. `error` is None while the noise is unknown.

    `seen` counts the runs of the change behind it; the run that was screened before fresh pairs counts as one, though
    its value is not in the gain. `context` holds the settings it was made under, without the knob that changed.
    """

    gain: float
    error: float | None
    seen: int
    context: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What several measurements say together; `low` to `high` is 95 %, None while the noise is unknown.

    Where it is conditional or reversed, gain and interval are those under `condition`: settings that all went along
    with the difference, so that one of them is behind it, in alphabetical order. `pairs_to_settle` would show the gain
    8 times in 10 (in each context, where contexts disagree); None where nothing is open or no number can be given.
    """

    status: Status
    gain: float
    low: float | None = None
    high: float | None = None
    condition: tuple[tuple[str, str | None], ...] = ()
    pairs_to_settle: int | None = None


def judge(measured: Sequence[Measured], noise: Noise) -> Judgement:
    """What all measurements of one change say; needs at least one. Never says "stale": that is a matter of settings."""
    estimates = [Estimate(m.gain, m.error) for m in measured if m.error is not None]
    if not noise.known or len(estimates) < len(measured):
        return Judgement("unresolved", math.fsum(m.gain for m in measured) / len(measured))
    split = _context_that_matters(measured, noise.dof)
    if split is not None:
        return _under(split, noise)
    whole = pooled(estimates)
    low, high = _interval(whole, noise)
    if heterogeneity(estimates, noise.dof) <= ALPHA:
        gains = [e.gain for e in estimates]
        # The difference of two contexts has twice the variance of either, so it takes as many pairs in each of them
        # as an effect smaller by the square root of two.
        return Judgement("unresolved", whole.gain, low, high, (), _pairs((max(gains) - min(gains)) / 2**0.5, noise))
    to_settle = _pairs(whole.gain, noise)
    status: Status = "unresolved"
    if abs(whole.t) >= student_t_quantile(ALPHA / 2, noise.dof):
        if sum(m.seen for m in measured) >= LEAST_SEEN:
            return Judgement("replicated", whole.gain, low, high)
    elif abs(whole.t) <= 1 or to_settle is None or to_settle > MOST_PAIRS:
        status = "within noise"
    return Judgement(status, whole.gain, low, high, (), to_settle)


def pooled(estimates: Sequence[Estimate]) -> Estimate:
    """The mean weighted by inverse variance; estimates without error, where there are any, count alone.

    Cochran, The combination of estimates from different experiments, Biometrics 10 (1954), p. 101.
    """
    exact = [e.gain for e in estimates if e.error == 0]
    if exact:
        return Estimate(math.fsum(exact) / len(exact), 0.0)
    weights = [1 / e.error**2 for e in estimates]
    total = math.fsum(weights)
    return Estimate(math.fsum(w * e.gain for w, e in zip(weights, estimates, strict=True)) / total, total**-0.5)


def heterogeneity(estimates: Sequence[Estimate], dof: int) -> float:
    """The probability of estimates at least so different if all had one true gain.

    Cochran's Q (Biometrics 10, 1954) over its degrees of freedom against F; for two estimates that is the interaction
    contrast d = a - b with standard error sqrt(a.error^2 + b.error^2) against Student's t, two-sided.
    """
    if len(estimates) < 2:
        return 1.0
    middle = pooled(estimates)
    terms = [Estimate(e.gain - middle.gain, e.error).t ** 2 for e in estimates]
    return f_tail(math.fsum(terms) / (len(estimates) - 1), len(estimates) - 1, dof)


def reversal(estimates: Sequence[Estimate], dof: int) -> float:
    """The p-value against "no context has the opposite sign of another": small where the sign truly turns.

    Gail and Simon, Testing for qualitative interactions, Biometrics 41 (1985), p. 361: the smaller of the two sums of
    (gain / error)^2 over gains of one sign, against sum_h C(K-1, h) 2^-(K-1) P(chi2_h > q).
    """
    squares = [(e.gain > 0, e.t**2) for e in estimates if e.gain]
    smaller = min(math.fsum(q for up, q in squares if up is sign) for sign in (True, False))
    if not smaller > 0:
        return 1.0
    others = len(estimates) - 1
    return math.fsum(math.comb(others, h) / 2**others * f_tail(smaller / h, h, dof) for h in range(1, others + 1))


def benjamini_hochberg(probabilities: Sequence[float]) -> list[float]:
    """P-values adjusted for their number, in the given order; those up to q are false in a share of at most q.

    Benjamini and Hochberg, Journal of the Royal Statistical Society B 57 (1995), p. 289.
    """
    count = len(probabilities)
    adjusted, least = [1.0] * count, 1.0
    for rank, i in reversed(list(enumerate(sorted(range(count), key=probabilities.__getitem__), 1))):
        least = min(least, probabilities[i] * count / rank)
        adjusted[i] = least
    return adjusted


# --- contexts

_Cells = dict[str | None, list[Estimate]]


@dataclass(frozen=True, slots=True)
class _Split:
    """Measurements apart by the value of one setting; `keys` all part them in this same way."""

    keys: tuple[str, ...]
    cells: tuple[Estimate, ...]
    values: tuple[tuple[str | None, ...], ...]
    differ: float
    reverse: float


def _context_that_matters(measured: Sequence[Measured], dof: int) -> _Split | None:
    """The setting that best tells the gains apart, if it does so beyond chance for as many settings as were tried.

    Settings that moved together part the measurements alike: they are one test, and one answer with several names.
    """
    keys = sorted({key for m in measured for key in m.context})
    splits: dict[frozenset[frozenset[int]], list[str]] = {}
    for key in keys:
        by_value: dict[str | None, list[int]] = {}
        for i, m in enumerate(measured):
            by_value.setdefault(m.context.get(key), []).append(i)
        apart = frozenset(frozenset(g) for g in by_value.values() if sum(measured[i].seen for i in g) >= LEAST_SEEN)
        if len(apart) > 1:
            splits.setdefault(apart, []).append(key)
    found = []
    for parts, names in splits.items():
        groups = sorted(map(sorted, parts))
        cells = tuple(pooled([Estimate(measured[i].gain, measured[i].error or 0.0) for i in g]) for g in groups)
        values = tuple(tuple(measured[g[0]].context.get(name) for name in names) for g in groups)
        found.append(_Split(tuple(names), cells, values, heterogeneity(cells, dof), reversal(cells, dof)))
    adjusted = benjamini_hochberg([split.differ for split in found])
    best = min(
        zip(adjusted, found, strict=True), key=lambda pair: (pair[0], pair[1].differ, pair[1].keys), default=None
    )
    return best[1] if best is not None and best[0] <= ALPHA else None


def _under(split: _Split, noise: Noise) -> Judgement:
    """Names the context in which the change does best."""
    at = max(range(len(split.cells)), key=lambda i: split.cells[i].gain)
    status: Status = "reversed" if split.reverse <= ALPHA else "conditional"
    low, high = _interval(split.cells[at], noise)
    condition = tuple(zip(split.keys, split.values[at], strict=True))
    return Judgement(status, split.cells[at].gain, low, high, condition)


def _interval(estimate: Estimate, noise: Noise) -> tuple[float, float]:
    half = student_t_quantile(ALPHA / 2, noise.dof) * estimate.error
    return estimate.gain - half, estimate.gain + half


def _pairs(gain: float, noise: Noise) -> int | None:
    return runs_to_settle(abs(gain), noise) if gain else None
