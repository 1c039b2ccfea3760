"""Where the person tells of a change of mind, or of two minds: "I was wrong about", "I formerly thought ... but".

A change goes with the earlier own sentences on the same words; else one sentence must hold both sides. Words that only
look opposed are no tension: that is for a reader. Whether the mind changed in truth it does not judge.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from .corpus import Corpus, Said, root, stems
from .similarity import negative

_VIEWS = r"(?:think|believe|hold|say|argue|consider|agree|recommend)"
CHANGED = re.compile(
    rf"\bI (?:was|had been|have been) (?:\w+ly )?(?:wrong|mistaken)(?: (?:about|on|to {_VIEWS}|when I \w+))?\b|\bI no "
    rf"longer {_VIEWS}\b|\bI(?: have|'ve|’ve)? (?:\w+ly )?changed my (?:mind|opinions?|views?)\b|\bI (?:used to|once|"
    r"formerly|at first) (?:think|believe|hold|say|argue|thought|believed|held|said|argued)\b|\bI (?:now )?(?:take (?:"
    r"that|it|this|them|those words) back|retract|recant)\b|\bI (?:have |now )?(?:give|gave|given) up the (?:view|idea|"
    r"belief|opinion)\b"
)


def _wrapped(words: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    """The pattern over text as it stands: any space may be the end of a line."""
    return re.compile(words.replace(" ", r"\s+"), flags | re.DOTALL)


_VIEWED = (
    r"(?:thought(?! of\b| about\b)|believed|held that|imagined|inferred|supposed|entertained|attributed|assumed|"
    r"maintained|concluded|fancied|was (?:\w+ )?(?:convinced|inclined to (?:think|believe|suppose)|sure|of opinion))"
)
_ONCE = r"(?:formerly|once|at first|originally|for a long time|for years|until (?:lately|recently)|till lately)"
#: An earlier view, and where the words turn to what is held now.
_FORMER = _wrapped(
    rf"\bI(?: had| have)?,? {_ONCE},? {_VIEWED}|\bI used to (?:think|believe|say|argue)(?! of\b| about\b)|\b{_ONCE},? "
    rf"I (?:had )?{_VIEWED}|\bI {_VIEWED} (?:formerly|at first)\b|\bI (?:\w+ )?attributed too (?:much|little)\b",
    re.IGNORECASE,
)
_NOW = _wrapped(
    r"[,;.]?\s*\bbut\b(?=.*\b(?:I|me|is|was|has|have|had)\b)|[,;] (?:and )?(?:now|though I now)\b|"
    r"\bis (?:erroneous|wrong|mistaken|false)\b"
)
_KEPT = _wrapped(r"\bI (?:\w+ )?still\b|\bstill (?:think|believe|hold)\b|\?")
#: Both sides in one sentence, though nothing parts them.
_BOTH = _wrapped(
    r"\bcontrary to (?:the|my|what) (?:\w+ ){0,2}(?:opinion|view|belief|impression)s? (?:with which )?I (?:had )?(?:"
    r"started|began|set out|held)\b|\b(?:greatest|worst|serious) (?:error|mistake|oversight|blunder)s? (?:which |"
    r"that )?I (?:have |had )?(?:ever )?(?:committed|made)\b|\bthan I (?:formerly|once|at first|used to) (?:"
    r"thought|think|believed?)\b"
)
#: Of two minds: "I cannot ...; and yet I cannot ...".
_TORN = _wrapped(
    r"\bI (?:\w+ )?(?:cannot|can not|can't|do not|don't|believe|think|want)\b[^;]+?(?P<turn>[;,] (?:and |but )?yet,? I "
    r"(?:\w+ )?(?:cannot|can not|can't|do not|don't|must|believe|think|want))\b"
)
_HELD = r"\bI (?:\w+ )?(?:cannot|can not|can't|do not|don't|believe|think|must|see no|am inclined)\b"
_ONE_HAND, _OTHER_HAND = _wrapped(_HELD), _wrapped(rf"\AOn the other hand,? {_HELD[2:]}")
_SURE = re.compile(r"\bI (?:\w+ly )?(?:think|believe|hold)\b|\bin my (?:opinion|view)\b", re.IGNORECASE)
#: Of the topic, weighed by rarity, that an earlier sentence must hold; one word of it is in few sentences.
_HELD_SHARE, _RARE_SENTENCES, _RARE_SHARE = 0.6, 5, 0.005
_RARE_SHARE_SMALL, _SMALL_SENTENCES = 0.2, 500
_LEAST_SAME_WORDS, _LEAST_SIDE_WORDS, _SENTENCES_BEFORE, _MOST = 3, 3, 3, 30


@dataclass(frozen=True, slots=True)
class Revision:
    """A sentence that takes something back, and earlier own sentences that said it, the nearest first.

    Where one sentence tells both, they are its two parts, or twice the whole of it.
    """

    later: Said
    earlier: tuple[Said, ...]
    kind: str = "revision"


def revisions(corpus: Corpus) -> tuple[Revision, ...]:
    """Changes of mind with the earlier view in this corpus, and what pulls both ways at once, the oldest first."""
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
                found.append(Revision(one, tuple(said[other] for _, other in near)))
                break
    found += _denied(said, roots, {id(one.later) for one in found})
    known_places = {(one.later.source, one.later.start) for one in found}
    found += [one for one in _within(corpus) if (one.earlier[0].source, one.earlier[0].start) not in known_places]
    found.sort(key=lambda one: (one.later.segment.date, one.later.source, one.later.start))
    return tuple(found[:_MOST])


def _within(corpus: Corpus) -> Iterator[Revision]:
    """Own sentences that tell an earlier and a later view, or two that they cannot join."""
    for number, one in enumerate(corpus.counted):
        text = corpus.texts[one.source].text[one.start : one.end]
        if _KEPT.search(text):
            continue
        former = _FORMER.search(text)
        if former and (turn := _NOW.search(text, former.end())):
            kind, at = "revision", turn.start()
        elif torn := _TORN.search(text):
            kind, at = "trade-off", torn.start("turn")
        else:
            if _BOTH.search(text):
                yield Revision(one, (one,))
            elif _OTHER_HAND.search(text):
                before = corpus.counted[max(0, number - _SENTENCES_BEFORE) : number]
                held = [other for other in before if other.group == one.group and len(other.words) >= _LEAST_SAME_WORDS
                        and _ONE_HAND.search(other.text)]  # fmt: skip
                if held:
                    yield Revision(one, (held[-1],), "trade-off")
            continue
        left, right = text[:at], text[at:].lstrip(" \r\n,;.")
        if len(left.split()) >= _LEAST_SIDE_WORDS <= len(right.split()) + right.startswith("is"):
            end = one.start + len(left.rstrip())
            yield Revision(replace(one, start=one.start + len(text) - len(right)), (replace(one, end=end),), kind)


def _topics(said: list[Said], number: int, changed: re.Match[str]) -> Iterator[frozenset[str]]:
    """What the sentence takes back: its own words, or the last of them; where it only says "that", those around it."""
    one = said[number]
    own = frozenset(map(root, stems(one.text[: changed.start()] + " " + one.text[changed.end() :])))
    if own:
        yield own
        if len(parts := CHANGED.split(one.text)) > 2:  # "I was wrong about reviews: I no longer think that ..."
            yield frozenset(map(root, stems(parts[-1])))
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
                yield Revision(one, tuple(before))


def _before(a: Said, b: Said) -> bool:
    """Whether `a` was said on an earlier day, as far as the dates tell."""
    x, y = a.segment.date, b.segment.date
    return a.group != b.group and bool(x and y) and x[: len(y)] < y[: len(x)]
