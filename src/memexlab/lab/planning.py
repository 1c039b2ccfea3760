"""What the loop measures next: merges of wins, then what the proposer says and the novelty guard lets pass.

Where nothing new is left, near misses and losses whose settings have changed since are tried again on today's head. It
measures nothing and judges nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from ..ledger import Draft, OutsideError, Ref, Run, RunRole, Scalar, UsageError
from ..memory import Memory
from ..memory.changes import changes_between
from ..memory.history import history_from
from ..memory.knobs import set_knobs, settings
from ..memory.novelty import check
from .board import Board, Standing
from .briefing import briefing
from .campaign import Contract, hardware
from .checkouts import Checkouts, merged_lines
from .judge import Judge
from .packets import ranked
from .proposers import Brief, Proposal, Proposer

BY = "code:memexlab/0.1"
#: How often a proposer whose ideas the guard refused is asked again for one wave.
PROPOSAL_ROUNDS = 4
BRIEFING_TOKENS = 1500

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
class Plan:
    """One execution to measure."""

    role: RunRole
    commit: str
    seed: int
    description: str
    parent: str = ""
    hypothesis: str = ""
    tests: str = ""


class Planner:
    """The ideas of one campaign; `guarded` says whether the novelty guard is asked and second tries are made."""

    def __init__(
        self,
        memory: Memory,
        checkouts: Checkouts,
        contract: Contract,
        campaign: str,
        definition: str,
        proposer: Proposer,
        board: Board,
        judge: Judge,
        tell: Callable[[Event], None],
        program: Callable[[], str],
    ) -> None:
        self.memory, self.checkouts, self.contract = memory, checkouts, contract
        self.campaign, self.definition, self.proposer = campaign, definition, proposer
        self.board, self.judge, self.tell, self.program = board, judge, tell, program
        self.guarded = True
        self._settings: dict[str, dict[str, Scalar]] = {}

    def plans(self, want: int) -> list[Plan]:
        """Ideas for the next wave, each a commit on the working head; a merge of two wins goes first."""
        merges = (self._merge_plan(pair) for pair in self.judge.take_merges())
        plans = [plan for plan in merges if plan is not None][:want]
        head = self.board.head()
        if head is None:
            raise OutsideError("no baseline was measured, so there is nothing to improve", hint="memex run")
        for _ in range(PROPOSAL_ROUNDS):
            if len(plans) >= want:
                break
            known = [self.settings_of(plan.commit) for plan in plans]
            refused = False
            for proposal in self._ask(self._brief(head, want)):
                commit = self.checkouts.commit(head.commit, proposal.files, _message(proposal))
                if len(plans) >= want or self.settings_of(commit) in known:
                    continue
                seed = 100 + self.board.last_number() + len(plans) + 1
                plan = Plan("candidate", commit, seed, proposal.description, head.id, proposal.hypothesis)
                reason = self._refusal(plan, head)
                if reason:
                    self._land_refused(plan, reason)
                    refused = True
                else:
                    plans.append(plan)
            if not refused:
                break
        return plans or self._second_tries(head, want)

    def _brief(self, head: Standing, want: int) -> Brief:
        return Brief(
            campaign=self.campaign,
            files={name: self.checkouts.read(head.commit, name) for name in self.contract.edit},
            better=self.contract.metric.better,
            sigma=self.board.noise().sigma,
            tried=self.board.tried(),
            ranges=self.contract.ranges,
            want=want,
            seed=self.board.last_number() + 1,
            program=self.program(),
            briefing=lambda: briefing(self.memory.db, self.campaign, BRIEFING_TOKENS).text,
        )

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

    def nothing_left(self) -> str:
        """Why there is no plan, in a sentence."""
        if self.board.tried():
            return "The proposer has nothing left to try."
        files = ", ".join(self.contract.edit)
        return f"The proposer {self.proposer.name} found nothing to change in {files}: it turns constants named there."

    # --- the guard

    def _refusal(self, plan: Plan, head: Standing) -> str:
        """Why the novelty guard blocks a plan, or ''."""
        if not self.guarded:
            return ""
        before = self.settings_of(head.commit)
        changes = changes_between(before, self.settings_of(plan.commit))
        history = history_from(self.memory.db, self.campaign)
        guard = check(changes, plan.description, history, before, "exploit")
        return guard.reason if guard.decision == "block" else ""

    def _land_refused(self, plan: Plan, reason: str) -> None:
        """What was refused is a run that never started: the next proposal, and the reader, know of it."""

        def drafts() -> list[Draft]:
            number = self.board.last_number() + 1
            run = Run(
                campaign=self.campaign, status="blocked", number=number, description=plan.description,
                hypothesis=plan.hypothesis, settings=self.settings_of(plan.commit), commit=plan.commit,
                hardware=hardware(), error=reason,
            )  # fmt: skip
            return [
                Draft(f"run:{self.campaign}/{number}", run, (Ref("from", self.definition), Ref("parent", plan.parent)))
            ]

        [entry] = self.memory.land(drafts, BY)
        assert isinstance(entry.body, Run)
        self.checkouts.keep(self.campaign, entry.body.number, plan.commit)
        self.tell(Event("measured", reason, entry.body.number, None, "blocked"))

    # --- earlier runs on today's head

    def _second_tries(self, head: Standing, want: int) -> list[Plan]:
        """Near misses, and losses whose settings have changed since, as the packets rank them."""
        plans: list[Plan] = []
        for packet in ranked(self.memory.db, self.campaign) if self.guarded else ():
            run = self.board.numbered(packet.number)
            if run is None or packet.action not in ("retest", "retry") or len(plans) >= want:
                continue
            plan = self._on_top_of(head, run)
            if plan is not None and not self.board.was_tried(self.settings_of(plan.commit), plan.commit):
                plans.append(plan)
        return plans

    def _merge_plan(self, pair: tuple[Standing, Standing]) -> Plan | None:
        """The second win of a wave was made on the old champion: carry it over to the new one and measure that."""
        winner, second = pair
        plan = self._on_top_of(winner, second)
        if plan is None:
            self.judge.drop_carried(second, winner)
            return None
        why = f"Run {second.number} beat the champion that run {winner.number} replaced; do both together win?"
        return replace(plan, hypothesis=why)

    def _on_top_of(self, head: Standing, run: Standing) -> Plan | None:
        """The edit of an earlier run made again on another head; None where both touch the same, or nothing is left."""
        parent = self.board.standing(run.parent) if run.parent else None
        if parent is None:
            return None
        files = {name: self._merged(name, parent.commit, head.commit, run.commit) for name in self.contract.edit}
        if None in files.values():
            return None
        changed = {
            name: text for name, text in files.items() if text and text != self.checkouts.read(head.commit, name)
        }
        if not changed:
            return None
        text = f"{run.description}, on top of run {head.number}"
        commit = self.checkouts.commit(head.commit, changed, text)
        why = f"Run {run.number} was measured under settings that have changed since."
        return Plan("candidate", commit, 100 + self.board.last_number() + 1, text, head.id, why, tests=run.id)

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

    def settings_of(self, commit: str) -> dict[str, Scalar]:
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


def _message(proposal: Proposal) -> str:
    return f"{proposal.description}\n\n{proposal.hypothesis}".strip() or "candidate"
