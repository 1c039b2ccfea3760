"""Reads PDF: the text of each page, pages parted by a form feed, so that a place in the text gives its page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from ...ledger import Finding
from ..times import dates
from . import Document, Section
from .needs import Unread, library, reader

PAGES = 3_000
#: Programs that print what is on a screen.
_PRINTED = re.compile(r"Mozilla|Chrom|Skia|Safari|Firefox|WebKit|wkhtmltopdf|Quartz PDFContext", re.IGNORECASE)
#: What a browser prints above and below a page: the hour of the print, the address, the number of the page.
_MARGIN = re.compile(
    r"^(?:\d{1,2}[/.]\d{1,2}[/.]\d{2,4}, \d{1,2}:\d\d.*|(?:https?|file)://\S+(?: *\d+/\d+)?|\d+/\d+)$\n?", re.MULTILINE
)
_PUBLISHED = re.compile(r"(?i)\b(?:published|posted|updated|modified|written|date)(?: on)?:?\s+([^\n]{4,40})")


@reader
def parse(data: bytes, name: str) -> Iterator[Document | Finding]:
    """One document; `meta["pages"]` holds where each page begins in the text."""
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
            text = _paragraphs(_MARGIN.sub("", text))
            starts.append(at)
            parts.append(text)
            at += len(text) + 1
        known = {key.lower(): str(value) for key, value in pdf.get_metadata_dict().items() if value}
        # An outline may point into itself.
        bookmarks = islice(pdf.get_toc(max_depth=4), 1_000)
        outline = [(str(item.get_title()), item.level + 1, item.get_dest()) for item in bookmarks]
    finally:
        pdf.close()
    text = "\f".join(parts)
    if not text.strip():
        raise Unread("source-no-text", name, "holds pictures of pages, no text", f"ocrmypdf {name} {name}")
    title = known.get("title", "").strip() or next((line.strip() for line in text.splitlines() if line.strip()), name)
    title = title.split(" | ")[0]  # what follows is the name of the site
    when = re.match(r"D:(\d{4})(\d\d)(\d\d)", known.get("creationdate", ""))
    if _PRINTED.search(f"{known.get('creator', '')} {known.get('producer', '')}"):
        when = None  # the day of the print
    said = _PUBLISHED.search(text[:5_000]) if when is None else None
    found = dates(said[1]) if said else []
    published = "-".join(when.groups()) if when else found[0][0] if found else ""
    sections = tuple(_sections(outline, starts, len(text)))
    yield Document(
        name, title[:200], text, "application/pdf", known.get("author", ""), published,
        sections=sections, meta={"subject": title[:200], "fields": [], "pages": starts}, raw=data,
    )  # fmt: skip


def _paragraphs(text: str) -> str:
    """The text of a page with an empty line after each line that ends well before the others: there a paragraph ends,
    and headings and menus are none."""
    lines = text.split("\n")
    wide = sorted(map(len, lines))[int(0.9 * (len(lines) - 1))]
    return "\n".join(f"{line}\n" if line.strip() and len(line) < 0.6 * wide else line for line in lines).rstrip() + "\n"


def _sections(outline: list[tuple[str, int, Any]], starts: list[int], end: int) -> Iterator[Section]:
    places = []
    for title, level, target in outline:
        page = target.get_index() if target is not None else None
        if page is not None and 0 <= page < len(starts):
            places.append((starts[page], title, level))
    places.sort(key=lambda place: place[0])
    for i, (start, title, level) in enumerate(places):
        yield Section(title, level, start, places[i + 1][0] if i + 1 < len(places) else end)
