"""Does memory pay? The same loop, judged by the same rules, with its memory and without. Prints markdown.

    python bench/memory_pays.py [--ideas 40] [--seeds 10] [--landscape h100] [--processes 2] [--json FILE]

Real `memex run` nights, on landscapes built from real measurements (bench/landscapes) instead of training. Three arms:

- **memory**: as shipped;
- **forgetful**: the same knob proposer, told nothing of earlier runs, and no novelty guard;
- **hill climb**: one random knob of the working head drawn anew, no novelty guard: what a loop does that keeps a
  TSV and does not read it.

Everything else is equal: baseline repeats, screen, races of fresh pairs, what may be claimed. What counts is the *true*
value of the confirmed champion, which no arm can see, and what is paid for is every run: ideas and fresh pairs alike.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
import tempfile
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import landscapes

from memexlab.commands import run as running
from memexlab.lab.loop.night import Limits
from memexlab.lab.proposers import Brief, Prompt, Proposal
from memexlab.lab.proposers.knobs import KnobProposer
from memexlab.lab.proposers.moves import axes
from memexlab.memory import Memory
from memexlab.memory.changes.knobs import set_knobs

ARMS = ("memory", "forgetful", "hill climb")


class Forgetful:
    """The knob proposer, told nothing of what was tried."""

    name = "forgetful"

    def propose(self, brief: Brief) -> Generator[Prompt, str, list[Proposal]]:
        return (yield from KnobProposer().propose(replace(brief, tried=())))


class HillClimb:
    """One random knob of the working head, drawn anew from its range."""

    name = "hill climb"

    def propose(self, brief: Brief) -> Generator[Prompt, str, list[Proposal]]:
        yield from ()
        draw = random.Random(brief.seed)
        [(path, source)] = brief.files.items()
        found = []
        for axis in draw.sample(axes(brief.files, brief.ranges), brief.want):
            given = brief.ranges.get(axis.name)
            if axis.scale in ("choice", "rungs"):
                value = draw.choice([v for v in axis.choices if v != axis.value] or [axis.value])
            else:
                low, high = (given.low, given.high) if given and given.low and given.high else (0.25, 4)
                value = math.exp(draw.uniform(math.log(low), math.log(high)))
                value = max(1, round(value)) if isinstance(axis.value, int) else value
            text = set_knobs(source, {axis.name: value})
            if text != source:
                found.append(Proposal(f"{axis.name} {axis.value} -> {value}", "chance", {path: text}))
        return found


def night(kind: str, seed: int, arm: str, ideas: int) -> dict[str, Any]:
    """One night; returns the true value of the confirmed champion after each run."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "lab"
        landscapes.make_lab(landscapes.KINDS[kind](seed), root, noise_seed=seed)
        memory = Memory(root / ".memex")
        with running.prepared_night(root, memory, lambda event: None, running.Options(streams=2)) as loop:
            if arm != "memory":
                loop.planner.proposer = Forgetful() if arm == "forgetful" else HillClimb()
                loop.planner.guarded = False
            loop.run(Limits(runs=ideas))
        scope: dict[str, Any] = {"__file__": str(root / "landscape.py")}
        exec(landscapes.MEASURE, scope)
        db = memory.db
        reigns = [
            (since, scope["true"](json.loads(body)["settings"]))
            for since, body in db.execute(
                "SELECT c.since, e.body FROM champions c JOIN entries e ON e.seq = c.run ORDER BY c.since"
            )
        ]
        decided = dict(
            db.execute(
                "SELECT r.number, (SELECT max(p.number) FROM refs f JOIN runs p ON p.run = f.seq WHERE f.target = r.id"
                " AND f.role = 'tests' AND p.role = 'pair') FROM runs r WHERE r.role = 'candidate'"
            )
        )
        [last] = db.execute("SELECT max(number) FROM runs WHERE role <> 'final'").fetchone()
        blocked, tried = db.execute(
            "SELECT sum(status = 'blocked'), count(*) FROM runs WHERE role = 'candidate'"
        ).fetchone()
        memory.close()
    # A champion reigns from the last fresh pair that confirmed it, not from its first run.
    steps = sorted((decided.get(since) or since, value) for since, value in reigns)
    curve = []
    best = steps[0][1]
    for number in range(1, last + 1):
        best = next((value for since, value in reversed(steps) if since <= number), best)
        curve.append(best)
    return {"landscape": kind, "seed": seed, "arm": arm, "curve": curve, "ideas": tried, "blocked": blocked or 0}


def reached(curve: list[float], level: float) -> float:
    """How many runs until the champion is at least this good (lower is better); infinite where it never is."""
    return next((i + 1 for i, value in enumerate(curve) if value <= level + 1e-12), math.inf)


def interval(values: list[float]) -> str:
    """Median with its 95 % bootstrap interval."""
    draw = random.Random(0)
    medians = sorted(statistics.median(draw.choices(values, k=len(values))) for _ in range(2000))
    return f"{statistics.median(values):.2f} ({medians[50]:.2f} to {medians[1949]:.2f})"


def tables(nights: list[dict[str, Any]], kinds: list[str], seeds: list[int]) -> None:
    found = {(n["landscape"], n["seed"], n["arm"]): n for n in nights}
    print("\nRuns that memory needs to reach the other loop's best, as a share of all runs the other made\n")
    print("| landscape | other loop | median (95 %) | at most 70 % | never reached |\n|---|---|---:|---:|---:|")
    for kind in kinds:
        for other in ARMS[1:]:
            shares = []
            for seed in seeds:
                curve = found[kind, seed, other]["curve"]
                shares.append(reached(found[kind, seed, "memory"]["curve"], curve[-1]) / len(curve))
            finite = [min(share, 9.99) for share in shares]
            met = sum(share <= 0.7 for share in shares)
            print(f"| {kind} | {other} | {interval(finite)} | {met} of {len(seeds)} | {sum(map(math.isinf, shares))} |")
    print("\nTrue value of the confirmed champion (median, 95 %) after so many runs; lower is better\n")
    marks = (10, 20, 40, 60, 80, 100)
    print(f"| landscape | arm | {' | '.join(map(str, marks))} | last |\n|---|---|{'---:|' * (len(marks) + 1)}")
    for kind in kinds:
        for arm in ARMS:
            curves = [found[kind, seed, arm]["curve"] for seed in seeds]
            cells = []
            for mark in (*marks, None):
                values = [c[-1] if mark is None else c[min(mark, len(c)) - 1] for c in curves]
                low, high = _band(values)
                cells.append(f"{statistics.median(values):.4g} ({low:.4g} to {high:.4g})")
            print(f"| {kind} | {arm} | {' | '.join(cells)} |")
    print("\nRuns made (median), of them ideas, of them refused by the guard before they ran\n")
    print("| landscape | arm | runs | ideas | refused |\n|---|---|---:|---:|---:|")
    for kind in kinds:
        for arm in ARMS:
            some = [found[kind, seed, arm] for seed in seeds]
            runs, ideas, refused = (
                statistics.median(values)
                for values in (
                    [len(n["curve"]) for n in some],
                    [n["ideas"] for n in some],
                    [n["blocked"] for n in some],
                )
            )
            print(f"| {kind} | {arm} | {runs:g} | {ideas:g} | {refused:g} |")


def _band(values: list[float]) -> tuple[float, float]:
    draw = random.Random(0)
    medians = sorted(statistics.median(draw.choices(values, k=len(values))) for _ in range(1000))
    return medians[25], medians[974]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ideas", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--landscape", action="append", choices=list(landscapes.KINDS))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path, help="where to leave every curve")
    options = parser.parse_args()
    kinds = options.landscape or list(landscapes.KINDS)
    seeds = list(range(options.first_seed, options.first_seed + options.seeds))
    jobs = [(kind, seed, arm, options.ideas) for kind in kinds for seed in seeds for arm in ARMS]
    nights = []
    with ProcessPoolExecutor(options.processes) as pool:
        for done, found in enumerate(pool.map(night, *zip(*jobs, strict=True)), 1):
            nights.append(found)
            print(f"{done} of {len(jobs)} nights", end="\r", file=sys.stderr)
    if options.json:
        options.json.write_text(json.dumps(nights))
    tables(nights, kinds, seeds)


if __name__ == "__main__":
    main()
