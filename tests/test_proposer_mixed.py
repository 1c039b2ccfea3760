"""The proposer `mixed`: money goes where the yield is, a plateau changes the mode, a dead model ends no night."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from memexlab.lab.proposers import Brief, Prompt, Proposal, Proposer, Tried
from memexlab.lab.proposers.knobs import KnobProposer
from memexlab.lab.proposers.mixed import PLATEAU_LOSSES, MixedProposer
from memexlab.lab.proposers.model import ModelProposer
from memexlab.ledger import OutsideError
from memexlab.memory import Memory
from memexlab.memory.changes.knobs import settings
from memexlab.models import Driver, ModelSettings, provider_from

from .model_server import refuses, serving

SOURCE = "RATE = 0.001\nWIDTH = 32\nDEPTH = 4\n"


class Endless:
    """Always has another idea, and writes down under which mode it was asked."""

    def __init__(self, name: str, *modes: str, fails: bool = False, most: int = 99) -> None:
        self.name, self.fails, self.most = name, fails, most
        self.asked: list[tuple[str, int]] = []
        self.made = 0
        if modes:
            self.modes = modes

    def propose(self, brief: Brief) -> Generator[Prompt, str, list[Proposal]]:
        yield from ()
        self.asked.append((brief.mode, brief.want))
        if self.fails:
            raise OutsideError(f"{self.name} is down", hint="start it")
        found = []
        for _ in range(min(brief.want, self.most)):
            self.made += 1
            found.append(Proposal(f"{self.name} {self.made}", "", {"train.py": f"{self.name} = {self.made}\n"}))
        return found


def brief(tried: Sequence[Tried] = (), want: int = 1, seed: int = 1) -> Brief:
    return Brief("c", {"train.py": SOURCE}, "lower", 0.01, tuple(tried), {}, want, seed)


def run(origin: str, status: str = "discard") -> Tried:
    return Tried({}, {}, 1.0, 1.0, status, origin=origin)


def proposals(proposer: Proposer, asked: Brief) -> list[Proposal]:
    generator = proposer.propose(asked)
    with pytest.raises(StopIteration) as stop:
        next(generator)
    found: list[Proposal] = stop.value.value
    return found


def night(arms: dict[str, float], runs: int, seed: int) -> Counter[str]:
    """How often each arm was tried, where every arm wins at its own steady pace (the n-th try of 1 in k wins)."""
    names = sorted({origin.partition("/")[0] for origin in arms})
    mixed = MixedProposer(
        [Endless(name, *(o.partition("/")[2] for o in arms if o.partition("/")[0] == name)) for name in names]
    )
    tried: list[Tried] = []
    owed: Counter[str] = Counter()
    for number in range(runs):
        [proposal] = proposals(mixed, brief(tried, seed=seed * 1000 + number))
        credit = owed[proposal.origin] + arms[proposal.origin]
        owed[proposal.origin] = credit - int(credit)
        tried.append(run(proposal.origin, "keep" if credit >= 1 else "discard"))
    return Counter(t.origin for t in tried)


def test_every_proposal_names_its_arm() -> None:
    found = proposals(MixedProposer([Endless("a"), Endless("b", "ablate")]), brief(want=6))
    assert len(found) == 6
    assert {proposal.origin for proposal in found} <= {"a/exploit", "a/explore", "b/ablate"}


def test_the_choice_is_the_same_for_the_same_brief_and_not_for_every_seed() -> None:
    def origins(seed: int) -> list[str]:
        mixed = MixedProposer([Endless("a"), Endless("b", "exploit", "combine", "ablate")])
        return [proposal.origin for proposal in proposals(mixed, brief(want=4, seed=seed))]

    assert all(origins(seed) == origins(seed) for seed in range(5))
    assert len({tuple(origins(seed)) for seed in range(20)}) > 5


def test_runs_go_where_the_yield_is() -> None:
    good = sum(
        night({"a/exploit": 0.4, "a/explore": 0.0, "b/exploit": 0.0, "b/ablate": 0.0}, 60, s)["a/exploit"]
        for s in range(8)
    )
    # By chance it would be a quarter.
    assert good / (8 * 60) > 0.55


def test_an_arm_that_dries_up_is_left() -> None:
    tried = [run("a/exploit", "keep")] * 12 + [run("a/exploit")] * PLATEAU_LOSSES
    mixed = MixedProposer([Endless("a"), Endless("b")])
    chosen = {proposals(mixed, brief(tried, seed=seed))[0].origin for seed in range(30)}
    assert chosen == {"a/explore"}
    assert mixed.notes == ["plateau: a/exploit lost 5 times in a row; another mode is tried"]


def test_after_the_last_mode_comes_another_proposer() -> None:
    tried = [run("a/exploit")] * PLATEAU_LOSSES + [run("a/explore")] * PLATEAU_LOSSES
    mixed = MixedProposer([Endless("a"), Endless("b")])
    chosen = {proposals(mixed, brief(tried, seed=seed))[0].origin for seed in range(30)}
    assert chosen == {"b/exploit", "b/explore"}
    assert mixed.notes == ["plateau: a/explore lost 5 times in a row; another proposer is tried"]


def test_where_all_have_lost_all_are_tried_again_and_it_is_said() -> None:
    tried = [run(origin) for origin in ("a/exploit", "a/explore") for _ in range(PLATEAU_LOSSES)]
    mixed = MixedProposer([Endless("a")])
    assert proposals(mixed, brief(tried))
    assert "every arm lost 5 times in a row" in mixed.notes[0]


def test_an_open_run_and_a_stranger_count_for_nothing() -> None:
    tried = [run("a/exploit", status) for status in ("started", "lost", "ok")] * 4 + [run("", "keep"), run("z/explore")]
    plain = [proposals(MixedProposer([Endless("a")]), brief(seed=seed))[0].origin for seed in range(20)]
    other = [proposals(MixedProposer([Endless("a")]), brief(tried, seed=seed))[0].origin for seed in range(20)]
    assert plain == other


def test_blocked_and_crashed_runs_are_losses() -> None:
    tried = [run("a/exploit", status) for status in ("blocked", "crash", "timeout", "discard", "inconclusive")]
    mixed = MixedProposer([Endless("a")])
    assert proposals(mixed, brief(tried))[0].origin == "a/explore"


def test_a_proposer_that_has_too_few_ideas_is_filled_up_from_others() -> None:
    for rich in ([Endless("a", most=0), Endless("c")], [Endless("c"), Endless("a", most=0)]):
        for seed in range(10):
            found = proposals(MixedProposer(rich), brief(want=2, seed=seed))
            assert [proposal.origin.partition("/")[0] for proposal in found] == ["c", "c"]


def test_a_dead_proposer_is_done_without_and_named_once() -> None:
    dead, alive = Endless("model", fails=True), Endless("knobs")
    mixed = MixedProposer([dead, alive])
    for seed in range(10):
        assert len(proposals(mixed, brief(want=2, seed=seed))) == 2
    assert mixed.notes == ["model failed and is done without: model is down"]
    assert len(dead.asked) <= 10


def test_where_all_are_dead_the_reason_is_raised() -> None:
    with pytest.raises(OutsideError, match="is down"):
        next(MixedProposer([Endless("a", fails=True), Endless("b", fails=True)]).propose(brief()))


def test_over_a_dead_endpoint_the_knobs_go_on(tmp_path: Path) -> None:
    memory = Memory(tmp_path / ".memex")
    with serving(refuses(500, "broken")) as server:
        told = ModelSettings("endpoint", name="m", base_url=server.url, retries=1)
        provider = provider_from(told)
        assert provider is not None
        asks = Driver(memory, provider, told, wait=lambda seconds: None)
        mixed = MixedProposer([ModelProposer(), KnobProposer()])
        for seed in range(6):
            [proposal] = asks.drive(mixed.propose(brief(seed=seed)), "propose")
            assert proposal.origin.startswith("knobs/")
        assert server.asked
    assert len(mixed.notes) == 1
    assert "answered 500: broken" in mixed.notes[0]
    memory.close()


def test_exploring_holds_the_knobs_that_were_turned() -> None:
    here = settings(SOURCE)
    tried = [Tried({**here, "WIDTH": 64}, here, 0.8, 1.0, "keep", origin="knobs/exploit")]
    mixed = MixedProposer([KnobProposer()])
    won = SOURCE.replace("32", "64")
    seen: dict[str, set[str]] = {}
    for seed in range(30):
        [proposal] = proposals(mixed, replace(brief(tried, seed=seed), files={"train.py": won}))
        seen.setdefault(proposal.origin, set()).add(proposal.description.split()[0])
    assert "WIDTH" in seen["knobs/exploit"]
    assert "WIDTH" not in seen["knobs/explore"]
