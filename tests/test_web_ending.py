"""Ctrl-C ends `memex serve` without a word too many, whatever is being asked of it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from memexlab import Lab

from .partner_small import small_lab


@pytest.fixture
def root(tmp_path: Path) -> Path:
    Lab.init(tmp_path / "lab", target="none")
    small_lab(tmp_path / "lab").close()
    return tmp_path / "lab"


@pytest.mark.parametrize("path", ["/events", pytest.param("/partner/mary-harbour", marks=pytest.mark.slow)])
def test_control_c_says_stopped_and_nothing_else(root: Path, path: str) -> None:
    server = subprocess.Popen(
        [sys.executable, "-m", "memexlab", "--lab", str(root), "serve", "--port", "0"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stderr is not None
    found = re.search(r"(http://[\d.:]+)/open", server.stderr.readline())
    assert found is not None
    with urllib.request.urlopen(found[1] + path) as answer:
        answer.read(10)  # a stream goes on, and so does what makes the page
        server.send_signal(signal.SIGINT)
        _, told = server.communicate(timeout=60)
    assert (told, server.returncode) == ("stopped\n", 130)
