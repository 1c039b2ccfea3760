"""The gate between a proposal and the ledger: a claim enters with quotes that code finds, or it is refused.

Places: readers, proposals and `documents` count characters of the text. A `Ref` of the ledger counts bytes of the blob,
which is that text in UTF-8. `ByteOffsets` is the one place where the one becomes the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal

from ..ledger import Claim, Draft, Finding, Ref, Scalar
from .quotes import Span, locate, supported


@dataclass(frozen=True, slots=True)
class Proposal:
    """What anybody may propose about one document: a sentence, and its quotes as words or as spans of the text."""

    subject: str
    text: str
    quotes: tuple[str | Span, ...]
    relation: str = ""
    object: Scalar = None
    since: str | None = None
    until: str | None = None
    scope: Mapping[str, Scalar] = field(default_factory=dict)
    stance: Literal["holds", "rejects", "asks", "reports"] = "holds"


class ByteOffsets:
    """Turns places in characters of a text into places in bytes of its UTF-8."""

    def __init__(self, text: str) -> None:
        self._text, self._plain = text, text.isascii()

    def __call__(self, place: int) -> int:
        return place if self._plain else len(self._text[:place].encode("utf-8", errors="surrogatepass"))


def gate(
    proposals: Iterable[Proposal], text: str, title: str, blob: str, source: str
) -> tuple[list[Draft], list[Finding]]:
    """Drafts of what may land, and one finding for each refused; `source` is an entry id or `@n`, `blob` its text."""
    offset, drafts, findings = ByteOffsets(text), list[Draft](), list[Finding]()
    seen: set[str] = set()
    for proposal in proposals:
        spans, refused = _spans(proposal, text)
        words = " ".join([title, *(text[span.start : span.end] for span in spans)])
        refused = refused or supported(proposal.text, words)
        if not proposal.text.strip() or not proposal.subject.strip() or len(proposal.subject) > 300:
            refused = [Finding("claim-empty", "error", "claim", "the subject or the text is empty or too long")]
        if refused:
            findings.append(refused[0])
            continue
        same = f"{proposal.subject}\n{proposal.relation}\n{proposal.object}\n{proposal.text}"
        if same in seen:
            continue
        seen.add(same)
        refs = [Ref("quotes", blob, offset(span.start), offset(span.end)) for span in spans]
        body = Claim(proposal.text, proposal.relation, proposal.object, proposal.stance, dict(proposal.scope))
        drafts.append(Draft(proposal.subject, body, (*refs, Ref("from", source)), proposal.since, proposal.until))
    return drafts, findings


def _spans(proposal: Proposal, text: str) -> tuple[list[Span], Sequence[Finding]]:
    spans = []
    for quote in proposal.quotes:
        if isinstance(quote, Span):
            span = quote if 0 <= quote.start < quote.end <= len(text) else None
        else:
            span = locate(quote, text)
        if span is None:
            message = f"this quote is not in the source: {str(quote)[:80]!r}"
            return [], [Finding("quote", "error", "claim", message, "copy the words as they stand in the source")]
        spans.append(span)
    if not spans:
        return [], [Finding("quote-missing", "error", "claim", "a claim needs a quote", "quote the source")]
    return spans, []


def claim_key(source: str, subject: str, relation: str, value: str, text: str) -> str:
    """What a claim is called on a page: the same in every lab, whenever it landed."""
    told = "\n".join((source, subject, relation, value, text))
    return "c" + blake2b(told.encode("utf-8", errors="surrogatepass"), digest_size=5).hexdigest()


def evidence_key(page: str, heading: str, claims: Iterable[str]) -> str:
    """The name of what a section of a page rests on: another one as soon as a claim comes, changes or goes."""
    return blake2b("\n".join((page, heading, *sorted(claims))).encode(), digest_size=10).hexdigest()
