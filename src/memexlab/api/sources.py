"""Commands that take documents in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .opened import Opened, person

if TYPE_CHECKING:
    from ..commands.searching import Ingested


class Sources(Opened):
    """Commands that take documents in."""

    def ingest(self, file: Path) -> Ingested:
        """Takes in documents, one JSON object a line: id, title, text, and if known date, author, url.

        The same file again adds nothing; a changed document supersedes itself. A bad line is named and left out.

        Arguments:
            file: the documents
        """
        from ..commands.searching import ingest

        return ingest(self.memory, person(), file)
