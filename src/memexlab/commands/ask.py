"""`memex ask`: a question in words, its answer, the SQL that made it and the runs it rests on."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial

from ..lab.execution.checkouts import has_taken
from ..lab.report.morning import asked_of_all, of_all
from ..lab.wording import clean
from ..ledger import UsageError
from ..memory import Memory
from ..memory.changes.names import known
from ..memory.questions.answers import Answer, ask


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer as it is printed; as data it has the eight keys of `Answer`."""

    answer: Answer

    def data(self) -> dict[str, object]:
        return asdict(self.answer)

    def __str__(self) -> str:
        # What the report says of the whole campaign stands as it is; a description may be long.
        told = self.answer.text.splitlines()
        lines = [clean(line, 200) for line in told] if self.answer.sql else told
        if self.answer.confidence == "words":
            lines.append("(read from descriptions: there may be more)")
        if self.answer.sql:
            lines += ["", "sql:", self.answer.sql]
        return "\n".join(lines)


def checked(as_of: str | None) -> str | None:
    """A moment as it may be asked of: the number of a run, a year, a month or a day; UsageError for anything else."""
    text = str(as_of or "").strip()
    try:
        if text and not text.isdecimal():
            datetime.fromisoformat(f"{text}-01" if re.fullmatch(r"\d{4}-\d\d", text) else text)
    except ValueError:
        hint = "memex ask --as-of 2012-01-01, 2012-01, 2012, or the number of a run"
        raise UsageError(f"--as-of {as_of}: this is no date", hint) from None
    return text or None


def answered(memory: Memory, campaign: str, question: str, as_of: str | None) -> Answered:
    """Asks one campaign; raises UsageError where there is no such campaign, never for a question."""
    if as_of is None and (kind := asked_of_all(question)):
        return Answered(of_all(memory.db, campaign, question, kind, partial(has_taken, memory.folder.parent)))
    return Answered(ask(memory.db, campaign, question, as_of, known(memory.index.aliases)))
