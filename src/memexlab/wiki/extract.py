"""Proposals of claims without a model: header fields, summary, key sentences, definitions, values, dates, what replaced
what, and the names a document uses. A pure function of one document, so that the order of ingest cannot matter.

It prefers to say nothing: what it cannot attach to a subject is left in the source.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from ..memory.search.passages import normal
from . import key_sentences as chosen
from .claims import ByteOffsets, Proposal
from .dates import DOES, STANDS, dates
from .key_sentences import FORMAL, HANGING, PATTERNS, SHORT_SENTENCES, STOCK, WORDS, good
from .prose import Sentence, sentences, spoken
from .quotes import Span
from .readers import Document, Link
from .sentence_patterns import SELF, own_values, stated, tells_of

#: Raise it when the same document would give other proposals; its source is then taken in again.
VERSION = 8
MENTIONS = 40
_CHAPTERS = 60
_SAID = frozenset(["says", "summary"])
_CHAPTER = re.compile(r"(?:chapter|kapitel|chapitre|book|part) [\w.]+", re.IGNORECASE)
#: A sentence longer than this is none: text without stops.
_LONGEST_CHARS = 2_000

#: Names of header fields, which may have _ for -, and the relation that each tells.
_SUCCESSION = {
    **dict.fromkeys(("superseded-by", "replaced-by", "obsoleted-by"), "superseded by"),
    **dict.fromkeys(("replaces", "supersedes", "obsoletes"), "supersedes"), "requires": "requires",
}  # fmt: skip
#: Relations that may hold several values, so that two of them are no conflict.
MANY = frozenset(
    f"|{STANDS}|{DOES}|author|participant|alias|supersedes|superseded by|requires|tag|topic|keywords|summary|says|is|"
    "note dated|note created|note updated|note published|clipped|address|part|dated|updates|type of|category|"
    "categories|see also|link|links|part of|uses|contains|supports".split("|")
)
#: A number of a kind of thing that every document has, and two short names that happen to stand side by side.
_GENERIC = re.compile(
    r"(?:version|section|appendix|figure|table|chapter|step|part|phase|level|stage|option|example|note|page|line)s?"
    r" [\d.]+", re.IGNORECASE,
)  # fmt: skip
_SIDE_BY_SIDE = re.compile(r"([A-Z]{2,}) and ([A-Z]{2,})")
#: What is written, and so has an author and a day.
_WRITTEN = re.compile(
    r"^\w+ \d+ |\b(?:document|note|proposal|specification|standard|protocol|guide|manual|report|paper|article|post|page"
    r"|book|essay|letter|study|survey|review|plan|policy|thesis|novel|poem|talk|licen[cs]e)s?\b", re.IGNORECASE,
)  # fmt: skip
#: What another person, who edited a text, says in front of it.
_ASIDE = re.compile(r"^\[[^\[\]]{80,5000}\]\s*$", re.MULTILINE)
_NOBODY = re.compile("@|^(?i:me|myself|admin)$")
_NAME = r"[A-Z][\w&.'’-]*(?:\s+(?:of|the|and|for|de|von|van|[A-Z0-9][\w&.'’-]*)){0,5}?"
#: A name up to its last capital or number; where a noun goes on after it, the name is not known.
_WHOLE = (
    r"(?-i:[A-Z][\w&'’-]*(?:(?:\s[a-z][\w-]+){0,3}\s\d[\w.]*\w|(?:\s[a-z][\w-]+){1,3}\s\d"
    r"|(?:\s(?:(?:of|the|and|for|de|von|van)\s)?[A-Z0-9][\w&'’-]*){0,5}))"
)
_NAMED_WHOLE = (
    r"(?=[.,;:)]|\s*$|\s+(?:in|on|as|at|by|from|since|because|and|for|with|which|that|when|but|where|who|to|of|now|after|"
    r"before|under|until|\(|-|–|—))"
)
_DEFINED = re.compile(
    rf"^(?:An?\s|The\s)?(?P<name>\*{{1,2}}[^*\n]{{2,60}}\*{{1,2}}|{_NAME}(?:\s+\([A-Z][\w-]{{1,10}}\))?)\s+"
    r"(?:is|are|was|were)\s+(?P<what>an?|the|one of)\s+"
    r"(?!same\b|following\b|result\b|reason\b|only\b|first\b|case\b)[a-z]",
)
#: In German any noun has a capital: only what has two words is surely a name.
_DEFINED_ABROAD = re.compile(
    r"^(?:(?:Der|Die|Das|Le|La|Les)\s|L['’])?"
    r"(?P<name>(?!(?:D(?:er|ie|as|en|em)|Eine?|(?:[MS]ein|Ihr|Unser)e?|Jede[rs]?|L[ea]s?|Une?|Mon|Ma|Notre|Cet?t?e?)\s)"
    r"[^\W\d_a-zäöüß][\w.'’-]*"
    r"(?:\s(?:(?:am|an|auf|bei|de|der|des|du|im|in|la|van|von|zu|zur)\s)?(?:[^\W\d_a-zäöüß]|\d)[\w.'’-]*){1,4})\s"
    r"(?:ist|sind|war|waren|est|sont|était|étaient)\s(?:eine?|einer der|der|die|das|une?|les?|la|l['’]|des)\s[^\W\d_]"
)
_GERUND = re.compile(r"^\w+ing\b|^\w+ly\b")
_ACRONYM = re.compile(r"\b((?:[A-Z][\w-]+\s+(?:(?:of|for|and|the|to)\s+)?){2,6})\(([A-Z][A-Za-z]{1,9})\)")
_REPLACED = re.compile(
    rf"^(?:note: ?)?(?P<self>{SELF}|it|(?P<who>{_NAME}))\s+(?:is|was|has been|have been)\s+(?:now\s+)?"
    rf"(?:superseded|replaced|obsoleted)\s+by\s+(?:the\s+)?(?P<by>PEP \d+|RFC \d+|{_WHOLE}){_NAMED_WHOLE}",
    re.IGNORECASE,
)
_REPLACES = re.compile(
    rf"^(?P<self>{SELF}|(?P<who>{_NAME}))\s+(?:supersedes|replaces|obsoletes)\s+(?:the\s+)?"
    rf"(?P<old>(?-i:PEP \d+|RFC \d+)|{_WHOLE}){_NAMED_WHOLE}",
    re.IGNORECASE,
)
_CAPITAL = re.compile(
    r"(?<![\w/.@`-])(?:[A-Z][\w&’'-]*[\w]|[A-Z]{2,}\w*)"
    r"(?:[ ](?:(?:of|for|the|and|van|von|de|der)[ ])?(?:[A-Z][\w&’'-]*\w|\d+(?:\.\d+)*\b))*"
)


def propose(document: Document) -> list[Proposal]:
    """All proposals for one document."""
    subject = str(document.meta.get("subject") or document.title)
    fields = [(str(n), str(v), int(s), int(e)) for n, v, s, e in document.meta.get("fields", ())]
    body = _body(document)
    told, voices = _told(document, body)
    day = document.published or None
    found = [*_fields(subject, fields, day, _kind(document)), *_aliases(document, subject)]
    found += _chapters(document, subject, day)
    own = _names(document, subject)
    parsed = [proposal for sentence in told for proposal in _of_sentence(sentence, subject, own, day)]
    other = _antecedents(told, parsed, subject)
    kept = list(chosen.quotations(document, subject, told, day))
    alone = [s for s in told if s.start not in other]
    lead = [] if kept and chosen.collects(document, told) else chosen.summary(document, alone)
    found += [Proposal(subject, s.text, (Span(s.start, s.end),), "summary", since=day) for s in lead]
    parsed += own_values(told, subject, day)
    for name, place in {name: place for place, name in sorted(voices.items(), reverse=True)}.items():
        turn = Span(place - len(name) - 2, next(s.end for s in told if s.start == place))
        found.append(Proposal(subject, f"{name} speaks in {subject}.", (turn,), "speaker", name, day))
    said = [p for p in parsed if p.subject == subject and p.relation != "alias"]
    thing = re.compile(rf"(?:(?:an?|the) )?{re.escape(subject)} (?:is|was|are|were) (?:an?|the|one of|what) ", re.I)
    if any(thing.match(s.text) and not _WRITTEN.search(f"{subject} {s.text}") for s in told[:SHORT_SENTENCES]):
        found = [_described(p) for p in found]  # a note about it: who wrote the note did not make the thing
    used = {p.quotes[0].start for p in said if isinstance(p.quotes[0], Span)} | {s.start for s in lead}
    if len(told) < SHORT_SENTENCES * (3 if voices else 1):  # what is said aloud is shorter
        found += chosen.every_sentence(document, subject, told, used, own, day)
    else:
        found += chosen.of_parts(document, subject, told, used, bool(lead), day)
    if document.media == "message/rfc822" and document.author:
        voices = {s.start: document.author for s in told}
    return [*kept, *_placed(found + parsed, subject, voices, other)]


def _antecedents(told: Sequence[Sentence], parsed: Sequence[Proposal], subject: str) -> dict[int, str]:
    """What "it" is in sentences that follow one that says what another thing is, by the place of each."""
    defined = {p.quotes[0].start: p.subject for p in parsed if p.relation == "is" and isinstance(p.quotes[0], Span)}
    meant, name = dict[int, str](), subject
    for s in told:
        name = defined.get(s.start) or (name if not s.opens and PATTERNS["pronoun"].match(s.text) else subject)
        if name != subject and s.start not in defined:
            meant[s.start] = name
    return meant


def _placed(
    proposals: Sequence[Proposal], subject: str, voices: Mapping[int, str], meant: Mapping[int, str]
) -> Iterator[Proposal]:
    """Each with who said it, and told of what its "it" means."""
    for p in proposals:
        start = p.quotes[0].start if isinstance(p.quotes[0], Span) else -1
        if start in meant and p.subject == subject:
            p = replace(p, subject=meant[start], text=p.text.replace(subject, meant[start]))
        yield replace(p, scope={"speaker": voices[start]}) if p.relation in _SAID and voices.get(start) else p


def _chapters(document: Document, subject: str, day: str | None) -> Iterator[Proposal]:
    """The chapters of a book, in order."""
    found = [section for section in document.sections if _CHAPTER.match(section.heading)]
    for section in found[:_CHAPTERS] if len(found) > 1 else ():
        words = r"\W+".join(re.findall(r"\w+", heading := section.heading))
        if whole := re.compile(words, re.IGNORECASE).match(document.text, section.start):
            told = f"{heading} is a part of {subject}."
            yield Proposal(subject, told, (Span(*whole.span()),), "part", heading, day)


def _kind(document: Document) -> str:
    """Whether a text is a clipping of something that stands elsewhere, or a note that names nobody who wrote it."""
    if document.media not in ("text/markdown", "text/plain"):
        return ""
    return "clipping" if document.uri else "" if document.author else "note"


def _described(p: Proposal) -> Proposal:
    if p.relation == "author":
        return replace(p, text=f"{p.subject} is described by {p.object}.")
    dated = p.relation in ("created", "published", "updated")
    return replace(p, text=f"{p.subject} was described on {p.object}.") if dated else p


def _body(document: Document) -> int:
    """Where the header ends; fields that a reader found in the midst of the text are no header."""
    return int(document.meta.get("body", max((int(field[3]) for field in document.meta.get("fields", ())), default=0)))


def _told(document: Document, body: int) -> tuple[list[Sentence], dict[int, str]]:
    """The sentences of a document; where speakers are known, without their names, and who said each by its place."""
    told = list(sentences(document.text, body, document.sections)) if "columns" not in document.meta else []
    aside = [found.span() for found in _ASIDE.finditer(document.text)]
    told = [s for s in told if len(s.text) < _LONGEST_CHARS and not any(a <= s.start < b for a, b in aside)]
    if not (speakers := document.meta.get("speakers")):
        return told, {}
    out, voices, now = list[Sentence](), dict[int, str](), ""
    for s in told:
        name = next((name for name in speakers if s.text.startswith(f"{name}: ")), "")
        now, skip = name or now, len(name) + 2 if name else 0
        out.append(replace(s, start=s.start + skip, text=s.text[skip:]))
        voices[s.start + skip] = now
    return out, voices


def _names(document: Document, subject: str) -> frozenset[str]:
    return frozenset({normal(subject), normal(document.title), normal(document.title.removeprefix(f"{subject}: "))})


def _fields(
    subject: str, fields: Sequence[tuple[str, str, int, int]], day: str | None, kind: str
) -> Iterator[Proposal]:
    label = numbered[1] if (numbered := re.match(r"([^\W\d_]+)[ -]0*\d+(?=$|:| [–-] )", subject)) else ""
    for i, (name, value, start, end) in enumerate(fields):
        key = name.lower()
        relation = key.replace("_", " ")
        quote = (Span(start, end),)
        if key in ("source", "url", "resource") and value.startswith("http"):
            yield Proposal(subject, f"{subject} stands at {value}.", quote, "address", value, day)
            continue
        value = spoken(re.sub(r"\s*<[^<>\s]*@[^<>\s]*>", "", value))
        if not value or key in WORDS["untold"] or (i == 0 and key == label.casefold()):
            continue
        verb = _SUCCESSION.get(key.replace("_", "-"))
        if key == "status" and (by := re.fullmatch(r"superseded by +(.+)", value, re.IGNORECASE)):
            verb, value = "superseded by", by[1]
        if verb:
            for other in _parts(value, "[,;]"):
                other = f"{label} {int(other)}" if label and other.isdigit() else other
                told = f"{subject} {'is ' * (verb == 'superseded by')}{verb} {other}."
                yield Proposal(subject, told, quote, verb, other, day)
        elif key in ("author", "authors", "by", "editor", "editors"):
            for person in re.split(r"[,;&]|\band\b", re.sub(r"<[^>]*>|\([^)]*@[^)]*\)", "", value)):
                if 1 < len(person := " ".join(person.split())) < 60 and not _NOBODY.search(person):
                    yield Proposal(subject, f"{person} is an author of {subject}.", quote, "author", person, day)
        elif key in ("alias", "aliases"):
            for other in _parts(value):
                yield Proposal(subject, f"{subject} is also called {other}.", quote, "alias", other, day)
        elif key in ("created", "date", "published", "updated", "modified") and (found := dates(value)):
            verb = {"created": "created", "updated": "updated", "modified": "updated"}.get(key, "published")
            on = found[0][0]
            if kind == "clipping" and key == "created":
                yield Proposal(subject, f"{subject} was clipped on {on}.", quote, "clipped", on, day)
            elif kind == "note":  # the day is that of the note, and not of what the note is about
                verb = "dated" if key == "date" else verb
                told = (
                    f'The note "{subject}" {"is" if key == "date" else "was"} {verb} {"" if key == "date" else "on "}'
                )
                yield Proposal(subject, f"{told}{on}.", quote, f"note {verb}", on, day)
            else:
                yield Proposal(subject, f"{subject} was {verb} on {on}.", quote, verb, on, on)
        elif key == "participants":
            for person in _parts(value, "[,;]"):
                yield Proposal(subject, f"{person} is a participant of {subject}.", quote, "participant", person, day)
        elif len(value) <= 120 and not value.startswith("http"):
            relation = "tag" if relation == "tags" else relation
            for part in _parts(value) if relation in MANY else [value]:
                told = f"The {relation} of {subject} is {part}."
                if len(part.split()) > 6:
                    told = f"{subject}, {relation}: {part.rstrip('.')}."
                elif re.search(r" (?:from|by|in|on|to|with)$", relation):
                    told = f"{subject} is {relation} {part}."
                yield Proposal(subject, told, quote, relation, part, day)


def _parts(value: str, mark: str = ",") -> Iterator[str]:
    return filter(None, (part.strip() for part in re.split(mark, value)))


def _aliases(document: Document, subject: str) -> Iterator[Proposal]:
    rest = document.title.removeprefix(f"{subject}: ")
    place = document.text.find(rest)
    if rest != document.title and place >= 0:
        quote = (Span(place, place + len(rest)),)
        yield Proposal(subject, f"{subject} is called {rest}.", quote, "alias", rest)


def _of_sentence(s: Sentence, subject: str, own: frozenset[str], day: str | None) -> Iterator[Proposal]:
    """What one sentence defines, values, dates or replaces."""
    quote, text = (Span(s.start, s.end),), s.text
    if len(text) > 500:
        return
    match = _DEFINED.match(text) or _DEFINED_ABROAD.match(text)
    if match and (good(s) or chosen.plain(s)) and not re.search(r"\b(?:if|whether)\b", text[:20]):
        name = match["name"].strip("* ")
        bare = re.sub(r"\s+\([A-Z][\w-]*\)$", "", name)
        first = name.split()[0].casefold()
        if first not in WORDS["openers"] and not _GERUND.match(name) and len(bare) > 2:
            yield Proposal(subject if normal(bare) in own else bare, text, quote, "is", None, day)
    for match in _ACRONYM.finditer(text):
        long, short = " ".join(match[1].split()), match[2]
        for words in (long.split()[i:] for i in range(len(long.split()))):
            initials = "".join(w[0] for w in words if w[0].isupper())
            if initials in (short.upper(), re.sub(r"[^A-Z]", "", short)) and len(initials) > 1:
                yield Proposal(" ".join(words), f"{' '.join(words)} is also called {short}.", quote, "alias", short)
                break
    for person in (
        _parts(text[there.end() :].strip().rstrip("."), r",|;|\band\b")
        if (there := PATTERNS["there"].match(text))
        else ()
    ):
        if person[0].isupper() and len(person.split()) < 5 and person.casefold() not in WORDS["openers"]:
            yield Proposal(subject, f"{person} is a participant of {subject}.", quote, "participant", person, day)
    yield from stated(s, subject, own, WORDS["openers"], day)
    yield from _replacement(s, subject, own, day)
    # A date inside the name of a file dates nothing.
    beside = ((on, text[max(0, start - 1) : start] + text[end : end + 1]) for on, start, end in dates(text))
    on = next((on for on, marks in beside if not re.search("[/_`-]", marks)), "")
    if on and good(s) and len(text) <= 300:
        yield Proposal(subject, text, quote, "dated", None, on, on)


def _replacement(s: Sentence, subject: str, own: frozenset[str], day: str | None) -> Iterator[Proposal]:
    """A plain statement that one thing took the place of another; wishes, conditions and denials are none."""
    if re.search(r"\b(?:not|never|rather|would|could|may|might|should|if|will|neither)\b", s.text[:160], re.IGNORECASE):
        return
    for pattern, part, verb in ((_REPLACED, "by", "superseded by"), (_REPLACES, "old", "supersedes")):
        if match := pattern.match(s.text):
            who = match["who"]
            if who and who.split()[0].casefold() in WORDS["openers"]:
                continue
            name = subject if not who or normal(who) in own else who
            other = match[part].rstrip(".,;")
            if other[0].isupper() and normal(other) != normal(name):
                told = f"{name} {'is ' if part == 'by' else ''}{verb} {other}."
                yield Proposal(name, told, (Span(s.start, s.end),), verb, other, day)


def _target(link: Link) -> str:
    """The name a link uses: the words shown for an address, else the note it points to."""
    shown = link.text if "://" in link.target else PurePosixPath(link.target.split("#")[0]).name
    return " ".join(re.sub(r"\.(?:md|markdown|rst|txt)$", "", shown).split())


def _tells(s: Sentence, name: str) -> int:
    """How well a sentence tells, alone, what it says of a name."""
    return good(s) and 1 + (not HANGING.match(s.text)) + 2 * tells_of(name, s.text)


def mentions(document: Document) -> list[list[str | int]]:
    """[name, how often, start, end] with the first good sentence that uses it, in bytes: links first, then by count."""
    told, _ = _told(document, _body(document))
    formal = {i for i, section in enumerate(document.sections) if FORMAL.match(section.heading)}
    counts: Counter[str] = Counter()
    where: dict[str, Sentence] = {}
    middle: set[str] = set()
    weak: dict[str, Sentence] = {}
    for s in told:
        if s.section in formal or STOCK.search(s.text):
            continue
        for match in _CAPITAL.finditer(_SIDE_BY_SIDE.sub(r"\1, \2", s.text)):
            words = re.sub(r"['’]s$", "", match[0]).split()
            opens = match.start() == 0 or not re.search(r"\w", s.text[: match.start()])
            while words and words[0].casefold() in WORDS["openers"]:
                words, opens = words[1:], False
            while words and (words[-1].casefold() in WORDS["openers"]):
                words.pop()
            name = " ".join(words)
            if len(name) < 2 or len(name) > 80 or name.isdigit() or _GENERIC.fullmatch(name) or dates(name):
                continue
            if not opens or len(words) > 1:
                middle.add(name)
            elif tells_of(name, s.text):  # any word opens a sentence in capitals: another source must know the name
                weak.setdefault(name, s)
            counts[name] += 1
            if name not in where or _tells(s, name) > _tells(where[name], name):
                where[name] = s
    linked = {_target(link) for link in document.links}
    whole = document.text.casefold()
    kept = []
    for name, count in counts.items():
        lower = 0 if re.search(r"\d|[A-Z].*[A-Z]", name) else document.text.count(f" {name.casefold()}")
        lower = document.text.count(f" {name.casefold()} ") if name.isupper() and len(name) > 3 else lower
        if name in middle and (name in linked or lower <= count // 2):
            kept.append(name)
    for name in linked - set(counts):
        place = whole.find(name.casefold())
        at = [s for s in told if s.start <= place < s.end] or [s for s in told if name in s.text]
        if at and 2 < len(name) <= 80:
            counts[name], where[name] = 1, at[0]
            kept.append(name)
    for name, s in weak.items():
        if name not in kept and f" {name.casefold()}" not in document.text:
            counts[name], where[name] = 0, s
            kept.append(name)
    kept.sort(key=lambda name: (name not in linked, -counts[name], name))
    offset = ByteOffsets(document.text)
    return [[name, counts[name], offset(where[name].start), offset(where[name].end)] for name in kept[:MENTIONS]]
