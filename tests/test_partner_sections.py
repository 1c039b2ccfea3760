"""Sections of a perspective: located quotes, gates, proposals, verdicts, and what stays empty and why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from memexlab.memory import Memory
from memexlab.partner.axioms import gate_of
from memexlab.partner.corpus import Said, open_corpus, take_in
from memexlab.partner.perspective import Perspective, _quotes, perspective
from memexlab.partner.similarity import negative, opposed
from memexlab.partner.voice import Segment

DARWIN = Path(__file__).parent / "data" / "darwin"
PERSON = "Charles Darwin"
SECTIONS = (
    "axioms", "positions", "once", "models", "tensions", "predictions", "lineage", "periods", "extensions"
)  # fmt: skip
FIELDS = "In the distant future I see open fields for far more important researches."


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    memory = Memory(tmp_path / ".memex", {})
    take_in(memory, tmp_path, [DARWIN], PERSON, "human:test")
    yield memory
    memory.close()


def all_quotes(found: Perspective) -> list:
    return [quote for name in SECTIONS for part in getattr(found, name) for quote in _quotes(part)]


def test_every_quote_is_the_span_it_names_in_own_voice(memory: Memory) -> None:
    found = perspective(memory, "darwin")
    texts = {one.entry: one.text for one in open_corpus(memory, PERSON).texts}
    quotes = all_quotes(found)
    assert len(quotes) > 20
    for quote in quotes:
        text = texts[quote.source]
        assert " ".join(text[quote.start : quote.end].split()) == quote.text
        assert quote.line == text.count("\n", 0, quote.start) + 1
        assert quote.voice == "own"
    assert (found.meter.by_code, found.meter.proposed) == (len(quotes), 0)
    assert json.loads(json.dumps(asdict(found)))["person"] == PERSON


def test_a_perspective_is_the_same_when_it_is_made_again(memory: Memory) -> None:
    first = perspective(memory, "darwin")
    memory.index.rebuild()
    assert perspective(memory, "darwin") == first


def test_nothing_is_later_than_the_year_that_was_asked_for(memory: Memory) -> None:
    found = perspective(memory, "darwin", 1858)
    assert all_quotes(found)
    assert max(int(quote.date[:4]) for quote in all_quotes(found)) <= 1858
    assert max(found.coverage.years) <= 1858
    assert not any(period.end > 1858 for period in found.periods)
    assert FIELDS.split(" more")[0] not in json.dumps(asdict(found))


def test_the_editors_introduction_is_nobodys_statement(memory: Memory) -> None:
    assert "It is surprising that Malthus" not in json.dumps(asdict(perspective(memory, "darwin")))


def test_a_dead_authors_forecast_is_an_open_candidate_with_its_date(memory: Memory) -> None:
    found = perspective(memory, "darwin")
    [fields] = [one for one in found.predictions if one.text.startswith("In the distant future")]
    assert (fields.made, fields.status, fields.horizon) == ("1859", "open", None)
    assert "{489}" in fields.quote.text
    assert not found.living


def said(group: int, kind: str, date: str) -> Said:
    return Said(group, 0, 1, "", Segment(0, 1, "own", date, "declared", kind), [], (), (group, 0))


@pytest.mark.parametrize(
    ("support", "tier"),
    [
        ([said(0, "book", "1859"), said(1, "letter", "1860-01-05")], "axiom"),
        ([said(0, "book", "1859"), said(1, "book", "1871")], "position"),
        ([said(0, "post", "2020-01-01"), said(1, "talk", "2020-01-20")], "position"),
        ([said(0, "post", "2020-01-01"), said(1, "talk", "2020-01-31")], "axiom"),
        ([said(0, "book", "1859"), said(0, "letter", "1871")], "once"),
    ],
)
def test_an_axiom_has_two_groups_two_kinds_and_thirty_days(support: list[Said], tier: str) -> None:
    assert gate_of(support, 0)[0] == tier


def test_polarity_is_told_by_words_and_twice_no_is_yes() -> None:
    assert negative("Natural selection can never produce a leap")
    assert not negative("There is no doubt that it acts")
    assert opposed("It acts always in small steps", "It acts sometimes in small steps")
    assert not opposed("It acts in small steps", "It acts in small steps only")


def test_a_small_corpus_says_why_its_sections_are_empty(tmp_path: Path) -> None:
    memory = Memory(tmp_path / ".memex", {})
    (tmp_path / "one.md").write_text("# Notes\n\nI believe that all small steps are better than a leap.\n", "utf-8")
    take_in(memory, tmp_path, [tmp_path / "one.md"], "Ada Byron", "human:test")
    found = perspective(memory, "ada byron")
    assert not found.axioms
    assert "two groups" in found.greyed["axioms"]
    assert {name for name in SECTIONS if not getattr(found, name)} <= set(found.greyed)
    assert found.living
    assert any("no date" in gap for gap in found.coverage.gaps)
    memory.close()
