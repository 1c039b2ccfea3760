"""The words of sources that answer a question best, with their lines: sentences of passages, and claims that held then.

Nothing is rephrased here. What a model may say, and what `memex ask --save` files, is chosen from this closed list.
"""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from ..ledger import Answer, Draft, Ref
from ..memory import Memory
from ..memory.retrieval import STOPPED, Searcher
from .bearing import bears, words
from .claims import ByteOffsets
from .prose import spoken
from .subjects import key_of
from .values import Valued, held_at, known_then
from .worded import Sentences, quote_at, written

_SENTENCE = re.compile(r"(?:[^.!?。！？\n]|[.!?](?!\s|$)|\n(?!\s*\n|#|[-*] ))+[.!?。！？]?")
_DOCUMENT = """SELECT d.entry, e.id, r.target, coalesce(r.start, 0), d.published FROM documents d JOIN entries e ON
 e.seq = d.entry JOIN refs r ON r.seq = d.entry AND r.role = 'file' WHERE d.document = ? ORDER BY e.id LIMIT 1"""
_CLAIMS = """SELECT c.text, q.start, q.end, c.since, e.id FROM claims c JOIN quotes q USING (entry) JOIN entries e
 ON e.seq = c.entry JOIN documents d ON d.entry = c.source WHERE c.source = ? AND c.relation != 'alias' AND NOT EXISTS
 (SELECT 1 FROM refs r WHERE r.target = e.id AND r.role IN ('supersedes', 'retracts'))"""
_CITED = """SELECT c.text, d.document, r.target, q.start, q.end, coalesce(c.since, ''), coalesce(f.start, 0) FROM
 entries e JOIN claims c ON c.entry = e.seq JOIN documents d ON d.entry = c.source JOIN quotes q ON q.entry = e.seq
 JOIN refs r ON r.seq = e.seq AND r.role = 'quotes' AND r.start = q.start JOIN refs f ON f.seq = d.entry AND
 f.role = 'file' WHERE e.id = ? ORDER BY q.start LIMIT 1"""
#: Of so few passages it cannot be said which words are rare.
_FEW_PASSAGES = 50


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

    @property
    def place(self) -> str:
        return f"{self.source}#L{self.first_line}" + (f"-L{self.last_line}" if self.last_line > self.first_line else "")


def numbered(pieces: Sequence[Piece]) -> dict[str, str]:
    """The closed list that a model may cite: each piece by its number from 1."""
    return {str(n): f"{p.text} ({p.source} {p.since}) “{p.quote}”" for n, p in enumerate(pieces, 1)}


def evidence(
    memory: Memory, question: str, as_of: str | None = None, limit: int = 5, only: Sequence[str] = ()
) -> list[Piece]:
    """The best pieces, best first, each of its own words; each holds half of the words asked for.

    One or two words are half only if they are no commoner than the others: a word that no source has is the rarest. And
    of what was asked about a document its words hold more than its title does. `only` leaves nothing but documents of
    these names.
    """
    asked = [word for word in dict.fromkeys(words(question)) if word not in STOPPED]
    if not asked:
        return []
    found: dict[tuple[str, int], tuple[float, Piece]] = {}
    known, later = _known(memory.db, asked), _later(memory.db, as_of)
    rarity = {word: -math.log((count + 1) / (known[""] + 2)) for word, count in known.items() if word}
    for rank, hit in enumerate(Searcher(memory.db).search(question, 60 if only else 8)):
        if only and hit.source not in only:
            continue
        entry, source, blob, base, published = memory.db.execute(_DOCUMENT, (hit.source,)).fetchone()
        if not held_at(as_of, published, None):
            continue
        data = memory.blobs.get(blob)
        titled = words(hit.title)
        others = [word for word in asked if not bears(word, titled) and known[word]]
        told = [*_claims(memory.db, entry, as_of), *_sentences(data, base, hit.passage, hit.start, source, published)]
        for text, start, end, since, told_by in told:
            if later and later.search(key_of(text)):
                continue
            there = words(text)
            if others and not any(bears(word, there) for word in others):
                continue
            held = sum(bears(word, there) for word in asked)
            weight = held + 0.5 * sum(bears(word, titled) and not bears(word, there) for word in asked) - 0.1 * rank
            quote = quote_at(data, (hit.source, base), start, end)
            whole = " ".join(quote.text.split())
            piece = Piece(text, whole, hit.source, quote.line, quote.last_line, since or "", told_by, blob, start, end,
                          sum(bears(word, there) or bears(word, titled) for word in asked))  # fmt: skip
            rare = sum(rarity[w] for w in asked if bears(w, there) or bears(w, titled))
            told_much = piece.held > 2 or (known[""] < _FEW_PASSAGES and 2 * piece.held > len(asked))
            enough = 2 * piece.held >= len(asked) and (told_much or 2 * rare >= sum(rarity.values()))
            if enough and held and weight > found.get((hit.source, quote.line), (0.0, piece))[0]:
                found[hit.source, quote.line] = (weight, piece)
    ranked = sorted(found.values(), key=lambda one: (-one[0], one[1].source, one[1].start))
    # A copy of a document says nothing more.
    ranked = list({key_of(one[1].text): one for one in reversed(ranked)}.values())[::-1]
    return [p for weight, p in ranked if 2 * weight >= ranked[0][0]][:limit]


def _claims(db: sqlite3.Connection, document: int, as_of: str | None) -> list[tuple[str, int, int, str, str]]:
    return db.execute(f"{_CLAIMS}{known_then(as_of)} ORDER BY q.start, e.id", (document,)).fetchall()


def _known(db: sqlite3.Connection, asked: Sequence[str]) -> dict[str, int]:
    """How many passages have each word; of "", how many there are."""
    sql = "SELECT count(*) FROM passage_words WHERE passage_words MATCH ?"
    told = {word: int(db.execute(sql, (f'"{word}"',)).fetchone()[0]) for word in asked}
    return told | {"": int(db.execute("SELECT count(*) FROM passages").fetchone()[0])}


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
        text, source, blob, start, end, since, base = memory.db.execute(_CITED, (claim,)).fetchone()
        if (blob, start, end) not in found:
            quote = quote_at(memory.blobs.get(blob), (source, base), start, end)
            whole = " ".join(quote.text.split())
            piece = Piece(text, whole, source, quote.line, quote.last_line, since, claim, blob, start, end, 1)
            found[blob, start, end] = piece
        numbers[claim] = str(list(found).index((blob, start, end)) + 1)
    cites = ((text, tuple(dict.fromkeys(numbers[claim] for claim in claims))) for text, claims in told.sentences)
    return list(found.values()), tuple(cites)


def _sentences(
    data: bytes, base: int, passage: str, start: int, source: str, day: str
) -> list[tuple[str, int, int, str, str]]:
    """Sentences of a passage; its place counts characters of the document's text, theirs bytes of the blob."""
    text = data[base:].decode("utf-8", errors="replace")
    offset = ByteOffsets(text)
    found = []
    for match in _SENTENCE.finditer(passage):
        bare = match[0].strip()
        whole = bare[-1:] in ".!?。！？\"”')" or "\n" not in bare
        said = re.sub(r"^(?:[-*+•]|\d{1,3}[.)])\s+", "", bare)
        prose = sum(c.isalpha() or c.isspace() for c in said) > 0.75 * len(said)  # and no code, rule or row of a table
        if len(said) > 20 and whole and prose and "\n>" not in said and not said.startswith(("#", "|", "```", "---")):
            at = start + match.start() + len(match[0]) - len(match[0].lstrip()) + len(bare) - len(said)
            found.append((spoken(said), base + offset(at), base + offset(at + len(said)), day, source))
    return found


def saved(question: str, sentences: Sentences, pieces: Sequence[Piece]) -> Draft:
    """The draft that files an answer: its sentences cite the pieces by number."""
    refs = tuple(ref for p in pieces for ref in (Ref("quotes", p.blob, p.start, p.end), Ref("from", p.entry)))
    return Draft(f"question:{question}"[:300], Answer(question, written(sentences)), refs)
