"""Questions in words: the grammar, anchors on planted histories, what was known then, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from memexlab.commands.decisions import campaign_of
from memexlab.commands.search import ingest
from memexlab.lab.recording import import_log
from memexlab.ledger import Draft, Entry, Ref, Run, Source, Verdict
from memexlab.memory import Memory
from memexlab.memory.questions.answers import Answer, ask
from memexlab.memory.sql import query

LOGS = Path(__file__).parent / "data" / "logs"
HOSTILE = [
    "", " ", "?", "'", '"', "%", "\x00", "best", "best best best", "between and", "before before", "run",
    "run 0", "a" * 5000, "run 99999999999999999999", "best val_bpb before run 9999999",
    "'; DROP TABLE runs; --", "was ' tried", "*/ -- \n x", "best val_bpb with depth = ' OR 1=1",
    "was x\x00y tried", "was \ud800 tried", "最好的 val_bpb", "🧪" * 50, "(((((", "before the first run with",
    "between run 40 and the switch back to", "best in the last 0 runs", "NEAR(a b)", "\\", "\\d+[",
    "how many how many how many", "what do runs 1 and 1 have in common", "1e999 layers", "x" + " and" * 300,
    "val_bpb",
]  # fmt: skip


@pytest.fixture(scope="module")
def mar8(tmp_path_factory: pytest.TempPathFactory) -> Memory:
    memory = Memory(tmp_path_factory.mktemp("mar8"))
    log = LOGS / "mar8.results.tsv"
    import_log(memory, log.read_bytes(), log.name, "code:test", "mar8", None, None)
    return memory


class Planted:
    """A campaign whose runs have settings."""

    def __init__(self, folder: Path) -> None:
        self.memory, self.runs = Memory(folder), list[Entry]()
        meta = {"metric": "loss", "better": "lower", "origin": "import"}
        self.memory.land([Draft("campaign:c", Source("c", meta=meta))], "code:test")

    def run(self, value: float, status: Any = "discard", **settings: Any) -> Entry:
        number = len(self.runs) + 1
        run = Run("c", status, number, "candidate", f"run {number}", metrics={"loss": value}, settings=settings)
        refs = (Ref("parent", self.runs[-1].id),) if self.runs else ()
        self.runs += self.memory.land([Draft(f"run:c/{number}", run, refs)], "code:test")
        return self.runs[-1]

    def ask(self, question: str, as_of: str | int | None = None) -> Answer:
        return ask(self.memory.db, "c", question, as_of)


@pytest.fixture
def switches(tmp_path: Path) -> Planted:
    """adamw, adamw, muon, muon, adamw, with fewer and fewer layers; run 3 is the best of all."""
    made = Planted(tmp_path)
    made.run(5.0, "keep", optimizer="adamw", depth=12)
    made.run(4.0, "keep", optimizer="adamw", depth=12)
    made.run(1.0, "keep", optimizer="muon", depth=8)
    made.run(3.0, optimizer="muon", depth=6)
    made.run(2.0, optimizer="adamw", depth=6)
    return made


@pytest.mark.parametrize(
    ("question", "run"),
    [
        ("best loss before the first run with optimizer = muon", 2),
        ("best loss before we switched to muon", 2),
        ("best loss since we switched to muon", 3),
        ("best loss between run 4 and the switch back to adamw", 4),
        ("best loss after the switch back to adamw", None),
        ("best loss since the champion changed", 3),
        ("best loss in the last 2 runs", 5),
        ("best loss with fewer than 8 layers", 5),
        ("best loss with fewer than 8 layers and optimizer = muon", 4),
        ("lowest loss where depth is at least 12", 2),
        ("best loss before the first run with optimizer = sgd", None),
        ("worst loss", 1),
        ("best loss before the first run with optimizer = adamw", None),
    ],
)
def test_an_anchor_is_found_in_time(switches: Planted, question: str, run: int | None) -> None:
    answer = switches.ask(question)
    if run is None:
        assert (answer.kind, answer.value, answer.refs) == ("unknown", None, ())
    else:
        assert answer.value["run"] == run
        assert answer.refs == (switches.runs[run - 1].id,)


def test_a_join_is_over_the_settings_of_then(switches: Planted) -> None:
    assert switches.ask("which optimizer settings produced improvements with at least 8 layers").value == [3]
    assert switches.ask("which optimizer settings produced improvements with fewer than 8 layers").value == []


def test_settings_are_compared_run_by_run(switches: Planted) -> None:
    assert switches.ask("what do runs 3 and 4 have in common").value == ["optimizer"]
    assert switches.ask("how do runs 3 and 4 differ").value == ["depth"]
    assert switches.ask("what was the depth in run 4").value == 6
    assert switches.ask("which depth worked best").value == 8


def test_as_of_knows_no_later_run_and_no_later_verdict(switches: Planted) -> None:
    assert switches.ask("best loss", 2).value == {"run": 2, "value": 4.0}
    before = switches.ask("how many runs were kept", 4).value
    judged = switches.runs[1]
    switches.memory.land(
        [Draft("run:c/2", Verdict("discard", "it was noise", {}), (Ref("tests", judged.id),))], "code:test"
    )
    assert before == switches.ask("how many runs were kept", 4).value == 3
    assert switches.ask("how many runs were kept").value == 2
    assert switches.ask("best loss", "1999-01-01").kind == "unknown"


@pytest.mark.parametrize(
    "question",
    ["was label smoothing tried", "best accuracy", "who is the president of France", "best val_bpb with depth = purple",
     "best val_bpb on Tuesdays", "was dropout tried", "what was the dropout in run 4", "what happened in run 400",
     "which softcap worked best on a TPU"],
)  # fmt: skip
def test_what_is_not_here_is_not_answered(mar8: Memory, question: str) -> None:
    answer = ask(mar8.db, "mar8", question)
    assert (answer.kind, answer.value, answer.confidence) == ("unknown", None, "none")
    assert answer.text.startswith("not in this memory")


def test_what_is_not_understood_is_answered_by_quotes_of_descriptions(mar8: Memory) -> None:
    answer = ask(mar8.db, "mar8", "why is cosine worse than a linear warmdown")
    assert (answer.kind, answer.value, answer.confidence) == ("passages", None, "passages")
    assert 'run 79: "cosine warmdown schedule (linear better)"' in answer.text
    assert mar8.db.execute("SELECT number FROM runs WHERE id = ?", (answer.refs[0],)).fetchone() == (79,)
    assert query(mar8.index.path, answer.sql).rows[0][0] == 79


def test_what_is_not_understood_is_answered_by_quotes_of_documents(switches: Planted, tmp_path: Path) -> None:
    first = switches.memory.db.execute("SELECT max(at) FROM entries").fetchone()[0]
    file = tmp_path / "documents.jsonl"
    told = {"id": "orchard", "title": "Orchards", "text": "Ladders in an orchard are made of ash, for it bends."}
    file.write_text(json.dumps(told) + "\n", "utf-8")
    ingest(switches.memory, "human:test", file)
    answer = switches.ask("why are orchard ladders made of ash?")
    assert (answer.kind, answer.value, answer.confidence) == ("passages", None, "passages")
    assert 'orchard: "Ladders in an orchard are made of ash, for it bends."' in answer.text
    [entry] = switches.memory.db.execute("SELECT e.id FROM documents d JOIN entries e ON e.seq = d.entry").fetchone()
    assert answer.refs == (entry,)
    assert switches.ask("why are orchard ladders made of ash?", first).kind == "unknown"


def test_words_that_narrow_are_not_looked_for_in_descriptions(mar8: Memory) -> None:
    for question in (
        "best val_bpb without the softcap",
        "which runs were not softcap runs",
        "average val_bpb by depth",
        "is depth 10 better than depth 9",
        "how many knobs were tried",
    ):
        assert ask(mar8.db, "mar8", question).value is None


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("which run first got val_bpb under 0.975", {"run": 11, "value": 0.974729}),
        ("average val_bpb of runs 1 to 3", (0.9979 + 0.986041 + 0.981773) / 3),
        ("second best val_bpb", {"run": 121, "value": 0.969714}),
        ("top 3 runs", [119, 121, 125]),
        ("how many runs beat 0.9705", 11),
        ("how many champions after run 100", 6),
        ("when did the champion first change", {"run": 2, "value": 0.986041}),
        ("what replaced run 38 as champion", {"run": 41, "value": 0.972694}),
        ("what replaced run 39 as champion", None),  # it never was one
        ("what fraction of the first 10 runs was discarded", 0.2),
        ("biggest win", {"run": 2, "value": pytest.approx(0.011859)}),
        ("how much did we improve since run 112", 0.969952 - 0.969686),
        ("how much better is run 9 than run 8", 0.978784 - 0.975524),
        ("what embeding lr do we use", 0.9),  # one slip of the fingers
        ("which run used the most memory", {"run": 43, "value": 72.6}),
        ("how many runs since the last crash", 110),
        ("what softcap are we on", 15.0),
        ("how long did the night take", None),  # the log was imported: its times are those of the import
        ("when was run 9 recorded", None),
        ("how noisy is val_bpb", None),
        ("average val_bpb before run 4", (0.9979 + 0.986041 + 0.981773) / 3),
        ("by how much did run 9 beat the champion", 0.978784 - 0.975524),
        ("how many runs got val_bpb below 0.9705", 11),
        ("what embedding LR did we end up with", 0.9),
        ("best val_bpb before gradient clipping was introduced", {"run": 22, "value": 0.972849}),
        ("what was memory_gb in run 43", {"run": 43, "value": 72.6}),
        ("what is the difference in val_bpb between run 3 and run 9", None),
    ],
)
def test_numbers_are_those_of_the_log(mar8: Memory, question: str, value: Any) -> None:
    answer = ask(mar8.db, "mar8", question)
    assert answer.value == (pytest.approx(value) if isinstance(value, float) else value)


EVERY_KIND = (
    "best loss", "worst loss", "which run first got loss under 4.5", "average loss", "by how much did run 3 win",
    "which depth changes helped", "which depth changes hurt", "was depth 6 tried",
    "what do runs 1 and 3 have in common",
    "how do runs 2 and 3 differ", "which depth worked best", "what changed since run 1", "how many runs were kept",
    "what is unresolved", "who is champion", "what was the depth in run 3", "what happened in run 3",
    "best loss since we switched to muon", "how many runs were discarded with fewer than 10 layers",
)  # fmt: skip


@pytest.mark.parametrize("by_date", [False, True])
@pytest.mark.parametrize("question", EVERY_KIND)
def test_as_of_answers_as_a_memory_would_that_ends_there(tmp_path: Path, question: str, by_date: bool) -> None:
    long, short = Planted(tmp_path / "long"), Planted(tmp_path / "short")
    settings = [("adamw", 12), ("adamw", 10), ("muon", 8), ("muon", 6), ("sgd", 6), ("muon", 4), ("muon", 5)]
    for number, (optimizer, depth) in enumerate(settings, 1):
        for made in (long, short) if number <= 4 else (long,):
            made.run(6.0 - number, "keep" if number != 4 else "discard", optimizer=optimizer, depth=depth)
    for number, decision in ((2, "discard"), (3, "retract"), (4, "confirmed")):
        verdict = Verdict(decision, "judged later", {})
        long.memory.land([Draft(f"run:c/{number}", verdict, (Ref("tests", long.runs[number - 1].id),))], "code:test")
    then = long.ask(question, long.runs[4].at if by_date else 4)
    if then.kind == "unknown":  # run 3 reigned then, and was retracted later
        assert question in ("who is champion", "by how much did run 3 win")
        assert "memex registry" in then.text
        return
    assert (then.kind, then.value) == (short.ask(question).kind, short.ask(question).value)
    assert then.as_of == 4


def test_an_unknown_name_is_told_the_nearest(mar8: Memory) -> None:
    assert "softcap" in ask(mar8.db, "mar8", "was softcapp tried").text


@pytest.mark.parametrize("as_of", [None, 3, "2020-01-01", "'; --", "-1"])
@pytest.mark.parametrize("question", HOSTILE)
def test_no_question_raises(mar8: Memory, question: str, as_of: str | int | None) -> None:
    assert isinstance(json.dumps(ask(mar8.db, "mar8", question, as_of).value), str)


@pytest.mark.parametrize(
    "question",
    ["best val_bpb", "best val_bpb before we first touched the RoPE base", "how many runs crashed", "best softcap",
     "what do runs 14 and 38 have in common", "who was champion at run 40", "was weight tying tried",
     "what was the unembedding LR at run 30", "what changed between run 100 and run 126", "what is unresolved",
     "which warmdown settings hurt", "what happened in run 16", "how do runs 2 and 3 differ"],
)  # fmt: skip
def test_the_sql_that_is_shown_runs_read_only(mar8: Memory, question: str) -> None:
    answer = ask(mar8.db, "mar8", question)
    assert answer.kind != "unknown"
    rows = query(mar8.index.path, answer.sql).rows
    assert rows == mar8.db.execute(answer.sql).fetchall()[:1000]
    if isinstance(answer.value, list) and answer.kind in ("tried", "hurt", "changed"):
        assert [row[0] for row in rows] == answer.value


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Memory:
    """A night of a lab's own: repeats, verdicts, a crash and a blocked run."""
    folder = tmp_path_factory.mktemp("night")
    (folder / "ledger").mkdir()
    (folder / "ledger" / "0001.jsonl").write_bytes((LOGS / "night.ledger.jsonl").read_bytes())
    return Memory(folder)


@pytest.mark.parametrize(
    ("question", "kind", "value"),
    [
        ("how noisy is this", "noise", 0.0481857483),
        ("which wins were confirmed", "tried", [6, 48]),
        ("which keeps are only provisional", "tried", [22, 63, 74]),
        ("was run 63 confirmed", "sure", "provisional"),
        ("what did run 33 change", "moved", ["HEADS", "WIDTH"]),
        ("how many steps did run 58 do", "run", {"run": 58, "value": 775}),
        ("gain of run 74", "gain", 0.08187133),
        ("how many times has the champion changed", "count", 2),
        ("when did run 30 crash", "when", "2026-11-21T13:15:40.164294+00:00"),
        ("which widths did we try", "values", [64, 80, 88, 96, 128]),
        ("highest learning rate tried", "reach", 0.008),
        ("longest run", "best", {"run": 6, "value": 8.291}),
        ("why was run 45 blocked", "unknown", None),  # it was not
        ("how many runs had a gain above 0.05", "passages", None),
        ("how long was run 6 champion", "passages", None),
        ("mean gain", "passages", None),
        ("who ran the most", "unknown", None),
    ],
)
def test_a_night_is_asked_for_what_was_judged(night: Memory, question: str, kind: str, value: Any) -> None:
    answer = ask(night.db, "lab", question)
    assert (answer.kind, answer.value) == (kind, pytest.approx(value) if isinstance(value, float) else value)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("why was run 46 blocked", "Runs 35 and 45 made the same change"),
        ("why did run 30 crash", "IndentationError"),
        ("which runs crashed and why", "IndentationError"),
        ("why was run 33 discarded", "0.1 worse (0.5 sigma)"),
        ("whats the idea behind run 74", "random MLP output is noise"),
    ],
)
def test_a_reason_is_given_as_it_was_recorded(night: Memory, question: str, words: str) -> None:
    assert words in ask(night.db, "lab", question).text


def test_no_kind_drops_a_part_of_the_question(night: Memory) -> None:
    for question in ("sigma of run 20", "champion with width 96", "how many steps did it take", "noise before run 20"):
        assert ask(night.db, "lab", question).value is None


def test_who_ran_most_is_read_from_the_names_before_the_colon(tmp_path: Path) -> None:
    memory, log = Memory(tmp_path), LOGS / "several-agents.results.tsv"
    import_log(memory, log.read_bytes(), log.name, "code:test", "s", None, None)
    assert ask(memory.db, "s", "who ran the most").value == "gpu0"
    assert ask(memory.db, "s", "how many runs of agent1").value == 6


def test_a_knob_that_was_never_moved_that_way_may_be_asked_for_by_several_words(tmp_path: Path) -> None:
    made = Planted(tmp_path)
    for value, hidden in ((3.0, 64), (2.9, 32), (3.1, 16)):
        made.run(value, HIDDEN=hidden)
    made.memory.land([Draft("run:c/4", Run("c", "discard", 4, description="another layer in the middle"))], "code:test")
    told = made.ask("did I try a bigger hidden layer?").text
    assert "no run is known that moved" in told


def test_a_log_taken_in_from_another_time_does_not_become_the_campaign_that_is_meant(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    meta = {"metric": "loss", "better": "lower"}
    for name, origin in (("here", "lab"), ("before", "import")):
        memory.land([Draft(f"campaign:{name}", Source(name, meta={**meta, "origin": origin}))], "code:test")
        memory.land([Draft(f"run:{name}/1", Run(name, "keep", 1, metrics={"loss": 1.0}))], "code:test")
    assert campaign_of(memory, None) == "here"
    assert campaign_of(memory, "before") == "before"
    memory.land([Draft("campaign:slip", Source("slip", meta={**meta, "origin": "lab"}))], "code:test")
    memory.land([Draft("run:slip/1", Run("slip", "crash", 1, error="no such file"))], "code:test")
    assert campaign_of(memory, None) == "here"
