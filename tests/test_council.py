"""A council whose shuffles and exclusions are true, and whose minority is heard."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from memexlab.api import Lab
from memexlab.cli import main
from memexlab.commands.council import Counsel
from memexlab.ledger import OutsideError
from memexlab.models import Prompt
from memexlab.wiki.council import Council, Seat, deliberate, shuffled_for

EVIDENCE = {str(n): f"The bridge number{n} is {100 + n} metres high and old." for n in range(1, 6)}
SEATS = [Seat(name, f"You are {name}.") for name in ("ada", "ben", "cleo", "dan", "eve")]


class Hall:
    """Seats that say one sentence each and rank as they are told; keeps every prompt by seat."""

    def __init__(self, favourite: str = "1") -> None:
        self.asked: dict[str, list[Prompt]] = {seat.name: [] for seat in SEATS}
        self.favourite = favourite

    def __call__(self, seat: Seat, prompt: Prompt, purpose: str) -> str:
        self.asked[seat.name].append(prompt)
        own = str([one.name for one in SEATS].index(seat.name) + 1)
        if purpose == "council answer":
            return json.dumps({"sentences": [{"text": f"The bridge is {100 + int(own)} metres high.", "cites": [own]}]})
        order = shown(prompt)
        best = sorted(order, key=lambda letter: (order[letter] != self.favourite, order[letter]))
        return json.dumps({"ranking": best})


def shown(prompt: Prompt) -> dict[str, str]:
    """The seat number behind each letter, by what the answer says."""
    return dict(re.findall(r"(?m)^([A-Z]):\n<<< DATA \w+\nThe bridge is 10(\d) metres high", prompt.text))


def held(hall: Hall, seed: int = 3, seats: list[Seat] = SEATS) -> Council:
    return deliberate("How high is the bridge?", EVIDENCE, seats, hall, seed)


def test_no_seat_sees_its_own_answer_a_name_or_another_seat_s_order() -> None:
    hall = Hall()
    held(hall)
    orders = []
    for number, seat in enumerate(SEATS, 1):
        first, ranking = hall.asked[seat.name]
        assert "Answers by others" not in first.text
        seen = shown(ranking)
        assert sorted(seen.values()) == sorted({"1", "2", "3", "4", "5"} - {str(number)})
        for other in SEATS:
            assert other.name not in ranking.text
            assert (other.lens in ranking.system) == (other is seat)
        orders.append([seen[letter] for letter in sorted(seen)])
    assert any([one for one in a if one in b] != [one for one in b if one in a] for a in orders for b in orders)
    assert any(order != sorted(order) for order in orders)


def test_the_order_is_the_seed_s_and_every_place_is_taken_by_everybody_over_many_seeds() -> None:
    names = [seat.name for seat in SEATS]
    assert shuffled_for("ada", names, 3) == shuffled_for("ada", reversed(names), 3)
    firsts = dict.fromkeys(names, 0)
    for seed in range(2_000):
        order = shuffled_for("ada", names, seed)
        assert sorted(order) == names
        firsts[order[0]] += 1
    assert all(320 < count < 480 for count in firsts.values()), firsts
    assert len({tuple(shuffled_for(name, names, 3)) for name in names}) > 1


def test_the_votes_are_those_of_the_others_and_the_minority_is_kept() -> None:
    done = held(Hall(favourite="4"))
    assert done.opinions[0].seat == "dan"
    assert done.opinions[0].place == 1.0
    assert set(done.opinions[0].first_for) == {"ada", "ben", "cleo", "eve"}
    assert "dan" not in done.rankings["dan"]
    assert {one.seat for one in done.minority} == {"ada", "ben", "cleo", "eve"}
    assert all(one.sentences for one in done.minority)


def test_a_seat_that_fails_or_says_what_no_evidence_bears_is_absent_and_the_rest_go_on() -> None:
    hall = Hall()

    def ask(seat: Seat, prompt: Prompt, purpose: str) -> str:
        if seat.name == "ben":
            raise OutsideError("the line is dead")
        if seat.name == "eve" and purpose == "council answer":
            return json.dumps({"sentences": [{"text": "The bridge is 900 metres high.", "cites": ["1"]}]})
        if seat.name == "dan" and purpose == "council ranking":
            return '{"ranking": ["A", "A"]}'
        return hall(seat, prompt, purpose)

    done = deliberate("How high is the bridge?", EVIDENCE, SEATS, ask, 3)
    assert {one.seat for one in done.opinions} == {"ada", "cleo", "dan"}
    assert done.absent["ben"] == "the line is dead"
    assert "none of its 1 sentences" in done.absent["eve"]
    assert "does not name each answer once" in done.absent["dan (vote)"]
    assert set(done.rankings) == {"ada", "cleo"}


def test_two_seats_are_not_ranked_and_both_are_printed() -> None:
    done = held(Hall(), seats=SEATS[:2])
    assert done.rankings == {}
    told = str(Counsel("q", done, (), {}))
    assert "answers, not ranked:\n  ada" in told
    assert "minority report:\n  ben" in told


def lab_at(folder: Path, dial: str = "") -> Lab:
    (folder / "raw").mkdir(parents=True)
    (folder / "lenses").mkdir()
    (folder / "memex.toml").write_text(f'[lab]\nname = "test"\n{dial}')
    (folder / "raw" / "bridge.md").write_text("# Kestrel Bridge\n\nKestrel Bridge rises 134 metres over the river.\n")
    (folder / "raw" / "rust.md").write_text("# Rust\n\nauthor of note: none. Rust eats Kestrel Bridge in wet years.\n")
    (folder / "lenses" / "sceptic.md").write_text("Look for rust and what goes wrong.")
    (folder / "lenses" / "builder.md").write_text("Look for metres and what stands.")
    lab = Lab(folder)
    lab.ingest([folder / "raw"])
    return lab


def test_without_a_model_the_evidence_of_each_seat_stands_side_by_side(tmp_path: Path) -> None:
    lab = lab_at(tmp_path)
    told = lab.council("What of Kestrel Bridge?", seats="rust,builder")
    assert told.council is None
    assert {piece.source for piece in told.by_seat["rust"]} == {"raw/rust.md"}
    assert any(piece.source == "raw/bridge.md" for piece in told.by_seat["builder"])
    assert "raw/bridge.md#L3" in str(told)
    lab.close()


def test_the_command_prints_the_cost_first_and_the_minority_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dial = '[model]\ndial = "scripted"\nfile = "replies.jsonl"\nusd_per_mtok_in = 1.0\nusd_per_mtok_out = 1.0\n'
    (tmp_path / "lab").mkdir()
    replies: list[dict[str, Any]] = [
        {"match": "cites the names|each cites", "reply": json.dumps(
            {"sentences": [{"text": "Kestrel Bridge rises 134 metres over the river.", "cites": ["1"]}]})},
        {"match": "Answers by others", "reply": '{"ranking": ["B", "A"]}'},
    ]  # fmt: skip
    lines = "".join(json.dumps(reply) + "\n" for reply in replies)
    (tmp_path / "lab" / "replies.jsonl").write_text(lines)
    lab_at(tmp_path / "lab" / "inner", dial.replace("replies.jsonl", "../replies.jsonl")).close()
    (tmp_path / "lab" / "inner" / "lenses" / "third.md").write_text("A third.")
    where = ["--lab", str(tmp_path / "lab" / "inner")]
    assert main(["council", "How high is Kestrel Bridge?", "--seats", "sceptic,builder,third", *where]) == 0
    out, err = capsys.readouterr()
    assert re.search(r"3 answers and 3 rankings: about \d+ tokens, \d\.\d{4} usd", err)
    assert out.index("first place:") < out.index("minority report:") < out.index("raw/bridge.md#L3")
    assert main(["council", "x", "--seats", "one", *where]) == 2
    assert main(["council", "x", "--seats", "one,one", *where]) == 2
