"""Sentences that speak of the same: cosine of rare words over an inverted index, and whether they agree or not.

Words are compared, not meanings: what it finds are candidates. It knows neither gates nor people.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from .corpus import Corpus, Said

#: A word in more sentences than this finds no pairs, it only weighs them.
_BLOCK_DF = 250
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|nothing|neither|cannot|without|hardly|scarcely|rarely|seldom|impossible|erroneous|false|"
    r"disbelieve|deny|denies|denied)\b|n't\b"
)
_NO_NEGATION = re.compile(
    r"\bno(?:t the least| little)? (?:doubt|question)\b|\b(?:not|cannot|hardly) (?:only|but|doubt|merely|fail)\b|"
    r"\bno (?:less|longer)\b|\bcan not but\b"
)
_OPPOSITES = tuple(
    (re.compile(rf"\b(?:{a})\b"), re.compile(rf"\b(?:{b})\b"))
    for a, b in (
        ("always|invariably|universally", "sometimes|occasionally|rarely|seldom"), ("all|every", "few|some|no"),
        ("increase[sd]?|more", "decrease[sd]?|less"), ("strong(?:ly)?|great|important", "weak(?:ly)?|slight|trifling"),
        ("sudden(?:ly)?", "gradual(?:ly)?|slow(?:ly)?"), ("possible|probable", "impossible|improbable"),
    )
)  # fmt: skip


class Matcher:
    """Finds what is said elsewhere in the corpus on the subject of a sentence."""

    def __init__(self, corpus: Corpus) -> None:
        self.said = corpus.counted
        count = Counter(word for one in self.said for word in one.words)
        self.weight = {word: math.log(len(self.said) / df) for word, df in count.items()}
        self._postings: dict[str, list[int]] = defaultdict(list)
        self._norm: list[float] = []
        for place, one in enumerate(self.said):
            self._norm.append(self._length(one.words))
            for word in one.words:
                if 2 <= count[word] <= _BLOCK_DF:
                    self._postings[word].append(place)

    def near(self, said: Said, least: float, shared: int = 3) -> list[tuple[float, Said]]:
        """Sentences of other groups with a cosine of at least `least` and `shared` words in common, best first."""
        asked = frozenset(said.words)
        norm = self._length(asked)
        hits = Counter[int]()
        for word in asked:
            hits.update(self._postings.get(word, ()))
        found = []
        for place in hits:
            other = self.said[place]
            common = asked.intersection(other.words)
            if other.group != said.group and len(common) >= shared:
                cosine = sum(self.weight[word] ** 2 for word in common) / (norm * self._norm[place])
                found += [(cosine, other)] if cosine >= least else []
        return sorted(found, key=lambda hit: (-hit[0], hit[1].source, hit[1].start))

    def alike(self, a: Said, b: Said) -> float:
        """The cosine of two sentences."""
        common = frozenset(a.words).intersection(b.words)
        return self._length(common) ** 2 / (self._length(a.words) * self._length(b.words)) if common else 0.0

    def _length(self, words: Iterable[str]) -> float:
        return math.sqrt(sum(self.weight.get(word, 0.0) ** 2 for word in words)) or 1.0


def negative(text: str) -> bool:
    """Whether the sentence turns what it says round, an even number of times being none."""
    plain = _NO_NEGATION.sub("", text.lower())
    return len(_NEGATION.findall(plain)) % 2 == 1


def opposed(a: str, b: str) -> bool:
    """Whether two sentences on one thing pull apart: one is negative, or they hold words of opposite meaning."""
    if negative(a) != negative(b):
        return True
    x, y = a.lower(), b.lower()
    return any(
        (p.search(x) and q.search(y) and not q.search(x) and not p.search(y))
        or (q.search(x) and p.search(y) and not p.search(x) and not q.search(y))
        for p, q in _OPPOSITES
    )
