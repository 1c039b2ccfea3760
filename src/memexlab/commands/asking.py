"""`memex ask`: a question in words, its answer, the SQL that made it and the runs it rests on."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ..lab.wording import clean
from ..memory import Memory
from ..memory.answers import Answer, ask
from ..memory.names import known


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer as it is printed; as data it has the eight keys of `Answer`."""

    answer: Answer

    def data(self) -> dict[str, object]:
        return asdict(self.answer)

    def __str__(self) -> str:
        lines = [clean(line, 200) for line in self.answer.text.splitlines()]
        if self.answer.confidence == "words":
            lines.append("(read from descriptions: there may be more)")
        if self.answer.sql:
            lines += ["", "sql:", self.answer.sql]
        return "\n".join(lines)


def answered(memory: Memory, campaign: str, question: str, as_of: str | None) -> Answered:
    """Asks one campaign; raises UsageError where there is no such campaign, never for a question."""
    return Answered(ask(memory.db, campaign, question, as_of, known(memory.index.aliases)))
