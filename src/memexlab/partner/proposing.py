"""What a model or an agent proposes of a person, gated by code; and what a person says of any statement.

A draft is an object: text, quotes (words alone), and if known section. Its quotes must stand in the corpus in the
person's own voice; the stored words win. It only adds: a failed call retires nothing.
"""

from __future__ import annotations

import json
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Literal

from ..ledger import Claim, Draft, Finding, Ref, Scalar, UsageError, Verdict
from ..memory import Memory
from ..wiki.claims import ByteOffsets
from ..wiki.quotes import Span, locate, supported
from .axioms import gate_of
from .corpus import OWN, Corpus, Said, open_corpus
from .statements import Meter, Statement

RELATION = "thinks"
_AROUND_CHARS, _MOST_PLACES, _PRESENT_SHARE = 700, 2_000, 0.7
_MOST_TEXT_CHARS, _MOST_QUOTE_CHARS = 400, 2_000


def find(quote: str, corpus: Corpus) -> tuple[int, Span] | None:
    """(source, span) of the words in the first text that holds them, own voice before any other; None if none does."""
    found = []
    for place, text in enumerate(corpus.texts):
        if (span := find_in(quote, text.text)) is not None:
            if _voice(corpus, place, span) in OWN:
                return place, span
            found.append((place, span))
    return found[0] if found else None


def find_in(quote: str, text: str) -> Span | None:
    """As `locate`, in a long text: only where one of the two longest words stands among most of the others."""
    words = sorted(set(re.findall(r"[^\W\d_]{4,}", unicodedata.normalize("NFKC", quote))), key=lambda w: (-len(w), w))
    for word in words[:2]:
        looked = False
        for match in islice(re.finditer(re.escape(word), text), _MOST_PLACES):
            start = text.rfind("\n", 0, max(0, match.start() - len(quote) - _AROUND_CHARS)) + 1
            end = match.end() + len(quote) + _AROUND_CHARS
            part = text[start:end]
            if sum(other in part for other in words) < _PRESENT_SHARE * len(words):
                continue
            looked = True
            if (span := locate(quote, part)) is not None:
                return Span(start + span.start, start + span.end, span.how)
        if looked:
            break
    return None


def admit(
    memory: Memory, person: str, drafts: Iterable[Mapping[str, Any]], by: str
) -> tuple[list[Statement], list[Finding]]:
    """Lands the drafts whose quotes are the person's own words; the others are findings, counted in the ledger too."""
    corpus = open_corpus(memory, person)
    offsets = [ByteOffsets(text.text) for text in corpus.texts]
    accepted, refused, landing = list[Statement](), list[Finding](), list[Draft]()
    quotes = verified = 0
    for number, draft in enumerate(drafts):
        where = f"draft {number + 1}"
        text, said = str(draft.get("text") or "").strip(), draft.get("quotes") or []
        if not 0 < len(text) <= _MOST_TEXT_CHARS or not isinstance(said, list) or not said:
            refused.append(
                Finding("draft", "error", where, "no text or no quotes", '{"text": "...", "quotes": ["..."]}')
            )
            continue
        spans, wrong = list[tuple[int, Span]](), list[Finding]()
        for quote in map(str, said):
            quotes += 1
            hit = find(quote, corpus) if len(quote) <= _MOST_QUOTE_CHARS and len(quote.split()) >= 4 else None
            if hit is None:
                wrong.append(Finding("quote", "error", where, f"not in this corpus: {quote[:80]!r}", "copy the words"))
            elif (voice := _voice(corpus, *hit)) not in OWN:
                hint = f"quote {corpus.person}'s own words"
                wrong.append(Finding("voice", "error", where, f"this is the voice of: {voice}: {quote[:80]!r}", hint))
            else:
                verified += 1
                spans.append(hit)
        words = " ".join(corpus.texts[place].text[span.start : span.end] for place, span in spans)
        wrong = wrong or supported(text, f"{words} {corpus.person}")
        if wrong:
            refused.append(wrong[0])
            continue
        refs = [Ref("quotes", _blob(memory, corpus, place), offsets[place](span.start), offsets[place](span.end))
                for place, span in spans]  # fmt: skip
        sources = dict.fromkeys(corpus.texts[place].id for place, _ in spans)
        subject = f"person:{corpus.person}"
        landing.append(Draft(subject, Claim(text, RELATION), (*refs, *(Ref("from", one) for one in sources)),
                             key=f"partner:{corpus.person}:{text}"[:300]))  # fmt: skip
        accepted.append(_statement(corpus, text, spans, by, True))
    told: dict[str, Scalar] = {"proposed": quotes, "verified": verified, "refused": quotes - verified}
    memory.land(
        [*landing, Draft(f"person:{corpus.person}", Verdict("metered", by, told), (Ref("tests", corpus.texts[0].id),))],
        by,
    )
    return accepted, refused


def admitted(memory: Memory, corpus: Corpus) -> list[tuple[str, Statement]]:
    """(axiom, position or once; statement) of what was admitted, stands, and was not rejected."""
    sql = (
        "SELECT e.id, e.by, e.body ->> '$.text' FROM entries e WHERE e.kind = 'claim' AND e.subject = ? AND"
        " e.body ->> '$.relation' = ? AND NOT EXISTS (SELECT 1 FROM refs r WHERE r.target = e.id AND r.role IN"
        " ('supersedes', 'retracts')) ORDER BY e.id"
    )
    said = reviewed(memory)
    found = []
    for entry, by, text in memory.db.execute(sql, (f"person:{corpus.person}", RELATION)).fetchall():
        rows = memory.db.execute(
            "SELECT q.text FROM quotes q JOIN entries e ON e.seq = q.entry WHERE e.id = ? ORDER BY q.start, q.text",
            (entry,),
        )
        spans = [hit for (quote,) in rows.fetchall() if (hit := find(quote, corpus)) and _voice(corpus, *hit) in OWN]
        if spans and said.get((entry, -1)) != "reject":
            made = _statement(corpus, text, spans, by, said.get((entry, -1)) != "accept")
            found.append((_tier(corpus, spans), made))
    return found


def review(
    memory: Memory, entry: str, start: int, decision: Literal["accept", "reject"], by: str, why: str = ""
) -> None:
    """Lands a person's word on a statement: `entry` is its claim with start -1, or its quote's source and start."""
    row = memory.db.execute("SELECT subject FROM entries WHERE id = ?", (entry,)).fetchone()
    if row is None or decision not in ("accept", "reject"):
        raise UsageError(
            f"there is no entry {entry!r}, or {decision!r} is neither accept nor reject", "memex partner --json"
        )
    memory.land([Draft(row[0], Verdict(decision, why, {"start": start}), (Ref("tests", entry),))], by)


def reviewed(memory: Memory) -> dict[tuple[str, int], str]:
    """(entry, start) to the last word on it."""
    sql = (
        "SELECT r.target, e.body FROM entries e JOIN refs r ON r.seq = e.seq AND r.role = 'tests' WHERE e.kind = "
        "'verdict'"
        " AND e.body ->> '$.decision' IN ('accept', 'reject') AND e.body ->> '$.numbers.start' IS NOT NULL ORDER BY "
        "e.at, e.id"
    )
    found = {}
    for target, body in memory.db.execute(sql):
        told = json.loads(body)
        found[target, int(told["numbers"]["start"])] = str(told["decision"])
    return found


def metered(memory: Memory, person: str) -> Meter:
    """Quotes that were proposed of this person, found and refused, over all calls."""
    sql = "SELECT body FROM entries WHERE kind = 'verdict' AND subject = ? AND body ->> '$.decision' = 'metered'"
    told = [json.loads(body)["numbers"] for (body,) in memory.db.execute(sql, (f"person:{person}",))]
    return Meter(*(sum(one[name] for one in told) for name in ("proposed", "verified", "refused")))


def _voice(corpus: Corpus, place: int, span: Span) -> str:
    """The voice of all of a span, or of its first part that is not the person's."""
    found = corpus.texts[place].segments
    at = bisect_right(found, span.start, key=lambda one: one.start) - 1
    parts = [one.voice for one in found[max(0, at) :] if one.start < span.end and one.end > span.start]
    return next((voice for voice in parts if voice not in OWN), "own") if parts else "unknown"


def _said(corpus: Corpus, spans: Sequence[tuple[int, Span]]) -> list[Said]:
    found = []
    for place, span in spans:
        parts = corpus.texts[place].segments
        segment = parts[max(0, bisect_right(parts, span.start, key=lambda one: one.start) - 1)]
        inside = [one for one in corpus.own if one.source == place and one.start < span.end and one.end > span.start]
        group = inside[0].group if inside else (place, segment.unit)
        found.append(Said(place, span.start, span.end, "", segment, [], (), group))
    return found


def _statement(corpus: Corpus, text: str, spans: Sequence[tuple[int, Span]], by: str, candidate: bool) -> Statement:
    said = _said(corpus, spans)
    _, gate, groups, kinds, days = gate_of(said, 0)
    first, last = (days[0], days[-1]) if days else ("", "")
    return Statement(text, gate, groups, kinds, first, last, tuple(map(corpus.quote, said)), (), candidate, by)


def _tier(corpus: Corpus, spans: Sequence[tuple[int, Span]]) -> str:
    return gate_of(_said(corpus, spans), 0)[0]


def _blob(memory: Memory, corpus: Corpus, place: int) -> str:
    sql = "SELECT target FROM refs WHERE role = 'file' AND seq = ?"
    return str(memory.db.execute(sql, (corpus.texts[place].entry,)).fetchone()[0])
