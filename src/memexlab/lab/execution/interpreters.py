"""Which program a run's command starts, and which folders of this machine it needs to see: its own environment.

A lab may name the interpreter of its own virtual environment (`run = ".venv/bin/python train.py"`). The checkout that a
run gets holds only files that git tracks, so such a path is looked up in the lab.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path


def located(words: Sequence[str], lab: Path, checkout: Path, search_path: str = "") -> tuple[list[str], list[str]]:
    """The words of a command with its program found, and the folders to be seen behind the walls so that it starts.

    A relative path that the checkout lacks is taken from the lab. Folders are the virtual or conda environment that
    the program belongs to and the Python installation that a virtual one rests on; none for a program of the system.
    """
    program, *rest = words
    if os.sep in program and not os.path.isabs(program) and not (checkout / program).exists():
        program = os.path.abspath(lab / program) if (lab / program).exists() else program
    found = shutil.which(program, path=search_path or None)
    return [program, *rest], environment_of(Path(found)) if found and os.path.isabs(found) else []


def environment_of(program: Path) -> list[str]:
    """The folders of the environment that a program belongs to, its own first."""
    folder = program.parent.parent
    if (folder / "conda-meta").is_dir():
        return [str(folder)]
    if not (folder / "pyvenv.cfg").is_file():
        return []
    return [str(folder), str(program.resolve().parent.parent)]
