"""The words of sources that answer a question best, with their lines: sentences of passages, and claims that held then.

Nothing is rephrased here. What a model may say, and what `memex ask --save` files, is chosen from this closed list.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..ledger import Answer, Draft, Ref
from ..memory import Memory
from ..memory.search.retrieval import Searcher
from .claims import ByteOffsets
from .live_claims import Quote
from .notes import placed
from .prose import spoken
from .question_words import Asked, Unit, Words, asked_for
from .stored_answers import Sentences, quote_at, written
from .subjects import key_of
from .value_questions import Valued, held_at, known_then

_SENTENCE = re.compile(r"(?:[^.!?。！？\n]|[.!?](?!\s|$)|\n(?!\s*\n|#|[-*] ))+[.!?。！？]?")
_DOCUMENT = """SELECT d.entry, e.id, r.target, coalesce(r.start, 0), d.published FROM documents d JOIN entries e ON
 e.seq = d.entry JOIN refs r ON r.seq = d.entry AND r.role = 'file' WHERE d.document = ? ORDER BY e.id LIMIT 1"""
_CLAIMS = """SELECT c.text, q.start, q.end, c.since, e.id FROM claims c JOIN quotes q USING (entry) JOIN entries e
 ON e.seq = c.entry JOIN documents d ON d.entry = c.source WHERE c.source = ? AND c.relation NOT IN
 ('alias', 'author', 'tag', 'published', 'created', 'columns') AND NOT EXISTS (SELECT 1 FROM refs r WHERE r.target =
 e.id AND r.role IN ('supersedes', 'retracts'))"""
_CITED = """SELECT c.text, d.document, r.target, q.start, q.end, coalesce(c.since, ''), coalesce(f.start, 0), d.title,
 d.published FROM
 entries e JOIN claims c ON c.entry = e.seq JOIN documents d ON d.entry = c.source JOIN quotes q ON q.entry = e.seq
 JOIN refs r ON r.seq = e.seq AND r.role = 'quotes' AND r.start = q.start JOIN refs f ON f.seq = d.entry AND
 f.role = 'file' WHERE e.id = ? ORDER BY q.start LIMIT 1"""
#: Document, title, text and start of the passages that hold all words, the best first, with the author.
_HOLDING = """SELECT d.document, d.title, p.text, p.start, d.author FROM passage_words w JOIN passages p ON
 p.rowid = w.rowid JOIN documents d USING (entry) WHERE passage_words MATCH ? ORDER BY w.rank, p.rowid LIMIT 60"""
_SPEAKER = re.compile(r"^([A-Z][^:\n]{1,60}):(?= )", re.MULTILINE)
MOST_UNITS = 12

Hit = tuple[str, str, str, int]


@dataclass(frozen=True, slots=True)
class Piece:
    """Evidence: what it says, the words it rests on with their place, and how many of the words asked for it holds."""

    text: str
    quote: str
    source: str
    first_line: int
    last_line: int
    since: str
    entry: str
    blob: str
    start: int
    end: int
    held: int
    title: str = ""
    published: str = ""
    missing: tuple[str, ...] = ()

    def over(self, other: Piece) -> bool:
        """Whether it says what the other does, or its words are among those of the other, or the other way round."""
        same = self.blob == other.blob and self.start < other.end and other.start < self.end
        return same or key_of(self.text) == key_of(other.text)

    @property
    def place(self) -> str:
        return "".join(placed(Quote(self.source, self.first_line, self.last_line, "")))


def numbered(pieces: Sequence[Piece]) -> dict[str, str]:
    """The closed list that a model may cite: each piece by its number from 1."""
    return {str(n): f"{p.text} ({p.source} {p.since}) “{p.quote}”" for n, p in enumerate(pieces, 1)}


def evidence(
    memory: Memory, question: str, as_of: str | None = None, limit: int = 5, only: Sequence[str] = ()
) -> list[Piece]:
    """What a model may choose from: the best pieces, best first, each with half of the words asked for.

    `only` leaves nothing but documents of these names.
    """
    asked = asked_for(question)
    hits = Searcher(memory.db).search(question, 60 if only else 8) if asked.units else []
    found = [(hit.source, hit.title, hit.passage, hit.start) for hit in hits if not only or hit.source in only]
    return _best(memory, asked, found, as_of, len(asked.units) // 2)[:limit]


def answering(memory: Memory, asked: Asked, as_of: str | None = None, limit: int = 5) -> list[Piece]:
    """What answers by itself: pieces in which nothing of what was asked for is missing, or one word of a long question,
    best first; each has the form of an answer, and is said by whom it was asked of."""
    spared = [[unit] for unit in asked.units if not unit.whole and 3 < len(asked.units) <= MOST_UNITS]
    for left in ([], *spared) if len(asked.units) <= 2 * MOST_UNITS else ():
        wanted = " AND ".join(f"({_matching(unit)})" for unit in asked.units if unit not in left)
        rows = memory.db.execute(_HOLDING, (wanted,)).fetchall() if wanted else []
        said = [row[:4] for row in rows if not asked.by or _said_by(asked.by, row)]
        best, spare = _best(memory, asked, said, as_of, len(left)), {unit.said for unit in left}
        if found := [piece for piece in best if spare.issuperset(piece.missing)]:
            return found[:limit]
    if asked.by:  # else it is said of them
        return answering(memory, replace(asked, units=(*asked.units, Unit(asked.by[0], asked.by, True)), by=()), as_of)
    return []


def unsaid(memory: Memory, asked: Asked) -> str:
    """Which words of the question no source has, or that no line has them all."""
    sql = "SELECT 1 FROM passage_words WHERE passage_words MATCH ? LIMIT 1"
    missing = [
        one.said for one in asked.units[: 2 * MOST_UNITS] if not memory.db.execute(sql, (_matching(one),)).fetchone()
    ]
    if not asked.units:
        return "not in this memory: the question has no word to look for"
    of = [one.said for one in asked.units if one.whole] if not missing else []
    told = missing or [one.said for one in asked.units if one.said not in of] or of
    who = f" of {', '.join(map(repr, of))}" if of and told != of else f" by {asked.by[0]!r}" if asked.by else ""
    what = "no source says" if missing else "no line of a source answers with" + " all of" * (len(told) > 1)
    return f"not in this memory: {what} {', '.join(map(repr, told))}{who}"


def _matching(unit: Unit) -> str:
    """The FTS5 query for a unit: any of what may stand for it, and words that begin like it."""
    found = [f'"{one}"' for one in unit.any]
    if unit.whole:
        found += ["(" + " AND ".join(f'"{part}"' for part in one.split()) + ")" for one in unit.any if " " in one]
    else:
        found += [f'"{one[: max(4, len(one) - 3)]}"*' for one in unit.any if len(one) > 5]
    return " OR ".join(found)


def _said_by(names: Sequence[str], row: Sequence[str]) -> bool:
    """Whether a person is named where a document says by whom it is, or before what is said in a passage of it."""
    name, title, passage, _, author = row
    told = f" {key_of(f'{name} {title} {author}')} \n {key_of(' '.join(_SPEAKER.findall(passage)))} "
    return any(f" {name} " in told for name in names)


def _best(memory: Memory, asked: Asked, hits: Sequence[Hit], as_of: str | None, missed: int) -> list[Piece]:
    """The pieces of passages (document, title, text, start) that miss no more of what was asked for, best first.

    Of what was asked about a document its words hold more than its title does.
    """
    found: list[tuple[float, Piece]] = []
    later = _later(memory.db, as_of)
    read: dict[str, tuple[bytes, ByteOffsets, list[tuple[str, int, int, str, str]]]] = {}
    for rank, (name, title, passage, begin) in enumerate(hits):
        entry, source, blob, base, published = memory.db.execute(_DOCUMENT, (name,)).fetchone()
        if not held_at(as_of, published, None):
            continue
        if name not in read:
            data = memory.blobs.get(blob)
            text = data[base:].decode("utf-8", errors="replace")
            claimed = memory.db.execute(f"{_CLAIMS}{known_then(as_of)} ORDER BY q.start, e.id", (entry,)).fetchall()
            read[name] = data, ByteOffsets(text), claimed
        data, offset, claims = read[name]
        titled = Words(title)
        others = asked.missing(titled)
        told = [*claims, *_sentences(base, offset, passage, begin, source, published)]
        claims.clear()
        for text, start, end, since, told_by in told:
            there = Words(text)
            absent, beside = asked.missing(there), asked.missing(there, titled)
            of_it = len(absent) < len(asked.units) and (not others or any(one not in absent for one in others))
            if len(beside) > missed or not of_it or text.endswith("?") or not asked.form.search(there.text):
                continue
            if later and later.search(key_of(text)):
                continue
            defines = there.text.startswith(tuple(f" {the}{one} {be} " for one in asked.defines
                                                  for the in ("", "the ", "a ") for be in ("is", "are")))  # fmt: skip
            weight = len(asked.units) - len(beside) - 0.5 * (len(absent) - len(beside)) + 10 * defines - 0.01 * rank
            quote = quote_at(data, (name, base), start, end)
            piece = Piece(text, " ".join(quote.text.split()), name, quote.line, quote.last_line, since or "", told_by,
                          blob, start, end, len(asked.units) - len(beside), title, published,
                          tuple(one.said for one in beside))  # fmt: skip
            found.append((weight, piece))
    found.sort(key=lambda one: (-one[0], len(one[1].text), one[1].source, one[1].start))
    kept: list[Piece] = []
    for weight, piece in found:  # a copy of a document says nothing more, nor does a longer piece of the same words
        if 2 * weight >= found[0][0] and not any(piece.over(one) for one in kept):
            kept.append(piece)
    return kept


def _later(db: sqlite3.Connection, as_of: str | None) -> re.Pattern[str] | None:
    """Names of documents, of two words or more, that a day did not know."""
    sql = """SELECT value, d.published FROM documents d JOIN entries e ON e.seq = d.entry JOIN json_each(json_array(
     d.title, e.body ->> '$.meta.subject')) WHERE d.published <> '' AND value LIKE '% %'"""
    late = {key_of(name) for name, day in db.execute(sql) if not held_at(as_of, day, None)} if as_of else set()
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(late)))})\b") if late else None


def pieces_of(memory: Memory, told: Valued) -> tuple[list[Piece], Sentences]:
    """The first words that each claim rests on, those of several claims once, and the sentences that cite them."""
    found: dict[tuple[str, int, int], Piece] = {}
    numbers: dict[str, str] = {}
    for claim in dict.fromkeys(claim for _, claims in told.sentences for claim in claims):
        text, source, blob, start, end, since, base, *of = memory.db.execute(_CITED, (claim,)).fetchone()
        if (blob, start, end) not in found:
            quote = quote_at(memory.blobs.get(blob), (source, base), start, end)
            whole = " ".join(quote.text.split())
            piece = Piece(text, whole, source, quote.line, quote.last_line, since, claim, blob, start, end, 1, *of)
            found[blob, start, end] = piece
        numbers[claim] = str(list(found).index((blob, start, end)) + 1)
    cites = ((text, tuple(dict.fromkeys(numbers[claim] for claim in claims))) for text, claims in told.sentences)
    return list(found.values()), tuple(cites)


def _sentences(
    base: int, offset: ByteOffsets, passage: str, start: int, source: str, day: str
) -> list[tuple[str, int, int, str, str]]:
    """Sentences of a passage; its place counts characters of the document's text, theirs bytes of the blob."""
    found = []
    for match in _SENTENCE.finditer(passage):
        bare = match[0].strip()
        whole = bare[-1:] in ".!?。！？\"”')" or "\n" not in bare
        said = re.sub(r"^(?:[-*+•]|\d{1,3}[.)])\s+", "", bare)
        prose = sum(c.isalpha() or c.isspace() for c in said) > 0.75 * len(said)  # and no code, rule or row of a table
        if (
            len(spoken(said)) > 20
            and whole
            and prose
            and "\n>" not in said
            and not said.startswith(("#", "|", "```", "---"))
        ):
            at = start + match.start() + len(match[0]) - len(match[0].lstrip()) + len(bare) - len(said)
            found.append((spoken(said), base + offset(at), base + offset(at + len(said)), day, source))
    return found


def saved(question: str, sentences: Sentences, pieces: Sequence[Piece]) -> Draft:
    """The draft that files an answer: its sentences cite the pieces by number."""
    refs = tuple(ref for p in pieces for ref in (Ref("quotes", p.blob, p.start, p.end), Ref("from", p.entry)))
    return Draft(f"question:{question}"[:300], Answer(question, written(sentences)), refs)
