"""Statements that pull apart: two sentences on one thing, one of them turned round, with the words on both sides.

Code cannot judge which of four kinds a tension is; it tells what the words and dates allow and calls it a candidate.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .axioms import _LEANING, _PASSING, _whole, statement_of
from .corpus import Corpus, Said
from .matching import Matcher, opposed
from .statements import Statement, Tension

_LEAST = 0.36
_MOST = 30
_YEARS_REVISED = 5
_CONDITION = re.compile(
    r"\b(?:if|unless|except|when|under|sometimes|some|rarely|occasionally|often|generally|in certain|partly|to a "
    r"(?:certain|limited) (?:extent|degree)|in most|most|many|few)\b"
)
_WEIGHED = re.compile(r"\b(?:but|on the other hand|at the expense|too (?:much|little)|on the one hand)\b")


def tensions(corpus: Corpus, matcher: Matcher, beliefs: Sequence[Said]) -> tuple[Tension, ...]:
    """Pairs of own sentences of two groups, nearest first; a sentence stands in one pair only."""
    found = []
    for said in beliefs:
        for cosine, other in matcher.near(said, _LEAST):
            plain = (
                _whole(other)
                and len(other.tokens) >= 12
                and not _LEANING.search(other.text)
                and not _PASSING.search(other.text)
            )
            if plain and opposed(said.text, other.text):
                found.append((cosine, said, other))
    used: set[int] = set()
    kept: list[Tension] = []
    for _, a, b in sorted(found, key=lambda pair: (-pair[0], pair[1].source, pair[1].start)):
        if not used & {id(a), id(b)} and len(kept) < _MOST:
            used |= {id(a), id(b)}
            left, right = sorted((a, b), key=lambda one: (one.segment.date, one.source, one.start))
            kept.append(Tension(_kind(left, right), _side(corpus, left), _side(corpus, right)))
    return tuple(kept)


def _kind(left: Said, right: Said) -> str:
    if left.year and right.year and right.year - left.year >= _YEARS_REVISED:
        return "revision"
    if bool(_CONDITION.search(left.text)) != bool(_CONDITION.search(right.text)):
        return "scope"
    return "trade-off" if _WEIGHED.search(left.text + " " + right.text) else "contradiction"


def _side(corpus: Corpus, said: Said) -> Statement:
    return statement_of(corpus, corpus.quote(said).text, [said], [], {})[1]
