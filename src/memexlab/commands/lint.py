"""`memex lint`: what is wrong with the wiki, and what of it was mended."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..memory import Memory
from ..wiki.lint import Linted, lint, looked, mend_links
from .sync import sync

_TOLD = 40


@dataclass(frozen=True, slots=True)
class Report:
    """Findings of a lint; the exit code is 1 where one is an error."""

    linted: Linted

    @property
    def exit_code(self) -> int:
        return int(any(finding.severity == "error" for finding in self.linted.findings))

    def data(self) -> list[dict[str, Any]]:
        return [asdict(finding) for finding in self.linted.findings]

    def __str__(self) -> str:
        found = self.linted.findings
        counts = [f"{sum(f.severity == s for f in found)} {s}s" for s in ("error", "warning")]
        counts.append(f"{sum(f.severity == 'info' for f in found)} to know")
        lines = [f"mended: {name}" for name in self.linted.mended] + [str(finding) for finding in found[:_TOLD]]
        lines += [f"and {len(found) - _TOLD} more: memex lint --json"] if len(found) > _TOLD else []
        return "\n".join([*lines, f"{self.linted.pages} files: {', '.join(counts)}"])


def look(memory: Memory, root: Path, fix: bool, by: str) -> Report:
    """Lints; with `fix` it mends links first, then takes edits in and renders what is out of step."""
    if not fix:
        return Report(lint(memory, root))
    with looked(memory, root) as wiki:
        links = mend_links(root, wiki)
    synced = sync(memory, root, by)
    rendered = [f"{synced.wiki.written} files rendered"] if synced.wiki.written else []
    return Report(replace(lint(memory, root), mended=(*links, *rendered)))
