"""The review queue: what waits, what judging it does, and that verdicts outlive a rebuild."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from memexlab.api import Lab
from memexlab.ledger import Draft, Ref, Source, UsageError
from memexlab.wiki.blocks import parse
from memexlab.wiki.incremental import reading
from memexlab.wiki.review import Item

NOTES = Path(__file__).parent / "data" / "wiki" / "notes"


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("MEMEX_BY", "human:ada")
    (tmp_path / "raw").mkdir()
    (tmp_path / "memex.toml").write_text('[lab]\nname = "test"\n')
    for file in sorted(NOTES.iterdir()):
        shutil.copy(file, tmp_path / "raw" / file.name)
    lab = Lab(tmp_path)
    lab.ingest([tmp_path / "raw"])
    return lab


def waiting(lab: Lab, kind: str) -> list[Item]:
    return [item for item in lab.review().items if item.kind == kind]


def bridge(lab: Lab) -> str:
    return (lab.root / "wiki" / "harbour-bridge.md").read_text(encoding="utf-8")


def test_a_contradiction_waits_until_it_is_judged(lab: Lab) -> None:
    [item] = waiting(lab, "contradiction")
    assert (item.subject, item.text, item.page) == (
        "Harbour Bridge",
        "height: 134 metres | 129 metres",
        "harbour-bridge",
    )
    with reading(lab.memory, lab.root) as stands:
        wiki = stands.pages(stands.differing)
        rendered = parse(wiki.page(next(p for p in wiki.subjects.pages.values() if p.slug == item.page)))
    assert [block.text.split(":")[0] for block in rendered if block.name == item.block] == ["> [!contradiction] Height"]
    lab.review(item.id, "accept", why="nobody can say")
    assert waiting(lab, "contradiction") == []
    assert "[!contradiction]" in bridge(lab)
    lab.rebuild()
    assert waiting(lab, "contradiction") == []


def test_one_that_is_none_leaves_the_page(lab: Lab) -> None:
    [item] = waiting(lab, "contradiction")
    done = lab.review(item.id, "reject", why="one is the deck, one is the tower")
    assert done.decided is not None
    assert "[!contradiction]" not in bridge(lab)
    lab.rebuild()
    lab.ingest([lab.root / "raw"])
    assert "[!contradiction]" not in bridge(lab)
    assert lab.lint().exit_code == 0


def test_an_edit_puts_the_words_of_a_person_in_place_of_the_callout(lab: Lab) -> None:
    [item] = waiting(lab, "contradiction")
    lab.review(item.id, "edit", text="The towers are 134 metres, the deck is 129.", why="I measured both")
    assert "\n\nThe towers are 134 metres, the deck is 129. (said by ada)\n\n" in bridge(lab)
    assert "[!contradiction]" not in bridge(lab)
    assert lab.sync().wiki.written == 0


def test_names_that_are_near_are_joined_or_kept_apart(lab: Lab) -> None:
    raw = lab.root / "raw"
    for name, words in (("one", "Colour Wheel"), ("two", "Color Wheels")):
        (raw / f"{name}.md").write_text(
            f"# Note {name}\n\nThe {words} is a tool that painters use every day to mix what they need.\n"
        )
    lab.ingest([raw])
    pairs = waiting(lab, "merge")
    assert pairs
    rest = [item.id for item in pairs[1:]]
    lab.review(pairs[0].id, "reject", why="they are two")
    assert [item.id for item in waiting(lab, "merge")] == rest
    for item in rest:
        lab.review(item, "accept", why="they are one")
    assert waiting(lab, "merge") == []
    lab.rebuild()
    assert waiting(lab, "merge") == []


def test_a_claim_that_was_refused_may_be_said_by_a_person(lab: Lab) -> None:
    text = "The height of the Harbour Bridge is 777 metres."
    lost = [["Harbour Bridge", text, "the number '777' is in no quote of this claim"]]
    (lab.root / "raw" / "guess.txt").write_text("The bridge is high, as everybody in the town can see for himself.\n")
    blob = lab.memory.blobs.put(b"The bridge is high.\n")
    meta = {"document": "raw/guess.txt", "path": "raw/guess.txt", "digest": blob, "version": 1, "refused": lost}
    lab.memory.land([Draft("source:raw/guess.txt", Source("A guess", meta=meta), (Ref("file", blob),))], "code:test")
    found = waiting(lab, "refused")
    assert [item.text for item in found] == [text]
    lab.review(found[0].id, "accept", why="I know it")
    assert found[0].id not in [item.id for item in waiting(lab, "refused")]
    assert f"\n{text} (said by ada)\n" in bridge(lab)
    assert lab.sync().wiki.written == 0


def test_what_cannot_be_judged_is_said(lab: Lab) -> None:
    [item] = waiting(lab, "contradiction")
    with pytest.raises(UsageError, match="nothing in the queue"):
        lab.review("nothing", "accept", why="x")
    with pytest.raises(UsageError, match="a reason is needed"):
        lab.review(item.id, "accept")
    with pytest.raises(UsageError, match="an edit gives the words"):
        lab.review(item.id, "edit", why="x")
    with pytest.raises(UsageError, match="an item and a decision"):
        lab.review(item.id)


def test_yes_accepts_merges_and_leaves_contradictions_open(lab: Lab) -> None:
    for name, words in (("one", "Colour Wheel"), ("two", "Color Wheels")):
        text = f"# Note {name}\n\nThe {words} is a tool that painters use every day to mix what they need.\n"
        (lab.root / "raw" / f"{name}.md").write_text(text)
    before = len(waiting(lab, "contradiction"))
    done = lab.ingest([lab.root / "raw"], yes=True)
    assert done.accepted >= 1
    assert waiting(lab, "merge") == []
    assert len(waiting(lab, "contradiction")) == before > 0
    assert lab.ingest([lab.root / "raw"], yes=True).accepted == 0
