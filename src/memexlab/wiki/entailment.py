"""Whether evidence bears a sentence: its names and numbers, what is denied, how sure it is, who did what, and when.

It compares words and knows no grammar: closed lists, precision first. It knows no source and no ledger.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from difflib import SequenceMatcher
from functools import partial

from ..ledger import Finding
from .prose import spoken
from .quotes import supported
from .subjects import key_of

_words = partial(re.compile, flags=re.IGNORECASE)
_NEGATION = _words(r"\b(?:not|no|never|none|nor|without|cannot|neither)\b|n['’]t\b")
_DENIES = _words(r"\b(?:not|no|never|none|nor|cannot|neither)\b|n['’]t\b")
#: What denies without a "not": it answers to one on the other side.
_UNDONE = _words(
    r"\b(?:lack|fail|reject|exclu|forbid|forbad|prohibit|disallow|remov|withdr|absen|missing|instead|rather|unable|omit"
    r"|impossib|avoid|prevent|refus|deprecat|except\b|only|hard|difficult|unlike|un(?:changed|supported|defined|safe)|drop"
    r"|unless\b)"
)
#: What is only proposed, allowed or thought of; what a sentence may say instead; and what demands.
_HEDGED = _words(
    r"\b(?:may(?!,? \d)|might|could|should|would|perhaps|probably|someday|plan(?:s|ned)?"
    r"|(?:intend|suggest|recommend|consider)(?:s|ed)?|expect(?:s|ed)? (?:to|that)"
    r"|proposes?|(?:is|are|was|were|been|pep|document|we) proposed)\b"
)
_GUARDED = _words(
    r"\b(?:can|want|allow|option|possib|propos|aim|seek|hope|expect|likely|one day|idea|wish|favou?r|accept|permit"
    r"|advis|ask|urge)"
)
_DEMANDS = _words(r"\b(?:must|always|requir\w+|mandatory|shall|(?:has|have) to)\b")
_DEMANDED = _words(
    r"\b(?:must|always|requir|mandat|shall|ha(?:s|ve|d) to|need|necess|only|never|cannot|any|all|every|will|should be)"
)
#: None is a value, and "not only" says more; "whether it should", "the suggested name", "may do so" tell no strength.
_NO_STRENGTH = _words(
    r"`+[^`]*`+|\bnot (?:just|only|merely)\b|\b(?:if|whether|how) (?:\w+ ){1,4}?(?:should|could|would|may|might)\b"
    r"|\b(?:the|an?|this|its|their|these) (?:intended|suggested|recommended|considered|planned|proposed)\b"
    r"|\b(?:may|can|could|might|should) do (?:so|this|that)\b"
)
#: "Reviewers who are not steeped in it" denies nothing of what they do.
_ASIDE = _words(
    r"\b(?:who|which|that) (?:\w+ly )?(?:(?:is|are|was|were|do|does|did|has|have|can|could) )?"
    r"(?:\w+n['’]t|not|never|cannot)$"
)
_CLAUSES = re.compile(
    r"[.;:]\s|,\s(?=(?:and|so|which|while|then|though|although|or)\b)"
    r"|\bso (?=it|we|they|the|that|there)|\b(?:but|since|because|whereas|even if|even though)\b"
)
_AS_IT_IS = "say what it says, with its yes or no"
_FUTURE = _words(r"\b(?:will|shall|(?:is|are) (?:going|scheduled|due) to)\b")
_LATER = _words(r"\b(?:will|would|shall|should|going|plan\w*|future|due|schedul\w+|to be|promis\w+)\b")
_PAST = _words(r"\b(?:was|were|has|have|had|did)\s+((?:\w+\s+){0,2}\w+)")
#: One who does something to another: to swap them is to say the opposite.
_DIRECTED = _words(
    r"\b(?:(?:replac\w+|supersed\w+|obsolet\w+|requir\w+|extend(?:s|ed)|import(?:s|ed)|precede[sd]|contain(?:s|ed)"
    r"|include[sd]|wraps|calls|follows)(?P<by>[ -]by)?|(?:alias|subclass) (?:for|of)|(?:depend\w*|based|built) on"
    r"|(?:inherit\w*|deriv\w+) from|instead of|(?:rather|\w+er|more \w+|less \w+) than)\b"
)
#: A thing as a sentence names it: an article, one or two words, and what cannot be part of its name.
_NOUNS = re.compile(
    r"\b(?:[Tt]he|[Aa]n?|[Tt]his|[Ii]ts|[Tt]hese|[Ee]ach|[Ee]very) ([a-z][a-z-]{2,}(?: [a-z][a-z-]{2,}){0,2}?)"
    r"(?=[.,;:]|$| (?:of|in|is|are|was|were|has|have|that|for|to|from|by|on|with|within|into|as|at|when|where|than|and"
    r"|or|because|must|may|can|should|will|would|do|does|did|says?|which|not)\b)"
)
_PRONOUN = re.compile(
    r"(?!It (?:is|was|has been|seems) [^.;]*\b(?:that|to)\b)"  # which stands for nothing
    r"(?:It|They|This|These|Those|That|He|She|Such|Its|Their)\b"
)
_ENDS = re.compile(r"(?<=[.!?:])\s+|\n[ \t]*\n")
_ROLES = _words(r"\b(?:co-?)?(auth|wr[io]t|edit|sponsor|maintain|delegate|review|invent|found(?:er|ed)|creator)\w*")
_FIELD = re.compile(r"[A-Z][\w-]+: ")
#: A row of numbers ("2.6, 2.7 and 3"), and the word after it.
_COUNTED = re.compile(
    r"((?<![\w.,])\d+(?:[.,]\d+)*(?:(?:, | and | or | to |, and |, or |[-/–])\d+(?:[.,]\d+)*)*)(?=(?:\s+([^\W\d_]+))?)"
)
_SMALL, _ARTICLES, _PLAIN, _GENERAL, _WHICH = (
    frozenset(told.split())
    for told in (
        "the and are was were for that this with from has have had its which also than into about who",
        "the a an this its their each every his her",
        "a an is be been being by of to in on it as at or now not will can may should",
        "aim approach author authors case document feature goal idea kind lack need number ones own paper part problem "
        "process proposal purpose reason rest result shortcut source thing time use user way",
        "first second last main new old other same whole",
    )
)


def unsupported(
    sentence: str, evidence: Mapping[str, str], about: str, before: str = "", after: str = ""
) -> Finding | None:
    """What the sentence says that its evidence (words by name) does not; `before` and `after` stand around a quote."""
    held = " . ".join(evidence.values())
    around = f"{about} {_ENDS.split(before)[-1]} {_ENDS.split(after)[0]}"
    if missing := supported(sentence, f"{about} {held}"):
        return missing[0]
    if re.search(r"https?://|www\.|!\[|\]\(|<\w", sentence):
        return wrong("claim-markup", "a sentence holds no address, image, link or HTML", "write plain words")
    if found := _turned(sentence, evidence) or _swapped(sentence, held) or _other(sentence, held, around):
        return found
    if before and (found := _foreign(sentence, held, about, before, after)):
        return found
    there = words(f"{about} {held}")
    told = words(sentence)
    unsaid = [word for word in told if not bears(word, there)]
    if 2 * len(unsaid) > len(told):
        message = f"the evidence does not speak of {', '.join(unsaid[:4])}"
        return wrong("claim-unsaid", message, "say only what it says")
    return None


def _turned(sentence: str, evidence: Mapping[str, str]) -> Finding | None:
    """A denial that came or went, what was proposed told as done, what will be told as past, a demand nobody made.

    For each clause of the sentence that part of the evidence counts that shares most words with it.
    """
    guarded, sentence = _HEDGED.search(sentence) or _GUARDED.search(sentence), _NO_STRENGTH.sub(" ", sentence)
    parts = [(name, part) for name, text in evidence.items() for part in _CLAUSES.split(_NO_STRENGTH.sub(" ", text))
             if part.strip()]  # fmt: skip
    there = [words(part) for _, part in parts]
    held = " ; ".join(part for _, part in parts)
    denial = _NEGATION.search(sentence)
    if denial and not (_NEGATION.search(held) or _UNDONE.search(held)):
        return wrong("claim-denial", f"the sentence denies ({denial[0]!r}), and its evidence does not", _AS_IT_IS)
    denies, undone = _NEGATION.search(sentence), list(_UNDONE.finditer(sentence))
    answers = any(found[0].casefold() not in held.casefold() for found in undone)
    for unit in dict.fromkeys((sentence, *_CLAUSES.split(sentence))):
        told = words(unit)
        borne = [sum(bears(word, part) for word in told) for part in there]
        loose = unit is sentence and not undone
        for (name, part), count in zip(parts, borne, strict=True):
            if count != max(borne) or (count < 3 and unit is not sentence):
                continue
            where = f"the words of {name} say" if name else "the quote says"
            if not (denies or answers) and (found := _governing(_DENIES, part, told, not loose)):
                message = f"{where} {found[0]!r} ({_near(part, found)}), and the sentence does not deny"
                return wrong("claim-denial", message, _AS_IT_IS)
            if not guarded and "accept" not in part and (found := _governing(_HEDGED, part, told)):
                message = f"{where} {found[0]!r} ({_near(part, found)}), and the sentence tells it as a fact"
                return wrong("claim-strength", message, f"keep {found[0]!r} or a word as weak")
            for will in () if _LATER.search(sentence) else _FUTURE.finditer(part):
                verbs = [word for word in words(part[will.end() :])[:2] if bears(word, told)]
                if any(bears(verb, words(past[1])) for past in _PAST.finditer(unit) for verb in verbs):
                    message = f"{where} {will[0]!r} ({_near(part, will)}), and the sentence tells it as past"
                    return wrong("claim-strength", message, f"keep {will[0]!r}")
    demand = _DEMANDS.search(sentence)
    if demand and not _DEMANDED.search(held):
        return wrong("claim-strength", f"the sentence says {demand[0]!r}, and its evidence does not", "claim no more")
    return None


def _governing(pattern: re.Pattern[str], part: str, told: Collection[str], strict: bool = True) -> re.Match[str] | None:
    """The first such word of which the sentence tells what follows it; unless `strict`, the first that is no aside."""
    for found in pattern.finditer(part):
        governed = (
            words(part[found.end() :])[:3]
            if strict or _ASIDE.search(part[max(0, found.end() - 60) : found.end()])
            else []
        )
        if not governed or any(bears(word, told) for word in governed):
            return found
    return None


def _near(text: str, found: re.Match[str]) -> str:
    """A few words around a match, for the reader of a refusal."""
    return f"… {' '.join(text[max(0, found.start() - 30) : found.end() + 40].split())} …"


def _swapped(sentence: str, held: str) -> Finding | None:
    """Numbers that count other things than in the evidence, or two sides of a relation that have changed places."""
    counted = _counted(held)
    for number, beside in _counted(sentence):
        others = sorted({n for n, by in counted if by == beside})
        there = {word for n, by in counted if n == number for word in by.split()}
        if others and there and not there >= set(beside.split()):
            message = f"the sentence has {number!r} where the evidence has {others[0]!r} (at {beside.strip('_ ')!r})"
            return wrong("claim-number", message, "keep each number with what it counts")
    for left, verb, right in _sides(sentence):
        for before, other, after in _sides(held):
            mine, yours = (left - right) & (after - before), (right - left) & (before - after)
            alone = (mine and not before) or (yours and not after)
            if other == verb and (
                (mine and yours) or (alone and not (left - right) & before and not (right - left) & after)
            ):
                message = f"in the evidence the two sides of {verb!r} stand the other way round"
                return wrong("claim-swapped", message, "say which is which as the quote does")
    return None


def _counted(text: str) -> list[tuple[str, str]]:
    """Each number with a place it stands at: the word before it, the two before it, the word after it."""
    out, text = [], spoken(text).replace("`", "")
    for m in _COUNTED.finditer(text):
        before = words(re.split(r"[.;!?()]\s", text[max(0, m.start() - 50) : m.start()])[-1])[-2:]
        after = words(m[2] or "")
        beside = [f"{' '.join(part)} _" for part in (before[-1:], before) if part]
        beside += [f"_ {word}" for word in after]
        out += [(n.replace(",", ""), by) for n in re.findall(r"\d+(?:[.,]\d+)*", m[1]) for by in beside]
    return out


def _sides(text: str) -> Iterator[tuple[set[str], str, set[str]]]:
    """The words left and right of each word that directs, as if it were said of the left one."""
    for clause in re.split(r"[.;!?]\s", text):
        for found in _DIRECTED.finditer(clause):
            sides = [{w.strip("._").casefold() for w in re.findall(r"[\w.+-]+", side)} - _SMALL - _PLAIN
                     for side in (clause[: found.start()], clause[found.end() :])]  # fmt: skip
            left, right = reversed(sides) if found["by"] else sides
            yield left, re.split(r"\W", found[0])[0].casefold()[:6], right


def _other(sentence: str, held: str, around: str) -> Finding | None:
    """A role that a header field does not give, or another thing put in the midst of the words of the quote."""
    role = _ROLES.search(sentence)
    same = "auth|wr[io]t" if role and role[1].casefold()[:2] in ("au", "wr") else role and role[1]
    if role and same and _FIELD.match(held) and not re.search(same, held, re.IGNORECASE):
        field = held.partition(":")[0]
        return wrong("claim-unsaid", f"the field {field!r} does not say {role[0]!r}", f"name it as {field!r} does")
    quote, told = key_of(held).split(), key_of(sentence).split()
    there, said = words(f"{held} {around}"), words(sentence)
    blocks = SequenceMatcher(None, quote, told, autojunk=False).get_opcodes()
    for before, (what, i, j, k, m), after in zip(blocks, blocks[1:], blocks[2:], strict=False):
        if (
            what != "replace"
            or min(before[2] - before[1], after[2] - after[1]) < 2
            or _ARTICLES.isdisjoint(told[max(0, k - 2) : k])
        ):
            continue
        new, old = words(" ".join(told[k:m])), words(" ".join(quote[i:j]))
        if new and old and not any(bears(w, there) for w in new) and not any(bears(w, said) for w in old):
            message = f"the quote says {' '.join(quote[i:j])!r} where the sentence says {' '.join(told[k:m])!r}"
            return wrong("claim-unsaid", message, "name what the quote names")
    return None


def _foreign(sentence: str, held: str, about: str, before: str, after: str) -> Finding | None:
    """Another thing in the place of a pronoun, or a thing that neither the quote nor its section names."""
    near = words(f"{about} {held} {before} {after}")
    if pronoun := _PRONOUN.match(held):
        told, said = key_of(sentence).split(), key_of(held).split()
        same = SequenceMatcher(None, told, said, autojunk=False).get_matching_blocks()
        first = next((one.a for one in same if one.size > 1), 0)
        named = words(" ".join(told[:first]))
        there = words(f"{about} {held} {before.split(chr(10))[0]} {' '.join(_ENDS.split(before.rstrip())[-2:])}")
        if named and not any(bears(word, there) or word in _GENERAL for word in named):
            message = f"the quote says {pronoun[0]!r}, and just before it stands nothing of {' '.join(named)!r}"
            return wrong("claim-subject", message, "quote the sentence that names it as well")
    for found in _NOUNS.finditer(sentence):
        named = [word for word in words(found[1]) if word not in _WHICH]
        if named and not any(bears(word, near) or word in _GENERAL for word in named):
            message = f"neither the quote nor its section speaks of {found[1]!r}"
            return wrong("claim-unsaid", message, "name what the quote names, or quote the words that name it")
    return None


def words(text: str) -> list[str]:
    """The words that carry meaning, in normal form."""
    return [w for w in key_of(text).split() if (len(w) > 2 or w.isdigit()) and w not in _SMALL]


def bears(word: str, there: Collection[str]) -> bool:
    """The word itself, or another form of it."""
    stem = word[: max(4, len(word) - 3)]
    return word in there or (len(word) > 4 and not word.isdigit() and any(other.startswith(stem) for other in there))


def wrong(rule: str, message: str, hint: str) -> Finding:
    return Finding(rule, "error", "claim", message, hint)
