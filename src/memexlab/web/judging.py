"""What waits for a person's judgement, and what is wrong with the wiki: `memex review` and `memex lint` as pages."""

from __future__ import annotations

import re
from collections import Counter
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .labs import lab_of
from .rendering import page

_SHOWN = 100


def _review(request: Request) -> Response:
    items = lab_of(request).review().items
    return page(request, "review.html", "Review", items=items[:_SHOWN], total=len(items))


def _lint(request: Request) -> Response:
    linted = lab_of(request).lint().linted
    counts = Counter(finding.severity for finding in linted.findings)
    shown = [(finding, _file(finding.where), _click(finding.hint)) for finding in linted.findings[:_SHOWN]]
    return page(
        request, "lint.html", "Lint", findings=shown, total=len(linted.findings), counts=counts, files=linted.pages,
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
