"""Sources: the list of them, and a reading view by section, with what was made of its words beside them.

A place in a source is a line, words, or both: `/sources/12?line=42&last=58&words=...` opens them, marked. Where the
file has no lines, they are those of the text that was found in it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..ledger import Ref
from ..memory import Memory
from ..memory.claims import STANDING
from ..wiki.live_claims import Quote
from ..wiki.notes import placed
from ..wiki.quotes import Span, locate
from .chapters import heading, parts_of
from .labs import lab_of, rows_of
from .named_pages import wiki_page_of
from .rendering import page

if TYPE_CHECKING:
    from ..memory.search.retrieval import Hit

ROWS = 100
MARKED_CHARS = 2_000
#: Claims that are shown beside one part.
_CLAIMS = 200
#: Words alone, as an indented line of code seldom is.
_PROSE = re.compile(r"[^=<>{}\[\]|`$/\\:]*")
_MAIL = re.compile(r"\s*<[^<>]*(?:@| at )[^<>]*>")


class Piece(NamedTuple):
    """Words of a line: those that the address names are `lit`, and `claims` are said to begin with them."""

    text: str
    lit: bool
    quoted: bool
    claims: list[dict[str, Any]]


class Line(NamedTuple):
    """A line of a source: its number from 1; how it stands: h gap rule br, or '' where it flows on; and the claims
    whose words end with it."""

    number: int
    stands: str
    pieces: list[Piece]
    notes: list[dict[str, Any]]


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
    known = entry < 1 << 63  # what a view can hold
    found = rows_of(db, "SELECT * FROM documents WHERE entry = ?", entry) if known else []
    text = text_of(lab.memory, entry) if found else None
    if text is None:
        return page(
            request, "error.html", "No such source", 404, text="It is not here, or a later version took its place."
        )
    found[0]["author"] = _MAIL.sub("", found[0]["author"]).strip(" ,")
    lines = text.replace("\r\n", "\n").split("\n")
    marked = _between(request.query_params.get("line"), request.query_params.get("last"), len(lines))
    span = _span(lines, marked, request.query_params.get("words", "")[:MARKED_CHARS])
    begins = _between(request.query_params.get("at"), None, len(lines))[0] or 1
    at = "\n".join(lines).count("\n", 0, span[0]) + 1 if span[1] else begins
    parts = parts_of(lines)
    here = max(i for i, part in enumerate(parts) if part.first <= at)
    start, end = parts[here].first, parts[here].after
    claims = rows_of(
        db, f"SELECT c.entry, c.subject, c.text, q.line, q.last_line, q.text AS quote FROM quotes q JOIN {STANDING}"
        " AND q.entry = c.entry AND c.source = ? AND q.line >= ? AND q.line < ? ORDER BY q.line, q.start, c.entry"
        f" LIMIT {_CLAIMS}", entry, start, end,
    )  # fmt: skip
    own_page = wiki_page_of(db, lab.root, found[0]["title"])
    for number, claim in enumerate(claims, 1):
        place = claim["line"], min(claim["last_line"], len(lines))
        words = claim["quote"].replace("\r\n", "\n")
        claim |= {"number": number, "at": _span(lines, place, words)}
        claim["page"] = wiki_page_of(db, lab.root, claim["subject"]) or own_page
        # What it is about leads to its page where the sentence names it, else before the sentence.
        told = re.split(f"({re.escape(claim['subject'])})", claim["text"], maxsplit=1, flags=re.I)
        claim["told"] = told if len(told) == 3 else ["", claim["subject"], f": {claim['text']}"]
    return page(
        request, "source.html", found[0]["title"], source=found[0], lines=_marked(lines, start, end, span, claims),
        claims=claims, place_at=place_at, at=at, part=here, parts=parts, entry=entry,
        lined=placed(Quote(found[0]["document"], 1, 1, ""))[1].startswith("#L"),
    )  # fmt: skip


def _marked(
    lines: Sequence[str], start: int, end: int, span: tuple[int, int], claims: list[dict[str, Any]]
) -> list[Line]:
    """The lines of a part, cut where something begins or ends that is marked."""
    shown, before = list[Line](), sum(len(line) + 1 for line in lines[: start - 1])
    was_heading = False
    for n in range(start, end):
        text, after = lines[n - 1], before + len(lines[n - 1])
        is_heading = bool(heading(lines, n))
        stands = "h" if is_heading else _stands(lines[n - 2] if n > start else "", text, was_heading)
        near = [claim for claim in claims if claim["at"][0] <= after and claim["at"][1] > before]
        places = {edge for edges in (span, *(claim["at"] for claim in near)) for edge in edges}
        cuts = [before, *sorted(edge for edge in places if before < edge < after), after]
        pieces = [
            Piece(
                text[first - before : last - before] if stands or first > before else text[: last - before].lstrip(),
                span[0] <= first and last <= span[1] and first < last,
                any(claim["at"][0] <= first and last <= claim["at"][1] for claim in near),
                [claim for claim in near if first <= claim["at"][0] < max(last, first + 1)],
            )
            for first, last in itertools.pairwise(cuts)
        ]  # fmt: skip
        ended = [claim for claim in near if claim["at"][1] <= after + 1 or n == end - 1]
        shown.append(Line(n, stands, pieces, ended))
        before, was_heading = after + 1, is_heading
    return shown


def _stands(above: str, text: str, below_heading: bool) -> str:
    """A line that was broken for its width flows on from the one above; lists, headers, code and verse keep theirs."""
    if not text.strip():
        return "gap"
    if below_heading:
        return "rule" if not text.strip().strip(text.strip()[0]) else ""
    if not above.strip():
        return ""
    word, indents = text.partition(" ")[0], [len(line) - len(line.lstrip()) for line in (above, text)]
    prose = indents[0] == indents[1] and all(_PROSE.fullmatch(line) for line in (above, text))
    starts = text[0] in "-*+|>#" or (text[0] in " \t" and not prose) or word[-1:] == ":"
    return "br" if len(above) < 50 or starts or (word[:1].isdigit() and word[-1:] in ".)") else ""


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


ROUTES = [Route("/sources", _list), Route("/sources/{entry:int}", _read)]
