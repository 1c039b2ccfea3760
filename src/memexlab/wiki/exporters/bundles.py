"""The wiki for other readers: an OKF v0.2 bundle, one text for a model's context, and JSON lines to train on."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ...memory import Memory
from ...tokens import count_tokens, counting
from ..live_claims import standing
from ..notes import placed
from ..vault import FOLDER
from . import WIKILINK, PageFile, links_of, pictures_of, read_pages

_NOTE = re.compile(r"(?m)^\[\^(\d+)\]: (.*?)(?: \[([^\]]*)\]\(\.\./([^)\s]+)\))?$")
_ASKED = {
    "summary": "What is {subject} about?", "is": "What is {subject}?", "alias": "What else is {subject} called?",
    "author": "Who wrote {subject}?", "superseded by": "What superseded {subject}?",
    "supersedes": "What did {subject} supersede?", "dated": "What happened on {since}, according to {title}?",
    "says": "What does {title} say{scope}?", "created": "When was {subject} created?",
}  # fmt: skip


def okf_files(root: Path) -> dict[str, bytes]:
    """The wiki as an Open Knowledge Format bundle: links are Markdown links, notes are named by their source."""
    pages = read_pages(root)
    own = [name for name in pages if name not in ("index", "log")]
    files = {f"{name}.md": _concept(pages[name], pages).encode() for name in own}
    if "index" in pages:
        told = re.sub(r"(?m)^(- \[[^\]]*\]\([^)]*\)): ", r"\1 - ", _linked(pages["index"].body, "", pages))
        lines = re.sub(r"(?m)^- ", "* ", re.sub(r"(?m)^#+ ", "# ", told))
        files["index.md"] = f'---\nokf_version: "0.2"\n---\n{lines}'.encode()
    if "log" in pages:
        parts = re.split(r"(?m)^## ", _linked(pages["log"].body, "", pages))
        found = [re.match(r"\[(\d{4}-\d\d-\d\d)\S*\] \w+ \| (.*)", part) for part in parts]
        days = sorted({match[1] for match in found if match}, reverse=True)
        rows = {day: "\n".join(f"* **Update**: {m[2]}" for m in found if m and m[1] == day) for day in days}
        files["log.md"] = ("# Log\n" + "".join(f"\n## {day}\n\n{row}\n" for day, row in rows.items())).encode()
    return files | pictures_of(root)


def _linked(text: str, up: str, pages: dict[str, PageFile]) -> str:
    def link(match: re.Match[str]) -> str:
        name, shown = match[1].strip(), match[3] or match[1]
        return f"[{shown}]({up}{quote(name)}.md)" if name in pages else shown

    return WIKILINK.sub(link, text)


def _concept(page: PageFile, pages: dict[str, PageFile]) -> str:
    """A page with one entry of `sources` for each note, whose id is the label of the note."""
    names: dict[str, str] = {}
    told: list[str] = []
    used = Counter[str]()
    for number, words, shown, target in _NOTE.findall(page.body):
        name = re.sub(r"[^a-z0-9]+", "-", (target.rpartition("/")[2] or words[:40]).lower()).strip("-") or "note"
        used[name] += 1
        names[number] = name if used[name] == 1 else f"{name}-{used[name]}"
        title = json.dumps(shown or words[:120], ensure_ascii=False)
        told.append(f"  - {{id: {names[number]}, resource: {json.dumps('/' + target if target else words[:200])}, "
                    f"title: {title}}}")  # fmt: skip
    body = re.sub(r"\[\^(\d+)\]", lambda m: f"[^{names.get(m[1], m[1])}]", page.body)
    front = {**page.front, "type": page.told("type") or "concept", "title": json.dumps(page.title, ensure_ascii=False)}
    front.pop("sources", None)
    lines = [f"{key}: {_linked(value, '', pages)}" for key, value in front.items()]
    lines += ["sources:", *told] if told else []
    return "\n".join(["---", *lines, "---"]) + "\n" + _linked(body, "../" * page.name.count("/"), pages)


@dataclass(frozen=True, slots=True)
class Context:
    """One text for a model, what it costs it, and how many pages are whole, cut to a line, or left out."""

    text: str
    tokens: int
    counted: str
    whole: int
    lines: int
    left_out: int


def context(root: Path, tokens: int) -> Context:
    """Pages as documents, up to a number of tokens: a line for each first, then whole those most others link to."""
    pages = read_pages(root)
    linked = Counter(other for others in links_of(pages).values() for other in others)
    order = sorted(pages.keys() - {"index", "log"}, key=lambda name: (-linked[name], name))
    spent, chosen, whole = count_tokens(_context({}, 10**6, 10**6)) + 5, dict[str, str](), 0
    for full in (False, True):
        for name in order:
            text = _document(pages[name], full)
            cost = count_tokens(text) - (count_tokens(chosen[name]) if name in chosen else 0)
            if spent + cost <= tokens and (name in chosen or not full):
                chosen[name], spent, whole = text, spent + cost, whole + full
    text = _context(chosen, whole, len(order))
    return Context(text, count_tokens(text), counting(), whole, len(chosen) - whole, len(order) - len(chosen))


def _context(chosen: dict[str, str], whole: int, count: int) -> str:
    cut = f"{count} pages: {whole} whole, {len(chosen) - whole} cut to a line, {count - len(chosen)} left out"
    return f"<documents>\n<!-- {cut} -->\n{''.join(chosen.values())}</documents>\n"


def _document(page: PageFile, full: bool) -> str:
    whole = re.sub(r"(?m) \^c[0-9a-f]{10}$", "", page.body).strip()
    text = whole if full else f"{page.title}: {page.told('description')}"
    text = re.sub(r"(?i)<(?=\s*/?\s*(?:document|source))", "&lt;", text)
    return (f"<document>\n<source>{FOLDER}/{page.name}.md</source>\n<document_content>\n{text}\n"
            "</document_content>\n</document>\n")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Examples:
    """Lines to train on, and how many were left out because their source names no licence."""

    lines: tuple[str, ...]
    unlicensed: int
    sources_unlicensed: int


def examples(memory: Memory, any_licence: bool) -> Examples:
    """A question, the exact words that answer it, and where they stand, for each claim of a text source that stands."""
    found = standing(memory.db)
    sql = "SELECT d.document, json_extract(e.body, '$.licence') FROM documents d JOIN entries e ON e.seq = d.entry"
    licences = {name: licence or "" for name, licence in memory.db.execute(sql)}
    lines, out = list[str](), list[str]()
    for s in found.statements:
        licence = licences.get(s.source, "")
        if not licence and not any_licence:
            out.append(s.source)
            continue
        title = found.sources[s.source].title
        plain = "What is the {relation} of {subject}?" if s.object else "What is said of {subject}?"
        asked = _ASKED.get(s.relation, plain)
        question = asked.format(subject=s.subject, relation=s.relation, title=title, since=s.since,
                                scope=f" under {s.scope}" if s.scope else "")  # fmt: skip
        for quoted in s.quotes:
            place = "".join(placed(quoted))
            told = {"question": question, "quote": quoted.text, "answer": s.text, "source": place, "title": title,
                    "licence": licence}  # fmt: skip
            lines.append(json.dumps(told, ensure_ascii=False))
    return Examples(tuple(dict.fromkeys(lines)), len(out), len(set(out)))
