"""The morning report as a page, and as the one file that can be sent to somebody."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from ..lab.chart import progress_svg
from ..lab.report import Report, build_report, report_main, report_style, to_html, to_markdown
from .labs import campaigns, lab_of, labs_of
from .rendering import has_target, page


class Drawn:
    """A report, and what is drawn of it when somebody asks: kept together, so that no part is older than another."""

    def __init__(self, report: Report) -> None:
        self.report = report

    @cached_property
    def main(self) -> str:
        return report_main(self.report)

    @cached_property
    def pictures(self) -> tuple[str, str]:
        """The progress of the first campaign, wide and narrow; '' where there is none."""
        chart = self.report.sections[0].chart if self.report.sections else None
        if chart is None or not chart.points:
            return "", ""
        return progress_svg(chart, height=460), progress_svg(chart, width=420, height=420)


def report_key(request: Request, campaign: str | None, since: str | None = None) -> tuple[str, str | None, str | None]:
    """Under what a report is kept: that of the only campaign is that of the lab."""
    names = campaigns(request)
    # The instant of "yesterday" moves with the clock: such a report is worth keeping for its minute.
    return "report", campaign or (names[0] if len(names) == 1 else None), since and since[:16]


def drawn(request: Request, campaign: str | None, since: str | None = None) -> Drawn:
    def made() -> Drawn:
        db = lab_of(request).memory.db
        now, can_run = datetime.now(UTC), has_target(request)
        return Drawn(build_report(db, campaign=campaign, since=since, now=now, runs=can_run))

    return labs_of(request).kept(report_key(request, campaign, since), made)


def _report(request: Request) -> Response:
    lab, now = lab_of(request), datetime.now(UTC)
    since = request.query_params.get("since") or None
    campaign = request.query_params.get("campaign") or None
    instant = None
    if since:
        from ..commands.running import since_instant

        instant = since_instant(since, now)
    kept = drawn(request, campaign, instant)
    report = kept.report
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
        main=Markup(kept.main),
        days=days,
        behind=labs_of(request).is_behind(report_key(request, campaign, instant)),
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
