"""An agent's turn: a worktree of its own, bounds that hold, and of all that it did only what it may do counts.

The agents are small scripts, run as any coding agent is.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from memexlab.commands.run import Options, run_night
from memexlab.lab.agent_turns import PRESETS, read_output
from memexlab.lab.loop.campaign import Event
from memexlab.lab.proposers.agent import knobs_turned
from memexlab.ledger import UsageError
from memexlab.memory import Memory

from .toy import make_toy

#: Turns the learning rate a step up from wherever it stands, as an agent would that reads the file.
EDIT = """
import re, sys
from pathlib import Path
path = Path("train.py")
text = path.read_text()
now = float(re.search(r"^LEARNING_RATE = (\\S+)", text, re.M)[1])
"""
RAISE = EDIT + 'path.write_text(text.replace(f"LEARNING_RATE = {now:g}", f"LEARNING_RATE = {now * 2:g}", 1))\n'
SAYS = 'print("HYPOTHESIS: the rate is too low, so twice of it learns faster")\n'

pytestmark = pytest.mark.slow


def agent(folder: Path, code: str) -> str:
    folder.mkdir(exist_ok=True)
    path = folder / "agent.py"
    path.write_text(code)
    return f"{sys.executable} {path}"


def night(root: Path, command: str, runs: int = 1, **options: object) -> list[Event]:
    memory, events = Memory(root / ".memex"), list[Event]()
    try:
        run_night(root, memory, events.append, runs, None, Options(streams=1, agent=command, **options))
    finally:
        memory.close()
    return events


def rows(root: Path, query: str) -> list[tuple[object, ...]]:
    memory = Memory(root / ".memex")
    try:
        return memory.db.execute(query).fetchall()
    finally:
        memory.close()


CANDIDATES = "SELECT status, description, hypothesis FROM runs WHERE role = 'candidate' ORDER BY number"
CALLS = (
    "SELECT json_extract(body, '$.model'), json_extract(body, '$.purpose'), json_extract(body, '$.usd'),"
    " json_extract(body, '$.seconds') > 0 FROM entries WHERE kind = 'call' ORDER BY seq"
)


def test_what_an_agent_edits_is_measured_judged_and_paid_for_in_the_record(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    (root / "program.md").write_text("leave MOMENTUM alone")
    reads = 'seen = Path("BRIEFING.md").read_text() + Path("program.md").read_text() + sys.stdin.read()\n'
    keep = f"Path({str(tmp_path / 'seen')!r}).write_text(seen)\n"
    night(root, agent(tmp_path / "bin", RAISE + reads + keep + SAYS), runs=2)
    assert rows(root, CANDIDATES) == [
        ("keep", f"LEARNING_RATE {a} -> {b}", "the rate is too low, so twice of it learns faster")
        for a, b in ((0.001, 0.002), (0.002, 0.004))
    ]
    assert rows(root, CALLS) == [(Path(sys.executable).name, "propose (cost unknown)", None, 1)] * 2
    seen = (tmp_path / "seen").read_text()
    assert "LEARNING_RATE 0.001 -> 0.002" in seen  # the briefing tells of the first turn
    assert "leave MOMENTUM alone" in seen
    assert "HYPOTHESIS:" in seen  # on standard input, where the command has no place for a prompt
    origins = rows(root, "SELECT DISTINCT json_extract(body, '$.meta.origin') FROM entries WHERE kind = 'run'")
    assert ("agent",) in origins


def test_a_locked_file_is_left_behind_and_the_agent_is_told(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    cheat = 'Path("evaluate.py").write_text("print(\'loss: 0.0\')")\nPath("notes.txt").write_text("mine")\n'
    keep = f'Path({str(tmp_path / "seen")!r}).write_text(Path("BRIEFING.md").read_text())\n'
    events = night(root, agent(tmp_path / "bin", RAISE + cheat + keep + SAYS), runs=2)
    assert [row[0] for row in rows(root, CANDIDATES)] == ["keep", "keep"]
    assert rows(root, "SELECT min(value) > 0.5 FROM runs WHERE value IS NOT NULL") == [(1,)]
    told = [event.text for event in events if event.kind == "notice"]
    assert any("evaluate.py" in text and "notes.txt" in text for text in told)
    assert "evaluate.py" in (tmp_path / "seen").read_text()
    assert (root / "evaluate.py").read_text().startswith("import json")


def test_an_agent_that_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    hang = f"""
import subprocess, time
child = subprocess.Popen(["sleep", "300"])
Path({str(tmp_path / "pid")!r}).write_text(str(child.pid))
time.sleep(300)
"""
    events = night(root, agent(tmp_path / "bin", RAISE + hang), agent_seconds=3)
    assert rows(root, CANDIDATES) == []
    assert any("was ended after" in event.text for event in events)
    child = int((tmp_path / "pid").read_text())
    for _ in range(600):
        try:
            state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            state = "gone"
        if state in ("gone", "Z"):
            break
        time.sleep(0.05)
    assert state in ("gone", "Z")
    assert len(rows(root, CALLS)) == 4  # asked again as often as any proposer, then the night ends


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (RAISE + 'sys.exit("no key")\n', "exit code 1: no key"),
        ('print("HYPOTHESIS: nothing to do")\n', "changed nothing"),
        (EDIT + 'path.unlink()\npath.symlink_to("/etc/hostname")\n', "no plain text file"),
        (EDIT + 'path.write_bytes(b"\\xff\\xfe\\x00")\n', "no plain text file"),
    ],
)
def test_a_turn_that_brings_nothing_is_told_and_measures_nothing(tmp_path: Path, code: str, told: str) -> None:
    root = make_toy(tmp_path / "lab")
    events = night(root, agent(tmp_path / "bin", code))
    assert rows(root, CANDIDATES) == []
    assert any(told in event.text for event in events)
    assert "nothing" in events[-1].text or events[-1].kind == "final"


def test_an_agent_may_commit_and_its_message_names_the_change(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    commit = """
import subprocess
git = ["git", "-c", "user.name=a", "-c", "user.email=a@a"]
subprocess.run([*git, "commit", "-qam", "Raise the rate\\n\\nIt was too low."], check=True)
"""
    night(root, agent(tmp_path / "bin", RAISE + commit))
    assert rows(root, CANDIDATES) == [("keep", "Raise the rate", "It was too low.")]
    head = subprocess.run(["git", "log", "--format=%s", "-1"], cwd=root, capture_output=True, text=True, check=True)
    assert head.stdout.strip() == "toy"  # the person's own branch has not moved


def test_a_slip_of_the_pen_goes_back_to_the_agent_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memexlab.lab.loop.night._SLIP_SECONDS", 600)  # on a slow machine a quick crash is slow
    root = make_toy(tmp_path / "lab")
    slip = """
program = Path("program.md").read_text()
if "crashed at once" in program:
    Path("train.py").write_text(text.replace("jsn.dumps", "json.dumps"))
else:
    Path("train.py").write_text(text.replace("= 0.001", "= 0.002", 1).replace("json.dumps", "jsn.dumps"))
"""
    events = night(root, agent(tmp_path / "bin", EDIT + slip + SAYS))
    found = rows(root, CANDIDATES)
    assert [row[0] for row in found] == ["crash", "keep"]
    assert found[1][1] == "LEARNING_RATE 0.001 -> 0.002, mended"
    assert any("mended once" in event.text for event in events)


def test_a_file_that_does_not_parse_goes_back_to_the_agent_once_and_costs_no_run(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    slip = """
program = Path("program.md").read_text()
if "was not run: train.py is no Python: invalid syntax, at line" in program:
    path.write_text(text.replace("\\ndef (:", "").replace("= 0.001", "= 0.002", 1))
else:
    path.write_text(text + "\\ndef (:\\n")
"""
    night(root, agent(tmp_path / "bin", EDIT + slip + SAYS))
    assert [row[0] for row in rows(root, CANDIDATES)] == ["blocked", "keep"]


def test_an_agent_that_writes_no_python_at_all_ends_nothing_but_its_own_turns(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    night(root, agent(tmp_path / "bin", EDIT + 'path.write_text(text + "\\ndef (:\\n")\n' + SAYS))
    assert {row[0] for row in rows(root, CANDIDATES)} == {"blocked"}


def test_money_stops_the_night_before_it_is_passed(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    says = 'import json\nprint(json.dumps({"result": "HYPOTHESIS: faster", "total_cost_usd": 0.4}))\n'
    events = night(root, agent(tmp_path / "bin", RAISE + says), runs=9, usd=1.0)
    assert [row[1:3] for row in rows(root, CALLS)] == [("propose", 0.4)] * 2
    assert [row[2] for row in rows(root, CANDIDATES)] == ["faster", "faster"]
    assert any("The budget is spent" in event.text for event in events)


def test_an_agent_keeps_the_environment_of_the_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_toy(tmp_path / "lab")
    monkeypatch.setenv("SOME_AGENT_KEY", "k-123")
    needs = 'import os\nassert os.environ["SOME_AGENT_KEY"] == "k-123"\nassert os.environ["MEMEX_LAB"]\n'
    night(root, agent(tmp_path / "bin", needs + RAISE + SAYS))
    assert [row[0] for row in rows(root, CANDIDATES)] == ["keep"]


def test_what_agents_print_is_read(tmp_path: Path) -> None:
    assert read_output('{"type": "result", "result": "done", "total_cost_usd": 0.25}') == ("done", 0.25)
    assert read_output('{"response": "done", "stats": {}}') == ("done", None)
    assert read_output('{"a": 1}\n{"result": "last", "cost": 0.1}\n') == ("last", 0.1)
    assert read_output("plain words") == ("plain words", None)
    assert read_output('{"total_cost_usd": true}') == ('{"total_cost_usd": true}', None)


def test_presets_are_started_with_the_prompt_and_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of each name stands in the path, writes down how it was called and does the work."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in PRESETS:
        body = (
            f"#!{sys.executable}\n{RAISE}{SAYS}Path({str(tmp_path)!r}, 'argv-{name}').write_text(repr(sys.argv[1:]))\n"
        )
        (folder / name).write_text(body)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    root = make_toy(tmp_path / "lab")
    for name in PRESETS:
        night(root, name)
        argv = (tmp_path / f"argv-{name}").read_text()
        assert "Read BRIEFING.md" in argv
        assert ("'train.py'" in argv) == (name == "aider")
    assert {row[0] for row in rows(root, CALLS)} == set(PRESETS)


def test_an_agent_that_is_not_there_is_named(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    with pytest.raises(UsageError, match=r"no-such-agent cannot be started[\s\S]*claude"):
        night(root, "no-such-agent --flag")
    memory = Memory(root / ".memex")
    with pytest.raises(UsageError, match="no agent is named"):
        run_night(root, memory, lambda event: None, 1, None, Options(proposer="agent"))
    memory.close()


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ("LR = 0.2\nprint(LR)\n", "LR 0.1 -> 0.2"),
        ("LR = 0.2  # twice\n\nprint(LR)\n", "LR 0.1 -> 0.2"),
        ("LR = 0.2\nimport prepare\nprepare.STEPS = 5000\nprint(LR)\n", "LR 0.1 -> 0.2, and code"),
        ("LR = 0.1\nprint(LR * 2)\n", ""),
    ],
)
def test_a_change_of_a_knob_and_of_code_is_not_told_as_the_knob_alone(after: str, told: str) -> None:
    assert knobs_turned({"train.py": "LR = 0.1\nprint(LR)\n"}, {"train.py": after}) == told
