"""One opened lab for each thread that answers requests, and what is costly to compute kept between requests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, TypeVar, cast

from starlette.requests import Request

from ..api import Lab
from ..lab.logbook import campaigns_newest_first

T = TypeVar("T")
#: What took longer than this to make may be older than the end of the ledger, by so many times what it took.
_COSTLY_SECONDS, _REST = 0.2, 10
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

    def lab(self) -> Lab:
        found: Lab | None = getattr(self._local, "lab", None)
        if found is None:
            found = self._local.lab = Lab(self._root)
            with self._adding:
                self._opened.append(found)
        return found

    def kept(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made once for each end of the ledger, by one thread while the others wait.

        Where making is costly it rests for ten times as long: what is given is older than the ledger then.
        """
        end = self._end()
        with self._adding:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            if key in self._kept:
                seen, at, took, value = self._kept[key]
                if seen == end or (took > _COSTLY_SECONDS and time.monotonic() - at < took * _REST):
                    return cast(T, value)
            begun = time.monotonic()
            value = make()
            now = time.monotonic()
            with self._adding:
                if len(self._kept) >= _MOST_KEPT and key not in self._kept:
                    self._kept.pop(next(iter(self._kept)))
                self._kept[key] = (end, now, now - begun, value)
        return value

    def is_behind(self, key: Hashable) -> bool:
        """Whether what is kept under this key lacks entries that have landed."""
        return key in self._kept and self._kept[key][0] != self._end()

    def _end(self) -> int:
        [(end,)] = self.lab().memory.db.execute("SELECT max(seq) FROM entries").fetchall()
        return -1 if end is None else int(end)

    def close(self) -> None:
        for lab in self._opened:
            lab.close()


def labs_of(request: Request) -> Labs:
    labs: Labs = request.app.state.labs
    return labs


def lab_of(request: Request) -> Lab:
    return labs_of(request).lab()


def campaigns(request: Request) -> list[str]:
    """Names of the campaigns, the newest first: asked on every page, and at 100,000 runs a fifth of a second's work."""
    labs = labs_of(request)
    return labs.kept(("campaigns",), lambda: campaigns_newest_first(labs.lab().memory.db, None))
