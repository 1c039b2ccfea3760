"""Runs are sources: what a campaign came to stands on pages, worded as its evidence allows, and follows the ledger."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from memexlab.api import Lab
from memexlab.wiki.compiling import render

from .planted_lab import PlantedLab
from .test_night import night
from .toy import make_toy

LOG = Path(__file__).parent / "data" / "logs" / "mar8.results.tsv"


def pages(root: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted((root / "wiki").glob("*.md"))}


def rendered(planted: PlantedLab, root: Path) -> dict[str, str]:
    planted.memory.index.catch_up()
    render(planted.memory, root)
    return pages(root)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    root = tmp_path_factory.mktemp("log")
    (root / "memex.toml").write_text('[lab]\nname = "log"\n')
    lab = Lab(root)
    lab.import_(LOG, campaign="mar8")
    render(lab.memory, root)
    return lab


def test_a_log_without_repeats_claims_nothing_and_says_why(log: Lab) -> None:
    files = pages(log.root)
    page = files["value-embedding-weight-decay.md"]
    told = "Setting it to 0.001 looked better: +0.000951 bits per byte, in run 105; one run, the noise is unknown"
    assert told in page
    assert "## When it hurts" in page
    assert "−0.000211 bits per byte, in run 108" in page
    text = "\n".join(files.values())
    assert not re.search(r"\b(?:helped|hurt)\b", text)
    assert "never moved without [[aspect-ratio|aspect_ratio]], so the gain is not its own" in files["depth.md"]
    assert "no gain below is shown to be more than luck" in files["campaign-mar8.md"]
    assert "None can be settled while the noise is unknown" in files["open-questions-of-mar8.md"]
    assert "\\> [!" not in text
    assert "Kept: +0.000951 bits per byte against" in files["run-105-of-mar8.md"]


def test_a_technique_counts_every_run_that_changed_it(log: Lab) -> None:
    sql = "SELECT knob, count(DISTINCT run) FROM changes JOIN runs USING (run) WHERE role = 'candidate' GROUP BY 1"
    changed = {knob.replace("_", "-").lower(): count for knob, count in log.memory.db.execute(sql)}
    found = {name: int(said[1]) for name, text in pages(log.root).items()
             if (said := re.search(r"Changed in (\d+) runs? of", text))}  # fmt: skip
    assert found["depth.md"] == 5  # one of them moved other knobs with it, and is in no estimate
    told = {name: changed.get(name.removesuffix(".md"), found[name]) for name in found}
    assert told == found


def test_every_sentence_about_runs_names_entries_that_are_there(log: Lab) -> None:
    known = {row[0] for row in log.memory.db.execute("SELECT id FROM runs")}
    files = pages(log.root)
    notes = 0
    for name, text in files.items():
        for target in re.findall(r"\[\[([^\]|]+)\|", text):
            assert f"{target}.md" in files, (name, target)
        used = set(re.findall(r"\[\^(\d+)\](?!:)", text))
        given = dict(re.findall(r"(?m)^\[\^(\d+)\]: (.+)$", text))
        assert used == set(given), name
        for note in given.values():
            ids = re.findall(r"`(e:[0-9a-f]{32})`", note)
            assert ids, note
            assert set(ids) <= known
            notes += 1
        for line in text.splitlines():
            assert not re.search(r" \^c[0-9a-f]{10}$", line) or "[^" in line, line
    assert notes > 100
    # Not junk: 109 changes were measured, and only what was kept, repeated or clear of its interval has a page.
    assert sum("type: technique" in text for text in files.values()) < 25


def test_pages_of_runs_are_the_same_bytes_again_and_follow_a_retraction(log: Lab, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(log.root, root)
    lab = Lab(root)
    before = pages(root)
    assert render(lab.memory, root).written == 0
    lab.retract("105", why="the seed was changed too")
    render(lab.memory, root)
    after = pages(root)
    assert "run-105-of-mar8.md" not in after
    assert "in run 105;" not in after["value-embedding-weight-decay.md"]
    assert after["warmdown.md"] == before["warmdown.md"]


def test_what_is_shown_is_told_from_what_only_looked_so(tmp_path: Path) -> None:
    planted = PlantedLab(tmp_path / ".memex")
    base = planted.base[0]
    best = planted.run(0.9, base, settings={"LR": 0.2}, description="LR 0.1 -> 0.2", hypothesis="faster steps")
    fresh = planted.pairs(best, base, (0.9, 1.0), (0.901, 1.001))
    planted.verdict(best, "confirmed", base, fresh)
    planted.run(0.999, base, settings={"WIDTH": 48}, status="discard")
    planted.run(0.99, base, settings={"DEPTH": 3}, status="discard")
    planted.run(None, base, settings={"LR": 9.0}, description="LR 9")
    files = rendered(planted, tmp_path)
    assert "0.1 → 0.2 helped: +0.1000 nats (95 % interval +0.0934 to +0.1066), in run 5;" in files["lr.md"]
    assert "measured more than once, and in agreement." in files["lr.md"]
    crash = next(line for line in files["lr.md"].splitlines() if "crashed" in line)
    assert "and measured nothing" in crash
    assert "width.md" not in files  # one run, inside its interval: nothing to say
    assert "WIDTH" not in files["lr.md"]
    experiment = files[f"run-{best.body.number}-of-toy.md"]
    assert "faster steps" in experiment
    assert "Noise in nats: sigma" in files["campaign-toy.md"]


def test_words_of_a_proposer_stay_words(tmp_path: Path) -> None:
    planted = PlantedLab(tmp_path / ".memex")
    bad = "x\n\n# Injected\n\n[[index]] <script>alert(1)</script> [^9] ![[secret]]"
    best = planted.run(0.9, planted.base[0], settings={"LR": 0.2}, description=bad, hypothesis=bad)
    planted.verdict(best, "confirmed", planted.base[0], planted.pairs(best, planted.base[0], (0.9, 1.0), (0.9, 1.0)))
    text = "\n".join(page.split("\n---\n", 1)[-1] for page in rendered(planted, tmp_path).values())
    assert "\n# Injected" not in text
    assert "<script" not in text
    assert "[[index]]" not in text
    assert not re.search(r"(?<!\\)!\[\[secret", text)


@pytest.mark.slow
def test_a_night_renders_the_wiki_where_there_is_one(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    (root / "wiki").mkdir()
    events = night(root, runs=2)
    assert any(event.text.startswith("Wiki: ") for event in events)
    assert "campaign-toy.md" in pages(root)
    bare = make_toy(tmp_path / "bare")
    night(bare, runs=1)
    assert not (bare / "wiki").exists()
