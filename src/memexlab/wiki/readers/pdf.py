"""Reads PDF: the text of each page, pages parted by a form feed, so that a place in the text gives its page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ...ledger import Finding
from . import Document, Section
from .needs import Unread, library

PAGES = 3_000


def parse(data: bytes, name: str) -> Iterator[Document | Finding]:
    """One document; `meta["pages"]` holds where each page begins in the text."""
    try:
        yield from _read(data, name)
    except Unread as unread:
        yield unread.finding


def _read(data: bytes, name: str) -> Iterator[Document | Finding]:
    pdfium = library("pypdfium2", name)
    try:
        pdf = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise Unread("source-encrypted", name, "is encrypted", "save a copy without a password") from error
        raise Unread("source-damaged", name, f"is no PDF that can be read: {error}", "open it in a viewer") from error
    try:
        count = len(pdf)
        if count > PAGES:
            yield Finding("source-size", "warning", name, f"{count} pages; the first {PAGES} were read")
        parts: list[str] = []
        starts: list[int] = []
        at = 0
        for number in range(min(count, PAGES)):
            try:
                text = str(pdf[number].get_textpage().get_text_range())
            except pdfium.PdfiumError as error:
                yield Finding("source-page", "warning", f"{name}#page={number + 1}", f"cannot be read: {error}")
                text = ""
            text = re.sub(r"\r\n?", "\n", text).replace("\ufffe", "-\n").strip("\n") + "\n"
            starts.append(at)
            parts.append(text)
            at += len(text) + 1
        known = {key.lower(): str(value) for key, value in pdf.get_metadata_dict().items() if value}
        outline = [(str(item.get_title()), item.level + 1, item.get_dest()) for item in _bookmarks(pdf)]
    finally:
        pdf.close()
    text = "\f".join(parts)
    if not text.strip():
        raise Unread("source-no-text", name, "holds pictures of pages, no text", f"ocrmypdf {name} {name}")
    title = known.get("title", "").strip() or next((line.strip() for line in text.splitlines() if line.strip()), name)
    when = re.match(r"D:(\d{4})(\d\d)(\d\d)", known.get("creationdate", ""))
    sections = tuple(_sections(outline, starts, len(text)))
    yield Document(
        name, title[:200], text, "application/pdf", known.get("author", ""), "-".join(when.groups()) if when else "",
        sections=sections, meta={"subject": title[:200], "fields": [], "pages": starts}, raw=data,
    )  # fmt: skip


def _bookmarks(pdf: Any) -> list[Any]:
    found: list[Any] = []
    for item in pdf.get_toc(max_depth=4):
        found.append(item)
        if len(found) == 1_000:  # an outline may point into itself
            break
    return found


def _sections(outline: list[tuple[str, int, Any]], starts: list[int], end: int) -> Iterator[Section]:
    places = []
    for title, level, target in outline:
        page = target.get_index() if target is not None else None
        if page is not None and 0 <= page < len(starts):
            places.append((starts[page], title, level))
    places.sort(key=lambda place: place[0])
    for i, (start, title, level) in enumerate(places):
        yield Section(title, level, start, places[i + 1][0] if i + 1 < len(places) else end)
