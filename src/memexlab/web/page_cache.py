"""Under load a page that was just made is given again; it knows requests and answers, and nothing of a lab.

While few ask, every page is made when it is asked for. While many wait, seconds old is better than a second late: a
page that has rested is made anew, if somebody asks, beside those who are given it, so that nobody waits for it.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: More requests than this at a time, or in a second, are load.
_FEW, _FEW_A_SECOND = 2, 12
#: A page then rests for so many times what it took, and never longer than; who asks later is given it still, and has it
#: made anew beside the requests, so many at a time. Readers fall into step: without that all wait for the same page.
_REST, _LONGEST_SECONDS, _RENEWED_AT_A_TIME = 20, 2.0, 2
#: What is older than this is given to nobody.
_OLDEST_SECONDS = 5.0
_MOST_KEPT = 64
_NO_PAGES = ("/api/", "/mcp", "/open")
_Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class _Made:
    renew_from: float
    until: float
    start: Message
    body: Message


class Resting:
    """Goes before what makes and packs the pages, and behind the guard: who may see what is part of what is kept."""

    def __init__(self, app: ASGIApp) -> None:
        self.app, self._asked = app, 0
        self._second, self._in_second = 0, 0
        self._kept: dict[_Key, _Made | None] = {}  # None: it comes in parts, and is not kept
        self._making: dict[_Key, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._renewing: dict[_Key, asyncio.Task[None]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(("/events", "/static/")):
            return await self.app(scope, receive, send)
        self._asked += 1
        now = int(time.monotonic())
        self._second, self._in_second = now, self._in_second + 1 if now == self._second else 1
        try:
            query = scope["query_string"]
            is_page = scope["method"] == "GET" and not scope["path"].startswith(_NO_PAGES) and b"part=" not in query
            if not is_page or (self._asked <= _FEW and self._in_second <= _FEW_A_SECOND):
                return await self.app(scope, receive, send)
            packing = Headers(scope=scope).get("accept-encoding", "")
            key = (scope["path"], query, packing, scope.get("memex_may_write"))
            found = self._kept.get(key, self)
            if found is None:
                return await self.app(scope, receive, send)
            if not isinstance(found, _Made) or time.monotonic() > found.until:
                async with self._making[key]:
                    found = self._kept.get(key)
                    if found is None or time.monotonic() > found.until:
                        return await self._make(key, scope, receive, send)
            elif time.monotonic() > found.renew_from:
                self._renew(key, scope)
            await send({**found.start, "headers": list(found.start["headers"])})
            await send(found.body)
        finally:
            self._asked -= 1

    def _renew(self, key: _Key, scope: Scope) -> None:
        """Makes a page for whoever asks next; what goes wrong is told to the one who asks when its rest is over."""

        async def nothing_more() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def to_nobody(message: Message) -> None:
            pass

        if key not in self._renewing and len(self._renewing) < _RENEWED_AT_A_TIME:
            task = asyncio.create_task(self._make(key, dict(scope), nothing_more, to_nobody))
            self._renewing[key] = task
            task.add_done_callback(lambda _: self._renewing.pop(key))

    async def _make(self, key: _Key, scope: Scope, receive: Receive, send: Send) -> None:
        sent, begun = list[Message](), time.monotonic()

        async def sending(message: Message) -> None:
            sent.append({**message, "headers": list(message["headers"])} if "headers" in message else message)
            await send(message)

        await self.app(scope, receive, sending)
        if not sent or sent[0]["status"] != 200:
            return
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
            self._making.clear()
        now = time.monotonic()
        rest = min(_LONGEST_SECONDS, _REST * (now - begun))
        made = _Made(now + rest, now + _OLDEST_SECONDS, *sent) if len(sent) == 2 else None
        self._kept[key] = made
