"""Sources: the list of them, and a reading view by section with what was quoted from it in the margin.

A place in a source is a line, words, or both: `/sources/12?line=42&last=58&words=...` opens them, marked. Where the
file has no lines, they are those of the text that was found in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..ledger import Ref
from ..memory import Memory
from ..wiki.live_claims import Quote
from ..wiki.notes import placed
from ..wiki.quotes import Span, locate
from .labs import lab_of, rows_of
from .rendering import page

if TYPE_CHECKING:
    from ..memory.search.retrieval import Hit

ROWS = 100
#: A part of a long source that is shown at a time, in lines, and the most characters it may have.
PART_LINES, PART_CHARS = 400, 60_000
MARKED_CHARS = 2_000
_HEADING = re.compile(r"^(?:#{1,6}\s+(.+?)\s*#*|((?:CHAPTER|Chapter|BOOK|PART)\s+[\w.]+.*))$")
_MAIL = re.compile(r"\s*<[^<>]*(?:@| at )[^<>]*>")
_UNDERLINE = re.compile(r"^([=\-~^\"*+#])\1{2,}\s*$")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a source: its number from 1, its text, whether it is a heading, and its pieces, marked or not."""

    number: int
    text: str
    heading: bool
    pieces: tuple[tuple[bool, str], ...]


def _list(request: Request) -> Response:
    lab = lab_of(request)
    db = lab.memory.db
    asked = request.query_params.get("q", "").strip()
    total = db.execute("SELECT count(*) FROM documents").fetchone()[0]
    first = int(request.query_params.get("from", "0")[:7]) if request.query_params.get("from", "0").isdecimal() else 0
    hits: list[Hit] = []
    if asked:
        [(_, found)] = lab.search(asked, k=20).queries
        hits = list(found)
        where = f"document IN ({','.join('?' * len(hits))})"
        values: tuple[Any, ...] = tuple(hit.source for hit in hits)
    else:
        where, values = "1", ()
    rows = rows_of(
        # Claims are counted for what is shown, in one pass over them.
        db, f"WITH d AS MATERIALIZED (SELECT * FROM documents WHERE {where} ORDER BY published DESC, title LIMIT {ROWS}"
        " OFFSET ?), n AS MATERIALIZED (SELECT source, count(*) AS claims FROM claims WHERE source IN (SELECT entry"
        " FROM d) GROUP BY 1) SELECT d.entry, d.document, d.title, d.author, d.published, d.chars, e.at,"
        " coalesce(n.claims, 0) AS claims FROM d JOIN entries e ON e.seq = d.entry LEFT JOIN n ON n.source = d.entry"
        " ORDER BY d.published DESC, d.title", *values, 0 if asked else first,
    )  # fmt: skip
    if asked:
        order = {hit.source: i for i, hit in enumerate(hits)}
        best = {hit.source: hit.passage for hit in hits}
        rows = [row | {"passage": best.get(row["document"], "")} for row in rows]
        rows.sort(key=lambda row: order.get(row["document"], ROWS))
    for row in rows:  # an address of mail tells a reader nothing, and takes the place of the title
        row["author"] = _MAIL.sub("", row["author"]).strip(" ,")
    return page(
        request, "sources.html", "Sources", rows=rows, q=asked, total=total, first=first, step=ROWS,
        more=not asked and first + ROWS < total,
    )  # fmt: skip


def _read(request: Request) -> Response:
    lab = lab_of(request)
    db = lab.memory.db
    entry = request.path_params["entry"]
    found = rows_of(db, "SELECT * FROM documents WHERE entry = ?", entry)
    text = text_of(lab.memory, entry) if found else None
    if text is None:
        return page(
            request, "error.html", "No such source", 404, text="It is not here, or a later version took its place."
        )
    found[0]["author"] = _MAIL.sub("", found[0]["author"]).strip(" ,")
    lines = text.split("\n")
    marked = _between(request.query_params.get("line"), request.query_params.get("last"), len(lines))
    span = _span(lines, marked, request.query_params.get("words", "")[:MARKED_CHARS])
    begins = _between(request.query_params.get("at"), None, len(lines))[0] or 1
    at = text.count("\n", 0, span[0]) + 1 if span[1] else begins
    parts = _parts(lines)
    here = max(i for i, (start, _, _) in enumerate(parts) if start <= at)
    start, end, _ = parts[here]
    shown, before = list[Line](), sum(len(line) + 1 for line in lines[: start - 1])
    for n in range(start, end):
        line, edges = lines[n - 1], [min(max(edge - before, 0), len(lines[n - 1])) for edge in span]
        pieces = (False, line[: edges[0]]), (True, line[edges[0] : edges[1]]), (False, line[edges[1] :])
        shown.append(Line(n, line, bool(_heading(lines, n)), tuple(piece for piece in pieces if piece[1])))
        before += len(line) + 1
    claims = rows_of(
        db, "SELECT c.subject, c.relation, c.text, q.line, q.last_line, q.text AS quote FROM claims c JOIN quotes q"
        " USING (entry) WHERE c.source = ? AND q.line >= ? AND q.line < ? ORDER BY q.line LIMIT 200", entry, start, end,
    )  # fmt: skip
    return page(
        request, "source.html", found[0]["title"], source=found[0], lines=shown, claims=claims, place_at=place_at,
        at=at, lined=placed(Quote(found[0]["document"], 1, 1, ""))[1].startswith("#L"),
        contents=[(i, first, title) for i, (first, _, title) in enumerate(parts)], part=here, parts=len(parts),
    )  # fmt: skip


def place_at(entry: int, lines: Sequence[object], words: str) -> str:
    """The address of words of a source: by their first and last line, where these are known, and as they read."""
    told = {"line": lines[0], "last": lines[-1]} if lines else {}
    told |= {"words": words[:MARKED_CHARS]} if words else {}
    return f"/sources/{entry}?{urlencode(told)}#{f'L{lines[0]}' if lines else 'words'}"


def _span(lines: list[str], marked: tuple[int, int], words: str) -> tuple[int, int]:
    """The characters of the text that an address names: its words, else its lines; (0, 0) where it names none."""
    before = sum(len(line) + 1 for line in lines[: max(marked[0] - 1, 0)])
    among = "\n".join(lines[marked[0] - 1 : marked[1]] if marked[0] else lines)
    if words and (found := Span(at, at + len(words)) if (at := among.find(words)) >= 0 else locate(words, among)):
        return before + found.start, before + found.end
    return (before, before + len(among)) if marked[0] else (0, 0)


def text_of(memory: Memory, entry: int) -> str | None:
    """The text of a source by its entry; None where it has none."""
    found = memory.index.entry(entry)
    ref: Ref | None = next((ref for ref in found.refs if ref.role == "file"), None) if found else None
    if ref is None:
        return None
    data = memory.blobs.get(ref.id)
    return (data if ref.start < 0 else data[ref.start : ref.end]).decode("utf-8", errors="replace")


def _between(first: str | None, last: str | None, most: int) -> tuple[int, int]:
    """The first and the last line that an address names, (0, 0) where it names none."""
    if not first or not first.isdecimal() or len(first) > 8 or not 1 <= int(first) <= most:
        return 0, 0
    end = int(last) if last and last.isdecimal() and len(last) <= 8 else int(first)
    return int(first), max(int(first), min(end, most))


def _heading(lines: list[str], number: int) -> str:
    """The heading that stands on a line, '' where none does: marked in front, or underlined by the next line."""
    line = lines[number - 1]
    if match := _HEADING.match(line):
        return (match[1] or match[2])[:80]
    under = lines[number] if number < len(lines) else ""
    named = line.strip() and not line[0].isspace() and not _UNDERLINE.match(line) and len(line) < 100
    return line.strip()[:80] if named and _UNDERLINE.match(under) and len(under.strip()) >= len(line.strip()) else ""


def _parts(lines: list[str]) -> list[tuple[int, int, str]]:
    """(first line, line after the last, name): sections where there are headings, else runs of lines."""
    parts: list[tuple[int, int, str]] = []
    start, chars, name = 1, 0, "Beginning"
    for number, line in enumerate(lines, 1):
        heading = _heading(lines, number)
        chars += len(line) + 1
        long = chars > PART_CHARS or number - start >= PART_LINES
        if number > start and (long or (heading and number - start >= PART_LINES // 8)):
            parts.append((start, number, name))
            start, chars = number, len(line) + 1
            name = heading or f"line {number}"
        elif heading and number - start < 3:
            name = heading
    parts.append((start, len(lines) + 1, name))
    return parts


ROUTES = [Route("/sources", _list), Route("/sources/{entry:int}", _read)]
