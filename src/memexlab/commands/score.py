"""`memex score TABLE RUBRIC`: rows of a file or of a SELECT by a rubric, as a table, a CSV file or a treemap.

A score that a person gave is a claim in the ledger, and stands wherever the same rubric meets the same row.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from ..lab.report.axes import colour_variables
from ..lab.wording import clean, plural
from ..ledger import Claim, Draft, Ref, UsageError
from ..memory import Memory, query
from ..partner.scoring import BANDS, Row, Rubric, Score, by_formula, by_model, number, read_rubric, tiled
from .land import driver_for

_ROWS, _SECONDS = 20_000, 30.0
_COLUMNS = ("row", "score", "spread", "by", "rationale", "quote")


@dataclass(frozen=True, slots=True)
class Scored:
    """A table scored; printed as markdown, the highest first."""

    rubric: Rubric
    scores: tuple[Score, ...]
    written: str = ""

    def data(self) -> dict[str, Any]:
        return {"rubric": self.rubric.name, "scores": [asdict(score) for score in self.scores], "written": self.written}

    def cells(self) -> list[list[str]]:
        return [
            [s.row, "" if s.score is None else f"{s.score:.3g}", f"{s.spread:.3g}" if len(s.readings) > 1 else "",
             "you" if s.own else self.rubric.scorer, s.rationale, s.quote]
            for s in self.scores
        ]  # fmt: skip

    def __str__(self) -> str:
        if self.written:
            return f"{self.written}\n{self.summary()}"
        rows = [[clean(cell, 110).replace("|", "\\|") for cell in row] for row in [list(_COLUMNS), *self.cells()]]
        lines = [f"| {' | '.join(row)} |" for row in rows]
        return "\n".join([lines[0], "|" + "---|" * len(_COLUMNS), *lines[1:], "", self.summary()])

    def summary(self) -> str:
        """How many rows, how many have a score, how far readings differ, what was refused."""
        had = [score for score in self.scores if score.score is not None]
        most = max((score.spread for score in had), default=0.0)
        refused = sum(score.refused for score in self.scores)
        own = sum(score.own for score in had)
        return (
            f"{plural(len(self.scores), 'row')}, {len(had)} scored, {own} by a person; "
            f"readings differ by {most:.3g} at most; {plural(refused, 'reading')} refused"
        )


def score(
    memory: Memory, root: Path, table: str, rubric: Path, repeats: int, own: Sequence[str], why: str, by: str,
    out: Path | None,
) -> Scored:  # fmt: skip
    """Scores a table; the `own` scores (ROW=SCORE) land first, and no score of a person is ever replaced."""
    told = read_rubric(_text_of(rubric), str(rubric))
    found = _rows(memory, table)
    rows = _named(found, told)
    _take_own(memory, told, rows, own, why, by)
    if told.scorer == "formula":
        scores = by_formula(told, rows)
    else:
        driver = driver_for(memory, root)
        first = next(iter(rows.values()), {})
        if not told.text or told.text not in first:
            raise UsageError("the rubric names no column to quote from", f"text: COLUMN, one of {', '.join(first)}")
        if not 1 <= repeats <= 25:
            raise UsageError(f"{repeats} repeats", "--repeats 1 to 25")
        scores = driver.drive(by_model(told, rows, repeats), "score")
    said = _own(memory, told)
    scores = [
        replace(s, score=said[s.row][0], rationale=f"{said[s.row][1]} ({told.scorer}: {_plain(s.score)})", own=True)
        if s.row in said else s for s in scores
    ]  # fmt: skip
    scores.sort(key=lambda s: (s.score is None, -(s.score or 0.0), s.row))
    result = Scored(told, tuple(scores))
    return replace(result, written=_write(result, out)) if out else result


def _plain(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}"


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}", "a rubric is markdown; see docs/score.md") from error


def _rows(memory: Memory, table: str) -> list[dict[str, Any]]:
    if table.lstrip().lower().startswith(("select", "with")):
        memory.index.catch_up()
        got = query(memory.index.path, table, row_limit=_ROWS, seconds_limit=_SECONDS)
        return [dict(zip(got.columns, row, strict=True)) for row in got.rows]
    path = Path(table)
    text = _text_of(path)
    try:
        if path.suffix == ".jsonl":
            rows = [json.loads(line) for line in text.splitlines() if line.strip()]
        else:
            delimiter = "\t" if path.suffix == ".tsv" else ","
            rows = [dict(row) for row in csv.DictReader(io.StringIO(text), delimiter=delimiter, strict=True)]
    except (ValueError, csv.Error) as error:
        raise UsageError(f"{path} is no table: {error}", "CSV or TSV with a header, or a JSON object a line") from error
    if any(not isinstance(row, dict) or None in row for row in rows):
        raise UsageError(f"{path} has a line that does not fit its header", "one cell for each column on every line")
    return rows


def _named(rows: list[dict[str, Any]], rubric: Rubric) -> dict[str, Row]:
    """Each row under its name: the column that the rubric says, else one of a usual name, else its number."""
    if not rows:
        raise UsageError("the table has no rows", "a header and a line for each row")
    column = rubric.id or next((name for name in ("id", "entry", "name", "title") if name in rows[0]), "")
    if column and column not in rows[0]:
        raise UsageError(f"no column {column!r}", f"id: one of {', '.join(rows[0])}")
    names = [str(row[column]) if column else str(i) for i, row in enumerate(rows, 1)]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise UsageError(f"two rows have {column} = {twice[0]!r}", "id: a column without repeats, in the rubric")
    return dict(zip(names, rows, strict=True))


def _subject(rubric: Rubric, row: str) -> str:
    return f"score:{rubric.name}/{row}"[:300]


def _own(memory: Memory, rubric: Rubric) -> dict[str, tuple[float, str]]:
    """What people said of rows of this rubric, the newest word where there are several."""
    start = _subject(rubric, "")
    found = memory.db.execute(
        "SELECT substr(subject, ?), body ->> '$.object', body ->> '$.text' FROM entries e WHERE kind = 'claim'"
        " AND substr(subject, 1, ?) = ? AND body ->> '$.relation' = 'score' AND NOT EXISTS (SELECT 1 FROM refs r"
        " WHERE r.target = e.id AND r.role IN ('supersedes', 'retracts')) ORDER BY at, id",
        (len(start) + 1, len(start), start),
    )
    return {row: (float(value), text) for row, value, text in found}


def _take_own(memory: Memory, rubric: Rubric, rows: Mapping[str, Row], own: Sequence[str], why: str, by: str) -> None:
    drafts = []
    for word in own:
        row, _, value = word.rpartition("=")
        given = number(value)
        if row not in rows or not isinstance(given, float) or not 0 <= given <= 10:
            raise UsageError(f"{word!r} is no score of a row", "--own ROW=7 --why REASON, from 0 to 10")
        if not why.strip():
            raise UsageError("a score of your own needs a reason", f'--own {word} --why "..."')
        sql = "SELECT id FROM entries WHERE kind = 'claim' AND subject = ? AND body ->> '$.relation' = 'score'"
        before = memory.db.execute(sql, (_subject(rubric, row),)).fetchall()
        refs = tuple(Ref("supersedes", entry) for (entry,) in before)
        drafts.append(Draft(_subject(rubric, row), Claim(why, "score", given), refs))
    if drafts:
        memory.land(drafts, by)


def _write(scored: Scored, out: Path) -> str:
    kind = out.suffix.lower()
    if kind not in (".csv", ".md", ".html"):
        raise UsageError(f"{out} says no format", "--out scores.csv, scores.md or scores.html (treemap and table)")
    if kind == ".csv":
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerows([_COLUMNS, *scored.cells()])
        text = buffer.getvalue()
    else:
        text = treemap(scored) if kind == ".html" else f"# {scored.rubric.name}\n\n{scored}\n"
    out.write_text(text, encoding="utf-8")
    return str(out)


def treemap(scored: Scored) -> str:
    """One page from disk: a tile a row, its area by the rubric's `size`, its score as a number and a shade; a table."""
    tiles = sorted((one for one in scored.scores if one.size > 0), key=lambda one: (-one.size, one.row))
    width, height = 1080.0, 560.0
    places = tiled([one.size for one in tiles], width, height)
    made = Environment(loader=FileSystemLoader(Path(__file__).parents[1] / "partner"), autoescape=True)
    made.filters.update(clean=clean, score=_plain)
    return made.get_template("treemap.html.j2").render(
        scored=scored, tiles=list(zip(tiles, places, strict=True)), bands=BANDS, columns=_COLUMNS, width=width,
        height=height, light=Markup(colour_variables("light")), dark=Markup(colour_variables("dark")),
    )  # fmt: skip
