"""Is a maintained optimiser better than the knob proposer? Prints a markdown table of the best true value found.

    python bench/proposers.py [--seeds 40] [--first-seed 0] [--landscape hidden] [--real targets/sql-tuning]

Every method gets the same knobs, ranges, default settings, noise and number of measured candidates. Nobody races
pairs here: the proposer's head moves when a run beats it by more than half a sigma, taken as a share of the value, and
the others recommend the best they measured. So this compares ways to search, not ways to judge. Optuna's rows need
`pip install optuna`.

The surrogate is a training run of 15 s in miniature. The size of its effects follows single-knob measurements of a
small byte-level GPT: rate x4 -0.244 bits per byte, ReLU -0.224, context halved -0.167, initialisation x3 -0.158,
batch halved -0.096, width x1.5 +0.044, second layer +0.306, decay, betas, clip and warm-up within the noise, one run
+-0.012; wins do not add. Each seed moves every optimum and bends every curve anew, so that no method can know them.
With `named` the knobs have their real names, which the proposer's order uses, and that order was written knowing such
measurements; with `hidden` they are called K00, K01 and so on, and only the search itself counts.
"""

from __future__ import annotations

import argparse
import atexit
import math
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from landscapes import CURVES

from memexlab.config import load
from memexlab.lab.execution.metrics import printed_metrics
from memexlab.lab.proposers import Brief, KnobRange, Tried
from memexlab.lab.proposers.knobs import KnobProposer
from memexlab.lab.proposers.moves import axes
from memexlab.memory.changes.knobs import read_knobs, set_knobs, settings

try:
    import optuna
except ImportError:
    optuna = None

BUDGETS = (12, 24, 48)
SIGMA = 0.012
Settings = dict[str, bool | int | float | str]


@dataclass(frozen=True)
class Task:
    """Something to search: where it starts, what is allowed, and how a candidate is measured and truly is."""

    source: str
    ranges: Mapping[str, KnobRange]
    measure: Callable[[Settings], float | None]
    true: Callable[[Settings], float]
    sigma: float
    better: str = "lower"

    @property
    def start(self) -> Settings:
        return settings(self.source)

    def beats(self, value: float, than: float, by: float = 0.0) -> bool:
        return value < than - by if self.better == "lower" else value > than + by


# --- the surrogate

BASE, CEILING = 2.42, 0.6
#: How far the best rate moves, in doublings, when another knob doubles.
SHIFTS = {"BATCH_SIZE": 0.5, "WIDTH": -0.5, "LAYERS": -0.5, "INIT_STD": -0.2}
WORDS = {"gelu": 0.0, "relu": -0.224, "silu": -0.05, "tanh": 0.15}


def surrogate(seed: int, hidden: bool, reach: int = 8) -> Task:
    draw = random.Random(seed)
    bent = {name: (best + draw.gauss(0, 0.4), curve * math.exp(draw.gauss(0, 0.3))) for name, _, best, curve in CURVES}
    words = {word: effect + draw.gauss(0, 0.03) if effect else 0.0 for word, effect in WORDS.items()}
    flags = {"TIE_HEAD": draw.gauss(0, 0.02), "USE_BIAS": draw.gauss(0, 0.005)}
    defaults = {name: default for name, default, _, _ in CURVES}
    order = [*defaults, "ACTIVATION", *flags]
    names = {name: name for name in order}
    if hidden:
        shuffled = draw.sample(order, len(order))
        names = {name: f"K{index:02d}" for index, name in enumerate(shuffled)}
    lines = [f"{names[name]} = {default!r}" for name, default in defaults.items()]
    lines += [f'{names["ACTIVATION"]} = "gelu"', *(f"{names[flag]} = False" for flag in flags)]
    if hidden:
        lines.sort()
    ranges = {
        names[name]: KnobRange(
            default / reach if isinstance(default, float) else max(1, default // reach), default * reach, "log"
        )
        for name, default in defaults.items()
    }
    ranges[names["ACTIVATION"]] = KnobRange(choices=tuple(WORDS))

    def true(at: Settings) -> float:
        moved = {name: math.log2(float(at[names[name]]) / default) for name, default in defaults.items()}
        change = words[str(at[names["ACTIVATION"]])] + sum(e for flag, e in flags.items() if at[names[flag]])
        for name, (best, curve) in bent.items():
            if name == "LEARNING_RATE":
                best += sum(shift * moved[other] for other, shift in SHIFTS.items())
                if moved[name] > best + 2:
                    return math.inf
            change += curve * ((moved[name] - best) ** 2 - bent[name][0] ** 2 * (name != "LEARNING_RATE"))
        change -= bent["LEARNING_RATE"][1] * bent["LEARNING_RATE"][0] ** 2
        return BASE + (change if change > 0 else -CEILING * (1 - math.exp(change / CEILING)))

    noise = random.Random(seed + 10_000)

    def measure(at: Settings) -> float | None:
        value = true(at)
        return value + noise.gauss(0, SIGMA) if math.isfinite(value) else None

    return Task("\n".join(lines) + "\n", ranges, measure, true, SIGMA)


# --- the methods: each yields the settings it would recommend after every measured candidate


def baseline(task: Task) -> float:
    values = [task.measure(task.start) for _ in range(4)]
    return statistics.fmean(value for value in values if value is not None)


def by_knobs(task: Task, runs: int, seed: int, wave: int = 1) -> list[Settings]:
    proposer = KnobProposer()
    head, head_value = task.source, baseline(task)
    start_value = head_value
    tried: list[Tried] = []
    found: list[Settings] = []
    while len(found) < runs:
        better = "lower" if task.better == "lower" else "higher"
        brief = Brief("bench", {"train.py": head}, better, task.sigma, tuple(tried), task.ranges, wave, seed)
        generator = proposer.propose(brief)
        try:
            next(generator)
        except StopIteration as stop:
            proposals = stop.value
        if not proposals:
            return found + [settings(head)] * (runs - len(found))
        parent, parent_value = settings(head), head_value
        for proposal in proposals:
            source = proposal.files["train.py"]
            value = task.measure(settings(source))
            noise = task.sigma * min(1.0, abs(head_value / start_value))
            won = value is not None and task.beats(value, head_value, 0.5 * noise)
            status = "crash" if value is None else "keep" if won else "discard"
            tried.append(Tried(settings(source), parent, value, parent_value, status))
            if value is not None and won:
                head, head_value = source, value
            found.append(settings(head))
    return found[:runs]


def spans(task: Task) -> dict[str, tuple[str, tuple]]:
    """Where each knob that the proposer would turn may go, for methods that need to be told."""
    found = {}
    knobs = read_knobs(task.source)
    for axis in axes({"train.py": task.source}, task.ranges):
        given = task.ranges.get(axis.name, KnobRange())
        if axis.scale in ("choice", "rungs"):
            found[axis.name] = "choice", tuple(dict.fromkeys([*axis.choices, axis.value]))
        else:
            value = float(axis.value)
            low = given.low if given.low is not None else value / 4
            high = given.high if given.high is not None else value * 4
            found[axis.name] = ("int" if knobs[axis.name].kind == "int" else "float"), (low, high)
    return found


def by_chance(task: Task, runs: int, seed: int) -> list[Settings]:
    draw = random.Random(seed)
    known = spans(task)

    def anywhere(at: Settings) -> Settings:
        return {**at, **{name: drawn(draw, kind, options) for name, (kind, options) in known.items()}}

    return best_so_far(task, runs, lambda best, _: anywhere(best))


def by_small_chance(task: Task, runs: int, seed: int) -> list[Settings]:
    """One knob of the best settings so far, drawn anew: a hill climb without memory."""
    draw = random.Random(seed)
    known = spans(task)

    def one_knob(best: Settings, _: int) -> Settings:
        name = draw.choice(list(known))
        kind, options = known[name]
        return {**best, name: drawn(draw, kind, options)}

    return best_so_far(task, runs, one_knob)


def drawn(draw: random.Random, kind: str, options: tuple) -> bool | int | float | str:
    if kind == "choice":
        return draw.choice(options)
    low, high = options
    value = math.exp(draw.uniform(math.log(low), math.log(high)))
    return max(1, round(value)) if kind == "int" else value


def best_so_far(task: Task, runs: int, propose: Callable[[Settings, int], Settings]) -> list[Settings]:
    best, best_value = task.start, baseline(task)
    found: list[Settings] = []
    for index in range(runs):
        candidate = propose(best, index)
        value = task.measure(candidate)
        if value is not None and task.beats(value, best_value):
            best, best_value = candidate, value
        found.append(best)
    return found


def by_tpe(task: Task, runs: int, seed: int, multivariate: bool = False, startup: int = 10) -> list[Settings]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=seed, multivariate=multivariate, n_startup_trials=startup)
    study = optuna.create_study(sampler=sampler, direction="minimize" if task.better == "lower" else "maximize")
    spaces = {
        name: optuna.distributions.CategoricalDistribution(options)
        if kind == "choice"
        else optuna.distributions.IntDistribution(int(options[0]), int(options[1]), log=True)
        if kind == "int"
        else optuna.distributions.FloatDistribution(options[0], options[1], log=True)
        for name, (kind, options) in spans(task).items()
    }
    best, best_value = task.start, baseline(task)
    study.add_trial(
        optuna.trial.create_trial(params={name: best[name] for name in spaces}, distributions=spaces, value=best_value)
    )
    found: list[Settings] = []
    for _ in range(runs):
        trial = study.ask(spaces)
        candidate = {**task.start, **trial.params}
        value = task.measure(candidate)
        if value is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, value)
            if task.beats(value, best_value):
                best, best_value = candidate, value
        found.append(best)
    return found


METHODS: dict[str, Callable[[Task, int, int], list[Settings]]] = {
    "knobs (one at a time)": by_knobs,
    "knobs (waves of two)": lambda task, runs, seed: by_knobs(task, runs, seed, wave=2),
    "one random knob of the best": by_small_chance,
    "random search": by_chance,
}
if optuna is not None:
    METHODS["Optuna TPE"] = by_tpe
    METHODS["Optuna TPE, multivariate, 5 random first"] = lambda task, runs, seed: by_tpe(task, runs, seed, True, 5)


# --- reporting


def interval(values: list[float], seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of the median."""
    draw = random.Random(seed)
    medians = sorted(statistics.median(draw.choices(values, k=len(values))) for _ in range(1000))
    return medians[25], medians[974]


def table(title: str, make: Callable[[int], Task], seeds: range, budgets: tuple[int, ...]) -> None:
    print(f"\n{title}\n")
    print(f"| method | {' | '.join(f'{budget} runs' for budget in budgets)} |")
    print(f"|---|{'---|' * len(budgets)}")
    start = statistics.median(make(seed).true(make(seed).start) for seed in seeds)
    print(f"| default settings | {' | '.join([f'{start:.3f}'] * len(budgets))} |")
    for name, method in METHODS.items():
        reached: dict[int, list[float]] = {budget: [] for budget in budgets}
        for seed in seeds:
            task = make(seed)
            found = method(task, max(budgets), seed)
            for budget in budgets:
                reached[budget].append(task.true(found[budget - 1]))
        cells = []
        for values in reached.values():
            low, high = interval(values)
            cells.append(f"{statistics.median(values):.3f} ({low:.3f} to {high:.3f})")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


# --- a real target


def real(folder: Path) -> Task:
    """A target in a scratch copy; its true value is the mean of two more measurements."""
    contract = load(folder).contract
    if contract is None or len(contract.edit) != 1:
        raise SystemExit(f"{folder} has no target with one editable file")
    source = (folder / contract.edit[0]).read_text(encoding="utf-8")
    scratch = Path(tempfile.mkdtemp(prefix="proposers-")) / "target"
    atexit.register(shutil.rmtree, scratch.parent)
    shutil.copytree(folder, scratch)

    def measure(at: Settings) -> float | None:
        (scratch / contract.edit[0]).write_text(set_knobs(source, at), encoding="utf-8")
        text = ""
        for command in filter(None, (contract.run, contract.evaluate)):
            words = [sys.executable if word == "python" else word for word in command.split()]
            done = subprocess.run(
                words, cwd=scratch, capture_output=True, text=True, timeout=contract.budget.kill_after_seconds,
                env={"MEMEX": "1", "MEMEX_SECONDS": str(contract.budget.seconds), "MEMEX_SEED": "1"}, check=False,
            )  # fmt: skip
            if done.returncode:
                return None
            text = done.stdout
        return printed_metrics(text).get(contract.metric.name)

    def true(at: Settings) -> float:
        values = [value for value in (measure(at), measure(at)) if value is not None]
        return statistics.fmean(values) if values else math.nan

    start: Settings = settings(source)
    repeats = [value for value in (measure(start) for _ in range(4)) if value is not None]
    if len(repeats) < 4:
        raise SystemExit(f"{folder}: its own settings do not run")
    return Task(source, contract.ranges, measure, true, statistics.stdev(repeats), contract.metric.better)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--landscape", choices=("named", "hidden", "both", "none"), default="both")
    parser.add_argument("--reach", type=int, default=8, help="ranges go from default / REACH to default * REACH")
    parser.add_argument("--real", type=Path, default=Path(__file__).parents[1] / "targets" / "sql-tuning")
    parser.add_argument("--real-seeds", type=int, default=3)
    parser.add_argument("--method", action="append", help="only methods with this in their name; may be repeated")
    parser.add_argument("--budget", type=int, action="append")
    options = parser.parse_args()
    for name in list(METHODS):
        if options.method and not any(part in name for part in options.method):
            del METHODS[name]
    if optuna is None:
        print("Optuna is not installed, so its rows are missing: pip install optuna", file=sys.stderr)
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    budgets = tuple(options.budget or BUDGETS)
    for landscape in ("named", "hidden"):
        if options.landscape in (landscape, "both"):
            title = f"Surrogate, names {landscape}, ranges x{options.reach}: median true value of {len(seeds)} seeds"
            table(
                title, lambda seed, hidden=landscape == "hidden": surrogate(seed, hidden, options.reach), seeds, budgets
            )
    if (options.real / "memex.toml").exists():
        task = real(options.real)
        real_seeds = range(options.first_seed, options.first_seed + options.real_seeds)
        table(
            f"{options.real.name}, {task.better} is better, {len(real_seeds)} seeds",
            lambda _: task,
            real_seeds,
            budgets,
        )
    else:
        print(f"\n{options.real.name} is left out: {options.real}/memex.toml does not exist.")


if __name__ == "__main__":
    main()
