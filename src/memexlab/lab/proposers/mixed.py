"""A bandit over proposers and their modes. The yield of each is read from the brief, so it outlives a crash."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

from ...ledger import OutsideError
from . import Brief, KnobRange, Mode, Prompt, Proposal, Proposer

#: Losses in a row after which an arm rests.
PLATEAU_LOSSES = 5
#: What a run counts for less with every later run of the same arm: what paid at first may be used up.
FADES = 0.9
#: How often a proposer is asked at once, where it is only to fill up what is missing.
MOST_ASKED = 2
_MODES_OF_ANY: tuple[Mode, ...] = ("exploit", "explore")


@dataclass(slots=True)
class _Arm:
    """A proposer and a mode, with its faded wins and losses, and how often it lost since it last won."""

    proposer: Proposer
    mode: Mode
    won: float = 0.0
    lost: float = 0.0
    losses_in_a_row: int = 0

    @property
    def origin(self) -> str:
        return f"{self.proposer.name}/{self.mode}"


class MixedProposer:
    """Thompson sampling over the arms with the brief's seed; after a plateau another mode, then another proposer.

    A proposer whose model fails, or whose budget is spent, is done without, and `notes` says so.
    """

    name = "mixed"

    def __init__(self, proposers: Sequence[Proposer]) -> None:
        self.proposers = tuple(proposers)
        self.notes: list[str] = []

    def propose(self, brief: Brief) -> Generator[Prompt, str, list[Proposal]]:
        """Every proposal names its arm as `origin`. Raises OutsideError only where every proposer failed."""
        found: dict[tuple[tuple[str, str], ...], Proposal] = {}
        failed: dict[str, OutsideError] = {}
        asked = Counter[str]()
        owed = 0
        for arm, share in self._order(brief):
            owed += share
            proposer, want = arm.proposer, owed - len(found)
            if want < 1 or proposer.name in failed or (not share and asked[proposer.name] >= MOST_ASKED):
                continue
            asked[proposer.name] += 1
            try:
                proposals = yield from proposer.propose(_for_mode(replace(brief, want=want, mode=arm.mode), proposer))
            except OutsideError as error:
                failed[proposer.name] = error
                self._note(f"{proposer.name} failed and is done without", f": {str(error).splitlines()[0]}")
                continue
            for proposal in proposals[:want]:
                found.setdefault(tuple(sorted(proposal.files.items())), replace(proposal, origin=arm.origin))
        if failed and len(failed) == len(self.proposers):
            raise next(iter(failed.values()))
        return list(found.values())

    def _arms(self, brief: Brief) -> list[_Arm]:
        """A run that was kept is a win, and one still open counts for nothing."""
        arms = [_Arm(row, mode) for row in self.proposers for mode in getattr(row, "modes", _MODES_OF_ANY)]
        for arm in arms:
            for tried in brief.tried:
                if tried.origin == arm.origin and tried.status not in ("started", "lost", "ok"):
                    win = tried.status == "keep"
                    arm.won, arm.lost = arm.won * FADES + win, arm.lost * FADES + (not win)
                    arm.losses_in_a_row = 0 if win else arm.losses_in_a_row + 1
        return arms

    def _order(self, brief: Brief) -> list[tuple[_Arm, int]]:
        """Arms with how many proposals each should make, then all others in case those fall short."""
        arms = self._arms(brief)
        last = next((arm for tried in reversed(brief.tried) for arm in arms if arm.origin == tried.origin), None)
        awake = [arm for arm in arms if arm.losses_in_a_row < PLATEAU_LOSSES]
        if not awake:
            self._note(f"plateau: every arm lost {PLATEAU_LOSSES} times in a row; all are tried again in turn")
            fewest = min(arm.losses_in_a_row for arm in arms)
            awake = [arm for arm in arms if arm.losses_in_a_row == fewest]
        elif last is not None and last not in awake:
            siblings = [arm for arm in awake if arm.proposer is last.proposer]
            what = "mode" if siblings else "proposer"
            self._note(f"plateau: {last.origin} lost {last.losses_in_a_row} times in a row; another {what} is tried")
            awake = siblings or awake
        chance = random.Random(brief.seed)
        drawn = Counter(
            max(awake, key=lambda arm: chance.betavariate(1 + arm.won, 1 + arm.lost)).origin for _ in range(brief.want)
        )
        order = sorted(arms, key=lambda arm: (-drawn[arm.origin], arm.losses_in_a_row))
        return [(arm, drawn[arm.origin]) for arm in order]

    def _note(self, text: str, why: str = "") -> None:
        if not any(note.startswith(text) for note in self.notes):
            self.notes.append(text + why)


def _for_mode(brief: Brief, proposer: Proposer) -> Brief:
    """For a proposer that reads no mode, exploring means to hold every knob that a run has turned."""
    if brief.mode != "explore" or hasattr(proposer, "modes"):
        return brief
    turned = {knob for t in brief.tried for knob, value in t.settings.items() if t.parent.get(knob, value) != value}
    return replace(brief, ranges={**brief.ranges, **dict.fromkeys(turned, KnobRange(fixed=True))})
