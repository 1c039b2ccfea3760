"""The application: routes, and what happens to an error. Pages are modules beside this one, each with its routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from importlib import import_module
from pathlib import Path

import anyio.to_thread
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from ..ledger import MemexError
from . import report, steering, tonight
from .guard import COOKIE, Guard
from .labs import Labs
from .mcp_http import Tools
from .page_cache import Resting
from .rendering import HERE, page, places_of

#: Threads that answer at a time; each holds a connection to the views.
THREADS = 8
#: Modules with pages; each has its ROUTES. Those of the first page are imported above.
PAGES = ("lineage", "run", "runs", "effects", "intake", "sources", "editing", "review", "wiki", "asking", "partner",
         "graph", "searching", "api_of_pages", "http_api")  # fmt: skip
#: Addresses that people guess, and where that is.
_GUESSED = {"/lint": "/wiki-lint", "/review": "/wiki-review", "/docs": "/api", "/failures": "/effects#failures"}
_STATUS = {1: 409, 2: 400, 3: 503}


def application(root: Path, token: str) -> Starlette:
    """The pages and the HTTP API of the lab at `root`; writes need `token`."""

    tools = Tools(root)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        async with tools.running():
            yield
        app.state.labs.close()

    app = Starlette(
        routes=[
            *tonight.ROUTES,
            *steering.ROUTES,
            *report.ROUTES,
            Route("/open", _open),
            Route("/mcp", tools),
            Mount("/static", StaticFiles(directory=HERE / "static"), name="static"),
        ],
        middleware=[
            Middleware(Guard, token=token),
            Middleware(Resting),
            Middleware(GZipMiddleware, minimum_size=1000, compresslevel=4),
        ],
        exception_handlers={MemexError: _told, ClientDisconnect: _gone, 404: _missing},
        lifespan=lifespan,
    )
    app.router.default = _later
    app.state.root, app.state.token, app.state.labs = root, token, Labs(root)
    return app


async def _later(scope: Scope, receive: Receive, send: Send) -> None:
    await _other_pages()(scope, receive, send)


@cache
def _other_pages() -> Router:
    """What the first page has no use for is read when it is asked for: a quarter of the start."""
    return Router([route for name in PAGES for route in import_module(f".{name}", __package__).ROUTES])


def _open(request: Request) -> Response:
    """The address that `memex serve` prints: it leaves the token with the browser, and shows what the lab is about."""
    has_runs = request.app.state.labs.lab().memory.db.execute("SELECT 1 FROM runs LIMIT 1").fetchone()
    has_wiki = (request.app.state.root / "wiki" / "index.md").is_file()
    response = RedirectResponse("/wiki" if has_wiki and not has_runs else places_of(request)[0][0], 303)
    if request.query_params.get("token") == request.app.state.token:
        response.set_cookie(COOKIE, request.app.state.token, httponly=True, samesite="strict")
    return response


def _wants_json(request: Request) -> bool:
    asked = {"json", "preview"} & set(request.query_params)
    return request.url.path.startswith(("/api/", "/wiki-block")) or request.method not in ("GET", "HEAD") or bool(asked)


async def _told(request: Request, error: Exception) -> Response:
    assert isinstance(error, MemexError)
    status = _STATUS.get(error.exit_code, 500)
    if _wants_json(request):
        return JSONResponse({"error": str(error)}, status)
    return page(request, "error.html", "That did not work", status, text=str(error))


async def _gone(request: Request, error: Exception) -> Response:
    """The client went away within its body, or was cut off because the body had no end."""
    return JSONResponse({"error": "the body did not arrive whole"}, 413)


async def _missing(request: Request, error: Exception) -> Response:
    if _wants_json(request):
        return JSONResponse({"error": f"there is nothing at {request.url.path}"}, 404)
    if request.url.path in _GUESSED:
        return RedirectResponse(_GUESSED[request.url.path])
    return page(request, "error.html", "Not here", 404, text=f"There is nothing at {request.url.path}.")
