"""The runs that every contender stores, and the answers that are right; it knows no store and no clock.

One run is ten settings, ten metrics and a description. Settings are drawn afresh for every run, so two runs share
almost nothing: the worst case for a store that also keeps what changed between them.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

METRIC = "val_bpb"
OPTIMIZER = "muon"
BELOW = 1.02
LIMIT = 10

Setting = str | int | float | bool
#: What both questions ask back for each run: its description and its metric, so that a store must fetch the run.
Answer = list[tuple[str, float]]


@dataclass(frozen=True)
class Measured:
    """One run; `description` is unique and names it in every store."""

    number: int
    description: str
    settings: dict[str, Setting]
    metrics: dict[str, float]


class Store(Protocol):
    """A contender, opened on a folder of its own; every method goes through its public interface as shipped."""

    def write(self, run: Measured) -> None:
        """One run, as durable as the contender makes it by default."""

    def load(self, runs: list[Measured]) -> None:
        """Many runs by the fastest way the interface offers; nothing need be durable before `close`."""

    def best(self) -> Answer: ...

    def filtered(self) -> Answer:
        """`optimizer = 'muon' and val_bpb < 1.02 order by val_bpb limit 10`."""

    def descriptions(self) -> list[str]: ...

    def close(self) -> None: ...


class Opens(Protocol):
    def __call__(self, folder: Path, loading: bool) -> Store: ...


def run_at(number: int) -> Measured:
    """Run `number` of the workload, the same on every machine."""
    rng = random.Random(number)
    settings: dict[str, Setting] = {
        "optimizer": rng.choice(("adamw", OPTIMIZER, "sgd", "lion")),
        "learning_rate": round(10 ** rng.uniform(-4, -1.5), 7),
        "weight_decay": round(rng.uniform(0, 0.2), 5),
        "warmup_fraction": round(rng.uniform(0, 0.3), 4),
        "batch_size": rng.choice((8, 16, 32, 64, 128)),
        "depth": rng.randint(2, 16),
        "width": 64 * rng.randint(1, 16),
        "activation": rng.choice(("gelu", "relu", "silu", "relu2")),
        "dropout": round(rng.uniform(0, 0.3), 4),
        "tied": rng.random() < 0.5,
    }
    metrics = {
        METRIC: round(rng.gauss(1.1, 0.04), 7),
        "train_bpb": round(rng.gauss(1.05, 0.04), 7),
        "seconds": round(rng.uniform(290, 310), 3),
        "memory_mb": round(rng.uniform(2000, 40000), 1),
        "tokens_per_second": round(rng.uniform(1e5, 1e6), 1),
        "mfu_percent": round(rng.uniform(20, 50), 3),
        "grad_norm": round(rng.uniform(0.1, 3), 5),
        "steps": float(rng.randint(500, 2000)),
        "parameters": float(rng.randint(10**6, 10**8)),
        "final_rate": round(10 ** rng.uniform(-6, -3), 9),
    }
    return Measured(number, f"run {number}: {rng.choice(_IDEAS)}", settings, metrics)


def right_answers(count: int) -> tuple[Answer, Answer]:
    """What `best` and `filtered` must say about runs 0 to count - 1."""
    runs = [run_at(number) for number in range(count)]
    wanted = [run for run in runs if run.settings["optimizer"] == OPTIMIZER and run.metrics[METRIC] < BELOW]
    return _lowest(runs, 1), _lowest(wanted, LIMIT)


def _lowest(runs: list[Measured], count: int) -> Answer:
    lowest = heapq.nsmallest(count, runs, key=lambda run: run.metrics[METRIC])
    return [(run.description, run.metrics[METRIC]) for run in lowest]


_IDEAS = (
    "raise the peak rate and warm up for longer",
    "halve the batch and keep the tokens seen",
    "a deeper and narrower body at equal parameters",
    "swap the activation of the feed-forward part",
    "decay only the matrices and not the gains",
    "tie the embeddings and rescale the output",
)
