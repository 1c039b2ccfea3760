"""Reads saved web pages: the article, without the frame around it. An error page gives a finding, not a source."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from ...ledger import Finding
from . import Document
from .needs import Unread, library, reader
from .text import headed
from .text import parse as parse_text

_LEAST_CHARS = 200
_ERROR_PAGE = re.compile(
    r"\b(40[0-9]|50[0-9]|not found|access denied|forbidden|just a moment|attention required|captcha|"
    r"enable javascript|verify you are human|page unavailable|bad gateway|service unavailable)\b",
    re.I,
)


@reader
def parse(data: bytes, name: str) -> Iterator[Document | Finding]:
    """One document with the text of the article as Markdown."""
    trafilatura = library("trafilatura", name)
    found = trafilatura.extract(
        data, output_format="markdown", include_links=True, include_comments=False, include_formatting=True
    )
    metadata = trafilatura.extract_metadata(data, extensive=False)  # else any year in the text makes a day
    title = str(getattr(metadata, "title", "") or "")
    text = (found or "").strip()
    if len(text) < _LEAST_CHARS and (_ERROR_PAGE.search(title) or _ERROR_PAGE.search(text)):
        raise Unread("source-error-page", name, f"is an error page: {title or text[:60]!r}", "save the page again")
    if not text:
        raise Unread("source-no-text", name, "holds no article", "save the page as it reads, or as Markdown")
    author, published = str(metadata.author or ""), str(metadata.date or "")
    for document in parse_text(
        (headed(author=author, date=published, source=str(metadata.url or ""))[0] + text).encode(), name
    ):
        if isinstance(document, Document):
            title = title or document.title
            meta = {"subject": title, "fields": document.meta["fields"]}
            document = replace(
                document, title=title, media="text/html", raw=data, meta=meta, author=author,
                published=published, uri=str(metadata.url or ""), licence=str(metadata.license or ""),
            )  # fmt: skip
        yield document
