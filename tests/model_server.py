"""A real HTTP server on loopback that answers chat completions, and misbehaves as told, one answer a request."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: Writes one answer; what it does wrong is its name.
Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Takes the next answer of its server; the last one is given for ever."""

    server: ModelServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.asked = json.loads(self.rfile.read(length))
        self.server.asked.append(self.asked)
        self.server.keys.append(self.headers.get("Authorization", ""))
        answers = self.server.answers
        self.close_connection = True
        try:
            (answers.pop(0) if len(answers) > 1 else answers[0])(self)
        except (BrokenPipeError, ConnectionResetError):
            return  # the client had enough

    def head(self, status: int, kind: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Connection": "close", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def event(self, content: str = "", finish: str | None = None, **more: Any) -> None:
        choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
        self.raw(b"data: " + json.dumps({"choices": [choice], **more}).encode() + b"\r\n\r\n")

    def raw(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()

    def log_message(self, *args: Any) -> None:
        """Says nothing: the tests read what was asked from the server."""


class ModelServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answers: list[Answer]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = answers
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        #: Set when the test is over: what stalls stops stalling.
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


@contextmanager
def serving(*answers: Answer) -> Iterator[ModelServer]:
    server = ModelServer(list(answers))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def says(text: str, *, finish: str = "stop", tokens: tuple[Any, Any] = (11, 7), model: str = "m") -> Answer:
    """A well-formed stream, in pieces."""

    def answer(handler: Handler) -> None:
        handler.head(200, "text/event-stream; charset=utf-8")
        for start in range(0, len(text), 5):
            handler.event(text[start : start + 5], model=model)
        handler.event("", finish, model=model)
        usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]}
        handler.raw(b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\ndata: [DONE]\n\n")

    return answer


def refuses(status: int, text: str, **headers: str) -> Answer:
    def answer(handler: Handler) -> None:
        handler.head(status, "application/json", **headers)
        handler.raw(text.encode())

    return answer


def whole(body: bytes, kind: str = "application/json") -> Answer:
    """An answer in one piece, as a server sends that does not stream, or that is something else."""

    def answer(handler: Handler) -> None:
        handler.head(200, kind)
        handler.raw(body)

    return answer


def stalls_after(text: str) -> Answer:
    def answer(handler: Handler) -> None:
        handler.head(200, "text/event-stream")
        handler.event(text)
        handler.server.over.wait(30)

    return answer


def drips(handler: Handler) -> None:
    """One letter every 50 ms, for ever: never silent, never done."""
    handler.head(200, "text/event-stream")
    while not handler.server.over.wait(0.05):
        handler.event("x")


def breaks_off_after(text: str) -> Answer:
    def answer(handler: Handler) -> None:
        handler.head(200, "text/event-stream")
        handler.event(text)

    return answer


def fails_in_the_stream(handler: Handler) -> None:
    handler.head(200, "text/event-stream")
    handler.event("half")
    handler.raw(b'data: {"error": {"message": "out of memory"}}\n\n')


def floods(handler: Handler) -> None:
    handler.head(200, "text/event-stream")
    while not handler.server.over.is_set():
        handler.raw(b"data: " + b"x" * 100_000)


def hangs_up(handler: Handler) -> None:
    handler.connection.close()


def echoes_the_key(handler: Handler) -> None:
    handler.head(401, "application/json")
    key = handler.headers["Authorization"]
    handler.raw(json.dumps({"error": {"message": f"bad key, you sent {key}"}}).encode())


def knows_no(*words: str, then: Answer) -> Answer:
    """Refuses every request that holds one of these fields, naming it, and answers the others."""

    def answer(handler: Handler) -> None:
        known = [word for word in words if word in handler.asked]
        if known:
            handler.head(400, "application/json")
            handler.raw(json.dumps({"error": {"message": f"Unsupported parameter: {known[0]}"}}).encode())
        else:
            then(handler)

    return answer
