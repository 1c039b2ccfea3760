"""An agent's drafts through the gates, and questions to sources: quoted, dated, filed, drawn."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from memexlab.api import Lab
from memexlab.cli import main
from memexlab.commands.ask_sources import Sourced
from memexlab.tokens import count_tokens
from memexlab.wiki.compiling import wiki_of
from memexlab.wiki.landing import land_drafts
from memexlab.wiki.lint import lint
from memexlab.wiki.value_questions import held_at

from .test_wiki_model import BRIDGE, DONE, FERRY, GOOD, lab_with, pages


def landed(lab: Lab, lines: list[Any]) -> Any:
    file = lab.root / "drafts.jsonl"
    file.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return lab.land(file)


def page_of(lab: Lab, name: str) -> str:
    return (lab.root / "wiki" / f"{name}.md").read_text()


def asked(lab: Lab, question: str, **options: Any) -> Sourced:
    found = lab.ask(question, **options)
    assert isinstance(found, Sourced)
    return found


def test_good_lines_land_though_others_fail_and_each_refusal_names_its_line_and_remedy(tmp_path: Path) -> None:
    lab = lab_with(tmp_path, {"bridge.md": BRIDGE, "ferry.md": FERRY})
    bad = GOOD | {"source": "raw/bridge.md", "quote": "rises 200 metres over the river"}
    lines = [GOOD | {"source": "raw/bridge.md"}, bad, "{no json", {"source": "raw/none.md"},
             DONE | {"source": "raw/bridge.md"}, [1], {"page": "no", "section": "What", "sentences": []}]  # fmt: skip
    done = landed(lab, lines)
    assert (done.landed.claims, done.exit_code) == (2, 1)
    told = {finding.where: finding for finding in done.landed.findings}
    assert set(told) == {f"drafts.jsonl:{n}" for n in (2, 3, 4, 6, 7)}
    assert "this quote is not in raw/bridge.md" in told["drafts.jsonl:2"].message
    assert all(finding.hint for finding in done.landed.findings)
    assert "**Height:** 134 metres" in (lab.root / "wiki" / "kestrel-bridge.md").read_text()
    before, entries = pages(lab), lab.memory.db.execute("SELECT count(*) FROM entries").fetchone()
    again = landed(lab, lines)
    assert (again.landed.claims, again.landed.known) == (0, 2)
    assert (pages(lab), lab.memory.db.execute("SELECT count(*) FROM entries").fetchone()) == (before, entries)
    lab.close()


def test_the_work_order_names_sources_and_questions_and_its_answer_lands(tmp_path: Path) -> None:
    lab = lab_with(tmp_path, {"bridge.md": BRIDGE})
    landed(lab, [GOOD | {"source": "raw/bridge.md"}, DONE | {"source": "raw/bridge.md"}])
    order = str(lab.ingest([lab.root / "raw"], brief=True))
    assert "memex land FILE" in order
    assert "- raw/bridge.md" in order
    assert f"({len(BRIDGE)} characters, 2 claims)" in order
    assert "section Facts" not in order  # values need no words
    [claim] = re.findall(r"\*\*Height:.* \^(c[0-9a-f]{10})", page_of(lab, "kestrel-bridge"))
    answer = {
        "page": "kestrel-bridge",
        "section": "Facts",
        "sentences": [{"text": "It rises 134 metres.", "cites": [claim]}],
    }
    done = landed(lab, [answer])
    assert (done.landed.answers, done.exit_code) == (1, 0), done
    assert re.search(r"(?m)^It rises 134 metres\.\[\^\d\]$", page_of(lab, "kestrel-bridge"))
    assert landed(lab, [answer]).landed.answers == 0
    lab.close()


LAMP = """# Lamp

Author: Ada Lovelace

Lamp is a light for every desk in the house. Ada Lovelace said that oil is dear. A lamp burns oil for six hours.
The glass of a lamp is blown by hand. A wick is trimmed on each evening. Every lamp hangs from a hook.
"""


def says(sentence: str, quote: str, subject: str = "Lamp") -> dict[str, str]:
    return {"source": "raw/lamp.md", "subject": subject, "sentence": sentence, "quote": quote, "relation": "says"}


OIL = says("A lamp burns oil for six hours.", "A lamp burns oil for six hours.")
GLASS = says("The glass of a lamp is blown by hand.", "The glass of a lamp is blown by hand.")
WICK = says("A wick of a lamp is trimmed on each evening.", "A wick is trimmed on each evening.")


def worded(lab: Lab, *texts: str) -> dict[str, Any]:
    """An answer to what is said of the lamp, each sentence with the claim of the same words."""
    page = page_of(lab, "lamp")
    cites = [re.findall(rf"{re.escape(text)}.* \^(c[0-9a-f]{{10}})", page)[0] for text in texts]
    section = re.findall(r"(?m)^## (What .*says?.*)$", page)[0]
    told = [{"text": text, "cites": [one]} for text, one in zip(texts, cites, strict=True)]
    return {"page": "lamp", "section": section, "sentences": told}


def test_an_answer_is_kept_and_marked_until_it_is_worded_from_all_that_is_known(tmp_path: Path) -> None:
    lab = lab_with(tmp_path, {"lamp.md": LAMP})
    landed(lab, [OIL, GLASS])
    answer = worded(lab, str(OIL["sentence"]))
    assert (landed(lab, [answer]).landed.answers, lab.land(tmp_path / "drafts.jsonl").landed.again) == (1, ())
    assert "Worded before" not in page_of(lab, "lamp")
    done = landed(lab, [WICK])
    assert done.landed.again == (f"lamp, {answer['section']}",)
    assert f"shown until worded again: lamp, {answer['section']}" in str(done)
    assert re.search(r"(?m)^A lamp burns oil for six hours\.\[\^\d\]$", page_of(lab, "lamp"))
    assert re.search(r"(?m)^\*Worded before 1 of these \d claims was known\.\*$", page_of(lab, "lamp"))
    assert "(its answer was worded before 1 of them)" in str(lab.ingest([lab.root / "raw"], brief=True))
    assert not [f for f in lint(lab.memory, lab.root).findings if f.severity == "error"]
    again = worded(lab, str(GLASS["sentence"]))
    assert landed(lab, [again]).landed.again == ()
    assert "Worded before" not in page_of(lab, "lamp")
    assert re.search(r"(?m)^The glass of a lamp is blown by hand\.\[\^\d\]$", page_of(lab, "lamp"))
    (lab.root / "raw" / "lamp.md").write_text(LAMP.replace("blown", "pressed"))
    lab.ingest([lab.root / "raw"])
    assert not re.search(r"(?m)^The glass of", page_of(lab, "lamp"))
    lab.close()


def test_of_two_answers_the_one_that_cites_more_stands_first_and_the_other_beside_it(tmp_path: Path) -> None:
    lab = lab_with(tmp_path, {"lamp.md": LAMP})
    landed(lab, [OIL, GLASS, WICK])
    short, long = worded(lab, str(GLASS["sentence"])), worded(lab, str(OIL["sentence"]), str(WICK["sentence"]))
    land_drafts(lab.memory, lab.root, [("one", short)], "agent:ada")
    done = land_drafts(lab.memory, lab.root, [("two", long)], "agent:bo")
    page = page_of(lab, "lamp")
    assert (done.answers, done.unseen) == (1, ())
    first, _, other = page.partition("> [!note] agent:ada answers otherwise: scope differs")
    assert re.search(r"(?m)^A wick of a lamp is trimmed on each evening\.\[\^\d\]$", first)
    assert re.match(r"\n> - The glass of a lamp is blown by hand\.\[\^\d\]\n", other)
    assert not [f for f in lint(lab.memory, lab.root).findings if f.severity == "error"]
    lab.sync()
    assert page_of(lab, "lamp") == page
    lab.close()


def test_an_answer_shows_though_a_rule_and_an_agent_made_the_same_claim(tmp_path: Path) -> None:
    lab = lab_with(tmp_path, {"lamp.md": LAMP})
    before = re.findall(r"\^(c[0-9a-f]{10})", page_of(lab, "lamp"))
    found = [s for s in wiki_of(lab.memory, lab.root).about["lamp"] if s.relation in ("is", "summary", "says")]
    twice = [says(s.text, s.quotes[0].text) | {"relation": s.relation} for s in found]
    assert twice
    landed(lab, [*twice, OIL, GLASS])
    assert set(before) <= set(re.findall(r"\^(c[0-9a-f]{10})", page_of(lab, "lamp")))
    done = landed(lab, [worded(lab, str(OIL["sentence"]))])
    assert (done.landed.answers, done.landed.unseen) == (1, ())
    assert re.search(r"(?m)^A lamp burns oil for six hours\.\[\^\d\]$", page_of(lab, "lamp"))
    lab.close()


def test_what_is_said_of_a_person_stands_on_the_page_of_the_person(tmp_path: Path) -> None:
    schema = (
        "## source\n### In short\nfrom: is\n## concept\n### In short\nfrom: is\n## person\n### Works\nfrom: works\n"
    )
    words = "Ada Lovelace said that oil is dear."
    by = "---\nauthor: Ada Lovelace\n---\n\n"
    for name, own in (("given", ""), ("without", schema)):
        lab = lab_with(
            tmp_path / name, {"lamp.md": by + LAMP, "wick.md": f"{by}# Wick\n\nA Wick is a thread that burns.\n"}
        )
        if own:
            (lab.root / "schema.md").write_text(own)
        done = landed(lab, [says(words, words, "Ada Lovelace"), GLASS | {"relation": "making"}])
        assert (done.landed.claims, done.landed.unseen) == (2, ())
        page = page_of(lab, "ada-lovelace")
        assert "type: person" in page
        assert re.search(r"## What sources say\n\n- Ada Lovelace said that oil is dear\.", page)
        assert "The glass of a lamp is blown by hand." in page_of(lab, "lamp")  # neither a section nor a value
        lab.close()


def test_the_same_words_twice_are_a_warning_and_no_refusal(tmp_path: Path) -> None:
    lab = lab_with(tmp_path, {"lamp.md": LAMP})
    lines = [says("Every lamp hangs.", "Every lamp hangs"), says("For six hours a lamp burns oil.", str(OIL["quote"]))]
    done = landed(lab, lines)
    assert (done.landed.claims, done.exit_code) == (2, 0)
    [warning] = done.landed.warnings
    assert (warning.where, warning.rule) == ("drafts.jsonl:2", "draft-twice")
    assert "already: 'A lamp burns oil for six hours.'" in str(done)
    assert landed(lab, lines).landed.warnings == ()
    first = says("Ada Lovelace is author of Lamp.", "Author: Ada Lovelace")
    field = landed(lab, [first, says("The author is Ada Lovelace.", "Ada Lovelace")])
    assert [one.where for one in field.landed.warnings] == ["drafts.jsonl:2"]
    sponsor = landed(lab, [says("The sponsor of the lamp is Ada Lovelace.", "Ada Lovelace")])
    assert "the field 'Author' does not say 'sponsor'" in str(sponsor)
    lab.close()


def test_the_work_order_keeps_its_budget_and_says_what_is_left_out(tmp_path: Path) -> None:
    lab = lab_with(tmp_path, {f"n{n}.md": f"# Note {n} of many\n\nSomething is written here.\n" for n in range(80)})
    order = str(lab.ingest([lab.root / "raw"], brief=True, tokens=900))
    assert count_tokens(order) <= 900
    assert re.search(r"\d+ more do not fit: --tokens 1800", order)
    lab.close()


def test_an_answer_from_sources_cites_lines_that_hold_its_words(tmp_path: Path) -> None:
    accents = "# Café Zürich\n\nÀ côté du café se trouve la maison bleue, dit-on.\n\nThe Café sells 40 éclairs a day.\n"
    lab = lab_with(tmp_path, {"bridge.md": BRIDGE, "ferry.md": FERRY, "cafe.md": accents})
    for question, words in (
        ("How high does Kestrel Bridge rise over the river?", "rises 134 metres over the river"),
        ("how many éclairs does the Café sell a day", "The Café sells 40 éclairs a day."),
        ("when did traffic double after the toll ended", "Traffic doubled after the toll ended in 1961."),
    ):
        found = asked(lab, question)
        assert found.answer.confidence == "passages"
        assert words in found.pieces[0].quote
        for piece in found.pieces:
            lines = (lab.root / piece.source).read_text().splitlines()[piece.first_line - 1 : piece.last_line]
            assert piece.quote in " ".join(" ".join(lines).split())
            assert f"{piece.source}#L{piece.first_line}" in str(found)
    assert asked(lab, "who won the war of the roses").answer.confidence == "none"
    assert asked(lab, "?!").pieces == ()
    lab.close()


def test_as_of_leaves_out_what_was_not_yet_said_or_held_no_more(tmp_path: Path) -> None:
    notes = {f"y{year}.md": f"---\ndate: {year}-03-01\n---\n\n# Toll {year}\n\n"
             f"The toll of Kestrel Bridge is {fee} cents.\n"
             for year, fee in ((2015, 30), (2019, 50), (2022, 70))}  # fmt: skip
    lab = lab_with(tmp_path, notes)
    question = "What is the toll of Kestrel Bridge?"
    for as_of, fees in (("2016", {"30"}), ("2019", {"30", "50"}), ("2019-02", {"30"}), ("2030", {"30", "50", "70"})):
        told = {
            fee for piece in asked(lab, question, as_of=as_of).pieces for fee in re.findall(r"(\d+) cents", piece.quote)
        }
        assert told == fees, as_of
    lab.close()


@pytest.mark.parametrize(
    ("as_of", "since", "until", "held"),
    [
        ("2019", "2019-05-01", None, True), ("2019", "2020", None, False), ("2019", "2018-01", "2018-12-31", False),
        ("2019", "2018", "2019-01-01", True), ("2019-02", "2019-03-01", None, False), ("2019-05", "2019", None, True),
        (None, "2050", "1900", True), ("2019", None, None, True),
    ],
)  # fmt: skip
def test_a_year_a_month_and_a_day_compare(as_of: str | None, since: str | None, until: str | None, held: bool) -> None:
    assert held_at(as_of, since, until) is held


def test_a_saved_answer_is_a_page_that_stands_and_falls_with_its_sources(tmp_path: Path) -> None:
    lab = lab_with(tmp_path, {"bridge.md": BRIDGE, "ferry.md": FERRY})
    before = pages(lab)
    question = "How high does Kestrel Bridge rise over the river?"
    [name] = asked(lab, question, save=True).files
    page = (lab.root / name).read_text()
    assert page.startswith(f'---\ntype: question\ntitle: "{question}"\n')
    assert "rises 134 metres over the river" in page
    assert "(../raw/bridge.md#L3)" in page
    assert f"[[{Path(name).stem}|{question}]]" in (lab.root / "wiki" / "index.md").read_text()
    shown, entries = pages(lab), lab.memory.db.execute("SELECT count(*) FROM entries").fetchone()
    asked(lab, question, save=True)
    lab.ingest([lab.root / "raw"])
    assert (pages(lab), lab.memory.db.execute("SELECT count(*) FROM entries").fetchone()) == (shown, entries)
    (lab.root / "raw" / "bridge.md").rename(lab.root / "bridge.md")
    lab.ingest([lab.root / "raw"])
    assert not (lab.root / name).exists()
    (lab.root / "bridge.md").rename(lab.root / "raw" / "bridge.md")
    lab.ingest([lab.root / "raw"])
    assert pages(lab) == shown
    assert set(shown) - set(before) == {Path(name).name}
    lab.close()


def test_a_model_words_the_answer_and_the_gate_drops_what_no_evidence_bears(tmp_path: Path) -> None:
    lab = lab_with(tmp_path, {"bridge.md": BRIDGE})
    (tmp_path / "memex.toml").write_text('[model]\ndial = "scripted"\nfile = "replies.jsonl"\n')
    said = {"sentences": [{"text": "Kestrel Bridge rises 134 metres.", "cites": ["1"]},
                          {"text": "It rises 900 metres.", "cites": ["1"]}]}  # fmt: skip
    (tmp_path / "replies.jsonl").write_text((json.dumps({"reply": json.dumps(said)}) + "\n") * 2)
    found = asked(lab, "How high does Kestrel Bridge rise over the river?", model="")
    assert (found.answer.confidence, found.answer.text) == ("worded", "Kestrel Bridge rises 134 metres. [1]")
    assert "1 sentences dropped" in found.note
    lab.close()


def test_every_form_is_written_and_holds_what_claims_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notes = {f"{name}.md": f"# {name} Bridge\n\nThe height of {name} Bridge is {high} metres.\n"
             for name, high in (("Kestrel", 134), ("Heron", 88), ("Wren", 21))}  # fmt: skip
    lab = lab_with(tmp_path, notes)
    lab.close()
    for form, suffix in (("marp", ".marp.md"), ("table", ".csv"), ("canvas", ".canvas")):
        assert main(["ask", "height of each Bridge", "--to", form, "--lab", str(tmp_path)]) == 0
        assert f"written: reports/height-of-each-bridge{suffix}" in capsys.readouterr().out
    deck = (tmp_path / "reports" / "height-of-each-bridge.marp.md").read_text()
    assert deck.startswith("---\nmarp: true\n")
    assert deck.count("\n---\n") >= 4
    assert "raw/Kestrel.md#L3" in deck
    table = (tmp_path / "reports" / "height-of-each-bridge.csv").read_text().splitlines()
    assert table[0] == "subject,relation,value,since,source"
    assert "Heron Bridge,height,88 metres,,raw/Heron.md#L3" in table
    canvas = json.loads((tmp_path / "reports" / "height-of-each-bridge.canvas").read_text())
    ids = {node["id"] for node in canvas["nodes"]}
    assert len(ids) == len(canvas["nodes"]) >= 5
    assert all(edge["fromNode"] in ids and edge["toNode"] in ids for edge in canvas["edges"])


def test_a_figure_comes_with_the_data_it_shows(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pip install 'memexlab[plots]'")
    notes = {f"{name}.md": f"# {name} Bridge\n\nThe height of {name} Bridge is {high} metres.\n"
             for name, high in (("Kestrel", "1,134"), ("Heron", 88))}  # fmt: skip
    lab = lab_with(tmp_path, notes)
    files = asked(lab, "height of each Bridge", to="figure").files
    assert files == ("reports/height-of-each-bridge.png", "reports/height-of-each-bridge.figure.csv")
    assert (tmp_path / files[0]).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    rows = (tmp_path / files[1]).read_text().splitlines()
    assert rows[1:] == ["Heron Bridge,height,88 metres,,raw/Heron.md#L3,88.0",
                        'Kestrel Bridge,height,"1,134 metres",,raw/Kestrel.md#L3,1134.0']  # fmt: skip
    lab.close()
