"""Reads what publishing leaves behind: RSS and Atom feeds, and the archive that X gives to its users."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from ...ledger import Finding
from . import Document
from .mail import date_of
from .needs import Unread, markdown_of, reader
from .text import headed

_EPOCH_MS = 1_288_834_974_657  # of X's ids: milliseconds in the bits above the 22nd
_ARCHIVE = re.compile(rb"\s*window\.YTD\.(?:tweets?|note_tweet)\.part\d+\s*=\s*")


@reader
def parse(data: bytes, name: str) -> Iterator[Document | Finding]:
    """A document an item; items without text are left out with a finding."""
    return _tweets(data, name) if name.lower().endswith(".js") else _feed(data, name)


def _feed(data: bytes, name: str) -> Iterator[Document | Finding]:
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise Unread("source-damaged", name, f"is no XML that can be read: {error}", "save the feed again") from error
    items = [element for element in root.iter() if _tag(element) in ("item", "entry")]
    if not items:
        raise Unread("source-no-text", name, "is no RSS or Atom feed: it has no item")
    whole = _child(root, "title") or _child(next(iter(root), root), "title")
    owner = _person(root)
    for number, item in enumerate(items, 1):
        part = f"{name}#{number:04}"
        shown = next(filter(None, (_child(item, tag) for tag in ("encoded", "content", "description", "summary"))), "")
        title = _child(item, "title") or f"{whole} {number}"
        text = markdown_of(shown, part) if "<" in shown else shown.strip()
        if not text:
            yield Finding("source-empty", "info", part, f"{title!r} has no text in the feed")
            continue
        link = next((e.get("href") or (e.text or "") for e in item if _tag(e) == "link"), "").strip()
        when = _child(item, "published") or _child(item, "pubdate") or _child(item, "updated") or _child(item, "date")
        author, day = _person(item) or owner, _day(when)
        head, fields = headed(author=author, date=day, source=link)
        meta = {"subject": title, "fields": fields, "body": len(head)}
        yield Document(
            part, title[:250], f"{head}{text}\n", "application/feed", author, day, link, meta=meta, raw=shown.encode()
        )


def _tag(element: Element) -> str:
    return str(element.tag).rpartition("}")[2].lower()


def _child(element: Element, tag: str) -> str:
    for child in element:
        if _tag(child) == tag:
            inner = "".join(child.itertext()) if len(child) == 0 else ElementTree.tostring(child, encoding="unicode")
            return inner.strip()
    return ""


def _person(element: Element) -> str:
    for child in element:
        if _tag(child) in ("author", "creator"):
            return (_child(child, "name") or "".join(child.itertext())).strip()
    return ""


def _day(text: str) -> str:
    return text[:10] if re.match(r"\d{4}-\d\d-\d\d", text) else date_of(text)


def day_of(tweet: int) -> str:
    """The day that the id of a tweet holds."""
    return datetime.fromtimestamp(((tweet >> 22) + _EPOCH_MS) / 1000, UTC).date().isoformat()


def _tweets(data: bytes, name: str) -> Iterator[Document | Finding]:
    """Tweets by their author; replies to oneself are one thread, and the date comes from the id."""
    head = _ARCHIVE.match(data)
    if head is None:
        raise Unread("reader", name, "is a script, and no archive of X: those begin with window.YTD")
    try:
        rows = json.loads(data[head.end() :])
        tweets = {str(row["tweet"]["id_str"]): row["tweet"] for row in rows}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unread("source-damaged", name, f"is no archive that can be read: {error}", "unpack it again") from error
    threads: dict[str, list[str]] = {}
    for identity in sorted(tweets, key=lambda text: (len(text), text)):
        first = str(tweets[identity].get("in_reply_to_status_id_str") or identity)
        first = next((head for head, members in threads.items() if first in members), identity)
        threads.setdefault(first, []).append(identity)
    for first, members in threads.items():
        texts = [html.unescape(str(tweets[identity].get("full_text", ""))).strip() for identity in members]
        if texts[0].startswith("RT @"):
            continue  # somebody else's words
        words = " ".join(re.sub(r"https?://\S+", "", texts[0]).split()) or texts[0]
        title = words if len(words) <= 80 else words[:80].rsplit(" ", 1)[0] + " …"
        if first.isdecimal() and int(first) > 30_000_000_000:  # ids before November 2010 hold no time
            published = day_of(int(first))
        else:
            published = _day(str(tweets[first].get("created_at", "")))
        meta = {"subject": title, "fields": [], "kind": "tweet"}
        text = "\n\n".join(filter(None, texts)) + "\n"
        yield Document(f"{name}#{first}", title, text, "application/x-tweet", published=published, meta=meta)
