"""What a reader sees: pages without stock sentences, claims of what has no page; and which pages are rendered again."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import pytest

from memexlab.api import Lab
from memexlab.commands.eval_wiki import Evaluated, planted
from memexlab.ledger import Finding
from memexlab.wiki.dates import same
from memexlab.wiki.drafting import Text, claim_from
from memexlab.wiki.incremental import Resolving
from memexlab.wiki.lint import lint
from memexlab.wiki.prose import spoken

from .test_wiki_land import landed
from .test_wiki_model import BRIDGE, GOOD, lab_with, pages

DATA = Path(__file__).parent / "data"
PAIRS = [line.split("\t") for line in (DATA / "gate_pairs.tsv").read_text().strip().split("\n")[1:]]
SUBJECTS = [line.split("\t") for line in (DATA / "gate_subjects.tsv").read_text().strip().split("\n")[1:]]
PEP = """PEP: 900
Title: Lamps
Author: Ada Lovelace <ada@example.org>
Status: Final
Created: 01-Feb-2003
Python-Version: 3.4

Abstract
========

Lamps have been a matter of debate for many years among everybody. This PEP proposes a lamp for every desk in the house.

Rationale
=========

The key words "MUST" and "MAY" are to be read as in RFC 2119. The name ``_`` is no lamp, nor is :pep:`901`.
A Desk Lamp (DL) is a lamp that stands on a desk. Shade Cloth is a fabric that keeps a bulb from glaring.

Copyright
=========

This document is placed in the public domain or under the CC0-1.0-Universal license, as Everybody Knows.
"""


def refused(pep: str, claim: str, quote: str) -> bool:
    text = (DATA / "wiki" / "peps" / f"pep-{pep}.rst").read_text()
    title = re.search(r"Title: (.*)", text)
    assert title is not None
    name = f"PEP {int(pep)}"
    source = Text("", "", f"pep-{pep}.rst", f"{name}: {title[1]}", name, "", text)
    found = claim_from({"subject": name, "sentence": claim, "quote": quote, "relation": "says"}, source)
    assert not (isinstance(found, Finding) and found.rule == "quote"), found
    return isinstance(found, Finding)


@pytest.mark.parametrize("split", ["dev", "held-out"])
def test_what_a_quote_does_not_bear_is_refused_and_an_honest_paraphrase_is_not(split: str) -> None:
    told = [(verdict == "no", refused(pep, claim, quote)) for s, pep, verdict, _, claim, quote in PAIRS if s == split]
    assert len(told) > 30
    assert sum(wrong and gone for wrong, gone in told) >= 0.85 * sum(wrong for wrong, _ in told)
    assert not [one for one in told if one == (False, True)]


def test_another_thing_in_the_place_of_a_pronoun_or_of_a_noun_is_refused() -> None:
    told = [(verdict == "no", refused(pep, claim, quote)) for pep, verdict, _, claim, quote in SUBJECTS]
    assert sum(wrong and gone for wrong, gone in told) >= 14  # of 16; before there was a rule, 4
    # Four name code that stands only in the sentence before the quote, one denies less, one prints more than is quoted.
    assert told.count((False, True)) <= 6


def test_a_page_says_what_the_document_is_for_and_leaves_out_what_all_documents_say(tmp_path: Path) -> None:
    lab = lab_with(tmp_path, {"pep-0900.rst": PEP})
    page = (lab.root / "wiki" / "pep-900.md").read_text()
    assert 'description: "This PEP proposes a lamp for every desk in the house."' in page
    assert "**Python-Version:** 3.4" in page
    assert "public domain" not in page
    assert "key words" not in page
    assert "`_` is no lamp" in page
    assert re.search(r"- names, without a page here: PEP 901\[\^\d+\]", page)
    assert not [name for name in pages(lab) if name.startswith(("cc0", "everybody"))]
    lab.close()


def test_a_claim_about_what_has_no_page_stands_on_the_page_of_its_source(tmp_path: Path) -> None:
    lab = lab_with(tmp_path, {"pep-0900.rst": PEP, "bridge.md": BRIDGE})
    page = (lab.root / "wiki" / "pep-900.md").read_text()
    said = page.partition("## What it says of other things")[2].partition("\n## ")[0]
    assert "Shade Cloth is a fabric that keeps a bulb from glaring.[^" in said
    words = "Engineers say that rust is not a danger"
    engineers = {"source": "raw/bridge.md", "subject": "Engineers", "relation": "says", "value": "", "since": "",
                 "sentence": f"{words}.", "quote": words}  # fmt: skip
    assert landed(lab, [engineers]).landed.nowhere == ("Engineers",)
    page = (lab.root / "wiki" / "kestrel-bridge.md").read_text()
    assert re.search(r"Engineers say that rust is not a danger\.\[\^\d+\] \^c", page)
    assert not [f for f in lint(lab.memory, lab.root).findings if f.severity == "error"]
    lab.close()


def test_a_value_is_shown_with_its_sentence_and_dated_claims_stand_in_the_timeline(tmp_path: Path) -> None:
    lab = lab_with(tmp_path, {"bridge.md": BRIDGE})
    toll = {"source": "raw/bridge.md", "subject": "Kestrel Bridge", "relation": "toll ended", "value": "1961",
            "sentence": "Traffic doubled after the toll of Kestrel Bridge ended in 1961.", "since": "1961",
            "quote": "Traffic doubled after the toll ended in 1961."}  # fmt: skip
    landed(lab, [GOOD | {"source": "raw/bridge.md"}, toll])
    page = (lab.root / "wiki" / "kestrel-bridge.md").read_text()
    assert re.search(r"\*\*Toll ended:\*\* 1961 · Traffic doubled after", page)
    assert re.search(r"- \*\*1961\*\* Traffic doubled after the toll", page)
    lab.close()


def test_code_keeps_its_marks_and_a_number_means_the_document_of_its_kind() -> None:
    assert spoken('The (``_``) is *no* name, ``!"_"`` is::') == 'The (`_`) is no name, `!"_"` is:'
    assert spoken("a :pep:`version specifier <440#version>`, :pep:`8`") == "a version specifier (PEP 440), PEP 8"
    assert same("470", "pep 440") == same("PEP 470", "pep 440")
    assert same("470", "kestrel bridge") != same("PEP 470", "kestrel bridge")


def test_pages_that_are_rendered_only_where_needed_are_those_of_a_whole_compile(tmp_path: Path) -> None:
    rng = random.Random(4)
    pool = planted(11, 10)[0]
    live: dict[str, str] = {}
    lab = lab_with(tmp_path / "one", {})
    for step in range(8):
        name = rng.choice(sorted(pool))
        if step % 4 == 3:
            name = rng.choice(sorted(live))
            del live[name]
            (lab.root / "raw" / name).unlink()
        else:
            live[name] = pool[name] + ("\nThe mass of Kestrel Bridge is 12 tons.\n" if step % 3 == 1 else "")
            (lab.root / "raw" / name).write_text(live[name])
        lab.ingest([lab.root / "raw" / name])
        if step % 4 == 2:
            whole = lab_with(tmp_path / f"whole-{step}", live)
            assert pages(lab) == pages(whole)
            whole.close()
    lab.close()


def test_one_more_note_renders_its_own_page_and_those_it_touches(tmp_path: Path) -> None:
    notes = {f"n{n}.md": f"# Note {chr(65 + n)}\n\nNote {chr(65 + n)} is a list of birds.\n" for n in range(11)}
    lab = lab_with(tmp_path, notes | {"bridge.md": BRIDGE})
    (lab.root / "raw" / "new.md").write_text("# New Note\n\nNew Note is a tale. The mass of Kestrel Bridge is 3 kg.\n")
    kept = lab.root / ".memex" / "resolved.db"
    shutil.copy(kept, tmp_path / "before.db")
    lab.ingest([lab.root / "raw" / "new.md"])
    assert resolved(lab) == {"index.md", "log.md"}
    shutil.copy(tmp_path / "before.db", kept)
    touched = resolved(lab)
    assert {"new-note.md", "kestrel-bridge.md"} <= touched
    assert len(touched) < 8
    kept.unlink()
    assert len(resolved(lab)) == 15
    lab.close()


def resolved(lab: Lab) -> set[str]:
    resolving = Resolving(lab.memory, lab.root)
    found = resolving({path.name for path in (lab.root / "wiki").iterdir()})
    resolving.close()
    return set(found.files)


@pytest.mark.slow
def test_the_planted_corpus_is_compiled_as_it_was_planted() -> None:
    done = Lab.eval("wiki", subjects=12, seed=3)
    assert isinstance(done, Evaluated)
    told = dict(done.rows)
    for what in ("facts found, forms the compiler reads", "links whose page exists", "supersessions found"):
        part, of = re.findall(r"\d+", told[what])[:2]
        assert part == of, (what, told[what])
    assert told["files written by a second ingest"] == "0"
    assert told["60 documents one at a time in random order: bytes equal"] == "yes"
