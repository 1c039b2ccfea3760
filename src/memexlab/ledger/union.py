"""The union of two ledgers: what another lab recorded lands here byte for byte, so it keeps id, author and date.

Beside `land` the only writer. It knows no view but what has landed, and nothing of what the entries mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from . import gate
from .blobs import Blobs
from .errors import Finding, Refused, UsageError
from .file import FileLedger
from .landing import Landed
from .types import Entry
from .wire import Line

_BATCH = 1_000
_HINT = "memex doctor   (in that lab)"


@dataclass(frozen=True, slots=True)
class United:
    """What a union added: how many entries theirs holds, those that were new here, and blobs that were copied."""

    entries: int
    added: tuple[Entry, ...]
    blobs: int


def unite(theirs: FileLedger, their_blobs: Blobs, *, ledger: FileLedger, blobs: Blobs, view: Landed) -> United:
    """Appends what only the other ledger has, in its order, and returns when that is durable; theirs is only read.

    Everything is checked first: an entry that breaks a gate rule, or rests on what neither ledger holds, refuses the
    whole union. A union that was cut short is completed by the next one.
    """
    damage: list[Finding] = []
    lines = {line.id: line for batch in theirs.read(report=damage.append) for line in batch.lines}
    if wrong := next((finding for finding in damage if finding.severity == "error"), None):
        raise UsageError(f"{theirs.folder} is damaged at {wrong.where}: {wrong.message}", _HINT)
    view.catch_up()
    here = view.known(list(lines))
    fresh = [line for line in lines.values() if line.id not in here]
    if findings := list(_wrong(fresh, view, blobs, their_blobs)):
        raise Refused(findings[:20])
    needed = dict.fromkeys(ref.id for line in fresh for ref in line.entry().refs if ref.is_blob)
    missing = [blob for blob in needed if not blobs.has(blob)]
    for blob in missing:
        blobs.put(their_blobs.get(blob))
    added: list[Entry] = []
    for start in range(0, len(fresh), _BATCH):
        part = fresh[start : start + _BATCH]
        with ledger.locked() as tail:
            view.catch_up()
            here = view.known([line.id for line in part])  # another process may have imported the same by now
            if new := [line.entry_json for line in part if line.id not in here]:
                added += tail.write(new).entries()
    ledger.sync()
    view.catch_up()
    return United(len(lines), tuple(added), len(missing))


def _wrong(fresh: Sequence[Line], view: Landed, blobs: Blobs, their_blobs: Blobs) -> Iterator[Finding]:
    landed: set[str] = set()
    for line in fresh:
        where = f"entry {line.seq} of theirs"
        try:
            entry = line.entry()
            yield from gate.check_actor(entry.by)
            yield from gate.check(entry, where)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            yield Finding("entry", "error", where, f"no entry: {error!r}", _HINT)
            continue
        for ref in entry.refs:
            there = ref.is_blob and (blobs.has(ref.id) or their_blobs.has(ref.id))
            if not (there or ref.id in landed or view.known([ref.id])):
                message = f"{ref.role} points to {ref.id}, which is nowhere before it"
                yield Finding("ref-missing", "error", where, message, _HINT)
        landed.add(line.id)
