"""What one sentence gives for a value of something: "the budget for Heron is now 145,000 EUR", "Heron opened in 1990".

Closed patterns over the words of values.toml, precision first: what is wished, heard, denied or open is no value, and
what a part has is not said of the whole. It knows no other sentence and no document.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

with (Path(__file__).parent / "values.toml").open("rb") as file:
    _ANY = {name: words.replace("\n", "") if "|" in words else "|".join(map(re.escape, words.split()))
            for name, words in tomllib.load(file).items()}  # fmt: skip

#: How a value begins that is only near the truth.
NEAR = _ANY["about"]
_WHEN_SAID = r"(?:In|As of|Until|Since|On|By|At|From)"
_LEAD = (
    rf"(?:(?P<lead>(?:{_WHEN_SAID}|Before|After|For|Under|With|When|During|According to) [^,;:]{{2,60}}), "
    rf"|(?P<on>{_WHEN_SAID} (?:\d[\d-]*|(?:\d\d? )?(?:{_ANY['month']})(?: \d{{4}})?) |According to (?:the )?\w+ ))?"
)
UNSAID = re.compile(rf"\b(?:{_ANY['unsaid']})\b|n['’]t\b", re.IGNORECASE)
_UNSETTLED = re.compile(rf"{UNSAID.pattern}|\b(?:{_ANY['unsettled']})\b", re.IGNORECASE)
_DOUBTED = re.compile(rf"\b(?:{_ANY['doubted']})\b|\?\s*$", re.IGNORECASE)
_CHANGED = re.compile(
    rf"\b(?:{_ANY['since']})\b|\b(?:[Ss]ince|[Aa]fter|[Ff]rom|[Aa]b|[Ss]eit)"
    rf" (?:\d|(?:{_ANY['month']})\b|(?:we|they|I|he|she)\b)"
)
_PASSING = re.compile(rf"(?:^|.* )(?:{_ANY['passing']})(?: .*|$)")
_ONCE = re.compile(rf"(?:.* )?(?:{_ANY['once']}) (?:in|on|by|at)")
_DONE = re.compile(r"(?:.* )?[a-z]+(?:ed|n|t|de|lt) (?:in|on|by)")

_NOUN = rf"(?!(?:{_ANY['stop']})\b)[a-zäöü][\w-]*"
_PROPER = (
    r"(?!(?:The|In|On|At|An?|Its?|We|They|Since|By|For|From|This|That|Der|Die|Das|\d{4} [A-Z])\b)"
    rf"(?!(?:{_ANY['month']})\b)[A-Z0-9][\w&.'’-]*(?:\s+[A-Z0-9][\w&.'’-]*){{0,5}}"
)
_SUBJECT = rf"(?P<name>{_PROPER})"
_THING = rf"(?P<name>{_PROPER}(?: {_NOUN}){{0,2}}?)"
_REL = rf"(?P<rel>{_NOUN}(?: {_NOUN}){{0,3}}?)"
_UNIT = rf"(?:\s?(?:%|per ?cent\b|(?!(?:{_ANY['stop']})\b)[A-Za-zµμ°Ω€$£][\w°µ/³%-]{{0,14}}))"
_COUNT = (
    rf"(?:(?:{_ANY['about']}|exactly) ?)?(?:(?:US\$|[$€£])\s?)?\d(?:[\d.,’]*\d)?(?:e-?\d+)?"
    rf"(?:\s?(?:k|M|thousand|million|billion|Mio\.?)\b)?{_UNIT}"
)
_NUMBER = rf"{_COUNT}?"
_DAY = (
    rf"(?:\d{{4}}-\d\d-\d\d|\d{{1,2}}\.? (?:{_ANY['month']})(?:,? \d{{4}})?|(?:{_ANY['month']}) (?:\d{{1,2}}, )?\d{{4}}"
    r"|\d{1,2}:\d\d)"
)
_NAMED = r"(?!(?:The|An?|In|On|It|That|This|To|Not)\b)[A-Z][\w'’-]+(?:\s+(?:of\s+)?[A-Z0-9][\w'’-]+){0,3}"
_END = r"(?![\w%])(?![.,]\d)"
_VALUE = rf"(?P<value>(?:{_DAY}|{_NUMBER}|{_NAMED}){_END})"
_WHEN = rf"(?P<value>(?:{_DAY}|\d{{4}}){_END})"
_NOW = rf"(?:(?:{_ANY['adverbs']}) )?"
_TO = rf"(?:{_ANY['changed']})(?: from [^,.;]{{1,30}}?)? to"
_IS = (
    rf"(?:(?:is|was|are|were|remains|beträgt|betrug|ist|liegt bei) {_NOW}(?:set to |due )?(?:on |at )?|defaults to "
    rf"|(?:(?:has|have|had) )?(?:(?:been|was|were|is) )?(?:now )?{_TO} )"
)
_HEAD = rf"(?:(?:[Tt]he )?(?P<head>{_NOUN}(?: {_NOUN}){{0,2}}) of (?:the )?|The |the |D(?:ie|er|as) )?"
_BY = r"(?: by (?:the )?[A-Z][\w'’-]+(?: [A-Z][\w'’-]+){0,3})?"

#: Forms that may begin anywhere in a sentence, and those that open a clause; the first five of these need a figure.
_ANYWHERE = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?:\b[Tt]he |^(?=[A-Z]))(?P<rel>(?i:{_NOUN})(?: (?:of )?{_NOUN}){{0,3}}?) (?:of|in|for) (?:the )?{_THING}"
        rf"(?: {_IS}|: ){_VALUE}",
        rf"\b{_SUBJECT}['’]s {_REL} {_IS}{_VALUE}",
        rf"\b(?:[Ww]e|[Tt]hey|[A-Z]\w+) (?:have |has )?(?:{_ANY['changed']}) the {_REL} (?:of|in|for) (?:the )?{_THING}"
        rf"(?: from [^,.;]{{1,30}}?)? to {_VALUE}",
        rf"\b(?:Die|Der|Das) (?P<rel>[A-ZÄÖÜ][\w-]+) (?:von|für|des|der|im) (?:(?:de[nmrs]|die|das) )?{_SUBJECT} {_IS}"
        rf"{_VALUE}",
    )
)
_CLAUSES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_HEAD}{_THING} {_NOW}(?P<rel>(?:{_ANY['happens']}) (?:in|on|at)) {_WHEN}",
        rf"{_HEAD}{_THING} {_NOW}(?P<rel>{_ANY['contains']}) (?:laut \w+ )?{_NOW}(?P<value>{_COUNT}){_END}",
        rf"{_HEAD}{_THING} is (?P<value>{_NUMBER}) (?P<rel>deep|high|tall|long|wide|old|thick)\b",
        rf"{_THING} {_NOW}(?P<rel>{_ANY['runs']}) {_NOW}(?P<what>[A-Z]\w+(?: [A-Z]\w+)?)"
        rf" (?P<value>v?\d+(?:\.\d+)*){_END}",
        rf"{_HEAD}{_THING} (?:(?:has been|was|is) )?(?:now )?{_TO} {_WHEN}",
        rf"{_HEAD}{_THING} {_NOW}(?:has|had|have|uses|used|reaches|reached|achieves|achieved) an? {_REL} of {_VALUE}",
        rf"{_HEAD}{_THING} (?:was|were) (?P<rel>[a-z]+(?:ed|n|t|de|lt) (?:in|on|by)) "
        rf"(?P<value>(?:{_DAY}|(?:[A-Z][a-z]+ )?\d{{4}}|[A-Z][\w'’-]+(?: [A-Z][\w'’-]+){{0,2}}){_END}){_BY}",
        rf"{_THING} is {_NOW}(?P<rel>(?:written|implemented) in) (?P<value>[A-Z][\w+#]*){_END}",
        rf"(?P<value>[A-Z][\w'’-]+(?: [A-Z][\w'’-]+){{1,2}}) {_NOW}(?:{_ANY['leads']}) the"
        rf" {_SUBJECT} (?P<led>{_ANY['led']})\b",
    )
)
_AT = re.compile(rf"^At (?P<value>{_NUMBER}), the {_REL} of {_SUBJECT} [a-z]")
#: A label before a number: of what it names, if that is known.
_LABEL = re.compile(rf"^{_SUBJECT}: {_REL} (?P<value>{_NUMBER})[.;]?$")
_OWN = re.compile(
    rf"^{_LEAD}(?:(?:[Tt]he|Its) {_REL} {_IS}|(?P<label>[A-Z][a-z]+(?: [a-z]+){{0,2}}): )"
    rf"(?P<value>(?:{_DAY}|{_NUMBER}){_END})"
)
_OWN_NOUN = re.compile(
    r"(?:The|This|Our|My|D(?:ie|er|as)) ([^\W\d]+)(?: (?:in|at|on|an) [^,;:]{2,40}?)?"
    r"(?= (?:has|had|costs?|hat|kostet|weighs|takes|seats|is) )"
)
_CLAUSE = re.compile(rf"(?:^|(?<=[:;] )|(?:, (?:and|but|und)|\b(?:that|because|so)) ){_LEAD}(?:(?i:now|today),? )?")
_PART_OF = re.compile(r"\b(?:at|of|in|on|by|for|to|with|from|about) $")
_CUT = re.compile(r"[;()]|,(?!\d| \d{4})|[.!](?!\d)|\b(?:and|but|which|where|who|while|und)\b")
_MORE = re.compile(rf"[-–—/]\w| ?[±×+–—-] ?\d| (?:{_ANY['more']})\b")
_BESIDE = re.compile(rf" (?:{_ANY['beside']}|after (?:we|they|I|he|she|it|the \w+ \w+ed))\b")
_CASE = re.compile(rf" (?:{_ANY['case']})\b")
_LIST = re.compile(r"(?:,|,? (?:and|und)) [A-Z]")
#: "Lunch cost 9 EUR", "The board has 9 seats": any word opens a sentence in capitals, and some are of several things.
_NO_NAME = re.compile(
    rf"(?:(?:The )?(?:(?i:{_ANY['common']})|[A-Z][a-z]+(?:{_ANY['common_ends']}))|[A-Z][a-z]+s(?= \w+(?<!s)\b)) [a-z]"
)


_INITIAL = re.compile(r"(?<![^ ])[a-z]")


def _upper(letter: re.Match[str]) -> str:
    return letter[0].upper()


class Given(NamedTuple):
    """A value of something in one respect, and the only case in which it is said to hold, if it is."""

    subject: str
    relation: str
    value: str
    case: str


def given(text: str, known: Collection[str], openers: Collection[str]) -> Iterator[Given]:
    """The values in a sentence. Before a colon only a `known` name is a subject; `openers` begin no name."""
    for name in known:  # "the nightcrawler" is a name to a note of that title
        text = re.sub(rf"(?<=[Tt]he ){re.escape(name)}(?= )", lambda m: _INITIAL.sub(_upper, m[0]), text)
    found = [m for pattern in _ANYWHERE for m in pattern.finditer(text) if not _PART_OF.search(text[: m.start()])]
    counted = any(map(str.isdigit, text))
    for start in {m.end(): m for m in _CLAUSE.finditer(text)}:
        found += [m for pattern in _CLAUSES[0 if counted else 5 :] if (m := pattern.match(text, start))]
    found += [m for m in (_AT.match(text), _LABEL.match(text)) if m and (m.re is _AT or m["name"].casefold() in known)]
    for m in found:
        part, name = m.groupdict(), m["name"]
        relation = part.get("rel") or (f"{part['led']} led by" if part.get("led") else "date")
        before = re.split("[;:.] ", text[: m.start()])[-1]
        words = {*name.casefold().split(), relation.split()[0], m["value"].split()[0].casefold()}
        titled = text[: m.start("value")].endswith(": ") and not counted  # "Night of the Owl: Dawn"
        if titled or words & set(openers) or _UNSETTLED.search(f"{before} {part.get('head') or ''} {relation}"):
            continue
        if name.casefold() not in known and (
            re.search(r"['’]s [a-z]|^[\W\d]+$", name) or (m.re in _CLAUSES and _NO_NAME.match(m[0]))
        ):
            continue
        relation = " ".join(filter(None, (part.get("head"), re.sub(r"^had$", "has", relation), part.get("what"))))
        relation = relation if relation[1:2].isupper() else relation[0].lower() + relation[1:]
        case = "" if m.re in (_AT, _LABEL) else _case(text[m.end() :], relation, m["value"])
        if case is not None:
            lead = re.fullmatch(_LEAD, before)
            yield Given(name, *_under(relation, lead["lead"] or lead["on"] if lead else "", m["value"], case))


def own(text: str, title: str) -> Iterator[Given]:
    """The values that a sentence gives without saying of what, or of the noun of its title: "The flat has 74 m2." """
    if (m := _OWN.match(text)) is not None and not _UNSETTLED.search(text[: m.end("value")]):
        relation = m["rel"] or m["label"].lower()
        if (case := _case(text[m.end() :], relation, m["value"])) is not None:
            yield Given("", *_under(relation, m["lead"] or m["on"], m["value"], case))
    elif (m := _OWN_NOUN.match(text)) is not None and re.search(rf"\b{m[1]}\b", title, re.IGNORECASE):
        yield from given(f"Itself{text[m.end() :]}", ("itself",), ())


def _case(rest: str, relation: str, value: str) -> str | None:
    """The case that the words after a value name; None, where they take it back or are part of it."""
    goes_on = re.match(r" (?:and|und) \d", rest) if value[-1].isdigit() else value[0].isupper() and _LIST.match(rest)
    if goes_on or _MORE.match(rest) or _DOUBTED.search(rest):
        return None
    cut = _CUT.search(rest)
    tail = rest[: cut.start()] if cut else rest
    tail = re.sub(rf"^ (?:{_ANY['adverbs']})\b", "", tail).rstrip()
    if not tail or _BESIDE.match(tail) or (lived(relation) and re.match(r" (?:in|at|near) ", tail)):
        return ""
    return tail.strip() if _CASE.match(tail) and len(tail) < 80 else None


def _under(relation: str, lead: str | None, value: str, case: str) -> tuple[str, str, str]:
    """A relation, a value, and under what it holds: "By default, the depth" is the default depth."""
    first = (lead or "").strip()
    relation = re.sub(rf"^(?:{_ANY['present']}) (?=\w)", "", relation)
    if first.casefold() == "by default":
        relation, first = relation if relation.startswith("default") else f"default {relation}", ""
    # What holds since a day is no other case, but what holds now.
    parts = [one for one in (first, case) if one and not re.match(r"(?:since|as of|according)\b", one, re.IGNORECASE)]
    return relation, value.strip(), ", ".join(parts)


def changes(text: str) -> bool:
    """Whether a sentence says that its value took the place of another: now, since, moved, raised."""
    return _CHANGED.search(text) is not None


def lived(relation: str) -> bool:
    """Whether a relation is of a birth, a death or a foundation: it has one place beside its day."""
    return relation.split()[-2:][0] in _ANY["placed"].split("|")


def asks_one(relation: str) -> bool:
    """Whether a relation has one value at most: there are several meetings, but one birth."""
    return not _PASSING.match(relation) and (not _DONE.fullmatch(relation) or _ONCE.fullmatch(relation) is not None)
