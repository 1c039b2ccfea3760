"""Who speaks where in a text, when, and in what kind of text: segments, computed from the text alone.

Front matter, editors' notes and narrative, letters to the person, block quotations and other people's chapters are told
from the person's own words. What no rule knows is `unknown`; a person may say otherwise: `memex voice`.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..wiki.dates import dates

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
    r"^((?:A(?= LETTER)|[A-Z]{2,}|[A-Z]\.)(?:[A-Z .,'-]|\([^)]*\))*?) TO ((?:[A-Z]{2,}|[A-Z]\.)[A-Z .,'-]*)(?=[.\s(])"
)
#: "The following letter, from Mrs. Boole, is ...": who wrote what follows the note.
_ANNOUNCED = re.compile(
    r"(?:following|next) letters?,? (?:is |was |were |are )?(?:written |addressed |received )?(?:from|by) "
    r"((?:(?:Mrs?|Miss|Dr|Sir|Prof(?:essor)?|Lord|Lady|Rev|the Rev)\b\.? ?)?(?:[A-Z][\w.'-]+ ?)+)"
)
_SALUTATION = re.compile(r"^(?:My )?[Dd]ear(?:est)? (?:old )?((?:[A-Z]\w+\.? ?){1,3})[,.]")
_SIGNED = re.compile(r"\b(?:[A-Z]\.\s?)+[A-Z]{4,}\.?\s*$|\b[A-Z]{4,} [A-Z]{4,}\.?\s*$")
_PLACE_AND_DATE = re.compile(r"^[^\n]{0,60}\[?\d{4}\??\]?\.?\]?\s*$")
_SPEAKER = re.compile(r"^\**([A-Z][\w. '-]{0,40})\**:\**\s")
#: Within one paragraph: a mark that is never closed must not turn what stands outside and inside round after it.
_MARKS = re.compile(r"[“\"](?:[^“”\"\n]|\n(?!\s*\n))+[”\"]")
_LEAST_ASIDE_CHARS = 32
_FRONT_MATTER = re.compile(r"---[ \t]*\n(?:[^\n]*\n)*?(?:---|\.\.\.)[ \t]*(?:\n|\Z)")
#: What stands right before, or after, words in quotation marks that somebody else said.
_SPEAKS = r"(?:says|said|writes|wrote|asked|replied|argues|put it)"
_SAYS_NAME = re.compile(rf"\b(?!We\b)[A-Z][\w'’-]+,? (?:\w+ly |once |always |also )?{_SPEAKS}[,:]? $")
_NAME_SAYS = re.compile(rf",? (?:{_SPEAKS} (?!I\b)[A-Z][\w'’-]+|(?!We\b)[A-Z][\w'’-]+ {_SPEAKS})\b")
_LEAST_SAID_WORDS = 3


def _aside(opens: str, closes: str) -> str:
    """A sentence in brackets to the mark that closes it; without one, to the end of a sentence or of the paragraph."""
    wrap = r"\n(?!\s*\n(?![\"“]))"  # it goes on over a paragraph that is quoted
    inside = closed = rf"[^\n{opens}{closes}]|{wrap}"
    for _ in range(3):
        closed = f"{opens}(?:{inside})*+{closes}"
        inside = rf"[^\n{opens}{closes}]|{wrap}|{closed}"
    rest = rf"{opens}(?:[^\n]|{wrap})"
    return rf"(?:{closed}|{rest}*?[.!?]['\"”]?{closes}|{rest}*+)"


#: In an edited text these are the editor's, but not what begins with "I"; a block in brackets has a rule of its own.
_ROUND, _SQUARE = _aside(r"\(", r"\)"), _aside(r"\[", r"\]")
_ASIDES = re.compile(rf"(?=\((?!I )[A-Z'\"“]){_ROUND}|(?<!\n\n)(?=\[[A-Z'\"“]){_SQUARE}")
#: The end of an editor's paragraph after which words of the person follow in quotation marks.
_SAID = r"(?:wrote|writes|says|gives?|replied|answered|remarks?|adds)"
_LEADS = re.compile(
    rf"(?:\b(?:[Mm]y father(?!')|[Hh]e)\b[^.:;]{{0,60}}?\b{_SAID}\b|\breceived from him\b|\b(?:letter|note|extract)s? "
    r"(?:\([^)]*\) )?(?:from (?:a )?letters? )?(?:of )?to (?!my father|him\b|[Mm]r\. Darwin))[^:]{0,260}:(?:--)?$"
)
_OTHERS = re.compile(r"\bto my father\b(?!.*from him)|[Mm]r\. Darwin")
_NAMELESS = re.compile(r"(?:(?:FROM|AN?|THE|EXTRACTS?|PART|OF|LETTERS?) ?)+")
_DIALOGUE = frozenset({"talk", "interview", "podcast"})
_CORRESPONDENCE = frozenset({"letter", "letters"})
_LED = "the person's words, to which the editor leads"
#: What told a voice that a block has by itself.
_NOTES = {"editor": "a note in brackets, or indented", "quoted": "a quotation", "unknown": "a heading or a date"}
_QUOTATION = re.compile(rf"[\"“].{{{_QUOTED_CHARS},}}[\"”][ .,{{}}\d\[\]]*", re.S)
_FIRST_PERSON = re.compile(r"\bI\b")


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch with one voice, and what told it; `unit` counts the letters, chapters or essays dated apart."""

    start: int
    end: int
    voice: str
    date: str
    basis: str
    kind: str
    unit: int = 0
    why: str = ""


class _Reading:
    """Where the reading of one text stands: who speaks in what, and what the text as a whole is."""

    def __init__(self, text: str, person: str, kind: str, date: str, basis: str, voice: str) -> None:
        self.person, self.kind, self.date, self.basis = person, kind, date, basis
        self.surname = person.split()[-1].casefold() if person.split() else ""
        edited = _EDITED.search(text[:3_000])
        self.edited = edited is not None
        self.relative = "my father" if edited and (edited[1] or "").lower() in ("son", "daughter") else ""
        self.default = voice or "own"
        self.voice = "editor" if self.edited and kind != "autobiography" and not voice else self.default
        self.cause = "an edited text, before its first chapter or letter" if self.voice == "editor" else "its source"
        self.writer, self.announced, self.leads = "own", "own", False
        self.now = Segment(0, 0, self.voice, date, basis, kind)
        self.bracket, self.correspondence = False, kind in _CORRESPONDENCE
        if self.correspondence:
            self.now = replace(self.now, kind="letter")
        self.memoir = kind == "autobiography"

    def _turn(self, voice: str, cause: str) -> str:
        self.voice, self.cause = voice, cause
        return voice

    def block(self, text: str, plain: str, gap: bool) -> tuple[str, str]:
        """Who speaks in a block and what told it; `plain` is without asides, a `gap` is two blank lines before it."""
        line = text.strip()
        if gap and self.edited and self.correspondence and not self.memoir and self.voice == "own":
            self._turn("editor", "after a letter")
        if self.leads and self._led(line, plain.strip()):
            return "own", _LED
        said, cause = self._told(text, line, plain), self.cause
        if said == "editor" and self.edited and self.correspondence and not self.memoir:
            tail = re.split(r"(?<=[a-z)\d'\"]{2})\.\s+(?=[A-Z])", " ".join(line.split()))[-1]
            self.leads = _LEADS.search(tail) is not None and not _OTHERS.search(tail)
            if self.leads:
                self._dated(tail.replace("(", " ")[-160:], supplied=True)
                self.now = replace(self.now, kind="autobiography" if "Autobiography" in tail else "letter")
        return said, "" if said in ("own", "co-authored") else cause if said == self.voice else _NOTES.get(said, cause)

    def _led(self, line: str, plain: str) -> bool:
        """Whether the block is the person's words in quotation marks to which the editor's paragraph led."""
        quoted, unclosed = line[:1] in '"“', len(re.findall('["“”]', line)) % 2 == 1
        self.leads = quoted and unclosed
        own = quoted and (unclosed or plain.rstrip(" ]")[-1:] in '"”')
        if own and self.bracket:
            self.bracket = line.count("[") + 1 > line.count("]")
        return own

    def _told(self, text: str, line: str, plain: str) -> str:
        letter = _LETTER.match(line) if self.correspondence else None
        if letter and (not self.memoir or self.surname in letter[0].casefold()):  # FROM MY RETURN TO ENGLAND is none
            return self._letter(letter, line)
        if self.bracket or (self.edited and line.startswith("[") and not _PLACE_AND_DATE.match(line)):
            return self._note(line)
        if not plain.strip():
            return "editor"
        if line.startswith(">"):
            return "quoted"
        if _CHAPTER.match(line) and len(line) < 300:
            return self._chapter(line)
        if self.correspondence and not self.memoir and (said := self._in_letters(line, plain)):
            return said
        if self.kind in _DIALOGUE and (speaker := _SPEAKER.match(line)):
            own = speaker[1].strip().casefold()
            return self._turn("own" if own in self.person.casefold() else "interviewer", "another speaker")
        if all(row[:3] == "   " for row in text.splitlines() if row.strip()):
            return "editor" if self.edited else "quoted"
        if self.voice == "own" and not self.correspondence and _QUOTATION.fullmatch(line):
            return "quoted"
        return self.voice

    def _note(self, line: str) -> str:
        self.bracket = line.count("[") + self.bracket > line.count("]")
        found = dates(re.sub(r"[\[\]]|\b(\w{3})\.\s*", r"\1 ", line)) if self.memoir else []
        if found and self.now.basis != "inferred":
            self.now = replace(self.now, date=found[0][0], basis="inferred")
        if self.correspondence and not self.memoir:
            self._turn("editor", "a note in brackets, and what follows it")
            named = _ANNOUNCED.search(" ".join(line.split()))
            self.announced = "recipient" if named and self.surname not in named[1].casefold() else "own"
        return "editor"

    def _chapter(self, line: str) -> str:
        other = _BY.search(line)
        self.memoir = self.kind == "autobiography" or "AUTOBIOGRAPHY" in line
        opens = _OPENING.match(line) is not None
        if other and other[1].strip(" .,").split()[-1].casefold() != self.surname:
            self._turn("quoted", "a chapter by another")
        elif self.correspondence:
            self._turn("own" if self.memoir else "editor", "a chapter's narrative, before a letter")
        else:
            self._turn("editor" if self.edited and opens else self.default, "an introduction")
        if self.correspondence:
            kind = "autobiography" if self.memoir else "letter"
            self.now = replace(self.now, kind=kind, date=self.date, basis=self.basis, unit=self.now.unit + 1)
        elif opens:
            self.now = replace(self.now, date=self.date, basis=self.basis)
        if written := _WRITTEN.search(line):
            self.now = replace(self.now, date=written[1], basis="declared", unit=self.now.unit + 1)
        return "unknown"

    def _letter(self, heading: re.Match[str], line: str) -> str:
        sender, addressee = (name.casefold().removeprefix("from ") for name in heading.groups())
        own, to = (self.surname in name and (name[0] == self.person[:1].casefold()) for name in (sender, addressee))
        self.bracket, self.writer = False, "own" if own else "recipient" if to else "quoted"
        self._turn(self.writer, f"a letter by another{' to the person' if to else ''}, by its heading")
        if not to and _NAMELESS.fullmatch(heading[1]):  # an extract of the person's, in quotation marks
            self.leads = self._turn("editor", "after an extract of a letter") == "editor"
        self._dated(re.sub(r"\((?:[^()]|\([^()]*\))*\)", " ", line[heading.end() :]))
        return "unknown"

    def _in_letters(self, line: str, plain: str) -> str:
        """Rules between and inside letters; '' where the block goes on as it was."""
        if salutation := _SALUTATION.match(line):
            if self.surname in salutation[1].casefold():
                self.writer = self._turn("recipient", "a letter that begins with the person's name")
            elif self.voice == "editor":
                told = "a letter by another, as the note before it says"
                self.writer = self._turn(self.announced, "" if self.announced == "own" else told)
            self.announced = "own"
        elif _PLACE_AND_DATE.match(line) and self.voice in ("own", "editor"):
            self._dated(line)
            return "unknown"
        elif self.relative and self.relative in plain and not _FIRST_PERSON.search(plain):
            self._turn("editor", f'narrative that says "{self.relative}", and what follows it')
        elif self.voice != "editor" and len(line) < 120 and _SIGNED.search(line):
            self._turn("editor", "after the signature of a letter")
            return self.writer
        elif self.voice == "editor" and line.startswith("P.S."):
            return self._turn(self.writer, "a postscript")
        return self.voice

    def _dated(self, heading: str, supplied: bool = False) -> None:
        """The date of a letter from its heading; without one it keeps that of the letter before, as inferred."""
        plain = re.sub(r"[\[\]?]|\s+(?=,)", "", heading.split("(")[0][:160].replace("\n", " "))
        found, year = dates(plain), re.search(r"\b1[5-9]\d\d\b|\b20\d\d\b", plain)
        before = "" if supplied and self.now.date == self.date else self.now.date  # no year of the volume's own
        date = found[-1][0] if found else year[0] if year else before
        supplied = supplied or bool(re.search(r"\[[^\]]*\d{4}", heading[:160])) or not (found or year)
        basis = "inferred" if supplied else "declared"
        self.now = replace(self.now, date=date, basis=basis, unit=self.now.unit + 1, kind="letter")


def segments(text: str, person: str, kind: str, date: str, basis: str, voice: str = "") -> list[Segment]:
    """The segments of a text in order; `voice` says who speaks where no rule says otherwise (default: the person)."""
    reading = _Reading(text, person, kind, date, basis, voice)
    edge = int(len(text) * _EDGE_SHARE)
    opening = [match.start() for match in _OPENING.finditer(text, 0, edge)] or [0]
    index = [match.start() for match in _INDEX.finditer(text, len(text) - edge)] or [len(text)]
    found: list[Segment] = []
    fence, ended = False, 0
    spans = (match.span() for match in (_ASIDES.finditer(text) if reading.edited else ()))
    asides = [(a, b) for a, b in spans if b - a > _LEAST_ASIDE_CHARS]
    plain = _ASIDES.sub(lambda m: " " * len(m[0]) if len(m[0]) > _LEAST_ASIDE_CHARS else m[0], text) if asides else text
    front = _FRONT_MATTER.match(text)
    for match in _BLOCK.finditer(text, front.end() if front else 0):
        start, end = match.span()
        if kind in ("post", "note", "paper") and match[0].count("```") % 2:
            fence, said, why = not fence, "code", ""
        else:
            gap = text.count("\n", ended, start) > 1
            said, why = ("code", "") if fence else reading.block(match[0], plain[start:end], gap)
        ended = end
        if start < opening[-1] or start >= index[-1]:
            said, why = "unknown", "front matter or index"
            reading.voice = reading.voice if start >= index[-1] else "editor" if reading.edited else reading.default
        before = found[-1] if found else None
        new = replace(reading.now, start=start, end=end, voice=said, why=why)
        if before and replace(before, start=start, end=end) == new:
            found[-1] = replace(before, end=end)
        else:
            found.append(new)
    return [part for whole in found for part in _without_asides(text, whole, asides)]


def _without_asides(text: str, whole: Segment, asides: Sequence[tuple[int, int]]) -> Iterator[Segment]:
    """An own segment with the long passages in quotation marks, and an editor's in brackets, set apart."""
    if whole.voice != "own":
        yield whole
        return
    first, last = bisect_right(asides, whole.start, key=lambda one: one[1]), bisect_left(asides, (whole.end, 0))
    cuts = [(max(a, whole.start), min(b, whole.end), "editor", "a note in brackets") for a, b in asides[first:last]]
    at = whole.start
    while match := _MARKS.search(text, at, whole.end):
        at = match.end()
        if whole.why == _LED and text[match.start() - 1 : match.start()] in ("\n", ""):
            at = match.start() + 1  # the mark that opens the whole extract
        elif (len(match[0]) >= _QUOTED_CHARS or _is_said_by_name(text, match)) and not any(
            a < at and match.start() < b for a, b, *_ in cuts
        ):
            cuts.append((match.start(), match.end(), "quoted", "in quotation marks"))
    at = whole.start
    for start, end, voice, why in sorted(cuts):
        if at < start:
            yield replace(whole, start=at, end=start)
        yield replace(whole, start=start, end=end, voice=voice, why=why)
        at = end
    if at < whole.end:
        yield replace(whole, start=at)


def _is_said_by_name(text: str, match: re.Match[str]) -> bool:
    """Whether a name stands with the words in quotation marks as the one who says them."""
    before = " ".join(text[max(0, match.start() - 80) : match.start()].split()) + " "
    named = _SAYS_NAME.search(before) or _NAME_SAYS.match(text, match.end())
    return named is not None and len(match[0].split()) >= _LEAST_SAID_WORDS


def overridden(found: Sequence[Segment], said: Sequence[tuple[int, int, str]]) -> list[Segment]:
    """The segments after a person said, last word last, who speaks from one place to another."""
    for start, end, voice in said:
        cut: list[Segment] = []
        for one in found:
            a, b = max(one.start, start), min(one.end, end)
            if a >= b:
                cut.append(one)
                continue
            parts = [(one.start, a, one.voice, one.why), (a, b, voice, "a voice line"),
                     (b, one.end, one.voice, one.why)]  # fmt: skip
            cut += [replace(one, start=x, end=y, voice=who, why=why) for x, y, who, why in parts if x < y]
        found = cut
    return list(found)
