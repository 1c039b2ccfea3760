"""What a command costs before it does anything, and what an install costs: time of `--help`, megabytes, packages."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peers
from store import wall

ROOT = peers.BENCH.parent
#: pip and what it needs come with every environment.
_NOT_OURS = {"pip", "setuptools", "wheel"}


def measure(repeats: int, tell: Callable[[str], None]) -> dict[str, Any]:
    tell("start-up")
    return {"commands": _commands(repeats), "installs": _installs(tell)}


def _commands(repeats: int) -> dict[str, Any]:
    """Wall ms by command; the first start of each is not counted, since it reads files that later ones find cached."""
    own = Path(sys.executable).parent / "memex"
    lab = peers.OUT / "empty-lab"
    (lab / ".memex").mkdir(parents=True, exist_ok=True)
    commands: dict[str, list[str]] = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -c 'import argparse, json, sqlite3'": [sys.executable, "-c", "import argparse, json, sqlite3"],
        "memex --help": [str(own), "--help"],
        "memex run --help": [str(own), "run", "--help"],
        "memex sql 'select 1'": [str(own), "--lab", str(lab), "sql", "select 1"],
    }
    for package in peers.PINNED:
        commands[f"{package} --help"] = [str(peers.VENVS / package / "bin" / package), "--help"]
    found: dict[str, Any] = {}
    for name, command in commands.items():
        if not Path(command[0]).exists():
            found[name] = {"missing": peers.NOT_INSTALLED}
            continue
        wall(command, 1)
        found[name] = wall(command, repeats)
    return found


def _installs(tell: Callable[[str], None]) -> dict[str, Any]:
    """Size and packages of the base install, made afresh as a person would get it, and of each peer's."""
    venv = peers.VENVS / "memexlab"
    tell("installing memexlab into a fresh environment")
    peers.make_venv(venv, str(ROOT))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: dict[str, Any] = {"memexlab": {"direct": len(project["dependencies"]), **_weight(venv)}}
    shutil.rmtree(venv)
    for package in peers.PINNED:
        folder = peers.VENVS / package
        if not peers.installed_version(package):
            found[package] = {"missing": peers.NOT_INSTALLED}
            continue
        site = str(peers.packages_folder(folder))
        [distribution] = importlib.metadata.distributions(name=package, path=[site])
        required = [text for text in distribution.requires or [] if "extra ==" not in text]
        found[package] = {"direct": len(required), **_weight(folder)}
    return found


def _weight(venv: Path) -> dict[str, float]:
    """Megabytes on disk without pip and setuptools, but with compiled bytecode, and the number of distributions."""
    site = peers.packages_folder(venv)
    assert site is not None
    distributions = list(importlib.metadata.distributions(path=[str(site)]))
    kept = [item for item in distributions if item.metadata["Name"].lower() not in _NOT_OURS]
    total = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    for item in distributions:
        if item not in kept:
            folders = {Path(str(item.locate_file(file))).relative_to(site).parts[0] for file in item.files or []
                       if Path(str(item.locate_file(file))).is_relative_to(site)}  # fmt: skip
            total -= sum(path.stat().st_size for name in folders - {".."} for path in _files(site / name))
    return {"megabytes": total / 1e6, "distributions": len(kept)}


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [found for found in path.rglob("*") if found.is_file()]
