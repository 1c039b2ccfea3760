"""The morning report as Markdown, as one HTML file, as a picture and as JSON. It computes nothing: see `summary`.

Every text that came from outside is escaped here, and only here. The HTML needs no script and nothing from elsewhere.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal, cast
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from ..wording import one_decimal, run_numbers
from .axes import colour_variables
from .chart import Chart, Mark, interval_svg, progress_svg, svg_to_png
from .summary import CampaignReport, Report, VerdictRow, build_report

__all__ = ["Report", "build_report", "report_main", "report_style", "to_html", "to_json", "to_markdown", "to_png"]

#: A page of a long history stays below this; the tables name the command that shows the rest.
HTML_LIMIT_BYTES = 300_000
_ROWS = 14
_DRAWN_AS_THEMSELVES = ("confirmed", "provisional", "inconclusive")
_RUN = re.compile(r"(?<![\w&/])#(\d{1,9})\b|\b[Rr]uns? (\d{1,9})\b(?![.,]\d)")
_THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def to_markdown(report: Report, picture: str = "") -> str:
    """CommonMark with tables; run numbers are written #N. `picture` is the file name of the picture beside it."""
    template = _environment(for_markdown=True).get_template("report.md.j2")
    page = template.render(report=report, picture=picture, rows=_ROWS)
    return page.rstrip() + "\n"


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


# --- templates


@lru_cache
def _environment(for_markdown: bool = False, is_linked: bool = False) -> Environment:
    """Templates in which every text is escaped for the page, unless it says of itself that it is safe."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        autoescape=not for_markdown, finalize=_markdown if for_markdown else None,
    )  # fmt: skip
    environment.filters.update(
        runs=run_numbers, one_decimal=one_decimal, code=_code, sentences=sentences_of,
        told=partial(linked, is_linked=is_linked),
    )  # fmt: skip
    colours: dict[str, Markup] = {theme: Markup(colour_variables(theme)) for theme in _THEMES}
    environment.globals.update(colours, interval=_interval, is_linked=is_linked)
    return environment


def _markdown(value: object) -> str:
    """Foreign text inside Markdown: shown as it is, never read as markup, a link or a table border."""
    if isinstance(value, Markup):
        return value
    text = re.sub(r"[\r\n]+", " ", str(value))
    text = re.sub(r"([\\`*\[\]<|~$&#!]|^\s*>)", r"\\\1", text)
    text = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)
    return re.sub(r"(?<!\w)\\#(?=\d)", "#", text)


def _code(text: str) -> Markup:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return Markup(f"{fence}{pad}{text}{pad}{fence}")


def sentences_of(text: str) -> tuple[str, str]:
    """The first sentence, and the rest: one is for a glance, the other for a reader."""
    parts = re.split(r"(?<=[.:]) (?=[A-Z])", text, maxsplit=1)
    return parts[0], parts[1] if len(parts) > 1 else ""


def linked(text: object, section: CampaignReport | None, is_linked: bool = True) -> Markup:
    """A text as it is read: arrows drawn, and each run of the campaign that it names a link to its page."""
    shown = str(escape(text)).replace(" -&gt; ", "\N{NO-BREAK SPACE}→ ")
    last = section.chart.points[-1].number if section is not None and section.chart.points and is_linked else 0

    unit = f" {escape(section.unit or section.metric)}" if section is not None else ""

    def link(found: re.Match[str]) -> str:
        number = int(found[1] or found[2])
        if unit.strip() and shown.startswith(unit, found.end()):  # a value, such as "best run 12 tokens/s"
            return found[0]
        is_run = section is not None and 0 < number <= last
        return f'<a href="{run_at(section).format(number)}">{found[0]}</a>' if is_run and section else found[0]

    return Markup(_RUN.sub(link, shown))


def pictures(chart: Chart, run_at: str = "") -> tuple[str, str]:
    """The progress, wide and for a phone."""
    height = 460 if any(point.value is not None for point in chart.points) else 240
    wide = progress_svg(chart, height=height, run_at=run_at)
    return wide, progress_svg(chart, width=420, height=min(height, 440), run_at=run_at)


def run_at(section: CampaignReport) -> str:
    """The address of a run of this campaign, with {} for its number."""
    campaign = quote(section.campaign, safe="").replace("{", "%7B").replace("}", "%7D")
    return f"/runs/{{}}?campaign={campaign}"


def report_style() -> str:
    """The style sheet of the report, for a page that shows `report_main`."""
    return _environment().get_template("report.css.j2").render()


def report_main(report: Report) -> str:
    """The inside of the page's `main`, all foreign text escaped, each run a link to its page."""
    return _page(report, 2, "report.main.j2")


def _page(report: Report, detail: int, name: str = "report.html.j2") -> str:
    """`detail` 3 is everything; below, pictures of older campaigns and long tables go first."""
    shown = []
    for i, section in enumerate(section for section in report.sections if section.chart.points):
        if i > (12, 4, 2, 0)[3 - detail]:
            shown.append((section, ("", "")))
            continue
        chart = section.chart
        if not detail:
            chart = replace(chart, points=tuple(replace(point, title="") for point in chart.points))
        wide, narrow = pictures(chart, run_at(section) if name == "report.main.j2" else "")
        narrow = narrow if i == 0 or detail >= 2 else ""
        shown.append((section, (Markup(wide), Markup(narrow))))
    rows, more_rows = _ROWS if detail else 6, 60 if detail >= 2 else 10
    template = _environment(is_linked=name == "report.main.j2").get_template(name)
    return template.render(report=report, shown=shown, rows=rows, more_rows=more_rows)


def _interval(row: VerdictRow, rows: Sequence[VerdictRow]) -> str:
    """The interval of a gain as a small drawing, on the scale of the whole table."""
    if row.low is None or row.high is None or row.gain is None:
        return ""
    reach = max(abs(v) for r in rows for v in (r.low, r.high) if v is not None)
    mark = cast("Mark", row.decision if row.decision in _DRAWN_AS_THEMSELVES else "discard")
    return Markup(interval_svg(row.low, row.gain, row.high, reach, mark))
