"""What the pages say of an answer, of a loop and its limits, of places and walls; on real labs."""

from __future__ import annotations

import json
import re
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from memexlab import Lab
from memexlab.lab.execution.owner import this_process
from memexlab.lab.loop.steering import Steering
from memexlab.ledger import Draft, Run, Source, utc_now
from memexlab.web.app import application
from memexlab.web.asking import _sentences
from memexlab.web.rendering import arrows
from memexlab.web.review import _click, _file

from .model_server import Handler, serving
from .partner_small import small_lab

NOTE = "---\ntitle: Gadget\n---\n# Gadget\n\nThe Gadget is a small machine that weighs 40 grams when it is empty.\n"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs behind walls, and a note."""
    root = tmp_path_factory.mktemp("asked") / "lab"
    Lab.init(root, target="none")
    (root / "raw" / "w.md").write_text(NOTE, encoding="utf-8")
    opened = Lab(root)
    opened.ingest([root / "raw"])
    meta = {"metric": "loss", "better": "lower", "origin": "lab"}
    opened.memory.land([Draft("campaign:c", Source("c", meta=meta))], "code:test")
    runs = [
        Run("c", "keep", n, "candidate", f"lr {n} -> {n + 1}", metrics={"loss": 9.0 - n}, isolation="bwrap")
        for n in (1, 2, 3)
    ]
    opened.memory.land([Draft(f"run:c/{run.number}", run) for run in runs], "code:test")
    opened.close()
    return root


def browser(root: Path) -> TestClient:
    headers = {"authorization": "Bearer t"}
    return TestClient(application(root, "t"), base_url="http://127.0.0.1:8765", headers=headers)


def test_an_answer_leads_to_its_runs_and_to_its_words(lab: Path) -> None:
    with browser(lab) as client:
        runs = client.get("/ask", params={"q": "what is the best run?"}).text
        words = client.get("/ask", params={"q": "what does the gadget weigh?"}).text
    assert '<a href="/runs/3?campaign=c">run 3</a>' in runs
    assert "counted in the ledger" in runs
    assert '<a href="#e1">1</a>' in words
    assert 'id="e1"' in words
    assert "word it" not in words  # no model is set


def test_a_model_is_asked_by_a_post_alone_and_without_one_it_says_so(lab: Path) -> None:
    with browser(lab) as client:
        assert client.get("/ask/worded").status_code == 405
        assert client.post("/ask/worded", json=[]).status_code == 400
        assert client.post("/ask/worded", json={"question": "x"}, headers={"authorization": ""}).status_code == 401
        answer = client.post("/ask/worded?part=1", json={"question": "what does the gadget weigh?"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    [event, data] = answer.text.strip().split("\n")
    assert event == "event: answer"
    assert "no model is set" in json.loads(data.removeprefix("data: "))


@pytest.mark.parametrize(
    ("reply", "shown"),
    [('{"sentences": [{"text": "The bri', "The bri"),
     ('{"sentences": [{"text": "a \\"b\\".", "cites": ["1"]}, {"te', 'a "b".'),
     ('{"sen', ""), ("Plain words", "Plain words"), ('{"x": [{"text": "a"}, {"text": "b\\', "a\nb"), ("", "")],
)  # fmt: skip
def test_what_a_reply_says_is_read_before_it_is_whole(reply: str, shown: str) -> None:
    assert _sentences(reply) == shown


def test_what_is_left_to_a_loop_is_told(lab: Path) -> None:
    steering = Steering(lab / ".memex")
    since = (utc_now() - timedelta(minutes=6)).isoformat()
    told: dict[str, object] = {"owner": this_process(), "campaign": "c", "candidates": 3, "paused": False}
    with browser(lab) as client:
        for limits, words in (
            (
                {"runs": 5, "hours": 1.0, "usd": 2.0},
                r"Left: 2 of 5 ideas, 5[34] min.* of 1 h, \$2\.00 of \$2\.00\.",
            ),
            ({"runs": 5, "hours": None, "usd": None}, r"Left: 2 of 5 ideas, about 4 min( \d+ s)?\."),
            ({"runs": None, "hours": None, "usd": None}, "No limit is set"),
        ):
            steering = Steering(lab / ".memex")  # it speaks once in a few seconds
            steering.beat(**told, since=since, limits=limits)
            assert re.search(words, client.get("/").text)


def test_walls_are_told_in_words_and_an_arrow_is_one(lab: Path) -> None:
    with browser(lab) as client:
        page = client.get("/runs/2").text
    assert "no network, no files of yours" in page
    assert "lr 2\N{NO-BREAK SPACE}→ 3" in page
    assert arrows("a->b") == "a->b"


def test_a_source_opens_from_the_list_and_at_a_line(lab: Path) -> None:
    with browser(lab) as client:
        [entry] = {int(part.split('"')[0]) for part in client.get("/sources").text.split('href="/sources/')[1:]}
        places = ("", "?line=6&last=6", "?line=6&last=6&words=Gadget is")
        plain, marked, words = (client.get(f"/sources/{entry}{at}") for at in places)
    assert plain.status_code == 200
    assert "<mark" not in plain.text
    assert '<mark id="words">The Gadget is' in marked.text
    assert re.search(r'>The (?:</span>)?<mark id="words">Gadget is</mark>', words.text)


def test_people_have_a_place_where_there_are_some(lab: Path, tmp_path: Path) -> None:
    lab = Path(shutil.copytree(lab, tmp_path / "lab"))
    with browser(lab) as client:
        assert 'href="/partner"' not in client.get("/").text
        (lab / "letters").mkdir()
        (lab / "letters" / "a.md").write_text("---\nauthor: Ada King\ndate: 1843-07-01\n---\n# Letter\n\nI think.\n")
        opened = Lab(lab)
        opened.ingest([lab / "letters"], person="Ada King")
        opened.close()
        assert 'href="/partner"' in client.get("/").text
        assert "Ada King" in client.get("/partner").text


def test_findings_lead_to_what_their_hints_say() -> None:
    assert _click('memex ask "what is PEP 8?"') == "/ask?q=what%20is%20PEP%208%3F"
    assert _click('memex search "x y"') == "/search?q=x%20y"
    assert _click("look at wiki/pep-513.md") == "/wiki/pep-513"
    assert _click("memex lint --fix") == ""
    assert _file("wiki/a b.md:3") == "/wiki/a%20b"
    assert _file("wiki") == _file("raw/x.md") == ""


def test_somebody_whose_corpus_is_there_may_be_asked(lab: Path, tmp_path: Path) -> None:
    with browser(lab) as client:
        assert "who answers" not in client.get("/ask").text
    Lab.init(tmp_path / "lab", target="none")
    small_lab(tmp_path / "lab").close()
    asked = {"voice": "mary-harbour", "q": "What shapes the harbour, the tide or the storm?"}
    with browser(tmp_path / "lab") as client:
        form = client.get("/ask").text
        while "are being read" in (page := client.get("/ask", params=asked | {"part": "1"}).text):
            pass
        absent = client.get("/ask", params=asked | {"part": "1", "q": "How does DNA encode proteins?"}).text
        no_year = client.get("/ask", params=asked | {"part": "1", "as_of": "18x"}).text
        links = re.findall(r'href="(/sources/[^"]+)">tides', page)
        read = client.get(links[0].replace("&amp;", "&")).text
    assert '<option value="mary-harbour">the words of Mary Harbour</option>' in form
    assert "every slow tide shapes the harbour more than any storm" in page
    assert "A model of published words, not of the person" in page
    assert re.search(r"<mark[^>]*>.*every slow tide", read)
    assert "Not in this corpus" in absent
    assert "is no date" in no_year


def _words_two(handler: Handler) -> None:
    said = [{"text": "Tides do.", "mark": "derived", "quotes": ["Q1"]}, {"text": "She", "mark": "beyond", "quotes": []}]
    reply = json.dumps({"sentences": said})
    handler.head(200, "text/event-stream")
    for start in range(0, len(reply), 6):
        handler.event(reply[start : start + 6])
    handler.event("", "stop")
    handler.raw(b"data: [DONE]\n\n")


def test_a_model_words_what_somebody_wrote_and_each_sentence_says_what_it_is(tmp_path: Path) -> None:
    Lab.init(tmp_path / "lab", target="none")
    small_lab(tmp_path / "lab").close()
    with serving(_words_two) as model:
        with (tmp_path / "lab" / "memex.toml").open("a") as toml:
            toml.write(f'\n[model]\ndial = "endpoint"\nname = "slow"\nbase_url = "{model.url}"\n')
        with browser(tmp_path / "lab") as client:
            asked = {"question": "What shapes the harbour, the tide or the storm?", "voice": "mary-harbour"}
            *words, answer, _ = client.post("/ask/worded?part=1", json=asked).text.split("\n\n")
    assert all(event.startswith("event: words") for event in words)
    assert any("Tides do." in event for event in words)
    html = json.loads(answer.partition("data: ")[2])
    assert re.search(r'Tides do\. <span class="tag">derived</span><small><a href="/sources/\d+\?', html)
    assert re.search(r'She <span class="tag">beyond</span><small></small>', html)
