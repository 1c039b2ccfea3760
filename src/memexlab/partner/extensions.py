"""Where my own notes go beyond a person's corpus: a set difference that code can compute, and no opinion."""

from __future__ import annotations

from collections import Counter

from ..memory import Memory
from ..memory.claims import STANDING
from .corpus import _COMMON, _WORD, Corpus, _stem
from .statements import Quote, Statement

_MOST = 40
_CLAIMS = f"""SELECT c.source, c.subject, c.text, d.title, d.published, coalesce(e.body ->> '$.meta.type', 'note'),
 q.text, q.line, q.last_line, q.start, q.end, e.by
 FROM {STANDING.replace("WHERE", "JOIN quotes q ON q.entry = c.entry WHERE", 1)}
 AND c.relation NOT IN ('author', 'dated', 'alias') ORDER BY e.id, q.start"""


def extensions(memory: Memory, corpus: Corpus) -> tuple[Statement, ...]:
    """Claims of my other sources, one a subject, of which no own sentence of the person has a word of the subject."""
    spoken = Counter(word for said in corpus.own for word in said.words)
    mine = {text.entry for text in corpus.texts}
    gate = f"not found in {sum(corpus.word_counts.values()):,} words of {corpus.person}"
    found: dict[str, Statement] = {}
    for source, subject, text, title, date, kind, words, line, last, start, end, by in memory.db.execute(_CLAIMS):
        asked = {_stem(word) for word in _WORD.findall(text.lower()) if len(word) > 2 and word not in _COMMON}
        named = {_stem(word) for word in _WORD.findall(subject.lower()) if len(word) > 2}
        new = named and not any(spoken[word] for word in named)
        if source in mine or subject in found or not new or 2 * sum(not spoken[word] for word in asked) < len(asked):
            continue
        basis = "declared" if date else "unknown"
        quote = Quote(words, source, title, kind or "note", date, basis, "own", line, last, start, end)
        found[subject] = Statement(text, gate, 1, (quote.kind,), date, date, (quote,), made_by=by)
    return tuple(found.values())[:_MOST]
