"""A site of plain files: opens from disk without a network, a server or a build.

Everything from outside passes the sanitiser of `markdown.render` or `html.escape`. A content policy in each page lets
one script run, named by its hash, and nothing be fetched. The search index stands in the page that searches.
"""

from __future__ import annotations

import html
import json
import math
import re
import unicodedata
from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path, PurePosixPath
from urllib.parse import quote

import numpy as np

from ...memory import Memory
from ..markdown import render
from ..quotes import locate
from . import PageFile, links_of, pictures_of, read_pages

GRAPH_PAGES = 300
_SEARCHED_CHARS = 200_000  # of each source
_CSS = Path(__file__).with_name("site.css").read_text(encoding="utf-8")
_JS = Path(__file__).with_name("site.js").read_text(encoding="utf-8")
_HASH = b64encode(sha256(_JS.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; script-src 'sha256-{_HASH}'; style-src 'unsafe-inline'; img-src 'self' file: data:; "
    "base-uri 'none'; form-action 'self' file:"
)
#: The address of a link, and the names of claims: no words to search for.
_MARKUP = re.compile(r"\[\[[^\]|\n]*\||[#\[]\^?c?[0-9a-f]{10}\b")
_RESERVED = frozenset({"search", "graph"})


def site_files(memory: Memory, root: Path) -> dict[str, bytes]:
    """Every file of the site by its name."""
    pages = read_pages(root)
    name = root.resolve().name
    sources = _sources(memory)
    address = {page: f"{page}-page.html" if page in _RESERVED else f"{page}.html" for page in pages}
    linked = links_of(pages)
    back: dict[str, list[str]] = defaultdict(list)
    for source_page in sorted(linked):
        for other in linked[source_page]:
            back[other].append(source_page)
    files: dict[str, bytes] = {}
    for page in pages.values():
        up = "../" * page.name.count("/")

        def page_of(other: str, up: str = up) -> str | None:
            return up + quote(address[other]) if other in address else None

        def source_of(target: str, place: str, words: str, up: str = up) -> str | None:
            name = re.sub(r"^(?:\.\./)+", "", target)
            file, text = sources.get(f"{name}#{place}") or sources.get(name) or ("", "")
            lines = re.match(r"L\d+", place)
            start = -1 if lines else text.find(words)
            if not lines and start < 0 and (span := locate(words, text)):
                start = span.start
            at = f"#{lines[0]}" if lines else f"#L{text.count(chr(10), 0, start) + 1}" if start >= 0 else ""
            return f"{up}{file}{at}" if file else None

        made = render(page.body, page_of, source_of, pictures=up)
        backlinks = "".join(f'<li><a class="page" href="{_attribute(up + quote(address[other]))}">'
                            f"{_text(pages[other].title)}</a></li>" for other in back[page.name])  # fmt: skip
        body = f'<p class="kind quiet">{_text(page.told("type"))}</p>' if page.told("type") else ""
        body += made.html + (f"<h2>Linked from</h2><ul>{backlinks}</ul>" if backlinks else "")
        files[address[page.name]] = _frame(page.title, name, body, up, wide=page.name == "index")
    for source, (file, text) in sources.items():
        lines = "".join(f'<span id="L{i}">{_text(line)}</span>\n' for i, line in enumerate(text.split("\n"), 1))
        files[file] = _frame(source, name, f"<h1>{_text(source)}</h1><pre class=lines>{lines}</pre>", "../")
    files["search.html"] = _frame(
        "Search", name, f"<h1>Search</h1><div id=found></div>{_index(pages, address, sources)}"
    )
    files["graph.html"] = _frame("Graph", name, _graph(pages, linked, address), wide=True)
    return files | pictures_of(root)


def _text(text: str) -> str:
    shown = "".join(c if c in "\t\n" or unicodedata.category(c)[0] != "C" else "�" for c in text)
    return html.escape(shown, quote=False)


def _attribute(text: str) -> str:
    return html.escape(text, quote=True)


def _frame(title: str, name: str, body: str, up: str = "", wide: bool = False) -> bytes:
    shown = {"index": name, "graph": "Graph", "log": "Log"}
    links = "".join(f'<a href="{up}{page}.html">{_text(told)}</a>' for page, told in shown.items())
    search = f'<form action="{up}search.html"><input type=search name=q placeholder=Search aria-label=Search></form>'
    nav = f"<nav>{links}{search}</nav>"
    return (
        f'<!doctype html><html lang=en><head><meta charset=utf-8><meta http-equiv="Content-Security-Policy" content="'
        f'{_attribute(_POLICY)}"><meta name=viewport content="width=device-width"><title>{_text(title)}</title>'
        f'<link rel=icon href="data:,"><style>{_CSS}</style></head><body{" class=wide" if wide else ""}>{nav}'
        f"<main>{body}</main><script>{_JS}</script></body></html>\n"
    ).encode()


def _sources(memory: Memory) -> dict[str, tuple[str, str]]:
    """(file of the site, text) of each source that stands, by its name."""
    rows = memory.db.execute(
        "SELECT d.document, (SELECT target FROM refs r WHERE r.seq = d.entry AND r.role = 'file' LIMIT 1)"
        " FROM documents d JOIN entries e ON e.seq = d.entry WHERE json_extract(e.body, '$.meta.path') IS NOT NULL"
        " ORDER BY d.document, e.key"
    )
    found: dict[str, tuple[str, str]] = {}
    for name, blob in rows:
        stem = re.sub(r"[^A-Za-z0-9]+", "-", PurePosixPath(name).name).strip("-")[:60]
        file = f"sources/{stem}-{sha256(name.encode(errors='surrogateescape')).hexdigest()[:8]}.html"
        found[name] = (file, memory.blobs.get(blob).decode("utf-8", errors="replace") if blob else "")
    return found


def _index(pages: Mapping[str, PageFile], address: Mapping[str, str], sources: Mapping[str, tuple[str, str]]) -> str:
    """Pages and sources, and the words of each, as JSON that no parser of HTML can leave."""
    names = [name for name in pages if name not in ("index", "log")]
    words: dict[str, list[int]] = defaultdict(list)
    texts = [f"{pages[name].title} {pages[name].told('aliases')} {pages[name].body}" for name in names]
    for number, text in enumerate([*texts, *(text[:_SEARCHED_CHARS] for _, text in sources.values())]):
        text = unicodedata.normalize("NFKD", text).lower()
        text = _MARKUP.sub(" ", "".join(c for c in text if not unicodedata.combining(c)))
        for word in set(re.findall(r"[^\W_]{2,30}", text)):
            words[word].append(number)
    common = max(20, len(names) // 2)
    found = [[quote(file), name, "", ""] for name, (file, _) in sources.items()]
    told = {
        "pages": [[quote(address[n]), *(pages[n].told(k) for k in ("title", "description", "aliases"))] for n in names]
        + found,
        "words": {word: found for word, found in sorted(words.items()) if sum(n < len(names) for n in found) <= common},
    }  # fmt: skip
    data = json.dumps(told, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id=index>{data}</script>'


def _graph(pages: Mapping[str, PageFile], linked: Mapping[str, set[str]], address: Mapping[str, str]) -> str:
    """The pages that most others share a link with, as a drawing whose dots are links."""
    edges = sorted({(min(a, b), max(a, b)) for a, others in linked.items() for b in others})
    degree = Counter(name for pair in edges for name in pair)
    names = sorted(degree, key=lambda n: (-degree[n], n))[:GRAPH_PAGES]
    place = {name: i for i, name in enumerate(names)}
    pairs = np.array([(place[a], place[b]) for a, b in edges if a in place and b in place], dtype=int).reshape(-1, 2)
    spots = _spread(len(names), pairs) * 1000
    ends = np.hstack([spots[pairs[:, 0]], spots[pairs[:, 1]]])
    lines = "".join(f'<line x1="{a:.0f}" y1="{b:.0f}" x2="{c:.0f}" y2="{d:.0f}"/>' for a, b, c, d in ends)
    dots, taken = [], list[tuple[float, float, float]]()
    for (x, y), name in zip(spots, names, strict=True):
        shown = pages[name].title.split(": ")[0][:26]
        wide = 6.0 * len(shown) + 12
        free = all(abs(y - b) > 11 or x > a + w or a > x + wide for a, b, w in taken)  # one label over another is none
        taken += [(x, y, wide)] if free else []
        label = f'<text x="{x + 9:.0f}" y="{y + 3:.0f}">{_text(shown)}</text>' if free else ""
        dots.append(f'<a href="{_attribute(quote(address[name]))}"><circle cx="{x:.0f}" cy="{y:.0f}" '
                    f'r="{2 + math.sqrt(degree[name]) / 1.5:.1f}"><title>{_text(pages[name].title)}</title></circle>'
                    f"{label}</a>")  # fmt: skip
    alone = len(pages) - len(degree) - len({"index", "log"} & pages.keys())
    told = f"{len(names)} of {len(degree)} pages that link to one another; {alone} more have no link."
    return f'<h1>Graph</h1><p class=quiet>{told}</p><svg viewBox="-20 -20 1160 1040">{lines}{"".join(dots)}</svg>'


def _spread(count: int, pairs: np.ndarray) -> np.ndarray:
    """Places between 0 and 1: pages push one another away and links pull; the same links give the same drawing."""
    turn = np.arange(count) * 2.399963
    spots = np.column_stack([np.cos(turn), np.sin(turn)]) * np.sqrt((np.arange(count) + 0.5) / max(count, 1))[:, None]
    near = math.sqrt(1 / max(count, 1))
    for step in range(150):
        gap = spots[:, None] - spots[None]
        far = np.sqrt((gap**2).sum(-1)) + 1e-3
        move = (gap * (near**2 / far**2)[..., None]).sum(1) - spots * 0.02
        if len(pairs):
            pull = (spots[pairs[:, 0]] - spots[pairs[:, 1]]) * 0.1 * far[pairs[:, 0], pairs[:, 1]][:, None] / near / 4
            np.add.at(move, pairs[:, 0], -pull)
            np.add.at(move, pairs[:, 1], pull)
        size = np.sqrt((move**2).sum(-1, keepdims=True)) + 1e-9
        spots = spots + move / size * np.minimum(size, 0.1 * (1 - step / 150))
    low, high = (spots.min(0), spots.max(0)) if count else (0.0, 1.0)
    return np.asarray((spots - low) / np.maximum(high - low, 1e-9))
