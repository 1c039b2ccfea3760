"""The people of a lab, and the page of each: the file that `memex partner` writes, made again when entries land."""

from __future__ import annotations

from threading import Lock

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from .labs import lab_of
from .rendering import page

#: The last page that was made of each person, year and comparison, and after which entry; one is made at a time.
_MADE: dict[tuple[str, str, int | None, str], tuple[int, str]] = {}
_MAKING = Lock()


def _people(request: Request) -> Response:
    from ..partner.corpus import people, slug_of

    names = [(name, slug_of(name)) for name in people(lab_of(request).memory)]
    return page(request, "people.html", "People", people=names)


def _person(request: Request) -> Response:
    from ..commands.portraying import NOTES, page_of
    from ..partner.corpus import people, slug_of
    from ..partner.page import policy

    memory, slug = lab_of(request).memory, request.path_params["slug"]
    asked, against = (request.query_params.get(name, "") for name in ("as_of", "against"))
    as_of = int(asked) if asked.isdecimal() and len(asked) == 4 else None
    known = {slug_of(name) for name in people(memory)}
    if slug not in known or against not in known - {slug} | {"", NOTES}:
        return page(request, "error.html", "Nobody", 404, text="No corpus was taken in for this person.")
    if asked and as_of is None:  # all years must not pass for some
        return page(request, "error.html", "No year", 400, text="A year has four digits: ?as_of=1860")
    last = memory.db.execute("SELECT max(seq) FROM entries").fetchone()[0]
    key = (str(request.app.state.root), slug, as_of, against)
    with _MAKING:
        if _MADE.get(key, (-1, ""))[0] != last:
            if len(_MADE) > 3:  # a page is some megabytes
                _MADE.clear()
            _MADE[key] = (last, page_of(memory, slug, as_of, against)[1])
        text = _MADE[key][1]
    return HTMLResponse(text, headers={"content-security-policy": policy()})


ROUTES = [Route("/partner", _people), Route("/partner/{slug}", _person)]
