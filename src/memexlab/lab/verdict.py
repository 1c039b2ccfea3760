"""Whether a measured change is real: "move cheaply, believe slowly".

Knows numbers only: repeats of one setting, a screening value, pairs of candidate and champion on one seed. Knows no
run, no file, no clock, and does not decide what to measure next; the caller measures, asks, and obeys. Direction is a
parameter, and every gain is positive when the candidate is better.

One run *screens* a candidate. Above z = 1 it earns a *race*: up to three looks, each one fresh pair measured on one
seed side by side; the screening value is never used again, because it was selected for being high. Only a race
confirms. The working branch may move on less (`provisional`).

The rule follows the O'Brien-Fleming shape (Biometrics 35, 1979, p. 549) with two corrections for a sigma that rests on
four repeats at first. `bench/verdict_simulation.py` measured them, in campaigns of 400 runs. They are no rescue, they
make a fair rule stricter: without either, and without seed correlation, 5 % of confirmed wins are false while gains
are large, and 20 % when most gains are below one sigma.

- *Student t instead of normal thresholds*, at the degrees of freedom of the noise. Normal ones leave 4.6 instead of
  3.5 % of wins false with large gains, 20 instead of 15 % with small ones, and the share of campaigns that confirm more
  than 2 % of 200 candidates identical to the champion is 3.1 instead of 0.7 %. It is 9 % if sigma is never updated, so
  the values of every race belong back in `Noise.pooled`.
- *Seed correlation is centred within each race and shrunk* by three degrees of freedom. Raw pairs of a whole campaign
  correlate by the campaign's own progress, not by the seed. Centred but not shrunk, it leaves 6.8 instead of 4.5 % of
  wins false (small gains, true correlation 0.6), and intervals of wins cover 86 instead of 93 %.

Together they cost 2 to 5 % of a campaign's true gain. A compulsory second look was measured too and is not used: no
share of false wins moved by more than 0.4 points.

What is not corrected: a race that stops early because it went well overstates its gain. The 95 % interval of a
*confirmed* gain covers the truth in 89 to 96 % of wins while gains are large, in 75 (no seed correlation) to 93 % when
most are below one sigma; a later paired re-test of the champion against its ancestor is the cure. And one correlation
serves all edits: where half of them reshuffle what a seed means, false wins are 3 % with large gains, 14 % with small.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Literal

from ..memory.noise import (
    Better,
    Noise,
    gain_of,
    minimum_detectable_effect,
    paired_standard_error,
    student_t_quantile,
)

Outcome = Literal["discard", "provisional", "race"]
Decision = Literal["continue", "confirmed", "dropped", "inconclusive"]
#: Candidate and champion, measured side by side on one seed that the harness chose.
Pair = tuple[float, float]

DISCARD_AT_Z = 0.5
RACE_ABOVE_Z = 1.0
#: A working branch may move on a fresh gain above this many sigma.
PROVISIONAL_SIGMAS = 0.5
#: A simpler candidate is kept unless it loses more than this many sigma.
SIMPLER_MAY_LOSE_SIGMAS = 0.5
SUSPICIOUS_SIGMAS = 8.0
LEAST_PAIRS_FOR_CORRELATION = 6
CORRELATION_PRIOR_DOF = 3
HIGHEST_CORRELATION = 0.9

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Screen:
    """What one run of a candidate says against the mean of `n` fresh champion runs; never proof."""

    outcome: Outcome
    z: float
    gain: float
    n: int

    def numbers(self) -> dict[str, float | int]:
        """The finite numbers, to be written into a verdict."""
        return _finite({"z": self.z, "gain": self.gain, "n": self.n})


@dataclass(frozen=True, slots=True)
class Race:
    """What the pairs so far say: mean gain with its standard error, T and the threshold at this look.

    `interval` is 95 %, two-sided; `mde` the smallest effect that `n` pairs would show 8 times in 10 (one-sided 5 %).
    With no usable pair (`n` = 0) the numbers are NaN.
    """

    decision: Decision
    n: int
    gain: float
    standard_error: float
    T: float
    threshold: float
    interval: tuple[float, float]
    mde: float

    def numbers(self) -> dict[str, float | int]:
        """The finite numbers, to be written into a verdict."""
        return _finite(
            {
                "n": self.n,
                "gain": self.gain,
                "standard_error": self.standard_error,
                "T": self.T,
                "threshold": self.threshold,
                "low": self.interval[0],
                "high": self.interval[1],
                "mde": self.mde,
            }
        )


def screen(value: float, champion_values: Sequence[float], noise: Noise, better: Better) -> Screen:
    """Judge one run of a candidate: z up to 0.5 is discarded, up to 1 provisional, above 1 worth a race.

    `champion_values` are fresh runs of what the candidate was made from, without the screening run that chose it. A
    value that is not finite never wins. Raises UsageError while the noise is unknown.
    """
    noise.require()
    champion = [measured for measured in champion_values if math.isfinite(measured)]
    if not champion:
        raise ValueError("screen() needs at least one finite value of the champion")
    if not math.isfinite(value):
        return Screen("discard", -math.inf, math.nan, len(champion))
    shifted = [gain_of(value, measured, better) for measured in champion]
    gain = math.fsum(shifted) / len(champion)
    z = _in_units_of(gain, noise.sigma * math.sqrt(1 + 1 / len(champion)))
    outcome: Outcome = "discard" if z <= DISCARD_AT_Z else "provisional" if z <= RACE_ABOVE_Z else "race"
    return Screen(outcome, z, gain, len(champion))


def race(
    pairs: Sequence[Pair], noise: Noise, better: Better, looks: int = 3, z_star: float = 1.64, rho: float = 0.0
) -> Race:
    """Judge a race after its latest pair; call it after every pair and stop when it no longer says "continue".

    Confirmed when T reaches the threshold of this look, dropped when T is below 0 or a candidate's value is not
    finite, inconclusive when the looks are used up. A pair whose champion failed uses up a look and proves nothing.
    Give fresh pairs only, and `rho` from `seed_correlation`. Raises UsageError while the noise is unknown.
    """
    noise.require()
    if not pairs:
        raise ValueError("race() needs at least one pair")
    usable = [pair for pair in pairs if math.isfinite(pair[0]) and math.isfinite(pair[1])]
    if any(not math.isfinite(candidate) for candidate, _ in pairs):
        return _without_numbers("dropped")
    if not usable:
        return _without_numbers("inconclusive" if len(pairs) >= looks else "continue")
    n = len(usable)
    gain = math.fsum(gain_of(candidate, champion, better) for candidate, champion in usable) / n
    error = paired_standard_error(noise, n, rho)
    t = _in_units_of(gain, error)
    threshold = race_threshold(min(n, looks), looks, z_star, noise.dof)
    decision: Decision
    if t >= threshold:
        decision = "confirmed"
    elif t < 0:
        decision = "dropped"
    else:
        decision = "inconclusive" if len(pairs) >= looks else "continue"
    half = student_t_quantile(0.025, noise.dof) * error
    return Race(
        decision=decision,
        n=n,
        gain=gain,
        standard_error=error,
        T=t,
        threshold=threshold,
        interval=(gain - half, gain + half),
        mde=minimum_detectable_effect(noise, n, rho),
    )


def provisional(screened: Screen, pairs: Sequence[Pair], noise: Noise, better: Better) -> bool:
    """Whether the working branch may move: z above 0.5, and a mean gain above 0.5 sigma over all fresh pairs.

    With one pair this is the rule for the provisional lane; with more it serves after an inconclusive race.
    """
    noise.require()
    gains = [gain_of(candidate, champion, better) for candidate, champion in pairs]
    if screened.z <= DISCARD_AT_Z or not gains or not all(map(math.isfinite, gains)):
        return False
    return math.fsum(gains) / len(gains) > PROVISIONAL_SIGMAS * noise.sigma


def simplification(judged: Race, noise: Noise, looks: int = 3) -> bool:
    """Whether a candidate that is simpler may be kept as a tie: |T| below 1 and a loss below 0.5 sigma, on all looks.

    Fewer pairs are never enough: a tie is cheap to reach by measuring little. A caller who wants this goes on
    measuring after "dropped". It keeps the shorter code; it is no win.
    """
    return judged.n >= looks and abs(judged.T) < 1 and judged.gain > -SIMPLER_MAY_LOSE_SIGMAS * noise.sigma


def suspicious(gain: float, noise: Noise) -> bool:
    """Whether a gain is above 8 sigma and wants an audit for leaks and reward hacking.

    A flag for the caller, not a verdict: on a fresh target honest first gains of 10 to 25 sigma are common. Where
    sigma is 0 (a metric without noise) there is no scale and nothing is flagged.
    """
    return noise.sigma > 0 and gain > SUSPICIOUS_SIGMAS * noise.sigma


def seed_correlation(races: Iterable[Sequence[Pair]]) -> float:
    """How much one seed moves candidate and champion alike, from past races, each a sequence of its pairs.

    Centred within each race, because across races both sides improve together; so a race of one pair says nothing.
    0 until six pairs, shrunk by three degrees of freedom, clipped to 0 .. 0.9.
    """
    products: list[float] = []
    squares: list[float] = []
    pairs = dof = 0
    for race_pairs in races:
        usable = [(a, b) for a, b in race_pairs if math.isfinite(a) and math.isfinite(b)]
        if len(usable) < 2:
            continue
        pairs += len(usable)
        dof += len(usable) - 1
        (first_a, first_b), n = usable[0], len(usable)
        mean_a = math.fsum(a - first_a for a, _ in usable) / n
        mean_b = math.fsum(b - first_b for _, b in usable) / n
        for a, b in usable:
            da, db = a - first_a - mean_a, b - first_b - mean_b
            products.append(da * db)
            squares.append(da * da + db * db)
    total = math.fsum(squares)
    if pairs < LEAST_PAIRS_FOR_CORRELATION or total == 0:
        return 0.0
    shrunk = 2 * math.fsum(products) / total * dof / (dof + CORRELATION_PRIOR_DOF)
    return min(HIGHEST_CORRELATION, max(0.0, shrunk))


@lru_cache(maxsize=4096)
def race_threshold(look: int, looks: int, z_star: float, dof: int) -> float:
    """What T must reach at this look: z* sqrt(looks / look), carried to Student's t at equal tail probability."""
    return student_t_quantile(_NORMAL.cdf(-z_star * math.sqrt(looks / look)), dof)


def in_words(judged: Screen | Race, noise: Noise, unit: str = "") -> str:
    """One plain sentence on a screen or a race, for reports; numbers are rounded to what the error allows."""
    if isinstance(judged, Screen):
        return _screen_in_words(judged, noise, unit)
    heading = "still racing" if judged.decision == "continue" else judged.decision
    if judged.n == 0:
        failed = "candidate" if judged.decision == "dropped" else "champion"
        return f"{heading}: the {failed} gave no finite number to compare"
    error = judged.standard_error
    low, high = (_rounded(bound, error) for bound in judged.interval)
    pairs = "1 pair" if judged.n == 1 else f"{judged.n} pairs"
    sentence = f"{heading}: {_gain_in_words(judged.gain, error, noise, unit)}, "
    if error == 0:
        return f"{sentence}from {pairs}; the metric has shown no noise"
    seen = f"an effect of {_rounded(judged.mde, error)} would have been seen 8 times in 10"
    return f"{sentence}95 % interval {low} to {high}, from {pairs}; {seen}"


def _screen_in_words(judged: Screen, noise: Noise, unit: str) -> str:
    if not math.isfinite(judged.gain):
        return "discarded: the run gave no finite number to compare"
    heading = {"discard": "discarded", "provisional": "provisional", "race": "worth a race"}[judged.outcome]
    error = noise.sigma * math.sqrt(1 + 1 / judged.n)
    runs = "1 champion run" if judged.n == 1 else f"{judged.n} champion runs"
    return f"{heading}: {_gain_in_words(judged.gain, error, noise, unit)} in one run against {runs}"


def _gain_in_words(gain: float, error: float, noise: Noise, unit: str) -> str:
    if gain == 0:
        return "no difference"
    amount = f"{_rounded(abs(gain), error)}{' ' + unit if unit else ''} {'better' if gain > 0 else 'worse'}"
    if noise.sigma == 0:
        return amount
    sigmas = abs(gain) / noise.sigma
    return f"{amount} ({f'{sigmas:.0f}' if sigmas >= 10 else f'{sigmas:.1f}'} sigma)"


def _rounded(value: float, error: float) -> str:
    """Write a number to the first digit of its error."""
    if error == 0:
        return f"{value:.6g}"
    text = f"{value:.{max(0, -math.floor(math.log10(error)))}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def _in_units_of(gain: float, error: float) -> float:
    if error > 0:
        return gain / error
    return math.copysign(math.inf, gain) if gain else 0.0


def _without_numbers(decision: Decision) -> Race:
    nan = math.nan
    return Race(decision, 0, nan, nan, nan, nan, (nan, nan), nan)


def _finite(numbers: dict[str, float | int]) -> dict[str, float | int]:
    return {name: value for name, value in numbers.items() if math.isfinite(value)}
