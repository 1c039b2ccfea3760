"""The loop: brief, propose, measure, judge, land, advance or not. What it did is in the ledger, so it can be killed.

It knows no model, no user interface and no format of a report. All of its state is read from the views; a second
`run` after kill -9 goes on where the ledger ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import Literal

from ..ledger import FAILED, Draft, Entry, OutsideError, Ref, Run, RunRole, Scalar, UsageError
from ..memory import Memory
from ..memory.knobs import set_knobs, settings
from .board import Board, Standing
from .campaign import Contract, hardware
from .checkouts import Checkouts, merged_lines
from .engine import ISOLATION, Slots
from .judge import Judge
from .measure import Measured, measure, score
from .metrics import printed_metrics
from .owner import is_alive, this_process
from .proposers import Brief, Proposal, Proposer

BY = "code:memexlab/0.1"
BASELINE_REPEATS = 4
ARTIFACT_KEEP_BYTES = 50_000_000

EventKind = Literal["campaign", "baseline", "proposed", "started", "measured", "verdict", "lost", "final", "stop"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something a person watching would want to see; `text` is a whole sentence or line."""

    kind: EventKind
    text: str
    number: int = 0
    value: float | None = None
    status: str = ""
    seconds: float = 0.0  # how long what started will take, as far as is known


@dataclass(frozen=True, slots=True)
class Limits:
    """When to stop by itself: candidates in this call, hours in this call; None is no limit."""

    runs: int | None = None
    hours: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """One execution to measure."""

    role: RunRole
    commit: str
    seed: int
    description: str
    parent: str = ""
    hypothesis: str = ""
    tests: str = ""


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
        self.proposer, self.slots, self.tell = proposer, slots, tell
        self.program, self.after_each = program, after_each
        self.board = Board(memory, campaign, contract.metric.better)
        self.judge = Judge(self.board, memory, BY)
        self._swap = 0
        self._settings: dict[str, dict[str, Scalar]] = {}

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
                plans = self._propose(want)
                if not plans:
                    self.tell(Event("stop", self._nothing_left()))
                    break
                entries = self._measure_all(plans)
                done += len(entries)
                for entry in entries:
                    standing = self.board.standing(entry.id)
                    if standing is not None and standing.status == "ok":
                        self._judge_one(standing)
            self._score_final()
        except KeyboardInterrupt:
            self.slots.stop()
            self.tell(Event("stop", "Stopped by hand; what was measured is kept."))
        self.after_each()
        return done

    def _nothing_left(self) -> str:
        if self.board.tried():
            return "The proposer has nothing left to try."
        files = ", ".join(self.contract.edit)
        return f"The proposer {self.proposer.name} found nothing to change in {files}: it turns constants named there."

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

    # --- proposing

    def _propose(self, want: int) -> list[Plan]:
        """Ideas for the next wave, each a commit on the working head; a merge of two wins goes first."""
        merges = (self._merge_plan(pair) for pair in self.judge.take_merges())
        plans = [plan for plan in merges if plan is not None][:want]
        known = [self._settings_of(plan.commit) for plan in plans]
        head = self.board.head()
        if head is None:
            raise OutsideError("no baseline was measured, so there is nothing to improve", hint="memex run")
        brief = Brief(
            campaign=self.campaign,
            files={name: self.checkouts.read(head.commit, name) for name in self.contract.edit},
            better=self.contract.metric.better,
            sigma=self.board.noise().sigma,
            tried=self.board.tried(),
            ranges=self.contract.ranges,
            want=want,
            seed=self.board.last_number() + 1,
            program=self.program(),
        )
        for proposal in self._ask(brief) if len(plans) < want else []:
            commit = self.checkouts.commit(head.commit, proposal.files, _message(proposal))
            if len(plans) < want and self._settings_of(commit) not in known:
                seed = 100 + self.board.last_number() + len(plans) + 1
                plans.append(Plan("candidate", commit, seed, proposal.description, head.id, proposal.hypothesis))
        return plans

    def _ask(self, brief: Brief) -> list[Proposal]:
        generator = self.proposer.propose(brief)
        try:
            next(generator)
        except StopIteration as stop:
            proposals: list[Proposal] = stop.value
        else:
            raise UsageError(
                f"the proposer {self.proposer.name} asks for a model, and none is set", "memex run --proposer knobs"
            )
        for proposal in proposals:
            foreign = set(proposal.files) - set(self.contract.edit)
            if foreign:
                raise UsageError(
                    f"the proposer {self.proposer.name} edits {sorted(foreign)}, which it may not", "see [target] edit"
                )
        return proposals

    def _merge_plan(self, pair: tuple[Standing, Standing]) -> Plan | None:
        """The second win of a wave was made on the old champion: carry it over to the new one and measure that."""
        winner, second = pair
        parent = self.board.standing(second.parent) if second.parent else None
        if parent is None:
            return None
        files = {name: self._merged(name, parent.commit, winner.commit, second.commit) for name in self.contract.edit}
        if None in files.values():
            self.judge.drop_carried(second, winner)
            return None
        changed = {
            name: text for name, text in files.items() if text and text != self.checkouts.read(winner.commit, name)
        }
        if not changed:
            self.judge.drop_carried(second, winner)
            return None
        text = f"{second.description}, on top of run {winner.number}"
        commit = self.checkouts.commit(winner.commit, changed, text)
        why = f"Run {second.number} beat the champion that run {winner.number} replaced; do both together win?"
        seed = 100 + self.board.last_number() + 1
        return Plan("candidate", commit, seed, text, winner.id, why, tests=second.id)

    def _merged(self, name: str, base: str, ours: str, theirs: str) -> str | None:
        """One file with both changes, or None where they touch the same: constants by name, the rest by line."""
        texts = [self.checkouts.read(commit, name) for commit in (base, ours, theirs)]
        if name.endswith(".py"):
            before, after = settings(texts[0]), settings(texts[2])
            moved = {knob: value for knob, value in after.items() if before.get(knob) != value}
            if before.keys() == after.keys() and set_knobs(texts[0], moved) == texts[2]:
                mine = settings(texts[1])
                clash = [knob for knob in moved if knob not in mine or mine[knob] not in (before[knob], moved[knob])]
                return None if clash else set_knobs(texts[1], moved)
        return merged_lines(*texts)

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
                        settings=self._settings_of(plan.commit),
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

    def _settings_of(self, commit: str) -> dict[str, Scalar]:
        """Knobs of the editable Python files at a commit; with several files their names go before the knob's."""
        if commit not in self._settings:
            several = len(self.contract.edit) > 1
            found: dict[str, Scalar] = {}
            for name in self.contract.edit:
                if name.endswith(".py"):
                    for knob, value in settings(self.checkouts.read(commit, name)).items():
                        found[f"{name}:{knob}" if several else knob] = value
            self._settings[commit] = found
        return self._settings[commit]

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
                metrics={name: mean} if mean is not None else {}, settings=self._settings_of(standing.commit),
                commit=standing.commit, hardware=hardware(), isolation=ISOLATION,
                error="" if values else "the final evaluator printed no number", meta={"values": list(values)},
            )  # fmt: skip
            refs = (Ref("from", self.definition), Ref("parent", standing.id), Ref("log", self.memory.blobs.put(log)))
            return [Draft(f"run:{self.campaign}/{number}", run, refs, key=f"final:{self.campaign}:{standing.commit}")]

        [entry] = self.memory.land(drafts, BY)
        number = entry.body.number if isinstance(entry.body, Run) else 0
        self.tell(Event("final", f"third split, run {standing.number}", number, mean, "ok" if values else "crash"))


def _message(proposal: Proposal) -> str:
    return f"{proposal.description}\n\n{proposal.hypothesis}".strip() or "candidate"
