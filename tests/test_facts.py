"""Facts with two times: what held when, what was known when, and that a change is no correction."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from memexlab.commands.history import story
from memexlab.ledger import Claim, Draft, Entry, Ref, Run, Source, UsageError, Verdict, wire
from memexlab.memory import Memory, query
from memexlab.memory.endings import endings
from memexlab.memory.facts import Times, facts_about
from memexlab.memory.retraction import reinstate, retract

from .test_views import causal_shuffle, hash_of


@pytest.fixture
def memory(tmp_path: Path):
    memory = Memory(tmp_path / "memory")
    yield memory
    memory.close()


def land(memory: Memory, subject: str, body, *refs: Ref, **more) -> Entry:
    return memory.land([Draft(subject, body, refs, **more)], "agent:ada")[0]


def campaign(memory: Memory) -> list[Entry]:
    """Eight kept or discarded runs, each entry at an instant of its own; lr moves at 2, 4 and 6, optimizer at 5."""
    land(memory, "campaign:c", Source("c", meta={"metric": "loss", "better": "lower", "origin": "import"}))
    told = [
        ("keep", 1.0, 0.1, "adamw"), ("keep", 0.9, 0.2, "adamw"), ("discard", 1.2, 0.3, "adamw"),
        ("keep", 0.8, 0.4, "adamw"), ("discard", 0.95, 0.4, "muon"), ("keep", 0.7, 0.5, "adamw"),
        ("discard", 0.9, 0.6, "adamw"), ("keep", 0.6, 0.5, "muon"),
    ]  # fmt: skip
    parent: tuple[Ref, ...] = ()
    entries = []
    for number, (status, loss, lr, optimizer) in enumerate(told, 1):
        run = Run("c", status, number, metrics={"loss": loss}, settings={"lr": lr, "optimizer": optimizer})
        entries.append(land(memory, f"run:c/{number}", run, *parent))
        if status == "keep":
            parent = (Ref("parent", entries[-1].id),)
    return entries


def told(facts, predicate):
    return [(f.object, f.since_run, f.until_run, f.end) for f in facts if f.predicate == predicate]


def ask(memory, subject, **when):
    return facts_about(memory.db, subject, campaign="c", **when)


def test_a_knob_holds_a_value_from_run_to_run(memory):
    campaign(memory)
    line = [("0.1", 1, 2, "changed"), ("0.2", 2, 4, "changed"), ("0.4", 4, 6, "changed"), ("0.5", 6, None, None)]
    assert told(ask(memory, "learning rate"), "champion value") == line
    assert told(ask(memory, "lr", as_of="run 3"), "champion value") == [line[1]]
    assert told(ask(memory, "lr", during="2..5"), "champion value") == line[1:3]
    assert told(ask(memory, "lr", known_at="4"), "champion value") == [*line[:2], ("0.4", 4, None, None)]


def test_events_of_the_campaign_are_moments(memory):
    campaign(memory)
    # Run 5 was the first with muon: before it 0.4 held, and the champion changed last at run 8.
    assert told(ask(memory, "lr", as_of="the first run with optimizer = muon"), "champion value")[0][0] == "0.4"
    before = told(ask(memory, "lr", during="before the first run with optimizer = muon"), "champion value")
    assert [value for value, *_ in before] == ["0.1", "0.2", "0.4"]
    assert told(ask(memory, "c", during="since the champion changed"), "champion") == [("run 8", 8, None, None)]
    with pytest.raises(UsageError, match="depth"):
        ask(memory, "lr", as_of="the first run with depth = 8")
    with pytest.raises(UsageError, match="ends before"):
        ask(memory, "lr", during="5..2")
    with pytest.raises(UsageError, match="no run 99"):
        ask(memory, "lr", as_of="99")


def test_a_correction_is_no_change(memory):
    campaign(memory)
    before = memory.db.execute("SELECT max(seq) FROM entries").fetchone()[0]
    retract(memory, "c", 4, "the seed was lucky", "human:ada")
    champions = told(ask(memory, "campaign:c"), "champion")
    # What rests on run 4 falls with it: not one of them reigned, as we know now.
    assert champions == [
        ("run 1", 1, 2, "changed"), ("run 2", 2, None, None),
        ("run 4", 4, 6, "corrected"), ("run 6", 6, 8, "corrected"), ("run 8", 8, None, "corrected"),
    ]  # fmt: skip
    assert told(ask(memory, "c", as_of="5"), "champion") == [("run 2", 2, None, None)]
    # Known then, it held: the two times are not one.
    assert told(ask(memory, "c", as_of="5", known_at=f"@{before}"), "champion") == [("run 4", 4, 6, "changed")]
    assert told(ask(memory, "run:c/4"), "status") == [("keep", 4, None, "corrected")]
    reinstate(memory, "c", 4, "it was not", "human:ada")
    assert told(ask(memory, "c", as_of="5"), "champion") == [("run 4", 4, 6, "changed")]
    assert told(ask(memory, "run:c/4"), "status") == [("keep", 4, None, None)]
    assert told(ask(memory, "run:c/4"), "verdict") == [("retract", 4, None, "corrected")]


def test_a_claim_that_is_superseded_held_until_then(memory):
    old = land(memory, "paris", Claim("the mayor is A", "mayor", "A"), since="2001-03-18")
    new = land(memory, "paris", Claim("the mayor is B", "mayor", "B"), Ref("supersedes", old.id), since="2014-04-05")
    a = ask(memory, "paris")[0]
    assert a.predicate == "mayor"
    assert (a.object, a.since, a.until, a.end, a.ended_by) == ("A", "2001-03-18", "2014-04-05", "changed", new.id)
    assert [f.object for f in ask(memory, "paris", as_of="2010-01-01")] == ["A"]
    assert [f.object for f in ask(memory, "paris", as_of="2020-01-01")] == ["B"]
    assert [f.object for f in ask(memory, "paris", during="2010-01-01..2015-01-01")] == ["A", "B"]
    assert [(f.object, f.end) for f in ask(memory, "paris", known_at="@0")] == [("A", None)]
    wrong = land(memory, "paris", Verdict("wrong", "a hoax"), Ref("retracts", new.id))
    # B never was mayor, so nothing ended A: a correction undoes the change that rested on it.
    assert [(f.object, f.end, f.ended_by) for f in ask(memory, "paris")] == [
        ("A", None, None),
        ("B", "corrected", wrong.id),
    ]
    assert [f.object for f in ask(memory, "paris", as_of="2020-01-01")] == ["A"]
    assert [f.object for f in ask(memory, "paris", as_of="2020-01-01", known_at="@1")] == ["B"]


def test_what_was_known_is_the_view_of_that_day(memory, tmp_path):
    """The view over champions and endings of then says what the view of a ledger cut there says."""
    entries = campaign(memory)
    retract(memory, "c", 6, "a bug", "human:ada")
    land(memory, "paris", Claim("x", "mayor", "A"), Ref("contradicts", entries[0].id))
    everything = [
        memory.index.entry(seq) for seq in range(memory.db.execute("SELECT count(*) FROM entries").fetchone()[0])
    ]
    for cut in (3, 7, 9, 10, len(everything)):
        other = Memory(tmp_path / f"cut-{cut}")
        other.ledger.append([wire.entry_json(e, e.by, e.at) for e in everything[:cut]])
        for subject in ("c", "lr", "optimizer", "run:c/6", "paris"):
            then = [f for f in ask(memory, subject, known_at=f"@{cut - 1}") if f.end != "corrected"]
            now = [f for f in ask(other, subject) if f.end != "corrected"]
            assert then == now, (cut, subject)
        other.close()


def test_endings_do_not_depend_on_the_order_of_arrival(memory, tmp_path):
    rng = random.Random(5)
    entries = [land(memory, "s", Claim(f"claim {i}", "is", i)) for i in range(4)]
    for _ in range(14):
        target = rng.choice(entries)
        wrong = rng.random() < 0.6
        body = Verdict("wrong", "because") if wrong else Claim("later", "is", rng.random())
        entries.append(land(memory, "s", body, Ref("retracts" if wrong else "supersedes", target.id)))
    ended = {row[0]: row[1:] for row in memory.db.execute("SELECT * FROM endings")}
    assert ended == endings(memory.db, [e.id for e in entries])
    assert {how for _, how, _ in ended.values()} == {"changed", "corrected"}
    hashes = {
        hash_of(causal_shuffle(entries, random.Random(i)), tmp_path / str(i), random.Random(i)) for i in range(40)
    }
    assert hashes == {memory.index.logical_hash()}


def test_anyone_may_read_the_facts_with_sql(memory):
    campaign(memory)
    rows = query(memory.index.path, "SELECT object, since_run FROM facts WHERE subject = 'knob:lr' ORDER BY since_run")
    assert rows.rows == [("0.1", 1), ("0.2", 2), ("0.4", 4), ("0.5", 6)]


def tell(memory, subject, as_of=None, known_at=None, during=None, limit=40):
    return story(memory, subject, "c", as_of, known_at, during, limit)


def test_stories(memory):
    entries = campaign(memory)
    claim = land(memory, "muon", Claim("muon needs a higher rate", "needs", "rate"), Ref("from", entries[4].id))
    text = str(tell(memory, "5"))
    assert "run discard, 0.95" in text
    assert "rests on it: claim muon needs a higher rate" in text
    assert "derived from it: run keep, 0.7" in str(tell(memory, "run 4"))
    moves = [event.text for event in tell(memory, "lr").events if "all runs" not in event.text]
    assert [text.split(":")[0] for text in moves] == [
        "0.1 -> 0.2", "0.2 -> 0.3", "0.2 -> 0.4", "0.4 -> 0.5", "0.5 -> 0.6",
    ]  # fmt: skip
    assert "champion from run 6 to run 8" in moves[3]
    retract(memory, "c", 8, "a bug", "human:ada")
    assert [e.run for e in tell(memory, "c", during="5..7").events if "champion" in e.text] == [6]
    assert "corrected: it was never so" in str(tell(memory, "c"))
    assert "[corrected]" in str(tell(memory, "8"))
    assert "corrected" not in str(tell(memory, "c", known_at="8"))
    assert tell(memory, "muon").events[0].entry == claim.id
    short = tell(memory, "agent:ada", limit=3)
    assert (len(short.events), short.earlier) == (3, 7)
    with pytest.raises(UsageError, match="says nothing"):
        tell(memory, "nobody")


def test_a_person_wrote_documents_under_all_their_names(memory):
    for place, author in enumerate(("Phillip J. Eby", "P.J. Eby", "Eric Snow")):
        land(
            memory,
            f"source:{place}",
            Source(f"t{place}", author=author, published="2003-12-07", meta={"document": str(place)}),
        )
    assert [event.text for event in tell(memory, "Eby, Phillip J.").events] == ["wrote t0", "wrote t1"]
    assert [(f.predicate, f.object) for f in ask(memory, "t2", as_of="2004-01-01")] == [
        ("author", "Eric Snow"),
        ("published", "2003-12-07"),
        ("title", "t2"),
    ]


def test_moments(memory):
    campaign(memory)
    times = Times(memory.db, "c")
    assert times.span("3..").first == 3
    assert times.point("2026-03-01").since == "2026-03-01"
    for nonsense in ("", "soon", "@99", "run -1"):
        with pytest.raises(UsageError):
            times.point(nonsense)
