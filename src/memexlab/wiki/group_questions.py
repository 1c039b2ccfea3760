"""Counts of numbered sources by a value of them: "how many PEPs were created each year", "how many PEPs by author".

It counts claims with one SELECT, and knows neither lines nor tables.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .subjects import key_of
from .value_questions import Valued, Values

_ASKED = re.compile(
    r"(?:how many|count|number of) (?P<what>.+?) (?:(?:were|was|are|did|do|does|have|has) )?(?:(?P<done>\w+) )?"
    r"(?:in |for |by |per )?(?:each|every|per|by|of each) (?P<by>\w+(?: \w+)??)(?: (?:write|wrote|author|have|has))?"
)
_SIZES = {"year": 4, "month": 7, "day": 10}


class Group(NamedTuple):
    """How many of a kind have a value."""

    value: str
    number: int


def groups(values: Values, question: str) -> tuple[Valued, list[Group]] | None:
    """The counts, and what each is of; None where it is another question."""
    asked = _ASKED.fullmatch(key_of(question))
    kind = values.kind(asked["what"]) if asked else None
    relation = values.relation("created" if asked["by"] in _SIZES else asked["by"]) if asked else ""
    if asked is None or kind is None or kind[1].strip() or not relation:
        return None
    sql, found = values.by_value(relation, _SIZES.get(asked["by"], 1_000), kind[0])
    lines = [(f"{value}: {len(of)} {kind[0]}{'s' * (len(of) != 1)}", (claim,)) for value, of, claim in found]
    told = Valued({value: len(of) for value, of, _ in found}, ((f"{kind[0]}s by {asked['by']}:", ()), *lines), sql)
    return (told, [Group(value, len(of)) for value, of, _ in found]) if found else None
