"""What early kill saves and what it loses, on real learning curves of microgpt.

    python bench/early_kill.py --measure     # 4 repeats of the baseline and 24 single changes; some 4 minutes
    python bench/early_kill.py               # replays them in many orders and writes results/early_kill.md

Training is timed in processor seconds of the run, not by the wall, so that other work on the machine is no noise.

A win that is lost is a run that would have been raced (z above 1 against the champion of the time) and was cut short.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from memexlab.lab.execution.curves import EARLIEST, POINTS, Curve, Pace, curve_in
from memexlab.lab.execution.metrics import printed_metrics
from memexlab.memory.changes.knobs import set_knobs, settings

HERE = Path(__file__).parent
TARGET, CURVES, TABLE = (
    HERE.parent / "targets/microgpt",
    HERE / "results/early_kill.json",
    HERE / "results/early_kill.md",
)
SECONDS, RUNS, BASELINES, ORDERS = 4.0, 24, 4, 200
#: Changes that begin badly on purpose, and may end well.
SLOW: list[dict[str, Any]] = [
    {"WARMUP": 0.3}, {"WARMUP": 0.3, "LEARNING_RATE": 0.004}, {"WARMUP": 0.5, "LEARNING_RATE": 0.004},
    {"LEARNING_RATE": 0.004},
]  # fmt: skip
MARGINS = (2.0, 3.0, 4.0, 6.0, 8.0)


def measure() -> None:
    """Trains the baseline and single changes of it, one after the other, and keeps curves and final values."""
    source, chance = (TARGET / "train.py").read_text().replace("perf_counter", "process_time"), random.Random(5)
    known = settings(source)
    ranges: dict[str, dict[str, Any]] = tomllib.loads((TARGET / "memex.toml").read_text())["knobs"]
    changes: list[dict[str, Any]] = [{}] * BASELINES
    while len(changes) < BASELINES + RUNS:
        name = chance.choice(list(ranges))
        spec = ranges[name]
        if "choices" in spec:
            value = chance.choice(spec["choices"])
        elif spec.get("scale") == "log":
            value = float(f"{spec['low'] * (spec['high'] / spec['low']) ** chance.random():.3g}")
        else:
            value = round(chance.uniform(spec["low"], spec["high"]), 3)
        if value != known[name] and {name: value} not in changes:
            changes.append({name: value})
    changes += SLOW
    found = []
    env = os.environ | {
        "MEMEX": "1",
        "MEMEX_SECONDS": f"{SECONDS:g}",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    with tempfile.TemporaryDirectory() as scratch:
        lab = Path(scratch) / "lab"
        shutil.copytree(TARGET, lab, ignore=shutil.ignore_patterns("out", "__pycache__"))
        for seed, change in enumerate(changes):
            (lab / "train.py").write_text(set_knobs(source, change))
            ran = subprocess.run(
                [sys.executable, "train.py"],
                cwd=lab,
                env=env | {"MEMEX_SEED": str(seed)},
                capture_output=True,
                text=True,
            )
            scored = subprocess.run([sys.executable, "evaluate.py"], cwd=lab, env=env, capture_output=True, text=True)
            value = None if ran.returncode else printed_metrics(scored.stdout).get("val_bpb")
            found.append({"change": change, "value": value, "curve": curve_in(ran.stdout)})
            sys.stderr.write(f"{len(found)}/{len(changes)} {change} {value}\n")
    CURVES.write_text(json.dumps({"seconds": SECONDS, "runs": found}) + "\n")


def replay(runs: list[dict[str, Any]], margin: float, weak: bool) -> dict[str, float]:
    """Nights over the runs after the baselines, in many orders: the champion is the best value so far that beat the
    noise. A `weak` start is the run in the middle of the ideas, so that there is more to win."""
    baselines, ideas = runs[:BASELINES], [run for run in runs[BASELINES:] if run["value"] is not None]
    middle = sorted(ideas, key=lambda run: run["value"])[len(ideas) // 2]
    start = [middle] if weak else baselines
    ideas = [run for run in ideas if run not in start]
    sigma, chance = stdev(run["value"] for run in baselines), random.Random(1)
    total = dict.fromkeys(("cut", "saved", "wins", "lost", "worse"), 0.0)
    for _ in range(ORDERS):
        champion, seen = [run["curve"] for run in start], [run["curve"] for run in baselines]
        level = best = alive = fmean(run["value"] for run in start)
        for run in chance.sample(ideas, len(ideas)):
            pace = Pace(champion, seen, [[b["curve"] for b in baselines]], "lower", margin)
            curve: Curve = run["curve"]
            cut = next((curve[i][0] for i in range(len(curve)) if pace.behind(curve[: i + 1])), None)
            wins = (level - run["value"]) / (sigma * (1 + 1 / len(champion)) ** 0.5) > 1
            best, total["wins"] = min(best, run["value"]), total["wins"] + wins
            if cut is not None:
                total["cut"], total["saved"], total["lost"] = (
                    total["cut"] + 1,
                    total["saved"] + 1 - cut,
                    total["lost"] + wins,
                )
                continue
            seen.append(curve)
            alive = min(alive, run["value"])
            if wins:
                champion, level = [curve], run["value"]
        total["worse"] += alive - best
    return {name: value / ORDERS for name, value in total.items()} | {"ideas": len(ideas)}


def main() -> None:
    if "--measure" in sys.argv:
        measure()
    data = json.loads(CURVES.read_text())
    runs = [run | {"curve": [tuple(point) for point in run["curve"]]} for run in data["runs"]]
    values = [run["value"] for run in runs[:BASELINES]]
    lines = [
        "# Early kill: what it saves and what it loses",
        "",
        f"`python bench/early_kill.py`: {len(runs) - BASELINES} changes of microgpt, each trained once for"
        f" {data['seconds']:g} processor seconds beside other work, and {BASELINES} repeats of the baseline:"
        f" {fmean(values):.3f} bits per byte, sigma {stdev(values):.3f}. These are real runs; their curves are in"
        f" early_kill.json. {len(SLOW)} of the changes begin slowly on purpose (a long warm-up). Replayed in {ORDERS}"
        " orders, from the baseline and from a weak start, the run in the middle of all changes. A run is cut from"
        f" {EARLIEST:.0%} of its budget on, after {POINTS} points behind. A win is a run that would have been raced:"
        " z above 1 in one run.",
        "",
        "| start | margin | runs cut | training time saved | wins a night | of them lost | best value lost, mean |",
        "|---|---|---|---|---|---|---|",
    ]
    for weak in (False, True):
        for margin in MARGINS:
            r = replay(runs, margin, weak)
            lines.append(
                f"| {'weak' if weak else 'baseline'} | {margin:g} | {r['cut']:.1f} of {r['ideas']:g} |"
                f" {r['saved'] / r['ideas']:.0%} ({r['saved'] * data['seconds']:.0f} s) | {r['wins']:.2f} |"
                f" {r['lost']:.2f} | {r['worse']:.4f} |"
            )
    TABLE.write_text("\n".join(lines) + "\n")
    sys.stdout.write(TABLE.read_text())


if __name__ == "__main__":
    main()
