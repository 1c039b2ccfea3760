"""The queue of what a person should judge, and what judging does: verdicts, so that a rebuild keeps them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..ledger import Claim, Draft, Ref, Scalar, UsageError, Verdict
from ..memory import Memory
from ..memory.changes.names import known
from ..memory.entities import IS_NAMED, join, proposals, why_near
from .blocks import digest, parse
from .compiling import render
from .incremental import Reading, reading
from .live_claims import BY_HAND, item_id
from .notes import Notes
from .pages import Wiki
from .subjects import plain
from .syncing import keyed

Kind = Literal["merge", "contradiction", "refused", "answer"]
Decision = Literal["accept", "reject", "edit"]
_JUDGED = (
    "SELECT e.body ->> '$.numbers.item' FROM entries e LEFT JOIN endings n ON n.entry = e.id WHERE e.kind = 'verdict'"
    " AND n.entry IS NULL AND e.key >= 'sync:judged:' AND e.key < 'sync:judged;'"
)


@dataclass(frozen=True, slots=True)
class Side:
    """What one source says of a contradiction, in its words; a person who says it has no words and no date."""

    value: str
    words: str
    lines: tuple[int, int]
    source: str
    title: str
    date: str


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to judge: what accepting and rejecting it would do, and the page where it shows."""

    id: str
    kind: Kind
    subject: str
    text: str
    why: str
    accept: str
    reject: str
    page: str = ""
    names: tuple[str, ...] = ()
    block: str = ""
    sides: tuple[Side, ...] = ()


@dataclass(frozen=True, slots=True)
class Decided:
    """What was judged, and the entry that says so."""

    item: Item
    decision: Decision
    entry: str


def queue(memory: Memory, root: Path) -> list[Item]:
    """Everything that waits for a person: contradictions, then merges, refused claims, answers on little evidence."""
    db = memory.db
    with reading(memory, root) as wiki:
        found = [*_contradictions(wiki.pages(wiki.differing), wiki.differing), *_merges(memory), *_taken(wiki)]
        found += _refused(db, wiki)
    return still_open(db, [*found, *_answers(db)])


def still_open(db: sqlite3.Connection, items: Iterable[Item]) -> list[Item]:
    """Those of a queue that nobody has judged since."""
    judged = {row[0] for row in db.execute(_JUDGED)}
    return [item for item in items if item.id not in judged]


def decide(memory: Memory, root: Path, item: str, decision: Decision, text: str, why: str, by: str) -> Decided:
    """Judges one item of the queue; raises UsageError where there is none of that name or a reason is missing."""
    found = next((one for one in queue(memory, root) if one.id == item), None)
    if found is None:
        raise UsageError(f"nothing in the queue is called {item!r}", "memex review")
    if not why.strip():
        raise UsageError("a reason is needed: whoever reads this later must be able to judge it", "--why REASON")
    if (decision == "edit") != bool(text.strip()) or (decision == "edit" and found.kind in ("merge", "answer")):
        raise UsageError("an edit gives the words to put there, and is for contradictions and refused claims",
                         f'memex review {item} edit --text "..." --why REASON')  # fmt: skip
    entry = _judge(memory, found, decision, text, why.strip(), by)
    render(memory, root)
    return Decided(found, decision, entry)


def accept_all(memory: Memory, root: Path, by: str) -> int:
    """Accepts every merge and every answer that waits, and says how many: contradictions and refusals stay open."""
    waiting = [item for item in queue(memory, root) if item.kind in ("merge", "answer")]
    for item in waiting:
        _judge(memory, item, "accept", "", "accepted unseen, with --yes", by)
    if waiting:
        render(memory, root)
    return len(waiting)


def _judge(memory: Memory, found: Item, decision: Decision, text: str, why: str, by: str) -> str:
    """Lands what a decision does, and the verdict that says so; its entry id."""
    if (found.kind, decision) == ("merge", "accept"):
        join(memory, found.names[0], found.names[1], why, by)
    if decision == "edit" or (found.kind, decision) == ("refused", "accept"):
        who = "you" if by == "human:unknown" else by.partition(":")[2]
        memory.land([_written(memory, found, f"{(text or found.text).strip()} (said by {who})")], by)
    named = Draft(found.subject, Claim(f"{found.kind} {found.id} was judged", IS_NAMED), key=f"judged:{found.id}")
    told = Verdict(decision, why, {"item": found.id, "kind": found.kind})
    judged = Draft(found.subject, told, (Ref("tests", "@0"),), key=f"{BY_HAND}judged:{found.id}")
    return memory.land([named, judged], by)[1].id


def _written(memory: Memory, item: Item, text: str) -> Draft:
    """The words of a person on the page of the item: in place of the callout of a contradiction, else at its end."""
    instead = item.block if item.kind == "contradiction" else ""
    scope: dict[str, Scalar] = {
        "page": item.page, "name": instead or f"h{digest(text)}", "instead": instead, "after": "title",
        "blanks": 1, "place": 0, "notes": "{}", "gone": False,
    }  # fmt: skip
    return keyed(memory, Draft(item.subject, Claim(text, "written by hand", scope=scope)))


def _contradictions(wiki: Wiki, keys: Iterable[str]) -> Iterator[Item]:
    for key in sorted(key for key in keys if key in wiki.subjects.pages):
        page = wiki.subjects.pages[key]
        open_ = [one for one in wiki.differing[key] if one.kind in ("contested", "unresolved")]
        blocks = parse("\n".join(wiki.callouts(page, Notes(), set()))) if open_ else []
        for one in open_:
            head = f"> [!contradiction] {plain(one.asked)}: {one.kind}"
            block = next((b for b in blocks if b.text.split("\n")[0] == head), None)
            if block is not None and block.name not in wiki.edited:
                values = dict.fromkeys(wiki.claim(claim).object for claim in one.claims)
                name = item_id("contradiction", key, one.relation)
                yield Item(name, "contradiction", page.title,
                           f"{one.relation}: {' | '.join(values)}", one.kind, "leave it open, with both sides shown",
                           "it is none: take the callout away", page.slug, (), block.name,
                           tuple(_side(wiki, claim) for claim in one.claims))  # fmt: skip


def _side(wiki: Wiki, claim: str) -> Side:
    said = wiki.claim(claim)
    taken = wiki.sources.get(said.source)
    if not said.quotes or taken is None:
        return Side(said.object, "", (0, 0), said.source, said.source, "")
    first = said.quotes[0]
    return Side(said.object, first.text, (first.line, first.last_line), said.source, taken.title, taken.date)


def _merges(memory: Memory) -> Iterator[Item]:
    for a, b in proposals(memory.db, known(memory.index.aliases)):
        yield Item(item_id("merge", *sorted((a, b))), "merge", a, f"{a} | {b}", why_near(a, b),
                   "they are one: one page, one alias", "they are two", "", (a, b))  # fmt: skip


def _taken(wiki: Reading) -> Iterator[Item]:
    """Names that a source gives itself, and another page has."""
    pages, names = wiki.subjects.pages, wiki.subjects.names
    for alias in sorted(wiki.subjects.held.names()):
        for key in wiki.subjects.held[alias]:
            own, other = pages.get(names[key]), pages.get(names[alias])
            if own is not None and other is not None and own.key != other.key:
                why = f"{', '.join(own.homes[:3])} gives itself this name, and others speak of it"
                yield Item(item_id("merge", *sorted((own.title, other.title))), "merge", other.title,
                           f"{other.title} | {own.title}", why, "they are one: one page, one alias", "they are two",
                           other.slug, (other.title, own.title))  # fmt: skip


def _refused(db: sqlite3.Connection, wiki: Reading) -> Iterator[Item]:
    rows = db.execute(
        "SELECT d.document, r.value ->> 0, r.value ->> 1, r.value ->> 2 FROM documents d JOIN entries e ON e.seq ="
        " d.entry JOIN json_each(e.body, '$.meta.refused') r ORDER BY 1, r.key"
    )
    for document, subject, text, message in rows:
        page = wiki.subjects.resolve(subject) or wiki.subjects.resolve(wiki.sources[document].subject)
        if page is not None:
            name = item_id("refused", document, subject, text)
            yield Item(name, "refused", page.title, text, f"{document}: {message}", "put it on the page as it is",
                       "leave it out", page.slug)  # fmt: skip


def _answers(db: sqlite3.Connection) -> Iterator[Item]:
    rows = db.execute(
        "SELECT e.id, e.subject, e.body ->> '$.question', e.body ->> '$.text' FROM entries e LEFT JOIN endings n"
        " ON n.entry = e.id WHERE e.kind = 'answer' AND n.entry IS NULL AND (SELECT count(*) FROM refs r WHERE"
        " r.seq = e.seq AND r.role IN ('quotes', 'tests', 'from')) < 2 ORDER BY e.id"
    )
    for entry, subject, question, text in rows:
        yield Item(item_id("answer", entry), "answer", subject, f"{question} {text[:200]}", "it rests on one piece of "
                   "evidence or none", "it will do", "it is not good enough")  # fmt: skip
