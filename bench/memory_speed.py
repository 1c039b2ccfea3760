"""How long the questions of the memory take in a long campaign: `python bench/memory_speed.py [--runs 10000]`.

Every run changes one knob of the champion's settings, and one in fifty is kept; four repeats make the noise known. The
times of the novelty guard are in bench/novelty.py.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from novelty import _fill

from memexlab.commands.decisions import next_up, standings
from memexlab.commands.effects import effects_of
from memexlab.lab.evidence.briefing import briefing
from memexlab.ledger import Draft, Ref, Run
from memexlab.memory import Memory


def timed(question: Callable[[], object], times: int = 20) -> str:
    question()
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        question()
        taken.append((time.perf_counter() - begun) * 1000)
    return f"{statistics.median(taken):,.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000)
    runs = parser.parse_args().runs
    memory = Memory(Path(tempfile.mkdtemp()))
    settings = _fill(memory, runs, None)
    number = runs

    def land(role: str, **more: object) -> None:
        nonlocal number
        number += 1
        run = Run(
            "c", "ok" if role != "candidate" else "discard", number, role, "one more",
            metrics={"loss": 9.0 + number % 7 / 1e4}, settings={**settings, **more}, commit=(more and "") or "c0",
        )  # fmt: skip
        memory.land([Draft(f"run:c/{number}", run, (Ref("parent", parent),))], "code:bench")

    [parent] = memory.db.execute("SELECT id FROM runs WHERE status = 'keep' ORDER BY number DESC").fetchone()
    for _ in range(4):
        land("baseline")
    print(f"\n| question, {runs:,} runs | median ms |\n|---|---:|")
    for name, question in {
        "`memex brief --tokens 1500`": lambda: briefing(memory.db, "c", 1500),
        "`memex next`": lambda: next_up(memory, "c"),
        "`memex registry`": lambda: standings(memory, "c"),
        "`memex registry --as-of 5000`": lambda: standings(memory, "c", runs // 2),
        "`memex effects`": lambda: effects_of(memory, "c"),
        "a run lands, its effects folded": lambda: land("candidate", knob_e=1.0 + number / 7),
        "a repeat lands: sigma moves, all effects are pooled again": lambda: land("baseline"),
    }.items():
        print(f"| {name} | {timed(question)} |", flush=True)
    begun = time.perf_counter()
    memory.index.rebuild()
    print(f"| all views folded again | {(time.perf_counter() - begun) * 1000:,.0f} |")


if __name__ == "__main__":
    main()
