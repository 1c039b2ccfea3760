"""Questions that values of claims answer: one relation of a subject, or all subjects of a kind that have a value.

A small grammar in which each word must be accounted for, else there is no answer from here. What is told is what one
SELECT over `claims` finds; where sources differ, that comes first. It knows no model and no retrieval.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ..memory.questions.moments import quoted
from .blocks import bare
from .dates import DOES, QUANTITIES, STANDS, same
from .extract import MANY
from .incremental import Reading
from .live_claims import BY_HAND, Statement
from .subjects import Page, key_of
from .uses import PERSON
from .value_wording import as_said, what_of, who

_NO_VALUES = frozenset(["says", "summary", "is", "dated", "alias", DOES])
_INVERSE = {"superseded by": "supersedes", "supersedes": "superseded by"}
_NAMING = frozenset(["created", "requires", "alias", *_INVERSE])
_SYNONYMS = {"writer": "author", "state": "status", "date": "created", "creation date": "created"}
#: Claims that stand, and those that a person has put other words in place of.
_FROM = " ".join(
    f"""FROM claims c JOIN documents d ON d.entry = c.source JOIN entries e ON e.seq = c.entry
 WHERE c.stance = 'holds' AND coalesce(e.key, '') NOT GLOB '{BY_HAND}*' AND NOT EXISTS (SELECT 1 FROM refs r JOIN
 entries y USING (seq) WHERE r.target = e.id AND r.role IN ('supersedes', 'retracts') AND coalesce(y.key, '') NOT GLOB
 '{BY_HAND}*')""".split()
)
_NEWEST = """SELECT e.id FROM (SELECT max(entry) AS seq FROM claims WHERE object <> '' GROUP BY relation) JOIN
 entries e USING (seq)"""
_OF_OTHERS = """SELECT e.id FROM claims c JOIN entries e ON e.seq = c.entry WHERE c.object <> '' AND c.relation
 NOT IN (SELECT value FROM json_each(?))"""
_PEOPLE = "SELECT DISTINCT object FROM claims WHERE relation IN (SELECT value FROM json_each(?)) AND object <> ''"
_REPLACED = """SELECT DISTINCT o.subject FROM entries y JOIN refs r ON r.seq = y.seq AND r.role = 'supersedes' JOIN
 entries o ON o.id = r.target WHERE y.id IN (SELECT value FROM json_each(?))"""
_DONE, _DOES = r"(?:superseded|replaced|obsoleted)", r"(?:supersedes?|replaces?|obsoletes?)"
_WROTE = r"(?:write|wrote|written|author|authored)"
_WHO = r"(?:(?:what|who|which|whose|when|show|list|name|tell|give) )?(?:(?:me|is|are|was|were|all|the) )*"
_WHAT = re.compile(
    r"(?:what|who) (?:is|are|was) (?:(?:an?|the) )?X(?: about)?|define X|"
    r"what (?:does|do) X (?:mean|stand for)|what (?:does|do|did) X (?:define|describe|propose|specify|introduce|say|do)"
)
_LEAD = re.compile(r"(how many|count|list|which|what|show|name|give me|all)(?: (?:me|all|of|the))* ")
#: What sources are called where they have no numbers.
_ANY = re.compile(r"(?:document|source|note|paper|article|text|mail|message|letter)s? |(?=(?:did|has) )")
_FILLER = re.compile(
    r"(?:are|is|was|were|be|been|have|has|had|do|an?|the|that|which|and|all|there|exist|currently|now) "
)
_DAY = re.compile(r"(?:created |published |dated |written |made )?(in|on|from|before|after|since|until)"
                  r" (\d{4})(?: (\d{1,2}))?(?: (\d{1,2}))?(?= )")  # fmt: skip
_SIGNS = {"before": "<", "after": ">", "since": ">=", "until": "<="}


@dataclass(frozen=True, slots=True)
class Valued:
    """What claims say: the value, sentences with the claims that each cites, the SELECT, and entries of people."""

    value: object
    sentences: tuple[tuple[str, tuple[str, ...]], ...]
    sql: str
    by_hand: tuple[str, ...] = ()
    #: Whether lines of sources may say more, or say it where no claim does.
    open: bool = False


def held_at(as_of: str | None, since: str | None, until: str | None) -> bool:
    """Whether something that holds from `since` to `until` held in that year, month or day."""
    if not as_of:
        return True
    size = len(as_of)
    return not (since and since[:size] > as_of[: len(since)]) and not (until and until[:size] < as_of[: len(until)])


def known_then(as_of: str | None) -> str:
    """SQL that leaves out claims `c` of documents `d` which a day did not know.

    A heading bears the date of its document and is changed afterwards: old documents name what replaced them. So a
    claim is left out too whose value is a later document, and with it the word that the old one was replaced.
    """
    if not as_of:
        return ""

    def later(column: str) -> str:
        return f"substr({column}, 1, {len(as_of)}) > substr({quoted(as_of)}, 1, length({column}))"

    late = ("(SELECT l.body ->> '$.meta.subject' FROM documents o JOIN entries l ON l.seq = o.entry WHERE"
            f" {later('o.published')} AND l.body ->> '$.meta.subject' <> '')")  # fmt: skip
    new = (
        "(SELECT 1 FROM claims x WHERE (x.relation = 'superseded by' AND x.subject = c.subject OR x.relation ="
        " 'supersedes' AND x.object = c.subject) AND iif(x.relation = 'supersedes', x.subject, x.object)"
    )
    since = later("coalesce(c.since, '')")
    return (
        f" AND NOT {later('d.published')} AND NOT {since} AND (c.until IS NULL OR"
        f" substr(c.until, 1, {len(as_of)}) >= substr({quoted(as_of)}, 1, length(c.until))) AND c.subject NOT IN {late}"
        f" AND coalesce(c.object, '') NOT IN {late} AND NOT (lower(coalesce(c.object, '')) IN ('superseded',"
        f" 'replaced', 'obsolete', 'obsoleted', 'deprecated') AND EXISTS {new} IN {late}) AND NOT EXISTS {new} NOT IN"
        f" {late}))"
    )


class Values:
    """The values of every relation, and the names that a question may use for them."""

    def __init__(self, db: sqlite3.Connection, wiki: Reading, as_of: str | None = None) -> None:
        self._db, self._wiki, self._as_of = db, wiki, as_of
        self._from = _FROM + known_then(as_of)
        self._valued = _valued(db, wiki)
        #: What people put in the place of a value, with the claim that gave it.
        self._by_people = _by_people(db, wiki)
        self._values: dict[str, dict[str, set[str]]] = {}  # by value in normal form: by relation, as it is spelt
        self._meant: set[str] = set()  # people that a question may mean, where it is more than one
        names = {key_of(relation): relation for relation in sorted(self._valued)}
        names |= {word: r for word, r in _SYNONYMS.items() if r in self._valued and word not in names}
        if STANDS in self._valued:
            names.setdefault("status", "status")
        self._relations = names | {f"{name}s": r for name, r in names.items()}
        #: The relations that name one quantity, or one event whether its day or its place is told.
        self._like: dict[str, list[str]] = defaultdict(list)
        for relation in sorted(self._valued):
            self._like[QUANTITIES.get(relation, relation)].append(relation)

    def _valued_as(self, value: str) -> dict[str, set[str]]:
        """By relation, how a value in normal form is spelt."""
        if value not in self._values:
            found: dict[str, set[str]] = defaultdict(set)
            for s in self._wiki.naming([value]):
                if s.object and s.relation not in _NO_VALUES and key_of(s.object) == value:
                    found[s.relation].add(s.object)
            for s, given in self._by_people:
                if key_of(given) == value:
                    found[s.relation].add(given)
            self._values[value] = found
        return self._values[value]

    @cached_property
    def _people(self) -> dict[str, set[str]]:
        """The values that are people, by every name that may mean them: whole, first and last ones."""
        found: dict[str, set[str]] = defaultdict(set)
        relations = json.dumps([relation for relation in self._valued if PERSON.match(relation)])
        for (value,) in self._db.execute(_PEOPLE, (relations,)):
            parts = key_of(value).split()
            for name in {parts[0], *(" ".join(parts[i:]) for i in range(len(parts)))} if parts else ():
                found[name].add(value)
        return found

    def _fitting(self, name: str) -> dict[str, set[str]]:
        """The people that a name may mean, each with how claims spell it."""
        found: dict[str, set[str]] = defaultdict(set)
        for value in self._people.get(name, ()):
            if any(PERSON.match(one) and value in spelt for one, spelt in self._valued_as(key_of(value)).items()):
                page = self._wiki.subjects.resolve(value)
                found[page.key if page is not None else key_of(value)] |= {value, *(self._spelt(page) if page else ())}
        return found

    def _spelt(self, page: Page) -> set[str]:
        """How claims spell the names of a page."""
        said = (s for s in self._wiki.naming(page.names) if s.object and s.relation not in _NO_VALUES)
        return {name for s in said for name in (s.subject, s.object) if key_of(name) in page.names}

    def answer(self, question: str) -> Valued | None:
        """What claims say to the question; None where the grammar does not take it."""
        asked = key_of(question)
        words = asked.split()
        self._meant.clear()
        for size in range(min(12, len(words)), 0, -1):
            for i in range(len(words) - size + 1):
                page = self._wiki.subjects.resolve(name := " ".join(words[i : i + size]))
                if page is None and size == 2 and words[i + 1].isdigit() and (kind := self.kind(words[i])):
                    page = Page(name, f"{kind[0]} {words[i + 1]}", "", "")  # one that was not taken in
                rest = " ".join([*words[:i], "X", *words[i + size :]])
                if page is not None and (relation := self._asked(rest) or self._measured(rest)):
                    told = self._of_subject(page, relation)
                    silent = told.value is None and relation not in _INVERSE and not PERSON.match(relation)
                    return replace(told, open=silent or not self._asked(rest))
                if page is not None and _WHAT.fullmatch(rest) and (said := self._described(page)) is not None:
                    return said
        found = self._listed(asked)
        if found is None and self._meant:
            who = ", ".join(sorted(self._meant))
            return Valued(None, ((f"that name could mean: {who}; ask with the whole name", ()),), "")
        return found

    def _described(self, page: Page) -> Valued | None:
        """What a subject is, as sources define it, or as a document says of itself."""
        said = [s for s in self._wiki.naming(page.names) if key_of(s.subject) in page.names]
        found = [s for s in said if s.relation == "is"] or [s for s in said if s.relation == "summary"]
        held = (s for s in found if held_at(self._as_of, s.since, s.until))
        lines = {as_said(self._wiki, s, self._as_of): (s.entry,) for s in held}
        return Valued(list(lines), tuple(lines.items()), "") if lines else None

    # --- one relation of one subject

    def _asked(self, rest: str) -> str:
        """The relation that a question with X for its subject asks for; "" where it is another question."""
        if re.fullmatch(r"(?:who|by whom) (?:wrote|authored|has written) X", rest) or re.fullmatch(
            r"(?:who|by whom) (?:is|was|were) X (?:written|authored)(?: by)?", rest
        ):
            return "author"
        by = rf"(?:(?:by )?(?:what|which(?: \w+)?) )?(?:is|was|has) X (?:been )?{_DONE}(?: by(?: what)?)?"
        if re.fullmatch(rf"(?:what|which(?: \w+)?) (?:has )?(?:{_DONE}|{_DOES}) X|{by}", rest):
            return "superseded by"
        if re.fullmatch(rf"(?:what|which(?: \w+)?) (?:does|did|has) X (?:{_DOES}|{_DONE})", rest):
            return "supersedes"
        names = "|".join(sorted(map(re.escape, self._relations), key=len, reverse=True))
        for form in (
            rf"{_WHO}({names}) (?:of|for|does|did|has|is|in) (?:the )?X(?: now| today| have)?",
            rf"{_WHO}X ({names})(?: now| today)?",
            rf"when (?:was|is) X ({names})(?: on)?",
        ):
            if found := re.fullmatch(form, rest):
                return self._relations[found[1]]
        if found := re.fullmatch(r"who (\w+?)(?:e?d)? X", rest):
            return found[1] if found[1] in self._valued else ""
        found = re.fullmatch(r"(?:is|was) X (?:an? )?(.+)", rest)
        return self._having(found[1]) if found else ""

    def _measured(self, rest: str) -> str:
        """The relation that a question such as "how heavy is X" or "when was X founded" asks for; "" for another."""
        if found := re.fullmatch(r"how (\w+) (?:is|are|was|were) (?:the )?X", rest) or re.fullmatch(
            r"how (?:much|many|long|heavy) (?:does|do|did) (?:the )?X (\w+)", rest
        ):
            word = "lifespan" if found[1] == "live" else found[1]
            named = [QUANTITIES.get(one, one) for one in (word, f"{word}s") if one in QUANTITIES or one in self._valued]
            return next((one for name in named for one in self._like.get(name, ())), "")
        if found := re.fullmatch(r"(when|where) (?:was|is|were|are) X (\w+)", rest):
            ends = ("in", "on") if found[1] == "when" else ("at", "in")
            return next((one for end in ends if (one := f"{found[2]} {end}") in self._valued), "")
        found = re.fullmatch(r"(?:who|by whom)(?: was)?(?: X)? (\w+)(?: X)?(?: by)?", rest)
        return f"{found[1]} by" if found and f"{found[1]} by" in self._valued else ""

    def _having(self, value: str) -> str:
        """The one relation, persons, dates and names of others aside, that has this value."""
        found = [r for r in self._valued_as(value) if not PERSON.match(r) and r not in _NAMING]
        return "status" if {"status", STANDS} & set(found) else found[0] if len(found) == 1 else ""

    def _of_subject(self, page: Page, relation: str) -> Valued:
        sql = self._select(relation, "subject", self._names(page))
        found, wiki = self._found(sql), self._wiki.pages([page.key])
        alike = relation, QUANTITIES.get(relation)
        kind = next((d.kind for d in wiki.differing[page.key] if d.relation in alike), "")
        if relation == "status" and (kind or not found):
            found += self._found(self._select(STANDS, "subject", self._names(page)))
        what = what_of(relation, page.title)
        if not found:
            when = f", as far as was known at {self._as_of}" if self._as_of else ""
            return Valued(None, ((f"not in this memory: no source says {what}{when}", ()),), sql)
        grouped: dict[str, list[Statement]] = defaultdict(list)
        shown: dict[str, str] = {}
        for s in found:
            told = s.subject if relation in _INVERSE and s.relation != relation else s.object
            other = self._wiki.subjects.resolve(told) if relation in MANY or PERSON.match(relation) else None
            key = other.key if other is not None else same(told, page.key)
            grouped[key].append(s)
            shown.setdefault(key, told)
        edits = self._by_hand(found)
        many = relation in MANY or PERSON.match(relation) is not None
        unclear = any(not one.fact and page.key in (one.old, one.new) for one in wiki.successions[page.key])
        lines = [(group[0].text, tuple(s.entry for s in group)) for group in grouped.values()]
        # Without a day, a difference that is not among those of the wiki was settled by a person.
        if edits or (relation in _INVERSE and unclear) or (not many and len(grouped) > 1 and (kind or self._as_of)):
            sides = [f"{shown[key]}, {who(self._wiki, group)}" for key, group in grouped.items()]
            told = "; ".join([*edits.values(), *sides])
            first = f"sources disagree on {what}{f' ({kind})' if kind and not self._as_of else ''}: {told}"
            if settled := edits and all(
                s.id in self._wiki.edited for s in found
            ):  # nothing stands but a person's words
                first = f"{what}: {'; '.join(edits.values())}, in place of {'; '.join(sides)}"
                shown.clear()
            lines = [(first[:1].upper() + first[1:] if settled else first, tuple(s.entry for s in found))]
        values = [*(words.partition(", said by ")[0] for words in edits.values()), *shown.values()]
        value: object = values if many or len(values) > 1 else values[0]
        return Valued(value, tuple(lines), sql, tuple(edits))

    def _by_hand(self, found: Sequence[Statement]) -> dict[str, str]:
        """What people put in the place of these claims with another value, by the entry that says so."""
        told: dict[str, str] = {}
        for s in found:
            hand = self._wiki.edited.get(s.id)
            if hand is None or (same(hand.value) == same(s.object) if hand.value else s.object in hand.text):
                continue
            [at] = self._db.execute("SELECT substr(at, 1, 10) FROM entries WHERE id = ?", (hand.entry,)).fetchone()
            if held_at(self._as_of, at, None):
                told[hand.entry] = f"{hand.value or bare(hand.text)}, said by {hand.by} by hand ({at})"
        return told

    # --- every subject of a kind

    def _listed(self, asked: str) -> Valued | None:
        lead = _LEAD.match(asked)
        of_kind = self.kind(asked[lead.end() :]) if lead else None
        if lead and of_kind is None and (any_kind := _ANY.match(asked[lead.end() :])):
            of_kind = "", asked[lead.end() + any_kind.end() :]
        if lead is None or of_kind is None:
            return None
        kind, rest = of_kind
        numbered = quoted(f"{kind} [0-9]*" if kind else "*")
        steps: list[tuple[str, str, str]] = []
        while rest := rest.strip():
            if (step := self._condition(f"{rest} ")) is not None:
                rest = rest[step[0] :]
                steps.append(step[1:])
            elif filler := _FILLER.match(f"{rest} "):
                rest = rest[filler.end() :]
            else:
                return None
        if not steps:
            own = "(SELECT l.body ->> '$.meta.subject' FROM entries l WHERE l.seq = c.source)"
            steps = [
                ("", f"SELECT e.id AS claim, c.subject {self._from} AND c.subject = {own}", "a source of their own")
            ]
        sql = f"SELECT claim, subject FROM ({steps[0][1]}) WHERE subject GLOB {numbered}"
        sql += "".join(f" AND subject IN (SELECT subject FROM ({test}))" for _, test, _ in steps[1:])
        grouped: dict[str, list[Statement]] = defaultdict(list)
        names: dict[str, str] = {}
        rows = self._db.execute(sql).fetchall()
        claims = self._wiki.told([claim for claim, _ in rows])
        for claim, subject in rows:
            if claim in claims:
                grouped[key_of(subject)].append(claims[claim])
                names.setdefault(key_of(subject), subject)
        lines: list[tuple[str, tuple[str, ...]]] = []
        edits: list[str] = []
        found = {key: self._wiki.subjects.resolve(names[key]) for key in sorted(names, key=_by_number)}
        wiki = self._wiki.pages({page.key for page in found.values() if page is not None} & self._wiki.differing)
        for key, page in found.items():
            by_hand = self._by_hand(grouped[key])
            edits += by_hand
            others = [f"; sources disagree: {one}" for one in by_hand.values()]
            for one in wiki.differing[page.key] if page is not None and page.key in self._wiki.differing else ():
                told = [s for s in map(wiki.claim, one.claims) if s.quotes and held_at(self._as_of, s.since, s.until)]
                if any(one.relation == relation for relation, _, _ in steps) and len(told) > 1:
                    others += [f"; sources disagree: {'; '.join(f'{s.object}, {who(self._wiki, [s])}' for s in told)}"]
            title = wiki.title(page) if page is not None else names[key]
            lines.append((f"{title}{''.join(others)}", tuple(s.entry for s in grouped[key][:1])))
        count = len(lines)
        for relation, _, said in steps[: len(steps) == 1]:
            for s, given in self._by_people:
                if s.relation == relation and f"{relation} = {given}" == said:
                    for entry, words in self._by_hand([s]).items():
                        lines.append(
                            (f"not counted: {s.subject}: {s.object}, {who(self._wiki, [s])}; {words}", (s.entry,))
                        )
                        edits.append(entry)
        head = f"{count} {kind or 'source'}{'s' * (count != 1)} with {', '.join(said for _, _, said in steps)}"
        value: object = count if lead[1] in ("how many", "count") else [names[k] for k in sorted(names, key=_by_number)]
        return Valued(value, ((head, ()), *lines), sql, tuple(edits))

    def kind(self, text: str) -> tuple[str, str] | None:
        """What numbered sources of the lab are called, such as PEP, where the text speaks of them; the text without."""
        words = text.split()
        for i, word in enumerate(words):
            kind = self._numbered(word) or self._numbered(word.removesuffix("s"))
            if kind and not "".join(words[i + 1 : i + 2]).isdigit():
                return kind, " ".join(words[:i] + words[i + 1 :])
        return None

    def _numbered(self, word: str) -> str:
        """How the numbered sources of a kind spell it; "" where there are none."""
        wiki, spelt = self._wiki, dict[str, str]()
        pages = (wiki.subjects.resolve(name) for name in wiki.subjects.heads[word] if name.count(" ") == 1)
        for home in (home for page in pages if page is not None for home in page.homes):
            found = re.fullmatch(r"(\w+) \d+", wiki.sources[home].subject)
            if found and found[1].casefold() == word:
                spelt[home] = found[1]
        return spelt[max(spelt)] if spelt else ""

    def _condition(self, rest: str) -> tuple[int, str, str, str] | None:
        """(characters it takes, relation, SELECT of claim and subject, in words) of the condition that comes first."""
        if found := _DAY.match(rest):
            day = "-".join(part.zfill(2) for part in found.groups()[1:] if part)
            compared = f"substr(c.object, 1, {len(day)}) {_SIGNS.get(found[1], '=')} {quoted(day)}"
            dated = "c.relation IN ('created', 'published', 'note created', 'note published', 'note dated')"
            sql = f"SELECT e.id AS claim, c.subject {self._from} AND {dated} AND {compared}"
            return found.end(), "created", sql, f"created {found[1]} {day}"
        for form, after, relation in (
            (rf"{_DONE} by ", "", "superseded by"), (rf"(?:{_DOES}|{_DONE}) ", "", "supersedes"),
            ("requires? ", "", "requires"),
            (r"(?:written |authored )?by ", "", "author"), (r"(?:did |does |has )", rf" {_WROTE}(?= )", "author"),
            (r"(?:did |does |has )", rf" (?:{_DOES}|{_DONE})(?= )", "superseded by"),
            *((f"{key_of(r)}(?:e?d)? by ", "", r) for r in self._valued if PERSON.match(r)),
            *(("(?:did |does |has )", f" {key_of(r)}(?= )", r) for r in self._valued if PERSON.match(r)),
        ):  # fmt: skip
            if (before := re.match(form, rest)) and (
                named := self._head(rest[before.end() :], PERSON.match(relation) is not None)
            ):
                end = before.end() + named[0]
                if tail := re.match(after, rest[end:]):
                    sql = self._select(relation, "object", named[2])
                    return end + tail.end(), relation, sql, f"{relation} = {named[1]}"
        if done := re.match(rf"{_DONE} (?!by )", rest):  # by what documents say of each other, or of themselves
            old = "iif(c.relation = 'supersedes', c.object, c.subject)"
            told = f"""(c.relation IN ('supersedes', 'superseded by') OR c.relation IN ('status', {quoted(STANDS)}) AND
 lower(c.object) IN ('superseded', 'replaced'))""".replace("\n", "")
            sql = f"SELECT e.id AS claim, {old} AS subject {self._from} AND {told}"
            return done.end() - 1, "status", sql, "a successor or the status superseded"
        words = rest.split()
        for size in range(min(4, len(words)), 0, -1):
            relation = self._relations.get(" ".join(words[:size]), "")
            gap = re.match(rf"(?:\S+ ){{{size}}}(?:(?:is|are|of|by) )?", rest)
            if relation and gap and (value := self._value(relation, rest[gap.end() :])):
                return gap.end() + len(value), relation, *self._equal(relation, value)
        for size in range(min(6, len(words)), 0, -1):
            if relation := self._having(value := " ".join(words[:size])):
                named_too = re.match(rf" {key_of(relation)}(?= )", rest[len(value) :])
                return len(value) + (named_too.end() if named_too else 0), relation, *self._equal(relation, value)
        return None

    def _head(self, text: str, person: bool) -> tuple[int, str, str] | None:
        """The longest name of a page, or of the one person it fits, that the text begins with; what it is called, and
        its names for SQL."""
        words = text.split()
        for size in range(min(12, len(words)), 0, -1):
            if (page := self._wiki.subjects.resolve(name := " ".join(words[:size]))) is not None:
                return len(name), page.title, self._names(page)
            if person and (fit := self._fitting(name)):
                spelt = [max(sorted(names), key=len) for names in fit.values()]
                if len(fit) == 1:
                    return len(name), spelt[0], ", ".join(map(quoted, sorted(*fit.values())))
                self._meant.update(spelt)
        return None

    def _value(self, relation: str, text: str) -> str:
        words = text.split()
        begins = (" ".join(words[:size]) for size in range(len(words), 0, -1))
        return next((value for value in begins if relation in self._valued_as(value)), "")

    def _equal(self, relation: str, value: str) -> tuple[str, str]:
        spelt = sorted(self._valued_as(value)[relation])
        return self._select(relation, "object", ", ".join(map(quoted, spelt))), f"{relation} = {spelt[0]}"

    def relation(self, word: str) -> str:
        """The relation that a word of a question names; "" for none."""
        return self._relations.get(word, "")

    # --- SQL

    def by_value(self, relation: str, size: int, kind: str) -> tuple[str, list[tuple[str, set[str], str]]]:
        """The SELECT, and by value of a relation, of which so many characters count, subjects of a kind and a claim."""
        one = f"c.relation = {quoted(relation)} AND c.subject GLOB {quoted(f'{kind} [0-9]*')}"
        sql = f"SELECT e.id AS claim, c.subject, substr(c.object, 1, {size}) {self._from} AND {one} ORDER BY 3, 2"
        rows = self._db.execute(sql).fetchall()
        stands = self._wiki.told([claim for claim, *_ in rows])
        found: dict[str, tuple[str, set[str], str]] = {}
        for claim, subject, value in rows:
            if claim in stands:
                found.setdefault(value, (value, set(), claim))[1].add(subject)
        return sql, list(found.values())

    def _select(self, relation: str, column: str, names: str) -> str:
        """Claims of a relation with one of the names as subject or object; of a succession, as either side tells it."""
        like = self._like[QUANTITIES.get(relation, relation)]
        of = f"= {quoted(relation)}" if len(like) < 2 else f"IN ({', '.join(map(quoted, like))})"
        one = f"c.relation {of} AND c.{column} IN ({names})"
        if relation not in _INVERSE:
            return f"SELECT e.id AS claim, c.subject {self._from} AND {one} ORDER BY d.published, d.document, c.entry"
        two = f"c.relation = {quoted(_INVERSE[relation])} AND c.{'object' if column == 'subject' else 'subject'}"
        subject = f"iif(c.relation = {quoted(relation)}, c.subject, c.object) AS subject"
        return f"SELECT e.id AS claim, {subject} {self._from} AND ({one} OR {two} IN ({names})) ORDER BY c.entry"

    def _found(self, sql: str) -> list[Statement]:
        """The claims of a SELECT, those aside that a person withdrew."""
        claims = [claim for claim, _ in self._db.execute(sql)]
        told = self._wiki.told(claims)
        return [told[claim] for claim in claims if claim in told]

    def _names(self, page: Page) -> str:
        return ", ".join(map(quoted, sorted(self._spelt(page) | {page.title})))


def _valued(db: sqlite3.Connection, wiki: Reading) -> set[str]:
    """The relations that have values: nearly always the newest claim of each stands, and says so."""
    newest = wiki.told([entry for (entry,) in db.execute(_NEWEST)]).values()
    found = {s.relation for s in newest} | _NO_VALUES
    rest = db.execute(_OF_OTHERS, (json.dumps(sorted(found)),)).fetchall()
    return (found | {s.relation for s in wiki.told([entry for (entry,) in rest]).values()}) - _NO_VALUES


def _by_people(db: sqlite3.Connection, wiki: Reading) -> list[tuple[Statement, str]]:
    given = {name: hand for name, hand in wiki.edited.items() if hand.value}
    of = db.execute(_REPLACED, (json.dumps([hand.entry for hand in given.values()]),)) if given else ()
    said = wiki.naming({key_of(subject) for (subject,) in of})
    return [(s, given[s.id].value) for s in said if s.id in given and s.object and s.relation not in _NO_VALUES]


def _by_number(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d{1,9})", name)]
