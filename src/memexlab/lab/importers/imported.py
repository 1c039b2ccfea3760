"""What reading a log gives: runs, the fate of every physical line, findings. Knows no format, no ledger and no disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from shlex import quote
from typing import Any, Literal

from memexlab.ledger.errors import Finding, Severity
from memexlab.ledger.types import Run, Scalar

Better = Literal["lower", "higher", ""]
Fate = Literal["header", "run", "continuation", "blank", "comment", "refused"]

#: After this many findings of one rule, only their number is reported; the fate of each line still says why.
FINDINGS_PER_RULE = 50


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """A run read from `lines` physical lines beginning at `line` (1-based); `at` is ISO 8601, as the log states it."""

    line: int
    lines: int
    run: Run
    parent_commit: str = ""
    diff: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class LineFate:
    """What became of one physical line; `run` is the number of the run it belongs to, 0 for none."""

    line: int
    fate: Fate
    why: str = ""
    run: int = 0


@dataclass(frozen=True, slots=True)
class Imported:
    """A log as read: `fates` holds exactly one entry for each physical line, in order."""

    format: str
    metric: str
    unit: str
    better: Better
    runs: tuple[ImportedRun, ...]
    fates: tuple[LineFate, ...]
    findings: tuple[Finding, ...]


@dataclass(slots=True)
class Stated:
    """What a log states about one run, before anything is judged; `refused` is a metric cell that is no number."""

    line: int
    lines: int = 1
    word: str = ""
    label: str = ""
    commit: str = ""
    parent: str = ""
    description: list[str] = field(default_factory=list)
    hypothesis: str = ""
    error: str = ""
    diff: str = ""
    at: str = ""
    hardware: str = ""
    metric: str = ""
    refused: str = ""
    unit: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    settings: dict[str, Scalar] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    seconds: float | None = None
    usd: float | None = None
    is_trial: bool = False
    is_first: bool = False
    why: str = ""


class Findings:
    """Collects findings, at most `FINDINGS_PER_RULE` of a rule: a bad file of any size has a readable report."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.command = f"memex import {quote(name)}"
        self._kept: list[Finding] = []
        self._count: dict[str, int] = {}
        self._hint: dict[str, tuple[Severity, str]] = {}

    def add(self, rule: str, severity: Severity, line: int, message: str, hint: str = "") -> None:
        """Reports `message` at `line` (0: the file as a whole)."""
        seen = self._count[rule] = self._count.get(rule, 0) + 1
        if seen <= FINDINGS_PER_RULE:
            where = f"{self.name}:{line}" if line else self.name
            self._kept.append(Finding(rule, severity, where, message, hint))
            self._hint[rule] = (severity, hint)

    def has(self, rule: str) -> bool:
        return rule in self._count

    def show(self, line: int) -> str:
        """The command that shows a physical line of the file."""
        return f"sed -n {line}p {quote(self.name)}"

    def close(self) -> tuple[Finding, ...]:
        """All findings, with one more for each rule that had too many."""
        more = [
            Finding(
                rule,
                self._hint[rule][0],
                self.name,
                f"{count - FINDINGS_PER_RULE:,} more findings of this rule",
                self._hint[rule][1],
            )
            for rule, count in self._count.items()
            if count > FINDINGS_PER_RULE
        ]
        return (*self._kept, *more)


class Fates:
    """The fate of each line; a line nobody decided on is refused, so that none can be lost."""

    def __init__(self, line_count: int) -> None:
        self._fates: list[LineFate | None] = [None] * line_count

    def put(self, line: int, fate: Fate, why: str = "", run: int = 0) -> None:
        self._fates[line - 1] = LineFate(line, fate, why, run)

    def of(self, line: int) -> Fate | None:
        found = self._fates[line - 1] if 1 <= line <= len(self._fates) else None
        return found.fate if found else None

    def close(self) -> tuple[LineFate, ...]:
        return tuple(
            fate or LineFate(line, "refused", "neither a header nor a run was recognised in it")
            for line, fate in enumerate(self._fates, 1)
        )
