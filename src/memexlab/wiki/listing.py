"""What lists a whole wiki: `index.md`, the pages by type, and `log.md`, the sources by the date they bear.

Their lines are kept in order, so that one page more is put in its place and no other line is looked at.
"""

from __future__ import annotations

import re
from bisect import insort
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .compile_cache import Table
from .live_claims import RUNS
from .pages import Wiki
from .subjects import Page, plain, safe

Listed = list[Any]
_OF = "of "  # before the type of the pages of a list


def entry_of(wiki: Wiki, page: Page) -> Listed:
    """What the index says of a page: its type, what orders it there, its line, and the contradictions open on it."""
    said, links = wiki.description(page), wiki.linked_from(page.key)
    by = ", ".join(wiki.subjects.link(one) for one in wiki.replaced_by(page))
    line = (
        f"- {wiki.subjects.link(page, wiki.title(page))}"
        + (f": {safe(said)}" if said else "")
        + (f" (superseded by {by})" if by else "")
        + (f" · {links} link{'s' * (links > 1)}" if links else "")
    )
    found = sorted((one.relation, one.kind) for one in wiki.differing[page.key])
    open_ = [f"- {wiki.subjects.link(page)}: {plain(relation)}, {kind}" for relation, kind in found]
    return [page.kind, links, wiki.title(page), page.slug, line, open_]


def put(lists: Table[list[Listed]], listed: Table[Listed], logged: Table[Listed]) -> None:
    """Puts the lines of pages and sources of which something else is said now in place of those that were, in order."""
    fresh: dict[str, list[Listed]] = {name: [] for name in (*lists.names(), "open")}
    for key in filter(listed.get, listed.changed):
        entry = listed[key]
        fresh.setdefault(_OF + entry[0], []).append([key, entry[4]])
        fresh["open"] += [[key, *entry[5]]] if entry[5] else []
    fresh["log"] = [logged[name] for name in logged.changed if logged[name]]
    order: dict[str, Callable[[Listed], Any]] = {"log": lambda row: row[1::-1], "open": lambda row: row[0]}
    for name, rows in fresh.items():
        gone, place = (logged if name == "log" else listed).changed, order.get(name, lambda row: _place(listed[row[0]]))
        now = [row for row in lists[name] if row[0] not in gone]
        for row in rows if now else ():
            insort(now, row, key=place)
        if (now := now or sorted(rows, key=place)) != lists[name]:
            lists.put(name, now)


def index(lists: Table[list[Listed]], kinds: Iterable[str], files: int) -> str:
    """Every page by type, the most linked first, with its description; before them the contradictions that are open."""
    lines = ["---", 'okf_version: "0.2"', "---", "", "# Index", ""]
    found = {name.removeprefix(_OF): lists[name] for name in lists.names() if name.startswith(_OF)}
    first = {kind: min(row[0] for row in rows) for kind, rows in found.items()}
    most = sorted(found, key=lambda kind: (-len(found[kind]), first[kind]))
    told = ", ".join(f"{len(found[kind])} {_plural(kind) if len(found[kind]) > 1 else kind}" for kind in most)
    open_ = [line for row in lists["open"] for line in row[1:]]
    pages = sum(map(len, found.values()))
    lines += [f"{files} documents; {pages} pages: {told}; {len(open_)} contradictions.", ""]
    if open_:
        lines += ["## Contradictions", "", *open_, ""]
    for kind in dict.fromkeys([*kinds, *sorted(found, key=lambda kind: first[kind])]):
        if rows := found.get(kind):
            lines += [f"## {_plural(kind).capitalize()} ({len(rows)})", "", *(row[1] for row in rows), ""]
    return "\n".join(lines).rstrip() + "\n"


def log(lists: Table[list[Listed]]) -> str:
    """Sources by the date they bear: a date of arrival would differ from lab to lab."""
    lines = ["# Log", "", "Sources in the order of the dates they bear.", ""]
    return "\n".join([*lines, *(row[2] for row in lists["log"])]).rstrip() + "\n"


def _place(entry: Listed) -> tuple[int, list[tuple[int, str]], str]:
    return -entry[1], _order(entry[2]), entry[3]


def with_notes(index: str, notes: Mapping[str, str]) -> str:
    """The index with the pages that people keep, whatever sources say: text by name of the file."""
    lines = []
    for name, text in sorted(notes.items()):
        title = re.search(r"^# +(.+)", text, re.MULTILINE)
        lines.append(f"- [[{name[:-3]}|{plain(title[1] if title else name[:-3])}]]")
    return "\n".join([index.rstrip(), "", "## Notes", "", *lines]) + "\n"


def log_entry(wiki: Wiki, name: str) -> Listed:
    """What the log says of a source, after its name and what orders it there; nothing of most of what runs say."""
    taken = wiki.sources[name]
    if name.startswith(RUNS) and taken.kind != "experiment":
        return []
    page = wiki.subjects.pages.get(wiki.home(name))
    link = wiki.subjects.link(page, taken.title) if page is not None else plain(taken.title)
    lines = [f"## [{taken.date or 'undated'}] source | {link}", "", f"`{name.replace('`', '')}`", ""]
    return [name, taken.date or "9999", "\n".join(lines)]


def _plural(kind: str) -> str:
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


def _order(title: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d{1,9})", title.casefold())]
