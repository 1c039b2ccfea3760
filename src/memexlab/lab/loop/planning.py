"""What the loop measures next: merges of wins, then what the proposer says and the novelty guard lets pass.

Where nothing new is left, near misses and losses whose settings have changed since are tried again on today's head. It
measures nothing and judges nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256

from ...ledger import Draft, Entry, OutsideError, Ref, Run, Scalar, UsageError
from ...memory.changes.edits import changes_between, changes_in_source, code_change
from ...memory.changes.knobs import set_knobs, settings
from ...memory.novelty.guard import check
from ...memory.novelty.history import History
from ..evidence.board import Standing
from ..evidence.briefing import briefing
from ..evidence.packets import ranked
from ..execution.campaign import hardware
from ..execution.checkouts import merged_lines
from ..execution.streams import change_key
from ..proposers import Brief, Prompt, Proposal, Proposer, Tried
from ..proposers.edits import unparsable
from .campaign import BY, Campaign, Event, Part, Plan
from .judge import Judge

#: How often a proposer whose idea the guard refused, or who had none, is asked again before it counts as having none.
PROPOSAL_ROUNDS = 4
BRIEFING_TOKENS = 1500

#: Answers what a proposer asks while it makes its proposals.
Drive = Callable[[Generator[Prompt, str, list[Proposal]]], list[Proposal]]


def refuse_prompts(generator: Generator[Prompt, str, list[Proposal]]) -> list[Proposal]:
    """Drives a proposer that needs no model; raises UsageError where it asks for one."""
    try:
        next(generator)
    except StopIteration as stop:
        proposals: list[Proposal] = stop.value
        return proposals
    raise UsageError("the proposer asks for a model, and none is set", "memex run --proposer knobs")


class Planner(Part):
    """The ideas of one campaign; `guarded` says whether the novelty guard is asked and second tries are made.

    `drive` answers what the proposer asks; `patient` says that no answer now does not mean that there will be none.
    """

    def __init__(
        self,
        campaign: Campaign,
        proposer: Proposer,
        judge: Judge,
        program: Callable[[], str],
        drive: Drive = refuse_prompts,
        patient: bool = False,
    ) -> None:
        super().__init__(campaign)
        self.proposer, self.judge, self.program, self.drive, self.patient = proposer, judge, program, drive, patient
        self.guarded = True
        self._noted = 0
        self._settings: dict[str, dict[str, Scalar]] = {}

    def plan(self) -> Plan | None:
        """The next idea, a commit on the working head; a merge of two wins goes first."""
        for pair in self.judge.take_merges():
            merged = self._merge_plan(pair)
            if merged is not None:
                return merged
        for _ in range(PROPOSAL_ROUNDS):
            head = self.head()
            brief = self._brief(head)
            since = self.board.last_number()
            proposals = self._ask(brief)
            for proposal in proposals:
                plan = self.plan_for(proposal, head, since)
                if plan is not None:
                    return plan
            if not proposals and not self.patient:
                break
        return self._second_try(self.head())

    def plan_for(self, proposal: Proposal, head: Standing, since: int, origin: str = "") -> Plan | None:
        """A proposal as a commit on a head; None, and a `blocked` run that says why, where the guard refuses it."""
        commit = self.checkouts.commit(head.commit, proposal.files, _message(proposal))
        plan = Plan(
            "candidate", commit, self._seed(), proposal.description, head.id, proposal.hypothesis,
            origin=origin or proposal.origin or self.proposer.name, since=since,
        )  # fmt: skip
        plan = self._named(plan, head)
        wrong = self._unfit(plan, head)
        reason = wrong or self._refusal(plan, head)
        if not reason:
            return plan
        refused = self.land_refused(plan, reason)
        return self.mended(plan, refused) if wrong and self.patient else None

    def mended(self, plan: Plan, broken_run: Entry) -> Plan | None:
        """A second go at a candidate that crashed at once, or is no Python, by whoever proposed it, once; the novelty
        guard is not asked again."""
        head = self.board.standing(plan.parent)
        run = broken_run.body
        if head is None or not isinstance(run, Run):
            return None
        broken = {name: self.checkouts.read(plan.commit, name) for name in self.contract.edit}
        what = "was not run" if run.status == "blocked" else "crashed at once"
        said = (
            f"The candidate in these files, {plan.description}, {what}: {run.error}\n"
            "Mend that error and change nothing else.\n\n"
        )
        brief = self._brief(head)
        for proposal in self._ask(replace(brief, files=broken, program=said + brief.program)):
            commit = self.checkouts.commit(head.commit, {**broken, **proposal.files}, _message(proposal))
            title = plan.description.removesuffix("" if self.code_of(head.commit, commit) else ", and code")
            mended = replace(plan, commit=commit, description=f"{title}, mended", tests=broken_run.id)
            wrong = self._unfit(mended, head)
            if wrong:
                self.land_refused(mended, wrong)
            return None if wrong else self._named(mended, head)
        return None

    def head(self) -> Standing:
        head = self.board.head()
        if head is None:
            raise OutsideError("no baseline was measured, so there is nothing to improve", hint="memex run")
        return head

    def _seed(self) -> int:
        return 100 + self.board.last_number() + 1

    def _named(self, plan: Plan, head: Standing) -> Plan:
        return replace(plan, key=change_key(self.checkouts.diff(head.commit, plan.commit)))

    def _brief(self, head: Standing) -> Brief:
        here = self.settings_of(head.commit)  # what a person said no to, as it would be there
        noes = self.board.rejected()
        turned_down = [Tried({**here, **moved}, {}, None, None, "blocked", n) for n, _, _, moved in noes if moved]
        return Brief(
            campaign=self.campaign,
            files={name: self.checkouts.read(head.commit, name) for name in self.contract.edit},
            better=self.contract.metric.better,
            sigma=self.board.noise().sigma,
            tried=(*self.board.tried(), *turned_down),
            ranges=self.contract.ranges,
            want=1,
            seed=self.board.last_number() + 1,
            program=self.program(),
            briefing=self._briefing,
        )

    def _briefing(self) -> str:
        with self.desk:
            return briefing(self.memory.db, self.campaign, BRIEFING_TOKENS).text

    def _ask(self, brief: Brief) -> list[Proposal]:
        proposals = self.drive(self.proposer.propose(brief))
        notes: list[str] = getattr(self.proposer, "notes", [])
        for note in notes[self._noted :]:
            self.tell(Event("notice", f"{self.proposer.name}: {note}"))
        self._noted = len(notes)
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

    def _unfit(self, plan: Plan, head: Standing) -> str:
        """Why a plan cannot be measured, or ''; a file that is no Python at the head, either, is for its run to say."""
        texts = [[self.checkouts.read(at.commit, name) for name in self.contract.edit] for at in (head, plan)]
        for name, before, after in zip(self.contract.edit, *texts, strict=True):
            wrong = unparsable(name, after)
            if wrong and not unparsable(name, before):
                return wrong
        reads = [any("MEMEX_SEED" in text for text in side) for side in texts]
        if reads == [True, False]:
            files = " or ".join(self.contract.edit)
            return f"nothing in {files} reads MEMEX_SEED any more: a run takes its seed from there, and no other"
        return ""

    def _refusal(self, plan: Plan, head: Standing) -> str:
        """Why the novelty guard blocks a plan, or ''."""
        if not self.guarded:
            return ""
        before, after = self.settings_of(head.commit), self.settings_of(plan.commit)
        moved = {(knob, value) for knob, value in after.items() if before.get(knob) != value}
        for number, said, key, refused in self.board.rejected():
            if key == plan.key or (refused and refused.items() <= moved):
                return f"run {number} was {said}; memex retract {number} --why REASON takes that back"
        if same := self._measured_before(plan, head, after):
            return same
        changes = changes_between(before, after)
        if code := self.code_of(head.commit, plan.commit):
            changes = (*changes, code_change(plan.description, code))
        history = History(self.memory.db, self.campaign)
        guard = check(changes, plan.description, history, before, "exploit")
        if guard.klass == "other_campaign":
            self.tell(Event("notice", guard.reason))
        return guard.reason if guard.decision == "block" else ""

    def _measured_before(self, plan: Plan, head: Standing, after: Mapping[str, Scalar]) -> str:
        """Which run has the very code of a plan, and how that is measured again, or ''.

        The bytes of the editable files are compared, and where they differ what is no comment: the settings, and the
        code besides them as a change of the same head. One crash may be the machine's; two are the code's.
        """
        rows = self.memory.db.execute(
            "SELECT r.number, r.commit_id, coalesce(nullif(r.verdict, ''), r.status), r.value, p.commit_id,"
            " coalesce(json_extract(e.body, '$.meta.code'), ''), json_extract(e.body, '$.settings') FROM runs r"
            " JOIN entries e ON e.seq = r.run LEFT JOIN runs p ON p.run = r.parent WHERE r.campaign = ? AND r.role IN"
            " ('candidate', 'baseline') AND r.commit_id <> '' AND r.verdict <> 'retract' AND (r.value IS NOT NULL AND"
            " r.status NOT IN ('started', 'invalid', 'lost') OR r.status IN ('crash', 'timeout', 'inconclusive'))"
            " ORDER BY r.value IS NOT NULL, r.role DESC, r.number",
            (self.campaign,),
        ).fetchall()
        code = self.code_of(head.commit, plan.commit)
        mine, *contents = self.checkouts.contents([plan.commit, *(row[1] for row in rows)], self.contract.edit)
        found = []
        for (number, commit, came_to, value, parent, theirs, known), content in zip(rows, contents, strict=True):
            alike = (parent, theirs) == (head.commit, code) or (commit, "") == (head.commit, code)
            if content == mine or (alike and json.loads(known or "{}") == after):
                how = "to the byte" if content == mine else "but for comments and layout"
                found.append((number, commit, value, f"Run {number} ({came_to}) ran the same code {how}"))
        if not found or (found[-1][2] is None and len(found) < 2):
            return ""
        number, commit, _, told = found[-1]
        rival = next((r for r in (self.board.champion(), self.board.baseline()) if r and r.commit != commit), None)
        again = f"memex race {number} {rival.number} --pairs 4" if rival else "memex race --pairs 4"
        return f"{told}: another run of it is no new idea. To measure it again: {again}"

    def land_refused(self, plan: Plan, reason: str) -> Entry:
        """What was refused is a run that never started: the next proposal, and the reader, know of it."""

        head = self.board.standing(plan.parent)
        code = self.code_of(head.commit, plan.commit) if head is not None else ""
        known = {"origin": plan.origin, "change": plan.key, "code": code}

        def drafts() -> list[Draft]:
            number = self.board.last_number() + 1
            run = Run(
                campaign=self.campaign, status="blocked", number=number, description=plan.description,
                hypothesis=plan.hypothesis, settings=self.settings_of(plan.commit), commit=plan.commit,
                hardware=hardware(), error=reason, meta={name: text for name, text in known.items() if text},
            )  # fmt: skip
            refs = [Ref("from", self.definition), Ref("parent", plan.parent)]
            refs += [Ref("tests", plan.tests)] if plan.tests else []  # a win that may not be carried over is done with
            return [Draft(f"run:{self.campaign}/{number}", run, tuple(refs))]

        [entry] = self.memory.land(drafts, BY)
        assert isinstance(entry.body, Run)
        self.checkouts.keep(self.campaign, entry.body.number, plan.commit)
        self.tell(Event("measured", reason, entry.body.number, None, "blocked"))
        return entry

    # --- earlier runs on today's head

    def _second_try(self, head: Standing) -> Plan | None:
        """A near miss, or a loss whose settings have changed since, as the packets rank them."""
        for packet in ranked(self.memory.db, self.campaign) if self.guarded else ():
            run = self.board.numbered(packet.number)
            if run is None or packet.action not in ("retest", "retry"):
                continue
            plan = self._on_top_of(head, run)
            if plan is not None and not self.board.was_tried(self.settings_of(plan.commit), plan.commit):
                return plan
        return None

    def _merge_plan(self, pair: tuple[Standing, Standing]) -> Plan | None:
        """The second of two wins was made on the old champion: carry it over to the new one and measure that."""
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
        files = {name: self.merged(name, parent.commit, head.commit, run.commit) for name in self.contract.edit}
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
        plan = Plan("candidate", commit, self._seed(), text, head.id, why, run.id, since=self.board.last_number())
        return self._named(plan, head)

    def merged(self, name: str, base: str, ours: str, theirs: str) -> str | None:
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

    def code_of(self, before: str, after: str) -> str:
        """A short hash of what differs between two commits besides knobs; '' where nothing else does."""
        found: list[tuple[str, ...]] = []
        for name in self.contract.edit if before != after else ():
            old, new = self.checkouts.read(before, name), self.checkouts.read(after, name)
            if old == new:
                continue
            try:
                edits = changes_in_source(old, new) if name.endswith(".py") else None
            except UsageError:
                edits = None  # it does not parse: all of it is code
            if edits is None:
                found.append((name, new))
            else:
                found += [(name, c.component, str(c.old), str(c.new)) for c in edits if not c.knob]
        return sha256(repr(found).encode()).hexdigest()[:6] if found else ""

    def settings_of(self, commit: str) -> dict[str, Scalar]:
        """Knobs of the editable Python files at a commit; with several files their names go before the knob's."""
        if commit not in self._settings:
            several = len(self.contract.edit) > 1
            found: dict[str, Scalar] = {}
            for name in self.contract.edit:
                if name.endswith(".py"):
                    with suppress(UsageError):  # a candidate that does not parse is for its run to report
                        for knob, value in settings(self.checkouts.read(commit, name)).items():
                            found[f"{name}:{knob}" if several else knob] = value
            self._settings[commit] = found
        return self._settings[commit]


def _message(proposal: Proposal) -> str:
    return f"{proposal.description}\n\n{proposal.hypothesis}".strip() or "candidate"
