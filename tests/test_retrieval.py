"""Documents in, ranked passages out: nothing raises, nothing is doubled, and names lead to the second document."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memexlab import Lab, cli
from memexlab.commands.init import init_lab
from memexlab.commands.search import Ingested, ingest, search
from memexlab.ledger import UsageError
from memexlab.memory.search.passages import PASSAGE_CHARS, cut, names
from memexlab.memory.search.retrieval import Graph, Searcher, Weights, asked_words

HOSTILE = [
    "", " ", "\x00", '"', '"unclosed', "*", "AND", "OR OR", "NOT x", "NEAR(a b, 99999999999)", "title:secret", "-x",
    "(((",    "^x", "{title}: x", "don't", "GB/s", "a_b", "\ud800",
    "𝒳 ﷽", "x" * 100_000, "word " * 50_000, "'; DROP TABLE runs; --",
    "%s%n", "\u202e abc", "🏳0🌈", "字" * 5_000,
]  # fmt: skip
DOCUMENTS = [
    {"id": "film", "title": "The Glass Harbour", "text": "The Glass Harbour is a 1931 film directed by Orla Venn."},
    {"id": "person", "title": "Orla Venn", "text": "Orla Venn grew up in Tessaly, the child of a miller."},
    {"id": "other", "title": "Harbour engineering", "text": "A harbour is built of stone; glass is not used in it."},
    {
        "id": "director",
        "title": "Film director",
        "text": "A director leads the making of a film. Where was cinema born?",
    },
    {"id": "tokyo", "title": "東京", "text": "東京は日本の首都である。人口は一千四百万人。"},
    {"id": "beijing", "title": "北京", "text": "北京是中华人民共和国的首都,历史悠久。"},
    {"id": "seoul", "title": "서울", "text": "서울은 대한민국의 수도이다. 한강이 흐른다."},
    {"id": "cafe", "title": "Café Müller", "text": "Café Müller opened in Wuppertal."},
]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    init_lab(tmp_path / "lab", "none")
    return Lab(tmp_path / "lab")


def take(lab: Lab, documents: list[dict[str, Any]]) -> Ingested:
    file = lab.root / "documents.jsonl"
    file.write_text("".join(json.dumps(document) + "\n" for document in documents))
    return ingest(lab.memory, "human:test", file)


def sources(lab: Lab, text: str, limit: int = 10) -> list[str]:
    return [hit.source for hit in Searcher(lab.memory.db).search(text, limit)]


def by_words(lab: Lab, text: str) -> list[str]:
    sql = "SELECT document FROM documents d JOIN passages p USING (entry) WHERE p.rowid = ?"
    return [lab.memory.db.execute(sql, (row,)).fetchone()[0] for row, _ in Searcher(lab.memory.db).by_words(text)]


def test_no_text_raises(lab: Lab) -> None:
    assert sources(lab, "anything") == []
    take(lab, DOCUMENTS)
    searcher = Searcher(lab.memory.db)
    for text in HOSTILE:
        for hit in searcher.search(text, 5):
            assert hit.score > 0
    assert searcher.search("", 5) == []


def hostile_texts(folder: Path) -> list[str]:
    """Every string of the collections of bad inputs, each file of samples also as one text."""
    found = json.loads((folder / "blns" / "blns.json").read_text())
    found += (folder / "xss" / "payloadbox.txt").read_text(errors="replace").split("\n")
    found += [json.dumps(payload) for payload in json.loads((folder / "xss" / "dompurify-payloads.json").read_text())]
    for file in [*(folder / "json").rglob("*.json"), *(folder / "samples").rglob("*")]:
        if file.is_file():
            text = file.read_bytes().decode("utf-8", errors="replace")
            found += [text, *text.split("\n")]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("step", [10, pytest.param(1, marks=pytest.mark.slow)])
def test_the_collected_bad_inputs_raise_nothing_as_query_or_document(
    lab: Lab, request: pytest.FixtureRequest, step: int
) -> None:
    folder = request.config.rootpath.parent / "shared" / "data" / "bad-inputs"
    if not folder.exists():
        pytest.skip(f"the collections of hostile strings are not at {folder}")
    every = hostile_texts(folder)
    assert len(every) > 7_000
    texts = every[::step]
    done = take(lab, [{"id": f"d{n}", "title": text[:200], "text": text} for n, text in enumerate(texts)])
    assert done.new + len(done.findings) == len(texts)
    assert all("surrogate" in finding.message for finding in done.findings)
    searcher = Searcher(lab.memory.db)
    answered = sum(bool(searcher.search(text, 5)) for text in texts)
    assert answered > len(texts) * 0.9
    assert lab.memory.index.damage() == []


def test_a_name_leads_to_the_document_that_the_words_do_not_find(lab: Lab) -> None:
    take(lab, DOCUMENTS)
    asked = "Who made The Glass Harbour?"
    assert "person" not in by_words(lab, asked)
    assert sources(lab, asked, 3)[0] == "film"
    assert "person" in sources(lab, asked, 3)


def test_accents_and_case_do_not_matter(lab: Lab) -> None:
    take(lab, DOCUMENTS)
    assert sources(lab, "CAFE MULLER")[0] == "cafe"


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("日本の首都", "tokyo"),
        ("历史", "beijing"),
        ("悠", "beijing"),
        ("久", "beijing"),
        ("대한민국의 수도", "seoul"),
        ("一千四百万人", "tokyo"),
        ("中华人民共和国", "beijing"),
    ],
)
def test_chinese_japanese_and_korean_are_found_by_pairs(lab: Lab, text: str, source: str) -> None:
    take(lab, DOCUMENTS)
    assert sources(lab, text)[0] == source


def test_question_words_are_stopped_unless_nothing_else_is_asked() -> None:
    assert asked_words("who was the king") == ['"king"']
    assert asked_words("the who") == ['"the"', '"who"']


def test_a_second_ingest_adds_nothing_and_a_change_supersedes(lab: Lab) -> None:
    assert take(lab, DOCUMENTS).new == len(DOCUMENTS)
    count = lab.memory.db.execute("SELECT count(*) FROM entries").fetchone()
    again = take(lab, DOCUMENTS)
    assert (again.new, again.changed, again.known) == (0, 0, len(DOCUMENTS))
    assert lab.memory.db.execute("SELECT count(*) FROM entries").fetchone() == count
    changed = DOCUMENTS[2] | {"text": "Piers and breakwaters."}
    assert take(lab, [changed]).changed == 1
    assert sources(lab, "breakwaters") == ["other"]
    assert "other" not in sources(lab, "stone")
    # Back to what it said first: a third entry, not the first one again.
    assert take(lab, [DOCUMENTS[2], changed, DOCUMENTS[2]]).changed == 3
    assert "other" in sources(lab, "stone")
    assert lab.memory.db.execute("SELECT count(*) FROM documents").fetchone() == (len(DOCUMENTS),)


def test_nothing_is_left_of_what_a_change_superseded(lab: Lab) -> None:
    long = {"id": "long", "title": "Tidal mills", "text": "Sluice gates turn the wheel. " * 200}
    take(lab, [*DOCUMENTS, long])
    assert lab.memory.db.execute("SELECT count(*) FROM passages").fetchone()[0] > len(DOCUMENTS) + 2
    take(lab, [long | {"title": "Windmills", "text": "Sails."}])
    db = lab.memory.db
    assert db.execute("SELECT count(*) FROM passages").fetchone() == (len(DOCUMENTS) + 1,)
    for word, count in (("sluice", 0), ("tidal", 0), ("sails", 1)):
        found = db.execute("SELECT count(*) FROM passage_words WHERE passage_words MATCH ?", (word,)).fetchone()
        assert found == (count,), word


def spread_hop_by_hop(graph: Graph, passages: Any, names: Any) -> Any:
    """Three hops as the definition has them, one after the other, over full matrices."""
    count = len(graph.names)
    onward = np.array([graph._to_names.pass_on(row, count + 1) for row in np.eye(graph.passages)])
    back = np.array([graph._to_passages.pass_on(row, graph.passages + 1) for row in np.eye(count)])
    total = passages
    for _ in range(3):
        passages, names = names @ back, passages @ onward
        total = total + passages
    return total


def test_three_passes_are_three_hops_and_nothing_is_lost_on_the_way(lab: Lab) -> None:
    take(lab, DOCUMENTS)
    graph = Searcher(lab.memory.db).graph
    random = np.random.default_rng(5)
    passages, names = random.random(graph.passages), random.random(len(graph.names))
    assert np.allclose(graph.spread(passages, names), spread_hop_by_hop(graph, passages, names))
    arrived = graph._to_names.pass_on(passages, graph.passages)
    assert np.isclose(arrived.sum(), passages.sum())


def test_the_kept_graph_is_used_until_the_passages_change_and_made_again_where_it_is_damaged(lab: Lab) -> None:
    many = [
        {"id": f"m{n}", "title": f"Mill {n}", "text": f"Mill {n} stands beside Mill {n + 1}."} for n in range(1_000)
    ]
    take(lab, many)
    asked = "What stands beside Mill 500?"
    first = Searcher(lab.memory.db).search(asked, 5)
    [kept] = (lab.root / ".memex").glob("*-graph.npz")
    made = kept.stat().st_mtime_ns
    assert Searcher(lab.memory.db).search(asked, 5) == first
    assert kept.stat().st_mtime_ns == made
    kept.write_bytes(kept.read_bytes()[:5_000])
    assert Searcher(lab.memory.db).search(asked, 5) == first
    assert kept.stat().st_mtime_ns != made
    take(lab, [many[500] | {"text": "It burned down."}])
    assert Searcher(lab.memory.db).search("burned", 5)[0].source == "m500"


def test_a_common_word_counts_where_the_rare_ones_find_too_little(lab: Lab) -> None:
    take(lab, [{"id": f"m{n}", "title": f"t{n}", "text": "A mill." if n else "A mill for paper."} for n in range(60)])
    found = sources(lab, "paper mill", 10)
    assert found[0] == "m0"
    assert len(found) == 10


def test_a_word_of_very_many_passages_is_looked_for_only_where_no_other_finds_any(lab: Lab) -> None:
    texts = ["A film." if n % 40 else "A film of stone." for n in range(1_200)]
    take(lab, [{"id": f"m{n}", "title": "", "text": text} for n, text in enumerate(texts)])
    assert set(by_words(lab, "stone film")) == {f"m{n}" for n in range(0, 1_200, 40)}
    assert len(by_words(lab, "the film")) == 100


def test_the_best_passages_give_one_hop_more(lab: Lab) -> None:
    chain = ["Glass Harbour", "Orla Venn", "Tessaly Mill", "Bram Oster", "Quill Bridge", "Anders Holm"]
    documents = [{"id": a, "title": a, "text": f"Of {a} and {b}."} for a, b in itertools.pairwise(chain)]
    take(lab, documents)
    once = Searcher(lab.memory.db, Weights(again_passages=0)).search("Glass Harbour", 10)
    twice = Searcher(lab.memory.db).search("Glass Harbour", 10)
    assert [hit.source for hit in twice][: len(once)] == [hit.source for hit in once] == chain[: len(once)]
    assert [hit.source for hit in twice] == chain[: len(once) + 1]


def test_a_name_that_very_many_passages_share_passes_nothing_on(lab: Lab) -> None:
    shared = [("Wide Sea", 101), ("Narrow Lake", 100)]
    texts = [f"It is by {name}." for name, count in shared for _ in range(count)]
    take(lab, [{"id": f"p{n}", "title": "", "text": text} for n, text in enumerate(texts)])
    graph = Searcher(lab.memory.db).graph
    for name, reached in (("wide sea", 0), ("narrow lake", 100)):
        seeds = np.zeros(len(graph.names))
        seeds[graph.names[name]] = 1.0
        assert np.count_nonzero(graph.spread(np.zeros(graph.passages), seeds)) == reached


def test_bad_lines_are_findings_and_the_good_ones_land(lab: Lab) -> None:
    file = lab.root / "mixed.jsonl"
    good = json.dumps(DOCUMENTS[0]).encode()
    bad = [
        b"{", b"[]", b'{"id": "x"}', b"\xff", b'{"id": "", "title": "", "text": ""}', b"[" * 100_000,
        b'{"id": "s", "title": "", "text": "\\ud800"}', b'{"id": true, "title": "", "text": ""}',
        b'{"id": "d", "title": "t", "text": "t", "date": 3}',
    ]  # fmt: skip
    file.write_bytes(b"\n".join([*bad, b"", good]))
    done = ingest(lab.memory, "human:test", file)
    assert done.new == 1
    assert [finding.where for finding in done.findings] == [f"{file}:{number}" for number in range(1, len(bad) + 1)]
    assert all(finding.hint for finding in done.findings)


def test_a_rebuilt_index_says_the_same(lab: Lab) -> None:
    take(lab, DOCUMENTS)
    take(lab, [DOCUMENTS[2] | {"text": "Piers."}])
    before = lab.memory.index.logical_hash()
    found = Searcher(lab.memory.db).search("harbour film", 10)
    lab.memory.index.rebuild()
    assert lab.memory.index.logical_hash() == before
    assert Searcher(lab.memory.db).search("harbour film", 10) == found


def test_what_lands_later_is_found_by_an_open_searcher(lab: Lab) -> None:
    take(lab, DOCUMENTS[:2])
    searcher = Searcher(lab.memory.db)
    assert searcher.search("breakwaters", 3) == []
    take(lab, [{"id": "new", "title": "Piers", "text": "Breakwaters."}])
    assert [hit.source for hit in searcher.search("breakwaters", 3)] == ["new"]


def test_a_lost_text_is_told_and_comes_back_with_its_blob(lab: Lab) -> None:
    take(lab, DOCUMENTS)
    before = lab.memory.index.logical_hash()
    [blob] = lab.memory.blobs.folder.glob("??/*")
    moved = blob.rename(lab.root / "aside")
    lab.memory.index.rebuild()
    assert len(lab.memory.index.damage()) == len(DOCUMENTS)
    moved.rename(blob)
    lab.memory.index.rebuild()
    assert lab.memory.index.logical_hash() == before


def test_passages_cover_the_text_and_end_at_paragraphs() -> None:
    text = "\n\n".join(f"Paragraph {number}. " + "word " * 60 for number in range(20)) + "x" * 5_000
    spans = list(cut(text))
    assert all(0 < end - start <= PASSAGE_CHARS for start, end in spans)
    assert "".join(text[start:end] for start, end in spans).replace(" ", "").replace("\n", "") == "".join(text.split())
    assert text[spans[1][0] :].startswith("Paragraph")


def test_names_are_spans_of_capitals() -> None:
    assert names("In 1931 the King of Norway met J. R. Smith's aunt. He left.") == {
        "1931",
        "king of norway",
        "j r smith",
    }


def test_the_command_line_answers_in_the_documented_shape(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    take(lab, DOCUMENTS)
    asked = lab.root / "queries.jsonl"
    asked.write_text('{"id": "q1", "query": "glass harbour"}\n{"id": 2, "query": "zzzz"}\n')
    root = ["--lab", str(lab.root)]
    assert cli.main([*root, "search", "--queries", str(asked), "-k", "2"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["id"], second) == ("q1", {"id": "2", "results": []})
    assert len(first["results"]) == 2
    best = first["results"][0]
    assert set(best) == {"source", "score", "passage", "start", "end"}
    assert best["passage"] == DOCUMENTS[0]["text"][best["start"] : best["end"]]
    assert cli.main([*root, "--json", "search", "glass harbour"]) == 0
    assert json.loads(capsys.readouterr().out)["results"][0] == best


def test_a_bad_query_file_or_count_is_an_error(lab: Lab) -> None:
    file = lab.root / "queries.jsonl"
    file.write_text("{}\n")
    with pytest.raises(UsageError, match=":1"):
        search(lab.memory, "", 10, file)
    with pytest.raises(UsageError):
        search(lab.memory, "x", 0, None)
