"""What a run changed besides its knobs is a change of its own: no knob is credited with it, no repeat is seen in it."""

from __future__ import annotations

from pathlib import Path

from memexlab.commands.run import Options, prepared_night
from memexlab.ledger import Draft, Ref, Run
from memexlab.memory import Memory

from .toy import make_toy


def test_a_knob_that_moved_with_code_is_not_the_only_one_that_moved(tmp_path: Path) -> None:
    memory = Memory(tmp_path / ".memex")
    settings = {"WIDTH": 64}
    [base] = memory.land(
        [Draft("run:c/1", Run("c", "keep", 1, "baseline", metrics={"loss": 2.0}, settings=settings))], "code:t"
    )
    wide = {"WIDTH": 96}
    memory.land(
        [
            Draft("run:c/2", Run("c", "keep", 2, description="new heads", metrics={"loss": 1.0}, settings=wide,
                                 meta={"code": "abc123"}), (Ref("parent", base.id),)),
            Draft("run:c/3", Run("c", "keep", 3, description="wider", metrics={"loss": 1.9}, settings=wide),
                  (Ref("parent", base.id),)),
        ],
        "code:t",
    )  # fmt: skip
    rows = memory.db.execute(
        "SELECT r.number, knob, new, c.origin FROM changes c JOIN runs r USING (run) ORDER BY 1, 2"
    )
    assert rows.fetchall() == [
        (2, "WIDTH", "96", "settings"), (2, "code", "new heads [abc123]", "diff"), (3, "WIDTH", "96", "settings"),
    ]  # fmt: skip
    memory.close()


def test_code_is_told_from_knobs_by_the_planner(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    memory = Memory(root / ".memex")
    with prepared_night(root, memory, lambda event: None, Options()) as night:
        planner, checkouts = night.planner, night.checkouts
        [name] = night.contract.edit
        head = checkouts.head()
        text = checkouts.read(head, name)
        knob = next(line for line in text.splitlines() if line.startswith("WIDTH"))
        turned = checkouts.commit(head, {name: text.replace(knob, "WIDTH = 33")}, "knob")
        coded = checkouts.commit(
            head, {name: text.replace(knob, "WIDTH = 33") + "\n\ndef more():\n    return 1\n"}, "code"
        )
        broken = checkouts.commit(head, {name: text + "\ndef (:\n"}, "broken")
        assert planner.code_of(head, turned) == ""
        assert planner.code_of(head, head) == ""
        assert planner.code_of(head, coded) == planner.code_of(turned, coded) != ""
        assert planner.code_of(head, broken) not in ("", planner.code_of(head, coded))
    memory.close()
