"""`memex pause`, `resume`, `stop`, `approve` and `reject`: a person's orders to a loop that is at work."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from ..lab.execution.owner import is_alive
from ..lab.loop.steering import Order, Patch, Steering, Word
from ..lab.wording import clean
from ..ledger import UsageError, utc_now

_SAID = {
    "pause": "The loop holds before its next run; memex resume goes on.",
    "": "The loop goes on.",
    "stop": "The loop ends after the runs that are at work.",
    "stop-now": "The loop ends now, and the runs at work with it.",
}


@dataclass(frozen=True, slots=True)
class Steered:
    """What was ordered, and whether a loop is there to hear it; `beat_seconds` is how long ago it was last heard of."""

    order: str
    text: str
    loop: int | None
    beat_seconds: float | None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Queue:
    """The patches that wait for a word, and what was just said of one."""

    said: str
    patches: tuple[Patch, ...]

    def data(self) -> dict[str, object]:
        return {"said": self.said, "patches": [asdict(patch) for patch in self.patches]}

    def __str__(self) -> str:
        lines = [self.said] if self.said else []
        for patch in self.patches:
            lines.append(f"{patch.id}  {clean(patch.description, 120)}")
            lines.append(f"  why: {clean(patch.hypothesis, 300) or 'not said'}")
            lines += [f"  {clean(line, 160)}" for line in patch.diff.splitlines() if not line.startswith("index ")]
            lines += [f"  memex approve {patch.id}   or   memex reject {patch.id} --why ..."]
        return "\n".join(lines or ["No patch waits for a word."])


def steer(folder: Path, order: Order) -> Steered:
    """Leaves an order for the loop of the lab whose `.memex` this is."""
    steering = Steering(folder)
    beat = steering.last_beat()
    loop = beat["pid"] if beat and is_alive(beat["owner"]) else None
    age = round((utc_now() - datetime.fromisoformat(beat["at"])).total_seconds(), 1) if loop is not None else None
    if loop is None and order in ("stop", "stop-now"):
        return Steered(order, "No loop is at work in this lab.", None, None)
    steering.give(order)
    alone = "No loop is at work in this lab." + (" The next one waits for memex resume." if order else "")
    return Steered(order, _SAID[order] if loop is not None else alone, loop, age)


def approvals(folder: Path, by: str, patch: str | None, approved: bool, why: str = "") -> Queue:
    """The queue, after a word on one of its patches where one is named."""
    steering = Steering(folder)
    waiting = steering.queue()
    if patch is None:
        return Queue("", tuple(waiting))
    found = [one for one in waiting if one.id.startswith(patch)]
    if len(found) != 1:
        count = "no" if not found else "more than one"
        raise UsageError(f"{count} patch that waits is called {patch!r}", "memex approve")
    steering.say(found[0], Word(approved, by, why))
    rest = tuple(one for one in waiting if one.id != found[0].id)
    said = "may run" if approved else "is turned down"
    return Queue(f"{found[0].id} {said}: {clean(found[0].description, 120)}", rest)
