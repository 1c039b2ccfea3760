"""Simulate campaigns where the truth is known, to see what each rule for keeping a change believes and gains.

Run `python bench/verdict_simulation.py` for the tables as markdown (three minutes on one core), `--campaigns N` for
fewer or more. Nothing is read or written but stdout, and the seed is fixed.

The world, and what is assumed of it. Sigma of one run is the unit. A candidate is one edit on top of what it was made
from, and effects add up. With the probability of its regime the effect is a gain, exponential with the regime's mean;
otherwise a loss, exponential with mean 0.9 sigma (2.7 in `harsh`). That mean was chosen so that greedy keeping makes
about 37, 8 and 19 keeps of which about 46, 58 and 37 % are false. A run's noise is sqrt(rho) times a part that its seed
decides, the same for every program run on that seed, plus a private rest. A campaign ends after 400 single runs (a
race begun is finished); the four that estimate sigma count, and so does the champion's side of each pair. A win is
false when what was crowned is truly no better than what it replaced.

The policies. `greedy` keeps whatever beats the best value seen. `confirmed only` makes every candidate from the
champion, screens it, and races it above z = 1. `two tiers` makes candidates from the tip of a working branch and
screens them against that tip; z of 0.5 to 1 buys one pair against the tip and may move it; above 1 the candidate races
the *champion*, with all the branch has gathered; a confirmed race moves both, an inconclusive one may move the tip.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from memexlab.lab import verdict

SIGMA = 0.01  # of the simulated metric, lower is better
BASELINE_REPEATS = 4


@dataclass(frozen=True, slots=True)
class Regime:
    """How often an edit helps, by how many sigma on average, and how many sigma it costs otherwise."""

    name: str
    share_of_gains: float
    mean_gain: float
    mean_loss: float


EARLY = Regime("early", 0.12, 1.5, 0.9)
LATE = Regime("late", 0.08, 0.6, 0.9)
HARSH = Regime("harsh", 0.10, 1.0, 2.7)
NOTHING_HELPS = Regime("identical candidates", 0.0, 0.0, 0.0)


@dataclass(slots=True)
class Program:
    """A version of the code: its true quality in sigma above the baseline, and the fresh runs it has had."""

    quality: float
    shares_seeds: bool = True
    fresh: list[float] = field(default_factory=list)


@dataclass(slots=True)
class World:
    """Where edits come from and runs are measured; counts the runs."""

    regime: Regime
    rho: float
    rng: random.Random
    share_decoupled: float = 0.0
    runs: int = 0

    def edit(self, parent: Program) -> Program:
        """Change a program; a `share_decoupled` of edits reshuffle what a seed means."""
        if self.rng.random() < self.regime.share_of_gains:
            effect = self.rng.expovariate(1 / self.regime.mean_gain)
        else:
            effect = -self.rng.expovariate(1 / self.regime.mean_loss) if self.regime.mean_loss else 0.0
        return Program(parent.quality + effect, shares_seeds=self.rng.random() >= self.share_decoupled)

    def measure(self, program: Program, of_seed: float | None = None) -> float:
        """Run once; `of_seed` is the standard normal draw that the seed stands for, a new one if None."""
        self.runs += 1
        if of_seed is None or not program.shares_seeds:
            of_seed = self.rng.gauss(0, 1)
        noise = math.sqrt(self.rho) * of_seed + math.sqrt(1 - self.rho) * self.rng.gauss(0, 1)
        return 1 - SIGMA * (program.quality + noise)

    def pair(self, candidate: Program, champion: Program) -> verdict.Pair:
        """Run both on one new seed; both values are fresh."""
        of_seed = self.rng.gauss(0, 1)
        pair = self.measure(candidate, of_seed), self.measure(champion, of_seed)
        candidate.fresh.append(pair[0])
        champion.fresh.append(pair[1])
        return pair


@dataclass(slots=True)
class Told:
    """What a campaign ended with. Qualities in sigma; `covered` counts wins whose interval holds the true gain."""

    champion: float = 0.0
    tip: float = 0.0
    candidates: int = 0
    wins: int = 0
    false_wins: int = 0
    last_edit_harmful: int = 0
    covered: int = 0
    moves: int = 0
    false_moves: int = 0


NoiseRule = Callable[[Sequence[Sequence[float]]], verdict.Noise]
CorrelationRule = Callable[[Sequence[Sequence[verdict.Pair]]], float]
Stop = Callable[[World, Told], bool]


def estimated(groups: Sequence[Sequence[float]]) -> verdict.Noise:
    return verdict.Noise.pooled(groups)


def first_group_only(groups: Sequence[Sequence[float]]) -> verdict.Noise:
    """For comparison: sigma from the baseline repeats for ever."""
    return verdict.Noise.pooled(groups[:1])


def as_if_certain(groups: Sequence[Sequence[float]]) -> verdict.Noise:
    """For comparison: the estimate taken for the truth, which gives normal instead of t thresholds."""
    return verdict.Noise(verdict.Noise.pooled(groups).sigma, 10**9, len(groups))


def raw_correlation(races: Sequence[Sequence[verdict.Pair]]) -> float:
    """For comparison: the correlation within races without shrinking."""
    dof = sum(len(race) - 1 for race in races)
    return min(0.9, verdict.seed_correlation(races) * (dof + verdict.CORRELATION_PRIOR_DOF) / dof) if dof else 0.0


@dataclass(slots=True)
class Judge:
    """The verdict with what it has learnt of the noise in one campaign."""

    world: World
    noise_rule: NoiseRule = estimated
    correlation_rule: CorrelationRule = verdict.seed_correlation
    least_looks: int = 1
    groups: list[list[float]] = field(default_factory=list)
    races: list[list[verdict.Pair]] = field(default_factory=list)
    noise: verdict.Noise = field(init=False)
    rho: float = 0.0

    def calibrate(self) -> Program:
        baseline = Program(0.0)
        baseline.fresh = [self.world.measure(baseline) for _ in range(BASELINE_REPEATS)]
        self.groups.append(list(baseline.fresh))
        self.noise = self.noise_rule(self.groups)
        return baseline

    def screen(self, candidate: Program, parent: Program) -> verdict.Screen:
        return verdict.screen(self.world.measure(candidate), parent.fresh, self.noise, "lower")

    def race(self, candidate: Program, champion: Program) -> tuple[verdict.Race, list[verdict.Pair]]:
        pairs: list[verdict.Pair] = []
        while True:
            pairs.append(self.world.pair(candidate, champion))
            judged = verdict.race(pairs, self.noise, "lower", rho=self.rho)
            too_soon = judged.decision == "confirmed" and len(pairs) < self.least_looks
            if judged.decision != "continue" and not too_soon:
                break
        if len(pairs) > 1:
            self.groups += [[mine for mine, _ in pairs], [theirs for _, theirs in pairs]]
            self.races.append(pairs)
            self.noise = self.noise_rule(self.groups)
            self.rho = self.correlation_rule(self.races)
        return judged, pairs


def after_400_runs(world: World, told: Told) -> bool:
    return world.runs >= 400


def after_200_candidates(world: World, told: Told) -> bool:
    return told.candidates >= 200


def greedy(world: World, stop: Stop = after_400_runs) -> Told:
    told, best = Told(), Program(0.0)
    best_value = world.measure(best)
    while not stop(world, told):
        candidate = world.edit(best)
        told.candidates += 1
        value = world.measure(candidate)
        if value < best_value:
            told.wins += 1
            told.false_wins += candidate.quality <= best.quality
            best, best_value = candidate, value
    told.champion = told.tip = best.quality
    return told


def confirmed_only(
    world: World,
    stop: Stop = after_400_runs,
    noise_rule: NoiseRule = estimated,
    correlation_rule: CorrelationRule = verdict.seed_correlation,
    least_looks: int = 1,
) -> Told:
    told, judge = Told(), Judge(world, noise_rule, correlation_rule, least_looks)
    champion = judge.calibrate()
    while not stop(world, told):
        candidate = world.edit(champion)
        told.candidates += 1
        if judge.screen(candidate, champion).outcome != "race":
            continue
        judged, _ = judge.race(candidate, champion)
        if judged.decision == "confirmed":
            _count_win(told, judged, candidate, champion, candidate.quality - champion.quality)
            champion = candidate
    told.champion = told.tip = champion.quality
    return told


def two_tiers(
    world: World,
    stop: Stop = after_400_runs,
    between: Literal["lane", "nothing", "race"] = "lane",
    move_when_inconclusive: bool = True,
) -> Told:
    """`between` says what a z of 0.5 to 1 buys: one pair against the tip, nothing, or a race like any other."""
    told, judge = Told(), Judge(world)
    champion = tip = judge.calibrate()
    while not stop(world, told):
        candidate = world.edit(tip)
        told.candidates += 1
        screened = judge.screen(candidate, tip)
        in_between = screened.outcome == "provisional"
        if screened.outcome == "discard" or (in_between and between == "nothing"):
            continue
        if in_between and between == "lane":
            pairs = [world.pair(candidate, tip)]
        else:
            judged, pairs = judge.race(candidate, champion)
            if judged.decision == "confirmed":
                _count_win(told, judged, candidate, champion, candidate.quality - tip.quality)
                champion = tip = candidate
                continue
            if judged.decision == "dropped" or not move_when_inconclusive:
                continue
        if verdict.provisional(screened, pairs, judge.noise, "lower"):
            told.moves += 1
            told.false_moves += candidate.quality <= tip.quality
            tip = candidate
    told.champion, told.tip = champion.quality, tip.quality
    return told


def _count_win(told: Told, judged: verdict.Race, candidate: Program, champion: Program, of_last_edit: float) -> None:
    true_gain = candidate.quality - champion.quality
    told.wins += 1
    told.false_wins += true_gain <= 0
    told.last_edit_harmful += of_last_edit <= 0
    told.covered += judged.interval[0] <= true_gain * SIGMA <= judged.interval[1]


def campaigns(
    policy: Callable[[World], Told],
    regime: Regime,
    rho: float,
    count: int,
    first_seed: int = 0,
    share_decoupled: float = 0.0,
) -> list[Told]:
    """Simulate `count` campaigns, each with its own seed."""
    return [policy(World(regime, rho, random.Random(first_seed + number), share_decoupled)) for number in range(count)]


def share(told: Sequence[Told], part: str, whole: str) -> float:
    """Sum of one count over the sum of another, 0 when there are none."""
    total = sum(getattr(one, whole) for one in told)
    return sum(getattr(one, part) for one in told) / total if total else 0.0


def share_with_interval(told: Sequence[Told], part: str, whole: str) -> str:
    """Write a share in percent with its 95 % interval (linearised ratio over campaigns)."""
    ratio, n = share(told, part, whole), len(told)
    mean_whole = sum(getattr(one, whole) for one in told) / n
    if mean_whole == 0:
        return "-"
    residual = statistics.pstdev(getattr(one, part) - ratio * getattr(one, whole) for one in told)
    half = 1.96 * residual / mean_whole / math.sqrt(n)
    return f"{100 * ratio:.1f} ({100 * max(0.0, ratio - half):.1f} to {100 * (ratio + half):.1f})"


def mean_with_interval(values: Sequence[float]) -> str:
    half = 1.96 * statistics.stdev(values) / math.sqrt(len(values))
    return f"{statistics.fmean(values):.1f} ± {half:.1f}"


def median_with_range(values: Sequence[float]) -> str:
    cuts = statistics.quantiles(values, n=40)
    return f"{statistics.median(values):.1f} ({cuts[0]:.1f} to {cuts[-1]:.1f})"


def row(regime: Regime, rho: str, name: str, told: Sequence[Told]) -> str:
    qualities = [one.champion for one in told]
    cells = [
        regime.name,
        rho,
        name,
        mean_with_interval(qualities),
        median_with_range(qualities),
        f"{statistics.fmean(one.tip for one in told):.1f}",
        median_with_range([one.wins for one in told]),
        share_with_interval(told, "false_wins", "wins"),
        f"{100 * share(told, 'last_edit_harmful', 'wins'):.0f}" if name.startswith("two") else "-",
        f"{100 * share(told, 'covered', 'wins'):.0f}" if name != "greedy" else "-",
        f"{100 * share(told, 'false_moves', 'moves'):.0f}" if name.startswith("two") else "-",
    ]
    return "| " + " | ".join(cells) + " |"


def print_campaigns(count: int) -> None:
    print(f"\n## 400 runs a campaign, {count} campaigns a row, sigma and rho estimated\n")
    print(
        "| regime | true rho | policy | champion's true gain, sigma: mean | median (95 % of campaigns) | tip's gain "
        "| wins: median (95 % of campaigns) | false wins, % (95 % interval) | wins whose last edit harms, % "
        "| interval covers, % | false moves of the branch, % |"
    )
    print("|---" * 11 + "|")
    for regime in (EARLY, LATE, HARSH):
        print(row(regime, "any", "greedy", campaigns(greedy, regime, 0.0, count)), flush=True)
        for rho in (0.0, 0.3, 0.6):
            for name, policy in POLICIES.items():
                print(row(regime, str(rho), name, campaigns(policy, regime, rho, count)), flush=True)
        told = campaigns(confirmed_only, regime, 0.9, count, share_decoupled=0.5)
        print(row(regime, "0.9 or 0, by edit", "confirmed only", told), flush=True)


POLICIES: dict[str, Callable[[World], Told]] = {
    "confirmed only": confirmed_only,
    "confirmed only, normal thresholds": lambda world: confirmed_only(world, noise_rule=as_if_certain),
    "confirmed only, raw rho": lambda world: confirmed_only(world, correlation_rule=raw_correlation),
    "confirmed only, at least 2 looks": lambda world: confirmed_only(world, least_looks=2),
    "two tiers": two_tiers,
    "two tiers, inconclusive never moves": lambda world: two_tiers(world, move_when_inconclusive=False),
    "two tiers, no lane": lambda world: two_tiers(world, between="nothing"),
    "two tiers, no lane, race above 0.5": lambda world: two_tiers(world, between="race"),
}


def print_identical(count: int) -> None:
    print(f"\n## 200 candidates identical to the champion, {count} campaigns a row, sigma from 4 repeats\n")
    print(
        "| true rho | rule | confirmed, % of candidates (95 % interval) | campaigns above 2 %, % | worst campaign, % |"
    )
    print("|---" * 5 + "|")
    stop = after_200_candidates
    rules: dict[str, Callable[[World], Told]] = {
        "confirmed only": lambda world: confirmed_only(world, stop),
        "confirmed only, normal thresholds": lambda world: confirmed_only(world, stop, as_if_certain),
        "confirmed only, raw rho": lambda world: confirmed_only(world, stop, correlation_rule=raw_correlation),
        "confirmed only, normal thresholds, raw rho": lambda world: confirmed_only(
            world, stop, as_if_certain, raw_correlation
        ),
        "confirmed only, noise never pooled": lambda world: confirmed_only(world, stop, first_group_only),
        "confirmed only, at least 2 looks": lambda world: confirmed_only(world, stop, least_looks=2),
        "two tiers": lambda world: two_tiers(world, stop),
        "two tiers, no lane, race above 0.5": lambda world: two_tiers(world, stop, "race"),
    }
    for rho in (0.0, 0.6):
        for name, policy in rules.items():
            told = campaigns(policy, NOTHING_HELPS, rho, count)
            above = statistics.fmean(one.wins > 0.02 * one.candidates for one in told)
            worst = max(one.wins / one.candidates for one in told)
            cells = [str(rho), name, share_with_interval(told, "wins", "candidates")]
            print("| " + " | ".join([*cells, f"{100 * above:.1f}", f"{100 * worst:.1f}"]) + " |", flush=True)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--campaigns", type=int, default=500, metavar="N", help="campaigns a row (default 500)")
    count = parser.parse_args(arguments).campaigns
    print_campaigns(count)
    print_identical(count)


if __name__ == "__main__":
    main(sys.argv[1:])
