"""The morning report as Markdown, as one HTML file, as a picture and as JSON. It computes nothing: see `summary`.

Every text that came from outside is escaped here, and only here. The HTML needs no script and nothing from elsewhere.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .chart import Chart, Mark, colour_variables, interval_svg, progress_svg, svg_to_png
from .learned import OUTCOMES, Lesson, Next
from .summary import CampaignReport, Report, VerdictRow, build_report
from .wording import one_decimal, run_numbers

__all__ = [
    "CampaignReport",
    "Report",
    "build_report",
    "report_main",
    "report_style",
    "to_html",
    "to_json",
    "to_markdown",
    "to_png",
]

#: A page of a long history stays below this; the tables name the command that shows the rest.
HTML_LIMIT_BYTES = 300_000
_ROWS = 14
_LESSONS = 8


def to_markdown(report: Report, picture: str = "") -> str:
    """CommonMark with tables; run numbers are written #N. `picture` is the file name of the picture beside it."""
    out = [f"# Morning report, {report.now}", "", f"**{_md(report.headline)}**", ""]
    if picture:
        out += [f"![The runs in order, and the running best]({picture})", ""]
    if report.since:
        out += [f"What is called new happened since {_md(report.since)}.", ""]
    out += [f"> **Warning.** {_md(text)}\n" for text in report.warnings]
    if report.hints:
        out += ["## What to type", "", *_md_queue(report.hints)]
    for i, section in enumerate(report.sections):
        out += _md_section(section, is_first=i == 0)
    if report.others:
        out += [
            f"Not shown: {', '.join(_md(name) for name in report.others)}. Type `memex report --campaign NAME`.",
            "",
        ]
    for label, value in report.costs:
        out += [f"{label}: {_md(value)}", ""]
    return "\n".join(out).rstrip() + "\n"


def to_html(report: Report) -> str:
    """One self-contained page below 300 KB: light and dark, for a phone, for paper; no script, nothing remote."""
    for detail in (3, 2, 1, 0):
        page = _page(report, detail)
        if len(page.encode()) < HTML_LIMIT_BYTES:
            break
    return page


def to_png(report: Report) -> bytes:
    """The progress of the newest campaign as a picture, 1800 pixels wide."""
    if not report.sections:
        chart, heading = Chart(), ["memexlab", report.headline]
    else:
        section = report.sections[0]
        chart, heading = section.chart, [section.headline, f"{section.campaign} · {section.terms} · {report.now}"]
    return svg_to_png(progress_svg(chart, width=1200, height=680, theme="light", heading=heading), 1800)


def to_json(report: Report) -> str:
    """Everything the report rests on, the points of the chart too; a number that is not finite is null."""
    return json.dumps(_finite(asdict(report)), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


# --- HTML


@lru_cache(maxsize=1)
def _environment() -> Environment:
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(runs=run_numbers, one_decimal=one_decimal)
    environment.globals.update(interval=_interval, lessons_by_outcome=lessons_by_outcome, outcomes=OUTCOMES)
    return environment


def report_style() -> str:
    """The style sheet of the report, for a page that shows `report_main`."""
    template = _environment().get_template("report.css.j2")
    return template.render(light=Markup(colour_variables("light")), dark=Markup(colour_variables("dark")))


def report_main(report: Report) -> str:
    """The inside of the page's `main`, all foreign text escaped."""
    return _page(report, 2, "report.main.j2")


def _page(report: Report, detail: int, name: str = "report.html.j2") -> str:
    """`detail` 3 is everything; below, pictures of older campaigns and long tables go first."""
    shown = []
    for i, section in enumerate(section for section in report.sections if section.chart.points):
        if i > (12, 4, 2, 0)[3 - detail]:
            shown.append((section, ("", "")))
            continue
        chart = section.chart if detail else _without_titles(section.chart)
        has_values = any(point.value is not None for point in chart.points)
        wide = progress_svg(chart, height=240 if not has_values else 600 if i == 0 else 460)
        narrow = progress_svg(chart, width=420, height=440 if has_values else 240) if i == 0 or detail >= 2 else ""
        shown.append((section, (Markup(wide), Markup(narrow))))
    return (
        _environment()
        .get_template(name)
        .render(
            report=report,
            shown=shown,
            light=Markup(colour_variables("light")),
            dark=Markup(colour_variables("dark")),
            rows=_ROWS if detail else 6,
            more_rows=60 if detail >= 2 else 10,
            most_lessons=_LESSONS,
        )
    )


def _without_titles(chart: Chart) -> Chart:
    return replace(chart, points=tuple(replace(point, title="") for point in chart.points))


_MARK_OF_DECISION: dict[str, Mark] = {
    "confirmed": "confirmed",
    "provisional": "provisional",
    "inconclusive": "inconclusive",
}


def _interval(row: VerdictRow, rows: Sequence[VerdictRow]) -> str:
    """The interval of a gain as a small drawing, on the scale of the whole table."""
    if row.low is None or row.high is None or row.gain is None:
        return ""
    reach = max(abs(v) for r in rows for v in (r.low, r.high) if v is not None)
    return Markup(interval_svg(row.low, row.gain, row.high, reach, _MARK_OF_DECISION.get(row.decision, "discard")))


def lessons_by_outcome(lessons: Iterable[Lesson]) -> list[tuple[str, list[Lesson]]]:
    """Lessons grouped, the outcomes in their order, none empty."""
    every = list(lessons)
    groups = [(outcome, [lesson for lesson in every if lesson.outcome == outcome]) for outcome in OUTCOMES]
    return [(outcome, members) for outcome, members in groups if members]


# --- Markdown


def _md(text: str) -> str:
    """Foreign text inside Markdown: shown as it is, never read as markup, a link or a table border."""
    text = re.sub(r"[\r\n]+", " ", text)
    text = re.sub(r"([\\`*\[\]<|~$&#!]|^\s*>)", r"\\\1", text)
    text = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)
    return re.sub(r"(?<!\w)\\#(?=\d)", "#", text)


def _code(text: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    rule = ["---:" if i in right else "---" for i in range(len(header))]
    lines = [header, rule, *rows]
    return [*("| " + " | ".join(cells) + " |" for cells in lines), ""]


def _md_queue(items: Sequence[Next]) -> list[str]:
    out = []
    for i, item in enumerate(items, 1):
        out.append(f"{i}. **{_md(item.title.rstrip('.'))}.** {_md(item.why)}")
        if item.command:
            out += ["", f"   {_code(item.command)}", ""]
    return [*out, ""]


def _md_section(section: CampaignReport, is_first: bool) -> list[str]:
    amounts, standing = section.amounts, section.standing
    out = [f"## Campaign {_md(section.campaign)}", "", _md(section.terms), ""]
    if not is_first:
        out += [f"**{_md(section.headline)}** {_md(section.counts)}", ""]
    out += [f"> **Warning.** {_md(text)}\n" for text in section.warnings]
    if standing is not None:
        interval = ""
        if standing.low is not None and standing.high is not None:
            interval = f", 95 % interval {amounts.signed(standing.low)} to {amounts.signed(standing.high)}"
        how = f" ({one_decimal(standing.sigmas)} sigma)" if standing.sigmas is not None else ""
        out += [
            f"- Champion #{standing.champion}: {_md(amounts.with_unit(standing.champion_value))}, "
            + _md(standing.champion_description),
            f"- Baseline #{standing.baseline}: {_md(amounts.with_unit(standing.baseline_value))}",
            f"- Gain {amounts.signed(standing.gain)}{how}{interval}; {_md(standing.basis)}",
        ]
    out += [f"- {_md(text)}" for text in (section.third_split, section.noise) if text]
    out.append("")
    if section.queue:
        out += ["### What to do next", "", *_md_queue(section.queue)]
    if section.verdicts:
        out += ["### Verdicts", ""]
        out += _table(
            ["run", "verdict", "what", "gain", "95 % interval", "pairs", "smallest visible effect"],
            (_md_verdict(row, section) for row in section.verdicts[:40]),
            right=(0, 3, 5, 6),
        )
        if len(section.verdicts) > 40:
            out += [f'… and {len(section.verdicts) - 40} more: `memex sql "select * from verdicts"`', ""]
    if section.kept:
        words = {True: "no", False: "yes", None: "unknown"}
        out += ["### Kept by the log, not verified", "", _md(section.kept_remark), ""]
        out += _table(
            ["run", "what", "value", "gain", "above the noise"],
            (
                [
                    f"#{k.number}",
                    _md(k.description),
                    amounts.value(k.value),
                    amounts.signed(k.gain),
                    words[k.within_noise],
                ]
                for k in section.kept[-40:]
            ),
            right=(0, 2, 3),
        )
    if section.lessons:
        out += ["### What was learned", ""]
        for outcome, members in lessons_by_outcome(section.lessons):
            out.append(f"- **{outcome.capitalize()}**")
            out += [f"  - {_md(lesson.knob)}: {_md(lesson.evidence)}" for lesson in members[:_LESSONS]]
            if len(members) > _LESSONS:
                rest = members[_LESSONS:]
                numbers = run_numbers(sorted(n for lesson in rest for n in lesson.runs))
                out.append(f"  - and {len(rest)} more ({numbers})")
        out += ["", *([_md(section.lessons_remark), ""] if section.lessons_remark else [])]
    if section.settings:
        out += ["### Settings of the champion", ""]
        out += _table(
            ["knob", "baseline", "champion"],
            ([_md(s.knob), _md(s.baseline), _md(s.champion)] for s in section.settings),
        )
    if section.failures:
        out += ["### Failures", ""]
        out += _table(
            ["times", "ended as", "cause", "runs"],
            ([str(len(f.runs)), _md(f.status), _md(f.cause), run_numbers(f.runs)] for f in section.failures[:_ROWS]),
            right=(0,),
        )
        if len(section.failures) > _ROWS:
            out += [f"… and {len(section.failures) - _ROWS} more causes", ""]
    out += ["### Cost and time", "", *(f"- {label}: {_md(value)}" for label, value in section.costs), ""]
    return out


def _md_verdict(row: VerdictRow, section: CampaignReport) -> list[str]:
    amounts = section.amounts
    interval = ""
    if row.low is not None and row.high is not None:
        interval = f"{amounts.signed(row.low)} to {amounts.signed(row.high)}"
    gain = amounts.signed(row.gain) if row.gain is not None else ""
    sigma = f" ({one_decimal(row.sigmas)} sigma)" if row.sigmas is not None else ""
    visible = amounts.fine(row.smallest_visible) if row.smallest_visible is not None else ""
    return [
        f"#{row.number}",
        row.decision,
        _md(row.description),
        gain + sigma,
        interval,
        str(row.pairs or "one run"),
        visible,
    ]
