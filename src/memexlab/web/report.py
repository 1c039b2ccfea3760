"""The morning report as a page, and as the one file that can be sent to somebody."""

from __future__ import annotations

from datetime import UTC, datetime

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from ..commands.running import since_instant
from ..lab.report import Report, build_report, report_main, report_style, to_html, to_markdown
from .labs import lab_of, labs_of
from .rendering import page


def _report(request: Request) -> Response:
    lab, now = lab_of(request), datetime.now(UTC)
    since = request.query_params.get("since") or None
    campaign = request.query_params.get("campaign") or None
    instant = since_instant(since, now) if since else None

    def built() -> Report:
        return build_report(lab.memory.db, campaign=campaign, since=instant, now=now)

    # The instant of "yesterday" moves with the clock: such a report is worth keeping for its minute.
    key, labs = (campaign, instant and instant[:16]), labs_of(request)
    report = labs.kept(("report", *key), built)
    kind = request.path_params.get("kind", "")
    if kind == "html":
        headers = {"content-disposition": f'attachment; filename="report-{now:%Y-%m-%d}.html"'}
        return HTMLResponse(to_html(report), headers=headers)
    if kind == "md":
        return Response(to_markdown(report), media_type="text/markdown; charset=utf-8")
    days = sorted((path.stem for path in (lab.root / "reports").glob("20??-??-??.html")), reverse=True)
    return page(
        request,
        "report.html",
        "Morning report",
        main=Markup(labs.kept(("main", *key), lambda: report_main(report))),
        days=days,
        since=since,
    )


def _day(request: Request) -> Response:
    """A report as it was written on that day."""
    folder = (lab_of(request).root / "reports").resolve()
    path = (folder / f"{request.path_params['day']}.html").resolve()
    if path.parent != folder or not path.is_file():
        return page(request, "error.html", "No report", 404, text="There is no report of that day.")
    return HTMLResponse(path.read_text(encoding="utf-8"))


def _style(request: Request) -> Response:
    return Response(report_style(), media_type="text/css", headers={"cache-control": "max-age=3600"})


ROUTES = [
    Route("/report", _report),
    Route("/report.{kind:str}", _report),
    Route("/report/style.css", _style),
    Route("/report/{day}", _day),
]
