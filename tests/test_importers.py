"""Importers: every physical line has one fate, no bytes raise, a failed run has no metric."""

from __future__ import annotations

import codecs
import gzip
import json
import math
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memexlab.lab.importers import Imported, read_log
from memexlab.ledger.types import FAILED, Draft
from memexlab.ledger.wire import entry_json

SAMPLES = Path(__file__).parent / "data" / "logs"
SHARED = Path(__file__).parents[2] / "shared" / "data"
LOGS = SHARED / "experiment-logs"
BAD = SHARED / "bad-inputs"
UPSTREAM = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"

PI_LOG = (SAMPLES / "pi.jsonl").read_bytes()

MEMORYLAB_LOG = (SAMPLES / "memorylab.jsonl").read_bytes()


def physical_line_count(data: bytes) -> int:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = data.decode("utf-16", "replace")
    else:
        text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
    return text.count("\n") + (bool(text) and not text.endswith("\n"))


def check(data: bytes, got: Imported) -> None:
    """What holds for any bytes."""
    assert [fate.line for fate in got.fates] == list(range(1, physical_line_count(data) + 1))
    assert [one.run.number for one in got.runs] == list(range(1, len(got.runs) + 1))
    fate_of = {fate.line: fate for fate in got.fates}
    for one in got.runs:
        assert fate_of[one.line].fate == "run"
        assert fate_of[one.line + one.lines - 1].fate in ("run", "continuation")
        assert all(math.isfinite(value) for value in one.run.metrics.values())
        assert not (one.run.status in FAILED and one.run.metrics)
        assert entry_json(Draft("run", one.run), "code:test", "2026-01-01T00:00:00Z")
    lines_with_runs = [fate for fate in got.fates if fate.fate == "run"]
    assert len(lines_with_runs) <= len(got.runs)
    assert all(1 <= fate.run <= len(got.runs) for fate in got.fates if fate.fate in ("run", "continuation"))
    assert all(fate.why for fate in got.fates if fate.fate == "refused")


def read(text: str | bytes, **how: str) -> Imported:
    data = text.encode() if isinstance(text, str) else text
    got = read_log(data, "results.tsv", "c", **how)
    check(data, got)
    return got


def statuses(got: Imported) -> Counter[str]:
    return Counter(one.run.status for one in got.runs)


def fates(got: Imported) -> Counter[str]:
    return Counter(fate.fate for fate in got.fates)


def rules(got: Imported) -> set[str]:
    return {finding.rule for finding in got.findings}


def log(name: str) -> bytes:
    path = LOGS / name
    if not path.exists():
        print(f"skipped: {path} is not there")
        pytest.skip(f"no {path}")
    return path.read_bytes()


def test_the_published_session_is_126_runs_and_only_the_crash_has_no_metric() -> None:
    got = read((SAMPLES / "mar8.results.tsv").read_bytes())
    assert (got.format, got.metric, got.unit, got.better) == ("results.tsv", "val_bpb", "bits per byte", "lower")
    assert statuses(got) == {"keep": 23, "discard": 102, "crash": 1}
    assert fates(got) == {"header": 1, "run": 126}
    assert [one.run.role for one in got.runs].count("baseline") == 1
    assert got.runs[0].run.role == "baseline"
    assert [one.line for one in got.runs if "val_bpb" not in one.run.metrics] == [17]
    crash = got.runs[15].run
    assert (crash.status, crash.metrics, crash.commit) == ("crash", {}, "e05a87d")
    assert got.runs[1].run.metrics == {"val_bpb": 0.986041, "memory_gb": 43.9}
    assert got.runs[1].run.description == "halve batch 524K to 262K (more steps in 5 min)"
    assert got.findings == ()


def test_code_in_a_description_continues_it_and_loses_no_line() -> None:
    got = read((SAMPLES / "multiline.results.tsv").read_bytes(), better="higher")
    with_code = [one for one in got.runs if one.lines > 1]
    assert with_code
    assert with_code[0].line == 163
    assert with_code[0].run.description == (
        "castor/agents/manipulator_agent.py: ```python\nimport pytest\nfrom unittest.mock import MagicMock"
    )
    assert fates(got)["refused"] == 0
    assert (got.metric, got.better) == ("metric_after", "higher")
    crash = next(one for one in got.runs if one.run.status == "crash")
    assert crash.run.metrics == {}
    assert crash.run.meta["stated_metrics"] == {"metric_before": 18.0, "metric_after": 18.0}


@pytest.mark.parametrize(
    ("name", "runs", "expected", "metric", "better"),
    [
        ("karpathy-autoresearch/pr577.results.tsv", 440, {"discard": 431, "crash": 9}, "metric_after", ""),
        ("karpathy-autoresearch/pr71.multi-ralph.results.tsv", 20, {"keep": 5, "discard": 15}, "val_bpb", "lower"),
        ("TrainRTX5070/results.tsv", 69, {"keep": 20, "discard": 42, "crash": 7}, "val_bpb", "lower"),
        (
            "autokernel5090/results.tsv",
            126,
            {"keep": 72, "discard": 35, "crash": 14, "blocked": 4, "inconclusive": 1},
            "throughput_tflops",
            "higher",
        ),
        (
            "trading/results-20260321T2329-45ef0be916.tsv",
            372,
            {"keep": 89, "discard": 283},
            "sharpe",
            "higher",
        ),
    ],
)
def test_large_logs(name: str, runs: int, expected: dict[str, int], metric: str, better: str) -> None:
    got = read(log(name))
    assert len(got.runs) == runs
    assert statuses(got) == expected
    assert (got.metric, got.better) == (metric, better)
    assert fates(got)["refused"] == 0


def test_the_damaged_log_accounts_for_each_of_its_561_lines() -> None:
    got = read(log("karpathy-autoresearch/pr577.results.tsv"))
    assert fates(got) == {"header": 1, "run": 440, "continuation": 102, "blank": 18}


def test_a_wiki_index_has_runs_without_a_metric_and_cautious_statuses() -> None:
    got = read(log("tpu-wiki/experiments_index.tsv"))
    assert len(got.runs) == 640
    assert (got.metric, fates(got)["refused"]) == ("", 0)
    by_word = {one.run.meta.get("status_word", ""): one.run.status for one in got.runs}
    assert by_word["refuted/tie"] == by_word["provisional-supported"] == by_word[""] == "inconclusive"
    assert (by_word["confirmed-supported"], by_word["invalid/refuted"]) == ("keep", "invalid")
    assert {"no-metric", "no-status"} <= rules(got)


@pytest.mark.slow
def test_a_log_of_145_thousand_rows_is_read_in_seconds() -> None:
    data = gzip.decompress(log("trading/commits.tsv.gz"))
    began = time.perf_counter()
    got = read_log(data, "commits.tsv", "c")
    print(f"{len(got.runs):,} rows in {time.perf_counter() - began:.1f} s")
    assert len(got.runs) == 145_852
    assert [fate.line for fate in got.fates] == list(range(1, 145_854))
    assert len(got.findings) < 10


def test_the_word_of_each_log_stands_for_a_status() -> None:
    words = {
        "keep": "keep kept KEEP accepted success PASS improved",
        "discard": "discard rejected REVERT no-change no_improvement reverted KILL",
        "crash": "crash fail ERROR oom failed",
        "timeout": "timeout timed-out",
        "invalid": "checks_failed invalid",
        "inconclusive": "inconclusive tie WIP banana",
        "ok": "complete done",
    }
    for status, spelled in words.items():
        for word in spelled.split():
            got = read(f"{UPSTREAM}abc1234\t0.9\t44.0\t{word}\tidea\n")
            assert [one.run.status for one in got.runs] == [status], word
            assert got.runs[0].run.meta["status_word"] == word
            assert ("unknown-status" in rules(got)) == (word == "banana")


@pytest.mark.parametrize(
    "cell", ["nan", "NaN", "inf", "-Infinity", "1_0", "٠٫٩", "٠.٩٩", "1e400", "1e-400", "0x10", "0,97", "44%", "0.0"]
)
def test_a_metric_that_is_no_number_makes_the_run_invalid(cell: str) -> None:
    got = read(f"{UPSTREAM}abc1234\t{cell}\t44.0\tkeep\tidea\n")
    (one,) = got.runs
    assert (one.run.status, dict(one.run.metrics)) == ("invalid", {})
    assert one.run.meta["refused_metric"] in (cell, "0")
    assert one.run.meta["status_word"] == "keep"
    finding = next(finding for finding in got.findings if finding.rule == "metric-refused")
    assert finding.where == "results.tsv:2"
    assert got.fates[1].why.startswith("val_bpb refused")


@pytest.mark.parametrize("cell", ["", "N/A", "-", "none"])
def test_a_metric_that_is_not_there_leaves_the_status_alone(cell: str) -> None:
    got = read(f"{UPSTREAM}abc1234\t{cell}\t44.0\tdiscard\tidea\n")
    assert got.runs[0].run.status == "discard"
    assert "val_bpb" not in got.runs[0].run.metrics
    assert "unmeasured" in rules(got)


def test_the_same_commit_twice_is_two_runs() -> None:
    got = read(f"{UPSTREAM}abc1234\t0.9\t44.0\tkeep\tidea\nabc1234\t0.91\t44.0\tdiscard\tagain\n")
    assert [(one.run.commit, one.run.number) for one in got.runs] == [("abc1234", 1), ("abc1234", 2)]


def test_a_name_that_is_no_commit_is_a_label() -> None:
    got = read((SAMPLES / "several-agents.results.tsv").read_bytes())
    assert [one.run.meta["label"] for one in got.runs][:3] == ["baseline", "001", "exp003"]
    assert {one.run.commit for one in got.runs} == {""}
    # "Concurrent baseline" later in the file is not the baseline.
    assert [one.run.number for one in got.runs if one.run.role == "baseline"] == [1]


def test_crlf_and_a_byte_order_mark_change_nothing() -> None:
    plain = (SAMPLES / "mar8.results.tsv").read_bytes()
    dressed = codecs.BOM_UTF8 + plain.replace(b"\n", b"\r\n")
    wide = plain.decode().encode("utf-16")
    assert read(dressed).runs == read(plain).runs == read(wide).runs


def test_bytes_that_are_not_utf8_are_replaced_and_reported() -> None:
    got = read(UPSTREAM.encode() + b"abc1234\t0.9\t44.0\tkeep\tid\xff\xfea\n")
    assert got.runs[0].run.description == "id\ufffd\ufffda"
    assert [(finding.rule, finding.where) for finding in got.findings] == [("encoding", "results.tsv:2")]


def test_tabs_inside_a_description_stay_in_it() -> None:
    got = read(f"{UPSTREAM}abc1234\t0.9\t44.0\tkeep\ta\tb\tc\n")
    assert got.runs[0].run.description == "a\tb\tc"
    middle = "commit\tstatus\tdescription\tsharpe\nabc1234\tkeep\ta\tb\t1.5\n"
    one = read(middle).runs[0].run
    assert (one.description, one.metrics) == ("a\tb", {"sharpe": 1.5})


def test_a_short_row_keeps_its_status_and_no_number_without_a_column() -> None:
    got = read(f"{UPSTREAM}abc1234\t0.9\tkeep\tidea\nabc1235\t0.9\t44.0\tdiscard\n")
    first, second = (one.run for one in got.runs)
    assert (first.status, first.description, first.metrics) == ("keep", "idea", {})
    assert first.meta["cells_without_column"] == ["0.9"]
    assert (second.status, second.metrics) == ("discard", {"val_bpb": 0.9, "memory_gb": 44.0})
    assert "short-row" in rules(got)


def test_a_header_that_comes_again_is_a_header() -> None:
    got = read(f"{UPSTREAM}abc1234\t0.9\t44.0\tkeep\ta\n{UPSTREAM}abc1235\t0.8\t44.0\tkeep\tb\n")
    assert [fate.fate for fate in got.fates] == ["header", "run", "header", "run"]


def test_several_tables_in_one_file() -> None:
    got = read(
        f"{UPSTREAM}abc1234\t0.9\t44.0\tkeep\ta\n\n"
        "experiment,accuracy,status,notes\n7,0.5,keep,b\n"
        "abc1235\t0.8\t44.0\tkeep\tc\n"
    )
    assert [dict(one.run.metrics) for one in got.runs] == [
        {"val_bpb": 0.9, "memory_gb": 44.0},
        {"accuracy": 0.5},
        {"val_bpb": 0.8, "memory_gb": 44.0},
    ]
    assert got.metric == "val_bpb"
    assert "several-metrics" in rules(got)


def test_a_header_pasted_into_a_description_does_not_unmake_the_rows_after_it() -> None:
    got = read(f"{UPSTREAM}abc1234\t0.9\t44.0\tkeep\ta\ncommit\tstatus\nabc1235\t0.8\t44.0\tkeep\tb\n")
    assert [dict(one.run.metrics) for one in got.runs] == [
        {"val_bpb": 0.9, "memory_gb": 44.0},
        {"val_bpb": 0.8, "memory_gb": 44.0},
    ]


def test_without_a_header_the_content_says_what_the_columns_are() -> None:
    rows = (SAMPLES / "mar8.results.tsv").read_text().split("\n", 1)
    got = read(rows[1])
    assert (len(got.runs), got.metric, rules(got)) == (126, "val_bpb", {"no-header"})
    other = read("abc1234,17.5,kept,first\nabc1235,17.1,dropped,second\n", metric="wer")
    assert [(one.run.status, dict(one.run.metrics)) for one in other.runs] == [
        ("keep", {"wer": 17.5}),
        ("discard", {"wer": 17.1}),
    ]
    assert other.better == "lower"


def test_quoted_cells_may_hold_delimiters_and_line_feeds() -> None:
    got = read('commit,accuracy,status,description\nabc1234,0.5,keep,"a, ""b""\nand c"\nabc1235,0.6,keep,d\n')
    assert [one.run.description for one in got.runs] == ['a, "b"\nand c', "d"]
    assert [fate.fate for fate in got.fates] == ["header", "run", "continuation", "run"]


def test_an_open_quote_swallows_no_row() -> None:
    got = read(f'{UPSTREAM}abc1234\t0.9\t44.0\tkeep\t"unclosed\nabc1235\t0.8\t44.0\tkeep\tb "c"\n')
    assert [one.run.description for one in got.runs] == ['"unclosed', 'b "c"']


def test_other_columns_are_metrics_or_meta_and_settings_only_if_called_so() -> None:
    got = read(
        "commit\tval_bpb\tstatus\tsymbol\tbatch_size\tparams.lr\thp_depth\tseed\twall_time_s\tdate\tdescription\n"
        "abc1234\t0.9\tkeep\tBTC\t4\t0.04\t8\t42\t301.5\t2026-03-11 04:30:00\tidea\n"
    )
    (one,) = got.runs
    assert one.run.metrics == {"val_bpb": 0.9, "batch_size": 4.0, "wall_time_s": 301.5}
    assert one.run.settings == {"lr": 0.04, "depth": 8.0}
    assert (one.run.seed, one.run.seconds, one.at) == (42, 301.5, "2026-03-11T04:30:00")
    assert one.run.meta == {"symbol": "BTC", "status_word": "keep"}


@pytest.mark.parametrize(
    ("metric", "better"),
    [
        ("val_bpb", "lower"),
        ("train_loss", "lower"),
        ("latency_us", "lower"),
        ("p95_ms", "lower"),
        ("perplexity", "lower"),
        ("error_rate", "lower"),
        ("throughput", "higher"),
        ("tok_per_sec", "higher"),
        ("decode_tok_s", "higher"),
        ("accuracy", "higher"),
        ("sharpe", "higher"),
        ("reward", "higher"),
        ("time_to_accuracy", ""),
        ("quux", ""),
    ],
)
def test_the_name_of_the_metric_says_which_way_is_better(metric: str, better: str) -> None:
    text = f"commit\t{metric}\tstatus\tdescription\nabc1234\t0.9\tkeep\tidea\n"
    got = read(text)
    assert (got.metric, got.better) == (metric, better)
    hints = [finding.hint for finding in got.findings if finding.rule == "unknown-direction"]
    assert hints == ([] if better else ["memex import results.tsv --better lower"])
    assert read(text, better="higher").better == "higher"


def test_the_wanted_metric_holds_and_one_that_is_not_there_is_an_error() -> None:
    data = (SAMPLES / "serving.results.tsv").read_bytes()
    got = read(data)
    assert (got.metric, got.unit, got.better) == ("decode_tok_s", "tokens/s", "higher")
    assert statuses(got) == {"keep": 43, "discard": 21, "crash": 7, "inconclusive": 2}
    assert read(data, metric="batch32_tok_s").metric == "batch32_tok_s"
    missing = read(data, metric="elo")
    assert missing.metric == ""
    assert [f.severity for f in missing.findings if f.rule == "no-metric"] == ["error"]


def test_pi_autoresearch_names_its_metric_in_a_header_line() -> None:
    got = read(PI_LOG)
    assert (got.format, got.metric, got.unit, got.better) == ("pi-jsonl", "total_ms", "ms", "lower")
    assert [fate.fate for fate in got.fates] == ["header", "run", "run", "comment", "run", "run"]
    assert [one.run.status for one in got.runs] == ["keep", "keep", "crash", "invalid"]
    first, second, _, unchecked = (one.run for one in got.runs)
    assert (first.role, first.metrics) == ("baseline", {"total_ms": 100.0, "compile_ms": 50.0})
    assert got.runs[0].at == "2024-03-21T05:46:40+00:00"
    assert (second.hypothesis, second.meta["label"]) == ("parsing dominates", "2")
    assert unchecked.meta["stated_metrics"] == {"total_ms": 70.0}


def test_segments_of_different_metrics_are_told_apart() -> None:
    other = b'{"type":"config","metric_name":"score","direction":"higher"}\n'
    other += b'{"commit":"eee5555","metric":5,"status":"keep","description":"baseline"}\n'
    got = read(PI_LOG + other)
    assert (got.metric, got.runs[-1].run.metrics, got.runs[-1].run.role) == ("total_ms", {"score": 5.0}, "baseline")
    assert got.runs[-1].run.meta["segment"] == 1
    assert "several-metrics" in rules(got)
    score = read(PI_LOG + other, metric="score")
    assert (score.metric, score.better) == ("score", "higher")


def test_memorylab_keeps_hypothesis_parent_and_error() -> None:
    got = read(MEMORYLAB_LOG)
    assert (got.format, got.metric, got.better) == ("memorylab-jsonl", "val_bpb", "lower")
    kept, crashed = got.runs
    assert (kept.parent_commit, kept.at, kept.run.commit) == ("def5678", "2026-03-11T04:30:00Z", "abc1234")
    assert kept.run.hypothesis == "higher lr learns faster"
    assert kept.run.metrics == {"val_bpb": 0.991234, "peak_vram_mb": 4096.0, "training_seconds": 300.0}
    assert (kept.run.seconds, kept.run.meta["notes"], kept.run.meta["family"]) == (300.0, "promising", "optimizer")
    assert kept.run.meta["classification"] == "novel"
    assert (crashed.run.status, crashed.run.error) == ("crash", "RuntimeError: CUDA out of memory")
    assert crashed.run.metrics == {}


def test_a_sweep_states_its_settings() -> None:
    got = read((SAMPLES / "sweep.jsonl").read_bytes())
    assert (got.format, got.metric, statuses(got)) == ("trials-jsonl", "val_bpb", {"ok": 10})
    assert got.runs[0].run.settings["depth"] == 3
    assert got.runs[0].run.settings["window_pattern"] == "L"
    assert got.runs[0].at == "2026-03-11T17:17:55.375828"
    trial = read('{"number":0,"value":0.5,"params":{"lr":0.1},"state":"COMPLETE"}\n')
    assert (trial.metric, trial.runs[0].run.metrics) == ("value", {"value": 0.5})


def test_strict_json() -> None:
    deep = '{"metric":1,"status":"keep","x":' + "[" * 100_000 + "}"
    got = read(
        '{"val_bpb":0.9,"val_bpb":0.1}\n'
        '{"val_bpb":NaN,"status":"keep"}\n'
        '{"val_bpb":0.9,"status":"keep","description":"\\ud800"}\n'
        f"{deep}\n"
        '{"val_bpb":1e999,"status":"keep"}\n'
        f'{{"val_bpb":{"9" * 5000},"status":"keep"}}\n'
        '{"val_bpb":0.9} {"val_bpb":0.8}\n'
        '{"val_bpb":0.7,"sta'
    )
    assert [fate.fate for fate in got.fates] == [
        "refused", "run", "run", "refused", "run", "run", "run", "refused",
    ]  # fmt: skip
    expected = ["invalid", "keep", "invalid", "invalid", "inconclusive", "inconclusive"]
    assert [one.run.status for one in got.runs] == expected
    assert [one.run.metrics.get("val_bpb") for one in got.runs] == [None, 0.9, None, None, 0.9, 0.8]
    assert "twice" in got.fates[0].why
    assert "deeper" in got.fates[3].why


def test_nul_bytes_of_a_lost_write_hide_no_run() -> None:
    table = read(f"{UPSTREAM}\0\0abc1234\t0.9\t44.0\tkeep\tidea\n\0\0\0\n")
    log = read('\0\0{"val_bpb":0.9,"status":"keep"}\n\0\0\0\n')
    for got, line in ((table, 2), (log, 1)):
        assert [(one.line, one.run.status, one.run.metrics["val_bpb"]) for one in got.runs] == [(line, "keep", 0.9)]
        assert [finding.where for finding in got.findings if finding.rule == "encoding"] == [
            f"results.tsv:{line}", f"results.tsv:{line + 1}",
        ]  # fmt: skip
        assert got.fates[-1].fate == "blank"


def test_a_nested_setting_is_one_setting_and_a_number_in_quotes_is_a_number() -> None:
    (one,) = read('{"params":{"lr":0.1,"opt":{"name":"muon"}},"results":{"val_loss":"0.5","note":"x"}}\n').runs
    assert one.run.settings == {"lr": 0.1, "opt": '{"name": "muon"}'}
    assert (one.run.metrics, one.run.meta) == ({"val_loss": 0.5}, {"note": "x"})


def test_a_label_and_a_clock_time_are_no_numbers() -> None:
    got = read("run\ttime\tstatus\tnotes\na\t04:30:00\tkeep\tb\n")
    assert (got.metric, got.runs[0].run.status) == ("", "keep")
    text = read("commit,accuracy,status,notes\nabc1234,0.5,keep,b\nand so,abc1235,or not,c\n")
    assert [fate.fate for fate in text.fates] == ["header", "run", "continuation"]


def test_nothing_to_read_is_said() -> None:
    assert (read(b"").format, rules(read(b""))) == ("empty", {"no-runs"})
    got = read("Dear diary,\ntoday I tuned the learning rate.\n")
    assert (got.format, fates(got)) == ("unknown", {"refused": 2})


def test_a_thousand_bad_rows_have_a_readable_report() -> None:
    got = read(UPSTREAM + "abc1234\tnan\t44.0\tkeep\tidea\n" * 1000)
    assert statuses(got) == {"invalid": 1000}
    assert len(got.findings) == 51
    assert "950 more" in got.findings[-1].message


def test_hostile_files() -> None:
    folder = BAD
    if not folder.exists():
        print(f"skipped: {folder} is not there")
        pytest.skip(f"no {folder}")
    paths = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.stat().st_size < 2_000_000]
    assert len(paths) > 300
    for path in paths:
        data = path.read_bytes()
        check(data, read_log(data, path.name, "c"))


def test_hostile_strings_in_every_cell() -> None:
    path = BAD / "blns" / "blns.json"
    if not path.exists():
        print(f"skipped: {path} is not there")
        pytest.skip(f"no {path}")
    for text in json.loads(path.read_text(encoding="utf-8")):
        for row in (
            f"{text}\t0.9\t44.0\tkeep\tidea",
            f"abc1234\t{text}\t44.0\tkeep\tx",
            f"abc1234\t0.9\t4\tkeep\t{text}",
        ):
            read((UPSTREAM + row + "\n").encode("utf-8", "replace"))
        read(json.dumps({"metric": text, "status": text, "description": text, text: text}).encode())


SEEDS = [
    (SAMPLES / "multiline.results.tsv").read_bytes().split(b"\n", 160)[-1][:1500],
    (SAMPLES / "mar8.results.tsv").read_bytes()[:1200],
    b'commit,accuracy,status,description\nabc1234,0.5,keep,"a, b\nc"\nabc1235,nan,oom,d\n',
    (SAMPLES / "sweep.jsonl").read_bytes()[:1300],
    PI_LOG,
    MEMORYLAB_LOG,
]
PIECES = [b"\n", b"\r\n", b"\t", b",", b";", b'"', b"\0", b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"{", b"}", b"[" * 40,
          b"nan", b"1e400", b"\\ud800", b"#", b"```", b"keep", UPSTREAM.encode(), b"abc1234\t0.9\t4\tkeep\tx\n",
          b"\xe2\x80\xa8", b"\x85", b"\x0b", b"\x1c"]  # fmt: skip


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.sampled_from(SEEDS),
    edits=st.lists(
        st.tuples(
            st.floats(0, 1, allow_nan=False),
            st.integers(0, 40),
            st.one_of(st.sampled_from(PIECES), st.binary(max_size=8)),
        ),
        max_size=12,
    ),
)
def test_no_bytes_lose_a_line_or_raise(seed: bytes, edits: list[tuple[float, int, bytes]]) -> None:
    data = seed
    for place, cut, piece in edits:
        at = int(place * len(data))
        data = data[:at] + piece + data[at + cut :]
    check(data, read_log(data, "log", "c"))
