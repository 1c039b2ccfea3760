"""MLflow as shipped: `MlflowClient` on SQLite, three calls a run, which is its shortest way to store one.

SQLite keeps its defaults, so each of the commits is synced. Loading makes the same calls with syncing switched off.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="1", MLFLOW_LOGGING_LEVEL="ERROR")

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from workload import BELOW, LIMIT, METRIC, OPTIMIZER, Answer, Measured

_EXPERIMENT = "0"


class Mlflow:
    def __init__(self, folder: Path) -> None:
        self.client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
        self.client.get_experiment(_EXPERIMENT)

    def write(self, run: Measured) -> None:
        run_id = self.client.create_run(_EXPERIMENT).info.run_id
        self.client.log_batch(
            run_id,
            metrics=[Metric(name, value, 0, 0) for name, value in run.metrics.items()],
            params=[Param(name, str(value)) for name, value in run.settings.items()],
            tags=[RunTag("mlflow.note.content", run.description)],
        )
        self.client.set_terminated(run_id)

    def load(self, runs: list[Measured]) -> None:
        for run in runs:
            self.write(run)

    def best(self) -> Answer:
        return self._search("", 1)

    def filtered(self) -> Answer:
        return self._search(f"params.optimizer = '{OPTIMIZER}' and metrics.{METRIC} < {BELOW}", LIMIT)

    def _search(self, where: str, count: int) -> Answer:
        found = self.client.search_runs([_EXPERIMENT], where, order_by=[f"metrics.{METRIC} ASC"], max_results=count)
        return [(self._description(run), run.data.metrics[METRIC]) for run in found]

    @staticmethod
    def _description(run: Run) -> str:
        return str(run.data.tags["mlflow.note.content"])

    def descriptions(self) -> list[str]:
        found: list[str] = []
        token: Any = None
        while True:
            page = self.client.search_runs([_EXPERIMENT], max_results=1000, page_token=token)
            found += [run.data.tags.get("mlflow.note.content", "") for run in page]
            token = page.token
            if not token:
                return found

    def close(self) -> None:
        pass


def open_store(folder: Path, loading: bool) -> Mlflow:
    if loading:
        from sqlalchemy import Engine, event

        event.listen(Engine, "connect", lambda db, _: db.execute("PRAGMA synchronous = OFF"))
    return Mlflow(folder)
