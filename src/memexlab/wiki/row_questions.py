"""Questions that rows of a table answer: the cell of a row that is named, by a word of its column, and the rows whose
cell is what the question names.

Each word of the question must be a word of the column, of the row or of the value, or be what the rows are called; else
there is no answer from here. It reads CSV and TSV sources, and cites the lines of the rows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ..memory import Memory
from .evidence_search import Piece
from .question_words import PLACES, Words, asked_for
from .subjects import key_of
from .table_questions import Cell, day_of, tables_of
from .value_questions import held_at

_FILES = """SELECT e.id, d.document, d.title, r.target, d.published, coalesce(r.start, 0) FROM documents d JOIN
 entries e ON e.seq = d.entry JOIN refs r ON r.seq = e.seq AND r.role = 'file' WHERE d.document LIKE '%.csv' OR
 d.document LIKE '%.tsv' ORDER BY 2"""
_LISTS = re.compile(r"(?P<how>how many|which|what|list|show|name)(?: (?:all|the|of|me))* (?P<kind>\w+) (?P<rest>.+)")
_ASKS = re.compile(r"(?:who|when|where|what|which|how|did|was|were|is) ")
_WROTE = re.compile(r" wr(?:o|i)t(?:e|ten) ")
_GIVEN = frozenset(["give", "given", "gave", "have", "got", "my"])
MOST_ROWS, MOST_BYTES = 100, 2_000_000


class _Row(NamedTuple):
    cells: list[str]
    line: int
    start: int
    end: int


def rows_asked(memory: Memory, question: str, as_of: str | None = None) -> tuple[str, list[Cell]]:
    """What stands above them, and the cells that answer; nothing where no table accounts for every word."""
    asked = f" {key_of(question)} "
    if not _ASKS.match(asked[1:]) and not _LISTS.match(asked[1:]):
        return "", []
    units, wrote = asked_for(question).units, _WROTE.search(asked)
    for entry, name, title, blob, day, base in memory.db.execute(_FILES).fetchall() if len(question) <= 300 else ():
        if not held_at(as_of, day, None):
            continue
        data = memory.blobs.get(blob)
        first = Words(data[base : base + 2_000].partition(b"\n")[0].decode("utf-8", errors="replace").replace("_", " "))
        may = len(data) <= MOST_BYTES and (wrote or any(first.hold(unit) for unit in units))
        for header, told in tables_of(data, name, base) if may else ():
            rows = [_Row(*row) for row in told if len(row[0]) == len(header)]
            file = key_of(name.rsplit("/", 1)[-1])
            text = asked.replace(f" in {file} ", " ").replace(f" {file} ", " ")
            found = _of_row(text, header, rows) or _with_value(text, header, rows)
            if found:
                head, those, at = found
                cells = []
                for row in those[:MOST_ROWS]:
                    quote = data[row.start : row.end].decode("utf-8", errors="replace").strip()
                    what, value, of = header[at].strip(), row.cells[at].strip(), row.cells[0].strip()
                    piece = Piece(f"{what} of {of}: {value}", quote, name, row.line, row.line + quote.count("\n"), day,
                                  entry, blob, row.start, row.end, 2, title, day)  # fmt: skip
                    shown = f"{what} {value}" if value else f"no {what} is given"
                    said = f"{of}: {shown}{'' if head else f' ({title})'}."
                    cells.append(Cell(value, said, piece, of, what))
                return head and f"{head} in {title}", cells
    return "", []


def _of_row(asked: str, header: Sequence[str], rows: Sequence[_Row]) -> tuple[str, list[_Row], int] | None:
    """The rows whose first cell the question names whole, and the column whose word is all that is left of it."""
    keys = {key_of(row.cells[0]) for row in rows}
    named = max((key for key in keys if key and f" {key} " in asked), key=len, default="")
    if not named:
        return None
    rest = asked.replace(f" {named} ", " ", 1)
    those = [row for row in rows if key_of(row.cells[0]) == named]
    fits = [i for i in _columns(rest, header) if i > 0]
    if rest.startswith(" when "):
        fits = [i for i in fits if all(day_of(row.cells[i]) or not row.cells[i].strip() for row in those)]
    elif len(fits) > 1 and not rest.startswith(" how many "):
        fits = [i for i in fits if not any(day_of(row.cells[i]) for row in those)]
    return ("", those, fits[0]) if len(fits) == 1 else None


def _with_value(asked: str, header: Sequence[str], rows: Sequence[_Row]) -> tuple[str, list[_Row], int] | None:
    """The rows in whose column, of which the question has a word, stands the value or the year that it names."""
    listed = _LISTS.fullmatch(asked.strip())
    if listed is None:
        return None
    rest = f" {listed['rest']} "
    for i in range(len(header)):
        values = {key_of(row.cells[i]) for row in rows} | {
            day[:size] for row in rows if (day := day_of(row.cells[i])) for size in (4, 7, 10)
        }
        named = max((one for one in values if one and f" {key_of(one)} " in rest), key=len, default="")
        left = rest.replace(f" {key_of(named)} ", " ", 1) if named else ""
        where = Words(header[i]).all & PLACES and re.search(rf" (?:in|on|at|from) {re.escape(key_of(named))} ", rest)
        fits = _columns(left, header) if named else []
        if i in fits or (where and fits):
            those = [row for row in rows
                     if key_of(row.cells[i]) == named or (day_of(row.cells[i]) or "\n").startswith(named)]  # fmt: skip
            count = f"{len(those)} row{'s' * (len(those) != 1)} with {header[i].strip()} {those[0].cells[i].strip()}"
            if day_of(those[0].cells[i]):
                count = f"{len(those)} row{'s' * (len(those) != 1)} with {header[i].strip()} in {named}"
            return count, those, i
    return None


def _columns(text: str, header: Sequence[str]) -> list[int]:
    """The columns with a word like each of those left in the text, beside words that ask."""
    asked = asked_for(text)
    left = [unit for unit in asked.units if unit.said not in _GIVEN]
    heads = [Words(one.replace("_", " ") + (" written wrote" if key_of(one) == "author" else "")) for one in header]
    return [i for i, head in enumerate(heads) if left and all(head.hold(unit) for unit in left)]
