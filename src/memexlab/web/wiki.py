"""The wiki as a book to read: its pages with contents, backlinks, and the words behind every sentence."""

from __future__ import annotations

import json
import mimetypes
import os
import re
import sqlite3
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from ..wiki.markdown import Rendered, render
from .labs import lab_of
from .rendering import page
from .sources import place_at

_PICTURES = {"image/png", "image/jpeg", "image/gif", "image/webp"}
_PREVIEW_CHARS = 320
_REPLACED = re.compile(
    r'<blockquote class="callout superseded">\s*<p>(?:(?!</p>).)*?href="([^"]+)"(?:(?!</p>).)*?'
    r"\((\d{4}(?:-\d\d){0,2})\)</p>.*?</blockquote>", re.S)  # fmt: skip
_DIFFERING = re.compile(r'<blockquote class="callout contradiction">.*?</blockquote>', re.S)
#: Pages that list pages, and say nothing of their own.
_LISTS = frozenset({"index", "log"})
#: Lines of each part of a list that are shown at a time.
_STEP = 100


def file_of(request: Request, name: str) -> Path | None:
    """A file of the wiki by its name; None for what is not there, and for what is outside of it."""
    folder = os.path.realpath(request.app.state.root / "wiki")
    try:
        real = os.path.realpath(f"{folder}/{name}")
        return Path(real) if real.startswith(f"{folder}/") and os.path.isfile(real) else None
    except (OSError, ValueError):
        return None


def _some(text: str, first: int) -> tuple[str, bool]:
    """A list with so many items of each of its parts, behind the `first` ones; and whether there are more."""
    kept, count, more, shown = [], 0, False, True
    for line in text.splitlines(keepends=True):
        if line.startswith(("- ", "## [")):
            count += 1
            shown = first < count <= first + _STEP
            more = more or count > first + _STEP
        elif line.startswith("#"):
            count, shown = 0, True
        if shown:
            kept.append(line)
    return "".join(kept), more


def _rendered(request: Request, text: str) -> Rendered:
    db, folder = lab_of(request).memory.db, request.app.state.root / "wiki"

    def page_of(name: str) -> str | None:
        # Whoever follows the address is shown what is in the folder, and nothing else.
        return f"/wiki/{quote(name)}" if ".." not in name and os.path.exists(f"{folder}/{name}.md") else None

    def source_of(address: str, place: str, words: str) -> str | None:
        # An address of a page is relative to the page, the name of a source is relative to the lab.
        name = re.sub(r"^\.\./", "", address, count=1)
        sql = "SELECT max(entry) FROM documents WHERE document IN (?, ?)"
        (entry,) = db.execute(sql, (name, f"{name}#{place}")).fetchone()
        return None if entry is None else place_at(entry, re.findall(r"\bL(\d+)", place), words)

    return render(text, page_of, source_of)


def _page(request: Request) -> Response:
    name = request.path_params.get("name", "index")
    path = file_of(request, f"{name}.md")
    if path is None:
        if name == "index":
            return page(request, "wiki.html", "Wiki", at="", made=None, html="", dates={})
        if request.query_params.get("preview"):
            return JSONResponse({"error": f"the wiki has no page {name!r}"}, 404)
        return page(request, "error.html", "No such page", 404, text=f"The wiki has no page {name!r}.")
    text, first, more = path.read_text(encoding="utf-8", errors="replace"), 0, False
    if name in _LISTS:
        asked = request.query_params.get("from", "0")
        first = int(asked) if asked.isdecimal() and asked.isascii() and len(asked) < 8 else 0
        text, more = _some(text, first)
    made = _rendered(request, text)
    if request.query_params.get("preview"):
        words = re.sub(r"<(sup|section|h1)\b.*?</\1>", "", made.html, flags=re.S)
        text = made.front.get("description", "").replace('\\"', '"') or " ".join(re.sub(r"<[^>]+>", " ", words).split())
        return JSONResponse({"title": made.front.get("title", name), "text": text[:_PREVIEW_CHARS]})
    return page(
        request, "wiki.html", made.front.get("title") or name, at=name, made=made, html=Markup(_since(made.html)),
        dates=_dates(lab_of(request).memory.db, made.html) if name not in _LISTS else {}, first=first, more=more,
        step=_STEP,
    )  # fmt: skip


def _second(callout: re.Match[str]) -> str:
    days = sorted(re.findall(r", (\d{4}(?:-\d\d){0,2})(?=: “)", callout[0]))
    return callout[0].replace("<p>", f'<p data-since="{days[1]}">', 1) if len(days) > 1 else callout[0]


def _since(html: str) -> str:
    """Blocks that say what took the place of the page bear that one's date: an old source names it in its heading.

    The head of a contradiction bears the date of the second that speaks.
    """
    days = {found[1]: found[2] for found in _REPLACED.finditer(html)}
    html = _REPLACED.sub(lambda found: re.sub(r"<(p|li)>", rf'<\1 data-since="{found[2]}">', found[0]), html)
    html = _DIFFERING.sub(_second, html)
    for address, day in days.items():
        told = rf'<li(?= [^>]*><strong>Superseded by:</strong> <a href="{re.escape(address)}")'
        html = re.sub(told, f'<li data-since="{day}"', html)
    first = f'<li data-since="{min(days.values(), default="")}"'
    return re.sub(r"<li(?= [^>]*><strong>Status:</strong> (?:Superseded|Replaced)\b)", first, html) if days else html


def _dates(db: sqlite3.Connection, html: str) -> dict[str, str]:
    """When each source that the page quotes was published, by entry; those without a date are left out."""
    entries = sorted({int(entry) for entry in re.findall(r'href="/sources/(\d+)\?', html)})
    rows = db.execute(
        "SELECT entry, published FROM documents WHERE published != '' AND entry IN (SELECT value FROM json_each(?))",
        (json.dumps(entries),),
    )
    return {str(entry): published for entry, published in rows}


def _picture(request: Request) -> Response:
    path = file_of(request, request.path_params["name"])
    if path is None or mimetypes.guess_type(path.name)[0] not in _PICTURES:
        return Response(status_code=404)
    return FileResponse(path)


ROUTES = [Route("/wiki", _page), Route("/wiki/files/{name:path}", _picture), Route("/wiki/{name:path}", _page)]
