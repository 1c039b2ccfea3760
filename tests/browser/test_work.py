"""What a person changes with the pages, in a real browser: words, judgements, files, claims, patches, answers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from memexlab import Lab

from ..model_server import Handler, serving
from ..toy import make_toy
from .conftest import Opener, Served, logged_lab, serve, stop

expect = pytest.importorskip("playwright.sync_api", reason="pip install playwright").expect
pytestmark = pytest.mark.slow


#: One for each piece of the first sentence that was seen on the page: the model goes on with the next one.
SHOWN = threading.Semaphore(0)


def writes_slowly(handler: Handler) -> None:
    """One sentence that the evidence bears, and one that it does not."""
    found = re.search(r"(\d+): The height of Harbour Bridge", handler.asked["messages"][-1]["content"])
    assert found is not None
    said = ("The height of Harbour Bridge is 134 metres.", "The Eiffel Tower is 300 metres high.")
    reply = json.dumps({"sentences": [{"text": text, "cites": [found[1]]} for text in said]})
    holds = len(handler.server.asked) == 1  # when asked to mend what it said, it need not be watched again
    handler.head(200, "text/event-stream")
    for start in range(0, len(reply), 6):
        handler.event(reply[start : start + 6])
        if holds and "The height of" in reply[: start + 6] and "metres." not in reply[:start]:
            SHOWN.acquire(timeout=60)
    handler.event("", "stop")
    handler.raw(b"data: [DONE]\n\n")


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The lab of the other journeys, to be changed, with a model at a server that writes slowly."""
    root = logged_lab(tmp_path_factory.mktemp("worked") / "lab")
    with serving(writes_slowly) as model, (root / "memex.toml").open("a") as toml:
        toml.write(f'\n[model]\ndial = "endpoint"\nname = "slow"\nbase_url = "{model.url}"\n')
        toml.flush()
        served = serve(root)
        yield served
        stop(served)


def rows(served: Served, sql: str) -> list[tuple[object, ...]]:
    lab = Lab(served.root)
    try:
        return lab.memory.db.execute(sql).fetchall()
    finally:
        lab.close()


def test_a_block_is_edited_and_becomes_a_claim_of_the_person(opener: Opener, worked: Served) -> None:
    seen = opener(worked)
    seen.open("/wiki/harbour-bridge")
    block = seen.page.locator("article p[id^=b-c]").first
    block.hover()
    seen.shot("edit-hover")
    block.get_by_role("button", name="edit").click()
    seen.page.get_by_label("this block, in Markdown").fill("It is a bridge of three arches, as I saw myself.")
    seen.shot("edit")
    seen.page.get_by_role("button", name="Save as mine").click()
    expect(seen.page.locator("article")).to_contain_text("three arches, as I saw myself")
    seen.shot("edited")
    by = rows(worked, "SELECT by FROM entries WHERE kind = 'claim' AND body LIKE '%as I saw myself%'")
    assert by
    assert all(str(one).startswith("human:") for (one,) in by)
    seen.fine()


def test_what_waits_is_judged_with_keys_alone(opener: Opener, worked: Served) -> None:
    seen = opener(worked)
    seen.page.clock.install()  # a word is held for seconds: they do not pass before it is taken back
    seen.open("/wiki-review")
    seen.page.clock.pause_at(time.time() + 3600)
    items, keys = seen.page.locator("[data-item]"), seen.page.keyboard
    before, landed = items.count(), rows(worked, "SELECT count(*) FROM entries")
    assert before >= 3
    keys.press("j")
    keys.press("j")
    expect(items.nth(1)).to_be_focused()
    keys.press("k")
    keys.press("a")
    keys.type("both were measured")
    keys.press("Enter")
    expect(items.nth(0)).to_be_hidden()
    seen.shot("review-held")
    keys.press("u")
    expect(items.nth(0)).to_be_focused()
    assert rows(worked, "SELECT count(*) FROM entries") == landed, "what was taken back had been sent"
    keys.press("r")  # its reason stands there already
    expect(items.nth(1)).to_be_focused()
    keys.press("e")
    expect(items.nth(1).get_by_label("your words")).to_be_focused()
    seen.shot("review-edit")
    keys.press("Escape")
    expect(items.nth(1)).to_be_focused()
    keys.press("r")
    expect(items.nth(1).get_by_label("why")).to_be_focused()
    keys.type("they are two knobs")
    keys.press("Enter")
    expect(items).to_have_count(before - 1)  # the next word sends the one before
    seen.open("/wiki")  # leaving sends the last
    for _ in range(300):
        seen.open("/wiki-review")
        if items.count() == before - 2:
            break
        seen.page.wait_for_timeout(100)
    expect(items).to_have_count(before - 2)
    seen.fine()


def test_files_are_chosen_and_dropped_and_read(opener: Opener, worked: Served, tmp_path: Path) -> None:
    seen = opener(worked)
    seen.open("/sources")
    for name in ("tower", "harbour"):
        text = f"---\ntitle: On the {name}\n---\n# On the {name}\n\nThe {name} light was lit in 1871.\n"
        (tmp_path / f"{name}.md").write_text(text)
    (tmp_path / "x.exe").write_bytes(b"MZ")
    seen.page.locator("input[type=file]").set_input_files([tmp_path / "tower.md"])
    expect(seen.page.locator("#drop [role=status]")).to_contain_text("1 new")
    seen.shot("upload")
    expect(seen.page.get_by_role("link", name="On the tower")).to_be_visible()
    seen.page.wait_for_load_state()
    seen.page.evaluate(
        """text => { const data = new DataTransfer();
        data.items.add(new File([text], "harbour.md")); data.items.add(new File(["MZ"], "x.exe"));
        document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true})); }""",
        (tmp_path / "harbour.md").read_text(),
    )
    expect(seen.page.locator("#drop [role=status]")).to_contain_text("has no reader")
    seen.shot("upload-trouble")
    seen.open("/sources?q=harbour+light")
    expect(seen.page.get_by_role("link", name="On the harbour")).to_be_visible()
    assert not (worked.root / "raw" / "x.exe").exists()
    seen.fine()


def test_words_that_are_selected_are_quoted_asked_about_and_claimed(opener: Opener, worked: Served) -> None:
    [(entry,)] = rows(worked, "SELECT entry FROM documents WHERE document LIKE '%notes/survey.md'")
    seen = opener(worked, permissions=["clipboard-read", "clipboard-write"])
    seen.open(f"/sources/{entry}")

    def select() -> None:
        line = seen.page.locator("article p", has_text="northern crossing needs new paint")
        line.evaluate("e => getSelection().selectAllChildren(e)")
        expect(seen.page.locator("#pick")).to_be_visible()

    select()
    seen.shot("picked")
    seen.page.get_by_role("button", name="Copy as quote").click()
    expect(seen.page.locator("#told")).to_contain_text("Copied")
    copied = seen.page.evaluate("navigator.clipboard.readText()")
    assert "needs new paint" in copied
    assert f"/sources/{entry}?line=" in copied
    select()
    seen.page.get_by_role("button", name="Make a claim").click()
    seen.page.get_by_label("about").fill("northern crossing")
    seen.page.get_by_label("in one sentence").fill("The northern crossing was painted in 1950.")
    seen.page.get_by_role("button", name="Land it").click()
    expect(seen.page.locator("#claim [role=alert]")).to_contain_text("1950")
    seen.shot("claim-refused")
    seen.page.get_by_label("in one sentence").fill("The northern crossing needs new paint.")
    seen.page.get_by_role("button", name="Land it").click()
    seen.page.wait_for_url(re.compile("line="))
    expect(seen.page.locator(".note", has_text="The northern crossing needs new paint.").first).to_be_visible()
    seen.shot("claimed")
    select()
    seen.page.get_by_role("button", name="Ask about it").click()
    seen.page.wait_for_url(re.compile("/ask"))
    expect(seen.page.get_by_label("question")).to_have_value(re.compile("needs new paint"))
    seen.fine()


def test_a_page_as_its_sources_had_it_on_a_day(opener: Opener, worked: Served) -> None:
    seen = opener(worked)
    seen.open("/wiki/harbour-bridge")
    slider = seen.page.get_by_role("slider", name="as of")
    slider.focus()
    seen.page.keyboard.press("Home")
    expect(seen.page.locator(".asof output")).to_have_text("2004-05-06")
    assert 0 < seen.page.locator("article .later").count() < seen.page.locator("article p, article li").count()
    expect(seen.page.locator("article .later").first).to_contain_text(re.compile("129|paint|survey", re.I))
    seen.shot("as-of")
    seen.page.keyboard.press("End")
    expect(seen.page.locator("article .later")).to_have_count(0)
    seen.fine()


def test_the_graph_goes_back_in_time_by_its_slider(opener: Opener, worked: Served) -> None:
    seen = opener(worked)
    seen.open("/graph")
    expect(seen.page.locator("svg.graph a.knob").first).to_be_visible()
    seen.page.get_by_role("slider").focus()
    seen.page.keyboard.press("Home")
    seen.page.wait_for_url(re.compile("until=0"))
    expect(seen.page.locator("svg.graph a.knob")).to_have_count(0)
    seen.open("/graph?at=Bay+Ferry&to=Harbour+Bridge")
    expect(seen.page.locator("ol.trail li").nth(1)).to_be_visible()
    seen.shot("graph-path")
    seen.fine()


def test_lint_mends_with_one_click(opener: Opener, worked: Served) -> None:
    path = worked.root / "wiki" / "index.md"
    path.write_text(path.read_text("utf-8") + "\nSee also [[Harbour_Bridge]].\n", "utf-8")
    seen = opener(worked)
    seen.open("/wiki-lint")
    expect(seen.page.locator("main")).to_contain_text("Harbour_Bridge")
    seen.shot("lint")
    with seen.page.expect_navigation():
        seen.page.get_by_role("button", name="Mend what is safe").click()
    expect(seen.page.locator("main")).not_to_contain_text("Harbour_Bridge")
    seen.shot("lint-mended")
    seen.fine()


def test_a_model_words_an_answer_and_its_words_come_one_by_one(opener: Opener, worked: Served) -> None:
    seen = opener(worked)
    seen.open("/ask?q=what+do+my+notes+say+about+the+harbour+bridge%3F")
    expect(seen.page.locator(".answer")).to_contain_text("the words of your sources")
    seen.page.evaluate(
        "() => { window.came = []; new MutationObserver(() => came.push(document.querySelector('.said').textContent))"
        ".observe(document.querySelector('.answer'), {subtree: true, childList: true, characterData: true}) }"
    )
    seen.page.get_by_role("button", name="Let slow word it").click()
    expect(seen.page.locator(".said")).to_contain_text("The height of")
    seen.shot("asking")
    for pieces in range(1, 7):
        for _ in range(600):
            if len({text for text in seen.page.evaluate("window.came") if "The height of" in text}) >= pieces:
                break
            seen.page.wait_for_timeout(50)
        SHOWN.release()
    expect(seen.page.locator(".answer")).to_contain_text("worded by a model")
    came = seen.page.evaluate("window.came")
    assert len({text for text in came if "The height of" in text}) > 5, "it came in one piece"
    expect(seen.page.locator(".said")).to_contain_text("134 metres")
    expect(seen.page.locator(".said")).not_to_contain_text("Eiffel")
    seen.shot("asked")
    seen.page.locator(".said .footnote-ref a").first.click()
    expect(seen.page.locator(".footnotes li:target a")).to_be_visible()
    seen.page.get_by_role("button", name="Save as a page").click()
    expect(seen.page.locator("#told")).to_contain_text("Saved: ")
    assert rows(worked, "SELECT count(*) FROM entries WHERE kind = 'call'") == [(2,)], "saving paid again"
    seen.fine()


def test_what_a_model_costs_is_not_to_be_had_without_the_token(opener: Opener, worked: Served) -> None:
    seen = opener(worked, token=False)
    seen.open("/ask?q=how+high+is+the+harbour+bridge%3F")
    expect(seen.page.locator(".said")).to_contain_text("metres")
    expect(seen.page.get_by_role("button", name="Let slow word it")).to_have_count(0)
    answer = seen.page.request.post(seen.address + "/ask/worded", data={"question": "x"})
    assert answer.status == 401


def test_a_waiting_patch_is_read_and_judged_while_the_loop_waits(opener: Opener, tmp_path: Path) -> None:
    served = serve(make_toy(tmp_path / "toy"))
    command = [sys.executable, "-m", "memexlab", "--lab", str(served.root), "run", "--runs", "1", "--approve",
               "--streams", "1", "--hours", "1"]  # fmt: skip
    loop = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        seen = opener(served)
        seen.open("/")
        waiting = seen.page.get_by_role("region", name="Patches that wait")
        expect(waiting.locator("table.diff ins").first).to_be_visible(timeout=600_000)
        seen_through = waiting.locator("table.diff tr.edit").first.evaluate("e => getComputedStyle(e).opacity")
        assert seen_through == "1", "what changes cannot be seen"
        expect(seen.page.locator(".loop")).to_contain_text("Left: 1 of 1 idea")
        seen.shot("waiting")
        first = waiting.locator("h3").first.inner_text()
        waiting.get_by_label("why not").first.press_sequentially("too wild for tonight")
        waiting.get_by_label("why not").first.press("Enter")  # the focus is where the next patch comes
        expect(waiting.locator("h3").first).not_to_have_text(first, timeout=600_000)
        second = waiting.locator("h3").first.inner_text()
        waiting.get_by_role("button", name="Approve").first.click()
        expect(seen.page.locator("#live-latest")).to_contain_text(second, timeout=600_000)
        seen.shot("approved")
        seen.fine()
        assert loop.wait(600) == 0
    finally:
        loop.kill()
        loop.wait()
        stop(served)
