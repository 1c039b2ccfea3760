"""Ask in words: the answer, the SQL that made it, the runs or the words it rests on.

A model words an answer only where somebody who may write asks it to: its sentences are shown as they come, and replaced
by those that the evidence bears.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any

from markupsafe import Markup, escape
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ..commands.perspective import spoken
from ..config import load
from ..ledger import MemexError, UsageError
from ..models import HEARING
from ..partner.corpus import people, slug_of
from ..wiki.dates import dates
from .http_api import json_object
from .labs import campaigns, lab_of, labs_of, rows_of
from .rendering import page
from .sources import place_at

_CITED = 20
#: Seconds that the page, and then its part, waits for a corpus that is being read.
_PATIENCE = 1.0, 5.0
_EXAMPLES = (
    "what won last night?",
    "is the win real?",
    "what should I try next?",
    "which changes helped?",
    "was weight decay tried?",
    "how many runs crashed?",
)
#: What a memory without runs can be asked: what most of its claims are about.
_SUBJECTS = (
    "SELECT subject FROM claims WHERE subject NOT LIKE 'person:%' GROUP BY 1 ORDER BY count(*) DESC, subject LIMIT 5"
)
#: What an answer is worth, in words.
_SURE = {
    "exact": "counted in the ledger",
    "words": "read from descriptions: there may be more",
    "passages": "the words of your sources",
    "worded": "worded by a model; every sentence was checked against the words below",
    "none": "this memory does not know",
}
_SAID = re.compile(r'"text"\s*:\s*"((?:[^"\\]|\\.)*)')
_NAMED = re.compile(r"\[(\d+)\]|(?:\b[Rr]un |#)(\d+)\b")


def _ask(request: Request) -> Response:
    return _page(request, request.query_params)


def _page(request: Request, asked: Mapping[str, str], model: str | None = None) -> Response:
    lab = lab_of(request)
    question, as_of, campaign, voice = (asked.get(name, "").strip() for name in ("q", "as_of", "campaign", "voice"))
    db, trouble = lab.memory.db, ""
    told: Any = None
    voices = {slug_of(name): name for name in people(lab.memory)}
    voice = voice if voice in voices else ""
    if question:
        try:
            as_of = _moment(as_of)
            if voice and model is None:
                given, patience = (lab.root, voice, question, as_of or None, None), _PATIENCE["part" in asked]
                told = labs_of(request).apart(
                    ("spoken", *given), spoken, *given, patience_seconds=patience, is_long=True
                )  # fmt: skip
            else:
                told = lab.ask(question, as_of=as_of or None, as_=voice or None, campaign=campaign or None, model=model)
        except UsageError as error:
            trouble = str(error)
    answer = told.data() if told and not voice else None
    cited, body = _cited(db, answer) if answer else [], {"question": question}
    body |= {name: value for name in ("as_of", "campaign", "voice") if (value := asked.get(name, "").strip())}
    dial, names = load(request.app.state.root).model, campaigns(request)
    subjects = [f"what is {row[0]}?" for row in db.execute(_SUBJECTS)]
    examples = (*_EXAMPLES[: 4 if subjects else None], *subjects[:3]) if names else subjects
    return page(
        request, "ask.html", "Ask", question=question, as_of=as_of, answer=answer, trouble=trouble,
        about=asked.get("about", "")[:300], examples=examples, campaigns=names, campaign=campaign, cited=cited,
        sure=_SURE,
        voices=voices, voice=voice, spoken=told if voice else None, place_at=place_at,
        coming=bool(voice and question and not told and not trouble),
        said=_linked(answer["text"], cited) if answer else "",
        model=dial.dial not in ("none", "agent") and (dial.name or dial.dial), body=body,
        saving=body | {"save": True} | ({"model": ""} if model is not None else {}),
        nothing=not names and not db.execute("SELECT 1 FROM documents LIMIT 1").fetchone(),
    )  # fmt: skip


def _moment(text: str) -> str:
    """A moment as people write it, as `memex ask --as-of` takes it: the number of a run, a year, a month or a day."""
    days = {"today": 0, "now": 0, "yesterday": 1}
    if text.lower() in days:
        return (date.today() - timedelta(days[text.lower()])).isoformat()
    if not text or text.isdecimal():
        return text
    with suppress(ValueError):
        datetime.fromisoformat(text)
        return text
    for told, start, end in dates(text):
        if (start, end) == (0, len(text)):
            return told
    raise UsageError(f"{text!r} is no date", "a year, a day such as 31.12.2025 or 2025-12-31, or the number of a run")


def _cited(db: sqlite3.Connection, answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The runs an answer rests on, in its order; and adds to its words of sources where they are read."""
    sql = "SELECT campaign, number, description, value, 0 AS named FROM runs WHERE id = ?"
    rows = [row for ref in answer["refs"][:_CITED] for row in rows_of(db, sql, ref)]
    for piece in answer.get("evidence", ()):
        row = db.execute("SELECT max(entry) FROM documents WHERE document = ?", (piece["source"],)).fetchone()
        lines = piece["first_line"], piece["last_line"]
        piece["at"] = "" if row[0] is None else place_at(row[0], lines, piece["quote"])
    return rows


def _linked(text: str, cited: list[dict[str, Any]]) -> Markup:
    """The text of an answer, in which a footnote leads to its words and a run to its page; such a run is marked."""
    runs = {run["number"]: run for run in cited}

    def link(found: re.Match[str]) -> str:
        if found[1]:
            return f'<sup class="footnote-ref"><a href="#e{found[1]}">{found[1]}</a></sup>'
        run = runs.get(int(found[2]))
        if run is None:
            return found[0]
        run["named"] = True
        return str(Markup('<a href="/runs/{}?campaign={}">{}</a>').format(run["number"], run["campaign"], found[0]))

    return Markup(_NAMED.sub(link, str(escape(text)).replace(" -&gt; ", "\N{NO-BREAK SPACE}→ ")))


async def _worded(request: Request) -> Response:
    """An answer in a model's words, as server-sent events: `words` as they come, then the `answer` as HTML."""
    given = await json_object(request)
    asked = {name: str(value or "") for name, value in given.items()} | {"q": str(given.get("question") or "")}
    loop, pieces = asyncio.get_running_loop(), asyncio.Queue[str | None]()

    def hear(piece: str) -> None:
        loop.call_soon_threadsafe(pieces.put_nowait, piece)

    HEARING.set(hear)

    async def stream() -> AsyncIterator[str]:
        asking = asyncio.ensure_future(run_in_threadpool(_page, request, asked, model=""))
        asking.add_done_callback(lambda _: pieces.put_nowait(None))
        reply = shown = ""
        while (piece := await pieces.get()) is not None:
            reply = reply + piece if piece else ""
            if (words := _sentences(reply)) != shown:
                shown = words
                yield _event("words", words)
        try:
            yield _event("answer", bytes((await asking).body).decode())
        except MemexError as error:
            yield _event("trouble", str(error))

    return StreamingResponse(stream(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})


def _sentences(reply: str) -> str:
    """What a reply says so far: the texts of its JSON, the last as far as it has come; all of it where it is none."""
    if not reply.lstrip().startswith(("{", "```")):
        return reply
    return "\n".join(re.sub(r"\\(.)", lambda m: {"n": " ", "t": " "}.get(m[1], m[1]), said) for said in
                     _SAID.findall(reply))  # fmt: skip


def _event(name: str, data: str) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


ROUTES = [Route("/ask", _ask), Route("/ask/worded", _worded, methods=["POST"])]
