"""What stands before every page: who may ask, who may write, and what a page may load.

The server is for one person on this machine. A request is answered only under a name of the loopback (DNS rebinding),
never for a page of another origin (CSRF), and a write needs the token of this server (another user of the machine).
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "memex"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
BODY_LIMIT_BYTES = 32_000_000

#: Nothing from elsewhere, no inline script; styles may stand in attributes of drawings that this server made.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_SENT = [(name.encode(), value.encode()) for name, value in {**_HEADERS, "cache-control": "no-store"}.items()]


class Guard:
    """Refuses what must not come in, and puts the headers on what goes out."""

    def __init__(self, app: ASGIApp, token: str, names: Iterable[str] = LOOPBACK) -> None:
        self.app, self.token, self.names = app, token, frozenset(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = self.refusal(scope["method"], headers)
        if refused is not None:
            await _refuse(send, *refused)
            return
        scope["memex_may_write"] = self.may_write(headers)
        await self.app(scope, _limited(receive), _with_headers(send))

    def refusal(self, method: str, headers: Headers) -> tuple[int, str] | None:
        """The status and the reason, or None for a request that may pass."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(f"//{hosts[0]}"):
            return 421, "this server answers only under localhost"
        origin = headers.get("origin")
        if origin is not None and not (self._is_ours(origin) and urlsplit(origin).netloc == hosts[0]):
            return 403, "a page of another origin may not ask"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and (
            method not in ("GET", "HEAD") or headers.get("sec-fetch-mode") != "navigate"
        ):
            return 403, "a page of another site may not ask"
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > BODY_LIMIT_BYTES:
            return 413, f"a body has at most {BODY_LIMIT_BYTES} bytes"
        if method in ("GET", "HEAD", "OPTIONS"):
            return None
        if not self.may_write(headers):
            return 401, "a write needs the token: open the address that `memex serve` printed"
        # A form can send text/plain and form data from anywhere; these types need the permission of this origin.
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in ("application/json", "application/octet-stream"):
            return 415, "send application/json"
        return None

    def _is_ours(self, address: str) -> bool:
        try:
            parts = urlsplit(address)
            parts.port  # noqa: B018  raises where it is no number
        except ValueError:
            return False
        name = parts.netloc.rpartition(":")[0] if parts.port is not None else parts.netloc
        return name.lower() in self.names and parts.username is None

    def may_write(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        candidates = [given] if scheme.lower() == "bearer" else []
        if COOKIE in (given_cookies := headers.get("cookie", "")):
            with suppress(CookieError):
                candidates += [cookie.value for name, cookie in SimpleCookie(given_cookies).items() if name == COOKIE]
        return any(hmac.compare_digest(candidate.encode(), self.token.encode()) for candidate in candidates)


def _limited(receive: Receive) -> Receive:
    """Counts what comes without a length, and cuts it off like a client that went away."""
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        return message if seen <= BODY_LIMIT_BYTES else {"type": "http.disconnect"}

    return limited


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [(name.lower(), value) for name, value in message.get("headers", ())]
            given = {name for name, _ in headers}
            message["headers"] = [*headers, *(item for item in _SENT if item[0] not in given)]
        await send(message)

    return sending


async def _refuse(send: Send, status: int, reason: str) -> None:
    body = json.dumps({"error": reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
