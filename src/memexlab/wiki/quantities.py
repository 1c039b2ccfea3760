"""What a text counts: numbers in digits and in words, with their magnitude, unit, currency and rate.

It knows the lists of entailment.toml (English, German, French), and no grammar.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

with (Path(__file__).parent / "entailment.toml").open("rb") as file:
    WORDS = tomllib.load(file)
PATTERNS = {name: re.compile(told.replace("\n", ""), re.IGNORECASE) for name, told in WORDS["patterns"].items()}


def _named() -> dict[str, int]:
    """The numbers that have names: 3 in words, twenty, twenty-one, einundzwanzig."""
    out: dict[str, int] = dict(WORDS["also"])
    for small, tens in zip(WORDS["count"], WORDS["tens"], strict=True):
        ones = dict(zip(small.split(), range(20), strict=False))
        for ten, name in enumerate(tens.split(), 2):
            out[name] = 10 * ten
            out |= {f"{name}-{one}": 10 * ten + n for one, n in ones.items() if 0 < n < 10}
            out |= {f"{one.removesuffix('s')}und{name}": 10 * ten + n for one, n in ones.items() if 0 < n < 10}
        out |= ones
    return out


_NAMED = _named()
_TIMES = {name: Decimal(n) for n, names in WORDS["times"].items() for name in names.split()}
_ROWS: dict[str, list[str]] = {row.split()[0]: row.split() for row in WORDS["units"]["names"].split("|")}
_UNITS = {form.replace("-", " "): unit for unit, forms in _ROWS.items() for form in forms[1:]}
_LOWER = {form.casefold(): unit for form, unit in _UNITS.items() if len(form) > 3}


def _any(names: Iterable[str]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


_TIME = [form for unit in ("second", "minute", "hour", "day", "week", "month", "year") for form in _ROWS[unit]]
_DIGITS = r"\d{1,3}(?:[ \u00a0\u202f\u2009]\d{3})+(?![\d.,]\d|\d)|\d+(?:[.,’']\d+)*(?:[eE][-+]?\d+)?"
_QUANTITY = re.compile(
    rf"(?P<sign>US\$|[$€£¥])?\s?(?<![\w.])(?:(?P<digits>{_DIGITS})|\b(?P<word>(?i:{_any(_NAMED)}))\b)"
    rf"(?:[ \u00a0-]?(?P<times>k|M|(?i:{_any(name for name in _TIMES if len(name) > 1)})\.?)(?!\w))?"
    rf"(?:[ \u00a0\u202f-]?(?P<unit>{_any(_UNITS)}|(?i:{_any(_LOWER)}))(?![\w]))?"
    rf"(?:(?:/\s?|(?:\s+[^\W\d]+){{0,3}}?,?\s(?:a|an|per|each|every|pro|par|im)\s)(?P<rate>(?i:{_any(_TIME)})\b))?"
)
_BETWEEN = re.compile(r"\s?(?:,|[-–/]|,?\s?\b(?:and|or|to|und|oder|bis|et|ou|à|vs\.?|against|from|of)\b)\s?")


class Quantity(NamedTuple):
    """A number as it stands and in digits, how much it is, whether a magnitude makes it more, what it is counted in."""

    said: str
    digits: str
    value: Decimal
    times: bool
    units: frozenset[str]


def ungrouped(number: str) -> str:
    """A number in digits, without what only groups them: "1.250.000", "1,250,000" and "1250000" are one."""
    number = re.sub(r"[\s’']", "", number)
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", number):
        return number.replace(",", "")
    if re.fullmatch(r"\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?", number):
        return number.replace(".", "").replace(",", ".")
    return number.replace(",", ".")


@lru_cache(maxsize=2_000)
def quantities(text: str) -> tuple[Quantity, ...]:
    """Every number of a text; of a row ("4 to 310 ms") each has the unit and the magnitude of the last as well."""
    out: list[Quantity] = []
    version = re.compile(r"\d\.\d+\.\d")  # a name, and no number
    all_ = (m for m in _QUANTITY.finditer(text) if m["word"] != "Sept")
    found = [m for m in all_ if not version.search(ungrouped(m["digits"] or ""))]
    for place, m in enumerate(found):
        last = m
        for other in found[place + 1 :]:
            if last["unit"] or last["times"] or not _BETWEEN.fullmatch(text[last.end() : other.start()]):
                break
            last = other
        out += dict.fromkeys(_read(m, one) for one in (last, m))
    return tuple(out)


def _read(m: re.Match[str], last: re.Match[str]) -> Quantity:
    digits, times = ungrouped(m["digits"] or ""), last["times"] or ""
    value = Decimal(digits or _NAMED[(m["word"] or "").casefold()])
    value *= _TIMES.get(times) or _TIMES.get(times.rstrip(".").casefold(), Decimal(1))
    told = (last["unit"], m["sign"] or last["sign"], last["rate"])
    units = [_unit(one or "") for one in told]
    return Quantity(" ".join(m[0].split()), digits, value, bool(times),
                    frozenset(filter(None, [*units[:2], units[2] and f"per {units[2]}"])))  # fmt: skip


def _unit(word: str) -> str:
    return _UNITS.get(word, _LOWER.get(word.casefold(), ""))


def miscounted(sentence: str, held: str) -> tuple[str, str] | None:
    """A number of the sentence that `held` has not, or has with another magnitude or unit; and how `held` has it."""
    there = quantities(held)
    spelt = re.findall(r"[^\W\d_]+|[%$€£¥]|°[CF]", held)
    told = {_unit(one) for word in spelt for one in (word, word.removesuffix("ly"))}

    def stands(one: Quantity) -> bool:
        """With its unit, or with none where the text speaks of the unit elsewhere: "Latency (ms): 7"."""
        same = [other.units for other in there if other.value == one.value]
        if not one.units:
            return bool(same) or (bool(one.digits) and not one.times and all(o.digits != one.digits for o in there))
        elsewhere = frozenset(unit for unit in one.units if unit.removeprefix("per ") in told)
        return any(one.units <= units or (units <= one.units <= units | elsewhere) for units in same)

    mine = quantities(sentence)
    for one in mine:
        if any(stands(other) for other in mine if other.said == one.said):
            continue
        near = [o.said for o in there if o.value == one.value or (one.digits and o.digits == one.digits)]
        if (one.digits or one.value > 1) and (near or not one.digits or one.units or one.times):
            return one.said, next(iter(near), "")
    return None
