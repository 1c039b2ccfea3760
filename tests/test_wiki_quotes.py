"""The quote gate: true quotes pass however they are wrapped, changed ones never do."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from memexlab.wiki.claims import ByteOffsets, Proposal, gate
from memexlab.wiki.quotes import _plain, _plain_text, locate, supported

PEPS = Path(__file__).parent / "data" / "wiki"
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in sorted(PEPS.rglob("*.*")) if path.is_file()}
OTHERS = ["always", "seldom", "green", "cannot", "thirty", "Zanzibar", "increases", "without"]


def true_quotes(text: str) -> list[str]:
    paragraphs = (" ".join(part.split()) for part in text.split("\n\n") if not part.startswith((" ", ".", "\n ")))
    return [quote for part in paragraphs for quote in re.findall(r"[A-Z][^.`*_|:<>\[\]]{50,300}\.(?= |$)", part)]


def mutant(quote: str, others: list[str], rng: random.Random) -> str:
    """The quote with one thing changed inside it, as a careless or dishonest proposer would."""
    words = quote.split(" ")
    place = rng.randrange(1, len(words) - 1)
    kind = rng.randrange(8)
    if kind == 0:
        words[place] = rng.choice(OTHERS)
    elif kind == 1:
        words.insert(place, rng.choice(["not", "never", "no"]))
    elif kind == 2:
        nots = [i for i, w in enumerate(words[1:-1], 1) if w in ("not", "no", "never", "cannot")]
        del words[nots[0] if nots else place]
    elif kind == 3:
        words[place], words[place - 1] = words[place - 1], words[place]
    elif kind == 4:
        return re.sub(r"\d+", lambda m: str(int(m[0]) + 1), quote, count=1) if re.search(r"\d", quote) else quote + " 7"
    elif kind == 5:
        return " ".join(words[:place]) + " " + " ".join(rng.choice(others).split(" ")[-4:])
    elif kind == 6:
        words[place] = words[place] + "s" if not words[place].endswith("s") else words[place][:-1] + "d"
    else:
        return " ".join(words[:place]) + " " + words[place][: max(1, len(words[place]) // 2)] + "x"
    return " ".join(words)


@pytest.mark.slow
def test_two_thousand_changed_quotes_are_refused() -> None:
    rng = random.Random(7)
    pool = [(text, true_quotes(text)) for text in TEXTS.values()]
    pool = [(text, quotes) for text, quotes in pool if len(quotes) > 3]
    assert len(pool) >= 3
    accepted, each = [], -(-2_000 // len(pool))
    for text, quotes in pool:  # one text after the other: its normal form is made once
        tried = 0
        while tried < each:
            changed = mutant(rng.choice(quotes), quotes, rng)
            if _plain(changed, False, False)[0] in _plain_text(text, False, False)[0]:
                continue  # what it became stands there as well, so that it is a true quote
            tried += 1
            if locate(changed, text) is not None:
                accepted.append(changed)
    assert accepted == []


def test_true_quotes_are_found_and_point_to_the_original() -> None:
    found = 0
    for text in TEXTS.values():
        for quote in true_quotes(text):
            span = locate(quote, text)
            assert span is not None, quote
            assert text[span.start : span.end].split() == quote.split()
            found += 1
    assert found > 30


@pytest.mark.parametrize(
    ("quote", "text", "how", "original"),
    [
        ("a plain quote", "It is a plain quote here.", "exact", "a plain quote"),
        ("over two lines of text", "goes over two\n   lines of text.", "normalised", "over two\n   lines of text"),
        ('he said "yes" to it', "he said “yes” to it", "normalised", "he said “yes” to it"),
        ("it's a test - of dashes", "it’s a test — of dashes", "normalised", "it’s a test — of dashes"),
        ("the efficient flow of air", "the eﬃcient ﬂow of air", "normalised", "the eﬃcient ﬂow of air"),
        ("a remarkable event took place", "a remark-\nable event took place", "normalised", None),
        ("a well-known event took place", "a well-\nknown event took place", "normalised", None),
        ("this is very important here", "this is *very* important here", "normalised", None),
        ("this is very important here", "this is _very important_ here", "normalised", None),
        ("café au lait is good", "cafe\u0301 au lait is good", "normalised", "cafe\u0301 au lait is good"),
        ("soft hyphens are not seen", "soft hy\u00adphens are not seen", "normalised", None),
        ("far more important researches", "far more {489}\nimportant researches", "masked", None),
        ("the first page and the second", "the first page\n\n12\n\nand the second", "masked", None),
        ("ends with a note and goes on", "ends with a note[3] and goes on", "masked", None),
        ("said aloud in the long film", "said aloud\n00:01:02.000 --> 00:01:04.000\nin the long film", "masked", None),
        ("we begin the day [...] and end it well", "we begin the day with tea and end it well", "masked", None),
        ("we begin the day … and end it well", "we begin the day with tea and end it well", "masked", None),
    ],
)
def test_what_print_does_to_a_quote_is_forgiven(quote: str, text: str, how: str, original: str | None) -> None:
    padded = f"前言 – 🙂 {text} And after."
    span = locate(quote, padded)
    assert span is not None
    assert span.how == how
    assert padded[span.start : span.end] == (original or text)


def test_a_running_head_between_the_lines_is_forgiven() -> None:
    said = ["one dog barked", "two cats slept", "three cows stood still", "four goats ate"]
    text = "\n".join(
        f"here {words} and\n\nTHE ORIGIN OF SPECIES {n}\n\nnobody came by." for n, words in enumerate(said)
    )
    span = locate("here two cats slept and nobody came by.", text)
    assert span is not None
    assert span.how == "masked"
    assert text[span.start :].startswith("here two cats slept")


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("the method is [...] safe for all users", "the method is not safe for all users"),
        ("the drug is safe for children", "the drug is unsafe for children"),
        ("safe for the children", "unsafe for the children"),
        ("they can do it", "they cannot do it"),
        ("a total of 5 apples", "a total of 5.5 apples"),
        ("costs 1,000 euros today", "costs 11,000 euros today"),
        ("fell by 5 degrees", "fell by -5 degrees"),
        ("The Method is safe", "the method is safe"),
        ("one two three ... seven eight nine", "one two three" + " pad" * 300 + " seven eight nine"),
        ("seven eight nine ... one two three", "one two three and seven eight nine"),
        ("one two three four seven eight nine", "one two three four five. Six seven eight nine"),
        ("one ... nine", "one two three and nine"),
        ("", "anything"),
        ("the", "the"),
    ],
)
def test_what_changes_the_sense_is_refused(quote: str, text: str) -> None:
    assert locate(quote, text) is None


def test_values_and_names_must_stand_in_the_evidence() -> None:
    evidence = "Release 3.4 came out on 16 March 2014, said Łukasz Langa; it has 1,250 fixes."
    assert supported("Łukasz Langa released 3.4 on 2014-03-16 with 1250 fixes.", evidence) == []
    for claim, rule in [
        ("It has 1,251 fixes.", "claim-number"),
        ("It came out on 2014-03-17.", "claim-date"),
        ("It was said by Guido Langa.", "claim-name"),
        ("Release 3.5 came out.", "claim-number"),
    ]:
        assert [finding.rule for finding in supported(claim, evidence)] == [rule], claim


def test_the_gate_turns_characters_into_bytes_and_refuses_with_reasons() -> None:
    text = "Zürich – größte Stadt der Schweiz. Bern has 134 000 people."
    proposals = [
        Proposal("Bern", "Bern has people.", ("Bern has 134 000 people.",)),
        Proposal("Bern", "Bern has 200 people.", ("Bern has 134 000 people.",)),
        Proposal("Bern", "Bern has many people.", ("Bern has 135 000 people.",)),
        Proposal("Bern", "Bern is there.", ()),
    ]
    drafts, findings = gate(proposals, text, "Swiss cities", "b:" + "0" * 64, "@0")
    [draft] = drafts
    [quotes, origin] = draft.refs
    assert text.encode()[quotes.start : quotes.end].decode() == "Bern has 134 000 people."
    assert (quotes.role, origin.role, origin.id) == ("quotes", "from", "@0")
    assert [finding.rule for finding in findings] == ["claim-number", "quote", "quote-missing"]
    assert ByteOffsets(text)(2) == 3
