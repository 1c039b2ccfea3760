"""What the words of the table `effects` are worth: histories whose truth is known, judged as the fold judges them.

    python bench/conflict_simulation.py            # every rate, about a minute
    python bench/conflict_simulation.py --speed    # what the fold costs at 10,000 runs

True sigma is 1 and every judgement knows only an estimate of it. Nothing here is stored; `tests/test_conflict.py` runs
the same functions with fewer histories.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import NormalDist
from unittest.mock import patch

from memexlab.lab.verdict import race, screen
from memexlab.ledger import Draft, Ref, Run, Source
from memexlab.memory import Memory
from memexlab.memory.effects import estimates as effects
from memexlab.memory.effects.heterogeneity import Judgement, Measured, judge
from memexlab.memory.effects.noise import Noise

DOFS = (3, 12, 60)
_NORMAL = NormalDist()


def estimated_noise(rng: random.Random, dof: int) -> Noise:
    return Noise((rng.gammavariate(dof / 2, 2) / dof) ** 0.5, dof, 1)


def history(
    rng: random.Random, effect_of: dict[str, float], pairs: int, runs: int, keys: int, noise: Noise
) -> list[Measured]:
    """`runs` measurements in each context of the setting "where", with `keys` other settings that do not matter."""
    error = (2 / pairs) ** 0.5
    return [
        Measured(
            rng.gauss(effect, error), noise.sigma * error, pairs,
            {"where": where, **{f"other{k}": rng.choice("abc") for k in range(keys)}},
        )
        for where, effect in effect_of.items()
        for _ in range(runs)
    ]  # fmt: skip


def judged(
    seed: int, count: int, effect_of: dict[str, float], pairs: int, runs: int, keys: int, dof: int
) -> list[Judgement]:
    rng = random.Random(seed)
    found = []
    for _ in range(count):
        noise = estimated_noise(rng, dof)
        found.append(judge(history(rng, effect_of, pairs, runs, keys, noise), noise))
    return found


def shares(found: list[Judgement]) -> dict[str, float]:
    return {status: n / len(found) for status, n in Counter(judgement.status for judgement in found).items()}


def without_interaction(seed: int, count: int, effect: float, runs: int, keys: int, dof: int) -> float:
    """How often changes that have the same effect everywhere are called conditional or reversed."""
    told = shares(judged(seed, count, {"A": effect, "B": effect}, 1, runs, keys, dof))
    return told.get("conditional", 0.0) + told.get("reversed", 0.0)


def reversals_found(seed: int, count: int, size: float, pairs: int, keys: int, dof: int) -> float:
    """How often a gain of `size` sigma in one context and a loss of it in the other is called reversed, for that."""
    found = judged(seed, count, {"A": size, "B": -size}, pairs, 2, keys, dof)
    return sum(j.status == "reversed" and ("where", "A") in j.condition for j in found) / count


def power_by_arithmetic(size: float, pairs: int) -> float:
    """Of Gail and Simon's test with sigma known and no other setting to consider: both signs clear at one-sided 5 %."""
    return _NORMAL.cdf(size / (1 / pairs) ** 0.5 - 1.6449) ** 2


def nothing_replicated(seed: int, count: int, runs: int, dof: int) -> float:
    """How often a change without any effect, measured `runs` times in one context, is called replicated."""
    return shares(judged(seed, count, {"A": 0.0}, 1, runs, 0, dof)).get("replicated", 0.0)


def raced_nothing_replicated(seed: int, count: int, dof: int) -> tuple[float, float]:
    """The same for changes that a night screens and races by its own rules: share of all, and of those it raced."""
    rng = random.Random(seed)
    replicated = raced = 0
    for _ in range(count):
        noise = estimated_noise(rng, dof)
        champion = [rng.gauss(0, 1) for _ in range(4)]
        if screen(rng.gauss(0, 1), champion, noise, "higher").outcome != "race":
            continue
        raced += 1
        pairs = [(rng.gauss(0, 1), rng.gauss(0, 1))]
        while (state := race(pairs, noise, "higher")).decision == "continue":
            pairs.append((rng.gauss(0, 1), rng.gauss(0, 1)))
        measured = Measured(state.gain, state.standard_error, state.n + 1, {})
        replicated += judge([measured], noise).status == "replicated"
    return replicated / count, replicated / raced


def lines(count: int) -> Iterator[str]:
    yield f"{count} histories a number; sigma estimated with {', '.join(map(str, DOFS))} degrees of freedom\n"
    yield "No interaction, called conditional or reversed (at most 5 %):"
    for effect, runs, keys in ((0, 2, 0), (2, 2, 0), (2, 3, 6), (0, 6, 6), (1, 12, 12)):
        rates = [without_interaction(1, count, effect, runs, keys, dof) for dof in DOFS]
        yield f"  effect {effect} sigma, {2 * runs} runs, {keys + 1} settings tried: {_told(rates)}"
    yield "A true reversal of 2 sigma, two measurements in each context, found (and by arithmetic, sigma known):"
    for pairs, keys in ((1, 0), (2, 0), (3, 0), (1, 6), (2, 6), (3, 6)):
        rates = [reversals_found(2, count, 2, pairs, keys, dof) for dof in DOFS]
        limit = power_by_arithmetic(2, pairs)
        yield f"  {pairs} pairs a measurement, {keys + 1} settings tried: {_told(rates)}  ({limit:.1%})"
    yield "No effect, called replicated (at most 5 %):"
    for runs in (1, 2, 3, 8):
        yield f"  {runs} runs: {_told([nothing_replicated(3, count, runs, dof) for dof in DOFS])}"
    both = [raced_nothing_replicated(4, 3 * count, dof) for dof in DOFS]
    yield f"  judged by a night's rules: {_told([b[0] for b in both])}; of those raced: {_told([b[1] for b in both])}"


def _told(rates: list[float]) -> str:
    return ", ".join(f"{rate:.1%}" for rate in rates)


# --- speed

_KNOBS, _VALUES = 20, 12


def speed(folder: Path, count: int) -> Iterator[str]:
    """A campaign of one-knob changes with a baseline of four repeats, landed by the thousand."""
    rng = random.Random(0)
    memory = Memory(folder)
    meta = {"metric": "loss", "better": "lower", "origin": "import"}
    memory.land([Draft("campaign:c", Source("c", meta=meta))], "code:bench")
    settings: dict[str, str | int | float | bool | None] = {f"KNOB_{k}": 6 for k in range(_KNOBS)}
    base = Run("c", "keep", 1, "baseline", metrics={"loss": 1.0}, settings=settings, commit="base")
    [first] = memory.land([Draft("run:1", base)], "code:bench")
    repeats = [
        Run("c", "ok", n, "baseline", metrics={"loss": rng.gauss(1, 0.01)}, settings=settings, commit="base")
        for n in (2, 3, 4)
    ]
    memory.land([Draft(f"run:{run.number}", run) for run in repeats], "code:bench")

    def candidate(number: int) -> Draft:
        moved = settings | {f"KNOB_{rng.randrange(_KNOBS)}": rng.choice([v for v in range(_VALUES) if v != 6])}
        run = Run("c", "discard", number, metrics={"loss": rng.gauss(1, 0.01)}, settings=moved, commit=f"c{number}")
        return Draft(f"run:{number}", run, (Ref("parent", first.id),))

    def added(make: str, number: int) -> float:
        draft = candidate(number)
        if make == "repeat":
            repeat = Run(
                "c", "ok", number, "pair", metrics={"loss": rng.gauss(1, 0.01)}, settings=settings, commit="base"
            )
            draft = Draft(f"run:{number}", repeat, (Ref("parent", first.id),))
        begun = time.perf_counter()
        memory.land([draft], "code:bench")
        memory.index.catch_up()
        return (time.perf_counter() - begun) * 1000

    for start in range(5, count, 1000):
        memory.land([candidate(n) for n in range(start, min(start + 1000, count))], "code:bench")
    numbers = iter(range(count, count + 1000))
    for make in ("candidate", "repeat"):
        taken = sorted(added(make, next(numbers)) for _ in range(21))
        with patch.object(effects, "settle", lambda *_: None):
            without = sorted(added(make, next(numbers)) for _ in range(21))
        yield f"one {make} added at {count} runs: median {taken[10]:.1f} ms; without effects {without[10]:.1f} ms"
    for name in ("without effects", "with effects"):
        begun = time.perf_counter()
        if name == "without effects":
            with patch.object(effects, "settle", lambda *_: None):
                memory.index.rebuild()
        else:
            memory.index.rebuild()
        yield f"whole fold, {name}: {time.perf_counter() - begun:.2f} s"
    rows = [memory.db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("measurements", "effects")]
    yield f"{rows[0]} measurements, {rows[1]} effects"
    memory.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=4000)
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--runs", type=int, default=10_000)
    options = parser.parse_args()
    if options.speed:
        with tempfile.TemporaryDirectory() as folder:
            for line in speed(Path(folder), options.runs):
                print(line, flush=True)
    else:
        for line in lines(options.histories):
            print(line, flush=True)


if __name__ == "__main__":
    main()
