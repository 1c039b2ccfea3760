"""What is said to a model and what comes back, and how a provider is set. Knows no network, no file, no money spent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, fields
from typing import Any, Literal, Protocol

from ..ledger import OutsideError, UsageError

Dial = Literal["none", "local", "endpoint", "agent", "scripted"]
Effort = Literal["low", "medium", "high"]
#: Tokens that one reply may have, by effort.
MAX_TOKENS: Mapping[Effort, int] = {"low": 1024, "medium": 4096, "high": 16384}

#: Hears the pieces of a reply as they come, '' where one begins. It is set around a call by whoever shows them.
HEARING: ContextVar[Callable[[str], None]] = ContextVar("HEARING", default=lambda piece: None)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question to a model; `schema` is the JSON schema its reply must fit, where there is one."""

    text: str
    schema: Mapping[str, Any] | None = None
    system: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said; counts and `usd` are the provider's word, 0 where none came; `finish` is `length` if cut."""

    text: str
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    usd: float = 0.0
    finish: str = "stop"


class CallFailed(OutsideError):
    """No whole reply: `text` came, paid for where `charged`; the server asks for `wait_seconds` before the next try."""

    text = ""
    charged = False
    wait_seconds: float | None = None


class Provider(Protocol):
    """One model. `complete` makes one attempt and raises CallFailed; the driver waits, repeats, records and counts."""

    @property
    def name(self) -> str: ...

    def complete(self, prompt: Prompt, *, max_tokens: int, timeout_seconds: float) -> Reply: ...


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The `[model]` table: which model, how much effort, and what it may cost; None means no bound.

    `key_env` is the name of the variable that holds the key; the key itself is in no file and in no entry.
    """

    dial: Dial = "none"
    effort: Effort = "medium"
    name: str = ""
    base_url: str = ""
    key_env: str = ""
    file: str = ""
    usd_per_mtok_in: float = 0.0
    usd_per_mtok_out: float = 0.0
    timeout_seconds: float = 300.0
    retries: int = 4
    budget_usd_run: float | None = None
    budget_usd_night: float | None = None
    budget_usd_lab: float | None = None
    budget_tokens_night: int | None = None

    def __post_init__(self) -> None:
        found = (getattr(self, row.name) for row in fields(self))
        numbers = [value for value in found if isinstance(value, int | float)]
        if any(not 0 <= value < 1e12 for value in numbers) or not self.timeout_seconds or self.retries % 1:
            raise UsageError("[model] holds a number that cannot be", "timeout_seconds above 0, the others from 0 up")
        if "@" in self.base_url.partition("//")[2].partition("/")[0]:
            raise UsageError("[model] base_url holds a password", 'key_env = "NAME_OF_A_VARIABLE"   under [model]')

    def usd(self, tokens_in: int, tokens_out: int) -> float:
        return (tokens_in * self.usd_per_mtok_in + tokens_out * self.usd_per_mtok_out) / 1e6
