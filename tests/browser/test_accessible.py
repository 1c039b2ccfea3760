"""Every page: nothing serious by axe-core in light and in dark, nothing jumps while it loads, and it can be printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Opener, Served

pytestmark = pytest.mark.slow

PAGES = (
    "/", "/runs", "/runs/38?campaign=mar8", "/runs/compare?runs=7+38&campaign=mar8", "/runs/lineage?campaign=mar8",
    "/runs?group=knob&campaign=mar8", "/effects", "/report", "/wiki", "/wiki/harbour-bridge", "/wiki-review",
    "/wiki-lint", "/sources", "/sources?q=bridge", "/sources/17", "/partner", "/ask?q=which+changes+helped%3F", "/ask",
    "/ask?q=how+high+is+the+harbour+bridge%3F", "/graph", "/graph?at=depth", "/graph?at=8&to=rope_base",
    "/search?q=bridge", "/search", "/nothing-here",
)  # fmt: skip
SHIFT = """() => new Promise((done) => {
  let total = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) total += entry.value;
  }).observe({type: "layout-shift", buffered: true});
  setTimeout(() => done(total), 200);
})"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_and_nothing_jumps(opener: Opener, logged: Served, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    source = (Path(axe.__file__).parent / "axe.min.js").read_text("utf-8")
    # The policy of the pages lets no script in; the test's own has to pass.
    seen = opener(logged, color_scheme=scheme, bypass_csp=True)
    wrong = []
    for path in PAGES:
        seen.open(path)
        shift = seen.page.evaluate(SHIFT)
        if shift >= 0.05:
            wrong.append(f"{path}: what is on the page moves by {shift:.3f}")
        seen.page.evaluate(source)
        for found in seen.page.evaluate("axe.run()")["violations"]:
            if found["impact"] in ("serious", "critical"):
                where = [" ".join(map(str, node["target"])) for node in found["nodes"][:3]]
                wrong.append(f"{path}: {found['id']} {json.dumps(where)} {found['nodes'][0]['failureSummary'][-160:]}")
    assert not wrong, "\n".join(wrong)


def test_print_leaves_out_what_cannot_be_printed(opener: Opener, logged: Served) -> None:
    seen = opener(logged)
    seen.open("/wiki/harbour-bridge")
    seen.page.emulate_media(media="print")
    assert seen.page.locator("header.bar").is_hidden()
    assert seen.page.locator("article").is_visible()


def test_no_page_is_wider_than_a_phone(opener: Opener, logged: Served) -> None:
    seen = opener(logged)
    seen.page.set_viewport_size({"width": 390, "height": 800})
    wide = []
    for path in PAGES:
        seen.open(path)
        width = seen.page.evaluate("document.documentElement.scrollWidth")
        if width > 391:
            wide.append((path, width))
    assert not wide


def test_every_control_can_be_reached_with_tab(opener: Opener, logged: Served) -> None:
    seen = opener(logged)
    for path in ("/", "/graph", "/ask", "/runs"):
        seen.open(path)
        # A dot of the chart that is no win is a row of Runs too: the tab key goes from win to win.
        out_of_reach = seen.page.evaluate(
            "() => [...document.querySelectorAll('main a[href], main button, main input, main select, main summary')]"
            ".filter((e) => e.tabIndex < 0 && e.type !== 'hidden' && !e.closest('svg')).map((e) => e.outerHTML)"
        )
        assert out_of_reach == [], path
