"""What a person asks of a whole campaign in the morning: what won, whether it is real, what to do next.

Answered in the report's own sentences. It knows whole questions only: one that says more is not its own.
"""

from __future__ import annotations

import re
import sqlite3
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files

from ...memory.doubts import doubts as resting_on_retracted
from ...memory.questions.context import MOST_REFS, Answer
from ..evidence.lessons import failures, lessons
from ..evidence.logbook import Logbook, read_logbook
from ..evidence.outliers import alarm_of
from ..evidence.sentences import (
    Standing,
    ThirdSplit,
    counts_sentence,
    doubts,
    headline,
    noise_sentence,
    standing_of,
    third_split,
)
from ..evidence.sentences import trust as trusted
from ..wording import Amounts, clean, command, run_numbers
from .agenda import agenda
from .summary import kept_rows

_MOST = 5
_WORDS = tomllib.loads((files(__package__) / "morning.toml").read_text("utf-8"))
#: Whole questions, by what they ask for.
_ASKED = {
    kind: re.compile("|".join(pattern.format_map(_WORDS["parts"]) for pattern in patterns))
    for kind, patterns in _WORDS["asked"].items()
}


@dataclass(frozen=True, slots=True)
class _Morning:
    db: sqlite3.Connection
    book: Logbook
    standing: Standing | None
    split: ThirdSplit | None
    amounts: Amounts
    is_taken: Callable[[str], bool]

    def won(self) -> list[str]:
        counted = counts_sentence(self.book, self.book.runs, False)
        return [headline(self.book, self.standing, self.amounts), counted, *self.trust()[:1]]

    def trust(self) -> list[str]:
        if self.standing is None:
            return ["There is no win to trust yet.", headline(self.book, None, self.amounts)]
        resting = {d.run: d.retracted for d in resting_on_retracted(self.db, self.book.campaign) if d.kind == "run"}
        kept = kept_rows(self.book, resting)
        doubted = sum(row.within_noise is True for row in kept)
        alarm = alarm_of(self.db, self.book, self.is_taken)
        word, grounds, _ = trusted(self.standing, self.split, self.amounts, doubted, len(kept), alarm)
        found = [
            f"Can run {self.standing.champion} be trusted? {word}: {grounds}.",
            f"Its gain: {self.standing.basis}.",
        ]
        return [*found, noise_sentence(self.book, self.amounts), *([self.split.text] if self.split else [])]

    def next(self) -> list[str]:
        failed = failures([run for run in self.book.runs if run.failed])
        doubted = doubts(self.book, self.standing, self.split, self.amounts)
        items = agenda(self.db, self.book, failed, doubted, self.is_taken)
        told = []
        for place, item in enumerate(items[:_MOST], 1):
            told += [f"{place}. {item.title}. {item.why}", *([f"   {item.command}"] if item.command else [])]
        return told or ["Nothing waits for a decision: try more ideas, memex run --runs 8."]

    def learned(self) -> list[str]:
        found = lessons(self.db, self.book, self.amounts)[:8]
        told = [f"{one.lead} {one.text}" for one in found]
        return told or ["No change has been measured against another yet."]

    def wrong(self) -> list[str]:
        failed = failures([run for run in self.book.runs if run.failed])
        told = [f"{len(f.runs)} x {f.status}: {clean(f.cause, 120)} ({run_numbers(list(f.runs))})" for f in failed]
        return told[:_MOST] or ["No run failed."]


_TOLD: dict[str, Callable[[_Morning], list[str]]] = {
    "won": _Morning.won, "trust": _Morning.trust, "next": _Morning.next, "learned": _Morning.learned,
    "wrong": _Morning.wrong,
}  # fmt: skip
_WHERE = {"next": "next", "learned": "effects"}


def asked_of_all(question: str) -> str:
    """What of the whole campaign is asked for: won, trust, next, learned or wrong; '' where it is another question."""
    plain = re.sub(r"['’]s\b", " is", question.lower().replace("hasn't", "has not").replace("haven't", "have not"))
    plain = " ".join(re.sub(r"[^\w\s]", " ", plain).split())
    plain = re.sub(r"^(?:(?:so|ok|okay|please|hey|hi|well|and|tell me) )+", "", plain)
    plain = re.sub(rf" (?:{_WORDS['parts']['time']})$", "", plain)
    return next((kind for kind, words in _ASKED.items() if words.fullmatch(plain)), "")


def of_all(db: sqlite3.Connection, campaign: str, question: str, kind: str, is_taken: Callable[[str], bool]) -> Answer:
    """The answer, and the entries it names; its sentences are those of the report, which says where they come from.

    `is_taken`: whether the person's branch has a commit already.
    """
    book = read_logbook(db, campaign)
    amounts = Amounts.of(clean(book.unit, 40), book.scale)
    morning = _Morning(db, book, standing_of(book), third_split(book, amounts), amounts, is_taken)
    told = [line for line in _TOLD[kind](morning) if line]
    named = dict.fromkeys(int(n) for n in re.findall(r"(?:#|\b[Rr]uns? )(\d{1,9})\b", " ".join(told)))
    at = {run.number: run.run for run in book.runs}
    ids = [db.execute("SELECT id FROM runs WHERE run = ?", (at[n],)).fetchone()[0] for n in named if n in at]
    more = command("memex", _WHERE.get(kind, "report"), "--campaign", campaign)
    last = max((run.number for run in book.runs), default=0)
    text = "\n".join([*told, f"(all of it: {more})"])
    return Answer(question, kind, told, text, "", tuple(ids[:MOST_REFS]), last, "exact")
