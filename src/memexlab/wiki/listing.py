"""What lists a whole wiki: `index.md`, the pages by type, and `log.md`, the sources by the date they bear."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .pages import Wiki
from .standing import RUNS
from .subjects import plain, safe


def index(wiki: Wiki) -> str:
    """Every page by type, with its description, after the contradictions that are open."""
    lines = ["---", 'okf_version: "0.2"', "---", "", "# Index", ""]
    open_ = sorted((k, d.relation, d.kind) for k, ds in wiki.differing.items() for d in ds)
    files = sum(not name.startswith(RUNS) for name in wiki.sources)
    lines += [f"{files} sources, {len(wiki.subjects.pages)} pages, {len(open_)} contradictions.", ""]
    if open_:
        lines += ["## Contradictions", ""]
        lines += [f"- {wiki.subjects.link(wiki.subjects.pages[k])}: {plain(r)}, {kind}" for k, r, kind in open_] + [""]
    kinds = list(dict.fromkeys([*wiki.schema, *(p.kind for p in wiki.subjects.pages.values())]))
    for kind in kinds:
        pages = sorted((_order(wiki.title(p)), p.slug, p) for p in wiki.subjects.pages.values() if p.kind == kind)
        if pages:
            lines += [
                f"## {kind.capitalize()}s" if not kind.endswith("y") else f"## {kind[:-1].capitalize()}ies",
                "",
            ]
            for _, _, page in pages:
                said = wiki.description(page)
                by = ", ".join(wiki.subjects.link(one) for one in wiki.replaced_by(page))
                lines.append(
                    f"- {wiki.subjects.link(page, wiki.title(page))}"
                    + (f": {safe(said)}" if said else "")
                    + (f" (superseded by {by})" if by else "")
                )
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def with_notes(index: str, notes: Mapping[str, str]) -> str:
    """The index with the pages that people keep, whatever sources say: text by name of the file."""
    lines = []
    for name, text in sorted(notes.items()):
        title = re.search(r"^# +(.+)", text, re.MULTILINE)
        lines.append(f"- [[{name[:-3]}|{plain(title[1] if title else name[:-3])}]]")
    return "\n".join([index.rstrip(), "", "## Notes", "", *lines]) + "\n"


def log(wiki: Wiki) -> str:
    """Sources by the date they bear: a date of arrival would differ from lab to lab."""
    lines = ["# Log", "", "Sources in the order of the dates they bear.", ""]
    told = [t for t in wiki.sources.values() if not t.name.startswith(RUNS) or t.kind == "experiment"]
    for taken in sorted(told, key=lambda t: (t.date or "9999", t.name)):
        page = wiki.subjects.pages.get(wiki.home(taken.name))
        link = wiki.subjects.link(page, taken.title) if page is not None else plain(taken.title)
        lines += [f"## [{taken.date or 'undated'}] source | {link}", "", f"`{taken.name.replace('`', '')}`", ""]
    return "\n".join(lines).rstrip() + "\n"


def _order(title: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d{1,9})", title.casefold())]
