"""Questions that a cell of a table answers: the column by its header, the row by what stands in its first column.

It reads CSV and TSV sources as they were taken in, and cites the line of the row. It knows no claims and no model.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from ..memory import Memory
from .quoting import Piece
from .subjects import key_of

_ASKED = re.compile(
    r"(?:(?:what|which|how (?:much|many)) (?:is|was|are|were) |show |give )?(?:me )?(?:the )?(?P<column>.+?)"
    r" (?:of|for) (?:the )?(?P<row>.+?)(?: (?:in|from|according to) (?:the )?(?P<table>[^ ]+))?[?. ]*", re.IGNORECASE,
)  # fmt: skip
_TABLES = """SELECT e.id, d.document, d.title, r.target, d.published FROM documents d JOIN entries e ON e.seq = d.entry
 JOIN refs r ON r.seq = e.seq AND r.role = 'file' WHERE d.document LIKE '%.csv' OR d.document LIKE '%.tsv' ORDER BY 2"""
MOST_ROWS, MOST_CHARS = 10, 300


def cells(memory: Memory, question: str) -> list[tuple[str, str, Piece]]:
    """(value, sentence, line) of every cell that the question asks for; none where no table has row and column."""
    if len(question) > MOST_CHARS or (asked := _ASKED.fullmatch(question.strip())) is None:
        return []
    column, row, table = (key_of(asked[part] or "") for part in ("column", "row", "table"))
    found: list[tuple[str, str, Piece]] = []
    for entry, name, title, blob, day in memory.db.execute(_TABLES).fetchall():
        if table and table not in (key_of(name), key_of(name.rsplit("/", 1)[-1]), key_of(title)):
            continue
        data = memory.blobs.get(blob)
        rows = _rows(data, "\t" if name.lower().endswith(".tsv") else ",")
        header = next(rows, ([], 0, 0, 0))[0]
        # "price" is the column "price (EUR)" or "price_eur", where no other begins so
        fits = [i for i, one in enumerate(header) if key_of(one) == column] or [
            i for i, one in enumerate(header) if column and key_of(one.replace("_", " ")).startswith(f"{column} ")
        ]
        if len(fits) != 1 or fits[0] == 0:
            continue
        for told, line, start, end in rows:
            if len(told) == len(header) and key_of(told[0]) == row and told[fits[0]].strip():
                value, what = told[fits[0]].strip(), header[fits[0]].strip()
                quote = data[start:end].decode("utf-8", errors="replace").strip()
                last = line + quote.count("\n")
                piece = Piece(f"{what} of {told[0]}: {value}", quote, name, line, last, day, entry, blob, start, end, 2)
                found.append((value, f"The {what} of {told[0]} in {title} is {value}.", piece))
    return found[:MOST_ROWS]


def _rows(data: bytes, delimiter: str) -> Iterator[tuple[list[str], int, int, int]]:
    """Each row with its first line and its place in bytes; a cell in quotes may hold an end of line."""
    lines = io.StringIO(data.decode("utf-8", errors="surrogateescape"), newline="").readlines()
    ends = [0]
    for line in lines:
        ends.append(ends[-1] + len(line.encode("utf-8", errors="surrogateescape")))
    reader, before = csv.reader(lines, delimiter=delimiter), 0
    for row in reader:
        yield row, before + 1, ends[before], ends[reader.line_num]
        before = reader.line_num
