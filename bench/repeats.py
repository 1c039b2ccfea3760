"""Repeats among many titles: exact ones, and near ones that make the same typed change or have the same normal form.

Numbers, their order and the words of direction are part of a normal form, so "20 to 15" never repeats "15 to 20".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from memexlab.memory.changes.edits import changes_in_words
from memexlab.memory.changes.heading import heading_of
from memexlab.memory.changes.other_words import COUNTER, words_left

_BETWEEN_NUMBERS = re.compile(r"(?<=\d)(?=[^\W\d_])|(?<=[^\W\d_])(?=\d)|_")


@dataclass(frozen=True, slots=True)
class Repeats:
    """How often titles repeat: `exact` after their counters, `near` in the same form, and the commonest forms."""

    titles: int
    exact: int
    near: int
    commonest: tuple[tuple[str, int], ...]


def repeats(titles: Iterable[str], shown: int = 10) -> Repeats:
    """Counts titles that came before: letter by letter (but for counter and case), and beyond that in the same form."""
    plain: Counter[str] = Counter()
    first: dict[str, str] = {}
    for title in titles:
        own = COUNTER.sub("", title, count=1).strip()
        plain[own.lower()] += 1
        first.setdefault(own.lower(), own)
    forms: Counter[object] = Counter()
    example: dict[object, str] = {}
    for title, count in plain.items():
        form = _form(first[title])
        forms[form] += count
        example.setdefault(form, first[title])
    commonest = tuple((example[form], count) for form, count in forms.most_common(shown))
    return Repeats(plain.total(), plain.total() - len(plain), len(plain) - len(forms), commonest)


def _form(title: str) -> object:
    heading = heading_of(title)
    changes = changes_in_words(heading.words, undone=heading.undone)
    if changes:
        return heading.undone, frozenset(changes), words_left(heading, changes)
    spaced = heading_of(_BETWEEN_NUMBERS.sub(" ", title))
    return heading.undone, re.sub(r"(?<=\d) (?=\d)", "_", " ".join(words_left(spaced, ()))).replace(" ", "")
