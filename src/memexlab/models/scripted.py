"""A provider that reads its replies from a file: for tests, and for a night that is played again. Needs no network."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ..ledger import OutsideError, UsageError
from .prompts import Prompt, Reply


class Scripted:
    """Gives the first unused reply of a JSON-lines file whose `match` (a regex, or left out) is found in the prompt."""

    def __init__(self, file: str, name: str = "") -> None:
        self.name = name or f"scripted-{Path(file).stem}"
        self._file = file
        self._left: list[tuple[re.Pattern[str], str]] = []
        try:
            for line in Path(file).read_text(encoding="utf-8").splitlines():
                said = json.loads(line)
                self._left.append((re.compile(said.get("match", "")), said["reply"]))
        except (OSError, ValueError, TypeError, KeyError, AttributeError, re.error) as error:
            hint = '{"match": "a regex", "reply": "a text"}   is a line of it; match may be left out'
            raise UsageError(f"{file} line {len(self._left) + 1} is no reply: {error!r}", hint) from error

    def complete(self, prompt: Prompt, *, max_tokens: int, timeout_seconds: float) -> Reply:
        for place, (pattern, reply) in enumerate(self._left):
            if pattern.search(prompt.text):
                del self._left[place]
                return Reply(reply)
        raise OutsideError(
            f"{self._file} has no reply for this prompt; {len(self._left)} for others are left",
            hint=f"add a line to {self._file}",
        )
