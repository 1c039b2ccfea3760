"""A real server against what must not come in: foreign names, origins and forms, slow and oversized clients."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memexlab import Lab
from memexlab.api import LANDING
from memexlab.web.openapi import openapi

LOG = Path(__file__).parent / "data" / "logs" / "mar8.results.tsv"
#: Commands that train, wait for a loop or ask a model: here their arguments are checked elsewhere.
LONG = frozenset({"run", "try", "race", "council", "partner", "prompt", "score", "doctor", "rebuild", "export", "mcp"})
OPENAPI = openapi()["paths"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    root = tmp_path_factory.mktemp("served") / "lab"
    Lab.init(root, target="none")
    lab = Lab(root)
    lab.import_(LOG, campaign="mar8")
    lab.close()
    command = [sys.executable, "-m", "memexlab", "--lab", str(root), "serve", "--port", "0"]
    log = root.parent / "serve.log"  # a full pipe would stop the server
    with log.open("w") as told:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=told)
    while (found := re.search(r":(\d+)/open\?token=(\S+)\n", log.read_text())) is None:
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    yield int(found[1]), found[2]
    process.terminate()
    process.wait(120)
    assert "Traceback" not in log.read_text(), log.read_text()[-3000:]


def asked(
    port: int, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    given_headers = headers or {}
    connection.putrequest(method, path, skip_host="host" in given_headers)
    for name, value in given_headers.items():
        connection.putheader(name, value)
    if body:
        connection.putheader("content-length", str(len(body)))
    connection.endheaders(body or None)
    answer = connection.getresponse()
    text = answer.read().decode("utf-8", "replace")
    connection.close()
    return answer.status, text


def written(token: str, **more: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", "content-type": "application/json"} | more


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost:8765@evil.example", "", "127.0.0.1, evil.example",
     "2130706433", "0.0.0.0", "[::]"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/api/sql?query=select+1", "/events", "/static/page.js"])
def test_a_foreign_name_is_refused(server: tuple[int, str], host: str, path: str) -> None:
    assert asked(server[0], "GET", path, {"host": host})[0] in (400, 421)


@pytest.mark.parametrize(
    "origin",
    ["null", "http://evil.example", "http://localhost.evil.example", "http://127.0.0.1:9999",
     "https://127.0.0.1:8765", "file://"],
)  # fmt: skip
def test_a_foreign_origin_is_refused_with_the_token(server: tuple[int, str], origin: str) -> None:
    port, token = server
    body = b'{"run": "1", "why": "x", "campaign": "mar8"}'
    assert asked(port, "POST", "/api/retract", written(token, origin=origin), body)[0] == 403
    assert asked(port, "GET", "/api/sql?query=select+1", {"origin": origin})[0] == 403


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_form_can_send_is_refused_with_the_token(server: tuple[int, str], kind: str) -> None:
    port, token = server
    headers = written(token) | {"content-type": kind}
    assert asked(port, "POST", "/api/retract", headers, b'{"run": "1", "why": "x"}')[0] == 415


def test_no_reading_call_lands_entries_or_costs_money(server: tuple[int, str]) -> None:
    port, token = server
    for name, words in LANDING.items():
        for word in words:
            path = f"/api/{name}?" + urlencode({"question": "bridge", word: "true"})
            assert asked(port, "GET", path)[0] == 405
            assert asked(port, "GET", path, written(token))[0] == 405


def test_others_are_served_while_slow_clients_hold_half_a_request(server: tuple[int, str]) -> None:
    port, token = server
    with contextlib.ExitStack() as held:
        for i in range(40):
            slow = held.enter_context(socket.create_connection(("127.0.0.1", port)))
            half = f"POST /api/retract HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {token}\r\n"
            body = 'content-type: application/json\r\ncontent-length: 900\r\n\r\n{"run"' if i % 2 else "x-more: "
            slow.sendall((half + body).encode())
        for _ in range(5):
            assert asked(port, "GET", "/runs")[0] == 200


def test_oversized_bodies_are_cut_off(server: tuple[int, str]) -> None:
    port, token = server
    assert asked(port, "POST", "/api/retract", written(token) | {"content-length": "99999999999"})[0] == 413
    head = f"POST /api/retract HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {token}\r\n"
    head += "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    piece = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as endless:
        endless.sendall(head.encode())
        answer = b""
        with contextlib.suppress(ConnectionError):
            for _ in range(64):
                endless.sendall(piece)
            endless.sendall(b"0\r\n\r\n")
            answer = endless.recv(2000)
        assert not answer.startswith(b"HTTP/1.1 2")
        assert not answer.startswith(b"HTTP/1.1 500")
    head_alone = b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx: " + b"a" * 200_000
    with socket.create_connection(("127.0.0.1", port), timeout=30) as long, contextlib.suppress(ConnectionError):
        long.sendall(head_alone)
        assert not long.recv(2000).startswith(b"HTTP/1.1 2")
    assert asked(port, "GET", "/")[0] == 200


@pytest.mark.slow
def test_schemathesis_finds_no_server_error(server: tuple[int, str]) -> None:
    """It may stand in an environment of its own: SCHEMATHESIS=elsewhere/bin/schemathesis pytest -m slow."""
    program = os.environ.get("SCHEMATHESIS") or shutil.which("schemathesis")
    if program is None:
        pytest.skip("schemathesis is not installed: pip install schemathesis")
    port, token = server
    words = [program, "run", f"http://127.0.0.1:{port}/api/openapi.json", "-H", f"Authorization: Bearer {token}"]
    words += ["--checks", "not_a_server_error", "--phases", "examples,coverage,fuzzing", "--max-examples", "10"]
    left_out = [*(f"/api/{name}" for name in sorted(LONG - {"mcp"})), "/events", "/ask/worded"]
    words += [word for path in left_out for word in ("--exclude-path", path)]
    done = subprocess.run([*words, "--no-color"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]


_TEXT = st.one_of(
    st.text(max_size=60),
    st.sampled_from(["", "0", "-1", "1", "38", "mar8", "run:mar8/7", "depth", "lr=0.1", "2026-01-01", "@0", "../../etc",
                     "1..", "9" * 20, "select 1", "\x00", "١٢", "9" * 30, "e:" + "0" * 32, "%", "(", "["]),
)  # fmt: skip
_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=4,
)


@pytest.mark.slow
def test_nonsense_is_never_a_server_error(server: tuple[int, str]) -> None:
    port, token = server
    served = sorted(
        (path, method) for path, methods in OPENAPI.items() for method in methods
        if path.removeprefix("/api/") not in LONG | {"/events", "/ask/worded", "/sources/upload"}
    )  # fmt: skip

    @settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def nonsense(data: st.DataObject) -> None:
        path, method = data.draw(st.sampled_from(served))
        told = OPENAPI[path][method]
        path = re.sub(r"\{\w+\}", lambda _: quote(data.draw(_TEXT).encode("utf-8", "replace"), safe=""), path)
        if method == "get":
            names = [parameter["name"] for parameter in told["parameters"]] + ["nothing"]
            query = data.draw(st.dictionaries(st.sampled_from(names), _TEXT, max_size=4))
            status, text = asked(port, "GET", f"{path}?{urlencode(query, errors='replace')}")
        else:
            schema = told["requestBody"]["content"]["application/json"]["schema"]
            names = [*schema["properties"], "nothing"]
            body = data.draw(st.dictionaries(st.sampled_from(names), _ANY, max_size=4) | _ANY)
            raw = json.dumps(body).encode("utf-8", "replace")
            status, text = asked(port, "POST", path, written(token), raw or b"{}")
        assert status in (200, 307, 400, 401, 404, 405, 409, 413, 503), (path, status, text[:300])

    nonsense()


@pytest.mark.slow
def test_nonsense_in_the_address_of_a_page_is_never_a_server_error(server: tuple[int, str]) -> None:
    port, _ = server
    pages = ["/", "/runs", "/runs/compare", "/effects", "/report", "/sources", "/ask", "/graph", "/search", "/wiki"]
    words = [
        "q",
        "at",
        "to",
        "until",
        "from",
        "kind",
        "campaign",
        "where",
        "sort",
        "down",
        "runs",
        "as_of",
        "knob",
        "day",
    ]

    @settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(pages), st.dictionaries(st.sampled_from(words), _TEXT, max_size=4))
    def nonsense(path: str, query: dict[str, str]) -> None:
        answer = client.get(f"{path}?{urlencode(query, errors='replace')}")
        assert answer.url.host == "127.0.0.1", (path, query, str(answer.url))
        assert answer.status_code in (200, 400, 404, 409), (path, query, answer.status_code, answer.text[:300])

    with httpx.Client(base_url=f"http://127.0.0.1:{port}", follow_redirects=True, timeout=30) as client:
        nonsense()
