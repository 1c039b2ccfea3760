"""Retraction: what falls, what stands, what is in doubt and why, and that taking it back restores all of it."""

from __future__ import annotations

import random
from dataclasses import asdict
from pathlib import Path

import pytest

from memexlab.commands.decisions import retraction
from memexlab.ledger import Claim, Draft, Entry, FileLedger, Ref, Refused, UsageError, Verdict
from memexlab.memory import Index
from memexlab.memory.doubts import Doubt, doubts
from memexlab.memory.retraction import barred, reinstate, retract

from .planted_lab import BY, PlantedLab, number_of
from .test_views import causal_shuffle, hash_of

WHY = "the evaluator read the training split"
VIEWS = ("runs", "champions", "doubted", "measurements", "effects")


def views(lab: PlantedLab) -> list[list[tuple[object, ...]]]:
    return [sorted(lab.memory.db.execute(f"SELECT * FROM {table}").fetchall(), key=repr) for table in VIEWS]


def in_doubt(lab: PlantedLab, kind: str = "run") -> dict[int, Doubt]:
    return {doubt.run: doubt for doubt in doubts(lab.memory.db, "toy") if doubt.kind == kind}


def entries_of(lab: PlantedLab) -> list[Entry]:
    found = [lab.memory.index.entry(seq) for (seq,) in lab.memory.db.execute("SELECT seq FROM entries ORDER BY seq")]
    return [entry for entry in found if entry is not None]


def test_the_champion_falls_back_to_the_last_that_does_not_rest_on_the_retracted_run(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    first = lab.win(lab.base[0])
    second = lab.win(first)
    third = lab.win(second)
    assert lab.champion() == number_of(third)
    retract(lab.memory, "toy", number_of(second), WHY, BY)
    assert lab.champion() == number_of(first)
    retract(lab.memory, "toy", number_of(first), WHY, BY)
    assert lab.champion() == 1


def test_a_descendant_reigns_once_it_is_confirmed_against_something_that_stands(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    wrong = lab.win(lab.base[0])
    descendant = lab.win(wrong)
    heir = lab.win(descendant)
    retract(lab.memory, "toy", number_of(wrong), WHY, BY)
    assert lab.champion() == 1
    pairs = lab.pairs(descendant, lab.base[0], (0.97, 1.0), (0.97, 1.0))
    lab.verdict(descendant, "confirmed", lab.base[0], pairs, gain=0.03)
    assert lab.champion() == number_of(heir)  # what was confirmed against it stands again, too


def test_who_was_confirmed_against_a_retracted_run_alone_may_not_reign(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    wrong = lab.win(lab.base[0])
    rival = lab.win(lab.base[0], against=wrong)
    assert lab.champion() == number_of(rival)
    retract(lab.memory, "toy", number_of(wrong), WHY, BY)
    assert lab.champion() == 1
    doubt = in_doubt(lab)[number_of(rival)]
    assert (doubt.retracted, doubt.steps) == (number_of(wrong), 1)
    assert doubt.path == f"judged against run {number_of(wrong)}"


def test_two_that_vouch_for_one_another_do_not_stand_on_that_alone() -> None:
    wrong, one, two, apart = 1, 2, 3, 4
    runs = [
        (wrong, None, "retract", None), (one, wrong, "confirmed", two), (two, one, "confirmed", one),
        (apart, None, "confirmed", None),
    ]  # fmt: skip
    assert barred(runs) == {wrong, one, two}
    assert barred(runs[1:]) == set()


def test_a_log_without_parents_loses_the_retracted_run_and_nothing_else(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path, origin="import", baselines=0)
    kept = [lab.run(value, status="keep") for value in (1.0, 0.9, 0.8)]
    retract(lab.memory, "toy", 2, WHY, BY)
    assert lab.champion() == 3
    assert in_doubt(lab) == {}
    lab.run(0.7, kept[1], status="keep")  # one that names the retracted run as its parent may not reign
    assert lab.champion() == 3
    lab.run(0.75, kept[2], status="keep")
    assert lab.champion() == 5


def test_doubt_goes_down_the_lineage_and_one_step_aside(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    wrong = lab.win(lab.base[0])
    child = lab.run(0.99, wrong)
    lab.verdict(child, "discard", wrong, screen_gain=-0.02)
    grandchild = lab.run(0.98, child)
    aside = lab.run(1.01, lab.base[0])
    judged = lab.verdict(aside, "discard", wrong, screen_gain=-0.04)
    beyond = lab.run(1.02, aside)
    claim = Draft(
        "run:toy/x", Claim("it helps", "calls_for", "promote"), (Ref("tests", aside.id), Ref("from", judged.id))
    )
    lab.memory.land([claim], BY)
    before = in_doubt(lab)
    retract(lab.memory, "toy", number_of(wrong), WHY, BY)
    found = in_doubt(lab)
    n = number_of(wrong)
    assert before == {}
    assert found[number_of(child)].path == f"derived from run {n}"
    assert found[number_of(grandchild)].path == f"derived from run {number_of(child)}, derived from run {n}"
    assert found[number_of(grandchild)].steps == 2
    assert found[number_of(aside)].path == f"judged against run {n}"
    assert number_of(beyond) not in found
    assert 1 not in found
    assert set(in_doubt(lab, "verdict")) == {number_of(child), number_of(aside)}
    assert in_doubt(lab, "claim")[number_of(aside)].path == f"cites run {number_of(aside)}, compares with run {n}"


def test_fresh_pairs_of_a_retracted_champion_are_in_doubt_on_both_sides(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    wrong = lab.win(lab.base[0])
    rival = lab.run(0.96, lab.base[0])
    ours, theirs = map(number_of, lab.pairs(rival, wrong, (0.96, 0.97)))
    retract(lab.memory, "toy", number_of(wrong), WHY, BY)
    found = in_doubt(lab)
    assert found[theirs].path == f"a fresh run of run {number_of(wrong)}"
    assert found[ours].path == f"measured side by side with a run of run {number_of(wrong)}"


def test_a_long_path_is_told_in_a_few_links_and_ends_at_the_retracted_run(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    run = wrong = lab.win(lab.base[0])
    for _ in range(9):
        run = lab.run(0.97, run)
    retract(lab.memory, "toy", number_of(wrong), WHY, BY)
    doubt = in_doubt(lab)[number_of(run)]
    assert doubt.steps == 9
    assert doubt.path.count("derived") == 4
    assert doubt.path.endswith(f", and so on, derived from run {number_of(wrong)}")


@pytest.mark.parametrize("times", [1, 2, 3])
def test_reinstating_restores_exactly_what_was_before(tmp_path: Path, times: int) -> None:
    lab = PlantedLab(tmp_path)
    wrong = lab.win(lab.base[0])
    lab.win(wrong)
    before = views(lab)
    for _ in range(times):
        retract(lab.memory, "toy", number_of(wrong), WHY, BY)
        assert views(lab) != before
        reinstate(lab.memory, "toy", number_of(wrong), "it did not", BY)
        assert views(lab) == before
    lab.memory.index.rebuild()
    assert views(lab) == before


def test_a_run_that_nobody_judged_comes_back_as_it_was_measured(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path, origin="import", baselines=0)
    lab.run(1.0, status="keep")
    retract(lab.memory, "toy", 1, WHY, BY)
    assert lab.memory.db.execute("SELECT status, verdict, reason FROM runs").fetchone() == ("invalid", "retract", WHY)
    reinstate(lab.memory, "toy", 1, "no", BY)
    assert lab.memory.db.execute("SELECT status, verdict, reason FROM runs").fetchone() == ("keep", "", "")
    assert lab.champion() == 1


def test_a_retraction_of_a_reinstatement_brings_the_retraction_back(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    wrong = lab.win(lab.base[0])
    retract(lab.memory, "toy", number_of(wrong), WHY, BY)
    gone = views(lab)
    back = reinstate(lab.memory, "toy", number_of(wrong), "no", BY)
    again = Draft(wrong.subject, Verdict("retract", "it was right"), (Ref("retracts", back.id),))
    lab.memory.land([again], BY)
    assert views(lab) == gone


def test_a_retraction_holds_against_a_verdict_that_did_not_know_of_it(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    wrong = lab.run(0.9, lab.base[0])
    retract(lab.memory, "toy", number_of(wrong), WHY, BY)
    verdict = Draft(wrong.subject, Verdict("confirmed", "won"), (Ref("tests", wrong.id), Ref("parent", lab.base[0].id)))
    lab.memory.land([verdict], "code:elsewhere")
    assert lab.memory.db.execute("SELECT status FROM runs WHERE id = ?", (wrong.id,)).fetchone() == ("invalid",)
    assert lab.champion() == 1


@pytest.mark.slow
def test_any_order_of_landing_gives_the_same_doubts(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path / "first")
    wrong = lab.win(lab.base[0])
    child, other = lab.win(wrong), lab.win(lab.base[0], against=wrong)
    retract(lab.memory, "toy", number_of(wrong), WHY, BY)
    retract(lab.memory, "toy", number_of(child), WHY, BY)
    reinstate(lab.memory, "toy", number_of(child), "no", BY)
    lab.verdict(other, "dropped", lab.base[0])
    entries, expected = entries_of(lab), lab.memory.index.logical_hash()
    for i in range(40):
        rng = random.Random(i)
        assert hash_of(causal_shuffle(entries, rng), tmp_path / str(i), rng) == expected


def test_what_cannot_be_retracted_is_refused_with_a_hint(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    with pytest.raises(UsageError, match="no run 99"):
        retract(lab.memory, "toy", 99, WHY, BY)
    with pytest.raises(UsageError, match="reason is needed"):
        retract(lab.memory, "toy", 1, "  ", BY)
    with pytest.raises(UsageError, match="not retracted"):
        reinstate(lab.memory, "toy", 1, WHY, BY)
    retract(lab.memory, "toy", 1, WHY, BY)
    with pytest.raises(UsageError, match="retracted already"):
        retract(lab.memory, "toy", 1, WHY, BY)
    for body in (Verdict("retract"), Claim("wrong")):
        with pytest.raises(Refused, match="says why"):
            lab.memory.land([Draft("x", body, (Ref("retracts", lab.base[1].id),))], BY)


def test_the_command_says_who_reigns_now_and_what_is_in_doubt(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    wrong = lab.win(lab.base[0])
    child = lab.win(wrong)
    said = retraction(lab.memory, number_of(wrong), WHY, BY, None)
    assert f"champion: run 1 instead of run {number_of(child)}" in str(said)
    assert f"in doubt: run {number_of(child)}, derived from run {number_of(wrong)}" in str(said)
    assert asdict(said)["champion"] == 1
    back = retraction(lab.memory, number_of(wrong), "no", BY, "toy", back=True)
    assert f"champion: run {number_of(child)} instead of run 1" in str(back)


def test_the_index_folds_a_retraction_bit_by_bit_as_it_does_at_once(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    wrong = lab.win(lab.base[0])
    retract(lab.memory, "toy", number_of(wrong), WHY, BY)
    lab.win(wrong)  # lands after the retraction, and rests on it all the same
    other = Index(tmp_path / "other.db", FileLedger(tmp_path / "ledger"))
    other.catch_up()
    assert other.logical_hash() == lab.memory.index.logical_hash()
    assert lab.champion() == 1
    other.close()
