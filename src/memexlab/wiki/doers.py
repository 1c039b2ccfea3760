"""Who does what to whom: two sides that stand the other way round in the evidence, and doers put in another's place.

It knows names by their capital letters or figures and verbs by their endings or a list, and no grammar.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import pairwise

from .opposites import one_meaning
from .prose import spoken
from .quantities import PATTERNS, WORDS
from .subjects import key_of

_TOKEN = re.compile(r"[^\W_]+(?:[.'’_-][^\W_]+)*|[.!?;:,()]")
_VERBS, _OPENERS, _SMALL, _BE, _LIGHT = (
    frozenset(WORDS[name].split()) for name in ("verbs", "openers", "small", "be", "light")
)
_MUTUAL = tuple(WORDS["mutual"].split())
_SELF = re.compile(r"(?:this|our) (?:pep|paper|document|article|note|report|post|work|book|proposal)\b", re.IGNORECASE)


def swapped(sentence: str, held: str) -> str:
    """The word whose two sides stand the other way round in the evidence, or nothing."""
    for left, verb, right in _sides(sentence):
        for before, other, after in _sides(held):
            mine, yours = (left - right) & (after - before), (right - left) & (before - after)
            alone = (mine and not before) or (yours and not after)
            kept = (left - right) & before or (right - left) & after
            if other == verb and ((mine and yours) or (alone and not kept)):
                return verb
    for verb, doer, object_, _, _ in _acts(sentence):
        for same, _, _, before, after in _acts(held):
            kept = doer & before | object_ & after
            if same == verb and doer & after - before and object_ & before - after and not kept:
                return verb
    return ""


def replaced(relation: str, value: str, held: str) -> bool:
    """Whether the evidence has a value on the other side than "supersedes" or "superseded by" has it."""
    told = [(left, right) for left, verb, right in _sides(held) if verb == "replac"]
    wanted, place = _said(value), 0 if relation.endswith("by") else 1
    return any(wanted <= sides[1 - place] for sides in told) and not any(wanted <= sides[place] for sides in told)


def _said(text: str) -> set[str]:
    return {word.casefold() for word in re.findall(r"[\w+-]+(?:\.\w+)*", text)} - _SMALL


def _sides(text: str) -> Iterator[tuple[set[str], str, set[str]]]:
    """The words left and right of each word that directs, as if it were said of the left one."""
    for clause in re.split(r"[.;!?]\s", spoken(text)):
        for found in PATTERNS["exchanged"].finditer(clause):
            taken = _said(clause[: found.start()] if found["was"] else found["old"])
            if taken and (given := _said(clause[found.end() :])):
                yield (taken, "replac", given) if found["with"] == "for" else (given, "replac", taken)
        for found in PATTERNS["directed"].finditer(clause):
            if not PATTERNS["exchanged"].match(clause, found.start()):
                sides = [_said(clause[: found.start()]), _said(clause[found.end() :])]
                left, right = reversed(sides) if found["by"] else sides
                verb = re.split(r"\W", found[0])[0].casefold()[:6]
                yield left, "replac" if verb in ("supers", "obsole") else verb, right


def _acts(text: str) -> Iterator[tuple[str, set[str], set[str], set[str], set[str]]]:
    """Each verb: its stem, the words next to it that do and that bear it, and all on each of the two sides."""
    for clause in re.split(r"[.;!?]\s", spoken(text)):
        tokens = [token for token in _TOKEN.findall(clause) if token[0].isalnum()]
        for place, word in enumerate(tokens):
            if not word.islower() or len(word) < 4 or word.startswith(_MUTUAL) or not does(word):
                continue
            left, right = _content(tokens[:place]), _content(tokens[place + 1 :])
            near, far = set(left[-2:]), set(right[:2])
            passive = not _BE.isdisjoint(tokens[max(0, place - 2) : place])
            if "by" in tokens[place + 1 : None if passive else place + 2]:
                by = _content(tokens[tokens.index("by", place) :])
                near, far, left, right = set(by[:2]), near, by, left
            elif passive:
                continue
            if near and far:
                yield word[: max(4, len(word) - 3)], near, far, set(left), set(right)


def _content(tokens: list[str]) -> list[str]:
    told = [re.sub(r"['’]s$", "", token).casefold() for token in tokens]
    return [word for word in told if word not in _SMALL and word not in _OPENERS]


def does(word: str) -> bool:
    """Whether a word may be a verb, by its ending or by the list."""
    return word in _VERBS or (len(word) > 3 and word.endswith(("ed", "s")) and not word.endswith(("ss", "us", "is")))


def _named(tokens: list[str]) -> set[str]:
    """The names and figures."""
    return set(_content([word for word in tokens if word[0].isdigit() or (word[0].isupper() and word[1:])]))


def other_doer(sentence: str, held: str) -> tuple[str, str]:
    """Another doer than the evidence has for the same words: who the sentence names, and who the evidence does."""
    told, there = (_TOKEN.findall(spoken(text)) for text in (sentence, held))
    said, words = ([token.casefold() for token in tokens] for tokens in (told, there))
    first, place, size = SequenceMatcher(None, said, words, autojunk=False).find_longest_match()
    doer = told[_after(".!?;:,", told[:first]) : first]
    if size < 3 or not does(said[first]) or not 0 < len(doer) <= 8:
        return "", ""
    begins = _after(".!?;", there[:place])
    clause = there[begins:place]
    if clause[-1:] in (["and"], ["but"], ["or"]):
        clause = _head(clause)
    elif clause[-1:] in (["that"], ["which"], ["who"]):
        clause = clause[-3:-1]
    elif clause[-1:] != [","]:
        clause = clause[_after(",:()", clause) :][-6:]
    if begins and clause[:1] and clause[0].casefold() in ("it", "he", "she", "they") and not _named(clause[1:]):
        clause = _head(there[_after(".!?;", there[: begins - 1]) : begins - 1])
    mine, yours, whole = _named(doer), _named(clause), (" ".join(doer), " ".join(clause))
    if mine and _SELF.match(whole[1]) and mine <= _named(there):
        return whole
    if mine and mine <= set(words[place + size :][:4]):  # "hat seit Mai Ada Carr": who does it comes last
        return "", ""
    figures = [{word for word in names if word[0].isdigit()} for names in (mine, yours)]
    alike = any(one[: max(4, len(one) - 3)] == other[: max(4, len(one) - 3)] for one in mine for other in yours)
    if mine and yours and (not alike or (all(figures) and not figures[0] & figures[1])):
        return whole
    common = set(_content(doer))
    only_after = common and common <= set(words[place:]) and not common & set(words[:place])
    return whole if only_after and not mine and _content(clause) else ("", "")


def other_verb(sentence: str, held: str, about: str) -> tuple[str, str] | None:
    """A verb that no evidence has in any form, where the evidence has another before the same word; and that one."""
    if PATTERNS["negation"].search(sentence) or PATTERNS["negation"].search(held):
        return None  # "stays" where "will not be moved"
    told, there = (_TOKEN.findall(spoken(text)) for text in (sentence, held))
    known, said = key_of(spoken(f"{held} {about}")), key_of(spoken(sentence))
    content = _content(there)
    for place, verb in enumerate(told[:-1]):
        after = _content(told[place + 1 :])[:1]
        finite = does(verb) or (place and re.search(r"^(?:to|will|must|can|may|should)$", told[place - 1]))
        if (
            not after
            or verb in _LIGHT | _OPENERS
            or not verb.islower()
            or len(verb) < 4
            or not finite
            or _has(verb, known)
        ):
            continue
        for at, (other, word) in enumerate(pairwise(content)):
            if word == after[0] and (not at or does(other) or other.endswith("ing")) and not _has(other, said):
                return verb, other
    return None


def unheld_verb(sentence: str, held: str) -> str:
    """A verb of a past or of the list that the evidence has in no form."""
    known = key_of(spoken(held))
    told = (word for word in _TOKEN.findall(spoken(sentence)) if word.islower() and word not in _LIGHT | _SMALL)
    return next(
        (word for word in told if (word in _VERBS or re.search(r"\w\wed$", word)) and not _has(word, known)), ""
    )


def _has(word: str, text: str) -> bool:
    """Whether a text has a form of the word, or another one that says the same."""
    word = key_of(word)
    own = re.escape(word.removeprefix("ge")[: max(3, len(word) - 3)])
    return re.search(rf"\b(?:ge)?{own}", text) is not None or one_meaning(word, text.split())


def _after(marks: str, tokens: list[str]) -> int:
    """The place after the last of these marks."""
    return max((at + 1 for at, token in enumerate(tokens) if token in marks), default=0)


def _head(clause: list[str]) -> list[str]:
    """What stands before the first verb."""
    return clause[: next((at for at, word in enumerate(clause) if at and word.islower() and does(word)), len(clause))]
