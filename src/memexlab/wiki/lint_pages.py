"""The wiki as rules look at it: each page read once, and what they ask of it kept until the page changes.

What a rule may know of a page, beside its text, is among `FACTS`. It knows no ledger and no files.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from ..ledger import Finding
from .blocks import CLAIMED, LINK, MARK, Block, Cited, cited_in, definitions, digest, parse
from .subjects import key_of

CODE = re.compile(r"`[^`\n]*`|\\.")
_NAME = re.compile(r"(?<![.!?] )\b[A-Z][a-z]+(?: [A-Z][a-z]+)+\b")
_LABEL = re.compile(r"^[-*] \*\*[^*\n]+:\*\*[^·]*|\*\*[^*\n]+\*\*")  # a heading, and a field with its value
_FILE_LINK = re.compile(r"\]\((?![a-z]+:|/|\.\.)(?:\./)?([^()\s#/]+)\.md\)")
_HEADING = re.compile(r"## +(.+)")
#: What is kept of a page: all that rules of the whole wiki ask of it, and what the rules of one page found.
FACTS = ("links", "places", "anchors", "front", "cited", "headings", "spoken", "bare", "found")
#: The rules that need one page alone, by id.
OF_PAGE: dict[str, Callable[[Page], Iterator[Finding]]] = {}


@dataclass
class Page:
    """One file of the wiki, read once."""

    name: str
    text: str

    def __post_init__(self) -> None:
        self.slug, self.listing = self.name.removesuffix(".md"), self.name in ("index.md", "log.md")

    @cached_property
    def blocks(self) -> list[Block]:
        return parse(self.text, named=False)

    @cached_property
    def head(self) -> list[Block]:
        """The blocks of the front matter alone."""
        return [b for b in parse(self.text[: self.text.find("\n---", 3) + 5]) if b.name.startswith("front:")]

    @cached_property
    def front(self) -> dict[str, str]:
        return {b.name[6:]: b.text.partition(":")[2].strip() for b in self.head if b.text[:3] != "---"}

    @cached_property
    def notes(self) -> dict[str, str]:
        return definitions(b for b in self.blocks if b.text.startswith("[^"))

    @cached_property
    def cited(self) -> list[tuple[int, Cited]]:
        """The footnotes that memex wrote, each with its line."""
        told = (b for b in self.blocks if b.text.startswith("[^"))
        notes = ((b.line, cited_in(note)) for b in told for note in definitions([b]).values())
        return [(line, one) for line, one in notes if one is not None]

    @cached_property
    def links(self) -> list[tuple[str, int]]:
        """(target, line) of each link to a page, outside code."""
        return [
            (m[1].strip().removesuffix(".md").rpartition("/")[2], block.line + block.text.count("\n", 0, m.start()))
            for block in self.blocks if "[[" in block.text and not block.text.startswith(("```", "~~~"))
            for m in LINK.finditer(CODE.sub(lambda c: " " * len(c[0]), block.text)) if m[1]
        ]  # fmt: skip

    @cached_property
    def places(self) -> list[tuple[str, str, int]]:
        """(page, heading, line) of links into a page, and (page, '', line) of those in the form of markdown."""
        out = []
        for block in self.blocks if "#" in self.text or ".md)" in self.text else ():
            if block.text.startswith(("```", "~~~", "[^")):
                continue
            text = CODE.sub(lambda c: " " * len(c[0]), block.text)
            for m in LINK.finditer(text) if "[[" in text else ():
                if m[2] and not m[2].startswith("#^"):
                    name = m[1].strip().removesuffix(".md").rpartition("/")[2]
                    out.append((name, m[2].rpartition("#")[2].strip(), block.line + text.count("\n", 0, m.start())))
            for m in _FILE_LINK.finditer(text) if ".md)" in text else ():
                out.append((unquote(m[1]), "", block.line + text.count("\n", 0, m.start())))
        return out

    @cached_property
    def anchors(self) -> list[str]:
        return [
            b.text.lstrip("# ").split("\n")[0] for b in self.blocks if b.text.startswith("#") and "# " in b.text[:7]
        ]

    @cached_property
    def headings(self) -> list[str]:
        return [m[1].strip() for block in self.blocks if (m := _HEADING.match(block.text))]

    @cached_property
    def spoken(self) -> list[str]:
        """The names in its sentences, each once."""
        told = (b.text for b in self.blocks if not self.listing and not b.name and b.text[0] not in "#>|[")
        return sorted({name for text in told for name in _NAME.findall(_LABEL.sub(" ", LINK.sub(" ", text)))})

    @cached_property
    def bare(self) -> list[tuple[int, str, str]]:
        """(line, what is missing, digest of the block) of what cites nothing, or what is not there."""
        out = []
        for block in self.blocks:
            # Code, front matter, footnotes, headings and tables state nothing.
            if block.text[0] in "#|" or block.text.lstrip("->* ").startswith(("```", "~~~", "[^")):
                continue
            lost = [mark for mark in MARK.findall(block.text) if mark not in self.notes] if "[^" in block.text else ()
            if lost and f"[^{lost[0]}]" in CODE.sub("", block.text):
                out.append((block.line, f"footnote {lost[0]} is not there", digest(block.text)))
            elif (
                "^c" in block.text
                and (claim := CLAIMED.search(block.text))
                and not re.search(r"\[\^|\(said by ", block.text)
            ):
                out.append((block.line, f"the claim {claim[1]} cites nothing", digest(block.text)))
        return out

    @cached_property
    def found(self) -> list[Finding]:
        """What the rules of one page find."""
        return [finding for rule in OF_PAGE.values() for finding in rule(self)]

    def known(self, facts: list[Any]) -> Page:
        """The same page, of which these facts are known, and nothing is read to find them."""
        told = dict(zip(FACTS, facts, strict=True))
        told["cited"] = [(line, Cited(*one)) for line, one in told["cited"]]
        told["found"] = [Finding(*one) for one in told["found"]]
        self.__dict__ |= told
        return self

    def values(self, key: str) -> list[str]:
        """The strings of a list in front matter."""
        return [
            a or b for a, b in re.findall(r'"((?:[^"\\]|\\.)*)"|(?:^|[\[,]) *([^"\[\],]+)', self.front.get(key, ""))
        ]


@dataclass
class Looked:
    """What rules look at: pages, text of sources by name (None where it cannot be had), and what is known besides."""

    pages: Mapping[str, Page]
    source: Callable[[str], str | None]
    required: Mapping[str, Collection[str]] = field(default_factory=dict)  # sections by type of page
    own: Collection[str] = ()  # digests of blocks that people wrote
    sources: Collection[str] = ()  # names of all sources that stand

    def __post_init__(self) -> None:
        self.slugs = frozenset(page.slug.casefold() for page in self.pages.values())

    @cached_property
    def folded(self) -> dict[str, list[str]]:
        """File names by the normal form of a page's name, title or alias."""
        out: dict[str, list[str]] = defaultdict(list)
        for page in self.pages.values():
            if not page.listing:
                for name in dict.fromkeys([page.slug, *page.values("title"), *page.values("aliases")]):
                    if page.slug not in out[key_of(name)]:
                        out[key_of(name)].append(page.slug)
        return out

    def near(self, target: str) -> str:
        """The one page that a broken link must mean, or ''."""
        found = self.folded.get(key_of(target), [])
        return found[0] if len(found) == 1 else ""

    @cached_property
    def lacking(self) -> dict[str, list[tuple[str, int]]]:
        """(page, line) of every link that leads nowhere, by its target."""
        out: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for page in self.pages.values():
            for target, line in page.links:
                if target.casefold() not in self.slugs:  # editors ignore case
                    out[target].append((page.name, line))
        return out
