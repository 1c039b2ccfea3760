"""What stands: sources, claims with their quotes, and mentions, as pages need them. Read from the views, in an order
that depends on what they say and never on when they landed."""

from __future__ import annotations

import json
import sqlite3
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from ..memory.search.passages import normal
from .blocks import Hand
from .claims import claim_key

#: Keys of what `memex sync` and `memex review` land.
BY_HAND = "sync:"
OF_HAND = "{0}.key >= 'sync:' AND {0}.key < 'sync;'"
#: Claims that stand, and those that a person has put another wording in place of: their place on the page stays.
_SAID = f"""claims c JOIN documents d ON d.entry = c.source JOIN entries e ON e.seq = c.entry
 LEFT JOIN endings n ON n.entry = e.id LEFT JOIN entries y ON y.id = n.ended_by
 WHERE (n.entry IS NULL OR n.end = 'changed' AND {OF_HAND.format("y")}) AND (e.key IS NULL OR NOT
 ({OF_HAND.format("e")}))"""

#: By name of a source the sources that stand and came of it: by the same name, or with bytes that it once had.
_KIN = """WITH RECURSIVE kin(name, source) AS (SELECT j.value, e.seq FROM json_each(?) j JOIN entries e ON e.kind =
 'source' AND e.subject = substr('source:' || j.value, 1, 300) UNION SELECT k.name, o.seq FROM kin k JOIN entries e ON
 e.seq = k.source JOIN entries o ON o.kind = 'source' AND o.subject = e.subject UNION SELECT k.name, g.seq FROM kin k
 JOIN refs f ON f.seq = k.source AND f.role = 'file' JOIN refs g ON g.target = f.target AND g.role = 'file')
 SELECT DISTINCT k.name, d.document FROM kin k JOIN documents d ON d.entry = k.source ORDER BY 1, 2"""
#: Claims that people withdrew or put other words in place of, and other sources that say something of their subject.
_PUT = f"""SELECT r.role = 'retracts', coalesce(h.body ->> '$.scope.states', ''), e.id, s.body ->> '$.meta.document',
 c.subject, c.relation, coalesce(c.object, ''), c.text, (SELECT text FROM quotes q WHERE q.entry = c.entry ORDER BY
 start LIMIT 1), iif(r.role = 'retracts', (SELECT json_group_array(DISTINCT d.document) FROM claims o JOIN documents d
 ON d.entry = o.source WHERE o.subject = c.subject), '[]') FROM entries h LEFT JOIN endings n ON n.entry = h.id JOIN
 refs r ON r.seq = h.seq AND r.role IN ('retracts', 'supersedes') JOIN entries e ON e.id = r.target JOIN claims c ON
 c.entry = e.seq JOIN entries s ON s.seq = c.source WHERE {OF_HAND.format("h")} AND n.entry IS NULL AND (e.key IS NULL
 OR NOT ({OF_HAND.format("e")})) ORDER BY h.id, e.id"""

_ASKED = "(SELECT value FROM json_each(?3))"
_REPLACES = "('supersedes', 'superseded by')"

#: How names of sources begin that are no files: what runs say.
RUNS = "runs/"


class Quote(NamedTuple):
    """Words of a source and the lines of its text they stand on; line 0 is what runs measured, told in full by the
    text. `page` is the page of a file that has pages."""

    source: str
    line: int
    last_line: int
    text: str
    page: int = 0


class Statement(NamedTuple):
    """A claim that stands; `id` is the same in every lab, `entry` is where it was recorded, '' where a run says it.

    What a person says in place of a value has the person as its source, and no quotes."""

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
    entry: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """A source that stands: its name (where it lies), what it is called, by whom, from when."""

    name: str
    title: str
    subject: str
    author: str
    date: str
    kind: str
    table: str = ""  # the first rows of a table, and what is told of all of it, as JSON
    blob: str = ""
    former: tuple[str, ...] = ()  # what its file was called in other versions


@dataclass(frozen=True, slots=True)
class Mention:
    """A name a source uses, how often, and the first good sentence that does."""

    name: str
    count: int
    quote: Quote


class Put(NamedTuple):
    """A claim that a person withdrew or worded anew: what it quotes, so that its words are known in another file too.

    `among` are the sources that stand and came of its own, `beside` others that speak of its subject."""

    gone: bool
    id: str
    document: str
    subject: str
    words: tuple[str, str, str]
    among: tuple[str, ...]
    beside: tuple[str, ...]

    def meets(self, source: str, subject: str) -> bool:
        """Whether a claim with these words in that source is the one; an edit goes with one source alone."""
        if self.gone:
            return source in self.among or subject == self.subject
        return source == (self.document if self.document in self.among else self.among[:1] and self.among[0])


@dataclass(frozen=True, slots=True)
class Standing:
    """All that the wiki is made of."""

    sources: Mapping[str, Taken]
    statements: tuple[Statement, ...]
    mentions: tuple[Mention, ...]
    hands: tuple[Hand, ...] = ()
    files: tuple[tuple[str, str, str, str], ...] = ()  # subject, name of its file once, and now, and its own source
    joined: tuple[tuple[str, str], ...] = ()
    settled: frozenset[str] = frozenset()  # differences that a person says are none
    put: tuple[Put, ...] = ()


class Part(NamedTuple):
    """A part of what stands: all that some sources say, and what `others` say of `names`, of what replaced what, or
    in the entries `claims`."""

    sources: Collection[str]
    others: Collection[str] = ()
    names: Collection[str] = ()
    claims: Collection[str] = ()


def standing(db: sqlite3.Connection, part: Part | None = None) -> Standing:
    """Everything that stands now, or a part of it with all that people wrote."""
    names: dict[int, str] = {}
    sources: dict[str, Taken] = {}
    chosen = "" if part is None else " AND d.document IN (SELECT value FROM json_each(?))"
    rows = db.execute(
        "SELECT d.entry, d.document, d.title, d.author, d.published, json_extract(e.body, '$.meta.subject'),"
        " json_extract(e.body, '$.meta.type'), json_extract(e.body, '$.meta.page_lines'), json_extract(e.body,"
        " '$.meta.table', '$.meta.told'), f.target, (SELECT json_group_array(DISTINCT o.body ->> '$.title') FROM"
        " entries o WHERE o.kind = 'source' AND o.subject = e.subject AND o.seq <> e.seq) FROM documents d JOIN"
        " entries e ON e.seq = d.entry LEFT JOIN refs f ON f.seq = e.seq AND f.role = 'file' WHERE"
        f" json_extract(e.body, '$.meta.path') IS NOT NULL{chosen} ORDER BY d.document, e.key",
        () if part is None else (json.dumps([*part.sources, *part.others]),),
    )
    pages: dict[str, list[int]] = {}
    for entry, name, title, author, date, subject, kind, first_lines, table, blob, once in rows:
        names[entry] = name
        pages |= {name: json.loads(first_lines)} if first_lines else {}
        former = tuple(sorted({*json.loads(once)} - {title})) if once != "[]" else ()
        shown = table if "[[[" in table else ""
        sources[name] = Taken(name, title, subject or title, author, date, kind or "", shown, blob or "", former)
    hands, files, withdrawn, settled = by_hand(db)
    put = _put(db)
    near: dict[str, list[Put]] = defaultdict(list)
    for one in put:
        for name in {*one.among, *one.beside}:
            near[name].append(one)
    said, heard, asked = "", "", tuple[str, ...]()
    if part is not None:
        whole = json.dumps([entry for entry, name in names.items() if name in part.sources])
        asked = (json.dumps(list(names)), whole, json.dumps(list(part.names)), json.dumps(list(part.claims)))
        told = f"c.subject IN {_ASKED} OR c.object IN {_ASKED} OR c.relation IN {_REPLACES}"
        told += " OR e.id IN (SELECT value FROM json_each(?4))"
        among, of_all = ("{0} IN (SELECT value FROM json_each(?%d))" % place for place in (1, 2))  # noqa: UP031
        said = f" AND {among.format('c.source')} AND ({of_all.format('c.source')} OR {told})"
        heard = f" WHERE {among.format('entry')} AND ({of_all.format('entry')} OR name IN {_ASKED})"
    claims = db.execute(
        "SELECT c.entry, e.id, c.source, c.subject, c.relation, c.object, c.stance, c.scope, c.text, c.since,"
        f" c.until FROM {_SAID}{said}",
        asked,
    ).fetchall()
    quotes: dict[int, list[Quote]] = defaultdict(list)
    first: dict[int, int] = {}  # where a claim is first quoted
    at = {row[0]: row[2] for row in claims}
    of = "" if part is None else " WHERE entry IN (SELECT value FROM json_each(?))"
    for claim, line, last, text, start in db.execute(
        f"SELECT entry, line, last_line, text, start FROM quotes{of} ORDER BY start",
        () if part is None else (json.dumps(list(at)),),
    ):
        if at.get(claim) in names:
            source = names[at[claim]]
            quotes[claim].append(Quote(source, line, last, text, bisect_right(pages.get(source, ()), line)))
            first.setdefault(claim, start)
    found = [
        (first[seq], Statement(key, names[source], subject, relation, value or "", stance, _spoken(scope), text,
                               since or "", until or "", tuple(quotes[seq]), entry))
        for seq, entry, source, subject, relation, value, stance, scope, text, since, until in claims
        if source in names and quotes[seq]
        and (key := _name(near.get(names[source], ()), quotes[seq][0],
                          (subject, relation, value or "", text))) and key not in withdrawn
    ]  # fmt: skip
    found.sort(key=lambda f: (f[1].source, f[1].quotes[0].line, f[0], f[1].relation, f[1].object, f[1].text, f[1].id))
    mentions = [
        Mention(name, count, Quote(names[entry], line, last, text, bisect_right(pages.get(names[entry], ()), line)))
        for entry, name, count, line, last, text in db.execute(f"SELECT * FROM mentions{heard}", asked[:3])
        if entry in names
    ]
    mentions.sort(key=lambda m: (m.quote.source, -m.count, m.name))
    joined = db.execute("SELECT name, canonical FROM same WHERE name <> canonical ORDER BY 1")
    statements = tuple(statement for _, statement in found)
    return Standing(sources, statements, tuple(mentions), hands, files, tuple(joined), settled, put)


def by_hand(
    db: sqlite3.Connection,
) -> tuple[tuple[Hand, ...], tuple[tuple[str, str, str, str], ...], frozenset[str], frozenset[str]]:
    """What people wrote into pages, how they renamed files, which claims they withdrew, and what they settled."""
    hands, files, withdrawn, settled = list[Hand](), list[tuple[str, str, str, str]](), set[str](), set[str]()
    rows = db.execute(
        f"SELECT e.id, e.by, e.subject, e.body FROM entries e LEFT JOIN endings n ON n.entry = e.id"
        f" WHERE {OF_HAND.format('e')} AND n.entry IS NULL ORDER BY e.at, e.body ->> '$.scope.place', e.id"
    )
    read = [(entry, by, subject, json.loads(stored)) for entry, by, subject, stored in rows]
    kin = _kin(db, {home for *_, body in read if (home := (body.get("scope") or {}).get("home"))})
    for entry, by, subject, body in read:
        told = body.get("scope") or body.get("numbers") or {}
        came = kin[told["home"]] if told.get("home") else []
        home = told["home"] if came and told["home"] in came else "".join(came[:1])
        who = "you" if by == "human:unknown" else by.partition(":")[2]
        if body.get("decision") == "withdraw":
            withdrawn.update(told["blocks"].split())
        elif body.get("decision") == "reject":
            settled.add(told["item"])
        elif body.get("relation") == "file":
            files.append((subject, told["page"], body["object"], home))
        elif "page" in told:
            hands.append(
                Hand(entry, who, subject, told["page"], told["name"], tuple(told["instead"].split()),
                     tuple(told["after"].split()), body["text"], told["blanks"], json.loads(told["notes"]),
                     told["gone"], str(body.get("object") or ""), home)
            )  # fmt: skip
    return tuple(hands), tuple(files), frozenset(withdrawn), frozenset(settled)


def _put(db: sqlite3.Connection) -> tuple[Put, ...]:
    rows = db.execute(_PUT).fetchall()
    kin = _kin(db, {row[3] for row in rows})
    found = []
    for gone, states, entry, document, subject, relation, value, text, quote, beside in rows:
        shown = dict(pair.split("=") for pair in states.split())  # it may have been another's before
        name = shown.get(entry) or claim_key(document, subject, relation, value, text)
        words, others = _words(relation, value, quote or ""), tuple(sorted(json.loads(beside)))
        found.append(Put(bool(gone), name, document, subject, words, tuple(kin[document]), others))
    return tuple(found)


def _kin(db: sqlite3.Connection, names: Collection[str]) -> dict[str, list[str]]:
    """The sources that stand and came of each of these."""
    kin: dict[str, list[str]] = defaultdict(list)
    for name, document in db.execute(_KIN, (json.dumps(sorted(names)),)) if names else ():
        kin[name].append(document)
    return kin


def _words(relation: str, value: str, quote: str) -> tuple[str, str, str]:
    """What makes a claim the same in another file, or under another title: a summary there may be any sentence here."""
    return "" if relation in ("summary", "says") else relation, normal(value), normal(quote)


def _name(near: Collection[Put], quote: Quote, told: tuple[str, str, str, str]) -> str:
    """What a claim is called; '' where it is one that a person withdrew. One that a person worded anew keeps its name,
    where its file moved."""
    name = claim_key(quote.source, *told)
    if near:
        words = _words(told[1], told[2], quote.text)
        met = [one for one in near if one.words == words and one.meets(quote.source, told[0])]
        if met:
            return "" if any(one.gone for one in met) else met[0].id
    return name


def item_id(*parts: str) -> str:
    """What one thing to judge is called: the same in every lab."""
    return blake2b("\n".join(parts).encode("utf-8", errors="surrogatepass"), digest_size=4).hexdigest()


def _spoken(scope: str) -> str:
    return ", ".join(str(value) for _, value in sorted(json.loads(scope).items())) if scope != "{}" else ""
