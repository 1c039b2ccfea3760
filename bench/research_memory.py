"""Questions with exact answers about real logs: `python bench/research_memory.py [--logs FOLDER] [--wrong SET]`.

The expected answers are computed by research_gold.py from the raw files; nothing of memexlab is used for them. Beside
it two baselines that show five lines of the log: those that share most words with the question, and the best by FTS5
over the descriptions. A baseline is right where one of the five is a run that the answer is about, or holds the
expected value: much easier than to say it, and it cannot say that it does not know. Writes
bench/results/research_memory.md, and one line a question to bench/out/research_memory.jsonl.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import sqlite3
import tempfile
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from research_gold import METRIC, Log, agrees, expected, read_log

from memexlab.lab.recording import import_log
from memexlab.memory import Memory
from memexlab.memory.questions.answers import Answer, ask

DATA = Path(__file__).parent.parent / "tests" / "data"
FILES = {"mar8": DATA / "logs/mar8.results.tsv", "sweep": DATA / "logs/sweep.jsonl",
         "serving": DATA / "logs/serving.results.tsv",
         "several-agents": DATA / "logs/several-agents.results.tsv",
         "night": DATA / "logs/night.ledger.jsonl", "toy": DATA / "logs/toy.ledger.jsonl"}  # fmt: skip
#: Logs that do not ship with memexlab: their place in a folder of published logs, where they stand under their origin.
ELSEWHERE = {"rtx": "TrainRTX5070/results.tsv", "kernels": "autokernel5090/results.tsv",
             "trading": "trading/results-20260321T2329-45ef0be916.tsv",
             "robots": "karpathy-autoresearch/pr577.results.tsv"}  # fmt: skip
#: What the campaign of a lab's own ledger is called.
CAMPAIGN = {"night": "lab"}
OUT = Path(__file__).parent
#: Lines that a baseline may show.
SHOWN = 5
#: Right, wrong and silent when a set was first asked; what is not known any more is a dash.
FIRST = {
    "held out, 35": ("34", "1", "0"),
    "second, 30": ("15", "-", "-"),
    "third, 30": ("11", "2", "17"),
    "fourth, 20": ("15", "0", "5"),
    "fifth, 30": ("5", "1", "24"),
    "sixth, 41": ("39", "2", "0"),
    "seventh, 28": ("24", "3", "1"),
    "eighth, 30": ("16", "4", "10"),
    "ninth, 30": ("20", "0", "10"),
    "tenth, 30": ("28", "0", "2"),
}


REPORT = """# Questions about research logs

`python bench/research_memory.py --logs FOLDER`, a folder of published logs: TrainRTX5070 (rtx), autokernel5090
(kernels), a trading campaign (trading) and autoresearch pull request 577 (robots). Every answer with a wrong value
counts as stated as true, whatever it says of its own confidence. {left} questions were left out for want of their log.

{table}

These figures are of today, after the grammar was mended with every set. What each set gave when it was first asked, its
answers already written down:

| set | right | wrong | silent |
|---|---:|---:|---:|
{first}

The fifth and sixth were written together, as people type, and split by chance; so were the eighth and ninth, of which
half are about two logs never asked before. The eighth is the figure of the grammar as it was before them, which gave 15
right and 15 silent on the ninth. It was then mended with the eighth and some 300 phrases more, and the ninth was asked
once: this is the figure for a log and a wording of your own. The tenth was written after it was mended with the ninth
too, by somebody who knew the grammar by then, and asked once. Whoever wrote the questions wrote the grammar: outsiders
may do worse.

So the goal of 1 % wrong is met on the last two (0 of 60), and that of 95 % right is missed on both (66.7 % and 93.3 %):
what is not understood is refused, with the words that were not and the question that is left without them.

One expected answer of the second set was corrected: how much memory the best run needed stands in its log.

Not run: MiniLM, as no package that carries its weights is installed.

## Losses

| set | how | log | question |
|---|---|---|---|
{lost}
"""


def held_out(text: str) -> bool:
    return hashlib.sha256(text.encode()).digest()[0] % 2 == 1


def outcome(want: Any, got: Answer | None) -> str:
    """right, wrong (stated as true) or silent (said that it is not in this memory, and it was)."""
    if got is None or got.confidence in ("none", "passages"):
        return "right" if want is None or None in (want.get("any", ()) if isinstance(want, dict) else ()) else "silent"
    return "right" if want is not None and agrees(want, got.value, got.text, got.kind) else "wrong"


def by_lines(log: Log, want: Any, places: list[int]) -> str:
    """How a baseline did that shows these lines of the log."""
    if want is None or not places:
        return "wrong" if places else outcome(want, None)
    if isinstance(want, dict) and "any" in want:
        return "right" if any(by_lines(log, one, places) == "right" for one in want["any"]) else "wrong"

    def holds(r: SimpleNamespace) -> bool:
        if isinstance(want, dict):
            return bool(want["run"] == r.n) if "run" in want else all(w in r.line for w in want.get("holds", ["\0"]))
        if isinstance(want, list):
            return r.n in want or bool(want and all(str(w) in r.line for w in want))
        return str(want) in re.findall(r"[\w.]+", r.line) or bool(want == r.n)

    return "right" if any(holds(log[place]) for place in places) else "wrong"


def grep(log: Log, question: str) -> list[int]:
    words = set(re.findall(r"\w+", question.lower()))
    score = [len(words & set(re.findall(r"\w+", r.line.lower()))) for r in log]
    return [n for n in sorted(range(len(log)), key=lambda n: -score[n])[:SHOWN] if score[n]]


def fts(log: Log, question: str) -> list[int]:
    db = sqlite3.connect(":memory:")
    db.execute("CREATE VIRTUAL TABLE t USING fts5(text)")
    db.executemany("INSERT INTO t(rowid, text) VALUES (?, ?)", [(n, r.text) for n, r in enumerate(log)])
    query = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", question))
    rows = db.execute("SELECT rowid FROM t WHERE t MATCH ? ORDER BY bm25(t) LIMIT ?", (query, SHOWN))
    return [row[0] for row in rows]


def memory_of(name: str, file: Path) -> Memory:
    folder = Path(tempfile.mkdtemp())
    if not file.name.endswith(".ledger.jsonl"):
        memory = Memory(folder)
        metric = METRIC["kernels"] if name == "kernels" else None  # the others say it by the names of their columns
        import_log(memory, file.read_bytes(), file.name, "code:bench", name, metric, "higher" if metric else None)
        return memory
    (folder / "ledger").mkdir(parents=True)
    (folder / "ledger" / "0001.jsonl").write_bytes(file.read_bytes())
    return Memory(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--wrong", default="", help="print what is not right, of one set or of all")
    parser.add_argument(
        "--questions", type=Path, default=DATA / "questions.jsonl", help="another file: nothing is written"
    )
    parser.add_argument(
        "--logs",
        type=Path,
        help=f"folder with {', '.join(ELSEWHERE.values())}, or rtx.tsv and so on; what is missing is left out",
    )
    options = parser.parse_args()
    for name, place in ELSEWHERE.items():
        found = [f for f in (options.logs / f"{name}.tsv", options.logs / place) if f.is_file()] if options.logs else []
        if found:
            FILES[name] = found[0]
        else:
            print(f"left out: the questions of {name}, as --logs names no folder with {name}.tsv or {place}")
    logs = {name: read_log(name, file) for name, file in FILES.items()}
    memories = {name: memory_of(name, file) for name, file in FILES.items()}
    counts: Counter[tuple[str, str, str]] = Counter()
    lost, told, left = [], [], 0
    for line in options.questions.read_text("utf-8").splitlines():
        q = json.loads(line)
        if q["log"] not in logs:
            left += 1
            continue
        log, text = logs[q["log"]], q["question"]
        want = expected(log, q["log"], q["gold"], q.get("as_of"))
        got = ask(memories[q["log"]].db, CAMPAIGN.get(q["log"], q["log"]), text, q.get("as_of"))
        half = q["set"] if "set" in q else "held out" if held_out(text) else "development"
        known = log[: q.get("as_of")]
        found = {
            "memex ask": outcome(want, got),
            "grep": by_lines(known, want, grep(known, text)),
            "FTS5": by_lines(known, want, fts(known, text)),
        }
        for who, how in found.items():
            counts[half, who, how] += 1
        told.append({**q, "set": half, "expected": want, "value": got.value, "confidence": got.confidence, **found})
        if found["memex ask"] != "right":
            lost.append(f"| {half} | {found['memex ask']} | {q['log']} | {text} |")
            if options.wrong in (half, "all"):
                print(f"{lost[-1]}\n   expected {want}\n   {got.kind}: {got.value} {got.text[:150]}")
    table = ["| questions | answered by | right | wrong, stated as true | silent |", "|---|---|---:|---:|---:|"]
    for half in dict.fromkeys(half for half, _, _ in counts):
        for who in ("memex ask", "grep", "FTS5"):
            n = {key: counts[half, who, key] for key in ("right", "wrong", "silent")}
            total = sum(n.values())
            cells = " | ".join(f"{value} ({value / total:.1%})" for value in n.values())
            table.append(f"| {half}, {total} | {who} | {cells} |")
    print("\n".join(table))
    if options.questions != DATA / "questions.jsonl":
        return
    first = [f"| {half} | {' | '.join(cells)} |" for half, cells in FIRST.items()]
    report = REPORT.format(left=left, table="\n".join(table), first="\n".join(first), lost="\n".join(lost))
    (OUT / "results" / "research_memory.md").write_text(report, "utf-8")
    (OUT / "out").mkdir(exist_ok=True)
    lines = "".join(json.dumps(one) + "\n" for one in told)
    (OUT / "out" / "research_memory.jsonl").write_text(lines, "utf-8")


KINDS_TIMED = {
    "best before a switch": "best val_bpb before the first run with optimizer = muon",
    "best before we switched": "best val_bpb before we switched to muon",
    "best, one condition": "best val_bpb with fewer than 8 layers",
    "best, two conditions": "best val_bpb with fewer than 8 layers and optimizer = muon",
    "helped, join over settings of then": "which optimizer settings produced improvements with fewer than 8 layers",
    "hurt, one knob": "which softcap changes hurt with fewer than 8 layers",
    "count": "how many runs used optimizer = muon",
    "common": "what do runs 5 and {half} have in common",
    "value": "what was the depth in run 40",
    "champion": "who was champion at run 500",
    "setting": "which depth worked best",
    "tried, by words": "what happened when we tried softcap to 9",
    "changed": "what changed between run 100 and run 900",
    "unresolved": "what is unresolved",
    "passages": "would a wider softcap have been wiser",
}


def planted(folder: Path, runs: int) -> Any:
    """A memory of `runs` made-up runs with ten settings each; muon comes in after a third of them."""
    from memexlab.ledger import Draft, Ref, Run, Source
    from memexlab.memory import Memory

    memory, dice = Memory(folder), random.Random(1)
    names = (
        "depth",
        "matrix_lr",
        "optimizer",
        "warmup",
        "width",
        "beta1",
        "weight_decay",
        "softcap",
        "dropout",
        "heads",
    )
    now: dict[str, Any] = dict.fromkeys(names, 8.0) | {"optimizer": "adamw", "depth": 8}
    last: str | None = None
    meta = {"metric": "val_bpb", "better": "lower", "unit": "", "origin": "import"}
    memory.land([Draft("campaign:c", Source("c", meta=meta))], "code:bench")

    for start in range(0, runs, 1000):
        drafts = []
        for n in range(start + 1, min(start + 1000, runs) + 1):
            knob = dice.choice(names)
            tried = now | {knob: dice.choice(("adamw", "muon", "sgd")) if knob == "optimizer" else dice.randint(2, 16)}
            if runs // 3 == n:
                tried = now | {"optimizer": "muon"}
            tried |= {"optimizer": "adamw"} if n < runs // 3 else {}
            kept = dice.random() < 0.02
            now = tried if kept else now
            run = Run("c", "keep" if kept else "discard", n, "candidate", f"{knob} to {tried[knob]}",
                      metrics={"val_bpb": 1 - n / runs / 10 + dice.random() / 100}, settings=tried)  # fmt: skip
            drafts.append(Draft(f"run:c/{n}", run, (Ref("parent", last),) if last else ()))
        entries = memory.land(drafts, "code:bench")
        last = entries[-1].id
    return memory


if __name__ == "__main__":
    main()
