"""What takes long to make, made in a process of its own, so that nobody waits who asked the server for something else.

`python -m memexlab.web.worker LAB` reads a function and its arguments, calls it on the memory of that lab, and writes
what it gives: pickles, between two processes of the same program over a pipe that nobody else holds. It ends when that
pipe does, so none is left when the server was killed.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..ledger import MemexError, OutsideError

SECONDS = 180


class Apart:
    """The process: started when something is asked of it, and again when it ended; one thing at a time."""

    def __init__(self, root: Path) -> None:
        self._root, self._one, self._closed = root, threading.Lock(), False
        self.process: subprocess.Popen[bytes] | None = None

    def made(self, function: Callable[..., Any], *given: object) -> Any:
        """What the function gives there for the lab's memory and these; raises OutsideError where it never came."""
        with self._one:
            begun = time.monotonic()
            while True:
                fresh = self.process is None
                try:
                    good, value = self._asked(function, given)
                    break
                except (EOFError, OSError, pickle.UnpicklingError) as error:
                    self._kill()
                    if fresh or time.monotonic() - begun >= SECONDS:  # one that ended since may be replaced
                        told = f"it was not made within {SECONDS} s, or what made it was ended"
                        raise OutsideError(told, hint="memex doctor") from error
        if good:
            return value
        raise value if isinstance(value, MemexError) else RuntimeError(value)

    def _asked(self, function: Callable[..., Any], given: tuple[object, ...]) -> tuple[bool, Any]:
        if self._closed:
            raise OutsideError("the server ends", hint="memex serve")
        if self.process is None:
            command = [sys.executable, "-P", "-m", __name__, str(self._root)]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0)
        process = self.process
        assert process.stdin is not None
        assert process.stdout is not None
        late = threading.Timer(SECONDS, process.kill)
        late.daemon = True
        late.start()
        try:
            process.stdin.write(pickle.dumps((function, given)))
            process.stdin.flush()
            good, value = pickle.load(process.stdout)
            return good, value
        finally:
            late.cancel()

    def _kill(self) -> None:
        if (process := self.process) is not None:
            self.process = None
            process.kill()
            with contextlib.suppress(OSError):  # what it was not told any more
                process.__exit__(None, None, None)

    def close(self) -> None:
        self._closed = True
        if (process := self.process) is not None:
            process.kill()  # who waits for it is told
        with self._one:
            self._kill()


def _main() -> None:
    from ..api import Lab

    # What a function prints is no answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with contextlib.closing(Lab(Path(sys.argv[1]))) as lab:
        while True:
            try:
                function, given = pickle.load(sys.stdin.buffer)
            except EOFError:
                return
            try:
                told = True, function(lab.memory, *given)
            except MemexError as error:
                told = False, error
            except Exception:
                told = False, traceback.format_exc()
            answers.write(pickle.dumps(told, -1))
            answers.flush()


if __name__ == "__main__":
    _main()
