"""A report and what is drawn of it, made together so that no part is older than another; it knows no requests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from ..lab.chart import progress_svg
from ..lab.report import Report, build_report, report_main
from ..memory import Memory


@dataclass(frozen=True, slots=True)
class Drawn:
    """`main` is the inside of its page; `wide` and `narrow` the progress of the first campaign, '' where none is."""

    report: Report
    main: str
    wide: str
    narrow: str


def drawn_of(memory: Memory, campaign: str | None, since: str | None, can_run: bool) -> Drawn:
    report = build_report(memory.db, campaign=campaign, since=since, now=datetime.now(UTC), runs=can_run)
    chart = report.sections[0].chart if report.sections else None
    pictures = "", ""
    if chart is not None and chart.points:
        pictures = progress_svg(chart, height=460), progress_svg(chart, width=420, height=440)
    return Drawn(report, report_main(report), *pictures)
