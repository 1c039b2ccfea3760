"""Reads DOCX as one document, and EPUB as one document a chapter. Archives are measured before they are opened."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import unquote
from xml.etree import ElementTree

from ...ledger import Finding
from . import Document
from .needs import Unread, library, markdown_of, reader
from .text import decoded, headed
from .text import parse as parse_text

UNPACKED_BYTES = 200_000_000
_FILES = 5_000
_LETTER = "openxmlformats-officedocument.wordprocessingml.document"
_DC = "{http://purl.org/dc/elements/1.1/}"
_OPF = "{http://www.idpf.org/2007/opf}"


@reader
def parse(data: bytes, name: str) -> Iterator[Document | Finding]:
    """The documents of an archive of either kind."""
    with _opened(data, name) as archive:
        yield from _book(archive, name) if name.lower().endswith(".epub") else _letter(data, name)


def _opened(data: bytes, name: str) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        if data[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":  # how an encrypted DOCX is wrapped
            raise Unread("source-encrypted", name, "is encrypted", "save a copy without a password") from error
        raise Unread("source-damaged", name, f"is no archive: {error}", "open it in its program") from error
    members = archive.infolist()
    if len(members) > _FILES or sum(member.file_size for member in members) > UNPACKED_BYTES:
        raise Unread("source-bomb", name, f"unpacks to more than {UNPACKED_BYTES:,} bytes or {_FILES} files")
    if any(member.flag_bits & 1 for member in members):
        raise Unread("source-encrypted", name, "is encrypted", "save a copy without a password")
    return archive


def _letter(data: bytes, name: str) -> Iterator[Document | Finding]:
    mammoth = library("mammoth", name)
    try:
        html = mammoth.convert_to_html(io.BytesIO(data), style_map="p[style-name='Title'] => h1.title:fresh").value
    except (KeyError, ValueError, OSError, ElementTree.ParseError) as error:
        raise Unread("source-damaged", name, f"cannot be read: {error}", "open it in its program") from error
    text = markdown_of(re.sub(r"<img[^>]*>", "", html), name)
    told = _properties(data)
    author = told["creator"] if re.fullmatch(r"[^\W\d_][\w.'’-]*(?: [\w.'’-]+){1,4}", told["creator"]) else ""
    head = headed(author=author, created=told["created"][:10])[0] if author and text else ""  # else of a template
    for document in _texts(head + text, data, name, f"application/vnd.{_LETTER}"):
        if isinstance(document, Document) and "<h1 class" not in html and (title := _title(text, told["title"])):
            document = replace(document, title=title, meta={**document.meta, "subject": title})
        yield document


def _properties(data: bytes) -> dict[str, str]:
    """What the file says of itself: its title, who made it, and when."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            core = ElementTree.fromstring(archive.read("docProps/core.xml"))
    except (KeyError, ElementTree.ParseError):
        core = ElementTree.Element("none")
    named = {"title": f"{_DC}title", "creator": f"{_DC}creator", "created": "{http://purl.org/dc/terms/}created"}
    return {name: (core.findtext(tag) or "").strip() for name, tag in named.items()}


def _title(text: str, told: str) -> str:
    """What a letter without a line in the style of titles is called: by its properties, else a first line that is no
    sentence."""
    first = text.lstrip().split("\n", 1)[0]
    plain = first.strip("*_ ")
    known = "" if re.match(r"(?i)\s*$|untitled|word document|document ?\d*$|microsoft word", told) else told.strip()
    return known[:200] or (
        plain if 0 < len(plain) < 80 and plain[0] not in "#|>-" and plain[-1] not in ".!?:;," else ""
    )


def _book(archive: zipfile.ZipFile, name: str) -> Iterator[Document | Finding]:
    try:
        container = ElementTree.fromstring(archive.read("META-INF/container.xml"))
        rootfile = next(e.attrib["full-path"] for e in container.iter() if e.tag.endswith("rootfile"))
        package = ElementTree.fromstring(archive.read(rootfile))
    except (KeyError, StopIteration, ElementTree.ParseError) as error:
        raise Unread("source-damaged", name, "is no EPUB: its package cannot be read", "open it in a reader") from error
    told = {key: (package.findtext(f".//{_DC}{key}") or "").strip() for key in ("title", "creator", "date", "rights")}
    items = {e.attrib.get("id"): e.attrib.get("href", "") for e in package.iter(f"{_OPF}item")}
    folder = posixpath.dirname(rootfile)
    number = 0
    for step in package.iter(f"{_OPF}itemref"):
        place = posixpath.normpath(posixpath.join(folder, unquote(items.get(step.attrib.get("idref"), ""))))
        try:
            html, wrong = decoded(archive.read(place), f"{name}#{place}")
        except KeyError:
            yield Finding("source-part", "warning", f"{name}#{place}", "is named in the book and not in the archive")
            continue
        yield from [wrong] if wrong else []
        text = markdown_of(html, name)
        if len(text) < 40:
            continue
        number += 1
        for document in _texts(text, html.encode(), f"{name}#{number:03}", "application/epub+zip"):
            if isinstance(document, Document):
                heading = document.sections[0].heading if document.sections else f"part {number}"
                book = told["title"] or name
                document = replace(
                    document, title=f"{book}: {heading}"[:250], author=told["creator"], published=told["date"][:10],
                    licence=told["rights"], meta={"subject": f"{book}: {heading}"[:250], "fields": [], "book": book},
                )  # fmt: skip
            yield document


def _texts(text: str, raw: bytes, name: str, media: str) -> Iterator[Document | Finding]:
    if not text.strip():
        raise Unread("source-no-text", name, "holds no text")
    for document in parse_text(text.encode(), name):
        yield replace(document, media=media, raw=raw) if isinstance(document, Document) else document
