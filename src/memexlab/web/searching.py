"""Search as you type: pages of the wiki, sources and runs with words that begin as what was typed; a few of each."""

from __future__ import annotations

import re
import sqlite3
import threading
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..memory.passages import words_for_index
from .labs import lab_of
from .rendering import page

_EACH = 6
#: Passages are ranked among so many matches, because a word of two letters may begin half of all there are.
_RANKED = 400
_TITLE = re.compile(r"^(?:title|name):[ \t]*(.+?)[ \t]*$", re.M)

#: (kind, title, address)
Found = tuple[str, str, str]


class _Pages:
    """Names and titles of the wiki's files, read again where the folder or a file changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: tuple[str, int] = ("", 0)
        self._titles: list[tuple[str, str, str]] = []

    def titles(self, folder: Path) -> list[tuple[str, str, str]]:
        """(words to look in, title, name) of every page."""
        try:
            seen = (str(folder), folder.stat().st_mtime_ns)
        except FileNotFoundError:
            return []
        with self._lock:
            if seen != self._seen:
                self._titles = [
                    (f"{title} {path.stem.replace('-', ' ')}".casefold(), title, path.stem)
                    for path in sorted(folder.glob("*.md"))
                    for title in [_title(path)]
                ]
                self._seen = seen
            return self._titles


_PAGES = _Pages()


def _title(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            match = _TITLE.search(file.read(400))
    except OSError:  # removed since the folder was listed
        return path.stem
    return match[1].strip("\"'") if match else path.stem


def found(db: sqlite3.Connection, wiki: Path, text: str) -> list[Found]:
    """Pages, then sources, then runs; each word of the text must begin a word of what is found."""
    words = [word.casefold() for word in re.findall(r"[^\W_]+", text[:200])][:8]
    if not words:
        return []
    starts = [re.compile(rf"\b{re.escape(word)}") for word in words]
    pages: list[Found] = []
    for looked, title, name in _PAGES.titles(wiki):
        if all(word in looked for word in words) and all(start.search(looked) for start in starts):
            pages.append(("page", title, f"/wiki/{quote(name)}"))
            if len(pages) == _EACH:
                break
    # The index keeps stems, so a word is looked for as its own stem too, and only the last may be unfinished.
    asked = [f'"{word}"' for word in re.findall(r"[^\W_]+", words_for_index(" ".join(words)))]
    sources = db.execute(
        "SELECT DISTINCT d.title, d.entry FROM (SELECT rowid FROM passage_words WHERE passage_words MATCH ? LIMIT ?) w"
        " JOIN passages p ON p.rowid = w.rowid JOIN documents d USING (entry)"
        " ORDER BY instr(lower(d.title), ?) = 0, d.title LIMIT ?",
        (" AND ".join(asked) + "*", _RANKED, words[0], _EACH),
    ).fetchall()
    like = " AND ".join(["(' ' || description) LIKE ? ESCAPE '\\'"] * len(words))
    runs = db.execute(
        f"SELECT campaign, number, description FROM runs WHERE status <> 'started' AND ((number = ?) OR ({like}))"
        " ORDER BY number <> ?1, run DESC LIMIT ?",
        (int(words[0]) if words[0].isdecimal() and len(words[0]) < 10 else -1,
         *(f"% {word}%" for word in words), _EACH),
    ).fetchall()  # fmt: skip
    return [
        *pages,
        *(("source", title, f"/sources/{entry}") for title, entry in sources),
        *(
            ("run", f"#{number} {description}", f"/runs/{number}?campaign={quote(campaign, safe='')}")
            for campaign, number, description in runs
        ),
    ]


def _search(request: Request) -> Response:
    text = request.query_params.get("q", "").strip()
    hits = found(lab_of(request).memory.db, request.app.state.root / "wiki", text)
    if request.query_params.get("json"):
        return JSONResponse([{"kind": kind, "title": title[:160], "at": at} for kind, title, at in hits])
    return page(request, "search.html", "Search", q=text, hits=hits)


ROUTES = [Route("/search", _search)]
