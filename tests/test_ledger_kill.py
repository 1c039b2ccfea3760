"""kill -9 at random moments loses no acknowledged entry, doubles none, and breaks no batch."""

from __future__ import annotations

import random
import time
from itertools import count
from pathlib import Path

import pytest

from memexlab.ledger import Blobs, FileLedger, land

from .ledger_worker import Acknowledged, Seen, check_whole, claim, fork, kill, land_in

WRITERS = 4
KILLS = 320
MEAN_LIFE_SECONDS = 0.12


@pytest.mark.slow
def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    ledger = FileLedger(tmp_path / "ledger", segment_limit_bytes=60_000)
    seen = Seen(ledger)
    acknowledged = Acknowledged()

    def write(writer: int, life: int) -> None:
        blobs = Blobs(tmp_path / "blobs")
        rng = random.Random(writer * 10_000 + life)
        for number in count():
            size = rng.choice((1, 1, 3))
            drafts = [claim(f"{writer} {life} {number} {place}/{size}") for place in range(size)]
            landed = land(drafts, "code:test", ledger=ledger, blobs=blobs, view=seen)
            acknowledged.say(" ".join(entry.id for entry in landed))

    def start(writer: int, life: int) -> int:
        seen.catch_up()
        return fork(lambda: write(writer, life))

    rng = random.Random(11)
    lives = [0] * WRITERS
    pids = [start(writer, 0) for writer in range(WRITERS)]
    for _ in range(KILLS):
        time.sleep(rng.expovariate(WRITERS / MEAN_LIFE_SECONDS))
        victim = rng.randrange(WRITERS)
        kill(pids[victim])
        acknowledged.collect()
        lives[victim] += 1
        pids[victim] = start(victim, lives[victim])
    for _ in range(6000):  # however slow the disk is, the last ones live until there is enough to look at
        if len(acknowledged.collect()) > KILLS and len(ledger.segments()) > 1:
            break
        time.sleep(0.05)
    for pid in pids:
        kill(pid)
    ids = [identity for line in acknowledged.collect() for identity in line.split()]
    acknowledged.close()

    reading = check_whole(tmp_path, ids)
    segments = len(ledger.segments())
    print(
        f"\nkill -9: {KILLS + WRITERS} kills of {WRITERS} writers, {len(reading.ids)} entries in {segments} segments, "
        f"{len(ids)} acknowledged, 0 missing, 0 bad lines, 0 doubled, {reading.torn} torn writes"
    )
    assert len(ids) > KILLS
    assert segments > 1
    per_writer: dict[int, list[tuple[int, int, str]]] = {writer: [] for writer in range(WRITERS)}
    for text in reading.texts:
        writer, life, number, place = text.split()
        per_writer[int(writer)].append((int(life), int(number), place))
    for places in per_writer.values():
        assert places == sorted(places)
        assert len(places) == len(set(places))
    batches = iter(reading.texts)
    for size in reading.batch_sizes:
        names = [next(batches) for _ in range(size)]
        assert [name.split()[3] for name in names] == [f"{place}/{size}" for place in range(size)]
        assert len({name.rsplit(" ", 1)[0] for name in names}) == 1
    [entry] = land_in(tmp_path, claim("after"))
    assert entry.seq == len(reading.ids)
    ledger.close()
