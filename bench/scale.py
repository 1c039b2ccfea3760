"""How questions, ingest and size grow: `python bench/scale.py [RUNS ...]`, by default 1,000, 10,000 and 100,000 runs.

Made-up runs with ten settings each, landed in batches of 1,000. Times are process CPU time in milliseconds. Writes
bench/results/scale.md.
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from pathlib import Path

from research_memory import KINDS_TIMED, planted

from memexlab.memory.answers import ask

TIMES = 20


def cpu(question: object) -> float:
    begun = time.process_time()
    question()  # type: ignore[operator]
    return (time.process_time() - begun) * 1000


def measured(runs: int) -> dict[str, tuple[float, float]]:
    folder = Path(tempfile.mkdtemp())
    begun = time.process_time()
    memory = planted(folder, runs)
    ingest = runs / (time.process_time() - begun)
    found = {"ingest, runs a second of CPU": (ingest, ingest)}
    for kind, text in KINDS_TIMED.items():
        asked = text.format(half=runs // 2)
        ask(memory.db, "c", asked)
        taken = sorted(cpu(lambda asked=asked: ask(memory.db, "c", asked)) for _ in range(TIMES))
        found[kind] = (taken[TIMES // 2], taken[-1])
    rebuild = cpu(memory.index.rebuild) / 1000
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
    return found | {"rebuild, s of CPU": (rebuild, rebuild), "size on disk, MB": (size, size)}


def table(made: dict[int, dict[str, tuple[float, float]]]) -> str:
    sizes = sorted(made)
    lines = ["| p50 (worst of 20), CPU ms | " + " | ".join(f"{n:,} runs" for n in sizes) + " | exponent |"]
    lines.append("|---|" + "---:|" * (len(sizes) + 1))
    for name in made[sizes[0]]:
        values = [made[n][name] for n in sizes]
        cells = [f"{low:,.2f} ({high:,.2f})" if low != high else f"{low:,.1f}" for low, high in values]
        steps = math.log(sizes[-1] / sizes[0]) if len(sizes) > 1 else 0
        grows = f"{math.log(max(values[-1][0], 1e-6) / max(values[0][0], 1e-6)) / steps:.2f}" if steps else ""
        lines.append(f"| {name} | {' | '.join(cells)} | {grows} |")
    return "\n".join(lines)


def main() -> None:
    made = {}
    for runs in [int(text) for text in sys.argv[1:]] or [1_000, 10_000, 100_000]:
        made[runs] = measured(runs)
        told = table(made)
        print(told, flush=True)
        (Path(__file__).parent / "results" / "scale.md").write_text(
            f"# How questions grow with the memory\n\n`python bench/scale.py {' '.join(map(str, made))}`\n\n{told}\n",
            "utf-8",
        )


if __name__ == "__main__":
    main()
