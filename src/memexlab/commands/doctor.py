"""`memex doctor`: looks at everything that can be wrong, and says what to type."""

from __future__ import annotations

import ast
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from ..config import load
from ..folder import FILE
from ..lab.execution.campaign import Contract, locked_files
from ..lab.execution.engine import run_environment
from ..lab.execution.interpreters import located
from ..lab.execution.sandbox import MEANING, best_level, walls
from ..ledger import Finding, MemexError
from ..memory import Memory

_FIXED_SQLITE = (3, 51, 3)


@dataclass(frozen=True, slots=True)
class Health:
    """What was looked at, and what was found; `exit_code` is 3 where the ledger or a blob is damaged, else 0 or 1."""

    checks: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        errors = [finding for finding in self.findings if finding.severity == "error"]
        if any(f.rule.startswith(("ledger", "blob")) for f in errors):
            return 3
        return 1 if errors else 0

    def __str__(self) -> str:
        warned = sum(finding.severity == "warning" for finding in self.findings)
        well = f"it works, with {warned} warning{'s' * (warned > 1)}" if warned else "all well"
        worst = {0: well, 1: "something must be mended", 3: "DAMAGE"}[self.exit_code]
        return "\n".join([*(f"  {check}" for check in self.checks), *map(str, self.findings), f"doctor: {worst}"])

    def data(self) -> dict[str, object]:
        return {"checks": self.checks, "findings": [asdict(f) for f in self.findings], "exit": self.exit_code}


def check(root: Path, memory: Memory) -> Health:
    """Reads the whole ledger and every blob; changes nothing but the views, which it brings up to date."""
    checks: list[str] = []
    findings: list[Finding] = []
    entries = _check_ledger(memory, checks, findings)
    _check_blobs(memory, checks, findings)
    _check_views(memory, entries, checks, findings)
    _check_sqlite(checks, findings)
    _check_sandbox(checks, findings)
    _check_target(root, checks, findings)
    return Health(tuple(checks), tuple(findings))


def _check_ledger(memory: Memory, checks: list[str], findings: list[Finding]) -> int:
    before = len(findings)
    count = 0
    for batch in memory.ledger.read(report=findings.append):
        count += len(batch.lines)
    findings += memory.ledger.check_tail()
    state = "checksums hold" if len(findings) == before else f"{len(findings) - before} findings"
    checks.append(f"ledger     {count} entries in {len(memory.ledger.segments())} files, {state}")
    return count


def _check_blobs(memory: Memory, checks: list[str], findings: list[Finding]) -> None:
    present = set(memory.blobs.ids())
    findings += memory.blobs.verify()
    wanted = {row[0] for row in memory.db.execute("SELECT DISTINCT target FROM refs WHERE target LIKE 'b:%'")}
    for blob in sorted(wanted - present):
        findings.append(
            Finding("blob-missing", "error", str(memory.blobs.folder), f"{blob} is gone, and entries point to it",
                    "restore it from a copy of .memex/blobs")
        )  # fmt: skip
    checks.append(f"blobs      {len(present)} stored, {len(wanted)} referred to")


def _check_views(memory: Memory, entries: int, checks: list[str], findings: list[Finding]) -> None:
    folded = memory.db.execute("SELECT count(*) FROM entries").fetchone()[0]
    problems = [row[0] for row in memory.db.execute("PRAGMA quick_check(5)") if row[0] != "ok"]
    if problems or folded != entries:
        text = "; ".join(problems) or f"{folded} entries folded of {entries}"
        findings.append(Finding("views-stale", "error", str(memory.index.path), text, "memex rebuild"))
    checks.append(f"views      {folded} entries folded, logical hash {memory.index.logical_hash()}")


def _check_sqlite(checks: list[str], findings: list[Finding]) -> None:
    version = tuple(map(int, sqlite3.sqlite_version.split(".")))
    note = ""
    if version < _FIXED_SQLITE:
        note = "; has the WAL-reset bug, so one process at a time writes the views, and they can be rebuilt"
    checks.append(f"sqlite     {sqlite3.sqlite_version}{note}")
    if version < (3, 40):
        findings.append(
            Finding(
                "sqlite-old",
                "error",
                "sqlite3",
                f"version {sqlite3.sqlite_version} is too old",
                "use Python 3.11 or later",
            )
        )


def _check_sandbox(checks: list[str], findings: list[Finding]) -> None:
    if shutil.which("git") is None:
        findings.append(Finding("git-missing", "error", "git", "git is not installed", "apt install git"))
    level = best_level()
    checks.append(f"isolation  {level}: {MEANING[level]}")
    if level != "bwrap":
        installed = "installed, but this machine refuses it" if shutil.which("bwrap") else "not installed"
        findings.append(
            Finding("isolation", "warning", "runs", f"{MEANING[level]}; bubblewrap is {installed}",
                    "apt install bubblewrap; until then run only code you would run yourself")
        )  # fmt: skip


def _check_target(root: Path, checks: list[str], findings: list[Finding]) -> None:
    try:
        contract = load(root).contract
        if contract is None:
            checks.append(f"target     none: memory alone ({root / FILE} has no [target])")
            return
        for name in contract.edit:
            if not (root / name).is_file():
                findings.append(
                    Finding("target-edit", "error", FILE, f"[target] edit names {name}, which is no file", "mend it")
                )
        locked = locked_files(root, contract.lock)
        hidden = locked_files(root, contract.hide, "hide")
        if not locked:
            findings.append(
                Finding(
                    "target-lock",
                    "warning",
                    FILE,
                    "no file is locked: a run may change how it is scored",
                    'lock = ["evaluate.py"]',
                )
            )
        if contract.self_reported:
            findings.append(
                Finding(
                    "self-reported",
                    "warning",
                    FILE,
                    "the run itself prints its metric",
                    "set [target] evaluate and artifact",
                )
            )
        checks.append(
            f"target     {', '.join(contract.edit)} may change, {len(locked)} locked, {len(hidden)} hidden, "
            f"metric {contract.metric.name}"
        )
        _check_program(root, contract, checks, findings)
    except MemexError as error:
        findings.append(Finding("target", "error", FILE, str(error).split("\n")[0], "mend memex.toml"))


def _check_program(root: Path, contract: Contract, checks: list[str], findings: list[Finding]) -> None:
    """Starts the program of `[target] run` behind the walls; a Python is asked for what the files import."""
    env = run_environment({}, contract.env)
    nowhere = Path(os.devnull)  # no checkout exists yet
    words, own = located(shlex.split(contract.run), root, nowhere, env["PATH"])
    program = shutil.which(words[0], path=env["PATH"])
    if program is None:
        said, hint = f"[target] run names {words[0]}, which is no program here", "mend it, or install that program"
        findings.append(Finding("target-run", "error", FILE, said, hint))
        return
    if not Path(program).name.startswith("python"):
        checks.append(f"program    {program}")
        return
    wanted = sorted(_imported(root, (*contract.edit, *locked_files(root, contract.lock))))
    ask = "import sys, importlib.util as u; print(*[n for n in sys.argv[1:] if u.find_spec(n) is None])"
    with tempfile.TemporaryDirectory(prefix="memex-doctor-") as folder:
        before = walls(best_level(), Path(folder), Path(folder), (*contract.read, *own))
        asked = [*before, program, "-c", ask, *wanted]
        done = subprocess.run(asked, cwd=folder, env=env, capture_output=True, text=True)
    checks.append(f"program    {program}")
    if done.returncode:
        said = f"{program} does not start behind the walls: {(done.stderr.strip().splitlines() or ['no output'])[-1]}"
        hint = 'name what it needs to see: [target] read = ["/folder"]'
        findings.append(Finding("target-run", "error", FILE, said, hint))
    elif missing := done.stdout.split():
        said = f"{program} has no {', '.join(missing)}, which the target imports"
        hint = f"install it there, or name another Python in [target] run; this is memex's own: {sys.executable}"
        findings.append(Finding("target-import", "error", FILE, said, hint))


def _imported(root: Path, names: tuple[str, ...]) -> set[str]:
    """The packages that Python files import at their top, without the standard library and the files beside them."""
    found: set[str] = set()
    for name in names:
        if not name.endswith(".py") or not (root / name).is_file():
            continue
        try:
            body = ast.parse((root / name).read_bytes()).body
        except (SyntaxError, ValueError):
            continue  # the run itself says where
        for node in body:
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module.partition(".")[0])
    here = {path.stem for path in root.iterdir() if path.suffix == ".py" or path.is_dir()}
    return found - sys.stdlib_module_names - here
