"""The file ledger keeps the contract of every ledger, with one segment and with many."""

from __future__ import annotations

from pathlib import Path

from memexlab.ledger import FileLedger
from memexlab.ledger.contract import LedgerContract


class TestFileLedger(LedgerContract):
    def open_ledger(self, folder: Path) -> FileLedger:
        return FileLedger(folder / "ledger")


class TestFileLedgerOfManySegments(LedgerContract):
    def open_ledger(self, folder: Path) -> FileLedger:
        return FileLedger(folder / "ledger", segment_limit_bytes=700)
