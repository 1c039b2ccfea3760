"""Whether a measured change is real. Draft."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Literal

Better = Literal["lower", "higher"]
Pair = tuple[float, float]

_NORMAL = NormalDist()
_Z_POWER = _NORMAL.inv_cdf(0.8)


@lru_cache(maxsize=4096)
def student_t_quantile(tail: float, dof: int) -> float:
    if not 0.0 < tail <= 0.5:
        raise ValueError
    z = -_NORMAL.inv_cdf(tail)
    if dof > 200:
        z3, z5, z7 = z**3, z**5, z**7
        return (
            z
            + (z3 + z) / (4 * dof)
            + (5 * z5 + 16 * z3 + 3 * z) / (96 * dof**2)
            + (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * dof**3)
        )
    low, high = 0.0, 1.0
    while _t_tail(high, dof) > tail:
        high *= 2
    for _ in range(80):
        mid = (low + high) / 2
        if _t_tail(mid, dof) > tail:
            low = mid
        else:
            high = mid
    return (low + high) / 2


def _t_tail(t: float, dof: int) -> float:
    theta = math.atan2(t, math.sqrt(dof))
    sin, cos = math.sin(theta), math.cos(theta)
    term = total = 1.0 if dof % 2 == 0 else cos
    for j in range(2 if dof % 2 == 0 else 3, dof - 1, 2):
        term *= cos * cos * (j - 1) / j
        total += term
    if dof % 2 == 0:
        central = sin * total
    else:
        central = 2 / math.pi * (theta + (sin * total if dof > 1 else 0.0))
    return (1 - central) / 2


@dataclass(frozen=True, slots=True)
class Noise:
    sigma: float
    dof: int
    groups: int

    @classmethod
    def pooled(cls, groups: Iterable[Sequence[float]], prior_sigma: float | None = None, prior_dof: int = 3) -> Noise:
        squares, dof, used = 0.0, 0, 0
        for group in groups:
            v = [x for x in group if math.isfinite(x)]
            if len(v) < 2:
                continue
            shifted = [x - v[0] for x in v]
            mean = math.fsum(shifted) / len(v)
            squares += math.fsum((x - mean) ** 2 for x in shifted)
            dof += len(v) - 1
            used += 1
        if prior_sigma is not None:
            sigma = math.sqrt((prior_dof * prior_sigma**2 + squares) / (prior_dof + dof))
        else:
            sigma = math.sqrt(squares / dof) if dof else math.nan
        return cls(sigma, dof, used)

    @property
    def known(self) -> bool:
        return self.dof >= 3


def seed_correlation(races: Iterable[Sequence[Pair]]) -> float:
    cross = squares = 0.0
    pairs = 0
    for race_pairs in races:
        v = [p for p in race_pairs if math.isfinite(p[0]) and math.isfinite(p[1])]
        if len(v) < 2:
            continue
        pairs += len(v)
        a0 = math.fsum(a for a, _ in v) / len(v)
        b0 = math.fsum(b for _, b in v) / len(v)
        for a, b in v:
            cross += (a - a0) * (b - b0)
            squares += (a - a0) ** 2 + (b - b0) ** 2
    if pairs < 6 or squares == 0:
        return 0.0
    return min(0.9, max(0.0, 2 * cross / squares))


@dataclass(frozen=True, slots=True)
class Screen:
    outcome: str
    z: float
    gain: float
    n: int


def gain_of(candidate: float, champion: float, better: Better) -> float:
    return champion - candidate if better == "lower" else candidate - champion


def _ratio(a: float, b: float) -> float:
    if b > 0:
        return a / b
    return math.copysign(math.inf, a) if a else 0.0


def screen(value: float, champion_values: Sequence[float], noise: Noise, better: Better) -> Screen:
    if not math.isfinite(value):
        return Screen("discard", -math.inf, math.nan, 0)
    v = [x for x in champion_values if math.isfinite(x)]
    gain = gain_of(value, math.fsum(v) / len(v), better)
    z = _ratio(gain, noise.sigma * math.sqrt(1 + 1 / len(v)))
    return Screen("discard" if z <= 0.5 else "provisional" if z <= 1 else "race", z, gain, len(v))


@lru_cache(maxsize=4096)
def race_threshold(look: int, looks: int, z_star: float, dof: int) -> float:
    tail = _NORMAL.cdf(-z_star * math.sqrt(looks / look))
    return student_t_quantile(tail, dof)


@dataclass(frozen=True, slots=True)
class Race:
    decision: str
    n: int
    gain: float
    standard_error: float
    T: float
    threshold: float
    interval: tuple[float, float]
    mde: float


def race(
    pairs: Sequence[Pair], noise: Noise, better: Better, looks: int = 3, z_star: float = 1.64, rho: float = 0.0
) -> Race:
    n = len(pairs)
    gain = math.fsum(gain_of(a, b, better) for a, b in pairs) / n
    se = noise.sigma * math.sqrt(2 * (1 - rho) / n)
    T = _ratio(gain, se)
    thr = race_threshold(n, looks, z_star, noise.dof)
    if thr <= T:
        d = "confirmed"
    elif T < 0:
        d = "dropped"
    else:
        d = "inconclusive" if n >= looks else "continue"
    half = student_t_quantile(0.025, noise.dof) * se
    return Race(d, n, gain, se, T, thr, (gain - half, gain + half), 2.49 * se)
