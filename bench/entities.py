"""How well are names resolved? Precision and recall on labelled pairs; writes results/entities.md.

    python bench/entities.py

`same` is what rules join by themselves; `near` is proposed, and only a person or a model joins it. The rules were
written on the half called tuned; the other half was looked at once, and nothing was changed after that.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from memexlab.memory.entities import compare_names

HERE = Path(__file__).parent
PAIRS = HERE.parent / "tests" / "data" / "same_entities.tsv"


def judged() -> Iterator[tuple[str, str, str, str, str, str]]:
    with PAIRS.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            kind = "" if row["kind"] == "change" else f"{row['kind']}:"
            told = compare_names(kind + row["a"], kind + row["b"])
            yield row["split"], row["kind"], row["a"], row["b"], row["label"], told


def share(part: int, whole: int) -> str:
    return f"{part}/{whole} = {part / whole:.1%}" if whole else "none"


def table(rows: list[tuple[str, str, str, str, str, str]]) -> Iterator[str]:
    yield "| pairs | of | precision of same | recall | recall with proposals | opposites | joined | proposed |"
    yield "|---|---|---|---|---|---|---|---|"
    groups = [(split, split, None) for split in ("tuned", "held-out")]
    groups += [(f"{split}, {kind}", split, kind) for _, split, _ in groups for kind in sorted({row[1] for row in rows})]
    for name, split, kind in groups:
        found = Counter((row[4], row[5]) for row in rows if row[0] == split and kind in (None, row[1]))
        right, true = found["same", "same"], sum(n for (label, _), n in found.items() if label == "same")
        said = sum(n for (_, told), n in found.items() if told == "same")
        opposite = sum(n for (label, _), n in found.items() if label == "opposite")
        cells = [
            name,
            found.total(),
            share(right, said),
            share(right, true),
            share(right + found["same", "near"], true),
        ]
        cells += [opposite, found["opposite", "same"], found["opposite", "near"]]
        yield f"| {' | '.join(map(str, cells))} |"


def main() -> int:
    rows = list(judged())
    lines = ["# Names that are one", "", "Written by `python bench/entities.py`.", "", *table(rows), ""]
    lines += ["What was judged otherwise than labelled:", ""]
    lines += [
        f"- {row[0]}, {row[1]}: {row[2]} | {row[3]}: {row[4]}, judged {row[5]}" for row in rows if row[4] != row[5]
    ]
    text = "\n".join([*lines, ""])
    (HERE / "results" / "entities.md").write_text(text, encoding="utf-8")
    print(text)
    return int(any(row[4] == "opposite" and row[5] == "same" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
