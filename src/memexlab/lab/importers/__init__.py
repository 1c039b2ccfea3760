"""Experiment logs of other tools, read as runs: bytes in, runs out, every physical line accounted for.

Read are the `results.tsv` of autoresearch and its many variants (TSV, CSV), the JSON lines of pi-autoresearch and
MemoryLab, and sweeps with `params`. The importers know no ledger and no disk.
"""

from __future__ import annotations

from .imported import Better, Fate, Findings, Imported, ImportedRun, LineFate
from .jsonlog import looks_like_json_lines, read_json_lines
from .lines import physical_lines
from .tables import read_table
from .words import better_of

__all__ = ["Better", "Fate", "Imported", "ImportedRun", "LineFate", "better_of", "read_log"]


def read_log(data: bytes, name: str, campaign: str, metric: str | None = None, better: str | None = None) -> Imported:
    """Every run that a log states; the format is found from the content.

    `name` is how the file is called in findings and hints, `metric` and `better` (`lower` or `higher`) hold over what
    the log says. Never raises for any `data`: what cannot be read is a refused line with a finding.
    """
    findings = Findings(name)
    lines = physical_lines(data, findings)
    read = read_json_lines if looks_like_json_lines(lines) else read_table
    return read(lines, findings, campaign, metric, better)
