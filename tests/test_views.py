"""Views are a function of the ledger: the same for any causal order of landing, folded at once or bit by bit."""

from __future__ import annotations

import random
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from memexlab.ledger import Claim, Draft, Entry, FileLedger, Ref, Run, Source, UsageError, Verdict, wire
from memexlab.memory import Index, Memory, query, runs, schema

SHUFFLES = 240


def planted(memory: Memory, seed: int) -> list[Entry]:
    """A small history with all that an order could upset: two campaigns, lineages, verdicts, a run started and lost."""
    rng = random.Random(seed)
    entries: list[Entry] = []

    def land(draft: Draft) -> Entry:
        [entry] = memory.land([draft], "code:test")
        entries.append(entry)
        return entry

    for campaign, origin in (("a", "lab"), ("b", "import")):
        definition = land(
            Draft(
                f"campaign:{campaign}", Source(campaign, meta={"metric": "loss", "better": "lower", "origin": origin})
            )
        )
        parent = None
        kept: list[Entry] = []
        for number in range(1, 13):
            status = rng.choice(["keep", "discard", "crash", "ok"]) if number > 1 else "keep"
            refs = [Ref("from", definition.id)] + ([Ref("parent", parent.id)] if parent else [])
            settings = {"lr": 0.1 * rng.randint(1, 5), "act": rng.choice(["relu", "gelu"]), "tied": rng.random() < 0.5}
            role = "baseline" if number == 1 else "candidate"
            if parent and rng.random() < 0.6 and isinstance(parent.body, Run):  # one knob moved, and often the same way
                settings = {**parent.body.settings, "lr": 0.1 * rng.randint(1, 3)}
            commit = f"c{number}"
            body = Run(campaign, "started", number, role, settings=settings, commit=commit)
            started = land(Draft(f"run:{campaign}/{number}", body, tuple(refs)))
            metrics = {} if status == "crash" else {"loss": rng.random(), "seconds": rng.random()}
            run = land(
                Draft(
                    f"run:{campaign}/{number}",
                    replace(body, status=status, description=f"lr 0.1 -> 0.{number}", metrics=metrics),
                    (*refs, Ref("supersedes", started.id)),
                )
            )
            if status in ("keep", "ok"):
                kept.append(run)
                parent = run
        for number in range(13, 16):  # with the pairs below, repeats that make the noise known
            repeat = Run(campaign, "ok", number, "baseline", metrics={"loss": rng.random()}, commit="c1")
            land(Draft(f"run:{campaign}/{number}", repeat, (Ref("from", definition.id),)))
        for run in rng.sample(kept, min(3, len(kept))):
            first = land(
                Draft(run.subject, Verdict("confirmed", "won", {"gain": rng.random()}), (Ref("tests", run.id),))
            )
            against = rng.choice([*kept, *[one for one in kept if Ref("parent", one.id) in run.refs] * 4])
            pairs = [
                land(
                    Draft(
                        f"run:{campaign}/{20 + len(entries)}",
                        Run(campaign, "ok", 20 + len(entries), "pair", metrics={"loss": rng.random()}, commit=commit),
                        (Ref("parent", side.id), Ref("tests", run.id)),
                    )
                )
                for side in (run, against)
                if isinstance(side.body, Run) and (commit := side.body.commit)
            ]
            if rng.random() < 0.5:
                reference = (Ref("parent", against.id), *(Ref("from", pair.id) for pair in pairs))
                numbers = {"gain": rng.random(), "pairs": 1, "sigma": 1.0, "standard_error": 0.5}
                if rng.random() < 0.4:  # it won a race against a champion that began after it
                    numbers["since"] = 20 + len(entries)
                again = Verdict(rng.choice(["confirmed", "dropped"]), "raced", numbers)
                first = land(Draft(run.subject, again, (Ref("tests", run.id), *reference, Ref("supersedes", first.id))))
            land(
                Draft(
                    run.subject, Claim("it won", "calls_for", "promote"), (Ref("from", first.id), Ref("tests", run.id))
                )
            )
            if rng.random() < 0.7:
                gone = land(
                    Draft(
                        run.subject, Verdict("retract", "a bug"), (Ref("retracts", run.id), Ref("supersedes", first.id))
                    )
                )
                for chance in (0.5, 0.5):
                    if rng.random() < chance:  # the retraction is taken back, and that may be taken back again
                        gone = land(
                            Draft(
                                run.subject,
                                Verdict("reinstate", "none"),
                                (Ref("retracts", gone.id), Ref("supersedes", gone.id)),
                            )
                        )
    return entries


def causal_shuffle(entries: list[Entry], rng: random.Random) -> list[Entry]:
    waiting = list(entries)
    landed: set[str] = set()
    order: list[Entry] = []
    while waiting:
        ready = [e for e in waiting if all(ref.id in landed for ref in e.refs)]
        entry = rng.choice(ready)
        waiting.remove(entry)
        landed.add(entry.id)
        order.append(entry)
    return order


def hash_of(entries: list[Entry], folder: Path, rng: random.Random) -> str:
    """Lands the stored bytes in this order, in batches of any size, folding in between at random."""
    ledger = FileLedger(folder / "ledger")
    index = Index(folder / "index.db", ledger)
    position = 0
    while position < len(entries):
        size = rng.randint(1, 9)
        ledger.append([wire.entry_json(e, e.by, e.at) for e in entries[position : position + size]])
        position += size
        if rng.random() < 0.3:
            index.catch_up()
    index.catch_up()
    result = index.logical_hash()
    index.close()
    ledger.close()
    return result


def records_by_hand(db: sqlite3.Connection, campaign: str) -> list[tuple[int, float]]:
    rows = db.execute(
        "SELECT number, min(value) FROM runs WHERE campaign = ? AND role IN ('candidate', 'baseline') AND value IS NOT"
        " NULL AND status NOT IN ('blocked', 'crash', 'invalid', 'lost', 'started', 'timeout') GROUP BY 1 ORDER BY 1",
        (campaign,),
    ).fetchall()
    return [row for n, row in enumerate(rows) if all(row[1] < earlier for _, earlier in rows[:n])]


@pytest.mark.parametrize("seed", range(3))
def test_records_are_the_running_best_in_any_order(tmp_path: Path, seed: int) -> None:
    """Folded bit by bit, with retractions, reinstatements and runs that end after later ones began."""
    memory, rng = Memory(tmp_path / "first"), random.Random(seed)
    entries = causal_shuffle(planted(memory, seed), rng)
    ledger = FileLedger(tmp_path / "again" / "ledger")
    index = Index(tmp_path / "again" / "index.db", ledger)
    for entry in entries:
        ledger.append([wire.entry_json(entry, entry.by, entry.at)])
        if rng.random() < 0.7 and entry is not entries[-1]:
            continue
        index.catch_up()
        for campaign in ("a", "b"):
            sql = "SELECT number, value FROM records WHERE campaign = ? ORDER BY number"
            assert index.db.execute(sql, (campaign,)).fetchall() == records_by_hand(index.db, campaign)
    assert len(records_by_hand(index.db, "a")) + len(records_by_hand(index.db, "b")) > 2
    index.close()
    ledger.close()


def shuffled_hashes(tmp_path: Path, count: int) -> set[str]:
    hashes = set()
    for seed in range(3):
        memory = Memory(tmp_path / f"first-{seed}")
        entries = planted(memory, seed)
        found = {memory.index.logical_hash()}
        memory.close()
        for i in range(count // 3):
            rng = random.Random(1000 * seed + i)
            found.add(hash_of(causal_shuffle(entries, rng), tmp_path / f"{seed}-{i}", rng))
        hashes |= {f"{seed}:{h}" for h in found}
    return hashes


@pytest.mark.parametrize("shuffles", [SHUFFLES // 12, pytest.param(SHUFFLES, marks=pytest.mark.slow)])
def test_any_causal_order_gives_the_same_views(tmp_path: Path, shuffles: int) -> None:
    assert len(shuffled_hashes(tmp_path, shuffles)) == 3


@pytest.mark.slow
def test_the_shuffle_catches_a_fold_that_depends_on_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a champion is whoever arrived last, and no campaign is settled afterwards."""
    monkeypatch.setattr(runs.Fold, "_settle_champions", lambda self, campaign: None)
    assert len(shuffled_hashes(tmp_path, 60)) > 3


@pytest.mark.slow
def test_the_shuffle_catches_a_verdict_that_counts_by_arrival(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def last_arrived(self: runs.Fold, run: int) -> None:
        row = self.db.execute("SELECT decision FROM verdicts WHERE run = ? ORDER BY seq DESC", (run,)).fetchone()
        number = self.db.execute("SELECT max(run) FROM runs").fetchone()[0]
        self.db.execute("UPDATE runs SET reason = ? WHERE run = ?", (f"{row[0]} {number}", run))

    monkeypatch.setattr(runs.Fold, "_judge", last_arrived)
    assert len(shuffled_hashes(tmp_path, 60)) > 3


def test_rebuild_gives_the_same_hash(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    planted(memory, 7)
    before = memory.index.logical_hash()
    memory.index.rebuild()
    assert memory.index.logical_hash() == before
    memory.close()
    memory.index.path.unlink()
    again = Memory(tmp_path)
    again.index.catch_up()
    assert again.index.logical_hash() == before
    again.close()


def test_an_index_that_is_damaged_or_of_another_version_is_folded_again(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    planted(memory, 7)
    before = memory.index.logical_hash()
    count = memory.db.execute("SELECT count(*) FROM runs").fetchone()
    memory.close()
    path = memory.index.path
    path.write_bytes(b"this is no database" * 500)
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    again = Memory(tmp_path)
    assert again.db.execute("SELECT count(*) FROM runs").fetchone() == count
    assert again.index.logical_hash() == before
    again.close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    third = Memory(tmp_path)
    third.index.catch_up()
    assert third.index.logical_hash() == before
    third.close()


def test_a_ledger_restored_from_an_older_copy_is_folded_again(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    planted(memory, 1)
    file = tmp_path / "ledger" / "0001.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    memory.close()
    file.write_bytes(b"".join(lines[:10]))
    again = Memory(tmp_path)
    assert again.db.execute("SELECT count(*) FROM entries").fetchone()[0] == 10
    again.land([Draft("x", Source("new"))], "code:test")
    assert again.db.execute("SELECT max(seq), count(*) FROM entries").fetchone() == (10, 11)
    again.close()


def test_champions_of_an_imported_campaign_are_the_running_best_of_what_was_kept(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    memory.land([Draft("campaign:c", Source("c", meta={"metric": "acc", "better": "higher"}))], "code:test")
    for number, (status, value) in enumerate(
        [("keep", 1.0), ("discard", 9.0), ("keep", 3.0), ("keep", 2.0), ("keep", 4.0)], 1
    ):
        memory.land([Draft(f"run:{number}", Run("c", status, number, metrics={"acc": value}))], "code:test")
    rows = memory.db.execute("SELECT since, until, value FROM champions ORDER BY since").fetchall()
    assert rows == [(1, 3, 1.0), (3, 5, 3.0), (5, None, 4.0)]
    memory.close()


def test_every_table_is_documented_and_hashed(tmp_path: Path) -> None:
    db = sqlite3.connect(":memory:")
    db.executescript(schema.TABLES)
    tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    # The word index says nothing that `passages` does not say.
    tables = {table for table in tables if not table.startswith("passage_words")}
    assert tables - {"meta", "damage"} == set(schema.HASHED)
    for table, columns in schema.POSITIONS.items():
        names = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
        assert set(columns) <= names


def test_sql_reads_and_nothing_else(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    planted(memory, 2)
    path = memory.index.path
    memory.index.catch_up()
    rows = query(path, "SELECT number FROM runs WHERE campaign = ? ORDER BY number", ("a",), row_limit=5)
    assert [row[0] for row in rows.rows] == [1, 2, 3, 4, 5]
    assert rows.truncated
    for bad in (
        "DELETE FROM runs", "DROP TABLE runs", "ATTACH 'x.db' AS x", "PRAGMA journal_mode = DELETE", "VACUUM",
        "UPDATE runs SET value = 0", "INSERT INTO runs SELECT * FROM runs", "CREATE TABLE x(y)",
    ):  # fmt: skip
        with pytest.raises(UsageError, match="only SELECT"):
            query(path, bad)
    with pytest.raises(UsageError, match="longer than"):
        query(
            path,
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
            seconds_limit=0.1,
        )
    with pytest.raises(UsageError, match="tables are"):
        query(path, "SELECT * FROM nonsense")
    with pytest.raises(UsageError, match="failed"):
        query(path, "SELEC 1")
    with pytest.raises(UsageError):
        query(path, "SELECT 1; SELECT 2")
    memory.close()
