"""What is given again: pages under load, and what was costly to make."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from memexlab import Lab
from memexlab.web import labs as kept_in
from memexlab.web import resting
from memexlab.web.labs import Labs
from memexlab.web.resting import Resting


def answers(paths: list[str]) -> list[str]:
    """What a server answers that is asked for all of these at the same time; it counts what it makes."""
    made = 0

    async def counted(request: Request) -> Response:
        nonlocal made
        made += 1
        mine = made
        await asyncio.sleep(0.1)
        return HTMLResponse(f"{request.url.path} {mine}", 200 if request.url.path != "/missing" else 404)

    app = Starlette(routes=[Route("/{name:path}", counted)], middleware=[Middleware(Resting)])

    async def asked() -> list[str]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return [answer.text for answer in await asyncio.gather(*map(client.get, paths))]

    return asyncio.run(asked())


def test_two_at_a_time_are_no_load(tmp_path: Path) -> None:
    assert len(set(answers(["/runs", "/runs"]))) == 2


def test_under_load_a_page_is_made_once_for_all_who_wait() -> None:
    told = answers(["/runs"] * 8)
    assert len(set(told)) == 3
    assert len(set(told[2:])) == 1


@pytest.mark.parametrize("path", ["/api/sql", "/?part=1", "/missing"])
def test_what_must_be_of_now_is_made_for_each(path: str) -> None:
    assert len(set(answers([path] * 5))) == 5


def test_what_is_asked_differently_is_not_given() -> None:
    told = answers(["/", "/", "/runs?a=1", "/runs?a=2", "/runs?a=1"])
    assert told[2] != told[3]
    assert told[2] == told[4]


def test_many_one_after_the_other_are_load_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resting, "_FEW_A_SECOND", 0)
    app = Starlette(routes=[Route("/", lambda request: HTMLResponse(str(time.monotonic_ns())))],
                    middleware=[Middleware(Resting)])  # fmt: skip
    monkeypatch.setattr(resting, "_REST", 1e9)

    async def asked() -> set[str]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return {(await client.get("/")).text for _ in range(5)}

    assert len(asyncio.run(asked())) == 1


def test_under_load_a_page_is_made_anew_beside_those_who_are_given_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resting, "_RENEWED_AFTER", 0.0)
    made = 0

    async def counted(request: Request) -> Response:
        nonlocal made
        made += 1
        mine = made
        await asyncio.sleep(0.02)
        return HTMLResponse(str(mine))

    app = Starlette(routes=[Route("/runs", counted)], middleware=[Middleware(Resting)])

    async def asked() -> list[list[str]]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            told = []
            for _ in range(3):
                told.append([answer.text for answer in await asyncio.gather(*map(client.get, ["/runs"] * 6))])
                await asyncio.sleep(0.1)
            return told

    first, second, third = asyncio.run(asked())
    assert set(second[2:]) == set(first[2:])  # nobody waited
    assert set(third[2:]).isdisjoint(second)  # what was made beside them was given to the next
    assert len(set(third[2:])) == 1


def test_what_is_costly_is_renewed_beside_those_who_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Lab.init(tmp_path / "lab", target="none")
    monkeypatch.setattr(kept_in, "_REST", 0)
    kept, made = Labs(tmp_path / "lab"), 0

    def costly() -> int:
        nonlocal made
        begun = time.thread_time()
        while time.thread_time() - begun < kept_in._COSTLY_SECONDS * 1.1:
            pass
        made += 1
        return made

    assert kept.kept("key", costly) == kept.kept("key", costly) == 1
    kept.lab().log(metric=["loss=1"], description="first", status="keep", campaign="c")
    assert kept.is_behind("key")
    assert kept.kept("key", costly) == 1
    kept._renewing.submit(str).result()
    assert not kept.is_behind("key")
    assert kept.kept("key", costly) == 2
    kept.lab().log(metric=["loss=1"], description="second", status="discard", campaign="c")
    monkeypatch.setattr(kept_in, "_OLDEST_SECONDS", 0)
    assert kept.kept("key", costly) == 3
    kept.close()
