"""Under load a page that was just made is given again; it knows requests and answers, and nothing of a lab.

While few ask, every page is made when it is asked for. While many wait, one second old is better than one second late.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: More requests than this at a time are load; a page then rests for so many times what it took, and never longer than.
_FEW, _REST, _LONGEST_SECONDS = 2, 10, 1.0
_MOST_KEPT = 64
_NO_PAGES = ("/api/", "/mcp", "/open")


@dataclass(frozen=True, slots=True)
class _Made:
    until: float
    start: Message
    body: Message


class Resting:
    """Goes before what makes and packs the pages, and behind the guard: who may see what is part of what is kept."""

    def __init__(self, app: ASGIApp) -> None:
        self.app, self._asked = app, 0
        self._kept: dict[tuple[object, ...], _Made | None] = {}  # None: it comes in parts, and is not kept
        self._making: dict[tuple[object, ...], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(("/events", "/static/")):
            return await self.app(scope, receive, send)
        self._asked += 1
        try:
            query = scope["query_string"]
            is_page = scope["method"] == "GET" and not scope["path"].startswith(_NO_PAGES) and b"part=" not in query
            if not is_page or self._asked <= _FEW:
                return await self.app(scope, receive, send)
            packing = Headers(scope=scope).get("accept-encoding", "")
            key = (scope["path"], query, packing, scope.get("memex_may_write"))
            if self._kept.get(key, self) is None:
                return await self.app(scope, receive, send)
            async with self._making[key]:
                found = self._kept.get(key)
                if found is None or time.monotonic() > found.until:
                    return await self._make(key, scope, receive, send)
            await send({**found.start, "headers": list(found.start["headers"])})
            await send(found.body)
        finally:
            self._asked -= 1

    async def _make(self, key: tuple[object, ...], scope: Scope, receive: Receive, send: Send) -> None:
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
        until = now + min(_LONGEST_SECONDS, _REST * (now - begun))
        self._kept[key] = _Made(until, *sent) if len(sent) == 2 else None
