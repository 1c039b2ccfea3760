"""The only caller of a model: records every call, pays for no prompt twice, stops before a budget; reads no meaning."""

from __future__ import annotations

import json
import math
import random
import sqlite3
import time
from collections.abc import Callable, Generator, Iterable
from hashlib import sha256
from typing import Any, NamedTuple, Protocol, TypeVar, cast

from ..ledger import Blobs, Call, Draft, Drafts, Entry, OutsideError, Ref, UsageError
from ..tokens import count_tokens
from .prompts import MAX_TOKENS, CallFailed, ModelSettings, Prompt, Provider, Reply

T = TypeVar("T")
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 60.0
_TEMPLATE_TOKENS = 64
#: How many times ours a provider's count of tokens may be, or ours its, and still be believed.
_BELIEVED_TIMES = 4


class BudgetSpent(OutsideError):
    """The next call could pass a budget, so it was not made."""


class Store(Protocol):
    """What the driver needs of a lab's memory: `index.by_key(keys)`, and in `db` the views with all that landed."""

    blobs: Blobs
    index: Any

    @property
    def db(self) -> sqlite3.Connection: ...
    def land(self, drafts: Drafts, by: str) -> list[Entry]: ...


class Estimate(NamedTuple):
    """The most that some prompts can cost: every reply as long as it may be; those answered before cost nothing."""

    tokens_in: int
    tokens_out: int
    usd: float


class Spent(NamedTuple):
    """What calls have cost, as the ledger says."""

    calls: int
    tokens: int
    usd: float


class Driver:
    """Asks one provider for one lab. A night is the life of a driver, and a run is one `drive`."""

    def __init__(
        self, store: Store, provider: Provider, settings: ModelSettings, by: str = "code:memexlab/0.1",
        wait: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        """Raises UsageError for a budget in usd where no price is known: it could never be spent."""
        budgets = {settings.budget_usd_run, settings.budget_usd_night, settings.budget_usd_lab}
        if settings.dial == "endpoint" and budgets != {None} and settings.usd(1, 1) <= 0:
            raise UsageError(
                "a budget in usd is set under [model], and no price is, so it could never be spent",
                "usd_per_mtok_in = 0.5 and usd_per_mtok_out = 1.5; or budget_tokens_night = 1000000",
            )
        self.store, self.provider, self.settings, self.by, self.wait = store, provider, settings, by, wait
        self.max_tokens = MAX_TOKENS[settings.effort]
        self._night = self._run = self._last()

    def drive(self, generator: Generator[Prompt, str, T], purpose: str) -> T:
        """Answers a proposer's prompts until it returns. An OutsideError is thrown into it: it may do without."""
        self.begin_run()
        try:
            prompt = next(generator)
            while True:
                try:
                    reply = self.ask(prompt, purpose)
                except OutsideError as error:
                    prompt = generator.throw(error)
                else:
                    prompt = generator.send(reply)
        except StopIteration as stop:
            return cast(T, stop.value)

    def begin_run(self) -> None:
        """From here on a call counts for the next run."""
        self._run = self._last()

    def ask(self, prompt: Prompt, purpose: str) -> str:
        """The reply, from the ledger where it was given before; raises BudgetSpent before a budget is passed.

        Raises OutsideError where no attempt brought a whole reply; the part that came is recorded even then.
        """
        question = _written(prompt)
        if (earlier := self._earlier(question)) is not None:
            return self._said(earlier)
        for tries in range(int(self.settings.retries) + 1):
            self._check_budgets(question)
            try:
                seconds = self.settings.timeout_seconds
                reply = self.provider.complete(prompt, max_tokens=self.max_tokens, timeout_seconds=seconds)
            except CallFailed as error:
                if error.charged:
                    self._record(question, Reply(error.text), f"{purpose} (broken off)", None)
                asked = error.wait_seconds
                if not error.retryable or tries == self.settings.retries or (asked or 0) > LONGEST_WAIT_SECONDS:
                    raise
                backoff = min(FIRST_WAIT_SECONDS * 2**tries, LONGEST_WAIT_SECONDS) * random.uniform(0.5, 1.0)
                self.wait(backoff if asked is None else asked)
            else:
                return self._said(self._record(question, reply, purpose, self._key(question)))
        raise AssertionError("the last attempt returned or raised")

    def estimate(self, prompts: Iterable[Prompt]) -> Estimate:
        questions = [question for question in map(_written, prompts) if self._earlier(question) is None]
        tokens_in, tokens_out = sum(map(_tokens, questions)), len(questions) * self.max_tokens
        return Estimate(tokens_in, tokens_out, self.settings.usd(tokens_in, tokens_out))

    def spent(self, after: int = -1) -> Spent:
        """Of the whole lab, or since a position of the ledger; calls of other processes count too."""
        calls, tokens, usd = self.store.db.execute(
            "SELECT count(*), total(json_extract(body, '$.tokens_in')) + total(json_extract(body, '$.tokens_out')),"
            " total(json_extract(body, '$.usd')) FROM entries WHERE kind = 'call' AND seq > ?",
            (after,),
        ).fetchone()
        return Spent(calls, int(tokens), usd)

    def spent_tonight(self) -> Spent:
        """Since this driver was made."""
        return self.spent(self._night)

    def _last(self) -> int:
        return int(self.store.db.execute("SELECT coalesce(max(seq), -1) FROM entries").fetchone()[0])

    def _key(self, question: bytes) -> str:
        return f"call:{sha256(f'{self.provider.name} {self.max_tokens} '.encode() + question).hexdigest()}"

    def _earlier(self, question: bytes) -> Entry | None:
        _ = self.store.db  # brings the views up to date
        found: dict[str, Entry] = self.store.index.by_key([self._key(question)])
        return next(iter(found.values()), None)

    def _said(self, call: Entry) -> str:
        return self.store.blobs.get(call.targets("log")[0]).decode()

    def _check_budgets(self, question: bytes) -> None:
        settings, night = self.settings, self.spent_tonight()
        tokens = _tokens(question) + self.max_tokens
        usd = settings.usd(tokens - self.max_tokens, self.max_tokens)
        for name, budget, used, more in (
            ("budget_usd_run", settings.budget_usd_run, self.spent(self._run).usd, usd),
            ("budget_usd_night", settings.budget_usd_night, night.usd, usd),
            ("budget_usd_lab", settings.budget_usd_lab, self.spent().usd, usd),
            ("budget_tokens_night", settings.budget_tokens_night, night.tokens, tokens),
        ):
            if budget is not None and used + more > budget:
                raise BudgetSpent(
                    f"{name} is {budget:g}: {used:.6g} is spent, and the next call may cost {more:.6g}",
                    hint=f"raise {name} under [model] of memex.toml, or lower the effort",
                )

    def _record(self, question: bytes, reply: Reply, purpose: str, key: str | None) -> Entry:
        data = reply.text.encode("utf-8", "replace")
        own_in, own_out = _tokens(question), count_tokens(reply.text)
        tokens_in = _believed(reply.tokens_in, own_in, own_in * _BELIEVED_TIMES)
        tokens_out = _believed(reply.tokens_out, own_out, max(self.max_tokens, own_out * _BELIEVED_TIMES))
        usd = reply.usd if math.isfinite(reply.usd) and reply.usd > 0 else self.settings.usd(tokens_in, tokens_out)
        call = Call(self.provider.name, purpose, tokens_in, tokens_out, usd, round(reply.seconds, 6))
        refs = (Ref("file", self.store.blobs.put(question)), Ref("log", self.store.blobs.put(data)))
        return self.store.land([Draft(f"model:{self.provider.name}"[:300], call, refs, key=key)], self.by)[0]


def _written(prompt: Prompt) -> bytes:
    said = {"system": prompt.system, "text": prompt.text, "schema": prompt.schema}
    return json.dumps(said, ensure_ascii=False, sort_keys=True, indent=1).encode("utf-8", "replace")


def _tokens(question: bytes) -> int:
    return count_tokens(question.decode()) + _TEMPLATE_TOKENS


def _believed(said: int, own: int, most: int) -> int:
    return said if 0 < said <= most and own - _TEMPLATE_TOKENS <= said * _BELIEVED_TIMES else own
