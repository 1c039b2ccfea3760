"""`memex history` and `memex same`: the story of a subject in order, and which names are one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from ..lab.execution.sandbox import MEANING
from ..lab.wording import clean, plural
from ..ledger import UsageError
from ..memory import Memory
from ..memory.changes.names import known
from ..memory.endings import endings
from ..memory.entities import join, part, proposals, typed
from ..memory.facts import Fact, Times, facts_about, subjects

_ENTRIES = (
    "SELECT e.at, e.seq, r.number, e.id, e.kind, e.by, coalesce((e.body ->> '$.decision') || coalesce(': ' ||"
    " (e.body ->> '$.reason'), ''), (e.body ->> '$.status') || coalesce(', ' || r.value, '') || coalesce(': ' ||"
    " (e.body ->> '$.description'), '') || coalesce('; ' || nullif(e.body ->> '$.error', ''), ''),"
    " e.body ->> '$.title', e.body ->> '$.text') FROM entries e LEFT JOIN verdicts v"
    " ON v.seq = e.seq LEFT JOIN runs r ON r.run = coalesce(v.run, e.seq) WHERE"
    " e.kind IN ('source', 'run', 'claim', 'answer', 'verdict') AND "
)
_POINTING = _ENTRIES.replace("e.by,", "f.role,").replace("WHERE", "JOIN refs f ON f.seq = e.seq WHERE") + (
    " f.role IN ('parent', 'from', 'quotes', 'contradicts') AND f.target IN (SELECT value FROM json_each(?))"
    " AND e.subject <> ? AND (e.kind <> 'run' OR r.number IS NOT NULL)"
)
_MOVES = (
    "SELECT r.at, r.run, r.number, r.id, coalesce(c.old || ' -> ' || c.new, trim(c.direction || ' ' || coalesce(c.new,"
    " ''))) || iif(count(o.run) > 1, ', with ' || (count(o.run) - 1) || ' more', '') || ': ' || iif(verdict = '',"
    " status, verdict) || coalesce(', ' || r.value, '') || coalesce(', champion from run ' || k.since || iif(k.until IS"
    " NULL, ' on', ' to run ' || k.until), '') FROM changes c JOIN runs r USING (run) LEFT JOIN champions k ON k.run ="
    " r.run JOIN changes o ON o.run = c.run WHERE c.knob = ?1 GROUP BY c.rowid UNION ALL SELECT r.at, max(r.run),"
    " r.number, r.id, 'all runs say of ' || coalesce(e.old || ' -> ', '') || coalesce(e.new, '') || ': ' || e.status ||"
    " printf(', gain %+.4g over %d', e.gain, e.n) || iif(e.n = 1, ' run', ' runs') FROM effects e JOIN"
    " json_each(e.runs) j JOIN runs r ON r.campaign = e.campaign AND r.number = j.value WHERE e.knob = ?1"
    " GROUP BY e.rowid"
)
_MOST_FACTS = 12


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a story: when it landed, the number of the run it is about, what happened, and its entry."""

    at: str
    seq: int
    run: int | None
    entry: str
    text: str

    def as_fact(self, lasts: bool) -> Fact:
        """A fact that began then; one that lasts not was over at once."""
        over = (None if self.run is None else self.run + 1, f"{self.at}!")
        until_run, until = (None, None) if lasts else over
        return Fact("", "", None, None, self.run, until_run, self.at, until, self.at, self.entry, None, None)


@dataclass(frozen=True, slots=True)
class Story:
    """The facts and the events of a subject under all its names; `earlier` events were cut to fit the screen.

    `walls` says of a run behind which it ran.
    """

    subject: str
    names: tuple[str, ...]
    facts: tuple[Fact, ...]
    events: tuple[Event, ...]
    earlier: int
    walls: str = ""

    def __str__(self) -> str:
        others = ", ".join(name for name in self.names if name != self.subject)
        lines = [clean(f"{self.subject}{f' ({others})' if others else ''}", 200)]
        facts = () if typed(self.names[0])[0] in ("run", "campaign") else self.facts  # their events say the same
        lines += [f"  {fact.predicate}: {clean(fact.object or '')}{_when(fact)}" for fact in facts[-_MOST_FACTS:]]
        lines += [f"isolation {self.walls}"] if self.walls else []
        if self.earlier:
            lines.append(f"... {plural(self.earlier, 'earlier event')}: --limit {self.earlier + len(self.events)}")
        for event in self.events:
            number = f"run {event.run}" if event.run is not None else ""
            lines.append(f"{event.at[:16].replace('T', ' ')}  {number:<9} {clean(event.text, 300)}")
        return "\n".join(lines)


def _when(fact: Fact) -> str:
    times = (fact.since_run, fact.since), (fact.until_run, fact.until)
    since, until = (f"run {run}" if run is not None else (at or "")[:16].replace("T", " ") for run, at in times)
    wrong = ", corrected: it was never so" if fact.end == "corrected" else ""
    return f", from {since}{f' to {until}' if until else '' if wrong else ' on'}{wrong}"


@dataclass(frozen=True, slots=True)
class RunLog:
    """The last lines of what a run printed; `earlier` lines were cut."""

    run: int
    status: str
    error: str
    lines: tuple[str, ...]
    earlier: int

    def __str__(self) -> str:
        error = f": {clean(self.error, 300)}" if self.error else ""
        cut = [f"... {plural(self.earlier, 'earlier line')}: --limit {self.earlier + len(self.lines)}"]
        printed = self.lines or ("It printed nothing.",)
        return "\n".join([f"run {self.run}, {self.status}{error}", *cut[: self.earlier], *printed])


def run_log(memory: Memory, subject: str, campaign: str, limit: int) -> RunLog:
    """What a run printed; raises UsageError for what is no run, and for one whose output nobody recorded."""
    number = _number(subject)
    row = memory.db.execute(
        "SELECT r.number, r.status, r.error, f.target FROM runs r LEFT JOIN refs f ON f.seq = r.run AND f.role = 'log'"
        " WHERE r.campaign = ? AND r.number = ?",
        (campaign, int(number) if number.isdecimal() else -1),
    ).fetchone()
    if row is None or row[3] is None:
        told = f"no output of run {row[0]} was recorded" if row else f"campaign {campaign} has no run {subject!r}"
        raise UsageError(told, 'memex sql "select number, status, description from runs"')
    printed = memory.blobs.get(row[3]).decode("utf-8", errors="replace").splitlines()
    lines = tuple("".join(filter(str.isprintable, line.expandtabs())) for line in printed[-max(1, limit) :])
    return RunLog(row[0], row[1], row[2], lines, len(printed) - len(lines))


def _number(subject: str) -> str:
    return subject.lower().removeprefix("run").lstrip(" :#")


def story(
    memory: Memory, subject: str, campaign: str, as_of: str | None, known_at: str | None, during: str | None, limit: int
) -> Story:
    """What happened to a subject; raises UsageError where the memory does not speak of it."""
    if limit < 1:
        raise UsageError(f"--limit is {limit}", "a number above 0, such as --limit 40")
    db, aliases = memory.db, known(memory.index.aliases)
    number = _number(subject)
    asked = f"run:{campaign}/{number}" if number.isdigit() else subject
    speaks = db.execute("SELECT 1 FROM entries WHERE by = ? LIMIT 1", (asked,)).fetchone()
    names = [asked] if speaks else subjects(db, asked, aliases)
    if not names:
        raise UsageError(f"this memory says nothing of {subject!r}", f"memex search {json.dumps(subject)}")
    times = Times(db, campaign, aliases)
    before = times.known(known_at) if known_at else None
    facts = facts_about(db, asked, as_of, known_at, during, campaign, aliases)
    found = {event for name in names for event in _events(db, name, before)}
    reigns = [f for f in facts if f.predicate == "champion"]
    found |= {Event(f.at, 0, f.since_run, f.entry, f"champion: {f.object}{_when(f)}") for f in reigns}
    landed = (event for event in found if before is None or event.at < before)
    events = sorted(landed, key=lambda event: (event.at, event.run or 0, event.seq, event.text))
    if as_of:
        events = [event for event in events if times.point(as_of).meets(event.as_fact(lasts=True))]
    if during:
        events = [event for event in events if times.span(during).meets(event.as_fact(lasts=False))]
    row = db.execute("SELECT isolation FROM runs r JOIN entries e ON e.seq = r.run WHERE e.subject = ?", (asked,))
    walls = ": ".join(filter(None, ((level := (row.fetchone() or ("",))[0]), MEANING.get(level, ""))))
    return Story(asked, tuple(names), tuple(facts), tuple(events[-limit:]), max(0, len(events) - limit), walls)


def _events(db: sqlite3.Connection, name: str, before: str | None) -> Iterator[Event]:
    kind, own = typed(name)
    if kind == "knob":
        yield from (Event(*row) for row in db.execute(_MOVES, (own,)))
    elif kind == "person":
        wrote = "SELECT e.at, e.seq, NULL, e.id, 'wrote ' || title FROM documents JOIN entries e ON e.seq = entry"
        yield from (Event(*row) for row in db.execute(f"{wrote} WHERE author = ?", (own,)))
    else:
        rows = db.execute(f"{_ENTRIES} ?1 IN (e.subject, e.by)", (name,)).fetchall()
        ended = endings(db, [row[3] for row in rows], before)
        for at, seq, number, entry, what, by, text in rows:
            how = ended[entry][1] if entry in ended else ""
            end = f" [{how}]" if how and (what != "run" or how == "corrected") else ""  # a started run just ended
            yield Event(at, seq, number, entry, f"{what} {text}{end} ({by})")
        # Every run of a campaign rests on its definition, and who spoke is no evidence.
        ids = json.dumps([row[3] for row in rows if row[5] != name and kind != "campaign"])
        for at, seq, number, entry, what, role, text in db.execute(_POINTING, (ids, name)):
            how = "derived from it" if role == "parent" else "rests on it"
            yield Event(at, seq, number, entry, f"{how}: {what} {text}")


@dataclass(frozen=True, slots=True)
class Names:
    """Names that verdicts joined, and pairs that are near and that somebody may join."""

    joined: tuple[tuple[str, ...], ...]
    proposed: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        lines = [f"one: {' = '.join(names)}" for names in self.joined] or ["No verdict joins any names."]
        lines += [f"near: {a} | {b}" for a, b in self.proposed[:_MOST_FACTS]]
        return "\n".join(lines + ['to join: memex same "A" "B" --why REASON'] * bool(self.proposed))


def same_names(memory: Memory, a: str, b: str, why: str, undo: bool, by: str) -> Names:
    """Joins two names or parts them, where two are given; then all that is joined, and what might be."""
    if bool(a) != bool(b):
        raise UsageError("two names are needed", 'memex same "model depth" "layers" --why REASON')
    if a:
        (part if undo else join)(memory, a, b, why or "taken back" * undo, by)
    db, aliases = memory.db, known(memory.index.aliases)
    groups: dict[str, list[str]] = {}
    for name, canonical in db.execute("SELECT name, canonical FROM same ORDER BY canonical, name"):
        groups.setdefault(canonical, []).append(name)
    return Names(tuple(map(tuple, groups.values())), () if a else tuple(proposals(db, aliases)))
