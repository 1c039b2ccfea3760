"""Questions with exact answers about real logs: `python bench/research_memory.py [--wrong WHICH]`.

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
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent.parent / "tests" / "data"
FILES = {"mar8": DATA / "logs/mar8.results.tsv", "sweep": DATA / "logs/sweep.jsonl",
         "serving": DATA / "logs/serving.results.tsv",
         "several-agents": DATA / "logs/several-agents.results.tsv"}  # fmt: skip
METRIC = {"serving": "decode_tok_s"}
SIGNS = {"=": float.__eq__, "<": float.__lt__, "<=": float.__le__, ">": float.__gt__, ">=": float.__ge__}
Log = list[dict[str, Any]]


def read_log(name: str) -> Log:
    text = FILES[name].read_text("utf-8")
    if FILES[name].suffix == ".jsonl":
        trials = [json.loads(line) for line in text.splitlines()]
        return [{"n": n, "value": t["results"]["val_bpb"], "status": "", "text": json.dumps(t["params"]),
                 "params": t["params"], "line": json.dumps(t), "columns": t["results"]} for n, t in enumerate(trials, 1)]  # fmt: skip
    rows = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    return [{"n": n, "value": float(r[METRIC.get(name, "val_bpb")]), "status": r["status"], "text": r["description"],
             "params": {}, "line": "\t".join(str(v) for v in r.values()), "columns": r} for n, r in enumerate(rows, 1)]  # fmt: skip


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
    if op == "status":
        return {"REVERT": "discard"}.get(log[gold["run"] - 1]["status"], log[gold["run"] - 1]["status"].lower())
    if op == "champion":
        return [n for n in reigns(log, higher) if n <= gold["at"]][-1]
    if op == "gain":  # against the champion of the moment before
        before = [n for n in reigns(log, higher) if n < gold["run"]][-1]
        return abs(log[before - 1]["value"] - log[gold["run"] - 1]["value"])
    if op == "measured":
        return {"run": gold["run"], "value": float(log[gold["run"] - 1]["columns"][gold["metric"]])}
    if op == "first_under":
        found = next(r for r in log if r["status"] != "crash" and r["value"] < gold["bound"])
        return {"run": found["n"], "value": found["value"]}
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
    if op == "mean":
        return sum(r["value"] for r in rows) / len(rows)
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
    parser.add_argument("--wrong", default="", help="print what is not right, of one set or of all")
    parser.add_argument("--logs", type=Path, help="folder with rtx.tsv, a log that the questions about it need")
    options = parser.parse_args()
    if options.logs:
        FILES["rtx"] = options.logs / "rtx.tsv"
    from memexlab.lab.recording import import_log
    from memexlab.memory import Memory
    from memexlab.memory.answers import ask

    memory = Memory(Path(tempfile.mkdtemp()))
    logs = {name: read_log(name) for name in FILES}
    for name, file in FILES.items():
        import_log(memory, file.read_bytes(), file.name, "code:bench", name, None, None)
    counts: Counter[tuple[str, str, str]] = Counter()
    for line in (DATA / "questions.jsonl").read_text("utf-8").splitlines():
        q = json.loads(line)
        if q["log"] not in logs:
            continue
        log, text = logs[q["log"]], q["question"]
        want = expected(log, q["log"], q["gold"], q.get("as_of"))
        got = ask(memory.db, q["log"], text, q.get("as_of"))
        half = q["set"] if "set" in q else "held out" if held_out(text) else "development"
        found = outcome(want, got.value, got.kind not in ("unknown", "passages"))
        found = "hedged" if found == "wrong" and got.confidence != "exact" else found
        counts[half, "memex ask", found] += 1
        known = log[: q.get("as_of")]
        counts[half, "grep", by_line(known, text, want, grep(known, text))] += 1
        counts[half, "FTS5", by_line(known, text, want, fts(known, text))] += 1
        if options.wrong in (half, "all") and found != "right":
            print(f"{found}: [{q['log']}] {text}\n   expected {want}\n   {got.kind}: {got.value} {got.text[:150]}")
    columns = ("questions", "answered by", "right", "wrong, stated as true", "wrong, read from words", "silent")
    print(f"| {' | '.join(columns)} |")
    print("|---|---|---:|---:|---:|---:|")
    for half in dict.fromkeys(half for half, _, _ in counts):
        for who in ("memex ask", "grep", "FTS5"):
            n = {key: counts[half, who, key] for key in ("right", "wrong", "hedged", "silent")}
            total = sum(n.values())
            cells = " | ".join(f"{value} ({value / total:.1%})" for value in n.values())
            print(f"| {half}, {total} | {who} | {cells} |")


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
