"""Dates in texts, what took the place of what, and how two values that differ stand to each other.

Nothing is settled here in silence: a difference gets a type, and both sides stay. It knows no pages and no files.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import combinations
from typing import Literal, NamedTuple

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

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_MEASURED = re.compile(r"[\d.,]+ ?([^\d\s]{1,12}?)s?")
_DATES = re.compile(
    rf"\b(?P<iso>(?:1[0-9]|20)\d\d-[01]\d(?:-[0-3]\d)?)\b"
    rf"|\b(?P<d1>[0-3]?\d)(?:st|nd|rd|th)?[- ](?:of )?(?P<m1>{_MONTH})\.?,?[- ](?P<y1>(?:1\d|20)\d\d)\b"
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
            if day < 13 and month != day:
                continue  # 04/05 is a day in May to some, in April to others
        else:
            name, year = (m["m1"] or m["m2"] or m["m3"]), int(m["y1"] or m["y2"] or m["y3"])
            month, day = _MONTHS.index(name[:3].lower()) + 1, int(m["d1"] or m["d2"] or m["d3"] or 0)
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


def differences(claims: Iterable[Told], replaced: Sequence[Succession]) -> Iterator[Difference]:
    """Every (subject, relation) with more than one value; relations that may hold several values must be left out."""
    after = _after(replaced)
    asked: dict[tuple[str, str], list[Told]] = defaultdict(list)
    for claim in claims:
        asked[claim.subject, QUANTITIES.get(claim.relation, claim.relation)].append(claim)
    for (subject, relation), group in sorted(asked.items()):
        values = {same(claim.value, subject) for claim in group}
        units = {found[1] for value in values if (found := _MEASURED.fullmatch(value))}
        if len(values) > 1 and len(units) < 2:  # 10 ms and 0.01 s may be the same
            group.sort(key=_by_date)
            called = {claim.relation for claim in group}  # "mass", where all say so, and not another name of it
            relation = called.pop() if len(called) == 1 else relation
            yield Difference(subject, relation, _kind(group, after), tuple(claim.id for claim in group))


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
    pairs = [(a, b) for a, b in combinations(group, 2) if same(a.value, a.subject) != same(b.value, b.subject)]
    if all(b.source in _reached(a.source, after) or a.source in _reached(b.source, after) for a, b in pairs):
        return "superseded"
    if all(a.scope != b.scope for a, b in pairs):
        return "scope differs"
    if not all(claim.date for claim in group):
        return "unresolved"
    if all(a.author and a.author == b.author and a.date != b.date for a, b in pairs):
        return "revised"
    return "contested" if all(a.source != b.source for a, b in pairs) else "unresolved"
