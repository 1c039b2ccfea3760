"""Measures plans side by side and records what became of them: a start and an end for every run, whatever happens.

It knows places, processes and entries, not why a plan is measured or what its number means.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import replace

from ...ledger import Claim, Draft, Entry, Ref, Run, Scalar
from ..evidence.board import Standing
from ..execution.campaign import hardware
from ..execution.curves import Curve, Pace, curve_in
from ..execution.measure import Measured, measure, score
from ..execution.metrics import printed_metrics
from ..execution.owner import this_process
from ..execution.streams import ALONE, Adjusted, Streams, claimed_by, steps_a_second
from .campaign import BY, Campaign, Event, Part, Plan
from .planning import Planner

ARTIFACT_KEEP_BYTES = 50_000_000
#: So many of the latest runs say how one usually stands on its way.
_MOST_CURVES = 48
#: So many runs of the baseline must all differ before it is odd that two of a candidate do not.
_LEAST_VARYING = 3


class Runner(Part):
    """The runs of one campaign; the caller holds the desk, which is free for others while something runs."""

    def __init__(
        self,
        campaign: Campaign,
        planner: Planner,
        streams: Streams,
        between_runs: Callable[[], None],
        after_each: Callable[[], None],
    ) -> None:
        super().__init__(campaign)
        self.planner, self.streams, self.between_runs, self.after_each = planner, streams, between_runs, after_each
        self._swap = 0

    def measure(self, plans: Sequence[Plan], still_wanted: Callable[[], bool] = lambda: True) -> list[Entry]:
        """Measures plans side by side, as many at a time as there are places; their entries are in plan order.

        What is no longer wanted once there is a place for it, and a candidate whose change another stream has claimed,
        is not measured and has no entry here.
        """
        result: list[Entry] = []
        for start in range(0, len(plans), self.streams.count):
            result += self._side_by_side(plans[start : start + self.streams.count], still_wanted)
        return result

    def _side_by_side(self, plans: Sequence[Plan], still_wanted: Callable[[], bool]) -> list[Entry]:
        self.between_runs()
        with ExitStack() as held:
            places = held.enter_context(self.streams.taken(len(plans), self.desk))
            self.between_runs()
            if not still_wanted():
                return []
            started = self._land_started(plans)
            if not started:
                return []
            # Cores and devices differ: the two sides of a pair swap them from one pair to the next.
            self._swap += 1
            turned = [places[(i + self._swap) % len(places)] for i in range(len(places))]
            ended: dict[int, Entry] = {}
            errors: list[BaseException] = []
            paces = [self._pace(plan) for plan in plans]
            with ThreadPoolExecutor(len(plans)) as pool, self.desk.away():
                jobs = {
                    pool.submit(self._measure_one, plan, places[i], turned[i], paces[i]): i
                    for i, plan in enumerate(plans)
                }
                for job in as_completed(jobs):
                    error = job.exception()
                    if error is not None:
                        errors.append(error)
                        continue
                    with self.desk:
                        ended[jobs[job]] = self._land_ended(started[jobs[job]], job.result())
        if errors:
            raise errors[0]
        self.after_each()
        return [ended[i] for i in range(len(plans))]

    def _measure_one(self, plan: Plan, place: int, cpus_of: int, pace: Pace | None = None) -> Measured:
        at_once = self.streams.busy()
        slots, told = self.streams.on_device(cpus_of), list[str]()
        if pace is not None:
            slots = Adjusted(slots, lambda job: replace(job, is_lost=lambda log: is_lost(pace, log)))

        def is_lost(pace: Pace, log: bytes) -> bool:
            told[:] = filter(None, [pace.behind(curve_in(log.decode("utf-8", errors="replace")))])
            return bool(told)

        measured = measure(
            self.contract, self.locked, self.checkouts, slots, place, plan.commit, plan.seed, cpus_of,
        )  # fmt: skip
        if told and measured.status == "lost":
            measured = replace(measured, status="inconclusive", error=told[0])
        if self.streams.count == 1:
            return measured
        return replace(measured, meta={**measured.meta, "at_once": max(at_once, self.streams.busy())})

    def _pace(self, plan: Plan) -> Pace | None:
        """How earlier runs stood on their way, where a candidate that is far behind them is to be cut short."""
        champion = self.board.champion()
        if not self.contract.budget.early_kill or plan.role != "candidate" or champion is None:
            return None
        logs = self.memory.db.execute(
            "SELECT r.commit_id, r.role, f.target FROM runs r JOIN refs f ON f.seq = r.run AND f.role = 'log' WHERE"
            " r.campaign = ? AND r.value IS NOT NULL AND r.role <> 'final' ORDER BY r.number DESC LIMIT ?",
            (self.campaign, _MOST_CURVES),
        ).fetchall()
        curves = [
            (commit, role, curve_in(self.memory.blobs.get(blob).decode("utf-8", errors="replace")))
            for commit, role, blob in logs
        ]
        repeats: dict[str, list[Curve]] = defaultdict(list)
        for commit, role, curve in curves:
            if role != "candidate":
                repeats[commit].append(curve)
        return Pace(
            [curve for commit, _, curve in curves if commit == champion.commit], [curve for *_, curve in curves],
            list(repeats.values()), self.board.better, self.contract.budget.early_kill,
        )  # fmt: skip

    def measure_alone(self, commit: str) -> None:
        """Once a campaign: how many steps a second a run makes while nothing else runs. It is no run of the campaign,
        because its value comes from another load than theirs."""
        key = f"alone:{self.campaign}"
        self.memory.index.catch_up()
        if self.streams.count == 1 or self.memory.index.by_key([key]):
            return
        self.between_runs()
        with self.streams.taken(self.streams.count, self.desk), self.desk.away():
            measured = self._measure_one(Plan("baseline", commit, 1, "alone"), 0, 0)
        if measured.status != "ok":
            return  # the baseline that follows says what is wrong
        speed = steps_a_second(measured.metrics, measured.seconds)
        text = f"alone, a run makes {speed:.4g} steps a second" if speed else "runs print no steps"
        refs = (Ref("from", self.definition), Ref("log", self.memory.blobs.put(measured.log)))
        self.memory.land([Draft(f"campaign:{self.campaign}", Claim(text, ALONE, speed), refs, key=key)], BY)

    # --- recording

    def _land_started(self, plans: Sequence[Plan]) -> list[Entry]:
        owner = this_process()
        diffs = [self._diff_ref(plan) for plan in plans]
        holders: list[int] = []

        def drafts() -> list[Draft]:
            for plan in plans:
                holder = claimed_by(self.memory, self.campaign, plan.key, plan.since) if plan.key else None
                if holder is not None:
                    holders.append(holder)
                    return []
            number = self.board.last_number()
            return [
                Draft(
                    f"run:{self.campaign}/{number + 1 + i}",
                    Run(
                        campaign=self.campaign, status="started", number=number + 1 + i, role=plan.role,
                        description=plan.description, hypothesis=plan.hypothesis,
                        settings=self.planner.settings_of(plan.commit),
                        commit=plan.commit, seed=plan.seed, hardware=hardware(),
                        isolation=self.streams.slots.isolation,
                        self_reported=self.contract.self_reported, owner=owner, meta=self._meta(plan),
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
        for holder in holders:
            self.tell(Event("notice", f"Run {holder} has this change already: {plans[0].description}."))
        for plan, entry in zip(plans, entries, strict=False):
            run = entry.body
            assert isinstance(run, Run)
            self.checkouts.keep(self.campaign, run.number, plan.commit)
            seconds = self.contract.budget.seconds
            self.tell(Event("started", plan.description, run.number, status=plan.role, seconds=seconds))
        return entries

    def _meta(self, plan: Plan) -> dict[str, Scalar]:
        told: dict[str, Scalar] = {"origin": plan.origin, "change": plan.key, "approved_by": plan.approved_by}
        told["one_seed"] = not self.checkouts.reads_seed(plan.commit)
        told["streams"] = self.streams.count if self.streams.count > 1 else None
        parent = self.board.standing(plan.parent) if plan.parent and plan.role == "candidate" else None
        told["code"] = self.planner.code_of(parent.commit, plan.commit) if parent is not None else ""
        return {name: value for name, value in told.items() if value}

    def _diff_ref(self, plan: Plan) -> tuple[Ref, ...]:
        parent = self.board.standing(plan.parent) if plan.parent else None
        if parent is None or parent.commit == plan.commit:
            return ()
        return (Ref("diff", self.memory.blobs.put(self.checkouts.diff(parent.commit, plan.commit))),)

    def _land_ended(self, started: Entry, measured: Measured) -> Entry:
        run = started.body
        assert isinstance(run, Run)
        refs = [*started.refs, Ref("supersedes", started.id), Ref("log", self.memory.blobs.put(measured.log))]
        meta: dict[str, Scalar] = {**run.meta, **measured.meta}
        if measured.artifact is not None and measured.status == "ok":
            size = measured.artifact.stat().st_size
            if size <= ARTIFACT_KEEP_BYTES:
                refs.append(Ref("artifact", self.memory.blobs.put(measured.artifact.read_bytes())))
            else:
                meta["artifact_bytes_not_kept"] = size
        if seedless := self._ignores_its_seed(run, measured):
            measured = replace(measured, status="invalid", metrics={}, error=seedless)
        body = replace(
            run, status=measured.status, metrics=measured.metrics, seconds=round(measured.seconds, 3),
            isolation=measured.isolation, error=measured.error, owner="", meta=meta,
        )  # fmt: skip
        [entry] = self.memory.land([Draft(started.subject, body, tuple(refs))], BY)
        value = measured.metrics.get(self.contract.metric.name)
        self.tell(Event("measured", measured.error or run.description, run.number, value, measured.status))
        return entry

    def _ignores_its_seed(self, run: Run, measured: Measured) -> str:
        """Why a side of a pair is no evidence, or '': a fresh seed changed nothing, though it does for others."""
        value, baseline = measured.metrics.get(self.contract.metric.name), self.board.baseline()
        if run.role != "pair" or value is None or baseline is None or baseline.commit == run.commit:
            return ""
        usual = self.board.fresh_values(baseline.commit)
        earlier = self.memory.db.execute(
            "SELECT seed, value FROM runs WHERE campaign = ? AND commit_id = ? AND seed <> ? AND value IS NOT NULL",
            (self.campaign, run.commit, run.seed),
        ).fetchall()
        if len(usual) < _LEAST_VARYING or len(set(usual)) < len(usual) or {v for _, v in earlier} != {value}:
            return ""
        told = f"it measured exactly {value:.6g} under the seeds {earlier[0][0]} and {run.seed}, and no two runs of the"
        return f"{told} baseline agree: it ignores its seed, so a lucky one cannot be told from a better model"

    # --- the third split

    def score_final(self) -> None:
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
                    self.contract, self.contract.evaluate_final, self.checkouts, self.streams.on_device(0), 0,
                    standing.commit, self.memory.blobs.get(blob), self.locked,
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
                commit=standing.commit, hardware=hardware(), isolation=self.streams.slots.isolation,
                error="" if values else "the final evaluator printed no number", meta={"values": list(values)},
            )  # fmt: skip
            refs = (Ref("from", self.definition), Ref("parent", standing.id), Ref("log", self.memory.blobs.put(log)))
            return [Draft(f"run:{self.campaign}/{number}", run, refs, key=f"final:{self.campaign}:{standing.commit}")]

        [entry] = self.memory.land(drafts, BY)
        number = entry.body.number if isinstance(entry.body, Run) else 0
        self.tell(Event("final", f"third split, run {standing.number}", number, mean, "ok" if values else "crash"))
