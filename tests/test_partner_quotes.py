"""The quote gate on Darwin's text: true quotes in any dress pass, 2,000 changed ones and other people's do not."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from memexlab.partner.quote_places import find_in
from memexlab.wiki.prose import sentences
from memexlab.wiki.quotes import locate

DATA = Path(__file__).parent / "data"
TEXT = (DATA / "darwin" / "origin.txt").read_text("utf-8")
MUTATIONS = 2_000


def true_sentences() -> list[str]:
    found = [TEXT[one.start : one.end] for one in sentences(TEXT, 0, ())]
    return [quote for quote in found if len(quote.split()) >= 10 and "{" not in quote]


def plain(text: str) -> str:
    """What two quotes must not share for one to be a change of the other."""
    return " ".join(re.findall(r"[^\W_]+", re.sub(r"\{\d+\}", " ", text)))


WHOLE = plain(TEXT)


def mutated(quote: str, others: list[str], vocabulary: list[str], chance: random.Random) -> str:
    """The quote with one word changed, left out, put in, turned round, two swapped, or two quotes spliced."""
    words = quote.split()
    at = chance.randrange(1, len(words) - 1)
    how = chance.randrange(7)
    if how == 0:
        words[at] = chance.choice(vocabulary)
    elif how == 1:
        del words[at]
    elif how == 2:
        words.insert(at, chance.choice(["not", "never", "hardly"]))
    elif how == 3:
        words[at], words[at - 1] = words[at - 1], words[at]
    elif how == 4:
        words.insert(at, chance.choice(vocabulary))
    elif how == 5:
        other = chance.choice(others).split()
        words = words[: max(4, at)] + other[len(other) // 2 :]
    else:
        # An elision that leaves out the word that turns the sentence round, or reaches into another sentence.
        other = chance.choice(others).split()
        words = [*words[: max(4, at)], "...", *other[: max(4, len(other) // 2)][::-1]]
    return " ".join(words)


@pytest.mark.slow
def test_no_changed_quote_is_found() -> None:
    chance = random.Random(8)
    quotes = true_sentences()
    vocabulary = sorted({word for quote in quotes for word in re.findall(r"[a-z]{3,}", quote)})
    tried, accepted = 0, []
    while tried < MUTATIONS:
        quote = mutated(chance.choice(quotes), quotes, vocabulary, chance)
        if plain(quote) in WHOLE:
            continue  # the change made another true quote
        tried += 1
        if locate(quote, TEXT) is not None:
            accepted.append(quote)
    assert accepted == []


def test_no_quote_of_another_author_is_found() -> None:
    foreign = []
    for path in sorted((DATA / "wiki" / "peps").glob("*.rst")):
        text = path.read_text("utf-8")
        foreign += [text[one.start : one.end] for one in sentences(text, 0, ()) if len(one.text.split()) >= 8]
    assert len(foreign) > 50
    assert [quote for quote in foreign if locate(quote, TEXT) is not None] == []


def dressed(quote: str) -> list[str]:
    """The same words as people and programs write them."""
    return [
        " ".join(quote.split()),
        quote.replace("\n", "\r\n"),
        " ".join(quote.split()).replace("fi", "\ufb01").replace("fl", "\ufb02"),
        " ".join(quote.split()).replace("'", "\u2019"),
        "_" + " ".join(quote.replace("_", "").split()) + "_",
    ]


def test_true_quotes_are_found_in_any_dress() -> None:
    quotes = true_sentences()[:60]
    for quote in quotes:
        for dress in dressed(quote):
            span = find_in(dress, TEXT)
            assert span is not None, dress
            assert plain(TEXT[span.start : span.end]) == plain(quote)


@pytest.mark.parametrize(
    "quote",
    [
        "In the distant future I see open fields for far more important researches.",
        "In the distant future I see open \ufb01elds for far more\nimportant researches.",
        "In the distant future ... far more important researches",
    ],
)
def test_a_page_number_within_a_true_quote_is_no_hindrance(quote: str) -> None:
    span = find_in(quote, TEXT)
    assert span is not None
    assert "{489}" in TEXT[span.start : span.end]


def test_what_is_true_elsewhere_is_not_in_this_corpus() -> None:
    quote = "How odd it is that anyone should not see that all observation must be for or against some view"
    assert find_in(quote, TEXT) is None
