"""`memex ask` where the question is not about runs: words of sources with their lines, worded by a model if asked."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from ..lab.wording import clean
from ..ledger import Draft, Ref
from ..memory import Memory
from ..memory.questions.answers import Answer
from ..wiki.answer_formats import Form, write_form
from ..wiki.differing_lines import both_sides, differ
from ..wiki.evidence_search import Piece, answering, evidence, nearest, numbered, pieces_of, saved, unsaid
from ..wiki.group_questions import groups
from ..wiki.hand_written import HandWritten
from ..wiki.incremental import Reading, reading
from ..wiki.question_words import Asked, asked_for, topic_of
from ..wiki.row_questions import rows_asked
from ..wiki.stored_answers import page_of
from ..wiki.subjects import key_of
from ..wiki.table_questions import cells
from ..wiki.topic_answers import contradictions, names_in, replaced, told_of
from ..wiki.value_questions import Valued, Values, held_at
from ..wiki.vault import FOLDER

_values_now: WeakKeyDictionary[Reading, Values] = WeakKeyDictionary()
_VALUES = """SELECT c.subject, c.relation, c.object, coalesce(c.since, ''), c.until, d.document, q.line, e.id FROM
 claims c JOIN documents d ON d.entry = c.source JOIN quotes q USING (entry) JOIN entries e ON e.seq = c.entry
 WHERE c.object IS NOT NULL AND c.relation NOT IN ('author', 'alias', 'tag') AND (c.relation IN (SELECT value FROM
 json_each(?1)) OR lower(c.subject) IN (SELECT value FROM json_each(?1)) OR e.id IN (SELECT value FROM json_each(?2)))
 ORDER BY 1, 2, 4, 3, 6 LIMIT 2000"""
MOST_LINES, MOST_OF_A_TOPIC = 5, 20


@dataclass(frozen=True, slots=True)
class Sourced:
    """An answer from sources: as data the keys of any answer, and each piece of evidence with its place."""

    answer: Answer
    pieces: tuple[Piece, ...]
    files: tuple[str, ...] = ()
    note: str = ""
    near: Piece | None = None  # the nearest line to a question that nothing answers

    def data(self) -> Any:
        told = [{k: v for k, v in asdict(p).items() if k != "held"} | {"place": p.place} for p in self.pieces]
        near = {"text": self.near.text, "place": self.near.place} if self.near else None
        return asdict(self.answer) | {"evidence": told, "files": list(self.files), "note": self.note, "nearest": near}

    def __str__(self) -> str:
        lines = [self.answer.text]
        for n, p in enumerate(self.pieces, 1):
            of = ", ".join(filter(None, (clean(p.title, 80), p.published or "undated")))
            lines.append(f"[{n}] “{clean(p.quote, 400)}” {p.place} ({of})")
        if self.near:
            lines.append(
                f"the nearest line, which does not answer it: {clean(self.near.text, 300)} ({self.near.place})"
            )
        lines += ["", "sql:", self.answer.sql] if self.answer.sql else []
        return "\n".join([*lines, *([self.note] if self.note else []), *(f"written: {name}" for name in self.files)])


def from_sources(
    memory: Memory, root: Path, question: str, as_of: str | None, by: str,
    model: str | None = None, save: bool = False, to: Form | None = None,
) -> Sourced:  # fmt: skip
    """What values of claims answer, else the best words for the question, worded where a model is named; filed where
    asked."""
    plain = re.sub(r"\b(what|who|where|when)['’]?s\b", r"\1 is", question, flags=re.IGNORECASE)
    topic = topic_of(plain)
    with reading(memory, root) as wiki:
        person = None if topic else re.fullmatch(r"\W*who (?:is|was) (.{2,80}?)\W*", plain, re.IGNORECASE)
        topic = person[1] if person and wiki.subjects.resolve(key_of(person[1])) is not None else topic
        names = names_in(wiki, topic or plain)
        asked = asked_for(topic or plain, names)
        values_then = _values_then(memory, wiki, as_of)
        told, by_value = groups(values_then, plain) or (contradictions(wiki, plain), [])
        told = told or (told_of(wiki, topic, as_of) if topic else values_then.answer(plain))
        tabled, counted = (cells(memory, plain, as_of), "") if told is None or told.value is None else ([], "")
        if not tabled and (told is None or told.value is None):
            counted, tabled = rows_asked(memory, plain, as_of)
        if tabled:
            values = [cell.value for cell in tabled]
            value: object = values if len(values) > 1 or counted else values[0]
            value = len(values) if counted and plain.casefold().startswith("how many") else value
            told = Valued(value, (), "", open=not any(values))
        known = told is not None and told.value is not None
        worded = model is not None and (not known or topic)
        most = MOST_OF_A_TOPIC if topic else MOST_LINES
        by_hand = HandWritten(memory, root, wiki, as_of)
        more = answering(memory, asked, as_of, MOST_OF_A_TOPIC, by_hand) if told is None or told.open else []
        more = both_sides(plain, asked, more)
        if worded and not known:
            more = evidence(memory, question, as_of, by_hand=by_hand)
        if not known and (more or topic):
            told = None
        pieces, sentences = pieces_of(memory, told) if told is not None else ([], ())
        more = [one for one in more if not any(one.over(piece) for piece in pieces)]
        old = replaced(wiki, {one.source for one in more}, names)
        near = None if pieces or more or tabled or known else nearest(memory, asked, as_of, by_hand)
    lines = [(cell.text, cell.piece) for cell in tabled]
    sentences = ((counted, ()), *sentences) if counted else sentences
    more.sort(key=lambda one: (one.source in old, not (topic and key_of(one.text).startswith(f"{topic} is "))))
    for one in more[: max(most - len(sentences) - len(lines), 1)]:
        lines.append((one.text + (f" (superseded by {old[one.source]})" if one.source in old else ""), one))
    sentences += tuple((text, (str(len(pieces) + n),)) for n, (text, _) in enumerate(lines, 1))
    pieces += [piece for _, piece in lines]
    stated = any(text.startswith("sources disagree") for text, _ in sentences)
    if more and not tabled and not stated and (head := _head(plain, asked, [p for p in pieces if p.source not in old])):
        sentences = ((head, tuple(str(n) for n in range(1, len(pieces) + 1))), *sentences)
    kind = "exact" if known and not topic else "passages"
    made = "read from tables" if tabled else "computed from what sources say"
    note = f"{made}; no model was asked" if model is not None and not worded else ""
    if worded and pieces and model is not None:
        from ..wiki.answering import worded_by
        from ..wiki.schema import house_rules
        from .land import driver_for

        driver = driver_for(memory, root, model)
        found, dropped = driver.drive(worded_by(question, "", numbered(pieces), [], house_rules(root)), "ask")
        spent = driver.spent_tonight()
        note = f"{driver.provider.name}: {sum(dropped.values())} sentences dropped"
        note += f"; {spent.tokens} tokens, {spent.usd:.4f} usd"
        if found:
            sentences, kind = found, "worded"
            by = f"model:{driver.provider.name}"
        else:
            note += "; nothing it said was borne by the evidence, so that the evidence stands alone"
    text = "\n".join(f"{clean(s, 600)} {''.join(f'[{c}]' for c in cites)}".strip() for s, cites in sentences)
    text = text or unsaid(memory, asked)
    refs = tuple(dict.fromkeys(piece.entry for piece in pieces if piece.entry))
    what, sure = ("sources", kind) if pieces else ("unknown", "none")
    answer = Answer(question, what, None, text, "", refs, 0, sure)
    if told is not None:
        refs, sure = (*refs, *told.by_hand), kind if known else "none"
        answer = Answer(question, "values", told.value, text, told.sql, refs, 0, sure)
    files: list[Path] = []
    draft = saved(question, sentences, pieces) if pieces and save else None
    if pieces and save and draft is None:
        note = "; ".join(filter(None, (note, "not filed: what a person wrote stands on its page")))
    if draft is not None:
        from ..wiki.compiling import render

        _file(memory, question, draft, by)
        render(memory, root)
        files.append(root / FOLDER / f"{page_of(question)}.md")
    if pieces and to:
        rows = [(one.row, one.column, one.value, one.piece.since, one.piece.place) for one in tabled]
        rows = rows or [(one.value, "count", str(one.number), "", "") for one in by_value]
        rows = rows or _values(memory, question, as_of, names, refs if known else ())
        asked_at = f"{question} as of {as_of}" if as_of else question
        files += write_form(root, to, asked_at, sentences, pieces, rows)
    return Sourced(answer, tuple(pieces), tuple(str(path.relative_to(root)) for path in files), note, near)


def _values_then(memory: Memory, wiki: Reading, as_of: str | None) -> Values:
    """The values of claims; those of today are read once for each wiki."""
    if as_of is not None:
        return Values(memory.db, wiki, as_of)
    if wiki not in _values_now:
        _values_now[wiki] = Values(memory.db, wiki)
    return _values_now[wiki]


def _file(memory: Memory, question: str, draft: Draft, by: str) -> None:
    """Lands the answer, unless the one that stands says the same on the same words."""
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


def _values(
    memory: Memory, question: str, as_of: str | None, names: Collection[str], cited: Sequence[str]
) -> list[tuple[str, str, str, str, str]]:
    """Subject, relation, value, since and place of the claims that an answer cites, else that a question names."""
    runs = {" ".join(key_of(question).split()[i : i + n]) for n in (1, 2, 3, 4) for i in range(40)}
    asked = {run.removesuffix(s) for run in runs for s in ("", "s")} - {""} | set(names)
    rows = memory.db.execute(_VALUES, (json.dumps(sorted(asked)), json.dumps(list(cited)))).fetchall()
    rows = [row for row in rows if held_at(as_of, row[3], row[4])]
    rows = [row for row in rows if row[7] in cited] or [row for row in rows if row[1] in asked] or rows
    rows = [row for row in rows if key_of(row[0]) in names] or rows
    return [(s, r, o, since, f"{name}#L{line}") for s, r, o, since, _, name, line, _ in rows]


def _head(question: str, asked: Asked, pieces: Sequence[Piece]) -> str:
    """What stands above lines of sources: what the nearest leave out, where none says all, or that they differ."""
    if pieces and all(piece.missing for piece in pieces):
        left = " or ".join(dict.fromkeys(", ".join(map(repr, piece.missing)) for piece in pieces))
        return f"no line says all of it; the nearest leave{'s' * (len(pieces) == 1)} out {left}:"
    return "sources differ:" if differ(question, asked, pieces) else ""
