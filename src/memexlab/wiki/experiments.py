"""Runs as sources: a campaign, its champions, its techniques and its open questions, as statements with their numbers.

Everything is read from the views, so a page follows the ledger; sentences claim what `effects` claims and no more. It
knows nothing of pages: what it gives stands beside what text sources say, and is rendered with it.
"""

from __future__ import annotations

import json
import math
import re
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..memory.effects.noise import noise_floor
from .claims import claim_key
from .live_claims import RUNS, Quote, Standing, Statement, Taken

_OPEN, _CHARS = 15, 600
_ORDER = {name: i for i, name in enumerate(("replicated", "reversed", "conditional", "unresolved", "within noise"))}
_PAST = {"keep": "kept", "discard": "discarded", "crash": "crashed", "timeout": "timed out"}


def with_runs(found: Standing, db: sqlite3.Connection) -> Standing:
    """What stands, and what the runs of every campaign come to."""
    db.row_factory, before = sqlite3.Row, db.row_factory
    try:
        campaigns = list(db.execute("SELECT * FROM campaigns ORDER BY campaign"))
        told = [_Told(db, dict(row), len(campaigns) > 1) for row in campaigns]
    finally:
        db.row_factory = before
    sources = {taken.name: taken for one in told for taken in one.sources}
    statements = tuple(statement for one in told for statement in one.statements)
    return replace(found, sources={**found.sources, **sources}, statements=(*found.statements, *statements))


@dataclass
class _Told:
    """What is said of one campaign; `several`: sentences must name it."""

    db: sqlite3.Connection
    campaign: dict[str, Any]
    several: bool
    sources: list[Taken] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._name: str = self.campaign["campaign"]
        self._unit = f" {self.campaign['unit']}".rstrip()
        self._runs = self._rows("SELECT * FROM runs WHERE campaign = ? ORDER BY number, id")
        self._by_run = {run["run"]: run for run in self._runs}
        self._by_number = {run["number"]: run for run in self._runs}
        sql = "SELECT * FROM champions WHERE campaign = ? ORDER BY since"
        self._champions = [row for row in self._rows(sql) if row["run"] in self._by_run]
        effects = self._rows("SELECT * FROM effects WHERE campaign = ?")
        self._effects = sorted(effects, key=lambda e: (_ORDER.get(e["status"], 9), -abs(e["gain"]), str(tuple(e))))
        self._noise = noise_floor(self.db, self._name)
        self._sigma = self._noise.sigma if self._noise.known else None
        if self._runs:
            self._about_campaign()
            self._about_champions()
            self._about_techniques()
            self._about_questions()

    def _rows(self, sql: str) -> list[sqlite3.Row]:
        return list(self.db.execute(sql, (self._name,)))

    # --- who says what

    def _taken(self, part: str, title: str, subject: str, kind: str, date: str = "") -> Taken:
        self.sources.append(Taken(f"{RUNS}{self._name}/{part}", title, subject, "", date, kind))
        return self.sources[-1]

    def _say(self, taken: Taken, relation: str, text: str, runs: Sequence[sqlite3.Row], numbers: str = "") -> None:
        """One sentence on the page of `taken`, with a note that holds the numbers and the entries."""
        text = " ".join(text.split())[:_CHARS]  # what a proposer wrote may hold lines that would be Markdown
        shown = [self._measured(run) for run in runs[:8]]
        shown += [f"and {len(runs) - 8} more"] if len(runs) > 8 else []
        note = f"{self._name}: {'; '.join(filter(None, [numbers, *shown]))}"
        key = claim_key(taken.name, taken.subject, relation, "", text)
        quotes = (Quote(taken.name, 0, 0, note),)
        said = Statement(key, taken.name, taken.subject, relation, "", "holds", "", text, "", "", quotes)
        self.statements.append(said)

    def _measured(self, run: sqlite3.Row) -> str:
        value = "no value" if run["value"] is None else f"{self.campaign['metric']} {run['value']:.6g}"
        return f"run {run['number']} ({run['role']}, {run['verdict'] or run['status']}): {value}, `{run['id']}`"

    def _run(self, run: sqlite3.Row) -> str:
        return f"run {run['number']} of {self._name}" if self.several else f"run {run['number']}"

    def _amount(self, gain: float) -> str:
        """A gain with its sign, as exact as the noise allows where it is known."""
        shown = f"{gain:+.{max(0, 1 - math.floor(math.log10(self._sigma)))}f}" if self._sigma else f"{gain:+.3g}"
        return shown[1:] if not float(shown) else shown.replace("-", "−")

    def _gain(self, effect: sqlite3.Row) -> str:
        told = f"{self._amount(effect['gain'])}{self._unit}"
        if effect["low"] is None:
            return told
        return f"{told} (95 % interval {self._amount(effect['low'])} to {self._amount(effect['high'])})"

    # --- the campaign

    def _about_campaign(self) -> None:
        c, runs = self.campaign, self._runs
        days = sorted(run["at"][:10] for run in runs)
        date = days[-1] if c["origin"] == "lab" else ""  # a log does not say when its runs were made
        page = self._taken("campaign", f"Campaign {self._name}", f"campaign {self._name}", "experiment", date)
        tried = [run for run in runs if run["role"] == "candidate"]
        counts = [f"{sum(run['status'] == s for run in tried)} {_PAST.get(s, s)}"
                  for s in ("keep", "discard", "inconclusive", "crash", "timeout", "invalid", "blocked")
                  if any(run["status"] == s for run in tried)]  # fmt: skip
        budget = f" at {c['budget_seconds']:g} s a run" if c["budget_seconds"] else ""
        came = ", ".join(counts) or "none is judged yet"
        self._say(page, "summary", f"{len(runs)} runs measured {c['metric']} ({c['better']} is better){budget}; "
                  f"{len(tried)} of them tried something: {came}.", runs[:1])  # fmt: skip
        repeats = [run for run in runs if run["role"] in ("baseline", "pair") and run["value"] is not None]
        if self._sigma:
            self._say(page, "result", f"Noise{f' in{self._unit}' if self._unit else ''}: {self._noise}.", repeats)
        else:
            self._say(page, "result", "The noise is unknown, because the baseline was not repeated: no gain below is "
                      "shown to be more than luck.", runs[:1])  # fmt: skip
        for run in (run for run in runs if run["role"] == "final" and run["value"] is not None):
            self._say(page, "result", f"On data nobody chose by: {run['description']}, {run['value']:.6g}.", [run])
        for row in self._champions:
            run, sure = self._by_run[row["run"]], self._by_run[row["run"]]["verdict"] == "confirmed"
            gain = "" if row["gain"] is None else (f": {self._amount(row['gain'])}{self._unit}, "
                                                   f"{'confirmed' if sure else 'not confirmed'}")  # fmt: skip
            began = "began as the best" if row["gain"] is None else "became the best"
            what = f" ({run['description']})" if run["description"] else ""
            self._say(page, "result", f"{self._run(run).capitalize()} {began}{gain}{what}.", [run])

    def _about_champions(self) -> None:
        for before, row in zip(self._champions, self._champions[1:], strict=False):
            run, old = self._by_run[row["run"]], self._by_run[before["run"]]
            title = f"Run {run['number']}: {run['description'] or run['id'][:10]}"
            date = run["at"][:10] if self.campaign["origin"] == "lab" else ""
            subject = f"run {run['number']} of {self._name}"
            page = self._taken(f"run {run['number']}", title, subject, "experiment", date)
            self._say(page, "hypothesis", run["hypothesis"].strip() or f"{run['description']}.", [run])
            sql = "SELECT DISTINCT knob FROM changes WHERE run = ? ORDER BY knob"
            if knobs := [knob for (knob,) in self.db.execute(sql, (run["run"],))]:
                self._say(page, "hypothesis", f"It changed {_listed(knobs)}.", [run])
            if run["verdict"]:
                reason = run["reason"].strip() or run["verdict"]
                self._say(page, "result", f"{reason[0].upper()}{reason[1:]}.", [run, old])
            else:
                gain = f"{self._amount(row['gain'] or 0.0)}{self._unit}"
                self._say(page, "result", f"Kept: {gain} against {self._run(old)}, the best before it; one run, not "
                          "repeated.", [run, old])  # fmt: skip
            end = f"was the best until run {row['until']} took its place" if row["until"] else "is the best so far"
            self._say(page, "result", f"In campaign {self._name} it {end}.", [run])

    # --- techniques

    def _about_techniques(self) -> None:
        by_knob: dict[str, list[sqlite3.Row]] = defaultdict(list)
        for effect in self._effects:
            by_knob[effect["knob"]].append(effect)
        changed: dict[str, list[sqlite3.Row]] = defaultdict(list)
        sql = ("SELECT DISTINCT c.knob, c.run FROM changes c JOIN runs r USING (run) WHERE r.campaign = ?"
               " AND r.role = 'candidate' ORDER BY r.number, r.id")  # fmt: skip
        for knob, run in self._rows(sql):
            changed[knob].append(self._by_run[run])
        best = self._champions[-1]["run"] if self._champions else None
        held = dict(self.db.execute("SELECT knob, value FROM settings WHERE run = ?", (best,)).fetchall())
        for knob in sorted(by_knob):
            effects = by_knob[knob]
            runs = changed[knob]
            tells = any(self._tells(effect) for effect in effects) or any(r["status"] == "keep" for r in runs)
            if not (runs and tells):
                continue
            spoken = knob.replace("_", " ").strip()
            spoken = spoken.lower() if spoken.isupper() and len(spoken) > 4 else spoken
            page = self._taken(knob, spoken[:1].upper() + spoken[1:], knob, "technique")
            kept = [self._run(run) for run in runs if run["status"] == "keep"]
            now = f" {self._run(self._by_run[best]).capitalize()}, the best, has {held[knob]}." if knob in held else ""
            self._say(page, "summary", f"Changed in {_count(len(runs), 'run')} of campaign {self._name}"
                      f"{', kept in ' + _listed(kept) if kept else ', kept in none'}.{now}", runs)  # fmt: skip
            for effect in effects:
                relation, text = self._effect(effect)
                used = [self._by_number[n] for n in json.loads(effect["runs"])]
                self._say(page, relation, text, used, f"{_change(effect)}: {self._gain(effect)}")
            for run in (run for run in runs if run["status"] in ("crash", "timeout")):
                self._say(page, "hurts", f"{self._run(run).capitalize()} ({run['description']}) "
                          f"{_PAST[run['status']]}, and measured nothing.", [run])  # fmt: skip

    def _tells(self, effect: sqlite3.Row) -> bool:
        """Whether a page is worth its place: the change is settled, seen twice, or clear of its own interval."""
        clear = effect["low"] is not None and effect["low"] * effect["high"] > 0
        return effect["status"] in ("replicated", "reversed", "conditional") or effect["n"] > 1 or clear

    def _effect(self, effect: sqlite3.Row) -> tuple[str, str]:
        """(relation, sentence) of one change: what is shown, or what only looked so and why it is not shown."""
        runs = [self._by_number[n] for n in json.loads(effect["runs"])]
        where = f"in {_listed([self._run(run) for run in runs])}"
        what, gain, status, better = _change(effect), self._gain(effect), effect["status"], effect["gain"] > 0
        what = what[0].upper() + what[1:]
        if status in ("replicated", "reversed", "conditional"):
            under = f" under {effect['condition']}" if effect["condition"] else ""
            tail = {"replicated": "measured more than once, and in agreement",
                    "reversed": "elsewhere the sign turns", "conditional": "elsewhere it differs"}[status]  # fmt: skip
            verb = "helped" if better else "hurt"
            return "helps" if better else "hurts", f"{what} {verb}{under}: {gain}, {where}; {tail}."
        if status == "within noise":
            return "open", f"{what} made no difference that can be told from noise: {gain}, {where}."
        alone = f"never moved without {effect['confounded']}, so the gain is not its own"
        why = "the noise is unknown, so it may be luck" if effect["sigma"] is None else "not settled"
        notes = [alone] if effect["confounded"] else []
        notes.append(f"{'one run' if len(runs) == 1 else f'{len(runs)} runs'}, {why}")
        notes += ["measured on settings that the best has left since"] if status == "stale" else []
        verb = "looked better" if better else "looked worse" if effect["gain"] else "looked the same"
        return "helps" if better else "hurts", f"{what} {verb}: {gain}, {where}; {'; '.join(notes)}."

    def _about_questions(self) -> None:
        asked = [e for e in self._effects if e["status"] == "unresolved"]
        if not asked:
            return
        asked.sort(key=lambda e: (e["runs_to_settle"] or 10**9, -abs(e["gain"]), e["knob"], str(e["runs"])))
        page = self._taken("open questions", f"Open questions of {self._name}", f"open questions of {self._name}",
                           "question")  # fmt: skip
        first = "Those that the fewest runs would settle come first." if self._sigma else (
            "None can be settled while the noise is unknown: measure the baseline four times first.")  # fmt: skip
        shown = f"; the {_OPEN} largest are here" if len(asked) > _OPEN and not self._sigma else ""
        self._say(page, "summary", f"{_count(len(asked), 'change')} of campaign {self._name} "
                  f"{'is' if len(asked) == 1 else 'are'} not settled{shown}. {first}", self._runs[:1])  # fmt: skip
        for effect in asked[:_OPEN]:
            runs = [self._by_number[n] for n in json.loads(effect["runs"])]
            pairs = effect["runs_to_settle"]
            cost = f"; {_count(pairs, 'fresh pair')} would settle it 8 times in 10" if pairs and self._sigma else ""
            seen = _listed([self._run(run) for run in runs])
            text = f"Does {effect['knob']}, {_change(effect)}, help? It gave {self._gain(effect)} in {seen}{cost}."
            self._say(page, "open", text, runs)


def _change(effect: sqlite3.Row) -> str:
    old, new = effect["old"], effect["new"]
    if old is None:
        told = {"there": "adding it", "up": "raising it", "down": "lowering it", None: "changing it"}
        told |= {"edit": "editing it", "swap": "swapping it", "set": "setting it"}
        times = new is not None and re.fullmatch(r"x\d.*", new)
        return told.get(new) or (f"multiplying it by {new[1:]}" if times else f"setting it to {new}")
    return "removing it" if old == "there" and new in (None, "none") else f"{old} → {'none' if new is None else new}"


def _count(count: int, one: str) -> str:
    return f"{count} {one}" + ("" if count == 1 else "s")


def _listed(items: Sequence[str]) -> str:
    shown = [*items[:6], *([f"{len(items) - 6} more"] if len(items) > 6 else [])]
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
