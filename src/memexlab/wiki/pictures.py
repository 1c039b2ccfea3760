"""Pictures of sources: kept as blobs when their source is taken in, laid into `wiki/files/` by what they hold."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from ..ledger import Blobs, Ref, write_durably
from ..memory import Memory
from .pages import Wiki
from .subjects import plain
from .vault import FOLDER


def kept(blobs: Blobs, root: Path, meta: Mapping[str, Any]) -> tuple[list[list[str]], tuple[Ref, ...]]:
    """What is said of each picture, its file in the wiki and its blob; and the references that hold the blobs."""
    told: list[list[str]] = []
    for said, name in meta.get("pictures", ()):
        blob = blobs.put((root / name).read_bytes())
        told.append([said, f"files/{blob[2:18]}{PurePosixPath(name).suffix.lower()}", blob])
    return told, tuple(Ref("artifact", blob) for _, _, blob in told)


def lay_pictures(memory: Memory, root: Path, wiki: Wiki, files: dict[str, str]) -> None:
    """Shows the pictures of each source on its page, and makes `wiki/files/` hold these and no others of ours."""
    shown: dict[str, str] = {}
    rows = memory.db.execute(
        "SELECT d.document, json_extract(e.body, '$.meta.pictures') FROM documents d JOIN entries e ON e.seq = d.entry"
        " WHERE EXISTS (SELECT 1 FROM refs r WHERE r.seq = d.entry AND r.role = 'artifact')"
        " AND json_array_length(e.body, '$.meta.pictures') > 0 ORDER BY d.document, e.key"
    )
    for name, pictures in rows.fetchall():
        page = wiki.subjects.resolve(wiki.sources[name].subject) if name in wiki.sources else None
        told = json.loads(pictures)
        shown |= {file: blob for _, file, blob in told}
        if page is not None and (text := files.get(f"{page.slug}.md")):
            lines = "\n\n".join(f"![{plain(said)}]({quote(file)})" for said, file, _ in told)
            body, note, notes = text.partition("\n[^1]: ")
            files[f"{page.slug}.md"] = f"{body.rstrip()}\n\n## Pictures\n\n{lines}\n{note}{notes}"
    folder = root / FOLDER / "files"
    for file, blob in shown.items():
        if not (root / FOLDER / file).exists():
            folder.mkdir(parents=True, exist_ok=True)
            write_durably(root / FOLDER / file, memory.blobs.get(blob))
    for path in folder.glob("*") if folder.is_dir() else ():
        if re.fullmatch(r"[0-9a-f]{16}\.\w+", path.name) and f"files/{path.name}" not in shown:
            path.unlink()
