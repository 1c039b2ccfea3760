"""How a person steers from the page: the state of the loop, the patches that wait, and `program.md` edited in place.

Orders themselves go through the API (`/api/pause` and the like); this module shows what there is to order.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..api import Lab
from ..lab.execution.owner import is_alive
from ..lab.execution.streams import interference
from ..lab.loop.steering import Patch, Steering
from ..lab.wording import duration, plural, usd
from ..ledger import write_durably
from .diffs import Row, rows

_PROGRAM_LIMIT_CHARS = 200_000


@dataclass(frozen=True, slots=True)
class Loop:
    """What a loop at work says of itself, and what its streams cost each other."""

    alive: bool
    paused: bool
    order: str
    streams: int
    places: tuple[str, ...]
    interference: str
    left: tuple[str, ...] = ()


def beat_of(steering: Steering) -> dict[str, Any]:
    """What the loop at work said last; {} where there is none, or its process is gone."""
    beat = steering.last_beat()
    return beat if beat and is_alive(beat["owner"]) else {}


def loop_of(lab: Lab, campaign: str | None, running: list[dict[str, Any]]) -> Loop:
    steering = Steering(lab.memory.folder)
    beat = beat_of(steering)
    alive = bool(beat)
    cost = interference(lab.memory, campaign) if campaign else None
    return Loop(
        alive=alive,
        paused=alive and bool(beat.get("paused")) and steering.order == "pause",  # a beat may be seconds old
        order=steering.order,
        streams=max((run["streams"] for run in running), default=0),
        places=tuple(sorted({str(run["hardware"]) for run in running if run["hardware"]})),
        interference=str(cost) if cost else "",
        left=_left(lab, beat, datetime.now(UTC)) if alive else (),
    )


def _left(lab: Lab, beat: dict[str, Any], now: datetime) -> tuple[str, ...]:
    """Ideas, time and money that are left to a loop, in words; time is guessed from ideas where no hours are set."""
    limits, done = beat.get("limits", {}), beat["candidates"]
    if not beat.get("since"):  # a race has a beat, and no loop
        return ()
    told, at_work = [], (now - datetime.fromisoformat(beat["since"])).total_seconds()
    if (runs := limits.get("runs")) is not None:
        told.append(f"{max(0, runs - done)} of {plural(runs, 'idea')}")
    if (hours := limits.get("hours")) is not None:
        told.append(f"{duration(max(0, hours * 3600 - at_work))} of {duration(hours * 3600)}")
    elif runs and 0 < done < runs:
        told.append(f"about {duration(at_work / done * (runs - done))}")
    [(calls, spent)] = lab.memory.db.execute(
        "SELECT count(*), total(json_extract(body, '$.usd')) FROM entries WHERE kind = 'call' AND at >= ?",
        (beat["since"],),
    )
    if (most := limits.get("usd")) is not None:
        told.append(f"{usd(max(0, most - spent))} of {usd(most)}")
    elif calls:
        told.append(f"no limit of money, {usd(spent)} spent")
    return tuple(told)


def reads_words(lab: Lab) -> bool:
    """Whether who has the ideas, now or last, reads `program.md`: a model or an agent does, the knobs proposer not."""
    newest = (
        "SELECT e.body ->> '$.meta.origin' FROM runs r JOIN entries e ON e.seq = r.run WHERE r.role = 'candidate'"
        " ORDER BY r.run DESC LIMIT 20"
    )
    if now := beat_of(Steering(lab.memory.folder)).get("proposer"):
        return str(now) != "knobs"
    known = ("knobs", "model", "agent")
    return next((who for (who,) in lab.memory.db.execute(newest) if who in known), "knobs") != "knobs"


def waiting(lab: Lab) -> list[tuple[Patch, list[Row]]]:
    """The patches that wait for a word, each with the rows of its diff."""
    return [(patch, rows(patch.diff)) for patch in Steering(lab.memory.folder).queue()]


# --- program.md


def _read(root: Path) -> tuple[str, str]:
    """The text of `program.md` and its hash, '' where there is none."""
    try:
        data = (root / "program.md").read_bytes()
    except FileNotFoundError:
        return "", ""
    return data.decode("utf-8", errors="replace"), hashlib.sha256(data).hexdigest()


def program_of(root: Path) -> dict[str, str]:
    text, mark = _read(root)
    return {"text": text, "hash": mark}


async def _program(request: Request) -> Response:
    """The program; a POST replaces it whole, and only where nobody changed it since it was read."""
    root: Path = request.app.state.root
    if request.method == "GET":
        return JSONResponse(program_of(root))
    try:
        given = json.loads(await request.body())
        text, was = given["text"], given["was"]
        data = text.encode("utf-8")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return JSONResponse({"error": 'send {"text": ..., "was": HASH}'}, 400)
    if len(text) > _PROGRAM_LIMIT_CHARS:
        return JSONResponse({"error": f"program.md has at most {_PROGRAM_LIMIT_CHARS:,} characters"}, 413)
    now = program_of(root)
    if was != now["hash"]:
        return JSONResponse({"error": "program.md changed meanwhile", **now}, 409)
    path = (root / "program.md").resolve()
    mode = path.stat().st_mode & 0o777 if path.exists() else None
    write_durably(path, data)
    if mode is not None:
        path.chmod(mode)
    said = "Saved. A model or an agent reads it before its next idea; the knobs proposer reads no words."
    return JSONResponse({"text": said, "hash": hashlib.sha256(data).hexdigest()})


ROUTES = [Route("/program", _program, methods=["GET", "POST"])]
