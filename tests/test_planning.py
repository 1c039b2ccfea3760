"""What the loop measures next, on the toy target: a scripted proposer, the guard and the packets have their word."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from pathlib import Path

import pytest

from memexlab.api import Lab
from memexlab.commands.running import Options, prepared_night
from memexlab.lab.night import Limits
from memexlab.lab.planning import Event
from memexlab.lab.proposers import Brief, Prompt, Proposal
from memexlab.ledger import Scalar
from memexlab.memory import Memory
from memexlab.memory.knobs import set_knobs, settings

from .toy import make_toy

Idea = Mapping[str, Scalar]
LOSES: Idea = {"WIDTH": 16}
WINS: Idea = {"LEARNING_RATE": 0.002}


class Scripted:
    """Proposes what it was given, in order; an idea is made on whatever head there is."""

    name = "scripted"

    def __init__(self, *ideas: Idea) -> None:
        self.left = list(ideas)
        self.briefs: list[Brief] = []

    def propose(self, brief: Brief) -> Generator[Prompt, str, list[Proposal]]:
        yield from ()
        self.briefs.append(brief)
        taken, self.left = self.left[: brief.want], self.left[brief.want :]
        source = brief.files["train.py"]
        known = settings(source)
        return [
            Proposal(
                ", ".join(f"{name} {known[name]} -> {value}" for name, value in idea.items()),
                "",
                {"train.py": set_knobs(source, dict(idea))},
            )
            for idea in taken
        ]


def run_night(root: Path, proposer: Scripted, runs: int, guarded: bool = True) -> list[Event]:
    memory, events = Memory(root / ".memex"), list[Event]()
    try:
        with prepared_night(root, memory, events.append, Options(streams=1)) as night:
            night.planner.proposer, night.planner.guarded = proposer, guarded
            night.run(Limits(runs=runs))
    finally:
        memory.close()
    return events


def rows(root: Path, query: str) -> list[tuple[object, ...]]:
    memory = Memory(root / ".memex")
    try:
        return memory.db.execute(query).fetchall()
    finally:
        memory.close()


CANDIDATES = "SELECT description, status FROM runs WHERE role = 'candidate' ORDER BY number"


def test_a_repeated_failure_is_refused_recorded_and_costs_no_run(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    events = run_night(root, Scripted(LOSES, LOSES, {"MOMENTUM": 0.8}), runs=2)
    found = rows(root, CANDIDATES)
    assert found[:2] == [("WIDTH 32 -> 16", "discard"), ("WIDTH 32 -> 16", "blocked")]
    assert found[2][0] == "MOMENTUM 0.9 -> 0.8"
    assert len(found) == 3
    [(number, error, seconds)] = rows(root, "SELECT number, error, seconds FROM runs WHERE status = 'blocked'")
    assert str(error).startswith("Run 5 (discard) ran the same code to the byte")
    assert str(error).endswith("memex race 5 1 --pairs 4")
    assert seconds is None
    assert [event.status for event in events if event.number == number] == ["blocked"]


class Rewriter(Scripted):
    """Proposes whole texts of the file, each made from the text at the head."""

    def __init__(self, *texts: Callable[[str], str]) -> None:
        super().__init__()
        self.texts = list(texts)

    def propose(self, brief: Brief) -> Generator[Prompt, str, list[Proposal]]:
        yield from ()
        self.briefs.append(brief)
        texts, self.texts = self.texts[:1], self.texts[1:]
        return [Proposal(f"idea {len(self.briefs)}", "", {"train.py": text(brief.files["train.py"])}) for text in texts]


def calmer(source: str) -> str:
    return source.replace("bonus = 0.0", "bonus = 0.001")


def test_the_same_code_under_another_name_is_refused_and_says_how_to_measure_it_again(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    run_night(
        root,
        Rewriter(calmer, calmer, lambda source: calmer(source).replace("import json", "# why\nimport json")),
        runs=2,
    )
    refused = rows(root, "SELECT description, error FROM runs WHERE status = 'blocked' ORDER BY number")
    assert [row[0] for row in refused][:2] == ["idea 2", "idea 3"]
    assert "ran the same code to the byte" in str(refused[0][1])
    assert "ran the same code but for comments and layout" in str(refused[1][1])
    assert all("To measure it again: memex race 5 1 --pairs 4" in str(row[1]) for row in refused[:2])


def test_a_file_that_does_not_parse_costs_no_run(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    run_night(root, Rewriter(lambda source: source + "\nif True\n    pass\n", calmer), runs=1)
    [(_, error, seconds), measured] = rows(
        root, "SELECT number, error, seconds FROM runs WHERE role = 'candidate' ORDER BY number"
    )
    line = len((root / "train.py").read_text().splitlines()) + 2
    assert error == f"train.py is no Python: expected ':', at line {line}: 'if True'"
    assert seconds is None
    assert measured[2] is not None


@pytest.mark.slow
def test_without_the_guard_it_is_measured_again(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    run_night(root, Scripted(LOSES, LOSES), runs=2, guarded=False)
    assert rows(root, CANDIDATES) == [("WIDTH 32 -> 16", "discard"), ("WIDTH 32 -> 16", "discard")]


@pytest.mark.slow
def test_what_lost_is_measured_again_once_the_settings_that_matter_have_changed(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    run_night(root, Scripted(LOSES, WINS, LOSES), runs=3)
    assert [status for _, status in rows(root, CANDIDATES)] == ["discard", "keep", "discard"]


@pytest.mark.slow
def test_a_proposer_that_only_repeats_itself_ends_the_night(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    events = run_night(root, Scripted(LOSES, *[LOSES] * 9), runs=5)
    refused = rows(root, "SELECT count(*) FROM runs WHERE status = 'blocked'")
    assert refused == [(4,)]
    assert events[-1].kind in ("stop", "final")


@pytest.mark.slow
def test_a_near_miss_is_tried_on_the_new_champion_when_nothing_new_is_proposed(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab", noise=0.004)
    near: Idea = {"MOMENTUM": 0.8}  # does nothing; the noise of the seed that is its turn flatters it a little
    run_night(root, Scripted(LOSES, {"WIDTH": 8}, near, WINS), runs=5)
    found = rows(root, CANDIDATES)
    assert found[2] == ("MOMENTUM 0.9 -> 0.8", "inconclusive")
    assert found[3] == ("LEARNING_RATE 0.001 -> 0.002", "keep")
    assert found[4][0] == "MOMENTUM 0.9 -> 0.8, on top of run 8"


def test_every_judged_run_has_a_packet_that_says_why(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    run_night(root, Scripted(LOSES, WINS, {"MOMENTUM": 0.8}), runs=3)
    packets = rows(
        root,
        "SELECT r.number, json_extract(e.body, '$.object'), json_extract(e.body, '$.text') FROM entries e"
        " JOIN refs f ON f.seq = e.seq AND f.role = 'tests' JOIN runs r ON r.id = f.target WHERE e.kind = 'claim'"
        " ORDER BY e.seq",
    )
    said = {number: (action, why) for number, action, why in packets}
    assert len(said) == 3
    assert "promote" in {action for action, _ in said.values()}
    assert all(f"un {number}" in str(why) for number, (_, why) in said.items())
    before = len(rows(root, "SELECT 1 FROM entries"))
    run_night(root, Scripted(), runs=1)
    assert len(rows(root, "SELECT 1 FROM entries WHERE kind = 'claim'")) == len(packets)
    assert len(rows(root, "SELECT 1 FROM entries")) == before


@pytest.mark.slow
def test_a_proposer_is_offered_the_briefing(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    proposer = Scripted(LOSES, {"MOMENTUM": 0.8})
    run_night(root, proposer, runs=2)
    text = proposer.briefs[-1].briefing()
    assert "WIDTH 32 -> 16" in text
    assert "#5" in text


@pytest.mark.slow
def test_after_a_retraction_the_next_idea_is_built_on_what_still_stands(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    run_night(root, Scripted(WINS), runs=1)
    lab = Lab(root)
    [(champion,)] = lab.memory.db.execute("SELECT number FROM runs WHERE status = 'keep'")
    lab.retract(champion, why="it read the evaluator")
    lab.close()
    proposer = Scripted({"MOMENTUM": 0.8})
    run_night(root, proposer, runs=1)
    assert settings(proposer.briefs[0].files["train.py"])["LEARNING_RATE"] == 0.001
    Lab(root).reinstate(champion, why="it did not")
    again = Scripted({"MOMENTUM": 0.7})
    run_night(root, again, runs=1)
    assert settings(again.briefs[0].files["train.py"])["LEARNING_RATE"] == 0.002
