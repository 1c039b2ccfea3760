"""Tests reach nothing but this machine: a connection elsewhere fails at once and says so."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

#: The same examples each time: a commit passes or fails alike everywhere. Other ones: --hypothesis-profile=default
settings.register_profile("same", derandomize=True)
settings.load_profile("same")


class NetworkClosed(AssertionError):
    """A test tried to leave the machine."""


def _stays_here(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(name).split("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True, scope="session")
def _network_closed() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if not _stays_here(host):
            raise NetworkClosed(f"the tests may not look up {host!r}; use 127.0.0.1")
        return resolve(host, *args, **kwargs)

    for name in ("connect", "connect_ex", "sendto"):
        plain = getattr(socket.socket, name)

        def checked(self: socket.socket, *args: Any, plain: Any = plain, name: str = name) -> Any:
            inet = self.family in (socket.AF_INET, socket.AF_INET6)
            if inet and isinstance(args[-1], tuple) and not _stays_here(args[-1][0]):
                raise NetworkClosed(f"the tests may not {name} to {args[-1]}; use 127.0.0.1")
            return plain(self, *args)

        patch.setattr(socket.socket, name, checked)
    patch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield
    patch.undo()
