"""A run that is far behind on its way is cut short, and that is neither a win, nor a loss, nor a failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from memexlab.commands.run import Options, prepared_night
from memexlab.lab.execution.curves import Curve, Pace, curve_in, value_at
from memexlab.lab.loop.night import Limits
from memexlab.lab.report.renderers import build_report
from memexlab.ledger import utc_now
from memexlab.memory import Memory

from .test_planning import Scripted
from .toy import make_toy


def falling(offset: float = 0.0, points: int = 10) -> Curve:
    return [(i / 10, 5 - 0.3 * i + offset) for i in range(1, points + 1)]


REPEATS = [falling(0.01), falling(-0.01), falling(0.02), falling(-0.02)]
PACE = Pace(REPEATS, REPEATS, [REPEATS], "lower", 4.0)


def test_progress_is_read_from_plain_lines_alone() -> None:
    log = "progress 0.5 2\nprogress 0.25 3.5e0\n progress 0.6 1\nprogress nan 1\nprogress 0.7 nan\n"
    log += "progress 1.5 1\nprogress .9 -1"
    assert curve_in(log) == [(0.25, 3.5), (0.5, 2.0), (0.9, -1.0)]


def test_between_two_points_a_curve_is_a_line_and_outside_it_is_nothing() -> None:
    curve = [(0.2, 4.0), (0.4, 2.0)]
    assert [value_at(curve, share) for share in (0.1, 0.2, 0.3, 0.4, 0.5)] == [
        None, pytest.approx(4), pytest.approx(3), pytest.approx(2), None,
    ]  # fmt: skip
    assert value_at([], 0.5) is None


def test_who_is_far_behind_at_two_points_in_a_row_is_cut_short_and_the_reason_has_the_numbers() -> None:
    told = PACE.behind(falling(1.0, points=4))
    assert told.startswith("cut short at 40% of its budget: it stood at 4.8, the champion there at 3.8 and half of")


@pytest.mark.parametrize(
    "curve",
    [
        falling(1.0, points=3)[:3][-1:],  # one point
        falling(1.0, points=2),  # too early
        [*falling(0.0, points=5), (0.6, 9.0)],  # one unlucky batch
        falling(0.05),  # within the margin
        falling(-1.0),  # ahead
    ],
)
def test_who_is_not_surely_behind_runs_on(curve: Curve) -> None:
    assert PACE.behind(curve) == ""


def test_whoever_is_ahead_of_the_champion_or_of_half_of_the_others_runs_on() -> None:
    worse = [falling(2.0 + 0.01 * i) for i in range(9)]
    assert Pace(REPEATS, [*REPEATS, *worse], [REPEATS], "lower", 4.0).behind(falling(1.0)) == ""
    assert Pace(worse, [*REPEATS, *REPEATS], [REPEATS], "lower", 4.0).behind(falling(1.0)) == ""


def test_where_too_little_is_known_nothing_is_cut() -> None:
    assert Pace([], REPEATS, [REPEATS], "lower", 4.0).behind(falling(9.0)) == ""
    assert Pace(REPEATS, REPEATS[:3], [REPEATS], "lower", 4.0).behind(falling(9.0)) == ""
    assert Pace(REPEATS, REPEATS, [REPEATS[:2]], "lower", 4.0).behind(falling(9.0)) == ""


def test_higher_may_be_better() -> None:
    rising = [[(x, -y) for x, y in curve] for curve in REPEATS]
    pace = Pace(rising, rising, [rising], "higher", 4.0)
    assert pace.behind([(x, -y) for x, y in falling(1.0)])
    assert pace.behind([(x, -y) for x, y in falling(-1.0)]) == ""


#: What is behind goes on, half-way, until it is cut short, where that is asked for.
PRINTS = """
for i in range(1, 11):
    behind = 3 if WIDTH == 16 else 0
    print(f"progress {{i / 10}} {{5 - 0.3 * i + behind + rng.gauss(0, 0.01)}}", flush=True)
    time.sleep({held} if WIDTH == 16 and i == 5 else 0.01)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("early_kill", "status"), [(5.0, "inconclusive"), (None, "discard")])
def test_a_night_cuts_a_lost_run_short_only_where_it_is_asked_to(
    tmp_path: Path, early_kill: float | None, status: str
) -> None:
    root = make_toy(tmp_path / "lab", extra=PRINTS.format(held=600 if early_kill else 0.01), kill_after=500)
    memory = Memory(root / ".memex")
    try:
        options = Options(streams=1, early_kill=early_kill)
        with prepared_night(root, memory, lambda event: None, options) as night:
            night.planner.proposer = Scripted({"WIDTH": 16}, {"MOMENTUM": 0.8})
            night.run(Limits(runs=2))
        found = memory.db.execute(
            "SELECT status, verdict, value IS NULL, seconds < 500, error FROM runs WHERE role = 'candidate'"
            " ORDER BY number"
        ).fetchall()
        section = build_report(memory.db, now=utc_now()).sections[0]
    finally:
        memory.close()
    assert found[0][0] == status
    assert found[1][2] == 0  # what is not behind is measured
    if early_kill:
        assert found[0][1:4] == ("", 1, 1)
        assert found[0][4].startswith("cut short at ")
        assert section.failures == ()
        assert "1 cut short" in section.counts
        assert not any("run 5" in item.title for item in section.queue)
