"""The contract of a campaign: what may be edited, what is locked, how a run is started, scored and bounded.

Runs compare only inside one campaign: same metric, same locked files, same budget, same kind of hardware.
"""

from __future__ import annotations

import glob
import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Literal

from ...ledger import UsageError
from ..proposers import KnobRange

Better = Literal["lower", "higher"]


@dataclass(frozen=True, slots=True)
class Metric:
    name: str
    unit: str = ""
    better: Better = "lower"


@dataclass(frozen=True, slots=True)
class Budget:
    """What one run may use: `seconds` is told to the run, the others are enforced by the harness.

    What lies between `seconds` and `kill_after_seconds` is for imports, set-up and saving; a run that trains there
    cheats, so keep it small.
    """

    seconds: float = 60.0
    kill_after_seconds: float = 300.0
    memory_mb: float = 0.0
    disk_mb: float = 20_000.0
    #: From how many standard errors behind a run is cut short on its way (curves.py); 0 lets every run end.
    early_kill: float = 0.0


@dataclass(frozen=True, slots=True)
class Contract:
    """What `memex.toml` promises about a target; paths are relative to the lab.

    `hide` names files that the evaluator gets and the run does not; `read` names folders outside the lab for both.
    """

    name: str
    edit: tuple[str, ...]
    lock: tuple[str, ...]
    run: str
    metric: Metric
    budget: Budget = field(default_factory=Budget)
    evaluate: str = ""
    evaluate_final: str = ""
    artifact: str = ""
    ranges: Mapping[str, KnobRange] = field(default_factory=dict)
    env: tuple[str, ...] = ()
    hide: tuple[str, ...] = ()
    read: tuple[str, ...] = ()

    @property
    def self_reported(self) -> bool:
        return not self.evaluate


def locked_files(folder: Path, patterns: tuple[str, ...], key: str = "lock") -> list[str]:
    """The files that the patterns of `key` name, sorted; raises UsageError for a pattern that names none."""
    found: set[str] = set()
    for pattern in patterns:
        names = list(glob.glob(pattern, root_dir=folder, recursive=True, include_hidden=True))
        names = [name for name in names if (folder / name).is_file()]
        if not names:
            raise UsageError(f"{key} names no file: {pattern!r} in {folder}", f"mend [target] {key} in memex.toml")
        found.update(names)
    return sorted(found)


def locked_hash(folder: Path, patterns: tuple[str, ...]) -> str:
    """One hash over names and bytes of all locked files; a symbolic link counts as its target's name."""
    return hash_of(folder, locked_files(folder, patterns))


def hash_of(folder: Path, names: Sequence[str]) -> str:
    """One hash over names and bytes of these files; raises OSError where one is gone."""
    total = sha256()
    for name in names:
        path = folder / name
        data = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
        total.update(f"{name}\0{sha256(data).hexdigest()}\n".encode())
    return total.hexdigest()


@cache
def hardware() -> str:
    """The class of machine, as far as results depend on it: processor, cores, and graphics card where there is one."""
    model = platform.processor() or platform.machine()
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
        model = found[1].strip() if found else model
    except OSError:
        pass  # not Linux: the platform's own word must do
    parts = [f"{model} x{os.cpu_count()}"]
    try:
        asked = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True, timeout=10
        )
        names = sorted({line.strip() for line in asked.stdout.splitlines() if line.strip()})
        parts += names if asked.returncode == 0 else []
    except (OSError, subprocess.TimeoutExpired):
        pass  # no card that could be asked
    return ", ".join(parts)
