"""memexlab as shipped: `log_run`, which is what `memex log` calls, and `Lab.sql`, which is what `memex sql` calls.

Each write is fsynced before it returns, and the views are folded before it returns. Loading lands batches of a
thousand through the same gate, as `memex import` does.
"""

from __future__ import annotations

from pathlib import Path

from workload import BELOW, LIMIT, METRIC, OPTIMIZER, Answer, Measured

from memexlab import Lab
from memexlab.commands.results import Table
from memexlab.lab.recording import define, last_number, log_run
from memexlab.ledger import Draft, Ref, Run, RunStatus

_BY = "code:bench"
_CAMPAIGN = "log"
BEST = (
    f"SELECT description, value FROM runs WHERE campaign = '{_CAMPAIGN}' AND value IS NOT NULL ORDER BY value LIMIT 1"
)
FILTERED = (
    "SELECT r.description, r.value FROM runs r JOIN settings s ON s.run = r.run AND s.knob = 'optimizer'"
    f" WHERE s.value = '{OPTIMIZER}' AND r.campaign = '{_CAMPAIGN}' AND r.value < {BELOW}"
    f" ORDER BY r.value LIMIT {LIMIT}"
)


class MemexLab:
    def __init__(self, root: Path) -> None:
        (root / ".memex").mkdir(exist_ok=True)
        self.lab = Lab(root)

    def write(self, run: Measured) -> None:
        log_run(self.lab.memory, self._run(run, self._status(run)), _BY, METRIC, "lower", "lower", None, None)

    def load(self, runs: list[Measured]) -> None:
        memory = self.lab.memory
        definition = define(memory, _CAMPAIGN, _BY, {}, metric=METRIC, better="lower", origin="log")

        def drafts() -> list[Draft]:
            number = last_number(memory, _CAMPAIGN)
            best = self._champion()
            parent = (Ref("parent", best[1]),) if best else ()
            value = best[0] if best else float("inf")
            found = []
            for run in runs:
                number += 1
                keeps = run.metrics[METRIC] < value
                value = min(value, run.metrics[METRIC])
                body = self._run(run, "keep" if keeps else "discard", number)
                found.append(Draft(f"run:{_CAMPAIGN}/{number}", body, (Ref("from", definition.id), *parent)))
                if keeps:
                    parent = (Ref("parent", f"@{len(found) - 1}"),)
            return found

        memory.land(drafts, _BY)

    def _champion(self) -> tuple[float, str] | None:
        row: tuple[float, str] | None = self.lab.memory.db.execute(
            "SELECT c.value, e.id FROM champions c JOIN entries e ON e.seq = c.run"
            " WHERE c.campaign = ? AND c.until IS NULL",
            (_CAMPAIGN,),
        ).fetchone()
        return row

    def _status(self, run: Measured) -> RunStatus:
        best = self._champion()
        return "keep" if best is None or run.metrics[METRIC] < best[0] else "discard"

    @staticmethod
    def _run(run: Measured, status: RunStatus, number: int = 0) -> Run:
        return Run(
            _CAMPAIGN, status, number, description=run.description, metrics=run.metrics, settings=run.settings,
            self_reported=True,
        )  # fmt: skip

    def best(self) -> Answer:
        return self._ask(BEST)

    def filtered(self) -> Answer:
        return self._ask(FILTERED)

    def _ask(self, query: str) -> Answer:
        table = self.lab.sql(query)
        assert isinstance(table, Table)
        return table.rows.rows

    def descriptions(self) -> list[str]:
        return [row[0] for row in self.lab.memory.db.execute("SELECT description FROM runs")]

    def rebuild(self) -> None:
        self.lab.memory.index.rebuild()

    def close(self) -> None:
        self.lab.close()


class OpenConnection(MemexLab):
    """The same views, asked over `Memory.db`: one connection kept open, brought up to date before each question."""

    def _ask(self, query: str) -> Answer:
        return self.lab.memory.db.execute(query).fetchall()


def open_store(folder: Path, loading: bool, variant: str = "") -> MemexLab:
    return OpenConnection(folder) if variant == "connection" else MemexLab(folder)
