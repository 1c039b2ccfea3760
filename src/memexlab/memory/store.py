"""One lab's memory, opened once: ledger, blobs and views, and the one door to all three."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from ..ledger import Blobs, Drafts, Entry, FileLedger, land
from .index import Index


class Memory:
    """Everything a lab remembers, under one folder (`.memex`)."""

    def __init__(self, folder: Path, aliases: Mapping[str, str] | None = None) -> None:
        """`aliases` are what the lab calls the same thing, phrase to knob; other ones fold the views again."""
        self.folder = folder
        self.ledger = FileLedger(folder / "ledger")
        self.blobs = Blobs(folder / "blobs")
        self.index = Index(folder / "index.db", self.ledger, aliases)

    def land(self, drafts: Drafts, by: str) -> list[Entry]:
        """Records drafts through the gate; see `memexlab.ledger.land`."""
        return land(drafts, by, ledger=self.ledger, blobs=self.blobs, view=self.index)

    @property
    def db(self) -> sqlite3.Connection:
        """The views with everything that has landed up to now."""
        self.index.catch_up()
        return self.index.db

    def close(self) -> None:
        self.index.close()
        self.ledger.close()
