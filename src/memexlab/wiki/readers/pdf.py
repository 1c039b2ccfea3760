"""Reads PDF: the text of each page, pages parted by a form feed, so that a place in the text gives its page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from ...ledger import Finding
from ..dates import dates
from . import Document, Section
from .needs import Unread, library, reader
from .text import Field

PAGES = 3_000
#: Programs that print what is on a screen.
_PRINTED = re.compile(r"Mozilla|Chrom|Skia|Safari|Firefox|WebKit|wkhtmltopdf|Quartz PDFContext", re.IGNORECASE)
#: What a browser prints above and below a page: the hour of the print, the address, the number of the page.
_MARGIN = re.compile(
    r"^(?:\d{1,2}[/.]\d{1,2}[/.]\d{2,4}, \d{1,2}:\d\d.*|(?:https?|file)://\S+(?: *\d+/\d+)?|\d+/\d+)$\n?", re.MULTILINE
)
#: What a first page says of its day: after a word for it, or alone on a line.
_DATED = re.compile(
    r"\b(?:published|posted|(?P<changed>updated|modified)|written|date)(?: on)?:?\s+(?P<day>[^\n]{4,40})"
    r"|^(?P<alone>(?:\w{1,12}[ .,-]{1,2}){1,3}\w{1,12})$", re.IGNORECASE | re.MULTILINE,
)  # fmt: skip
#: A year as title pages have it: (2020), © 2020, or alone at the end of a line.
_YEAR = re.compile(r"(?<=\()(?:1[5-9]|20)\d\d(?=\))|(?<=© )(?:1[5-9]|20)\d\d\b|(?<=, )(?:1[5-9]|20)\d\d$", re.MULTILINE)
#: What the parts of a paper are called, where no outline says it.
_HEADING = re.compile(
    r"(?:^|(?<=\f))(?:\d{1,2}(?:\.\d{1,2})*\.?[ \t]+)?(abstract|summary|introduction|background|related work"
    r"|(?:materials and )?methods?|results?(?: and discussion)?|discussion|conclusions?|references|bibliography"
    r"|literature cited|acknowledge?ments?|appendix.{0,60})[ \t]*$", re.IGNORECASE | re.MULTILINE,
)  # fmt: skip
_PERSON = re.compile(r"[^\W\d_][\w.'’-]*(?: [\w.'’-]+){1,4}")


@reader
def parse(data: bytes, name: str) -> Iterator[Document | Finding]:
    """One document; `meta["page_lines"]` holds the line of the text on which each page begins, from 1."""
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
        starts, first_lines = list[int](), list[int]()
        at, line = 0, 1
        for number in range(min(count, PAGES)):
            try:
                text = str(pdf[number].get_textpage().get_text_range())
            except pdfium.PdfiumError as error:
                yield Finding("source-page", "warning", f"{name}#page={number + 1}", f"cannot be read: {error}")
                text = ""
            text = re.sub(r"\r\n?", "\n", text).replace("\ufffe", "-\n").strip("\n") + "\n"
            text = _paragraphs(_MARGIN.sub("", text))
            starts.append(at)
            first_lines.append(line)
            parts.append(text)
            at, line = at + len(text) + 1, line + text.count("\n")
        known = {key.lower(): str(value) for key, value in pdf.get_metadata_dict().items() if value}
        # An outline may point into itself.
        bookmarks = islice(pdf.get_toc(max_depth=4), 1_000)
        outline = [
            (to.get_index(), str(item.get_title()), item.level + 1) for item in bookmarks if (to := item.get_dest())
        ]
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
    fields = [*_authors(known.get("author", ""), text[:3_000]), *_day(text[:5_000])]
    said = next((found[0][0] for name, value, *_ in fields if name != "author" and (found := dates(value))), "")
    published = said or ("-".join(when.groups()) if when else "")
    if not said and (
        year := _YEAR.search(re.split(r"(?im)^(?:abstract|summary|(?:1\.? )?introduction)\b", text[:1_500])[0])
    ):
        published = published if published.startswith(year[0]) else year[0]  # the file may have been made later
    author = ", ".join(value for name, value, *_ in fields if name == "author")
    sections = tuple(_sections(outline, starts, text))
    yield Document(
        name, title[:200], text, "application/pdf", author, published, sections=sections, raw=data,
        meta={"subject": title[:200], "fields": fields, "page_lines": first_lines, "body": 0},
    )  # fmt: skip


def _authors(told: str, top: str) -> Iterator[Field]:
    """The people whom the properties of the file call its authors, and the first page names too: the properties alone
    often name who converted it."""
    for name in re.split(r"\s*(?:[,;&]|\band\b)\s*", told):
        words = r"\s+".join(map(re.escape, name.split()))
        # Above the line stands where they work: the mark of that note follows the name.
        if _PERSON.fullmatch(name) and (found := re.search(rf"\b{words}(?![^\W\d_])", top, re.IGNORECASE)):
            yield "author", name, *found.span()


def _day(top: str) -> Iterator[Field]:
    """The first day that a text says it was written or changed on."""
    for found in _DATED.finditer(top):
        if dates(value := found["day"] or found["alone"]):
            yield "updated" if found["changed"] else "published", value, *found.span()
            return


def _paragraphs(text: str) -> str:
    """The text of a page with an empty line after each line that ends well before the others: there a paragraph ends,
    and headings and menus are none."""
    lines = text.split("\n")
    wide = sorted(map(len, lines))[int(0.9 * (len(lines) - 1))]
    return "\n".join(f"{line}\n" if line.strip() and len(line) < 0.6 * wide else line for line in lines).rstrip() + "\n"


def _sections(outline: list[tuple[int | None, str, int]], starts: list[int], text: str) -> Iterator[Section]:
    """The headings of the outline, each at its line where its page has one that says so, else where its page begins;
    where there is no outline, lines that are headings of papers."""
    places = [] if outline else [(found.start(), found[1], 1) for found in _HEADING.finditer(text)]
    for page, title, level in outline:
        if page is not None and 0 <= page < len(starts):
            end = starts[page + 1] if page + 1 < len(starts) else len(text)
            at = text.find(title, starts[page], end)
            places.append((max(starts[page], text.rfind("\n", 0, max(at, 0)) + 1), title, level))
    places.sort(key=lambda place: place[0])
    for i, (start, title, level) in enumerate(places):
        yield Section(title, level, start, places[i + 1][0] if i + 1 < len(places) else len(text))
