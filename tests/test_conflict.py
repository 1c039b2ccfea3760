"""The statistics of conflict against published numbers and against histories whose truth is known."""

from __future__ import annotations

import importlib.util
import math
import random
import sys
from pathlib import Path
from types import ModuleType

import pytest

from memexlab.memory.effects.heterogeneity import (
    Estimate,
    Measured,
    benjamini_hochberg,
    f_tail,
    heterogeneity,
    judge,
    pooled,
    reversal,
)
from memexlab.memory.effects.noise import Noise, student_t_quantile

KNOWN = Noise(1.0, 60, 9)


def _simulation() -> ModuleType:
    path = Path(__file__).parents[1] / "bench" / "conflict_simulation.py"
    spec = importlib.util.spec_from_file_location("conflict_simulation", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["conflict_simulation"] = module
    spec.loader.exec_module(module)
    return module


simulation = _simulation()
#: Three standard errors of a share of 5 % in so many histories.
HISTORIES = 1500
LIMIT = 0.05 + 3 * math.sqrt(0.05 * 0.95 / HISTORIES)


def one(gain: float, error: float = 0.5, seen: int = 2, **context: str) -> Measured:
    return Measured(gain, error, seen, context)


# --- formulas


@pytest.mark.parametrize(
    ("h", "dof", "f"), [(1, 3, 10.128), (2, 10, 4.103), (3, 60, 2.758), (5, 20, 2.711), (1, 100_000, 3.8415)]
)
def test_the_tail_of_f_has_the_published_five_percent_points(h: int, dof: int, f: float) -> None:
    assert f_tail(f, h, dof) == pytest.approx(0.05, abs=2e-4)


@pytest.mark.parametrize("dof", [1, 4, 30, 150])
def test_with_one_degree_of_freedom_f_is_students_t_squared(dof: int) -> None:
    for tail in (0.4, 0.05, 0.001):
        assert f_tail(student_t_quantile(tail, dof) ** 2, 1, dof) == pytest.approx(2 * tail, rel=1e-9)


@pytest.mark.parametrize(("contexts", "q"), [(2, 2.71), (3, 4.23), (4, 5.43), (5, 6.50)])
def test_the_reversal_test_has_the_critical_values_of_gail_and_simon(contexts: int, q: float) -> None:
    """Their table 1, at 5 %, for known noise; all but one context lose, so the smaller sum is that of one gain."""
    estimates = [Estimate(math.sqrt(q), 1.0), *[Estimate(-5.0, 1.0)] * (contexts - 1)]
    assert reversal(estimates, 1_000_000) == pytest.approx(0.05, abs=4e-4)


def test_one_sign_alone_is_no_reversal() -> None:
    assert reversal([Estimate(5, 1), Estimate(0.1, 1)], 60) == 1
    assert reversal([Estimate(5, 1), Estimate(0, 1)], 60) == 1


def test_adjusted_p_values_are_those_of_the_published_example() -> None:
    """Benjamini and Hochberg (1995), section 4: of 15 p-values the first four are significant at 5 %."""
    published = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590,
        1.0,
    ]  # fmt: skip
    mixed = published[::-1]
    adjusted = benjamini_hochberg(mixed)[::-1]
    assert [p <= 0.05 for p in adjusted] == [True] * 4 + [False] * 11
    assert adjusted[0] == pytest.approx(0.0015)


def test_pooling_weighs_by_inverse_variance_and_two_estimates_differ_by_their_contrast() -> None:
    both = pooled([Estimate(1.0, 1.0), Estimate(4.0, 2.0)])
    assert (both.gain, both.error) == (pytest.approx(1.6), pytest.approx(math.sqrt(0.8)))
    assert heterogeneity([Estimate(1, 3), Estimate(11, 4)], 10**6) == pytest.approx(0.0455, abs=1e-4)  # d / se = 2
    exact = pooled([Estimate(1.0, 0.0), Estimate(9.0, 2.0)])
    assert (exact.gain, exact.error) == (1.0, 0.0)


# --- judgements


def test_unknown_noise_supports_no_claim() -> None:
    for noise in (Noise(math.nan, 0, 0), Noise(0.001, 2, 1)):
        found = judge([Measured(5.0, None, 4, {}), Measured(4.0, None, 4, {})], noise)
        assert (found.status, found.gain, found.low, found.pairs_to_settle) == ("unresolved", 4.5, None, None)


def test_one_run_is_never_replicated_however_large() -> None:
    once = judge([one(50.0, seen=1)], KNOWN)
    assert (once.status, once.pairs_to_settle) == ("unresolved", 1)
    assert judge([one(50.0, seen=2)], KNOWN).status == "replicated"


def test_a_gain_below_its_error_is_noise_and_one_above_it_wants_more_pairs() -> None:
    assert judge([one(0.3)], KNOWN).status == "within noise"
    open_still = judge([one(0.8)], KNOWN)
    assert open_still.status == "unresolved"
    assert open_still.pairs_to_settle == 20  # (sqrt(2) (1.671 + 0.848) / 0.8)^2
    assert judge([one(0.15, error=0.1)], KNOWN).status == "within noise"  # more than 40 pairs


def test_a_reversal_names_every_setting_that_went_along_with_it() -> None:
    sides = [one(4, where="A", also="x", idle="1"), one(-4, where="B", also="y", idle="1")]
    found = judge(sides, KNOWN)
    assert found.status == "reversed"
    assert found.condition == (("also", "x"), ("where", "A"))
    assert found.gain == 4
    same_sign = judge([one(8, where="A"), one(2, where="B")], KNOWN)
    assert (same_sign.status, same_sign.condition) == ("conditional", (("where", "A"),))


def test_contexts_seen_once_support_no_claim() -> None:
    found = judge([one(4, seen=1, where="A"), one(-4, seen=1, where="B")], KNOWN)
    assert found.status == "unresolved"
    assert found.pairs_to_settle == 1


def test_a_conflict_that_no_setting_explains_stays_open() -> None:
    found = judge([one(4, where="A"), one(-4, where="A")], KNOWN)
    assert (found.status, found.condition) == ("unresolved", ())


def test_a_metric_without_noise() -> None:
    still = Noise(0.0, 3, 1)
    assert judge([one(1.0, error=0.0)], still).status == "replicated"
    assert judge([one(0.0, error=0.0)], still).status == "within noise"
    assert judge([one(1.0, 0.0, where="A"), one(-1.0, 0.0, where="B")], still).status == "reversed"


def test_the_order_of_measurements_does_not_matter() -> None:
    rng = random.Random(5)
    for _ in range(50):
        noise = Noise(1.0, 12, 1)
        measured = simulation.history(rng, {"A": 2.0, "B": -1.0}, 2, 3, 4, noise)
        first = judge(measured, noise)
        again = judge(rng.sample(measured, len(measured)), noise)
        assert (again.status, again.condition, again.pairs_to_settle) == (
            first.status, first.condition, first.pairs_to_settle,
        )  # fmt: skip
        assert again.gain == pytest.approx(first.gain, rel=1e-12)


# --- known truth


@pytest.mark.parametrize(("effect", "runs", "keys"), [(0, 2, 0), (2, 3, 6)])
@pytest.mark.parametrize("dof", [3, 60])
def test_without_an_interaction_few_are_called_conditional_or_reversed(
    effect: float, runs: int, keys: int, dof: int
) -> None:
    assert simulation.without_interaction(11, HISTORIES, effect, runs, keys, dof) <= LIMIT


@pytest.mark.parametrize("pairs", [1, 3])
def test_reversals_are_found_at_the_power_that_arithmetic_allows(pairs: int) -> None:
    found = simulation.reversals_found(12, HISTORIES, 2, pairs, 0, 60)
    assert found == pytest.approx(simulation.power_by_arithmetic(2, pairs), abs=0.05)
    assert simulation.reversals_found(12, HISTORIES, 2, pairs, 6, 60) > found - 0.08


@pytest.mark.parametrize("runs", [2, 8])
@pytest.mark.parametrize("dof", [3, 60])
def test_changes_without_effect_are_seldom_called_replicated(runs: int, dof: int) -> None:
    assert 0 < simulation.nothing_replicated(13, HISTORIES, runs, dof) <= LIMIT


def test_a_night_that_races_what_looked_good_replicates_little_that_is_nothing() -> None:
    of_all, of_raced = simulation.raced_nothing_replicated(14, HISTORIES, 12)
    assert of_all <= 0.03
    assert 0 < of_raced <= 0.10
