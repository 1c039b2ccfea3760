"""Cheats against the real measuring path: none gains, each ends as it must, nothing stays, nothing is seen or reached.

`python -m tests.test_cheats` prints the table of docs/integrity.md.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import chdir, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest

from memexlab.commands.run import Options
from memexlab.commands.try_edit import try_candidate
from memexlab.config import load
from memexlab.lab.evidence.outliers import too_good
from memexlab.lab.execution.campaign import locked_hash
from memexlab.lab.execution.checkouts import Checkouts
from memexlab.lab.execution.engine import Slots
from memexlab.lab.execution.measure import Measured, measure
from memexlab.lab.execution.sandbox import best_level
from memexlab.ledger import UsageError
from memexlab.memory import Memory

from .cheats import CHEATS, EVALUATE, HONEST_LOSS, PRELUDE, TOML, Cheat
from .test_night import night, sql
from .toy import make_toy

pytestmark = pytest.mark.slow


LEVEL = best_level()
walled = pytest.mark.skipif(
    LEVEL != "bwrap",
    reason=f"this machine offers no bubblewrap: runs reach the level {LEVEL!r} and their walls are untested",
)
GIT = ("-c", "user.name=t", "-c", "user.email=t@t")


@dataclass
class Arena:
    """A lab with an honest target, a home with a secret, and listeners that nobody may reach."""

    root: Path
    home: Path
    mark: str
    places: dict[str, str]
    reached: list[str] = field(default_factory=list)

    def run(self, cheat: Cheat) -> Measured:
        code = PRELUDE + cheat.code
        for name, value in self.places.items():
            code = code.replace(f"@{name}@", value)
        checkouts = Checkouts(self.root, self.root / ".memex" / "worktrees")
        contract = load(self.root).contract
        assert contract is not None
        if cheat.self_reported:
            contract = replace(contract, evaluate="", artifact="")
        limit = 2.5 if cheat.status == "timeout" else 30.0
        budget = replace(contract.budget, disk_mb=cheat.disk_mb, kill_after_seconds=limit)
        contract = replace(contract, budget=budget)
        commit = checkouts.commit(checkouts.head(), {"train.py": code}, cheat.name)
        locked = locked_hash(self.root, contract.lock)
        return measure(contract, locked, checkouts, Slots(cheat.slots), 0, commit, 1, 0)

    def state(self) -> str:
        """A hash of all that a run may not touch: the lab but for its checkouts and objects, and the home."""
        total = sha256()
        for top in (self.root, self.home):
            for path in sorted(top.rglob("*")):
                if path.is_file() and "worktrees" not in path.parts and "objects" not in path.parts:
                    total.update(f"{path}\0{sha256(path.read_bytes()).hexdigest()}\n".encode())
        return total.hexdigest()

    def still_running(self) -> list[str]:
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if self.mark.encode() in path.read_bytes() and int(path.parts[2]) != os.getpid():
                    found.append(path.parts[2])
            except OSError:
                continue  # ended meanwhile, or not ours
        return found


@contextmanager
def opened_arena(folder: Path) -> Iterator[Arena]:
    root, home = folder / "lab", folder / "home"
    (root / "data").mkdir(parents=True)
    (home / ".ssh").mkdir(parents=True)
    secret = f"canary-{uuid4().hex}"
    (home / ".ssh" / "id_rsa").write_text(secret)
    (root / "evaluate.py").write_text(EVALUATE)
    (root / "memex.toml").write_text(TOML)
    (root / "train.py").write_text(PRELUDE + "honest()\n")
    (root / "data" / "train.json").write_text(json.dumps([0.25, 0.5, 0.75]))
    (root / "data" / "val.json").write_text(json.dumps([0.75, 0.75, 0.75]))
    (root / ".gitignore").write_text("out/\n.memex/\nresults.tsv\n")
    for command in (["init", "-q"], ["add", "-A"], [*GIT, "commit", "-qm", "start"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    (root / "results.tsv").write_text("commit\n")
    (root / ".memex" / "ledger").mkdir(parents=True)
    (root / ".memex" / "ledger" / "0001.jsonl").write_text("{}\n")
    (root / ".memex" / "index.db").write_text("views")
    mark, abstract = f"mark-{uuid4().hex}", f"cheat-{uuid4().hex}"
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as tcp,
        closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as udp,
        closing(socket.socket(socket.AF_UNIX)) as hidden,
        closing(socket.socket(socket.AF_UNIX)) as named,
    ):
        udp.bind(("127.0.0.1", 0))
        hidden.bind(f"\0{abstract}")
        hidden.listen()
        with chdir(home):
            named.bind("socket")  # its whole path may be too long for a socket
        named.listen()
        places = {
            "LAB": str(root), "HOME": str(home), "PORT": str(tcp.getsockname()[1]), "UDP": str(udp.getsockname()[1]),
            "ABSTRACT": abstract, "HARNESS": str(os.getpid()),
        }  # fmt: skip
        arena = Arena(root, home, mark, places)
        for listener in (tcp, hidden, named):
            threading.Thread(target=_listen, args=(listener, arena.reached), daemon=True).start()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in (("HOME", str(home)), ("API_TOKEN", secret), ("CHEAT_MARK", mark)):
                patch.setenv(name, value)
            yield arena
        udp.setblocking(False)
        with suppress(BlockingIOError):  # nothing came
            arena.reached.append(f"datagram {udp.recv(100)!r}")
    assert arena.reached == []


def _listen(listener: socket.socket, reached: list[str]) -> None:
    try:
        while True:
            reached.append(str(listener.accept()[1]))
    except OSError:
        pass  # closed at the end of the test


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    with opened_arena(tmp_path_factory.mktemp("arena")) as opened:
        yield opened


def verdict_on(arena: Arena, cheat: Cheat) -> Measured:
    """Runs a cheat and checks all that every cheat must come to."""
    before = arena.state()
    secret = (arena.home / ".ssh" / "id_rsa").read_bytes()
    measured = arena.run(cheat)
    log = measured.log.decode(errors="replace")
    told = f"{cheat.name}: {measured.status}, {measured.error}\n{log[-2000:]}"
    assert measured.status == cheat.status, told
    assert cheat.why in measured.error + log, told
    assert measured.isolation == LEVEL
    if measured.status == "ok":
        assert measured.metrics["loss"] == HONEST_LOSS, told
    else:
        assert measured.metrics == {}, told
        assert measured.error, told
    assert secret not in measured.log, told
    if measured.artifact is not None and measured.artifact.is_file():
        assert secret not in measured.artifact.read_bytes(), told
    assert arena.state() == before, told
    assert not [p for p in ("/etc/cheat", "/usr/cheat", "/cheat") if os.path.exists(p)]
    assert not (arena.home / "hooked").exists(), told
    assert arena.still_running() == [], told
    assert arena.reached == [], told
    return measured


@walled
@pytest.mark.parametrize("cheat", [pytest.param(c, id=c.name, marks=[pytest.mark.slow] * c.slow) for c in CHEATS])
def test_a_cheat_gains_nothing(arena: Arena, cheat: Cheat) -> None:
    if cheat.slots > len(os.sched_getaffinity(0)):
        pytest.skip(f"needs {cheat.slots} processors")
    verdict_on(arena, cheat)


def test_there_are_at_least_forty_and_names_tell_them_apart() -> None:
    assert len({cheat.name for cheat in CHEATS}) == len(CHEATS) >= 40


@walled
@pytest.mark.slow
def test_nothing_runs_on_after_a_hundred_runs(arena: Arena) -> None:
    [daemon] = [cheat for cheat in CHEATS if cheat.name == "train on in a daemon"]
    for _ in range(100):
        measured = arena.run(daemon)
        assert (measured.status, measured.metrics["loss"]) == ("ok", HONEST_LOSS)
    assert arena.still_running() == []


@pytest.mark.parametrize("level", ["process", "unsafe"])
def test_without_walls_the_evaluator_is_still_apart(arena: Arena, level: str) -> None:
    contract = load(arena.root).contract
    assert contract is not None
    checkouts = Checkouts(arena.root, arena.root / ".memex" / "worktrees")
    slots = Slots(1, unsafe=level == "unsafe", isolation=level)
    locked = locked_hash(arena.root, contract.lock)
    names = {"print a metric", "edit the evaluator", "shadow json by a file", "read the validation data",
             "link the artifact to the validation data", "train on in a daemon", "leave a .git of its own"}  # fmt: skip
    for cheat in (cheat for cheat in CHEATS if cheat.name in names):
        code = PRELUDE + cheat.code.replace("@HOME@", str(arena.home))
        commit = checkouts.commit(checkouts.head(), {"train.py": code}, cheat.name)
        measured = measure(contract, locked, checkouts, slots, 0, commit, 1, 0)
        assert (measured.status, measured.isolation) == (cheat.status, level), measured.error
        assert measured.metrics.get("loss", HONEST_LOSS) == HONEST_LOSS
        assert arena.still_running() == []
        assert not (arena.home / "hooked").exists()


CHANGED = "(LEARNING_RATE, WIDTH, MOMENTUM, ACTIVATION) != (0.001, 32, 0.9, 'gelu')"


@walled
@pytest.mark.slow
@pytest.mark.parametrize(
    ("extra", "status", "why"),
    [
        ("print('---'); print('loss: 0.0')", "discard", ""),
        ("open('json.py', 'w').write('print(\"loss: 0\"); raise SystemExit')", "discard", ""),
        ("open('evaluate.py', 'w').write('print(\"loss: 0\")')", "invalid", "locked"),
        ("os.mkdir('out'); os.symlink('/etc/passwd', 'out/state.json'); os._exit(0)", "invalid", "plain file"),
        ("time.sleep(60)", "timeout", "ended after"),
        ("__import__('socket').create_connection(('127.0.0.1', 9), 1)", "crash", "refused"),
    ],
)
def test_a_night_of_cheats_wins_nothing(tmp_path: Path, extra: str, status: str, why: str) -> None:
    honest = "rng.gauss = lambda a, b: 0.01\n    LEARNING_RATE, WIDTH, ACTIVATION, bonus = 0.001, 32, 'gelu', 0.0"
    kill_after = 6 if status == "timeout" else 60  # the baselines have to end in it, on a slow machine too
    root = make_toy(tmp_path / "lab", 0.002, f"if {CHANGED}:\n    {honest}\n    {extra}", kill_after=kill_after)
    night(root, runs=3)
    rows = sql(root, "SELECT status, value, error FROM runs WHERE role = 'candidate'")
    assert {row[0] for row in rows} == {status}
    assert all(why in str(error) for _, _, error in rows)
    assert sql(root, "SELECT count(*) FROM champions") == [(1,)]
    assert sql(root, "SELECT min(value) > 1.0 FROM runs WHERE value IS NOT NULL AND role <> 'final'") == [(1,)]


@pytest.mark.slow
@pytest.mark.parametrize("hides", ["", "bonus = time.time_ns() * 1e-30"])
def test_a_lucky_seed_written_into_the_code_is_never_confirmed(tmp_path: Path, hides: str) -> None:
    """With what hides it the artifacts differ, and what they measure does not."""
    lucky = "rng.gauss = lambda a, b: -0.05\n    LEARNING_RATE, WIDTH, ACTIVATION, bonus = 0.001, 32, 'gelu', 0.0"
    lucky += f"\n    {hides}"
    root = make_toy(tmp_path / "lab", 0.002, f"if {CHANGED}:\n    {lucky}")
    night(root, runs=1)
    memory = Memory(root / ".memex")
    try:
        alarms = too_good(memory.db, "toy")
    finally:
        memory.close()
    assert sql(root, "SELECT r.number, k.until FROM champions k JOIN runs r USING (run)") == [(1, None)]
    [(decision,)] = sql(root, "SELECT decision FROM verdicts")
    assert decision == "dropped"
    refused = sql(root, "SELECT error FROM runs WHERE role = 'pair' AND status = 'invalid'")
    assert refused
    assert all("it ignores its seed" in str(error) for (error,) in refused)
    if not hides:
        [seed] = [alarm for alarm in alarms if alarm.rule == "seed"]
        assert (seed.number, seed.sentence[-20:]) == (5, "it ignores its seed.")


def test_code_that_no_longer_reads_its_seed_is_not_run(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    text = (root / "train.py").read_text()
    (root / "train.py").write_text(text.replace('int(os.environ.get("MEMEX_SEED", "0"))', "7"))
    memory = Memory(root / ".memex")
    try:
        tried = try_candidate(root, memory, lambda event: None, "seed 7 is lucky", "", "human:t", Options(streams=2))
    finally:
        memory.close()
    assert (tried.status, tried.exit_code) == ("blocked", 1)
    assert "reads MEMEX_SEED" in tried.reason


@pytest.mark.slow
@pytest.mark.parametrize("peek", [False, True])
def test_microgpt_trains_without_its_validation_text(tmp_path: Path, peek: bool) -> None:
    root = tmp_path / "lab"
    shutil.copytree(Path(__file__).parents[1] / "targets" / "microgpt", root, ignore=shutil.ignore_patterns("out"))
    (root / ".gitignore").write_text(".memex/\nout/\n")
    if peek:
        text = (root / "train.py").read_text()
        assert 'prepare.text("train")' in text
        (root / "train.py").write_text(text.replace('prepare.text("train")', 'prepare.text("val")'))
    for command in (["init", "-q"], ["add", "-A"], [*GIT, "commit", "-qm", "start"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    contract = load(root).contract
    assert contract is not None
    contract = replace(contract, budget=replace(contract.budget, seconds=1))
    checkouts = Checkouts(root, root / ".memex" / "worktrees")
    locked = locked_hash(root, contract.lock)
    measured = measure(contract, locked, checkouts, Slots(1), 0, checkouts.head(), 1, 0)
    if peek:
        assert measured.status == "crash"
        assert "val.txt" in measured.error
    else:
        assert measured.status == "ok", measured.error
        assert 2 < measured.metrics["val_bpb"] < 8


def test_a_pattern_that_hides_nothing_is_said_at_once(arena: Arena) -> None:
    contract = load(arena.root).contract
    assert contract is not None
    checkouts = Checkouts(arena.root, arena.root / ".memex" / "worktrees")
    contract = replace(contract, hide=("data/valid*",))
    with pytest.raises(UsageError, match="hide names no file: 'data/valid"):
        measure(contract, locked_hash(arena.root, contract.lock), checkouts, Slots(1), 0, checkouts.head(), 1, 0)


def table() -> str:
    """The table of docs/integrity.md, measured now."""
    lines = ["| cheat | status | what the run says |", "|---|---|---|"]
    with TemporaryDirectory() as folder, opened_arena(Path(folder)) as arena:
        for cheat in CHEATS:
            measured = verdict_on(arena, cheat)
            reason = measured.error or f"loss {measured.metrics['loss']:g}, as an honest run"
            lines.append(f"| {cheat.name} | {measured.status} | {reason[:110].replace('|', '/')} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
