"""Append and query at growing sizes, for memexlab and for every peer that is installed; each in its own process.

Nothing is decided here: it returns numbers and where they are missing, why. `tables.py` makes sentences of them.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peers
from peers import Contender, Failed

sys.path.insert(0, str(peers.BENCH / "contenders"))
from workload import Answer, right_answers

STORES = peers.OUT / "store"
QUESTIONS = ("best", "filtered")
WRITERS = 4
_PROJECTION_SECONDS = 10.0
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Effort:
    """How hard to measure. A load that would pass `cap_seconds` at its measured rate is not tried."""

    sizes: tuple[int, ...]
    writes: int
    repeats: int
    cold_repeats: int
    cap_seconds: float
    answer_seconds: float
    compete_seconds: float
    trials: int


def quick(sizes: tuple[int, ...]) -> Effort:
    return Effort(sizes, 30, 20, 1, 20.0, 20.0, 1.5, 1)


def full(sizes: tuple[int, ...], cap_seconds: float) -> Effort:
    return Effort(sizes, 300, 200, 3, cap_seconds, 120.0, 5.0, 3)


def measure(effort: Effort, contenders: Sequence[Contender], tell: Tell) -> dict[str, Any]:
    """One record for each contender, by key; a missing peer has only the reason."""
    shutil.rmtree(STORES, ignore_errors=True)
    found: dict[str, Any] = {}
    right = {size: right_answers(size) for size in effort.sizes}
    for contender in contenders:
        record: dict[str, Any] = {"title": contender.title, "durable": contender.durable}
        found[contender.key] = record
        if not contender.installed:
            record["missing"] = peers.NOT_INSTALLED
            continue
        tell(f"{contender.title}: opening a fresh store")
        record["fresh"] = _fresh_opens(contender, effort)
        tell(f"{contender.title}: {WRITERS} writers")
        record["writers"] = _writers(contender, effort)
        record["sizes"] = _at_sizes(contender, effort, right, tell)
    return found


def summary(milliseconds: Sequence[float]) -> dict[str, float]:
    """Median, 99th percentile and count of latencies; the percentile is the value that 1 in 100 reached or passed."""
    ordered = sorted(milliseconds)
    return {
        "median": statistics.median(ordered),
        "p99": ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
        "count": len(ordered),
    }


# --- one process at a time


def _at_sizes(
    contender: Contender, effort: Effort, right: dict[int, tuple[Answer, Answer]], tell: Tell
) -> dict[str, Any]:
    folder = STORES / contender.key
    folder.mkdir(parents=True)
    found: dict[str, Any] = {}
    reached = 0
    for size in effort.sizes:
        at: dict[str, Any] = {}
        found[str(size)] = at
        tell(f"{contender.title}: {size} runs")
        try:
            reached = _fill(contender, folder, reached, size, effort, at)
            if contender.asks:
                _ask(contender, folder, effort, right[size], at)
        except Failed as error:
            at["missing"] = str(error)
            break
        if contender.key == "memexlab":
            at |= _own(contender, folder, effort)
            at["connection"] = {}
            _ask(peers.CONNECTION, folder, effort, right[size], at["connection"])
    return found


def _fill(contender: Contender, folder: Path, reached: int, size: int, effort: Effort, at: dict[str, Any]) -> int:
    """Loads all but the last runs, then writes those one by one, so that writing is measured at its size."""
    writes = min(effort.writes, size // 5)
    begun, start = time.monotonic(), reached
    while reached < size - writes:
        spent = time.monotonic() - begun
        needed = spent / max(1, reached - start) * (size - writes - start)
        if spent > _PROJECTION_SECONDS and needed > effort.cap_seconds:
            rate = (reached - start) / spent
            raise Failed(f"not reached: loading would take {needed / 60:.0f} min at {rate:.0f} runs/s")
        left = effort.cap_seconds if reached > start else _PROJECTION_SECONDS
        loaded = peers.ask(
            contender, "load", effort.cap_seconds + 120, folder=folder, start=reached, stop=size - writes,
            cap_seconds=left,
        )  # fmt: skip
        reached = loaded["reached"]
    at["load_seconds"], at["loaded"] = time.monotonic() - begun, reached - start
    written = peers.ask(
        contender, "write", effort.cap_seconds + 120, folder=folder, start=reached, stop=size, cap_seconds=1e9
    )
    at["write_ms"] = summary(written["milliseconds"])
    at["write_cpu_ms"] = written["cpu_milliseconds"]
    at["bytes"] = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return size


def _ask(contender: Contender, folder: Path, effort: Effort, right: tuple[Answer, Answer], at: dict[str, Any]) -> None:
    for question, expected in zip(QUESTIONS, right, strict=True):
        try:
            asked = peers.ask(
                contender, "ask", effort.answer_seconds * 2, folder=folder, question=question,
                repeats=effort.repeats, cap_seconds=effort.answer_seconds / 4,
            )  # fmt: skip
            times = asked["milliseconds"] or [asked["first_milliseconds"]]
            at[question] = summary(times) | {
                "first": asked["first_milliseconds"],
                "right": [tuple(row) for row in asked["answer"]] == expected,
            }
            arguments = {"folder": str(folder), "question": question, "repeats": 0, "cap_seconds": 0}
            at[f"{question}_cold"] = wall(
                peers.command(contender, "ask", arguments), effort.cold_repeats, effort.answer_seconds * 2
            )
        except Failed as error:
            at.setdefault(question, {"missing": str(error)})
            at.setdefault(f"{question}_cold", {"missing": str(error)})


def wall(command: Sequence[str], repeats: int, timeout_seconds: float = 120) -> dict[str, float]:
    """Wall time of whole processes, in ms."""
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"no answer in {timeout_seconds:.0f} s") from None
        taken.append((time.perf_counter() - begun) * 1000)
        if done.returncode:
            raise Failed(f"exit code {done.returncode}: {done.stderr.strip()[-200:]}")
    return summary(taken)


def _own(contender: Contender, folder: Path, effort: Effort) -> dict[str, Any]:
    """What only memexlab has: the command line on this lab, and views that can be folded again."""
    from memex_lab import FILTERED

    command = [str(Path(sys.executable).parent / "memex"), "--lab", str(folder), "sql", FILTERED]
    return {
        "command_sql": wall(command, max(3, effort.cold_repeats * 3)),
        **peers.ask(contender, "rebuild", 600, folder=folder),
    }


# --- several processes at once


def _together(
    contender: Contender, action: str, gate: Path, arguments: dict[str, Any], seconds: float
) -> list[dict[str, Any]]:
    """Starts the writers, opens the gate once each says that it is ready, and returns what they printed."""
    gate.unlink(missing_ok=True)
    running = [
        subprocess.Popen(
            peers.command(contender, action, {**arguments, "writer": writer, "gate": str(gate)}),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for writer in range(WRITERS)
    ]  # fmt: skip
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not all(Path(f"{gate}.{writer}").exists() for writer in range(WRITERS)):
        if any(process.poll() not in (None, 0) for process in running):
            break
        time.sleep(0.01)
    gate.touch()
    results = []
    for process in running:
        try:
            stdout, stderr = process.communicate(timeout=seconds + 180)
            results.append(peers.answer(process.returncode, stdout, stderr))
        except Failed as error:
            results.append({"error": str(error)})
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            results.append({"error": f"no end in {seconds + 180:.0f} s"})
    for path in gate.parent.glob(f"{gate.name}*"):
        path.unlink()
    return results


def _writers(contender: Contender, effort: Effort) -> dict[str, Any]:
    folder = STORES / f"{contender.key}-writers"
    folder.mkdir(parents=True)
    try:
        peers.ask(contender, "write", 180, folder=folder, start=0, stop=2, cap_seconds=60)
        results = _together(
            contender, "compete", STORES / "gate", {"folder": str(folder), "seconds": effort.compete_seconds},
            effort.compete_seconds,
        )  # fmt: skip
        kept = Counter(peers.ask(contender, "descriptions", 300, folder=folder))
    except Failed as error:
        return {"missing": str(error)}
    finished = [result for result in results if "milliseconds" in result]
    if not finished:
        return {"missing": results[0]["error"]}
    acknowledged = [name for result in finished for name in result["acknowledged"]]
    seconds = max(result["ended"] for result in finished) - min(result["begun"] for result in finished)
    errors = [error for result in finished for error in result["errors"]]
    errors += [result["error"] for result in results if "error" in result]
    return summary([taken for result in finished for taken in result["milliseconds"]]) | {
        "runs_per_second": len(acknowledged) / seconds,
        "acknowledged": len(acknowledged),
        "lost": sum(name not in kept for name in acknowledged),
        "doubled": sum(count - 1 for count in kept.values()),
        "errors": len(errors),
        "first_error": errors[0] if errors else "",
        "longest": max(taken for result in finished for taken in result["milliseconds"]),
    }


def _fresh_opens(contender: Contender, effort: Effort) -> dict[str, Any]:
    """Starts that opened a store nobody had made yet, wrote a run, and whose run is there afterwards."""
    succeeded, lost, errors = 0, 0, []
    for trial in range(effort.trials):
        folder = STORES / f"{contender.key}-fresh-{trial}"
        folder.mkdir(parents=True)
        results = _together(contender, "open_fresh", STORES / "gate", {"folder": str(folder)}, 60)
        wrote = [result["acknowledged"] for result in results if "acknowledged" in result]
        errors += [result["error"] for result in results if "error" in result]
        try:
            kept = set(peers.ask(contender, "descriptions", 120, folder=folder))
        except Failed as error:
            errors.append(str(error))
            kept = set()
        succeeded += sum(name in kept for name in wrote)
        lost += sum(name not in kept for name in wrote)
    return {
        "starts": effort.trials * WRITERS, "succeeded": succeeded, "lost": lost,
        "first_error": errors[0] if errors else "",
    }  # fmt: skip
