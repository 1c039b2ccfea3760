"""Decision packets: every action can occur, says why, lands once, and is superseded when another action is due."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest

from memexlab.cli import _parser
from memexlab.commands.decisions import next_up
from memexlab.lab.evidence.next_action import Action
from memexlab.lab.evidence.outliers import too_good
from memexlab.lab.evidence.packets import Packet, desk_of, land_packets, packets_for, ranked
from memexlab.lab.importers.memorylab import import_folder, is_memorylab
from memexlab.lab.recording import import_log
from memexlab.ledger import Claim, Entry, UsageError
from memexlab.memory import Memory
from memexlab.memory.doubts import doubts
from memexlab.memory.retraction import reinstate, retract

from .planted_lab import BY, PlantedLab, number_of

LOGS = Path(__file__).parent / "data" / "logs"
MAR8 = LOGS / "mar8.results.tsv"


def packet(lab: PlantedLab, run: Entry) -> Packet:
    [found] = packets_for(lab.memory.db, "toy", [number_of(run)])
    return found


def imported(folder: Path, lines: int = 127, more: str = "") -> Memory:
    memory = Memory(folder)
    data = b"".join(MAR8.read_bytes().splitlines(keepends=True)[:lines])
    import_log(memory, data + more.encode(), MAR8.name, BY, "mar8", None, None)
    return memory


# --- each action, from entries as the loop lands them


def test_promote_the_champion_and_not_those_before_it(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    first = lab.win(lab.base[0], hypothesis="a faster start")
    found = packet(lab, first)
    assert (found.action, found.priority, found.is_open, found.hypothesis_status) == (
        "promote",
        "high",
        True,
        "supported",
    )
    assert found.rationale == (
        "Run 5 is the champion (+0.0300 nats over run 1, champion then, in 2 fresh pairs): read its change "
        "(git show 00000005) and take it over."
    )
    assert (found.gain, found.against, found.cites) == (0.03, 1, (1,))
    assert found.command == "git merge memex/toy"
    lab.win(first)
    assert (packet(lab, first).action, packet(lab, first).is_open) == ("promote", False)


def test_branch_followup_for_a_win_on_another_line(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    apart = lab.win(lab.base[0], settings={"LR": 0.2})
    edited = lab.win(lab.base[0])  # no knob tells what it changed
    other = lab.win(lab.base[0], settings={"WIDTH": 64})
    found = packet(lab, apart)
    assert (found.action, found.priority) == ("branch_followup", "high")
    assert number_of(other) in found.cites
    again = f"run {number_of(apart)} again, on what won since"
    assert found.command == f'memex try --set LR=0.2 --hypothesis "{again}" --campaign toy'
    found = packet(lab, edited)
    assert found.command.startswith(f"git cherry-pick --no-commit {number_of(edited):08x} && memex try --hypothesis")


def test_branch_followup_for_a_win_over_a_champion_that_is_gone(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    second = lab.run(0.97, lab.base[0], settings={"LR": 0.2})
    champion = lab.win(lab.base[0], settings={"WIDTH": 64})
    lab.verdict(second, "inconclusive", lab.base[0], carry=1, screen_gain=0.03)
    assert packet(lab, second).action == "branch_followup"
    lab.run(0.96, champion, tests=second, settings={"WIDTH": 64, "LR": 0.2})
    assert (packet(lab, second).action, packet(lab, second).is_open) == ("abandon", False)


def test_replicate_what_is_provisional_and_a_win_that_rests_on_a_retracted_run(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    perhaps = lab.run(0.99, lab.base[0], settings={"LR": 0.2}, hypothesis="smaller steps")
    pairs = lab.pairs(perhaps, lab.base[0], (0.998, 1.0))
    lab.verdict(perhaps, "provisional", lab.base[0], pairs, gain=0.002, low=-0.004, high=0.014)
    found = packet(lab, perhaps)
    assert (found.action, found.is_open, found.command) == ("replicate", False, "")
    assert found.rationale == (
        "Run 5 (+0.0020 nats over the champion, run 1, in 1 fresh pair): too small a difference to be settled here; 12 "
        "fresh pairs show a gain of 0.0044 nats."
    )
    lab.verdict(perhaps, "provisional", lab.base[0], pairs, gain=0.006, low=-0.004, high=0.014)
    found = packet(lab, perhaps)
    assert (found.action, found.priority, found.hypothesis_status) == ("replicate", "medium", "mixed")
    assert found.command.startswith("memex race 5 1 --pairs ")
    wrong = lab.win(lab.base[0], settings={"WIDTH": 64})
    child = lab.win(wrong)
    retract(lab.memory, "toy", number_of(wrong), "a leak", BY)
    found = packet(lab, child)
    assert (found.action, found.priority) == ("replicate", "high")
    assert f"rests on a retracted run, {number_of(wrong)}: derived from run {number_of(wrong)}" in found.rationale
    assert found.command.startswith(f"memex race {number_of(child)} 1 ")
    assert packet(lab, wrong).action == "abandon"
    assert packet(lab, wrong).rationale == f"Run {number_of(wrong)} was retracted: a leak"
    beside = lab.run(1.1, wrong)
    lab.verdict(beside, "discard", wrong, screen_gain=-0.1)
    assert packet(lab, beside).rationale.endswith(f": derived from run {number_of(wrong)}.")
    assert number_of(wrong) in packet(lab, beside).cites


def test_replicate_a_champion_that_the_third_split_does_not_confirm(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    win = lab.win(lab.base[0], commit="abcdef12")
    lab.run(1.02, win, role="final", commit="abcdef12")
    lab.run(1.01, lab.base[0], role="final", commit="c0ffee00")
    found = packet(lab, win)
    assert (found.action, found.priority) == ("replicate", "high")
    assert "It disagrees" in found.rationale


def test_retry_what_was_interrupted_and_what_a_few_pairs_would_settle(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    lost = lab.run(None, lab.base[0], status="lost", error="the harness ended before the run did")
    near = lab.run(0.993, lab.base[0], settings={"LR": 0.2}, hypothesis="smaller steps")
    pairs = lab.pairs(near, lab.base[0], (0.993, 1.0))
    lab.verdict(near, "inconclusive", lab.base[0], pairs, gain=0.007, low=-0.004, high=0.018)
    assert packet(lab, lost).action == "retry"
    found = packet(lab, near)
    assert (found.action, found.priority, found.hypothesis_status) == ("retry", "medium", "inconclusive")
    assert "+0.0070 nats over the champion, run 1, in 1 fresh pair" in found.rationale
    hopeless = lab.run(0.9999, lab.base[0], settings={"WIDTH": 64})
    lab.verdict(hopeless, "inconclusive", lab.base[0], lab.pairs(hopeless, lab.base[0], (0.9999, 1.0)), gain=0.0001)
    assert packet(lab, hopeless).action == "abandon"


def test_abandon_what_lost(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    worse = lab.run(1.1, lab.base[0], settings={"LR": 0.2}, hypothesis="larger steps")
    lab.verdict(worse, "discard", lab.base[0], screen_gain=-0.1)
    flat = lab.run(1.001, lab.base[0], settings={"WIDTH": 48}, hypothesis="wider")
    lab.verdict(flat, "discard", lab.base[0], screen_gain=-0.001)
    dropped = lab.run(0.98, lab.base[0], settings={"WIDTH": 64}, hypothesis="wider still")
    pairs = lab.pairs(dropped, lab.base[0], (1.02, 1.0))
    lab.verdict(dropped, "dropped", lab.base[0], pairs, gain=-0.02, low=-0.03, high=-0.01)
    found = [packet(lab, run) for run in (worse, flat, dropped)]
    assert {(p.action, p.priority, p.is_open) for p in found} == {("abandon", "low", False)}
    assert [p.hypothesis_status for p in found] == ["refuted", "inconclusive", "refuted"]


@pytest.mark.parametrize(
    ("error", "action"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory", "fix_and_retry"),
        ("the run used 4100 MB, more than it may", "fix_and_retry"),
        ("NameError: name 'depht' is not defined", "fix_and_retry"),
        ("RuntimeError: pin_memory thread exited unexpectedly", "investigate_crash"),
        ("the run ended with signal 11: no output", "investigate_crash"),
        ("no finite number for loss was printed", "investigate_crash"),
    ],
)
def test_a_crash_is_mended_where_the_message_says_how_and_looked_into_otherwise(
    tmp_path: Path, error: str, action: str
) -> None:
    lab = PlantedLab(tmp_path)
    crash = lab.run(None, lab.base[0], error=error, hypothesis="more of it")
    found = packet(lab, crash)
    assert (found.action, found.hypothesis_status, found.gain) == (action, "inconclusive", None)
    others = [number_of(lab.run(None, lab.base[0], error=error)) for _ in range(2)]
    again = packet(lab, crash)
    assert again.priority == "high"
    assert f"2 other runs failed alike, such as #{others[0]}, #{others[1]}." in again.rationale


def test_a_crash_whose_change_was_measured_later_is_done_with(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    crash = lab.run(None, lab.base[0], settings={"LR": 0.2}, error="NameError: x")
    mended = lab.run(1.1, lab.base[0], settings={"LR": 0.2})
    found = packet(lab, crash)
    assert (found.action, found.is_open, found.cites[0]) == ("abandon", False, number_of(mended))


def test_retest_once_the_champion_has_moved_a_setting_it_depends_on(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    near = lab.run(0.993, lab.base[0], settings={"LR": 0.2})
    lab.verdict(near, "inconclusive", lab.base[0], lab.pairs(near, lab.base[0], (0.993, 1.0)), gain=0.007)
    crash = lab.run(None, lab.base[0], settings={"LR": 0.4}, error="CUDA out of memory")
    typo = lab.run(None, lab.base[0], settings={"LR": 0.8}, error="NameError: x")
    assert [packet(lab, run).action for run in (near, crash, typo)] == ["retry", "fix_and_retry", "fix_and_retry"]
    first = lab.win(lab.base[0], settings={"WARMUP": 16})  # no memory is won by that
    assert packet(lab, crash).action == "fix_and_retry"
    win = lab.win(first, settings={"WIDTH": 16})
    assert [packet(lab, run).action for run in (near, crash, typo)] == ["retest", "retest", "fix_and_retry"]
    assert f"Run {number_of(win)} moved WIDTH since" in packet(lab, crash).rationale
    lab.win(win, settings={"LR": 0.3})  # the champion's line has moved the knob itself: nothing is left to test
    assert packet(lab, near).action == "abandon"


def test_the_win_that_a_memory_of_failures_alone_would_have_lost_is_offered_again(tmp_path: Path) -> None:
    """In this log embedding LR 0.8 to 0.9 lost as run 37 and won as run 112, after weight decay had been added."""
    before, after = imported(tmp_path / "before", 103), imported(tmp_path / "after", 112)
    [early], [late] = packets_for(before.db, "mar8", [37]), packets_for(after.db, "mar8", [37])
    assert early.action == "abandon"
    assert (late.action, late.cites[0]) == ("retest", 103)
    assert "Run 103 moved embedding_weight_decay since" in late.rationale


def test_a_repeat_that_was_logged_is_counted(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path, origin="import", baselines=1)
    kept = lab.run(0.99, None, status="keep")
    assert "nothing was repeated" in packet(lab, kept).rationale
    lab.run(0.991, kept, role="pair", commit=kept.body.commit)
    assert "the noise shows from four repeats on, and 1 stands" in packet(lab, kept).rationale


def test_a_log_that_repeats_nothing_gets_every_win_within_noise_replicated(tmp_path: Path) -> None:
    memory = imported(tmp_path)
    found = packets_for(memory.db, "mar8")
    assert len(found) == 125  # all but the baseline
    actions = Counter(p.action for p in found)
    assert (actions["promote"], actions["replicate"]) == (3, 19)
    assert actions["fix_and_retry"] == 1
    first = ranked(memory.db, "mar8")[0]
    assert (first.number, first.action, first.priority) == (119, "replicate", "high")


@pytest.mark.parametrize("name", ["mar8.results.tsv", "serving.results.tsv", "several-agents.results.tsv"])
def test_a_packet_made_from_what_decides_it_is_that_of_the_whole_log(tmp_path: Path, name: str) -> None:
    memory = Memory(tmp_path)
    import_log(memory, (LOGS / name).read_bytes(), name, BY, "log", None, None)
    desk = desk_of(memory.db, "log")
    every = packets_for(memory.db, "log", desk=desk)
    assert every
    for n in {p.number for p in every[:: max(1, len(every) // 25)]}:
        assert packets_for(memory.db, "log", [n]) == [p for p in every if p.number == n]
    late = [p.number for p in every[len(every) // 2 :]]
    assert packets_for(memory.db, "log", late) == every[len(every) // 2 :]


def test_every_action_occurs_in_these_tests() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert all(text.count(f'"{action}"') for action in get_args(Action))


# --- what a verdict says and what a packet says


def test_a_packet_compares_with_what_its_verdict_compared_with(tmp_path: Path) -> None:
    """The head had a lucky run: against it the candidate is no better, though it is against the champion."""
    lab = PlantedLab(tmp_path)
    head = lab.run(0.985, lab.base[0], settings={"LR": 0.2})
    lab.verdict(head, "provisional", lab.base[0], lab.pairs(head, lab.base[0], (0.99, 1.0)), gain=0.01)
    idea = lab.run(0.9895, head, settings={"WIDTH": 64})
    lab.verdict(idea, "discard", head, screen_gain=0.0005)
    found = packet(lab, idea)
    assert (found.against, found.action, found.is_open) == (number_of(head), "abandon", False)
    assert found.gain == pytest.approx(0.0005)
    assert found.rationale.startswith("Run 8 (+0.0005 nats over run 5, the head then, in one run): too small")
    assert "- gain: +0.0005 nats, over run 5, the head then" in found.markdown()


def test_what_was_discarded_under_more_noise_than_there_is_now_says_so(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    idea = lab.run(0.99, lab.base[0], settings={"LR": 0.2})
    lab.verdict(idea, "discard", lab.base[0], screen_gain=0.01, sigma=0.05)
    found = packet(lab, idea)
    assert (found.action, found.is_open) == ("retry", True)
    assert "was discarded (+0.0100 nats over the champion, run 1, in one run) with a sigma of 0.0500" in found.rationale
    assert "it is 0.0041 now, and about 4 fresh pairs would show it" in found.rationale
    assert found.command == "memex race 5 1 --pairs 4 --campaign toy"


def test_a_new_verdict_with_the_same_action_gets_a_new_packet(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    near = lab.run(0.993, lab.base[0], settings={"LR": 0.2})
    pairs = lab.pairs(near, lab.base[0], (0.993, 1.0))
    lab.verdict(near, "inconclusive", lab.base[0], pairs, gain=0.007)
    [first] = land_packets(lab.memory, "toy", BY)
    again = lab.verdict(near, "inconclusive", lab.base[0], pairs, gain=0.008)
    [second] = land_packets(lab.memory, "toy", BY)
    assert second.targets("supersedes") == [first.id]
    assert again.id in second.targets("from")
    assert land_packets(lab.memory, "toy", BY) == []


# --- landing


def test_packets_land_once_and_a_newer_one_supersedes_when_the_action_changed(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    near = lab.run(0.993, lab.base[0], settings={"LR": 0.2}, hypothesis="smaller steps")
    verdict = lab.verdict(near, "inconclusive", lab.base[0], lab.pairs(near, lab.base[0], (0.993, 1.0)), gain=0.007)
    [first] = land_packets(lab.memory, "toy", BY)
    assert land_packets(lab.memory, "toy", BY) == []
    assert isinstance(first.body, Claim)
    assert (first.body.relation, first.body.object, first.subject) == ("calls_for", "retry", near.subject)
    assert first.body.scope == {"priority": "medium", "hypothesis_status": "inconclusive", "gain": 0.007, "against": 1}
    assert first.targets("tests") == [near.id]
    assert first.targets("from") == [verdict.id, lab.base[0].id]
    data, text = (lab.memory.blobs.get(blob) for blob in first.targets("file"))
    assert json.loads(data)["action"] == "retry"
    assert text.decode().startswith("# Run 5: retry (medium)\n")
    lab.win(lab.base[0], settings={"WIDTH": 16})
    new = {entry.subject: entry for entry in land_packets(lab.memory, "toy", BY)}
    assert new[near.subject].targets("supersedes") == [first.id]
    assert land_packets(lab.memory, "toy", BY) == []


def test_an_action_that_comes_back_lands_again(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    win = lab.win(lab.base[0])
    said = []
    for act in (None, retract, reinstate):
        if act is not None:
            act(lab.memory, "toy", number_of(win), "because", BY)
        said += [entry.body.object for entry in land_packets(lab.memory, "toy", BY) if isinstance(entry.body, Claim)]
    assert said == ["promote", "abandon", "promote"]


def test_a_packet_that_cites_a_retracted_run_is_in_doubt_until_it_is_superseded(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    wrong = lab.win(lab.base[0])
    loser = lab.run(1.1, lab.base[0], settings={"WIDTH": 8})
    lab.verdict(loser, "discard", wrong, screen_gain=-0.13)
    land_packets(lab.memory, "toy", BY)
    retract(lab.memory, "toy", number_of(wrong), "a leak", BY)
    told = {d.run: d.path for d in doubts(lab.memory.db, "toy") if d.kind == "claim"}
    assert told[number_of(wrong)] == f"cites run {number_of(wrong)}"
    assert number_of(loser) in told


# --- the queue


def test_the_queue_is_ordered_and_every_command_in_it_is_understood(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    lab.run(None, lab.base[0], error="NameError: x")
    near = lab.run(0.993, lab.base[0], settings={"LR": 0.2})
    lab.verdict(near, "inconclusive", lab.base[0], lab.pairs(near, lab.base[0], (0.993, 1.0)), gain=0.007)
    lost = lab.run(1.2, lab.base[0], settings={"LR": 0.7})
    lab.verdict(lost, "discard", lab.base[0], screen_gain=-0.2)
    lab.win(lab.base[0], settings={"LR": 0.05})
    queue = ranked(lab.memory.db, "toy")
    assert [(p.priority, p.action) for p in queue] == [("high", "promote"), ("high", "fix_and_retry")]
    text = str(next_up(lab.memory, None))  # no repository has the win, so it is not offered
    assert text.splitlines()[0].startswith("1. fix_and_retry (high) run 5")
    for p in queue:
        program, command, *words = shlex.split(p.command)
        assert program in ("git", "memex")
        if program == "memex":
            _parser(command).parse_args([command, *words])
    assert next_up(lab.memory, "toy", limit=1).data()["campaign"] == "toy"
    with pytest.raises(UsageError, match="no campaign nonsense"):
        next_up(lab.memory, "nonsense")


def test_an_empty_campaign_has_an_empty_queue(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path, baselines=0)
    assert "Nothing in campaign toy calls for anything" in str(next_up(lab.memory, None))
    assert land_packets(lab.memory, "toy", BY) == []


# --- too good


def test_no_alarm_in_a_real_log_of_honest_wins(tmp_path: Path) -> None:
    assert too_good(imported(tmp_path).db, "mar8") == []


@pytest.mark.parametrize(("value", "rules"), [("0.0001", ["step"]), ("0.9690", []), ("0.9400", ["step"])])
def test_a_value_that_no_honest_step_gives_raises_an_alarm(tmp_path: Path, value: str, rules: list[str]) -> None:
    memory = imported(tmp_path, more=f"\nfffffff\t{value}\t60.0\tkeep\tread the validation set\n")
    found = too_good(memory.db, "mar8")
    assert [alarm.rule for alarm in found] == rules
    assert {alarm.number for alarm in found} <= {127}


def test_a_metric_of_exactly_zero_raises_an_alarm_where_that_is_a_gain(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path, origin="import", baselines=0)
    for value in (3.0, 2.0, 0.0):
        lab.run(value, status="keep")
    assert [(alarm.number, alarm.rule) for alarm in too_good(lab.memory.db, "toy")] == [(3, "zero")]
    assert too_good(lab.memory.db, "toy")[0].sentence == "Run 3 measured exactly 0 nats; run 2 measured 2."


def test_a_gain_of_many_sigma_and_a_sudden_short_run_raise_alarms(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    honest, leap = lab.win(lab.base[0]), lab.win(lab.base[0], gain=0.5, seconds=3.0)
    found = [(alarm.number, alarm.rule) for alarm in too_good(lab.memory.db, "toy")]
    assert found == [(number_of(leap), "sigma"), (number_of(leap), "seconds")]
    assert number_of(honest) < number_of(leap)
    said = [alarm.sentence for alarm in too_good(lab.memory.db, "toy")]
    assert said[0] == f"Run {number_of(leap)} gained 0.5000 nats over run {number_of(lab.base[0])}, 115 sigma."
    assert said[1].endswith("and took 3.0 s, where 20 s was usual.")
    assert str(next_up(lab.memory, None)).startswith("Look first: ")


def test_what_fails_on_a_fresh_seed_is_mended_and_not_measured_again(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    lucky = lab.run(0.98, lab.base[0], settings={"LR": 0.2})
    side = {"role": "pair", "seed": 10_050}
    error = "it measured exactly 0.98 under the seeds 105 and 10050: it ignores its seed"
    lab.run(None, lucky, lucky, commit="00000005", status="invalid", error=error, **side)
    lab.run(1.0, lab.base[0], lucky, commit="c0ffee00", **side)
    lab.verdict(lucky, "dropped", lab.base[0], screen_gain=0.02)
    land_packets(lab.memory, "toy", BY)
    [packet] = packets_for(lab.memory.db, "toy", [number_of(lucky)])
    assert (packet.action, packet.command) == ("fix_and_retry", "git show 00000005")
    assert f"on a fresh seed, as run {number_of(lucky) + 1}, it failed: {error}" in packet.rationale


# --- MemoryLab's own packets


def test_packets_of_a_memorylab_folder_are_kept_as_sources(tmp_path: Path) -> None:
    folder, memory = tmp_path / "memorylab", Memory(tmp_path / "m")
    for name in ("20260311T043000Z-abc1234", "20260101T000000Z-unknown"):
        (folder / "runs" / name).mkdir(parents=True)
        (folder / "runs" / name / "decision_packet.json").write_text(
            json.dumps({"next_action": "promote", "for": name})
        )
    (folder / "runs" / "20260311T043000Z-abc1234" / "decision_packet.md").write_text("# Promote")
    assert not is_memorylab(folder)
    with pytest.raises(UsageError, match=r"experiments\.jsonl cannot be read"):
        import_folder(memory, folder, BY, "ml")
    (folder / "experiments.jsonl").write_bytes((LOGS / "memorylab.jsonl").read_bytes())
    assert is_memorylab(folder)
    done = import_folder(memory, folder, BY, "ml")
    assert (done.log.added, done.packets, done.added) == (2, 1, 1)
    assert [finding.rule for finding in done.findings] == ["packet-left-out"]
    assert "1 decision packets, 1 new" in str(done)
    [(seq, run)] = memory.db.execute(
        "SELECT e.seq, r.number FROM entries e JOIN refs f USING (seq) JOIN runs r ON r.id = f.target"
        " WHERE e.kind = 'source' AND e.subject = 'import:ml' AND f.role = 'from'"
    ).fetchall()
    entry = memory.index.entry(seq)
    assert run == 1
    assert entry is not None
    data, text = (memory.blobs.get(blob) for blob in entry.targets("file"))
    assert json.loads(data)["next_action"] == "promote"
    assert text == b"# Promote"
    assert import_folder(memory, folder, BY, "ml").data()["packets_added"] == 0
