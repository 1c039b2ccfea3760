"""Commands that read the memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .opened import Opened

if TYPE_CHECKING:
    from ..commands.asking import Answered
    from ..commands.results import Table, Text
    from ..commands.searching import Found
    from ..commands.watching import Watch


class Questions(Opened):
    """Commands that read the memory."""

    def ask(self, question: str, *, as_of: str | None = None, campaign: str | None = None) -> Answered:
        """Answers a question about the runs, with the SQL that made the answer; says so where it does not know.

        For example: best val_bpb before run 50; was weight tying tried; how many runs crashed. More: docs/ask.md

        Arguments:
            question: in words
            as_of: as if only the runs up to this number, or before this date, were known
            campaign: the campaign (default: the newest)
        """
        from ..commands.asking import answered
        from ..commands.deciding import campaign_of

        return answered(self.memory, campaign_of(self.memory, campaign), question, as_of)

    def sql(self, query: str = "", *, limit: int = 1000, seconds: float = 10.0, schema: bool = False) -> Table | Text:
        """Reads the views with SQL: runs, settings, changes, champions, verdicts, entries and more.

        Read-only, stopped after a time, cut after a number of rows. Tables and columns: memex sql --schema

        Arguments:
            query: one SELECT
            limit: most rows to print
            seconds: longest time to run
            schema: print the documented tables instead
        """
        from ..commands.results import ask_sql

        return ask_sql(self.memory, query, limit, seconds, schema)

    def search(self, text: str = "", *, k: int = 10, queries: Path | None = None) -> Found:
        """Finds documents by free words, over what they share names with too; each with its best passage.

        Arguments:
            text: what to look for
            k: how many documents
            queries: instead of text, a file with an id and a query a line; prints JSON
        """
        from ..commands.searching import search

        return search(self.memory, text, k, queries)

    def watch(self, *, since: int | None = None, subject: str = "", seconds: float | None = None) -> Watch:
        """Prints entries as they land, in order, by whoever landed them; stop it with Ctrl-C.

        Arguments:
            since: start with the entry at this position (default: what lands from now on)
            subject: only entries whose subject begins so, such as run:night/
            seconds: stop by itself after so long
        """
        from ..commands.watching import Watch

        return Watch(self.memory.ledger, since, subject, seconds)
