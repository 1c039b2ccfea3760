"""What the person holds: sentences that say so, grouped with their restatements, the gate between three tiers, and
pairs of them that pull apart.

An axiom has two independent groups, two kinds and thirty days; less is a position; a single group is said once. Every
one is a sentence of the person, a candidate until somebody accepts it. Two sentences of opposed words are no tension:
only what the person tells to be one is. It knows no models.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from .corpus import Corpus, Said, groups_of, one_a_group
from .revisions import Revision
from .similarity import Matcher, opposed
from .statements import Statement, Tension

DAYS_APART = 30
_SAME, _NEARLY_ALL, _RELATED, _SHARED_WORDS = 0.36, 0.46, 0.28, 4
#: Stems that say how, and not of what.
_OF_ANYTHING = frozenset(
    "important importanc part play element form process degree manner number extent production produc far".split()  # noqa: SIM905
)
#: General words without which a sentence that does not say `I believe` is no law of theirs; more where said once.
_LAW_WEIGHT, _ONCE_WEIGHT = 2.5, 3.5
_MOST = {"axiom": 40, "position": 60, "once": 60}
_MOST_QUOTES, _MOST_COUNTER = 6, 4
SURE = re.compile(
    r"\bI (?:\w+ly )?(?:now |still |also |do |must |can )?(?:think|believe|hold|consider|maintain|suspect|conclude|"
    r"admit|infer|regard|look at|am (?:\w+ly )?(?:convinced|inclined|persuaded|certain|sure|of opinion))\b|\b[Ii]n my "
    r"(?:opinion|judgment|experience|view)\b|\b[Ii]t seems to me\b|\bto my mind\b|\bI (?:have|feel|can feel) (?:no|"
    r"little) doubt\b|\bI (?:cannot|can not) (?:doubt|believe|help|avoid)\b|\b[Tt]here can be (?:no|little|hardly any) "
    r"doubt\b|\b[Ww]e (?:may|must|should|can) (?:safely |confidently |therefore )?(?:conclude|infer|believe|admit|"
    r"assume|attribute)\b|\b[Tt]he key is\b|\bI am a (?:firm )?believer\b|\bmy (?:theory|view|belief|conviction|"
    r"conclusion)\b"
)
_GENERAL = re.compile(
    r"\b(?:always|never|every|all|no one|nothing|generally|invariably|universal(?:ly)?|law|laws|principle|rule|nature|"
    r"man|mankind|species|being|beings|truth|science|facts?|theory|cause|life)\b"
)
LEANING = re.compile(
    r"^(?:This|These|That|Those|It|He|She|They|His|Her|Their|Such|Both|Why|First|Secondly|Lastly|Finally|Another|One "
    r"other|P\. ?S|Exactly|But this|And|But|Thus|Hence|Here|So|Now|Nor|Or|In "
    r"this|From this|From these|For this|On this|With this|If so|If this|If these|The (?:above|following|latter|former|"
    r"same|case|two)|In (?:these|such|all these|both)|Nevertheless|Again|Yet|On th(?:is|ese)|Many of|Some of|One of|To "
    r"do|The results|The solution|The explanation)\b|\b(?:that|sure|think|believe) I\b|\bI should\b|\bI have "
    r"(?:expressly|already)\b|\b(?:[Tt]his|[Tt]hese|[Tt]hose|such) (?:process|rule|laws?|facts?|views?|theory|cases?|"
    r"principles?|conclusions?|subject|belief|point|difficult(?:y|ies)|explanation|manner|nine|latter|author|book|"
    r"matter|question|remark|argument)\b|\bof them\b|\bas follows\b|\b(?:think|believe|suspect|infer|doubt|conclude|"
    r"sure|consider|regard|conviction) (?:that )?(?:it|this|they|he|she|these|those|his|their|them|him|her|its)\b|"
    r"^(?:\S+ ){0,4}(?:nevertheless|however|therefore|also|moreover|likewise|then),? |^\W|"
    r"\b[Tt]he (?:only |chief |other )?(?:law|rule|principle|view|doctrine|process|results?|conclusion|argument|"
    r"objection|difficulty|explanation|difference|being|point)\b(?!,? (?:of|that|which|by|in|here|to|between|with|for|"
    r"on|I|we)\b)"
)
#: Kinds whose "you" is anybody; of their sentences only what is quoted or asked is left out.
_TO_ALL, _MARKED = frozenset({"post", "tweet", "talk", "podcast"}), re.compile(r"[\"“?]|\.\.\.|https?:")
#: Of the text itself, or of what others hold.
_ABOUT_TEXT = re.compile(
    r"\b(?:this|present|little) (?:work|volume|abstract|essay|treatise)\b|\b(?:In|By) (?:illustrating|considering)\b|"
    r"\bI (?:assumed|have (?:now |here )?(?:shown|given|discussed|tried))\b|\b[Ll]et us\b|\bsum up\b|\b[Ww]e (?:shall|"
    r"have (?:now |just |here )?seen)\b|\bcome to discuss\b|\b(?:could|can|might|need not|will|shall) (?:here )?be "
    r"(?:here )?(?:given|discussed|added|adduced)\b|\b(?:facts|cases|instances) (?:now|here) given\b|\b(?:naturalists?|"
    r"authors?|observers|geologists|writers|those who|many|some|others) (?:[\w,]+ ){0,8}(?:believes?|thinks?|thought|"
    r"supposes?|maintains?|holds?|assumes?|pretends?|argues?|insists?|consider)\b|\bview\b.{0,20} (?:held|entertained) "
    r"by\b|\bgenerally (?:looked at|considered|regarded|supposed|believed)\b|\bNo \w+ (?:has|have|pretends|supposes)\b"
)
#: He or she, where no man, nature or name stands before.
_WHOM = re.compile(r"^(?:(?!\b(?:man|men|one|nature|Nature|mother|God|\w+(?:er|or|ist))\b).)*?\b(?:he|she|him|her)\b")
_LAWLIKE = re.compile(r"\b(?:must|can|cannot|will|is|are|tends?|acts?|depends?)\b")
_TOLD = re.compile(r"\b(?:was|were|had|did|saw|went|came|said|told|felt|I|we|our|has been)\b")
_PASSING = re.compile(
    r"\b(?:[Yy]ou|[Yy]our|yours|letter|letters|obliged|enclosed?|note|MS|proofs?|p\.|vol|chapter|paper|reviews?|"
    r"reviewers?|foregoing|aforesaid|above|following|just (?:given|seen|remarked)|hereafter|page|edition|pounds|"
    r"yesterday|to-?day|to-?morrow|week|weeks|month|Mr|Mrs|Dr|Sir|Prof|Professor|Captain|miles|feet|inch|inches|"
    r"publish(?:ed|ing)?|thank|glad|sorry|hope|wish|thanks|pleasant|pleased|delighted|interested|interesting|admirable|sold|translations?|"
    r"capital|mother|wife|father|uncle|sister|brother|house|horses?|dinner)\b|\d|[\"“?!]|\.\.\."
)


def believed(corpus: Corpus) -> list[Said]:
    """Own sentences that say what the person holds and can be read alone, those that say most first."""
    found = []
    for said in corpus.counted:
        sure = SURE.search(said.text) is not None
        if not (6 if sure else 9) <= len(said.tokens) <= 48 or len(said.words) < 4 or not said.text[0].isupper():
            continue
        law = weight(said) >= _LAW_WEIGHT and _LAWLIKE.search(said.text) and not _TOLD.search(said.text)
        if (sure or law) and _alone(said):
            found.append(said)
    return sorted(found, key=lambda said: (-weight(said), said.source, said.start))


def _alone(said: Said) -> bool:
    """Whether it can be read alone, and is no matter of the day."""
    passing = _MARKED if said.segment.kind in _TO_ALL else _PASSING
    return not any(pattern.search(said.text) for pattern in (LEANING, passing, _ABOUT_TEXT, _WHOM))


def _whole(said: Said) -> bool:
    """A sentence, and no heading, question, line of an index or caption."""
    text = said.text
    sentence = 8 <= len(said.tokens) <= 80 and text[-1] in ".;!)" and text[0].isupper() and not text[:12].isupper()
    return sentence and not _ABOUT_TEXT.search(text)


def weight(said: Said) -> float:
    """How much a sentence looks like a belief of general reach: general words, and no more names than needed."""
    general = len(set(_GENERAL.findall(said.text.lower())))
    names = len(re.findall(r"(?<=[a-z,] )[A-Z][a-z]+", said.text))
    return general - names + (0.5 if 12 <= len(said.tokens) <= 34 else 0.0)


def statements(
    corpus: Corpus, matcher: Matcher, beliefs: Sequence[Said], revised: Sequence[Revision] = ()
) -> dict[str, tuple[Statement, ...]]:
    """Axioms, positions and what was said once, best supported first; each sentence stands in one of them only."""
    used: set[tuple[int, int]] = set()
    stated: list[Said] = []
    taken_back: dict[int, list[Said]] = {}
    for one in revised:
        for earlier in one.earlier:
            taken_back.setdefault(id(earlier), []).append(one.later)
    tiers: dict[str, list[tuple[tuple[float, ...], Statement]]] = {"axiom": [], "position": [], "once": []}
    for said in beliefs:
        if (said.source, said.start) in used or any(matcher.alike(said, one) >= _NEARLY_ALL for one in stated):
            continue
        stated.append(said)
        near = [(cosine, one) for cosine, one in matcher.near(said, _RELATED) if _whole(one)]
        against = taken_back.get(id(said), [])
        groups_taking_back = {one.group for one in against}
        same = [
            one for cosine, one in near
            if cosine >= (_SAME if len({*one.words} & {*said.words} - _OF_ANYTHING) >= _SHARED_WORDS else _NEARLY_ALL)
            and not opposed(said.text, one.text) and one.group not in groups_taking_back
        ]  # fmt: skip
        used.update((one.source, one.start) for one in (said, *same))
        tier, made = statement_of(corpus, corpus.quote(said).text, [said, *same], against, {})
        if tier == "once" and weight(said) < _ONCE_WEIGHT and not SURE.search(said.text):
            continue
        closeness = max((cosine for cosine, one in near if one in same), default=0.0)
        tiers[tier].append(((made.groups, weight(said), closeness), made))
    return {
        tier: tuple(made for _, made in sorted(found, key=lambda item: item[0], reverse=True)[: _MOST[tier]])
        for tier, found in tiers.items()
    }


def statement_of(
    corpus: Corpus, text: str, support: Sequence[Said], against: Sequence[Said], made: Mapping[str, str]
) -> tuple[str, Statement]:
    """(axiom, position or once; the statement) of own sentences, with those that pull the other way beside it."""
    tier, gate, groups, kinds, days = gate_of(support, len(against))
    first, last = (days[0], days[-1]) if days else ("", "")
    quotes, counter = tuple(map(corpus.quote, _spread(support))), tuple(map(corpus.quote, against[:_MOST_COUNTER]))
    return tier, Statement(text, gate, groups, kinds, first, last, quotes, counter, **made)


def gate_of(support: Sequence[Said], counter: int) -> tuple[str, str, int, tuple[str, ...], list[str]]:
    """(axiom, position or once; the gate in a line; groups; kinds; dates in order) of own sentences that agree."""
    groups = groups_of(support)
    kinds = tuple(sorted({one.segment.kind for one in support}))
    days = sorted(one.segment.date for one in support if one.segment.date)
    apart = _days(days[-1]) - _days(days[0]) if days else 0
    tier = "once" if groups < 2 else "axiom" if len(kinds) >= 2 and apart >= DAYS_APART else "position"
    span = "undated" if not days else days[0][:4] if days[0][:4] == days[-1][:4] else f"{days[0][:4]}..{days[-1][:4]}"
    lacks = [] if tier != "position" else [*(["one kind only"] if len(kinds) < 2 else []),
                                           *(["burst"] if apart < DAYS_APART else [])]  # fmt: skip
    parts = [f"{groups} group{'s' * (groups != 1)}", f"{len(kinds)} kind{'s' * (len(kinds) != 1)}", span,
             f"counter {counter}", *lacks]  # fmt: skip
    return tier, " · ".join(parts), groups, kinds, days


def _spread(support: Iterable[Said]) -> list[Said]:
    """The statement itself, then one sentence of each other group, at most a few."""
    first, *rest = one_a_group(support)
    return [first, *sorted(rest, key=lambda one: one.segment.date)][:_MOST_QUOTES]


def _days(text: str) -> int:
    """Days of a date that may be a year or a month, its first day meant."""
    year, month, day = (*map(int, text.split("-")), 1, 1)[:3]
    return date(year, month, day).toordinal()


def tensions(corpus: Corpus, revised: Sequence[Revision]) -> tuple[Tension, ...]:
    """What the person tells, each sentence in one of them only."""
    used: set[int] = set()
    kept: list[Tension] = []
    for one in revised:
        left = next((earlier for earlier in one.earlier if id(earlier) not in used), None)
        if left is not None and id(one.later) not in used:
            used |= {id(left), id(one.later)}
            kept.append(Tension(one.kind, side_of(corpus, left), side_of(corpus, one.later)))
    return tuple(kept)


def side_of(corpus: Corpus, said: Said) -> Statement:
    """One side of a tension: the sentence, with no support beside it."""
    return statement_of(corpus, corpus.quote(said).text, [said], [], {})[1]
