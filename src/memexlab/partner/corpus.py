"""A person's corpus: sources that were taken in for a person, and their sentences with voice, date, kind and group.

Segments are a view of the text, computed when a corpus is opened; what a person says of a voice is a verdict and wins.
Text that stands twice is one group: it counts where it stands first. It knows no sections.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from ..ledger import Draft, Finding, Ref, Source, UsageError, blob_id
from ..memory import Memory
from ..memory.search.passages import normal
from ..memory.search.retrieval import STOPPED
from ..wiki.extract import VERSION
from ..wiki.prose import sentences
from ..wiki.readers import READERS, Document, name_of, read
from ..wiki.readers.feeds import day_of
from .statements import Quote
from .voice import VOICES, Segment, overridden, segments

MANIFEST = "manifest.jsonl"
OWN = frozenset({"own", "co-authored"})
COMMON = STOPPED | frozenset(
    """which their they them than then when where would could should being been must might shall such these those other
    more most very much many some same from into upon with without only even also well both each every through
    between under over after before however though although thus therefore hence because while whilst still almost
    quite rather often generally perhaps here there have having has had were was are not nor did does done make made
    said say says see seen may can one two three first second few little great good long far own every another
    several certain thing things way case cases any all its him his her hers himself itself themselves myself yet too
    again against during till until last next like about above below per ever never always nearly either neither
    whether what who whom whose since out dear sir yours letter shall will think believe know seem seems appear
    appears give given gives find found take taken come comes came get got let put mr mrs dr de la chap vol page pp
    fig ibid edit""".split()  # noqa: SIM905
)
WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")
_SHINGLE_WORDS, _COPIED_SHARE = 8, 0.5
_BY_MEDIA = {"text/vtt": "talk", "application/pdf": "paper", "application/epub+zip": "book", "message/rfc822": "letter"}
#: Whom a post answers: no word of its sentence.
_ADDRESSED = re.compile(r"(?:@\w+\s+)*")
#: Folders that say of a text with a day of its own that it was posted.
_POSTS = re.compile(r"\b(?:_?posts?|blog|articles?|essays?)/|\.(?:xml|rss|atom)#")
_SNOWFLAKE = re.compile(r"(?<!\d)(\d{17,20})(?!\d)")


@dataclass(frozen=True, slots=True)
class Text:
    """One source of the corpus."""

    entry: int
    id: str
    blob: str
    document: str
    title: str
    kind: str
    date: str
    basis: str
    licence: str
    text: str
    segments: tuple[Segment, ...]
    lines: tuple[int, ...]


@dataclass(slots=True)
class Said:
    """One sentence in the person's own voice; `group` is what it counts for, `words` its content words."""

    source: int
    start: int
    end: int
    text: str
    segment: Segment
    tokens: list[str]
    words: tuple[str, ...]
    group: tuple[int, int]
    copy: bool = False

    @property
    def word_count(self) -> int:
        return self.text.count(" ") + 1

    @property
    def year(self) -> int | None:
        return int(self.segment.date[:4]) if self.segment.date[:4].isdigit() else None


@dataclass
class Corpus:
    """The sources of one person up to a year, and what is computed from them once for all sections."""

    person: str
    texts: list[Text]
    as_of: int | str | None = None
    latest_at: str = ""
    own: list[Said] = field(default_factory=list)
    word_counts: dict[tuple[str, str, str], int] = field(default_factory=dict)
    #: By source: what was said of a voice, from where to where, the last word last.
    voiced: dict[str, list[tuple[int, int, str]]] = field(default_factory=dict)

    @cached_property
    def counted(self) -> list[Said]:
        """Own sentences without copies."""
        return [said for said in self.own if not said.copy]

    @cached_property
    def words(self) -> int:
        """Words in own voice, each text counted once: the number that every answer and page tells."""
        return sum(said.word_count for said in self.counted)

    def quote(self, said: Said) -> Quote:
        """The sentence as a quote: the characters of the source, white space as one space."""
        text, segment = self.texts[said.source], said.segment
        line, last = bisect_right(text.lines, said.start), bisect_right(text.lines, said.end - 1)
        return Quote(" ".join(text.text[said.start : said.end].split()), text.entry, text.title, segment.kind,
                     segment.date, segment.basis, segment.voice, line, last, said.start, said.end)  # fmt: skip

    def spoken(self, source: int, start: int, end: int) -> Segment | None:
        """The first part of a span that is not the person's, else its first; None where the corpus hides it."""
        found = self.texts[source].segments
        at = bisect_right(found, start, key=lambda one: one.start) - 1
        parts = [one for one in found[max(0, at) :] if one.start < end and one.end > start]
        return next((one for one in parts if one.voice not in OWN), parts[0] if parts else None)

    def voice_of(self, source: int, start: int, end: int) -> str:
        """The voice of all of a span, or of its first part that is not the person's."""
        return part.voice if (part := self.spoken(source, start, end)) else "unknown"


def slug_of(person: str) -> str:
    """The name in a file's name and after `--as`."""
    return normal(person).replace(" ", "-")


def people(memory: Memory) -> list[str]:
    """Everybody a corpus was taken in for."""
    sql = (
        "SELECT DISTINCT body ->> '$.meta.person' FROM entries INDEXED BY entries_person JOIN documents ON entry = seq"
        " WHERE kind = 'source' AND body ->> '$.meta.person' <> '' ORDER BY 1"
    )
    return [name for (name,) in memory.db.execute(sql)]


def find_person(memory: Memory, asked: str) -> str:
    """The name as it was taken in, from it, its slug, its last word or another."""
    slug, names = slug_of(asked), people(memory)
    last = [name for name in names if slug in (slug_of(name), slug_of(name).split("-")[-1])]
    if found := last or [name for name in names if slug in slug_of(name).split("-")]:
        return found[0]
    known = [slug_of(name).split("-")[-1] for name in people(memory)]
    hint = f"one of: {', '.join(known)}" if known else 'memex ingest corpus --person "Charles Darwin"'
    raise UsageError(f"there is no corpus of {asked!r}; there is one of {', '.join(people(memory)) or 'nobody'}", hint)


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What became of the files of a corpus."""

    new: int
    changed: int
    known: int
    findings: tuple[Finding, ...]


def take_in(memory: Memory, root: Path, paths: Sequence[Path], person: str, by: str) -> TakenIn:
    """Lands each document of the files as a source of the person's corpus; compiles no claims of the wiki."""
    findings: list[Finding] = []
    drafts: list[Draft] = []
    counts = Counter[str]()
    sql = "SELECT e.id, e.body FROM documents d JOIN entries e ON e.seq = d.entry WHERE d.document = ? ORDER BY e.id"
    for path, told in _files(paths, findings):
        digest = blob_id(path.read_bytes())
        for item in read(path, root):
            if not isinstance(item, Document):
                findings.append(item)
                continue
            draft = _source(memory, item, path, root, digest, told, person)
            before = memory.db.execute(sql, (item.name,)).fetchall()
            assert isinstance(draft.body, Source)
            if any(json.loads(body).get("meta") == dict(draft.body.meta) for _, body in before):
                counts["known"] += 1
                continue
            counts["changed" if before else "new"] += 1
            replaced = tuple(Ref("supersedes", entry) for entry, _ in before)
            drafts.append(Draft(draft.subject, draft.body, (*draft.refs, *replaced), draft.since))
            if not draft.body.licence:
                told_so = "no licence is given: it is not exported"
                hint = f'"licence" in {MANIFEST}, or in the front matter'
                findings.append(Finding("licence", "warning", item.name, told_so, hint))
    memory.land(drafts, by)
    return TakenIn(counts["new"], counts["changed"], counts["known"], tuple(findings))


def _files(paths: Sequence[Path], findings: list[Finding]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The files of a corpus with what its manifest tells of them; with a manifest, only those it lists."""
    for path in paths:
        if not path.exists():
            raise UsageError(f"there is no {path}", 'memex ingest corpus --person "Charles Darwin"')
        if not path.is_dir():
            yield path, {}
        elif (path / MANIFEST).exists():
            yield from _listed(path, findings)
        else:
            for file in sorted(path.rglob("*")):
                if file.is_file() and file.suffix.lower() in READERS and not file.is_symlink():
                    yield file, {}


def _listed(folder: Path, findings: list[Finding]) -> Iterator[tuple[Path, dict[str, Any]]]:
    for number, line in enumerate((folder / MANIFEST).read_text("utf-8").splitlines(), 1):
        where = f"{folder / MANIFEST}:{number}"
        try:
            told = json.loads(line) if line.strip() else {"path": ""}
            file = (folder / str(told["path"])).resolve()
        except (ValueError, KeyError, TypeError):
            findings.append(Finding("manifest", "error", where, "no JSON object with a path", '{"path": "a.txt"}'))
            continue
        if told["path"] and (not file.is_file() or folder.resolve() not in file.parents):
            findings.append(Finding("manifest", "error", where, f"there is no {told['path']} here", f"ls {folder}"))
        elif told["path"]:
            yield folder / str(told["path"]), told


def _source(
    memory: Memory, document: Document, path: Path, root: Path, digest: str, told: dict[str, Any], person: str
) -> Draft:
    fields = {str(name).lower(): str(value) for name, value, *_ in document.meta.get("fields", ())}
    kind = str(told.get("kind") or fields.get("kind") or fields.get("type") or _kind(document))
    date, basis = str(told.get("date") or fields.get("date") or ""), "declared"
    if not date and (number := _SNOWFLAKE.search(document.name)):
        date, basis = day_of(int(number[1])), "snowflake"
    if not date:
        date, basis = document.published, "path" if document.media.startswith("text/") else "declared"
    if written := re.search(r"\bwritten (\d{4})", str(told.get("note") or "")):
        date = written[1]
    author = str(told.get("author") or document.author or person)
    voice = str(told.get("voice") or fields.get("voice") or "")
    if voice not in VOICES:
        mine = normal(person).split()[-1] in normal(author).split()
        voice = "" if mine and not re.search(r",| and |&", author) else "co-authored" if mine else "quoted"
    meta = {"document": document.name, "path": name_of(path, root), "digest": digest, "version": VERSION, "type": kind,
            "person": person, "basis": basis if date else "unknown", "voice": voice, "date": date}  # fmt: skip
    licence = str(told.get("licence") or told.get("license") or document.licence)
    title = str(told.get("title") or re.sub(r"(?<=[a-z])(?=(?:of|and)?[A-Z])|(?<=of|nd)(?=[A-Z])", " ", document.title))
    uri = str(told.get("source") or document.uri or document.name)
    body = Source(title, document.media, uri, author, date, voice, licence, meta)
    blob = memory.blobs.put(document.text.encode("utf-8", errors="replace"))
    return Draft(f"source:{document.name}"[:300], body, (Ref("file", blob),), date if len(date) == 10 else None)


def _kind(document: Document) -> str:
    posted = "post" if document.published and _POSTS.search(document.name) else "note"
    return _BY_MEDIA.get(document.media) or ("tweet" if _SNOWFLAKE.search(document.name) else posted)


def open_corpus(
    memory: Memory, person: str, as_of: int | str | None = None, tell: Callable[[str], None] = lambda _: None
) -> Corpus:
    """The corpus of `person` as it stands; segments later than `as_of`, a year, month or day, are not in it.

    `tell` hears of each source that is read.
    """
    corpus = Corpus(find_person(memory, person), [], as_of)
    sql = (
        "SELECT r.target, e.body FROM entries e JOIN refs r ON r.seq = e.seq AND r.role = 'tests' WHERE e.kind = "
        "'verdict' AND e.body ->> '$.decision' = 'voice' ORDER BY e.by GLOB 'human:*', e.at, e.id"
    )
    for target, body in memory.db.execute(sql):
        numbers = json.loads(body)["numbers"]
        corpus.voiced.setdefault(target, []).append((numbers["start"], numbers["end"], numbers["voice"]))
    sql = (
        "SELECT e.seq, e.id, e.at, e.body, r.target FROM documents d JOIN entries e ON e.seq = d.entry JOIN refs r ON "
        "r.seq = e.seq AND r.role = 'file' WHERE e.body ->> '$.meta.person' = ?"
    )
    for seq, entry, at, stored, blob in memory.db.execute(sql, (corpus.person,)).fetchall():
        body = json.loads(stored)
        meta = body["meta"]
        text = memory.blobs.get(blob).decode("utf-8", errors="replace")
        found = segments(text, corpus.person, meta["type"], meta["date"], meta["basis"], meta["voice"])
        found = overridden(found, corpus.voiced.get(entry, []))
        if as_of is not None:
            day = str(as_of)  # of dates that are less exact, as much as they tell
            found = [one for one in found if one.date[:4].isdigit() and one.date[: len(day)] <= day[: len(one.date)]]
        lines = (0, *(match.end() for match in re.finditer("\n", text)))
        corpus.texts.append(Text(seq, entry, blob, meta["document"], body["title"], meta["type"], meta["date"],
                                 meta["basis"], body.get("licence", ""), text, tuple(found), lines))  # fmt: skip
        corpus.latest_at = max(corpus.latest_at, at)
    corpus.texts.sort(key=lambda one: (one.date, one.document))
    for place, one in enumerate(corpus.texts):
        tell(f"Reading {place + 1} of {len(corpus.texts)}: {one.title}")
        _read(corpus, place, one)
    _mark_copies(corpus)
    return corpus


def _read(corpus: Corpus, place: int, text: Text) -> None:
    """The own sentences of a source, and its words counted by voice, kind and year."""
    for segment in text.segments:
        key = (segment.voice, segment.kind, segment.date[:4])
        corpus.word_counts[key] = corpus.word_counts.get(key, 0) + len(text.text[segment.start : segment.end].split())
    starts = [segment.start for segment in text.segments]
    opens = _ADDRESSED.match(text.text, starts[0] if starts else 0)
    for sentence in sentences(text.text, opens.end() if opens else 0, ()):
        at = bisect_right(starts, sentence.start) - 1
        if at < 0 or (segment := text.segments[at]).voice not in OWN or sentence.end > segment.end:
            continue  # a sentence that runs into another voice is nobody's statement
        plain = re.sub(r"\{\d+\}|\[\d+\]|_", "", sentence.text)
        tokens = WORD.findall(plain.lower())
        words = tuple(dict.fromkeys(stem(word) for word in tokens if len(word) > 2 and word not in COMMON))
        corpus.own.append(Said(place, sentence.start, sentence.end, " ".join(plain.split()), segment, tokens, words,
                               (place, segment.unit)))  # fmt: skip


def stems(text: str) -> set[str]:
    """The words of a text as sentences hold them, without small ones."""
    return {stem(word) for word in WORD.findall(text.lower()) if len(word) > 2 and word not in COMMON}


def one_a_group(said: Iterable[Said]) -> list[Said]:
    """The first sentence of each group."""
    found: dict[tuple[int, int], Said] = {}
    for one in said:
        found.setdefault(one.group, one)
    return list(found.values())


def groups_of(said: Iterable[Said]) -> int:
    """How many groups these sentences count for."""
    return len({one.group for one in said})


def by_year(said: Iterable[Said]) -> dict[int, int]:
    """How many of these sentences are of each year."""
    return dict(sorted(Counter(one.year for one in said if one.year is not None).items()))


@cache
def stem(word: str) -> str:
    for ending, least in (("ies", 5), ("ing", 7), ("ed", 6), ("es", 6), ("s", 4), ("ly", 6)):
        if word.endswith(ending) and len(word) >= least and not word.endswith(("ss", "ous")):
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word.removesuffix("e") if len(word) > 5 else word


@cache
def root(word: str) -> str:
    """What a stem shares with its other forms: earth-worm and earthworm, code and coding, run and running."""
    plain = re.sub(r"(?<=[aeiouy][^aeiouy])ing$|e$", "", word.replace("-", ""))
    return re.sub(r"([^aeiousl])\1$", r"\1", plain) if len(plain) > 3 else plain


def _mark_copies(corpus: Corpus) -> None:
    """A sentence half of whose runs of eight words stand in an earlier unit belongs to that unit's group."""
    first: dict[int, tuple[int, int]] = {}
    before: Said | None = None
    for said in corpus.own:
        runs = [hash(tuple(said.tokens[i : i + _SHINGLE_WORDS])) for i in range(len(said.tokens) - _SHINGLE_WORDS + 1)]
        own = said.group
        found = [first[run] for run in runs if first.get(run, own) != own]
        if runs and len(found) >= _COPIED_SHARE * len(runs):
            said.group, said.copy = max(found, key=found.count), True
        elif not runs and before is not None and before.source == said.source:
            said.group, said.copy = before.group, before.copy  # too short to tell: as the sentence before it
        for run in runs:
            first.setdefault(run, own)
        before = said
