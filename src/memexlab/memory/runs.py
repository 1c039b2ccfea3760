"""The folds of runs: what was measured, under which settings, how it was judged, who was champion when.

A fold may depend on what an entry points to, never on the order in which entries arrived.
"""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

from ..ledger import Entry, Run, Scalar, Source, Verdict
from ..ledger.wire import dumps

if TYPE_CHECKING:
    from .changes import Change

#: The status that a judged run shows; decisions that are not here leave the status as it was measured.
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
CAMPAIGN = "campaign:"


class Fold:
    """Applies entries to the tables of runs; `finish()` settles the campaigns that were touched."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self._metric: dict[str, tuple[str, str, str] | None] = {}
        self._last: dict[str, int] = {}
        self._redefined: set[str] = set()
        self._unsettled: set[str] = set()
        self._read: tuple[int, dict[str, Scalar]] = (-1, {})

    def apply(self, entry: Entry) -> None:
        if isinstance(entry.body, Run):
            self._run(entry, entry.body)
        elif isinstance(entry.body, Verdict):
            self._verdict(entry, entry.body)
        elif isinstance(entry.body, Source) and entry.subject.startswith(CAMPAIGN):
            self._redefined.add(entry.subject.removeprefix(CAMPAIGN))
            self._metric.pop(entry.subject.removeprefix(CAMPAIGN), None)
            self._define(entry.subject.removeprefix(CAMPAIGN))

    def finish(self) -> None:
        for campaign in self._redefined:
            self.db.execute(
                "UPDATE runs SET value = (SELECT m.value FROM metrics m JOIN campaigns c ON c.metric = m.name"
                " WHERE m.run = runs.run AND c.campaign = runs.campaign) WHERE campaign = ?",
                (campaign,),
            )
        for campaign in self._redefined | self._unsettled:
            self._settle_champions(campaign)
        self._redefined.clear()
        self._unsettled.clear()

    # --- campaigns

    def _define(self, campaign: str) -> None:
        """A campaign defined more than once keeps the definition recorded first; equal instants go by id."""
        row = self.db.execute(
            "SELECT body FROM entries WHERE kind = 'source' AND subject = ? ORDER BY at, id LIMIT 1",
            (CAMPAIGN + campaign,),
        ).fetchone()
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
        for target in entry.targets("supersedes"):
            earlier = self._seq(target)
            if earlier is not None:
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
            "INSERT INTO settings VALUES (?, ?, ?, ?)", [(entry.seq, k, *cells(v)) for k, v in run.settings.items()]
        )
        self._changes(entry.seq, run, parent)
        if run.status == "keep" and value is not None and defined:
            self._extend_champions(run.campaign, entry.seq, run.number, value, defined)
        elif run.role == "baseline":
            self._unsettled.add(run.campaign)

    def _changes(self, seq: int, run: Run, parent: int | None) -> None:
        if run.role != "candidate":
            return
        from .changes import changes_between, changes_in_text  # here, so that a question does not wait for it

        changes: tuple[Change, ...] = ()
        origin = "settings"
        if parent is not None and run.settings:
            old = self.settings_of(parent)
            changes = changes_between(old, dict(run.settings)) if old else ()
        if not changes and run.description and not (run.settings and parent is not None):
            changes, origin = changes_in_text(run.description), "text"
        self.db.executemany(
            "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (seq, c.component, c.knob, cells(c.old)[0], cells(c.new)[0], c.direction, c.magnitude, origin)
                for c in changes
            ],
        )

    def settings_of(self, run: int) -> dict[str, Scalar]:
        if self._read[0] != run:  # many runs in a row have the same parent
            row = self.db.execute("SELECT body FROM entries WHERE seq = ?", (run,)).fetchone()
            self._read = run, json.loads(row[0]).get("settings", {}) if row else {}
        return self._read[1]

    def _seq(self, entry_id: str) -> int | None:
        row = self.db.execute("SELECT seq FROM entries WHERE id = ?", (entry_id,)).fetchone()
        return int(row[0]) if row else None

    # --- verdicts

    def _verdict(self, entry: Entry, verdict: Verdict) -> None:
        champions = entry.targets("parent")
        numbers = verdict.numbers
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
            self._judge(run)

    def _judge(self, run: int) -> None:
        """The verdict that counts is the one no other supersedes; between several, the one recorded last."""
        row = self.db.execute(
            "SELECT v.decision, v.reason FROM verdicts v JOIN entries e USING (seq) WHERE v.run = ? AND NOT EXISTS"
            " (SELECT 1 FROM refs r WHERE r.target = e.id AND r.role = 'supersedes') ORDER BY e.at DESC, e.id DESC"
            " LIMIT 1",
            (run,),
        ).fetchone()
        decision, reason = row if row else ("", "")
        measured = self.db.execute(
            "SELECT json_extract(body, '$.status'), json_extract(body, '$.campaign') FROM entries WHERE seq = ?", (run,)
        ).fetchone()
        status = STATUS_OF_DECISION.get(decision, measured[0])
        self.db.execute(
            "UPDATE runs SET status = ?, verdict = ?, reason = ? WHERE run = ?", (status, decision, reason, run)
        )
        self._unsettled.add(measured[1])

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
        if number <= last or defined[2] == "lab" or campaign in self._unsettled:
            self._unsettled.add(campaign)
            return
        reigning = self.db.execute(
            "SELECT since, value FROM champions WHERE campaign = ? AND until IS NULL", (campaign,)
        ).fetchone()
        if reigning is None:
            self._crown(campaign, run, number, value, None)
        elif better(value, reigning[1], defined[1]):
            self.db.execute(
                "UPDATE champions SET until = ? WHERE campaign = ? AND since = ?", (number, campaign, reigning[0])
            )
            self._crown(campaign, run, number, value, abs(value - reigning[1]))

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
        lab = defined[2] == "lab"
        rows = self.db.execute(
            "SELECT run, number, value, role, verdict, (SELECT gain FROM verdicts v WHERE v.run = runs.run AND"
            " v.decision = 'confirmed' ORDER BY v.gain LIMIT 1) FROM runs WHERE campaign = ? AND value IS NOT NULL"
            " AND status IN ('keep', 'ok') ORDER BY number, id",
            (campaign,),
        ).fetchall()
        reigning: tuple[int, float] | None = None
        for run, number, value, role, verdict, gain in rows:
            if lab:
                takes = verdict == "confirmed" or (reigning is None and role == "baseline")
            else:
                takes = role in ("candidate", "baseline") and (
                    reigning is None or better(value, reigning[1], defined[1])
                )
                gain = abs(value - reigning[1]) if reigning else None
            if takes:
                if reigning is not None:
                    self.db.execute(
                        "UPDATE champions SET until = ? WHERE campaign = ? AND since = ?",
                        (number, campaign, reigning[0]),
                    )
                self._crown(campaign, run, number, value, gain)
                reigning = (number, value)


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
