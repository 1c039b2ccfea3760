"""A small corpus of dated posts whose author changed her mind: what is found, what she took back, what is due."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from memexlab.commands.council import council
from memexlab.commands.land import land
from memexlab.commands.partner import gather
from memexlab.commands.perspective import page_of, prompted, spoken
from memexlab.ledger import UsageError
from memexlab.memory import Memory
from memexlab.partner.asking import answer_as
from memexlab.partner.corpus import open_corpus, root
from memexlab.partner.perspective import Perspective, perspective

PERSON = "Odile Brandt"
POSTS = {
    "2014-03-02": ("Why I love microservices", """Small things are easier to throw away than large ones.

Microservices make teams faster because nobody waits for anybody. I think microservices are the right default for every
new product.

By 2020 every bank will run its core on microservices."""),
    "2015-06-11": ("On testing", """Integration tests are a waste of time. They are slow, and they are flaky.

I believe that a fast unit test finds more bugs in a year than any integration suite.

My friend Dana says: "Mocks test your imagination." I laughed, and I kept my mocks."""),
    "2016-01-20": ("Naming and notes", """Comments should explain why. The code already says what it does.

Static types are bureaucracy for small teams. Deep inheritance trees hide the decision that matters."""),
    "2017-02-03": ("Rewrites", """I believe that a rewrite loses every bug fix that nobody wrote down.

In five years nobody will be writing JavaScript by hand."""),
    "2017-11-20": ("I was wrong", """I was wrong about microservices. Every network call is a place to fail.

A monolith with clear modules is the right default for a new product."""),
    "2019-05-09": ("Tests, again", """I used to believe that integration tests are a waste of time. I take that back.

By 2025 most teams will have deleted half of their unit tests."""),
    "2021-08-14": ("Types", """I changed my mind about static types. Types catch the mistakes of tired people.

Within a decade every scripting language will ship a type checker."""),
    "2023-10-01": ("Simple things", """I believe that simple systems are the only ones that survive their authors.

Deep inheritance trees do not hide the decision that matters. For God's sake, write the date on your documents."""),
}  # fmt: skip


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    lab = tmp_path_factory.mktemp("blog")
    (lab / "posts").mkdir()
    for date, (title, text) in POSTS.items():
        front = f"---\ntitle: {title}\ndate: {date}\nauthor: {PERSON}\nkind: post\nlicence: CC0\n---\n"
        (lab / "posts" / f"{date}.md").write_text(f"{front}\n# {title}\n\n{text}\n", encoding="utf-8")
    memory = Memory(lab / ".memex")
    told = str(gather(memory, lab, [lab / "posts"], PERSON, "human:ada"))
    assert "twice" not in told  # nothing stands twice here
    yield memory
    memory.close()


@pytest.fixture(scope="module")
def found(memory: Memory) -> Perspective:
    return perspective(memory, "brandt")


def said(memory: Memory, question: str, as_of: str | None = None) -> list[str]:
    return [quote.text for one in spoken(memory, Path(), "brandt", question, as_of, None).sentences
            for quote in one.quotes]  # fmt: skip


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("Are integration tests a waste of time?", "Integration tests are a waste of time."),
        ("Should I use microservices?", "I was wrong about microservices."),
        ("Comments in code?", "Comments should explain why."),
        ("Commenting code?", "Comments should explain why."),
    ],
)
def test_the_sentence_with_nearly_all_of_the_question_comes_first(memory: Memory, question: str, words: str) -> None:
    assert said(memory, question)[0] == words


def test_an_exclamation_and_another_subject_are_no_answer(memory: Memory) -> None:
    assert not said(memory, "What do you think of God?")
    assert not said(memory, "Should I use blockchain?")


def test_the_title_of_a_short_source_counts(memory: Memory) -> None:
    assert answer_as(memory, PERSON, "Does naming help the code?").on_corpus


def test_a_compound_is_found_by_its_parts_where_they_stand_together(tmp_path: Path) -> None:
    text = "Worms carry the earth upwards each night. The earth is ploughed by worms. A chain holds the boat."
    (tmp_path / "soil.txt").write_text(text)
    memory = Memory(tmp_path / ".memex")
    gather(memory, tmp_path, [tmp_path / "soil.txt"], "Ada Byron", "human:ada")
    assert answer_as(memory, "byron", "Do earthworms matter?").on_corpus
    assert not answer_as(memory, "byron", "What of a blockchain?").on_corpus
    memory.close()


def test_forms_of_one_word_have_one_root() -> None:
    assert len({root("earth-worm"), root("earthworm")}) == 1
    assert root("coding") == root("code")
    assert root("bring") != root("br")


def test_a_question_as_of_a_day_finds_nothing_of_a_later_day(memory: Memory) -> None:
    assert "I was wrong about microservices." not in said(memory, "Should I use microservices?", "2017-11-19")
    assert "I was wrong about microservices." in said(memory, "Should I use microservices?", "2017-11-20")


def test_what_was_taken_back_stands_beside_what_takes_it_back(found: Perspective) -> None:
    told = {(one.left.text, one.right.text) for one in found.tensions if one.kind == "revision"}
    assert told == {
        ("I think microservices are the right default for every new product.", "I was wrong about microservices."),
        ("Integration tests are a waste of time.",
         "I used to believe that integration tests are a waste of time."),
        ("Static types are bureaucracy for small teams.", "I changed my mind about static types."),
        ("Deep inheritance trees hide the decision that matters.",
         "Deep inheritance trees do not hide the decision that matters."),
    }  # fmt: skip


def test_a_sentence_that_was_taken_back_shows_it_as_counter_evidence(found: Perspective) -> None:
    [held] = [one for one in (*found.positions, *found.once) if one.text.startswith("I think microservices")]
    assert [quote.text for quote in held.counter] == ["I was wrong about microservices."]
    assert held.groups == 1  # the monolith of the same post bears nothing
    assert "counter 1" in held.gate


def test_a_prediction_with_a_past_horizon_is_due(memory: Memory, found: Perspective) -> None:
    assert [(one.horizon, one.due) for one in found.predictions] == [
        ("2020", True), ("2022", True), ("2025", True), ("2031", False)
    ]  # fmt: skip
    assert "due since 2020" in prompted(memory, PERSON, 5_000, None, None, False).built.text
    early = perspective(memory, PERSON, 2019)
    assert [one.due for one in early.predictions] == [False, False, False]


def test_words_that_a_name_says_and_front_matter_are_not_hers(memory: Memory) -> None:
    corpus = open_corpus(memory, PERSON)
    spoken_words = [(text.text[one.start : one.end], one.voice) for text in corpus.texts for one in text.segments]
    assert ('"Mocks test your imagination."', "quoted") in spoken_words
    assert not any("licence: CC0" in words for words, _ in spoken_words)


def test_who_may_live_is_not_said_to_live_and_has_no_first_person(memory: Memory) -> None:
    _, html = page_of(memory, PERSON)
    assert "Odile Brandt may be living" in html
    assert "is living" not in html
    with pytest.raises(UsageError, match="may be living"):
        prompted(memory, PERSON, 2_000, None, None, True)


def test_sections_with_too_little_are_one_line(memory: Memory, found: Perspective) -> None:
    _, html = page_of(memory, PERSON)
    assert html.count("Too little for: ") == 1
    for name, why in found.greyed.items():
        assert f'<section id="{name}">' not in html
        assert html.count(why) == 1


def test_an_unknown_seat_and_an_unknown_person_are_told_who_is_known(memory: Memory, tmp_path: Path) -> None:
    (tmp_path / "memex.toml").write_text('[lab]\nname = "seats"\n')
    with pytest.raises(UsageError, match=r"people and lenses known: brandt"):
        council(memory, tmp_path, "Are integration tests a waste of time?", "brandt,nobody", 0, print)
    with pytest.raises(UsageError, match="ophelia") as told:
        open_corpus(memory, "ophelia")
    assert told.value.hint == "one of: brandt"


LIVING = {
    "posts/2018-01-15-review.md": """---
title: Code review
date: 2018-01-15
---
I believe that every change needs two reviewers. Reviews teach.
""",
    "posts/2021-06-01-one.md": """---
title: One
date: 2021-06-01
---

I was wrong about code review: I no longer think that every change needs two reviewers.

I used to think that mocks were good design, but now I see that they only hide coupling.

I cannot work with others in one room, and yet I cannot think alone.

Though I once thought that tabs were better, I still use them. I formerly thought highly of diagrams.
""",
}


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Memory]:
    (tmp_path / "posts").mkdir()
    for name, text in LIVING.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    tweet = [{"tweet": {"id_str": "1354143047324299264", "full_text": "@alice @bob One repository is enough for us."}}]
    (tmp_path / "tweets.js").write_text("window.YTD.tweets.part0 = " + json.dumps(tweet), encoding="utf-8")
    memory = Memory(tmp_path / ".memex")
    told = str(gather(memory, tmp_path, [tmp_path / "posts", tmp_path / "tweets.js"], "Jane Living", "human:ada"))
    assert "Jane Living may be living" in told
    assert "posts/2018-01-15-review.md and 2 more: no licence is given" in told
    yield memory
    memory.close()


def test_the_first_paragraph_under_front_matter_and_an_answer_to_somebody_are_own_sentences(living: Memory) -> None:
    corpus = open_corpus(living, "jane")
    first = [said.text for said in corpus.own if said.segment.date in ("2018-01-15", "2021-01-26")]
    told = ["I believe that every change needs two reviewers.", "Reviews teach.", "One repository is enough for us."]
    assert first == told
    assert {said.segment.kind for said in corpus.own} == {"post", "tweet"}


def test_one_sentence_that_tells_both_views_is_a_tension_and_words_that_keep_a_view_are_none(living: Memory) -> None:
    found = perspective(living, "jane").tensions
    assert {(one.kind, one.left.text, one.right.text) for one in found} == {
        ("revision", "I believe that every change needs two reviewers.",
         "I was wrong about code review: I no longer think that every change needs two reviewers."),
        ("revision", "I used to think that mocks were good design", "but now I see that they only hide coupling."),
        ("trade-off", "I cannot work with others in one room", "and yet I cannot think alone."),
    }  # fmt: skip


def test_what_an_agent_lands_shows_what_took_it_back_and_a_check_lands_nothing(living: Memory, tmp_path: Path) -> None:
    line = {"person": "Jane Living", "section": "statement", "text": "Every change needs two reviewers.",
            "quotes": ["every change needs two reviewers. Reviews teach."]}  # fmt: skip
    wrong = line | {"quotes": ["every change needs nine reviewers."]}
    file = tmp_path / "lines.jsonl"
    file.write_text("\n".join(map(json.dumps, [line, wrong])), encoding="utf-8")
    before = living.db.execute("SELECT count(*) FROM entries").fetchone()
    checked = land(living, tmp_path, file, "agent:ada", check=True)
    assert (checked.accepted, [one.where for one in checked.refused]) == (("lines.jsonl:1",), ["lines.jsonl:2"])
    assert living.db.execute("SELECT count(*) FROM entries").fetchone() == before
    land(living, tmp_path, file, "agent:ada", check=False)
    [held] = [one for one in perspective(living, "jane").once if one.entry]
    assert [quote.text[:11] for quote in held.counter] == ["I was wrong"]
