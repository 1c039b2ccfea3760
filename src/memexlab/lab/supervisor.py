"""Runs one command and ends every process it leaves behind, double-forked ones included.

A program of its own, in the standard library alone, so that it starts in some 20 ms:
`python -I -S supervisor.py '{"command": [...], ...}'`. It becomes the reaper of all that the command starts
(prctl PR_SET_CHILD_SUBREAPER), so no descendant can get away by a second fork or a new session, and it dies with the
harness (PR_SET_PDEATHSIG). What it saw goes to file descriptor `report` as one JSON line.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
import time
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_POLL_SECONDS = 0.05
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def children_of() -> dict[int, list[int]]:
    """Parent to children, for every process that can be seen; empty where there is no /proc."""
    tree: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{name}/stat", "rb") as file:
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


def memory_mb(pids: list[int]) -> float:
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/statm", "rb") as file:
            total += int(file.read().split()[1]) * _PAGE_BYTES
    return total / 1e6


def end_all(group: int) -> int:
    """Kills and reaps descendants until none is left; returns how many outlived the command itself."""
    seen: set[int] = set()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)  # all that can be done where there is no /proc
    while alive := descendants(os.getpid()):
        seen.update(alive)
        for pid in alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
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
        os.closerange(3, 256)
        os.chdir(order["cwd"])
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_mb"] * 1_000_000,) * 2)
        if order.get("cpus") and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, order["cpus"])
        os.execvpe(order["command"][0], order["command"], order["env"])
    except BaseException as error:
        os.write(2, f"cannot start {order['command'][0]}: {error}\n".encode())
    os._exit(127)


def main() -> None:
    order: dict[str, Any] = json.loads(sys.argv[1])
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.getppid() != order["parent"]:
        return  # the harness died before it could be watched
    begun = time.monotonic()
    main_pid = start(order)
    peak_mb, ended, status = 0.0, "", -1
    next_look = begun
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
        now = time.monotonic()
        if stopped:
            ended = "stopped"
        elif now - begun > order["kill_after_seconds"]:
            ended = "timeout"
        elif now >= next_look:
            next_look = now + 0.25
            peak_mb = max(peak_mb, memory_mb(descendants(os.getpid())))
            if order["memory_mb"] and peak_mb > order["memory_mb"]:
                ended = "memory"
        if ended:
            break
        time.sleep(_POLL_SECONDS)
    seconds = time.monotonic() - begun
    left = end_all(main_pid)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    report = {
        "exit": status,
        "ended": ended,
        "seconds": seconds,
        "left_behind": left if not ended else 0,
        "peak_mb": max(peak_mb, usage.ru_maxrss / 1000),
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
    }
    os.write(order["report"], (json.dumps(report) + "\n").encode())


if __name__ == "__main__":
    main()
