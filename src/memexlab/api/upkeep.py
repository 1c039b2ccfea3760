"""Commands that keep the memory sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from .opened import Opened

if TYPE_CHECKING:
    from ..commands.doctor import Health
    from ..commands.eval_wiki import Evaluated
    from ..commands.results import Rebuilt


class Upkeep(Opened):
    """Commands that keep the memory sound."""

    def rebuild(self) -> Rebuilt:
        """Drops every view and folds the ledger again; always safe."""
        from ..commands.results import rebuilt

        return rebuilt(self.memory)

    def doctor(self) -> Health:
        """Checks ledger, blobs, views, SQLite, git, the sandbox and memex.toml, and says what to type."""
        from ..commands.doctor import check

        return check(self.root, self.memory)

    @staticmethod
    def eval(what: Literal["wiki"], *, subjects: int = 100, seed: int = 7) -> Evaluated:
        """Measures the wiki compiler on a corpus that is made up, so that what it should find is known.

        Facts, contradictions, twins, supersessions and aliases are planted and compiled without a model, in a folder
        of its own: once, again, and one document at a time. What was found, shown wrongly or printed twice is counted.

        Arguments:
            what: what to measure; wiki is the one there is
            subjects: how many things the documents are about; there are about 1.6 times as many documents
            seed: another one makes another corpus
        """
        from ..commands.eval_wiki import evaluate_wiki

        return evaluate_wiki(subjects, seed)
