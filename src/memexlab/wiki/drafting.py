"""Claims and cited sentences as a model or an agent writes them: JSON, read strictly, refused in words that let the
writer repair. What a source says is data: it stands between marks that it cannot hold, and may rename only itself.

It asks nobody and writes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..ledger import Draft, Finding, UsageError
from .claims import Proposal, gate
from .dates import dates
from .doers import replaced, unheld_verb
from .entailment import bears, unsupported, words, wrong
from .opposites import unheld_relation
from .quotes import Span, locate
from .subjects import key_of

Line = tuple[str, Any]
#: Sentences with what they cite, and what is wrong with the others.
Read = tuple[list[tuple[str, tuple[str, ...]]], list[Finding]]
MOST_SENTENCES, MOST_CHARS, BEFORE_CHARS = 6, 600, 3_000
_WORD = re.compile(r"[^\W_]+")
_HEADING = re.compile(r"(?m)^#{1,6} .+$|^\S[^\n]*(?=\n([=~^*\"'`#+.:_-])\1{2,}[ \t]*$)")
_CLAIM = ("subject", "sentence", "quote", "relation", "value", "since")
_FIRST_PERSON = re.compile(r"\b(?:I|my|me|myself|ich|mein\w*|mich|je|mon|ma)\b")
#: Relations that move names and pages: a source may state them of itself alone.
_OWN_ONLY = frozenset(["alias", "supersedes", "superseded by"])


def shape(**properties: Any) -> dict[str, Any]:
    """The JSON schema of an object with exactly these properties."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


TEXT, TEXTS = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
CLAIMS = shape(claims={"type": "array", "items": shape(**dict.fromkeys(_CLAIM, TEXT))})
SENTENCES = shape(sentences={"type": "array", "items": shape(text=TEXT, cites=TEXTS)})


@dataclass(frozen=True, slots=True)
class Text:
    """A source that stands, with its words: entry, blob, where it lies, what it is called, and when it was written."""

    entry: str
    blob: str
    name: str
    title: str
    subject: str
    published: str
    text: str


def as_data(text: str) -> str:
    """The text between marks that it cannot hold, as they name its own hash."""
    mark = f"DATA {sha256(text.encode('utf-8', 'replace')).hexdigest()[:12]}"
    return f"<<< {mark}\n{text}\n>>> {mark}"


def listed(reply: str, name: str) -> list[Any]:
    """The list of that name in a reply; raises ValueError, worded for a model, where there is none."""
    text = re.sub(r"^.*?</think>", "", reply, flags=re.DOTALL)
    if (start := text.find("{")) < 0:
        raise ValueError(f'no JSON object; answer with {{"{name}": [...]}} and nothing else')
    try:
        found, _ = json.JSONDecoder().raw_decode(text[start:])
    except (ValueError, RecursionError) as error:
        wrong = f"the JSON breaks off or is wrong ({str(error)[:80]}); send it whole, with fewer items"
        raise ValueError(wrong) from error
    items = found.get(name)
    if not isinstance(items, list):
        raise ValueError(f'the object has no list "{name}"')
    return items


def json_lines(file: Path) -> list[Line]:
    """(where, what stands there) of each line of a file that is not empty; what is wrong, as a text, where no JSON."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", "memex ingest raw --brief") from error
    found: list[Line] = []
    for number, raw in enumerate(data.split(b"\n"), 1):
        if raw.strip():
            try:
                told = json.loads(raw.decode("utf-8-sig"))
            except (ValueError, RecursionError) as error:
                told = f"no JSON: {str(error)[:80]}"
            found.append((f"{file.name}:{number}", told))
    return found


def claim_from(found: object, source: Text) -> Draft | Finding:
    """One proposed claim through every rule: the draft that may land, or the first thing that is wrong with it."""
    if not isinstance(found, dict):
        return wrong("claim-shape", "a claim is an object", f"fields: {', '.join(_CLAIM)}")
    told = {name: found.get(name, "") if found.get(name) is not None else "" for name in _CLAIM}
    for name, value in told.items():
        if isinstance(value, int | float) and not isinstance(value, bool) and name == "value":
            told[name] = value = str(value)
        if not isinstance(value, str) or len(value) > MOST_CHARS * (3 if name == "quote" else 1):
            return wrong("claim-shape", f'"{name}" is no text, or too long', "one short sentence; one short quote")
        if re.search("[\ud800-\udfff]", value):
            return wrong("claim-shape", f'"{name}" holds half a character', "write plain UTF-8")
    subject, sentence, quote, relation, value, since = (" ".join(told[name].split()) for name in _CLAIM)
    relation = relation.casefold()
    if not subject or not sentence or not quote:
        return wrong("claim-empty", "subject, sentence and quote must not be empty", "fill in all three")
    if len(relation) > 60 or not re.fullmatch(r"[\w '’/-]*", relation):
        return wrong("claim-relation", f"{relation[:60]!r} is no relation", 'a few plain words, such as "founded in"')
    own = {key_of(source.subject), key_of(source.title)}
    if relation in _OWN_ONLY and key_of(subject) not in own:
        message = f"{source.name} may say {relation!r} of itself alone, not of {subject!r}"
        return wrong("claim-own", message, f'write "{source.subject}" as subject, or leave the claim out')
    first, last = (n if isinstance(n, int) else 0 for n in (found.get("line"), found.get("last")))
    span = locate(told["quote"], source.text, (first, last))
    if span is None:
        message = f"this quote is not in {source.name}: {quote[:100]!r}"
        return wrong("quote", message, "copy the words exactly as they stand there, or leave the claim out")
    held = f"{source.title} {source.text[span.start : span.end]}"
    there = words(held)
    speaks = _FIRST_PERSON.search(held) is not None and _by(subject, source.title)
    about = f"{source.title} {subject}" if speaks or key_of(subject) in own else source.title
    for what, told_of in (("subject", "" if key_of(subject) in own else subject), ("value", value)):
        if what == "subject" and speaks:
            continue
        if missing := [word for word in words(told_of) if not bears(word, there)]:
            message = f"the quote does not hold {missing[0]!r} of the {what} {told_of[:60]!r}"
            return wrong(f"claim-{what}", message, f"quote the words that name the {what}, or copy it from the quote")
    if lost := unheld_relation(relation, held):
        return wrong("claim-relation", f"the quote does not say {lost!r}", 'take its words for the relation, or "says"')
    if value and relation in ("supersedes", "superseded by") and replaced(relation, value, held):
        return wrong(
            "claim-swapped", f"the quote has {value[:60]!r} on the other side", "say which is which as it does"
        )
    line = source.text.rfind("\n", 0, span.start) + 1  # a field of a header says with its name what its value is
    field = re.match(r"[A-Z][\w-]+: +(?=\S)", source.text[line : span.start + 1])
    said = source.text[line if field else span.start : span.end]
    if found_wrong := unsupported(sentence, {"": said}, about, *_beside(source.text, span)):
        return found_wrong
    if since and not (re.fullmatch(r"\d{4}(-\d\d(-\d\d)?)?", since) and _dated(since, held)):
        return wrong("claim-date", f"the date {since!r} is not in the quote", 'write "" where the quote has no date')
    day = since or source.published or None
    proposal = Proposal(subject, sentence, (span,), relation or "says", value or None, day)
    drafts, findings = gate([proposal], source.text, about, source.blob, source.entry)
    return drafts[0] if drafts else findings[0]


def sentences_from(items: Iterable[object], evidence: Mapping[str, str], about: str) -> Read:
    """Sentences that cite names of `evidence` (name to words) and are borne by them; the others are findings."""
    good: list[tuple[str, tuple[str, ...]]] = []
    findings: list[Finding] = []
    for item in items:
        text, cites = (item.get("text"), item.get("cites")) if isinstance(item, dict) else (None, None)
        if not isinstance(text, str) or not isinstance(cites, list) or not 0 < len(text) <= MOST_CHARS:
            message = "a sentence has a text and a list of cites"
            findings.append(wrong("sentence-shape", message, f"{SENTENCES['properties']}"))
            continue
        known = tuple(dict.fromkeys(str(one).strip("[]^ ") for one in cites if str(one).strip("[]^ ") in evidence))
        said = " ".join(re.sub(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]", r"\1", text).split())
        if not known or len(known) < len(cites):
            message = f"{said[:80]!r} cites {[str(one)[:30] for one in cites[:4]]}"
            hint = f"cite at least one of: {', '.join(list(evidence)[:12])}"
            findings.append(wrong("sentence-cites", message, hint))
        elif bad := unsupported(said, {name: evidence[name] for name in known}, about):
            findings.append(replace(bad, message=f"{said[:60]!r}: {bad.message}"))
        elif verb := unheld_verb(said, f"{about} {' '.join(evidence[name] for name in known)}"):
            message = f"{said[:60]!r}: what it cites does not say {verb!r}"
            findings.append(wrong("claim-unsaid", message, "take the verbs of the claims"))
        elif len(good) == MOST_SENTENCES:
            message = f"{said[:80]!r} is one more than {MOST_SENTENCES} sentences"
            findings.append(wrong("sentence-many", message, "say the rest in fewer, or leave it out"))
        else:
            good.append((said, known))
    return good, findings


def _beside(text: str, span: Span) -> tuple[str, str]:
    """What stands before a quote, from the heading over it or some way back; and the rest of its paragraph."""
    heads = [found.start() for found in _HEADING.finditer(text, 0, span.start)]
    end = text.find("\n\n", span.end)
    start = max(*heads[-1:], span.start - BEFORE_CHARS, 0)
    return text[start : span.start], text[span.end : end if end > 0 else None]


def _by(person: str, title: str) -> bool:
    """Whether a title says that these are the words of a person: "Carr, diary", "Letters of Ada Carr"."""
    own = rf"^{re.escape(person.split()[-1])}\b|\b(?:by|of|von|de) (?:[A-Z]\S* )*{re.escape(person.split()[-1])}\b"
    return not re.match(r"(?:Mrs?|Ms|Miss|Lady|Frau|Mme)\b", person) and re.search(own, title) is not None


def _dated(since: str, held: str) -> bool:
    return any(day.startswith(since) for day, _, _ in dates(held)) or (len(since) == 4 and since in _WORD.findall(held))
