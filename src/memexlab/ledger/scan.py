"""One pass over a segment file: which lines count, which are torn, and which are damaged.

It reads only, and needs no lock. Writers use the same pass to find the end, so both always agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from . import wire
from .errors import Finding, OutsideError
from .types import Entry

_CHUNK_BYTES = 1 << 20
RESTORE = "restore the file from a copy, then memex rebuild; memex doctor lists every such line"


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


class Scan:
    """One pass over a segment from a cursor; what it holds at the end is what no batch has settled yet."""

    def __init__(self, path: Path, cursor: Cursor, say: Callable[[Finding], None]) -> None:
        self._path, self._segment, self._say = path, cursor.segment, say
        self._offset = self.settled = cursor.offset
        self.expected = cursor.seq
        self.pending: list[wire.Line] = []
        self.bad: list[tuple[int, bytes]] = []

    @property
    def wanted(self) -> int:
        """The position of the next line, torn or not; negative if it is not known yet."""
        return self.pending[-1].seq + 1 if self.pending else self.expected

    def batches(self, finished: bool = False) -> Iterator[Batch]:
        """`finished`: nobody writes to this segment any more, and its last write was whole."""
        for raw in _whole_lines(self._path, self._offset):
            here, self._offset = self._offset, self._offset + len(raw) + 1
            parsed = wire.parse(raw)
            if parsed is None:
                self.bad.append((here, raw))
            elif isinstance(parsed, wire.Seal):
                self._pass_seal(parsed, here)
            else:
                yield from self._pass_line(parsed, here)
        if finished and (kept := self._not_sealed()):
            self.expected, self.pending = self.wanted, []
            yield Batch(kept, Cursor(self._segment, self._offset, self.expected))

    def _not_sealed(self) -> tuple[wire.Line, ...]:
        """The lines of the open batch, unless a seal says that they are torn; a damaged seal still says so."""
        return () if any(b',"seal":{"bytes":' in text for _, text in self.bad) else tuple(self.pending)

    def report_bad(self) -> None:
        for place, text in self.bad:
            message = f"a line of {len(text)} bytes does not match its checksum; the entry in it cannot be read"
            self._say(Finding("ledger-damaged", "error", f"{self._path.name} byte {place}", message, RESTORE))
        self.bad = []

    def _pass_line(self, line: wire.Line, here: int) -> Iterator[Batch]:
        wanted = self.wanted
        moved = wanted >= 0 and line.seq != wanted and not (self.bad and line.seq > wanted)
        if moved:
            message = f"position {wanted} expected, {line.seq} found: lines are missing, doubled or moved"
            hint = "restore the file from a copy, then memex rebuild"
            self._say(Finding("ledger-gap", "error", f"{self._path.name} byte {here}", message, hint))
        if moved or self.bad:
            # Who wrote a line at a position within the open batch took the rest of it for torn.
            kept = tuple(earlier for earlier in self._not_sealed() if earlier.seq < line.seq)
            self.report_bad()
            self.pending, self.settled = [], here
            if kept:
                self.expected = kept[-1].seq + 1
                yield Batch(kept, Cursor(self._segment, here, self.expected))
            if line.seq < self.expected:
                return
        self.pending.append(line)
        if line.more == 0:
            lines = tuple(self.pending)
            self.expected, self.settled, self.pending = line.seq + 1, self._offset, []
            yield Batch(lines, Cursor(self._segment, self._offset, self.expected))

    def _pass_seal(self, seal: wire.Seal, here: int) -> None:
        with self._path.open("rb") as file:
            file.seek(self.settled)
            torn = file.read(seal.torn_bytes)
        added_line_feed = here - self.settled - seal.torn_bytes
        if wire.crc(torn) != seal.torn_crc or added_line_feed not in (0, 1):
            self.bad = self.bad or [(self.settled, torn)]
        else:
            # A line that still had its line feed was written whole, and cannot be what a torn write left.
            end = self.settled + seal.torn_bytes
            self.bad = [(place, text) for place, text in self.bad if place + len(text) < end]
        if not self.bad:
            message = f"{seal.torn_bytes} bytes of a write that never finished; it was never acknowledged"
            self._say(Finding("ledger-torn", "warning", f"{self._path.name} byte {self.settled}", message))
        self.report_bad()
        self.pending, self.settled = [], self._offset


def _whole_lines(path: Path, offset: int) -> Iterator[bytes]:
    """Lines without their line feed, from `offset`; a last line without one is left out."""
    rest = b""
    with path.open("rb") as file:
        file.seek(offset)
        while chunk := file.read(_CHUNK_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines


def unreadable(path: Path, error: OSError) -> OutsideError:
    return OutsideError(f"cannot read {path}: {error}", retryable=True, hint="memex doctor")
