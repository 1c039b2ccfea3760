"""Commands on what the runs mean: before the next one, after the last one, and when one was wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .opened import Opened, person

if TYPE_CHECKING:
    from ..commands.check import Checked, ReplayTable
    from ..commands.decisions import Queue, Retracted, Standings
    from ..commands.effects import EffectTable
    from ..lab.evidence.briefing import Briefing
    from ..memory.effects.attribution import Attribution


class Findings(Opened):
    """Commands on what the runs mean: before the next one, after the last one, and when one was wrong."""

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
        from ..commands.check import check_idea, replay_campaign
        from ..commands.decisions import campaign_of

        name = campaign_of(self.memory, campaign)
        if replay:
            return replay_campaign(self.memory, name, mode)
        from ..commands.results import read_file

        text = read_file(diff, "diff").decode("utf-8", errors="replace") if diff else None
        return check_idea(self.memory, name, idea, text, mode, as_of)

    def next(self, *, limit: int = 8, campaign: str | None = None) -> Queue:
        """Prints what to do next: the open decision packets, most urgent first, and results too good to be left alone.

        Arguments:
            limit: how many to print
            campaign: the campaign (default: the newest)
        """
        from ..commands.decisions import next_up

        return next_up(self.memory, campaign, limit)

    def brief(self, *, tokens: int = 1500, campaign: str | None = None) -> Briefing:
        """Prints what whoever has the next idea must know; every line cites its runs.

        Champion and settings, noise, what helped, what hurt under which settings, near misses, what is worth another
        try, failures. The same memory gives the same text.

        Arguments:
            tokens: the most it may cost a model to read
            campaign: the campaign (default: the newest)
        """
        from ..commands.decisions import campaign_of
        from ..lab.evidence.briefing import briefing

        return briefing(self.memory.db, campaign_of(self.memory, campaign), tokens)

    def effects(self, knob: str | None = None, *, campaign: str | None = None) -> EffectTable:
        """Prints what all runs together say of each change: its gain, how sure, under which settings.

        Arguments:
            knob: only this one
            campaign: the campaign (default: the newest)
        """
        from ..commands.decisions import campaign_of
        from ..commands.effects import effects_of

        return effects_of(self.memory, campaign_of(self.memory, campaign), knob)

    def attribute(self, run: int, *, campaign: str | None = None) -> Attribution:
        """Splits the gain of a run among the changes it rests on, or says why they cannot be separated.

        Arguments:
            run: number of the run
            campaign: the campaign (default: the newest)
        """
        from ..commands.decisions import campaign_of
        from ..memory.effects.attribution import attribute

        return attribute(self.memory.db, campaign_of(self.memory, campaign), run)

    def registry(self, *, as_of: int | None = None, campaign: str | None = None) -> Standings:
        """Prints champion, challengers, lineages and failures by cause, now or as they stood.

        Arguments:
            as_of: as if only the runs up to this number were known, and no verdict that came later
            campaign: the campaign (default: the newest)
        """
        from ..commands.decisions import standings

        return standings(self.memory, campaign, as_of)

    def retract(self, run: int, *, why: str, campaign: str | None = None) -> Retracted:
        """Declares a run wrong: it wins nothing any more, and all that rests on it says so. Nothing is deleted.

        Arguments:
            run: number of the run
            why: the reason, in a sentence
            campaign: the campaign (default: the newest)
        """
        from ..commands.decisions import retraction

        return retraction(self.memory, run, why, person(), campaign)

    def reinstate(self, run: int, *, why: str, campaign: str | None = None) -> Retracted:
        """Takes a retraction back: the run counts again as it did before.

        Arguments:
            run: number of the run
            why: the reason, in a sentence
            campaign: the campaign (default: the newest)
        """
        from ..commands.decisions import retraction

        return retraction(self.memory, run, why, person(), campaign, back=True)
