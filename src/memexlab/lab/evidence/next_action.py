"""Chooses the next action for one run: what it came to, what moved since, and what that calls for.

Knows one campaign as its logbook shows it, and which runs rest on a retracted one. It lands nothing and measures
nothing; each choice says why in a sentence or two that name runs by number.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Literal

from ...memory.changes.names import is_knob, normal_knob
from ...memory.doubts import Doubt
from ...memory.effects.noise import minimum_detectable_effect, runs_to_settle
from ...memory.registry import by_cause, last_line
from ..verdict import LOOKS
from ..wording import Amounts, clean, command, plural, run_numbers
from .logbook import Logbook, LoggedRun, idea_of
from .sentences import third_split

Action = Literal[
    "promote", "branch_followup", "replicate", "retry", "abandon", "fix_and_retry", "investigate_crash", "retest"
]
Priority = Literal["high", "medium", "low"]
HypothesisStatus = Literal["not_stated", "supported", "refuted", "mixed", "inconclusive"]

#: A difference is clear when it is larger than this many standard errors of a single run.
_CLEAR = 2.0
#: A difference that would take more fresh pairs than this is too small to be settled.
_MOST_PAIRS = 12
_PAIRS_WHERE_NOISE_IS_UNKNOWN = 4
#: What ran out is named; a message that merely has the word "memory" in it, such as pin_memory, is no such error.
_RAN_OUT = re.compile(r"out of memory|\bOOM\b|MemoryError|bad_alloc|more than it may|cannot allocate|timed? ?out", re.I)
#: What may let a run that had too little memory run after all.
_TAKES_MEMORY = re.compile(r"batch|depth|layer|width|dim|emb|head|context|seq|len|block|vocab|hidden|ratio|window|size")
#: The code itself is wrong, and the message says where.
_MENDABLE = re.compile(
    r"\b(Syntax|Indentation|Name|Import|ModuleNotFound|Type|Attribute|Key|Index|Assertion|Value)Error\b"
    r"|divisible|shape|mismatch|left no artifact"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """An action and why; `cites` are run numbers, `command` can be typed or is ''; what is not open is done with."""

    action: Action
    priority: Priority
    why: str
    cites: tuple[int, ...] = ()
    command: str = ""
    is_open: bool = True


def _done(action: Action, why: str, *cites: int) -> Choice:
    return Choice(action, "low", why, cites, is_open=False)


def _part(knob: str) -> set[str]:
    """The words for what a knob belongs to: `value_embedding_lr` is a learning rate of the value embedding."""
    words = knob.split("_")
    kind = next((i for i in range(len(words) - 1, 0, -1) if is_knob("_".join(words[i:]))), len(words))
    return set(words[:kind])


def single_run_error(book: Logbook, reference: LoggedRun) -> float | None:
    """Standard error of one run against a reference; the seed shift where that is all there is; None where unknown."""
    if book.noise is not None:
        return book.noise.alone.sigma * math.sqrt(1 + 1 / max(1, len(book.fresh(reference))))
    return book.seed_shift.shift if book.seed_shift else None


def words_of(description: str, otherwise: str) -> str:
    """What a run calls its idea, whether or not it was mended."""
    return description.removesuffix(", mended").strip() or otherwise


class Desk:
    """One campaign, prepared once in a pass over its runs; `doubt` is by run id."""

    def __init__(self, book: Logbook, doubt: Mapping[str, Doubt]) -> None:
        self.book, self.doubt = book, doubt
        self.is_lab, self.unit = book.origin == "lab", book.unit or book.metric
        self.amounts = Amounts.of(self.unit, book.scale)
        self.split = third_split(book, self.amounts)
        self._starts = [reign.since for reign in book.reigns]
        self._crowned = {reign.run for reign in book.reigns}
        line = book.lineage(book.champion) if self.is_lab and book.champion else []
        self._line = {run.run for run in line} if self.is_lab else self._crowned
        told = (run for run in book.runs if run.failed and (run.error or run.reason).strip())
        failed = by_cause((run.status, run.error or run.reason, run.number) for run in told)
        self._broken: dict[int, LoggedRun] = {}  # a candidate -> its side of a pair that failed
        for side in book.runs:
            candidate = book.by_run.get(book.tests.get(side.run, -1)) if side.status in ("crash", "invalid") else None
            if candidate is not None and candidate.commit == side.commit and side.error:
                self._broken.setdefault(candidate.run, side)
        self._same_cause = {number: tuple(numbers) for numbers in failed.values() for number in numbers}
        self._normal = cache(normal_knob)
        self._gains: dict[int, tuple[float | None, LoggedRun | None, int]] = {}
        self._moved: dict[str, int] = {}  # knob -> the run at which the champion's line moved it last
        self._called: dict[str, str] = {}  # knob -> as the code or the log calls it
        self._measured: dict[str, int] = {}  # an idea, or a description -> the run that measured it last
        for run in book.runs:
            if run.run in self._line and run is not book.baseline:
                self._moved |= dict.fromkeys(self._knobs(run), run.number)
                self._called |= {self._normal(knob): knob for knob in book.knobs(run)}
            if run.role == "candidate" and run.usable is not None:
                self._measured[self._idea(run)] = self._measured[words_of(run.description, run.id)] = run.number

    @cached_property
    def open_failures(self) -> frozenset[int]:
        """Numbers of failed runs whose change nobody has measured since."""
        return frozenset(run.number for run in self.book.runs if run.failed and self.choose(run).is_open)

    def is_due(self, run: LoggedRun) -> bool:
        """Whether a run failed, or was judged: by the harness, or by whoever kept the log."""
        is_first = run is self.book.baseline and self.book.starts_with_baseline
        judged = bool(run.verdict) or run.status in ("keep", "discard", "inconclusive")
        return run.failed or (run.role == "candidate" and not is_first and judged)

    def gain(self, run: LoggedRun) -> tuple[float | None, LoggedRun | None, int]:
        """(gain, what it is over, the fresh pairs it rests on): of the judged run, else over the champion then."""
        if run.run not in self._gains:
            self._gains[run.run] = self._gain(run)
        return self._gains[run.run]

    def _gain(self, run: LoggedRun) -> tuple[float | None, LoggedRun | None, int]:
        judged = self.book.judged.get(run.run)
        if judged is not None and judged.champion is not None and judged.gain is not None:
            return judged.gain, self.book.by_run.get(judged.champion), judged.pairs
        before = bisect_left(self._starts, run.number)
        champion = self.book.by_run.get(self.book.reigns[before - 1].run) if before else None
        level = self.book.level(champion) if champion else None
        known = run.usable is not None and level is not None
        return (self.book.gain(run.usable or 0.0, level or 0.0) if known else None), champion, 0

    def hypothesis_status(self, run: LoggedRun) -> HypothesisStatus:
        """What became of the hypothesis of a run that stated one."""
        (gain, champion, pairs), judged = self.gain(run), self.book.judged.get(run.run)
        error = single_run_error(self.book, champion) if champion else None
        if run.usable is None or gain is None or "inconclusive" in (run.verdict, run.status):
            return "inconclusive"
        if run.status == "keep":
            alone = not run.verdict and error is not None and gain > _CLEAR * error
            return "supported" if run.verdict == "confirmed" or alone else "mixed"
        if pairs and judged is not None and judged.high is not None:
            return "refuted" if judged.high < 0 else "mixed"
        return "refuted" if gain < (-_CLEAR * error if error is not None else 0) else "inconclusive"

    def choose(self, run: LoggedRun) -> Choice:
        if run.verdict == "retract":
            return _done("abandon", f"Run {run.number} was retracted: {clean(run.reason, 160)}")
        if run.status == "blocked":
            return _done(
                "abandon", f"Run {run.number} was refused before it ran: {clean(run.error or run.reason, 240)}"
            )
        if run.status == "inconclusive" and run.usable is None and run.error:
            return _done("abandon", f"Run {run.number} was {clean(run.error, 240)}. Nothing was measured of it.")
        if run.failed:
            return self._failed(run)
        kept = run.status == "keep" and run.verdict != "provisional"
        choice = (self._kept(run) if kept else None) or self._again(run) or self._open(run)
        doubt = self.doubt.get(run.id)
        if doubt is None or doubt.retracted in choice.cites or run is self.book.champion:
            return choice
        why = f"{choice.why} It rests on a retracted run, {doubt.retracted}: {doubt.path}."
        return replace(choice, why=why, cites=(*choice.cites, doubt.retracted))

    # --- by what a run came to

    def _failed(self, run: LoggedRun) -> Choice:
        n, message = run.number, run.error or run.reason or run.description
        told = clean(last_line(message), 140) or "no message was recorded"
        ran_out = run.status == "timeout" or bool(_RAN_OUT.search(message))
        later = max(self._measured.get(key, 0) for key in (self._idea(run), words_of(run.description, run.id)))
        if later > n:
            return _done("abandon", f"Run {n} failed ({told}); its change was measured since, as run {later}.", later)
        if run.run in self.book.again:
            return _done("abandon", f"Run {n} failed ({told}); it was mended once, and that run says the rest.")
        for knob, at in self._since(run).items():
            # A run that found no end is no better for another setting; one that had too little memory may be.
            if (ran_out and run.status != "timeout" and _TAKES_MEMORY.search(knob)) or knob in normal_knob(message):
                moved = f"Run {at} moved {self._called[knob]} since"
                why = f"Run {n} failed ({told}). {moved}, so it may run now on top of the champion."
                return Choice("retest", "medium", why, (at,), self._on_top(run))
        if run.status == "lost":
            judged = self.book.by_run.get(self.book.tests.get(run.run, -1))
            if judged is not None and judged.verdict:
                return _done("abandon", f"Run {n} was interrupted ({told}); run {judged.number} was judged without it.")
            why = f"Run {n} was interrupted ({told}), which says nothing about its idea."
            return Choice("retry", "medium", why, (), self._on_top(run))
        group = self._same_cause.get(n, (n,))
        same = tuple(number for number in group[:5] if number != n)[:4]
        others = len(group) - 1
        also = f" {plural(others, 'other run')} failed alike, such as {run_numbers(same)}." if others else ""
        if ran_out or _MENDABLE.search(message):
            need = "it needs less memory or time" if ran_out else "the message says what to mend"
            return Choice("fix_and_retry", "high", f"Run {n} failed: {told}; {need}.{also}", same, self.look(run))
        level: Priority = "high" if others > 1 or run.role == "baseline" else "medium"
        why = f"Run {n} failed: {told}. The cause is not clear from that.{also}"
        return Choice("investigate_crash", level, why, same, self.look(run))

    def _kept(self, run: LoggedRun) -> Choice | None:
        n, book, seen = run.number, self.book, self._seen(run)
        (gain, reference, _), doubt, reigns = self.gain(run), self.doubt.get(run.id), run is self.book.champion
        if run.verdict == "confirmed" and doubt is not None and run.run not in self._line:
            why = f"Run {n} was confirmed ({seen}), but it rests on a retracted run, {doubt.retracted}: {doubt.path}."
            return Choice("replicate", "high", why, (doubt.retracted,), self._race(run))
        error = single_run_error(book, reference) if reference else None
        sure = run.verdict == "confirmed" or (gain is not None and error is not None and gain > _CLEAR * error)
        if reigns and sure and self.split is not None and self.split.disagrees:
            return Choice(
                "replicate", "high", f"Run {n} is the champion ({seen}). {self.split.text}", (), self._race(run)
            )
        built_on = run.run in self._crowned & self._line
        if built_on and sure:
            if not reigns:
                return _done("promote", f"Run {n} was champion ({seen}), until a better one was built.")
            look = self.look(run)
            why = f"Run {n} is the champion ({seen}): read its change{f' ({look})' if look else ''} and take it over."
            return Choice("promote", "high", why, (), self._take(run))
        if built_on and run.verdict != "confirmed":
            margin = f"one run can be off by {self._amount(error)}" if error else "nothing was repeated"
            if not error and (have := len(book.fresh(run))):
                margin = f"the noise shows from four repeats on, and {have} stands"
            why = f"Run {n} was kept on {seen}, and {margin}: measure it again before building on it."
            return Choice("replicate", "high" if reigns else "low", why, (), self._race(run))
        if run.run in book.again:
            return _done("branch_followup", f"Run {n} won ({seen}) and was carried on to a newer champion since.")
        if run.run in self._line:
            return _done("promote", f"Run {n} ({seen}) is part of what the champion is built on.")
        if book.champion is None:
            return _done("branch_followup", f"Run {n} was kept; without a number it is compared with nothing.")
        why = f"Run {n} was kept ({seen}), and the champion's line does not have it; nobody measured both together."
        level: Priority = "high" if run.verdict == "confirmed" else "low"
        return Choice("branch_followup", level, why, (book.champion.number,), self._on_top(run))

    def _again(self, run: LoggedRun) -> Choice | None:
        """What was carried on, measured again, built upon or overtaken, if it was."""
        n, seen, judged = run.number, self._seen(run), self.book.judged.get(run.run)
        if judged is not None and judged.number("carry") and run.run not in self.book.again:
            why = f"Run {n} beat a champion that was replaced meanwhile ({seen}); it is to be measured on the new one."
            return Choice("branch_followup", "high", why, (), self._go_on(run))
        if run.run in self._line:
            return _done("replicate", f"Run {n} ({seen}) was not settled, and the champion is built on it.")
        later = self._measured.get(self._idea(run), 0)
        if later > n:
            return _done("abandon", f"Run {n} ({seen}) made a change that was measured again as run {later}.", later)
        moved = max((self._moved.get(knob, 0) for knob in self._knobs(run)), default=0)
        if moved > n or run.run in self.book.again:
            where = f"run {moved} of the champion's line" if moved > n else "a later run"
            return _done(
                "abandon", f"Run {n} ({seen}): {where} took its knob further since.", *([moved] if moved else [])
            )
        return None

    def _open(self, run: LoggedRun) -> Choice:
        """What was not settled, or lost by no clear margin: is it worth another measurement?"""
        n, seen, (gain, reference, _) = run.number, self._seen(run), self.gain(run)
        error, judged = single_run_error(self.book, reference) if reference else None, self.book.judged.get(run.run)
        unsettled = run.verdict == "provisional" or "inconclusive" in (run.verdict, run.status)
        near = gain is not None and error is not None and gain > -_CLEAR * error
        if judged is not None and judged.pairs and judged.high is not None:
            near = judged.high > 0
        parts = set().union(*map(_part, self._knobs(run)))
        since = self._since(run) if near or unsettled else {}
        closest = max(since, key=lambda knob: len(parts & _part(knob)) / len(parts | _part(knob)), default="")
        if closest and (unsettled or parts & _part(closest)):
            at = since[closest]
            moved = f"Run {at} moved {self._called[closest]} since"
            why = f"Run {n} was not settled ({seen}). {moved}, so it may count now."
            return Choice("retest", "medium" if unsettled else "low", why, (at,), self._on_top(run))
        broken = self._broken.get(run.run)
        if broken is not None:
            told = f"on a fresh seed, as run {broken.number}, it failed: {clean(broken.error, 200)}"
            why = f"Run {n} ({seen}): {told}. More pairs would fail alike until that is mended."
            return Choice("fix_and_retry", "low", why, (broken.number,), self.look(run))
        pairs = self._pairs(gain)
        if gain is None or gain <= 0 or not (near or unsettled):
            return _done("abandon", f"Run {n} gives no reason to go on: {seen}.")
        if pairs > _MOST_PAIRS:
            least = minimum_detectable_effect(self.book.noise, _MOST_PAIRS) if self.book.noise else 0.0
            told = f"{_MOST_PAIRS} fresh pairs show a gain of {self._amount(least)}"
            why = f"Run {n} ({seen}): too small a difference to be settled here; {told}."
            return _done("replicate" if run.verdict == "provisional" else "abandon", why)
        settle = f"about {plural(pairs, 'fresh pair')} would show it 8 times in 10, if that is its true size."
        why = f"Run {n} looked better ({seen}), which settles nothing; {settle}"
        if run.verdict == "discard" and judged is not None and judged.sigma and self.book.noise:
            then, now = (self.amounts.fine(sigma) for sigma in (judged.sigma, self.book.noise.sigma))
            why = f"Run {n} was discarded ({seen}) with a sigma of {then}; it is {now} now, and {settle}"
        if run.verdict == "provisional":
            return Choice("replicate", "medium", why, (), self._race(run))
        return Choice("retry", "medium" if unsettled else "low", why, (), self._race(run))

    # --- what the rules ask

    def _knobs(self, run: LoggedRun) -> set[str]:
        return set(map(self._normal, self.book.knobs(run)))

    def _idea(self, run: LoggedRun) -> str:
        """What a run changed, or its own text where nobody could read that as changes."""
        return self.book.edits.get(run.run) or idea_of(run.description or run.id)

    def _since(self, run: LoggedRun) -> dict[str, int]:
        """Knobs that the champion's line moved after a run, other than its own, the newest first."""
        if run.run in self._line:
            return {}
        own = self._knobs(run)
        moved = [(at, knob) for knob, at in self._moved.items() if at > run.number and knob not in own]
        return {knob: at for at, knob in sorted(moved, reverse=True)}

    def _pairs(self, gain: float | None) -> int:
        noise = self.book.noise
        if noise is None or not noise.known or not noise.sigma or not gain or gain <= 0:
            return _PAIRS_WHERE_NOISE_IS_UNKNOWN
        return runs_to_settle(gain, noise)

    def _amount(self, gain: float) -> str:
        return f"{self.amounts.fine(gain)} {self.unit}".strip()

    def _seen(self, run: LoggedRun) -> str:
        (gain, champion, _), judged = self.gain(run), self.book.judged.get(run.run)
        if gain is None or champion is None:
            return "nothing to compare with"
        how = judged.seen if judged is not None else "one run"
        return f"{self.amounts.signed(gain)} {self.unit}".strip() + f" over {self.named(champion)}, in {how}"

    def named(self, run: LoggedRun) -> str:
        """A run that others are compared with, as what it was."""
        if run is self.book.champion:
            return f"the champion, run {run.number}"
        return f"run {run.number}, {'champion' if run.run in self._crowned else 'the head'} then"

    # --- what can be typed

    def _race(self, run: LoggedRun) -> str:
        """A race against the champion; the champion itself against the one before it; '' where nothing can."""
        champion = self.book.champion if run is not self.book.champion else self.gain(run)[1]
        if not self.is_lab:
            told = ("--repeats", str(run.number), "--description", "again", "--status", "keep")
            words = (*told, "--metric", f"{self.book.metric}=VALUE", "--campaign", self.book.campaign)
            return command("memex", "log", *words) if run.commit else ""
        if champion is None or champion.commit == run.commit or not run.commit:
            return ""
        pairs = str(min(_MOST_PAIRS, max(LOOKS, self._pairs(self.gain(run)[0]))))
        sides = (str(run.number), str(champion.number))
        return command("memex", "race", *sides, "--pairs", pairs, "--campaign", self.book.campaign)

    def _go_on(self, run: LoggedRun) -> str:
        return command("memex", "run", "--campaign", self.book.campaign, "--runs", "4") if self.is_lab else ""

    def _take(self, run: LoggedRun) -> str:
        """The champion into the person's branch; by its commit, where what nobody has confirmed was built upon it."""
        is_tip = not any(later.verdict == "provisional" and later.number > run.number for later in self.book.runs)
        name = f"memex/{self.book.campaign}" if is_tip else run.commit[:12]
        return command("git", "merge", name) if self.look(run) else ""

    def _on_top(self, run: LoggedRun) -> str:
        """The change of a run, measured on the working head."""
        if not self.look(run):
            return ""
        words = ("--hypothesis", f"run {run.number} again, on what won since", "--campaign", self.book.campaign)
        changes = self.book.changes(run.run)
        if changes and all(change.old is not None and change.new is not None for change in changes):
            knobs = [word for change in changes for word in ("--set", f"{change.knob}={change.new}")]
            return command("memex", "try", *knobs, *words)
        return f"git cherry-pick --no-commit {run.commit[:12]} && {command('memex', 'try', *words)}"

    def look(self, run: LoggedRun) -> str:
        """The change of a run as a patch; '' where no repository of the lab has it."""
        is_here = self.is_lab and re.fullmatch(r"[0-9a-f]{7,64}", run.commit)
        return command("git", "show", run.commit[:12]) if is_here else ""
