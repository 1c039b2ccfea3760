"""Free words to ranked passages, without a model: BM25 seeds, re-ranked by activation that spreads over shared names.

The graph has a node for each passage and for each name that two passages share or that is a title. Each of three hops
passes on a part of a node's activation, divided by its number of links (the fan effect of J. R. Anderson's ACT-R).
What the passages found by their words mention thus finds the passages that stand one or two names further.
"""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .passages import normal, title_names, words_for_index

#: Words of questions, which say nothing of what is asked for.
STOPPED = frozenset(
    re.findall(
        r"\w+",
        """a an the and or but not no nor of to in on at by for from with as into about than then that this these those
    it
    its he his him she her hers they them their we our you your i me my is are was were be been being am do does did
    have has had can could will would shall should may might must who whom whose what which when where why how many much
    there here also more most some any both each other same s t""",
    )
)


@dataclass(frozen=True, slots=True)
class Weights:
    """What the rank is made of; the defaults were chosen on MuSiQue-100 alone (bench/retrieval.py --tune)."""

    title: float = 4.0
    asked: float = 0.5
    seed_passages: int = 3
    seed: float = 0.6
    words: float = 0.2
    pass_on: float = 1.0
    title_link: float = 4.0
    direct: float = 0.0


HOPS = 3
_CANDIDATES = 100
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


def match_expression(text: str) -> str:
    """An FTS5 query of any text: every word quoted, joined by OR; '' where nothing is left to look for."""
    words = re.findall(r"[^\W_]+", words_for_index(unicodedata.normalize("NFC", text)))
    asked = [word for word in words if word.casefold() not in STOPPED] or words
    kept = list(dict.fromkeys(word[:100] for word in asked))[:_MOST_WORDS]
    # A single Chinese or Japanese character is looked for as the beginning of a pair.
    return " OR ".join(f'"{word}"*' if len(word) == 1 and ord(word) > 0x2E80 else f'"{word}"' for word in kept)


class Graph:
    """Passages and names as arrays; built from the tables, good until they change."""

    def __init__(self, db: sqlite3.Connection, title_link: float) -> None:
        self.place: dict[int, int] = {}
        entries: list[int] = []
        mentions: list[set[str]] = []
        for row, entry, mentioned in db.execute("SELECT rowid, entry, names FROM passages ORDER BY rowid"):
            self.place[row] = len(entries)
            entries.append(entry)
            mentions.append(set(mentioned.split("\n")) if mentioned else set())
        titles = {entry: title_names(title) for entry, title in db.execute("SELECT entry, title FROM documents")}
        known = {name for found in titles.values() for name in found}
        counts: dict[str, int] = {}
        for found in mentions:
            for name in [name for name in found if " " in name and name not in known]:
                found |= _inside(name, known)
            for name in found:
                counts[name] = counts.get(name, 0) + 1
        self.names: dict[str, int] = {}
        heads: list[int] = []
        tails: list[int] = []
        weights: list[float] = []
        for passage, entry in enumerate(entries):
            own = set(titles[entry])
            for name in sorted(own | {n for n in mentions[passage] if n in known or counts[n] > 1}):
                heads.append(passage)
                tails.append(self.names.setdefault(name, len(self.names)))
                weights.append(title_link if name in own else 1.0)
        self.rows = np.array(list(self.place), dtype=np.int64)
        self.entries = np.array(entries, dtype=np.int64)
        self.passages = len(entries)
        head, tail = np.array(heads, dtype=np.int64), np.array(tails, dtype=np.int64)
        weight = np.array(weights, dtype=np.float64)
        self._head, self._tail = head, tail
        self._begins = np.searchsorted(head, np.arange(self.passages + 1))
        passage_sum = np.bincount(head, weight, self.passages)
        name_sum = np.bincount(tail, weight, len(self.names))
        self.links = np.bincount(tail, minlength=len(self.names))
        self._from_passage = weight / passage_sum[head] if len(head) else weight
        self._from_name = weight / name_sum[tail] if len(tail) else weight

    def names_of(self, passage: int) -> npt.NDArray[np.int64]:
        return self._tail[self._begins[passage] : self._begins[passage + 1]]

    def spread(
        self, passages: npt.NDArray[np.float64], names: npt.NDArray[np.float64], pass_on: float
    ) -> npt.NDArray[np.float64]:
        """Activation of every passage after HOPS hops, the first seeds included."""
        total = passages
        for _ in range(HOPS):
            to_names = np.bincount(self._tail, passages[self._head] * self._from_passage, len(names))
            to_passages = np.bincount(self._head, names[self._tail] * self._from_name, self.passages)
            passages = (pass_on * to_passages).astype(np.float64)
            names = (pass_on * to_names).astype(np.float64)
            total = total + passages
        return total


def _inside(name: str, known: set[str]) -> set[str]:
    words = name.split()[: 3 * _MOST_NAME_WORDS]
    count = len(words)
    spans = ((i, j) for i in range(count) for j in range(i + 2, min(count, i + _MOST_NAME_WORDS) + 1))
    return {part for i, j in spans if (part := " ".join(words[i:j])) in known}


class Searcher:
    """Searches one index; the graph is built at the first question and again when the passages changed."""

    def __init__(self, db: sqlite3.Connection, weights: Weights | None = None) -> None:
        self.db, self.weights = db, weights or Weights()
        self._graph: Graph | None = None
        self._state: tuple[object, ...] = ()

    @property
    def graph(self) -> Graph:
        """The graph of the passages as they are now."""
        state = self.db.execute("SELECT (SELECT value FROM meta WHERE name = 'cursor'), ?", (id(self.db),)).fetchone()
        if self._graph is None or state != self._state:
            self._graph, self._state = Graph(self.db, self.weights.title_link), state
        return self._graph

    def by_words(self, text: str) -> list[tuple[int, float]]:
        """Rows of passages with their BM25 score, best first, higher is better."""
        wanted = match_expression(text)
        if not wanted:
            return []
        sql = (
            f"SELECT rowid, -bm25(passage_words, {self.weights.title}, 1.0) AS score FROM passage_words"
            " WHERE passage_words MATCH ? ORDER BY score DESC, rowid LIMIT ?"
        )
        return [(row, score) for row, score in self.db.execute(sql, (wanted, _CANDIDATES))]

    def search(self, text: str, limit: int = 10) -> list[Hit]:
        """At most `limit` documents, best first; [] where no word and no name of the text occurs."""
        graph, weights = self.graph, self.weights
        found = self.by_words(text)
        passages, names = np.zeros(graph.passages), np.zeros(len(graph.names))
        if found:
            best, least = found[0][1], found[-1][1]
            for row, score in found:
                passages[graph.place[row]] = weights.words * ((score - least) / (best - least) if best > least else 1.0)
            for row, score in found[: weights.seed_passages]:
                for name in graph.names_of(graph.place[row]):
                    names[name] += weights.seed * score / best / graph.links[name] if best > 0 else 0.0
        for name in self._asked(text, graph):
            names[name] += weights.asked / graph.links[name]
        words = passages.copy()
        total = graph.spread(passages, names, weights.pass_on) + weights.direct * words
        return self._hits(graph, total, limit)

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

    def _hits(self, graph: Graph, total: npt.NDArray[np.float64], limit: int) -> list[Hit]:
        if limit < 1 or not graph.passages:
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
        return [self._hit(row, score) for row, score in chosen.values()]

    def _hit(self, row: int, score: float) -> Hit:
        document, title, text, start, end = self.db.execute(
            "SELECT d.document, d.title, p.text, p.start, p.end FROM passages p JOIN documents d USING (entry)"
            " WHERE p.rowid = ?",
            (row,),
        ).fetchone()
        return Hit(document, title, score, text, start, end)


def search_all(db: sqlite3.Connection, texts: Sequence[str], limit: int) -> list[list[Hit]]:
    """One list of hits for each text, over one graph."""
    searcher = Searcher(db)
    return [searcher.search(text, limit) for text in texts]
