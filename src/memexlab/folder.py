"""Where a lab is: the folder that holds `memex.toml`, `.memex`, or both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .ledger import UsageError

FILE = "memex.toml"
FOLDER = ".memex"


def find_root(start: Path) -> Path:
    """The nearest folder at or above `start` that holds a lab; raises UsageError where there is none."""
    for folder in (start, *start.parents):
        if (folder / FILE).is_file() or (folder / FOLDER).is_dir():
            return folder
    hint = "memex init my-lab && cd my-lab, or in a repository of yours: memex init --here"
    raise UsageError(f"no lab at {start} or above it", hint)


def says(root: Path, section: str) -> bool:
    """Whether `memex.toml` has a section, without reading it."""
    path = root / FILE
    return path.is_file() and f"[{section}]".encode() in path.read_bytes()


def aliases(root: Path) -> Mapping[str, str]:
    """What `[aliases]` calls the same thing, phrase to knob; read alone because every command asks for it."""
    if not says(root, "aliases"):
        return {}
    import tomllib

    path = root / FILE
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8")).get("aliases", {})
    except ValueError as error:
        raise UsageError(f"{path} cannot be read: {error}", "mend that line; see memex init --help") from error
    for phrase, name in found.items():
        if not isinstance(name, str):
            raise UsageError(f"{path} [aliases]: {phrase} is {name!r}, not a name", '"step size" = "lr"')
    return dict(found)
