"""The vocabulary of logs in the wild: status words, column names, which way a metric is better.

Everything here is a table or a lookup in one; nothing reads free text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from memexlab.ledger.types import RunStatus

from .imported import Better


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_STATUS_WORDS: dict[RunStatus, str] = {
    "keep": "keep kept keeper accept accepted success successful pass passed improved improvement win winner better"
    " best new_best promote promoted supported confirmed merged baseline advance",
    "discard": "discard discarded reject rejected revert reverted rollback rolled_back no_change no_improvement"
    " not_kept worse regression regressed drop dropped refuted abandon abandoned kill killed",
    "crash": "crash crashed fail failed failure error errored oom out_of_memory exception broken compile_error"
    " build_failed diverged",
    "timeout": "timeout timed_out time_out hung",
    "invalid": "invalid invalidated checks_failed check_failed tests_failed incorrect wrong void gamed",
    "blocked": "blocked skip skipped pruned",
    "inconclusive": "inconclusive tie noise within_noise same_band mixed unclear info wip deferred pending running"
    " in_progress planned filed todo provisional neutral",
    "ok": "ok complete completed done finished measured",
}
_STATUS: dict[str, RunStatus] = {w: status for status, words in _STATUS_WORDS.items() for w in words.split()}
_QUALIFIERS = frozenset({"completed", "complete", "confirmed"})

_ROLES_IN_ORDER: dict[str, str] = {
    "commit": "commit sha hash commit_hash commit_sha git_commit git_sha revision",
    "parent": "parent parent_commit parent_sha base_commit",
    "status": "status decision verdict outcome state correctness result_status",
    "description": "description desc change subject title summary idea what notes comment message experiment name",
    "hypothesis": "hypothesis",
    "error": "error error_message failure_reason",
    "at": "timestamp timestamp_utc date datetime time created created_at at finished_at datetime_complete",
    "label": "run_id run id trial trial_number number iteration iter exp experiment index name #",
    "seed": "seed random_seed",
    "hardware": "hardware gpu device accelerator",
    "diff": "diff patch train_diff",
}
_ROLES: dict[str, dict[str, int]] = {
    role: {name: rank for rank, name in enumerate(names.split())} for role, names in _ROLES_IN_ORDER.items()
}
_SETTING_PREFIX = re.compile(r"(?:params?|hparams?|hp|config|settings?|knobs?)[._/]+(.+)", re.IGNORECASE)
SECONDS_NAMES = _words(
    "wall_seconds wall_time_s wall_time_seconds total_seconds duration_seconds duration_s elapsed_seconds"
    " elapsed_s seconds training_seconds training_time_s"
)
USD_NAMES = _words("usd cost_usd cost total_cost_usd")

_LOWER = _words(
    "bpb bpc loss nll xent ppl perplexity ms us ns latency seconds secs sec time duration runtime"
    " elapsed error errors err mse rmse mae mape wer cer fid regret gap bytes size kb mb gb memory vram"
    " cost usd failures failed violations misses miss"
)
_HIGHER = _words(
    "throughput tflops gflops mflops flops accuracy acc f1 auc recall precision sharpe sortino calmar"
    " score reward return returns speedup bleu rouge win wins winrate pass passed hit hits iou map ndcg"
    " mrr elo top1 top5 mfu tps qps rps fps profit r2"
)
_RATE = re.compile(
    r"(?:^|_)(?:tok|token|tokens|req|reqs|requests|samples|images|it|iters|steps|items|rows|ops|queries)_(?:per_)?"
    r"(?:s|sec|second)(?:_|$)|_per_(?:s|sec|second)(?:_|$)"
)
_NEVER_ZERO = _words("bpb bpc loss nll xent ppl perplexity ms us ns latency seconds secs sec time duration runtime")
_RESOURCE = _words(
    "memory vram mem gb mb kb bytes params param steps batch mfu seconds sec secs time wall duration"
    " elapsed cost usd tokens num count peak depth delta before pct confidence"
)
_PLAIN_NAMES = ("val_bpb", "metric_after", "metric", "objective", "score", "value", "result", "val_loss", "test_loss")
_UNITS = {"bpb": "bits per byte", "tflops": "TFLOPS", "gflops": "GFLOPS", "ms": "ms", "us": "us", "seconds": "s",
          "s": "s", "mb": "MB", "gb": "GB", "usd": "USD"}  # fmt: skip
_SEPARATORS = re.compile(r"[^a-z0-9#]+")


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """Lower case, words joined by single underscores."""
    return _SEPARATORS.sub("_", name.lower()).strip("_")


@lru_cache(maxsize=4096)
def status_of(word: str, is_trial: bool = False) -> RunStatus | None:
    """The run status a log's own word stands for, or None if it is not known.

    Compound words (`refuted/tie`, `provisional-supported`) take the least certain part. In a sweep (`is_trial`),
    success says that the trial ended, not that somebody kept it.
    """
    key = plain(word)
    if is_trial and key in ("success", "successful", "pass", "passed"):
        return "ok"
    if key in _STATUS:
        return _STATUS[key]
    parts = key.replace("same_band", "tie").split("_")
    found = {_STATUS[part] for part in parts if part in _STATUS and part not in _QUALIFIERS}
    if len(parts) < 2 or not found or any(part not in _STATUS for part in parts):
        return None
    for cautious in ("invalid", "inconclusive"):
        if cautious in found:
            return "invalid" if cautious == "invalid" else "inconclusive"
    return found.pop() if len(found) == 1 else None


def roles_of(name: str) -> dict[str, int]:
    """The roles a column or key of this name may have, each with its rank among the names of that role (0 is first)."""
    key = plain(name)
    return {role: names[key] for role, names in _ROLES.items() if key in names}


def setting_name(name: str) -> str:
    """`lr` of `params.lr`, `hp_lr`, `config/lr`; empty for a column that does not call itself a setting."""
    match = _SETTING_PREFIX.fullmatch(name)
    return match[1] if match else ""


def better_of(metric: str, unit: str = "") -> Better:
    """Which way the metric is better, from its name and then its unit; empty if they do not say or contradict."""
    key = plain(metric)
    if _RATE.search(key):
        return "higher"
    for words in (set(key.split("_")), {plain(unit)}):
        lower, higher = words & _LOWER, words & _HIGHER
        if lower or higher:
            return "" if lower and higher else "lower" if lower else "higher"
    return ""


def never_zero(metric: str, unit: str = "") -> bool:
    """Whether 0 cannot be a measurement of this metric: a loss, bits per byte, a perplexity, a time."""
    key = plain(metric)
    return not _RATE.search(key) and bool({*key.split("_"), plain(unit)} & _NEVER_ZERO) and better_of(key) != "higher"


def unit_of(metric: str) -> str:
    """The unit the metric's name states, or an empty string."""
    key = plain(metric)
    if _RATE.search(key):
        return "tokens/s" if "tok" in key else "1/s"
    return next((_UNITS[word] for word in reversed(key.split("_")) if word in _UNITS), "")


def choose_metric(names: Sequence[str], wanted: str | None) -> str:
    """The metric a log is about: the wanted one, else the best known name, else the first of `names`; empty for none.

    Names that measure what a run used (memory, steps, time) come after names that measure how good it is.
    """
    by_plain = {plain(name): name for name in reversed(names)}
    if wanted is not None:
        return by_plain.get(plain(wanted), "")
    for known in _PLAIN_NAMES:
        if known in by_plain:
            return by_plain[known]

    def rank(name: str) -> int:
        words = set(plain(name).split("_"))
        stated = bool(better_of(name))
        if stated and words & {"val", "valid", "validation", "test", "eval"}:
            return 0
        if words & _RESOURCE and not _RATE.search(plain(name)):
            return 3 if stated else 4
        return 1 if stated else 2

    return min(names, key=rank, default="")
