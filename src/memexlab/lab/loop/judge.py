"""Judges candidates by the rules of `verdict`, and records why. It measures nothing itself."""

from __future__ import annotations

import math
from dataclasses import replace

from ...ledger import Draft, OutsideError, Ref, Scalar, UsageError, Verdict
from ...memory import Memory
from ...memory.effects.noise import minimum_detectable_effect
from ..evidence.board import Board, Standing
from ..verdict import LOOKS, Race, Screen, in_words, provisional, race, screen, suspicious
from ..wording import clean, plural, run_numbers

#: Pairs that may fail (a crash, a timeout) before a race is given up.
SPARE_LOOKS = 2
#: Fewer fresh values that were measured as the candidate was say less than all of them.
_LEAST_ALIKE = 2


class Judge:
    """The harness's own judgement: screen against what a candidate was made from, then race the champion of the day.

    A near miss (z of 0.5 to 1) buys no pair: simulated, such a lane gains nothing early and loses late
    (bench/verdict_simulation.py). An inconclusive race that gained on average moves the working branch, no more.
    """

    def __init__(self, board: Board, memory: Memory, by: str) -> None:
        self.board, self.memory, self.by = board, memory, by

    def next_pair(self, candidate: Standing, champion: Standing) -> int | None:
        """The look to run next, counted from 1, or None where no further pair is asked for."""
        if candidate.value is None or self._was_overtaken(candidate, champion):
            return None
        looks = self.board.looks(candidate)
        if not looks and self._screen(candidate, champion)[0].outcome != "race":
            return None
        state = self._race(candidate, champion)
        if state is not None and (state.decision != "continue" or looks >= state.n + SPARE_LOOKS):
            return None
        return None if state is None and looks >= SPARE_LOOKS else looks + 1

    def drop_carried(self, run: Standing, champion: Standing) -> None:
        """Records that a win over an earlier champion cannot be carried over to this one."""
        reason = f"it beat a champion that is gone, and its change and that of {self._named(champion)} touch the same"
        self._land(run, champion, Verdict("inconclusive", reason, {"carry": 0}))

    def land(self, candidate: Standing, champion: Standing) -> Verdict:
        """Records the verdict that the measurements so far allow."""
        verdict, reference = self._verdict(candidate, champion)
        self._land(candidate, reference, verdict)
        return verdict

    def sides(self, first: Standing, second: Standing) -> tuple[Standing, Standing]:
        """Which of two runs a race between them judges, and against which: what was made from the other or beat it,
        else the challenger of the champion. Raises UsageError where neither can be judged by the other."""
        champion = self.board.champion()
        both = [(first, second), (second, first)]
        order = [pair for pair in both if self._stands_on(*pair)]
        order += [pair for pair in both if champion is not None and pair[1].commit == champion.commit]
        order += [pair for pair in both if pair[0].verdict != "confirmed"]
        for candidate, other in order:
            if candidate.role == "candidate" and candidate.value is not None:
                return candidate, other
        told = f"neither of runs {first.number} and {second.number} can be judged by the other"
        raise UsageError(told, f"memex race {first.number} {champion.number if champion else ''}".strip())

    def _stands_on(self, candidate: Standing, other: Standing) -> bool:
        [beat] = self.memory.db.execute(
            "SELECT EXISTS (SELECT 1 FROM verdicts v JOIN runs r ON r.run = v.run JOIN runs c ON c.run = v.champion"
            " WHERE r.id = ? AND v.decision = 'confirmed' AND c.commit_id = ?)",
            (candidate.id, other.commit),
        ).fetchone()
        return bool(beat) or self.board.rests_on(candidate, other)

    def settle(self, candidate: Standing, other: Standing) -> Verdict | None:
        """Records what all fresh pairs of two runs say of the first; None while they are too few to say anything.

        Only against the champion is a win confirmed; a win that was confirmed stays one only if it is seen again.
        """
        state, champion = self._race(candidate, other), self.board.champion()
        was_win = candidate.verdict == "confirmed"
        if state is None or state.decision == "continue":
            return None
        if was_win and state.decision != "confirmed" and state.n < LOOKS:
            return None
        noise, decision = self.board.noise(), str(state.decision)
        reason = in_words(state, noise, self._named(other)) + self._failures_in_words(candidate, other)
        pairs, better = self.board.pairs(candidate, other), self.board.better
        if champion is not None and champion.commit not in (candidate.commit, other.commit):
            if decision == "confirmed" and not was_win:
                decision = "inconclusive"
                reason = f"{reason.partition(': ')[2]}; only a race against {self._named(champion)}, makes it a win"
        elif (
            decision == "inconclusive"
            and self.board.rests_on(candidate, other)
            and provisional(self._screen(candidate, other)[0], pairs, noise, better)
        ):
            decision, reason = "provisional", _provisionally(reason)
        numbers: dict[str, Scalar] = {"sigma": noise.sigma, "dof": noise.dof, **state.numbers()}
        if decision == "confirmed" and (since := self.board.takes_over(candidate, other)) is not None:
            numbers["since"] = since
        verdict = Verdict(decision, reason, numbers)
        self._land(candidate, other, verdict)
        return verdict

    def _land(self, candidate: Standing, reference: Standing, verdict: Verdict) -> None:
        refs = [Ref("tests", candidate.id), Ref("parent", reference.id)]
        rows = self.memory.db.execute(
            "SELECT e.id FROM refs f JOIN runs r ON r.run = f.seq JOIN entries e ON e.seq = f.seq"
            " WHERE f.target = ? AND f.role = 'tests' AND r.role = 'pair' AND r.commit_id IN (?, ?) ORDER BY r.number",
            (candidate.id, candidate.commit, reference.commit),
        )
        refs += [Ref("from", row[0]) for row in rows]
        earlier = self.memory.db.execute(
            "SELECT e.id FROM verdicts v JOIN entries e USING (seq) JOIN runs r ON r.run = v.run WHERE r.id = ?",
            (candidate.id,),
        )
        refs += [Ref("supersedes", row[0]) for row in earlier]
        subject = f"run:{self.board.campaign}/{candidate.number}"
        self.memory.land([Draft(subject, verdict, tuple(refs))], self.by)

    def take_merges(self) -> list[tuple[Standing, Standing]]:
        """(champion, win to carry over to it) for wins that another win of the same wave overtook."""
        champion = self.board.champion()
        return [(champion, run) for run in self.board.carried() if champion is not None]

    # --- rules

    def _goes_further(self, candidate: Standing, gain: float) -> bool:
        """Whether the head loses nothing by moving here: the candidate was made from it, or gained more."""
        head = self.board.head()
        if head is None or head.verdict != "provisional" or self.board.rests_on(candidate, head):
            return True
        row = self.memory.db.execute(
            "SELECT json_extract(v.numbers, '$.gain') FROM verdicts v JOIN runs r USING (run)"
            " WHERE r.id = ? AND v.decision = 'provisional' ORDER BY v.seq DESC LIMIT 1",
            (head.id,),
        ).fetchone()
        return row is None or row[0] is None or gain > row[0]

    def _was_overtaken(self, candidate: Standing, champion: Standing) -> bool:
        """Another candidate became champion since this one was proposed: its change is not in this one."""
        return champion.id != candidate.id and not self.board.rests_on(candidate, champion)

    def _screen(self, candidate: Standing, champion: Standing) -> tuple[Screen, Standing, str]:
        """The screen against what the candidate was made from, as it stood before the candidate's own pairs, and what
        to know of it. Like is compared with like: a run alone on the machine gets further than one beside another."""
        assert candidate.value is not None
        before, alone = self.board.first_pair(candidate), self.board.was_alone(candidate.id)
        parent = self.board.standing(candidate.parent) if candidate.parent else None
        drift = self.board.latest_drift(before)
        spells = sorted({drift, 0}, reverse=True)
        for reference, since in [(run, since) for since in spells for run in (parent, champion)]:
            values = self.board.fresh_values(reference.commit, before, since=since) if reference is not None else []
            if reference is not None and values:
                alike = values if alone is None else self.board.fresh_values(reference.commit, before, alone, since)
                enough = len(alike) >= min(_LEAST_ALIKE, len(values))
                judged = screen(
                    candidate.value, alike if enough else values, self.board.noise(before), self.board.better
                )
                plain = enough or (alone and judged.gain <= 0)  # it lost although it may look better than it is
                return judged, reference, "" if plain else _UNLIKE[bool(alone)]
        raise OutsideError(f"run {candidate.number} has nothing to be compared with", hint="memex run")

    def _race(self, candidate: Standing, other: Standing) -> Race | None:
        """The race of two runs; one that ran out of time as often as it was measured has won nothing yet."""
        pairs = self.board.pairs(candidate, other)
        state = race(pairs, self.board.noise(), self.board.better) if pairs else None
        if state is None or state.decision != "confirmed" or len(self.board.late(candidate, other)) < state.n:
            return state
        return replace(state, decision="continue" if state.n < LOOKS else "inconclusive")

    def _failures_in_words(self, candidate: Standing, other: Standing) -> str:
        late, broken = self.board.late(candidate, other), self.board.broken(candidate)
        told = f"; on {plural(len(late), 'other seed')} it ran out of time ({run_numbers(late)})" if late else ""
        return told + "".join(f"; run {number}: {clean(error, 240)}" for number, error in broken[:1])

    def _named(self, run: Standing) -> str:
        """A run as what it is today."""
        champion, head = self.board.champion(), self.board.head()
        if champion is not None and run.commit == champion.commit:
            return f"the champion, run {champion.number}"
        if head is not None and run.commit == head.commit:
            return f"run {head.number}, the head"
        return f"run {run.number}, the baseline" if run.role == "baseline" else f"run {run.number}"

    def _verdict(self, candidate: Standing, champion: Standing) -> tuple[Verdict, Standing]:
        """The verdict, and the run that it compares with."""
        noise = self.board.noise()
        looked, parent, unlike = self._screen(candidate, champion)
        numbers: dict[str, Scalar] = {"sigma": noise.sigma, "dof": noise.dof, "screen_gain": looked.gain}
        if math.isfinite(looked.z):  # without noise there is no such scale
            numbers["z"] = looked.z
        if looked.outcome != "race" and not self.board.looks(candidate):
            numbers["mde"] = minimum_detectable_effect(noise, 1)
            decision = "inconclusive" if looked.outcome == "provisional" else "discard"
            return Verdict(decision, in_words(looked, noise, self._named(parent)) + unlike, numbers), parent
        if self._was_overtaken(candidate, champion):
            reason = (
                f"{in_words(looked, noise, self._named(parent))}, which run {champion.number} replaced meanwhile; "
                f"it is measured again on top of run {champion.number}"
            )
            return Verdict("inconclusive", reason, numbers | {"carry": 1}), parent
        state = self._race(candidate, champion)
        if state is None or state.decision == "continue":
            late = self._failures_in_words(candidate, champion)
            told = f"too few of its fresh pairs were measured to the end{late}"
            return Verdict("inconclusive", told if late else "its fresh pairs could not be measured", numbers), champion
        numbers |= state.numbers()
        if suspicious(state.gain, noise):
            numbers["audit"] = 1
        reason = in_words(state, noise, self._named(champion)) + self._failures_in_words(candidate, champion)
        pairs = self.board.pairs(candidate, champion)
        if (
            state.decision == "inconclusive"
            and provisional(looked, pairs, noise, self.board.better)
            and self._goes_further(candidate, state.gain)
        ):
            return Verdict("provisional", _provisionally(reason), numbers), champion
        return Verdict(state.decision, reason, numbers), champion


_UNLIKE = {
    True: "; it ran alone, they side by side, which may flatter it",
    False: "; it ran side by side, they alone, which may hold it back",
}


def _provisionally(reason: str) -> str:
    return f"provisional, the branch moves, nothing is claimed: {reason}"
