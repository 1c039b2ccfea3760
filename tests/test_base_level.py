"""Base-level activation: the formula, what its distances count, and that it only orders those that fit equally well."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from memexlab.commands.search import ingest
from memexlab.ledger import Draft, Ref, Run, Source
from memexlab.memory import Memory
from memexlab.memory.questions.answers import ask
from memexlab.memory.search.base_level import base_level, base_levels
from memexlab.memory.search.retrieval import Searcher


def test_it_is_the_log_of_the_summed_powers_of_the_distances() -> None:
    assert base_level([1.0]) == 0.0
    assert base_level([4.0]) == pytest.approx(math.log(0.5))
    assert base_level([4.0, 9.0]) == pytest.approx(math.log(1 / 2 + 1 / 3))
    assert base_level([0.0]) == base_level([1.0])  # a use nearer than one run is no stronger than one
    assert base_level([]) == -math.inf


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    memory = Memory(tmp_path)
    meta = {"metric": "loss", "better": "lower", "unit": "", "origin": "import"}
    memory.land([Draft("campaign:c", Source("c", meta=meta))], "code:test")
    return memory


def landed(memory: Memory, number: int, status: str, settings: dict[str, Any], *parents: str) -> str:
    run = Run(
        "c",
        status,
        number,
        "candidate",
        "a purple elephant",
        metrics={} if status == "crash" else {"loss": 1 - number / 100},
        settings=settings,
    )
    [entry] = memory.land([Draft(f"run:c/{number}", run, tuple(Ref("parent", one) for one in parents))], "code:test")
    return entry.id


def seqs(memory: Memory) -> list[int]:
    return [row[0] for row in memory.db.execute("SELECT run FROM runs ORDER BY number")]


def test_distance_counts_runs_since_each_use_and_settings_that_differ_from_the_champion(memory: Memory) -> None:
    one = landed(memory, 1, "keep", {"depth": 4, "width": 8})
    landed(memory, 2, "discard", {"depth": 6, "width": 16}, one)
    landed(memory, 3, "discard", {"depth": 4, "width": 8})
    levels = list(base_levels(memory.db, seqs(memory)).values())
    # Run 1: landed two runs ago, and run 2 points to it one run ago. Run 2: one run ago, two settings away.
    assert levels == pytest.approx([base_level([3, 2]), base_level([2 + 2]), base_level([1])])


def test_a_run_that_failed_is_worth_what_one_that_was_kept_is(memory: Memory) -> None:
    landed(memory, 1, "keep", {"depth": 4})
    before = base_levels(memory.db, seqs(memory))
    landed(memory, 2, "crash", {"depth": 4})
    landed(memory, 3, "discard", {"depth": 4})
    levels = list(base_levels(memory.db, seqs(memory)).values())
    assert levels == pytest.approx([base_level([n]) for n in (3, 2, 1)])
    assert list(before.values()) == [0.0]


def test_of_runs_that_hold_as_many_words_the_one_that_is_pointed_to_comes_first(memory: Memory) -> None:
    parent = landed(memory, 1, "keep", {"depth": 4})
    landed(memory, 2, "discard", {"depth": 4})
    for number in (3, 4, 5, 6):
        landed(memory, number, "discard", {"depth": 4}, parent)
    answer = ask(memory.db, "c", "would a purple elephant be wiser")
    assert answer.kind == "passages"
    assert [line.split(":")[0] for line in answer.text.splitlines()[1:]] == ["run 1", "run 6", "run 5"]


def test_of_documents_with_one_score_the_one_that_is_pointed_to_comes_first(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    lines = [{"id": name, "title": "", "text": "the zebra sleeps at noon"} for name in ("a", "b", "c")]
    (tmp_path / "some.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    ingest(memory, "human:test", tmp_path / "some.jsonl")
    before = [hit.source for hit in Searcher(memory.db).search("zebra")]
    sql = "SELECT e.id FROM documents d JOIN entries e ON e.seq = d.entry WHERE d.document = ?"
    [last] = memory.db.execute(sql, (before[-1],)).fetchone()
    memory.land([Draft("source:note", Source("a note"), (Ref("from", last),))], "code:test")
    after = [hit.source for hit in Searcher(memory.db).search("zebra")]
    assert len(before) == 3
    assert after == [before[-1], *before[:-1]]
