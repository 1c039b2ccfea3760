"""Results too good to be believed unread, as a leak or a trick on the metric gives them. Alarms, no verdicts."""

from __future__ import annotations

import math
import sqlite3
from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from ...memory.effects.noise import gain_of
from ...memory.registry import registry
from ..verdict import suspicious
from ..wording import Amounts, duration, sigmas
from .logbook import Logbook, read_logbook

Rule = Literal["sigma", "step", "zero", "seconds", "seed"]
#: A step is too large at so many times the largest before, and this robust z of log gains or more than all together.
_STEP_Z, _STEP_TIMES, _LEAST_STEPS = 3.5, 2.0, 5
#: A run is suddenly short below this share of the median of what came before, and suddenly long above this one and a
#: second more: it may have trained outside its budget.
_SHORT, _LONG, _LEAST_TIMED = 0.5, 1.25, 4


@dataclass(frozen=True, slots=True)
class Alarm:
    """Why a person should read the change of a run before anybody builds on it."""

    number: int
    rule: Rule
    sentence: str


def too_good(db: sqlite3.Connection, campaign: str, book: Logbook | None = None) -> list[Alarm]:
    """Alarms in order of run number, at most one of each rule for a run; nearly linear in the runs of the campaign.

    A gain is that over what the run was judged against, from fresh pairs where there are any. Raises UsageError for a
    campaign that nobody defined. The robust z is that of Iglewicz and Hoaglin (1993), median and MAD, on logarithms.
    """
    known, book = registry(db, campaign), book or read_logbook(db, campaign)
    noise, unit = book.noise, book.unit or book.metric
    amounts = Amounts.of(unit, book.scale)
    thrones = {reign.since: known.runs[reign.run] for reign in known.reigns}
    champion, steps, timed = None, list[float](), list[float]()
    made: dict[str, tuple[set[int], set[str]]] = defaultdict(lambda: (set(), set()))
    asked = "SELECT r.commit_id, r.seed, f.target FROM runs r JOIN refs f ON f.seq = r.run AND f.role = 'artifact'"
    for commit, seed, artifact in db.execute(f"{asked} WHERE r.campaign = ? AND r.seed IS NOT NULL", (campaign,)):
        made[commit][0].add(seed)
        made[commit][1].add(artifact)
    varies = any(len(results) > 1 for _, results in made.values())
    found: list[Alarm] = []
    for run in known.runs.values():
        if run.run not in book.by_run:
            continue  # it landed after the book was read
        took = book.by_run[run.run].seconds
        if run.value is not None and run.role == "candidate" and champion is not None and champion.level is not None:
            judged = book.judged.get(run.run)
            gain = judged.gain if judged is not None else None
            gain = gain_of(run.value, champion.level, known.better) if gain is None else gain
            beaten = known.runs.get(judged.champion or 0, champion) if judged is not None else champion
            told = f"Run {run.number} gained {amounts.fine(gain)} {unit} over run {beaten.number}"
            if noise is not None and noise.known and suspicious(gain, noise):
                found.append(Alarm(run.number, "sigma", f"{told}, {sigmas(gain, noise.sigma)}."))
            far = gain > _STEP_TIMES * steps[-1] if len(steps) >= _LEAST_STEPS else False
            if far and (gain > sum(steps) or _robust_z(gain, steps) > _STEP_Z):
                largest = f"{amounts.fine(steps[-1])} {unit}"
                found.append(Alarm(run.number, "step", f"{told}; the largest of {len(steps)} steps was {largest}."))
            if run.value == 0 and gain > 0:
                before = f"run {champion.number} measured {amounts.value(champion.level)}"
                found.append(Alarm(run.number, "zero", f"Run {run.number} measured exactly 0 {unit}; {before}."))
            usual = timed[len(timed) // 2] if len(timed) >= _LEAST_TIMED else 0.0
            odd = took is not None and usual and not _SHORT * usual <= took <= _LONG * usual + 1
            if took is not None and odd and gain > (noise.sigma if noise is not None else 0.0):
                how = f"took {duration(took)}, where {duration(usual)} was usual"
                found.append(Alarm(run.number, "seconds", f"{told} and {how}."))
            seeds, results = made[run.commit]
            if gain > 0 and varies and len(seeds) > 1 and len(results) == 1:
                how = f"left the same result to the byte under {len(seeds)} seeds, where other runs do not"
                found.append(Alarm(run.number, "seed", f"Run {run.number} {how}: it ignores its seed."))
            if gain > 0 and run.number in thrones:
                insort(steps, gain)
        if run.value is not None and took is not None and run.role != "final":
            insort(timed, took)
        champion = thrones.get(run.number, champion)
    return found


def alarm_of(db: sqlite3.Connection, book: Logbook, is_taken: Callable[[str], bool]) -> Alarm | None:
    """Why the change of the champion should be read before its gain is believed; None also where it was taken over.

    A gain of many sigma alone, as an honest first night has it, comes after all other alarms.
    """
    champion = book.champion
    if champion is None or book.origin != "lab" or is_taken(champion.commit):
        return None
    found = [alarm for alarm in too_good(db, book.campaign, book) if alarm.number == champion.number]
    return min(found, key=lambda alarm: alarm.rule == "sigma", default=None)


def _robust_z(gain: float, steps: Sequence[float]) -> float:
    logs = [math.log(step) for step in steps]
    middle = median(logs)
    spread = 1.4826 * median(abs(log - middle) for log in logs)
    return (math.log(gain) - middle) / spread if spread else math.inf
