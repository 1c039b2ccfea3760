"""The HTTP API: every command at `/api/NAME`, by the signature of its method; described at `/api/openapi.json`.

A command that reads answers GET with its arguments in the query; one that lands entries answers POST with a
JSON object.
"""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Literal

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from ..api import COMMANDS, LANDING
from ..ledger import UsageError
from .labs import lab_of
from .rendering import page

#: Commands that stay at the terminal: they make another lab, or never end.
NOT_SERVED = frozenset({"init", "watch", "eval"})
#: Commands that only read. What is not named here needs the token.
READING = frozenset(
    {"check", "next", "brief", "effects", "attribute", "registry", "ask", "sql", "search", "doctor"}
    | {"history", "path", "related", "conflicts"}
)
#: Commands that land entries, or write files.
WRITING = frozenset(
    {"run", "try", "pause", "resume", "stop", "approve", "reject", "race", "log", "report", "import", "retract"}
    | {"reinstate", "same", "ingest", "land", "export", "rebuild", "sync", "council", "score", "partner", "prompt"}
    | {"lint", "review", "voice"}
)
NAMES = {int: "integer", float: "number", str: "string", bool: "boolean", Path: "string"}


def _plain(hint: Any) -> tuple[Any, bool]:
    """The plain type of an annotation, and whether it takes many."""
    origin = typing.get_origin(hint)
    if origin in (list, Sequence):
        return typing.get_args(hint)[0], True
    if origin in (typing.Union, UnionType):
        [inner] = [kind for kind in typing.get_args(hint) if kind is not type(None)]
        return _plain(inner)
    return hint, False


@cache
def parameters_of(method: Callable[..., Any]) -> dict[str, tuple[Any, bool, bool, str]]:
    """Name to type, whether it takes many, whether it must be given, and its name in Python."""
    found = {}
    for name, parameter in inspect.signature(method).parameters.items():
        if name != "self":
            kind, many = _plain(eval(parameter.annotation, method.__globals__))
            found[name.rstrip("_")] = (kind, many, parameter.default is parameter.empty, name)
    return found


def _value(name: str, kind: Any, given: Any) -> Any:
    """A given value as its type; raises UsageError where it is none."""
    if typing.get_origin(kind) is Literal:
        if given not in typing.get_args(kind):
            raise UsageError(f"{name} is {given!r}", f"one of {', '.join(typing.get_args(kind))}")
        return given
    if kind is bool:
        if given in (True, "true", "1"):
            return True
        if given in (False, "false", "0"):
            return False
    elif isinstance(given, str) or (kind in (int, float) and isinstance(given, int | float)):
        try:
            if not isinstance(given, bool) and "\0" not in str(given):
                value = kind(given)
                if kind is not int or -(1 << 63) <= value < 1 << 63:  # what a view can hold
                    return value
        except (ValueError, OverflowError):
            pass
    raise UsageError(f"{name} is {str(given)[:80]!r}", f"a {NAMES[kind]}")


def arguments(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """What a command is called with; raises UsageError for what it does not take and for what it lacks."""
    method = COMMANDS[name]
    allowed = parameters_of(method)
    if unknown := sorted(set(given) - set(allowed)):
        raise UsageError(f"{name} takes no {unknown[0][:80]!r}", f"it takes {', '.join(allowed) or 'nothing'}")
    taken = {}
    for word, (kind, many, needed, real) in allowed.items():
        if word not in given or given[word] is None:
            if needed:
                raise UsageError(f"{name} needs {word}", f'send {{"{word}": ...}}')
            continue
        value = given[word]
        if many:
            items = value if isinstance(value, list) else [value]
            taken[real] = [_value(word, kind, item) for item in items]
        else:
            taken[real] = _value(word, kind, value)
    return taken


async def json_object(request: Request) -> dict[str, Any]:
    """The body of a request, {} where there is none; raises UsageError for what is no JSON object."""
    try:
        given = json.loads(await request.body() or b"{}")
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise UsageError("the body is no JSON object", '{"question": "what is the best run?"}')
    return given


async def _call(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in COMMANDS or name in NOT_SERVED:
        return JSONResponse({"error": f"there is no command {name!r}"}, 404)
    if request.method == "POST":
        given = await json_object(request)
    elif name not in READING:
        return JSONResponse({"error": f"{name} lands entries: use POST"}, 405, {"allow": "POST"})
    elif landing := sorted(LANDING.get(name, frozenset()) & set(request.query_params)):
        return JSONResponse({"error": f"{name} with {landing[0]} lands entries: use POST"}, 405, {"allow": "POST"})
    else:
        allowed = parameters_of(COMMANDS[name])
        given = {}
        for key in request.query_params:
            many = key in allowed and allowed[key][1]
            given[key] = request.query_params.getlist(key) if many else request.query_params[key]
        # A path names a file of this machine, which only the person at it may have read.
        if not request.scope["memex_may_write"] and any(allowed.get(key, ("",))[0] is Path for key in given):
            return JSONResponse({"error": "a file is read only with the token"}, 401)
    return await run_in_threadpool(_answer, request, name, given)


def _answer(request: Request, name: str, given: dict[str, Any]) -> Response:
    taken = arguments(name, given)
    result = COMMANDS[name](lab_of(request), **taken)
    data = result.data() if hasattr(result, "data") else asdict(result)
    body = json.dumps({"text": str(result), "data": data}, ensure_ascii=False, default=str)
    return Response(body.encode("utf-8", "replace"), media_type="application/json")


async def _described(request: Request) -> Response:
    from .openapi import openapi

    return JSONResponse(openapi())


def _page(request: Request) -> Response:
    """The same for a person."""
    from .openapi import openapi

    return page(request, "api.html", "HTTP API", paths=openapi()["paths"])


ROUTES = [
    Route("/api", _page),
    Route("/api/docs", lambda _: RedirectResponse("/api")),
    Route("/api/openapi.json", _described),
    Route("/api/{name}", _call, methods=["GET", "POST"]),
]
