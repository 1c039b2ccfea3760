"""Questions with exact answers about real logs: `python bench/research_memory.py [--speed RUNS] [--wrong]`.

The expected answers are computed here from the raw files with csv, json and re alone; nothing of memexlab is used for
them. Half of the questions, chosen by a hash of their text, were not looked at while the grammar was written. Beside it
two baselines: the line of the log that shares most words with the question, and the best FTS5 match of a description. A
baseline is right where its line is (one of) the runs that the answer is about, or holds the expected value: easier.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import random
import re
import sqlite3
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent.parent / "tests" / "data"
FILES = {"mar8": "mar8.results.tsv", "sweep": "sweep.jsonl", "serving": "serving.results.tsv",
         "several-agents": "several-agents.results.tsv"}  # fmt: skip
METRIC = {"serving": "decode_tok_s"}
SIGNS = {"=": float.__eq__, "<": float.__lt__, "<=": float.__le__, ">": float.__gt__, ">=": float.__ge__}
Log = list[dict[str, Any]]


def read_log(name: str) -> Log:
    text = (DATA / "logs" / FILES[name]).read_text("utf-8")
    if FILES[name].endswith(".jsonl"):
        trials = [json.loads(line) for line in text.splitlines()]
        return [{"n": n, "value": t["results"]["val_bpb"], "status": "", "text": json.dumps(t["params"]),
                 "params": t["params"], "line": json.dumps(t)} for n, t in enumerate(trials, 1)]  # fmt: skip
    rows = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    return [{"n": n, "value": float(r[METRIC.get(name, "val_bpb")]), "status": r["status"], "text": r["description"],
             "params": {}, "line": "\t".join(str(v) for v in r.values())} for n, r in enumerate(rows, 1)]  # fmt: skip


def reigns(log: Log, higher: bool) -> list[int]:
    """Numbers of the kept runs that were the best kept so far."""
    found: list[int] = []
    best = None
    for r in log:
        good = r["value"] if higher else -r["value"]
        if r["status"].lower() == "keep" and r["value"] and (best is None or good > best):
            best, found = good, [*found, r["n"]]
    return found


def expected(log: Log, name: str, gold: dict[str, Any], as_of: int | None) -> Any:
    op, higher = gold["op"], name == "serving"
    log = log[:as_of] if as_of else log
    if op == "unknown":
        return None
    if op == "champion":
        return [n for n in reigns(log, higher) if n <= gold["at"]][-1]
    if op == "param":
        return log[gold["run"] - 1]["params"][gold["name"]]
    if op == "best_param":
        return min(log, key=lambda r: r["value"])["params"][gold["name"]]
    if op in ("common", "differ"):
        a, b = (log[n - 1] for n in gold["runs"])
        if a["params"]:
            same = {k for k in a["params"] if (a["params"][k] == b["params"][k]) == (op == "common")}
            return sorted(same)
        heads = [re.split(r" [\d.]", r["text"])[0].lower().replace(" ", "_") for r in (a, b)]
        return heads[:1] if heads[0] == heads[1] else []
    if op == "setting":
        kept = [m[1] for r in log if r["status"] == "keep" and r["n"] <= gold.get("at", 1 << 30)
                and (m := re.search(gold["pattern"], r["text"]))]  # fmt: skip
        if not kept:
            kept = [m[1] for r in log if "old" in gold and (m := re.search(gold["old"], r["text"]))]
        return float(kept[-1].replace("K", "000"))
    first, last = gold.get("from", 1), gold.get("to", len(log))
    if "before" in gold:
        last = next(r["n"] for r in log if re.search(gold["before"], r["text"])) - 1
    if "last" in gold:
        first = len(log) - gold["last"] + 1
    if "from_champion" in gold:
        first = reigns(log, higher)[-1]
    rows = [r for r in log if first <= r["n"] <= last]
    rows = [r for r in rows if re.search(gold.get("match", ""), r["text"], re.I if name != "mar8" else 0)]
    rows = [r for r in rows if "not" not in gold or not re.search(gold["not"], r["text"])]
    rows = [r for r in rows if "status" not in gold or r["status"] in gold["status"]]
    for knob, (sign, value) in gold.get("params", {}).items():
        rows = [r for r in rows if SIGNS[sign](float(r["params"][knob]), float(value))]
    if op == "count":
        return len(rows)
    if op == "runs":
        return [r["n"] for r in rows]
    measured = [r for r in rows if r["status"] != "crash" and (r["value"] or higher)]
    if not measured:
        return None
    chosen = (max if (op == "best") == higher else min)(measured, key=lambda r: r["value"])
    return {"run": chosen["n"], "value": chosen["value"]}


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, int | float) and isinstance(b, int | float):
        return abs(a - b) <= 1e-9 * max(abs(a), abs(b))
    return bool(a == b)


def held_out(text: str) -> bool:
    return hashlib.sha256(text.encode()).digest()[0] % 2 == 1


def outcome(want: Any, got: Any, known: bool) -> str:
    """right, wrong (stated as true) or silent (said that it is not in this memory, and it was)."""
    if not known:
        return "right" if want is None else "silent"
    return "right" if want is not None and same(want, got) else "wrong"


def by_line(log: Log, question: str, want: Any, place: int | None) -> str:
    """How a baseline did that shows line `place` of the log."""
    if place is None:
        return outcome(want, None, False)
    r = log[place]
    if want is None:
        return "wrong"
    if isinstance(want, dict):
        return "right" if want["run"] == r["n"] else "wrong"
    if isinstance(want, list):
        return "right" if r["n"] in want or (want and all(str(w) in r["line"] for w in want)) else "wrong"
    return "right" if str(want) in re.findall(r"[\w.]+", r["line"]) or want == r["n"] else "wrong"


def grep(log: Log, question: str) -> int | None:
    words = set(re.findall(r"\w+", question.lower()))
    score = [len(words & set(re.findall(r"\w+", r["line"].lower()))) for r in log]
    return score.index(max(score)) if max(score) else None


def fts(log: Log, question: str) -> int | None:
    db = sqlite3.connect(":memory:")
    db.execute("CREATE VIRTUAL TABLE t USING fts5(text)")
    db.executemany("INSERT INTO t(rowid, text) VALUES (?, ?)", [(n, r["text"]) for n, r in enumerate(log)])
    query = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", question))
    row = db.execute("SELECT rowid FROM t WHERE t MATCH ? ORDER BY bm25(t) LIMIT 1", (query,)).fetchone()
    return row[0] if row else None


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--speed", type=int, help="time the questions over this many made-up runs instead")
    parser.add_argument(
        "--wrong", choices=("development", "held out", "all"), help="print what is not right, of one half"
    )
    options = parser.parse_args()
    if options.speed:
        return speed(options.speed)
    from memexlab.lab.recording import import_log
    from memexlab.memory import Memory
    from memexlab.memory.answers import ask

    memory = Memory(Path(tempfile.mkdtemp()))
    logs = {name: read_log(name) for name in FILES}
    for name, file in FILES.items():
        import_log(memory, (DATA / "logs" / file).read_bytes(), file, "code:bench", name, None, None)
    counts: Counter[tuple[str, str, str]] = Counter()
    for line in (DATA / "questions.jsonl").read_text("utf-8").splitlines():
        q = json.loads(line)
        log, text = logs[q["log"]], q["question"]
        want = expected(log, q["log"], q["gold"], q.get("as_of"))
        got = ask(memory.db, q["log"], text, q.get("as_of"))
        half = "held out" if held_out(text) else "development"
        found = outcome(want, got.value, got.kind != "unknown")
        counts[half, "memex ask", found] += 1
        known = log[: q.get("as_of")]
        counts[half, "grep", by_line(known, text, want, grep(known, text))] += 1
        counts[half, "FTS5", by_line(known, text, want, fts(known, text))] += 1
        if options.wrong in (half, "all") and found != "right":
            print(f"{found}: [{q['log']}] {text}\n   expected {want}\n   {got.kind}: {got.value} {got.text[:150]}")
    print("| questions | answered by | right | stated, wrong | silent, though there |\n|---|---|---:|---:|---:|")
    for half in ("development", "held out"):
        for who in ("memex ask", "grep", "FTS5"):
            n = {key: counts[half, who, key] for key in ("right", "wrong", "silent")}
            total = sum(n.values())
            cells = " | ".join(f"{value} ({value / total:.1%})" for value in n.values())
            print(f"| {half}, {total} | {who} | {cells} |")


def speed(runs: int) -> None:
    """Median and 99th percentile of each kind over `runs` runs with ten settings each, in milliseconds."""
    from memexlab.ledger import Draft, Ref, Run, Source
    from memexlab.memory import Memory
    from memexlab.memory.answers import ask

    memory, dice = Memory(Path(tempfile.mkdtemp())), random.Random(1)
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

    begun = time.perf_counter()
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
    print(f"{runs:,} runs landed and folded in {time.perf_counter() - begun:.1f} s")
    for text in (
        "best val_bpb before the first run with optimizer = muon",
        "best val_bpb before we switched to muon",
        "best val_bpb with fewer than 8 layers",
        "best val_bpb with fewer than 8 layers and optimizer = muon",
        "which optimizer settings produced improvements with fewer than 8 layers",
        "which softcap changes hurt with fewer than 8 layers",
        "how many runs used optimizer = muon",
        f"what do runs 5 and {runs // 2} have in common",
        "what was the depth in run 40",
        "who was champion at run 500",
    ):
        taken = []
        for _ in range(15):
            begun = time.perf_counter()
            answer = ask(memory.db, "c", text)
            taken.append((time.perf_counter() - begun) * 1000)
        begun = time.perf_counter()
        rows = len(memory.db.execute(answer.sql).fetchall()) if answer.sql else 0
        alone = (time.perf_counter() - begun) * 1000
        print(f"{statistics.median(taken):8.2f} ms, worst {max(taken):8.2f}, its SQL {alone:8.2f} ({rows} rows): {text}"
              f" -> {answer.kind}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
