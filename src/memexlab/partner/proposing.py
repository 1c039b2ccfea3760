"""What a model, an agent or a person says of somebody's corpus, a JSON object a line, through gates that are code.

Quotes must stand in the corpus in the person's own voice; the stored words win. A refusal says what to mend. It only
adds: a failed call retires nothing. A verdict on a statement is a person's alone. It computes no section.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, NoReturn

from ..ledger import Claim, Draft, Finding, Ref, Refused, Scalar, UsageError, Verdict
from ..memory import Memory
from ..wiki.claims import ByteOffsets
from ..wiki.drafting import Line, json_lines
from ..wiki.quotes import supported
from .axioms import gate_of
from .corpus import OWN, WORD, Corpus, Text, find_person, groups_of, open_corpus, slug_of, stems
from .landed import RELATION, judged, mark_of, taking_back
from .predictions import STATUSES
from .quote_places import Hit, find, said_at
from .revisions import Revision, revisions
from .vocabulary import uses_of
from .voice import VOICES

KINDS = ("contradiction", "revision", "scope", "trade-off")
RELATIONS = ("builds on", "argues with", "praises", "cites", "names")
DECISIONS = ("accept", "reject", "edit")
_MOST_TEXT_CHARS, _MOST_QUOTE_CHARS, _LEAST_QUOTE_WORDS = 400, 2_000, 4
_PLACE = re.compile(r"S(\d+):(\d+)-(\d+)\Z")


@dataclass(frozen=True, slots=True)
class Told:
    """What became of lines about a person: how many landed in each section, what to mend, what is no axiom."""

    person: str
    landed: dict[str, int]
    known: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        return 1 if self.findings else 0

    def __str__(self) -> str:
        had = ", ".join(f"{count} {name}" for name, count in self.landed.items()) or "nothing"
        head = f"{self.person}: {had} landed, {self.known} known before, {len(self.findings)} refused"
        return "\n".join([head, *self.notes, *map(str, self.findings)])


def lines_about_a_person(file: Path) -> list[Line] | None:
    """The lines of a file whose first line names a person; else None."""
    found = json_lines(file)
    return found if found and isinstance(found[0][1], dict) and "person" in found[0][1] else None


class _Gate:
    """The lines of one file against one corpus: each becomes a draft, or raises Refused with what to mend."""

    def __init__(self, corpus: Corpus, by: str) -> None:
        self.corpus, self.by, self.human = corpus, by, by.startswith("human:")
        self.subject = f"person:{corpus.person}"
        self.proposed = self.verified = 0
        self.notes: list[str] = []
        self._offsets = [ByteOffsets(text.text) for text in corpus.texts]

    @cached_property
    def revised(self) -> tuple[Revision, ...]:
        return revisions(self.corpus)

    def quotes(self, row: Mapping[str, Any], name: str = "quotes", least: int = 1, most: int = 12) -> list[Hit]:
        """The spans of the words that a line quotes, all in own voice."""
        said = row.get(name) or []
        if not isinstance(said, list) or not least <= len(said) <= most:
            told = f"{least}" if least == most else f"{least} to {most}"
            refuse("quotes", f'"{name}" has no list of {told} quotes', f'"{name}": ["words copied from a source"]')
        hits = []
        for quote in map(str, said):
            self.proposed += 1
            if not len(quote.split()) >= _LEAST_QUOTE_WORDS or len(quote) > _MOST_QUOTE_CHARS:
                refuse("quote", f"a quote has {_LEAST_QUOTE_WORDS} words or more: {quote[:60]!r}", "quote a sentence")
            if (hit := find(quote, self.corpus)) is None:
                refuse("quote", f"not in this corpus: {quote[:80]!r}", self._nearest(quote))
            part = self.corpus.spoken(hit[0], hit[1].start, hit[1].end)
            if part is not None and part.voice not in OWN:
                text, person = self.corpus.texts[hit[0]], self.corpus.person
                at, first, last = (bisect_right(text.lines, n) for n in (hit[1].start, part.start, part.end - 1))
                why = f" ({part.why}; lines {first} to {last})" if part.why else f" (lines {first} to {last})"
                told = f"at {text.title} line {at} this is the voice of: {part.voice}{why}: {quote[:80]!r}"
                say = f'memex voice {slug_of(person)} "S{text.entry}:{hit[1].start}-{hit[1].end}" own --why ...'
                refuse("voice", told, f"quote {person}'s own words, or, if these are, a person says so: {say}")
            self.verified += 1
            hits.append(hit)
        return hits

    def _nearest(self, quote: str) -> str:
        """The own sentence that shares most words with a quote, to copy from; words of a line wrap are no matter."""
        asked = stems(quote)
        best = max(self.corpus.own, key=lambda one: len(asked.intersection(one.words)), default=None)
        if best is None or 2 * len(asked.intersection(best.words)) < len(asked):
            return "nothing like it is there: copy the words of a source, or leave the line out"
        return f'copy the words; the nearest are: "{self.corpus.quote(best).text[:300]}"'

    def _words(self, hits: Sequence[Hit]) -> str:
        return " ".join(self.corpus.texts[place].text[span.start : span.end] for place, span in hits)

    def text(self, row: Mapping[str, Any], hits: Sequence[Hit], key: str = "text", needed: bool = True) -> str:
        """The words of the line itself: not longer than a sentence or two, with no number or name but of its quotes."""
        text = re.sub(r"[\x00-\x1f\x7f-\x9f]", "", " ".join(str(row.get(key) or "").split()))
        if len(text) > _MOST_TEXT_CHARS or (needed and not text):
            refuse("text", f'"{key}" has {len(text)} characters', f"1 to {_MOST_TEXT_CHARS}; say one thing")
        for wrong in supported(text, f"{self._words(hits)} {self.corpus.person}"):
            refuse(wrong.rule, wrong.message, wrong.hint or "")
        return text

    def claim(self, section: str, text: str, hits: Sequence[Hit], name: str = "", **scope: Scalar) -> Draft:
        refs = [Ref("quotes", self.corpus.texts[place].blob, self._offsets[place](span.start),
                    self._offsets[place](span.end)) for place, span in hits]  # fmt: skip
        refs += [Ref("from", one) for one in dict.fromkeys(self.corpus.texts[place].id for place, _ in hits)]
        told = {"section": section} | {key: value for key, value in scope.items() if value not in ("", 0)}
        marks = [f"{ref.id}:{ref.start}-{ref.end}" for ref in refs if ref.role == "quotes"]
        digest = blake2b("\n".join([name, text, json.dumps(told), *marks]).encode(), digest_size=8).hexdigest()
        body = Claim(text or name, RELATION, name or None, scope=told)
        return Draft(self.subject, body, tuple(refs), key=f"partner:{self.corpus.person}:{digest}"[:300])

    def statement(self, row: Mapping[str, Any]) -> Draft:
        hits = self.quotes(row)
        counter, text = self.quotes(row, "counter", 0), self.text(row, hits)
        said = said_at(self.corpus, hits)
        later = [self.corpus.quote(one) for one in taking_back([*said, *said_at(self.corpus, counter)], self.revised)]
        self.notes += [f'taken back, and shown beside it ({one.date}): "{one.text[:200]}"' for one in later]
        tier, gate, *_ = gate_of(said, len(counter) + len(later))
        if tier != "axiom":
            self.notes.append(f"{tier} ({gate}): {text[:90]}")
        return self.claim("statement", text, [*hits, *counter], counter=len(counter))

    def model(self, row: Mapping[str, Any]) -> Draft:
        hits = self.quotes(row, least=2)
        if groups_of(said_at(self.corpus, hits)) < 2:
            refuse("groups", "the quotes are of one group", "a model needs quotes of two books or letters")
        terms = [" ".join(WORD.findall(str(term).lower())) for term in row.get("terms") or []]
        used = uses_of(self.corpus, [term for term in terms if term])
        if not used or not all(used.values()):
            unused = [term for term in terms if not used.get(term)]
            hint = '"terms": ["natural selection"]: its phrases as they stand'
            refuse("terms", f"no own sentence has {unused}", hint)
        name = self.text(row, hits, "name")
        return self.claim("model", self.text(row, hits), hits, name, terms="|".join(terms))

    def tension(self, row: Mapping[str, Any]) -> Draft:
        kind, hits = _one_of(row, "kind", KINDS), self.quotes(row, least=2, most=2)
        left, right = said_at(self.corpus, hits)
        if left.source == right.source and left.start < right.end and right.start < left.end:
            refuse("tension", "both quotes are the same words", "one quote for each side")
        if kind == "revision" and left.segment.date == right.segment.date:
            refuse("tension", f"both sides are of {left.segment.date}", "kind: contradiction, scope or trade-off")
        return self.claim("tension", self.text(row, hits), hits, kind=kind)

    def prediction(self, row: Mapping[str, Any]) -> Draft:
        """Who lands a status resolved it; of two on one quote that of a person stands, then the later one."""
        hits, horizon, why = self.quotes(row, most=1), str(row.get("horizon") or ""), str(row.get("why") or "").strip()
        if horizon and not re.fullmatch(r"\d{4}", horizon):
            refuse("horizon", f"{horizon!r} is no year", '"horizon": "1960", or none')
        status = _one_of({"status": "open"} | dict(row), "status", STATUSES)
        if (status == "open") == bool(why) or len(why) > _MOST_TEXT_CHARS:
            refuse("status", f"status {status} with why {why[:60]!r}", '"why": what happened, when, how that is known')
        inferred = row.get("explicit") is False
        return self.claim("prediction", self.text(row, hits), hits, horizon=horizon, inferred=inferred, status=status,
                          why=why)  # fmt: skip

    def lineage(self, row: Mapping[str, Any]) -> Draft:
        kind, relation = _one_of(row, "kind", ("person", "work")), _one_of(row, "relation", RELATIONS)
        hits, name = self.quotes(row), " ".join(str(row.get("name") or "").split())
        inferred = row.get("explicit") is False
        if not name or not (inferred or name.split()[-1].casefold() in self._words(hits).casefold()):
            refuse("lineage", f"no quote names {name!r}", 'quote where it is named, or "explicit": false with a "text"')
        text = self.text(row, hits, needed=inferred) or f"{relation} {name}"
        return self.claim("lineage", text, hits, name, kind=kind, relation=relation, inferred=inferred)

    def voice(self, row: Mapping[str, Any]) -> Draft:
        """Who speaks in a passage, given as its words or its place; only a person may say that it is the person's."""
        said, voice = str(row.get("passage") or ""), _one_of(row, "voice", VOICES)
        if voice in OWN and not self.human:
            message = f"{self.by} may not say that words are {self.corpus.person}'s own"
            refuse("voice", message, 'by a person: memex voice NAME "S12:40-58" own --why ...')
        if (stands := self._at(said)) is not None:
            text, start, end = stands
        elif (hit := find(said, self.corpus)) is not None:
            text, start, end = self.corpus.texts[hit[0]], hit[1].start, hit[1].end
        else:
            refuse("voice", f"not in this corpus: {said[:80]!r}", '"passage": its words, or a place such as S12:40-58')
        told: dict[str, Scalar] = {"start": start, "end": end, "voice": voice}
        others = [one for one in self.corpus.voiced.get(text.id, ()) if one != (start, end, voice)]
        later = sum(a < end and start < b for a, b, _ in others)  # what was said otherwise may be said anew
        key = f"voice:{self.by}:{text.id}:{start}-{end}:{voice}:{later}"
        return Draft(self.subject, Verdict("voice", str(row.get("why") or ""), told), (Ref("tests", text.id),), key=key)

    def _at(self, place: str) -> tuple[Text, int, int] | None:
        """The text of a place such as S12:40-58, and from which character to which, if it has one."""
        entry, start, end = map(int, match.groups()) if (match := _PLACE.match(place)) else (-1, 0, 0)
        found = (text for text in self.corpus.texts if text.entry == entry and start < end <= len(text.text))
        return next(((text, start, end) for text in found), None)

    def verdict(self, memory: Memory, row: Mapping[str, Any]) -> tuple[str, Draft]:
        """A row that the page exports: on a claim by its entry, on what code found by the places of its quotes."""
        decision, entry, marks = _one_of(row, "decision", DECISIONS), str(row.get("entry") or ""), []
        again = "memex partner: make the page again"
        if not self.human:
            refuse("review", f"{self.by} is no person, and a person accepts or rejects", "MEMEX_BY=human:NAME")
        for place in [] if entry else str(row.get("place") or "").split():
            text, start, end = self._at(place) or (None, 0, 0)
            if text is None or " ".join(text.text[start:end].split()) not in " ".join(str(row.get("text")).split()):
                refuse("review", f"the words of this statement do not stand at {place}", again)
            marks.append((text.id, start))
        sql = "SELECT 1 FROM entries WHERE id = ? AND subject = ?"
        if not marks and memory.db.execute(sql, (entry, self.subject)).fetchone() is None:
            refuse("review", f"there is no statement {entry or row.get('place')!r}", again)
        of = entry or mark_of(marks)
        told: dict[str, Scalar] = {"of": of, "scope": str(row.get("scope") or "")}
        word = "reject" if decision == "reject" else "accept"
        tests = dict.fromkeys([entry] if entry else [one for one, _ in marks])
        return of, Draft(self.subject, Verdict(word, str(row.get("why") or ""), told),
                         tuple(Ref("tests", one) for one in tests))  # fmt: skip


def refuse(rule: str, message: str, hint: str) -> NoReturn:
    raise Refused([Finding(f"partner-{rule}", "error", "line", message, hint)])


def _one_of(row: Mapping[str, Any], name: str, allowed: Sequence[str]) -> str:
    if row.get(name) not in allowed:
        refuse(name, f"{name} is {row.get(name)!r}", f'"{name}": one of {", ".join(allowed)}')
    return str(row[name])


def admit(memory: Memory, lines: Sequence[Line], by: str, check: bool = False) -> Told:
    """Lands what passes, whatever else fails; the same line again adds nothing. The meter counts every quote.

    With `check`, nothing lands or is counted: it tells what would.
    """
    person = find_person(memory, str(lines[0][1]["person"]))
    corpus = open_corpus(memory, person)
    gate, drafts, findings, known = _Gate(corpus, by), list[tuple[str, Draft]](), list[Finding](), 0
    sections: dict[str, Callable[[Mapping[str, Any]], Draft]] = {
        "statement": gate.statement, "model": gate.model, "tension": gate.tension, "prediction": gate.prediction,
        "lineage": gate.lineage, "voice": gate.voice,
    }  # fmt: skip
    said = judged(memory)
    for where, row in lines:
        try:
            if not isinstance(row, dict) or find_person(memory, str(row.get("person") or "")) != person:
                refuse("line", row if isinstance(row, str) else f"no object about {person}", f'"person": "{person}"')
            if "decision" in row:
                of, draft = gate.verdict(memory, row)
                word = said.get(of)
                told = draft.body.decision, draft.body.numbers["scope"]  # type: ignore[union-attr]
                known += (same := word is not None and (word.decision, word.scope) == told)
                drafts += [] if same else [("verdict", draft)]
            else:
                section = _one_of(row, "section", tuple(sections))
                drafts.append((section, sections[section](row)))
        except Refused as error:
            findings.append(replace(error.findings[0], where=where))
        except UsageError as error:
            findings.append(Finding("partner-line", "error", where, str(error).split("\n")[0], error.hint))
    before = memory.index.by_key([draft.key for _, draft in drafts if draft.key])
    landed = Counter({draft.key or str(n): name for n, (name, draft) in enumerate(drafts)
                      if draft.key not in before}.values())  # fmt: skip
    known += len(drafts) - landed.total()
    if gate.proposed and not check:
        counts: dict[str, Scalar] = {
            "proposed": gate.proposed, "verified": gate.verified, "refused": gate.proposed - gate.verified
        }  # fmt: skip
        meter = Draft(gate.subject, Verdict("metered", by, counts), (Ref("tests", corpus.texts[0].id),))
        drafts.append(("meter", meter))
    if not check:
        memory.land([draft for _, draft in drafts], by)
    return Told(person, dict(sorted(landed.items())), known, tuple(findings), tuple(gate.notes))
