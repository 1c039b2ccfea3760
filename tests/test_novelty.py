"""The novelty guard: real logs replayed against themselves, and small campaigns in which one thing is known."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memexlab.commands.check import check_idea, replay_campaign
from memexlab.lab.evidence.briefing import briefing
from memexlab.lab.recording import import_log
from memexlab.ledger import Draft, Entry, Ref, Run, Scalar, Source, UsageError, Verdict
from memexlab.memory import Memory
from memexlab.memory.changes.edits import changes_in_text
from memexlab.memory.novelty.guard import MODES, Guard, Replayed, check, replay
from memexlab.memory.novelty.history import History
from memexlab.memory.novelty.relations import matters

LOGS = Path(__file__).parent / "data" / "logs"
BENCH = Path(__file__).parent.parent / "bench"
sys.path[:0] = [str(BENCH), str(BENCH / "contenders")]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    memory = Memory(tmp_path / ".memex")
    yield memory
    memory.close()


def take_in(memory: Memory, name: str, lines: int | None = None) -> None:
    data = b"\n".join((LOGS / name).read_bytes().split(b"\n")[:lines])
    import_log(memory, data, name, "code:test", "c", None, None)


def calls(runs: list[Replayed]) -> dict[int, tuple[str, str]]:
    return {run.run: (run.guard.klass, run.guard.decision) for run in runs}


class Log:
    """A campaign written run by run; a run has settings only where it is given some."""

    def __init__(self, memory: Memory, better: str = "lower") -> None:
        self.memory, self.number = memory, 0
        self.landed: dict[int, Entry] = {}
        meta = {"metric": "loss", "better": better, "origin": "log"}
        memory.land([Draft("campaign:c", Source("c", meta=meta))], "code:test")
        self.run("baseline", "keep", 1.0)

    def run(self, text: str, status: Any, value: float | None = None, error: str = "",
            settings: dict[str, Scalar] | None = None, parent: int | None = None) -> int:  # fmt: skip
        self.number += 1
        metrics = {} if value is None else {"loss": value}
        run = Run("c", status, self.number, "candidate", text, metrics=metrics, error=error, settings=settings or {})
        refs = (Ref("parent", self.landed[parent].id),) if parent else ()
        [self.landed[self.number]] = self.memory.land([Draft(f"run:c/{self.number}", run, refs)], "code:test")
        return self.number

    def verdict(self, number: int, decision: str, role: Any = "tests", **numbers: Scalar) -> None:
        run = self.landed[number]
        self.memory.land([Draft(run.subject, Verdict(decision, "why", numbers), (Ref(role, run.id),))], "code:test")

    def ask(self, text: str, mode: Any = "exploit", **settings: Scalar) -> Guard:
        return check(changes_in_text(text), text, History(self.memory.db, "c"), settings, mode)


# --- the published log


def test_no_kept_run_of_the_published_log_is_blocked_in_any_mode(memory: Memory) -> None:
    take_in(memory, "mar8.results.tsv")
    for mode in MODES:
        runs = replay(memory.db, "c", mode)
        assert len(runs) == 126
        assert [run.run for run in runs if run.guard.decision == "block" and run.status == "keep"] == []


#: Every idea of the log that was tried before, by reading it: the run and the earlier ones.
REPEATS = {
    81: set(), 87: {73}, 109: {104}, 112: {37}, 115: {104, 109}, 116: {13}, 121: {64}, 124: {33}, 125: {53},
}  # fmt: skip


def test_every_repeat_of_the_published_log_is_found(memory: Memory) -> None:
    take_in(memory, "mar8.results.tsv")
    runs = {run.run: run for run in replay(memory.db, "c", "exploit")}
    found = {n: {m.run for m in run.guard.matches} for n, run in runs.items()
             if run.guard.klass not in ("novel", "incremental_followup")}  # fmt: skip
    assert found == {number: earlier for number, earlier in REPEATS.items() if earlier}
    assert calls(list(runs.values()))[109] == ("repeat_failure", "block")  # nothing but another part's decay changed
    assert calls(list(runs.values()))[87] == ("repeat_failure", "caution")  # "random" and "nonzero": words alone
    for number in (112, 115, 116, 121, 124, 125):
        assert calls(list(runs.values()))[number] == ("context_changed", "allow")


def test_the_embedding_rate_may_be_tried_again_since_weight_decay_came(memory: Memory) -> None:
    take_in(memory, "mar8.results.tsv")
    for mode in MODES:
        checked = check_idea(memory, "c", "embedding LR 0.8 to 0.9", mode=mode, as_of=111)
        assert (checked.guard.klass, checked.guard.decision) == ("context_changed", "allow")
        assert [match.run for match in checked.guard.matches] == [37]
        assert {41, 103, 105, 106, 107} <= {int(n) for n in re.findall(r"\d+", checked.guard.reason)}
        assert "embedding_weight_decay" in checked.guard.reason
    assert check_idea(memory, "c", "embedding LR 0.8 to 0.9", as_of=37).guard.decision == "block"


def test_memorylabs_rules_are_those_that_were_measured(memory: Memory) -> None:
    import memorylab_rules

    take_in(memory, "mar8.results.tsv")
    ours = replay(memory.db, "c", "exploit")
    for mode, expected in {"exploit": (37, 5), "explore": (52, 9)}.items():
        theirs = memorylab_rules.replay([(run.description, run.status) for run in ours], mode)
        blocked = [run.status for run, (_, decision) in zip(ours, theirs, strict=True) if decision == "block"]
        assert (len(blocked), blocked.count("keep")) == expected


@pytest.mark.parametrize("name", ["several-agents.results.tsv", "serving.results.tsv", "sweep.jsonl"])
def test_no_kept_run_of_other_logs_is_blocked(memory: Memory, name: str) -> None:
    take_in(memory, name)
    for mode in MODES:
        assert [r.run for r in replay(memory.db, "c", mode) if r.guard.decision == "block" and r.status == "keep"] == []


def test_a_check_never_sees_later_runs(memory: Memory, tmp_path: Path) -> None:
    take_in(memory, "mar8.results.tsv")
    whole = {run.run: run.guard for run in replay(memory.db, "c", "explore")}
    for cut in (2, 17, 38, 88, 110, 113):
        short = Memory(tmp_path / str(cut))
        take_in(short, "mar8.results.tsv", lines=cut + 1)  # and the header
        last = replay(short.db, "c", "explore")[-1]
        assert (last.run, last.guard) == (cut, whole[cut])
        short.close()


def test_replay_says_the_same_as_asking_at_that_time(memory: Memory) -> None:
    take_in(memory, "mar8.results.tsv")
    for run in replay(memory.db, "c", "exploit"):
        if run.run > 1:
            asked = check_idea(memory, "c", run.description, as_of=run.run - 1).guard
            assert (asked.klass, asked.decision, asked.matches, asked.reason) == (
                run.guard.klass, run.guard.decision, run.guard.matches, run.guard.reason,
            )  # fmt: skip


# --- rules


def test_what_failed_is_blocked_until_a_setting_that_matters_changes(memory: Memory) -> None:
    log = Log(memory)
    log.run("dropout 0.1 to 0.2", "discard", 1.2)
    assert (log.ask("dropout 0.1 to 0.2").klass, log.ask("dropout 0.1 to 0.2").decision) == ("repeat_failure", "block")
    assert log.ask("DROPOUT=0.2").decision == "block"
    log.run("rope base 10K to 20K", "keep", 0.99)
    assert log.ask("dropout 0.1 to 0.2").decision == "block"
    moved = log.run("weight decay 0.1 to 0.2", "keep", 0.98)
    guard = log.ask("dropout 0.1 to 0.2")
    assert (guard.klass, guard.decision) == ("context_changed", "allow")
    assert f"weight_decay changed at run {moved}" in guard.reason
    assert "rope_base" not in guard.reason


def test_another_number_or_the_other_way_is_never_blocked(memory: Memory) -> None:
    log = Log(memory)
    log.run("dropout 0.1 to 0.2", "discard", 1.2)
    for text in ("dropout 0.1 to 0.3", "dropout 0.2 to 0.1", "dropout 0.1 to 0.05", "remove dropout"):
        assert (log.ask(text).klass, log.ask(text).decision) == ("incremental_followup", "allow")
    assert log.ask("softcap 15 to 20").klass == "novel"


def test_modes(memory: Memory) -> None:
    log = Log(memory)
    log.run("dropout 0.1 to 0.2", "discard", 1.2)
    log.run("softcap 15 to 20", "keep", 0.9)
    log.run("softcap 20 to 30", "keep", 0.8)
    decisions = {
        text: [log.ask(text, mode).decision for mode in ("explore", "exploit", "replicate")]
        for text in (
            "mixture of experts",
            "dropout 0.1 to 0.2",
            "softcap 15 to 20",
            "softcap 20 to 30",
            "softcap 30 to 40",
        )
    }
    assert decisions == {
        "mixture of experts": ["allow", "allow", "caution"],
        "dropout 0.1 to 0.2": ["block", "block", "allow"],  # lost
        "softcap 15 to 20": ["caution", "allow", "allow"],  # kept, and moved on since
        "softcap 20 to 30": ["block", "block", "allow"],  # the champion has it
        "softcap 30 to 40": ["allow", "allow", "allow"],
    }


def test_a_kept_step_may_be_made_again(memory: Memory) -> None:
    log = Log(memory)
    log.run("halve batch size", "keep", 0.9)
    guard = log.ask("halve batch size")
    assert (guard.klass, guard.decision) == ("incremental_followup", "allow")


@pytest.mark.parametrize("status", ["crash", "timeout"])
def test_a_crash_says_nothing_of_the_idea_unless_it_recurs(memory: Memory, status: str) -> None:
    log = Log(memory)
    log.run("dropout 0.1 to 0.2", status, error="CUDA out of memory: 12.1 GB")
    assert (log.ask("dropout 0.1 to 0.2").klass, log.ask("dropout 0.1 to 0.2").decision) == (
        "repeat_failure",
        "caution",
    )
    log.run("dropout 0.1 to 0.2", status, error="no such file")
    assert log.ask("dropout 0.1 to 0.2").decision == "caution"
    log.run("dropout 0.1 to 0.2", status, error="CUDA out of memory: 12.3 GB")
    assert log.ask("dropout 0.1 to 0.2").decision == "block"


@pytest.mark.parametrize("status", ["lost", "invalid", "blocked", "started"])
def test_what_was_never_measured_is_no_evidence(memory: Memory, status: str) -> None:
    log = Log(memory)
    log.run("dropout 0.1 to 0.2", status)
    assert log.ask("dropout 0.1 to 0.2").klass == "novel"


def test_a_retracted_run_is_no_evidence_and_no_setting(memory: Memory) -> None:
    log = Log(memory)
    failed = log.run("dropout 0.1 to 0.2", "discard", 1.2)
    log.verdict(failed, "retract", "retracts")
    assert log.ask("dropout 0.1 to 0.2").klass == "novel"
    kept = log.run("weight decay 0.1 to 0.2", "keep", 0.9)
    log.run("label smoothing 0.1 to 0.2", "discard", 1.2)
    assert log.ask("label smoothing 0.1 to 0.2").decision == "block"
    log.verdict(kept, "retract", "retracts")  # what failed on top of it may do without it
    assert log.ask("label smoothing 0.1 to 0.2").klass == "context_changed"


def test_a_run_within_noise_is_worth_one_replicate(memory: Memory) -> None:
    log = Log(memory)
    log.run("dropout 0.1 to 0.2", "inconclusive", 0.999)
    assert (log.ask("dropout 0.1 to 0.2").klass, log.ask("dropout 0.1 to 0.2").decision) == ("duplicate_run", "caution")
    log.run("dropout 0.1 to 0.2", "inconclusive", 1.001)
    assert log.ask("dropout 0.1 to 0.2").decision == "block"
    log.run("softcap 15 to 20", "discard", 0.9999)  # thrown away, but not worse than the champion
    assert log.ask("softcap 15 to 20").decision == "caution"
    within = log.run("rope base 10K to 20K", "ok", 1.01)
    log.verdict(within, "discard", z=-0.4)
    assert log.ask("rope base 10K to 20K").decision == "caution"
    clear = log.run("rope base 10K to 40K", "ok", 1.2)
    log.verdict(clear, "discard", z=-4.0)
    assert log.ask("rope base 10K to 40K").decision == "block"


def test_a_loss_by_the_noise_of_then_is_none_by_that_of_all_repeats_since(memory: Memory) -> None:
    log = Log(memory)
    log.verdict(log.run("rope base 10K to 20K", "ok", 1.02), "discard", z=-2.0, sigma=0.01)
    assert log.ask("rope base 10K to 20K").decision == "block"
    for number, value in enumerate((0.95, 1.0, 1.05, 1.0), 3):  # no verdict has landed since; the repeats say enough
        again = Run("c", "ok", number, "baseline", "again", metrics={"loss": value}, commit="c0")
        memory.land([Draft(f"run:c/{number}", again)], "code:test")
    assert log.ask("rope base 10K to 20K").decision == "caution"


def test_what_another_campaign_tried_is_a_caution_and_never_a_block(memory: Memory) -> None:
    data = (LOGS / "mar8.results.tsv").read_bytes()
    import_log(memory, data, "mar8.results.tsv", "code:test", "mar8", None, None)
    log = Log(memory)
    found = [log.ask(text) for text in ("embedding LR 0.8 to 0.9", "random seed 42 to 137")]
    assert {(guard.klass, guard.decision) for guard in found} == {("other_campaign", "caution")}
    assert "run 112 of mar8 was kept (0.969952), run 37 of mar8 lost (0.9" in found[0].reason
    assert [(match.run, match.campaign) for match in found[1].matches] == [(15, "mar8")]
    said = str(check_idea(memory, "c", "embedding LR 0.8 to 0.9"))
    assert "run 37 of mar8 lost" in said
    assert log.ask("embedding LR 0.9 to 0.8").klass == "novel"  # the other way is another change
    assert log.ask("embedding LR 0.8 to 0.9", "replicate").klass == "novel"
    assert replay(memory.db, "c", "exploit")[0].guard.klass == "novel"  # a log is held against itself alone
    assert "- mar8: 126 runs, 22 kept; memex brief --campaign mar8" in briefing(memory.db, "c", 1500).text
    log.run("embedding LR 0.8 to 0.9", "discard", 1.2)
    assert log.ask("embedding LR 0.8 to 0.9").decision == "block"  # its own evidence is worth more


def test_higher_may_be_better(memory: Memory) -> None:
    log = Log(memory, better="higher")
    log.run("dropout 0.1 to 0.2", "discard", 1.2)
    log.run("softcap 15 to 20", "discard", 0.8)
    assert [log.ask(text).decision for text in ("dropout 0.1 to 0.2", "softcap 15 to 20")] == ["caution", "block"]


def test_words_that_cannot_be_typed_block_only_when_they_are_the_same(memory: Memory) -> None:
    log = Log(memory)
    log.run("put a router before every block of the network", "discard", 1.2)
    assert log.ask("Put a router before every block of the network.").decision == "block"
    assert log.ask("put a router before nearly every block of the network").decision == "caution"
    assert log.ask("put 2 routers before every block of the network").decision == "allow"
    log.run("use rotary gates everywhere", "keep", 0.9)
    assert log.ask("put a router before every block of the network").klass == "context_changed"


def test_a_heading_is_recognised_where_only_its_brackets_can_be_typed(memory: Memory) -> None:
    log = Log(memory)
    log.run("DEPTH 12 to 14 at same 768 dim (ASPECT_RATIO 64 to 54)", "discard", 1.2)
    guard = log.ask("DEPTH 12 to 14 same 768 dim (AR 64 to 54, 215M params) with faster attention")
    assert (guard.klass, guard.decision, guard.matches[0].run) == ("repeat_failure", "caution", 2)
    assert log.ask("DEPTH 12 to 16 same 768 dim (AR 64 to 48, 215M params)").decision == "allow"


def test_words_that_say_the_opposite_are_no_repeat(memory: Memory) -> None:
    log = Log(memory)
    log.run("add a learned gate to the output of every attention block", "discard", 1.2)
    assert log.ask("remove a learned gate to the output of every attention block").decision == "allow"


def test_a_kept_change_that_cannot_be_read_softens_a_block(memory: Memory) -> None:
    log = Log(memory)
    log.run("dropout 0.1 to 0.2", "discard", 1.2)
    unread = log.run("mixture of experts everywhere", "keep", 0.9)
    guard = log.ask("dropout 0.1 to 0.2")
    assert (guard.klass, guard.decision) == ("repeat_failure", "caution")
    assert f"run {unread}" in guard.reason


def test_with_settings_what_was_moved_and_moved_back_has_not_changed(memory: Memory) -> None:
    log = Log(memory)
    old: dict[str, Scalar] = {"LR": 0.1, "WEIGHT_DECAY": 0.1, "DROPOUT": 0.1, "ROPE_BASE": 1}
    base = log.run("start", "keep", 0.99, settings=old)
    log.run("", "discard", 1.2, settings=old | {"DROPOUT": 0.2}, parent=base)
    away = log.run("", "keep", 0.98, settings=old | {"WEIGHT_DECAY": 0.2}, parent=base)
    assert log.ask("dropout 0.1 to 0.2", **old | {"WEIGHT_DECAY": 0.2}).klass == "context_changed"
    log.run("", "keep", 0.97, settings=old, parent=away)
    assert log.ask("dropout 0.1 to 0.2", **old).decision == "block"


def test_what_matters_to_what() -> None:
    for changed, knob in [
        ("weight_decay", "lr"), ("lr", "weight_decay"), ("embedding_weight_decay", "embedding_lr"),
        ("value_embedding_weight_decay", "value_embedding_gate_scale"), ("depth", "softcap"), ("lr", "batch_size"),
        ("weight_decay", "embedding_weight_decay"), ("lr", "lr"), ("a_knob_nobody_knows", "lr"), ("lr", "unheard_of"),
    ]:  # fmt: skip
        assert matters(changed, knob), (changed, knob)
    for changed, knob in [
        ("rope_base", "lr"), ("value_embedding_weight_decay", "embedding_weight_decay"), ("softcap", "dropout"),
        ("embedding_lr", "unembedding_lr"), ("window_pattern", "beta2"),
    ]:  # fmt: skip
        assert not matters(changed, knob), (changed, knob)
        assert not matters(knob, changed), (knob, changed)


def test_repeats_among_titles() -> None:
    from repeats import repeats

    found = repeats(
        ["exp#1: 4h_Donchian20_Trend", "exp#2: 4H_donchian20_trend", "exp#9: 4h Donchian 20 trend",
         "exp#3: 4h_Donchian55_Trend", "LR 0.1 to 0.2", "learning rate 0.1 -> 0.2", "LR 0.2 to 0.1"]
    )  # fmt: skip
    assert (found.titles, found.exact, found.near) == (7, 1, 2)
    assert found.commonest[0] == ("4h_Donchian20_Trend", 3)


# --- what the command prints


def test_check_reads_a_diff_before_the_words(memory: Memory) -> None:
    log = Log(memory)
    log.run("dropout 0.1 to 0.2", "discard", 1.2)
    diff = "--- a/train.py\n+++ b/train.py\n@@ -1 +1 @@\n-DROPOUT = 0.1  # of the MLP\n+DROPOUT = 0.2  # of the MLP\n"
    checked = check_idea(memory, "c", "dropout 0.1 to 0.2", diff)
    assert (checked.guard.klass, checked.guard.decision, checked.read_from) == ("repeat_failure", "block", "the diff")
    more = check_idea(memory, "c", "dropout 0.1 to 0.2", diff + "+x = mixture(x)\n")
    assert (more.guard.klass, more.guard.decision) == ("repeat_failure", "caution")
    assert "1 changed lines of it are no settings" in more.read_from
    source = "DROPOUT = {}\nprint(DROPOUT)\n"
    assert (
        check_idea(memory, "c", "dropout 0.1 to 0.2", (source.format(0.1), source.format(0.2))).guard.decision
        == "block"
    )
    other = check_idea(memory, "c", "dropout 0.1 to 0.2", diff.replace("0.2", "0.3"))
    assert other.guard.klass == "incremental_followup"
    nothing = check_idea(memory, "c", "better mixing", "+x = mixture(x)\n")
    assert "nothing in the diff could be read" in nothing.read_from


def test_json_and_text_of_a_check_and_a_replay(memory: Memory) -> None:
    take_in(memory, "mar8.results.tsv")
    checked = check_idea(memory, "c", "embedding WD 0.001 to 0.002", as_of=108)
    data: Any = checked.data()
    assert (data["class"], data["decision"], data["matches"][0]["run"]) == ("repeat_failure", "block", 104)
    assert {"run", "score", "why"} <= data["matches"][0].keys()
    assert data["changes"][0]["knob"] == "embedding_weight_decay"
    assert "104" in data["reason"]
    assert str(checked).startswith("block: repeat failure. Run 104 ")
    table = replay_campaign(memory, "c", "explore")
    rows: Any = table.data()
    assert [row["run"] for row in rows] == list(range(1, 127))
    assert {"run", "status", "class", "decision", "matches"} <= rows[0].keys()
    assert "126 runs, 1 blocked in mode explore, 0 of them kept" in str(table)


def test_errors_say_what_to_type(memory: Memory) -> None:
    with pytest.raises(UsageError, match="no campaign"):
        check_idea(memory, "nowhere", "LR 0.1 to 0.2")
    Log(memory)
    with pytest.raises(UsageError, match="no idea"):
        check_idea(memory, "c", "  ")
