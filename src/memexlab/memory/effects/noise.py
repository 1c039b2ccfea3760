"""How large the noise of a metric is, and what it lets one see; `noise_floor` reads it from the runs of a campaign.

Verdicts, effects, briefing, report and answers take it from there, so that one lab shows one sigma.
"""

from __future__ import annotations

import math
import sqlite3
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Literal

from ...ledger import FAILED, UsageError

Better = Literal["lower", "higher"]
LEAST_DOF = 3
#: What the scatter of single runs weighs against that of differences, in degrees of freedom.
PRIOR_DOF = 6

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Noise:
    """The noise floor of one campaign: sigma, the degrees of freedom behind it, the groups pooled.

    Sigma is that of one side of a pair, by which verdicts judge. Until races tell it apart it is the scatter of single
    runs, `alone`, which is all that counts where two runs did not share a seed.
    """

    sigma: float
    dof: int
    groups: int
    single: Noise | None = None

    @property
    def alone(self) -> Noise:
        return self.single or self

    def __str__(self) -> str:
        freedom = f"{self.dof} degree{'s' * (self.dof != 1)} of freedom"
        if self.single is None:
            return f"sigma {self.sigma:.2g}, the scatter of single runs ({freedom})"
        told = f"sigma {self.sigma:.2g} of one side of a pair ({freedom})"
        return f"{told}; single runs scatter by {self.single.sigma:.2g}"

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
        return Noise(math.sqrt(total / (weight + pairs.dof)), max(LEAST_DOF, dof), self.groups, self)

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


#: Candidate and champion, measured side by side on one seed that the harness chose.
Pair = tuple[float, float]
#: How many drifts of the machine came before, and a commit.
Spell = tuple[int, str]
_LAST = 1 << 60
_FAILED = ",".join(f"'{status}'" for status in sorted(FAILED))


def noise_floor(db: sqlite3.Connection, campaign: str, before: int | None = None) -> Noise:
    """Of all repeats of one commit, and of the differences within the fresh pairs of two; `before` leaves out runs
    from that number on."""
    races = races_of(db, campaign, before).values()
    return Noise.pooled(fresh_by_spell(db, campaign, before).values()).within_pairs(races)


def fresh_values(db: sqlite3.Connection, campaign: str, before: int | None = None) -> Mapping[str, Sequence[float]]:
    """Values by commit that nobody selected for being good: baseline repeats and fresh pairs, sorted; where the machine
    drifted, those of the first spell in which there are any."""
    found: dict[str, Sequence[float]] = {}
    for (_, commit), values in sorted(fresh_by_spell(db, campaign, before).items()):
        found.setdefault(commit, values)
    return found


def fresh_means(db: sqlite3.Connection, campaign: str) -> dict[str, tuple[float, int]]:
    """What a commit is worth where it was measured again: the mean of its fresh values and their number."""
    every = fresh_values(db, campaign).items()
    return {commit: (math.fsum(values) / len(values), len(values)) for commit, values in every}


def fresh_by_spell(db: sqlite3.Connection, campaign: str, before: int | None = None) -> dict[Spell, list[float]]:
    """Values that nobody selected for being good, by spell between two `drifts` and by commit, sorted."""
    turns = drifts(db, campaign, before)
    found: dict[Spell, list[float]] = defaultdict(list)
    for number, commit, value in _fresh(db, campaign, before):
        found[bisect_right(turns, number), commit].append(value)
    return found


def drifts(db: sqlite3.Connection, campaign: str, before: int | None = None) -> list[int]:
    """Numbers of the controls that show another machine than before: what ran before and after is not compared.

    A control is the champion measured again with no candidate beside it. It shows a drift where it lies where one in
    a hundred would, by Student's t, of the values of its commit in this spell.
    """
    found: list[int] = []
    controls = db.execute(
        "SELECT number, commit_id, value FROM runs WHERE campaign = ? AND role = 'control' AND value IS NOT NULL"
        f" AND status NOT IN ({_FAILED}) AND number < ? ORDER BY number",
        (campaign, before or _LAST),
    ).fetchall()
    for number, commit, value in controls:
        groups: dict[Spell, list[float]] = defaultdict(list)
        for earlier, of, measured in _fresh(db, campaign, number):
            groups[bisect_right(found, earlier), of].append(measured)
        noise, known = Noise.pooled(groups.values()), groups.get((len(found), commit), [])
        if noise.known and known:
            error = noise.sigma * math.sqrt(1 + 1 / len(known))
            if abs(value - math.fsum(known) / len(known)) > student_t_quantile(0.005, noise.dof) * error:
                found.append(number)
    return found


def _fresh(db: sqlite3.Connection, campaign: str, before: int | None) -> list[tuple[int, str, float]]:
    roles = "role IN ('baseline', 'pair', 'control') AND value IS NOT NULL"
    return db.execute(
        "SELECT number, commit_id, value FROM runs INDEXED BY runs_fresh WHERE campaign = ? AND commit_id <> ''"
        f" AND {roles} AND status NOT IN ({_FAILED}) AND number < ? ORDER BY value",
        (campaign, before or _LAST),
    ).fetchall()


def races_of(db: sqlite3.Connection, campaign: str, before: int | None = None) -> dict[tuple[str, ...], list[Pair]]:
    """All fresh pairs of a campaign by the two commits, in order: what was measured side by side on one seed.

    A side that crashed has NaN: a candidate that does not run on every seed is no winner. One that was interrupted or
    ran out of time says nothing, nor does its pair.
    """
    half: dict[int, tuple[str, float | None]] = {}
    races: dict[tuple[str, ...], list[Pair]] = defaultdict(list)
    for seed, commit, value, status in db.execute(
        "SELECT seed, commit_id, value, status FROM runs INDEXED BY runs_fresh WHERE campaign = ?"
        " AND role = 'pair' AND role IN ('baseline', 'pair', 'control') AND seed IS NOT NULL AND commit_id <> ''"
        " AND number < ? ORDER BY number, id",
        (campaign, before or _LAST),
    ):
        value = math.nan if status in ("crash", "invalid") else value
        if half.get(seed, (commit, None))[0] == commit:
            half[seed] = commit, value
            continue
        (first, one), (second, two) = sorted([half.pop(seed), (commit, value)], key=lambda side: side[0])
        if one is not None and two is not None:
            races[first, second].append((one, two))
    return races


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

    Bisection on the tail of F, which is that of t squared; above 200 the expansion of Abramowitz and Stegun 26.7.5.
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
    while f_tail(high**2, 1, dof) / 2 > tail:
        low, high = high, 2 * high
    while low < (middle := (low + high) / 2) < high:
        if f_tail(middle**2, 1, dof) / 2 > tail:
            low = middle
        else:
            high = middle
    return high


def f_tail(f: float, h: int, dof: int) -> float:
    """P(F > f) for F with `h` and `dof` degrees of freedom: Abramowitz and Stegun 26.6.2."""
    if not f > 0:
        return 1.0
    return _incomplete_beta(dof / (dof + h * f), dof / 2, h / 2)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function by its continued fraction, DLMF 8.17.22, evaluated after Lentz."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(1 - x, b, a)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    tiny = 1e-300
    c = 1.0
    value = d = 1 / ((1 - (a + b) * x / (a + 1)) or tiny)
    for m in range(1, 400):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / ((1 + term * d) or tiny)
            c = (1 + term / c) or tiny
            value *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return math.exp(log_front) * value / a
