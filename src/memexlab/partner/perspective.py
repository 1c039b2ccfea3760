"""A person's corpus as one perspective: every section computed, or greyed with the reason. It renders nothing.

What the corpus holds and lacks, and where my own notes go beyond it, are counted here; other sections have a module.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from ..memory import Memory
from ..memory.claims import STANDING
from .axioms import believed, statements, tensions
from .corpus import OWN, WORD, Corpus, groups_of, open_corpus, slug_of, stem, stems
from .landed import Part, admitted, judged, mark_of, metered, reviewed
from .lineage import lineage
from .periods import periods
from .predictions import due, predictions
from .revisions import revisions
from .similarity import Matcher
from .statements import Coverage, Made, Mention, Meter, Model, Period, Prediction, Quote, Statement, Tension, Term
from .vocabulary import models, terms

_LIFETIME_YEARS = 100
_MOST_WORKS, _LEAST_SILENT_YEARS = 12, 2
#: Why a section may be empty; a page shows it in grey.
_WHY = {
    "axioms": "no statement has two groups, two kinds and thirty days in own voice",
    "positions": "no statement has two independent groups",
    "once": "no sentence says what the person holds",
    "models": "no term is used three times by explanations in two groups",
    "vocabulary": "no phrase is used eight times in two groups",
    "tensions": "no sentence tells of a change of mind, or of two minds",
    "predictions": "no sentence speaks of the future",
    "lineage": "nobody is named twice in own voice",
    "periods": "fewer than two periods with five dated groups each",
    "extensions": "no notes of yours besides this corpus, or none that go beyond it",
}

_MOST_EXTENSIONS, _NEW_SHARE, _SENTENCE_WORDS = 40, 0.2, 4
_NOTES = f"""SELECT c.source, c.text, d.title, d.published, coalesce(e.body ->> '$.meta.type', 'note'),
 q.text, q.line, q.last_line, q.start, q.end, e.by
 FROM {STANDING.replace("WHERE", "JOIN quotes q ON q.entry = c.entry WHERE", 1)}
 AND c.relation NOT IN ('author', 'dated', 'alias') ORDER BY e.id, q.start"""


@dataclass(frozen=True, slots=True)
class Perspective:
    """All that a corpus shows of how a person thinks; `greyed` names the sections that have not enough, and why."""

    person: str
    slug: str
    living: bool
    coverage: Coverage
    meter: Meter
    axioms: tuple[Statement, ...] = ()
    positions: tuple[Statement, ...] = ()
    once: tuple[Statement, ...] = ()
    models: tuple[Model, ...] = ()
    vocabulary: tuple[Term, ...] = ()
    tensions: tuple[Tension, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    lineage: tuple[Mention, ...] = ()
    periods: tuple[Period, ...] = ()
    extensions: tuple[Statement, ...] = ()
    greyed: dict[str, str] = field(default_factory=dict)


def perspective(memory: Memory, person: str, as_of: int | None = None) -> Perspective:
    """The perspective of `person`, from sources that stand, and nothing later than the year `as_of`."""
    return perspective_of(memory, open_corpus(memory, person, as_of))


def perspective_of(memory: Memory, corpus: Corpus) -> Perspective:
    """The perspective of an open corpus: first what landed, then what code found and nobody rejected or said better."""
    said = judged(memory)
    matcher, beliefs, revised = Matcher(corpus), believed(corpus), revisions(corpus)
    got = admitted(memory, corpus, said, revised)
    tiers = statements(corpus, matcher, beliefs, revised)
    ids = {text.entry: text.id for text in corpus.texts}

    def with_found(landed: Sequence[Part], found: Sequence[Part], spoken: Sequence[Made]) -> tuple[Part, ...]:
        taken = {source for part in spoken for source in _spans(part)}
        kept = []
        for part in found:
            spans = list(_spans(part))[: 2 if isinstance(part, Tension) else 1]
            left = reviewed(part, said.get(mark_of((ids[source], start) for source, start, _ in spans)))
            if left is not None and not all(any(_meet(span, one) for one in taken) for span in spans):
                kept.append(left)
        return (*landed, *kept)

    year = int(str(corpus.as_of or corpus.latest_at)[:4] or 0)
    spoken = [one for tier in got.tiers.values() for one in tier]
    known_terms, people, named = terms(corpus), lineage(corpus), {_last(one.name) for one in got.lineage}
    names = {name for one in got.models for name in (one.name.casefold(), *one.terms)}
    sections: dict[str, tuple[Any, ...]] = {
        "axioms": with_found(got.tiers["axiom"], tiers["axiom"], spoken),
        "positions": with_found(got.tiers["position"], tiers["position"], spoken),
        "once": with_found(got.tiers["once"], tiers["once"], spoken),
        "models": (*got.models, *(one for one in models(corpus, known_terms) if one.name not in names)),
        "vocabulary": known_terms,
        "tensions": with_found(got.tensions, tensions(corpus, revised), got.tensions),
        "predictions": tuple(
            due(one, year) for one in with_found(got.predictions, predictions(corpus), got.predictions)
        ),
        "lineage": (*got.lineage, *(one for one in people if _last(one.name) not in named)),
        "periods": periods(corpus), "extensions": _extensions(memory, corpus),
    }  # fmt: skip
    greyed = {name: _WHY[name] for name, found in sections.items() if not found}
    by_code = sum(1 for found in sections.values() for part in found for _ in _quotes(part)
                  if getattr(part, "made_by", "code") == "code")  # fmt: skip
    meter = replace(metered(memory, corpus.person), by_code=by_code)
    name, covered = corpus.person, coverage(corpus, people)
    return Perspective(name, slug_of(name), living(corpus), covered, meter, **sections, greyed=greyed)


def coverage(corpus: Corpus, lineage: Sequence[Mention]) -> Coverage:
    """The coverage: words are those in the person's own voice, each text counted once; `voices` counts all words."""
    cells: dict[str, dict[int, int]] = {}
    voices = Counter[str]()
    for (voice, _, _), words in corpus.word_counts.items():
        voices[voice] += words
    for said in corpus.counted:
        row = cells.setdefault(said.segment.kind, {})
        row[said.year or 0] = row.get(said.year or 0, 0) + said.word_count
    years = sorted({year for row in cells.values() for year in row if year})
    cells = {kind: dict(sorted(row.items())) for kind, row in sorted(cells.items())}
    groups, of_voices = groups_of(corpus.counted), dict(sorted(voices.items()))
    copied = any(said.copy for said in corpus.own)
    return Coverage(corpus.words, groups, len(corpus.texts), cells, of_voices, _gaps(corpus, years, lineage), copied)


def _gaps(corpus: Corpus, years: Sequence[int], lineage: Sequence[Mention]) -> tuple[str, ...]:
    found = []
    silent = [(a + 1, b - 1) for a, b in pairwise(years) if b - a > _LEAST_SILENT_YEARS]
    found += [f"no words from {start} to {end}" for start, end in silent]
    copies = Counter(said.source for said in corpus.own if said.copy)
    for place, count in sorted(copies.items()):
        if count >= 20:
            found.append(f"{count} sentences of {corpus.texts[place].title} stand in another source too and count once")
    for text in corpus.texts:
        if not text.date:
            found.append(f"{text.title} has no date")
        if not text.licence:
            found.append(f"{text.title} has no licence and is not exported")
        if not any(segment.voice in OWN for segment in text.segments):
            found.append(f"{text.title} holds no words of {corpus.person}")
    works = [one for one in lineage if one.kind == "work" and not one.held][:_MOST_WORKS]
    found += [f"named and not held: '{work.name}' ({work.groups} groups)" for work in works]
    return tuple(found)


def _extensions(memory: Memory, corpus: Corpus) -> tuple[Statement, ...]:
    """Claims of my other sources with words that no own sentence has, a fifth of theirs; one for each new word."""
    spoken = Counter(word for said in corpus.own for word in said.words)
    mine = {text.entry for text in corpus.texts}
    gate = f"not found in {sum(corpus.word_counts.values()):,} words of {corpus.person}: "
    found, told = list[Statement](), set[str]()
    for source, text, title, date, kind, words, line, last, start, end, by in memory.db.execute(_NOTES):
        asked = stems(text)
        new = {word for word in asked if not spoken[word]}
        if len(WORD.findall(words)) < _SENTENCE_WORDS:
            continue  # a field of a front matter, which says nothing that a corpus could have said
        if source in mine or not new - told or _NEW_SHARE * len(asked) > len(new):
            continue
        told |= new
        basis = "declared" if date else "unknown"
        quote = Quote(words, source, title, kind or "note", date, basis, "own", line, last, start, end)
        named = gate + ", ".join(sorted(word for word in WORD.findall(text.lower()) if stem(word) in new))
        found.append(Statement(text, named, 1, (quote.kind,), date, date, (quote,), made_by=by))
    return tuple(found[:_MOST_EXTENSIONS])


def _spans(part: Made) -> Iterator[tuple[int, int, int]]:
    return ((quote.source, quote.start, quote.end) for quote in _quotes(part))


def _meet(a: tuple[int, int, int], b: tuple[int, int, int]) -> bool:
    return a[0] == b[0] and a[1] < b[2] and b[1] < a[2]


def _last(name: str) -> str:
    return name.split()[-1].casefold()


def _quotes(part: Any) -> Iterator[Quote]:
    if isinstance(part, Tension):
        yield from (*part.left.quotes, *part.right.quotes)
    elif isinstance(part, Prediction):
        yield part.quote
    elif isinstance(part, Statement):
        yield from (*part.quotes, *part.counter)
    else:
        yield from getattr(part, "quotes", getattr(part, "uses", ()))


def living(corpus: Corpus) -> bool:
    """Who wrote within a lifetime may live: nothing is said of them that they did not publish or give."""
    newest = max((said.year for said in corpus.own if said.year is not None), default=None)
    return newest is None or int(corpus.latest_at[:4] or 0) - newest < _LIFETIME_YEARS
