"""What stands: sources, claims with their quotes, and mentions, as pages need them. Read from the views, in an order
that depends on what they say and never on when they landed."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from dataclasses import dataclass

from ..memory.claims import STANDING
from .claims import claim_key


@dataclass(frozen=True, slots=True)
class Quote:
    """Words of a source and the lines they stand on."""

    source: str
    line: int
    last_line: int
    text: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A claim that stands; `id` is the same in every lab."""

    id: str
    source: str
    subject: str
    relation: str
    object: str
    stance: str
    scope: str
    text: str
    since: str
    until: str
    quotes: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """A source that stands: its name (where it lies), what it is called, by whom, from when."""

    name: str
    title: str
    subject: str
    author: str
    date: str
    kind: str


@dataclass(frozen=True, slots=True)
class Mention:
    """A name a source uses, how often, and the first good sentence that does."""

    name: str
    count: int
    quote: Quote


@dataclass(frozen=True, slots=True)
class Standing:
    """All that the wiki is made of."""

    sources: dict[str, Taken]
    statements: tuple[Statement, ...]
    mentions: tuple[Mention, ...]


def standing(db: sqlite3.Connection) -> Standing:
    """Everything that stands now."""
    names: dict[int, str] = {}
    sources: dict[str, Taken] = {}
    rows = db.execute(
        "SELECT d.entry, d.document, d.title, d.author, d.published, json_extract(e.body, '$.meta.subject'),"
        " json_extract(e.body, '$.meta.type') FROM documents d JOIN entries e ON e.seq = d.entry"
        " WHERE json_extract(e.body, '$.meta.path') IS NOT NULL ORDER BY d.document, e.key"
    )
    for entry, name, title, author, date, subject, kind in rows:
        names[entry] = name
        sources[name] = Taken(name, title, subject or title, author, date, kind or "")
    quotes: dict[int, list[Quote]] = defaultdict(list)
    sql = "SELECT q.entry, c.source, line, last_line, q.text FROM quotes q JOIN claims c USING (entry) ORDER BY q.start"
    for claim, entry, line, last, text in db.execute(sql):
        if entry in names:
            quotes[claim].append(Quote(names[entry], line, last, text))
    found = [
        Statement(claim_key(names[source], subject, relation, value or "", text), names[source], subject, relation,
                  value or "", stance, _spoken(scope), text, since or "", until or "", tuple(quotes[entry]))
        for entry, source, subject, relation, value, stance, scope, text, since, until in db.execute(
            "SELECT c.entry, c.source, c.subject, c.relation, c.object, c.stance, c.scope, c.text, c.since, c.until"
            f" FROM {STANDING}"
        )
        if source in names and quotes[entry]
    ]  # fmt: skip
    found.sort(key=lambda s: (s.source, s.quotes[0].line, s.relation, s.object, s.text, s.id))
    said = [
        Mention(name, count, Quote(names[entry], line, last, text))
        for entry, name, count, line, last, text in db.execute("SELECT * FROM mentions")
        if entry in names
    ]
    said.sort(key=lambda m: (m.quote.source, -m.count, m.name))
    return Standing(sources, tuple(found), tuple(said))


def _spoken(scope: str) -> str:
    return ", ".join(str(value) for _, value in sorted(json.loads(scope).items())) if scope != "{}" else ""
