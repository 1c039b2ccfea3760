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
from .notes import Notes, as_yaml
from .standing import Quote
from .subjects import Page, key_of, plain

if TYPE_CHECKING:
    from .pages import Wiki

Sentences = tuple[tuple[str, tuple[str, ...]], ...]

_CITED = re.compile(r"^(.+) \[((?:\w+ ?)+)\]$")
_LIVE = """SELECT e.seq, e.id, e.key, e.body ->> '$.question', e.body ->> '$.text', e.subject FROM entries e
 WHERE e.kind = 'answer' AND e.key GLOB ? AND NOT EXISTS
 (SELECT 1 FROM refs r WHERE r.target = e.id AND r.role IN ('supersedes', 'retracts')) ORDER BY e.id"""
_GIVEN = "SELECT target FROM refs WHERE seq = ? AND role = 'from' ORDER BY 1"
_QUOTES = "SELECT target, start, end FROM refs WHERE seq = ? AND role = 'quotes' ORDER BY rowid"
_HOLDS = """SELECT d.document, coalesce(r.start, 0) FROM refs r JOIN documents d ON d.entry = r.seq WHERE r.target = ?
 AND r.role = 'file' AND coalesce(r.start, 0) <= ? AND coalesce(r.end, 1e18) >= ? ORDER BY 1 LIMIT 1"""


class Said(NamedTuple):
    """An answer to a standing question: sentences that cite claims, the page, and the claims it was given, by entry."""

    sentences: Sentences
    page: str
    question: str
    given: tuple[str, ...]


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


def worded(db: sqlite3.Connection) -> dict[str, Said]:
    """Answers to standing questions by the name of their evidence; of two by different models the first by id."""
    found: dict[str, Said] = {}
    for seq, _, key, question, text, subject in db.execute(_LIVE, ("answer:*",)).fetchall():
        given = tuple(entry for [entry] in db.execute(_GIVEN, (seq,)))
        found.setdefault(key.split(":")[1], Said(read_back(text), subject.removeprefix("page:"), question, given))
    return found


def question_pages(db: sqlite3.Connection, blobs: Blobs, wiki: Wiki, files: dict[str, str]) -> None:
    """Adds to the files of a wiki a page for each saved question that still rests on something, and its index."""
    listed: dict[str, str] = {}
    for seq, _, _, question, text, _ in db.execute(_LIVE, ("asked:*",)).fetchall():
        rows = enumerate(db.execute(_QUOTES, (seq,)).fetchall(), 1)
        quotes = {str(number): _quote(db, blobs, *row) for number, row in rows}
        notes, done, here = Notes(), set[str](), Page("", question, "", "question")
        lines = []
        for said, cites in read_back(text):
            found = [quote for one in cites if (quote := quotes.get(one)) is not None]
            if len(found) == len(cites):
                lines.append(f"- {wiki.subjects.linked(said, here, done)}{notes(found)}")
        if lines:
            slug = page_of(question)
            sources = ", ".join(as_yaml(one) for one in sorted(notes.sources()))
            head = ["---", "type: question", f"title: {as_yaml(question)}", f"sources: [{sources}]", "---", ""]
            body = [f"# {plain(question)}", "", "## Answer", "", *lines, "", str(notes)]
            files[f"{slug}.md"] = "\n".join([*head, *body]).rstrip() + "\n"
            listed[question] = f"- [[{slug}|{plain(question)}]]"
    if listed:
        index = files["index.md"].rstrip()
        files["index.md"] = "\n".join([index, "", "## Questions", "", *(listed[one] for one in sorted(listed))]) + "\n"


def page_of(question: str) -> str:
    """The file name, without `.md`, of a saved question."""
    digest = blake2b(question.encode("utf-8", errors="replace"), digest_size=3).hexdigest()
    return f"question-{'-'.join(key_of(question).split())[:60]}-{digest}"


def _quote(db: sqlite3.Connection, blobs: Blobs, blob: str, start: int, end: int) -> Quote | None:
    """The words of a saved answer's quote, if a source with them still stands; the first by name where two do."""
    row = db.execute(_HOLDS, (blob, start, end)).fetchone()
    return quote_at(blobs.get(blob), (row[0], row[1]), start, end) if row else None


def quote_at(data: bytes, source: tuple[str, int], start: int, end: int) -> Quote:
    """The quote of a span of bytes: `source` is its name, and where its text begins there."""
    line = data.count(b"\n", source[1], start) + 1
    words = data[start:end]
    return Quote(source[0], line, line + words.rstrip(b"\n").count(b"\n"), words.decode("utf-8", errors="replace"))
