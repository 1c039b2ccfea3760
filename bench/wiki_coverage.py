"""How much of what 20 documents say does a wiki compiled without a model state? 100 facts, drawn by rule beforehand.

    .venv/bin/python bench/wiki_coverage.py FOLDER_OF_PEPS [--seed 7]

Drawn before anything is compiled, from the raw text: 60 header fields, 38 PEPs that a document names in its prose, and
the 2 full dates in its prose. A fact is stated if the page of its document, footnotes left out, holds the value: of a
header on a line of its own with the name of the field, of a date in the sentence that it stands in.
"""

from __future__ import annotations

import argparse
import random
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from memexlab.commands.eval_wiki import pages, write_lab
from memexlab.memory import Memory
from memexlab.wiki.compiling import compile_paths
from memexlab.wiki.dates import dates

KINDS = {"header": 60, "named PEP": 38, "date": 2}
UNTOLD = ("PEP", "Title", "Version", "Last-Modified", "Content-Type")


def facts(name: str, text: str) -> Iterator[tuple[str, str, str, str]]:
    """(kind, document, field or '', value) of every fact that the rules see in one document."""
    head, _, body = text.partition("\n\n")
    for field, value in re.findall(r"(?m)^([A-Z][\w-]+): (.*(?:\n[ \t]+.*)*)", head):
        for part in re.split(r",\s*", value) if field not in ("Discussions-To", "Resolution") else [value]:
            if field not in UNTOLD and (told := " ".join(re.sub(r"<[^>]*>|`_*", "", part).split())):
                yield "header", name, field, told
    own = int(name[4:8])
    for number in dict.fromkeys(re.findall(r"(?:\bPEP |:pep:`)(\d+)", body)):
        if int(number) != own:
            yield "named PEP", name, "", f"PEP {int(number)}"
    for day, start, _ in dates(body):
        line = body[body.rfind("\n", 0, start) + 1 : body.find("\n", start)]
        if len(day) == 10 and re.match(r"[A-Za-z]", line) and not re.match(r"\.\. |[A-Z][\w-]+:", line):
            yield "date", name, "", day


def stated(fact: tuple[str, str, str, str], page: str) -> bool:
    kind, _, field, value = fact
    lines = [line for line in page.partition("\n# ")[2].split("\n") if not line.startswith("[^")]
    if kind == "date":
        return any(value in [day for day, _, _ in dates(line)] for line in lines)
    if kind == "named PEP":
        return any(re.search(rf"\b{value}\b", line) for line in lines)
    days = [day for day, _, _ in dates(value)]
    names = {"Replaces": "Supersedes", "Superseded-By": "Superseded by"}
    label = names.get(field, field).casefold()
    value = f"PEP {int(value)}" if value.isdigit() and field in (*names, "Requires") else value
    held = [line for line in lines if re.match(rf"- \*\*{re.escape(label)}:\*\*", line.casefold())]
    return any(value in line or any(day in line for day in days) for line in held)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    files = {path.name: path.read_text() for path in sorted(asked.folder.glob("pep-*.rst"))}
    chosen = rng.sample(sorted(files), 20)
    every = [fact for name in chosen for fact in dict.fromkeys(facts(name, files[name]))]
    drawn = []
    for kind, most in KINDS.items():
        found = [fact for fact in every if fact[0] == kind]
        drawn += rng.sample(found, min(most, len(found)))
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "lab"
        write_lab(root, files)
        memory = Memory(root / ".memex")
        compile_paths(memory, root, [root / "raw"], "human:eval")
        made = pages(root)
        memory.close()
    missed = [fact for fact in drawn if not stated(fact, made[f"pep-{int(fact[1][4:8])}.md"])]
    for kind in KINDS:
        of = [fact for fact in drawn if fact[0] == kind]
        print(f"| {kind} | {len(of) - sum(f in missed for f in of)} of {len(of)} |")
    print(f"| all | {len(drawn) - len(missed)} of {len(drawn)} |\n")
    for fact in missed:
        print("missed:", *fact)


if __name__ == "__main__":
    main()
