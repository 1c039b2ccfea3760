"""How present a run or a document is, for the order among those that fit equally well.

Base-level activation of ACT-R (Anderson and Schooler 1991): B = ln(sum of t^-d) over its uses, d = 0.5. A use is the
entry itself and every entry that points to it; t counts the runs since, and for a run the settings in which it differs
from the newest champion. Whether a run was kept plays no part, and nothing is left out.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Sequence


def base_level(distances: Iterable[float]) -> float:
    """B of uses at these distances, each at least 1; -inf where there was none."""
    strength = math.fsum(max(1.0, distance) ** -0.5 for distance in distances)
    return math.log(strength) if strength else -math.inf


def base_levels(db: sqlite3.Connection, entries: Sequence[int]) -> dict[int, float]:
    """B of these entries, named by `entries.seq`."""
    these = f"e.seq IN ({', '.join(map(str, entries))})"
    pointing = f"SELECT e.seq, x.seq FROM entries e JOIN refs x ON x.target = e.id WHERE {these}"
    champion = "SELECT run FROM champions WHERE campaign = (SELECT campaign FROM runs WHERE run = entry)"
    settings = "settings s JOIN settings c USING (knob) WHERE s.run = entry AND s.value IS NOT c.value"
    away = f"SELECT count(*) FROM {settings} AND c.run = ({champion} ORDER BY since DESC LIMIT 1)"
    uses = f"SELECT e.seq AS entry, e.seq AS used FROM entries e WHERE {these} UNION ALL {pointing}"
    sql = f"SELECT entry, 1 + (SELECT count(*) FROM runs WHERE run > used) + ({away}) FROM ({uses})"
    rows = db.execute(sql).fetchall()
    return {entry: base_level(distance for one, distance in rows if one == entry) for entry in entries}
