"""The verdict on single cases: known numbers, edges, and what must not matter (direction, shift, unit)."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memexlab.lab.verdict import (
    Pair,
    in_words,
    provisional,
    race,
    race_threshold,
    screen,
    suspicious,
)
from memexlab.ledger.errors import UsageError
from memexlab.memory.effects.noise import (
    Better,
    Noise,
    gain_of,
    minimum_detectable_effect,
    runs_to_settle,
    student_t_quantile,
)

WELL_KNOWN = Noise(sigma=1.0, dof=10**6, groups=9)
FRESH = Noise(sigma=1.0, dof=3, groups=1)
UNKNOWN = Noise.pooled([[1.0, 2.0, 3.0]])
NOISELESS = Noise.pooled([[0.1, 0.1, 0.1, 0.1]])
NOT_NUMBERS = [math.nan, math.inf, -math.inf]
DIRECTIONS: list[Better] = ["lower", "higher"]


def pairs_gaining(*gains: float) -> list[Pair]:
    return [(10 - gain, 10.0) for gain in gains]


# Quantiles


@pytest.mark.parametrize(
    ("tail", "dof", "printed"),
    [
        (0.025, 1, 12.7062),
        (0.05, 2, 2.9200),
        (0.025, 3, 3.1824),
        (0.001, 5, 5.8934),
        (0.05, 10, 1.8125),
        (0.01, 30, 2.4573),
        (0.025, 120, 1.9799),
        (0.025, 10**6, 1.9600),
    ],
)
def test_t_quantiles_are_those_of_printed_tables(tail: float, dof: int, printed: float) -> None:
    assert student_t_quantile(tail, dof) == pytest.approx(printed, abs=6e-5)


@pytest.mark.parametrize("tail", [0.2, 0.05, 0.025, 0.00226])
def test_t_quantile_has_no_step_where_the_expansion_takes_over(tail: float) -> None:
    exact, expanded, next_expanded = (student_t_quantile(tail, dof) for dof in (200, 201, 202))
    assert exact - expanded == pytest.approx(expanded - next_expanded, rel=0.02)


@pytest.mark.parametrize(("tail", "dof"), [(0.0, 3), (0.6, 3), (0.05, 0)])
def test_t_quantile_refuses_what_has_no_answer(tail: float, dof: int) -> None:
    with pytest.raises(ValueError, match="no t quantile"):
        student_t_quantile(tail, dof)


# Noise


def test_one_group_gives_its_standard_deviation() -> None:
    values = [1.31, 1.29, 1.36, 1.30]
    noise = Noise.pooled([values])
    assert (noise.dof, noise.groups) == (3, 1)
    assert noise.sigma == pytest.approx(statistics.stdev(values))


def test_groups_are_pooled_around_their_own_means() -> None:
    noise = Noise.pooled([[0.0, 2.0], [100.0, 104.0, 108.0], [7.0]])
    assert (noise.dof, noise.groups) == (3, 2)
    assert noise.sigma == pytest.approx(math.sqrt((2 + 32) / 3))


def test_values_that_are_not_numbers_are_left_out_of_the_noise() -> None:
    assert Noise.pooled([[1.0, math.nan, 2.0, math.inf], [math.nan, 3.0]]) == Noise.pooled([[1.0, 2.0]])


def test_four_repeats_are_enough_and_three_are_not() -> None:
    assert Noise.pooled([[1.0, 2.0, 3.0, 4.0]]).known
    assert not UNKNOWN.known
    assert math.isnan(Noise.pooled([]).sigma)


def test_equal_values_have_no_noise_at_all() -> None:
    assert Noise.pooled([[0.1] * 7]).sigma == 0.0


def test_nothing_is_judged_while_the_noise_is_unknown() -> None:
    judgements: list[Callable[[], object]] = [
        lambda: screen(1.0, [2.0], UNKNOWN, "lower"),
        lambda: race([(1.0, 2.0)], UNKNOWN, "lower"),
        lambda: provisional(screen(1.0, [2.0], FRESH, "lower"), [(1.0, 2.0)], UNKNOWN, "lower"),
        lambda: minimum_detectable_effect(UNKNOWN, 3),
    ]
    for judgement in judgements:
        with pytest.raises(UsageError, match="measure the baseline four times"):
            judgement()


# Noise within pairs


def test_what_both_sides_of_a_pair_share_is_no_noise_of_their_difference() -> None:
    """Slow minutes move both sides by 10; the differences scatter by 0.1, and single runs by 5."""
    single = Noise(5.0, 6, 1)
    slow = [[(1.0 + load, 1.5 + load + wobble) for load, wobble in ((0, 0.1), (10, -0.1), (5, 0.0))]] * 12
    within = single.within_pairs(slow)
    assert within.sigma == pytest.approx(math.sqrt((6 * 25 + 24 * 0.01 / 2) / 30))
    assert single.within_pairs(slow * 50).sigma < 0.4
    assert race([(1.0, 2.0)] * 3, single.within_pairs(slow * 50), "lower").decision == "confirmed"
    assert race([(1.0, 2.0)] * 3, single, "lower").decision == "inconclusive"


def test_progress_between_races_is_no_scatter_of_differences() -> None:
    races = [[(level + gain, level)] * 3 for level, gain in ((1.0, 0.1), (5.0, 2.0), (9.0, 7.0))]
    assert Noise(1.0, 6, 1).within_pairs(races).sigma == pytest.approx(math.sqrt(6 / 12))


def test_a_few_differences_move_the_noise_a_little_and_are_never_trusted_more_than_they_count() -> None:
    single = Noise(1.0, 60, 4)
    assert single.within_pairs([]) == single
    assert single.within_pairs([[(1.0, 2.0)]] * 9) == single  # one pair says nothing of scatter
    equal = single.within_pairs([[(1.0, 2.0), (1.1, 2.1)]])
    assert equal.sigma == pytest.approx(math.sqrt(6 / 7))
    assert equal.dof == 7
    wide = single.within_pairs([[(0.0, 0.0), (8.0, 0.0)]])  # one wild difference is as little known as it is
    assert wide.sigma == pytest.approx(math.sqrt((6 + 16) / 7))
    assert wide.dof == 3


def test_differences_alone_make_no_noise_known() -> None:
    assert not UNKNOWN.within_pairs([[(1.0, 2.0), (1.0, 2.5)]] * 9).known
    assert NOISELESS.within_pairs([[(1.0, 2.0)] * 3]).sigma == 0.0


# Screen


@pytest.mark.parametrize(
    ("gain", "outcome"),
    [(-1.0, "discard"), (0.5, "discard"), (0.75, "provisional"), (1.0, "provisional"), (1.25, "race")],
)
def test_screen_sorts_by_z(gain: float, outcome: str) -> None:
    """Against the mean of 32 champion runs the standard error is sigma * sqrt(1 + 1/32)."""
    error = 32 * math.sqrt(1 + 1 / 32)
    judged = screen(-gain * error, [-4.0, 4.0] * 16, Noise(32.0, 9, 1), "lower")
    assert (judged.outcome, judged.z, judged.n) == (outcome, gain, 32)
    assert judged.gain == pytest.approx(gain * error)


@pytest.mark.parametrize("better", DIRECTIONS)
@pytest.mark.parametrize("value", NOT_NUMBERS)
def test_what_is_not_a_number_never_wins(value: float, better: Better) -> None:
    assert screen(value, [1.0, 1.1], FRESH, better).outcome == "discard"
    assert race([(value, 1.0)], FRESH, better).decision == "dropped"
    assert race([(100.0 if better == "higher" else -100.0, 1.0), (value, 1.0)], FRESH, better).decision == "dropped"
    assert race([(value, value)], FRESH, better).decision == "dropped"
    screened = screen(100.0 if better == "higher" else -100.0, [1.0], FRESH, better)
    assert not provisional(screened, [(value, 1.0)], FRESH, better)


def test_screen_leaves_out_champion_runs_that_failed_and_needs_one_that_did_not() -> None:
    assert screen(1.0, [4.0, math.nan], FRESH, "lower") == screen(1.0, [4.0], FRESH, "lower")
    with pytest.raises(ValueError, match="at least one finite value"):
        screen(1.0, [math.nan], FRESH, "lower")


# Race


def test_thresholds_have_the_o_brien_fleming_shape_when_the_noise_is_well_known() -> None:
    thresholds = [race_threshold(look, 10**6) for look in (1, 2, 3)]
    assert thresholds == pytest.approx([1.96 * math.sqrt(3), 1.96 * math.sqrt(3 / 2), 1.96], abs=1e-4)


@pytest.mark.parametrize("dof", [3, 10, 1000])
@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_a_confirmed_win_has_its_interval_above_zero(n: int, dof: int) -> None:
    noise = Noise(1.0, dof, 1)
    for gain in [step / 20 for step in range(400)]:
        state = race([(0.0, gain)] * n, noise, "lower")
        assert state.decision != "confirmed" or state.interval[0] > -1e-9


def test_little_known_noise_asks_for_more() -> None:
    for look in (1, 2, 3):
        falling = [race_threshold(look, dof) for dof in (3, 6, 12, 24, 48, 1000)]
        assert falling == sorted(falling, reverse=True)
    assert race_threshold(1, 3) == pytest.approx(14.67, abs=0.01)


@pytest.mark.parametrize(
    ("gains", "decision"),
    [
        ((5.0,), "confirmed"),
        ((3.0,), "continue"),
        ((0.0,), "continue"),
        ((-0.1,), "dropped"),
        ((3.0, 1.9), "confirmed"),
        ((3.0, -3.1), "dropped"),
        ((3.0, 0.5), "continue"),
        ((2.0, 1.5, 1.4), "confirmed"),
        ((2.0, 1.0, 1.1), "inconclusive"),
        ((2.0, 1.0, -3.1), "dropped"),
    ],
)
def test_a_race_of_three_looks(gains: Sequence[float], decision: str) -> None:
    judged = race(pairs_gaining(*gains), WELL_KNOWN, "lower")
    assert judged.decision == decision
    assert judged.n == len(gains)
    assert judged.gain == pytest.approx(statistics.fmean(gains))
    assert pytest.approx(statistics.fmean(gains) / math.sqrt(2 / len(gains))) == judged.T


def test_the_same_pair_convinces_only_when_the_noise_is_known_well_enough() -> None:
    assert race(pairs_gaining(6.0), WELL_KNOWN, "lower").decision == "confirmed"
    assert race(pairs_gaining(6.0), FRESH, "lower").decision == "continue"


def test_a_failed_champion_uses_up_a_look_and_proves_nothing() -> None:
    nothing = (9.0, math.nan)
    assert race([nothing], WELL_KNOWN, "lower").decision == "continue"
    assert race([nothing] * 3, WELL_KNOWN, "lower").decision == "inconclusive"
    with_one, alone = (race(pairs, WELL_KNOWN, "lower") for pairs in ([nothing, (7.5, 10.0)], [(7.5, 10.0)]))
    assert with_one == alone
    assert race([nothing, nothing, (7.5, 10.0)], WELL_KNOWN, "lower").decision == "inconclusive"


def test_pairs_beyond_the_looks_are_one_more_look_and_meet_a_higher_threshold() -> None:
    judged = [race(pairs_gaining(*[gain] * 4), WELL_KNOWN, "lower") for gain in (1.2, 1.4, -0.1)]
    assert [one.decision for one in judged] == ["inconclusive", "confirmed", "dropped"]
    assert judged[0].threshold == pytest.approx(1.96, abs=1e-4)


def test_a_metric_without_noise_is_settled_by_one_pair() -> None:
    assert race(pairs_gaining(0.001), NOISELESS, "lower").decision == "confirmed"
    assert race(pairs_gaining(-0.001), NOISELESS, "lower").decision == "dropped"
    assert race(pairs_gaining(0.0, 0.0, 0.0), NOISELESS, "lower").decision == "inconclusive"
    assert screen(0.0, [0.0], NOISELESS, "lower").outcome == "discard"
    assert screen(-0.001, [0.0], NOISELESS, "lower").outcome == "race"
    assert runs_to_settle(0.001, NOISELESS) == 1


def test_a_race_without_pairs_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one pair"):
        race([], FRESH, "lower")
    with pytest.raises(ValueError, match="0 pairs"):
        minimum_detectable_effect(FRESH, 0)


def test_a_misspelt_direction_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="not 'Lower'"):
        gain_of(1.0, 2.0, "Lower")


def test_the_interval_uses_student_t() -> None:
    judged = race(pairs_gaining(6.0, 6.0), FRESH, "lower")
    assert judged.interval == pytest.approx((6 - 3.1824, 6 + 3.1824), abs=1e-3)


# What an experiment can show


@pytest.mark.parametrize(("n", "sigmas"), [(1, 3.5), (2, 2.5), (3, 2.0), (6, 1.4), (12, 1.0)])
def test_minimum_detectable_effect_with_known_noise(n: int, sigmas: float) -> None:
    assert minimum_detectable_effect(WELL_KNOWN, n) == pytest.approx(sigmas, abs=0.06)


def test_runs_to_settle_follow_the_square_of_the_effect() -> None:
    assert runs_to_settle(1.0, WELL_KNOWN) == 13
    assert runs_to_settle(0.1, WELL_KNOWN) == pytest.approx(12.4 * 100, rel=0.01)
    assert runs_to_settle(100.0, WELL_KNOWN) == 1
    with pytest.raises(ValueError, match="above 0"):
        runs_to_settle(0.0, WELL_KNOWN)


@given(effect=st.floats(0.05, 20), dof=st.integers(3, 300))
def test_that_many_runs_do_show_the_effect_and_one_fewer_do_not(effect: float, dof: int) -> None:
    noise = Noise(1.0, dof, 1)
    runs = runs_to_settle(effect, noise)
    assert minimum_detectable_effect(noise, runs) <= effect * (1 + 1e-9)
    if runs > 1:
        assert minimum_detectable_effect(noise, runs - 1) > effect * (1 - 1e-9)


# The smaller rules


@pytest.mark.parametrize(
    ("screened_gain", "gains", "moves"),
    [
        (1.0, (0.6,), True),
        (1.0, (0.5,), False),
        (0.5, (5.0,), False),
        (3.0, (2.0, -0.4), True),
        (3.0, (2.0, -1.0, 0.4), False),
        (3.0, (), False),
    ],
)
def test_the_working_branch_moves_on_a_fresh_gain(screened_gain: float, gains: Sequence[float], moves: bool) -> None:
    screened = screen(10 - screened_gain, [10.0], Noise(1 / math.sqrt(2), 9, 1), "lower")
    assert provisional(screened, pairs_gaining(*gains), WELL_KNOWN, "lower") is moves


def test_only_gains_beyond_eight_sigma_are_suspicious() -> None:
    assert suspicious(8.1, FRESH)
    assert not suspicious(8.0, FRESH)
    assert not suspicious(-50.0, FRESH)
    assert not suspicious(1.0, NOISELESS)


# Words and numbers


NINE = "the champion, run 9"


def test_a_win_in_words() -> None:
    noise = Noise(0.005, 20, 4)
    judged = race([(1.0, 1.0605), (1.0, 1.0615)], noise, "lower")
    assert in_words(judged, noise, NINE) == (
        "confirmed: 0.061 better (12 sigma) against the champion, run 9, in 2 fresh pairs, 95 % interval 0.051 to 0.071"
    )


def test_a_loss_in_words_says_worse() -> None:
    judged = race(pairs_gaining(-1.5), WELL_KNOWN, "lower")
    assert in_words(judged, WELL_KNOWN, NINE).startswith(
        "dropped: 1.5 worse (1.5 sigma) against the champion, run 9, in 1 fresh pair, 95 % interval -4.3 to 1.3;"
    )


def test_a_near_miss_and_a_discard_say_from_which_gain_on_a_pair_is_measured() -> None:
    noise = Noise(0.05, 12, 3)
    near, weak, worse = (screen(1 - gain, [1.0] * 4, noise, "lower") for gain in (0.041, 0.012, -0.012))
    assert in_words(near, noise, "run 12, the head") == (
        "near miss, not raced: 0.041 better at first look, one run against 4 fresh runs of run 12, the head; a "
        "fresh pair is measured from 0.056 better on"
    )
    assert in_words(weak, noise, NINE).endswith(
        "4 fresh runs of the champion, run 9; a fresh pair is measured from 0.056 better on"
    )
    assert in_words(worse, noise, NINE) == (
        "discarded: 0.012 worse at first look, one run against 4 fresh runs of the champion, run 9"
    )
    assert screen(1 - near.race_from * 1.001, [1.0] * 4, noise, "lower").outcome == "race"


def test_other_sentences() -> None:
    assert in_words(race([(math.nan, 1.0)], FRESH, "lower"), FRESH, NINE) == (
        "dropped: it failed on a seed of the fresh pairs against the champion, run 9"
    )
    assert in_words(race([(1.0, math.nan)], FRESH, "lower"), FRESH, NINE) == (
        "still racing: the other side gave no finite number to compare against the champion, run 9"
    )
    assert in_words(race(pairs_gaining(0.25), NOISELESS, "lower"), NOISELESS, NINE) == (
        "confirmed: 0.25 better against the champion, run 9, in 1 fresh pair; the metric has shown no noise"
    )
    assert in_words(screen(8.0, [10.0, 11.0, 12.0], FRESH, "lower"), FRESH, NINE) == (
        "worth a race: 3.0 better at first look, one run against 3 fresh runs of the champion, run 9"
    )
    assert in_words(screen(11.0, [11.0], FRESH, "lower"), FRESH, NINE) == (
        "discarded: no difference at first look, one run against 1 fresh run of the champion, run 9"
    )
    assert in_words(screen(math.nan, [11.0], FRESH, "lower"), FRESH, NINE) == (
        "discarded: the run gave no finite number to compare against the champion, run 9"
    )


def test_numbers_for_the_record_are_finite() -> None:
    judgements = [
        race(pairs_gaining(1.0), WELL_KNOWN, "lower"),
        race(pairs_gaining(1.0), NOISELESS, "lower"),
        race([(math.nan, 1.0)], FRESH, "lower"),
    ]
    for judged in judgements:
        json.dumps(judged.numbers(), allow_nan=False)
        assert "pairs" in judged.numbers()
    assert set(judgements[0].numbers()) >= {"gain", "low", "high", "mde", "T", "threshold", "standard_error"}


# What must not matter. Multiples of 1/64 and powers of two keep the arithmetic exact, so equality is exact.

values = st.integers(-(2**12), 2**12).map(lambda whole: whole / 64)
races_of_pairs = st.lists(st.tuples(values, values), min_size=1, max_size=4)
repeats = st.lists(st.lists(values, min_size=4, max_size=6), min_size=1, max_size=3)
directions = st.sampled_from(DIRECTIONS)


@given(races_of_pairs, repeats, values, directions)
def test_direction_is_only_a_sign(pairs: list[Pair], groups: list[list[float]], value: float, better: Better) -> None:
    other: Better = "higher" if better == "lower" else "lower"
    negated = [(-mine, -theirs) for mine, theirs in pairs]
    noise, negated_noise = Noise.pooled(groups), Noise.pooled([[-one for one in group] for group in groups])
    assert noise == negated_noise
    assert race(pairs, noise, better) == race(negated, noise, other)
    assert screen(value, groups[0], noise, better) == screen(-value, [-one for one in groups[0]], noise, other)
    assert noise.within_pairs([pairs] * 3) == noise.within_pairs([negated] * 3)


@given(races_of_pairs, repeats, values, directions, st.integers(-(2**16), 2**16))
def test_a_shift_of_the_metric_changes_nothing(
    pairs: list[Pair], groups: list[list[float]], value: float, better: Better, shift: int
) -> None:
    noise = Noise.pooled(groups)
    shifted_groups = [[one + shift for one in group] for group in groups]
    shifted_pairs = [(mine + shift, theirs + shift) for mine, theirs in pairs]
    assert Noise.pooled(shifted_groups) == noise
    assert race(shifted_pairs, noise, better) == race(pairs, noise, better)
    assert screen(value + shift, shifted_groups[0], noise, better) == screen(value, groups[0], noise, better)
    assert noise.within_pairs([shifted_pairs] * 3) == noise.within_pairs([pairs] * 3)


@given(races_of_pairs, repeats, values, directions, st.integers(-20, 20))
def test_the_unit_of_the_metric_changes_no_decision(
    pairs: list[Pair], groups: list[list[float]], value: float, better: Better, exponent: int
) -> None:
    scale = 2.0**exponent
    noise, scaled_noise = Noise.pooled(groups), Noise.pooled([[one * scale for one in group] for group in groups])
    assert scaled_noise.sigma == noise.sigma * scale
    judged = race(pairs, noise, better)
    scaled = race([(mine * scale, theirs * scale) for mine, theirs in pairs], scaled_noise, better)
    assert (scaled.decision, scaled.T, scaled.threshold) == (judged.decision, judged.T, judged.threshold)
    assert (scaled.gain, scaled.mde) == (judged.gain * scale, judged.mde * scale)
    screened = screen(value, groups[0], noise, better)
    assert screen(value * scale, [one * scale for one in groups[0]], scaled_noise, better).z == screened.z
    assert suspicious(judged.gain, noise) == suspicious(scaled.gain, scaled_noise)


@given(races_of_pairs, repeats, directions, st.data())
def test_a_better_candidate_never_does_worse(
    pairs: list[Pair], groups: list[list[float]], better: Better, data: st.DataObject
) -> None:
    rank = {"dropped": 0, "continue": 1, "inconclusive": 1, "confirmed": 2}
    noise = Noise.pooled(groups)
    extra = data.draw(values.map(abs))
    improved = [(mine - extra if better == "lower" else mine + extra, theirs) for mine, theirs in pairs]
    before, after = race(pairs, noise, better), race(improved, noise, better)
    assert rank[after.decision] >= rank[before.decision]


@given(races_of_pairs, directions, st.permutations(range(4)))
def test_the_order_of_pairs_does_not_matter(pairs: list[Pair], better: Better, order: list[int]) -> None:
    shuffled = [pairs[place] for place in order if place < len(pairs)]
    assert race(shuffled, FRESH, better) == race(pairs, FRESH, better)
