"""Tables of runs, tab or comma separated: which physical line is a header, a row, or more text of the row before.

Knows rows and cells; what a status word or a number means is said elsewhere. Agents write such files by hand, so a
line is a row only if it looks like one, and any other text continues the description of the row before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .imported import Fates, Findings, Imported, Stated
from .judging import conclude, is_commit, meta_key, most_common_metric
from .layouts import UPSTREAM, Layout, layout_from_content, layout_from_header, opens_quote, split_cells
from .lines import LINE_LIMIT_CHARS, could_be_number, instant, is_missing, is_number_like, number
from .words import SECONDS_NAMES, USD_NAMES, plain, setting_name, status_of

_LABEL = re.compile(r"[\w.#/-]{1,40}")
_WORD = re.compile(r"[^\W\d][\w /-]{0,29}")
_QUOTE_LINES_LIMIT = 200
_LAYOUTS_TRIED = 4


def read_table(
    lines: Sequence[str], findings: Findings, campaign: str, metric: str | None, better: str | None
) -> Imported:
    """Runs of a table; `lines` are the physical lines without line ends."""
    reader = _Reader(lines, findings, metric)
    reader.read()
    main = most_common_metric(reader.stated)
    others = sorted({one.metric for one in reader.stated if one.metric and one.metric != main})
    if others:
        findings.add(
            "several-metrics",
            "warning",
            0,
            f"the file holds tables about {', '.join([main, *others])}; runs compare only by the same metric",
            f"{findings.command} --metric NAME",
        )
    if metric is not None and reader.layouts and not main:
        names = ", ".join(reader.layouts[0].names)
        findings.add(
            "no-metric",
            "error",
            0,
            f"no column is called {metric}; there are {names}",
            f"{findings.command} --metric NAME",
        )
    return conclude(reader.format(), reader.stated, reader.fates, findings, campaign, main, better)


class _Reader:
    """Walks the lines once, in order; every line gets its fate."""

    def __init__(self, lines: Sequence[str], findings: Findings, metric: str | None) -> None:
        self.lines = lines
        self.findings = findings
        self.metric = metric
        self.fates = Fates(len(lines))
        self.stated: list[Stated] = []
        self.layouts: list[Layout] = []  # the current one first
        self._headers: set[str] = set()
        self._blanks: list[int] = []
        self._first_of_table = True
        self._continuing = False
        self._odd_cells: dict[str, int] = {}

    def format(self) -> str:
        if not self.layouts:
            return "unknown" if any(line.strip() for line in self.lines) else "empty"
        oldest = self.layouts[-1]
        if oldest.names == UPSTREAM and oldest.delimiter == "\t":
            return "results.tsv"
        return "tsv" if oldest.delimiter == "\t" else "csv"

    def read(self) -> None:
        at = 0
        while at < len(self.lines):
            at += self._take(at)
        for name, count in self._odd_cells.items():
            self.findings.add(
                "odd-cells", "info", 0, f"{count:,} cells of {name} are text, not numbers, and were kept as text", ""
            )

    def _take(self, at: int) -> int:
        """Decides on the line at index `at`; returns how many physical lines that used."""
        line, place = self.lines[at], at + 1
        if len(line) > LINE_LIMIT_CHARS:
            return self._refuse(place, f"the line has {len(line):,} characters; at most {LINE_LIMIT_CHARS:,} are read")
        if not line.strip():
            self.fates.put(place, "blank")
            self._blanks.append(place)
            return 1
        if not line.strip("\0 \t"):
            return self._refuse(place, "the line holds only NUL bytes: a write that was lost")
        if line.strip() in self._headers:
            return self._header(place, "the header once more")
        for exact in (True, False):
            for layout in self.layouts[:_LAYOUTS_TRIED]:
                cells = split_cells(line, layout.delimiter)
                if (len(cells) == layout.width or not exact) and looks_like_row(cells, layout):
                    return self._row(at, layout, cells)
        if "\t" in line or "," in line or ";" in line:
            wanted = self.metric
            if wanted is None and self.layouts and self.layouts[0].metric_name in line:
                wanted = self.layouts[0].metric_name or None
            found = layout_from_header(line, self.lines[at + 1 : at + 41], wanted)
            if found:
                return self._new_layout(place, line, found)
            if not self.layouts:
                found = layout_from_content(line, self.metric)
                if found:
                    self._assume(place, found)
                    return self._row(at, found, split_cells(line, found.delimiter))
        return self._text(place, line)

    def _refuse(self, place: int, why: str) -> int:
        self.fates.put(place, "refused", why)
        self.findings.add("line-refused", "warning", place, why, self.findings.show(place))
        return 1

    def _header(self, place: int, why: str) -> int:
        self.fates.put(place, "header", why)
        self._blanks, self._continuing = [], False
        return 1

    def _new_layout(self, place: int, line: str, layout: Layout) -> int:
        self.layouts.insert(0, layout)
        self._headers.add(line.strip())
        self._first_of_table = True
        return self._header(place, "a header" if len(self.layouts) == 1 else "the header of another table")

    def _assume(self, place: int, layout: Layout) -> None:
        self.layouts.insert(0, layout)
        self.findings.add(
            "no-header",
            "warning",
            place,
            f"the table has no header; the columns were read as {', '.join(layout.names)}",
            f"{self.findings.command} --metric NAME",
        )

    def _text(self, place: int, line: str) -> int:
        previous = self.stated[-1] if self.stated else None
        if line.lstrip().startswith("#") and not self._continuing:
            self.fates.put(place, "comment")
            return 1
        if previous is None:
            return self._refuse(place, "neither a header nor a run, and there is no run before it")
        for blank in self._blanks:
            previous.description.append("")
            self.fates.put(blank, "continuation", "a blank line inside a description", len(self.stated))
        self._blanks = []
        previous.description.append(line)
        previous.lines = place - previous.line + 1
        self._continuing = True
        self.fates.put(place, "continuation", "more of the description", len(self.stated))
        return 1

    def _row(self, at: int, layout: Layout, cells: list[str]) -> int:
        used = 1
        if opens_quote(self.lines[at], layout.delimiter):
            used, cells = self._close_quote(at, layout, cells)
        one = self._state(at + 1, layout, cells)
        one.lines = used
        one.is_first, self._first_of_table = self._first_of_table, False
        self.stated.append(one)
        for place in range(at + 2, at + used + 1):
            self.fates.put(place, "continuation", "inside a quoted cell", len(self.stated))
        self._blanks = []
        self._continuing = one.description[-1].count("```") % 2 == 1 if one.description else False
        return used

    def _close_quote(self, at: int, layout: Layout, cells: list[str]) -> tuple[int, list[str]]:
        """The record of a quoted cell that goes on over lines; a line that is itself a row ends the search."""
        text = self.lines[at]
        for used in range(2, _QUOTE_LINES_LIMIT + 1):
            if at + used > len(self.lines):
                break
            line = self.lines[at + used - 1]
            if len(text) + len(line) > LINE_LIMIT_CHARS or looks_like_row(split_cells(line, layout.delimiter), layout):
                break
            text += "\n" + line
            if '"' in line and not opens_quote(text, layout.delimiter):
                return used, split_cells(text, layout.delimiter)
        self.findings.add(
            "open-quote", "info", at + 1, "a quote is opened and not closed; it was read as an ordinary character", ""
        )
        return 1, cells

    def _state(self, place: int, layout: Layout, cells: list[str]) -> Stated:
        one = Stated(place, metric=layout.metric_name)
        if len(cells) > layout.width:
            cells = self._fit(one, layout, cells)
        elif len(cells) < layout.width:
            cells = self._stretch(one, layout, cells)
        for name, role, raw in zip(layout.names, layout.roles, cells, strict=False):
            cell = raw.strip()
            if role == "" or role == "seed":
                self._plain_cell(one, name, role, cell)
            elif role == "description":
                one.description = cell.split("\n")
            elif is_missing(cell) and role != "commit":
                continue
            elif role == "commit":
                one.commit = cell
            elif role == "status":
                one.word = cell
            elif role == "setting":
                value = number(cell)
                one.settings[setting_name(name)] = cell if value is None else value
            elif role == "id":
                one.meta[meta_key(name)] = cell
            elif role == "at":
                value = number(cell)
                one.at = instant(cell if value is None else value)
                if not one.at:
                    one.meta[meta_key(name)] = cell
            else:
                setattr(one, role, cell)
        return one

    def _plain_cell(self, one: Stated, name: str, role: str, cell: str) -> None:
        if is_missing(cell):
            return
        value = number(cell)
        if value is None:
            if name == one.metric:
                one.refused = cell
            else:
                one.meta[meta_key(name)] = cell
                if is_number_like(cell):
                    self._odd_cells[name] = self._odd_cells.get(name, 0) + 1
            return
        if role == "seed" and value.is_integer():
            one.seed = int(value)
            return
        one.metrics[name] = value
        key = plain(name)
        if key in SECONDS_NAMES and one.seconds is None:
            one.seconds = value
        elif key in USD_NAMES and one.usd is None:
            one.usd = value

    def _fit(self, one: Stated, layout: Layout, cells: list[str]) -> list[str]:
        """More cells than columns: the description held the delimiter, or there are empty cells at the end."""
        while len(cells) > layout.width and not cells[-1].strip():
            cells = cells[:-1]
        extra = len(cells) - layout.width
        if not extra:
            return cells
        one.why = f"{extra} cells more than columns"
        at = layout.description
        if at < 0:
            one.meta["extra_cells"] = cells[layout.width :]
            return cells[: layout.width]
        one.why += ", joined in the description"
        joined = layout.delimiter.join(cells[at : at + extra + 1])
        return [*cells[:at], joined, *cells[at + extra + 1 :]]

    def _stretch(self, one: Stated, layout: Layout, cells: list[str]) -> list[str]:
        """Fewer cells than columns. Where the status is not in its place, no number can be given to a column."""
        one.why = f"{layout.width - len(cells)} cells fewer than columns"
        self.findings.add("short-row", "warning", one.line, one.why, self.findings.show(one.line))
        at = layout.status
        if at < 0 or (at < len(cells) and status_of(cells[at].strip())):
            return cells
        moved = next((i for i, cell in enumerate(cells) if i and cell.strip() and status_of(cell.strip())), -1)
        if moved < 0:
            return cells
        out = [""] * layout.width
        if layout.commit == 0:
            out[0] = cells[0]
        out[at] = cells[moved]
        if layout.description >= 0:
            out[layout.description] = layout.delimiter.join(cells[moved + 1 :])
        numbers = [cell.strip() for cell in cells[1:moved]]
        if numbers:
            one.meta["cells_without_column"] = numbers
        return out


def looks_like_row(cells: Sequence[str], layout: Layout) -> bool:
    """Whether these cells are a row of the table, and not text that happens to hold the delimiter.

    A row has its status word, its metric or a commit where the columns want them; one witness is enough in a row of
    full width, two are needed in a short one.
    """
    width, found = layout.width, len(cells)
    status = cells[layout.status].strip() if 0 <= layout.status < found else ""
    known_status = bool(status) and status_of(status) is not None
    if known_status and found >= width:
        return True
    if found < 2:
        return False
    metric = cells[layout.metric].strip() if 0 <= layout.metric < found else None
    commit = cells[layout.commit].strip() if 0 <= layout.commit < found else ""
    hash_like = is_commit(commit)
    if found >= width:
        if status and not _WORD.fullmatch(status):
            return hash_like
        if hash_like or (metric and number(metric) is not None and _LABEL.fullmatch(cells[0].strip() or "-")):
            return True
        filled = sum(bool(cell.strip()) for cell in cells)
        if layout.metric < 0:
            return found == width and filled >= 2
        return bool(status and metric and could_be_number(metric) and _LABEL.fullmatch(cells[0].strip()))
    named = hash_like or (bool(commit) and _LABEL.fullmatch(commit) is not None)
    if known_status and (named or (metric is not None and could_be_number(metric))):
        return True
    if hash_like:
        return True
    return bool(named and metric and number(metric) is not None and layout.commit < layout.metric)
