"""Reads mbox: a document a message, with its author and date."""

from __future__ import annotations

import email
import re
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import default
from email.utils import parseaddr, parsedate_to_datetime

from ...ledger import Finding
from . import Document
from .needs import Unread, library, markdown_of
from .text import Field

_START = re.compile(rb"(?:\A|\n)From [^\n]*\n(?=[!-9;-~]+:)")
#: Where programs say that the words of another begin.
_FORWARDED = re.compile(
    r"(?m)(?=^-{2,} ?(?:Original|Ursprüngliche|Forwarded|Weitergeleitete|Message d)[^\n]*-{2,}$|^_{20,}\nFrom: )"
)
_OTHERS = re.compile(r"gmail_(?:quote|attr)|moz-cite-prefix|yahoo_quoted|protonmail_quote|divRplyFwdMsg")


def parse(data: bytes, name: str) -> Iterator[Document | Finding]:
    """The messages in the order of the file; one that cannot be read is a finding."""
    found = list(_START.finditer(data))
    starts = [match.end() for match in found] or [0]
    ends = [*(match.start() for match in found[1:]), len(data)]
    for number, (start, end) in enumerate(zip(starts, ends, strict=True), 1):
        part = f"{name}#{number:05}"
        raw = data[start:end]
        try:
            message = email.message_from_bytes(raw, policy=default)
            assert isinstance(message, EmailMessage)
            text = _text(message, part)
            subject = " ".join(str(message.get("subject", "")).split()) or f"message {number}"
            author, address = parseaddr(str(message.get("from", "")))
            published = date_of(str(message.get("date", "")))
            beside = (one for one in message.iter_attachments() if not one.get("content-id"))  # no picture of the text
            files = [str(one.get_filename() or one.get_content_type()) for one in beside]
        except Unread as unread:
            yield unread.finding
            continue
        except (LookupError, ValueError, AssertionError, AttributeError, TypeError) as error:
            yield Finding("source-damaged", "warning", part, f"is no message that can be read: {error}")
            continue
        if files:
            told = f"attachments not read: {', '.join(files)}"[:300]
            yield Finding("source-attachment", "info", part, told, "save them into the folder of your sources")
        if not text.strip():
            yield Finding("source-empty", "info", part, "a message without text")
            continue
        if not re.sub(r"(?m)^>.*$|^(?:On|Am|Le) .*(?:\n.*)?:$", "", text).strip():
            yield Finding("source-empty", "info", part, "a message that only quotes others")
            continue
        head, fields = _head(message, author or address, published)
        identity = str(message.get("message-id", ""))
        meta = {"subject": subject, "fields": fields, "body": len(head), "message": identity}
        text = head + text
        yield Document(part, subject[:250], text, "message/rfc822", author or address, published, meta=meta, raw=raw)


def _head(message: EmailMessage, author: str, published: str) -> tuple[str, list[Field]]:
    """The lines of a message that say who wrote it and when, and what they say with its place."""
    head, fields = "", list[Field]()
    for name, line, value in (("author", "From", author), ("date", "Date", published)):
        if value:
            said = " ".join(str(message.get(line, "")).split())
            end = said.find(value) + len(value) if value in said else len(said)
            fields.append((name, value, len(head), len(head) + len(f"{line}: ") + end))
            head += f"{line}: {said}\n"
    return f"{head}\n" if head else "", fields


def _text(message: EmailMessage, name: str) -> str:
    body = message.get_body(("plain", "html"))
    if body is None:
        return ""
    content = str(body.get_content())
    if body.get_content_subtype() == "html":
        return markdown_of(_with_quotes(content, name) if _OTHERS.search(content) else content, name)
    own = re.split(r"^-- ?\n", re.sub(r"\r\n?", "\n", content), maxsplit=1, flags=re.MULTILINE)[0]  # no signature
    mine, *theirs = re.split(_FORWARDED, own, maxsplit=1)
    return mine + re.sub(r"(?m)^", "> ", theirs[0]) if theirs else own


def _with_quotes(html: str, name: str) -> str:
    """The words of others as the quotation that they are; mail programs mark them by the name of a class."""
    lxml = library("lxml.html", name)
    tree = lxml.fromstring(html.encode(), parser=lxml.HTMLParser(encoding="utf-8"))
    for element in tree.xpath("//*[@class or @id]"):
        if _OTHERS.search(f"{element.get('class', '')} {element.get('id', '')}"):
            if "divRplyFwdMsg" in element.get("id", ""):  # the answered mail follows it
                for other in list(element.itersiblings()):
                    element.append(other)
            element.tag = "blockquote"
    return str(lxml.tostring(tree, encoding="unicode"))


def date_of(text: str) -> str:
    """The day of a date as mail has it, '' where it is none."""
    try:
        return parsedate_to_datetime(text).date().isoformat()
    except (ValueError, TypeError, IndexError):
        return ""
