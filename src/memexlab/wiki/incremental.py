"""What must be rendered again: only what the entries since the last compile touch, where nothing else changed.

What all sources together come to is kept, source by source, so that the part of it that one source changes can be
resolved anew. It errs to one side alone: a page may be rendered for nothing, and comes out as it was. Another schema,
other code or a merge of two names resolve everything again.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from ..memory import Memory
from ..memory.schema import VERSION
from .compile_cache import Kept, nothing, uncollected
from .dates import Succession
from .experiments import with_runs
from .listing import entry_of, index, log, log_entry, put
from .live_claims import Part, Standing, Statement, Taken, standing
from .namesakes import Namesakes
from .pages import Wiki
from .related_pages import Links
from .schema import read_schema
from .stored_answers import worded
from .subjects import Page, Stale, Subjects, key_of, rounded, words_of
from .uses import uses_of

_REPLACES = ("supersedes", "superseded by")
_FEW = 100
_CUT = 280  # a subject of an entry that is longer may be a part of a name
_NOTHING = Standing({}, (), ())
_SINCE = """WITH RECURSIVE new(id) AS (SELECT id FROM entries WHERE seq > ? UNION SELECT r.target FROM new
 JOIN entries e USING (id) JOIN refs r ON r.seq = e.seq WHERE r.role IN ('supersedes', 'retracts', 'erases'))
 SELECT DISTINCT json_extract(coalesce(s.body, e.body), '$.meta.document') FROM new JOIN entries e USING (id)
 LEFT JOIN claims c ON c.entry = e.seq LEFT JOIN entries s ON s.seq = c.source WHERE e.kind IN ('source', 'claim')"""


_SOURCES = """SELECT DISTINCT d.document FROM json_each(?) j JOIN entries e ON e.id = j.value JOIN claims c ON
 c.entry = e.seq JOIN documents d ON d.entry = c.source"""


@dataclass(frozen=True, slots=True)
class Resolved:
    """The files that were rendered, by name, and the names of all files of pages."""

    wiki: Wiki
    files: dict[str, str]
    names: frozenset[str]


class _Resolving:
    """What all sources come to, as the last compile kept it, and what the entries since then make of it."""

    _kept: Kept
    subjects: Subjects

    def _read(self, memory: Memory, root: Path) -> None:
        """What is small, and what all pages depend on."""
        self._db = memory.db
        self._schema, self._answers = read_schema(root), worded(self._db)
        self._runs = with_runs(_NOTHING, self._db)
        self._last = _last(self._db)
        damage = self._db.execute("SELECT * FROM damage ORDER BY 1, 2, 3, 4").fetchall()
        around = standing(self._db, Part(()))
        self.edited = {name: hand for hand in around.hands for name in hand.instead if not hand.gone}
        self.hands, self.moved = around.hands, around.files
        self._beside: dict[str, set[tuple[str, ...]]] = {
            "hands": {(_digest([repr(hand)]), hand.page, hand.subject) for hand in around.hands},
            "answers": {(_digest([key, repr(said)]), said.page) for key, said in self._answers.items()},
            "moved": set(around.files),
            "put": {(json.dumps(one.among + one.beside), _digest([repr(one)])) for one in around.put},
            "settled": {(item,) for item in around.settled},
        }
        self._basis = _digest([code_of_wiki(), str(VERSION), repr((self._schema, damage, around.joined))])

    def close(self) -> None:
        self._kept.close()

    def _tables(self) -> None:
        kept = self._kept
        self._meta = kept.table("meta", list[Any])
        self._taken = kept.table("taken", nothing, _taken_from)
        self._listed = kept.table("listed", list[Any])
        self._namesakes = Namesakes(kept)

    def _since(self, seq: int, entry: str) -> set[str]:
        """The sources of which entries after this one speak; Stale where the ledger does not know it."""
        if not self._db.execute("SELECT 1 FROM entries WHERE (seq, id) = (?, ?)", (seq, entry)).fetchone():
            raise Stale
        return {row[0] for row in self._db.execute(_SINCE, (seq,)) if row[0] is not None}

    def _settle(self) -> set[str]:
        """Brings the closed list of pages up to date, and returns the sources that new entries speak of: `_again` are
        these and those that now say otherwise, `_stale` the pages that may show it.

        Stale where what was kept is of another ledger or on another basis.
        """
        if self._meta["basis"] != [self._basis]:
            raise Stale
        runs = set(self._told_by_runs()) ^ {(name, told) for name, told in self._meta["runs"]}
        touched = self._since(*self._meta["last"]) | {name for name, _ in runs}
        beside = self._told_beside()
        touched |= self._runs.sources.keys() if beside["hands"] else set()
        touched |= {name for names, _ in beside["put"] for name in json.loads(names) if name not in touched}
        touched |= self._namesakes.take(standing(self._db, Part(touched)), touched, self._schema)
        self._found = found = self._stands(Part(touched))
        [before] = self._meta["total"]
        self._total = total = before - sum(name in self._taken for name in touched) + len(found.sources)
        if rounded(before) != rounded(total):
            raise Stale
        self.subjects = subjects = Subjects(self._kept, total, found.joined, found.files)
        self._links, stale = Links(self._kept, total), self.using(touched)
        uses = uses_of(found, self._schema)
        concerned = set[str]().union(*(subjects.take(name, uses.get(name)) for name in touched))
        for name in touched:
            self._taken.put(name, found.sources.get(name))
        self._before, self._renamed = subjects.settle(concerned)
        self._stale = stale | self._before.keys() | self.using(touched) | {page for _, page in beside["answers"]}
        for _, slug, subject in beside["hands"]:
            self._stale |= {subjects.names[key_of(subject)], subjects.slugs[slug]}
        self._stale |= set(self._meta["differing"]) if beside["settled"] else set()
        self._again = touched | {source for name in self._renamed for source in subjects.said[name]}
        return touched

    def _told_beside(self) -> dict[str, set[tuple[str, ...]]]:
        """What people and answers say otherwise than before; Stale where it cannot be known what shows it."""
        before = {what: {tuple(one) for one in self._meta[what]} for what in self._beside}
        out = {what: before[what] ^ now for what, now in self._beside.items()}
        gone = any(before[what] - self._beside[what] for what in ("moved", "settled"))
        if gone or any(len(one[-1]) > _CUT for told in out.values() for one in told):
            raise Stale
        return out

    def _replacing(self, more: Collection[str] = ()) -> tuple[Wiki, Standing, set[str]]:
        """What these sources say too, with what replaced what by now, and the sources that tell it."""
        known: list[Succession] | None = self._known()
        found, replacing = self._stands(Part(self._again | set(more))), set(self._meta["replacing"])
        told = _replacing_in(found)
        if told or self._again & replacing:
            found, known = self._stands(Part(self._again | set(more), replacing)), None
            replacing = replacing - self._again | told
        wiki = self._wiki(found, known)
        for name in self._again:
            stands = name in self._taken
            self._links.take(name, wiki.home(name) if stands else "", wiki.speaks[name] if stands else None)
        return wiki, found, replacing

    def _known(self) -> list[Succession]:
        return [Succession(old, new, tuple(ids), fact) for old, new, fact, *ids in self._meta["replaced"]]

    def _moved(self, wiki: Wiki) -> set[str]:
        """The pages of which it is told otherwise than before what replaced what."""
        before, now = ({tuple(pair) for pair in pairs} for pairs in (self._meta["replaced"], _pairs(wiki)))
        told = {(str(old), str(new)) for old, new, *_ in before | now}
        moved = {str(key) for pair in before ^ now for key in pair[:2]}
        while fresh := {key for pair in told if moved & set(pair) for key in pair} - moved:
            moved |= fresh
        return moved

    @uncollected()
    def _whole(self) -> tuple[Wiki, Standing]:
        self._kept.forget()
        self._tables()
        found = standing(self._db)
        self._namesakes.take(found, found.sources, self._schema)
        found = self._namesakes.apart(_with(found, self._runs, self._runs.sources))
        self._total = len(found.sources)
        for name, taken in found.sources.items():
            self._taken.put(name, taken)
        wiki = Wiki(found, self._schema, self._answers, kept=self._kept)
        self.subjects = wiki.subjects
        return wiki, found

    def _pages(self, keys: Iterable[str], replaced: Sequence[Succession]) -> Wiki:
        """The wiki in which these pages are whole."""
        pages = [self.subjects.pages[key] for key in keys]
        said = [self.subjects.said[name] for page in pages for name in page.names]
        names = {use[0] for by in said for uses in by.values() for use in uses}
        part = Part({home for page in pages for home in page.homes}, {source for by in said for source in by}, names)
        return self._wiki(self._stands(part), replaced)

    def _stands(self, part: Part) -> Standing:
        """A part of what stands, with what runs say in it."""
        return self._namesakes.apart(_with(standing(self._db, part), self._runs, {*part.sources, *part.others}))

    def _wiki(self, found: Standing, replaced: Sequence[Succession] | None) -> Wiki:
        found = replace(found, sources=self._taken)
        return Wiki(found, self._schema, self._answers, (self.subjects, self._links, replaced))

    def using(self, sources: Iterable[str]) -> set[str]:
        """The pages of all names that these sources use."""
        return {self.subjects.names[key] for name in sources for key in (self.subjects.of[name] or [[]])[0]}

    def _remember(self, wiki: Wiki, replacing: Iterable[str], differing: Iterable[str], rendered: bool) -> None:
        """Keeps on what it all rests."""
        meta: dict[str, list[Any]] = {
            "basis": [self._basis], "last": [*self._last], "total": [self._total], "replacing": sorted(replacing),
            "runs": self._told_by_runs(), "replaced": _pairs(wiki), "differing": sorted(differing), "owed": [],
            "rendered": [True] if rendered else [], **{what: sorted(told) for what, told in self._beside.items()},
        }  # fmt: skip
        for key, value in meta.items():
            self._meta.put(key, value)

    def _told_by_runs(self) -> list[tuple[str, str]]:
        told: dict[str, list[str]] = {name: [repr(taken)] for name, taken in self._runs.sources.items()}
        for s in self._runs.statements:
            told[s.source].append(repr(s))
        return [(name, _digest(parts)) for name, parts in sorted(told.items())]


class Resolving(_Resolving):
    """The state that is kept between compiles; used once, and closed."""

    def __init__(self, memory: Memory, root: Path) -> None:
        self._kept = Kept(root / ".memex" / "resolved.db")
        try:
            self._read(memory, root)
        except BaseException:
            self.close()
            raise

    def __call__(self, sound: Collection[str]) -> Resolved:
        """What is to be rendered, where these files are as they were written."""
        self._tables()
        try:
            return self._part(sound)
        except Stale:
            return self._everything()

    def _tables(self) -> None:
        super()._tables()
        self._texts = self._kept.table("texts", str)
        self._logged = self._kept.table("logged", list[Any])
        self._lists = self._kept.table("lists", list[list[Any]])

    def _part(self, sound: Collection[str]) -> Resolved:
        """What the new entries touch."""
        if not self._meta["rendered"]:
            raise Stale
        touched = self._settle()
        subjects, before, stale = self.subjects, self._before, self._stale
        self._take(self._found, touched)
        headed = {key for key, page in before.items() if _head(page) != _head(subjects.pages.get(key))}
        at_home = (subjects.names[key] for name in touched for key in (subjects.of[name] or [[]])[0])
        headed |= {key for key in {*before, *at_home} if self._listed[key][-1:] != [self._shown(key)]}
        shown = {name for key in headed if (page := subjects.pages.get(key)) is not None for name in page.names}
        wiki, found, replacing = self._replacing({source for name in shown for source in subjects.said[name]})
        stale |= self._links.stirred() | self._meaning(wiki, found, self._renamed | shown)
        stale |= self._told_in_words(wiki, self._renamed)
        for key in headed:
            either = filter(None, (before.get(key), subjects.pages.get(key)))
            stale |= self.using({home for page in either for home in page.homes}) | self._links.around(key)
        moved = self._moved(wiki)
        homes = {home for key in moved if (page := subjects.pages.get(key)) is not None for home in page.homes}
        told = {key for pair in (*self._meta["replaced"], *_pairs(wiki)) if headed & set(pair[:2]) for key in pair[:2]}
        stale |= moved | told | {key for key in self.using(homes) if self._listed[key][5:6] > [[]]}
        stale |= {subjects.slugs[wiki.page_of(hand)] for hand in wiki.hands}
        slugs = subjects.slugs.names()
        stale |= {subjects.slugs[slug] for slug in slugs if f"{slug}.md" not in sound}
        keys = sorted(key for key in stale | set(self._meta["owed"]) if key in subjects.pages)
        if len(keys) > max(_FEW, len(slugs) // 2):
            raise Stale
        for key in before:
            self._listed.put(key, [])
        sources = self._again | {home for key in keys for home in subjects.pages[key].homes}
        return self._resolved(self._pages(keys, wiki.replaced), keys, sources, replacing)

    def _shown(self, key: str) -> list[str]:
        """What other pages show of a page besides its name: the title and the date that its own sources bear."""
        homes = [self._taken[home] for home in page.homes] if (page := self.subjects.pages.get(key)) is not None else []
        return [homes[0].title if homes else "", min((taken.date for taken in homes if taken.date), default="")]

    def _take(self, found: Standing, sources: Iterable[str]) -> None:
        """Keeps the words of sources."""
        texts: dict[str, list[str]] = defaultdict(list)
        for s in found.statements:
            texts[s.source] += [s.text, s.object]
        for name in sources:
            self._texts.put(name, "\n".join(map(words_of, dict.fromkeys(texts[name]))))

    @staticmethod
    def _meaning(wiki: Wiki, found: Standing, names: set[str]) -> set[str]:
        """The pages that show a claim or a mention in which one of these names is a link, or is the subject."""
        out = set[str]()
        for s in found.statements:
            if key_of(s.subject) in names or (s.object and key_of(s.object) in names):
                out |= {wiki.subjects.names[key_of(name)] for name in (s.subject, s.object)} | {wiki.home(s.source)}
        for mention in found.mentions:
            if (key := key_of(mention.name)) in names:
                out |= {wiki.home(mention.quote.source), wiki.subjects.names[key]}
        return out

    def _told_in_words(self, wiki: Wiki, names: set[str]) -> set[str]:
        """The pages with a sentence in which one of these names would be a link."""
        subjects, out = wiki.subjects, set[str]()
        for told in self._answers.values():
            said = (text for one in (told, *told.beside) for text, _ in one.sentences)
            out |= {told.page} if any(subjects.speaks_any(text, names) for text in said) else set()
        sources = self._texts.holding({f" {name} " for name in names})
        for s in self._stands(Part(sources)).statements if sources else ():
            if subjects.speaks_any(s.text, names) or subjects.speaks_any(s.object, names):
                out |= {subjects.names[key_of(s.subject)], wiki.home(s.source)}
        return out

    def _everything(self) -> Resolved:
        wiki, found = self._whole()
        self._take(found, found.sources)
        return self._resolved(wiki, None, found.sources, _replacing_in(found))

    def _resolved(
        self, wiki: Wiki, only: Sequence[str] | None, sources: Collection[str], replacing: Iterable[str]
    ) -> Resolved:
        pages = wiki.subjects.pages
        for key in pages if only is None else only:
            self._listed.put(key, [*entry_of(wiki, pages[key]), self._shown(key)])
        for name in sources:
            self._logged.put(name, log_entry(wiki, name) if name in self._taken else [])
        put(self._lists, self._listed, self._logged)
        self._remember(wiki, replacing, (row[0] for row in self._lists["open"]), True)
        rendered = wiki.render(only)
        rendered["index.md"] = index(self._lists, self._schema, self._total - len(self._runs.sources))
        rendered["log.md"] = log(self._lists)
        names = frozenset(f"{slug}.md" for slug in self.subjects.slugs.names())
        return Resolved(wiki, rendered, names)

    def keep(self, owed: Iterable[str]) -> None:
        """Keeps it all for the next compile, but for the files that could not be written."""
        slugs = (name.removesuffix(".md") for name in owed)
        self._meta.put("owed", sorted(filter(None, (self.subjects.slugs[slug] for slug in slugs))))
        self._kept.save()


class Reading(_Resolving):
    """What stands now, of which only what is asked for is read: from what was kept, and from what landed since."""

    def __init__(self, memory: Memory, root: Path) -> None:
        """Where nothing was kept that holds, everything is resolved at once, and kept for who reads next."""
        self._kept = Kept(root / ".memex" / "resolved.db", reading=True)
        self._read(memory, root)
        self._tables()
        self._all: Wiki | None = None
        self._replaced: Sequence[Succession] = ()
        self._at = memory.db, read_schema(root), self._kept.hold()
        try:
            self._settle()
            self.differing, self._replaced = set(self._meta["differing"]), self._known()
            if self._again:
                wiki, _, _ = self._replacing()
                self._replaced = wiki.replaced
                self.differing |= self._stale | self._moved(wiki)
        except Stale:
            self._all, found = self._whole()
            self.differing = set(self._all.differing)
            self._remember(self._all, _replacing_in(found), self.differing, False)
            if self._at[2] == self._kept.hold():  # else somebody compiled since
                self._kept.leave(root / ".memex" / "resolved.db")
        self.sources = self._taken

    def holds(self, memory: Memory, root: Path) -> bool:
        """Whether it is still what stands; if so, it is held still until `release`."""
        last, before = self._last, (self._basis, self._beside, self._told_by_runs())
        try:
            if self._at != (memory.db, read_schema(root), self._kept.hold()):
                return False
            if last != _last(memory.db):
                self._read(memory, root)
                return before == (self._basis, self._beside, self._told_by_runs()) and not self._since(*last)
            return True
        except (Stale, sqlite3.DatabaseError):
            return False

    def release(self) -> None:
        self._kept.release()

    def pages(self, keys: Iterable[str]) -> Wiki:
        """The wiki, in which at least these pages are whole."""
        return self._all or self._pages((key for key in keys if key in self.subjects.pages), self._replaced)

    def whole(self, keys: Iterable[str]) -> tuple[Wiki, list[str]]:
        """The wiki in which these pages are whole, and the keys of those that are there."""
        found = sorted(key for key in keys if key in self.subjects.pages)
        return self.pages(found), found

    def naming(self, keys: Iterable[str]) -> list[Statement]:
        """The claims of files that have one of these names, in normal form, as subject or value."""
        names, sources, homes = set[str](), set[str](), set[str]()
        for key in keys:
            page = self.subjects.pages.get(self.subjects.names[key])
            homes |= {home for home in page.homes if self._taken[home].subject.endswith(")")} if page else set()
            for source, uses in self.subjects.said[key].items():
                sources.add(source)
                names.update(use[0] for use in uses)
        part = Part(homes, sources, names)  # of a source told apart, the claims bear another name than in the views
        said = self._namesakes.apart(standing(self._db, part)).statements if sources else ()
        return [s for s in said if s.subject in names or s.object in names]

    def told(self, entries: Collection[str]) -> dict[str, Statement]:
        """The claims of files that these entries made, by entry, of those that stand."""
        if not entries:
            return {}
        sources = {name for [name] in self._db.execute(_SOURCES, (json.dumps(list(entries)),))}
        said = self._namesakes.apart(standing(self._db, Part((), sources, claims=entries))).statements
        return {s.entry: s for s in said}


_made: WeakKeyDictionary[Memory, Reading] = WeakKeyDictionary()


@contextmanager
def reading(memory: Memory, root: Path) -> Iterator[Reading]:
    """What stands now; it is made again only where something of it changed, and holds still while it is read."""
    made = _made.get(memory)
    if made is None or not made.holds(memory, root):
        if made is not None:
            made.close()
        made = _made[memory] = Reading(memory, root)
    try:
        yield made
    finally:
        made.release()


def _last(db: sqlite3.Connection) -> tuple[int, str]:
    row: tuple[int, str] | None = db.execute("SELECT seq, id FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
    return row or (-1, "")


def _with(found: Standing, runs: Standing, names: Collection[str]) -> Standing:
    sources = {name: taken for name, taken in runs.sources.items() if name in names}
    statements = (*found.statements, *(s for s in runs.statements if s.source in sources))
    return replace(found, sources={**found.sources, **sources}, statements=statements)


def _replacing_in(found: Standing) -> set[str]:
    """The sources that say what replaced what."""
    return {s.source for s in found.statements if s.relation in _REPLACES}


def _taken_from(told: list[Any]) -> Taken:
    return Taken(*[*told[:-1], tuple(told[-1])])


def _head(page: Page | None) -> object:
    return page and (page.title, page.slug, page.homes)


def _pairs(wiki: Wiki) -> list[list[object]]:
    return [[one.old, one.new, one.fact, *one.claims] for one in wiki.replaced]


def _digest(parts: Iterable[str]) -> str:
    return blake2b("\n".join(parts).encode("utf-8", errors="surrogatepass"), digest_size=12).hexdigest()


@lru_cache(maxsize=1)
def code_of_wiki() -> str:
    """Pages are rendered anew by another version of what renders them."""
    return _digest(path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("*.[pt][yo]*")))
