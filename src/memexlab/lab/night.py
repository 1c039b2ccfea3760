"""The loop: brief, propose, measure, judge, land, advance or not. What it did is in the ledger, so it can be killed.

It knows no model, no user interface and no format of a report. All of its state is read from the views; a second
`run` after kill -9 goes on where the ledger ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace

from ..ledger import FAILED, Draft, Entry, OutsideError, Ref, Run, Scalar
from ..memory import Memory
from .board import Board, Standing
from .campaign import Contract, hardware
from .checkouts import Checkouts
from .engine import ISOLATION, Slots
from .judge import Judge
from .measure import Measured, measure, score
from .metrics import printed_metrics
from .owner import is_alive, this_process
from .packets import land_packets
from .planning import BY, Event, Plan, Planner
from .proposers import Proposer

BASELINE_REPEATS = 4
ARTIFACT_KEEP_BYTES = 50_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """When to stop by itself: candidates in this call, hours in this call; None is no limit."""

    runs: int | None = None
    hours: float | None = None


class Night:
    """One campaign of a lab, run until a limit; `tell` hears what happens."""

    def __init__(
        self,
        memory: Memory,
        checkouts: Checkouts,
        contract: Contract,
        campaign: str,
        definition: str,
        locked: str,
        proposer: Proposer,
        slots: Slots,
        tell: Callable[[Event], None],
        program: Callable[[], str] = lambda: "",
        after_each: Callable[[], None] = lambda: None,
    ) -> None:
        self.memory, self.checkouts, self.contract = memory, checkouts, contract
        self.campaign, self.definition, self.locked = campaign, definition, locked
        self.slots, self.tell, self.after_each = slots, tell, after_each
        self.board = Board(memory, campaign, contract.metric.better)
        self.judge = Judge(self.board, memory, BY)
        self.planner = Planner(
            memory, checkouts, contract, campaign, definition, proposer, self.board, self.judge, tell, program
        )
        self._swap = 0

    # --- the loop

    def run(self, limits: Limits) -> int:
        """Runs until a limit and returns how many candidates were measured in this call."""
        deadline = time.monotonic() + limits.hours * 3600 if limits.hours is not None else None
        done = 0
        try:
            self._recover()
            self._measure_baseline()
            for run in self.board.unjudged():
                self._judge_one(run)
            while (limits.runs is None or done < limits.runs) and (deadline is None or time.monotonic() < deadline):
                want = self.slots.count if limits.runs is None else min(self.slots.count, limits.runs - done)
                total = f" of {limits.runs}" if limits.runs is not None else ""
                self.tell(Event("proposed", f"ideas tried: {done}{total}", done))
                plans = self.planner.plans(want)
                if not plans:
                    self.tell(Event("stop", self.planner.nothing_left()))
                    break
                entries = self._measure_all(plans)
                done += len(entries)
                for entry in entries:
                    standing = self.board.standing(entry.id)
                    if standing is not None and standing.status == "ok":
                        self._judge_one(standing)
                land_packets(self.memory, self.campaign, BY)
            self._score_final()
        except KeyboardInterrupt:
            self.slots.stop()
            self.tell(Event("stop", "Stopped by hand; what was measured is kept."))
        self.after_each()
        return done

    def _recover(self) -> None:
        """A run that was started and whose harness is gone is recorded as lost, once."""
        for entry_id in self.board.started():
            entry = self._entry(entry_id)
            if isinstance(entry.body, Run) and not is_alive(entry.body.owner):
                lost = replace(entry.body, status="lost", error="the harness ended before the run did", owner="")
                refs = (*entry.refs, Ref("supersedes", entry.id))
                self.memory.land([Draft(entry.subject, lost, refs, key=f"lost:{entry.id}")], BY)
                self.tell(Event("lost", f"Run {lost.number} was interrupted and is recorded as lost.", lost.number))

    def _entry(self, entry_id: str) -> Entry:
        row = self.memory.db.execute("SELECT seq FROM entries WHERE id = ?", (entry_id,)).fetchone()
        entry = self.memory.index.entry(row[0]) if row else None
        if entry is None:
            raise OutsideError(f"entry {entry_id} is not in the index", hint="memex rebuild")
        return entry

    # --- baseline

    def _measure_baseline(self) -> None:
        base = self.checkouts.branch(self.campaign)
        if base is None:
            base = self.checkouts.head()
            self.checkouts.advance(self.campaign, base)
        first = self.board.baseline()
        base = first.commit if first is not None else base
        have = self.board.fresh_values(base)
        missing = max(0, BASELINE_REPEATS - len(have))
        if missing:
            self.tell(
                Event(
                    "baseline", f"Measuring the baseline {missing} times, to know the noise before believing any win."
                )
            )
            seeds = range(len(have) + 1, BASELINE_REPEATS + 1)
            plans = [Plan("baseline", base, seed, "baseline") for seed in seeds]
            for entry in self._measure_all(plans):
                run = entry.body
                if isinstance(run, Run) and run.status in FAILED and run.status != "lost":
                    raise OutsideError(
                        f"the baseline does not run: {run.error}",
                        hint=f'memex sql "select number, status, error from runs"; run it by hand: {self.contract.run}',
                    )

    # --- measuring

    def _measure_all(self, plans: Sequence[Plan]) -> list[Entry]:
        """Measures plans side by side, as many at a time as there are slots; returns their entries in plan order."""
        result: list[Entry] = []
        for start in range(0, len(plans), self.slots.count):
            result += self._measure_wave(plans[start : start + self.slots.count])
        return result

    def _measure_wave(self, plans: Sequence[Plan]) -> list[Entry]:
        self._swap += 1
        started = self._land_started(plans)
        ended: dict[int, Entry] = {}
        with ThreadPoolExecutor(len(plans)) as pool:
            jobs = {}
            for i, plan in enumerate(plans):
                # Cores differ: the two sides of a pair swap them from one pair to the next.
                cpus_of = (i + self._swap) % self.slots.count
                jobs[pool.submit(self._measure_one, plan, i, cpus_of)] = i
            try:
                for job in as_completed(jobs):
                    i = jobs[job]
                    ended[i] = self._land_ended(started[i], job.result())
            except BaseException:
                self.slots.stop()
                for job, i in jobs.items():
                    if i not in ended and not job.cancelled() and job.exception() is None:
                        self._land_ended(started[i], job.result())
                raise
        self.after_each()
        return [ended[i] for i in range(len(plans))]

    def _measure_one(self, plan: Plan, slot: int, cpus_of: int) -> Measured:
        measured = measure(
            self.contract, self.locked, self.checkouts, self.slots, slot, plan.commit, plan.seed, cpus_of
        )
        return measured

    def _land_started(self, plans: Sequence[Plan]) -> list[Entry]:
        owner = this_process()
        diffs = [self._diff_ref(plan) for plan in plans]

        def drafts() -> list[Draft]:
            number = self.board.last_number()
            return [
                Draft(
                    f"run:{self.campaign}/{number + 1 + i}",
                    Run(
                        campaign=self.campaign, status="started", number=number + 1 + i, role=plan.role,
                        description=plan.description, hypothesis=plan.hypothesis,
                        settings=self.planner.settings_of(plan.commit),
                        commit=plan.commit, seed=plan.seed, hardware=hardware(), isolation=ISOLATION,
                        self_reported=self.contract.self_reported, owner=owner,
                    ),
                    (
                        Ref("from", self.definition),
                        *((Ref("parent", plan.parent),) if plan.parent else ()),
                        *((Ref("tests", plan.tests),) if plan.tests else ()),
                        *diffs[i],
                    ),
                )
                for i, plan in enumerate(plans)
            ]  # fmt: skip

        entries = self.memory.land(drafts, BY)
        for plan, entry in zip(plans, entries, strict=True):
            run = entry.body
            assert isinstance(run, Run)
            self.checkouts.keep(self.campaign, run.number, plan.commit)
            seconds = self.contract.budget.seconds
            self.tell(Event("started", plan.description, run.number, status=plan.role, seconds=seconds))
        return entries

    def _diff_ref(self, plan: Plan) -> tuple[Ref, ...]:
        parent = self.board.standing(plan.parent) if plan.parent else None
        if parent is None or parent.commit == plan.commit:
            return ()
        return (Ref("diff", self.memory.blobs.put(self.checkouts.diff(parent.commit, plan.commit))),)

    def _land_ended(self, started: Entry, measured: Measured) -> Entry:
        run = started.body
        assert isinstance(run, Run)
        refs = [*started.refs, Ref("supersedes", started.id), Ref("log", self.memory.blobs.put(measured.log))]
        meta: dict[str, Scalar] = dict(measured.meta)
        if measured.artifact is not None and measured.status == "ok":
            size = measured.artifact.stat().st_size
            if size <= ARTIFACT_KEEP_BYTES:
                refs.append(Ref("artifact", self.memory.blobs.put(measured.artifact.read_bytes())))
            else:
                meta["artifact_bytes_not_kept"] = size
        body = replace(
            run, status=measured.status, metrics=measured.metrics, seconds=round(measured.seconds, 3),
            error=measured.error, owner="", meta=meta,
        )  # fmt: skip
        [entry] = self.memory.land([Draft(started.subject, body, tuple(refs))], BY)
        value = measured.metrics.get(self.contract.metric.name)
        self.tell(Event("measured", measured.error or run.description, run.number, value, measured.status))
        return entry

    # --- judging

    def _judge_one(self, candidate: Standing) -> None:
        """Screens one measured candidate and races it against the champion as long as the race asks for pairs."""
        while True:
            champion = self.board.champion()
            if champion is None:
                raise OutsideError("there is no champion to compare with", hint="memex run")
            look = self.judge.next_pair(candidate, champion)
            if look is None:
                break
            seed = 10_000 + candidate.number * 10 + look
            text = f"fresh pair {look} for run {candidate.number}"
            self._measure_all(
                [
                    Plan("pair", candidate.commit, seed, f"{text}: candidate", candidate.id, tests=candidate.id),
                    Plan("pair", champion.commit, seed, f"{text}: champion", champion.id, tests=candidate.id),
                ]
            )
        verdict = self.judge.land(candidate, champion)
        if verdict.decision in ("confirmed", "provisional"):
            self.checkouts.advance(self.campaign, candidate.commit)
        value = candidate.value
        self.tell(Event("verdict", verdict.reason, candidate.number, value, verdict.decision))
        self.after_each()

    def retest(self, first: Standing, second: Standing, pairs: int) -> list[tuple[float | None, float | None]]:
        """Measures both again, side by side on fresh seeds; the values count for their commits from now on."""
        result = []
        for k in range(1, pairs + 1):
            seed = 20_000 + self.board.last_number()
            text = f"fresh pair {k} of {pairs}: run {first.number} against run {second.number}"
            sides = [Plan("pair", one.commit, seed, f"{text}, run {one.number}", one.id) for one in (first, second)]
            measured = [self.board.standing(entry.id) for entry in self._measure_all(sides)]
            result.append((measured[0].value if measured[0] else None, measured[1].value if measured[1] else None))
        return result

    # --- the third split

    def _score_final(self) -> None:
        """Scores baseline and champion on the split that nobody has looked at, once for each champion."""
        if not self.contract.evaluate_final:
            return
        for standing in (self.board.baseline(), self.board.champion()):
            if standing is None or self.board.final_of(standing.commit) is not None:
                continue
            values: list[float] = []
            logs: list[bytes] = []
            for blob in self.board.artifacts(standing.commit):
                ended = score(
                    self.contract, self.contract.evaluate_final, self.checkouts, self.slots, 0, standing.commit,
                    self.memory.blobs.get(blob),
                )  # fmt: skip
                logs.append(ended.log)
                value = printed_metrics(ended.log.decode("utf-8", errors="replace")).get(self.contract.metric.name)
                if ended.ok and value is not None:
                    values.append(value)
            self._land_final(standing, values, b"\n".join(logs))

    def _land_final(self, standing: Standing, values: Sequence[float], log: bytes) -> None:
        name = self.contract.metric.name
        mean = sum(values) / len(values) if values else None

        def drafts() -> list[Draft]:
            number = self.board.last_number() + 1
            run = Run(
                campaign=self.campaign, status="ok" if values else "crash", number=number, role="final",
                description=f"third split: run {standing.number}, mean of {len(values)} fresh runs",
                metrics={name: mean} if mean is not None else {}, settings=self.planner.settings_of(standing.commit),
                commit=standing.commit, hardware=hardware(), isolation=ISOLATION,
                error="" if values else "the final evaluator printed no number", meta={"values": list(values)},
            )  # fmt: skip
            refs = (Ref("from", self.definition), Ref("parent", standing.id), Ref("log", self.memory.blobs.put(log)))
            return [Draft(f"run:{self.campaign}/{number}", run, refs, key=f"final:{self.campaign}:{standing.commit}")]

        [entry] = self.memory.land(drafts, BY)
        number = entry.body.number if isinstance(entry.body, Run) else 0
        self.tell(Event("final", f"third split, run {standing.number}", number, mean, "ok" if values else "crash"))
