"""A report and what is drawn of it, made together so that no part is older than another; it knows no requests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from ..lab.execution.checkouts import has_taken
from ..lab.report.renderers import Report, build_report, pictures, report_main, run_at, to_html
from ..memory import Memory


@dataclass(frozen=True, slots=True)
class Drawn:
    """`main` is the inside of its page; `wide` and `narrow` the progress of the first campaign, '' where none is."""

    report: Report
    main: str
    wide: str
    narrow: str


def drawn_of(memory: Memory, campaign: str | None, since: str | None, can_run: bool) -> Drawn:
    report = build_report(
        memory.db, campaign=campaign, since=since, now=datetime.now(UTC), runs=can_run,
        is_taken=partial(has_taken, memory.folder.parent),
    )  # fmt: skip
    first = report.sections[0] if report.sections else None
    drawn = pictures(first.chart, run_at(first)) if first is not None and first.chart.points else ("", "")
    return Drawn(report, report_main(report), *drawn)


def file_of(_: Memory, report: Report) -> str:
    """The report as the one file that is sent."""
    return to_html(report)
