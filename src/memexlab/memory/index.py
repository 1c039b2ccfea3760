"""The index: one SQLite file that holds every view, folded from the ledger and safe to delete.

One process at a time writes it, under its own lock, because SQLite before 3.51.3 can damage a WAL file when two
connections write or checkpoint at once (sqlite.org/wal.html, "the WAL-reset bug"). Readers need no lock. What the
ledger says always wins: an index of another version, of another ledger, or damaged, is dropped and folded again.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from ..ledger import Blobs, Cursor, Entry, FileLedger, Finding, OutsideError
from ..ledger.wire import body_to, dumps, entry_from
from . import schema
from .namespaces import CAMPAIGN, definition_of

if TYPE_CHECKING:
    from . import runs

_TAIL_BYTES = 64
_CHECKPOINT_BYTES, _PATIENCE_SECONDS = 32_000_000, 30
#: From here on a first fold fills the tables and sorts the indexes afterwards: at 100,000 runs twice as fast.
_SORT_LATER_BYTES = 4_000_000
_CACHE_KIB = 64_000
Progress = Callable[[int], None]


class Index:
    """The views of one ledger. `catch_up()` makes them current; `db` is for reading."""

    def __init__(self, path: Path, ledger: FileLedger, aliases: Mapping[str, str] | None = None) -> None:
        self.path, self.ledger, self.aliases = path, ledger, aliases or {}
        self.blobs = Blobs(ledger.folder.parent / "blobs")
        # As text, because joining paths would cost more than the looks at the files that `catch_up` takes.
        self._path_text, self._ledger_text = str(path), str(ledger.folder)
        self._db: sqlite3.Connection | None = None
        self._inode = 0
        self._cursor: Cursor | None = None

    # --- reading

    @property
    def db(self) -> sqlite3.Connection:
        """A connection to the views as they are now; call `catch_up` first to include what others landed."""
        if self._db is None:
            with self._lock():
                self._open()
        assert self._db is not None
        return self._db

    def known(self, ids: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for start in range(0, len(ids), 500):
            part = ids[start : start + 500]
            marks = ",".join("?" * len(part))
            found.update(row[0] for row in self.db.execute(f"SELECT id FROM entries WHERE id IN ({marks})", part))
        return found

    def by_key(self, keys: Sequence[str]) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for start in range(0, len(keys), 500):
            part = keys[start : start + 500]
            marks = ",".join("?" * len(part))
            for row in self.db.execute(f"{_ENTRY} WHERE key IN ({marks}) ORDER BY seq DESC", part):
                found[row[7]] = self._entry(row)
        for key in keys:  # two labs may have defined one name, and a campaign is meant by the name it has here
            seq = definition_of(self.db, key.removeprefix(CAMPAIGN)) if key.startswith(CAMPAIGN) else None
            if seq is not None and (entry := self.entry(seq)) is not None:
                found[key] = entry
        return found

    def entry(self, seq: int) -> Entry | None:
        row = self.db.execute(f"{_ENTRY} WHERE seq = ?", (seq,)).fetchone()
        return self._entry(row) if row else None

    def _entry(self, row: tuple[object, ...]) -> Entry:
        seq, entry_id, kind, subject, by, at, since, key, body, until = row
        refs = self.db.execute(
            "SELECT role, target, coalesce(start, -1), coalesce(end, -1) FROM refs WHERE seq = ? ORDER BY rowid", (seq,)
        )
        stored = {
            "kind": kind, "subject": subject, "by": by, "at": at, "since": since, "until": until, "key": key,
            "refs": refs.fetchall(), "body": json.loads(str(body)),
        }  # fmt: skip
        return entry_from(stored, str(entry_id), int(str(seq)))

    def damage(self) -> list[Finding]:
        """What was wrong with the ledger when it was folded; empty is good."""
        rows = self.db.execute("SELECT rule, severity, place, message, hint FROM damage")
        return [Finding(rule, severity, place, message, hint) for rule, severity, place, message, hint in rows]

    # --- writing

    def catch_up(self, progress: Progress | None = None) -> None:
        """Folds what landed since the last time; costs two system calls where nothing did."""
        if self._db is not None and self._cursor is not None:
            if self._is_current(self._cursor):
                return
            # Another connection has mostly folded it already: then there is nothing to write, and no lock to wait for.
            stored = self._stored_cursor()[0]
            if stored.seq > self._cursor.seq and self._is_current(stored):
                self._cursor = stored
                return
        with self._lock():
            self._open()
            self._fold_new(progress)

    def rebuild(self, progress: Progress | None = None) -> None:
        """Drops every view and folds the whole ledger again."""
        with self._lock():
            self._drop()
            self._open()
            self._fold_new(progress)

    def _is_current(self, cursor: Cursor) -> bool:
        try:
            if os.stat(self._path_text).st_ino != self._inode:
                return False
            if os.stat(f"{self._ledger_text}/{cursor.segment:04d}.jsonl").st_size != cursor.offset:
                return False
        except FileNotFoundError:
            return cursor == Cursor() and not self.ledger.segments() and self.path.exists()
        return not os.path.exists(f"{self._ledger_text}/{cursor.segment + 1:04d}.jsonl")

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _open(self) -> None:
        """Opens the file, or makes a new one where it is missing, damaged, or of another version."""
        if self._db is not None and (not self.path.exists() or os.stat(self.path).st_ino != self._inode):
            self.close()
        if self._db is None:
            try:
                self._connect()
            except sqlite3.DatabaseError:
                self._drop()
                self._connect()

    def _connect(self) -> None:
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=_PATIENCE_SECONDS)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA wal_autocheckpoint = 0")
            db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, schema.VERSION):
                raise sqlite3.DatabaseError(f"index version {version}, not {schema.VERSION}")
            aliases = json.dumps(dict(self.aliases), sort_keys=True)
            if version and db.execute("SELECT value FROM meta WHERE name = 'aliases'").fetchone() != (aliases,):
                raise sqlite3.DatabaseError("the index was folded with other aliases")
            if version == 0:
                # ANALYZE of empty tables makes the table of hints, which cannot be made in any other way.
                db.executescript(f"BEGIN IMMEDIATE; {schema.TABLES} ANALYZE; PRAGMA user_version = {schema.VERSION};")
                self._give_hints(db)
                db.execute("INSERT INTO meta VALUES ('aliases', ?)", (aliases,))
                db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            db.close()
            raise OutsideError(f"cannot open {self.path}: {error}", retryable=True, hint="df -h .") from error
        except sqlite3.DatabaseError:
            db.close()
            raise
        self._db, self._inode, self._cursor = db, os.stat(self.path).st_ino, None

    def _drop(self) -> None:
        self.close()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)

    def _fold_new(self, progress: Progress | None) -> None:
        cursor, tail = self._stored_cursor()
        if tail != self._tail(cursor):
            # The ledger is not the one that was folded: restored from a copy, or cut short by a power loss.
            self._drop()
            self._connect()
            cursor = Cursor()
        elif self._is_current(cursor):
            self._cursor = cursor
            return
        from . import claims, endings, runs  # here, so that a question does not wait for them
        from .search import passages  # here, so that a question does not wait for them

        db = self.db
        findings: list[Finding] = []
        db.execute("BEGIN IMMEDIATE")
        try:
            fold, ends = runs.Fold(db, self.aliases), endings.Endings(db, self.aliases)
            texts = (passages.Passages(db, self.blobs), claims.Claims(db, self.blobs))
            before = cursor
            later = self._drop_indexes() if cursor == Cursor() else []
            for batch in self.ledger.read(cursor, findings.append):
                for line in batch.lines:
                    entry = line.entry()
                    if self._fold_entry(entry, fold):
                        ends.apply(entry)
                        findings += [found for text in texts if (found := text.apply(entry)) is not None]
                    if progress is not None and line.seq % 1000 == 999:
                        progress(line.seq + 1)
                cursor = batch.cursor
            if cursor != before or findings:
                fold.finish()
                ends.finish()
                rows = [(f.where, f.rule, f.severity, f.message, f.hint) for f in findings if f.severity == "error"]
                db.executemany("INSERT INTO damage VALUES (?, ?, ?, ?, ?)", rows)
                self._store_cursor(cursor)
            for index in later:
                db.execute(index)
            if later:
                self._give_hints(db)
            db.execute("COMMIT")
        except BaseException as error:
            with suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            self._cursor = None
            if isinstance(error, sqlite3.OperationalError):
                raise OutsideError(
                    f"the views at {self.path} could not be brought up to date: {error}. The ledger is whole",
                    retryable=True,
                    hint="df -h .   (free some space, then run the command again)",
                ) from error
            raise
        self._cursor = cursor
        wal = Path(f"{self.path}-wal")
        if wal.exists() and wal.stat().st_size > _CHECKPOINT_BYTES:
            # Where readers never pause it would wait for them, and everybody for it: the next fold tries again.
            db.execute("PRAGMA busy_timeout = 10")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            db.execute(f"PRAGMA busy_timeout = {_PATIENCE_SECONDS * 1000}")

    @staticmethod
    def _give_hints(db: sqlite3.Connection) -> None:
        """Tells the planner what it must know of the indexes; dropping an index drops what it was told of it."""
        db.execute("DELETE FROM sqlite_stat1")
        hints = [(table, index, stat) for (table, index), stat in schema.HINTS.items()]
        db.executemany("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", hints)
        db.execute("ANALYZE sqlite_schema")

    def _drop_indexes(self) -> list[str]:
        """Before a long first fold: drops the indexes that no fold reads, and returns the SQL that makes them again."""
        paths = [self.ledger.folder / f"{segment:04d}.jsonl" for segment in self.ledger.segments()]
        if sum(path.stat().st_size for path in paths) < _SORT_LATER_BYTES:
            return []
        marks = ",".join("?" * len(schema.NOT_READ_BY_FOLDS))
        found = self.db.execute(
            f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND name IN ({marks})", schema.NOT_READ_BY_FOLDS
        ).fetchall()
        for name, _ in found:
            self.db.execute(f"DROP INDEX {name}")
        return [sql for _, sql in found]

    def _fold_entry(self, entry: Entry, fold: runs.Fold) -> bool:
        db = self.db
        if db.execute("SELECT 1 FROM entries WHERE id = ?", (entry.id,)).fetchone():
            return False  # the same entry twice, in ledgers that were merged by hand
        db.execute(
            "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                entry.seq, entry.id, entry.kind, entry.subject, entry.by, entry.at, entry.since, entry.until,
                entry.key, dumps(body_to(entry.body)),
            ),
        )  # fmt: skip
        if entry.refs:
            db.executemany(
                "INSERT INTO refs VALUES (?, ?, ?, ?, ?)",
                [
                    (entry.seq, ref.role, ref.id, *((None, None) if ref.start < 0 else (ref.start, ref.end)))
                    for ref in entry.refs
                ],
            )
        fold.apply(entry)
        return True

    def _stored_cursor(self) -> tuple[Cursor, str]:
        row = self.db.execute("SELECT value FROM meta WHERE name = 'cursor'").fetchone()
        if row is None:
            return Cursor(), ""
        stored = json.loads(row[0])
        return Cursor(stored["segment"], stored["offset"], stored["seq"]), stored["tail"]

    def _store_cursor(self, cursor: Cursor) -> None:
        value = json.dumps({**asdict(cursor), "tail": self._tail(cursor)})
        self.db.execute("INSERT OR REPLACE INTO meta VALUES ('cursor', ?)", (value,))

    def _tail(self, cursor: Cursor) -> str:
        """The last bytes before the cursor: they end in a checksum, so they tell one ledger from another."""
        if cursor.offset == 0:
            return ""
        try:
            with (self.ledger.folder / f"{cursor.segment:04d}.jsonl").open("rb") as file:
                file.seek(max(0, cursor.offset - _TAIL_BYTES))
                return file.read(min(_TAIL_BYTES, cursor.offset)).decode("latin-1")
        except FileNotFoundError:
            return "missing"

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db, self._cursor, self._inode = None, None, 0

    # --- checking

    def logical_hash(self) -> str:
        """A hash of what the views say, free of positions: the same for any causal order in which entries landed."""
        db = self.db
        ids = dict(db.execute("SELECT seq, id FROM entries"))
        total = blake2b(digest_size=16)
        for table in schema.HASHED:
            cursor = db.execute(f"SELECT * FROM {table}")
            names = [column[0] for column in cursor.description]
            positions = [i for i, name in enumerate(names) if name in schema.POSITIONS.get(table, ())]
            dropped = names.index("seq") if table == "entries" else -1
            rows = []
            for row in cursor:
                cells = list(row)
                for i in positions:
                    cells[i] = ids.get(cells[i], cells[i])
                if dropped >= 0:
                    del cells[dropped]
                rows.append(json.dumps(cells))
            total.update(f"{table}\n".encode())
            for text in sorted(rows):
                total.update(text.encode())
        return total.hexdigest()


_ENTRY = "SELECT seq, id, kind, subject, by, at, since, key, body, until FROM entries"
