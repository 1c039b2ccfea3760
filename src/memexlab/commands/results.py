"""What the commands print: small results that know their text and their data."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..folder import FOLDER
from ..lab.execution.metrics import number
from ..lab.wording import clean, plural
from ..ledger import FAILED, Blobs, FileLedger, Run, Scalar, UsageError, unite
from ..memory import Memory, Rows, query, schema
from .live import counter

if TYPE_CHECKING:
    from ..lab.importers.memorylab import FolderImport
    from ..lab.recording import ImportResult  # what reads logs is imported where one is read: a question is quicker


@dataclass(frozen=True, slots=True)
class Logged:
    """A run that landed."""

    id: str
    campaign: str
    number: int

    def __str__(self) -> str:
        return self.id


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild folded."""

    entries: int
    seconds: float
    logical_hash: str

    def __str__(self) -> str:
        return f"{self.entries} entries folded in {self.seconds:.1f} s; logical hash {self.logical_hash}"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows as text; as data, a list of objects."""

    rows: Rows

    def data(self) -> list[dict[str, Any]]:
        return [dict(zip(self.rows.columns, row, strict=True)) for row in self.rows.rows]

    def __str__(self) -> str:
        cells = [[_cell(value) for value in row] for row in self.rows.rows]
        widths = [max(map(len, column)) for column in zip(self.rows.columns, *cells, strict=True)]
        lines = ["  ".join(name.ljust(width) for name, width in zip(row, widths, strict=True)).rstrip()
                 for row in [list(self.rows.columns), ["-" * width for width in widths], *cells]]  # fmt: skip
        if self.rows.truncated:
            lines.append(f"... more than {len(self.rows.rows)} rows: memex sql --limit {10 * len(self.rows.rows)} ...")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class LabImport:
    """What came of another lab's ledger; `renamed` says by which name here a campaign goes whose name both used."""

    folder: str
    entries: int
    added: int
    blobs: int
    renamed: dict[str, str]

    def __str__(self) -> str:
        entries, blobs = plural(self.entries, "entry", "entries"), plural(self.blobs, "blob")
        lines = [f"{self.folder}: {entries}, {self.added} new here, {blobs} copied"]
        for new, old in self.renamed.items():
            lines.append(f"two campaigns are called {clean(old)}: the later one is {clean(new)} here")
        return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return re.sub(r"[\x00-\x1f\x7f]+", " ", text)


def ask_sql(memory: Memory, text: str, limit: int, seconds: float, show_schema: bool) -> Table | Text:
    if show_schema:
        return Text(schema.TABLES.strip())
    if not text.strip():
        raise UsageError("no query was given", 'memex sql "select number, status, value, description from runs"')
    memory.index.catch_up()
    return Table(query(memory.index.path, text, row_limit=max(1, limit), seconds_limit=seconds))


def rebuilt(memory: Memory) -> Rebuilt:
    begun = time.monotonic()
    with counter(sys.stderr, "folding the ledger") as progress:
        memory.index.rebuild(lambda done: progress(done, 0))
    count = memory.index.db.execute("SELECT count(*) FROM entries").fetchone()[0]
    return Rebuilt(count, time.monotonic() - begun, memory.index.logical_hash())


def pairs(items: Sequence[str], what: str) -> dict[str, str]:
    """`NAME=VALUE` items as a mapping; raises UsageError for one without an equals sign."""
    found: dict[str, str] = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"{item!r} is no {what}", f"--{what} NAME=VALUE")
        found[name.strip()] = value.strip()
    return found


def setting(text: str) -> Scalar:
    """A knob's value from the command line: a number, true or false where it reads as one, else the text."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    value = number(text)
    return int(text) if re.fullmatch(r"[+-]?\d{1,15}", text, re.ASCII) else text if value is None else value


def read_file(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"the {what} {path} cannot be read: {error.strerror}", f"ls {path.parent}") from error


def logged(
    memory: Memory,
    by: str,
    description: str,
    status: Any,
    metric: Sequence[str],
    set_: Sequence[str],
    hypothesis: str,
    diff: Path | None,
    log: Path | None,
    campaign: str,
    better: Any,
    commit: str,
    seconds: float | None,
    repeats: int | None,
) -> Logged:
    from ..lab.importers import better_of
    from ..lab.recording import log_run

    if not description.strip():
        raise UsageError("the description is empty", '--description "what was tried, in a line"')
    values: dict[str, float] = {}
    for name, text in pairs(metric, "metric").items():
        if (value := number(text)) is None:
            hint = "log it as --status crash, without the metric"
            raise UsageError(f"metric {name} is {text!r}, not a finite number", hint)
        values[name] = value
    if not values and status not in FAILED:
        raise UsageError(f"a run with status {status} needs its metric", "--metric val_bpb=0.98")
    first = next(iter(values), "")
    run = Run(
        campaign=campaign, status=status, description=description, hypothesis=hypothesis, metrics=values,
        settings={name: setting(text) for name, text in pairs(set_, "set").items()}, commit=commit, seconds=seconds,
        self_reported=True,
    )  # fmt: skip
    texts = (read_file(diff, "diff") if diff else None, read_file(log, "log") if log else None)
    entry = log_run(memory, run, by, first, better, better_of(first) or "lower", *texts, repeats)
    assert isinstance(entry.body, Run)
    return Logged(entry.id, campaign, entry.body.number)


def imported(
    memory: Memory, by: str, file: Path, campaign: str | None, metric: str | None, better: Any
) -> ImportResult | FolderImport | LabImport:
    if (file / FOLDER / "ledger").is_dir():
        if campaign or metric or better:
            raise UsageError("a lab is taken in as it is, with its campaigns", f"memex import {file}")
        return import_lab(memory, file)
    from ..lab.importers.memorylab import import_folder, is_memorylab
    from ..lab.recording import import_log

    name = campaign or re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem).strip("-") or "import"
    if is_memorylab(file):
        return import_folder(memory, file, by, name, metric, better)
    data = read_file(file, "log")
    with counter(sys.stderr, f"importing {file.name}") as progress:
        return import_log(memory, data, str(file), by, name, metric, better, progress)


def import_lab(memory: Memory, folder: Path) -> LabImport:
    """The union with another lab's ledger: its entries keep id, author and date; importing again adds nothing."""
    from ..memory.namespaces import CAMPAIGN, shown_names

    theirs = FileLedger(folder / FOLDER / "ledger"), Blobs(folder / FOLDER / "blobs")
    done = unite(*theirs, ledger=memory.ledger, blobs=memory.blobs, view=memory.index)
    named = sorted({entry.subject for entry in done.added if entry.subject.startswith(CAMPAIGN)})
    names = [name.removeprefix(CAMPAIGN) for name in named]
    renamed = {shown: name for name in names for shown in shown_names(memory.db, name).values() if shown != name}
    return LabImport(str(folder), done.entries, len(done.added), done.blobs, renamed)
