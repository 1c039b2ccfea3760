"""Answers as pages show them: what a model worded from the claims of a section, and the questions that a person saved.

An answer to a standing question is shown while the claims it was given stand; where more are known by now, until one
from more of them takes its place, and marked. A claim that changes or goes takes it along, whatever arrived when. It
asks nobody and writes nothing.
"""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from ..ledger import Blobs
from .claims import evidence_key
from .entailment import bears, words
from .live_claims import Quote
from .notes import Notes, as_yaml
from .subjects import Page, key_of, plain

if TYPE_CHECKING:
    from .pages import Wiki

Sentences = tuple[tuple[str, tuple[str, ...]], ...]

_DENIES, _COUNTS = re.compile(r"\b(?:not|no|never|none|cannot|without)\b|n['’]t\b"), re.compile(r"\d+(?:[.,]\d+)*")
_NAMES = re.compile(r"(?<=[^\W.] )[A-Z]\w+")
_CITED = re.compile(r"^(.+) \[((?:\w+ ?)+)\]$")
_LIVE = """SELECT e.seq, e.id, e.key, e.body ->> '$.question', e.body ->> '$.text', e.subject FROM entries e
 WHERE e.kind = 'answer' AND e.key GLOB ? AND NOT EXISTS
 (SELECT 1 FROM refs r WHERE r.target = e.id AND r.role IN ('supersedes', 'retracts')) ORDER BY e.id"""
_GIVEN = "SELECT target FROM refs WHERE seq = ? AND role = 'from' ORDER BY 1"
_QUOTES = "SELECT target, start, end FROM refs WHERE seq = ? AND role = 'quotes' ORDER BY rowid"
_HOLDS = """SELECT d.document, coalesce(r.start, 0) FROM refs r JOIN documents d ON d.entry = r.seq WHERE r.target = ?
 AND r.role = 'file' AND coalesce(r.start, 0) <= ? AND coalesce(r.end, 1e18) >= ? ORDER BY 1 LIMIT 1"""

#: What a source with these bytes became: its name, the bytes it has now, and where its text begins and ends in them.
_BECAME = """SELECT d.document, g.target, coalesce(g.start, 0), coalesce(g.end, 1e18) FROM refs f JOIN entries s ON
 s.seq = f.seq AND s.kind = 'source' JOIN entries o ON o.kind = 'source' AND o.subject = s.subject JOIN documents d ON
 d.entry = o.seq JOIN refs g ON g.seq = o.seq AND g.role = 'file' WHERE f.target = ? AND f.role = 'file' ORDER BY 1"""


class Said(NamedTuple):
    """An answer to a standing question: sentences that cite claims, the page, and the claims it was given, by entry."""

    sentences: Sentences
    page: str
    question: str
    given: tuple[str, ...]
    by: str = ""
    beside: tuple[Said, ...] = ()  # what others answer from the same claims, the better first

    def kind(self, other: Said) -> str:
        """How two answers from the same claims differ: where they deny or count otherwise, they are contested."""
        mine, yours = (" ".join(text.casefold() for text, _ in said.sentences) for said in (self, other))
        denies, counts = (set(map(bool, map(_DENIES.findall, (mine, yours)))), [*map(_COUNTS.findall, (mine, yours))])
        apart = all(set(one) - set(two) for one, two in (counts, counts[::-1]))
        return "contested" if len(denies) > 1 or apart else "scope differs"

    def otherwise(self, told: Sequence[Sequence[str]]) -> list[str]:
        """The lines of the answers beside this one, each under who gave it and how it differs."""
        return [f"> [!note] {one.by} answers otherwise: {self.kind(one)}\n" + "".join(f"> - {line}" for line in lines)
                for one, lines in zip(self.beside, told, strict=True) if lines]  # fmt: skip


class Answers:
    """The answers to standing questions, and which of them a section shows."""

    def __init__(self, known: Mapping[str, Said]) -> None:
        self.known, self._earlier = known, defaultdict[tuple[str, str], list[Said]](list)
        for said in known.values():
            self._earlier[said.page, said.question].append(said)

    def to(
        self, page: str, heading: str, question: str, evidence: Collection[str], stands: set[str]
    ) -> tuple[Said | None, int]:
        """The answer from all this evidence, else from most of it where all it was given stands; and how many it was
        not given."""
        if (said := self.known.get(evidence_key(page, heading, evidence))) is not None:
            return said, 0
        earlier = (one for one in self._earlier[page, question] if one.given and stands.issuperset(one.given))
        best = max(earlier, key=lambda one: len(one.given), default=None)
        return best, max(1, len(evidence) - len(best.given)) if best else 0


def written(sentences: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Sentences as the text of an Answer: one a line, with what it cites in brackets."""
    return "\n".join(f"{text} [{' '.join(cites)}]" for text, cites in sentences)


def read_back(text: str) -> Sentences:
    return tuple((m[1], tuple(m[2].split())) for line in text.splitlines() if (m := _CITED.match(line)))


def told_whole(answers: Sequence[tuple[str, Collection[str]]], claims: Mapping[str, str]) -> set[str]:
    """The claims (words by name) that the sentences citing them say whole: their names, their numbers, most words."""

    def borne(name: str) -> bool:
        said = words(" ".join(text for text, cites in answers if name in cites))
        missing = [word for word in words(claims[name]) if not bears(word, said)]
        named = words(" ".join(_NAMES.findall(claims[name])))
        return 3 * len(missing) <= len(words(claims[name])) and all(w.isalpha() and w not in named for w in missing)

    return {name for _, cites in answers for name in cites if name in claims and borne(name)}


def worded(db: sqlite3.Connection) -> dict[str, Said]:
    """Answers to standing questions by the name of their evidence; of several the one that cites most claims, with the
    others beside it."""
    found: dict[str, list[Said]] = defaultdict(list)
    for seq, _, key, question, text, subject in db.execute(_LIVE, ("answer:*",)).fetchall():
        _, evidence, by = key.rpartition(":")[0].split(":", 2)
        given = tuple(entry for [entry] in db.execute(_GIVEN, (seq,)))
        found[evidence].append(Said(read_back(text), subject.removeprefix("page:"), question, given, by))
    best: dict[str, Said] = {}
    for key, said in found.items():
        said.sort(key=lambda one: (-len({name for _, cites in one.sentences for name in cites}), one.by, one.sentences))
        best[key] = said[0]._replace(beside=tuple(one for one in said[1:] if one.sentences != said[0].sentences))
    return best


def question_pages(db: sqlite3.Connection, blobs: Blobs, wiki: Wiki, files: dict[str, str]) -> dict[str, str]:
    """Adds to the files of a wiki a page for each saved question that still rests on something, and its index; returns
    the other questions, by the file that each had."""
    listed: dict[str, str] = {}
    gone: dict[str, str] = {}
    for seq, _, _, question, text, _ in db.execute(_LIVE, ("asked:*",)).fetchall():
        rows = enumerate(db.execute(_QUOTES, (seq,)).fetchall(), 1)
        quotes = {str(number): _quote(db, blobs, *row) for number, row in rows}
        notes, done, here = Notes(), set[str](), Page("", question, "", "question")
        lines = []
        for said, cites in read_back(text):
            found = [quote for one in cites if (quote := quotes.get(one)) is not None]
            if len(found) == len(cites):
                lines.append(f"- {wiki.subjects.linked(said, here, done)}{notes(found)}")
        slug = page_of(question)
        gone[f"{slug}.md"] = question
        if lines:
            sources = ", ".join(as_yaml(one) for one in sorted(notes.sources()))
            head = ["---", "type: question", f"title: {as_yaml(question)}", f"sources: [{sources}]", "---", ""]
            body = [f"# {plain(question)}", "", "## Answer", "", *lines, "", str(notes)]
            files[f"{slug}.md"] = "\n".join([*head, *body]).rstrip() + "\n"
            listed[question] = f"- [[{slug}|{plain(question)}]]"
    if listed:
        index = files["index.md"].rstrip()
        files["index.md"] = "\n".join([index, "", "## Questions", "", *(listed[one] for one in sorted(listed))]) + "\n"
    return {file: question for file, question in gone.items() if file not in files}


def page_of(question: str) -> str:
    """The file name, without `.md`, of a saved question."""
    digest = blake2b(question.encode("utf-8", errors="replace"), digest_size=3).hexdigest()
    return f"question-{'-'.join(key_of(question).split())[:60]}-{digest}"


def _quote(db: sqlite3.Connection, blobs: Blobs, blob: str, start: int, end: int) -> Quote | None:
    """The words of a saved answer's quote, if a source with them still stands, though it says other things by now; the
    first by name where two do."""
    if (row := db.execute(_HOLDS, (blob, start, end)).fetchone()) is not None:
        return quote_at(blobs.get(blob), (row[0], row[1]), start, end)
    words = blobs.get(blob)[start:end]
    for name, now, begin, until in db.execute(_BECAME, (blob,)).fetchall():
        data = blobs.get(now)
        if (at := data.find(words, begin, int(min(until, len(data))))) >= 0:
            return quote_at(data, (name, begin), at, at + len(words))
    return None


def quote_at(data: bytes, source: tuple[str, int], start: int, end: int) -> Quote:
    """The quote of a span of bytes: `source` is its name, and where its text begins there."""
    line = data.count(b"\n", source[1], start) + 1
    words = data[start:end]
    return Quote(source[0], line, line + words.rstrip(b"\n").count(b"\n"), words.decode("utf-8", errors="replace"))
