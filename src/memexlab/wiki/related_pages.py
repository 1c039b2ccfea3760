"""Which pages speak of which, and which are near: those that share most of the rare names they use or are used with.

It knows keys of pages and names of sources, and no words.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from math import fsum
from typing import Any

from .compile_cache import Kept
from .subjects import rounded

RARE, _SHARED_BY = 8, 12


class Links:
    """What speaks of what, source by source."""

    def __init__(self, kept: Kept, total: int) -> None:
        self._fresh, self._total = kept.fresh, rounded(total)
        self._ends, self._stirred = dict[str, tuple[float, float]](), set[str]()
        self._of = kept.table("links", list[Any])  # by source: its page, and the keys it speaks of
        self._speaks = kept.table("speaks", dict[str, list[str]])  # by page: by source, keys
        self._spoken = kept.table("spoken", dict[str, list[object]])  # by key: by source, its page and if in words

    def take(self, source: str, home: str, keys: Mapping[str, bool] | None) -> None:
        """Puts the keys a source speaks of (true: by their names, in its words) in place of those it did."""
        before, was = self._of[source] or ["", {}]
        now = dict(sorted(keys.items())) if keys is not None else {}
        if [before, was] == [home, now]:
            return
        if not self._fresh:
            for key in {*was, *now, before, home}:
                self._stirred |= self._showing(key)
                self._ends.setdefault(key, (self.weight(key), self.size(key)))
        if before:
            self._speaks.edit(before).pop(source, None)
        for key in was:
            self._spoken.edit(key).pop(source, None)
        if now:
            self._speaks.edit(home)[source] = list(now)
        for key, in_words in now.items():
            self._spoken.edit(key)[source] = [home, in_words]
        self._of.put(source, [home, now] if keys is not None else [])

    def speaks_of(self, home: str) -> set[str]:
        return {key for keys in self._speaks[home].values() for key in keys}

    def spoken_by(self, key: str) -> set[str]:
        return {str(home) for home, _ in self._spoken[key].values()}

    def using(self, key: str) -> set[str]:
        """What a page speaks of, and what speaks of it."""
        return self.speaks_of(key) | self.spoken_by(key)

    def weight(self, key: str) -> float:
        """How much a shared name says: the rarer, the more. In steps, so that one more use seldom changes it."""
        if not (sources := sum(bool(in_words) for _, in_words in self._spoken[key].values())):
            return 0.1
        return 1 / (1 + rounded(sources)) if sources * 3 <= max(self._total, 6) else 0.0

    def size(self, key: str) -> float:
        return float(rounded(1 + len(self.speaks_of(key)) + len(self.spoken_by(key))) ** 0.5)

    def around(self, key: str) -> set[str]:
        """All pages that it may be near to."""
        shared = (by for one in self.speaks_of(key) if len(by := self.spoken_by(one)) <= _SHARED_BY)
        return self.using(key).union(*shared)

    def near(self, page: str) -> list[str]:
        """The keys near a page, the nearest first; not all of them have a page."""
        found: dict[str, list[float]] = defaultdict(list)
        own = 0.5 * self.weight(page)
        for home in self.spoken_by(page):
            found[home].append(own)
        for key in self.speaks_of(page):
            weight, homes = self.weight(key), self.spoken_by(key)
            found[key].append(0.5 * weight)
            for other in homes if len(homes) <= _SHARED_BY else ():
                found[other].append(weight)
        scored = {key: round(fsum(weights) / self.size(key), 9) for key, weights in found.items() if key != page}
        return sorted((key for key, score in scored.items() if score > 0), key=lambda key: (-scored[key], key))

    def stirred(self) -> set[str]:
        """The pages whose list of what is near may show what was taken."""
        for key, told in self._ends.items():
            self._stirred |= self._showing(key) | (
                set() if told == (self.weight(key), self.size(key)) else self.around(key)
            )
        return self._stirred

    def _showing(self, key: str) -> set[str]:
        """The pages that may show each page that speaks of this one."""
        return {key} | (self.around(key) if len(self.spoken_by(key)) <= _SHARED_BY + 1 else set())
