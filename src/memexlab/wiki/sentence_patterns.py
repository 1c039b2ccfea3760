"""What one sentence states of a subject: a value, or how it stands ("was rejected"). Closed patterns, precision first.

Conditions, wishes, hearsay, denials and questions state nothing. It knows no other sentence and no other document.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from ..memory.search.passages import normal
from .claims import Proposal
from .dates import DOES, STANDINGS, STANDS, dates
from .prose import Sentence
from .quotes import Span
from .values import UNSAID, given, lived
from .values import own as own_value

#: A document this short speaks of one thing, so that "the default is 3" is a default of its subject.
_ONE_THING = 12
SELF = (
    r"(?:this|the present) (?:PEP|RFC|ADR|document|note|specification|proposal|standard|page|paper|policy|draft"
    r"|decision|record|agreement|contract|guideline)"
)
_LEAD = r"(?:(?P<lead>(?:In|As of|Until|Since|Before|After|For|Under|On|With|When|By) [^,;]{2,60}), )?"
_SUBJECT = r"(?P<name>(?!The\b)[A-Z0-9][\w&.'’-]*(?:\s+[A-Z0-9][\w&.'’-]*){0,5})"
_VERB = re.compile(
    r"(?:['’]s? \w+)?(?: \([^)]*\))?(?:,[^,]{3,60},)? (?:also |now |currently |only |already |often |usually |always )?"
    r"(?:is|are|was|were|has|have|had|can|cannot|could|does|do|did|will|must|may|should|provides?|supports?|uses?|allows?|"
    r"requires?|defines?|describes?|means?|offers?|contains?|includes?|works?|makes?|gives?|takes?|runs?|needs?|lets?|"
    r"helps?|hurts?|reduces?|improves?|increases?|lowers?|raises?|costs?|holds?|stores?|became|began|(?!based|called|named)"
    r"[a-z]{3,}(?:ed|i[sz]es|ifies))\b"
)  # fmt: skip
#: What a thing does or does not, said without a condition, a time, a limit or a comparison.
_THIRD = (
    "supports|requires|allows|needs|uses|contains|includes|works|provides|accepts|handles|runs|reads|writes|keeps|stores|"
    "preserves|changes|affects|helps|hurts|improves|reduces|depends|guarantees|exists"
)
_DOES = re.compile(
    rf"^(?:The )?{_SUBJECT} (?:(?P<be>is|can|has|{_THIRD})(?P<not> not|not|n['’]t| no longer| no)?"
    rf"|(?P<no>does not|doesn['’]t|never|no longer) (?P<verb>{_THIRD.replace('s|', 's?|')}?)) "
    r"(?P<what>[^,;:()?!]{2,60}?)\.?$"
)
_LIMITED = re.compile(
    r"\b(?:yet|always|only|all|every|many|much|well|fully|most|some|enough|necessarily|anymore|still|just|both|often|more"
    r"|less|other|such|so|too|very|that|which|who|because|since|until|when|while|where|as|than|it|them|this|these|but|and"
    r"|or|default|now|to|one|in|at|after|before|under)\b|\d{4}", re.IGNORECASE,
)  # fmt: skip
_WORDS = "|".join(sorted(STANDINGS, key=len, reverse=True))
#: What follows may take a standing back, or give it to something else.
_TURNED = re.compile(
    r"^ ?(?:in (?:principle|part|theory)|by (?:default|most|many|some)|on (?:the )?condition)\b"
    rf"|\b(?:later|then|again|until|unless|if|subsequently|eventually|not|{_WORDS})\b|\?", re.IGNORECASE,
)  # fmt: skip
_AFTER = r"(?=(?: (?:in|on|by|since|because|after|as of|due|during|at|when|last)\b|[.,;:)]|$))(?P<rest>.*)"
_STANDING = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"^(?:Note that |Note: |[A-Z][a-z]+ly, )?{_LEAD}(?:(?P<self>{SELF})|(?-i:{_SUBJECT}))"
        r"(?:, (?:which|who|an?|the) [^,]{2,60},)? (?:is|was|has been|remains)"
        r"(?: now| currently| still| finally| formally| officially)?(?: an?)?"
        rf" (?P<value>{_WORDS}){_AFTER}",
        rf"^{_LEAD}(?:we|they|the [a-z]+) (?:have |has )?(?:formally |finally )?(?P<value>{_WORDS})"
        rf" (?-i:{_SUBJECT}){_AFTER}",
    )
)  # fmt: skip


def stated(
    s: Sentence, subject: str, own: Collection[str], openers: Collection[str], day: str | None
) -> Iterator[Proposal]:
    """The values that a sentence gives, and how it says that something stands; `own` are names of the document."""
    quote, text = (Span(s.start, s.end),), s.text
    for one in given(text, own, openers):
        if not re.fullmatch(rf"{re.escape(one.subject)} [\d.]+", subject):
            scope = {"when": one.case} if one.case else {}
            by_last = lived(one.relation) and one.subject == subject.split(" ")[-1]
            told = subject if by_last or normal(one.subject) in own else one.subject
            yield Proposal(told, text, quote, one.relation, one.value, day, scope=scope)
    for pattern in _STANDING:
        found = pattern.match(text)
        if found is None or UNSAID.search(text[: found.start("rest")]) or _TURNED.search(found["rest"]):
            continue
        name = found["name"] or ""
        if not name and s.section > 1 and found["self"].casefold() == "this proposal":
            continue  # one of those that a later section weighs
        if not name or name.split()[0].casefold() not in openers:
            on = re.search(r"\b(?:1[89]|20)\d\d\b", f"{found['lead'] or ''} {found['rest'][:40]}")
            since = dates(text)[0][0] if dates(text) else on[0] if on else day
            told = subject if not name or normal(name) in own else name
            yield Proposal(told, text, quote, STANDS, found["value"].casefold(), since)
            break
    if len(text) < 160 and (does := _DOES.match(text)) and does["name"].split()[0].casefold() not in openers:
        verb, what = does["be"] or does["verb"].removesuffix("s") + "s", re.sub(r"^(?:an?|the|any) ", "", does["what"])
        if not (_LIMITED.search(what) or UNSAID.search(what) or (verb == "is" and what != does["what"])):
            value = "no longer" if "no longer" in text else "no" if does["not"] or does["no"] else "yes"
            told = subject if normal(does["name"]) in own else does["name"]
            yield Proposal(told, text, quote, DOES, value, day, scope={"what": f"{verb} {what}"})


def tells_of(name: str, text: str) -> bool:
    """Whether a sentence says something of what it names, and not only names it: it begins with it, and a verb."""
    start = next((len(a) for a in ("", "The ", "A ", "An ") if text.startswith(f"{a}{name}")), -1)
    return start >= 0 and _VERB.match(text, start + len(name)) is not None


def own_values(told: Sequence[Sentence], subject: str, day: str | None) -> Iterator[Proposal]:
    """Values that a short document gives without saying of what: of its own subject, where it says each only once."""
    found = [(s, one) for s in told if len(told) < _ONE_THING for one in own_value(s.text, subject)]
    often = Counter(one.relation for _, one in found)
    for s, one in found:
        if often[one.relation] == 1 and " of" not in one.relation:
            scope = {"when": one.case} if one.case else {}
            yield Proposal(subject, s.text, (Span(s.start, s.end),), one.relation, one.value, day, scope=scope)
