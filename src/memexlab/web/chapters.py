"""The parts of a source as a reader turns to them: chapters and sections by their names, else runs of lines.

It knows lines, and nothing of where they come from. What a book prints of its own contents is one part.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

#: What is shown at a time, in lines and in characters; a chapter that is longer has several parts.
PART_LINES, PART_CHARS = 400, 60_000
#: A section begins a part of its own when that before it has so many lines; in printed contents a chapter has fewer.
_FEW_LINES, _LISTED_LINES = 50, 25
_MARKED = re.compile(r"#{1,6}\s+(.+?)\s*#*$")
_CHAPTER = re.compile(
    r"\s*((?:chapter|book|part|volume|letter)\s+(?:[ivxlcdm]+|\d+|[a-z]{3,7}))\b"
    r"[.:]?[ ]*((?-i:[\"'“(]?[A-Z]).{0,70})?$|"
    r"\s*((?:contents|introduction|preface|prologue|epilogue|conclusion|appendix|glossary|index)\b.{0,3})$", re.I
)  # fmt: skip
_UNDERLINE = re.compile(r"^([=\-~^\"*+#])\1{2,}\s*$")


class Part(NamedTuple):
    """From its first line up to, and without, the line `after`; the first of its chapter has `number` 1."""

    first: int
    after: int
    chapter: str
    number: int

    @property
    def name(self) -> str:
        return self.chapter if self.number == 1 else f"{self.chapter}, part {self.number}"


def heading(lines: Sequence[str], number: int) -> str:
    """The heading that stands on a line, '' where none does: marked in front, underlined by the next line, or that of
    a chapter, with the name that stands below it."""
    line = lines[number - 1]
    if match := _MARKED.match(line):
        return match[1][:80]
    under = lines[number] if number < len(lines) else ""
    named = line.strip() and not line[0].isspace() and not _UNDERLINE.match(line) and len(line) < 100
    if named and _UNDERLINE.match(under) and len(under.strip()) >= len(line.strip()):
        return line.strip()[:80]
    apart = not under.strip() and (number == 1 or not lines[number - 2].strip())
    if not apart or len(line) > 100 or (match := _CHAPTER.match(line)) is None:
        return ""
    label = (match[1] or match[3]).strip(" .:")
    below = [text.strip() for text in lines[number : number + 4]]
    at = next((i for i, text in enumerate(below) if text), 3)
    alone = at < 3 and not "".join(below[at + 1 : at + 2]) and len(below[at]) < 70 and not _CHAPTER.match(below[at])
    alone = alone and (below[at].isupper() or not below[at].endswith("."))  # a sentence is no name
    name = match[2] or (below[at] if match[1] and alone else "")
    return f"{label}. {name}".strip(" .")


def parts_of(lines: Sequence[str]) -> list[Part]:
    """The parts of a text, in their order; one at least."""
    found = [(n, name) for n in range(1, len(lines) + 1) if (name := heading(lines, n))]
    last = {_letters(name): n for n, name in found}
    ends = [*(n for n, _ in found), len(lines) + 1][1:]
    heads: list[tuple[int, str]] = [(1, "Beginning")] if not found or found[0][0] > 3 else []
    listing = False
    for (n, name), end in zip(found, ends, strict=True):
        chapter = _CHAPTER.match(lines[n - 1]) is not None
        # Once it lists, what is as short is of the list, whatever its chapter is called where it stands.
        listing = chapter and end - n < _LISTED_LINES and (listing or last[_letters(name)] > n)
        if listing:
            if not heads or heads[-1][1].casefold() != "contents":
                heads.append((n, "Contents"))
        elif chapter or not heads or n - heads[-1][0] >= _FEW_LINES:
            heads.append((n, name))
    parts: list[Part] = []
    for i, (first, name) in enumerate(heads):
        first, number = (first if i else 1), 1
        end = heads[i + 1][0] if i + 1 < len(heads) else len(lines) + 1
        chars = 0
        for n in range(first, end):
            chars += len(lines[n - 1]) + 1
            long = chars > PART_CHARS or n - first >= PART_LINES
            # It ends between paragraphs where it can, and leaves no scrap behind.
            at_gap = not lines[n - 1].strip() or chars > PART_CHARS or n - first >= PART_LINES * 5 // 4
            if long and at_gap and n > first and end - n > PART_LINES // 8:
                parts.append(Part(first, n, name, number))
                first, number, chars = n, number + 1, len(lines[n - 1]) + 1
        parts.append(Part(first, end, name, number))
    return parts


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())
