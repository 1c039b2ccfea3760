"""What a report asks its reader to do: a command does what its title says, and what was done is not asked again."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from memexlab import Lab
from memexlab.lab.execution.checkouts import has_taken
from memexlab.lab.report.chart import progress_svg
from memexlab.lab.report.renderers import build_report, linked, sentences_of
from memexlab.lab.wording import gist
from memexlab.memory import Memory
from memexlab.web.app import application

from .planted_lab import PlantedLab, number_of
from .report_views import MAR8, NOW, Views
from .test_supervision import make_toy, memex


@pytest.fixture
def log(tmp_path: Path) -> Path:
    root = tmp_path / "lab"
    Lab.init(root, target="none")
    with_it = Lab(root)
    with_it.import_(MAR8, campaign="mar8")
    with_it.close()
    return root


def git(root: Path, *words: str) -> str:
    who = ("-c", "user.name=ada", "-c", "user.email=ada@example.org")
    return subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True, text=True).stdout


def test_a_win_is_taken_once_its_change_is_on_the_branch_however_it_came_there(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    code = tmp_path / "train.py"
    code.write_text("LR = 0.1\n")
    git(tmp_path, "add", "train.py")
    git(tmp_path, "commit", "-qm", "start")
    git(tmp_path, "checkout", "-qb", "memex/toy")
    code.write_text("LR = 0.2\n")
    git(tmp_path, "commit", "-qam", "LR 0.1 -> 0.2")
    win = git(tmp_path, "rev-parse", "HEAD").strip()
    git(tmp_path, "checkout", "-q", "main")
    assert not has_taken(tmp_path, win)
    code.write_text("LR = 0.2\n")
    (tmp_path / "notes.md").write_text("typed by hand\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "copied")
    assert has_taken(tmp_path, win)
    git(tmp_path, "reset", "-q", "--hard", "HEAD~1")
    git(tmp_path, "merge", "-q", "memex/toy")
    code.write_text("LR = 0.3\n")
    git(tmp_path, "commit", "-qam", "further")
    assert has_taken(tmp_path, win)  # what came after does not give it back
    assert has_taken(tmp_path, "0" * 40)  # nothing of that name can be taken


def test_the_first_thing_to_do_is_to_take_the_win(tmp_path: Path) -> None:
    lab = PlantedLab(tmp_path)
    win = lab.win(lab.base[0], settings={"LR": 0.05})
    report = build_report(lab.memory.db, now=NOW)
    first = report.sections[0].queue[0]
    assert first.title == f"Take the win of run {number_of(win)}"
    assert first.command == "git merge memex/toy"
    after = build_report(lab.memory.db, now=NOW, is_taken=lambda commit: commit == "00000005").sections[0].queue
    assert not any("Take the win" in item.title for item in after)
    more = lab.run(0.96, win, settings={"WIDTH": 64})
    lab.verdict(more, "provisional", win)  # the branch has it too now, and nobody has confirmed it
    first = build_report(lab.memory.db, now=NOW).sections[0].queue[0]
    assert first.command == "git merge 00000005"


@pytest.mark.slow
def test_a_knob_is_tried_on_the_head_and_the_win_is_offered_until_it_is_merged(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    tried = json.loads(
        memex(root, "--json", "try", "--set", "LEARNING_RATE=0.002", "--hypothesis", "the rate is low").stdout
    )
    assert tried["verdict"] == "confirmed"
    assert "LEARNING_RATE = 0.001" in (root / "train.py").read_text()
    queue = json.loads(memex(root, "--json", "next").stdout)["queue"]
    assert queue[0]["command"] == "git merge memex/toy"
    again = memex(root, "try", "--set", "LEARNING_RATE=0.002", "--hypothesis", "again")
    assert "has LEARNING_RATE=0.002 already" in again.stderr
    git(root, "merge", "-q", "memex/toy")
    assert not any(one["action"] == "promote" for one in json.loads(memex(root, "--json", "next").stdout)["queue"])


def test_of_a_log_no_command_is_offered_that_does_something_else(log: Path) -> None:
    memory = Memory(log / ".memex")
    queue = build_report(memory.db, now=NOW).sections[0].queue
    kinds = {item.title.split()[0]: item.command.split(" --")[0] for item in queue}
    assert kinds == {"Measure": "memex log", "Try": ""}
    assert len({item.command for item in queue if item.command}) == sum(bool(item.command) for item in queue)


def test_a_log_without_a_metric_says_so_and_not_that_all_failed(tmp_path: Path) -> None:
    views = Views(tmp_path)
    views.campaign("words", metric="", origin="import")
    for status in ("keep", "discard", "crash"):
        views.run(None, status=status, description=f"a {status}")
    section = views.report().sections[0]
    lead, more = sentences_of(section.headline)
    assert lead == "No column of the log is a metric, so its 3 runs cannot be compared."
    assert "memex import FILE --metric NAME --campaign words-2" in more
    assert section.queue[0].command in more
    assert "no value</text>" in progress_svg(section.chart)


def test_a_value_behind_the_word_run_is_no_run(log: Path) -> None:
    memory = Memory(log / ".memex")
    section = build_report(memory.db, now=NOW).sections[0]
    told = linked("Best kept run 1.11587 bits per byte, best run 12 bits per byte, run 2, run 3. #4", section)
    assert re.findall(r'<a href="/runs/(\d+)\?', told) == ["2", "3", "4"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Baseline batch peak: 5817 tok/s at batch=96. Cliff at 128.", "Baseline batch peak: 5817 tok/s at batch=96"),
        ("BATCH 2^16→2^17 (hypothesis: 2x batch) wins", "BATCH 2^16→2^17"),
        ("lr 0.1 -> 0.2, depth 4.5", "lr 0.1 -> 0.2, depth 4.5"),
        ("(all of it)", "(all of it)"),
        ("Bottleneck: Instability", "Bottleneck"),
    ],
)
def test_the_gist_of_a_text_stands_inside_a_sentence(text: str, told: str) -> None:
    assert gist(text) == told
    assert sentences_of(f"Best {gist(text)} of all, it won. More.")[1] == "More."


def test_a_first_run_that_calls_itself_broken_is_no_silent_baseline(tmp_path: Path) -> None:
    views = Views(tmp_path)
    views.campaign("bad", origin="import")
    views.run(9.0, status="keep", description="baseline, BROKEN cooldown")
    views.crown(views.run(0.5, status="keep", description="mended"), 0.5, 8.5)
    section = views.report().sections[0]
    assert any("#1, says of itself that it was broken" in text for text in section.warnings)
    assert any("18 times apart" in text for text in section.warnings)
    assert "the first run is doubtful" in section.tiles[1].note


def test_the_pages_of_a_log(log: Path) -> None:
    with TestClient(application(log, "t"), base_url="http://127.0.0.1") as client:
        lineage = client.get("/runs/lineage").text
        assert len(set(re.findall(r'href="/runs/(\d+)\?', lineage))) == 126
        effects = client.get("/effects").text
        large = effects.partition("that made no difference beyond a new seed")[0]
        gains = [float(g.replace("−", "-")) for g in re.findall(r'data-l="gain">([+−][\d.]+)', large)]
        wins = [gain for gain in gains if gain > 0]
        assert gains == sorted(wins, reverse=True) + sorted(gain for gain in gains if gain < 0)
        assert gains[0] == 0.01186
        assert "17 × seed" in effects
        assert "embedding_lr</b> 0.6" in large
        assert "<polyline" in effects  # settings that its changes tell
        assert "0.6 → 0.8" in client.get("/effects?knob=embedding learning rate").text
        chart = client.get("/?part=1").text
        assert 'aria-label="#2 kept, never repeated: halve batch' in chart
        assert client.get("/?campaign=nope").status_code == 400
        assert "There is no report of 2020-01-01" in client.get("/report?day=2020-01-01").text
        for guess, place in (("/lint", "/wiki-lint"), ("/docs", "/api"), ("/failures", "/effects")):
            answer = client.get(guess, follow_redirects=False)
            assert answer.headers["location"].startswith(place)
        assert "<code>/api/try</code>" in client.get("/api").text
        wrong = client.get("/runs?where=nonsense=1").text
        assert "speaks of knobs and of these columns: run, id, campaign, number" in wrong
        assert "126 runs" in client.get("/runs").text
