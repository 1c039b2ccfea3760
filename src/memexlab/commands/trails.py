"""`memex path`, `memex related` and `memex conflicts`: what hangs together, what is near, and what does not agree."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..lab.execution.metrics import number
from ..lab.wording import clean, plural
from ..ledger import UsageError
from ..memory.search.passages import normal
from ..memory.search.trails import Node, Trails
from ..wiki.live_claims import standing
from ..wiki.pages import Wiki
from ..wiki.schema import read_schema
from .decisions import campaign_of
from .effects import EffectTable, effects_of

if TYPE_CHECKING:
    from ..memory import Memory

#: (kind, key) of what is called ?1, or of the setting ?2 = ?3.
_NAMED = """SELECT 'run', run FROM runs WHERE id = ?1 UNION ALL SELECT 'said', seq FROM entries WHERE id = ?1
 AND kind IN ('claim', 'answer') UNION ALL SELECT 'document', entry FROM entries JOIN documents ON entry = seq WHERE
 id = ?1 UNION ALL SELECT 'document', entry FROM documents WHERE document = ?1 OR title = ?1 COLLATE NOCASE
 UNION ALL SELECT 'knob', ?1 FROM changes WHERE knob = ?1
 UNION ALL SELECT 'setting', ?2 || '=' || ?3 FROM settings WHERE knob = ?2 AND value = ?3 UNION ALL
 SELECT 'author', ?1 FROM entries WHERE by = ?1 UNION ALL SELECT 'author', ?1 FROM documents WHERE author = ?1
 AND ?1 <> '' LIMIT 1"""
_SIDE = ("object", "text", "by", "at", "id")
_OPEN = ("reversed", "conditional", "unresolved")
#: Claims that hold one value, without relations that name many things of a subject or say what to do.
_CLAIMS = """SELECT e.subject, json_extract(body, '$.relation'), CAST(json_extract(body, '$.object') AS TEXT),
 json_extract(body, '$.text'), e.by, coalesce(e.since, e.at), e.id, c.entry IS NOT NULL OR coalesce(e.key, '') GLOB
 'sync:*' FROM entries e LEFT JOIN claims c ON c.entry = e.seq WHERE e.kind = 'claim'
 AND json_extract(body, '$.object') IS NOT NULL AND coalesce(json_extract(body, '$.stance'), 'holds') = 'holds'
 AND coalesce(json_extract(body, '$.relation'), '') NOT IN ('', 'calls_for', 'summary', 'is', 'says', 'alias', 'author',
 'supersedes', 'dated') AND NOT EXISTS (SELECT 1 FROM refs r WHERE r.target = e.id AND r.role IN ('supersedes',
 'retracts')) ORDER BY e.subject, 2, 6, e.id"""


@dataclass(frozen=True, slots=True)
class Trail:
    """Steps of (thing, what links it to the next, id of the entry that says so); None where there is no trail."""

    start: str
    goal: str
    steps: tuple[tuple[str, str, str], ...] | None

    def __str__(self) -> str:
        if self.steps is None:
            return f"no trail between {self.start} and {self.goal}"
        return "\n".join([*(f"{thing}\n  {words}   [{entry}]" for thing, words, entry in self.steps), self.goal])


@dataclass(frozen=True, slots=True)
class Related:
    """What is near a thing: (thing, score, shared things)."""

    thing: str
    near: tuple[tuple[str, float, tuple[str, ...]], ...]

    def __str__(self) -> str:
        lines = [f"{score:.5f}  {thing}\n         through {', '.join(via)}" for thing, score, via in self.near]
        return "\n".join(lines) or f"nothing in this memory is near {self.thing}"


@dataclass(frozen=True, slots=True)
class Conflicts:
    """Effects that are open in a campaign, if there is one, and claims of one subject and relation that name different
    things."""

    effects: EffectTable | None
    claims: tuple[dict[str, Any], ...]
    compared: int = 0  # how many times a subject and relation have values of two claims

    def data(self) -> dict[str, Any]:
        return {"effects": self.effects.data() if self.effects else [], "claims": self.claims}

    def __str__(self) -> str:
        lines = str(self.effects).splitlines() if self.effects and self.effects.rows else []
        for claim in self.claims:
            subject, relation, sides = clean(claim["subject"]), clean(claim["relation"]), claim["sides"]
            lines.append(f"{subject}, {relation}: {plural(len(sides), 'answer')}")
            lines += [f'  {clean(s["object"], 60)}: "{clean(s["text"])}" ({s["by"]}{s["at"] and ", "}{s["at"][:10]})'
                      for s in sides]  # fmt: skip
            lines.append("  a claim that supersedes one of them would settle it; on a page: memex review")
        where = f"campaign {clean(self.effects.campaign)} and its sources" if self.effects else "this lab"
        looked = f"{plural(self.compared, 'question')} that two claims or more answer were compared"
        none = f"no contradiction was found in {where}: {looked}; prose may differ in words that no claim holds"
        return "\n".join(lines) or none


def path_between(memory: Memory, start: str, goal: str, campaign: str | None) -> Trail:
    """The cheapest trail; raises UsageError for a text that names nothing here."""
    trails = Trails(memory.db)
    ends = [thing_named(memory, text, campaign) for text in (start, goal)]
    links = trails.path(ends[0], ends[1])
    names = [thing_told(memory, node) for node in ends]
    if links is None:
        return Trail(names[0], names[1], None)
    ids = dict(memory.db.execute("SELECT seq, id FROM entries WHERE seq IN (SELECT value FROM json_each(?))",
                                 (json.dumps([link.entry for link in links]),)))  # fmt: skip
    things = [names[0], *(thing_told(memory, link.to) for link in links)]
    told = zip(things, links, strict=False)  # the goal leads nowhere
    return Trail(names[0], names[1], tuple((thing, clean(link.words), ids[link.entry]) for thing, link in told))


def related_to(memory: Memory, text: str, limit: int, campaign: str | None) -> Related:
    """What is near a thing, each with at most three things that both share."""
    if limit < 1:
        raise UsageError(f"-k is {limit}", "a number from 1 up, such as -k 8")
    start = thing_named(memory, text, campaign)
    near = []
    for node, score, via in Trails(memory.db).related(start, limit):
        shared = ("a direct link" if one == node else thing_told(memory, one) for one in via[:3])
        near.append((thing_told(memory, node), score, tuple(shared)))
    return Related(thing_told(memory, start), tuple(near))


def conflicts_in(memory: Memory, root: Path, campaign: str | None) -> Conflicts:
    """Effects of a campaign that are reversed, conditional or unresolved, and claims that contradict each other."""
    effects = None
    if campaign is not None or memory.db.execute("SELECT 1 FROM campaigns").fetchone():
        name = campaign_of(memory, campaign)
        table = effects_of(memory, name)
        effects = EffectTable(name, table.unit, tuple(row for row in table.rows if row["status"] in _OPEN))
    said: dict[tuple[str, str], list[dict[str, Any]]] = {}
    besides = set()  # with a side that is on no page
    for subject, relation, *side, on_page in memory.db.execute(_CLAIMS):
        said.setdefault((subject, relation), []).append(dict(zip(_SIDE, side, strict=True)))
        besides |= set() if on_page else {(subject, relation)}
    claims = [
        {"subject": asked[0], "relation": asked[1], "sides": sides} for asked, sides in said.items()
        if asked in besides and len({side["object"].casefold() for side in sides}) > 1
    ]  # fmt: skip
    stands = standing(memory.db)
    told = Counter((normal(s.subject), s.relation) for s in stands.statements if s.object)
    on_pages = _on_pages(Wiki(stands, read_schema(root)))
    return Conflicts(effects, (*on_pages, *claims), sum(number > 1 for number in told.values()))


def _on_pages(wiki: Wiki) -> Iterator[dict[str, Any]]:
    """The contradictions that pages show as open, each side with its source."""
    for key, differs in sorted(wiki.differing.items()):
        for one in differs:
            if one.kind in ("contested", "unresolved"):
                sides = []
                for s in map(wiki.claim, one.claims):
                    taken = wiki.sources.get(s.source)
                    words = s.text if taken else f"{s.relation}: {s.object}"
                    by, on = (taken.name, s.since or taken.date) if taken else (s.source, "")
                    sides.append(dict(zip(_SIDE, (s.object, words, by, on, s.entry), strict=True)))
                yield {"subject": wiki.subjects.pages[key].title, "relation": one.relation, "sides": sides}


def thing_named(memory: Memory, text: str, campaign: str | None) -> Node:
    """The node that a text means: a run by number, an entry by id, a knob, a setting, a document, an author, a name."""
    db, wanted = memory.db, text.strip()
    if found := re.fullmatch(r"(?:run:(.+)/|run |#)?(\d{1,15})", wanted):
        where, values = "campaign = ? AND number = ?", (found[1] or campaign_of(memory, campaign), found[2])
        row = db.execute(f"SELECT 'run', run FROM runs WHERE {where} ORDER BY id", values).fetchone()
    else:
        knob, _, value = (part.strip() for part in wanted.partition("="))
        as_number = number(value)
        value = value if as_number is None else f"{as_number:.12g}"
        row = db.execute(_NAMED, (wanted, knob, value)).fetchone()
    if row is None and (found or not Trails(db).links(("name", normal(wanted)))):
        raise UsageError(f"{clean(text)!r} is nothing in this memory", "memex registry, or memex search WORDS")
    return row or ("name", normal(wanted))


def thing_told(memory: Memory, node: Node) -> str:
    """A node in words, its kind first."""
    kind, key = node
    if kind == "run":
        sql = "SELECT number, campaign, description, (SELECT count(*) FROM campaigns) FROM runs WHERE run = ?"
        run, campaign, description, campaigns = memory.db.execute(sql, (key,)).fetchone()
        told = f"run {run}" + (f" of {clean(campaign)}" if campaigns > 1 else "")
        return f"{told} ({clean(description, 60)})" if description else told
    if kind == "document":
        [title] = memory.db.execute("SELECT title FROM documents WHERE entry = ?", (key,)).fetchone()
        return f'document "{clean(title, 80)}"'
    if kind == "said":
        sql = "SELECT kind, coalesce(json_extract(body, '$.text'), '') FROM entries WHERE seq = ?"
        said, text = memory.db.execute(sql, (key,)).fetchone()
        return f'{said} "{clean(text, 80)}"'
    if kind == "name":
        sql = "SELECT spelt FROM named WHERE name = ? GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"
        key = next((spelt for (spelt,) in memory.db.execute(sql, (key,))), key)
    return f"{kind} {clean(str(key).replace('=', ' = ', 1) if kind == 'setting' else str(key), 80)}"
