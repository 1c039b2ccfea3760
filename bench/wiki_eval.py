"""`memex eval wiki` on a larger corpus, and the speed on 1,000 and 10,000 notes. Writes bench/results/wiki.md.

.venv/bin/python bench/wiki_eval.py [--quick] [--notes 1000,10000] [--seed 7]
"""

from __future__ import annotations

import argparse
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from memexlab.api import Lab
from memexlab.commands.evaluating import evaluate_wiki, planted, write_lab

RESULTS = Path(__file__).parent / "results" / "wiki.md"


def speed(notes: int, seed: int) -> list[str]:
    files, _ = planted(seed, int(notes / 1.6))
    files = dict(list(files.items())[:notes])
    with tempfile.TemporaryDirectory() as place:
        write_lab(Path(place) / "lab", files)
        lab = Lab(Path(place) / "lab")
        command = [sys.executable, "-m", "memexlab", "--lab", str(lab.root)]
        first = cpu([*command, "ingest", str(lab.root / "raw")])
        (lab.root / "raw" / "new.md").write_text(
            "# New Thing\n\nNew Thing is a tool that nobody knew. The mass of New Thing is 3 kg.\n"
        )
        one = cpu([*command, "ingest", str(lab.root / "raw" / "new.md")])
        lab = Lab(lab.root)
        names = [t for [t] in lab.memory.db.execute("SELECT title FROM documents ORDER BY entry LIMIT 40")]
        lab.ask(f"What is the height of {names[0]}?")
        spent = []
        for name in names:
            begun = time.process_time()
            lab.ask(f"What is the height of {name}?")
            spent.append(1000 * (time.process_time() - begun))
        cold = cpu([*command, "ask", f"What is the height of {names[1]}?"])
        lab.close()
        with sqlite3.connect(lab.root / ".memex" / "index.db") as db:
            [claims] = db.execute("SELECT count(*) FROM claims").fetchone()
        shown = len(list((lab.root / "wiki").glob("*.md")))
    return [str(len(files)), str(claims), str(shown), f"{first:.1f} s", f"{len(files) / first:.0f} a s", f"{one:.2f} s",
            f"{statistics.median(spent):.0f} ms", f"{max(spent):.0f} ms", f"{cold:.2f} s"]  # fmt: skip


def cpu(command: list[str]) -> float:
    """Processor seconds of a command and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100 subjects, 1,000 notes, nothing written")
    parser.add_argument("--notes", default="1000,10000")
    parser.add_argument("--speed-only", action="store_true", help="add the speed of the last of --notes to the results")
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    lines = [] if asked.speed_only else [str(evaluate_wiki(100 if asked.quick else 300, asked.seed))]
    print(*lines, sep="\n", flush=True)
    heads = "notes | claims | pages | ingest | rate | one more note | ask, median | ask, slowest | ask, new process"
    lines += ["", "Processor seconds, user and system:", "", f"| {heads} |", "|" + "---|" * 9]
    for notes in ["1000"] if asked.quick else asked.notes.split(","):
        lines.append(f"| {' | '.join(speed(int(notes), asked.seed))} |")
        print(lines[-1], flush=True)
    if asked.speed_only:
        RESULTS.write_text(RESULTS.read_text() + lines[-1] + "\n")
    elif not asked.quick:
        RESULTS.write_text(
            "# The wiki on a planted corpus\n\n`.venv/bin/python bench/wiki_eval.py`\n\n" + "\n".join(lines) + "\n"
        )


if __name__ == "__main__":
    main()
