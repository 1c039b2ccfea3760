"""Power loss on a file system that honours fsync: what was acknowledged is there after the next mount.

ext4 on a loop device is shut down by ioctl without flushing its journal, which drops all that was not made durable.
That is no disk that lies about flushes; it is the worst that a sound disk may do.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from memexlab.ledger import Blobs, FileLedger, Ref, land, wire, write_durably

from .ledger_worker import Seen, check_whole, claim, land_in

EXT4_IOC_SHUTDOWN = 0x8004587D
WITHOUT_FLUSHING = struct.pack("I", 2)


def run(*command: str) -> str:
    """What went wrong; empty if nothing did."""
    if shutil.which(command[0]) is None:
        return f"{command[0]} is not installed"
    done = subprocess.run(command, capture_output=True, text=True)
    return "" if done.returncode == 0 else (done.stderr.strip() or f"{command[0]} failed")[:200]


class Disk:
    """An ext4 of its own, whose power can be cut."""

    def __init__(self, folder: Path) -> None:
        self.image, self.mounted_at = folder / "image", folder / "disk"
        self.mounted_at.mkdir()
        with self.image.open("wb") as file:
            file.truncate(24 << 20)

    def make(self) -> str:
        return run("mkfs.ext4", "-q", "-F", str(self.image)) or self.mount()

    def mount(self) -> str:
        return run("mount", "-o", "loop", str(self.image), str(self.mounted_at))

    def cut_power(self) -> None:
        handle = os.open(self.mounted_at, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, EXT4_IOC_SHUTDOWN, WITHOUT_FLUSHING)
        finally:
            os.close(handle)
        assert run("umount", str(self.mounted_at)) == ""
        assert self.mount() == ""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path)
    why = disk.make()
    if why:
        print(f"\nSKIPPED power loss: {why}")
        pytest.skip(why)
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk.mounted_at)], check=True)


def test_the_power_cut_is_real(disk: Disk) -> None:
    (disk.mounted_at / "never synced").write_text("x")
    disk.cut_power()
    assert not (disk.mounted_at / "never synced").exists()


def test_what_was_acknowledged_survives_a_power_cut(disk: Disk) -> None:
    folder = disk.mounted_at / "lab" / ".memex"
    acknowledged: list[str] = []
    stored: list[str] = []
    rounds = 0
    for rounds in range(1, 6):
        ledger, blobs = FileLedger(folder / "ledger", segment_limit_bytes=3000), Blobs(folder / "blobs")
        view = Seen(ledger)
        for number in range(rounds * 2):
            blob = blobs.put(f"log {rounds} {number}".encode())
            drafts = [claim(f"{rounds} {number} {place}", (Ref("log", blob),)) for place in range(2)]
            acknowledged += [entry.id for entry in land(drafts, "code:test", ledger=ledger, blobs=blobs, view=view)]
            stored.append(blob)
        write_durably(folder / "page", f"{rounds}".encode())
        ledger.close()
        disk.cut_power()
        check_whole(folder, acknowledged)
        for blob in stored:
            Blobs(folder / "blobs").get(blob)
        assert (folder / "page").read_text() == f"{rounds}"
    print(f"\npower: {rounds} cuts, {len(acknowledged)} entries and {len(stored)} blobs acknowledged, 0 missing")
    [entry] = land_in(folder, claim("after"))
    check_whole(folder, [*acknowledged, entry.id])


def test_a_repeated_key_is_durable_though_another_writer_never_synced_it(disk: Disk) -> None:
    folder = disk.mounted_at
    land_in(folder, claim("before"))
    other = FileLedger(folder / "ledger")
    with other.locked() as tail:
        draft = claim("once", key="k")
        tail.write([wire.entry_json(draft, "code:test", "2030-01-02T12:00:00+00:00")])
    [entry] = land_in(folder, claim("twice", key="k"))
    other.close()
    disk.cut_power()
    assert check_whole(folder, [entry.id]).texts == ["before", "once"]


def test_a_segment_is_durable_before_the_next_begins(disk: Disk) -> None:
    folder = disk.mounted_at
    land_in(folder, claim("before " + "x" * 500))
    other = FileLedger(folder / "ledger")
    with other.locked() as tail:
        tail.write([wire.entry_json(claim("never synced"), "code:test", "2030-01-02T12:00:00+00:00")])
    ledger = FileLedger(folder / "ledger", segment_limit_bytes=500)
    [entry] = land([claim("next")], "code:test", ledger=ledger, blobs=Blobs(folder / "blobs"), view=Seen(ledger))
    assert ledger.segments() == [1, 2]
    ledger.close()
    other.close()
    disk.cut_power()
    assert check_whole(folder, [entry.id]).texts[1:] == ["never synced", "next"]
