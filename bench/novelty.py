"""Does the novelty guard block repeats and never a winner? Replays logs; prints markdown tables.

    python bench/novelty.py [LOG ...] [--titles commits.tsv.gz] [--runs 10000]

Without logs it replays those in tests/data/logs. Beside ours stand the rules of MemoryLab, written again in
`contenders/memorylab_rules.py`; on the published log of 126 runs they must block 37 (exploit) and 52 (explore) of which
5 and 9 were kept, as the original does. A replay keeps the order of the log: somebody who had been told would have done
something else next, so read it as a test of the classifier. `--titles` counts repeats among many titles (a column named
`subject`). A file of commits (`subject` column, `experiment: expN ...` and reverts) is read as a log, a reverted
experiment as discarded; it has no metric, so its values stand only for kept or not.
"""

from __future__ import annotations

import argparse
import gzip
import random
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "contenders"))

import memorylab_rules
from repeats import repeats

from memexlab.lab.recording import import_log
from memexlab.ledger import Draft, Ref, Run, Source
from memexlab.memory import Memory
from memexlab.memory.changes.edits import Change, changes_in_text
from memexlab.memory.novelty.guard import MODES, Replayed, check, replay
from memexlab.memory.novelty.history import History

LOGS = Path(__file__).parent.parent / "tests" / "data" / "logs"
WORK = tempfile.TemporaryDirectory()
MEMORYLAB_ON_MAR8 = {"exploit": (37, 5), "explore": (52, 9)}


def imported(log: Path) -> Memory:
    memory = Memory(Path(tempfile.mkdtemp(dir=WORK.name)))
    data = log.read_bytes()
    import_log(
        memory, _from_commits(data) if b"\tsubject" in data[:200] else data, log.name, "code:bench", "c", None, None
    )
    return memory


def _from_commits(data: bytes) -> bytes:
    """Experiments among commits as a results.tsv: reverted ones are discarded, others kept."""
    runs: list[tuple[int, str, str]] = []  # number, commit, subject
    gone: set[int] = set()
    for line in data.decode().splitlines()[1:]:
        commit, *_, subject = line.split("\t")
        if found := re.match(r"experiment: exp(\d+)", subject):
            runs.append((int(found[1]), commit, subject))
        elif found := re.match(r'Revert "experiment: exp(\d+)', subject):
            gone.add(int(found[1]))
        elif found := re.match(r"revert: restore (?:exp(\d+)|baseline)", subject):
            gone |= {number for number, _, _ in runs if number > int(found[1] or 0)}
    lines = ["commit\tval_bpb\tmemory_gb\tstatus\tdescription", "first00\t2.0\t1\tkeep\tbaseline"]
    for place, (number, commit, subject) in enumerate(runs, 1):
        kept = number not in gone
        value = 1.9 - place / 1000 if kept else 2.0
        lines.append(f"{commit}\t{value:.6f}\t1\t{'keep' if kept else 'discard'}\t{subject}")
    return "\n".join([*lines, ""]).encode()


def replays(logs: list[Path]) -> Iterator[str]:
    yield "| log | runs | kept | mode | MemoryLab blocks | (kept) | ours blocks | (kept) | ours cautions | (kept) |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    calls: list[str] = []
    for log in logs:
        memory = imported(log)
        for mode in MODES:
            ours = replay(memory.db, "c", mode)
            theirs = memorylab_rules.replay([(run.description, run.status) for run in ours], mode)
            blocked = [run.status for run, (_, decision) in zip(ours, theirs, strict=True) if decision == "block"]
            if log.name.endswith("mar8.results.tsv") and mode in MEMORYLAB_ON_MAR8:
                assert (len(blocked), blocked.count("keep")) == MEMORYLAB_ON_MAR8[mode], (
                    "MemoryLab's rules have drifted"
                )
            cells = [log.name, len(ours), sum(run.status == "keep" for run in ours), mode]
            cells += [len(blocked), blocked.count("keep"), *_decided(ours, "block"), *_decided(ours, "caution")]
            yield f"| {' | '.join(map(str, cells))} |"
            if mode == "exploit":
                calls += ["", f"### {log.name}", "", f"Classes: {dict(Counter(run.guard.klass for run in ours))}", ""]
                calls += [_call(run) for run in ours if run.guard.klass not in ("novel", "incremental_followup")]
        memory.close()
    yield from calls


def _decided(runs: list[Replayed], decision: str) -> tuple[int, int]:
    found = [run for run in runs if run.guard.decision == decision]
    return len(found), sum(run.status == "keep" for run in found)


def _call(run: Replayed) -> str:
    text = re.sub(r"\s+", " ", run.description)[:90]
    return f"- {run.run} {run.status}, **{run.guard.decision}** {run.guard.klass}: {text}. {run.guard.reason[:300]}"


def titles(file: Path) -> Iterator[str]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        subject = next(lines).rstrip("\n").split("\t").index("subject")
        every = [line.rstrip("\n").split("\t")[subject] for line in lines]
    experiments = [title for title in every if re.match(r"exp#\d", title)]
    begun = time.process_time()
    found = repeats(experiments)
    seconds = time.process_time() - begun
    exact, near = found.exact / found.titles, found.near / found.titles
    yield f"\n{found.titles:,} titles: {found.exact:,} ({exact:.1%}) repeat word by word, {found.near:,} ({near:.1%})"
    yield f"more repeat its form; {seconds:.1f} s on one core. The commonest:\n"
    yield from (f"- {count:,} x {title}" for title, count in found.commonest[:5])


def speed(runs: int) -> Iterator[str]:
    yield "\n| one check, history read from the views each time | runs | p50 ms | p99 ms |\n|---|---|---|---|"
    for name, describe in (
        ("settings, one knob a run", None),
        ("descriptions, typed", _typed),
        ("descriptions, words", _words),
    ):
        memory = Memory(Path(tempfile.mkdtemp(dir=WORK.name)))
        settings = _fill(memory, runs, describe)
        rng = random.Random(1)
        taken = []
        for _ in range(200):
            text = describe(rng) if describe else ""
            made = changes_in_text(text) if describe else (_step(settings, rng)[1],)
            begun = time.perf_counter()
            history = History(memory.db, "c")
            check(made, text, history, history.settings(), "exploit")
            taken.append((time.perf_counter() - begun) * 1000)
        cold = taken.pop(0)
        p99 = statistics.quantiles(taken, n=100)[98]
        yield f"| {name} (first {cold:.0f} ms) | {runs:,} | {statistics.median(taken):.1f} | {p99:.1f} |"
        memory.close()


def _step(settings: dict[str, float], rng: random.Random) -> tuple[dict[str, float], Change]:
    knob = rng.choice(list(settings))
    new = round(settings[knob] * rng.choice((0.5, 0.8, 0.9, 1.1, 1.25, 2.0)), 6)
    return settings | {knob: new}, Change("", knob, settings[knob], new, "up" if new > settings[knob] else "down", None)


_PARTS = ("embedding", "matrix", "scalar", "value embedding", "unembedding", "head")
_NAMES = ("LR", "WD", "init std", "beta1", "beta2", "warmup")
_NOUNS = (
    "gate",
    "router",
    "mixer",
    "skip",
    "norm",
    "shift",
    "bias",
    "mask",
    "kernel",
    "window",
    "cache",
    "block",
    "token",
    "lane",
    "path",
    "stream",
)


def _typed(rng: random.Random) -> str:
    return f"{rng.choice(_PARTS)} {rng.choice(_NAMES)} {rng.randint(1, 99) / 100} to {rng.randint(1, 99) / 100}"


def _words(rng: random.Random) -> str:
    return (
        f"put a {rng.choice(_NOUNS)} {rng.choice(_NOUNS)} before each {rng.choice(_NOUNS)} of the {rng.choice(_NOUNS)}"
    )


def _fill(memory: Memory, runs: int, describe: Callable[[random.Random], str] | None) -> dict[str, float]:
    """A campaign in which one run in fifty is kept; its champion's settings."""
    rng = random.Random(0)
    meta = {"metric": "loss", "better": "lower", "origin": "import"}
    memory.land([Draft("campaign:c", Source("c", meta=meta))], "code:bench")
    settings = {f"knob_{letter}" if letter > "d" else f"{letter}_lr": 1.0 for letter in "abcdefghij"}
    first = Run("c", "keep", 1, "baseline", metrics={"loss": 9.0}, settings=settings if not describe else {})
    parent = memory.land([Draft("run:c/1", first)], "code:bench")[0]
    drafts = []
    for number in range(2, runs + 1):
        kept = number % 50 == 0
        tried = _step(settings, rng)[0] if not describe else {}
        run = Run(
            "c", "keep" if kept else "discard", number, "candidate", describe(rng) if describe else "",
            metrics={"loss": 9 - number / 1e4 if kept else 9.5}, settings=tried,
        )  # fmt: skip
        drafts.append(Draft(f"run:c/{number}", run, () if describe else (Ref("parent", parent.id),)))
        if kept or number == runs:
            landed = memory.land(drafts, "code:bench")
            drafts = []
            if kept and not describe:
                parent, settings = landed[-1], tried
    return settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="*", type=Path)
    parser.add_argument("--titles", type=Path)
    parser.add_argument("--runs", type=int, default=10_000)
    arguments = parser.parse_args()
    kept = ("mar8.results.tsv", "several-agents.results.tsv", "serving.results.tsv")
    for line in replays(arguments.logs or [LOGS / name for name in kept]):
        print(line)
    if arguments.titles:
        for line in titles(arguments.titles):
            print(line)
    for line in speed(arguments.runs):
        print(line, flush=True)


if __name__ == "__main__":
    main()
