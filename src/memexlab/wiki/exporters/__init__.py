"""The wiki as it lies on disk, to be given away: its pages, what links to what, and the files of an export.

An export is made of bytes by name and holds nothing of a clock, so that the same wiki gives the same export. What a
format needs stands in its own module; none of them knows a terminal.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...ledger import UsageError
from ..markdown import front_matter
from ..vault import FOLDER

#: What an export wrote, so that the next one into the same folder removes what is no longer there.
MANIFEST = ".memex-export.json"
WIKILINK = re.compile(r"(?<!!)\[\[([^\]|#\n]{1,200})(#[^\]|\n]*)?(?:\|([^\]\n]{1,300}))?\]\]")


@dataclass(frozen=True, slots=True)
class PageFile:
    """A page: its name without `.md`, its front matter by key as written, and its text below."""

    name: str
    front: Mapping[str, str]
    body: str

    @property
    def title(self) -> str:
        return self.told("title") or self.name

    def told(self, key: str) -> str:
        """A value of the front matter without its quotes."""
        value = self.front.get(key, "")
        return re.sub(r"\\(.)", r"\1", value[1:-1]) if value[:1] == '"' == value[-1:] and len(value) > 1 else value


def read_pages(root: Path) -> dict[str, PageFile]:
    """Every page of `wiki/` by its name, edits by hand included; raises UsageError where there is none."""
    folder = (root / FOLDER).resolve()
    found: dict[str, PageFile] = {}
    for path in sorted(folder.rglob("*.md")):
        name = path.relative_to(folder).as_posix().removesuffix(".md")
        if path.is_symlink() or not path.is_file() or any(part.startswith(".") for part in name.split("/")):
            continue
        found[name] = PageFile(name, *front_matter(path.read_text(encoding="utf-8", errors="replace")))
    if not found:
        raise UsageError(f"there are no pages in {root / FOLDER}", "memex ingest raw")
    return found


def links_of(pages: Mapping[str, PageFile]) -> dict[str, set[str]]:
    """Which pages each page links to; index and log link to everything and count for nothing."""
    linked: dict[str, set[str]] = defaultdict(set)
    for name, page in pages.items():
        if name not in ("index", "log"):
            linked[name] = {m[1].strip() for m in WIKILINK.finditer(page.body)} & pages.keys() - {name, "index", "log"}
    return linked


def pictures_of(root: Path) -> dict[str, bytes]:
    """The files that pages embed, by their name in the wiki."""
    folder = root / FOLDER / "files"
    paths = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    return {f"files/{path.name}": path.read_bytes() for path in paths if not path.is_symlink()}


def write_export(out: Path, files: Mapping[str, bytes]) -> None:
    """Writes a folder, or an archive where the name ends with .zip; a folder that is no export is left alone."""
    if out.suffix == ".zip":
        out.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in sorted(files.items()):
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
        return
    manifest = out / MANIFEST
    if out.exists() and not manifest.is_file() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is there, and is no export of memex", "name a new folder")
    before = json.loads(manifest.read_text(encoding="utf-8")) if manifest.is_file() else []
    for name, data in files.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    for name in set(map(str, before)) - files.keys():
        gone = (out / name).resolve()
        if gone.is_relative_to(out.resolve()):
            gone.unlink(missing_ok=True)
    manifest.write_text(json.dumps(sorted(files)), encoding="utf-8")
