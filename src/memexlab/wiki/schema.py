"""Reads `schema.md`: the types of pages, their sections, the standing questions of each, and what answers them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path

from ..ledger import Finding, UsageError

DEFAULT = Path(__file__).with_name("schema.md")
_TYPE = re.compile(r"^## +(.+?)\s*$")


@dataclass(frozen=True, slots=True)
class Part:
    """A section of a page: its heading, its standing questions, the relations that answer them, whether it must be."""

    heading: str
    questions: tuple[str, ...]
    relations: tuple[str, ...]
    required: bool = False


def read_schema(root: Path) -> dict[str, tuple[Part, ...]]:
    """Sections by type of page, of the lab's `schema.md`, else of the default; raises UsageError where it has none.

    A type that stands twice has the sections of both.
    """
    path, lines = _lines(root)
    types: dict[str, list[Part]] = {}
    kind = ""
    for number, line in enumerate(lines, 1):
        if match := _TYPE.match(line):
            kind = match[1].lower()
            types.setdefault(kind, [])
        elif match := re.match(r"^### +(.+?)\s*$", line):
            if not kind:
                raise UsageError(f"{path}:{number}: a section before the first type", "## concept")
            types[kind].append(Part(match[1], (), ()))
        elif kind and types[kind] and line.strip() == "required":
            types[kind][-1] = replace(types[kind][-1], required=True)
        elif kind and types[kind] and (match := re.match(r"^(?:- +(.+)|from: *(.+))$", line)):
            last = types[kind][-1]
            told = tuple(part.strip() for part in (match[2] or "").split(",") if part.strip())
            asked = (*last.questions, match[1]) if match[1] else last.questions
            types[kind][-1] = replace(last, questions=asked, relations=(*last.relations, *told))
    for needed in ("source", "concept"):
        if not types.get(needed):
            raise UsageError(f"{path} names no type {needed} with sections", f"## {needed} and, below it, ### Facts")
    return {name: tuple(parts) for name, parts in types.items()}


def mistakes(root: Path) -> list[Finding]:
    """What in `schema.md` does not do what its author may think."""
    path, lines = _lines(root)
    first: dict[str, int] = {}
    out = []
    for number, line in enumerate(lines, 1):
        if match := _TYPE.match(line):
            kind = match[1].lower()
            if (before := first.setdefault(kind, number)) != number:
                told = f"the type {kind} stands here again, after line {before}: it has the sections of both"
                out.append(Finding("schema", "warning", f"{path.name}:{number}", told, f"one ## {kind} alone"))
    for kind, parts in read_schema(root).items():
        for part in parts:
            twice = sum(other.heading == part.heading for other in parts) > 1
            if twice or not part.relations:
                why = "stands twice" if twice else "has no line that begins with from:, and shows nothing"
                told, hint = f"the section {part.heading!r} of {kind} {why}", "from: says, or the name of a value"
                out.append(Finding("schema", "warning", path.name, told, hint))
    return list(dict.fromkeys(out))


def house_rules(root: Path) -> str:
    """The paragraphs above the first type that begin with "Style:", "Language:", "Naming:" or the like, where they are
    not those of the default: what writers are to hold to."""
    told, default = (_paragraphs(lines) for lines in (_lines(root)[1], DEFAULT.read_text("utf-8").splitlines()))
    return "\n".join(text for text in told if text not in default)


def _paragraphs(lines: Sequence[str]) -> list[str]:
    above = "\n".join(takewhile(lambda line: not _TYPE.match(line), lines))
    parts = re.split(r"\n\s*\n|\n(?=[A-Z]\w+: )", above)
    return [" ".join(part.split()) for part in parts if re.match(r"[A-Z]\w+: ", part)]


def _lines(root: Path) -> tuple[Path, list[str]]:
    path = root / "schema.md" if (root / "schema.md").is_file() else DEFAULT
    data = path.read_bytes()
    try:
        return path, data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}:{number}: a letter that is not UTF-8", "save schema.md as UTF-8") from error
