"""Sources of one title told apart: each has a page of its own, named with its date, else with where it lies.

What they say of the thing that they are named after, in words that name it, stays of that thing: there it can differ. A
source whose header gives it a type of page is that thing's page, and its copy is no other source. It is a function of
the sources that stand, whatever came first.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any
from zlib import crc32

from .compile_cache import Kept
from .live_claims import RUNS, Standing, Statement, Taken
from .subjects import key_of, words_of

_OF_THE_DOCUMENT = frozenset(["summary", "says", "dated"])


class Namesakes:
    """Which sources bear a title that others bear too, as far as `take` was told of them."""

    def __init__(self, kept: Kept) -> None:
        # by title: by source, its bytes, its date, and short names of what it says
        self._told = kept.table("namesakes", dict[str, list[Any]])
        self._title = kept.table("titled", str)  # by source
        self._marks: dict[str, dict[str, str]] = {}

    def take(self, found: Standing, names: Iterable[str], schema: Collection[str]) -> set[str]:
        """Takes note of these names of sources, of which those that stand are given, with all that they say; returns
        the sources that may be called otherwise by now."""
        before, says = dict[str, dict[str, str]](), defaultdict[str, set[int]](set)
        for s in found.statements:
            if s.relation in ("summary", "says"):
                says[s.source].add(crc32(s.text.encode("utf-8", errors="replace")))
        for name in names:
            taken, was = found.sources.get(name), self._title[name]
            alone = taken is None or name.startswith(RUNS) or (taken.kind in schema and taken.kind != "source")
            now = "" if alone or taken is None else key_of(taken.subject)
            told = [taken.blob, taken.date, sorted(says[name])] if taken is not None and now else []
            if was != now or self._told[now].get(name, []) != told:
                for title in {was, now} - {""}:
                    others = self._told.edit(title)
                    before.setdefault(title, _marks_of(others) if len(others) > 1 else {})
                    others.pop(name, None)
                    if title == now:
                        others[name] = told
                self._title.put(name, now)
        self._marks = {title: _marks_of(self._told[title]) for title in before}
        return {name for title, was in before.items() for name, _ in was.items() ^ self._marks[title].items()}

    def apart(self, found: Standing) -> Standing:
        """What stands, with sources of one title under different ones."""
        marks = {name: mark for name in found.sources if (mark := self._mark(name))}
        if not marks:
            return found
        sources = {name: _marked(taken, marks.get(name, "")) for name, taken in found.sources.items()}
        statements = tuple(
            s._replace(subject=f"{s.subject} ({marks[s.source]})")
            if s.source in marks and _own(s, found.sources[s.source]) else s for s in found.statements
        )  # fmt: skip
        return replace(found, sources=sources, statements=statements)

    def _mark(self, name: str) -> str:
        """What tells a source from others of its title; '' where it is alone, or they are copies of it."""
        if not (title := self._title[name]) or len(among := self._told[title]) < 2:
            return ""
        if title not in self._marks:
            self._marks[title] = _marks_of(among)
        return self._marks[title].get(name, "")


def _marks_of(among: Mapping[str, list[Any]]) -> dict[str, str]:
    """By source its date, its folder, its file or all of its name: the first that no other has; a copy goes with what
    it is a copy of."""
    first, says = dict[str, str](), {name: set(told[2]) for name, told in among.items()}
    near: dict[object, list[str]] = defaultdict(list)  # by bytes, and by what is said
    for name in sorted(among):
        marks = [among[name][0], *says[name]]
        like = {other for mark in marks for other in near[mark]}
        copied = [other for other in like if among[name][0] == among[other][0] or _is_copy(says[name], says[other])]
        first[name] = min(copied, default=name)
        for mark in marks if first[name] == name else ():
            near[mark].append(name)
    documents = sorted(set(first.values()))
    if len(documents) < 2:
        return {}
    levels = [[_level(one, among[one][1], level) for one in documents] for level in range(4)]
    counts = [Counter(told) for told in levels]
    mark_of = {one: next(told[i] for told, count in zip(levels, counts, strict=True) if told[i] and count[told[i]] < 2)
               for i, one in enumerate(documents)}  # fmt: skip
    return {name: mark_of[one] for name, one in first.items()}


def _is_copy(one: set[int], other: set[int]) -> bool:
    """Whether nearly all that one of them says is said by the other."""
    less = min(len(one), len(other))
    return bool(one and one == other) or (less > 2 and len(one & other) >= 0.8 * less)


def _level(name: str, date: str, level: int) -> str:
    path = PurePosixPath(name)
    return (date, path.parent.name if len(path.parts) > 2 else "", path.stem, name)[level]


def _marked(taken: Taken, mark: str) -> Taken:
    return replace(taken, title=f"{taken.title} ({mark})", subject=f"{taken.subject} ({mark})") if mark else taken


def _own(s: Statement, taken: Taken) -> bool:
    """Whether a claim is of the document, and not of the thing that its words name."""
    if key_of(s.subject) != key_of(taken.subject):
        return False
    return s.relation in _OF_THE_DOCUMENT or f" {key_of(s.subject)} " not in words_of(s.quotes[0].text)
