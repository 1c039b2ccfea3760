"""Streams side by side: whose turn it is to read and write, who runs where, and what they cost each other.

It knows no plan and no verdict. A stream proposes, measures and judges on its own; all streams share one champion.
"""

from __future__ import annotations

import glob
import json
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from statistics import median

from ...memory import Memory
from .engine import Ended, Job, Slots

ALONE = "steps_a_second_alone"
#: From this loss of speed on, streams are told of it.
TOLD_FROM = 0.05


class Desk:
    """One stream at a time reads and writes the lab; the others measure, or wait for something outside."""

    def __init__(self) -> None:
        self._turn = threading.RLock()

    def __enter__(self) -> None:
        self._turn.acquire()

    def __exit__(self, *raised: object) -> None:
        self._turn.release()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Leaves the desk to the others meanwhile; only for who holds it exactly once."""
        self._turn.release()
        try:
            yield
        finally:
            self._turn.acquire()


class Streams:
    """Places to run in, `count` of them, each with a device of its own where devices are named.

    Whoever takes several gets them together, first come first served, so a pair waits for no one who waits for it.
    """

    def __init__(self, count: int, devices: tuple[str, ...] = (), slots: Slots | None = None) -> None:
        self.count, self.devices = count, devices
        self.slots = slots or Slots(count)
        self._free = list(range(count))
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, want: int, desk: Desk) -> Iterator[list[int]]:
        """`want` places, which must not be more than there are; the desk is left only where they are not free now."""
        turn = object()
        mine: list[int] = []

        def take() -> bool:
            if self._queue[0] is not turn or len(self._free) < want:
                return False
            self._queue.popleft()
            mine[:], self._free = self._free[:want], self._free[want:]
            self._changed.notify_all()
            return True

        with self._changed:
            self._queue.append(turn)
            taken = take()
        if not taken:
            with desk.away(), self._changed:
                self._changed.wait_for(take)
        try:
            yield mine
        finally:
            with self._changed:
                self._free = sorted((*self._free, *mine))
                self._changed.notify_all()

    def busy(self) -> int:
        """How many places are taken now."""
        with self._changed:
            return self.count - len(self._free)

    def on_device(self, place: int) -> Slots:
        """The slots as a run at this place uses them: with its device in the environment."""
        if not self.devices:
            return self.slots
        named = dict.fromkeys(("CUDA_VISIBLE_DEVICES", "MEMEX_DEVICE"), self.devices[place % len(self.devices)])
        return Adjusted(self.slots, lambda job: replace(job, env=job.env | named))


def visible_cards() -> tuple[str, ...]:
    """The graphics cards that a run here would use, as CUDA names them: what the environment allows, else all."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        return tuple(filter(None, (name.strip() for name in allowed.split(","))))
    return tuple(str(number) for number in range(len(glob.glob("/dev/nvidia[0-9]*"))))


class Adjusted(Slots):
    """The same slots, where every job is adjusted before it is run."""

    def __init__(self, slots: Slots, adjust: Callable[[Job], Job]) -> None:
        super().__init__(slots.count, slots.unsafe, slots.isolation)
        self._slots, self._adjust = slots, adjust

    def run(self, job: Job) -> Ended:
        return self._slots.run(self._adjust(job))


def change_key(diff: bytes) -> str:
    """Names a change by the lines it takes and gives, wherever it is made: what two streams must not both try."""
    lines = [line for line in diff.splitlines() if line[:1] in b"+-" and line[:3] not in (b"+++", b"---")]
    return sha256(b"\n".join(line.rstrip() for line in lines)).hexdigest()[:12]


def claimed_by(memory: Memory, campaign: str, key: str, since: int) -> int | None:
    """The run that tries this change now, or began to after run `since`; None where nobody does.

    Asked under the lock of the ledger it is a claim: of two streams with one idea the second is told who was first.
    """
    row = memory.db.execute(
        "SELECT r.number FROM runs r JOIN entries e ON e.seq = r.run WHERE r.campaign = ? AND r.role = 'candidate'"
        " AND (r.status = 'started' OR r.number > ?) AND r.status NOT IN ('blocked', 'lost')"
        " AND json_extract(e.body, '$.meta.change') = ? LIMIT 1",
        (campaign, since, key),
    ).fetchone()
    return row[0] if row else None


@dataclass(frozen=True, slots=True)
class Interference:
    """Steps a second of the baseline, alone and beside other streams."""

    alone: float
    together: float
    streams: int

    @property
    def loss(self) -> float:
        return 1 - self.together / self.alone

    def __str__(self) -> str:
        return (
            f"{self.streams} streams: a run makes {self.together:.4g} steps a second, alone {self.alone:.4g} "
            f"({self.loss:.0%} fewer)."
        )


def steps_a_second(metrics: dict[str, float], seconds: float) -> float | None:
    """The speed of a run, where it prints its steps; its own training time counts where it prints that too."""
    steps = next((metrics[name] for name in ("num_steps", "steps") if name in metrics), None)
    took = metrics.get("training_seconds", seconds)
    return steps / took if steps and took > 0 else None


def interference(memory: Memory, campaign: str) -> Interference | None:
    """What streams cost each other; None where no lone run was measured, or its runs print no steps."""
    alone = memory.db.execute(
        "SELECT json_extract(body, '$.object') FROM entries WHERE key = ?", (f"alone:{campaign}",)
    ).fetchone()
    if not (alone and alone[0]):
        return None
    speeds: list[float] = []
    streams = 1
    for body, seconds in memory.db.execute(
        "SELECT e.body, r.seconds FROM runs r JOIN entries e ON e.seq = r.run WHERE r.campaign = ?1 AND r.value IS NOT"
        " NULL AND r.commit_id = (SELECT commit_id FROM runs b WHERE b.campaign = ?1 AND b.role = 'baseline'"
        " ORDER BY b.number LIMIT 1) AND json_extract(e.body, '$.meta.streams') > 1",
        (campaign,),
    ):
        run = json.loads(body)
        speed = steps_a_second(run["metrics"], seconds or 0.0)
        if speed is not None:
            speeds.append(speed)
            streams = max(streams, run["meta"]["streams"])
    return Interference(alone[0], median(speeds), streams) if speeds else None
