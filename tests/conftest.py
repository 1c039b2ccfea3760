"""Tests reach nothing but this machine: a connection elsewhere fails at once and says so."""

from __future__ import annotations

import asyncio
import ipaddress
import shutil
import socket
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

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


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One for all tests of a process: a second one beside it would find its event loop running, and fail."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install -e '.[dev]'"
    )
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    with playwright.sync_playwright() as running:
        made = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield made
        made.close()


def run_apart(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine returns, run in a thread of its own: this one may hold the event loop of the browser."""
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(asyncio.run, coroutine).result()
