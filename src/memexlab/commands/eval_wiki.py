"""`memex eval wiki`: a corpus with a known answer is planted, compiled without a model, and compared with the answer.

The planted corpus: people, places and tools with facts; twins that say the same, contradictions, supersessions and
aliases, in sentences of several forms; some forms the compiler is not made for, so that coverage can be lost. It works
in a folder of its own and touches no lab.
"""

from __future__ import annotations

import random
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..memory import Memory
from ..wiki.compiling import Compiled, compile_paths

_ONSETS = re.findall(r"\w+", "b br d dr f g gr h k kr l m n p pr r s st t tr v w")
_NUCLEI = re.findall(r"\w+", "a e i o u ai ea or an el in")
_KINDS = {
    "bridge": ("height", "metres"),
    "tool": ("latency", "ms"),
    "reactor": ("output", "kW"),
    "tower": ("mass", "tons"),
}
#: Ways to say a value; the last two are not of a form that the compiler reads.
_READ = 5
_FORMS = (
    "The {rel} of {name} is {value} {unit}.", "{name}'s {rel} is {value} {unit}.",
    "{name} has a {rel} of {value} {unit}.",
    "At {value} {unit}, the {rel} of {name} surprised everybody.", "{name}: {rel} {value} {unit}.",
    "With {value} {unit}, {name} leads in {rel}.", "Nobody expected a {rel} as large as {value} {unit} of {name}.",
)  # fmt: skip
_FILLER = (
    "Visitors often come in spring, when the weather is mild.", "Nothing else is known about that year.",
    "The committee met again and discussed the budget for a long time.", "Several people wrote letters about it.",
    "A second survey is planned for later.", "Records from before are kept in the town hall.",
)  # fmt: skip


def name_of(rng: random.Random) -> str:
    return "".join(rng.choice(_ONSETS) + rng.choice(_NUCLEI) for _ in range(2)).capitalize() + rng.choice("kmnrst")


def planted(seed: int, subjects: int) -> tuple[dict[str, str], dict[str, list[tuple[str, ...]]]]:
    """Files by name, and what was planted: facts, contradictions, supersessions, aliases, twins."""
    rng = random.Random(seed)
    files: dict[str, str] = {}
    truth: dict[str, list[tuple[str, ...]]] = {k: [] for k in ("fact", "contradiction", "superseded", "alias", "agree")}
    used: set[str] = set()

    def fresh() -> str:
        while True:
            name = f"{name_of(rng)} {name_of(rng)}"
            if name not in used:
                used.add(name)
                return name

    def note(name: str, sentences: list[str], head: str = "") -> str:
        body = " ".join(x for s in sentences for x in (s, rng.choice(_FILLER)))
        day = f"20{rng.randint(10, 24)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
        path = f"{len(files):05d}.md"
        author = f"{name_of(rng)} {name_of(rng)}"
        files[path] = f"---\ntitle: {name}\ndate: {day}\nauthor: {author}\n{head}---\n\n# {name}\n\n{body}\n"
        return path

    previous = ""
    for number in range(subjects):
        name, kind = fresh(), rng.choice(sorted(_KINDS))
        rel, unit = _KINDS[kind]
        value = rng.randint(11, 989)
        form = rng.choice(_FORMS)
        said = form.format(name=name, rel=rel, value=value, unit=unit)
        told = [f"{name} is a {kind} near {previous or 'the sea'}.", said]
        year = rng.randint(1850, 2009)
        if rng.random() < 0.5:
            told.append(f"{name} was founded in {year}.")
            truth["fact"].append((name, "founded in", str(year), "0"))
        truth["fact"].append((name, rel, f"{value} {unit}", str(_FORMS.index(form))))
        head = ""
        if number % 7 == 3:
            alias = fresh()
            head = f"aliases: [{alias}]\n"
            truth["alias"].append((name, alias))
            note(f"Visit {number}", [f"Yesterday we saw {alias}, which everybody knows."])
        if number % 8 == 4 and previous:
            told.append(f"{name} replaces {previous}.")
            truth["superseded"].append((previous, name))
        note(name, told, head)
        if number % 5 == 0:
            other = value + rng.randint(1, 9)
            note(f"Survey {number}", [rng.choice(_FORMS[:3]).format(name=name, rel=rel, value=other, unit=unit)])
            truth["contradiction"].append((name, rel, str(_FORMS.index(form))))
        if number % 6 == 1:
            note(f"Report {number}", [rng.choice(_FORMS[:3]).format(name=name, rel=rel, value=value, unit=unit)])
            truth["agree"].append((name, rel))
        if number % 9 == 2:  # not a contradiction: another quantity, another time
            note(f"Cost {number}", [f"The price of {name} is {value + 3} {unit}."])
        previous = name
    return files, truth


def pages(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted((folder / "wiki").glob("*.md"))}


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What was measured, row by row: how many of how many, or a plain answer."""

    seed: int
    subjects: int
    rows: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        lines = [f"seed {self.seed}, {self.subjects} subjects, no model", "", "| what | result |", "|---|---|"]
        return "\n".join([*lines, *(f"| {what} | {result} |" for what, result in self.rows)])


def evaluate_wiki(subjects: int, seed: int) -> Evaluated:
    """Plants a corpus, compiles it at once, again, and one document at a time, and counts what came out."""
    files, truth = planted(seed, subjects)
    rows: list[tuple[str, str]] = [("documents", str(len(files)))]

    def row(what: str, part: int, whole: int) -> None:
        rows.append((what, rate(part, whole)))

    with tempfile.TemporaryDirectory() as place:
        lab = _Lab(Path(place) / "all", files)
        lab.ingest(files)
        made = pages(lab.root)
        by_title = {m[1]: text for text in made.values() if (m := re.search(r"(?m)^title: \"(.*)\"$", text))}
        claims = {tuple(row) for row in lab.memory.db.execute("SELECT subject, relation, object FROM claims")}
        read = [f for f in truth["fact"] if int(f[3]) < _READ]
        told = [f for f in truth["fact"] if (f[0], f[1], f[2]) in claims]
        row("facts found, forms the compiler reads", sum(f in told for f in read), len(read))
        row("facts found, all forms", len(told), len(truth["fact"]))
        values = {c for c in claims if c[1] in {r for r, _ in _KINDS.values()} | {"founded in"}}
        said = [c for c in values if any(str(c[2]).split(" ")[0] in t and str(c[0]) in t for t in files.values())]
        row("values claimed that a document says", len(said), len(values))
        links = [t for text in made.values() for t in re.findall(r"\[\[([^\]|]+)\|", text)]
        row("links whose page exists", sum(f"{t}.md" in made for t in links), len(links))
        found = {
            (title, rel.lower()) for title, text in by_title.items()
            for rel, kind in re.findall(r"> \[!contradiction\] ([^:\n]+): (\w+)", text)
        }  # fmt: skip
        planted_all = {(n, r) for n, r, _ in truth["contradiction"]}
        possible = {(n, r) for n, r, form in truth["contradiction"] if int(form) < _READ}
        row("contradictions found, both sides readable", len(found & possible), len(possible))
        row("contradictions found, all", len(found & planted_all), len(planted_all))
        row("contradictions shown that were planted", len(found & planted_all), len(found))
        replaced = {
            (title, new) for title, text in by_title.items()
            for new in re.findall(r"> \[!superseded\] Superseded by \[\[[^|]+\|([^\]]+)\]\]", text)
        }  # fmt: skip
        row("supersessions found", len(replaced & set(truth["superseded"])), len(truth["superseded"]))
        row("supersessions shown that were planted", len(replaced & set(truth["superseded"])), len(replaced))
        joined = [(n, a) for n, a in truth["alias"] if a not in by_title and a in by_title.get(n, "")]
        row("aliases without a page of their own", len(joined), len(truth["alias"]))
        mentioned = sum("Yesterday we saw" in by_title.get(n, "") for n, _ in truth["alias"])
        row("aliases whose use is shown on the page", mentioned, len(truth["alias"]))
        clear = [t for t in truth["agree"] if t not in planted_all]
        said_of = r"(?mi)^- (?:\*\*{0}:|.*\b{0}\b.*\^c)"
        twice = sum(len(re.findall(said_of.format(rel), by_title.get(n, ""))) > 1 for n, rel in clear)
        row("values said by two sources and printed twice", twice, len(clear))
        rows.append(("files written by a second ingest", str(lab.ingest(files).wiki.written)))
        some = sorted(files)[:60]
        whole, slow = (_Lab(Path(place) / name, {one: files[one] for one in some}) for name in ("whole", "slow"))
        whole.ingest(some)
        random.Random(seed).shuffle(some)
        for name in some:
            slow.ingest([name])
        same = pages(slow.root) == pages(whole.root)
        rows.append(("60 documents one at a time in random order: bytes equal", "yes" if same else "NO"))
        for one in (lab, whole, slow):
            one.memory.close()
    return Evaluated(seed, subjects, tuple(rows))


class _Lab:
    """A folder with these files under `raw/`, and the memory of it."""

    def __init__(self, root: Path, files: dict[str, str]) -> None:
        self.root = root
        write_lab(root, files)
        self.memory = Memory(root / ".memex")

    def ingest(self, names: Iterable[str]) -> Compiled:
        return compile_paths(self.memory, self.root, [self.root / "raw" / name for name in names], "human:eval")


def write_lab(root: Path, files: dict[str, str]) -> None:
    """A lab with these files under `raw/`."""
    (root / "raw").mkdir(parents=True)
    (root / ".memex").mkdir()
    (root / "memex.toml").write_text('[lab]\nname = "eval"\n')
    for name, text in files.items():
        (root / "raw" / name).write_text(text)


def rate(part: int, whole: int) -> str:
    return f"{part} of {whole}" + (f" ({100 * part / whole:.0f} %)" if whole else "")
