"""Claims and cited sentences as a model or an agent writes them: JSON, read strictly, refused in words that let the
writer repair. What a source says is data: it stands between marks that it cannot hold, and may rename only itself.

It asks nobody and writes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..ledger import Draft, Finding, UsageError
from .claims import Proposal, gate
from .quotes import locate, supported
from .subjects import key_of
from .times import dates

Line = tuple[str, Any]
#: Sentences with what they cite, and what is wrong with the others.
Read = tuple[list[tuple[str, tuple[str, ...]]], list[Finding]]
MOST_SENTENCES, MOST_CHARS = 6, 600
_WORD = re.compile(r"[^\W_]+")
_CLAIM = ("subject", "sentence", "quote", "relation", "value", "since")
#: Relations that move names and pages: a source may state them of itself alone.
_OWN_ONLY = frozenset(["alias", "supersedes", "superseded by"])
_NEGATION = re.compile(r"\b(?:not|no|never|none|nor|without|cannot|neither)\b|n['’]t\b", re.IGNORECASE)
#: What denies without a "not": it answers to one on the other side.
_UNDONE = re.compile(
    r"\b(?:lack|fail|reject|exclu|forbid|forbad|prohibit|disallow|remov|withdr|absen|missing|instead|rather|unable|"
    r"impossib|avoid|prevent|refus|deprecat|except\b|only|hard|difficult|unlike|un(?:changed|supported|defined|safe)|drop)",
    re.IGNORECASE,
)
#: What is only proposed, allowed or thought of; what a sentence may say instead; and what demands.
_HEDGED = re.compile(
    r"\b(?:may(?!,? \d)|might|could|should|would|perhaps|someday|plan(?:s|ned)?"
    r"|(?:intend|suggest|recommend|consider)(?:s|ed)?"
    r"|proposes?|(?:is|are|was|were|been|pep|document|we) proposed)\b",
    re.IGNORECASE,
)
_GUARDED = re.compile(
    r"\b(?:can|want|allow|option|possib|propos|aim|seek|hope|expect|likely|one day|idea|wish|favou?r|accept|permit)",
    re.IGNORECASE,
)
_DEMANDS = re.compile(r"\b(?:must|always|requir\w+|mandatory|shall|(?:has|have) to)\b", re.IGNORECASE)
_DEMANDED = re.compile(
    r"\b(?:must|always|requir|mandat|shall|ha(?:s|ve|d) to|need|necess|only|never|cannot|any|all|every|will|should be)",
    re.IGNORECASE,
)
_NO_DENIAL = re.compile(r"`+[^`]*`+|\bnot (?:just|only|merely)\b")  # None is a value, and "not only" says more
_CLAUSES = re.compile(
    r"[.;:]\s|,\s(?=(?:and|so|which|while|then|though|although|or)\b)"
    r"|\b(?:but|since|because|whereas|even if|even though)\b"
)
_SMALL = frozenset(
    re.findall(r"\w+", "the and are was were for that this with from has have had its which also than into about who")
)


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
        return _wrong("claim-shape", "a claim is an object", f"fields: {', '.join(_CLAIM)}")
    told = {name: found.get(name, "") if found.get(name) is not None else "" for name in _CLAIM}
    for name, value in told.items():
        if isinstance(value, int | float) and not isinstance(value, bool) and name == "value":
            told[name] = value = str(value)
        if not isinstance(value, str) or len(value) > MOST_CHARS * (3 if name == "quote" else 1):
            return _wrong("claim-shape", f'"{name}" is no text, or too long', "one short sentence; one short quote")
        if re.search("[\ud800-\udfff]", value):
            return _wrong("claim-shape", f'"{name}" holds half a character', "write plain UTF-8")
    subject, sentence, quote, relation, value, since = (" ".join(told[name].split()) for name in _CLAIM)
    relation = relation.casefold()
    if not subject or not sentence or not quote:
        return _wrong("claim-empty", "subject, sentence and quote must not be empty", "fill in all three")
    if len(relation) > 60 or not re.fullmatch(r"[\w '’/-]*", relation):
        return _wrong("claim-relation", f"{relation[:60]!r} is no relation", 'a few plain words, such as "founded in"')
    own = {key_of(source.subject), key_of(source.title)}
    if relation in _OWN_ONLY and key_of(subject) not in own:
        message = f"{source.name} may say {relation!r} of itself alone, not of {subject!r}"
        return _wrong("claim-own", message, f'write "{source.subject}" as subject, or leave the claim out')
    span = locate(told["quote"], source.text)
    if span is None:
        message = f"this quote is not in {source.name}: {quote[:100]!r}"
        return _wrong("quote", message, "copy the words exactly as they stand there, or leave the claim out")
    held = f"{source.title} {source.text[span.start : span.end]}"
    there = words(held)
    for what, told_of in (("subject", "" if key_of(subject) in own else subject), ("value", value)):
        if missing := [word for word in words(told_of) if not bears(word, there)]:
            message = f"the quote does not hold {missing[0]!r} of the {what} {told_of[:60]!r}"
            return _wrong(f"claim-{what}", message, f"quote the words that name the {what}, or copy it from the quote")
    if wrong := unsupported(sentence, held, subject):
        return wrong
    if since and not (re.fullmatch(r"\d{4}(-\d\d(-\d\d)?)?", since) and _dated(since, held)):
        return _wrong("claim-date", f"the date {since!r} is not in the quote", 'write "" where the quote has no date')
    day = since or source.published or None
    proposal = Proposal(subject, sentence, (span,), relation or "says", value or None, day)
    drafts, findings = gate([proposal], source.text, source.title, source.blob, source.entry)
    return drafts[0] if drafts else findings[0]


def sentences_from(items: Iterable[object], evidence: Mapping[str, str], about: str) -> Read:
    """Sentences that cite names of `evidence` (name to words) and are borne by them; the others are findings."""
    good: list[tuple[str, tuple[str, ...]]] = []
    findings: list[Finding] = []
    for item in items:
        text, cites = (item.get("text"), item.get("cites")) if isinstance(item, dict) else (None, None)
        if not isinstance(text, str) or not isinstance(cites, list) or not 0 < len(text) <= MOST_CHARS:
            message = "a sentence has a text and a list of cites"
            findings.append(_wrong("sentence-shape", message, f"{SENTENCES['properties']}"))
            continue
        known = tuple(dict.fromkeys(str(one).strip("[]^ ") for one in cites if str(one).strip("[]^ ") in evidence))
        said = " ".join(re.sub(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]", r"\1", text).split())
        if not known or len(known) < len(cites):
            message = f"{said[:80]!r} cites {[str(one)[:30] for one in cites[:4]]}"
            hint = f"cite at least one of: {', '.join(list(evidence)[:12])}"
            findings.append(_wrong("sentence-cites", message, hint))
        elif wrong := unsupported(said, " ".join(evidence[name] for name in known), about):
            findings.append(wrong)
        elif len(good) == MOST_SENTENCES:
            message = f"{said[:80]!r} is one more than {MOST_SENTENCES} sentences"
            findings.append(_wrong("sentence-many", message, "say the rest in fewer, or leave it out"))
        else:
            good.append((said, known))
    return good, findings


def unsupported(sentence: str, held: str, about: str) -> Finding | None:
    """What the sentence says that its evidence does not: a number, date or name, a denial, or most of its words."""
    if missing := supported(sentence, f"{about} {held}"):
        return missing[0]
    if re.search(r"https?://|www\.|!\[|\]\(|<\w", sentence):
        return _wrong("claim-markup", "a sentence holds no address, image, link or HTML", "write plain words")
    if wrong := _turned(sentence, held):
        return wrong
    there = words(f"{about} {held}")
    told = words(sentence)
    unsaid = [word for word in told if not bears(word, there)]
    if 2 * len(unsaid) > len(told):
        message = f"the evidence does not speak of {', '.join(unsaid[:4])}"
        return _wrong("claim-unsaid", message, "say only what it says")
    return None


def _turned(sentence: str, held: str) -> Finding | None:
    """A denial that came or went, what was proposed told as done, or a demand that nobody made.

    The part of the evidence that shares most words with the sentence is what counts.
    """
    told = words(sentence)
    sentence, held = (_NO_DENIAL.sub(" ", text) for text in (sentence, held))
    parts = [part for part in _CLAUSES.split(held) if part.strip()]
    borne = [sum(bears(word, there) for word in told) for there in map(words, parts)]
    near = " ; ".join(part for part, count in zip(parts, borne, strict=True) if count == max(borne))
    if _NEGATION.search(sentence) and not (_NEGATION.search(held) or _UNDONE.search(held)):
        return _wrong("claim-denial", "the sentence denies, and its quote does not", "say what the quote says")
    denies = _NEGATION.search(sentence) or _UNDONE.search(sentence)
    if _NEGATION.search(re.sub(r"\bwithout\b", "", near)) and not denies:
        message = "the sentence does not deny, and its quote does"
        return _wrong("claim-denial", message, "say what the quote denies, too")
    hedge = _HEDGED.search(near)
    if hedge and "accept" not in near and not (_HEDGED.search(sentence) or _GUARDED.search(sentence)):
        message = f"the quote says {hedge[0]!r}, and the sentence says that it is so"
        return _wrong("claim-strength", message, f"say that it {hedge[0]}: what is proposed or allowed is not done")
    demand = _DEMANDS.search(sentence)
    if demand and not _DEMANDED.search(held):
        message = f"the sentence says {demand[0]!r}, and its quote does not"
        return _wrong("claim-strength", message, "claim no more than it")
    return None


def words(text: str) -> list[str]:
    """The words that carry meaning, in normal form."""
    return [w for w in key_of(text).split() if (len(w) > 2 or w.isdigit()) and w not in _SMALL]


def bears(word: str, there: Collection[str]) -> bool:
    """The word itself, or another form of it."""
    stem = word[: max(4, len(word) - 3)]
    return word in there or (len(word) > 4 and not word.isdigit() and any(other.startswith(stem) for other in there))


def _dated(since: str, held: str) -> bool:
    return any(day.startswith(since) for day, _, _ in dates(held)) or (len(since) == 4 and since in _WORD.findall(held))


def _wrong(rule: str, message: str, hint: str) -> Finding:
    return Finding(rule, "error", "claim", message, hint)
