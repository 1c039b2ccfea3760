"""How large the noise of a metric is, and what it lets one see. Knows numbers only, no run and no decision."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Literal

from ..ledger.errors import UsageError

Better = Literal["lower", "higher"]
LEAST_DOF = 3
#: What the scatter of single runs weighs against that of differences, in degrees of freedom.
PRIOR_DOF = 6

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Noise:
    """The noise floor of one campaign: sigma of a single run, the degrees of freedom behind it, the groups pooled."""

    sigma: float
    dof: int
    groups: int

    @classmethod
    def pooled(cls, groups: Iterable[Sequence[float]]) -> Noise:
        """Pool the variance within groups of repeats of one setting.

        Values that are not finite are left out; a group of fewer than two values says nothing. Groups that were
        chosen for their values (screening runs of the winners) do not belong here. Sigma is NaN without data.
        """
        squares: list[float] = []
        dof = used = 0
        for group in groups:
            values = [value for value in group if math.isfinite(value)]
            if len(values) < 2:
                continue
            shifted = [value - values[0] for value in values]  # equal values then give exactly zero
            mean = math.fsum(shifted) / len(values)
            squares.extend((value - mean) ** 2 for value in shifted)
            dof += len(values) - 1
            used += 1
        return cls(math.sqrt(math.fsum(squares) / dof) if dof else math.nan, dof, used)

    def within_pairs(self, races: Iterable[Sequence[tuple[float, float]]]) -> Noise:
        """This noise of single runs, corrected by how much the difference of two sides of a pair scatters in a race.

        What both sides share (a seed, a slow minute of the machine) is noise of single runs and none of a difference.
        So the variance is a weighted mean: half the variance of differences within races, with its own degrees of
        freedom, and that of single runs, which counts for `PRIOR_DOF`. Sigma stays that of one side, so that a
        difference has `sqrt(2)` of it. The degrees of freedom are Satterthwaite's, and at most those of the weights.
        """
        pairs = Noise.pooled([mine - theirs for mine, theirs in race] for race in races)
        if not pairs.dof or not self.known:
            return self
        weight = min(PRIOR_DOF, self.dof)
        single, paired = weight * self.sigma**2, pairs.dof * pairs.sigma**2 / 2
        dof, total = weight + pairs.dof, single + paired
        if total > 0:
            dof = min(dof, math.floor(total**2 / (single**2 / self.dof + paired**2 / pairs.dof)))
        return Noise(math.sqrt(total / (weight + pairs.dof)), max(LEAST_DOF, dof), self.groups)

    @property
    def known(self) -> bool:
        """Whether there is enough data for any verdict: four repeats of one setting, or as much from several."""
        return self.dof >= LEAST_DOF

    def require(self) -> None:
        """Raises UsageError where the noise is not known."""
        if not self.known:
            raise UsageError(
                f"the noise floor rests on {self.dof} degrees of freedom, a verdict needs {LEAST_DOF}",
                hint="measure the baseline four times before the first candidate",
            )


def minimum_detectable_effect(noise: Noise, n: int) -> float:
    """The smallest gain, in the metric's unit, that `n` pairs show 8 times in 10 at one-sided 5 %."""
    noise.require()
    return detection_factor(noise.dof) * paired_standard_error(noise, n)


def runs_to_settle(effect: float, noise: Noise) -> int:
    """Runs a side (that many of the candidate and as many of the champion) to show `effect` 8 times in 10 at 5 %."""
    if not effect > 0:
        raise ValueError("runs_to_settle() needs an effect above 0")
    one_pair = minimum_detectable_effect(noise, 1)
    return max(1, math.ceil((one_pair / effect) ** 2))


def gain_of(candidate: float, champion: float, better: Better) -> float:
    """How much better the candidate is, in the metric's unit; positive is better."""
    if better == "lower":
        return champion - candidate
    if better == "higher":
        return candidate - champion
    raise ValueError(f"better is 'lower' or 'higher', not {better!r}")


def paired_standard_error(noise: Noise, n: int) -> float:
    """Of the mean of `n` differences within pairs."""
    if n < 1:
        raise ValueError(f"no standard error for {n} pairs")
    return noise.sigma * math.sqrt(2 / n)


def detection_factor(dof: int) -> float:
    """Standard errors that an effect must have to show 8 times in 10 at one-sided 5 %."""
    return student_t_quantile(0.05, dof) + student_t_quantile(0.2, dof)


@lru_cache(maxsize=4096)
def student_t_quantile(tail: float, dof: int) -> float:
    """The t that Student's distribution exceeds with probability `tail`, which is above 0 and at most 0.5.

    Bisection on the closed form for whole degrees of freedom; above 200 the expansion of Abramowitz and Stegun 26.7.5.
    """
    if not 0 < tail <= 0.5 or dof < 1:
        raise ValueError(f"no t quantile for tail {tail} and {dof} degrees of freedom")
    if dof > 200:
        z = -_NORMAL.inv_cdf(tail)
        first = (z**3 + z) / 4
        second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
        third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
        return z + first / dof + second / dof**2 + third / dof**3
    low, high = 0.0, 1.0
    while _student_t_tail(high, dof) > tail:
        low, high = high, 2 * high
    while low < (middle := (low + high) / 2) < high:
        if _student_t_tail(middle, dof) > tail:
            low = middle
        else:
            high = middle
    return high


def _student_t_tail(t: float, dof: int) -> float:
    """P(T > t) for t >= 0, Abramowitz and Stegun 26.7.3 and 26.7.4."""
    theta = math.atan2(t, math.sqrt(dof))
    cosine = math.cos(theta)
    even = dof % 2 == 0
    term = total = 1.0 if even else cosine
    for step in range(2 if even else 3, dof - 1, 2):
        term *= cosine * cosine * (step - 1) / step
        total += term
    series = math.sin(theta) * total if dof > 1 else 0.0
    central = series if even else 2 / math.pi * (theta + series)
    return (1 - central) / 2
