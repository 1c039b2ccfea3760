"""Which sentences of a document stand for it: its summary, some of each part, or all of a short one; and the words of
others that it keeps. It knows headings and how sentences begin, and nothing of values or names.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from ..memory.search.passages import normal
from .claims import Proposal
from .prose import CREDIT, Sentence, spoken
from .quotes import Span
from .readers import Document

KEY_SENTENCES = 12
SHORT_SENTENCES = 12
#: A chapter so long gives one sentence more, and again one for each such stretch of it.
_STRETCH_CHARS = 12_000

with (Path(__file__).parent / "extract.toml").open("rb") as _file:
    _lists = tomllib.load(_file)
WORDS = {name: frozenset(words.split()) for name, words in _lists["words"].items()}
PATTERNS = {name: re.compile(text.replace("\n", ""), re.IGNORECASE) for name, text in _lists["patterns"].items()}
FORMAL, HANGING, LEAD = (PATTERNS[name] for name in ("formal", "hanging", "lead"))
#: Sentences that many documents copy from one another.
STOCK = re.compile(
    r"\bRFC 2119\b|\bkey words [\"“']MUST\b|\bpublic domain\b|\ball rights reserved\b"
    r"|^(?:\w+: )?printed (?:by|in|for)\b|\bright of translation\b"
    r"|\b(?:uses?|accept) (?:\w+ )?cookies\b|\bunsubscribe\b|^permission is (?:hereby )?granted"
    r"|^My dear (?-i:[A-Z])|\b(?:I am|I remain|Yours|Ever)\b.{0,40} (?:affectionately|sincerely|truly|faithfully)\b"
    r"|^(?-i:[A-Z][\w’'-]+, (?:[A-Z]\.[ -]?){1,3}).{0,120}\(\d{4}[a-z]?\)", re.IGNORECASE,  # what is only cited
)  # fmt: skip
_NOTE = re.compile(r"note\b|\*note:", re.IGNORECASE)
_ASKS = re.compile(r"(?:open|open questions?|questions?|to ?do)\b ?:", re.IGNORECASE)
_OWN = re.compile(r"This [\w ]{1,40}? [a-z]+(?:s|ed)\b")
#: A sentence in which a document says what it is for.
_PURPOSE = re.compile(
    r"(?:This|The present)(?: new)? (?:PEP|RFC|document|note|specification|proposal|standard|page|paper|policy|draft|"
    r"article|report|post|guide|book|study|library|project|package|tool|repository|is an? )|"
    r"(?:This|We|I) (?:propose|describe|specif|define|introduce|present|show|test whether|examine|investigate)"
)
_CONCLUDES = re.compile(r"(?:(?:We|I) (?:therefore )?conclude|(?:Our|The|These) results (?:show|suggest|indicate))\b")
#: The words of another, and the line below that says whose they are.
_QUOTED = re.compile(
    rf"^(?P<said>(?:[ \t]*>(?! ?\[!).*\n?)+)(?:{CREDIT}(?P<by>.+(?:\n(?![ \t]*(?:\n|[>#])).+)*))?", re.MULTILINE
)


def good(sentence: Sentence) -> bool:
    text = sentence.text
    letters = sum(c.isalpha() or c == " " for c in text)
    return (
        40 <= len(text) <= 420
        and not text.isupper()
        and text[-1] in ".!。！"
        and (text[0].isupper() or text[0] in '`"“' or not text[0].isascii())
        and letters > 0.75 * len(text)
        and text.count("`") % 2 == 0
        and len(re.sub(r"`[^`]*`", "", text).split()) > 3
        and "http" not in text
        and text.count(")") <= text.count("(")  # else a part of a sentence
    )


def plain(sentence: Sentence) -> bool:
    """Whether it says something, as a note may say it: shortly, after a small letter, or as an item without a stop."""
    text = sentence.text
    words = text.split()
    ends = text[-1] in ".!。！" or (
        len(words) > 4 and text[-1] not in "?:,;" and 2 * sum(map(str.islower, words)) > len(words)
    )
    return (
        ends
        and (len(words) > 2 or not text.isascii())
        and 12 <= len(text) <= 420
        and not text.isupper()
        and (text.count(")") <= text.count("(") or text[0] in ":;")
        and sum(c.isalpha() or c == " " for c in text) > 0.6 * len(text)
        and "http" not in text
        and not (PATTERNS["frame"].match(text) or STOCK.search(text))
    )


def summary(document: Document, told: Sequence[Sentence]) -> list[Sentence]:
    """Up to two sentences of the abstract, else of the first paragraph that says something; and its conclusion."""
    fits = plain if len(told) < SHORT_SENTENCES else good
    leads = [i for i, section in enumerate(document.sections) if LEAD.match(section.heading)]
    for wanted in (leads[:1], None):
        near = [s for s in told if (wanted is None or s.section in wanted) and not s.item and fits(s)]
        near = [s for s in near if not (PATTERNS["there"].match(s.text) or _NOTE.match(s.text) or STOCK.search(s.text))]
        near = [s for s in near if s.section == near[0].section] if near else []
        # The "it" of a first sentence is what the title names.
        while near and HANGING.match(t := near[0].text) and not (_OWN.match(t) or _PURPOSE.match(t)):
            if near[0] is told[0] and t.startswith("It "):
                break
            near.pop(0)
        if near:  # what a document says of itself, before what it says of the world
            place = next((i for i, s in enumerate(near[:8]) if _PURPOSE.match(s.text)), 0)
            concluded = next((s for s in near[place + 2 :] if _CONCLUDES.match(s.text)), None)
            return [*near[place : place + 2], *([concluded] if concluded else [])]
    return []


def of_parts(
    document: Document, subject: str, told: Sequence[Sentence], used: Collection[int], led: bool, day: str | None
) -> Iterator[Proposal]:
    """A sentence of each section that stands on its own, the first; where sections are many, of the uppermost, and of a
    long one those that hold most of its words. Of a text without headings, one of each stretch of it."""
    alone = [s for s in told if s.start not in used and not s.item and good(s)
             and not (HANGING.match(s.text) or STOCK.search(s.text))]  # fmt: skip
    if len(document.sections) < 2:
        chosen = [s for s in alone if s.opens]
        if len(chosen) > KEY_SENTENCES:
            size = len(document.text) // KEY_SENTENCES + 1
            stretches = ([s for s in alone if s.start // size == place] for place in range(KEY_SENTENCES))
            chosen = [s for stretch in stretches for s in _weightiest(stretch, 1)]
        rest = _weightiest([s for s in alone if s not in chosen], KEY_SENTENCES - len(chosen))
        for s in sorted([*chosen, *rest], key=lambda s: s.start):
            yield Proposal(subject, s.text, (Span(s.start, s.end),), "says", None, day)
        return
    among: dict[int, list[Sentence]] = {}
    for s in sorted(alone, key=lambda s: PATTERNS["loose"].search(s.text) is not None):
        if s.section >= 0:
            section = document.sections[s.section]
            heading = spoken(section.heading)
            if not (PATTERNS["quiet"].match(heading) or section.level > 3 or (led and LEAD.match(heading))):
                among.setdefault(s.section, []).append(s)
    kept = sorted(among, key=lambda place: (document.sections[place].level, place))[:KEY_SENTENCES]
    for place in sorted(kept):
        first, *rest = among[place]
        section = document.sections[place]
        more = min(2 * KEY_SENTENCES // len(kept) - 1, (section.end - section.start) // _STRETCH_CHARS)
        for s in sorted([first, *_weightiest(rest, more)], key=lambda s: s.start):
            scope = {"section": spoken(section.heading)}
            yield Proposal(subject, s.text, (Span(s.start, s.end),), "says", None, day, scope=scope)


def _weightiest(told: Sequence[Sentence], wanted: int) -> list[Sentence]:
    """Those whose words come most often in all of them, the longer words alone."""
    words = [{word for word in re.findall(r"\w+", s.text.casefold()) if len(word) > 4} for s in told]
    counts = Counter(word for of_one in words for word in of_one)
    weights = [sum(counts[word] for word in of_one) / (len(of_one) + 4) for of_one in words]
    best = sorted(range(len(told)), key=lambda place: (-weights[place], place))[: max(0, wanted)]
    return [told[place] for place in sorted(best)]


def collects(document: Document, told: Sequence[Sentence]) -> bool:
    """Whether most of a document are the words of others."""
    return sum(len(m[0]) for m in _QUOTED.finditer(document.text)) > sum(len(s.text) for s in told)


def quotations(document: Document, subject: str, told: Sequence[Sentence], day: str | None) -> Iterator[Proposal]:
    """What a note quotes and from whom; what it quotes without a name, where it is a collection of such words."""
    if document.media != "text/markdown" or document.uri:
        return
    collection = collects(document, told)
    for m in _QUOTED.finditer(document.text):
        words, *by = re.split(rf"\n[ \t]*>[ \t]*{CREDIT}", m["said"])
        said = spoken(re.sub(r"(?m)^[ \t]*>[ \t]?", "", words)).strip('"“” ')
        whose = spoken(m["by"] or (by[0] if by else "")).rstrip(". ")
        if 12 <= len(said) <= 600 and (whose or collection):
            place = sum(section.start <= m.start() for section in document.sections) - 1
            heading = spoken(document.sections[place].heading) if place >= 0 else ""
            scope = {"section": heading} if heading and normal(heading) != normal(subject) else {}
            quote = Span(m.start(), m.start() + len(m[0].rstrip()))
            yield Proposal(subject, f"“{said}”{f' ({whose})' * bool(whose)}", (quote,), "says", None, day, scope=scope)


def every_sentence(
    document: Document, subject: str, told: Sequence[Sentence], used: Collection[int], own: Collection[str],
    day: str | None,
) -> Iterator[Proposal]:  # fmt: skip
    """Of a short document every plain sentence: it has no room for what does not matter."""
    label, typed = "", document.media in ("text/markdown", "text/plain")  # not the menus of a page
    for s in told:
        heading = spoken(document.sections[s.section].heading) if s.section >= 0 else ""
        label = label if s.item else s.text[:-1] if s.text[-1] == ":" and len(s.text.split()) < 6 else ""
        noted = typed and (s.item or _ASKS.match(s.text)) and re.search(r" \S+ |\w: ", s.text) and "http" not in s.text
        if s.start not in used and (plain(s) or noted) and not FORMAL.match(heading):
            said = label or ("" if normal(heading) in own or LEAD.match(heading) else heading)
            scope = {"section": said} if said else {}
            yield Proposal(subject, s.text, (Span(s.start, s.end),), "says", None, day, scope=scope)
