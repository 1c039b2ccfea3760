"""What a person changed in `wiki/` becomes entries, so that no rendering can lose it.

Each file is compared with what was last written to it, block by block: a changed block is a claim of that person in
place of the one it was, a new one is kept word for word, one that is gone is withdrawn by a verdict. The next rendering
then says the same. It knows pages as blocks, and nothing of what sources say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path

from ..ledger import Claim, Draft, Finding, Ref, Verdict
from ..memory import Memory
from .blocks import CLAIMED, LINK, MARK, Block, Cited, cited_in, definitions, digest, own_words, parse
from .incremental import reading
from .live_claims import BY_HAND, RUNS, item_id
from .pages import Wiki
from .quotes import locate
from .reworded import bare, borne, value_of
from .vault import FOLDER, Vault

ALIKE, RENAMED = 0.5, 0.6
_AFTER, _RANKS = 6, {"#" * rank for rank in range(1, 7)}
_TEXT = "SELECT r.target FROM documents d JOIN refs r ON r.seq = d.entry AND r.role = 'file' WHERE d.document = ?"


@dataclass(slots=True)
class ByHand:
    """What was found in pages and landed, and what each file held then; `pages` are the names of those
    files, `edited` those of all that differ."""

    pages: list[str] = field(default_factory=list)
    changed: int = 0
    added: int = 0
    withdrawn: int = 0
    renamed: list[tuple[str, str]] = field(default_factory=list)
    read: dict[str, str] = field(default_factory=dict)
    words: dict[str, list[str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    edited: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.pages or self.renamed)

    def absorbed(self, files: Mapping[str, str]) -> dict[str, str]:
        """The texts that may be written over, because every word that was added stands in a file to be written."""
        out = dict(self.read)
        for name, words in self.words.items():
            held = {digest(block.text) for block in parse(files.get(name, ""))}
            if lost := set(words) - held:
                held = {digest(block.text) for text in files.values() for block in parse(text)}
            if lost - held:
                del out[name]
                told = "was landed, but would not be shown as it was written, and is left as it is"
                self.findings.append(Finding("page-edited", "warning", f"{FOLDER}/{name}", told, "memex sync"))
        return out


@dataclass(frozen=True, slots=True)
class Change:
    """One block that differs: as it was, as it is, and the names of the blocks before it, the nearest first."""

    before: Block | None
    now: Block | None
    after: tuple[str, ...]


def take(memory: Memory, root: Path, by: str) -> ByHand:
    """Lands what differs on disk from what was last written; the pages still have to be rendered."""
    taken = ByHand()
    with closing(Vault(root)) as vault:
        edited = vault.edited()
        if back := list(_put_back(root / FOLDER, vault, [name for name, text in edited.items() if text is None])):
            taken.findings, edited = back, vault.edited()
        taken.edited = set(edited)
        bases = {name: base for name in edited if (base := vault.last_written(name)) is not None}
    if bases:
        with reading(memory, root) as now:
            keys = {now.subjects.slugs[name.removesuffix(".md")] for name in bases}
            keys |= now.pages(keys).pages_of(CLAIMED.findall("\n".join(bases.values())))
            wiki, there = now.whole(keys)
            wiki.render(there)  # which claims each line states is known when it was made
            drafts = _found(memory, wiki, edited, bases, taken)
        if drafts:
            memory.land(drafts, by)
    return taken


def _put_back(folder: Path, vault: Vault, gone: Sequence[str]) -> Iterator[Finding]:
    """Takes pages out of the folders that they were moved to: else there would be two of each."""
    for name in gone:
        was = {block.name for block in parse(vault.last_written(name) or "")}
        for there in sorted(folder.glob(f"*/**/{name}")):
            now = {block.name for block in parse(there.read_text(encoding="utf-8", errors="replace"))}
            if len(was & now) >= RENAMED * len(was | now):
                there.rename(folder / name)
                place = there.relative_to(folder.parent).as_posix()
                told = f"was moved to {place}, and is put back: pages lie side by side"
                yield Finding(
                    "page-moved", "warning", f"{FOLDER}/{name}", told, "give it another name in wiki/ instead"
                )
                break


def _found(
    memory: Memory, wiki: Wiki, edited: Mapping[str, str | None], bases: Mapping[str, str], taken: ByHand
) -> list[Draft]:
    """What is to be landed of edited files, where they were as `bases`."""
    drafts, renames = list[Draft](), dict(_renamed(bases, edited))
    moved = {old.removesuffix(".md"): new.removesuffix(".md") for old, new in renames.items()}
    for old, new in renames.items():
        drafts.append(keyed(memory, _other_name(wiki, old, new.removesuffix(".md"))))
        taken.renamed.append((old, new))
    for name, base in sorted(bases.items()):  # not the person's own; a renamed page is read under its old name
        there = edited[renames.get(name, name)]
        if there is None:
            hint = "delete its source instead, or: memex same A B --why REASON"
            told = "was deleted, and is written again"
            taken.findings.append(Finding("page-gone", "info", f"{FOLDER}/{name}", told, hint))
            continue
        taken.read[renames.get(name, name)] = there
        before = len(drafts)
        if there.startswith("---\n") and parse(there)[0].name != "front:---":
            there = there.replace("\n\n", "\n---\n\n", 1)  # its end was lost
        noted = definitions(parse(base))
        for change in compare(_follow(base, moved), _follow(there, moved), wiki, name):
            drafts += _drafts(memory, wiki, name, change, noted, there, taken)
            if change.now is not None and not _is_note(change.now):
                taken.words.setdefault(renames.get(name, name), []).append(digest(change.now.text))
        if len(drafts) > before:
            taken.pages.append(name)
    return drafts


def _renamed(bases: Mapping[str, str], edited: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    """(old file, new file) where a page is gone, or another's, and another file holds most of its blocks."""
    held = {name: _said(text) for name, text in edited.items() if text is not None}
    were = {name: _said(base) for name, base in bases.items() if name not in ("index.md", "log.md")}
    gone = [name for name in were if name not in held or _share(were[name], held[name]) < 1 - RENAMED]
    fresh = {name for name in held if name not in bases or name in gone}
    for name in gone:
        share, new = max(((_share(were[name], held[new]), new) for new in fresh - {name}), default=(0.0, ""))
        if share >= RENAMED:
            fresh.remove(new)
            yield name, new


def _said(text: str) -> set[str]:
    """The names of its blocks, but of those that every page has."""
    return {block.name for block in parse(text) if block.name[:6] not in ("front:", "title")}


def _share(was: set[str], now: set[str]) -> float:
    return len(was & now) / max(1, len(was | now))


def _follow(text: str, moved: Mapping[str, str]) -> str:
    """The text with links to renamed files as an editor rewrites them, so that this is no change."""
    return LINK.sub(lambda m: m[0].replace(m[1], moved[m[1]], 1) if m[1] in moved else m[0], text) if moved else text


def _subject(wiki: Wiki, name: str) -> str:
    slug = name.removesuffix(".md")
    page = wiki.subjects.pages.get(wiki.subjects.slugs[slug])
    return (page.title if page is not None else slug)[:300]


def _other_name(wiki: Wiki, old: str, slug: str) -> Draft:
    scope = {"page": old.removesuffix(".md"), "home": _home(wiki, old)}
    return Draft(_subject(wiki, old), Claim(f"{old} is now {slug}.md", "file", slug, scope=scope))


def other_name(wiki: Wiki, slug: str) -> Draft:
    """That a page has another file than it would have, where a note of a person's own is called so."""
    return _other_name(wiki, f"{slug}.md", f"{slug}-{item_id(wiki.subjects.slugs[slug])}")


def _home(wiki: Wiki, name: str) -> str:
    """The source whose own page this file is, so that an edit stays with it under another title; '' for others."""
    page = wiki.subjects.pages.get(wiki.subjects.slugs[name.removesuffix(".md")])
    return page.homes[0] if page is not None and page.homes and not page.homes[0].startswith(RUNS) else ""


def compare(base: str, there: str, wiki: Wiki, name: str) -> list[Change]:
    """What a person changed in a file."""
    hands = [hand for hand in wiki.hands if f"{wiki.page_of(hand)}.md" == name]
    old, new = parse(base, hands), parse(there, hands)
    was = {block.name: block for block in old}
    pairs: dict[int, Block] = {}  # place in the new text to what it was
    for i, block in enumerate(new):
        key = block.name if block.name in was else ""
        twin = next((j for j in range(i + 1, len(new)) if new[j].text == was[key].text), None) if key else None
        if key and not (twin is not None and block.text != was[key].text):
            pairs[i] = was[key]
    matched = {block.name for block in pairs.values()}
    for i, block in enumerate(new):
        if i in pairs:
            continue
        left = next((pairs[j] for j in range(i - 1, -1, -1) if j in pairs), None)
        start = old.index(left) + 1 if left is not None else 0
        for place, was_block in enumerate(old[start : start + 3], start):
            if was_block.name in matched or (was_block.name.split(":")[0] == "front") != (block.name[:6] == "front:"):
                break
            if _alike(was_block.text, block.text) or _renames(old[place : place + 2], new[i : i + 2]):
                pairs[i] = was_block
                matched.add(was_block.name)
                break
    changes, before, section = list[Change](), list[str](), ""
    for i, block in enumerate(new):
        earlier = pairs.get(i)
        called = earlier.name if earlier is not None else f"h{digest(f'{name} {block.text}')}"
        if block.name.startswith("front:"):
            called = block.name
        after = (*reversed(before[-_AFTER:]), *([section] if section not in before[-_AFTER:] and section else []))
        if earlier is None or not _same(earlier, block):
            changes.append(Change(earlier, Block(block.text, called, block.blanks, block.line), after))
        before.append(called)
        section = called if block.text.startswith("#") else section
    changes += [Change(b, None, ()) for b in old if b.name not in matched and not _is_note(b)]
    return changes


def _is_note(block: Block) -> bool:
    return bool(definitions([block]))


def _renames(was: Sequence[Block], now: Sequence[Block]) -> bool:
    """Whether a heading is called otherwise, of the same rank and over the same block."""
    ranks = {pair[0].text.partition(" ")[0] for pair in (was, now)}
    return len(was) == len(now) == 2 and len(ranks) == 1 and ranks <= _RANKS and was[1].name == now[1].name


def _alike(a: str, b: str) -> bool:
    one, two = (MARK.sub("", CLAIMED.sub("", text)) for text in (a, b))
    if one.startswith("#") != two.startswith("#") or a.startswith("[^") != b.startswith("[^"):
        return False
    matcher = SequenceMatcher(None, one, two, autojunk=False)
    return bool(matcher.quick_ratio() >= ALIKE and matcher.ratio() >= ALIKE)


def _same(a: Block, b: Block) -> bool:
    """Whether nothing was changed: front matter that an editor only wrote in another form says the same."""
    if a.name.startswith("front:"):
        return _values(a.text) == _values(b.text)
    return [line.rstrip() for line in a.text.split("\n")] == [line.rstrip() for line in b.text.split("\n")]


def _values(text: str) -> list[str]:
    return [part.strip(" '\"") for part in re.split(r"[\n,\[\]]+", text.partition(":")[2]) if part.strip(" '\"-")]


def _drafts(
    memory: Memory, wiki: Wiki, file: str, change: Change, base: Mapping[str, str], there: str, taken: ByHand
) -> Iterator[Draft]:
    """What one change is in the ledger; nothing where a try that was cut off has landed it before.

    `base` are the footnotes that were written last.
    """
    page, subject = file.removesuffix(".md"), _subject(wiki, file)
    old, now = change.before, change.now
    hands = [hand for hand in wiki.hands if wiki.page_of(hand) == page]
    mine = next((hand for hand in hands if old is not None and old.name in (hand.name, *hand.instead)), None)
    said = [s for s in wiki.stated.get(old.name, []) if s.entry] if old is not None else []
    if file in ("index.md", "log.md") and now is not None and old is not None and mine is None:
        if digest(now.text) == digest(old.text):
            return
        change = Change(None, Block(now.text, f"h{digest(now.text)}", 0, now.line), (old.name, *change.after))
        old, now = None, change.now  # a list stays whole: what was written over a line of it stands below that line
    if now is None:
        assert old is not None
        if mine is None and (file in ("index.md", "log.md") or old.name.startswith("front:")):
            return  # what lists and counts is not to be left out: it is rendered again
        if said or (mine is not None and not mine.instead):
            gone = [*(s.entry for s in said), *([mine.entry] if mine is not None else [])]
            told = Verdict("withdraw", f"deleted by hand in {FOLDER}/{file}", {"blocks": " ".join(s.id for s in said)})
            yield keyed(memory, Draft(subject, told, tuple(Ref("retracts", entry) for entry in gone)))
            taken.withdrawn += 1
            return
        if CLAIMED.search(old.text) and mine is None:
            return  # what it stated stands no more
    text = own_words(now.text if now is not None else old.text if old is not None else "")
    if now is not None and old is not None and CLAIMED.search(old.text) and not CLAIMED.search(text):
        text = f"{text.rstrip()} ^{old.name}"
    if old is None:
        text = CLAIMED.sub("", text).rstrip()
    given = definitions(parse(there))
    given |= {label: note for label, note in base.items() if cited_in(note) and cited_in(given.get(label, ""))}
    altered = cited_in(_note(now)) if now is not None and old is not None and cited_in(_note(old)) else None
    if altered is not None and now is not None:
        words = f"a quote is of its source, which is put back in place of “{altered.words[:200]}”"
        hint = "write your own words beside it, then: memex sync"
        taken.findings.append(Finding("page-edited", "warning", f"{FOLDER}/{file}:{now.line}", words, hint))
    notes = {label: given[label] for label in MARK.findall(text) if label in given}
    if now is not None and _is_note(now) and old is None:
        [(label, text)] = definitions([now]).items()
        if label in MARK.findall(there):
            return  # it comes with the block that cites it
    if old is not None and not _is_note(old) and (CLAIMED.search(text) or MARK.search(old.text)):
        quotes = {label: cited.words for label in notes if (cited := cited_in(notes[label])) is not None
                  and (notes[label] in base.values() or _stands(memory, cited))}  # fmt: skip
        here, shown, speakers = wiki.subjects.pages.get(wiki.subjects.slugs[page]), "", list[str]()
        if said and here is not None and said[0].source in wiki.sources:
            shown = f" ({bare(wiki.told_by(said[0].source, set(), here))})"
            speakers = [wiki.sources[said[0].source].author, said[0].scope]
        was, says = (bare(own_words(one)).replace(shown, "") for one in (old.text, text))
        if not borne(was, says, quotes, subject, speakers):  # what sources say is no proof of it
            lost = {label for label, note in notes.items() if note in base.values() or cited_in(note) is not None}
            text = MARK.sub(lambda m: "" if m[1] in lost else m[0], text)
            notes = {label: note for label, note in notes.items() if label not in lost}
    instead = mine.instead if mine is not None else (old.name,) if old is not None else ()
    scope: dict[str, str | int | bool] = {
        "page": page, "name": old.name if old is not None else now.name if now is not None else "",
        "instead": " ".join(instead), "after": " ".join(mine.after if mine is not None else change.after),
        "blanks": now.blanks if now is not None else 0, "place": now.line if now is not None else 0,
        "notes": json.dumps(notes, sort_keys=True, ensure_ascii=False), "gone": now is None, "home": _home(wiki, file),
        "states": " ".join(f"{s.entry}={s.id}" for s in said),
    }  # fmt: skip
    stands = (hand for hand in hands if (hand.name, hand.text, hand.gone) == (scope["name"], text, now is None))
    if next(stands, None) is not None:
        return
    taken.added += old is None
    taken.changed += old is not None and now is not None
    taken.withdrawn += now is None
    object_ = None
    if said and old is not None:
        object_ = value_of(bare(own_words(old.text)), bare(text), (mine and mine.value) or said[0].object)
    refs = [Ref("supersedes", s.entry) for s in said] + ([Ref("supersedes", mine.entry)] if mine is not None else [])
    if notes and said:
        refs += _evidence(memory, [s.entry for s in said])
    body = Claim(text, said[0].relation if said else "written by hand", object_, scope=scope)
    yield keyed(memory, Draft(said[0].subject if said else subject, body, tuple(sorted(refs, key=str))))


def _note(block: Block) -> str:
    return next(iter(definitions([block]).values()), "")


def _stands(memory: Memory, cited: Cited) -> bool:
    """Whether the words of a footnote that a person brought along are in the source that it names."""
    row = memory.db.execute(_TEXT, (cited.source,)).fetchone()
    return row is not None and locate(cited.words, memory.blobs.get(row[0]).decode(errors="replace")) is not None


def _evidence(memory: Memory, entries: Sequence[str]) -> list[Ref]:
    rows = memory.db.execute(
        "SELECT r.role, r.target, coalesce(r.start, -1), coalesce(r.end, -1) FROM json_each(?) j JOIN entries e ON"
        " e.id = j.value JOIN refs r ON r.seq = e.seq WHERE r.role IN ('quotes', 'from')",
        (json.dumps(list(entries)),),
    )
    return [Ref(*row) for row in dict.fromkeys(rows)]


def keyed(memory: Memory, draft: Draft) -> Draft:
    """With a key of its own: the same words may be written, deleted and written again."""
    start = f"{BY_HAND}{digest(f'{draft.subject} {draft.body}')}:"
    row = memory.db.execute("SELECT count(*) FROM entries WHERE key >= ? AND key < ?", (start, start + "~")).fetchone()
    return Draft(draft.subject, draft.body, draft.refs, key=f"{start}{row[0]}")
