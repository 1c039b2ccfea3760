"""What one source says of names: which it is called by, which it speaks of and as what, which are others for them.

A function of that source alone; which of the names get a page is of `subjects`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .dates import DOES, dates
from .live_claims import Standing
from .prose import spoken
from .schema import Part
from .sentence_patterns import tells_of
from .subjects import UNSURE, key_of, words_of

PERSON = re.compile(r"^(?:author|editor|sponsor|speaker|participant|[\w-]*delegate)$")
_LINK = re.compile(r"\[\[(?:[^\[\]|#]*/)?([^\[\]|#/]+)")
#: How one of a row is called in short: "ADR 7: Use NATS for events".
_NUMBERED = re.compile(r"((?:[A-Z]{2,8}|Decision|Memo|Proposal|Record)[ -]#?\d{1,5})(?::| [–—-]) ")


@dataclass(slots=True)
class Uses:
    """What one source says of names: (key, name, role, text) of each use, (alias, key) of other names it tells.

    A role is home, subject, person, about (a sentence that says something of it), mention or linked (a [[link]]), with
    a question mark where it counts only if another use is sure; or '', where a name counts for nothing by itself.
    """

    names: set[tuple[str, str, str, str]] = field(default_factory=set)
    aliases: set[tuple[str, str]] = field(default_factory=set)

    def use(self, name: str, role: str, text: str = "") -> None:
        self.names.add((key_of(name), name, role, text))

    def alias(self, name: str, other: str, own: bool = False) -> None:
        """`own`: the source gives it to itself, in its header, so that it may be a name of another."""
        if (alias := key_of(other)) and alias != key_of(name):
            self.aliases.add((alias, key_of(name) + UNSURE * own))


def uses_of(found: Standing, schema: Mapping[str, Sequence[Part]]) -> dict[str, Uses]:
    """By source, every name that it uses, and as what."""
    out = {name: Uses() for name in found.sources}
    for taken in found.sources.values():
        uses = out[taken.name]
        uses.use(taken.subject, "home", taken.kind if taken.kind in schema else "")
        for other in (taken.title, *taken.former):
            uses.alias(taken.subject, other)
        stem = (name := taken.name.rpartition("/")[2]).rpartition(".")[0] or name
        if not stem.isdigit():  # or 146 metres would link to 00146.md
            uses.alias(taken.subject, stem)
        if numbered := _NUMBERED.match(taken.subject):
            uses.alias(taken.subject, numbered[1])
    for s in found.statements:
        uses = out[s.source]
        if s.relation == "alias":
            own = s.subject == found.sources[s.source].subject
            uses.alias(s.subject, s.object, own and f" {key_of(s.subject)} " not in words_of(s.quotes[0].text))
        names_it = s.relation not in ("alias", "dated", "says", "summary", DOES)
        uses.use(s.subject, "subject" if names_it else "", s.text if s.relation == "is" else "")
        if s.object:
            person = PERSON.match(s.relation) and re.fullmatch(r"[^\W\d_][^\d@:/]{2,60}", s.object)
            uses.use(s.object, "person" if person else "")
    for mention in found.mentions:
        told = spoken(mention.quote.text)
        about = tells_of(mention.name, told)
        unsure = "" if mention.count else UNSURE
        if mention.name in _LINK.findall(mention.quote.text) and not dates(mention.name):
            out[mention.quote.source].use(mention.name, "linked")
        out[mention.quote.source].use(mention.name, ("about" if about else "mention") + unsure, told if about else "")
    return out
