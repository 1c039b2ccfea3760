"""What a campaign taught: each change as the view `effects` judges it, in few sentences; and what failed, and why."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ...memory.effects.noise import minimum_detectable_effect
from ...memory.registry import by_cause, example_of
from ..wording import Amounts, change_told, clean, command, listed, plural, run_numbers
from .logbook import Logbook, LoggedRun

#: Which rows of `effects` say what, what is surest first; report and briefing go by the same.
OUTCOMES: dict[str, str] = {
    "helped": "status = 'replicated' AND gain > 0",
    "depends": "status IN ('reversed', 'conditional')",
    "hurt": "status = 'replicated' AND gain <= 0",
    "looked better": "status = 'unresolved' AND gain > 0",
    "looked worse": "status = 'unresolved' AND gain <= 0",
    "no visible effect": "status = 'within noise'",
    "stale": "status = 'stale'",
}
_MOST_SENTENCES, _MOST_IN_LINE = 6, 8
_SQL = f"""SELECT CASE {" ".join(f"WHEN {where} THEN '{name}'" for name, where in OUTCOMES.items())} END, status, knob,
 component, old, new, gain, low, high, condition, runs_to_settle, runs, confounded FROM effects WHERE campaign = ?
 ORDER BY iif(low > 0 OR high < 0, 0, 1), iif(status = 'stale', -gain, -abs(gain)), knob, old, new"""
#: Fresh pairs behind a change, the last run that made it and what that was compared with, and whether they can race.
_MEASURED = """SELECT sum(iif(m.basis = 'pairs', m.pairs, 0)), max(r.number), a.number, r.commit_id <> a.commit_id
 AND '' NOT IN (r.commit_id, a.commit_id) FROM runs r JOIN measurements m USING (run) JOIN runs a ON a.run = m.against
 WHERE r.campaign = ? AND m.knob = ? AND m.component = ? AND r.number IN (SELECT value FROM json_each(?))"""


class Effect(NamedTuple):
    """One row of `effects`."""

    outcome: str
    status: str
    knob: str
    component: str
    old: str | None
    new: str | None
    gain: float
    low: float | None
    high: float | None
    condition: str
    pairs_to_settle: int | None
    runs: str
    confounded: str

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(json.loads(self.runs))

    def told(self, arrow: str = "→") -> str:
        return change_told(self.knob or self.component, self.old, self.new, arrow)


@dataclass(frozen=True, slots=True)
class Lesson:
    """One sentence: what it is about, and what is known; `command` would settle it and can be typed, or is ''."""

    outcome: str
    lead: str
    text: str
    runs: tuple[int, ...]
    command: str = ""


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


def read_effects(db: sqlite3.Connection, campaign: str) -> list[Effect]:
    """What is clear of its own interval first, then the largest."""
    return [Effect._make(row) for row in db.execute(_SQL, (campaign,))]


def lessons(db: sqlite3.Connection, book: Logbook, amounts: Amounts) -> list[Lesson]:
    """A sentence for each change that is settled, or can be; one line for each kind of the others."""
    if book.constant is not None:
        return []
    groups: dict[str, dict[object, list[Effect]]] = {outcome: {} for outcome in OUTCOMES}
    for effect in read_effects(db, book.campaign):  # knobs that only ever moved together are one change
        key = (effect.runs, effect.gain) if effect.confounded else effect
        groups[effect.outcome].setdefault(key, []).append(effect)
    found: list[Lesson] = []
    for outcome, members in ((outcome, list(by_change.values())) for outcome, by_change in groups.items()):
        alone = outcome in ("helped", "depends", "hurt") or (outcome == "looked better" and book.noise)
        most = _MOST_SENTENCES if alone else 0
        found += [_sentence(db, book, group, amounts) for group in members[:most]]
        if members[most:]:
            found.append(_line(book, outcome, members[most:], amounts, most > 0))
    each = {n for members in groups.values() for group in members.values() for effect in group for n in effect.numbers}
    for run in book.runs:
        judged, changes = book.judged.get(run.run), book.changes(run.run) if run.verdict == "confirmed" else ()
        if len(changes) > 1 and run.number not in each and judged is not None and judged.gain is not None:
            lead = listed([change_told(change.knob, change.old, change.new) for change in changes])
            gained = amounts.estimate(judged.gain, judged.low, judged.high, "95 %: ")
            sure = f"helped together: {gained}, {judged.seen}, #{run.number}; which of them did it is not known."
            found.insert(0, Lesson("helped", lead, sure, (run.number,)))
    measured = {run for (run,) in db.execute("SELECT run FROM measurements WHERE campaign = ?", (book.campaign,))}
    unread = [run.number for run in book.ideas(book.runs) if run.usable is not None and run.run not in measured]
    if unread:
        told = f"what {run_numbers(unread)} changed could not be read as settings, or was too much to tell apart."
        found.append(Lesson("not counted", "Not counted:", told, tuple(unread)))
    return found


def _joint(group: Sequence[Effect]) -> str:
    along = clean(group[0].confounded, 60) if len(group) == 1 else ""
    more = [f"{len(group) - 3} more"] if len(group) > 3 else []
    return listed([effect.told() for effect in group[:3]] + more) + (f" along with {along}" if along else "")


def _sentence(db: sqlite3.Connection, book: Logbook, group: Sequence[Effect], amounts: Amounts) -> Lesson:
    effect, numbers, race = group[0], group[0].numbers, ""
    key = (book.campaign, effect.knob, effect.component, effect.runs)
    pairs, ours, theirs, can_race = db.execute(_MEASURED, key).fetchone()
    verb = effect.outcome if effect.outcome != "depends" else "helped" if effect.gain > 0 else "hurt"
    told = f"{verb} when {clean(effect.condition, 120)}" if effect.condition else verb
    told += f": {amounts.estimate(effect.gain, effect.low, effect.high, '95 %: ')}, "
    told += f"{plural(pairs, 'fresh pair') if pairs else plural(len(numbers), 'run')}, {run_numbers(numbers)}"
    told += {"reversed": "; elsewhere the sign turns", "conditional": "; elsewhere it differs"}.get(effect.status, "")
    if effect.outcome == "helped" and book.origin == "lab":
        sure = any(run.verdict == "confirmed" for run in book.runs if run.number in numbers)
        told += "" if sure else "; no run of it was confirmed"
    told += "; never moved apart: a run that moves one alone would tell" if effect.confounded else ""
    settle = effect.pairs_to_settle
    if settle and effect.outcome == "looked better":
        told += f"; {plural(settle, 'fresh pair')} would settle it 8 times in 10"
        words = ("memex", "race", str(ours), str(theirs), "--pairs", str(settle), "--campaign", book.campaign)
        race = command(*words) if can_race and book.origin == "lab" else ""
    return Lesson(effect.outcome, _joint(group), f"{told}.", numbers, race)


def _line(book: Logbook, outcome: str, groups: Sequence[Sequence[Effect]], amounts: Amounts, goes_on: bool) -> Lesson:
    """Changes of one outcome; without repeats, those that moved less than a new seed does are only counted."""
    shift = book.seed_shift.shift if book.seed_shift and not book.noise else 0.0
    large = [group for group in groups if abs(group[0].gain) >= shift]
    if outcome == "stale":
        large = [group for group in groups if group[0].gain > shift][:3]
    told = []
    for group in large[:_MOST_IN_LINE]:
        low, high, amount = group[0].low, group[0].high, amounts.signed(group[0].gain)
        if low is not None and high is not None and outcome not in ("stale", "no visible effect"):
            amount += f", {amounts.signed(low)} to {amounts.signed(high)}"
        told.append(f"{_joint(group)} ({amount}, {run_numbers(group[0].numbers, 3)})")
    lead = "Also " + outcome if goes_on else outcome.capitalize()
    numbers = tuple(sorted({number for group in groups for number in group[0].numbers}))
    if outcome == "stale":
        lead = plural(sum(map(len, groups)), "change is open again", "changes are open again")
        text = f"{'; '.join(told)} looked best." if told else "none of them looked better."
        return Lesson(outcome, f"{lead}, as three or more other settings have changed since:", text, numbers)
    told += [f"{len(large) - _MOST_IN_LINE} more"] if large[_MOST_IN_LINE:] else []
    if len(groups) > len(large):
        told.append(f"{len(groups) - len(large)} that moved it by less than a new seed does ({amounts.fine(shift)})")
    text = "; ".join(told) + "."
    if outcome.startswith("looked"):
        lead += "" if book.noise else ", and the noise is unknown"
    elif outcome == "no visible effect" and book.noise and book.noise.sigma:
        least = amounts.fine(minimum_detectable_effect(book.noise, 1))
        text += f" That is not “no effect”: one fresh pair sees nothing smaller than {least}."
    return Lesson(outcome, f"{lead}:", text, numbers)


# --- failures


def failures(runs: Sequence[LoggedRun]) -> list[Failure]:
    """Failed runs by cause, the most frequent first; numbers and paths in a message do not tell causes apart, and the
    last message of each is told as it was said."""
    groups = by_cause((run.status, run.error or run.reason, run) for run in runs)
    found = []
    for (status, cause), members in groups.items():
        text = example_of(member.error or member.reason for member in members)
        if not cause:
            example = clean(members[0].description, 90)
            lead = ": " if len(members) == 1 else ", for example for: "
            text = "no message was recorded" + (lead + example if example else "")
        found.append(Failure(status, clean(text, 220), tuple(m.number for m in members)))
    return sorted(found, key=lambda failure: (-len(failure.runs), failure.runs))
