"""What a corpus holds and lacks: words by kind, year and voice, groups, undated and unlicensed sources, works."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from .corpus import OWN, Corpus
from .statements import Coverage, Mention

_MOST_WORKS = 12
_LEAST_YEARS = 2


def coverage(corpus: Corpus, lineage: Sequence[Mention]) -> Coverage:
    """The coverage: words are those in the person's own voice, each text counted once; `voices` counts all words."""
    cells: dict[str, dict[int, int]] = {}
    voices = Counter[str]()
    for (voice, _, _), words in corpus.word_counts.items():
        voices[voice] += words
    for said in corpus.counted:
        row = cells.setdefault(said.segment.kind, {})
        row[said.year or 0] = row.get(said.year or 0, 0) + said.word_count
    groups = len({said.group for said in corpus.counted})
    years = sorted({year for row in cells.values() for year in row if year})
    cells = {kind: dict(sorted(row.items())) for kind, row in sorted(cells.items())}
    return Coverage(
        corpus.words, groups, len(corpus.texts), cells, dict(sorted(voices.items())), _gaps(corpus, years, lineage),
    )  # fmt: skip


def _gaps(corpus: Corpus, years: Sequence[int], lineage: Sequence[Mention]) -> tuple[str, ...]:
    found = []
    silent = [(a + 1, b - 1) for a, b in pairwise(years) if b - a > _LEAST_YEARS]
    found += [f"no words from {start} to {end}" for start, end in silent]
    copies = Counter(said.source for said in corpus.own if said.copy)
    for place, count in sorted(copies.items()):
        if count >= 20:
            found.append(f"{count} sentences of {corpus.texts[place].title} stand in another source too and count once")
    for text in corpus.texts:
        if not text.date:
            found.append(f"{text.title} has no date")
        if not text.licence:
            found.append(f"{text.title} has no licence and is not exported")
        if not any(segment.voice in OWN for segment in text.segments):
            found.append(f"{text.title} holds no words of {corpus.person}")
    works = [one for one in lineage if one.kind == "work" and not one.held][:_MOST_WORKS]
    found += [f"named and not held: '{work.name}' ({work.groups} groups)" for work in works]
    return tuple(found)
