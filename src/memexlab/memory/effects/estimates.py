"""The folds `measurements` and `effects`: what each run showed of its changes, and what all runs say of each change.

They are settled at the end of every fold, in its transaction: whoever reads the tables, by whatever means, reads them
right. A new candidate settles the changes it made and nothing else; another champion, what it makes stale or fresh
again. What moves every row of a campaign settles it whole: a repeat of a baseline or a fresh pair (sigma moves), a
retraction.
"""

from __future__ import annotations

import json
import math
import sqlite3
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from ...ledger import FAILED
from ..retraction import in_force
from .heterogeneity import Judgement, Measured, judge
from .noise import Better, Noise, Pair, drifts, fresh_by_spell, fresh_values, gain_of, noise_floor, races_of

#: A run that moved more knobs at once says nothing about any of them, and gives no rows.
MOST_KNOBS = 6
#: The champion must have moved this many other knobs before what was measured is called stale. Each win moves one:
#: if one were enough, every change would be stale with the next win.
STALE_AFTER = 3

_FAILED = ",".join(f"'{status}'" for status in sorted(FAILED))
_USABLE = f"value IS NOT NULL AND status NOT IN ({_FAILED})"
_CANDIDATES = f"campaign = ? AND role = 'candidate' AND {_USABLE}"
_OF_GROUP = " AND knob = ? AND component = ? AND (old IS ? AND new IS ? OR old IS ? AND new IS ?)"
_Group = tuple[str, str, str | None, str | None]
#: Since which run number, and which run, in order.
Reigns = Sequence[tuple[int, int]]
Context = Mapping[str, str | None]


def settle(
    db: sqlite3.Connection, campaigns: Iterable[str], runs: Iterable[int], reigned: Mapping[str, Reigns]
) -> None:
    """Makes both tables right for these campaigns as a whole; of others for these runs, and for another champion.

    `reigned` says who was champion when the tables were last right, where that may have moved.
    """
    whole = set(campaigns)
    for campaign in whole:
        CampaignEffects(db, campaign).settle_all()
    touched: dict[str, list[int]] = {campaign: [] for campaign in reigned}
    rows = db.execute("SELECT campaign, run FROM runs WHERE run IN (SELECT value FROM json_each(?))", (_json(runs),))
    for campaign, run in rows.fetchall():
        touched.setdefault(campaign, []).append(run)
    for campaign in touched.keys() - whole:
        CampaignEffects(db, campaign).settle_some(touched[campaign], reigned.get(campaign))


@dataclass(frozen=True, slots=True)
class Side:
    """A run that others are compared with: its value, the values of its commit that nobody selected, its number."""

    run: int
    number: int
    commit: str
    value: float
    fresh: Sequence[float]

    @property
    def level(self) -> float:
        return math.fsum(self.fresh) / len(self.fresh) if self.fresh else self.value

    @property
    def n(self) -> int:
        return max(1, len(self.fresh))


class _Row(NamedTuple):
    """One row of `measurements` with the run's number."""

    run: int
    number: int
    old: str | None
    new: str | None
    gain: float
    error: float | None
    pairs: int
    basis: str
    confounded: int
    against: int


class _Judged(NamedTuple):
    """What a verdict has: its gain over a champion, of so many fresh pairs or of one run, and the error in sigmas."""

    gain: float
    pairs: int
    error: float | None
    champion: int | None


class CampaignEffects:
    """What one campaign knows of its changes; reads the views as they are, so make one, use it and drop it."""

    def __init__(self, db: sqlite3.Connection, campaign: str, reigns: Reigns | None = None) -> None:
        """`reigns` is who was champion at another time; without it, the champions of now."""
        self.db, self.campaign = db, campaign
        if reigns is not None:
            self._reigns = reigns
        row = db.execute("SELECT better, origin FROM campaigns WHERE campaign = ?", (campaign,)).fetchone()
        self.better: Better = "higher" if row and row[0] == "higher" else "lower"
        self.is_lab = bool(row) and row[1] == "lab"
        self._sides: dict[int, Side | None] = {}
        self._contexts: dict[int, Context] = {}
        self._moved: dict[int, frozenset[str]] = {}

    # --- what is known

    @cached_property
    def fresh(self) -> Mapping[str, Sequence[float]]:
        return fresh_values(self.db, self.campaign)

    @cached_property
    def _turns(self) -> Sequence[int]:
        return drifts(self.db, self.campaign)

    @cached_property
    def noise(self) -> Noise:
        return noise_floor(self.db, self.campaign)

    @property
    def sigma(self) -> float | None:
        return self.noise.sigma if self.noise.known else None

    def side(self, run: int | None) -> Side | None:
        """A run that counts, or None where it does not: failed, retracted, superseded, or of another campaign."""
        if run is not None and run not in self._sides:
            row = self.db.execute(
                f"SELECT run, number, commit_id, value FROM runs WHERE run = ? AND campaign = ? AND {_USABLE}",
                (run, self.campaign),
            ).fetchone()
            self._sides[run] = Side(run, row[1], row[2], row[3], self.fresh.get(row[2], ())) if row else None
        return None if run is None else self._sides[run]

    @cached_property
    def _reigns(self) -> Reigns:
        return self.db.execute(
            "SELECT since, run FROM champions WHERE campaign = ? ORDER BY since", (self.campaign,)
        ).fetchall()

    def reference(self, ours: Side, parent: int | None) -> Side | None:
        """What a run is compared with: its parent or, in a log without parents, the running best before it.

        Where the machine drifted in between, only values of the run's own spell count; without any there is nothing.
        """
        at = bisect_left(self._reigns, (ours.number,))
        theirs = self.side(parent if parent is not None else self._reigns[at - 1][1] if at else None)
        if theirs is None or theirs.run == ours.run:
            return None
        spell = bisect_right(self._turns, ours.number)
        if not self._turns or spell == 0:
            return theirs
        fresh = fresh_by_spell(self.db, self.campaign).get((spell, theirs.commit), [])
        is_near = bisect_right(self._turns, theirs.number) == spell
        return replace(theirs, fresh=fresh) if fresh or is_near else None

    # --- measuring

    def settle_all(self) -> None:
        for table in ("measurements", "effects"):
            self.db.execute(f"DELETE FROM {table} WHERE campaign = ?", (self.campaign,))
        self._measure("", ())
        self._pool(self._changes("", ()))

    def settle_some(self, runs: Iterable[int], reigned: Reigns | None = None) -> None:
        """These runs, and with `reigned` what the way from these champions to those of now touches."""
        groups, measured = set[_Group](), set(runs)
        if reigned is not None and reigned != self._reigns:
            more, groups = self._touched_since(CampaignEffects(self.db, self.campaign, reigned))
            measured |= more
        of_them = " AND run IN (SELECT value FROM json_each(?))", (_json(measured),)
        groups |= self._changes(*of_them)
        self.db.execute("DELETE FROM measurements WHERE campaign = ?" + of_them[0], (self.campaign, *of_them[1]))
        self._measure(*of_them)
        groups |= self._changes(*of_them)
        self.db.executemany(f"DELETE FROM effects WHERE campaign = ?{_OF_GROUP}", map(self._key, groups))
        self._pool(groups)

    def _touched_since(self, then: CampaignEffects) -> tuple[set[int], set[_Group]]:
        """Runs that may be compared with another champion now, and changes of which other things hold under it."""
        since = min(set(then._reigns) ^ set(self._reigns))[0]
        runs = self.db.execute(
            f"SELECT run FROM runs WHERE {_CANDIDATES} AND parent IS NULL AND number > ?", (self.campaign, since)
        ).fetchall()
        references = self.db.execute(
            "WITH RECURSIVE each(run) AS (SELECT min(against) FROM measurements WHERE campaign = :c UNION ALL SELECT"
            " (SELECT min(against) FROM measurements WHERE campaign = :c AND against > each.run) FROM each"
            " WHERE each.run IS NOT NULL) SELECT run FROM each WHERE run IS NOT NULL", {"c": self.campaign},
        ).fetchall()  # fmt: skip
        moved = [run for (run,) in references if self._standing(run) != then._standing(run)]
        groups = self._changes(" AND against IN (SELECT value FROM json_each(?))", (_json(moved),))
        before, now = (book.context(book.champion.run) if book.champion else {} for book in (then, self))
        for knob in {**before, **now}:
            for value in {before.get(knob), now.get(knob)} if before.get(knob) != now.get(knob) else ():
                groups |= self._changes(" AND knob = ? AND new IS ?", (knob, value), "effects")
        return {run for (run,) in runs}, groups

    def _standing(self, run: int) -> tuple[object, object]:
        """What of a run as a reference decides on a change: the context it gives, and what `is_stale` asks."""
        moved = self.moved_since(run) if self.champion else frozenset[str]()
        near = moved if len(moved) == STALE_AFTER else len(moved) > STALE_AFTER
        return near, self.context(run) if self.sigma is not None else None

    def _changes(self, where: str, values: tuple[object, ...], table: str = "measurements") -> set[_Group]:
        rows = self.db.execute(
            f"SELECT DISTINCT component, knob, old, new FROM {table} WHERE campaign = ?{where}",
            (self.campaign, *values),
        )
        return {_group(*row) for row in rows}

    def _key(self, group: _Group) -> tuple[object, ...]:
        component, knob, low, high = group
        return self.campaign, knob, component, low, high, high, low

    def _measure(self, where: str, values: tuple[object, ...]) -> None:
        judged = self._judgements(where, values)
        changes: dict[int, list[tuple[str, str, str | None, str | None, str]]] = defaultdict(list)
        for run, *change in self.db.execute(
            "SELECT run, component, knob, old, new, direction, magnitude FROM changes WHERE run IN"
            f" (SELECT run FROM runs WHERE {_CANDIDATES}{where} AND (SELECT count(*) FROM changes c"
            f" WHERE c.run = runs.run) <= {MOST_KNOBS})",
            (self.campaign, *values),
        ):
            changes[run].append((*change[:2], *named_values(*change[2:]), change[4]))
        rows: list[tuple[Any, ...]] = []
        for run, parent, *cells in self.db.execute(
            f"SELECT run, parent, number, commit_id, value FROM runs WHERE {_CANDIDATES}{where}",
            (self.campaign, *values),
        ).fetchall():
            moved = changes.get(run, [])
            ours = Side(run, cells[0], cells[1], cells[2], self.fresh.get(cells[1], ()))
            found = self._measured(ours, parent, judged.get(run)) if moved else None
            if found is not None:
                gain, error, pairs, basis, against = found
                more = (gain, error, pairs, basis, int(len(moved) > 1), against)
                rows += [(run, self.campaign, *change, *more) for change in moved]
        self.db.executemany(f"INSERT INTO measurements VALUES ({','.join('?' * 13)})", rows)

    def _measured(
        self, ours: Side, parent: int | None, judged: _Judged | None
    ) -> tuple[float, float | None, int, str, int] | None:
        """Gain, standard error, fresh runs, basis and reference, of what was measured side by side where there is any:
        what the machine did meanwhile is in both sides of it; of one run, what the judge saw, who compared it with runs
        that were measured as it was. None where nothing can be said."""
        theirs = self.reference(ours, parent)
        if theirs is None:
            return None
        against, fresh = self.side(judged.champion) if judged else None, len(ours.fresh)
        is_same = against is not None and (against.run == theirs.run or against.commit == theirs.commit != "")
        raced = [pair for pair in self._races.get((ours.commit, theirs.commit), ()) if math.isfinite(sum(pair))]
        scale, sigma = math.sqrt(1 / max(1, fresh) + 1 / theirs.n), self.noise.alone.sigma
        gain, basis = gain_of(ours.level, theirs.level, self.better), "fresh runs" if fresh else "one run"
        if judged and is_same and judged.pairs:
            scale = judged.error if judged.error is not None else math.sqrt(2 / judged.pairs)
            gain, basis, fresh, sigma = judged.gain, "pairs", judged.pairs, self.noise.sigma
        elif raced:  # and not judged by it: the race was given up, or goes on
            gain = math.fsum(gain_of(mine, other, self.better) for mine, other in raced) / len(raced)
            scale, basis, fresh, sigma = math.sqrt(2 / len(raced)), "pairs", len(raced), self.noise.sigma
        elif judged and is_same and not fresh:
            gain = judged.gain
        if not math.isfinite(gain):
            return None
        return gain, scale * sigma if self.noise.known else None, fresh, basis, theirs.run

    @cached_property
    def _races(self) -> Mapping[tuple[str, str], Sequence[Pair]]:
        """All fresh pairs by the two commits, in either order."""
        found = {}
        for (one, two), pairs in races_of(self.db, self.campaign).items():
            found[one, two], found[two, one] = pairs, [(b, a) for a, b in pairs]
        return found

    def _judgements(self, where: str, values: tuple[object, ...]) -> dict[int, _Judged]:
        """The last verdict on each run that has fresh pairs, or without one, the last first look at it."""
        rows = self.db.execute(
            "SELECT e.id, v.run, iif(v.pairs > 0, v.gain, v.numbers ->> '$.screen_gain') AS g, coalesce(v.pairs, 0),"
            " v.sigma, json_extract(v.numbers, '$.standard_error'), v.champion"
            " FROM verdicts v JOIN entries e USING (seq) WHERE g IS NOT NULL AND v.run IN"
            f" (SELECT run FROM runs WHERE {_CANDIDATES}{where}) ORDER BY v.pairs > 0, e.at, e.id",
            (self.campaign, *values),
        ).fetchall()
        counting = in_force(self.db, [row[0] for row in rows])
        found = {}
        for verdict, run, gain, pairs, sigma, error, champion in rows:
            if verdict not in counting:
                continue
            has_error = isinstance(error, float) and isinstance(sigma, float) and error > 0 and sigma > 0
            found[run] = _Judged(gain, int(pairs), error / sigma if has_error else None, champion)
        return found

    # --- pooling

    def _pool(self, groups: Iterable[_Group]) -> None:
        rows = []
        for group in groups:
            members = self.db.execute(
                "SELECT m.run, r.number, m.old, m.new, m.gain, m.standard_error, m.pairs, m.basis, m.confounded,"
                f" m.against FROM measurements m JOIN runs r ON r.run = m.run WHERE m.campaign = ?{_OF_GROUP}"
                " ORDER BY r.number, r.id", self._key(group),
            )  # fmt: skip
            if found := [_Row._make(row) for row in members]:
                rows.append(self._effect(group, found))
        self.db.executemany(f"INSERT INTO effects VALUES ({','.join('?' * 15)})", rows)

    def _effect(self, group: _Group, members: Sequence[_Row]) -> tuple[object, ...]:
        component, knob = group[:2]
        old, new = members[0].old, members[0].new
        alone = [row for row in members if not row.confounded]
        used = alone or members
        moved_along = [] if alone else sorted(self._changed(row.run for row in used) - {knob})
        paired = all(row.basis == "pairs" for row in used)
        noise = self.noise if paired else replace(self.noise, dof=min(self.noise.dof, self.noise.alone.dof))
        found = judge(self._combined(used, (old, new), knob), noise)
        status, settle_at = found.status, found.pairs_to_settle
        if moved_along:
            found, status, settle_at = Judgement("unresolved", found.gain, found.low, found.high), "unresolved", None
        against = {row.against for row in used}
        if status in ("unresolved", "within noise") and all(self.is_stale(run, knob, new) for run in against):
            status = "stale"
        return (
            self.campaign, component, knob, old, new, len(used), found.gain, found.low, found.high, self.sigma, status,
            " or ".join(f"{name} = {'none' if value is None else value}" for name, value in found.condition),
            settle_at, json.dumps([row.number for row in used]), ", ".join(moved_along),
        )  # fmt: skip

    def _combined(self, rows: Sequence[_Row], change: tuple[str | None, str | None], knob: str) -> list[Measured]:
        """Independent measurements: runs against one reference share its error, so they are averaged first."""
        sigma = self.noise.alone.sigma if self.noise.known else None
        single = sigma is None or len(rows) == 1  # nothing to tell apart

        def context(run: int) -> Context:
            return {} if single else {name: v for name, v in self.context(run).items() if name != knob}

        shared: dict[int, list[tuple[float, _Row]]] = defaultdict(list)
        result = []
        for row in rows:
            gain = row.gain if (row.old, row.new) == change else -row.gain
            if row.basis == "pairs":
                result.append(Measured(gain, row.error, row.pairs + 1, context(row.against)))
            else:
                shared[row.against].append((gain, row))
        for against, parts in shared.items():
            weights = [max(1, row.pairs) for _, row in parts]
            gain = math.fsum(w * g for w, (g, _) in zip(weights, parts, strict=True)) / sum(weights)
            theirs = self.side(against)
            error = sigma * math.sqrt(1 / sum(weights) + 1 / (theirs.n if theirs else 1)) if sigma is not None else None
            seen = sum(row.pairs + 1 for _, row in parts)
            result.append(Measured(gain, error, seen, context(against)))
        return result

    def stacks(self) -> list[dict[str, Any]]:
        """Raced runs that moved several knobs at once, each as a row of `effects`: its gain is of all of them."""
        parts: dict[tuple[Any, ...], list[tuple[str, str, str]]] = defaultdict(list)
        for number, gain, error, pairs, *change in self.db.execute(
            "SELECT r.number, m.gain, m.standard_error, m.pairs, m.knob, coalesce(m.old, 'none'), coalesce(m.new,"
            " 'none') FROM measurements m JOIN runs r USING (run) WHERE m.campaign = ? AND m.confounded"
            " AND m.basis = 'pairs' ORDER BY 1, 5", (self.campaign,),
        ):  # fmt: skip
            parts[number, gain, error, pairs].append((change[0], change[1], change[2]))
        rows = []
        for (number, gain, error, pairs), moved in parts.items():
            found = judge([Measured(gain, error, pairs + 1, {})], self.noise)
            knob, old, new = (" + ".join(cells) for cells in zip(*moved, strict=True))
            rows.append({
                "campaign": self.campaign, "component": "", "knob": knob, "old": old, "new": new, "n": 1, "gain": gain,
                "low": found.low, "high": found.high, "sigma": self.sigma, "status": found.status, "condition": "",
                "runs_to_settle": found.pairs_to_settle, "runs": [number], "confounded": "",
                "measured": [(number, gain)], "moved": [],
            })  # fmt: skip
        return rows

    def _changed(self, runs: Iterable[int]) -> set[str]:
        rows = self.db.execute(
            "SELECT DISTINCT knob FROM changes WHERE run IN (SELECT value FROM json_each(?))", (_json(runs),)
        )
        return {row[0] for row in rows}

    # --- settings

    def context(self, run: int) -> Context:
        """The settings of a run; where none were recorded, what the champions up to it are known to have changed."""
        if run not in self._contexts:
            rows = self.db.execute("SELECT knob, value FROM settings WHERE run = ?", (run,))
            found: dict[str, str | None] = dict(rows.fetchall())
            if not found or not self.is_lab:  # outside a lab a knob that is not named was not recorded
                row = self.db.execute("SELECT number FROM runs WHERE run = ?", (run,)).fetchone()
                replayed = {knob: old for _, knob, old, _ in reversed(self._replayed)}
                replayed |= {knob: new for since, knob, _, new in self._replayed if row and since <= row[0]}
                found = replayed | found
            self._contexts[run] = found
        return self._contexts[run]

    @cached_property
    def _replayed(self) -> list[tuple[int, str, str | None, str | None]]:
        """What each champion changed, in order: since which number, the knob, its value before and after."""
        since = {run: number for number, run in self._reigns}
        rows = self.db.execute(
            "SELECT run, knob, old, new, direction, magnitude FROM changes WHERE run IN"
            " (SELECT value FROM json_each(?)) ORDER BY component, knob", (_json(since),),
        )  # fmt: skip
        found = [(since[run], knob, *named_values(*change)) for run, knob, *change in rows]
        return sorted(found, key=lambda change: change[0])

    @cached_property
    def champion(self) -> Side | None:
        return self.side(self._reigns[-1][1]) if self._reigns else None

    def moved_since(self, run: int) -> frozenset[str]:
        """The knobs in which the champion of today differs from a run."""
        if run not in self._moved:
            now = self.context(self.champion.run) if self.champion else {}
            then = self.context(run) if now else {}
            self._moved[run] = frozenset(k for k in {**now, **then} if now.get(k) != then.get(k))
        return self._moved[run]

    def is_stale(self, against: int, knob: str, new: str | None) -> bool:
        """Whether the champion, which does not have this change, has moved three other knobs since it was measured."""
        if self.champion is None or self.context(self.champion.run).get(knob) == new:
            return False
        return len(self.moved_since(against) - {knob}) >= STALE_AFTER


def named_values(
    old: str | None, new: str | None, direction: str, magnitude: float | None
) -> tuple[str | None, str | None]:
    """The two values, or what is known in their place: what text says without them are different changes."""
    if old is not None or new is not None:
        return old, new
    if direction in ("add", "remove"):
        return (None, "there") if direction == "add" else ("there", None)
    return None, direction if magnitude is None else f"x{2**magnitude:.6g}"


def _group(component: str, knob: str, old: Any, new: Any) -> _Group:
    """A change and its opposite have one key."""
    first, second = sorted((old, new), key=lambda value: (value is not None, value or ""))
    return component, knob, first, second


def _json(runs: Iterable[int]) -> str:
    return json.dumps(list(runs))
