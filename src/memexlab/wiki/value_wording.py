"""How an answer words what claims say: by whom, of what, and in whose words. It knows no questions and no SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from .blocks import bare
from .incremental import Reading
from .live_claims import Statement
from .subjects import key_of

_AT = (" in", " on", " at", " by")


def as_said(wiki: Reading, s: Statement, as_of: str | None = None) -> str:
    """What a claim says, in the words that a person put in the place of it."""
    hand = wiki.edited.get(s.id) if as_of is None else None
    words = bare(hand.text) if hand is not None else ""
    return f"{words} (said by {hand.by}, in place of: {s.text})" if hand and key_of(words) != key_of(s.text) else s.text


def what_of(relation: str, title: str) -> str:
    """What a question for a relation of something asks, in words."""
    told = {"superseded by": f"what superseded {title}", "supersedes": f"what {title} superseded"}
    return told.get(relation) or (f"{relation!r} of {title}" if relation[-3:] in _AT else f"the {relation} of {title}")


def who(wiki: Reading, claims: Iterable[Statement]) -> str:
    """By which sources claims are said, each with its date; who repeats words is no second witness."""
    told: dict[str, dict[str, None]] = defaultdict(dict)
    for s in claims:
        source = f"{s.source} ({wiki.sources[s.source].date or 'undated'})"
        told[key_of(s.quotes[0].text) if s.quotes else s.id][source] = None
    return "said by " + " and ".join(dict.fromkeys(", in the same words ".join(who) for who in told.values()))
