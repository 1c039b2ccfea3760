"""What reading a log gives: runs, the fate of every physical line, findings. Knows encodings, but no format."""

from __future__ import annotations

import codecs
from collections import Counter
from dataclasses import dataclass, replace
from shlex import quote
from typing import Literal

from memexlab.ledger.errors import Finding, Severity
from memexlab.ledger.types import Run

from .words import SURROGATE, Better

Fate = Literal["header", "run", "continuation", "blank", "comment", "refused"]

#: A longer line is refused: an entry of the ledger holds less, and no row of a log needs it.
LINE_LIMIT_CHARS = 1_000_000
#: After this many findings of one rule, only their number is reported; the fate of each line still says why.
FINDINGS_PER_RULE = 50
_SHOW_LINE = "sed -n {line}p {file}"
_NAME_METRIC = "memex import {file} --metric NAME"
#: Each rule of the importers with its severity and what to type; `{file}` and `{line}` are filled in.
_RULES: dict[str, tuple[Severity, str]] = {
    "encoding": ("warning", ""),
    "line-ends": ("warning", "tr '\\r' '\\n' < {file} > fixed.tsv"),
    "line-refused": ("warning", _SHOW_LINE),
    "no-header": ("warning", _NAME_METRIC),
    "short-row": ("warning", _SHOW_LINE),
    "long-text": ("warning", _SHOW_LINE),
    "unknown-status": ("warning", "write keep, discard or crash"),
    "metric-refused": ("warning", _SHOW_LINE),
    "no-runs": ("error", "see docs/importing.md for what is read"),
    "no-status": ("warning", "memex import {file} --json"),
    "no-metric": ("warning", _NAME_METRIC),
    "several-metrics": ("warning", _NAME_METRIC),
    "unknown-direction": ("warning", "memex import {file} --better lower"),
    "zero-metric": ("warning", _NAME_METRIC),
    "unmeasured": ("info", "memex import {file} --json"),
    "odd-cells": ("info", ""),
}


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """A run read from `lines` physical lines beginning at `line` (1-based); `at` is ISO 8601, as the log states it."""

    line: int
    lines: int
    run: Run
    parent_commit: str = ""
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


class Report:
    """Collects what became of each line and what has to be said about the file called `name`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._fates: dict[int, LineFate] = {}
        self._findings: list[Finding] = []
        self._count: Counter[str] = Counter()

    def put(self, line: int, fate: Fate, why: str = "", run: int = 0) -> None:
        """Decides on a line; the last word holds."""
        self._fates[line] = LineFate(line, fate, why, run)

    def refuse(self, line: int, why: str) -> None:
        self.put(line, "refused", why)
        self.add("line-refused", line, why)

    def fate(self, line: int) -> Fate | None:
        """What was decided on a line, or None if nothing was yet."""
        return self._fates[line].fate if line in self._fates else None

    def add(self, rule: str, line: int, message: str, severity: Severity | None = None) -> None:
        """Reports `message` at `line` (0: the file as a whole)."""
        self._count[rule] += 1
        if self._count[rule] <= FINDINGS_PER_RULE:
            usual, hint = _RULES[rule]
            where = f"{self.name}:{line}" if line else self.name
            hint = hint.format(line=line, file=quote(self.name))
            self._findings.append(Finding(rule, severity or usual, where, message, hint))

    def findings(self) -> tuple[Finding, ...]:
        """All findings, with one more for each rule that had too many."""
        more = []
        for rule, finding in {finding.rule: finding for finding in self._findings}.items():
            if (count := self._count[rule] - FINDINGS_PER_RULE) > 0:
                more.append(replace(finding, where=self.name, message=f"{count:,} more findings of this rule"))
        return (*self._findings, *more)

    def fates(self, line_count: int) -> tuple[LineFate, ...]:
        """The fate of each line; a line nobody decided on is refused, so that none can be lost."""
        lost = "neither a header nor a run was recognised in it"
        return tuple(self._fates.get(line) or LineFate(line, "refused", lost) for line in range(1, line_count + 1))


def physical_lines(data: bytes, report: Report) -> list[str]:
    """The lines of `data` without line ends; damage to UTF-8 becomes U+FFFD, and NUL bytes before a line are skipped.

    UTF-8 is assumed unless there is a UTF-16 byte order mark. The fate of blank and of too long lines is decided here.
    """
    is_wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = data.decode("utf-16" if is_wide else "utf-8-sig", "replace")
    lines = SURROGATE.sub("\ufffd", text).removesuffix("\n").split("\n") if text else []
    for place, line in enumerate(lines, 1):
        if "\ufffd" in line:
            report.add("encoding", place, "bytes that are not UTF-8 were replaced by U+FFFD")
        if line.startswith("\0"):
            report.add("encoding", place, "NUL bytes, left by a write that was lost, were skipped")
        if len(line) > LINE_LIMIT_CHARS:
            report.refuse(place, f"the line has {len(line):,} characters; at most {LINE_LIMIT_CHARS:,} are read")
        elif not line.lstrip("\0").strip():
            report.put(place, "blank")
    if len(lines) == 1 and "\r" in lines[0].rstrip("\r"):
        report.add("line-ends", 1, "the file has carriage returns but no line feeds, so it is one line")
    return [line.lstrip("\0").removesuffix("\r") for line in lines]
