"""A lab on disk, opened: what every command of it starts from."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from ..ledger import Finding
    from ..memory import Memory


def person() -> str:
    """Who speaks at this keyboard: MEMEX_BY, a bare name being a person's, else the person logged in.

    Raises UsageError for a MEMEX_BY that no entry may bear, before any work is done.
    """
    from ..ledger import UsageError
    from ..ledger.gate import check_actor

    said = os.environ.get("MEMEX_BY") or os.environ.get("USER") or _named()
    by = said if ":" in said else f"human:{said}"
    if "MEMEX_BY" in os.environ and (wrong := next(check_actor(by), None)) is not None:
        raise UsageError(f"MEMEX_BY is {said!r}: {wrong.message}", wrong.hint)
    return by


@cache
def _named() -> str:
    """The person by the name that git knows, else by that of the login."""
    import getpass
    import subprocess  # here, so that a question does not wait for them

    try:
        git = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True, check=False).stdout
    except OSError:
        git = ""
    if name := "-".join(re.findall(r"[^\s()]+", git)):
        return name
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an account without a name
        return str(os.getuid())


class Opened:
    """The folder of a lab, and its memory from the first time that it is asked for; close it when done."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._memory: Memory | None = None

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The lab at `folder` or above it; raises UsageError where there is none."""
        from ..folder import find_root

        return cls(find_root(folder.resolve()))

    @property
    def memory(self) -> Memory:
        if self._memory is None:
            from ..folder import aliases
            from ..memory import Memory

            self._memory = Memory(self.root / ".memex", aliases(self.root))
        return self._memory

    def damage(self) -> list[Finding]:
        """What is wrong with the ledger, if it was looked at."""
        return self._memory.index.damage() if self._memory is not None else []

    def close(self) -> None:
        if self._memory is not None:
            self._memory.close()
        self._memory = None
