"""Addresses given to `memex ingest`: fetched where `[network] allow = true`, and kept as new files under `raw/web/`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..ledger import UsageError, blob_id, write_durably

if TYPE_CHECKING:
    from ..wiki.fetching import Fetched

_SUFFIX = {
    "text/html": ".html", "text/plain": ".txt", "text/markdown": ".md", "application/pdf": ".pdf", "text/csv": ".csv",
    "application/rss+xml": ".rss", "application/atom+xml": ".atom", "application/xml": ".xml", "text/xml": ".xml",
    "application/epub+zip": ".epub", "image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp",
}  # fmt: skip


def local(root: Path, paths: Sequence[Path], get: Callable[[str], Fetched] | None = None) -> list[Path]:
    """The paths, each address among them replaced by the file it was kept in, one page fetched twice by one file; a
    relative one that is not here but in the lab is the lab's."""
    if get is None and any(re.match("https?:/", str(path)) for path in paths):
        from ..wiki.fetching import fetch as get  # here, so that files on disk do not wait for it
    return [_kept(root, match[1], match[2], get) if get and (match := re.match(r"(https?):/+(.+)", str(path)))
            else root / path if not path.exists() and (root / path).exists() else path for path in paths]  # fmt: skip


def _kept(root: Path, scheme: str, rest: str, get: Callable[[str], Fetched]) -> Path:
    url = f"{scheme}://{rest}"  # a Path holds one slash where the address had two
    from ..config import load

    if not load(root).network:
        raise UsageError(f"{url[:100]} was not fetched: the network is off", "[network] and allow = true in memex.toml")
    came = get(url)
    suffix = _SUFFIX.get(came.media)
    if suffix is None:
        raise UsageError(f"{url[:100]} is {came.media or 'of no kind'}, which no reader reads", "save it by hand")
    parts = urlsplit(came.address)
    stem = re.sub(r"[^a-z0-9]+", "-", f"{parts.hostname or ''}{parts.path}".lower()).strip("-")[:80]
    path = root / "raw" / "web" / f"{stem}-{blob_id(came.data)[2:14]}{suffix}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, came.data)
    return path
