"""What people wrote in `wiki/`, for `memex ask`: their words in place of those of a source, beside them, and on pages
of their own; and which words of sources they withdrew.

It knows blocks that were taken over by `memex sync`, and files of `wiki/` that are no pages of memex. What was changed
and not yet taken over is not known here.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from ..memory import Memory
from .blocks import CLAIMED, Hand, bare
from .incremental import Reading
from .live_claims import OF_HAND
from .prose import sentences
from .vault import FOLDER, Vault

#: Claims that rest on words of a source, and that nobody but a person ended.
_OVER = f"""SELECT e.id FROM quotes q JOIN claims c USING (entry) JOIN entries e ON e.seq = q.entry JOIN documents d ON
 d.entry = c.source LEFT JOIN endings n ON n.entry = e.id LEFT JOIN entries y ON y.id = n.ended_by WHERE d.document = ?
 AND q.start < ? AND q.end > ? AND NOT coalesce({OF_HAND.format("e")}, 0) AND (n.entry IS NULL OR
 {OF_HAND.format("y")})"""


#: By folder `wiki/`: the stamps of it and of the folders in it, and the files there that memex never wrote.
_OWN: dict[str, tuple[dict[str, int], list[str]]] = {}
#: Clocks of file systems tick: what has just changed may change again under the same stamp.
_SETTLED_NS = 50_000_000


class Written(NamedTuple):
    """A sentence that a person wrote: where it stands in `wiki/`, on the page of what, since when, and its entry."""

    text: str
    by: str
    page: str
    title: str
    line: int
    at: str
    entry: str


class HandWritten:
    """What people wrote and withdrew, as far as a day knew it."""

    def __init__(self, memory: Memory, root: Path, wiki: Reading, as_of: str | None = None) -> None:
        self._db, self._root, self._wiki, self._today = memory.db, root, wiki, as_of is None
        days = memory.db.execute(
            f"SELECT e.id, substr(e.at, 1, 10) FROM entries e WHERE {OF_HAND.format('e')}"
        ).fetchall()
        self._any = bool(days)
        self._days = {entry: day for entry, day in days if not as_of or day[: len(as_of)] <= as_of}
        self._now = {row[1]: row[2] for row in wiki.moved}  # pages by what their files were once called

    @cached_property
    def sentences(self) -> Sequence[Written]:
        """Every sentence that a person wrote."""
        hands = (hand for hand in self._wiki.hands if hand.entry in self._days and not hand.gone)
        kept = (hand for hand in hands if not hand.name.startswith(("front:", "n", "title")))
        found = [one for hand in kept for one in self._of_hand(hand)]
        for name in self._own_pages() if self._today else ():
            found += _own_page(self._root / FOLDER / name, f"{FOLDER}/{name}")
        return found

    def _own_pages(self) -> list[str]:
        """The files of `wiki/` that memex never wrote; names alone are looked at, and only where a folder changed."""
        folder = str(self._root / FOLDER)
        stamps, names = _OWN.get(folder, ({}, []))
        if not stamps or any(_stamp(one) != stamp for one, stamp in stamps.items()):
            stamps = {}
            with closing(Vault(self._root)) as vault:
                names = sorted(set(_notes_in(folder, stamps)) - vault.names())
            if time.time_ns() - max(stamps.values(), default=0) > _SETTLED_NS:
                _OWN[folder] = stamps, names
        return names

    def instead(self, places: Sequence[tuple[str, int, int]]) -> list[list[Written] | None]:
        """For each place in a source, what people put there instead; None where they withdrew what it says."""
        over = [self._db.execute(_OVER, (source, end, start)).fetchall() if self._any and source in self._wiki.sources
                else [] for source, start, end in places]  # fmt: skip
        told = self._wiki.told({entry for entries in over for (entry,) in entries})
        found: list[list[Written] | None] = []
        for entries in over:
            stand = [told[entry] for (entry,) in entries if entry in told]
            hands = {hand.entry: hand for s in stand if (hand := self._wiki.edited.get(s.id)) is not None}
            put = [one for hand in hands.values() if hand.entry in self._days for one in self._of_hand(hand)]
            found.append(put if stand or not entries else None)
        return found

    def _of_hand(self, hand: Hand) -> Iterator[Written]:
        text, name = " ".join(bare(hand.text).split()), f"{FOLDER}/{self._now.get(hand.page, hand.page)}.md"
        if text and not text.startswith(("#", "|", "```", "---", ">")):
            path = self._root / name
            whole = path.read_text("utf-8", errors="replace") if path.is_file() else ""
            line = whole.count("\n", 0, max(whole.find(text[:40]), 0)) + 1
            yield Written(text, hand.by, name, hand.subject, line, self._days[hand.entry], hand.entry)


def _stamp(folder: str) -> int:
    """When a file came to a folder or left it, in nanoseconds; 0 where there is no such folder."""
    return os.stat(folder).st_mtime_ns if os.path.isdir(folder) else 0


def _notes_in(folder: str, stamps: dict[str, int], at: str = "") -> Iterator[str]:
    """The Markdown files in a folder and in folders of it, those aside that are hidden; folders are stamped first."""
    stamps[folder] = _stamp(folder)
    for name in os.listdir(folder) if stamps[folder] else ():
        if name.endswith(".md"):
            yield f"{at}{name}"
        elif not name.startswith(".") and os.path.isdir(f"{folder}/{name}"):
            yield from _notes_in(f"{folder}/{name}", stamps, f"{at}{name}/")


def _own_page(path: Path, name: str) -> Iterator[Written]:
    """The sentences of a page that is a person's own, but for those that it has from a page of memex."""
    text = path.read_text("utf-8-sig", errors="replace").replace("\r\n", "\n")
    front = re.match(r"---\n.*?\n---\n", text, re.DOTALL)
    for s in sentences(text, front.end() if front else 0, ()):
        if not CLAIMED.search(text[s.start : s.end]):
            yield Written(s.text, "", name, path.stem, text.count("\n", 0, s.start) + 1, "", "")
