"""Expected answers to the questions about research logs, from the raw files by the standard library alone.

Nothing of memexlab is used here. A log is a list of rows: `n` counts from 1, `value` is the metric, `text` the
description, `columns` the line as it stands, `params` the settings; those of a lab's own ledger have `metrics`,
`seconds`, `by` and `judged` (the last verdict). An expected answer is a value, `{"run": n}`, `{"run": n, "value": v}`,
`{"near": v, "within": share}`, `{"holds": [words of the text]}`, `{"kind": k}`, `{"any": [one of these]}`, or None: the
log does not say.
"""

from __future__ import annotations

import csv
import json
import re
import statistics
from collections import Counter
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

METRIC = {"serving": "decode_tok_s", "toy": "p50_ms", "kernels": "throughput_tflops", "trading": "sharpe",
          "robots": "metric_after"}  # fmt: skip
HIGHER = ("serving", "kernels", "trading")
SIGNS = {"=": float.__eq__, "<": float.__lt__, "<=": float.__le__, ">": float.__gt__, ">=": float.__ge__}
Log = list[SimpleNamespace]


def read_log(name: str, file: Path) -> Log:
    text, metric = file.read_text("utf-8"), METRIC.get(name, "val_bpb")
    if file.name.endswith(".ledger.jsonl"):
        return read_ledger(text, metric)
    if file.suffix == ".jsonl":
        trials = [json.loads(line) for line in text.splitlines()]
        return [SimpleNamespace(n=n, value=t["results"][metric], status="", text=json.dumps(t["params"]), by="",
                                line=json.dumps(t), params=t["params"], columns=t["results"])
                for n, t in enumerate(trials, 1)]  # fmt: skip
    # A description of several lines goes on where no cell begins: only the last cell may hold a line break.
    lines = re.sub(r"\n(?=[^\t\n]*(\n|$))", " ", text) if name == "robots" else text
    rows = csv.DictReader(lines.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    said = "status" if name != "kernels" else "correctness"
    return [SimpleNamespace(n=n, value=float(r[metric]), status=r[said], text=r["description"], by="",
                            line="\t".join(str(v) for v in r.values()), params={}, columns=r)
            for n, r in enumerate(rows, 1)]  # fmt: skip


def read_ledger(text: str, metric: str) -> Log:
    """The runs of a lab's ledger, each as its last entry left it."""
    found: dict[int, SimpleNamespace] = {}
    for line in text.splitlines():
        entry = json.loads(line)["entry"]
        body = entry["body"]
        if entry["kind"] == "verdict" and body["decision"] not in ("retract", "reinstate"):
            found[int(entry["subject"].rsplit("/", 1)[1])].judged = body
        if entry["kind"] != "run":
            continue
        one = SimpleNamespace(n=body["number"], status=body["status"], text=body["description"], by=entry["by"],
                              role=body.get("role", "candidate"), metrics=body.get("metrics", {}), at=entry["at"],
                              params=body.get("settings", {}), seconds=body.get("seconds"), error=body.get("error"),
                              columns=body.get("metrics", {}), line=line, judged={})  # fmt: skip
        one.value = one.metrics.get(metric)
        one.began = found[one.n].began if one.n in found else entry["at"]
        found[one.n] = one
    return [found[n] for n in sorted(found)]


def reigns(log: Log, higher: bool) -> list[int]:
    """Numbers of the kept runs that were the best kept so far."""
    found: list[int] = []
    best = None
    for r in log:
        good = r.value if higher else -(r.value or 0)
        if r.status.lower() in ("keep", "pass") and r.value and (best is None or good > best):
            best, found = good, [*found, r.n]
    return found


def evaluate(log: Log, higher: bool, expression: str) -> Any:
    """The expected answer as a Python expression; these are the names it may use."""
    measured = [r for r in log if r.value and r.status not in ("crash", "FAIL") and getattr(r, "role", "") != "pair"]

    def nums(test: Any = lambda r: True, text: str = "", status: str = "") -> list[int]:
        return [r.n for r in log if test(r) and re.search(text, r.text) and status in ("", r.status)]

    def best(test: Any = lambda r: True) -> dict[str, Any]:
        one = (max if higher else min)((r for r in measured if test(r)), key=lambda r: r.value)
        return {"run": one.n, "value": one.value}

    def times() -> list[datetime]:
        return [datetime.fromisoformat(t) for r in log for t in (r.began, r.at)]

    known = {
        "R": log, "nums": nums, "best": best, "reign": lambda: reigns(log, higher), "med": statistics.median,
        "top": lambda: sorted(measured, key=lambda r: -r.value if higher else r.value),
        "verdict": lambda decision: [r.n for r in log if r.judged.get("decision") == decision],
        "span": lambda: (max(times()) - min(times())).total_seconds(),
        "seconds": lambda: [statistics.fmean(r.seconds for r in rows if r.seconds) for rows in
                            (log, [r for r in log if r.role == "candidate"], [r for r in log if r.role != "pair"])],
        "most_by": lambda: Counter(re.split(r"\W", r.text)[0] for r in log).most_common(1)[0][0],
    }  # fmt: skip
    return eval(expression, known)  # the expressions stand in this repository, beside their questions


def expected(log: Log, name: str, gold: dict[str, Any], as_of: int | None) -> Any:
    higher = name in HIGHER
    log = log[:as_of] if as_of else log
    if "py" in gold:
        return evaluate(log, higher, gold["py"])
    op = gold["op"]
    if op == "unknown":
        return None
    if op == "status":
        return {"REVERT": "discard"}.get(log[gold["run"] - 1].status, log[gold["run"] - 1].status.lower())
    if op == "champion":
        return [n for n in reigns(log, higher) if n <= gold["at"]][-1]
    if op == "gain":  # against the champion of the moment before
        before = [n for n in reigns(log, higher) if n < gold["run"]][-1]
        return abs(log[before - 1].value - log[gold["run"] - 1].value)
    if op == "next_champion":
        return {"run": next(n for n in reigns(log, higher) if n > gold["after"])}
    if op == "least_param":
        return min(r.params[gold["name"]] for r in log)
    if op == "measured":
        return {"run": gold["run"], "value": float(log[gold["run"] - 1].columns[gold["metric"]])}
    if op == "first_under":
        found = next(r for r in log if r.status != "crash" and r.value < gold["bound"])
        return {"run": found.n, "value": found.value}
    if op == "param":
        return log[gold["run"] - 1].params[gold["name"]]
    if op == "best_param":
        return min(log, key=lambda r: r.value).params[gold["name"]]
    if op in ("common", "differ"):
        a, b = (log[n - 1] for n in gold["runs"])
        if a.params:
            return sorted(k for k in a.params if (a.params[k] == b.params[k]) == (op == "common"))
        heads = [re.split(r" [\d.]", r.text)[0].lower().replace(" ", "_") for r in (a, b)]
        return heads[:1] if heads[0] == heads[1] else []
    if op == "setting":
        kept = [m[1] for r in log if r.status == "keep" and r.n <= gold.get("at", 1 << 30)
                and (m := re.search(gold["pattern"], r.text))]  # fmt: skip
        if not kept:
            kept = [m[1] for r in log if "old" in gold and (m := re.search(gold["old"], r.text))]
        return float(kept[-1].replace("K", "000"))
    first, last = gold.get("from", 1), gold.get("to", len(log))
    if "before" in gold:
        last = next(r.n for r in log if re.search(gold["before"], r.text)) - 1
    if "last" in gold:
        first = len(log) - gold["last"] + 1
    if "from_champion" in gold:
        first = reigns(log, higher)[-1]
    rows = [r for r in log if first <= r.n <= last]
    rows = [r for r in rows if re.search(gold.get("match", ""), r.text, re.I if name != "mar8" else 0)]
    rows = [r for r in rows if "not" not in gold or not re.search(gold["not"], r.text)]
    rows = [r for r in rows if "status" not in gold or r.status in gold["status"]]
    for knob, (sign, value) in gold.get("params", {}).items():
        rows = [r for r in rows if SIGNS[sign](float(r.params[knob]), float(value))]
    if op == "count":
        return len(rows)
    if op == "mean":
        return sum(r.value for r in rows) / len(rows)
    if op == "runs":
        return [r.n for r in rows]
    measured = [r for r in rows if r.status != "crash" and (r.value or higher)]
    if not measured:
        return None
    chosen = (max if (op == "best") == higher else min)(measured, key=lambda r: r.value)
    return {"run": chosen.n, "value": chosen.value}


def agrees(want: Any, value: Any, text: str = "", kind: str = "") -> bool:
    """Whether an answer says what was expected: the same number, the same runs whatever their order."""
    if isinstance(want, dict):
        if "any" in want:
            return any(agrees(one, value, text, kind) for one in want["any"])
        if "holds" in want:
            return all(word.lower() in f"{value} {text}".lower() for word in want["holds"])
        if "kind" in want:
            return bool(want["kind"] == kind and value)
        if "near" in want:
            return isinstance(value, int | float) and abs(value - want["near"]) <= want["within"] * want["near"]
        if isinstance(value, dict):
            return all(key in value and agrees(one, value[key]) for key, one in want.items())
        return (isinstance(value, int | float) and agrees(want.get("value", want["run"]), value)) or (
            "value" not in want and value == [want["run"]]
        )
    if isinstance(want, int | float) and isinstance(value, dict) and "value" in value:
        value = value["value"]
    if isinstance(want, int | float) and isinstance(value, int | float):
        return abs(want - value) <= 1e-9 * max(abs(want), abs(value))
    if isinstance(want, list) and isinstance(value, list) and all(isinstance(n, int) for n in want):
        return sorted(want) == sorted(value)
    return bool(want == value)
