"""Runs one command and ends every process it leaves behind, double-forked ones included.

A program of its own that starts in some 15 ms, so it imports only what is written in C: typing, json, contextlib and
signal take twice as long. `python -I -S supervisor.py ORDER`, the order as marshal writes it, in hexadecimal digits. It
becomes the reaper of all that the command starts (prctl PR_SET_CHILD_SUBREAPER), so no descendant can get away by a
second fork or a new session, and it dies with the harness (PR_SET_PDEATHSIG). What it saw goes to file descriptor
`report` as one JSON line.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]
import ctypes
import marshal
import os
import resource
import select
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LOOK_SECONDS = 0.1
#: Open files of one process; threads of a run together; the share of the machine's memory that must stay free.
_FILES, _THREADS, _LEAST_FREE = 16_384, 2_000, 0.02
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class suppress:
    """As contextlib's."""

    def __init__(self, *errors: type[BaseException]) -> None:
        self.errors = errors

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        return kind is not None and issubclass(kind, self.errors)


def children_of() -> dict[int, list[int]]:
    """Parent to children, for every process that can be seen; empty where there is no /proc."""
    tree: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdigit():
            with suppress(OSError, ValueError, IndexError), open(f"/proc/{name}/stat", "rb") as file:
                parent = int(file.read().rpartition(b")")[2].split()[1])
                tree.setdefault(parent, []).append(int(name))
    return tree


def descendants(root: int) -> list[int]:
    tree, found, todo = children_of(), [], [root]
    while todo:
        for child in tree.get(todo.pop(), ()):
            found.append(child)
            todo.append(child)
    return found


def watched(root: int) -> tuple[float, int, set[int]]:
    """Resident megabytes, threads and allowed processors of all that descends from `root`.

    It walks the kernel's own lists of children where there are any: reading all of /proc ten times a second would slow
    the run that is being measured.
    """
    pages, threads, cpus, todo = 0, 0, set[int](), [root]
    while todo:
        pid = todo.pop()
        try:
            tasks = os.listdir(f"/proc/{pid}/task")
            for task in tasks:
                with open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                    todo += map(int, file.read().split())
                if pid != root:
                    cpus |= os.sched_getaffinity(int(task))
            if pid != root:
                threads += len(tasks)
                with open(f"/proc/{pid}/statm", "rb") as file:
                    pages += int(file.read().split()[1])
        except (OSError, ValueError, IndexError):
            if pid == root and os.path.isdir("/proc/self"):  # a kernel without these lists
                found = descendants(root)
                return memory_mb(found), len(found), cpus
    return pages * _PAGE_BYTES / 1e6, threads, cpus


def memory_mb(pids: list[int]) -> float:
    total = 0
    for pid in pids:
        with suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/statm", "rb") as file:
            total += int(file.read().split()[1]) * _PAGE_BYTES
    return total / 1e6


def memory_is_out() -> bool:
    """Whether the machine itself is about to run out: files in memory belong to no process."""
    try:
        with open("/proc/meminfo", "rb") as file:
            words = file.read(400).split()
        return int(words[words.index(b"MemAvailable:") + 1]) < _LEAST_FREE * int(words[words.index(b"MemTotal:") + 1])
    except (OSError, ValueError):
        return False


def free_mb(folder: str) -> float:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize / 1e6


def end_all(group: int) -> int:
    """Kills and reaps descendants until none is left; returns how many outlived the command itself."""
    seen: set[int] = set()
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)  # all that can be done where there is no /proc
    while alive := descendants(os.getpid()):
        seen.update(alive)
        for pid in alive:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.002)
    return len(seen)


def start(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.closerange(3, os.sysconf("SC_OPEN_MAX") if sys.platform != "linux" else 65_536)
        os.chdir(order["cwd"])
        limits = {
            resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: int(order["disk_mb"] * 1e6), resource.RLIMIT_NOFILE: _FILES,
            resource.RLIMIT_CPU: int(order["kill_after_seconds"] * (os.cpu_count() or 1)) + 60,
        }  # fmt: skip
        for which, limit in limits.items():
            hard = resource.getrlimit(which)[1]
            limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(which, (limit, limit))
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
                file.write("1000")  # when memory runs out, the run goes first
        os.execvpe((words := [*order["walls"], *order["command"]])[0], words, order["env"])
    except BaseException as error:
        os.write(2, f"cannot start {order['command'][0]}: {error}\n".encode())
    os._exit(127)


def main() -> None:
    order: dict[str, Any] = marshal.loads(bytes.fromhex(sys.argv[1]))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.getppid() != order["parent"]:
        return  # the harness died before it could be watched
    begun, free_before = time.monotonic(), free_mb(order["cwd"])
    if order["cpus"]:  # set before the fork, so that no look sees the run with more
        all_cpus = os.sched_getaffinity(0)
        os.sched_setaffinity(0, order["cpus"])
    main_pid = start(order)
    if order["cpus"]:
        os.sched_setaffinity(0, all_cpus)
    peak_mb, ended, status = 0.0, "", -1
    exits = select.poll()
    if hasattr(os, "pidfd_open"):
        with suppress(OSError):  # a kernel before 5.3
            exits.register(os.pidfd_open(main_pid), select.POLLIN)
    while True:
        try:
            pid, raw = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            pid, raw = main_pid, 0
        if pid == main_pid:
            status = os.waitstatus_to_exitcode(raw)
            break
        if pid:
            continue
        mb, threads, cpus = watched(os.getpid())
        peak_mb = max(peak_mb, mb)
        if stopped:
            ended = "stopped"
        elif time.monotonic() - begun > order["kill_after_seconds"]:
            ended = "timeout"
        elif (order["memory_mb"] and mb > order["memory_mb"]) or memory_is_out():
            ended = "memory"
        elif order["cpus"] and not cpus <= set(order["cpus"]):
            ended = "processors"
        elif threads > _THREADS:
            ended = "processes"
        elif free_before - free_mb(order["cwd"]) > order["disk_mb"]:
            ended = "disk"
        if ended:
            break
        exits.poll(_LOOK_SECONDS * 1000)
    seconds = time.monotonic() - begun
    left = end_all(main_pid)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    report = (
        f'{{"exit": {status}, "ended": "{ended}", "seconds": {seconds!r}, '
        f'"left_behind": {left if not ended and not order["walls"] else 0}, '  # behind walls the kernel ends them first
        f'"peak_mb": {max(peak_mb, usage.ru_maxrss / 1000)!r}, "cpu_seconds": {usage.ru_utime + usage.ru_stime!r}}}\n'
    )
    with suppress(BrokenPipeError):  # the harness is gone: nobody is left to tell
        os.write(order["report"], report.encode())


if __name__ == "__main__":
    main()
