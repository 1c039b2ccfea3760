"""Races between two runs of a lab: which of them is judged, against what, and what that does to champion and head."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from memexlab.lab.evidence.board import Board, Standing
from memexlab.lab.evidence.briefing import briefing
from memexlab.lab.evidence.packets import land_packets, packets_for
from memexlab.lab.loop.judge import Judge
from memexlab.lab.report.renderers import build_report
from memexlab.ledger import Entry, UsageError, Verdict
from memexlab.memory.effects.noise import Noise, noise_floor
from memexlab.memory.questions.answers import ask
from memexlab.memory.registry import registry, reigns_known

from .planted_lab import BY, PlantedLab, number_of

CLEAR = ((0.97, 1.0), (0.972, 1.001), (0.968, 0.999))
WORSE = ((1.03, 1.0), (1.028, 1.001), (1.032, 0.999))
EVEN = ((1.0, 0.998), (0.997, 1.0), (1.0, 1.0))


class Table:
    """A planted lab, with the board and the judge of its loop."""

    def __init__(self, folder: Path) -> None:
        self.lab = PlantedLab(folder)
        self.board = Board(self.lab.memory, "toy", "lower")
        self.judge = Judge(self.board, self.lab.memory, BY)

    def at(self, entry: Entry) -> Standing:
        found = self.board.numbered(number_of(entry))
        assert found is not None
        return found

    def race(self, one: Entry, other: Entry, *values: tuple[float, float]) -> Verdict | None:
        candidate, against = self.judge.sides(self.at(one), self.at(other))
        first, second = (one, other) if candidate.number == number_of(one) else (other, one)
        self.lab.pairs(first, second, *values)
        return self.judge.settle(candidate, against)

    @property
    def champion(self) -> int | None:
        return self.lab.champion()

    @property
    def head(self) -> int:
        found = self.board.head()
        assert found is not None
        return found.number


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path)


def test_a_near_miss_that_wins_its_race_becomes_champion(table: Table) -> None:
    lab = table.lab
    near = lab.run(0.994, lab.base[0], settings={"LR": 0.2})
    lab.verdict(near, "inconclusive", lab.base[0], screen_gain=0.006)
    verdict = table.race(near, lab.base[0], *CLEAR)
    assert verdict is not None
    assert verdict.reason.startswith("confirmed: 0.0300 better (13 sigma)")
    assert "against the champion, run 1, in 3 fresh pairs" in verdict.reason
    assert (verdict.numbers["pairs"], table.champion, table.head) == (3, number_of(near), number_of(near))
    land_packets(lab.memory, "toy", BY)
    [packet] = packets_for(lab.memory.db, "toy", [number_of(near)])
    assert (packet.action, packet.gain) == ("promote", pytest.approx(0.03))
    assert "over run 1, champion then, in 3 fresh pairs" in packet.rationale


def test_all_fresh_pairs_of_two_runs_count_and_those_of_others_do_not(table: Table) -> None:
    lab = table.lab
    near = lab.run(0.994, lab.base[0], settings={"LR": 0.2})
    lab.pairs(near, lab.base[0], *EVEN)
    other = lab.run(0.9, lab.base[0], settings={"WIDTH": 64})
    lab.pairs(other, near, (0.9, 1.0))
    lab.verdict(near, "inconclusive", lab.base[0], gain=0.0005)
    assert len(table.board.pairs(table.at(near), table.at(lab.base[0]))) == 3
    assert table.board.pairs(table.at(near), table.at(other)) == [(1.0, 0.9)]
    verdict = table.race(near, lab.base[0], (0.999, 1.0))
    assert verdict is not None
    assert (verdict.numbers["pairs"], verdict.decision) == (4, "inconclusive")


def test_too_few_pairs_land_no_verdict_and_wait_for_more(table: Table) -> None:
    lab = table.lab
    near = lab.run(0.994, lab.base[0], settings={"LR": 0.2})
    lab.verdict(near, "inconclusive", lab.base[0], screen_gain=0.006)
    assert table.race(near, lab.base[0], (0.994, 1.0)) is None
    assert table.champion == 1
    assert table.race(near, lab.base[0], *CLEAR[1:], CLEAR[0]) is not None


def test_what_ran_out_of_time_as_often_as_it_won_has_not_won(table: Table) -> None:
    """Only its quick runs were measured, so their mean flatters it."""
    lab, base = table.lab, table.lab.base[0]
    leap = lab.run(0.9, base, settings={"LR": 0.2})
    for value in (None, 0.9, 0.9):
        pair = lab.number
        side = {"role": "pair", "seed": 10_000 + pair}
        lab.run(value, leap, leap, commit=leap.body.commit, **side, **({"status": "timeout"} if value is None else {}))
        lab.run(1.0, base, leap, commit=base.body.commit, **side)
        candidate, champion = table.at(leap), table.at(base)
        verdict = table.judge.land(candidate, champion)
        if value is None:
            late = lab.number - 1
            assert verdict.decision == "inconclusive"
            assert verdict.reason == (
                f"too few of its fresh pairs were measured to the end; on 1 other seed it ran out of time (#{late})"
            )
            assert table.judge.next_pair(candidate, champion) == 2
        elif pair == late + 1:
            assert verdict.decision == "inconclusive"  # one of two
            assert table.judge.next_pair(candidate, champion) == 3
    assert verdict.decision == "confirmed"
    assert verdict.reason.endswith(f"; on 1 other seed it ran out of time (#{late})")


def test_what_was_raced_is_told_as_a_race_whatever_its_first_look_says_by_now(table: Table) -> None:
    lab = table.lab
    near = lab.run(0.9965, lab.base[0], settings={"LR": 0.2})
    assert "near miss, not raced" in table.judge.land(table.at(near), table.at(lab.base[0])).reason
    lab.pairs(near, lab.base[0], (0.996, 1.0))
    assert table.judge.next_pair(table.at(near), table.at(lab.base[0])) == 2
    verdict = table.race(near, lab.base[0], (0.996, 1.0), (0.998, 1.0))
    assert "in 3 fresh pairs" in table.judge.land(table.at(near), table.at(lab.base[0])).reason
    assert verdict is not None


def test_a_win_that_is_not_seen_again_is_taken_back(table: Table) -> None:
    lab = table.lab
    first = lab.win(lab.base[0])
    second = lab.win(first, settings={"LR": 0.2})
    assert (table.champion, table.head) == (number_of(second), number_of(second))
    assert table.race(second, lab.base[0], WORSE[0]) is None  # one pair takes no win back
    verdict = table.race(second, lab.base[0], *WORSE[1:])
    assert verdict is not None
    assert verdict.decision == "dropped"
    assert "against run 1, the baseline" in verdict.reason
    assert (table.champion, table.head) == (number_of(first), number_of(first))


def test_the_champion_is_judged_by_what_it_beat_and_challengers_by_the_champion(table: Table) -> None:
    lab = table.lab
    first = lab.win(lab.base[0])
    second = lab.win(first, settings={"LR": 0.2})
    aside = lab.run(0.99, lab.base[0], settings={"WIDTH": 64})
    sides = [
        table.judge.sides(table.at(one), table.at(other))
        for one, other in ((second, first), (first, second), (second, aside), (aside, second), (aside, first))
    ]
    numbers = [(number_of(one), number_of(other)) for one, other in ((second, first), (aside, second), (aside, first))]
    assert [(one.number, other.number) for one, other in sides] == [numbers[i] for i in (0, 0, 1, 1, 2)]
    with pytest.raises(UsageError, match="neither"):
        table.judge.sides(table.at(lab.base[0]), table.at(lab.base[1]))


def test_only_a_race_against_the_champion_makes_a_win(table: Table) -> None:
    lab = table.lab
    first = lab.win(lab.base[0])
    second = lab.win(first, settings={"LR": 0.2})
    aside = lab.run(0.99, lab.base[0], settings={"WIDTH": 64})
    lab.verdict(aside, "discard", first, screen_gain=-0.02)
    verdict = table.race(aside, first, *CLEAR)
    assert verdict is not None
    assert verdict.decision == "inconclusive"
    assert verdict.reason.endswith(f"only a race against the champion, run {number_of(second)}, makes it a win")
    assert (table.champion, table.head) == (number_of(second), number_of(second))


def test_an_older_run_that_beats_a_younger_champion_reigns_from_now_on(table: Table) -> None:
    lab = table.lab
    older = lab.run(0.99, lab.base[0], settings={"WIDTH": 64})
    lab.verdict(older, "inconclusive", lab.base[0], screen_gain=0.006)
    younger = lab.win(lab.base[0], settings={"LR": 0.2})
    verdict = table.race(older, younger, *CLEAR)
    assert verdict is not None
    assert (verdict.decision, verdict.numbers["since"]) == ("confirmed", lab.number)
    assert (table.champion, table.head) == (number_of(older), number_of(older))
    reigns = lab.memory.db.execute(
        "SELECT r.number, since, until FROM champions JOIN runs r USING (run) ORDER BY since"
    ).fetchall()
    since = lab.number
    assert reigns == [(1, 1, number_of(younger)), (number_of(younger), number_of(younger), since),
                      (number_of(older), since, None)]  # fmt: skip
    shown = registry(lab.memory.db, "toy")
    assert shown.champion is not None
    assert shown.champion.number == number_of(older)
    known = reigns_known(lab.memory.db, "toy", "9999")
    assert [(one.since, one.until) for one in known] == [row[1:] for row in reigns]
    table.race(younger, lab.base[0], *CLEAR)  # an older win that is seen again does not take the crown back
    assert (table.champion, table.head) == (number_of(older), number_of(older))
    table.race(older, younger, *CLEAR)  # nor does seeing the newest again lose its place
    assert table.champion == number_of(older)


# --- like with like


def test_a_run_alone_is_compared_with_runs_alone_where_there_are_some(table: Table) -> None:
    lab = table.lab
    alone = [lab.run(v, lab.base[0], role="pair", commit="c0ffee00", meta={"at_once": 1}) for v in (0.95, 0.951)]
    for value in (1.0, 1.001):
        lab.run(value, lab.base[0], role="pair", commit="c0ffee00", meta={"at_once": 2})
    idea = lab.run(0.96, lab.base[0], settings={"LR": 0.2}, meta={"at_once": 1})
    verdict = table.judge.land(table.at(idea), table.at(lab.base[0]))
    assert len(alone) == 2
    assert verdict.decision == "discard"
    assert "one run against 2 fresh runs of" in verdict.reason
    assert "alone" not in verdict.reason


def test_where_there_are_none_the_verdict_says_so(table: Table) -> None:
    lab = table.lab
    for value in (1.0, 1.001):
        lab.run(value, lab.base[0], role="pair", commit="c0ffee00", meta={"at_once": 2})
    idea = lab.run(0.999, lab.base[0], settings={"LR": 0.2}, meta={"at_once": 1})
    verdict = table.judge.land(table.at(idea), table.at(lab.base[0]))
    assert verdict.reason.endswith("it ran alone, they side by side, which may flatter it")


def test_verdict_brief_report_answer_and_effects_show_one_noise(table: Table) -> None:
    """Seeds move both sides alike: pairs scatter much less than single runs do."""
    lab, db = table.lab, table.lab.memory.db
    near = lab.run(0.994, lab.base[0], settings={"LR": 0.2}, description="LR 0.1 to 0.2")
    slow_minutes = ((0.85, 1.0), (0.951, 1.1), (0.75, 0.9005), (0.8495, 1.0), (0.88, 1.0301))
    verdict = table.race(near, lab.base[0], *slow_minutes)
    noise = noise_floor(db, "toy")
    assert verdict is not None
    assert noise.alone.sigma > noise.sigma
    assert verdict.numbers["sigma"] == table.board.noise().sigma == noise.sigma
    assert f"({0.15 / noise.sigma:.1f} sigma)" in verdict.reason
    told = f"sigma {noise.sigma:.2g} of one side of a pair ({noise.dof} degrees of freedom)"
    told += f"; single runs scatter by {noise.alone.sigma:.2g}"
    answer = ask(db, "toy", "how noisy is the metric")
    section = build_report(db, now=datetime.now(UTC)).sections[0]
    for text in (briefing(db, "toy", 1500).text, section.noise, answer.text):
        assert told in text
    assert answer.value == noise.sigma
    assert ask(db, "toy", "how noisy is the metric", 4).value == Noise.pooled([[1.0, 1.005, 0.995, 1.0]]).sigma
    assert section.standing is not None
    assert section.standing.gain == ask(db, "toy", "how much better is the champion than the baseline").value
    size = f"{section.amounts.fine(section.standing.gain)} better than the baseline #1 (confirmed, "
    assert f"{size}{section.standing.sigmas:.1f} sigma)" in briefing(db, "toy", 1500).text
    assert section.standing.sigmas == pytest.approx(section.standing.gain / noise.sigma)
    [[low, sigma]] = db.execute("SELECT low, sigma FROM effects").fetchall()
    assert sigma == noise.sigma
    assert low == pytest.approx(verdict.numbers["low"])  # the same pairs, the same noise, the same interval


def test_what_shared_no_seed_is_judged_by_the_scatter_of_single_runs(table: Table) -> None:
    lab, db = table.lab, table.lab.memory.db
    near = lab.run(0.994, lab.base[0], settings={"LR": 0.2})
    table.race(near, lab.base[0], (0.97, 1.0), (1.071, 1.1), (0.87, 0.9005), (0.9695, 1.0), (1.0, 1.0301))
    lab.run(0.94, lab.base[0], settings={"WIDTH": 64})
    noise = noise_floor(db, "toy")
    [[basis, error]] = db.execute("SELECT basis, standard_error FROM measurements WHERE knob = 'WIDTH'").fetchall()
    assert (basis, error) == ("one run", pytest.approx(noise.alone.sigma * (1 + 1 / 9) ** 0.5))
