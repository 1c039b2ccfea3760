"""The loop on a toy target with a known optimum: real processes, real git, real ledger."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from memexlab.api import Lab
from memexlab.commands.run import Options, run_night
from memexlab.lab.loop.campaign import Event
from memexlab.lab.tsv import keep_tsv
from memexlab.ledger import Draft, OutsideError, Run, UsageError
from memexlab.memory import Memory

from .toy import make_toy


def night(
    root: Path, runs: int = 6, streams: int = 2, seconds: float | None = None, campaign: str | None = None
) -> list[Event]:
    memory = Memory(root / ".memex")
    events: list[Event] = []
    try:
        run_night(root, memory, events.append, runs, None, Options(seconds, streams, campaign=campaign))
    finally:
        memory.close()
    return events


def sql(root: Path, query: str) -> list[tuple[object, ...]]:
    memory = Memory(root / ".memex")
    try:
        return memory.db.execute(query).fetchall()
    finally:
        memory.close()


def test_a_log_that_somebody_else_keeps_is_never_overwritten(tmp_path: Path) -> None:
    memory = Memory(tmp_path / ".memex")
    log, heard = tmp_path / "results.tsv", list[str]()

    def written() -> bytes:
        keep_tsv(tmp_path, memory, "c", heard.append)
        return log.read_bytes()

    log.write_bytes(mine := b"commit\tloss\nabc1234\t0.9 weeks of w\xf6rk\n")
    empty = written()
    assert (tmp_path / "results.own.tsv").read_bytes() == mine
    assert [text.partition(":")[0] for text in heard] == ["results.tsv was not written by memex"]
    with log.open("a") as added:  # an agent that goes on as upstream's program tells it to
        added.write("def5678\t0.8\t1.0\tkeep\tby hand\n")
    theirs = log.read_bytes()
    assert written() == empty
    assert (tmp_path / "results.own-2.tsv").read_bytes() == theirs
    memory.land([Draft("run:c/1", Run("c", status="keep", number=1, description="first"))], "code:test")
    one = written()
    assert one != empty
    log.write_bytes(empty)  # killed between what it noted and what it wrote
    assert written() == one
    assert len(heard) == 2
    memory.close()


def test_a_night_finds_what_is_there_to_find(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    night(root, runs=10)
    assert sql(root, "SELECT count(*) FROM runs WHERE role = 'baseline' AND status = 'ok'") == [(4,)]
    candidates = sql(root, "SELECT status, verdict FROM runs WHERE role = 'candidate'")
    assert len(candidates) == 10
    assert all(verdict or status in ("crash",) for status, verdict in candidates)
    champions = sql(root, "SELECT run, gain FROM champions ORDER BY since")
    assert len(champions) >= 3
    assert all(gain > 0.04 for _, gain in champions[1:])
    # Every confirmed win rests on fresh pairs measured on the same seed, never on its screening value.
    for run, pairs in sql(root, "SELECT run, pairs FROM verdicts WHERE decision = 'confirmed'"):
        rows = sql(
            root,
            "SELECT r.seed, count(*) FROM refs f JOIN runs r ON r.run = f.seq JOIN entries e ON e.seq = "
            f"{run} WHERE f.target = e.id AND f.role = 'tests' GROUP BY r.seed",
        )
        assert len(rows) == pairs
        assert all(count == 2 for _, count in rows)
    # Kept runs are commits on the branch, every run is reachable, and its diff is a blob.
    log = subprocess.run(["git", "log", "--oneline", "memex/toy"], cwd=root, capture_output=True, text=True, check=True)
    assert len(log.stdout.splitlines()) == len(champions)
    refs = subprocess.run(["git", "for-each-ref", "refs/memex"], cwd=root, capture_output=True, text=True, check=True)
    started = sql(root, "SELECT count(*) FROM runs WHERE role <> 'final'")[0][0]
    assert len(refs.stdout.splitlines()) == started
    assert sql(root, "SELECT count(*) FROM refs WHERE role = 'diff'")[0][0] >= 20
    # The third split was scored once for the baseline and once for the champion.
    assert sql(root, "SELECT count(*) FROM runs WHERE role = 'final' AND value IS NOT NULL") == [(2,)]
    tsv = (root / "results.tsv").read_text().splitlines()
    assert tsv[0].split("\t") == ["commit", "loss", "memory_gb", "status", "description"]
    assert len(tsv) == 12
    assert subprocess.run(["git", "status", "--porcelain"], cwd=root, capture_output=True).stdout == b""


def test_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    night(root, runs=2)
    night(root, runs=2)
    assert sql(root, "SELECT count(*) FROM runs WHERE role = 'baseline'") == [(4,)]
    assert sql(root, "SELECT count(*), count(DISTINCT description) FROM runs WHERE role = 'candidate'") == [(4, 4)]
    assert sql(root, "SELECT count(DISTINCT campaign) FROM runs") == [(1,)]


CHANGED = "(LEARNING_RATE, WIDTH, MOMENTUM, ACTIVATION) != (0.001, 32, 0.9, 'gelu')"


@pytest.mark.parametrize(
    ("extra", "status", "why"),
    [
        pytest.param("1 / 0", "crash", "ZeroDivisionError", marks=pytest.mark.slow),
        pytest.param("time.sleep(100)", "timeout", "ended after", marks=pytest.mark.slow),
        ("LEARNING_RATE = float('nan')", "crash", "no finite number"),
        ("open('evaluate.py', 'a').write('#')", "invalid", "locked file"),
        pytest.param("sys.exit(0)", "invalid", "no artifact", marks=pytest.mark.slow),
        ("print('loss: 0.0001'); os._exit(1)", "crash", "exit code 1"),
    ],
)
def test_a_failed_run_has_a_status_of_its_own_and_never_wins(tmp_path: Path, extra: str, status: str, why: str) -> None:
    kill_after = 6 if status == "timeout" else 60  # the baselines have to end in it, on a slow machine too
    root = make_toy(tmp_path / "lab", extra=f"if {CHANGED}: {extra}", kill_after=kill_after)
    night(root, runs=2)
    rows = sql(root, "SELECT status, value, error FROM runs WHERE role = 'candidate'")
    assert [row[0] for row in rows] == [status, status]
    assert all(value is None and why in error for _, value, error in rows)
    assert sql(root, "SELECT count(*) FROM champions") == [(1,)]
    last = (root / "results.tsv").read_text().splitlines()[-1].split("\t")
    assert last[1:4] == ["0.000000", "0.0", "crash"]
    told = str(Lab(root).history("6", log=True, limit=3))  # the end of what it printed, a traceback above all
    assert told.startswith(f"run 6, {status}: ")
    assert ("1 / 0" in told and "ZeroDivisionError: division by zero" in told) == (extra == "1 / 0")
    assert len(told.splitlines()) <= 5
    with pytest.raises(UsageError, match="no run '99'"):
        Lab(root).history("99", log=True)


@pytest.mark.slow
def test_a_metric_that_the_run_prints_is_not_believed_where_an_evaluator_is_set(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab", extra="print('---'); print('loss: 0.000001')")
    night(root, runs=2)
    assert sql(root, "SELECT min(value) > 0.5, max(self_reported) FROM runs") == [(1, 0)]


@pytest.mark.slow
def test_without_an_evaluator_the_run_is_marked_self_reported(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab", extra="print('---'); print('loss:', 2 + rng.random() / 100)")
    text = (root / "memex.toml").read_text()
    lines = [line for line in text.splitlines() if not line.startswith(("evaluate", "artifact"))]
    (root / "memex.toml").write_text("\n".join(lines))
    night(root, runs=2)
    assert sql(root, "SELECT DISTINCT self_reported FROM runs") == [(1,)]
    assert sql(root, "SELECT min(value) >= 2 FROM runs") == [(1,)]


def test_a_baseline_that_does_not_run_stops_at_once_and_says_why(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab", extra="raise SystemExit('no data')")
    with pytest.raises(OutsideError, match="no data"):
        night(root, runs=2)


def test_uncommitted_edits_are_refused_with_what_to_type(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    (root / "train.py").write_text((root / "train.py").read_text() + "\n# mine\n")
    with pytest.raises(UsageError, match=r"train\.py[\s\S]*git -C"):
        night(root, runs=1)


@pytest.mark.slow
def test_other_terms_make_another_campaign(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    night(root, runs=1)
    night(root, runs=1, seconds=0.02)
    assert sql(root, "SELECT campaign, budget_seconds FROM campaigns ORDER BY campaign") == [
        ("toy", 0.01),
        ("toy-2", 0.02),
    ]
    with pytest.raises(UsageError, match="budget_seconds"):
        night(root, runs=1, seconds=0.03, campaign="toy")


def test_one_loop_at_a_time(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab", seconds=60, kill_after=600)  # it is at work until it is told to stop
    first = subprocess.Popen(
        [sys.executable, "-m", "memexlab", "--lab", str(root), "run", "--runs", "1"], stderr=subprocess.DEVNULL
    )
    lock = root / ".memex" / "run.lock"
    while not lock.exists() or not lock.read_text():
        assert first.poll() is None
        time.sleep(0.02)
    with pytest.raises(UsageError, match=f"process {first.pid}"):
        night(root, runs=1)
    first.send_signal(signal.SIGINT)
    assert first.wait(60) in (0, 130)  # 130 where it was stopped before the first run


@pytest.mark.slow
def test_kill_nine_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    """The loop is killed again and again at growing delays; then it finishes, and the ledger holds all of it."""
    root = make_toy(tmp_path / "lab", seconds=0.15)
    command = [sys.executable, "-m", "memexlab", "--lab", str(root), "run", "--runs", "3"]
    seen: set[object] = set()
    for delay in (0.4, 0.7, 0.9, 1.2, 1.5, 2.0):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        time.sleep(delay)
        process.kill()
        process.wait()
        ids = {row[0] for row in sql(root, "SELECT id FROM entries")}
        assert seen <= ids
        seen = ids
    at_work = "SELECT count(*) > 0 FROM runs WHERE status = 'started'"
    while sql(root, at_work) != [(1,)]:  # at least once in the midst of a run, however slow the machine is
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None and sql(root, at_work) != [(1,)]:
                time.sleep(0.01)
            process.kill()
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert sql(root, "SELECT count(*) FROM runs WHERE status = 'started'") == [(0,)]
    assert sql(root, "SELECT count(*) >= 1 FROM runs WHERE status = 'lost'") == [(1,)]
    assert sql(root, "SELECT count(*) FROM runs WHERE role = 'baseline' AND value IS NOT NULL") == [(4,)]
    # Shown once: one entry says lost for each run that was interrupted.
    assert sql(root, "SELECT count(*) FROM runs GROUP BY campaign, number HAVING count(*) > 1") == []
    health = Lab.open(root).doctor()
    assert [f for f in health.findings if f.severity == "error"] == []


@pytest.mark.slow
def test_control_c_stops_cleanly(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab", seconds=0.3)
    process = subprocess.Popen(
        [sys.executable, "-m", "memexlab", "--lab", str(root), "run"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "run 6" in line:
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Stopped by hand" in err
    assert "report:" in out
    assert sql(root, "SELECT count(*) FROM runs WHERE status = 'started'") == [(0,)]


@pytest.mark.slow
def test_a_lab_inside_a_larger_repository(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "repo")
    subprocess.run(["git", "mv", "train.py", "evaluate.py", "memex.toml", "."], cwd=root, capture_output=True)
    inner = root / "deep" / "lab"
    inner.mkdir(parents=True)
    for name in ("train.py", "evaluate.py", "memex.toml", ".gitignore"):
        os.rename(root / name, inner / name)
    subprocess.run(["git", "add", "-A"], cwd=root, check=True)
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "move"], cwd=root, check=True)
    night(inner, runs=2)
    assert sql(inner, "SELECT count(*) FROM runs WHERE role = 'candidate' AND value IS NOT NULL") == [(2,)]


def raced(root: Path, *words: str) -> dict[str, object]:
    command = [sys.executable, "-m", "memexlab", "--lab", str(root), "--json", "race", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_a_race_lands_a_verdict_on_all_fresh_pairs_of_two_runs(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    night(root, runs=2)
    [(champion,)] = sql(root, "SELECT number FROM champions JOIN runs USING (run) WHERE until IS NULL")
    earlier = sql(root, "SELECT count(DISTINCT seed) FROM runs WHERE role = 'pair' AND description LIKE '%run 5:%'")[0][
        0
    ]
    again = raced(root, "--pairs", "3")
    assert len(again["pairs"]) == 3  # type: ignore[arg-type]
    assert (again["run"], again["against"], again["verdict"], again["champion"]) == (champion, 1, "confirmed", champion)
    assert again["low"] > 0.2  # type: ignore[operator]  # learning rate 0.001 -> 0.002 is worth 0.3
    assert f"against run 1, the baseline, in {3 + int(str(earlier))} fresh pairs" in str(again["reason"])
    [(pairs, tests)] = sql(
        root,
        "SELECT v.pairs, (SELECT count(*) FROM refs f WHERE f.seq = v.seq AND f.role = 'from') FROM verdicts v"
        " ORDER BY v.seq DESC LIMIT 1",
    )
    assert tests == 2 * int(str(pairs))
    assert sql(root, "SELECT count(*) FROM champions WHERE until IS NULL") == [(1,)]


@pytest.mark.slow
def test_steering_is_read_again_before_every_idea(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    from memexlab.commands import run as running

    seen: list[str] = []
    original = running.KnobProposer.propose

    class Listening(running.KnobProposer):
        def propose(self, brief):
            seen.append(brief.program)
            (root / "program.md").write_text(f"turn {len(seen)}")
            return original(self, brief)

    running.KnobProposer = Listening
    try:
        night(root, runs=3, streams=1)
    finally:
        running.KnobProposer = Listening.__mro__[1]
    assert seen[:3] == ["", "turn 1", "turn 2"]


@pytest.mark.slow
def test_the_report_of_a_night_is_written_and_named(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    done = subprocess.run(
        [sys.executable, "-m", "memexlab", "--lab", str(root), "--json", "run", "--runs", "4"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["candidates"] == 4
    assert outcome["report"]["headline"]
    for kind, start in (("html", b"<!doctype html>"), ("markdown", b"#"), ("png", b"\x89PNG")):
        assert Path(outcome["report"][kind]).read_bytes().lower().startswith(start.lower())


def reply(width: int) -> str:
    edit = {"path": "train.py", "search": "WIDTH = 32 ", "replace": f"WIDTH = {width} "}
    idea = {"hypothesis": "more room", "description": f"WIDTH 32 -> {width}", "edits": [edit]}
    return json.dumps({"reply": json.dumps({"proposals": [idea]})})


@pytest.mark.slow
def test_a_model_proposes_and_its_calls_are_in_the_record(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab", toml='\n[model]\ndial = "scripted"\nfile = "replies.jsonl"\n')
    (root / "replies.jsonl").write_text(reply(64) + "\n")
    memory = Memory(root / ".memex")
    run_night(root, memory, lambda event: None, 1, None, Options(streams=1, proposer="model"))
    memory.close()
    [(status, description, origin)] = sql(
        root,
        "SELECT r.status, r.description, json_extract(e.body, '$.meta.origin') FROM runs r"
        " JOIN entries e ON e.seq = r.run WHERE r.role = 'candidate'",
    )
    assert (status, description) == ("keep", "WIDTH 32 -> 64")
    assert str(origin).startswith("model")
    assert sql(root, "SELECT count(*) FROM entries WHERE kind = 'call'") == [(1,)]


def test_a_spent_budget_stops_the_night_cleanly_and_says_so(tmp_path: Path) -> None:
    toml = '\n[model]\ndial = "scripted"\nfile = "replies.jsonl"\nbudget_tokens_night = 10\n'
    root = make_toy(tmp_path / "lab", toml=toml)
    (root / "replies.jsonl").write_text(reply(64) + "\n")
    memory, events = Memory(root / ".memex"), list[Event]()
    outcome = run_night(root, memory, events.append, 3, None, Options(streams=2, proposer="model"))
    memory.close()
    assert outcome.candidates == 0
    assert any(event.kind == "stop" and "budget_tokens_night is 10" in event.text for event in events)


@pytest.mark.slow
def test_mixed_goes_on_with_what_is_left_where_the_model_is_done(tmp_path: Path) -> None:
    toml = '\n[model]\ndial = "scripted"\nfile = "replies.jsonl"\nbudget_tokens_night = 10\n'
    root = make_toy(tmp_path / "lab", toml=toml)
    (root / "replies.jsonl").write_text(reply(64) + "\n")
    memory = Memory(root / ".memex")
    outcome = run_night(root, memory, lambda event: None, 3, None, Options(streams=2, proposer="mixed"))
    memory.close()
    assert outcome.candidates == 3
    origins = sql(root, "SELECT DISTINCT json_extract(body, '$.meta.origin') FROM entries WHERE subject LIKE 'run:%'")
    assert any(str(origin).startswith("knobs") for (origin,) in origins)
