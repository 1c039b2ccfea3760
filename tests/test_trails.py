"""`memex path`, `memex related`, `memex conflicts` on a memory whose links are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from memexlab import Lab
from memexlab.commands.init import init_lab
from memexlab.ledger import Claim, Draft, Ref, Run, Source, UsageError


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Runs 1 to 6 of one lineage by two authors, three documents in a chain of names, and one that nothing touches."""
    init_lab(tmp_path / "lab", "none")
    lab = Lab(tmp_path / "lab")
    texts = {
        "d1": ("Jordan", "It was tried by Keller Jordan with Muon."),
        "d2": ("Newton", "Keller Jordan cites Newton Schulz."),
        "d3": ("Iteration", "Newton Schulz needs five steps."),
        "d4": ("Alone", "nothing is named here."),
    }
    for name, (title, text) in texts.items():
        blob = lab.memory.blobs.put(text.encode())
        source = Source(title, "text/plain", meta={"document": name})
        lab.memory.land([Draft(f"source:{name}", source, (Ref("file", blob),))], "code:test")
    meta = {"metric": "loss", "better": "lower", "origin": "lab"}
    [campaign] = lab.memory.land([Draft("campaign:c", Source("c", meta=meta), key="campaign:c")], "code:test")
    parent = None
    settings: dict[str, object] = {"lr": 1.0, "depth": 8, "optimizer": "adamw"}
    for number, moved in enumerate([{}, {"lr": 2.0}, {"depth": 4}, {"optimizer": "muon"}, {"lr": 4.0}, {}], 1):
        settings |= moved
        refs = [Ref("from", campaign.id)] + ([Ref("parent", parent.id)] if parent else [])
        body = Run("c", "keep", number, "candidate", f"idea {number}", metrics={"loss": 9.0 - number},
                   settings=dict(settings))  # fmt: skip
        [parent] = lab.memory.land([Draft(f"run:c/{number}", body, tuple(refs))], f"agent:{'ab'[number % 2]}")
    said = [
        Claim("five steps do", "steps", 5),
        Claim("six steps do", "steps", 6),
        Claim("go on", "calls_for", "promote"),
    ]
    for claim in said:
        lab.memory.land([Draft("newton-schulz", claim, (Ref("from", parent.id),))], "human:ada")
    return lab


def things(lab: Lab, start: str, goal: str) -> list[str]:
    trail = lab.path(start, goal)
    assert trail.steps is not None
    ids = {row[0] for row in lab.memory.db.execute("SELECT id FROM entries")}
    assert {entry for _, _, entry in trail.steps} <= ids
    return [thing for thing, _, _ in trail.steps] + [trail.goal]


def test_every_step_of_a_trail_names_the_entry_that_makes_it(lab: Lab) -> None:
    assert things(lab, "1", "3") == ["run 1 (idea 1)", "run 2 (idea 2)", "run 3 (idea 3)"]
    assert things(lab, "lr", "run 3") == ["knob lr", "run 2 (idea 2)", "run 3 (idea 3)"]
    assert things(lab, "run:c/2", "#5") == ["run 2 (idea 2)", "knob lr", "run 5 (idea 5)"]
    trail = lab.path("2", "5")
    assert trail.steps is not None
    assert [step[1] for step in trail.steps] == ["changed, 1 to 2", "changed, 2 to 4"]
    made_by = [lab.memory.db.execute("SELECT number FROM runs WHERE id = ?", (step[2],)).fetchone()[0]
               for step in trail.steps]  # fmt: skip
    assert made_by == [2, 5]


def test_a_trail_leads_through_documents_to_a_setting(lab: Lab) -> None:
    assert things(lab, "d1", "d3") == [
        'document "Jordan"', "name keller jordan", 'document "Newton"', "name newton schulz", 'document "Iteration"',
    ]  # fmt: skip
    found = things(lab, "optimizer=muon", "d2")
    assert found == ["setting optimizer = muon", "name muon", 'document "Jordan"', "name keller jordan",
                     'document "Newton"']  # fmt: skip


def test_a_trail_and_its_way_back_are_the_same(lab: Lab) -> None:
    for start, goal in (("1", "5"), ("d3", "6"), ("agent:a", "d1"), ("depth", "lr=4"), ("3", "3")):
        assert things(lab, start, goal) == things(lab, goal, start)[::-1]


def test_no_trail_is_said_plainly(lab: Lab) -> None:
    trail = lab.path("d4", "2")
    assert trail.steps is None
    assert str(trail) == 'no trail between document "Alone" and run 2 (idea 2)'
    for wrong in ("nowhere", "99", "lr=77", "", '"', "e:" + "0" * 32):
        with pytest.raises(UsageError):
            lab.path(wrong, "2")


def test_what_is_near_says_why(lab: Lab) -> None:
    near = lab.related("2", k=50).near
    names = [thing for thing, _, _ in near]
    assert {"run 1 (idea 1)", "run 3 (idea 3)", "run 5 (idea 5)", "knob lr"} <= set(names)
    assert "run 2 (idea 2)" not in names
    assert not [via for _, _, via in near if any("agent:" in shared for shared in via)]  # none shared their recorder
    assert [score for _, score, _ in near] == sorted((score for _, score, _ in near), reverse=True)
    assert "knob lr" in {thing: via for thing, _, via in near}["run 5 (idea 5)"]
    assert [(thing, via) for thing, _, via in lab.related("d1").near] == [
        ('document "Newton"', ("name keller jordan",))
    ]
    assert lab.related("2", k=1).near == near[:1]
    assert "nothing in this memory is near" in str(lab.related("d4"))


def test_a_fan_passes_little_on(lab: Lab) -> None:
    """Run 3 alone changed depth; lr was changed by two runs, so each of them gets less of it."""
    depth, lr = ({t: s for t, s, _ in lab.related(knob, k=50).near} for knob in ("depth", "lr"))
    assert depth["run 3 (idea 3)"] > lr["run 2 (idea 2)"]


def test_conflicts_quote_both_sides_and_what_would_settle_them(lab: Lab) -> None:
    [claim] = lab.conflicts().claims
    assert (claim["subject"], claim["relation"]) == ("newton-schulz", "steps")
    assert [side["text"] for side in claim["sides"]] == ["five steps do", "six steps do"]
    text = str(lab.conflicts())
    assert '5: "five steps do" (human:ada, 20' in text
    assert {row["status"] for row in lab.conflicts().effects.rows} == {"unresolved"}
    assert all(f"#{row['runs'][0]}" in text for row in lab.conflicts().effects.rows)
    last = claim["sides"][1]
    lab.memory.land(
        [Draft("newton-schulz", Claim("five, after all", "steps", 5), (Ref("supersedes", last["id"]),))], "human:ada"
    )
    assert lab.conflicts().claims == ()


def documents(lab: Lab, **texts: str) -> dict[str, int]:
    """Sources by name, as ingest of no wiki lands them."""
    out = {}
    for name, text in texts.items():
        blob = lab.memory.blobs.put(text.encode())
        source = Source(name.title(), "text/plain", meta={"document": name})
        [landed] = lab.memory.land([Draft(f"source:{name}", source, (Ref("file", blob),))], "code:test")
        out[name] = landed.seq
    return out


def test_numbers_and_scraps_lead_nowhere(lab: Lab) -> None:
    documents(lab, room="Room 1204 was painted by St. Ives.", bill="an invoice over 1204 crowns, St. Neots",
              both="Ives paid it at Nr. 7")  # fmt: skip
    assert lab.path("room", "bill").steps is None
    assert things(lab, "room", "both") == ['document "Room"', "name ives", 'document "Both"']


def test_a_name_is_found_as_it_is_spelt_and_without_its_marks(lab: Lab) -> None:
    documents(lab, street="It lies behind Große Straße, near Ærø.", walk="We went down Große Straße.")
    for spelt in ("Große Straße", "grosse strasse", "GROSSE STRASSE"):
        assert things(lab, spelt, "walk")[-1] == 'document "Walk"'
    assert things(lab, "street", "walk") == ['document "Street"', "name grosse strasse", 'document "Walk"']


def test_what_a_claim_says_of_two_names_is_a_step_until_it_is_taken_back(lab: Lab) -> None:
    at = documents(lab, minutes="The Otter Act replaced the Badger Act. Its status is Passed.")
    [source] = lab.memory.db.execute("SELECT id FROM entries WHERE seq = ?", (at["minutes"],)).fetchone()
    said = [Claim("the Otter Act replaced the Badger Act", "supersedes", "Badger Act"),
            Claim("the Otter Act is passed", "status", "Passed"), Claim("it has 12 parts", "parts", "12")]  # fmt: skip
    landed = [lab.memory.land([Draft("Otter Act", claim, (Ref("from", source),))], "code:test")[0] for claim in said]
    trail = lab.path("Badger Act", "otter act")
    step = ("name Badger Act", "the Otter Act replaced the Badger Act", landed[0].id)
    assert (trail.steps, trail.goal) == ((step,), "name Otter Act")
    named = lab.memory.db.execute("SELECT name, role FROM named WHERE entry >= ?", (landed[0].seq,)).fetchall()
    assert sorted(set(named)) == [("badger act", "object"), ("otter act", "subject")]
    lab.memory.land([Draft("Otter Act", Claim("no", "says"), (Ref("supersedes", landed[0].id),))], "human:a")
    assert len(lab.path("Badger Act", "otter act").steps or ()) == 2  # by the minutes, which name both
