"""What an agent writes of a person and what a person says of it: landed through gates, refused with what to mend."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memexlab.cli import main
from memexlab.commands.perspective import page_of
from memexlab.memory import Memory
from memexlab.partner.corpus import open_corpus
from memexlab.partner.landed import judged, metered
from memexlab.partner.perspective import Perspective, perspective
from memexlab.partner.proposing import Told, admit, lines_about_a_person
from memexlab.tokens import count_tokens

from .partner_small import FILES, OTHER, PERSON, small_lab

TIDE = "every slow tide shapes the harbour more than any storm"
TIDES = "I believe that the slow tide shapes a harbour more than storms do"
MOON = "It is not true that the moon alone rules the water"
CHANNEL = "In fifty years the old channel will be closed"
LYELL = "I measured the mud with Lyell for three winters"
AGENT, HUMAN = "agent:test", "human:ada"


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    found = small_lab(tmp_path)
    yield found
    found.close()


def land(memory: Memory, *rows: dict[str, Any], by: str = AGENT) -> Told:
    return admit(memory, [(f"f:{n}", {"person": PERSON} | row) for n, row in enumerate(rows, 1)], by)


def statement(text: str, *quotes: str, **more: object) -> dict[str, Any]:
    return {"section": "statement", "text": text, "quotes": list(quotes), **more}


def seen(memory: Memory, as_of: int | None = None) -> Perspective:
    memory.index.rebuild()
    return perspective(memory, PERSON, as_of)


ALL = [
    statement("Slow tides shape a harbour more than storms do.", TIDE, TIDES, counter=[MOON]),
    {"section": "model", "name": "Mud as a record", "text": "Mud keeps what a winter did.",
     "quotes": ["The mud keeps a record of each winter", LYELL], "terms": ["the mud"]},
    {"section": "tension", "kind": "trade-off", "text": "A storm takes, the moon rules not alone.",
     "quotes": ["A storm takes the sand away", MOON]},
    {"section": "prediction", "text": "The old channel will close.", "quotes": [CHANNEL], "horizon": "1901",
     "status": "false", "why": "Ships lie there still."},
    {"section": "lineage", "name": "Charles Lyell", "kind": "person", "relation": "builds on", "quotes": [LYELL]},
]  # fmt: skip


def test_each_section_shows_what_landed_and_who_made_it(memory: Memory) -> None:
    told = land(memory, *ALL)
    assert (told.findings, told.exit_code) == ((), 0)
    assert told.landed == dict.fromkeys(("lineage", "model", "prediction", "statement", "tension"), 1)
    found = seen(memory)
    [axiom] = [one for one in found.axioms if one.entry]
    assert (axiom.gate, axiom.made_by, axiom.candidate) == ("2 groups · 2 kinds · 1851..1860 · counter 1", AGENT, True)
    assert [quote.text for quote in axiom.quotes] == [TIDE, TIDES]
    assert [quote.text for quote in axiom.counter] == [MOON]
    model, prediction, person = found.models[0], found.predictions[0], found.lineage[0]
    assert (model.name, model.frequency) == ("Mud as a record", 2)
    assert (prediction.status, prediction.resolved_by, prediction.horizon) == ("false", AGENT, "1901")
    assert (person.name, person.relation, found.tensions[0].kind) == ("Charles Lyell", "builds on", "trade-off")
    assert not any(one.quotes[0].text.endswith("than any storm.") for one in found.once), "said better by the axiom"


def test_the_same_lines_again_add_nothing_and_a_failed_call_retires_nothing(memory: Memory) -> None:
    land(memory, *ALL)
    again = land(memory, *ALL)
    assert (again.landed, again.known) == ({}, 5)
    assert land(memory, statement("Nothing.", "these words stand nowhere here")).exit_code == 1
    assert [one.entry for one in seen(memory).axioms if one.entry]


@pytest.mark.parametrize(
    ("row", "rule", "mend"),
    [
        (statement("Tides.", "every slow tide ruins the harbour more than any storm"), "partner-quote", TIDE),
        (statement("Tides.", "every slow tide"), "partner-quote", "quote a sentence"),
        (statement("Tides.", "blockchains and tokens rule the harbour"), "partner-quote", "nothing like it"),
        (statement("Tides won in 1900.", TIDE), "partner-claim-number", "leave it out"),
        (statement("Tides, as Newton saw.", TIDE), "partner-claim-name", "leave it out"),
        (statement("Tides."), "partner-quotes", "copied from a source"),
        ({"section": "model", "name": "Mud", "text": "Mud.", "quotes": [TIDE, MOON], "terms": ["mud"]},
         "partner-groups", "two books or letters"),
        ({"section": "model", "name": "Mud", "text": "Mud.", "quotes": [TIDE, TIDES], "terms": ["gravel"]},
         "partner-terms", "as they stand"),
        ({"section": "tension", "kind": "revision", "text": "x", "quotes": [TIDE, MOON]}, "partner-tension", "kind"),
        ({"section": "tension", "kind": "scope", "text": "x", "quotes": [TIDE, TIDE]}, "partner-tension", "each side"),
        ({"section": "prediction", "text": "x", "quotes": [CHANNEL], "status": "true"}, "partner-status", "why"),
        ({"section": "lineage", "name": "Kant", "kind": "person", "relation": "cites", "quotes": [LYELL]},
         "partner-lineage", "explicit"),
        ({"section": "voice", "passage": TIDE, "voice": "own"}, "partner-voice", "memex voice"),
        ({"section": "poem", "text": "x"}, "partner-section", "statement, model"),
        ({"decision": "accept", "place": "S0:0-9", "text": "x"}, "partner-review", "MEMEX_BY"),
        ({"person": OTHER, "section": "statement"}, "partner-line", PERSON),
        ({"person": "Nobody Known", "section": "statement"}, "partner-line", "one of: "),
    ],
)  # fmt: skip
def test_a_refusal_names_its_line_and_what_to_mend(memory: Memory, row: dict[str, Any], rule: str, mend: str) -> None:
    told = land(memory, statement("Slow tides.", TIDE), row)
    [finding] = told.findings
    assert (finding.rule, finding.where) == (rule, "f:2")
    assert mend in f"{finding.message} {finding.hint}"
    assert told.landed == {"statement": 1}


def test_other_voices_are_refused_with_the_voice_and_counted(memory: Memory) -> None:
    say = {"section": "voice", "passage": "The mud keeps a record of each winter", "voice": "editor", "why": "a note"}
    assert land(memory, say).landed == {"voice": 1}
    told = land(
        memory, statement("Mud keeps a record.", "The mud keeps a record of each winter"), statement("Tides.", TIDE)
    )
    assert "the voice of: editor (a voice line; lines" in told.findings[0].message
    assert " own --why ..." in (told.findings[0].hint or "")
    meter = metered(memory, PERSON)
    assert (meter.proposed, meter.verified, meter.refused) == (2, 1, 1)


def test_a_voice_line_lands_once_until_something_else_is_said(memory: Memory) -> None:
    [text, *_] = [one for one in open_corpus(memory, PERSON).texts if TIDE in " ".join(one.text.split())]
    place = {"section": "voice", "passage": f"S{text.entry}:3-40", "voice": "editor"}
    assert land(memory, place, place).landed == {"voice": 1}
    again = land(memory, place)
    assert (again.landed, again.known) == ({}, 1)
    assert land(memory, place | {"voice": "quoted"}, by=HUMAN).landed == {"voice": 1}
    assert land(memory, place, by=HUMAN).landed == {"voice": 1}, "the last word counts"
    [at] = [n for n, one in enumerate(open_corpus(memory, PERSON).texts) if one.id == text.id]
    assert open_corpus(memory, PERSON).voice_of(at, 5, 20) == "editor"


def test_an_agent_cannot_take_back_what_a_person_said_of_a_voice(memory: Memory) -> None:
    say = {"section": "voice", "passage": TIDE, "voice": "own"}
    assert land(memory, say, by=HUMAN).exit_code == 0
    land(memory, say | {"voice": "editor"})
    assert land(memory, statement("Tides.", TIDE)).exit_code == 0


def test_what_an_agent_writes_is_text_on_the_page_and_on_the_terminal(memory: Memory) -> None:
    told = land(memory, statement("slow \x1b[mtides </p><img src=x onerror=alert(x)> shape", TIDE))
    assert (told.landed, "\x1b" in str(told)) == ({"statement": 1}, False)
    page = page_of(memory, PERSON)[1]
    assert "<img" not in page
    assert "&lt;img src=x" in page


def test_a_person_resolves_a_prediction_over_an_agent(memory: Memory) -> None:
    guess = {"section": "prediction", "text": "The old channel will close.", "quotes": [CHANNEL]}
    land(memory, guess | {"status": "true", "why": "It closed in 1894."}, by=HUMAN)
    land(memory, guess | {"status": "false", "why": "It did not."})
    [found] = [one for one in seen(memory).predictions if one.entry]
    assert (found.status, found.resolved_by) == ("true", HUMAN)


def test_as_of_a_year_nothing_rests_on_later_words(memory: Memory) -> None:
    land(memory, *ALL)
    early = seen(memory, 1851)
    assert not [one for one in (*early.axioms, *early.positions, *early.once, *early.lineage) if one.entry]
    assert [one.entry for one in early.tensions]


def test_the_review_that_the_page_saves_lands_and_survives_a_rebuild(memory: Memory, tmp_path: Path) -> None:
    land(memory, *ALL)
    found = seen(memory)
    axiom, once = found.axioms[0], next(one for one in found.once if not one.entry)
    first = once.quotes[0]
    rows = [
        {"person": PERSON, "decision": "edit", "entry": axiom.entry, "text": axiom.text, "scope": "in the north"},
        {"person": PERSON, "decision": "reject", "entry": "", "text": once.text,
         "place": f"S{first.source}:{first.start}-{first.end}"},
        {"person": PERSON, "decision": "accept", "entry": "", "text": "other words",
         "place": f"S{first.source}:{first.start}-{first.end}"},
    ]  # fmt: skip
    file = tmp_path / "mary-harbour-review.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = lines_about_a_person(file)
    assert lines is not None
    told = admit(memory, lines, HUMAN)
    assert (told.landed, [one.where for one in told.findings]) == ({"verdict": 2}, ["mary-harbour-review.jsonl:3"])
    assert admit(memory, lines[:2], HUMAN).known == 2
    again = seen(memory)
    assert (again.axioms[0].reviewed_by, again.axioms[0].scope) == (HUMAN, "in the north")
    assert once.text not in {one.text for one in again.once}
    assert len(judged(memory)) == 2


def test_a_statement_stands_while_its_words_do_wherever_they_move(memory: Memory, tmp_path: Path) -> None:
    land(memory, ALL[0])
    file = tmp_path / "Mary" / "tides.txt"
    file.write_text("A new preface.\n\n" + FILES["tides.txt"][2])
    before = {text.id for text in open_corpus(memory, PERSON).texts}
    from memexlab.partner.corpus import take_in

    take_in(memory, tmp_path, [tmp_path / "Mary"], PERSON, HUMAN)
    assert {text.id for text in open_corpus(memory, PERSON).texts} != before
    assert [one.quotes[0].text for one in seen(memory).axioms if one.entry] == [TIDE]


def test_from_the_command_line_a_corpus_a_work_order_lines_and_a_voice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(tmp_path / "lab"), "--target", "none"]) == 0
    monkeypatch.chdir(tmp_path / "lab")
    (tmp_path / "lab" / "corpus").mkdir()
    for name in ("tides.txt", "letter-1860.txt"):
        (tmp_path / "lab" / "corpus" / name).write_text(FILES[name][2])
    assert main(["ingest", "corpus", "--person", PERSON]) == 0
    words = capsys.readouterr().out.partition(" own words")[0].rpartition(" ")[2]
    assert main(["ask", "--as", "harbour", "How do blockchains encode proteins?"]) == 0
    assert f"({words} own words" in capsys.readouterr().out
    assert main(["partner", "harbour", "--brief", "--tokens", "2500"]) == 0
    order = capsys.readouterr().out
    assert count_tokens(order) <= 2500
    assert f'"person": "{PERSON}"' in order
    assert "corpus/tides.txt" in order
    assert "memex land FILE" in order
    (tmp_path / "lines.jsonl").write_text(json.dumps({"person": PERSON} | ALL[0]) + "\nno json\n")
    monkeypatch.setenv("MEMEX_BY", AGENT)
    assert main(["land", str(tmp_path / "lines.jsonl")]) == 1
    out = capsys.readouterr().out
    assert f"{PERSON}: 1 statement landed, 0 known before, 1 refused" in out
    assert "lines.jsonl:2" in out
    monkeypatch.setenv("MEMEX_BY", HUMAN)
    assert main(["voice", "harbour", MOON, "quoted", "--why", "a proverb"]) == 0
    assert "1 voice landed" in capsys.readouterr().out
    assert main(["voice", "harbour", "words that nobody wrote", "quoted"]) == 1


@pytest.mark.slow
def test_the_demo_makes_a_page_on_a_fresh_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path / "demo"), "--demo", "partner"]) == 0
    assert "memex ask --as darwin" in capsys.readouterr().out
    page = (tmp_path / "demo" / "reports" / "charles-darwin.html").read_text("utf-8")
    assert "by model:demo" in page
    assert "accepted by" not in page
    memory = Memory(tmp_path / "demo" / ".memex")
    meter = metered(memory, "Charles Darwin")
    assert meter.proposed == meter.verified > 20
    assert not any("1909" in one.segment.date for one in open_corpus(memory, "darwin").own)
    memory.close()
