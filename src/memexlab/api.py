"""`Lab`: everything memexlab does, one method each. The command line is made of these signatures and docstrings."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .asking import Answered
    from .checking import Checked, ReplayTable
    from .deciding import Queue, Retracted, Standings
    from .explaining import EffectTable
    from .founding import Started
    from .health import Health
    from .lab.briefing import Briefing
    from .lab.importers.memorylab import FolderImport
    from .lab.recording import ImportResult
    from .ledger import Finding
    from .memory import Memory
    from .memory.attribution import Attribution
    from .results import Logged, Rebuilt, Table, Text
    from .running import NightOutcome, Raced, Reported
    from .searching import Found, Ingested
    from .watching import Watch

Status = Literal["keep", "discard", "crash", "timeout", "invalid", "inconclusive"]
Direction = Literal["lower", "higher"]
Target = Literal["microgpt", "tinygpt", "sql-tuning", "none"]


def person() -> str:
    """Who speaks at this keyboard: MEMEX_BY where an agent says so, else the person logged in."""
    return os.environ.get("MEMEX_BY") or f"human:{os.environ.get('USER') or 'unknown'}"


class Lab:
    """A lab on disk, opened once; close it when done."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._memory: Memory | None = None

    @classmethod
    def open(cls, folder: Path) -> Lab:
        """The lab at `folder` or above it; raises UsageError where there is none."""
        from .folder import find_root

        return cls(find_root(folder.resolve()))

    @property
    def memory(self) -> Memory:
        if self._memory is None:
            from .folder import aliases
            from .memory import Memory

            self._memory = Memory(self.root / ".memex", aliases(self.root))
        return self._memory

    def damage(self) -> list[Finding]:
        """What is wrong with the ledger, if it was looked at."""
        return self._memory.index.damage() if self._memory is not None else []

    def close(self) -> None:
        if self._memory is not None:
            self._memory.close()
        self._memory = None

    # --- commands

    @staticmethod
    def init(
        folder: Path = Path("."),
        *,
        target: Literal["microgpt", "tinygpt", "sql-tuning", "none"] = "microgpt",
        here: bool = False,
    ) -> Started:
        """Makes a lab in a new or empty folder, or in the repository you stand in.

        A target is an experiment that runs at once: microgpt (a small GPT in NumPy), tinygpt (torch), sql-tuning (a
        database workload). `none` makes a lab of memory and wiki alone.

        Arguments:
            folder: where; a new or empty folder
            target: what to experiment on
            here: write a commented memex.toml into this repository, for a command and a metric that exist already
        """
        from .founding import init_here, init_lab

        return init_here(folder) if here else init_lab(folder, target)

    def run(
        self,
        *,
        runs: int | None = None,
        hours: float | None = None,
        seconds: float | None = None,
        slots: int | None = None,
        campaign: str | None = None,
    ) -> NightOutcome:
        """Runs the experiment loop: baseline and its noise, then propose, measure, judge, keep or not, until a limit.

        Start it again after any interruption and it goes on. Without a limit it runs until Ctrl-C.

        Arguments:
            runs: stop after this many new candidates (repeats and fresh pairs come on top)
            hours: stop after this many hours
            seconds: training budget of one run instead of the one in memex.toml; makes a campaign of its own
            slots: runs at a time (default: one per processor, at most 2)
            campaign: name of the campaign to start or continue
        """
        from .live import listener
        from .running import run_night

        with listener(sys.stderr) as tell:
            outcome = run_night(self.root, self.memory, tell, runs, hours, seconds, slots, campaign)
        if outcome.campaign:
            outcome = outcome.with_report(self.report(campaign=outcome.campaign))
        return outcome

    def race(
        self,
        run: int | None = None,
        against: int | None = None,
        *,
        pairs: int = 5,
        slots: int | None = None,
        campaign: str | None = None,
    ) -> Raced:
        """Measures two runs again in fresh pairs, side by side on the same seeds, and prints what these alone show.

        Arguments:
            run: number of the run to test again (default: the champion)
            against: number of the run to compare with (default: the baseline)
            pairs: how many fresh pairs
            slots: runs at a time (default: one per processor, at most 2)
            campaign: the campaign of both (default: that of memex.toml)
        """
        from .live import listener
        from .running import race_runs

        with listener(sys.stderr) as tell:
            return race_runs(self.root, self.memory, tell, run, against, pairs, slots, campaign)

    def log(
        self,
        *,
        description: str,
        status: Status,
        metric: Sequence[str] = (),
        set_: Sequence[str] = (),
        hypothesis: str = "",
        diff: Path | None = None,
        log: Path | None = None,
        campaign: str | None = None,
        better: Direction | None = None,
        commit: str = "",
        seconds: float | None = None,
        repeats: int | None = None,
    ) -> Logged:
        """Records a run done by hand or by another tool, and prints its entry id once it is durable.

        Arguments:
            description: what was tried, in a line
            status: what became of it
            metric: a number it measured; the first one is what the campaign compares; repeat for more
            set_: a knob it ran under; repeat for more
            hypothesis: why it was tried
            diff: file with the change as a patch
            log: file with the output of the run
            campaign: runs of one campaign may be compared (default: the only one there is, else log)
            better: which way the metric should go (default: guessed from its name)
            commit: commit it was measured at
            seconds: how long it took
            repeats: number of the run of which this is another measurement; four of one run make the noise known
        """
        from .results import logged

        return logged(
            self.memory,
            person(),
            description,
            status,
            metric,
            set_,
            hypothesis,
            diff,
            log,
            campaign or self._campaign_to_log_in(),
            better,
            commit,
            seconds,
            repeats,
        )

    def _campaign_to_log_in(self) -> str:
        rows = self.memory.db.execute("SELECT campaign, origin FROM campaigns LIMIT 2").fetchall()
        return str(rows[0][0]) if len(rows) == 1 and rows[0][1] != "lab" else "log"

    def report(self, *, since: str | None = None, campaign: str | None = None, folder: Path | None = None) -> Reported:
        """Writes the morning report as Markdown, one HTML file and a PNG, and prints its headline.

        Arguments:
            since: only what happened since then: 12h, 3d or a date such as 2026-01-31
            campaign: only this campaign
            folder: where to write (default: reports/ in the lab)
        """
        from .running import write_report

        return write_report(self.memory, folder or self.root / "reports", since, campaign)

    def import_(
        self,
        file: Path,
        *,
        campaign: str | None = None,
        metric: str | None = None,
        better: Direction | None = None,
    ) -> ImportResult | FolderImport:
        """Takes in a log: results.tsv, pi-style .jsonl, MemoryLab's folder; importing twice adds nothing.

        Arguments:
            file: the log
            campaign: name for its runs (default: from the file's name)
            metric: the column that is compared (default: recognised)
            better: which way that metric should go (default: guessed from its name)
        """
        from .results import imported

        return imported(self.memory, person(), file, campaign, metric, better)

    def check(
        self,
        idea: str = "",
        *,
        diff: Path | None = None,
        mode: Literal["explore", "exploit", "replicate"] = "exploit",
        as_of: int | None = None,
        replay: bool = False,
        campaign: str | None = None,
    ) -> Checked | ReplayTable:
        """Says whether an idea was tried before, under which settings, and whether to run it.

        Answers allow, caution or block, with the runs that say so. Exit code 0 whatever the answer is.

        Arguments:
            idea: what is to be changed, as you would write it into the log
            diff: a unified diff of the change; what it says counts, the text is for the reader
            mode: explore wants what is new, exploit follows up what worked, replicate repeats on purpose
            as_of: as if only the runs up to this number were known
            replay: check every run of the campaign against the runs before it, and print the table
            campaign: the campaign whose runs count (default: the newest)
        """
        from .checking import check_idea, replay_campaign
        from .deciding import campaign_of

        name = campaign_of(self.memory, campaign)
        if replay:
            return replay_campaign(self.memory, name, mode)
        from .results import read_file

        text = read_file(diff, "diff").decode("utf-8", errors="replace") if diff else None
        return check_idea(self.memory, name, idea, text, mode, as_of)

    def next(self, *, limit: int = 8, campaign: str | None = None) -> Queue:
        """Prints what to do next: the open decision packets, most urgent first, and results too good to be left alone.

        Arguments:
            limit: how many to print
            campaign: the campaign (default: the newest)
        """
        from .deciding import next_up

        return next_up(self.memory, campaign, limit)

    def brief(self, *, tokens: int = 1500, campaign: str | None = None) -> Briefing:
        """Prints what whoever has the next idea must know; every line cites its runs.

        Champion and settings, noise, what helped, what hurt under which settings, near misses, what is worth another
        try, failures. The same memory gives the same text.

        Arguments:
            tokens: the most it may cost a model to read
            campaign: the campaign (default: the newest)
        """
        from .deciding import campaign_of
        from .lab.briefing import briefing

        return briefing(self.memory.db, campaign_of(self.memory, campaign), tokens)

    def effects(self, knob: str | None = None, *, campaign: str | None = None) -> EffectTable:
        """Prints what all runs together say of each change: its gain, how sure, under which settings.

        Arguments:
            knob: only this one
            campaign: the campaign (default: the newest)
        """
        from .deciding import campaign_of
        from .explaining import effects_of

        return effects_of(self.memory, campaign_of(self.memory, campaign), knob)

    def attribute(self, run: int, *, campaign: str | None = None) -> Attribution:
        """Splits the gain of a run among the changes it rests on, or says why they cannot be separated.

        Arguments:
            run: number of the run
            campaign: the campaign (default: the newest)
        """
        from .deciding import campaign_of
        from .explaining import attribution_of

        return attribution_of(self.memory, campaign_of(self.memory, campaign), run)

    def registry(self, *, as_of: int | None = None, campaign: str | None = None) -> Standings:
        """Prints champion, challengers, lineages and failures by cause, now or as they stood.

        Arguments:
            as_of: as if only the runs up to this number were known, and no verdict that came later
            campaign: the campaign (default: the newest)
        """
        from .deciding import standings

        return standings(self.memory, campaign, as_of)

    def retract(self, run: int, *, why: str, campaign: str | None = None) -> Retracted:
        """Declares a run wrong: it wins nothing any more, and all that rests on it says so. Nothing is deleted.

        Arguments:
            run: number of the run
            why: the reason, in a sentence
            campaign: the campaign (default: the newest)
        """
        from .deciding import retraction

        return retraction(self.memory, run, why, person(), campaign)

    def reinstate(self, run: int, *, why: str, campaign: str | None = None) -> Retracted:
        """Takes a retraction back: the run counts again as it did before.

        Arguments:
            run: number of the run
            why: the reason, in a sentence
            campaign: the campaign (default: the newest)
        """
        from .deciding import retraction

        return retraction(self.memory, run, why, person(), campaign, back=True)

    def ask(self, question: str, *, as_of: str | None = None, campaign: str | None = None) -> Answered:
        """Answers a question about the runs, with the SQL that made the answer; says so where it does not know.

        For example: best val_bpb before run 50; was weight tying tried; how many runs crashed. More: docs/ask.md

        Arguments:
            question: in words
            as_of: as if only the runs up to this number, or before this date, were known
            campaign: the campaign (default: the newest)
        """
        from .asking import answered
        from .deciding import campaign_of

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
        from .results import ask_sql

        return ask_sql(self.memory, query, limit, seconds, schema)

    def ingest(self, file: Path) -> Ingested:
        """Takes in documents, one JSON object a line: id, title, text, and if known date, author, url.

        The same file again adds nothing; a changed document supersedes itself. A bad line is named and left out.

        Arguments:
            file: the documents
        """
        from .searching import ingest

        return ingest(self.memory, person(), file)

    def search(self, text: str = "", *, k: int = 10, queries: Path | None = None) -> Found:
        """Finds documents by free words, over what they share names with too; each with its best passage.

        Arguments:
            text: what to look for
            k: how many documents
            queries: instead of text, a file with an id and a query a line; prints JSON
        """
        from .searching import search

        return search(self.memory, text, k, queries)

    def watch(self, *, since: int | None = None, subject: str = "", seconds: float | None = None) -> Watch:
        """Prints entries as they land, in order, by whoever landed them; stop it with Ctrl-C.

        Arguments:
            since: start with the entry at this position (default: what lands from now on)
            subject: only entries whose subject begins so, such as run:night/
            seconds: stop by itself after so long
        """
        from .watching import Watch

        return Watch(self.memory.ledger, since, subject, seconds)

    def rebuild(self) -> Rebuilt:
        """Drops every view and folds the ledger again; always safe."""
        from .results import rebuilt

        return rebuilt(self.memory)

    def doctor(self) -> Health:
        """Checks ledger, blobs, views, SQLite, git, the sandbox and memex.toml, and says what to type."""
        from .health import check

        return check(self.root, self.memory)


#: Commands by the name that is typed.
COMMANDS: dict[str, Callable[..., Any]] = {
    "init": Lab.init,
    "run": Lab.run,
    "race": Lab.race,
    "log": Lab.log,
    "report": Lab.report,
    "import": Lab.import_,
    "check": Lab.check,
    "next": Lab.next,
    "brief": Lab.brief,
    "effects": Lab.effects,
    "attribute": Lab.attribute,
    "registry": Lab.registry,
    "retract": Lab.retract,
    "reinstate": Lab.reinstate,
    "ask": Lab.ask,
    "sql": Lab.sql,
    "ingest": Lab.ingest,
    "search": Lab.search,
    "watch": Lab.watch,
    "rebuild": Lab.rebuild,
    "doctor": Lab.doctor,
}
