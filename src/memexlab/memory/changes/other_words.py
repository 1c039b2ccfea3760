"""The words of a description beyond its typed changes; numbers, their order and words of direction are words too."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .edits import VERBS, Change
from .heading import Heading, words_of
from .names import WORDS

#: A counter that a log puts before each title.
COUNTER = re.compile(r"\A\s*(?:(?:(?:exp(?:eriment)?|run|trial)[\s#_-]*|#)\d+\s*[:_—-]+\s*)+(?=\S)", re.IGNORECASE)


def all_words(description: str) -> list[str]:
    """Every word and number of a description in order, its label, brackets and remarks included, but no counter."""
    return words_of(COUNTER.sub("", description, count=1))


def words_left(heading: Heading, changes: Sequence[Change]) -> tuple[str, ...]:
    """The words and numbers of a heading, in order, beyond what these changes say of it."""
    words = words_of(heading.words)
    if not changes:
        return tuple(word for word in words if word not in WORDS["small"])
    parts = [part for change in changes for part in (change.knob, change.old, change.new)]
    read = {word for part in parts for word in (*words_of(str(part)), *str(part).split("_"))}
    read |= {f"{part!r}" for value in parts if isinstance(value, int | float) for part in (float(value), value)}
    read |= VERBS.keys() | WORDS["small"] | WORDS["fillers"] | WORDS["units"] | {"->", "to"}
    return tuple(
        word
        for word in words
        if word not in read and word.rstrip("s") not in WORDS["units"] and not re.fullmatch(r"[x*][\d.]+", word)
    )
