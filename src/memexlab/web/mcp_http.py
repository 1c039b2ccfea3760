"""The tools of `memex mcp` over streamable HTTP at `/mcp`: the same server, behind the guard and its token.

The SDK takes a second to import, so it is imported when the first client comes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.abc
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ..ledger import OutsideError


class Tools:
    """An ASGI application that becomes the MCP server on its first request; `running` holds it open."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._app: ASGIApp | None = None
        self._starting = anyio.Lock()
        self._tasks: anyio.abc.TaskGroup | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with anyio.create_task_group() as self._tasks:
            yield
            self._tasks.cancel_scope.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not scope.get("memex_may_write"):
            answer = JSONResponse({"error": "tools need the token: Authorization: Bearer, from `memex serve`"}, 401)
            await answer(scope, receive, send)
            return
        try:
            app = await self._started()
        except OutsideError as error:
            await JSONResponse({"error": str(error)}, 503)(scope, receive, send)
            return
        await app(scope, receive, send)

    async def _started(self) -> ASGIApp:
        async with self._starting:
            if self._app is None:
                from ..mcp import server

                found = await run_in_threadpool(server, self._root)
                app = found.streamable_http_app(json_response=True, stateless_http=True)
                assert self._tasks is not None

                async def hold(*, task_status: anyio.abc.TaskStatus[None]) -> None:
                    async with found.session_manager.run():
                        task_status.started()
                        await anyio.sleep_forever()

                await self._tasks.start(hold)
                self._app = app
        return self._app
