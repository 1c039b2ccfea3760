"""A compile that resolves only what is new writes the bytes of one that resolves everything."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import threading
from contextlib import closing, suppress
from pathlib import Path

import pytest

from memexlab.api import Lab
from memexlab.commands.compiling import Taken
from memexlab.ledger import Refused, UsageError
from memexlab.wiki.compiling import render
from memexlab.wiki.schema import DEFAULT

PLACES = ["Harbour Bridge", "Old Crossing", "Bay Ferry", "Steel Tower", "Steel Towers", "PEP 12", "PEP 0012", "PEP 7",
          "Kiln", "Kilns", "Ada M. Lovelace", "Red Kiln", "Red Kiln 2", "Straße", "The Works"]  # fmt: skip
PEOPLE = ["Ada Lovelace", "Ada M. Lovelace", "Grace Hopper", "Kiln Works", "Alan T. Ring"]
FORMS = (
    "The height of {a} is {n} metres.", "{a} is a tool that replaces {b}.", "{a} replaces {b}.",
    "{a} was founded in {y}.", "{a} is a bridge near {b}.", "Then {b} and {a} were seen by {p}.",
    "We saw {b} of {a} in May {y}.", "{b}: mass {n} kg.",
    "{a} is superseded by {b}.", "Nothing of the {x} is known, but {a} was there.", "See [[{b}]] and `{a}`.",
    "{a} was accepted.", "{a} was withdrawn in {y}.", "{p} built {a}, and {b} burns.",
)  # fmt: skip


def note(rng: random.Random) -> str:
    told = {"a": rng.choice(PLACES), "b": rng.choice(PLACES), "p": rng.choice(PEOPLE), "x": rng.choice(PEOPLE[:3])}
    said = [rng.choice(FORMS).format(**told | {"n": rng.randint(1, 3) * 10, "y": rng.randint(1990, 1993),
                                               "a": rng.choice([told["a"], rng.choice(PLACES)])})
            for _ in range(rng.randint(1, 5))]  # fmt: skip
    head = f"title: {told['a']}\n" if rng.random() < 0.8 else ""
    head += f"aliases: [{rng.choice(PLACES)}]\n" if rng.random() < 0.25 else ""
    head += f"author: {told['p']}\n" if rng.random() < 0.5 else ""
    head += f"date: 20{rng.randint(10, 12)}-0{rng.randint(1, 9)}-11\n" if rng.random() < 0.7 else ""
    head += f"type: {rng.choice(['technique', 'concept'])}\n" if rng.random() < 0.2 else ""
    return f"---\n{head}---\n\n# {told['a']}\n\n{' '.join(said)}\n"


def pages(root: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted((root / "wiki").glob("*.md"))}


def told(lab: Lab, asked: list[str]) -> list[object]:
    """What a lab answers, today and as of a month, and what waits there for a person."""
    answers = [lab.ask(question, as_of=day).data() for question in asked for day in (None, "2011-03")]
    return [*answers, lab.review().data()]


def from_nothing(lab: Lab, asked: list[str]) -> tuple[dict[str, str], list[object]]:
    """What one compile makes of the entries of a lab where none was kept, and what is answered before it."""
    other = lab.root.parent / "other"
    shutil.rmtree(other, ignore_errors=True)
    shutil.copytree(lab.root, other, ignore=shutil.ignore_patterns("wiki", "pages.db*", "resolved.db*", "index.*"))
    with closing(Lab(other)) as one:
        answers = told(one, asked)
        render(one.memory, other)
        return pages(other), answers


def change(rng: random.Random, lab: Lab, serial: int) -> str:
    """One thing that a person may do between two compiles."""
    raw, there = lab.root / "raw", sorted((lab.root / "raw").iterdir())
    kind = rng.choices(["add", "change", "delete", "many", "same", "schema", "edit"], [10, 4, 3, 2, 1, 1, 1])[0]
    if kind in ("change", "delete") and not there:
        kind = "add"
    if kind in ("add", "many"):
        for part in range(1 if kind == "add" else 6):
            name = rng.choice([f"note {serial}-{part}.md", f"{rng.choice(PLACES)}.md"])
            (raw / name).write_text(note(rng), encoding="utf-8")
    elif kind == "change":
        rng.choice(there).write_text(note(rng), encoding="utf-8")
    elif kind == "delete":
        rng.choice(there).unlink()
    elif kind == "same":
        one, other = rng.sample([*PLACES, *PEOPLE], 2)
        with suppress(UsageError, Refused):  # some are never joined
            lab.same(one, other, why="a test")
    elif kind == "schema":
        text = DEFAULT.read_text(encoding="utf-8").replace("What it is", rng.choice(["What it is", "What this is"]))
        (lab.root / "schema.md").write_text(text, encoding="utf-8")
    elif kind == "edit":
        made = sorted((lab.root / "wiki").glob("*.md"))
        if made:
            page = rng.choice(made)
            page.write_text(page.read_text(encoding="utf-8") + "\nA word of my own.\n", encoding="utf-8")
    return kind


def questions(rng: random.Random) -> list[str]:
    place, person, value = rng.choice(PLACES), rng.choice(PEOPLE), rng.choice(["10 metres", "20 metres", "30 metres"])
    return [
        f"What is the {rng.choice(['height', 'mass', 'author', 'status'])} of {place}?", f"What superseded {place}?",
        f"What is {place}?", f"How many sources have height {value}?", f"List documents by {person.split()[-1]}",
        "List PEPs with status accepted", "Which sources were superseded?", "List documents created in 2011",
    ]  # fmt: skip


def play(folder: Path, seed: int, turns: int, notes: int) -> None:
    rng = random.Random(seed)
    (folder / "lab" / "raw").mkdir(parents=True)
    (folder / "lab" / "memex.toml").write_text('[lab]\nname = "test"\n')
    for number in range(notes):
        (folder / "lab" / "raw" / f"first {number}.md").write_text(note(rng), encoding="utf-8")
    done = []
    with closing(Lab(folder / "lab")) as lab:
        lab.ingest([lab.root / "raw"])
        for turn in range(turns):
            asked, kept = questions(rng), lab.root / ".memex" / "resolved.db"
            told(lab, asked[:1])  # what is read now must not be told when it holds no more
            before = kept.read_bytes()
            done.append(change(rng, lab, turn))
            taken = lab.ingest([lab.root / "raw"])
            assert isinstance(taken, Taken)
            now, (fresh, answers) = pages(lab.root), from_nothing(lab, asked)
            assert now.keys() == fresh.keys(), (seed, done)
            for name, text in now.items():
                assert text == fresh[name], (seed, done, name)
            after = kept.read_bytes()
            assert told(lab, asked) == answers, (seed, done)
            kept.write_bytes(before)  # as if nobody had compiled what landed
            with closing(Lab(lab.root)) as later:
                assert told(later, asked) == answers, (seed, done)
            kept.write_bytes(after)


@pytest.mark.parametrize("seed", range(2))
def test_only_what_is_new_is_resolved_and_told_and_the_bytes_are_the_same(seed: int, tmp_path: Path) -> None:
    play(tmp_path, seed, 1, 4)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 30))
def test_twenty_histories_give_the_bytes_and_answers_of_a_compile_from_nothing(seed: int, tmp_path: Path) -> None:
    play(tmp_path, seed, 5, random.Random(seed).choice([3, 12, 30]))


def repository(folder: Path) -> Path:
    (folder / "raw").mkdir(parents=True)
    (folder / "memex.toml").write_text('[lab]\nname = "test"\n')
    git(folder, "init", "--quiet")
    for number in range(6):
        (folder / "raw" / f"{number}.md").write_text(f"# Note {number}\n\nNote {number} is a list of birds.\n")
    return folder


def git(folder: Path, *args: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *args], check=True, capture_output=True, text=True).stdout


@pytest.mark.slow
def test_two_that_ingest_at_once_both_commit(tmp_path: Path) -> None:
    folder = repository(tmp_path / "lab")
    command = [sys.executable, "-m", "memexlab", "--lab", str(folder), "ingest", "--json"]
    halves = [[str(folder / "raw" / f"{n}.md") for n in range(first, 6, 2)] for first in (0, 1)]
    both = [subprocess.Popen([*command, *half], stdout=subprocess.PIPE, text=True) for half in halves]
    told = [one.communicate()[0] for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert not any("wiki-commit" in said for said in told)
    assert git(folder, "status", "--porcelain", "--", "wiki") == ""
    assert len(git(folder, "ls-files", "wiki").split()) == 8
    assert pages(folder).keys() == {"index.md", "log.md", *(f"note-{n}.md" for n in range(6))}


def test_a_commit_waits_for_another_git(tmp_path: Path) -> None:
    folder = repository(tmp_path / "lab")
    lock = folder / ".git" / "index.lock"
    lock.touch()
    remover = threading.Timer(0.8, lock.unlink)
    remover.start()
    with closing(Lab(folder)) as lab:
        taken = lab.ingest([folder / "raw"])
    assert isinstance(taken, Taken)
    assert taken.compiled is not None
    assert taken.compiled.wiki.commit
    assert taken.compiled.findings == ()
    remover.join()


def test_what_was_kept_may_be_damaged_or_gone(tmp_path: Path) -> None:
    folder = repository(tmp_path / "lab")
    with closing(Lab(folder)) as lab:
        lab.ingest([folder / "raw"])
        before = pages(folder)
        for damage in (b"no database" * 100, b""):
            (folder / ".memex" / "resolved.db").write_bytes(damage)
            assert lab.sync().wiki.written == 0
            assert pages(folder) == before
