"""The tables `measurements` and `effects`: what they say of small histories, and that they are right at all times."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from memexlab.commands.effects import effects_of
from memexlab.lab.recording import import_log
from memexlab.ledger import Draft, Entry, Ref, Run, Source, UsageError, Verdict
from memexlab.memory import Memory, query, runs

from .test_views import planted, shuffled_hashes

MAR8 = Path(__file__).parent / "data" / "logs" / "mar8.results.tsv"
BASE = {"lr": 0.04, "wd": 0.1, "depth": 4, "width": 64, "warmup": 10, "act": "relu"}
#: Baseline repeats: mean 2, sigma 0.01, 31 degrees of freedom.
REPEATS = [2.0 + 0.01 * (-1) ** i for i in range(32)]


class Campaign:
    """Lands runs of one lab campaign; settings are the base's with what is given."""

    def __init__(self, folder: Path, origin: str = "lab", repeats: Sequence[float] = REPEATS) -> None:
        self.memory, self.number = Memory(folder), 0
        meta = {"metric": "loss", "better": "lower", "origin": origin, "unit": "nats"}
        self.memory.land([Draft("campaign:c", Source("c", meta=meta))], "code:test")
        self.base, *_ = [self.run(value, role="baseline") for value in repeats]

    def run(
        self, value: float | None, parent: Entry | None = None, role: str = "candidate", tests: Entry | None = None,
        status: str = "ok", supersedes: Entry | None = None, **moved: Any,
    ) -> Entry:  # fmt: skip
        self.number += 1
        settings: Mapping[str, Any] = BASE | moved
        if parent and isinstance(parent.body, Run):
            settings = {**parent.body.settings, **moved}
        commit = ",".join(f"{knob}={value}" for knob, value in sorted(settings.items()))
        metrics = {} if value is None else {"loss": value}
        run = Run("c", status, self.number, role, metrics=metrics, settings=settings, commit=commit)
        refs = [Ref("parent", parent.id)] if parent else []
        refs += [Ref("tests", tests.id)] if tests else []
        refs += [Ref("supersedes", supersedes.id)] if supersedes else []
        return self.memory.land([Draft(f"run:{self.number}", run, tuple(refs))], "code:test")[0]

    def judge(
        self, run: Entry, decision: str, champion: Entry, supersedes: Entry | None = None, **numbers: Any
    ) -> Entry:
        refs = (Ref("tests", run.id), Ref("parent", champion.id))
        refs += (Ref("supersedes", supersedes.id),) if supersedes else ()
        return self.memory.land([Draft("v", Verdict(decision, "why", numbers), refs)], "code:test")[0]

    def effect(self, knob: str, old: str, new: str) -> dict[str, Any]:
        return self.rows("SELECT * FROM effects WHERE knob = ? AND old = ? AND new = ?", knob, old, new)[0]

    def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        self.memory.index.catch_up()
        found = query(self.memory.index.path, sql, values)
        return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def test_a_run_is_measured_against_the_mean_of_its_parent(tmp_path: Path) -> None:
    lab = Campaign(tmp_path)
    lab.run(1.95, lab.base, lr=0.06)
    [row] = lab.rows("SELECT * FROM measurements")
    assert (row["knob"], row["old"], row["new"], row["direction"]) == ("lr", "0.04", "0.06", "up")
    assert row["gain"] == pytest.approx(0.05)
    assert row["standard_error"] == pytest.approx(lab.effect("lr", "0.04", "0.06")["sigma"] * (1 + 1 / 32) ** 0.5)
    assert (row["basis"], row["pairs"], row["confounded"]) == ("one run", 0, 0)
    assert lab.effect("lr", "0.04", "0.06")["status"] == "unresolved"
    lab.memory.close()


def test_fresh_pairs_replace_the_run_that_was_screened(tmp_path: Path) -> None:
    lab = Campaign(tmp_path)
    won = lab.run(1.90, lab.base, lr=0.06)
    verdict = lab.judge(won, "confirmed", lab.base, gain=0.04, pairs=2, sigma=0.02, standard_error=0.01)
    [row] = lab.rows("SELECT * FROM measurements")
    assert (row["basis"], row["pairs"], row["gain"]) == ("pairs", 2, 0.04)
    effect = lab.effect("lr", "0.04", "0.06")
    assert row["standard_error"] == pytest.approx(effect["sigma"] / 2)  # as correlated as then, with the noise of now
    assert (effect["status"], effect["n"], effect["runs"]) == ("replicated", 1, "[33]")
    elsewhere = lab.run(2.0, lab.base, wd=0.2)
    lab.judge(won, "dropped", elsewhere, verdict, gain=9.0, pairs=3, sigma=0.02)
    [row] = lab.rows("SELECT * FROM measurements WHERE knob = 'lr'")
    assert (row["basis"], row["gain"]) == (
        "one run",
        pytest.approx(0.10),
    )  # pairs against another run say another thing
    for value in (1.93, 1.95):
        lab.run(value, won, "pair", won)
    [row] = lab.rows("SELECT * FROM measurements WHERE knob = 'lr'")
    assert (row["basis"], row["pairs"], row["gain"]) == ("fresh runs", 2, pytest.approx(0.06))
    lab.memory.close()


def test_opposite_changes_are_one_effect_in_the_direction_measured_first(tmp_path: Path) -> None:
    lab = Campaign(tmp_path)
    up = lab.run(1.95, lab.base, lr=0.06)
    lab.run(2.01, up, lr=0.04)
    effect = lab.effect("lr", "0.04", "0.06")
    assert (effect["n"], effect["status"], effect["runs"]) == (2, "replicated", "[33, 34]")
    assert 0.05 < effect["gain"] < 0.06
    assert lab.rows("SELECT count(*) AS n FROM effects")[0]["n"] == 1
    lab.memory.close()


def test_a_reversal_names_the_setting_and_a_conflict_without_noise_names_none(tmp_path: Path) -> None:
    for name, repeats in (("known", REPEATS), ("unknown", REPEATS[:2])):
        lab = Campaign(tmp_path / name, repeats=repeats)
        other = lab.run(1.99, lab.base, act="gelu")
        for value in (1.95, 1.96):
            lab.run(value, lab.base, lr=0.06)
        for value in (2.05, 2.04):
            lab.run(value, other, lr=0.06)
        effect = lab.effect("lr", "0.04", "0.06")
        if name == "known":
            assert (effect["status"], effect["condition"], effect["n"]) == ("reversed", "act = relu", 4)
            assert effect["gain"] == pytest.approx(0.045)
        else:
            assert (effect["status"], effect["condition"], effect["sigma"], effect["low"]) == (
                "unresolved",
                "",
                None,
                None,
            )
            told = str(effects_of(lab.memory, "c", "lr"))
            assert "the signs differ, and so did act" in told
            assert "noise is unknown" in told
        lab.memory.close()


def test_knobs_that_always_moved_together_say_so_until_one_moves_alone(tmp_path: Path) -> None:
    lab = Campaign(tmp_path)
    for value in (1.90, 1.91):
        lab.run(value, lab.base, lr=0.06, wd=0.2)
    for knob, other in (("lr", "wd"), ("wd", "lr")):
        [effect] = lab.rows("SELECT * FROM effects WHERE knob = ?", knob)
        assert (effect["confounded"], effect["status"]) == (other, "unresolved")
        assert effect["gain"] == pytest.approx(0.095)
    lab.run(2.0, lab.base, lr=0.06)
    assert (lab.effect("lr", "0.04", "0.06")["confounded"], lab.effect("lr", "0.04", "0.06")["gain"]) == ("", 0)
    assert lab.effect("wd", "0.1", "0.2")["confounded"] == "lr"
    lab.run(1.0, lab.base, **{f"k{i}": 1 for i in range(7)})
    assert lab.rows("SELECT count(*) AS n FROM measurements WHERE knob LIKE 'k%'")[0]["n"] == 0
    lab.memory.close()


def test_what_was_measured_three_moves_of_the_champion_ago_is_stale(tmp_path: Path) -> None:
    lab = Campaign(tmp_path)
    lab.run(2.001, lab.base, warmup=20)
    for value in (2.2, 2.21):
        lab.run(value, lab.base, width=32)
    champion = lab.base
    for step, moved in enumerate(({"lr": 0.06}, {"wd": 0.2}, {"depth": 6}), 1):
        won = lab.run(2.0 - 0.1 * step, champion, **moved)
        lab.judge(won, "confirmed", champion, gain=0.1, pairs=2, sigma=0.01, standard_error=0.01)
        assert lab.effect("warmup", "10", "20")["status"] == ("stale" if step == 3 else "within noise")
        champion = won
    assert lab.effect("width", "64", "32")["status"] == "replicated"  # what is known stays known
    assert lab.effect("lr", "0.04", "0.06")["status"] == "replicated"
    lab.memory.close()


def test_retracted_failed_and_superseded_runs_say_nothing(tmp_path: Path) -> None:
    lab = Campaign(tmp_path)
    first = lab.run(1.95, lab.base, lr=0.06)
    child = lab.run(1.90, first, wd=0.2)
    lab.run(None, lab.base, depth=9, status="crash")
    assert {row["knob"] for row in lab.rows("SELECT knob FROM effects")} == {"lr", "wd"}
    gone = lab.memory.land([Draft("v", Verdict("retract", "a bug"), (Ref("retracts", first.id),))], "code:test")[0]
    assert lab.rows("SELECT * FROM effects") == []  # and what was measured against it has nothing to stand on
    back = (Ref("retracts", gone.id), Ref("supersedes", gone.id))
    lab.memory.land([Draft("v", Verdict("reinstate", "no bug"), back)], "code:test")
    assert {row["knob"] for row in lab.rows("SELECT knob FROM effects")} == {"lr", "wd"}
    lab.run(1.99, first, supersedes=child, wd=0.3)
    assert [row["new"] for row in lab.rows("SELECT new FROM measurements WHERE knob = 'wd'")] == ["0.3"]
    assert lab.rows("SELECT new FROM effects WHERE knob = 'wd'") == [{"new": "0.3"}]
    lab.memory.close()


def test_every_repeat_moves_sigma_in_every_row_at_once(tmp_path: Path) -> None:
    lab = Campaign(tmp_path, repeats=REPEATS[:3])
    lab.run(1.95, lab.base, lr=0.06)
    assert lab.effect("lr", "0.04", "0.06")["sigma"] is None
    lab.run(2.01, lab.base, "pair")
    before = lab.effect("lr", "0.04", "0.06")
    lab.run(2.05, lab.base, "pair")
    after = lab.effect("lr", "0.04", "0.06")
    assert after["sigma"] > before["sigma"] > 0
    assert after["gain"] > before["gain"]
    lab.memory.close()


def test_a_log_without_noise_claims_nothing_and_shows_both_sides(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    import_log(memory, MAR8.read_bytes(), MAR8.name, "code:test", "mar8", None, None)
    table = effects_of(memory, "mar8")
    assert {row["status"] for row in table.rows} == {"unresolved", "stale"}
    assert all(row["low"] is None and row["condition"] == "" for row in table.rows)
    [rate] = [row for row in effects_of(memory, "mar8", "embedding_lr").rows if row["new"] == "0.9"]
    assert rate["measured"] == [(37, pytest.approx(-0.001045)), (112, pytest.approx(0.000481))]
    assert {"embedding_weight_decay", "value_embedding_weight_decay"} <= set(rate["moved"])
    assert rate["status"] == "unresolved"
    factors = {row["new"]: row["n"] for row in effects_of(memory, "mar8", "value_embedding_lr").rows}
    assert factors == {"x0.5": 1, "x1.5": 2}
    with pytest.raises(UsageError, match="no change of"):
        effects_of(memory, "mar8", "embeding_lr")
    with pytest.raises(UsageError, match="no campaign"):
        effects_of(memory, "nobody")
    memory.close()


# --- right at all times


@pytest.mark.slow
def test_folded_run_by_run_or_at_once_the_rows_are_the_same(tmp_path: Path) -> None:
    seen: set[str] = set()
    for seed in range(6):
        folder = tmp_path / str(seed)
        memory = Memory(folder)
        planted(memory, seed)
        bit_by_bit = [memory.db.execute(f"SELECT * FROM {t}").fetchall() for t in ("measurements", "effects")]
        memory.index.rebuild()
        at_once = [memory.db.execute(f"SELECT * FROM {t}").fetchall() for t in ("measurements", "effects")]
        assert [sorted(map(repr, rows)) for rows in at_once] == [sorted(map(repr, rows)) for rows in bit_by_bit]
        assert all(at_once)
        seen |= {row[0] for row in memory.db.execute("SELECT status FROM effects WHERE sigma IS NOT NULL")}
        seen |= {row[0] for row in memory.db.execute("SELECT basis FROM measurements")}
        memory.close()
    assert seen >= {"within noise", "unresolved", "one run", "fresh runs", "pairs"}


@pytest.mark.parametrize("origin", ["lab", "log"])
def test_another_champion_settles_what_it_touches_as_if_all_was_folded_at_once(tmp_path: Path, origin: str) -> None:
    seen: set[str] = set()
    for seed in range(3):
        lab, dice = Campaign(tmp_path / str(seed), origin, REPEATS[:6]), random.Random(seed)
        champion = lab.base
        for i in range(30):
            moved = {knob: dice.choice(("1", "2", "3")) for knob in dice.sample(list(BASE), dice.choice((1, 1, 2)))}
            wins = dice.random() < 0.4
            status = "keep" if wins and origin == "log" else "ok"
            made = lab.run(2 - 0.01 * i * wins + dice.gauss(0, 0.01), champion, status=status, **moved)
            if wins and origin == "lab":
                lab.judge(made, "confirmed", champion)
            champion = made if wins else champion
        tables = [f"SELECT * FROM {table}" for table in ("measurements", "effects")]
        bit_by_bit = [sorted(map(repr, lab.memory.db.execute(sql))) for sql in tables]
        seen |= {row["status"] for row in lab.rows("SELECT status FROM effects")}
        lab.memory.index.rebuild()
        assert [sorted(map(repr, lab.memory.db.execute(sql))) for sql in tables] == bit_by_bit
        lab.memory.close()
    assert seen >= {"stale", "unresolved"}


def test_a_champion_that_lands_late_is_what_later_runs_without_a_parent_are_compared_with(tmp_path: Path) -> None:
    log = Campaign(tmp_path, "log", [2.5])
    told = [(2, "keep", 2.0, "baseline"), (4, "discard", 1.9, "lr 1 -> 2"), (3, "keep", 1.5, "wd 1 -> 2")]
    for number, status, value, said in told:
        run = Run("c", status, number, description=said, metrics={"loss": value})  # type: ignore[arg-type]
        log.memory.land([Draft(f"run:{number}", run)], "code:test")
    found = log.rows("SELECT r.number, gain FROM measurements m JOIN runs r ON r.run = m.against WHERE knob = 'lr'")
    assert [(row["number"], round(row["gain"], 6)) for row in found] == [(3, -0.4)]


@pytest.mark.slow
def test_the_shuffle_catches_effects_that_are_not_settled_when_sigma_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def candidates_only(self: runs.Fold, run: int, campaign: str, role: str) -> None:
        if role == "candidate":
            self._measured.add(run)

    monkeypatch.setattr(runs.Fold, "_touch", candidates_only)
    assert len(shuffled_hashes(tmp_path, 60)) > 3


def test_a_candidate_settles_what_it_changed_and_nothing_else(tmp_path: Path) -> None:
    lab = Campaign(tmp_path)
    rng = random.Random(1)
    for i in range(40):
        lab.run(rng.gauss(2, 0.01), lab.base, lr=0.05 + 0.01 * i)
    before = dict(lab.memory.db.execute("SELECT new, rowid FROM effects").fetchall())
    lab.run(1.99, lab.base, lr=0.05)
    after = dict(lab.memory.db.execute("SELECT new, rowid FROM effects").fetchall())
    assert {new for new in after if after[new] != before[new]} == {"0.05"}
    lab.memory.close()
