"""What a question asks of sources: the words that an answer must hold, what may stand for each, and its form.

Closed lists, precision first: a word that is not said is named, never guessed. It knows no source and no ledger.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..memory.search.retrieval import STOPPED
from .dates import QUANTITIES
from .subjects import key_of

with (Path(__file__).parent / "asked.toml").open("rb") as file:
    _WORDS = tomllib.load(file)
_FORMS = {word: group.split() for group in _WORDS["forms"].split("|") for word in group.split()}
_ENDINGS, _SHORT = (frozenset(["", *_WORDS[name].split()]) for name in ("endings", "short"))
_SOFT, _LIGHT, OPENING, PLACES = (frozenset(_WORDS[name].split()) for name in ("soft", "light", "opening", "places"))
DENIES = frozenset(_WORDS["denies"].split())
COUNTED = {word: str(number) for number, word in enumerate(_WORDS["counted"].split(), 1)}
_FUNCTION = {language: frozenset(told.split()) for language, told in _WORDS["function"].items()}
_ROWS = [frozenset(row.split()) for row in _WORDS["rows"]]
_HOW = {word: [one.replace("_", " ") for one in told.split()] for word, told in _WORDS["how"].items()}
_SAID_NUMBER, _SAID_DAY = (rf"\b(?:{'|'.join(_WORDS[name].split())})\b" for name in ("number", "day"))
_NUMBER = rf"(?<![a-z])\d|{_SAID_NUMBER}"
_DAY = rf"{_SAID_DAY}|\b(?:1\d|20)\d\d\b|\b(?:may \d|\d+ (?:may|uhr|[ap]m|days?|weeks?|months?|years?)\b)"
_PLACE = r"\b(?:at|near|within|along|beside|between|inside|outside|in|on|from|to) (?:the |an? )?(?!\d)\w"
_NAMED = re.compile(r"\w+(?:[.\-/_]\w+)+|(?<=\w )[A-Z][\w'-]+(?: [A-Z][\w'-]+)+")
_MEANS = re.compile(
    r"(?:what|who) (?:is|are|was) (?:the |an? )?((?:(?! of | for ).)+)|what (?:does|do) (.+) (?:mean|stand for)"
)
_TOPIC = re.compile(
    r"(?:what (?:do|does|did) (?:(?:all|any|of|my|our|your|the|these) )*(?:sources?|notes?|papers?|documents?|files?"
    r"|wiki) (?:say|tell|know|write|have)(?: (?:me|us))?(?: (?:about|on|of))?|(?:please )?tell (?:me|us)(?: (?:more|all"
    r"|everything|something))? (?:about|of)|what(?: else)? (?:is|do (?:we|i|you)) known? (?:about|of)|(?:please )?"
    r"summari[sz]e|(?:give (?:me )?)?(?:an? |the )?(?:summary|overview) of|(?:(?:is|are|do (?:we|i|you) have) )?"
    r"(?:there )?(?:anything|something) (?:on|about)|what about) (?P<topic>.+)"
)
_BY = re.compile(
    r"(?:what|how|why) (?:else )?(?:did|does|do) (?P<who>[a-z .]+?) (?:recommend|say|think|write|suggest|believe"
    r"|propose|find|conclude|report|claim|expect|want|advise|estimate|mention|feel|argue|ask|warn|answer)(?: .*)?"
)


class Unit(NamedTuple):
    """One thing that an answer must say, as the question says it, in normal form, and all that may stand for it.

    `whole`: it is a name, of which no other form stands for it; `named`: it begins with a capital; `light`: a line that
    answers may leave it out.
    """

    said: str
    any: tuple[str, ...]
    whole: bool
    named: bool = False
    light: bool = False


class Words:
    """The words of a text, for `Asked`."""

    def __init__(self, text: str) -> None:
        self.text = f" {key_of(text)} "
        self.all = set(self.text.split())
        self._by: dict[str, list[str]] = {}
        for word in self.all:
            self._by.setdefault(word[:3], []).append(word)

    def hold(self, unit: Unit, beside: Words | None = None) -> bool:
        """Whether the text says it, or does so together with another one."""
        return any(
            f" {one} " in self.text
            or (unit.named and f" {one}s " in self.text)
            or (not unit.whole and not unit.named and self._says(one))
            or (unit.whole and " " in one and not any(map(str.isdigit, one))
                and all(w in STOPPED or self._says(w) or (beside is not None and beside._says(w)) for w in one.split()))
            for one in unit.any
        ) or (beside is not None and beside.hold(unit))  # fmt: skip

    def _says(self, word: str) -> bool:
        return any(_alike(word, other) for other in self._by.get(word[:3], ()))


@dataclass(frozen=True, slots=True)
class Asked:
    """What an answer must hold, the form that tells it is one, and the name of who must say it, if anyone must."""

    units: tuple[Unit, ...]
    form: re.Pattern[str]
    by: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()

    def missing(self, text: Words, beside: Words | None = None) -> list[Unit]:
        return [unit for unit in self.units if not text.hold(unit, beside)]

    def of_another(self, text: Words) -> bool:
        """Whether a text tells of the second where the first was asked for, or how long a thing is for how deep."""
        wanted = {unit.said.removeprefix("how ") for unit in self.units}
        return any(wanted & row and text.all & row and not wanted & row & text.all for row in _ROWS)


def asked_for(question: str, names: Mapping[str, Collection[str]] | None = None) -> Asked:
    """What a question asks for; `names` are those in it of which others are known, in normal form, with the others."""
    text, units, by, names = f" {key_of(question)} ", list[Unit](), tuple[str, ...](), names or {}
    start = text.strip()
    if (said := _BY.fullmatch(start)) and re.search(
        rf"(?-i:[A-Z]){re.escape(said['who'][1:])}", question, re.IGNORECASE
    ):
        by = tuple(dict.fromkeys([said["who"], *names.get(said["who"], ())]))
        text = text.replace(f" {said['who']} ", " ", 1)
    for name in sorted(names, key=len, reverse=True):
        if f" {name} " in text:
            units.append(Unit(name, tuple(dict.fromkeys([name, *names[name]])), True))
            text = text.replace(f" {name} ", " | ")
    for found in _NAMED.findall(question):  # setup.py, 2.0 and Ada Byron are no two words
        one = key_of(found)
        if f" {one} " in text and STOPPED.isdisjoint(one.split()) and re.search(r"[\d .]", found):
            units.append(Unit(one, (one,), True))
            text = text.replace(f" {one} ", " | ")
    form = _DAY if re.search(r"\bwhen\b|\b(?:what|which) (?:year|day|date)\b", start) else ""
    form = _PLACE if start.startswith("where ") else form
    language = max(_FUNCTION, key=lambda one: sum(word in _FUNCTION[one] for word in text.split()))
    other = _FUNCTION[language]
    if sum(word in other for word in text.split()) <= sum(word in STOPPED for word in text.split()):
        language, other = "", frozenset[str]()
    form = _DAY if re.search(r" (?:wann|quand) ", text) and language else form
    if how := re.search(r" (?:how|wie|combien) (\w+) (?:(\w+) )?", text):
        form = _NUMBER if how[1] in ("much", "many", "viel", "viele", "de") or how[1] in _HOW else form
        if how[1] == "many" and how[2]:  # a number of them
            things = {thing.removesuffix("s").removesuffix("ie") for thing in (how[2], *_FORMS.get(how[2], ()))}
            thing = "|".join(f"{one}\\b" if len(one) < 3 else one for one in sorted(things))
            form = rf"(?:{_NUMBER})\S*(?: \S+)?? (?:{thing})| number of (?:{thing})"
        if how[1] in _HOW:
            same = [one for one in QUANTITIES if QUANTITIES[one] == QUANTITIES.get(how[1])]
            units.append(
                Unit(
                    how[0].split(how[1])[0].strip() + f" {how[1]}",
                    tuple(dict.fromkeys([how[1], *same, *_HOW[how[1]]])),
                    False,
                )
            )
            text = re.sub(rf" (?:how|wie) {how[1]} ", " ", text)
    short = {key_of(word) for word in re.findall(r"\w+", question) if re.search(r"[A-Z\d]", word)}  # pH, H6
    capital = {key_of(word) for word in re.findall(r"(?<=\w )[A-Z]\w+", question)} if not language else set[str]()
    told = [word for word in dict.fromkeys(re.findall(r"\w+", text)) if word not in STOPPED | _SOFT | other]
    for word in told:
        if len(word) > 2 or word in short or not (units or any(len(one) > 2 for one in told)):
            same = list(dict.fromkeys([word, *_FORMS.get(word, ())]))
            units.append(Unit(word, tuple(same), word.isdigit(), word in capital, word in _LIGHT))
    if form == _PLACE and len(units) == 1:
        form = rf"^ (?:the )?(?:{'|'.join(map(re.escape, units[0].any))}) (?:is|are|was|lies|stands|sits) .*{_PLACE}"
    if form == _DAY and len(units) > 1:
        units = [unit for unit in units if unit.said not in ("year", "day", "date")]
    what = _MEANS.fullmatch(start)
    if what and what[1] and len(units) == 1 and not form and start.startswith("who "):
        of = "|".join(map(re.escape, units[0].any))
        form = rf" (?:{of})(?: \S+){{0,3}} (?:is|are|was|were|means|became)"
        form += rf"| (?:called|named|is|was|are) (?:the |an? )?(?:{of}) "
    if what and what[2]:
        units = [unit for unit in units if unit.said not in ("mean", "stand")]
    defines = tuple(dict.fromkeys([x := what[1] or what[2], *names.get(x, ())])) if what else ()
    return Asked(tuple(units), re.compile(form), by, defines)


def topic_of(question: str) -> str:
    """What a question such as "what do my notes say about X" is about, in normal form; "" where it is another one."""
    found = _TOPIC.fullmatch(key_of(question))
    return re.sub(r"^(?:the|an?) (?=\w)", "", found["topic"]) if found else ""


def _alike(word: str, other: str) -> bool:
    """Whether two words are one but for their endings."""
    size = next((i for i, (a, b) in enumerate(zip(word, other, strict=False)) if a != b), min(len(word), len(other)))
    ends: tuple[str, ...] = (word[size:], other[size:])
    if word == other:
        return True
    if size < 3 or word.isdigit():
        return False
    ends = tuple(end[1:] if end[:1] == word[size - 1] and len(end) > 1 else end for end in ends)  # plan, planned
    return _SHORT.issuperset(ends) or (size > 3 and _ENDINGS.issuperset(ends))
