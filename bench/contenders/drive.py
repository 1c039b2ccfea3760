"""Runs one contender in a process of its own and prints one JSON line of what it measured.

    python bench/contenders/drive.py CONTENDER ACTION JSON_OF_ARGUMENTS

It runs under the contender's own interpreter, so it needs the standard library alone. Nothing is averaged here that
somebody might want to see: latencies go back as they are.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workload import Measured, Store, run_at

_LOAD_BATCH = 1000


def _milliseconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return (time.perf_counter() - begun) * 1000


def _open(contender: str, folder: str, loading: bool = False) -> Store:
    module, _, variant = contender.partition(":")
    opens = importlib.import_module(module).open_store
    return opens(Path(folder), loading, variant) if variant else opens(Path(folder), loading)


def load(contender: str, folder: str, start: int, stop: int, cap_seconds: float) -> dict[str, Any]:
    """Loads runs start to stop - 1; what was reached when the time is up is said, not hidden."""
    store = _open(contender, folder, loading=True)
    spent, reached = 0.0, start
    step = min(_LOAD_BATCH, max(1, (stop - start) // 10))
    while reached < stop and spent < cap_seconds:
        runs = [run_at(number) for number in range(reached, min(stop, reached + step))]
        spent += _milliseconds(lambda runs=runs: store.load(runs)) / 1000
        reached += len(runs)
    spent += _milliseconds(store.close) / 1000
    return {"reached": reached, "seconds": spent}


def write(contender: str, folder: str, start: int, stop: int, cap_seconds: float) -> dict[str, Any]:
    """Writes runs one at a time. The first one is not timed: it opens files and fills caches."""
    store = _open(contender, folder)
    store.write(run_at(start))
    taken: list[float] = []
    cpu = 0.0
    deadline = time.monotonic() + cap_seconds
    for number in range(start + 1, stop):
        run = run_at(number)
        before = time.process_time()
        taken.append(_milliseconds(lambda run=run: store.write(run)))
        cpu += time.process_time() - before
        if time.monotonic() > deadline:
            break
    store.close()
    return {
        "milliseconds": taken, "cpu_milliseconds": cpu * 1000 / max(1, len(taken)), "reached": start + 1 + len(taken),
    }  # fmt: skip


def ask(contender: str, folder: str, question: str, repeats: int, cap_seconds: float) -> dict[str, Any]:
    """One answer, then up to `repeats` more in the same process until the time is up."""
    store = _open(contender, folder)
    question_asked: Callable[[], Any] = getattr(store, question)
    begun = time.perf_counter()
    answer = question_asked()
    first = (time.perf_counter() - begun) * 1000
    taken: list[float] = []
    deadline = time.monotonic() + cap_seconds
    while len(taken) < repeats and time.monotonic() < deadline:
        taken.append(_milliseconds(question_asked))
    store.close()
    return {"answer": answer, "first_milliseconds": first, "milliseconds": taken}


def compete(contender: str, folder: str, writer: int, seconds: float, gate: str) -> dict[str, Any]:
    """Waits for the gate to open, then writes runs of its own until the time is up. An error is counted and told."""
    store = _open(contender, folder)
    runs = (run_at((writer + 1) * 1_000_000 + i) for i in range(1_000_000))
    _wait(gate, writer)
    begun = time.time()
    taken: list[float] = []
    acknowledged: list[str] = []
    errors: list[str] = []
    while time.time() - begun < seconds:
        run: Measured = next(runs)
        before = time.perf_counter()
        try:
            store.write(run)
        except Exception as error:
            errors.append(_told(error))
        else:
            acknowledged.append(run.description)
        taken.append((time.perf_counter() - before) * 1000)
    ended = time.time()
    store.close()
    return {
        "milliseconds": taken, "acknowledged": acknowledged, "errors": errors, "begun": begun, "ended": ended,
    }  # fmt: skip


def open_fresh(contender: str, folder: str, writer: int, gate: str) -> dict[str, Any]:
    """Imports what is needed, waits for the gate, then opens a store that does not exist yet and writes one run."""
    module, _, _ = contender.partition(":")
    importlib.import_module(module)
    _wait(gate, writer)
    run = run_at(writer)
    try:
        store = _open(contender, folder)
        store.write(run)
        store.close()
    except Exception as error:
        return {"error": _told(error)}
    return {"acknowledged": run.description}


def descriptions(contender: str, folder: str) -> list[str]:
    store = _open(contender, folder)
    found = store.descriptions()
    store.close()
    return found


def rebuild(contender: str, folder: str) -> dict[str, float]:
    """Only for stores that keep views apart from what was recorded."""
    store = _open(contender, folder)
    before = time.process_time()
    milliseconds = _milliseconds(store.rebuild)
    cpu_seconds = time.process_time() - before
    store.close()
    return {"rebuild_seconds": milliseconds / 1000, "rebuild_cpu_seconds": cpu_seconds}


def _wait(gate: str, writer: int) -> None:
    """Says that this process is ready, then waits for the gate: a file that the starter makes once all are."""
    Path(f"{gate}.{writer}").touch()
    while not Path(gate).exists():
        time.sleep(0.001)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"[:200]


ACTIONS: dict[str, Callable[..., Any]] = {
    action.__name__: action for action in (load, write, ask, compete, open_fresh, descriptions, rebuild)
}

if __name__ == "__main__":
    result = ACTIONS[sys.argv[2]](sys.argv[1], **json.loads(sys.argv[3]))
    print("\n" + json.dumps(result))
