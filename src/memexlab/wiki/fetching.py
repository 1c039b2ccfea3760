"""Fetches a page that the person named, from the public network alone: never from this machine or the one beside it.

Every name is resolved here, every address it has must be public, and the connection goes to the address that was looked
at, so that a name cannot point elsewhere a moment later (server-side request forgery, DNS rebinding). Redirects pass
the same gate. Nothing is fetched unless `[network] allow = true` stands in memex.toml.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from ..ledger import OutsideError, UsageError

LIMIT_BYTES = 20_000_000
SECONDS = 30.0
_REDIRECTS = 5
_PORTS = {"http": 80, "https": 443}
Resolve = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came: the address it came from in the end, its media type and its bytes."""

    address: str
    media: str
    data: bytes


def addresses_of(name: str) -> list[str]:
    """Every address of a name, as the system resolves it."""
    try:
        return sorted({str(found[4][0]) for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)})
    except (OSError, UnicodeError) as error:
        raise OutsideError(f"{name} has no address: {error}", retryable=True, hint=f"getent hosts {name}") from error


def public_address(url: str, resolve: Resolve = addresses_of) -> tuple[str, str, int, str]:
    """(scheme, host, port, address to connect to); raises UsageError for what is not on the public network."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise UsageError(f"{url[:100]!r} is no address", "https://example.org/page") from error
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme not in _PORTS or not host or parts.username is not None or any(c in url for c in "\\\r\n\t "):
        raise UsageError(f"{url[:100]!r} is no web address that may be fetched", "https://example.org/page")
    if port is not None and port != _PORTS[parts.scheme]:
        raise UsageError(f"{host}:{port} is not the port of {parts.scheme}", f"{parts.scheme}://{host}/")
    found = resolve(host)
    for address in found:
        if not _is_public(address):
            raise UsageError(f"{host} is {address}, which is not on the public network", "save the page by hand")
    if not found:
        raise OutsideError(f"{host} has no address", retryable=True, hint=f"getent hosts {host}")
    return parts.scheme, host, _PORTS[parts.scheme], found[0]


def _is_public(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        inner = inner or (ipaddress.IPv4Address(int(found) & 0xFFFFFFFF) if found in _NAT64 else None)
        if inner is not None:
            return _is_public(str(inner))
    return found.is_global and not found.is_multicast


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def fetch(url: str, resolve: Resolve = addresses_of) -> Fetched:
    """The page at an address; raises UsageError for an address that is not public, OutsideError where it fails."""
    deadline = time.monotonic() + SECONDS
    for _ in range(_REDIRECTS + 1):
        scheme, host, port, address = public_address(url, resolve)
        connection = _connection(scheme, host, port, address)
        try:
            parts = urlsplit(url)
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", path, headers={"User-Agent": "memexlab", "Accept": "text/html,*/*;q=0.5"})
            answer = connection.getresponse()
            if answer.status in (301, 302, 303, 307, 308) and (target := answer.getheader("Location")):
                url = urljoin(url, target)
                continue
            if answer.status != 200:
                raise OutsideError(f"{url} answered {answer.status} {answer.reason}", retryable=answer.status >= 500)
            data = bytearray()
            while part := answer.read(65_536):
                data += part
                if len(data) > LIMIT_BYTES or time.monotonic() > deadline:
                    raise OutsideError(f"{url} is over {LIMIT_BYTES:,} bytes or {SECONDS:g} s", hint="save it by hand")
            media = (answer.getheader("Content-Type") or "").partition(";")[0].strip().lower()
            return Fetched(url, media, bytes(data))
        except (OSError, http.client.HTTPException) as error:
            raise OutsideError(f"{url} cannot be fetched: {error}", retryable=True, hint="save it by hand") from error
        finally:
            connection.close()
    raise OutsideError(f"{url} sends from one address to the next, {_REDIRECTS} times over", hint="save it by hand")


def _connection(scheme: str, host: str, port: int, address: str) -> http.client.HTTPConnection:
    """A connection whose socket goes to `address`, while name and certificate stay those of `host`."""

    def connect(*_: object) -> socket.socket:
        return socket.create_connection((address, port), timeout=10)

    if scheme == "https":
        made: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, port, timeout=10, context=ssl.create_default_context()
        )
    else:
        made = http.client.HTTPConnection(host, port, timeout=10)
    made._create_connection = connect  # type: ignore[attr-defined]
    return made
