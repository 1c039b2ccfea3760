"""What is given again: pages under load, and what was costly to make."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from memexlab import Lab
from memexlab.ledger import OutsideError, UsageError
from memexlab.memory import Memory
from memexlab.web import labs as kept_in
from memexlab.web import page_cache as resting
from memexlab.web import review as judging
from memexlab.web import worker as apart_of
from memexlab.web.app import application
from memexlab.web.labs import Labs
from memexlab.web.page_cache import Resting
from memexlab.web.worker import Apart

from .conftest import run_apart


class Together:
    """Many who ask at the same time: no page is made before all have come, however slow the machine is."""

    def __init__(self) -> None:
        self.all_came = asyncio.Event()
        self._missing = 0

    async def asked(self, app: Starlette, paths: list[str]) -> list[str]:
        self.all_came.clear()
        self._missing = len(paths)

        async def coming(scope: Scope, receive: Receive, send: Send) -> None:
            self._missing -= 1
            if not self._missing:
                self.all_came.set()  # whoever waits for it goes on once the last one waits too
            await app(scope, receive, send)

        async with httpx.AsyncClient(transport=httpx.ASGITransport(coming), base_url="http://test") as client:
            return [answer.text for answer in await asyncio.gather(*map(client.get, paths))]


def answers(paths: list[str]) -> list[str]:
    """What a server answers that is asked for all of these at the same time; it counts what it makes."""
    made, together = 0, Together()

    async def counted(request: Request) -> Response:
        nonlocal made
        made += 1
        mine = made
        await together.all_came.wait()
        return HTMLResponse(f"{request.url.path} {mine}", 200 if request.url.path != "/missing" else 404)

    app = Starlette(routes=[Route("/{name:path}", counted)], middleware=[Middleware(Resting)])

    async def asked() -> list[str]:
        return await together.asked(app, paths)

    return run_apart(asked())


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

    assert len(run_apart(asked())) == 1


def test_under_load_a_page_is_made_anew_beside_those_who_are_given_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resting, "_REST", 0)
    monkeypatch.setattr(resting, "_OLDEST_SECONDS", 1e9)
    made, together = 0, Together()

    async def counted(request: Request) -> Response:
        nonlocal made
        made += 1
        mine = made
        await together.all_came.wait()
        return HTMLResponse(str(mine))

    app = Starlette(routes=[Route("/runs", counted)], middleware=[Middleware(Resting)])

    async def asked() -> list[list[str]]:
        told = []
        for _ in range(3):
            told.append(await together.asked(app, ["/runs"] * 6))
            while len(asyncio.all_tasks()) > 1:  # what is made beside them
                await asyncio.sleep(0.01)
        return told

    first, second, third = run_apart(asked())
    assert set(second[2:]) == set(first[2:])  # nobody waited
    assert set(third[2:]).isdisjoint(second)  # what was made beside them was given to the next
    assert len(set(third[2:])) == 1


@pytest.fixture
def known_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of its own finds what this file defines."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))


def _of_memory(memory: Memory, what: str) -> tuple[int, str, int]:
    [(count,)] = memory.db.execute("SELECT count(*) FROM runs").fetchall()
    if what == "fails":
        raise UsageError("it cannot be", "memex doctor")
    if what == "never":
        time.sleep(600)
    return os.getpid(), what, count


@pytest.mark.usefixtures("known_apart")
@pytest.mark.slow
def test_what_is_made_apart_is_made_by_one_process_that_is_started_again_and_ends_with_it(tmp_path: Path) -> None:
    Lab.init(tmp_path, target="none")
    apart = Apart(tmp_path)
    process, what, count = apart.made(_of_memory, "told")
    assert (process == os.getpid(), what, count) == (False, "told", 0)
    with pytest.raises(UsageError, match="it cannot be"):
        apart.made(_of_memory, "fails")
    assert apart.made(_of_memory, "again")[0] == process
    assert apart.process
    apart.process.kill()
    apart.process.wait()
    other, what, _ = apart.made(_of_memory, "after a fault")
    assert (other != process, what) == (True, "after a fault")
    apart.close()
    assert not Path(f"/proc/{other}").exists()
    with pytest.raises(OutsideError, match="the server ends"):
        apart.made(_of_memory, "told")


@pytest.mark.slow
@pytest.mark.usefixtures("known_apart")
def test_what_never_comes_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Lab.init(tmp_path, target="none")
    monkeypatch.setattr(apart_of, "SECONDS", 1.5)
    apart = Apart(tmp_path)
    with pytest.raises(OutsideError, match="not made within"):
        apart.made(_of_memory, "never")
    apart.close()


@pytest.mark.slow
def test_a_process_whose_server_was_killed_ends(tmp_path: Path) -> None:
    Lab.init(tmp_path, target="none")
    text = (
        "import os, pathlib, sys; from memexlab.web.worker import Apart; from memexlab.web.drawing import drawn_of\n"
        "apart = Apart(pathlib.Path(sys.argv[1])); apart.made(drawn_of, None, None, False)\n"
        "print(apart.process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", text, str(tmp_path)], stdout=subprocess.PIPE, check=False)
    assert done.returncode == -9
    for _ in range(6000):
        if not Path(f"/proc/{int(done.stdout)}").exists():
            break
        time.sleep(0.01)
    assert not Path(f"/proc/{int(done.stdout)}").exists()


@pytest.mark.usefixtures("known_apart")
def test_in_a_large_lab_what_takes_long_is_made_apart_and_rests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Lab.init(tmp_path, target="none")
    monkeypatch.setattr(kept_in, "_MANY_RUNS", 0)
    kept = Labs(tmp_path)

    def log(description: str) -> None:
        kept.lab().log(metric=["loss=1"], description=description, status="discard", campaign="c")

    assert kept.apart("key", _of_memory, "told") == (os.getpid(), "told", 0)
    log("first")
    kept._kept.clear()
    first = kept.apart("key", _of_memory, "told")
    assert first
    assert (first[0] == os.getpid(), first[2]) == (False, 1)
    monkeypatch.setattr(kept_in, "_REST", 1e9)
    log("second")
    assert kept.apart("key", _of_memory, "told") == first
    _, at, *_ = kept._kept["key"]
    since = int(time.monotonic() - at)
    assert 1 + since <= (kept.seconds_behind("key") or 0) <= 1 + int(time.monotonic() - at)
    monkeypatch.setattr(kept_in, "_REST", 0)
    assert kept.apart("key", _of_memory, "told") == first  # and is made anew beside
    kept._renewing.submit(str).result()
    assert kept.seconds_behind("key") is None
    second = kept.apart("key", _of_memory, "told")
    assert second
    assert second[2] == 2
    assert kept.apart("other", _of_memory, "never", patience_seconds=0.1) is None
    kept.close()


def waited_for(client: TestClient, path: str, words: str, absent: bool = False) -> str:
    """The page once it says this, or once it says it no longer."""
    for _ in range(600):
        if (words in (text := client.get(path).text)) is not absent:
            return text
        time.sleep(0.05)
    raise AssertionError(text)


def settled(client: TestClient, path: str) -> str:
    """The page once nothing is made for it any more."""
    return waited_for(client, path, "data-behind", absent=True)


@contextmanager
def nothing_is_made(labs: Labs) -> Iterator[None]:
    """What a page orders meanwhile is not begun, so that it is seen to wait, on a quick machine too."""
    over = threading.Event()
    labs._renewing.submit(over.wait)
    try:
        yield
    finally:
        over.set()


@pytest.mark.slow
def test_in_a_large_wiki_what_was_known_is_shown_while_it_is_checked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Lab.init(tmp_path, target="none")
    monkeypatch.setattr(judging, "_MANY_DOCUMENTS", 0)
    monkeypatch.setattr(judging, "_PATIENCE_SECONDS", 0)
    (tmp_path / "raw").mkdir(exist_ok=True)
    for year, metres in ((2001, 134), (2010, 129)):
        text = f"---\ndate: {year}-01-01\n---\n# Survey of {year}\n\nThe height of Bay Bridge is {metres} metres.\n"
        (tmp_path / "raw" / f"{year}.md").write_text(text)
    lab = Lab(tmp_path)
    lab.ingest([tmp_path / "raw"])
    bridge = tmp_path / "wiki" / "bay-bridge.md"
    app = application(tmp_path, "t")
    with TestClient(app, base_url="http://127.0.0.1") as client:
        with nothing_is_made(app.state.labs):
            assert "The wiki is being checked" in client.get("/wiki-lint").text
        found = settled(client, "/wiki-lint")
        assert "files of the wiki were looked at" in found
        assert "link-phantom" not in found
        bridge.write_text(bridge.read_text() + "\nSee [[Nowhere At All]].\n")  # no entry says so
        monkeypatch.setattr(judging, "_RESTS_SECONDS", 0)
        with nothing_is_made(app.state.labs):
            shown = waited_for(client, "/wiki-lint", "they are being checked again")
            assert "files of the wiki were looked at" in shown
            assert "link-phantom" not in shown
        shown = waited_for(client, "/wiki-lint", "link-phantom")
        assert "files of the wiki were looked at" in shown
        monkeypatch.setattr(judging, "_RESTS_SECONDS", 60)
        with nothing_is_made(app.state.labs):
            assert "being looked for" in client.get("/wiki-review").text
        [item] = re.findall(r'data-item="(\w+)"', settled(client, "/wiki-review"))
        client.headers["authorization"] = "Bearer t"
        judged = client.post("/api/review", json={"item": item, "decision": "accept", "why": "both were measured"})
        assert judged.status_code == 200
        assert "Nothing to judge" in client.get("/wiki-review").text  # at once, with what was known before
        monkeypatch.setattr(judging, "_MANY_DOCUMENTS", 99)
        assert "Nothing to judge" in client.get("/wiki-review").text  # as when it is made anew
    lab.close()


def _fails(memory: Memory, root: Path) -> None:
    raise UsageError("schema.md cannot be read", "memex doctor")


@pytest.mark.usefixtures("known_apart")
def test_why_something_could_not_be_checked_is_told_to_whoever_asks_next(tmp_path: Path) -> None:
    Lab.init(tmp_path, target="none")
    kept = Labs(tmp_path)

    def asked() -> None:
        for _ in range(600):
            assert kept.apart("key", _fails, tmp_path, patience_seconds=0.01, is_long=True) is None
            time.sleep(0.05)

    with pytest.raises(UsageError, match=r"schema\.md cannot be read"):
        asked()
    kept.close()
