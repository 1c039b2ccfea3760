"""What every page costs: `python bench/web_pages.py [LAB] [--runs 10000] [--notes 10000]`.

It makes a lab of as many runs and notes, which takes half of its time; a copy of LAB is taken instead where one is
named, and gets the runs where it has none. A page is asked within this process, so that its processor time is its own:
the first time, the middle of five, and the first after a run has landed; its size is what a browser gets, packed. What
is made in the process beside is told apart. Then a real server: from the command to the last byte of the first page,
and its processor time until then. Writes bench/results/web_pages.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from research_memory import planted
from web_load import processor_seconds

from memexlab.api import Lab
from memexlab.commands.eval_wiki import planted as notes_of
from memexlab.commands.eval_wiki import write_lab
from memexlab.web import page_cache as resting
from memexlab.web.app import application
from memexlab.web.labs import Labs
from memexlab.web.rendering import PLACES

MORE = ("/runs?group=knob", "/runs?sort=value&down=0", "/runs?where=status+%3D+'keep'", "/runs/500", "/runs/500/log",
        "/runs/compare?runs=10,500,9000", "/runs/lineage", "/effects?knob=depth", "/graph?at=depth", "/search?q=depth",
        "/search?json=1&q=dep", "/ask?q=how+many+runs+crashed%3F", "/wiki-lint", "/wiki-review",
        "/api/sql?query=select+count(*)+from+runs", "/static/page.css", "/static/page.js")  # fmt: skip
AIM_BYTES, AIM_MS = 300_000, 100


def made(ready: Path | None, runs: int, notes: int, folder: Path) -> Path:
    root = folder / "lab"
    if ready:
        shutil.copytree(ready, root)
    else:
        write_lab(root, dict(list(notes_of(7, int(notes / 1.6) + 50)[0].items())[:notes]))
    (root / ".memex" / "looked.db").unlink(missing_ok=True)  # the first check of a wiki is the longest
    lab = Lab(root)
    if not lab.memory.db.execute("SELECT 1 FROM runs LIMIT 1").fetchone():
        planted(root / ".memex", runs).close()
    if ready:
        lab.sync()  # what a version before kept of the wiki is made anew
    else:
        lab.ingest([root / "raw"])
    lab.close()
    return root


async def ask(app: Any, path: str, body: bytes = b"") -> tuple[int, int, float]:
    """Status, bytes and processor seconds of one request."""
    place, _, query = path.partition("?")
    sent: list[Any] = []

    came = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not came:
            await asyncio.Event().wait()  # the browser stays
        return came.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"127.0.0.1:80"), (b"accept-encoding", b"gzip"), (b"content-type", b"application/json"),
               (b"authorization", b"Bearer t")]  # fmt: skip
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST" if body else "GET",
        "path": unquote(place), "raw_path": place.encode(), "query_string": query.encode(), "root_path": "",
        "scheme": "http", "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {},
    }  # fmt: skip
    begun = time.process_time()
    await app(scope, receive, send)
    return sent[0]["status"], sum(len(m.get("body", b"")) for m in sent), time.process_time() - begun


async def pages(root: Path) -> list[str]:
    resting._FEW_A_SECOND = 1 << 30  # each page is made when it is asked for
    app = application(root, "t")
    labs: Labs = app.state.labs

    def beside() -> float:
        return processor_seconds(process.pid) if (process := labs._apart.process) else 0.0

    async def settled() -> None:
        while any(not coming.done() for coming in labs._under_way.values()):
            await asyncio.sleep(0.02)

    lab = Lab(root)
    subjects = sorted(path.stem for path in (root / "wiki").glob("*.md"))[1000:1001]
    [source] = lab.memory.db.execute("SELECT max(entry) FROM documents").fetchone()
    lab.close()
    paths = [*(path for path, _, _ in PLACES), *MORE, *(f"/wiki/{quote(name)}" for name in subjects)]
    paths += [f"/sources/{source}"] if source else []
    rows = []
    async with app.router.lifespan_context(app):
        for n, path in enumerate(paths):
            used = beside()
            _, _, first = await ask(app, path)
            await settled()
            used = beside() - used
            status, size, _ = await ask(app, path)
            await settled()
            warm = statistics.median([(await ask(app, path))[2] for _ in range(5)])
            run = {"metric": "val_bpb=0.5", "description": f"page {n}", "status": "discard", "campaign": "c"}
            await ask(app, "/api/log", json.dumps(run).encode())
            after = (await ask(app, path))[2]
            await settled()
            missed = [*(["size"] * (size > AIM_BYTES)), *(["time"] * (1000 * max(warm, after) > AIM_MS))]
            told = " and ".join(missed) + " MISSED" if missed else "met"
            rows.append(
                f"| {path} | {status} | {size / 1000:,.1f} | {1000 * first:,.0f} | {1000 * warm:,.0f} |"
                f" {1000 * after:,.0f} | {1000 * used:,.0f} | {told} |"
            )
            print(rows[-1], flush=True)
    return rows


def cold(root: Path) -> tuple[float, float]:
    """Seconds, and processor seconds of the server, from the command to the last byte of the first page."""
    log = root / "serve.log"
    with log.open("w") as told:
        begun = time.monotonic()
        command = [sys.executable, "-m", "memexlab", "--lab", str(root), "serve", "--port", "0"]
        server = subprocess.Popen(command, stdout=told, stderr=told)
        try:
            while (found := re.search(r"(http\S+:\d+)/open", log.read_text())) is None:
                if server.poll() is not None:
                    sys.exit(log.read_text())
                time.sleep(0.01)
            with urllib.request.urlopen(found[1] + "/") as answer:
                answer.read()
            return time.monotonic() - begun, processor_seconds(server.pid)
        finally:
            server.terminate()
            server.wait(60)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("lab", type=Path, nargs="?")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--notes", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = made(options.lab, options.runs, options.notes, Path(folder))
        starts = [cold(root) for _ in range(3)]
        load = os.getloadavg()[0]
        rows = asyncio.run(pages(root))
        lab = Lab(root)
        [runs], [notes] = (
            lab.memory.db.execute(f"SELECT count(*) FROM {name}").fetchone() for name in ("runs", "documents")
        )
        lab.close()
    first, used = min(starts), min(used for _, used in starts)
    text = (
        f"# What every page costs\n\n`python bench/web_pages.py`\n\nA lab of {runs:,} runs and {notes:,} notes. Aim:"
        f" below {AIM_BYTES // 1000} kB packed and {AIM_MS} ms, warm and after a run has landed. Processor time of the"
        f" server; load of the machine: {load:.1f} on {os.cpu_count()} cores. 'first' is with what the page imports,"
        " and not in the aim."
        " 'beside' is what the process beside used for the first answer: for a check of the wiki nobody waits for it,"
        " the page says what is known and that it is being checked.\n\nFrom `memex serve` to the last byte of the"
        f" first page: {first[0]:.1f} s, the best of three; the server used {used:.1f} s of processor time.\n\n| page"
        " | status | kB packed | first ms | warm ms | after a write ms | beside ms | aim |\n"
        "|---|---:|---:|---:|---:|---:|---:|---|\n"
    )
    (Path(__file__).parent / "results" / "web_pages.md").write_text(text + "\n".join(rows) + "\n", "utf-8")
    print(text)


if __name__ == "__main__":
    main()
