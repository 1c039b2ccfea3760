"""Templates to pages. Every text that came from outside is escaped here, by the template engine, and nowhere else."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ..lab.wording import run_numbers
from ..ledger import MemexError
from .labs import labs_of

HERE = Path(__file__).parent

#: What stands in the head of every page, in the order of a night: address, label, key that goes there after `g`.
PLACES: tuple[tuple[str, str, str], ...] = (
    ("/", "Tonight", "t"),
    ("/runs", "Runs", "r"),
    ("/effects", "Effects", "e"),
    ("/report", "Report", "m"),
    ("/wiki", "Wiki", "w"),
    ("/graph", "Graph", "g"),
    ("/ask", "Ask", "a"),
    ("/sources", "Sources", "s"),
)


@cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(runs=run_numbers, number=number, arrows=arrows)
    return made


def arrows(text: str) -> str:
    """A change as it is read: an arrow that no line is broken before."""
    return text.replace(" -> ", "\N{NO-BREAK SPACE}→ ")


def number(value: object, digits: int = 6) -> str:
    """A number as the reports write it; nothing for None."""
    if value is None or value == "":
        return ""
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


_SOMEBODY = "SELECT 1 FROM documents JOIN entries ON seq = entry WHERE body ->> '$.meta.person' IS NOT NULL LIMIT 1"


def _places(request: Request) -> tuple[tuple[str, str, str], ...]:
    """The places of a lab: people stand there where a corpus of somebody was taken in."""
    labs = labs_of(request)
    try:
        somebody = labs.kept(("people",), lambda: labs.lab().memory.db.execute(_SOMEBODY).fetchone())
    except MemexError:  # a lab that cannot be opened still has a page that says so
        return PLACES
    return (*PLACES, ("/partner", "People", "p")) if somebody else PLACES


def page(request: Request, name: str, title: str, status: int = 200, **context: Any) -> Response:
    """A page in its frame; with `?part=1` its inside alone, for a live replacement."""
    here, places = request.url.path, _places(request)

    def parts(path: str) -> tuple[str, str]:
        return f"{path}/", f"{path}-"

    text = (
        environment()
        .get_template(name)
        .render(
            title=title,
            here=next((path for path, _, _ in reversed(places) if here == path or here.startswith(parts(path))), "/"),
            places=places,
            lab=request.app.state.root.name,
            may_write=request.scope.get("memex_may_write", False),
            frame="part.html" if request.query_params.get("part") else "frame.html",
            **context,
        )
    )
    return HTMLResponse(text, status)
