"""Where a lab is: the folder that holds `memex.toml`, `.memex`, or both."""

from __future__ import annotations

from pathlib import Path

from .ledger import UsageError

FILE = "memex.toml"
FOLDER = ".memex"


def find_root(start: Path) -> Path:
    """The nearest folder at or above `start` that holds a lab; raises UsageError where there is none."""
    for folder in (start, *start.parents):
        if (folder / FILE).is_file() or (folder / FOLDER).is_dir():
            return folder
    raise UsageError(f"no lab at {start} or above it", "memex init my-lab && cd my-lab")
