"""What lists a whole wiki: `index.md`, the pages by type, and `log.md`, the sources by the date they bear."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from .pages import Wiki
from .standing import RUNS
from .subjects import Page, plain, safe

Listed = list[Any]


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


def index(listed: Mapping[str, Listed], kinds: Iterable[str], files: int) -> str:
    """Every page by type, the most linked first, with its description; before them the contradictions that are open."""
    lines = ["---", 'okf_version: "0.2"', "---", "", "# Index", ""]
    by_kind: dict[str, list[Listed]] = {kind: [] for kind in kinds}
    open_: list[str] = []
    counts = Counter[str]()
    for _, entry in sorted(listed.items()):
        by_kind.setdefault(entry[0], []).append(entry)
        counts[entry[0]] += 1
        open_ += entry[5]
    told = ", ".join(f"{count} {_plural(kind) if count > 1 else kind}" for kind, count in counts.most_common())
    lines += [f"{files} documents; {len(listed)} pages: {told}; {len(open_)} contradictions.", ""]
    if open_:
        lines += ["## Contradictions", "", *open_, ""]
    for kind, entries in by_kind.items():
        if entries:
            entries.sort(key=lambda entry: (-entry[1], _order(entry[2]), entry[3]))
            lines += [f"## {_plural(kind).capitalize()} ({len(entries)})", "", *(entry[4] for entry in entries), ""]
    return "\n".join(lines).rstrip() + "\n"


def with_notes(index: str, notes: Mapping[str, str]) -> str:
    """The index with the pages that people keep, whatever sources say: text by name of the file."""
    lines = []
    for name, text in sorted(notes.items()):
        title = re.search(r"^# +(.+)", text, re.MULTILINE)
        lines.append(f"- [[{name[:-3]}|{plain(title[1] if title else name[:-3])}]]")
    return "\n".join([index.rstrip(), "", "## Notes", "", *lines]) + "\n"


def log_entry(wiki: Wiki, name: str) -> Listed:
    """What the log says of a source, after what orders it there; nothing of most of what runs say."""
    taken = wiki.sources[name]
    if name.startswith(RUNS) and taken.kind != "experiment":
        return []
    page = wiki.subjects.pages.get(wiki.home(name))
    link = wiki.subjects.link(page, taken.title) if page is not None else plain(taken.title)
    lines = [f"## [{taken.date or 'undated'}] source | {link}", "", f"`{name.replace('`', '')}`", ""]
    return [taken.date or "9999", name, "\n".join(lines)]


def log(logged: Mapping[str, Listed]) -> str:
    """Sources by the date they bear: a date of arrival would differ from lab to lab."""
    lines = ["# Log", "", "Sources in the order of the dates they bear.", ""]
    return "\n".join([*lines, *(entry[2] for entry in sorted(logged.values()))]).rstrip() + "\n"


def _plural(kind: str) -> str:
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


def _order(title: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d{1,9})", title.casefold())]
