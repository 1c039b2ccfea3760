"""What a campaign taught: per knob, what failed and why, what to do next. Careful words; each cites its runs."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from ..memory.registry import by_cause, example_of
from .logbook import Logbook, LoggedRun
from .wording import Amounts, clean, plural

Outcome = Literal["helped", "looked better", "unresolved", "hurt", "no visible effect"]
OUTCOMES: tuple[Outcome, ...] = ("helped", "looked better", "unresolved", "hurt", "no visible effect")

_MOST_QUEUE = 8
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
#: A single run counts as hurt when it is worse by more than this many standard errors.
_CLEAR = 2.0


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is known about one knob (or several moved together): an outcome, in words, and the runs it rests on."""

    outcome: Outcome
    knob: str
    evidence: str
    runs: tuple[int, ...]
    weight: float


@dataclass(frozen=True, slots=True)
class Failure:
    """Runs that failed of the same cause."""

    status: str
    cause: str
    runs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Next:
    """One thing to decide or do; `command` can be typed, or is '' where there is none."""

    title: str
    why: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """What one run showed about the change it made."""

    run: LoggedRun
    outcome: Outcome
    gain: float
    pairs: int


def effects(book: Logbook) -> list[Effect]:
    """One effect for each candidate that was measured and has something to be compared with."""
    found: list[Effect] = []
    best: LoggedRun | None = book.baseline if book.origin == "lab" else None
    seed = book.seed_shift
    if book.constant is not None:
        return []
    for run in book.runs:
        if run.role not in ("candidate", "baseline") or run.usable is None:
            continue
        reference = (book.by_run.get(run.parent) if run.parent is not None else None) or best
        is_first = run is book.baseline
        if run.role == "candidate" and not is_first and reference is not None:
            effect = _effect(book, run, reference)
            if effect is not None and (seed is None or run.number not in {b for _, b in seed.runs}):
                found.append(effect)
        if (run.status == "keep" or is_first) and run.role != "pair" and (
            best is None or book.gain(run.usable, best.usable or math.inf) > 0
        ):  # fmt: skip
            best = run
    return found


def _effect(book: Logbook, run: LoggedRun, reference: LoggedRun) -> Effect | None:
    judged = book.judged.get(run.run)
    level = book.level(reference)
    if judged is not None and judged.gain is not None and judged.pairs:
        gain, pairs = judged.gain, judged.pairs
    else:
        single = judged.number("screen_gain") if judged else None
        if single is None and (level is None or run.usable is None):
            return None
        gain, pairs = single if single is not None else book.gain(run.usable or 0.0, level or 0.0), 0
    if run.verdict == "confirmed":
        return Effect(run, "helped", gain, pairs)
    if run.verdict in ("provisional", "inconclusive"):
        return Effect(run, "unresolved", gain, pairs)
    if pairs and judged is not None and judged.high is not None:
        return Effect(run, "hurt" if judged.high < 0 else "no visible effect", gain, pairs)
    error = single_run_error(book, reference)
    if run.status == "keep" and not run.verdict:
        return Effect(run, "looked better" if gain > (error or 0.0) else "unresolved", gain, 0)
    if error is None:
        better: Outcome = "looked better" if run.status == "ok" else "unresolved"
        return Effect(run, better if gain > 0 else "hurt" if gain < 0 else "no visible effect", gain, 0)
    return Effect(run, "hurt" if gain < -_CLEAR * error else "no visible effect", gain, 0)


def single_run_error(book: Logbook, reference: LoggedRun) -> float | None:
    """Standard error of one run against a reference; the seed shift where that is all there is; None where unknown."""
    if book.noise is not None:
        return book.noise.sigma * math.sqrt(1 + 1 / max(1, len(book.fresh(reference))))
    return book.seed_shift.shift if book.seed_shift else None


def lessons(book: Logbook, found: Sequence[Effect], amounts: Amounts) -> list[Lesson]:
    """Per knob, the strongest outcome first; a run that moved several knobs speaks for them only together."""
    groups: dict[str, list[Effect]] = defaultdict(list)
    for effect in found:
        groups[_knobs(book, effect.run)].append(effect)
    result = []
    for knob, members in groups.items():
        outcome = next(o for o in OUTCOMES if any(e.outcome == o for e in members))
        if outcome != "helped" and outcome != "looked better" and _sides(members) >= {"hurt", "unresolved"}:
            outcome = "unresolved"
        members.sort(key=lambda e: (OUTCOMES.index(e.outcome), -abs(e.gain), e.run.number))
        told = [_told(book, e, knob, amounts, e.outcome != outcome) for e in members[:4]]
        if len(members) > 4:
            told.append(f"and {plural(len(members) - 4, 'more run')}")
        weight = max(abs(e.gain) for e in members if e.outcome == members[0].outcome)
        result.append(Lesson(outcome, knob, "; ".join(told), tuple(e.run.number for e in members), weight))
    return sorted(result, key=lambda lesson: (OUTCOMES.index(lesson.outcome), -lesson.weight, lesson.knob))


def _sides(members: Sequence[Effect]) -> set[str]:
    return {effect.outcome for effect in members}


def _knobs(book: Logbook, run: LoggedRun) -> str:
    return _joint(frozenset(book.knobs(run))) or clean(run.description, 70) or f"run {run.number}"


@lru_cache(maxsize=10_000)
def _joint(knobs: frozenset[str]) -> str:
    names = sorted({clean(knob, 60) for knob in knobs if knob.strip()})
    return " + ".join(names[:3]) + (f" + {len(names) - 3} more" if len(names) > 3 else "")


def _told(book: Logbook, effect: Effect, knob: str, amounts: Amounts, name_outcome: bool) -> str:
    changes = book.changes(effect.run.run)
    moved = ", ".join(
        f"{clean(c.old, 24)} → {clean(c.new, 24)}" for c in changes[:3] if c.old is not None and c.new is not None
    )
    text = moved or clean(effect.run.description, 70)
    text = "" if text == knob else text
    amount = amounts.signed(effect.gain)
    by = f", {plural(effect.pairs, 'pair')}" if effect.pairs else ""
    outcome = f"{effect.outcome}, " if name_outcome else ""
    return f"{text} ({outcome}{amount}{by}, #{effect.run.number})".strip()


# --- failures


def failures(runs: Sequence[LoggedRun]) -> list[Failure]:
    """Failed runs by cause, the most frequent first; numbers and paths in a message do not tell causes apart, and the
    last message of each is told as it was said."""
    groups = by_cause((_status_of(run), run.error or run.reason, run) for run in runs if run.failed)
    found = []
    for (status, cause), members in groups.items():
        text = example_of(member.error or member.reason for member in members)
        if not cause:
            example = clean(members[0].description, 90)
            lead = ": " if len(members) == 1 else ", for example for: "
            text = "no message was recorded" + (lead + example if example else "")
        found.append(Failure(status, clean(text, 220), tuple(m.number for m in members)))
    return sorted(found, key=lambda failure: (-len(failure.runs), failure.runs))


def _status_of(run: LoggedRun) -> str:
    return "retracted" if run.verdict == "retract" else run.status
