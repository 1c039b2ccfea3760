"""Reads Jupyter notebooks (nbformat 3 and 4) as Markdown: prose as it is, code and what it printed between fences."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ...ledger import Finding
from . import Document
from .text import decoded
from .text import parse as parse_text

_MOST_PRINTED_CHARS = 2_000


def parse(data: bytes, name: str) -> Iterator[Document | Finding]:
    """One document; pictures of outputs are left out."""
    text, wrong = decoded(data, name)
    yield from [wrong] if wrong else []
    try:
        book = json.loads(text)
        sheets = [book, *book.get("worksheets", ())]  # nbformat 3 has its cells in a sheet
        cells = [cell for sheet in sheets for cell in sheet.get("cells", ())]
        written = "\n\n".join(filter(None, map(_written, cells)))
    except (ValueError, AttributeError, TypeError) as error:
        yield Finding(
            "source-damaged", "warning", name, f"is no notebook: {error}"[:300], "jupyter nbconvert --to notebook"
        )
        return
    if not written.strip():
        yield Finding("source-empty", "warning", name, "the notebook has no cell with a word in it")
        return
    for found in parse_text(f"{written}\n".encode(errors="replace"), name):
        yield replace(found, media="application/x-ipynb+json", raw=data) if isinstance(found, Document) else found


def _written(cell: dict[str, Any]) -> str:
    source = _joined(cell.get("source", cell.get("input", ""))).strip()
    if cell.get("cell_type") != "code":
        return "#" * int(cell.get("level", 1)) + f" {source}" if cell.get("cell_type") == "heading" else source
    printed = "\n".join(filter(None, map(_printed, cell.get("outputs", ()))))[:_MOST_PRINTED_CHARS]
    return "\n\n".join(f"```{kind}\n{text}\n```" for kind, text in (("python", source), ("text", printed)) if text)


def _printed(output: dict[str, Any]) -> str:
    plain = output.get("text") or output.get("data", {}).get("text/plain", "")
    return _joined(plain).replace("```", "'''").strip()


def _joined(lines: str | list[str]) -> str:
    return lines if isinstance(lines, str) else "".join(lines)
