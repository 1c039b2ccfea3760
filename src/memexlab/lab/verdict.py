"""Whether a measured change is real: "move cheaply, believe slowly".

Knows numbers only: repeats of one setting, a screening value, pairs of candidate and champion on one seed. Knows no
run, no file, no clock, and does not decide what to measure next; the caller measures, asks, and obeys. Direction is a
parameter, and every gain is positive when the candidate is better.

One run *screens* a candidate. Above z = 1 it earns a *race*: up to three looks, each one fresh pair measured on one
seed side by side; the screening value is never used again, because it was selected for being high. Only a race
confirms. The working branch may move on less (`provisional`).

The rule follows the O'Brien-Fleming shape (Biometrics 35, 1979, p. 549) with Student t for normal thresholds, because
sigma rests on four repeats at first. Sigma is that of one side of a pair, `Noise.within_pairs`: the scatter of single
runs, corrected by that of the differences within races. The screen uses the same sigma. What that gains and costs, and
the rates of false wins, are in docs/decisions.md (`bench/verdict_simulation.py`).

What is not corrected: a race that stops early because it went well overstates its gain, and pairs that are asked for
after a race was undecided are one more look.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Literal

from ..memory.effects.noise import (
    Better,
    Noise,
    Pair,
    gain_of,
    minimum_detectable_effect,
    paired_standard_error,
    student_t_quantile,
)
from .wording import sigmas

Outcome = Literal["discard", "provisional", "race"]
Decision = Literal["continue", "confirmed", "dropped", "inconclusive"]

DISCARD_AT_Z = 0.5
RACE_ABOVE_Z = 1.0
#: A working branch may move on a fresh gain above this many sigma.
PROVISIONAL_SIGMAS = 0.5
SUSPICIOUS_SIGMAS = 8.0
#: How many pairs a race may look at before it is undecided.
LOOKS = 3
#: Of the last look, and of pairs that were asked for beyond it: a confirmed win has a 95 % interval above zero.
Z_STAR = 1.96

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Screen:
    """What one run of a candidate says against the mean of `n` fresh runs of what it was made from; never proof.

    `race_from` is the gain above which a fresh pair is measured."""

    outcome: Outcome
    z: float
    gain: float
    n: int
    race_from: float


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
        told = {
            "pairs": self.n, "gain": self.gain, "standard_error": self.standard_error, "T": self.T,
            "threshold": self.threshold, "low": self.interval[0], "high": self.interval[1], "mde": self.mde,
        }  # fmt: skip
        return {name: value for name, value in told.items() if math.isfinite(value)}


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
        return Screen("discard", -math.inf, math.nan, len(champion), math.nan)
    shifted = [gain_of(value, measured, better) for measured in champion]
    gain = math.fsum(shifted) / len(champion)
    error = noise.sigma * math.sqrt(1 + 1 / len(champion))
    z = _in_units_of(gain, error)
    outcome: Outcome = "discard" if z <= DISCARD_AT_Z else "provisional" if z <= RACE_ABOVE_Z else "race"
    return Screen(outcome, z, gain, len(champion), RACE_ABOVE_Z * error)


def race(pairs: Sequence[Pair], noise: Noise, better: Better) -> Race:
    """Judge a race after its latest pair; call it after every pair and stop when it no longer says "continue".

    Confirmed when T reaches the threshold of this look, dropped when T is below 0 or a candidate's value is not
    finite, inconclusive when the looks are used up. A pair whose champion failed uses up a look and proves nothing.
    Give fresh pairs only, and noise `within_pairs` of all races, this one too. Raises UsageError while it is unknown.
    """
    noise.require()
    if not pairs:
        raise ValueError("race() needs at least one pair")
    usable = [pair for pair in pairs if math.isfinite(pair[0]) and math.isfinite(pair[1])]
    if any(not math.isfinite(candidate) for candidate, _ in pairs):
        return _without_numbers("dropped")
    if not usable:
        return _without_numbers("inconclusive" if len(pairs) >= LOOKS else "continue")
    n = len(usable)
    gain = math.fsum(gain_of(candidate, champion, better) for candidate, champion in usable) / n
    error = paired_standard_error(noise, n)
    t = _in_units_of(gain, error)
    threshold = race_threshold(n, noise.dof)
    decision: Decision
    if t >= threshold:
        decision = "confirmed"
    elif t < 0:
        decision = "dropped"
    else:
        decision = "inconclusive" if len(pairs) >= LOOKS else "continue"
    half = student_t_quantile(0.025, noise.dof) * error
    return Race(
        decision=decision,
        n=n,
        gain=gain,
        standard_error=error,
        T=t,
        threshold=threshold,
        interval=(gain - half, gain + half),
        mde=minimum_detectable_effect(noise, n),
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


def suspicious(gain: float, noise: Noise) -> bool:
    """Whether a gain is above 8 sigma and wants an audit for leaks and reward hacking.

    A flag for the caller, not a verdict: on a fresh target honest first gains of 10 to 25 sigma are common. Where
    sigma is 0 (a metric without noise) there is no scale and nothing is flagged.
    """
    return noise.sigma > 0 and gain > SUSPICIOUS_SIGMAS * noise.sigma


@lru_cache(maxsize=4096)
def race_threshold(look: int, dof: int) -> float:
    """What T must reach at this look: z* sqrt(looks / look), carried to Student's t at equal tail probability."""
    return student_t_quantile(_NORMAL.cdf(-Z_STAR * math.sqrt(max(1, LOOKS / look))), dof)


def in_words(judged: Screen | Race, noise: Noise, against: str) -> str:
    """One plain sentence on a screen or a race, for reports; `against` names what the candidate is compared with."""
    if isinstance(judged, Screen):
        return _screen_in_words(judged, against)
    heading = "still racing" if judged.decision == "continue" else judged.decision
    if judged.n == 0:
        if judged.decision == "dropped":
            return f"{heading}: it failed on a seed of the fresh pairs against {against}"
        return f"{heading}: the other side gave no finite number to compare against {against}"
    error = judged.standard_error
    low, high = (_rounded(bound, error) for bound in judged.interval)
    pairs = "1 fresh pair" if judged.n == 1 else f"{judged.n} fresh pairs"
    sentence = f"{heading}: {_gain_in_words(judged.gain, error, noise)} against {against}, in {pairs}"
    if error == 0:
        return f"{sentence}; the metric has shown no noise"
    if judged.decision == "confirmed":
        return f"{sentence}, 95 % interval {low} to {high}"
    seen = f"an effect of {_rounded(judged.mde, error)} would have been seen 8 times in 10"
    return f"{sentence}, 95 % interval {low} to {high}; {seen}"


def _screen_in_words(judged: Screen, against: str) -> str:
    if not math.isfinite(judged.gain):
        return f"discarded: the run gave no finite number to compare against {against}"
    heading = {"discard": "discarded", "provisional": "near miss, not raced", "race": "worth a race"}[judged.outcome]
    runs = "1 fresh run" if judged.n == 1 else f"{judged.n} fresh runs"
    # A gain and what it falls short of must not read the same; in sigmas it is told by all runs together, not here.
    fine = min(judged.race_from / 2, max(abs(judged.race_from - judged.gain), judged.race_from / 2000))
    gain = _gain_in_words(judged.gain, fine, None)
    sentence = f"{heading}: {gain} at first look, one run against {runs} of {against}"
    if judged.outcome == "race" or judged.gain <= 0:
        return sentence
    return f"{sentence}; a fresh pair is measured from {_rounded(judged.race_from, fine)} better on"


def _gain_in_words(gain: float, error: float, noise: Noise | None) -> str:
    if gain == 0:
        return "no difference"
    size = _rounded(abs(gain), error)
    if float(size) == 0:
        return "no difference to be seen"
    amount = f"{size} {'better' if gain > 0 else 'worse'}"
    if noise is None or noise.sigma == 0:
        return amount
    return f"{amount} ({sigmas(gain, noise.sigma)})"


def _rounded(value: float, error: float) -> str:
    """Write a number so that its last digit is at most a third of its error."""
    if error == 0:
        return f"{value:.6g}"
    text = f"{value:.{max(0, -math.floor(math.log10(error / 3)))}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def _in_units_of(gain: float, error: float) -> float:
    if error > 0:
        return gain / error
    return math.copysign(math.inf, gain) if gain else 0.0


def _without_numbers(decision: Decision) -> Race:
    nan = math.nan
    return Race(decision, 0, nan, nan, nan, nan, (nan, nan), nan)
