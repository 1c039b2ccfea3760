"""Questions about values that sources give: all of them, each with its source, and only what a day could know."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from memexlab.api import Lab
from memexlab.commands.ask_sources import Sourced
from memexlab.ledger import UsageError
from memexlab.web.app import application

from .test_wiki_model import lab_with


def pep(number: int, title: str, status: str, authors: str, created: str, rest: str = "", text: str = "") -> str:
    head = f"PEP: {number}\nTitle: {title}\nAuthor: {authors}\nStatus: {status}\nType: Standards Track\n"
    return f"{head}Created: {created}\n{rest}\n\nAbstract\n========\n\n{text}\n"


PEPS = {
    "pep-0386.rst": pep(386, "Comparing versions", "Superseded", "Ada One <a@x.org>", "04-Jun-2009",
                        "Superseded-By: 440\n", "This PEP compares. Its comparison scheme was replaced by PEP 440."),
    "pep-0440.rst": pep(440, "Version identification", "Final", "Bo Two <b@x.org>,\n        Ada One <a@x.org>",
                        "18-Mar-2013", "Replaces: 386\n", "This PEP describes identifiers of versions."),
    "pep-0665.rst": pep(665, "A lock file", "Rejected", "Bo Two <b@x.org>,\n        Cy Three <c@x.org>,\n"
                        "        Di Four <d@x.org>", "29-Jul-2021", "", "This PEP specifies a file in capitals."),
}  # fmt: skip

HEIGHTS = ((2015, "130 m"), (2019, "134 m"))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    found = lab_with(tmp_path, PEPS)
    yield found
    found.close()


def asked(lab: Lab, question: str, **options: Any) -> Sourced:
    found = lab.ask(question, **options)
    assert isinstance(found, Sourced)
    return found


def test_every_value_is_told_with_its_source_and_nothing_else(lab: Lab) -> None:
    found = asked(lab, "Who wrote PEP 665?")
    assert found.answer.value == ["Bo Two", "Cy Three", "Di Four"]
    assert len(found.answer.text.splitlines()) == 3
    assert all(line.endswith("[1]") for line in found.answer.text.splitlines())
    [piece] = found.pieces
    assert piece.place == "raw/pep-0665.rst#L3-L5"
    status = asked(lab, "What is PEP 665's status?").answer
    assert (status.value, status.text, status.confidence) == (
        "Rejected",
        "The status of PEP 665 is Rejected. [1]",
        "exact",
    )
    both = asked(lab, "What superseded PEP 386?")
    assert both.answer.text == "PEP 386 is superseded by PEP 440. [1][2]"
    assert asked(lab, "What did PEP 440 replace?").answer.value == ["PEP 386"]
    none = asked(lab, "What superseded PEP 440?").answer
    assert (none.value, none.confidence) == (None, "none")
    assert none.text.startswith("not in this memory")


@pytest.mark.parametrize(
    "question", ["What superseded PEP 386?", "What is the status of PEP 386?", "Was PEP 386 replaced?"]
)
def test_an_old_heading_that_names_a_later_document_was_not_known_before_it(lab: Lab, question: str) -> None:
    assert asked(lab, question).answer.value
    assert asked(lab, question, as_of="2013-03-18").answer.value
    for day in ("2012-01-01", "2012", "2013-03-17"):
        then = asked(lab, question, as_of=day)
        assert then.answer.text.startswith("not in this memory")
        assert "440" not in then.answer.text


def test_passages_and_lists_know_no_later_document(lab: Lab) -> None:
    question = "Why was the comparison scheme of PEP 386 replaced?"
    assert "PEP 440" in asked(lab, question).answer.text
    assert "440" not in asked(lab, question, as_of="2012").answer.text
    assert asked(lab, "How many PEPs are superseded?").answer.value == 1
    assert asked(lab, "How many PEPs are superseded?", as_of="2012").answer.value == 0
    assert asked(lab, "list all PEPs", as_of="2015").answer.value == ["PEP 386", "PEP 440"]


@pytest.mark.parametrize("day", ["notadate", "2012-13-01", "2012-13", "yesterday"])
def test_what_is_no_date_is_refused_with_what_to_type(lab: Lab, day: str) -> None:
    with pytest.raises(UsageError, match="no date") as refused:
        lab.ask("Who wrote PEP 665?", as_of=day)
    assert "--as-of 2012" in str(refused.value)


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("How many PEPs are rejected?", 1), ("List all rejected PEPs", ["PEP 665"]),
        ("Which PEPs did Bo Two write?", ["PEP 440", "PEP 665"]), ("How many PEPs were written by Ada One?", 2),
        ("Which PEPs were created in 2013?", ["PEP 440"]), ("Which PEPs were created before 2013?", ["PEP 386"]),
        ("Which final PEPs were written by Ada One?", ["PEP 440"]), ("Which PEPs does PEP 440 replace?", ["PEP 386"]),
        ("How many PEPs have the type Standards Track?", 3), ("Which PEPs were superseded by PEP 440?", ["PEP 386"]),
        ("Which PEPs were created in 1990?", []),
    ],
)  # fmt: skip
def test_lists_and_counts_are_what_the_select_that_is_shown_finds(lab: Lab, question: str, value: object) -> None:
    answer = asked(lab, question).answer
    assert answer.value == value
    rows = {subject for _, subject in lab.memory.db.execute(answer.sql)}
    assert len(rows) == (value if isinstance(value, int) else len(value))  # type: ignore[arg-type]
    assert re.match(rf"{len(rows)} PEPs? ", answer.text) or "superseded" in answer.text
    assert answer.sql in str(asked(lab, question))


def test_a_question_with_a_word_too_many_is_left_to_passages(lab: Lab) -> None:
    for question in ("Which PEPs are not final?", "How many PEPs are purple?", "Who wrote PEP 665 in anger?"):
        assert asked(lab, question).answer.kind != "values"


def test_what_a_person_wrote_instead_is_told_with_what_the_source_says(lab: Lab) -> None:
    page = lab.root / "wiki" / "pep-665.md"
    page.write_text(page.read_text().replace("**Status:** Rejected", "**Status:** Withdrawn"))
    lab.sync()
    found = asked(lab, "What is the status of PEP 665?")
    assert found.answer.text.startswith("The status of PEP 665: Withdrawn, said by ")
    assert re.search(r"by hand \(\S+\), in place of Rejected, said by raw/pep-0665.rst \(2021-07-29\)", str(found))
    assert found.answer.value == "Withdrawn"
    assert "Withdrawn" not in asked(lab, "What is the status of PEP 665?", as_of="2022").answer.text
    assert "sources disagree: Withdrawn" in asked(lab, "List all rejected PEPs").answer.text
    listed = asked(lab, "List all withdrawn PEPs").answer
    assert listed.value == []
    assert "not counted: PEP 665" in listed.text


def test_where_sources_differ_both_are_told_first_and_with_dates(tmp_path: Path) -> None:
    notes = {f"n{year}.md": f"---\ndate: {year}-03-01\n---\n\n# {year}\n\nThe height of Kestrel Bridge is {high}.\n"
             for year, high in HEIGHTS}  # fmt: skip
    lab = lab_with(tmp_path, notes)
    lab.land(_heights(lab))
    first = asked(lab, "What is the height of Kestrel Bridge?").answer
    assert first.text.startswith("sources disagree on the height of Kestrel Bridge")
    assert re.search(r"130 m\S*, said by raw/n2015.md \(2015-03-01\); 134 m\S*, said by raw/n2019.md", first.text)
    assert first.value == ["130 m", "134 m"]
    assert "134" not in asked(lab, "What is the height of Kestrel Bridge?", as_of="2016").answer.text
    with TestClient(application(lab.root, "t"), base_url="http://127.0.0.1:8765") as client:
        html = client.get("/wiki/kestrel-bridge", headers={"authorization": "Bearer t"}).text
    assert re.findall(r'<p data-since="([^"]+)">(\w+)', html) == [("2019-03-01", "Height")]
    lab.close()


def _heights(lab: Lab) -> Path:
    file = lab.root / "drafts.jsonl"
    file.write_text("".join(json.dumps({
        "source": f"raw/n{year}.md", "subject": "Kestrel Bridge",
        "sentence": f"The height of Kestrel Bridge is {high}.",
        "since": "", "quote": f"The height of Kestrel Bridge is {high}", "relation": "height", "value": high}) + "\n"
        for year, high in HEIGHTS))  # fmt: skip
    return file


def test_what_shares_only_a_common_word_is_not_shown(lab: Lab) -> None:
    for question in ("capital of France?", "Who won the world cup in 1998?"):
        assert asked(lab, question).answer.confidence == "none"
    assert asked(lab, "What does the lock file specify?").answer.confidence == "passages"


def test_beside_runs_the_same_questions_are_answered_and_what_is_not_here_is_not(lab: Lab) -> None:
    lab.import_(Path(__file__).parent / "data" / "logs" / "mar8.results.tsv")
    assert asked(lab, "What is the status of PEP 665?").answer.value == "Rejected"
    assert asked(lab, "How many PEPs are rejected?").answer.value == 1
    assert not isinstance(lab.ask("How many runs crashed?"), Sourced)
    assert "capital" not in str(lab.ask("What is the capital of France?"))


def test_the_page_dates_a_succession_by_the_newer_document(lab: Lab) -> None:
    with TestClient(application(lab.root, "t"), base_url="http://127.0.0.1:8765") as client:
        html = client.get("/wiki/pep-386", headers={"authorization": "Bearer t"}).text
    marked = re.findall(r'<(p|li) data-since="2013-03-18"[^>]*>(?:<strong>)?(\w+)', html)
    assert ("p", "Superseded") in marked
    assert ("li", "Superseded") in marked
    assert ("li", "Status") in marked
    assert ("li", "Author") not in marked
