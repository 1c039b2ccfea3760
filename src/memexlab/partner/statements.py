"""What a perspective is made of: quotes, statements and the other parts of its sections. It computes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Quote:
    """Words as they stand in a source: `start` and `end` are characters of its text, lines count from 1."""

    text: str
    source: int
    title: str
    kind: str
    date: str
    date_basis: str
    voice: str
    line: int
    last_line: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Statement:
    """What the person says, in own words unless `made_by` is a model or a human; `gate` is what it passed."""

    text: str
    gate: str
    groups: int
    kinds: tuple[str, ...]
    first: str
    last: str
    quotes: tuple[Quote, ...]
    counter: tuple[Quote, ...] = ()
    candidate: bool = True
    made_by: str = "code"


@dataclass(frozen=True, slots=True)
class Model:
    """A way of thinking of one thing as another: groups that use it, and statements that lean on it."""

    name: str
    frequency: int
    load: int
    uses: tuple[Quote, ...]
    years: dict[int, int]


@dataclass(frozen=True, slots=True)
class Term:
    """A word or phrase that this corpus uses far more than English does."""

    term: str
    score: float
    first_year: int | None
    years: dict[int, int]


@dataclass(frozen=True, slots=True)
class Tension:
    """Two statements on one thing that pull apart: contradiction, revision, scope or trade-off."""

    kind: str
    left: Statement
    right: Statement
    candidate: bool = True


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was said of the future, when, and what became of it: open, true, false, partly or unresolvable."""

    text: str
    quote: Quote
    made: str
    horizon: str | None
    status: str = "open"
    resolved_by: str = ""
    explicit: bool = True


@dataclass(frozen=True, slots=True)
class Mention:
    """A person or a work that the corpus names; `held` says whether the corpus has the work."""

    name: str
    kind: Literal["person", "work"]
    relation: str
    explicit: bool
    groups: int
    first: str
    quotes: tuple[Quote, ...]
    held: bool


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of years with one vocabulary: what entered, what left, and how often resampling finds its beginning."""

    start: int
    end: int
    entered: tuple[str, ...]
    left: tuple[str, ...]
    quotes: tuple[Quote, ...]
    stability: float


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the corpus holds: words in own voice by kind and year, in all voices, and what is known to be missing."""

    words: int
    groups: int
    sources: int
    kinds: dict[str, int]
    years: dict[int, int]
    voices: dict[str, int]
    gaps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Meter:
    """Quotes that were proposed, found by the gate, and refused by it."""

    proposed: int
    verified: int
    refused: int
