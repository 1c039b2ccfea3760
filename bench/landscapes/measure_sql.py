"""Measures sql-tuning for real, so that a table can stand in for it: `python measure_sql.py > sql-tuning.tsv`.

Every combination of the seven index flags (128), and every other setting alone, with no index and with all of them:
about 200 runs, a quarter of an hour on one core. `p50_ms` is processor time.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from memexlab.lab.execution.metrics import printed_metrics
from memexlab.memory.changes.knobs import set_knobs

TARGET = Path(__file__).parents[2] / "targets" / "sql-tuning"
FLAGS = (
    "INDEX_CUSTOMERS_BY_EMAIL", "INDEX_ORDERS_BY_CUSTOMER", "INDEX_ORDERS_BY_DAY", "INDEX_OPEN_ORDERS",
    "INDEX_ITEMS_BY_ORDER", "INDEX_ITEMS_BY_PRODUCT", "COVERING_INDEX",
)  # fmt: skip
ALONE: dict[str, tuple[bool | int | str, ...]] = {
    "PAGE_SIZE": (512, 1024, 2048, 8192, 16384, 32768, 65536), "CACHE_KB": (64, 500, 8000, 64000),
    "MMAP_MB": (16, 64, 256), "TEMP_IN_MEMORY": (True,), "JOURNAL_MODE": ("truncate", "memory", "wal", "off"),
    "SYNCHRONOUS": ("off", "normal"), "AUTO_VACUUM": (True,), "WITHOUT_ROWID": (True,), "SORT_ROWS": (True,),
    "ANALYZE": (True,), "VACUUM": (True,),
}  # fmt: skip


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder) / "target"
        shutil.copytree(TARGET, scratch)
        source = (scratch / "tuning.py").read_text(encoding="utf-8")
        print("settings\tp50_ms")
        for settings in candidates():
            (scratch / "tuning.py").write_text(set_knobs(source, settings), encoding="utf-8")
            done = subprocess.run([sys.executable, "tuning.py"], cwd=scratch, capture_output=True, text=True)
            value = printed_metrics(done.stdout).get("p50_ms")
            told = " ".join(f"{name}={value!r}" for name, value in settings.items())
            print(f"{told}\t{value if value is not None else 'crash'}", flush=True)


def candidates() -> list[dict[str, bool | int | str]]:
    found: list[dict[str, bool | int | str]] = [
        dict.fromkeys(chosen, True) for size in range(len(FLAGS) + 1) for chosen in itertools.combinations(FLAGS, size)
    ]
    every = dict.fromkeys(FLAGS, True)
    for name, values in ALONE.items():
        found += [{**context, name: value} for context in ({}, every) for value in values]
    return found


if __name__ == "__main__":
    main()
