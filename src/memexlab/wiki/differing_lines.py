"""Whether lines that answer one question answer it otherwise: another day, another number of the same thing, or one
denies what another says. What one source says twice is no difference. It knows lines, and no claims.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations, zip_longest

from .dates import dates
from .evidence_search import Piece
from .question_words import COUNTED, DENIES, Asked, Words
from .subjects import key_of

_NUMBER = re.compile(r"(?<![\w.,])([£$€]?) ?(\d[\d.,]*\d|\d|[a-z]+)(?=\W) ?([%°]? ?[^\W\d_]*)")
_PLAIN_YEAR = re.compile(r"1[5-9]\d\d|20\d\d")
_ONE_VALUE = re.compile(
    r"when|(?:by )?how|wie|wann|combien|quand|(?:what|which) (?:is|was|are|were) (?!said |known ).+ (?:of|for|in) "
)
_YES_OR_NO = re.compile(r"(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would) ")
_NEAR, MOST_WORDS = 5, 40


def differ(question: str, asked: Asked, pieces: Sequence[Piece]) -> bool:
    """Whether two lines of two sources, each with all that was asked for, say different things."""
    start = key_of(question)
    told = [one for one in pieces if not one.missing and len(one.text.split()) <= MOST_WORDS]
    for one, other in combinations(told, 2):
        if one.source != other.source:
            if _YES_OR_NO.match(start):
                if _denies(asked, one.text) != _denies(asked, other.text):
                    return True
            elif re.match(r"when |wann |quand |(?:what|which) (?:year|day|date) ", start):
                days, others = ([day for day, *_ in dates(piece.text)] for piece in (one, other))
                near = any(a.startswith(b) or b.startswith(a) for a in days for b in others)
                if days and others and not near:
                    return True
            elif _ONE_VALUE.match(start):
                mine, yours = (_numbers(piece.text, start) for piece in (one, other))
                if any(mine[of].isdisjoint(yours[of]) for of in mine.keys() & yours.keys()):
                    return True
    return False


def both_sides(question: str, asked: Asked, pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces that answer a question of yes or no, each side in turn; others as they are."""
    if not _YES_OR_NO.match(key_of(question)):
        return list(pieces)
    sides = [[one for one in pieces if _denies(asked, one.text) == denied] for denied in (False, True)]
    sides.sort(key=lambda side: pieces.index(side[0]) if side else len(pieces))
    return [one for pair in zip_longest(*sides) for one in pair if one is not None]


def _denies(asked: Asked, text: str) -> bool:
    """Whether a word that denies stands near a thing that was asked for."""
    words = key_of(text).split()
    things = [unit for unit in asked.units if not (unit.whole or unit.named)] or asked.units
    at = [i for i, word in enumerate(words) if any(Words(word).hold(unit) for unit in things)]
    return any(word in DENIES and abs(i - place) <= _NEAR for i, word in enumerate(words) for place in at)


def _numbers(text: str, question: str) -> dict[str, set[str]]:
    """The numbers of a line by what they count or measure; none that the question names, and no years."""
    found: dict[str, set[str]] = defaultdict(set)
    for sign, number, unit in _NUMBER.findall(f"{text} "):
        value = COUNTED.get(number.casefold(), number.rstrip(".,").replace(",", ""))
        of = sign or key_of(unit).removesuffix("s")
        if (
            value[:1].isdigit()
            and not _PLAIN_YEAR.fullmatch(number)
            and of
            and f" {key_of(number)} " not in f" {question} "
        ):
            found[of].add(value)
    return found
