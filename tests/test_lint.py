"""Every rule: its own examples, planted damage of its kind, and silence on wikis that are well."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from memexlab.api import Lab
from memexlab.wiki.lint import documented
from memexlab.wiki.rules import GATES, RULES, Looked, Page
from memexlab.wiki.schema import DEFAULT

DATA = Path(__file__).parent / "data" / "wiki"
PEPS = os.environ.get("MEMEX_PEPS", "")


def example(told: str) -> Looked:
    """The small wiki of an example in a docstring: `⏎` ends a line, `‖ name:` begins another file."""
    first, *rest = told.split("‖")
    texts: dict[str, str] = {"page.md": first} if first.strip() else {}
    texts |= {name.strip(): text for name, _, text in (part.partition(":") for part in rest)}
    texts = {name: re.sub(" ?⏎ ?", "\n", text).strip() + "\n" for name, text in texts.items()}
    raw = {name: text for name, text in texts.items() if name.startswith("raw/")}
    pages = {name: Page(name, text) for name, text in texts.items() if name not in raw}
    return Looked(pages, raw.get, {"concept": ["What it is"]}, (), list(raw))


@pytest.mark.parametrize("name", RULES)
def test_the_examples_of_a_rule_are_refused_and_accepted(name: str) -> None:
    told = dict(documented())[name]
    assert all(len(part.strip()) > 5 for part in told.values()), told
    refused = list(RULES[name](example(told["refused"])))
    assert refused, told["refused"]
    assert {finding.rule for finding in refused} == {name}
    assert all(finding.hint for finding in refused)
    assert list(RULES[name](example(told["accepted"]))) == []


def test_links_are_judged_as_an_editor_follows_them() -> None:
    wiki = example("See [[Harbour-Bridge]] and [x](harbour-bridge.md). ‖ harbour-bridge.md: # Bridge")
    assert [finding for rule in RULES.values() for finding in rule(wiki) if finding.rule.startswith("link")] == []
    wiki = example("See [[Harbour Bridge]], [x](nofile.md), [[harbour-bridge#Deck]]. ‖ harbour-bridge.md: # Bridge")
    found = [finding for rule in RULES.values() for finding in rule(wiki) if finding.rule.startswith("link")]
    assert [(f.rule, f.message) for f in found] == [
        ("link-broken", "[[Harbour Bridge]] is no page; [[harbour-bridge]] is"),
        ("link-place", "harbour-bridge.md has no heading 'Deck'"), ("link-place", "there is no file nofile.md"),
    ]  # fmt: skip


def lab_at(folder: Path, files: list[Path]) -> Lab:
    (folder / "raw").mkdir(parents=True)
    (folder / "memex.toml").write_text('[lab]\nname = "test"\n')
    for file in files:
        shutil.copy(file, folder / "raw" / file.name)
    lab = Lab(folder)
    lab.ingest([folder / "raw"])
    return lab


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return lab_at(tmp_path, sorted(path for part in ("peps", "notes") for path in (DATA / part).iterdir()))


def rules(lab: Lab, *severities: str) -> Counter[str]:
    return Counter(f["rule"] for f in lab.lint().data() if not severities or f["severity"] in severities)


def test_a_wiki_that_is_well_has_no_error_and_no_warning(lab: Lab) -> None:
    assert rules(lab, "error", "warning") == {}
    assert lab.lint().exit_code == 0


@pytest.mark.skipif(not PEPS, reason="MEMEX_PEPS names no folder of PEPs")
def test_the_peps_have_no_error_and_no_warning(tmp_path: Path) -> None:
    big = lab_at(tmp_path, sorted(Path(PEPS).glob("*.rst")))
    assert rules(big, "error", "warning") == {}


def page(lab: Lab, name: str = "harbour-bridge.md") -> Path:
    return lab.root / "wiki" / name


def damage(name: str, old: str, new: str) -> Callable[[Lab], None]:
    def do(lab: Lab) -> None:
        text = page(lab, name).read_text(encoding="utf-8")
        assert old in text
        page(lab, name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return do


def change_source(lab: Lab) -> None:
    path = lab.root / "raw" / "survey.md"
    path.write_text(path.read_text().replace("129", "131"))


def schema_that_requires(lab: Lab) -> None:
    (lab.root / "schema.md").write_text(DEFAULT.read_text().replace("### Timeline\n", "### Timeline\nrequired\n"))


PLANTED: dict[str, Callable[[Lab], None]] = {
    "link-broken": damage("harbour-bridge.md", "## Facts", "See [[Bay  Ferry]].\n\n## Facts"),
    "link-phantom": damage("harbour-bridge.md", "## Facts", "See [[Nowhere At All]].\n\n## Facts"),
    "uncited": damage("harbour-bridge.md", "[^1] ^c", " ^c"),
    "quote-changed": change_source,
    "section-empty": schema_that_requires,
    "secret": damage("harbour-bridge.md", "## Facts", f"ghp_{'a1B2' * 10}\n\n## Facts"),
    "html-or-script": damage("harbour-bridge.md", "## Facts", "<img src=x onerror=alert(1)>\n\n## Facts"),
    "front-matter": damage("harbour-bridge.md", "type: ", "kind: "),
    "index-out-of-step": damage("index.md", "[[bay-ferry|", "[[harbour-bridge|"),
    "log-out-of-step": damage("log.md", "`raw/survey.md`", ""),
    "name-trap": lambda lab: page(lab, "aux.md").write_text("mine\n") and None,
    "twin-pages": lambda lab: page(lab, "b.md").write_text('---\ntype: note\ntitle: "Harbour Bridge"\n---\n') and None,
    "orphan": lambda lab: page(lab, "alone.md").write_text("alone\n") and None,
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_damage_is_found(lab: Lab, name: str) -> None:
    before = rules(lab)[name]
    PLANTED[name](lab)
    assert rules(lab)[name] > before


@pytest.mark.parametrize("name", ["link-broken", "index-out-of-step", "log-out-of-step", "front-matter"])
def test_what_is_safe_is_mended(lab: Lab, name: str) -> None:
    PLANTED[name](lab)
    fixed = lab.lint(fix=True)
    assert [f for f in fixed.data() if f["severity"] != "info"] == []
    assert lab.sync().wiki.written == 0
    if name == "link-broken":
        assert "See [[bay-ferry|Bay  Ferry]]." in page(lab).read_text()


def test_a_source_with_a_key_in_it_does_not_reach_the_wiki(tmp_path: Path) -> None:
    lab = lab_at(tmp_path, [])
    key = f"AKIA{'ABCD' * 4}"
    note = lab.root / "raw" / "note.md"
    note.write_text(f"# Deploy notes\n\nThe deploy key of Harbour Server is {key} since the first of the month.\n")
    done = lab.ingest([lab.root / "raw"])
    assert {f.rule for f in done.compiled.findings} == {"secret"}
    assert not any(key in path.read_text() for path in (lab.root / "wiki").iterdir())
    assert "secret" in GATES


def findings(lab: Lab) -> list[dict[str, object]]:
    return lab.lint().data()


def from_nothing(lab: Lab) -> list[dict[str, object]]:
    (lab.root / ".memex" / "looked.db").unlink()
    return findings(lab)


def test_what_is_kept_of_pages_gives_the_findings_of_pages_read_anew(lab: Lab) -> None:
    findings(lab)
    for name in sorted(PLANTED):
        if name not in ("uncited", "twin-pages"):  # what the others leave of the page has no such place any more
            PLANTED[name](lab)
            findings(lab)
    assert findings(lab) == from_nothing(lab)
    page(lab).rename(page(lab, "renamed.md"))
    page(lab, "bay-ferry.md").unlink()
    assert findings(lab) == from_nothing(lab)
    own = "- It is mine and cites nothing. ^c0123456789\n"
    page(lab, "renamed.md").write_text(page(lab, "renamed.md").read_text() + f"\n{own}")
    assert "uncited" in rules(lab)
    lab.sync()  # what a person wrote needs no evidence: the page is the same, and what is known besides is not
    assert findings(lab) == from_nothing(lab)
    (lab.root / ".memex" / "looked.db").write_bytes(b"damaged" * 1000)
    assert findings(lab) == from_nothing(lab)
