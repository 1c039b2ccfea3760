"""The compiler without a model: files become sources and claims, claims become `wiki/`. Cheap to run again.

A file is known by the hash of its bytes; one that is known is not read further. It knows no terminal.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from os.path import normpath
from pathlib import Path

from ..ledger import Claim, Draft, Finding, Ref, Source, UsageError, Verdict, blob_id
from ..memory import Memory
from . import extract
from .carried import carry
from .claims import claim_key, gate
from .compile_cache import Kept, uncollected
from .experiments import with_runs
from .incremental import Resolving
from .keys import keys_in, without_keys
from .lint import gate as refused_to_write
from .listing import with_notes
from .live_claims import standing
from .namesakes import Namesakes
from .pages import Wiki
from .pictures import kept, lay_pictures
from .readers import READERS, Document, name_of, read
from .readers.folders import Folders
from .schema import mistakes, read_schema
from .stored_answers import question_pages, worded
from .syncing import ByHand, keyed, other_name, take
from .vault import FOLDER, FOREIGN, Vault, Written

#: Who says what rules find; what is found by hand, and that a file is gone, is of who compiles.
BY = "code:memexlab/0.1"
_BATCH_DRAFTS = 3_000
_REFUSED_KEPT = 50
_SKIPPED = frozenset(["node_modules", "__pycache__", "venv"])


@dataclass(frozen=True, slots=True)
class Compiled:
    """What became of files, claims and pages."""

    new: int
    changed: int
    known: int
    gone: int
    carried: int
    claims: int
    refused: dict[str, int]
    unread: dict[str, int]
    wiki: Written
    seconds: float
    findings: tuple[Finding, ...]
    by_hand: ByHand


@dataclass(frozen=True, slots=True)
class _Known:
    """A source that stands: its entry, the file it came from, the hash of that file, and what read it."""

    entry: str
    path: str
    digest: str
    version: int


@uncollected()
def compile_paths(
    memory: Memory, root: Path, paths: Sequence[Path], by: str, told: Callable[[int, int], None] = lambda done, of: None
) -> Compiled:
    """Takes in files and folders, withdraws what is gone from them, and renders the wiki; `told` hears of each file."""
    began, counts, claims = time.monotonic(), Counter[str](), 0
    taken = take(memory, root, by)
    refused, unread, findings = Counter[str](), Counter[str](), [*mistakes(root), *taken.findings]
    since = memory.db.execute("SELECT coalesce(max(seq), -1) FROM entries").fetchone()[0]
    known = _known(memory.db, root, paths)
    drafts: list[Draft] = []
    found = Folders(root)

    def take_in(name: str, digest: str, documents: Sequence[Document], before: Sequence[_Known]) -> None:
        nonlocal drafts, claims
        counts["changed" if before else "new"] += 1
        for place, document in enumerate(documents):
            replaced = [one.entry for one in before] if place == 0 else []
            made, wrong = _drafts(memory, root, document, name, digest, replaced, len(drafts))
            refused.update(finding.rule for finding in wrong)
            claims += len(made) - 1
            drafts += made
        if len(drafts) >= _BATCH_DRAFTS:
            memory.land(drafts, BY)
            drafts = []

    files = list(_files(root, paths, known, unread, findings, found))
    for number, path in enumerate(files):
        told(number, len(files))
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
        documents: list[Document] = []
        for item in read(path, root):
            documents.append(item) if isinstance(item, Document) else findings.append(item)
        if documents:
            take_in(name, digest, [found.placed(document, path) for document in documents], before)
        elif findings and findings[-1].where.partition("#")[0] == name:
            found.gaps[name] = findings[-1].rule.removeprefix("source-")
    for document in found.documents():
        before, digest = known.get(document.name, []), blob_id(document.text.encode(errors="replace"))
        if any(one.digest == digest for one in before):
            counts["known"] += 1
        else:
            take_in(document.name, digest, [document], before)
    if drafts:
        memory.land(drafts, BY)
    counts["gone"] = _withdraw(memory, root, paths, by)
    counts["carried"], lost = carry(memory, since)
    findings += lost
    wiki = render(memory, root, taken)
    seconds = time.monotonic() - began
    return Compiled(
        counts["new"], counts["changed"], counts["known"], counts["gone"], counts["carried"], claims,
        dict(sorted(refused.items())), dict(sorted(unread.items())), wiki, seconds, (*findings, *wiki.findings), taken,
    )  # fmt: skip


@uncollected()
def render(memory: Memory, root: Path, taken: ByHand | None = None) -> Written:
    """Renders `wiki/` from what stands now; over edits by hand only where they were `taken` in."""
    vault, resolving = Vault(root), Resolving(memory, root)
    try:
        sound = vault.names() - (taken.edited if taken is not None else vault.edited().keys())
        found = resolving(sound)
        wiki, files = found.wiki, found.files
        held = {name for name, text in files.items() if next(keys_in(text), None) is not None}
        files |= {name: without_keys(files[name]) for name in held}
        had, unsaid = vault.names(), question_pages(memory.db, memory.blobs, wiki, files)
        lay_pictures(memory, root, wiki, files)
        pages = files.keys() | found.names
        by_hand = wiki.with_hands(files)
        absorbed = taken.absorbed(by_hand) if taken is not None else {}
        notes = {name: text for name, text in by_hand.items() if name not in pages}
        notes |= vault.kept(pages | notes.keys() | absorbed.keys())
        if notes:
            files["index.md"] = with_notes(files["index.md"], notes)
            by_hand["index.md"] = wiki.with_hands({"index.md": files["index.md"]})["index.md"]
        # A person may write what they like; what came from sources is looked at before it is written.
        done = vault.write(by_hand, found.names, absorbed, lambda name: refused_to_write(name, files.get(name, "")))
        resolving.keep(finding.where.removeprefix(f"{FOLDER}/") for finding in done.findings)
    finally:
        resolving.close()
        vault.close()
    names = {finding.where.removeprefix(f"{FOLDER}/")[:-3] for finding in done.findings if finding.rule == FOREIGN}
    if drafts := [keyed(memory, other_name(wiki, name)) for name in sorted(names) if wiki.subjects.slugs[name]]:
        memory.land(drafts, BY)
        return render(memory, root, taken)
    told = "rested on words that are gone, and its page with them"
    gone = [Finding("answer-withdrawn", "warning", f"{FOLDER}/{name}", f"the answer to {question!r} {told}",
                    f'memex ask --save "{question}"') for name, question in unsaid.items() if name in had]  # fmt: skip
    keys = [Finding("secret", "warning", f"{FOLDER}/{name}", "what looks like a key is left out", "memex lint")
            for name in sorted(held - {"index.md", "log.md"})]  # fmt: skip
    return replace(done, findings=(*done.findings, *gone, *keys))


@uncollected()
def wiki_of(memory: Memory, root: Path) -> Wiki:
    """Everything that pages are rendered from, as it stands now."""
    found, schema, namesakes = standing(memory.db), read_schema(root), Namesakes(Kept())
    namesakes.take(found, found.sources, schema)
    return Wiki(with_runs(namesakes.apart(found), memory.db), schema, worded(memory.db))


def _known(db: sqlite3.Connection, root: Path, paths: Sequence[Path]) -> dict[str, list[_Known]]:
    """By file the sources that stand, of these files and of all below these folders."""
    found: dict[str, list[_Known]] = {}
    names = [name_of(path, root) for path in paths]
    rows = db.execute(
        "SELECT e.id, json_extract(e.body, '$.meta.path'), json_extract(e.body, '$.meta.digest'),"
        " json_extract(e.body, '$.meta.version') FROM json_each(?) j JOIN documents d ON d.document >="
        " j.value AND d.document < j.value || char(1114111) JOIN entries e ON e.seq = d.entry GROUP BY e.id"
        " ORDER BY e.id",
        (json.dumps(["" if name == "." else name for name in names]),),
    )
    for entry, path, digest, version in rows:
        if path is not None:
            found.setdefault(path, []).append(_Known(entry, path, digest, version))
    return found


def _files(
    root: Path,
    paths: Sequence[Path],
    known: dict[str, list[_Known]],
    unread: Counter[str],
    findings: list[Finding],
    found: Folders,
) -> Iterator[Path]:
    """The files to read, in order, each once; hidden folders, links and the lab's own `wiki/` are left out."""
    seen: set[str] = set()
    for path in paths:
        if not path.exists() and name_of(path, root) not in known and not _below(name_of(path, root), known):
            raise UsageError(f"there is no {path}, here or in the lab", f"ls {path.parent}; memex ingest --help")
        for file in _walk(path, root, findings, found) if path.is_dir() else [path] if path.exists() else []:
            name = name_of(file, root)
            if name in seen:
                continue
            seen.add(name)
            if file.suffix.lower() in READERS:
                yield file
            else:
                unread[file.suffix.lower() or "no suffix"] += 1
                found.gaps[name] = f"no reader for {file.suffix.lower() or 'a file without suffix'}"


def _walk(folder: Path, root: Path, findings: list[Finding], found: Folders) -> Iterator[Path]:
    found.enter(folder)
    own = {(root / FOLDER).resolve(), (root / "reports").resolve()}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in _SKIPPED or path.resolve() in own:
            continue
        if found.ignores(path):
            found.gaps[name_of(path, root)] = "ignored by git"
        elif path.is_symlink():
            found.gaps[name_of(path, root)] = "a symbolic link"
            told = "a symbolic link is not followed"
            findings.append(Finding("source-link", "info", name_of(path, root), told, "memex ingest its target"))
        elif path.is_dir():
            yield from _walk(path, root, findings, found)
        elif path.is_file() and not (
            path.parent.resolve() == root.resolve() and path.name in ("memex.toml", "program.md", "schema.md")
        ):
            yield path


def _below(folder: str, names: dict[str, list[_Known]]) -> list[str]:
    prefix = "" if folder == "." else f"{folder}/"
    return [name for name in names if name.startswith(prefix) and (prefix or not name.startswith("../"))]


def _drafts(
    memory: Memory, root: Path, document: Document, path: str, digest: str, before: list[str], place: int
) -> tuple[list[Draft], list[Finding]]:
    """The source and its claims; `place` is where they will stand in the batch."""
    data = document.text.encode("utf-8", errors="replace")
    blob = memory.blobs.put(data)
    other = document.raw is not None and blob_id(document.raw) != blob
    raw = [Ref("from", memory.blobs.put(document.raw))] if other and document.raw is not None else []
    subject = f"source:{document.name}"[:300]
    counted = "SELECT count(*) FROM entries WHERE subject = ? AND kind = 'source'"
    earlier = memory.db.execute(counted, (subject,)).fetchone()[0]
    name = blake2b(document.name.encode("utf-8", errors="surrogateescape"), digest_size=12).hexdigest()
    key = f"wiki:{name}:{digest[2:26]}:{extract.VERSION}:{earlier}"
    told = {k: v for k, v in document.meta.items() if k not in ("fields",)}
    kinds = [value.lower() for field, value, _, _ in document.meta.get("fields", ()) if field.lower() == "type"]
    meta = {**told, "document": document.name, "path": path, "digest": digest, "version": extract.VERSION,
            "type": kinds[0] if kinds else "", "mentions": extract.mentions(document)}  # fmt: skip
    proposals = extract.propose(document)
    drafts, findings = gate(proposals, document.text, document.title, blob, f"@{place}")
    stood = {(draft.subject, draft.body.text) for draft in drafts if isinstance(draft.body, Claim)}
    wrong = (p for p in proposals if (p.subject, p.text) not in stood)
    if lost := [[p.subject, p.text[:500], f.message] for p, f in zip(wrong, findings, strict=False)]:
        meta["refused"] = lost[:_REFUSED_KEPT]  # for memex review
    meta["pictures"], held = kept(memory.blobs, root, document.meta)
    body = Source(document.title, document.media, document.uri or document.name, document.author, document.published,
                  licence=document.licence, meta=meta)  # fmt: skip
    refs = (Ref("file", blob), *raw, *held, *(Ref("supersedes", one) for one in before))
    claims = [
        Draft(d.subject, d.body, d.refs, d.since, d.until,
              f"{key}:{claim_key('', d.subject, d.body.relation, str(d.body.object), d.body.text)}")  # type: ignore[union-attr]
        for d in drafts
    ]  # fmt: skip
    return [Draft(subject, body, refs, document.published or None, key=key), *claims], findings


def _withdraw(memory: Memory, root: Path, paths: Sequence[Path], by: str) -> int:
    """Retracts the sources whose files are gone from the folders that were named."""

    def drafts() -> list[Draft]:
        known = _known(memory.index.db, root, paths)
        told: list[Draft] = []
        for path in paths:
            name = name_of(path, root)
            for lost in dict.fromkeys([*([name] if name in known else []), *_below(name, known)]):
                if not Path(normpath(root / lost)).exists():
                    refs = tuple(Ref("retracts", one.entry) for one in known[lost])
                    told.append(Draft(f"source:{lost}"[:300], Verdict("retract", f"{lost} is no longer there"), refs))
        return list({draft.subject: draft for draft in told}.values())

    return len(memory.land(drafts, by))
