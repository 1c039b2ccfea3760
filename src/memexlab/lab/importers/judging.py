"""From what a log states about its runs to runs: status, metric or none, and a finding where the log was not believed.

Knows no file format. The rules are the same for every log: a failed run has no metric, a number that is no number
makes the run invalid, and a word that is not known decides nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from memexlab.ledger.types import FAILED, Run, RunStatus

from .imported import Better, Fates, Findings, Imported, ImportedRun, Stated
from .lines import TEXT_LIMIT_CHARS, is_missing
from .words import better_of, never_zero, plain, status_of, unit_of

_COMMIT = re.compile(r"[0-9a-f]{7,64}", re.ASCII)
_META_KEYS = ("status_word", "label", "refused_metric", "stated_metrics")


def is_commit(text: str) -> bool:
    """Whether the text can be a git commit id: 7 to 64 hexadecimal digits."""
    return _COMMIT.fullmatch(text) is not None


def conclude(
    form: str,
    stated: Sequence[Stated],
    fates: Fates,
    findings: Findings,
    campaign: str,
    metric: str,
    better: str | None,
    unit: str = "",
    stated_better: Better = "",
) -> Imported:
    """The import of all that was stated; `metric` names what the log is about, `better` is what the person said."""
    way: Better = "lower" if better == "lower" else "higher" if better == "higher" else ""
    way = way or stated_better or (better_of(metric, unit) if metric else "")
    unit = unit or (unit_of(metric) if metric else "")
    runs = tuple(_imported(one, number, campaign, findings) for number, one in enumerate(stated, 1))
    seen = 0
    for number, (one, read) in enumerate(zip(stated, runs, strict=True), 1):
        refused = read.run.meta.get("refused_metric")
        why = f"{one.metric} refused: {refused}" if refused else one.why
        if one.line > seen:
            fates.put(one.line, "run", why, number)
        seen = one.line
    _report_whole(form, runs, findings, metric, way)
    return Imported(form, metric, unit, way, runs, fates.close(), findings.close())


def _report_whole(form: str, runs: Sequence[ImportedRun], findings: Findings, metric: str, better: Better) -> None:
    command = findings.command
    if not runs:
        findings.add(
            "no-runs",
            "error",
            0,
            "no run was found in this file" if form != "empty" else "the file is empty",
            "see docs/importing.md for what is read",
        )
        return
    silent = sum("status_word" not in run.run.meta for run in runs)
    if silent:
        message = f"{silent:,} of {len(runs):,} runs have no status in the log and are inconclusive"
        findings.add("no-status", "warning", 0, message, f"{command} --json")
    if not metric:
        if not findings.has("no-metric"):
            message = "no column or field is known to be a metric, so no run has one"
            findings.add("no-metric", "warning", 0, message, f"{command} --metric NAME")
        return
    if not better:
        findings.add(
            "unknown-direction",
            "warning",
            0,
            f"the log does not say whether a lower or a higher {metric} is better",
            f"{command} --better lower",
        )
    zeros = sum(run.run.metrics.get(metric) == 0 for run in runs)
    if zeros and better != "higher":
        findings.add(
            "zero-metric",
            "warning",
            0,
            f"{zeros:,} runs state a {metric} of exactly 0, taken as measured",
            f"{command} --metric NAME",
        )
    unmeasured = sum(metric not in run.run.metrics and run.run.status not in FAILED for run in runs)
    if unmeasured:
        findings.add(
            "unmeasured",
            "info",
            0,
            f"{unmeasured:,} runs were judged by the log but state no {metric}",
            f"{command} --json",
        )


def _imported(one: Stated, number: int, campaign: str, findings: Findings) -> ImportedRun:
    status = _status(one, findings)
    meta = dict(one.meta)
    if one.word:
        meta["status_word"] = one.word
    commit = one.commit if is_commit(one.commit) else ""
    label = one.label or ("" if commit or is_missing(one.commit) else one.commit)
    if label:
        meta["label"] = label
    refused = one.refused
    if not refused and status not in FAILED and one.metrics.get(one.metric) == 0 and never_zero(one.metric, one.unit):
        refused = "0"
    if refused and status not in FAILED:
        findings.add(
            "metric-refused",
            "warning",
            one.line,
            f"{one.metric} is {_short(refused)}, which is no measurement; the run is kept as invalid",
            findings.show(one.line),
        )
        status = "invalid"
    if refused:
        meta["refused_metric"] = _short(refused)
    metrics: Mapping[str, float] = one.metrics
    if status in FAILED:
        told = {name: value for name, value in one.metrics.items() if value != 0}
        if told:
            meta["stated_metrics"] = told
        metrics = {}
    description = "\n".join(one.description).strip()
    run = Run(
        campaign=campaign,
        status=status,
        number=number,
        role="baseline" if _is_baseline(one, description) else "candidate",
        description=_cut(description, "description", one.line, findings),
        hypothesis=_cut(one.hypothesis, "hypothesis", one.line, findings),
        metrics=metrics,
        settings=one.settings,
        commit=commit,
        seed=one.seed,
        seconds=one.seconds,
        usd=one.usd,
        hardware=one.hardware,
        self_reported=True,
        error=_cut(one.error, "error", one.line, findings),
        meta=meta,
    )
    parent = one.parent if is_commit(one.parent) else ""
    return ImportedRun(one.line, one.lines, run, parent, one.diff, one.at)


def _status(one: Stated, findings: Findings) -> RunStatus:
    if not one.word:
        return "inconclusive"
    known = status_of(one.word, one.is_trial)
    if known is None:
        findings.add(
            "unknown-status",
            "warning",
            one.line,
            f"the status word {_short(one.word)} is not known; the run is inconclusive",
            "write keep, discard or crash",
        )
        return "inconclusive"
    return known


def _is_baseline(one: Stated, description: str) -> bool:
    # The role feeds the noise floor: a later run that only mentions the word must not be pooled with the baseline.
    says_so = one.commit == "baseline" or plain(one.word) == "baseline"
    return says_so or (one.is_first and plain(description).split("_")[0] == "baseline")


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."


def _cut(text: str, what: str, line: int, findings: Findings) -> str:
    if len(text) <= TEXT_LIMIT_CHARS:
        return text
    findings.add(
        "long-text",
        "warning",
        line,
        f"the {what} has {len(text):,} characters; the first {TEXT_LIMIT_CHARS:,} are kept in the run",
        findings.show(line),
    )
    return text[:TEXT_LIMIT_CHARS]


def meta_key(name: str) -> str:
    """A column's name as a key of `Run.meta`, kept apart from the keys that the importers themselves write."""
    return f"{name} (column)" if name in _META_KEYS else name


def most_common_metric(stated: Sequence[Stated]) -> str:
    """The metric most runs are about, the earliest if several are."""
    counts = Counter(one.metric for one in stated if one.metric)
    return counts.most_common(1)[0][0] if counts else ""
