"""A compile that resolves only what is new writes the bytes of one that resolves everything."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import sys
import threading
from contextlib import closing, suppress
from pathlib import Path

import pytest

from memexlab.api import Lab
from memexlab.commands.ingest import Taken
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
#: What a person may do, and how often.
KINDS = {"add": 10, "change": 4, "delete": 3, "many": 2, "same": 1, "schema": 1, "edit": 2, "reword": 3, "strike": 2,
         "rename": 2, "answer": 3, "settle": 2, "move": 2, "copy": 1}  # fmt: skip
QUESTION = re.compile(r"Question: page ([^,]+), section ([^:]+):[^\n]*\n<<<[^\n]*\n((?:c[0-9a-f]{10} [^\n]*\n)+)")


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
    # The line of a page is known once the page is written: an answer is none the other for it.
    plain = re.sub(r'(wiki/[^"#]*?\.md)#L\d+(?:-L\d+)?', r"\1", json.dumps(answers, ensure_ascii=False))
    plain = re.sub(r'("source": "wiki/[^"]*"(?:, "(?:line|last_line)": \d+)*)', lambda m: m[0].split(",")[0], plain)
    return [*json.loads(plain), lab.review().data(), str(lab.ingest([lab.root / "raw"], brief=True))]


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
    kind = rng.choices([*KINDS], [*KINDS.values()])[0]
    if kind in ("change", "delete", "move", "copy") and not there:
        kind = "add"
    if kind in ("add", "many"):
        for part in range(1 if kind == "add" else 6):
            name = rng.choice([f"note {serial}-{part}.md", f"{rng.choice(PLACES)}.md"])
            (raw / name).write_text(note(rng), encoding="utf-8")
    elif kind == "change":
        rng.choice(there).write_text(note(rng), encoding="utf-8")
    elif kind == "delete":
        rng.choice(there).unlink()
    elif kind in ("move", "copy"):
        (shutil.move if kind == "move" else shutil.copy)(rng.choice(there), raw / f"there {serial}.md")
    elif kind == "same":
        one, other = rng.sample([*PLACES, *PEOPLE], 2)
        with suppress(UsageError, Refused):  # some are never joined
            lab.same(one, other, why="a test")
    elif kind == "schema":
        text = DEFAULT.read_text(encoding="utf-8").replace("What it is", rng.choice(["What it is", "What this is"]))
        (lab.root / "schema.md").write_text(text, encoding="utf-8")
    elif kind == "answer":
        by_agent(rng, lab)
    elif kind == "settle":
        waiting = [item.id for item in lab.review().items if item.kind == "contradiction"]
        if waiting:
            lab.review(rng.choice(waiting), "reject", why="a test")
    elif made := sorted((lab.root / "wiki").glob("*.md")):
        by_hand(rng, kind, rng.choice(made))
    if rng.random() < 0.3:
        lab.sync()
    return kind


def by_hand(rng: random.Random, kind: str, page: Path) -> None:
    """An edit of a page: a word more, another word in a line that states something, a line less, another name."""
    text = page.read_text(encoding="utf-8")
    stating = [line for line in text.split("\n") if " ^c" in line]
    if kind == "rename":
        if page.name not in ("index.md", "log.md"):
            page.rename(page.with_name(f"{rng.choice(['kiln', 'mine', 'red-kiln'])}.md"))
    elif kind == "edit" or not stating:
        page.write_text(f"{text}\nA word of my own.\n", encoding="utf-8")
    else:
        line, (old, new) = rng.choice(stating), rng.choice([("20", "70"), (" is ", " was "), (" the ", " a red ")])
        other = "" if kind == "strike" else line.replace(old, new)
        page.write_text(text.replace(line, other), encoding="utf-8")


def by_agent(rng: random.Random, lab: Lab) -> None:
    """An answer to one of the questions of the work order, in the words of one or two of its claims."""
    order = str(lab.ingest([lab.root / "raw"], brief=True))
    if found := QUESTION.findall(order):
        page, section, listed = rng.choice(found)
        claims = [line.partition(" ")[::2] for line in listed.splitlines()[-2:]]
        answer = {"page": page, "section": section, "sentences": [{"text": t, "cites": [c]} for c, t in claims]}
        (lab.root / "drafts.jsonl").write_text(json.dumps(answer) + "\n", encoding="utf-8")
        lab.land(lab.root / "drafts.jsonl")


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


@pytest.mark.slow
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
            kept = folder / ".memex" / "resolved.db"
            kept.write_bytes(damage)
            with closing(Lab(folder)) as other:  # what a question resolves is kept for the next, and renders nothing
                assert "list of birds" in str(other.ask("What is Note 1?"))
            assert kept.read_bytes() != damage
            assert lab.sync().wiki.written == 0
            assert pages(folder) == before


def test_words_of_a_person_stay_on_the_page_of_another_subject(tmp_path: Path) -> None:
    folder = repository(tmp_path / "lab")
    (folder / "raw" / "ada.md").write_text("# Ada Lovelace\n\nKiln is a tool that replaces PEP 12.\n")
    with closing(Lab(folder)) as lab:
        lab.ingest([folder / "raw"])
        page = folder / "wiki" / "ada-lovelace.md"
        head, mark, told = page.read_text().partition("## What it says of other things")
        assert mark
        page.write_text(head + mark + told.replace("is a tool", "was a tool", 1))
        assert lab.sync().found.changed == 1
        (folder / "raw" / "7.md").write_text("# Note 7\n\nNote 7 is a list of birds.\n")
        before = page.read_text()
        assert "was a tool" in before
        lab.ingest([folder / "raw" / "7.md"])
        assert page.read_text() == before
