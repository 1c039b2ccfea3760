"""What streams bring and what they cost: a short night each of 1, 2 and 3 streams on microgpt, as a markdown table.

    python bench/streams.py [--streams 1 2 3] [--runs 4] [--seconds 2]

Steps a second are those of the baseline's runs, as the runs print them; sigma is the spread of the metric over repeats.
Wall time is that of this machine under whatever else it does; steps a second feel that load, too.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from memexlab.commands.init import init_lab
from memexlab.commands.run import Options, prepared_night
from memexlab.lab.execution.streams import interference, steps_a_second
from memexlab.lab.loop.night import Limits
from memexlab.memory import Memory

_BASELINE = (
    "SELECT e.body, r.seconds FROM runs r JOIN entries e ON e.seq = r.run WHERE r.value IS NOT NULL"
    " AND r.role <> 'final' AND r.commit_id = (SELECT commit_id FROM runs ORDER BY number LIMIT 1)"
)


def night(streams: int, runs: int, seconds: float) -> str:
    """One row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "lab"
        init_lab(root, "microgpt")
        memory = Memory(root / ".memex")
        begun = time.monotonic()
        with prepared_night(root, memory, lambda event: None, Options(seconds, streams)) as loop:
            candidates = loop.run(Limits(runs=runs))
            sigma = loop.board.noise().sigma
            cost = interference(memory, loop.campaign)
        took = time.monotonic() - begun
        measured, lost = memory.db.execute(
            "SELECT count(*), sum(value IS NULL) FROM runs WHERE role <> 'final'"
        ).fetchone()
        speeds = [steps_a_second(json.loads(body)["metrics"], took) for body, took in memory.db.execute(_BASELINE)]
        memory.close()
    speed = statistics.median(found for found in speeds if found is not None)
    alone = f"{cost.alone:.0f}" if cost else f"{speed:.0f}"
    loss = f"{cost.loss:.0%}" if cost else "0%"
    return (
        f"| {streams} | {candidates} | {measured} | {lost} | {took:.0f} | {measured / took * 60:.1f} | {speed:.0f} "
        f"| {alone} | {loss} | {sigma:.4f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=2)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} processors, load {load:.1f} at the start, {options.seconds:g} s a run.\n")
    print("| streams | candidates | runs | failed | wall s | runs a minute | steps/s | alone | loss | sigma |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for streams in options.streams:
        print(night(streams, options.runs, options.seconds), flush=True)
        print(f"{streams} streams done", file=sys.stderr)


if __name__ == "__main__":
    main()
