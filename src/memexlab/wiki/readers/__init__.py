"""The port of readers: a file becomes documents or findings. Which module reads which suffix stands in READERS.

A reader module has `parse(data, name) -> Iterator[Document | Finding]`; `name` is the path relative to the lab. What it
needs beyond the standard library it imports itself, so that no file waits for a library it does not use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from os.path import relpath
from pathlib import Path
from typing import Any

from ...ledger import Finding

LIMIT_BYTES = 20_000_000
PICTURES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp"})
#: Suffix to the module of this package that reads it.
READERS: dict[str, str] = {
    ".md": "text", ".markdown": "text", ".rst": "text", ".txt": "text", ".csv": "tables", ".tsv": "tables",
    ".html": "html", ".htm": "html", ".pdf": "pdf", ".docx": "office", ".epub": "office", ".vtt": "transcripts",
    ".srt": "transcripts", ".ipynb": "notebooks", ".mbox": "mail",
    ".rss": "feeds", ".atom": "feeds", ".xml": "feeds", ".js": "feeds",
    **dict.fromkeys(sorted(PICTURES), "pictures"),
}  # fmt: skip
#: Modules whose parsers are other people's, or unpack what came packed: they read in a process of their own.
APART = frozenset({"html", "pdf", "office", "mail", "feeds"})


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it, up to the next heading; places are characters of the text."""

    heading: str
    level: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Link:
    """A link of the text: what is shown, what it points to, and where it stands."""

    text: str
    target: str
    start: int


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file: `text` is the file itself where it is text, else what was extracted from `raw`.

    Its `name` is the path relative to the lab, with `#part` where a file holds several. `meta["subject"]` is what the
    document itself is called ("PEP 8"), `meta["fields"]` are its header fields: name, value, start, end in characters.
    """

    name: str
    title: str
    text: str
    media: str
    author: str = ""
    published: str = ""
    uri: str = ""
    licence: str = ""
    sections: tuple[Section, ...] = ()
    links: tuple[Link, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    attachments: tuple[str, ...] = ()
    raw: bytes | None = None


def read(path: Path, root: Path) -> Iterator[Document | Finding]:
    """The documents of a file, or the finding that says why it has none; never raises for what a file holds."""
    name = name_of(path, root)
    module = READERS.get(path.suffix.lower())
    if module is None:
        yield Finding("reader", "info", name, f"no reader for {path.suffix or 'a file without suffix'}")
        return
    try:
        if path.stat().st_size > LIMIT_BYTES:
            yield Finding("source-size", "warning", name, f"over {LIMIT_BYTES} bytes", "split the file")
            return
        data = path.read_bytes()
    except OSError as error:
        yield Finding("source-unreadable", "warning", name, f"cannot be read: {error.strerror}", f"ls -l {name}")
        return
    if module == "pictures" and path.with_name(f"{path.name}.txt").is_file():
        return  # what stands beside it is the source, and brings it along
    if not data.strip():
        yield Finding("source-empty", "warning", name, "the file is empty")
        return
    if module in APART:
        from .apart import parse_apart

        yield from parse_apart(module, data, name)
        return
    try:
        for found in import_module(f".{module}", __name__).parse(data, name):
            if module == "text" and isinstance(found, Document):
                from .pictures import embedded

                pictures = embedded(found, path, root)
                meta = {**found.meta, "pictures": pictures}
                found = replace(found, meta=meta, attachments=tuple(picture[1] for picture in pictures))
            yield found
    except Exception as error:  # a reader may meet any bytes, and one file must not end the taking in of all others
        told = f"its reader {module} failed: {type(error).__name__}: {error}"[:300]
        yield Finding("source-unreadable", "warning", name, told, "the file is kept; leave it out, or mend the reader")


def name_of(path: Path, root: Path) -> str:
    """The path relative to the lab, with forward slashes; `../` where it lies outside."""
    return Path(relpath(path.absolute(), root.absolute())).as_posix()
