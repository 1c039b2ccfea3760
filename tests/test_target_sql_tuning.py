"""sql-tuning: the locked answers against plain SQL, what the evaluator refuses, and that the knobs do what they say."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "targets" / "sql-tuning"
INDEXES = (
    "INDEX_CUSTOMERS_BY_EMAIL", "INDEX_ORDERS_BY_CUSTOMER", "INDEX_ORDERS_BY_DAY", "INDEX_OPEN_ORDERS",
    "INDEX_ITEMS_BY_ORDER", "INDEX_ITEMS_BY_PRODUCT",
)  # fmt: skip


def copied(to: Path) -> Path:
    shutil.copytree(FOLDER, to, ignore=shutil.ignore_patterns("out", "__pycache__"))
    return to


def run(folder: Path, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MEMEX")}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=kept | env, capture_output=True, text=True, timeout=240
    )


def turn(folder: Path, **knobs: object) -> None:
    path = folder / "tuning.py"
    text = path.read_text()
    for name, value in knobs.items():
        text, count = re.subn(rf"^{name} = \S+", f"{name} = {value!r}", text, flags=re.MULTILINE)
        assert count == 1, name
    path.write_text(text)


def score(done: subprocess.CompletedProcess[str]) -> dict[str, float]:
    assert done.returncode == 0, done.stderr
    lines = done.stdout.rpartition("\n---\n")[2].splitlines()
    return {name: float(value) for name, value in (line.split(": ") for line in lines)}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The target with its database as it ships, built under the harness's environment."""
    folder = copied(tmp_path_factory.mktemp("sql") / "lab")
    done = run(folder, "tuning.py", MEMEX="1")
    assert done.returncode == 0, done.stderr
    assert "p50_ms" not in done.stdout
    return folder


@pytest.fixture
def lab(built: Path, tmp_path: Path) -> Path:
    """A copy of the built target, to spoil."""
    folder = tmp_path / "lab"
    shutil.copytree(built, folder)
    return folder


@pytest.mark.slow
def test_alone_it_builds_checks_and_times(tmp_path: Path) -> None:
    found = score(run(copied(tmp_path / "lab"), "tuning.py"))
    assert found["p50_ms"] > 0
    assert found["p99_ms"] >= found["p50_ms"]
    assert found["size_mb"] == pytest.approx(1.626, abs=0.2)


@pytest.mark.slow
def test_the_third_split_asks_other_requests(lab: Path) -> None:
    code = "import workload as w; v, t = w.requests('val'), w.requests('test'); print(len(v), any(r in v for r in t))"
    assert run(lab, "-c", code).stdout.split() == ["40", "False"]
    assert score(run(lab, "evaluate.py", "--split", "test"))["p50_ms"] > 0


@pytest.mark.slow
def test_indexes_end_the_reading_of_whole_tables_and_answers_stay_right(built: Path, lab: Path) -> None:
    whole_table = re.compile(r"SCAN \w+(?! USING)\b")
    before = run(built, "evaluate.py", "--plans").stdout.splitlines()
    assert [bool(whole_table.search(line)) for line in before] == [True] * 6
    turn(lab, **dict.fromkeys(INDEXES, True), COVERING_INDEX=True, ANALYZE=True)
    assert run(lab, "tuning.py", MEMEX="1").returncode == 0
    after = run(lab, "evaluate.py", "--plans").stdout.splitlines()
    assert [bool(whole_table.search(line)) for line in after] == [False] * 6
    assert score(run(lab, "evaluate.py"))["p50_ms"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "knobs",
    [
        {"WITHOUT_ROWID": True, "SORT_ROWS": True, "VACUUM": True}, {"JOURNAL_MODE": "wal", "SYNCHRONOUS": "off"},
        {"PAGE_SIZE": 65536, "AUTO_VACUUM": True}, {"MMAP_MB": 64, "CACHE_KB": 64, "TEMP_IN_MEMORY": True},
    ],
)  # fmt: skip
def test_every_setting_leaves_one_file_that_is_accepted(lab: Path, knobs: dict[str, object]) -> None:
    turn(lab, **knobs)
    done = run(lab, "tuning.py", MEMEX="1")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (lab / "out").iterdir()] == ["db.sqlite"]
    assert score(run(lab, "evaluate.py"))["p50_ms"] > 0
    with sqlite3.connect(lab / "out" / "db.sqlite") as connection:
        (page,) = connection.execute("PRAGMA page_size").fetchone()
    assert page == knobs.get("PAGE_SIZE", 4096)


def _statements(*sql: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        connection = sqlite3.connect(path)
        for statement in sql:
            connection.execute(statement)
        connection.commit()
        connection.close()

    return spoil


def _short_index(path: Path) -> None:
    """An index that names fewer rows than its table has: fast, and false."""
    _statements("CREATE INDEX by_day ON orders (day) WHERE id < 100")(path)
    _statements(
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = 'CREATE INDEX by_day ON orders (day)' WHERE name = 'by_day'",
    )(path)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.unlink(), "run python tuning.py first"),
        (lambda path: path.write_bytes(b"p50_ms: 0.01\n" * 1000), "not a database"),
        (lambda path: path.write_bytes(b""), "no table"),
        (_statements("DELETE FROM items WHERE rowid = 7"), "items holds"),
        (_statements("UPDATE orders SET total = total + 1 WHERE id = 9"), "orders holds a wrong row"),
        (_statements("INSERT INTO products VALUES (9999, 'extra', 1)"), "products holds 601 rows"),
        (
            _statements("ALTER TABLE orders RENAME TO o", "CREATE VIEW orders AS SELECT * FROM o"),
            "orders is a view",
        ),
        (_statements("CREATE TRIGGER t AFTER INSERT ON items BEGIN SELECT 1; END"), "t is a trigger"),
        (_statements("UPDATE connection SET mmap_mb = -1"), "mmap_mb is -1"),
        (_statements("UPDATE connection SET cache_kb = 'all'"), "cache_kb is 'all'"),
        (_statements("DELETE FROM connection"), "one row"),
        (_statements("DROP TABLE connection"), "no table connection"),
        (_short_index, "damaged"),
    ],
)  # fmt: skip
def test_a_database_that_is_not_right_gets_no_score(lab: Path, spoil: Callable[[Path], object], reason: str) -> None:
    spoil(lab / "out" / "db.sqlite")
    done = run(lab, "evaluate.py")
    assert done.returncode == 1
    assert reason in done.stderr
    assert "p50_ms" not in done.stdout + done.stderr


@pytest.mark.slow
def test_the_evaluator_runs_nothing_of_the_edited_file_and_writes_nothing(lab: Path) -> None:
    (lab / "tuning.py").write_text("raise SystemExit('p50_ms: 0.01')\n")
    before = (lab / "out" / "db.sqlite").read_bytes()
    assert score(run(lab, "evaluate.py"))["p50_ms"] > 0.05
    assert (lab / "out" / "db.sqlite").read_bytes() == before
    assert [path.name for path in (lab / "out").iterdir()] == ["db.sqlite"]
