"""Simulate campaigns where the truth is known, to see what each rule for keeping a change believes and gains.

Run `python bench/verdict_simulation.py` for the tables as markdown (three minutes on one core), `--campaigns N` for
fewer or more. Nothing is read or written but stdout, and the seed is fixed.

The world, and what is assumed of it. Sigma of one run is the unit. A candidate is one edit on top of what it was made
from, and effects add up. With the probability of its regime the effect is a gain, exponential with the regime's mean;
otherwise a loss, exponential with mean 0.9 sigma (2.7 in `harsh`). That mean was chosen so that greedy keeping makes
about 37, 8 and 19 keeps of which about 46, 58 and 37 % are false. A run's noise is sqrt(rho) times a part that its seed
decides, the same for every program run on that seed, plus a private rest; in `tails` both are Student's t with four
degrees of freedom, scaled to the same sigma. In `slow start` the first 40 runs are moved by the load of the machine,
normal with 3 sigma and the same for what runs side by side, so the sigma of all single runs is too large by 2 or 3. A
campaign ends after 400 single runs (a race begun is finished); the four that estimate sigma count, and so does the
champion's side of each pair. A win is false when what was crowned is truly no better than what it replaced.

The policies. `greedy` keeps whatever beats the best value seen. `confirmed only` makes every candidate from the
champion, screens it, and races it above z = 1. `two tiers`, the loop's, makes candidates from the tip of a working
branch and screens them against that tip; above z = 1 the candidate races the *champion*, with all the branch has
gathered; a confirmed race moves both, an inconclusive one may move the tip. With a `lane` z of 0.5 to 1 buys one pair
against the tip and may move it. In `settled` an inconclusive race gets five more pairs, once, as `memex race` measures.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from memexlab.lab import verdict
from memexlab.memory.effects.noise import Noise

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


@dataclass(frozen=True, slots=True)
class Weather:
    """What runs are subject to: seed correlation, edits that reshuffle what a seed means, a slow start, heavy tails."""

    name: str
    rho: float = 0.0
    share_decoupled: float = 0.0
    load: float = 0.0
    tails: bool = False


CALM, SEEDS = Weather("rho 0"), Weather("rho 0.6", 0.6)
WEATHERS = (
    CALM,
    SEEDS,
    Weather("rho 0.3, tails", 0.3, tails=True),
    Weather("rho 0.9 or 0, by edit", 0.9, share_decoupled=0.5),
    SLOW := Weather("rho 0.3, slow start", 0.3, load=3.0),
    Weather("rho 0.6, slow start, tails", 0.6, load=3.0, tails=True),
)
SLOW_RUNS = 40


@dataclass(slots=True)
class World:
    """Where edits come from and runs are measured; counts the runs."""

    regime: Regime
    weather: Weather
    rng: random.Random
    runs: int = 0

    def edit(self, parent: Program) -> Program:
        """Change a program; a `share_decoupled` of edits reshuffle what a seed means."""
        if self.rng.random() < self.regime.share_of_gains:
            effect = self.rng.expovariate(1 / self.regime.mean_gain)
        else:
            effect = -self.rng.expovariate(1 / self.regime.mean_loss) if self.regime.mean_loss else 0.0
        return Program(parent.quality + effect, self.rng.random() >= self.weather.share_decoupled)

    def draw(self) -> float:
        if not self.weather.tails:
            return self.rng.gauss(0, 1)
        return self.rng.gauss(0, 1) / math.sqrt(self.rng.gammavariate(2, 1))  # t of four, over its deviation sqrt(2)

    def load(self) -> float:
        """What the machine does to all that runs now."""
        return self.rng.gauss(0, self.weather.load) if self.weather.load and self.runs < SLOW_RUNS else 0.0

    def measure(self, program: Program, of_seed: float | None = None, load: float | None = None) -> float:
        """Run once; `of_seed` is the draw that the seed stands for, a new one if None, and so is the load."""
        load = self.load() if load is None else load
        self.runs += 1
        if of_seed is None or not program.shares_seeds:
            of_seed = self.draw()
        noise = math.sqrt(self.weather.rho) * of_seed + math.sqrt(1 - self.weather.rho) * self.draw()
        return 1 - SIGMA * (program.quality + noise + load)

    def pair(self, candidate: Program, champion: Program) -> verdict.Pair:
        """Run both on one new seed; both values are fresh."""
        of_seed, load = self.draw(), self.load()
        pair = self.measure(candidate, of_seed, load), self.measure(champion, of_seed, load)
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


Groups = Sequence[Sequence[float]]
Races = Sequence[Sequence[verdict.Pair]]
#: The noise of a screen, and of a race where `racing`.
NoiseRule = Callable[[Groups, Races, bool], Noise]
Stop = Callable[[World, Told], bool]


def by_differences(groups: Groups, races: Races, racing: bool) -> Noise:
    """The rule: what the loop does."""
    return Noise.pooled(groups).within_pairs(races)


def differences_in_races_only(groups: Groups, races: Races, racing: bool) -> Noise:
    """For comparison: the screen keeps to the scatter of single runs."""
    return by_differences(groups, races, racing) if racing else Noise.pooled(groups)


def by_single_runs(groups: Groups, races: Races, racing: bool) -> Noise:
    """For comparison, the rule before: single runs, less the seed correlation within races, shrunk by 3 degrees of
    freedom, from six pairs on."""
    noise, products, squares, dof = Noise.pooled(groups), 0.0, 0.0, 0
    for pairs in races if racing else ():
        mean_a, mean_b = (statistics.fmean(side) for side in zip(*pairs, strict=True))
        products += sum((a - mean_a) * (b - mean_b) for a, b in pairs)
        squares += sum((a - mean_a) ** 2 + (b - mean_b) ** 2 for a, b in pairs)
        dof += len(pairs) - 1
    enough = squares and sum(len(pairs) for pairs in races if len(pairs) > 1) >= 6
    rho = min(0.9, max(0.0, 2 * products / squares * dof / (dof + 3))) if enough else 0.0
    return Noise(noise.sigma * math.sqrt(1 - rho), noise.dof, noise.groups)


def as_if_certain(groups: Groups, races: Races, racing: bool) -> Noise:
    """For comparison: the estimate taken for the truth, which gives normal instead of t thresholds."""
    return Noise(by_differences(groups, races, racing).sigma, 10**9, len(groups))


@dataclass(slots=True)
class Judge:
    """The verdict with what it has learnt of the noise in one campaign."""

    world: World
    noise_rule: NoiseRule = by_differences
    programs: list[Program] = field(default_factory=list)
    races: list[list[verdict.Pair]] = field(default_factory=list)

    def calibrate(self) -> Program:
        baseline = Program(0.0)
        for _ in range(BASELINE_REPEATS // 2):  # two at a time, on seeds of their own
            load = self.world.load()
            baseline.fresh += [self.world.measure(baseline, None, load), self.world.measure(baseline, None, load)]
        self.programs.append(baseline)
        return baseline

    def noise(self, racing: bool) -> Noise:
        return self.noise_rule([program.fresh for program in self.programs], self.races, racing)

    def screen(self, candidate: Program, parent: Program) -> verdict.Screen:
        return verdict.screen(self.world.measure(candidate), parent.fresh, self.noise(False), "lower")

    def race(self, candidate: Program, champion: Program, more: int = 0) -> tuple[verdict.Race, list[verdict.Pair]]:
        pairs: list[verdict.Pair] = []
        self.programs.append(candidate)
        self.races.append(pairs)
        while True:
            pairs.append(self.world.pair(candidate, champion))
            judged = verdict.race(pairs, self.noise(True), "lower")
            if judged.decision != "continue":
                break
        if judged.decision == "inconclusive" and more:
            pairs += [self.world.pair(candidate, champion) for _ in range(more)]
            judged = verdict.race(pairs, self.noise(True), "lower")
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


def confirmed_only(world: World, stop: Stop = after_400_runs, noise_rule: NoiseRule = by_differences) -> Told:
    told, judge = Told(), Judge(world, noise_rule)
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
    noise_rule: NoiseRule = by_differences,
    lane: bool = False,
    settled: bool = False,
) -> Told:
    told, judge = Told(), Judge(world, noise_rule)
    champion = tip = judge.calibrate()
    while not stop(world, told):
        candidate = world.edit(tip)
        told.candidates += 1
        screened = judge.screen(candidate, tip)
        if screened.outcome == "discard" or (screened.outcome == "provisional" and not lane):
            continue
        if screened.outcome == "provisional":
            pairs = [world.pair(candidate, tip)]
        else:
            judged, pairs = judge.race(candidate, champion, 5 if settled else 0)
            if judged.decision == "confirmed":
                _count_win(told, judged, candidate, champion, candidate.quality - tip.quality)
                champion = tip = candidate
                continue
            if judged.decision == "dropped":
                continue
        if verdict.provisional(screened, pairs, judge.noise(False), "lower"):
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
    policy: Callable[[World], Told], regime: Regime, weather: Weather, count: int, first_seed: int = 0
) -> list[Told]:
    """Simulate `count` campaigns, each with its own seed."""
    return [policy(World(regime, weather, random.Random(first_seed + number))) for number in range(count)]


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


def row(regime: Regime, weather: str, name: str, told: Sequence[Told]) -> str:
    qualities = [one.champion for one in told]
    cells = [
        regime.name,
        weather,
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
    print(f"\n## 400 runs a campaign, {count} campaigns a row, sigma estimated\n")
    print(
        "| regime | weather | policy | champion's true gain, sigma: mean | median (95 % of campaigns) | tip's gain "
        "| wins: median (95 % of campaigns) | false wins, % (95 % interval) | wins whose last edit harms, % "
        "| interval covers, % | false moves of the branch, % |"
    )
    print("|---" * 11 + "|")
    for regime in (EARLY, LATE, HARSH):
        print(row(regime, "any", "greedy", campaigns(greedy, regime, CALM, count)), flush=True)
        for weather in WEATHERS:
            for name, policy in POLICIES.items():
                print(row(regime, weather.name, name, campaigns(policy, regime, weather, count)), flush=True)


POLICIES: dict[str, Callable[[World], Told]] = {
    "two tiers": two_tiers,
    "two tiers, single runs (the rule before)": lambda world: two_tiers(world, noise_rule=by_single_runs),
    "two tiers, differences in races only": lambda world: two_tiers(world, noise_rule=differences_in_races_only),
    "two tiers, normal thresholds": lambda world: two_tiers(world, noise_rule=as_if_certain),
    "two tiers, lane": lambda world: two_tiers(world, lane=True),
    "two tiers, settled": lambda world: two_tiers(world, settled=True),
    "confirmed only": confirmed_only,
}


def print_identical(count: int) -> None:
    print(f"\n## 200 candidates identical to the champion, {count} campaigns a row, sigma from 4 repeats\n")
    print(
        "| weather | rule | confirmed, % of candidates (95 % interval) | campaigns above 2 %, % | worst campaign, % |"
    )
    print("|---" * 5 + "|")
    stop = after_200_candidates
    rules: dict[str, Callable[[World], Told]] = {
        "two tiers": lambda world: two_tiers(world, stop),
        "two tiers, single runs (the rule before)": lambda world: two_tiers(world, stop, by_single_runs),
        "two tiers, normal thresholds": lambda world: two_tiers(world, stop, as_if_certain),
        "two tiers, settled": lambda world: two_tiers(world, stop, settled=True),
        "confirmed only": lambda world: confirmed_only(world, stop),
    }
    for weather in WEATHERS:
        for name, policy in rules.items():
            told = campaigns(policy, NOTHING_HELPS, weather, count)
            above = statistics.fmean(one.wins > 0.02 * one.candidates for one in told)
            worst = max(one.wins / one.candidates for one in told)
            cells = [weather.name, name, share_with_interval(told, "wins", "candidates")]
            print("| " + " | ".join([*cells, f"{100 * above:.1f}", f"{100 * worst:.1f}"]) + " |", flush=True)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--campaigns", type=int, default=500, metavar="N", help="campaigns a row (default 500)")
    count = parser.parse_args(arguments).campaigns
    print_campaigns(count)
    print_identical(count)


if __name__ == "__main__":
    main(sys.argv[1:])
