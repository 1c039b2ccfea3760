"""The words of sources that answer a question best, with their lines: sentences of passages, and claims that held then.

Nothing is rephrased here. What a model may say, and what `memex ask --save` files, is chosen from this closed list.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from ..ledger import Answer, Draft, Ref
from ..memory import Memory
from ..memory.retrieval import STOPPED, Searcher
from .claims import ByteOffsets
from .drafting import bears, words
from .prose import spoken
from .worded import Sentences, quote_at, written

_SENTENCE = re.compile(r"(?:[^.!?。！？\n]|[.!?](?!\s|$)|\n(?!\s*\n|#|[-*] ))+[.!?。！？]?")
_DOCUMENT = """SELECT d.entry, e.id, r.target, coalesce(r.start, 0), d.published FROM documents d JOIN entries e ON
 e.seq = d.entry JOIN refs r ON r.seq = d.entry AND r.role = 'file' WHERE d.document = ? ORDER BY e.id LIMIT 1"""
_CLAIMS = """SELECT c.text, q.start, q.end, q.text, c.since, c.until, e.id FROM claims c JOIN quotes q USING (entry)
 JOIN entries e ON e.seq = c.entry WHERE c.source = ? AND c.relation != 'alias' AND NOT EXISTS (SELECT 1 FROM refs r
 WHERE r.target = e.id AND r.role IN ('supersedes', 'retracts')) ORDER BY q.start, e.id"""


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


def held_at(as_of: str | None, since: str | None, until: str | None) -> bool:
    """Whether something that holds from `since` to `until` held in that year, month or day."""
    if not as_of:
        return True
    size = len(as_of)
    return not (since and since[:size] > as_of[: len(since)]) and not (until and until[:size] < as_of[: len(until)])


def evidence(
    memory: Memory, question: str, as_of: str | None = None, limit: int = 5, only: Sequence[str] = ()
) -> list[Piece]:
    """The best pieces, best first, each of its own words; none where no source holds half of the words asked for.

    `only` leaves nothing but documents of these names.
    """
    asked = [word for word in dict.fromkeys(words(question)) if word not in STOPPED]
    if not asked:
        return []
    found: dict[tuple[str, int], tuple[float, Piece]] = {}
    for rank, hit in enumerate(Searcher(memory.db).search(question, 60 if only else 8)):
        if only and hit.source not in only:
            continue
        entry, source, blob, base, published = memory.db.execute(_DOCUMENT, (hit.source,)).fetchone()
        if not held_at(as_of, published, None):
            continue
        data = memory.blobs.get(blob)
        titled = words(hit.title)
        told = [*_claims(memory.db, entry, as_of), *_sentences(data, base, hit.passage, hit.start, source, published)]
        for text, start, end, since, told_by in told:
            there = words(text)
            held = sum(bears(word, there) for word in asked)
            weight = held + 0.5 * sum(bears(word, titled) and not bears(word, there) for word in asked) - 0.1 * rank
            quote = quote_at(data, (hit.source, base), start, end)
            whole = " ".join(quote.text.split())
            piece = Piece(text, whole, hit.source, quote.line, quote.last_line, since or "", told_by, blob, start, end,
                          sum(bears(word, there) or bears(word, titled) for word in asked))  # fmt: skip
            if held and weight > found.get((hit.source, quote.line), (0.0, piece))[0]:
                found[hit.source, quote.line] = (weight, piece)
    ranked = sorted(found.values(), key=lambda one: (-one[0], one[1].source, one[1].start))
    return [p for weight, p in ranked if 2 * p.held >= len(asked) and 2 * weight >= ranked[0][0]][:limit]


def _claims(db: sqlite3.Connection, document: int, as_of: str | None) -> list[tuple[str, int, int, str, str]]:
    rows = db.execute(_CLAIMS, (document,))
    return [(text, start, end, since, entry) for text, start, end, _, since, until, entry in rows
            if held_at(as_of, since, until)]  # fmt: skip


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
        if len(bare) > 20 and whole and not bare.startswith(("#", "|", "```", "---")):
            at = start + match.start() + len(match[0]) - len(match[0].lstrip())
            found.append((spoken(bare), base + offset(at), base + offset(at + len(bare)), day, source))
    return found


def saved(question: str, sentences: Sentences, pieces: Sequence[Piece]) -> Draft:
    """The draft that files an answer: its sentences cite the pieces by number."""
    refs = tuple(ref for p in pieces for ref in (Ref("quotes", p.blob, p.start, p.end), Ref("from", p.entry)))
    return Draft(f"question:{question}"[:300], Answer(question, written(sentences)), refs)
