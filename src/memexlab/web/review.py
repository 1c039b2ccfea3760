"""What waits for a person's judgement, and what is wrong with the wiki: `memex review` and `memex lint` as pages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..wiki.lint import lint
from ..wiki.review import Side, queue, still_open
from .labs import lab_of, labs_of
from .rendering import page
from .sources import place_at

T = TypeVar("T")
_SHOWN = 100
#: With fewer documents than this a page waits for what it shows.
_MANY_DOCUMENTS = 200
#: Files change without an entry: what was found in them is looked for again when it is older. A page waits so long.
_RESTS_SECONDS, _PATIENCE_SECONDS = 5, 0.05


def _known(request: Request, make: Callable[..., T], rests_seconds: float | None = None) -> tuple[T | None, int | None]:
    """What is made of the lab; in a large one as it was last made, and how old it is where it is being made again."""
    labs, lab = labs_of(request), lab_of(request)
    many = "SELECT 1 FROM documents LIMIT 1 OFFSET ?"
    if not lab.memory.db.execute(many, (_MANY_DOCUMENTS,)).fetchone():
        return make(lab.memory, lab.root), None
    known = labs.apart(make, make, lab.root, patience_seconds=_PATIENCE_SECONDS, is_long=True,
                       rests_seconds=rests_seconds)  # fmt: skip
    return known, labs.seconds_behind(make)


def _review(request: Request) -> Response:
    known, behind = _known(request, queue)
    db = lab_of(request).memory.db
    items = still_open(db, known or ())

    def at(side: Side) -> str:
        row = db.execute("SELECT max(entry) FROM documents WHERE document = ?", (side.source,)).fetchone()
        return "" if row[0] is None else place_at(row[0], side.lines if side.lines[0] else (), side.words)

    return page(request, "review.html", "Review", items=items[:_SHOWN], total=len(items), behind=behind,
                known=known is not None, at=at)  # fmt: skip


def _lint(request: Request) -> Response:
    linted, behind = _known(request, lint, _RESTS_SECONDS)
    findings = linted.findings if linted else ()
    shown = [(finding, _file(finding.where), _click(finding.hint)) for finding in findings[:_SHOWN]]
    return page(
        request, "lint.html", "Lint", findings=shown, total=len(findings), behind=behind,
        counts=Counter(finding.severity for finding in findings), files=linted and linted.pages,
    )  # fmt: skip


def _file(where: str) -> str:
    """The address of the page that a finding is about; '' where it is about no one page."""
    found = re.match(r"wiki/(.+)\.md\b", where)
    return f"/wiki/{quote(found[1])}" if found else ""


def _click(hint: str) -> str:
    """The address that does what a hint says to type; '' where there is none."""
    found = re.fullmatch(r'memex (ask|search) "?([^"]+)"?', hint)
    page = re.fullmatch(r"look at (wiki/\S+)", hint)
    return f"/{found[1]}?q={quote(found[2])}" if found else _file(page[1]) if page else ""


ROUTES = [Route("/wiki-review", _review), Route("/wiki-lint", _lint)]
