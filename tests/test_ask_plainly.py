"""What `memex ask` says of lines of sources is true: what differs, what is left out, which lines are an answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from memexlab.api import Lab
from memexlab.cli import main
from memexlab.commands.ask_sources import Sourced

from .test_ask_sources import said
from .test_wiki_model import lab_with

FILES = {
    "ferry-log.md": '---\ntitle: "Will the ferry sail? A log"\ndate: 2020-02-01\ntags: [ferry, log]\n---\n\nThe ferry '
    "did not sail in January. The crossing took 45 minutes. The crossing of the ferry took forty "
    "minutes less than the road, says Dr. Amsel of the harbour office.\n",
    "ferry-news.md": "---\ntitle: Harbour news\ndate: 2021-05-02\n---\n\nThe ferry sailed twice in January. The "
    "crossing took 50 minutes. The Skylark was built at Moss. It was launched on 3 June 1911.\n\nSee "
    "[[Harbour news]] and others.\n\n> The sea is a patient teacher of the young\n",
    "pilot.md": "# Pilot book\n\nThe harbour gate is 12 m wide and has 2 lamps.\n",
    "chart.md": "# Chart notes\n\nThe harbour gate is 12 m wide; 3 buoys lie before it.\n",
    "haus.md": "# Haus\n\nDie Heizung kostet 140 Euro im Monat. Der Hausmeister heißt Frau Ilse Voss. Das Holz "
    "liegt im Schuppen.\n",
    "maison.md": "# Maison\n\nLe jardinier s'appelle Luc Morel. La taxe est de 320 euros.\n",
    "bake.md": "# Rye loaf\n\nUse 300 g flour and 210 g water. Bake at 230 °C for 50 minutes.\n",
    "letter.md": "# Letter\n\nOn Mon, 3 May 2021, Kari Moe wrote:\n\n> The lighthouse keeper resigned\n\nI doubt "
    "it, for the lighthouse is lit.\n",
    "films.csv": "title,director,seen,stars,shown at\nStalker,Andrei Tarkovsky,2022-03-01,5,Odeon "
    "Hall\nPlaytime,Jacques Tati,2022-11-09,4,Rex\nRan,Akira Kurosawa,2023-01-20,5,Odeon Hall\n",
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    found = lab_with(tmp_path_factory.mktemp("plainly"), FILES)
    yield found
    found.close()


def test_both_sides_are_shown_and_are_said_to_differ(lab: Lab) -> None:
    told = said(lab, "Will the ferry sail in January?")
    assert told[0].startswith("sources differ:")
    assert [any(words in line for line in told) for words in ("did not sail", "sailed twice")] == [True, True]


def test_numbers_of_other_things_are_no_difference(lab: Lab) -> None:
    assert said(lab, "How long did the crossing take?")[0].startswith("sources differ:")
    gate = said(lab, "How wide is the harbour gate?")
    assert len(gate) == 2
    assert not any("differ" in line for line in gate)


def test_a_line_may_point_back_to_what_it_speaks_of(lab: Lab) -> None:
    assert said(lab, "When was the Skylark launched?") == ["It was launched on 3 June 1911. [1]"]
    assert said(lab, "When was the Skylark sold?")[0].startswith("not in this memory")


def test_lines_are_whole_and_hold_no_front_matter(lab: Lab) -> None:
    told = "\n".join(said(lab, "What do my notes say about the ferry?"))
    assert "says Dr. Amsel of the harbour office." in told
    assert "tags:" not in told
    assert said(lab, "What is a patient teacher?") == ["The sea is a patient teacher of the young [1]"]
    told = "\n".join(said(lab, "What do my notes say about the lighthouse?"))
    assert "resigned" not in told
    assert "is lit" in told


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("Wie viel kostet die Heizung?", "140 Euro"), ("Wie heißt der Hausmeister?", "Ilse Voss"),
        ("Wo liegt das Holz?", "Schuppen"), ("Combien coûte la taxe ?", ""), ("Qui est le jardinier ?", "Luc Morel"),
        ("Wie alt ist Frau Voss?", ""), ("Wann wurde die Heizung gebaut?", ""),
    ],
)  # fmt: skip
def test_questions_in_german_and_french_are_heard(lab: Lab, question: str, words: str) -> None:
    told = said(lab, question)[0]
    assert words in told if words else told.startswith("not in this memory")


def test_a_word_that_says_little_may_be_left_out_and_is_named(lab: Lab) -> None:
    told = said(lab, "How much water goes into the rye loaf?")
    assert told == ["no line says all of it; the nearest leaves out 'goes': [1]",
                    "Use 300 g flour and 210 g water. [1]"]  # fmt: skip
    assert said(lab, "At what temperature do I bake the rye loaf?") == ["Bake at 230 °C for 50 minutes. [1]"]
    for question in ("How much sugar goes into the rye loaf?", "What colour is the rye loaf?"):
        assert said(lab, question)[0].startswith("not in this memory")


def test_beside_a_refusal_stands_the_nearest_line_as_no_answer(lab: Lab) -> None:
    found = lab.ask("Why did the ferry sail to Norway?")
    assert isinstance(found, Sourced)
    assert (found.answer.confidence, found.pieces) == ("none", ())
    assert "does not answer it" not in str(found)
    found = lab.ask("Who steered the ferry?")
    assert isinstance(found, Sourced)
    assert found.near is not None
    assert "the nearest line, which does not answer it: " in str(found)
    assert found.data()["nearest"]["text"] == found.near.text


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("Who directed Playtime?", ["Playtime: director Jacques Tati (films). [1]"]),
        ("When did I see Stalker?", ["Stalker: seen 2022-03-01 (films). [1]"]),
        ("Which films did I see in 2022?",
         ["2 rows with seen in 2022 in films", "Stalker: seen 2022-03-01. [1]", "Playtime: seen 2022-11-09. [2]"]),
        ("Which films did Akira Kurosawa direct?",
         ["1 row with director Akira Kurosawa in films", "Ran: director Akira Kurosawa. [1]"]),
        ("How many films were shown at Odeon Hall?",
         ["2 rows with shown at Odeon Hall in films", "Stalker: shown at Odeon Hall. [1]",
          "Ran: shown at Odeon Hall. [2]"]),
    ],
)  # fmt: skip
def test_rows_of_a_table_answer(lab: Lab, question: str, told: list[str]) -> None:
    assert said(lab, question) == told


def test_rows_that_are_not_there_are_refused(lab: Lab) -> None:
    assert lab.ask("How many films did I see in 2022?").answer.value == 2  # type: ignore[union-attr]
    for question in ("Who directed Solaris?", "Which films did I see in 2019?", "Which films did Jacques Tati see?"):
        assert said(lab, question)[0].startswith("not in this memory"), question


def test_a_form_may_be_asked_for_with_as(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lab", str(lab.root), "ask", "Who directed Playtime?", "--as", "table"]) == 0
    assert "written: reports/who-directed-playtime.csv" in capsys.readouterr().out


def test_where_nothing_contradicts_it_is_said_what_was_compared(lab: Lab) -> None:
    told = str(lab.ask("Which sources contradict each other?"))
    assert told.startswith(("no contradiction was found", "pages with contradictions: "))
    assert "pages with contradictions: 0" not in told
    assert "prose may differ" in str(lab.conflicts()) or lab.conflicts().claims
