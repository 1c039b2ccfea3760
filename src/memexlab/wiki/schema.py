"""Reads `schema.md`: the types of pages, their sections, the standing questions of each, and what answers them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from ..ledger import UsageError

DEFAULT = Path(__file__).with_name("schema.md")


@dataclass(frozen=True, slots=True)
class Part:
    """A section of a page: its heading, its standing questions, the relations that answer them, whether it must be."""

    heading: str
    questions: tuple[str, ...]
    relations: tuple[str, ...]
    required: bool = False


def read_schema(root: Path) -> dict[str, tuple[Part, ...]]:
    """Sections by type of page, of the lab's `schema.md`, else of the default; raises UsageError where it has none."""
    path = root / "schema.md" if (root / "schema.md").is_file() else DEFAULT
    types: dict[str, list[Part]] = {}
    kind = ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if match := re.match(r"^## +(\w+)\s*$", line):
            kind = match[1].lower()
            types[kind] = []
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
