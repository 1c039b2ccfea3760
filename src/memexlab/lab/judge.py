"""Judges candidates by the rules of `verdict`, and records why. It measures nothing itself."""

from __future__ import annotations

from ..ledger import Draft, OutsideError, Ref, Scalar, Verdict
from ..memory import Memory
from ..memory.noise import minimum_detectable_effect
from .board import Board, Standing
from .verdict import (
    Race,
    Screen,
    in_words,
    provisional,
    race,
    screen,
    seed_correlation,
    suspicious,
)

#: Pairs that may fail (a crash, a timeout) before a race is given up.
SPARE_LOOKS = 2


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
        if self._screen(candidate, champion)[0].outcome != "race":
            return None
        looks = self.board.looks(candidate)
        state = self._race(candidate)
        if state is not None and (state.decision != "continue" or looks >= state.n + SPARE_LOOKS):
            return None
        return None if state is None and looks >= SPARE_LOOKS else looks + 1

    def drop_carried(self, run: Standing, champion: Standing) -> None:
        """Records that a win over an earlier champion cannot be carried over to this one."""
        reason = f"it beat a champion that is gone, and its change and that of run {champion.number} touch the same"
        self._land(run, champion, Verdict("inconclusive", reason, {"carry": 0}))

    def land(self, candidate: Standing, champion: Standing) -> Verdict:
        """Records the verdict that the measurements so far allow."""
        verdict, reference = self._verdict(candidate, champion)
        self._land(candidate, reference, verdict)
        return verdict

    def _land(self, candidate: Standing, reference: Standing, verdict: Verdict) -> None:
        refs = [Ref("tests", candidate.id), Ref("parent", reference.id)]
        rows = self.memory.db.execute(
            "SELECT e.id FROM refs f JOIN runs r ON r.run = f.seq JOIN entries e ON e.seq = f.seq"
            " WHERE f.target = ? AND f.role = 'tests' AND r.role = 'pair' ORDER BY r.number",
            (candidate.id,),
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

    def _was_overtaken(self, candidate: Standing, champion: Standing) -> bool:
        """Another candidate became champion since this one was proposed: its change is not in this one."""
        return champion.id != candidate.id and not self.board.rests_on(candidate, champion)

    def _screen(self, candidate: Standing, champion: Standing) -> tuple[Screen, Standing]:
        """The screen against what the candidate was made from, as it stood before the candidate's own pairs."""
        assert candidate.value is not None
        before = self.board.first_pair(candidate)
        parent = self.board.standing(candidate.parent) if candidate.parent else None
        for reference in (parent, champion):
            values = self.board.fresh_values(reference.commit, before) if reference is not None else []
            if reference is not None and values:
                return screen(candidate.value, values, self.board.noise(before), self.board.better), reference
        raise OutsideError(f"run {candidate.number} has nothing to be compared with", hint="memex run")

    def _race(self, candidate: Standing) -> Race | None:
        pairs = self.board.pairs(candidate)
        if not pairs:
            return None
        rho = seed_correlation(self.board.all_pairs())
        return race(pairs, self.board.noise(), self.board.better, rho=rho)

    def _verdict(self, candidate: Standing, champion: Standing) -> tuple[Verdict, Standing]:
        """The verdict, and the run that it compares with."""
        noise = self.board.noise()
        looked, parent = self._screen(candidate, champion)
        numbers: dict[str, Scalar] = {"sigma": noise.sigma, "dof": noise.dof, "z": looked.z, "screen_gain": looked.gain}
        if looked.outcome != "race":
            numbers["mde"] = visible = minimum_detectable_effect(noise, 1, 0.0)
            seen = f"; one pair would have shown an effect of {visible:.2g} 8 times in 10"
            if looked.outcome == "provisional":
                told = in_words(looked, noise).partition(": ")[2]
                return Verdict("inconclusive", f"near miss, not raced: {told}{seen}", numbers), parent
            return Verdict("discard", f"{in_words(looked, noise)}{seen}", numbers), parent
        if self._was_overtaken(candidate, champion):
            reason = (
                f"it looks {abs(looked.gain):.4g} better than run {parent.number}, which run {champion.number} "
                f"replaced meanwhile; it is measured again on top of run {champion.number}"
            )
            return Verdict("inconclusive", reason, numbers | {"carry": 1}), parent
        state = self._race(candidate)
        if state is None or state.decision == "continue":
            return Verdict("inconclusive", "its fresh pairs could not be measured", numbers), champion
        numbers |= {"pairs" if name == "n" else name: value for name, value in state.numbers().items()}
        if suspicious(state.gain, noise):
            numbers["audit"] = 1
        decision = state.decision
        reason = in_words(state, noise)
        if decision == "inconclusive" and provisional(looked, self.board.pairs(candidate), noise, self.board.better):
            return Verdict(
                "provisional", f"provisional, the branch moves, nothing is claimed: {reason}", numbers
            ), champion
        return Verdict(decision, reason, numbers), champion
