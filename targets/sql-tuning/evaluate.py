"""Locked: checks out/db.sqlite row by row and answer by answer, then times the workload on it. Lower is better.

It opens the file read-only in its own process and runs nothing that a proposer may edit. Plain tables and indexes are
all that the file may hold: a view or a virtual table could answer without having the rows. Wrong or missing rows,
wrong answers and a file that cannot be read end with exit code 1 and no metric.

`p50_ms` is the median over requests of the time for a request's six queries, each request's best of ROUNDS rounds. It
is processor time: the checks come first, so the file is in memory and a query waits for nothing but the processor,
and what else the machine does is not counted. `p50_wall_ms` is the same by the clock; on a quiet machine they agree.

    python evaluate.py [--split val|test] [--plans]
"""

from __future__ import annotations

import argparse
import math
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import workload

ARTIFACT = Path("out/db.sqlite")
ROUNDS = 4
LIMITS = {"cache_kb": (0, 1_000_000), "mmap_mb": (0, 4096), "temp_in_memory": (0, 1)}


class Rejected(Exception):
    """The database cannot be scored; the message says why."""


def connect(path: Path) -> sqlite3.Connection:
    """A read-only connection with the settings that the file asks for; raises Rejected for any other content."""
    if not path.is_file():
        raise Rejected(f"there is no {path}; run python tuning.py first")
    # immutable: the file stands alone, without a journal, and needs no locks.
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    connection.execute("PRAGMA trusted_schema = OFF")
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_schema"):
        if kind not in ("table", "index") or "virtual" in (sql or "").lower().split():
            raise Rejected(f"{name} is a {kind}: only plain tables and indexes can be scored")
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    for table in (*workload.COLUMNS, "connection"):
        if table not in tables:
            raise Rejected(f"there is no table {table}")
    asked = connection.execute(f"SELECT {', '.join(LIMITS)} FROM connection").fetchall()
    if len(asked) != 1:
        raise Rejected(f"the table connection must hold one row; it holds {len(asked)}")
    for value, (name, (low, high)) in zip(asked[0], LIMITS.items(), strict=True):
        if type(value) is not int or not low <= value <= high:
            raise Rejected(f"connection {name} is {value!r}; it must be a whole number from {low} to {high}")
    cache_kb, mmap_mb, temp_in_memory = asked[0]
    connection.execute(f"PRAGMA cache_size = {-cache_kb}")
    connection.execute(f"PRAGMA mmap_size = {mmap_mb * 1_048_576}")
    connection.execute(f"PRAGMA temp_store = {2 if temp_in_memory else 0}")
    return connection


def check_rows(connection: sqlite3.Connection) -> None:
    """Every row of the workload is there, and no other, and every index holds what its table holds."""
    (verdict, *_) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise Rejected(f"the file is damaged: {verdict}")
    for table, rows in workload.rows().items():
        # NOT INDEXED: the rows themselves, not what an index says about them.
        stored = connection.execute(f"SELECT {', '.join(workload.COLUMNS[table])} FROM {table} NOT INDEXED").fetchall()
        if len(stored) != len(rows):
            raise Rejected(f"{table} holds {len(stored)} rows instead of {len(rows)}")
        if set(stored) != set(rows):
            raise Rejected(f"{table} holds a wrong row: {next(iter(set(stored) - set(rows)))}")


def check_answers(connection: sqlite3.Connection, split: str) -> None:
    for number, (request, right) in enumerate(zip(workload.requests(split), workload.answers(split), strict=True)):
        for name, query in workload.QUERIES.items():
            given = connection.execute(query, request.values).fetchall()
            if given != right[name]:
                raise Rejected(f"request {number}, query {name}: {given[:3]} instead of {right[name][:3]}")


def latencies_ms(connection: sqlite3.Connection, split: str, clock_ns: Callable[[], int]) -> list[float]:
    """Best time of each request over ROUNDS rounds, in increasing order."""
    requests = workload.requests(split)
    best = [math.inf] * len(requests)
    for _ in range(ROUNDS):
        for number, request in enumerate(requests):
            started = clock_ns()
            for query in workload.QUERIES.values():
                connection.execute(query, request.values).fetchall()
            best[number] = min(best[number], (clock_ns() - started) / 1e6)
    return sorted(best)


def plans(connection: sqlite3.Connection, split: str) -> None:
    """How the database goes about each query: a SCAN reads a whole table."""
    values = workload.requests(split)[0].values
    for name, query in workload.QUERIES.items():
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", values)]
        print(f"{name:8} {'; '.join(steps)}")


def main() -> int:
    parser = argparse.ArgumentParser(description="check and time out/db.sqlite; lower is better")
    parser.add_argument("--split", choices=workload.SPLIT_SEEDS, default="val", help="the requests (default: val)")
    parser.add_argument("--plans", action="store_true", help="show how each query is answered, instead of a score")
    options = parser.parse_args()
    try:
        connection = connect(ARTIFACT)
        if options.plans:
            plans(connection, options.split)
            return 0
        check_rows(connection)
        check_answers(connection, options.split)
        wall = latencies_ms(connection, options.split, time.perf_counter_ns)
        times = latencies_ms(connection, options.split, time.thread_time_ns)
    except (Rejected, sqlite3.Error, UnicodeDecodeError) as reason:
        print(f"rejected: {reason}", file=sys.stderr)
        return 1
    # The harness looks for the metric by its name, so that name is printed whatever the split.
    print(f"split {options.split}, {len(times)} requests, SQLite {sqlite3.sqlite_version}")
    print(f"---\np50_ms: {median(times):.4f}\np99_ms: {times[math.ceil(0.99 * len(times)) - 1]:.4f}")
    print(f"p50_wall_ms: {median(wall):.4f}")
    print(f"size_mb: {ARTIFACT.stat().st_size / 1e6:.3f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
