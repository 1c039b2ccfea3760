"""The first page: what runs now, what won, what comes next. It is replaced as entries land."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ..lab.execution.owner import is_alive
from ..lab.loop.steering import Steering
from ..lab.report.agenda import KEEP_GOING
from ..lab.report.summary import CampaignReport
from .labs import campaigns, lab_of, labs_of, rows_of
from .rendering import came_to, page
from .report import drawn, report_key
from .steering import beat_of, loop_of, program_of, reads_words, waiting

_LOOK_SECONDS = 0.4
_LATEST, _WINS = 12, 5
#: Seconds that the page, and then its part, waits for a report that is being made.
_PATIENCE = 0.1, 5.0
#: What a mark of the chart is called in the table.
MARKED = {"kept": "keep", "doubtful": "keep", "pair": "fresh pair", "open": "not judged yet"}


def tonight(request: Request) -> Response:
    lab = lab_of(request)
    db = lab.memory.db
    wanted = request.query_params.get("campaign")
    names = campaigns(request)
    campaign = wanted if wanted in names else (names[0] if names else None)
    # What is quick is shown first; the page asks for the rest as its part.
    kept = drawn(request, campaign, patience_seconds=_PATIENCE[bool(request.query_params.get("part"))])
    section = kept.report.sections[0] if kept and kept.report.sections else None
    started = _started(db, campaign)
    running = [run for run in started if is_alive(run["owner"])]
    loop = loop_of(lab, campaign, running)
    # What a loop at work will do by itself is no work for a person.
    left = section.queue if section else ()
    queue = [item for item in left if not (loop.alive and item.command.startswith("memex run"))]
    # One command goes on: where nothing else needs a run, it stands beside the loop and not below as well.
    more = next((item for item in queue[1:] if item.title == KEEP_GOING), None)
    queue = [item for item in queue if item is not more]
    latest = _latest(db, campaign)
    wins = [row for row in section.verdicts if row.decision == "confirmed"][:_WINS] if section else []
    why = "SELECT coalesce(max(hypothesis), '') FROM runs WHERE campaign = ? AND number = ?"
    return page(
        request, "tonight.html", "Tonight", report=kept and kept.report, section=section,
        chart=Markup(kept.wide if kept else ""), narrow=Markup(kept.narrow if kept else ""),
        campaigns=names, campaign=campaign, running=running, latest=latest,
        goes_on=more.command if more else "" if queue else "memex run --runs 8", words=_words(section, latest),
        cut_off=[run["number"] for run in started if run not in running], reads_words=reads_words(lab),
        wins=[(win, *db.execute(why, (campaign, win.number)).fetchone()) for win in wins],
        loop=loop, queue=queue, waiting=waiting(lab), program=program_of(lab.root),
        behind=labs_of(request).seconds_behind(report_key(request, campaign)),
    )  # fmt: skip


def _words(section: CampaignReport | None, latest: list[dict[str, Any]]) -> set[str]:
    """What is tagged or marked on the page, in the words that its legend explains."""
    marks = {MARKED.get(point.mark, point.mark) for point in section.chart.points} if section else set()
    return marks | {came_to(run)[0] for run in latest}


def _started(db: sqlite3.Connection, campaign: str | None) -> list[dict[str, Any]]:
    """Runs that are started and not ended, with what they try, since when, and by which process."""
    return rows_of(
        db, "SELECT r.number, r.role, r.description, r.hypothesis, r.at, c.budget_seconds AS seconds, r.hardware,"
        " coalesce(e.body ->> '$.owner', '') AS owner,"
        " coalesce(json_extract(e.body, '$.meta.streams'), 1) AS streams FROM runs r JOIN campaigns c USING (campaign)"
        " JOIN entries e ON e.seq = r.run WHERE r.status = 'started' AND r.campaign = ? ORDER BY r.number", campaign,
    )  # fmt: skip


def _latest(db: sqlite3.Connection, campaign: str | None) -> list[dict[str, Any]]:
    return rows_of(
        db, "SELECT number, role, status, verdict, description, value, reason, error, at FROM runs"
        " WHERE campaign = ? AND status != 'started' ORDER BY number DESC LIMIT ?", campaign, _LATEST,
    )  # fmt: skip


async def events(request: Request) -> Response:
    """Server-sent events: one each time that entries have landed, with the end of the ledger as its id."""
    folder = request.app.state.root / ".memex" / "ledger"

    def end() -> str:
        """The end of the ledger, and of what is no entry: orders, patches that wait, and whether a loop is alive."""
        sizes = [(path.name, path.stat().st_size) for path in sorted(folder.glob("*.jsonl"))[-1:]]
        orders = [(path.name, path.stat().st_mtime_ns) for path in (folder.parent / "control",) if path.exists()]
        patches = sorted(path.name for path in (folder.parent / "approvals").glob("*.json"))
        beat = beat_of(Steering(folder.parent))
        return json.dumps([sizes, orders, patches, beat.get("owner"), beat.get("paused")])

    async def stream() -> AsyncIterator[str]:
        seen, quiet = end(), 0.0
        yield "retry: 2000\n\n"
        while not (labs_of(request).ended or await request.is_disconnected()):
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
