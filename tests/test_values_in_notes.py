"""What notes say of values: which contradict each other, which took the place of another, and what is no value."""

from __future__ import annotations

from pathlib import Path

import pytest

from memexlab.commands.eval_wiki import write_lab
from memexlab.memory import Memory
from memexlab.wiki.compiling import compile_paths, wiki_of
from memexlab.wiki.dates import Told, differences
from memexlab.wiki.values import asks_one, given, own

from .pairs_of_notes import AGREE, DIFFER

#: What the forms do not read: a name in small letters, a place, a label before a name, a name of two persons.
MISSED = ["dose", "located", "colon subject", "meeting held on"]


def shown(root: Path, notes: dict[str, str]) -> list[tuple[str, str, str, list[str]]]:
    """(page, relation, kind, values) of every difference between these notes."""
    write_lab(root, notes)
    memory = Memory(root / ".memex")
    compile_paths(memory, root, [root / "raw"], "human:test")
    wiki = wiki_of(memory, root)
    found = [(wiki.subjects.pages[key].title, one.relation, one.kind, [wiki.claim(i).object for i in one.claims])
             for key, ones in wiki.differing.items() for one in ones]  # fmt: skip
    memory.close()
    return found


def note(title: str, day: str, words: str) -> str:
    return f"---\ntitle: {title}\ndate: {day}\n---\n\n{words}\n"


@pytest.mark.slow
@pytest.mark.parametrize("place", range(len(AGREE)))
def test_notes_that_agree_show_no_contradiction(place: int, tmp_path: Path) -> None:
    label, one, other = AGREE[place]
    files = {"a.md": note("Plan of May", "2023-02-02", one), "b.md": note("Talk in June", "2024-05-02", other)}
    assert shown(tmp_path, files) == [], label


@pytest.mark.slow
@pytest.mark.parametrize("place", range(len(DIFFER)))
def test_notes_that_differ_show_it(place: int, tmp_path: Path) -> None:
    label, one, other = DIFFER[place]
    titled = "Heron" if "Budget: 1" in one else "Puffin" if "Budget:**" in one else "Plan of May"
    files = {"a.md": note(titled, "2023-02-02", one), "b.md": note("Talk in June", "2024-05-02", other)}
    assert bool(shown(tmp_path, files)) is (label not in MISSED), label


def test_what_a_later_note_says_anew_is_superseded_and_what_it_only_says_otherwise_contested(tmp_path: Path) -> None:
    first = (
        "The budget for Merganser is 12,000 EUR. Merganser runs on Debian 11. The Halden archive opened in 1964."
        " The cabin has 61 m2. The fee for Room 9 is 40 EUR in winter. The Quarry lake is about 30 m deep."
        " Lena Voss leads the Turnstone project. Dinner cost 31 EUR."
    )
    later = (
        "The budget for Merganser is now 15,500 EUR. Since March Merganser runs on Debian 12. The Halden archive opened"
        " in 1966. The Skerry cabin has 57 m2. The fee for Room 9 is 55 EUR in summer. The Quarry lake is 31 m deep."
        " Ivo Brandt leads the Turnstone project since 2024-01-02. Dinner cost 24 EUR."
    )
    files = {"a.md": note("Skerry cabin", "2023-05-01", first), "b.md": note("Letter", "2024-06-01", later)}
    assert sorted((title, relation, kind) for title, relation, kind, _ in shown(tmp_path, files)) == [
        ("Halden archive", "opened in", "contested"), ("Merganser", "budget", "superseded"),
        ("Merganser", "runs on Debian", "superseded"), ("Skerry cabin", "has", "contested"),
        ("Turnstone", "project led by", "superseded"),
    ]  # fmt: skip
    assert "> [!contradiction] Budget: superseded" in (tmp_path / "wiki" / "merganser.md").read_text()


def told(*values: str, relation: str = "price") -> list[tuple[str, int]]:
    claims = [
        Told(f"c{i}", "gull", relation, value, "", f"s{i}", f"202{i}-01-01", "") for i, value in enumerate(values)
    ]
    return [(one.relation, len(one.claims)) for one in differences(claims, [])]


def test_values_of_one_sort_are_compared_and_no_others() -> None:
    assert told("299", "299 dollars") == told("€80k", "80,000 EUR") == told("2.300 Euro", "2300 Euro") == []
    assert told("1.5 s", "1500 ms") == told("about 70 m2", "68.4 m2") == told("1931", "4 May 1931") == []
    assert told("Ada Kroll", "Kroll") == told("12 rooms", "2 lifts", relation="has") == []
    assert told("299 dollars", "329") == [("price", 2)]
    assert told("about 70 m2", "90 m2") == [("price", 2)]
    assert told("12 rooms", "2 lifts", "14 rooms", relation="has") == [("has (room)", 2)]


@pytest.mark.parametrize("words", [
    "The brother of Clara Holm was born in 1805.", "The widow of Jon Gould was buried in 1882.",
    "The rent of Elm Street 4 is 700 to 800 EUR.", "The fee of Elm Street is only 40 EUR if you book early.",
    "Is the rent of Elm Street 4 is 700 EUR?", "His film with Ann Day, Bo Lund, Carl Moe was released in 2016.",
    "Breakfast cost 9 EUR.", "Tickets cost 9 EUR.", "In fact the main influence at the court of Cleves was Erasmus.",
    "Night of the Owl: Darkest Dawn is a film.", "The Company was founded in 1906.",
])  # fmt: skip
def test_what_gives_no_value_of_a_name(words: str) -> None:
    assert [one for one in given(words, (), ()) if one.subject != "Clara Holm" and one.subject != "Jon Gould"] == []
    assert not any(one.relation in ("born in", "buried in") for one in given(words, (), ()))


def test_what_is_told_of_the_thing_of_the_title() -> None:
    assert [one[1:] for one in own("The flat in Elm Street 4 has 61 m2 and a balcony.", "Elm flat")] == [
        ("has", "61 m2", "")
    ]
    assert [one[1:] for one in own("Deposit: 2,400 EUR", "Elm flat")] == [("deposit", "2,400 EUR", "")]
    assert not list(own("The dog has 4 legs.", "Elm flat"))


def test_some_questions_have_several_answers() -> None:
    assert all(map(asks_one, ("budget", "founded in", "first edition published in")))
    assert not any(map(asks_one, ("next meeting", "renovated in", "son", "visited by")))


def test_a_thing_that_three_sources_link_has_a_page_and_a_decision_is_found_by_its_number(tmp_path: Path) -> None:
    shown(tmp_path, {
        "a.md": note("ADR 4: Keep logs in files", "2021-01-01", "Logs lie in files of the [[Log Store]] for a week."),
        "b.md": note("ADR 9: Keep logs in a table", "2022-01-01", "This decision supersedes ADR 4, [[Log Store]]."),
        "c.md": note("Talk", "2022-02-01", "We spoke of the [[Log Store]] and of [[Roof]]."),
        "d.md": note("ADR 12: Drop logs", "2023-01-01", "No logs.").replace("\n---\n\n", "\nsupersedes: 9\n---\n\n"),
    })  # fmt: skip
    pages = {path.stem: path.read_text() for path in (tmp_path / "wiki").glob("*.md")}
    assert "of the [[log-store|Log Store]] for a week" in pages["adr-4-keep-logs-in-files"]
    assert "roof" not in pages
    assert "> [!superseded] Superseded by [[adr-9-" in pages["adr-4-keep-logs-in-files"]
    assert "> [!superseded] Superseded by [[adr-12-" in pages["adr-9-keep-logs-in-a-table"]
