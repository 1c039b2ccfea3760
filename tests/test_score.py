"""Scores by formula and by model: what a formula may say, quotes that must stand in the row, words of a person kept."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from memexlab.commands.score import Scored, score
from memexlab.ledger import Refused, UsageError
from memexlab.memory import Memory
from memexlab.partner.scoring import BANDS, Formula, read_rubric, tiled

BAND_LINES = "\n".join(f"- {band}: looks like {band}" for band in BANDS)
FORMULA = f"# Evidence\nscorer: formula\nformula: 2 * groups + (3 if kinds > 1 else 0)\nsize: groups\n{BAND_LINES}\n"
MODEL = f"# Risk\nscorer: model\ntext: said\n{BAND_LINES}\n"
CLAIMS = (
    "id,groups,kinds,said\na,3,2,The sea rose by a foot.\nb,1,1,Nobody counted the worms.\nc,,1,Nothing.\nd,9,2,Much.\n"
)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    (tmp_path / "claims.csv").write_text(CLAIMS)
    (tmp_path / "evidence.md").write_text(FORMULA)
    (tmp_path / "risk.md").write_text(MODEL)
    found = Memory(tmp_path / ".memex")
    yield found
    found.close()


def scored(memory: Memory, rubric: str = "evidence.md", **more: object) -> Scored:
    root = memory.folder.parent
    told: dict[str, object] = {"repeats": 1, "own": (), "why": "", "by": "human:ada", "out": None} | more
    table = str(told.pop("table", root / "claims.csv"))
    return score(memory, root, table, root / rubric, **told)


def script(root: Path, *replies: dict[str, object]) -> None:
    (root / "replies.jsonl").write_text("".join(json.dumps(reply) + "\n" for reply in replies))
    (root / "memex.toml").write_text('[model]\ndial = "scripted"\nfile = "replies.jsonl"\n')


def said(match: str, score: float, quote: str) -> dict[str, object]:
    return {"match": match, "reply": json.dumps({"score": score, "rationale": "because", "quote": quote})}


def test_a_formula_scores_each_row_and_says_from_which_cells(memory: Memory) -> None:
    by_row = {s.row: s for s in scored(memory).scores}
    assert {row: s.score for row, s in by_row.items()} == {"a": 9.0, "b": 2.0, "c": None, "d": 10.0}
    assert by_row["a"].quote == "groups = 3, kinds = 2"
    assert "cut to 10" in by_row["d"].rationale
    assert "groups is empty" in by_row["c"].rationale


@pytest.mark.parametrize(
    "text",
    ["__import__('os')", "groups.__class__", "[1][0]", "(lambda: 1)()", "open('x')", "groups if", "f'{groups}'",
     "min(*x)", "9 ** 9 ** 9", "'a' * 9999", "missing + 1", "-" * 600 + "1", "(-1) ** 0.5", "1 / 0", "log(0)"],
)  # fmt: skip
def test_a_formula_can_say_nothing_else(text: str) -> None:
    with pytest.raises((UsageError, Refused)):
        Formula(text)({"groups": "3", "x": "1"})


def test_a_formula_counts_text_and_chooses() -> None:
    row = {"text": "three small words", "status": "open", "n": "4"}
    assert Formula("words(text) + (2 if status == 'open' and not n < 3 else 0) - -1")(row) == 6.0


@pytest.mark.parametrize(
    ("text", "told"),
    [("scorer: model\n- 0-1: low\n", "no band 2-3"), (f"scorer: formula\n{BAND_LINES}", "formula is ''"),
     (f"scorer: guess\n{BAND_LINES}", "'guess'")],
)  # fmt: skip
def test_a_rubric_that_lacks_something_says_what(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=re.escape(told)):
        read_rubric(text, "r.md")


def test_a_model_scores_with_words_that_the_row_holds(memory: Memory) -> None:
    root = memory.folder.parent
    (root / "two.csv").write_text("".join(CLAIMS.splitlines(True)[:3]))
    script(
        root,
        said("sea rose.*reading 1|reading 1(?s:.)*sea rose", 6, "rose by a foot"),
        said("reading 2(?s:.)*sea rose", 8, "The sea rose"),
        said("reading 1(?s:.)*Nobody", 3, "Everybody counted the worms"),  # not in the row
        said("refused(?s:.)*", 4, "counted the worms"),  # the second chance
        said("reading 2(?s:.)*Nobody", 99, "Nobody counted"),  # not on the scale
        said("refused(?s:.)*", 2, "somebody counted"),  # and again not
    )
    result = scored(memory, "risk.md", table=root / "two.csv", repeats=2)
    by_row = {s.row: s for s in result.scores}
    assert (by_row["a"].score, by_row["a"].spread, by_row["a"].readings) == (7.0, 2.0, (6.0, 8.0))
    assert (by_row["b"].score, by_row["b"].quote, by_row["b"].refused) == (4.0, "counted the worms", 3)
    assert all(s.quote in CLAIMS for s in result.scores)
    # Every reply is in the ledger: the same question again asks nobody.
    (root / "replies.jsonl").write_text("")
    assert scored(memory, "risk.md", table=root / "two.csv", repeats=2).scores == result.scores


def test_a_model_that_is_gone_keeps_what_it_scored_and_goes_on_later(memory: Memory) -> None:
    root = memory.folder.parent
    script(root, said("sea rose", 6, "rose by a foot"))
    first = {s.row: s for s in scored(memory, "risk.md").scores}
    assert first["a"].score == 6.0
    assert first["b"].score is None
    assert "has no reply" in first["b"].rationale
    script(root, said("worms", 1, "Nobody counted"), said("Nothing", 0, "Nothing."), said("Much", 10, "Much."))
    later = {s.row: s.score for s in scored(memory, "risk.md").scores}
    assert (later["a"], later["b"]) == (6.0, 1.0)


def test_what_a_person_says_stands_and_survives_a_rebuild(memory: Memory) -> None:
    scored(memory, own=["b=7"], why="I counted them myself")
    scored(memory, own=["b=8"], why="and again")
    memory.index.rebuild(lambda done: None)
    [kept] = [s for s in scored(memory).scores if s.row == "b"]
    assert (kept.score, kept.own, kept.rationale) == (8.0, True, "and again (formula: 2)")
    with pytest.raises(UsageError, match="no score of a row"):
        scored(memory, own=["z=7"], why="x")
    with pytest.raises(UsageError, match="needs a reason"):
        scored(memory, own=["a=7"])


def test_a_select_is_a_table_and_text_of_a_row_is_never_markup(memory: Memory) -> None:
    root = memory.folder.parent
    evil = "<script>alert(1)</script>"
    result = scored(memory, table=f"select '{evil}' as id, 2 as groups, 1 as kinds", out=root / "map.html")
    page = (root / "map.html").read_text()
    assert result.scores[0].score == 4.0
    assert evil not in page
    assert "&lt;script&gt;" in page
    assert "src=" not in page
    scored(memory, out=root / "s.csv")
    rows = list(csv.DictReader((root / "s.csv").open()))
    assert [row["row"] for row in rows] == ["d", "a", "b", "c"]
    with pytest.raises(UsageError, match="says no format"):
        scored(memory, out=root / "s.pdf")


def test_tiles_fill_the_picture_in_proportion() -> None:
    sizes = [60.0, 30.0, 5.0, 3.0, 2.0]
    tiles = tiled(sizes, 200.0, 100.0)
    for size, (x, y, width, height) in zip(sizes, tiles, strict=True):
        assert width * height == pytest.approx(size * 200)
        assert -1e-6 <= x <= x + width <= 200 + 1e-6
        assert -1e-6 <= y <= y + height <= 100 + 1e-6
    assert sum(width * height for _, _, width, height in tiles) == pytest.approx(20_000)
    for i, (x, y, width, height) in enumerate(tiles):
        for left, top, wide, high in tiles[i + 1 :]:
            apart_x = x + width <= left + 1e-6 or left + wide <= x + 1e-6
            assert apart_x or y + height <= top + 1e-6 or top + high <= y + 1e-6
