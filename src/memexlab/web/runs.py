"""The table of runs: sorted, filtered with the words of `memex sql`, a page of rows at a time at any length."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..lab.logbook import campaigns_newest_first
from ..ledger import UsageError
from ..memory import Rows, query
from .labs import lab_of
from .rendering import page

ROWS = 100
COLUMNS = ("number", "role", "status", "verdict", "value", "description", "seconds", "by", "at")


def _table(request: Request) -> Response:
    lab = lab_of(request)
    names = campaigns_newest_first(lab.memory.db, None)
    asked = request.query_params
    campaign = asked.get("campaign") or (names[0] if names else "")
    where = asked.get("where", "").strip()
    sort = asked.get("sort", "number")
    sort = sort if sort in COLUMNS else "number"
    down = asked.get("down", "1") != "0"
    first = max(0, int(asked["from"])) if asked.get("from", "").isdecimal() and len(asked["from"]) < 10 else 0
    rows, trouble = Rows(COLUMNS, [], False), ""
    try:
        # The filter runs on a connection that can do nothing but read; brackets keep it inside its place.
        filter_ = f" AND ({where}\n)" if where else ""
        rows = query(
            lab.memory.index.path,
            f"SELECT {', '.join(COLUMNS)} FROM runs WHERE campaign = ?{filter_}"
            f" ORDER BY {sort} IS NULL, {sort} {'DESC' if down else 'ASC'}, number DESC"
            f" LIMIT {ROWS + 1} OFFSET {first}",
            (campaign,),
            row_limit=ROWS,
            seconds_limit=5,
        )
    except UsageError as error:
        trouble = str(error)

    def link(**changed: object) -> str:
        now = {"campaign": campaign, "where": where, "sort": sort, "down": int(down), "from": first}
        return "?" + urlencode({name: value for name, value in (now | changed).items() if value != ""})

    return page(
        request, "runs.html", "Runs", rows=[dict(zip(COLUMNS, row, strict=True)) for row in rows.rows],
        more=rows.truncated, first=first, step=ROWS, columns=COLUMNS, sort=sort, down=down, where=where,
        campaign=campaign, campaigns=names, trouble=trouble, link=link,
    )  # fmt: skip


ROUTES = [Route("/runs", _table)]
