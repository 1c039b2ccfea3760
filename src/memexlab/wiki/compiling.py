"""The compiler without a model: files become sources and claims, claims become `wiki/`. Cheap to run again.

A file is known by the hash of its bytes; one that is known is not read further. It knows no terminal.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from os.path import normpath
from pathlib import Path

from ..ledger import Draft, Finding, Ref, Source, UsageError, Verdict, blob_id
from ..memory import Memory
from . import extract
from .claims import claim_key, gate
from .pages import Wiki
from .readers import READERS, Document, name_of, read
from .schema import read_schema
from .standing import standing
from .vault import FOLDER, Vault, Written

_BATCH_DRAFTS = 3_000
_SKIPPED = frozenset(["node_modules", "__pycache__", "venv"])


@dataclass(frozen=True, slots=True)
class Compiled:
    """What became of files, claims and pages."""

    new: int
    changed: int
    known: int
    gone: int
    claims: int
    refused: dict[str, int]
    unread: dict[str, int]
    wiki: Written
    seconds: float
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """A source that stands: its entry, the file it came from, the hash of that file, and what read it."""

    entry: str
    path: str
    digest: str
    version: int


def compile_paths(memory: Memory, root: Path, paths: Sequence[Path], by: str) -> Compiled:
    """Takes in files and folders, withdraws what is gone from them, and renders the wiki."""
    began, counts, claims = time.monotonic(), Counter[str](), 0
    refused, unread, findings = Counter[str](), Counter[str](), list[Finding]()
    known = _known(memory.db)
    drafts: list[Draft] = []
    for path in _files(root, paths, known, unread, findings):
        name = name_of(path, root)
        before = known.get(name, [])
        try:
            digest = blob_id(path.read_bytes())
        except OSError as error:
            findings.append(Finding("source-unreadable", "warning", name, str(error.strerror), f"ls -l {name}"))
            continue
        if before and all(one.digest == digest and one.version == extract.VERSION for one in before):
            counts["known"] += 1
            continue
        documents = []
        for item in read(path, root):
            documents.append(item) if isinstance(item, Document) else findings.append(item)
        if not documents:
            continue
        counts["changed" if before else "new"] += 1
        for place, document in enumerate(documents):
            replaced = before if place == 0 else ()
            made, wrong = _drafts(memory, document, name, digest, [one.entry for one in replaced], len(drafts))
            refused.update(finding.rule for finding in wrong)
            claims += len(made) - 1
            drafts += made
        if len(drafts) >= _BATCH_DRAFTS:
            memory.land(drafts, by)
            drafts = []
    if drafts:
        memory.land(drafts, by)
    counts["gone"] = _withdraw(memory, root, paths, by)
    wiki = render(memory, root)
    seconds = time.monotonic() - began
    return Compiled(
        counts["new"], counts["changed"], counts["known"], counts["gone"], claims, dict(sorted(refused.items())),
        dict(sorted(unread.items())), wiki, seconds, (*findings, *wiki.findings),
    )  # fmt: skip


def render(memory: Memory, root: Path) -> Written:
    """Renders `wiki/` from what stands now."""
    vault = Vault(root)
    try:
        return vault.write(Wiki(standing(memory.db), read_schema(root)).render())
    finally:
        vault.close()


def _known(db: sqlite3.Connection) -> dict[str, list[_Known]]:
    found: dict[str, list[_Known]] = {}
    rows = db.execute(
        "SELECT e.id, json_extract(e.body, '$.meta.path'), json_extract(e.body, '$.meta.digest'),"
        " json_extract(e.body, '$.meta.version') FROM documents d JOIN entries e ON e.seq = d.entry ORDER BY e.id"
    )
    for entry, path, digest, version in rows:
        if path is not None:
            found.setdefault(path, []).append(_Known(entry, path, digest, version))
    return found


def _files(
    root: Path, paths: Sequence[Path], known: dict[str, list[_Known]], unread: Counter[str], findings: list[Finding]
) -> Iterator[Path]:
    """The files to read, in order, each once; hidden folders, links and the lab's own `wiki/` are left out."""
    seen: set[str] = set()
    for path in paths:
        if not path.exists() and name_of(path, root) not in known and not _below(name_of(path, root), known):
            raise UsageError(f"there is no {path}", "memex ingest raw")
        for file in _walk(path, root, findings) if path.is_dir() else [path] if path.exists() else []:
            name = name_of(file, root)
            if name in seen:
                continue
            seen.add(name)
            if file.suffix.lower() in READERS:
                yield file
            else:
                unread[file.suffix.lower() or "no suffix"] += 1


def _walk(folder: Path, root: Path, findings: list[Finding]) -> Iterator[Path]:
    own = {(root / FOLDER).resolve(), (root / "reports").resolve()}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in _SKIPPED or path.resolve() in own:
            continue
        if path.is_symlink():
            findings.append(
                Finding(
                    "source-link",
                    "info",
                    name_of(path, root),
                    "a symbolic link is not followed",
                    "memex ingest its target",
                )
            )
        elif path.is_dir():
            yield from _walk(path, root, findings)
        elif path.is_file() and not (
            path.parent.resolve() == root.resolve() and path.name in ("memex.toml", "program.md", "schema.md")
        ):
            yield path


def _below(folder: str, names: dict[str, list[_Known]]) -> list[str]:
    prefix = "" if folder == "." else f"{folder}/"
    return [name for name in names if name.startswith(prefix) and (prefix or not name.startswith("../"))]


def _drafts(
    memory: Memory, document: Document, path: str, digest: str, before: list[str], place: int
) -> tuple[list[Draft], list[Finding]]:
    """The source and its claims; `place` is where they will stand in the batch."""
    data = document.text.encode("utf-8", errors="replace")
    blob = memory.blobs.put(data)
    raw = (
        [Ref("from", memory.blobs.put(document.raw))]
        if document.raw is not None and blob_id(document.raw) != blob
        else []
    )
    subject = f"source:{document.name}"[:300]
    earlier = memory.db.execute(
        "SELECT count(*) FROM entries WHERE subject = ? AND kind = 'source'", (subject,)
    ).fetchone()[0]
    name = blake2b(document.name.encode("utf-8", errors="surrogateescape"), digest_size=12).hexdigest()
    key = f"wiki:{name}:{digest[2:26]}:{extract.VERSION}:{earlier}"
    told = {k: v for k, v in document.meta.items() if k not in ("fields",)}
    kinds = [value.lower() for field, value, _, _ in document.meta.get("fields", ()) if field.lower() == "type"]
    meta = {**told, "document": document.name, "path": path, "digest": digest, "version": extract.VERSION,
            "type": kinds[0] if kinds else "", "mentions": extract.mentions(document)}  # fmt: skip
    body = Source(document.title, document.media, document.uri or document.name, document.author, document.published,
                  licence=document.licence, meta=meta)  # fmt: skip
    refs = (Ref("file", blob), *raw, *(Ref("supersedes", one) for one in before))
    drafts, findings = gate(extract.propose(document), document.text, document.title, blob, f"@{place}")
    claims = [
        Draft(d.subject, d.body, d.refs, d.since, d.until,
              f"{key}:{claim_key('', d.subject, d.body.relation, str(d.body.object), d.body.text)}")  # type: ignore[union-attr]
        for d in drafts
    ]  # fmt: skip
    return [Draft(subject, body, refs, document.published or None, key=key), *claims], findings


def _withdraw(memory: Memory, root: Path, paths: Sequence[Path], by: str) -> int:
    """Retracts the sources whose files are gone from the folders that were named."""

    def drafts() -> list[Draft]:
        known = _known(memory.index.db)
        told: list[Draft] = []
        for path in paths:
            name = name_of(path, root)
            for lost in dict.fromkeys([*([name] if name in known else []), *_below(name, known)]):
                if not Path(normpath(root / lost)).exists():
                    refs = tuple(Ref("retracts", one.entry) for one in known[lost])
                    told.append(Draft(f"source:{lost}"[:300], Verdict("retract", f"{lost} is no longer there"), refs))
        return list({draft.subject: draft for draft in told}.values())

    return len(memory.land(drafts, by))
