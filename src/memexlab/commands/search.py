"""`memex ingest` and `memex search`: documents in, ranked passages out."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..lab.wording import clean
from ..ledger import Draft, Finding, Ref, Source, UsageError
from ..memory import Memory
from .live import counter

if TYPE_CHECKING:
    from ..memory.search.retrieval import Hit

_BATCH = 1_000
_TEXTS = ("title", "text", "date", "author", "url")
_EXAMPLE = '{"id": "d1", "title": "...", "text": "..."}'


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of the lines of a file: every line is new, changed, known or a finding."""

    file: str
    new: int
    changed: int
    known: int
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        told = f"{self.file}: {self.new} new documents, {self.changed} changed, {self.known} known before"
        bad = "" if not self.findings else f"; {len(self.findings)} lines were not taken"
        return "\n".join([told + bad, *map(str, self.findings[:20])])


@dataclass(frozen=True, slots=True)
class Found:
    """Ranked documents for one text, or for each text of a file."""

    queries: tuple[tuple[str, tuple[Hit, ...]], ...]
    many: bool

    def data(self) -> Any:
        told = [[{k: v for k, v in asdict(hit).items() if k != "title"} for hit in hits] for _, hits in self.queries]
        lists = [{"id": name, "results": results} for (name, _), results in zip(self.queries, told, strict=True)]
        return lists if self.many else lists[0]

    def __str__(self) -> str:
        if self.many:
            return json.dumps(self.data(), ensure_ascii=False)
        [(_, hits)] = self.queries
        lines = [
            f"{h.score:8.4f}  {clean(h.source, 60)}  {clean(h.title, 80)}\n  {clean(h.passage, 200)}" for h in hits
        ]
        return "\n".join(lines) or "nothing in this memory matches"


def _objects(file: Path, findings: list[Finding], needed: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each good line as an object with where it stands; the other ones become findings."""
    try:
        lines = file.read_bytes().split(b"\n")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", "a file with one JSON object a line") from error
    for number, raw in enumerate(lines, 1):
        if not raw.strip():
            continue
        where = f"{file}:{number}"
        try:
            found = json.loads(raw.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            message = f"not a JSON object in UTF-8: {clean(str(error), 100)}"
            findings.append(Finding("line", "warning", where, message, f"write it as {_EXAMPLE}"))
            continue
        if wrong := _wrong(found, needed):
            findings.append(Finding("line", "warning", where, wrong, f"write it as {_EXAMPLE}"))
        else:
            yield where, found


def _wrong(found: object, needed: tuple[str, ...]) -> str:
    if not isinstance(found, dict):
        return "not a JSON object"
    name = found.get("id")
    if isinstance(name, bool) or not isinstance(name, str | int) or not 0 < len(str(name).strip()) <= 250:
        return "`id` is no text of 1 to 250 characters"
    for field in needed:
        if not isinstance(found.get(field), str):
            return f"`{field}` is missing or no text"
    for field in _TEXTS:
        if not isinstance(found.get(field) or "", str):
            return f"`{field}` is no text"
    halves = re.search("[\ud800-\udfff]", json.dumps(found, ensure_ascii=False))
    return "half a surrogate pair, which no text can hold" if halves else ""


def ingest(memory: Memory, by: str, file: Path) -> Ingested:
    """Lands each document as a source; the same file again lands nothing, a changed document supersedes itself."""
    findings: list[Finding] = []
    counts = {"new": 0, "changed": 0, "known": 0}
    waiting: list[dict[str, Any]] = []
    for _, found in _objects(file, findings, ("title", "text")):
        waiting.append(found)
        if len(waiting) == _BATCH:
            memory.land(lambda: list(_drafts(memory, waiting, counts)), by)
            waiting.clear()
    memory.land(lambda: list(_drafts(memory, waiting, counts)), by)
    return Ingested(str(file), counts["new"], counts["changed"], counts["known"], tuple(findings))


def _drafts(memory: Memory, documents: list[dict[str, Any]], counts: dict[str, int]) -> Iterator[Draft]:
    """Drafts for what is new; their texts are spans of one blob, because a file each would take a flush each."""
    sql = "SELECT e.id, e.key FROM documents d JOIN entries e ON e.seq = d.entry WHERE document = ? ORDER BY e.id"
    current: dict[str, tuple[str, str]] = {}
    kept: list[tuple[str, dict[str, Any], str, str, bytes]] = []
    for found in documents:
        name = str(found["id"]).strip()
        known = current.get(name) or memory.index.db.execute(sql, (name,)).fetchone()
        before, before_key = known or ("", "")
        content = json.dumps([found.get(field) or "" for field in _TEXTS])
        digest = blake2b(content.encode(), digest_size=16).hexdigest()
        if before and before_key.split(":")[1] == digest:
            counts["known"] += 1
            continue
        counts["changed" if before else "new"] += 1
        chain = blake2b(f"{name}\n{before_key}".encode(), digest_size=16).hexdigest()
        kept.append((name, found, before, f"document:{digest}:{chain}", found["text"].encode()))
        current[name] = (f"@{len(kept) - 1}", kept[-1][3])
    blob = memory.blobs.put(b"\n".join(item[4] for item in kept)) if kept else ""
    start = 0
    for name, found, before, key, data in kept:
        refs = (Ref("file", blob, start, start + len(data)), *([Ref("supersedes", before)] if before else []))
        start += len(data) + 1
        body = Source(found["title"], "text/plain", found.get("url") or "", found.get("author") or "",
                      found.get("date") or "", meta={"document": name})  # fmt: skip
        yield Draft(f"source:{name}", body, refs, key=key)


def search(memory: Memory, text: str, limit: int, file: Path | None, dense: bool = False) -> Found:
    """Ranked documents for `text`, or for every line of `file`; `dense` adds seeds that a model finds alike."""
    if limit < 1:
        raise UsageError(f"-k is {limit}", "a number from 1 up, such as -k 10")
    from ..memory.search.retrieval import Searcher  # here, so that `memex ingest` does not wait for numpy

    near = None
    if dense:
        from ..memory.search.vectors import Near

        with counter(sys.stderr, "reading passages") as told:
            near = Near(memory.db, told)
    searcher = Searcher(memory.db, near=near)
    if file is None:
        return Found((("", tuple(searcher.search(text, limit))),), many=False)
    findings: list[Finding] = []
    asked = [found for _, found in _objects(file, findings, ("query",))]
    if findings:
        raise UsageError(f"{findings[0].where}: {findings[0].message}", 'write it as {"id": "q1", "query": "..."}')
    return Found(tuple((str(q["id"]), tuple(searcher.search(q["query"], limit))) for q in asked), many=True)
