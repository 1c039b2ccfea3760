"""A corpus of one person: who speaks where, what is dated when, what counts once, and what a person says of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from memexlab.commands.partner import say_voice
from memexlab.ledger import Refused, UsageError
from memexlab.memory import Memory
from memexlab.partner.corpus import find_person, open_corpus, take_in
from memexlab.partner.voice import overridden, segments

DARWIN = Path(__file__).parent / "data" / "darwin"
PERSON = "Charles Darwin"


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    memory = Memory(tmp_path / ".memex", {})
    take_in(memory, tmp_path, [DARWIN], PERSON, "human:test")
    yield memory
    memory.close()


def voice_at(memory: Memory, document: str, words: str) -> list[tuple[str, str, str, str]]:
    """(voice, date, basis, kind) of each place where these words stand, whatever the line wraps."""
    [text] = [one for one in open_corpus(memory, PERSON).texts if one.document.endswith(document)]
    plain = text.text.replace("\n", " ")
    places = [i for i in range(len(plain)) if plain.startswith(words, i)]
    assert places, words
    return [
        (one.voice, one.date, one.basis, one.kind)
        for at in places for one in text.segments if one.start <= at < one.end
    ]  # fmt: skip


def test_an_editors_words_are_not_the_persons_and_date_nothing(memory: Memory) -> None:
    assert {voice for voice, *_ in voice_at(memory, "foundations.txt", "survival of the fittest")} == {"editor"}
    said = [one for one in open_corpus(memory, PERSON).own if "survival of the fittest" in one.text]
    assert said
    assert {one.segment.date for one in said} == {"1866-07-05"}


def test_each_letter_has_the_date_of_its_heading_and_who_wrote_it(memory: Memory) -> None:
    own = voice_at(memory, "letters-1.txt", "I agree to the truth of almost every word of your paper")
    assert own == [("own", "1857-05-01", "declared", "letter")]
    supplied = voice_at(memory, "letters-1.txt", "You have shaved the hair off the Alpine plants")
    assert supplied == [("own", "1857-05-02", "inferred", "letter")]
    assert voice_at(memory, "letters-1.txt", "let us condole together")[0][:2] == ("recipient", "1831-08-24")


def test_essays_of_one_volume_are_dated_by_their_headings(memory: Memory) -> None:
    found = {one.segment.date for one in open_corpus(memory, PERSON).own if one.segment.kind == "manuscript-essays"}
    assert found == {"1842", "1844"}


def test_what_stands_in_two_volumes_counts_once(memory: Memory) -> None:
    corpus = open_corpus(memory, PERSON)
    words = "A German Editor having written to me for an account of the development"
    twice = [one for one in corpus.own if one.text.startswith(words)]
    assert [one.copy for one in twice] == [False, True]
    assert twice[0].group == twice[1].group
    by_source = {corpus.texts[one.source].document.split("/")[-1] for one in twice}
    assert by_source == {"autobiography.txt", "letters-1.txt"}
    assert not any(one.copy for one in corpus.own if "Alpine plants" in one.text)


def test_long_quotations_and_page_fronts_are_not_the_persons(memory: Memory) -> None:
    assert voice_at(memory, "origin.txt", "events are brought about not by insulated")[0][0] != "own"
    told = open_corpus(memory, PERSON).word_counts
    assert sum(n for (voice, *_), n in told.items() if voice == "own") > sum(
        n for (voice, *_), n in told.items() if voice == "unknown"
    )


def test_what_a_person_says_of_a_voice_wins_and_survives_a_rebuild(memory: Memory) -> None:
    corpus = open_corpus(memory, PERSON)
    said = next(one for one in corpus.own if one.text.startswith("A German Editor"))
    place = f"S{corpus.texts[said.source].entry}:{said.start}-{said.end}"
    assert say_voice(memory, PERSON, place, "fiction", "a joke", "human:test").landed == {"voice": 1}
    memory.index.rebuild()
    again = open_corpus(memory, PERSON)
    assert not any(one.start == said.start and one.source == said.source for one in again.own)
    assert sum(n for (voice, *_), n in again.word_counts.items() if voice == "fiction") == len(said.text.split())
    with pytest.raises(Refused, match="voice is 'ghost'"):
        say_voice(memory, PERSON, place, "ghost", "", "human:test")


def test_a_year_hides_everything_later(memory: Memory) -> None:
    years = {one.year for one in open_corpus(memory, PERSON, 1857).own}
    assert max(year for year in years if year) == 1857
    assert not any("open fields" in one.text for one in open_corpus(memory, PERSON, 1857).own)


def test_the_same_corpus_again_lands_nothing_and_a_changed_file_supersedes(memory: Memory, tmp_path: Path) -> None:
    again = take_in(memory, tmp_path, [DARWIN], PERSON, "human:test")
    assert (again.new, again.changed, again.known) == (0, 0, 5)
    copy = tmp_path / "mine"
    shutil.copytree(DARWIN, copy)
    assert take_in(memory, tmp_path, [copy], "Other Person", "human:test").new == 5
    (copy / "origin.txt").write_text((copy / "origin.txt").read_text("utf-8") + "\nOne line more.\n", "utf-8")
    changed = take_in(memory, tmp_path, [copy], "Other Person", "human:test")
    assert (changed.new, changed.changed, changed.known) == (0, 1, 4)
    assert len(open_corpus(memory, "Other Person").texts) == 5


def test_a_manifest_reaches_no_file_outside_its_folder(memory: Memory, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("private", "utf-8")
    folder = tmp_path / "corpus"
    folder.mkdir()
    lines = [json.dumps({"path": "../secret.txt"}), "not json", json.dumps({"path": "no.txt"})]
    (folder / "manifest.jsonl").write_text("\n".join(lines), "utf-8")
    taken = take_in(memory, tmp_path, [folder], "A B", "human:test")
    assert taken.new == 0
    assert [finding.rule for finding in taken.findings] == ["manifest"] * 3


def test_front_matter_gives_kind_voice_and_author(tmp_path: Path) -> None:
    memory = Memory(tmp_path / ".memex", {})
    folder = tmp_path / "notes"
    folder.mkdir()
    head = "---\ntitle: {}\nauthor: {}\ndate: 2020-05-01\nkind: post\nlicence: CC0\n{}---\n\n"
    story = (
        head.format("Story", "Ada Byron", "voice: fiction\n") + "I woke up on Mars and believed in nothing at all.\n"
    )
    (folder / "story.md").write_text(story, "utf-8")
    (folder / "plain.md").write_text(
        head.format("Plain", "Ada Byron", "") + "I believe in small steps.\n\n> Not mine.\n", "utf-8"
    )
    (folder / "both.md").write_text(head.format("Both", "Ada Byron and Bo Lee", "") + "We believe in tests.\n", "utf-8")
    (folder / "his.md").write_text(head.format("His", "Bo Lee", "") + "I believe in luck alone.\n", "utf-8")
    take_in(memory, tmp_path, [folder], "Ada Byron", "human:test")
    corpus = open_corpus(memory, "byron")
    assert {one.text for one in corpus.own} == {"I believe in small steps.", "We believe in tests."}
    assert {one.segment.voice for one in corpus.own} == {"own", "co-authored"}
    assert {one.segment.kind for one in corpus.own} == {"post"}
    with pytest.raises(UsageError, match="there is one of Ada Byron"):
        find_person(memory, "nobody")
    memory.close()


def test_speakers_of_a_talk_are_told_apart() -> None:
    text = "Host: What do you hold?\n\nAda Byron: I hold that tests come first.\n\nHost: Thanks.\n"
    found = segments(text, "Ada Byron", "interview", "2020", "declared")
    assert [one.voice for one in found] == ["interviewer", "own", "interviewer"]


def test_the_last_word_on_a_voice_cuts_only_its_part() -> None:
    found = segments("one two three four", "Ada Byron", "note", "2020", "declared")
    parts = overridden(found, [(4, 13, "quoted"), (8, 13, "fiction")])
    assert [(one.start, one.end, one.voice) for one in parts] == [
        (0, 4, "own"), (4, 8, "quoted"), (8, 13, "fiction"), (13, 18, "own")
    ]  # fmt: skip


def test_a_heading_of_the_autobiography_is_no_letter_and_an_unclosed_mark_turns_nothing_round() -> None:
    text = (
        "Edited by his son Tom\n\nCHAPTER 2. -- AUTOBIOGRAPHY.\n\nI was born by the sea.\n\n"
        "FROM MY RETURN TO ENGLAND TO MY MARRIAGE.\n\nThese two years were the most active ones of my life.\n"
    )
    found = segments(text, "Ada Byron", "letters", "1887", "declared")
    voices = [next(one.voice for one in found if one.start <= text.index(w) < one.end) for w in ("I was", "These two")]
    assert voices == ["own", "own"]
    open_mark = 'I read "Tides.\n\nI hold the view that slow tides shape a harbour more than storms, as in the "Mud".\n'
    assert {one.voice for one in segments(open_mark, "Ada Byron", "note", "2020", "declared")} == {"own"}


EDITED = (
    "Edited by his Son\n\nFrancis Darwin\n\nCHAPTER 1. -- LETTERS.\n\n\nCHARLES DARWIN TO ASA GRAY. Down [1860].\n\n"
)


def told(text: str, *words: str) -> list[tuple[str, str]]:
    """(voice, date) of the place where each of these words begins in a volume of letters that his son edited."""
    found = segments(EDITED + text, PERSON, "letters", "1887", "declared")
    at = [(EDITED + text).index(one) for one in words]
    return [next((one.voice, one.date) for one in found if one.start <= place < one.end) for place in at]


def test_an_editors_brackets_are_his_to_the_mark_that_closes_them() -> None:
    text = (
        "I hope it does. (In connection with this my father used to tell a story: a friend (the elder one) had left. "
        "He was persuaded to go on.) It was kind.\n\nThank you for the squib [The squib is in a newspaper. It was by "
        "a friend [see page 4]. Its author is not known.] which made us laugh.\n\nHe (Speech in the House. It was "
        "long.) is wrong (Lyell, in a review (Boston, May 1860.) some time ago.\n\nI dislike it (In the review he\n\n"
        '"says that all of it is wrong." This is not so.) but what I meant is this [The rest was lost. He forgot it.'
        "\n\nMore.\n"
    )
    editor = ("In connection", "He was persuaded", "The squib", "It was by", "Its author", "Speech", "It was long",
              "Lyell", "says that all", "The rest", "He forgot")  # fmt: skip
    assert {voice for voice, _ in told(text, *editor)} == {"editor"}
    own = ("I hope", "It was kind", "which made us", "is wrong (", "some time ago", "but what I meant", "More.")
    assert {voice for voice, _ in told(text, *own)} == {"own"}


def test_a_letter_goes_on_after_its_editors_note_and_its_postscript_to_the_next_gap() -> None:
    text = (
        "Who would have thought it of them! (This refers to a review. The reviewer calls my father a master:--\n\n"
        '"Under the influence of his conclusion he is wrong.")... It will be some time before slime is alive.\n\n'
        "Farewell, yours affectionately, C. DARWIN.\n\nP.S.--I shall be curious to hear.\n\nEmbryology is my pet bit, "
        "and not one has noticed this.\n\n\nIn the autumn he was at work on this.\n\n\n"
        "FROM CHARLES DARWIN TO K. SEMPER. Down, July 19, 1881.\n\nI have been much pleased.\n"
    )
    editor, own = ("This refers", "Under the", "In the autumn"), ("Who would", "It will be", "I shall", "Embryology")
    assert {voice for voice, _ in told(text, *editor)} == {"editor"}
    assert {voice for voice, _ in told(text, *own)} == {"own"}
    assert told(text, "I have been much") == [("own", "1881-07-19")]


def test_words_to_which_the_editor_leads_are_the_persons_and_dated_by_him() -> None:
    text = (
        "Yours, C. DARWIN.\n\n\nThe extracts are from the Autobiography, written in 1876, in which my father gives his "
        'views:--\n\n"During these years (Until 1839, when he married and left.) I was led to think.\n\n'
        '"Thus disbelief crept over me."\n\nAgain the youth wrote to my father:--\n\n'
        '"I ask once more what to believe."\n\n'
        "[The bracket of this note is never closed.\n\nA LETTER TO SIR J.D. HOOKER [September, 1856].\n\n"
        '"In the course of some weeks, you unfortunate wretch, you will have my MS. on one point of Distribution."\n\n'
        'In a review the following occurs:\n\n"There is wonderful ill logic in this book, and there is no end of it."\n'
    )
    words = ("During these", "Until 1839", "I was led", "Thus disbelief", "I ask once", "In the course", "There is")
    assert told(text, *words) == [
        ("own", "1876"), ("editor", "1876"), ("own", "1876"), ("own", "1876"), ("editor", "1876"), ("own", "1856"),
        ("editor", "1856"),
    ]  # fmt: skip


def test_a_bracket_before_the_date_of_a_heading_does_not_hide_it() -> None:
    text = (
        "Dear Gray,\n\nI agree.\n\n\nCHARLES DARWIN TO FRITHIOF HOLMGREN. (Professor of Physiology at\nUpsala since "
        "1864.) Down, April 14, 1881.\n\nIn answer to your letter I agree.\n\n\n"
        "CHARLES DARWIN TO MRS. LITCHFIELD. (His daughter.) January 4, 1875.\n\nYour letter has led me to think.\n"
    )
    assert told(text, "In answer", "Your letter") == [("own", "1881-04-14"), ("own", "1875-01-04")]


def test_a_letter_that_the_editor_announces_as_anothers_is_not_the_persons() -> None:
    note = "[The following letter, from {}, is one of those that were spoken of\nin the last letter:]\n\n"
    creed = "Dear Madam,\n\nThat the sea remembers {} ship, I hold for certain.\n\n\n"
    answer = "[The answer:]\n\n" + creed.format("no")
    for name, voice in (("Mrs. Vane", "recipient"), ("Mr. Darwin", "own")):
        text = note.format(name) + creed.format("every") + answer
        said = told(text, "That the sea remembers every", "That the sea remembers no")
        assert [who for who, _ in said] == [voice, "own"], name
