"""`memex partner`, `memex prompt` and `memex ask --as`: a perspective as a page, a prompt, and one who answers."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..lab.wording import plural
from ..ledger import UsageError
from ..memory import Memory
from ..partner.asking import Spoken, answer_from
from ..partner.corpus import Corpus, Text, find_person, open_corpus, people, slug_of
from ..partner.page import Shared, render_page, shared
from ..partner.perspective import Perspective, perspective, perspective_of
from ..partner.prompt import BUDGETS, BuiltPrompt, build_prompt, lens_of, skill_files
from ..wiki.evidence_search import Piece
from .land import driver_for

Tell = Callable[[str], None]
#: What a person calls everything in the lab that belongs to no corpus.
NOTES = "notes"


@dataclass(frozen=True, slots=True)
class Portrayed:
    """A page that was written."""

    path: str
    bytes: int
    seconds: float
    statements: dict[str, int]
    greyed: dict[str, str]

    def __str__(self) -> str:
        had = ", ".join(f"{count} {name}" for name, count in self.statements.items() if count) or "no statements"
        lines = [f"{self.path} ({self.bytes / 1e6:.1f} MB, {self.seconds:.1f} s): {had}"]
        return "\n".join(lines + [f"{name}: {reason}" for name, reason in self.greyed.items()])


@dataclass(frozen=True, slots=True)
class Prompted:
    """A prompt, and the files of the skill where they were written."""

    built: BuiltPrompt
    files: tuple[str, ...] = ()

    def __str__(self) -> str:
        cut = ", ".join(f"{count} {name.lower()}" for name, count in self.built.cut.items()) or "nothing"
        told = f"{self.built.tokens} of {self.built.budget} tokens ({self.built.counted}); cut: {cut}"
        return "\n".join([*self.files, told]) if self.files else self.built.text


def page_of(
    memory: Memory, person: str, as_of: int | None = None, against: str = "", tell: Tell = lambda _: None
) -> tuple[Perspective, str]:
    """The perspective and its page; as of a year, words that are later are not in it. `tell` hears how far it is."""
    corpus = open_corpus(memory, person, as_of, tell)
    tell(f"Comparing {len(corpus.own):,} sentences: what is held, what is said twice, what changed")
    found, texts = perspective_of(memory, corpus), corpus.texts
    tell("Writing the page, with all of the words and their index")
    if as_of is not None:
        texts = [replace(text, text=_until(text)) for text in texts if text.segments]
    beside = _against(memory, found, against, as_of) if against else None
    return found, render_page(found, texts, [build_prompt(found, budget, as_of) for budget in BUDGETS], as_of, beside)


def portray(
    memory: Memory, root: Path, person: str, out: Path | None, as_of: int | None, against: str,
    tell: Tell = lambda _: None,
) -> Portrayed:  # fmt: skip
    """Writes the page of a person."""
    begun = time.monotonic()
    found, text = page_of(memory, person, as_of, against, tell)
    path = out or root / "reports" / f"{found.slug}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    sections = ("axioms", "positions", "once", "models", "tensions", "predictions", "lineage", "periods")
    counts = {name: len(getattr(found, name)) for name in sections}
    return Portrayed(str(path), len(text.encode()), time.monotonic() - begun, counts, dict(found.greyed))


def prompted(
    memory: Memory, person: str, tokens: int, out: Path | None, as_of: int | None, first_person: bool
) -> Prompted:
    """Builds a prompt; with `out`, writes a skill, where the licences of all that it quotes are known."""
    corpus = open_corpus(memory, person, as_of)
    found = perspective_of(memory, corpus)
    if first_person and found.living:
        told = f"{found.person} may be living, no death is known: nobody speaks for them in the first person"
        raise UsageError(told, f"memex prompt {found.slug.split('-')[-1]}")
    built = build_prompt(found, tokens, as_of, first_person)
    if out is None:
        return Prompted(built)
    unknown = [text.title for text in corpus.texts if not text.licence]
    if unknown:
        told = f"{plural(len(unknown), 'source has', 'sources have')} no licence: {', '.join(unknown[:5])}"
        hint = 'say "licence" in manifest.jsonl, and ingest again'
        raise UsageError(f"{told}; what is exported can be passed on", hint)
    files = skill_files(found, out.resolve().name, as_of, tokens, first_person)
    for name, text in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text, encoding="utf-8")
    return Prompted(built, tuple(str(out / name) for name in sorted(files)))


def spoken(memory: Memory, root: Path, person: str, question: str, as_of: str | None, model: str | None) -> Spoken:
    """Asks a person's corpus; a model words the answer only where one is named."""
    if as_of is not None and not re.fullmatch(r"\d{4}(-\d\d){0,2}", as_of):
        raise UsageError(f"{as_of!r} is no year, month or day", f'memex ask --as "{person}" --as-of 1859-11 "..."')
    driver = driver_for(memory, root, model) if model is not None else None
    newest = memory.db.execute("SELECT max(seq) FROM entries WHERE kind NOT IN ('run', 'call')").fetchone()
    return answer_from(_opened(memory, person, as_of, newest), question, driver)


@lru_cache(1)
def _opened(memory: Memory, person: str, as_of: str | None, newest: object) -> Corpus:
    """The corpus that was asked last: to read a million words takes ten times as long as to answer from them."""
    return open_corpus(memory, person, as_of)


def seated(memory: Memory, name: str, question: str) -> tuple[str, list[Piece]] | None:
    """(lens, own words on the question) of a person of this lab who takes a seat in a council; None for nobody."""
    if not any(name.casefold() in (slug_of(one), slug_of(one).split("-")[-1]) for one in people(memory)):
        return None
    corpus = open_corpus(memory, name)
    ids = {text.entry: text for text in corpus.texts}
    quotes = [quote for one in answer_from(corpus, question).sentences for quote in one.quotes]
    pieces = [
        Piece(f"{corpus.person} wrote in {q.date[:4]}", q.text, q.title, q.line, q.last_line, q.date, ids[q.source].id,
              ids[q.source].blob, q.start, q.end, 0) for q in quotes
    ]  # fmt: skip
    return lens_of(perspective_of(memory, corpus)), pieces


def _until(text: Text) -> str:
    """The text with every character outside its segments blank, so that no place moves."""
    kept: list[Any] = ["\n" if c == "\n" else " " for c in text.text]
    for one in text.segments:
        kept[one.start : one.end] = text.text[one.start : one.end]
    return "".join(kept)


def _against(memory: Memory, found: Perspective, name: str, as_of: int | None) -> Shared:
    if name != NOTES:
        other = perspective(memory, find_person(memory, name), as_of)
        return shared(found, other, other.person)
    terms = [term.term for term in found.vocabulary]
    both = tuple(term for term in terms if _in_notes(memory, term))
    names = tuple(mention.name for mention in found.lineage if _in_notes(memory, mention.name))
    return Shared("your notes", both, tuple(term for term in terms if term not in both)[:40], (), names)


def _in_notes(memory: Memory, words: str) -> bool:
    phrase = '"' + words.replace('"', " ") + '"'
    sql = (
        "SELECT 1 FROM passage_words w JOIN passages p ON p.rowid = w.rowid JOIN entries e ON e.seq = p.entry"
        " WHERE passage_words MATCH ? AND e.body ->> '$.meta.person' IS NULL LIMIT 1"
    )
    return memory.db.execute(sql, (phrase,)).fetchone() is not None
