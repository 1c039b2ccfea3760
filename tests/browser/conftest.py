"""Real servers and a real browser. Without Debian's Chromium these tests are skipped, and say so."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from memexlab import Lab

from ..toy import make_toy

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page, Route

DATA = Path(__file__).parents[1] / "data"


@dataclass(frozen=True)
class Served:
    """A lab behind `memex serve`, in a process of its own."""

    root: Path
    address: str
    token: str
    process: subprocess.Popen[str]


def serve(root: Path) -> Served:
    command = [sys.executable, "-m", "memexlab", "--lab", str(root), "serve", "--port", "0"]
    # To a file and not to a pipe: a full pipe would stop the server.
    log = root.parent / "serve.log"
    with log.open("w") as told:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=told, text=True)
    while (found := re.search(r"(http://\S+)/open\?token=(\S+)\n", log.read_text())) is None:
        if process.poll() is not None:
            pytest.fail(f"memex serve did not start: {log.read_text()}")
        time.sleep(0.05)
    return Served(root, found[1], found[2], process)


def stop(served: Served) -> None:
    served.process.terminate()
    served.process.wait(120)


@dataclass
class Seen:
    """A page in a context of its own, and what it did that no page may do."""

    page: Page
    address: str
    scripts_run: list[str] = field(default_factory=list)
    off_origin: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.page.goto(self.address + path)

    def shot(self, name: str) -> None:
        """A picture to look at, where somebody wants them: MEMEX_SHOTS=folder pytest tests/browser."""
        if folder := os.environ.get("MEMEX_SHOTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png")

    def fine(self) -> None:
        assert (self.scripts_run, self.off_origin, self.errors) == ([], [], [])


Opener = Callable[..., Seen]


@pytest.fixture
def opener(browser: Browser) -> Iterator[Opener]:
    """Opens a lab in a fresh context, with the token unless told otherwise; whatever leaves the server is stopped."""
    contexts = []

    def opened(served: Served, *, token: bool = True, seconds: float = 60, **options: Any) -> Seen:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
        context.set_default_timeout(seconds * 1000)
        contexts.append(context)
        seen = Seen(context.new_page(), served.address)

        def watched(route: Route) -> None:
            if route.request.url.startswith((served.address, "data:", "blob:")):
                route.continue_()
            else:
                seen.off_origin.append(route.request.url)
                route.abort()

        context.route("**/*", watched)
        page = seen.page

        def noted(dialog: Dialog) -> None:
            seen.scripts_run.append(dialog.message)
            dialog.accept()

        page.on("dialog", noted)
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        if token:
            page.goto(f"{served.address}/open?token={served.token}")
        return seen

    yield opened
    for context in contexts:
        context.close()


def logged_lab(root: Path) -> Path:
    Lab.init(root, target="none")
    shutil.copytree(DATA / "wiki", root / "raw", dirs_exist_ok=True)
    lab = Lab(root)
    lab.ingest([root / "raw"])
    lab.import_(DATA / "logs" / "mar8.results.tsv", campaign="mar8")
    lab.close()
    return root


@pytest.fixture(scope="session")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The published log of 126 runs, and a wiki of six PEPs and three notes that contradict each other."""
    served = serve(logged_lab(tmp_path_factory.mktemp("logged") / "lab"))
    yield served
    stop(served)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A lab with a target that trains in a moment, in which nothing has run yet."""
    served = serve(make_toy(tmp_path_factory.mktemp("running") / "toy"))
    yield served
    stop(served)
