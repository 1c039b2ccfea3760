"""A person steers a loop at work: pause, stop, approve, reject, be called; and tries a change of their own."""

from __future__ import annotations

import http.server
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from memexlab.commands.init import init_lab, write_guides
from memexlab.commands.run import Options, run_night
from memexlab.lab.loop.campaign import Event
from memexlab.lab.loop.steering import Notifier, Notify, Steering
from memexlab.ledger import UsageError
from memexlab.memory import Memory

from .toy import make_toy

pytestmark = pytest.mark.slow


def rows(root: Path, query: str) -> list[tuple[object, ...]]:
    memory = Memory(root / ".memex")
    try:
        return memory.db.execute(query).fetchall()
    finally:
        memory.close()


def memex(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "memexlab", "--lab", str(root), *words], capture_output=True, text=True
    )


def until(true: Callable[[], bool]) -> None:
    for _ in range(9000):
        if true():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come about")


@contextmanager
def loop(root: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A loop at work, as a process of its own."""
    command = [sys.executable, "-m", "memexlab", "--lab", str(root), "run", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def candidates(root: Path) -> int:
    return int(str(rows(root, "SELECT count(*) FROM runs WHERE role = 'candidate'")[0][0]))


def test_pause_holds_resume_goes_on_and_stop_ends_after_the_run(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab", seconds=0.2)
    with loop(root) as process:
        until(lambda: candidates(root) > 0)
        said = json.loads(memex(root, "--json", "pause").stdout)
        assert said["loop"] == process.pid
        assert said["beat_seconds"] >= 0
        until(lambda: Steering(root / ".memex").last_beat().get("paused") is True)
        until(lambda: rows(root, "SELECT count(*) FROM runs WHERE status = 'started'") == [(0,)])
        held = candidates(root)
        time.sleep(1)
        assert candidates(root) == held
        assert memex(root, "resume").stdout.strip() == "The loop goes on."
        until(lambda: candidates(root) > held)
        assert "after the runs" in memex(root, "stop").stdout
        _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "Paused; memex resume" in err
    assert "Stopped as told" in err
    assert rows(root, "SELECT count(*) FROM runs WHERE status IN ('started', 'lost')") == [(0,)]
    assert "No loop is at work" in memex(root, "stop").stdout


def test_stop_now_ends_the_run_at_work_and_the_next_call_goes_on(tmp_path: Path) -> None:
    slow = "if (LEARNING_RATE, WIDTH, ACTIVATION) != (0.001, 32, 'gelu'): time.sleep(600)"
    root = make_toy(tmp_path / "lab", extra=slow, kill_after=600)
    with loop(root) as process:
        until(lambda: rows(root, "SELECT count(*) FROM runs WHERE role = 'candidate' AND status = 'started'") != [(0,)])
        memex(root, "stop", "--now")
        _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert rows(root, "SELECT count(*) FROM runs WHERE status = 'started'") == [(0,)]
    assert rows(root, "SELECT count(*) > 0 FROM runs WHERE role = 'candidate' AND status = 'lost'") == [(1,)]
    assert Steering(root / ".memex").order == "stop-now"
    Steering(root / ".memex").begin()
    assert Steering(root / ".memex").order == ""


def test_no_patch_runs_before_a_word_and_a_rejection_is_remembered(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    with loop(root, "--approve", "--runs", "1", "--streams", "1") as process:
        steering = Steering(root / ".memex")
        until(lambda: len(steering.queue()) == 1)
        assert candidates(root) == 0
        listed = memex(root, "approve").stdout
        first = steering.queue()[0]
        assert first.id in listed
        assert "+LEARNING_RATE = 0.002" in listed
        assert memex(root, "reject", first.id, "--why", "leave the rate alone").returncode == 0
        until(lambda: [patch.id for patch in steering.queue()] not in ([], [first.id]))
        second = steering.queue()[0]
        assert memex(root, "approve", "nonsense").returncode == 2
        assert "may run" in memex(root, "approve", second.id).stdout
        _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    found = rows(
        root,
        "SELECT status, json_extract(e.body, '$.error'), json_extract(e.body, '$.meta.approved_by') FROM runs r"
        " JOIN entries e ON e.seq = r.run WHERE r.role = 'candidate' ORDER BY r.number",
    )
    assert found[0][0] == "blocked"
    assert str(found[0][1]).startswith("rejected by human:")
    assert str(found[0][1]).endswith(": leave the rate alone")
    assert str(found[1][2]).startswith("human:")
    assert steering.queue() == []


def test_a_command_is_called_on_a_new_champion_and_at_the_end(tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    root = make_toy(tmp_path / "lab", toml=f'\n[notify]\ncommand = "cat >> {heard}; echo >> {heard}"\n')
    memory = Memory(root / ".memex")
    run_night(root, memory, lambda event: None, 2, None, Options(streams=1))
    memory.close()
    told = [json.loads(line) for line in heard.read_text().splitlines()]
    assert [one["event"] for one in told][-1] == "stop"
    champion = next(one for one in told if one["event"] == "champion")
    assert champion["campaign"] == "toy"
    assert champion["value"] < 1.5


def test_a_webhook_is_posted_to_and_crashes_in_a_row_are_told_once() -> None:
    heard: list[dict[str, object]] = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    notifier = Notifier(Notify(webhook=f"http://127.0.0.1:{server.server_port}/", crashes=2), lambda text: None)
    for status in ("crash", "ok", "crash", "timeout", "crash"):
        notifier.measured(status, run=1)
    notifier.close()
    server.shutdown()
    assert [(one["event"], one["in_a_row"]) for one in heard] == [("crashes", 2)]


def test_a_notification_that_fails_is_told_and_stops_nothing(tmp_path: Path) -> None:
    with socket.socket() as nobody:  # listens there
        nobody.bind(("127.0.0.1", 0))
        toml = '\n[notify]\ncommand = "echo broken >&2; exit 3"\n'
        toml += f'webhook = "http://127.0.0.1:{nobody.getsockname()[1]}/"\n'
        root = make_toy(tmp_path / "lab", toml=toml)
        memory, events = Memory(root / ".memex"), list[Event]()
        outcome = run_night(root, memory, events.append, 1, None, Options(streams=1))
        memory.close()
    assert outcome.candidates == 1
    told = [event.text for event in events if event.kind == "notice"]
    assert "[notify] command ended with 3: broken" in told
    assert any(text.startswith("[notify] webhook failed") for text in told)


def test_an_unknown_key_of_notify_is_named(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab", toml='\n[notify]\ncomand = "true"\n')
    memory = Memory(root / ".memex")
    with pytest.raises(UsageError, match="did you mean 'command'"):
        run_night(root, memory, lambda event: None, 1, None, Options())
    memory.close()


def test_who_reads_only_agents_md_can_run_the_loop_by_hand(tmp_path: Path) -> None:
    """The commands of AGENTS.md, as they stand there, one after the other."""
    root = make_toy(tmp_path / "lab")
    assert "AGENTS.md" in write_guides(root)
    text = (root / "AGENTS.md").read_text()
    assert len(text.splitlines()) < 80
    for name in ("CLAUDE.md", "GEMINI.md"):
        assert "AGENTS.md" in (root / name).read_text()
    skill = (root / ".agents/skills/memex/SKILL.md").read_text()
    front = re.match(r"---\nname: ([a-z0-9-]+)\ndescription: (.+?)\n---\n", skill, re.DOTALL)
    assert front is not None
    assert front[1] == "memex"
    assert 0 < len(front[2]) <= 1024
    for command in (["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "guides"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    block = re.search(r"```sh\n(.*?)```", text, re.DOTALL)
    assert block is not None
    script = (
        block[1].replace("memex ", f"{sys.executable} -m memexlab ").replace(f"{sys.executable} -m memexlab/", "memex/")
    )
    script = script.replace("checkout " + f"{sys.executable} -m memexlab", "checkout memex")
    turn = "sed -i 's/^LEARNING_RATE = [0-9.]*/LEARNING_RATE = {}/' train.py"
    change = re.search(r"^# now make one change.*$", script, re.MULTILINE)
    assert change is not None
    begin = f"{turn.format(0.002)}; {sys.executable} -m memexlab try --hypothesis first\n"
    for value in (0.004, 0.008):
        whole = "set -ex\n" + begin + script.replace(change[0], turn.format(value))
        done = subprocess.run(["bash", "-c", whole], cwd=root, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        begin = ""
    assert rows(root, "SELECT status FROM runs WHERE role = 'candidate' ORDER BY number") == [
        ("keep",), ("keep",), ("discard",)
    ]  # fmt: skip


def test_who_reads_only_agents_md_can_read_for_a_person(tmp_path: Path) -> None:
    """The commands of a memory's AGENTS.md, as they stand there, one after the other."""
    root = tmp_path / "memory"
    init_lab(root, "none")
    text = (root / "AGENTS.md").read_text()
    assert len(text.splitlines()) < 80
    assert not (root / "program.md").exists()
    assert (root / ".agents/skills/memex/SKILL.md").read_text().startswith("---\nname: memex\ndescription: Answer")
    (root / "raw" / "bridge.md").write_text(
        "# Kestrel Bridge\n\nKestrel Bridge was opened in 1931. It is what it is about.\n"
    )
    (root / "raw" / "memory.md").write_text("# Memory\n\nA memory is what was kept. Not all of it is true.\n")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 2
    for block in [blocks[1], *blocks]:  # a search in an empty memory finds nothing, and says so with an exit code
        script = "set -ex\n" + re.sub(r"(?m)^memex ", f"{sys.executable} -m memexlab ", block)
        done = subprocess.run(["bash", "-c", script], cwd=root, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert "raw/bridge.md" in done.stdout


def test_try_measures_the_working_tree_and_leaves_it_alone(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    path = root / "train.py"
    nothing = memex(root, "try", "--hypothesis", "none")
    assert nothing.returncode == 2
    assert "holds nothing" in nothing.stderr
    edited = path.read_text().replace("= 0.001", "= 0.002", 1)
    path.write_text(edited)
    tried = json.loads(memex(root, "--json", "try", "--hypothesis", "the rate is low").stdout)
    assert (tried["run"], tried["status"], tried["verdict"]) == (5, "keep", "confirmed")
    assert "promote" in tried["packet"]
    assert path.read_text() == edited
    # Made on the old commit, it still goes onto the head; a second change is measured on top of the first.
    path.write_text(edited.replace("= 0.002", "= 0.001", 1).replace("WIDTH = 32", "WIDTH = 16"))
    tried = json.loads(memex(root, "--json", "try", "--hypothesis", "narrow").stdout)
    assert tried["status"] == "discard"
    settings = rows(
        root, f"SELECT knob, settings.value FROM settings JOIN runs USING (run) WHERE runs.number = {tried['run']}"
    )
    assert dict(settings)["LEARNING_RATE"] == "0.002"
    again = memex(root, "try", "--hypothesis", "narrow, again")
    assert again.returncode == 1
    assert "blocked" in again.stdout
    assert "ran the same code to the byte" in again.stdout
    path.write_text(path.read_text().replace("= 0.001", "= 0.003", 1))
    clash = memex(root, "try", "--hypothesis", "clash")
    assert clash.returncode == 2
    assert "git checkout memex/toy -- train.py" in clash.stderr


def test_try_refuses_a_change_of_a_locked_file(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    (root / "evaluate.py").write_text("print('loss: 0')\n")
    done = memex(root, "try", "--hypothesis", "cheat")
    assert done.returncode == 2
    assert "evaluate.py" in done.stderr
