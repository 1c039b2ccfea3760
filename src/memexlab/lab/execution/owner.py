"""Who runs a run: enough to tell, after a crash, whether that process is still alive."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path


def this_process() -> str:
    """`host boot pid start`: a pid alone comes back after a reboot or a wrap-around."""
    return f"{socket.gethostname()} {_boot()} {os.getpid()} {_start_of(os.getpid())}"


def is_alive(owner: str) -> bool:
    """False only where this machine knows that the process is gone."""
    host, _, rest = owner.partition(" ")
    if host != socket.gethostname():
        return True
    boot, pid, start = rest.split(" ")
    return boot == _boot() and _start_of(int(pid)) == start != ""


def _boot() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return "-"


def _start_of(pid: int) -> str:
    """Start time of a process in clock ticks since boot, '' where it is gone; `-` where that cannot be asked."""
    if not Path("/proc/self/stat").exists():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, 0)
            return "-"
        return ""
    with suppress(OSError, IndexError):
        told = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        return "" if told[0] == "Z" else told[19]  # killed, and waiting for whoever started it to look
    return ""
