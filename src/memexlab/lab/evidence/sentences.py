"""The sentences that weigh evidence: headline, champion, noise, third split. Losses as plainly as wins."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ...memory.effects.noise import student_t_quantile
from ..execution.streams import steps_a_second
from ..wording import Amounts, clean, command, duration, gist, plural, run_numbers, sigmas
from .board import REJECTED
from .lessons import Next
from .logbook import Logbook, LoggedRun, busy_seconds
from .outliers import Alarm

#: The same code at so many times the steps a second ran on another machine, or beside something else.
_OTHER_PACE = 1.25


@dataclass(frozen=True, slots=True)
class Standing:
    """Champion against baseline; gains in the metric's unit, positive is better. `basis` says what they rest on."""

    champion: int
    champion_description: str
    champion_value: float
    baseline: int
    baseline_value: float
    gain: float
    low: float | None
    high: float | None
    sigmas: float | None
    pairs: int
    confirmed: bool
    basis: str
    paired: tuple[float, float] | None = None  # the means of both sides in the pairs that the gain is of
    caveat: str = ""  # what no number of pairs makes good


@dataclass(frozen=True, slots=True)
class ThirdSplit:
    """Scores on the split nobody looked at; `gain` is None where only one side has one."""

    text: str
    gain: float | None
    disagrees: bool


def standing_of(book: Logbook) -> Standing | None:
    """None where there is no champion besides the baseline."""
    champion, baseline = book.champion, book.baseline
    if champion is None or baseline is None or champion is baseline:
        return None
    level, base = book.level(champion), book.level(baseline)
    if level is None or base is None:
        return None
    judged = book.judged.get(champion.run)
    noise = book.noise
    gain, low, high, paired = book.gain(level, base), None, None, None
    pairs = judged.pairs if judged else 0
    against = book.by_run.get(judged.champion) if judged and judged.champion is not None else None
    is_direct = against is not None and (against is baseline or (against.commit == baseline.commit != ""))
    ours, theirs = len(book.fresh(champion)), len(book.fresh(baseline))
    if judged is not None and judged.gain is not None and pairs and is_direct:
        gain, low, high = judged.gain, judged.low, judged.high
        basis = f"{plural(pairs, 'fresh pair')} against the baseline, each on one seed"
        if (paired := _sides(book, champion, pairs)) is not None:
            basis += ": " + " against ".join(map(Amounts.of("", book.scale).value, paired))
    elif ours and theirs and noise is not None and noise.known:
        half = student_t_quantile(0.025, noise.alone.dof) * noise.alone.sigma * math.sqrt(1 / ours + 1 / theirs)
        low, high = gain - half, gain + half
        basis = f"means of {plural(ours, 'fresh run')} of the champion and {theirs} of the baseline"
    else:
        basis = "one run of each, and the champion was picked for being the best: expect less when it is repeated"
    sigma = noise.sigma if noise is not None and noise.sigma > 0 else None
    return Standing(
        champion.number, clean(champion.description, 120), level, baseline.number, base, gain, low, high,
        gain / sigma if sigma else None, pairs, champion.verdict == "confirmed", basis, paired, _caveat(book, champion),
    )  # fmt: skip


def _caveat(book: Logbook, champion: LoggedRun) -> str:
    told = ["the run itself prints its number, and nothing else scored it"] if champion.self_reported else []
    told += ["its code reads no MEMEX_SEED, so that it may be one seed's luck"] if book.one_seed else []
    return "; ".join(told) if book.origin == "lab" else ""


def _sides(book: Logbook, run: LoggedRun, pairs: int) -> tuple[float, float] | None:
    """The means of a run and of what it raced in their fresh pairs; None where the book has not all of them."""
    raced: dict[int | None, dict[bool, float]] = {}
    for side in book.runs:
        if book.tests.get(side.run) == run.run and side.usable is not None:
            raced.setdefault(side.seed, {})[side.commit == run.commit] = side.usable
    full = [sides for sides in raced.values() if len(sides) == 2]
    if not full or len(full) != pairs:
        return None
    return math.fsum(sides[True] for sides in full) / pairs, math.fsum(sides[False] for sides in full) / pairs


def headline(book: Logbook, standing: Standing | None, amounts: Amounts) -> str:
    """What won, by how much, how sure; or plainly that nothing did."""
    if not book.runs:
        return "Nothing has been measured yet."
    if book.baseline is None:
        waiting = sum(run.status == "started" for run in book.runs)
        if waiting == len(book.runs):
            return f"{plural(waiting, 'run')} under way, nothing measured yet."
        failed, runs = sum(run.failed for run in book.runs), plural(len(book.runs), "run")
        if not book.metric and failed < len(book.runs):
            again = command("memex", "import", "FILE", "--metric", "NAME", "--campaign", f"{book.campaign}-2")
            return f"No column of the log is a metric, so its {runs} cannot be compared. Name one: {again}"
        if failed + waiting < len(book.runs):
            return f"No run has a number for {clean(book.metric, 60)}: {failed} of {runs} failed."
        return f"Nothing could be measured: {plural(failed, 'run')} failed."
    sigma = book.noise.sigma if book.noise else None
    if standing is None:
        return _nothing_won(book, amounts, sigma)
    value = amounts.with_unit(standing.champion_value)
    gain = (amounts.value if amounts.decimals is not None else amounts.fine)(abs(standing.gain))
    name = f"#{standing.champion} {gist(standing.champion_description)}".strip()
    how = f" ({sigmas(standing.gain, sigma)})" if sigma else ""
    if standing.confirmed:
        steps = sum(run.verdict == "confirmed" for run in book.lineage(book.champion)) if book.champion else 1
        pairs = plural(standing.pairs, "fresh pair")
        sure = f"confirmed by {pairs}" if standing.pairs else "confirmed"
        way = "better" if standing.gain >= 0 else "WORSE"
        if steps > 1:
            sure = f"{steps} confirmed wins on top of one another, the last by {pairs}"
        elif standing.paired is not None:
            sure += f" ({' against '.join(map(amounts.value, standing.paired))} in these)"
        split = third_split(book, amounts)
        doubt = " The third split disagrees." if split and split.gain is not None and split.gain <= 0 else ""
        return f"Champion {value} ({name}), {gain} {way} than the baseline{how}, {sure}.{doubt}"
    if standing.gain < 0:
        return f"Best kept run {value} ({name}), {gain} worse than the first one{how}."
    luck = _luck(book, amounts)
    return f"Best kept run {value} ({name}), {gain} better than the first one{how}, and not verified.{luck}"


def _luck(book: Logbook, amounts: Amounts) -> str:
    """How much of a log that repeats nothing may be luck."""
    gains = [gain for _, gain in book.kept()]
    if book.noise is not None or not gains:
        return ""
    if book.seed_shift is None:
        return " Nothing in it was repeated, so there is no telling how much is luck."
    inside = sum(gain < book.seed_shift.shift for gain in gains)
    moved = amounts.value(book.seed_shift.shift)
    return f" A new seed alone moved it by {moved}; {inside} of the {plural(len(gains), 'keep')} gained less than that."


def _gained(book: Logbook, run: LoggedRun, base: float) -> tuple[bool, float, str] | None:
    """Whether fresh pairs showed it, what a run gained, and in what: judged or, without that, over the baseline."""
    judged, level = book.judged.get(run.run), book.level(run)
    if judged is not None and judged.gain is not None:
        return judged.pairs > 0, judged.gain, judged.seen
    seen = "fresh runs" if book.fresh(run) else "one run"
    return None if level is None else (False, book.gain(level, base), seen)


def _nothing_won(book: Logbook, amounts: Amounts, sigma: float | None) -> str:
    if book.constant is not None and book.origin != "lab":
        count = plural(sum(run.usable is not None for run in book.runs), "measured run")
        return f"{clean(book.metric, 60)} is {book.constant:g} in all {count}, so it cannot say which idea was better."
    base = book.level(book.baseline) if book.baseline else None
    stands = amounts.with_unit(base) if base is not None else "unmeasured"
    repeats, ideas = len(book.fresh(book.baseline)) if book.baseline else 0, book.ideas(book.runs)
    if all(run.status in ("started", "blocked") for run in ideas):
        floor = f", sigma {sigma:.2g} from {plural(repeats, 'run')}" if sigma else ""
        first = "The first idea is being measured" if any(run.status == "started" for run in ideas) else ""
        return f"The baseline is measured: {stands}{floor}. {first or 'No idea has been tried yet'}."
    text = f"Nothing beat the baseline, which stands at {stands}."
    if book.origin != "lab" and not any(run.role == "baseline" for run in book.runs):
        text = f"No kept run is better than the first one, {stands} (#{book.baseline.number if book.baseline else 1})."
    gains = [
        (*gained, -run.number, run) for run in book.ideas(book.runs)
        if run.usable is not None and base is not None and (gained := _gained(book, run, base)) is not None
    ]  # fmt: skip
    _, gain, seen, _, best = max((one for one in gains if one[1] > 0), default=(False, 0.0, "", 0, None))
    if best is not None and gain > 0:
        how = f" ({sigmas(gain, sigma)})" if sigma else ""
        text += f" The closest, run {best.number}, looked {amounts.fine(gain)} better{how} in {seen}."
    return text


#: What may become of an idea, in the order in which it is counted; the last three were not tried, or not yet.
_CAME_TO = (
    "confirmed", "provisional", "inconclusive", "cut short", "kept without a check", "dropped", "discarded",
    "not judged yet", "failed", "retracted", "turned down by the owner", "refused before they ran", "not ended yet",
)  # fmt: skip


def came_to(run: LoggedRun) -> str:
    """What became of an idea: one of the words that are counted, so that the counts add up."""
    if run.status in ("started", "blocked"):
        turned_down = _CAME_TO[-3 if run.error.startswith(REJECTED) else -2]
        return _CAME_TO[-1] if run.status == "started" else turned_down
    if run.verdict == "retract" or run.failed:
        return "failed" if run.failed else "retracted"
    if "inconclusive" in (run.verdict, run.status):
        return "inconclusive" if run.usable is not None else "cut short"
    if run.verdict in ("confirmed", "provisional", "dropped"):
        return run.verdict
    return {"keep": "kept without a check", "ok": "not judged yet"}.get(run.status, "discarded")


def tried(ideas: Sequence[LoggedRun]) -> int:
    """How many of the ideas were measured, or failed at it."""
    return sum(came_to(run) not in _CAME_TO[-3:] for run in ideas)


def counts_sentence(book: Logbook, new: Sequence[LoggedRun], only_new: bool) -> str:
    """`12 ideas tried in 4 min 10 s of runs: 1 confirmed, 3 inconclusive, 7 discarded, 1 failed.`: what ended a run;
    what was refused before it ran, or runs now, is told apart."""
    ideas = book.ideas(new)
    if not ideas:
        return ""
    seconds = busy_seconds(new) if book.origin == "lab" else 0.0
    counts = Counter(map(came_to, ideas))
    parts = [f"{counts[what]} {what}" for what in _CAME_TO if counts[what] or what in ("confirmed", "failed")]
    within = f" in {duration(seconds)} of runs" if seconds else ""
    lead = "New: " if only_new else ""
    return f"{lead}{plural(tried(ideas), 'idea')} tried{within}: {', '.join(parts)}."


def noise_sentence(book: Logbook, amounts: Amounts) -> str:
    """How large the noise is and where that is known from."""
    noise = book.noise
    if noise is not None:
        if noise.sigma == 0:
            return (
                "Repeats gave exactly the same value every time. Either this metric has no noise, or the run fixes its "
                "seed and reads no MEMEX_SEED: then a win is a win on that one seed."
            )
        trust = "" if noise.dof >= 8 else " That is few: sigma itself may be off by a third or more."
        return f"Noise: {noise}.{trust}"
    if book.seed_shift is not None:
        seed = book.seed_shift
        runs = ", ".join(f"#{a} against #{b}" for a, b in seed.runs[:3])
        count = "a single pair is" if seed.pairs == 1 else f"{seed.pairs} pairs are"
        return (
            f"Noise: nothing was repeated here. The only hint is {plural(seed.pairs, 'run')} that changed just the "
            f"seed ({runs}): the metric moved by {seed.shift:.2g}. {count.capitalize()} a weak estimate of noise."
        )
    if len(book.runs) > 1:
        return "Noise: unknown. No setting was measured four times, so nobody can say which differences are real."
    return ""


def pace_told(db: sqlite3.Connection, book: Logbook, amounts: Amounts) -> list[str]:
    """Where repeats of one code ran at other speeds, and the faster of them measured better: the machine is in the
    values. Nothing where its runs print no steps."""
    if book.baseline is None or not book.baseline.commit:
        return []
    same = [r for r in book.runs if r.commit == book.baseline.commit and r.role in ("baseline", "pair", "control")]
    found: list[tuple[float, int, float]] = []
    for run in same:
        metrics = dict(db.execute("SELECT name, value FROM metrics WHERE run = ?", (run.run,)).fetchall())
        speed = steps_a_second(metrics, run.seconds or 0.0)
        if speed is not None and run.usable is not None:
            found.append((speed, run.number, run.usable))
    found.sort()
    half = len(found) // 2
    if half < 2 or found[-1][0] < _OTHER_PACE * found[0][0]:
        return []
    slow, fast = (math.fsum(value for _, _, value in part) / half for part in (found[:half], found[-half:]))
    if (gain := book.gain(fast, slow)) <= 0:
        return []
    (least, slowest, _), (most, fastest, _) = found[0], found[-1]
    return [
        f"The machine changed its speed: the baseline's code made {least:.3g} steps a second in run {slowest} and "
        f"{most:.3g} in run {fastest}, and the faster half of its {len(found)} runs measured {amounts.fine(gain)} "
        "better than the slower. Trust fresh pairs, which share the machine, and no difference of single runs."
    ]


def third_split(book: Logbook, amounts: Amounts) -> ThirdSplit | None:
    """Champion and baseline on the split nobody has looked at, with a remark where it disagrees."""
    finals = {run.commit: run for run in book.runs if run.role == "final" and run.commit}
    if not finals:
        return None
    champion, baseline = book.champion, book.baseline
    ours = finals.get(champion.commit) if champion else None
    theirs = finals.get(baseline.commit) if baseline else None
    if ours is None and theirs is None:
        return None
    sides = [("champion", ours), *([("baseline", theirs)] if theirs is not ours else [])]
    scores = [
        f"{name} {'failed' if run.usable is None else amounts.value(run.usable)} (#{run.number})"
        for name, run in sides if run is not None
    ]  # fmt: skip
    text = f"On the third split, which no decision has seen: {', '.join(scores)}."
    if ours is None or theirs is None or ours is theirs or ours.usable is None or theirs.usable is None:
        return ThirdSplit(text, None, False)
    gain = book.gain(ours.usable, theirs.usable)
    standing = standing_of(book)
    expected = standing.gain if standing else 0.0
    if gain <= 0:
        worse = f"It disagrees: there the champion is {amounts.fine(-gain)} worse. Do not count on this win."
        return ThirdSplit(f"{text} {worse}", gain, True)
    if expected > 0 and gain < expected / 2:
        weak = f"It agrees in direction only: {gain / expected:.0%} of the gain is left there."
        fitted = "The win may be partly fitted to the split it was judged on."
        return ThirdSplit(f"{text} {weak} {fitted}", gain, True)
    if standing is not None and standing.high is not None and expected > 0 and gain > max(standing.high, 2 * expected):
        unlike = "far more than fresh pairs showed: the two sides may have run under another load"
        return ThirdSplit(f"{text} It agrees in direction: {amounts.fine(gain)} better, {unlike}.", None, False)
    return ThirdSplit(f"{text} It agrees: {amounts.fine(gain)} better there too.", gain, False)


def trust(
    standing: Standing, split: ThirdSplit | None, amounts: Amounts, doubted: int, kept: int, alarm: Alarm | None = None
) -> tuple[str, str, str]:
    """Whether to believe the champion's gain: a word, its grounds, its tone; `doubted` of `kept` keeps are in noise,
    and `alarm` says why its change should be read first."""
    low, high = standing.low, standing.high
    known = low is not None and high is not None
    interval = f"95 % interval {amounts.signed(low or 0.0)} to {amounts.signed(high or 0.0)}" if known else ""
    if split is not None and split.disagrees:
        return "Doubtful", "the split that no decision has seen does not bear it out", "failed"
    if standing.confirmed and low is not None and low > 0:
        agrees = "; an unseen split agrees" if split is not None and split.gain is not None else ""
        if alarm is not None and alarm.rule != "sigma":
            return "Read it first", f"{alarm.sentence.rstrip('.')}; {interval}{agrees}", "doubtful"
        if standing.caveat:
            return "Probably", f"{interval}{agrees}; {standing.caveat}", "doubtful"
        large = "; its gain is so large that its change is worth reading" if alarm is not None else ""
        return "Yes", interval + agrees + large, "confirmed"
    if standing.confirmed:
        return "Probably", f"{interval or 'confirmed step by step'}: it may be nothing", "doubtful"
    luck = f"; {doubted} of {plural(kept, 'keep')} within noise" if doubted else ""
    return "Not yet", f"one run each, never repeated{luck}", "doubtful"


def doubts(book: Logbook, standing: Standing | None, split: ThirdSplit | None, amounts: Amounts) -> list[Next]:
    """What a person should settle before building on the champion."""
    found = []
    if split is not None and split.disagrees and standing is not None:
        gains = f"{amounts.signed(split.gain or 0.0)} where the race gave {amounts.signed(standing.gain)}"
        found.append(Next(f"Decide whether run {standing.champion} stays champion", f"The third split gives {gains}."))
    if standing is not None and standing.confirmed and standing.gain <= 0:
        title = f"Re-test run {standing.champion} against the baseline (#{standing.baseline})"
        why = "It was confirmed step by step, and yet its fresh runs are no better than the baseline's."
        found.append(Next(title, why))
    open_ = [run.number for run in book.runs if run.role == "candidate" and run.status == "ok" and not run.verdict]
    if open_ and book.origin == "lab":
        title = f"{plural(len(open_), 'run')} still to be judged ({run_numbers(open_)})"
        again = command("memex", "run", "--campaign", book.campaign, "--runs", "1")
        found.append(Next(title, "The next `memex run` does it first.", again))
    return found
