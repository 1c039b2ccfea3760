"""The rules every draft must pass before it lands. Each is a pure function of the draft; refusals name what to mend.

Rules that need the bytes behind a reference live with the layer that knows those bytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from .errors import Finding
from .types import FAILED, KINDS, ROLES, RUN_STATUSES, Draft, Run, Verdict

_ACTOR = re.compile(r"(human|model|agent|code):\S+")
_TARGET = re.compile(r"b:[0-9a-f]{64}|e:[0-9a-f]{32}|@[0-9]{1,9}")
_METRIC_NAME = re.compile(r"[^\s=\x00-\x1f]{1,100}")
_JUDGES = frozenset({"tests", "retracts", "same_as"})

#: What is wrong with a draft: rule, message, hint.
_Wrong = tuple[str, str, str]


def check_actor(by: str) -> Iterator[Finding]:
    if not _ACTOR.fullmatch(by):
        hint = 'write kind:name, such as "human:ada", "model:qwen3-8b", "agent:claude" or "code:memexlab/0.1"'
        yield Finding("actor", "error", "by", f"{by!r} does not say who speaks", hint)


def is_target(identity: str) -> bool:
    """Whether it has the form of a blob, an entry, or an earlier draft of the batch."""
    return _TARGET.fullmatch(identity) is not None


def check(draft: Draft, where: str) -> Iterator[Finding]:
    """All findings on one draft; `where` names it in their text."""
    for rule, message, hint in _wrong(draft):
        yield Finding(rule, "error", where, message, hint)


def _wrong(draft: Draft) -> Iterator[_Wrong]:
    if draft.kind not in KINDS:
        yield "kind", f"{draft.kind!r} is no kind of entry", f"use one of {', '.join(KINDS)}"
    if not draft.subject.strip() or len(draft.subject) > 300:
        yield "subject", "the subject is empty or over 300 characters", "name what it is about"
    for ref in draft.refs:
        if ref.role not in ROLES:
            yield "ref-role", f"{ref.role!r} is no role of a reference", f"use one of {', '.join(sorted(ROLES))}"
        if not is_target(ref.id):
            yield "ref-id", f"{ref.id!r} is neither an entry nor a blob", "use an id that memex printed"
        if (ref.start, ref.end) != (-1, -1) and not 0 <= ref.start <= ref.end:
            yield "ref-span", f"span {ref.start}..{ref.end} runs backwards", "start <= end, both from 0"
    body, roles = draft.body, {ref.role for ref in draft.refs}
    if isinstance(body, Run):
        yield from _wrong_with_run(body)
    if isinstance(body, Verdict) and not roles & _JUDGES:
        yield "verdict-target", "a verdict judges nothing", "add a ref with role tests, retracts or same_as"
    if "retracts" in roles and not (isinstance(body, Verdict) and body.reason.strip()):
        message = "it retracts something without a verdict that says why"
        yield "retract-reason", message, "memex retract RUN --why REASON"


def _wrong_with_run(run: Run) -> Iterator[_Wrong]:
    if run.status not in RUN_STATUSES:
        hint = f"use one of {', '.join(sorted(RUN_STATUSES))}"
        yield "run-status", f"{run.status!r} is no status of a run", hint
    if not run.campaign.strip():
        yield "run-campaign", "the run names no campaign", "results compare only inside one campaign"
    if run.status in FAILED and run.metrics:
        message = f"a run with status {run.status!r} measured nothing, yet has metrics"
        yield "run-failed-metric", message, "leave the metrics out: a crash has no value, not even 0"
    for name, value in run.metrics.items():
        if not _METRIC_NAME.fullmatch(name):
            yield "metric-name", f"{name!r} is no metric name", "1 to 100 characters, no space, no ="
        if not _is_finite(value):
            message = f"metric {name} is {value!r}, not a finite number"
            yield "metric-value", message, "record the run as crash or invalid, without the value"
    for name, cost in (("seconds", run.seconds), ("usd", run.usd)):
        if cost is not None and (not _is_finite(cost) or cost < 0):
            yield "run-number", f"{name} is {cost!r}", "a number from 0 up, or leave it out"


def _is_finite(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False
