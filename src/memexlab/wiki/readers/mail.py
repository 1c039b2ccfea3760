"""Reads mbox: a document a message, with its author and date."""

from __future__ import annotations

import email
import re
from collections.abc import Iterator
from datetime import datetime
from email.message import EmailMessage
from email.policy import default
from email.utils import parseaddr, parsedate_to_datetime

from ...ledger import Finding
from . import Document
from .needs import Unread, markdown_of

_START = re.compile(rb"(?:\A|\n)From [^\n]*\n(?=[!-9;-~]+:)")


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
            published = _date(str(message.get("date", "")))
        except Unread as unread:
            yield unread.finding
            continue
        except (LookupError, ValueError, AssertionError, AttributeError, TypeError) as error:
            yield Finding("source-damaged", "warning", part, f"is no message that can be read: {error}")
            continue
        if not text.strip():
            yield Finding("source-empty", "info", part, "a message without text")
            continue
        meta = {"subject": subject, "fields": [], "message": str(message.get("message-id", ""))}
        yield Document(part, subject[:250], text, "message/rfc822", author or address, published, meta=meta, raw=raw)


def _text(message: EmailMessage, name: str) -> str:
    body = message.get_body(("plain", "html"))
    if body is None:
        return ""
    content = str(body.get_content())
    return markdown_of(content, name) if body.get_content_subtype() == "html" else re.sub(r"\r\n?", "\n", content)


def _date(text: str) -> str:
    try:
        found: datetime = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return ""
    return found.date().isoformat()
