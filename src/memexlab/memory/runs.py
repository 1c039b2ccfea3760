"""The folds of runs: what was measured, under which settings, how it was judged, who was champion when.

A fold may depend on what an entry points to, never on the order in which entries arrived.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..ledger import FAILED, Entry, Run, Scalar, Source, Verdict
from ..ledger.wire import dumps
from .namespaces import CAMPAIGN, home_of, shown_names
from .retraction import RETRACT, barred, in_force, runs_touched

if TYPE_CHECKING:
    from .changes.edits import Change

#: The status that a judged run shows; decisions that are not here leave the status as it was measured.
#: A column of `verdicts v`: the last run when a win over a younger champion was confirmed, NULL for any other.
SINCE = "json_extract(v.numbers, '$.since')"
_NO_WIN = (None, None, None)
_FAILED = ", ".join(f"'{status}'" for status in sorted(FAILED))
STATUS_OF_DECISION = {
    "confirmed": "keep",
    "provisional": "keep",
    "keep": "keep",
    "discard": "discard",
    "dropped": "discard",
    "inconclusive": "inconclusive",
    "retract": "invalid",
    "lost": "lost",
    "invalid": "invalid",
}


class Fold:
    """Applies entries to the tables of runs; `finish()` settles the campaigns that were touched."""

    def __init__(self, db: sqlite3.Connection, aliases: Mapping[str, str]) -> None:
        self.db, self._aliases = db, aliases
        self._metric: dict[str, tuple[str, str, str] | None] = {}
        self._shared: dict[str, bool] = {}  # plain names, and whether several labs use them
        self._last: dict[str, int] = {}
        self._redefined: set[str] = set()
        self._unsettled: set[str] = set()
        self._moved: set[str] = set()  # campaigns whose effects are settled whole, and runs that are measured again
        self._measured: set[int] = set()
        self._ranked: dict[str, int] = {}  # the lowest run number from which the records of a campaign may have moved
        self._reigned: dict[str, list[tuple[int, int]]] = {}  # who was champion before, where that may have moved
        self._read: tuple[int, dict[str, Scalar]] = (-1, {})
        self._said = False  # something landed that may rest on a retracted run

    def apply(self, entry: Entry) -> None:
        self._said |= not isinstance(entry.body, Source)
        if isinstance(entry.body, Run):
            self._run(entry, entry.body)
        elif isinstance(entry.body, Verdict):
            self._verdict(entry, entry.body)
        elif isinstance(entry.body, Source) and entry.subject.startswith(CAMPAIGN):
            self._define(entry.subject.removeprefix(CAMPAIGN))

    def finish(self) -> None:
        for campaign in self._redefined:
            self.db.execute(
                "UPDATE runs SET value = (SELECT m.value FROM metrics m JOIN campaigns c ON c.metric = m.name"
                " WHERE m.run = runs.run AND c.campaign = runs.campaign) WHERE campaign = ?",
                (campaign,),
            )
        if self._said:
            self._doubt()
        for campaign in self._redefined | self._unsettled:
            self._champions_move(campaign)
            self._settle_champions(campaign)
        for campaign, number in (self._ranked | dict.fromkeys(self._redefined, 0)).items():
            self._settle_records(campaign, number)
        self._ranked.clear()
        self._moved |= self._redefined
        if self._moved or self._measured or self._reigned:
            from .effects.estimates import settle  # here, so that a question does not wait for it

            settle(self.db, self._moved, self._measured, self._reigned)
            self._moved.clear()
            self._measured.clear()
            self._reigned.clear()
        self._redefined.clear()
        self._unsettled.clear()

    def _doubt(self) -> None:
        self._said = False
        if self.db.execute(
            "SELECT EXISTS(SELECT 1 FROM runs WHERE verdict = 'retract') OR EXISTS(SELECT 1 FROM doubted)"
        ).fetchone()[0]:
            from .doubts import settle_doubts  # here, so that a question does not wait for it

            settle_doubts(self.db)

    # --- campaigns

    def _define(self, plain: str) -> None:
        """Names every definition of this name again; where there are several, their runs change names with them."""
        names = shown_names(self.db, plain)
        self._shared[plain] = len(names) > 1
        for seq, campaign in names.items():
            self._redefined.add(campaign)
            self._metric.pop(campaign, None)
            self._last.pop(campaign, None)
            self._describe(campaign, seq)
        if len(names) > 1:
            marks = ",".join("?" * len(names))
            rows = self.db.execute(
                "SELECT run, campaign, json_extract(body, '$.campaign') FROM runs JOIN entries ON seq = run"
                f" WHERE campaign IN ({marks})", tuple(names.values()),
            ).fetchall()  # fmt: skip
            for run, before, said in rows:
                if (home := home_of(self.db, run, said)) != before:
                    self.db.execute("UPDATE runs SET campaign = ? WHERE run = ?", (home, run))

    def _home(self, entry: Entry, said: str) -> str:
        """The campaign of a run by its name here, which differs from the one it says only where labs shared a name."""
        if said not in self._shared:
            self._shared[said] = "@" in said or len(shown_names(self.db, said)) > 1
        return home_of(self.db, entry.seq, said) if self._shared[said] else said

    def _describe(self, campaign: str, definition: int) -> None:
        row = self.db.execute("SELECT body FROM entries WHERE seq = ?", (definition,)).fetchone()
        meta: dict[str, Any] = json.loads(row[0]).get("meta", {})
        self.db.execute(
            "INSERT OR REPLACE INTO campaigns VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                campaign, meta.get("metric", ""), meta.get("unit", ""), meta.get("better", "lower"),
                meta.get("budget_seconds"), meta.get("evaluator", ""), meta.get("hardware", ""),
                meta.get("origin", "log"),
            ),
        )  # fmt: skip

    def _campaign(self, campaign: str) -> tuple[str, str, str] | None:
        """(metric, better, origin) of a campaign, or None where it is not defined (yet)."""
        if campaign not in self._metric:
            self._metric[campaign] = self.db.execute(
                "SELECT metric, better, origin FROM campaigns WHERE campaign = ?", (campaign,)
            ).fetchone()
        return self._metric[campaign]

    # --- runs

    def _run(self, entry: Entry, run: Run) -> None:
        db = self.db
        run = replace(run, campaign=self._home(entry, run.campaign))
        for target in entry.targets("supersedes"):
            earlier = self._seq(target)
            if earlier is not None:
                self._touch_gone(earlier)
                for table in ("runs", "settings", "metrics", "changes"):
                    db.execute(f"DELETE FROM {table} WHERE run = ?", (earlier,))
        defined = self._campaign(run.campaign)
        value = run.metrics.get(defined[0]) if defined else None
        parents = entry.targets("parent")
        parent = self._seq(parents[0]) if parents else None
        db.execute(
            "INSERT INTO runs VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                entry.seq, entry.id, run.campaign, run.number, run.role, run.status, "", "", value, run.description,
                run.hypothesis, parent, run.commit, run.seed, run.seconds, run.usd, run.hardware, run.isolation,
                int(run.self_reported), run.error, entry.by, entry.at,
            ),
        )  # fmt: skip
        db.executemany("INSERT INTO metrics VALUES (?, ?, ?)", [(entry.seq, k, v) for k, v in run.metrics.items()])
        db.executemany(
            "INSERT INTO settings VALUES (?, ?, ?, ?, ?)",
            [(entry.seq, k, *cells(v), run.number) for k, v in run.settings.items()],
        )
        self._changes(entry.seq, run, parent)
        if value is not None or run.role == "candidate":
            self._touch(entry.seq, run.campaign, run.role)
        if value is not None:
            self._rank(run.campaign, run.number)
        if run.status == "keep" and value is not None and defined:
            self._extend_champions(run.campaign, entry.seq, run.number, value, defined)
        elif run.role == "baseline":
            self._unsettled.add(run.campaign)

    def _changes(self, seq: int, run: Run, parent: int | None) -> None:
        if run.role != "candidate":
            return
        from .changes import names
        from .changes.edits import changes_between, changes_in_text, code_change

        changes: tuple[Change, ...] = ()
        origin = "settings"
        old = self.settings_of(parent) if parent is not None and run.settings else {}
        if old:
            defined = self._campaign(run.campaign)
            # A lab records every knob; elsewhere a knob that is not named was not recorded, and not removed.
            inherited = {} if defined and defined[2] == "lab" else old
            changes = changes_between(old, {**inherited, **run.settings})
        code = run.meta.get("code")
        if not changes and run.description and not old:
            changes, origin = changes_in_text(run.description, names.known(self._aliases)), "text"
        self.db.executemany(
            "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (seq, c.component, c.knob, cells(c.old)[0], cells(c.new)[0], c.direction, c.magnitude, origin)
                for c in changes
            ],
        )
        if isinstance(code, str) and code:
            c = code_change(run.description, code)
            row = (seq, c.component, c.knob, None, c.new, c.direction, None, "diff")
            self.db.execute("INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def settings_of(self, run: int) -> dict[str, Scalar]:
        if self._read[0] != run:  # many runs in a row have the same parent
            row = self.db.execute("SELECT body FROM entries WHERE seq = ?", (run,)).fetchone()
            self._read = run, json.loads(row[0]).get("settings", {}) if row else {}
        return self._read[1]

    def _seq(self, entry_id: str) -> int | None:
        row = self.db.execute("SELECT seq FROM entries WHERE id = ?", (entry_id,)).fetchone()
        return int(row[0]) if row else None

    # --- effects

    def _touch(self, run: int, campaign: str, role: str) -> None:
        """A candidate is measured again; anything else, such as a repeat, moves the numbers of its whole campaign."""
        if role == "candidate":
            self._measured.add(run)
        elif role != "final":  # a control moves the numbers, too
            self._moved.add(campaign)

    def _touch_gone(self, run: int) -> None:
        """A measured run is superseded: who reigned, and what was measured against it, is settled again."""
        row = self.db.execute(
            "SELECT campaign, number FROM runs WHERE run = ? AND status <> 'started'", (run,)
        ).fetchone()
        if row is not None:
            self._moved.add(row[0])
            self._unsettled.add(row[0])
            self._rank(*row)

    # --- verdicts

    def _verdict(self, entry: Entry, verdict: Verdict) -> None:
        champions = entry.targets("parent")
        numbers = verdict.numbers
        touched = runs_touched(self.db, entry.targets("retracts") + entry.targets("supersedes"))
        for target in entry.targets("tests") + entry.targets("retracts"):
            run = self._seq(target)
            if (
                run is None
                or not self.db.execute("SELECT 1 FROM entries WHERE seq = ? AND kind = 'run'", (run,)).fetchone()
            ):
                continue
            self.db.execute(
                "INSERT OR IGNORE INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    entry.seq, run, verdict.decision, verdict.reason, numbers.get("gain"), numbers.get("low"),
                    numbers.get("high"), numbers.get("sigma"), numbers.get("mde"), numbers.get("pairs"),
                    self._seq(champions[0]) if champions else None, dumps(dict(numbers)),
                ),
            )  # fmt: skip
            touched.add(run)
        for run in sorted(touched):
            self._judge(run)

    def _judge(self, run: int) -> None:
        """The verdict that counts is in force; of several it is a retraction, else the one recorded last."""
        rows = self.db.execute(
            "SELECT e.id, v.decision, v.reason FROM verdicts v JOIN entries e USING (seq) WHERE v.run = ?"
            " ORDER BY v.decision = ? DESC, e.at DESC, e.id DESC",
            (run, RETRACT),
        ).fetchall()
        counting = in_force(self.db, [row[0] for row in rows])
        decision, reason = next((row[1:] for row in rows if row[0] in counting), ("", ""))
        [measured] = self.db.execute(
            "SELECT json_extract(body, '$.status') FROM entries WHERE seq = ?", (run,)
        ).fetchone()
        status = STATUS_OF_DECISION.get(decision, measured)
        before = self.db.execute("SELECT status, role, campaign, number FROM runs WHERE run = ?", (run,)).fetchone()
        self.db.execute(
            "UPDATE runs SET status = ?, verdict = ?, reason = ? WHERE run = ?", (status, decision, reason, run)
        )
        if before is not None:
            counts_now, counted = status not in FAILED, before[0] not in FAILED
            self._touch(run, before[2], before[1] if counts_now == counted else "")
            self._unsettled.add(before[2])
            if counts_now != counted:
                self._rank(before[2], before[3])

    # --- records

    def _rank(self, campaign: str, number: int) -> None:
        self._ranked[campaign] = min(number, self._ranked.get(campaign, number))

    def _settle_records(self, campaign: str, first: int) -> None:
        """Folds again, from a run number on, which runs were better than all measured ones before them."""
        self.db.execute("DELETE FROM records WHERE campaign = ? AND number >= ?", (campaign, first))
        defined = self._campaign(campaign)
        if defined is None:
            return
        last = "SELECT value FROM records WHERE campaign = ? ORDER BY number DESC LIMIT 1"
        [best] = self.db.execute(last, (campaign,)).fetchone() or (None,)
        rows = self.db.execute(
            "SELECT campaign, number, run, value FROM runs WHERE campaign = ? AND number >= ? AND value IS NOT NULL"
            f" AND role IN ('candidate', 'baseline') AND status NOT IN ({_FAILED})"
            f" ORDER BY number, value {'DESC' if defined[1] == 'higher' else 'ASC'}, id",
            (campaign, first),
        ).fetchall()
        found = []
        for row in rows:
            if best is None or better(row[3], best, defined[1]):
                found.append(row)
                best = row[3]
        self.db.executemany("INSERT INTO records VALUES (?, ?, ?, ?)", found)

    # --- champions

    def _extend_champions(
        self, campaign: str, run: int, number: int, value: float, defined: tuple[str, str, str]
    ) -> None:
        """Adds the newest run of a campaign without looking at the others; anything else is settled in `finish`."""
        last = self._last.get(campaign)
        if last is None:
            row = self.db.execute(
                "SELECT max(number) FROM runs WHERE campaign = ? AND run <> ?", (campaign, run)
            ).fetchone()
            last = row[0] if row[0] is not None else -1
        self._last[campaign] = max(last, number)
        retracted = "SELECT 1 FROM runs WHERE campaign = ? AND verdict = 'retract' LIMIT 1"
        if (
            number <= last
            or defined[2] == "lab"
            or campaign in self._unsettled
            or self.db.execute(retracted, (campaign,)).fetchone()
        ):
            self._unsettled.add(campaign)
            return
        reigning = self.db.execute(
            "SELECT since, value FROM champions WHERE campaign = ? AND until IS NULL", (campaign,)
        ).fetchone()
        if reigning is None:
            self._champions_move(campaign)
            self._crown(campaign, run, number, value, None)
        elif better(value, reigning[1], defined[1]):
            self._champions_move(campaign)
            self.db.execute(
                "UPDATE champions SET until = ? WHERE campaign = ? AND since = ?", (number, campaign, reigning[0])
            )
            self._crown(campaign, run, number, value, abs(value - reigning[1]))

    def _champions_move(self, campaign: str) -> None:
        if campaign not in self._reigned:
            self._reigned[campaign] = self.db.execute(
                "SELECT since, run FROM champions WHERE campaign = ? ORDER BY since", (campaign,)
            ).fetchall()

    def _crown(self, campaign: str, run: int, number: int, value: float, gain: float | None) -> None:
        self.db.execute(
            "INSERT OR REPLACE INTO champions VALUES (?, ?, ?, NULL, ?, ?)", (campaign, run, number, value, gain)
        )

    def _settle_champions(self, campaign: str) -> None:
        """Folds the whole campaign: in a lab only confirmed wins reign; elsewhere the running best of what was kept."""
        self.db.execute("DELETE FROM champions WHERE campaign = ?", (campaign,))
        defined = self._campaign(campaign)
        if defined is None:
            return
        wins: dict[int, tuple[float | None, int | None, int | None]] = {}
        confirmed = self.db.execute(
            f"SELECT e.id, v.run, v.gain, v.champion, {SINCE} FROM runs r JOIN verdicts v USING (run) JOIN entries e ON"
            " e.seq = v.seq WHERE r.campaign = ? AND r.verdict = 'confirmed' AND v.decision = 'confirmed'"
            " ORDER BY e.at, e.id",
            (campaign,),
        ).fetchall()
        counting = in_force(self.db, [row[0] for row in confirmed])
        wins.update((run, tuple(rest)) for entry, run, *rest in confirmed if entry in counting)
        retracted = "SELECT 1 FROM runs WHERE campaign = ? AND verdict = 'retract' LIMIT 1"
        out: set[int] = set()
        if self.db.execute(retracted, (campaign,)).fetchone():
            every = self.db.execute("SELECT run, parent, verdict FROM runs WHERE campaign = ?", (campaign,))
            out = barred((*row, wins.get(row[0], _NO_WIN)[1]) for row in every)
        rows = self.db.execute(
            "SELECT run, number, role, verdict, value FROM runs WHERE campaign = ? AND value IS NOT NULL"
            " AND status IN ('keep', 'ok') ORDER BY number, id",
            (campaign,),
        ).fetchall()
        found = ((*row, *wins.get(row[0], _NO_WIN)[::2]) for row in rows if row[0] not in out)
        self.db.executemany(
            "INSERT INTO champions VALUES (?, ?, ?, ?, ?, ?)",
            [(campaign, r.run, r.since, r.until, r.value, r.gain) for r in reigns(found, defined[2], defined[1])],
        )


@dataclass(frozen=True, slots=True)
class Reign:
    """A champion, from the run number at which it took over to the one at which it lost the place."""

    run: int
    since: int
    until: int | None
    value: float
    gain: float | None


def reigns(
    runs: Iterable[tuple[int, int, str, str, float, float | None, int | None]], origin: str, direction: str
) -> list[Reign]:
    """Who was champion when: in a lab what was confirmed, elsewhere the running best of what was kept.

    `runs` are (run, number, role, verdict, value, gain of its confirmation, since) in order of number, of those that
    count; `since` is for a win over a champion that was younger: the last run when it was confirmed.
    """
    found: list[Reign] = []
    for run, at, role, verdict, value, gain, since in sorted(runs, key=lambda run: run[6] or run[1]):
        number = since or at
        if origin == "lab":
            takes = verdict == "confirmed" or (not found and role == "baseline")
        else:
            takes = role in ("candidate", "baseline") and (not found or better(value, found[-1].value, direction))
            gain = abs(value - found[-1].value) if found else None
        if takes:
            if found and found[-1].since == number:  # two ledgers gave one number to two runs
                found.pop()
            if found:
                found[-1] = replace(found[-1], until=number)
            found.append(Reign(run, number, None, value, gain))
    return found


def better(value: float, than: float, direction: str) -> bool:
    return value > than if direction == "higher" else value < than


def cells(value: Scalar) -> tuple[str | None, float | None]:
    """A setting as the two columns `value` and `number`."""
    if isinstance(value, float):
        return format(value, ".12g"), value
    if isinstance(value, bool):
        return ("true" if value else "false"), None
    if isinstance(value, int):
        return str(value), float(value)
    return value, None
