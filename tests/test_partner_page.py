"""The page of a person: one file, nothing loaded, words in place, markup never from a text; in a real browser too."""

from __future__ import annotations

import base64
import json
import re
import time
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from httpx import Response
from starlette.testclient import TestClient

from memexlab.commands.perspective import page_of, portray
from memexlab.ledger import Draft, Source
from memexlab.memory import Memory
from memexlab.partner.corpus import open_corpus, take_in
from memexlab.partner.page import index, policy, terms
from memexlab.partner.proposing import admit, lines_about_a_person
from memexlab.web.app import application

from .partner_small import FILES, OTHER, PERSON, small_lab

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    found = small_lab(tmp_path)
    yield found
    found.close()


class Blobs(HTMLParser):
    """The packed texts of a page, opened."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[bytes] = []
        self._packed = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._packed = tag == "script" and ("type", "text/plain") in attrs

    def handle_data(self, data: str) -> None:
        if self._packed:
            self.found.append(zlib.decompress(base64.b64decode(data)))
            self._packed = False


def told(page: str) -> dict[str, Any]:
    return dict(json.loads(Blobs(page).found[-3]))


def test_the_page_holds_the_texts_and_the_place_of_every_quote(memory: Memory) -> None:
    _, page = page_of(memory, PERSON)
    blobs, sources = Blobs(page).found, told(page)["sources"]
    assert "A model of published words, not of the person." in page
    texts = {source["entry"]: blobs[source["part"]].decode() for source in sources}
    assert sorted(texts.values()) == sorted(FILES[name][2] for name in ("tides.txt", "letter-1860.txt", "late.txt"))
    places = re.findall(r'<p>([^<]*)</p><cite><a class="q" href="#q=S(\d+):(\d+)-(\d+)"', page)
    assert places
    for words, entry, start, end in places:
        assert " ".join(texts[int(entry)][int(start) : int(end)].split()) == words.replace("&#39;", "'").replace(
            "&#34;", '"'
        )


def test_nothing_is_loaded_and_the_same_corpus_gives_the_same_page(memory: Memory) -> None:
    _, page = page_of(memory, PERSON)
    assert page == page_of(memory, PERSON)[1]
    assert not re.search(
        r"<(?:link|img|iframe)\b|\bsrc=|@import|url\(|https?://(?!www\.w3\.org)", page.split("<script")[0]
    )
    assert "fetch(" not in page
    assert "XMLHttpRequest" not in page


def test_text_of_a_source_is_never_markup(memory: Memory, tmp_path: Path) -> None:
    evil = "I believe that </script><script>alert(1)</script> and <img src=x onerror=alert(2)> shape the harbour.\n"
    (tmp_path / "evil.txt").write_text(evil * 2)
    take_in(memory, tmp_path, [tmp_path / "evil.txt"], "Eve </title><b>", "human:ada")
    _, page = page_of(memory, "Eve </title><b>")
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "</title><b>" not in page


def test_as_of_a_year_later_words_are_not_in_the_file(memory: Memory) -> None:
    _, page = page_of(memory, PERSON, 1860)
    everything = page + " ".join(blob.decode("latin-1") for blob in Blobs(page).found)
    assert "as of 1860" in page
    assert "oysters" in everything
    assert "ighthouse" not in everything


def test_the_index_finds_every_passage_of_every_word(memory: Memory) -> None:
    texts = [text.text for text in open_corpus(memory, PERSON).texts]
    names, packed = index(texts)
    words, at = names.decode().split("\n"), 0
    found: dict[str, list[int]] = {}

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte, at = packed[at], at + 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    for word in words:
        count, last = number(), 0
        found[word] = [last := last + number() for _ in range(count)]
    assert at == len(packed)
    assert words == sorted(words)
    assert set(words) == {term for text in texts for term in terms(text)}
    assert found["tide"] == [0, 1]


def test_two_people_and_my_notes_can_be_compared(memory: Memory) -> None:
    root = memory.folder.parent
    done = portray(memory, root, "harbour", root / "page.html", None, OTHER)
    assert done.bytes == (root / "page.html").stat().st_size
    assert f"Beside {OTHER}" in (root / "page.html").read_text()
    assert "Beside your notes" in page_of(memory, PERSON, None, "notes")[1]


def made(client: TestClient, path: str) -> Response:
    """The page of a person when it is made; each part that comes before says how far it is."""
    while "is being made" in (answer := client.get(path)).text:
        assert re.search(r"Opening the corpus|Reading \d of \d|Comparing|Writing the page", answer.text)
        time.sleep(0.05)
    return answer


def test_the_server_shows_the_page_under_its_own_policy(memory: Memory) -> None:
    root = memory.folder.parent
    with TestClient(application(root, "token"), base_url="http://localhost") as client:
        assert 'href="/partner/mary-harbour"' in client.get("/partner").text
        first = client.get("/partner/mary-harbour")
        assert "is being made" in first.text
        assert 'data-behind="' in first.text  # the page asks again by itself
        answer = made(client, "/partner/mary-harbour")
        assert answer.text == page_of(memory, PERSON)[1]
        assert answer.headers["content-security-policy"] == policy()
        assert "unsafe-inline" not in policy().split("style-src-attr")[0]
        assert client.get("/partner/nobody").status_code == 404
        assert client.get("/partner/mary-harbour?as_of=18").status_code == 400
        assert client.get("/partner/mary-harbour?against=nobody").status_code == 404
    with TestClient(application(root, "token"), base_url="http://localhost") as client:
        assert client.get("/partner/mary-harbour").text == answer.text  # it is kept


@pytest.mark.slow
def test_a_page_beside_others_as_of_a_year_and_again_when_something_was_taken_in(memory: Memory) -> None:
    with TestClient(application(memory.folder.parent, "token"), base_url="http://localhost") as client:
        assert "Beside Tom Quay" in made(client, "/partner/mary-harbour?against=tom-quay").text
        assert "Beside your notes" in made(client, "/partner/mary-harbour?against=notes&as_of=").text
        early = made(client, "/partner/mary-harbour?as_of=1855&against=").text
        assert "every slow tide shapes" in early
        assert "slow tide shapes a harbour more than storms do" not in early
        memory.land([Draft("campaign:c", Source("c", meta={"metric": "m", "better": "lower"}))], "code:test")
        assert "is being made" in client.get("/partner/mary-harbour?as_of=1855&against=").text
        assert made(client, "/partner/mary-harbour?as_of=1855&against=").text == early
        assert len(list((memory.folder / "people").iterdir())) == 3  # the older one is gone


@pytest.mark.slow
def test_in_a_browser_two_clicks_lead_to_the_words_and_search_and_review_work(
    browser: Browser, memory: Memory, tmp_path: Path
) -> None:
    (tmp_path / "page.html").write_text(page_of(memory, PERSON)[1], encoding="utf-8")
    with browser.new_context(viewport={"width": 390, "height": 844}) as context:
        page = context.new_page()
        asked: list[str] = []
        wrong: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto((tmp_path / "page.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        quoted = page.locator("a.q >> visible=true").first
        words = quoted.evaluate("link => link.closest('.st, blockquote').querySelector('.words, p').textContent")
        quoted.click()
        page.wait_for_selector("#reader mark")
        assert " ".join(page.inner_text("#reader mark").split()) in " ".join(words.split())
        assert page.url.partition("#")[2].startswith("q=S")
        page.click("#reader-close")
        page.fill("#ask", "record of each wint")
        page.wait_for_selector("#hits mark")
        page.click("#hits a")
        page.wait_for_selector("#reader mark")
        assert (
            page.inner_text("#reader mark").strip().startswith("The mud keeps a record of each winter \U0001f600 for")
        )
        page.click("#reader-close")
        page.fill("#ask", "harbour")
        for choose, shown in (
            (("#f-kind", "letter"), {"letter-1860"}), (("#f-kind", ""), {"letter-1860", "tides"}),
        ):  # fmt: skip
            page.select_option(*choose)
            page.wait_for_function(f"document.querySelectorAll('#hits li').length === {len(shown)}")
            assert {one.split(",")[0] for one in page.locator("#hits cite").all_inner_texts()} == shown
        page.fill("#f-to", "1855")
        page.wait_for_function("document.querySelectorAll('#hits li').length === 1")
        assert page.inner_text("#hits cite").startswith("tides, 1851")
        page.select_option("#f-voice", "own")
        page.wait_for_function("document.querySelectorAll('#hits li').length === 1")
        page.fill("#ask", "blockchain")
        page.wait_for_function("document.querySelector('#told').textContent.startsWith('not in this corpus')")
        page.click("#reviewing")
        page.keyboard.press("a")
        page.reload()
        assert "1 accepted" in page.inner_text("#judged")
        page.locator("#save-review").scroll_into_view_if_needed()
        with page.expect_download() as saving:
            page.click("#save-review")
        lines = lines_about_a_person(Path(saving.value.path()))
        assert lines is not None
        assert admit(memory, lines, "human:ada").landed == {"verdict": 1}
        assert wrong == []
        assert {url.partition("#")[0] for url in asked} == {(tmp_path / "page.html").as_uri()}
