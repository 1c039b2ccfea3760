"""The compiler without a model: files in, pages out, and the same bytes whatever the order."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from memexlab.api import Lab
from memexlab.commands.ingest import Taken
from memexlab.ledger import UsageError
from memexlab.wiki.compiling import Compiled
from memexlab.wiki.readers import READERS, read
from memexlab.wiki.schema import DEFAULT, read_schema

DATA = Path(__file__).parent / "data" / "wiki"
FILES = sorted(path for part in ("peps", "notes") for path in (DATA / part).iterdir())


def lab_at(folder: Path, files: list[Path]) -> Lab:
    (folder / "raw").mkdir(parents=True)
    (folder / "memex.toml").write_text('[lab]\nname = "test"\n')
    for file in files:
        shutil.copy(file, folder / "raw" / file.name)
    return Lab(folder)


def compiled(lab: Lab, *paths: Path) -> Compiled:
    taken = lab.ingest(list(paths) or [lab.root / "raw"])
    assert isinstance(taken, Taken)
    assert taken.compiled is not None
    return taken.compiled


def pages(lab: Lab) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted((lab.root / "wiki").iterdir())}


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    lab = lab_at(tmp_path_factory.mktemp("full"), FILES)
    compiled(lab)
    return lab


def test_every_link_has_its_page_and_every_note_its_words(full: Lab) -> None:
    files = pages(full)
    links = 0
    for name, text in files.items():
        for target in re.findall(r"\[\[([^\]|]+)\|", text):
            assert f"{target}.md" in files, (name, target)
            links += 1
        used, given = set(re.findall(r"\[\^(\d+)\](?!:)", text)), dict(re.findall(r"(?m)^\[\^(\d+)\]: (.+)$", text))
        assert used == set(given), name
        for note in given.values():
            found = re.search(r"“(.*)” \[(raw/[^#]+)#L(\d+)(?:-L(\d+))?\]", note)
            assert found is not None, note
            lines = (full.root / found[2]).read_text(encoding="utf-8").splitlines()
            told = " ".join(" ".join(lines[int(found[3]) - 1 : int(found[4] or found[3])]).split())
            words = re.sub(r"\\(.)", r"\1", found[1]).replace("&lt;", "<")
            assert words in told, note
    assert links > 40


def test_the_supersessions_of_the_headers_are_found_with_both_quotes(full: Lab) -> None:
    files = pages(full)
    for old, new in ((409, 415), (215, 292)):
        callout = files[f"pep-{old}.md"].split("\n> [!superseded]")[1].split("\n\n")[0]
        assert f"[[pep-{new}|PEP {new}]]" in callout
        assert f"“Superseded-By: {new}”" in callout
        assert f"“Replaces: {old}”" in callout
        assert f"**Supersedes:** [[pep-{old}|" in files[f"pep-{new}.md"]
    assert "- **Superseded by:** PEP 440" in files["pep-386.md"]  # not taken in, so that it has no page
    assert "pep-440.md" not in files


def test_values_that_differ_are_shown_with_both_dates_and_never_settled(full: Lab) -> None:
    page = pages(full)["harbour-bridge.md"]
    callout = page.split("> [!contradiction] ")[1].split("\n\n")[0]
    assert callout.startswith("Height: contested")
    assert "**134 metres**" in callout
    assert "2004-05-06" in callout
    assert "**129 metres**" in callout
    assert "2011-09-01" in callout
    assert "contested: true" in page
    assert page.count("The height of ") >= 4  # both stand below as well, each with its note


def test_names_meet_through_aliases_and_dates_stand_in_order(full: Lab) -> None:
    page = pages(full)["harbour-bridge.md"]
    assert 'aliases: ["Old Crossing"]' in page
    assert "The height of the Old Crossing is 129 metres." in page  # the survey calls it by its other name
    assert re.search(r"- \*\*1932-03-03\*\* The \[?.*Bay Ferry.* stopped on 3 March 1932", page)
    assert "## What it is" in pages(full)["bay-ferry.md"]


@pytest.mark.slow
def test_the_order_of_ingest_does_not_change_a_byte(full: Lab, tmp_path: Path) -> None:
    rng = random.Random(5)
    for turn in range(3):
        lab = lab_at(tmp_path / str(turn), FILES)
        shuffled = [lab.root / "raw" / file.name for file in FILES]
        rng.shuffle(shuffled)
        cut = rng.randrange(1, len(shuffled))
        compiled(lab, *shuffled[:cut])
        for path in shuffled[cut:]:
            compiled(lab, path)
        assert pages(lab) == pages(full)


def test_a_second_ingest_lands_and_writes_nothing(tmp_path: Path) -> None:
    lab = lab_at(tmp_path, FILES)
    first = compiled(lab)
    assert (first.new, first.known, first.wiki.removed) == (len(FILES), 0, 0)
    entries = lab.memory.db.execute("select count(*) from entries").fetchall()
    stamps = {path: path.stat().st_mtime_ns for path in (lab.root / "wiki").iterdir()}
    again = compiled(lab)
    assert (again.new, again.changed, again.known, again.claims, again.wiki.written) == (0, 0, len(FILES), 0, 0)
    assert lab.memory.db.execute("select count(*) from entries").fetchall() == entries
    assert {path: path.stat().st_mtime_ns for path in (lab.root / "wiki").iterdir()} == stamps


def test_a_source_that_goes_takes_with_it_what_rested_on_it_and_may_come_back(tmp_path: Path) -> None:
    files = [file for file in FILES if file.name != "survey.md"]
    lab = lab_at(tmp_path, files)
    compiled(lab)
    before = pages(lab)
    survey = Path(shutil.copy(DATA / "notes" / "survey.md", lab.root / "raw"))
    assert compiled(lab).new == 1
    after = pages(lab)
    assert after != before
    survey.unlink()
    assert compiled(lab).gone == 1
    assert pages(lab) == before
    assert compiled(lab).gone == 0
    shutil.copy(DATA / "notes" / "survey.md", lab.root / "raw")
    assert compiled(lab).new == 1
    assert pages(lab) == after
    lab.rebuild()
    assert compiled(lab).wiki.written == 0


def test_a_changed_source_supersedes_itself(tmp_path: Path) -> None:
    lab = lab_at(tmp_path, FILES)
    compiled(lab)
    note = lab.root / "raw" / "harbour-bridge.md"
    note.write_text(note.read_text().replace("134", "129"))
    assert compiled(lab).changed == 1
    page = pages(lab)["harbour-bridge.md"]
    assert "134" not in page
    assert "[!contradiction]" not in page


def test_what_a_source_says_stays_within_its_own_claims(full: Lab, tmp_path: Path) -> None:
    clean = lab_at(tmp_path, [file for file in FILES if file.name != "hostile.md"])
    compiled(clean)
    without, files = pages(clean), pages(full)
    text = "\n".join(files.values())
    assert "<script>" not in text
    assert "[[../" not in text
    assert not re.search(r"(?m)^\[\^1\]: a forged", text)
    assert not re.search(r"(?<!\\)\^cdeadbeef01", text)
    assert "%%comment%%" not in text

    def words(text: str) -> str:
        body = re.split(r"## Related|\n\[\^1\]:", text.split("---\n", 2)[-1])[0].rstrip()
        return re.sub(r"\[\[[^|\]]*\|([^\]]*)\]\]", r"\1", body)

    for name in files.keys() - {"index.md", "log.md", "a-hostile-note.md"}:
        # What a page says changes by no more than what names its source; links and neighbours follow the set of pages.
        assert "raw/hostile.md" in files[name] or words(files[name]) == words(without[name]), name
    assert {path.name for path in full.root.iterdir()} == {"raw", "wiki", ".memex", "memex.toml"}


def test_an_edit_by_hand_is_taken_in_before_anything_is_written(tmp_path: Path) -> None:
    lab = lab_at(tmp_path, FILES)
    compiled(lab)
    page = lab.root / "wiki" / "harbour-bridge.md"
    own = lab.root / "wiki" / "my-own-note.md"
    own.write_text("mine\n")
    page.write_text(page.read_text() + "\nI saw it myself.\n")
    (lab.root / "raw" / "survey.md").unlink()
    done = compiled(lab)
    assert done.findings == ()
    assert (done.by_hand.pages, done.by_hand.added) == (["harbour-bridge.md"], 1)
    assert "\nI saw it myself.\n" in page.read_text()
    assert own.read_text() == "mine\n"


def test_one_commit_holds_the_wiki_alone(tmp_path: Path) -> None:
    lab = lab_at(tmp_path, FILES)

    def git(*args: str) -> str:
        told = subprocess.run(["git", "-C", str(tmp_path), *args], capture_output=True, text=True, check=True)
        return told.stdout.strip()

    git("init", "--quiet")
    git("add", "memex.toml")
    done = compiled(lab)
    assert done.wiki.commit == git("rev-parse", "HEAD")
    assert {line.split("/")[0] for line in git("show", "--name-only", "--format=", "HEAD").splitlines()} == {"wiki"}
    assert git("diff", "--cached", "--name-only") == "memex.toml"
    assert compiled(lab).wiki.commit == ""
    assert git("rev-list", "--count", "HEAD") == "1"


def test_files_that_cannot_be_sources_are_told(tmp_path: Path) -> None:
    lab = lab_at(tmp_path, [])
    raw = lab.root / "raw"
    (raw / "empty.md").write_text(" \n")
    (raw / "binary.txt").write_bytes(b"\0\1\2" * 100)
    (raw / "latin.txt").write_bytes(
        "Caf\xe9 Lumen is a small place where people meet and talk all day.".encode("cp1252")
    )
    (raw / "picture.xyz").write_bytes(b"x")
    (raw / "link.md").symlink_to(raw / "empty.md")
    done = compiled(lab)
    assert {finding.rule for finding in done.findings} == {
        "source-empty", "source-binary", "source-encoding", "source-link",
    }  # fmt: skip
    assert (done.new, done.unread) == (1, {".xyz": 1})
    [(file, raw_blob)] = lab.memory.db.execute(
        "select f.target, r.target from refs f join refs r using (seq) where f.role = 'file' and r.role = 'from'"
        " and r.target like 'b:%'"
    ).fetchall()
    assert lab.memory.blobs.get(str(file)).decode().startswith("Café")
    assert lab.memory.blobs.get(str(raw_blob)).startswith(b"Caf\xe9")
    with pytest.raises(UsageError, match="there is no"):
        compiled(lab, raw / "nothing-here")


def test_spans_of_text_files_point_into_the_file_itself(tmp_path: Path) -> None:
    for name in ("pep-0386.rst", "harbour-bridge.md"):
        [path] = [file for file in FILES if file.name == name]
        [document] = read(path, path.parent)
        assert not hasattr(document, "rule")
        assert document.text.encode() == path.read_bytes()
        for section in document.sections:
            assert section.heading in document.text[section.start : section.end]
    assert {".md", ".rst", ".txt"} <= set(READERS)


def test_the_schema_of_the_lab_decides_sections(tmp_path: Path) -> None:
    lab = lab_at(tmp_path, FILES)
    assert set(read_schema(lab.root)) >= {
        "source",
        "concept",
        "entity",
        "person",
        "technique",
        "experiment",
        "question",
    }
    compiled(lab)
    assert "## In short" in pages(lab)["pep-386.md"]
    (lab.root / "schema.md").write_text(DEFAULT.read_text().replace("### In short", "### Summary"))
    done = compiled(lab)
    assert done.claims == 0
    assert 0 < done.wiki.written < done.wiki.pages + 2
    assert "## Summary" in pages(lab)["pep-386.md"]
