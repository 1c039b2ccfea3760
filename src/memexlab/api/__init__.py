"""`Lab`: everything memexlab does, one method each. The command line is made of these signatures and docstrings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .experiments import Experiments
from .findings import Findings
from .opened import person
from .partner import Partner
from .questions import Questions
from .sources import Sources
from .upkeep import Upkeep

__all__ = ["COMMANDS", "LANDING", "Lab", "person"]


class Lab(Experiments, Findings, Partner, Questions, Sources, Upkeep):
    """A lab on disk, opened once; close it when done."""


#: Commands by the name that is typed.
COMMANDS: dict[str, Callable[..., Any]] = {
    "init": Lab.init,
    "run": Lab.run,
    "try": Lab.try_,
    "pause": Lab.pause,
    "resume": Lab.resume,
    "stop": Lab.stop,
    "approve": Lab.approve,
    "reject": Lab.reject,
    "race": Lab.race,
    "log": Lab.log,
    "report": Lab.report,
    "import": Lab.import_,
    "check": Lab.check,
    "next": Lab.next,
    "brief": Lab.brief,
    "effects": Lab.effects,
    "attribute": Lab.attribute,
    "registry": Lab.registry,
    "retract": Lab.retract,
    "reinstate": Lab.reinstate,
    "ask": Lab.ask,
    "council": Lab.council,
    "history": Lab.history,
    "same": Lab.same,
    "sql": Lab.sql,
    "ingest": Lab.ingest,
    "sync": Lab.sync,
    "lint": Lab.lint,
    "review": Lab.review,
    "land": Lab.land,
    "export": Lab.export,
    "search": Lab.search,
    "path": Lab.path,
    "related": Lab.related,
    "conflicts": Lab.conflicts,
    "watch": Lab.watch,
    "partner": Lab.partner,
    "voice": Lab.voice,
    "prompt": Lab.prompt,
    "score": Lab.score,
    "eval": Lab.eval,
    "rebuild": Lab.rebuild,
    "doctor": Lab.doctor,
}
#: Arguments with which a command that only reads lands entries or costs money; whoever may only read gets none of them.
LANDING = {"ask": frozenset({"save", "to", "model"})}
