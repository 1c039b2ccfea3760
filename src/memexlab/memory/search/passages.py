"""The fold of documents: cut into passages, indexed by word, with the names each passage mentions.

A document is a Source entry whose `meta.document` is its id and whose text is the span of its `file` ref. What a later
entry supersedes or retracts has no passages. It knows nothing of questions or of ranks.
"""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Iterator

from ...ledger import Blobs, Entry, Finding, OutsideError, Source

PASSAGE_CHARS = 1_200
_WORD = re.compile(r"[^\W_]+(?:[-.'’&][^\W_]+)*")
_LETTERS = re.compile(r"[^\W_]+")
_POSSESSIVE = re.compile(r"['’]s\b")
_PARENTHESIS = re.compile(r"\s*\([^)]*\)\s*$")
_ARTICLE = re.compile(r"^(?:the|an?) ")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]+")
_SENTENCE_END = re.compile(r"[.!?。！？]\s+|[。！？]")
#: Words that stand inside a name without a capital.
_INSIDE = frozenset(
    re.findall(r"\w+", "of the and de la le du des von van der den di da del bin ibn al el y to in for a an on")
)
_OPENING = """
 a an the he she it they we you i his her its their our this that these those in on at by for from with as of to
 and but or nor so yet if when while where who whom whose what which why how after before during since until there
 here is was are were be been has have had do does did not no also both other many some all most one two"""
#: Words that a sentence begins with and that name nothing.
_OPENERS = frozenset(re.findall(r"\w+", _OPENING))


def normal(text: str) -> str:
    """Words without case, accents, punctuation and possessive s, one space between."""
    plain = _POSSESSIVE.sub("", text)
    if plain.isascii():  # nothing to decompose
        return " ".join(_LETTERS.findall(plain.casefold()))
    plain = unicodedata.normalize("NFKD", plain).casefold()
    return " ".join(_LETTERS.findall("".join(c for c in plain if not unicodedata.combining(c))))


def title_names(title: str) -> list[str]:
    """The names a title gives: whole, without a closing parenthesis, a first article, or what follows a comma."""
    whole = {normal(title), normal(_PARENTHESIS.sub("", title)), normal(title.partition(",")[0])}
    return sorted(name for name in whole | {_ARTICLE.sub("", name) for name in whole} if name)


def names(text: str) -> set[str]:
    """Spans of capitalised words and numbers of three or four digits, in normal form."""
    found: set[str] = set()
    span: list[str] = []
    end = 0

    def close() -> None:
        while span and (span[-1].casefold() in _OPENERS or span[-1].casefold() in _INSIDE):
            span.pop()
        name = normal(" ".join(span))
        if len(name) > 1:
            found.add(name)
        span.clear()

    for match in _WORD.finditer(_POSSESSIVE.sub("", text)):
        word, gap = match[0], match.string[end : match.start()]
        if span and gap.strip() and not (gap == ". " and len(span[-1]) == 1):
            close()
        end = match.end()
        if not span and word.casefold() in _OPENERS:
            continue
        if word[0].isupper() or (span and word.isdigit()) or (span and word in _INSIDE):
            span.append(word)
        else:
            close()
            if word.isdigit() and 3 <= len(word) <= 4:
                found.add(word)
    close()
    return found


def words_for_index(text: str) -> str:
    """The text as FTS5 gets it: runs of Chinese, Japanese and Korean as overlapping pairs and a last single one; and
    spelt without what `normal` spells otherwise (ß, ligatures)."""
    text = text if text.isascii() else unicodedata.normalize("NFKC", text).casefold()
    return _CJK.sub(lambda m: " " + " ".join(m[0][i : i + 2] for i in range(len(m[0]))) + " ", text)


def cut(text: str) -> Iterator[tuple[int, int]]:
    """Spans of about PASSAGE_CHARS that end at a paragraph, else at a sentence, else at a word."""
    start, total = 0, len(text)
    while start < total:
        end = min(total, start + PASSAGE_CHARS)
        if end < total:
            floor = start + PASSAGE_CHARS // 3
            paragraph = text.rfind("\n\n", floor, end)
            if paragraph > 0:
                end = paragraph
            else:
                stops = [m.end() for m in _SENTENCE_END.finditer(text, floor, end)]
                space = text.rfind(" ", floor, end)
                end = stops[-1] if stops else space if space > 0 else end
        piece = text[start:end]
        if piece.strip():
            lead = len(piece) - len(piece.lstrip())
            yield start + lead, start + len(piece.rstrip())
        start = end


class Passages:
    """Folds documents into `documents`, `passages` and the word index; keeps the last blob it read."""

    def __init__(self, db: sqlite3.Connection, blobs: Blobs) -> None:
        self._db, self._blobs = db, blobs
        self._blob, self._bytes = "", b""

    def apply(self, entry: Entry) -> Finding | None:
        """Folds one entry; a blob that cannot be read is a finding, and its document has no passages."""
        for target in entry.targets("retracts"):
            self._drop(target)
        if not isinstance(entry.body, Source) or "document" not in entry.body.meta:
            return None
        for target in entry.targets("supersedes"):
            self._drop(target)
        body, db = entry.body, self._db
        try:
            text = self._text(entry)
        except OutsideError as error:
            where = f"entry {entry.seq}"
            return Finding("document-unreadable", "error", where, str(error).split("\n")[0], "memex doctor")
        db.execute(
            "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?)",
            (entry.seq, str(body.meta["document"]), body.title, body.author, body.published, body.uri, len(text)),
        )
        for start, end in cut(text) if text.strip() else [(0, 0)]:
            part = text[start:end]
            mentioned = "\n".join(sorted(names(part)))
            row = db.execute(
                "INSERT INTO passages VALUES (?, ?, ?, ?, ?)", (entry.seq, start, end, part, mentioned)
            ).lastrowid
            indexed = (row, words_for_index(body.title), words_for_index(part))
            db.execute("INSERT INTO passage_words(rowid, title, text) VALUES (?, ?, ?)", indexed)
        return None

    def _drop(self, target: str) -> None:
        db = self._db
        rows = db.execute(
            "SELECT p.rowid, d.title, p.text FROM passages p JOIN documents d ON d.entry = p.entry"
            " JOIN entries e ON e.seq = p.entry WHERE e.id = ?",
            (target,),
        ).fetchall()
        for row, title, text in rows:
            # The word index keeps no text, so that it must be told again what it forgets.
            gone = (row, words_for_index(title), words_for_index(text))
            db.execute("INSERT INTO passage_words(passage_words, rowid, title, text) VALUES ('delete', ?, ?, ?)", gone)
        for table in ("passages", "documents"):
            db.execute(f"DELETE FROM {table} WHERE entry = (SELECT seq FROM entries WHERE id = ?)", (target,))

    def _text(self, entry: Entry) -> str:
        ref = next((ref for ref in entry.refs if ref.role == "file"), None)
        if ref is None:
            return ""
        if ref.id != self._blob:
            self._bytes = self._blobs.get(ref.id)
            self._blob = ref.id
        data = self._bytes if ref.start < 0 else self._bytes[ref.start : ref.end]
        return data.decode("utf-8", errors="replace")
