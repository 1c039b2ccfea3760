"""Damage is never silent: what is read is what was written, or a finding says that it is not.

One thing no store can tell from its own bytes: whole batches cut off the very end. The views' cursor tells those.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from memexlab.ledger import Blobs, FileLedger, OutsideError, land, wire

from .ledger_worker import Reading, Seen, check_whole, claim, land_in, read, stored_claim

FLIPS = 4000


@dataclass
class Specimen:
    """A small ledger of several segments, batches and a seal, kept as bytes, and laid out again for every case."""

    folder: Path
    files: dict[str, bytes]
    whole: Reading

    @property
    def last(self) -> str:
        return max(self.files)

    def lay(self, name: str, data: bytes) -> None:
        for path in (self.folder / "ledger").glob("*.jsonl"):
            if path.name not in self.files:
                path.unlink()
        for other, content in self.files.items():
            (self.folder / "ledger" / other).write_bytes(data if other == name else content)

    def entries_in(self, name: str) -> int:
        return sum(identity.encode() in self.files[name] for identity in self.whole.ids)


def grow(folder: Path) -> Specimen:
    ledger = FileLedger(folder / "ledger", segment_limit_bytes=1200)
    blobs, view = Blobs(folder / "blobs"), Seen(ledger)

    def batch(name: str, size: int) -> None:
        drafts = [claim(f"{name}{place} J* \u00e4\u20ac") for place in range(size)]
        land(drafts, "code:test", ledger=ledger, blobs=blobs, view=view)

    for number, size in enumerate((1, 3, 1, 2, 1, 2, 1)):
        batch(f"{number}.", size)
    with (folder / "ledger" / f"{ledger.segments()[-1]:04d}.jsonl").open("ab") as file:
        seq = len(read(folder).ids)
        first, second = stored_claim("never finished"), stored_claim("and never acknowledged")
        file.write(wire.line(first, seq, 1) + wire.line(second, seq + 1)[:90])
    for number, size in enumerate((1, 2, 1, 2), 7):
        batch(f"{number}.", size)
    ledger.close()
    files = {path.name: path.read_bytes() for path in sorted((folder / "ledger").glob("*.jsonl"))}
    return Specimen(folder, files, read(folder))


@pytest.fixture
def specimen() -> Iterator[Specimen]:
    # In memory where that is possible: nothing here depends on a disk, and there are thousands of cases.
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield check_specimen(grow(Path(folder)))


def check_specimen(grown: Specimen) -> Specimen:
    assert len(grown.files) >= 3
    assert [finding.rule for finding in grown.whole.findings] == ["ledger-torn"]
    assert any(b'"seal"' in data for data in grown.files.values())
    assert sum(size > 1 for size in grown.whole.batch_sizes) >= 4
    return grown


def flipped(data: bytes, place: int, bit: int) -> bytes:
    return data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :]


def check_never_silent(specimen: Specimen, reading: Reading, case: object) -> None:
    """Nothing false and nothing doubled is read, in the order of the original; what is missing is told."""
    original = specimen.whole.entries
    places = {entry.id: place for place, entry in enumerate(original)}
    assert [entry for entry in reading.entries if entry not in original] == [], case
    order = [places[identity] for identity in reading.ids]
    assert order == sorted(set(order)), case
    # The specimen's own seal is told in any case, so it does not count.
    assert reading.entries == original or reading.findings != specimen.whole.findings, case


@pytest.mark.slow
def test_no_flipped_bit_is_silent(specimen: Specimen) -> None:
    rng = random.Random(5)
    spots = [(name, place) for name, data in specimen.files.items() for place in range(len(data))]
    cases = [(*rng.choice(spots), rng.randrange(8)) for _ in range(FLIPS)]
    tail = len(specimen.files[specimen.last].split(b"\n")[-2]) + 1
    told = errors = exact = most = 0
    for name, place, bit in cases:
        data = specimen.files[name]
        specimen.lay(name, flipped(data, place, bit))
        reading = read(specimen.folder)
        check_never_silent(specimen, reading, (name, place, bit))
        assert reading.findings != specimen.whole.findings, (name, place, bit)
        missing = len(specimen.whole.ids) - len(reading.ids)
        line_feed = data[place : place + 1] == b"\n"
        in_last_batch = name == specimen.last and place >= len(data) - tail
        # A line feed that is gone joins two lines; a batch at the very end waits for its last line.
        assert missing <= (2 if line_feed or in_last_batch else 1), (name, place, bit)
        told += reading.findings != specimen.whole.findings
        errors += bool(reading.errors)
        exact += reading.entries == specimen.whole.entries
        most = max(most, missing)
    print(
        f"\nbit flips: {FLIPS} over {len(spots)} bytes in {len(specimen.files)} segments with "
        f"{len(specimen.whole.ids)} entries: {told} told, {errors} of them as errors, {exact} with every entry intact, "
        f"0 silently wrong, 0 silently missing, at most {most} entries lost to one flip"
    )


@pytest.mark.slow
def test_damage_to_the_last_entries_is_no_torn_write(specimen: Specimen) -> None:
    data = specimen.files[specimen.last]
    *_, first, second, _ = data.split(b"\n")
    assert b'"more":1' in first
    begin = len(data) - len(first) - len(second) - 2
    more = begin + first.index(b'"more":1')
    line_feeds = [begin + len(first), len(data) - 1]
    places = [*line_feeds, *range(more, more + 8), *random.Random(6).sample(range(begin, len(data)), 60)]
    cases = [(place, bit) for place in places for bit in range(8)]
    for place, bit in cases:
        wrong = flipped(data, place, bit)
        specimen.lay(specimen.last, wrong)
        before = read(specimen.folder)
        assert before.errors, (place, bit)
        [new] = land_in(specimen.folder, claim("after the damage"))
        after = read(specimen.folder)
        assert after.ids[-1] == new.id, (place, bit)
        assert after.torn == 1, (place, bit)  # the specimen's own
        assert after.errors, (place, bit)
        lost = set(specimen.whole.ids) - set(after.ids)
        assert len(lost) <= (2 if place == line_feeds[0] else 1), (place, bit)
        assert lost <= set(specimen.whole.ids[-2:]), (place, bit)
    print(f"\ndamage at the end: {len(cases)} flips, each loud before a landing and after it")


def test_a_flip_to_a_line_feed_in_the_last_line_is_loud(specimen: Specimen) -> None:
    data = specimen.files[specimen.last]
    last = len(data.split(b"\n")[-2]) + 1
    cases = [place for place in range(len(data) - last, len(data) - 1) if (data[place] ^ 0x0A).bit_count() == 1]
    assert cases
    for place in cases:
        specimen.lay(specimen.last, data[:place] + b"\n" + data[place + 1 :])
        assert read(specimen.folder).errors
        [new] = land_in(specimen.folder, claim("after the damage"))
        after = read(specimen.folder)
        assert after.errors
        assert after.ids == [*specimen.whole.ids[:-1], new.id]
        assert after.torn == 1


def test_a_cut_at_any_byte_leaves_what_is_before_it_and_room_for_more(specimen: Specimen) -> None:
    data = specimen.files[specimen.last]
    lines = data.split(b"\n")[:-1]
    last_batches = sum(len(line) + 1 for line in lines[-3:])
    torn = completed = 0
    for keep in range(len(data) - last_batches, len(data)):
        specimen.lay(specimen.last, data[:keep])
        before = read(specimen.folder)
        assert before.entries == specimen.whole.entries[: len(before.entries)]
        assert before.errors == []
        at_a_batch_end = keep == len(data) - last_batches or data[:keep].endswith(lines[-3] + b"\n")
        assert (before.torn == 2) != at_a_batch_end, keep
        new, again = land_in(specimen.folder, claim("after the cut"), claim("and more"))
        after = check_whole(specimen.folder, [*before.ids, new.id, again.id])
        assert after.texts[-2:] == ["after the cut", "and more"]
        kept = len(after.ids) - 2
        assert after.ids[:kept] == specimen.whole.ids[:kept]
        completed += kept > len(before.ids)
        torn += after.torn - 1
    print(f"\ncuts: {last_batches} lengths, {torn} sealed, {completed} completed with the line feed that was missing")
    assert completed == 2
    assert torn == last_batches - 4


def test_a_cut_while_sealing_is_survived(specimen: Specimen) -> None:
    [name] = [name for name, data in specimen.files.items() if b'"seal"' in data]
    data = specimen.files[name]
    assert name != specimen.last
    begin = data.rindex(b"\n", 0, data.index(b',"seal"'))
    seal_end = data.index(b"\n", begin + 1) + 1
    entry_end = data.index(b"\n", seal_end) + 1
    for other in [other for other in specimen.files if other > name]:
        del specimen.files[other]
    for keep in range(begin, entry_end):
        specimen.lay(name, data[:keep])
        before = read(specimen.folder)
        landed = [land_in(specimen.folder, claim(f"after the cut {number}"))[0] for number in range(2)]
        after = read(specimen.folder)
        assert set(before.ids) <= set(after.ids), keep
        assert after.ids[-2:] == [entry.id for entry in landed], keep
        assert after.findings, keep
        seqs = [entry.seq for entry in after.entries]
        assert seqs == sorted(set(seqs)), keep


@pytest.mark.parametrize("zeros", [1, 512, 5000])
def test_zeros_at_the_end_are_sealed_and_told(specimen: Specimen, zeros: int) -> None:
    specimen.lay(specimen.last, specimen.files[specimen.last] + b"\0" * zeros)
    before = read(specimen.folder)
    assert before.ids == specimen.whole.ids
    assert before.torn == 2
    [new] = land_in(specimen.folder, claim("after the zeros"))
    after = check_whole(specimen.folder, [*before.ids, new.id])
    assert after.torn == 2
    assert any(f"{zeros} bytes of a write that never finished" in finding.message for finding in after.findings)


def test_zeros_over_the_last_entry_are_damage(specimen: Specimen) -> None:
    data = specimen.files[specimen.last]
    last = data.split(b"\n")[-2]
    specimen.lay(specimen.last, data[: -len(last) - 1] + b"\0" * len(last) + b"\n")
    assert read(specimen.folder).errors
    [new] = land_in(specimen.folder, claim("after the zeros"))
    after = read(specimen.folder)
    assert after.errors
    assert after.ids == [*specimen.whole.ids[:-1], new.id]


def test_damage_in_the_middle_costs_one_entry_each_and_no_other(specimen: Specimen) -> None:
    wrecked = 0
    for name, data in specimen.files.items():
        lines = data.split(b"\n")[:-1]
        for place, line in enumerate(lines):
            if not isinstance(wire.parse(line), wire.Line) or (name == specimen.last and place >= len(lines) - 2):
                continue
            lines[place] = b"garbage " * 5
            specimen.lay(name, b"\n".join(lines) + b"\n")
            lines[place] = line
            reading = read(specimen.folder)
            check_never_silent(specimen, reading, (name, place))
            assert reading.errors
            identity = line.rsplit(b'"id":"', 1)[1][:34].decode()
            lost = set(specimen.whole.ids) - set(reading.ids)
            assert lost <= {identity}, (name, place)
            wrecked += 1
    assert wrecked > 10


def test_deleted_doubled_and_swapped_lines_are_loud(specimen: Specimen) -> None:
    cases = 0
    for name, data in specimen.files.items():
        lines = data.split(b"\n")[:-1]
        for place in range(len(lines)):
            last = name == specimen.last and place == len(lines) - 1
            arrangements = {
                "deleted": lines[:place] + lines[place + 1 :],
                "doubled": lines[: place + 1] + lines[place:],
                "tripled": lines[: place + 1] + lines[place : place + 1] + lines[place:],
                "swapped": [*lines[:place], *lines[place : place + 2][::-1], *lines[place + 2 :]],
            }
            if last:
                del arrangements["deleted"], arrangements["swapped"]
            if place == len(lines) - 1:
                arrangements.pop("swapped", None)
            for what, arranged in arrangements.items():
                specimen.lay(name, b"".join(line + b"\n" for line in arranged))
                reading = read(specimen.folder)
                check_never_silent(specimen, reading, (what, name, place))
                assert reading.findings != specimen.whole.findings, (what, name, place)
                assert reading.errors or what == "deleted", (what, name, place)
                if what in ("doubled", "tripled"):
                    assert reading.entries == specimen.whole.entries, (what, name, place)
                cases += 1
    print(f"\ndeleted, doubled, tripled and swapped lines: {cases} arrangements, all loud")


def test_a_missing_or_doubled_segment_is_loud(specimen: Specimen) -> None:
    names = sorted(specimen.files)
    for name in names[:-1]:
        specimen.lay(name, specimen.files[name])
        (specimen.folder / "ledger" / name).unlink()
        reading = read(specimen.folder)
        assert reading.errors
        assert len(reading.ids) == len(specimen.whole.ids) - specimen.entries_in(name)
    specimen.lay("", b"")
    shutil.copy(specimen.folder / "ledger" / names[0], specimen.folder / "ledger" / f"{len(names) + 1:04d}.jsonl")
    reading = read(specimen.folder)
    assert reading.errors
    assert reading.ids == specimen.whole.ids


def test_nothing_is_acknowledged_that_could_not_be_read_back(specimen: Specimen) -> None:
    data = specimen.files[specimen.last]
    early = specimen.files[min(specimen.files)].split(b"\n")[0]
    specimen.lay(specimen.last, data + early + b"\n")
    with pytest.raises(OutsideError, match="cannot be read back"):
        land_in(specimen.folder, claim("behind a line that was moved"))
    assert read(specimen.folder).ids == specimen.whole.ids
