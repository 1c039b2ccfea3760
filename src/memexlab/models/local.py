"""Providers that need no network: a GGUF file on this machine, and replies that are read from a file.

A GGUF file is served by xllamacpp on a loopback port in this process, which speaks like any endpoint. Replies of a file
are for tests, and for a night that is played again.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from ..ledger import OutsideError, UsageError
from .endpoint import Endpoint
from .prompts import Prompt, Reply

CONTEXT_TOKENS = 8192


class Local:
    """Loads the file at the first question and keeps it until the process ends."""

    def __init__(self, file: str, name: str = "") -> None:
        self.file, self.name = Path(file), name or Path(file).stem
        self._server: Any = None

    def complete(self, prompt: Prompt, *, max_tokens: int, timeout_seconds: float) -> Reply:
        self._server = self._server or self._started()
        endpoint = Endpoint(self.name, f"{self._server.listening_address}/v1")
        return endpoint.complete(prompt, max_tokens=max_tokens, timeout_seconds=timeout_seconds)

    def _started(self) -> Any:
        # Threads that wait must not spin: an experiment may run beside it. Read when the library is loaded.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        try:
            import xllamacpp
        except ImportError as error:
            raise UsageError("xllamacpp is not installed", "pip install 'memexlab[local]'") from error
        if not self.file.is_file():
            raise UsageError(f"there is no model file {self.file}", 'file = "model.gguf"   under [model]')
        params = xllamacpp.CommonParams()
        params.model.path, params.port = str(self.file), 0
        params.n_ctx, params.n_parallel, params.verbosity = CONTEXT_TOKENS, 1, -1
        params.sampling.temp = 0.0
        try:
            return xllamacpp.Server(params)
        except (RuntimeError, ValueError) as error:
            raise OutsideError(f"{self.file} cannot be loaded: {error}", hint=f"sha256sum {self.file}") from error


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
