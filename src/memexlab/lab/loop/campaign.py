"""What all parts of the loop share: the campaign that is at work, what is measured in it, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from ...ledger import RunRole
from ...memory import Memory
from ..evidence.board import Board
from ..execution.campaign import Contract
from ..execution.checkouts import Checkouts
from ..execution.streams import Desk

BY = "code:memexlab/0.1"

EventKind = Literal[
    "campaign", "baseline", "proposed", "started", "measured", "verdict", "lost", "final", "stop", "notice"
]


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
    """One execution to measure.

    `key` names the change of a candidate, and `since` is the last run that was known when it was thought of: whoever
    began the same change after that has the claim on it.
    """

    role: RunRole
    commit: str
    seed: int
    description: str
    parent: str = ""
    hypothesis: str = ""
    tests: str = ""
    origin: str = ""
    key: str = ""
    since: int = 0
    approved_by: str = ""


@dataclass(frozen=True, slots=True)
class Campaign:
    """The campaign at work: `definition` is the entry that defines it, `locked` the hash of the files nobody edits,
    and `tell` hears what happens."""

    memory: Memory
    checkouts: Checkouts
    contract: Contract
    name: str
    definition: str
    locked: str
    tell: Callable[[Event], None]
    desk: Desk = field(default_factory=Desk)


class Part:
    """A part of the loop: it reads and lands at the desk of its campaign."""

    def __init__(self, campaign: Campaign) -> None:
        self.memory, self.checkouts, self.contract = campaign.memory, campaign.checkouts, campaign.contract
        self.campaign, self.definition, self.locked = campaign.name, campaign.definition, campaign.locked
        self.tell, self.desk = campaign.tell, campaign.desk
        self.board = Board(campaign.memory, campaign.name, campaign.contract.metric.better)
