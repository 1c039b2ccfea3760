"""What a campaign has tried, read from the views by knob or by words, never as a whole.

It knows runs, what they changed and what they showed. It does not know what that means for an idea: see `novelty`.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from ...ledger import Scalar
from ..changes.edits import Change, Direction
from ..changes.heading import heading_of
from ..changes.names import WORDS, normal_knob
from ..changes.other_words import words_left
from ..effects.noise import noise_floor
from ..runs import cells

Evidence = Literal["kept", "promising", "lost", "unclear", "failed"]

#: A run that measured less than this many standard errors below the champion is within noise, not a loss.
NOISE_Z = -1.0
#: An open run that screened above this many standard errors looked better: overtaken, or its race was not decided.
PROMISING_Z = 1.0
#: Two ways to write a number that may be one value are never further apart: 131072 and 128K.
_ROUNDED = 0.03
_LATEST = 10
_MOST_ALIKE = 100
_MOST_IN_WORDS = 15
_MOST_WORDS = 5
_LAST = 1 << 62
_EVIDENCE: dict[str, Evidence] = {
    "keep": "kept", "discard": "lost", "inconclusive": "unclear", "ok": "unclear",
    "crash": "failed", "timeout": "failed",
}  # fmt: skip
#: Runs that are evidence: no retracted one, none that was lost, blocked, or has not ended.
_TRIED = f"r.number < ? AND r.role = 'candidate' AND r.status IN {tuple(_EVIDENCE)}"
_WAS_KEPT = (
    "(EXISTS (SELECT 1 FROM entries e WHERE e.seq = r.run AND json_extract(e.body, '$.status') = 'keep') OR EXISTS"
    " (SELECT 1 FROM verdicts v WHERE v.run = r.run AND v.decision IN ('confirmed', 'provisional', 'keep')))"
)


@dataclass(frozen=True, slots=True)
class Past:
    """An earlier run: what it changed and what it showed; its parent's number is `since`, or its own without one."""

    run: int
    evidence: Evidence
    description: str
    changes: tuple[Change, ...]
    from_text: bool
    parent: int | None
    since: int
    error: str
    campaign: str
    value: float | None


@dataclass(frozen=True, slots=True)
class Move:
    """A kept run: which settings of the champion it moved; `unread` where that may not be all that it did.

    `undone`: it was retracted, so runs after it may have been made from settings that the champion no longer has.
    """

    run: int
    knobs: tuple[str, ...]
    unread: bool
    undone: bool


class History:
    """The runs of a campaign with a number below `before`; it keeps nothing, so a run that landed since is there.

    Or the runs of every other campaign, whose results do not compare with this one's: `elsewhere`.
    """

    def __init__(self, db: sqlite3.Connection, campaign: str, before: int | None = None, others: bool = False) -> None:
        self.db, self.campaign = db, campaign
        self.before = before if before is not None else _LAST
        self.tried = f"r.campaign {'<>' if others else '='} ? AND {_TRIED}"

    def elsewhere(self) -> History | None:
        """None where this is the history of some time in the past: nobody looked into another campaign then."""
        return History(self.db, self.campaign, None, True) if self.before == _LAST else None

    def settings(self) -> dict[str, Scalar]:
        """The settings of the champion, empty where the log has none."""
        row = self.db.execute(
            "SELECT run FROM champions WHERE campaign = ? AND since < ? ORDER BY since DESC LIMIT 1",
            (self.campaign, self.before),
        ).fetchone()
        return self.settings_of(row[0]) if row else {}

    def settings_of(self, entry: int) -> dict[str, Scalar]:
        row = self.db.execute("SELECT json_extract(body, '$.settings') FROM entries WHERE seq = ?", (entry,)).fetchone()
        return json.loads(row[0]) if row and row[0] else {}

    def on_knob(self, change: Change) -> list[Past]:
        """Runs that moved this knob, the latest first: all that may have made the same change, and some others."""
        wanted = normal_name(change.knob)
        every = [row[0] for row in self.db.execute("SELECT DISTINCT knob FROM changes")]
        names = [name for name in every if normal_name(name) == wanted]
        near, values = "c.new IS NULL OR c.magnitude IS NOT NULL", list[object]()
        if change.new is not None:
            text, number = cells(change.new)
            near = "c.new = ? COLLATE NOCASE OR c.new IS NULL OR abs(CAST(c.new AS REAL) - ?) <= ? * abs(c.new)"
            values = [text, number if number is not None else "", _ROUNDED]
        moved = f"FROM changes c JOIN runs r ON r.run = c.run WHERE c.knob IN ({_marks(names)}) AND {self.tried}"
        asked = (*values, *names, self.campaign, self.before)
        rows = sorted(self.db.execute(f"SELECT r.number, r.run, {near} {moved}", asked), reverse=True)
        alike = [run for _, run, hit in rows if hit][:_MOST_ALIKE]
        return self._runs({*alike, *(run for _, run, _ in rows[:_LATEST])})

    def in_words(self, description: str) -> list[Past]:
        """Runs whose description has most of the longest words of this heading, the latest first."""
        words = set(re.findall(r"[^\W\d_]{3,}", heading_of(description).words.lower())) - WORDS["small"]
        longest = sorted(words, key=lambda word: (-len(word), word))[:_MOST_WORDS]
        if not longest:
            return []
        hits = " + ".join(["(r.description LIKE ?)"] * len(longest))
        rows = self.db.execute(
            f"SELECT r.run, {hits} AS hits FROM runs r WHERE {self.tried} ORDER BY hits DESC, r.number DESC LIMIT ?",
            (*(f"%{word}%" for word in longest), self.campaign, self.before, _MOST_IN_WORDS),
        )
        return self._runs({run for run, found in rows if found >= 0.4 * len(longest)})

    def moves_since(self, number: int) -> list[Move]:
        """Kept runs after this one, in order, and every retracted one that was kept before."""
        own = "r.number, r.verdict = 'retract', r.description, coalesce(c.origin, '')"
        select = f"SELECT {own}, c.component, c.knob, c.old, c.new, c.direction, c.magnitude FROM runs r"
        joined = "LEFT JOIN changes c ON c.run = r.run WHERE r.campaign = ? AND r.number < ? AND r.role = 'candidate'"
        rows = self.db.execute(
            f"{select} INDEXED BY runs_status {joined} AND r.status = 'keep' AND r.number > ?"
            f" UNION ALL {select} {joined} AND r.verdict = 'retract' AND {_WAS_KEPT}",
            (self.campaign, self.before, number, self.campaign, self.before),
        ).fetchall()
        found: dict[int, tuple[bool, str, str, list[Change]]] = {}
        for run, undone, description, origin, *parts in sorted(rows, key=lambda row: row[0]):
            made = found.setdefault(run, (bool(undone), description, origin, []))[3]
            if parts[1] is not None:
                made.append(change_from(*parts))
        moves = []
        for run, (undone, description, origin, made) in found.items():
            unread = not made or (origin == "text" and bool(words_left(heading_of(description), made)))
            moves.append(Move(run, tuple(normal_name(change.knob) for change in made), unread, undone))
        return moves

    def _runs(self, entries: Collection[int]) -> list[Past]:
        rows = self.db.execute(
            "SELECT r.run, r.number, r.status, r.description, r.parent, r.error, r.value,"
            " coalesce((SELECT p.number FROM runs p WHERE p.run = r.parent AND p.campaign = r.campaign), r.number),"
            " (SELECT k.value FROM champions k WHERE k.campaign = r.campaign AND k.since < r.number"
            " AND (k.until IS NULL OR k.until >= r.number)),"
            # A loss by the noise that was known then may be none by that of now.
            " (SELECT max(v.numbers ->> '$.z' * coalesce((v.numbers ->> '$.sigma') / nullif(?, 0), 1)) FROM verdicts v"
            " WHERE v.run = r.run), r.campaign, iif(c.better = 'higher', -1, 1)"
            f" FROM runs r JOIN campaigns c USING (campaign) WHERE r.run IN ({_marks(entries)})"
            " ORDER BY r.number DESC, r.id",
            (noise_floor(self.db, self.campaign, self.before).sigma, *entries),
        ).fetchall()
        made: dict[int, list[Change]] = {row[0]: [] for row in rows}
        origins: dict[int, str] = {}
        columns = "run, origin, component, knob, old, new, direction, magnitude"
        query = f"SELECT {columns} FROM changes WHERE run IN ({_marks(made)}) ORDER BY rowid"
        for entry, origin, *parts in self.db.execute(query, list(made)):
            made[entry].append(change_from(*parts))
            origins[entry] = origin
        return [
            Past(number, self._evidence(status, value, champion, z, sign), text, tuple(made[entry]),
                 origins.get(entry, "text") == "text", parent, number if status == "keep" else since, error, of, value)
            for entry, number, status, text, parent, error, value, since, champion, z, of, sign in rows
        ]  # fmt: skip

    def _evidence(
        self, status: str, value: float | None, champion: float | None, z: float | None, sign: int
    ) -> Evidence:
        """A run thrown away that measured no loss is unclear: within noise, or no worse than the champion of then."""
        evidence = _EVIDENCE[status]
        if evidence == "unclear" and z is not None and z > PROMISING_Z:
            return "promising"
        if evidence != "lost":
            return evidence
        if z is not None:
            return "unclear" if z > NOISE_Z else "lost"
        no_worse = value is not None and champion is not None and sign * (value - champion) <= 0
        return "unclear" if no_worse else "lost"


def change_from(
    component: str, knob: str, old: str | None, new: str | None, direction: Direction, magnitude: float | None
) -> Change:
    """A typed change from its row in the views."""
    return Change(component, knob, _scalar(old), _scalar(new), direction, magnitude)


@lru_cache(maxsize=16384)
def normal_name(knob: str) -> str:
    return normal_knob(knob)


def _scalar(text: str | None) -> Scalar:
    if text is None or text in ("true", "false"):
        return None if text is None else text == "true"
    try:
        return int(text) if re.fullmatch(r"-?\d+", text) else float(text)
    except ValueError:
        return text


def _marks(items: Collection[object]) -> str:
    return ",".join("?" for _ in items)
