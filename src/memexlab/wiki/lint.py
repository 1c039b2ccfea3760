"""Looks at a wiki through the rules, mends what is safe to mend, and stands at the door of what is written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ..ledger import Finding, OutsideError, blob_id
from ..memory import Memory
from .blocks import LINK, digest
from .compile_cache import Kept, uncollected
from .incremental import code_of_wiki
from .lint_pages import FACTS, OF_PAGE, Looked, Page
from .live_claims import RUNS, by_hand
from .rules import GATES, RULES
from .schema import mistakes, read_schema
from .vault import FOLDER

_RANK = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class Linted:
    """What was looked at, what was found, the worst first, and what was mended before."""

    pages: int
    findings: tuple[Finding, ...]
    mended: tuple[str, ...] = ()


@uncollected()
def lint(memory: Memory, root: Path) -> Linted:
    """Every rule on every page of `wiki/`; changes nothing of it."""
    with looked(memory, root) as wiki:
        found = [*mistakes(root), *(finding for rule in RULES.values() for finding in rule(wiki))]
    return Linted(len(wiki.pages), tuple(sorted(found, key=lambda f: (_RANK[f.severity], f.rule, f.where, f.message))))


@contextmanager
def looked(memory: Memory, root: Path) -> Iterator[Looked]:
    """The wiki on disk, with what the ledger knows of its sources; only pages that changed since last time are read."""
    db = memory.db
    rows = db.execute(
        "SELECT d.document, json_extract(e.body, '$.meta.path'), json_extract(e.body, '$.meta.digest'), r.target FROM"
        " documents d JOIN entries e ON e.seq = d.entry JOIN refs r ON r.seq = e.seq AND r.role = 'file'"
    )
    known: dict[str, tuple[str, str, str]] = {name: tuple(rest) for name, *rest in rows if rest[0] is not None}

    @cache
    def source(name: str) -> str | None:
        """The text that lines are counted in: the file itself, or what a reader found in it, while it is the same."""
        path, file, text = known.get(name, (name, "", ""))
        try:
            folder = bool(text) and (root / path).is_dir()  # a repository: what was read of it is its text
            data = memory.blobs.get(text) if folder else (root / path).read_bytes()
            if text and text != file and blob_id(data) == file:
                data = memory.blobs.get(text)
        except (OSError, OutsideError):
            return None
        return data.decode("utf-8", errors="replace")

    required = {kind: [part.heading for part in parts if part.required] for kind, parts in read_schema(root).items()}
    own = {digest(hand.text) for hand in by_hand(db)[0]}
    files = sorted((root / FOLDER).glob("*.md"), key=lambda path: path.name)
    with closing(Kept(root / ".memex" / "looked.db")) as kept:
        yield Looked(_pages(files, kept), source, required, own, [name for name in known if not name.startswith(RUNS)])
        kept.save()


def _pages(files: Iterable[Path], kept: Kept) -> dict[str, Page]:
    """The pages with what rules ask of them, which is kept by what each file holds and by what reads it."""
    pages, facts, code = dict[str, Page](), kept.table("facts", list[Any]), code_of_wiki()[:64].encode()
    for path in files:
        name, data = path.name, path.read_bytes()
        page = pages[name] = Page(name, data.decode("utf-8", errors="replace"))
        now, (was, *told) = blake2b(data, digest_size=16, key=code).hexdigest(), facts[name] or [""]
        if was == now:
            page.known(told)
        elif name.isprintable():  # else it can be no key
            facts.put(name, [now, *(getattr(page, fact) for fact in FACTS)])
    for name in facts.names() - pages.keys():
        facts.put(name, None)
    return pages


def mend_links(root: Path, wiki: Looked) -> list[str]:
    """Puts the page that must be meant in place of a broken link; the files that were changed."""
    mended = []
    for page in wiki.pages.values():
        broken = {
            target: near
            for target, _ in page.links
            if target.casefold() not in wiki.slugs and (near := wiki.near(target))
        }

        def right(m: re.Match[str], broken: dict[str, str] = broken) -> str:
            there = broken.get(m[1].strip())
            return f"[[{there}{m[2] or ''}|{m[3] or m[1]}]]" if there else m[0]

        if broken and (text := LINK.sub(right, page.text)) != page.text:
            (root / FOLDER / page.name).write_text(text, encoding="utf-8")
            mended.append(page.name)
    return mended


def gate(name: str, text: str) -> Iterator[Finding]:
    """What forbids to write a file: the rules that need one page alone, where they find an error."""
    page = Page(name, text)
    yield from (finding for gate in GATES for finding in OF_PAGE[gate](page) if finding.severity == "error")


def documented() -> Iterable[tuple[str, Mapping[str, str]]]:
    """Each rule by its id, with the parts of its docstring: what, refused, accepted, fix."""
    for name, rule in RULES.items():
        what, _, rest = (rule.__doc__ or "").partition("Refused: ")
        refused, _, rest = rest.partition("Accepted: ")
        accepted, _, fix = rest.partition("Fix: ")
        yield name, {"what": what, "refused": refused, "accepted": accepted, "fix": fix}
