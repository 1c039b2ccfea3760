"""How a person steers a loop at work: pause, stop, approve, through small files that the loop looks at between runs.

It knows no plan. The files are orders, not records: what came of them is in the ledger.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from ...ledger import utc_now

Order = Literal["", "pause", "stop", "stop-now"]
_BEAT_SECONDS = 5.0
#: How long a command or a webhook of the person may take.
_NOTIFY_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Patch:
    """A change that waits for a person's word; `id` names it by what it changes."""

    id: str
    description: str
    hypothesis: str
    diff: str


@dataclass(frozen=True, slots=True)
class Word:
    """What the person said of a patch."""

    approved: bool
    by: str
    why: str = ""


class Steering:
    """The files in `.memex` by which a lab's loop is steered; the loop and the person's commands both hold one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._control, self._beat = folder / "control", folder / "heartbeat.json"
        self._patches = folder / "approvals"
        self._beaten = 0.0

    # --- pause and stop

    @property
    def order(self) -> Order:
        try:
            found = self._control.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return ""
        return found if found in ("pause", "stop", "stop-now") else ""  # type: ignore[return-value]

    def give(self, order: Order) -> None:
        """Leaves an order for the loop, or takes it back with ''."""
        if order:
            _replace(self._control, order)
        else:
            self._control.unlink(missing_ok=True)

    def begin(self) -> None:
        """A new loop: an order to stop and patches that waited belong to the one before."""
        if self.order != "pause":
            self.give("")
        for path in self._patches.glob("*.json") if self._patches.is_dir() else ():
            path.unlink(missing_ok=True)

    def beat(self, **told: object) -> None:
        """Says that the loop is alive, at most every few seconds."""
        if time.monotonic() - self._beaten >= _BEAT_SECONDS:
            self._beaten = time.monotonic()
            _replace(self._beat, json.dumps({"pid": os.getpid(), "at": utc_now().isoformat(), **told}))

    def last_beat(self) -> dict[str, Any]:
        """What the loop said last, {} where there was none."""
        try:
            found: dict[str, Any] = json.loads(self._beat.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return found

    # --- approval

    def ask(self, patch: Patch) -> bool:
        """Puts a patch into the queue; False where the same change waits there already."""
        self._patches.mkdir(parents=True, exist_ok=True)
        path = self._patches / f"{patch.id}.json"
        if path.exists():
            return False
        _replace(path, json.dumps(asdict(patch)))
        return True

    def queue(self) -> list[Patch]:
        """The patches that wait for a word, the oldest first."""
        paths = [path for path in self._patches.glob("*.json") if not path.name.endswith(".word.json")]
        paths = [path for path in paths if not path.with_suffix(".word.json").exists()]
        found: list[tuple[int, Patch]] = []
        for path in paths:
            with suppress(FileNotFoundError):  # a word was said on it, and the loop took it away
                found.append((path.stat().st_mtime_ns, Patch(**json.loads(path.read_text(encoding="utf-8")))))
        return [patch for _, patch in sorted(found, key=lambda one: one[0])]

    def say(self, patch: Patch, word: Word) -> None:
        _replace(self._patches / f"{patch.id}.word.json", json.dumps(asdict(word)))

    def word(self, patch: Patch) -> Word | None:
        """The person's word on a patch, which is in the queue no more; None while there is none."""
        said = self._patches / f"{patch.id}.word.json"
        return Word(**json.loads(said.read_text(encoding="utf-8"))) if said.exists() else None

    def is_held(self, patch: str) -> bool:
        """Whether a stream still holds a patch: it waits for a word, or has one and has not begun to run."""
        return (self._patches / f"{patch}.json").exists()

    def withdraw(self, patch: str) -> None:
        for suffix in (".json", ".word.json"):
            (self._patches / f"{patch}{suffix}").unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Notify:
    """What to call when something happens: a command, a webhook, or both; `crashes` in a row are such a thing."""

    command: str = ""
    webhook: str = ""
    crashes: int = 3


class Notifier:
    """Calls the person's command or webhook with JSON; a failure is told and stops nothing."""

    def __init__(self, settings: Notify, told: Callable[[str], None]) -> None:
        self.settings, self._told = settings, told
        self._calls: list[threading.Thread] = []
        self._crashes = 0

    def send(self, event: str, **payload: object) -> None:
        """Calls in a thread of its own: no run waits for it."""
        if self.settings.command or self.settings.webhook:
            data = json.dumps({"event": event, "at": utc_now().isoformat(), **payload}).encode()
            call = threading.Thread(target=self._call, args=(data,), daemon=True)
            call.start()
            self._calls.append(call)

    def measured(self, status: str, **payload: object) -> None:
        """Counts candidates that failed one after the other."""
        self._crashes = self._crashes + 1 if status in ("crash", "timeout", "invalid") else 0
        if self._crashes and self._crashes == self.settings.crashes:
            self.send("crashes", in_a_row=self._crashes, **payload)

    def close(self) -> None:
        for call in self._calls:
            call.join(_NOTIFY_SECONDS)

    def _call(self, data: bytes) -> None:
        if self.settings.command:
            try:
                done = subprocess.run(
                    self.settings.command, shell=True, input=data, capture_output=True, timeout=_NOTIFY_SECONDS
                )
                if done.returncode:
                    last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
                    self._told(f"[notify] command ended with {done.returncode}: {last[:200]}")
            except (OSError, subprocess.TimeoutExpired) as error:
                self._told(f"[notify] command failed: {error}")
        if self.settings.webhook:
            request = urllib.request.Request(self.settings.webhook, data, {"Content-Type": "application/json"})
            try:
                urllib.request.urlopen(request, timeout=_NOTIFY_SECONDS).close()
            except (OSError, ValueError) as error:
                self._told(f"[notify] webhook failed: {error}")


def _replace(path: Path, text: str) -> None:
    """Writes a file whole or not at all; it need not outlive a power loss."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)
