"""The morning report as a page, and as the one file that can be sent to somebody."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from ..lab.report.renderers import report_style, to_markdown
from .drawing import Drawn, drawn_of, file_of
from .labs import campaigns, lab_of, labs_of
from .rendering import has_target, page


def report_key(request: Request, campaign: str | None, since: str | None = None) -> tuple[str | int | None, ...]:
    """Under what a report is kept: that of the only campaign is that of the lab."""
    names, root = campaigns(request), lab_of(request).root
    # A win is taken over without an entry: by a move of the person's branch.
    moves = next((folder / ".git/logs/HEAD" for folder in (root, *root.parents) if (folder / ".git").exists()), root)
    moved = moves.stat().st_mtime_ns if moves.exists() else 0
    # The instant of "yesterday" moves with the clock: such a report is worth keeping for its minute.
    return "report", campaign or (names[0] if len(names) == 1 else None), since and since[:16], moved


def drawn(
    request: Request, campaign: str | None, since: str | None = None, patience_seconds: float | None = None
) -> Drawn | None:
    """The report and what is drawn of it; None if it is made for longer than the patience."""
    given = campaign, since, has_target(request)
    return labs_of(request).apart(
        report_key(request, campaign, since), drawn_of, *given, patience_seconds=patience_seconds
    )


def _report(request: Request) -> Response:
    if day := request.query_params.get("day"):
        return RedirectResponse(f"/report/{quote(day, safe='')}")
    lab, now = lab_of(request), datetime.now(UTC)
    since = request.query_params.get("since") or None
    campaign = request.query_params.get("campaign") or None
    instant = None
    if since:
        from ..commands.run import since_instant

        instant = since_instant(since, now)
    kept = drawn(request, campaign, instant)
    assert kept is not None
    report = kept.report
    kind = request.path_params.get("kind", "")
    if kind == "html":
        headers = {"content-disposition": f'attachment; filename="report-{now:%Y-%m-%d}.html"'}
        return HTMLResponse(labs_of(request).apart(("file", report), file_of, report), headers=headers)
    if kind == "md":
        return Response(to_markdown(report), media_type="text/markdown; charset=utf-8")
    return page(
        request,
        "report.html",
        "Morning report",
        main=Markup(kept.main),
        days=[(path.stem, _told(path.stem)) for path in _days(lab.root)],
        behind=labs_of(request).seconds_behind(report_key(request, campaign, instant)),
    )


def _days(root: Path) -> list[Path]:
    """The reports that were written, each after a night, as `2026-03-02-NAME.html`; those of the newest day first."""
    return sorted((root / "reports").glob("20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]*.html"), reverse=True)


def _told(name: str) -> str:
    """`22 Nov, night`; a day that the calendar lacks as it stands."""
    with suppress(ValueError):
        return f"{date.fromisoformat(name[:10]):%-d %b}" + (f", {name[11:]}" if name[11:] else "")
    return name


def _day(request: Request) -> Response:
    """A report as it was written on that day; where a day alone is named, that of its last campaign."""
    day = request.path_params["day"]
    named = [path for path in _days(lab_of(request).root) if path.stem == day or path.stem[:10] == day]
    if not named:
        return page(request, "error.html", "No report", 404, text=f"There is no report of {day}.")
    newest = max(named, key=lambda path: (path.stem == day, path.stat().st_mtime_ns))
    return HTMLResponse(newest.read_text(encoding="utf-8"))


def _style(request: Request) -> Response:
    return Response(report_style(), media_type="text/css", headers={"cache-control": "max-age=3600"})


ROUTES = [
    Route("/report", _report),
    Route("/report.{kind:str}", _report),
    Route("/report/style.css", _style),
    Route("/report/{day}", _day),
]
