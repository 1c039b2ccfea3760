"""The verdict over whole campaigns whose truth is known: what it believes wrongly, and what it gains.

Seeds are fixed, so these numbers do not move from run to run; the limits leave room for another valid implementation.
The noise is estimated inside each campaign, from four repeats at first.
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _load_simulation() -> ModuleType:
    path = Path(__file__).parent.parent / "bench" / "verdict_simulation.py"
    spec = importlib.util.spec_from_file_location("verdict_simulation", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up while it loads
    spec.loader.exec_module(module)
    return module


simulation = _load_simulation()
CAMPAIGNS = {"early": 100, "late": 200, "harsh": 200}
REGIMES = {regime.name: regime for regime in (simulation.EARLY, simulation.LATE, simulation.HARSH)}
WEATHERS = {weather.name: weather for weather in simulation.WEATHERS}
BEFORE = "two tiers, single runs (the rule before)"
POLICIES: dict[str, Callable[..., Any]] = {"greedy": simulation.greedy, **simulation.POLICIES}


@cache
def told(policy: str, regime: str, weather: str) -> tuple[Any, ...]:
    return tuple(simulation.campaigns(POLICIES[policy], REGIMES[regime], WEATHERS[weather], CAMPAIGNS[regime]))


def gain(policy: str, regime: str, weather: str) -> float:
    """Mean true gain of the champion at the end of a campaign, in sigma."""
    return statistics.fmean(one.champion for one in told(policy, regime, weather))


def false_wins(policy: str, regime: str, weather: str) -> float:
    return float(simulation.share(told(policy, regime, weather), "false_wins", "wins"))


@pytest.mark.parametrize(("regime", "keeps", "share"), [("early", 37, 0.46), ("late", 8, 0.60), ("harsh", 19, 0.38)])
def test_greedy_keeping_is_as_wrong_as_it_is_known_to_be(regime: str, keeps: float, share: float) -> None:
    """Otherwise the world of the simulation would not be the one the limits below are about."""
    assert statistics.fmean(one.wins for one in told("greedy", regime, "rho 0")) == pytest.approx(keeps, rel=0.1)
    assert false_wins("greedy", regime, "rho 0") == pytest.approx(share, abs=0.04)


@pytest.mark.slow
@pytest.mark.parametrize("weather", [weather.name for weather in simulation.WEATHERS])
@pytest.mark.parametrize(("regime", "limit"), [("early", 0.03), ("late", 0.07)])
def test_few_confirmed_wins_are_false(regime: str, limit: float, weather: str) -> None:
    assert false_wins("two tiers", regime, weather) <= limit


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "regime", "weather", "least"),
    [
        ("two tiers", "early", "rho 0", 31.2),
        ("two tiers", "early", "rho 0.6", 33.4),
        ("two tiers", "late", "rho 0", 3.3),
        ("two tiers", "late", "rho 0.6", 4.5),
        ("two tiers", "harsh", "rho 0", 12.5),
        ("two tiers", "harsh", "rho 0.6", 14.1),
        ("confirmed only", "early", "rho 0", 26.0),
        ("confirmed only", "late", "rho 0.6", 3.6),
    ],
)
def test_caution_still_makes_progress(policy: str, regime: str, weather: str, least: float) -> None:
    """What the benchmark measured, less three standard errors of the mean of these campaigns."""
    assert gain(policy, regime, weather) >= least


@pytest.mark.slow
@pytest.mark.parametrize("weather", ["rho 0.3, slow start", "rho 0.6, slow start, tails"])
def test_a_slow_start_costs_less_than_it_did_when_single_runs_were_the_noise(weather: str) -> None:
    assert gain("two tiers", "early", weather) > gain(BEFORE, "early", weather) + 3
    assert gain("two tiers", "late", weather) > gain(BEFORE, "late", weather) + 0.3


@pytest.mark.slow
@pytest.mark.parametrize("weather", ["rho 0", "rho 0.6"])
def test_where_nothing_is_odd_it_costs_nothing_to_speak_of(weather: str) -> None:
    # Three standard errors of the difference of two means of these campaigns.
    assert gain("two tiers", "early", weather) > gain(BEFORE, "early", weather) - 4
    assert gain("two tiers", "late", weather) > gain(BEFORE, "late", weather) - 0.5


@pytest.mark.slow
def test_late_in_a_campaign_caution_is_faster_than_greed() -> None:
    assert gain("two tiers", "late", "rho 0.6") > 1.3 * gain("greedy", "late", "rho 0")


@pytest.mark.slow
@pytest.mark.parametrize("weather", [weather.name for weather in simulation.WEATHERS])
def test_of_200_candidates_equal_to_the_champion_at_most_one_percent_are_confirmed(weather: str) -> None:
    results = simulation.campaigns(
        lambda world: simulation.two_tiers(world, simulation.after_200_candidates), simulation.NOTHING_HELPS,
        WEATHERS[weather], 100,
    )  # fmt: skip
    assert all(one.candidates == 200 for one in results)
    assert simulation.share(results, "wins", "candidates") <= 0.01
    assert statistics.fmean(one.wins > 0.02 * one.candidates for one in results) <= 0.02
    if "slow" not in weather:
        assert any(one.wins for one in results), "a rule that never confirms would pass for the wrong reason"


@pytest.mark.slow
def test_the_interval_of_a_confirmed_gain_mostly_covers_the_truth() -> None:
    """Stopping early on good luck costs coverage; it must not cost more than the module says."""
    assert simulation.share(told("two tiers", "early", "rho 0.6"), "covered", "wins") >= 0.92
    assert simulation.share(told("two tiers", "early", "rho 0"), "covered", "wins") >= 0.87
    assert simulation.share(told("two tiers", "late", "rho 0"), "covered", "wins") >= 0.80
