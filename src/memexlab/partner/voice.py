"""Who speaks where in a text, when, and in what kind of text: segments, computed from the text alone.

Front matter, editors' notes and narrative, letters to the person, block quotations and other people's chapters are told
from the person's own words. What no rule knows is `unknown`; a person may say otherwise: `memex voice`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..wiki.times import dates

VOICES = ("own", "co-authored", "editor", "recipient", "interviewer", "quoted", "fiction", "code", "unknown")
#: A shorter passage in quotation marks may be a word that the person holds at arm's length.
_QUOTED_CHARS = 60
_EDGE_SHARE = 0.15

_BLOCK = re.compile(r"(?:[^\n]*\S[^\n]*(?:\n|\Z))+")
_EDITED = re.compile(
    r"^[ \t]*edited by\s+(?:(?:his|her)\s+)?(son|daughter|wife|husband|brother|sister)?[\w\s.]{0,60}?$", re.I | re.M
)
_CHAPTER = re.compile(
    r"^(?:THE )?(?:CHAPTER|PART|BOOK|ESSAY|INTRODUCTION|PREFACE|APPENDIX|SUPPLEMENT|NOTE ON|[IVXL]+\.? [A-Z])[A-Z0-9 "
    r".,:'&{}()\n-]*"
)
_OPENING = re.compile(r"^(?:INTRODUCTION|PREFACE)\.?[ \t\r]*$", re.M)
_INDEX = re.compile(r"^INDEX\.?[ \t\r]*$", re.M)
_WRITTEN = re.compile(r"\b(?:ESSAY|LETTER|SKETCH|NOTES?) OF (\d{4})")
_BY = re.compile(r"\bBY (?:PROFESSOR|PROF\.|MR\.|MRS\.|DR\.|SIR) ?([A-Z][A-Z .]+)")
_LETTER = re.compile(
    r"^((?:[A-Z]{2,}|[A-Z]\.)(?:[A-Z .,'-]|\([^)]*\))*?) TO ((?:[A-Z]{2,}|[A-Z]\.)[A-Z .,'-]*)(?=[.\s(])"
)
_SALUTATION = re.compile(r"^(?:My )?[Dd]ear(?:est)? (?:old )?((?:[A-Z]\w+\.? ?){1,3})[,.]")
_PLACE_AND_DATE = re.compile(r"^[^\n]{0,60}\[?\d{4}\??\]?\.?\]?\s*$")
_SPEAKER = re.compile(r"^\**([A-Z][\w. '-]{0,40})\**:\**\s")
#: Within one paragraph: a mark that is never closed must not turn what stands outside and inside round after it.
_MARKS = re.compile(r"[“\"](?:[^“”\"\n]|\n(?!\s*\n))+[”\"]")
#: In an edited text: a sentence of its own in brackets, which is the editor's.
_ASIDES = re.compile(r"\[[A-Z'][^\[\]]{30,}\]|\([A-Z'][^()]{30,}\)|" + _MARKS.pattern)
_DIALOGUE = frozenset({"talk", "interview", "podcast"})
_CORRESPONDENCE = frozenset({"letter", "letters"})
_FIRST_PERSON = re.compile(r"\bI\b")


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a text with one voice; `unit` counts the letters, chapters or essays that were dated apart."""

    start: int
    end: int
    voice: str
    date: str
    basis: str
    kind: str
    unit: int = 0


class _Reading:
    """Where the reading of one text stands: who speaks in what, and what the text as a whole is."""

    def __init__(self, text: str, person: str, kind: str, date: str, basis: str, voice: str) -> None:
        self.person, self.kind, self.date, self.basis = person, kind, date, basis
        self.surname = person.split()[-1].casefold() if person.split() else ""
        head = text[:3_000]
        edited = _EDITED.search(head)
        self.edited = edited is not None
        self.relative = "my father" if edited and (edited[1] or "").lower() in ("son", "daughter") else ""
        self.default = voice or "own"
        self.voice = "editor" if self.edited and kind != "autobiography" and not voice else self.default
        self.now = Segment(0, 0, self.voice, date, basis, kind)
        self.bracket, self.correspondence = False, kind in _CORRESPONDENCE
        if self.correspondence:
            self.now = replace(self.now, kind="letter")
        self.memoir = kind == "autobiography"

    def block(self, text: str) -> str:
        """Takes in one block of lines and says who speaks in it."""
        line = text.strip()
        if self.bracket or (self.edited and line.startswith("[") and not _PLACE_AND_DATE.match(line)):
            return self._note(line)
        if line.startswith(">"):
            return "quoted"
        letter = _LETTER.match(line) if self.correspondence else None
        if letter and (not self.memoir or self.surname in letter[0].casefold()):  # FROM MY RETURN TO ENGLAND is none
            return self._letter(letter, line)
        if _CHAPTER.match(line) and len(line) < 300:
            return self._chapter(line)
        if self.correspondence and not self.memoir and (said := self._in_letters(line)):
            return said
        if self.kind in _DIALOGUE and (speaker := _SPEAKER.match(line)):
            own = speaker[1].strip().casefold()
            self.voice = "own" if own in self.person.casefold() else "interviewer"
            return self.voice
        if all(row[:3] == "   " for row in text.splitlines() if row.strip()):
            return "editor" if self.edited else "quoted"
        if self.voice == "own" and not self.correspondence and _is_quotation(line):
            return "quoted"
        return self.voice

    def _note(self, line: str) -> str:
        self.bracket = line.count("[") + self.bracket > line.count("]")
        if (
            self.memoir
            and self.now.basis != "inferred"
            and (found := dates(re.sub(r"[\[\]]|\b(\w{3})\.\s*", r"\1 ", line)))
        ):
            self.now = replace(self.now, date=found[0][0], basis="inferred")
        if self.correspondence and not self.memoir:
            self.voice = "editor"
        return "editor"

    def _chapter(self, line: str) -> str:
        other = _BY.search(line)
        self.memoir = self.kind == "autobiography" or "AUTOBIOGRAPHY" in line
        opens = _OPENING.match(line) is not None
        if other and other[1].strip(" .,").split()[-1].casefold() != self.surname:
            self.voice = "quoted"
        elif self.correspondence:
            self.voice = "own" if self.memoir else "editor"
        else:
            self.voice = "editor" if self.edited and opens else self.default
        if self.correspondence:
            kind = "autobiography" if self.memoir else "letter"
            self.now = replace(self.now, kind=kind, date=self.date, basis=self.basis, unit=self.now.unit + 1)
        elif opens:
            self.now = replace(self.now, date=self.date, basis=self.basis)
        if written := _WRITTEN.search(line):
            self.now = replace(self.now, date=written[1], basis="declared", unit=self.now.unit + 1)
        return "unknown"

    def _letter(self, heading: re.Match[str], line: str) -> str:
        sender, addressee = (name.casefold() for name in heading.groups())
        own, to = (self.surname in name and (name[0] == self.person[:1].casefold()) for name in (sender, addressee))
        self.voice = "own" if own else "recipient" if to else "quoted"
        self._dated(line[heading.end() :])
        return "unknown"

    def _in_letters(self, line: str) -> str:
        """Rules between and inside letters; '' where the block goes on as it was."""
        if salutation := _SALUTATION.match(line):
            if self.surname in salutation[1].casefold():
                self.voice = "recipient"
            elif self.voice == "editor":
                self.voice = "own"
        elif _PLACE_AND_DATE.match(line) and self.voice in ("own", "editor"):
            self._dated(line)
            return "unknown"
        elif self.relative and self.relative in line and not _FIRST_PERSON.search(line):
            self.voice = "editor"
        elif (
            self.voice != "editor"
            and len(line) < 120
            and re.search(r"\b(?:[A-Z]\.\s?)+[A-Z]{4,}\.?\s*$|\b[A-Z]{4,} [A-Z]{4,}\.?\s*$", line)
        ):
            said, self.voice = self.voice, "editor"  # signed: what follows is the editor's, but for a postscript
            return said
        elif self.voice == "editor" and line.startswith("P.S."):
            return "own"
        return self.voice

    def _dated(self, heading: str) -> None:
        """The date of a letter from its heading; without one it keeps that of the letter before, as inferred."""
        plain = re.sub(r"[\[\]?]|\s+(?=,)", "", heading.split("(")[0][:160].replace("\n", " "))
        found, year = dates(plain), re.search(r"\b1[5-9]\d\d\b|\b20\d\d\b", plain)
        date = found[-1][0] if found else year[0] if year else self.now.date
        supplied = re.search(r"\[[^\]]*\d{4}", heading[:160]) or not (found or year)
        basis = "inferred" if supplied else "declared"
        self.now = replace(self.now, date=date, basis=basis, unit=self.now.unit + 1, kind="letter")


def segments(text: str, person: str, kind: str, date: str, basis: str, voice: str = "") -> list[Segment]:
    """The segments of a text in order; `voice` says who speaks where no rule says otherwise (default: the person)."""
    reading = _Reading(text, person, kind, date, basis, voice)
    edge = int(len(text) * _EDGE_SHARE)
    opening = [match.start() for match in _OPENING.finditer(text, 0, edge)] or [0]
    index = [match.start() for match in _INDEX.finditer(text, len(text) - edge)] or [len(text)]
    found: list[Segment] = []
    fence = False
    for match in _BLOCK.finditer(text):
        start, end = match.span()
        if kind in ("post", "note", "paper") and match[0].count("```") % 2:
            fence, said = not fence, "code"
        else:
            said = "code" if fence else reading.block(match[0])
        if start < opening[-1] or start >= index[-1]:
            said = "unknown"
            reading.voice = reading.voice if start >= index[-1] else "editor" if reading.edited else reading.default
        before = found[-1] if found else None
        new = replace(reading.now, start=start, end=end, voice=said)
        if before and replace(before, start=start, end=end) == new:
            found[-1] = replace(before, end=end)
        else:
            found.append(new)
    asides = _ASIDES if reading.edited else _MARKS
    return [part for whole in found for part in _without_asides(text, whole, asides)]


def _is_quotation(line: str) -> bool:
    return line[:1] in '"“' and line.rstrip(" .,{}0123456789[]")[-1:] in '"”' and len(line) > _QUOTED_CHARS


def _without_asides(text: str, whole: Segment, asides: re.Pattern[str]) -> Iterator[Segment]:
    """An own segment with the long passages in quotation marks, and an editor's in brackets, set apart."""
    if whole.voice != "own":
        yield whole
        return
    at = whole.start
    for match in asides.finditer(text, whole.start, whole.end):
        voice = "quoted" if match[0][0] in '"“' else "editor"
        if re.search(r"\n\s*\n", match[0]) or (voice == "quoted" and match.end() - match.start() < _QUOTED_CHARS):
            continue
        if at < match.start():
            yield replace(whole, start=at, end=match.start())
        yield replace(whole, start=match.start(), end=match.end(), voice=voice)
        at = match.end()
    if at < whole.end:
        yield replace(whole, start=at)


def overridden(found: Sequence[Segment], said: Sequence[tuple[int, int, str]]) -> list[Segment]:
    """The segments after a person said, last word last, who speaks from one place to another."""
    for start, end, voice in said:
        cut: list[Segment] = []
        for one in found:
            a, b = max(one.start, start), min(one.end, end)
            if a >= b:
                cut.append(one)
                continue
            parts = [(one.start, a, one.voice), (a, b, voice), (b, one.end, one.voice)]
            cut += [replace(one, start=x, end=y, voice=who) for x, y, who in parts if x < y]
        found = cut
    return list(found)
