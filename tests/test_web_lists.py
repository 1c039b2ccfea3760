"""Long lists on the web: a part at a time, with a way to the rest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from memexlab import Lab
from memexlab.web.app import application
from memexlab.web.effects import _weights
from memexlab.web.wiki import _STEP

ITEMS = 450


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "lab"
    Lab.init(root, target="none")
    (root / "wiki").mkdir(exist_ok=True)
    links = "".join(f"- [Page {n}](page-{n}.md): said of {n}\n" for n in range(ITEMS))
    (root / "wiki" / "index.md").write_text(f"# Index\n\n## Few\n\n- one alone\n\n## Sources\n\n{links}")
    entries = "".join(f"## [2026-01-01] source | Page {n}\n\n`raw/{n}.md`\n\n" for n in range(ITEMS))
    (root / "wiki" / "log.md").write_text(f"# Log\n\n{entries}")
    return root


@pytest.mark.parametrize("name", ["index", "log"])
def test_every_item_of_a_long_list_is_on_exactly_one_part(root: Path, name: str) -> None:
    shown, parts, address = [], 0, f"/wiki/{name}"
    with TestClient(application(root, "t"), base_url="http://127.0.0.1") as client:
        while address:
            text = client.get(address).text
            shown += re.findall(r"Page (\d+)", text.partition("<article")[2].partition("</article>")[0])
            parts += 1
            further = re.search(r'href="(\?from=\d+)">Next', text)
            address = f"/wiki/{name}{further[1]}" if further else ""
    assert [int(number) for number in shown] == list(range(ITEMS))
    assert parts == -(-ITEMS // _STEP)


def test_sources_are_listed_with_their_claims(root: Path) -> None:
    (root / "raw").mkdir(exist_ok=True)
    (root / "raw" / "bridge.md").write_text("# Bridge\n\nThe mass of Bridge is 3 kg. The height of Bridge is 9 m.\n")
    (root / "raw" / "empty.md").write_text("# Nothing\n\nperhaps\n")
    lab = Lab(root)
    lab.ingest([root / "raw"])
    counted = dict(lab.memory.db.execute("SELECT source, count(*) FROM claims GROUP BY 1"))
    entries = [entry for (entry,) in lab.memory.db.execute("SELECT entry FROM documents")]
    lab.close()
    with TestClient(application(root, "t"), base_url="http://127.0.0.1") as client:
        text = client.get("/sources").text
    told = dict(re.findall(r'href="/sources/(\d+)">.*?<td class="n">(\d+)<i> claims', text))
    assert {int(entry): int(count) for entry, count in told.items()} == {e: counted.get(e, 0) for e in entries}
    assert len(entries) == 2
    assert max(counted.values()) > 0


def test_search_shows_the_words_around_what_was_typed(root: Path) -> None:
    (root / "raw").mkdir(exist_ok=True)
    words = "\n\n".join(f"Paragraph {n} tells of nothing in particular, at some length." for n in range(60))
    (root / "raw" / "tower.md").write_text(
        f"---\ntitle: Tower\ndate: 2020-02-03\n---\n# Tower\n\n{words}\n\nThe keepers were measuring <b>tides</b>.\n"
    )
    (root / "raw" / "jp.md").write_text("# 東京\n\n東京都の天気は晴れです。\n")
    lab = Lab(root)
    lab.ingest([root / "raw"])
    lab.log(metric=["loss=0.5"], description="tide tables", status="keep", campaign="c")
    lab.close()
    with TestClient(application(root, "t"), base_url="http://127.0.0.1") as client:
        typed = client.get("/search?json=1&q=measure+tid").json()["data"]
        shown = client.get("/search?q=measure+tid").text
        assert "<mark>東京</mark>" in client.get("/search?q=東京").text.replace("</mark><mark>", "")
        assert client.get("/search?json=1&q=tide+tab").json()["data"][0]["title"] == "#1 tide tables · keep 0.5"
        assert client.get(typed[0]["at"]).text.count("<mark") >= 1
    [hit] = [hit for hit in typed if hit["kind"] == "source"]
    assert hit["date"] == "2020-02-03"
    assert [piece for marked, piece in hit["told"] if marked] == ["measuring", "tides"]
    assert "keepers were <mark>measuring</mark> &lt;b&gt;<mark>tides</mark>&lt;/b&gt;" in shown
    line = (root / "raw" / "tower.md").read_text().split("\n").index("The keepers were measuring <b>tides</b>.") + 1
    assert re.search(r"line=(\d+)", hit["at"])[1] == str(line)  # type: ignore[index]


def test_a_page_is_found_by_what_it_says_behind_those_by_their_name(root: Path) -> None:
    (root / "wiki" / "alpha.md").write_text('---\ntitle: "The \\"Alpha\\" tower"\nupdated: 2021-01-01\n---\n# Alpha\n')
    (root / "wiki" / "beta.md").write_text("---\ntitle: Beta\ndescription: It stands beside a tower.\n---\n# Beta\n")
    with TestClient(application(root, "t"), base_url="http://127.0.0.1") as client:
        hits = client.get("/search?json=1&q=tow").json()["data"]
    assert [(hit["title"], hit["date"]) for hit in hits] == [('The "Alpha" tower', "2021-01-01"), ("Beta", "")]
    assert [True, "tower"] in hits[1]["told"]


def test_a_knob_weighs_what_its_interval_grants_before_what_was_seen() -> None:
    seen = {"knob": "wide", "gain": -0.9, "low": -2.0, "high": 0.2}
    sure = {"knob": "rate", "gain": -0.4, "low": -0.6, "high": -0.2}
    less = {"knob": "rate", "gain": 0.5, "low": 0.1, "high": 0.9}
    once = {"knob": "depth", "gain": 0.7, "low": None, "high": None}
    nothing = {"knob": "none", "gain": 0.0, "low": 0.0, "high": 0.0}
    assert _weights([seen, less, sure, once, nothing]) == [("rate", 0.2, 0.4), ("wide", 0.0, 0.9), ("depth", 0.0, 0.7)]
