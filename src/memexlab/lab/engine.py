"""Runs a command in a folder under the supervisor and says what became of it. It knows no metric and no verdict."""

from __future__ import annotations

import json
import os
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

from ..ledger import OutsideError, UsageError
from . import supervisor

#: How far a run is confined, written into every run.
ISOLATION = "supervised"
_LOG_KEEP_BYTES = 400_000
#: What a run gets to see of the environment, besides what the contract adds.
_PASSED_ON = ("HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "USER", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")


@dataclass(frozen=True, slots=True)
class Job:
    """One command to run: where, with what in its environment, and within which bounds."""

    command: str
    cwd: Path
    env: dict[str, str]
    kill_after_seconds: float
    memory_mb: float = 0.0
    cpus: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a job: `ended` is '' where it ended by itself, else timeout, memory, stopped or lost."""

    exit: int
    ended: str
    seconds: float
    log: bytes
    peak_mb: float = 0.0
    cpu_seconds: float = 0.0
    left_behind: int = 0

    @property
    def ok(self) -> bool:
        return self.exit == 0 and not self.ended


def run_environment(extra: dict[str, str], pass_on: tuple[str, ...] = ()) -> dict[str, str]:
    """A small environment: no key and no token of the person's reaches a run unless the contract names it.

    One thread each and passive waiting: spinning threads under contention cost 90 % of the speed (OMP_WAIT_POLICY).
    """
    env = {name: os.environ[name] for name in (*_PASSED_ON, *pass_on) if name in os.environ}
    bin_folder = str(Path(sys.executable).parent)
    env["PATH"] = os.pathsep.join([bin_folder, os.environ.get("PATH", os.defpath)])
    env |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    env |= {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", "MEMEX": "1"}
    return env | extra


@dataclass
class Slots:
    """Places for runs on this machine: `count` at a time, each on processors of its own where there are enough."""

    count: int
    _running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _stopping: bool = False

    def cpus(self, slot: int) -> tuple[int, ...]:
        if not hasattr(os, "sched_getaffinity"):
            return ()
        all_cpus = sorted(os.sched_getaffinity(0))
        share = len(all_cpus) // self.count
        return tuple(all_cpus[slot * share : (slot + 1) * share]) if share else ()

    def run(self, job: Job) -> Ended:
        """Runs the job to its end, whatever that is; every process it started is gone when this returns."""
        try:
            command = shlex.split(job.command)
        except ValueError as error:
            raise UsageError(f"the command {job.command!r} cannot be read: {error}", "mend it in memex.toml") from error
        with tempfile.TemporaryDirectory(prefix="memex-run-") as scratch:
            log = Path(scratch) / "log"
            reader, writer = os.pipe()
            order = {
                "command": command, "cwd": str(job.cwd), "env": job.env, "log": str(log), "report": writer,
                "kill_after_seconds": job.kill_after_seconds, "memory_mb": job.memory_mb, "cpus": list(job.cpus),
                "file_mb": 20_000, "parent": os.getpid(),
            }  # fmt: skip
            try:
                with self._guard:
                    if self._stopping:
                        return Ended(-1, "stopped", 0.0, b"")
                    process = subprocess.Popen(
                        [sys.executable, "-I", "-S", supervisor.__file__, json.dumps(order)],
                        pass_fds=(writer,), stdin=subprocess.DEVNULL, start_new_session=True,
                    )  # fmt: skip
                    self._running.add(process)
            except OSError as error:
                os.close(reader)
                raise OutsideError(f"cannot start a run: {error}", retryable=True, hint="memex doctor") from error
            finally:
                os.close(writer)
            try:
                report = _read_report(reader)
                process.wait()
            finally:
                os.close(reader)
                with self._guard:
                    self._running.discard(process)
            text = _clip(log.read_bytes()) if log.exists() else b""
        if not report:
            return Ended(process.returncode, "lost", 0.0, text)
        fields = json.loads(report)
        return Ended(
            fields["exit"], fields["ended"], fields["seconds"], text, fields["peak_mb"], fields["cpu_seconds"],
            fields["left_behind"],
        )  # fmt: skip

    def stop(self) -> None:
        """Ends all running jobs and starts no more; safe to call from a signal handler's thread."""
        self._stopping = True
        with self._guard:
            for process in self._running:
                process.send_signal(signal.SIGTERM)


def _read_report(reader: int) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        select.select([reader], [], [])
        part = os.read(reader, 65536)
        if not part:
            break
        data += part
    return data


def _clip(log: bytes) -> bytes:
    """The head and the tail of a log that is too long to keep."""
    if len(log) <= _LOG_KEEP_BYTES:
        return log
    half = _LOG_KEEP_BYTES // 2
    cut = len(log) - 2 * half
    return log[:half] + f"\n[... {cut} bytes left out ...]\n".encode() + log[-half:]
