"""What claims say of a topic, as its page would, where sources disagree, and the names that a question uses.

It knows no passages: what sources say in words that no claim rests on is found by `quoting`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from ..memory.search.retrieval import STOPPED
from .dates import DOES
from .incremental import Reading
from .question_words import OPENING
from .subjects import key_of
from .value_questions import Valued, held_at
from .value_wording import as_said, what_of, who

_UNTOLD = frozenset(
    ["alias", "dated", "tag", "columns", "created", "published", "clipped", "address", "note dated", "note created",
     "note updated", "note published", DOES]
)  # fmt: skip
MOST = 20
_CONTRADICTING = re.compile(
    r"(?:(?:which|what|who|where|do|does|are|is|list|show|there|any|all|of|the|my|me|our|sources?|notes?|claims?|papers?"
    r"|documents?) )*(?:contradict(?:ions?|s|ory)?|disagree(?:ments?|s)?|(?:in )?conflict(?:s|ing)?)"
    r"(?: (?:each other|one another|with|among|between|in|my|our|the|sources|notes|claims))*"
)


def names_in(wiki: Reading, question: str) -> dict[str, list[str]]:
    """The names of pages in a question, in normal form, each with all names of its page; none inside another."""
    words, found, at = key_of(question).split(), dict[str, list[str]](), 0
    while at < len(words):
        for size in range(min(12, len(words) - at), 0, -1):
            page = wiki.subjects.resolve(name := " ".join(words[at : at + size]))
            if page is not None and (size > 1 or name not in STOPPED) and not _asks(page.title, name, question):
                found[name] = page.names
                at += size - 1
                break
        at += 1
    return found


def _asks(title: str, name: str, question: str) -> bool:
    """Whether a title is a question itself, or speaks of a thing of another that the question asks in other words."""
    opens = "?" in title and name.partition(" ")[0] in OPENING
    return opens or (" " in name and re.search(r"['’]s\b", title) is not None and not re.search("['’]", question))


def told_of(wiki: Reading, topic: str, as_of: str | None) -> Valued:
    """What claims say of a topic: what it is, on what sources disagree, values, and all else that is said."""
    page = wiki.subjects.resolve(topic)
    names = page.names if page is not None else [topic]
    of_it = (s for s in wiki.naming(names) if key_of(s.subject) in names or (s.object and key_of(s.object) in names))
    said = [s for s in of_it if s.relation not in _UNTOLD]
    said = [s for s in said if held_at(as_of, s.since or wiki.sources[s.source].date, s.until)]
    differ = differing(wiki, [page.key]) if page is not None and as_of is None else []
    cited = {claim for _, claims in differ for claim in claims}
    beside = {s.text for s in said if s.entry in cited}
    said.sort(key=lambda s: (key_of(s.subject) not in names, s.relation != "is", s.relation != "summary", not s.object))
    lines = dict[str, tuple[str, ...]]()
    for s in said:
        if s.text not in beside:
            lines.setdefault(as_said(wiki, s, as_of), (s.entry,))
    told = list(lines.items())
    first = len({s.text for s in said if s.relation == "is"} - beside)
    told[first:first] = differ
    return Valued([text for text, _ in told] or None, tuple(told), "", open=True)


def contradictions(wiki: Reading, question: str) -> Valued | None:
    """Every contradiction that is open, where that is the question."""
    if not _CONTRADICTING.fullmatch(key_of(question)):
        return None
    told = differing(wiki, keys := sorted(key for key in wiki.differing if key in wiki.subjects.pages)[:MOST])
    if not keys:
        looked = (
            "values of one subject, and sentences that deny one another, were compared; prose may differ in other words"
        )
        return Valued(0, ((f"no contradiction was found: {looked}", ()),), "")
    count = f"pages with contradictions: {len(wiki.differing)}; of the first {len(keys)} (all: memex conflicts):"
    return Valued(len(wiki.differing), ((count, ()), *told), "")


def differing(wiki: Reading, keys: Iterable[str]) -> list[tuple[str, tuple[str, ...]]]:
    """A line for each contradiction that is open on these pages, with the claims that it rests on."""
    found = list[tuple[str, tuple[str, ...]]]()
    pages = wiki.pages(keys := sorted(keys))
    for key in keys:
        for one in pages.differing[key]:
            said = [s for s in map(pages.claim, one.claims) if s.quotes and s.entry]
            if one.kind in ("contested", "unresolved") and len(said) > 1:
                sides = "; ".join(dict.fromkeys(f"{s.object}, {who(wiki, [s])}" for s in said))
                title = pages.subjects.pages[key].title
                done = any(s.relation == DOES for s in said)
                what = f"whether {title} {one.relation}" if done else what_of(one.relation, title)
                found.append((f"sources disagree on {what} ({one.kind}): {sides}", tuple(s.entry for s in said)))
    return found


def replaced(wiki: Reading, sources: Iterable[str], named: Collection[str]) -> dict[str, str]:
    """By source what took the place of the document that it is, where the question does not name the document."""
    subjects = wiki.subjects
    homes = {name: subjects.resolve(wiki.sources[name].subject) for name in sources if name in wiki.sources}
    pages = wiki.pages(()) if homes else None
    return {name: ", ".join(one.title for one in by) for name, page in homes.items()
            if pages and page and not set(page.names) & set(named) and (by := pages.replaced_by(page))}  # fmt: skip
