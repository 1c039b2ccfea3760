"""`memex ingest --person`, `memex partner --brief` and `memex voice`: a corpus, its work order, who speaks."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..folder import FOLDER
from ..lab.wording import plural
from ..ledger import Finding, Refused
from ..memory import Memory
from ..partner.corpus import TakenIn, open_corpus, slug_of, take_in
from ..partner.perspective import coverage, living, perspective_of
from ..partner.proposing import Told, admit, lines_about_a_person
from ..partner.statements import Coverage
from ..partner.work_order import work_order
from .init import Started, init_lab
from .perspective import portray
from .results import Text

_SHOWN = 20
DEMO = Path(__file__).parents[1] / "partner" / "demo"


@dataclass(frozen=True, slots=True)
class Gathered:
    """What became of the files of a corpus, and what the whole corpus holds now."""

    person: str
    taken: TakenIn
    coverage: Coverage
    living: bool = False

    def __str__(self) -> str:
        taken, held = self.taken, self.coverage
        spoken = sorted(held.voices.items(), key=lambda one: -one[1])
        voices = ", ".join(f"{voice} {words:,}" for voice, words in spoken)
        kinds = ", ".join(f"{kind} {words:,}" for kind, words in held.kinds.items())
        years = f", {min(held.years)} to {max(held.years)}" if held.years else ""
        lines = [
            f"sources: {taken.new} new, {taken.changed} changed, {taken.known} known before",
            f"{self.person}: {held.words:,} own words in {plural(held.groups, 'group')} of "
            f"{plural(held.sources, 'source')}{years}",
            f"words by voice, headings too{', what stands twice counted twice' if held.copied else ''}: {voices}",
            f"own words by kind: {kinds}",
            *map(str, _told(taken.findings)),
            *(
                [f"{self.person} may be living: take in what they published; of a private person, what they agreed to"]
                if self.living
                else []
            ),
            f"memex partner {slug_of(self.person).split('-')[-1]}",
        ]
        return "\n".join(lines)


def _told(findings: Sequence[Finding]) -> list[Finding]:
    """One line for all that have no licence, and the first of the rest."""
    bare, rest = ([one for one in findings if (one.rule == "licence") == same] for same in (True, False))
    more = f" and {len(bare) - 1} more" if len(bare) > 1 else ""
    return [*(replace(one, where=f"{one.where}{more}") for one in bare[:1]), *rest[:_SHOWN]]


def gather(memory: Memory, root: Path, paths: Sequence[Path], person: str, by: str) -> Gathered:
    """Takes the corpus in; the wiki's compiler leaves these sources alone."""
    taken = take_in(memory, root, paths, " ".join(person.split()), by)
    corpus = open_corpus(memory, person)
    return Gathered(corpus.person, taken, coverage(corpus, ()), living(corpus))


def init_demo(folder: Path) -> Started:
    """A lab with the corpus that ships, what a model drafted of it, and its page; nobody reviewed any of it."""
    init_lab(folder, "none")
    shutil.copytree(DEMO, folder / "corpus")
    memory = Memory(folder / FOLDER)
    try:
        gather(memory, folder, [folder / "corpus"], "Charles Darwin", "code:memexlab")
        admit(memory, lines_about_a_person(folder / "corpus" / "landing.jsonl") or [], "model:demo")
        made = portray(memory, folder, "darwin", None, None, "")
    finally:
        memory.close()
    then = f'open {made.path}, or: cd {folder} && memex ask --as darwin "How does natural selection act?"'
    return Started(str(folder), "excerpts of Charles Darwin", then)


def order(memory: Memory, person: str, as_of: int | None, most_tokens: int) -> Text:
    """The work order for an agent."""
    corpus = open_corpus(memory, person, as_of)
    return Text(work_order(perspective_of(memory, corpus), corpus, most_tokens))


def say_voice(memory: Memory, person: str, passage: str, voice: str, why: str, by: str) -> Told:
    """Who speaks in one passage, as one line of a file would say it."""
    row = {"person": person, "section": "voice", "passage": passage, "voice": voice, "why": why}
    told = admit(memory, [("", row)], by)
    if told.findings:
        raise Refused(list(told.findings))
    return told
