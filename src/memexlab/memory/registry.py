"""Where a campaign stands, now or when fewer runs were known: champion, challengers, lineages, failures by cause.

Views, computed when asked. Every run stands for itself: repeats of one commit stay apart, and only their mean, the
fresh estimate, is shared. Knows the tables; no words for a reader, no decision about what to do next.
"""

from __future__ import annotations

import math
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from ..ledger import FAILED, UsageError
from .effects.noise import Better
from .retraction import barred, in_force
from .runs import SINCE, STATUS_OF_DECISION, Reign, reigns

_CAUSE_CHARS = 1000
#: What the harness measured against a champion and found no better is no challenger, however high its one value is.
_JUDGED_OUT = ("discard", "dropped")

Item = TypeVar("Item")


class Known(NamedTuple):
    """One run with the judgement that counts. `run`, `parent` and `against` (whom the verdict compared with, and what
    `gain` is over) are positions. `level` is the mean of the `fresh` values of its commit, else its own value."""

    run: int
    id: str
    number: int
    role: str
    status: str
    verdict: str
    value: float | None
    parent: int | None
    commit: str
    description: str
    message: str
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    pairs: int = 0
    against: int | None = None
    since: int | None = None
    level: float | None = None
    fresh: int = 0
    barred: bool = False


@dataclass(frozen=True, slots=True)
class Lineage:
    """Runs that descend from one root; `path` leads from it to the best of them. All are run numbers."""

    root: int
    leader: int
    level: float
    size: int
    path: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Registry:
    """A campaign after `as_of` runs. Lineages: the best first; failures: the most frequent first, with a last message.

    Challengers are the candidates that nothing has settled, those with fresh values first, the best of each first.
    """

    campaign: str
    metric: str
    unit: str
    better: Better
    origin: str
    as_of: int
    champion: Known | None
    reigns: tuple[Reign, ...]
    challengers: tuple[Known, ...]
    lineages: tuple[Lineage, ...]
    failures: tuple[tuple[str, str, tuple[int, ...]], ...]
    runs: Mapping[int, Known]


def registry(db: sqlite3.Connection, campaign: str, as_of: int | None = None) -> Registry:
    """The registry when only the first `as_of` runs were known, and no verdict or retraction that came later.

    Linear in the runs of the campaign. Raises UsageError for a campaign that nobody defined.
    """
    terms = db.execute("SELECT metric, unit, better, origin FROM campaigns WHERE campaign = ?", (campaign,)).fetchone()
    if terms is None:
        raise UsageError(f"there is no campaign {campaign}", 'memex sql "select campaign from campaigns"')
    better: Better = "higher" if terms[2] == "higher" else "lower"
    runs = _known(db, campaign, as_of)
    out, reigning = _reigning(runs, terms[3], better)
    fresh: dict[str, list[float]] = defaultdict(list)
    for run in runs:
        if run.role in ("baseline", "pair") and run.commit and run.value is not None:
            fresh[run.commit].append(run.value)
    known: dict[int, Known] = {}
    best = iter([*reigning, None])
    throne, upcoming = None, next(best)
    for run in runs:
        values = fresh.get(run.commit, ()) if run.value is not None else ()
        parent = run.parent if run.parent is not None or terms[3] == "lab" else throne
        level = math.fsum(values) / len(values) if values else run.value
        known[run.run] = run._replace(parent=parent, level=level, fresh=len(values), barred=run.run in out)
        if upcoming is not None and upcoming.run == run.run:
            throne, upcoming = run.run, next(best)
    champion = known[reigning[-1].run] if reigning else None
    line = set(_path(known, champion.run)) if champion else set()
    rivals = [
        r for r in known.values() if r.role == "candidate" and r.level is not None and r.run not in line
        and r.verdict not in _JUDGED_OUT
    ]  # fmt: skip
    rivals.sort(key=lambda run: (not run.fresh, -_goodness(run, better), run.number, run.id))
    failed = by_cause((r.status, r.message, r) for r in runs if r.status in FAILED - {"started", "blocked"})
    clusters = [
        (status, example_of(r.message for r in group), tuple(r.number for r in group))
        for (status, _), group in failed.items()
    ]
    clusters.sort(key=lambda cluster: (-len(cluster[2]), cluster[2]))
    last = max((run.number for run in runs), default=0)
    return Registry(
        campaign, terms[0], terms[1], better, terms[3], last, champion, tuple(reigning), tuple(rivals),
        _lineages(known, better), tuple(clusters), known,
    )  # fmt: skip


def reigns_known(db: sqlite3.Connection, campaign: str, before: str) -> list[Reign]:
    """The champions of a campaign as they were known before an instant."""
    origin, better = db.execute("SELECT origin, better FROM campaigns WHERE campaign = ?", (campaign,)).fetchone()
    return _reigning(_known(db, campaign, None, before), origin, better)[1]


def _reigning(runs: Sequence[Known], origin: str, better: Better) -> tuple[set[int], list[Reign]]:
    """Runs that may not reign, and those that did."""
    out = barred((r.run, r.parent, r.verdict, r.against) for r in runs)
    usable = [r for r in runs if r.value is not None and r.status in ("keep", "ok") and r.run not in out]
    wins = ((r.run, r.number, r.role, r.verdict, r.value or 0.0, r.gain, r.since) for r in usable)
    return out, list(reigns(wins, origin, better))


def _known(db: sqlite3.Connection, campaign: str, as_of: int | None, before: str | None = None) -> list[Known]:
    """Runs in order of number that landed before an instant, each with the judgement that counted then.

    With `as_of` it is that at which the run after this one began, and runs up to this one count whenever they landed.
    """
    landed = before or "~"
    if as_of is not None:
        [before] = db.execute(
            "SELECT min(e.at) FROM runs r JOIN entries e ON e.seq = r.run OR e.id IN (SELECT target FROM refs WHERE"
            " seq = r.run AND role = 'supersedes') WHERE r.run = (SELECT run FROM runs WHERE campaign = ?1 AND"
            " number > ?2 ORDER BY number LIMIT 1)",
            (campaign, as_of),
        ).fetchone()
    verdicts = db.execute(
        f"SELECT e.id, v.run, v.decision, v.reason, v.gain, v.low, v.high, v.pairs, v.champion, {SINCE} FROM runs r"
        " JOIN verdicts v USING (run) JOIN entries e ON e.seq = v.seq WHERE r.campaign = ?"
        " AND (?2 IS NULL OR e.at < ?2) ORDER BY v.decision = 'retract', e.at, e.id",
        (campaign, before),
    ).fetchall()
    counting = in_force(db, [row[0] for row in verdicts], before)
    said = {row[1]: row[2:] for row in verdicts if row[0] in counting}
    found = []
    rows = db.execute(
        "SELECT run, r.id, number, role, parent, commit_id, description, error, value, iif(verdict = '', status,"
        " json_extract(body, '$.status')) FROM runs r JOIN entries e ON e.seq = r.run"
        " WHERE campaign = ? AND number <= ? AND e.at < ? ORDER BY number, r.id",
        (campaign, as_of if as_of is not None else 1 << 60, landed),
    )
    for run, entry, number, role, parent, commit, description, error, value, status in rows:
        decision, reason, gain, low, high, pairs, against, since = said.get(run, ("", "", *[None] * 6))
        status = STATUS_OF_DECISION.get(decision, status)
        usable = None if status in FAILED or value is None or not math.isfinite(value) else value
        found.append(
            Known(run, entry, number, role, status, decision, usable, parent, commit, description, error or reason,
                  gain, low, high, pairs or 0, against, since)
        )  # fmt: skip
    return found


def _goodness(run: Known, better: Better) -> float:
    assert run.level is not None
    return run.level if better == "higher" else -run.level


def _path(runs: Mapping[int, Known], run: int) -> list[int]:
    found = [run]
    while (parent := runs[found[-1]].parent) is not None and parent in runs:
        found.append(parent)
    return found


def _lineages(runs: Mapping[int, Known], better: Better) -> tuple[Lineage, ...]:
    """One for each root with a candidate below it or at it; a run comes after its parent, so one pass finds them."""
    root: dict[int, int] = {}
    members: dict[int, list[Known]] = defaultdict(list)
    for run in runs.values():
        if run.role in ("candidate", "baseline"):
            root[run.run] = root.get(run.parent, run.run) if run.parent is not None else run.run
            members[root[run.run]].append(run)
    found = []
    for first, below in members.items():
        measured = [run for run in below if run.level is not None]
        if measured and any(run.role == "candidate" for run in below):
            leader = max(measured, key=lambda run: (_goodness(run, better), -run.number))
            path = tuple(runs[run].number for run in reversed(_path(runs, leader.run)))
            found.append((_goodness(leader, better), Lineage(
                runs[first].number, leader.number, leader.level or 0.0, len(below), path)))  # fmt: skip
    return tuple(lineage for _, lineage in sorted(found, key=lambda pair: (-pair[0], pair[1].root)))


def by_cause(failed: Iterable[tuple[str, str, Item]]) -> dict[tuple[str, str], list[Item]]:
    """(status, message, item) by status and cause: paths, addresses and numbers in a message do not tell them apart."""
    groups: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for status, message, item in failed:
        groups[(status, cause_of(message))].append(item)
    return groups


def example_of(messages: Iterable[str]) -> str:
    """The last message of one cause, as it was said, and whether the others differ from it."""
    lines = [last_line(message) for message in messages]
    return lines[-1] + (" (and alike)" if len(set(lines)) > 1 else "")


def last_line(error: str) -> str:
    return next((line.strip() for line in reversed(error.splitlines()) if line.strip()), "")


def cause_of(error: str) -> str:
    """The last line of an error without what differs from run to run."""
    text = re.sub(r"0x[0-9a-fA-F]+", "ADDRESS", last_line(error)[:_CAUSE_CHARS])
    text = re.sub(r"(?:[A-Za-z]:)?(?:[\\/][\w.\-+@]+){2,}", lambda m: "…/" + re.split(r"[\\/]", m[0])[-1], text)
    text = re.sub(r"\b[0-9a-f]{12,}\b", "…", text)
    return re.sub(r"(?<![\w.])[-+]?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?", "N", text)
