"""One opened lab for each thread that answers requests: a connection to the views is not shared between threads."""

from __future__ import annotations

import threading
from pathlib import Path

from starlette.requests import Request

from ..api import Lab


class Labs:
    """Opens a lab on the first request of a thread, and closes all of them at the end."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._local = threading.local()
        self._opened: list[Lab] = []
        self._adding = threading.Lock()

    def lab(self) -> Lab:
        found: Lab | None = getattr(self._local, "lab", None)
        if found is None:
            found = self._local.lab = Lab(self._root)
            with self._adding:
                self._opened.append(found)
        return found

    def close(self) -> None:
        for lab in self._opened:
            lab.close()


def lab_of(request: Request) -> Lab:
    labs: Labs = request.app.state.labs
    return labs.lab()
