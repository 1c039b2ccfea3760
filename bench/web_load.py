"""Many readers and writers at one server: `python bench/web_load.py [--seconds 60] [--smoke]`.

40 readers and 10 writers ask a real `memex serve` on a lab of 10,000 runs, each as fast as it is answered with a pause
of a quarter of a second; then, for a third of the time each, at stated rates of arrival, where a wait counts from the
moment at which the request was due. A write is `POST /api/log`, and every one that was acknowledged is looked for in
the ledger afterwards. The clients are one thread over plain sockets, so that they take little of the two cores.
Writes bench/results/web.md below what stands there in words.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import random
import re
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from research_memory import planted

READERS, WRITERS, PAUSE_SECONDS = 40, 10, 0.25
PAGES = ("/", "/runs", "/runs?where=status+%3D+'keep'", "/runs/500", "/graph", "/graph?at=depth",
         "/search?json=1&q=dep", "/ask?q=how+many+runs+crashed%3F", "/wiki",
         "/api/sql?query=select+count(*)+from+runs")  # fmt: skip
#: Requests a second of all clients together, beside the closed loop (None), and what each is in a person's terms.
RATES = {None: "each asks again 0.25 s after its answer", 25.0: "25 a second arrive: every client every 2 s",
         100.0: "100 a second arrive: every client every 0.5 s"}  # fmt: skip
_TICKS = os.sysconf("SC_CLK_TCK")


class Client:
    """One connection: it is due, it asks, it takes the answer apart by its length."""

    def __init__(self, number: int, port: int, packing: str) -> None:
        self.number, self.port, self.packing, self.asked, self.said = number, port, packing, 0, ""
        self.writes = number >= READERS
        self.path, self.due, self.busy = "", 0.0, False
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setblocking(False)

    def request(self, token: str) -> bytes:
        head = f"host: 127.0.0.1:{self.port}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n"
        self.asked, self.head, self.left, self.busy = self.asked + 1, b"", -1, True
        if not self.writes:
            self.path = PAGES[(self.number + self.asked) % len(PAGES)]
            return f"GET {self.path} HTTP/1.1\r\n{head}accept-encoding: {self.packing}\r\n\r\n".encode()
        self.path, self.said = "write", f"load {os.getpid()} {self.number} {time.monotonic_ns()}"
        run = {"metric": "val_bpb=0.5", "description": self.said, "status": "discard", "campaign": "c"}
        body = json.dumps(run)
        return f"POST /api/log HTTP/1.1\r\n{head}content-length: {len(body)}\r\n\r\n{body}".encode()

    def take(self, buffer: bytearray) -> bool:
        """Whether the answer has come whole."""
        count = self.socket.recv_into(buffer)
        if count == 0:
            raise ConnectionError("the server closed the connection")
        if self.left < 0:
            self.head += buffer[:count]
            if (end := self.head.find(b"\r\n\r\n")) < 0:
                return False
            length = re.search(rb"\r\ncontent-length: (\d+)\r\n", self.head[: end + 2])
            self.left = int(length[1]) + end + 4 - len(self.head) if length else 0
        else:
            self.left -= count
        return self.left <= 0


class Load:
    """What the clients saw: seconds by what was asked, errors, and the writes that were acknowledged."""

    def __init__(self, port: int, token: str, packing: str) -> None:
        self.port, self.token, self.packing = port, token, packing
        self.took: dict[str, list[float]] = {}
        self.errors: list[str] = []
        self.landed: list[str] = []
        self.client_seconds = 0.0

    def drive(self, seconds: float, rate: float | None) -> None:
        begun, used, dice = time.monotonic(), time.process_time(), random.Random(1)
        clients = [Client(n, self.port, self.packing) for n in range(READERS + WRITERS)]
        mean = len(clients) / rate if rate else PAUSE_SECONDS
        waiting, ready, buffer = [], selectors.DefaultSelector(), bytearray(1 << 18)
        for client in clients:
            client.due = begun + dice.random() * mean
            heapq.heappush(waiting, (client.due, client.number))
            ready.register(client.socket, selectors.EVENT_READ, client)
        busy = 0
        while busy or waiting:
            now = time.monotonic()
            while waiting and waiting[0][0] <= now:
                _, number = heapq.heappop(waiting)
                if now - begun < seconds:
                    busy += 1
                    clients[number].socket.sendall(clients[number].request(self.token))
            pause = max(0.0, waiting[0][0] - now) if waiting else 60.0
            for key, _ in ready.select(pause):
                client = key.data
                try:
                    if not client.take(buffer):
                        continue
                    status = client.head.split(b" ", 2)[1].decode()
                except OSError as error:
                    status = repr(error)
                    ready.unregister(client.socket)
                    client.socket.close()
                    client.socket = socket.create_connection(("127.0.0.1", self.port))
                    client.socket.setblocking(False)
                    ready.register(client.socket, selectors.EVENT_READ, client)
                    if not client.busy:
                        continue
                now, busy, client.busy = time.monotonic(), busy - 1, False
                self.took.setdefault(client.path, []).append(now - client.due)
                if status != "200":
                    self.errors.append(f"{client.path}: {status} {client.head[-120:]!r}")
                elif client.writes:
                    self.landed.append(client.said)
                client.due = client.due + dice.expovariate(1 / mean) if rate else now + PAUSE_SECONDS
                heapq.heappush(waiting, (client.due, client.number))
        for client in clients:
            client.socket.close()
        self.client_seconds = time.process_time() - used

    def alone(self) -> dict[str, float]:
        """Seconds of each page at a server that does nothing else, asked twice; the second counts."""
        client, buffer, took = Client(0, self.port, self.packing), bytearray(1 << 18), {}
        client.asked = -1
        for _ in range(2 * len(PAGES)):
            begun = time.monotonic()
            client.socket.setblocking(True)
            client.socket.sendall(client.request(self.token))
            while not client.take(buffer):
                pass
            took[client.path] = time.monotonic() - begun
        client.socket.close()
        return took


def quantiles(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    tail = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    return f"{len(ordered):,} | {1000 * ordered[len(ordered) // 2]:,.0f} | {1000 * tail:,.0f}"


def processor_seconds(pid: int) -> float:
    """Of the server, and of the process beside it that makes what takes long."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    beside = " ".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return (int(fields[11]) + int(fields[12])) / _TICKS + sum(processor_seconds(int(child)) for child in beside.split())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--smoke", action="store_true", help="ten seconds, and nothing written")
    parser.add_argument("--packing", default="identity", help="what the readers accept; a browser says gzip")
    options = parser.parse_args()
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
    lines, loads = [], []
    try:
        alone = Load(int(found[1]), found[2], options.packing).alone()
        for rate, words in RATES.items():
            seconds = 10.0 if options.smoke else options.seconds / (3 if rate else 1)
            load_before, used = os.getloadavg()[0], processor_seconds(server.pid)
            load = Load(int(found[1]), found[2], options.packing)
            load.drive(seconds, rate)
            used = processor_seconds(server.pid) - used
            loads.append(load)
            asked = sum(map(len, load.took.values()))
            reads = [one for name, took in load.took.items() if name != "write" for one in took]
            last = " |" if rate is None else ""
            lines += [
                f"**{words[0].upper()}{words[1:]}.** {seconds:.0f} s, {asked / seconds:.0f} answers a second, errors:"
                f" {len(load.errors)}. Processor time: server {1000 * used / asked:.1f} ms a request"
                f" ({used / seconds:.2f} of a core), clients {load.client_seconds / seconds:.2f} of a core. Load of the"
                f" machine before: {load_before:.1f} on {os.cpu_count()} cores.",
                "",
                "| asked | times | p50 ms | p99 ms |" + (last and " alone ms |"),
                "|---|---:|---:|---:|" + (last and "---:|"),
                f"| all reads | {quantiles(reads)} |{last}",
                f"| writes | {quantiles(load.took['write'])} |{last}",
            ]
            if rate is None:
                lines += [f"| {path} | {quantiles(load.took[path])} | {1000 * alone[path]:,.0f} |" for path in PAGES]
            lines.append("")
            print("\n".join(lines[-16 if rate is None else -7 :]), flush=True)
    finally:
        server.terminate()
        server.wait(60)
    from memexlab.memory import Memory

    kept = {row[0] for row in Memory(root / ".memex").db.execute("SELECT description FROM runs")}
    landed = [said for load in loads for said in load.landed]
    errors = [error for load in loads for error in load.errors]
    locked = sum("locked" in error for error in errors) + log.read_text().count("locked")
    lines.append(
        f"Over all: {options.runs:,} runs, {READERS} readers, {WRITERS} writers, errors: {len(errors)}, acknowledged"
        f" writes: {len(landed)}, lost: {sum(said not in kept for said in landed)}, 'locked': {locked}."
    )
    lines += ["", "First errors:", *errors[:5]] if errors else []
    print(lines[-1])
    if not options.smoke:
        where = Path(__file__).parent / "results" / "web.md"
        words = where.read_text("utf-8").partition("\n**")[0].rstrip()
        where.write_text(words + "\n\n" + "\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
