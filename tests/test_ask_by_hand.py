"""`memex ask` where people wrote in the wiki: their words win over those they replaced, and are said to be theirs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from memexlab.api import Lab

from .test_ask_sources import said
from .test_wiki_model import lab_with

FILES = {
    "boiler.md": "# Boiler\n\nThe Boiler is a gas boiler in the cellar. The Boiler was serviced in May 2019 by Ms. "
    "Uhl. Bleed the radiators every autumn.\n",
    "kiln.md": "# Kiln\n\nThe Kiln is an electric kiln. Fire the glaze at 1,060 degrees. Never open the lid above 200 "
    "degrees.\n",
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    found = lab_with(tmp_path_factory.mktemp("hands"), FILES)
    wiki = found.root / "wiki"
    boiler = (wiki / "boiler.md").read_text()
    assert "Bleed the radiators every autumn." in boiler
    boiler = boiler.replace("Bleed the radiators every autumn.", "Bleed the radiators every spring.")
    (wiki / "boiler.md").write_text(boiler + "\nThe chimney sweep of the Boiler is Mr. Tann.\n")
    kiln = (wiki / "kiln.md").read_text()
    (wiki / "kiln.md").write_text("".join(line for line in kiln.splitlines(keepends=True) if "1,060" not in line))
    found.sync()
    (wiki / "Cellar plans.md").write_text("# Cellar plans\n\nI want to move the workbench beside the window.\n")
    yield found
    found.close()


def test_what_a_person_put_in_place_of_a_line_is_the_answer_with_what_it_replaced(lab: Lab) -> None:
    [line] = said(lab, "How often do I bleed the radiators?")
    assert line.startswith("Bleed the radiators every spring. (said by ")
    assert "in place of “Bleed the radiators every autumn.” raw/boiler.md#L3" in line


def test_a_line_that_a_person_withdrew_is_no_answer(lab: Lab) -> None:
    for question in ("How hot do I fire the glaze?", "What do my notes say about the glaze?"):
        assert said(lab, question)[0].startswith("not in this memory")
        assert "1,060" not in str(lab.ask(question))


def test_what_a_person_wrote_beside_sources_is_found_and_said_to_be_theirs(lab: Lab) -> None:
    [line] = said(lab, "Who is the chimney sweep of the Boiler?")
    assert line.startswith("The chimney sweep of the Boiler is Mr. Tann. (said by ")
    assert "wiki/boiler.md#L" in str(lab.ask("Who is the chimney sweep of the Boiler?"))
    [own] = said(lab, "Where do I want to move the workbench?")
    assert own == "I want to move the workbench beside the window. (written by hand) [1]"


def test_a_saved_answer_holds_only_what_sources_say(lab: Lab) -> None:
    assert lab.ask("Who is the chimney sweep of the Boiler?", save=True).files == ()  # type: ignore[union-attr]
    assert "not filed" in str(lab.ask("Who is the chimney sweep of the Boiler?", save=True))
    [file] = lab.ask("When was the Boiler serviced?", save=True).files  # type: ignore[union-attr]
    assert "serviced in May 2019 by Ms. Uhl" in (lab.root / file).read_text()


def test_a_topic_is_told_in_the_words_that_people_gave_it(lab: Lab) -> None:
    told = said(lab, "What do my notes say about the Boiler?")
    assert any("every spring. (said by" in line for line in told)
    assert not any(line.startswith("Bleed the radiators every autumn") for line in told)


def test_a_note_that_comes_to_a_settled_folder_is_found_and_one_that_goes_is_not(tmp_path: Path) -> None:
    Lab.init(tmp_path / "lab", target="none")
    lab = Lab(tmp_path / "lab")
    (lab.root / "raw" / "kiln.md").write_text("# Kiln\n\nThe kiln of the Orrin yard was fired with oak in 1990.\n")
    lab.ingest([lab.root / "raw"])
    question = "Who repaired the bellows?"
    mine = lab.root / "wiki" / "own" / "bellows.md"
    for wanted in (False, True, False):
        if wanted:
            mine.parent.mkdir(exist_ok=True)
            mine.write_text("# Bellows\n\nMira Solheim repaired the bellows in spring.\n")
        else:
            mine.unlink(missing_ok=True)
        time.sleep(0.1)  # the folder settles: what is kept of it is used
        for _ in range(2):
            assert ("Mira Solheim" in str(lab.ask(question))) is wanted
    lab.close()
