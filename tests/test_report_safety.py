"""The morning report is safe to open and small, and its words read well."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from memexlab.lab.report.renderers import to_html, to_json, to_markdown
from memexlab.lab.wording import Amounts, clean, command, duration, run_numbers

from .report_views import NASTY, Views


@pytest.fixture
def views(tmp_path: Path) -> Views:
    return Views(tmp_path)


# --- safety


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def fill_nasty(views: Views) -> None:
    views.campaign(NASTY, unit=NASTY, metric=NASTY)
    base = [views.run(v, "baseline", "ok", NASTY, "c0", settings={NASTY: NASTY}) for v in (1.0, 1.01, 0.99, 1.0)]
    views.crown(base[0], 1.0, None)
    win = views.run(0.8, description=NASTY, commit=NASTY, parent=base[0], settings={NASTY: "other"})
    views.change(win, NASTY, NASTY, "2")
    views.verdict(win, "confirmed", base[0], gain=0.2, low=0.1, high=0.3, pairs=2, sigma=0.008, dof=3, audit=1)
    views.crown(win, 0.8, 0.2)
    views.run(None, status="crash", description=NASTY, error=NASTY)
    views.run(None, status="crash", description=NASTY, error=NASTY)
    views.db.execute("INSERT INTO damage VALUES (?, 'r', 'error', ?, ?)", (NASTY, NASTY, NASTY))
    views.campaign("log " + NASTY, origin="import")
    views.run(1.0, status="keep", description=NASTY)
    views.crown(views.run(0.9, status="keep", description=NASTY), 0.9, 0.1)


def test_html_has_no_script_no_handler_and_nothing_remote(views: Views) -> None:
    fill_nasty(views)
    page = to_html(views.report())
    parser = _Tags()
    parser.feed(page)
    names = {tag for tag, _ in parser.tags}
    assert not names & {"script", "iframe", "object", "embed", "link", "img", "a", "form", "base"}
    for _, attributes in parser.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "href", "xlink:href")]
    assert "url(" not in page
    assert "@import" not in page
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", page)
    assert "alert(1)" in page  # shown as text, not swallowed


def test_markdown_keeps_its_tables_and_shows_foreign_text_as_text(views: Views) -> None:
    fill_nasty(views)
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(to_markdown(views.report()))
    inline = [child for token in tokens for child in token.children or []]
    assert not {token.type for token in (*tokens, *inline)} & {
        "html_block",
        "html_inline",
        "link_open",
        "image",
        "em_open",
    }
    columns, cells, tables = 0, 0, 0
    for token in tokens:
        if token.type == "thead_open":
            columns, tables = 0, tables + 1
        elif token.type == "th_open":
            columns += 1
        elif token.type == "tr_open":
            cells = 0
        elif token.type == "td_open":
            cells += 1
        elif token.type == "tr_close" and cells:
            assert cells == columns
    assert tables >= 4
    assert "<script>alert(1)</script> | a b" in "".join(t.content for t in inline if t.type in ("text", "text_special"))


def test_json_is_json_even_where_values_are_not_finite(views: Views) -> None:
    views.campaign("odd")
    views.run(float("inf"), description="diverged")
    views.run(1.0, description="fine")
    data = json.loads(to_json(views.report()), parse_constant=lambda name: pytest.fail(name))
    assert [point["value"] for point in data["sections"][0]["chart"]["points"]] == [None, 1.0]


@pytest.mark.slow
def test_a_page_of_many_long_campaigns_stays_small(views: Views) -> None:
    for campaign in range(9):
        views.campaign(f"campaign {campaign}", origin="import")
        for i in range(700):
            value = None if i % 40 == 7 else 1 - i / 9000 + (i * 7919 % 101) / 900
            status = "crash" if value is None else "keep" if i % 9 == 0 else "discard"
            text = f"set option_{i} to {i * 13 % 97}, described at some length"
            run = views.run(value, status=status, description=text, error=f"boom {i}")
            if i == 0:
                views.crown(run, 1.0, None)
    page = to_html(views.report())
    assert len(page.encode()) < 300_000
    assert page.count("<section>") == 9
    assert "<svg xmlns" in page


# --- words


def test_durations_numbers_and_commands_read_well() -> None:
    assert [duration(s) for s in (0.5, 41, 59.7, 60, 250, 3600, 25_920, 273_600)] == [
        "0.5 s", "41 s", "59 s", "1 min", "4 min 10 s", "1 h", "7 h 12 min", "3 d 4 h",
    ]  # fmt: skip
    amounts = Amounts.of("bits per byte", 0.0054)
    assert (amounts.with_unit(1.80312), amounts.signed(0.0702), amounts.signed(-0.0004)) == (
        "1.803 bits per byte", "+0.0702", "−0.0004",
    )  # fmt: skip
    assert amounts.signed(-0.00001) == "0.0000"
    assert run_numbers(list(range(1, 12)), 3) == "#1, #2, #3 and 8 more"
    assert command("memex", "sql", "select 'a'") == "memex sql \"select 'a'\""
    assert command("memex", "run", "$(rm -rf x)") == "memex run '$(rm -rf x)'"


def test_foreign_text_becomes_one_visible_line() -> None:
    assert clean("a\n\tb\x00c\u202ed\ud800") == "a b c d"
    assert clean("x" * 300, 10) == "x" * 9 + "…"
