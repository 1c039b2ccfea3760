"""The walls around a run: which kind this machine offers, and the command that puts a program behind them.

It knows no metric and no campaign. Levels, strongest first; the one reached is written into every run:

- `bwrap`: bubblewrap. No network, own processes, no capability, an empty home, no environment but the run's. To be
  seen are the system's programs, this Python and what `[target] read` names; to be written, the checkout and /tmp.
- `namespaces`: unshare(1). No network, own processes; the files of the person can be read and written.
- `process`: the supervisor alone. Every process ends with the run; files and network are open.
- `unsafe`: as `process`, because the person asked for it.
"""

from __future__ import annotations

import glob
import os
import shutil
import site
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

#: What each level means for the person, in one sentence.
MEANING = {
    "bwrap": "a run sees its checkout and the system's programs; no network, no files of yours, its own processes",
    "namespaces": "a run has no network and its own processes, but can read and write your files",
    "process": "every process of a run ends with it, small environment; files and network are open",
    "unsafe": "asked for with --unsafe: files and network are open",
}
_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/usr")
_SETTINGS = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime")
_DEVICES = ("/dev/nvidia*", "/dev/dri", "/dev/kfd")
#: Shares of the machine's memory that files in /tmp and /dev/shm may take: they are memory too.
_TMP_SHARE, _SHARED_SHARE = 0.1, 0.25


@cache
def best_level() -> str:
    """The strongest level that works on this machine, tried once."""
    with tempfile.TemporaryDirectory(prefix="memex-probe-") as folder:
        for level in ("bwrap", "namespaces"):
            try:
                words = [*walls(level, Path(folder), Path(folder)), sys.executable, "-I", "-S", "-c", ""]
                if subprocess.run(words, capture_output=True, timeout=20).returncode == 0:
                    return level
            except (OSError, subprocess.TimeoutExpired):
                continue  # not installed, or it hangs: the next level
    return "process"


def walls(level: str, root: Path, cwd: Path, read: Sequence[str] = ()) -> list[str]:
    """The words to put before a command so that it runs in `cwd` behind the walls of `level`; `root` can be written."""
    if level == "namespaces":
        flags = ["--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--net", "--ipc", "--mount"]
        return [_program("unshare"), *flags, "--mount-proc", "--"]
    if level != "bwrap":
        return []
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    words = [_program("bwrap"), "--unshare-all", "--unshare-user", "--uid", "65534", "--gid", "65534"]
    words += ["--die-with-parent", "--cap-drop", "ALL", "--hostname", "memex", "--proc", "/proc", "--dev", "/dev"]
    words += ["--size", str(int(memory_bytes * _SHARED_SHARE)), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]
    words += ["--size", str(int(memory_bytes * _TMP_SHARE)), "--tmpfs", "/tmp"]
    words += ["--setenv", "HOME", "/tmp", "--unsetenv", "TMPDIR"]
    for name in _SYSTEM:
        if os.path.islink(name):
            words += ["--symlink", os.readlink(name), name]
        elif os.path.isdir(name):
            words += ["--ro-bind", name, name]
    own = {sys.prefix, sys.base_prefix, *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])}
    named = [os.path.expanduser(name) for name in read]
    for name in [*(f"/etc/{name}" for name in _SETTINGS), *sorted(own), *named]:
        words += ["--ro-bind-try", name, name]
    devices = [path for pattern in _DEVICES for path in sorted(glob.glob(pattern))]
    for path in devices:
        words += ["--dev-bind", path, path]
    if devices:
        words += ["--ro-bind", "/sys", "/sys"]  # the graphics driver finds its cards there
    where = [str(root.resolve())] * 2
    return [*words, "--bind", *where, "--remount-ro", "/", "--chdir", str(cwd.resolve()), "--"]


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise FileNotFoundError(name)
    return path
