"""The wiki on a planted corpus, and its speed. Writes the tables of bench/results/wiki.md, each between its marks.

.venv/bin/python bench/wiki_eval.py                          # both tables; the speed of 1,000 and 10,000 notes
.venv/bin/python bench/wiki_eval.py --notes 10000            # the speed alone
.venv/bin/python bench/wiki_eval.py --lab FOLDER             # the speed in a copy of a lab, as --keep FOLDER leaves one
.venv/bin/python bench/wiki_eval.py --quick                  # 100 subjects, 1,000 notes, nothing written
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from memexlab.api import Lab
from memexlab.commands.eval_wiki import evaluate_wiki, planted, write_lab

RESULTS = Path(__file__).parent / "results" / "wiki.md"
TIMES = 3
#: In a work order: the page and the section of a question, and the first claim that may answer it.
QUESTION = re.compile(r"Question: page ([^,]+), section ([^:]+):.*\n<<<.*\n(c[0-9a-f]{10}) (.*)")


def cpu(command: list[str]) -> float:
    """Processor seconds, user and system, of a whole command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode > (command[-1] == "lint"):  # it ends with 1 where it finds something
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def repeated(prepare: Callable[[int], object], command: list[str]) -> str:
    spent = []
    for turn in range(TIMES):
        prepare(turn)
        spent.append(cpu(command))
    return f"{statistics.median(spent):.2f} s ({min(spent):.2f} to {max(spent):.2f})"


def speed(root: Path, made_from: int = 0) -> dict[str, str]:
    """What each thing costs in this lab; it is changed by that."""
    command, raw, wiki = [sys.executable, "-m", "memexlab", "--lab", str(root)], root / "raw", root / "wiki"
    out: dict[str, str] = {}
    first = cpu([*command, "ingest", str(raw)])
    if made_from:
        out["ingest from nothing"] = f"{first:.1f} s, {made_from / first:.0f} notes a s"
    with closing(sqlite3.connect(root / ".memex" / "index.db")) as db:
        [claims] = db.execute("SELECT count(*) FROM claims c JOIN documents d ON d.entry = c.source").fetchone()
        titles = db.execute("SELECT title FROM documents WHERE document LIKE 'raw/0%' ORDER BY document LIMIT 40")
        names = [title for [title] in titles]
    out |= {"claims that stand": str(claims), "pages": str(len(list(wiki.glob("*.md"))))}
    out["ingest again, nothing new"] = f"{cpu([*command, 'ingest', str(raw)]):.1f} s"

    def write(turn: int) -> None:
        name = f"New Thing {turn}"
        text = f"# {name}\n\n{name} is a tool that nobody knew. The mass of {name} is 3 kg.\n"
        (raw / "new.md").write_text(text)

    out["one more note, or a note changed"] = repeated(write, [*command, "ingest", str(raw / "new.md")])

    def edit(turn: int) -> None:
        page = sorted(wiki.glob("*.md"))[30 * (turn + 1)]
        text = page.read_text()
        page.write_text(re.sub(r"(?m)^(.*) is (.*\^c)", r"\1 was \2", text, count=1) + "\nMy own words.\n")

    out["a page edited by hand, `sync`"] = repeated(edit, [*command, "sync"])
    drafts = root.parent / "drafts.jsonl"

    def word(turn: int) -> None:
        for name in sorted(path.name for path in raw.iterdir())[20 * (turn + 1) :]:
            order = subprocess.run(
                [*command, "ingest", str(raw / name), "--brief"], capture_output=True, text=True
            ).stdout
            if found := QUESTION.search(order):
                page, section, claim, text = found.groups()
                cited = [{"text": text, "cites": [claim]}]
                drafts.write_text(json.dumps({"page": page, "section": section, "sentences": cited}) + "\n")
                return

    out["an answer of an agent, `land`"] = repeated(word, [*command, "land", str(drafts)])
    brief = [*command, "ingest", str(raw / "00010.md"), "--brief"]
    out["the work order of one note, `ingest --brief`"] = repeated(lambda turn: None, brief)
    asks = [*command, "ask", f"What is the height of {names[1]}?"]
    out["`ask` in a new process"] = repeated(lambda turn: None, asks)
    with closing(Lab(root)) as lab:
        lab.ask(f"What is the height of {names[0]}?")
        spent = []
        for name in names:
            begun = time.process_time()
            lab.ask(f"What is the height of {name}?")
            spent.append(1000 * (time.process_time() - begun))
    out["`ask` in a process that stays"] = f"{statistics.median(spent):.0f} ms, at most {max(spent):.0f} ms"
    out["`lint`"] = f"{cpu([*command, 'lint']):.1f} s"
    # Another version of the program, another schema or a merge: what was kept holds no more.
    (root / ".memex" / "resolved.db").unlink()
    out["after an upgrade: the first `ask`, the next"] = f"{cpu(asks):.1f} s, {cpu(asks):.2f} s"
    out["after an upgrade: the first `ingest` or `sync`"] = f"{cpu([*command, 'sync']):.1f} s"
    return out


def put(name: str, text: str) -> None:
    """Puts a table between its marks in the results."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, _, rest = RESULTS.read_text().partition(begin)
    RESULTS.write_text(f"{before}{begin}\n{text}\n{end}{rest.partition(end)[2]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--notes", default="")
    parser.add_argument("--lab", type=Path, help="a lab to copy and to measure")
    parser.add_argument("--keep", type=Path, help="a folder for a copy of the last lab")
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    if not asked.notes and asked.lab is None:
        table = str(evaluate_wiki(100 if asked.quick else 300, asked.seed))
        print(table, flush=True)
        if not asked.quick:
            put("planted", table)
    columns: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as place:
        if asked.lab is not None:
            shutil.copytree(asked.lab, root := Path(place) / "lab")
            columns[str(len(list((root / "raw").iterdir())))] = speed(root)
        else:
            for notes in (asked.notes or ("1000" if asked.quick else "1000,10000")).split(","):
                files, _ = planted(asked.seed, int(int(notes) / 1.6))
                write_lab(root := Path(place) / notes, dict(list(files.items())[: int(notes)]))
                columns[notes] = speed(root, int(notes))
        if asked.keep is not None:
            shutil.copytree(root, asked.keep)
    rows = dict.fromkeys(row for column in columns.values() for row in column)
    lines = [f"| processor seconds of the whole command | {' | '.join(f'{int(n):,} notes' for n in columns)} |"]
    lines += ["|---" * (len(columns) + 1) + "|"]
    lines += [f"| {row} | {' | '.join(column.get(row, '') for column in columns.values())} |" for row in rows]
    print("\n".join(lines))
    if not asked.quick:
        put("speed", "\n".join(lines))


if __name__ == "__main__":
    main()
