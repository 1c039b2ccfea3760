"""What a campaign taught: per knob, what failed and why, what to do next. Careful words; each cites its runs."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from ..memory.noise import Noise, runs_to_settle
from .logbook import Change, Logbook, LoggedRun
from .wording import Amounts, clean, command, listed, plural, run_numbers, sql_text

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
        groups[_knobs(book.changes.get(effect.run.run, ()), effect.run)].append(effect)
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


def _knobs(changes: Sequence[Change], run: LoggedRun) -> str:
    names = sorted({clean(change.knob, 60) for change in changes if change.knob.strip()})
    if not names:
        return clean(run.description, 70) or f"run {run.number}"
    return " + ".join(names[:3]) + (f" + {len(names) - 3} more" if len(names) > 3 else "")


def _told(book: Logbook, effect: Effect, knob: str, amounts: Amounts, name_outcome: bool) -> str:
    changes = book.changes.get(effect.run.run, ())
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
    """Failed runs by cause, the most frequent first; numbers and paths in a message do not tell causes apart."""
    groups: dict[tuple[str, str], list[LoggedRun]] = defaultdict(list)
    for run in runs:
        if run.failed:
            groups[(_status_of(run), _cause(run.error or run.reason))].append(run)
    found = []
    for (status, cause), members in groups.items():
        example = _last_line(members[0].error or members[0].reason)
        text = example if len(members) == 1 or not cause else cause
        if not cause:
            example = clean(members[0].description, 90)
            lead = ": " if len(members) == 1 else ", for example for: "
            text = "no message was recorded" + (lead + example if example else "")
        found.append(Failure(status, clean(text, 220), tuple(m.number for m in members)))
    return sorted(found, key=lambda failure: (-len(failure.runs), failure.runs))


def _status_of(run: LoggedRun) -> str:
    return "retracted" if run.verdict == "retract" else run.status


def _last_line(error: str) -> str:
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _cause(error: str) -> str:
    text = _last_line(error)
    text = re.sub(r"0x[0-9a-fA-F]+", "ADDRESS", text)
    text = re.sub(r"(?:[A-Za-z]:)?(?:[\\/][\w.\-+@]+){2,}", lambda m: "…/" + re.split(r"[\\/]", m[0])[-1], text)
    text = re.sub(r"\b[0-9a-f]{12,}\b", "…", text)
    return re.sub(r"(?<![\w.])[-+]?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?", "N", text)


# --- what to do next


def queue(
    book: Logbook, found: Sequence[Effect], failed: Sequence[Failure], doubts: Sequence[Next], amounts: Amounts
) -> list[Next]:
    """Decisions and experiments, the most urgent first; `doubts` about the champion come before all others."""
    is_lab = book.origin == "lab"
    more = command("memex", "run", "--campaign", book.campaign, "--runs", "8") if is_lab else ""
    items = [*doubts, *_audits(book, amounts), *_retests(book, found, amounts, more), *_combinations(book, more)]
    items += _directions(book, more)
    items += [item for item in map(_mend(book), failed) if item is not None][:3]
    if not is_lab and book.noise is None and book.champion is not None and book.champion is not book.baseline:
        first = book.baseline.number if book.baseline else 1
        items.append(
            Next(
                f"Repeat run {book.champion.number} and run {first} with fresh seeds",
                "Four runs of each give this log a noise floor; without it no gain in it can be called real.",
            )
        )
    if is_lab and not any(item.command == more for item in items):
        items.append(Next("Keep going", "More ideas, judged against the same noise floor.", more))
    return items[:_MOST_QUEUE]


def _audits(book: Logbook, amounts: Amounts) -> list[Next]:
    found = []
    for run in book.runs:
        judged = book.judged.get(run.run)
        if judged is not None and judged.number("audit") and run.usable is not None:
            found.append(
                Next(
                    f"Look at run {run.number} before you believe it",
                    f"It gained {amounts.fine(judged.gain or 0)}, more than 8 sigma. That is usual early on, and it is"
                    " also what a leak or a trick on the metric looks like: read its diff.",
                    command("git", "show", run.commit[:12]) if _COMMIT.fullmatch(run.commit) else "",
                )
            )
    return found[-2:]


def _retests(book: Logbook, found: Sequence[Effect], amounts: Amounts, more: str) -> list[Next]:
    items: list[tuple[float, Next]] = []
    line = book.lineage(book.champion) if book.champion else []
    for effect in found:
        if effect.outcome != "unresolved" or not effect.run.verdict or effect.gain <= 0:
            continue
        run, judged = effect.run, book.judged.get(effect.run.run)
        if run.run in book.again:
            continue
        knobs = {change.knob for change in book.changes.get(run.run, ())}
        if knobs and any(knobs == {c.knob for c in book.changes.get(r.run, ())} for r in line if r.number > run.number):
            continue  # the champion's line moved the same knob since
        name = clean(run.description, 80)
        if judged is not None and judged.number("carry"):
            title = f"Run {run.number} waits to be measured on top of the new champion: {name}"
            items.append((0.0, Next(title, "The next `memex run` does this first.", more)))
            continue
        noise = book.noise
        if noise is None or not noise.known or not noise.sigma:
            continue
        runs = _pairs_to_settle(effect, noise, book)
        why = f"{clean(run.verdict, 20)}: {amounts.signed(effect.gain)} so far"
        why += f" from {plural(effect.pairs, 'pair')}" if effect.pairs else " from one run"
        why += f"; if that is its true size, about {plural(runs, 'fresh pair')} would show it 8 times in 10."
        race = command("memex", "race", str(run.number), "--pairs", str(runs), "--campaign", book.campaign)
        if runs > 40:
            why += " That is much work for so little; leave it, unless it makes the code simpler."
            race = ""
        items.append((runs, Next(f"Re-test run {run.number}: {name}", why, race if book.origin == "lab" else "")))
    return [item for _, item in sorted(items, key=lambda pair: pair[0])][:3]


def _pairs_to_settle(effect: Effect, noise: Noise, book: Logbook) -> int:
    judged = book.judged.get(effect.run.run)
    error = judged.number("standard_error") if judged else None
    rho = 0.0
    if error and effect.pairs:
        rho = min(0.9, max(0.0, 1 - effect.pairs * error**2 / (2 * noise.sigma**2)))
    return runs_to_settle(effect.gain, noise, rho)


def _combinations(book: Logbook, more: str) -> list[Next]:
    if book.champion is None:
        return []
    line = {run.run for run in book.lineage(book.champion)}
    apart = [r for r in book.runs if r.verdict == "confirmed" and r.usable is not None and r.run not in line]
    apart = [r for r in apart if not any(j.number("carry") for j in [book.judged.get(r.run)] if j)]
    if not apart:
        return []
    names = listed([f"run {r.number}" for r in apart[:4]])
    return [
        Next(
            f"Combine {names} with run {book.champion.number}",
            "Confirmed on another line than the champion's; nobody has measured them together.",
            more,
        )
    ]


def _directions(book: Logbook, more: str) -> list[Next]:
    """Goes on in the direction of the champion's own change, where nobody has been further."""
    champion = book.champion
    if champion is None or champion is book.baseline:
        return []
    items = []
    for change in book.changes.get(champion.run, ()):
        old, new = _as_number(change.old), _as_number(change.new)
        if old is None or new is None or old == new:
            continue
        further = new * new / old if old * new > 0 else 2 * new - old
        name = clean(change.knob, 60)
        beyond = []
        for run in book.runs:
            for other in book.changes.get(run.run, ()):
                value = _as_number(other.new)
                if other.knob == change.knob and value is not None and (value - new) * (new - old) > 0:
                    beyond.append(run.number)
        if not beyond:
            items.append(
                Next(
                    f"Go further with {name}: try {further:.3g}",
                    f"{clean(change.old or '', 20)} → {clean(change.new or '', 20)} won (#{champion.number}), and "
                    "no run has been beyond it.",
                    more,
                )
            )
    return items[:2]


def _as_number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _mend(book: Logbook) -> Callable[[Failure], Next | None]:
    def mend(failure: Failure) -> Next | None:
        if failure.status in ("retracted", "lost") or (len(failure.runs) < 2 and book.origin != "lab"):
            return None
        where = f"campaign = {sql_text(book.campaign)} and status = {sql_text(failure.status)}"
        return Next(
            f"Mend {len(failure.runs)} × {failure.status}: {clean(failure.cause, 90)}",
            f"{run_numbers(failure.runs)}. A failure says nothing about the idea itself.",
            command("memex", "sql", f"select number, description, error from runs where {where}"),
        )

    return mend
