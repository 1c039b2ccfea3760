"""kill -9 at every system call of a landing, and every error the system may answer with: nothing acknowledged is lost.

strace sends the signal, or the error, at the k-th call of a kind. It attaches to a child that is already warm, so that
only the calls of the landing itself are counted.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from memexlab.ledger import Blobs, FileLedger, OutsideError, Ref, land, wire

from .ledger_worker import Acknowledged, Seen, check_whole, claim, fork, land_in, read, stored_claim

ROUNDS = 2
SEGMENT_LIMIT_BYTES = 900
#: A `?` lets strace pass over a name that this machine's architecture does not have.
KILL_AT = {
    "flock": "flock",
    "open": "?open,openat",
    "write": "write",
    "fsync": "fsync",
    "rename": "?rename,?renameat,?renameat2",
    "mkdir": "?mkdir,?mkdirat",
    "close": "close",
}
ERRORS = [
    ("write", "ENOSPC"), ("write", "EIO"), ("write", "EDQUOT"), ("write", "EINTR"),
    ("fsync", "EIO"), ("fsync", "ENOSPC"), ("flock", "ENOLCK"), pytest.param("open", "EMFILE", marks=pytest.mark.slow),
    ("rename", "EIO"), ("mkdir", "ENOSPC"),
]  # fmt: skip
_ANYONE = ctypes.c_ulong(2**64 - 1 if ctypes.sizeof(ctypes.c_ulong) == 8 else 2**32 - 1)
_PR_SET_PTRACER = 0x59616D61


#: How a child ends whose own words to the parent were refused; that is none of the ledger's.
UNHEARD = 9


def injected(calls: str, what: str, at: int) -> list[str]:
    return ["-e", f"inject={calls}:{what}:when={at}"]


@dataclass
class Outcome:
    """How one child ended: its exit code, what it was promised, what it was told, and the calls that strace wrote."""

    code: int
    acknowledged: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    @property
    def entries(self) -> list[str]:
        return [identity for identity in self.acknowledged if identity.startswith("e:")]


def traced(folder: Path, work_rounds: int, *options: str, log: Path) -> Outcome:
    """Runs the landing in a child under strace; ready, attached, go."""
    says = Acknowledged()
    ready, attached = os.pipe(), os.pipe()

    def work() -> None:
        if hasattr(ctypes.CDLL(None), "prctl"):
            ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYONE, 0, 0, 0)
        os.write(ready[1], b"x")
        os.read(attached[0], 1)
        try:
            land_and_say(folder, says, work_rounds)
        except OSError:
            os._exit(UNHEARD)

    pid = fork(work)
    os.read(ready[0], 1)
    tracer = subprocess.Popen(
        ["strace", "-y", "-s", "200", "-o", str(log), "-p", str(pid), *options], stderr=subprocess.PIPE, text=True
    )
    assert tracer.stderr is not None
    first = tracer.stderr.readline()
    os.write(attached[1], b"x")
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    rest = tracer.communicate()[1]
    for end in (*ready, *attached):
        os.close(end)
    lines = says.collect()
    says.close()
    assert "attached" in first, first + rest
    outcome = Outcome(code, calls=log.read_text(errors="replace").splitlines())
    for line in lines:
        word, _, text = line.partition(" ")
        {"ack": outcome.acknowledged, "told": outcome.told}[word].append(text)
    return outcome


def land_and_say(folder: Path, says: Acknowledged, rounds: int) -> None:
    """What a run does: a log is stored, two entries point to it; each promise is written down as it is given."""
    ledger = FileLedger(folder / "ledger", segment_limit_bytes=SEGMENT_LIMIT_BYTES)
    blobs, view = Blobs(folder / "blobs"), Seen(ledger)
    for number in range(rounds):
        try:
            blob = blobs.put(b"log %d" % number)
            says.say(f"ack {blob}")
            drafts = [claim(f"{number} {place} {'x' * 200}", (Ref("log", blob),)) for place in range(2)]
            landed = land(drafts, "code:test", ledger=ledger, blobs=blobs, view=view)
            for entry in landed:
                says.say(f"ack {entry.id}")
        except OutsideError as error:
            says.say("told " + str(error).replace("\n", " "))


@cache
def why_not() -> str:
    """Why calls cannot be traced here; empty if they can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(
        ["strace", "-o", "/dev/null", "-e", "inject=fsync:error=EIO:when=1", "true"], capture_output=True, text=True
    )
    return "" if tried.returncode == 0 else f"strace may not trace here: {tried.stderr.strip()[:200]}"


@pytest.fixture(autouse=True)
def _needs_strace() -> None:
    if why_not():
        print(f"\nSKIPPED crash points: {why_not()}")
        pytest.skip(why_not())


def fresh(folder: Path) -> list[str]:
    """No ledger at all yet."""
    folder.mkdir()
    return []


def used(folder: Path) -> list[str]:
    """A ledger with entries, and behind them a batch whose writer was killed; a blob that is there already."""
    entries = land_in(folder, claim("before"), claim("and before"))
    Blobs(folder / "blobs").put(b"log 0")
    with (folder / "ledger" / "0001.jsonl").open("ab") as file:
        file.write(wire.line(stored_claim("torn"), 2, 1) + wire.line(stored_claim("torn too"), 3)[:50])
    return [entry.id for entry in entries]


def check_after(folder: Path, before: list[str], outcome: Outcome) -> None:
    """All that was promised is there, and the next landing works and leaves nothing torn behind."""
    blobs = Blobs(folder / "blobs")
    for identity in outcome.acknowledged:
        if identity.startswith("b:"):
            blobs.get(identity)
    assert list(blobs.verify()) == []
    assert read(folder).errors == []
    landed = land_in(folder, claim("after"), claim("and after"))
    reading = check_whole(folder, [*before, *outcome.entries, *(entry.id for entry in landed)])
    places = [reading.ids.index(identity) for identity in outcome.entries]
    assert places == sorted(places)
    assert set(reading.batch_sizes) == {2}
    ledger = FileLedger(folder / "ledger")
    assert ledger.check_tail() == []
    ledger.close()


@pytest.mark.parametrize("lay", [fresh, pytest.param(used, marks=pytest.mark.slow)])
def test_a_kill_at_any_system_call_loses_nothing(tmp_path: Path, lay: object) -> None:
    points: Counter[str] = Counter()
    sealed = partial = 0
    for name, calls in KILL_AT.items():
        for at in range(1, 200):
            folder = tmp_path / f"{name}{at}"
            before = lay(folder) if callable(lay) else []
            options = ["-e", f"trace={calls}", *injected(calls, "signal=SIGKILL", at)]
            outcome = traced(folder, ROUNDS, *options, log=tmp_path / "log")
            check_after(folder, before, outcome)
            sealed += read(folder).torn
            shutil.rmtree(folder)
            if outcome.code == 0:
                assert len(outcome.entries) == 2 * ROUNDS
                break
            assert outcome.code == -signal.SIGKILL
            points[name] += 1
            partial += 0 < len(outcome.acknowledged) < 3 * ROUNDS
    kind = getattr(lay, "__name__", "")
    print(f"\ncrash points, {kind} ledger: {points.total()} kills, all survived: {dict(points)}")
    assert set(points) == set(KILL_AT) - ({"mkdir"} if points["mkdir"] == 0 else set())
    assert partial > 10
    if lay is used:
        assert sealed > 10


@pytest.mark.parametrize(("name", "error"), ERRORS)
def test_an_error_of_any_system_call_is_told_and_loses_nothing(tmp_path: Path, name: str, error: str) -> None:
    calls = KILL_AT[name]
    told = poisoned = injections = 0
    for at in range(1, 200):
        folder = tmp_path / str(at)
        before = used(folder)
        options = ["-e", f"trace={calls},write,fsync", *injected(calls, f"error={error}", at)]
        outcome = traced(folder, ROUNDS + 1, *options, log=tmp_path / "log")
        hits = [place for place, line in enumerate(outcome.calls) if "(INJECTED)" in line]
        unheard = any("<pipe:" in outcome.calls[place] for place in hits) and error != "EINTR"
        assert outcome.code == (UNHEARD if unheard else 0), outcome
        for message in outcome.told:
            assert "  hint: " in message, message
        check_after(folder, before, outcome)
        shutil.rmtree(folder)
        if not hits:
            assert len(outcome.entries) == 2 * (ROUNDS + 1)
            break
        injections += 1
        told += bool(outcome.told)
        if name == "fsync" and re.search(r"ledger(/\d+\.jsonl)?>", outcome.calls[hits[0]]):
            later = [line for line in outcome.calls[hits[0] :] if "write(" in line and '"ack e:' in line]
            assert later == [], "an entry was acknowledged after a failed fsync"
            assert outcome.told
            poisoned += 1
    print(f"\nerrors: {name} {error}: {injections} injected, {told} told, {poisoned} poisoned the handle, 0 lost")
    assert injections > 0
    assert told > 0 or error == "EINTR"
    if name == "fsync":
        assert poisoned > 0


def test_a_write_that_cannot_be_taken_back_is_sealed(tmp_path: Path) -> None:
    calls = 0
    for what in ("error=EIO", "signal=SIGKILL"):
        for at in range(1, 30):
            folder = tmp_path / f"{what}{at}"
            before = used(folder)
            options = ["-e", "trace=write,ftruncate", *injected("write", "error=ENOSPC", at)]
            outcome = traced(folder, ROUNDS, *options, *injected("ftruncate", what, 1), log=tmp_path / "log")
            check_after(folder, before, outcome)
            shutil.rmtree(folder)
            if not any("(INJECTED)" in line for line in outcome.calls):
                break
            calls += any("ftruncate(" in line for line in outcome.calls)
    print(f"\nftruncate: failed or never came in {calls} cases, nothing lost")
    assert calls >= 4


def test_every_promise_comes_after_its_fsync(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    fresh(folder)
    options = ["-e", "trace=write,fsync,?rename,?renameat,?renameat2,?open,openat"]
    outcome = traced(folder, 4, *options, log=tmp_path / "log")
    assert outcome.code == 0
    assert len(FileLedger(folder / "ledger").segments()) > 1
    unsynced: set[str] = set()
    promises = 0
    for line in outcome.calls:
        if re.search(r"\w+\(.*O_CREAT", line) and not line.startswith("fsync") and "/lock" not in line:
            path = Path(re.findall(r'"([^"]+)"', line)[0])
            unsynced.add(str(path.parent))
        elif line.startswith("rename"):
            unsynced.add(str(Path(re.findall(r'"([^"]+)"', line)[-1]).parent))
        elif match := re.match(r"write\(\d+<(/[^>]+)>", line):
            unsynced.add(match[1])
        elif match := re.match(r"fsync\(\d+<(/[^>]+)>\)\s+= 0", line):
            unsynced.discard(match[1])
        elif '"ack ' in line:
            promises += 1
            ours = {path for path in unsynced if path.startswith(str(folder))}
            assert ours == set(), line
    assert promises == 4 * 3
