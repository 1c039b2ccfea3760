"""Commands that read the memory."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..ledger import UsageError
from .opened import Opened, person

if TYPE_CHECKING:
    from ..commands.ask import Answered
    from ..commands.ask_sources import Sourced
    from ..commands.council import Counsel
    from ..commands.history import Names, RunLog, Story
    from ..commands.results import Table, Text
    from ..commands.search import Found
    from ..commands.trails import Conflicts, Related, Trail
    from ..commands.watch import Watch
    from ..partner.asking import Spoken


class Questions(Opened):
    """Commands that read the memory."""

    def ask(
        self,
        question: str,
        *,
        as_of: str | None = None,
        as_: str | None = None,
        campaign: str | None = None,
        model: str | None = None,
        save: bool = False,
        to: Literal["marp", "figure", "table", "canvas"] | None = None,
    ) -> Answered | Sourced | Spoken:
        """Answers a question about the runs, with the SQL that made the answer, or from sources, with lines.

        For example: best val_bpb before run 50; was weight tying tried; how many runs crashed. More: docs/ask.md

        Arguments:
            question: in words
            as_of: as if only the runs up to this number, or before this date, were known; of sources what held then
            as_: answer from the published words of a person, such as darwin: docs/partner-page.md; typed, a form too
            campaign: the campaign (default: the newest)
            model: alone, the model of memex.toml, or another one: it words the answer from what sources say
            save: file the answer as a page of wiki/
            to: write it as a Marp deck, a figure with its data, a table or a JSON Canvas, in reports/
        """
        from ..commands.ask import answered, checked

        as_of = checked(as_of)
        if as_ in ("marp", "figure", "table", "canvas"):
            raise UsageError(
                f"--as names a person, and {as_!r} is a form of an answer", f"memex ask QUESTION --to {as_}"
            )
        if as_ is not None:
            from ..commands.perspective import spoken

            return spoken(self.memory, self.root, as_, question, as_of, model)
        from ..commands.ask_sources import from_sources
        from ..commands.decisions import campaign_of

        sourced = model is not None or save or to is not None
        any_run = self.memory.db.execute("SELECT 1 FROM campaigns").fetchone()
        any_document = self.memory.db.execute("SELECT 1 FROM documents").fetchone()
        if not sourced and (campaign or any_run or not any_document):
            answer = answered(self.memory, campaign_of(self.memory, campaign), question, as_of)
            if answer.answer.confidence not in ("none", "passages") or (
                as_of and as_of.isdecimal() and len(as_of) != 4
            ):
                return answer
            found = from_sources(self.memory, self.root, question, as_of, person())
            runs = "\nrun " in answer.answer.text and found.answer.kind != "values"
            told = found.answer.kind == "values" or (found.pieces and not runs)
            # Documents that only share words with the question are no answer, where sources hold none.
            return found if told or (answer.answer.confidence == "passages" and not runs) else answer
        return from_sources(self.memory, self.root, question, as_of, person(), model, save, to)

    def council(self, question: str, *, seats: str, seed: int = 0) -> Counsel:
        """Lets several seats answer a question apart and rank each other blind; the minority report is always kept.

        A seat is a lens, lenses/NAME.md in the lab, a person whose corpus was taken in, or a model at the address of
        memex.toml. No seat ranks its own answer, and each sees the others in an order of its own. Without a model: the
        evidence of each, side by side.

        Arguments:
            question: in words
            seats: 2 to 12 names, such as sceptic,darwin,qwen3:8b
            seed: which orders the answers are shown in
        """
        from ..commands.council import council

        return council(self.memory, self.root, question, seats, seed, lambda line: print(line, file=sys.stderr))

    def history(
        self,
        subject: str,
        *,
        as_of: str | None = None,
        known_at: str | None = None,
        during: str | None = None,
        log: bool = False,
        limit: int = 40,
        campaign: str | None = None,
    ) -> Story | RunLog:
        """Tells the story of a subject in order: a run, knob, campaign, source, claim's subject, person or agent:NAME.

        A moment is a run number, a date, @POSITION of an entry, or words: "the first run with depth = 8".

        Arguments:
            subject: its name or number
            as_of: what held then, and what happened up to then
            known_at: only what had landed then
            during: only what held or happened then: 10..40, or "since the champion changed"
            log: of a run, what it printed instead, its errors too; works for one that crashed, above all
            limit: how many events, or lines of the log, to print, the latest
            campaign: the one whose run numbers are meant (default: the newest)
        """
        from ..commands.decisions import campaign_of
        from ..commands.history import run_log, story

        any_run = self.memory.db.execute("SELECT 1 FROM campaigns").fetchone()
        numbered = campaign_of(self.memory, campaign) if campaign or any_run else ""
        if log:
            return run_log(self.memory, subject, numbered, limit)
        return story(self.memory, subject, numbered, as_of, known_at, during, limit)

    def same(self, a: str = "", b: str = "", *, why: str = "", undo: bool = False) -> Names:
        """Says that two names are one thing, or takes that back; alone, lists what is joined and what is near.

        Opposites, other numbers and other types are never joined. A name may say its type: "person:Ada Byron".

        Arguments:
            a: a name
            b: another name of the same thing
            why: the reason, in a sentence; to take a verdict back needs none
            undo: takes back the verdict that joined these two
        """
        from ..commands.history import same_names

        return same_names(self.memory, a, b, why, undo, person())

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

    def search(self, text: str = "", *, k: int = 10, queries: Path | None = None, dense: bool = False) -> Found:
        """Finds documents by free words, over what they share names with too; each with its best passage.

        Arguments:
            text: what to look for
            k: how many documents
            queries: instead of text, a file with an id and a query a line; prints JSON
            dense: look for what reads alike too; needs the extra memexlab[semantic], and memex.toml may ask for it
        """
        from ..commands.search import search
        from ..folder import says

        if not dense and says(self.root, "search"):
            from ..config import load  # which takes as long as the search itself

            dense = load(self.root).dense
        return search(self.memory, text, k, queries, dense)

    def path(self, start: str, goal: str, *, campaign: str | None = None) -> Trail:
        """Prints the trail between two things, each step with the entry that makes it, or that there is none.

        A thing is a run (12, run:night/12), a knob, a setting (lr=0.04), a document, a name, an author or an entry id.

        Arguments:
            start: a thing
            goal: another one
            campaign: where a run number stands alone, its campaign (default: the newest)
        """
        from ..commands.trails import path_between

        return path_between(self.memory, start, goal, campaign)

    def related(self, thing: str, *, k: int = 8, campaign: str | None = None) -> Related:
        """Prints what is near a thing, the nearest first, each with what both share.

        Arguments:
            thing: a run, knob, setting, document, name, author or entry id, as for memex path
            k: how many
            campaign: where a run number stands alone, its campaign (default: the newest)
        """
        from ..commands.trails import related_to

        return related_to(self.memory, thing, k, campaign)

    def conflicts(self, *, campaign: str | None = None) -> Conflicts:
        """Prints what does not agree: effects that are open, with what would settle them, and claims side by side.

        Arguments:
            campaign: the campaign whose effects count (default: the newest)
        """
        from ..commands.trails import conflicts_in

        return conflicts_in(self.memory, self.root, campaign)

    def watch(self, *, since: int | None = None, subject: str = "", seconds: float | None = None) -> Watch:
        """Prints entries as they land, in order, by whoever landed them; stop it with Ctrl-C.

        Arguments:
            since: start with the entry at this position (default: what lands from now on)
            subject: only entries whose subject begins so, such as run:night/
            seconds: stop by itself after so long
        """
        from ..commands.watch import Watch

        return Watch(self.memory.ledger, since, subject, seconds)
