"""Paragraphs and sentences of a marked-up text with their places, and what a sentence says without its markup.

Code, tables, directives, quotations (indented, or after >) and headings are no prose. It knows markdown and
reStructuredText alike, and no claims.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .readers import Section

with (Path(__file__).parent / "prose.toml").open("rb") as _file:
    _WORDS = {kind: words.split() for kind, words in tomllib.load(_file).items()}
_ANY = {kind: "|".join(map(re.escape, words)) for kind, words in _WORDS.items()}
_END = re.compile(r"[.!?]+(?:[\"'”’“«»)\]*_~]|[ \u00a0\u202f]»)*(?=\s)|[。！？]")
_SHORT = re.compile(rf"(?:\b(?:{_ANY['short']})|\b[A-Z]|(?<![a-z])[a-zäö]\.\s?(?<![ap]\.)(?<![ap]\.\s)[a-zäöA-Z])\.$")
_SHORT_CAPITALS = re.compile(rf"\b(?:{_ANY['short'].upper()})\.$")
_NUMBERED = re.compile(rf"\b(?:{_ANY['numbered']}|[ivxl]{{1,6}})\.$")
_ORDINAL = re.compile(rf"(?:(?<!I )\b(?i:(?P<after>{_ANY['before_ordinal']}))\s)?(?<![\d.,])\d{{1,3}}\.$")
#: "40 W." ends a sentence where "J." is the first letter of a name; a thing may be called by a lower-case word.
_UNIT = re.compile(r"(?<![\w.])\d(?:[\d.,]*\d)?[  ]?(?:°|µ|k|M|m)?[A-Z]\.$")
_CALLED = re.compile(r"[a-z][\w-]*\w (?:is|was|are|were|has|can|does|supports|uses) ")
_REFERENCES = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        (r"!\[([^\[\]]*)\]\([^()]*\)", r"\1"),
        (r"\s*!\[\[[^\[\]]*\]\]", ""),
        (r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]", r"\1"),
        (r"\[([^\[\]]+)\]\([^()\s]+\)", r"\1"),
        (r":(?:pep|PEP):`([^`<\d]+?)\s*<(\d+)(?:#[^`>]*)?>`", r"\1 (PEP \2)"),
        (r":(?:pep|PEP):`(?:[^`<]*<)?(\d+)(?:#[^`>]*)?>?`", r"PEP \1"),
        (r":(?:rfc|RFC):`([^`<\d]+?)\s*<(\d+)(?:#[^`>]*)?>`", r"\1 (RFC \2)"),
        (r":(?:rfc|RFC):`(?:[^`<]*<)?(\d+)(?:#[^`>]*)?>?`", r"RFC \1"),
        (r":[\w:+.-]+:`~?!?([^`<]+?)(?:\s*<[^>`]*>)?`", r"`\1`"),
        (r"`([^`<>]+?)\s*<[^<>\s]+>`__?", r"\1"),
        (r"(?<!`)`([^`]+)`__?(?!\w)", r"\1"),
        (r"\s*\[(?:#?[\w-]*|\^[\w-]+)\]_?(?=[\s.,;:)]|$)", ""),
    )
)
#: Those that hold words; a note in brackets may be one of the sentence, such as "[not]".
LINKS = tuple((pattern, instead) for pattern, instead in _REFERENCES if instead)
_EMPHASIS = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        (r"\|(\w[^|]*)\|_?", r"\1"),
        (r"(?<![\w*])\*{1,3}(?=\S)([^*]+?)(?<=\S)\*{1,3}(?![\w*])", r"\1"),
        (r"(?<!\w)_(?=[^\s_])([^_]+?)(?<=\S)_(?!\w)", r"\1"),
        (r"(?<!\w)__(?=[^\s_])([^_]*[^\w_][^_]*?)(?<=\S)__(?!\w)", r"\1"),
        (r"(?<!\w)(?!__)(\w*[^\W_])__?(?=[\s.,;:)]|$)", r"\1"),  # not of __names__, which are what they are
        (r"\s+", " "),
        (r"::$", ":"),
    )
)
_LITERAL, _CODE = re.compile(r"``([^`]+)``"), re.compile(r"`([^`]+)`")
_STRUCK = re.compile(r"(?<!~)~~(?=[^\s~])(?:(?!\n\s*\n|~~).)+~~(?!~)", re.DOTALL)
_MARKED = re.compile(r"[\[`_|*]|~~|::$")  # every form of markup needs one of these
_MARKER = re.compile(r"^[ \t]*(?:[-*+•]|\d{1,3}[.)]|\(?[a-z]\)|#\.)[ \t]+")
_TASK = re.compile(r"^\[([ xX])\][ \t]+")
_NO_PROSE = ("..", "|", ">>>", "$ ", "+--", "+==", "<", "#", ":", "[^", "![", "%%", "---", "===", "@", "{")
_WROTE = re.compile(r"(?:On|Am|Le) .{6,120} (?:wrote|schrieb.*|écrit) ?:$")  # above the words of another in a letter
#: The line below a quotation that says whose it is.
CREDIT = r"[ \t]*(?:--|[—–―~])[ \t]*(?=[^\W_])"
_CREDIT, _ONLY_CODE = re.compile(CREDIT), re.compile(r"(`+)[^`]+\1[.,;:]?")
_FENCE = re.compile(r"^\s*(```|~~~)")
_ASIDE_CHARS = 200
_CALLOUT = re.compile(r"[ \t]*> ?\[!(\w+)\]")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence: where it stands in the text, what it says without markup, under which heading, first of its
    paragraph or not, and whether it is an item of a list."""

    start: int
    end: int
    text: str
    section: int
    opens: bool
    item: bool


@lru_cache(maxsize=50_000)
def spoken(text: str) -> str:
    """The words of marked-up text, as plain text in which only backticks stay."""
    if "\n" in text:
        text = re.sub(r"\n[ \t]*>[ \t]?", "\n", text)
    if not _MARKED.search(text):
        return " ".join(text.split())
    text = _TASK.sub(lambda m: "☐ " if m[1] == " " else "☑ ", text)
    codes: list[str] = []

    def hold(code: re.Match[str]) -> str:
        """A letter of private use in place of code, in which stars and underscores are no markup."""
        if len(code[1]) == 1 and "\ue000" <= code[1] <= "\uf8ff":
            return code[0]
        codes.append(" ".join(code[1].split()))
        return f"`{chr(0xE000 + len(codes) - 1)}`"

    text = _LITERAL.sub(hold, _STRUCK.sub("", text))
    for pattern, instead in _REFERENCES:
        text = pattern.sub(instead, text)
    text = _CODE.sub(hold, text)
    for pattern, instead in _EMPHASIS:
        text = pattern.sub(instead, text)
    for place, code in enumerate(codes):
        text = text.replace(chr(0xE000 + place), code)
    return text.strip()


def sentences(text: str, body: int, sections: Sequence[Section]) -> Iterator[Sentence]:
    """The sentences of all prose from `body` on, in order."""
    place, headings = -1, {section.start for section in sections}
    for start, end, item in _paragraphs(text, body, headings):
        while place + 1 < len(sections) and sections[place + 1].start <= start:
            place += 1
        opens, at = True, start
        struck = [found.span() for found in _STRUCK.finditer(text, start, end)]
        for stop in [*stops(text, start, end), end]:
            while at < stop and text[at].isspace():
                at += 1
            last = at + len(text[at:stop].rstrip())
            if text.count("(", at, last) != text.count(")", at, last):  # a sentence of an aside
                at, last = at + (text[at] == "("), last - (text[last - 1] == ")")
            if at < last and not any(first <= at and last <= to for first, to in struck):
                yield Sentence(at, last, spoken(text[at:last]), place, opens, item)
                opens = False
            at = stop


def stops(text: str, start: int, end: int) -> Iterator[int]:
    """Where the sentences of a paragraph end, but for its last."""
    at = start
    for match in _END.finditer(text, start, end):
        rest = text[match.end() : min(end, match.end() + 60)].lstrip()
        before = text[max(start, match.start() - 24) : match.start() + 1]
        begins = rest and (not rest[0].islower() or (_CALLED.match(rest) and re.search(r"\w{4}\.$", before)))
        if match[0][0] in "。！？" or (begins and not _goes_on(before, rest)):
            unclosed = text.count("(", at, match.end()) > text.count(")", at, match.end())
            if not unclosed or text.find(")", match.end(), min(end, match.end() + _ASIDE_CHARS)) < 0:
                at = match.end()  # else an aside has sentences of its own
                yield at


def _goes_on(before: str, rest: str) -> bool:
    """Whether the dot is that of a short word, an initial or an ordinal."""
    if _UNIT.search(before):
        return False
    if _SHORT.search(before) or (_SHORT_CAPITALS.search(before) and rest[:2].isupper()):
        return True
    if _NUMBERED.search(before):
        return re.match(r"\d|[IVXLC]{2,}\b|[VXLC]\b", rest) is not None
    if re.search(r"(?<!\w)[a-z]\.$", before):  # z. B.
        return re.match(r"[^\W\d_]\.", rest) is not None
    if (found := _ORDINAL.search(before)) is None or (word := re.match(r"[^\W\d_]+", rest)) is None:
        return False
    return word[0] in _WORDS["months"] or bool(found["after"] and word[0].casefold() not in _WORDS["after_number"])


def _paragraphs(text: str, body: int, headings: set[int]) -> Iterator[tuple[int, int, bool]]:
    """(start, end, is an item of a list) of each run of lines that is prose."""
    fence, skip_indented, callout, at = "", False, False, body
    quoted = credit = False
    block: list[tuple[int, str]] = []
    for line in [*text[body:].splitlines(keepends=True), ""]:
        bare = line.strip()
        mark = _FENCE.match(line)
        if mark and (not fence or mark[1] == fence):
            fence = "" if fence else mark[1]
        marker = _MARKER.match(line)
        if (head := _CALLOUT.match(line)) is not None or not bare.startswith(">"):
            callout = head is not None and head[1].lower() not in ("quote", "cite")
        credit = bool(bare) and (credit or (quoted and _CREDIT.match(line) is not None))
        quoted = bare.startswith(">") and (head is not None or not callout)  # the words of another, but in callouts
        cut = line.find(">") + 1 if callout and not quoted else 0
        if block and (not bare or marker or mark or quoted or at in headings or not line):
            found = _prose(block)
            if found:
                yield found
            last = block[-1][1].rstrip()
            skip_indented = last.endswith("::") or block[0][1].lstrip().startswith("..")
            block = []
        if bare and not fence and not mark and not quoted and not credit and at not in headings:
            indented = line[0] in " \t" and not block
            if not (indented and (skip_indented or not marker)):
                block.append((at + cut, line[cut:]))
                skip_indented = skip_indented and indented
        at += len(line)


def _prose(block: list[tuple[int, str]]) -> tuple[int, int, bool] | None:
    start, first = block[0]
    end = block[-1][0] + len(block[-1][1].rstrip())
    marker = _MARKER.match(first)
    bare = first.strip()
    if not marker and len(block) > 1 and block[1][1][0] in " \t" and first[0] not in " \t":
        return _prose(block[1:])  # a term, and what it means below it
    lines = [line.strip() for _, line in block]
    whole = " ".join(lines)
    if (lines[-1].endswith(":") and _WROTE.match(whole)) or _ONLY_CODE.fullmatch(whole):
        return None
    if (bare.startswith(_NO_PROSE) and not re.match(r":[\w-]+:`", bare)) or any(
        line.count("|") >= 2 or re.fullmatch(r"([=\-~^\"'`#*+.:_])\1{2,}[=\- ]*", line) for line in lines
    ):
        return None
    return start + (marker.end() if marker else len(first) - len(first.lstrip())), end, marker is not None
