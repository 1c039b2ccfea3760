"""A campaign of a lab landed entry by entry, as the loop lands it, with whatever values a test needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from memexlab.ledger import Draft, Entry, Ref, Run, Source, Verdict
from memexlab.memory import Memory

BY = "code:test"
SIGMA = 0.005


class PlantedLab:
    """Lower is better; four baselines around 1.0 with a sigma near 0.005."""

    def __init__(self, folder: Path, origin: str = "lab", metric: str = "loss", baselines: int = 4) -> None:
        self.memory, self.campaign, self.metric, self.number = Memory(folder), "toy", metric, 0
        meta = {"metric": metric, "better": "lower", "origin": origin, "unit": "nats"}
        self.definition = self._land(Draft("campaign:toy", Source("campaign toy", meta=meta), key="campaign:toy"))
        values = (1.0, 1.005, 0.995, 1.0)[:baselines]
        self.base = [self.run(v, role="baseline", description="baseline", commit="c0ffee00") for v in values]

    def _land(self, draft: Draft) -> Entry:
        return self.memory.land([draft], BY)[0]

    def run(self, value: float | None, parent: Entry | None = None, tests: Entry | None = None, **body: Any) -> Entry:
        """A run that was started and ended; `settings` of its parent apply where it gives none of its own."""
        self.number += 1
        inherited = {**parent.body.settings} if parent and isinstance(parent.body, Run) else {"LR": 0.1, "WIDTH": 32}
        body = {"status": "ok" if value is not None else "crash", "seconds": 20.0,
                "commit": f"{self.number:08x}"} | body | {"settings": inherited | body.get("settings", {})}  # fmt: skip
        refs = (
            Ref("from", self.definition.id),
            *([Ref("parent", parent.id)] if parent else []),
            *([Ref("tests", tests.id)] if tests else []),
        )
        subject, status = f"run:toy/{self.number}", body.pop("status")
        started = self._land(Draft(subject, Run("toy", "started", self.number, **body), refs))
        metrics = {self.metric: value} if value is not None else {}
        ended = Run("toy", status, self.number, **body, metrics=metrics)
        return self._land(Draft(subject, ended, (*refs, Ref("supersedes", started.id))))

    def pairs(self, candidate: Entry, champion: Entry, *values: tuple[float, float]) -> list[Entry]:
        found = []
        for look, (ours, theirs) in enumerate(values, 1):
            for side, value in ((candidate, ours), (champion, theirs)):
                assert isinstance(side.body, Run)
                assert isinstance(candidate.body, Run)
                seed = 10_000 + candidate.body.number * 10 + look
                more = {"role": "pair", "commit": side.body.commit, "seed": seed}
                found.append(self.run(value, side, candidate, **more))
        return found

    def verdict(self, run: Entry, decision: str, against: Entry, pairs: list[Entry] | None = None, **n: Any) -> Entry:
        """A judgement that supersedes the earlier ones on the run, with the noise of the baselines."""
        earlier = self.memory.db.execute(
            "SELECT e.id FROM verdicts v JOIN entries e USING (seq) JOIN runs r ON r.run = v.run WHERE r.id = ?",
            (run.id,),
        ).fetchall()
        refs = [Ref("tests", run.id), Ref("parent", against.id), *(Ref("from", pair.id) for pair in pairs or [])]
        refs += [Ref("supersedes", row[0]) for row in earlier]
        numbers = {"sigma": SIGMA, "dof": 8} | ({"pairs": len(pairs) // 2} if pairs else {}) | n
        return self._land(Draft(run.subject, Verdict(decision, f"{decision}: why", numbers), tuple(refs)))

    def win(self, parent: Entry, against: Entry | None = None, gain: float = 0.03, **body: Any) -> Entry:
        """A candidate made from `parent` and confirmed against it, or against another run."""
        rival = against or parent
        value = 1.0 - gain
        run = self.run(value, parent, **body)
        pairs = self.pairs(run, rival, (value - SIGMA, 1.0), (value + SIGMA, 1.0))
        self.verdict(run, "confirmed", rival, pairs, gain=gain, low=gain - 0.01, high=gain + 0.01)
        return run

    def champion(self) -> int | None:
        row = self.memory.db.execute(
            "SELECT number FROM champions c JOIN runs r USING (run) WHERE c.campaign = 'toy' AND until IS NULL"
        ).fetchone()
        return row[0] if row else None


def number_of(entry: Entry) -> int:
    assert isinstance(entry.body, Run)
    return entry.body.number
