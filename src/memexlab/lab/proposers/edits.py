"""Search/replace edits of whole files, and what to tell a model whose edit does not fit. Reads and writes no file."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

_MOST_LINES_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Edit:
    """Puts `replace` where `search` stands in the file `path`; `search` must stand there exactly once."""

    path: str
    search: str
    replace: str


def apply_edits(files: Mapping[str, str], edits: Iterable[Edit]) -> tuple[dict[str, str], list[str]]:
    """The files that change, with their new text, and every problem in words for a model; use none if there is one.

    Edits apply in order, each to the text that those before it left. Only the files given may be edited.
    """
    new, problems = dict(files), list[str]()
    for number, edit in enumerate(edits, 1):
        problem = _apply(new, edit)
        if problem:
            problems.append(f"Edit {number}: {problem}")
    changed = {path: text for path, text in new.items() if text != files[path]}
    if not problems:
        problems = [] if changed else ["The edits leave every file as it was."]
        problems += [f"After the edits {wrong}" for path, text in changed.items() if (wrong := unparsable(path, text))]
    return changed, problems


def _apply(files: dict[str, str], edit: Edit) -> str:
    """Makes one edit, or says why not."""
    if edit.path not in files:
        return f"{edit.path!r} may not be edited. You may edit: {', '.join(files)}."
    text, search, replace = files[edit.path], edit.search, edit.replace
    if "\r\n" in text:
        search, replace = ("\r\n".join(side.replace("\r\n", "\n").split("\n")) for side in (search, replace))
    if not search.strip():
        return "`search` is empty. Copy into it the lines that you want to replace."
    if search == replace:
        return "`search` and `replace` are the same, so nothing changes."
    places, at = [], text.find(search)
    while at >= 0:
        places.append(text.count("\n", 0, at) + 1)
        at = text.find(search, at + 1)
    if not places:
        return f"`search` does not stand in {edit.path}. {_nearest(text, search)}"
    if len(places) > 1:
        return (
            f"`search` occurs {len(places)} times in {edit.path}, at lines {', '.join(map(str, places[:9]))}. "
            "Add lines before or after it until it occurs once."
        )
    files[edit.path] = text.replace(search, replace)
    return ""


def _nearest(text: str, search: str) -> str:
    """The lines of the file that look most like what was searched for, with their numbers."""
    lines, wanted = text.splitlines(), [line.strip() for line in search.strip().splitlines()][:_MOST_LINES_SHOWN]
    bare = [line.strip() for line in lines]

    @cache
    def likeness(want: str, line: str) -> float:
        matcher = difflib.SequenceMatcher(None, want, line, autojunk=False)
        return matcher.ratio() if matcher.real_quick_ratio() > 0.5 and matcher.quick_ratio() > 0.5 else 0.0

    def fit(start: int) -> float:
        return sum(map(likeness, wanted, bare[start : start + len(wanted)]))

    best = max(range(len(lines)), key=fit, default=0)
    same = bare[best : best + len(wanted)] == wanted
    what = "Only its spaces or its end differ from these lines" if same else "The nearest lines are these"
    shown = "\n".join(f"{best + i + 1}: {line}" for i, line in enumerate(lines[best : best + len(wanted)]))
    return f"{what}; copy them as they are, without the numbers:\n{shown}"


def unparsable(path: str, text: str) -> str:
    """Why a file is no Python, with the line and the parser's own words; '' where it is, or has another name."""
    if path.endswith(".py"):
        try:
            with warnings.catch_warnings(action="ignore"):
                compile(text, path, "exec", dont_inherit=True)
        except SyntaxError as error:
            line = "".join(text.splitlines()[(error.lineno or 0) - 1 :][:1]).strip()
            return f"{path} is no Python: {error.msg}, at line {error.lineno}: {line!r}"
        except (ValueError, RecursionError, MemoryError) as error:
            return f"{path} is no Python that can be read: {error or type(error).__name__}"
    return ""
