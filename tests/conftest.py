"""Tests reach nothing but this machine: a connection elsewhere fails at once and says so."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import shutil
import signal
import socket
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

#: The same examples each time, as long as they take: a commit passes or fails alike everywhere, on a slow machine too.
#: Other ones: --hypothesis-profile=default
settings.register_profile("same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
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
def _whoever_runs_them() -> Iterator[None]:
    """Whoever runs the tests, from whatever hook, with whatever git that signs each commit: it is nobody to them."""
    patch = pytest.MonkeyPatch()
    for name in ("MEMEX_BY", "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        patch.delenv(name, raising=False)
    patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    yield
    patch.undo()


@pytest.fixture(autouse=True, scope="session")
def _control_c_is_heard() -> Iterator[None]:
    """A script gives its background jobs, and so all that they start, a SIGINT that is ignored."""
    before = signal.getsignal(signal.SIGINT)
    if before == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


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
    playwright.expect.set_options(timeout=30_000)  # as long as a slow machine takes; what comes is not waited for
    with playwright.sync_playwright() as running:
        made = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield made
        made.close()


def run_apart(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine returns, run in a thread of its own: this one may hold the event loop of the browser."""
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(asyncio.run, coroutine).result()
