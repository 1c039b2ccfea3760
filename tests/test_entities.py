"""Names that are one: measured on labelled pairs, never joining opposites, and joined or parted by verdicts alone."""

from __future__ import annotations

import csv
import random
from collections import Counter
from hashlib import sha256
from itertools import combinations
from pathlib import Path

import pytest

from memexlab.ledger import Claim, Draft, Refused, UsageError
from memexlab.memory import Memory
from memexlab.memory.entities import clustered, compare_names, entity_names, join, part, proposals, typed
from memexlab.memory.facts import facts_about

from .test_views import causal_shuffle, hash_of

PAIRS = Path(__file__).parent / "data" / "same_entities.tsv"
DEEPER = ("increasing model depth", "adding more transformer layers", "stacking additional blocks")


def pairs():
    with PAIRS.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def judged(row, turned=False):
    kind = "" if row["kind"] == "change" else f"{row['kind']}:"
    a, b = (row["b"], row["a"]) if turned else (row["a"], row["b"])
    return compare_names(kind + a, kind + b)


@pytest.fixture
def memory(tmp_path: Path):
    memory = Memory(tmp_path / "memory")
    yield memory
    memory.close()


def test_the_pairs_are_what_is_said_of_them():
    rows = pairs()
    assert len(rows) >= 150
    assert Counter(row["label"] for row in rows)["opposite"] >= 40
    for row in rows:
        half = sha256(f"{row['a']}\t{row['b']}".encode()).digest()[0] & 1
        assert row["split"] == ("tuned" if half else "held-out")


@pytest.mark.parametrize(("split", "precision", "recall"), [("tuned", 1.0, 0.87), ("held-out", 1.0, 0.82)])
def test_precision_and_recall(split, precision, recall):
    table = Counter((row["label"], judged(row)) for row in pairs() if row["split"] == split)
    said = sum(count for (_, told), count in table.items() if told == "same")
    true = sum(count for (label, _), count in table.items() if label == "same")
    assert table["same", "same"] / said >= precision
    assert table["same", "same"] / true >= recall
    assert table["opposite", "same"] == table["opposite", "near"] == 0


def test_it_does_not_matter_which_name_comes_first():
    assert all(judged(row) == judged(row, turned=True) for row in pairs())


def test_the_essays_example():
    for a in DEEPER:
        assert all(compare_names(a, b) == "same" for b in DEEPER)
        assert compare_names(a, "reducing model depth") == "opposite"
    assert compare_names("not increasing model depth", "increasing model depth") != "same"


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("knob:lr", "person:lr"), ("GPT-2", "GPT-3"), ("person:J. Smith", "person:K. Smith"), ("run:c/1", "run:c/2"),
        ("agent:ada", "agent:Ada"), ("a synchronous call", "asynchronous call"), ("dropout", "no dropout"),
    ],
)  # fmt: skip
def test_what_is_never_one(a, b):
    assert compare_names(a, b) in ("different", "opposite")


def test_no_name_upsets_it():
    for name in (
        "",
        " ",
        "\x00",
        ":",
        "person:",
        "person:,",
        "knob:()",
        "ﬁ",
        "layers" * 500,
        "-> -> to",
        "٣ layers",
        "ſ",
    ):
        assert compare_names(name, name) == "same"
        for other in ("more layers", "person:A B", "knob:lr", "-1", ""):
            assert compare_names(name, other) == compare_names(other, name)


def say(memory, subject, n=0):
    memory.land([Draft(subject, Claim(f"{subject} {n}", "is", n))], "human:ada")


def test_a_verdict_joins_and_its_retraction_parts(memory):
    say(memory, "RoPE", 1)
    say(memory, "rotary position embeddings", 2)
    assert [str(f.object) for f in facts_about(memory.db, "RoPE")] == ["1"]
    join(memory, "rotary position embeddings", "RoPE", "its long name", "human:ada")
    assert len(facts_about(memory.db, "rope")) == 2
    assert memory.db.execute("SELECT * FROM same ORDER BY 1").fetchall() == [
        ("RoPE", "RoPE"), ("rotary position embeddings", "RoPE")
    ]  # fmt: skip
    part(memory, "RoPE", "rotary position embeddings", "no", "human:ada")
    assert len(facts_about(memory.db, "rope")) == 1
    assert memory.db.execute("SELECT count(*) FROM same").fetchone() == (0,)
    with pytest.raises(UsageError, match="no verdict joins"):
        part(memory, "RoPE", "rotary position embeddings", "no", "human:ada")
    join(memory, "rotary position embeddings", "RoPE", "after all", "model:m")
    assert len(facts_about(memory.db, "rope")) == 2


def test_nobody_joins_opposites(memory):
    for a, b, why in (
        (DEEPER[0], "reducing model depth", "opposite"), ("GPT-2", "GPT-3", "numbers"),
        ("knob:lr", "person:lr", "types"),
    ):  # fmt: skip
        with pytest.raises(Refused) as refused:
            join(memory, a, b, "I say so", "human:ada")
        assert why in str(refused.value)
    join(memory, "growth", DEEPER[0], "ours", "human:ada")
    with pytest.raises(Refused, match="opposite"):  # by way of a third name
        join(memory, "growth", "fewer layers", "ours", "human:ada")
    with pytest.raises(UsageError, match="reason"):
        join(memory, "a b", "c d", " ", "human:ada")


def test_merged_ledgers_that_bring_opposites_together_join_the_first(memory):
    assert clustered([("growth", "more layers"), ("growth", "fewer layers")]) == [{"growth", "more layers"}]
    assert clustered([("a", "b"), ("c", "d"), ("b", "c")]) == [{"a", "b", "c", "d"}]


def test_the_fold_does_not_depend_on_the_order_of_arrival(memory, tmp_path):
    names = ["growth", "more layers", "fewer layers", "RoPE", "rotary", "shrinking thing"]
    rng = random.Random(3)
    for _ in range(30):
        a, b = rng.sample(names, 2)
        try:
            (join if rng.random() < 0.7 else part)(memory, a, b, "because", "human:ada")
        except (Refused, UsageError):
            continue
    count = memory.db.execute("SELECT count(*) FROM entries").fetchone()[0]
    entries = [memory.index.entry(seq) for seq in range(count)]
    assert count > 15
    assert memory.db.execute("SELECT count(*) FROM same").fetchone()[0] > 1
    found = {hash_of(causal_shuffle(entries, random.Random(i)), tmp_path / str(i), random.Random(i)) for i in range(40)}
    assert found == {memory.index.logical_hash()}


def test_what_is_near_is_proposed_until_it_is_joined(memory):
    say(memory, "gradient checkpointing")
    say(memory, "gradient checkpoint")
    say(memory, "data loader")
    assert proposals(memory.db) == [("gradient checkpoint", "gradient checkpointing")]
    join(memory, "gradient checkpoint", "gradient checkpointing", "one technique", "human:ada")
    assert proposals(memory.db) == []


def test_no_pair_that_is_near_is_passed_over(memory):
    """Few pairs are compared; all that are near are among them."""
    rng = random.Random(5)
    said = {("" if row["kind"] == "change" else f"{row['kind']}:") + row[side] for row in pairs() for side in "ab"}
    said = set(rng.sample(sorted(said), 90)) | {"!!", "??", "rotary position embedding", "RPE", "R.P.E."}
    for name in rng.sample(sorted(said), 30):
        at = rng.randrange(len(name))
        said |= {name[:at] + name[at + 1 :], f"{name[:at]}x{name[at:]}", f"{name} 2"}
    memory.land([Draft(name, Claim(f"{name} is", "is", 0)) for name in sorted(filter(str.strip, said))], "human:ada")
    names = sorted(entity_names(memory.db))
    near = {(a, b) for a, b in combinations(names, 2) if typed(a)[0] == typed(b)[0] and compare_names(a, b) == "near"}
    assert set(proposals(memory.db)) == near
    assert len(near) > 20
