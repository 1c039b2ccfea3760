"""What the pages show, for programs: a page of the wiki, a source, a run, the graph; each as its text and its data."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..commands.trails import path_between, thing_named, thing_told
from ..ledger import UsageError
from ..memory.search.trails import Trails
from ..wiki.markdown import front_matter
from .graph import hubs_of, near_of
from .labs import campaigns, lab_of, rows_of
from .sources import text_of
from .wiki import file_of


def _answered(text: str, data: Any) -> Response:
    body = json.dumps({"text": text, "data": data}, ensure_ascii=False, default=str)
    return Response(body.encode("utf-8", "replace"), media_type="application/json")


def _missing(what: str) -> Response:
    return JSONResponse({"error": f"there is no {what[:120]}"}, 404)


def _page(request: Request) -> Response:
    name = request.path_params["name"]
    path = file_of(request, f"{name}.md")
    if path is None:
        return _missing(f"page {name!r}")
    text = path.read_text(encoding="utf-8", errors="replace")
    return _answered(text, {"page": name, "front": front_matter(text)[0]})


def _source(request: Request) -> Response:
    lab, entry = lab_of(request), request.path_params["entry"]
    found = rows_of(lab.memory.db, "SELECT * FROM documents WHERE entry = ?", entry) if entry < 1 << 63 else []
    text = text_of(lab.memory, entry) if found else None
    return _missing(f"source {entry}") if text is None else _answered(text, found[0])


def _run(request: Request) -> Response:
    lab, number, names = lab_of(request), request.path_params["number"], campaigns(request)
    campaign = request.query_params.get("campaign") or (names[0] if names else "")
    found = rows_of(
        lab.memory.db, "SELECT * FROM runs WHERE campaign = ? AND number = ? ORDER BY id LIMIT 1", campaign, number
    ) if number < 1 << 63 else []  # fmt: skip
    if not found:
        return _missing(f"run {number} of {campaign!r}")
    run, tables = found[0], {}
    for table in ("changes", "settings", "metrics"):
        tables[table] = rows_of(lab.memory.db, f"SELECT * FROM {table} WHERE run = ?", run["run"])
    return _answered(thing_told(lab.memory, ("run", run["run"])), run | tables)


def _graph(request: Request) -> Response:
    """What hangs on `at`, or the trail from it to `to`; without either what is most connected."""
    memory, asked = lab_of(request).memory, request.query_params
    at, to = asked.get("at", "").strip(), asked.get("to", "").strip()
    if to and not at:
        raise UsageError("a trail has two ends", "?at=12&to=lr")
    if to:
        trail = path_between(memory, at, to, None)
        return _answered(str(trail), asdict(trail))
    last = memory.db.execute("SELECT coalesce(max(seq), 0) FROM entries").fetchone()[0]
    near = near_of(Trails(memory.db), thing_named(memory, at, None)) if at else hubs_of(memory, last)
    things = [
        {"kind": kind, "key": node[1], "thing": thing_told(memory, node)} | (
            {"words": link.words, "entry": link.entry} if link else {})
        for kind, found in near.items() for node, link in found[:100]
    ]  # fmt: skip
    return _answered("\n".join(str(one["thing"]) for one in things), things)


ROUTES = [
    Route("/api/pages/{name:path}", _page),
    Route("/api/sources/{entry:int}", _source),
    Route("/api/runs/{number:int}", _run),
    Route("/api/graph", _graph),
]
