"""Commands that run experiments, record them, take them in and report on them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .opened import Opened, person

if TYPE_CHECKING:
    from ..commands.founding import Started
    from ..commands.results import Logged
    from ..commands.running import NightOutcome, Raced, Reported
    from ..lab.importers.memorylab import FolderImport
    from ..lab.recording import ImportResult

Status = Literal["keep", "discard", "crash", "timeout", "invalid", "inconclusive"]
Direction = Literal["lower", "higher"]
Target = Literal["microgpt", "tinygpt", "sql-tuning", "none"]


class Experiments(Opened):
    """Commands that run experiments, record them, take them in and report on them."""

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
        from ..commands.founding import init_here, init_lab

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
        from ..commands.live import listener
        from ..commands.running import run_night

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
        from ..commands.live import listener
        from ..commands.running import race_runs

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
        from ..commands.results import logged

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

    def report(self, *, since: str | None = None, campaign: str | None = None, folder: Path | None = None) -> Reported:
        """Writes the morning report as Markdown, one HTML file and a PNG, and prints its headline.

        Arguments:
            since: only what happened since then: 12h, 3d or a date such as 2026-01-31
            campaign: only this campaign
            folder: where to write (default: reports/ in the lab)
        """
        from ..commands.running import write_report

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
        from ..commands.results import imported

        return imported(self.memory, person(), file, campaign, metric, better)

    def _campaign_to_log_in(self) -> str:
        rows = self.memory.db.execute("SELECT campaign, origin FROM campaigns LIMIT 2").fetchall()
        return str(rows[0][0]) if len(rows) == 1 and rows[0][1] != "lab" else "log"
