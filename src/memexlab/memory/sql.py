"""Read-only SQL over the views: for people, for agents, for `memex ask`."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..ledger import UsageError

_READS = {
    sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE,
}  # fmt: skip
_STEPS_BETWEEN_CLOCK_LOOKS = 10_000


@dataclass(frozen=True, slots=True)
class Rows:
    """The answer to a query; `truncated` says that the row limit cut it."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    truncated: bool


def query(
    path: Path, sql: str, parameters: Sequence[Any] = (), *, row_limit: int = 1000, seconds_limit: float = 10.0
) -> Rows:
    """Runs one SELECT on the index file; raises UsageError for anything that writes, fails, or takes too long."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
    try:
        db.execute("PRAGMA query_only = 1")
        deadline = time.monotonic() + seconds_limit
        db.set_progress_handler(lambda: int(time.monotonic() > deadline), _STEPS_BETWEEN_CLOCK_LOOKS)
        db.set_authorizer(lambda action, *rest: sqlite3.SQLITE_OK if action in _READS else sqlite3.SQLITE_DENY)
        try:
            cursor = db.execute(sql, parameters)
            rows = cursor.fetchmany(row_limit + 1)
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise _usage(error, db, seconds_limit) from error
        columns = tuple(column[0] for column in cursor.description or ())
        return Rows(columns, rows[:row_limit], len(rows) > row_limit)
    finally:
        db.close()


def _usage(error: Exception, db: sqlite3.Connection, seconds_limit: float) -> UsageError:
    text = str(error)
    if "interrupted" in text:
        return UsageError(
            f"the query ran longer than {seconds_limit:g} s and was stopped",
            "add a WHERE, or memex sql --seconds 60 ...",
        )
    if any(word in text for word in ("not authorized", "authorization denied", "readonly", "prohibited")):
        return UsageError(
            "only SELECT is allowed: views are computed, nothing is edited", 'memex sql "select * from runs"'
        )
    if "no such table" in text or "no such column" in text:
        db.set_authorizer(None)
        tables = ", ".join(
            r[0] for r in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        )
        return UsageError(f"{text}; the tables are {tables}", "memex sql --schema")
    return UsageError(f"the query failed: {text}", "memex sql --schema   shows every table and column")
