"""Which names get a page: the closed list of pages, the table of aliases, and links from words to pages.

A function of the set of sources and claims, never of their order. A name that could mean two pages means none.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from ..memory.search.passages import normal
from .compile_cache import Kept, Table, nothing
from .quantities import WORDS

if TYPE_CHECKING:
    from .uses import Uses

_ENTITY = re.compile(
    r"\b(?:is|was|are|were) (?:an?|the) (?:\w+ ){0,4}?(?:company|organi[sz]ation|universit|city|country|library|"
    r"package|framework|tool|project|program|product|foundation|server|index|language|council|authority|community)"
)
_TECHNIQUE = re.compile(
    r"\b(?:is|are) (?:an?|the) (?:\w+ ){0,4}?(?:method|technique|algorithm|optimi[sz]er|procedure|heuristic)"
)
_RESERVED = frozenset(
    ["index", "log", "con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(10))]
)
_COMMON = frozenset(WORDS["openers"].split())
_DIGESTED = re.compile(r"-[0-9a-f]{8}$")
_LINKED_BY = 3
UNSURE = "?"  # the end of a role that counts only if another use is sure
_APART = re.compile(r"(?<![^\W_])['’]s\b")  # belongs to what is before it, or is a word by itself
_ZEROS = re.compile(r"\b0+(?=\d)")
_INLINE_CODE = re.compile(r"(`[^`\n]*`)")
_UNSAFE = re.compile(r"[\\`<\[\]]|%%|\$\$| \^|==")  # what `safe` changes
_WORD = re.compile(r"`[^`]*`|[^\W_]+(?:[-.'’&][^\W_]+)*")


@dataclass(slots=True)
class Page:
    """A subject with a page: its key (name in normal form), title, file name without `.md`, type and other names."""

    key: str
    title: str
    slug: str
    kind: str
    homes: list[str] = field(default_factory=list)
    aliases: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)  # names that a person gave: of a page joined to it, of its old file
    names: list[str] = field(default_factory=list)  # all that lead here, in normal form
    stem: str = ""  # the file name that the title makes, if no other page has it


@lru_cache(maxsize=400_000)
def key_of(name: str) -> str:
    """The normal form under which two spellings of a name are one; numbers lose leading zeros."""
    return _ZEROS.sub("", normal(name))


def words_of(text: str) -> str:
    """The text in normal form, in which every name that could be a link in it stands between spaces."""
    apart = " ".join(key_of(word) for word in _WORD.findall(text)) if _APART.search(text) else ""
    return f" {key_of(text)} \n {apart} " if apart else f" {key_of(text)} "


class Stale(Exception):
    """What was kept rests on what holds no more: everything must be resolved again."""


class Subjects:
    """The closed list of pages. `settle` makes it what all uses say, whatever was settled before."""

    def __init__(
        self,
        kept: Kept,
        total: int,
        joined: Iterable[tuple[str, str]] = (),
        files: Iterable[tuple[str, str, str, str]] = (),
    ) -> None:
        """`joined` are names that a person says are one, `files` (name, once its file, now its file, its source)."""
        self._fresh, self._total, self._moved = kept.fresh, rounded(total), list(files)
        self._same = _untyped(joined) if joined else []
        self._meant: dict[str, Page | None] = {}
        self._longest: dict[str, int] = {}  # by the word a name begins with, as it is spelt
        self._standing: dict[str, tuple[bool, bool]] = {}
        self.said = kept.table("said", dict[str, list[list[str]]])  # by key: by source, its uses
        self.of = kept.table("of", list[list[str]])  # by source: the keys it uses, the aliases it tells
        self._pairs = kept.table("pairs", dict[str, list[str]])  # by alias: by source, keys
        self.held = kept.table("held", list[str])  # by a name with a page: the keys whose sources call themselves so
        self._short = kept.table("short", list[str])  # by a name without its initials: with them
        self._rule = kept.table("rule", str)
        self._joined = kept.table("joined", dict[str, str])
        self._led = kept.table("led", list[str])  # by key: its aliases
        self._gives = kept.table("gives", list[str])  # by key: words that name nothing because of it
        self._parts = kept.table("parts", list[str])  # by word: the keys that give it
        self._stems = kept.table("stems", list[str])  # by name of a file: the keys that would have it
        self.heads = kept.table("heads", list[str])  # by word: the names that begin with it
        self.names = kept.table("names", str)  # by name: the key of its page
        self.slugs = kept.table("slugs", str)  # by file: the key of its page
        self.pages: Table[Page] = kept.table("page", nothing, _page_from)

    def take(self, source: str, uses: Uses | None) -> set[str]:
        """Puts what a source says in place of what it said, and returns the keys that this may concern."""
        old = self.of[source] or [[], []]
        for key in old[0]:
            self.said.edit(key).pop(source, None)
        for alias in old[1]:
            self._pairs.edit(alias).pop(source, None)
        names, aliases = (sorted(uses.names), sorted(uses.aliases)) if uses else ([], [])
        for key, *use in names:
            self.said.edit(key).setdefault(source, []).append(use)
        for alias, key in aliases:
            self._pairs.edit(alias).setdefault(source, []).append(key)
        now = [sorted({use[0] for use in names}), sorted({alias for alias, _ in aliases})]
        self.of.put(source, now if uses else [])
        return {*old[0], *old[1], *now[0], *now[1]}

    def settle(self, keys: set[str]) -> tuple[dict[str, Page | None], set[str]]:
        """Makes the pages what uses of these keys make them: each page that was other before, and names that led
        elsewhere."""
        self._meant, self._longest, self._standing = {}, {}, {}
        for key in keys:
            short = _without_initials(key)
            if short != key:
                self._member(self._short, short, key, self._stands(key)[0])
        rules = {a: self._told(a) for key in keys for a in (key, f"{key}s", key[:-1], _without_initials(key)) if a}
        changed = {alias for alias, target in rules.items() if target != self._rule[alias]}
        concerned = self._up(keys | changed)
        ends = {self._follow(key) for key in concerned}
        for alias in changed:
            before = self._alias(alias)
            self._rule.put(alias, rules[alias])
            self._lead(alias, before, self._alias(alias))
        self._join()
        concerned |= self._up(keys | changed)
        ends |= {self._follow(key) for key in concerned}
        ends |= {self._follow(key) for one in self._moved for key in (self._renamed(one), key_of(one[1]))}
        made: dict[str, Page | None] = {}
        homeless = set[str]()
        for end in ends - {""}:
            made[end], gives = self._page(end)
            for word in set(self._gives[end]) ^ gives:
                self._member(self._parts, word, end, word in gives)
                homeless.add(word)
            if gives or self._gives[end]:
                self._gives.put(end, sorted(gives))
        for word in homeless - made.keys():
            if self._follow(word) == word:
                made[word], _ = self._page(word)
        for end, page in made.items():
            if page is not None and not page.homes and self._parts[end]:
                made[end] = None
        return self._publish(made)

    def _stands(self, key: str) -> tuple[bool, bool]:
        """Whether a source uses the name, and whether one is called so itself."""
        if key not in self._standing:
            roles = {role for uses in self.said[key].values() for _, role, _ in uses if role and role[-1] != UNSURE}
            self._standing[key] = bool(roles), "home" in roles
        return self._standing[key]

    def _told(self, alias: str) -> str:
        """The one key that a name means besides itself, as sources tell or as its form does; '' for none."""
        known, home = self._stands(alias)
        meant, held = set[str](), set[str]()
        for source, keys in self._pairs[alias].items() if not home else ():
            for key in filter(None, keys):  # what a source gives itself does not take the page of another
                taken = key[-1] == UNSURE and self._is_others(alias, source)
                (held if taken else meant).add(key.removesuffix(UNSURE))
        if self.held[alias] != sorted(held):
            self.held.put(alias, sorted(held))
        if home:
            return ""
        if known and not meant and not alias.endswith("ss"):
            if alias.endswith("s"):
                meant = {alias[:-1]} if len(alias) > 3 and self._stands(alias[:-1])[0] else set()
            elif len(alias) > 2 and self._stands(f"{alias}s")[1]:
                meant = {f"{alias}s"}
        if known:  # Ada M. Lovelace, where there is an Ada Lovelace
            meant |= {key for key in self._short[alias] if not self._stands(key)[1]}
        return next(iter(meant)) if len(meant) == 1 else ""

    def _join(self) -> None:
        """Each name of a group that a person joined leads to the one whose page stays: a source's, if there is one."""
        groups: dict[str, set[str]] = defaultdict(set)
        for name, canonical in self._same:
            groups[canonical] |= {key_of(name), key_of(canonical)}
        out: dict[str, str] = {}
        for keys in groups.values():
            ends = {self._follow(key, told_alone=True) or key for key in keys}
            stays = min(ends, key=lambda key: (not self._stands(key)[1], len(key), key))
            out |= dict.fromkeys(ends - {stays}, stays)
        if self._joined["all"] != out:
            if not self._fresh:
                raise Stale
            for alias, target in out.items():
                self._lead(alias, self._rule[alias], target)
            self._joined.put("all", out)

    def _alias(self, key: str, told_alone: bool = False) -> str:
        return (not told_alone and self._joined["all"].get(key)) or self._rule[key]

    def _follow(self, key: str, told_alone: bool = False) -> str:
        for _ in range(5):
            if not (target := self._alias(key, told_alone)):
                return key
            key = target
        return ""

    def _up(self, keys: Iterable[str]) -> set[str]:
        """These keys and all that lead to them."""
        found, todo = set(keys), list(keys)
        while todo:
            fresh = set(self._led[todo.pop()]) - found
            found |= fresh
            todo += fresh
        return found

    def _lead(self, alias: str, before: str, now: str) -> None:
        if before != now:
            self._member(self._led, before, alias, False)
            self._member(self._led, now, alias, True)

    @staticmethod
    def _member(table: Table[list[str]], of: str, key: str, member: bool) -> None:
        """Puts a key among the keys of another, or takes it away; they stay in order."""
        if of and member != (key in table[of]):
            insort(table.edit(of), key) if member else table.edit(of).remove(key)

    def _page(self, key: str) -> tuple[Page | None, set[str]]:
        """The page of a name, if it deserves one, without its file; and words that name nothing because of it."""
        if not self._led[key] and not any(role for uses in self.said[key].values() for _, role, _ in uses):
            return None, set()  # most are values that name nothing
        spelt, called, told, defined, sentences = Counter[str](), Counter[str](), 0, "", set[str]()
        by: dict[str, set[str]] = defaultdict(set)
        kinds: dict[str, str] = {}
        names = sorted(name for name in self._up([key]) if self._follow(name) == key)
        for own, source, name, role, text in self._heard(names):
            by[role].add(source)
            if key == own:
                spelt[name] += 1
                if role == "home":
                    called[name] += 1
                    kinds |= {source: text} if text else {}
            told += role == "subject"
            if role == "about":
                sentences.add(text)
            if role == "subject" and text:
                defined = min(text, defined or text)
        # What a numbered subject counts ("PEP"), and half a person's name, name nothing by themselves.
        gives = {f"{key.split()[0]}{s}" for s in ("", "s")} if by["home"] and re.fullmatch(r"\w+ \d+", key) else set()
        gives |= set(key.split()) - {key} if by["person"] else set()
        spoken = set[str]().union(*by.values())
        common = self._total >= 10 and len(spoken) * 2 > self._total  # what nearly all speak of
        if not (kind := self._kind(by, told, defined, 0 if common else len(sentences))):
            return None, gives
        homes = sorted(by["home"])
        among = called if homes else spelt
        title = min(among, key=lambda name: (-among[name], name)) if among else key
        if title.islower() and " " in title:  # as it is written where it is a name
            title = next((name for name in sorted(among) if name.istitle()), title)
        kind = kinds[max(kinds)] if kinds else kind
        page = Page(key, title, "", kind, homes, set(names) - {key}, set(), names)
        page.stem = slug_of(title)
        if len(page.stem.encode()) > 100 or not page.stem:
            page.stem = f"{page.stem.encode()[:90].decode(errors='ignore')}-{_digest(key)}".strip("-")
        return page, gives

    def _heard(self, names: Iterable[str], but: str = "") -> Iterator[tuple[str, str, str, str, str]]:
        """(key, source, name, role, text) of each use of names that counts, `but` for one source."""
        for own in names:
            said = self.said[own].items()
            uses = [(source, *use) for source, uses in said for use in uses if use[1] and source != but]
            sure = any(role in ("mention", "about") or (role == "subject" and text) for _, _, role, text in uses)
            for source, name, role, text in uses:
                if sure or role[-1] != UNSURE:
                    yield own, source, name, role.removesuffix(UNSURE), text

    def _is_others(self, alias: str, source: str) -> bool:
        """Whether a name that a source gives itself has a page without it."""
        by: dict[str, set[str]] = defaultdict(set)
        heard = list(self._heard([alias], source))
        for _, other, _, role, _ in heard:
            by[role].add(other)
        said = {text for *_, role, text in heard if role == "about"}
        told = [text for *_, role, text in heard if role == "subject"]
        return bool(self._kind(by, len(told), max(told, default=""), len(said)))

    @staticmethod
    def _kind(by: Mapping[str, set[str]], told: int, defined: str, said: int) -> str:
        """The type of page a name deserves, or '' for none: a heap of mentions is for search, and no page.

        `told` are claims about it, `said` the sentences of other sources that say something of it.
        """
        if by.get("home"):
            return "source"
        spoken = set[str]().union(*by.values())
        if by.get("person"):
            return "person" if len(spoken) >= 2 else ""
        kind = "technique" if _TECHNIQUE.search(defined) else "entity" if _ENTITY.search(defined) else "concept"
        claimed, about = by.get("subject", set()), by.get("about", set()) if said else set()
        if len(claimed | about) >= 2 and (claimed or said >= 2):
            return kind
        linked = len(by.get("linked", ())) >= _LINKED_BY  # its authors want the page
        return kind if linked or (claimed and (told >= 2 or (defined and len(spoken) >= 2))) else ""

    def _publish(self, made: dict[str, Page | None]) -> tuple[dict[str, Page | None], set[str]]:
        """Gives pages their files and names, and puts them in place of those that were."""
        moved: dict[str, str] = {}
        for name in (name for pair in self._same for name in pair):
            if (page := made.get(self._follow(key_of(name)))) is not None:
                page.others |= {name, slug_of(name)}  # links to the file that is gone still lead here
        for one in self._moved:
            old, new = one[1:3]
            if (page := made.get(self._follow(self._renamed(one)))) is not None:
                moved[page.key] = new
                page.others |= {old} - {one[2] for one in self._moved}  # which may be the name of another's file by now
                own = key_of(old)
                if made.get(own) is None and not self._alias(own):
                    page.names = sorted({*page.names, own})
        stems = {one[2] for one in self._moved}
        for key, page in made.items():
            for stem in {one.stem for one in (page, self.pages[key]) if one is not None}:
                stands = page is not None and page.stem == stem and key not in moved
                self._member(self._stems, stem, key, stands)
                stems.add(stem)
        for key in {key for stem in stems for key in self._stems[stem]} - made.keys():
            made[key] = replace(self.pages[key])
        taken: dict[str, str] = {}
        for key, new in sorted(moved.items()):
            taken.setdefault(new, key)
        for key, page in made.items():
            if page is None:
                continue
            first = next(iter(self._stems[page.stem]), "") == key and not _DIGESTED.search(page.stem)
            alone = page.stem.endswith(_digest(key))
            if taken.get(moved.get(key, "")) == key:
                page.slug = moved[key]
            elif (first or alone) and page.stem not in _RESERVED and page.stem not in taken:
                page.slug = page.stem
            else:
                page.slug = f"{page.stem}-{_digest(key)}"
        changed = {key: self.pages.get(key) for key, page in made.items() if page != self.pages.get(key)}
        led = {(name, key, page.slug) for key, page in changed.items() if page is not None for name in page.names}
        for was in filter(None, changed.values()):
            for name in was.names:
                self.names.put(name, "")
                self._member(self.heads, name.split(" ")[0], name, False)
            self.slugs.put(was.slug, "")
        for key in sorted(changed):
            self.pages.put(key, made[key])
            if (page := made[key]) is not None:
                for name in page.names:
                    self.names.put(name, key)
                    self._member(self.heads, name.split(" ")[0], name, True)
                self.slugs.put(page.slug, key)
                led ^= {(name, key, page.slug) for name in page.names}
        return changed, {name for name, _, _ in led}

    def _renamed(self, one: tuple[str, str, str, str]) -> str:
        """The key of a page that was renamed: of its own source, whatever that is called by now."""
        uses = ((self.of[one[3]] or [[]])[0]) if one[3] else ()
        return next((k for k in uses if any(use[1] == "home" for use in self.said[k].get(one[3], ()))), key_of(one[0]))

    def resolve(self, name: str) -> Page | None:
        """The page that a name means, if exactly one does."""
        if name not in self._meant:
            self._meant[name] = self._find(name)
        return self._meant[name]

    def _find(self, name: str) -> Page | None:
        return self.pages.get(self.names[key_of(name)])

    def file_of(self, name: str) -> str:
        """The file that a link means by now: its page may have been renamed, or joined to another."""
        if name not in ("index", "log") and not self.slugs[name] and (page := self.resolve(name)) is not None:
            return page.slug
        return name

    def link(self, page: Page, shown: str = "") -> str:
        return f"[[{page.slug}|{plain(shown or page.title)}]]"

    def linked(self, text: str, here: Page, done: set[str]) -> str:
        """The text, made safe for a page, with the first use of each other page's name as a link; `done` is kept."""
        out, at = [], 0
        words = list(_WORD.finditer(text))
        longest_from = [self._longest_from(word[0]) for word in words]
        if not any(longest_from):
            return safe(text)
        i = 0
        while i < len(words):
            for size in range(min(longest_from[i], len(words) - i), 0, -1):
                start, end = words[i].start(), words[i + size - 1].end()
                name = text[start:end]
                if "`" in name or (size == 1 and _names_nothing(name)):
                    continue
                found = self.resolve(name)
                if size == 1 and found is not None and found.title.islower() and found.title.isalpha():
                    continue  # a file called by a common word is not what that word names
                if found is not None:
                    if found.key != here.key and found.key not in done:
                        done.add(found.key)
                        out += [safe(text[at:start]), self.link(found, name)]
                        at = end
                    i += size - 1
                    break
            i += 1
        return "".join([*out, safe(text[at:])])

    def speaks_any(self, text: str, names: set[str]) -> bool:
        """Whether words of the text may be a link by one of these names, or no longer be one."""
        words = list(_WORD.finditer(text))
        most = {name.split(" ")[0]: 0 for name in names}
        for name in names:
            most[name.split(" ")[0]] = max(most[name.split(" ")[0]], name.count(" ") + 1)
        for i, word in enumerate(words):
            for size in range(1, min(most.get(key_of(word[0]).split(" ")[0], 0), len(words) - i) + 1):
                if key_of(text[word.start() : words[i + size - 1].end()]) in names:
                    return True
        return False

    def _longest_from(self, word: str) -> int:
        """How many words the longest name has that begins with this one."""
        if (found := self._longest.get(word)) is None:
            names = () if word[0] == "`" else self.heads[key_of(word).split(" ")[0]]
            found = max((name.count(" ") + 1 for name in names), default=0)
            self._longest[word] = found
        return found


def _names_nothing(word: str) -> bool:
    """Whether a word of a sentence is no name, whatever page is called so: in small letters, one letter, or common."""
    common = word.casefold() in _COMMON and not (word.isupper() and len(word) > 1)
    return common or (len(word) == 1 and word.isascii()) or not any(c.isupper() or c.isdigit() for c in word)


def slug_of(title: str) -> str:
    """The name of a file for a page of that title, where no other has it."""
    return re.sub(r"[^\w]+|_+", "-", unicodedata.normalize("NFKC", title).lower()).strip("-")


@lru_cache(maxsize=100_000)
def plain(text: str) -> str:
    """A text that may stand inside a link or a heading."""
    return safe(re.sub(r"[\[\]|`\s]+", " ", text).strip())


@lru_cache(maxsize=100_000)
def safe(text: str) -> str:
    """Words of a source as words of a page: no HTML, no links, embeds, comments or footnotes of their own."""
    if not _UNSAFE.search(text):
        return text
    parts = _INLINE_CODE.split(text)
    return "".join(part if i % 2 else _escaped(part) for i, part in enumerate(parts))


def _escaped(text: str) -> str:
    text = (
        text.replace("\\", "\\\\").replace("`", "\\`").replace("<", "&lt;").replace("%%", "%\\%").replace("$$", "$\\$")
    )
    return text.replace("[", "\\[").replace("]", "\\]").replace(" ^", " \\^").replace("==", "=\\=")


def rounded(number: int) -> int:
    """A count without what comes after its first three binary digits: it changes seldom where it is large."""
    low = max(number.bit_length() - 3, 0)
    return number >> low << low


def _without_initials(key: str) -> str:
    return re.sub(r" \w(?= )", "", key) if key.count(" ") > 1 else key


def _untyped(joined: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    from ..memory.entities import typed  # here, so that a compile does not wait for all that compares names

    return [(typed(name)[1], typed(other)[1]) for name, other in joined]


def _digest(key: str) -> str:
    return blake2b(key.encode(), digest_size=4).hexdigest()


def _page_from(kept: Sequence[Any]) -> Page:
    key, title, slug, kind, homes, aliases, others, names, stem = kept
    return Page(key, title, slug, kind, homes, set(aliases), set(others), names, stem)
