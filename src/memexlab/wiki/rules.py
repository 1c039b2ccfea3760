"""Rules of a healthy wiki: each a function from pages to findings, whose docstring is its documentation.

A rule reads pages as text, so that it judges what a person sees, and runs alike on what is on disk and on what is about
to be written. It knows no ledger.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from urllib.parse import unquote

from ..ledger import Finding
from ..ledger.errors import Severity
from .blocks import CLAIMED, LINK, MARK, Block, Cited, cited_in, definitions, digest, parse
from .subjects import key_of

WANTED_BY, NAMED_BY, ASKED_BY = 3, 8, 5
_CODE = re.compile(r"`[^`\n]*`|\\.")
_NAME = re.compile(r"(?<![.!?] )\b[A-Z][a-z]+(?: [A-Z][a-z]+)+\b")
_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d)?)?")
_SECRETS = re.compile(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bgithub_pat_[A-Za-z0-9_]{40,}\b"
    r"|\bsk-(?:proj-|ant-)?[A-Za-z0-9_-]{32,}\b|-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"
    r"|\bxox[baprs]-[0-9A-Za-z-]{20,}\b"
)
_KEYS = ("AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "sk-", "PRIVATE KEY", "xox")
_ACTIVE = re.compile(
    r"<\s*(?:script|iframe|object|embed|form|meta|link|base|svg|style)\b|<[a-z][^>]*\son[a-z]+\s*=|"
    r"\]\(\s*(?:javascript|vbscript|data):", re.IGNORECASE,
)  # fmt: skip
_TAG = re.compile(r"<(?:!--|/?[a-z][\w-]*(?:\s[^<>]*)?/?>)", re.IGNORECASE)
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
_LABEL = re.compile(r"^[-*] \*\*[^*\n]+:\*\*[^·]*|\*\*[^*\n]+\*\*")  # a heading, and a field with its value
_HEADING = re.compile(r"## +(.+)")
_OPEN = re.compile(r"> \[!contradiction\] (.+)")


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
    def prose(self) -> list[Block]:
        """Blocks that are no code, no front matter and no footnotes."""
        return [b for b in self.blocks if not b.text.lstrip("->* ").startswith(("```", "~~~", "[^"))]

    @cached_property
    def head(self) -> list[Block]:
        """The blocks of the front matter alone."""
        return [b for b in parse(self.text[: self.text.find("\n---", 3) + 5]) if b.name.startswith("front:")]

    @cached_property
    def front(self) -> dict[str, str]:
        return {b.name[6:]: b.text.partition(":")[2].strip() for b in self.head if b.text[:3] != "---"}

    @cached_property
    def notes(self) -> dict[str, str]:
        return definitions(self.blocks)

    @cached_property
    def cited(self) -> list[tuple[int, Cited]]:
        """The footnotes that memex wrote, each with its line."""
        notes = ((b.line, cited_in(note)) for b in self.blocks for note in definitions([b]).values())
        return [(line, one) for line, one in notes if one is not None]

    @cached_property
    def links(self) -> list[tuple[str, int]]:
        """(target, line) of each link to a page, outside code."""
        return [
            (m[1].strip().removesuffix(".md").rpartition("/")[2], block.line + block.text.count("\n", 0, m.start()))
            for block in self.blocks if "[[" in block.text and not block.text.startswith(("```", "~~~"))
            for m in LINK.finditer(_CODE.sub(lambda c: " " * len(c[0]), block.text)) if m[1]
        ]  # fmt: skip

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
    whole: bool = True  # False where these are not all pages

    def __post_init__(self) -> None:
        self.slugs = frozenset(page.slug for page in self.pages.values())

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
                if target not in self.slugs:
                    out[target].append((page.name, line))
        return out


Rule = Callable[[Looked], Iterator[Finding]]
#: Every rule by its id, and those that decide whether a file may be written.
RULES: dict[str, Rule] = {}
GATES: list[str] = []


def rule(name: str, gate: bool = False) -> Callable[[Rule], Rule]:
    def add(function: Rule) -> Rule:
        RULES[name] = function
        if gate:
            GATES.append(name)
        return function

    return add


def _found(rule: str, severity: Severity, page: str, line: int, message: str, hint: str) -> Finding:
    return Finding(rule, severity, f"wiki/{page}" + (f":{line}" if line else ""), message, hint)


@rule("link-broken")
def link_broken(wiki: Looked) -> Iterator[Finding]:
    """A link misses a page that is there under nearly that name.

    The reader is led nowhere, and the page loses a backlink.

    Refused: See [[Harbour  Bridge]]. ‖ harbour-bridge.md:
    Accepted: See [[harbour-bridge|the bridge]]. ‖ harbour-bridge.md:
    Fix: `memex lint --fix`, where one page alone can be meant.
    """
    for target, places in wiki.lacking.items():
        if near := wiki.near(target):
            for page, line in places:
                yield _found("link-broken", "error", page, line, f"[[{target}]] is no page; [[{near}]] is",
                             "memex lint --fix")  # fmt: skip


@rule("link-phantom")
def link_phantom(wiki: Looked) -> Iterator[Finding]:
    """A link, on a page or in a source, goes to a page that nobody has written, and no other has a name like it.

    Refused: See [[A Page To Come]].
    Accepted: See [[harbour-bridge|the bridge]], and `[[no link]]`. ‖ harbour-bridge.md:
    Fix: ingest a source that speaks of it, or take the brackets away.
    """
    for target, places in wiki.lacking.items():
        for page, line in places if wiki.whole and not wiki.near(target) else ():
            yield _found("link-phantom", "warning", page, line, f"there is no page [[{target}]]",
                         "ingest a source about it, or edit the page and: memex sync")  # fmt: skip
    known = wiki.folded.keys() | {key_of(name.rpartition("/")[2].partition(".")[0]) for name in wiki.sources}
    for source in wiki.sources if wiki.whole else ():
        text = wiki.source(source) if source.endswith((".md", ".markdown")) else ""
        for name, line in Page(source, text).links if text and "[[" in text else ():
            if "." not in name and key_of(name) not in known:
                yield Finding("link-phantom", "info", f"{source}:{line}", f"there is no page [[{name}]]",
                              "ingest a source about it, or take the brackets away")  # fmt: skip


@rule("page-missing")
def page_missing(wiki: Looked) -> Iterator[Finding]:
    """Many pages name something that has no page. What is spoken of everywhere should be explained somewhere.

    Refused: See [[Tide Tables]]. ‖ b.md: See [[Tide Tables]]. ‖ c.md: See [[Tide Tables]].
    Accepted: See [[Tide Tables]].
    Fix: ingest a source about it.
    """
    named: dict[str, set[str]] = defaultdict(set)
    for page in wiki.pages.values():
        for block in () if page.listing else page.blocks:
            if not block.name and block.text[0] not in "#>|[":
                for name in _NAME.findall(_LABEL.sub(" ", LINK.sub(" ", block.text))):
                    named[name].add(page.name)
    short = {name: len(pages) for name, pages in named.items() if len(pages) >= NAMED_BY}
    short |= {target: len({page for page, _ in places}) for target, places in wiki.lacking.items()
              if len({page for page, _ in places}) >= WANTED_BY}  # fmt: skip
    for name, pages in sorted(short.items()):
        if key_of(name) not in wiki.folded and wiki.whole:
            yield Finding("page-missing", "info", "wiki", f"{name} has no page and is named on {pages}",
                          f'memex search "{name}"')  # fmt: skip


@rule("orphan")
def orphan(wiki: Looked) -> Iterator[Finding]:
    """No other page links to this one, and it links to none.

    A page without neighbours is found by search alone. That index and log list it does not count.

    Refused: Alone. ‖ b.md: Alone too.
    Accepted: See [[b]]. ‖ b.md: Linked.
    Fix: name it in another source, or link it by hand.
    """
    linked = {target for page in wiki.pages.values() if not page.listing for target, _ in page.links}
    for page in wiki.pages.values():
        if wiki.whole and not page.listing and not page.links and page.slug not in linked and len(wiki.pages) > 1:
            yield _found("orphan", "info", page.name, 0, "no page links to it, and it links to none", "link it by hand")


@rule("twin-pages")
def twin_pages(wiki: Looked) -> Iterator[Finding]:
    """Two pages bear one name. What is known of one thing is then told in two places, and links choose one of them.

    Refused: --- ⏎ title: "Bay Ferry" ⏎ --- ‖ the-bay-ferry.md: --- ⏎ title: "Bay Ferry" ⏎ ---
    Accepted: --- ⏎ title: "Bay Ferry" ⏎ --- ‖ bay-bridge.md: --- ⏎ title: "Bay Bridge" ⏎ ---
    Fix: `memex same "A" "B" --why REASON` makes them one; the name of the other becomes an alias.
    """
    titles: dict[str, list[str]] = defaultdict(list)
    for page in wiki.pages.values():
        for title in page.values("title")[:1]:
            titles[key_of(title)].append(page.name)
    for names in titles.values():
        if len(names) > 1:
            yield _found("twin-pages", "warning", names[1], 0, f"bears the same name as {names[0]}",
                         f'memex same "{names[0][:-3]}" "{names[1][:-3]}" --why REASON')  # fmt: skip


@rule("uncited")
def uncited(wiki: Looked) -> Iterator[Finding]:
    """A statement cites nothing, and is nobody's own words. A sentence without its evidence cannot be checked.

    Refused: - It is 134 metres high. ^c0123456789
    Accepted: - It is 134 metres high.[^1] ^c0123456789 ⏎⏎ [^1]: run 12
    Fix: `memex sync` makes it yours, or restores what stood there.
    """
    for page in wiki.pages.values():
        for block in page.prose:
            if block.text[0] in "#|" or (wiki.own and digest(block.text) in wiki.own):
                continue
            lost = [mark for mark in MARK.findall(block.text) if mark not in page.notes]
            if lost and f"[^{lost[0]}]" in _CODE.sub("", block.text):
                message = f"footnote {lost[0]} is not there"
            elif (claim := CLAIMED.search(block.text)) and not re.search(r"\[\^|\(said by ", block.text):
                message = f"the claim {claim[1]} cites nothing"
            else:
                continue
            yield _found("uncited", "error", page.name, block.line, message, "memex sync")


@rule("quote-changed")
def quote_changed(wiki: Looked) -> Iterator[Finding]:
    """The words of a footnote are not on the lines of the source that it names.

    Either the source has changed since, or the quote was changed.

    Refused: High.[^1] ⏎⏎ [^1]: “134 metres” [raw/a.md#L1](../raw/a.md#L1) ‖ raw/a.md: It is 129 metres high.
    Accepted: High.[^1] ⏎⏎ [^1]: “134 \\[sic\\] m” [raw/a.md#L1](../raw/a.md#L1) ‖ raw/a.md: 134 [sic] m high.
    Fix: `memex ingest` the source again.
    """
    lines = cache(lambda name: None if (text := wiki.source(name)) is None else text.split("\n"))
    for page in wiki.pages.values():
        for line, cited in page.cited:
            if (there := lines(cited.source)) is None:
                message = f"{cited.source} is not there"
            else:
                words = " ".join(" ".join(there[cited.line - 1 : cited.last_line]).split())
                if cited.words in words or cited.words in words.replace("&lt;", "<"):
                    continue
                message = f"“{cited.words[:60]}” is not in {cited.source} at line {cited.line}"
            yield _found("quote-changed", "error", page.name, line, message, f"memex ingest {cited.source}")


@rule("stale-claim")
def stale_claim(wiki: Looked) -> Iterator[Finding]:
    """A page rests on a source that another has superseded.

    What it says may no longer hold; the page of the newer source may say so.

    Refused: [^1]: “134” [raw/a.md#L1](../raw/a.md#L1) ‖ old.md: --- ⏎ status: deprecated ⏎ sources: ["raw/a.md"] ⏎ ---
    Accepted: High.[^1] ⏎⏎ [^1]: “134 metres” [raw/a.md#L1](../raw/a.md#L1) ‖ raw/a.md: It is 134 metres high.
    Fix: ask again, or look what the newer source says.
    """
    old: dict[str, str] = {}
    for page in wiki.pages.values():
        if page.front.get("status") == "deprecated" and (own := page.values("sources")):
            stem = [name for name in own if key_of(name.rpartition("/")[2].partition(".")[0]) == key_of(page.slug)]
            old[(stem or own)[0]] = page.slug
    for page in wiki.pages.values():
        cited = {one.source for _, one in page.cited}
        if page.front.get("type") != "source" and cited and cited <= old.keys():
            yield _found("stale-claim", "info", page.name, 0, f"rests on {min(cited)}, which was superseded",
                         f"look at wiki/{old[min(cited)]}.md")  # fmt: skip


@rule("contradiction-open")
def contradiction_open(wiki: Looked) -> Iterator[Finding]:
    """Sources disagree, and nobody has said which of them holds. Both sides are shown; a person may know more.

    Refused: > [!contradiction] Height: contested ⏎ > - **134 metres**
    Accepted: > [!contradiction] Height: superseded ⏎ > - **134 metres**
    Fix: `memex review`. An edit of the value adds yours to both.
    """
    for page in wiki.pages.values():
        for block in page.blocks:
            if (found := _OPEN.match(block.text)) and found[1].endswith((": contested", ": unresolved")):
                yield _found("contradiction-open", "info", page.name, block.line, found[1], "memex review")


@rule("section-empty")
def section_empty(wiki: Looked) -> Iterator[Finding]:
    """A section that `schema.md` requires is not on the page. The schema says what every page of its type must state.

    Refused: --- ⏎ type: concept ⏎ title: "Tide" ⏎ --- ⏎⏎ # Tide
    Accepted: --- ⏎ type: concept ⏎ title: "Tide" ⏎ --- ⏎⏎ ## What it is ⏎⏎ - Water.
    Fix: ingest a source that answers it, or write the section by hand and `memex sync`.
    """
    for page in wiki.pages.values():
        needed = wiki.required.get(page.front.get("type", ""), ())
        held = {m[1].strip() for block in page.blocks if (m := _HEADING.match(block.text))} if needed else set()
        for heading in needed:
            if heading not in held:
                yield _found("section-empty", "warning", page.name, 0, f"has no section {heading}", "memex sync")


@rule("question-worth-asking")
def question_worth_asking(wiki: Looked) -> Iterator[Finding]:
    """Something is much spoken of, and nothing says what it is. An answer would help on every page that links to it.

    Refused: --- ⏎ type: concept ⏎ title: "Tide" ⏎ source_count: 6 ⏎ --- ⏎⏎ ## Mentioned in
    Accepted: --- ⏎ type: concept ⏎ title: "Tide" ⏎ source_count: 6 ⏎ --- ⏎⏎ ## What it is
    Fix: `memex ask`, or a source that explains it.
    """
    for page in wiki.pages.values():
        count = page.front.get("source_count", "0")
        if page.front.get("type") in ("concept", "technique", "entity") and count.isdigit() and int(count) >= ASKED_BY:
            held = [m[1] for block in page.blocks if (m := _HEADING.match(block.text))]
            if held and not held[0].startswith(("What it is", "What it does")):
                title = (page.values("title") or [page.slug])[0]
                asked = f"what is {title}?"
                yield _found("question-worth-asking", "info", page.name, 0, f"{count} sources name it: {asked}",
                             f'memex ask "{asked}"')  # fmt: skip


@rule("source-without-claims")
def source_without_claims(wiki: Looked) -> Iterator[Finding]:
    """A source was taken in, and no page quotes it.

    It was read and says nothing: perhaps it is empty, a menu, or in a form that is not read well.

    Refused: Nothing. ‖ raw/a.md: Words.
    Accepted: High.[^1] ⏎⏎ [^1]: “134 metres” [raw/a.md#L1](../raw/a.md#L1) ‖ raw/a.md: It is 134 metres high.
    Fix: look at the file; with `memex ingest --model` more is found.
    """
    cited = {one.source for page in wiki.pages.values() for _, one in page.cited}
    for name in sorted(set(wiki.sources) - cited if wiki.whole else ()):
        yield Finding("source-without-claims", "info", name, "was read, and no page quotes it", f"memex ingest {name}")


@rule("secret", gate=True)
def secret(wiki: Looked) -> Iterator[Finding]:
    """A page holds what looks like a key that opens something.

    A wiki is shared more widely than the note that the key came from.

    Refused: The key is AKIAIOSFODNN7EXAMPLE, keep it.
    Accepted: A key begins with AKIA, or with sk-, and is never written down here.
    Fix: make the key void, take it out of the source, ingest again.
    """
    for page in wiki.pages.values():
        for match in _SECRETS.finditer(page.text) if any(part in page.text for part in _KEYS) else ():
            line = page.text.count("\n", 0, match.start()) + 1
            yield _found("secret", "error", page.name, line, f"looks like a key: {match[0][:8]}...",
                         "take it out of the source, and make it void")  # fmt: skip


@rule("html-or-script", gate=True)
def html_or_script(wiki: Looked) -> Iterator[Finding]:
    """A page holds HTML, or what would run in a browser.

    Pages are opened by many programs, and a source must not reach into any of them.

    Refused: Look: <script>alert(1)</script>
    Accepted: Look: `<script>`, and &lt;script>.
    Fix: write it in backticks.
    """
    for page in wiki.pages.values():
        if _ACTIVE.search(page.text) or _TAG.search(page.text):
            for block in page.blocks:
                if block.text.startswith(("```", "~~~", "---")):
                    continue
                plain = _CODE.sub("", block.text)
                if found := _ACTIVE.search(plain):
                    yield _found("html-or-script", "error", page.name, block.line, f"{found[0][:40]!r} may run",
                                 "write it in backticks")  # fmt: skip
                elif found := _TAG.search(plain):
                    yield _found("html-or-script", "info", page.name, block.line, f"HTML: {found[0][:40]}",
                                 "write it in backticks, or in markdown")  # fmt: skip


@rule("front-matter", gate=True)
def front_matter(wiki: Looked) -> Iterator[Finding]:
    """The properties at the top are damaged: not closed, without a type, twice the same, or no date where one belongs.

    Obsidian then shows them as text, and other tools cannot read the page.

    Refused: --- ⏎ title: "Tide" ⏎ created: yesterday ⏎⏎ # Tide
    Accepted: --- ⏎ type: concept ⏎ title: "Tide" ⏎ created: 2020-01-02 ⏎ ---
    Fix: `memex lint --fix` writes what is rendered.
    """
    for page in wiki.pages.values():
        wrong = ""
        names = [block.name for block in page.head]
        if page.text.startswith("---\n") and not names:
            wrong = "is not closed by ---"
        elif names and not page.listing and not page.front.get("type"):
            wrong = "has no type"
        elif twice := [name for name in names if "/" in name and name != "front:---/2"]:
            wrong = f"says {twice[0][6:].partition('/')[0]} twice"
        else:
            for key in ("created", "updated"):
                if (day := page.front.get(key)) is not None and not _DATE.fullmatch(day.strip("\"'")):
                    wrong = f"{key} is {day!r}, which is no date"
        if wrong:
            yield _found("front-matter", "error", page.name, 1, f"front matter {wrong}", "memex lint --fix")


@rule("index-out-of-step")
def index_out_of_step(wiki: Looked) -> Iterator[Finding]:
    """`index.md` does not list every page. What is not listed is not seen.

    Refused: Here. ‖ index.md: # Index
    Accepted: Here. ‖ index.md: - [[page|Page]]
    Fix: `memex lint --fix`.
    """
    if wiki.whole and (index := wiki.pages.get("index.md")) is not None:
        listed = Counter(target for target, _ in index.links)
        for page in wiki.pages.values():
            if not page.listing and not listed[page.slug]:
                yield _found("index-out-of-step", "warning", "index.md", 0, f"does not list {page.name}",
                             "memex lint --fix")  # fmt: skip


@rule("log-out-of-step")
def log_out_of_step(wiki: Looked) -> Iterator[Finding]:
    """`log.md` does not name every source. It is the history of what went in.

    Refused: ‖ log.md: # Log ‖ raw/a.md: Words.
    Accepted: ‖ log.md: ## [2020-01-02] source | A ⏎⏎ `raw/a.md` ‖ raw/a.md: Words.
    Fix: `memex lint --fix`.
    """
    if wiki.whole and (log := wiki.pages.get("log.md")) is not None:
        named = {block.text.strip("`") for block in log.blocks if block.text.startswith("`")}
        for name in sorted(set(wiki.sources) - named):
            yield _found("log-out-of-step", "warning", "log.md", 0, f"does not name {name}", "memex lint --fix")


@rule("name-trap", gate=True)
def name_trap(wiki: Looked) -> Iterator[Finding]:
    """The name of a file is a trap on some machine: it leaves the folder, is reserved, too long, or holds a bad letter.

    The wiki is copied to other machines, and links are followed there.

    Refused: ‖ aux.md: Here.
    Accepted: ‖ auxiliary.md: Here.
    Fix: rename the file; `memex sync` lets links follow.
    """
    for page in wiki.pages.values():
        name = unquote(page.name)
        why = ("leaves the folder" if "/" in name or "\\" in name or name.startswith("..")
               else "is reserved on Windows" if _RESERVED.fullmatch(page.slug)
               else "is longer than 200 bytes" if len(name.encode(errors="replace")) > 200
               else "holds a letter that no file name may have" if re.search(r'[<>:"|?*\x00-\x1f]', name)
               else "ends with a point or a space" if page.slug.endswith((".", " ")) else "")  # fmt: skip
        if why:
            yield _found("name-trap", "error", page.name, 0, f"the name {why}", "rename the file, then memex sync")
