"""A full disk is an answer, not a loss: what was acknowledged is whole, and with room the next landing works."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from memexlab.ledger import Blobs, FileLedger, OutsideError, land

from .ledger_worker import Acknowledged, Seen, check_whole, claim, land_in, together

WRITERS = 4


def mount(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["mount", *args], capture_output=True, text=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    why = "mount is not installed"
    if shutil.which("mount") is not None:
        tried = mount("-t", "tmpfs", "-o", "size=1m", "memex-test", str(folder))
        why = "" if tried.returncode == 0 else f"no file system may be mounted here: {tried.stderr.strip()[:200]}"
    if why:
        print(f"\nSKIPPED disk full: {why}")
        pytest.skip(why)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def check_told(error: OutsideError) -> None:
    assert "  hint: df -h ." in str(error)
    assert error.retryable


def write_until_refused(folder: Path, says: Acknowledged, name: int, limit_bytes: int = 0) -> None:
    """Lands and stores until the disk refuses three times; each refusal must be told as one, with what to type."""
    if limit_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
    ledger, blobs = FileLedger(folder / "ledger"), Blobs(folder / "blobs")
    view = Seen(ledger)
    refused = 0
    for number in count():
        try:
            if number % 8 == 7:
                says.say(blobs.put(os.urandom(300 * number)))
            size = 1 + number % 3
            drafts = [claim(f"{name} {number} {place} {'x' * (97 * number % 1500)}") for place in range(size)]
            for entry in land(drafts, "code:test", ledger=ledger, blobs=blobs, view=view):
                says.say(entry.id)
        except OutsideError as error:
            check_told(error)
            refused += 1
            if refused == 3:
                return


def check(folder: Path, lines: list[str]) -> str:
    blobs = Blobs(folder / "blobs")
    stored = [line for line in lines if line.startswith("b:")]
    for blob in stored:
        blobs.get(blob)
    assert list(blobs.verify()) == []
    reading = check_whole(folder, [line for line in lines if line.startswith("e:")])
    assert sum(reading.batch_sizes) == len(reading.ids)
    acknowledged = len(lines) - len(stored)
    return (
        f"{acknowledged} entries and {len(stored)} blobs acknowledged, 0 missing, 0 bad, {len(reading.ids)} read, "
        f"{reading.torn} torn"
    )


def test_four_writers_fill_a_disk_and_lose_nothing(small_disk: Path) -> None:
    says = Acknowledged()
    codes = together([partial(write_until_refused, small_disk, says, name) for name in range(WRITERS)])
    lines = says.collect()
    says.close()
    assert codes == [0] * WRITERS
    full = check(small_disk, lines)
    with pytest.raises(OutsideError, match="df -h"):
        land_in(small_disk, claim("x" * 900_000))
    check(small_disk, lines)
    assert mount("-o", "remount,size=3m", str(small_disk)).returncode == 0
    landed = land_in(small_disk, claim("there is room"), claim("x" * 900_000))
    lines += [entry.id for entry in landed] + [Blobs(small_disk / "blobs").put(os.urandom(300_000))]
    check(small_disk, lines)
    print(f"\ndisk full: {full}; then there was room and all went on")
    assert len(lines) > 100


def test_a_file_that_may_not_grow_loses_nothing(tmp_path: Path) -> None:
    says = Acknowledged()
    codes = together([partial(write_until_refused, tmp_path, says, name, 40_000) for name in range(WRITERS)])
    lines = says.collect()
    says.close()
    assert codes == [0] * WRITERS
    limited = check(tmp_path, lines)
    segment = tmp_path / "ledger" / "0001.jsonl"
    assert 30_000 < segment.stat().st_size <= 40_000
    landed = land_in(tmp_path, claim("there is room"))
    check(tmp_path, [*lines, *(entry.id for entry in landed)])
    print(f"\nfile limit: {limited}; then the limit was lifted and all went on")


def test_a_blob_that_did_not_fit_leaves_nothing_behind(small_disk: Path) -> None:
    blobs = Blobs(small_disk / "blobs")
    kept = blobs.put(os.urandom(400_000))
    data = os.urandom(800_000)
    with pytest.raises(OutsideError, match="df -h"):
        blobs.put(data)
    assert [path.name for path in (small_disk / "blobs").rglob("*") if path.is_file()] == [kept[2:]]
    assert mount("-o", "remount,size=3m", str(small_disk)).returncode == 0
    again = blobs.put(data)
    assert blobs.get(again) == data
    assert sorted(blobs.ids()) == sorted([kept, again])
