"""What the morning report says: what happened, how sure it is, what it cost, what to do next. Pure reads of the views.

Everything is computed here; the renderers in `report` only write it down. The same views and the same `now` give the
same report.
"""

from __future__ import annotations

import json
import math
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ...memory.doubts import doubts as resting_on_retracted
from ...memory.effects.noise import minimum_detectable_effect
from ..evidence.lessons import Failure, Lesson, Next, failures, lessons
from ..evidence.logbook import Logbook, LoggedRun, busy_seconds, campaigns_newest_first, is_since, read_logbook
from ..evidence.outliers import Alarm, alarm_of
from ..evidence.sentences import (
    Standing,
    ThirdSplit,
    counts_sentence,
    doubts,
    headline,
    noise_sentence,
    pace_told,
    standing_of,
    third_split,
    tried,
    trust,
)
from ..wording import Amounts, clean, duration, plural, run_numbers, sigmas, usd, utc
from .agenda import agenda
from .axes import MARKS
from .chart import Chart, Mark, Point, Step

_DECISION_ORDER = ("confirmed", "provisional", "inconclusive", "dropped", "discard")
_MOST_SECTIONS = 12
_BROKEN = re.compile(r"\b(broken|crash\w*|wrong|invalid|garbage|buggy)\b", re.I)
#: Two runs whose values lie further apart than so many times seldom measured the same.
_FAR = 10


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """One judged run; `gain` and interval in the metric's unit, positive is better, from what `seen` says."""

    number: int
    decision: str
    description: str
    value: float | None
    gain: float | None
    low: float | None
    high: float | None
    sigmas: float | None
    pairs: int
    seen: str
    smallest_visible: float | None
    reason: str
    commit: str


@dataclass(frozen=True, slots=True)
class KeptRow:
    """A run that a log kept without a judgement; `within_noise`: its gain is below the noise or the seed shift."""

    number: int
    description: str
    value: float
    gain: float
    within_noise: bool | None
    times: float | None = None  # the gain over that noise or shift


@dataclass(frozen=True, slots=True)
class Tile:
    """A number worth a glance."""

    label: str
    value: str
    note: str
    tone: str = ""  # a class of the style sheet, for what the words say already


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """Everything about one campaign; sentences are plain text that the renderers escape."""

    campaign: str
    metric: str
    unit: str
    better: str
    origin: str
    terms: str
    headline: str
    counts: str
    tiles: tuple[Tile, ...]
    amounts: Amounts
    standing: Standing | None
    noise: str
    third_split: str
    verdicts: tuple[VerdictRow, ...]
    kept: tuple[KeptRow, ...]
    lessons: tuple[Lesson, ...]
    settings: tuple[tuple[str, str, str], ...]  # knob, baseline, champion
    queue: tuple[Next, ...]
    failures: tuple[Failure, ...]
    costs: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    chart: Chart


@dataclass(frozen=True, slots=True)
class Report:
    """What the renderers need; `sections` are campaigns, the newest first; `now` and `since` are UTC."""

    now: str
    since: str
    headline: str
    sections: tuple[CampaignReport, ...]
    others: tuple[str, ...]  # campaigns beyond those shown
    costs: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    hints: tuple[Next, ...]  # what to type where there is nothing to report


def build_report(
    db: sqlite3.Connection, *, now: datetime, campaign: str | None = None, since: str | None = None, runs: bool = True,
    is_taken: Callable[[str], bool] = lambda _: False,
) -> Report:  # fmt: skip
    """Reads the views; `since` (ISO instant, UTC) bounds what counts as new, never what a win is compared with.

    `runs`: whether the lab has something to run, so that it may be proposed; `is_taken`: whether the person's branch
    has a commit, so that it is not offered.
    """
    names = campaigns_newest_first(db, since)
    if campaign is not None:
        names = [name for name in campaigns_newest_first(db, None) if name == campaign]
    sections = tuple(_section(db, read_logbook(db, name), since, is_taken) for name in names[:_MOST_SECTIONS])
    measured = [section for section in sections if section.chart.points]
    hints: tuple[Next, ...] = ()
    if measured:
        text = f"{measured[0].headline} {measured[0].counts}".strip()
        if len(names) > 1:
            text += f" {plural(len(names) - 1, 'other campaign')} below."
    elif sections or since is None:
        text, hints = "Nothing has been measured yet.", _first_steps(runs)
    else:
        last = db.execute("SELECT max(at) FROM runs").fetchone()[0]
        text = f"Nothing was measured since {utc(since)}." + (f" The last run is from {utc(last)}." if last else "")
        all_of_it = Next("See all of it", "The report without a limit in time.", "memex report")
        hints = (all_of_it,) if last else _first_steps(runs)
    return Report(
        now=now.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        since=utc(since) if since else "",
        headline=text,
        sections=sections,
        others=tuple(clean(name, 80) for name in names[_MOST_SECTIONS:]),
        costs=_call_costs(db, since),
        warnings=_damage(db),
        hints=hints,
    )


def _first_steps(can_run: bool) -> tuple[Next, ...]:
    steps = (
        Next("Run a night, or eight ideas of one", "It measures the baseline's noise first, then tries ideas.",
             "memex run --runs 8"),
        Next("Bring a log you have", "results.tsv and .jsonl logs of other loops are read as they are.",
             "memex import results.tsv"),
        Next("Record a run by hand", "Any metric, from any tool.",
             "memex log --description baseline --status keep --metric val_bpb=0.98"),
    )  # fmt: skip
    return steps if can_run else steps[1:]


def _damage(db: sqlite3.Connection) -> tuple[str, ...]:
    rows = db.execute("SELECT place, message FROM damage ORDER BY place, rule, message LIMIT 5").fetchall()
    [count] = db.execute("SELECT count(*) FROM damage").fetchone()
    if not count:
        return ()
    first = "; ".join(f"{clean(place, 80)}: {clean(message, 160)}" for place, message in rows)
    more = f" and {count - len(rows)} more" if count > len(rows) else ""
    return (f"The ledger is damaged, so this report may lack entries ({first}{more}). Type: memex doctor",)


def _call_costs(db: sqlite3.Connection, since: str | None) -> tuple[tuple[str, str], ...]:
    count, money, tokens = 0, 0.0, 0
    for at, body in db.execute("SELECT at, body FROM entries WHERE kind = 'call' ORDER BY seq"):
        if since is None or is_since(at, since):
            call = json.loads(body)
            count, money = count + 1, money + (call.get("usd") or 0.0)
            tokens += (call.get("tokens_in") or 0) + (call.get("tokens_out") or 0)
    return (("Model calls", f"{count:,}, {tokens:,} tokens, {usd(money)}"),) if count else ()


# --- one campaign


def _section(
    db: sqlite3.Connection, book: Logbook, since: str | None, is_taken: Callable[[str], bool]
) -> CampaignReport:
    new = [run for run in book.runs if since is None or is_since(run.at, since)]
    amounts = Amounts.of(clean(book.unit, 40), book.scale)
    standing = standing_of(book)
    failed = failures([run for run in new if run.failed])
    split = third_split(book, amounts)
    resting = {doubt.run: doubt.retracted for doubt in resting_on_retracted(db, book.campaign) if doubt.kind == "run"}
    kept = tuple(kept_rows(book, resting))
    return CampaignReport(
        campaign=clean(book.campaign, 80),
        metric=clean(book.metric, 60),
        unit=amounts.unit,
        better=book.better,
        origin=book.origin,
        terms=_terms(book),
        headline=headline(book, standing, amounts),
        counts=counts_sentence(book, new, since is not None),
        tiles=tuple(_tiles(book, standing, split, amounts, new, kept, alarm_of(db, book, is_taken))),
        amounts=amounts,
        standing=standing,
        noise=noise_sentence(book, amounts),
        third_split=split.text if split else "",
        verdicts=tuple(_verdict_rows(book, new, resting)),
        kept=kept,
        lessons=tuple(lessons(db, book, amounts)),
        settings=_settings(book),
        queue=tuple(agenda(db, book, failed, doubts(book, standing, split, amounts), is_taken)),
        failures=tuple(failed),
        costs=tuple(_costs(book, new)),
        warnings=(*_warnings(book, new), *pace_told(db, book, amounts)),
        chart=_chart(book, since, kept),
    )


def _terms(book: Logbook) -> str:
    parts = [f"{clean(book.metric, 60) or 'no metric'}, {book.better} is better"]
    if book.budget_seconds:
        parts.append(f"{book.budget_seconds:g} s a run")
    if book.hardware:
        parts.append(clean(book.hardware, 80))
    parts.append({"lab": "measured here", "import": "read from a log", "log": "logged by hand"}.get(book.origin, ""))
    return " · ".join(part for part in parts if part)


def _tiles(
    book: Logbook, standing: Standing | None, split: ThirdSplit | None, amounts: Amounts, new: Sequence[LoggedRun],
    kept_rows: Sequence[KeptRow], alarm: Alarm | None,
) -> list[Tile]:  # fmt: skip
    tiles = []
    champion = book.champion
    level = book.level(champion) if champion else None
    if champion is not None and level is not None:
        fresh = len(book.fresh(champion))
        note = f"run {champion.number}, " + (f"mean of {plural(fresh, 'fresh run')}" if fresh else "a single run")
        name = "Baseline, undefeated" if champion is book.baseline else "Champion"
        name = name if book.origin == "lab" else "Best kept run"
        tiles.append(Tile(name, amounts.value(level), f"{amounts.unit + ', ' if amounts.unit else ''}{note}"))
    if standing is not None:
        note = sigmas(standing.gain, book.noise.sigma if book.noise else None)
        if not note:
            shift = book.seed_shift
            note = f"{standing.gain / shift.shift:.0f} × the seed shift" if shift else "noise unknown"
        note += ", confirmed" if standing.confirmed else ", not verified"
        note += "; the first run is doubtful" if book.origin == "import" and _odd_baseline(book) else ""
        tiles.append(Tile("Better than the baseline", amounts.signed(standing.gain), note))
        doubted = sum(row.within_noise is True for row in kept_rows)
        return [*tiles, Tile("Can it be trusted?", *trust(standing, split, amounts, doubted, len(kept_rows), alarm))]
    ideas = book.ideas(new)
    wins = sum(run.verdict == "confirmed" for run in ideas)
    kept = sum(run.status == "keep" and not run.verdict for run in ideas)
    note = f"{plural(wins, 'confirmed win')}" if book.origin == "lab" else f"{kept} kept, {wins} confirmed"
    tiles.append(Tile("Ideas tried", f"{tried(ideas):,}", note))
    busy, failed = busy_seconds(new), sum(run.failed for run in new)
    if busy:
        return [*tiles, Tile("Time at work", duration(busy), plural(sum(bool(r.seconds) for r in new), "run"))]
    return [*tiles, Tile("Failed", f"{failed:,}", f"of {plural(len(new), 'run')}")]


def _described(run: LoggedRun, resting: Mapping[int, int]) -> str:
    """A run that rests on a retracted one says so."""
    told = f" (rests on #{resting[run.number]}, retracted)" if run.number in resting else ""
    return clean(run.description, 140) + told


def _verdict_rows(book: Logbook, new: Sequence[LoggedRun], resting: Mapping[int, int]) -> list[VerdictRow]:
    rows = []
    for run in new:
        judged = book.judged.get(run.run)
        if judged is None or run.verdict not in _DECISION_ORDER:
            continue
        gain, noise = judged.gain, book.noise
        sigma, least = noise.sigma if noise else judged.sigma, None  # of now, as all else in the report
        if noise is not None:
            least = minimum_detectable_effect(noise, max(1, judged.pairs))
        rows.append(
            VerdictRow(
                run.number, run.verdict, _described(run, resting), run.usable, gain,
                judged.low if judged.pairs else None, judged.high if judged.pairs else None,
                gain / sigma if gain is not None and sigma else None, judged.pairs, judged.seen, least,
                clean(run.reason, 300), run.commit[:12],
            )
        )  # fmt: skip
    rows.sort(key=lambda row: (_DECISION_ORDER.index(row.decision), -row.pairs if row.decision == "discard" else 0,
                               -(row.gain if row.gain is not None else -math.inf), row.number))  # fmt: skip
    return rows


def kept_rows(book: Logbook, resting: Mapping[int, int]) -> list[KeptRow]:
    """What a log kept, judged by nobody; of the runs in `resting` it is told that they rest on a retracted one."""
    # Below this, a gain between two single runs says nothing: sqrt(2) of their scatter, or the seed shift.
    least = book.noise.alone.sigma * 2**0.5 if book.noise else book.scale
    return [
        KeptRow(
            run.number,
            _described(run, resting),
            run.usable,
            gain,
            gain < least if least else None,
            gain / least if least else None,
        )
        for run, gain in book.kept()
        if run.usable is not None
    ]


def _settings(book: Logbook) -> tuple[tuple[str, str, str], ...]:
    if book.champion is None or book.baseline is None or book.champion is book.baseline:
        return ()
    old, new = book.settings(book.baseline.run), book.settings(book.champion.run)
    if not old or not new:
        return ()
    return tuple(
        (clean(knob, 80), clean(old.get(knob, "absent"), 80), clean(new.get(knob, "absent"), 80))
        for knob in sorted(old.keys() | new.keys())
        if old.get(knob) != new.get(knob)
    )


def _costs(book: Logbook, new: Sequence[LoggedRun]) -> list[tuple[str, str]]:
    roles = {"candidate": "idea", "baseline": "baseline repeat", "pair": "fresh-pair run", "control": "control",
             "final": "third-split score"}  # fmt: skip
    counts = [(sum(run.role == role for run in new), name) for role, name in roles.items()]
    told = ", ".join(plural(count, name) for count, name in counts if count)
    found = [("Runs", f"{len(new):,} ({told})" if told else "0")]
    busy, total = busy_seconds(new), sum(run.seconds or 0.0 for run in new)
    if book.origin != "lab" and total:
        found.append(("Time", f"{duration(total)} of runs, as recorded"))
    elif busy:
        side = f", {duration(total)} of runs side by side" if total > busy * 1.05 else ""
        found.append(("Time at work", duration(busy) + side))
    else:
        found.append(("Time", "not recorded"))
    if book.training_seconds:
        found.append(("Training, as the runs report it", duration(book.training_seconds)))
    money = [run.usd for run in new if run.usd is not None]
    found.append(("Money", usd(sum(money)) if money else "not recorded"))
    for label, statuses in (("Refused before they ran", ("blocked",)), ("Lost or out of time", ("lost", "timeout"))):
        numbers = [run.number for run in new if run.status in statuses]
        found += [(label, f"{plural(len(numbers), 'run')} ({run_numbers(numbers)})")] if numbers else []
    levels = sorted({run.isolation for run in new if run.isolation})
    if levels:
        told = ", ".join(clean(level, 40) for level in levels)
        closed = all(any(word in level for word in ("bubblewrap", "bwrap", "container")) for level in levels)
        found.append(
            ("Isolation of the runs", told if closed else f"{told}: a run could read your files and use the network")
        )
    return found


def _warnings(book: Logbook, new: Sequence[LoggedRun]) -> list[str]:
    found = []
    if book.origin == "import":
        found.append("These numbers were copied from a log; nothing here measured them again.")
        found += _odd_baseline(book)
        zeros = [run.number for run in book.runs if run.usable == 0 and run.status == "keep"]
        if zeros and book.constant is None:
            told = f"{plural(len(zeros), 'kept run has', 'kept runs have')} the value 0 ({run_numbers(zeros)})"
            found.append(f"{told}: what was measured may stand in the text alone.")
    reported = [run.number for run in new if run.self_reported and run.usable is not None]
    if reported and book.origin != "import":
        found.append(
            f"{plural(len(reported), 'run')} printed {'its' if len(reported) == 1 else 'their'} own metric: the number "
            "is as honest as the edited code. With [target] evaluate and artifact the harness measures it."
        )
    machines = sorted({run.hardware for run in new if run.hardware})
    if len(machines) > 1:
        names = "; ".join(clean(name, 60) for name in machines[:4])
        found.append(f"Runs of this campaign come from {len(machines)} kinds of hardware ({names}): compare with care.")
    return found


def _odd_baseline(book: Logbook) -> list[str]:
    """Reasons to doubt that a log's runs were measured against a sound first one, all in the same way."""
    first, best, found = book.baseline, book.champion, []
    if first is not None and _BROKEN.search(first.description):
        told = clean(first.description, 120)
        found.append(
            f"The first run, #{first.number}, says of itself that it was broken ({told}): to beat it is no gain."
        )
    ends = sorted(abs(run.usable) for run in (first, best) if run is not None and run.usable)
    if len(ends) == 2 and ends[1] > _FAR * ends[0]:
        times = f"{ends[1] / ends[0]:,.0f} times apart"
        found.append(f"Its first and its best run are {times}: they may not have measured the same thing.")
    return found


# --- the picture


def _chart(book: Logbook, since: str | None, kept: Sequence[KeptRow]) -> Chart:
    doubted = {row.number for row in kept if row.within_noise}
    shown = [r for r in book.runs if r.role != "final" and r.status != "blocked" and r.verdict != "retract"]
    points = tuple(
        Point(run.number, run.usable, mark, f"#{run.number} {MARKS[mark]}: {clean(run.description, 90)}"
              + (f" ({run.usable:.6g})" if run.usable is not None else "")
              + (f". {clean(run.reason, 160)}" if run.reason else ""))
        for run in shown
        for mark in [_mark(book, run, doubted)]
    )  # fmt: skip
    steps = []
    for reign in book.reigns:
        run = book.by_run.get(reign.run)
        level = book.level(run) if run else None
        if run is not None and level is not None:
            steps.append(Step(run.number, level, f"#{run.number} {clean(run.description, 60)}", run.usable))
    level = book.level(book.champion) if book.champion and not steps else None
    if level is not None and book.champion is not None:
        steps.append(Step(book.champion.number, level, f"#{book.champion.number} baseline", book.champion.usable))
    is_new = [run.number for run in shown if since is not None and is_since(run.at, since)]
    new_from = min(is_new) if is_new and len(is_new) < len(shown) else None
    axis = clean(book.unit or book.metric, 60) or "value"
    band = (0.0, "", "")
    if book.noise is not None and book.noise.sigma > 0:
        band = (book.noise.sigma, "± 1 sigma", "sigma")
    elif book.seed_shift is not None:
        band = (book.seed_shift.shift, "± seed shift (weak)", "")
    return Chart(points, tuple(steps), axis, book.better, *band, new_from)


def _mark(book: Logbook, run: LoggedRun, doubted: set[int]) -> Mark:
    if run.status == "started":
        return "running"
    if run.role in ("pair", "control"):
        return "pair"
    if run.role == "baseline" or (run is book.baseline and book.starts_with_baseline):
        return "baseline"
    if run.failed:  # a candidate, as the headline counts them
        return "failed"
    judged: tuple[Mark, ...] = ("confirmed", "provisional", "inconclusive", "dropped")
    for decision in judged:
        if run.verdict == decision or (run.status == decision and not run.verdict):
            return decision
    if run.status == "keep" and not run.verdict:
        return "doubtful" if run.number in doubted else "kept"
    return "open" if run.status == "ok" else "discard"
