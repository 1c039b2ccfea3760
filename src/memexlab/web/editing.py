"""A block of a page of the wiki, edited in place: it becomes a claim of the person by `memex sync`.

A block is one line that ends with its name (` ^c12ab`). What is on disk stays the truth: nothing is written where the
block changed since it was read.
"""

from __future__ import annotations

import re
import threading
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..ledger import UsageError, write_durably
from .http_api import json_object
from .labs import lab_of

_MOST_CHARS = 4_000
_ONE_AT_A_TIME = threading.Lock()


def _place(root: Path, name: str, block: str) -> tuple[Path, list[str], int]:
    """The file, its lines, and which of them is the block; raises UsageError where it is not there."""
    wiki = (root / "wiki").resolve()
    path = (wiki / f"{name.replace(chr(0), '')}.md").resolve()
    if path.is_relative_to(wiki) and path.is_file():
        lines = path.read_text(encoding="utf-8").split("\n")
        for i, line in enumerate(lines):
            if block and line.endswith(f" ^{block}"):
                return path, lines, i
    raise UsageError(f"page {name[:80]!r} has no block {block[:40]!r}", "read the page again")


def _block(request: Request) -> Response:
    """The words of a block as they stand in the file, without its name and its bullet."""
    asked = request.query_params
    _, lines, i = _place(request.app.state.root, asked.get("page", ""), asked.get("block", ""))
    return JSONResponse({"text": _bare(lines[i])})


def _bare(line: str) -> str:
    return re.sub(r"^\s*[-*] ", "", line.rpartition(" ^")[0])


def _edit(request: Request, given: dict[str, object]) -> Response:
    page, block, was, text = (str(given.get(name, "")) for name in ("page", "block", "was", "text"))
    text = " ".join(text.split())
    if not text or len(text) > _MOST_CHARS or re.search(r"\s\^[\w-]+$", text):
        raise UsageError("a block is one paragraph of words", f"at most {_MOST_CHARS:,} characters")
    with _ONE_AT_A_TIME:
        path, lines, i = _place(request.app.state.root, page, block)
        now = _bare(lines[i])
        if was != now:
            return JSONResponse({"error": f"this block changed meanwhile; it says now: {now}"}, 409)
        lines[i] = lines[i].replace(now, text, 1)
        write_durably(path, "\n".join(lines).encode())
        return JSONResponse({"text": str(lab_of(request).sync())})


async def _edited(request: Request) -> Response:
    return await run_in_threadpool(_edit, request, await json_object(request))


ROUTES = [Route("/wiki-block", _block), Route("/wiki-block", _edited, methods=["POST"])]
