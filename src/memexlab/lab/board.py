"""Where a campaign stands, read from the views: champion, head, noise, what was tried. It decides nothing."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..ledger import Scalar
from ..memory import Memory
from ..memory.noise import Better, Noise
from .proposers import Tried

#: Runs whose value was not chosen for being good: only these say how good a commit is.
_FRESH = "role IN ('baseline', 'pair') AND value IS NOT NULL AND status <> 'invalid'"
_LAST = 1 << 60


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

    def head(self) -> Standing | None:
        """What the next idea is built on: the last run that was confirmed or provisionally kept and rests on nothing
        retracted, else the baseline."""
        return (
            self._one(
                "r.verdict IN ('confirmed', 'provisional') AND r.status = 'keep' AND (r.run NOT IN (SELECT entry FROM"
                " doubted WHERE kind = 'run') OR r.run = (SELECT run FROM champions c WHERE c.campaign = r.campaign"
                " AND c.until IS NULL)) ORDER BY (SELECT max(seq) FROM verdicts v WHERE v.run = r.run AND v.decision ="
                " r.verdict) DESC"
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

    def fresh_values(self, commit: str, before: int | None = None) -> list[float]:
        """Values of a commit that were not chosen for being good; `before` leaves out runs from that number on."""
        rows = self.memory.db.execute(
            f"SELECT value FROM runs WHERE campaign = ? AND commit_id = ? AND {_FRESH} AND number < ? ORDER BY number",
            (self.campaign, commit, before or _LAST),
        )
        return [row[0] for row in rows]

    def noise(self, before: int | None = None) -> Noise:
        """Sigma of the metric, pooled over every group of repeats of the same commit in this campaign."""
        groups: dict[str, list[float]] = defaultdict(list)
        for commit, value in self.memory.db.execute(
            f"SELECT commit_id, value FROM runs WHERE campaign = ? AND {_FRESH} AND number < ?",
            (self.campaign, before or _LAST),
        ):
            groups[commit].append(value)
        return Noise.pooled(groups.values())

    def pairs(self, candidate: Standing) -> list[tuple[float, float]]:
        """(candidate, champion) values of a candidate's fresh pairs, in order; half a pair does not count."""
        return [pair for pair in self._sides(candidate) if None not in pair]  # type: ignore[misc]

    def looks(self, candidate: Standing) -> int:
        """How many pairs were started for a candidate, measured or not."""
        return len(self._sides(candidate))

    def _sides(self, candidate: Standing) -> list[tuple[float | None, float | None]]:
        sides: dict[int, list[float | None]] = {}
        for seed, commit, value in self.memory.db.execute(
            "SELECT r.seed, r.commit_id, r.value FROM refs f JOIN runs r ON r.run = f.seq"
            " WHERE f.target = ? AND f.role = 'tests' AND r.role = 'pair' ORDER BY r.number",
            (candidate.id,),
        ):
            pair = sides.setdefault(seed, [None, None])
            pair[0 if commit == candidate.commit else 1] = value
        return [(first, second) for first, second in sides.values()]

    def all_pairs(self) -> list[list[tuple[float, float]]]:
        """The pairs of every race of the campaign, one list a race."""
        candidates = self._all("r.role = 'candidate' AND r.value IS NOT NULL ORDER BY r.number")
        return [pairs for pairs in map(self.pairs, candidates) if pairs]

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
        """Every candidate in order: its settings and its parent's, and what both measured (fresh values first)."""
        db = self.memory.db
        means: dict[str, float] = dict(
            db.execute(
                f"SELECT commit_id, avg(value) FROM runs WHERE campaign = ? AND {_FRESH} GROUP BY 1", (self.campaign,)
            )
        )
        rows = db.execute(
            "SELECT r.run, r.number, r.commit_id, r.value, r.status, p.run, p.commit_id, p.value,"
            " (SELECT json_extract(body, '$.meta.origin') FROM entries WHERE seq = r.run) FROM runs r"
            " LEFT JOIN runs p ON p.run = r.parent WHERE r.campaign = ? AND r.role = 'candidate' ORDER BY r.number",
            (self.campaign,),
        ).fetchall()
        return tuple(
            Tried(
                settings=self._settings(run),
                parent=self._settings(parent) if parent is not None else {},
                value=means.get(commit, value),
                parent_value=means.get(parent_commit or "", parent_value),
                status=status,
                number=number,
                origin=origin or "",
            )
            for run, number, commit, value, status, parent, parent_commit, parent_value, origin in rows
        )

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
