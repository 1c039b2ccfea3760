"""Templates to pages. Every text that came from outside is escaped here, by the template engine, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ..config import load
from ..lab.evidence.board import REJECTED
from ..lab.report.renderers import linked, sentences_of
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
    made.filters.update(
        runs=run_numbers, number=number, arrows=arrows, told=linked, sentences=sentences_of, came_to=came_to
    )
    made.globals["means"] = MEANS
    return made


def arrows(text: str) -> str:
    """A change as it is read: an arrow that no line is broken before."""
    return text.replace(" -> ", "\N{NO-BREAK SPACE}→ ")


def number(value: object, digits: int = 6) -> str:
    """A number as the reports write it; nothing for None."""
    if value is None or value == "":
        return ""
    return f"{value:,.{digits}g}" if isinstance(value, float) else str(value)


#: What the words say that a run is tagged with: for the legend, and under the pointer.
MEANS = {
    "confirmed": "fresh pairs showed that it is better than the champion of its time",
    "provisional": "a near miss: better at first look, but by less than the noise of one run, so that it was not raced",
    "inconclusive": "better, but not clearly: neither a gain was shown nor ruled out, in fresh pairs where it had any",
    "dropped": "it looked better once, and its fresh pairs took that back; its own dot stays where one lucky run was",
    "discard": "at first look not clearly better than the champion; it was not measured again",
    "keep": "kept by whoever wrote the log; nobody measured it again here",
    "not judged yet": "measured, and to be judged by the next memex run",
    "baseline": "the code as it was, measured again to learn the noise; its runs in fresh pairs count for it as well",
    "fresh pair": "the idea and the champion measured again, side by side and on one new seed",
    "third split": "scored on data that no decision has looked at, to see whether a win holds there too",
    "control": "the champion measured again, to see whether the machine has changed",
    "turned down": "you, the owner, said no before it ran: it was not tried",
    "refused": "a rule of memex refused it before it ran, such as an idea that was tried already",
    "retracted": "you took its result back: it counts nowhere, and can be reinstated",
    "lost": "the harness ended before the run did",
}
_OF_A_ROLE = {"pair": "fresh pair", "control": "control", "final": "third split", "baseline": "baseline"}


def came_to(run: Mapping[str, Any]) -> tuple[str, str]:
    """What became of a run: one word for every page, and its colour."""
    if run["verdict"] == "retract" or run["status"] == "blocked":
        said_no = "turned down" if (run["error"] or "").startswith(REJECTED) else "refused"
        return "retracted" if run["verdict"] else said_no, "dropped"
    word = run["verdict"] or run["status"]
    word = _OF_A_ROLE.get(run["role"], "not judged yet") if word == "ok" else word
    return word, "failed" if run["status"] in ("crash", "timeout", "invalid", "lost") else word


#: Those of a night: a lab without target and runs has no use for them.
_OF_A_NIGHT = ("/", "/runs", "/effects", "/report")
_HAS = (
    "SELECT EXISTS (SELECT 1 FROM entries INDEXED BY entries_person JOIN documents ON entry = seq WHERE kind = 'source'"
    " AND body ->> '$.meta.person' <> ''),"
    " EXISTS (SELECT 1 FROM runs)"
)


def has_target(request: Request) -> bool:
    """Whether `memex run` has something to run; a lab that cannot be read says so on its pages."""
    try:
        return load(request.app.state.root).contract is not None
    except MemexError:
        return False


def places_of(request: Request) -> tuple[tuple[str, str, str], ...]:
    """The places of a lab: people where a corpus of somebody was taken in, a night where one can be or was run."""
    labs = labs_of(request)
    try:
        somebody, ran = labs.kept(("places",), lambda: labs.lab().memory.db.execute(_HAS).fetchone())
    except MemexError:  # a lab that cannot be opened still has a page that says so
        return PLACES
    people = (("/partner", "People", "p"),) if somebody else ()
    if ran or has_target(request):
        return (*PLACES, *people)
    return (*people, *(place for place in PLACES if place[0] not in _OF_A_NIGHT))


def page(request: Request, name: str, title: str, status: int = 200, **context: Any) -> Response:
    """A page in its frame; with `?part=1` its inside alone, for a live replacement."""
    here, places, can_run = request.url.path, places_of(request), has_target(request)

    def parts(path: str) -> tuple[str, str]:
        return f"{path}/", f"{path}-"

    text = (
        environment()
        .get_template(name)
        .render(
            title=title,
            here=next((path for path, _, _ in reversed(places) if here == path or here.startswith(parts(path))), ""),
            places=places,
            can_run=can_run,
            start="memex run --runs 8" if can_run else "memex import results.tsv",
            lab=request.app.state.root.name,
            may_write=request.scope.get("memex_may_write", False),
            frame="part.html" if request.query_params.get("part") else "frame.html",
            **context,
        )
    )
    return HTMLResponse(text, status)
