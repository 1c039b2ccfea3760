"""What the columns of a table mean, from its header line or, without one, from its content.

Knows one line and a few that follow it; which lines belong to the table is decided in `tables`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .judging import is_commit
from .lines import could_be_number, instant, is_missing, number
from .words import better_of, choose_metric, plain, roles_of, setting_name, status_of

DELIMITERS = ("\t", ",", ";")
UPSTREAM = ("commit", "val_bpb", "memory_gb", "status", "description")

_QUOTED = {mark: re.compile(rf'[ ]*"((?:[^"]|"")*+)"[ ]*(?={re.escape(mark)}|\Z)', re.DOTALL) for mark in DELIMITERS}
_HEADER_CELL = re.compile(r"[#\w%][\w %./()#:\[\]-]{0,63}|", re.ASCII)
_SAMPLE_LINES = 40


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns of one table: their names, and for each role the index of its column (-1: none)."""

    delimiter: str
    names: tuple[str, ...]
    metric: int
    status: int
    commit: int
    description: int
    roles: tuple[str, ...]
    assumed: bool = False

    @property
    def width(self) -> int:
        return len(self.names)

    @property
    def metric_name(self) -> str:
        return self.names[self.metric] if self.metric >= 0 else ""


def split_cells(text: str, delimiter: str) -> list[str]:
    """The cells of a record; a cell in double quotes may hold the delimiter and line feeds.

    A quote that is not closed before the next delimiter is an ordinary character: agents write such descriptions.
    """
    if '"' not in text:
        return text.split(delimiter)
    cells: list[str] = []
    at = 0
    while True:
        match = _QUOTED[delimiter].match(text, at)
        if match:
            cells.append(match[1].replace('""', '"'))
            end = match.end()
        else:
            end = text.find(delimiter, at)
            end = len(text) if end < 0 else end
            cells.append(text[at:end])
        if end >= len(text):
            return cells
        at = end + 1


def opens_quote(text: str, delimiter: str) -> bool:
    """Whether the last cell opens a quote that this text does not close."""
    last = split_cells(text, delimiter)[-1].lstrip(" ")
    return last.startswith('"') and text.endswith(last) and not _QUOTED[delimiter].fullmatch(last)


def layout_from_header(line: str, following: Sequence[str], metric: str | None) -> Layout | None:
    """The layout `line` announces, or None if it is no header; `following` lines show which columns are numbers."""
    for delimiter in DELIMITERS:
        if delimiter not in line:
            continue
        raw = split_cells(line, delimiter)
        cells = [cell.strip() for cell in raw]
        if cells[0].startswith("#"):
            cells[0] = cells[0].lstrip("# ") or "#"
        while cells and not cells[-1]:
            cells.pop()
        if len(cells) < 2 or len(cells) > 500 or any(not _HEADER_CELL.fullmatch(cell) for cell in cells):
            continue
        if any(number(cell) is not None for cell in cells):
            continue
        if _recognised(cells) >= 2:
            sample = [split_cells(text, delimiter) for text in following[:_SAMPLE_LINES]]
            return _layout(delimiter, _distinct(cells), sample, metric)
    return None


def layout_from_content(line: str, metric: str | None) -> Layout | None:
    """The layout a data line without any header suggests, or None: a known status word and a number are required."""
    for delimiter in DELIMITERS:
        cells = [cell.strip() for cell in split_cells(line, delimiter)]
        if len(cells) < 3:
            continue
        known = [i for i, cell in enumerate(cells) if cell and len(cell) < 24 and status_of(cell)]
        # "baseline" is as often the name of the commit or the description as it is a status.
        status = min(known, key=lambda i: plain(cells[i]) == "baseline", default=-1)
        numbers = [i for i, cell in enumerate(cells) if number(cell) is not None]
        if status < 0 or not numbers:
            continue
        if len(cells) >= 5 and status == 3 and numbers[:2] == [1, 2]:
            names = ["commit", metric or "val_bpb", *UPSTREAM[2:]]
            return _layout(delimiter, names, [cells], names[1], assumed=True)
        names = [f"column_{i + 1}" for i in range(len(cells))]
        names[status] = "status"
        if status != 0 and 0 not in numbers:
            names[0] = "commit"
        if is_commit(cells[0]):
            names[0] = "commit"
        if len(cells) - 1 not in (*numbers, status):
            names[-1] = "description"
        first = next((i for i in numbers if names[i].startswith("column_")), -1)
        if first < 0:
            continue
        names[first] = metric or "metric"
        return _layout(delimiter, names, [cells], names[first], assumed=True)
    return None


def _recognised(cells: Sequence[str]) -> int:
    """How many cells are names of different roles; the metric counts as one."""
    roles = {role for cell in cells for role in roles_of(cell)}
    metrics = any(better_of(cell) or plain(cell) in ("metric", "value", "metric_after") for cell in cells)
    return len(roles & {"commit", "status", "description", "label", "at", "hypothesis", "parent"}) + metrics


def _distinct(cells: Sequence[str]) -> list[str]:
    names: list[str] = []
    for position, cell in enumerate(cells, 1):
        name = cell or f"column_{position}"
        suffix = 2
        while name in names:
            name, suffix = f"{cell or 'column'}_{suffix}", suffix + 1
        names.append(name)
    return names


def _layout(
    delimiter: str, names: list[str], sample: Sequence[Sequence[str]], metric: str | None, assumed: bool = False
) -> Layout:
    width = len(names)
    rows = [row for row in sample if len(row) == width] or [row for row in sample if len(row) > 1]

    def column(index: int) -> list[str]:
        cells = [row[index].strip() for row in rows if index < len(row)]
        return [cell for cell in cells if not is_missing(cell)]

    def is_number(index: int) -> bool:
        cells = column(index)
        return bool(cells) and sum(number(cell) is not None for cell in cells) * 2 >= len(cells)

    numeric = [is_number(index) for index in range(width)]
    roles = [""] * width
    for role in ("commit", "parent", "status", "description", "hypothesis", "error", "at", "label", "seed", "hardware",
                 "diff"):  # fmt: skip
        candidates = [
            (roles_of(name)[role], index)
            for index, name in enumerate(names)
            if role in roles_of(name) and not roles[index]
        ]
        for _, index in sorted(candidates):
            if numeric[index] and role in ("status", "description", "error", "hardware", "diff"):
                continue
            if numeric[index] and role == "at" and not instant(number(column(index)[0]) or 0.0):
                continue
            roles[index] = role
            break
    for index, name in enumerate(names):
        if not roles[index] and setting_name(name):
            roles[index] = "setting"
        elif not roles[index] and "label" in roles_of(name):
            roles[index] = "id"
    free = [index for index in range(width) if not roles[index]]
    # A column with no value yet (an empty table, all rows crashed) can still be the metric, by its name.
    # So can one whose first cells are NaN, or in digits that are not accepted: its runs are then invalid, not unjudged.
    eligible = [
        names[i]
        for i in free
        if numeric[i]
        or names[i] == UPSTREAM[1]
        or (better_of(names[i]) and all(could_be_number(cell) for cell in column(i)))
    ]
    if metric is not None:
        eligible = [names[i] for i in free]
    elif "status" not in roles:
        # Numbers beside a commit that nobody judged (insertions, deletions) are no metric without a known name.
        eligible = [name for name in eligible if better_of(name)]
    chosen = choose_metric(eligible, metric)
    return Layout(
        delimiter,
        tuple(names),
        names.index(chosen) if chosen else -1,
        roles.index("status") if "status" in roles else -1,
        roles.index("commit") if "commit" in roles else -1,
        roles.index("description") if "description" in roles else -1,
        tuple(roles),
        assumed,
    )
