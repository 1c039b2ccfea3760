"""What waits for a person's judgement, and what is wrong with the wiki: `memex review` and `memex lint` as pages."""

from __future__ import annotations

from collections import Counter

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
    return page(
        request, "lint.html", "Lint", findings=linted.findings[:_SHOWN], total=len(linted.findings), counts=counts,
        files=linted.pages,
    )  # fmt: skip


ROUTES = [Route("/wiki-review", _review), Route("/wiki-lint", _lint)]
