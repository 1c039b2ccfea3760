"""Questions that cells of a table answer: the column by its header, the row by what stands in its first column, or all
rows; and what the numbers of a column come to.

It reads CSV and TSV sources as they were taken in, and tables in Markdown, as which other readers give theirs; it cites
the lines of the rows. It knows no claims and no model.
"""

from __future__ import annotations

import csv
import io
import re
import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ..memory import Memory
from .answer_formats import NUMBER
from .dates import dates
from .evidence_search import Piece
from .readers.tables import delimiter_of
from .subjects import key_of
from .value_questions import held_at

_IN = r"(?: (?:in|from|according to|across|over) (?:the )?(?P<table>[^ ]+))?[?. ]*"
_ASKED = [re.compile(told + _IN, re.IGNORECASE) for told in (
    r"(?:what (?:is|was) |show |give )?(?:me )?(?:the )?(?P<how>average|mean|median|total|sum|highest|maximum|lowest"
    r"|minimum)(?: of)? (?:the )?(?P<column>.+?)(?: (?:of|for|among) (?:the )?(?P<row>.+?))?",
    r"how (?:many|much) (?P<column>.+?) (?:does|do|did|has|have) (?:the )?(?P<row>.+?)(?: have)?",
    r"how (?:much|many) (?:does|do|did) (?:the )?(?P<row>.+?) (?P<column>\w+)",
    r"(?:(?:what|which|how (?:much|many)) (?:is|was|are|were) |show |give )?(?:me )?(?:the )?(?P<column>.+?)"
    r"(?: (?:of|for|by|per) (?:the )?(?P<row>.+?))?",
)]  # fmt: skip
_FILES = """SELECT e.id, d.document, d.title, r.target, d.published, coalesce(r.start, 0) FROM documents d JOIN
 entries e ON e.seq = d.entry JOIN refs r ON r.seq = e.seq AND r.role = 'file' WHERE d.document LIKE '%.csv' OR
 d.document LIKE '%.tsv' OR d.entry IN (SELECT p.entry FROM passage_words w JOIN passages p ON p.rowid = w.rowid WHERE
 passage_words MATCH ? AND p.text LIKE '%|%|%' LIMIT 200) ORDER BY 2"""
_TABLE = re.compile(rb"^[ \t]*\|.*\n[ \t]*\|[ \t:|-]*-[ \t:|-]*\n(?:[ \t]*\|.*\n?)*", re.MULTILINE)
_DATED = frozenset(("date", "day", "month", "year", "since", "from"))
_COMPUTED: dict[str, Callable[[Sequence[float]], float]] = {
    "average": statistics.fmean, "mean": statistics.fmean, "median": statistics.median, "total": sum, "sum": sum,
    "highest": max, "maximum": max, "lowest": min, "minimum": min,
}  # fmt: skip
MOST_ROWS, MOST_CHARS, SHOWN = 100, 300, 12


class Cell(NamedTuple):
    """What a table says: the value, the sentence that tells it, its lines, and the names of its row and column."""

    value: str
    text: str
    piece: Piece
    row: str
    column: str


def cells(memory: Memory, question: str, as_of: str | None = None) -> list[Cell]:
    """Every cell that the question asks for, or what they come to, of tables and rows that are not dated later; none
    where no table has row and column."""
    for form in _ASKED if len(question) <= MOST_CHARS else ():
        asked = form.fullmatch(question.strip())
        if asked and (asked["row"] or asked["table"] or "how" in asked.groupdict()):
            column, row, table = (key_of(asked[part] or "") for part in ("column", "row", "table"))
            if found := _found(memory, column, row, table, asked.groupdict().get("how") or "", as_of):
                return found[:MOST_ROWS]
    return []


def _found(memory: Memory, column: str, row: str, table: str, how: str, as_of: str | None) -> list[Cell]:
    found: list[Cell] = []
    every = not row or re.fullmatch(r"(?:each|every|all)\b.*", row) is not None
    words = " AND ".join(f'"{word}"' for word in (column if every else row).split()) or '""'
    for entry, name, title, blob, day, base in memory.db.execute(_FILES, (words,)).fetchall():
        file = name.rsplit("/", 1)[-1]
        named = not table or table in map(key_of, (name, file, file.rpartition(".")[0], title))
        if not named or not held_at(as_of, day, None):
            continue
        data = memory.blobs.get(blob)
        for header, rows in tables_of(data, name, base):
            # "price" is the column "price (EUR)" or "price_eur", where no other begins so
            fits = [i for i, one in enumerate(header) if key_of(one) == column] or [
                i for i, one in enumerate(header) if column and key_of(one.replace("_", " ")).startswith(f"{column} ")
            ]
            if len(fits) != 1 or fits[0] == 0:
                continue
            at, what, first = fits[0], header[fits[0]].strip(), key_of(header[0])
            dated = [i for i, one in enumerate(header) if key_of(one) in _DATED and i != at]
            those: list[tuple[str, str, int, int, int]] = []
            for told, line, start, end in rows:
                if len(told) != len(header) or not all(held_at(as_of, day_of(told[i]), None) for i in dated):
                    continue
                keys = [key_of(one) for one in told[: len(told) if how else 1]]
                called = {first, f"{first}s", f"{first} {keys[0]}", *keys, *(f"{key} {first}s" for key in keys)}
                if every or row in called:
                    those.append((told[0], told[at].strip(), line, start, end))
            if how and (numbers := [n for _, cell, *_ in those if (n := _number(cell)) is not None]):
                shown = ", ".join(f"{number:g}" for number in numbers[:SHOWN]) + ", …" * (len(numbers) > SHOWN)
                shown += f"; {len(those) - len(numbers)} more without a number" * (len(numbers) < len(those))
                value = f"{_COMPUTED[how.lower()](numbers):.6g}"
                text = f"is {value} ({len(numbers)} cells: {shown})"
                what, of = f"{how.lower()} {what}", "all rows" if every else row
                those = [(of, value, those[0][2], those[0][3], those[-1][4])]
            for of, value, line, start, end in those if not how or numbers else ():
                text = text if how else f"is {value or 'empty'}"
                quote = data[start:end].decode("utf-8", errors="replace").strip()
                piece = Piece(f"{what} of {of}: {value}", quote, name, line, line + quote.count("\n"), day, entry, blob,
                              start, end, 2, title, day)  # fmt: skip
                found.append(Cell(value, f"The {what} of {of} in {title} {text}.", piece, of, what))
    return found


def tables_of(data: bytes, name: str, base: int) -> Iterator[tuple[list[str], list[tuple[list[str], int, int, int]]]]:
    """Header and rows of each table of a source; of a row its cells, its first line, and its place in bytes."""
    if name.lower().endswith((".csv", ".tsv")):
        rows = list(_rows(data, delimiter_of(data[:200_000].decode("utf-8", errors="replace"), name)))
        yield (rows[0][0] if rows else []), rows[1:]
        return
    for found in _TABLE.finditer(data, base):
        start, rows = found.start(), []
        for number, line in enumerate(found[0].splitlines(keepends=True), data.count(b"\n", 0, start) + 1):
            bare = line.decode("utf-8", errors="replace").strip().removeprefix("|").removesuffix("|")
            told = [one.strip() for one in re.split(r"(?<!\\)\|", bare)]
            rows.append((told, number, start, start + len(line)))
            start += len(line)
        yield rows[0][0], rows[2:]


_COMMA = re.compile(r"(?<![\d.,])(\d{1,3}(?:\.\d{3})+|\d+),(\d{1,2}|\d{4,})(?![\d.,])")


def _number(cell: str) -> float | None:
    cell = _COMMA.sub(lambda m: f"{m[1].replace('.', '')}.{m[2]}", cell)  # 1.250,50 as most of Europe writes it
    found = None if dates(cell) else NUMBER.match(cell)
    return float(found[1].replace(",", "")) if found else None


def day_of(cell: str) -> str:
    """The day or the year that a cell holds, else ''."""
    return next((day for day, *_ in dates(cell)), cell.strip() if re.fullmatch(r"\s*[12]\d{3}\s*", cell) else "")


def _rows(data: bytes, delimiter: str) -> Iterator[tuple[list[str], int, int, int]]:
    """The rows of CSV; a cell in quotes may hold an end of line."""
    lines = io.StringIO(data.decode("utf-8", errors="surrogateescape"), newline="").readlines()
    ends = [0]
    for line in lines:
        ends.append(ends[-1] + len(line.encode("utf-8", errors="surrogateescape")))
    reader, before = csv.reader(lines, delimiter=delimiter), 0
    for row in reader:
        yield row, before + 1, ends[before], ends[reader.line_num]
        before = reader.line_num
