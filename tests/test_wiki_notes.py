"""What somebody meets who keeps notes: short files, pages of their own, values corrected by hand, mail and prints."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from memexlab.api import Lab
from memexlab.api.opened import _named, person
from memexlab.ledger import Finding
from memexlab.wiki.prose import sentences
from memexlab.wiki.readers import Document, mail, office, pdf
from memexlab.wiki.rules import RULES, Looked, Page

from .test_readers import docx, small_pdf

NOTE = "# Packaging note\n\nHatchling is the build backend I recommend. For scripts we pin with uv, not Poetry.\n"
PEP = "PEP: 900\nTitle: A thing\nStatus: Rejected\nCreated: 01-Jan-2020\n\nAbstract\n========\n\n"
PEP += "This PEP proposes a thing that makes every import faster than before.\n"


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("MEMEX_BY", "human:ada")
    (tmp_path / "raw").mkdir()
    (tmp_path / "memex.toml").write_text('[lab]\nname = "test"\n')
    return Lab(tmp_path)


def taken_in(lab: Lab, **files: str) -> None:
    for name, text in files.items():
        (lab.root / "raw" / f"{name}.{'rst' if name == 'pep' else 'md'}").write_text(text)
    lab.ingest([lab.root / "raw"])


def page(lab: Lab, name: str) -> str:
    return (lab.root / "wiki" / f"{name}.md").read_text(encoding="utf-8")


def edit(lab: Lab, name: str, old: str, new: str) -> None:
    text = page(lab, name)
    assert text.count(old) == 1, text
    (lab.root / "wiki" / f"{name}.md").write_text(text.replace(old, new), encoding="utf-8")


def bridge(metres: int, day: str, author: str) -> str:
    head = f"---\nauthor: {author}\ndate: {day}\n---\n# By {author}\n\n"
    return f"{head}The height of Harbour Bridge is {metres} metres.\n"


def test_contradictions_are_listed_in_a_lab_without_runs(lab: Lab) -> None:
    assert str(lab.conflicts()).startswith("no contradiction was found in this lab: ")
    taken_in(lab, one=bridge(134, "2021-02-01", "Bo Carr"), two=bridge(129, "2022-02-01", "Cy Dunn"))
    assert str(lab.conflicts()).splitlines()[:3] == [
        "Harbour Bridge, height: 2 answers",
        '  134 metres: "The height of Harbour Bridge is 134 metres." (raw/one.md, 2021-02-01)',
        '  129 metres: "The height of Harbour Bridge is 129 metres." (raw/two.md, 2022-02-01)',
    ]
    [item] = lab.review().items
    lab.review(item.id, "reject", why="one is the deck")
    assert lab.conflicts().claims == ()


def test_a_value_by_hand_stands_beside_that_of_the_source(lab: Lab) -> None:
    taken_in(lab, pep=PEP)
    edit(lab, "pep-900", "**Status:** Rejected", "**Status:** Accepted")
    lab.sync()
    callout = "> [!contradiction] Status: contested\n> - **Rejected**, PEP 900: A thing, 2020-01-01: “Status: Rejected”"
    assert callout in page(lab, "pep-900")
    assert "\n> - **Accepted**, said by ada\n" in page(lab, "pep-900")
    assert "- **Status:** Accepted (said by ada) ^c" in page(lab, "pep-900")
    assert {side["object"] for side in lab.conflicts().claims[0]["sides"]} == {"Accepted", "Rejected"}
    edit(lab, "pep-900", "- **Status:** Accepted", "- **Status:** Final")
    lab.sync()
    assert "**Final**, said by ada" in page(lab, "pep-900")
    assert "Accepted" not in page(lab, "pep-900")
    assert lab.sync().wiki.written == 0
    before = page(lab, "pep-900")
    lab.rebuild()
    lab.ingest([lab.root / "raw"])
    assert page(lab, "pep-900") == before
    edit(lab, "pep-900", "- **Status:** Final", "- **Status:** Rejected")
    lab.sync()
    assert "[!contradiction]" not in page(lab, "pep-900")


def test_a_person_has_a_name_where_the_shell_knows_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".gitconfig").write_text("[user]\n  name = Ada (at work) Byron\n")
    for name in ("MEMEX_BY", "USER", "GIT_CONFIG_GLOBAL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.chdir(tmp_path)
    _named.cache_clear()
    assert person() == "human:Ada-at-work-Byron"
    (tmp_path / ".gitconfig").unlink()
    monkeypatch.setenv("LOGNAME", "ada")
    _named.cache_clear()
    assert person() == "human:ada"
    _named.cache_clear()


def test_the_index_lists_the_pages_that_people_keep(lab: Lab) -> None:
    taken_in(lab, note=NOTE, pep=PEP)
    (lab.root / "wiki" / "my-own.md").write_text("# My own page\n\nMine.\n")
    edit(lab, "packaging-note", "## In short", "I saw this.\n\n## In short")
    (lab.root / "raw" / "note.md").unlink()
    lab.ingest([lab.root / "raw"])
    listed = "## Notes\n\n- [[my-own|My own page]]\n- [[packaging-note|Packaging note]]\n"
    assert listed in page(lab, "index")
    assert "index-out-of-step" not in {finding["rule"] for finding in lab.lint().data()}
    (lab.root / "wiki" / "my-own.md").unlink()
    lab.lint(fix=True)
    assert "My own page" not in page(lab, "index")


def test_every_sentence_of_a_short_note_is_on_its_page(lab: Lab) -> None:
    more = "It cost 3,140 euros. Thanks for reading it!\n\n- Pip is slow on cold caches\n- Milk\n"
    taken_in(lab, note=f"{NOTE}{more}\n> Bob says no. He may be right.\n")
    for told in ("recommend.", "For scripts we pin with uv, not Poetry.", "It cost 3,140 euros.", "cold caches"):
        assert f"{told}[^" in page(lab, "packaging-note")
    for left in ("Thanks", "Milk", "right"):
        assert left not in page(lab, "packaging-note")
    taken_in(lab, note=NOTE.replace("Hatchling", "Flit"))
    assert "Flit is the build backend I recommend.[^" in page(lab, "packaging-note")
    assert 'description: "Flit is' in page(lab, "packaging-note")


def test_a_landed_value_names_its_subject_on_the_page_of_another(lab: Lab) -> None:
    taken_in(lab, note=f"{NOTE}Then came pathlib, which they added to the library of Python 3.4.\n")
    words = "pathlib, which they added to the library of Python 3.4"
    drafts = lab.root / "drafts.jsonl"
    drafts.write_text(
        '{"source": "raw/note.md", "subject": "pathlib", "relation": "added in", "value": "Python 3.4", "since": "",'
        f' "sentence": "pathlib was added in Python 3.4.", "quote": "{words}"}}\n'
    )
    lab.land(drafts)
    assert "- **Pathlib, added in:** Python 3.4" in page(lab, "packaging-note")


def test_lint_tells_of_a_link_in_a_source_that_leads_nowhere(lab: Lab) -> None:
    taken_in(lab, note=f"{NOTE}\nSee [[No Such Note]], [[pep|the PEP]] and `[[code]]`.\n", pep=PEP)
    found = [(f["severity"], f["where"], f["message"]) for f in lab.lint().data() if f["rule"] == "link-phantom"]
    assert found == [("info", "raw/note.md:5", "there is no page [[No Such Note]]")]


def test_what_is_only_a_heading_or_a_value_lacks_no_page() -> None:
    def missing(line: str) -> list[Finding]:
        pages = {f"{i}.md": Page(f"{i}.md", f"# A{i}\n\n{line}\n") for i in range(9)}
        return list(RULES["page-missing"](Looked(pages, lambda _: None)))

    assert missing("- it tells of Tide Tables at length.[^1]")
    assert not missing("- **Type:** Standards Track[^1]")
    assert not missing("- **Security Implications.** it is safe.[^1]")


def test_a_letter_is_called_by_its_title(lab: Lab) -> None:
    style = '<w:p><w:pPr><w:pStyle w:val="{}"/></w:pPr><w:r><w:t>{}</w:t></w:r></w:p>'
    plain = "<w:p><w:r><w:t>{}</w:t></w:r></w:p>"
    named = '<w:style w:type="paragraph" w:styleId="{0}"><w:name w:val="{1}"/></w:style>'
    for first, core in ((style.format("Title", "Interpreter policy"), ""), (plain.format("Interpreter policy"), ""),
                        ("", "Interpreter policy")):  # fmt: skip
        made = io.BytesIO(docx("PLACE"))
        space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
        with zipfile.ZipFile(made) as old:
            held = {name: old.read(name).decode() for name in old.namelist()}
        body = f"{first}{style.format('Heading1', 'Exceptions')}{plain.format('Nobody is exempt.')}"
        held["word/document.xml"] = held["word/document.xml"].replace(plain.format("PLACE"), body)
        assert "Exceptions" in held["word/document.xml"]
        held["word/styles.xml"] = (
            f"<w:styles {space}>{named.format('Title', 'Title')}{named.format('Heading1', 'heading 1')}</w:styles>"
        )
        held["word/_rels/document.xml.rels"] = (
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="s" '
            'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/>'
            "</Relationships>"
        )
        held["docProps/core.xml"] = f'<c xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{core}</dc:title></c>'
        with zipfile.ZipFile(out := io.BytesIO(), "w") as new:
            for name, text in held.items():
                new.writestr(name, text)
        [document] = office.parse(out.getvalue(), "raw/l.docx")
        assert isinstance(document, Document)
        assert (document.title, document.meta["subject"]) == ("Interpreter policy", "Interpreter policy")


def test_a_print_of_a_web_page_is_told_by_its_text(lab: Lab) -> None:
    lines = [
        "11/20/26, 10:10 AM Interpreter policy", "Skip to content", "Home Docs Blog About", "Interpreter policy",
        "Published on 3 March 2020",
        "The old interpreter is supported until the summer, and after that nobody may",
        "https://example.org/policy 1/2",
        "use it for anything that other people are meant to install.",
    ]  # fmt: skip
    data = small_pdf(") Tj 0 -14 Td (".join(lines))
    info = b"9 0 obj\n<< /Producer (Skia/PDF m120) /CreationDate (D:20261120101010) >>\nendobj\nxref\n0"
    data = data.replace(b"xref\n0", info, 1).replace(b"/Root", b"/Info 9 0 R /Root")
    [document] = pdf.parse(data, "raw/p.pdf")
    assert isinstance(document, Document)
    assert document.published == "2020-03-03"
    (lab.root / "raw" / "p.pdf").write_bytes(data)
    lab.ingest([lab.root / "raw"])
    [told] = [text for [text] in lab.memory.db.execute("SELECT text FROM claims WHERE relation IN ('summary', 'says')")]
    assert told == " ".join((lines[-3], lines[-1]))


def test_quoted_mail_is_not_the_word_of_who_replies() -> None:
    head = "From a@x Thu Jan  2 00:00:00 2020\nFrom: A <a@x.org>\nSubject: Re: It\n\n"
    head += "On Wed, Bob wrote:\n> It is slow.\n"
    own = f"{head}I disagree with that.\n-- \nA, head of nothing.\n"
    first, second = mail.parse(f"{own}\n{head}".encode(), "raw/m.mbox")
    assert isinstance(first, Document)
    assert "head of nothing" not in first.text
    assert isinstance(second, Finding)
    assert second.rule == "source-empty"


@pytest.mark.parametrize("gap", ["", "\n", "\r\n"], ids=["none", "line", "crlf"])
def test_the_first_paragraph_stands_whatever_ends_the_front_matter(lab: Lab, gap: str) -> None:
    text = (
        f"---\ntitle: Alpha pump\nauthor: Ann\n---\n{gap}Alpha pump is a small pump. Its weight is 12 kg.\n\nIt hums.\n"
    )
    taken_in(lab, alpha=text)
    assert "Alpha pump is a small pump." in page(lab, "alpha-pump")
    assert "12 kg" in page(lab, "alpha-pump")


def test_a_name_is_replaced_whole_or_not_at_all(lab: Lab) -> None:
    taken_in(
        lab,
        one="---\ntitle: Sampling protocol 1\ndate: 2020-01-01\n---\nThe quadrat is large and red.\n",
        two="---\ntitle: Sampling protocol 2\ndate: 2022-01-01\n---\nThis note supersedes Sampling protocol 1.\n",
        other="---\ntitle: Methods\n---\nThis note supersedes Sampling methods of the station. They were slow then.\n",
    )
    assert "[!superseded] Superseded by [[sampling-protocol-2|" in page(lab, "sampling-protocol-1")
    objects = {row[0] for row in lab.memory.db.execute("SELECT object FROM claims WHERE relation LIKE 'supersede%'")}
    assert objects == {"Sampling protocol 1"}


def test_a_line_of_the_history_that_is_deleted_stays_away(lab: Lab) -> None:
    taken_in(
        lab,
        one="---\ntitle: Guide 1\ndate: 2020-01-01\n---\nThe lamp is large and red.\n",
        two="---\ntitle: Guide 2\ndate: 2022-01-01\n---\nThis note supersedes Guide 1.\n",
    )
    path = lab.root / "wiki" / "guide-2.md"
    kept = [line for line in path.read_text(encoding="utf-8").split("\n") if "**Supersedes:**" not in line]
    path.write_text("\n".join(kept), encoding="utf-8")
    assert lab.sync().found.withdrawn == 1
    assert "**Supersedes:**" not in page(lab, "guide-2")
    assert "superseded" not in page(lab, "guide-1").lower()
    assert lab.sync().found.withdrawn == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("The lamp takes 40 W. The lamp was rejected.", ["The lamp takes 40 W.", "The lamp was rejected."]),
        ("It melts at 90 K. Zarite boils at 412 °C. No.", ["It melts at 90 K.", "Zarite boils at 412 °C.", "No."]),
        ("By J. R. Ekdahl and A. Lee. He left.", ["By J. R. Ekdahl and A. Lee.", "He left."]),
        ("We left castcount. castcount is slow.", ["We left castcount.", "castcount is slow."]),
        ("See the list, etc. this is fine.", ["See the list, etc. this is fine."]),
    ],
)
def test_where_a_sentence_ends(text: str, said: list[str]) -> None:
    assert [sentence.text for sentence in sentences(text, 0, ())] == said


def test_a_contradiction_is_called_what_its_sources_call_it(lab: Lab) -> None:
    one, two = (
        "---\ntitle: A\n---\nThe mass of Pelham is 40 tons.\n",
        "---\ntitle: B\n---\nThe mass of Pelham is 45 tons.\n",
    )
    taken_in(lab, one=one, two=two)
    assert any("[!contradiction] Mass:" in path.read_text("utf-8") for path in (lab.root / "wiki").glob("*.md"))


def test_founded_by_somebody_is_still_founded_in_a_year(lab: Lab) -> None:
    one, two = "Halden Station was founded in 1931.", "Halden Station was founded in 1934 by Astrid Nygaard."
    taken_in(lab, one=f"---\ntitle: Halden Station\n---\n{one}\n", two=f"---\ntitle: A visit\n---\n{two}\n")
    assert "[!contradiction] Founded in:" in page(lab, "halden-station")
