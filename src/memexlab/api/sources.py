"""Commands that take documents in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .opened import Opened
from .opened import person as speaker

if TYPE_CHECKING:
    from ..commands.export import Exported
    from ..commands.ingest import Taken
    from ..commands.land import Checked, Drafted, Worked
    from ..commands.lint import Report
    from ..commands.partner import Gathered
    from ..commands.results import Text
    from ..commands.review import Waiting
    from ..commands.sync import Synced
    from ..partner.proposing import Told


class Sources(Opened):
    """Commands that take documents in."""

    def ingest(
        self,
        paths: list[Path],
        *,
        yes: bool = False,
        model: str | None = None,
        estimate: bool = False,
        brief: bool = False,
        tokens: int = 8_000,
        person: str = "",
    ) -> Taken | Worked | Text | Gathered:
        """Takes in files and folders, and renders the wiki from what they say.

        A file that is known costs its hash; a changed one supersedes itself; what rested on a file that is gone is
        withdrawn. Claims enter with quotes that are found in the source. A file FILE.jsonl holds documents, one JSON
        object a line: id, title, text, and if known date, author, url; a bad line is named and left out.

        With --model a model proposes more claims, through the same gate, and words the standing questions whose claims
        changed. With --brief the work order for an agent is printed; memex land takes what it writes.

        Arguments:
            paths: files and folders, such as raw; addresses where [network] allow = true, kept under raw/web
            yes: accept unseen what would wait for memex review: names that are nearly alike, answers on little evidence
            model: alone, the model of memex.toml; or the name of another one at the same address
            estimate: with --model: print the most that first questions can cost, and do nothing
            brief: print what an agent should write for these sources, and do nothing
            tokens: with --brief: how long the work order may be
            person: take them in as the corpus of this person, for memex partner: docs/partner.md
        """
        from ..commands.fetching import local

        paths = local(self.root, paths)
        if person:
            from ..commands.partner import gather

            return gather(self.memory, self.root, paths, person, speaker())
        if brief or estimate or model is not None:
            from ..commands.land import estimate_of, order, take_in_with_model

            if brief:
                return order(self.memory, self.root, paths, tokens)
            if estimate:
                return estimate_of(self.memory, self.root, paths, model or "")
            return take_in_with_model(self.memory, self.root, paths, speaker(), model or "", yes)
        from ..commands.ingest import take_in

        return take_in(self.memory, self.root, paths, speaker(), yes)

    def sync(self) -> Synced:
        """Takes in what you changed in wiki/, and renders the pages again around it.

        A block you changed is your claim from then on, in place of the one it was; what you added is kept word for
        word in its place; what you deleted is withdrawn. A page file you renamed keeps its links. memex ingest does it
        first.
        """
        from ..commands.sync import sync

        return sync(self.memory, self.root, speaker())

    def lint(self, *, fix: bool = False) -> Report:
        """Says what is wrong with the wiki: links, quotes, citations, twins, gaps, secrets, and what is out of step.

        Arguments:
            fix: mend what is safe: links where one page alone can be meant, and files that are out of step
        """
        from ..commands.lint import look

        return look(self.memory, self.root, fix, speaker())

    def review(
        self,
        item: str = "",
        decision: Literal["accept", "reject", "edit"] | None = None,
        *,
        text: str = "",
        why: str = "",
    ) -> Waiting:
        """Lists what waits for your judgement, or judges one of it; a verdict outlives every rebuild.

        Contradictions that are open, names that may be one, claims that the gate refused, answers on little evidence.

        Arguments:
            item: the name of what to judge, as the list gives it
            decision: what accepting and rejecting mean stands beside each item; edit puts your words there
            text: with edit: the words
            why: the reason, in a sentence
        """
        from ..commands.review import review

        return review(self.memory, self.root, item, decision, text, why, speaker())

    def export(
        self,
        kind: Literal["site", "okf", "cxml", "train"],
        out: Path,
        *,
        tokens: int = 100_000,
        any_licence: bool = False,
    ) -> Exported:
        """Writes the wiki as a site of plain files, an OKF bundle, one text for a model, or JSON lines to train on.

        The site opens from disk: search, backlinks, a graph, and the words behind each sentence. A bundle is a folder,
        or an archive where OUT ends with .zip. What a format cannot hold is counted.

        Arguments:
            kind: site; okf, an Open Knowledge Format bundle; cxml, documents for a context; train, JSON lines
            out: the folder or file to write
            tokens: with cxml: how many tokens the text may cost; what was cut is said in it
            any_licence: with train: take in sources that name no licence too
        """
        from ..commands.export import export

        return export(self.memory, self.root, kind, out, tokens, any_licence)

    def land(self, drafts: Path, *, check: bool = False) -> Drafted | Told | Checked:
        """Takes claims and answers that an agent wrote, one JSON object a line, through the gates of the wiki.

        Lines with a "person" are of a thinking partner: the form is in memex partner NAME --brief; the review that its
        page saves is such a file, too.

        Good lines land even if others fail; each refusal names its line and what to mend, and then the exit code is 1.
        Landing a line again adds nothing; the same words said twice are a warning. What landed and no page shows is
        named, and so is each answer that was worded before some of its claims were known: it is shown, and marked,
        until a line takes its place. The form of a line: memex ingest raw --brief

        Arguments:
            drafts: the file of lines
            check: say of each line whether it would pass, and land nothing
        """
        from ..commands.land import land

        return land(self.memory, self.root, drafts, speaker(), check)
