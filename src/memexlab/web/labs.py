"""One opened lab for each thread that answers requests, and what is costly to compute kept between requests."""

from __future__ import annotations

import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from starlette.requests import Request

from ..api import Lab
from ..lab.evidence.logbook import campaigns_newest_first
from ..ledger import UsageError
from .worker import Apart

T = TypeVar("T")
#: What was made apart rests for so many times what it took, and is given to nobody when it is older than this.
_REST, _OLDEST_SECONDS = 20, 60
#: With fewer runs than this nothing takes long.
_MANY_RUNS = 1000
_MOST_KEPT = 64


class Labs:
    """Opens a lab on the first request of a thread, for a connection is not shared; closes all of them at the end."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._local = threading.local()
        self._opened: list[Lab] = []
        self._adding = threading.Lock()
        self._kept: dict[Hashable, tuple[int, float, float, Any]] = {}
        self._making: dict[Hashable, threading.Lock] = {}
        self._under_way: dict[Hashable, Future[Any]] = {}
        self._apart, self._renewing = Apart(root), ThreadPoolExecutor(1, "renewing")
        self.ended = False
        #: Commands that write a file for whoever asked, by that file; they end with the server.
        self.beside: dict[Path, subprocess.Popen[bytes]] = {}

    def lab(self) -> Lab:
        found: Lab | None = getattr(self._local, "lab", None)
        if found is None:
            found = self._local.lab = Lab(self._root)
            with self._adding:
                self._opened.append(found)
        return found

    def kept(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made once for each end of the ledger, by one thread while the others wait."""
        with self._adding:
            making = self._making.setdefault(key, threading.Lock())
        if (found := self._kept.get(key)) is None or found[0] != self._end():
            with making:
                if (found := self._kept.get(key)) is None or found[0] != self._end():
                    return self._made(key, make)
        return cast(T, found[3])

    def apart(
        self, key: Hashable, make: Callable[..., T], *given: object, patience_seconds: float | None = None,
        is_long: bool = False, rests_seconds: float | None = None,
    ) -> T | None:  # fmt: skip
        """What `make` gives for the memory of the lab and `given`; kept as above where there are few runs.

        Where there are many, or it is known to be long, it is made in a process of its own and may be a minute older
        than the ledger. Where the patience ends before, it is what was made last, or None. What changes without the
        ledger `rests_seconds` and is then made again.
        """
        many = "SELECT 1 FROM runs LIMIT 1 OFFSET ?"
        if not is_long and not self.lab().memory.db.execute(many, (_MANY_RUNS,)).fetchone():
            return self.kept(key, lambda: make(self.lab().memory, *given))
        end, at, took, value = self._kept.get(key, (-1, 0.0, 0.0, None))
        age = time.monotonic() - at
        if at and (end == self._end() if rests_seconds is None else age <= max(rests_seconds, took)):
            return cast(T, value)
        waits = not at or age > max(_OLDEST_SECONDS, took) or rests_seconds is not None
        if waits or age > took * _REST:
            with self._adding:
                if (coming := self._under_way.get(key)) is None:
                    coming = self._renewing.submit(self._made, key, partial(self._apart.made, make, *given))
                    self._under_way[key] = coming
                    coming.add_done_callback(partial(self._ended, key))
            if waits:
                with suppress(TimeoutError):
                    wait([coming], patience_seconds)
                    if coming.done():
                        self._under_way.pop(key, None)
                    return cast(T, coming.result(0))
        return cast(T, value)

    def _ended(self, key: Hashable, coming: Future[Any]) -> None:
        """What went wrong stays, for whoever waits for it next."""
        if coming.cancelled() or coming.exception() is None:
            self._under_way.pop(key, None)

    def _made(self, key: Hashable, make: Callable[[], T]) -> T:
        end, begun = self._end(), time.monotonic()
        value = make()
        now = time.monotonic()
        with self._adding:
            if len(self._kept) >= _MOST_KEPT and key not in self._kept:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = (end, now, now - begun, value)
        return value

    def seconds_behind(self, key: Hashable) -> int | None:
        """How long ago it was made what is kept under this key, if it is being made again or entries have landed since;
        1 at least."""
        end, at, *_ = self._kept.get(key, (None, 0.0))
        is_known = end is None or (end == self._end() and key not in self._under_way)
        return None if is_known else 1 + int(time.monotonic() - at)

    def _end(self) -> int:
        [(end,)] = self.lab().memory.db.execute("SELECT max(seq) FROM entries").fetchall()
        return -1 if end is None else int(end)

    def end(self) -> None:
        """Nobody is waited for any more: what is made apart is given up, and what streams ends."""
        self.ended = True
        self._apart.close()
        for process in self.beside.values():
            process.terminate()

    def close(self) -> None:
        self.end()
        self._renewing.shutdown(cancel_futures=True)
        for lab in self._opened:
            lab.close()


def rows_of(db: sqlite3.Connection, sql: str, *values: object) -> list[dict[str, Any]]:
    cursor = db.execute(sql, values)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def labs_of(request: Request) -> Labs:
    labs: Labs = request.app.state.labs
    return labs


def lab_of(request: Request) -> Lab:
    return labs_of(request).lab()


def campaigns(request: Request) -> list[str]:
    """Names of the campaigns, the newest first: asked on every page, and at 100,000 runs a fifth of a second's work.

    Raises UsageError where the page is asked for a campaign that is none of them.
    """
    labs = labs_of(request)
    names = labs.kept(("campaigns",), lambda: campaigns_newest_first(labs.lab().memory.db, None))
    if (asked := request.query_params.get("campaign")) and asked not in names:
        raise UsageError(f"there is no campaign {asked!r}", f"known are: {', '.join(names[:8]) or 'none yet'}")
    return names
