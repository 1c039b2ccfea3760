"""Processes that write to a ledger and say what they were promised, forked from a warm parent: they start at once."""

from __future__ import annotations

import os
import signal
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from memexlab.ledger import Blobs, Claim, Cursor, Draft, Entry, FileLedger, Finding, Ref, land, wire
from memexlab.ledger.contract import Seen

NOON = datetime(2030, 1, 2, 12, 0, 0, tzinfo=UTC)


def stored_claim(text: str) -> bytes:
    """The stored bytes of one small claim."""
    return wire.entry_json(Draft("topic", Claim(text)), "code:contract", NOON.isoformat())


def fork(work: Callable[[], object]) -> int:
    """Starts `work` in a child of its own and returns its process id; the child never comes back into the tests."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


def wait_all(pids: Iterable[int]) -> list[int]:
    """Waits for each child; its exit code, negative for a signal."""
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def together(works: Sequence[Callable[[], object]]) -> list[int]:
    """Runs the works in processes that all begin at one moment; their exit codes."""
    reader, writer = os.pipe()

    def waiting(work: Callable[[], object]) -> Callable[[], object]:
        def begin() -> None:
            os.close(writer)
            os.read(reader, 1)
            work()

        return begin

    pids = [fork(waiting(work)) for work in works]
    os.close(writer)
    os.close(reader)
    return wait_all(pids)


class Acknowledged:
    """Lines that children wrote down after a promise was made to them; whole even if a child is killed."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        self._rest = b""
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        """Called in a child; short enough for the pipe to take it whole."""
        os.write(self._writer, line.encode() + b"\n")

    def collect(self) -> list[str]:
        """Called in the parent: everything said so far."""
        while True:
            try:
                part = os.read(self._reader, 1 << 16)
            except BlockingIOError:
                return self.lines
            *lines, self._rest = (self._rest + part).split(b"\n")
            self.lines += [line.decode() for line in lines]

    def close(self) -> None:
        os.close(self._reader)
        os.close(self._writer)


def claim(text: str, refs: tuple[Ref, ...] = (), key: str | None = None) -> Draft:
    return Draft("worker", Claim(text), refs, key=key)


def text_of(entry: Entry) -> str:
    assert isinstance(entry.body, Claim)
    return entry.body.text


def land_in(folder: Path, *drafts: Draft) -> list[Entry]:
    """Lands through handles opened for this alone, as a new process would."""
    ledger = FileLedger(folder / "ledger")
    try:
        return land(list(drafts), "code:test", ledger=ledger, blobs=Blobs(folder / "blobs"), view=Seen(ledger))
    finally:
        ledger.close()


@dataclass(frozen=True)
class Reading:
    """A ledger as a new process reads it."""

    entries: list[Entry]
    findings: list[Finding]
    batch_sizes: list[int]

    @property
    def ids(self) -> list[str]:
        return [entry.id for entry in self.entries]

    @property
    def texts(self) -> list[str]:
        return [text_of(entry) for entry in self.entries]

    @property
    def errors(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity == "error"]

    @property
    def torn(self) -> int:
        return sum(finding.rule == "ledger-torn" for finding in self.findings)


def read(folder: Path) -> Reading:
    ledger = FileLedger(folder / "ledger")
    findings: list[Finding] = []
    batches = list(ledger.read(Cursor(), findings.append))
    findings += ledger.check_tail()
    ledger.close()
    return Reading(
        [entry for batch in batches for entry in batch.entries()], findings, [len(batch.lines) for batch in batches]
    )


def check_whole(folder: Path, acknowledged: Iterable[str]) -> Reading:
    """Everything acknowledged is there once, in positions without a gap; torn writes are allowed, damage is not."""
    reading = read(folder)
    assert reading.errors == []
    missing = set(acknowledged) - set(reading.ids)
    assert not missing, f"{len(missing)} acknowledged entries are missing: {sorted(missing)[:3]}"
    doubled = [identity for identity, count in Counter(reading.ids).items() if count > 1]
    assert not doubled
    assert [entry.seq for entry in reading.entries] == list(range(len(reading.entries)))
    blobs = Blobs(folder / "blobs")
    for entry in reading.entries:
        for ref in entry.refs:
            if ref.is_blob:
                blobs.get(ref.id)
    return reading
