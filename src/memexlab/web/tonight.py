"""The first page: what runs now, what won, what comes next. It is replaced as entries land."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ..lab.chart import progress_svg
from ..lab.logbook import campaigns_newest_first
from ..lab.report import build_report
from .labs import lab_of
from .rendering import page

_LOOK_SECONDS = 0.4
_LATEST = 12


def tonight(request: Request) -> Response:
    lab = lab_of(request)
    db = lab.memory.db
    wanted = request.query_params.get("campaign")
    names = campaigns_newest_first(db, None)
    campaign = wanted if wanted in names else (names[0] if names else None)
    report = build_report(db, campaign=campaign, since=None, now=datetime.now(UTC))
    section = report.sections[0] if report.sections else None
    chart = Markup(progress_svg(section.chart, height=420)) if section and section.chart.points else ""
    narrow = Markup(progress_svg(section.chart, width=420, height=420)) if chart and section else ""
    return page(
        request, "tonight.html", "Tonight", report=report, section=section, chart=chart, narrow=narrow,
        campaigns=names, campaign=campaign, running=_running(db, campaign), latest=_latest(db, campaign),
    )  # fmt: skip


def _running(db: sqlite3.Connection, campaign: str | None) -> list[dict[str, Any]]:
    """Runs that are started and not ended, with what they try and since when."""
    rows = db.execute(
        "SELECT r.number, r.role, r.description, r.at, c.budget_seconds FROM runs r JOIN campaigns c USING (campaign)"
        " WHERE r.status = 'started' AND r.campaign = ? ORDER BY r.number",
        (campaign,),
    )
    names = ("number", "role", "description", "at", "seconds")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _latest(db: sqlite3.Connection, campaign: str | None) -> list[dict[str, Any]]:
    rows = db.execute(
        "SELECT number, role, status, verdict, description, value, reason, error, at FROM runs"
        " WHERE campaign = ? AND status != 'started' ORDER BY number DESC LIMIT ?",
        (campaign, _LATEST),
    )
    names = ("number", "role", "status", "verdict", "description", "value", "reason", "error", "at")
    return [dict(zip(names, row, strict=True)) for row in rows]


async def events(request: Request) -> Response:
    """Server-sent events: one each time that entries have landed, with the end of the ledger as its id."""
    folder = request.app.state.root / ".memex" / "ledger"

    def end() -> str:
        sizes = [(path.name, path.stat().st_size) for path in sorted(folder.glob("*.jsonl"))[-1:]]
        return json.dumps(sizes)

    async def stream() -> AsyncIterator[str]:
        seen, quiet = end(), 0.0
        yield "retry: 2000\n\n"
        while not await request.is_disconnected():
            now = end()
            if now != seen:
                seen, quiet = now, 0.0
                yield f"event: landed\ndata: {seen}\n\n"
            elif quiet >= 15:
                quiet = 0.0
                yield ": still here\n\n"
            await asyncio.sleep(_LOOK_SECONDS)
            quiet += _LOOK_SECONDS

    return StreamingResponse(stream(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})


ROUTES = [Route("/", tonight), Route("/events", events)]
