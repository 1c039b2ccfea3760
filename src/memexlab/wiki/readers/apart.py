"""Reads a file in a process of its own, with limits: a bomb or a crash of a parser costs a finding, never the compile.

`python -m memexlab.wiki.readers.apart MODULE NAME` reads bytes on stdin and writes a JSON line for each document.
"""

from __future__ import annotations

import contextlib
import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module

from ...ledger import Finding
from . import Document, Link, Section

SECONDS, MEMORY_BYTES = 60, 2_000_000_000


def parse_apart(module: str, data: bytes, name: str) -> Iterator[Document | Finding]:
    """What the module's `parse` gives; a finding where the process ran out of time or memory, or died."""
    command = [sys.executable, "-I", "-m", __name__, module, name]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        yield Finding("source-slow", "warning", name, f"could not be read in {SECONDS} s")
        return
    for line in done.stdout.splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):  # the last line of a process that was killed
            yield _from_line(line, data)
    if done.returncode:
        told = done.stderr.decode(errors="replace").strip().splitlines()
        reason = told[-1][:200] if told else f"ended by signal {-done.returncode}"
        yield Finding("source-unreadable", "warning", name, f"the reader gave up: {reason}")


def _from_line(line: bytes, data: bytes) -> Document | Finding:
    told = json.loads(line)
    if told.pop("finding", False):
        return Finding(**told)
    raw = told.pop("raw")
    return Document(
        **told | {
            "sections": tuple(Section(**section) for section in told["sections"]),
            "links": tuple(Link(**link) for link in told["links"]),
            "attachments": tuple(told["attachments"]),
            "raw": data if raw == "all" else raw.encode("latin-1") if raw is not None else None,
        }
    )  # fmt: skip


def _main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    module, name = sys.argv[1:3]
    data = sys.stdin.buffer.read()
    for found in import_module(f".{module}", __package__).parse(data, name):
        told = asdict(found)
        if isinstance(found, Finding):
            told["finding"] = True
        else:
            told["raw"] = None if found.raw is None else "all" if found.raw == data else found.raw.decode("latin-1")
        sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    _main()
