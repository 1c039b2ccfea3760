"""Many processes append at once: nothing is lost, mixed or doubled, and a key lands once."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from memexlab.ledger import Blobs, FileLedger, land

from .ledger_worker import Acknowledged, Seen, check_whole, claim, land_in, together

APPENDS = 20


@pytest.mark.parametrize("processes", [2, 8, 16])
def test_all_that_many_processes_append_is_there(tmp_path: Path, processes: int) -> None:
    acknowledged = Acknowledged()

    def write(name: int) -> None:
        ledger, blobs = FileLedger(tmp_path / "ledger", segment_limit_bytes=20_000), Blobs(tmp_path / "blobs")
        view = Seen(ledger)
        for number in range(APPENDS):
            drafts = [claim(f"{name}/{number} {'x' * (name * number)}")]
            [entry] = land(drafts, "code:test", ledger=ledger, blobs=blobs, view=view)
            acknowledged.say(entry.id)

    codes = together([partial(write, name) for name in range(processes)])
    ids = acknowledged.collect()
    acknowledged.close()
    assert codes == [0] * processes
    reading = check_whole(tmp_path, ids)
    print(f"\nparallel: {processes} processes x {APPENDS} appends, {len(reading.ids)} kept, {len(ids)} acknowledged")
    assert reading.findings == []
    assert len(ids) == len(reading.ids) == processes * APPENDS
    names = sorted(text.split()[0] for text in reading.texts)
    assert names == sorted(f"{name}/{number}" for name in range(processes) for number in range(APPENDS))
    for name in range(processes):
        mine = [text.split()[0] for text in reading.texts if text.startswith(f"{name}/")]
        assert mine == [f"{name}/{number}" for number in range(APPENDS)]


def test_twelve_cold_starts_at_once_all_succeed(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "made" / "yet"
    codes = together([partial(land_in, folder, claim(f"first of {name}")) for name in range(12)])
    assert codes == [0] * 12
    assert len(check_whole(folder, []).ids) == 12


def test_a_key_that_many_processes_land_at_once_lands_once(tmp_path: Path) -> None:
    acknowledged = Acknowledged()

    def write(name: int) -> None:
        for number in range(5):
            [entry] = land_in(tmp_path, claim(f"{number} by {name}", key=f"key {number}"))
            acknowledged.say(f"{number} {entry.id}")

    codes = together([partial(write, name) for name in range(8)])
    lines = acknowledged.collect()
    acknowledged.close()
    assert codes == [0] * 8
    assert len(lines) == 40
    assert len(set(lines)) == 5
    assert len(check_whole(tmp_path, [line.split()[1] for line in lines]).ids) == 5


def test_a_handle_that_a_fork_inherits_still_shuts_others_out(tmp_path: Path) -> None:
    ledger, blobs = FileLedger(tmp_path / "ledger"), Blobs(tmp_path / "blobs")
    view = Seen(ledger)
    [first] = land([claim("by the parent")], "code:test", ledger=ledger, blobs=blobs, view=view)

    def write(name: int) -> None:
        for number in range(APPENDS):
            land([claim(f"{name}/{number}")], "code:test", ledger=ledger, blobs=blobs, view=view)

    codes = together([partial(write, name) for name in range(4)])
    assert codes == [0] * 4
    reading = check_whole(tmp_path, [first.id])
    assert reading.findings == []
    assert len(reading.ids) == 1 + 4 * APPENDS
