"""Proposals of claims without a model: header fields, summary, key sentences, definitions, values, dates, what replaced
what, and the names a document uses. A pure function of one document, so that the order of ingest cannot matter.

It prefers to say nothing: what it cannot attach to a subject is left in the source.
"""

# ruff: noqa: SIM905 (lists of words are read as words)
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from ..memory.search.passages import normal
from .claims import ByteOffsets, Proposal
from .dates import DOES, STANDS, dates
from .prose import Sentence, sentences, spoken
from .quotes import Span
from .readers import Document, Link
from .sentence_patterns import SELF, own_values, stated, tells_of

#: Raise it when the same document would give other proposals; its source is then taken in again.
VERSION = 7
KEY_SENTENCES, MENTIONS = 12, 40
SHORT_SENTENCES = 12

#: Names of header fields, which may have _ for -, and the relation that each tells.
_SUCCESSION = {
    **dict.fromkeys(("superseded-by", "replaced-by", "obsoleted-by"), "superseded by"),
    **dict.fromkeys(("replaces", "supersedes", "obsoletes"), "supersedes"), "requires": "requires",
}  # fmt: skip
#: Relations that may hold several values, so that two of them are no conflict.
MANY = frozenset(
    f"|{STANDS}|{DOES}|author|participant|alias|supersedes|superseded by|requires|tag|topic|keywords|summary|says|is|"
    "dated|updates|type of|category|categories|see also|link|links|part of|uses|contains|supports".split("|")
)
_UNTOLD = frozenset(
    "title subject name content-type last-modified version post-history discussions-to source url resource "
    "description publish draft cssclass cssclasses licence license".split()
)  # fmt: skip
_QUIET = re.compile(
    r"^(?:references?|copyright|acknowledge?ments?|(?:special )?thanks|credits|contributors|footnotes?|bibliography|"
    r"see also|links?|further reading|contents|table of contents|change ?log|licen[cs]e|appendix.*|notes?|index)$",
    re.IGNORECASE,
)  # fmt: skip
#: Sections that thank, license and cite: names in them say nothing of what a document is about.
_FORMAL = re.compile(r"^(?:references?|copyright|acknowledge?ments?|licen[cs]e|bibliography|footnotes?)$", re.I)
#: Sentences that many documents copy from one another.
_STOCK = re.compile(
    r"\bRFC 2119\b|\bkey words [\"“']MUST\b|\bpublic domain\b|\ball rights reserved\b"
    r"|^(?:\w+: )?printed (?:by|in|for)\b|\bright of translation\b"
    r"|\b(?:uses?|accept) (?:\w+ )?cookies\b|\bunsubscribe\b|^permission is (?:hereby )?granted"
    r"|^(?-i:[A-Z][\w’'-]+, (?:[A-Z]\.[ -]?){1,3}).{0,120}\(\d{4}[a-z]?\)", re.IGNORECASE,  # what is only cited
)  # fmt: skip
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
#: How greetings, thanks and the frame of a web page begin.
_FRAME = re.compile(
    r"\W*(?:hi|hello|dear|thanks|thank you|cheers|(?:best|kind|warm) (?:regards|wishes)|regards|sincerely|subscribe|"
    r"sign (?:in|up)|log ?in|click|skip to|read more|share this|sent from my|see)\b", re.IGNORECASE,
)  # fmt: skip
_SKIPPED = re.compile(r"note\b|\*?note:|(?:present|attendees|participants|attending|attended by):", re.IGNORECASE)
_NOBODY = re.compile("@|^(?i:me|myself|admin)$")
_ASKS = re.compile(r"(?:open|open questions?|questions?|to ?do)\b ?:", re.IGNORECASE)
_THERE = re.compile(r"(?:present|attendees|participants|attending|attended by): +(.+)", re.IGNORECASE)
_LEAD = re.compile(r"^(?:abstract|summary|tl;?dr|overview|introduction|in short|preface)\b", re.IGNORECASE)
_HANGING = re.compile(
    r"^(?:this|that|these|those|it|its|they|their|he|his|she|her|both|another|neither|either|such|however|therefore|thus|hence|so|but|and|or|also|then|here|see|note"
    r"|by doing|we|instead|otherwise|finally|similarly|moreover|furthermore|in addition|"
    r"for (?:example|instance)|as (?:such|above|we|mentioned|noted|originally)|at the time|refer to|"
    r"the (?:following|next|previous|above|rest)|"
    r"(?:generally|basically),? this)\b",
    re.IGNORECASE,
)
#: What points to words elsewhere, or only says that something follows.
_LOOSE = re.compile(
    r"^(?:above|below|the [\w -]{3,40} (?:above|below))\b|\b(?:described|discussed|defined|given|listed|shown|mentioned"
    r"|outlined|laid out|see)(?: \w+){0,3}? (?:above|below)\b|\b(?:each|one|all|either|any) of these\b|\bthese \w+\W*$"
    r"|^There (?:are|is|were) (?:also )?(?:several|many|some|various|a (?:few|number|range)|two|three|four|five)\b",
    re.IGNORECASE,
)  # fmt: skip
_OWN = re.compile(r"This [\w ]{1,40}? [a-z]+(?:s|ed)\b")
#: A sentence in which a document says what it is for.
_PURPOSE = re.compile(
    r"(?:This|The present)(?: new)? (?:PEP|RFC|document|note|specification|proposal|standard|page|paper|policy|draft|"
    r"article|report|post|guide|book|study|library|project|package|tool|repository|is an? )|"
    r"(?:This|We|I) (?:propose|describe|specif|define|introduce|present|show|test whether|examine|investigate)"
)
_CONCLUDES = re.compile(r"(?:(?:We|I) (?:therefore )?conclude|(?:Our|The|These) results (?:show|suggest|indicate))\b")
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
_OPENERS = frozenset(
    "below above the a an this that these those it its there here what which who where when why how if in on at by for "
    "from with as of to and but or not no yes some many most all any each every both other another one two three he "
    "she they we you i his her their our my your so then thus also only just even however since while because although "
    "after before during until i'm it's don't must may should shall can will would could might required recommended "
    "optional such among under upon nevertheless therefore hence perhaps indeed finally moreover again whether nor let "
    "owing lastly note todo false true none readme monday tuesday wednesday thursday friday saturday sunday january "
    "february march april june july august september october november december".split()
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
    found = [*_fields(subject, fields, day), *_aliases(document, subject)]
    lead = _summary(document, told)
    found += [Proposal(subject, s.text, (Span(s.start, s.end),), "summary", since=day) for s in lead]
    own = _names(document, subject)
    parsed = [proposal for sentence in told for proposal in _of_sentence(sentence, subject, own, day)]
    parsed += own_values(told, subject, day)
    for name, place in {name: place for place, name in sorted(voices.items(), reverse=True)}.items():
        turn = Span(place - len(name) - 2, next(s.end for s in told if s.start == place))
        found.append(Proposal(subject, f"{name} speaks in {subject}.", (turn,), "speaker", name, day))
    said = [p for p in parsed if p.subject == subject and p.relation != "alias"]
    thing = re.compile(rf"(?:(?:an?|the) )?{re.escape(subject)} (?:is|was|are|were) (?:an?|the|one of|what) ", re.I)
    if any(thing.match(s.text) and not _WRITTEN.search(f"{subject} {s.text}") for s in told[:SHORT_SENTENCES]):
        found = [_described(p) for p in found]  # a note about it: who wrote the note did not make the thing
    used = {p.quotes[0].start for p in said if isinstance(p.quotes[0], Span)} | {s.start for s in lead}
    if len(told) < SHORT_SENTENCES:
        found += _all_sentences(document, subject, told, used, own, day)
    else:
        found += _key_sentences(document, subject, told, used, bool(lead), day)
    return [
        replace(p, scope={"speaker": voices[p.quotes[0].start]})
        if p.relation in ("says", "summary") and isinstance(p.quotes[0], Span) and p.quotes[0].start in voices else p
        for p in found + parsed
    ]  # fmt: skip


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
    told = [s for s in told if not any(start <= s.start < end for start, end in aside)]
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


def _fields(subject: str, fields: Sequence[tuple[str, str, int, int]], day: str | None) -> Iterator[Proposal]:
    label = subject.rsplit(" ", 1)[0] if re.fullmatch(r"\w+ \d+", subject) else ""
    for i, (name, value, start, end) in enumerate(fields):
        key = name.lower()
        relation = key.replace("_", " ")
        quote = (Span(start, end),)
        value = spoken(re.sub(r"\s*<[^<>\s]*@[^<>\s]*>", "", value))
        if not value or key in _UNTOLD or (i == 0 and key == label.casefold()):
            continue
        if verb := _SUCCESSION.get(key.replace("_", "-")):
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
            yield Proposal(subject, f"{subject} was {verb} on {on}.", quote, verb, on, on)
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


def _good(sentence: Sentence) -> bool:
    text = sentence.text
    letters = sum(c.isalpha() or c == " " for c in text)
    return (
        40 <= len(text) <= 420
        and not text.isupper()
        and text[-1] in ".!。！"
        and (text[0].isupper() or text[0] in '`"“' or not text[0].isascii())
        and letters > 0.75 * len(text)
        and text.count("`") % 2 == 0
        and len(re.sub(r"`[^`]*`", "", text).split()) > 3
        and "http" not in text
    )


def _plain(sentence: Sentence) -> bool:
    """Whether it says something, as a note may say it: shortly, after a small letter, or as an item without a stop."""
    text = sentence.text
    words = text.split()
    ends = text[-1] in ".!。！" or (
        len(words) > 4 and text[-1] not in "?:,;" and 2 * sum(map(str.islower, words)) > len(words)
    )
    return (
        ends
        and (len(words) > 2 or not text.isascii())
        and 12 <= len(text) <= 420
        and not text.isupper()
        and sum(c.isalpha() or c == " " for c in text) > 0.6 * len(text)
        and "http" not in text
        and not (_FRAME.match(text) or _STOCK.search(text))
    )


def _summary(document: Document, told: Sequence[Sentence]) -> list[Sentence]:
    """Up to two sentences of the abstract, else of the first paragraph that says something; and its conclusion."""
    good = _plain if len(told) < SHORT_SENTENCES else _good
    leads = [i for i, section in enumerate(document.sections) if _LEAD.match(section.heading)]
    for wanted in (leads[:1], None):
        near = [s for s in told if (wanted is None or s.section in wanted) and not s.item and good(s)]
        near = [s for s in near if not (_SKIPPED.match(s.text) or _STOCK.search(s.text))]
        near = [s for s in near if s.section == near[0].section] if near else []
        # The "it" of a first sentence is what the title names.
        while near and _HANGING.match(t := near[0].text) and not (_OWN.match(t) or _PURPOSE.match(t)):
            if near[0] is told[0] and t.startswith("It "):
                break
            near.pop(0)
        if near:  # what a document says of itself, before what it says of the world
            place = next((i for i, s in enumerate(near[:8]) if _PURPOSE.match(s.text)), 0)
            concluded = next((s for s in near[place + 2 :] if _CONCLUDES.match(s.text)), None)
            return [*near[place : place + 2], *([concluded] if concluded else [])]
    return []


def _key_sentences(
    document: Document, subject: str, told: Sequence[Sentence], used: set[int], led: bool, day: str | None
) -> Iterator[Proposal]:
    """A sentence of each section that stands on its own, the first; where sections are many, of the uppermost.

    Of a text without headings, the first sentence of each paragraph.
    """
    alone = [s for s in told if s.start not in used and not s.item and _good(s)
             and not (_HANGING.match(s.text) or _STOCK.search(s.text))]  # fmt: skip
    if len(document.sections) < 2:
        for s in [s for s in alone if s.opens][:KEY_SENTENCES]:
            yield Proposal(subject, s.text, (Span(s.start, s.end),), "says", None, day)
        return
    first: dict[int, Sentence] = {}
    for s in sorted(alone, key=lambda s: _LOOSE.search(s.text) is not None):
        if s.section >= 0 and s.section not in first:
            section = document.sections[s.section]
            heading = spoken(section.heading)
            if not (_QUIET.match(heading) or section.level > 3 or (led and _LEAD.match(heading))):
                first[s.section] = s
    kept = sorted(first, key=lambda place: (document.sections[place].level, place))[:KEY_SENTENCES]
    for place in sorted(kept):
        s, heading = first[place], spoken(document.sections[place].heading)
        yield Proposal(subject, s.text, (Span(s.start, s.end),), "says", None, day, scope={"section": heading})


def _all_sentences(
    document: Document, subject: str, told: Sequence[Sentence], used: set[int], own: frozenset[str], day: str | None
) -> Iterator[Proposal]:
    """Of a short document every plain sentence: it has no room for what does not matter."""
    label, typed = "", document.media in ("text/markdown", "text/plain")  # not the menus of a page
    for s in told:
        heading = spoken(document.sections[s.section].heading) if s.section >= 0 else ""
        label = label if s.item else s.text[:-1] if s.text[-1] == ":" and len(s.text.split()) < 6 else ""
        noted = typed and (s.item or _ASKS.match(s.text)) and re.search(r" \S+ |\w: ", s.text) and "http" not in s.text
        if s.start not in used and (_plain(s) or noted) and not _FORMAL.match(heading):
            said = label or ("" if normal(heading) in own or _LEAD.match(heading) else heading)
            scope = {"section": said} if said else {}
            yield Proposal(subject, s.text, (Span(s.start, s.end),), "says", None, day, scope=scope)


def _of_sentence(s: Sentence, subject: str, own: frozenset[str], day: str | None) -> Iterator[Proposal]:
    """What one sentence defines, values, dates or replaces."""
    quote, text = (Span(s.start, s.end),), s.text
    if len(text) > 500:
        return
    match = _DEFINED.match(text)
    if match and (_good(s) or _plain(s)) and not re.search(r"\b(?:if|whether)\b", text[:20]):
        name = match["name"].strip("* ")
        bare = re.sub(r"\s+\([A-Z][\w-]*\)$", "", name)
        first = name.split()[0].casefold()
        if first not in _OPENERS and not _GERUND.match(name) and len(bare) > 2:
            yield Proposal(subject if normal(bare) in own else bare, text, quote, "is", None, day)
    for match in _ACRONYM.finditer(text):
        long, short = " ".join(match[1].split()), match[2]
        for words in (long.split()[i:] for i in range(len(long.split()))):
            initials = "".join(w[0] for w in words if w[0].isupper())
            if initials in (short.upper(), re.sub(r"[^A-Z]", "", short)) and len(initials) > 1:
                yield Proposal(" ".join(words), f"{' '.join(words)} is also called {short}.", quote, "alias", short)
                break
    for person in _parts(there[1].rstrip("."), r",|;|\band\b") if (there := _THERE.match(text)) else ():
        if person[0].isupper() and len(person.split()) < 5 and person.casefold() not in _OPENERS:
            yield Proposal(subject, f"{person} is a participant of {subject}.", quote, "participant", person, day)
    yield from stated(s, subject, own, _OPENERS, day)
    yield from _replacement(s, subject, own, day)
    # A date inside the name of a file dates nothing.
    beside = ((on, text[max(0, start - 1) : start] + text[end : end + 1]) for on, start, end in dates(text))
    on = next((on for on, marks in beside if not re.search("[/_`-]", marks)), "")
    if on and _good(s) and len(text) <= 300:
        yield Proposal(subject, text, quote, "dated", None, on, on)


def _replacement(s: Sentence, subject: str, own: frozenset[str], day: str | None) -> Iterator[Proposal]:
    """A plain statement that one thing took the place of another; wishes, conditions and denials are none."""
    if re.search(r"\b(?:not|never|rather|would|could|may|might|should|if|will|neither)\b", s.text[:160], re.IGNORECASE):
        return
    for pattern, part, verb in ((_REPLACED, "by", "superseded by"), (_REPLACES, "old", "supersedes")):
        if match := pattern.match(s.text):
            who = match["who"]
            if who and who.split()[0].casefold() in _OPENERS:
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
    return _good(s) and 1 + (not _HANGING.match(s.text)) + 2 * tells_of(name, s.text)


def mentions(document: Document) -> list[list[str | int]]:
    """[name, how often, start, end] with the first good sentence that uses it, in bytes: links first, then by count."""
    told, _ = _told(document, _body(document))
    formal = {i for i, section in enumerate(document.sections) if _FORMAL.match(section.heading)}
    counts: Counter[str] = Counter()
    where: dict[str, Sentence] = {}
    middle: set[str] = set()
    weak: dict[str, Sentence] = {}
    for s in told:
        if s.section in formal or _STOCK.search(s.text):
            continue
        for match in _CAPITAL.finditer(_SIDE_BY_SIDE.sub(r"\1, \2", s.text)):
            words = re.sub(r"['’]s$", "", match[0]).split()
            opens = match.start() == 0 or not re.search(r"\w", s.text[: match.start()])
            while words and words[0].casefold() in _OPENERS:
                words, opens = words[1:], False
            while words and (words[-1].casefold() in _OPENERS):
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
