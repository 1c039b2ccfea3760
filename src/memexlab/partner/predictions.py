"""What was said of the future, found by its words, open until a person resolves it; recall before precision."""

from __future__ import annotations

import re

from .axioms import _LEANING
from .corpus import Corpus, Said
from .statements import Prediction

_FUTURE = re.compile(
    r"\b[Ii]n the (?:distant|near) future\b|\b[Ii]n (?:the future|future (?:years|times|ages)),? .*\bwill\b|\bfuture "
    r"(?:ages|generations|naturalists|historians?)\b.*\b(?:will|may expect)\b|\bthe time will (?:\w+ ){0,2}come\b|"
    r"\bwill (?:\w+ )?(?:some|one) day\b|\b(?:some|one) day\b[^.]{0,40}\bwill\b|\bI (?:\w+ )?(?:predict|foresee|"
    r"prophesy|expect that|venture to (?:predict|say|believe))\b|\bwe can (?:\w+ ){0,3}(?:foresee|foretel\w*|"
    r"predict)\b|\bprophetic\b|\bno man can predict\b|\bwill (?:\w+ ){0,2}(?:ultimately|eventually|in time|before long|"
    r"in the end|sooner or later|prevail|triumph|exterminate|revolution\w*)\b|\bwill (?:be )?hereafter be (?:found|"
    r"proved|explained|recogni\w+)|\bit ever will be (?:proved|known)|\bwill ever be (?:proved|known)|\b[Ii]n \w+ "
    r"years\b[^.]*\bwill be\b|\b[Aa]t some future (?:time|period|day)\b[^.]*\bwill\b|\bsurely be before long\b"
)
#: Of the writer's own plans, of what the book will say, of what others said; of what happens always.
_NOT = re.compile(
    r"\b(?:I (?:shall|will|hope|wish|may|intend|must|know not)|[Ww]e shall (?:see|hereafter|presently)|as we shall|as "
    r"will|[Yy]ou(?:r| will)|will you|shall I|letter|obliged|my (?:book|next|MS|son)|chapter|I should|would|diagram|"
    r"proud|he (?:says|believes)|(?:time|before many years|thirty years) had|a few years, and|experiments?)\b|\?"
)
_HORIZON = re.compile(
    r"\b(?:within|in) (?:the next )?(\d+|a|two|three|five|ten|twenty|fifty|a hundred) (years?|centur(?:y|ies))\b", re.I
)
_NUMBERS = {"a": 1, "two": 2, "three": 3, "five": 5, "ten": 10, "twenty": 20, "fifty": 50, "a hundred": 100}
_MOST = 60
STATUSES = ("open", "true", "false", "partly", "unresolvable")


def predictions(corpus: Corpus) -> tuple[Prediction, ...]:
    """Own sentences on the future, the oldest first."""
    said = [one for one in corpus.counted if 8 <= len(one.tokens) <= 70 and _FUTURE.search(one.text)]
    kept = [one for one in said if not _NOT.search(one.text)]
    best = sorted(kept, key=lambda one: (_LEANING.search(one.text) is not None, len(one.tokens), one.source, one.start))
    kept = sorted(best[:_MOST], key=lambda one: (one.segment.date, one.source, one.start))
    return tuple(Prediction((q := corpus.quote(one)).text, q, one.segment.date, _horizon(one)) for one in kept)


def _horizon(said: Said) -> str | None:
    found = _HORIZON.search(said.text)
    if found is None or said.year is None:
        return None
    count = int(found[1]) if found[1].isdigit() else _NUMBERS[found[1].lower()]
    return str(said.year + count * (100 if found[2].lower().startswith("cent") else 1))
