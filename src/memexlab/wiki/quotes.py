"""The quote gate: is this quote in that text, where, and does the evidence bear the values of a claim?

A ladder, first rung wins: the exact characters; the same after normalising (ligatures, curly quotes, dashes, white
space, line wraps, hyphens at line ends, emphasis); the same after masking page artefacts, or in parts at elision marks;
else refused. Words are never compared by likeness: a sentence and its negation are nearly alike. It reads no files.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Literal

from ..ledger import Finding
from .dates import dates
from .opposites import one_meaning
from .prose import LINKS, stops
from .quantities import PATTERNS, WORDS, quantities, ungrouped

How = Literal["exact", "normalised", "masked"]
#: How many characters may lie between two parts of a quote with an elision mark, and how short a part may be.
GAP_CHARS, PART_WORDS = 1_000, 3

_ONE = {**dict.fromkeys("‘’‚‛′´", "'"), **dict.fromkeys("“”„‟″«»", '"'), **dict.fromkeys("‐‑‒–—―−", "-")}
_NOTHING = frozenset("\u00ad\u200b\u200c\u200d\u2060\ufeff")
_WRAP = re.compile(r"(?<=[^\W\d_])[-\u2010\u00ad][ \t]*\r?\n[ \t]*(?=[^\W\d_])")
_SPACE = re.compile(r"\s+(?:>[ \t]*)*|\s*\f\s*")
_EMPHASIS = re.compile(r"(?<![^\W_])[*_`]+(?=\S)|(?<=\S)[*_`]+(?![^\W_])")
#: A dash as a typewriter has it; a row of more is a rule, and stays.
_DASH = re.compile(r"\s*(?:(?<![-\n])--(?![-\n])|[—―])\s*")
#: The line of a script without spaces may be wrapped anywhere.
_CJK = r"[\u3001-\u30ff\u3400-\u9fff\uff01-\uff60]"
_CJK_WRAP = re.compile(rf"(?<={_CJK})[ \t]*\r?\n[ \t]*(?={_CJK})")
#: Tags of HTML and the sign that makes the next one no markup.
_TAG = re.compile(
    r"</?(?:em|i|b|u|a|strong|span|mark|small|code|kbd|su[bp]|(br))(?:\s[^<>]*)?/?>|\\([!-/:-@[-`{-~])", re.I
)
_ELISION = re.compile(r"\s*(?:\[\s*(?:\.{3}|…)\s*\]|\.{3,4}|…)\s*")
#: An elision stays in its paragraph; a page may break within a sentence.
_BORDER = re.compile(r"\n[ \t]*\r?\n|\f")
_HEADING = re.compile(r"\n[ \t]*#{1,6} |\n([=~^-])\1{2,}[ \t]*\r?\n")
#: What a page leaves between the words of a text: its number, a time stamp, a footnote mark.
_ARTEFACTS = re.compile(
    r"(?m)^[ \t]*(?:\f|[-–—\[{(]*[ \t]*(?:page[ \t]+)?\d{1,4}(?:[ \t]*(?:/|of)[ \t]*\d{1,4})?[ \t]*[-–—\]})]*"
    r"|\d\d:\d\d(?::\d\d)?[.,]?\d*(?:[ \t]*-->.*)?)[ \t]*$|\{\d{1,4}\}|\[\d{1,3}\]_?|\[\^[\w-]{1,20}\]|\f",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*(?:[eE][-+]?\d+)?")
_CODE = re.compile(r"`([^`]+)`")
#: Not the dot of a day, as in "31. Mai".
_NEW_SENTENCE = re.compile(r"(?<!\b\d)(?<!\b\d\d)[.!?]['\")]*\s+$")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Span:
    """Where a quote stands: characters of the text, from and to, and by which rung it was found."""

    start: int
    end: int
    how: How = "exact"


def locate(quote: str, text: str, lines: tuple[int, int] = (0, 0)) -> Span | None:
    """The span of `text` that says what `quote` says, word for word, or None; that on these lines (from 1) first."""
    if lines[0] > 0:
        kept = text.split("\n")
        before = sum(len(line) + 1 for line in kept[: lines[0] - 1])
        if span := locate(quote, "\n".join(kept[lines[0] - 1 : max(lines)])):
            return Span(before + span.start, before + span.end, span.how)
    quote = quote.strip()
    if len(_WORD.findall(quote)) < 2 and len(quote) < 8:
        return None
    for start in _all(quote, text):
        return Span(start, start + len(quote))
    rungs: tuple[How, ...] = ("normalised", "masked")
    for rung in rungs:
        for keep_hyphen in (False, True):
            plain, places = _plain_text(text, rung == "masked", keep_hyphen)
            if rung == "masked":
                quote = reduce(lambda said, link: link[0].sub(link[1], said), LINKS, quote)
            wanted = _plain(quote, False, keep_hyphen)[0].strip()
            for start in _all(wanted, plain):
                return _with_markup(text, places[start], places[start + len(wanted) - 1] + 1, rung)
    return _elided(quote, text)


def _with_markup(text: str, start: int, end: int, how: How) -> Span:
    """The span with the marks of emphasis and code that open and close it: what is quoted is what stands there."""
    while start and text[start - 1] in "*_`":
        start -= 1
    while end < len(text) and text[end] in "*_`":
        end += 1
    return Span(start, end, how)


#: What makes a word, or a number, begin earlier than a quote does; or end later.
_THIN = r"[ \u00a0\u202f\u2009]"
_LEADS = (re.compile(r"[^\W\d_][-\u2010\u2011](?:[ \t]*\n[ \t]*)?$"), re.compile(r"\d[.,]$|(?:^|\W)[-\u2212.]$"))
_FOLLOWS = (
    re.compile(r"['’]\w|[-\u2010\u2011](?:[ \t]*\n[ \t]*)?[^\W\d_]"),
    re.compile(rf"['’]\w|[.,]\d|{_THIN}?%"),
)


def _all(wanted: str, text: str) -> Iterator[int]:
    """Where it occurs, whole: not from within a word, nor cut off inside a word or a number."""
    start = text.find(wanted) if wanted else -1
    while start >= 0:
        before, after = text[max(0, start - 6) : start], text[start + len(wanted) : start + len(wanted) + 6]
        first, last = wanted[0], wanted[-1]
        within = first.isalnum() and (before[-1:].isalnum() or _LEADS[first.isdigit()].search(before))
        if first.isdigit() and re.match(r"\d{3}(?!\d)", wanted):
            within = within or re.search(rf"(?<![\d.,])\d{{1,3}}{_THIN}$", before)
        cut = last.isalnum() and (after[:1].isalnum() or _FOLLOWS[last.isdigit()].match(after))
        if last.isdigit() and re.search(r"(?<![\w.,])\d{1,3}$", wanted[-6:]):
            cut = cut or re.match(rf"{_THIN}\d{{3}}(?!\d)", after)
        if not within and not cut:
            yield start
        start = text.find(wanted, start + 1)


def _plain(text: str, masked: bool, keep_hyphen: bool) -> tuple[str, list[int]]:
    """The text in normal form, and for each of its characters the place in the original that it stands for."""
    cuts: list[tuple[int, int, str]] = []
    if masked:
        cuts += _references(text)
        cuts += [(m.start(), m.end(), " ") for m in _artefacts(text)]
        cuts += [(m.start(), m.end(), " " if m[1] else m[2] or "") for m in _TAG.finditer(text)]
        cuts += [(start, end, " ") for start, end in _running_heads(text)]
    # A hyphen at a line end is one of the word, or one of the wrap; nobody can say which, so that both are tried.
    cuts += [(m.start(), m.end(), "-" if keep_hyphen else "") for m in _WRAP.finditer(text)]
    cuts += [(m.start(), m.end(), "") for m in _CJK_WRAP.finditer(text)]
    if text.find("«") < text.find("»"):  # in French there are spaces inside; in German they point the other way
        cuts += [(m.start(), m.end(), "") for m in re.finditer(r"(?<=«)\s+|\s+(?=»)", text)]
    cuts += [(m.start(), m.end(), " ") for m in _SPACE.finditer(text)]
    cuts += [(m.start(), m.end(), "") for m in _EMPHASIS.finditer(text)]
    cuts += [(m.start(), m.end(), " - ") for m in _DASH.finditer(text)]
    cuts.sort(key=lambda cut: (cut[0], -cut[1]))
    out: list[str] = []
    places: list[int] = []

    def put(piece: str, place: int) -> None:
        if piece == " " and (not out or out[-1] == " "):
            return
        out.extend(piece)
        places.extend([place] * len(piece))

    at = 0
    for start, end, instead in [*cuts, (len(text), len(text), "")]:
        if end <= at and start < len(text):
            continue
        while at < start:
            here = at
            at += 1
            while at < start and unicodedata.combining(text[at]):
                at += 1
            if (letter := text[here:at]) not in _NOTHING:
                one = letter if letter.isascii() else _ONE.get(letter) or unicodedata.normalize("NFKC", letter)
                put("".join(_ONE.get(c, c) for c in one), here)
        put(instead, max(at, start))
        at = max(at, end)
    return "".join(out), places


def _references(text: str) -> Iterator[tuple[int, int, str]]:
    """What of links and roles is no word of the sentence, and what stands for it: "[Wren](url)", ":pep:`8`" (PEP 8)."""
    for pattern, instead in LINKS:
        for m in pattern.finditer(text):
            at = m.start()
            for said, group in re.findall(r"([^\\]*)(?:\\(\d)|$)", instead):
                start, end = m.span(int(group)) if group else (m.end(), m.end())
                if start > at or said:
                    yield at, start, said
                at = end


def _artefacts(text: str) -> Iterator[re.Match[str]]:
    """What a page leaves between words; a number alone is one but after a word
    that wants another, unless the page before or after has its own."""
    found = list(_ARTEFACTS.finditer(text))
    alone = {int(m[0]) for m in found if m[0].strip().isdecimal()}
    for m in found:
        number, told = int(m[0]) if m[0].strip().isdecimal() else -9, text[max(0, m.start() - 40) : m.start()].split()
        if number < 0 or {number - 1, number + 1} & alone or not told or told[-1].casefold() not in _LEANS:
            yield m


#: Words that want another one after them, so that a number below them is no page's.
_LEANS = frozenset(f"{WORDS['small']} {WORDS['verbs']}".split())
_plain_text = lru_cache(maxsize=12)(_plain)  # of sources, which are long and asked for again; quotes are neither


def _running_heads(text: str) -> Iterator[tuple[int, int]]:
    """Short lines that stand alone and come back, alike but for digits, three times or more."""
    seen: dict[str, list[tuple[int, int]]] = {}
    for match in re.finditer(r"(?:\A|\n[ \t]*\r?\n|\f)[ \t]*([^\n\f]{3,80})(?=\r?\n[ \t]*\r?\n|\Z)", text):
        if not re.search(r"[.!?;:,]\s*$", match[1]) and not _turns(match[1]):
            seen.setdefault(re.sub(r"\d+", "#", match[1].strip()), []).append(match.span(1))
    for spans in seen.values():
        if len(spans) >= 3:
            yield from spans


def _elided(quote: str, text: str) -> Span | None:
    parts = [_plain(part, False, False)[0].strip() for part in _ELISION.split(quote)]
    parts = [part for part in parts if part]
    if len(parts) < 2 or any(len(_WORD.findall(part)) < PART_WORDS for part in parts):
        return None
    plain, places = _plain_text(text, True, False)
    for first in _all(parts[0], plain):
        end = first + len(parts[0])
        for part in parts[1:]:
            window = plain[: end + GAP_CHARS + len(part)]
            at = next((found for found in _all(part, window) if found >= end), -1)
            if at < 0 or _leaves_out(plain, end, at, text[places[end - 1] : places[at]]):
                break
            end = at + len(part)
        else:
            return Span(places[first], places[end - 1] + 1, "masked")
    return None


def _leaves_out(plain: str, end: int, at: int, between: str) -> bool:
    """Whether an elision leaves its section, or drops from a sentence that is quoted in part what turns it round."""
    ended = [stop for stop in stops(plain, max(0, end - 40), min(len(plain), at + 2)) if end < stop <= at]
    if _HEADING.search(between) or (ended and _BORDER.search(between)):
        return True
    return _turns(plain[end : ended[0]] + " ; " + plain[ended[-1] : at] if ended else plain[end:at])


def _turns(left_out: str) -> bool:
    return any(PATTERNS[name].search(left_out) is not None for name in ("negation", "undone"))


def supported(claim_text: str, evidence: str) -> list[Finding]:
    """Every number, date and proper name of the claim that its evidence (quotes and titles) does not hold."""
    held_dates = {date for date, _, _ in dates(" ".join(evidence.split()))}
    held = {ungrouped(number) for number in _NUMBER.findall(evidence)}
    counted = quantities(evidence)
    held |= {format(one.value.normalize(), "f") for one in counted if not one.digits or one.times}
    held |= {one.digits for one in counted}
    held |= {part for number in held for part in number.split(".")} if re.search(r"\d\.\d+\.\d", evidence) else set()
    held_words = {word.casefold() for word in _WORD.findall(unicodedata.normalize("NFKC", evidence))}
    held_words |= {re.sub(r"['’]s$", "", word) for word in held_words}
    rest, missing = claim_text, []
    for date, start, end in dates(claim_text):
        if not any(known.startswith(date) for known in held_dates):
            missing.append(("date", claim_text[start:end]))
        rest = rest[:start] + " " * (end - start) + rest[end:]
    held |= {one.digits for one in quantities(rest) if one.times and format(one.value.normalize(), "f") in held}
    missing += [
        ("number", n)
        for n in _NUMBER.findall(rest)
        if ungrouped(n) not in held and (not re.fullmatch(r"\d{1,3}\.\d{3}", n) or n.replace(".", "") not in held)
    ]
    names = [word.casefold() for word in _WORD.findall(evidence) if word[0].isupper()]
    bare = re.sub(r"[\s`]+", "", evidence).casefold()
    codes = [re.sub(r"[\s`]+", "", code).casefold().removesuffix("()") for code in _CODE.findall(claim_text)]
    missing += [("name", code) for code in codes if code not in bare]
    for match in _WORD.finditer(unicodedata.normalize("NFKC", rest)):
        opens = not re.search(r"\w", rest[: match.start()]) or _NEW_SENTENCE.search(rest[: match.start()])
        word = re.sub(r"['’]s$", "", match[0])
        alike = {word.casefold(), re.sub(r"(?<=[A-Z])s$", "", word).casefold()}  # PEPs are of the name PEP
        alike |= {
            f"{told}{ending}" for told in alike if len(told) > 4 for ending in ("s", "es", "en", "n")
        }  # Windparks
        if word[0].isupper() and not opens and not alike & held_words and not one_meaning(word.casefold(), names):
            missing.append(("name", word))
    return [
        Finding(f"claim-{what}", "error", "claim", f"the {what} {value!r} is in no quote of this claim",
                "quote the words that hold it, or leave it out")
        for what, value in dict.fromkeys(missing)
    ]  # fmt: skip
