"""Whether evidence bears a sentence: its names and numbers, what is denied, how sure it is, who did what, and when.

It compares words and knows no grammar: closed lists, precision first. It knows no source and no ledger.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import SequenceMatcher

from ..ledger import Finding
from .dates import dates
from .doers import does, other_doer, other_verb, swapped
from .opposites import one_meaning, opposed, unheld_act
from .prose import spoken
from .quantities import PATTERNS, WORDS, miscounted, quantities
from .quotes import supported
from .subjects import key_of

_AS_IT_IS = "say what it says, with its yes or no"
_ENDS = re.compile(r"(?<=[.!?:])\s+|\n[ \t]*\n")
_FIELD = re.compile(r"[A-Z][\w-]+: ")
#: A row of numbers ("2.6, 2.7 and 3"), and the word after it.
_COUNTED = re.compile(
    r"((?<![\w.,])\d+(?:[.,]\d+)*(?:(?:, | and | or | to |, and |, or |[-/–])\d+(?:[.,]\d+)*)*)(?=(?:\s+([^\W\d_]+))?)"
)
#: Who speaks, and not of whose hand something is.
_NO_ACT = re.compile(r"\b[Tt]he authors?(?:['’]s?)?(?! of\b)")
#: The first word of each sentence; the dot of a day or of an initial ends none.
_OPENS = re.compile(r"(?:^|(?<!\b\d)(?<!\b\d\d)(?<!\b[A-Z])[.!?]['\")]*\s+)\W*(?P<word>[^\W_]+(?:['’][^\W_]+)*)")
_CLAUSE = re.compile(r"[;:,]\s|\s(?:and|while|but|und|aber|et|mais)\s|\s[-–—]\s")
#: Code, and what stands in angles, may be as the quote has it: pages show it as text.
_QUOTED = re.compile(r"`[^`]*`|<[^<>/=]*>")
_GERUND = re.compile(r"\w+ing (?:the|an?|all|any|each|every|its|their|this|these|those|one|it|no|more|less)\b")
_OPENERS, _COMMON = frozenset(WORDS["openers"].split()), tuple(WORDS["common"].split())
_SMALL, _ARTICLES, _PLAIN, _GENERAL, _WHICH = (
    frozenset(WORDS[name].split()) for name in ("slight", "articles", "small", "general", "which")
)


def unsupported(
    sentence: str, evidence: Mapping[str, str], about: str, before: str = "", after: str = ""
) -> Finding | None:
    """What the sentence says that its evidence (words by name) does not; `before` and `after` stand around a quote."""
    held = " . ".join(evidence.values())
    around = f"{about} {_ENDS.split(before)[-1]} {_ENDS.split(after)[0]}"
    lead = " ".join(_ENDS.split(before)[-1].split()[-3:]) if before[-1:] == " " else ""
    if missing := supported(sentence, f"{about} {held}"):
        return missing[0]
    if re.search(
        r"https?://|www\.|!?\[\[|!\[|\]\(|<\w",
        _QUOTED.sub(lambda m: " " if m[0].strip("`") in held else m[0], sentence),
    ):
        return wrong("claim-markup", "a sentence holds no address, image, link or HTML", "write plain words")
    if found := (
        _unnamed(sentence, f"{about} {held}", f"{before} {after}")
        or _turned(sentence, {name: f"{lead} {text}" for name, text in evidence.items()} if lead else evidence)
        or _swapped(sentence, held, about)
        or _other(sentence, held, around)
        or _reversed(sentence, held, f"{about} {before.split(chr(10))[0]}")
    ):
        return found
    if before and (found := _foreign(sentence, held, about, before, after)):
        return found
    there = words(f"{about} {held}")
    for clause in (sentence, *_CLAUSE.split(sentence)):
        told = words(clause)
        unsaid = [word for word in told if not bears(word, there) and not one_meaning(word, there)]
        if 2 * len(unsaid) <= len(told) or (
            clause != sentence and (len(unsaid) < 2 or not (len(told) > 2 or any(map(does, told))))
        ):
            continue
        message = f"the evidence does not speak of {', '.join(unsaid[:4])}"
        return wrong("claim-unsaid", message, "say only what it says")
    return None


def _unnamed(sentence: str, held: str, beside: str) -> Finding | None:
    """A name that opens a sentence, where its capital tells nothing: a word that no evidence has, and no list of common
    words, nor the section in lower case."""
    there = words(held)
    for found in _OPENS.finditer(sentence):
        word = re.sub(r"(?<=[A-Z])s$", "", re.split("['’]", found["word"])[0])  # PEPs are of the name PEP
        common = word.casefold() in _OPENERS or word.casefold().endswith(_COMMON) or not word[0].isupper()
        common = common or bool(quantities(word)) or _GERUND.match(sentence, found.start("word")) is not None
        known = bears(key_of(word), there) or one_meaning(key_of(word), there) or key_of(word) in key_of(held).split()
        if not common and not known and not re.search(rf"\b{word[0].lower()}{re.escape(word[1:])}", beside):
            message = f"the name {word!r} is in no quote of this claim"
            return wrong("claim-name", message, "open with what the quote names, or quote the words that hold it")
    return None


def _reversed(sentence: str, held: str, about: str) -> Finding | None:
    """The opposite of what the evidence says, unless one of them denies it; or an act that it does not tell."""
    for mine, yours in opposed(sentence, held):
        clause = next((part for part in PATTERNS["clauses"].split(held) if yours in key_of(part)), held)
        before, _, after = key_of(clause).partition(yours)
        first = words(key_of(sentence).partition(mine)[0])
        # "The river is below the bridge" where "the bridge is above the river"
        seen = any(word in words(after) and word not in words(before) for word in first if word.isalpha())
        denied = [PATTERNS["denies"].search(one) is not None for one in (sentence, clause)]
        if not seen and denied[0] is denied[1]:
            message = f"the sentence says {mine!r}, and the quote says {yours!r}"
            return wrong("claim-opposite", message, "say it as the quote does")
    if verb := other_verb(sentence, held, about):
        message = f"the quote says {verb[1]!r} where the sentence says {verb[0]!r}"
        return wrong("claim-unsaid", message, "take the verb of the quote")
    if act := unheld_act(_NO_ACT.sub(" ", sentence), f"{held} {about}"):
        return wrong("claim-unsaid", f"the evidence does not say {act!r}", "say only what it says")
    return None


def _turned(sentence: str, evidence: Mapping[str, str]) -> Finding | None:
    """A denial that came or went, what was proposed told as done, what will be told as past, a demand nobody made.

    For each clause of the sentence that part of the evidence counts that shares most words with it.
    """
    guarded = PATTERNS["hedged"].search(sentence) or PATTERNS["guarded"].search(sentence)
    sentence = PATTERNS["no_strength"].sub(" ", sentence)
    plain = ((name, PATTERNS["no_strength"].sub(" ", text)) for name, text in evidence.items())
    parts = [(name, part) for name, text in plain for part in PATTERNS["clauses"].split(text) if part.strip()]
    there = [words(part) for _, part in parts]
    held = " ; ".join(part for _, part in parts)
    denial = PATTERNS["negation"].search(sentence)
    if denial and not (PATTERNS["negation"].search(held) or PATTERNS["undone"].search(held)):
        return wrong("claim-denial", f"the sentence denies ({denial[0]!r}), and its evidence does not", _AS_IT_IS)
    denies, undone = PATTERNS["negation"].search(sentence), list(PATTERNS["undone"].finditer(sentence))
    answers = any(found[0].casefold() not in held.casefold() for found in undone) or any(opposed(sentence, held))
    for unit in dict.fromkeys((sentence, *PATTERNS["clauses"].split(sentence))):
        told = words(unit)
        borne = [sum(bears(word, part) for word in told) for part in there]
        loose = unit is sentence and not undone
        for (name, part), count in zip(parts, borne, strict=True):
            if count != max(borne) or (count < 3 and unit is not sentence):
                continue
            where = f"the words of {name} say" if name else "the quote says"
            if not (denies or answers) and (found := _governing(PATTERNS["denies"], part, told, not loose)):
                message = f"{where} {found[0]!r} ({_near(part, found)}), and the sentence does not deny"
                return wrong("claim-denial", message, _AS_IT_IS)
            if not guarded and "accept" not in part and (found := _governing(PATTERNS["hedged"], part, told)):
                message = f"{where} {found[0]!r} ({_near(part, found)}), and the sentence tells it as a fact"
                return wrong("claim-strength", message, f"keep {found[0]!r} or a word as weak")
            if unit is sentence and not guarded and (own := _told_so(part, told) or _conditional(part, sentence, told)):
                message = f"{where} {own!r}, and the sentence tells it as a fact"
                return wrong("claim-strength", message, f"say {own.split()[0]!r} as well")
            if not (denies or undone) and (turn := _turn(part, told)):
                message = f"{where} {turn[0]!r} ({_near(part, turn)}), and the sentence does not"
                return wrong("claim-denial", message, _AS_IT_IS)
            for will in () if PATTERNS["later"].search(sentence) else PATTERNS["future"].finditer(part):
                verbs = [word for word in words(part[will.end() :])[:2] if bears(word, told) or one_meaning(word, told)]
                whole = re.match(r"\s+(?:\w+\s+){0,2}be\s", part[will.end() :])  # "is closed" is not past
                past = [w for m in PATTERNS["past"].finditer(unit) for w in words(m[1] or (not whole and m[2]) or "")]
                if any(bears(verb, past) or one_meaning(verb, past) for verb in verbs):
                    message = f"{where} {will[0]!r} ({_near(part, will)}), and the sentence tells it as past"
                    return wrong("claim-strength", message, f"keep {will[0]!r}")
    demand = PATTERNS["demands"].search(sentence)
    if demand and not PATTERNS["demanded"].search(held):
        return wrong("claim-strength", f"the sentence says {demand[0]!r}, and its evidence does not", "claim no more")
    return None


def _governing(pattern: re.Pattern[str], part: str, told: Collection[str], strict: bool = True) -> re.Match[str] | None:
    """The first such word of which the sentence tells what follows it; unless `strict`, the first that is no aside."""
    for found in pattern.finditer(part):
        aside = strict or PATTERNS["aside"].search(part[max(0, found.end() - 60) : found.end()])
        governed = words(part[found.end() :])[:3] if aside else []
        if not governed or any(bears(word, told) for word in governed):
            return found
    return None


def _turn(part: str, told: list[str]) -> re.Match[str] | None:
    """A word that turns round what comes right after it, of which the sentence tells the latter alone."""
    found = PATTERNS["turning"].search(part)
    after = words(part[found.end() :])[:1] if found else []
    borne = any(bears(word, told) or one_meaning(word, told) for word in after)
    return found if found and borne and not one_meaning(key_of(found[0]), told) else None


def _told_so(part: str, told: Collection[str]) -> str:
    """Who says what the sentence tells, where the evidence has it from somebody."""
    found = PATTERNS["hearsay"].search(part)
    after = words(part[found.end() :]) if found else []
    return found[0].strip(" .;:,(\n") if found and sum(bears(word, told) for word in after) > 1 else ""


def _conditional(part: str, sentence: str, told: Collection[str]) -> str:
    """The condition that the sentence drops from what it tells."""
    found = PATTERNS["condition"].search(part)
    if found is None or PATTERNS["conditional"].search(sentence):
        return ""
    main, condition = words(found["main"] or found["then"]), words(found["if"] or found["last"])
    shared = [sum(bears(word, told) for word in side) for side in (main, condition)]
    whole = shared[0] > 1 and 2 * shared[1] < len(condition) and 2 * shared[0] > len(told)
    return " ".join(found[0].strip(" .;:,(\n").split())[:60] if whole else ""


def _near(text: str, found: re.Match[str]) -> str:
    """A few words around a match, for the reader of a refusal."""
    return f"… {' '.join(text[max(0, found.start() - 30) : found.end() + 40].split())} …"


def _swapped(sentence: str, held: str, about: str) -> Finding | None:
    """Numbers that are not there, or count other things than in the evidence, or two sides that have changed places."""
    if lost := miscounted(spoken(sentence), spoken(f"{about} . {held}")):
        message = f"the sentence says {lost[0]!r}, and the evidence {f'says {lost[1]!r}' if lost[1] else 'does not'}"
        return wrong("claim-number", message, "keep each number with its magnitude and its unit")
    counted = _counted(held)
    for number, beside in _counted(sentence):
        others = sorted({n for n, by in counted if by == beside})
        there = {word for n, by in counted if n == number for word in by.split()}
        if others and there and not there >= set(beside.split()):
            message = f"the sentence has {number!r} where the evidence has {others[0]!r} (at {beside.strip('_ ')!r})"
            return wrong("claim-number", message, "keep each number with what it counts")
    if verb := swapped(sentence, held):
        message = f"in the evidence the two sides of {verb!r} stand the other way round"
        return wrong("claim-swapped", message, "say which is which as the quote does")
    doer, other = other_doer(sentence, held)
    if doer:
        message = f"the quote says this of {other!r}, the sentence of {doer!r}"
        return wrong("claim-subject", message, "say it of what the quote says it of")
    return None


def _counted(text: str) -> list[tuple[str, str]]:
    """Each number with a place it stands at: the word before it, the two before it, the word after it."""
    out, text = [], spoken(text).replace("`", "")
    for date, start, end in reversed(dates(text)):  # each is one number
        text = text[:start] + date.replace("-", "") + text[end:]
    for m in _COUNTED.finditer(text):
        before = words(re.split(r"[.;!?()]\s", text[max(0, m.start() - 50) : m.start()])[-1])[-2:]
        after = words(m[2] or "")
        beside = [f"{' '.join(part)} _" for part in (before[-1:], before) if part]
        beside += [f"_ {word}" for word in after]
        out += [(n.replace(",", ""), by) for n in re.findall(r"\d+(?:[.,]\d+)*", m[1]) for by in beside]
    return out


def _other(sentence: str, held: str, around: str) -> Finding | None:
    """A role that a header field does not give, or another thing put in the midst of the words of the quote."""
    role = PATTERNS["roles"].search(sentence)
    same = "auth|wr[io]t" if role and role[1].casefold()[:2] in ("au", "wr") else role and role[1]
    if role and same and _FIELD.match(held) and not re.search(same, held, re.IGNORECASE):
        field = held.partition(":")[0]
        return wrong("claim-unsaid", f"the field {field!r} does not say {role[0]!r}", f"name it as {field!r} does")
    quote, told = key_of(held).split(), key_of(sentence).split()
    there, said = words(f"{held} {around}"), words(sentence)
    blocks = SequenceMatcher(None, quote, told, autojunk=False).get_opcodes()
    for before, (what, i, j, k, m), after in zip(blocks, blocks[1:], blocks[2:], strict=False):
        short = min(before[2] - before[1], after[2] - after[1]) < 2
        if what != "replace" or short or _ARTICLES.isdisjoint(told[max(0, k - 2) : k]):
            continue
        new, old = words(" ".join(told[k:m])), words(" ".join(quote[i:j]))
        known = any(bears(w, there) or one_meaning(w, there) for w in new) or any(bears(w, said) for w in old)
        if new and old and not known and not any(opposed(" ".join(new), " ".join(old))):
            message = f"the quote says {' '.join(quote[i:j])!r} where the sentence says {' '.join(told[k:m])!r}"
            return wrong("claim-unsaid", message, "name what the quote names")
    return None


def _foreign(sentence: str, held: str, about: str, before: str, after: str) -> Finding | None:
    """Another thing in the place of a pronoun, or a thing that neither the quote nor its section names."""
    near = words(f"{about} {held} {before} {after}")
    if pronoun := PATTERNS["pronoun"].match(held):
        told, said = key_of(sentence).split(), key_of(held).split()
        same = SequenceMatcher(None, told, said, autojunk=False).get_matching_blocks()
        first = next((one.a for one in same if one.size > 1), 0)
        named = words(" ".join(told[:first]))
        there = words(f"{about} {held} {before.split(chr(10))[0]} {' '.join(_ENDS.split(before.rstrip())[-2:])}")
        if named and not any(bears(word, there) or word in _GENERAL for word in named):
            message = f"the quote says {pronoun[0]!r}, and just before it stands nothing of {' '.join(named)!r}"
            return wrong("claim-subject", message, "quote the sentence that names it as well")
    for found in PATTERNS["nouns"].finditer(sentence):
        named = [word for word in words(found[1]) if word not in _WHICH]
        if named and not any(bears(word, near) or word in _GENERAL for word in named):
            message = f"neither the quote nor its section speaks of {found[1]!r}"
            return wrong("claim-unsaid", message, "name what the quote names, or quote the words that name it")
    return None


def words(text: str) -> list[str]:
    """The words that carry meaning, in normal form."""
    return [w for w in key_of(text).split() if (len(w) > 2 or not w.isalpha()) and w not in _SMALL]


def bears(word: str, there: Collection[str]) -> bool:
    """The word itself, or another form of it."""
    stem = word[: max(4, len(word) - 3)]
    return word in there or (len(word) > 4 and not word.isdigit() and any(other.startswith(stem) for other in there))


def wrong(rule: str, message: str, hint: str) -> Finding:
    return Finding(rule, "error", "claim", message, hint)
