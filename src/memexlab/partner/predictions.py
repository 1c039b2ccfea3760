"""What was said of the future, found by its words, open until a person resolves it; recall before precision."""

from __future__ import annotations

import re
from dataclasses import replace

from .axioms import LEANING
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
    r"proud|he (?:says|believes)|(?:time|before many years|thirty years) had|a few years, and|experiments?|"
    r"if I live|who will)\b|\?"
)
#: What goes on always, or is asked or supposed, where only a word such as "ultimately" speaks of the future.
_WEAK = re.compile(r"\bwill (?:\w+ ){0,2}(?:ultimately|eventually|in time|in the end|prevail|triumph)\b|\bmight\b")
_ALWAYS = re.compile(
    r"\b(?:always|continually|invariably|suffices?|thus|until|what|he will|form may|held by|might)\b|\bwill pretend\b"
)
#: A day that the words give: "by 2030", "within a decade", "ten years from now".
_BY_YEAR = re.compile(r"\b[Bb]y (?:the (?:year|end of) )?(1[5-9]\d\d|2[01]\d\d)\b(?!s)")
_COUNT = r"(\d+|an?|one|two|three|four|five|six|ten|twenty|thirty|fifty|a hundred)"
_HORIZON = re.compile(
    rf"\b(?:within|in) (?:the next )?{_COUNT} (year|decade|centur)(?:s|y|ies)?\b|"
    rf"\b{_COUNT} (year|decade|centur)(?:s|y|ies)? from now\b", re.I
)  # fmt: skip
_WILL = re.compile(r"\b(?:will|won['’]t|shall)\b|['’]ll\b")
_NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "ten": 10, "twenty": 20,
            "thirty": 30, "fifty": 50, "a hundred": 100}  # fmt: skip
_YEARS = {"year": 1, "decade": 10, "centur": 100}
_MOST = 60
STATUSES = ("open", "true", "false", "partly", "unresolvable")


def predictions(corpus: Corpus) -> tuple[Prediction, ...]:
    """Own sentences on the future, the oldest first."""
    said = [
        one for one in corpus.counted
        if (8 <= len(one.tokens) <= 70 and _FUTURE.search(one.text))
        or (5 <= len(one.tokens) <= 70 and _WILL.search(one.text) and _beyond_a_year(one))
    ]  # fmt: skip
    kept = [one for one in said if not _NOT.search(one.text)
            and not (_WEAK.search(one.text) and _ALWAYS.search(one.text))]  # fmt: skip
    best = sorted(kept, key=lambda one: (LEANING.search(one.text) is not None, len(one.tokens), one.source, one.start))
    kept = sorted(best[:_MOST], key=lambda one: (one.segment.date, one.source, one.start))
    return tuple(Prediction((q := corpus.quote(one)).text, q, one.segment.date, _horizon(one)) for one in kept)


def due(one: Prediction, year: int) -> Prediction:
    """The prediction as it stands in `year`: due where it is open and its horizon is past."""
    horizon = (one.horizon or "")[:4]
    return replace(one, due=one.status == "open" and horizon.isdigit() and int(horizon) < year)


def _beyond_a_year(said: Said) -> bool:
    """Whether it gives a horizon; "in a year" is mostly how fast a thing goes on."""
    horizon = _horizon(said)
    return horizon is not None and int(horizon) > (said.year or 0) + 1


def _horizon(said: Said) -> str | None:
    if said.year is None:
        return None
    if (by := _BY_YEAR.search(said.text)) and int(by[1]) >= said.year:
        return by[1]
    if (found := _HORIZON.search(said.text)) is None:
        return None
    count, unit = (found[1] or found[3]).lower(), (found[2] or found[4]).lower()
    return str(said.year + (int(count) if count.isdigit() else _NUMBERS[count]) * _YEARS[unit])
