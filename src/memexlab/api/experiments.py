"""Commands that run experiments, record them, take them in and report on them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .opened import Opened, person

if TYPE_CHECKING:
    from ..commands.init import Started
    from ..commands.results import LabImport, Logged
    from ..commands.run import NightOutcome, Raced, Reported
    from ..commands.steering import Queue, Steered
    from ..commands.try_edit import Tried
    from ..lab.importers.memorylab import FolderImport
    from ..lab.recording import ImportResult

Status = Literal["keep", "discard", "crash", "timeout", "invalid", "inconclusive"]
Proposing = Literal["knobs", "model", "agent", "mixed"]
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
        demo: Literal["partner"] | None = None,
    ) -> Started:
        """Makes a lab in a new or empty folder, or in the repository you stand in.

        A target is an experiment that runs at once: microgpt (a small GPT in NumPy), tinygpt (torch), sql-tuning (a
        database workload). `none` makes a lab of memory and wiki alone, also over a folder of notes.

        Arguments:
            folder: where; a new or empty folder
            target: what to experiment on
            here: write a commented memex.toml into this repository, for a command and a metric that exist already
            demo: partner: instead of an experiment, excerpts of Charles Darwin as a thinking partner, with its page
        """
        from ..commands.init import init_lab
        from ..commands.init_here import init_here

        if demo is not None:
            from ..commands.partner import init_demo

            return init_demo(folder)

        return init_here(folder) if here and target != "none" else init_lab(folder, target)

    def run(
        self,
        *,
        runs: int | None = None,
        hours: float | None = None,
        seconds: float | None = None,
        streams: int | None = None,
        devices: str = "",
        campaign: str | None = None,
        proposer: Proposing | None = None,
        model: str | None = None,
        agent: str | None = None,
        agent_seconds: float | None = None,
        usd: float | None = None,
        approve: bool = False,
        unsafe: bool = False,
        early_kill: float | None = None,
    ) -> NightOutcome:
        """Runs the experiment loop: baseline and its noise, then propose, measure, judge, keep or not, until a limit.

        Start it again after any interruption and it goes on. Without a limit it runs until Ctrl-C or memex stop.

        Arguments:
            runs: stop after this many new candidates (repeats and fresh pairs come on top)
            hours: stop after this many hours
            seconds: training budget of one run instead of the one in memex.toml; makes a campaign of its own
            streams: how many propose, measure and judge side by side (default: one a graphics card, else at most 2)
            devices: one for each stream, as CUDA_VISIBLE_DEVICES and MEMEX_DEVICE of its runs, such as 0,1,2
            campaign: name of the campaign to start or continue
            proposer: who has the ideas (default: knobs, which needs no model; agent or model where one is named)
            model: name of the model to ask, at the address in memex.toml
            agent: claude, codex, gemini, aider, opencode, or any command that edits the files it stands beside
            agent_seconds: how long one turn of an agent may take (default: 900)
            usd: what models or agents may cost in this call, as far as they say what they cost
            approve: let no patch run before somebody typed memex approve
            unsafe: run without walls; every run says so
            early_kill: cut a run short that is so many standard errors behind on its way, such as 4; 0 for none
        """
        from ..commands.live import listener
        from ..commands.run import Options, run_night

        named = tuple(device.strip() for device in devices.split(",") if device.strip())
        options = Options(
            seconds, streams, named, campaign, proposer, model, agent, agent_seconds, usd, approve, unsafe, early_kill
        )  # fmt: skip
        with listener(sys.stderr) as tell:
            outcome = run_night(self.root, self.memory, tell, runs, hours, options, person())
        if outcome.campaign:
            outcome = outcome.with_report(self.report(campaign=outcome.campaign))
        return outcome

    def try_(
        self,
        *,
        hypothesis: str,
        description: str = "",
        set_: Sequence[str] = (),
        seconds: float | None = None,
        campaign: str | None = None,
    ) -> Tried:
        """Measures and judges one candidate: what you changed in the editable files of the working tree, or a --set.

        The change goes onto the working head of the campaign, through the same guard, sandbox and verdict as any other
        candidate. The working tree stays as it is.

        Arguments:
            hypothesis: why it should help
            description: what was changed, in a line (default: the knobs that were turned, else the hypothesis)
            set_: KNOB=VALUE, tried on the working head in place of what the working tree changes; repeat for more
            seconds: training budget of one run instead of the one in memex.toml; makes a campaign of its own
            campaign: the campaign to try it in (default: that of memex.toml)
        """
        from ..commands.live import listener
        from ..commands.results import pairs, setting
        from ..commands.run import Options
        from ..commands.try_edit import try_candidate

        options = Options(seconds=seconds, campaign=campaign)
        with listener(sys.stderr) as tell:
            turned = {name: setting(text) for name, text in pairs(set_, "set").items()}
            return try_candidate(self.root, self.memory, tell, hypothesis, description, person(), options, turned)

    def pause(self) -> Steered:
        """Holds the loop up before its next run; what runs now runs on."""
        from ..commands.steering import steer

        return steer(self.memory.folder, "pause")

    def resume(self) -> Steered:
        """Lets a paused loop go on."""
        from ..commands.steering import steer

        return steer(self.memory.folder, "")

    def stop(self, *, now: bool = False) -> Steered:
        """Ends the loop after the runs that are at work; what was measured is kept.

        Arguments:
            now: end the runs that are at work, too
        """
        from ..commands.steering import steer

        return steer(self.memory.folder, "stop-now" if now else "stop")

    def approve(self, patch: str | None = None) -> Queue:
        """Lists the patches that wait for a word, with what they change; or lets one of them run.

        Arguments:
            patch: id of the patch that may run
        """
        from ..commands.steering import approvals

        return approvals(self.memory.folder, person(), patch, True)

    def reject(self, patch: str, *, why: str = "") -> Queue:
        """Turns a patch down: it does not run, and whoever proposes next is told why.

        Arguments:
            patch: id of the patch
            why: the reason, for the record
        """
        from ..commands.steering import approvals

        return approvals(self.memory.folder, person(), patch, False, why)

    def race(
        self,
        run: int | None = None,
        against: int | None = None,
        *,
        pairs: int = 5,
        campaign: str | None = None,
    ) -> Raced:
        """Measures two runs again in fresh pairs, side by side on the same seeds, and lands what all their pairs show.

        A run that beats the champion so becomes champion; a win that is not seen again is taken back.

        Arguments:
            run: number of the run to test again (default: the champion)
            against: number of the run to compare with (default: the champion, and for it the baseline)
            pairs: how many fresh pairs
            campaign: the campaign of both (default: that of memex.toml)
        """
        from ..commands.live import listener
        from ..commands.run import race_runs

        with listener(sys.stderr) as tell:
            return race_runs(self.root, self.memory, tell, run, against, pairs, campaign)

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
        from ..commands.run import write_report
        from ..config import load

        runs = load(self.root).contract is not None
        return write_report(self.memory, folder or self.root / "reports", since, campaign, runs)

    def import_(
        self,
        file: Path,
        *,
        campaign: str | None = None,
        metric: str | None = None,
        better: Direction | None = None,
    ) -> ImportResult | FolderImport | LabImport:
        """Takes in a log (results.tsv, pi-style .jsonl, MemoryLab's folder) or another lab; twice adds nothing.

        Of another lab every entry and blob that is not here is added, unchanged. More: docs/sharing.md

        Arguments:
            file: the log, or the folder of the other lab
            campaign: name for its runs (default: from the file's name)
            metric: the column that is compared (default: recognised)
            better: which way that metric should go (default: guessed from its name)
        """
        from ..commands.results import imported

        return imported(self.memory, person(), file, campaign, metric, better)

    def _campaign_to_log_in(self) -> str:
        rows = self.memory.db.execute("SELECT campaign, origin FROM campaigns LIMIT 2").fetchall()
        if len(rows) == 1 and rows[0][1] != "lab":
            return str(rows[0][0])
        from ..memory.namespaces import shown_names

        own = sorted(shown_names(self.memory.db, "log").items())  # what was imported came after what is this lab's
        return own[0][1] if own else "log"
