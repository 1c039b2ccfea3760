"""The table of runs: sorted, grouped, filtered with the words of `memex sql`, a page of rows at a time."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..ledger import UsageError
from ..memory import Rows, query
from .labs import campaigns, lab_of, labs_of
from .rendering import page

ROWS = 100
COLUMNS = ("number", "role", "status", "verdict", "value", "description", "seconds", "by", "at")
_FAILED = "status IN ('crash', 'timeout', 'invalid')"
#: Filters worth a click: what the chip says, and the words it puts into the filter.
CHIPS = (
    ("candidates", "role = 'candidate'"),
    ("kept", "status = 'keep'"),
    ("confirmed", "verdict = 'confirmed'"),
    ("failed", _FAILED),
    ("last 24 hours", "at > strftime('%Y-%m-%dT%H:%M:%S', 'now', '-1 day')"),
    ("in doubt", "run IN (SELECT run FROM doubted WHERE kind = 'run')"),
    ("moved one knob", "run IN (SELECT run FROM changes GROUP BY run HAVING count(*) = 1)"),
)
#: What runs are grouped by: the value, and the filter that is one group.
_GROUPS = {
    "status": ("status", "status = {}"),
    "verdict": ("verdict", "verdict = {}"),
    "day": ("substr(at, 1, 10)", "substr(at, 1, 10) = {}"),
    "component": ("component", "run IN (SELECT run FROM changes WHERE component = {})"),
    "knob": ("knob", "run IN (SELECT run FROM changes WHERE knob = {})"),
}
_CHANGED = frozenset({"component", "knob"})


def _table(request: Request) -> Response:
    lab = lab_of(request)
    names = campaigns(request)
    asked = request.query_params
    campaign = asked.get("campaign") or (names[0] if names else "")
    where = asked.get("where", "").strip()
    sort = asked.get("sort", "number")
    sort = sort if sort in COLUMNS else "number"
    down = asked.get("down", "1") != "0"
    group = asked.get("group", "") if asked.get("group", "") in _GROUPS else ""
    after = asked.get("after", "") if asked.get("after", "").isdecimal() and len(asked["after"]) < 16 else ""
    # The filter runs on a connection that can do nothing but read; brackets keep it inside its place.
    filter_ = f" AND ({where}\n)" if where else ""
    rows, trouble = Rows((), [], False), ""
    try:
        if group:
            sql = _grouped(group, filter_)

            def grouped() -> Rows:
                return query(lab.memory.index.path, sql, (campaign,), row_limit=ROWS, seconds_limit=5)

            # A filter may ask for the time of day; all runs together change with the ledger alone.
            rows = grouped() if where else labs_of(request).kept(("groups", campaign, group), grouped)
        else:
            sql = _sorted(sort, down, after, filter_)
            rows = query(lab.memory.index.path, sql, (campaign,), row_limit=ROWS, seconds_limit=5)
    except UsageError as error:
        trouble = str(error)

    def link(**changed: object) -> str:
        now = {"campaign": campaign, "where": where, "sort": sort, "down": int(down), "group": group}
        return "?" + urlencode({name: value for name, value in (now | changed).items() if value != ""})

    def within(name: object) -> str:
        """The filter of one group, on top of the one that is set."""
        one = _GROUPS[group][1].format("'" + str(name).replace("'", "''") + "'")
        return link(where=f"({where}) AND {one}" if where else one, group="")

    shown = [dict(zip(rows.columns, row, strict=True)) for row in rows.rows]
    # A column in which nothing stands on this page only takes room from those that say something.
    columns = [name for name in COLUMNS if name == sort or any(row.get(name) not in (None, "") for row in shown)]
    return page(
        request, "runs.html", "Runs", rows=shown, more=rows.truncated, after=after, step=ROWS, columns=columns,
        sort=sort, down=down, where=where, group=group, groups=tuple(_GROUPS), campaign=campaign, campaigns=names,
        trouble=trouble, link=link, within=within, chips=CHIPS,
    )  # fmt: skip


def _sorted(sort: str, down: bool, after: str, filter_: str) -> str:
    """A page of rows behind the run `after`, found by its place and not by counting: the 1,000th costs as the first."""
    way, beyond = ("DESC", "<") if down else ("ASC", ">")
    columns = f"SELECT run, {', '.join(COLUMNS)} FROM runs WHERE campaign = ?{filter_}"
    if sort == "number":
        behind = f" AND (number, run) {beyond} (SELECT number, run FROM runs WHERE run = {after})" if after else ""
        return f"{columns}{behind} ORDER BY number {way}, run {way} LIMIT {ROWS + 1}"
    here = f"(SELECT {sort} FROM runs WHERE run = {after})"
    behind = (
        f" AND (({sort} IS NULL) > ({here} IS NULL) OR {sort} {beyond} {here} OR ({sort} IS {here} AND run < {after}))"
        if after
        else ""
    )
    return f"{columns}{behind} ORDER BY {sort} IS NULL, {sort} {way}, run DESC LIMIT {ROWS + 1}"


def _grouped(group: str, filter_: str) -> str:
    best = "CASE (SELECT better FROM campaigns c WHERE c.campaign = r.campaign) WHEN 'higher' THEN max(value)"
    # A run that changed several knobs of one component is one run of it.
    joined = f" JOIN (SELECT DISTINCT run, {group} FROM changes) USING (run)" if group in _CHANGED else ""
    return (
        f"SELECT {_GROUPS[group][0]} AS name, count(*) AS runs, sum(status IS 'keep') AS kept,"
        f" sum(verdict IS 'confirmed') AS confirmed, sum({_FAILED}) AS failed, {best} ELSE min(value) END AS best,"
        f" max(number) AS newest FROM (SELECT * FROM runs WHERE campaign = ?{filter_}) r{joined}"
        f" GROUP BY 1 ORDER BY runs DESC, 1 LIMIT {ROWS + 1}"
    )


ROUTES = [Route("/runs", _table)]
