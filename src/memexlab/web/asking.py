"""Ask in words: the answer, the SQL that made it, the runs it rests on."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..lab.logbook import campaigns_newest_first
from ..ledger import UsageError
from .labs import lab_of
from .rendering import page

_EXAMPLES = (
    "what is the best run?",
    "which changes helped?",
    "was weight decay tried?",
    "how many runs crashed?",
    "what is unresolved?",
)


def _ask(request: Request) -> Response:
    lab = lab_of(request)
    question = request.query_params.get("q", "").strip()
    as_of = request.query_params.get("as_of", "").strip()
    campaigns = campaigns_newest_first(lab.memory.db, None)
    answer, trouble = None, ""
    if question and campaigns:
        try:
            answer = lab.ask(
                question, as_of=as_of or None, campaign=request.query_params.get("campaign") or None
            ).data()
        except UsageError as error:
            trouble = str(error)
    return page(
        request, "ask.html", "Ask", question=question, as_of=as_of, answer=answer, trouble=trouble,
        examples=_EXAMPLES, campaigns=campaigns,
    )  # fmt: skip


ROUTES = [Route("/ask", _ask)]
