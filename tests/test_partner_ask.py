"""Asking a corpus: its own words or nothing; what a model says is looked up again, and what is not there is struck."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from memexlab.commands.council import council
from memexlab.commands.perspective import spoken
from memexlab.ledger import UsageError
from memexlab.memory import Memory
from memexlab.partner.asking import Spoken, answer_as
from memexlab.partner.perspective import perspective
from memexlab.partner.prompt import lens_of

from .partner_small import FILES, PERSON, small_lab

TIDES = FILES["tides.txt"][2]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    found = small_lab(tmp_path)
    yield found
    found.close()


def test_an_answer_is_own_words_with_their_place(memory: Memory) -> None:
    answer = answer_as(memory, "harbour", "What shapes the harbour, the tide or the storm?")
    assert answer.on_corpus
    assert {one.mark for one in answer.sentences} == {"said"}
    for one in answer.sentences:
        [quote] = one.quotes
        assert quote.voice == "own"
        assert any(" ".join(text.split()).find(quote.text) >= 0 for _, _, text in FILES.values())
    assert any("tide shapes" in str(one) and ":" in str(one) for one in answer.sentences)


def test_a_question_off_the_corpus_is_told_so_and_costs_nothing(memory: Memory) -> None:
    answer = spoken(memory, memory.folder.parent, PERSON, "How does a blockchain reach consensus?", None, None)
    assert not answer.sentences
    assert str(answer).startswith("not in this corpus (")
    assert "no podcasts" in str(answer)
    assert "no letters" not in str(answer)


def test_nothing_later_than_the_year_is_said(memory: Memory) -> None:
    question = "Would a lighthouse on the northern rock save ships?"
    assert answer_as(memory, PERSON, question).on_corpus
    early = answer_as(memory, PERSON, question, as_of=1860)
    assert all(quote.date < "1861" for one in early.sentences for quote in one.quotes)
    assert "lighthouse" not in " ".join(one.text for one in early.sentences)
    tide = "Does the slow tide shape a harbour more than storms?"
    for day, told in (("1860-04-01", False), ("1860-04-02", True), ("1860-04", True), ("1860", True)):
        then = spoken(memory, memory.folder.parent, PERSON, tide, day, None)
        assert any(quote.date == "1860-04-02" for one in then.sentences for quote in one.quotes) is told, day
    with pytest.raises(UsageError, match="no year"):
        spoken(memory, memory.folder.parent, PERSON, question, "then", None)


def asked(memory: Memory, *rows: dict[str, object], raw: str = "") -> Spoken:
    root = memory.folder.parent
    replies = [raw] if raw else []
    replies.append(json.dumps({"sentences": list(rows)}))
    (root / "replies.jsonl").write_text("".join(json.dumps({"reply": reply}) + "\n" for reply in replies))
    (root / "memex.toml").write_text('[model]\ndial = "scripted"\nfile = "replies.jsonl"\n')
    return spoken(memory, root, PERSON, "What shapes the harbour, the tide or the storm, and the moon?", None, "")


def said(text: str, mark: str = "said", quotes: object = ("Q1", "Q2", "Q3", "Q4", "Q5", "Q6")) -> dict[str, object]:
    return {"text": text, "mark": mark, "quotes": list(quotes) if isinstance(quotes, tuple) else quotes}


def test_true_quotes_of_a_model_stand(memory: Memory) -> None:
    answer = asked(memory, said("“I believe that every slow tide shapes the harbour more than any storm.”"))
    assert [(one.mark, one.struck) for one in answer.sentences] == [("said", False)]
    assert answer.made_by.startswith("model:")


@pytest.mark.parametrize(
    "text",
    [
        "“I believe that every slow tide shapes the harbour less than any storm.”",
        "“I believe that no slow tide shapes the harbour more than any storm.”",
        "“I believe that every slow tide brings it back again before the summer.”",
        "“The harbour is a machine of mud.”",
        "She wrote “the moon alone rules the water”.",  # true words, and the words before them deny it
        "The harbour is shaped by whales",
    ],
)
def test_a_quote_that_no_source_says_is_struck_through(memory: Memory, text: str) -> None:
    answer = asked(memory, said(text))
    assert [one.struck for one in answer.sentences] == [True]
    assert f"~~{text}~~ (not in this corpus)" in str(answer)
    assert answer.refused == 1


def test_marks_are_taken_down_to_what_is_borne(memory: Memory) -> None:
    answer = asked(
        memory,
        said("The tide matters most.", "derived"),
        said("The tide matters most of all.", "derived", ("Q99",)),
        said("Whales sing.", "beyond", ()),
        said("She wrote “A storm takes the sand away” and so nobody should ever build a wall or a pier there."),
    )
    assert [one.mark for one in answer.sentences] == ["derived", "beyond", "beyond", "derived"]


def test_a_reply_that_is_no_json_is_asked_for_once_more(memory: Memory) -> None:
    assert asked(memory, said("Whales sing.", "beyond", ()), raw="I think so").sentences[0].mark == "beyond"


def test_a_model_that_answers_nothing_leaves_the_quotes(memory: Memory) -> None:
    answer = asked(memory, said("x", "sworn"), raw='{"sentences": [{"text": "x"}]}')
    assert "gave no answer" in answer.note
    assert answer.sentences
    assert all(one.quotes for one in answer.sentences)


def test_a_perspective_takes_a_seat_with_its_own_words(memory: Memory) -> None:
    root = memory.folder.parent
    (root / "lenses").mkdir()
    (root / "lenses" / "sceptic.md").write_text("Look for storms.")
    (root / "memex.toml").write_text('[lab]\nname = "seats"\n')
    question = "What shapes the harbour, the tide or the storm?"
    told = council(memory, root, question, "harbour,sceptic", 0, lambda line: None)
    assert any("slow tide" in piece.quote for piece in told.by_seat["harbour"])
    assert not any("machine of mud" in piece.quote for piece in told.by_seat["harbour"])
    number = 1 + [piece.quote for piece in told.pieces].index(told.by_seat["harbour"][0].quote)
    said = {"text": told.by_seat["harbour"][0].quote, "cites": [str(number)]}
    (root / "replies.jsonl").write_text(json.dumps({"match": "each cites", "reply": json.dumps({"sentences": [said]})}))
    dial = '[model]\ndial = "scripted"\nfile = "replies.jsonl"\n'
    (root / "memex.toml").write_text(f'[lab]\nname = "seats"\n\n{dial}')
    done = council(memory, root, question, "harbour,sceptic", 0, lambda line: None)
    assert done.council is not None
    assert "harbour" in {one.seat for one in done.council.opinions}, done.council.absent
    lens = lens_of(perspective(memory, PERSON))
    assert "a model of published words, not of the person" in lens
    assert "slow tide" in lens
