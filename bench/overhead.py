"""What the harness takes for one run besides the run: two clean checkouts, walls, supervisor, hashes, evaluator.

The run and the evaluator do next to nothing (`true`, `cat`), so all that is measured is the harness. Milliseconds by
the clock, and processor milliseconds of the harness and its children, over ROUNDS runs of each level.

    python -m bench.overhead [--write]      writes bench/results/overhead.md
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from memexlab.config import load
from memexlab.lab.execution.campaign import Contract, locked_hash
from memexlab.lab.execution.checkouts import Checkouts
from memexlab.lab.execution.engine import Job, Slots, run_environment
from memexlab.lab.execution.measure import measure
from memexlab.lab.execution.sandbox import best_level

ROUNDS = 40
TOML = """[target]
edit = ["train.sh"]
lock = ["score.txt"]
hide = ["val.txt"]
run = "cp seed out"
evaluate = "cat score.txt"
artifact = "out"
[metric]
name = "loss"
"""
RESULT = Path(__file__).parent / "results" / "overhead.md"


def lab(folder: Path) -> tuple[Contract, Checkouts]:
    files = {"train.sh": "", "score.txt": "---\nloss: 1\n", "val.txt": "x", "seed": "y", "memex.toml": TOML}
    for name, text in files.items():
        (folder / name).write_text(text)
    who = ("-c", "user.name=b", "-c", "user.email=b@b")
    for command in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "start"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    contract = load(folder).contract
    assert contract is not None
    return contract, Checkouts(folder, folder / ".memex" / "worktrees")


def times(action: Callable[[], object]) -> tuple[float, float, float]:
    """Median and 90th percentile by the clock, and processor time of one call, in milliseconds."""
    action()
    walls, before = [], _processor_seconds()
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        action()
        walls.append((time.perf_counter() - begun) * 1e3)
    return median(walls), quantiles(walls, n=10)[8], (_processor_seconds() - before) / ROUNDS * 1e3


def _processor_seconds() -> float:
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in both)


def table() -> str:
    lines = [
        f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} processors, {ROUNDS} rounds, "
        f"load {os.getloadavg()[0]:.1f}, nice {os.nice(0)}. On a busy machine look at the processor time.", "",
        "| what | p50 ms | p90 ms | processor ms |", "|---|---|---|---|",
    ]  # fmt: skip
    with TemporaryDirectory() as name:
        folder = Path(name)
        contract, checkouts = lab(folder)
        locked, commit = locked_hash(folder, contract.lock), checkouts.head()
        levels = ["process"] if best_level() == "process" else [best_level(), "process"]
        rows: dict[str, Callable[[], object]] = {"one clean checkout": lambda: checkouts.files_alone("slot-0", commit)}
        for level in levels:
            slots = Slots(1, isolation=level)
            job = Job("true", folder, run_environment({}), 60)
            rows[f"`true` behind `{level}`"] = lambda slots=slots, job=job: slots.run(job)
            rows[f"a whole run with its evaluator, `{level}`"] = lambda slots=slots: measure(
                contract, locked, checkouts, slots, 0, commit, 1, 0
            )
        for what, action in rows.items():
            lines.append("| {} | {:.0f} | {:.0f} | {:.0f} |".format(what, *times(action)))
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="what the harness takes for one run")
    parser.add_argument("--write", action="store_true", help=f"write {RESULT}")
    text = table()
    sys.stdout.write(text)
    if parser.parse_args().write:
        RESULT.write_text("# Overhead of the harness for one run\n\n" + text, encoding="utf-8")


if __name__ == "__main__":
    main()
