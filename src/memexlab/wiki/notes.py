"""Footnotes and front matter as a page bears them. It knows no page."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote as percent

from .standing import Quote
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
            lines_of = f"#L{quote.line}" + (f"-L{quote.last_line}" if quote.last_line > quote.line else "")
            words = safe(" ".join(quote.text.split()))
            if not quote.line:
                lines.append(f"[^{number}]: {words}")
                continue
            where = f"[{plain(quote.source)}{lines_of}](../{percent(quote.source)}{lines_of})"
            lines.append(f"[^{number}]: “{words}” {where}")
        return "\n".join(lines)


def as_yaml(text: str) -> str:
    clean = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
    return '"' + clean.replace("<", "‹").replace("\\", "\\\\").replace('"', '\\"') + '"'
