"""Edits by hand: whatever a person does to a page, no rendering loses it, and nothing else changes."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from memexlab.api import Lab
from memexlab.wiki import vault
from memexlab.wiki.blocks import CLAIMED, join, parse, unescaped
from memexlab.wiki.subjects import safe

DATA = Path(__file__).parent / "data" / "wiki"
FILES = sorted(path for part in ("peps", "notes") for path in (DATA / part).iterdir())


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("MEMEX_BY", "human:ada")
    (tmp_path / "raw").mkdir()
    (tmp_path / "memex.toml").write_text('[lab]\nname = "test"\n')
    for file in FILES:
        shutil.copy(file, tmp_path / "raw" / file.name)
    lab = Lab(tmp_path)
    lab.ingest([tmp_path / "raw"])
    return lab


def files(lab: Lab) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted((lab.root / "wiki").iterdir())}


def edit(lab: Lab, name: str, old: str, new: str) -> None:
    path = lab.root / "wiki" / name
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, (old, text)
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_blocks_joined_again_are_the_page(lab: Lab) -> None:
    for text in files(lab).values():
        assert join(parse(text)) == text
    for words in ("a [b] `c [d]` <e> \\[f", "one ^two == %%x%% \\", "`` ` `` and $$"):
        assert unescaped(safe(words)) == words


def test_a_changed_block_is_a_claim_of_that_person_in_place_of_the_one_it_was(lab: Lab) -> None:
    before = files(lab)
    line = next(
        text for text in before["harbour-bridge.md"].split("\n") if "134 metres" in text and CLAIMED.search(text)
    )
    claim = CLAIMED.search(line)[1]
    edit(lab, "harbour-bridge.md", line, line.replace("134 metres", "135 metres"))
    synced = lab.sync()
    assert (synced.found.changed, synced.found.added, synced.found.withdrawn) == (1, 0, 0)
    after = files(lab)
    [mine] = [text for text in after["harbour-bridge.md"].split("\n") if claim in text]
    assert "135 metres" in mine
    assert mine.endswith(f" (said by ada) ^{claim}")  # no quote says 135
    assert {name for name in after if after[name] != before[name]} <= {"harbour-bridge.md", "index.md"}
    [(by, old)] = lab.memory.db.execute(
        "select e.by, x.body ->> '$.text' from entries e join refs r using (seq) join entries x on x.id = r.target"
        " where r.role = 'supersedes' and e.key like 'sync:%'"
    ).fetchall()
    assert by == "human:ada"
    assert "134" in old
    assert lab.sync().wiki.written == 0


def test_an_edit_of_the_same_size_and_date_is_found(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault, "_SETTLED_NS", 0)
    assert lab.sync().wiki.written == 0
    with sqlite3.connect(lab.root / ".memex" / "pages.db") as db:  # no page is read again
        assert {name for (name,) in db.execute("SELECT path FROM stamps")} == files(lab).keys()
    path = lab.root / "wiki" / "harbour-bridge.md"
    line = next(t for t in path.read_text().split("\n") if "134 metres" in t and CLAIMED.search(t))
    was = path.stat()
    time.sleep(0.05)  # longer than a tick of the clock of files
    edit(lab, "harbour-bridge.md", line, line.replace("134 metres", "135 metres"))
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert path.stat().st_size == was.st_size
    assert lab.sync().found.changed == 1
    assert "135 metres" in path.read_text()


def test_without_what_was_last_written_the_pages_are_the_same(lab: Lab) -> None:
    before = files(lab)
    for path in (lab.root / ".memex").glob("pages.db*"):
        path.unlink()
    assert lab.sync().wiki.written == 0
    shutil.rmtree(lab.root / "wiki")
    lab.sync()
    assert files(lab) == before


def test_an_edit_that_its_quotes_still_bear_keeps_them(lab: Lab) -> None:
    line = next(t for t in files(lab)["harbour-bridge.md"].split("\n") if "134 metres" in t and CLAIMED.search(t))
    edit(lab, "harbour-bridge.md", line, line.replace("The height of", "Indeed the height of"))
    lab.sync()
    [mine] = [text for text in files(lab)["harbour-bridge.md"].split("\n") if "Indeed" in text]
    assert mine == line.replace("The height of", "Indeed the height of")
    roles = lab.memory.db.execute("select distinct role from refs join entries using (seq) where key like 'sync:%'")
    assert {role for (role,) in roles} == {"supersedes", "quotes", "from"}


def test_a_value_that_no_quote_holds_loses_its_footnote(lab: Lab) -> None:
    (lab.root / "raw" / "mast.md").write_text("---\ntitle: Gull Mast\ntags: [mast]\n---\n\nThe mast is red and tall.\n")
    lab.ingest([lab.root / "raw"])
    line = next(t for t in files(lab)["gull-mast.md"].split("\n") if t.startswith("- **Tag:** mast"))
    edit(lab, "gull-mast.md", line, line.replace(" mast", " radio mast"))
    lab.sync()
    [mine] = [t for t in files(lab)["gull-mast.md"].split("\n") if "radio mast" in t]
    assert "[^" not in mine
    assert "(said by ada)" in mine


def test_what_sources_say_never_moves_under_the_heading_of_a_person(lab: Lab) -> None:
    source = lab.root / "raw" / "mast.md"
    source.write_text(
        "---\ntitle: Gull Mast\n---\n\nThe mast stands in the north. The sea is near.\n\nIt is red. The lamp works.\n"
    )
    lab.ingest([lab.root / "raw"])
    line = next(t for t in files(lab)["gull-mast.md"].split("\n") if "- The lamp works." in t)
    edit(lab, "gull-mast.md", line, f"{line}\n\n## Open questions\n\nWho paints it?")
    lab.sync()
    source.write_text(source.read_text().replace("The lamp works.", "The lamp is out of order. A key hangs there."))
    lab.ingest([lab.root / "raw"])
    page = files(lab)["gull-mast.md"]
    assert page.index("A key hangs there.") < page.index("## Open questions")
    assert page.split("## Open questions")[1].split("[^1]:")[0].strip() == "Who paints it?"


def test_what_is_added_stays_in_its_place_word_for_word(lab: Lab) -> None:
    added = (
        "My *own* <u>words</u> about [[pep-386]] and [a link](https://example.org).[^mine]\n\n- one\n- two\n  - three\n"
        "\n```python\nx = 1\n\n\ny = 2\n```\n\n## My section\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"
        "[^mine]: I was there.\n\n"
    )
    edit(lab, "harbour-bridge.md", "## Timeline\n", f"{added}## Timeline\n")
    now = (lab.root / "wiki" / "harbour-bridge.md").read_text()
    lab.sync()
    page = files(lab)["harbour-bridge.md"]
    body = added.replace("[^mine]: I was there.\n\n", "")
    assert body in page
    assert page.count("[^mine]: I was there.") == 1
    assert page.replace("[^mine]: I was there.\n", "").rstrip() == now.replace("[^mine]: I was there.\n\n", "").rstrip()
    (lab.root / "raw" / "survey.md").unlink()
    lab.ingest([lab.root / "raw"])
    assert body in files(lab)["harbour-bridge.md"]
    lab.rebuild()
    lab.ingest([lab.root / "raw"])
    assert body in files(lab)["harbour-bridge.md"]


def test_what_is_deleted_is_withdrawn_and_stays_away(lab: Lab) -> None:
    line = next(t for t in files(lab)["harbour-bridge.md"].split("\n") if "129 metres" in t and CLAIMED.search(t))
    edit(lab, "harbour-bridge.md", f"{line}\n", "")
    assert lab.sync().found.withdrawn == 1
    claim = CLAIMED.search(line)[1]
    page = files(lab)["harbour-bridge.md"]
    assert claim not in page
    assert "[!contradiction]" not in page
    reasons = lab.memory.db.execute("select body ->> '$.reason' from entries where kind = 'verdict'").fetchall()
    assert [tuple(row) for row in reasons] == [("deleted by hand in wiki/harbour-bridge.md",)]
    survey = lab.root / "raw" / "survey.md"
    survey.write_text(survey.read_text() + "\nA line at the end that changes the file and says nothing new.\n")
    lab.ingest([lab.root / "raw"])
    assert claim not in files(lab)["harbour-bridge.md"]


def test_a_compile_takes_edits_in_first(lab: Lab) -> None:
    edit(lab, "harbour-bridge.md", "## Timeline\n", "I saw it myself.\n\n## Timeline\n")
    (lab.root / "raw" / "survey.md").unlink()
    taken = lab.ingest([lab.root / "raw"])
    assert "by hand: 0 blocks changed, 1 added" in str(taken)
    page = files(lab)["harbour-bridge.md"]
    assert "\nI saw it myself.\n\n## Timeline\n" in page
    assert "129" not in page


def test_words_outlive_the_sources_of_their_page(lab: Lab) -> None:
    edit(lab, "pep-386.md", "## Facts\n", "Remember this.\n\n## Facts\n")
    line = next(t for t in files(lab)["pep-386.md"].split("\n") if "**Topic:**" in t)
    edit(lab, "pep-386.md", line, line.replace("Packaging", "Packaging indeed"))
    lab.sync()
    before = files(lab)
    (lab.root / "raw" / "pep-0386.rst").rename(lab.root / "kept.rst")
    lab.ingest([lab.root / "raw"])
    page = files(lab)["pep-386.md"]
    assert "Remember this." in page
    assert "Packaging indeed (said by ada)" in page
    assert "Standards Track" not in page
    (lab.root / "kept.rst").rename(lab.root / "raw" / "pep-0386.rst")
    lab.ingest([lab.root / "raw"])
    assert files(lab) == before


def test_a_renamed_page_takes_its_links_along(lab: Lab) -> None:
    before = files(lab)
    linking = [name for name, text in before.items() if "[[harbour-bridge|" in text]
    assert linking
    (lab.root / "wiki" / "harbour-bridge.md").rename(lab.root / "wiki" / "The Bridge.md")
    own = lab.root / "wiki" / "pep-386.md"
    own.write_text(own.read_text().replace("## Facts\n", "See [[harbour-bridge]].\n\n## Facts\n"))
    synced = lab.sync()
    assert synced.found.renamed == [("harbour-bridge.md", "The Bridge.md")]
    after = files(lab)
    assert "harbour-bridge.md" not in after
    assert '"harbour-bridge"' in after["The Bridge.md"].split("aliases: ")[1].split("\n")[0]
    assert all("[[The Bridge|" in after[name] and "[[harbour-bridge|" not in after[name] for name in linking)
    assert "See [[The Bridge]]." in after["pep-386.md"]
    assert lab.sync().wiki.written == 0


def test_names_that_are_joined_have_one_page(lab: Lab) -> None:
    assert {"harbour-bridge.md", "survey-of-the-bay.md"} <= files(lab).keys()
    edit(
        lab, "survey-of-the-bay.md", "# Survey of the bay\n", "# Survey of the bay\n\nSee [[survey-of-the-bay|here]].\n"
    )
    lab.sync()
    lab.same("Survey of the bay", "Harbour Bridge", why="one work", undo=False)
    lab.sync()
    after = files(lab)
    assert "survey-of-the-bay.md" not in after
    assert '"Survey of the bay"' in after["harbour-bridge.md"].split("aliases: ")[1].split("\n")[0]
    assert not any("[[survey-of-the-bay" in text for text in after.values())
    assert "See [[harbour-bridge|here]]." in after["harbour-bridge.md"]
    lab.same("Survey of the bay", "Harbour Bridge", why="they are two", undo=True)
    lab.sync()
    assert "See [[survey-of-the-bay|here]]." in files(lab)["survey-of-the-bay.md"]


def test_notes_outside_the_wiki_are_never_touched(lab: Lab) -> None:
    vault = lab.root / "notes"
    vault.mkdir()
    note = vault / "mine.md"
    note.write_text("# Mine\n\nThe [[Harbour Bridge]] is where I walked on 3 March 2020 with a friend of mine.\n")
    stamp = note.stat().st_mtime_ns
    lab.ingest([lab.root])
    lab.sync()
    assert note.stat().st_mtime_ns == stamp
    assert "mine.md" in files(lab)


def one_edit(rng: random.Random, folder: Path, token: str, mine: dict[str, str]) -> None:
    """One change as people make them; `mine` holds what must be on a page from now on, by its token."""
    path = rng.choice(sorted(folder.glob("*.md")))
    lines = path.read_text(encoding="utf-8").split("\n")
    body = next((i for i, line in enumerate(lines) if line.startswith("# ")), 0)
    end = next((i for i, line in enumerate(lines) if line.startswith("[^")), len(lines))
    fenced = [sum(line.startswith("```") for line in lines[:i]) % 2 or lines[i].startswith("```") for i in range(end)]
    places = [i for i in range(body, end) if lines[i].strip() and not fenced[i]]
    i = rng.choice(places)
    kind = rng.choice(["claim", "paragraph", "item", "section", "delete", "fence"])
    if kind == "claim":
        at = CLAIMED.search(lines[i])
        if at is None or any(old in lines[i] for old in mine):
            kind = "paragraph"
        else:
            place = lines[i].find("[^") if "[^" in lines[i] else at.start()
            lines[i] = f"{lines[i][:place]} {token} said so{lines[i][place:]}"
            mine[token] = f"{lines[i][:place]} {token} said so".split("[[")[-1].split("]]")[-1]
    if kind == "delete":
        for old in [old for old in mine if old in lines[i]]:
            if old in lines[i]:
                del mine[old]
        if not lines[i].startswith(("#", ">", "```")) and not lines[max(0, i - 1)].startswith("```"):
            del lines[i]
        else:
            kind = "paragraph"
    text = {"paragraph": f"Words of {token} with *stress* and `code`.",
            "section": f"## Section {token}\n\nUnder {token}x.",
            "fence": f"```\n{token}\n\n  kept\n```"}.get(kind)  # fmt: skip
    if text is not None:
        while i < end and lines[i].strip():
            i += 1
        lines[i:i] = ["", text, ""]
        mine[token] = text
    if kind == "item":
        lines[i : i + 1] = [lines[i], f"- item {token}"] if lines[i].startswith("- ") else [lines[i]]
        if lines[i].startswith("- "):
            mine[token] = f"- item {token}"
    path.write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.slow
def test_two_hundred_random_edits_between_compiles_lose_nothing(lab: Lab) -> None:
    rng = random.Random(11)
    mine: dict[str, str] = {}
    raw, aside = lab.root / "raw", lab.root / "aside"
    aside.mkdir()
    for turn in range(200):
        one_edit(rng, lab.root / "wiki", f"zq{turn}q", mine)
        match rng.randrange(8):
            case 0 | 1:
                lab.sync()
            case 2:
                lab.ingest([raw])
            case 3:  # a source changes, and its pages with it
                path = rng.choice(sorted(raw.iterdir()))
                path.write_text(path.read_text(encoding="utf-8") + f"\nThe width of Bay Ferry is {turn} metres.\n")
                lab.ingest([raw])
            case 4:  # a source goes, or comes back
                gone = sorted(aside.iterdir())
                path = rng.choice(gone or sorted(raw.iterdir()))
                path.rename((raw if gone else aside) / path.name)
                lab.ingest([raw])
            case _:
                pass  # more edits before anything is taken in
        if turn % 25 == 24:
            lab.sync()
            whole = "\n".join(files(lab).values())
            lost = {token: part for token, words in mine.items() for part in words.split("\n") if part not in whole}
            assert not lost, turn
    lab.sync()
    before = files(lab)
    assert lab.ingest([raw]).compiled.wiki.written == 0
    assert files(lab) == before
    assert len(mine) > 100
    lab.rebuild()
    lab.ingest([raw])
    assert files(lab) == before
