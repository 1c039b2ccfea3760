"""A patch as rows for two columns. Knows unified diffs, nothing of the lab."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@(.*)")
_PIECE = re.compile(r"\w+|\s+|.")
_MOST_ROWS = 2_000

#: A text in pieces; True where the piece is what differs.
Pieces = tuple[tuple[bool, str], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the page: `file` or `hunk` heads, `same` lines, or `edit` with an old side, a new side, or both."""

    kind: str
    old_number: int | None = None
    old: Pieces = ()
    new_number: int | None = None
    new: Pieces = ()
    text: str = ""


def rows(patch: str) -> list[Row]:
    """The rows of a unified diff, at most 2,000; what differs inside a changed line is marked."""
    made: list[Row] = []
    for row in _rows(patch):
        if len(made) == _MOST_ROWS:
            made.append(Row("hunk", text="the rest of this patch is not shown"))
            break
        made.append(row)
    return made


def _rows(patch: str) -> Iterator[Row]:
    old_number = new_number = 0
    gone: list[str] = []
    come: list[str] = []
    inside = False

    def edits() -> Iterator[Row]:
        nonlocal old_number, new_number
        for i in range(max(len(gone), len(come))):
            before = gone[i] if i < len(gone) else None
            after = come[i] if i < len(come) else None
            old, new = _compared(before or "", after or "") if before is not None and after is not None else (
                ((False, before or ""),), ((False, after or ""),)
            )  # fmt: skip
            left = old_number if before is not None else None
            right = new_number if after is not None else None
            old_number += before is not None
            new_number += after is not None
            yield Row("edit", left, old if left is not None else (), right, new if right is not None else ())
        gone.clear()
        come.clear()

    for line in patch.splitlines():
        hunk = _HUNK.match(line)
        if hunk:
            yield from edits()
            inside, old_number, new_number = True, int(hunk[1]), int(hunk[2])
            yield Row("hunk", text=hunk[3].strip() or f"line {hunk[2]}")
        elif line.startswith("diff --git ") or (not inside and line.startswith("+++ ")):
            yield from edits()
            if line.startswith("+++ "):
                yield Row("file", text=line[4:].removeprefix("b/"))
            inside = False
        elif not inside or line.startswith("\\"):
            continue
        elif line.startswith("-"):
            if come:
                yield from edits()
            gone.append(line[1:])
        elif line.startswith("+"):
            come.append(line[1:])
        else:
            yield from edits()
            same = ((False, line[1:]),)
            yield Row("same", old_number, same, new_number, same)
            old_number, new_number = old_number + 1, new_number + 1
    yield from edits()


def _compared(before: str, after: str) -> tuple[Pieces, Pieces]:
    if len(before) + len(after) > 2_000:
        return ((False, before),), ((False, after),)
    left, right = _PIECE.findall(before), _PIECE.findall(after)
    old: list[tuple[bool, str]] = []
    new: list[tuple[bool, str]] = []
    for code, i, j, k, m in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if j > i:
            old.append((code != "equal", "".join(left[i:j])))
        if m > k:
            new.append((code != "equal", "".join(right[k:m])))
    return tuple(old), tuple(new)
