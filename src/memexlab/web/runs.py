"""The table of runs: sorted, grouped, filtered with plain words or those of `memex sql`, a page of rows at a time."""

from __future__ import annotations

import re
import sqlite3
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..ledger import UsageError
from ..memory import Memory, Rows, query
from ..memory.effects.noise import fresh_means
from .labs import campaigns, lab_of, labs_of
from .rendering import page

ROWS = 100
COLUMNS = ("number", "role", "status", "verdict", "value", "description", "seconds", "by", "at")
#: What is shown of them: role, status and verdict say one thing together, under `status`.
_SHOWN = ("number", "status", "value", "description", "seconds", "by", "at")
_IDEAS = " AND role NOT IN ('pair', 'control', 'final')"
_FAILED = "status IN ('crash', 'timeout', 'invalid') AND verdict != 'retract'"
_STATUS = "iif(verdict = 'retract', 'retracted', status)"
#: What no SQL is: words, of which none compares or joins.
_WORDS = re.compile(r"(?!.*\b(?i:between|null)\b)[^=<>()'\"*;]+")
#: Texts in quotes, which stay as they are, and names, which may be those of knobs.
_NAMES = re.compile(r"""'(?:[^']|'')*'|"[^"]*"|[A-Za-z_][\w.:/]*""")
#: Filters worth a click: what the chip says, and the words it puts into the filter.
CHIPS = (
    ("kept", "status = 'keep'"),
    ("confirmed", "verdict = 'confirmed'"),
    ("failed", _FAILED),
    ("last 24 hours", "at > strftime('%Y-%m-%dT%H:%M:%S', 'now', '-1 day')"),
    ("in doubt", "run IN (SELECT run FROM doubted WHERE kind = 'run')"),
    ("moved one knob", "run IN (SELECT run FROM changes GROUP BY run HAVING count(*) = 1)"),
)
#: What runs are grouped by: the value, and the filter that is one group.
_GROUPS = {
    "status": (_STATUS, _STATUS + " = {}"),
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
    terms = "SELECT better, origin FROM campaigns WHERE campaign = ?"
    better, origin = lab.memory.db.execute(terms, (campaign,)).fetchone() or ("", "")
    # The first click on a column shows the best, or what comes first in the alphabet.
    first = {"value": int(better == "higher"), "status": 0, "description": 0, "by": 0}
    down = asked.get("down", str(first.get(sort, 1))) != "0"
    group = asked.get("group", "") if asked.get("group", "") in _GROUPS else ""
    after = asked.get("after", "") if asked.get("after", "").isdecimal() and len(asked["after"]) < 16 else ""
    # The filter runs on a connection that can do nothing but read; brackets keep it inside its place.
    filter_ = f" AND ({_as_sql(lab.memory.db, where)}\n)" if where else ""
    every = bool(where or group or asked.get("all"))
    filter_ = filter_ if every else _IDEAS
    rows, trouble, total = Rows((), [], False), "", 0
    try:
        if group:
            sql = _grouped(group, filter_)
            # A filter may ask for the time of day; all runs together change with the ledger alone.
            if where:
                rows = selected(lab.memory, sql, campaign)
            else:
                rows = labs_of(request).kept(("groups", campaign, group), lambda: selected(lab.memory, sql, campaign))
        else:
            rows = selected(lab.memory, _sorted(sort, down, after, filter_), campaign)
            total = next(iter(selected(lab.memory, _counted(filter_), campaign).rows), (0,))[0]
    except UsageError as error:
        trouble = str(error).partition("; the tables are")[0]

    def link(**changed: object) -> str:
        now = {"campaign": campaign, "where": where, "sort": sort, "down": int(down), "group": group,
               "all": asked.get("all", "")}  # fmt: skip
        return "?" + urlencode({name: value for name, value in (now | changed).items() if value != ""})

    def within(name: object) -> str:
        """The filter of one group, on top of the one that is set."""
        one = _GROUPS[group][1].format("'" + str(name).replace("'", "''") + "'")
        return link(where=f"({where}) AND {one}" if where else one, group="")

    shown = [dict(zip(rows.columns, row, strict=True)) for row in rows.rows]
    fresh = {} if group else fresh_means(lab.memory.db, campaign)
    for row in shown:
        row["fresh"] = fresh.get(row["commit_id"]) if row.get("role") == "candidate" else None
    # A column in which nothing stands on this page only takes room from those that say something.
    columns = [name for name in _SHOWN if name == sort or any(row.get(name) not in (None, "") for row in shown)]
    if len({row.get("by") for row in shown}) == 1 and sort != "by":
        columns = [name for name in columns if name != "by"]
    place = int(asked["page"]) if after and asked.get("page", "").isdecimal() and len(asked["page"]) < 9 else 1
    values = [row["value"] for row in shown if row.get("value") is not None]
    example = f" and value {'>' if better == 'higher' else '<'} {values[0]:.4g}" if values else ""
    return page(
        request, "runs.html", "Runs", rows=shown, more=rows.truncated, after=after, step=ROWS, columns=columns,
        sort=sort, down=down, where=where, group=group, groups=tuple(_GROUPS), campaign=campaign, campaigns=names,
        trouble=trouble, link=link, within=within, chips=CHIPS, every=every, total=total, place=place, first=first,
        example=f"words, or status = 'keep'{example}", imported=origin == "import",
        names=[name for _, name, *_ in lab.memory.db.execute("PRAGMA table_info(runs)")] if trouble else [],
    )  # fmt: skip


def _counted(filter_: str) -> str:
    return f"SELECT count(*) FROM runs WHERE campaign = ?{filter_} HAVING count(*) > 0"


def _as_sql(db: sqlite3.Connection, where: str) -> str:
    """A filter as SQL: plain words are looked for in what is told of a run, and a knob is what the run set it to."""
    columns = {name for _, name, *_ in db.execute("PRAGMA table_info(runs)")}
    if _WORDS.fullmatch(where):
        told = "(description || ' ' || hypothesis || ' ' || reason || ' ' || error || ' ' || coalesce((SELECT"
        told += " group_concat(c.knob || ' ' || coalesce(c.new, '')) FROM changes c WHERE c.run = runs.run), ''))"
        words = re.sub(r"[%_|]", lambda sign: f"|{sign[0]}", where).split()
        return " AND ".join(f"{told} LIKE '%{word}%' ESCAPE '|'" for word in words if word != "and") or "1"

    def value_of(found: re.Match[str]) -> str:
        known = "SELECT 1 FROM settings WHERE knob = ?1 UNION ALL SELECT 1 FROM changes WHERE knob = ?1 LIMIT 1"
        forms = [] if found[0].lower() in columns else dict.fromkeys((found[0], found[0].lower(), found[0].upper()))
        knob = next((form for form in forms if db.execute(known, (form,)).fetchone()), None)
        if knob is None:
            return found[0]
        as_number = "iif(c.new GLOB '*[0-9]*' AND c.new NOT GLOB '*[g-zG-Z]*', CAST(c.new AS REAL), c.new)"
        return (
            f"coalesce((SELECT coalesce(s.number, s.value) FROM settings s WHERE s.run = runs.run AND s.knob = '{knob}'"
            f"), (SELECT {as_number} FROM changes c WHERE c.run = runs.run AND c.knob = '{knob}'))"
        )

    return _NAMES.sub(value_of, where)


def selected(memory: Memory, sql: str, campaign: str) -> Rows:
    return query(memory.index.path, sql, (campaign,), row_limit=ROWS, seconds_limit=5)


def _sorted(sort: str, down: bool, after: str, filter_: str) -> str:
    """A page of rows behind the run `after`, found by its place and not by counting: the 1,000th costs as the first."""
    way, beyond = ("DESC", "<") if down else ("ASC", ">")
    columns = f"SELECT run, commit_id, error, {', '.join(COLUMNS)} FROM runs WHERE campaign = ?{filter_}"
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
