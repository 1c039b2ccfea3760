"""Trackio's storage as shipped: `SQLiteStorage.bulk_log` and `query_project`, which its command `query` calls.

A run is one row of metrics and one configuration. WAL with synchronous NORMAL, so a run survives kill -9, not a power
cut. `init`, `log` and `finish` write through a server and cost more. Loading makes the same call with syncing off.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from workload import BELOW, LIMIT, METRIC, OPTIMIZER, Answer, Measured

_PROJECT = "bench"
_FOUND = f"""
SELECT json_extract(CAST(c.config AS TEXT), '$.description') AS description,
  json_extract(CAST(m.metrics AS TEXT), '$.{METRIC}') AS value
FROM metrics m JOIN configs c ON c.run_id = m.run_id
"""
_BEST = f"""
SELECT json_extract(CAST(c.config AS TEXT), '$.description') AS description, b.value AS value FROM
  (SELECT run_id, json_extract(CAST(metrics AS TEXT), '$.{METRIC}') AS value FROM metrics ORDER BY value LIMIT 1) b
JOIN configs c ON c.run_id = b.run_id
"""
_FILTERED = f"""{_FOUND}
WHERE json_extract(CAST(c.config AS TEXT), '$.optimizer') = '{OPTIMIZER}' AND value < {BELOW}
ORDER BY value LIMIT {LIMIT}
"""


class TrackioProject:
    def __init__(self) -> None:
        from trackio.sqlite_storage import SQLiteStorage

        self.storage = SQLiteStorage
        self.storage.init_db(_PROJECT)

    def write(self, run: Measured) -> None:
        name = str(run.number)
        config = {"description": run.description, **run.settings}
        self.storage.bulk_log(_PROJECT, name, [run.metrics], config=config, run_id=name)

    def load(self, runs: list[Measured]) -> None:
        for run in runs:
            self.write(run)

    def best(self) -> Answer:
        return self._ask(_BEST)

    def filtered(self) -> Answer:
        return self._ask(_FILTERED)

    def _ask(self, query: str) -> Answer:
        rows: list[dict[str, Any]] = self.storage.query_project(_PROJECT, query)["rows"]
        return [(row["description"], row["value"]) for row in rows]

    def descriptions(self) -> list[str]:
        configs = self.storage.get_all_run_configs(_PROJECT)
        return [config["description"] for config in configs.values()]

    def close(self) -> None:
        pass


def open_store(folder: Path, loading: bool) -> TrackioProject:
    # Trackio reads both once, when it is imported; without them it would write to the home folder.
    os.environ["TRACKIO_DIR"] = str(folder)
    if loading:
        os.environ["TRACKIO_SQLITE_SYNCHRONOUS"] = "OFF"
    return TrackioProject()
