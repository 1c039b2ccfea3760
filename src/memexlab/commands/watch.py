"""`memex watch`: entries as they land, in order, by whoever landed them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ..lab.wording import clean
from ..ledger import Cursor, Entry, FileLedger, Run, UsageError, Verdict
from ..ledger.wire import body_to

#: How often the end of the ledger is looked at, in seconds; a look costs two system calls.
_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Watch:
    """Entries from position `since` on (None: from now), of one subject or of all, until `seconds` are over."""

    ledger: FileLedger
    since: int | None
    subject: str
    seconds: float | None

    def __post_init__(self) -> None:
        if self.since is not None and self.since < 0:
            raise UsageError(f"--since is {self.since}", "a position from 0 up, such as --since 0")

    def stream(self, as_json: bool) -> Iterator[str]:
        """One line an entry; never ends by itself where `seconds` is None."""
        until = time.monotonic() + self.seconds if self.seconds is not None else None
        cursor = Cursor()
        first = self.since
        while True:
            for batch in self.ledger.read(cursor):
                cursor = batch.cursor
                for entry in batch.entries():
                    if first is not None and entry.seq >= first and entry.subject.startswith(self.subject):
                        yield _as_json(entry) if as_json else _as_text(entry)
            first = cursor.seq if first is None else first
            if until is not None and time.monotonic() >= until:
                return
            time.sleep(_LOOK_SECONDS)


def _as_json(entry: Entry) -> str:
    told = {name: getattr(entry, name) for name in ("seq", "id", "kind", "subject", "by", "at")}
    return json.dumps(told | {"body": body_to(entry.body)}, ensure_ascii=False)


def _as_text(entry: Entry) -> str:
    body = entry.body
    if isinstance(body, Run):
        values = ", ".join(f"{name} {value:.6g}" for name, value in list(body.metrics.items())[:1])
        told = f"{body.status}{f', {values}' if values else ''}: {body.description}"
    elif isinstance(body, Verdict):
        told = f"{body.decision}: {body.reason}"
    else:
        told = str(getattr(body, "title", "") or getattr(body, "text", ""))
    return f"{entry.seq:>7}  {entry.at[:19]}  {entry.by:<20} {entry.kind:<8} {entry.subject}  {clean(told, 160)}"
