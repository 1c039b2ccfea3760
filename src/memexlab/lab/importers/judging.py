"""What a log states about each run, and the runs made of it: status, metric or none, and findings where it is doubted.

Knows no file format. The rules are the same for every log: a failed run has no metric, a number that is no number
makes the run invalid, and a word that is not known decides nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from memexlab.ledger.types import FAILED, Run, Scalar

from . import words
from .imported import ImportedRun, Report

TEXT_LIMIT_CHARS = 20_000


@dataclass(slots=True)
class Stated:
    """What a log states about one run: `text` by role, a metric that is no number in `meta`, `why` a row was mended."""

    line: int
    lines: int = 1
    metric: str = ""
    is_first: bool = False
    why: str = ""
    text: dict[str, str] = field(default_factory=dict)
    description: list[str] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    settings: dict[str, Scalar] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None

    def take(self, name: str, role: str, value: Any) -> None:
        """Puts a value where its role says; without a role a number is a metric, and the rest is kept as meta."""
        if role == "setting" and not isinstance(value, (list, dict)):
            self.settings[words.SETTING.sub(r"\1", name)] = value
        elif not role and words.is_number(value):
            self.metrics.setdefault(name, float(value))
        elif not fits(role, value):
            text = value if isinstance(value, str) else json.dumps(value)
            self.meta[name] = value if len(text) <= TEXT_LIMIT_CHARS else text[:TEXT_LIMIT_CHARS]
        elif role == "seed":
            self.seed = int(value)
        elif role == "description":
            self.description = value.split("\n")
        else:
            self.text[role] = words.instant(value) if role == "at" else str(value).strip()


@dataclass(frozen=True, slots=True)
class Log:
    """A whole log as stated: what it is about, and the names that could have been asked for as its metric."""

    format: str
    stated: Sequence[Stated]
    metric: str
    metric_names: Sequence[str]
    unit: str = ""
    better: words.Better = ""


def fits(role: str, value: Any) -> bool:
    """Whether a value is of use in a role: a whole number as a seed, an instant as a time, mostly text elsewhere."""
    if role in ("", "id", "setting"):
        return False
    if role == "seed":
        return words.is_number(value) and value == int(value)
    if role == "at":
        return bool(words.instant(value))
    return isinstance(value, str) or (role in ("commit", "parent", "label") and words.is_number(value))


def report_whole(log: Log, runs: Sequence[Run], report: Report, asked: str | None, better: words.Better) -> None:
    """Reports what is wrong with a log as a whole; `asked` is the metric a person named."""
    metric, names = log.metric, ", ".join(log.metric_names[:20])
    several = ", ".join([metric, *sorted({one.metric for one in log.stated} - {metric, ""})])
    silent = sum("status_word" not in run.meta for run in runs)
    zeros = sum(run.metrics.get(metric) == 0 for run in runs)
    unmeasured = sum(metric not in run.metrics and run.status not in FAILED for run in runs)
    odd = {name for one in log.stated for name in one.meta} & {name for one in log.stated for name in one.metrics}
    told = (
        (not runs, "no-runs", "the file is empty" if log.format == "empty" else "no run was found in this file"),
        (metric and several != metric, "several-metrics", f"the log is about {several}; compare only by the same one"),
        (names and not metric and asked, "no-metric", f"no column or field is called {asked}; there are {names}"),
        (runs and not metric and not asked, "no-metric", "no column or field is known to be a metric"),
        (silent, "no-status", f"{silent:,} of {len(runs):,} runs have no status in the log and are inconclusive"),
        (runs and metric and not better, "unknown-direction", f"the log does not say which way {metric} is better"),
        (zeros and better != "higher", "zero-metric", f"{zeros:,} runs state a {metric} of exactly 0, kept as 0"),
        (metric and unmeasured, "unmeasured", f"{unmeasured:,} runs were judged by the log but state no {metric}"),
        (odd, "odd-cells", f"values of {', '.join(sorted(odd))} that are no numbers were kept as text"),
    )
    for applies, rule, message in told:
        if applies:
            report.add(rule, 0, message, "error" if asked and rule == "no-metric" else None)


def judged(one: Stated, number: int, unit: str, campaign: str, report: Report) -> ImportedRun:
    """The run made of what was stated; `unit` is that of the metric, as the log has it."""
    one.text["description"] = "\n".join(one.description).strip()
    for role, stated in one.text.items():
        if len(stated) > TEXT_LIMIT_CHARS:
            report.add("long-text", one.line, f"the {role} has {len(stated):,} characters and is cut")
    text = {role: stated[:TEXT_LIMIT_CHARS] for role, stated in one.text.items()}
    word, name, parent = text.get("status", ""), text.get("commit", ""), text.get("parent", "")
    status = words.status_of(word, is_sweep="commit" not in text and bool(one.settings)) or "inconclusive"
    if word and not words.status_of(word):
        report.add("unknown-status", one.line, f"the status word {word[:80]} is not known; the run is inconclusive")
    refused = "" if one.metric in one.metrics else str(one.meta.pop(one.metric, ""))[:80]
    if status not in FAILED:
        if one.metrics.get(one.metric) == 0 and words.never_zero(one.metric, unit):
            refused = "0"
        if refused:
            report.add("metric-refused", one.line, f"{one.metric} is {refused}, no measurement; the run is invalid")
            status = "invalid"
    if report.fate(one.line) != "run":  # of two runs on a line, the first has it
        report.put(one.line, "run", f"{one.metric} refused: {refused}" if refused else one.why, number)
    failed = status in FAILED
    commit = name if words.COMMIT.fullmatch(name) else ""
    own = {
        "status_word": word,
        "label": text.get("label") or ("" if commit or words.is_missing(name) else name),
        "refused_metric": refused,
        "stated_metrics": {name: value for name, value in one.metrics.items() if failed and value != 0},
    }
    spent = {words.SPENT.get(words.plain(name)): value for name, value in reversed(one.metrics.items())}
    # The role feeds the noise floor: a later run that only mentions the word must not be pooled with the baseline.
    opens_so = one.is_first and words.plain(text["description"]).split("_")[0] == "baseline"
    is_baseline = opens_so or "baseline" in (name, words.plain(word))
    run = Run(
        campaign=campaign,
        status=status,
        number=number,
        role="baseline" if is_baseline else "candidate",
        description=text["description"],
        hypothesis=text.get("hypothesis", ""),
        metrics={} if failed else one.metrics,
        settings=one.settings,
        commit=commit,
        seed=one.seed,
        seconds=spent.get("seconds"),
        usd=spent.get("usd"),
        hardware=text.get("hardware", ""),
        self_reported=True,
        error=text.get("error", ""),
        meta=one.meta | {key: value for key, value in own.items() if value},
    )
    return ImportedRun(one.line, one.lines, run, parent if words.COMMIT.fullmatch(parent) else "", text.get("at", ""))
