"""Live talk of a running loop: a progress display in a terminal, one line an event anywhere else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from ..lab.loop.campaign import Event

_BAR_CHARS = 24
_MARKS = {
    "confirmed": "★", "provisional": "+", "discard": "·", "dropped": "·", "inconclusive": "?",
}  # fmt: skip
_COLOURS = {
    "confirmed": "bold green", "provisional": "green", "inconclusive": "yellow", "dropped": "dim", "discard": "dim",
    "crash": "red", "timeout": "red", "invalid": "red", "lost": "red",
}  # fmt: skip


def line(event: Event) -> str:
    """One event as a line of plain text; '' for what only a display shows."""
    value = f"{event.value:.6g}" if event.value is not None else event.status
    if event.kind == "measured":
        return f"  run {event.number:<4} {value:<10} {event.text}"
    if event.kind == "verdict":
        return f"{_MARKS.get(event.status, ' ')} run {event.number:<4} {event.text}"
    if event.kind == "final":
        return f"  {event.text}: {value}"
    return "" if event.kind in ("started", "proposed") else event.text


@contextmanager
def listener(out: TextIO) -> Iterator[Callable[[Event], None]]:
    """What to tell events to, while it lasts."""
    if not out.isatty():

        def plain(event: Event) -> None:
            text = line(event)
            if text:
                print(text, file=out, flush=True)

        yield plain
        return
    with _display(out) as tell:
        yield tell


@contextmanager
def _display(out: TextIO) -> Iterator[Callable[[Event], None]]:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(file=out)
    running: dict[int, tuple[Event, float]] = {}
    told = {"progress": "", "champion": ""}
    begun = time.monotonic()

    class Now:
        """Redrawn several times a second: what runs now, for how long of its time, and who is champion."""

        def __rich__(self) -> Text:
            text = Text(no_wrap=True, overflow="ellipsis")
            for number, (event, since) in sorted(running.items()):
                seconds = time.monotonic() - since
                full = min(1.0, seconds / event.seconds) if event.seconds else 0.0
                text.append(f"  run {number:<4} ", "bold")
                text.append("━" * round(full * _BAR_CHARS), "cyan")
                text.append("━" * (_BAR_CHARS - round(full * _BAR_CHARS)), "bright_black")
                text.append(f" {seconds:5.1f} s  {event.text}\n")
            passed = time.strftime("%H:%M:%S", time.gmtime(time.monotonic() - begun))
            text.append(f"  {passed}  {told['progress']}", "bold")
            text.append(f"  {told['champion']}", "green")
            return text

    with Live(Now(), console=console, refresh_per_second=4, transient=True) as live:

        def tell(event: Event) -> None:
            if event.kind == "started":
                running[event.number] = (event, time.monotonic())
            elif event.kind in ("measured", "lost"):
                running.pop(event.number, None)
            elif event.kind == "proposed":
                told["progress"] = event.text
            if event.status == "confirmed":
                told["champion"] = f"champion: run {event.number}, {event.text}"
            text = line(event)
            if text:
                live.console.print(Text(text, _COLOURS.get(event.status, "")), soft_wrap=True)

        yield tell


@contextmanager
def counter(out: TextIO, what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar in a terminal, fed with (done, total); silent anywhere else, and in a server's threads."""
    if not out.isatty() or threading.current_thread() is not threading.main_thread():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(file=out), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)
