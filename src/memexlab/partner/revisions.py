"""Changes of mind that the person tells: "I was wrong about", "I no longer think", or the same words with a denial.

Each goes with the earlier own sentences on the same words. Whether the mind changed in truth it does not judge.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from .corpus import Corpus, Said, root, stems
from .matching import negative

_VIEWS = r"(?:think|believe|hold|say|argue|consider|agree|recommend)"
CHANGED = re.compile(
    rf"\bI (?:was|had been|have been) (?:\w+ly )?(?:wrong|mistaken)(?: (?:about|on|to {_VIEWS}|when I \w+))?\b|\bI no "
    rf"longer {_VIEWS}\b|\bI(?: have|'ve|’ve)? (?:\w+ly )?changed my (?:mind|opinions?|views?)\b|\bI (?:used to|once|"
    r"formerly|at first) (?:think|believe|hold|say|argue|thought|believed|held|said|argued)\b|\bI (?:now )?(?:take (?:"
    r"that|it|this|them|those words) back|retract|recant)\b|\bI (?:have |now )?(?:give|gave|given) up the (?:view|idea|"
    r"belief|opinion)\b"
)
_SURE = re.compile(r"\bI (?:\w+ly )?(?:think|believe|hold)\b|\bin my (?:opinion|view)\b", re.IGNORECASE)
#: Of the topic, weighed by rarity, that an earlier sentence must hold; one word of it is in few sentences.
_HELD_SHARE, _RARE_SENTENCES, _RARE_SHARE = 0.6, 5, 0.005
_RARE_SHARE_SMALL, _SMALL_SENTENCES = 0.2, 500
_MOST_EARLIER, _LEAST_SAME_WORDS, _MOST = 6, 3, 30


@dataclass(frozen=True, slots=True)
class Revision:
    """A sentence that takes something back, and earlier own sentences that said it, the nearest first."""

    later: Said
    earlier: tuple[Said, ...]


def revisions(corpus: Corpus) -> tuple[Revision, ...]:
    """Changes of mind with an earlier sentence in this corpus, the oldest first."""
    said = corpus.counted
    roots = [frozenset(map(root, one.words)) for one in said]
    holding: dict[str, list[int]] = defaultdict(list)
    for number, has in enumerate(roots):
        for word in has:
            holding[word].append(number)
    weight = {word: math.log((len(said) + 2) / (len(numbers) + 1)) + 0.1 for word, numbers in holding.items()}
    rare = max(_RARE_SENTENCES, (_RARE_SHARE_SMALL if len(said) < _SMALL_SENTENCES else _RARE_SHARE) * len(said))
    found = []
    for number, one in enumerate(said):
        if (changed := CHANGED.search(one.text)) is None:
            continue
        for topic in _topics(said, number, changed):
            known = {word for word in topic if word in weight}
            least = _HELD_SHARE * sum(weight[word] if word in known else math.log(len(said) + 2) for word in topic)
            shares = defaultdict[int, float](float)
            for word in known:
                for other in holding[word]:
                    shares[other] += weight[word]
            near = [
                (share, other) for other, share in shares.items()
                if share >= least and _before(said[other], one) and not CHANGED.search(said[other].text)
                and any(len(holding[word]) <= rare for word in known & roots[other])
            ]  # fmt: skip
            if near:
                near.sort(
                    key=lambda hit: (-hit[0], not _SURE.search(said[hit[1]].text), len(said[hit[1]].text), hit[1])
                )
                found.append(Revision(one, tuple(said[other] for _, other in near[:_MOST_EARLIER])))
                break
    found += _denied(said, roots, {id(one.later) for one in found})
    found.sort(key=lambda one: (one.later.segment.date, one.later.source, one.later.start))
    return tuple(found[:_MOST])


def _topics(said: list[Said], number: int, changed: re.Match[str]) -> Iterator[frozenset[str]]:
    """What the sentence takes back: its own words; where it only says "that", those of the one before or after."""
    one = said[number]
    own = frozenset(map(root, stems(one.text[: changed.start()] + " " + one.text[changed.end() :])))
    if own:
        yield own
        return
    for near in (number - 1, number + 1):
        if 0 <= near < len(said) and said[near].group == one.group:
            yield frozenset(map(root, stems(CHANGED.sub(" ", said[near].text))))


def _denied(said: list[Said], roots: list[frozenset[str]], told: set[int]) -> Iterator[Revision]:
    """Sentences of the same content words as an earlier one, of which one is a denial."""
    same: dict[frozenset[str], list[Said]] = defaultdict(list)
    for one, has in zip(said, roots, strict=True):
        if len(has) >= _LEAST_SAME_WORDS:
            same[has].append(one)
    for ones in same.values():
        for one in ones if len(ones) > 1 else ():
            before = [other for other in ones if _before(other, one) and negative(other.text) != negative(one.text)]
            if before and id(one) not in told:
                yield Revision(one, tuple(before[:_MOST_EARLIER]))


def _before(a: Said, b: Said) -> bool:
    """Whether `a` was said on an earlier day, as far as the dates tell."""
    x, y = a.segment.date, b.segment.date
    return a.group != b.group and bool(x and y) and x[: len(y)] < y[: len(x)]
