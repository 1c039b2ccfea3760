"""A GGUF file on this machine: starts xllamacpp on a loopback port in this process, which speaks like any endpoint."""

from __future__ import annotations

import os
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
