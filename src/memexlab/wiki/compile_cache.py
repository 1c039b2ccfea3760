"""What a compile resolved, kept for the next one: tables of values by key, of which only what is asked for is read.

`.memex/resolved.db` is a view: without it one compile resolves everything. It does not know what the values mean.
"""

from __future__ import annotations

import gc
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, get_origin

from ..ledger import OutsideError

T = TypeVar("T")
_PATIENCE_SECONDS = 600


class Table(dict[str, T], Generic[T]):
    """Values by key; a key without a value has an empty one. Values are changed through `put` and `edit` alone."""

    def __init__(self, db: sqlite3.Connection | None, name: str, empty: Callable[[], T], made: Callable[[Any], T]):
        # list[str]() takes five times as long as list(), and is called a million times
        self._db, self.name, self._empty, self._made = db, name, get_origin(empty) or empty, made
        self.changed: set[str] = set()

    def __missing__(self, key: str) -> T:
        if self._db is None:
            return self._empty()
        row = self._db.execute("SELECT value FROM kept WHERE name = ? AND key = ?", (self.name, key)).fetchone()
        value = self._made(json.loads(row[0])) if row else self._empty()
        self[key] = value
        return value

    def __contains__(self, key: object) -> bool:
        return bool(self[key])  # type: ignore[index]

    def get(self, key: str, default: Any = None) -> T | None:  # type: ignore[override]
        return self[key] or default

    def put(self, key: str, value: T | None) -> None:
        self.changed.add(key)
        if not value:
            value = self._empty()
        if value or self._db is not None:
            self[key] = value
        else:
            self.pop(key, None)

    def edit(self, key: str) -> T:
        """The value, to be changed in its place."""
        self.changed.add(key)
        self[key] = value = self[key]
        return value

    def names(self) -> set[str]:
        """The keys that have a value."""
        if self._db is None:
            return {key for key, value in self.items() if value}
        held = {key for (key,) in self._db.execute("SELECT key FROM kept WHERE name = ?", (self.name,))}
        return held - self.changed | {key for key in self.changed if self[key]}

    def holding(self, words: Iterable[str]) -> set[str]:
        """The keys of values in which one of these words stands; where each value is a text."""
        out = {key for key in self.changed if any(word in str(self[key]) for word in words)}
        rows = self._db.execute("SELECT key, value FROM kept WHERE name = ?", (self.name,)) if self._db else ()
        return out | {key for key, value in rows if key not in self.changed and any(word in value for word in words)}


class Kept:
    """The tables: in memory alone, or over what an earlier compile kept. Holds the lock of the file until it closes,
    and where it is for `reading` none but while `held`."""

    def __init__(
        self, path: Path | None = None, reading: bool = False, patience_seconds: int = _PATIENCE_SECONDS
    ) -> None:
        self._tables: list[Table[Any]] = []
        self._db: sqlite3.Connection | None = None
        self._file: sqlite3.Connection | None = None
        if path is not None and reading:
            uri = f"{path.absolute().as_uri()}?mode=ro"
            try:
                self._file = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_PATIENCE_SECONDS)
                self.hold()
                self._db = self._file
            except sqlite3.DatabaseError:  # there is none, or it is damaged
                self._file = None
        elif path is not None:
            try:
                self._file = _locked(path, patience_seconds)
            except sqlite3.OperationalError as error:
                told = f"the wiki cannot be compiled now: {error}"
                raise OutsideError(told, retryable=True, hint="memex doctor") from error
            except sqlite3.DatabaseError:  # damaged: it is only a view
                path.unlink()
                self._file = _locked(path, patience_seconds)
            self._file.execute(
                "CREATE TABLE IF NOT EXISTS kept(name, key, value, PRIMARY KEY(name, key)) WITHOUT ROWID"
            )
            self._db = self._file

    @property
    def fresh(self) -> bool:
        """Whether nothing is read of what was kept."""
        return self._db is None

    def forget(self) -> None:
        """From here on nothing is read of what was kept, and `save` puts all that is new in its place."""
        self._db, self._tables = None, []

    def hold(self) -> int:
        """Nobody changes the file until `release`; another number where somebody did before."""
        if self._file is None:
            return 0
        if not self._file.in_transaction:
            self._file.execute("BEGIN")
        self._file.execute("SELECT 1 FROM kept LIMIT 1")
        return int(self._file.execute("PRAGMA data_version").fetchone()[0])

    def release(self) -> None:
        if self._file is not None and self._file.in_transaction:
            self._file.execute("COMMIT")

    def table(self, name: str, empty: Callable[[], T], made: Callable[[Any], T] = lambda value: value) -> Table[T]:
        self._tables.append(found := Table(self._db, name, empty, made))
        return found

    def save(self) -> None:
        assert self._file is not None
        if self._db is None:
            self._file.execute("DELETE FROM kept")
        for table in sorted(self._tables, key=lambda table: table.name):
            keys = sorted(table.keys() if self._db is None else table.changed)  # a third of the time to put them in
            gone = [(table.name, key) for key in keys if not table[key]]
            held = [(table.name, key, _AS_JSON(table[key])) for key in keys if table[key]]
            self._file.executemany("DELETE FROM kept WHERE name = ? AND key = ?", gone)
            self._file.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", held)
        self._file.execute("COMMIT")

    def leave(self, path: Path) -> None:
        """Puts all that is new in place of what was kept, unless somebody compiles or nothing can be written there."""
        self.release()
        try:
            other = Kept(path, patience_seconds=0)
        except OutsideError:
            return  # it is only kept to be faster
        other._db, other._tables = None, self._tables
        other.save()
        other.close()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


@contextmanager
def uncollected() -> Iterator[None]:
    """A million small objects and no cycles: to walk them again and again is a sixth of the time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def nothing() -> Any:
    """The empty value of a table whose values have none of their own."""
    return None


def _locked(path: Path, patience_seconds: int) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=patience_seconds)
    db.execute("BEGIN IMMEDIATE")  # who compiles at the same time waits here
    return db


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return [getattr(value, field.name) for field in fields(value)]
    return sorted(value)


_AS_JSON = json.JSONEncoder(ensure_ascii=False, default=_plain).encode
