"""What the pages of a night say: one count of ideas, one word for what became of a run, whether a loop is alive."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from markupsafe import Markup
from starlette.testclient import TestClient

from memexlab import Lab
from memexlab.lab.evidence.logbook import read_logbook
from memexlab.lab.execution.owner import this_process
from memexlab.lab.loop.steering import Patch, Steering
from memexlab.lab.report.summary import build_report
from memexlab.lab.wording import Amounts
from memexlab.ledger import Draft, Ref, Run, utc_now
from memexlab.web.app import application
from memexlab.web.rendering import number
from memexlab.web.steering import beat_of

from .planted_lab import PlantedLab

LOG = Path(__file__).parent / "data" / "logs" / "mar8.results.tsv"
_BEATS = (
    "import sys, time; from pathlib import Path; from memexlab.lab.loop.steering import Steering;"
    " from memexlab.lab.execution.owner import this_process; me = this_process();"
    " Steering(Path(sys.argv[1])).beat(owner=me, campaign='toy', candidates=1, since='', limits={});"
    " print(me, flush=True); time.sleep(600)"
)


def asking(root: Path) -> TestClient:
    return TestClient(
        application(root, "t"), base_url="http://127.0.0.1:8765", headers={"authorization": "Bearer t"}
    )  # fmt: skip


def text_of(page: str) -> str:
    return " ".join(Markup(re.sub("<[^>]+>", " ", page)).unescape().split())


@pytest.fixture
def night(tmp_path: Path) -> Iterator[PlantedLab]:
    """A night in which everything happened to an idea that may."""
    lab = PlantedLab(tmp_path / "lab" / ".memex")
    (tmp_path / "lab" / "memex.toml").write_text("")
    base = lab.base[0]
    lab.win(base, description="width 32 -> 48")
    lab.run(0.95, base, description="depth 4 -> 5")  # measured, and not judged
    lab.verdict(lab.run(1.1, base), "discard", base)
    lab.verdict(lab.run(0.9, base, description="a lucky one"), "dropped", base)
    lab.verdict(lab.run(0.99, base), "inconclusive", base)
    lab.run(None, base, error="MemoryError")
    lab.run(None, base, status="blocked", error="rejected by human:ada: too odd", description="batch 1")
    lab.run(None, base, status="blocked", error="it was tried already", description="batch 2")
    yield lab
    lab.memory.close()


def test_counts_tile_and_picture_tell_the_same_ideas(night: PlantedLab) -> None:
    section = build_report(night.memory.db, now=utc_now()).sections[0]
    assert section.counts.startswith("6 ideas tried")
    counted = sum(int(part.split()[0]) for part in section.counts.partition(": ")[2].split(", "))
    assert counted == 6 + 2  # two that were turned down or refused are told, and were not tried
    assert "1 dropped, 1 discarded, 1 not judged yet, 1 failed, 1 turned down by the owner, 1 refused" in section.counts
    marks = [point.mark for point in section.chart.points]
    assert [marks.count(mark) for mark in ("open", "dropped", "discard", "failed")] == [1, 1, 1, 1]
    assert next(p.title for p in section.chart.points if p.mark == "dropped").endswith("dropped: why")


def test_a_retracted_run_failed_nowhere_and_has_one_name(night: PlantedLab) -> None:
    lab = Lab(night.memory.folder.parent)
    lab.retract(5, why="the wrong data")
    assert "1 failed, 1 retracted" in build_report(lab.memory.db, now=utc_now()).sections[0].counts
    assert not any(run.failed for run in read_logbook(lab.memory.db, "toy").runs if run.verdict == "retract")
    assert "1 run fit" in lab.ask("how many runs failed?").answer.text
    lab.close()
    with asking(night.memory.folder.parent) as client:
        failed = client.get("/runs", params={"where": "status IN ('crash', 'invalid') AND verdict != 'retract'"}).text
        assert "/runs/5?" not in failed
        for path in ("/runs", "/runs/5"):
            assert re.search(r'<span class="tag dropped" title="[^"]+">retracted</span>', client.get(path).text)
        assert ">retracted</a>" in client.get("/runs?group=status").text


def test_who_said_no_is_told_and_nobody_calls_it_failed(night: PlantedLab) -> None:
    with asking(night.memory.folder.parent) as client:
        page, lineage = client.get("/").text, client.get("/runs/lineage").text
    assert "batch 1 <tspan>turned down</tspan>" in lineage
    assert lineage.count('class="cross"') == 1  # what crashed
    assert re.findall(r'<span class="tag (\w+)" title="[^"]+">(turned down|refused)</span>', page) == [
        ("dropped", "refused"), ("dropped", "turned down"),
    ]  # fmt: skip
    legend = text_of(page.partition('class="legend"')[2].partition("</details>")[0])
    for word in ("sigma", "dropped", "fresh pair", "turned down", "not judged yet"):
        assert word in legend
    assert "retracted" not in legend


# --- the loop


def test_a_loop_that_was_killed_is_not_at_work(night: PlantedLab) -> None:
    folder = night.memory.folder
    # Nobody waits for it: as with a shell that runs it in the background, the dead process stays in the table.
    loop = subprocess.Popen([sys.executable, "-c", _BEATS, str(folder)], stdout=subprocess.PIPE, text=True)
    assert loop.stdout is not None
    owner = loop.stdout.readline().strip()
    started = Run("toy", "started", 40, "candidate", "head 2 -> 4", owner=owner)
    night.memory.land([Draft("run:toy/40", started, (Ref("from", night.definition.id),))], "code:test")
    with asking(folder.parent) as client:
        page = text_of(client.get("/").text)
        assert "The loop is at work" in page
        assert "Running now #40" in page
        loop.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, loop.pid, os.WEXITED | os.WNOWAIT)
        assert beat_of(Steering(folder)) == {}
        page = text_of(client.get("/").text)
    assert "The loop is at work" not in page
    assert "Running now" not in page
    assert "#40 began and did not end" in page
    loop.wait()


def test_steer_says_who_reads_it(night: PlantedLab) -> None:
    folder = night.memory.folder
    (folder.parent / "memex.toml").write_text(
        '[target]\nedit = ["t.py"]\nrun = "python t.py"\n'
        '[metric]\nname = "loss"\nbetter = "lower"\n[budget]\nseconds = 1\n'
    )
    with asking(folder.parent) as client:
        assert "turns numbers in the code and reads no words" in text_of(client.get("/").text)
        Steering(folder).beat(owner=this_process(), campaign="toy", candidates=0, proposer="agent")
        assert "It is read again before every idea" in text_of(client.get("/").text)
        (folder / "heartbeat.json").unlink()
        night.run(1.0, night.base[0], meta={"origin": "model"})
        assert "It is read again before every idea" in text_of(client.get("/").text)


def test_a_patch_that_nobody_waits_for_says_so(night: PlantedLab) -> None:
    steering = Steering(night.memory.folder)
    steering.ask(Patch("cc33", "heads 2 -> 8", "", "diff --git a/t.py b/t.py\n"))
    with asking(night.memory.folder.parent) as client:
        assert "The loop that asked has ended" in client.get("/").text
        steering.beat(owner=this_process(), campaign="toy", candidates=0)
        assert "The loop that asked has ended" not in client.get("/").text


# --- runs and reports


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("log") / "lab"
    Lab.init(root, target="none")
    lab = Lab(root)
    lab.import_(LOG)
    lab.close()
    return root


def test_a_filter_is_words_or_knobs_or_columns(logged: Path) -> None:
    with asking(logged) as client:

        def found(where: str) -> list[int]:
            page = client.get("/runs", params={"where": where, "sort": "number", "down": "0"}).text
            return [int(n) for n in re.findall(r'aria-label="compare run (\d+)"', page)]

        assert 61 in found("warmdown 0.65")
        assert found("rope and base") == found("description LIKE '%rope%' AND description LIKE '%base%'") != []
        assert found("100%_|'") == []
        assert 5 in found("warmdown > 0.6")
        assert 5 not in found("warmdown > 0.72")
        assert found("depth = 9 and status = 'keep'") == [3]
        refused = client.get("/runs", params={"where": "colour = 'red'"}).text
        assert "no such column: colour" in refused
        assert "passage_words" not in refused
        first = re.search(r'<th class="n"><a href="([^"]+)">value', client.get("/runs").text)
        assert first is not None
        best = re.search(r'aria-label="compare run (\d+)"', client.get("/runs" + first[1].replace("&amp;", "&")).text)
        assert best is not None
        assert best[1] == "119"


def test_a_log_without_settings_shows_what_its_changes_tell(logged: Path) -> None:
    with asking(logged) as client:
        run, both = client.get("/runs/61").text, client.get("/runs/compare?runs=119+61").text
    assert "this run <b>0.65</b>" in re.sub(r'<td data-l="([^"]+)">', r"\1 ", run)
    assert re.search(r"<td>warmdown</td><td>0.75</td><td>0.65</td>", both)
    assert all("This log records no settings" in page for page in (run, both))


def test_reports_of_nights_are_listed_and_open(logged: Path) -> None:
    (logged / "reports").mkdir(exist_ok=True)
    for name in ("2026-03-02-mar8", "2026-03-01", "latest"):
        (logged / "reports" / f"{name}.html").write_text(f"<p>{name}</p>", encoding="utf-8")
    (logged / "2026-03-05.html").write_text("outside", encoding="utf-8")
    with asking(logged) as client:
        page = client.get("/report").text
        assert re.findall(r'<a href="/report/(20[^"]+)">([^<]+)</a>', page) == [
            ("2026-03-02-mar8", "2 Mar, mar8"), ("2026-03-01", "1 Mar"),
        ]  # fmt: skip
        assert '<time datetime="20' in page
        for day in ("2026-03-02", "2026-03-02-mar8"):
            assert client.get(f"/report/{day}").text == "<p>2026-03-02-mar8</p>"
        for day in ("2026-03-05", "latest", "..%2f2026-03-05"):
            assert client.get(f"/report/{day}").status_code == 404


def test_numbers_are_written_in_one_way() -> None:
    assert [number(value) for value in (17425.7, 0.0, 197.9, 0.97, 3)] == ["17,425.7", "0", "197.9", "0.97", "3"]
    amounts = Amounts.of("tokens/s", 40.0)
    assert (amounts.value(17425.7), amounts.signed(17411.2)) == ("17,426", "+17,411.2")
    assert (amounts.signed(-0.001), Amounts.of("", None).signed(-1234.0)) == ("0.0", "−1,234")


# --- ask


def test_what_hurt_is_told_by_its_loss_the_worst_first(logged: Path) -> None:
    lab = Lab(logged)
    told = lab.ask("which changes hurt?").answer.text.splitlines()
    helped = lab.ask("what helped?").answer.text.splitlines()
    lab.close()
    losses = [float(line.split()[0]) for line in told if line.startswith("-0.")]
    assert losses == sorted(losses)
    assert losses[0] < -0.007
    assert not any("seed" in line for line in told if line.startswith("-0."))
    assert any(line.endswith("measured better, and were thrown away all the same") for line in told)
    assert helped[1].startswith("+0.0119 run 2 ")


@pytest.mark.parametrize(
    ("written", "read"),
    [("31.12.2030", "2030-12-31"), ("Dec 31, 2030", "2030-12-31"), ("2030-12", "2030-12"), ("50", "50")],
)
def test_a_moment_is_read_as_people_write_it(logged: Path, written: str, read: str) -> None:
    with asking(logged) as client:
        page = client.get("/ask", params={"q": "what is the best run?", "as_of": written}).text
        assert f'name="as_of" value="{read}"' in page
        assert "run" in page.partition('class="said"')[2][:200]
        assert "no date" not in page


def test_what_is_no_moment_is_refused_in_the_words_of_the_page(logged: Path) -> None:
    with asking(logged) as client:
        page = client.get("/ask", params={"q": "what is the best run?", "as_of": "next spring"}).text
        assert "next spring" in page
        assert "31.12.2025" in page
        assert "--as-of" not in page
        assert "no date" not in client.get("/ask", params={"q": "the best run?", "as_of": "yesterday"}).text
