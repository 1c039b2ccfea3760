"""Commands on perspectives: a person's corpus as a page and as a prompt; and scores of rows by a rubric."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .opened import Opened, person

if TYPE_CHECKING:
    from ..commands.perspective import Portrayed, Prompted
    from ..commands.results import Text
    from ..commands.score import Scored
    from ..partner.proposing import Told

Voice = Literal[
    "own", "co-authored", "editor", "recipient", "interviewer", "quoted", "fiction", "code", "unknown"
]  # fmt: skip


class Partner(Opened):
    """Commands on perspectives and rubrics."""

    def partner(
        self,
        name: str,
        *,
        out: Path | None = None,
        as_of: int | None = None,
        against: str = "",
        brief: bool = False,
        tokens: int = 8_000,
    ) -> Portrayed | Text:
        """Writes the page of a person: what the corpus says, each statement with its exact words, in one HTML file.

        It opens from disk and loads nothing: search, timeline, tensions, lineage, gaps, review, prompts. First take the
        corpus in: memex ingest corpus --person "Charles Darwin". More: docs/partner-page.md

        Arguments:
            name: the person, by name or last name
            out: the file (default: reports/NAME.html)
            as_of: only words from up to this year
            against: another person of this lab, or: notes
            brief: print the work order for an agent instead; memex land takes what it writes
            tokens: with --brief: how long the work order may be
        """
        if brief:
            from ..commands.partner import order

            return order(self.memory, name, as_of, tokens)
        from ..commands.perspective import portray

        tell = partial(print, file=sys.stderr, flush=True)
        return portray(self.memory, self.root, name, out, as_of, against, tell)

    def voice(self, name: str, passage: str, voice: Voice, *, why: str = "") -> Told:
        """Says who speaks in a passage of a person's corpus, where the rules err; your word outlives every rebuild.

        Arguments:
            name: the person whose corpus it is
            passage: its words, or its place as the page gives it: S12:4031-4102
            voice: own and co-authored count for the person, the others do not
            why: the reason, in a sentence
        """
        from ..commands.partner import say_voice

        return say_voice(self.memory, name, passage, voice, why, person())

    def prompt(
        self,
        name: str,
        *,
        tokens: int = 2_000,
        out: Path | None = None,
        as_of: int | None = None,
        first_person: bool = False,
    ) -> Prompted:
        """Prints a person's perspective as a prompt of at most so many tokens, and says what was cut.

        Arguments:
            name: the person, by name or last name
            tokens: the most it may have, such as 800, 2000 or 5000
            out: a folder to write prompt.md, SKILL.md, references and evidence.json into; its name names the skill
            as_of: only words from up to this year
            first_person: let it say I, with the remark that it is a model of published words
        """
        from ..commands.perspective import prompted

        return prompted(self.memory, name, tokens, out, as_of, first_person)

    def score(
        self,
        table: str,
        rubric: Path,
        *,
        repeats: int = 1,
        own: list[str] = [],  # noqa: B006  never changed
        why: str = "",
        out: Path | None = None,
    ) -> Scored:
        """Scores rows from 0 to 10 by a rubric: a formula, or a model that must quote the row. More: docs/score.md

        A model's replies are kept, so that a run that broke off goes on, and the same run again costs nothing.

        Arguments:
            table: a file (.csv, .tsv, .jsonl), or a SELECT over the views
            rubric: a markdown file with a line for each band: 0-1, 2-3, 4-5, 6-7, 8-9, 10
            repeats: how often a model reads each row; the spread of its readings is shown
            own: your score of a row, ROW=7; it stands from then on
            why: the reason of your score
            out: write scores.csv, scores.md, or scores.html with a treemap
        """
        from ..commands.score import score

        return score(self.memory, self.root, table, rubric, repeats, own, why, person(), out)
