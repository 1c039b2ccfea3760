"""Records runs that something else measured: by hand, by another tool, or from its log file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import PurePath

from ..ledger import Draft, Entry, Finding, Ref, Run, RunRole, RunStatus, Source, UsageError
from ..memory import Memory
from .execution.campaign import Better
from .importers import Imported, read_log

_BATCH = 1000


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did: each physical line of the file has exactly one fate in `lines`."""

    file: str
    campaign: str
    format: str
    metric: str
    runs: int
    added: int
    lines: dict[str, int]
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        told = ", ".join(f"{count} {fate}" for fate, count in self.lines.items() if count)
        text = [
            f"{self.file}: {sum(self.lines.values())} lines ({told})",
            f"{self.runs} runs in campaign {self.campaign} ({self.format}, metric {self.metric or 'unknown'}), "
            f"{self.added} new, {self.runs - self.added} already here",
        ]
        shown = self.findings[:20]
        text += [str(finding) for finding in shown]
        if len(self.findings) > len(shown):
            text.append(f"... and {len(self.findings) - len(shown)} more findings: memex import {self.file} --json")
        text.append(f"next: memex report --campaign {self.campaign}")
        return "\n".join(text)

    def data(self) -> dict[str, object]:
        return {
            name: getattr(self, name) for name in ("file", "campaign", "format", "metric", "runs", "added", "lines")
        } | {
            "findings": [
                {n: getattr(f, n) for n in ("rule", "severity", "where", "message", "hint")} for f in self.findings
            ]
        }


def define(memory: Memory, campaign: str, by: str, wanted: dict[str, str | None], **meta: object) -> Entry:
    """The entry that says what a campaign compares; the first definition of a name counts.

    Raises UsageError where that definition differs from what the person asked for by name (`wanted`).
    """
    key = f"campaign:{campaign}"
    memory.index.catch_up()
    # What is known needs no lock; the next append to the same ledger makes it durable.
    entry = memory.index.by_key([key]).get(key)
    if entry is None:
        entry = memory.land([Draft(key, Source(f"campaign {campaign}", meta=meta), key=key)], by)[0]
    assert isinstance(entry.body, Source)
    for name, value in wanted.items():
        if value and entry.body.meta.get(name) != value:
            raise UsageError(
                f"campaign {campaign} compares {entry.body.meta.get('metric')} "
                f"({entry.body.meta.get('better')} is better), not with {name} {value}",
                f"--campaign {campaign}-2",
            )
    return entry


def last_number(memory: Memory, campaign: str) -> int:
    row = memory.db.execute("SELECT max(number) FROM runs WHERE campaign = ?", (campaign,)).fetchone()
    return row[0] or 0


def import_log(
    memory: Memory,
    data: bytes,
    name: str,
    by: str,
    campaign: str,
    metric: str | None,
    better: Better | None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ImportResult:
    """Reads a log and lands its runs; a row that landed before, from this file or a shorter one, is not added."""
    imported = read_log(data, PurePath(name).name, campaign, metric, better)
    if not imported.runs:
        told = "; ".join(f"{f.where}: {f.message}" for f in imported.findings[:3])
        raise UsageError(f"{name} holds no run that could be read{f' ({told})' if told else ''}", f"head -5 {name}")
    blob = memory.blobs.put(data)
    definition = define(
        memory,
        campaign,
        by,
        {"metric": metric, "better": better},
        metric=imported.metric,
        unit=imported.unit,
        better=imported.better or "lower",
        origin="import",
    )
    source = Source(
        title=PurePath(name).name,
        media=imported.format,
        uri=name,
        meta={"runs": len(imported.runs), "campaign": campaign},
    )
    [file] = memory.land(
        [Draft(f"import:{campaign}", source, (Ref("file", blob),), key=f"import:{campaign}:{blob}")], by
    )
    added = 0
    rows = list(_keyed(imported, data, campaign))
    for start in range(0, len(rows), _BATCH):
        part = rows[start : start + _BATCH]
        progress(start, len(rows))
        before = len(memory.index.by_key([key for key, _ in part]))
        memory.land(lambda part=part: _numbered(memory, campaign, part, definition, file), by)  # type: ignore[misc]
        added += len(part) - before
    fates: Counter[str] = Counter(fate.fate for fate in imported.fates)
    return ImportResult(
        name, campaign, imported.format, imported.metric, len(imported.runs), added, dict(fates), imported.findings
    )


def _keyed(imported: Imported, data: bytes, campaign: str) -> Iterator[tuple[str, Run]]:
    """Each run with a key of its own text and how often that came before: a longer copy adds only what is new."""
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    seen: Counter[str] = Counter()
    for item in imported.runs:
        text = b"\n".join(lines[item.line - 1 : item.line - 1 + item.lines]).strip()
        digest = sha256(text).hexdigest()
        seen[digest] += 1
        meta = {**item.run.meta, "line": item.line, **({"at": item.at} if item.at else {})}
        if item.parent_commit:
            meta["parent_commit"] = item.parent_commit
        yield f"import:{campaign}:{digest}:{seen[digest]}", replace(item.run, meta=meta)


def _numbered(
    memory: Memory, campaign: str, rows: Sequence[tuple[str, Run]], definition: Entry, file: Entry
) -> list[Draft]:
    known = memory.index.by_key([key for key, _ in rows])
    number = last_number(memory, campaign)
    drafts = []
    for key, run in rows:
        number += key not in known
        refs = (Ref("from", definition.id), Ref("from", file.id))
        drafts.append(Draft(f"run:{campaign}/{number}", replace(run, campaign=campaign, number=number), refs, key=key))
    return drafts


def log_run(
    memory: Memory,
    run: Run,
    by: str,
    metric: str,
    better: Better | None,
    guess: Better,
    diff: bytes | None,
    log: bytes | None,
    repeats: int | None = None,
) -> Entry:
    """Lands one run measured elsewhere and returns its entry, durable.

    It is taken to be made from the champion, whose settings it has but for those it names; with `repeats` it is that
    run again, with its settings and commit, and its value counts as fresh.
    """
    definition = define(
        memory, run.campaign, by, {"better": better}, metric=metric, better=better or guess, origin="log"
    )
    assert isinstance(definition.body, Source)
    compared = str(definition.body.meta.get("metric", ""))
    if run.metrics and compared not in run.metrics:
        raise UsageError(
            f"campaign {run.campaign} compares {compared}, and this run has {', '.join(run.metrics)}",
            f"--metric {compared}=VALUE, or another --campaign",
        )
    refs = [Ref("from", definition.id)]
    if diff is not None:
        refs.append(Ref("diff", memory.blobs.put(diff)))
    if log is not None:
        refs.append(Ref("log", memory.blobs.put(log)))

    def drafts() -> list[Draft]:
        made_from = (
            "champions c JOIN runs r ON r.run = c.run WHERE c.campaign = ?1 AND c.until IS NULL AND ?2 IS NULL"
            if repeats is None
            else "runs r WHERE r.campaign = ?1 AND r.number = ?2"
        )
        found = memory.db.execute(
            "SELECT r.id, r.role, r.commit_id, (SELECT body FROM entries e WHERE e.seq = r.run)"
            f" FROM {made_from} ORDER BY r.run",
            (run.campaign, repeats),
        ).fetchone()
        body = replace(run, number=last_number(memory, run.campaign) + 1)
        if repeats is not None:
            body = _as_repeat(body, repeats, found)
        elif found and run.settings:
            body = replace(body, settings={**json.loads(found[3]).get("settings", {}), **run.settings})
        lineage = (Ref("parent", found[0]),) if found else ()
        return [Draft(f"run:{run.campaign}/{body.number}", body, (*refs, *lineage))]

    return memory.land(drafts, by)[0]


def _as_repeat(run: Run, repeats: int, found: tuple[str, str, str, str] | None) -> Run:
    if found is None:
        raise UsageError(f"campaign {run.campaign} has no run {repeats} to repeat", "memex registry")
    _, role, commit, body = found
    if not commit:
        raise UsageError(
            f"run {repeats} names no commit, so nothing says that this is the same code",
            "log it without --repeats, and name the commit of both with --commit",
        )
    again: RunRole = "baseline" if role == "baseline" else "pair"
    status: RunStatus = "ok" if run.status in ("keep", "discard") else run.status
    return replace(run, role=again, status=status, commit=commit, settings=json.loads(body).get("settings", {}))
