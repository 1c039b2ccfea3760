"""A run ends, and with it every process it started, whatever it did to get away."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from uuid import uuid4

import pytest

from memexlab.lab.execution.engine import Job, Slots, run_environment
from memexlab.lab.execution.metrics import number, printed_metrics, sidecar_metrics
from memexlab.lab.execution.sandbox import best_level, walls

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the reaper of orphans is Linux's")

ESCAPE = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        for fd in (0, 1, 2): os.close(fd)
        open("pid", "w").write(str(os.getpid()))
        time.sleep(600)
    os._exit(0)
os.wait()
while not os.path.exists("pid") or not open("pid").read(): time.sleep(0.01)
{then}
"""


@pytest.fixture(params=["bwrap", "namespaces", "process"])
def level(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Every level that this machine offers; the others are skipped and say so."""
    wanted = str(request.param)
    try:
        tried = subprocess.run([*walls(wanted, tmp_path, tmp_path), "true"], capture_output=True)
        offered = tried.returncode == 0
    except FileNotFoundError:
        offered = False
    if not offered:
        pytest.skip(f"this machine offers no {wanted}")
    return wanted


@pytest.fixture
def mark() -> str:
    return f"mark-{uuid4().hex}"


def job(folder: Path, code: str, kill_after_seconds: float = 30, memory_mb: float = 0, mark: str = "") -> Job:
    (folder / "code.py").write_text(textwrap.dedent(code))
    return Job("python code.py", folder, run_environment({"MARK": mark}), kill_after_seconds, memory_mb)


def running(mark: str) -> list[int]:
    """Processes that have the mark in their environment, whatever number they know themselves by."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (path / "environ").read_bytes():
                found.append(int(path.name))
    return found


def test_exit_code_log_and_time_are_the_harness_own(tmp_path: Path, level: str) -> None:
    ended = Slots(1, isolation=level).run(
        job(tmp_path, "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    )
    assert (ended.exit, ended.ended, ended.ok) == (3, "", False)
    assert b"out\n" in ended.log
    assert b"err\n" in ended.log
    assert ended.peak_mb > 1
    assert ended.isolation == level


def test_a_double_forked_daemon_ends_with_its_run(tmp_path: Path, level: str, mark: str) -> None:
    ended = Slots(1, isolation=level).run(job(tmp_path, ESCAPE.format(then="print('done')"), mark=mark))
    assert ended.ok
    assert (tmp_path / "pid").exists()
    assert ended.left_behind == (1 if level == "process" else 0)
    assert running(mark) == []


def test_a_run_that_hangs_is_ended_with_all_it_started(tmp_path: Path, level: str, mark: str) -> None:
    for limit in (1, 5, 25, 125):  # the first one that lets a daemon begin here
        ended = Slots(1, isolation=level).run(
            job(tmp_path, ESCAPE.format(then="time.sleep(600)"), kill_after_seconds=limit, mark=mark)
        )
        assert ended.ended == "timeout"
        if (tmp_path / "pid").exists():
            break
    assert (tmp_path / "pid").exists()
    assert running(mark) == []


def test_a_run_that_ignores_signals_is_ended(tmp_path: Path) -> None:
    code = "import signal, time\nfor s in (15, 2, 1): signal.signal(s, signal.SIG_IGN)\ntime.sleep(600)"
    assert Slots(1).run(job(tmp_path, code, kill_after_seconds=0.7)).ended == "timeout"


def test_a_run_that_eats_memory_is_ended(tmp_path: Path, level: str) -> None:
    code = "import time\nhog = bytearray(300_000_000)\nfor i in range(0, len(hog), 4096): hog[i] = 1\ntime.sleep(60)"
    ended = Slots(1, isolation=level).run(job(tmp_path, code, memory_mb=150))
    assert ended.ended == "memory"
    assert ended.peak_mb > 150


def test_stop_ends_what_runs_and_starts_no_more(tmp_path: Path, level: str, mark: str) -> None:
    slots = Slots(1, isolation=level)

    def stop() -> None:
        """Once the daemon is at work; if it never is, the run is ended in its time."""
        for _ in range(600):
            if (tmp_path / "pid").exists():
                break
            time.sleep(0.05)
        slots.stop()

    threading.Thread(target=stop).start()
    ended = slots.run(job(tmp_path, ESCAPE.format(then="time.sleep(600)"), mark=mark))
    assert ended.ended == "stopped"
    assert running(mark) == []
    assert slots.run(job(tmp_path, "print(1)")).ended == "stopped"


@pytest.mark.parametrize("victim", ["harness", "supervisor"])
def test_kill_nine_of_who_watches_ends_the_run(tmp_path: Path, level: str, mark: str, victim: str) -> None:
    if (victim, level) == ("supervisor", "process"):
        pytest.skip("without walls nobody is left to find a daemon whose supervisor was killed")
    harness = tmp_path / "harness.py"
    (tmp_path / "code.py").write_text(ESCAPE.format(then="time.sleep(600)"))
    harness.write_text(
        "from pathlib import Path\nfrom memexlab.lab.execution.engine import *\n"
        f"env = run_environment({{'MARK': {mark!r}}})\n"
        f"print(Slots(1, isolation={level!r}).run(Job('python code.py', Path({str(tmp_path)!r}), env, 100)).ended)"
    )
    process = subprocess.Popen([sys.executable, str(harness)], stdout=subprocess.PIPE, text=True)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert process.poll() is None
        time.sleep(0.05)
    assert running(mark)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(process.pid if victim == "harness" else int(children[0]), signal.SIGKILL)
    said = process.communicate()[0]
    assert said == ("" if victim == "harness" else "lost\n")
    for _ in range(1200):
        if not running(mark):
            break
        time.sleep(0.05)
    assert running(mark) == []


def test_a_command_that_does_not_exist_is_a_crash_that_says_so(tmp_path: Path) -> None:
    ended = Slots(1).run(Job("no-such-program --x", tmp_path, run_environment({}), 10))
    assert ended.exit == 127
    assert b"no-such-program" in ended.log


def test_unsafe_is_asked_for_and_recorded(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("seen")
    (tmp_path / "in").mkdir()
    code = f"print(open({str(outside)!r}).read())"
    assert Slots(1, unsafe=True).run(job(tmp_path / "in", code)).isolation == "unsafe"
    assert b"seen" in Slots(1, unsafe=True).run(job(tmp_path / "in", code)).log
    if best_level() != "bwrap":
        pytest.skip(f"this machine offers no bubblewrap: runs reach the level {best_level()!r}")
    walled = Slots(1).run(job(tmp_path / "in", code))
    assert (walled.exit, walled.isolation) == (1, "bwrap")
    assert b"FileNotFoundError" in walled.log


def test_what_the_contract_lets_a_run_read_can_be_read_and_not_written(tmp_path: Path, level: str) -> None:
    if level != "bwrap":
        pytest.skip("the other levels hide no file")
    shared, inside = tmp_path / "shared", tmp_path / "in"
    shared.mkdir()
    inside.mkdir()
    (shared / "text").write_text("seen")
    (inside / "code.py").write_text(f"p = {str(shared)!r}\nprint(open(p + '/text').read())\nopen(p + '/x', 'w')")
    ended = Slots(1).run(Job("python code.py", inside, run_environment({}), 10, read=(str(shared),)))
    assert b"seen" in ended.log
    assert b"Read-only file system" in ended.log


def test_secrets_of_the_person_do_not_reach_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "canary-7781")
    monkeypatch.setenv("WANTED", "yes")
    (tmp_path / "code.py").write_text("import os; print(dict(os.environ))")
    ended = Slots(1).run(Job("python code.py", tmp_path, run_environment({}, ("WANTED",)), 10))
    assert b"canary-7781" not in ended.log
    assert b"'WANTED': 'yes'" in ended.log


def test_a_huge_log_keeps_its_head_and_tail(tmp_path: Path) -> None:
    ended = Slots(1).run(job(tmp_path, "print('first')\nfor i in range(200000): print('x' * 20)\nprint('last')"))
    assert len(ended.log) < 500_000
    assert ended.log.startswith(b"first")
    assert ended.log.endswith(b"last\n")
    assert b"bytes left out" in ended.log


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e400", "1_0", "١.٥", "0x10", "", "1,5", "1e", "--1", "1 2"])
def test_what_is_not_plainly_a_finite_number_is_none(text: str) -> None:
    assert number(text) is None


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1.0), ("-2.5e-3", -0.0025), (".5", 0.5), ("+3.", 3.0), ("0.000", 0.0)]
)
def test_numbers(text: str, value: float) -> None:
    assert number(text) == value


def test_printed_metrics_take_the_block_and_the_last_word() -> None:
    log = "step: 1\nval_bpb: 9\n---\nval_bpb: 0.98\nsteps: 10\nnote: fine\nMETRIC a/b=2\nMETRIC val_bpb=nan\n"
    assert printed_metrics(log) == {"steps": 10.0, "a/b": 2.0}
    assert printed_metrics("loss: 3\nloss: 2\n") == {"loss": 2.0}
    assert printed_metrics("---\nx: 1\n---\ny: 2\n") == {"y": 2.0}
    assert printed_metrics("nothing here") == {}


def test_sidecar_metrics() -> None:
    assert sidecar_metrics(b'{"val": 1, "ok": true, "t": "x", "metrics": {"b": 2.5}, "n": NaN}') == {
        "val": 1.0,
        "b": 2.5,
    }
    assert sidecar_metrics(b"[1]") == {}
    assert sidecar_metrics(b"{") == {}
    assert sidecar_metrics(b"[" * 100_000) == {}
