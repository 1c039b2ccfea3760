"""Streams: places and devices, one claim on one change, one champion for all, and what they cost each other."""

from __future__ import annotations

import threading
from collections.abc import Generator
from itertools import pairwise
from pathlib import Path

import pytest

from memexlab.commands.run import Options, prepared_night, run_night
from memexlab.lab.evidence.board import Board
from memexlab.lab.evidence.briefing import briefing
from memexlab.lab.execution.streams import Desk, Interference, Streams, change_key, claimed_by, steps_a_second
from memexlab.lab.loop.campaign import Event
from memexlab.lab.loop.night import Limits
from memexlab.lab.loop.steering import Steering, Word
from memexlab.lab.proposers import Brief, Prompt, Proposal
from memexlab.memory import Memory
from memexlab.memory.changes.knobs import set_knobs
from memexlab.memory.retraction import retract

from .toy import make_toy

pytestmark = pytest.mark.slow


def rows(root: Path, query: str) -> list[tuple[object, ...]]:
    memory = Memory(root / ".memex")
    try:
        return memory.db.execute(query).fetchall()
    finally:
        memory.close()


def test_three_streams_find_what_one_finds_and_all_is_judged(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    memory = Memory(root / ".memex")
    outcome = run_night(root, memory, lambda event: None, 9, None, Options(streams=3))
    memory.close()
    assert outcome.candidates == 9
    found = rows(root, "SELECT status, verdict FROM runs WHERE role = 'candidate'")
    assert len(found) == 9
    assert all(verdict for _, verdict in found)
    assert rows(root, "SELECT count(*) >= 2 FROM champions") == [(1,)]
    assert rows(root, "SELECT count(*) FROM runs WHERE status = 'started'") == [(0,)]
    # Numbers stay a sequence, and the champions follow each other in it.
    assert rows(root, "SELECT count(DISTINCT number) = max(number) FROM runs") == [(1,)]
    since = [row[0] for row in rows(root, "SELECT since FROM champions ORDER BY since")]
    assert since == sorted(set(since))
    changes = rows(root, "SELECT json_extract(body, '$.meta.change') FROM entries WHERE subject IN (SELECT 'run:' || "
                         "campaign || '/' || number FROM runs WHERE role = 'candidate') AND "
                         "json_extract(body, '$.status') = 'started'")  # fmt: skip
    assert all(changes)


def test_every_pair_is_measured_side_by_side_against_the_champion_it_names(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    memory = Memory(root / ".memex")
    run_night(root, memory, lambda event: None, 8, None, Options(streams=3))
    memory.close()
    pairs = rows(root, "SELECT seed, count(*), count(DISTINCT commit_id) FROM runs WHERE role = 'pair' GROUP BY seed")
    assert pairs
    assert all(row[1:] == (2, 2) for row in pairs)


def test_an_approval_is_not_lost_between_two_streams_and_a_no_holds_for_the_campaign(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    steering, asked, over = Steering(root / ".memex"), list[str](), threading.Event()

    def person() -> None:
        """Says no to the first patch and yes to all others, each once it was seen."""
        while not over.wait(0.02):
            for patch in steering.queue():
                word = Word(bool(asked) and patch.id != asked[0], "human:ada", "" if asked else "too risky")
                asked.append(patch.id)
                steering.say(patch, word)

    def night(runs: int) -> None:
        memory = Memory(root / ".memex")
        run_night(root, memory, lambda event: None, runs, 0.5, Options(streams=2, approve=True))
        memory.close()

    talk = threading.Thread(target=person)
    talk.start()
    night(5)
    night(2)  # another call, on another champion
    over.set()
    talk.join()
    status = "SELECT count(*) FROM runs WHERE role = 'candidate' AND status"
    assert rows(root, f"{status} = 'blocked'") == [(1,)]
    assert rows(root, f"{status} <> 'blocked'") == [(7,)]
    assert rows(root, "SELECT count(*) > 1 FROM champions") == [(1,)]
    assert asked.count(asked[0]) == 1
    memory = Memory(root / ".memex")
    brief = briefing(memory.db, "toy", 1500).text
    assert "## Refused by a person" in brief
    assert ": rejected by human:ada: too risky [#" in brief
    board = Board(memory, "toy", "lower")
    [no] = board.rejected()
    retract(memory, "toy", no[0], "it is safe after all", "human:ada")
    assert board.rejected() == []
    assert no[0] not in {tried.number for tried in board.tried()}
    memory.close()


class Stubborn:
    """Always proposes the same, and both streams ask it before either has started anything."""

    name = "stubborn"

    def __init__(self, streams: int) -> None:
        self.meet = threading.Barrier(streams)
        self.asked = 0

    def propose(self, brief: Brief) -> Generator[Prompt, str, list[Proposal]]:
        self.asked += 1
        if self.asked <= self.meet.parties:
            yield Prompt("ready?")
        text = set_knobs(brief.files["train.py"], {"WIDTH": 16})
        return [Proposal("WIDTH 32 -> 16", "", {"train.py": text})]


def test_of_two_streams_with_one_idea_one_has_the_claim(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab", seconds=0.3)
    memory, events = Memory(root / ".memex"), list[Event]()
    proposer = Stubborn(2)
    with prepared_night(root, memory, events.append, Options(streams=2)) as night:

        def drive(generator: Generator[Prompt, str, list[Proposal]]) -> list[Proposal]:
            with night.desk.away():
                try:
                    next(generator)
                    proposer.meet.wait(120)
                    generator.send("yes")
                except StopIteration as stop:
                    found: list[Proposal] = stop.value
                    return found
            raise AssertionError("it asks once")

        night.planner.proposer, night.planner.drive, night.planner.guarded = proposer, drive, False
        night.run(Limits(runs=2))
    memory.close()
    told = [event.text for event in events if event.kind == "notice"]
    assert any("has this change already: WIDTH 32 -> 16" in text for text in told)
    spans = rows(
        root,
        "SELECT r.number, (SELECT seq FROM entries s WHERE s.subject = 'run:toy/' || r.number AND"
        " json_extract(s.body, '$.status') = 'started'), r.run FROM runs r WHERE r.role = 'candidate'"
        " ORDER BY r.number",
    )
    # Never two at once: the second began only after the first had ended.
    assert all(later[1] > earlier[2] for earlier, later in pairwise(spans))


def test_a_claim_is_by_the_change_wherever_it_is_made(tmp_path: Path) -> None:
    one = b"--- a/t\n+++ b/t\n@@ -1,3 +1,3 @@\n A = 1\n-B = 2\n+B = 3\n"
    same = b"--- a/t\n+++ b/t\n@@ -7,3 +9,3 @@\n C = 1\n-B = 2\n+B = 3  \n"
    other = b"--- a/t\n+++ b/t\n@@ -1,3 +1,3 @@\n A = 1\n-B = 3\n+B = 2\n"
    assert change_key(one) == change_key(same) != change_key(other)
    memory = Memory(make_toy(tmp_path / "lab") / ".memex")
    assert claimed_by(memory, "toy", change_key(one), 0) is None
    memory.close()


def test_whoever_wants_two_places_gets_them_together_and_in_turn() -> None:
    streams, desk = Streams(2), Desk()
    log: list[str] = []
    first_has_it, go_on = threading.Event(), threading.Event()

    def single() -> None:
        with desk, streams.taken(1, desk):
            first_has_it.set()
            with desk.away():
                go_on.wait(120)
            log.append("single")

    def pair() -> None:
        with desk, streams.taken(2, desk) as places:
            log.append(f"pair {places}")

    threads = [threading.Thread(target=single)]
    threads[0].start()
    first_has_it.wait(120)
    threads += [threading.Thread(target=pair)]
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(120)
    assert log == ["single", "pair [0, 1]"]


def test_each_stream_has_its_device(tmp_path: Path) -> None:
    shows = 'print("DEVICE", os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get("MEMEX_DEVICE"))'
    root = make_toy(tmp_path / "lab", extra=shows)
    memory = Memory(root / ".memex")
    run_night(root, memory, lambda event: None, 1, None, Options(devices=("3", "5")))
    logs = [
        memory.blobs.get(row[0]).decode()
        for row in memory.db.execute("SELECT f.target FROM refs f JOIN runs r ON r.run = f.seq WHERE f.role = 'log'")
    ]
    memory.close()
    seen = {line for log in logs for line in log.splitlines() if line.startswith("DEVICE")}
    assert seen == {"DEVICE 3 3", "DEVICE 5 5"}


def test_a_champion_crowned_meanwhile_is_not_what_a_candidate_is_judged_against(tmp_path: Path) -> None:
    """Two wins on one parent: the second is carried over to the first, however the streams interleave."""
    root = make_toy(tmp_path / "lab", noise=0.001)
    memory = Memory(root / ".memex")
    with prepared_night(root, memory, lambda event: None, Options(streams=3)) as night:
        night.run(Limits(runs=3))
        first = night.board.carried()
        night.run(Limits(runs=4))
        assert not {run.id for run in first} & {run.id for run in night.board.carried()}
    memory.close()
    assert rows(root, "SELECT count(*) > 0 FROM verdicts WHERE json_extract(numbers, '$.carry') = 1") == [(1,)]
    assert rows(root, "SELECT count(*) > 0 FROM runs WHERE description LIKE '%, on top of run %'") == [(1,)]
    # Nobody was made champion by pairs against a champion that was gone by then.
    against = "SELECT count(*) FROM verdicts v JOIN champions c ON c.run = v.run WHERE v.decision = 'confirmed'"
    late = " AND v.champion <> (SELECT p.run FROM champions p WHERE p.until = c.since AND p.campaign = c.campaign)"
    assert rows(root, against + late) == [(0,)]


def test_what_streams_cost_each_other_is_measured_against_a_lone_run(tmp_path: Path) -> None:
    slower = 'print("---")\nprint("training_seconds:", 1.0 if os.environ.get("MEMEX_SEED") == "1" else 2.0)'
    root = make_toy(tmp_path / "lab", extra=slower)
    memory = Memory(root / ".memex")
    outcome = run_night(root, memory, lambda event: None, 1, None, Options(streams=2))
    memory.close()
    assert outcome.interference == "2 streams: a run makes 50 steps a second, alone 100 (50% fewer)."
    assert str(outcome).startswith("2 streams: ")
    [(text, count)] = rows(root, "SELECT json_extract(body, '$.text'), count(*) FROM entries WHERE key = 'alone:toy'")
    assert (text, count) == ("alone, a run makes 100 steps a second", 1)


def test_speed_is_read_from_what_a_run_prints() -> None:
    assert steps_a_second({"num_steps": 50, "training_seconds": 5}, 9) == 10
    assert steps_a_second({"steps": 90}, 9) == 10
    assert steps_a_second({"loss": 1.0}, 9) is None
    assert Interference(100, 93, 3).loss > 0.05 > Interference(100, 97, 3).loss
