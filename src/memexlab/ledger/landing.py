"""`land()`: the one way anything is recorded. Gate, stamp, append, sync, fold; all of a batch or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from . import gate, wire
from .blobs import Blobs
from .errors import Finding, OutsideError, Refused
from .file import FileLedger
from .scan import Batch
from .types import Draft, Entry, Ref


class Landed(Protocol):
    """What `land` must know of the entries before: a view that can catch up with the ledger."""

    def catch_up(self) -> None: ...
    def known(self, ids: Sequence[str]) -> set[str]: ...
    def by_key(self, keys: Sequence[str]) -> dict[str, Entry]: ...


_STORABLE = "use text, finite numbers, lists"
_SIZE = "store the long part as a blob and refer to it"


def utc_now() -> datetime:
    return datetime.now(UTC)


Drafts = Sequence[Draft] | Callable[[], Sequence[Draft]]


def land(
    drafts: Drafts, by: str, *, ledger: FileLedger, blobs: Blobs, view: Landed,
    clock: Callable[[], datetime] = utc_now,
) -> list[Entry]:  # fmt: skip
    """Records the drafts as one batch and returns their entries, durable; raises Refused and records nothing otherwise.

    A draft refers to an earlier draft of its batch as `@0`, `@1`. A draft whose key landed before, or stands earlier in
    its batch, is not recorded again; its place in the result holds the first entry. `drafts` may be a function: it is
    called under the lock with the view caught up, so what it reads there is true when it lands.
    """
    findings = list(gate.check_actor(by))
    if findings:
        raise Refused(findings)
    with ledger.locked() as tail:
        view.catch_up()
        wanted = list(drafts() if callable(drafts) else drafts)
        if not wanted:
            return []
        places: dict[str, Entry | int] = {**view.by_key([draft.key for draft in wanted if draft.key is not None])}
        result: list[Entry | int] = []
        new = 0
        for draft in wanted:
            place = new if draft.key is None else places.setdefault(draft.key, new)
            result.append(place)
            new += place == new
        ids = [item.id if isinstance(item, Entry) else "" for item in result]
        stored = _stamp(wanted, result, ids, by, clock(), blobs, view)
        if stored:
            batch = tail.write(stored)
        else:
            # The earlier entries may be another writer's, who has not synced them yet.
            tail.settle(1 + max(item.seq for item in result if isinstance(item, Entry)))
            batch = Batch((), tail.cursor)
    if stored:
        ledger.sync()
    view.catch_up()
    landed = batch.entries()
    readable = view.known([entry.id for entry in landed])
    if len(readable) != len(landed):
        raise OutsideError(
            f"{len(landed) - len(readable)} entries were written to {ledger.folder} but cannot be read back: "
            "the lines before them are doubled or out of order",
            hint="memex doctor   (then restore the ledger from a copy)",
        )
    return [item if isinstance(item, Entry) else landed[item] for item in result]


def _stamp(
    wanted: Sequence[Draft], result: Sequence[Entry | int], ids: list[str], by: str, now: datetime, blobs: Blobs,
    view: Landed,
) -> list[bytes]:  # fmt: skip
    findings: list[Finding] = []
    stored: list[bytes] = []
    outside = {ref.id for draft in wanted for ref in draft.refs if ref.id.startswith("e:")}
    known = view.known(sorted(outside))
    fresh: set[str] = set()
    places: dict[int, int] = {}
    for i, (draft, place) in enumerate(zip(wanted, result, strict=True)):
        if isinstance(place, Entry):
            continue
        if place in places:
            ids[i] = ids[places[place]]
            continue
        places[place] = i
        where = f"draft {i} ({draft.kind} {draft.subject})"
        problems = list(gate.check(draft, where))
        problems += _check_targets(draft, where, i, known, blobs)
        if problems:
            findings += problems
            continue
        refs = tuple(_settle(ref, ids) for ref in draft.refs)
        try:
            line = _unique(replace(draft, refs=refs), by, now, fresh, view)
        except (ValueError, TypeError) as error:
            findings.append(Finding("storable", "error", where, f"cannot be stored: {error}", _STORABLE))
            continue
        if len(line) > wire.LINE_LIMIT_BYTES:
            message = f"{len(line)} bytes; an entry holds at most {wire.LINE_LIMIT_BYTES}"
            findings.append(Finding("size", "error", where, message, _SIZE))
        ids[i] = wire.entry_id(line)
        fresh.add(ids[i])
        stored.append(line)
    if findings:
        raise Refused(findings)
    return stored


def _unique(draft: Draft, by: str, now: datetime, fresh: set[str], view: Landed) -> bytes:
    """The stored bytes; two equal drafts of one instant are told apart by a microsecond."""
    while True:
        line = wire.entry_json(draft, by, now.isoformat(timespec="microseconds"))
        identity = wire.entry_id(line)
        if identity not in fresh and not view.known([identity]):
            return line
        now += timedelta(microseconds=1)


def _check_targets(draft: Draft, where: str, i: int, known: set[str], blobs: Blobs) -> Iterable[Finding]:
    for ref in draft.refs:
        if not gate.is_target(ref.id):
            continue
        if ref.id.startswith("@"):
            missing = int(ref.id[1:]) >= i
        elif ref.is_blob:
            missing = not blobs.has(ref.id)
        else:
            missing = ref.id not in known
        if missing:
            message = f"{ref.role} points to {ref.id}, which has not landed"
            yield Finding("ref-missing", "error", where, message, "land what it rests on first")


def _settle(ref: Ref, ids: Sequence[str]) -> Ref:
    return replace(ref, id=ids[int(ref.id[1:])]) if ref.id.startswith("@") else ref
