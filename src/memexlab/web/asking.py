"""Ask in words: the answer, the SQL that made it, the runs it rests on."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..lab.logbook import campaigns_newest_first
from ..ledger import UsageError
from .labs import lab_of
from .rendering import page

_CITED = 20
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
    if question:
        try:
            told = lab.ask(question, as_of=as_of or None, campaign=request.query_params.get("campaign") or None)
            answer = told.data() if hasattr(told, "data") else asdict(told)
        except UsageError as error:
            trouble = str(error)
    return page(
        request, "ask.html", "Ask", question=question, as_of=as_of, answer=answer, trouble=trouble,
        examples=_EXAMPLES, cited=_cited(lab.memory.db, answer) if answer else [],
        nothing=not campaigns and not lab.memory.db.execute("SELECT 1 FROM documents LIMIT 1").fetchone(),
    )  # fmt: skip


def _cited(db: sqlite3.Connection, answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The runs an answer rests on, in its order; and adds to its words of sources where they are read."""
    names = ("campaign", "number", "description", "value")
    rows = [
        db.execute(f"SELECT {', '.join(names)} FROM runs WHERE id = ?", (ref,)).fetchone()
        for ref in answer["refs"][:_CITED]
    ]
    for piece in answer.get("evidence", ()):
        row = db.execute("SELECT max(entry) FROM documents WHERE document = ?", (piece["source"],)).fetchone()
        place = f"?line={piece['first_line']}&last={piece['last_line']}#L{piece['first_line']}"
        piece["at"] = f"/sources/{row[0]}{place}" if row[0] is not None else ""
    return [dict(zip(names, row, strict=True)) for row in rows if row]


ROUTES = [Route("/ask", _ask)]
