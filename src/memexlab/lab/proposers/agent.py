"""A proposer that lets a coding agent work: the agent edits the files, and what it changed is the proposal.

It runs nothing itself: it yields a `Task`, and whoever drives it gives the agent a worktree and says what came of it.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass, field

from ...ledger import UsageError
from ...memory.changes.edits import changes_in_source
from ...memory.changes.knobs import settings
from . import Brief, Prompt, Proposal

_MOST_KNOBS_NAMED = 3
_DESCRIPTION_CHARS = 120


@dataclass(frozen=True, slots=True)
class Task(Prompt):
    """Work for an agent: `files` are the editable ones as it finds them, the other two lie beside them to be read."""

    files: Mapping[str, str] = field(default_factory=dict)
    briefing: str = ""
    program: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """What an agent left: the editable files that it changed, why, and what it called the change itself."""

    files: Mapping[str, str]
    hypothesis: str = ""
    title: str = ""

    def reply(self) -> str:
        return json.dumps(asdict(self))


class AgentProposer:
    """One proposal a turn; none where the agent changed nothing that it may change."""

    name = "agent"

    def propose(self, brief: Brief) -> Generator[Prompt, str, list[Proposal]]:
        task = Task(_instruction(brief), files=brief.files, briefing=brief.briefing(), program=brief.program)
        turn = Turn(**json.loads((yield task)))
        changed = {name: text for name, text in turn.files.items() if text != brief.files.get(name)}
        if not changed:
            return []
        title = turn.title or knobs_turned(brief.files, changed) or turn.hypothesis or f"edit of {', '.join(changed)}"
        description = title.partition("\n")[0]
        if len(description) > _DESCRIPTION_CHARS:
            description = description[: _DESCRIPTION_CHARS - 3].rstrip() + "..."
        return [Proposal(description, turn.hypothesis, changed, self.name)]


def _instruction(brief: Brief) -> str:
    files = ", ".join(brief.files)
    return (
        "Read BRIEFING.md (what was measured so far) and program.md (what the person wants) in this folder. "
        f"Then make one change to {files} that you expect to make the metric {brief.better}. "
        "Try what the briefing has not settled. Edit nothing else: everything else is thrown away. "
        "Do not train and do not measure: the harness does, right after you, and tells nobody but itself. "
        "When the edit is done, end with one line: HYPOTHESIS: what you changed and why it should help."
    )


def knobs_turned(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """The constants that changed, as `LR 0.1 -> 0.2`, and whether code did as well; '' where none did, or too many."""
    turned, is_all = list[str](), True
    for name, text in after.items():
        if name.endswith(".py"):
            try:
                old, new = settings(before.get(name, "")), settings(text)
            except UsageError:  # it does not parse: the run will say so
                return ""
            turned += [f"{knob} {old[knob]} -> {new[knob]}" for knob in old if knob in new and old[knob] != new[knob]]
            is_all = is_all and all(change.knob for change in changes_in_source(before.get(name, ""), text))
    if not turned or len(turned) > _MOST_KNOBS_NAMED:
        return ""
    return f"{', '.join(turned)}{'' if is_all else ', and code'}"
