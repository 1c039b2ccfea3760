"""Where a campaign stands, read from the views: champion, head, noise, what was tried. It decides nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from ...ledger import Scalar
from ...memory import Memory
from ...memory.effects.noise import Better, Noise, Pair, drifts, noise_floor, races_of
from ..proposers import Tried

#: Runs whose value was not chosen for being good: only these say how good a commit is.
_FRESH = "role IN ('baseline', 'pair', 'control') AND value IS NOT NULL AND status <> 'invalid'"
_LAST = 1 << 60
#: How the record of a patch begins that a person turned down; who, and why, follow.
REJECTED = "rejected by "


@dataclass(frozen=True, slots=True)
class Standing:
    """One run as the views show it; `parent` is an entry id or ''."""

    id: str
    number: int
    role: str
    status: str
    verdict: str
    value: float | None
    commit: str
    parent: str
    description: str


_STANDING = (
    "SELECT r.id, r.number, r.role, r.status, r.verdict, r.value, r.commit_id, coalesce(p.id, ''), r.description"
    " FROM runs r LEFT JOIN entries p ON p.seq = r.parent"
)


class Board:
    """Reads one campaign; every answer includes all that has landed."""

    def __init__(self, memory: Memory, campaign: str, better: Better) -> None:
        self.memory, self.campaign, self.better = memory, campaign, better

    def _all(self, where: str, *parameters: object) -> list[Standing]:
        rows = self.memory.db.execute(f"{_STANDING} WHERE r.campaign = ? AND {where}", (self.campaign, *parameters))
        return [Standing(*row) for row in rows]

    def _one(self, where: str, *parameters: object) -> Standing | None:
        found = self._all(f"{where} LIMIT 1", *parameters)
        return found[0] if found else None

    def standing(self, entry_id: str) -> Standing | None:
        return self._one("r.id = ?", entry_id)

    def numbered(self, number: int) -> Standing | None:
        return self._one("r.number = ?", number)

    def started(self) -> list[str]:
        rows = self.memory.db.execute("SELECT id FROM runs WHERE status = 'started' ORDER BY campaign, number")
        return [row[0] for row in rows]

    def unjudged(self) -> list[Standing]:
        """Candidates that were measured and never judged, because the harness ended in between."""
        return self._all("r.role = 'candidate' AND r.status = 'ok' AND r.verdict = '' ORDER BY r.number")

    def baseline(self) -> Standing | None:
        return self._one("r.role = 'baseline' AND r.value IS NOT NULL ORDER BY r.number")

    def champion(self) -> Standing | None:
        return (
            self._one("r.run = (SELECT run FROM champions c WHERE c.campaign = r.campaign AND c.until IS NULL)")
            or self.baseline()
        )

    def takes_over(self, candidate: Standing, beaten: Standing) -> int | None:
        """Since which number a win counts where that is not the candidate's own: it beat a champion that has reigned
        since a later one, now or when it won."""
        champion = self.champion()
        if champion is not None and champion.commit == beaten.commit:
            [since] = self.memory.db.execute(
                "SELECT max(since) FROM champions WHERE campaign = ? AND until IS NULL", (self.campaign,)
            ).fetchone()
            return self.last_number() if since and candidate.number < since else None
        [before] = self.memory.db.execute(
            "SELECT max(json_extract(v.numbers, '$.since')) FROM verdicts v JOIN runs r USING (run) WHERE r.id = ?",
            (candidate.id,),
        ).fetchone()
        return int(before) if before is not None else None

    def head(self) -> Standing | None:
        """What the next idea is built on: the champion, or what was provisionally kept since it won and rests on
        nothing retracted; else the baseline."""
        champion = "(SELECT run FROM champions c WHERE c.campaign = r.campaign AND c.until IS NULL)"
        return (
            self._one(
                f"r.status = 'keep' AND (r.verdict = 'confirmed' AND r.run = {champion} OR r.verdict = 'provisional'"
                " AND r.run NOT IN (SELECT entry FROM doubted WHERE kind = 'run')) ORDER BY"
                " (SELECT min(seq) FROM verdicts v WHERE v.run = r.run AND v.decision = r.verdict) DESC"
            )
            or self.baseline()
        )

    def last_number(self) -> int:
        row = self.memory.db.execute("SELECT max(number) FROM runs WHERE campaign = ?", (self.campaign,)).fetchone()
        return row[0] or 0

    def was_tried(self, settings: Mapping[str, Scalar], commit: str) -> bool:
        """Whether a candidate had this commit, or all of these settings."""
        return any(tried.settings == settings for tried in self.tried()) or (
            self._one("r.role = 'candidate' AND r.commit_id = ?", commit) is not None
        )

    def first_pair(self, candidate: Standing) -> int | None:
        """The number of the first run of a candidate's race, None where it has not begun."""
        row = self.memory.db.execute(
            "SELECT min(r.number) FROM refs f JOIN runs r ON r.run = f.seq"
            " WHERE f.target = ? AND f.role = 'tests' AND r.role = 'pair'",
            (candidate.id,),
        ).fetchone()
        return row[0] if row else None

    def rests_on(self, candidate: Standing, champion: Standing) -> bool:
        """Whether a candidate was made from a champion, or from what was made from it."""
        row = self.memory.db.execute(
            "WITH RECURSIVE line(run) AS (SELECT run FROM runs WHERE id = ? UNION"
            " SELECT r.parent FROM line JOIN runs r USING (run) WHERE r.parent IS NOT NULL)"
            " SELECT 1 FROM line JOIN runs USING (run) WHERE commit_id = ? LIMIT 1",
            (candidate.id, champion.commit),
        ).fetchone()
        return row is not None

    def fresh_values(
        self, commit: str, before: int | None = None, alone: bool | None = None, since: int = 0
    ) -> list[float]:
        """Values of a commit that were not chosen for being good; `before` leaves out runs from that number on,
        `since` those before it, and `alone` those known to have been measured otherwise."""
        rows = self.memory.db.execute(
            f"SELECT id, value FROM runs WHERE campaign = ? AND commit_id = ? AND {_FRESH} AND number < ?"
            " AND number >= ? ORDER BY number",
            (self.campaign, commit, before or _LAST, since),
        ).fetchall()
        return [value for run, value in rows if alone is None or self.was_alone(run) == alone]

    def latest_drift(self, before: int | None = None) -> int:
        """The number of the control that last showed another machine; 0 where none did."""
        return max(drifts(self.memory.db, self.campaign, before), default=0)

    def great_losses(self, champion: Standing) -> list[int]:
        """Numbers of the latest candidates in a row that lost by over three sigma since the champion was measured."""
        rows = self.memory.db.execute(
            "SELECT r.number, json_extract(v.numbers, '$.z') FROM runs r JOIN verdicts v ON v.run = r.run"
            " WHERE r.campaign = ?1 AND r.role = 'candidate' AND r.verdict = v.decision AND r.number > coalesce((SELECT"
            f" max(number) FROM runs WHERE campaign = ?1 AND commit_id = ?2 AND {_FRESH}), 0) ORDER BY r.number DESC",
            (self.campaign, champion.commit),
        )
        return [number for number, z in takewhile(lambda row: row[1] is not None and row[1] < -3, rows)]

    def was_alone(self, entry_id: str) -> bool | None:
        """Whether nothing else ran beside a run; None where that is not known, or nothing ever did."""
        [at_once] = self.memory.db.execute(
            "SELECT json_extract(body, '$.meta.at_once') FROM entries WHERE id = ?", (entry_id,)
        ).fetchone()
        return None if at_once is None else at_once == 1

    def noise(self, before: int | None = None) -> Noise:
        return noise_floor(self.memory.db, self.campaign, before)

    def pairs(self, candidate: Standing, other: Standing) -> list[Pair]:
        """(candidate, other) values of all fresh pairs of two runs, in order; half a pair does not count."""
        found = races_of(self.memory.db, self.campaign).get(tuple(sorted((candidate.commit, other.commit))), [])
        return [pair[::-1] for pair in found] if candidate.commit > other.commit else found

    def late(self, candidate: Standing, other: Standing) -> list[int]:
        """The numbers of the runs of a candidate that ran out of time on a seed on which the other side did not."""
        rows = self.memory.db.execute(
            "SELECT r.number FROM runs r JOIN runs o ON o.campaign = r.campaign AND o.seed = r.seed AND o.role = 'pair'"
            " AND o.commit_id = ? AND o.value IS NOT NULL WHERE r.campaign = ? AND r.role = 'pair'"
            " AND r.commit_id = ? AND r.status = 'timeout' ORDER BY r.number",
            (other.commit, self.campaign, candidate.commit),
        )
        return [number for (number,) in rows]

    def broken(self, candidate: Standing) -> list[tuple[int, str]]:
        """(number, what went wrong) of the runs of a candidate's pairs that crashed or were no evidence."""
        return self.memory.db.execute(
            "SELECT r.number, r.error FROM refs f JOIN runs r ON r.run = f.seq WHERE f.target = ? AND f.role = 'tests'"
            " AND r.role = 'pair' AND r.commit_id = ? AND r.status IN ('crash', 'invalid') AND r.error <> ''"
            " ORDER BY r.number",
            (candidate.id, candidate.commit),
        ).fetchall()

    def looks(self, candidate: Standing) -> int:
        """How many pairs were started for a candidate, measured or not."""
        [count] = self.memory.db.execute(
            "SELECT count(DISTINCT r.seed) FROM refs f JOIN runs r ON r.run = f.seq"
            " WHERE f.target = ? AND f.role = 'tests' AND r.role = 'pair'",
            (candidate.id,),
        ).fetchone()
        return int(count)

    def carried(self) -> list[Standing]:
        """Wins over a champion that was replaced meanwhile, not yet measured on top of the new one."""
        return self._all(
            "r.role = 'candidate' AND EXISTS (SELECT 1 FROM verdicts v WHERE v.run = r.run AND v.seq ="
            " (SELECT max(seq) FROM verdicts w WHERE w.run = v.run AND w.decision = r.verdict)"
            " AND json_extract(v.numbers, '$.carry') = 1) AND NOT EXISTS"
            " (SELECT 1 FROM refs f JOIN runs n ON n.run = f.seq WHERE f.target = r.id AND f.role = 'tests'"
            " AND n.role = 'candidate') ORDER BY r.number"
        )

    def tried(self) -> tuple[Tried, ...]:
        """Every candidate in order: its settings and its parent's, and what both measured (fresh values first); that
        of its parent lies away by what `effects` says it gained."""
        db, sign = self.memory.db, 1 if self.better == "lower" else -1
        means: dict[str, float] = dict(
            db.execute(
                f"SELECT commit_id, avg(value) FROM runs WHERE campaign = ? AND {_FRESH} GROUP BY 1", (self.campaign,)
            )
        )
        taken_back = "r.verdict = 'retract' AND r.value IS NULL AND r.error LIKE ?"
        rows = db.execute(
            "SELECT r.run, r.number, r.commit_id, r.value, r.status, p.run, p.commit_id, p.value,"
            " (SELECT json_extract(body, '$.meta.origin') FROM entries WHERE seq = r.run),"
            " (SELECT max(gain) FROM measurements m WHERE m.run = r.run AND m.against = p.run) FROM runs r"
            " LEFT JOIN runs p ON p.run = r.parent WHERE r.campaign = ? AND r.role = 'candidate'"
            f" AND NOT ({taken_back}) ORDER BY r.number",
            (self.campaign, f"{REJECTED}%"),
        ).fetchall()
        return tuple(
            Tried(
                settings=self._settings(run),
                parent=self._settings(parent) if parent is not None else {},
                value=(ours := means.get(commit, value)),
                parent_value=means.get(parent_commit or "", other) if None in (ours, gain) else ours + sign * gain,
                status=status,
                number=number,
                origin=origin or "",
            )
            for run, number, commit, value, status, parent, parent_commit, other, origin, gain in rows
        )

    def rejected(self) -> list[tuple[int, str, str, dict[str, Scalar]]]:
        """What a person said no to and did not take back: run, who and why, the name of the change, and the settings
        that it moved; none where it changed more than those."""
        rows = self.memory.db.execute(
            "SELECT r.run, r.parent, r.number, r.error, coalesce(json_extract(e.body, '$.meta.change'), ''),"
            " coalesce(json_extract(e.body, '$.meta.code'), '') FROM runs r JOIN entries e ON e.seq = r.run"
            " WHERE r.campaign = ? AND r.status = 'blocked' AND r.error LIKE ? ORDER BY r.number",
            (self.campaign, f"{REJECTED}%"),
        ).fetchall()
        found = []
        for run, parent, number, said, key, code in rows:
            before = self._settings(parent) if parent is not None else {}
            after = self._settings(run) if before and not code else {}
            found.append((number, said, key, {knob: new for knob, new in after.items() if before.get(knob) != new}))
        return found

    def _settings(self, run: int) -> dict[str, Scalar]:
        row = self.memory.db.execute("SELECT body FROM entries WHERE seq = ?", (run,)).fetchone()
        found: dict[str, Scalar] = json.loads(row[0]).get("settings", {}) if row else {}
        return found

    def final_of(self, commit: str) -> Standing | None:
        return self._one("r.role = 'final' AND r.commit_id = ?", commit)

    def artifacts(self, commit: str, limit: int = 4) -> Sequence[str]:
        """Blobs of what the fresh runs of a commit left behind, oldest first."""
        rows = self.memory.db.execute(
            "SELECT (SELECT target FROM refs WHERE refs.seq = runs.run AND refs.role = 'artifact') AS blob FROM runs"
            f" WHERE campaign = ? AND commit_id = ? AND {_FRESH} AND blob IS NOT NULL ORDER BY number LIMIT ?",
            (self.campaign, commit, limit),
        )
        return [row[0] for row in rows]
