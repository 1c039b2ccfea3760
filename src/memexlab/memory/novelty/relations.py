"""Which settings matter to which ideas: the table `relations.toml`, asked about two knobs."""

from __future__ import annotations

import tomllib
from functools import cache, lru_cache
from importlib.resources import files


@lru_cache(maxsize=4096)
def matters(changed: str, knob: str) -> bool:
    """Whether a change of one setting could matter to an idea about another; both by their normal names."""
    everything, pairs = _relations()
    (part_a, a), (part_b, b) = _split(changed), _split(knob)
    if changed == knob or not a or not b:
        return True
    if part_a and part_b and (f"{part_a}_".startswith(f"{part_b}_") or f"{part_b}_".startswith(f"{part_a}_")):
        return True
    if a == b:
        return not part_a or not part_b
    return a in everything or b in everything or frozenset((a, b)) in pairs


@cache
def _relations() -> tuple[frozenset[str], frozenset[frozenset[str]]]:
    table = tomllib.loads((files(__package__) / "relations.toml").read_text("utf-8"))
    pairs = (frozenset((a, b)) for a, others in table["matters"].items() for b in others)
    alone = (frozenset((a,)) for a in table["matters"])
    return frozenset(table["everything"]), frozenset((*pairs, *alone))


def _split(knob: str) -> tuple[str, str]:
    """(part, knob) of a normal name, by the longest ending that has relations; ("", "") where none has."""
    everything, pairs = _relations()
    known = everything.union(*pairs)
    words = knob.split("_")
    for start in range(len(words)):
        if (own := "_".join(words[start:])) in known:
            return "_".join(words[:start]), own
    return "", ""
