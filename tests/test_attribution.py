"""What changes contributed together, against runs whose truth is known."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

import pytest

from memexlab.ledger import Draft, Entry, Ref, Run, Source, UsageError, Verdict
from memexlab.memory import Memory
from memexlab.memory.effects.attribution import attribute

SIGMA = 0.01


class Bench:
    """A lab whose metric is `truth(settings)` plus noise, or without noise where sigma is 0."""

    def __init__(self, folder: Path, truth: Callable[[Mapping[str, int]], float], sigma: float, seed: int = 1) -> None:
        self.memory, self.truth, self.sigma = Memory(folder), truth, sigma
        self.rng, self.number = random.Random(seed), 0
        meta = {"metric": "loss", "better": "lower", "origin": "lab"}
        self.memory.land([Draft("campaign:c", Source("c", meta=meta))], "code:test")

    def run(self, settings: Mapping[str, int], parent: Entry | None = None, role: str = "candidate") -> Entry:
        self.number += 1
        value = self.truth(settings) + self.rng.gauss(0, self.sigma)
        commit = "-".join(f"{k}{v}" for k, v in settings.items())
        run = Run("c", "ok", self.number, role, metrics={"loss": value}, settings=dict(settings), commit=commit)
        refs = (Ref("parent", parent.id),) if parent else ()
        [entry] = self.memory.land([Draft(f"run:{self.number}", run, refs)], "code:test")
        return entry

    def baseline(self, settings: Mapping[str, int]) -> Entry:
        first, *_ = [self.run(settings, role="baseline") for _ in range(4)]
        return first


def at(**moved: int) -> dict[str, int]:
    return {"a": 0, "b": 0, "c": 0} | moved


def test_two_changes_with_all_four_combinations(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lambda s: 1 - 0.1 * s["a"] - 0.3 * s["b"] - 0.2 * s["a"] * s["b"], 0.0)
    base = bench.baseline(at())
    first = bench.run(at(a=1), base)
    bench.run(at(b=1), base)
    both = bench.run(at(a=1, b=1), first)
    found = attribute(bench.memory.db, "c", bench.number)
    assert (found.run, found.against, found.method, found.missing) == (7, 1, "two by two", ())
    assert found.total.gain == pytest.approx(0.6)
    assert [(s.knobs, round(s.gain or 0, 9)) for s in found.shares] == [(("a",), 0.2), (("b",), 0.4)]
    assert [round(i.gain or 0, 9) for i in found.interactions] == [0.2]
    assert [(c.knobs, c.runs) for c in found.measured] == [
        ((), (1, 2, 3, 4)), (("a",), (5,)), (("b",), (6,)), (("a", "b"), (7,)),
    ]  # fmt: skip
    text = str(found)
    assert "run 7 against run 1: +0.6" in text
    assert "interaction of a and b: +0.2" in text
    assert "run 6: b alone" in text
    assert asdict(found)["shares"][0]["gain"] == found.shares[0].gain
    bench.memory.land([Draft("v", Verdict("retract", "a bug"), (Ref("retracts", first.id),))], "code:test")
    assert both.id  # its parent is gone now, and with it what it descends from
    with pytest.raises(UsageError, match="no measured ancestor"):
        attribute(bench.memory.db, "c", 7)
    bench.memory.close()


def test_what_always_moved_together_cannot_be_separated_and_it_says_which_run_would(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lambda s: 1 - 0.1 * s["a"] - 0.3 * s["b"], 0.0)
    base = bench.baseline(at())
    bench.run(at(a=1, b=1), base)
    found = attribute(bench.memory.db, "c", 5)
    assert found.method == "inseparable"
    assert [share.gain for share in found.shares] == [None, None]
    assert found.total.gain == pytest.approx(0.4)
    assert found.missing == ("run 1 with a = 1 and nothing else",)
    assert "cannot be separated" in str(found)
    bench.run(at(a=1), base)
    found = attribute(bench.memory.db, "c", 5)
    assert found.method == "additive"
    assert [round(share.gain or 0, 9) for share in found.shares] == [0.1, 0.3]
    assert found.missing == ("run 1 with b = 1 and nothing else",)
    assert "Only if the changes do not interact" in str(found)
    bench.run(at(b=1), base)
    assert attribute(bench.memory.db, "c", 5).method == "two by two"
    bench.memory.close()


def test_what_is_told_is_told_even_where_the_rest_is_not(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lambda s: 1 - 0.1 * s["a"] - 0.2 * s["b"] - 0.4 * s["c"], 0.0)
    base = bench.baseline(at())
    bench.run(at(c=1), base)
    bench.run(at(a=1, b=1, c=1), base)
    found = attribute(bench.memory.db, "c", 6)
    assert found.method == "inseparable"
    assert [share.gain and round(share.gain, 9) for share in found.shares] == [None, None, 0.4]
    bench.memory.close()


def test_shapley_values_of_three_changes_with_pairs_agree_with_all_orders(tmp_path: Path) -> None:
    def truth(s: Mapping[str, int]) -> float:
        return 2 - 0.1 * s["a"] - 0.2 * s["b"] - 0.3 * s["c"] - 0.05 * s["a"] * s["b"] + 0.08 * s["b"] * s["c"]

    bench = Bench(tmp_path, truth, 0.0)
    base = bench.baseline(at())
    for size in (1, 2, 3):
        for moved in combinations("abc", size):
            bench.run(at(**dict.fromkeys(moved, 1)), base)
    found = attribute(bench.memory.db, "c", bench.number)
    assert found.method == "pairs"
    by_orders = {"a": 0.1 + 0.025, "b": 0.2 + 0.025 - 0.04, "c": 0.3 - 0.04}
    assert {s.knobs[0]: round(s.gain or 0, 9) for s in found.shares} == pytest.approx(by_orders)
    assert {i.knobs: round(i.gain or 0, 9) for i in found.interactions} == pytest.approx(
        {("a", "b"): 0.05, ("a", "c"): 0.0, ("b", "c"): -0.08}, abs=1e-9
    )
    assert math.fsum(s.gain or 0 for s in found.shares) == pytest.approx(found.total.gain)
    bench.memory.close()


@pytest.mark.slow
def test_intervals_cover_the_truth_as_often_as_they_say(tmp_path: Path) -> None:
    """95 % of 160 intervals, four in each of 40 labs; three standard errors of that are 5 %."""
    covered = labs = 0
    for seed in range(40):
        bench = Bench(
            tmp_path / str(seed), lambda s: 1 - 0.02 * s["a"] - 0.03 * s["b"] - 0.01 * s["a"] * s["b"], SIGMA, seed
        )
        base = bench.baseline(at())
        for moved in (at(a=1), at(b=1), at(a=1, b=1)):
            candidate = bench.run(moved, base)
            for _ in range(2):
                bench.run(moved, candidate, "pair")
                bench.run(at(), base, "pair")
        found = attribute(bench.memory.db, "c", 15)
        assert (found.run, found.method) == (15, "two by two")
        assert [cell.n for cell in found.measured] == [10, 2, 2, 2]  # fresh values only, where there are any
        truths = (0.025, 0.035, 0.01, 0.06)
        for share, truth in zip([*found.shares, *found.interactions, found.total], truths, strict=True):
            assert share.low is not None
            assert share.high is not None
            covered += share.low <= truth <= share.high
            labs += 1
        assert str(attribute(bench.memory.db, "c", 15)) == str(found)
        bench.memory.close()
    assert labs == 160
    assert 0.90 <= covered / labs <= 0.995


def test_a_run_that_nothing_is_known_of(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lambda s: 1.0, 0.0)
    base = bench.baseline(at())
    with pytest.raises(UsageError, match="no run 9"):
        attribute(bench.memory.db, "c", 9)
    with pytest.raises(UsageError, match="no measured ancestor"):
        attribute(bench.memory.db, "c", 1)
    bench.run({f"k{i}": 1 for i in range(20)}, base)
    with pytest.raises(UsageError, match="too many"):
        attribute(bench.memory.db, "c", 5)
    bench.run(at(a=1), base)
    one = attribute(bench.memory.db, "c", 6)
    assert (one.method, one.shares[0].gain) == ("one change", pytest.approx(0.0))
    bench.memory.close()
