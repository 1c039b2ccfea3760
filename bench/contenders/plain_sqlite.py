"""Plain SQLite with nothing around it: the floor. Three tables, the indexes the questions need, WAL.

`normal` syncs at checkpoints only: an acknowledged run survives kill -9, not a power cut. `full` syncs every commit.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from workload import BELOW, LIMIT, METRIC, OPTIMIZER, Answer, Measured

_TABLES = """
CREATE TABLE IF NOT EXISTS runs(run INTEGER PRIMARY KEY, description TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS settings(
  run INTEGER NOT NULL, name TEXT NOT NULL, value, PRIMARY KEY(run, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS metrics(
  run INTEGER NOT NULL, name TEXT NOT NULL, value REAL NOT NULL, PRIMARY KEY(run, name)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS settings_value ON settings(name, value, run);
CREATE INDEX IF NOT EXISTS metrics_value ON metrics(name, value, run);
"""
#: CROSS JOIN fixes the order: the metric's index gives the runs in the order asked for, and ten are soon found.
_FILTERED = """
SELECT r.description, m.value FROM metrics m CROSS JOIN settings s ON s.run = m.run AND s.name = 'optimizer'
CROSS JOIN runs r ON r.run = m.run
WHERE m.name = ? AND m.value < ? AND s.value = ? ORDER BY m.value LIMIT ?
"""
_BEST = """
SELECT r.description, m.value FROM metrics m CROSS JOIN runs r ON r.run = m.run
WHERE m.name = ? ORDER BY m.value LIMIT 1
"""


class PlainSqlite:
    def __init__(self, path: Path, synchronous: str) -> None:
        self.db = sqlite3.connect(path, isolation_level=None, timeout=60)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute(f"PRAGMA synchronous = {synchronous}")
        self.db.executescript(f"BEGIN IMMEDIATE; {_TABLES} COMMIT;")

    def write(self, run: Measured) -> None:
        self.load([run])

    def load(self, runs: list[Measured]) -> None:
        db = self.db
        db.execute("BEGIN IMMEDIATE")
        for run in runs:
            row = db.execute("INSERT INTO runs(description, at) VALUES (?, datetime())", (run.description,)).lastrowid
            db.executemany("INSERT INTO settings VALUES (?, ?, ?)", [(row, *item) for item in run.settings.items()])
            db.executemany("INSERT INTO metrics VALUES (?, ?, ?)", [(row, *item) for item in run.metrics.items()])
        db.execute("COMMIT")

    def best(self) -> Answer:
        return self.db.execute(_BEST, (METRIC,)).fetchall()

    def filtered(self) -> Answer:
        return self.db.execute(_FILTERED, (METRIC, BELOW, OPTIMIZER, LIMIT)).fetchall()

    def descriptions(self) -> list[str]:
        return [row[0] for row in self.db.execute("SELECT description FROM runs")]

    def close(self) -> None:
        self.db.close()


def open_store(folder: Path, loading: bool, variant: str = "normal") -> PlainSqlite:
    return PlainSqlite(folder / "runs.db", "OFF" if loading else variant.upper())
