"""What a proposer is told, and what it hands back: a brief in, prompts on the way, proposals out.

A proposer does no I/O: it reads no file, calls no model and knows no clock. Whoever drives it answers its prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from ...ledger import Scalar
from ...models.prompts import Prompt

__all__ = ["Brief", "KnobRange", "Mode", "Prompt", "Proposal", "Proposer", "Tried"]

#: How a proposer should search; '' leaves it to the proposer.
Mode = Literal["", "exploit", "explore", "combine", "ablate", "retest"]


@dataclass(frozen=True, slots=True)
class Tried:
    """One earlier candidate: settings it ran under, those of its parent, and what both measured.

    `value` is None where nothing was measured; `number` is the run's number in its campaign, 0 where it is not known;
    `origin` is that of its proposal.
    """

    settings: Mapping[str, Scalar]
    parent: Mapping[str, Scalar]
    value: float | None
    parent_value: float | None
    status: str
    number: int = 0
    origin: str = ""


@dataclass(frozen=True, slots=True)
class KnobRange:
    """Where a knob may go, as the person wrote it; `fixed` knobs stay as they are."""

    low: float | None = None
    high: float | None = None
    scale: Literal["log", "linear"] = "linear"
    choices: tuple[Scalar, ...] = ()
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Brief:
    """All that a proposer may know: `files` are the editable ones at the working head, `tried` is in order of running.

    Knobs are named as in the file, with `path:` before the name where there are several editable files; `sigma` is the
    standard deviation of one measurement, None where it is unknown; `program` is the person's steering text;
    `briefing()` is the cited text that a model or an agent reads, made when it is asked for.
    """

    campaign: str
    files: Mapping[str, str]
    better: Literal["lower", "higher"]
    sigma: float | None
    tried: tuple[Tried, ...]
    ranges: Mapping[str, KnobRange]
    want: int
    seed: int
    program: str = ""
    briefing: Callable[[], str] = str
    mode: Mode = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One idea to measure; `files` holds only those that change, each with its whole new text.

    `origin` says who had it and how, as `model/explore`; the loop stores it in the run and gives it back in `Tried`.
    """

    description: str
    hypothesis: str
    files: Mapping[str, str]
    origin: str = ""


class Proposer(Protocol):
    """Yields prompts, is sent the replies, and returns at most `brief.want` proposals."""

    @property
    def name(self) -> str: ...

    def propose(self, brief: Brief) -> Generator[Prompt, str, list[Proposal]]: ...
