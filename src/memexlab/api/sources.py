"""Commands that take documents in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .opened import Opened, person

if TYPE_CHECKING:
    from ..commands.compiling import Taken


class Sources(Opened):
    """Commands that take documents in."""

    def ingest(self, paths: list[Path]) -> Taken:
        """Takes in files and folders, and renders the wiki from what they say.

        A file that is known costs its hash; a changed one supersedes itself; what rested on a file that is gone is
        withdrawn. Claims enter with quotes that are found in the source. A file FILE.jsonl holds documents, one JSON
        object a line: id, title, text, and if known date, author, url; a bad line is named and left out.

        Arguments:
            paths: files and folders, such as raw
        """
        from ..commands.compiling import take_in

        return take_in(self.memory, self.root, paths, person())
