"""What the morning report asks of its reader: decisions and experiments, the most urgent first.

First what is in doubt, then results too good to be left alone, then the decision packets, then directions that nobody
has gone. Everything carries a command that can be typed, where there is one.
"""

from __future__ import annotations

import math
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Sequence

from ...memory.doubts import doubts as retraction_doubts
from ..evidence.lessons import Failure, Next
from ..evidence.logbook import Logbook
from ..evidence.next_action import Action, Desk
from ..evidence.outliers import alarm_of, too_good
from ..evidence.packets import Packet, desk_of, ranked
from ..wording import clean, command, plural, run_numbers

_MOST = 8
_MOST_OF_A_KIND = 2
#: What a packet asks for, as a title; failures are told by cause.
TITLES: dict[Action, str] = {
    "replicate": "Measure run {} again", "retry": "Re-test run {}", "retest": "Try run {} on today's champion",
    "branch_followup": "Measure run {} on top of the champion", "promote": "Take the win of run {}",
}  # fmt: skip


KEEP_GOING = "Keep going"
_LOOK = "Look at run {} before you believe it"


def agenda(
    db: sqlite3.Connection, book: Logbook, failed: Sequence[Failure], champion_doubts: Sequence[Next],
    is_taken: Callable[[str], bool] = lambda _: False,
) -> list[Next]:  # fmt: skip
    """At most eight items; `champion_doubts` come before all others but a win, which is not offered where its commit
    `is_taken` over already."""
    is_lab = book.origin == "lab"
    more = command("memex", "run", "--campaign", book.campaign, "--runs", "8") if is_lab else ""
    desk = desk_of(db, book.campaign, book)
    packets = _packets(db, book, desk, is_taken)
    champion = book.champion.number if book.champion else 0
    take = [] if any(f" {champion} " in f"{item.title} " for item in champion_doubts) else packets.pop("promote", [])
    alarms = _alarms(db, book, desk)
    odd = alarm_of(db, book, is_taken)
    first = [item for item in alarms if odd and odd.rule != "sigma" and item.title == _LOOK.format(champion)]
    items = [*first, *take, *champion_doubts, *_retracted(db, book), *(item for item in alarms if item not in first)]
    items += [item for action, of_kind in packets.items() if action != "promote" for item in of_kind]
    items += _directions(book)
    items += _mends(book, desk, failed)[:3]
    if not book.metric:
        why = "Without a metric its runs are words; the columns that could be one are told where NAME is none of them."
        again = command("memex", "import", "FILE", "--metric", "NAME", "--campaign", f"{book.campaign}-2")
        items.insert(0, Next("Say which column of the log is the metric", why, again))
    again = TITLES["replicate"].format(champion)
    is_known = book.noise is not None or any(item.title.startswith(again) for item in items)
    if not is_lab and not is_known and book.champion is not None and book.champion is not book.baseline:
        why = "Four runs of each give this log a noise floor; without it no gain in it can be called real."
        items.append(Next(f"Repeat run {champion} and run {book.baseline.number if book.baseline else 1}", why))
    if is_lab:
        items.append(Next(KEEP_GOING, "More ideas, judged against the same noise floor.", more))
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
        resting_on = plural(len(numbers), "run rests", "runs rest")
        title = f"{resting_on} on run {run}, which was retracted ({run_numbers(numbers)})"
        items.append(Next(title, why))
    return items[-_MOST_OF_A_KIND:]


def _alarms(db: sqlite3.Connection, book: Logbook, desk: Desk) -> list[Next]:
    """The newest results that look too good; a first large win is usual, a leak looks the same."""
    by_number = {run.number: run for run in book.runs}
    found = {alarm.number: alarm for alarm in too_good(db, book.campaign, book)}
    items = []
    for number, alarm in list(found.items())[-_MOST_OF_A_KIND:]:
        told = clean(alarm.sentence, 240)
        why = f"{told} That is usual early on, and it is also what a leak or a trick on the metric looks like."
        items.append(Next(_LOOK.format(number), why, desk.look(by_number[number])))
    return items


def _packets(
    db: sqlite3.Connection, book: Logbook, desk: Desk, is_taken: Callable[[str], bool]
) -> dict[Action, list[Next]]:
    kinds: dict[Action, list[Packet]] = defaultdict(list)
    taken = book.champion is None or book.origin != "lab" or is_taken(book.champion.commit)
    for packet in ranked(db, book.campaign, desk=desk):
        if packet.action in TITLES and not (taken and packet.action == "promote"):
            kinds[packet.action].append(packet)
    found = {}
    for action, packets in kinds.items():
        items = []
        for packet in packets[:_MOST_OF_A_KIND]:
            what = clean(packet.description, 80)
            title = f"{TITLES[action].format(packet.number)}{f': {what}' if what else ''}"
            items.append(Next(title, clean(packet.rationale, 400), packet.command))
        if rest := packets[_MOST_OF_A_KIND:]:
            told = f"{items[-1].why} The same goes for {run_numbers([packet.number for packet in rest])}."
            items[-1] = Next(items[-1].title, told, items[-1].command)
        found[action] = items
    return found


def _directions(book: Logbook) -> list[Next]:
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
        step = command("memex", "try", "--set", f"{change.knob}={further:.3g}", "--hypothesis", f"{name} further",
                       "--campaign", book.campaign)  # fmt: skip
        values = map(_as_number, book.tried(change.knob))
        if not any(value is not None and (value - new) * (new - old) > 0 for value in values):
            items.append(
                Next(
                    f"Go further with {name}: try {further:.3g}",
                    f"{clean(change.old or '', 20)} → {clean(change.new or '', 20)} won (#{champion.number}), and "
                    "no run has been beyond it.",
                    step if book.origin == "lab" else "",
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
        items.append(
            Next(
                f"Mend {len(runs)} × {failure.status}: {clean(failure.cause, 90)}",
                f"{run_numbers(runs)}. A failure says nothing about the idea itself.",
            )
        )
    return items
