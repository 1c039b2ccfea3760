"""Makes labs from a target that ships with the package, and writes what agents read in any lab."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..config import NAME, load
from ..folder import FILE, FOLDER
from ..ledger import OutsideError, UsageError
from ..memory import Memory
from ..wiki.schema import DEFAULT

_IGNORED = f"{FOLDER}/\nresults.tsv\nreports/\n__pycache__/\n"

RAW = "Put what you read here: notes, articles, papers. Then: memex ingest raw\n"

POINTER = "Read [AGENTS.md](AGENTS.md): it says how to work in this lab.\n"


@dataclass(frozen=True, slots=True)
class Started:
    """A new lab, and what to type next."""

    folder: str
    target: str
    next: str

    def __str__(self) -> str:
        return f"lab {self.folder} is ready ({self.target})\nnext: {self.next}"


GUIDES = Path(__file__).with_name("guides")


def targets_folder() -> Path:
    """Where the targets that ship with the package lie: inside it when installed, beside `src` in a checkout."""
    installed = Path(__file__).parents[1] / "targets"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "targets"


def init_over(folder: Path) -> Started:
    """A lab of memory and wiki over a folder of notes, such as a vault: its files stay as they are, and are sources."""
    if (folder / FILE).exists():
        raise UsageError(f"{folder} is a lab already", f"memex --lab {folder} ingest {folder}")
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).strip("-._")[:80] or "lab"
    (folder / FILE).write_text(f'[lab]\nname = "{name}"\n', encoding="utf-8")
    if not (folder / "schema.md").exists():
        (folder / "schema.md").write_text(DEFAULT.read_text(encoding="utf-8"), encoding="utf-8")
    remember(folder)
    (folder / FOLDER / ".gitignore").write_text("*\n", encoding="utf-8")  # inside: that of the folder is the person's
    return Started(str(folder), "over what is here; pages go to wiki/", f"cd {folder} && memex ingest .")


def init_lab(folder: Path, target: str) -> Started:
    """A lab in a new or empty folder, with the target's files in a git repository of its own; without a target also
    over a folder that holds notes."""
    if folder.exists() and any(folder.iterdir()):
        if target == "none":
            return init_over(folder)
        hint = "memex init NEW-FOLDER, memex init --here inside a repository, or memex init . --target none over notes"
        raise UsageError(f"{folder} is not empty", hint)
    name = folder.resolve().name
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot name a lab", "letters, digits, . _ - and at most 80 of them")
    if target == "none":
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(f'[lab]\nname = "{name}"\n', encoding="utf-8")
    else:
        source = targets_folder() / target
        if not (source / FILE).exists():
            raise UsageError(f"there is no target {target} in {targets_folder()}", "memex init DIR --target microgpt")
        shutil.copytree(
            source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("out", "__pycache__", "*.pyc")
        )
        text = (folder / FILE).read_text(encoding="utf-8")
        if "[lab]" not in text:
            (folder / FILE).write_text(f'[lab]\nname = "{name}"\n\n{text}', encoding="utf-8")
    write_guides(folder)
    (folder / "schema.md").write_text(DEFAULT.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "raw").mkdir()
    (folder / "raw" / ".gitkeep").write_text(RAW, encoding="utf-8")  # hidden: it is no source
    ignore = folder / ".gitignore"
    before = ignore.read_text(encoding="utf-8") if ignore.exists() else ""
    ignore.write_text(before + _IGNORED, encoding="utf-8")
    remember(folder)
    _git(folder, "init", "--quiet")
    _git(folder, "add", "--all")
    _git(folder, "-c", "user.name=memex", "-c", "user.email=memex@localhost", "commit", "--quiet", "-m", f"lab {name}")
    return Started(str(folder), target, f"cd {folder} && memex {'doctor' if target == 'none' else 'run --runs 8'}")


def write_guides(folder: Path) -> list[str]:
    """Writes what a coding agent and a person who steers read, where it is missing; returns the names."""
    config = load(folder)
    contract = config.contract
    edit = contract.edit if contract is not None else ()
    lock = contract.lock if contract is not None else ()
    ranges = contract.ranges.items() if contract is not None else ()
    knob = next((name for name, given in ranges if given.low is not None and not given.fixed), "LEARNING_RATE")
    scored = contract is not None and bool(contract.evaluate)
    words = {
        "name": config.name, "files": " ".join(edit), "edit": ", ".join(f"`{name}`" for name in edit),
        "scored": "scores it with the locked evaluator" if scored else "reads the metric that it prints",
        "example": f"raise {knob}", "locked": f"Locked are: {', '.join(lock)}." if lock else "",
    }  # fmt: skip
    kind = "memory" if contract is None else "loop"
    sources = {"AGENTS.md": f"AGENTS.{kind}.md", ".agents/skills/memex/SKILL.md": f"SKILL.{kind}.md"}
    if contract is not None:
        sources["program.md"] = "program.md"
    guides = {"CLAUDE.md": POINTER, "GEMINI.md": POINTER}
    guides |= {name: (GUIDES / source).read_text(encoding="utf-8").format(**words) for name, source in sources.items()}
    missing = [name for name in guides if not (folder / name).exists()]
    for name in missing:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(guides[name], encoding="utf-8")
    return missing


def remember(folder: Path) -> None:
    """Makes the memory of a lab, still empty."""
    memory = Memory(folder / FOLDER)
    memory.index.catch_up()
    memory.close()


def _git(folder: Path, *args: str) -> None:
    try:
        done = subprocess.run(["git", *args], cwd=folder, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise OutsideError("git is not installed", hint="install git, for example: apt install git") from error
    if done.returncode:
        raise OutsideError(f"git {args[0]} failed in {folder}: {done.stderr.strip()}", hint=f"git -C {folder} status")
