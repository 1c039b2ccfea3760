"""`memex serve`: the pages and the API of one lab, on the loopback, until Ctrl-C."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from pathlib import Path

from ..ledger import OutsideError


def serve(root: Path, port: int, tell: Callable[[str], None]) -> None:
    """Serves until it is stopped; `tell` hears the address to open. Port 0 takes any free one."""
    import uvicorn

    from .app import application

    token = _token(root)
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        listening.close()
        raise OutsideError(f"port {port} cannot be used: {error.strerror}", hint="memex serve --port 0") from error
    listening.listen(128)
    tell(f"open http://127.0.0.1:{listening.getsockname()[1]}/open?token={token}")
    config = uvicorn.Config(
        application(root, token), log_level="warning", access_log=False, timeout_keep_alive=15,
        h11_max_incomplete_event_size=65_536, timeout_graceful_shutdown=2, server_header=False, date_header=False,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listening])


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
