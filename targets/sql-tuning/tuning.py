"""Builds the shop's database as out/db.sqlite. Edit anything here: settings, schema, indexes, the order of rows.

evaluate.py, which is locked, opens the file read-only, checks every row and every answer, and times the workload. It
takes three settings of its connection from the table `connection` that `build` leaves: cache, memory map, sort space.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import workload

PAGE_SIZE = 4096  # bytes; a power of two from 512 to 65536
CACHE_KB = 2000  # page cache of the connection that answers
MMAP_MB = 0  # part of the file that is mapped into memory
TEMP_IN_MEMORY = False  # where sorts go that are too large for the cache
JOURNAL_MODE = "delete"  # delete, truncate, persist, memory, wal or off
SYNCHRONOUS = "full"  # off, normal or full, while building
AUTO_VACUUM = False
WITHOUT_ROWID = False  # items stored in the order of their key (order, line), not of arrival
SORT_ROWS = False  # insert rows by key instead of in the order of arrival
INDEX_CUSTOMERS_BY_EMAIL = False
INDEX_ORDERS_BY_CUSTOMER = False
INDEX_ORDERS_BY_DAY = False
INDEX_OPEN_ORDERS = False  # only the open ones, by day
INDEX_ITEMS_BY_ORDER = False
INDEX_ITEMS_BY_PRODUCT = False
COVERING_INDEX = False  # the indexes above also hold the columns that the queries read
ANALYZE = False  # statistics for the query planner
VACUUM = False  # rewrite the file at the end


def build(connection: sqlite3.Connection) -> None:
    """Fills an empty database with all rows of the workload."""
    connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
    connection.execute(f"PRAGMA auto_vacuum = {'full' if AUTO_VACUUM else 'none'}")
    connection.execute(f"PRAGMA journal_mode = {JOURNAL_MODE}")
    connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")
    key, without = (", PRIMARY KEY (order_id, line)", " WITHOUT ROWID") if WITHOUT_ROWID else ("", "")
    connection.executescript(f"""
        CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT NOT NULL, country TEXT NOT NULL);
        CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price INTEGER NOT NULL);
        CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, day INTEGER NOT NULL,
                             status TEXT NOT NULL, total INTEGER NOT NULL);
        CREATE TABLE items (order_id INTEGER NOT NULL, line INTEGER NOT NULL, product_id INTEGER NOT NULL,
                            quantity INTEGER NOT NULL{key}){without};
        CREATE TABLE connection (cache_kb INTEGER, mmap_mb INTEGER, temp_in_memory INTEGER);
    """)
    with connection:
        for table, rows in workload.rows().items():
            marks = ", ".join("?" * len(workload.COLUMNS[table]))
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", sorted(rows) if SORT_ROWS else rows)
        connection.execute("INSERT INTO connection VALUES (?, ?, ?)", (CACHE_KB, MMAP_MB, int(TEMP_IN_MEMORY)))
    for index in indexes():
        connection.execute(f"CREATE INDEX {index}")
    if ANALYZE:
        connection.execute("ANALYZE")
    connection.commit()
    if VACUUM:
        connection.execute("VACUUM")
    if JOURNAL_MODE == "wal":  # everything must be in the one file that is scored
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def indexes() -> list[str]:
    wanted = [
        (INDEX_CUSTOMERS_BY_EMAIL, "by_email ON customers (email", ", country", ")"),
        (INDEX_ORDERS_BY_CUSTOMER, "by_customer ON orders (customer_id, day", ", status, total", ")"),
        (INDEX_ORDERS_BY_DAY, "by_day ON orders (day", ", total", ")"),
        (INDEX_OPEN_ORDERS, "open_by_day ON orders (day", ", total", ") WHERE status = 'open'"),
        (INDEX_ITEMS_BY_ORDER, "by_order ON items (order_id, line", ", product_id, quantity", ")"),
        (INDEX_ITEMS_BY_PRODUCT, "by_product ON items (product_id", ", order_id, quantity", ")"),
    ]
    return [start + (more if COVERING_INDEX else "") + end for on, start, more, end in wanted if on]


def main() -> None:
    path = Path("out") / "db.sqlite"
    path.parent.mkdir(exist_ok=True)
    for old in path.parent.glob("db.sqlite*"):
        old.unlink()
    started = time.perf_counter()
    connection = sqlite3.connect(path)
    build(connection)
    connection.close()
    print(f"---\nbuild_seconds: {time.perf_counter() - started:.2f}")
    print(f"built_mb: {path.stat().st_size / 1e6:.3f}", flush=True)
    if "MEMEX" not in os.environ:  # the harness scores by itself; alone, the locked evaluator is asked here
        raise SystemExit(subprocess.run([sys.executable, "evaluate.py"]).returncode)


if __name__ == "__main__":
    main()
