"""Pictures: one alone is a source whose text is what stands beside it, or its name; those a text embeds go with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from os.path import normpath
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from ...ledger import Finding
from . import PICTURES, Document, name_of

_EMBEDS = re.compile(
    r"!\[([^\]\n]{0,300})\]\(<?([^()<>\n]{1,300}?)>?(?:\s+\"[^\"\n]*\")?\)|!\[\[([^\]|#\n]{1,200})(?:\|([^\]\n]{0,300}))?\]\]"
)
_HEADS = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"RIFF")


def parse(data: bytes, name: str) -> Iterator[Document | Finding]:
    """One document that says no more than the name of the file; a file that is no picture is a finding."""
    if not data.startswith(_HEADS):
        yield Finding("source-damaged", "warning", name, "is no picture, whatever its name says", "open it in a viewer")
        return
    title = re.sub(r"[-_]+", " ", PurePosixPath(name).stem).strip() or name
    media = f"image/{PurePosixPath(name).suffix[1:].lower().replace('jpg', 'jpeg')}"
    pictures = [[title, name]]
    yield Document(name, title, f"{title}\n", media, raw=data, attachments=(name,),
                   meta={"subject": title, "fields": [], "pictures": pictures})  # fmt: skip


def embedded(document: Document, path: Path, root: Path) -> list[list[str]]:
    """[what is said of it, file relative to the lab] of each picture of the lab that a text, or its name, embeds."""
    asked = [(m[1] or m[4] or "", m[2] or m[3]) for m in _EMBEDS.finditer(document.text)]
    if path.suffix == ".txt" and PurePosixPath(path.stem).suffix.lower() in PICTURES:
        asked = [(" ".join(document.text.split())[:300], path.stem)]
    found: dict[str, list[str]] = {}
    for told, target in asked:
        for base in (path.parent, path.parent / "attachments", path.parent / "assets", root):
            file = Path(normpath(base.absolute() / unquote(target.strip())))
            if file.suffix.lower() in PICTURES and file.is_file():
                if file.resolve().is_relative_to(root.resolve()) and file.read_bytes()[:6].startswith(_HEADS):
                    found.setdefault(name_of(file, root), [" ".join(told.split()) or file.stem, name_of(file, root)])
                break
    return list(found.values())[:50]
