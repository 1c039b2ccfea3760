"""One opened lab for each thread that answers requests, and what is costly to compute kept between requests."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, cast

from starlette.requests import Request

from ..api import Lab
from ..lab.logbook import campaigns_newest_first

T = TypeVar("T")
#: What took more processor time than this to make may be older than the end of the ledger: it is made anew beside
#: the requests, and then rests for so many times what it took.
_COSTLY_SECONDS, _REST = 0.2, 10
#: What was made longer ago than this is given to nobody before it is made anew.
_OLDEST_SECONDS = 60
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
        self._renewing = ThreadPoolExecutor(1, "renewing")

    def lab(self) -> Lab:
        found: Lab | None = getattr(self._local, "lab", None)
        if found is None:
            found = self._local.lab = Lab(self._root)
            with self._adding:
                self._opened.append(found)
        return found

    def kept(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made once for each end of the ledger, by one thread while the others wait.

        Where making is costly, what is given may be a minute older than the ledger, and `make` is called on another
        thread, so it takes its connection from here and from no request.
        """
        with self._adding:
            making = self._making.setdefault(key, threading.Lock())
        if (found := self._kept.get(key)) is None:
            with making:
                found = self._kept.get(key) or self._made(key, make)
        end, at, took, value = found
        if end == self._end():
            return cast(T, value)
        if took <= _COSTLY_SECONDS or time.monotonic() - at > _OLDEST_SECONDS:
            with making:
                end, at, took, value = self._kept.get(key, found)
                is_young = took > _COSTLY_SECONDS and time.monotonic() - at < _OLDEST_SECONDS
                return cast(T, value if is_young or end == self._end() else self._made(key, make)[3])
        if time.monotonic() - at > took * _REST and making.acquire(blocking=False):
            self._renewing.submit(self._made, key, make).add_done_callback(lambda _: making.release())
        return cast(T, value)

    def _made(self, key: Hashable, make: Callable[[], object]) -> tuple[int, float, float, Any]:
        end, begun = self._end(), time.thread_time()
        value = make()
        found = (end, time.monotonic(), time.thread_time() - begun, value)
        with self._adding:
            if len(self._kept) >= _MOST_KEPT and key not in self._kept:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = found
        return found

    def is_behind(self, key: Hashable) -> bool:
        """Whether what is kept under this key lacks entries that have landed."""
        return key in self._kept and self._kept[key][0] != self._end()

    def _end(self) -> int:
        [(end,)] = self.lab().memory.db.execute("SELECT max(seq) FROM entries").fetchall()
        return -1 if end is None else int(end)

    def close(self) -> None:
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
    """Names of the campaigns, the newest first: asked on every page, and at 100,000 runs a fifth of a second's work."""
    labs = labs_of(request)
    return labs.kept(("campaigns",), lambda: campaigns_newest_first(labs.lab().memory.db, None))
