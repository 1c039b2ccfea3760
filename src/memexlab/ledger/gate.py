"""The rules every draft must pass before it lands. Each is a pure function of the draft; refusals name what to mend.

Rules that need the bytes behind a reference live with the layer that knows those bytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .errors import Finding
from .types import FAILED, KINDS, ROLES, RUN_STATUSES, Draft, Run, Verdict

_ACTOR = re.compile(r"(human|model|agent|code):\S+")
_TARGET = re.compile(r"b:[0-9a-f]{64}|e:[0-9a-f]{32}|@[0-9]{1,9}")
METRIC_NAME = re.compile(r"[^\s=\x00-\x1f]{1,100}")


def check_actor(by: str) -> Iterator[Finding]:
    if not _ACTOR.fullmatch(by):
        yield Finding(
            "actor",
            "error",
            "by",
            f"{by!r} does not say who speaks",
            'write kind:name, such as "human:ada", "model:qwen3-8b", "agent:claude" or "code:memexlab/0.1"',
        )


def is_target(identity: str) -> bool:
    """Whether it has the form of a blob, an entry, or an earlier draft of the batch."""
    return _TARGET.fullmatch(identity) is not None


def check(draft: Draft, where: str) -> Iterator[Finding]:
    """All findings on one draft; `where` names it in their text."""
    if draft.kind not in KINDS:
        yield Finding("kind", "error", where, f"{draft.kind!r} is no kind of entry", f"use one of {', '.join(KINDS)}")
    if not draft.subject.strip() or len(draft.subject) > 300:
        yield Finding("subject", "error", where, "the subject is empty or over 300 characters", "name what it is about")
    for ref in draft.refs:
        if ref.role not in ROLES:
            yield Finding(
                "ref-role",
                "error",
                where,
                f"{ref.role!r} is no role of a reference",
                f"use one of {', '.join(sorted(ROLES))}",
            )
        if not is_target(ref.id):
            yield Finding(
                "ref-id",
                "error",
                where,
                f"{ref.id!r} is neither an entry nor a blob",
                "use an id that memex printed",
            )
        if (ref.start, ref.end) != (-1, -1) and not 0 <= ref.start <= ref.end:
            yield Finding(
                "ref-span",
                "error",
                where,
                f"span {ref.start}..{ref.end} runs backwards",
                "start <= end, both from 0",
            )
    if isinstance(draft.body, Run):
        yield from _check_run(draft.body, where)
    if isinstance(draft.body, Verdict) and not any(ref.role in ("tests", "retracts", "same_as") for ref in draft.refs):
        yield Finding(
            "verdict-target",
            "error",
            where,
            "a verdict judges nothing",
            "add a ref with role tests, retracts or same_as",
        )
    if any(ref.role == "retracts" for ref in draft.refs) and not (
        isinstance(draft.body, Verdict) and draft.body.reason.strip()
    ):
        yield Finding(
            "retract-reason",
            "error",
            where,
            "it retracts something without a verdict that says why",
            "memex retract RUN --why REASON",
        )


def _check_run(run: Run, where: str) -> Iterator[Finding]:
    if run.status not in RUN_STATUSES:
        yield Finding(
            "run-status",
            "error",
            where,
            f"{run.status!r} is no status of a run",
            f"use one of {', '.join(sorted(RUN_STATUSES))}",
        )
    if not run.campaign.strip():
        yield Finding(
            "run-campaign",
            "error",
            where,
            "the run names no campaign",
            "results compare only inside one campaign",
        )
    if run.status in FAILED and run.metrics:
        yield Finding(
            "run-failed-metric",
            "error",
            where,
            f"a run with status {run.status!r} measured nothing, yet has metrics",
            "leave the metrics out: a crash has no value, not even 0",
        )
    yield from _check_numbers("metric", run.metrics, where)
    for name, value in (("seconds", run.seconds), ("usd", run.usd)):
        if value is not None and (not _is_finite(value) or value < 0):
            yield Finding("run-number", "error", where, f"{name} is {value!r}", "a number from 0 up, or leave it out")


def _check_numbers(what: str, numbers: Mapping[str, Any], where: str) -> Iterator[Finding]:
    for name, value in numbers.items():
        if not METRIC_NAME.fullmatch(name):
            yield Finding(
                f"{what}-name",
                "error",
                where,
                f"{name!r} is no {what} name",
                "1 to 100 characters, no space, no =",
            )
        if not _is_finite(value):
            yield Finding(
                f"{what}-value",
                "error",
                where,
                f"{what} {name} is {value!r}, not a finite number",
                "record the run as crash or invalid, without the value",
            )


def _is_finite(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False
