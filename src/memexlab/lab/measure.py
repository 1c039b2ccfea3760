"""Measures one commit: a clean checkout, the run, the locked files checked, the artifact scored apart from it."""

from __future__ import annotations

import math
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from ..ledger import RunStatus, Scalar
from .campaign import Contract, locked_hash
from .checkouts import Checkouts
from .engine import Ended, Job, Slots, run_environment
from .metrics import printed_metrics, sidecar_metrics

ARTIFACT_LIMIT_BYTES = 2_000_000_000
_SUMMARY = "memex-summary.json"


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


def measure(
    contract: Contract, locked: str, checkouts: Checkouts, slots: Slots, slot: int, commit: str, seed: int, cpus_of: int
) -> Measured:
    """Trains `commit` in slot `slot` and scores what it left behind.

    `locked` is the hash that the locked files must have before and after. The evaluator runs in a checkout of its own,
    which the run never saw, on a copy of the artifact alone.
    """
    folder = checkouts.checkout(f"slot-{slot}", commit)
    if locked_hash(folder, contract.lock) != locked:
        return Measured("invalid", {}, 0.0, b"", "a locked file differs from the campaign's before the run")
    seconds = contract.budget.seconds
    summary = folder / _SUMMARY
    env = run_environment(
        {"MEMEX_SECONDS": f"{seconds:g}", "MEMEX_SEED": str(seed), "AUTORESEARCH_SUMMARY_PATH": str(summary)},
        contract.env,
    )
    budget = contract.budget
    ended = slots.run(Job(contract.run, folder, env, budget.kill_after_seconds, budget.memory_mb, slots.cpus(cpus_of)))
    failed = _failure(ended, "the run")
    if failed is not None:
        return failed
    try:
        tampered = locked_hash(folder, contract.lock) != locked
    except Exception as error:
        return Measured("invalid", {}, ended.seconds, ended.log, f"a locked file is gone after the run: {error}")
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
    if summary.is_file() and not summary.is_symlink():
        own |= sidecar_metrics(summary.read_bytes())
    log = ended.log
    if contract.evaluate:
        own.pop(contract.metric.name, None)
        scored = score(contract, contract.evaluate, checkouts, slots, slot, commit, artifact)
        failed = _failure(scored, "the evaluator")
        if failed is not None:
            return Measured(failed.status, {}, ended.seconds, log + b"\n" + scored.log, failed.error, artifact, meta)
        log += b"\n--- evaluate\n" + scored.log
        own |= printed_metrics(scored.log.decode("utf-8", errors="replace"))
    value = own.get(contract.metric.name)
    if value is None or not math.isfinite(value):
        return Measured(
            "crash", {}, ended.seconds, log, f"no finite number for {contract.metric.name} was printed", artifact, meta
        )
    return Measured("ok", own, ended.seconds, log, "", artifact, meta)


def score(
    contract: Contract,
    command: str,
    checkouts: Checkouts,
    slots: Slots,
    slot: int,
    commit: str,
    artifact: Path | bytes | None,
) -> Ended:
    """Runs an evaluator in its own clean checkout, with a copy of the artifact and nothing else of the run."""
    folder = checkouts.checkout(f"score-{slot}", commit)
    if artifact is not None:
        target = folder / contract.artifact
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(artifact if isinstance(artifact, bytes) else _read_plain(artifact))
    env = run_environment({"MEMEX_SECONDS": f"{contract.budget.seconds:g}"}, contract.env)
    return slots.run(Job(command, folder, env, contract.budget.kill_after_seconds, contract.budget.memory_mb))


def _failure(ended: Ended, what: str) -> Measured | None:
    if ended.ok:
        return None
    if ended.ended == "timeout":
        return Measured("timeout", {}, ended.seconds, ended.log, f"{what} was ended after {ended.seconds:.0f} s")
    if ended.ended == "memory":
        return Measured("crash", {}, ended.seconds, ended.log, f"{what} used {ended.peak_mb:.0f} MB, more than it may")
    if ended.ended:
        return Measured("lost", {}, ended.seconds, ended.log, f"{what} was {ended.ended}")
    tail = ended.log.decode("utf-8", errors="replace").strip().splitlines()
    last = next((line.strip() for line in reversed(tail) if line.strip()), "no output")
    how = f"signal {-ended.exit}" if ended.exit < 0 else f"exit code {ended.exit}"
    return Measured("crash", {}, ended.seconds, ended.log, f"{what} ended with {how}: {last[:300]}")


def _artifact_problem(artifact: Path, folder: Path) -> str:
    """Why the artifact cannot be taken: it must be a plain file of bounded size, inside the checkout."""
    try:
        info = os.lstat(artifact)
    except OSError:
        return f"the run left no artifact {artifact.relative_to(folder)}"
    if not stat.S_ISREG(info.st_mode) or not artifact.resolve().is_relative_to(folder.resolve()):
        return f"the artifact {artifact.relative_to(folder)} is not a plain file of the run"
    if info.st_size > ARTIFACT_LIMIT_BYTES:
        return f"the artifact holds {info.st_size} bytes, more than {ARTIFACT_LIMIT_BYTES}"
    return ""


def _read_plain(path: Path) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(handle, "rb") as file:
        return file.read(ARTIFACT_LIMIT_BYTES + 1)
