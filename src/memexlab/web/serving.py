"""`memex serve`: the pages and the API of one lab, on the loopback, until Ctrl-C."""

from __future__ import annotations

import gc
import logging
import os
import secrets
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from ..ledger import OutsideError


def serve(root: Path, port: int, tell: Callable[[str], None]) -> None:
    """Serves until it is stopped; `tell` hears the address to open. Port 0 takes any free one."""
    import uvicorn

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            """Gives up what is made for those who wait; a traceback for each of them would tell nobody anything."""
            app.state.labs.end()
            logging.getLogger("uvicorn.error").disabled = True
            await super().shutdown(sockets)

    from .app import application

    token = _token(root)
    # Without the protocol named, asyncio leaves Nagle on, and the second write of an answer waits 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        listening.close()
        raise OutsideError(f"port {port} cannot be used: {error.strerror}", hint="memex serve --port 0") from error
    listening.listen(128)
    # A thread that has read a row waits this long for one that computes: with the default 5 ms, and some 40 rows to a
    # write, a write beside one long report took half a second.
    sys.setswitchinterval(0.0005)
    # What stands now stays, and a report makes ten thousands of objects at once: a seventh of its time was collecting.
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    tell(f"open http://127.0.0.1:{listening.getsockname()[1]}/open?token={token}")
    app = application(root, token)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_keep_alive=15,
        h11_max_incomplete_event_size=65_536, timeout_graceful_shutdown=2, server_header=False, date_header=False,
        proxy_headers=False, http="h11",  # the other parser bounds no headers
    )  # fmt: skip
    try:
        Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        if threading.active_count() > 1:
            # A thread that computes cannot be told to end. What it would have landed is lost as with any kill: whole
            # entries stand, and `memex sync` mends the wiki.
            tell("stopped")
            os._exit(130)
        raise


def _token(root: Path) -> str:
    """The secret of this lab's server, made once and readable by its owner alone."""
    path = root / ".memex" / "serve.token"
    if path.exists():
        return path.read_text(encoding="ascii").strip()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    token = secrets.token_urlsafe(24)
    path.write_text(token, encoding="ascii")
    return token
