"""`memex ingest PATH...`: files and folders in, `wiki/` rendered; a `.jsonl` file is documents, one on each line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..memory import Memory
from ..wiki.compiling import Compiled, compile_paths
from .live import counter
from .search import Ingested, ingest
from .sync import told as told_by_hand


@dataclass(frozen=True, slots=True)
class Taken:
    """What one `memex ingest` did: files of documents one by one, then everything else at once."""

    files: tuple[Ingested, ...]
    compiled: Compiled | None
    accepted: int = 0

    def data(self) -> Any:
        compiled = self.compiled and asdict(self.compiled)
        return {"files": [asdict(file) for file in self.files], "compiled": compiled, "accepted": self.accepted}

    def __str__(self) -> str:
        lines = [str(file) for file in self.files]
        if (done := self.compiled) is not None:
            wiki = done.wiki
            lines += [f"{hand}; these edits were synced first"] if (hand := told_by_hand(done.by_hand)) else []
            lines.append(
                f"sources: {done.new} new, {done.changed} changed, {done.known} known before, {done.gone} gone\n"
                f"claims: {done.claims} landed, {sum(done.refused.values())} refused{counted(done.refused)}"
                f"{f', {done.carried} of agents and people went along' if done.carried else ''}\n"
                f"wiki: {wiki.pages} pages, {wiki.written} files written, {wiki.removed} removed, "
                f"in {done.seconds:.1f} s"
            )
            lines += [f"left out, no reader{counted(done.unread)}"] if done.unread else []
            lines += [str(finding) for finding in done.findings[:20]]
            lines += [f"and {len(done.findings) - 20} more: memex ingest --json"] if len(done.findings) > 20 else []
        lines += [f"accepted unseen: {self.accepted}; what was joined: memex same"] if self.accepted else []
        return "\n".join(lines)


def counted(counts: dict[str, int]) -> str:
    return f" ({', '.join(f'{count} {name}' for name, count in counts.items())})" if counts else ""


def take_in(memory: Memory, root: Path, paths: Sequence[Path], by: str, yes: bool = False) -> Taken:
    """Takes in every path; the wiki is rendered once, when all is in. `yes` accepts the merges that would wait."""
    lists = [path for path in paths if path.suffix == ".jsonl"]
    rest = [path for path in paths if path.suffix != ".jsonl"]
    files = tuple(ingest(memory, by, path) for path in lists)
    with counter(sys.stderr, "reading") as told:
        compiled = compile_paths(memory, root, rest, by, told) if rest else None
    if not yes or not compiled:
        return Taken(files, compiled)
    from ..wiki.review import accept_all  # here, so that one more note does not wait for all that compares names

    return Taken(files, compiled, accept_all(memory, root, by))
