"""The union of ledgers: nothing lost, nothing twice, and the same views whoever imported whom."""

from __future__ import annotations

import itertools
import random
import shutil
from pathlib import Path

import pytest

from memexlab import Lab
from memexlab.commands.doctor import check
from memexlab.commands.init import init_lab
from memexlab.ledger import Claim, Draft, Entry, Ref, Refused, Run, Source, UsageError, blob_id
from memexlab.memory import Memory

from .test_views import causal_shuffle, hash_of, planted


def a_lab(folder: Path, worst: float, better: str = "lower") -> Lab:
    """Seven runs of a campaign `main`, one of them with a log, and a retraction."""
    init_lab(folder, "none")
    lab = Lab(folder)
    log = folder / "run.log"
    for number in range(1, 8):
        log.write_text(f"run {number} of {folder.name}\n")
        lab.log(
            description=f"{folder.name} lr {number}", status="keep", metric=[f"loss={worst - number / 10}"],
            set_=[f"lr={number}"], campaign="main", better=better, log=log,
        )  # fmt: skip
    lab.retract(3, why="a bug", campaign="main")
    return lab


def ids(lab: Lab) -> set[str]:
    return {row[0] for row in lab.memory.db.execute("SELECT id FROM entries")}


def state(lab: Lab) -> str:
    lab.memory.index.catch_up()
    folded = lab.memory.index.logical_hash()
    lab.memory.index.rebuild()
    assert lab.memory.index.logical_hash() == folded
    return folded


def campaigns(lab: Lab) -> list[str]:
    return [row[0] for row in lab.memory.db.execute("SELECT campaign FROM campaigns ORDER BY campaign")]


def test_two_labs_that_import_each_other_say_the_same_and_lose_nothing(tmp_path: Path) -> None:
    a, b = a_lab(tmp_path / "a", 5.0), a_lab(tmp_path / "b", 9.0)
    both = ids(a) | ids(b)
    before = {lab.root.name: str(lab.registry(campaign="main")) for lab in (a, b)}
    said = a.memory.db.execute("SELECT id, by, at, body FROM entries").fetchall()
    alone = len(ids(b))

    first = a.import_(b.root)
    assert (first.added, first.blobs) == (alone, 7)
    assert "two campaigns are called main: the later one is main@" in str(first)
    b.import_(a.root)
    assert ids(a) == ids(b) == both
    assert state(a) == state(b)
    assert a.import_(b.root).added == 0
    assert b.import_(a.root).added == 0
    assert b.import_(b.root).added == 0
    assert set(said) <= set(b.memory.db.execute("SELECT id, by, at, body FROM entries").fetchall())

    names = campaigns(a)
    assert len(names) == 2
    assert names[0] == "main"
    other = names[1]
    for lab in (a, b):
        assert str(lab.registry(campaign="main")) == before["a"]  # defined first
        assert str(lab.registry(campaign=other)).replace(other, "main") == before["b"]
        counted = lab.memory.db.execute("SELECT campaign, count(*), max(number) FROM runs GROUP BY 1 ORDER BY 1")
        assert counted.fetchall() == [("main", 7, 7), (other, 7, 7)]
        assert Path(lab.report(campaign=other).html).is_file()
        assert "b lr 7" in str(lab.brief(campaign=other))
        health = check(lab.root, lab.memory)
        assert health.exit_code == 0, str(health)
        lab.close()


def test_both_go_on_under_the_names_they_have_now(tmp_path: Path) -> None:
    a, b = a_lab(tmp_path / "a", 5.0), a_lab(tmp_path / "b", 9.0, "higher")
    b.import_(a.root)
    other = campaigns(b)[1]
    for name in ("main", other):
        done = b.log(description="one more", status="discard", metric=["loss=7"], campaign=name)
        assert done.number == 8
    a.import_(b.root)
    assert state(a) == state(b)
    assert a.memory.db.execute("SELECT campaign, number FROM runs WHERE number > 7 ORDER BY 1").fetchall() == [
        ("main", 8), (other, 8),
    ]  # fmt: skip
    with pytest.raises(UsageError, match="compares loss"):
        b.log(description="x", status="discard", metric=["loss=7"], campaign=other, better="lower")


@pytest.mark.slow
def test_the_union_of_three_is_the_same_in_every_order(tmp_path: Path) -> None:
    for name, worst in (("a", 5.0), ("b", 9.0), ("c", 7.0)):
        a_lab(tmp_path / name, worst).close()
    found = set()
    for turn, order in enumerate(itertools.permutations("abc")):
        for nested in (False, True):  # (x + y) + z, and x + (y + z)
            copies = [tmp_path / f"{turn}{nested}{name}" for name in order]
            for name, copy in zip(order, copies, strict=True):
                shutil.copytree(tmp_path / name, copy)
            x, y, z = map(Lab, copies)
            for into, of in [(y, z), (x, y)] if nested else [(x, y), (x, z)]:
                into.import_(of.root)
            found.add(x.memory.index.logical_hash())
            assert len(campaigns(x)) == 3
            for lab in (x, y, z):
                lab.close()
    assert len(found) == 1


@pytest.mark.slow
def test_any_causal_order_of_a_union_gives_the_same_views(tmp_path: Path) -> None:
    """The same names, run numbers and terms in both: the shuffled histories of test_views, two at a time."""
    entries: list[Entry] = []
    for seed in (0, 1):
        memory = Memory(tmp_path / f"lab-{seed}")
        entries += planted(memory, seed)
        for number in (3, 4):  # these point to no definition, only to a run that does
            parent = next(e for e in entries[-60:] if isinstance(e.body, Run) and e.body.campaign == "a")
            body = Run("a", "keep", 100 + number, metrics={"loss": 0.1 * seed + number / 100})
            entries += memory.land([Draft(f"run:a/{number}", body, (Ref("parent", parent.id),))], "code:test")
        memory.close()
    found = set()
    for seed in range(24):
        rng = random.Random(seed)
        found.add(hash_of(causal_shuffle(entries, rng), tmp_path / f"order-{seed}", rng))
    assert len(found) == 1


def test_one_key_in_two_labs_is_two_entries_and_neither_is_lost(tmp_path: Path) -> None:
    labs = []
    for name in ("a", "b"):
        init_lab(tmp_path / name, "none")
        labs.append(Lab(tmp_path / name))
        labs[-1].memory.land([Draft("x", Claim(f"said in {name}"), key="once")], "human:ada")
    both = ids(labs[0]) | ids(labs[1])
    labs[0].import_(labs[1].root)
    labs[1].import_(labs[0].root)
    assert ids(labs[0]) == ids(labs[1]) == both
    assert len(both) == 2
    assert state(labs[0]) == state(labs[1])
    for name, lab in zip("ab", labs, strict=True):  # a retry gives what its own lab said
        [again] = lab.memory.land([Draft("x", Claim("said again"), key="once")], "human:ada")
        assert again.body == Claim(f"said in {name}")


def test_what_another_lab_may_not_bring_in(tmp_path: Path) -> None:
    a, b = a_lab(tmp_path / "a", 5.0), a_lab(tmp_path / "b", 9.0)
    before = state(a)
    blob = blob_id(b"run 2 of b\n")
    path = b.memory.blobs.path(blob)
    kept = path.read_bytes()
    path.unlink()
    with pytest.raises(Refused, match="nowhere before it"):
        a.import_(b.root)
    path.write_bytes(kept)
    b.memory.ledger.append(
        [b'{"v":1,"kind":"claim","subject":"x","by":"nobody","at":"2026-01-01","body":{"text":"t"}}']
    )
    with pytest.raises(Refused, match="does not say who speaks"):
        a.import_(b.root)
    ledger = b.root / ".memex/ledger/0001.jsonl"
    ledger.write_bytes(ledger.read_bytes().replace(b"b lr 2", b"b lr 9", 1))
    with pytest.raises(UsageError, match="is damaged"):
        a.import_(b.root)
    with pytest.raises(UsageError, match="taken in as it is"):
        a.import_(b.root, campaign="x")
    assert state(a) == before


def test_a_definition_of_another_base_name_moves_no_run(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    [one, other] = memory.land(
        [Draft(f"campaign:{name}", Source(name, meta={"metric": "loss"})) for name in ("x", "y@abcdef")], "code:test"
    )
    memory.land(
        [Draft("run:1", Run("y@abcdef", "keep", 1, metrics={"loss": 1.0}), (Ref("from", one.id),))], "code:test"
    )
    memory.land(
        [Draft("run:2", Run("y@abcdef", "keep", 2, metrics={"loss": 2.0}), (Ref("from", other.id),))], "code:test"
    )
    assert memory.db.execute("SELECT campaign, value FROM runs ORDER BY number").fetchall() == [
        ("y@abcdef", 1.0), ("y@abcdef", 2.0),
    ]  # fmt: skip
