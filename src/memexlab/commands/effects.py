"""What the memory knows of changes, as an answer: the effect of each."""

from __future__ import annotations

import difflib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from ..lab.evidence.logbook import read_logbook
from ..lab.wording import Amounts, change_told, clean, listed, plural, run_numbers
from ..ledger import UsageError
from ..memory.changes.names import normal_knob

if TYPE_CHECKING:
    from ..memory import Memory

#: What claims most comes first.
_ORDER = ("reversed", "conditional", "replicated", "unresolved", "within noise", "stale")
_UNKNOWN = "The noise is unknown (a baseline measured four times would tell): nothing here is called real, or noise."


@dataclass(frozen=True, slots=True)
class EffectTable:
    """Rows of `effects`, each with `measured`, its single gains as (run number, gain), and `moved`: where their signs
    differ and no condition is known, the settings in which the first and the last of these runs differ. `shift` is by
    how much a new seed alone moved the metric, where no noise is known.
    """

    campaign: str
    unit: str
    rows: tuple[Mapping[str, Any], ...]
    shift: float | None = None

    def data(self) -> list[dict[str, Any]]:
        return [dict(row) for row in self.rows]

    def __str__(self) -> str:
        if not self.rows:
            return f"no change of campaign {clean(self.campaign)} has been measured"
        amounts = Amounts.of(self.unit, self.scale)
        lines = [self._told(row, amounts) for row in self.rows]
        return "\n".join(lines + ([_UNKNOWN] if self.rows[0]["sigma"] is None else []))

    @property
    def scale(self) -> float | None:
        """What a gain is held against: the noise of one run, or the seed shift."""
        return (self.rows[0]["sigma"] if self.rows else None) or self.shift

    def _told(self, row: Mapping[str, Any], amounts: Amounts) -> str:
        text = change_told(row["knob"], row["old"], row["new"])
        text += f": {row['status']}, {amounts.estimate(row['gain'], row['low'], row['high'])}"
        text += f" {self.unit}".rstrip() + (f" under {clean(row['condition'])}" if row["condition"] else "")
        singles = [f"{amounts.signed(gain)} in #{number}" for number, gain in row["measured"][:6]]
        text += f"; {', '.join(singles)}" if len(singles) > 1 else f"; {run_numbers(row['runs'])}"
        text += f" and {row['n'] - 6} more" if row["n"] > 6 else ""
        if row["moved"]:
            text += f"; the signs differ, and so did {listed([clean(name, 60) for name in row['moved'][:6]])}"
        text += f"; never moved without {clean(row['confounded'])}" if row["confounded"] else ""
        if row["status"] == "unresolved" and row["runs_to_settle"]:
            text += f"; {plural(row['runs_to_settle'], 'fresh pair')} would settle it 8 times in 10"
        return text


def effects_of(memory: Memory, campaign: str, knob: str | None = None) -> EffectTable:
    """What is known about each change of a campaign, what claims most first; raises UsageError for an unknown name."""
    from ..memory.effects.estimates import CampaignEffects

    db = memory.db
    found = db.execute("SELECT unit FROM campaigns WHERE campaign = ?", (campaign,)).fetchone()
    if found is None:
        raise UsageError(f"no campaign {campaign!r}", 'memex sql "select campaign from campaigns"')
    known = [row[0] for row in db.execute("SELECT DISTINCT knob FROM effects WHERE campaign = ?", (campaign,))]
    if knob is not None and knob not in known:
        same = [name for name in known if normal_knob(name) == normal_knob(knob)]
        if len(same) == 1:
            return effects_of(memory, campaign, same[0])
        near = difflib.get_close_matches(knob, known, n=1, cutoff=0.4)
        raise UsageError(f"no change of {knob!r} was measured", " ".join(["memex effects", *near]))
    where, values = ("campaign = ?", (campaign,)) if knob is None else ("campaign = ? AND knob = ?", (campaign, knob))
    singles: dict[tuple[object, ...], list[tuple[int, float, int]]] = defaultdict(list)
    for component, name, old, new, number, gain, against in db.execute(
        "SELECT component, knob, old, new, r.number, gain, against FROM"
        f" (SELECT * FROM measurements WHERE {where}) JOIN runs r USING (run) ORDER BY r.number, r.id", values,
    ):  # fmt: skip
        singles[component, name, old, new].append((number, gain, against))
    cursor = db.execute(f"SELECT * FROM effects WHERE {where}", values)
    rows = [dict(zip([column[0] for column in cursor.description], row, strict=True)) for row in cursor]
    book = CampaignEffects(db, campaign)
    for row in rows:
        row["runs"] = json.loads(row["runs"])
        among = set(row["runs"])
        of, old, new = (row["component"], row["knob"]), row["old"], row["new"]
        by = singles.get((*of, old, new), [])
        if back := singles.get((*of, new, old)) if old != new else None:
            by = sorted([*by, *((number, -gain, against) for number, gain, against in back)], key=itemgetter(0))
        by = [one for one in by if one[0] in among]
        first, last = book.context(by[0][2]), book.context(by[-1][2])
        differ = not row["condition"] and len({gain > 0 for _, gain, _ in by if gain}) > 1
        moved = sorted(k for k in {**first, **last} if k != row["knob"] and first.get(k) != last.get(k))
        row |= {"measured": [one[:2] for one in by], "moved": moved if differ else []}
    rows += book.stacks() if knob is None else []
    rows.sort(key=lambda row: (_ORDER.index(row["status"]), -abs(row["gain"]), row["knob"], row["runs"]))
    shift = read_logbook(db, campaign).seed_shift if rows and rows[0]["sigma"] is None else None
    return EffectTable(campaign, found[0], tuple(rows), shift.shift if shift else None)
