"""`memex council`: seats answer one question apart and rank blind; without a model, their evidence side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..config import NAME, load
from ..ledger import UsageError
from ..memory import Memory
from ..models import Driver, Prompt
from ..partner.corpus import people, slug_of
from ..wiki.council import Council, Seat, deliberate, first_prompt
from ..wiki.evidence_search import Piece, evidence, numbered
from .land import driver_for
from .perspective import seated


@dataclass(frozen=True, slots=True)
class Counsel:
    """What a council came to, with its evidence; where no model is set, the evidence of each seat and no council."""

    question: str
    council: Council | None
    pieces: tuple[Piece, ...]
    by_seat: dict[str, tuple[Piece, ...]]
    usd: float = 0.0

    def data(self) -> Any:
        return asdict(self) | {"minority": [asdict(one) for one in self.council.minority] if self.council else []}

    def __str__(self) -> str:
        if (done := self.council) is None:
            sides = {seat: [f"  “{p.quote}” {p.place}" for p in pieces] for seat, pieces in self.by_seat.items()}
            return "\n".join("\n".join([f"{seat}:", *(told or ["  nothing"])]) for seat, told in sides.items())
        lines = []
        for number, one in enumerate(done.opinions):
            if number < 2:
                lines.append("minority report:" if number else "first place:" if one.place else "answers, not ranked:")
            votes = f"mean place {one.place:.2f}; last for {len(one.last_for)}" if one.place else "no votes"
            lines.append(f"  {one.seat} ({votes}; {one.dropped} sentences dropped)")
            lines += [f"    {text} {''.join(f'[{c}]' for c in cites)}" for text, cites in one.sentences]
        lines += [f"absent: {seat}: {why}" for seat, why in done.absent.items()]
        lines += [f"[{n}] “{p.quote}” {p.place}" for n, p in enumerate(self.pieces, 1)]
        return "\n".join([*lines, f"cost {self.usd:.4f} usd"])


def council(memory: Memory, root: Path, question: str, seats: str, seed: int, tell: Callable[[str], None]) -> Counsel:
    """Seats are names: of a lens where `lenses/NAME.md` exists, of a person of this lab, else of a model."""
    names = [name.strip() for name in seats.split(",") if name.strip()]
    if len(set(names)) < 2 or len(set(names)) < len(names) or len(names) > 12:
        raise UsageError(f"a council has 2 to 12 different seats, not {seats!r}", "--seats sceptic,builder")
    found = evidence(memory, question, limit=8)
    sat: dict[str, tuple[Seat, Driver]] = {}
    lenses, people = {}, dict[str, list[Piece]]()
    for name in names:
        path = root / "lenses" / f"{name}.md"
        lenses[name] = path.read_text(encoding="utf-8")[:8_000] if NAME.fullmatch(name) and path.is_file() else ""
        if not lenses[name] and (person := seated(memory, name, question)) is not None:
            lenses[name], people[name] = person[0][:8_000], person[1]
            found += people[name]
    if load(root).model.dial == "none":
        told = {name: tuple(people[name] if name in people else _own(memory, question, name, lens, root / "lenses"))
                for name, lens in lenses.items()}  # fmt: skip
        return Counsel(question, None, tuple(found), told)
    if not found:
        raise UsageError("no source holds half of the words of this question", "memex ingest raw")
    words = numbered(found)
    for name, lens in lenses.items():
        sat[name] = (Seat(name, lens), driver_for(memory, root, "" if lens else name))
    most = [driver.estimate([first_prompt(question, words, seat)]) for seat, driver in sat.values()]
    tokens, usd = 2 * sum(m.tokens_in + m.tokens_out for m in most), 2 * sum(m.usd for m in most)
    tell(f"{len(names)} answers and {len(names)} rankings: about {tokens} tokens, {usd:.4f} usd")

    def ask(seat: Seat, prompt: Prompt, purpose: str) -> str:
        return sat[seat.name][1].ask(prompt, purpose)

    done = deliberate(question, words, [seat for seat, _ in sat.values()], ask, seed)
    return Counsel(question, done, tuple(found), {}, next(iter(sat.values()))[1].spent_tonight().usd)


def _own(memory: Memory, question: str, name: str, lens: str, lenses: Path) -> list[Piece]:
    """The evidence of a seat without a model: of sources by that name or author, else as its lens would look for it.

    Raises UsageError where nobody and nothing is called so.
    """
    called = "instr(lower(author || ' ' || document || ' ' || title), lower(?)) > 0"
    only = [row[0] for row in memory.db.execute(f"SELECT document FROM documents WHERE {called}", (name,))]
    if not only and not lens:
        known = [slug_of(one).split("-")[-1] for one in people(memory)] + sorted(p.stem for p in lenses.glob("*.md"))
        told = f"people and lenses known: {', '.join(known) or 'none'}"
        hint = f"--seats {','.join(known[:3])}" if len(known) > 1 else f"write lenses/{name}.md"
        raise UsageError(f"nobody is called {name!r} here, no lens and no source; {told}", hint)
    return evidence(memory, question, limit=4, only=only) if only else evidence(memory, f"{question} {lens}", limit=4)
