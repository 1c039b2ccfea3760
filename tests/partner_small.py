"""A person who never was, with a corpus of two books and a letter; and another person with one file."""

from __future__ import annotations

import json
from pathlib import Path

from memexlab.memory import Memory
from memexlab.partner.corpus import take_in

PERSON = "Mary Harbour"
FILES: dict[str, tuple[str, str, str]] = {
    "tides.txt": (
        "book", "1851",
        "CHAPTER I.\n\nI believe that every slow tide shapes the harbour more than any storm. A storm takes the sand "
        "away, and the tide brings it back again before the summer. The mud keeps a record of each winter 😀 for those "
        "who can read it.\n\nIt is not true that the moon alone rules the water. The wind has a share in every "
        "flood.\n\n"
        "In fifty years the old channel will be closed, and ships will lie in the northern bay.\n",
    ),
    "letter-1860.txt": (
        "letter", "1860-04-02",
        "My dear Fox,\n\nI believe that the slow tide shapes a harbour more than storms do. I measured the mud with "
        "Lyell for three winters. Pray tell me whether the oysters of the northern bay thrive.\n\nYours truly, M. H.\n",
    ),
    "late.txt": (
        "book", "1872",
        "CHAPTER I.\n\nOf the lighthouse I have changed my opinion. I now think that a lighthouse on the northern rock "
        "would save forty ships a year.\n",
    ),
    "said.txt": ("book", "1880", "Foreword.\n\n\"The harbour is a machine of mud,\" she never wrote.\n"),
}  # fmt: skip
OTHER = "Tom Quay"


def small_lab(root: Path) -> Memory:
    """The lab at `root`, with both corpora taken in."""
    memory = Memory(root / ".memex")
    for person, names in ((PERSON, ["tides.txt", "letter-1860.txt", "late.txt"]), (OTHER, ["said.txt"])):
        folder = root / person.split()[0]
        folder.mkdir(parents=True, exist_ok=True)
        rows = []
        for name in names:
            kind, date, text = FILES[name]
            (folder / name).write_text(text, encoding="utf-8")
            told = {"path": name, "kind": kind, "date": date, "author": person, "title": name.partition(".")[0]}
            rows.append(json.dumps(told | {"licence": "CC0"}))
        (folder / "manifest.jsonl").write_text("\n".join(rows) + "\n")
        take_in(memory, root, [folder], person, "human:ada")
    return memory
