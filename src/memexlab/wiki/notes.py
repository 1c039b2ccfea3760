"""Footnotes, front matter and tables as a page bears them. It knows no page."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import PurePosixPath
from urllib.parse import quote as percent

from .live_claims import Quote
from .readers import READERS
from .subjects import plain, safe


class Notes:
    """The footnotes of one page, numbered as they come; the same words of the same lines are one note."""

    def __init__(self) -> None:
        self._notes: dict[Quote, int] = {}

    def __call__(self, quotes: Iterable[Quote]) -> str:
        return "".join(f"[^{self._notes.setdefault(quote, len(self._notes) + 1)}]" for quote in quotes)

    def __contains__(self, quote: Quote) -> bool:
        return quote in self._notes

    def sources(self) -> set[str]:
        return {quote.source for quote in self._notes}

    def __str__(self) -> str:
        lines = []
        for quote, number in self._notes.items():
            words = safe(" ".join(quote.text.split()))
            if not quote.line:
                lines.append(f"[^{number}]: {words}")
                continue
            file, place = placed(quote)
            lines.append(f"[^{number}]: “{words}” [{plain(file)}{place}](../{percent(file)}{place})")
        return "\n".join(lines)


def placed(quote: Quote) -> tuple[str, str]:
    """The file that words stand in, and where in it: lines of a text, a page, a message. The text that a reader found
    in a file of another form has lines too, but no reader of that file could count them."""
    file, _, part = quote.source.rpartition("#")
    for name, place in ((file, f"#{part}"), (quote.source, f"#page={quote.page}" if quote.page else "")):
        if READERS.get(PurePosixPath(name).suffix.lower(), "text") not in ("text", "tables"):
            return name, place
    return quote.source, f"#L{quote.line}" + (f"-L{quote.last_line}" if quote.last_line > quote.line else "")


def table_of(kept: str) -> list[str]:
    """The lines of a source that is a table: what is told of all of it, and its first rows."""
    rows, told = json.loads(kept) if kept else ([], "")
    lines = ["| " + " | ".join(plain(cell) or " " for cell in row) + " |" for row in rows]
    return [f"*{plain(told)}*", "", lines[0], "|---" * len(rows[0]) + "|", *lines[1:], ""] if rows else []


def as_yaml(text: str) -> str:
    clean = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
    return '"' + clean.replace("<", "‹").replace("\\", "\\\\").replace('"', '\\"') + '"'
