"""What the morning report asks of its reader: decisions and experiments, the most urgent first.

First what is in doubt, then results too good to be left alone, then the decision packets, then directions that nobody
has gone. Everything carries a command that can be typed, where there is one.
"""

from __future__ import annotations

import math
import sqlite3
from collections import defaultdict
from collections.abc import Sequence

from ..memory.doubts import doubts as retraction_doubts
from .choosing import Action, Desk
from .learned import Failure, Next
from .logbook import Logbook
from .outliers import too_good
from .packets import Packet, desk_of, ranked
from .wording import clean, command, plural, run_numbers, sql_text

_MOST = 8
_MOST_OF_A_KIND = 2
#: What a packet asks for, as a title; failures are told by cause, and a champion is the headline.
TITLES: dict[Action, str] = {
    "replicate": "Measure run {} again", "retry": "Re-test run {}", "retest": "Try run {} on today's champion",
    "branch_followup": "Measure run {} on top of the champion",
}  # fmt: skip


def agenda(
    db: sqlite3.Connection, book: Logbook, failed: Sequence[Failure], champion_doubts: Sequence[Next]
) -> list[Next]:
    """At most eight items; `champion_doubts` come before all others."""
    is_lab = book.origin == "lab"
    more = command("memex", "run", "--campaign", book.campaign, "--runs", "8") if is_lab else ""
    desk = desk_of(db, book.campaign, book)
    items = [*champion_doubts, *_retracted(db, book), *_alarms(db, book, desk), *_packets(db, book, desk)]
    items += _directions(book, more)
    items += _mends(book, desk, failed)[:3]
    if not is_lab and book.noise is None and book.champion is not None and book.champion is not book.baseline:
        first = book.baseline.number if book.baseline else 1
        items.append(
            Next(
                f"Repeat run {book.champion.number} and run {first} with fresh seeds",
                "Four runs of each give this log a noise floor; without it no gain in it can be called real.",
            )
        )
    if is_lab and not any(item.command == more for item in items):
        items.append(Next("Keep going", "More ideas, judged against the same noise floor.", more))
    return items[:_MOST]


def _retracted(db: sqlite3.Connection, book: Logbook) -> list[Next]:
    """One item a retracted run that others rest on."""
    resting: dict[int, list[int]] = defaultdict(list)
    for doubt in retraction_doubts(db, book.campaign):
        if doubt.kind == "run" and doubt.run not in resting[doubt.retracted]:
            resting[doubt.retracted].append(doubt.run)
    why = "They are no champions and count as unproven until they are measured against something that stands."
    items = []
    for run, numbers in resting.items():
        query = f"select kind, run, path from doubted where retracted = (select run from runs where number = {run}"
        query += f" and campaign = {sql_text(book.campaign)})"
        resting_on = plural(len(numbers), "run rests", "runs rest")
        title = f"{resting_on} on run {run}, which was retracted ({run_numbers(numbers)})"
        items.append(Next(title, why, command("memex", "sql", query)))
    return items[-_MOST_OF_A_KIND:]


def _alarms(db: sqlite3.Connection, book: Logbook, desk: Desk) -> list[Next]:
    """The newest results that look too good; a first large win is usual, a leak looks the same."""
    by_number = {run.number: run for run in book.runs}
    found = {alarm.number: alarm for alarm in too_good(db, book.campaign, book)}
    items = []
    for number, alarm in list(found.items())[-_MOST_OF_A_KIND:]:
        told = clean(alarm.sentence, 240)
        why = f"{told} That is usual early on, and it is also what a leak or a trick on the metric looks like."
        items.append(Next(f"Look at run {number} before you believe it", why, desk.look(by_number[number])))
    return items


def _packets(db: sqlite3.Connection, book: Logbook, desk: Desk) -> list[Next]:
    kinds: dict[Action, list[Packet]] = defaultdict(list)
    for packet in ranked(db, book.campaign, desk=desk):
        if packet.action in TITLES:
            kinds[packet.action].append(packet)
    items = []
    for action, packets in kinds.items():
        for packet in packets[:_MOST_OF_A_KIND]:
            what = clean(packet.description, 80)
            title = f"{TITLES[action].format(packet.number)}{f': {what}' if what else ''}"
            items.append(Next(title, clean(packet.rationale, 400), packet.command))
        rest = packets[_MOST_OF_A_KIND:]
        if rest:
            told = f"{items[-1].why} The same goes for {run_numbers([packet.number for packet in rest])}."
            items[-1] = Next(items[-1].title, told, items[-1].command)
    return items


def _directions(book: Logbook, more: str) -> list[Next]:
    """Goes on in the direction of the champion's own change, where nobody has been further."""
    champion = book.champion
    if champion is None or champion is book.baseline:
        return []
    items = []
    for change in book.changes(champion.run):
        old, new = _as_number(change.old), _as_number(change.new)
        if old is None or new is None or old == new:
            continue
        further = new * new / old if old * new > 0 else 2 * new - old
        name = clean(change.knob, 60)
        values = map(_as_number, book.tried(change.knob))
        if not any(value is not None and (value - new) * (new - old) > 0 for value in values):
            items.append(
                Next(
                    f"Go further with {name}: try {further:.3g}",
                    f"{clean(change.old or '', 20)} → {clean(change.new or '', 20)} won (#{champion.number}), and "
                    "no run has been beyond it.",
                    more,
                )
            )
    return items[:2]


def _as_number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _mends(book: Logbook, desk: Desk, failed: Sequence[Failure]) -> list[Next]:
    """Failures that nothing has mended or measured again since."""
    items = []
    for failure in failed:
        runs = [number for number in failure.runs if number in desk.open_failures]
        if not runs or failure.status in ("retracted", "lost") or (len(runs) < 2 and book.origin != "lab"):
            continue
        where = f"campaign = {sql_text(book.campaign)} and number in ({', '.join(map(str, runs))})"
        items.append(
            Next(
                f"Mend {len(runs)} × {failure.status}: {clean(failure.cause, 90)}",
                f"{run_numbers(runs)}. A failure says nothing about the idea itself.",
                command("memex", "sql", f"select number, description, error from runs where {where}"),
            )
        )
    return items
