"""What is read on the page: sources by chapter with claims beside their words, the graph of what the wiki knows, and
the same for programs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from memexlab import Lab
from memexlab.ledger import Draft, Ref, Run, Source
from memexlab.web.app import application
from memexlab.web.chapters import PART_LINES, parts_of
from memexlab.web.lineage import MARKS, NAMED, lineage_svg
from memexlab.web.named_pages import wiki_page_of
from memexlab.web.openapi import openapi
from memexlab.wiki.quotes import locate

TWICE = "The Harrow gate opens at nine in the morning."
NOTES = f"""# Harrow gate

{TWICE}

The Harrow gate was built in 1871 by Otto Weiß.

## What the warden says

The warden repeats it every day. {TWICE} Nobody comes earlier.
"""
OTHER = """# Mill lane

Mill lane replaced the Harrow gate in 1902. Otto Weiß drew the plans of Mill lane.
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("read") / "lab"
    Lab.init(root, target="none")
    (root / "raw").mkdir(exist_ok=True)
    (root / "raw" / "gate.md").write_bytes(NOTES.replace("\n", "\r\n").encode())
    (root / "raw" / "lane.md").write_text(OTHER, encoding="utf-8")
    lab = Lab(root)
    lab.ingest([root / "raw"])
    meta = {"metric": "loss", "better": "lower", "origin": "log"}
    [campaign] = lab.memory.land([Draft("campaign:c", Source("c", meta=meta), key="campaign:c")], "code:test")
    errors = ["worker 71 lost 3.5 GB on device 2", "worker 72 lost 4.5 GB on device 6", "", ""]
    for number, error in enumerate(errors, 1):
        body = Run("c", "crash", number, "candidate", f"idea number {number}", error=error)
        lab.memory.land([Draft(f"run:c/{number}", body, (Ref("from", campaign.id),))], "code:test")
    lab.close()
    return root


@pytest.fixture
def client(root: Path) -> Any:
    made = TestClient(application(root, "t"), base_url="http://127.0.0.1", headers={"authorization": "Bearer t"})
    with made as client:
        yield client


def entry_of(root: Path, name: str) -> int:
    lab = Lab(root)
    [(entry,)] = lab.memory.db.execute("SELECT entry FROM documents WHERE document LIKE ?", (f"%{name}",))
    lab.close()
    return int(entry)


def book(ending: str = "\n") -> str:
    """Three chapters behind printed contents; the second is longer than one part."""
    names = ("THE LANTERN", "THE LONG WAY", "HOME")
    listed = "\n\n".join(f"CHAPTER {n}.\n\n{name}.\n\nWhat happens; more of it.\n\n{9 * i}-{9 * i + 8}"
                         for i, (n, name) in enumerate(zip(("I", "II", "III"), names, strict=True)))  # fmt: skip
    bodies = [
        f"CHAPTER {n}.\n\n{name}.\n\n" + "\n\n".join(f"It was said {i} times\nthat nobody came." for i in range(size))
        for n, name, size in zip(("I", "II", "III"), names, (20, 200, 30), strict=True)
    ]
    return f"A TALE\n\nby nobody\n\nCONTENTS.\n\n{listed}\n\n".replace("\n", ending) + "\n\n".join(bodies).replace(
        "\n", ending
    )


def test_a_book_is_turned_to_by_the_names_of_its_chapters() -> None:
    lines = book().split("\n")
    parts = parts_of(lines)
    assert [part.name for part in parts] == [
        "Beginning", "CONTENTS", "CHAPTER I. THE LANTERN", "CHAPTER II. THE LONG WAY",
        "CHAPTER II. THE LONG WAY, part 2", "CHAPTER III. HOME",
    ]  # fmt: skip
    assert [part.first for part in parts[1:]] == [part.after for part in parts[:-1]]
    assert (parts[0].first, parts[-1].after) == (1, len(lines) + 1)
    assert not lines[parts[3].after - 2].strip() or not lines[parts[3].after - 1].strip()  # between paragraphs
    plain = parts_of(["words"] * (3 * PART_LINES))
    assert [part.number for part in plain] == list(range(1, len(plain) + 1))
    assert parts_of([""])[0].name == "Beginning"


def test_what_opens_a_sentence_is_no_chapter() -> None:
    text = "Chapter 3 says that\nthe lamp was out.\n\nPart of it burned.\n\nletter by letter\n\n"
    text += "Chapter 4\n\nIt rained.\n"
    assert [part.name for part in parts_of(text.split("\n"))] == ["Beginning", "Chapter 4"]


def test_words_that_stand_twice_are_found_on_the_lines_they_were_taken_from() -> None:
    first = NOTES.index(TWICE)
    places = [locate(TWICE, NOTES, lines) for lines in ((0, 0), (9, 9), (2, 2), (900, 3))]  # the last two hold it not
    assert [place and place.start for place in places] == [first, NOTES.index(TWICE, first + 1), first, first]


def test_a_claim_of_selected_words_stands_beside_them(root: Path, client: TestClient) -> None:
    entry = entry_of(root, "gate.md")
    body = {"source": "raw/gate.md", "subject": "Harrow gate", "quote": TWICE, "line": 9, "last": 9}
    told = client.post("/sources/claim", json=body | {"sentence": "The Harrow gate opens at nine."})
    assert told.status_code == 200, told.text
    page = client.get(f"/sources/{entry}").text
    ninth = page.partition('<p id="L9"')[2].partition("</p>")[0]
    assert f'<span class="q">{TWICE}' in ninth
    assert 'href="/wiki/harrow-gate">Harrow gate</a> opens at nine.' in ninth
    assert "\r" not in page
    assert "<b>Harrow gate</b>" not in page
    shown = re.findall(r'class="note" id="n(\d+)"', page)
    assert len(shown) == len(set(shown)) == len(re.findall(r'class="num" data-n="\d+"', page)) > 1


def test_a_number_no_view_can_hold_is_no_server_error(client: TestClient) -> None:
    for path in ("/sources/{}", "/api/sources/{}", "/api/runs/{}", "/runs/{}", "/sources?from={}", "/graph?until={}"):
        for number in (2**63, 10**40):
            assert client.get(path.format(number)).status_code in (200, 400, 404), path


def test_a_name_has_its_page_and_its_relations_in_the_graph(root: Path, client: TestClient) -> None:
    page = client.get("/graph?at=name~harrow+gate").text
    assert 'href="/wiki/harrow-gate">Open its page' in page
    assert "subject Harrow gate" in page  # as it is written
    assert 'href="/wiki/harrow-gate">What the wiki says of it' in client.get("/graph?at=Harrow+gate").text  # the source
    for spelt in ("Otto Weiß", "otto weiss"):
        assert "Mill lane" in client.get("/graph", params={"at": spelt}).text
    trail = client.get("/graph", params={"at": "Otto Weiss", "to": "raw/lane.md"}).text
    assert "Otto Weiß drew the plans of Mill lane.”" in trail
    assert re.search(r'href="/sources/\d+\?line=3&amp;last=3&amp;words=[^"]*">where it stands', trail)
    lab = Lab(root)
    assert wiki_page_of(lab.memory.db, root, "nobody at all") == wiki_page_of(lab.memory.db, root, "../..") == ""
    lab.close()


def test_a_kind_that_is_the_last_to_be_unticked_shows_none(client: TestClient) -> None:
    page = client.get("/graph?at=&to=&chosen=1").text
    assert "No kind is ticked." in page
    assert "checked data-submit" not in page
    assert client.get("/graph").text.count("checked data-submit") == 7
    step = re.search(r'max="(\d+)" step="(\d+)" value="(\d+)"', page)
    assert step is not None
    assert step[1] == step[3]


def test_a_failure_is_told_in_the_words_of_its_newest_run(client: TestClient) -> None:
    told = client.get("/effects?campaign=c").text.partition('id="failures"')[2]
    assert "worker 72 lost 4.5 GB on device 6 (and alike)" in told
    assert " N " not in told
    assert told.count("no message was recorded") == 1
    assert "idea number 3" in told
    assert "idea number 1" not in told


def test_programs_get_what_the_pages_show(root: Path, client: TestClient) -> None:
    entry = entry_of(root, "lane.md")
    for path, words, data in (
        ("/api/pages/harrow-gate", "# Harrow gate", {"page": "harrow-gate"}),
        (f"/api/sources/{entry}", OTHER[2:11], {"entry": entry}),
        ("/api/runs/2?campaign=c", "run 2 (idea number 2)", {"number": 2, "status": "crash"}),
        ("/api/graph?at=Harrow+gate&to=raw/lane.md", "Mill lane", {"goal": 'document "Mill lane"'}),
    ):
        told = client.get(path).json()
        assert set(told) == {"text", "data"}
        assert words in told["text"]
        assert data.items() <= told["data"].items()
    assert {one["kind"] for one in client.get("/api/graph").json()["data"]} <= {"document", "name", "author", "run"}
    for path in ("/api/pages/none", "/api/pages/..%2fmemex", "/api/sources/77", "/api/runs/99", "/wiki/none?preview=1"):
        answer = client.get(path)
        assert (answer.status_code, set(answer.json())) == (404, {"error"}), path
    assert client.get("/api/graph?to=gate").status_code == 400


def test_every_answer_of_the_api_has_a_named_shape(client: TestClient) -> None:
    described = openapi()
    assert set(described["components"]["schemas"]) == {"Answer", "Error"}
    names = []
    for path, methods in described["paths"].items():
        for method, told in methods.items():
            names.append(told["operationId"])
            error = told["responses"]["default"]["content"]["application/json"]["schema"]
            assert error == {"$ref": "#/components/schemas/Error"}, path
            for kind, content in told["responses"]["200"]["content"].items():
                assert content["schema"] == {"$ref": "#/components/schemas/Answer"} or kind == "text/event-stream"
            if method == "post":
                assert told["security"] == [{"token": []}]
                assert client.post(path, headers={"authorization": "none"}, json={}).status_code == 401, path
    assert len(names) == len(set(names))
    assert client.get("/api").text.count('class="tag"') == len(names)


def test_marks_of_a_wide_lineage_bear_their_numbers(tmp_path: Path) -> None:
    Lab.init(tmp_path / "lab", target="none")
    lab = Lab(tmp_path / "lab")
    body = Run("c", "keep", 1, "baseline", "the first", metrics={"loss": 17425.7})
    meta = {"metric": "loss", "better": "lower", "origin": "lab"}
    lab.memory.land([Draft("campaign:c", Source("c", meta=meta))], "code:test")
    [first] = lab.memory.land([Draft("run:c/1", body)], "code:test")
    lab.memory.land([
        Draft(f"run:c/{n}", Run("c", "discard", n, "candidate", f"idea {n}", metrics={"loss": 2e4}),
              (Ref("parent", first.id),)) for n in range(2, NAMED + 3)
    ], "code:test")  # fmt: skip
    drawn, _, listed = lineage_svg(lab.memory.db, "c", 1 << 60)
    lab.close()
    assert drawn.count('<text class="rest"') == MARKS + 1
    assert f">{NAMED + 1 - MARKS} more<" in drawn
    assert f'?campaign=c">○ #{NAMED + 2}</a>' in listed
    assert "17,425.7" in drawn
    assert "17,425.7" in listed
