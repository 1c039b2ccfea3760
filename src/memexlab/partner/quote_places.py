"""Where in a corpus given words stand: the quote gate over many long texts, and spans as sentences with their group."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable
from itertools import islice

from ..wiki.quotes import Span, locate
from .corpus import OWN, Corpus, Said

_AROUND_CHARS, _MOST_PLACES, _PRESENT_SHARE = 700, 2_000, 0.7

Hit = tuple[int, Span]


def find(quote: str, corpus: Corpus) -> Hit | None:
    """(source, span) of the words in the first text that holds them, own voice before any other; None if none does."""
    found = []
    for place, text in enumerate(corpus.texts):
        if (span := find_in(quote, text.text)) is not None:
            if corpus.voice_of(place, span.start, span.end) in OWN:
                return place, span
            found.append((place, span))
    return found[0] if found else None


def find_in(quote: str, text: str) -> Span | None:
    """As `locate`, in a long text: only where one of the two longest words stands among most of the others."""
    words = sorted(set(re.findall(r"[^\W\d_]{4,}", unicodedata.normalize("NFKC", quote))), key=lambda w: (-len(w), w))
    for word in words[:2]:
        looked = False
        for match in islice(re.finditer(re.escape(word), text), _MOST_PLACES):
            start = text.rfind("\n", 0, max(0, match.start() - len(quote) - _AROUND_CHARS)) + 1
            end = match.end() + len(quote) + _AROUND_CHARS
            part = text[start:end]
            if sum(other in part for other in words) < _PRESENT_SHARE * len(words):
                continue
            looked = True
            if (span := locate(quote, part)) is not None:
                return Span(start + span.start, start + span.end, span.how)
        if looked:
            break
    return None


def said_at(corpus: Corpus, hits: Iterable[Hit]) -> list[Said]:
    """The spans as sentences, each with the segment and the group that it counts for."""
    found = []
    for place, span in hits:
        parts = corpus.texts[place].segments
        segment = parts[max(0, bisect_right(parts, span.start, key=lambda one: one.start) - 1)]
        inside = next((o for o in corpus.own if o.source == place and o.start < span.end and o.end > span.start), None)
        group = inside.group if inside else (place, segment.unit)
        found.append(Said(place, span.start, span.end, "", segment, [], (), group))
    return found
