"""What landed of a perspective, read back: claims whose quotes still stand in own voice, and what people said of them.

A claim's place in a text is looked up by its bytes, and by its words where the source was taken in anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from ..ledger import Claim, Entry
from ..memory import Memory
from ..wiki.quotes import Span
from .axioms import side_of, statement_of
from .corpus import OWN, Corpus, Said, by_year, groups_of
from .quote_places import Hit, find, said_at
from .revisions import Revision
from .statements import Kind, Made, Mention, Meter, Model, Prediction, Statement, Tension
from .vocabulary import leaning, uses_of

RELATION = "thinks"
_CLAIMS = """SELECT e.seq FROM entries e WHERE e.kind = 'claim' AND e.subject = ? AND e.body ->> '$.relation' = ?
 AND NOT EXISTS (SELECT 1 FROM refs r WHERE r.target = e.id AND r.role IN ('supersedes', 'retracts'))
 ORDER BY e.by NOT GLOB 'human:*', e.at DESC, e.id"""
_VERDICTS = """SELECT e.by, e.body FROM entries e WHERE e.kind = 'verdict' AND e.body ->> '$.decision' IN
 ('accept', 'reject') AND e.body ->> '$.numbers.of' IS NOT NULL ORDER BY e.at, e.id"""

Part = TypeVar("Part", bound=Made)


@dataclass(frozen=True, slots=True)
class Word:
    """The last word of a person on a statement."""

    decision: str
    by: str
    scope: str


@dataclass(slots=True)
class Admitted:
    """What landed, by section; statements by the tier that their quotes reach."""

    tiers: dict[str, list[Statement]] = field(default_factory=lambda: {"axiom": [], "position": [], "once": []})
    models: list[Model] = field(default_factory=list)
    tensions: list[Tension] = field(default_factory=list)
    predictions: list[Prediction] = field(default_factory=list)
    lineage: list[Mention] = field(default_factory=list)


def mark_of(quotes: Iterable[tuple[str, int]]) -> str:
    """What a statement that code found is called in a verdict: the sources and first characters of its sides."""
    return " ".join(f"{source}:{start}" for source, start in quotes)


def judged(memory: Memory) -> dict[str, Word]:
    """The last word on each claim, or on each mark of what code found."""
    found = {}
    for by, body in memory.db.execute(_VERDICTS):
        told = json.loads(body)
        numbers = told["numbers"]
        found[str(numbers["of"])] = Word(told["decision"], by, str(numbers.get("scope") or ""))
    return found


def reviewed(part: Part, word: Word | None) -> Part | None:
    """The part as a person left it; None where it was rejected."""
    if word is None:
        return part
    return None if word.decision == "reject" else replace(part, reviewed_by=word.by, scope=word.scope)


def metered(memory: Memory, person: str) -> Meter:
    """Quotes that were proposed of this person, found and refused, over all calls."""
    sql = "SELECT body FROM entries WHERE kind = 'verdict' AND subject = ? AND body ->> '$.decision' = 'metered'"
    told = [json.loads(body)["numbers"] for (body,) in memory.db.execute(sql, (f"person:{person}",))]
    return Meter(*(sum(one[name] for one in told) for name in ("proposed", "verified", "refused")))


def admitted(memory: Memory, corpus: Corpus, said: Mapping[str, Word], revised: Sequence[Revision] = ()) -> Admitted:
    """Everything that landed and was not rejected, statements with what took their quotes back.

    As of a year, a claim that rests on later words is not there.
    """
    found = Admitted()
    encoded: dict[int, bytes] = {}
    for (seq,) in memory.db.execute(_CLAIMS, (f"person:{corpus.person}", RELATION)).fetchall():
        entry = memory.index.entry(seq)
        assert entry is not None
        assert isinstance(entry.body, Claim)
        spans = list(_hits(memory, corpus, entry, encoded))
        own = [hit is not None and corpus.voice_of(hit[0], hit[1].start, hit[1].end) in OWN for hit in spans]
        hits = [hit for hit, fits in zip(spans, own, strict=True) if fits and hit is not None]
        whole = len(hits) == len(spans)
        if hits and (whole or (corpus.as_of is None and entry.body.scope.get("section") == "statement")):
            _put(found, corpus, entry, entry.body, hits, whole, said.get(entry.id), revised)
    for tier in found.tiers.values():
        tier.sort(key=lambda one: -one.groups)
    return found


def _hits(memory: Memory, corpus: Corpus, entry: Entry, encoded: dict[int, bytes]) -> Iterator[Hit | None]:
    blobs = {text.blob: place for place, text in enumerate(corpus.texts)}
    for ref in entry.refs:
        if ref.role == "quotes" and ref.start is not None:
            if (place := blobs.get(ref.id)) is None:
                yield find(memory.blobs.get(ref.id)[ref.start : ref.end].decode("utf-8", "replace"), corpus)
                continue
            if place not in encoded:
                encoded[place] = corpus.texts[place].text.encode("utf-8", "surrogatepass")
            start = len(encoded[place][: ref.start].decode("utf-8", "replace"))
            yield place, Span(start, start + len(encoded[place][ref.start : ref.end].decode("utf-8", "replace")))


def _put(
    found: Admitted, corpus: Corpus, entry: Entry, claim: Claim, hits: list[Hit], whole: bool, word: Word | None,
    revised: Sequence[Revision],
) -> None:  # fmt: skip
    scope, made = claim.scope, {"entry": entry.id, "made_by": entry.by}
    said = said_at(corpus, hits)
    name, explicit = str(claim.object or ""), not scope.get("inferred")
    part: Made
    match scope.get("section"):
        case "statement":
            against = int(str(scope.get("counter") or 0)) if whole else 0
            support = said[: len(said) - against]
            against_it = [*said[len(support) :], *taking_back(said, revised)]
            tier, part = statement_of(corpus, claim.text, support, against_it, made)
            _add(found.tiers[tier], part, word)
        case "model":
            terms = str(scope.get("terms")).split("|")
            used = uses_of(corpus, terms)
            uses = {(one.source, one.start): one for said_of in used.values() for one in said_of}.values()
            leans = {(one.source, one.start) for term, said_of in used.items() for one in leaning(term, said_of)}
            quotes = tuple(map(corpus.quote, said))
            part = Model(name, groups_of(uses), len(leans), quotes, by_year(uses), claim.text, tuple(terms), **made)
            _add(found.models, part, word)
        case "tension":
            said.sort(key=lambda one: (one.segment.date, one.source, one.start))
            left, right = (side_of(corpus, one) for one in said[:2])
            _add(found.tensions, Tension(str(scope["kind"]), left, right, claim.text, **made), word)
        case "prediction":
            quote, status = corpus.quote(said[0]), str(scope.get("status") or "open")
            if not any((quote.source, quote.start) == (one.quote.source, one.quote.start) for one in found.predictions):
                horizon, who = str(scope.get("horizon") or "") or None, entry.by if status != "open" else ""
                part = Prediction(claim.text, quote, quote.date, horizon, status, who, str(scope.get("why") or ""),
                                  explicit, False, **made)  # fmt: skip
                _add(found.predictions, part, word)
        case "lineage":
            kind: Kind = "person" if scope["kind"] == "person" else "work"
            held = any(name.casefold() in text.title.casefold() for text in corpus.texts)
            first = min((one.segment.date for one in said if one.segment.date), default="")
            text = claim.text if claim.text != f"{scope['relation']} {name}" else ""
            part = Mention(name, kind, str(scope["relation"]), explicit, groups_of(said), first,
                           tuple(map(corpus.quote, said)), held, text, **made)  # fmt: skip
            _add(found.lineage, part, word)


def taking_back(said: Sequence[Said], revised: Sequence[Revision]) -> list[Said]:
    """What takes back a sentence that is quoted, unless it is quoted itself."""
    return [one.later for one in revised if any(_meet(quoted, earlier) for quoted in said for earlier in one.earlier)
            and not any(_meet(quoted, one.later) for quoted in said)]  # fmt: skip


def _meet(a: Said, b: Said) -> bool:
    return a.source == b.source and a.start < b.end and b.start < a.end


def _add(parts: list[Any], part: Made, word: Word | None) -> None:
    if (kept := reviewed(part, word)) is not None:
        parts.append(kept)
