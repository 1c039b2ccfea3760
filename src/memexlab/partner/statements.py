"""What a perspective is made of: quotes, statements and the other parts of its sections. It computes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["person", "work"]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Whose word it is: `entry` is the claim that landed, '' where code found it; `scope` the limits a reviewer set."""

    entry: str = ""
    made_by: str = "code"
    reviewed_by: str = ""
    scope: str = ""

    @property
    def candidate(self) -> bool:
        return not self.reviewed_by


@dataclass(frozen=True, slots=True)
class Statement(Made):
    """What the person says, in own words unless `made_by` is a model or a human; `gate` is what it passed."""

    text: str
    gate: str
    groups: int
    kinds: tuple[str, ...]
    first: str
    last: str
    quotes: tuple[Quote, ...]
    counter: tuple[Quote, ...] = ()


@dataclass(frozen=True, slots=True)
class Model(Made):
    """A way of thinking of one thing as another: groups that use it, and statements that lean on it."""

    name: str
    frequency: int
    load: int
    uses: tuple[Quote, ...]
    years: dict[int, int]
    text: str = ""
    terms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Term:
    """A word or phrase that this corpus uses far more than English does."""

    term: str
    score: float
    first_year: int | None
    years: dict[int, int]


@dataclass(frozen=True, slots=True)
class Tension(Made):
    """Two statements that pull apart: contradiction, revision, scope or trade-off."""

    kind: str
    left: Statement
    right: Statement
    text: str = ""


@dataclass(frozen=True, slots=True)
class Prediction(Made):
    """What was said of the future, when, and what became of it: open, true, false, partly or unresolvable, and why.

    `due` where it is open and its horizon lies before the day of the perspective.
    """

    text: str
    quote: Quote
    made: str
    horizon: str | None
    status: str = "open"
    resolved_by: str = ""
    why: str = ""
    explicit: bool = True
    due: bool = False


@dataclass(frozen=True, slots=True)
class Mention(Made):
    """A person or a work that the corpus names; `held` says whether the corpus has the work."""

    name: str
    kind: Kind
    relation: str
    explicit: bool
    groups: int
    first: str
    quotes: tuple[Quote, ...]
    held: bool
    text: str = ""


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
    """What the corpus holds: words in own voice by kind and year (0: undated), in all voices, and what is missing.

    `copied` where something stands twice.
    """

    words: int
    groups: int
    sources: int
    cells: dict[str, dict[int, int]]
    voices: dict[str, int]
    gaps: tuple[str, ...]
    copied: bool = False

    @property
    def kinds(self) -> dict[str, int]:
        return {kind: sum(years.values()) for kind, years in self.cells.items()}

    @property
    def years(self) -> tuple[int, ...]:
        return tuple(sorted({year for years in self.cells.values() for year in years if year}))


@dataclass(frozen=True, slots=True)
class Meter:
    """Quotes that were proposed, found by the gate, and refused by it; `by_code` were found by code alone."""

    proposed: int
    verified: int
    refused: int
    by_code: int = 0
