"""What readers of other people's formats need: libraries, imported where one is read, and how a file is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from importlib import import_module
from typing import Any

from ...ledger import Finding
from . import Document

Parse = Callable[[bytes, str], Iterator[Document | Finding]]


class Unread(Exception):
    """A file that gives no document; `finding` says why."""

    def __init__(self, rule: str, name: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.finding = Finding(rule, "warning", name, message, hint)


def reader(parse: Parse) -> Parse:
    """A parser for which Unread is its last finding."""

    @wraps(parse)
    def whole(data: bytes, name: str) -> Iterator[Document | Finding]:
        try:
            yield from parse(data, name)
        except Unread as unread:
            yield unread.finding

    return whole


def library(module: str, name: str) -> Any:
    """The module; raises Unread where the extra that brings it is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        hint = "pip install 'memexlab[docs]'"
        raise Unread("reader-missing", name, f"needs {module}, which is not installed", hint) from error


def markdown_of(html: str, name: str) -> str:
    """HTML as Markdown, without scripts, styles and forms."""
    h2m = library("html_to_markdown", name)
    return str(h2m.convert(html).content or "").strip()
