"""Many readers and writers at one server: `python bench/web_load.py [--seconds 60] [--smoke]`.

40 readers and 10 writers ask a real `memex serve` on a lab of 10,000 runs, each as fast as it is answered with a pause
of a quarter of a second. A write is `POST /api/log`, and every one that was acknowledged is looked for in the ledger
afterwards. Writes bench/results/web.md.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from research_memory import planted

READERS, WRITERS, PAUSE_SECONDS = 40, 10, 0.25
PAGES = ("/", "/runs", "/runs?where=status+%3D+'keep'", "/runs/500", "/graph", "/graph?at=depth",
         "/search?json=1&q=dep", "/ask?q=how+many+runs+crashed%3F", "/wiki",
         "/api/sql?query=select+count(*)+from+runs")  # fmt: skip


class Load:
    """What the clients saw: seconds by what was asked, errors, and the writes that were acknowledged."""

    def __init__(self, port: int, token: str, until: float) -> None:
        self.port, self.token, self.until = port, token, until
        self.took: dict[str, list[float]] = {}
        self.errors: list[str] = []
        self.landed: list[str] = []
        self._lock = threading.Lock()

    def ask(self, connection: http.client.HTTPConnection, name: str, path: str, body: bytes | None = None) -> bool:
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        begun, status, text = time.monotonic(), 0, ""
        try:
            connection.request("POST" if body else "GET", path, body, headers)
            answer = connection.getresponse()
            status, text = answer.status, answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            text = repr(error)
            connection.close()
        with self._lock:
            self.took.setdefault(name, []).append(time.monotonic() - begun)
            if status != 200:
                self.errors.append(f"{path}: {status} {text[:120]}")
        return status == 200

    def read(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while time.monotonic() < self.until:
            path = PAGES[number % len(PAGES)]
            self.ask(connection, path, path)
            number += 1
            time.sleep(PAUSE_SECONDS)

    def write(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        count = 0
        while time.monotonic() < self.until:
            count += 1
            said = f"load {number} {count}"
            body = {"metric": "val_bpb=0.5", "description": said, "status": "discard", "campaign": "c"}
            if self.ask(connection, "write", "/api/log", json.dumps(body).encode()):
                with self._lock:
                    self.landed.append(said)
            time.sleep(PAUSE_SECONDS)


def quantiles(seconds: list[float]) -> tuple[int, float, float]:
    ordered = sorted(seconds)
    return (
        len(ordered),
        1000 * ordered[len(ordered) // 2],
        1000 * ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)],
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--smoke", action="store_true", help="ten seconds")
    options = parser.parse_args()
    seconds = 10.0 if options.smoke else options.seconds
    root = Path(tempfile.mkdtemp())
    planted(root / ".memex", options.runs)
    (root / "memex.toml").write_text('[lab]\nname = "load"\n')
    log = root / "serve.log"
    with log.open("w") as told:
        command = [sys.executable, "-m", "memexlab", "--lab", str(root), "serve", "--port", "0"]
        server = subprocess.Popen(command, stdout=told, stderr=told)
    while (found := re.search(r":(\d+)/open\?token=(\S+)\n", log.read_text())) is None:
        if server.poll() is not None:
            sys.exit(log.read_text())
        time.sleep(0.05)
    try:
        load_before = os.getloadavg()[0]
        warm = Load(int(found[1]), found[2], 0)
        connection = http.client.HTTPConnection("127.0.0.1", warm.port, timeout=120)
        for path in PAGES:
            warm.ask(connection, path, path)
        load = Load(int(found[1]), found[2], time.monotonic() + seconds)
        clients = [threading.Thread(target=load.read, args=(n,)) for n in range(READERS)]
        clients += [threading.Thread(target=load.write, args=(n,)) for n in range(WRITERS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
    finally:
        server.terminate()
        server.wait(60)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    from memexlab.memory import Memory

    kept = {row[0] for row in Memory(root / ".memex").db.execute("SELECT description FROM runs")}
    lost = [said for said in load.landed if said not in kept]
    locked = sum("locked" in error for error in load.errors) + log.read_text().count("locked")
    reads = [one for name, all_of in load.took.items() if name != "write" for one in all_of]
    lines = ["| asked | times | p50 ms | p99 ms | alone, warm ms |", "|---|---:|---:|---:|---:|"]
    for name, all_of in [("all reads", reads), ("writes", load.took.get("write", [])), *sorted(load.took.items())]:
        if all_of and name != "write":
            count, middle, tail = quantiles(all_of)
            alone = f"{1000 * warm.took[name][-1]:,.0f}" if name in warm.took else ""
            lines.append(f"| {name} | {count:,} | {middle:,.0f} | {tail:,.0f} | {alone} |")
    facts = (
        f"{seconds:.0f} s, {options.runs:,} runs, {READERS} readers, {WRITERS} writers. Errors: {len(load.errors)}."
        f" Acknowledged writes: {len(load.landed)}, lost: {len(lost)}. 'locked': {locked}. Processor time of the"
        f" server: {used.ru_utime + used.ru_stime:.0f} s. Load of the machine before: {load_before:.1f} on"
        f" {os.cpu_count()} cores; clients and server share them."
    )
    told_all = "\n".join([facts, "", *lines, *(["", "First errors:", *load.errors[:5]] if load.errors else [])])
    print(told_all)
    where = Path(__file__).parent / "results" / "web.md"
    where.write_text(
        f"# The web page under load\n\n`python bench/web_load.py {' '.join(sys.argv[1:])}`\n\n{told_all}\n", "utf-8"
    )


if __name__ == "__main__":
    main()
