"""A folder as a researcher has it: a transcript, letters, a table, one article twice, and notes."""

from __future__ import annotations

import json
import mailbox
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from memexlab.commands.ask_sources import from_sources
from memexlab.commands.eval_wiki import pages, write_lab
from memexlab.memory import Memory
from memexlab.wiki.blocks import cited_in
from memexlab.wiki.compiling import compile_paths
from memexlab.wiki.lint import lint
from memexlab.wiki.review import queue
from memexlab.wiki.table_questions import cells

ARTICLE = (
    "Earthworms turn over a surprising amount of soil in the course of a single year.\n\n"
    "Their castings cover the ground of every meadow that has been left to itself.\n"
)
FILES = {
    "talk-2024-05-02.vtt": "WEBVTT\n\n00:01.000 --> 00:04.000\n<v Ada Lund>The rate of Corvid is 0.1.\n\n00:05.000 --> "
    "00:09.000\n<v Bo Marsh>Muon helps the small model in every run.\n\n00:20.000 --> 00:24.000\n<v Bo Marsh>The sweep "
    "begins on Monday with two machines.\n",
    "parts.csv": 'part,price (EUR),mass_g\nrotor,12.50,340\n"bearing, small",3.20,12\n"two\nlines",1.00,5\nlast,7,8\n',
    "rent.csv": "town,rent,since\nOstby,40,2019\nOstby,45,2021-05-01\nHelmar,30,2018\n",
    "2023-06-01-toll.csv": "town,toll\nOstby,3\n",
    "corvid.md": "---\ntitle: Corvid\ndate: 2024-03-01\nauthor: Ada Lund\n---\n\nCorvid is a small model for birdsong. "
    "The rate is 0.3. It was trained near a URL.\n",
    "worms.md": f"---\ntitle: Earthworms\nauthor: Cara Venn\ndate: 2020-01-01\n---\n\n{ARTICLE}",
    "worms-copy.txt": f"title: Earthworms\nauthor: Cara Venn\ndate: 2020-01-01\n\n{ARTICLE}",
    "reading.md": "---\ntitle: Reading\ndate: 2024-02-01\nauthor: Ada Byron\n---\n\nMuon lowers the memory by a third. "
    "The paper speaks of Muon and of a URL.\n",
    "more.md": "---\ntitle: More\ndate: 2024-02-02\n---\n\nA note with a URL. EMA is used.\n",
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Memory]]:
    root = tmp_path_factory.mktemp("mixed")
    write_lab(root, FILES)
    box = mailbox.mbox(root / "raw" / "list.mbox")
    message = EmailMessage()
    message["From"], message["Subject"] = "Ada Lund <ada@example.org>", "Budget"
    message["Date"] = "Fri, 03 May 2024 10:00:00 +0000"
    message.set_content("On Thu, Bo Marsh wrote:\n> The budget is unknown.\n\nThe budget of Corvid is 40 hours.\n")
    box.add(message)
    box.flush()
    memory = Memory(root / ".memex")
    compile_paths(memory, root, [root / "raw"], "human:test")
    yield root, memory
    memory.close()


def told(lab: tuple[Path, Memory], question: str) -> str:
    return str(from_sources(lab[1], lab[0], question, None, "human:test"))


def test_who_speaks_and_who_writes_is_on_the_pages(lab: tuple[Path, Memory]) -> None:
    made = pages(lab[0])
    talk = made["talk-2024-05-02.md"]
    assert "created: 2024-05-02" in talk
    assert "**Bo Marsh.** The sweep begins on Monday with two machines." in talk
    assert "Ada Lund:" not in talk.split("[^1]:")[0]  # the name is the voice, and no part of what was said
    assert "speaker of [[talk-2024-05-02|" in made["ada-lund.md"]
    assert "author of [[budget|Budget]]" in made["ada-lund.md"]
    assert "wrote:" not in made["budget.md"]
    assert "“From: Ada Lund” [raw/list.mbox#00001](../raw/list.mbox#00001)" in made["budget.md"]


def test_footnotes_name_a_place_that_the_file_has(lab: tuple[Path, Memory]) -> None:
    made = pages(lab[0])
    assert "| rotor | 12.50 | 340 |" in made["parts.md"]
    assert "(../raw/parts.csv#L1)" in made["parts.md"]
    assert "(../raw/talk-2024-05-02.vtt)\n" in made["talk-2024-05-02.md"]  # the lines of its text are none of the file
    [other] = [cited_in("“a” [raw/p.pdf#page=3](../raw/p.pdf#page=3)")]
    assert (other.source, other.line, other.words) == ("raw/p.pdf", 0, "a")
    assert cited_in("“a” [my own link](../raw/p.pdf)") is None
    assert not [finding for finding in lint(lab[1], lab[0]).findings if finding.rule == "quote-changed"]


def test_a_copy_is_no_second_source(lab: tuple[Path, Memory]) -> None:
    page = pages(lab[0])["earthworms.md"]
    assert page.count("Earthworms turn over a surprising amount") == 2 + 2  # a line and a description; two footnotes
    assert "[^1][^2]" in page
    assert told(lab, "What do earthworms turn over in a year?").count("surprising amount of soil") == 2


def test_a_page_needs_more_than_mentions(lab: tuple[Path, Memory]) -> None:
    made = pages(lab[0])
    assert "muon.md" in made
    assert "url.md" not in made
    assert [f for f in lint(lab[1], lab[0]).findings if f.rule in ("link-broken", "index-out-of-step")] == []
    assert "Muon lowers the memory by a third." in made["muon.md"]
    assert "with a URL" in told(lab, "Which note has a URL?")


def test_the_index_is_by_type_with_counts_the_most_linked_first(lab: tuple[Path, Memory]) -> None:
    lines = pages(lab[0])["index.md"].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("## Sources ("))
    links = [int(line.rsplit("· ", 1)[1].split()[0]) if "· " in line else 0 for line in lines[start + 2 : start + 9]]
    assert links == sorted(links, reverse=True)
    assert links[0] > 0


def test_values_are_asked_where_prose_and_header_differ(lab: tuple[Path, Memory]) -> None:
    assert "sources disagree on the rate of Corvid (contested): 0.3" in told(lab, "What is the rate of Corvid?")
    assert told(lab, "What is Corvid?").startswith("Corvid is a small model for birdsong. [1]")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What did Bo say?", ""),
        ("What did Lund write?", "2 sources with author = Ada Lund"),
        ("What did Cara write?", "1 source with author = Cara Venn"),
        ("What did Ada write?", "that name could mean: Ada Byron, Ada Lund; ask with the whole name"),
        ("Which notes did Byron write?", "1 source with author = Ada Byron"),
    ],
)
def test_people_by_a_part_of_their_name(lab: tuple[Path, Memory], question: str, answer: str) -> None:
    assert told(lab, question).startswith(answer)


@pytest.mark.parametrize(
    ("question", "value", "place"),
    [
        ("What is the price of rotor in parts.csv?", "12.50", "raw/parts.csv#L2"),
        ("what is the mass of bearing, small", "12", "raw/parts.csv#L3"),
        ("What is the price (EUR) of two lines in parts?", "1.00", "raw/parts.csv#L4-L5"),
        ("What is the mass_g for last from parts.csv?", "8", "raw/parts.csv#L6"),
    ],
)
def test_a_cell_is_asked_and_its_line_is_cited(lab: tuple[Path, Memory], question: str, value: str, place: str) -> None:
    [(found, _, piece, *_)] = cells(lab[1], question)
    assert (found, piece.place) == (value, place)
    assert f"is {value}. [1]" in told(lab, question)


def test_a_cell_of_a_later_row_or_table_is_not_known_at_a_day(lab: tuple[Path, Memory]) -> None:
    def values(what: str, as_of: str | None) -> list[str]:
        return [value for value, *_ in cells(lab[1], f"What is the {what} of Ostby?", as_of)]

    assert [values("rent", day) for day in (None, "2021-06", "2020", "2018")] == [
        ["40", "45"],
        ["40", "45"],
        ["40"],
        [],
    ]
    assert [values("toll", day) for day in (None, "2024", "2022")] == [["3"], ["3"], []]


@pytest.mark.parametrize("question", ["What is the price of glass in parts.csv?", "What is the part of rotor?"])
def test_a_cell_that_is_not_there_is_not_made_up(lab: tuple[Path, Memory], question: str) -> None:
    assert cells(lab[1], question) == []


def test_a_merge_says_its_true_reason(lab: tuple[Path, Memory]) -> None:
    why = {item.why for item in queue(lab[1], lab[0]) if item.kind == "merge"}
    assert "the names are spelt nearly alike" not in why
    assert json.dumps(sorted(why))  # every reason is text
