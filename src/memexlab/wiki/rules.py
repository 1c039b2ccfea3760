"""Rules of a healthy wiki: each a function from pages to findings, whose docstring is its documentation.

A rule reads pages as text, so that it judges what a person sees, and runs alike on what is on disk and on what is about
to be written. It knows no ledger.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import cache, update_wrapper
from urllib.parse import unquote

from ..ledger import Finding
from ..ledger.errors import Severity
from .dates import dates
from .keys import LEFT_OUT, keys_in
from .lint_pages import CODE, OF_PAGE, Looked, Page
from .subjects import key_of

WANTED_BY, NAMED_BY, ASKED_BY = 3, 8, 5
_DAY_OR_MONTH = re.compile(r"- \*\*(?:Date|Published|Created|Updated):\*\* (\d{1,2}([/.])\d{1,2}\2\d{4})")
_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d)?)?")
_ACTIVE = re.compile(
    r"<\s*(?:script|iframe|object|embed|form|meta|link|base|svg|style)\b|<[a-z][^>]*\son[a-z]+\s*=|"
    r"\]\(\s*(?:javascript|vbscript|data):", re.IGNORECASE,
)  # fmt: skip
_TAG = re.compile(r"<(?:!--|/?[a-z][\w-]*(?:\s[^<>]*)?/?>)", re.IGNORECASE)
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
_OPEN = re.compile(r"> \[!contradiction\] (.+)")


Rule = Callable[[Looked], Iterator[Finding]]
#: Every rule by its id, and those of one page that decide whether it may be written.
RULES: dict[str, Rule] = {}
GATES = ("secret", "html-or-script", "front-matter", "name-trap")


def rule(name: str) -> Callable[[Rule], Rule]:
    def add(function: Rule) -> Rule:
        RULES[name] = function
        return function

    return add


def of_page(name: str) -> Callable[[Callable[[Page], Iterator[Finding]]], Rule]:
    """A rule that needs one page alone, so that what it found can be kept with the page."""

    def add(function: Callable[[Page], Iterator[Finding]]) -> Rule:
        def of_all(wiki: Looked) -> Iterator[Finding]:
            return (found for page in wiki.pages.values() for found in page.found if found.rule == name)

        OF_PAGE[name] = function
        return rule(name)(update_wrapper(of_all, function))

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
        for page, line in () if wiki.near(target) else places:
            yield _found("link-phantom", "warning", page, line, f"there is no page [[{target}]]",
                         "ingest a source about it, or edit the page and: memex sync")  # fmt: skip
    known = wiki.folded.keys() | {key_of(name.rpartition("/")[2].partition(".")[0]) for name in wiki.sources}
    for source in wiki.sources:
        text = wiki.source(source) if source.endswith((".md", ".markdown")) else ""
        for name, line in Page(source, text).links if text and "[[" in text else ():
            if "." not in name and key_of(name) not in known:
                yield Finding("link-phantom", "info", f"{source}:{line}", f"there is no page [[{name}]]",
                              "ingest a source about it, or take the brackets away")  # fmt: skip


@rule("link-place")
def link_place(wiki: Looked) -> Iterator[Finding]:
    """A link goes to a heading that its page does not have, or to a file that is not there.

    Refused: See [[harbour-bridge#No such heading]]. ‖ harbour-bridge.md: ## Facts
    Accepted: See [[harbour-bridge#Facts]], and [the bridge](harbour-bridge.md). ‖ harbour-bridge.md: ## Facts
    Fix: edit the link, then `memex sync`.
    """
    by_slug = {page.slug.casefold(): page for page in wiki.pages.values()}
    for page in wiki.pages.values():
        for target, place, line in page.places:
            there = by_slug.get((target or page.slug).casefold())
            if there is None and not place:
                yield _found("link-place", "warning", page.name, line, f"there is no file {target}.md", "memex sync")
            elif there is not None and place and key_of(place) not in map(key_of, there.anchors):
                told = f"{there.name} has no heading {place!r}"
                yield _found("link-place", "warning", page.name, line, told, "memex sync")


@rule("page-missing")
def page_missing(wiki: Looked) -> Iterator[Finding]:
    """Many pages name something that has no page. What is spoken of everywhere should be explained somewhere.

    Refused: See [[Tide Tables]]. ‖ b.md: See [[Tide Tables]]. ‖ c.md: See [[Tide Tables]].
    Accepted: See [[Tide Tables]].
    Fix: ingest a source about it.
    """
    named: dict[str, set[str]] = defaultdict(set)
    for page in wiki.pages.values():
        for name in page.spoken:
            named[name].add(page.name)
    short = {name: len(pages) for name, pages in named.items() if len(pages) >= NAMED_BY}
    short |= {target: len({page for page, _ in places}) for target, places in wiki.lacking.items()
              if len({page for page, _ in places}) >= WANTED_BY}  # fmt: skip
    for name, pages in sorted(short.items()):
        if key_of(name) not in wiki.folded:
            yield Finding("page-missing", "info", "wiki", f"{name} has no page and is named on {pages}",
                          f'memex search "{name}"')  # fmt: skip


@rule("orphan")
def orphan(wiki: Looked) -> Iterator[Finding]:
    """No other page links to this one, and it links to none.

    A page without neighbours is found by search alone. That index and log list it does not count. Pages of sources are
    named together: many sources speak of what no other does.

    Refused: Alone. ‖ b.md: Alone too.
    Accepted: See [[b]]. ‖ b.md: Linked.
    Fix: name it in another source, or link it by hand.
    """
    linked = {target for page in wiki.pages.values() if not page.listing for target, _ in page.links}
    lone = [page for page in wiki.pages.values() if not (page.listing or page.links or page.slug in linked)]
    for page in lone if len(wiki.pages) > 1 else ():
        if page.front.get("type") != "source":
            yield _found("orphan", "info", page.name, 0, "no page links to it, and it links to none", "link it by hand")
    if alone := [page.slug for page in lone if page.front.get("type") == "source"]:
        told = f"{len(alone)} pages of sources share nothing with another: {', '.join(alone[:5])}"
        yield Finding("orphan", "info", "wiki", told + " ..." * (len(alone) > 5), "name them in another source")


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


@of_page("date-unclear")
def date_unclear(page: Page) -> Iterator[Finding]:
    """A source gives a day that is another day where the month comes first. It stays without a date.

    Refused: - **Date:** 04/05/2023[^1]
    Accepted: - **Date:** 14/05/2023[^1]
    Fix: write the day as 2023-05-04 in the source.
    """
    for block in page.blocks:
        if (found := _DAY_OR_MONTH.match(block.text)) and not dates(found[1]):
            yield _found("date-unclear", "info", page.name, block.line, f"{found[1]} may be a day of two months",
                         "write it as YYYY-MM-DD in the source")  # fmt: skip


@rule("uncited")
def uncited(wiki: Looked) -> Iterator[Finding]:
    """A statement cites nothing, and is nobody's own words. A sentence without its evidence cannot be checked.

    Refused: - It is 134 metres high. ^c0123456789
    Accepted: - It is 134 metres high.[^1] ^c0123456789 ⏎⏎ [^1]: run 12
    Fix: `memex sync` makes it yours, or restores what stood there.
    """
    for page in wiki.pages.values():
        for line, message, words in page.bare:
            if words not in wiki.own:
                yield _found("uncited", "error", page.name, line, message, "memex sync")


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
                words = " ".join(" ".join(there[cited.line - 1 : cited.last_line] if cited.line else there).split())
                if all(part in words or part in words.replace("&lt;", "<") for part in cited.words.split(LEFT_OUT)):
                    continue
                at = f" at line {cited.line}" if cited.line else ""
                message = f"“{cited.words[:60]}” is not in {cited.source}{at}"
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


@of_page("contradiction-open")
def contradiction_open(page: Page) -> Iterator[Finding]:
    """Sources disagree, and nobody has said which of them holds. Both sides are shown; a person may know more.

    Refused: > [!contradiction] Height: contested ⏎ > - **134 metres**
    Accepted: > [!contradiction] Height: superseded ⏎ > - **134 metres**
    Fix: `memex review`. An edit of the value adds yours to both.
    """
    for block in page.blocks if "[!contradiction]" in page.text else ():
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
        for heading in needed:
            if heading not in page.headings:
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
        told = not page.headings or page.headings[0].startswith(("What it is", "What it does"))
        kind = page.front.get("type")
        if kind in ("concept", "technique", "entity") and count.isdigit() and int(count) >= ASKED_BY and not told:
            asked = f"what is {(page.values('title') or [page.slug])[0]}?"
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
    for name in sorted(set(wiki.sources) - cited):
        yield Finding("source-without-claims", "info", name, "was read, and no page quotes it", f"memex ingest {name}")


@of_page("secret")
def secret(page: Page) -> Iterator[Finding]:
    """A page holds what looks like a key that opens something.

    A wiki is shared more widely than the note that the key came from.

    Refused: The key is AKIAIOSFODNN7EXAMPLE, keep it.
    Accepted: A key begins with AKIA, or with sk-, and is never written down here.
    Fix: make the key void, take it out of the source, ingest again.
    """
    for line, key in keys_in(page.text):
        yield _found("secret", "error", page.name, line, f"looks like a key: {key}",
                     "take it out, and make it void")  # fmt: skip


@rule("secret-in-source")
def secret_in_source(wiki: Looked) -> Iterator[Finding]:
    """A source holds what looks like a key that opens something. Pages leave it out, and show a mark in its place.

    Refused: High. ‖ raw/a.md: The key is AKIAIOSFODNN7EXAMPLE, keep it.
    Accepted: High. ‖ raw/a.md: A key begins with AKIA.
    Fix: make the key void, take it out of the source, ingest again.
    """
    for name in wiki.sources:
        for line, key in keys_in(wiki.source(name) or ""):
            told, hint = f"looks like a key: {key}; pages leave it out", "take it out of the source, and make it void"
            yield Finding("secret-in-source", "warning", f"{name}:{line}", told, hint)


@of_page("html-or-script")
def html_or_script(page: Page) -> Iterator[Finding]:
    """A page holds HTML, or what would run in a browser.

    Pages are opened by many programs, and a source must not reach into any of them.

    Refused: Look: <script>alert(1)</script>
    Accepted: Look: `<script>`, and &lt;script>.
    Fix: write it in backticks.
    """
    if "<" in page.text or _ACTIVE.search(page.text):
        for block in page.blocks:
            if block.text.startswith(("```", "~~~", "---")):
                continue
            plain = CODE.sub("", block.text)
            if found := _ACTIVE.search(plain):
                yield _found("html-or-script", "error", page.name, block.line, f"{found[0][:40]!r} may run",
                             "write it in backticks")  # fmt: skip
            elif found := _TAG.search(plain):
                yield _found("html-or-script", "info", page.name, block.line, f"HTML: {found[0][:40]}",
                             "write it in backticks, or in markdown")  # fmt: skip


@of_page("front-matter")
def front_matter(page: Page) -> Iterator[Finding]:
    """The properties at the top are damaged: not closed, without a type, twice the same, or no date where one belongs.

    Obsidian then shows them as text, and other tools cannot read the page.

    Refused: --- ⏎ title: "Tide" ⏎ created: yesterday ⏎⏎ # Tide
    Accepted: --- ⏎ type: concept ⏎ title: "Tide" ⏎ created: 2020-01-02 ⏎ ---
    Fix: `memex lint --fix` writes what is rendered.
    """
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
    if (index := wiki.pages.get("index.md")) is not None:
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
    if (log := wiki.pages.get("log.md")) is not None:
        named = {line.strip("`") for line in log.text.splitlines() if line.startswith("`")}
        for name in sorted(set(wiki.sources) - named):
            yield _found("log-out-of-step", "warning", "log.md", 0, f"does not name {name}", "memex lint --fix")


@of_page("name-trap")
def name_trap(page: Page) -> Iterator[Finding]:
    """The name of a file is a trap on some machine: it leaves the folder, is reserved, too long, or holds a bad letter.

    The wiki is copied to other machines, and links are followed there.

    Refused: ‖ aux.md: Here.
    Accepted: ‖ auxiliary.md: Here.
    Fix: rename the file; `memex sync` lets links follow.
    """
    name = unquote(page.name)
    why = ("leaves the folder" if "/" in name or "\\" in name or name.startswith("..")
           else "is reserved on Windows" if _RESERVED.fullmatch(page.slug)
           else "is longer than 200 bytes" if len(name.encode(errors="replace")) > 200
           else "holds a letter that no file name may have" if re.search(r'[<>:"|?*\x00-\x1f]', name)
           else "ends with a point or a space" if page.slug.endswith((".", " ")) else "")  # fmt: skip
    if why:
        yield _found("name-trap", "error", page.name, 0, f"the name {why}", "rename the file, then memex sync")
