"""Questions about the columns of a log, about ranges and changes of settings, and what is refused with a way to ask."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from memexlab.lab.recording import import_log
from memexlab.ledger import Draft, Run, Source
from memexlab.memory import Memory
from memexlab.memory.questions.answers import ask

LOGS = Path(__file__).parent / "data" / "logs"
TRADES = """commit\tstrategy\tsymbol\tsharpe\ttrades\tmetric_after\tstatus\tdescription\tperiod
a\tkama_v1\tBTCUSDT\t0.5\t10\t1\tKEEP\tcheck of kama_v1\ttrain
a\tkama_v1\tETHUSDT\t0.9\t0\t1\tREVERT\tcheck of kama_v1\ttrain
a\tkama_v1\tBTCUSDT\t-0.2\t7\t1\tKILL\tcheck of kama_v1\ttest
a\thull_v2\tETHUSDT\t0.7\t300\t1\tKEEP\tcheck of hull_v2, value embeddings\ttest
a\thull_v2\tBTCUSDT\t0.1\t55\t1\tREVERT\tcheck of hull_v2, sorted embeddings of some value\ttest
a\thull_v2\tETHUSDT\t1.4\t120\t1\tREVERT\tcheck of hull_v2\ttrain
"""


@pytest.fixture(scope="module")
def trades(tmp_path_factory: pytest.TempPathFactory) -> Memory:
    memory = Memory(tmp_path_factory.mktemp("trades"))
    import_log(memory, TRADES.encode(), "trades.tsv", "code:test", "c", "sharpe", "higher")
    return memory


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Memory:
    memory, log = Memory(tmp_path_factory.mktemp("sweep")), LOGS / "sweep.jsonl"
    import_log(memory, log.read_bytes(), log.name, "code:test", "c", None, None)
    return memory


@pytest.fixture(scope="module")
def mar8(tmp_path_factory: pytest.TempPathFactory) -> Memory:
    memory, log = Memory(tmp_path_factory.mktemp("mar8")), LOGS / "mar8.results.tsv"
    import_log(memory, log.read_bytes(), log.name, "code:test", "c", None, None)
    return memory


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("best sharpe on BTCUSDT", {"run": 1, "value": 0.5}),
        ("best sharpe in the test period", {"run": 4, "value": 0.7}),
        ("how many test runs were kept", 1),
        ("which strategy has the best sharpe", {"run": 6, "value": 1.4}),
        ("top 2 strategies", [2, 6]),
        ("how many were reverted", 3),
        ("how many were killed", 1),
        ("how many runs were discarded", 4),
        ("best sharpe with at least 50 trades in test", {"run": 4, "value": 0.7}),
        ("how many runs made zero trades", 1),
        ("runs with trades between 50 and 200", [5, 6]),
        ("runs with sharpe above 0.6 and trades under 200", [2, 6]),
        ("which runs have negative sharpe", [3]),
        ("first run with value embeddings", {"run": 4, "value": 0.7}),  # run 5 has both words apart
        ("what was thrown away after run 5", [6]),  # "after" is no short name of metric_after
        ("how many strategies were kept", None),  # of strategies, not of runs
        ("best sharpe per symbol", None),
        ("best sharpe on BTCUSDT or ETHUSDT", None),
        ("which period is better", None),
        ("runs sorted by trades", None),
        ("how many runs before the first ETHUSDT run", None),
    ],
)
def test_columns_of_a_log_may_be_named(trades: Memory, question: str, value: Any) -> None:
    answer = ask(trades.db, "c", question)
    assert (sorted(answer.value) if isinstance(answer.value, list) else answer.value) == value


def test_the_columns_of_the_best_run_stand_beside_it(trades: Memory) -> None:
    assert "symbol ETHUSDT; period train" in ask(trades.db, "c", "which symbol has the best sharpe").text


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("which runs have depth <= 3", [1, 3, 4, 7, 9, 10]),
        ("how many runs with depth between 3 and 5", 7),
        ("which depth gave the best val_bpb", 3.0),
        ("lowest val_bpb with depth under 3 or matrix_lr above 0.09", None),
        ("which is better, depth 3 or depth 4", None),
        ("is depth 3 better than depth 4", None),
        ("optimizer settings that helped", None),
    ],
)
def test_ranges_are_of_the_setting_and_alternatives_are_refused(sweep: Memory, question: str, value: Any) -> None:
    assert ask(sweep.db, "c", question).value == value


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("how often did softcap go from 15 to 20", 1),
        ("what happened with warmdown from 0.7 to 0.75", [119]),
        ("champion after 60 runs", 41),
        ("best val_bpb before the first experiment with VE WD", {"run": 103, "value": 0.972009}),  # "VE" is no "we've"
        ("how many runs had val_bpb between 0.97 and 0.971", 16),
        ("how often did we change the last setting", None),
        ("and which of them were kept", None),
        ("which wins were over 0.02", None),
        ("were there 2 crashes", None),
    ],
)
def test_changes_of_a_setting_and_moments(mar8: Memory, question: str, value: Any) -> None:
    assert ask(mar8.db, "c", question).value == value


def test_a_refusal_names_the_question_that_has_an_answer(trades: Memory) -> None:
    text = ask(trades.db, "c", "best purple sharpe on BTCUSDT").text
    assert "'purple' is not known here" in text
    typed = shlex.split(text.split("without it: ")[1].splitlines()[0])
    assert typed[:2] == ["memex", "ask"]
    assert ask(trades.db, "c", typed[2]).value == {"run": 1, "value": 0.5}


def test_a_negation_is_not_left_out_to_make_a_question(mar8: Memory) -> None:
    assert "without it" not in ask(mar8.db, "c", "best val_bpb without weight decay").text


def test_knobs_of_another_campaign_cost_the_question_nothing(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    trials = [
        {"trial_number": n, "params": {f"layer_{k}_width": n for k in range(300)}, "results": {"val_bpb": 1.0}}
        for n in range(1, 21)
    ]
    log = "".join(f"{json.dumps(trial)}\n" for trial in trials)
    import_log(memory, log.encode(), "wide.jsonl", "code:test", "wide", None, None)
    import_log(memory, TRADES.encode(), "trades.tsv", "code:test", "c", "sharpe", "higher")
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    memory.db.set_progress_handler(count, 100)
    try:
        assert ask(memory.db, "c", "was label smoothing tried").kind in ("unknown", "passages")
    finally:
        memory.db.set_progress_handler(None, 0)
    assert steps < 50  # 5, in hundreds of SQLite's steps; 500 where it looks at the other campaign's 6,000 rows


def test_a_knob_that_nobody_else_has_is_found_in_a_large_campaign(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    runs = [
        Draft(f"run:c/{n}", Run("c", "ok", n, metrics={"loss": 1.0}, settings={f"k{k}_lr": n for k in range(40)}))
        for n in range(1, 261)
    ]
    other = [Draft("run:d/1", Run("d", "ok", 1, metrics={"loss": 1.0}, settings={"elsewhere_lr": 1}))]
    meta = {"metric": "loss", "better": "lower", "origin": "import"}
    campaigns = [Draft(f"campaign:{name}", Source(name, meta=meta)) for name in "cd"]
    memory.land([*campaigns, *runs, *other], "code:test")
    assert ask(memory.db, "c", "highest k7_lr").value == 260
    assert ask(memory.db, "c", "highest elsewhere_lr").value is None
