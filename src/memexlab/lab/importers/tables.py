"""Tables of runs, tab or comma separated: what the columns mean, and which physical line is a header, a row, or text.

Agents write such files by hand, so a line is a row only if it looks like one; other text continues the row before it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from . import words
from .imported import LINE_LIMIT_CHARS, Report
from .judging import Log, Stated, fits

DELIMITERS = ("\t", ",", ";")
UPSTREAM = ("commit", "val_bpb", "memory_gb", "status", "description")
_QUOTED = {mark: re.compile(rf'[ ]*"((?:[^"]|"")*+)"[ ]*(?={re.escape(mark)}|\Z)', re.DOTALL) for mark in DELIMITERS}
_HEADER_CELL = re.compile(r"[#\w%][\w %./()#:\[\]-]{0,63}|", re.ASCII)
_COLUMNS_LIMIT = 500
_LABEL = re.compile(r"[\w.#/-]{1,40}")
_WORD = re.compile(r"[^\W\d][\w /-]{0,29}")
_SAMPLE_LINES = 40
_QUOTE_LINES_LIMIT = 200
_LAYOUTS_TRIED = 4


def read_table(lines: Sequence[str], report: Report, metric: str | None) -> Log:
    """What a table states; `lines` are the physical lines without line ends, `metric` is the column asked for."""
    reader = _Reader(lines, report, metric)
    at = 0
    while at < len(lines):
        at += 1 if report.fate(at + 1) else reader.read(at)
    form = "unknown" if any(line.strip() for line in lines) else "empty"
    if reader.layouts:
        oldest = reader.layouts[-1]
        form = "csv" if oldest.delimiter != "\t" else "results.tsv" if tuple(oldest.names) == UPSTREAM else "tsv"
    names = [name for current in reader.layouts[:1] for name in current.names]
    return Log(form, reader.stated, words.most_common(one.metric for one in reader.stated), names)


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns of one table, each with its name and role; `places` has the column of each role and of `metric`."""

    delimiter: str
    names: Sequence[str]
    roles: Sequence[str]
    places: Mapping[str, int]
    metric: str

    def is_row(self, cells: Sequence[str]) -> bool:
        """Whether these cells are a row of the table, and not text that happens to hold the delimiter.

        A row has its status word, its metric or a commit in its place; a short one without a commit has two of them.
        """
        places = (self.places.get(role, len(cells)) for role in ("status", "metric", "commit"))
        status, metric, commit = (cells[place].strip() if place < len(cells) else "" for place in places)
        known_status = bool(status) and words.status_of(status) is not None
        measured = words.is_number(words.parsed(metric))
        if len(cells) < 2 or words.COMMIT.fullmatch(commit):
            return len(cells) > 1
        if len(cells) < len(self.names):
            named = _LABEL.fullmatch(commit) is not None
            return (known_status and (named or words.could_be_number(metric))) or (named and measured)
        if known_status or (status and not _WORD.fullmatch(status)):
            return known_status
        if "metric" not in self.places:
            return len(cells) == len(self.names) and sum(bool(cell.strip()) for cell in cells) > 1
        labelled = _LABEL.fullmatch(cells[0].strip() or "-") is not None
        return labelled and (measured or bool(status and metric and words.could_be_number(metric)))


def split_cells(text: str, delimiter: str) -> list[str]:
    """The cells of a record; a cell in double quotes may hold the delimiter and line feeds.

    A quote that is not closed before the next delimiter is an ordinary character: agents write such descriptions.
    """
    if '"' not in text:
        return text.split(delimiter)
    cells: list[str] = []
    at = 0
    while at <= len(text):
        quoted = _QUOTED[delimiter].match(text, at)
        end = quoted.end() if quoted else text.find(delimiter, at)
        end = len(text) if end < 0 else end
        cells.append(quoted[1].replace('""', '"') if quoted else text[at:end])
        at = end + 1
    return cells


def opens_quote(text: str, delimiter: str) -> bool:
    """Whether the last cell opens a quote that this text does not close."""
    last = split_cells(text, delimiter)[-1].lstrip(" ")
    return last.startswith('"') and text.endswith(last) and not _QUOTED[delimiter].fullmatch(last)


def layout_from_header(line: str, following: Sequence[str], metric: str | None) -> Layout | None:
    """The layout `line` announces, or None if it is no header; `following` lines show which columns are numbers."""
    for delimiter in DELIMITERS:
        names = [cell.strip() for cell in split_cells(line, delimiter)]
        names[0] = names[0].lstrip("# ") or names[0][:1]
        while names and not names[-1]:
            names.pop()
        if not 2 <= len(names) <= _COLUMNS_LIMIT or not all(_HEADER_CELL.fullmatch(name) for name in names):
            continue
        roles = {*words.assign_roles(names, lambda role, index: True)} - {"", "id", "setting", "seed", "hardware"}
        measures = any(words.better_of(name) or words.plain(name) in words.BEST_KNOWN for name in names)
        if len(roles) + measures >= 2 and not any(words.is_number(words.parsed(name)) for name in names):
            return _layout(delimiter, names, [split_cells(text, delimiter) for text in following], metric)
    return None


def layout_from_content(line: str, metric: str | None) -> Layout | None:
    """The layout a data line without any header suggests, or None: a known status word and a number are required."""
    for delimiter in DELIMITERS:
        cells = [cell.strip() for cell in split_cells(line, delimiter)]
        known = [i for i, cell in enumerate(cells) if cell and len(cell) < 24 and words.status_of(cell)]
        first = 1 if words.COMMIT.fullmatch(cells[0]) else 0
        numbers = [i for i, cell in enumerate(cells) if i >= first and words.is_number(words.parsed(cell))]
        if len(cells) < 3 or not known or not numbers:
            continue
        # "baseline" is as often the name of the commit or the description as it is a status.
        status = min(known, key=lambda i: words.plain(cells[i]) == "baseline")
        names = [f"column_{i + 1}" for i in range(len(cells))]
        names[numbers[0]] = metric or "metric"
        names[status] = "status"
        if len(cells) >= 5 and status == 3 and numbers[:2] == [1, 2]:
            names = ["commit", metric or UPSTREAM[1], *UPSTREAM[2:]]
        elif 0 not in (status, *numbers):
            names[0] = "commit"
        if len(cells) - 1 not in (status, *numbers):
            names[-1] = "description"
        return _layout(delimiter, names, [cells], names[numbers[0]])
    return None


def _layout(delimiter: str, names: list[str], sample: Sequence[Sequence[str]], metric: str | None) -> Layout:
    for index, name in enumerate(names):
        while not name or name in names[:index]:
            name = f"{name or 'column'}_{index + 1}"
        names[index] = name
    width = len(names)
    rows = [row for row in sample if len(row) == width] or [row for row in sample if len(row) > 1]
    columns = [[row[index].strip() for row in rows if index < len(row)] for index in range(width)]
    cells = [[cell for cell in column if not words.is_missing(cell)] for column in columns]
    values = [[words.parsed(cell) for cell in column] for column in cells]
    numeric = [sum(isinstance(value, float) for value in column) * 2 >= len(column) > 0 for column in values]

    def most_fit(role: str, index: int) -> bool:
        return not values[index] or 2 * sum(fits(role, value) for value in values[index]) > len(values[index])

    roles = words.assign_roles(names, most_fit)

    def measures(index: int) -> bool:
        # Numbers beside a commit that nobody judged (insertions, deletions) are no metric without a known name.
        if numeric[index] or names[index] == UPSTREAM[1]:
            return "status" in roles or bool(words.better_of(names[index]))
        # A column of no values yet, or of NaN, can be the metric by its name: its runs are then invalid, not unjudged.
        return bool(words.better_of(names[index])) and all(map(words.could_be_number, cells[index]))

    free = [names[index] for index in range(width) if not roles[index] and (metric is not None or measures(index))]
    chosen = words.choose_metric(free, metric)
    places = {role: index for index, role in enumerate(roles) if role not in ("", "id", "setting")}
    return Layout(delimiter, names, roles, places | ({"metric": names.index(chosen)} if chosen else {}), chosen)


class _Reader:
    """Reads records one after the other; every line gets its fate."""

    def __init__(self, lines: Sequence[str], report: Report, metric: str | None) -> None:
        self.lines = lines
        self.report = report
        self.metric = metric
        self.stated: list[Stated] = []
        self.layouts: list[Layout] = []  # the current one first
        self._headers: set[str] = set()
        self._is_first_row = True

    def read(self, at: int) -> int:
        """Decides on the line at index `at`; returns how many physical lines that used."""
        line, place = self.lines[at], at + 1
        if line.strip() in self._headers:
            self.report.put(place, "header", "the header once more")
        elif known := self._layout_of(line):
            return self._row(at, known)
        elif found := layout_from_header(line, self.lines[place : place + _SAMPLE_LINES], self.metric):
            self.report.put(place, "header", "the header of another table" if self.layouts else "a header")
            self._headers.add(line.strip())
            self.layouts.insert(0, found)
            self._is_first_row = True
        elif not self.layouts and (found := layout_from_content(line, self.metric)):
            self.layouts.insert(0, found)
            columns = ", ".join(found.names)
            self.report.add("no-header", place, f"the table has no header; the columns were read as {columns}")
            return self._row(at, found)
        else:
            self._text(place, line)
        return 1

    def _layout_of(self, line: str) -> Layout | None:
        """The latest layout in which the line is a row; one of the very same width comes first."""
        split = [(layout, split_cells(line, layout.delimiter)) for layout in self.layouts[:_LAYOUTS_TRIED]]
        split.sort(key=lambda one: len(one[1]) != len(one[0].names))
        return next((layout for layout, cells in split if layout.is_row(cells)), None)

    def _text(self, place: int, line: str) -> None:
        """A comment, or more of the description of the run before it."""
        if line.lstrip().startswith("#") and not (self.stated and self.stated[-1].lines > 1):
            self.report.put(place, "comment")
        elif not self.stated:
            self.report.refuse(place, "neither a header nor a run, and there is no run before it")
        else:
            run = self.stated[-1]
            for blank in range(run.line + run.lines, place):
                if self.report.fate(blank) == "blank":
                    self.report.put(blank, "continuation", "a blank line inside a description", len(self.stated))
                    run.description.append("")
            self.report.put(place, "continuation", "more of the description", len(self.stated))
            run.description.append(line)
            run.lines = place - run.line + 1

    def _row(self, at: int, layout: Layout) -> int:
        one = Stated(at + 1, metric=layout.metric, is_first=self._is_first_row)
        self.stated.append(one)
        self._is_first_row = False
        text, one.lines = self._record(at, layout)
        for place in range(at + 2, at + one.lines + 1):
            self.report.put(place, "continuation", "inside a quoted cell", len(self.stated))
        cells = split_cells(text, layout.delimiter)
        fitted = [cell.strip() for cell in _fitted(one, layout, cells)]
        if len(cells) < len(layout.names):
            self.report.add("short-row", one.line, one.why)
        for name, role, cell in zip(layout.names, layout.roles, fitted, strict=False):
            if not words.is_missing(cell) or role in ("commit", "description"):
                one.take(name, role, words.parsed(cell) if role in ("", "seed", "at", "setting") else cell)
        return one.lines

    def _record(self, at: int, layout: Layout) -> tuple[str, int]:
        """The text of a row and its number of lines: a quoted cell may go on over lines, but not into the next row."""
        text = self.lines[at]
        following = self.lines[at + 1 : at + _QUOTE_LINES_LIMIT] if opens_quote(text, layout.delimiter) else ()
        for used, line in enumerate(following, 2):
            if len(text) + len(line) > LINE_LIMIT_CHARS or layout.is_row(split_cells(line, layout.delimiter)):
                break
            text += "\n" + line
            if '"' in line and not opens_quote(text, layout.delimiter):
                return text, used
        return self.lines[at], 1


def _fitted(one: Stated, layout: Layout, cells: list[str]) -> list[str]:
    """The cells column by column; says in `one` what was mended. Extra cells belong to the description.

    In a short row whose status is not in its place no number can be given to a column.
    """
    width, places = len(layout.names), layout.places
    while len(cells) > width and not cells[-1].strip():
        cells = cells[:-1]
    if len(cells) > width:
        one.why = f"{len(cells) - width} cells more than columns"
        if "description" not in places:
            one.meta["extra_cells"] = cells[width:]
            return cells[:width]
        one.why += ", joined in the description"
        at, end = places["description"], places["description"] + 1 + len(cells) - width
        return [*cells[:at], layout.delimiter.join(cells[at:end]), *cells[end:]]
    if len(cells) < width:
        one.why = f"{width - len(cells)} cells fewer than columns"
        known = [index for index, cell in enumerate(cells) if index and words.status_of(cell.strip())]
        if known and places.get("status", known[0]) not in known:
            moved = known[0]
            told = {"status": cells[moved], "description": layout.delimiter.join(cells[moved + 1 :])}
            told["commit"] = cells[0] if places.get("commit") == 0 else ""
            if moved > 1:
                one.meta["cells_without_column"] = [cell.strip() for cell in cells[1:moved]]
            return [told.get(role, "") for role in layout.roles]
    return cells
