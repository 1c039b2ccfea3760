"""A person's corpus as one perspective: every section computed, or greyed with the reason. It renders nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ..memory import Memory
from .axioms import believed, statements
from .corpus import Corpus, open_corpus, slug_of
from .coverage import coverage
from .extensions import extensions
from .lineage import lineage
from .matching import Matcher
from .periods import periods
from .predictions import predictions
from .proposing import admitted, metered, reviewed
from .statements import (
    Coverage,
    Mention,
    Meter,
    Model,
    Period,
    Prediction,
    Quote,
    Statement,
    Tension,
    Term,
)  # fmt: skip
from .tensions import tensions
from .vocabulary import models, terms

__all__ = [
    "Coverage", "Mention", "Meter", "Model", "Period", "Perspective", "Prediction", "Quote", "Statement", "Tension",
    "Term", "perspective",
]  # fmt: skip

_LIFETIME_YEARS = 100
#: Why a section may be empty; a page shows it in grey.
_WHY = {
    "axioms": "no statement has two groups, two kinds and thirty days in own voice",
    "positions": "no statement has two independent groups",
    "once": "no sentence says what the person holds",
    "models": "no term is used three times by explanations in two groups",
    "vocabulary": "no phrase is used eight times in two groups",
    "tensions": "no two sentences on one thing pull apart",
    "predictions": "no sentence speaks of the future",
    "lineage": "nobody is named twice in own voice",
    "periods": "fewer than two periods with five dated groups each",
    "extensions": "no notes of yours besides this corpus, or none that go beyond it",
}


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
    corpus = open_corpus(memory, person, as_of)
    matcher = Matcher(corpus)
    beliefs = believed(corpus)
    tiers = {tier: list(found) for tier, found in statements(corpus, matcher, beliefs).items()}
    for tier, statement in admitted(memory, corpus):
        tiers[tier].insert(0, statement)
    said = {(entry, start): word for (entry, start), word in reviewed(memory).items() if start >= 0}
    ids = {text.entry: text.id for text in corpus.texts}
    for tier, found in tiers.items():
        tiers[tier] = [kept for one in found if (kept := _reviewed(one, said, ids)) is not None]
    known_terms = terms(corpus)
    people = lineage(corpus)
    sections: dict[str, tuple[Any, ...]] = {
        "axioms": tuple(tiers["axiom"]), "positions": tuple(tiers["position"]), "once": tuple(tiers["once"]),
        "models": models(corpus, known_terms), "vocabulary": known_terms,
        "tensions": tensions(corpus, matcher, beliefs), "predictions": predictions(memory, corpus), "lineage": people,
        "periods": periods(corpus), "extensions": extensions(memory, corpus),
    }  # fmt: skip
    covered = coverage(corpus, people)
    greyed = {name: _WHY[name] for name, found in sections.items() if not found}
    asked = metered(memory, corpus.person)
    shown = sum(1 for found in sections.values() for part in found for _ in _quotes(part))
    meter = Meter(asked.proposed + shown, asked.verified + shown, asked.refused)
    return Perspective(
        corpus.person, slug_of(corpus.person), _living(corpus), covered, meter, **sections, greyed=greyed
    )


def _reviewed(one: Statement, said: dict[tuple[str, int], str], ids: dict[int, str]) -> Statement | None:
    first = one.quotes[0]
    word = said.get((ids[first.source], first.start)) if one.made_by == "code" else None
    return None if word == "reject" else replace(one, candidate=False) if word == "accept" else one


def _quotes(part: Any) -> Iterator[Quote]:
    if isinstance(part, Tension):
        yield from (*part.left.quotes, *part.right.quotes)
    elif isinstance(part, Prediction):
        yield part.quote
    elif isinstance(part, Statement):
        yield from (*part.quotes, *part.counter)
    else:
        yield from getattr(part, "quotes", getattr(part, "uses", ()))


def _living(corpus: Corpus) -> bool:
    """Who wrote within a lifetime may live: nothing is said of them that they did not publish or give."""
    newest = max((said.year for said in corpus.own if said.year is not None), default=None)
    return newest is None or int(corpus.latest_at[:4] or 0) - newest < _LIFETIME_YEARS
