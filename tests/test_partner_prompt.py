"""The prompt keeps to its budget whatever it is, is the same each time, and says what was cut."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from memexlab.commands.perspective import prompted
from memexlab.ledger import UsageError
from memexlab.memory import Memory
from memexlab.partner.perspective import Coverage, Meter, Perspective
from memexlab.partner.prompt import build_prompt
from memexlab.partner.statements import Quote, Statement, Tension
from memexlab.tokens import count_tokens

from .partner_small import PERSON, small_lab


def quote(n: int, text: str) -> Quote:
    return Quote(text, 7, "Tides", "book", "1851", "declared", "own", n, n, n * 100, n * 100 + len(text))


def statement(n: int, text: str) -> Statement:
    return Statement(text, "2 groups · 2 kinds", 2, ("book", "letter"), "1851", "1860", (quote(n, text),))


def wide() -> Perspective:
    had = Coverage(120_000, 40, 9, {"book": {1851: 90_000}, "letter": {1860: 30_000}}, {"own": 1}, ("gap",))
    many = tuple(
        statement(n, f"The tide number {n} shapes the harbour, naïvely “so” {'on ' * (n % 9)}🌊.") for n in range(90)
    )
    pair = Tension("scope", statement(91, "Tides rule."), statement(92, "Storms rule."))
    return Perspective(PERSON, "mary-harbour", False, had, Meter(100, 90, 10), many[:20], many[20:], tensions=(pair,))


@pytest.mark.parametrize("budget", [500, 640, 800, 801, 1_333, 2_000, 5_000])
def test_a_prompt_has_at_most_its_tokens_and_names_what_was_cut(budget: int) -> None:
    built = build_prompt(wide(), budget)
    assert built.tokens == count_tokens(built.text) <= budget
    assert built.text == build_prompt(wide(), budget).text
    shown = len(re.findall(r"^A\d+\.", built.text, re.M))
    assert shown + built.cut.get("Axioms", 0) == 20
    for name, count in built.cut.items():
        assert f"{count} {name.lower()}" in built.text


def test_more_tokens_show_more() -> None:
    sizes = [build_prompt(wide(), budget).text.count("[S7:") for budget in (600, 800, 2_000, 5_000)]
    assert sizes == sorted(set(sizes))


def test_a_budget_below_the_frame_is_refused_with_one_that_does() -> None:
    with pytest.raises(UsageError) as caught:
        build_prompt(wide(), 100)
    [enough] = re.findall(r"--tokens (\d+)", str(caught.value))
    assert build_prompt(wide(), int(enough)).tokens <= int(enough)


def test_it_asks_for_marks_places_and_silence_and_never_speaks_as_the_person() -> None:
    text = build_prompt(replace(wide(), living=True), 800).text
    for words in ("[said", "[derived", "[beyond]", "not in the corpus", "not of the person", 'Never say "I"'):
        assert words in text
    assert 'Never say "I"' not in build_prompt(wide(), 800, first_person=True).text
    assert "later than 1855" in build_prompt(wide(), 800, as_of=1855).text


def test_a_tension_that_nobody_confirmed_is_no_fact() -> None:
    assert "Storms rule" not in build_prompt(wide(), 5_000).text
    sure = replace(wide(), tensions=(replace(wide().tensions[0], reviewed_by="human:ada"),))
    assert '"Tides rule." [S7:9100-9111, 1851] against "Storms rule."' in build_prompt(sure, 8_000).text


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    found = small_lab(tmp_path)
    yield found
    found.close()


def test_a_skill_is_valid_and_complete(memory: Memory, tmp_path: Path) -> None:
    out = tmp_path / "harbour-perspective"
    done = prompted(memory, PERSON, 1_500, out, None, False)
    skill = (out / "SKILL.md").read_text()
    head = re.match(r'---\nname: ([a-z0-9-]{1,64})\ndescription: (".*")\n---\n', skill)
    assert head is not None
    assert head[1] == out.name
    assert len(json.loads(head[2])) <= 1_024
    assert count_tokens(skill) < 5_000
    evidence = json.loads((out / "evidence.json").read_text())
    assert evidence["person"] == PERSON
    for path in re.findall(r"`((?:references/)?[\w-]+\.\w+)`", skill):
        assert (out / path).is_file()
    assert {str(path) for path in out.rglob("*.*")} == set(done.files)
    assert count_tokens((out / "prompt.md").read_text()) <= 1_500
    with pytest.raises(UsageError, match="cannot name a skill"):
        prompted(memory, PERSON, 1_500, tmp_path / "My Skill", None, False)


def test_words_without_a_licence_are_not_exported(memory: Memory, tmp_path: Path) -> None:
    from memexlab.partner.corpus import take_in

    (tmp_path / "note.md").write_text("I think that the quay is too short for the ships of this age.\n")
    take_in(memory, tmp_path, [tmp_path / "note.md"], PERSON, "human:ada")
    with pytest.raises(UsageError, match="no licence"):
        prompted(memory, PERSON, 1_500, tmp_path / "out", None, False)
    assert not (tmp_path / "out").exists()
    assert prompted(memory, PERSON, 1_500, None, None, False).built.tokens <= 1_500
