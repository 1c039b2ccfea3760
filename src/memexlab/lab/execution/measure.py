"""Measures one commit: a clean checkout, the run, the locked files checked, the artifact scored apart from it."""

from __future__ import annotations

import math
import os
import re
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...ledger import RunStatus, Scalar
from .campaign import Contract, hash_of, locked_files, locked_hash
from .checkouts import Checkouts
from .engine import ISOLATION, Ended, Job, Slots, run_environment
from .metrics import printed_metrics, sidecar_metrics, why_missing

ARTIFACT_LIMIT_BYTES = 2_000_000_000
_SUMMARY, _SUMMARY_LIMIT_BYTES = "memex-summary.json", 1_000_000
_OVER = {
    "disk": "filled the disk: more than [budget] disk_mb was written",
    "processors": "left the processors it was given",
    "processes": "started more processes and threads than a run may",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run came to; `status` is ok, crash, timeout, invalid or lost, and `metrics` is empty unless it is ok."""

    status: RunStatus
    metrics: dict[str, float]
    seconds: float
    log: bytes
    error: str = ""
    artifact: Path | None = None
    meta: dict[str, Scalar] = field(default_factory=dict)
    isolation: str = ISOLATION


def measure(
    contract: Contract, locked: str, checkouts: Checkouts, slots: Slots, slot: int, commit: str, seed: int, cpus_of: int
) -> Measured:
    """Trains `commit` in slot `slot` and scores what it left behind.

    `locked` is the hash that the locked files must have before and after. The evaluator runs in a checkout of its own,
    which the run never saw, on a copy of the artifact alone.
    """
    measured = _measure(contract, locked, checkouts, slots, slot, commit, seed, cpus_of)
    return replace(measured, isolation=slots.isolation)


def _measure(
    contract: Contract, locked: str, checkouts: Checkouts, slots: Slots, slot: int, commit: str, seed: int, cpus_of: int
) -> Measured:
    folder = checkouts.files_alone(f"slot-{slot}", commit)
    if locked_hash(folder, contract.lock) != locked:
        return Measured("invalid", {}, 0.0, b"", "a locked file differs from the campaign's before the run")
    hidden = locked_files(folder, contract.hide, "hide")
    seen = [name for name in locked_files(folder, contract.lock) if name not in hidden]
    before = hash_of(folder, seen)
    for name in hidden:
        (folder / name).unlink()
    seconds = contract.budget.seconds
    summary = folder / _SUMMARY
    env = run_environment(
        {"MEMEX_SECONDS": f"{seconds:g}", "MEMEX_SEED": str(seed), "AUTORESEARCH_SUMMARY_PATH": str(summary)},
        contract.env,
        len(slots.cpus(cpus_of)),
    )
    ended = slots.run(_job(contract, contract.run, checkouts, f"slot-{slot}", folder, env, slots.cpus(cpus_of)))
    failed = _failure(ended, "the run")
    if failed is not None:
        return failed
    try:
        tampered = hash_of(folder, seen) != before
    except OSError as error:
        return Measured(
            "invalid",
            {},
            ended.seconds,
            ended.log,
            f"a locked file is gone after the run: {Path(str(error.filename)).name}",
        )
    if tampered:
        return Measured("invalid", {}, ended.seconds, ended.log, "the run changed a locked file")
    artifact = folder / contract.artifact if contract.artifact else None
    problem = _artifact_problem(artifact, folder) if artifact is not None else ""
    if problem:
        return Measured("invalid", {}, ended.seconds, ended.log, problem)
    meta: dict[str, Scalar] = {"peak_mb": round(ended.peak_mb, 1), "cpu_seconds": round(ended.cpu_seconds, 2)}
    if ended.left_behind:
        meta["processes_ended"] = ended.left_behind
    own = printed_metrics(ended.log.decode("utf-8", errors="replace"))
    if os.path.lexists(summary) and not _artifact_problem(summary, folder):
        own |= sidecar_metrics(_read_plain(summary, _SUMMARY_LIMIT_BYTES))
    log = ended.log
    if contract.evaluate:
        own.pop(contract.metric.name, None)
        scored = score(contract, contract.evaluate, checkouts, slots, slot, commit, artifact, locked)
        failed = _failure(scored, "the evaluator")
        if failed is not None:
            return Measured(failed.status, {}, ended.seconds, log + b"\n" + scored.log, failed.error, artifact, meta)
        log += b"\n--- evaluate\n" + scored.log
        own |= printed_metrics(scored.log.decode("utf-8", errors="replace"))
    value = own.get(contract.metric.name)
    if value is None or not math.isfinite(value):
        name = contract.metric.name
        said = why_missing(log.decode("utf-8", errors="replace"), name)
        why = f"no finite number for {name} was printed{f'; {said}' if said else ''}"
        return Measured("crash", {}, ended.seconds, log, why, artifact, meta)
    return Measured("ok", own, ended.seconds, log, "", artifact, meta)


def score(
    contract: Contract,
    command: str,
    checkouts: Checkouts,
    slots: Slots,
    slot: int,
    commit: str,
    artifact: Path | bytes | None,
    locked: str = "",
) -> Ended:
    """Runs an evaluator behind walls of its own: the locked files, a copy of the artifact, nothing else of the run.

    What a proposer may edit is not there: an evaluator that needs such a file is none.
    """
    folder = checkouts.files_alone(f"score-{slot}", commit)
    if locked and locked_hash(folder, contract.lock) != locked:
        return Ended(-1, "kept from locked files that differ", 0.0, b"", isolation=slots.isolation)
    for name in contract.edit:
        (folder / name).unlink(missing_ok=True)
    if artifact is not None:
        target = folder / contract.artifact
        target.parent.mkdir(parents=True, exist_ok=True)
        data = artifact if isinstance(artifact, bytes) else _read_plain(artifact, ARTIFACT_LIMIT_BYTES)
        target.write_bytes(data)
    env = run_environment({"MEMEX_SECONDS": f"{contract.budget.seconds:g}"}, contract.env)
    return slots.run(_job(contract, command, checkouts, f"score-{slot}", folder, env))


def _job(
    contract: Contract,
    command: str,
    checkouts: Checkouts,
    tree: str,
    folder: Path,
    env: dict[str, str],
    cpus: tuple[int, ...] = (),
) -> Job:
    budget = contract.budget
    # The evaluator does not train: it may take its time over a large artifact.
    kill_after_seconds = budget.kill_after_seconds * (1 if command == contract.run else 2)
    return Job(
        command, folder, env, kill_after_seconds, budget.memory_mb, cpus, budget.disk_mb,
        checkouts.worktrees / tree, contract.read, checkouts.lab,
    )  # fmt: skip


def _failure(ended: Ended, what: str) -> Measured | None:
    if ended.ok:
        return None
    if ended.ended == "timeout":
        return Measured("timeout", {}, ended.seconds, ended.log, f"{what} was ended after {ended.seconds:.0f} s")
    if ended.ended == "memory":
        return Measured("crash", {}, ended.seconds, ended.log, f"{what} used {ended.peak_mb:.0f} MB, more than it may")
    if ended.ended in _OVER:
        status: RunStatus = "invalid" if ended.ended == "processors" else "crash"
        return Measured(status, {}, ended.seconds, ended.log, f"{what} {_OVER[ended.ended]}")
    if ended.ended:
        return Measured("lost", {}, ended.seconds, ended.log, f"{what} was {ended.ended}")
    tail = ended.log.decode("utf-8", errors="replace").strip().splitlines()
    last = next((line.strip() for line in reversed(tail) if line.strip()), "no output")
    how = f"signal {-ended.exit}" if ended.exit < 0 else f"exit code {ended.exit}"
    return Measured("crash", {}, ended.seconds, ended.log, f"{what} ended with {how}: {last[:300]}{_walled(last)}")


def _walled(last: str) -> str:
    """What the walls have to do with a failure, and what can be typed; '' where they have nothing."""
    hidden = re.search(r"No such file or directory: '(/[^']+)'", last)
    if hidden is not None and os.path.exists(hidden[1]):
        return f'; it exists, but a run does not see it: [target] read = ["{os.path.dirname(hidden[1])}"]'
    if re.search(r"[Nn]ame resolution|Network is unreachable|Name or service not known", last):
        return "; a run has no network: fetch before, and name the folder in [target] read"
    missing = re.search(r"No module named '([\w.]+)'", last)
    return f"; {missing[1]} is not there for this Python: memex doctor" if missing is not None else ""


def _artifact_problem(artifact: Path, folder: Path) -> str:
    """Why the artifact cannot be taken: it must be a plain file of bounded size, inside the checkout."""
    try:
        info = os.lstat(artifact)
    except OSError:
        return f"the run left no artifact {artifact.relative_to(folder)}"
    if not stat.S_ISREG(info.st_mode) or info.st_nlink > 1 or not artifact.resolve().is_relative_to(folder.resolve()):
        return f"the artifact {artifact.relative_to(folder)} is not a plain file of the run's own"
    if info.st_size > ARTIFACT_LIMIT_BYTES:
        return f"the artifact holds {info.st_size} bytes, more than {ARTIFACT_LIMIT_BYTES}"
    return ""


def _read_plain(path: Path, limit_bytes: int) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        return file.read(limit_bytes)
