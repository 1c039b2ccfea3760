"""The ledger as files: `NNNN.jsonl`, appended under a lock by one write and synced before anything is acknowledged.

What it promises: an entry whose append returned survives kill -9 of any process at any moment, and power loss on a
file system that honours fsync; writers in many processes lose, mix or double nothing; a torn tail is sealed and
reported; damage anywhere is reported on every read. It knows nothing of views.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import wire
from .blobs import sync_folder
from .errors import Finding, OutsideError
from .types import Entry

SEGMENT_LIMIT_BYTES = 64_000_000
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A place between two batches: segment number, byte offset in it, and how many entries came before."""

    segment: int = 1
    offset: int = 0
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries that landed together, and the cursor behind them."""

    lines: tuple[wire.Line, ...]
    cursor: Cursor

    def entries(self) -> list[Entry]:
        return [line.entry() for line in self.lines]


class Tail:
    """The end of a locked ledger; valid only inside `FileLedger.locked()`."""

    def __init__(self, ledger: FileLedger, cursor: Cursor, torn: bytes) -> None:
        self._ledger = ledger
        self.cursor = cursor
        self._torn = torn

    def write(self, stored: Sequence[bytes]) -> Batch:
        """Appends entries as one batch by one write; they are not durable before `FileLedger.sync()` returns.

        Raises OutsideError when the disk refuses; then nothing of this batch stays in the file.
        """
        ledger, cursor = self._ledger, self.cursor
        if ledger.poisoned:
            raise ledger.poison_error()
        prefix = b""
        if self._torn:
            prefix = (b"" if self._torn.endswith(b"\n") else b"\n") + wire.seal(cursor.seq, self._torn)
        elif cursor.offset > ledger.segment_limit_bytes:
            cursor = Cursor(cursor.segment + 1, 0, cursor.seq)
        lines = [wire.line(item, cursor.seq + i, len(stored) - 1 - i) for i, item in enumerate(stored)]
        start = cursor.offset + len(self._torn)
        ledger.write_at_end(cursor.segment, start, prefix + b"".join(lines))
        end = start + len(prefix) + sum(map(len, lines))
        parsed = [wire.parse(line[:-1]) for line in lines]
        self.cursor = Cursor(cursor.segment, end, cursor.seq + len(lines))
        self._torn = b""
        ledger.remember_end(self.cursor)
        return Batch(tuple(line for line in parsed if isinstance(line, wire.Line)), self.cursor)


class FileLedger:
    """Append, and read from a cursor; everything richer is a view."""

    def __init__(self, folder: Path, segment_limit_bytes: int = SEGMENT_LIMIT_BYTES) -> None:
        self.folder = folder
        self.segment_limit_bytes = segment_limit_bytes
        self.poisoned = ""
        self._end: Cursor | None = None
        self._handle = -1
        self._handle_segment = 0
        self._lock_handle = -1

    # --- writing

    @contextmanager
    def locked(self) -> Iterator[Tail]:
        """Holds the ledger for one writer; inside, `Tail.cursor` is the true end."""
        if self.poisoned:
            raise self.poison_error()
        if self._lock_handle < 0:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock_handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._lock_handle, fcntl.LOCK_EX)
        except OSError as error:
            raise OutsideError(
                f"cannot lock {self.folder}: {error}",
                retryable=True,
                hint="memex doctor   (network file systems may lack locks)",
            ) from error
        try:
            yield Tail(self, *self._find_end())
        finally:
            fcntl.flock(self._lock_handle, fcntl.LOCK_UN)

    def append(self, stored: Sequence[bytes]) -> Batch:
        """Appends one batch and returns when it is durable."""
        with self.locked() as tail:
            batch = tail.write(stored)
        self.sync()
        return batch

    def sync(self) -> None:
        """Makes all written so far durable. A failure poisons this handle for good: a second fsync may lie.

        See PostgreSQL's commit "PANIC on fsync() failure" (2018): after a failed fsync the kernel may drop the pages
        and report success next time.
        """
        if self.poisoned:
            raise self.poison_error()
        if self._handle < 0:
            return
        try:
            os.fsync(self._handle)
        except OSError as error:
            self.poisoned = f"fsync of {self._path(self._handle_segment)} failed: {error}"
            raise self.poison_error() from error

    def poison_error(self) -> OutsideError:
        return OutsideError(
            f"the ledger takes no more entries from this process: {self.poisoned}. What was acknowledged before is safe; "
            "what was being written is not acknowledged",
            hint="check the disk (dmesg, df -h .), then start the command again and run memex doctor",
        )

    def write_at_end(self, segment: int, start: int, data: bytes) -> None:
        handle = self._open_segment(segment)
        try:
            written = os.write(handle, data)
            if written != len(data):
                raise OSError(errno.ENOSPC, f"only {written} of {len(data)} bytes were written")
        except OSError as error:
            # Our own unacknowledged bytes may go, and only under the lock. If even that fails the next writer seals them.
            try:
                os.ftruncate(handle, start)
            except OSError as second:
                error.add_note(f"and the unfinished bytes could not be cut off: {second}")
            self._end = None
            raise OutsideError(
                f"cannot append to {self._path(segment)}: {error}",
                retryable=True,
                hint="df -h .   (free some space, then run the command again; what was acknowledged is safe)",
            ) from error

    def _open_segment(self, segment: int) -> int:
        if self._handle_segment != segment:
            if self._handle >= 0:
                self.sync()
                os.close(self._handle)
            path = self._path(segment)
            new = not path.exists()
            try:
                self._handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
                if new:
                    sync_folder(self.folder)
            except OSError as error:
                self._handle, self._handle_segment = -1, 0
                raise OutsideError(f"cannot open {path}: {error}", retryable=True, hint="memex doctor") from error
            self._handle_segment = segment
        return self._handle

    def remember_end(self, cursor: Cursor) -> None:
        self._end = cursor

    def _find_end(self) -> tuple[Cursor, bytes]:
        """The end of the last whole batch, and the torn bytes behind it."""
        segments = self.segments()
        if not segments:
            return Cursor(), b""
        last = segments[-1]
        size = self._path(last).stat().st_size
        if self._end is not None and self._end.segment == last and self._end.offset == size:
            return self._end, b""
        known = self._end if self._end is not None and self._end.segment == last and self._end.offset <= size else None
        if known is None:
            quick = self._quick_end(last, size)
            if quick is not None:
                return quick, b""
        cursor = known or self._segment_start(last)
        for batch in self.read(cursor):
            cursor = batch.cursor
        with self._path(cursor.segment).open("rb") as file:
            file.seek(cursor.offset)
            torn = file.read()
        return cursor, torn

    def _quick_end(self, segment: int, size: int) -> Cursor | None:
        """The end, from the last line alone, if that line is whole and closes its batch."""
        with self._path(segment).open("rb") as file:
            file.seek(max(0, size - wire.LINE_LIMIT_BYTES - 1024))
            data = file.read()
        if not data.endswith(b"\n"):
            return None
        parsed = wire.parse(data[data.rfind(b"\n", 0, -1) + 1 : -1])
        if isinstance(parsed, wire.Line) and parsed.more == 0:
            return Cursor(segment, size, parsed.seq + 1)
        return None

    def _segment_start(self, segment: int) -> Cursor:
        if segment == 1:
            return Cursor()
        end = Cursor()
        for batch in self.read(Cursor(segment - 1, 0, -1)):
            if batch.cursor.segment < segment:
                end = batch.cursor
        return Cursor(segment, 0, end.seq)

    # --- reading

    def _path(self, segment: int) -> Path:
        return self.folder / f"{segment:04d}.jsonl"

    def segments(self) -> list[int]:
        return sorted(int(path.stem) for path in self.folder.glob("*.jsonl") if path.stem.isdigit())

    def read(self, after: Cursor | None = None, report: Callable[[Finding], None] | None = None) -> Iterator[Batch]:
        """Yields whole batches in order. Torn and damaged lines go to `report`; reading goes on behind them.

        An unfinished batch at the very end is not reported here: another process may be writing it. `check_tail`
        tells. A cursor with a negative `seq` takes its position from the first line that it meets.
        """
        cursor = after or Cursor()
        say = report or (lambda finding: None)
        for segment in self.segments():
            if segment < cursor.segment:
                continue
            if segment > cursor.segment:
                cursor = Cursor(segment, 0, cursor.seq)
            for batch in self._read_segment(cursor, say):
                cursor = batch.cursor
                yield batch

    def _read_segment(self, cursor: Cursor, say: Callable[[Finding], None]) -> Iterator[Batch]:
        path = self._path(cursor.segment)
        offset = settled = cursor.offset
        expected, jumped = cursor.seq, cursor.seq < 0
        pending: list[wire.Line] = []
        bad: list[tuple[int, bytes]] = []
        for raw in _whole_lines(path, offset):
            here, offset = offset, offset + len(raw) + 1
            parsed = wire.parse(raw)
            if parsed is None:
                bad.append((here, raw))
                continue
            if isinstance(parsed, wire.Seal):
                self._report_seal(path, settled, here, parsed, bad, say)
                pending, bad, settled = [], [], offset
                continue
            for place, text in bad:
                say(_damaged(path, place, len(text)))
            wanted = expected + len(pending)
            gap = parsed.seq != wanted and not ((bad or jumped) and parsed.seq >= wanted)
            if gap:
                say(
                    Finding(
                        "ledger-gap",
                        "error",
                        f"{path.name} byte {here}",
                        f"position {wanted} expected, {parsed.seq} found: lines are missing, doubled or moved",
                        "restore the file from a copy, then memex rebuild",
                    )
                )
            if pending and (bad or gap):
                # Not torn, since whole lines follow: what is left of the damaged batch was acknowledged and counts.
                yield Batch(tuple(pending), Cursor(cursor.segment, here, wanted))
                pending = []
            bad = []
            if parsed.seq < wanted:
                continue
            jumped = False
            expected = parsed.seq - len(pending)
            pending.append(parsed)
            if parsed.more == 0:
                expected, settled = parsed.seq + 1, offset
                yield Batch(tuple(pending), Cursor(cursor.segment, offset, expected))
                pending = []
        for place, text in bad:
            say(_damaged(path, place, len(text)))

    @staticmethod
    def _report_seal(
        path: Path,
        settled: int,
        here: int,
        seal: wire.Seal,
        bad: list[tuple[int, bytes]],
        say: Callable[[Finding], None],
    ) -> None:
        with path.open("rb") as file:
            file.seek(settled)
            torn = file.read(seal.torn_bytes)
        added_line_feed = here - settled - seal.torn_bytes
        # A line that still had its line feed was written whole: if its checksum fails, that is damage, not a torn write.
        damaged = [(place, text) for place, text in bad if place + len(text) < settled + seal.torn_bytes]
        if bad and isinstance(wire.parse(bad[-1][1][:-1]), wire.Line):
            damaged = bad
        if wire.crc(torn) != seal.torn_crc or added_line_feed not in (0, 1):
            damaged = bad or [(settled, torn)]
        for place, text in damaged:
            say(_damaged(path, place, len(text)))
        if not damaged:
            say(
                Finding(
                    "ledger-torn",
                    "warning",
                    f"{path.name} byte {settled}",
                    f"{seal.torn_bytes} bytes of a write that never finished; it was never acknowledged",
                )
            )

    def check_tail(self) -> list[Finding]:
        """Under the lock: is there an unfinished write at the end? The next append seals it."""
        if not self.segments():
            return []
        with self.locked() as tail:
            torn = tail._torn
        if not torn:
            return []
        return [
            Finding(
                "ledger-torn",
                "warning",
                f"{self._path(tail.cursor.segment).name} byte {tail.cursor.offset}",
                f"{len(torn)} bytes of a write that never finished; it was never acknowledged, the next append seals it",
            )
        ]

    def close(self) -> None:
        for handle in (self._handle, self._lock_handle):
            if handle >= 0:
                os.close(handle)
        self._handle = self._lock_handle = -1
        self._handle_segment = 0


def _whole_lines(path: Path, offset: int) -> Iterator[bytes]:
    """Lines without their line feed, from `offset`; a last line without one is left out."""
    rest = b""
    with path.open("rb") as file:
        file.seek(offset)
        while chunk := file.read(_CHUNK_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines


def _damaged(path: Path, offset: int, size_bytes: int) -> Finding:
    return Finding(
        "ledger-damaged",
        "error",
        f"{path.name} byte {offset}",
        f"a line of {size_bytes} bytes does not match its checksum; the entry in it cannot be read",
        "restore the file from a copy, then memex rebuild; memex doctor lists every such line",
    )
