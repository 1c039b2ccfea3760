"""Dates in texts, what took the place of what, and how two values that differ stand to each other.

Nothing is settled here in silence: a difference gets a type, and both sides stay. It knows no pages and no files.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from itertools import combinations
from typing import Literal, NamedTuple

from .quantities import quantities
from .values import NEAR

Conflict = Literal["superseded", "revised", "scope differs", "contested", "unresolved"]

#: The relation of a claim that tells in prose how something stands, and the words for it, by what they amount to.
STANDS = "stands as"
#: The relation of a claim that only serves to be compared: its scope is what a thing does, its value "yes" or "no".
DOES = "does (yes or no)"
#: Names of one quantity.
QUANTITIES = {
    name: names.split()[0]
    for names in ("price cost costs", "weight weighs mass", "capacity holds seats", "length long", "depth deep",
                  "height high tall", "width wide", "thickness thick", "age old", "duration lasts")
    for name in names.split()
}  # fmt: skip
_WORDS = {
    "open": "draft proposed pending deferred postponed", "over": "deprecated retired", "rejected": "rejected declined",
    "yes": "accepted approved adopted ratified final implemented completed released active",
    "withdrawn": "withdrawn abandoned cancelled canceled",
}  # fmt: skip
STANDINGS = {word: kind for kind, words in _WORDS.items() for word in words.split()} | {
    "turned down": "rejected",
    "in force": "yes",
}
#: What may come after what, so that both are true, each in its time; and what may where dates tell the times apart.
_COURSE = {"open": {"yes", "over", "rejected", "withdrawn"}, "yes": {"over"}, "over": {"rejected", "withdrawn"}}
_IN_YEARS = _COURSE | {"yes": {"over", "withdrawn"}, "rejected": {"yes"}}

#: Months as English, German and French call and shorten them, from January on; ASCII or not.
_MONTH_NAMES = (
    "jan january jänner januar janvier janv,feb february februar février févr,mar march märz maerz mrz mars,"
    "apr april avril avr,may mai,jun june juni juin,jul july juli juillet juil,aug august août aout,sep sept september"
    " septembre,oct october okt oktober octobre,nov november novembre,dec december dez dezember décembre déc"
)
_MONTHS = {name: place for place, names in enumerate(_MONTH_NAMES.split(","), 1) for name in names.split()}
#: "Mars 2020" is no month: French ones are written small.
_MONTH = rf"(?!(?-i:Mars))(?:{'|'.join(sorted(_MONTHS, key=len, reverse=True))})"
_MEASURED = re.compile(
    rf"(?P<near>(?:{NEAR}) ?)?(?:exactly )?[^\W\d_$€£]{{0,3}}[$€£]? ?[\d.,’]+"
    r" ?(?:(?:k|M|thousand|million|billion|Mio\.?)\b)? ?(?P<unit>[^\d\s].{0,20})?", re.IGNORECASE,
)  # fmt: skip
_OVER = re.compile(r"(?:before|until|bis|vor)\b", re.IGNORECASE)
_DATES = re.compile(
    rf"\b(?P<iso>(?:1[0-9]|20)\d\d-[01]\d(?:-[0-3]\d)?)\b"
    rf"|\b(?P<d1>[0-3]?\d)(?:st|nd|rd|th|er|\.)?[- ](?:of )?(?P<m1>{_MONTH})\.?,?[- ](?P<y1>(?:1\d|20)\d\d)\b"
    rf"|\b(?P<y3>(?:1\d|20)\d\d)-(?P<m3>{_MONTH})-(?P<d3>[0-3]\d)\b"
    rf"|\b(?P<m2>{_MONTH})\.? (?:(?P<d2>[0-3]?\d)(?:st|nd|rd|th)?,? )?(?P<y2>(?:1\d|20)\d\d)\b"
    r"|(?<![\d./])(?P<a>[0-3]?\d)(?P<sep>[/.])(?P<b>[0-3]?\d)(?P=sep)(?P<y4>(?:1\d|20)\d\d)\b",
    re.IGNORECASE,
)


def dates(text: str) -> list[tuple[str, int, int]]:
    """(date as YYYY-MM-DD or YYYY-MM, start, end) of every date with a month that the text names."""
    found = []
    for m in _DATES.finditer(text):
        if m["iso"]:
            year, month, day = (*map(int, m["iso"].split("-")), 0)[:3]
        elif m["y4"]:
            year, (month, day) = int(m["y4"]), sorted((int(m["a"]), int(m["b"])))
            if m["sep"] == "." and month == int(m["a"]) and day < 13:
                month, day = day, month  # who writes dots puts the day first
            elif m["sep"] == "/" and day < 13 and month != day:
                continue  # 04/05 is a day in May to some, in April to others
        else:
            name, year = (m["m1"] or m["m2"] or m["m3"]), int(m["y1"] or m["y2"] or m["y3"])
            month, day = _MONTHS[name.lower()], int(m["d1"] or m["d2"] or m["d3"] or 0)
        try:
            whole = date(year, month, day or 1).isoformat()
        except ValueError:
            continue
        found.append((whole if day else whole[:7], m.start(), m.end()))
    return found


class Told(NamedTuple):
    """A claim with what times must know of it: its source, that source's date and author, and what is quoted."""

    id: str
    subject: str
    relation: str
    value: str
    scope: str
    source: str
    date: str
    author: str
    changed: bool = False  # that the value took the place of another


@dataclass(frozen=True, slots=True)
class Succession:
    """`new` took the place of `old`, as these claims say; where two say it each of the other, it is no fact."""

    old: str
    new: str
    claims: tuple[str, ...]
    fact: bool


def successions(claims: Iterable[Told]) -> list[Succession]:
    """What superseded what, of claims whose subject and value are names of pages."""
    told: dict[tuple[str, str], list[str]] = defaultdict(list)
    for claim in claims:
        if claim.relation in ("superseded by", "supersedes") and claim.subject != claim.value:
            pair = (claim.subject, claim.value) if claim.relation == "superseded by" else (claim.value, claim.subject)
            told[pair].append(claim.id)
    after: dict[str, set[str]] = defaultdict(set)
    for old, new in told:
        after[old].add(new)
    return [
        Succession(old, new, tuple(sorted(ids)), old not in _reached(new, after))
        for (old, new), ids in sorted(told.items())
    ]


def _reached(start: str, after: dict[str, set[str]]) -> set[str]:
    seen, todo = set[str](), [start]
    while todo:
        fresh = after.get(todo.pop(), set()) - seen
        seen |= fresh
        todo += fresh
    return seen


@dataclass(frozen=True, slots=True)
class Difference:
    """Values that differ on one question about one subject, and how they stand to each other."""

    subject: str
    relation: str
    kind: Conflict
    claims: tuple[str, ...]

    @property
    def asked(self) -> str:
        """The relation as a heading: "Runs on PostgreSQL"."""
        return self.relation[:1].upper() + self.relation[1:]


def differences(claims: Iterable[Told], replaced: Sequence[Succession]) -> Iterator[Difference]:
    """Every (subject, relation) with more than one value; relations that may hold several values must be left out."""
    after = _after(replaced)
    asked: dict[tuple[str, str], list[Told]] = defaultdict(list)
    for claim in claims:
        asked[claim.subject, QUANTITIES.get(claim.relation, claim.relation)].append(claim)
    for (subject, relation), group in sorted(asked.items()):
        if len({same(claim.value, subject) for claim in group}) > 1:
            sorts = _by_sort(group)
            for sort, alike in sorted(sorts.items()):
                alike.sort(key=_by_date)
                if any(_differ(a, b) and not _of_two_cases(a, b) for a, b in combinations(alike, 2)):
                    called = {claim.relation for claim in alike}  # "mass", where all say so, and not another name of it
                    told = called.pop() if len(called) == 1 else relation
                    told = f"{told} ({sort})" if len(sorts) > 1 else told
                    yield Difference(subject, told, _kind(alike, after), tuple(claim.id for claim in alike))


class _Amount(NamedTuple):
    number: Decimal
    unit: str
    near: bool


@lru_cache(maxsize=10_000)
def _amount(value: str) -> _Amount | None:
    """A value that is one number of one thing; "2.100 Euro" may be both two and two thousand."""
    found = quantities(value)
    if len(found) != 1 or not (measured := _MEASURED.fullmatch(value)):
        return None
    unit = " ".join(sorted(found[0].units)) or (measured["unit"] or "").casefold().removesuffix("s")
    return _Amount(found[0].value, unit, measured["near"] is not None)


def _by_sort(group: Iterable[Told]) -> dict[str, list[Told]]:
    """Claims by what their values can be compared in: 10 ms may be 0.01 s, and 12 rooms and 2 lifts may both be true.

    A bare number is of the one unit that others give it, or a year where they give a day.
    """
    out: dict[str, list[Told]] = defaultdict(list)
    for claim in group:
        amount = _amount(claim.value)
        out["date" if dates(claim.value) else amount.unit if amount is not None else "name"].append(claim)
    others = out.keys() - {"", "name"}
    if len(others) == 1 and "" in out:
        out[others.pop()] += out.pop("")
    return out


def _of_two_cases(a: Told, b: Told) -> bool:
    """Whether each value is told of a case of its own, or one of a time that is over: then there is no question."""
    return a.scope != b.scope and bool((a.scope and b.scope) or _OVER.match(a.scope or b.scope))


def _differ(a: Told, b: Told) -> bool:
    """Whether two values of one sort cannot both be right; they may where one is near, less exact or part of it."""
    one, two = same(a.value, a.subject), same(b.value, b.subject)
    m, n = _amount(a.value), _amount(b.value)
    if m is not None and n is not None:
        grouped = (_amount(re.sub(r"(?<=\d)\.(?=\d{3}\b)", "", value)) or m for value in (a.value, b.value))
        apart = Decimal("0.1") * max(m.number, n.number) if m.near or n.near else Decimal(0)
        return abs(m.number - n.number) > apart and len({amount.number for amount in grouped}) > 1
    if one.startswith(two) or two.startswith(one):
        return one != two and not (dates(a.value) or dates(b.value))
    return not (set(one.split()) <= set(two.split()) or set(two.split()) <= set(one.split()))


def out_of_step(claims: Sequence[Told], replaced: Sequence[Succession]) -> Iterator[Difference]:
    """Every subject of which prose says that it stands as its own header, or other prose, says that it does not.

    A header tells the last state, so that prose may tell an earlier one; of two in prose the dates say which is first.
    And every subject of which one source says that it does what another says that it does not.
    """
    after = _after(replaced)
    yield from _denied(claims, after)
    asked: dict[str, list[Told]] = defaultdict(list)
    for claim in claims:
        if claim.relation in ("status", STANDS):
            asked[claim.subject].append(claim)
    for subject, group in sorted(asked.items()):
        pairs = [(a, b) for a in group for b in group if a.relation == STANDS and a.id != b.id and _apart(a, b)]
        if told := sorted({claim for pair in pairs for claim in pair}, key=_by_date):
            yield Difference(subject, "status", _kind(told, after), tuple(claim.id for claim in told))


def _denied(claims: Sequence[Told], after: dict[str, set[str]]) -> Iterator[Difference]:
    """What it "no longer" does is no dispute with an earlier source: the later word took the place of the earlier."""
    asked: dict[tuple[str, str], list[Told]] = defaultdict(list)
    for claim in claims:
        if claim.relation == STANDS:
            claim = claim._replace(scope=f"is {claim.value}", value="yes")
        if claim.value in ("yes", "no", "no longer") and claim.relation in (DOES, STANDS):
            asked[claim.subject, re.sub(r"(?<=\w\w)s\b", "", claim.scope.casefold())].append(claim)
    for (subject, _), group in sorted(asked.items()):
        yes, no = ([one for one in group if (one.value == "yes") is held] for held in (True, False))
        if yes and no and len({one.source for one in group}) > 1:
            ended = all(one.value == "no longer" for one in no)
            later = ended and all(a.date and a.date < b.date for a in yes for b in no)
            kind = "superseded" if later else _kind(group, after)
            yield Difference(subject, group[0].scope, kind, tuple(claim.id for claim in sorted(group, key=_by_date)))


def _by_date(claim: Told) -> tuple[str, str, str]:
    return claim.date or "9999", claim.source, claim.id


def _after(replaced: Sequence[Succession]) -> dict[str, set[str]]:
    after: dict[str, set[str]] = defaultdict(set)
    for one in replaced:
        if one.fact:
            after[one.old].add(one.new)
    return after


def _apart(a: Told, b: Told) -> bool:
    """Whether `a`, told in prose, and what stands in a header or in later prose cannot both be true."""
    one, two = (STANDINGS.get(same(claim.value), "") for claim in (a, b))
    if not one or not two or one == two or two in _COURSE.get(one, ()):
        return False
    size = min(len(a.date), len(b.date))
    if b.relation == "status" or a.date[:size] == b.date[:size]:
        return b.relation == "status" or one not in _COURSE.get(two, ())
    return a.date < b.date and two not in _IN_YEARS.get(one, ())


@lru_cache(maxsize=100_000)
def same(value: str, subject: str = "") -> str:
    """A value without what does not tell values apart: case, thousands marks, closing zeros, the form of a date.

    What a subject such as PEP 440 calls 470 is PEP 470.
    """
    if value.isdigit() and (numbered := re.fullmatch(r"(\w+) \d+", subject)):
        return f"{numbered[1].casefold()} {int(value)}"
    if found := dates(value):
        return found[0][0]
    plain = re.sub(r"(?<=\d),(?=\d{3}\b)", "", " ".join(value.casefold().split())).strip(" .\"'`*")
    plain = re.sub(r"(?<=\d) ?(?:%|per ?cent)$", " %", re.sub(r"^(?:about|exactly) (?=\d)", "", plain))
    return re.sub(r"(\d\.\d*?)0+\b", lambda m: m[1].rstrip("."), plain)


def _kind(group: Sequence[Told], after: dict[str, set[str]]) -> Conflict:
    pairs = [(a, b) for a, b in combinations(group, 2) if _differ(a, b)]
    if all(b.source in _reached(a.source, after) or a.source in _reached(b.source, after) for a, b in pairs):
        return "superseded"
    if all(a.scope != b.scope for a, b in pairs):
        return "scope differs"
    if not all(claim.date for claim in group):
        return "unresolved"
    if all(a.author and a.author == b.author and a.date != b.date for a, b in pairs):
        return "revised"
    if all(b.changed and a.date[: len(b.date)] < b.date[: len(a.date)] for a, b in pairs):
        return "superseded"
    return "contested" if all(a.source != b.source for a, b in pairs) else "unresolved"
