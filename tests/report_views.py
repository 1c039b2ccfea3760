"""Campaigns for the report, filled row by row as the folds would fill them."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from memexlab.lab.report.renderers import Report, build_report
from memexlab.memory import schema
from memexlab.memory.effects.estimates import CampaignEffects

NOW = datetime(2026, 3, 12, 6, 31, tzinfo=UTC)
MAR8 = Path(__file__).parent / "data" / "logs" / "mar8.results.tsv"
NASTY = "<script>alert(1)</script> | a\nb\x00\x1b[31m `c` [x](javascript:y) ![z](http://q) \u202eabc &lt; *b* #9"


class Views:
    """The tables of the views, filled row by row as the folds would."""

    def __init__(self, folder: Path) -> None:
        self.db = sqlite3.connect(folder / "index.sqlite")
        self.db.executescript(f"PRAGMA synchronous = OFF; BEGIN; {schema.TABLES} COMMIT;")
        self.at = datetime(2026, 3, 12, 1, 0, tzinfo=UTC)
        self.seq = self.number = 0
        self.name = ""

    def campaign(
        self,
        name: str,
        origin: str = "lab",
        better: str = "lower",
        unit: str = "bits per byte",
        metric: str = "val_bpb",
    ) -> None:
        self.name, self.number = name, 0
        row = (name, metric, unit, better, 15, "evaluator", "4 cores", origin)
        self.db.execute("INSERT INTO campaigns VALUES (?,?,?,?,?,?,?,?)", row)

    def entry(self, kind: str, body: object = None) -> int:
        self.seq += 1
        row = (
            self.seq,
            f"e:{self.seq:032x}",
            kind,
            "s",
            "code:x",
            self.at.isoformat(),
            None,
            None,
            None,
            json.dumps(body),
        )
        self.db.execute("INSERT INTO entries VALUES (?,?,?,?,?,?,?,?,?,?)", row)
        return self.seq

    def run(
        self, value: float | None, role: str = "candidate", status: str = "ok", description: str = "", commit: str = "",
        parent: int | None = None, settings: Mapping[str, object] | None = None, error: str = "", seconds: float = 20.0,
        tests: int | None = None, usd: float | None = None, self_reported: bool = False,
    ) -> int:  # fmt: skip
        self.at += timedelta(seconds=seconds)
        self.number += 1
        seq = self.entry("run")
        row = (
            seq, f"e:{seq:032x}", self.name, self.number, role, status, "", "", value, description, "", parent, commit,
            self.number, seconds, usd, "cpu", "supervised", int(self_reported), error, "code:x", self.at.isoformat(),
        )  # fmt: skip
        self.db.execute(f"INSERT INTO runs VALUES ({','.join('?' * 22)})", row)
        for knob, setting in (settings or {}).items():
            self.db.execute("INSERT INTO settings VALUES (?,?,?,NULL,?)", (seq, knob, str(setting), self.number))
        if tests is not None:
            self.db.execute("INSERT INTO refs VALUES (?,'tests',?,NULL,NULL)", (seq, f"e:{tests:032x}"))
        return seq

    def change(self, run: int, knob: str, old: str | None, new: str | None, direction: str = "up") -> None:
        self.db.execute("INSERT INTO changes VALUES (?,'',?,?,?,?,1.0,'settings')", (run, knob, old, new, direction))

    def verdict(self, run: int, decision: str, champion: int, **numbers: float) -> None:
        n = numbers
        cells = (n.get("gain"), n.get("low"), n.get("high"), n.get("sigma"), n.get("mde"), n.get("pairs"))
        row = (self.entry("verdict"), run, decision, f"{decision}: why", *cells, champion, json.dumps(numbers))
        self.db.execute(f"INSERT INTO verdicts VALUES ({','.join('?' * 12)})", row)
        status = {"confirmed": "keep", "provisional": "keep", "inconclusive": "inconclusive", "retract": "invalid"}
        self.db.execute(
            "UPDATE runs SET verdict = ?, status = ? WHERE run = ?", (decision, status.get(decision, "discard"), run)
        )

    def crown(self, run: int, value: float, gain: float | None) -> None:
        [number] = self.db.execute("SELECT number FROM runs WHERE run = ?", (run,)).fetchone()
        self.db.execute("UPDATE champions SET until = ? WHERE campaign = ? AND until IS NULL", (number, self.name))
        self.db.execute("INSERT INTO champions VALUES (?,?,?,NULL,?,?)", (self.name, run, number, value, gain))

    def report(self, **more: str) -> Report:
        for (name,) in self.db.execute("SELECT campaign FROM campaigns").fetchall():
            CampaignEffects(self.db, name).settle_all()
        return build_report(self.db, now=NOW, **more)


def fill_night(views: Views, third_split: float = 1.822) -> None:
    """Four baselines around 1.873 (sigma 0.005), a confirmed win of 0.070 by two pairs, and what a night brings."""
    views.campaign("night")
    settings = {"LR": 0.003, "WARMUP": 20}
    base = [views.run(v, "baseline", "ok", "baseline", "c0", settings=settings) for v in (1.868, 1.878, 1.871, 1.875)]
    views.crown(base[0], 1.868, None)
    sigma = {"sigma": 0.005, "dof": 3}
    win = views.run(
        1.796, description="LR 0.003 to 0.006", commit="c1", parent=base[0], settings={**settings, "LR": 0.006}
    )
    views.change(win, "LR", "0.003", "0.006")
    for ours, theirs in ((1.802, 1.873), (1.804, 1.873)):
        views.run(ours, "pair", "ok", "candidate", "c1", parent=win, settings={**settings, "LR": 0.006}, tests=win)
        views.run(theirs, "pair", "ok", "champion", "c0", parent=base[0], settings=settings, tests=win)
    views.verdict(win, "confirmed", base[0], gain=0.070, low=0.054, high=0.086, mde=0.012, pairs=2, **sigma)
    views.crown(win, 1.796, 0.070)
    flat = views.run(1.8035, description="WARMUP 20 to 40", commit="c2", parent=win)
    views.change(flat, "WARMUP", "20", "40")
    views.verdict(flat, "discard", win, screen_gain=-0.0005, z=-0.1, mde=0.016, **sigma)
    worse = views.run(1.95, description="DEPTH 4 to 8", commit="c3", parent=win)
    views.change(worse, "DEPTH", "4", "8")
    views.verdict(worse, "discard", win, screen_gain=-0.147, z=-24.0, **sigma)
    perhaps = views.run(1.796, description="BETA2 0.95 to 0.99", commit="c4", parent=win)
    views.change(perhaps, "BETA2", "0.95", "0.99")
    views.verdict(
        perhaps,
        "inconclusive",
        win,
        gain=0.008,
        low=-0.002,
        high=0.018,
        mde=0.01,
        pairs=3,
        standard_error=0.0041,
        **sigma,
    )
    for size in (12, 41):
        error = f"Traceback\n  File '/tmp/w{size}/train.py', line 88\nMemoryError: {size} MB at 0x7f{size}a"
        views.run(None, status="crash", description="BATCH up", commit="c5", parent=win, error=error)
    views.run(third_split, "final", "ok", "third split", "c1", parent=win)
    views.run(1.893, "final", "ok", "third split", "c0", parent=base[0])


def fill_mar8(views: Views) -> None:
    """The log of upstream's first public night, as the importer folds it."""
    views.campaign("mar8", origin="import")
    best: float | None = None
    with MAR8.open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            failed = row["status"] == "crash"
            value = None if failed else float(row["val_bpb"])
            role = "baseline" if row["description"] == "baseline" else "candidate"
            run = views.run(value, role, row["status"], row["description"], row["commit"], seconds=0)
            if row["status"] == "keep" and value is not None:
                views.crown(run, value, best - value if best is not None else None)
                best = value
