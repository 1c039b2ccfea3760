"""Facts with two times: what held when, and what was known when. Change and correction stay apart.

In the world time runs by the numbers of runs, or by dates; knowledge by the instants at which entries landed. What was
known then is the view `facts` over champions and endings as they were known then: there is no second definition.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..ledger import UsageError
from .changes.names import SHIPPED, Aliases
from .endings import endings
from .entities import entity_names, names_of, typed
from .questions.moments import Anchors, NotHere, Window
from .questions.vocabulary import Vocabulary
from .registry import reigns_known
from .schema import FACTS

_POINT = re.compile(r"(?:run )?#?(?P<run>\d{1,9})|@(?P<position>\d{1,9})|(?P<date>\d{4}-\d\d(?:-\d\d(?:[T ].*)?)?)")
_MOST_CORRECTIONS = 30
_KNOWN = (
    "WITH champions AS (SELECT j.value ->> 0 AS campaign, j.value ->> 1 AS run, j.value ->> 2 AS since, j.value ->> 3"
    " AS until FROM json_each(?1) j), endings AS (SELECT j.value ->> 0 AS entry, j.value ->> 1 AS ended_by,"
    f" j.value ->> 2 AS end, j.value ->> 3 AS until FROM json_each(?2) j) SELECT * FROM ({FACTS})"
    " WHERE subject = ?3 AND at < ?4"
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One row of the view `facts`; `until_run` and `until` are the first at which it held no more."""

    subject: str
    predicate: str
    object: str | None
    campaign: str | None
    since_run: int | None
    until_run: int | None
    since: str | None
    until: str | None
    at: str
    entry: str
    ended_by: str | None
    end: str | None


@dataclass(frozen=True, slots=True)
class Span:
    """Time in the world, both ends included: numbers of runs where they were said, and instants; None has no limit."""

    first: int | None = None
    last: int | None = None
    since: str | None = None
    until: str | None = None

    def meets(self, fact: Fact) -> bool:
        """Whether the fact held at any time in it."""
        if fact.since_run is not None and (self.first, self.last) != (None, None):
            late = self.last is not None and fact.since_run > self.last
            return not late and (fact.until_run is None or self.first is None or fact.until_run > self.first)
        late = self.until is not None and (fact.since or "") > self.until
        return not late and (fact.until is None or self.since is None or fact.until > self.since)


@dataclass(frozen=True, slots=True)
class Times:
    """Reads moments: `40` or `run 40`, `2026-03-01`, `@12` (a position), or an event of the campaign in words."""

    db: sqlite3.Connection
    campaign: str
    aliases: Aliases = SHIPPED

    def point(self, text: str) -> Span:
        """One moment as a span; raises UsageError for what is none."""
        found = _POINT.fullmatch(text.strip())
        if found is None or found["run"]:
            number = int(found["run"]) if found else self._window(f"until {text}").last
            return self._runs(number, number)
        date = self._at("seq", int(found["position"])) if found["position"] else found["date"].replace(" ", "T")
        return Span(since=date, until=date)

    def span(self, text: str) -> Span:
        """`A..B` of two moments, or the time that an anchor in words names, such as "since the champion changed"."""
        one, dots, two = text.partition("..")
        if dots:
            a, b = self.point(one) if one else Span(), self.point(two) if two else Span()
            if (a.since or "") > (b.until or "~") or (a.first or 0) > (b.last or 1 << 60):
                raise UsageError(f"{text} ends before it begins", "--during 10..40")
            return Span(a.first, b.last, a.since, b.until)
        window = self._window(text)
        runs = self._runs(window.first, window.last)
        return replace(runs, since=window.since or runs.since, until=window.before or runs.until)

    def known(self, text: str) -> str:
        """The instant before which all had landed that was known then; a date means its first moment."""
        point = self.point(text)
        return f"{point.until}!" if point.first or text.strip().startswith("@") else str(point.until)

    def _runs(self, first: int | None, last: int | None) -> Span:
        return Span(first, last, *(None if n is None else self._at("number", n) for n in (first, last)))

    def _at(self, column: str, value: int) -> str:
        where = "entries WHERE seq = ?1 AND ?2 = ?2" if column == "seq" else "runs WHERE number = ?1 AND campaign = ?2"
        [at] = self.db.execute(f"SELECT max(at) FROM {where}", (value, self.campaign)).fetchone()
        if at is None:
            what = f"no entry at position {value}" if column == "seq" else f"no run {value} in campaign {self.campaign}"
            raise UsageError(f"there is {what}", 'memex sql "select campaign, max(number) from runs group by 1"')
        return str(at)

    def _window(self, text: str) -> Window:
        [last] = self.db.execute("SELECT max(number) FROM runs WHERE campaign = ?", (self.campaign,)).fetchone()
        read = Vocabulary(self.db, self.campaign, self.aliases).read
        try:
            window, rest = Anchors(self.db, self.campaign, last or 0, read).windows(text.lower())
            if replace(window, why=()) == Window() or rest.strip(" .?"):
                raise NotHere(f"{text!r} is no moment")
        except NotHere as missing:
            raise UsageError(str(missing), 'a run number, a date, or "since the champion changed"') from missing
        return window


def facts_about(
    db: sqlite3.Connection,
    subject: str,
    as_of: str | None = None,
    known_at: str | None = None,
    during: str | None = None,
    campaign: str = "",
    aliases: Aliases = SHIPPED,
) -> list[Fact]:
    """Facts of a subject, under all its names, oldest first.

    `as_of`: what held then; `during`: at any time in it; both leave out what turned out wrong. `known_at`: only what
    had landed, so what was corrected later still holds. `campaign` is the one whose run numbers are meant.
    """
    times = Times(db, campaign, aliases)
    before = times.known(known_at) if known_at else None
    spans = [times.point(as_of)] if as_of else []
    spans += [times.span(during)] if during else []
    names = subjects(db, subject, aliases)
    found = _rows(db, names, before)
    for name in names:
        if typed(name)[0] == "campaign":
            found += _corrected(db, name, before, found)
    held = (f for f in found if not spans or (f.end != "corrected" and all(span.meets(f) for span in spans)))
    return sorted(held, key=lambda f: (f.since_run or 0, f.since or "", f.at, f.predicate, f.object or ""))


def subjects(db: sqlite3.Connection, subject: str, aliases: Aliases = SHIPPED) -> list[str]:
    """The names under which the memory speaks of a subject; empty where it does not."""
    rows = db.execute(
        "SELECT subject FROM facts WHERE subject IN (?1, 'campaign:' || ?1, 'source:' || ?1) UNION"
        " SELECT 'source:' || document FROM documents WHERE title = ?1",
        (subject,),
    )
    found = {row[0] for row in rows}
    if typed(subject)[0] not in ("run", "campaign", "source", "agent"):
        found.update(names_of(db, subject, entity_names(db), aliases))
    return sorted(found)


def _rows(db: sqlite3.Connection, names: Sequence[str], before: str | None) -> list[Fact]:
    if before is None:  # one name at a time, so that the planner looks it up in every part of the view
        return [Fact(*row) for n in names for row in db.execute("SELECT * FROM facts WHERE subject = ?", (n,))]
    said = [row[0] for row in db.execute(
        "SELECT id FROM entries WHERE kind IN ('source', 'run', 'claim', 'answer', 'verdict') AND subject IN"
        " (SELECT value FROM json_each(?))", (json.dumps(names),))]  # fmt: skip
    ended = [(entry, *how) for entry, how in endings(db, said, before).items()]
    kinds = {typed(name)[0] for name in names}
    wanted = [n for (n,) in db.execute("SELECT campaign FROM campaigns") if "knob" in kinds or f"campaign:{n}" in names]
    line = [(c, reign.run, reign.since, reign.until) for c in wanted for reign in reigns_known(db, c, before)]
    then = json.dumps(line), json.dumps(ended)
    return [Fact(*row) for name in names for row in db.execute(_KNOWN, (*then, name, before))]


def _corrected(db: sqlite3.Connection, campaign: str, before: str | None, known: Sequence[Fact]) -> list[Fact]:
    """Champions that were believed before a correction and not after it."""
    told = {(fact.predicate, fact.object) for fact in known}
    found = []
    for at, entry in db.execute(
        "SELECT DISTINCT e.at, e.id FROM refs f CROSS JOIN entries e ON e.seq = f.seq JOIN entries t ON t.id = f.target"
        " WHERE f.role = 'retracts' AND e.kind = 'verdict' AND t.subject GLOB ? AND (?2 IS NULL OR e.at < ?2)"
        " ORDER BY e.at DESC, e.id LIMIT ?3",
        (f"run:{campaign.removeprefix('campaign:')}/*", before, _MOST_CORRECTIONS),
    ).fetchall():
        for fact in _rows(db, [campaign], at):
            if fact.predicate == "champion" and (fact.predicate, fact.object) not in told:
                told.add((fact.predicate, fact.object))
                found.append(replace(fact, ended_by=entry, end="corrected"))
    return found
