"""The people of a lab, and the page of each: `memex partner` writes it in a process of its own, and it is kept.

A page is made again when something landed that is no run and no call of a model. Who waits is told how far it is.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from threading import Lock

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from ..ledger import OutsideError
from .labs import lab_of, labs_of
from .rendering import page

_NEWEST = "SELECT coalesce(max(seq), 0) FROM entries WHERE kind NOT IN ('run', 'call')"
_HELD = (
    "SELECT count(*), sum(chars), min(nullif(body ->> '$.meta.date', '')), max(body ->> '$.meta.date') FROM entries"
    " JOIN documents ON entry = seq WHERE kind = 'source' AND body ->> '$.meta.person' = ?"
)
_ONE = Lock()


def _people(request: Request) -> Response:
    from ..partner.corpus import people, slug_of

    memory = lab_of(request).memory
    found = [(name, slug_of(name), *memory.db.execute(_HELD, (name,)).fetchone()) for name in people(memory)]
    return page(request, "people.html", "People", people=found, making="")


def _person(request: Request) -> Response:
    from ..commands.perspective import NOTES
    from ..partner.corpus import people, slug_of
    from ..partner.page import policy

    memory, slug = lab_of(request).memory, request.path_params["slug"]
    asked, against = (request.query_params.get(name, "") for name in ("as_of", "against"))
    known = {slug_of(name): name for name in people(memory)}
    if slug not in known or against not in known.keys() - {slug} | {"", NOTES}:
        return page(request, "error.html", "Nobody", 404, text="No corpus was taken in for this person.")
    if asked and not (asked.isdecimal() and len(asked) == 4):  # all years must not pass for some
        return page(request, "error.html", "No year", 400, text="A year has four digits: ?as_of=1860")
    name, [newest] = f"{slug}.{asked}.{against}.", memory.db.execute(_NEWEST).fetchone()
    path = memory.folder / "people" / f"{name}{newest}.html"
    command = ["partner", slug, *(["--as-of", asked] * bool(asked)), *(["--against", against] * bool(against))]
    with _ONE:
        told = None if path.exists() else _made(request, path, command)
    if told:
        return page(request, "people.html", known[slug], people=[], making=told)
    for old in path.parent.glob(f"{name}*.html"):
        if old != path:
            old.unlink(missing_ok=True)
    return HTMLResponse(path.read_text("utf-8"), headers={"content-security-policy": policy()})


def _made(request: Request, path: Path, command: list[str]) -> str:
    """How far the page is, '' when it lies there; it is begun where nobody did."""
    under_way, part, said = labs_of(request).beside, path.with_suffix(".part"), path.with_suffix(".txt")
    process = under_way.get(path)
    if process is None:
        path.parent.mkdir(exist_ok=True)
        memex = [sys.executable, "-P", "-m", "memexlab", "--lab", str(request.app.state.root)]
        with said.open("wb") as telling:
            under_way[path] = subprocess.Popen(
                [*memex, *command, "--out", str(part)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=telling,
            )  # fmt: skip
        return "Opening the corpus"
    lines = ["Opening the corpus", *said.read_text("utf-8", "replace").splitlines()]
    if process.poll() is None:
        return lines[-1]
    if process.returncode:
        raise OutsideError(f"the page was not made: {lines[-1]}", hint=f"memex {' '.join(command)}")
    del under_way[path]
    part.replace(path)
    said.unlink()
    return ""


ROUTES = [Route("/partner", _people), Route("/partner/{slug}", _person)]
