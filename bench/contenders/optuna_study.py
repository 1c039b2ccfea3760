"""Optuna as shipped: `Study.add_trial`, with the journal file or SQLite behind it.

It has no query language: `best_trial` is its own, the filter is a loop over `get_trials(deepcopy=False)`. The journal
fsyncs every trial; SQLite keeps its defaults, so every commit is synced. Loading adds the same trials with syncing
switched off.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState
from workload import BELOW, LIMIT, METRIC, OPTIMIZER, Answer, Measured

optuna.logging.set_verbosity(optuna.logging.ERROR)

_SPACE: dict[str, BaseDistribution] = {
    "optimizer": CategoricalDistribution(("adamw", "muon", "sgd", "lion")),
    "learning_rate": FloatDistribution(1e-5, 1.0),
    "weight_decay": FloatDistribution(0.0, 1.0),
    "warmup_fraction": FloatDistribution(0.0, 1.0),
    "batch_size": IntDistribution(1, 1024),
    "depth": IntDistribution(1, 64),
    "width": IntDistribution(1, 8192),
    "activation": CategoricalDistribution(("gelu", "relu", "silu", "relu2")),
    "dropout": FloatDistribution(0.0, 1.0),
    "tied": CategoricalDistribution((True, False)),
}


class OptunaStudy:
    def __init__(self, storage: Any) -> None:
        self.storage = storage
        self.study = optuna.create_study(storage=storage, study_name="bench", direction="minimize", load_if_exists=True)

    def write(self, run: Measured) -> None:
        now = datetime.now()
        attributes = {"description": run.description, **run.metrics}
        self.study.add_trial(
            FrozenTrial(
                number=-1, trial_id=-1, state=TrialState.COMPLETE, value=run.metrics[METRIC], values=None,
                datetime_start=now, datetime_complete=now, params=dict(run.settings), distributions=_SPACE,
                user_attrs=attributes, system_attrs={}, intermediate_values={},
            )
        )  # fmt: skip

    def load(self, runs: list[Measured]) -> None:
        for run in runs:
            self.write(run)

    def best(self) -> Answer:
        return [self._row(self.study.best_trial)]

    def filtered(self) -> Answer:
        found = [
            trial
            for trial in self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            if trial.params["optimizer"] == OPTIMIZER and trial.values[0] < BELOW
        ]
        return [self._row(trial) for trial in sorted(found, key=lambda trial: trial.values[0])[:LIMIT]]

    @staticmethod
    def _row(trial: FrozenTrial) -> tuple[str, float]:
        return trial.user_attrs["description"], trial.values[0]

    def descriptions(self) -> list[str]:
        return [trial.user_attrs["description"] for trial in self.study.get_trials(deepcopy=False)]

    def close(self) -> None:
        self.storage.remove_session()


def open_store(folder: Path, loading: bool, variant: str) -> OptunaStudy:
    if variant == "journal":
        if loading:
            os.fsync = lambda handle: None
        return OptunaStudy(optuna.storages.JournalStorage(JournalFileBackend(str(folder / "journal.log"))))
    if loading:
        from sqlalchemy import Engine, event

        event.listen(Engine, "connect", lambda db, _: db.execute("PRAGMA synchronous = OFF"))
    return OptunaStudy(optuna.storages.RDBStorage(f"sqlite:///{folder / 'study.db'}"))
