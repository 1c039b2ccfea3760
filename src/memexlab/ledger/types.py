"""What can be recorded: drafts that anyone may say, entries that landed, and the one pointer between them.

Nothing here touches a disk or a clock. A `Draft` has no author and no time, so that a proposer can forge neither;
`land()` adds both. An entry is never changed: a later entry may supersede, retract or contradict it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Kind = Literal["source", "call", "run", "claim", "answer", "verdict"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Scalar = str | int | float | bool | None

EvidenceRole = Literal[
    "from", "quotes", "tests", "parent", "supersedes", "retracts", "contradicts", "same_as", "erases"
]
FileRole = Literal["diff", "log", "artifact", "evaluator", "file"]
Role = EvidenceRole | FileRole
ROLES: frozenset[str] = frozenset(get_args(EvidenceRole) + get_args(FileRole))

#: What became of a run. `started` is open; `lost` is a start whose owner is gone; `ok` was measured and not yet judged.
RunStatus = Literal[
    "started", "lost", "ok", "keep", "discard", "crash", "timeout", "blocked", "invalid", "inconclusive"
]
RUN_STATUSES: frozenset[str] = frozenset(get_args(RunStatus))
#: Statuses of a run that has no metric: nothing was measured, so there is nothing to compare, not even 0.
FAILED: frozenset[str] = frozenset({"crash", "timeout", "blocked", "invalid", "lost", "started"})

RunRole = Literal["candidate", "baseline", "pair", "control", "final"]


@dataclass(frozen=True, slots=True)
class Ref:
    """The only pointer: from an entry to another entry (`e:...`) or to a span of a blob (`b:...`)."""

    role: Role
    id: str
    start: int = -1
    end: int = -1

    @property
    def is_blob(self) -> bool:
        return self.id.startswith("b:")


@dataclass(frozen=True, slots=True)
class Source:
    """A document as it came in; its bytes are the `file` ref. `meta` holds what only its reader knows."""

    title: str
    media: str = ""
    uri: str = ""
    author: str = ""
    published: str = ""
    voice: str = ""
    licence: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One paid or timed question to a model; prompt and reply are `file` refs."""

    model: str
    purpose: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    usd: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Run:
    """One measured execution under `settings`, comparable only inside its `campaign`.

    `number` counts runs of the campaign from 1; `metrics` holds finite numbers that code read; `settings` is the full
    snapshot of knobs. A run that was started and ended is two entries: the second supersedes the first.
    """

    campaign: str
    status: RunStatus
    number: int = 0
    role: RunRole = "candidate"
    description: str = ""
    hypothesis: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, Scalar] = field(default_factory=dict)
    commit: str = ""
    seed: int | None = None
    seconds: float | None = None
    usd: float | None = None
    hardware: str = ""
    isolation: str = ""
    self_reported: bool = False
    error: str = ""
    owner: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claim:
    """One checkable sentence about a subject; evidence is its `quotes` or `from` refs."""

    text: str
    relation: str = ""
    object: Scalar = None
    stance: Literal["holds", "rejects", "asks", "reports"] = "holds"
    scope: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """Text that answers one question, every sentence resting on the entry's refs."""

    question: str
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judgement on what it `tests`, `retracts` or calls `same_as`, with the numbers it rests on in `numbers`."""

    decision: str
    reason: str = ""
    numbers: Mapping[str, Scalar] = field(default_factory=dict)


Body = Source | Call | Run | Claim | Answer | Verdict
BODIES: dict[str, type[Body]] = {body.__name__.lower(): body for body in get_args(Body)}


@dataclass(frozen=True, slots=True)
class Draft:
    """What anybody may say: no actor, no clock.

    `key` makes a retry safe: a second draft with a key that landed before lands nothing and returns the first entry.
    `since` and `until` are ISO dates or instants between which it holds in the world.
    """

    subject: str
    body: Body
    refs: tuple[Ref, ...] = ()
    since: str | None = None
    until: str | None = None
    key: str | None = None

    @property
    def kind(self) -> Kind:
        return type(self.body).__name__.lower()  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Entry(Draft):
    """A draft that landed: who said it, when it was recorded (UTC), its id, and its position in this ledger."""

    by: str = ""
    at: str = ""
    id: str = ""
    seq: int = -1

    def targets(self, role: str) -> list[str]:
        return [ref.id for ref in self.refs if ref.role == role]
