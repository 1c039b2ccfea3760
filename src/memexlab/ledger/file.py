"""The ledger as files: `NNNN.jsonl`, appended under a lock by one write and synced before anything is acknowledged.

What it promises: an entry whose append returned survives kill -9 of any process at any moment, and power loss on a
file system that honours fsync; writers in many processes lose, mix or double nothing; a torn tail is sealed and
reported; damage is reported on every read and never sealed away. It knows nothing of views.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import wire
from .blobs import make_folder, sync_folder
from .errors import Finding, OutsideError
from .scan import RESTORE, Batch, Cursor, Scan, unreadable

SEGMENT_LIMIT_BYTES = 64_000_000
_SEGMENT = re.compile(r"([0-9]{4,9})\.jsonl")


@dataclass(frozen=True, slots=True)
class _End:
    """Where a locked ledger ends: behind `cursor` lie the bytes of a write that never finished."""

    cursor: Cursor
    torn: bytes = b""
    #: The bytes behind the cursor are a whole batch that lacks only its last line feed.
    lacks_line_feed: bool = False
    #: The last line feed is another byte now, so an entry that was whole cannot be read.
    damaged: bool = False


class Tail:
    """The end of a locked ledger; valid only inside `FileLedger.locked()`."""

    def __init__(self, ledger: FileLedger, end: _End) -> None:
        self._ledger = ledger
        self.cursor = end.cursor
        self._torn = end.torn
        self._prefix = b"\n" if end.damaged else b""
        if end.torn:
            self._prefix = (b"" if end.torn.endswith(b"\n") else b"\n") + wire.seal(end.cursor.seq, end.torn)

    def write(self, stored: Sequence[bytes]) -> Batch:
        """Appends entries as one batch by one write; they are not durable before `FileLedger.sync()` returns.

        Raises OutsideError when the disk refuses; then nothing of this batch stays in the file. Raises ValueError for
        bytes that could not be read back: no JSON object in one line, or too long.
        """
        ledger, cursor = self._ledger, self.cursor
        if ledger.poisoned:
            raise ledger.poison_error()
        lines = [wire.line(item, cursor.seq + i, len(stored) - 1 - i) for i, item in enumerate(stored)]
        parsed = [line for raw in lines if isinstance(line := wire.parse(raw[:-1]), wire.Line)]
        if len(parsed) != len(lines) or any(len(item) > wire.LINE_LIMIT_BYTES for item in stored):
            raise ValueError(f"an entry must be one JSON object in one line of at most {wire.LINE_LIMIT_BYTES} bytes")
        if not self._prefix and cursor.offset > ledger.segment_limit_bytes:
            ledger.settle(cursor.segment)
            cursor = Cursor(cursor.segment + 1, 0, cursor.seq)
        start = cursor.offset + len(self._torn)
        ledger.write_at_end(cursor.segment, start, self._prefix + b"".join(lines))
        end = start + len(self._prefix) + sum(map(len, lines))
        self.cursor = Cursor(cursor.segment, end, cursor.seq + len(lines))
        self._torn = self._prefix = b""
        ledger.end = self.cursor
        return Batch(tuple(parsed), self.cursor)

    def settle(self, count: int) -> None:
        """Makes the first `count` entries durable, whoever wrote them; costs nothing where they are known to be."""
        if count > self._ledger.durable_count:
            self._ledger.settle(self.cursor.segment)
            self._ledger.durable_count = self.cursor.seq


class FileLedger:
    """Append, and read from a cursor; everything richer is a view. One object may serve several threads."""

    def __init__(self, folder: Path, segment_limit_bytes: int = SEGMENT_LIMIT_BYTES) -> None:
        self.folder = folder
        self.segment_limit_bytes = segment_limit_bytes
        self.poisoned = ""
        #: Where the last batch that this object wrote ends.
        self.end: Cursor | None = None
        #: Entries from the first that this object once saw to be durable.
        self.durable_count = 0
        self._handle = -1
        self._handle_segment = 0
        self._lock_handle = -1
        self._threads = threading.RLock()
        self._held = False
        self._pid = os.getpid()

    # --- writing

    @contextmanager
    def locked(self) -> Iterator[Tail]:
        """Holds the ledger for one writer; inside, `Tail.cursor` is the true end."""
        if self.poisoned:
            raise self.poison_error()
        with self._hold():
            end = self._find_end()
            if end.lacks_line_feed:
                self.write_at_end(end.cursor.segment, end.cursor.offset + len(end.torn), b"\n")
                end = self._find_end()
            yield Tail(self, end)

    @contextmanager
    def _hold(self) -> Iterator[None]:
        if self._pid != os.getpid():
            # A lock that a fork inherited is shared with the parent and shuts nobody out.
            self.close()
            self.end, self._threads, self._held, self._pid = None, threading.RLock(), False, os.getpid()
        with self._threads:
            if self._held:
                raise RuntimeError("this ledger is locked: nothing can land inside the drafts of another landing")
            try:
                if self._lock_handle < 0:
                    make_folder(self.folder)
                    self._lock_handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
                fcntl.flock(self._lock_handle, fcntl.LOCK_EX)
            except OSError as error:
                raise OutsideError(
                    f"cannot lock {self.folder}: {error}",
                    retryable=True,
                    hint="memex doctor   (network file systems may lack locks)",
                ) from error
            self._held = True
            try:
                yield
            finally:
                self._held = False
                try:
                    fcntl.flock(self._lock_handle, fcntl.LOCK_UN)
                except OSError:
                    # Closing the file lets go of the lock as well.
                    os.close(self._lock_handle)
                    self._lock_handle = -1

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
        with self._threads:
            if self.poisoned:
                raise self.poison_error()
            if self._handle < 0:
                return
            try:
                os.fsync(self._handle)
            except OSError as error:
                self.poisoned = f"fsync of {self._path(self._handle_segment)} failed: {error}"
                raise self.poison_error() from error

    def settle(self, segment: int) -> None:
        """Makes a segment durable, also what other processes wrote to it."""
        self._open_segment(segment)
        self.sync()

    def poison_error(self) -> OutsideError:
        return OutsideError(
            f"the ledger takes no more entries from this process: {self.poisoned}. What was acknowledged before is "
            "safe; what was being written is not acknowledged",
            hint="check the disk (dmesg, df -h .), then start the command again and run memex doctor",
        )

    def write_at_end(self, segment: int, start: int, data: bytes) -> None:
        handle = self._open_segment(segment)
        if start == 0:
            self._sync_names(segment)
        try:
            written = os.write(handle, data)
            if written != len(data):
                raise OSError(errno.ENOSPC, f"only {written} of {len(data)} bytes were written")
        except OSError as error:
            # Our own unacknowledged bytes may go, and only under the lock. If even that fails the next writer
            # seals them.
            try:
                os.ftruncate(handle, start)
            except OSError as second:
                error.add_note(f"and the unfinished bytes could not be cut off: {second}")
            self.end = None
            raise OutsideError(
                f"cannot append to {self._path(segment)}: {error}",
                retryable=True,
                hint="df -h .   (free some space, then run the command again; what was acknowledged is safe)",
            ) from error

    def _sync_names(self, segment: int) -> None:
        """Makes the name of an empty segment durable before its first byte; who made it may have died before."""
        try:
            sync_folder(self.folder)
            if segment == 1:
                sync_folder(self.folder.parent)
        except OSError as error:
            self.poisoned = f"fsync of {self.folder} failed: {error}"
            raise self.poison_error() from error

    def _open_segment(self, segment: int) -> int:
        if self._handle_segment != segment:
            if self._handle >= 0:
                self.sync()
                os.close(self._handle)
                self._handle, self._handle_segment = -1, 0
            path = self._path(segment)
            try:
                self._handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except OSError as error:
                raise OutsideError(f"cannot open {path}: {error}", retryable=True, hint="memex doctor") from error
            self._handle_segment = segment
        return self._handle

    def _find_end(self) -> _End:
        """The end of the last whole batch, and what lies behind it. Only under the lock: nobody else is writing."""
        segments = self.segments()
        if not segments:
            return _End(Cursor())
        last = segments[-1]
        try:
            size = self._path(last).stat().st_size
            known = self.end if self.end is not None and self.end.segment == last else None
            if known is not None and known.offset == size:
                return _End(known)
            if known is None or known.offset > size:
                quick = self._quick_end(last, size)
                if quick is not None:
                    return _End(quick)
                known = self._segment_start(last)
            return self._slow_end(known)
        except OSError as error:
            raise unreadable(self._path(last), error) from error

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

    def _slow_end(self, known: Cursor) -> _End:
        scan = Scan(self._path(known.segment), known, lambda finding: None)
        for _ in scan.batches():
            pass
        end = Cursor(known.segment, scan.settled, scan.expected)
        behind = scan.wanted
        if scan.bad:
            # A line that has its line feed was whole once: it may have been acknowledged, and is no torn write.
            place, text = scan.bad[-1]
            behind += sum(max(1, text.count(b'{"seq":')) for _, text in scan.bad)
            end = Cursor(known.segment, place + len(text) + 1, behind)
        with self._path(known.segment).open("rb") as file:
            file.seek(end.offset)
            torn = file.read()
        last = torn[torn.rfind(b"\n") + 1 :]
        parsed = wire.parse(last)
        if isinstance(parsed, wire.Line) and parsed.more == 0 and parsed.seq >= behind:
            return _End(end, torn, lacks_line_feed=True)
        if isinstance(wire.parse(last[:-1]), wire.Line):
            return _End(Cursor(end.segment, end.offset + len(torn), behind + 1), damaged=True)
        return _End(end, torn)

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
        # Not by glob, which may take a folder that it cannot read for an empty one.
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise unreadable(self.folder, error) from error
        return sorted(int(match[1]) for name in names if (match := _SEGMENT.fullmatch(name)))

    def read(self, after: Cursor | None = None, report: Callable[[Finding], None] | None = None) -> Iterator[Batch]:
        """Yields whole batches in order. Torn and damaged lines go to `report`; reading goes on behind them.

        An unfinished batch at the very end is not reported here: another process may be writing it. `check_tail`
        tells. A cursor with a negative `seq` takes its position from the first line that it meets.
        """
        cursor = after or Cursor()
        say = report or (lambda finding: None)
        segments = self.segments()
        for segment in segments:
            if segment < cursor.segment:
                continue
            if segment > cursor.segment:
                cursor = Cursor(segment, 0, cursor.seq)
            scan = Scan(self._path(segment), cursor, say)
            try:
                for batch in scan.batches(finished=segment != segments[-1]):
                    cursor = batch.cursor
                    yield batch
            except OSError as error:
                raise unreadable(self._path(segment), error) from error
            scan.report_bad()

    def check_tail(self) -> list[Finding]:
        """Under the lock: is there an unfinished write at the end? The next append completes or seals it."""
        if not self.segments():
            return []
        with self._hold():
            end = self._find_end()
        where = f"{self._path(end.cursor.segment).name} byte {end.cursor.offset}"
        if end.damaged:
            message = "the last line feed is damaged; the entry before it cannot be read"
            return [Finding("ledger-damaged", "error", where, message, RESTORE)]
        if end.lacks_line_feed:
            message = "the last entry lacks its line feed and counts once it has one; the next append adds it"
            return [Finding("ledger-torn", "warning", where, message)]
        if end.torn:
            message = f"{len(end.torn)} bytes of a write that never finished; the next append seals them"
            return [Finding("ledger-torn", "warning", where, message)]
        return []

    def close(self) -> None:
        for handle in (self._handle, self._lock_handle):
            if handle >= 0:
                os.close(handle)
        self._handle = self._lock_handle = -1
        self._handle_segment = 0
