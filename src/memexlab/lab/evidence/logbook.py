"""Reads one campaign from the views. It judges nothing and writes nothing."""

from __future__ import annotations

import json
import math
import re
import sqlite3
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from typing import NamedTuple

from ...ledger import FAILED
from ...memory.effects.noise import Better, Noise, fresh_values, gain_of, noise_floor, student_t_quantile
from ..wording import plural

_SEED_ONLY = re.compile(
    r"(?:(?:change|different|new|another|only|just|random|rng|torch|the|set|try|same)[\s:]+)*seed\b"
    r"[\s:=#]*(?:from\s+)?\d*\s*(?:->|=>|→|to|vs\.?)?\s*\d*(?:\s*\([^()]*\))?",
    re.IGNORECASE,
)
_NUMBERS = ("value", "seconds", "usd")
_KNOB = "iif(c.component = '', c.knob, c.component || '.' || c.knob)"
#: What an idea is written with: a knob TO its new value AND the next; GONE is no value.
_TO, _AND, _GONE = "\x1f", "\x1d", "\x1e"
_SEED_KNOB = re.compile(r"(?:.*[._:])?(?:random_?|rng_?|torch_?)?seed", re.IGNORECASE)


class LoggedRun(NamedTuple):
    """One row of `runs`; a value that is not finite reads as none. A tuple, because a long history has many."""

    run: int
    id: str
    number: int
    role: str
    status: str
    verdict: str
    reason: str
    value: float | None
    description: str
    parent: int | None
    commit: str
    seed: int | None
    seconds: float | None
    usd: float | None
    hardware: str
    isolation: str
    self_reported: bool
    error: str
    at: str
    failed: bool  # whether it ran and measured nothing; what was refused before it ran, or retracted, did not fail
    usable: float | None  # the value, where the run still counts: a retracted or failed run has none


@dataclass(frozen=True, slots=True)
class Judged:
    """The judgement that counts for a run, and its gain over `champion` by all that is known now, as `effects` has it:
    of its fresh pairs or, without any, of its mean over `fresh` runs, else of its one run; `sigma` is that of then."""

    decision: str
    gain: float | None
    low: float | None
    high: float | None
    sigma: float | None
    pairs: int
    fresh: int
    champion: int | None
    numbers: Mapping[str, object]

    @property
    def seen(self) -> str:
        """What the gain rests on: `3 fresh pairs`, `1 fresh run`, `one run`."""
        if self.pairs:
            return plural(self.pairs, "fresh pair")
        return plural(self.fresh, "fresh run") if self.fresh else "one run"

    def number(self, name: str) -> float | None:
        value = self.numbers.get(name)
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class Reign:
    """A champion: the run, when it took over, what it gained on the one before."""

    run: int
    since: int
    value: float
    gain: float | None


class Change(NamedTuple):
    """One typed edit of a run."""

    knob: str
    old: str | None
    new: str | None
    direction: str


@dataclass(frozen=True, slots=True)
class SeedShift:
    """How far the metric moved when only the seed changed; `runs` are the numbers of the runs compared."""

    shift: float
    pairs: int
    runs: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Logbook:
    """A campaign as the views show it. `runs` are in order of number; `tests` maps a pair run to its candidate.

    `again` holds the runs whose edit another run measured again on top of a newer champion; `edits` say in one text
    what a run changed, and to what.
    """

    campaign: str
    metric: str
    unit: str
    better: Better
    budget_seconds: float | None
    hardware: str
    origin: str
    runs: tuple[LoggedRun, ...]
    judged: Mapping[int, Judged]
    reigns: tuple[Reign, ...]
    tests: Mapping[int, int]
    again: frozenset[int]
    training_seconds: float | None
    edits: Mapping[int, str]
    fresh_values: Mapping[str, Sequence[float]]
    #: None where too little was repeated for any verdict.
    noise: Noise | None
    #: The champion's files take no seed: all of its runs, and of what it raced, may have had the same.
    one_seed: bool
    #: These are most of what there is to read, so they are read run by run, when somebody asks.
    changes: Callable[[int], Sequence[Change]]
    settings: Callable[[int], Mapping[str, str]]

    @cached_property
    def by_run(self) -> dict[int, LoggedRun]:
        return {run.run: run for run in self.runs}

    def fresh(self, run: LoggedRun) -> Sequence[float]:
        """Values of a commit that were not selected for being good: baseline repeats and fresh pairs."""
        return self.fresh_values.get(run.commit, ()) if run.commit else ()

    def level(self, run: LoggedRun) -> float | None:
        """What a run is worth: the mean of its fresh values, or its own value where nobody repeated it."""
        values = self.fresh(run)
        return math.fsum(values) / len(values) if values else run.usable

    @cached_property
    def baseline(self) -> LoggedRun | None:
        usable = [run for run in self.runs if run.usable is not None and run.role not in ("control", "final")]
        return next((run for run in usable if run.role == "baseline"), usable[0] if usable else None)

    @cached_property
    def champion(self) -> LoggedRun | None:
        reigning = self.by_run.get(self.reigns[-1].run) if self.reigns else None
        return reigning or (self.baseline if self.origin == "lab" else None)

    @cached_property
    def starts_with_baseline(self) -> bool:
        """Whether the first measured run is what the others are to be compared with, and not an idea itself."""
        first = self.baseline
        return first is not None and (first.role == "baseline" or (first.status == "keep" and not first.verdict))

    def knobs(self, run: LoggedRun) -> list[str]:
        """The knobs that a run moved."""
        return [part.partition(_TO)[0] for part in self.edits.get(run.run, "").split(_AND) if part]

    def tried(self, knob: str) -> set[str]:
        """All values that runs have set a knob to."""
        mark = f"{knob}{_TO}"
        parts = {part for edit in self.edits.values() if mark in edit for part in edit.split(_AND)}
        return {part.removeprefix(mark) for part in parts if part.startswith(mark)}

    def ideas(self, runs: Sequence[LoggedRun]) -> list[LoggedRun]:
        """The candidates among the runs, without one that only serves as the baseline."""
        spared = self.baseline if self.starts_with_baseline else None
        return [run for run in runs if run.role == "candidate" and run is not spared]

    @cached_property
    def constant(self) -> float | None:
        """The value of every measured run, where there are several and all of them are the same."""
        values = {run.usable for run in self.runs if run.usable is not None}
        several = sum(run.usable is not None for run in self.runs) > 2
        return values.pop() if len(values) == 1 and several else None

    def gain(self, better: float, than: float) -> float:
        return gain_of(better, than, self.better)

    def kept(self) -> list[tuple[LoggedRun, float]]:
        """Runs kept without a judgement, after the first, each with its gain on the best kept before it."""
        found: list[tuple[LoggedRun, float]] = []
        best: float | None = None
        for run in self.runs:
            if run.verdict or run.role not in ("candidate", "baseline") or run.usable is None:
                continue
            if run.status != "keep" and not (best is None and run is self.baseline):
                continue
            if best is not None:
                found.append((run, self.gain(run.usable, best)))
            best = run.usable if best is None or self.gain(run.usable, best) > 0 else best
        return found

    @cached_property
    def seed_shift(self) -> SeedShift | None:
        """From runs that change nothing but the seed against the run they came from; None where there is none."""
        found: list[tuple[float, tuple[int, int]]] = []
        best: LoggedRun | None = None
        for run in self.runs:
            if run.usable is None or run.role not in ("candidate", "baseline"):
                continue
            parent = self.by_run.get(run.parent) if run.parent is not None else None
            reference = parent or best
            if reference is not None and reference.usable is not None and self._only_seed(run, parent):
                shift = abs(run.usable - reference.usable)
                if shift > 0:
                    found.append((shift, (reference.number, run.number)))
            elif run.status == "keep" or best is None:
                best = run
        if not found:
            return None
        return SeedShift(math.fsum(s for s, _ in found) / len(found), len(found), tuple(pair for _, pair in found))

    @property
    def scale(self) -> float | None:
        """What decides how many digits are worth printing."""
        return self.noise.sigma if self.noise else self.seed_shift.shift if self.seed_shift else None

    def _only_seed(self, run: LoggedRun, parent: LoggedRun | None) -> bool:
        if _SEED_ONLY.fullmatch(run.description.strip()):
            return True
        idea = self.edits.get(run.run, "")
        if parent is None or "seed" not in idea.lower():
            return False
        if not all(map(_SEED_KNOB.fullmatch, self.knobs(run))):
            return False
        mine, theirs = self.settings(run.run), self.settings(parent.run)
        differ = {knob for knob in mine.keys() | theirs.keys() if mine.get(knob) != theirs.get(knob)}
        return bool(mine and theirs and differ) and all(_SEED_KNOB.fullmatch(knob) for knob in differ)

    def lineage(self, run: LoggedRun) -> list[LoggedRun]:
        """The run and its ancestors, youngest first."""
        found, seen = [run], {run.run}
        while (parent := self.by_run.get(found[-1].parent or -1)) is not None and parent.run not in seen:
            found.append(parent)
            seen.add(parent.run)
        return found


#: Which campaign is meant where none is named: one in which anything was measured, as a slip in the settings must not
#: hide a night; of these one of this lab, as a log that was taken in meanwhile is of another time; of these the newest.
MEANT_FIRST = (
    "EXISTS (SELECT 1 FROM runs m WHERE m.campaign = campaigns.campaign AND m.value IS NOT NULL) DESC,"
    " campaigns.origin = 'import'"
)


def campaigns_newest_first(db: sqlite3.Connection, since: str | None) -> list[str]:
    """Campaigns in which something happened since then, the one that is meant without a name first."""
    last = "max(at)" if since is not None else "NULL"  # without it an index answers: this is asked on every page
    rows = db.execute(
        f"SELECT campaign, newest, last FROM campaigns LEFT JOIN (SELECT campaign, max(run) newest, {last} last"
        f" FROM runs GROUP BY 1) USING (campaign) ORDER BY {MEANT_FIRST}, newest DESC NULLS LAST, 1"
    )
    return [row[0] for row in rows if since is None or (row[2] is not None and is_since(row[2], since))]


def is_since(at: str, since: str) -> bool:
    """Whether an instant is not before another; both ISO 8601 in UTC, with `Z` or an offset, to any precision."""
    return _comparable(at) >= _comparable(since)


def _comparable(at: str) -> str:
    plain = at.replace("+00:00", "").rstrip("Z").replace(" ", "T")
    head, _, fraction = plain.partition(".")
    return f"{head}.{fraction:0<9}"


def read_logbook(db: sqlite3.Connection, campaign: str, only: Collection[int] | None = None) -> Logbook:
    """Everything the report needs to know about one campaign; raises KeyError for a campaign nobody defined.

    With `only`, positions of runs, the others are left out as if they were not there.
    """
    terms = db.execute(
        "SELECT metric, unit, better, budget_seconds, hardware, origin FROM campaigns WHERE campaign = ?", (campaign,)
    ).fetchone()
    if terms is None:
        raise KeyError(campaign)
    value, seconds, usd = (f"iif(abs({name}) <= {sys.float_info.max!r}, {name}, NULL)" for name in _NUMBERS)
    failed = ", ".join(f"'{status}'" for status in sorted(FAILED))
    named = {"campaign": campaign, "only": json.dumps([*(only or ())])}
    rows = db.execute(
        f"SELECT run, id, number, role, status, verdict, reason, {value}, description, parent, commit_id, seed,"
        f" {seconds}, {usd}, hardware, isolation, self_reported, error, at, status IN ({failed})"
        " AND status NOT IN ('started', 'blocked') AND verdict IS NOT 'retract',"
        f" iif(status IN ({failed}), NULL, {value}) FROM runs WHERE campaign = :campaign{_among('run', only)}"
        " ORDER BY number, run",
        named,
    )
    runs = tuple(map(LoggedRun._make, rows))
    decisions = {run.run: run.verdict for run in runs}
    judged: dict[int, Judged] = {}
    noise, fresh = noise_floor(db, campaign), fresh_values(db, campaign)
    for run, decision, champion, pairs, sigma, gain, low, high, screen_gain, numbers, *now in db.execute(
        "SELECT v.run, v.decision, v.champion, coalesce(v.pairs, 0), v.sigma, v.gain, v.low, v.high,"
        " v.numbers ->> '$.screen_gain', v.numbers, max(m.gain), max(m.standard_error), max(m.pairs), max(m.basis),"
        " max(m.against) FROM verdicts v JOIN runs r ON r.run = v.run"
        " LEFT JOIN measurements m ON m.run = v.run WHERE r.campaign = ? GROUP BY v.seq ORDER BY v.seq",
        (campaign,),
    ):
        if decision != decisions.get(run):
            continue
        measured, error, seen, basis, against = now
        count = 0
        if measured is not None and (basis == "pairs" or not pairs):
            gain, champion, pairs, count = measured, against, seen if basis == "pairs" else 0, seen
            dof = noise.dof if pairs else min(noise.dof, noise.alone.dof)
            half = student_t_quantile(0.025, dof) * error if error is not None else None
            low, high = (None, None) if half is None else (gain - half, gain + half)
        elif not pairs:
            gain = screen_gain
        known = _finite(gain), _finite(low), _finite(high), _finite(sigma), int(pairs), count, champion
        judged[run] = Judged(decision, *known, _object(numbers))
    reigns = tuple(
        Reign(*row)
        for row in db.execute(
            "SELECT run, since, value, gain FROM champions WHERE campaign = ? AND value IS NOT NULL ORDER BY since",
            (campaign,),
        )
    )
    tests = dict(
        db.execute(
            "SELECT p.run, t.run FROM runs p JOIN refs f ON f.seq = p.run AND f.role = 'tests' JOIN runs t"
            " ON t.id = f.target WHERE p.campaign = ? AND p.role = 'pair' ORDER BY t.run",
            (campaign,),
        ).fetchall()
    )
    again = db.execute(
        "SELECT t.run FROM runs t CROSS JOIN refs f ON f.target = t.id AND f.role = 'tests' JOIN runs n ON n.run ="
        f" f.seq AND n.role = 'candidate' WHERE t.campaign = :campaign{_among('t.run', only)}",
        named,
    )
    [training] = db.execute(
        "SELECT sum(m.value) FROM metrics m JOIN runs r ON r.run = m.run WHERE r.campaign = :campaign AND m.name IN"
        f" ('training_seconds', 'train_seconds'){_among('r.run', only)}",
        named,
    ).fetchone()
    one_seed = db.execute(
        "SELECT 1 FROM champions c JOIN entries e ON e.seq = c.run WHERE c.campaign = ? AND c.until IS NULL"
        " AND e.body ->> '$.meta.one_seed'",
        (campaign,),
    ).fetchone()
    return Logbook(
        campaign, terms[0], terms[1], "higher" if terms[2] == "higher" else "lower", terms[3],
        terms[4], terms[5], runs, judged, reigns,
        tests,
        frozenset(row[0] for row in again), _finite(training), edits_of(db, campaign, only),
        fresh,
        noise if noise.known else None, one_seed is not None, _changes_of(db), _settings_of(db),
    )  # fmt: skip


def idea_of(description: str) -> str:
    """The idea of a run whose change nobody could read."""
    return f"{description}{_TO}{_GONE}"


def _among(name: str, only: Collection[int] | None) -> str:
    return "" if only is None else f" AND {name} IN (SELECT value FROM json_each(:only))"


def edits_of(db: sqlite3.Connection, campaign: str, only: Collection[int] | None = None) -> dict[int, str]:
    """What each run changed and to what, in one text that is the same for the same change."""
    rows = db.execute(
        f"SELECT run, group_concat(name || '{_TO}' || coalesce(new, '{_GONE}'), '{_AND}') FROM (SELECT DISTINCT c.run,"
        f" {_KNOB} AS name, c.new FROM runs r CROSS JOIN changes c USING (run) WHERE r.campaign ="
        f" :campaign{_among('c.run', only)} ORDER BY 1, 2, 3) GROUP BY run",
        {"campaign": campaign, "only": json.dumps([*(only or ())])},
    )
    return dict(rows.fetchall())


def _changes_of(db: sqlite3.Connection) -> Callable[[int], Sequence[Change]]:
    sql = f"SELECT {_KNOB}, old, new, direction FROM changes c WHERE run = ? ORDER BY component, knob, rowid"

    @cache
    def changes(run: int) -> Sequence[Change]:
        return [Change._make(row) for row in db.execute(sql, (run,))]

    return changes


def _settings_of(db: sqlite3.Connection) -> Callable[[int], Mapping[str, str]]:
    @cache
    def settings(run: int) -> Mapping[str, str]:
        rows = db.execute("SELECT knob, value FROM settings WHERE run = ?", (run,))
        return {knob: "none" if value is None else value for knob, value in rows}

    return settings


def _finite(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _object(text: str) -> Mapping[str, object]:
    found = json.loads(text or "{}")
    return found if isinstance(found, dict) else {}


def busy_seconds(runs: Sequence[LoggedRun]) -> float:
    """Wall clock during which at least one run was at work; runs side by side count once."""
    spans = []
    for run in runs:
        if run.seconds and run.seconds > 0:
            end = datetime.fromisoformat(run.at.replace("Z", "+00:00")).timestamp()
            spans.append((end - run.seconds, end))
    busy, reached = 0.0, -math.inf
    for start, end in sorted(spans):
        busy += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return busy
