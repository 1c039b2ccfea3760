"""Search as you type: pages of the wiki, sources and runs with words that begin as what was typed; a few of each.

Each comes with its date and with the words around what was typed, marked.
"""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..memory import Memory
from ..memory.search.passages import words_for_index
from .labs import lab_of
from .rendering import number, page
from .sources import text_of

#: So many of each kind while somebody types, and on the page.
_FEW, _MANY = 6, 20
#: Passages are ranked among so many matches, because a word of two letters may begin half of all there are.
_RANKED = 400
#: Words that are told of a text: on the one line there is while somebody types, and on the page.
_LINE, _PASSAGE = 12, 36
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.S)
_FRONT = re.compile(r"^(title|name|description|updated):[ \t]*(.+?)[ \t]*$", re.M)


class Found(NamedTuple):
    """What has the words; `told` is some of its text, in pieces that are marked or not."""

    kind: str
    title: str
    at: str
    date: str
    told: list[tuple[bool, str]]


class _Page(NamedTuple):
    """What the head of a file of the wiki says; `titled` and `looked` are its words, each behind a space."""

    name: str
    title: str
    says: str
    updated: str
    titled: str
    looked: str


_HEADS: dict[str, tuple[int, _Page]] = {}


@lru_cache(1)
def _pages(folder: Path, changed_ns: int) -> list[_Page]:
    """The pages of the wiki; where the folder changed, the files that changed are read again."""
    with os.scandir(folder) as files:
        changed = {file.path: file.stat().st_mtime_ns for file in files if file.name.endswith(".md")}
    for path, at in changed.items():
        if path not in _HEADS or _HEADS[path][0] != at:
            _HEADS[path] = at, _head(Path(path))
    return [_HEADS[path][1] for path in sorted(changed)]


def _head(path: Path) -> _Page:
    try:
        with path.open("rb", buffering=0) as file:  # ten thousand of these are read at once
            head = file.read(900).decode("utf-8", "replace").partition("\n---\n")[0]
            front = {name: value.strip("\"'").replace('\\"', '"') for name, value in _FRONT.findall(head)}
    except OSError:  # removed since the folder was listed
        front = {}
    title, says = front.get("title") or front.get("name") or path.stem, front.get("description", "")
    titled, said = (" " + " ".join(re.findall(r"[^\W_]+", part.casefold())) for part in (f"{title} {path.stem}", says))
    return _Page(path.stem, title, says, front.get("updated", ""), titled, titled + said)


def found(memory: Memory, wiki: Path, text: str, each: int = _FEW) -> list[Found]:
    """Pages, then sources, then runs; each word of the text must begin a word of what is found."""
    words = [word.casefold() for word in re.findall(r"[^\W_]+", text[:200])][:8]
    if not words:
        return []
    pages = _pages(wiki, wiki.stat().st_mtime_ns) if wiki.is_dir() else []
    for word in words:
        pages = [one for one in pages if f" {word}" in one.looked]
    pages = sorted(pages, key=lambda one: not all(f" {word}" in one.titled for word in words))[:each]
    # The index keeps stems, so a word is looked for as its own stem too, and only the last may be unfinished.
    asked = [f'"{word}"' for word in re.findall(r"[^\W_]+", words_for_index(" ".join(words)))]
    sources = memory.db.execute(
        "SELECT p.text, d.entry, d.title, d.published, p.start, min(w.rank) FROM (SELECT rowid, bm25(passage_words, 4)"
        " AS rank FROM passage_words WHERE passage_words MATCH ? LIMIT ?) w JOIN passages p ON p.rowid = w.rowid"
        " JOIN documents d USING (entry) GROUP BY d.entry ORDER BY 6, d.title LIMIT ?",
        (" AND ".join(asked) + "*", _RANKED, each),
    ).fetchall()
    like = " AND ".join(["(' ' || description) LIKE ? ESCAPE '\\'"] * len(words))
    runs = memory.db.execute(
        "SELECT trim(hypothesis || ' ' || reason), campaign, number, description, coalesce(nullif(verdict, ''),"
        f" status), value, at FROM runs WHERE status <> 'started' AND ((number = ?) OR ({like}))"
        " ORDER BY number <> ?1, run DESC LIMIT ?",
        (int(words[0]) if words[0].isdecimal() and len(words[0]) < 10 else -1,
         *(f"% {word}%" for word in words), each),
    ).fetchall()  # fmt: skip
    texts = [
        *(one.says for one in pages),
        *(_FRONT_MATTER.sub("", row[0]) for row in sources),
        *(row[0] for row in runs),
    ]
    told = iter(_told(texts, asked, _LINE if each == _FEW else _PASSAGE))
    hits = [Found("page", one.title, f"/wiki/{quote(one.name)}", one.updated, next(told)) for one in pages]
    for passage, entry, title, published, start, _ in sources:
        pieces = next(told)
        place = start + max(0, passage.find("".join(piece for _, piece in pieces).strip("…")))
        line = (text_of(memory, entry) or "").count("\n", 0, place) + 1
        hits.append(Found("source", title, f"/sources/{entry}?line={line}#L{line}", published, pieces))
    for _, campaign, count, description, came_to, value, at in runs:
        title = " ".join(filter(None, (f"#{count}", description, "·", came_to, number(value))))
        hits.append(Found("run", title, f"/runs/{count}?campaign={quote(campaign, safe='')}", at[:10], next(told)))
    return hits


def _told(texts: list[str], asked: list[str], most: int) -> list[list[tuple[bool, str]]]:
    """Of each text where most of the words stand together, in pieces; those are marked that the index takes for one."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE VIRTUAL TABLE t USING fts5(text, tokenize='porter unicode61 remove_diacritics 2')")
        db.executemany("INSERT INTO t(rowid, text) VALUES (?, ?)", enumerate(texts))
        sql = f"SELECT rowid, snippet(t, 0, char(1), char(2), '…', {most}) FROM t WHERE t MATCH ?"
        marked: dict[int, str] = dict(db.execute(sql, (" OR ".join(asked) + "*",)).fetchall())
    # Where there are no spaces (Chinese, Japanese), a word is no token of its own.
    word = asked[0].strip('"')
    shown = [marked.get(i) or text[: 8 * most].replace(word, f"\1{word}\2") for i, text in enumerate(texts)]
    return [[(i % 2 > 0, piece) for i, piece in enumerate(re.split("[\1\2]", one)) if piece] for one in shown]


def _search(request: Request) -> Response:
    text = request.query_params.get("q", "").strip()
    as_typed = bool(request.query_params.get("json"))
    hits = found(lab_of(request).memory, request.app.state.root / "wiki", text, _FEW if as_typed else _MANY)
    if as_typed:
        data = [hit._asdict() | {"title": hit.title[:160]} for hit in hits]
        return JSONResponse({"text": "\n".join(hit["title"] for hit in data), "data": data})
    return page(request, "search.html", "Search", q=text, hits=hits)


ROUTES = [Route("/search", _search)]
