"""A person's corpus as one perspective: every section computed, or greyed with the reason. It renders nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..memory import Memory
from .admitted import Part, admitted, judged, mark_of, metered, reviewed
from .axioms import believed, statements
from .corpus import Corpus, open_corpus, slug_of
from .coverage import coverage
from .extensions import extensions
from .lineage import lineage
from .matching import Matcher
from .periods import periods
from .predictions import predictions
from .statements import Coverage, Made, Mention, Meter, Model, Period, Prediction, Quote, Statement, Tension, Term
from .tensions import tensions
from .vocabulary import models, terms

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
    return perspective_of(memory, open_corpus(memory, person, as_of))


def perspective_of(memory: Memory, corpus: Corpus) -> Perspective:
    """The perspective of an open corpus: first what landed, then what code found and nobody rejected or said better."""
    said = judged(memory)
    got = admitted(memory, corpus, said)
    matcher, beliefs = Matcher(corpus), believed(corpus)
    tiers = statements(corpus, matcher, beliefs)
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

    spoken = [one for tier in got.tiers.values() for one in tier]
    known_terms, people, named = terms(corpus), lineage(corpus), {_last(one.name) for one in got.lineage}
    names = {name for one in got.models for name in (one.name.casefold(), *one.terms)}
    sections: dict[str, tuple[Any, ...]] = {
        "axioms": with_found(got.tiers["axiom"], tiers["axiom"], spoken),
        "positions": with_found(got.tiers["position"], tiers["position"], spoken),
        "once": with_found(got.tiers["once"], tiers["once"], spoken),
        "models": (*got.models, *(one for one in models(corpus, known_terms) if one.name not in names)),
        "vocabulary": known_terms,
        "tensions": with_found(got.tensions, tensions(corpus, matcher, beliefs), got.tensions),
        "predictions": with_found(got.predictions, predictions(corpus), got.predictions),
        "lineage": (*got.lineage, *(one for one in people if _last(one.name) not in named)),
        "periods": periods(corpus), "extensions": extensions(memory, corpus),
    }  # fmt: skip
    greyed = {name: _WHY[name] for name, found in sections.items() if not found}
    by_code = sum(1 for found in sections.values() for part in found for _ in _quotes(part)
                  if getattr(part, "made_by", "code") == "code")  # fmt: skip
    meter = replace(metered(memory, corpus.person), by_code=by_code)
    covered = coverage(corpus, people)
    return Perspective(
        corpus.person, slug_of(corpus.person), _living(corpus), covered, meter, **sections, greyed=greyed
    )


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


def _living(corpus: Corpus) -> bool:
    """Who wrote within a lifetime may live: nothing is said of them that they did not publish or give."""
    newest = max((said.year for said in corpus.own if said.year is not None), default=None)
    return newest is None or int(corpus.latest_at[:4] or 0) - newest < _LIFETIME_YEARS
