"""When two changes are the same, opposite or different: by their parts, exactly, and never by how alike they sound.

It knows typed changes and the words of a description. It does not know what a change did, nor the settings around it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal

from ...ledger import Scalar
from .edits import VERBS, Change, changes_in_words, equal_values
from .heading import Heading, heading_of, other_unit, words_of
from .names import SHIPPED, WORDS, Aliases, normal_knob

Sameness = Literal["same", "opposite", "different"]
_Part = Literal["same", "opposite", "near", "different"]  # near: as far as one side says it (up, and up to 0.9)
_SENSE = {"up": 1, "add": 1, "down": -1, "remove": -1}
_SAME_FACTOR_DOUBLINGS = 0.005  # 524K to 262,144 is a halving


def compare(a: Sequence[Change], b: Sequence[Change], aliases: Aliases = SHIPPED) -> Sameness:
    """`same` where all parts agree, `opposite` where some part is reversed and no part contradicts, else `different`.

    A part that only one side has contradicts, and nothing is the same as nothing.
    """
    left, parts = [(_name(change, aliases), change) for change in b], set[_Part]()
    left.sort(key=repr, reverse=True)  # those that name their class or file first: they fit in fewer places
    for name, change in sorted(((_name(change, aliases), change) for change in a), key=repr, reverse=True):
        fits = [n for n in left if n[0][1:] == name[1:] and (n[0][0] == name[0] or not n[0][0] or not name[0])]
        if not fits:
            return "different"
        other = min(fits, key=lambda fit: fit[0] != name)
        left.remove(other)
        parts.add(_compare_part(change, other[1]))
    if left or "different" in parts:
        return "different"
    return "opposite" if "opposite" in parts else "same" if parts == {"same"} else "different"


def _name(change: Change, aliases: Aliases) -> tuple[str, str, str]:
    """Its file and class, where they are known, its knob, and the component of a structural edit."""
    if not change.knob:
        return "", "", change.component
    if change.direction == "swap" and change.knob in (change.old, change.new):  # a part that took another's place
        return "", " ".join(sorted((str(change.old), str(change.new)))), ""
    own = re.split(r"[.:]", change.knob)[-1]
    return change.knob.removesuffix(own), normal_knob(change.knob, aliases), ""


def _compare_part(a: Change, b: Change) -> _Part:
    against = _SENSE.get(a.direction, 0) * _SENSE.get(b.direction, 0) < 0
    if a != b and (against or _undoes(a, b) or _undoes(b, a)):
        return "opposite"
    told = [change.new is not None for change in (a, b)]
    whole = a.direction == "remove" or (a.direction == "add" and all(c.new is None or c.new is True for c in (a, b)))
    if a == b or (whole and a.direction == b.direction):
        return "same"
    if all(told):
        start = None in (a.old, b.old) or _one_value(a.old, b.old)
        return "same" if start and _one_value(a.new, b.new) else "different"
    sizes = _doublings(a), _doublings(b)
    if sizes[0] is not None and sizes[1] is not None:
        return "same" if math.isclose(sizes[0], sizes[1], abs_tol=_SAME_FACTOR_DOUBLINGS) else "different"
    if a.direction != b.direction:
        return "different"
    return "near" if any(told) or sizes != (None, None) or a.old != b.old else "same"


def _undoes(a: Change, b: Change) -> bool:
    """Whether `b` leaves the value that `a` set, for the one that `a` found or without a word where to."""
    left = None not in (a.new, b.old) and _one_value(a.new, b.old)
    return left and (b.new is None or (a.old is not None and _one_value(a.old, b.new)))


def _doublings(change: Change) -> float | None:
    """The factor of a change as log2, where its magnitude is one and not a difference."""
    known = change.old, change.new
    positive = all(isinstance(value, int | float) and value > 0 for value in known)
    return change.magnitude if positive or known == (None, None) else None


def _one_value(a: Scalar, b: Scalar) -> bool:
    """Whether two values are one: 1e-3 and 0.001, "GELU" and "gelu", 524K and 2**19."""
    text = isinstance(a, str) and isinstance(b, str) and a.lower() == b.lower()
    return text or equal_values(a, b) or _rounds_power(a, b) or _rounds_power(b, a)


def _rounds_power(short: Scalar, power: Scalar) -> bool:
    """Whether `short` is what people write for a power of two: 131K or 128K for 131,072."""
    if not isinstance(short, int) or not isinstance(power, int) or power < 4096 or power & (power - 1):
        return False
    return short in (power // 1000 * 1000, (power + 500) // 1000 * 1000, power // 1024 * 1000)


# --- texts

_ORDER = {"->": 1, "to": 1, "instead": -1, "replacing": -1}


def compare_texts(a: str, b: str, aliases: Aliases = SHIPPED) -> Sameness:
    """The same for two descriptions: by their typed changes where both have them, else by their words, in order.

    Typed changes are the same only where the words they leave unread are too, and no number has another unit.
    """
    one, two = heading_of(a), heading_of(b)
    changes = [changes_in_words(side.words, aliases, side.undone, side.remark) for side in (one, two)]
    if not all(changes):
        return _compare_words(one, two, aliases)
    verdict = compare(changes[0], changes[1], aliases)
    unread = [_unread(side, said, aliases) for side, said in ((one, changes[0]), (two, changes[1]))]
    asides = [[c for c in changes_in_words(side.aside, aliases) if c.old is not None] for side in (one, two)]
    differs = unread[0] != unread[1] or (all(asides) and compare(asides[0], asides[1], aliases) != "same")
    return "different" if verdict == "same" and (differs or other_unit(one.words, two.words)) else verdict


def _unread(side: Heading, changes: Sequence[Change], aliases: Aliases) -> list[str]:
    read = {word for c in changes for part in (c.knob, c.old, c.new) for word in words_of(str(part), aliases)}
    read |= {word for c in changes for word in c.knob.split("_")} | WORDS["small"] | WORDS["replace"] | _ORDER.keys()
    factors = any(c.new is None and c.magnitude is not None for c in changes)
    words = words_of(side.words, aliases)
    words = words[bool(words) and words[0] in VERBS : -1 if factors and words[-1:] and words[-1] in VERBS else None]
    kept = (word for word in words if word not in read and not (factors and word[0] == "*"))
    return [word for word in kept if word.rstrip("s") not in WORDS["units"]]


def _compare_words(one: Heading, two: Heading, aliases: Aliases) -> Sameness:
    (a, kind, sense), (b, other_kind, other_sense) = _normal(one, aliases), _normal(two, aliases)
    if any(a) and a == b and kind == other_kind and not other_unit(one.words, two.words):
        return "same" if sense == other_sense else "opposite"
    short, long = sorted((sum(a, ()), sum(b, ())), key=len)
    said = tuple(word for word in long if word not in ("no", "not", "without"))
    negated = len(long) == len(short) + 1 and short == said
    rest = iter(long)
    abridged = one.undone != two.undone and short and all(word in rest for word in short)
    turned = sense == other_sense and (negated or (any(a) and len(a) == 2 and a[::-1] == b))
    return "opposite" if turned or abridged else "different"


def _normal(side: Heading, aliases: Aliases) -> tuple[tuple[tuple[str, ...], ...], bool, int]:
    """The words of a heading (old and new apart where it says both), whether it tells more or less, and which way."""
    words = words_of(side.words, aliases)
    verb = VERBS.get(words[0], "set") if words else "set"
    words = [word for word in words[verb != "set" :] if word not in WORDS["small"]]
    at = next((index for index, word in enumerate(words) if word in _ORDER), None)
    halves = (tuple(words),) if at is None else (tuple(words[:at]), tuple(words[at + 1 :]))[:: _ORDER[words[at]]]
    return halves, verb in ("up", "down"), _SENSE.get(verb, 1) * (-1 if side.undone else 1)
