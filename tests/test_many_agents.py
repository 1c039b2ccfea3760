"""Several agents, one memory: real processes write, read and watch at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from memexlab import Lab
from memexlab.api.opened import person
from memexlab.commands.doctor import check
from memexlab.commands.init import init_lab
from memexlab.ledger import UsageError

RUNS = 6


def memex(root: Path, by: str, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "memexlab", "--json", "--lab", str(root), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "MEMEX_BY": by})


def out(process: subprocess.Popen[str]) -> dict[str, object]:
    text = process.communicate(timeout=120)[0]
    assert process.returncode == 0
    found: dict[str, object] = json.loads(text)
    return found


WRITER = """import sys
from pathlib import Path
from memexlab import Lab
lab = Lab(Path(sys.argv[1]))
for number in range(int(sys.argv[2])):
    lab.log(description=f"{sys.argv[3]} idea {number}", status="keep", metric=[f"loss={number}"], campaign="c")
"""
READER = """import sys
from pathlib import Path
from memexlab import Lab
lab = Lab(Path(sys.argv[1]))
seen = 0
while seen < int(sys.argv[2]):
    rows = lab.memory.db.execute("SELECT id FROM entries WHERE kind = 'run' ORDER BY seq").fetchall()
    assert len(rows) == len(set(rows)) >= seen, (len(rows), seen)
    seen = len(rows)
print(seen)
"""


def test_four_write_two_read_one_watches_and_every_entry_is_there_once(tmp_path: Path) -> None:
    root = tmp_path / "lab"
    init_lab(root, "none")
    total = 4 * RUNS
    watch = memex(root, "human:ada", "watch", "--since", "0", "--subject", "run:")
    readers = [
        subprocess.Popen([sys.executable, "-c", READER, str(root), str(total)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(root), str(RUNS), name], env={**os.environ, "MEMEX_BY": name}
        )
        for name in ("agent:a", "agent:b", "agent:c", "agent:d")
    ]
    try:
        assert watch.stdout is not None
        seen = [json.loads(watch.stdout.readline()) for _ in range(total)]
        assert [writer.wait(120) for writer in writers] == [0] * 4
        assert [reader.communicate(timeout=120)[0].strip() for reader in readers] == [str(total)] * 2
    finally:
        for process in (watch, *readers, *writers):
            process.kill()
            process.wait(10)
    lab = Lab(root)
    landed = lab.memory.db.execute("SELECT seq, id, by FROM entries WHERE kind = 'run' ORDER BY seq").fetchall()
    assert [(entry["seq"], entry["id"], entry["by"]) for entry in seen] == landed
    for name in ("agent:a", "agent:b", "agent:c", "agent:d"):
        mine = [entry["body"]["description"] for entry in seen if entry["by"] == name]
        assert mine == [f"{name} idea {number}" for number in range(RUNS)]
    numbers = lab.memory.db.execute("SELECT number FROM runs ORDER BY run").fetchall()
    assert numbers == [(number,) for number in range(1, total + 1)]
    assert check(root, lab.memory).exit_code == 0
    lab.close()


@pytest.mark.slow
def test_what_one_agent_learned_is_in_the_next_briefing_of_another(tmp_path: Path) -> None:
    root = tmp_path / "lab"
    init_lab(root, "none")

    def log(by: str, text: str, loss: float, lr: float) -> None:
        out(memex(root, by, "log", "--description", text, "--status", "keep", "--metric", f"loss={loss}", "--set",
                  f"lr={lr}", "--campaign", "c"))  # fmt: skip

    log("agent:a", "the start", 2.0, 0.1)
    assert "lr 0.1 → 0.4" not in json.dumps(out(memex(root, "agent:b", "brief")), ensure_ascii=False)
    log("agent:a", "more speed", 1.0, 0.4)
    begun = time.monotonic()
    after = json.dumps(out(memex(root, "agent:b", "brief")), ensure_ascii=False)
    print(f"a result, from its acknowledgement to the other agent's briefing: {time.monotonic() - begun:.3f} s")
    assert "more speed" in after or "0.4" in after
    out(memex(root, "agent:a", "retract", "2", "--why", "the data leaked"))
    begun = time.monotonic()
    again = json.dumps(out(memex(root, "agent:b", "brief")), ensure_ascii=False)
    print(f"a retraction: {time.monotonic() - begun:.3f} s")
    assert "the data leaked" in again
    assert "the data leaked" not in after


def test_a_bare_name_is_a_persons_and_a_name_no_entry_may_bear_is_refused_before_any_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for said, by in (("ada", "human:ada"), ("agent:claude", "agent:claude")):
        monkeypatch.setenv("MEMEX_BY", said)
        assert person() == by
    for wrong in ("robot:r2", "ada lovelace", "human:"):
        monkeypatch.setenv("MEMEX_BY", wrong)
        with pytest.raises(UsageError, match="MEMEX_BY"):
            person()
