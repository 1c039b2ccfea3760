"""People and works that the person names in own voice: how, since when, in how many groups, and what is not held.

An edge is a span. A person is known by a title or initials before a surname; a work by quotation marks or italics.
"""

from __future__ import annotations

import re
from collections import defaultdict

from ..memory.search.passages import normal
from .corpus import Corpus, Said, groups_of, one_a_group
from .statements import Kind, Mention

_PERSON = re.compile(
    r"\b(?:Mr|Mrs|Miss|Messrs|Dr|Prof|Professor|Sir|Lord|Lady|Captain|Capt|Rev|Admiral|Colonel|Col|Major|Baron|Count|"
    r"Bishop|Herr|M|MM)\.? (?:[A-Z]\.? ?){0,3}((?:[Dd]e (?:la )?|[Vv]on |Fitz ?)?[A-Z][a-z]{2,}(?:-[A-Z][a-z]+)?(?: "
    r"[A-Z][a-z]{3,})?)|\b(?:[A-Z]\. ?){1,3}([A-Z][a-z]{2,})\b|\b(?:dear|old|poor) ([A-Z][a-z]{2,})\b|"
    r"\b([A-Z][a-z]{3,})'s (?:book|paper|work|theory|view|views|essay|letter|observations|admirable|excellent|great|"
    r"remarks?)\b"
)
_INSIDE = r"(?:[A-Z][\w-]+|of|the|and|on|in|to|by|a|for|from|de|der|des|und)"
_WORK = re.compile(rf"(?<![A-Za-z])'({_INSIDE}(?: {_INSIDE}){{0,8}}),?'|(?<!\w)_([A-Z][\w-]+(?: [\w-]+){{1,7}})_")
_COMPASS = re.compile(r"^[NSEW]\. ")
_NOT_PEOPLE = frozenset(
    """january february march april may june july aug august september october november december god nature friend
    sir madam father mother fellow things day man old new the miss mrs professor prof chancellor earl captain""".split()  # noqa: SIM905
)
_CUES = tuple(
    (relation, re.compile(rf"\b(?:{words})\b"))
    for relation, words in (
        ("argues with", r"cannot agree|not agree|differ(?:s|ed)? from|disagree\w*|object(?:s|ed|ions?)? (?:to|of|that)|"
                        r"opposed|erroneous|mistaken|refute\w*|in error|against my"),
        ("praises", r"admirable|excellent|splendid|admir(?:e|ed|ation)|celebrated|illustrious|eminent|capital|masterly|"
                    r"indebted|obliged|kindness"),
        ("cites", r"says|said|remark(?:s|ed)|state[sd]|observe[sd]|inform(?:s|ed)|according to|shown|believe[sd]|"
                  r"describe[sd]|found|see|quoted?|assures|thinks|argues|gives|given|tells"),
    )
)  # fmt: skip
_MOST, _MOST_QUOTES, _LEAST = 120, 4, 2


def lineage(corpus: Corpus) -> tuple[Mention, ...]:
    """People and works by the groups that name them, most first; one sentence alone names nobody."""
    people: dict[str, list[Said]] = defaultdict(list)
    works: dict[str, list[Said]] = defaultdict(list)
    own = normal(corpus.person).split()[-1]
    for said in corpus.counted:
        for match in _PERSON.finditer(said.text):
            name = next(group for group in match.groups() if group)
            if name.lower() not in _NOT_PEOPLE and normal(name) != own and not _COMPASS.match(match[0]):
                people[name.split()[-1]].append(said)
        for match in _WORK.finditer(said.text):
            title = re.sub(r"^(?:The|A|An) ", "", (match[1] or match[2]).strip())
            if len(title) > 4 and title[0].isupper() and (" " in title or match[1]):
                works[title].append(said)
    held = [normal(text.title) for text in corpus.texts]
    found = [_mention(corpus, name, "person", said, False) for name, said in people.items() if len(said) >= _LEAST]
    found += [
        _mention(corpus, name, "work", said, any(normal(name) in title for title in held))
        for name, said in works.items() if len(said) >= _LEAST
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda one: (-one.groups, one.name))[:_MOST])


def _mention(corpus: Corpus, name: str, kind: Kind, said: list[Said], held: bool) -> Mention:
    told = {relation: [one for one in said if cue.search(one.text)] for relation, cue in _CUES}
    relation = max(told, key=lambda key: (len(told[key]), key))
    if 3 * len(told[relation]) < len(said):
        relation = "names"
    shown = one_a_group(one for one in [*told.get(relation, ()), *said] if 6 <= len(one.tokens) <= 60)
    first = min((one.segment.date for one in said if one.segment.date), default="")
    quotes = tuple(map(corpus.quote, shown[:_MOST_QUOTES]))
    return Mention(name, kind, relation, True, groups_of(said), first, quotes, held)
