"""Lines that a person words anew keep their footnote where the quote still bears them, and no longer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from memexlab.api import Lab
from memexlab.wiki.blocks import CLAIMED, MARK

# What the source says, and what a person makes of it.
HARMLESS = [
    ("The Vega mill grinds rye and barley.", "The Vega mill grinds barley and rye."),
    ("The Orme lighthouse was built in 1862.", "In 1862 the Orme lighthouse was built."),
    ("The Tarn dam holds 40 million litres of water.", "Indeed, the Tarn dam holds 40 million litres of water."),
    ("The Kestrel archive keeps letters of the guild.", "The Kestrel archive keeps the guild's letters."),
    ("Otto Brandt designed the Linden school.", "The Linden school was designed by Otto Brandt."),
    ("The Marsh tram has 14 stops.", "There are 14 stops on the Marsh tram."),
    ("The Fenn bakery opens at 6 in the morning.", "At 6 in the morning the Fenn bakery opens."),
    ("The Rook theatre seats 320 people.", "The Rook theatre holds 320 people."),
    ("The Alder press printed maps of the coast.", "The Alder press printed coast maps."),
    ("The Sorrel ferry does not run in winter.", "In winter the Sorrel ferry does not run."),
    ("The Hale furnace reaches about 900 degrees.", "The Hale furnace reaches approximately 900 degrees."),
    ("The Birch library lends books to every pupil.", "The Birch library lends every pupil books."),
    ("The Pine quarry sells slate and gravel.", "Slate and gravel are sold by the Pine quarry."),
    ("The Wren clock was repaired by Ida Holm.", "Ida Holm repaired the Wren clock."),
    ("The Dover kiln may crack in frost.", "In frost the Dover kiln may crack."),
    ("The Moss canal is 12 km long.", "The length of the Moss canal is 12 km."),
    ("The Gale windmill uses canvas sails.", "The Gale windmill uses sails of canvas."),
    ("The Reed chapel has only one bell.", "The Reed chapel has just one bell."),
    ("The Flint museum shows tools from the mines.", "The Flint museum shows tools that are from the mines."),
    ("The Larch nursery grows oaks, limes and elms.", "The Larch nursery grows oaks, elms and limes."),
]
CHANGING = [
    ("The Vega mill grinds rye and barley.", "The Vega mill never grinds rye and barley."),
    ("The Orme lighthouse was built in 1862.", "The Orme lighthouse was built in 1826."),
    ("The Tarn dam holds 40 million litres of water.", "The Tarn dam holds 40 million litres of water (without mud)."),
    ("The Kestrel archive keeps letters of the guild.", "The Kestrel archive burns letters of the guild."),
    ("Otto Brandt designed the Linden school.", "Otto Brandt and Eva Lund designed the Linden school."),
    ("The Marsh tram has 14 stops.", "The Marsh tram has 14 stops, I counted them myself."),
    ("The Fenn bakery opens at 6 in the morning.", "The Fenn bakery closes at 6 in the morning."),
    ("The Rook theatre seats 320 people.", "The Rook theatre seats 320 people comfortably."),
    ("The Alder press printed maps of the coast.", "The Alder press printed <b>false</b> maps of the coast."),
    ("The Sorrel ferry does not run in winter.", "The Sorrel ferry does run in winter."),
    ("The Hale furnace reaches about 900 degrees.", "The Hale furnace reaches 900 degrees."),
    ("The Birch library lends books to every pupil.", "The Birch library lends books to some pupils."),
    ("The Pine quarry sells slate and gravel.", "The Pine quarry buys slate and gravel."),
    ("The Wren clock was repaired by Ida Holm.", "Ida Holm was repaired by the Wren clock."),
    ("The Dover kiln may crack in frost.", "The Dover kiln must crack in frost."),
    ("The Moss canal is 12 km long.", "The Moss canal was 12 km long."),
    ("The Gale windmill uses canvas sails.", "The Gale windmill uses [canvas](https://example.org/x) sails."),
    ("The Reed chapel has only one bell.", "The Reed chapel has one bell."),
    ("The Flint museum shows tools from the mines.", "The Flint museum shows tools from the mines?"),
    ("The Larch nursery grows oaks, limes and elms.", "The Larch nursery hardly grows oaks, limes and elms."),
]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("MEMEX_BY", "human:ada")
    (tmp_path / "raw").mkdir()
    (tmp_path / "memex.toml").write_text('[lab]\nname = "test"\n')
    return Lab(tmp_path)


def take_in(lab: Lab, **texts: str) -> None:
    for name, text in texts.items():
        (lab.root / "raw" / f"{name}.md").write_text(text)
    lab.ingest([lab.root / "raw"])


def page(lab: Lab, name: str) -> str:
    return (lab.root / "wiki" / f"{name}.md").read_text(encoding="utf-8")


def line_of(lab: Lab, name: str, words: str) -> str:
    """The line of a claim, links apart."""
    plain = {re.sub(r"\[\[[^|\]]*\|([^\]]*)\]\]", r"\1", line): line for line in page(lab, name).split("\n")}
    return next(line for shown, line in plain.items() if words in shown and CLAIMED.search(shown))


def word_anew(lab: Lab, name: str, old: str, new: str) -> str:
    line = line_of(lab, name, old)
    shown = re.sub(r"\[\[[^|\]]*\|([^\]]*)\]\]", r"\1", line)
    path = lab.root / "wiki" / f"{name}.md"
    path.write_text(path.read_text().replace(line, shown.replace(old, new)), encoding="utf-8")
    return line


@pytest.mark.parametrize(("cases", "kept"), [(HARMLESS, True), (CHANGING, False)], ids=["harmless", "changing"])
def test_a_line_worded_anew_keeps_its_footnote_only_where_its_quote_bears_it(
    lab: Lab, cases: list[tuple[str, str]], kept: bool
) -> None:
    assert len(cases) == 20
    texts = {f"n{i}": f"---\ntitle: Note {i}\n---\n\n{old}\n" for i, (old, _) in enumerate(cases)}
    take_in(lab, **texts)
    lines = [word_anew(lab, f"note-{i}", old, new) for i, (old, new) in enumerate(cases)]
    assert lab.sync().found.changed == 20
    wrong = []
    for i, (line, (_, new)) in enumerate(zip(lines, cases, strict=True)):
        now = next(t for t in page(lab, f"note-{i}").split("\n") if CLAIMED.search(line)[0].strip() in t)
        assert new in now
        if (bool(MARK.search(now)), "(said by ada)" in now) != (kept, not kept):
            wrong.append(now)
    assert not wrong
    index = page(lab, "index")
    assert index.count("said by ada: ") == (0 if kept else 20)  # nor does the index lend it the source's voice


def test_markup_never_lends_the_words_of_a_person_the_voice_of_the_source(lab: Lab) -> None:
    take_in(lab, drum="---\ntitle: Drum log\n---\n\nThe drum turns 45 times a minute. The belt is new.\n")
    word_anew(
        lab,
        "drum-log",
        "45 times a minute.[^1]",
        "60 times, <img src=x onerror=alert(1)> [so](javascript:alert(1)) I saw",
    )
    assert lab.sync().found.changed == 1
    text = page(lab, "drum-log")
    assert 'description: "said by ada: The drum turns 60 times, so I saw"' in text
    assert "I saw (said by ada) ^c" in text
    assert "[^1]: “The drum turns 45" not in text  # nobody cites it


def test_an_edit_shows_wherever_its_sentence_is_told(lab: Lab) -> None:
    head = "---\ntitle: Gull Crane sheet\ndate: 2025-01-10\n---\n# Gull Crane\n\n"
    one = f"{head}Gull Crane weighs 40 kg. Gull Crane is red.\n"
    two = "---\ntitle: Gull Crane visit\ndate: 2026-02-01\n---\n# Visit\n\nThe weight of Gull Crane is 55 kg.\n"
    take_in(lab, one=one, two=two)
    assert "weighs 40 kg" in page(lab, "gull-crane")
    assert "says: “" not in page(lab, "gull-crane")
    word_anew(lab, "gull-crane-sheet", "weighs 40 kg.", "weighs 41 kg.")
    lab.sync()
    text = page(lab, "gull-crane")
    line = next(t for t in text.split("\n") if t.startswith("- ") and "40 kg" in t)
    assert re.search(r"\[\^\d+\] \(ada says: “Gull Crane weighs 41 kg\.”\) \^c\w{10}$", line)
    assert "> - **41 kg**, said by ada" in text
    assert "> - **40 kg**, [[gull-crane-sheet|Gull Crane sheet]], 2025-01-10" in text
    lab.rebuild()
    (lab.root / ".memex" / "resolved.db").unlink()
    lab.sync()
    assert page(lab, "gull-crane") == text
    edited = line.replace("40 kg", "42 kg")  # the mark is no word of theirs
    path = lab.root / "wiki" / "gull-crane.md"
    path.write_text(text.replace(line, edited))
    lab.sync()
    [mine] = [t for t in page(lab, "gull-crane").split("\n") if t.startswith("- ") and "42 kg" in t]
    assert "41 kg" not in mine
    assert mine.count("ada") == 1


def test_a_harmless_wording_says_nothing_elsewhere(lab: Lab) -> None:
    take_in(
        lab,
        one="---\ntitle: Gull Crane sheet\n---\n# Gull Crane\n\nGull Crane weighs 40 kg. Gull Crane is red.\n",
        two="---\ntitle: Gull Crane visit\n---\n# Visit\n\nThe weight of Gull Crane is 55 kg.\n",
    )
    word_anew(lab, "gull-crane-sheet", "weighs 40 kg.", "indeed weighs 40 kg.")
    lab.sync()
    assert "indeed weighs 40 kg.[^" in page(lab, "gull-crane-sheet")
    assert "ada" not in page(lab, "gull-crane")


def test_a_speaker_that_the_source_names_may_be_added(lab: Lab) -> None:
    mail = (
        "---\ntitle: Crane thread\nauthor: Mira Solberg\n---\n\nThe crane was painted on Monday. The cable is worn.\n"
    )
    take_in(lab, mail=mail)
    word_anew(lab, "crane-thread", "The crane was painted", "**Mira Solberg.** The crane was painted")
    word_anew(lab, "crane-thread", "The cable is worn", "**Jon Vik.** The cable is worn")
    lab.sync()
    assert "**Mira Solberg.** The crane was painted on Monday.[^" in page(lab, "crane-thread")
    assert "**Jon Vik.** The cable is worn. (said by ada)" in page(lab, "crane-thread")


def test_a_quote_is_of_its_source_whoever_writes_over_it(lab: Lab) -> None:
    take_in(lab, drum="---\ntitle: Drum log\n---\n\nThe drum turns 45 times a minute.\n")
    path = lab.root / "wiki" / "drum-log.md"
    path.write_text(path.read_text().replace("“The drum turns 45 times", "“The drum turns 54 times"))
    [told] = [f for f in lab.sync().found.findings if f.rule == "page-edited"]
    assert "“The drum turns 54 times a minute.”" in told.message
    text = page(lab, "drum-log")
    assert "“The drum turns 45 times a minute.” [raw/drum.md#L5]" in text
    assert "The drum turns 45 times a minute.[^1]" in text
    assert not [f for f in lab.lint().linted.findings if f.rule == "quote-changed"]
    before = text
    assert lab.sync().wiki.written == 0
    assert page(lab, "drum-log") == before
    path.write_text(before.replace("45 times", "54 times"))
    lab.sync()
    assert "The drum turns 54 times a minute. (said by ada)" in page(lab, "drum-log")  # a false quote bears nothing


def test_a_heading_that_is_called_otherwise_keeps_what_stands_under_it(lab: Lab) -> None:
    take_in(lab, drum="---\ntitle: Drum log\nauthor: Mira Solberg\n---\n\nThe drum turns. The belt is new.\n")
    before = page(lab, "drum-log")
    path = lab.root / "wiki" / "drum-log.md"
    path.write_text("\ufeff" + before.replace("## In short", "## Zusammengefasst"), encoding="utf-8")  # as Notepad does
    assert lab.sync().found.changed == 1
    assert path.read_bytes()[:4] == b"---\n"
    assert page(lab, "drum-log") == before.replace("## In short", "## Zusammengefasst")
    path.write_text("\ufeff" + page(lab, "drum-log"), encoding="utf-8")
    assert lab.sync().found.changed == 0
    assert path.read_bytes()[:4] == b"---\n"


def test_two_files_may_change_names(lab: Lab) -> None:
    take_in(
        lab,
        oak="---\ntitle: Oak\n---\n\nThe oak is a tree of the north. Its wood is hard.\n\nAcorns feed the jay.\n",
        elm="---\ntitle: Elm\n---\n\nThe elm grew in every street. A beetle killed it.\n\nFew stand today.\n",
    )
    wiki, was = lab.root / "wiki", {name: page(lab, name) for name in ("oak", "elm")}
    (wiki / "oak.md").write_text(was["elm"])
    (wiki / "elm.md").write_text(was["oak"])
    found = lab.sync().found
    assert sorted(found.renamed) == [("elm.md", "oak.md"), ("oak.md", "elm.md")]
    assert (found.changed, found.added, found.withdrawn) == (0, 0, 0)
    assert {name: page(lab, name) for name in was} == {"oak": was["elm"], "elm": was["oak"]}
    assert lab.sync().wiki.written == 0


def test_a_key_in_a_source_costs_its_page_nothing_else(lab: Lab) -> None:
    key = "ghp_" + "a1B2" * 10
    told = f"The host runs Debian. Its token is {key} for now.\n\nThe fan of the host is loud.\n"
    take_in(lab, host=f"---\ntitle: Host notes\n---\n\n{told}")
    text = page(lab, "host-notes")
    assert key not in text + page(lab, "index")
    assert "The host runs Debian." in text
    assert "The fan of the host is loud." in text
    assert "[[host-notes|Host notes]]" in page(lab, "index")
    [found] = [f for f in lab.lint().linted.findings if f.rule != "orphan"]
    assert (found.rule, found.where) == ("secret-in-source", "raw/host.md:5")
    assert key not in found.message


def test_a_quotation_shows_the_state_of_a_task(lab: Lab) -> None:
    tasks = "- [ ] bring Anke Moor the keys of the tower\n- [x] ask Anke Moor for the keys of the mill\n"
    who = "---\ntitle: Anke Moor\n---\n\nAnke Moor keeps the keys.\n"
    take_in(lab, day=f"---\ntitle: Friday\n---\n\n{tasks}", who=who)
    text = page(lab, "friday") + page(lab, "anke-moor")
    assert "☐ bring" in text
    assert "☑ ask" in text
    assert not [f for f in lab.lint().linted.findings if f.rule == "quote-changed"]


def test_a_line_without_a_claim_is_no_proof_of_other_words_either(lab: Lab) -> None:
    log = "---\ntitle: Drum log\n---\n\nOn the way home I saw that Anke Moor keeps the keys of the mill in a box.\n"
    take_in(lab, drum=log, who="---\ntitle: Anke Moor\n---\n\nAnke Moor keeps the keys.\n")
    path = lab.root / "wiki" / "anke-moor.md"
    line = next(t for t in path.read_text().split("\n") if "in a box.”[^" in t)
    assert not CLAIMED.search(line)
    path.write_text(path.read_text().replace(line, line.replace("in a box", "in no box")))
    lab.sync()
    [mine] = [t for t in page(lab, "anke-moor").split("\n") if "in no box" in t]
    assert mine.endswith("in no box.” (said by ada)")
    path.write_text(path.read_text().replace("in no box", "in no tin"))
    lab.sync()
    [mine] = [t for t in page(lab, "anke-moor").split("\n") if "in no tin" in t]
    assert mine.endswith("in no tin.” (said by ada)")
