"""`memex ask` where the question is not about runs: words of sources with their lines, worded by a model if asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from ..lab.wording import clean
from ..ledger import Ref
from ..memory import Memory
from ..memory.answers import Answer
from ..wiki.bearing import words
from ..wiki.cells import cells
from ..wiki.forms import Form, write_form
from ..wiki.quoting import Piece, evidence, numbered, pieces_of, saved
from ..wiki.resolving import Reading, reading
from ..wiki.values import Valued, Values, held_at
from ..wiki.vault import FOLDER
from ..wiki.worded import Sentences, page_of

_values_now: WeakKeyDictionary[Reading, Values] = WeakKeyDictionary()
_VALUES = """SELECT c.subject, c.relation, c.object, coalesce(c.since, ''), c.until, d.document, q.line FROM claims c
 JOIN documents d ON d.entry = c.source JOIN quotes q USING (entry) WHERE c.object IS NOT NULL AND c.relation NOT IN
 ('author', 'alias', 'tag') AND (c.relation IN (SELECT value FROM json_each(?1)) OR lower(c.subject) IN
 (SELECT value FROM json_each(?1))) ORDER BY 1, 2, 4, 3, 6 LIMIT 2000"""


@dataclass(frozen=True, slots=True)
class Sourced:
    """An answer from sources: as data the keys of any answer, and each piece of evidence with its place."""

    answer: Answer
    pieces: tuple[Piece, ...]
    files: tuple[str, ...] = ()
    note: str = ""

    def data(self) -> Any:
        told = [{k: v for k, v in asdict(p).items() if k != "held"} | {"place": p.place} for p in self.pieces]
        return asdict(self.answer) | {"evidence": told, "files": list(self.files), "note": self.note}

    def __str__(self) -> str:
        lines = [self.answer.text, *(f"[{n}] “{clean(p.quote, 400)}” {p.place}" for n, p in enumerate(self.pieces, 1))]
        lines += ["", "sql:", self.answer.sql] if self.answer.sql else []
        return "\n".join([*lines, *([self.note] if self.note else []), *(f"written: {name}" for name in self.files)])


def from_sources(
    memory: Memory, root: Path, question: str, as_of: str | None, by: str,
    model: str | None = None, save: bool = False, to: Form | None = None,
) -> Sourced:  # fmt: skip
    """What values of claims answer, else the best words for the question, worded where a model is named; filed where
    asked."""
    with reading(memory, root) as wiki:
        found_values = _values_then(memory, wiki, as_of).answer(question)
    tabled = [] if found_values is not None and found_values.value is not None else cells(memory, question)
    if tabled:
        found_values = Valued([value for value, _, _ in tabled] if len(tabled) > 1 else tabled[0][0], (), "")
        pieces = [piece for _, _, piece in tabled]
        sentences: Sentences = tuple((text, (str(n),)) for n, (_, text, _) in enumerate(tabled, 1))
        note, kind = "read from tables; no model was asked" if model is not None else "", "exact"
    elif found_values is not None:
        pieces, sentences = pieces_of(memory, found_values)
        note, kind = "computed from what sources say; no model was asked" if model is not None else "", "exact"
    else:
        pieces = evidence(memory, question, as_of)
        sentences = tuple((p.text, (str(n),)) for n, p in enumerate(pieces, 1))
        note, kind = "", "passages"
    if model is not None and pieces and found_values is None:
        from ..wiki.answering import worded_by
        from .landing import driver_for

        driver = driver_for(memory, root, model)
        found, dropped = driver.drive(worded_by(question, "", numbered(pieces), []), "ask")
        spent = driver.spent_tonight()
        note = f"{driver.provider.name}: {sum(dropped.values())} sentences dropped"
        note += f"; {spent.tokens} tokens, {spent.usd:.4f} usd"
        if found:
            sentences, kind = found, "worded"
            by = f"model:{driver.provider.name}"
        else:
            note += "; nothing it said was borne by the evidence, so that the evidence stands alone"
    text = "\n".join(f"{clean(s, 600)} {''.join(f'[{c}]' for c in cites)}".strip() for s, cites in sentences)
    text = text or "not in this memory: no source holds half of the words of this question"
    refs = tuple(dict.fromkeys(piece.entry for piece in pieces))
    what, sure = ("sources", kind) if pieces else ("unknown", "none")
    if found_values is not None:
        known = found_values.value is not None
        what, sure, refs = "values", "exact" if known else "none", (*refs, *found_values.by_hand)
        answer = Answer(question, what, found_values.value, text, found_values.sql, refs, 0, sure)
    else:
        answer = Answer(question, what, None, text, "", refs, 0, sure)
    files: list[Path] = []
    if pieces and save:
        from ..wiki.compiling import render

        _file(memory, question, sentences, pieces, by)
        render(memory, root)
        files.append(root / FOLDER / f"{page_of(question)}.md")
    if pieces and to:
        files += write_form(root, to, question, sentences, pieces, _values(memory, question, as_of))
    return Sourced(answer, tuple(pieces), tuple(str(path.relative_to(root)) for path in files), note)


def _values_then(memory: Memory, wiki: Reading, as_of: str | None) -> Values:
    """The values of claims; those of today are read once for each wiki."""
    if as_of is not None:
        return Values(memory.db, wiki, as_of)
    if wiki not in _values_now:
        _values_now[wiki] = Values(memory.db, wiki)
    return _values_now[wiki]


def _file(memory: Memory, question: str, sentences: Sentences, pieces: Sequence[Piece], by: str) -> None:
    """Lands the answer, unless the one that stands says the same on the same words."""
    draft = saved(question, sentences, pieces)
    live = memory.db.execute(
        "SELECT e.id, json_extract(e.body, '$.text') FROM entries e WHERE e.subject = ? AND e.kind = 'answer' AND NOT"
        " EXISTS (SELECT 1 FROM refs r WHERE r.target = e.id AND r.role IN ('supersedes', 'retracts')) ORDER BY e.id",
        (draft.subject,),
    ).fetchall()
    spans = {(ref.id, ref.start, ref.end) for ref in draft.refs if ref.role == "quotes"}
    for entry, text in live:
        sql = "SELECT target, start, end FROM refs r JOIN entries e USING (seq) WHERE e.id = ? AND role = 'quotes'"
        if (
            len(live) == 1
            and set(memory.db.execute(sql, (entry,))) == spans
            and text == getattr(draft.body, "text", "")
        ):
            return
    refs = (*draft.refs, *(Ref("supersedes", entry) for entry, _ in live))
    serial = memory.db.execute("SELECT count(*) FROM entries WHERE subject = ?", (draft.subject,)).fetchone()[0]
    memory.land([replace(draft, refs=refs, key=f"asked:{page_of(question)[-6:]}:{serial}")], by)


def _values(memory: Memory, question: str, as_of: str | None) -> list[tuple[str, str, str, str, str]]:
    """Values of claims whose relation or subject the question names: subject, relation, value, since, place."""
    plain = words(question)
    runs = [" ".join(question.lower().strip("?!. ").split()[i : i + n]) for n in (1, 2, 3, 4) for i in range(40)]
    asked = json.dumps(sorted({*plain, *(run for run in runs if run), *(w.removesuffix("s") for w in plain)}))
    rows = memory.db.execute(_VALUES, (asked,)).fetchall()
    return [(s, r, o, since, f"{name}#L{line}") for s, r, o, since, until, name, line in rows
            if held_at(as_of, since, until)]  # fmt: skip
