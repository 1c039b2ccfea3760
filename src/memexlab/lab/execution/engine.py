"""Runs a command in a folder under the supervisor and says what became of it. It knows no metric and no verdict."""

from __future__ import annotations

import json
import marshal
import os
import select
import shlex
import shutil
import signal
import site
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ...ledger import OutsideError, UsageError
from . import sandbox, supervisor
from .interpreters import located

#: The level of a run that says none of its own; see sandbox.py.
ISOLATION = "process"
_LOG_KEEP_BYTES = 400_000
_LOOK_SECONDS = 0.25
#: What a run gets to see of the environment, besides what the contract adds.
_PASSED_ON = ("HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "USER", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")


@dataclass(frozen=True, slots=True)
class Job:
    """One command to run: where, with what in its environment, and within which bounds.

    `root` is the folder that it may write, `cwd` where none is given; `read` is what else it may read. `lab` is where
    a program is looked up that the folder lacks: the interpreter of the lab's own environment.
    """

    command: str
    cwd: Path
    env: dict[str, str]
    kill_after_seconds: float
    memory_mb: float = 0.0
    cpus: tuple[int, ...] = ()
    disk_mb: float = 20_000.0
    root: Path | None = None
    read: tuple[str, ...] = ()
    lab: Path | None = None
    #: Asked a few times a second with what the run has printed so far: whether to stop it.
    is_lost: Callable[[bytes], bool] | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a job: `ended` is '' where it ended by itself, else why it did not.

    That is timeout, memory, disk, processes, processors, stopped or lost.
    """

    exit: int
    ended: str
    seconds: float
    log: bytes
    peak_mb: float = 0.0
    cpu_seconds: float = 0.0
    left_behind: int = 0
    isolation: str = ISOLATION

    @property
    def ok(self) -> bool:
        return self.exit == 0 and not self.ended


def run_environment(extra: dict[str, str], pass_on: tuple[str, ...] = (), threads: int = 1) -> dict[str, str]:
    """A small environment: no key and no token of the person's reaches a run unless the contract names it.

    As many threads as it has processors, and passive waiting: spinning threads under contention cost 90 % of the speed
    (OMP_WAIT_POLICY).
    """
    each = str(max(1, threads))
    env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    bin_folder = str(Path(sys.executable).parent)
    env["PATH"] = os.pathsep.join([bin_folder, os.environ.get("PATH", os.defpath)])
    env |= {"OMP_NUM_THREADS": each, "OPENBLAS_NUM_THREADS": each, "MKL_NUM_THREADS": each}
    env |= {"OMP_WAIT_POLICY": "passive"} | {name: os.environ[name] for name in pass_on if name in os.environ}
    env |= {"PYTHONUSERBASE": site.getuserbase()} if site.ENABLE_USER_SITE else {"PYTHONNOUSERSITE": "1"}
    env |= {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", "MEMEX": "1"}
    return env | extra


@dataclass
class Slots:
    """Places for runs on this machine: `count` at a time, each on processors of its own where there are enough.

    `isolation` is the level of sandbox.py that runs here get: the best there is, unless one is named or `unsafe` is.
    """

    count: int
    unsafe: bool = False
    isolation: str = ""
    _running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _stopping: bool = False

    def __post_init__(self) -> None:
        self.isolation = "unsafe" if self.unsafe else self.isolation or sandbox.best_level()

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
        command, own = located(command, job.lab or job.cwd, job.cwd, job.env.get("PATH", ""))
        if shutil.which(command[0], path=job.env.get("PATH")) is None and not (job.cwd / command[0]).exists():
            return Ended(127, "", 0.0, f"cannot start {command[0]}: there is no such program\n".encode())
        with tempfile.TemporaryDirectory(prefix="memex-run-") as scratch:
            log = Path(scratch) / "log"
            reader, writer = os.pipe()
            order = {
                "command": command, "cwd": str(job.cwd), "env": job.env, "log": str(log), "report": writer,
                "kill_after_seconds": job.kill_after_seconds, "memory_mb": job.memory_mb, "cpus": list(job.cpus),
                "disk_mb": job.disk_mb, "parent": os.getpid(),
                "walls": sandbox.walls(self.isolation, job.root or job.cwd, job.cwd, (*job.read, *own)),
            }  # fmt: skip
            try:
                with self._guard:
                    if self._stopping:
                        return Ended(-1, "stopped", 0.0, b"")
                    process = subprocess.Popen(
                        [sys.executable, "-I", "-S", supervisor.__file__, marshal.dumps(order).hex()],
                        pass_fds=(writer,), stdin=subprocess.DEVNULL, start_new_session=True,
                    )  # fmt: skip
                    self._running.add(process)
            except OSError as error:
                os.close(reader)
                raise OutsideError(f"cannot start a run: {error}", retryable=True, hint="memex doctor") from error
            finally:
                os.close(writer)
            try:
                report = self._read_report(reader, process, log, job.is_lost)
                process.wait()
            finally:
                os.close(reader)
                with self._guard:
                    self._running.discard(process)
            text = _clipped(log) if log.exists() else b""
        if not report:
            return Ended(process.returncode, "lost", 0.0, text, isolation=self.isolation)
        fields = json.loads(report)
        if self.isolation == "bwrap" and 128 < fields["exit"] <= 192:
            fields["exit"] = 128 - fields["exit"]  # bubblewrap tells of a signal as a shell does
        return Ended(**fields, log=text, isolation=self.isolation)

    @staticmethod
    def _read_report(
        reader: int, process: subprocess.Popen[bytes], log: Path, is_lost: Callable[[bytes], bool] | None
    ) -> bytes:
        data = b""
        while not data.endswith(b"\n"):
            if select.select([reader], [], [], None if is_lost is None else _LOOK_SECONDS)[0]:
                part = os.read(reader, 65536)
                if not part:
                    break
                data += part
            elif is_lost is not None and log.exists() and is_lost(_clipped(log)):
                process.send_signal(signal.SIGTERM)
                is_lost = None
        return data

    def stop(self) -> None:
        """Ends all running jobs and starts no more; safe to call from a signal handler's thread."""
        self._stopping = True
        with self._guard:
            for process in self._running:
                process.send_signal(signal.SIGTERM)


def _clipped(log: Path) -> bytes:
    """The head and the tail of a log that is too long to keep, read without the middle."""
    size, half = log.stat().st_size, _LOG_KEEP_BYTES // 2
    with log.open("rb") as file:
        if size <= _LOG_KEEP_BYTES:
            return file.read(_LOG_KEEP_BYTES)
        head = file.read(half)
        file.seek(size - half)
        return head + f"\n[... {size - 2 * half} bytes left out ...]\n".encode() + file.read(half)
