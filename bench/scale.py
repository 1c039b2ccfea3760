"""How questions, ingest and size grow: `python bench/scale.py [RUNS ...]`, by default 1,000, 10,000 and 100,000 runs.

Made-up runs with ten settings each, landed in batches of 1,000. Times are process CPU time in milliseconds. Warm is a
question asked again on one connection; cold is the first question of a connection that was just opened, files in the
cache of the machine. What a command takes is the time of its whole process. Writes bench/results/scale.md, and keeps
the sections that somebody wrote below the table.
"""

from __future__ import annotations

import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from research_memory import KINDS_TIMED, planted

from memexlab.memory import Memory
from memexlab.memory.questions.answers import ask

COLD = 5


def cpu(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return (time.process_time() - begun) * 1000


def command(root: Path, *arguments: str) -> tuple[float, str]:
    """CPU milliseconds of a process of its own from start to end, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = subprocess.run(
        [sys.executable, "-m", "memexlab", "--lab", str(root), *arguments], capture_output=True, text=True, check=True
    ).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime), told


def commands(root: Path) -> dict[str, tuple[float, ...]]:
    """One agent logs a run, and another one's next briefing must hold it; each is a process."""
    found: dict[str, list[float]] = {}
    for n in range(COLD):
        said = f"agent A tried idea {n}"
        log = ("log", "--metric", "val_bpb=0.5", "--description", said, "--status", "keep", "--campaign", "c")
        asked = {"log, by agent A": log, "brief of agent B, with it": ("brief", "--campaign", "c"),
                 "sql": ("sql", "select count(*) from runs"), "path 5 900": ("path", "run 5", "run 900")}  # fmt: skip
        for name, words in asked.items():
            took, told = command(root, *words)
            found.setdefault(f"process: memex {name}", []).append(took)
            if name.startswith("brief") and said not in told:
                sys.exit(f"the briefing does not hold what was just logged:\n{told}")
    return {name: (sorted(took)[COLD // 2],) for name, took in found.items()}


def measured(runs: int, root: Path) -> dict[str, tuple[float, ...]]:
    """Warm p50, warm p99 and cold p50 of each kind; one number for what is no question."""
    folder = root / ".memex"
    (root / "memex.toml").write_text('[lab]\nname = "scale"\n')
    seconds = cpu(lambda: planted(folder, runs)) / 1000
    found: dict[str, tuple[float, ...]] = {"ingest, runs a second of CPU": (runs / seconds,)}
    memory, times = Memory(folder), 100 if runs <= 10_000 else 30
    for kind, text in KINDS_TIMED.items():
        asked = text.format(half=runs // 2)
        opened = [Memory(folder).db for _ in range(COLD)]
        cold = sorted(cpu(lambda asked=asked, db=db: ask(db, "c", asked)) for db in opened)
        warm = sorted(cpu(lambda asked=asked: ask(memory.db, "c", asked)) for _ in range(times))
        found[kind] = (warm[times // 2], warm[math.ceil(0.99 * times) - 1], cold[COLD // 2])
    found["rebuild, s of CPU"] = (cpu(memory.index.rebuild) / 1000,)
    found |= commands(root)
    found["size on disk, MB"] = (sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6,)
    return found


def table(made: dict[int, dict[str, tuple[float, ...]]]) -> str:
    sizes = sorted(made)
    lines = ["| | " + " | ".join(f"{n:,} runs" for n in sizes) + " | exponent |"]
    lines.append("|---|" + "---:|" * (len(sizes) + 1))
    for name in made[sizes[0]]:
        values = [made[n][name] for n in sizes]
        cells = [" / ".join(f"{v:,.2f}" if len(cell) > 1 else f"{v:,.1f}" for v in cell) for cell in values]
        steps = math.log(sizes[-1] / sizes[0]) if len(sizes) > 1 else 0
        grows = f"{math.log(max(values[-1][0], 1e-6) / max(values[0][0], 1e-6)) / steps:.2f}" if steps else ""
        lines.append(f"| {name} | {' | '.join(cells)} | {grows} |")
    return "\n".join(lines)


def main() -> None:
    made = {}
    for runs in [int(text) for text in sys.argv[1:]] or [1_000, 10_000, 100_000]:
        with tempfile.TemporaryDirectory() as folder:
            made[runs] = measured(runs, Path(folder))
        told = table(made)
        print(told, flush=True)
        where = Path(__file__).parent / "results" / "scale.md"
        _, mark, remarks = where.read_text("utf-8").partition("\n## ") if where.exists() else ("", "", "")
        where.write_text(
            f"# How questions grow with the memory\n\n`python bench/scale.py {' '.join(map(str, made))}`\n\nQuestions: "
            "warm p50 / warm p99 / cold p50 in CPU milliseconds, 100 repeats (30 at 100,000 runs), 5 for cold. Runs are"
            " made up, with ten settings each. The exponent is that of p50 from the smallest memory to the largest: 1"
            f" grows as the memory does.\n\n{told}\n{mark}{remarks}",
            "utf-8",
        )


if __name__ == "__main__":
    main()
