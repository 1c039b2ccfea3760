"""Who is measured beside memexlab, in which version, and in which virtual environment; nothing here measures."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BENCH = Path(__file__).parent
OUT = BENCH / "out"
VENVS = OUT / "venvs"
#: Pinned, so that a published number can be had again.
PINNED = {"mlflow": "3.17.2", "optuna": "5.0.0", "trackio": "0.43.0"}
NOT_INSTALLED = "not installed: python bench/run.py --peers"
OWN = ""


@dataclass(frozen=True)
class Contender:
    """`module` is a file in contenders/, with a variant behind a colon; `package` is the environment it needs."""

    key: str
    title: str
    module: str
    package: str
    durable: str
    asks: bool = True

    @property
    def python(self) -> Path:
        return Path(sys.executable) if self.package == OWN else VENVS / self.package / "bin" / "python"

    @property
    def installed(self) -> bool:
        return self.python.exists()


_COMMIT_SYNCED = "every commit is fsynced (SQLite's default); several commits a run"
CONTENDERS = (
    Contender("memexlab", "memexlab", "memex_lab", OWN, "fsynced before the call returns, views folded too"),
    Contender("sqlite", "plain SQLite", "plain_sqlite:normal", OWN, "survives kill -9, not a power cut (WAL, NORMAL)"),
    Contender("sqlite-full", "plain SQLite, synced", "plain_sqlite:full", OWN, "fsynced at commit", asks=False),
    Contender("optuna-journal", "Optuna journal", "optuna_study:journal", "optuna", "fsynced before the call returns"),
    Contender("trackio", "Trackio", "trackio_project", "trackio", "survives kill -9, not a power cut (WAL, NORMAL)"),
    Contender("mlflow", "MLflow", "mlflow_client", "mlflow", _COMMIT_SYNCED),
    Contender("optuna-sqlite", "Optuna SQLite", "optuna_study:sqlite", "optuna", _COMMIT_SYNCED),
)  # fmt: skip
#: A second way to ask the store that memexlab filled.
CONNECTION = Contender("connection", "memexlab, connection kept open", "memex_lab:connection", OWN, "the same store")


class Failed(Exception):
    """A contender's process did not answer: its last line of stderr, or the time it was given."""


def command(contender: Contender, action: str, arguments: dict[str, Any]) -> list[str]:
    drive = BENCH / "contenders" / "drive.py"
    return [str(contender.python), str(drive), contender.module, action, json.dumps(arguments)]


def ask(contender: Contender, action: str, timeout_seconds: float, **arguments: Any) -> Any:
    """Runs one action of `contenders/drive.py` under the contender's interpreter and returns what it printed."""
    arguments = {name: str(value) if isinstance(value, Path) else value for name, value in arguments.items()}
    try:
        done = subprocess.run(
            command(contender, action, arguments), capture_output=True, text=True, timeout=timeout_seconds
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"no answer in {timeout_seconds:.0f} s") from None
    return answer(done.returncode, done.stdout, done.stderr)


def answer(code: int, stdout: str, stderr: str) -> Any:
    if code:
        lines = stderr.strip().splitlines()
        raise Failed(lines[-1][:200] if lines else f"exit code {code}")
    return json.loads(stdout.strip().splitlines()[-1])


def install() -> None:
    """Makes one virtual environment for each peer, with the pinned version; what is there already is left alone."""
    for package, version in PINNED.items():
        folder = VENVS / package
        if installed_version(package) == version:
            continue
        print(f"installing {package} {version} into {folder}", file=sys.stderr)
        make_venv(folder, f"{package}=={version}")


def make_venv(folder: Path, requirement: str) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, requirement], check=True)


def packages_folder(venv: Path) -> Path | None:
    return next(iter(sorted(venv.glob("lib/python*/site-packages"))), None)


def installed_version(package: str) -> str:
    """The version of a peer in its environment, or '' where it is not installed."""
    folder = packages_folder(VENVS / package)
    if folder is None:
        return ""
    found = importlib.metadata.distributions(name=package, path=[str(folder)])
    return next((distribution.version for distribution in found), "")
