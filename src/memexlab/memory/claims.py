"""The fold of claims and mentions: what sources were quoted for, with the words, so that no page reads a blob; and of
the names they speak of.

Which claims stand is no column: a claim stands while its source is in `documents` and nothing supersedes or retracts
it (`STANDING`). It knows nothing of subjects, of pages, or of which of two claims is right.
"""

from __future__ import annotations

import json
import sqlite3

from ..ledger import Blobs, Claim, Entry, Finding, OutsideError, Source
from .search.passages import normal

#: SQL after FROM: the claims that stand, with their source `d`.
STANDING = """claims c JOIN documents d ON d.entry = c.source JOIN entries e ON e.seq = c.entry WHERE NOT EXISTS
 (SELECT 1 FROM refs r WHERE r.target = e.id AND r.role IN ('supersedes', 'retracts'))"""

#: Relations whose values are shelves, and no things that somebody would ask for.
_SORTING = frozenset({"status", "type", "kind", "topic", "category", "resolution", "stands as", "language", "license"})


class Claims:
    """Folds claims into `claims` and `quotes`, and what a source mentions into `mentions`; keeps the last blob read."""

    def __init__(self, db: sqlite3.Connection, blobs: Blobs) -> None:
        self._db, self._blobs = db, blobs
        self._blob, self._bytes = "", b""

    def apply(self, entry: Entry) -> Finding | None:
        """Folds one entry; a quote whose blob cannot be read is a finding, and has no row."""
        try:
            if isinstance(entry.body, Claim):
                self._claim(entry, entry.body)
            elif isinstance(entry.body, Source) and isinstance(found := entry.body.meta.get("mentions"), list):
                blob = next((ref.id for ref in entry.refs if ref.role == "file"), "")
                rows = [(entry.seq, str(name), int(count), *self._quoted(blob, start, end))
                        for name, count, start, end in found]  # fmt: skip
                self._db.executemany("INSERT INTO mentions VALUES (?, ?, ?, ?, ?, ?)", rows)
                named = [("title", entry.body.title), *(("mention", str(name)) for name, *_ in found)]
                self._named(entry.seq, named)
        except OutsideError as error:
            message = str(error).split("\n")[0]
            return Finding("quote-unreadable", "error", f"entry {entry.seq}", message, "memex doctor")
        return None

    def _claim(self, entry: Entry, claim: Claim) -> None:
        row = None
        for target in entry.targets("from"):
            sql = "SELECT seq FROM entries WHERE id = ? AND kind = 'source'"
            row = row or self._db.execute(sql, (target,)).fetchone()
        if row is None:
            return  # it rests on runs or on what somebody said, and has no quotes
        value = None if claim.object is None else str(claim.object)
        scope = json.dumps(dict(claim.scope), sort_keys=True, ensure_ascii=False)
        self._db.execute(
            "INSERT INTO claims VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (entry.seq, row[0], entry.subject, claim.relation, value, claim.stance, scope, claim.text, entry.since,
             entry.until),
        )  # fmt: skip
        # What is told of something names another thing where it begins with a capital, or has none.
        is_name = value and value[0].isalpha() and not value[0].islower() and claim.relation not in _SORTING
        self._named(entry.seq, [("subject", entry.subject), *([("object", value)] if value and is_name else [])])
        for ref in entry.refs:
            if ref.role == "quotes" and ref.is_blob:
                quoted = self._quoted(ref.id, ref.start, ref.end)
                self._db.execute(
                    "INSERT INTO quotes VALUES (?, ?, ?, ?, ?, ?)", (entry.seq, ref.start, *quoted, ref.end)
                )

    def _named(self, entry: int, spelt: list[tuple[str, str]]) -> None:
        """A bare number, and a scrap of one or two Latin letters, names nothing."""
        named = ((normal(text), entry, role, text) for role, text in spelt)
        rows = [row for row in named if len(row[0].encode()) > 2 and not row[0].replace(" ", "").isdigit()]
        self._db.executemany("INSERT OR IGNORE INTO named VALUES (?, ?, ?, ?)", rows)

    def _quoted(self, blob: str, start: int, end: int) -> tuple[int, int, str]:
        """(first line, last line, text) of a span in bytes."""
        if blob != self._blob:
            self._bytes, self._blob = self._blobs.get(blob), blob
        data = self._bytes[start:end]
        line = self._bytes.count(b"\n", 0, start) + 1
        return line, line + data.rstrip(b"\n").count(b"\n"), data.decode("utf-8", errors="replace")
