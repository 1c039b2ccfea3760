"""Which campaign a run belongs to where two labs used one name: that of the definition it points to.

A campaign is its definition, not its name. Of several definitions of one name the one recorded first (equal instants go
by id) shows the plain name, every other one NAME@ and six digits of its id. Both follow from the entries alone.
"""

from __future__ import annotations

import sqlite3

CAMPAIGN = "campaign:"
_ID_DIGITS = 6


def shown_names(db: sqlite3.Connection, name: str) -> dict[int, str]:
    """Position of each definition of this plain name, and what its campaign is called here, the plain one first."""
    rows = db.execute(
        "SELECT seq, id FROM entries WHERE kind = 'source' AND subject = ? ORDER BY at, id", (CAMPAIGN + name,)
    ).fetchall()
    return {
        seq: name if place == 0 else f"{name}@{entry[2 : 2 + _ID_DIGITS]}" for place, (seq, entry) in enumerate(rows)
    }


def plain_names(campaign: str) -> tuple[str, ...]:
    """The names under which a campaign that is called so may have been defined."""
    before, at, _ = campaign.rpartition("@")
    return (campaign, before) if at else (campaign,)


def definition_of(db: sqlite3.Connection, campaign: str) -> int | None:
    """Position of the definition of the campaign that is called so."""
    for name in plain_names(campaign):
        for seq, shown in shown_names(db, name).items():
            if shown == campaign:
                return seq
    return None


def home_of(db: sqlite3.Connection, run: int, campaign: str) -> str:
    """What the campaign of a run is called here; `campaign` is what its entry says.

    A run that points to no definition belongs where the run does that it was derived from, tests or ends.
    """
    wanted = [CAMPAIGN + name for name in plain_names(campaign)]
    at: int | None = run
    while at is not None:
        found = db.execute(
            "SELECT e.seq, e.subject FROM refs r JOIN entries e ON e.id = r.target WHERE r.seq = ? AND r.role = 'from'"
            " AND e.kind = 'source' AND e.subject IN (?, ?) ORDER BY r.rowid LIMIT 1",
            (at, wanted[0], wanted[-1]),
        ).fetchone()
        if found:
            return shown_names(db, found[1].removeprefix(CAMPAIGN))[found[0]]
        before = db.execute(
            "SELECT e.seq FROM refs r JOIN entries e ON e.id = r.target WHERE r.seq = ? AND e.kind = 'run'"
            " AND r.role IN ('supersedes', 'parent', 'tests') ORDER BY r.rowid LIMIT 1",
            (at,),
        ).fetchone()
        at = before[0] if before else None
    return campaign
