"""The heading of a description: what its first sentence says was done, without what a log puts around it.

It knows how people write logs: labels, results, brackets, words for undoing. It does not know what the words mean.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from .names import SHIPPED, WORDS, Aliases, normal_knob, read_number

_ARROWS = re.compile(r"\s*(?:→|⟶|➜|➔|⇒|=>|-+>)\s*")
#: What a log puts before what was done: a number, a step, a verdict, the words for a commit.
_LABEL = re.compile(
    r"(?i:results?: (?:keep|discard|crash) |experiment: |exp[ #]?\d\w*(?: [-—])? |[\w-]+: "
    r"|(?:[\w.-]+ ){0,4}?(?:exp|v)[ #]?\d\w*(?:/\d+\w*)*(?: (?:[-—] |jax — )|: ))+"
)
_UNDO = re.compile(r"(?i:undo|undid|undone|revert|reverted|reverting|roll back|rollback|restore\b.*?\bafter)\b")
_RESULT = re.compile(r"(?<=\d): (?=[-+~]?\d)|\s*: (?=val_|loss|crash|fail|hung|skip)|(?<=\s): ", re.IGNORECASE)
_WAS = re.compile(
    r"(?<=[\s=])([^\s=()]+) "
    r"\((?:(?:was|(?:up |down )?from|(?:lower|higher) than default) ([^\s(),]+)|vs ([^\s(),]+) default)\)"
)
#: `NAME=(0.9, 0.95)` sets two knobs.
_PAIR = re.compile(r"([^\W\d]\w*) ?= ?\(([^\s(),]+), ?([^\s(),]+)\)")
#: Where it was tried, and not what was tried: the size of the model of that day.
_CONTEXT = re.compile(r" (?:at|@) D\d+/\d+\b")
_WORD = re.compile(r"->|[-+]?(?<![\w.])\.?\d[\w.^*/%]*(?:(?<=[eE])[-+]\d+)?|[^\W\d][\w^²]*(?:\[\d+\])?")
#: A sentence that says why, before the one that says what.
_WHY = re.compile(r"(?i:bottleneck|problem|observation|symptom|diagnosis): [^\n]*?(?:[.!]\s+|$)")
#: A name written as in code takes two words as its values: `SYNCHRONOUS off to full`.
_VALUES = re.compile(r"\b([A-Z][A-Z0-9_]{2,}) (\w+) to (\w+)\b")
#: Nobody says what was changed later than this.
MAX_TEXT_CHARS = 500


@dataclass(frozen=True, slots=True)
class Heading:
    """The part of a description that says what was done, in plain words.

    Beside it what stood in its brackets, whether it says that this was undone, and what follows its first dash.
    """

    words: str
    aside: str
    undone: bool
    remark: str


@lru_cache(maxsize=4_096)
def heading_of(description: str) -> Heading:
    """The first sentence, without labels ("exp12:", "results: keep"), results and the words for undoing."""
    text, remark = _plain(description)
    undone = _UNDO.match(text)
    if undone:
        text, later = _plain(text[undone.end() :].strip(" .!\"'`"))
        remark = later or remark
    text = _CONTEXT.sub("", _PAIR.sub(r"\1[0]=\2, \1[1]=\3", _WAS.sub(_from_what_was, text)))
    text = re.sub(r"\((\s*\S+\s*->\s*\S+\s*)\)", r" \1 ", text)
    inside: list[str] = []
    while found := re.search(r"\(([^()]*)\)", text):
        inside.append("" if found[1].startswith("hypothesis") else found[1])
        text = f"{text[: found.start()]} {text[found.end() :]}"
    text = _RESULT.split(text.partition("(")[0], maxsplit=1)[0].strip()
    return Heading(text, " ; ".join(inside), bool(undone), remark)


def _plain(text: str) -> tuple[str, str]:
    text = re.sub(r"[^\S\n]+", " ", text.strip())[:MAX_TEXT_CHARS]
    text = text.replace("−", "-").replace("×", "x").replace("–", "—")
    text = _ARROWS.sub(" -> ", text)
    text = _VALUES.sub(r"\1 \2 -> \3", _WHY.sub("", text, count=1) if _WHY.match(text) else text)
    label = _LABEL.match(text)
    text = text[label.end() :] if label else text
    first, _, remark = re.split(r"[.!]\s+|\n", text, maxsplit=1)[0].partition("—")
    return first.strip(" .!\"'`"), remark.strip(" .!\"'`")


def _from_what_was(found: re.Match[str]) -> str:
    old = found[2] or found[3]
    return f"{old} -> {found[1]}" if read_number(old) and read_number(found[1]) else found[0]


def words_of(text: str, aliases: Aliases = SHIPPED) -> list[str]:
    """Its words, lower case, spelled as the alias table has them; numbers as their values."""
    found: list[str] = []
    for exact, group in groupby(_WORD.findall(text), lambda word: word == "->" or read_number(word) is not None):
        run = list(group)
        found += map(_as_value, run) if exact else normal_knob(" ".join(run), aliases).split("_")
    return found


def other_unit(a: str, b: str) -> bool:
    """Whether two texts count one number in different units: 100 steps and 100 tokens."""
    units = ({_as_value(n): u.lower().rstrip("s") for n, u in re.findall(r"(\S+)(?= (\w+))", text)} for text in (a, b))
    one, two = ({n: u for n, u in side.items() if u in WORDS["units"]} for side in units)
    return any(two.get(number, unit) != unit for number, unit in one.items())


def _as_value(word: str) -> str:
    number = read_number(word)
    return word if number is None else f"{'*' if number.factor else ''}{number.value!r}"
