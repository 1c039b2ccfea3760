"""The loop: propose, measure, judge, land, advance or not, in as many streams as there are places.

It knows no model, no user interface and no format of a report. What it did is in the ledger, so it can be killed; all
of its state is read from the views, and a second `run` after kill -9 goes on where the ledger ends.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from statistics import fmean

from ...ledger import FAILED, Draft, Entry, OutsideError, Ref, Run, Verdict, utc_now
from ...memory.effects.noise import gain_of
from ...memory.retraction import retract
from ...models import BudgetSpent
from ..evidence.board import REJECTED, Standing
from ..evidence.packets import land_packets
from ..execution.owner import is_alive, this_process
from ..execution.streams import Streams, claimed_by
from ..proposers import Proposal, Proposer
from ..wording import run_numbers
from .campaign import BY, Campaign, Event, Part, Plan
from .judge import Judge
from .planning import PROPOSAL_ROUNDS, Drive, Planner, refuse_prompts
from .runner import Runner
from .steering import Notifier, Notify, Patch, Steering

BASELINE_REPEATS = 4
#: From so many judged ideas on, that most of them lose by far is a reason to doubt the noise.
_FIRST_IDEAS = 4
#: So many ideas in a row that lose by over three sigma are reason to look whether the machine is what it was.
_STREAK = 4
_LOOK_SECONDS = 0.25
#: A crash within this time that names one of these is a slip of the pen: whoever wrote it may mend it, once.
_SLIP_SECONDS = 3.0
_SLIP = re.compile(r"\b(NameError|SyntaxError|IndentationError|ImportError|ModuleNotFoundError|AttributeError)\b")


@dataclass(frozen=True, slots=True)
class Limits:
    """When to stop by itself: candidates in this call, hours in this call; None is no limit. `usd` is told to the
    person, and kept by whoever pays."""

    runs: int | None = None
    hours: float | None = None
    usd: float | None = None


@dataclass(frozen=True, slots=True)
class Manner:
    """How the loop goes about it: who answers the proposer, who is asked before a patch runs, who is called."""

    drive: Drive = refuse_prompts
    #: The proposer asks a model or an agent: it may have an idea later, and can mend what it wrote.
    patient: bool = False
    approve: bool = False
    notify: Notify = field(default_factory=Notify)
    #: Ends whatever a proposer has at work outside.
    stop_proposer: Callable[[], None] = lambda: None


class Stopped(Exception):
    """The loop was told to stop: a stream lets go where it is, and the next call takes it up from the ledger."""


class Night(Part):
    """One campaign of a lab, run until a limit."""

    def __init__(
        self,
        campaign: Campaign,
        proposer: Proposer,
        streams: Streams,
        program: Callable[[], str] = lambda: "",
        after_each: Callable[[], None] = lambda: None,
        manner: Manner = Manner(),
    ) -> None:
        super().__init__(campaign)
        self.streams, self.after_each, self.manner = streams, after_each, manner
        self.steering = Steering(self.memory.folder)
        self.notifier = Notifier(manner.notify, lambda text: self.tell(Event("notice", text)))
        self.judge = Judge(self.board, self.memory, BY)
        self.planner = Planner(campaign, proposer, self.judge, program, manner.drive, manner.patient)
        self.runner = Runner(campaign, self.planner, streams, self._between_runs, after_each)
        self._limits, self._until = Limits(), float("inf")
        self._begun = self._done = self._busy = 0
        self._why, self._since = "", ""
        self._paused = self._halted = self._has_nothing_left = self._has_doubted = False
        self._streak = _STREAK

    # --- the loop

    def run(self, limits: Limits) -> int:
        """Runs until a limit and returns how many candidates were measured in this call."""
        self._limits, self._begun, self._done, self._why = limits, 0, 0, ""
        self._until = time.monotonic() + limits.hours * 3600 if limits.hours is not None else float("inf")
        self._since = utc_now().isoformat()
        self.steering.begin()
        try:
            self._together([self._prepare])
            self._together([self._stream] * self.streams.count)
            self._together([self.runner.score_final])
            self.after_each()
        finally:
            self.notifier.send("stop", campaign=self.campaign, why=self._why or "an error", candidates=self._done)
            self.notifier.close()
        return self._done

    def try_one(self, make: Callable[[Standing], Proposal], origin: str) -> Standing:
        """Measures and judges the one candidate that is made on the working head; returns its run, a `blocked` one
        where the novelty guard refused it."""
        found: list[Standing | None] = []

        def once() -> None:
            head = self.planner.head()
            plan = self.planner.plan_for(make(head), head, self.board.last_number(), origin)
            refused = self.board.numbered(self.board.last_number()) if plan is None else None
            entry = self._candidate(plan) if plan is not None else None
            found.append(self.board.standing(entry.id) if entry is not None else refused)

        self.steering.begin()
        self._together([self._prepare])
        self._together([once])
        self.after_each()
        if not found or found[0] is None:
            raise OutsideError(f"it was not measured: {self._why}", hint="memex try again")
        return found[0]

    def _together(self, tasks: Sequence[Callable[[], None]]) -> None:
        """Runs tasks side by side, each at the desk in turn, and meanwhile listens to the person."""
        if self._why:
            return
        with ThreadPoolExecutor(len(tasks)) as pool:
            jobs = [pool.submit(self._at_desk, task) for task in tasks]
            waiting = set(jobs)
            while waiting:
                try:
                    done, waiting = wait(waiting, _LOOK_SECONDS, FIRST_COMPLETED)
                    if any(job.exception() for job in done):
                        self._halt("an error")
                    elif self.steering.order == "stop-now":
                        self._halt("Stopped now, as told; what was measured is kept.")
                    self.steering.beat(
                        owner=this_process(), campaign=self.campaign, candidates=self._done, paused=self._paused,
                        since=self._since, limits=asdict(self._limits), proposer=self.planner.proposer.name,
                    )  # fmt: skip
                except KeyboardInterrupt:
                    self._halt("Stopped by hand; what was measured is kept.")
        for job in jobs:
            job.result()

    def _at_desk(self, task: Callable[[], None]) -> None:
        with self.desk:
            try:
                task()
            except Stopped:
                pass
            except BudgetSpent as spent:
                self._stop(f"The budget is spent: {spent}")

    def _stop(self, why: str) -> None:
        """Begins nothing more; what runs now runs to its end."""
        if not self._why:
            self._why = why
            if why != "an error":
                self.tell(Event("stop", why))

    def _halt(self, why: str) -> None:
        self._halted = True
        self._stop(why)
        self.streams.slots.stop()
        self.manner.stop_proposer()

    def _between_runs(self) -> None:
        """Where the loop may be stopped or held up; called at the desk."""
        while self.steering.order == "pause" and not self._why:
            if not self._paused:
                self._paused = True
                self.tell(Event("notice", "Paused; memex resume goes on."))
            self._wait()
        self._paused = False
        if self.steering.order == "stop":
            self._stop("Stopped as told, after the runs that were at work.")
        if self._why:
            raise Stopped

    def _wait(self) -> None:
        with self.desk.away():
            time.sleep(_LOOK_SECONDS)

    # --- one stream

    def _stream(self) -> None:
        beaten_to_it = 0
        while beaten_to_it < PROPOSAL_ROUNDS and not self._has_nothing_left:
            self._between_runs()
            if time.monotonic() >= self._until or (self._limits.runs is not None and self._begun >= self._limits.runs):
                return
            total = f" of {self._limits.runs}" if self._limits.runs is not None else ""
            self.tell(Event("proposed", f"ideas tried: {self._done}{total}", self._done))
            self._begun += 1
            self._busy += 1
            try:
                plan = self.planner.plan()
                wanted = self._approved(plan)
                measured = self._candidate(wanted) if wanted is not None else None
            finally:
                self._busy -= 1
            self._begun -= measured is None
            beaten_to_it = 0 if measured is not None else beaten_to_it + (wanted is not None)
            if plan is None and not self._others_may_bring_news() and not self._has_nothing_left:
                self._has_nothing_left = True
                self.tell(Event("stop", self.planner.nothing_left()))

    def _others_may_bring_news(self) -> bool:
        """Waits while other streams are at work; False where nothing has landed that could change anyone's mind."""
        landed = self._landed()
        while self._busy and self._landed() == landed:
            self._wait()
            self._between_runs()
        return self._landed() != landed

    def _landed(self) -> int:
        row = self.memory.db.execute("SELECT max(seq) FROM entries").fetchone()
        return row[0] or 0

    def _candidate(self, plan: Plan) -> Entry | None:
        """Measures and judges a candidate; None where another stream had begun the same."""
        entries = self._measured(plan)
        if not entries:
            return None
        self._done += 1
        entry = self._judged(entries[0])
        run = entry.body
        assert isinstance(run, Run)
        if self.manner.patient and run.status == "crash" and _SLIP.search(run.error) and self._was_quick(run):
            self.tell(Event("notice", f"Run {run.number} is a slip of the pen: {run.error} It is mended once."))
            mended = self._approved(self.planner.mended(plan, entry))
            again = self._measured(mended) if mended is not None else []
            entry = self._judged(again[0]) if again else entry
        land_packets(self.memory, self.campaign, BY)
        return entry

    def _measured(self, plan: Plan) -> list[Entry]:
        try:
            return self.runner.measure([plan])
        finally:
            self.steering.withdraw(plan.key)  # until it runs, a stream that has the same idea must not ask again

    @staticmethod
    def _was_quick(run: Run) -> bool:
        return run.seconds is not None and run.seconds <= _SLIP_SECONDS

    def _judged(self, entry: Entry) -> Entry:
        run, standing = entry.body, self.board.standing(entry.id)
        assert isinstance(run, Run)
        self.notifier.measured(run.status, campaign=self.campaign, run=run.number, error=run.error)
        if standing is not None and standing.status == "ok":
            self._judge_one(standing)
            self._doubt_the_noise()
            self._doubt_the_machine()
        return entry

    def _approved(self, plan: Plan | None) -> Plan | None:
        """Holds a patch until the person has said a word on it, where they want that; None where it was no."""
        if plan is None or not self.manner.approve:
            return plan
        diff = self.checkouts.diff(f"{plan.commit}^", plan.commit).decode("utf-8", errors="replace")
        patch = Patch(plan.key, plan.description, plan.hypothesis, diff)
        mine = self.steering.ask(patch)
        if mine:
            self.tell(Event("notice", f"Waiting for your word: memex approve {patch.id}   ({plan.description})"))
            self.notifier.send("approval", campaign=self.campaign, id=patch.id, description=plan.description)
        while (word := self.steering.word(patch) if mine else None) is None:
            try:
                self._between_runs()
            except Stopped:
                if mine:
                    self.steering.withdraw(plan.key)
                raise
            self._wait()  # without it, a stream that has the same idea would keep the desk from the one that asked
            if not mine and (
                not self.steering.is_held(plan.key)
                or claimed_by(self.memory, self.campaign, plan.key, plan.since) is not None
            ):
                return None
        if word.approved:
            return replace(plan, approved_by=word.by)
        self.planner.land_refused(plan, f"{REJECTED}{word.by}{f': {word.why}' if word.why else ''}")
        self.steering.withdraw(plan.key)
        return None

    # --- before the first idea

    def _prepare(self) -> None:
        self._recover()
        self._measure_baseline()
        for run in self.board.unjudged():
            self._judge_one(run)

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
            if not have:
                self.runner.measure_alone(base)
            seeds = range(len(have) + 1, BASELINE_REPEATS + 1)
            plans = [Plan("baseline", base, seed, "baseline") for seed in seeds]
            runs = [entry.body for entry in self.runner.measure(plans) if isinstance(entry.body, Run)]
            failed = [run for run in runs if run.status in FAILED and run.status != "lost"]
            if failed:
                seeds_told = ", ".join(str(run.seed) for run in failed)
                some = f" on {len(failed)} of {len(runs)} seeds ({seeds_told})" if len(failed) < len(runs) else ""
                raise OutsideError(
                    f"the baseline does not run{some}: {failed[0].error}",
                    hint=f'memex sql "select number, seed, status, error from runs"; by hand: {self.contract.run}',
                )

        values = self.board.fresh_values(base)
        if not missing or len(values) < 2:
            return
        told, seeded = list[str](), self.checkouts.reads_seed(base)
        if alike := len(set(values)) == 1:
            told.append(f"All {len(values)} baselines gave {values[0]:.6g}, to the last digit: no noise is known.")
        if not seeded:
            told.append("No program here reads MEMEX_SEED: all runs may use one seed, and a win be that seed's luck.")
            told.append('To know better: seed = int(os.environ.get("MEMEX_SEED", 0))')
        elif alike:
            told.append("A win is a win on this one seed.")
        if told:
            self.tell(Event("notice", " ".join(told)))

    def _doubt_the_noise(self) -> None:
        """Four values may scatter by luck far less than the metric does, and then every idea seems to lose: where most
        of the first ideas do, by three sigma, the baseline is measured as often again, once."""
        baseline, champion = self.board.baseline(), self.board.champion()
        if self._has_doubted or baseline is None or champion is None or champion.commit != baseline.commit:
            return
        ideas, lost = self.memory.db.execute(
            "SELECT count(*), sum(e.body ->> '$.numbers.z' < -3) FROM verdicts v JOIN entries e USING (seq)"
            " JOIN runs r ON r.run = v.run WHERE r.campaign = ? AND r.role = 'candidate'",
            (self.campaign,),
        ).fetchone()
        if ideas < _FIRST_IDEAS or 2 * (lost or 0) < ideas:
            return
        self._has_doubted = True
        have = len(self.board.fresh_values(baseline.commit))
        if have >= 2 * BASELINE_REPEATS:
            return
        told = f"{lost} of the first {ideas} ideas lost by over 3 sigma: poor ideas, or more noise than it looked."
        self.tell(Event("notice", f"{told} The baseline is measured {BASELINE_REPEATS} times more."))
        seeds = range(have + 1, have + BASELINE_REPEATS + 1)
        self.runner.measure([Plan("baseline", baseline.commit, seed, "baseline") for seed in seeds])

    def _doubt_the_machine(self) -> None:
        """A machine that became slower makes every idea lose: after a streak of great losses the champion is measured
        again. Where it gives what it gave, the next streak must be twice as long; where not, the streak is retracted,
        and ideas are compared with what the champion gives from now on."""
        champion = self.board.champion()
        lost = self.board.great_losses(champion) if champion is not None else []
        if champion is None or len(lost) < self._streak:
            return
        told = f"{len(lost)} ideas in a row lost by over 3 sigma: poor ideas, or another machine than before."
        self.tell(Event("notice", f"{told} The champion is measured again."))
        before, number = self.board.latest_drift(), self.board.last_number() + 1
        text = f"control: run {champion.number} again"
        seeds = range(20_000 + number, 20_000 + number + max(2, self.runner.streams.count))  # under the usual load
        self.runner.measure([Plan("control", champion.commit, seed, text, champion.id) for seed in seeds])
        drift = self.board.latest_drift()
        control, earlier = self.board.numbered(drift), self.board.fresh_values(champion.commit, drift, since=before)
        if drift == before or control is None or control.value is None or not earlier:
            self._streak *= 2
            return
        if gain_of(control.value, fmean(earlier), self.board.better) > 0:  # a faster machine: they lost all the more
            return
        why = f"the machine had changed: run {drift} of the same champion is far from what it gave before"
        for number in lost:
            retract(self.memory, self.campaign, number, why, BY)
        told = f"It is the machine: run {drift} gives something else than the champion did."
        self.tell(Event("notice", f"{told} {run_numbers(sorted(lost))} say nothing and are retracted."))

    # --- judging

    def _judge_one(self, candidate: Standing) -> None:
        """Screens one measured candidate and races it against the champion as long as the race asks for pairs."""
        while True:
            self._let_go_if_stopped()
            champion = self.board.champion()
            if champion is None:
                raise OutsideError("there is no champion to compare with", hint="memex run")
            look = self.judge.next_pair(candidate, champion)
            if look is None:
                break
            seed = 10_000 + candidate.number * 10 + look
            text = f"fresh pair {look} for run {candidate.number}"
            self.runner.measure(
                [
                    Plan("pair", candidate.commit, seed, f"{text}: candidate", candidate.id, tests=candidate.id),
                    Plan("pair", champion.commit, seed, f"{text}: champion", champion.id, tests=candidate.id),
                ],
                still_wanted=partial(self._is_champion, champion),
            )
        verdict = self.judge.land(candidate, champion)
        self._moved_by(verdict, candidate)

    def _moved_by(self, verdict: Verdict, candidate: Standing) -> None:
        """The branch is where the head is; whoever listens is told."""
        head = self.board.head()
        if head is not None and (head.commit == candidate.commit or candidate.status == "keep"):
            self.checkouts.advance(self.campaign, head.commit)
        self.tell(Event("verdict", verdict.reason, candidate.number, candidate.value, verdict.decision))
        if verdict.decision == "confirmed":
            told = {"run": candidate.number, "description": candidate.description, "reason": verdict.reason}
            self.notifier.send("champion", campaign=self.campaign, value=candidate.value, **told)
        self.after_each()

    def _is_champion(self, run: Standing) -> bool:
        return self.board.champion() == run

    def _let_go_if_stopped(self) -> None:
        """A pair that was ended by force is no evidence: what was measured waits for the next call."""
        if self._halted:
            raise Stopped

    def retest(self, candidate: Standing, other: Standing, pairs: int) -> Verdict | None:
        """Measures two runs again, side by side on fresh seeds, and judges the first by all fresh pairs of both."""
        found: list[Verdict | None] = []

        def all_pairs() -> None:
            for k in range(1, pairs + 1):
                seed = 20_000 + self.board.last_number()
                text = f"fresh pair {k} of {pairs}: run {candidate.number} against run {other.number}"
                self.runner.measure(
                    [
                        Plan("pair", one.commit, seed, f"{text}, run {one.number}", one.id, tests=candidate.id)
                        for one in (candidate, other)
                    ]
                )
            self._let_go_if_stopped()
            verdict = self.judge.settle(candidate, other)
            found.append(verdict)
            if verdict is not None:
                self._moved_by(verdict, candidate)
            land_packets(self.memory, self.campaign, BY)

        self.steering.begin()
        self._together([all_pairs])
        self._together([self.runner.score_final])
        return found[0] if found else None
