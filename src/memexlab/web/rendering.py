"""Templates to pages. Every text that came from outside is escaped here, by the template engine, and nowhere else."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ..lab.wording import run_numbers

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
    made.filters.update(runs=run_numbers, number=number)
    made.globals.update(places=PLACES)
    return made


def number(value: object, digits: int = 6) -> str:
    """A number as the reports write it; nothing for None."""
    if value is None or value == "":
        return ""
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def page(request: Request, name: str, title: str, status: int = 200, **context: Any) -> Response:
    """A page in its frame; with `?part=1` its inside alone, for a live replacement."""
    here = request.url.path

    def parts(path: str) -> tuple[str, str]:
        return f"{path}/", f"{path}-"

    text = (
        environment()
        .get_template(name)
        .render(
            title=title,
            here=next((path for path, _, _ in reversed(PLACES) if here == path or here.startswith(parts(path))), "/"),
            lab=request.app.state.root.name,
            may_write=request.scope.get("memex_may_write", False),
            frame="part.html" if request.query_params.get("part") else "frame.html",
            **context,
        )
    )
    return HTMLResponse(text, status)
