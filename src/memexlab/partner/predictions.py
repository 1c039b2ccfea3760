"""What was said of the future, found by its words, open until a person resolves it; recall before precision."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from ..memory import Memory
from .axioms import _LEANING
from .corpus import Corpus, Said
from .statements import Prediction

_FUTURE = re.compile(
    r"\b[Ii]n the (?:distant |near )?future\b|\bfuture (?:ages|generations|researches|naturalists|historians?)\b|"
    r"\b[Ii]n future "
    r"(?:years|times)\b|\bthe time will (?:\w+ )?come\b|\b(?:some|one) day\b[^.]{0,40}\bwill\b|\bwill (?:\w+ "
    r")?(?:some|one) day\b|"
    r"\bI (?:\w+ )?(?:predict|foresee|prophesy|prophecy|expect that|venture to (?:predict|say|believe))\b|\b(?:will|"
    r"shall) "
    r"(?:\w+ ){0,2}(?:ultimately|eventually|in time|hereafter|before long|in the end|sooner or later|"
    r"prevail|triumph|exterminate|be proved|be accepted|revolution\w*)\b|"
    r"\b[Bb]efore (?:many|"
    r"very) (?:years|long)\b|\b[Ww]ithin (?:a few|\w+) (?:years|centuries)\b[^.]*\bwill\b|\bat some future (?:time|"
    r"period|day)\b"
)
_NOT = re.compile(
    r"\b(?:I (?:shall|will|hope|wish|may|intend|must|know not)|[Ww]e shall (?:see|hereafter|presently)|as we shall|"
    r"[Yy]ou will|"
    r"will you|shall I|will (?:be )?(?:hereafter )?(?:be )?(?:seen|shown|given|discussed|described|treated|mentioned|"
    r"considered|"
    r"left)|letter|obliged|my (?:book|next|MS)|chapter|some day to|I should|would|diagram|evidence will|proud|"
    r"considered hereafter)"
    r"\b|\?"
)
_HORIZON = re.compile(
    r"\b(?:within|in) (?:the next )?(\d+|a|two|three|five|ten|twenty|fifty|a hundred) (years?|centur(?:y|ies))\b", re.I
)
_NUMBERS = {"a": 1, "two": 2, "three": 3, "five": 5, "ten": 10, "twenty": 20, "fifty": 50, "a hundred": 100}
_MOST = 60
STATUSES = ("open", "true", "false", "partly", "unresolvable")


def predictions(memory: Memory, corpus: Corpus) -> tuple[Prediction, ...]:
    """Own sentences on the future, the oldest first, each as its last verdict resolved it."""
    said = [one for one in corpus.counted if 8 <= len(one.tokens) <= 70 and _FUTURE.search(one.text)]
    kept = [one for one in said if not _NOT.search(one.text)]
    best = sorted(kept, key=lambda one: (_LEANING.search(one.text) is not None, len(one.tokens), one.source, one.start))
    resolved = dict(_resolved(memory))
    found = []
    for one in sorted(best[:_MOST], key=lambda one: (one.segment.date, one.source, one.start)):
        quote = corpus.quote(one)
        status, who = resolved.get((quote.source, quote.start), ("open", ""))
        found.append(Prediction(quote.text, quote, one.segment.date, _horizon(one), status, who))
    return tuple(found)


def _horizon(said: Said) -> str | None:
    found = _HORIZON.search(said.text)
    if found is None or said.year is None:
        return None
    count = int(found[1]) if found[1].isdigit() else _NUMBERS[found[1].lower()]
    return str(said.year + count * (100 if found[2].lower().startswith("cent") else 1))


def _resolved(memory: Memory) -> Iterator[tuple[tuple[int, int], tuple[str, str]]]:
    """(source and place, status and who said so), the last word last."""
    sql = (
        "SELECT d.entry, e.body, e.by FROM entries e JOIN refs r ON r.seq = e.seq AND r.role = 'tests' JOIN entries "
        "s ON"
        " s.id = r.target JOIN documents d ON d.entry = s.seq WHERE e.kind = 'verdict' AND"
        " e.body ->> '$.decision' = 'prediction' ORDER BY e.at, e.id"
    )
    for source, body, by in memory.db.execute(sql):
        numbers = json.loads(body)["numbers"]
        yield (source, int(numbers["start"])), (str(numbers["status"]), by)
