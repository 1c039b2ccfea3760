"""One idea has one gain, and one champion one value, on every page; what means something else says what it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markupsafe import Markup
from starlette.testclient import TestClient

from memexlab.commands.effects import effects_of
from memexlab.lab.evidence.lessons import lessons
from memexlab.lab.evidence.logbook import read_logbook
from memexlab.lab.evidence.packets import packets_for
from memexlab.lab.evidence.sentences import counts_sentence, headline, pace_told, standing_of
from memexlab.lab.report.summary import build_report
from memexlab.lab.wording import Amounts
from memexlab.ledger import Entry, utc_now
from memexlab.memory.questions.answers import ask
from memexlab.web.app import application

from .planted_lab import SIGMA, PlantedLab, number_of

PAGES = {"authorization": "Bearer a-token"}


def text_of(lab: PlantedLab, path: str) -> str:
    with TestClient(application(lab.memory.folder.parent, "a-token"), base_url="http://127.0.0.1:8765") as browser:
        shown = browser.get(path, headers=PAGES).text
    return " ".join(Markup(re.sub("<[^>]+>", " ", shown)).unescape().split())


@pytest.fixture
def night(tmp_path: Path) -> tuple[PlantedLab, Entry, Entry, Entry]:
    """A near miss that was screened against its like, a stack of two knobs that won, a lucky run that lost its pair."""
    lab = PlantedLab(tmp_path / "lab" / ".memex")
    (tmp_path / "lab" / "memex.toml").write_text("")
    base = lab.base[0]
    near = lab.run(0.96, base, settings={"LR": 0.2})
    lab.verdict(near, "inconclusive", base, screen_gain=0.004, z=0.7)
    lab.verdict(lab.run(1.0, base, settings={"WIDTH": 64}), "discard", base, screen_gain=0.0, z=0.0)
    stack = lab.run(0.97, base, settings={"LR": 0.2, "WIDTH": 64})
    pairs = lab.pairs(stack, base, (0.93, 0.96), (0.94, 0.99))
    lab.verdict(stack, "confirmed", base, pairs, gain=0.04, low=0.03, high=0.05)
    lucky = lab.run(0.90, stack, settings={"WIDTH": 128})
    lost = lab.pairs(lucky, stack, (0.97, 0.94))
    lab.verdict(lucky, "dropped", stack, lost, gain=-0.03, low=-0.05, high=-0.01)
    return lab, near, stack, lucky


def test_a_near_miss_has_the_gain_of_its_judge_in_effects_report_packet_and_page(
    night: tuple[PlantedLab, Entry, Entry, Entry],
) -> None:
    lab, near, _, _ = night
    n = number_of(near)
    [effect] = [row for row in effects_of(lab.memory, "toy").rows if row["runs"] == [n]]
    [row] = [row for row in build_report(lab.memory.db, now=utc_now()).sections[0].verdicts if row.number == n]
    [packet] = packets_for(lab.memory.db, "toy", [n])
    assert effect["gain"] == row.gain == packet.gain == pytest.approx(0.004)
    assert row.sigmas == pytest.approx(0.004 / effect["sigma"])
    assert row.seen == "one run"
    assert "By all that is known now: +0.004 nats over run 1 in one run" in text_of(lab, f"/runs/{n}")


def test_a_race_that_was_given_up_counts_with_the_pairs_it_has(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    idea = lab.run(0.99, lab.base[0], settings={"LR": 0.2})
    lab.verdict(idea, "inconclusive", lab.base[0], screen_gain=0.01)
    lab.pairs(idea, lab.base[0], (0.95, 0.97))
    found = read_logbook(lab.memory.db, "toy").judged
    [judged] = found.values()
    assert (judged.gain, judged.seen) == (pytest.approx(0.02), "1 fresh pair")
    assert effects_of(lab.memory, "toy").rows[0]["gain"] == judged.gain


def test_the_numbers_of_the_headline_agree_with_each_other(night: tuple[PlantedLab, Entry, Entry, Entry]) -> None:
    lab, _, _, _ = night
    book = read_logbook(lab.memory.db, "toy")
    standing = standing_of(book)
    assert standing is not None
    assert standing.paired == (pytest.approx(0.935), pytest.approx(0.975))
    assert standing.paired[1] - standing.paired[0] == pytest.approx(standing.gain)
    assert standing.champion_value == pytest.approx((0.93 + 0.94 + 0.94) / 3)
    told = headline(book, standing, Amounts.of("nats", book.scale))
    assert "0.040 better than the baseline" in told
    assert re.search(r"confirmed by 2 fresh pairs \(0\.935 against 0\.975 in these\)", told)


def test_a_stack_that_won_stands_in_effects_and_in_what_was_learned(
    night: tuple[PlantedLab, Entry, Entry, Entry],
) -> None:
    lab, _, stack, _ = night
    table = effects_of(lab.memory, "toy")
    [row] = [row for row in table.rows if row["runs"] == [number_of(stack)] and "+" in row["knob"]]
    assert (row["knob"], row["status"], row["gain"]) == ("LR + WIDTH", "replicated", pytest.approx(0.04))
    assert "LR + WIDTH 0.1 + 32 → 0.2 + 64: replicated, +0.040 (+0.008 to +0.072) nats" in str(table)
    book = read_logbook(lab.memory.db, "toy")
    first = lessons(lab.memory.db, book, Amounts.of("nats", book.scale))[0]
    assert (first.outcome, first.runs) == ("helped", (number_of(stack),))
    assert "1 held up when it was measured again" in text_of(lab, "/effects")


def test_no_page_crowns_a_run_that_lost_its_fresh_pair(night: tuple[PlantedLab, Entry, Entry, Entry]) -> None:
    lab, _, stack, lucky = night
    n, lost = number_of(stack), number_of(lucky)
    told = text_of(lab, f"/runs/compare?runs={n}+{lost}+1")
    assert re.search(r"0\.9366\d* best of these mean of 3 fresh runs; its own gave 0\.97", told)
    assert f"0.97 mean of 1 fresh run; its own gave 0.9 0.03 worse than #{n}, 1 fresh pair" in told
    assert "one run; 0.970 in 1 fresh" in text_of(lab, "/runs") or "one run; 0.97 in 1 fresh" in text_of(lab, "/runs")
    answer = ask(lab.memory.db, "toy", "what is the best WIDTH?")
    assert answer.value == 64.0
    assert "its 3 fresh runs gave 0.936667 in the mean" in answer.text


def test_a_side_of_a_pair_is_compared_with_no_later_champion_and_a_retraction_says_who_reigns(
    night: tuple[PlantedLab, Entry, Entry, Entry],
) -> None:
    lab, near, stack, lucky = night
    side = number_of(stack) + 2
    assert "the champion then" not in text_of(lab, f"/runs/{side}").replace("Dashed: the champion then", "")
    told = text_of(lab, f"/runs/{number_of(stack)}")
    assert f"1 run made from it would be in doubt (#{number_of(lucky)})." in told
    assert "It is the champion: run 1 would be that again." in told
    assert "Nothing rests on it." in text_of(lab, f"/runs/{number_of(near)}")


def test_what_was_refused_or_runs_is_not_tried_and_nothing_is_beaten_before_an_idea_ended(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    lab.run(None, lab.base[0], status="blocked", error="rejected by human:ada: too risky")
    lab.run(None, lab.base[0], status="started", settings={"LR": 0.2})
    book = read_logbook(lab.memory.db, "toy")
    amounts = Amounts.of("nats", book.scale)
    assert headline(book, None, amounts).endswith("The first idea is being measured.")
    assert counts_sentence(book, book.runs, False).startswith("0 ideas tried")
    assert counts_sentence(book, book.runs, False).endswith("1 turned down by the owner, 1 not ended yet.")


@pytest.mark.parametrize(("paces", "is_told"), [((10, 20, 11, 21), True), ((20, 20, 21, 21), False)])
def test_repeats_that_the_machine_made_faster_are_told(tmp_path: Path, paces: tuple[int, ...], is_told: bool) -> None:
    lab = PlantedLab(tmp_path, baselines=0)
    for value, pace in zip((1.02, 1.0, 1.02, 1.0), paces, strict=True):
        run = lab.run(value, role="baseline", commit="c0ffee00")
        position = lab.memory.db.execute("SELECT run FROM runs WHERE id = ?", (run.id,)).fetchone()[0]
        rows = [(position, "steps", 20.0 * pace), (position, "training_seconds", 20.0)]
        lab.memory.db.executemany("INSERT INTO metrics(run, name, value) VALUES (?, ?, ?)", rows)
    book = read_logbook(lab.memory.db, "toy")
    told = pace_told(lab.memory.db, book, Amounts.of("nats", SIGMA))
    assert [text[:100] for text in told] == (
        ["The machine changed its speed: the baseline's code made 10 steps a second in run 1 and 21 in run 4, "[:100]]
        if is_told else []
    )  # fmt: skip
