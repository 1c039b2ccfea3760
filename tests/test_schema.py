"""schema.md: what writers are told of it, and what is said of its mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from memexlab.api import Lab
from memexlab.ledger import UsageError
from memexlab.wiki.answering import worded_by
from memexlab.wiki.drafting import Text
from memexlab.wiki.proposing import prompts
from memexlab.wiki.schema import DEFAULT, house_rules, mistakes, read_schema

OWN = "Naming: towns by their German names.\n\nStyle: past tense,\nfull sentences.\nLanguage: German.\n\n"


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("MEMEX_BY", "human:ada")
    (tmp_path / "raw").mkdir()
    (tmp_path / "memex.toml").write_text('[lab]\nname = "test"\n')
    return Lab(tmp_path)


def test_what_a_schema_asks_of_writers_reaches_them(lab: Lab) -> None:
    assert house_rules(lab.root) == ""
    (lab.root / "schema.md").write_text(DEFAULT.read_text().replace("## source", f"{OWN}## source", 1))
    rules = house_rules(lab.root)
    assert rules == "Naming: towns by their German names.\nStyle: past tense, full sentences.\nLanguage: German."
    [prompt] = prompts(Text("", "", "raw/a.md", "A", "A", "", "The mill stood in Breslau."), rules)
    assert rules in prompt.text
    asked = next(worded_by("What is it?", "Mill", {"c1": "The mill stood."}, [], rules))
    assert rules in asked.text
    assert "present tense" not in asked.text
    (lab.root / "raw" / "a.md").write_text("# Mill\n\nThe mill stood in Breslau.\n")
    lab.ingest([lab.root / "raw"])
    assert rules in str(lab.ingest([lab.root / "raw"], brief=True))


def test_mistakes_of_a_schema_are_told(lab: Lab) -> None:
    assert mistakes(lab.root) == []
    more = "\n## case study\nWhat was done once.\n\n### Outcome\nfrom: says\n\n### Cost\n"
    more += "\n## source\n\n### Licence\nfrom: licence\n"
    text = DEFAULT.read_text() + more
    (lab.root / "schema.md").write_text(text)
    types = read_schema(lab.root)
    assert [part.heading for part in types["case study"]] == ["Outcome", "Cost"]
    assert [part.heading for part in types["source"]][-1] == "Licence"
    assert len(types["source"]) > 5  # nothing is lost
    told = {(f.where, f.message.split(" stands")[0].split(" has")[0]) for f in mistakes(lab.root)}
    line = text.split("\n").index("## source", 30) + 1
    assert told == {(f"schema.md:{line}", "the type source"), ("schema.md", "the section 'Cost' of case study")}
    assert {f.rule for f in lab.lint().linted.findings} == {"schema"}


def test_a_schema_that_is_no_utf8_says_where(lab: Lab) -> None:
    data = DEFAULT.read_text().replace("### In short", "### Überblick", 1).encode("latin-1", errors="replace")
    (lab.root / "schema.md").write_bytes(data)
    line = data.decode("latin-1").split("\n").index("### Überblick") + 1
    with pytest.raises(UsageError, match=f"schema.md:{line}: a letter that is not UTF-8"):
        lab.lint()


def test_a_section_of_ones_own_shows_its_value_below_the_summary_that_says_it(lab: Lab) -> None:
    own = "\n## machine\n\n### What it is\nfrom: is, summary\n\n### Price\nfrom: price\nrequired\n"
    (lab.root / "schema.md").write_text(DEFAULT.read_text() + own)
    said = "Heron Loom is a loom for wool.\n\nThe price of Heron Loom is 900 dollars.\n"
    text = f"---\ntitle: Heron Loom\ntype: machine\n---\n\n{said}"
    (lab.root / "raw" / "loom.md").write_text(text)
    lab.ingest([lab.root / "raw"])
    page = (lab.root / "wiki" / "heron-loom.md").read_text()
    assert "## Price\n\n- " in page
    assert "900 dollars" in page.split("## Price")[1].split("[^1]:")[0]
    above = page.split("## What it is\n\n")[1].split("\n## ")[0].strip().split("\n")
    assert all(
        line.startswith("- ") or not line or not above[i - 1].startswith("- ") for i, line in enumerate(above) if i
    )
    assert not [f for f in lab.lint().linted.findings if f.rule == "section-empty"]
