"""Bytes named by their SHA-256: logs, diffs, artifacts, documents. Written once, never changed.

A blob is durable before `put` returns, so an entry that points to it can never outlive it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path

from .errors import Finding, OutsideError, UsageError

PREFIX = "b:"


def blob_id(data: bytes) -> str:
    return PREFIX + sha256(data).hexdigest()


def sync_folder(folder: Path) -> None:
    """Makes names created in `folder` durable; without it a synced file can still vanish at power loss."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@cache
def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def make_folder(folder: Path) -> None:
    """Makes a folder and what is missing above it, durably."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        sync_folder(path.parent)


def write_durably(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Replaces `path` as a whole: temporary file beside it, fsync, rename, fsync of the folder.

    The umask applies to `mode`, as to any new file.
    """
    name = path.parent / f".tmp-{os.urandom(8).hex()}"
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.chmod(name, mode & ~_umask())
        os.replace(name, path)
        sync_folder(path.parent)
    except BaseException:
        name.unlink(missing_ok=True)
        raise


class Blobs:
    """A folder of blobs, two levels deep: `ab/abcdef...`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, blob: str) -> Path:
        name = blob.removeprefix(PREFIX)
        if len(name) != 64 or not set(name) <= set("0123456789abcdef"):
            raise UsageError(f"not a blob id: {blob!r}", "a blob id is b: and 64 hexadecimal digits")
        return self.folder / name[:2] / name

    def put(self, data: bytes) -> str:
        """Stores the bytes and returns their id; storing the same bytes again costs no write."""
        blob = blob_id(data)
        path = self.path(blob)
        try:
            if path.exists():
                # Whoever put it may not have come to this line, and its name must not vanish once an entry has it.
                sync_folder(path.parent)
                return blob
            make_folder(path.parent)
            write_durably(path, data, mode=0o444)
        except OSError as error:
            raise OutsideError(
                f"cannot store {len(data)} bytes in {self.folder}: {error}",
                retryable=True,
                hint="df -h .   (then run the command again; nothing that was recorded is lost)",
            ) from error
        return blob

    def get(self, blob: str) -> bytes:
        """The bytes, checked against their name; raises OutsideError if they are missing or damaged."""
        path = self.path(blob)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise OutsideError(f"blob {blob} cannot be read: {error}", hint="memex doctor") from error
        if blob_id(data) != blob:
            raise OutsideError(f"blob {blob} is damaged: its bytes have another hash", hint="memex doctor")
        return data

    def has(self, blob: str) -> bool:
        return self.path(blob).exists()

    def ids(self) -> Iterator[str]:
        for path in sorted(self.folder.glob("??/*")):
            if not path.name.startswith(".tmp-"):
                yield PREFIX + path.name

    def verify(self) -> Iterator[Finding]:
        """Reads every blob; one finding for each whose bytes do not have the hash in its name."""
        for blob in self.ids():
            try:
                self.get(blob)
            except (OutsideError, UsageError) as error:
                message = str(error).split("\n")[0]
                yield Finding("blob-damaged", "error", str(self.folder), message, "restore from a copy")
