"""The registry: who reigns, who comes next, which lines there are, what fails alike; now and as it was earlier."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from memexlab.commands.decisions import standings
from memexlab.commands.history import story
from memexlab.lab.evidence.briefing import briefing
from memexlab.lab.evidence.lessons import failures
from memexlab.lab.evidence.logbook import read_logbook
from memexlab.lab.evidence.packets import ranked
from memexlab.lab.recording import import_log
from memexlab.lab.report.renderers import build_report
from memexlab.lab.report.summary import CampaignReport
from memexlab.ledger import Draft, Ref, UsageError
from memexlab.memory import Memory
from memexlab.memory.registry import Registry, by_cause, cause_of, registry
from memexlab.memory.retraction import reinstate, retract

from .planted_lab import BY, PlantedLab, number_of

MAR8 = Path(__file__).parent / "data" / "logs" / "mar8.results.tsv"


@pytest.fixture
def mar8(tmp_path: Path) -> Memory:
    memory = Memory(tmp_path)
    import_log(memory, MAR8.read_bytes(), MAR8.name, BY, "mar8", None, None)
    return memory


def seen(found: Registry) -> tuple[object, ...]:
    champion = found.champion.number if found.champion else None
    return champion, [run.number for run in found.challengers], found.lineages, found.failures, found.reigns


def test_champion_and_challengers_of_a_log(mar8: Memory) -> None:
    found = registry(mar8.db, "mar8")
    assert found.champion is not None
    assert (found.champion.number, found.champion.value) == (119, 0.969686)
    # 121 and 125 were discarded; the champions before 119 are its ancestors, and no challengers
    assert [run.number for run in found.challengers[:3]] == [121, 125, 117]
    assert not {run.number for run in found.challengers} & {found.runs[reign.run].number for reign in found.reigns}
    [lineage] = found.lineages
    assert (lineage.root, lineage.leader, lineage.size) == (1, 119, 126)
    assert lineage.path == tuple(found.runs[reign.run].number for reign in found.reigns)


@pytest.mark.parametrize("n", [1, 2, 15, 16, 40, 95, 118, 125, 126])
def test_as_of_a_run_is_what_a_log_of_that_length_gives(mar8: Memory, tmp_path: Path, n: int) -> None:
    short = Memory(tmp_path / "short")
    data = b"".join(MAR8.read_bytes().splitlines(keepends=True)[: n + 1])
    import_log(short, data, MAR8.name, BY, "mar8", None, None)
    then, alone = registry(mar8.db, "mar8", n), registry(short.db, "mar8")
    assert then.as_of == n
    assert seen(then)[:4] == seen(alone)[:4]
    assert [(r.since, r.until, r.gain) for r in then.reigns] == [(r.since, r.until, r.gain) for r in alone.reigns]


def test_as_of_the_last_run_is_now(mar8: Memory) -> None:
    assert registry(mar8.db, "mar8", 126) == registry(mar8.db, "mar8")


def test_every_point_of_a_night_is_seen_later_as_it_was_then(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    was: dict[int, tuple[object, ...]] = {}

    def remember() -> None:
        was[lab.number] = seen(registry(lab.memory.db, "toy"))

    remember()
    first = lab.win(lab.base[0])
    remember()
    loser = lab.run(1.1, first)
    lab.verdict(loser, "discard", first, screen_gain=-0.1)
    remember()
    crash = lab.run(None, first, error="ValueError: 3 heads do not divide 64")
    remember()
    second = lab.win(first)
    retract(lab.memory, "toy", number_of(second), "a leak", BY)
    remember()
    lab.run(None, first, error="ValueError: 5 heads do not divide 64")
    reinstate(lab.memory, "toy", number_of(second), "no leak", BY)
    remember()
    assert len({str(view[0]) for view in was.values()}) == 3
    for number, then in was.items():
        assert seen(registry(lab.memory.db, "toy", number)) == then
    assert [numbers for _, _, numbers in registry(lab.memory.db, "toy").failures] == [(number_of(crash), lab.number)]


def test_a_verdict_is_known_from_the_moment_it_landed(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    win = lab.win(lab.base[0])
    during = registry(lab.memory.db, "toy", number_of(win) + 1)
    assert during.champion is not None
    assert during.champion.number == 1  # its first pair was running
    assert [run.verdict for run in during.challengers] == [""]


def test_fresh_values_say_what_a_challenger_is_worth_and_repeats_stay_apart(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    lucky = lab.run(0.90, lab.base[0], commit="aaaaaaa1")
    pairs = lab.pairs(lucky, lab.base[0], (0.99, 1.0), (0.995, 1.0))
    lab.verdict(lucky, "inconclusive", lab.base[0], pairs, gain=0.0075, low=-0.002, high=0.017)
    steady = lab.run(0.97, lab.base[0])
    repeat = lab.run(0.98, lab.base[0], commit="aaaaaaa1")
    found = registry(lab.memory.db, "toy")
    assert [run.number for run in found.challengers] == [number_of(lucky), number_of(repeat), number_of(steady)]
    known = found.challengers[0]
    assert (known.fresh, known.pairs, known.gain) == (2, 2, 0.0075)
    assert known.level == pytest.approx(0.9925)
    assert "mean of 2 fresh runs; inconclusive, +0.0075 over run 1 in 2 pairs (95 % -0.002 to 0.017)" in str(
        standings(lab.memory, None)
    )


def test_what_the_harness_found_no_better_is_no_challenger_however_high_its_one_value(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    lucky = lab.run(0.5, lab.base[0])
    lab.verdict(lucky, "dropped", lab.base[0], lab.pairs(lucky, lab.base[0], (1.01, 1.0)), gain=-0.01)
    lab.verdict(lab.run(0.6, lab.base[0]), "discard", lab.base[0], screen_gain=-0.1)
    near = lab.run(0.7, lab.base[0])
    lab.verdict(near, "provisional", lab.base[0], lab.pairs(near, lab.base[0], (0.99, 1.0)), gain=0.01)
    assert [run.number for run in registry(lab.memory.db, "toy").challengers] == [number_of(near)]


def test_what_was_refused_did_not_fail_and_what_was_mended_is_no_to_do(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    for error in ("Runs 5 and 6 made the same change and lost.", "Runs 7 and 8 made the same change and lost."):
        lab.run(None, lab.base[0], status="blocked", error=error)
    crash = lab.run(None, lab.base[0], description="wider", error="IndentationError: unexpected indent")

    def section() -> CampaignReport:
        return build_report(lab.memory.db, now=datetime(2026, 1, 1, tzinfo=UTC)).sections[0]

    assert section().queue[0].title.startswith("Mend 1 \N{MULTIPLICATION SIGN} crash: Indentation")
    assert "1 failed, 2 refused before they ran" in section().counts
    brief = briefing(lab.memory.db, "toy", 1500).text
    assert "## Refused before they ran\n- 2 x blocked: Runs 7 and 8 made the same change and lost. (and alike)" in brief
    again = lab.run(1.01, lab.base[0], description="wider")
    lost = lab.run(None, again, again, status="lost", role="pair", error="the harness ended before the run did")
    assert [packet.number for packet in ranked(lab.memory.db, "toy") if packet.action == "retry"] == [number_of(lost)]
    lab.verdict(again, "discard", lab.base[0], screen_gain=-0.01)
    assert not ranked(lab.memory.db, "toy")
    assert not [item.title for item in section().queue if item.title.startswith("Mend")]
    assert [failure.runs for failure in section().failures] == [(number_of(crash),), (number_of(lost),)]
    assert (number_of(crash),) in [numbers for *_, numbers in registry(lab.memory.db, "toy").failures]
    told = str(story(lab.memory, "run:5", "toy", None, None, None, 9))
    assert "Runs 5 and 6 made the same change and lost." in told


def test_lineages_are_told_apart_by_their_roots(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path, baselines=1)
    child = lab.run(0.97, lab.base[0])
    lab.run(0.96, child)
    apart = lab.run(0.90)
    found = registry(lab.memory.db, "toy").lineages
    assert [(line.root, line.leader, line.size, line.path) for line in found] == [
        (number_of(apart), 4, 1, (4,)),
        (1, 3, 3, (1, 2, 3)),
    ]


def test_a_run_that_cannot_reign_is_listed_and_says_so(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    wrong = lab.win(lab.base[0])
    child = lab.win(wrong)
    retract(lab.memory, "toy", number_of(wrong), "a leak", BY)
    found = registry(lab.memory.db, "toy")
    assert [(run.number, run.barred) for run in found.challengers] == [(number_of(child), True)]
    assert "cannot reign: it rests on a retracted run" in str(standings(lab.memory, "toy"))
    data = standings(lab.memory, "toy").data()
    assert data["challengers"][0]["parent"] == number_of(wrong)


def test_causes_do_not_differ_by_numbers_paths_and_addresses() -> None:
    first = "Traceback\n  File '/a/b.py'\nMemoryError: 12 MB at 0x7f12 in /tmp/w1/train.py"
    second = "MemoryError: 41.5 MB at 0xffa1 in /tmp/w2/train.py\n\n"
    assert cause_of(first) == cause_of(second) == "MemoryError: N MB at ADDRESS in …/train.py"
    assert len(by_cause([("crash", first, 1), ("crash", second, 2), ("timeout", second, 3)])) == 2


def test_ten_thousand_failures_are_looked_at_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr("memexlab.memory.registry.cause_of", lambda error: calls.append(error) or cause_of(error))
    failed = [("crash", f"Error {chr(97 + i % 26)}x{i // 400}: step {i}", i) for i in range(10_000)]
    groups = by_cause(failed)
    assert len(calls) == 10_000
    assert sum(map(len, groups.values())) == 10_000


def test_the_report_groups_failures_as_the_registry_does(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    for size in (12, 41):
        lab.run(None, lab.base[0], error=f"MemoryError: {size} MB")
    lab.run(None, lab.base[0], error="KeyError: 'lr'")
    told = failures([run for run in read_logbook(lab.memory.db, "toy").runs if run.failed])
    assert [(f.status, f.runs) for f in told] == [(s, n) for s, _, n in registry(lab.memory.db, "toy").failures]


def test_what_is_asked_wrongly_is_refused_with_a_hint(mar8: Memory) -> None:
    with pytest.raises(UsageError, match="no campaign nonsense"):
        registry(mar8.db, "nonsense")
    with pytest.raises(UsageError, match="no campaign nonsense"):
        standings(mar8, "nonsense")
    with pytest.raises(UsageError, match="as-of is 0"):
        standings(mar8, None, 0)
    assert "after 40 runs" in str(standings(mar8, None, 40))


def test_a_run_whose_parent_comes_from_another_campaign_is_a_root(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path, baselines=1)
    other = registry(lab.memory.db, "toy").runs
    stranger = Draft("campaign:b", lab.definition.body, key="campaign:b")
    lab.memory.land([stranger], BY)
    from dataclasses import replace

    body = replace(lab.base[0].body, campaign="b", role="candidate", number=1)
    lab.memory.land([Draft("run:b/1", body, (Ref("parent", lab.base[0].id),))], BY)
    assert len(other) == 1
    assert [(line.root, line.path) for line in registry(lab.memory.db, "b").lineages] == [(1, (1,))]
