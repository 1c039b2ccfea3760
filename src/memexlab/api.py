"""`Lab`: everything memexlab does, one method each. The command line is made of these signatures and docstrings."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .founding import Started
    from .health import Health
    from .lab.recording import ImportResult
    from .ledger import Finding
    from .memory import Memory
    from .results import Logged, Rebuilt, Table, Text
    from .running import NightOutcome, Raced, Reported

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
            from .memory import Memory

            self._memory = Memory(self.root / ".memex")
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
        metric: list[str],
        set_: list[str],
        hypothesis: str = "",
        diff: Path | None = None,
        log: Path | None = None,
        campaign: str = "log",
        better: Direction | None = None,
        commit: str = "",
        seconds: float | None = None,
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
            campaign: runs of one campaign may be compared
            better: which way the metric should go (default: guessed from its name)
            commit: commit it was measured at
            seconds: how long it took
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
            campaign,
            better,
            commit,
            seconds,
        )

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
    ) -> ImportResult:
        """Takes in a log: results.tsv, pi-style .jsonl, MemoryLab's experiments.jsonl; importing twice adds nothing.

        Arguments:
            file: the log
            campaign: name for its runs (default: from the file's name)
            metric: the column that is compared (default: recognised)
            better: which way that metric should go (default: guessed from its name)
        """
        from .results import imported

        return imported(self.memory, person(), file, campaign, metric, better)

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
    "sql": Lab.sql,
    "rebuild": Lab.rebuild,
    "doctor": Lab.doctor,
}
