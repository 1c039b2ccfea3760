"""OpenAPI 3.1 of all that programs may ask: the commands, by their signatures and docstrings, and what the pages use.

Everything answers as one of two shapes: `Answer` (a text for people, data for programs) or `Error`.
"""

from __future__ import annotations

import inspect
import typing
from typing import Any, Literal

from .. import __version__
from ..api import COMMANDS, LANDING
from .http_api import NAMES, NOT_SERVED, READING, parameters_of

_TEXT, _NUMBER = {"type": "string"}, {"type": "integer", "format": "int64"}
_SCHEMAS = {
    "Answer": {
        "type": "object", "required": ["text"],
        "properties": {"text": _TEXT | {"description": "for people"}, "data": {"description": "for programs"}},
    },
    "Error": {
        "type": "object", "required": ["error"],
        "properties": {"error": _TEXT | {"description": "what went wrong, with a hint that can be typed"}},
    },
}  # fmt: skip
#: (method, address, what it does, its arguments; one that must be given ends with *)
_OF_PAGES: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("get", "/api/pages/{name}", "A page of the wiki as it stands on disk: its Markdown, and its front matter.", {}),
    ("get", "/api/sources/{entry}", "The text of a source by the number of its entry, and what is known of it.", {}),
    ("get", "/api/runs/{number}", "A run with its changes, settings and metrics.", {"campaign": _TEXT}),
    ("get", "/api/graph", "What hangs on a thing, or the trail from it to another; without either what is most"
     " connected.", {"at": _TEXT, "to": _TEXT}),
    ("get", "/search", "What has words that begin so: pages, sources, runs.", {"q*": _TEXT, "json*": {"const": "1"}}),
    ("get", "/wiki/{name}", "The first words of a page.", {"preview*": {"const": "1"}}),
    ("get", "/wiki-block", "The words of a block of a page.", {"page*": _TEXT, "block*": _TEXT}),
    ("post", "/wiki-block", "Replaces a block of a page, where it still says what it `was`: a claim of yours.",
     {"page*": _TEXT, "block*": _TEXT, "was*": _TEXT, "text*": _TEXT}),
    ("get", "/program", "The text of program.md, and its hash.", {}),
    ("post", "/program", "Replaces program.md, where its hash is still what it `was`.",
     {"text*": _TEXT, "was*": _TEXT}),
    ("post", "/sources/upload", "Saves a new file under raw/; its name is percent-encoded in the header x-name.", {}),
    ("post", "/sources/take", "Takes in what was saved by these names, or an address; without either all of raw/.",
     {"names": {"type": "array", "items": _TEXT}, "url": _TEXT}),
    ("post", "/sources/claim", "Lands a sentence about words of a source, which must bear it.",
     {"source*": _TEXT, "subject*": _TEXT, "sentence*": _TEXT, "quote*": _TEXT, "line": _NUMBER, "last": _NUMBER}),
    ("post", "/ask/worded", "An answer in a model's words, as server-sent events: words, then the answer or trouble.",
     {"question*": _TEXT, "as_of": _TEXT, "campaign": _TEXT, "voice": _TEXT}),
    ("get", "/events", "Server-sent events: `landed` whenever entries have landed.", {}),
)  # fmt: skip
_STREAMS, _BYTES = ("/ask/worded", "/events"), ("/sources/upload",)


def openapi() -> dict[str, Any]:
    """The whole description."""
    paths: dict[str, Any] = {}
    for name, method in COMMANDS.items():
        if name in NOT_SERVED:
            continue
        doc = inspect.getdoc(method) or ""
        texts = {}
        for line in doc.partition("Arguments:")[2].splitlines():
            word, colon, text = line.partition(":")
            if colon:
                texts[word.strip().rstrip("_")] = text.strip()
        way = "get" if name in READING else "post"
        given = {
            word + "*" * needed: _schema(kind, many) | {"description": texts.get(word, "")}
            for word, (kind, many, needed, _) in parameters_of(method).items()
            if way == "post" or word not in LANDING.get(name, ())
        }
        summary = doc.split("\n\n")[0].replace("\n", " ")
        paths[f"/api/{name}"] = {way: _told(way, f"/api/{name}", name, summary, given)}
    for way, path, summary, given in _OF_PAGES:
        words = "".join(c if c.isalnum() else " " for c in path).split()
        paths.setdefault(path, {})[way] = _told(way, path, "_".join([way, *words]), summary, given)
    return {
        "openapi": "3.1.0",
        "info": {"title": "memexlab", "version": __version__},
        "paths": paths,
        "components": {"schemas": _SCHEMAS, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _told(way: str, path: str, name: str, summary: str, given: dict[str, Any]) -> dict[str, Any]:
    kind = "text/event-stream" if path in _STREAMS else "application/json"
    schema = _TEXT if path in _STREAMS else {"$ref": "#/components/schemas/Answer"}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    told: dict[str, Any] = {
        "summary": summary, "operationId": name, "responses": {
            "200": {"description": "the text, and its data", "content": {kind: {"schema": schema}}},
            "default": {"description": "an error, with its hint", "content": error},
        },
    }  # fmt: skip
    in_path = [word[1:-1] for word in path.split("/") if word.startswith("{")]
    parameters: list[dict[str, Any]] = [
        {"name": word, "in": "path", "required": True, "schema": _TEXT if word == "name" else _NUMBER}
        for word in in_path
    ]
    if way == "get":
        parameters += [
            {"name": word.rstrip("*"), "in": "query", "required": word.endswith("*"),
             "description": kept.get("description", ""), "schema": kept}
            for word, kept in given.items()
        ]  # fmt: skip
        return told | {"parameters": parameters}
    body: dict[str, Any] = {"application/octet-stream": {}}
    if path in _BYTES:
        parameters.append({"name": "x-name", "in": "header", "required": True, "schema": _TEXT})
    else:
        properties = {word.rstrip("*"): schema for word, schema in given.items()}
        needed = [word.rstrip("*") for word in given if word.endswith("*")]
        whole = {"type": "object", "properties": properties, "required": needed, "additionalProperties": False}
        body = {"application/json": {"schema": whole}}
    told |= {"requestBody": {"required": True, "content": body}, "security": [{"token": []}]}
    return told | ({"parameters": parameters} if parameters else {})


def _schema(kind: Any, many: bool) -> dict[str, Any]:
    if typing.get_origin(kind) is Literal:
        one: dict[str, Any] = {"type": "string", "enum": list(typing.get_args(kind))}
    else:
        one = {"type": NAMES[kind]} | ({"format": "int64"} if kind is int else {})
    return {"type": "array", "items": one} if many else one
