"""What people and agents said of a source lives on when its file moves, changes or goes away for a while."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from memexlab.api import Lab
from memexlab.wiki.blocks import CLAIMED

KILN = "# Kiln\n\nThe kiln of Tarn was lit by hand. It burns peat. It stands by the mill.\n\nCopyright 2001 by Orla.\n"
PEAT = {"source": "raw/kiln.md", "subject": "Kiln", "sentence": "The kiln burns peat.", "quote": "It burns peat.",
        "relation": "fuel", "value": "peat"}  # fmt: skip
MILL = {"source": "raw/kiln.md", "subject": "Kiln", "sentence": "The kiln stands by the mill.",
        "quote": "It stands by the mill.", "relation": "place", "value": "the mill"}  # fmt: skip


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("MEMEX_BY", "human:ada")
    (tmp_path / "raw").mkdir()
    (tmp_path / "memex.toml").write_text('[lab]\nname = "test"\n')
    return Lab(tmp_path)


def put(lab: Lab, **texts: str) -> Any:
    for name, text in texts.items():
        (lab.root / "raw" / f"{name}.md").write_text(text, encoding="utf-8")
    return again(lab)


def again(lab: Lab) -> Any:
    return lab.ingest([lab.root / "raw"]).compiled  # type: ignore[union-attr]


def pages(lab: Lab) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted((lab.root / "wiki").glob("*.md"))}


def by_agent(lab: Lab, monkeypatch: pytest.MonkeyPatch, *claims: dict[str, str]) -> None:
    file = lab.root / "drafts.jsonl"
    file.write_text("".join(f"{json.dumps(claim)}\n" for claim in claims))
    monkeypatch.setenv("MEMEX_BY", "agent:clerk")
    assert lab.land(file).landed.claims == len(claims)  # type: ignore[union-attr]
    monkeypatch.setenv("MEMEX_BY", "human:ada")


def edit(lab: Lab, name: str, old: str, new: str) -> None:
    """Puts other words in the place of these, where a line states them; not in front matter or a footnote."""
    path = lab.root / "wiki" / name
    text = path.read_text(encoding="utf-8")
    line = line_with(text, old)
    path.write_text(text.replace(f"{line}\n", line.replace(old, new) + "\n"), encoding="utf-8")
    lab.sync()


def line_with(text: str, words: str) -> str:
    return next(line for line in text.split("\n") if words in line and CLAIMED.search(line))


def test_claims_of_an_agent_come_back_with_their_file(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    put(lab, kiln=KILN)
    by_agent(lab, monkeypatch, PEAT, MILL)
    before = pages(lab)
    (lab.root / "raw" / "kiln.md").rename(lab.root / "kiln.md")
    gone = again(lab)
    [told] = [finding for finding in gone.findings if finding.rule == "claims-withdrawn"]
    assert (told.where, told.message.split(" are ")[0]) == ("raw/kiln.md", "2 claims of agent:clerk")
    assert "kiln.md" not in pages(lab)
    (lab.root / "kiln.md").rename(lab.root / "raw" / "kiln.md")
    assert again(lab).carried == 2
    assert pages(lab) == before
    assert again(lab).carried == 0
    lab.rebuild()
    assert again(lab).wiki.written == 0
    rows = lab.memory.db.execute(
        "SELECT DISTINCT by, key GLOB 'claim:*' FROM entries WHERE kind = 'claim' AND key > ''"
    )
    assert set(rows) == {("agent:clerk", 1), ("code:memexlab/0.1", 0)}


@pytest.mark.parametrize("together", [True, False])
def test_claims_of_an_agent_follow_a_file_that_moves(lab: Lab, monkeypatch: pytest.MonkeyPatch, together: bool) -> None:
    put(lab, kiln=KILN)
    by_agent(lab, monkeypatch, PEAT, MILL)
    (lab.root / "raw" / "old").mkdir()
    there = (lab.root / "raw" / "kiln.md").rename(lab.root / "raw" / "old" / "oven.md")
    if not together:
        lab.ingest([there])  # that the other one is gone is seen later
    assert again(lab).carried == 2
    page = pages(lab)["kiln.md"]
    assert "**Fuel:** peat" in page
    assert "raw/old/oven.md" in page


def test_of_a_changed_file_the_claims_stay_whose_words_stay(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    put(lab, kiln=KILN)
    by_agent(lab, monkeypatch, PEAT, MILL)
    edit(lab, "kiln.md", "**Fuel:** peat", "**Fuel:** dry peat")
    done = put(lab, kiln="Ühr.\n\n" + KILN.replace("2001", "2002").replace("by the mill", "by the lake"))
    assert (done.carried, [f.message.split(" are ")[0] for f in done.findings]) == (1, ["1 claims of agent:clerk"])
    page = pages(lab)["kiln.md"]
    assert "**Fuel:** dry peat" in page
    assert "**Place:**" not in page
    assert put(lab, kiln=KILN).carried == 2
    assert "**Place:** the mill" in pages(lab)["kiln.md"]
    assert pages(lab)["kiln.md"].count("**Fuel:**") == 1


SHED = "# Shed\n\nThe shed of Orla has a red door. The roof is made of slate. A key hangs by the door.\n"


@pytest.mark.parametrize("then", ["moved", "moved and changed", "retitled", "copied", "copied before", "moved twice"])
def test_what_a_person_withdrew_or_worded_anew_stays_so(lab: Lab, then: str) -> None:
    put(lab, shed=SHED, other="# Barn\n\nThe barn has no key. The roof is made of slate.\n")
    edit(lab, "shed.md", line_with(pages(lab)["shed.md"], "made of slate"), "")
    edit(lab, "shed.md", "A key hangs by", "A rusty key hangs by")
    raw = lab.root / "raw"
    (raw / "garden").mkdir()
    if "moved" in then:
        (raw / "shed.md").rename(raw / "garden" / "hut.md")
    if then == "moved twice":
        again(lab)
        edit(lab, "shed.md", "A rusty key hangs by", "A rusty old key hangs by")
        (raw / "garden" / "hut.md").rename(raw / "last.md")
        again(lab)
        (raw / "last.md").write_text(SHED.replace("red", "blue"))
    if then == "moved and changed":
        again(lab)
        (raw / "garden" / "hut.md").write_text(SHED.replace("red", "blue"))
    if then == "retitled":
        (raw / "shed.md").write_text(SHED.replace("# Shed", "# SHED"))
    if "copied" in then:
        shutil.copy(raw / "shed.md", raw / ("a copy.md" if "before" in then else "shed copy.md"))
    again(lab)
    page = next(text for name, text in pages(lab).items() if name.casefold() == "shed.md")
    assert "made of slate" not in page
    assert [line.count("key hangs") for line in page.split("\n") if "key hangs" in line and CLAIMED.search(line)] == [1]
    assert "A rusty" in line_with(page, "key hangs")
    assert "made of slate" in pages(lab)["barn.md"]  # another's words
    before = pages(lab)
    lab.rebuild()
    assert again(lab).wiki.written == 0
    for kept in (lab.root / ".memex").glob("resolved.db*"):
        kept.unlink()
    assert again(lab).wiki.written == 0
    assert pages(lab) == before


def test_a_line_worded_anew_in_two_files_stays_one(lab: Lab) -> None:
    """A claim keeps the name under which a person knows it, though a source before it says the same by now."""
    put(lab, one="# Note 1\n\nTarn Mill is a mill by a lake. The height of Tarn Mill is 9 metres.\n",
        two="# Note 2\n\nTarn Mill is a mill by a lake. The height of Tarn Mill is 9 metres.\n")  # fmt: skip
    edit(lab, "tarn-mill.md", "a mill by a lake.", "a mill by a small lake.")
    put(lab, another="# Note 0\n\nTarn Mill is a mill by a lake.\n")
    assert pages(lab)["tarn-mill.md"].count("- Tarn Mill is a mill by a") == 1
    assert "small lake" in line_with(pages(lab)["tarn-mill.md"], "Tarn Mill is a mill")


@pytest.mark.parametrize("renamed", [True, False])
def test_a_file_with_another_title_keeps_its_page_and_all_that_a_person_did_to_it(lab: Lab, renamed: bool) -> None:
    put(lab, note=SHED, other="# Barn\n\nThe barn stands near [[Shed]]. It has no key.\n")
    page = lab.root / "wiki" / "shed.md"
    page.write_text(page.read_text().replace("# Shed\n", "# Shed\n\nMine, and it leaks.\n"))
    lab.sync()
    if renamed:
        page.rename(lab.root / "wiki" / "my-shed.md")
        lab.sync()
    put(lab, note=SHED.replace("# Shed", "# Hut of Orla"))
    name = "my-shed.md" if renamed else "hut-of-orla.md"
    made = pages(lab)
    assert made.keys() == {name, "barn.md", "index.md", "log.md"}
    assert "Mine, and it leaks." in made[name]
    assert "Shed" in made[name].split("aliases: [")[1].split("\n")[0]
    assert "# Hut of Orla" in made[name]
    assert f"[[{name[:-3]}|Shed]]" in made["barn.md"]
    assert again(lab).wiki.written == 0


def weekly(day: str, price: int) -> str:
    return f"---\ntitle: Weekly round\ndate: {day}\n---\n\nThe price of Tarn Oil is {price} kroner. We chose a logo.\n"


def test_each_of_several_files_of_one_title_has_a_page_told_apart_by_date_or_place(lab: Lab) -> None:
    put(lab, first=weekly("2024-03-04", 5))
    alone = pages(lab)
    edit(lab, "weekly-round.md", "We chose a logo.", "We chose a round logo.")
    for folder, words in (("mole", "The mole is fed at noon. It likes worms."), ("hare", "The hare sleeps late.")):
        (lab.root / "raw" / folder).mkdir()
        (lab.root / "raw" / folder / "README.md").write_text(f"# README\n\n{words}\n")
    put(lab, second=weekly("2024-03-11", 7))
    made = pages(lab)
    assert {"weekly-round-2024-03-04.md", "weekly-round-2024-03-11.md", "readme-mole.md", "readme-hare.md"} < set(made)
    assert "We chose a round logo." in made["weekly-round-2024-03-04.md"]  # the edit stays with its source
    assert "We chose a logo." in made["weekly-round-2024-03-11.md"]
    assert "# Weekly round (2024-03-11)" in made["weekly-round-2024-03-11.md"]
    assert "mole" not in made["readme-hare.md"]
    oil = made["tarn-oil.md"]
    assert "[!contradiction] Price" in oil
    assert "[[weekly-round-2024-03-04|Weekly round (2024-03-04)]]: “" in oil
    for kept in (lab.root / ".memex").glob("resolved.db*"):
        kept.unlink()
    assert again(lab).wiki.written == 0
    assert lab.sync().found.pages == []
    (lab.root / "raw" / "second.md").unlink()
    shutil.rmtree(lab.root / "raw" / "mole")
    shutil.rmtree(lab.root / "raw" / "hare")
    again(lab)
    page = lab.root / "wiki" / "weekly-round.md"
    page.write_text(page.read_text().replace("a round logo", "a logo"))
    lab.sync()
    assert pages(lab).keys() == alone.keys()


def test_what_files_of_one_title_say_of_the_thing_differs_on_its_page(lab: Lab) -> None:
    tower = "# Gull Tower\n\nThe height of Gull Tower is {n} metres. A keeper lives {where}.\n"
    put(lab, a=tower.format(n=30, where="below"), b=tower.format(n=40, where="above"))
    made = pages(lab)
    assert {"gull-tower.md", "gull-tower-a.md", "gull-tower-b.md"} < made.keys()
    assert "[!contradiction] Height" in made["gull-tower.md"]
    assert ("below" in made["gull-tower-a.md"], "above" in made["gull-tower-a.md"]) == (True, False)
    answer = str(lab.ask("What is the height of Gull Tower?"))
    assert "30 metres" in answer
    assert "40 metres" in answer
    shutil.copy(lab.root / "raw" / "a.md", lab.root / "raw" / "again.md")  # a copy is no other source
    again(lab)
    assert pages(lab).keys() == made.keys()


def test_a_file_that_calls_itself_by_the_name_of_another_page_waits_for_a_person(lab: Lab) -> None:
    said = "# Round {n}\n\nPresent: Iris Vane, Omar Lund.\n\nThe tide was {n} feet.\n"
    put(lab, one=said.format(n=1), two=said.format(n=2))
    before = pages(lab)
    assert "iris-vane.md" in before
    head = "---\ntitle: Odd note\naliases: [Iris Vane, Oddment]\n---\n\nThe odd note is empty of all sense.\n"
    put(lab, odd=head, three="# Three\n\nThe Oddment is read by nobody at all.\n")
    made = pages(lab)
    assert "Round 1" in made["iris-vane.md"]
    assert "Iris Vane" not in made["odd-note.md"].split("---")[1]
    assert "Oddment" in made["odd-note.md"].split("---")[1]  # nobody else has a page of that name
    [waits] = [item for item in lab.review().items if item.kind == "merge"]  # type: ignore[union-attr]
    assert (waits.text, "raw/odd.md" in waits.why) == ("Iris Vane | Odd note", True)
    lab.review(waits.id, "accept", why="it is so")
    assert "iris-vane.md" not in pages(lab)
    assert "Round 1" in pages(lab)["odd-note.md"]


def test_a_file_called_by_a_word_of_no_meaning_is_linked_from_no_sentence(lab: Lab) -> None:
    put(lab, x="---\ntitle: A\n---\n\nThis says nothing much of all that.\n")
    put(lab, it="# It\n\nA novel was written about it.\n", c="# Cee\n\nThe cee is red.\n")
    put(lab, heat="# Heat\n\nA heat of 30 °C was felt. It was a hot day in the Town of [[It]].\n")
    page = pages(lab)["heat.md"]
    assert "[[a|" not in page
    assert "[[cee|" not in page
    assert "[[it|It]] was" not in page


def test_a_note_of_a_person_keeps_its_name_and_the_page_takes_another(lab: Lab) -> None:
    (lab.root / "wiki").mkdir()
    (lab.root / "wiki" / "shed.md").write_text("# My shed\n\nPaint it soon.\n")
    done = put(lab, shed=SHED, other="# Barn\n\nThe barn stands near [[Shed]]. It has no key.\n")
    assert done.findings == ()
    made = pages(lab)
    assert made["shed.md"] == "# My shed\n\nPaint it soon.\n"
    [name] = [name for name in made if name.startswith("shed-")]
    assert "made of slate" in made[name]
    assert f"[[{name[:-3]}|Shed]]" in made["barn.md"]
    assert "[[shed|My shed]]" in made["index.md"]
    assert again(lab).wiki.written == 0


def test_a_saved_answer_stays_while_its_words_do_and_is_named_when_they_go(lab: Lab) -> None:
    put(lab, pond="# Pond\n\nThe depth of Tarn Pond is 9 metres. A duck lives there.\n",
        other="# Lake\n\nTarn Pond is a pond in the park.\n")  # fmt: skip
    lab.ask("What is the depth of Tarn Pond?", save=True)
    [name] = [name for name in pages(lab) if name.startswith("question-")]
    done = put(lab, pond="# Pond\n\nNew.\n\nThe depth of Tarn Pond is 9 metres. A goose lives there.\n")
    assert "9 metres" in pages(lab)[name]
    assert "raw/pond.md#L5" in pages(lab)[name]
    assert done.findings == ()
    done = put(lab, pond="# Pond\n\nThe depth of Tarn Pond is 8 metres.\n")
    [told] = done.findings
    assert (told.rule, told.where) == ("answer-withdrawn", f"wiki/{name}")
    assert told.hint == 'memex ask --save "What is the depth of Tarn Pond?"'
    assert name not in pages(lab)
    assert again(lab).findings == ()


def test_a_page_moved_into_a_folder_is_put_back_with_the_edits_in_it(lab: Lab) -> None:
    put(lab, shed=SHED)
    page = lab.root / "wiki" / "shed.md"
    (lab.root / "wiki" / "huts").mkdir()
    (lab.root / "wiki" / "huts" / "barn.md").write_text("Mine.\n")
    moved = page.rename(lab.root / "wiki" / "huts" / "shed.md")
    moved.write_text(moved.read_text() + "\nIt leaks.\n")
    done = lab.sync()
    assert [finding.rule for finding in done.found.findings] == ["page-moved"]
    assert "\nIt leaks.\n" in page.read_text()
    assert [path.name for path in (lab.root / "wiki" / "huts").iterdir()] == ["barn.md"]
    assert lab.sync().found.findings == []
