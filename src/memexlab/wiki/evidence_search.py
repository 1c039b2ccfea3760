"""The words of sources that answer a question best, with their lines: sentences of passages, and claims that held then.

Nothing is rephrased here. What a model may say, and what `memex ask --save` files, is chosen from this closed list.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from ..ledger import Answer, Draft, Ref
from ..memory import Memory
from ..memory.search.retrieval import STOPPED, Searcher
from .claims import ByteOffsets
from .hand_written import HandWritten, Written
from .live_claims import OF_HAND, Quote
from .notes import placed
from .prose import sentences, spoken
from .question_words import Asked, Unit, Words, asked_for
from .stored_answers import Sentences, quote_at, written
from .subjects import key_of
from .value_questions import Valued, held_at, known_then

_DOCUMENT = """SELECT d.entry, e.id, r.target, coalesce(r.start, 0), d.published, coalesce(e.body ->> '$.meta.body',
 (SELECT max(value ->> '$[3]') FROM json_each(e.body, '$.meta.fields')), 0) FROM documents d JOIN entries e ON
 e.seq = d.entry JOIN refs r ON r.seq = d.entry AND r.role = 'file' WHERE d.document = ? ORDER BY e.id LIMIT 1"""
_CLAIMS = f"""SELECT c.text, q.start, q.end, c.since, e.id FROM claims c JOIN quotes q USING (entry) JOIN entries e
 ON e.seq = c.entry JOIN documents d ON d.entry = c.source WHERE c.source = ? AND c.relation NOT IN
 ('alias', 'author', 'tag', 'published', 'created', 'columns', 'address', 'clipped') AND c.relation NOT LIKE 'note %'
 AND NOT coalesce({OF_HAND.format("e")}, 0) AND NOT EXISTS
 (SELECT 1 FROM refs r JOIN entries y USING (seq) WHERE r.target = e.id AND r.role IN ('supersedes', 'retracts') AND NOT
 coalesce({OF_HAND.format("y")}, 0))"""
_CITED = """SELECT c.text, d.document, r.target, q.start, q.end, coalesce(c.since, ''), coalesce(f.start, 0), d.title,
 d.published FROM
 entries e JOIN claims c ON c.entry = e.seq JOIN documents d ON d.entry = c.source JOIN quotes q ON q.entry = e.seq
 JOIN refs r ON r.seq = e.seq AND r.role = 'quotes' AND r.start = q.start JOIN refs f ON f.seq = d.entry AND
 f.role = 'file' WHERE e.id = ? ORDER BY q.start LIMIT 1"""
#: Document, title, text and start of the passages that hold all words, the best first, with the author.
_HOLDING = """SELECT d.document, d.title, p.text, p.start, d.author FROM passage_words w JOIN passages p ON
 p.rowid = w.rowid JOIN documents d USING (entry) WHERE passage_words MATCH ? ORDER BY w.rank, p.rowid LIMIT 60"""
_SPEAKER = re.compile(r"^([A-Z][^:\n]{1,60}):(?= )", re.MULTILINE)
_QUOTED = re.compile(r"^[ \t]*> ?(?!\[!)(.+(?:\n[ \t]*>.*)*)", re.MULTILINE)
_ANSWERED = re.compile(r"(?:wrote|schrieb\w*|écrit) ?:\s*\Z")  # the words of another, in the letter of who answers
#: How a line begins that says something of what the lines before it name.
_POINTS = re.compile(
    r" (?:\w+ ){0,2}(?:he|she|it|they|him|them|his|her|its|their|er|sie|es|sein|seine|ihr|ihre|il|elle) "
)
_LEADS_ON = re.compile(r"(?:#\S+ )*(?:see|compare|cf|siehe|vgl|voir)\b.{,80}$", re.IGNORECASE)
MOST_UNITS, MOST_NEAR, MOST_PIECES = 12, 12, 30

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
    memory: Memory,
    question: str,
    as_of: str | None = None,
    limit: int = 5,
    only: Sequence[str] = (),
    by_hand: HandWritten | None = None,
) -> list[Piece]:
    """What a model may choose from: the best pieces, best first, each with half of the words asked for.

    `only` leaves nothing but documents of these names.
    """
    asked = asked_for(question)
    hits = Searcher(memory.db).search(question, 60 if only else 8) if asked.units else []
    found = [(hit.source, hit.title, hit.passage, hit.start) for hit in hits if not only or hit.source in only]
    return _best(memory, asked, found, as_of, len(asked.units) // 2, by_hand)[:limit]


def answering(
    memory: Memory, asked: Asked, as_of: str | None = None, limit: int = 5, by_hand: HandWritten | None = None
) -> list[Piece]:
    """What answers by itself: pieces in which nothing of what was asked for is missing, else one word of a long
    question or a light one, best first; each has the form of an answer, and is said by whom it was asked of."""
    if not 0 < len(asked.units) <= 2 * MOST_UNITS:
        return []
    size = len(asked.units)
    plain = [unit for unit in asked.units if not (unit.whole or unit.named)]
    light = [unit for unit in plain if unit.light] if size == 3 and not all(unit.light for unit in plain) else []
    spared = plain if 3 < size <= MOST_UNITS else light
    for left in (spared[:0], spared) if spared else (spared,):
        hits: dict[tuple[str, int], Hit] = {}
        for spare in left or (None,):
            rows = _holding(memory, " AND ".join(f"({_matching(unit)})" for unit in asked.units if unit is not spare))
            said = (row[:4] for row in rows if not asked.by or _said_by(asked.by, row))
            hits |= {(name, start): (name, title, text, start) for name, title, text, start in said}
        best = _best(memory, asked, list(hits.values()), as_of, len(left[:1]), by_hand)
        if found := [piece for piece in best if {unit.said for unit in left}.issuperset(piece.missing)]:
            return found[:limit]
    if asked.by:  # else it is said of them
        of_them = replace(asked, units=(*asked.units, Unit(asked.by[0], asked.by, True)), by=())
        return answering(memory, of_them, as_of, limit, by_hand)
    return []


def nearest(memory: Memory, asked: Asked, as_of: str | None, by_hand: HandWritten | None = None) -> Piece | None:
    """The line that comes nearest to what was asked for, and is no answer: it has every name and half of the words."""
    units = asked.units[:MOST_UNITS]
    hits = _holding(memory, " OR ".join(f"({_matching(unit)})" for unit in units))[:MOST_NEAR]
    loose = replace(asked, units=units, form=re.compile(""), by=())
    names = {unit.said for unit in units if unit.whole or unit.named}
    found = _best(memory, loose, [row[:4] for row in hits], as_of, len(units) // 2, by_hand, MOST_NEAR)
    return next((piece for piece in found if names.isdisjoint(piece.missing)), None)


def _holding(memory: Memory, wanted: str) -> list[tuple[str, str, str, int, str]]:
    return memory.db.execute(_HOLDING, (wanted,)).fetchall() if wanted else []


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
        parts = ([part for part in one.split() if part not in STOPPED] for one in unit.any if " " in one)
        found += ["(" + " AND ".join(f'"{part}"' for part in told) + ")" for told in parts if told]
    else:
        found += [f'"{one[: max(4, len(one) - 3)]}"*' for one in unit.any if len(one) > 5]
    return " OR ".join(found)


def _said_by(names: Sequence[str], row: tuple[str, str, str, int, str]) -> bool:
    """Whether a person is named where a document says by whom it is, or before what is said in a passage of it."""
    name, title, passage, _, author = row
    told = f" {key_of(f'{name} {title} {author}')} \n {key_of(' '.join(_SPEAKER.findall(passage)))} "
    return any(f" {name} " in told for name in names)


def _best(
    memory: Memory,
    asked: Asked,
    hits: Sequence[Hit],
    as_of: str | None,
    missed: int,
    by_hand: HandWritten | None,
    most: int = MOST_PIECES,
) -> list[Piece]:
    """The pieces of passages (document, title, text, start) that miss no more of what was asked for, best first, and
    what people wrote; of what was asked about a document its words hold more than its title does."""
    found: list[tuple[float, Piece]] = []
    later = _later(memory.db, as_of)
    read: dict[str, tuple[bytes, ByteOffsets, list[tuple[str, int, int, str, str, str]]]] = {}
    for rank, (name, title, passage, begin) in enumerate(hits):
        entry, source, blob, base, published, body = memory.db.execute(_DOCUMENT, (name,)).fetchone()
        if not held_at(as_of, published, None):
            continue
        if name not in read:
            data = memory.blobs.get(blob)
            text = data[base:].decode("utf-8", errors="replace")
            claimed = memory.db.execute(f"{_CLAIMS}{known_then(as_of)} ORDER BY q.start, e.id", (entry,)).fetchall()
            read[name] = data, ByteOffsets(text), [(*row, "") for row in claimed]
        data, offset, claims = read[name]
        titled = Words(title)
        told = [*claims, *_sentences(base, offset, passage, begin, source, published, body)]
        claims.clear()
        for text, start, end, since, told_by, before in told:
            if later and later.search(key_of(text)):
                continue
            if (held := _held(asked, text, titled, before)) is None or len(held[1]) > missed:
                continue
            quote = quote_at(data, (name, base), start, end)
            piece = Piece(text, " ".join(quote.text.split()), name, quote.line, quote.last_line, since or "", told_by,
                          blob, start, end, len(asked.units) - len(held[1]), title, published, held[1])  # fmt: skip
            found.append((held[0] - 0.01 * rank, piece))
    found.sort(key=lambda one: (-one[0], len(one[1].text), one[1].source, one[1].start))
    own = by_hand.sentences if by_hand is not None else ()
    for said in own:
        heard = not asked.by or key_of(said.by) in asked.by
        titled = Words(said.title)
        held = _held(asked, said.text, titled, "") if heard else None
        if held is None and heard and not said.entry and not asked.missing(titled) and not asked.form.pattern:
            held = len(asked.units) / 2, ()  # a page of their own, that is called what was asked for
        if held is not None and len(held[1]) <= missed:
            found.append((held[0], _by_person(said, len(asked.units) - len(held[1]), held[1])))
    best = max((weight for weight, _ in found), default=0.0)
    found.sort(key=lambda one: (-round(one[0], 1), bool(one[1].blob)))  # what a person wrote comes first
    kept: list[Piece] = []
    for weight, piece in found:  # a copy of a document says nothing more, nor does a longer piece of the same words
        if len(kept) < most and 2 * weight >= best and not any(piece.over(one) for one in kept):
            kept.append(piece)
    return _corrected(kept, by_hand) if by_hand is not None else kept


def _corrected(pieces: Sequence[Piece], by_hand: HandWritten) -> list[Piece]:
    """The pieces without what people withdrew, and with their words in place of those that they replaced."""
    places = [(one.source, one.start, one.end) for one in pieces]
    kept, done = list[Piece](), set[str]()  # entries of people that are told, or that say what a source says
    for piece, there in zip(pieces, by_hand.instead(places), strict=True):
        if there is None or piece.entry in done:
            continue
        entries = {one.entry for one in there}
        kept = [one for one in kept if one.blob or one.entry not in entries]
        other = [one for one in there if one.entry not in done and key_of(one.text) != key_of(piece.quote)]
        same = any(key_of(one.text) == key_of(piece.quote) for one in there)
        kept += [_by_person(one, piece.held, piece.missing, piece) for one in other]
        kept += [piece] if same or not there else []
        done |= entries
    return kept


def _held(asked: Asked, text: str, titled: Words, before: str) -> tuple[float, tuple[str, ...]] | None:
    """How well a line answers, and the words that it, the title and what it points back to leave out; None where it is
    of no such form, or of something else. Words of what was asked about a document hold more than its title does."""
    there = Words(text)
    absent, beside = asked.missing(there), asked.missing(there, titled)
    if beside and before and _POINTS.match(there.text):
        context = Words(before)
        found = [unit for unit in beside if context.hold(unit)]
        things = [unit for unit in asked.units if not (unit.whole or unit.named)]
        if sum(unit in found for unit in things) <= sum(unit not in absent for unit in things):
            beside = [unit for unit in beside if unit not in found]
    others = asked.missing(titled)
    of_it = len(absent) < len(asked.units) and (not others or any(one not in absent for one in others))
    if (
        not of_it
        or text.endswith("?")
        or _LEADS_ON.match(text)
        or not asked.form.search(there.text)
        or asked.of_another(there)
    ):
        return None
    defines = there.text.startswith(tuple(f" {the}{one} {be} " for one in asked.defines
                                          for the in ("", "the ", "a ") for be in ("is", "are")))  # fmt: skip
    weight = len(asked.units) - len(beside) - 0.5 * (len(absent) - len(beside)) + 10 * defines
    return weight, tuple(unit.said for unit in beside)


def _by_person(said: Written, held: int, missing: tuple[str, ...], instead: Piece | None = None) -> Piece:
    """What a person wrote, beside sources or in place of a piece of one."""
    who = f"said by {said.by}" if said.by else "written by hand"
    text = f"{said.text} ({who}" + (f", in place of “{instead.quote}” {instead.place})" if instead else ")")
    return Piece(text, said.text, said.page, said.line, said.line, said.at, said.entry, "", 0, 0, held, said.title,
                 said.at, missing)  # fmt: skip


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
    base: int, offset: ByteOffsets, passage: str, start: int, source: str, day: str, body: int
) -> list[tuple[str, int, int, str, str, str]]:
    """Sentences of a passage from the body on, each with the two before it; its place counts characters of the
    document's text, theirs bytes of the blob."""
    found, before = [], ["", ""]
    for at, end, text, item in _split(passage, min(max(body - start, 0), len(passage))):
        words = re.findall(r"[^\W\d_]+", text)
        headed = sum(word[0].isupper() for word in words) > 0.5 * len(words) and text[-1:] not in '.!?…:;"”’)'
        if (
            len(text) > 20 - 10 * item
            and not headed
            and sum(map(str.isupper, text)) < 0.5 * sum(map(str.isalpha, text))
        ):
            found.append((text, base + offset(start + at), base + offset(start + end), day, source, " ".join(before)))
        before = [before[1], text]
    return found


@lru_cache(maxsize=256)
def _split(passage: str, first: int) -> list[tuple[int, int, str, bool]]:
    """Where each sentence of a passage begins and ends, what it says, and whether it is an item; and quotations."""
    told = [(s.start, s.end, s.text, s.item) for s in sentences(passage, first, ())]
    quoted = (m for m in _QUOTED.finditer(passage, first) if not _ANSWERED.search(passage, 0, m.start()))
    return sorted(told + [(m.start(1), m.end(1), spoken(m[1]), True) for m in quoted])


def saved(question: str, sentences: Sentences, pieces: Sequence[Piece]) -> Draft | None:
    """The draft that files an answer: its sentences cite the pieces by number. What people wrote is on its page, and is
    not filed; None where nothing else is left."""
    of_sources = [str(n) for n, piece in enumerate(pieces, 1) if piece.blob]
    number = {old: str(new) for new, old in enumerate(of_sources, 1)}
    told = [(text, [number[one] for one in cites]) for text, cites in sentences if number.keys() >= set(cites)]
    refs = tuple(ref for p in pieces if p.blob for ref in (Ref("quotes", p.blob, p.start, p.end), Ref("from", p.entry)))
    return Draft(f"question:{question}"[:300], Answer(question, written(told)), refs) if told else None
