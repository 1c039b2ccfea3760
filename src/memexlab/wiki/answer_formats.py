"""An answer in another form: a Marp deck, a table, a figure with its data, a JSON Canvas. Files in `reports/`.

It draws what it is given; a figure holds only numbers that stand in claims.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from ..ledger import UsageError, write_durably
from .dates import dates
from .evidence_search import Piece
from .subjects import key_of, safe

Form = Literal["marp", "figure", "table", "canvas"]
_SUFFIX = {"marp": ".marp.md", "figure": ".png", "table": ".csv", "canvas": ".canvas"}
NUMBER = re.compile(r"^[^\d-]{0,3}(-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?)(.*)$")


def write_form(root: Path, form: Form, question: str, sentences: Sequence[tuple[str, Sequence[str]]],
               pieces: Sequence[Piece], values: Sequence[tuple[str, str, str, str, str]]) -> list[Path]:  # fmt: skip
    """Writes the answer in that form and returns its files; raises UsageError where a figure has no two numbers."""
    whole = "-".join(key_of(question).split()) or "answer"
    name = whole if len(whole) <= 60 else f"{whole[:60]}-{blake2b(whole.encode(), digest_size=3).hexdigest()}"
    path = root / "reports" / f"{name}{_SUFFIX[form]}"
    path.parent.mkdir(exist_ok=True)
    if form == "marp":
        write_durably(path, _deck(question, sentences, pieces).encode())
        return [path]
    if form == "canvas":
        write_durably(path, json.dumps(_canvas(question, sentences, pieces), ensure_ascii=False, indent=1).encode())
        return [path]
    if form == "table":
        told: list[Sequence[object]] = [("subject", "relation", "value", "since", "source"), *values]
        if not values:
            told = [("sentence", "since", "source"), *((p.text, p.since, p.place) for p in pieces)]
        write_durably(path, _csv(told))
        return [path]
    told_as = [(value, NUMBER.match(value[2])) for value in values if not dates(value[2])]
    found = [(value, float(number[1].replace(",", "")), (value[1], number[2].partition(",")[0].strip()))
             for value, number in told_as if number]  # fmt: skip
    # Numbers of another quantity or unit have no place on the same axis.
    most = Counter(of for *_, of in found).most_common(1)
    drawn = [(value, number) for value, number, of in found if of == most[0][0]]
    if len(drawn) < 2:
        raise UsageError("there are no two numbers of one unit to draw in this answer", "memex ask QUESTION --to table")
    data = path.with_suffix(".figure.csv")
    head = ("subject", "relation", "value", "since", "source", "number")
    write_durably(data, _csv([head, *((*told, number) for told, number in drawn)]))
    _draw(path, question, drawn)
    return [path, data]


def _deck(question: str, sentences: Sequence[tuple[str, Sequence[str]]], pieces: Sequence[Piece]) -> str:
    slides = [f"---\nmarp: true\npaginate: true\n---\n\n# {safe(question)}"]
    for text, cites in sentences:
        quotes = [pieces[int(one) - 1] for one in cites]
        told = "\n>\n".join(f"> “{safe(p.quote[:400])}” {safe(p.place)}" for p in quotes)
        slides.append(f"## {safe(text)}\n\n{told}")
    listed = "\n".join(f"- {safe(place)}" for place in dict.fromkeys(piece.place for piece in pieces))
    return "\n\n---\n\n".join([*slides, f"## Sources\n\n{listed}"]) + "\n"


def _canvas(question: str, sentences: Sequence[tuple[str, Sequence[str]]], pieces: Sequence[Piece]) -> object:
    def node(name: str, text: str, x: int, y: int) -> dict[str, object]:
        return {"id": name, "type": "text", "text": text, "x": x, "y": y, "width": 400, "height": 160}

    nodes, edges = [node("question", f"# {safe(question)}", 0, 0)], []
    for number, (text, cites) in enumerate(sentences, 1):
        nodes.append(node(f"s{number}", safe(text), 500, 200 * (number - 1)))
        edges.append({"id": f"q{number}", "fromNode": "question", "toNode": f"s{number}"})
        edges += [{"id": f"e{number}-{one}", "fromNode": f"s{number}", "toNode": f"p{one}"} for one in cites]
    for number, piece in enumerate(pieces, 1):
        words = f"“{safe(piece.quote[:400])}”\n\n{safe(piece.place)}"
        nodes.append(node(f"p{number}", words, 1000, 200 * (number - 1)))
    return {"nodes": nodes, "edges": edges}


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    """CSV in which no cell begins as a formula."""
    out = io.StringIO()
    for row in rows:
        cells = [f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+@\t\r" and cell else cell for cell in row]
        csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue().encode()


def _draw(path: Path, question: str, drawn: Sequence[tuple[tuple[str, str, str, str, str], float]]) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError("matplotlib is not installed", "pip install 'memexlab[plots]'") from error
    figure = Figure(figsize=(8, max(2.0, 0.4 * len(drawn) + 1)), layout="constrained")
    axes = figure.add_subplot()
    labels = [f"{v[0]}, {v[1]}{f' ({v[3]})' if v[3] else ''}"[:60].replace("$", r"\$") for v, _ in drawn]
    axes.barh(range(len(drawn)), [number for _, number in drawn], color="#4269d0")
    axes.set_yticks(range(len(drawn)), labels)
    axes.invert_yaxis()
    for place, (value, number) in enumerate(drawn):
        axes.annotate(value[2][:30].replace("$", r"\$"), (number, place), va="center")
    axes.set_title(question[:100].replace("$", r"\$"))
    shown = io.BytesIO()
    figure.savefig(shown, format="png")
    write_durably(path, shown.getvalue())
