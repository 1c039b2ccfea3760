"""What drafts may say: false ones by one kind of turn each, and true ones in other words that must pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from memexlab.ledger import Finding
from memexlab.wiki.dates import dates
from memexlab.wiki.drafting import Text, claim_from, sentences_from
from memexlab.wiki.entailment import unsupported
from memexlab.wiki.quantities import quantities
from memexlab.wiki.quotes import locate, supported
from memexlab.wiki.stored_answers import told_whole


@pytest.mark.parametrize(
    ("sentence", "quote", "rule"),
    [
        # a name that opens a sentence
        ("Quorvex built the lock.", "The lock was built by Harbour Works", "claim-name"),
        ("The lock is new. Trellon paid for it.", "The lock is new, and the town paid for it", "claim-name"),
        ("Painting the lock took a week.", "They painted the lock in a week", ""),
        ("Because of rust the lock was painted.", "The lock was painted because of rust", ""),
        # what a number counts
        ("The port moved 6 thousand tons.", "The port moved 6 million tons", "claim-number"),
        ("The pump weighs 40 g.", "The pump weighs 40 kg", "claim-number"),
        ("A berth costs 90 euros.", "A berth costs £90", "claim-number"),
        ("A berth costs 90 pounds.", "A berth costs £90", ""),
        ("A berth costs £90 a week.", "A berth costs £90 a day", "claim-number"),
        ("The port moved 6 million tons.", "The port moved 6,000,000 tons", ""),
        ("The tide lasts 5 hours.", "The tide lasts between 5 and 7 hours", ""),
        ("The delay was 12 ms.", "Delay (ms): 12", ""),
        ("Die Schleuse wiegt 24 Tonnen.", "Die Schleuse wiegt 2,4 Tonnen", "claim-number"),
        # numbers in words
        ("Eight boats sank.", "Nine boats sank", "claim-number"),
        ("8 boats sank.", "Eight boats sank", ""),
        ("Twenty-one boats sank.", "21 boats sank", ""),
        ("Vier Boote sanken.", "Es sanken fünf Boote", "claim-number"),
        ("Le port a sept bateaux.", "Le port a huit bateaux", "claim-number"),
        # opposites, acts and standings
        ("Tolls dropped to 4.", "Tolls climbed to 4", "claim-opposite"),
        ("Tolls went up to 4.", "Tolls rose to 4", ""),
        ("Boats under 9 m pay.", "Boats over 9 m pay", "claim-opposite"),
        ("The river lies under the bridge.", "The bridge stands above the river", ""),
        ("The pilot was refused by the council.", "The pilot was approved by the council", "claim-opposite"),
        ("The plan was accepted.", "The plan names a pilot for the harbour", "claim-unsaid"),
        ("The lock is unsafe in winter.", "The lock is not safe in winter", ""),
        ("Boats with a pilot may pass.", "Boats without a pilot may pass", "claim-opposite"),
        ("Wren is slower in Kent.", "Wren is slower in Essex, but faster in Kent", "claim-opposite"),
        # denials in other languages, and by another word
        ("Die Schleuse ist offen.", "Die Schleuse ist nicht offen", "claim-denial"),
        ("Die Schleuse ist nicht offen.", "Die Schleuse ist offen", "claim-denial"),
        ("L'écluse est ouverte.", "L'écluse n'est pas ouverte", "claim-denial"),
        ("Die Schleuse trägt mindestens 9 Boote.", "Die Schleuse trägt höchstens 9 Boote", "claim-opposite"),
        ("Die Schleuse trägt nicht mehr als 9 Boote.", "Die Schleuse trägt höchstens 9 Boote", ""),
        ("The crane stays in its place.", "The crane will not be moved from its place", ""),
        ("The port stopped selling ice.", "The port no longer sells ice", ""),
        ("The pier opened in June.", "The pier will open in June", "claim-strength"),
        # two sides
        ("The town replaced steel with oak.", "The town replaced oak with steel", "claim-swapped"),
        ("Steel was replaced by oak.", "The town replaced oak with steel", "claim-swapped"),
        ("Oak was replaced by steel.", "The town replaced oak with steel", ""),
        ("Ada Carr paid Bo Lind.", "Bo Lind paid Ada Carr", "claim-swapped"),
        ("Bo Lind was paid by Ada Carr.", "In May Ada Carr paid Bo Lind", ""),
        ("On Monday Ada Carr met Bo Lind.", "Bo Lind met Ada Carr on Monday", ""),
        # who it is said of
        ("Bo Lind opened a shop in Trent.", "Bo Lind came, and Ada Carr opened a shop in Trent", "claim-subject"),
        ("Wren Yard weighs 9 tons.", "The Heron was made by Wren Yard. It is long and weighs 9 tons.", "claim-subject"),
        ("The Heron weighs 9 tons.", "The Heron was made by Wren Yard. It is long and weighs 9 tons.", ""),
        ("Rule 7 sets the price of ice.", "Rule 8 sets the price of ice, not rule 7", "claim-denial"),
        ("Rule 7 sets the price of ice.", "Beside rule 7, rule 8 sets the price of ice", "claim-number"),
        # whose word it is, and under which condition
        ("The pier earns 9 euros an hour.", "According to the pilot, the pier earns 9 euros an hour", "claim-strength"),
        ("According to the pilot, it earns 9 euros.", "According to the pilot, it earns 9 euros", ""),
        ("Der Kran trägt 4 Tonnen.", "Nach Angaben der Werft trägt der Kran 4 Tonnen", "claim-strength"),
        ("Le quai mesure 40 m.", "Selon le maire, le quai mesure 40 m", "claim-strength"),
        ("The rope is old.", "Bo Lind argued that the rope is old", "claim-strength"),
        ("The lock will open in June.", "If the gate arrives, the lock will open in June", "claim-strength"),
        ("The lock will open in June if the gate arrives.", "If the gate arrives, the lock will open in June", ""),
        ("Die Schleuse schließt im Mai.", "Wenn der Rat zustimmt, schließt die Schleuse im Mai", "claim-strength"),
        ("Boats moor there.", "Boats ceased mooring there", "claim-denial"),
        ("The town sold the crane.", "The town refused to sell the crane to Bo Lind", "claim-denial"),
        ("Ada Carr spoke for the toll.", "Ada Carr spoke against the toll", "claim-opposite"),
        ("Since 1980 Bo Lind ran the ferry.", "Until 1980 Bo Lind ran the ferry", "claim-opposite"),
        # a clause, and a verb, that no evidence has
        ("The crane is red, and it smells of tar.", "The crane is red and stands by the lock", "claim-unsaid"),
        ("The yard burned the tall mast.", "The yard repaired the tall mast", "claim-unsaid"),
        ("The yard mended the tall mast.", "The yard has mended the tall mast", ""),
        ("The pier lasted eleven years.", "The pier took eleven years", ""),
        # names in another form, numbers with spaces
        ("Am Hafenkran hängt ein Seil.", "Neben dem Tor des Hafenkrans hängt ein Seil", ""),
        ("A book on the Norwegian coast lies there.", "A book on the coast of Norway lies there", ""),
        ("The port moved 3,200 tons.", "The port moved 3 200 tons", ""),
        ("PEP 9 was created on 2020-05-08.", "Created: 08-May-2020, PEP 9", ""),
        ("It tells whether or not boats may pass.", "It tells whether or not boats may pass", ""),
    ],
)
def test_a_turn_is_refused_and_other_words_for_the_same_are_not(sentence: str, quote: str, rule: str) -> None:
    found = unsupported(sentence, {"": quote}, "Bridges")
    assert (found.rule if found else "") == rule, found


LOG = Text(
    "e:1", "b:" + "0" * 64, "raw/log.md", "Carr, harbour log", "harbour log", "2001-01-01",
    "# Carr, harbour log\n\nI was made pilot on 3. Oktober 1999. We bought ropes from [Wren](https://wren.example) "
    "in May.\n\nRule 8 replaces rule 7. The chart was approved by Bo Lind. The lock is old.\n\nThe crane is new.",
)  # fmt: skip


@pytest.fixture
def rule_of() -> Callable[..., str]:
    def rule(subject: str, sentence: str, quote: str, **more: str) -> str:
        found: dict[str, Any] = {"subject": subject, "sentence": sentence, "quote": quote, **more}
        refused = claim_from(found, LOG)
        return refused.rule if isinstance(refused, Finding) else ""

    return rule


def test_a_relation_stands_in_the_quote_and_the_right_way_round(rule_of: Callable[..., str]) -> None:
    told = ("harbour log", "Rule 8 replaces rule 7.", "Rule 8 replaces rule 7.")
    assert rule_of(*told, relation="supersedes", value="rule 7") == ""
    assert rule_of(*told, relation="superseded by", value="rule 7") == "claim-swapped"
    chart = ("chart", "The chart was approved by Bo Lind.", "The chart was approved by Bo Lind.")
    assert rule_of(*chart, relation="approved by", value="Bo Lind") == ""
    assert rule_of(*chart, relation="rejected by", value="Bo Lind") == "claim-relation"
    assert rule_of(*chart, relation="author", value="Bo Lind") == "claim-relation"
    assert rule_of(*chart, relation="drawn by", value="Bo Lind") == "claim-relation"
    assert rule_of(*chart, relation="pilot's licence", value="Bo Lind") == "", "a name of a value need not stand there"


def test_who_writes_in_the_first_person_is_named_by_the_title_and_nobody_else(rule_of: Callable[..., str]) -> None:
    quote = "I was made pilot on 3. Oktober 1999"
    assert rule_of("Ada Carr", "Ada Carr was made pilot in 1999.", quote, since="1999-10-03") == ""
    assert rule_of("Bo Lind", "Bo Lind was made pilot in 1999.", quote) == "claim-subject"
    assert rule_of("Mrs. Carr", "Mrs. Carr was made pilot in 1999.", quote) == "claim-subject"


def test_a_quote_may_drop_the_markup_of_links_and_roles_but_no_word() -> None:
    text = "We bought ropes from [Wren](https://wren.example) in May, see :pep:`8`, and it is [not] dear."
    span = locate("ropes from Wren in May, see PEP 8", text)
    assert span is not None
    assert text[span.start : span.end] == "ropes from [Wren](https://wren.example) in May, see :pep:`8`"
    assert locate("and it is dear", text) is None


def test_an_elision_leaves_no_paragraph_and_drops_no_turn() -> None:
    text = LOG.text
    assert locate("The chart was approved ... The lock is old", text) is not None
    assert locate("The lock is old ... The crane is new", text) is None
    assert locate("We bought ropes ... The crane is new.", text) is None
    assert locate("die Brücke ist ... gesperrt worden", "Nun: die Brücke ist doch nicht ganz gesperrt worden") is None
    assert locate("The council ... to sell the pier", "The council firmly refused to sell the pier") is None


def test_numbers_and_dates_of_three_languages_are_read() -> None:
    told = {
        (one.said, str(one.value), *sorted(one.units))
        for one in quantities("1.250.000 Euro, 3,5 Tonnen, 41k, $8 a day")
    }
    assert told == {("1.250.000 Euro", "1250000", "eur"), ("3,5 Tonnen", "3.5", "ton"), ("41k", "41000"),
                    ("$8 a day", "8", "per day", "usd")}  # fmt: skip
    assert [day for day, _, _ in dates("am 31. Mai 2024, le 1er juin 2024, 5 février 2023")] == [
        "2024-05-31", "2024-06-01", "2023-02-05",
    ]  # fmt: skip
    assert supported("Er kam am 31. März 2024.", "Er kam am 31. Mai 2024.")[0].rule == "claim-date"
    assert supported("Sie wiegt 35 Tonnen.", "Sie wiegt 3,5 Tonnen.")[0].rule == "claim-number"


def test_a_quote_is_cut_out_of_no_word_and_no_number() -> None:
    for quote, text in (
        ("resident boats may moor here", "All non-resident boats may moor here"),
        ("boats that are pre", "These are boats that are pre-war built"),
        ("300 tons were moved here", "In May 5 300 tons were moved here"),
        ("the port has moved 5", "In May the port has moved 5 300 tons"),
        ("the toll rose by 40", "Then the toll rose by 40 % at once"),
    ):
        assert locate(quote, text) is None, quote
    assert locate("its chair wants a vote", "The board is split\u2014its chair wants a vote") is not None


def test_an_elision_drops_no_turn_after_a_short_word_and_crosses_no_heading() -> None:
    text = "The Wren Inc. did not build the pier. It is old.\n# The lock\nIt is new."
    assert locate("The Wren Inc. ... build the pier", text) is None
    assert locate("It is old ... It is new", text) is None
    assert locate("did not build ... It is old", text) is not None


def test_a_line_that_denies_is_no_running_head_and_a_number_after_a_verb_is_no_page() -> None:
    text = "The crane works\n\nNot allowed\n\non deck A.\n\nNot allowed\n\nB\n\nNot allowed\n\nIt weighs\n\n42\n\ntons."
    assert locate("The crane works on deck A", text) is None
    assert locate("The cost was low there", "The cost was\n\n42\n\nlow there") is None
    assert locate("The cost was low there", "Go\n\n41\n\non. The cost was\n\n42\n\nlow there") is not None


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ('he said: "the lock is shut" today', "he said: «\u00a0the lock is shut\u00a0» today"),
        ('er sagte "ja und nein" dazu', "er sagte »ja und nein« dazu"),
        ("the lock - it is old - leaks", "the lock\u2014it is old\u2014leaks"),
        ("we met Ada Carr at the pier", "we met [[ada-carr|Ada Carr]] at the pier"),
        ("the old lock is shut", "the <em>old</em> lock<br/>is shut"),
        ("the file_name of it is here", "the file\\_name of it is here"),
        ("港の古い水門は百年前に作られた", "港の古い水\n門は百年前に作られた"),
    ],
)
def test_a_true_quote_over_markup_and_wraps_is_found(quote: str, text: str) -> None:
    assert locate(quote, f"So. {text} And on.") is not None


def test_a_sentence_of_an_answer_has_the_verbs_of_what_it_cites() -> None:
    cited = {"c1": "It was opened in 1958 and has 40 berths.", "c2": "The pier is a landing place in Trent."}
    for text, count in (
        ("The pier is a landing place in Trent which burned down in 1958 and has 40 berths.", 0),
        ("Opened in 1958, the pier has 40 berths.", 1),
    ):
        good, _ = sentences_from([{"text": text, "cites": ["c1", "c2"]}], cited, "Pier")
        assert len(good) == count, text


def test_a_claim_stays_on_its_page_where_the_answer_leaves_out_what_it_says() -> None:
    claims = {"c1": "The pier was opened in 1958 and has 40 berths.", "c2": "The pier lies at Trent."}
    assert told_whole([("The pier lies at Trent and has 40 berths.", ("c1", "c2"))], claims) == {"c2"}
    assert told_whole([("The pier, opened in 1958, has 40 berths.", ("c1",))], claims) == {"c1"}
