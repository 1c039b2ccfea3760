"""Measures what is published: `python bench/run.py [--quick] [--peers] [--sizes 1000,10000,100000] [BENCH ...]`.

Without names it runs `store` and `startup` and writes bench/results/store.md and store.json. The other benches print
their own tables. Peers are measured where they are installed; `--peers` installs them under bench/out/venvs first.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import peers
import startup
import store
import tables

from memexlab import __version__

RESULTS = peers.BENCH / "results"
TABLES = ("store", "startup")
#: Benches that are programs of their own, with their options for a quick look.
PROGRAMS: dict[str, tuple[str, str, list[str]]] = {
    "size": ("size.py", "lines of the package", []),
    "verdict": ("verdict_simulation.py", "error rates of keep or discard, simulated", ["--campaigns", "20"]),
    "proposers": ("proposers.py", "the knob proposer beside Optuna's samplers", ["--seeds", "2"]),
    "memory": ("memory_pays.py", "the loop with its memory and without", ["--seeds", "1", "--ideas", "8"]),
    "conflict": ("conflict_simulation.py", "false contradictions and reversals found, simulated", []),
    "speed": ("memory_speed.py", "the questions of the memory at 10,000 runs", ["--runs", "1000"]),
    "novelty": ("novelty.py", "the novelty guard replayed over real logs", []),
}
SIZES, QUICK_SIZES = (1_000, 10_000, 100_000), (200, 1_000)


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    if options.list:
        for name in TABLES:
            print(f"{name:10} part of the default; writes bench/results/store.md")
        for name, (file, what, _) in PROGRAMS.items():
            print(f"{name:10} {what} (bench/{file})")
        return 0
    for name in options.bench:
        if name in PROGRAMS:
            file, _, quick = PROGRAMS[name]
            command = [sys.executable, str(peers.BENCH / file), *(quick if options.quick else [])]
            code = subprocess.run(command).returncode
            if code:
                return code
    if options.peers:
        peers.install()
    wanted = [name for name in options.bench or TABLES if name in TABLES]
    if wanted:
        _write(_measure(options, wanted), options.out)
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bench", nargs="*", choices=[*TABLES, *PROGRAMS, []], metavar="BENCH", help="see --list")
    parser.add_argument("--list", action="store_true", help="names every bench and stops")
    parser.add_argument("--quick", action="store_true", help="a minute instead of an hour; results go to bench/out")
    parser.add_argument("--peers", action="store_true", help="installs the pinned peers under bench/out/venvs first")
    parser.add_argument("--only", type=_names, help="contenders, with commas between them (default: all)")
    parser.add_argument("--sizes", type=_sizes, help="runs in the store, with commas (default: 1000,10000,100000)")
    parser.add_argument("--cap-seconds", type=float, default=300, help="longest time to load one size (default 300)")
    parser.add_argument("--out", type=Path, help="folder for store.md and store.json (default: bench/results)")
    options = parser.parse_args(arguments)
    options.sizes = options.sizes or (QUICK_SIZES if options.quick else SIZES)
    options.out = options.out or (peers.OUT if options.quick else RESULTS)
    return options


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(sorted(int(part) for part in text.split(",")))


def _names(text: str) -> tuple[str, ...]:
    known = [contender.key for contender in peers.CONTENDERS]
    names = tuple(text.split(","))
    for name in names:
        if name not in known:
            raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(known)}")
    return names


def _measure(options: argparse.Namespace, wanted: list[str]) -> dict[str, Any]:
    peers.OUT.mkdir(exist_ok=True)
    begun = time.monotonic()

    def tell(text: str) -> None:
        print(f"{time.monotonic() - begun:6.0f} s  {text}", file=sys.stderr, flush=True)

    machine = _machine()
    effort = store.quick(options.sizes) if options.quick else store.full(options.sizes, options.cap_seconds)
    contenders = [c for c in peers.CONTENDERS if not options.only or c.key in (*options.only, "memexlab")]
    results = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
        "quick": options.quick,
        "sizes": list(options.sizes),
        "machine": machine,
        "versions": {"memexlab": __version__} | {package: peers.installed_version(package) for package in peers.PINNED},
        "startup": startup.measure(3 if options.quick else 11, tell) if "startup" in wanted else {},
        "store": store.measure(effort, contenders, tell) if "store" in wanted else {},
    }
    machine["load_average_at_end"] = os.getloadavg()
    return results


def _machine() -> dict[str, Any]:
    processor = platform.processor()
    about = Path("/proc/cpuinfo")
    if about.exists():
        names = [line.partition(":")[2].strip() for line in about.read_text().splitlines() if "model name" in line]
        processor = names[0] if names else processor
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "load_average": os.getloadavg(),
        "fsync_ms": _fsync_ms(),
    }


def _fsync_ms() -> dict[str, float]:
    """What the disk itself asks for one durable append of a run's size: nobody who syncs can be quicker."""
    path = peers.OUT / "fsync"
    taken = []
    with path.open("ab", buffering=0) as file:
        for _ in range(200):
            file.write(b"x" * 1500)
            begun = time.perf_counter()
            os.fsync(file.fileno())
            taken.append((time.perf_counter() - begun) * 1000)
    path.unlink()
    return store.summary(taken)


def _write(results: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "store.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (folder / "store.md").write_text(tables.document(results), encoding="utf-8")
    shutil.rmtree(store.STORES, ignore_errors=True)
    print(folder / "store.md")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
