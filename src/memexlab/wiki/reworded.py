"""Whether a line that a person worded anew still says what its quotes say, and what is said of it on other pages.

Stricter than the gate that drafts pass: a word that is new must be one of the quotes, and what weakens, counts or
denies may neither come nor go. It knows no page and no ledger.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from ..memory.search.passages import normal
from .blocks import CLAIMED, LINK, MARK, Hand
from .entailment import bears, unsupported
from .live_claims import Put, Statement
from .opposites import one_meaning
from .prose import spoken
from .subjects import key_of, safe

with (Path(__file__).parent / "reworded.toml").open("rb") as _file:
    _LISTS = tomllib.load(_file)
_HARMLESS = frozenset(key_of(_LISTS["harmless"]).split())
_ROW = {word: place for place, row in enumerate(_LISTS["weigh"].split("|")) for word in key_of(row).split()}
_FORM = {word: place for place, row in enumerate(_LISTS["forms"].split("|")) for word in key_of(row).split()}
_NOW, _THEN = (frozenset(key_of(side).split()) for side in _LISTS["tenses"])
_LEAD = re.compile(r"(?:[-*] +)?\*\*([^*\n]+?)[.:]\*\*:? +")
_ITEM = re.compile(r"[-*] +")
_VALUE = re.compile(r"[-*] \*\*([^*\n]+):\*\* (.+)", re.DOTALL)


def borne(was: str, now: str, quotes: Mapping[str, str], about: str, speakers: Collection[str] = ()) -> bool:
    """Whether quotes (words by name) bear `now` as they bore `was`, both `bare`; who is named before the words in bold
    must be one of the `speakers`."""
    lead = _LEAD.match(now)
    named = set(key_of(lead[1]).split()) if lead else set()
    if lead and any(named <= set(key_of(speaker).split()) for speaker in speakers):
        now = now[lead.end() :]
    was, now = (_ITEM.sub("", text, count=1) if _ITEM.match(text) else text for text in (was, now))
    if not quotes or now.count("?") > was.count("?"):
        return False
    held, before, after = (
        key_of(text).split() for text in (f"{' '.join(quotes.values())} {about}", spoken(was), spoken(now))
    )
    if _weighing(before) != _weighing(after):
        return False
    if _THEN & set(after) - {*held, *before} and _NOW & {*held, *before} and not _NOW & set(after):
        return False
    fresh = [word for word in after if not (word in before or word in _HARMLESS or word in _ROW)]
    forms = {_FORM[word] for word in held if word in _FORM}
    if not all(bears(word, held) or one_meaning(word, held) or _FORM.get(word) in forms for word in fresh):
        return False
    now = re.sub(r"\w+", lambda m: m[0].lower() if key_of(m[0]) in _HARMLESS else m[0], now, count=1)  # it is no name
    wrong = unsupported(now, quotes, about)
    return wrong is None or (wrong == unsupported(was, quotes, about) and not fresh)


class Reworded:
    """What people put in place of lines, by the name of each, and in place of the sentences that these rest on."""

    def __init__(self, hands: Iterable[Hand], put: Iterable[Put]) -> None:
        self.lines = {name: hand for hand in hands for name in hand.instead if not hand.gone}
        self._sentences = {
            (source, one.words[2]): hand
            for one in put
            if not one.gone and (hand := self.lines.get(one.id)) is not None and not MARK.search(hand.text)
            for source in one.among
        }

    def of(self, s: Statement) -> Hand | None:
        """What a person says instead of this claim: in its line, or in that of another claim of its sentence."""
        if s.id in self.lines or not s.quotes or not self._sentences:
            return self.lines.get(s.id)
        hand = self._sentences.get((s.source, normal(s.quotes[0].text)))
        same = hand is not None and s.object and re.search(rf"(?<!\w){re.escape(s.object)}(?!\w)", hand.text)
        return None if same else hand

    def value(self, s: Statement) -> str:
        """The value that a person gives in place of that of the claim; '' where none does."""
        if (hand := self.of(s)) is None or s.id in self.lines:
            return hand.value if hand is not None else ""
        now = bare(hand.text)
        return value_of(s.text, now[max(0, now.find(s.text.partition(s.object)[0])) :], s.object) or ""

    def mark(self, group: Iterable[Statement]) -> str:
        """What follows a line of another page than the one that was edited: who says what instead."""
        for s in group:
            if s.id not in self.lines and (hand := self.of(s)) is not None:
                words = safe(hand.words().replace("”", '"')[:300])
                return f" ({hand.by} says: “{words}”)"
        return ""


def _weighing(words: Collection[str]) -> Counter[int]:
    return Counter(_ROW[word] for word in words if word in _ROW)


def bare(text: str) -> str:
    """A line without its marks, its name and the addresses of its links."""
    return LINK.sub(lambda m: m[3] or m[1], CLAIMED.sub("", MARK.sub("", text))).strip()


def value_of(was: str, now: str, value: str) -> str | None:
    """The value that a line gives by now, where it gave this one; None where the line was worded anew."""
    if not value:
        return None
    before, found, after = was.partition(value)
    if found and len(now) > len(before + after) and now.startswith(before) and now.endswith(after):
        return now[len(before) : len(now) - len(after)].strip()
    field = _VALUE.fullmatch(now)
    return field[2].partition(" · ")[0] if field else None
