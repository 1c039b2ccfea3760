"""One name for what people call differently: knobs by an alias table, values of a choice, numbers as written."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z][a-z])")
_NUMBER = re.compile(
    r"(?P<times>[x×])?(?P<number>[-+]?(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)"
    r"(?:/(?P<under>\d+)|(?:\^|\*\*)(?P<power>\d+))?(?P<suffix>[KkMB]?)(?P<unit>[x×%]?)"
)
MAX_NUMBER_CHARS = 40
MAX_POWER = 64
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


def normal_knob(name: str) -> str:
    """The normal form of a knob's name in code or in words: `MATRIX_LR` and "matrix learning rate" are `matrix_lr`."""
    own = name.rpartition(":")[2]
    own = own if " " in own else own.rpartition(".")[2]
    own = own if " " in own else " ".join(_CAMEL.split(own))
    words = re.findall(r"[a-z0-9^]+", own.lower())
    table = _phrases()
    result: list[str] = []
    while words:
        for length in range(min(len(words), _longest()), 0, -1):
            known = table.get(tuple(words[:length]))
            if known is not None or length == 1:
                result.append(known or words[0])
                words = words[length:]
                break
    return "_".join(result)


def is_knob(normal: str) -> bool:
    """Whether a normal name ends in something the alias table calls a knob."""
    return any(normal == knob or normal.endswith(f"_{knob}") for knob in _tables()["knobs"])


def choice_of(value: str) -> str:
    """The choice that a word is a value of, such as `optimizer` for "AdamW", or ''."""
    return _choices().get(value.lower(), "")


@cache
def _tables() -> Mapping[str, Mapping[str, list[str]]]:
    return tomllib.loads((files(__package__) / "aliases.toml").read_text("utf-8"))


@cache
def _phrases() -> dict[tuple[str, ...], str]:
    tables = _tables()
    groups: Iterable[tuple[str, list[str]]] = [*tables["knobs"].items(), *tables["parts"].items()]
    return {tuple(phrase.split()): name for name, phrases in groups for phrase in [name.replace("_", " "), *phrases]}


@cache
def _longest() -> int:
    return max(map(len, _phrases()))


@cache
def _choices() -> dict[str, str]:
    return {word: choice for choice, words in _tables()["values"].items() for word in words}
