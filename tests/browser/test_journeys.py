"""What a person does with the pages, in a real browser, on the published log, a wiki and a live run."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import pytest

from .conftest import Opener, Served

expect = pytest.importorskip("playwright.sync_api", reason="pip install playwright").expect
pytestmark = pytest.mark.slow


def test_tonight_says_who_won(opener: Opener, logged: Served) -> None:
    seen = opener(logged)
    seen.open("/")
    expect(seen.page.locator("h1.lead")).to_contain_text("Best kept run 0.9697")
    expect(seen.page.locator("h1.lead")).to_contain_text("#119 warmdown 0.7 to 0.75")
    assert seen.page.locator("svg").count() > 1
    seen.fine()


def test_filter_runs_with_words(opener: Opener, logged: Served) -> None:
    seen = opener(logged)
    seen.open("/runs")
    seen.page.fill("input[name=where]", "status = 'keep' and value < 0.975")
    seen.page.press("input[name=where]", "Enter")
    seen.page.wait_for_url(re.compile("where="))
    rows = seen.page.locator("table tbody tr")
    assert 5 < rows.count() < 30
    assert all("keep" in text for text in rows.all_inner_texts())
    seen.page.fill("input[name=where]", "no_such_column = 1")
    seen.page.press("input[name=where]", "Enter")
    expect(seen.page.locator(".warn.bad")).to_contain_text("no_such_column")
    seen.fine()


def test_compare_two(opener: Opener, logged: Served) -> None:
    seen = opener(logged)
    seen.open("/runs/compare?runs=7+38&campaign=mar8")
    for text in ("0.979969", "0.972779", "#7", "#38"):
        expect(seen.page.locator("main")).to_contain_text(text)
    seen.fine()


def test_retract_with_preview_and_take_it_back(opener: Opener, logged: Served) -> None:
    seen = opener(logged)
    seen.open("/runs/20?campaign=mar8")
    seen.page.get_by_text("Retract this run").click()
    expect(seen.page.get_by_text(re.compile("rests? on it"))).to_be_visible()
    seen.page.get_by_label("why").fill("measured with a broken clock")
    seen.page.get_by_role("button", name="Retract").click()
    expect(seen.page.get_by_label("why it counts again")).to_be_visible()
    seen.page.get_by_label("why it counts again").fill("the clock was right")
    seen.page.get_by_role("button", name="Reinstate").click()
    expect(seen.page.get_by_text("Retract this run")).to_be_visible()
    seen.fine()


def test_from_a_sentence_to_the_exact_words_in_two_clicks(opener: Opener, logged: Served) -> None:
    seen = opener(logged)
    seen.open("/wiki/harbour-bridge")
    seen.page.locator("article .footnote-ref a").first.click()
    seen.page.locator("article .footnotes :target a.words, article .footnotes li:target a.words").first.click()
    expect(seen.page.locator("article.text mark").first).to_be_in_viewport()
    seen.fine()


def test_a_contradiction_shows_both_sides(opener: Opener, logged: Served) -> None:
    seen = opener(logged)
    seen.open("/wiki/harbour-bridge")
    box = seen.page.locator(".callout.contradiction").first
    expect(box).to_be_visible()
    assert box.locator(".footnote-ref").count() >= 2
    seen.fine()


def test_the_index_of_the_wiki_narrows_as_one_types(opener: Opener, logged: Served) -> None:
    seen = opener(logged)
    seen.open("/wiki")
    rows = seen.page.locator(".index li:visible")
    before = rows.count()
    seen.page.keyboard.press("/")
    seen.page.keyboard.type("harbour")
    expect(rows.first).to_contain_text(re.compile("harbour", re.I))
    assert 0 < rows.count() < before
    seen.page.keyboard.type(" nowhere")
    expect(seen.page.locator(".index h2:visible")).to_have_count(0)
    seen.fine()


@pytest.mark.parametrize("width", [390, 1440])
def test_the_first_screen_of_the_report_says_what_won_whether_to_trust_it_and_what_to_do(
    opener: Opener, logged: Served, width: int
) -> None:
    seen = opener(logged)
    seen.page.set_viewport_size({"width": width, "height": 900})
    seen.open("/report")
    for text in ("Best kept run 0.9697", "+0.02821", "Not yet", "Do next"):
        expect(seen.page.locator("main").get_by_text(text).first).to_be_in_viewport()
    seen.shot(f"report-{width}")
    seen.page.locator(".lead a").first.click()
    seen.page.wait_for_url(re.compile(r"/runs/119\?"))
    seen.fine()


def test_ask_and_see_the_sql(opener: Opener, logged: Served) -> None:
    seen = opener(logged)
    seen.open("/ask")
    seen.page.get_by_label("question").fill("which changes helped?")
    seen.page.keyboard.press("Enter")
    seen.page.get_by_text("the SQL that made it").click()
    expect(seen.page.locator(".answer pre")).to_contain_text("SELECT")
    seen.page.locator(".answer .refs a").first.click()
    seen.page.wait_for_url(re.compile(r"/runs/\d+"))
    seen.fine()


def test_an_answer_from_sources_becomes_a_page(opener: Opener, logged: Served) -> None:
    seen = opener(logged)
    seen.open("/ask?q=how+many+lanes+does+the+harbour+bridge+carry%3F")
    seen.page.get_by_role("button", name="Save as a page").click()
    told = seen.page.locator("#told a")
    expect(told).to_have_text(re.compile("^Saved: how many lanes"))
    told.click()
    expect(seen.page.locator("article.page h1")).to_contain_text(re.compile("how many lanes", re.I))
    seen.page.go_back()
    seen.page.locator(".answer .refs a").first.click()
    expect(seen.page.locator("article.text mark").first).to_be_in_viewport()
    seen.fine()


def test_search_as_you_type(opener: Opener, logged: Served) -> None:
    seen = opener(logged)
    seen.open("/")
    field = seen.page.get_by_role("combobox", name="Search everything")
    seen.page.keyboard.press("s")
    expect(field).to_be_focused()
    seen.page.clock.install()  # the page waits until nobody types: no letter comes too late on a slow machine
    seen.page.clock.pause_at(time.time() + 3600)
    seen.page.keyboard.type("harbour br")
    seen.page.clock.run_for(1000)
    expect(seen.page.get_by_role("option").first).to_contain_text("Harbour Bridge")
    seen.page.keyboard.press("ArrowDown")
    expect(seen.page.locator("#found [aria-selected=true]")).to_have_count(1)
    seen.page.keyboard.press("Enter")
    seen.page.wait_for_url(re.compile("/wiki/harbour-bridge"))
    seen.fine()


def test_a_path_in_the_graph_and_the_graph_of_another_day(opener: Opener, logged: Served) -> None:
    seen = opener(logged)
    seen.open("/graph")
    expect(seen.page.locator("svg.graph a.node").first).to_be_visible()
    assert 20 < seen.page.locator("svg.graph a.node").count() <= 112
    seen.page.get_by_label("around").fill("8")
    seen.page.get_by_label("path to").fill("rope_base")
    seen.page.get_by_role("button", name="Show").click()
    expect(seen.page.locator("ol.trail li")).to_have_count(2)
    expect(seen.page.locator("ol.trail")).to_contain_text("rope_base")
    seen.open("/graph?until=1")
    expect(seen.page.locator("svg.graph a.knob")).to_have_count(0)
    seen.fine()


def test_a_run_lands_while_the_page_is_open_and_leads_to_its_diff(opener: Opener, running: Served) -> None:
    seen = opener(running)
    seen.open("/")
    expect(seen.page.locator("h1.lead")).to_contain_text("Nothing has run")
    seen.page.evaluate("window.same = 1")
    command = [sys.executable, "-m", "memexlab", "--lab", str(running.root), "run", "--runs", "2"]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    expect(seen.page.get_by_role("heading", name="Latest runs")).to_be_visible()
    assert seen.page.evaluate("window.same") == 1, "the page was loaded again"
    seen.open("/runs?where=role+%3D+'candidate'")
    seen.page.locator("table tbody tr a").first.click()
    seen.page.wait_for_url(re.compile(r"/runs/\d+"))
    expect(seen.page.locator("table.diff").first).to_be_visible()
    seen.fine()


def test_a_loop_that_is_killed_is_told_while_the_page_is_open(opener: Opener, logged: Served) -> None:
    beats = (
        "import sys, time; from pathlib import Path; from memexlab.lab.loop.steering import Steering;"
        " from memexlab.lab.execution.owner import this_process;"
        " Steering(Path(sys.argv[1])).beat(owner=this_process(), campaign='mar8', candidates=1, since='', limits={});"
        " time.sleep(600)"
    )
    seen = opener(logged)
    seen.open("/")
    loop = subprocess.Popen([sys.executable, "-c", beats, str(logged.root / ".memex")])
    expect(seen.page.locator(".loop")).to_contain_text("The loop is at work")
    loop.kill()  # and nobody waits for it
    expect(seen.page.get_by_text("The loop is at work")).to_have_count(0)
    loop.wait()
    seen.fine()


def test_a_run_is_ticked_with_keys(opener: Opener, logged: Served) -> None:
    seen = opener(logged)
    seen.open("/runs")
    for key in ("j", "x", "j", "j", "x"):
        seen.page.keyboard.press(key)
    expect(seen.page.get_by_role("button", name="Compare these 2")).to_be_enabled()
    seen.page.keyboard.press("/")
    expect(seen.page.locator("input[name=where]")).to_be_focused()
    seen.open("/effects")
    seen.page.keyboard.press("j")
    expect(seen.page.locator("tr.at")).to_have_count(1)
    seen.page.keyboard.press("/")
    expect(seen.page.locator("select[name=knob]")).to_be_focused()
    seen.fine()


def test_with_the_keyboard_alone(opener: Opener, logged: Served) -> None:
    seen = opener(logged)
    seen.open("/")
    keys = seen.page.keyboard
    keys.press("Tab")
    expect(seen.page.get_by_text("Skip to the page")).to_be_focused()
    for place, path in (("r", "/runs"), ("g", "/graph"), ("a", "/ask"), ("s", "/sources"), ("w", "/wiki")):
        keys.press("Escape")
        keys.press("g")
        keys.press(place)
        seen.page.wait_for_url(re.compile(path + "$"))
    keys.press("?")
    expect(seen.page.get_by_role("dialog")).to_be_visible()
    keys.press("Escape")
    seen.open("/runs")
    keys.press("j")
    keys.press("j")
    keys.press("Enter")
    seen.page.wait_for_url(re.compile(r"/runs/\d+"))
    seen.fine()
