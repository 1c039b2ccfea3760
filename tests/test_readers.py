# ruff: noqa: E501  (documents are as long as they are)
"""Readers of formats: real files of each, broken ones of each, and a parser that runs wild."""

from __future__ import annotations

import io
import json
import mailbox
import zipfile
from email.message import EmailMessage
from pathlib import Path

import pytest

from memexlab.ledger import Finding
from memexlab.wiki.readers import Document, feeds, html, mail, office, pdf, tables, transcripts
from memexlab.wiki.readers.apart import parse_apart

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


def small_pdf(*pages: str) -> bytes:
    """A PDF with one line a page, written by hand."""
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
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
    out = b"%PDF-1.4\n"
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n".encode()
    return out + f"<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(out) - 0}\n%%EOF\n".encode()


def test_a_pdf_knows_its_pages() -> None:
    [document] = documents(pdf.parse(small_pdf("First page speaks", "Second page ends"), "raw/p.pdf"))
    first, second = document.meta["pages"]
    assert document.text[first:].startswith("First page speaks")
    assert document.text[second:].startswith("Second page ends")


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
