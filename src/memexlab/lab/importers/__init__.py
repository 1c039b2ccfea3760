"""Experiment logs of other tools, read as runs: bytes in, runs out, every physical line accounted for.

    bytes -> lines -> fields with roles -> what each run states (Stated, Log) -> judged runs (Imported)

Read are the `results.tsv` of autoresearch and its variants (TSV, CSV), the JSON lines of pi-autoresearch and MemoryLab,
and sweeps with `params`. Reading a log needs no ledger and no disk.
"""

from __future__ import annotations

from .imported import Fate, Imported, ImportedRun, LineFate, Report, physical_lines
from .jsonlog import looks_like_json_lines, read_json_lines
from .judging import judged, report_whole
from .tables import read_table
from .words import Better, better_of, unit_of

__all__ = ["Better", "Fate", "Imported", "ImportedRun", "LineFate", "better_of", "read_log"]


def read_log(data: bytes, name: str, campaign: str, metric: str | None = None, better: str | None = None) -> Imported:
    """Every run that a log states; the format is found from the content.

    `name` is how the file is called in findings and hints, `metric` and `better` (`lower` or `higher`) hold over what
    the log says. Never raises for any `data`: what cannot be read is a refused line with a finding.
    """
    report = Report(name)
    lines = physical_lines(data, report)
    read = read_json_lines if looks_like_json_lines(lines) else read_table
    log = read(lines, report, metric)
    asked: Better = "lower" if better == "lower" else "higher" if better == "higher" else ""
    way = asked or log.better or better_of(log.metric, log.unit)
    runs = tuple(judged(one, number, log.unit, campaign, report) for number, one in enumerate(log.stated, 1))
    report_whole(log, [item.run for item in runs], report, metric, way)
    unit = log.unit or unit_of(log.metric)
    return Imported(log.format, log.metric, unit, way, runs, report.fates(len(lines)), report.findings())
