"""What a person brings to the Sources page: files that are dropped, an address that is pasted, words that are selected.

Files are saved under `raw/` as new files only, and taken in by `memex ingest`; a selection becomes a claim by the gate
that lets in an agent's lines (`memex land`). It knows no reader.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import tempfile
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..ledger import Refused, UsageError
from ..wiki.readers import READERS
from .http_api import json_object
from .labs import lab_of

LIMIT_BYTES = 30_000_000
#: A file name has at most 255 bytes on most disks, and a character up to four.
_NAME_CHARS = 60


def safe_name(given: str) -> str:
    """A name for a new file in one folder: no path, no control characters, an ending that can be read."""
    name = unicodedata.normalize("NFC", given).replace("\\", "/").rpartition("/")[2]
    name = re.sub(r"[^\w .()+,=@-]", "_", name).strip(" .")
    stem, _, ending = name.rpartition(".")
    if not stem or f".{ending.lower()}" not in READERS:
        raise UsageError(f"{given[:80]!r} has no reader", f"endings: {' '.join(sorted(READERS))}")
    return f"{stem[:_NAME_CHARS].strip(' .') or 'source'}.{ending.lower()}"


def save_new(root: Path, name: str, data: bytes) -> str:
    """Saves under `raw/`, whole or not at all, and never over a file; gives its name relative to the lab.

    Where the same bytes lie there under this name, nothing is done.
    """
    folder = root / "raw"
    folder.mkdir(exist_ok=True)
    if not folder.resolve().is_relative_to(root.resolve()):
        raise UsageError("raw/ lies outside of this lab", "memex ingest its target")
    path, beside = folder / name, folder / f".{secrets.token_hex(6)}.part"
    try:
        beside.write_bytes(data)
        os.link(beside, path)
    except FileExistsError:
        if path.is_symlink() or not path.is_file() or path.read_bytes() != data:
            raise UsageError(f"raw/{name} is another file", "give yours another name") from None
    finally:
        beside.unlink(missing_ok=True)
    return f"raw/{name}"


async def _upload(request: Request) -> Response:
    """The bytes of one file, with its name percent-encoded in `x-name`."""
    name = safe_name(unquote(request.headers.get("x-name", ""))[:400])
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > LIMIT_BYTES:
            return JSONResponse({"error": f"a file has at most {LIMIT_BYTES:,} bytes; type memex ingest"}, 413)
    saved = await run_in_threadpool(save_new, request.app.state.root, name, bytes(data))
    return JSONResponse({"text": f"saved as {saved}", "name": saved})


def _told(work: Callable[[Request, dict[str, Any]], dict[str, Any]]) -> Callable[[Request], Any]:
    """A route that reads a JSON object and works in a thread."""

    async def route(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(work, request, await json_object(request)))

    return route


def _take(request: Request, given: dict[str, Any]) -> dict[str, Any]:
    """Takes in what was saved by these names, or an address; without either, all of `raw/`."""
    lab = lab_of(request)
    if address := given.get("url"):
        if not re.fullmatch(r"https?://\S{1,2000}", str(address)):
            raise UsageError(f"{str(address)[:80]!r} is no web address", "https://example.org/page")
        return {"text": str(lab.ingest([Path(str(address))]))}
    names = given.get("names") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UsageError("names is no list of names", '{"names": ["raw/a.md"]}')
    paths = [lab.root / "raw" / safe_name(name) for name in names] or [lab.root / "raw"]
    return {"text": str(lab.ingest(paths))}


def _claim(request: Request, given: dict[str, Any]) -> dict[str, Any]:
    """Lands a sentence that a person wrote about words they selected; the gate says what the words do not bear."""
    from ..commands.land import Drafted

    fields: dict[str, object] = {name: str(given.get(name, "")) for name in ("source", "subject", "sentence", "quote")}
    fields |= {name: given[name] for name in ("line", "last") if isinstance(given.get(name), int)}
    lab = lab_of(request)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "claim"
        file.write_text(json.dumps(fields | {"relation": "says"}), encoding="utf-8")
        done = lab.land(file)
    assert isinstance(done, Drafted)  # these fields name no person
    if done.landed.findings:
        raise Refused(list(done.landed.findings))
    return {"text": "It is a claim now, and on its page." if done.landed.claims else "This claim was known."}


ROUTES = [
    Route("/sources/upload", _upload, methods=["POST"]),
    Route("/sources/take", _told(_take), methods=["POST"]),
    Route("/sources/claim", _told(_claim), methods=["POST"]),
]
