"""The novelty guard: whether an idea is new, a repeat, or worth another try because its settings changed.

It says what was tried, from which settings, and what that showed; whoever asked decides. Only a true repeat is blocked:
the same typed change, or the same words where nothing can be typed, that failed under settings which have not changed
in a way that could matter, or that the champion has already. What is not sure is a caution.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from ...ledger import Scalar
from ..changes.edits import Change, changes_between, changes_in_text, changes_in_words
from ..changes.heading import heading_of
from ..changes.other_words import all_words, words_left
from ..changes.sameness import compare, compare_texts
from ..runs import cells
from .history import History, Move, Past, change_from, normal_name
from .relations import matters

Mode = Literal["explore", "exploit", "replicate"]
Class = Literal[
    "novel", "known_success", "incremental_followup", "repeat_failure", "duplicate_run", "context_changed",
    "other_campaign",
]  # fmt: skip
Decision = Literal["allow", "caution", "block"]
MODES: tuple[Mode, ...] = ("explore", "exploit", "replicate")

MOST_MATCHES = 5
MOST_CITED = 8
#: From this share of common words on, descriptions that cannot be typed read alike; never enough to block.
ALIKE = 0.6
#: An idea whose longest word is shorter than this is not looked for by its words.
_LEAST_LETTERS = 4
_TOLD = {
    "kept": "was kept", "promising": "looked better, which was not settled", "lost": "lost",
    "unclear": "showed neither gain nor loss", "failed": "failed",
}  # fmt: skip
#: What counts most among runs that do not agree, where the champion has not got it.
_SETTLES = ("lost", "promising", "unclear", "failed")


@dataclass(frozen=True, slots=True)
class Match:
    """An earlier run that bears on an idea; `score` is 1 for the same, less for what is only alike.

    `campaign` is empty for a run of the campaign that was asked for.
    """

    run: int
    score: float
    why: str
    same: str
    differs: str
    campaign: str = ""


@dataclass(frozen=True, slots=True)
class Guard:
    """What the guard says of an idea; `reason` is one sentence that cites run numbers."""

    klass: Class
    decision: Decision
    matches: tuple[Match, ...]
    changes: tuple[Change, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """A run of a log, checked against the runs before it."""

    run: int
    status: str
    description: str
    guard: Guard


def check(
    changes: Sequence[Change], description: str, history: History, settings: Mapping[str, Scalar], mode: Mode
) -> Guard:
    """Judges an idea: what it changes, in types and in words, made from these settings (empty: those of the log)."""
    knobs = tuple(change for change in changes if change.knob)
    idea = _Idea(knobs, tuple(changes), description, history, settings, mode)
    found, same = idea.among(history)
    return idea.repeated(same) if same else idea.tried_elsewhere() or idea.followed(found)


def replay(db: sqlite3.Connection, campaign: str, mode: Mode) -> list[Replayed]:
    """Every run of a log, and every candidate of a lab, in order, each checked against the runs before it alone."""
    rows = db.execute(
        "SELECT run, number, status, description, parent FROM runs JOIN campaigns USING (campaign) WHERE campaign = ?"
        " AND status <> 'started' AND (role = 'candidate' OR (role = 'baseline' AND origin <> 'lab'))"
        " ORDER BY number, id",
        (campaign,),
    ).fetchall()
    result = []
    for entry, number, status, description, parent in rows:
        history = History(db, campaign, number)
        settings = history.settings_of(parent) if parent is not None else history.settings()
        columns = "component, knob, old, new, direction, magnitude"
        made = db.execute(f"SELECT {columns} FROM changes WHERE run = ? ORDER BY rowid", (entry,))
        guard = check([change_from(*row) for row in made], description, history, settings, mode)
        result.append(Replayed(number, status, description, guard))
    return result


@dataclass(frozen=True, slots=True)
class _Idea:
    knobs: tuple[Change, ...]
    changes: tuple[Change, ...]
    description: str
    history: History
    settings: Mapping[str, Scalar]
    mode: Mode

    def among(self, history: History) -> tuple[list[Past], list[Past]]:
        """The runs that bear on the idea, and those of them, or of its words, that made this very change."""
        found = history.on_knob(self.knobs[0]) if self.knobs else history.in_words(self.description)
        same = [past for past in found if self.is_same(past)]
        if self.knobs and not same and self.knobs == changes_in_words(heading_of(self.description).aside):
            # Only what stood in brackets could be typed: the heading itself may be an old acquaintance.
            alike = history.in_words(self.description)
            same = [past for past in alike if _alike(self.description, past.description)]
        return found, same

    def is_same(self, past: Past) -> bool:
        if self.knobs:
            numbers = _numbers(self.description, self.knobs), _numbers(past.description, past.changes)
            return compare(self.knobs, past.changes) == "same" and not (past.from_text and numbers[0] != numbers[1])
        return _alike(self.description, past.description)

    def is_surely_same(self, past: Past) -> bool:
        """Whether nothing that either text says, or that the diff does, has been left out of the comparison."""
        if len(self.knobs) < len(self.changes):
            return False
        texts = self.description, past.description
        if not self.knobs or (past.from_text and past.evidence == "kept"):
            return all_words(texts[0]) == all_words(texts[1])
        if past.from_text:
            asides = [changes_in_words(heading_of(text).aside) for text in texts]
            return compare_texts(*texts) == "same" and asides[0] == asides[1]
        from_text = compare(self.knobs, changes_in_text(self.description)) == "same"
        return not from_text or not words_left(heading_of(self.description), self.knobs)

    def repeated(self, same: Sequence[Past]) -> Guard:
        """Of runs that made this very change, those whose settings still hold count, the latest of them most."""
        moves = self.history.moves_since(min(past.since for past in same))
        moved = {past.run: self._moved(past, moves) for past in same}
        holding = [past for past in same if not moved[past.run][0]]
        sure = [past.run for past in same if self.is_surely_same(past)]
        holding = [past for past in holding if past.run in sure] or holding
        latest = (holding or same)[0]
        matches = tuple(
            Match(past.run, 1.0 if past.run in sure else 0.9, _TOLD[past.evidence],
                  _written(past.changes) or "the description", "; ".join(moved[past.run][0]))
            for past in sorted(same, key=lambda past: past.run not in sure)[:MOST_MATCHES]
        )  # fmt: skip
        said = f"run {latest.run} made the same change and {_TOLD[latest.evidence]}"
        if not holding:
            klass: Class = "known_success" if latest.evidence == "kept" else "context_changed"
            changed, unread = moved[latest.run]
            since = "; ".join([*changed, *([f"{_runs(unread)} changed what cannot be read"] if unread else [])])
            return self._guard(klass, matches, f"{said}, but since then {since}")
        if latest.evidence == "kept" and any(c.new is None and c.direction in ("up", "down") for c in self.knobs):
            return self._guard("incremental_followup", matches, f"{said}; made again it is a further step")
        klass, told, firm = self._verdict(holding)
        if latest.run not in sure:
            firm, told = False, f"{told}; the two may still differ in what could not be read of them"
        if unread := moved[latest.run][1]:
            firm, told = False, f"{told}; but what {_runs(unread)} changed since could not be read in full"
        return self._guard(klass, matches, told, "block" if firm else "caution")

    def _verdict(self, holding: Sequence[Past]) -> tuple[Class, str, bool]:
        """What runs under the same settings show together, and whether that is enough to block."""
        kinds = {past.evidence for past in holding}
        kind = "kept" if holding[0].evidence == "kept" else next(k for k in _SETTLES if k in kinds)
        some = [past for past in holding if past.evidence == kind]
        told = f"{_runs(some)} made the same change"
        if kind == "kept":  # words alone cannot tell the same thing from a further step of it
            return "duplicate_run", f"{told}, and the branch took it up", bool(self.knobs)
        if kind == "lost":
            return "repeat_failure", f"{told} and lost, and no setting that could matter has changed since", True
        if kind == "promising":
            told += " and looked better, which was never settled: measure it again rather than anew"
            return "known_success", told, False
        if kind == "unclear":
            told += " under the same settings and showed neither gain nor loss"
            again = len(some) > 1
            return "duplicate_run", told + ("" if again else "; only a replicate can tell more"), again
        errors = Counter(re.sub(r"\d+", "#", past.error.lower().strip()) for past in holding if past.error.strip())
        if any(count > 1 for count in errors.values()):
            return "repeat_failure", f"{told} and failed with the same error", True
        return "repeat_failure", f"{told} and failed, which says nothing of the idea itself", False

    def tried_elsewhere(self) -> Guard | None:
        """A change that only another campaign has seen: never a block, because its results do not compare."""
        others = self.history.elsewhere() if self.mode != "replicate" else None
        same = self.among(others)[1][:MOST_MATCHES] if others is not None else []
        if not same:
            return None
        matches = tuple(
            Match(past.run, 0.9, _TOLD[past.evidence], _written(past.changes) or "the description", "the campaign",
                  past.campaign)
            for past in same
        )  # fmt: skip
        told = [f"run {past.run} of {past.campaign} {_TOLD[past.evidence]}"
                + ("" if past.value is None else f" ({past.value:.6g})") for past in same]  # fmt: skip
        reason = f"the same change was tried under another campaign, whose results do not compare: {', '.join(told)}"
        return self._guard("other_campaign", matches, reason, "caution")

    def followed(self, found: Sequence[Past]) -> Guard:
        """Nothing is the same: runs that moved the same knobs elsewhere, or the other way, are what this follows up."""
        matches = []
        for past in found[: 2 * MOST_MATCHES]:
            texts = self.description, past.description
            opposite = (compare(self.knobs, past.changes) if self.knobs else compare_texts(*texts)) == "opposite"
            if self.knobs or opposite:
                differs = "the other way" if opposite else _written(past.changes)
                same = normal_name(self.knobs[0].knob) if self.knobs else "the words"
                matches.append(Match(past.run, 0.5, _TOLD[past.evidence], same, differs))
        if not matches and self.knobs:
            knobs = ", ".join(dict.fromkeys(normal_name(change.knob) for change in self.knobs))
            return self._guard("novel", (), f"no earlier run is known to have moved {knobs}")
        if not matches:
            return self._worded_like(found)
        matches = matches[:MOST_MATCHES]
        told = f"{_runs(matches)} moved the same knob, to another value or the other way"
        return self._guard("incremental_followup", tuple(matches), told)

    def _worded_like(self, found: Sequence[Past]) -> Guard:
        """Of an idea that names no setting: runs that have most of its words, which a person should read."""
        mine = _left(self.description)
        shares = [(len(mine & _left(past.description)) / max(1, len(mine)), past) for past in found]
        shares = sorted(((s, p) for s, p in shares if s >= ALIKE), key=lambda pair: (-pair[0], -pair[1].run))
        if not shares or max(map(len, mine), default=0) < _LEAST_LETTERS:
            told = "no earlier description reads alike; no setting could be read from this, so only words were compared"
            return self._guard("novel", (), told)
        matches = tuple(
            Match(past.run, round(0.5 * share, 2), _TOLD[past.evidence], "most of the words", "what else it says")
            for share, past in shares[:MOST_MATCHES]
        )
        told = f"{_runs(matches)} {'has' if len(matches) == 1 else 'have'} most of its words"
        told += ", and no setting could be read from it: read before running it"
        return self._guard("incremental_followup", matches, told)

    def _moved(self, past: Past, moves: Sequence[Move]) -> tuple[list[str], list[int]]:
        """What changed since a run in a way that could matter, in words, and the kept runs that cannot be read."""
        moves = [move for move in moves if (move.run < past.since if move.undone else move.run > past.since)]
        by: dict[str, list[int]] = {}
        for move in moves:
            for knob in move.knobs:
                by.setdefault(knob, []).append(move.run)
        own = {normal_name(change.knob) for change in self.knobs}
        if past.evidence == "kept":  # the champion has it until somebody moves the same knob again
            return [f"{knob} changed at {_runs(by[knob])}" for knob in by if knob in own], []
        before = self.history.settings_of(past.parent) if past.parent is not None and self.settings else {}
        if before:  # with both snapshots, what was moved and moved back has not changed
            names = dict.fromkeys(normal_name(c.knob) for c in changes_between(before, dict(self.settings)))
            by = {knob: by.get(knob, []) for knob in names}
        # What words alone describe might depend on anything.
        told = [knob for knob in by if not own or any(matters(knob, mine) for mine in own)]
        unread = [move.run for move in moves if move.unread]
        if not own and unread:
            return [*_changed(told, by), f"{_runs(unread)} changed what cannot be read"], []
        return _changed(told, by), unread

    def _guard(self, klass: Class, matches: tuple[Match, ...], reason: str, decision: Decision = "allow") -> Guard:
        if klass == "known_success" and self.mode == "explore":
            decision = "caution"
        if self.mode == "replicate":
            decision = "caution" if klass == "novel" else "allow"
        return Guard(klass, decision, matches, self.changes, f"{reason[0].upper()}{reason[1:]}.")


# --- words


def _alike(a: str, b: str) -> bool:
    """Whether two descriptions share most of their words and every number, and neither turns the other round."""
    one, two = _left(a), _left(b)
    most = len(one & two) >= ALIKE * len(one | two) > 0
    return most and _numbers(a, ()) == _numbers(b, ()) and compare_texts(a, b) != "opposite"


def _numbers(text: str, changes: tuple[Change, ...]) -> set[str]:
    """The numbers, alone or behind one letter (D10), that these changes do not say."""
    return {word for word in _left(text, changes) if re.fullmatch(r"[a-z]?[-+]?[\d.e+-]*\d", word)}


@lru_cache(maxsize=4096)
def _left(text: str, changes: tuple[Change, ...] = ()) -> frozenset[str]:
    return frozenset(words_left(heading_of(text), changes))


def _changed(knobs: Sequence[str], by: Mapping[str, Sequence[int]]) -> list[str]:
    return [f"{knob} changed at {_runs(by[knob])}" if by[knob] else f"{knob} changed" for knob in knobs]


def _written(changes: Sequence[Change]) -> str:
    return ", ".join(f"{normal_name(change.knob)} {_way(change)}" for change in changes)


def _way(change: Change) -> str:
    old, new = cells(change.old)[0], cells(change.new)[0]
    if new is None:
        return change.direction if change.magnitude is None else f"x{2**change.magnitude:.3g}"
    return new if old is None else f"{old} -> {new}"


def _runs(items: Sequence[Past | Match | int]) -> str:
    numbers = [str(n) for n in sorted({item if isinstance(item, int) else item.run for item in items})]
    if len(numbers) > MOST_CITED:
        numbers = [*numbers[:2], *numbers[3 - MOST_CITED :], f"{len(numbers) - MOST_CITED + 1} others"]
    return f"run {numbers[0]}" if len(numbers) == 1 else f"runs {', '.join(numbers[:-1])} and {numbers[-1]}"
