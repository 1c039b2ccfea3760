"""Pages from what stands: a pure function of sources, claims and the schema. No clock, no order of arrival, no model.

Each line that states something ends with a footnote to its exact words and with `^id`, the name of its claim, so that a
block of a page can be matched to the claim it came from.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from .blocks import MARK, Hand, lay_over
from .compile_cache import Kept
from .dates import DOES, Difference, Succession, Told, differences, out_of_step, same, successions
from .entailment import words
from .extract import MANY
from .live_claims import RUNS, Mention, Standing, Statement, item_id
from .notes import Notes, as_yaml, table_of
from .prose import spoken
from .related_pages import RARE, Links
from .reworded import Reworded
from .schema import Part
from .sentence_patterns import tells_of
from .stored_answers import Answers, Said, told_whole
from .subjects import Page, Subjects, key_of, plain, safe
from .uses import PERSON, uses_of
from .values import asks_one, changes

MENTIONED_IN, RELATED, SHARED = 15, 6, 3
_SPECIAL = frozenset(["*", "history", "timeline", "works", "mentions", "related"])
_MANY = frozenset(["*", "summary", "is", "says"])  # a section of its own shows its value, whatever stands above
_OF_ITSELF = frozenset(["created", "published"])
_DESCRIBED = re.compile(r".+ (?:is|was) (described (?:by|on)) .+")
_NUMBERED = re.compile(r"[A-Z]{2,6} \d{1,5}")
_QUIET = frozenset(["alias", "superseded by", "supersedes", "dated", DOES])

_SAYS = Part("What sources say", (), ("says",))  # of a page whose type has no section for it


class Wiki:
    """Everything that pages are rendered from, resolved once for all of them."""

    def __init__(
        self,
        found: Standing,
        schema: Mapping[str, Sequence[Part]],
        answers: Mapping[str, Said] | None = None,
        resolved: tuple[Subjects, Links, Sequence[Succession] | None] | None = None,
        kept: Kept | None = None,
    ) -> None:
        """`answers`: by the name of the evidence they were worded from; `resolved`: what
        all that stands comes to, where only a part of it is `found`, so that only the pages of that part are whole."""
        self.sources, self.schema, self._answers = found.sources, schema, Answers(answers or {})
        #: Claims whose words a page shows in an answer, and no line of its own bears.
        self.cited: set[str] = set()
        if resolved is None:
            kept, total = kept or Kept(), len(found.sources)
            resolved = Subjects(kept, total, found.joined, found.files), Links(kept, total), None
            uses = uses_of(found, schema)
            resolved[0].settle(set[str]().union(*(resolved[0].take(name, said) for name, said in uses.items())))
            whole = True
        else:
            whole = False
        self.subjects, self.links, replaced = resolved
        self.hands = found.hands
        #: Claims of a source about what has no page, by the page of the source.
        self.elsewhere: dict[str, list[Statement]] = defaultdict(list)
        self.reworded = Reworded(found.hands, found.put)
        #: What a person says instead of a block, by its name; and the claims that a line states, by the name it bears.
        self.edited = self.reworded.lines
        self.stated: dict[str, list[Statement]] = {}
        resolve = self.subjects.resolve
        self.about: dict[str, list[Statement]] = defaultdict(list)
        self.works: dict[str, list[Statement]] = defaultdict(list)
        told: list[Told] = []
        by_id = {s.id: s for s in found.statements}
        for s in found.statements:
            page, other = resolve(s.subject), resolve(s.object) if s.object else None
            if page is not None:
                self.about[page.key].append(s)
            elif not s.source.startswith(RUNS) and s.relation not in (DOES, "alias"):
                self.elsewhere[self.home(s.source)].append(s)
            if other is not None and (page is None or other.key != page.key) and s.relation not in _QUIET:
                self.works[other.key].append(s)
            put = self.edited.get(s.id)  # who words it anew may still give the same value
            stays = put is None or put.value or s.object in put.text or s.relation in _QUIET
            if page is not None and s.object and stays:
                taken = self.sources[s.source]
                home = self.home(s.source)
                value = other.key if other is not None and s.relation in ("superseded by", "supersedes") else s.object
                on = s.since or taken.date
                told.append(Told(s.id, page.key, s.relation, value, s.scope, home, on, taken.author, changes(s.text)))
                now, hand = self.reworded.value(s), self.reworded.of(s)
                if hand is not None and now and same(now, page.key) != same(s.object, page.key):
                    said = s._replace(id=hand.name + hand.entry, source=hand.by, object=now, quotes=())
                    by_id[said.id] = said
                    told.append(Told(said.id, page.key, s.relation, now, s.scope, f"by {hand.by}", on, hand.by))
        self._by_id = by_id
        if replaced is None:
            replaced = [one for one in successions(told) if one.old in self.subjects.pages]
        self.replaced = replaced
        self.successions: dict[str, list[Succession]] = defaultdict(list)  # by either page
        for pair in self.replaced:
            self.successions[pair.old].append(pair)
            self.successions[pair.new].append(pair)
        # Two documents of one name bear two dates: that is no question with two answers.
        many = MANY | _OF_ITSELF | {"updated"}
        single = [t for t in told if t.relation not in many and not PERSON.match(t.relation) and asks_one(t.relation)]
        self.differing: dict[str, list[Difference]] = defaultdict(list)
        for one in (*differences(single, self.replaced), *out_of_step(told, self.replaced)):
            if item_id("contradiction", one.subject, one.relation) in found.settled:
                continue
            self.differing[one.subject].append(one)
        self.spoken_of: dict[str, dict[str, Mention]] = defaultdict(dict)
        #: By source the keys of the pages it speaks of: true where it does so in its words.
        self.speaks: dict[str, dict[str, bool]] = defaultdict(dict)
        self.unpaged: dict[str, list[Mention]] = defaultdict(list)  # documents it names that were not taken in
        for mention in found.mentions:
            page = resolve(mention.name)
            home = self.home(mention.quote.source)
            if page is None and _NUMBERED.fullmatch(mention.name):
                self.unpaged[home].append(mention)
            if page is not None and page.key != home:
                self.spoken_of[page.key].setdefault(mention.quote.source, mention)
                self.speaks[mention.quote.source][page.key] = True
        for page_key, works in self.works.items():
            for s in works:
                self.speaks[s.source].setdefault(page_key, False)
        if whole:
            for source in self.sources:
                self.links.take(source, self.home(source), self.speaks.get(source, {}))

    def home(self, source: str) -> str:
        page = self.subjects.resolve(self.sources[source].subject)
        return page.key if page is not None else source

    def render(self, only: Iterable[str] | None = None) -> dict[str, str]:
        """The file of every page by its name, or of those with these keys."""
        pages = self.subjects.pages.values() if only is None else [self.subjects.pages[key] for key in only]
        return {f"{page.slug}.md": self.page(page) for page in pages}

    def with_hands(self, files: Mapping[str, str]) -> dict[str, str]:
        """The files with what people wrote into them, each block in its place."""
        out = dict(files)
        laid: dict[str, list[Hand]] = defaultdict(list)
        for hand in self.hands:
            laid[f"{self.page_of(hand)}.md"].append(hand)
        for name, hands in laid.items():
            if name in out or not all(hand.gone for hand in hands):
                # Words of a person outlive the sources that their page was made from.
                title = plain(hands[0].subject)
                bare = f"---\ntype: note\ntitle: {as_yaml(title)}\n---\n\n# {title}\n"
                out[name] = lay_over(out.get(name, bare), hands, self.sources, self.subjects.file_of)
        return out

    def claim(self, name: str) -> Statement:
        return self._by_id[name]

    def pages_of(self, claims: Iterable[str]) -> set[str]:
        """The keys of the pages on which lines state these claims, of those that were read."""
        said = [self._by_id[name] for name in claims if name in self._by_id]
        homes = ((self.subjects.resolve(s.subject), self.home(s.source)) for s in said)
        return {page.key if page is not None else home for page, home in homes}

    def page_of(self, hand: Hand) -> str:
        """The name of the file, without `.md`, where it belongs by now."""
        named = hand.page not in ("index", "log")
        page = self.subjects.pages.get(self.home(hand.home)) if named and hand.home in self.sources else None
        page = page or (self.subjects.resolve(hand.subject) if named else None)
        return page.slug if page is not None else hand.page

    # --- one page

    def page(self, page: Page) -> str:
        """The file of one page, as sources make it."""
        notes, done, lines, shown = Notes(), set[str](), list[str](), dict[tuple[str, str], str]()
        shown |= {(s.source, s.text): s.id for s in self.elsewhere[page.key]}
        lines += self.callouts(page, notes, done)
        lines += [line for home in page.homes for line in table_of(self.sources[home].table)]
        parts = self.parts(page)
        placed = {relation for part in parts for relation in part.relations} - _SPECIAL
        said_last = next((part for part in parts if "says" in part.relations), parts[-1])
        for part in parts:
            evidence = {s.id: s for s in self.evidence(page, part)} if self._answers.known else {}
            said, newer = self.answer(page, part, evidence) if evidence else (None, 0)
            answers = [(text, ids) for text, ids in said.sentences if evidence.keys() >= set(ids)] if said else []
            told_by = [[f"{self.subjects.linked(text, page, done)}{notes(evidence[i].quotes[0] for i in ids)}\n"
                        for text, ids in one.sentences if evidence.keys() >= set(ids)]
                       for one in ((said, *said.beside) if said else ())]  # fmt: skip
            body = [*told_by[0], *said.otherwise(told_by[1:])] if said else []
            if answers and newer:
                told = f"{newer} of these {len(evidence)} claims {'was' if newer == 1 else 'were'} known"
                body.append(f"*Worded before {told}.*\n")
            self.cited |= {i for _, ids in answers for i in ids}
            worded = told_whole(answers, {name: s.text for name, s in evidence.items() if not s.object})
            for relation in part.relations:
                body += self._answered(page, relation, placed, notes, done, shown, worded)
            body = [f"\n{line}" if before.startswith("- ") and line[:1] not in ("-", "*") else line
                    for before, line in zip(["", *body], body, strict=False)]  # fmt: skip
            if body:
                lines += [f"## {plain(part.heading)}", "", *dict.fromkeys(body), ""]
            if part == said_last and (others := self.elsewhere[page.key]):
                lines += ["## What it says of other things", ""]
                lines += [*(self._line(page, [s], notes, done) for s in others), ""]
        title = self.title(page)
        whole = [*self._front(page, title, notes), f"# {plain(title)}", "", *lines, str(notes)]
        return "\n".join(whole).rstrip() + "\n"

    def title(self, page: Page) -> str:
        return self.sources[page.homes[0]].title if page.homes else page.title

    def _answered(
        self, page: Page, relation: str, placed: set[str], notes: Notes, done: set[str],
        shown: dict[tuple[str, str], str], worded: set[str],
    ) -> list[str]:  # fmt: skip
        """The lines of one relation: none for claims that an answer words, or whose sentence stands above."""
        match relation:
            case "history":
                return self._history(page, notes, done)
            case "timeline":
                return self._timeline(page, notes, done)
            case "works":
                return self._works(page, notes, done)
            case "mentions":
                return self._mentioned(page, notes, done)
            case "related":
                return self._related(page, notes, done)
        grouped: dict[tuple[str, str, str], list[Statement]] = defaultdict(list)
        for s in self._said(page, relation, placed):
            if (first := shown.get((s.source, s.text))) is not None and relation in _MANY:
                self.stated[first] = [*self.stated.get(first, ()), s]
            elif s.id not in worded:
                group = grouped[s.relation, same(s.object, page.key) if s.object else s.text, s.scope]
                group.append(s)
                shown.setdefault((s.source, s.text), group[0].id)
        for group in grouped.values():
            for s in self.about[page.key] if re.match(r"\W?\d", group[0].object) else ():
                if s.relation == "says" and _repeats(s.text, group[0]) and (s.source, s.text) not in shown:
                    group.append(s)
                    shown[s.source, s.text] = group[0].id
        return [self._line(page, group, notes, done) for group in grouped.values()]

    def _related(self, page: Page, notes: Notes, done: set[str]) -> list[str]:
        """Pages that are near and not linked yet, each with what it has in common with this one."""
        mine, lines, told = self.links.using(page.key), list[str](), set[str]()
        rare = {key for key in mine if key != page.key and len(self.links.spoken_by(key)) <= RARE}
        for key in self.links.near(page.key):
            if len(told) == RELATED:
                break
            if key in done or key not in self.subjects.pages:
                continue
            common = sorted(rare & self.links.using(key), key=lambda k: (-self.links.weight(k), k))
            direct = key in mine
            if direct or len(common) > 1:
                told.add(key)
                known = (self.subjects.pages[k].title for k in common[:SHARED] if k in self.subjects.pages)
                names = f" (both: {', '.join(map(plain, known))})" if common else ""
                lines.append(f"- {self.subjects.link(self.subjects.pages[key])}{names}")
        rest = sorted(self.links.speaks_of(page.key) - done - {*told, page.key})
        links = [self.subjects.link(self.subjects.pages[key]) for key in rest]
        lines += [f"- speaks of {', '.join(links)}"] if rest else []
        unpaged = sorted(self.unpaged[page.key], key=lambda m: (len(m.name), m.name))
        out = [f"{plain(m.name)}{notes([m.quote])}" for m in unpaged]
        return lines + ([f"- names, without a page here: {', '.join(out)}"] if out else [])

    def linked_from(self, key: str) -> int:
        """How many other pages speak of a page."""
        return len(self.links.spoken_by(key) - {key})

    def _said(self, page: Page, relation: str, placed: set[str]) -> list[Statement]:
        said = [s for s in self.about[page.key] if s.stance == "holds" or relation != "*"]
        if relation == "says":  # and what has neither a section nor a value
            return [s for s in said if s.relation == "says" or not (s.object or s.relation in placed | _QUIET)]
        if relation != "*":
            return [s for s in said if s.relation == relation]
        return [s for s in said if s.object and s.relation not in placed | _QUIET]

    def parts(self, page: Page) -> tuple[Part, ...]:
        """The sections of a page: no claim is without one."""
        parts = tuple(self.schema.get(page.kind) or self.schema["concept"])
        return parts if any("says" in part.relations for part in parts) else (*parts, _SAYS)

    def answer(self, page: Page, part: Part, evidence: Collection[str]) -> tuple[Said | None, int]:
        """The answer of a section with these claims, else the one that was given most of them and no other; and how
        many it was not given."""
        stands = {s.entry for s in self.about[page.key]}
        return self._answers.to(page.key, part.heading, " ".join(part.questions), evidence, stands)

    def evidence(self, page: Page, part: Part) -> list[Statement]:
        """The claims of files that answer a section of a page, each name once."""
        parts = self.parts(page)
        placed = {relation for one in parts for relation in one.relations} - _SPECIAL
        told = [s for relation in part.relations if relation == "*" or relation not in _SPECIAL
                for s in self._said(page, relation, placed)]  # fmt: skip
        return list({s.id: s for s in reversed(told) if not s.source.startswith(RUNS)}.values())[::-1]

    def _states(self, group: Sequence[Statement]) -> str:
        """The name of a line that states these claims: whoever deletes the line withdraws them."""
        name = next((s.id for s in group if s.id in self.edited), group[0].id)
        self.stated[name] = list(dict.fromkeys([*group, *self.stated.get(name, ())]))
        return name

    def _line(self, page: Page, group: Sequence[Statement], notes: Notes, done: set[str]) -> str:
        """One statement, said once or by several sources, with its notes and the name of the first claim."""
        s, name = group[0], self._states(group)
        quotes = (q for other in group for q in other.quotes[:1] if other is s or other.source != s.source)
        mark = f"{notes(quotes)}{self.reworded.mark(group)} ^{name}"
        told_by = "" if s.source in page.homes else f" ({self.told_by(s.source, done, page)})"
        if s.object and spoken(s.quotes[0].text) != s.text:
            other = self.subjects.resolve(s.object)
            if other is not None and other.key != page.key:
                done.add(other.key)
                value = self.subjects.link(other, s.object)
            else:
                value = self.subjects.linked(s.object, page, done)
            said = spoken(s.quotes[0].text)
            label = said[: len(s.relation)] if said.casefold().startswith(s.relation) else s.relation
            known = words(f"{s.subject} {s.relation} {s.object}")
            more = sum(word not in known for word in words(s.text)) > 1  # a sentence that says more than its value
            told = f" · {self.subjects.linked(s.text, page, done)}" if more else ""
            label = found[1] if (found := _DESCRIBED.fullmatch(s.text)) else label
            if (about := self.subjects.resolve(s.subject)) is None or about.key != page.key:
                label = f"{s.subject}, {label}"
            return f"- **{plain(label[:1].upper() + label[1:])}:** {value}{told}{told_by}{mark}"
        lead = f"**{plain(s.scope)}.** " if s.relation in ("says", "summary") and s.scope else ""
        if s.relation == "summary" and s.source in page.homes:
            return f"{lead}{self.subjects.linked(s.text, page, done)}{mark}\n"
        return f"- {lead}{self.subjects.linked(s.text, page, done)}{told_by}{mark}"

    def told_by(self, source: str, done: set[str], here: Page) -> str:
        page = self.subjects.pages.get(self.home(source))
        date = self.sources[source].date
        who = plain(self.sources[source].title)
        if page is not None and page.key != here.key:
            done.add(page.key)
            who = self.subjects.link(page)
        return f"{who}, {date}" if date and f"({date})" not in who else who

    def callouts(self, page: Page, notes: Notes, done: set[str]) -> list[str]:
        """What stands before its sections: what replaced it, and where sources differ."""
        lines: list[str] = []
        for one in self.successions[page.key]:
            if one.old == page.key and one.new in self.subjects.pages and one.fact:
                new = self.subjects.pages[one.new]
                done.add(one.new)
                date = self.date(one.new)
                lines += [f"> [!superseded] Superseded by {self.subjects.link(new)}" + (f" ({date})" if date else "")]
                lines += [*self._evidence(one.claims, page, notes, done), ""]
            elif page.key in (one.old, one.new) and not one.fact:
                lines += ["> [!contradiction] Which replaced which: unresolved"]
                lines += [*self._evidence(one.claims, page, notes, done), ""]
        for difference in self.differing[page.key]:
            lines += [f"> [!contradiction] {plain(difference.asked)}: {difference.kind}"]
            lines += [*self._evidence(difference.claims, page, notes, done), ""]
        return lines

    def _evidence(self, claims: Sequence[str], page: Page, notes: Notes, done: set[str]) -> list[str]:
        lines, sides = [], defaultdict[tuple[str, ...], list[Statement]](list)
        told = [self._by_id[i] for i in claims]
        for s in sorted(told, key=lambda s: (self.sources[s.source].date if s.quotes else "9999", s.source, s.id)):
            sides[s.relation, s.object, key_of(s.quotes[0].text) if s.quotes else s.source].append(s)
        for s, *copies in sides.values():
            value = f"**{plain(s.object)}**, " if s.relation not in ("supersedes", "superseded by") else ""
            if not s.quotes:
                lines.append(f"> - {value}said by {s.source}")
                continue
            words = safe(" ".join(s.quotes[0].text.split())[:300])
            group = (s, *copies)
            by = "; the same words in ".join(dict.fromkeys(self.told_by(one.source, done, page) for one in group))
            cites = notes(q for one in group for q in one.quotes[:1])
            mark = "" if self.reworded.value(s) else self.reworded.mark(group)  # else their value stands below
            lines.append(f"> - {value}{by}: “{words}”{cites}{mark}")
        return list(dict.fromkeys(lines))

    def _history(self, page: Page, notes: Notes, done: set[str]) -> list[str]:
        lines = []
        for one in self.successions[page.key]:
            if not one.fact:
                continue
            said = [self._by_id[i] for i in one.claims]
            other = one.new if page.key == one.old else one.old
            verb = "Superseded by" if page.key == one.old else "Supersedes"
            found = self.subjects.pages.get(other)
            done.add(other)
            name = self.subjects.link(found) if found is not None else plain(said[0].object)
            lines.append(f"- **{verb}:** {name}{notes(q for s in said for q in s.quotes[:1])} ^{self._states(said)}")
        for s in self.about[page.key]:  # what has no page of its own still replaced, or was replaced
            if s.relation in ("supersedes", "superseded by") and self.subjects.resolve(s.object) is None:
                told = f"{plain(s.object)}{notes(s.quotes[:1])} ^{self._states([s])}"
                lines.append(f"- **{s.relation.capitalize()}:** {told}")
        return lines

    def _timeline(self, page: Page, notes: Notes, done: set[str]) -> list[str]:
        dated: list[tuple[str, str]] = []
        for s in self.about[page.key]:
            if s.relation == "dated":
                told_by = "" if s.source in page.homes else f" ({self.told_by(s.source, done, page)})"
                mark = f"{notes(s.quotes)}{self.reworded.mark([s])} ^{self._states([s])}"
                dated.append((s.since, f"{self.subjects.linked(s.text, page, done)}{told_by}{mark}"))
            elif s.since and s.since != self.sources[s.source].date and s.relation not in _QUIET | _OF_ITSELF:
                dated.append((s.since, f"{safe(s.text)}{notes(s.quotes[:1])}"))
        if dated:
            for s in self.about[page.key]:
                if s.relation in _OF_ITSELF:
                    dated.append((s.since, f"{safe(s.text)}{notes(s.quotes)}"))
            for one in self.successions[page.key]:
                if one.old == page.key and one.fact and (date := self.date(one.new)):
                    link = self.subjects.link(self.subjects.pages[one.new])
                    dated.append((date, f"The day of {link}, which superseded it."))
        return [f"- **{date}** {text}" for date, text in sorted(set(dated))]

    def _works(self, page: Page, notes: Notes, done: set[str]) -> list[str]:
        lines: dict[tuple[str, str], str] = {}
        for s in self.works[page.key]:
            home = self.subjects.resolve(s.subject)
            if home is not None:
                done.add(home.key)
                date = self.date(home.key) or "undated"
                link = self.subjects.link(home, self.title(home))
                lines[date, s.id] = f"- {date} {_role(s)} {link}{notes(s.quotes[:1])} ^{self._states([s])}"
        return [line for _, line in sorted(lines.items())]

    def _mentioned(self, page: Page, notes: Notes, done: set[str]) -> list[str]:
        grouped: dict[str, list[Mention]] = defaultdict(list)  # documents copy sentences from one another
        told = sorted(
            self.spoken_of[page.key].values(),
            key=lambda m: (not tells_of(m.name, spoken(m.quote.text)), -m.count, self.sources[m.quote.source].date,
                           m.quote.source),
        )  # fmt: skip
        for mention in told[:MENTIONED_IN]:
            words = spoken(mention.quote.text)
            if len(words.split()) < 5 or mention.quote in notes:  # or its words stand above
                continue
            grouped[words if len(words) <= 300 else words[:300].rsplit(" ", 1)[0] + " …"].append(mention)
        lines = [f"- {'; '.join(self.told_by(m.quote.source, done, page) for m in same_words)}: “{safe(words)}”"
                 f"{notes(m.quote for m in same_words)}" for words, same_words in grouped.items()]  # fmt: skip
        rest = {m.quote.source for m in told}
        if rest := rest - notes.sources():
            lines.append(f"- also in {'; '.join(self.told_by(source, done, page) for source in sorted(rest))}")
        return lines

    def date(self, key: str) -> str:
        """The day a page's own source gives itself."""
        homes = self.subjects.pages[key].homes if key in self.subjects.pages else ()
        return min((d for home in homes if (d := self.sources[home].date)), default="")

    def _front(self, page: Page, title: str, notes: Notes) -> list[str]:
        """Front matter: flat, as Obsidian shows it, with the required `type` of the Open Knowledge Format."""
        sources = sorted(notes.sources() | set(page.homes))
        days = sorted(d for s in page.homes or sources if (d := self.sources[s].date))
        names = {page.title, *page.aliases} if title != page.title else set(page.aliases)
        names |= page.others
        spelt = {n.casefold(): n for s in self.about[page.key] if s.relation == "alias" for n in (s.object, s.subject)}
        former = {name for home in page.homes for name in self.sources[home].former if key_of(name) in page.names}
        held = {spelt[n] for n in names if n in spelt} | names & {page.title, *page.others} | former
        aliases = sorted(held - {title, page.slug})
        by = self.replaced_by(page)
        lines = ["---", f"type: {page.kind}", f"title: {as_yaml(title)}"]
        if said := self.description(page):
            lines.append(f"description: {as_yaml(said.replace('`', ''))}")
        lines += [f"aliases: [{', '.join(map(as_yaml, aliases))}]"] if aliases else []
        lines += [f"created: {days[0]}", f"updated: {days[-1]}"] if days else []
        lines += ["status: deprecated"] if by else []
        lines += [f"superseded_by: [{', '.join(as_yaml(self.subjects.link(one)) for one in by)}]"] if by else []
        open_ = any(d.kind in ("contested", "unresolved") for d in self.differing[page.key])
        lines += ["contested: true"] * open_
        return [*lines, f"source_count: {len(sources)}", f"sources: [{', '.join(map(as_yaml, sources))}]", "---", ""]

    def replaced_by(self, page: Page) -> list[Page]:
        """The pages of what took its place, as a fact."""
        new = sorted(one.new for one in self.successions[page.key] if one.old == page.key and one.fact)
        return [self.subjects.pages[key] for key in new if key in self.subjects.pages]

    def description(self, page: Page) -> str:
        for relation in ("summary", "is"):
            for s in self.about[page.key]:
                if s.relation == relation:
                    put = self.reworded.of(s)
                    said = s.text if put is None else put.words()
                    if put is not None and not MARK.search(put.text):
                        said = f"said by {put.by}: {said}"
                    return said if len(said) <= 200 else said[:199].rsplit(" ", 1)[0] + "…"
        works = self.works[page.key] if page.kind == "person" else []
        return f"{_role(works[0]).capitalize()} {self.sources[works[0].source].title}"[:200] if works else ""


def _role(s: Statement) -> str:
    """What a person did for a work, before its name."""
    return "describes" if _DESCRIBED.fullmatch(s.text) else f"{plain(s.relation)} of"


def _repeats(text: str, told: Statement) -> bool:
    """Whether a sentence gives the value that a claim gives, and little more."""
    if told.object not in text:
        return False
    there = words(text)
    given = re.search(rf"(?<![\d.,]){re.escape(told.object)}(?!\w)", text) is not None
    return given and len(there) < 12 and set(words(told.relation)) <= set(there)
