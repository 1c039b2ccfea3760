"""`memex watch`: another process sees what lands, in order."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from memexlab import Lab
from memexlab.commands.init import init_lab
from memexlab.commands.watch import Watch
from memexlab.ledger import UsageError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    init_lab(tmp_path / "lab", "none")
    return tmp_path / "lab"


def log(lab: Lab, number: int) -> None:
    lab.log(description=f"idea {number}", status="keep", metric=[f"loss={1 / number}"])


def test_another_process_sees_entries_in_the_order_they_landed(root: Path) -> None:
    lab = Lab(root)
    log(lab, 1)
    watch = subprocess.Popen(
        [sys.executable, "-m", "memexlab", "--json", "--lab", str(root), "watch", "--since", "0", "--subject", "run:"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watch.stdout is not None
    try:
        seen = [json.loads(watch.stdout.readline())]
        for number in (2, 3, 4):
            log(lab, number)
            seen.append(json.loads(watch.stdout.readline()))
    finally:
        watch.terminate()
        watch.wait(120)
    assert [entry["body"]["description"] for entry in seen] == ["idea 1", "idea 2", "idea 3", "idea 4"]
    assert all(entry["by"].startswith("human:") for entry in seen)
    positions = [entry["seq"] for entry in seen]
    assert positions == sorted(positions)


def test_without_since_only_what_is_new_is_shown(root: Path) -> None:
    lab = Lab(root)
    log(lab, 1)
    stream = Watch(lab.memory.ledger, None, "", 0.5).stream(as_json=False)
    assert list(stream) == []
    lines = list(Watch(lab.memory.ledger, 0, "run:", 0.0).stream(as_json=False))
    assert len(lines) == 1
    assert "idea 1" in lines[0]


def test_a_position_below_zero_is_an_error(root: Path) -> None:
    with pytest.raises(UsageError):
        Watch(Lab(root).memory.ledger, -1, "", None)
