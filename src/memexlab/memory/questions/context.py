"""One campaign as it was known at a time, what a question says of its runs as SQL, and the answer made of the rows.

It does not know what is asked of those runs.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...ledger import FAILED, UsageError
from ..changes.names import SHIPPED, Aliases
from ..registry import registry
from ..runs import STATUS_OF_DECISION
from .grammar import Question
from .moments import ANYTIME, DIRECTIONS, Condition, Impossible, NotHere, compared, in_words, quoted, recorded
from .vocabulary import Vocabulary

FAILED_LIST = ", ".join(f"'{status}'" for status in sorted(FAILED))
MOST_REFS = 200
OWN = "r.role IN ('candidate', 'baseline')"
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """`value` is a number, a text, an object or a list of run numbers; None where the memory does not know.

    `refs` are entry ids of the runs it rests on, the first 200; `confidence` is exact, words (runs were found by words
    of their descriptions), passages (no answer, but quotes of what reads alike; value None) or none.
    """

    question: str
    kind: str
    value: Any
    text: str
    sql: str
    refs: tuple[str, ...]
    as_of: int
    confidence: str


@dataclass(frozen=True, slots=True)
class Scene:
    """A question of one campaign as it was known: terms, newest run, and the instant after which nothing counts."""

    question: str
    db: sqlite3.Connection
    campaign: str
    metric: str
    lower: bool
    last: int
    cut: str | None
    names: Vocabulary

    @property
    def name(self) -> str:
        """The campaign; SQL."""
        return quoted(self.campaign)

    @property
    def known(self) -> str:
        """Whether an entry `e` had landed; SQL."""
        return f"e.at < {quoted(self.cut)}" if self.cut else "1"

    @property
    def status(self) -> str:
        """The status of a run, by the verdicts that were known; SQL."""
        if self.cut is None:
            return "r.status"
        cases = " ".join(f"WHEN '{decision}' THEN '{status}'" for decision, status in STATUS_OF_DECISION.items())
        body = "(SELECT json_extract(b.body, '$.status') FROM entries b WHERE b.seq = r.run)"
        return (
            f"iif(r.verdict = '', r.status, coalesce((SELECT CASE v.decision {cases} END FROM verdicts v JOIN entries e"
            f" ON e.seq = v.seq WHERE v.run = r.run AND {self.known} AND NOT EXISTS (SELECT 1 FROM refs x JOIN"
            " entries y ON y.seq = x.seq WHERE x.target = e.id AND x.role IN ('retracts', 'supersedes') AND y.at <"
            f" {quoted(self.cut)}) ORDER BY v.decision = 'retract' DESC, e.at DESC, e.id DESC LIMIT 1), {body}))"
        )

    @property
    def decided(self) -> str:
        """The last judgement on a run `r` that was known; SQL."""
        if self.cut is None:
            return "r.verdict"
        return (
            f"(SELECT v.decision FROM verdicts v JOIN entries e USING (seq) WHERE v.run = r.run AND {self.known}"
            " ORDER BY e.at DESC, e.id DESC LIMIT 1)"
        )

    def held(self, condition: Condition, walk: bool) -> str:
        """The run was measured under this setting, as recorded or as typed changes of champions up to it say; SQL.

        `walk` is for runs that are looked at one by one until one fits; else all runs with the setting are found first.
        """
        knob, sign, value = quoted(condition.knob), condition.sign, condition.value
        if condition.knob.startswith("metric "):
            name = condition.knob.removeprefix("metric ")
            worked = f" AND {self.status} NOT IN ({FAILED_LIST})" if name == self.metric else ""
            return f"{self.measured(name)} {sign} {value!r}{worked}"
        if condition.old is None and self.has_settings(condition.knob):
            rows = f"FROM settings s WHERE s.knob = {knob} AND {compared('s', sign, value)}"
            return f"EXISTS (SELECT 1 {rows} AND s.run = r.run)" if walk else f"r.run IN (SELECT s.run {rows})"
        if condition.knob.startswith("label "):
            path = quoted("$.meta." + json.dumps(condition.knob.removeprefix("label ")))
            return f"(SELECT lower(b.body ->> {path}) FROM entries b WHERE b.seq = r.run) = {quoted(str(value))}"
        if condition.sign in DIRECTIONS:
            before = (  # of a log that says only "depth 10", by what the champion of then had
                f"SELECT p.new FROM champions k JOIN changes p USING (run) WHERE k.campaign = {self.name} AND p.knob ="
                f" {knob} AND p.new GLOB '*[0-9]*' AND k.since < r.number ORDER BY k.since DESC LIMIT 1"
            )
            past = f"CAST(c.new AS REAL) {'>' if sign == 'up' else '<'} CAST(({before}) AS REAL)"
            told = f"c.direction = {quoted(sign)} OR (c.old IS NULL AND c.new GLOB '*[0-9]*' AND {past})"
            return f"EXISTS (SELECT 1 FROM changes c WHERE c.run = r.run AND c.knob = {knob} AND ({told}))"
        if condition.old is not None:
            moved = f"c.knob = {knob} AND {compared('c', '=', value)}"
            moved += f" AND {compared('c', '=', condition.old, 'old')}" if condition.old != "" else ""
            return f"(r.run IN (SELECT c.run FROM changes c WHERE {moved}){written(condition)})"
        then = self.replayed(condition.knob)
        if isinstance(value, str):
            return f"{then} {sign} {quoted(value)} COLLATE NOCASE"
        near = (
            f"abs(CAST({then} AS REAL) - {value!r}) <= 1e-9"
            if sign == "="
            else f"CAST({then} AS REAL) {sign} {value!r}"
        )
        return f"({near}{written(condition)})"

    def measured(self, metric: str) -> str:
        """What a run `r` was measured on; SQL."""
        if metric in ("", self.metric):
            return "r.value"
        own = {
            "seconds": "r.seconds",
            "usd": "r.usd",
            "pairs": "(SELECT v.pairs FROM verdicts v JOIN entries e USING (seq) WHERE v.run = r.run AND v.pairs IS NOT"
            f" NULL AND {self.known} ORDER BY e.at DESC LIMIT 1)",
            "steps per second": "(SELECT m.value / t.value FROM metrics m JOIN metrics t USING (run) WHERE m.run ="
            " r.run AND m.name IN ('steps', 'num_steps') AND t.name IN ('training_seconds', 'training_time_s') AND"
            " t.value > 0)",
        }
        return own.get(metric, f"(SELECT m.value FROM metrics m WHERE m.run = r.run AND m.name = {quoted(metric)})")

    def replayed(self, knob: str) -> str:
        """What is known of a setting at run `r` of a log without settings, else NULL; SQL."""
        name, campaign = quoted(knob), self.name
        own = f"k.campaign = {campaign} AND c.knob = {name}"
        of_champions = f"FROM champions k JOIN changes c USING (run) WHERE {own} AND k.since"
        return (
            f"coalesce((SELECT c.new FROM changes c WHERE c.run = r.run AND c.knob = {name} AND c.new IS NOT NULL"
            f" LIMIT 1), (SELECT c.new {of_champions} < r.number ORDER BY k.since DESC LIMIT 1),"
            f" (SELECT c.old {of_champions} > r.number AND k.since <= {self.last} ORDER BY k.since LIMIT 1))"
        )

    def fitting(self, q: Question, *, changed: bool = True, combined: bool = False) -> str:
        """What the question says of a run `r`; SQL."""
        first, last = q.window.first or 1, self.last if q.window.last is None else min(self.last, q.window.last)
        # Without anchors a best is found by a walk in the order of values, runs with a setting by that setting: the
        # plus keeps the planner off the numbers.
        walk = q.kind in ("best", "worst", "first", "last", "setting", "helped", "changed")
        free = "+" if q.window == ANYTIME and (walk or q.knobs or q.conditions) else ""
        parts = [f"r.campaign = {self.name}", f"{free}r.number BETWEEN {first} AND {last}"]
        parts += [] if q.kind == "total" else [OWN]
        parts += [f"r.at < {quoted(q.window.before)}"] if q.window.before else []
        parts += [f"r.at >= {quoted(q.window.since)}"] if q.window.since else []
        parts += [self.held(condition, walk) for condition in q.conditions]
        for family in q.knobs if changed else ():
            rows = f"FROM changes c WHERE c.knob IN ({listed(family)})"
            moved = f"EXISTS (SELECT 1 {rows} AND c.run = r.run)" if walk else f"r.run IN (SELECT c.run {rows})"
            if q.words and q.kind == "tried":  # "a cosine warmdown": the words may say it together
                moved = f"({moved} OR {in_words(q.named[q.knobs.index(family)].split())})"
            stem = family[0].partition("_")[0]
            if combined and q.kind == "tried" and any(map(str.isdigit, stem)):
                # Combinations are written short: "best (x0+lr+rope)".
                moved = f"({moved} OR instr(lower(r.description), {quoted(stem)}))"
            parts.append(moved)
        if q.words:
            parts.append(in_words(q.words))
        if q.status:
            ran = listed(sorted(FAILED - {"started", "blocked"}))  # what was refused before it ran did not fail
            failed = f"IN ({ran}) AND {self.decided} IS NOT 'retract'"
            one_of = {"failed": failed, "measured": f"NOT IN ({FAILED_LIST})",
                      "unkept": "NOT IN ('keep', 'started')"}  # fmt: skip
            tests = [f"{self.status} {one_of.get(s, f'= {quoted(s)}')}" for s in q.status.split()]
            parts.append(f"({' OR '.join(tests)})" if len(tests) > 1 else tests[0])
        if q.decision in ("retract", "reinstate"):
            parts.append(f"EXISTS (SELECT 1 FROM verdicts v WHERE v.run = r.run AND v.decision = {quoted(q.decision)})")
        elif q.decision:
            parts.append(f"{self.decided} IN ({listed(q.decision.split())})")
        if q.actor:
            parts.append(f"lower(r.description) GLOB {quoted(f'{q.actor}:*')}")
        if q.reigned:
            took = " AND k.gain IS NOT NULL" * (q.reigned == "change")
            parts.append(f"EXISTS (SELECT 1 FROM champions k WHERE k.run = r.run{took})")
        return " AND ".join(parts)

    def rows(self, q: Question, sql: str) -> tuple[str, list[Row]]:
        """The SQL as it is shown, with the anchors it rests on, and its rows."""
        shown = "".join(f"-- {why}\n" for why in q.window.why) + sql
        return shown, self.db.execute(shown).fetchall()

    def answer(self, q: Question, value: Any, told: str, sql: str, refs: Sequence[str]) -> Answer:
        """What rests on changes that were read from descriptions may lack runs, and says so."""
        newest = "(SELECT run FROM runs WHERE campaign = ? ORDER BY number DESC LIMIT 1)"
        recorded = self.db.execute(f"SELECT EXISTS(SELECT 1 FROM settings WHERE run = {newest})", (self.campaign,))
        settings = [c for c in q.conditions if c.of_setting]
        read = q.kind not in ("setting", "value") and (q.knobs or settings) and not recorded.fetchone()[0]
        sure = "words" if q.words or read or any("LIKE" in why for why in q.window.why) else "exact"
        return Answer(self.question, q.kind, value, told, sql, tuple(dict.fromkeys(refs))[:MOST_REFS], self.last, sure)

    def shown(self, value: str = "r.value") -> str:
        status = f"iif({self.decided} IS 'retract', 'retracted', {self.status}) AS status"
        own = f"r.number, r.id, {status}, {value} AS value, r.description"
        return f"SELECT {own}, coalesce(nullif(r.error, ''), nullif(r.reason, ''), '') FROM runs r WHERE"

    def has_settings(self, knob: str) -> bool:
        return recorded(self.db, self.campaign, knob)

    def this_run(self, q: Question) -> str:
        return f"r.campaign = {self.name} AND r.number = {q.at}"

    def no_later_reign(self, q: Question) -> None:
        """Champions are those of today: of the past only where no later verdict changed them."""
        if q.reigned and self.cut is not None:
            now = self.db.execute("SELECT since FROM champions WHERE campaign = ? AND since <= ? ORDER BY since",
                                   (self.campaign, self.last)).fetchall()  # fmt: skip
            if [n for (n,) in now] != [r.since for r in registry(self.db, self.campaign, self.last).reigns]:
                raise NotHere("a later verdict changed who reigned; memex registry --as-of shows what was known then")

    def own_clock(self) -> None:
        origin = self.db.execute("SELECT origin FROM campaigns WHERE campaign = ?", (self.campaign,)).fetchone()
        if origin[0] != "lab":
            raise Impossible("the log was imported, and does not say when")


def scene_of(db: sqlite3.Connection, campaign: str, as_of: str | int | None, question: str, aliases: Aliases) -> Scene:
    terms = db.execute("SELECT metric, better FROM campaigns WHERE campaign = ?", (campaign,)).fetchone()
    if terms is None:
        raise UsageError(f"there is no campaign {campaign}", 'memex sql "select campaign from campaigns"')
    [last] = db.execute("SELECT max(number) FROM runs WHERE campaign = ?", (campaign,)).fetchone()
    last, cut, text = last or 0, None, str(as_of or "").strip()
    if text.isdecimal() and len(text) < 10:
        last = min(last, int(text))
        later = "SELECT at FROM runs WHERE campaign = ? AND number > ? ORDER BY number LIMIT 1"
        [cut] = db.execute(later, (campaign, last)).fetchone() or (None,)
    elif as_of is not None:
        cut = text
        [found] = db.execute("SELECT max(number) FROM runs WHERE campaign = ? AND at < ?", (campaign, cut)).fetchone()
        last = found or 0
    return Scene(question, db, campaign, terms[0], terms[1] != "higher", last, cut, Vocabulary(db, campaign, aliases))


def written(condition: Condition) -> str:
    """Or the description has the knob and the value side by side: "RoPE 50K", "rope50k"; SQL."""
    value = condition.value
    if condition.sign != "=" or not isinstance(value, float):
        return ""
    values = [f"{value:g}" if value < 1e6 else f"{value:.0f}", *([f"{value / 1000:g}k"] if value >= 1000 else [])]
    names = {p for p, name in SHIPPED.phrases.items() if name == condition.knob} | {(condition.knob.partition("_")[0],)}
    forms = sorted({"".join(p).replace("_", "") + number for p in names if len("".join(p)) > 3 for number in values})
    # What a description says of its hypothesis may be of other runs.
    head = "substr(lower(r.description), 1, instr(lower(r.description) || 'hypothesis', 'hypothesis') - 1)"
    shown = f"replace(replace(replace({head}, ' ', ''), '_', ''), '=', '') || ' '"
    tests = [f"{shown} GLOB {quoted(f'*{form}[^0-9.]*')}" for form in forms if condition.old is None]
    olds = ["[0-9]" * n for n in (1, 2, 3)] if condition.old in (None, "") else [f"{condition.old:g}"]
    # ... or goes to the value from another one: "depth 12 -> 14"
    stems = sorted({"".join(p).replace("_", "") for p in names if len("".join(p)) > 3})
    tests += [
        f"(instr(lower(r.description), {quoted(stem[:4])}) AND {shown} GLOB"
        f" {quoted(f'*{stem}{digits}{arrow}{number}[^0-9.]*')})"
        for stem in stems for number in values for arrow in ("→", "->") for digits in olds
    ]  # fmt: skip
    return "".join(f" OR {test}" for test in tests)


def listed(names: Sequence[str]) -> str:
    return ", ".join(quoted(name) for name in names)


def line(row: Row) -> str:
    measured = "not measured" if row[3] is None else f"{row[3]:.6g}"
    return f"run {row[0]} ({row[2]}, {measured}): {' '.join(row[4].split())[:100]}"


def line_and_why(row: Row) -> str:
    return line(row) + (f"; {' '.join(row[5].split())[:200]}" if row[5] else "")


def typed(value: str) -> Any:
    try:
        return float(value)
    except ValueError:
        return value
