"""`memex sync`: what people changed in `wiki/` becomes entries, and the pages are rendered again around it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..memory import Memory
from ..wiki.compiling import render
from ..wiki.syncing import ByHand, take
from ..wiki.vault import Written


@dataclass(frozen=True, slots=True)
class Synced:
    """What was found in pages, and what became of the wiki."""

    found: ByHand
    wiki: Written

    def data(self) -> dict[str, Any]:
        found, wiki = self.found, self.wiki
        return {
            "pages": found.pages, "changed": found.changed, "added": found.added, "withdrawn": found.withdrawn,
            "renamed": found.renamed, "written": wiki.written, "removed": wiki.removed,
            "findings": [asdict(finding) for finding in (*found.findings, *wiki.findings)],
        }  # fmt: skip

    def __str__(self) -> str:
        lines = [told(self.found) or "nothing in wiki/ was changed by hand"]
        lines.append(f"wiki: {self.wiki.written} files written, {self.wiki.removed} removed")
        return "\n".join([*lines, *map(str, (*self.found.findings, *self.wiki.findings))])


def told(found: ByHand) -> str:
    """In a line, what was taken from pages; nothing where nothing was."""
    if not found:
        return ""
    renamed = "".join(f", {old} is now {new}" for old, new in found.renamed)
    return (
        f"by hand: {found.changed} blocks changed, {found.added} added, {found.withdrawn} withdrawn "
        f"in {len(found.pages)} pages{renamed}"
    )


def sync(memory: Memory, root: Path, by: str) -> Synced:
    """Takes edits in and renders; pages that were not edited change only where they say what was changed."""
    found = take(memory, root, by)
    return Synced(found, render(memory, root, found))
