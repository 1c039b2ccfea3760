"""What a person asks of a whole campaign: which questions are such, and that the answer is the report's."""

from __future__ import annotations

from pathlib import Path

import pytest

from memexlab.commands.ask import answered
from memexlab.lab.recording import import_log
from memexlab.lab.report.morning import asked_of_all
from memexlab.memory import Memory

LOGS = Path(__file__).parent / "data" / "logs"
WHOLE = {
    "what won last night?": "won", "How did it go overnight?": "won", "did anything improve?": "won",
    "so, any progress?": "won", "what happened last night": "won", "summary": "won",
    "is the win real?": "trust", "Is it just noise?": "trust", "can I trust the champion?": "trust",
    "should we ship this?": "trust", "how sure are we about the win": "trust", "is this real or luck?": "trust",
    "what should I try next?": "next", "What's next?": "next", "what is left to try?": "next", "any ideas?": "next",
    "what haven't we tried yet?": "next", "what did we learn so far?": "learned", "what went wrong?": "wrong",
}  # fmt: skip
#: Each says more than that, or something else: the grammar's, or nobody's.
OTHERS = [
    "what won before run 40?", "is run 12 real?", "what should I try next with depth 8?", "what happened in run 9?",
    "did anything improve accuracy?", "can I trust run 9?", "what failed?", "what won the 2019 race?", "is the win",
    "what did we learn about depth?", "how did adam do?", "what is the noise?", "", "next" * 400,
]  # fmt: skip


@pytest.fixture(scope="module")
def mar8(tmp_path_factory: pytest.TempPathFactory) -> Memory:
    memory = Memory(tmp_path_factory.mktemp("mar8"))
    log = LOGS / "mar8.results.tsv"
    import_log(memory, log.read_bytes(), log.name, "code:test", "mar8", None, None)
    return memory


@pytest.mark.parametrize(("question", "kind"), WHOLE.items())
def test_whole_questions_are_known(question: str, kind: str) -> None:
    assert asked_of_all(question) == kind


@pytest.mark.parametrize("question", OTHERS, ids=lambda text: text[:40] or "empty")
def test_a_question_that_says_more_is_not_answered_in_part(question: str) -> None:
    assert asked_of_all(question) == ""


def test_answers_are_those_of_the_report_and_name_their_runs(mar8: Memory) -> None:
    told = {kind: answered(mar8, "mar8", q, None).answer for q, kind in WHOLE.items()}
    champion = mar8.db.execute("SELECT id FROM runs WHERE number = 119").fetchone()[0]
    assert told["won"].text.startswith("Best kept run 0.9697 bits per byte (#119")
    assert "not verified" in told["won"].text
    assert "0 confirmed" in told["won"].text
    assert told["trust"].text.startswith("Can run 119 be trusted? Not yet")
    assert "\n   memex log --repeats 119 " in told["next"].text
    assert "batch_size 524000 → 262000" in told["learned"].text
    assert "#16" in told["wrong"].text
    for kind in ("won", "trust", "next"):
        assert champion in told[kind].refs


def test_the_past_is_not_answered_with_what_is_known_today(mar8: Memory) -> None:
    past = answered(mar8, "mar8", "what won last night?", "40").answer
    assert past.confidence == "none"
    assert "0.9697" not in past.text


@pytest.mark.parametrize(
    ("question", "runs"),
    [
        ("which runs increased depth?", [20, 43, 57]),
        ("was depth ever raised before run 40?", [20]),
        ("did anyone try smaller batches?", [2, 16]),
        ("how many runs used a deeper model?", 3),
    ],
)
def test_which_way_a_knob_was_moved(mar8: Memory, question: str, runs: object) -> None:
    assert answered(mar8, "mar8", question, None).answer.value == runs


def test_a_way_that_nobody_went_is_told_with_the_ways_that_were(mar8: Memory) -> None:
    told = answered(mar8, "mar8", "did I try a bigger batch?", None).answer
    assert told.value == []
    assert told.text.startswith("no run is known that moved batch_size up; 2 changed it otherwise")


def test_a_way_is_read_from_both_values_of_a_change(mar8: Memory) -> None:
    raised = answered(mar8, "mar8", "which runs raised the embedding lr?", None).answer.value
    assert isinstance(raised, list)
    assert {9, 17, 37, 112, 113} <= set(raised)
