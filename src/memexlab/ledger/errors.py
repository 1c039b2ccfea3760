"""Who must act when something goes wrong: the person, the proposer, or the world.

Wrong user data is a `Finding`, never an exception. Anything that is none of these is a bug and keeps
its traceback.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule reports about somebody's data: rule id, severity, where it is, what it is, what to type."""

    rule: str
    severity: Severity
    where: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        hint = f"\n  hint: {self.hint}" if self.hint else ""
        return f"{self.severity}: {self.where}: {self.message} [{self.rule}]{hint}"


class MemexError(Exception):
    """Any failure memexlab expects; `exit_code` is what the command line returns for it."""

    exit_code = 1


class UsageError(MemexError):
    """The person must change something; the message ends with a hint that can be typed."""

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}\n  hint: {hint}" if hint else message)
        self.hint = hint


class Refused(MemexError):
    """The proposer must change something; the findings are worded so that a model can repair its drafts."""

    exit_code = 1

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("\n".join(str(f) for f in findings))
        self.findings = tuple(findings)


class OutsideError(MemexError):
    """The world failed (disk, network, subprocess); `retryable` says whether trying again can help."""

    exit_code = 3

    def __init__(self, message: str, *, retryable: bool = False, hint: str = "") -> None:
        super().__init__(f"{message}\n  hint: {hint}" if hint else message)
        self.retryable = retryable
