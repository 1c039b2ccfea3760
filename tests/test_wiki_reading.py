# ruff: noqa: E501  (documents are as long as they are)
"""What a reader would take amiss: sentences cut in two, days told of the wrong thing, words told of another, and what a
source holds and no page shows."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from memexlab.api import Lab
from memexlab.ledger import Finding
from memexlab.wiki.claims import Proposal
from memexlab.wiki.dates import dates
from memexlab.wiki.extract import mentions, propose
from memexlab.wiki.key_sentences import KEY_SENTENCES
from memexlab.wiki.prose import sentences
from memexlab.wiki.quotes import Span
from memexlab.wiki.readers import Document, feeds, html, mail, pdf, tables, text, transcripts
from memexlab.wiki.table_questions import _number

from .test_readers import documents, findings, small_pdf


def told(document: Document, *relations: str) -> list[Proposal]:
    return [p for p in propose(document) if p.relation in relations]


def read(words: str, name: str = "raw/a.md") -> Document:
    [document] = documents(text.parse(words.encode(), name))
    return document


@pytest.mark.parametrize(
    "paragraph",
    [
        "Das Bad schließt am 7. Dezember 2021 um acht.|Dann ist es zu.",
        "Im 17. Jahrhundert stand hier nur die 3. Mühle.|Sie brannte ab.",
        "Er wurde 88.|Danach kam sein Sohn.",
        "Vgl. S. 40 und Nr. 7 der Liste, d. h. das Ende.|Es folgt nichts, z. B. kein Anhang.",
        "Le 2 mai, M. Roche et Mme. Petit ouvrirent la porte, cf. p. 9 du plan.|Elle reste ouverte.",
        "„Das ist alles.“|Mehr sagte er nicht.",
        "« Il pleut. »|Elle rentra.",
        "It was named by Prof. Hale (Proc. Linn. Soc. Feb 3d, 1881) after a lake.|The lake is dry.",
        "The letter is signed WM. PENN.|It is short.",
        "The hall (ed. by A. Roe, p. 3.) is old.|It leaks.",
        "The vote (it was held at 6 p.m. Nobody spoke.) was close.|It passed.",
        "Is it done? No.|The rest is due.".replace("? ", "?|"),
        "The pump draws 60 W.|The fan draws 5 W.",
        "It was so in the 1950s.|I think it is so on p. II of it.",
        "He sold 14.|May 2020 was worse.",
        "~~The mill grinds oats.~~ |The mill grinds rye.".replace("~~ |", "~~ "),
    ],
)  # fmt: skip
def test_sentences_end_where_they_end(paragraph: str) -> None:
    expected = [part.strip() for part in paragraph.replace("~~The mill grinds oats.~~", "").split("|")]
    assert [s.text for s in sentences(paragraph.replace("|", " "), 0, ())] == expected


def test_struck_out_words_code_and_the_line_below_a_quotation_are_no_sentences() -> None:
    words = "~~It opens. It shuts.~~ It stays open.\n\n`mill --grind rye`\n\n> We mill.\n-- A miller, in the\nold mill\n\nThat is all."
    assert [s.text for s in sentences(words, 0, ())] == ["It stays open.", "That is all."]


@pytest.mark.parametrize(
    ("said", "day"),
    [("7. Dezember 2021", "2021-12-07"), ("1er août 2019", "2019-08-01"), ("2 mai 2019", "2019-05-02"),
     ("05.11.2020", "2020-11-05"), ("05/11/2020", ""), ("Mars 2020 landed in 2021", ""), ("le 3 mars 2020", "2020-03-03")],
)  # fmt: skip
def test_days_in_german_and_french(said: str, day: str) -> None:
    assert [found[0] for found in dates(said)] == ([day] if day else [])


def test_the_head_of_minutes_is_its_day_place_and_people_and_a_number_is_a_heading() -> None:
    minutes = read(
        "Sitzung des Gartenvereins\nDatum: 9. Juni 2022\nAnwesend: Uta Kern, Dr. Jan Voss\nOrt: Laube 3\n\n"
        "1. Zaun am Bach\nDer Zaun am Bach wird bis zum 1. Juli 2022 gestrichen. Uta Kern kauft die Farbe dafür.\n",
        "raw/garten.txt",
    )
    assert (minutes.title, minutes.published) == ("Sitzung des Gartenvereins", "2022-06-09")
    assert [section.heading for section in minutes.sections] == ["1. Zaun am Bach"]
    assert {str(p.object) for p in told(minutes, "participant")} == {"Uta Kern", "Dr. Jan Voss"}
    [dated] = told(minutes, "dated")
    assert (dated.text, dated.since) == ("Der Zaun am Bach wird bis zum 1. Juli 2022 gestrichen.", "2022-07-01")


def test_a_day_in_front_of_a_note_is_that_of_the_note_and_of_a_clipping_when_it_was_clipped() -> None:
    note = read("---\ndate: 2023-03-04\ntags: [event]\n---\n# Battle of Hale\n\nThe battle was fought in 1411.\n")
    said = [p.text for p in propose(note)]
    assert 'The note "Battle of Hale" is dated 2023-03-04.' in said
    assert not any("published" in one for one in said)
    head = "---\ntitle: On casts\nsource: https://a.example/casts_of_worms\nauthor: Ann Lee\npublished: 2020-01-02\ncreated: 2024-05-06\n"
    clip = {p.relation: p for p in propose(read(f"{head}---\n\nWorms cast in the wet half of the year.\n"))}
    assert clip["address"].object == "https://a.example/casts_of_worms"
    assert clip["clipped"].text == "On casts was clipped on 2024-05-06."
    assert clip["published"].object == "2020-01-02"
    assert "created" not in clip
    article = "<html><head><title>Weirs</title><link rel=canonical href=https://a.example/weirs></head><body><article>"
    [page] = documents(
        html.parse(f"{article}<p>{'Weirs of stone last longer than those of wood. ' * 9}</p>".encode(), "a.html")
    )
    assert [p.object for p in told(page, "address")] == ["https://a.example/weirs"]


def test_it_means_what_the_sentence_before_it_is_about() -> None:
    plan = read(
        "# Repair of the Old Weir\n\nThe Old Weir is a dam of stone in Hale. It was built by monks and holds 40,000 litres. "
        "In 1702 it broke.\n\nThe repair begins in spring.\n"
    )  # fmt: skip
    about = {p.text: p.subject for p in told(plan, "is", "says", "summary")}
    assert about["It was built by monks and holds 40,000 litres."] == "Old Weir"
    assert about["In 1702 it broke."] == "Old Weir"
    assert about["The repair begins in spring."] == "Repair of the Old Weir"


@pytest.mark.parametrize(
    ("first", "second", "name"),
    [("Das Wehr Nord ist ein Damm aus Stein.", "Es wurde am 2. Mai 1901 gebaut.", "Wehr Nord"),
     ("Marie Roche est une meunière de Hale.", "Elle habite le moulin depuis 1990.", "Marie Roche"),
     ("Das Problem ist die Farbe des Zauns.", "Es bleibt bestehen, bis jemand zahlt.", "Bericht")],
)  # fmt: skip
def test_what_a_thing_is_may_be_said_in_german_or_french(first: str, second: str, name: str) -> None:
    about = {
        p.text: p.subject for p in told(read(f"# Bericht\n\n{first} {second}\n"), "is", "says", "dated", "summary")
    }
    assert about[second] == name


def letter(subject: str, plain: str = "", html: str = "", by: str = "Eve Moss <eve@a.example>") -> bytes:
    message = EmailMessage()
    message["From"], message["Subject"], message["Date"] = by, subject, "Mon, 08 Jan 2024 10:00:00 +0000"
    message.set_content(html or plain, subtype="html" if html else "plain")
    return b"From a Mon Jan  8 10:00:00 2024\n" + bytes(message) + b"\n"


@pytest.mark.parametrize(
    "html",
    [
        '<p>We buy the boat in spring.</p><div class="gmail_quote"><div class="gmail_attr">On Sunday Bob wrote: it is 1 euro.'
        "</div><blockquote><p>The boat leaks in its bow.</p></blockquote></div>",
        '<p>We buy the boat in spring.</p><div id="divRplyFwdMsg"><b>From:</b> Bob</div><p>The boat leaks in its bow.</p>',
        '<p>We buy the boat in spring.</p><div class="moz-cite-prefix">On Sunday, Bob wrote:<br></div>'
        '<blockquote type="cite"><p>The boat leaks in its bow.</p></blockquote>',
    ],
)
def test_an_answered_mail_is_not_what_its_answer_says(html: str) -> None:
    [found] = documents(mail.parse(letter("Boat", html=html), "raw/m.mbox"))
    assert "The boat leaks" in found.text  # it stays, as a quotation
    assert [p.text for p in told(found, "says", "summary")] == ["We buy the boat in spring."]


def test_a_mail_says_who_wrote_each_sentence_and_what_was_not_read() -> None:
    words = "The delay was real.\n\n-- \nEve\n\n-----Original Message-----\nFrom: Bob\n\nThere was none.\n"
    [found] = documents(mail.parse(letter("Delay", words), "raw/m.mbox"))
    assert [(p.text, dict(p.scope)) for p in told(found, "says", "summary")] == [
        ("The delay was real.", {"speaker": "Eve Moss"})
    ]
    message = EmailMessage()
    message["From"], message["Subject"] = "eve@a.example", "Offer"
    message.set_content("See the file for the price of it.\n")
    message.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="price.pdf")
    [left] = findings(mail.parse(bytes(message), "raw/m.mbox"))
    assert (left.rule, left.message) == ("source-attachment", "attachments not read: price.pdf")


def test_captions_of_one_speaker_are_joined_and_a_pause_is_counted_from_their_end() -> None:
    cues = (
        ("01.000", "07.000", "Bo Ek", "We have 12 boats,"), ("07.000", "12.500", "Bo Ek", "and none of them leaks."),
        ("13.000", "19.000", "Bo Ek", "The oldest of them"), ("19.500", "22.000", "Bo Ek", "was built in Hale."),
    )  # fmt: skip
    lines = "".join(f"\n00:00:{a} --> 00:00:{b}\n<v {who}>{said}\n" for a, b, who, said in cues)
    [found] = documents(transcripts.parse(f"WEBVTT\n{lines}".encode(), "raw/call.vtt"))
    assert found.text == "Bo Ek: We have 12 boats, and none of them leaks. The oldest of them was built in Hale.\n"


def test_a_conversation_of_some_length_keeps_what_was_said_in_it() -> None:
    lines = [
        "We mend the weir.", "It leaks in winter and we lose the water of a week.", "The stones come from the quarry of Hale.",
        "No, wood would not hold.", "Ann Lee will ask the miller about the price of it.",
    ]  # fmt: skip
    cues = "".join(f"\n00:{i:02}:00.000 --> 00:{i:02}:50.000\n<v Bo Ek>{line}\n" for i, line in enumerate(lines * 3))
    varied = cues
    for i in range(3):
        varied = varied.replace("We mend", f"In year {i} we mend", 1).replace("The stones", f"In year {i} stones", 1)
    [found] = documents(transcripts.parse(f"WEBVTT\n{varied}".encode(), "raw/call.vtt"))
    said = {p.text for p in told(found, "says", "summary")}
    assert {
        "No, wood would not hold.",
        "In year 2 we mend the weir.",
        "In year 1 stones come from the quarry of Hale.",
    } <= said
    plain = " ".join(
        f"The {word} of the weir was mended by the people of the valley." for word in "abcdefghijklmnopqrst"
    )
    assert len(told(read(f"# Weir\n\n{plain}\n"), "says")) == KEY_SENTENCES


def test_a_table_may_have_semicolons_decimal_commas_and_cells_of_two_lines() -> None:
    [found] = documents(tables.parse(b'boat;kg\n"Gull; II";1.250,5\n"two\nlines";3,1\n', "raw/t.csv"))
    assert found.meta["table"] == [["boat", "kg"], ["Gull; II", "1.250,5"], ["two\nlines", "3,1"]]
    assert [_number(cell) for cell in ("1.250,5", "3,1", "1,250", "1,250.5", "3.1")] == [1250.5, 3.1, 1250, 1250.5, 3.1]
    [plain] = documents(tables.parse(b"a,b\nx; y,2\nz;,3\n", "raw/t.csv"))
    assert plain.meta["columns"] == ["a", "b"]
    [ranges] = documents(tables.parse(b"a;b\nx;3,5\nz;10,25\n", "raw/t.csv"))
    assert ranges.meta["told"] == "2 rows, 2 columns, b 3,5 to 10,25"


def test_an_archive_of_x_has_no_entities_and_no_address_in_its_titles() -> None:
    row = '{"tweet": {"id_str": "1886192184808149383", "full_text": "Rye &amp; oats &lt; wheat https://t.co/Ab1"}}'
    [found] = documents(feeds.parse(f"window.YTD.tweets.part0 = [{row}]".encode(), "raw/tweets.js"))
    assert (found.title, found.text) == ("Rye & oats < wheat", "Rye & oats < wheat https://t.co/Ab1\n")


def test_a_heading_at_the_top_of_a_page_is_one() -> None:
    pages = (") Tj 0 -20 Td (".join(lines) for lines in (
        ("On Weirs", "Abstract", "We test whether weirs of stone last longer than weirs of wood in a stream."),
        ("Results", "Weirs of stone last for 90 years, and weirs of wood for no more than 30 years."),
    ))  # fmt: skip
    [found] = documents(pdf.parse(small_pdf(*pages), "raw/p.pdf"))
    assert [section.heading for section in found.sections] == ["Abstract", "Results"]


def test_a_file_called_by_a_common_word_is_not_what_the_word_names(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (tmp_path / "memex.toml").write_text('[lab]\nname = "test"\n')
    (raw / "boats.csv").write_text("boat,kg\nGull,3\nTern,4\n")
    (raw / "history.md").write_text(
        "# The Book of Boats\n\nThe Book of Boats was printed in Hale, and Boats are dear.\n"
    )
    (raw / "note.md").write_text("# Note\n\nWe read of Boats in the old house by the sea.\n")
    Lab(tmp_path).ingest([raw])
    assert "We read of Boats in the old house by the sea.[^" in (tmp_path / "wiki" / "note.md").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize(
    ("encoding", "words"),
    [("mac_roman", "Das Café in der Mühlstraße öffnete früh."), ("cp1252", "Das Café „Mühle“ – für Gäste geöffnet."),
     ("shift_jis", "この水車は石でできている。高さは三メートルである。"), ("cp1251", "Мельница построена из камня в Хейле."),
     ("cp949", "이 물레방아는 돌로 만들어졌다.")],
)  # fmt: skip
def test_old_encodings_are_told_apart(encoding: str, words: str) -> None:
    found: Iterator[Document | Finding] = text.parse(words.encode(encoding), "raw/a.txt")
    wrong, document = found
    assert isinstance(wrong, Finding)
    assert wrong.rule == "source-encoding"
    assert isinstance(document, Document)
    assert document.text == words


def chapter(number: str, name: str, about: str) -> str:
    body = "".join(
        f"\nThe {about} of the valley was counted in the year number {i} by people who lived beside it.\n"
        f"Nobody else wrote a word of it in that year.\n" for i in range(180)
    )  # fmt: skip
    return f"\n\nCHAPTER {number}--{name}\n{body}"


def test_a_book_has_an_author_its_chapters_and_a_word_of_each() -> None:
    names = (("I", "THE OTTER", "otter"), ("II", "THE HERON AND THE \nPIKE", "heron"), ("III", "THE END", "stream"))
    contents = "".join(f"CHAPTER {number}.\n\n" for number, *_ in names)
    book = read(
        f"\n\nBEASTS OF THE VALLEY\n\nBy Ann Lee\n\n{contents}\n" + "".join(chapter(*name) for name in names),
        "raw/b.txt",
    )
    assert (book.title, book.author) == ("Beasts of the Valley", "Ann Lee")
    parts = [str(p.object) for p in told(book, "part")]
    assert parts == ["Chapter I--The Otter", "Chapter II--The Heron and the Pike", "Chapter III--The End"]
    said = [(str(p.scope["section"]), p.text) for p in told(book, "says")]
    assert {section for section, _ in said} == set(parts)
    assert all(sum(section == part for section, _ in said) > 1 for part in parts)
    whole = "".join(f"Of the year {i}, in which much was written of it, the best is this one.\n\n" for i in range(300))
    [first, *_, last] = told(read(f"# All years\n\n{whole}"), "says")
    assert isinstance(first.quotes[0], Span)
    assert isinstance(last.quotes[0], Span)
    assert last.quotes[0].start - first.quotes[0].start > len(whole) * (KEY_SENTENCES - 2) / KEY_SENTENCES


def test_a_notebook_of_quotations_is_its_quotations() -> None:
    notebook = read(
        "# Words I keep\n\n## On mills\n> The mill that is always\n> going grinds coarse.\n-- A proverb (ed. J. Ray), of the north\n\n"
        "## On boats\n> A boat is never finished by anyone.\n> — Ann Lee\n\n## Nobody's\n> All streams are one stream in the end.\n"
    )  # fmt: skip
    assert [(p.text, dict(p.scope)) for p in told(notebook, "says", "summary")] == [
        (
            "“The mill that is always going grinds coarse.” (A proverb (ed. J. Ray), of the north)",
            {"section": "On mills"},
        ),
        ("“A boat is never finished by anyone.” (Ann Lee)", {"section": "On boats"}),
        ("“All streams are one stream in the end.”", {"section": "Nobody's"}),
    ]


def test_a_sentence_without_an_end_is_on_no_page() -> None:
    endless = read(f"# Gull\n\nThe Gull Tower is {'very ' * 20_000}old. Gull Tower has a door.\n")
    assert max(len(p.text) for p in propose(endless)) < 100
    assert all(int(end) - int(start) < 100 for _, _, start, end in mentions(endless))
