"""Free words to ranked passages, without a model: BM25 seeds, re-ranked by activation that spreads over shared names.

The graph has a node for each passage and for each name that two passages share or that is a title. Each of three hops
passes on a part of a node's activation, divided by its number of links (the fan effect of J. R. Anderson's ACT-R).
What the passages found by their words mention thus finds the passages that stand one or two names further. The best
passages of the first round give one hop more.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import unicodedata
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import schema
from .base_level import base_levels
from .passages import normal, title_names, words_for_index

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Arrays = dict[str, npt.NDArray[Any]]
#: For a text rows of passages with a score, best first.
Seeds = Callable[[str], list[tuple[int, float]]]

_STOPPED = """
 a an the and or but not no nor of to in on at by for from with as into about than then that this these those it
 its he his him she her hers they them their we our you your i me my is are was were be been being am do does did have
 has had can could will would shall should may might must who whom whose what which when where why how many much there
 here also more most some any both each other same s t"""
#: Words of questions, which say nothing of what is asked for.
STOPPED = frozenset(re.findall(r"\w+", _STOPPED))


@dataclass(frozen=True, slots=True)
class Weights:
    """What the rank is made of; docs/search.md says which weight was chosen on what."""

    title: float = 4.0
    common: float = 0.02
    asked: float = 0.5
    seed_passages: int = 3
    seed: float = 0.6
    words: float = 0.2
    title_link: float = 4.0
    again_passages: int = 5
    likeness: float = 0.5


CANDIDATES = 100
_FEW = 20  # a word in so few passages is never too common to be looked for
_MANY = 1_000  # a word in more passages is looked for only where no other finds any
#: A name with more links says nothing of what it links, and passes nothing on.
_MOST_FAN = 100
#: A smaller graph is made sooner than it is read from its file.
_KEEP_PASSAGES = 1_000
_FORMAT = 1
_HIT = "SELECT p.rowid, d.document, d.title, p.text, p.start, p.end FROM passages p JOIN documents d USING (entry)"
#: Only so many nodes pass activation on in one hop, so that a question costs the same in a larger memory.
_ACTIVE = 100
_MOST_WORDS = 64
_MOST_NAME_WORDS = 8


@dataclass(frozen=True, slots=True)
class Hit:
    """One document, by its best passage; `start` and `end` are characters of its text."""

    source: str
    title: str
    score: float
    passage: str
    start: int
    end: int


def asked_words(text: str) -> list[str]:
    """Every word of any text as a quoted FTS5 query, question words left out where others are there."""
    words = re.findall(r"[^\W_]+", words_for_index(unicodedata.normalize("NFC", text)))
    asked = [word for word in words if word.casefold() not in STOPPED] or words
    kept = list(dict.fromkeys(word[:100] for word in asked))[:_MOST_WORDS]
    # A single Chinese or Japanese character is looked for as the beginning of a pair.
    return [f'"{word}"*' if len(word) == 1 and ord(word) > 0x2E80 else f'"{word}"' for word in kept]


class _Links:
    """One direction of the graph: for each node the nodes that it passes activation to, and the share of each."""

    def __init__(self, heads: Ints, tails: Ints, weights: Floats, count: int, tail_count: int) -> None:
        order = np.argsort(heads, kind="stable")
        self.begins = np.searchsorted(heads[order], np.arange(count + 1))
        self.tails, self._size = tails[order], tail_count
        self._shares = (weights / np.bincount(heads, weights, count)[heads])[order]

    def pass_on(self, activation: Floats, most: int) -> Floats:
        """What arrives at the other side from the `most` most active nodes; costs as much as these have links."""
        active = (activation > 0).nonzero()[0]
        if len(active) > most:
            active = active[np.argpartition(activation[active], -most)[-most:]]
        begins = self.begins[active]
        counts = self.begins[active + 1] - begins
        ends = np.cumsum(counts)
        links = np.repeat(begins - ends + counts, counts) + np.arange(counts.sum())
        arrived = np.repeat(activation[active], counts) * self._shares[links]
        return np.bincount(self.tails[links], arrived, self._size).astype(np.float64, copy=False)


class Graph:
    """Passages and names as arrays; made from the tables, or read from the file beside the index that keeps them."""

    def __init__(self, db: sqlite3.Connection, title_link: float) -> None:
        self.state = graph_state(db)
        stamp = json.dumps([_FORMAT, schema.VERSION, title_link, *self.state])
        place = next((file for _, name, file in db.execute("PRAGMA database_list") if name == "main"), "")
        file = Path(f"{place}-graph.npz")
        found = kept(file, stamp) if place else None
        arrays = found or _made(db, title_link)
        if place and found is None and len(arrays["rows"]) >= _KEEP_PASSAGES:
            keep(file, stamp, arrays)
        self.rows, self.entries = arrays["rows"], arrays["entries"]
        listed = arrays["names"].tobytes().decode()
        self.names = {name: at for at, name in enumerate(listed.split("\n"))} if listed else {}
        self.passages = len(self.rows)
        heads, tails, weights, count = arrays["heads"], arrays["tails"], arrays["weights"], len(self.names)
        self.links = np.bincount(tails, minlength=count)
        few = self.links[tails] <= _MOST_FAN
        self._to_names = _Links(heads, tails, weights, self.passages, count)
        self._to_passages = _Links(tails[few], heads[few], weights[few], count, self.passages)

    def names_of(self, passage: int) -> Ints:
        begins = self._to_names.begins
        return self._to_names.tails[begins[passage] : begins[passage + 1]]

    def spread(self, passages: Floats, names: Floats) -> Floats:
        """Activation of every passage after three hops from both kinds of seed, the first seeds included."""
        # p + An + ABp + ABAn is p + A(n + B(p + An)): three passes, not six.
        first = passages + self._to_passages.pass_on(names, _ACTIVE)
        return passages + self._to_passages.pass_on(names + self._to_names.pass_on(first, _ACTIVE), _ACTIVE)

    def again(self, activation: Floats, most: int) -> Floats:
        """The activation of passages, and one hop more from the names of the `most` most active ones."""
        names = np.zeros(len(self.names))
        for passage in np.argpartition(-activation, min(most, self.passages) - 1)[:most]:
            near = self.names_of(int(passage))
            names[near] += activation[passage] / self.links[near]
        return activation + self._to_passages.pass_on(names, _ACTIVE)


def graph_state(db: sqlite3.Connection) -> tuple[object, ...]:
    """Differs whenever the passages differ: a change of a document has a later entry, or leaves fewer passages."""
    newest = "SELECT id FROM entries WHERE seq = (SELECT max(entry) FROM documents)"
    return tuple(db.execute(f"SELECT count(*), total(rowid), total(entry), ({newest}) FROM passages").fetchone())


def kept(file: Path, stamp: str) -> Arrays | None:
    """The arrays of a file that has this stamp; None where there is no such file."""
    try:
        with np.load(file) as found:
            return dict(found) if found["stamp"].tobytes().decode() == stamp else None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # not there, or cut short: it is made again from the tables


def keep(file: Path, stamp: str, arrays: Arrays) -> None:
    """Writes arrays for `kept`, whole or not at all."""
    part = file.with_suffix(f".{os.getpid()}.npz")
    try:
        np.savez(part, stamp=np.frombuffer(stamp.encode(), np.uint8), **arrays)  # type: ignore[arg-type]
        part.replace(file)
    except OSError:
        part.unlink(missing_ok=True)  # a full or read-only disk costs the next process the time, not the answer


def _made(db: sqlite3.Connection, title_link: float) -> Arrays:
    found = db.execute("SELECT rowid, entry, names FROM passages ORDER BY rowid").fetchall()
    mentions = [set(mentioned.split("\n")) if mentioned else set() for _, _, mentioned in found]
    titles = {entry: title_names(title) for entry, title in db.execute("SELECT entry, title FROM documents")}
    known = {name for own in titles.values() for name in own}
    counts: dict[str, int] = {}
    for mentioned in mentions:
        for name in [name for name in mentioned if " " in name and name not in known]:
            mentioned |= _inside(name, known)
        for name in mentioned:
            counts[name] = counts.get(name, 0) + 1
    names: dict[str, int] = {}
    links: list[tuple[int, int, float]] = []
    for passage, (_, entry, _) in enumerate(found):
        own = set(titles[entry])
        for name in sorted(own | {n for n in mentions[passage] if n in known or counts[n] > 1}):
            links.append((passage, names.setdefault(name, len(names)), title_link if name in own else 1.0))
    return {
        "rows": np.array([row for row, _, _ in found], np.int64),
        "entries": np.array([entry for _, entry, _ in found], np.int64),
        "names": np.frombuffer("\n".join(names).encode(), np.uint8),
        "heads": np.array([head for head, _, _ in links], np.int64),
        "tails": np.array([tail for _, tail, _ in links], np.int64),
        "weights": np.array([weight for _, _, weight in links], np.float64),
    }


def _inside(name: str, known: set[str]) -> set[str]:
    """Titles that stand inside a longer name, and its last word, which is how a person is named the second time."""
    words = name.split()[: 3 * _MOST_NAME_WORDS]
    count = len(words)
    spans = ((i, j) for i in range(count) for j in range(i + 2, min(count, i + _MOST_NAME_WORDS) + 1))
    found = {part for i, j in spans if (part := " ".join(words[i:j])) in known}
    return found | {words[-1]} if len(words[-1]) > 3 else found


class Searcher:
    """Searches one index; the graph is taken at the first question and again when the passages changed."""

    def __init__(self, db: sqlite3.Connection, weights: Weights | None = None, near: Seeds | None = None) -> None:
        """`near` finds passages by other means than their words; what it finds is added to the seeds."""
        self.db, self.weights, self.near = db, weights or Weights(), near
        self._graph: Graph | None = None
        self._seen = (-1, -1)
        self._counts: dict[str, int] = {}

    @property
    def graph(self) -> Graph:
        """The graph of the passages as they are now."""
        seen = (self.db.execute("PRAGMA data_version").fetchone()[0], self.db.total_changes)
        if self._graph is None or (seen != self._seen and graph_state(self.db) != self._graph.state):
            self._graph = Graph(self.db, self.weights.title_link)
            self._counts.clear()
        self._seen = seen
        return self._graph

    def by_words(self, text: str, least: int = 10) -> list[tuple[int, float]]:
        """Rows of passages with their BM25 score, best first, higher is better.

        Words that many passages hold are looked for only where the others find fewer than `least` passages, and those
        that very many hold only where the others find none.
        """
        asked = asked_words(text)
        common = max(_FEW, int(self.weights.common * self.graph.passages))
        found: list[tuple[int, float]] = []
        tried = 0
        for most, enough in ((common, least), (max(common, _MANY), 1), (self.graph.passages, 0)):
            words = [word for word in asked if self._count(word, most) <= most]
            found, tried = self._match(words) if len(words) > tried else found, len(words)
            if len(found) >= enough or tried == len(asked):
                break
        return found

    def _count(self, word: str, most: int) -> int:
        """How many passages hold a word; where it is more than `most` or so, any number above that."""
        limit = max(most, _MANY) + 1
        if word not in self._counts:
            sql = "SELECT count(*) FROM (SELECT 1 FROM passage_words WHERE passage_words MATCH ? LIMIT ?)"
            self._counts[word] = self.db.execute(sql, (word, limit)).fetchone()[0]
        return self._counts[word]

    def _match(self, words: list[str]) -> list[tuple[int, float]]:
        sql = (
            f"SELECT rowid, -bm25(passage_words, {self.weights.title}, 1.0) AS score FROM passage_words"
            " WHERE passage_words MATCH ? ORDER BY score DESC, rowid LIMIT ?"
        )
        return self.db.execute(sql, (" OR ".join(words), CANDIDATES)).fetchall()

    def search(self, text: str, limit: int = 10) -> list[Hit]:
        """At most `limit` documents, best first; [] where no word and no name of the text occurs."""
        self.db.execute("SAVEPOINT search")  # one state of the views, whatever other processes write meanwhile
        try:
            return self._ranked(text, limit)
        finally:
            self.db.execute("RELEASE search")

    def _ranked(self, text: str, limit: int) -> list[Hit]:
        graph, weights = self.graph, self.weights
        found = self.by_words(text, limit)
        if self.near is not None:
            found = _added(found, self.near(text), weights.likeness)
        passages, names = np.zeros(graph.passages), np.zeros(len(graph.names))
        places = np.searchsorted(graph.rows, np.array([row for row, _ in found], np.int64))
        scores = np.array([score for _, score in found], np.float64)
        if found:
            best, least = scores[0], scores[-1]
            above = (scores - least) / (best - least) if best > least else np.ones(len(scores))
            passages[places] = weights.words * np.maximum(above, 1e-9)  # who matches least is last, not left out
            scores /= best if best > 0 else 1.0
            for place, score in list(zip(places, scores, strict=True))[: weights.seed_passages]:
                near = graph.names_of(int(place))
                names[near] += weights.seed * score / graph.links[near]
        for name in self._asked(text, graph):
            names[name] += weights.asked / graph.links[name]
        if not graph.passages:
            return []
        return self._hits(graph, graph.again(graph.spread(passages, names), weights.again_passages), limit)

    @staticmethod
    def _asked(text: str, graph: Graph) -> list[int]:
        """Names of the graph that the text holds, the longest at each place."""
        words = normal(text[:10_000]).split()
        found, at = [], 0
        while at < len(words):
            for end in range(min(len(words), at + _MOST_NAME_WORDS), at, -1):
                place = graph.names.get(" ".join(words[at:end]))
                if place is not None and not (end == at + 1 and words[at] in STOPPED):
                    found.append(place)
                    at = end - 1
                    break
            at += 1
        return list(dict.fromkeys(found))

    def _hits(self, graph: Graph, total: Floats, limit: int) -> list[Hit]:
        if limit < 1:
            return []
        chosen: dict[int, tuple[int, float]] = {}
        # Ranks are asked for far above `limit`, because a document may have several passages among the best.
        wide = min(graph.passages, 20 * limit + 100)
        best = np.argpartition(-total, wide - 1)[:wide]
        for place in best[np.lexsort((best, -total[best]))]:
            score = float(total[place])
            if score <= 0 or len(chosen) >= limit:
                break
            chosen.setdefault(int(graph.entries[place]), (int(graph.rows[place]), score))
        if len({score for _, score in chosen.values()}) < len(chosen):
            levels = base_levels(self.db, list(chosen))
            chosen = dict(sorted(chosen.items(), key=lambda one: (-one[1][1], -levels[one[0]])))
        sql = f"{_HIT} WHERE p.rowid IN ({','.join('?' * len(chosen))})"
        told = {row: rest for row, *rest in self.db.execute(sql, [row for row, _ in chosen.values()])}
        return [Hit(told[row][0], told[row][1], score, *told[row][2:]) for row, score in chosen.values()]


def _added(found: list[tuple[int, float]], others: list[tuple[int, float]], weight: float) -> list[tuple[int, float]]:
    """Both lists as one, best first: the scores of each from 1 to 0, those of the second times its weight."""
    total: dict[int, float] = {}
    for share, rows in ((1.0, found), (weight, others)):
        for row, score in rows:
            best, least = rows[0][1], rows[-1][1]
            total[row] = total.get(row, 0.0) + share * ((score - least) / (best - least) if best > least else 1.0)
    return sorted(total.items(), key=lambda one: (-one[1], one[0]))[:CANDIDATES]
