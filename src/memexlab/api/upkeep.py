"""Commands that keep the memory sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .opened import Opened

if TYPE_CHECKING:
    from ..commands.health import Health
    from ..commands.results import Rebuilt


class Upkeep(Opened):
    """Commands that keep the memory sound."""

    def rebuild(self) -> Rebuilt:
        """Drops every view and folds the ledger again; always safe."""
        from ..commands.results import rebuilt

        return rebuilt(self.memory)

    def doctor(self) -> Health:
        """Checks ledger, blobs, views, SQLite, git, the sandbox and memex.toml, and says what to type."""
        from ..commands.health import check

        return check(self.root, self.memory)
