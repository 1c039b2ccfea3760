"""One name for what people call differently: knobs by an alias table, values of a choice, numbers as written."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

from ...ledger import UsageError

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z][a-z])")
_NUMBER = re.compile(
    r"(?P<times>[x×])?(?P<number>[-+]?(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)"
    r"(?:/(?P<under>\d+)|(?:\^|\*\*)(?P<power>\d+))?(?P<suffix>[KkMB]?)(?P<unit>[x×%]?)"
)
MAX_NUMBER_CHARS = 40
MAX_POWER = 64
MAX_PHRASE_WORDS = 6
_SUFFIX = {"": 1, "k": 1000, "K": 1000, "M": 1_000_000, "B": 1_000_000_000}


@dataclass(frozen=True, slots=True)
class Written:
    """A number in text: `5%` is 0.05, `10K` is 10,000 and `1/8` is 0.125; `factor` says that it was written as `2x`."""

    value: int | float
    factor: bool = False
    percent: bool = False


def read_number(text: str) -> Written | None:
    """The finite number that this whole text is, or None."""
    found = _NUMBER.fullmatch(text)
    if found is None or len(text) > MAX_NUMBER_CHARS:
        return None
    digits = found["number"].replace("_", "")
    value: int | float = int(digits) if re.fullmatch(r"[-+]?\d+", digits) else float(digits)
    try:
        if found["under"]:
            value = value / int(found["under"])
        if found["power"]:
            value = value ** min(int(found["power"]), MAX_POWER)
        value *= _SUFFIX[found["suffix"]]
        if not math.isfinite(value):
            return None
    except (ZeroDivisionError, OverflowError):
        return None
    if found["unit"] == "%":
        return Written(value / 100, percent=True)
    return Written(value, factor=bool(found["times"] or found["unit"]))


@dataclass(frozen=True, slots=True, eq=False)  # by identity, so that what is read under them can be kept
class Aliases:
    """What people call the same thing: phrases and their names, which names are knobs, and the values of a choice."""

    phrases: Mapping[tuple[str, ...], str]
    knobs: frozenset[str]
    choices: Mapping[str, str]

    def extended(self, names: Mapping[str, str]) -> Aliases:
        """These and more, such as {"step size": "lr"}; a phrase given here counts before one that was known.

        Raises UsageError for a phrase or a name without a letter or digit, and for a phrase too long to be matched.
        """
        phrases, knobs = dict(self.phrases), set(self.knobs)
        for phrase, name in names.items():
            words, target = _words(phrase), "_".join(_words(name))
            if not target or not 0 < len(words) <= MAX_PHRASE_WORDS:
                hint = 'write it as "step size" = "lr"'
                raise UsageError(f"the alias {phrase!r} = {name!r} is no name of one to {MAX_PHRASE_WORDS} words", hint)
            phrases[words] = normal_knob(target, self)
            knobs.add(phrases[words])
        return Aliases(phrases, frozenset(knobs), self.choices)


def _words(name: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[a-z0-9^]+", " ".join(_CAMEL.split(name)).lower()))


def _aliases(tables: Mapping[str, Mapping[str, list[str]]]) -> Aliases:
    groups = [*tables["knobs"].items(), *tables["parts"].items()]
    phrases = {_words(phrase): name for name, known in groups for phrase in [name, *known]}
    choices = {word: choice for choice, known in tables["values"].items() for word in known}
    return Aliases(phrases, frozenset(tables["knobs"]), choices)


_TABLES = tomllib.loads((files(__package__) / "aliases.toml").read_text("utf-8"))
#: The table that comes with the program, `aliases.toml`.
SHIPPED = _aliases(_TABLES)


@cache
def _known(names: tuple[tuple[str, str], ...]) -> Aliases:
    return SHIPPED.extended(dict(names)) if names else SHIPPED


def known(names: Mapping[str, str]) -> Aliases:
    """The shipped table and what a lab adds to it."""
    return _known(tuple(sorted(names.items())))


#: The words that a change is told with, by what they do in a sentence.
WORDS = {group: frozenset(words) for group, words in _TABLES["words"].items()}


@lru_cache(maxsize=1 << 14)
def normal_knob(name: str, aliases: Aliases = SHIPPED) -> str:
    """The normal form of a knob's name in code or in words: `MATRIX_LR` and "matrix learning rate" are `matrix_lr`."""
    own = name.rpartition(":")[2]
    words = _words(own if " " in own else own.rpartition(".")[2])
    result: list[str] = []
    while words:
        for length in range(min(len(words), MAX_PHRASE_WORDS), 0, -1):
            known = aliases.phrases.get(words[:length])
            if known is not None or length == 1:
                result.append(known or words[0])
                words = words[length:]
                break
    return "_".join(result)


def is_knob(normal: str, aliases: Aliases = SHIPPED) -> bool:
    """Whether a normal name ends in something the alias table calls a knob."""
    words = normal.split("_")
    return any("_".join(words[start:]) in aliases.knobs for start in range(len(words)))


def choice_of(value: str, aliases: Aliases = SHIPPED) -> str:
    """The choice that a word is a value of, such as `optimizer` for "AdamW", or ''."""
    return aliases.choices.get(value.lower(), "")
