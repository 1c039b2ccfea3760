# ruff: noqa: E501  (documents are as long as they are)
"""Readers of formats: real files of each, broken ones of each, and a parser that runs wild."""

from __future__ import annotations

import io
import json
import mailbox
import sys
import zipfile
from email.message import EmailMessage
from pathlib import Path
from types import ModuleType

import pytest

from memexlab.ledger import Finding
from memexlab.wiki.extract import propose
from memexlab.wiki.quotes import Span
from memexlab.wiki.readers import (
    READERS,
    Document,
    feeds,
    html,
    mail,
    notebooks,
    office,
    pdf,
    read,
    tables,
    transcripts,
)
from memexlab.wiki.readers.apart import parse_apart
from memexlab.wiki.readers.text import parse as parse_text

pytest.importorskip("trafilatura", reason="the extra is not installed: pip install 'memexlab[docs]'")

ARTICLE = """<html lang=en><head><title>On attention | Some Blog</title><meta name=author content="Ada Example">
<meta property="article:published_time" content="2021-05-06"></head><body><nav><a href=/>Home</a> <a href=/x>About us</a></nav>
<article><h1>On attention</h1><p>Attention reads every token, which costs time that grows with the square of the length.</p>
<p>Windows of <a href="https://example.org/w">fixed size</a> cost less, and lose what lies outside of them, as we measured.</p>
<script>alert(1)</script></article><footer>Subscribe to our newsletter for more</footer></body></html>"""


def documents(found: object) -> list[Document]:
    return [one for one in found if isinstance(one, Document)]


def findings(found: object) -> list[Finding]:
    return [one for one in found if isinstance(one, Finding)]


def test_a_web_page_is_read_without_its_frame() -> None:
    [document] = documents(html.parse(ARTICLE.encode(), "raw/a.html"))
    assert "grows with the square" in document.text
    assert "[fixed size](https://example.org/w)" in document.text
    assert "newsletter" not in document.text
    assert "alert(1)" not in document.text
    assert (document.author, document.published) == ("Ada Example", "2021-05-06")
    assert document.raw == ARTICLE.encode()


@pytest.mark.parametrize("title", ["404 Not Found", "Just a moment...", "Access denied"])
def test_an_error_page_is_no_source(title: str) -> None:
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1><p>Please go back.</p></body></html>"
    [finding] = html.parse(page.encode(), "raw/e.html")
    assert isinstance(finding, Finding)
    assert finding.rule == "source-error-page"


def small_pdf(*pages: str, info: str = "", outline: str = "") -> bytes:
    """A PDF with one line a page, written by hand; its properties, and a bookmark to its last page."""
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(pages)))
    marks = 4 + 2 * len(pages)
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R {f'/Outlines {marks} 0 R' if outline else ''} >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for i, text in enumerate(pages):
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * i} 0 R"
            " /Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    if outline:
        last = f"/Dest [{marks - 2} 0 R /Fit]"
        objects += [f"<< /Type /Outlines /First {marks + 1} 0 R /Last {marks + 1} 0 R /Count 1 >>",
                    f"<< /Title ({outline}) /Parent {marks} 0 R {last} >>"]  # fmt: skip
    objects.append(f"<< {info} >>")
    out = b"%PDF-1.4\n"
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n".encode()
    return (
        out
        + f"<< /Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R >>\nstartxref\n{len(out) - 0}\n%%EOF\n".encode()
    )


def test_a_pdf_knows_its_pages() -> None:
    [document] = documents(pdf.parse(small_pdf("First page speaks", "Second page ends"), "raw/p.pdf"))
    first, second = document.meta["page_lines"]
    assert document.text.split("\n")[first - 1].startswith("First page speaks")
    assert document.text.split("\n")[second - 1].lstrip("\f").startswith("Second page ends")


def test_a_pdf_is_of_the_year_that_it_says_and_its_references_are_no_finding() -> None:
    lines = ("On Casts", "Ann Lee1", ", Bo Ek2", "Journal of Soils 12 (2020) 101-109", "Abstract",
             "We test whether casts tell how many worms there are.", "We conclude that casts are a usable proxy in meadows only.",
             "References", "Orr, C. (1881) The Formation of Vegetable Mould through the Action of Worms.")  # fmt: skip
    text = ") Tj 0 -20 Td (".join(lines)
    made = small_pdf(text.replace("(2020)", "\\(2020\\)").replace("(1881)", "\\(1881\\)"),
                     info="/Author (Ann Lee and Bo Ek) /CreationDate (D:20261121)")  # fmt: skip
    [document] = documents(pdf.parse(made, "raw/p.pdf"))
    assert document.published == "2020"
    told = {(p.relation, p.object or p.text) for p in propose(document)}
    assert {("author", "Ann Lee"), ("author", "Bo Ek"), ("summary", lines[6])} <= told
    assert not any("Vegetable Mould" in str(value) for _, value in told)


def test_a_clipping_is_of_the_day_it_was_published_and_a_day_may_come_first() -> None:
    clip = "---\ntitle: Casts\npublished: 2023-05-14\ncreated: 2024-02-02\n---\n\nWorms cast.\n"
    [document] = documents(parse_text(clip.encode(), "raw/clip.md"))
    assert document.published == "2023-05-14"
    told = {p.relation: p.object for p in propose(document) if "d" in p.relation}
    assert (told["note published"], told["note created"]) == ("2023-05-14", "2024-02-02")
    for said, day in (("14/05/2023", "2023-05-14"), ("04/05/2023", ""), ("4.5.2023", "2023-05-04")):
        [document] = documents(parse_text(f"---\ntitle: A\ndate: {said}\n---\n\nWords.\n".encode(), "raw/a.md"))
        assert document.published == day


def test_a_book_has_its_own_name_and_no_capitals_for_a_summary() -> None:
    book = (
        "\r\n\r\nON THE\r\n\r\nORIGIN OF CASTS.\r\n\r\n       *       *\r\n\r\nLONDON: PRINTED BY W. CLOWES AND SONS, STAMFORD "
        "STREET.\r\n\r\n[These recollections of my father were written by him for his children, and for nobody else, as he said.]\r\n\r\n"
        "The share which worms have had in the making of soil is the subject of this book.\r\n"
    )
    [document] = documents(parse_text(book.encode(), "raw/OriginofCasts.txt"))
    assert document.title == "On the Origin of Casts"
    told = [p.text for p in propose(document) if p.relation in ("summary", "says")]
    assert told == ["The share which worms have had in the making of soil is the subject of this book."]


def test_a_weekly_note_loses_no_line() -> None:
    note = "# Week\n\n- casts: **46**\n- the station is cold ![[img.png]]\n\n> [!note] Boiler\n> The boiler of the house\n> was replaced.\n\n> Not mine.\n"
    [document] = documents(parse_text(note.encode(), "raw/w.md"))
    told = [p.text for p in propose(document) if p.relation in ("says", "summary")]
    assert sorted(told) == ["The boiler of the house was replaced.", "casts: 46", "the station is cold"]


def test_a_note_about_a_thing_is_not_the_thing() -> None:
    head = "---\ntitle: {}\nauthor: Ann Lee\ndate: 2020-01-02\n---\n\n{}\n"
    for title, body, told in (
        ("Gull Tower", "Gull Tower is a lighthouse on the coast.", "Gull Tower is described by Ann Lee."),
        ("Gull Plan", "Gull Plan is a proposal for the coast.", "Ann Lee is an author of Gull Plan."),
    ):
        [document] = documents(parse_text(head.format(title, body).encode(), "raw/g.md"))
        assert told in [p.text for p in propose(document)]


def test_a_pdf_with_bookmarks_has_sections_and_only_what_its_first_page_says_is_claimed() -> None:
    made = small_pdf("Casts by Ada Example. Published: 5 May 2019", "2 Results follow here",
                     info="/Author (Ada Example, Windows User) /CreationDate (D:20240101)", outline="Results")  # fmt: skip
    [document] = documents(pdf.parse(made, "raw/p.pdf"))
    [section] = document.sections
    assert document.text[section.start :].startswith("2 Results")
    assert (document.author, document.published) == ("Ada Example", "2019-05-05")
    told = {p.relation: (p.object, p.quotes[0]) for p in propose(document) if p.relation in ("author", "published")}
    assert set(told) == {"author", "published"}
    span = told["author"][1]
    assert isinstance(span, Span)
    assert document.text[span.start : span.end] == "Ada Example"
    [undated] = documents(pdf.parse(small_pdf("Casts", info="/Author (Admin) /CreationDate (D:20240101)"), "raw/q.pdf"))
    assert (undated.author, undated.published, undated.meta["fields"]) == ("", "2024-01-01", [])


def test_a_pdf_without_text_says_what_to_do() -> None:
    [finding] = findings(pdf.parse(small_pdf("", ""), "raw/scan.pdf"))
    assert finding.rule == "source-no-text"
    assert "ocrmypdf" in finding.hint


def epub(**more: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(
            "META-INF/container.xml", '<container><rootfiles><rootfile full-path="O/b.opf"/></rootfiles></container>'
        )
        archive.writestr(
            "O/b.opf",
            '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
            "<dc:title>A Book</dc:title><dc:creator>C. Writer</dc:creator><dc:date>1859-11-24</dc:date></metadata>"
            '<manifest><item id="a" href="one.xhtml"/><item id="b" href="two%20x.xhtml"/><item id="c" href="gone.xhtml"/></manifest>'
            '<spine><itemref idref="a"/><itemref idref="b"/><itemref idref="c"/></spine></package>',
        )
        archive.writestr(
            "O/one.xhtml",
            "<html><body><h1>Chapter I</h1><p>When we look to the individuals of a variety, something.</p></body></html>",
        )
        archive.writestr(
            "O/two x.xhtml",
            "<html><body><h2>Chapter II</h2><p>Before applying the principles arrived at, one thing.</p></body></html>",
        )
        for name, text in more.items():
            archive.writestr(name, text)
    return made.getvalue()  # fmt: skip


def test_a_book_is_read_by_chapter() -> None:
    found = list(office.parse(epub(), "raw/b.epub"))
    first, second = documents(found)
    assert first.title == "A Book: Chapter I"
    assert "individuals of a variety" in first.text
    assert (second.name, second.author, second.published) == ("raw/b.epub#002", "C. Writer", "1859-11-24")
    [missing] = findings(found)
    assert "gone.xhtml" in missing.where


def docx(text: str) -> bytes:
    made = io.BytesIO()
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(
            "[Content_Types].xml",
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/word/document.xml" '
            'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>',
        )
        archive.writestr(
            "_rels/.rels",
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type='
            '"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/>'
            "</Relationships>",
        )
        archive.writestr(
            "word/document.xml",
            f"<w:document {space}><w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body></w:document>",
        )
    return made.getvalue()


def test_a_letter_is_read() -> None:
    [document] = documents(office.parse(docx("The budget was 40 GPU hours."), "raw/l.docx"))
    assert "40 GPU hours" in document.text


def test_a_letter_has_the_author_and_the_day_of_its_properties() -> None:
    made = io.BytesIO(docx("The budget was 40 GPU hours."))
    with zipfile.ZipFile(made, "a") as archive:
        archive.writestr(
            "docProps/core.xml", '<c xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:t="http://purl.org/dc/terms/"><dc:creator>'
            "Ann Lee</dc:creator><t:created>2023-09-01T00:00:00Z</t:created></c>",
        )  # fmt: skip
    [document] = documents(office.parse(made.getvalue(), "raw/l.docx"))
    assert (document.author, document.published) == ("Ann Lee", "2023-09-01")
    assert ("author", "Ann Lee") in {(p.relation, p.object) for p in propose(document)}


def test_captions_that_roll_are_said_once_with_who_said_them() -> None:
    vtt = """WEBVTT

00:00:01.000 --> 00:00:03.000
<v Ada>we train it

00:00:02.000 --> 00:00:04.000
we train it
for five minutes

00:00:20.000 --> 00:00:22.000
<v Bob>and <i>then</i>?
"""
    [dated] = documents(transcripts.parse(vtt.encode(), "raw/2024-03-05-talk.vtt"))
    assert [(p.text, p.since) for p in propose(dated) if p.relation == "created"] == [
        ("2024-03-05 talk was created on 2024-03-05.", "2024-03-05")
    ]
    assert dated.text[dated.meta["times"][-1][0] :].startswith("and then")
    [document] = documents(transcripts.parse(vtt.encode(), "raw/talk.vtt"))
    assert document.text == "Ada: we train it for five minutes\n\nBob: and then?\n"
    place, seconds = document.meta["times"][-1]
    assert document.text[place:].startswith("and then")
    assert seconds == 20.0
    srt = "1\r\n00:00:01,500 --> 00:00:03,000\r\nHello\r\n\r\n2\r\n00:01:00,000 --> 00:01:01,000\r\nagain\r\n"
    assert documents(transcripts.parse(srt.encode(), "x.srt"))[0].text == "Hello\n\nagain\n"
    assert findings(transcripts.parse(b"no captions here", "x.vtt"))[0].rule == "source-damaged"


def test_mail_has_authors_and_dates(tmp_path: Path) -> None:
    box = mailbox.mbox(tmp_path / "m.mbox")
    for i in (1, 2):
        message = EmailMessage()
        message["From"], message["Subject"] = "Ada Example <ada@example.org>", f"Result {i}"
        message["Date"] = f"Tue, 0{i} Mar 2022 10:00:00 +0000"
        message.set_content(f"Run {i} lost.\n> From here it was quoted\n")
        box.add(message)
    box.flush()
    first, second = documents(mail.parse((tmp_path / "m.mbox").read_bytes(), "raw/m.mbox"))
    assert (first.title, first.author, first.published) == ("Result 1", "Ada Example", "2022-03-01")
    assert "Run 2 lost." in second.text


def test_feeds_and_archives_are_read_item_by_item() -> None:
    atom = """<feed xmlns="http://www.w3.org/2005/Atom"><title>Notes</title><author><name>Ada</name></author>
    <entry><title>One</title><link href="https://example.org/1"/><published>2020-01-02T03:04:05Z</published>
    <content type="html">&lt;p&gt;We &lt;b&gt;lost&lt;/b&gt; a run.&lt;/p&gt;</content></entry>
    <entry><title>Empty</title></entry></feed>"""
    found = list(feeds.parse(atom.encode(), "raw/f.xml"))
    [item] = documents(found)
    assert (item.title, item.author, item.published, item.uri) == ("One", "Ada", "2020-01-02", "https://example.org/1")
    assert "We **lost** a run." in item.text
    assert {"https://example.org/1", "Ada", "2020-01-02"} <= {p.object for p in propose(item)}
    assert findings(found)[0].rule == "source-empty"
    rss = "<rss><channel><title>B</title><item><title>T</title><pubDate>Mon, 06 Sep 2021 00:00:00 GMT</pubDate><description>plain</description></item></channel></rss>"
    assert documents(feeds.parse(rss.encode(), "f.xml"))[0].published == "2021-09-06"
    tweets = [
        {"tweet": {"id_str": "1886192184808149383", "full_text": "There's a new kind of coding", "created_at": "x"}},
        {
            "tweet": {
                "id_str": "1886192184808149999",
                "full_text": "and more",
                "in_reply_to_status_id_str": "1886192184808149383",
            }
        },
        {"tweet": {"id_str": "1886192184808150000", "full_text": "RT @other: theirs"}},
    ]
    archive = "window.YTD.tweets.part0 = " + json.dumps(tweets)
    [thread] = documents(feeds.parse(archive.encode(), "tweets.js"))
    assert thread.text == "There's a new kind of coding\n\nand more\n"
    assert thread.published == "2025-02-02"


def test_a_table_stays_as_it_is() -> None:
    [document] = documents(tables.parse(b"a,b\n1,2\n3,4\n", "raw/t.csv"))
    assert document.text == "a,b\n1,2\n3,4\n"
    assert (document.meta["columns"], document.meta["rows"]) == (["a", "b"], 2)
    assert (document.meta["table"], document.meta["told"]) == (
        [["a", "b"], ["1", "2"], ["3", "4"]],
        "2 rows, 2 columns, a 1 to 3, b 2 to 4",
    )
    assert findings(tables.parse(b"a,b\n1,2,3\n", "raw/t.csv"))[0].where == "raw/t.csv:2"


BROKEN = {
    "pdf": [b"%PDF-1.7 nothing", b"\0" * 100, small_pdf("x" * 50)[:200]],
    "office": [b"PK\x03\x04 torn", docx("x")[:100], b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, epub()[:-200]],
    "feeds": [b"<rss><channel>", b"<a/>", b'<!DOCTYPE x [<!ENTITY a "' + b"A" * 999 + b'">]><rss>&a;</rss>', b""],
    "mail": [b"no mail at all", b"From x\nContent-Type: text/plain; charset=nonsense\n\nhi"],
    "html": [b"<", b"\xff\xfe<html", b"<html></html>"],
    "transcripts": [b"", b"\xff" * 99, b"00:00:01.000 --> nothing"],
}


@pytest.mark.parametrize(
    ("module", "data"),
    # A zip carries the second it was made in: named by place, or two workers would collect different tests.
    [pytest.param(m, d, id=f"{m}-{at}") for m, each in BROKEN.items() for at, d in enumerate(each)],
)
def test_what_is_broken_is_a_finding_or_a_document_and_never_raises(module: str, data: bytes) -> None:
    parse = {"pdf": pdf, "office": office, "feeds": feeds, "mail": mail, "html": html, "transcripts": transcripts}[
        module
    ]
    found = list(parse.parse(data, "raw/x.epub" if b"META-INF" in data else "raw/x"))
    assert found
    assert all(isinstance(one, Document | Finding) for one in found)


@pytest.mark.slow
def test_hostile_pdfs_end_in_a_process_of_their_own(request: pytest.FixtureRequest) -> None:
    folder = request.config.rootpath.parent / "shared" / "data" / "bad-inputs" / "samples" / "pdf"
    if not folder.exists():
        pytest.skip(f"{folder} is not here")
    for path in sorted(folder.glob("*.pdf")):
        found = list(parse_apart("pdf", path.read_bytes(), path.name))
        assert found, path.name
        assert all(isinstance(one, Document | Finding) for one in found)


@pytest.mark.slow
def test_an_archive_that_unpacks_to_a_bomb_is_not_unpacked() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(3):
            archive.writestr(f"{i}", b"\0" * 80_000_000)
    [finding] = office.parse(made.getvalue(), "raw/bomb.docx")
    assert isinstance(finding, Finding)
    assert finding.rule == "source-bomb"


def test_a_reader_apart_gives_the_same_documents() -> None:
    data = epub()
    assert list(parse_apart("office", data, "raw/b.epub")) == list(office.parse(data, "raw/b.epub"))


def test_a_reader_that_dies_costs_a_finding() -> None:
    [finding] = parse_apart("no_such_reader", b"x", "raw/x")
    assert isinstance(finding, Finding)
    assert finding.rule == "source-unreadable"
    assert "no_such_reader" in finding.message


def test_a_reader_that_fails_loses_one_file_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("memexlab.wiki.readers.notebook")
    module.parse = lambda data, name: iter([json.loads(data)["cells"]])  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(READERS, ".bad", "notebook")
    (tmp_path / "bad.bad").write_text("{")
    [found] = read(tmp_path / "bad.bad", tmp_path)
    assert isinstance(found, Finding)
    assert found.rule == "source-unreadable"
    assert "JSONDecodeError" in found.message
    assert found.where == "bad.bad"


def test_a_notebook_is_its_prose_and_its_code_is_no_claim() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Warmup study\n", "Warmup of 200 steps costs 0.3 % of the budget."]},
        {"cell_type": "code", "source": "lr = 0.1", "outputs": [{"output_type": "stream", "text": ["loss 0.31\n"]}]},
    ]
    [document] = documents(notebooks.parse(json.dumps({"nbformat": 4, "cells": cells}).encode(), "raw/w.ipynb"))
    assert document.title == "Warmup study"
    assert "```text\nloss 0.31\n```" in document.text
    said = [proposal.text for proposal in propose(document)]
    assert "Warmup of 200 steps costs 0.3 % of the budget." in said
    assert not any("lr = 0.1" in text or "0.31" in text for text in said)
    old = {"worksheets": [{"cells": [{"cell_type": "heading", "level": 1, "source": "Old"}]}]}
    assert [d.title for d in documents(notebooks.parse(json.dumps(old).encode(), "raw/o.ipynb"))] == ["Old"]


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"cells": 3}', b'{"cells": [3]}', b'{"cells": []}', b"null"])
def test_what_is_no_notebook_is_a_finding(data: bytes) -> None:
    assert [type(found) for found in notebooks.parse(data, "raw/bad.ipynb")] == [Finding]
