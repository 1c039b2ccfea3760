"""`memex ask` over sources: what answers is said in full and what does not is refused, naming the words nobody said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memexlab.api import Lab
from memexlab.commands.ask_sources import Sourced
from memexlab.ledger import UsageError
from memexlab.wiki.question_words import Words, asked_for, topic_of

from .test_wiki_model import lab_with

FILES = {
    "station.md": "---\ntitle: Orrin Station\nauthor: Jon Ek\ndate: 2021-03-04\n---\n# Orrin Station\n\nOrrin Station "
    "is a field station in the valley of the Una. Orrin Station was founded in 1931. The station has 14 beds and a "
    "boat.\n",
    "visit.md": "---\ntitle: A visit to Orrin\nauthor: Pia Rao\ndate: 2023-06-11\n---\n\nOrrin Station was founded in "
    "1934. The station now has 22 beds. I told Jon Ek that the plots were ploughed.\n",
    "protocol-1.md": "---\ntitle: Sampling protocol 1\ndate: 2019-05-01\n---\n\nThe quadrat size is 0.5 square "
    "metres.\n",
    "protocol-2.md": "---\ntitle: Sampling protocol 2\ndate: 2022-04-20\nsupersedes: Sampling protocol 1\n---\n\nEvery "
    "plot is sampled with AITC. The quadrat size is 0.25 square metres. AITC is an irritant in mustard oil.\n",
    "worm.md": "---\ntitle: Lumbricus terrestris\ndate: 2022-04-01\naliases: [Common earthworm]\n---\n\nThe lifespan "
    "of Lumbricus terrestris is 6 years in the wild. Adults are 110 to 200 mm long. See [[Orrin Station]].\n",
    "crawler.md": "---\ntitle: Nightcrawler\ndate: 2023-06-20\n---\n\nThe lifespan of the nightcrawler is 4 years in "
    "our boxes. A nightcrawler weighs 5 grams when it is grown.\n",
    "mail.md": "---\ntitle: Recount\nauthor: Mira Solheim\ndate: 2023-05-15\n---\n\nI recommend that we repeat plot "
    "H6. The litter of the plots lost 31 % of its carbon since 2015.\n",
    "letters.md": "# Letters\n\nThe digit ONE and the small letter L are alike, and so is the capital letter I of a "
    "font.\n",
    "weekly.md": "# Weekly\n\n| plot | casts | note |\n|---|---|---|\n| H1 | 46 | |\n| H2 | 38 | dry |\n| H6 | | "
    "wet |\n",
    "ph.csv": "plot,date,ph\nH1,2023-05-02,5.1\nH2,2023-05-02,5.0\nH6,2023-05-04,\n",
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    found = lab_with(tmp_path_factory.mktemp("asked"), FILES)
    yield found
    found.close()


def said(lab: Lab, question: str, **options: Any) -> list[str]:
    found = lab.ask(question, **options)
    assert isinstance(found, Sourced)
    assert (found.answer.confidence == "none") == (not found.pieces)
    return found.answer.text.splitlines()


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("What do my sources say about AITC?", "aitc"), ("tell me more about the Ridge lamp", "ridge lamp"),
        ("What is known about litter loss?", "litter loss"), ("summarise PEP 8", "pep 8"),
        ("anything on mustard?", "mustard"),
        ("What is AITC?", ""),
    ],
)  # fmt: skip
def test_a_topic_is_heard_in_many_forms(question: str, topic: str) -> None:
    assert topic_of(question) == topic


def test_all_that_is_said_of_a_topic_is_told_with_title_and_date_of_each_source(lab: Lab) -> None:
    told = said(lab, "What do my sources say about AITC?")
    assert told == ["AITC is an irritant in mustard oil. [1]", "Every plot is sampled with AITC. [2]"]
    assert "protocol-2.md#L7 (Sampling protocol 2, 2022-04-20)" in str(lab.ask("anything on AITC?"))
    [loss] = said(lab, "What do my notes say about litter loss?")
    assert "lost 31 %" in loss
    station = said(lab, "Tell me about Orrin Station")
    assert station[0].startswith("Orrin Station is a field station")
    assert {"1931", "1934", "14 beds"} <= {word for word in ("1931", "1934", "14 beds") if word in "\n".join(station)}
    assert not any("See Orrin" in line for line in station)


@pytest.mark.parametrize(
    ("question", "nobody"),
    [
        ("what is the capital of France?", "'france'"), ("Who did Jon Ek marry?", "'marry'"),
        ("How old is Mira Solheim?", "'how old'"), ("Is setup.py deprecated?", "'setup py', 'deprecated'"),
        ("When was AITC banned?", "'banned'"), ("What did Mira Solheim buy?", "'buy'"),
        ("How many boats does Orrin Station have?", "'boats'"), ("What is the ph of H9?", "'h9'"),
    ],
)  # fmt: skip
def test_what_nobody_said_is_refused_with_its_words(lab: Lab, question: str, nobody: str) -> None:
    [line] = said(lab, question)
    assert line.startswith("not in this memory: ")
    assert nobody in line


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("What is the lifespan of the common earthworm?", "6 years in the wild"),
        ("How long does Lumbricus terrestris live?", "6 years in the wild"),
        ("What did Mira Solheim recommend?", "repeat plot H6"),
        ("How much does a nightcrawler weigh?", "5 grams"), ("How much carbon did the litter lose?", "lost 31 %"),
        ("Where is Orrin Station?", "valley of the Una"), ("What does AITC stand for?", "an irritant"),
    ],
)  # fmt: skip
def test_other_names_other_forms_and_who_speaks_are_known(lab: Lab, question: str, words: str) -> None:
    told = said(lab, question)
    assert words in told[0]
    assert len(told) == 1


def test_sources_that_differ_are_set_side_by_side(lab: Lab) -> None:
    founded = said(lab, "When was Orrin Station founded?")
    assert founded[0].startswith(("sources disagree", "sources differ"))
    assert all(any(year in line for line in founded) for year in ("1931", "1934"))
    beds = said(lab, "How many beds does Orrin Station have?")
    assert beds[0].startswith("sources differ:")
    assert len(beds) == 3
    assert not any("boat" in line for line in said(lab, "How many plots does Orrin Station have?"))
    told = said(lab, "which sources contradict each other?")
    assert told[0].startswith("pages with contradictions: ")
    assert any("1931" in line and "1934" in line for line in told[1:]) or told[0].startswith(
        "pages with contradictions: 0"
    )


def test_what_was_superseded_is_marked_and_last(lab: Lab) -> None:
    assert said(lab, "What is the quadrat size of Sampling protocol 2?") == [
        "The quadrat size is 0.25 square metres. [1]"
    ]
    both = said(lab, "What is the quadrat size?")
    assert both[1] == "The quadrat size is 0.5 square metres. (superseded by Sampling protocol 2) [2]"


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("casts of H1 in weekly", "The casts of H1 in Weekly is 46. [1]"),
        ("How many casts does H6 have?", "The casts of H6 in Weekly is empty. [1]"),
        ("What is the average ph in ph.csv?",
         "The average ph of all rows in ph is 5.05 (2 cells: 5.1, 5; 1 more without a number). [1]"),
        ("total casts in weekly",
         "The total casts of all rows in Weekly is 84 (2 cells: 46, 38; 1 more without a number). [1]"),
    ],
)  # fmt: skip
def test_tables_of_every_reader_answer(lab: Lab, question: str, told: str) -> None:
    assert said(lab, question)[0] == told


def test_a_figure_draws_what_was_asked_and_writes_over_no_table(lab: Lab) -> None:
    pytest.importorskip("matplotlib", reason="pip install 'memexlab[plots]'")
    question = "casts of each plot"
    files = [lab.ask(question, to=form).files for form in ("figure", "table")]  # type: ignore[union-attr]
    assert files == [("reports/casts-of-each-plot.png", "reports/casts-of-each-plot.figure.csv"),
                     ("reports/casts-of-each-plot.csv",)]  # fmt: skip
    rows = (lab.root / files[0][1]).read_text().splitlines()
    assert rows[1:] == ["H1,casts,46,,raw/weekly.md#L5,46.0", "H2,casts,38,,raw/weekly.md#L6,38.0"]
    with pytest.raises(UsageError, match="no two numbers"):
        lab.ask("Who recommended to repeat plot H6?", to="figure")
    with pytest.raises(UsageError, match="--to table"):
        lab.ask(question, as_="table")


def test_two_names_that_were_joined_answer_alike(tmp_path: Path) -> None:
    found = lab_with(tmp_path, {name: FILES[name] for name in ("worm.md", "crawler.md")})
    assert len(said(found, "What is the lifespan of the nightcrawler?")) == 1
    found.same("Lumbricus terrestris", "Nightcrawler", why="one animal")
    for name in ("nightcrawler", "common earthworm"):
        told = said(found, f"What is the lifespan of the {name}?")
        assert len(told) == 2  # in the wild, and in boxes: both hold
        assert {"6 years", "4 years"} == {years for years in ("6 years", "4 years") if years in "\n".join(told)}
    found.close()


def test_endings_make_one_word_and_beginnings_do_not() -> None:
    for word, text in (("directed", "the first director"), ("studies", "a study"), ("weigh", "its weight")):
        assert not asked_for(word).missing(Words(text)), word
    for word, text in (("resign", "the residue"), ("founded", "a fountain"), ("release", "what is relevant")):
        assert asked_for(word).missing(Words(text)), word
