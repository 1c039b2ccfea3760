"""A perspective as one HTML file that works from disk: sections drawn here, all the text packed with an index of it.

Texts travel deflated, in parts that the page opens when they are read. It computes no section and loads nothing.
"""

from __future__ import annotations

import base64
import json
import re
import unicodedata
import zlib
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..lab.report.axes import colour_variables
from ..memory.search.passages import cut
from .corpus import Text
from .perspective import Perspective
from .prompt import BuiltPrompt, place

PART_CHARS = 120_000
_TERM = re.compile(r"[^\W_]+")
#: Characters that are two units of UTF-16.
_WIDE = re.compile("[\U00010000-\U0010ffff]")
_YEARS_SHOWN = 24
HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Shared:
    """What two corpora have in common, and what only one of them speaks of: names of terms and of lineage."""

    name: str
    both: tuple[str, ...]
    here: tuple[str, ...]
    there: tuple[str, ...]
    lineage: tuple[str, ...]


def render_page(
    perspective: Perspective, texts: Sequence[Text], prompts: Sequence[BuiltPrompt], as_of: int | None = None,
    against: Shared | None = None,
) -> str:  # fmt: skip
    """The page; the same arguments give the same bytes."""
    blobs = [_packed(part.encode("utf-8", "replace")) for text in texts for part in _parts(text.text)]
    blobs += [_packed(json.dumps(_map(texts), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))]
    blobs += [_packed(blob) for blob in index(text.text for text in texts)]
    return _environment().get_template("page.html.j2").render(
        p=perspective, had=perspective.coverage, prompts=prompts, blobs=blobs, parts=len(blobs) - 3, as_of=as_of,
        against=against, heat=_heat, licences=Counter(text.licence or "no licence given" for text in texts),
        style=Markup(style()), script=Markup(script()), build=sha256("".join(blobs).encode()).hexdigest()[:12],
    )  # fmt: skip


def shared(perspective: Perspective, other: Perspective, name: str) -> Shared:
    """Compares vocabulary and lineage; what statements have in common is for a reader to judge."""
    here, there = ([term.term for term in one.vocabulary] for one in (perspective, other))
    names = {mention.name for mention in other.lineage}
    return Shared(
        name, tuple(t for t in here if t in there), tuple(t for t in here if t not in there)[:40],
        tuple(t for t in there if t not in here)[:40], tuple(m.name for m in perspective.lineage if m.name in names),
    )  # fmt: skip


def style() -> str:
    text = (HERE / "page.css").read_text(encoding="utf-8")
    return text.replace("LIGHT", colour_variables("light")).replace("DARK", colour_variables("dark"))


def script() -> str:
    return (HERE / "page.js").read_text(encoding="utf-8")


def policy() -> str:
    """What a server lets the page do: its own inline style and script, known by their hashes, and nothing else."""
    script_hash, style_hash = (
        base64.b64encode(sha256(text.encode()).digest()).decode() for text in (script(), style())
    )
    return (
        f"default-src 'none'; script-src 'sha256-{script_hash}'; style-src 'sha256-{style_hash}'; "
        "style-src-attr 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def terms(text: str) -> list[str]:
    """The words of a text as the index holds them; page.js cuts a query the same way."""
    plain = unicodedata.normalize("NFKD", text).lower()
    return _TERM.findall("".join(c for c in plain if not unicodedata.combining(c)) if not plain.isascii() else plain)


def index(texts: Iterable[str]) -> tuple[bytes, bytes]:
    """The sorted words, one a line; and for each how many passages have it, and their numbers as deltas, in varints."""
    found: dict[str, list[int]] = defaultdict(list)
    number = 0
    for text in texts:
        for start, end in cut(text):
            for term in set(terms(text[start:end])):
                found[term].append(number)
            number += 1
    packed = bytearray()
    for term in sorted(found):
        had = found[term]
        for value in (len(had), had[0], *(after - before for before, after in pairwise(had))):
            while value > 127:
                packed.append((value & 127) | 128)
                value >>= 7
            packed.append(value)
    return "\n".join(sorted(found)).encode(), bytes(packed)


def _parts(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = text.rfind("\n\n", start + PART_CHARS // 2, start + PART_CHARS)
        end = end + 2 if end >= 0 and start + PART_CHARS < len(text) else min(len(text), start + PART_CHARS)
        yield text[start:end]
        start = end


def _map(texts: Sequence[Text]) -> dict[str, Any]:
    """What the script knows of the texts. Its places count UTF-16 units, as strings of JavaScript do."""
    sources, passages, part = [], [], 0
    for number, text in enumerate(texts):
        wide = [match.start() for match in _WIDE.finditer(text.text)]

        def at(place: int, wide: Sequence[int] = wide) -> int:
            return place + bisect_left(wide, place)

        units = [len(piece.encode("utf-16-le")) // 2 for piece in _parts(text.text)]
        voices = [[at(one.start), at(one.end), one.voice, one.date, one.kind] for one in text.segments]
        sources.append({
            "entry": text.entry, "title": text.title, "kind": text.kind, "date": text.date, "basis": text.basis,
            "part": part, "units": units, "voices": voices, "wide": wide,
        })  # fmt: skip
        part += len(units)
        passages += [[number, at(start), at(end)] for start, end in cut(text.text)]
    return {"sources": sources, "passages": passages}


def _packed(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 6)).decode("ascii")


def _heat(cells: Mapping[str, Mapping[int, int]]) -> tuple[list[str], dict[str, list[int]]]:
    """Words in own voice by kind and year, or by stretches of years where there are many: labels, then rows."""
    years = sorted({year for found in cells.values() for year in found if year})
    if not years:
        return [], {}
    step = next(size for size in (1, 2, 5, 10, 20, 50, 1000) if (years[-1] - years[0]) / size < _YEARS_SHOWN)
    starts = list(range(years[0] - years[0] % step, years[-1] + 1, step))
    form = {1: "{0}", 10: "{0}s"}.get(step, "{0}-{1:02}")
    labels = [form.format(year, (year + step - 1) % 100) for year in starts]
    rows = {kind: [0] * len(starts) for kind in sorted(cells)}
    for kind, found in cells.items():
        for year, words in found.items():
            if year:
                rows[kind][(year - starts[0]) // step] += words
    return labels, rows


def _spark(years: dict[int, int], first: int, last: int) -> str:
    """Points of a line of 100 by 20 over the years of the corpus."""
    top, span = max(years.values(), default=0) or 1, max(1, last - first)
    counts = [years.get(year, 0) for year in range(first, last + 1)]
    return " ".join(f"{100 * i / span:.1f},{19 - 18 * count / top:.1f}" for i, count in enumerate(counts))


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters.update(place=place, year=lambda date: int(date[:4]) if str(date)[:4].isdigit() else None)
    made.globals.update(spark=_spark)
    return made
