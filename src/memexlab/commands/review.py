"""`memex review`: what waits for a person, and the verdict on one of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..ledger import UsageError
from ..memory import Memory
from ..wiki.review import Decided, Decision, Item, decide, queue

_TOLD = 20


@dataclass(frozen=True, slots=True)
class Waiting:
    """The queue, and what was just judged."""

    items: tuple[Item, ...]
    decided: Decided | None = None

    def data(self) -> dict[str, Any]:
        return {"queue": [asdict(item) for item in self.items], "decided": self.decided and asdict(self.decided)}

    def __str__(self) -> str:
        lines = [f"{self.decided.decision}: {self.decided.item.text}"] if self.decided is not None else []
        for item in self.items[:_TOLD]:
            lines += [f"{item.id}  {item.kind}: {item.subject}", f"  {item.text[:200]}", f"  why: {item.why}",
                      f"  accept: {item.accept}; reject: {item.reject}"]  # fmt: skip
        if len(self.items) > _TOLD:
            lines.append(f"and {len(self.items) - _TOLD} more: memex review --json")
        example = f"; for example: memex review {self.items[0].id} accept --why REASON" if self.items else ""
        return "\n".join([*lines, f"{len(self.items)} to judge{example}"])


def review(memory: Memory, root: Path, item: str, decision: Decision | None, text: str, why: str, by: str) -> Waiting:
    """The queue, after judging `item` where one is named."""
    if bool(item) != (decision is not None):
        raise UsageError("an item and a decision are needed", "memex review ID accept --why REASON")
    done = decide(memory, root, item, decision, text, why, by) if decision is not None else None
    return Waiting(tuple(queue(memory, root)), done)
