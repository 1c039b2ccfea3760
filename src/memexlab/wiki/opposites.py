"""Words that say the opposite of each other, words for one act, and what a relation must find in its evidence.

It knows the lists of entailment.toml, and compares words in normal form; it knows no grammar.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .quantities import WORDS
from .subjects import key_of


def _pattern(forms: str) -> re.Pattern[str]:
    """One side: forms by white space; words that only together mean it are told by the spaces of the list below."""
    told = f" {forms} "
    phrases = [phrase for phrase in _PHRASES if f" {phrase} " in told]
    for phrase in phrases:
        told = told.replace(f" {phrase} ", " ")
    stems = [r"\w*".join(map(re.escape, form.split("*"))) for form in (*phrases, *told.split())]
    return re.compile(rf"(?<!\w)(?:{'|'.join(stems)})(?!\w)")


_PHRASES = [" ".join(key_of(phrase).split()) for phrase in WORDS["phrases"].split(",")]
_ACTS = [_pattern(row) for row in WORDS["acts"].replace("\n", " ").split("|")]
_SIDES = [[_pattern(side) for side in row.split("/")] for row in WORDS["opposites"].replace("\n", " ").split("|")]
_PAIRS = [(one, other) for sides in _SIDES for one in sides for other in sides if one is not other]
_SAME = [_pattern(row) for row in WORDS["same"].replace("\n", " ").split("|")]
_GROUPS = [*_SAME, *_ACTS, *(side for sides in _SIDES for side in sides)]
_CLAUSE = re.compile(r"[.;,:]\s|\b(?:but|while|whereas|aber|doch|während|mais)\b")
_NAMED = re.compile(r"(?<=\s)[A-Z]\w+|\d[\w.,]*\w|\d")
_WITH = [pair.split() for pair in WORDS["reversed"].split("|")]
_BOUND = re.compile(r"(?<!\w)(?:by|in|on|at|from|of|to|von|durch|par)$")


def one_meaning(word: str, there: list[str]) -> bool:
    """Whether one of these words says the same as this one, as the lists have it."""
    return any(group.fullmatch(word) and any(map(group.fullmatch, there)) for group in _GROUPS)


def opposed(sentence: str, held: str) -> Iterator[tuple[str, str]]:
    """What the sentence says of which its evidence holds only the opposite, and that."""
    said, there = key_of(sentence), key_of(held)
    clauses = [(key_of(clause), set(_NAMED.findall(clause))) for clause in _CLAUSE.split(held)]
    for one, other in _PAIRS:
        if not (mine := one.search(said)) or other.search(said) or not (yours := other.search(there)):
            continue
        if not one.search(there):
            yield mine[0], yours[0]
        elif names := set(_NAMED.findall(sentence)):  # what is told of only after the turn is not told of before it
            place = next((at for at, (words, _) in enumerate(clauses) if one.search(words)), len(clauses))
            before = {name for _, called in clauses[: place + 1] for name in called}
            turned = [called for words, called in clauses[place + 1 :] if other.search(words) and not one.search(words)]
            if any(names & called - before for called in turned):
                yield mine[0], yours[0]
    for plus, minus in _WITH:
        for thing in re.findall(rf"\b{minus} ((?:(?:the|an?|any|der|die|das|den|dem|le|la|les) )?\w+)", there):
            if re.search(rf"\b{plus} {thing}\b", said) and not re.search(rf"\b{plus} {thing}\b", there):
                yield f"{plus} {thing}", f"{minus} {thing}"
    have, tell = (set(text.split()) for text in (there, said))
    for word in sorted(have ^ tell):
        for whole in (f"{prefix}{word}" for prefix in ("un", "dis", "non") if len(word) > 4):
            if (word in tell and whole in have - tell) or (word in have and whole in tell - have):
                yield (word, whole) if word in tell else (whole, word)


def unheld_act(sentence: str, held: str) -> str:
    """An act that the sentence tells and its evidence does not: that something was accepted, replaced, stolen."""
    said, there = key_of(sentence), key_of(held)
    for act in _ACTS:
        if (found := act.search(said)) and not act.search(there):
            return found[0]
    return ""


def unheld_relation(relation: str, held: str) -> str:
    """The word of a relation for which its evidence has none: of what takes another's place, of a role, of an act."""
    told, there = key_of(relation), key_of(held)
    if _ACTS[0].search(told):
        return "" if _ACTS[0].search(there) else told
    if act := unheld_act(relation, held) or next((told for _ in opposed(relation, held)), ""):
        return act
    words = [word for word in told.split() if len(word) > 3] if _BOUND.search(told) else []
    borne = any(re.search(rf"\b{re.escape(word[: max(4, len(word) - 3)])}", there) for word in words)
    return "" if not words or borne or one_meaning(words[0], there.split()) else words[0]
