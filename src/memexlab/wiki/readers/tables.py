"""Reads CSV and TSV as they are; the columns and the number of rows are known, the cells stay text."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, zip_longest
from typing import Any

from ...ledger import Finding
from . import Document
from .text import parse as parse_text

_SHOWN, _WIDE, _CELL_CHARS = 20, 20, 80


def _ranges(rows: list[list[str]]) -> Iterator[str]:
    """The least and the greatest of each column of numbers."""
    for name, *cells in zip_longest(*rows, fillvalue=""):
        given = [cell.strip() for cell in cells if cell.strip()]
        if len(given) > 1 and all(re.fullmatch(r"[-+]?\d+(?:[.,]\d+)?", cell) for cell in given):
            least, *_, greatest = sorted(given, key=lambda cell: float(cell.replace(",", ".")))
            yield f"{name} {least} to {greatest}"


def delimiter_of(text: str, name: str) -> str:
    """What parts the cells: the mark of which the first rows hold the same number each, a comma where none does."""
    if name.lower().endswith(".tsv"):
        return "\t"

    def fits(mark: str) -> tuple[bool, int]:
        rows = islice(csv.reader(io.StringIO(text, newline=""), delimiter=mark), 20)
        widths = [len(row) for row in rows if row]
        return (min(widths) == max(widths), widths[0]) if widths and widths[0] > 1 else (False, 0)

    return max(",;\t|", key=fits)


def parse(data: bytes, name: str) -> Iterator[Document | Finding]:
    """One document whose text is the file; `meta["columns"]` and `meta["rows"]` say what it holds."""
    for document in parse_text(data, name):
        if isinstance(document, Finding):
            yield document
            continue
        try:
            delimiter = delimiter_of(document.text, name)
            rows = list(csv.reader(io.StringIO(document.text, newline=""), delimiter=delimiter))
        except csv.Error as error:
            yield Finding("source-damaged", "warning", name, f"is no table that can be read: {error}")
            continue
        wrong = [i for i, row in enumerate(rows, 1) if row and len(row) != len(rows[0])]
        if wrong:
            yield Finding("source-table", "warning", f"{name}:{wrong[0]}", f"{len(wrong)} rows have other columns")
        media = "text/tab-separated-values" if delimiter == "\t" else "text/csv"
        title = document.title if document.meta["fields"] else name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
        columns = rows[0][:200] if rows else []
        fields = [["columns", ", ".join(columns), 0, len(document.text.split("\n", 1)[0])]] if columns else []
        meta: dict[str, Any] = {"subject": title, "fields": fields, "columns": columns, "rows": max(0, len(rows) - 1)}
        meta["table"] = [[cell[:_CELL_CHARS] for cell in row[:_WIDE]] for row in rows[: _SHOWN + 1]]
        meta["told"] = ", ".join([f"{meta['rows']:,} rows", f"{len(columns)} columns", *_ranges(rows)][: _WIDE + 2])
        yield replace(document, title=title, media=media, sections=(), links=(), meta=meta)
