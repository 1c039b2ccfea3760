"""`memex ingest PATH... --person NAME`: a person's corpus in, with what it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..lab.wording import plural
from ..memory import Memory
from ..partner.corpus import TakenIn, open_corpus, slug_of, take_in
from ..partner.coverage import coverage
from ..partner.statements import Coverage


@dataclass(frozen=True, slots=True)
class Gathered:
    """What became of the files of a corpus, and what the whole corpus holds now."""

    person: str
    taken: TakenIn
    coverage: Coverage

    def data(self) -> object:
        return asdict(self)

    def __str__(self) -> str:
        taken, held = self.taken, self.coverage
        voices = ", ".join(
            f"{voice} {words:,}" for voice, words in sorted(held.voices.items(), key=lambda one: -one[1])
        )
        kinds = ", ".join(f"{kind} {words:,}" for kind, words in held.kinds.items())
        years = f", {min(held.years)} to {max(held.years)}" if held.years else ""
        lines = [
            f"sources: {taken.new} new, {taken.changed} changed, {taken.known} known before",
            f"{self.person}: {held.words:,} own words in {plural(held.groups, 'group')} of "
            f"{plural(held.sources, 'source')}{years}",
            f"words by voice: {voices}",
            f"own words by kind: {kinds}",
            *map(str, taken.findings[:20]),
            f"memex partner {slug_of(self.person).split('-')[-1]}",
        ]
        return "\n".join(lines)


def gather(memory: Memory, root: Path, paths: Sequence[Path], person: str, by: str) -> Gathered:
    """Takes the corpus in; the wiki's compiler leaves these sources alone."""
    taken = take_in(memory, root, paths, " ".join(person.split()), by)
    corpus = open_corpus(memory, person)
    return Gathered(corpus.person, taken, coverage(corpus, ()))
