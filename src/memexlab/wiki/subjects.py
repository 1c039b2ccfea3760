"""Which names get a page: the closed list of pages, the table of aliases, and links from words to pages.

A function of the set of sources and claims, never of their order. A name that could mean two pages means none.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from ..memory.entities import typed
from ..memory.passages import normal

PERSON = re.compile(r"^(?:author|editor|sponsor|[\w-]*delegate)$")
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


class Named(NamedTuple):
    """A name as some source uses it: as what it is called itself, as a subject of claims, a person, or in passing."""

    name: str
    source: str
    role: str  # home, title, subject, person, value or mention
    text: str = ""


@lru_cache(maxsize=400_000)
def key_of(name: str) -> str:
    """The normal form under which two spellings of a name are one; numbers lose leading zeros."""
    return _ZEROS.sub("", normal(name))


class Subjects:
    """The closed list of pages."""

    def __init__(
        self,
        named: Iterable[Named],
        aliases: Iterable[tuple[str, str]],
        types: Mapping[str, str],
        joined: Iterable[tuple[str, str]] = (),
        files: Iterable[tuple[str, str, str]] = (),
    ) -> None:
        """`aliases` are (name, other name); `types`: the type of a page by the key of its home, where told.

        `joined` are names that a person says are one, `files` are (name, once its file, now its file).
        """
        self._meant: dict[str, Page | None] = {}
        spelt: dict[str, Counter[str]] = defaultdict(Counter)
        by: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        called: dict[str, Counter[str]] = defaultdict(Counter)
        told: Counter[str] = Counter()
        defined: dict[str, str] = {}
        listed = set(named)
        keys = {name: key_of(name) for name in {n.name for n in listed}}
        homes = {keys[n.name] for n in listed if n.role == "home"}
        self._alias = self._aliases(aliases, homes, set(keys.values()))
        said = [(typed(name)[1], typed(other)[1]) for name, other in joined]
        self._alias |= self._joined(said, homes)
        ends = {key: self._follow(key) for key in keys.values()}
        for name, source, role, text in listed:
            if not (key := ends[own := keys[name]]):
                continue
            by[key][role].add(source)
            if key == own:
                spelt[key][name] += 1
                if role == "home":
                    called[key][name] += 1
            if role in ("subject", "value"):
                told[key] += 1
            if role == "subject" and text:
                defined[key] = min(text, defined.get(key, text))
        total = len({n.source for n in listed})
        # What a numbered subject counts ("PEP"), and half a person's name, name nothing by themselves.
        parts = {
            key.split()[0] + s for key in by if by[key]["home"] and re.fullmatch(r"\w+ \d+", key) for s in ("", "s")
        }
        parts |= {word for key in by if by[key]["person"] for word in key.split()}
        self.pages: dict[str, Page] = {}
        for key in sorted(by):
            if key in parts and not by[key]["home"]:
                continue
            if kind := self._kind(key, by[key], told[key], defined.get(key, ""), spelt[key], total):
                own_sources = sorted(by[key]["home"])
                names = called[key] if own_sources else spelt[key]
                title = min(names, key=lambda name: (-names[name], name)) if names else key
                self.pages[key] = Page(key, title, "", types.get(key, kind) if own_sources else kind, own_sources)
        for alias, key in sorted(self._alias.items()):
            if (target := self._follow(key)) in self.pages:
                self.pages[target].aliases.add(alias)
        for name in (name for pair in said for name in pair):
            if (page := self._find(name)) is not None:
                page.others |= {name, _slug(name)}  # links to the file that is gone still lead here
        moved: dict[str, str] = {}
        for name, old, new in files:
            if (page := self._find(name)) is not None:
                moved[page.key] = new
                page.others.add(old)
                if key_of(old) not in self.pages:
                    self._alias.setdefault(key_of(old), page.key)
        self._slugs(moved)
        self._longest: dict[str, int] = {}  # by the word a name begins with, as it is spelt
        self._first: dict[str, int] = {}
        for name in [*self.pages, *(a for a in self._alias if self._follow(a) in self.pages)]:
            head, *rest = name.split()
            self._first[head] = max(self._first.get(head, 0), len(rest) + 1)

    @staticmethod
    def _aliases(pairs: Iterable[tuple[str, str]], homes: set[str], known: set[str]) -> dict[str, str]:
        meant: dict[str, set[str]] = defaultdict(set)
        for name, other in pairs:
            if (alias := key_of(other)) and alias != key_of(name) and alias not in homes:
                meant[alias].add(key_of(name))
        for key in known:
            if len(key) > 3 and key.endswith("s") and not key.endswith("ss") and key[:-1] in known:
                one, many = key[:-1], key
                if not (one in homes and many in homes):
                    alias, target = (one, many) if many in homes else (many, one)
                    meant[alias] = meant[alias] or {target}
            if (
                key.count(" ") > 1
                and key not in homes
                and (short := re.sub(r" \w(?= )", "", key)) != key
                and short in known - homes
            ):
                meant[short].add(key)  # Ada M. Lovelace, where there is an Ada Lovelace
        return {alias: next(iter(keys)) for alias, keys in meant.items() if len(keys) == 1}

    def _joined(self, pairs: Iterable[tuple[str, str]], homes: set[str]) -> dict[str, str]:
        """Each name of a group that a person joined, to the one whose page stays: a source's, if there is one."""
        groups: dict[str, set[str]] = defaultdict(set)
        for name, canonical in pairs:
            groups[canonical] |= {key_of(name), key_of(canonical)}
        out: dict[str, str] = {}
        for keys in groups.values():
            ends = {self._follow(key) or key for key in keys}
            stays = min(ends, key=lambda key: (key not in homes, len(key), key))
            out |= dict.fromkeys(ends - {stays}, stays)
        return out

    def _follow(self, key: str) -> str:
        for _ in range(5):
            if key not in self._alias:
                return key
            key = self._alias[key]
        return ""

    def _kind(
        self, key: str, by: Mapping[str, set[str]], told: int, defined: str, spelt: Counter[str], total: int
    ) -> str:
        """The type of page a name deserves, or '' for none."""
        if by.get("home"):
            return "source"
        spoken = set().union(*by.values())
        needed = 2 if total < 20 else 3
        if by.get("person"):
            return "person" if len(spoken) >= 2 else ""
        kind = "technique" if _TECHNIQUE.search(defined) else "entity" if _ENTITY.search(defined) else "concept"
        claimed = by.get("subject", set())
        if len(claimed) >= 2 or (claimed and (told >= 2 or len(spoken) >= 2)):
            return kind
        written = max(spelt, key=lambda name: (spelt[name], name)) if spelt else key
        needed += 0 if " " in written else 2 if re.search(r"[A-Z].*[A-Z]|\d", written) else 3
        common = total >= 10 and len(spoken) * 2 > total
        return kind if len(spoken) >= needed and not common and len(key) > 2 else ""

    def _slugs(self, moved: Mapping[str, str]) -> None:
        """Names of files: what a person called one, else what the title makes."""
        taken: dict[str, str] = {}
        for key, new in sorted(moved.items()):
            if new not in taken:
                taken[new], self.pages[key].slug = key, new
        for key, page in sorted(self.pages.items()):
            if page.slug:
                continue
            slug = _slug(page.title)
            digest = blake2b(key.encode(), digest_size=4).hexdigest()
            if len(slug.encode()) > 100 or not slug:
                slug = f"{slug.encode()[:90].decode(errors='ignore')}-{digest}".strip("-")
            page.slug = f"{slug}-{digest}" if slug in _RESERVED or slug in taken else slug
            taken[page.slug] = key
        self._files = frozenset([*taken, "index", "log"])

    def names(self) -> dict[str, str]:
        """Every name that is a link, in normal form, and the file it leads to."""
        told = {alias: self._follow(alias) for alias in self._alias}
        return {**{a: self.pages[k].slug for a, k in told.items() if k in self.pages},
                **{key: page.slug for key, page in self.pages.items()}}  # fmt: skip

    def resolve(self, name: str) -> Page | None:
        """The page that a name means, if exactly one does."""
        if name not in self._meant:
            self._meant[name] = self._find(name)
        return self._meant[name]

    def _find(self, name: str) -> Page | None:
        return self.pages.get(self._follow(key_of(name)))

    def file_of(self, name: str) -> str:
        """The file that a link means by now: its page may have been renamed, or joined to another."""
        if name not in self._files and (page := self.resolve(name)) is not None:
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
                if "`" in name or (size == 1 and not any(c.isupper() or c.isdigit() for c in name)):
                    continue
                found = self.resolve(name)
                if found is not None:
                    if found.key != here.key and found.key not in done:
                        done.add(found.key)
                        out += [safe(text[at:start]), self.link(found, name)]
                        at = end
                    i += size - 1
                    break
            i += 1
        return "".join([*out, safe(text[at:])])

    def _longest_from(self, word: str) -> int:
        """How many words the longest name has that begins with this one."""
        if (found := self._longest.get(word)) is None:
            found = 0 if word[0] == "`" else self._first.get(key_of(word).split(" ")[0], 0)
            self._longest[word] = found
        return found


def _slug(title: str) -> str:
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


def weights(mentioned: Mapping[str, Sequence[str]], total: int) -> dict[str, float]:
    """How much a shared name says: the rarer, the more."""
    return {
        key: 1 / (1 + len(sources)) if len(sources) * 3 <= max(total, 6) else 0.0 for key, sources in mentioned.items()
    }
