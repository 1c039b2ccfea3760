"""What changed between two runs: read from their settings, from their source or, last of all, from somebody's words.

It does not know whether a change was good. Text that it cannot read gives no change: a guess would be taken for a fact.
"""

from __future__ import annotations

import ast
import copy
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from typing import Literal, TypeGuard

from ...ledger import Scalar, UsageError
from .heading import heading_of
from .knobs import Knob, parsed, read_knobs
from .names import SHIPPED, WORDS, Aliases, Written, choice_of, is_knob, normal_knob, read_number

Direction = Literal["up", "down", "set", "add", "remove", "swap", "edit"]
#: The knob that stands for everything in the code that is no knob.
CODE = "code"
#: What a text says was left as it was: "depth 10 at the same dim 640".
_KEPT = re.compile(
    r"(?i),? *\b(?:(?:at|with|but|on|and|keep(?:ing)?) )*(?:the )?same (?:\d+ )?[a-z_]+\b(?: \d+\b)?(?=$|[ ,;(])"
)
#: The component of a change to code outside any function or class.
MODULE = "<module>"


@dataclass(frozen=True, slots=True)
class Change:
    """One typed edit; the opposite edit is never equal to it.

    `magnitude` is the number of doublings (log2 of the ratio) where both values are positive or the text named a
    factor, the difference between other numbers, and None where that is not known. A structural edit has no `knob`.
    """

    component: str
    knob: str
    old: Scalar
    new: Scalar
    direction: Direction
    magnitude: float | None


def changes_between(old: Mapping[str, Scalar], new: Mapping[str, Scalar]) -> tuple[Change, ...]:
    """What differs between the settings of two runs, in the order of `old`, then of `new`; knobs as named there."""
    return tuple(
        _changed(_component(name), name, old.get(name), new.get(name), name in old, name in new)
        for name in dict.fromkeys([*old, *new])
        if (name in old) != (name in new) or not equal_values(old[name], new[name])
    )


def code_change(description: str, code: str) -> Change:
    """What a run changed besides its knobs, as one edit: named by its description, told apart by a hash of the code.

    Without it a run that moved one knob and fifty lines would be evidence on the knob alone.
    """
    return Change("", CODE, None, f"{description.strip()[:80]} [{code}]", "edit", None)


def changes_in_source(old: str, new: str) -> tuple[Change, ...]:
    """Knobs first, then functions, methods and classes that were added, removed or edited, then the module's own code.

    Formatting, comments, docstrings and the order of definitions do not count. `old` and `new` of a structural change
    are short signatures that stay the same from one machine to the next. Raises UsageError for source that does not
    parse.
    """
    knobs = read_knobs(old), read_knobs(new)
    values = tuple({name: knob.value for name, knob in side.items()} for side in knobs)
    found = list(changes_between(*values))
    try:
        before, after = _signatures(old, knobs[0]), _signatures(new, knobs[1])
    except RecursionError as error:
        raise UsageError("line 1 on is nested too deeply to be compared", "split the longest expression") from error
    for component in dict.fromkeys([*before, *after]):
        was, now = before.get(component), after.get(component)
        if was != now:
            direction: Direction = "add" if was is None else "remove" if now is None else "edit"
            found.append(Change(component, "", was, now, direction, None))
    return tuple(found)


def changes_in_text(description: str, aliases: Aliases = SHIPPED) -> tuple[Change, ...]:
    """What a free description says was changed, knobs by their normal names; empty where it cannot tell.

    Only the heading is read. What stands in brackets counts where nothing outside of them does. An undone change is
    given the other way round: "undo LR 0.1 to 0.2" is 0.2 to 0.1, and "undo LR 0.2" goes from 0.2 to what is not said.
    """
    heading = heading_of(description)
    outside = changes_in_words(heading.words, aliases, heading.undone, heading.remark)
    return outside or changes_in_words(heading.aside, aliases, heading.undone)


@lru_cache(maxsize=4_096)
def changes_in_words(
    text: str, aliases: Aliases = SHIPPED, undone: bool = False, remark: str = ""
) -> tuple[Change, ...]:
    """What the words of a heading, or those in its brackets, say was changed; `remark` may tell which way one went."""
    found = tuple(dict.fromkeys(_in_clauses(_KEPT.sub("", text) or text, aliases)))
    if len({(c.knob, c.old, c.new) for c in found}) != len({c.knob for c in found}):
        return ()  # two different things said of one knob: the text is about more than one run
    leans = {_LEANS[word] for word in remark.lower().split()[:3] if word in _LEANS}
    if len(found) == 1 and len(leans) == 1 and found[0].direction == "set" and found[0].old is None:
        found = (replace(found[0], direction=leans.pop()),)
    return tuple(map(_undone, found)) if undone else found


def _undone(change: Change) -> Change:
    magnitude = None if change.magnitude is None else -change.magnitude
    return replace(
        change,
        old=change.new,
        new=change.old,
        direction=_BACK.get(change.direction, change.direction),
        magnitude=magnitude,
    )


# --- settings


def _component(name: str) -> str:
    if "." not in name:
        return ""
    own = name.rpartition(":")[2].partition("[")[0]
    return own.rpartition(".")[0]


def equal_values(old: Scalar, new: Scalar) -> bool:
    """Whether two values of a knob are one: 4 and 4.0, but not 1 and True."""
    if old == new:
        return True
    if not (_is_number(old) and _is_number(new) and (isinstance(old, float) or isinstance(new, float))):
        return False
    try:
        return math.isclose(old, new, rel_tol=1e-12, abs_tol=0.0)
    except OverflowError:
        return False


def _is_number(value: Scalar) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _changed(component: str, knob: str, old: Scalar, new: Scalar, was: bool = True, now: bool = True) -> Change:
    direction: Direction = "set"
    magnitude: float | None = None
    if not was or not now:
        direction = "add" if now else "remove"
    elif isinstance(old, bool) and isinstance(new, bool):
        direction = "add" if new else "remove"
    elif _is_number(old) and _is_number(new):
        direction, magnitude = "up" if new > old else "down", _magnitude(old, new)
    elif isinstance(old, str) and isinstance(new, str):
        direction = "swap"
    return Change(component, knob, old, new, direction, magnitude)


def _magnitude(old: int | float, new: int | float) -> float | None:
    try:
        size = math.log2(new / old) if old > 0 and new > 0 else float(new - old)
    except (OverflowError, ValueError):  # a ratio beyond the floats, or of them all rounded to 0
        return None
    return size if math.isfinite(size) else None


# --- source


class _Bare(ast.NodeTransformer):
    """Leaves of a component only what is its own code: no docstring, no nested definition, no value of a knob."""

    def __init__(self, knobs: Mapping[str, Knob]) -> None:
        self.at = {(knob.line, knob.col, knob.end_col): name for name, knob in knobs.items()}

    def visit(self, node: ast.AST) -> ast.AST | None:
        if isinstance(node, ast.expr):
            name = self.at.get((node.lineno, node.col_offset, node.end_col_offset or 0))
            return ast.Name(f"<{name}>", ast.Load()) if name else self.generic_visit(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return None
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return None
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            parts = node.value.elts if isinstance(node.value, ast.Tuple | ast.List) else [node.value]
            places = [(part.lineno, part.col_offset, part.end_col_offset or 0) for part in parts]
            if parts and all(place in self.at for place in places):
                return None
        return self.generic_visit(node)


def _signatures(source: str, knobs: Mapping[str, Knob]) -> dict[str, str]:
    bare = _Bare(knobs)
    found: dict[str, str] = {}

    def walk(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = f"{prefix}{node.name}"
                own = copy.copy(node)
                own.body = []
                header = bare.generic_visit(own)
                kept = [_dumped(header), *(_dumped(bare.visit(copy.deepcopy(part))) for part in node.body)]
                form = "class" if isinstance(node, ast.ClassDef) else f"def({_arguments(node)})"
                found[name] = f"{form} {_digest(kept)}"
                walk(node.body, f"{name}.")
            else:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.stmt):
                        walk([child], prefix)

    tree = parsed(source)
    walk(copy.deepcopy(tree).body, "")
    kept = [part for part in (_dumped(bare.visit(node)) for node in tree.body) if part]
    return {**found, MODULE: _digest(kept)} if kept else found


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    arguments = node.args
    return ", ".join(a.arg for a in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs])


def _dumped(node: object) -> str:
    """A syntax tree as text. Empty fields are left out, so that a Python which knows more of them says the same."""
    if isinstance(node, list):
        return f"[{','.join(map(_dumped, node))}]"
    if not isinstance(node, ast.AST):
        return "" if node is None else repr(node)
    fields = ((name, getattr(node, name, None)) for name in node._fields if name != "ctx")
    inside = ",".join(f"{name}={_dumped(value)}" for name, value in fields if value is not None and value != [])
    return f"{type(node).__name__}({inside})"


def _digest(parts: list[str]) -> str:
    return sha256("\n".join(part for part in parts if part).encode("utf-8", "surrogatepass")).hexdigest()[:8]


# --- text

_BACK: dict[Direction, Direction] = {"up": "down", "down": "up", "add": "remove", "remove": "add"}
_NAME = re.compile(r"[^\W\d][\w.\-\[\]]*")
_TOKEN = re.compile(r"->|=|[^\s=]+")
#: A participle may also describe the thing itself ("decreasing init"), so it needs a number beside it.
_PARTICIPLE = {"increasing": 1, "raising": 1, "decreasing": -1, "reducing": -1, "lowering": -1}
_ADD, _REMOVE, _REPLACE = WORDS["add"], WORDS["remove"], WORDS["replace"]
_FACTORS = {"double": 2.0, "doubled": 2.0, "doubling": 2.0, "halve": 0.5, "halved": 0.5, "halving": 0.5, "half": 0.5}
_FACTORS |= {"triple": 3.0, "tripled": 3.0, "quadruple": 4.0, "quadrupled": 4.0}
#: Verbs that name the knob they change.
_WHAT = {"widen": "increase width", "narrow": "reduce width", "deepen": "increase depth"}
#: Which way the verbs go that a change is told with.
VERBS: dict[str, Direction] = {**dict.fromkeys(WORDS["up"], "up"), **dict.fromkeys(WORDS["down"], "down")}
VERBS |= {**dict.fromkeys(_ADD, "add"), **dict.fromkeys(_REMOVE, "remove"), **dict.fromkeys(_REPLACE, "set")}
VERBS |= {verb: "up" if lean > 0 else "down" for verb, lean in _PARTICIPLE.items()}
VERBS |= {"widen": "up", "deepen": "up", "narrow": "down"}
VERBS |= {verb: "up" if factor > 1 else "down" for verb, factor in _FACTORS.items()}
#: What people say after a dash of the value itself, and not of what they hope for.
_LEANS: dict[str, Direction] = {"higher": "up", "wider": "up", "faster": "up", "larger": "up"}
_LEANS |= {"lower": "down", "tighter": "down", "slower": "down", "smaller": "down"}
_FILLERS = WORDS["fillers"]
MAX_NAME_WORDS = 5
_NAME_NO_KNOB = _FILLERS | (VERBS.keys() - _REMOVE - _REPLACE) | {"to", "->", "=", "-", "~"}


def _in_clauses(text: str, known: Aliases) -> Iterator[Change]:
    for clause in re.split(r"\s*[;]\s*|,\s+|\s+(?:\+|&|and|plus)\s+", text):
        first = _WHAT.get(clause.partition(" ")[0].lower(), "")
        clause = f"{first} {clause.partition(' ')[2]}" if first else clause
        tokens = [token.strip(",:`'\"") for token in _TOKEN.findall(clause)]
        tokens = [token for token in tokens if token]
        if tokens and not {token.lower() for token in tokens} & WORDS["veto"]:
            yield from _in_clause(tokens, known)


def _in_clause(tokens: list[str], known: Aliases) -> Iterator[Change]:
    if (replaced := _replacement(tokens, known)) is not None:
        yield replaced
    elif steps := list(_steps(tokens, known)):
        yield from steps
    elif (said := _said(tokens, known)) is not None:
        yield said


def _steps(tokens: list[str], known: Aliases) -> Iterator[Change]:
    """Every `NAME 0.04 to 0.05` of a clause, then every `NAME 9` where NAME is known for a knob or joined by `=`."""
    numbers = [read_number(token) for token in tokens]
    start = index = 0
    verb = tokens[0].lower()
    while index < len(tokens):
        old = numbers[index]
        if old is None:
            index += 1
            continue
        pair = index + 2 < len(tokens) and tokens[index + 1].lower() in ("->", "to")
        new = numbers[index + 2] if pair else None
        before = _knob_of(tokens[start:index], known)
        if new is not None:
            after = [] if before else tokens[index + 3 : index + 3 + MAX_NAME_WORDS]
            knob = before or _knob_of(after, known)
            if knob and not equal_values(old.value, new.value):
                yield _changed("", knob, old.value, new.value)
            index += 3 + len(after)
        else:
            one = _one_number(tokens, start, index, old, verb, known)
            if one is not None:
                yield one
            index += 1
        start = index


def _one_number(tokens: list[str], start: int, index: int, number: Written, verb: str, known: Aliases) -> Change | None:
    before = tokens[start:index]
    if verb in _REMOVE or (index + 1 < len(tokens) and tokens[index + 1].lower() in ("->", "%")):
        return None
    last = before[-1].lower() if before else ""
    if last == "=":
        of = [word for word in before[-3:-2] if choice_of(word, known)]  # whose knob: "Muon beta2=0.98"
        knob = _knob_of([*of, *before[-2:-1]], known)
        return Change("", knob, None, number.value, "set", None) if knob else None
    if verb in _ADD:
        rest = tokens[index + 1 :]
        to = [*rest[1:], *before] if rest and rest[0].lower() == "to" else [*before, *([] if before[1:] else rest)]
        knob = _knob_of([word for word in to if word.lower() not in _ADD], known)
        return Change("", knob, None, number.value, "add", None) if knob else None
    knob = _knob_of(before, known)
    sense = _sense(verb)
    if number.factor or (last == "by" and number.percent):
        knob = knob or _knob_of(tokens[index + 1 :], known)
        if sense == "set" and not is_knob(knob, known) and "_" not in " ".join(before):
            return None
        return _scaled(knob, _factor(number, sense), sense) if knob else None
    if not knob:
        return None
    if last == "by":
        return Change("", knob, None, None, sense, None) if sense != "set" else None
    if last in ("to", "->") or is_knob(knob, known) or any("_" in word or word.isupper() for word in before):
        return Change("", knob, None, number.value, sense, None)
    return None


def _sense(verb: str) -> Direction:
    said = VERBS.get(verb, "set")
    return said if said in ("up", "down") and verb not in _FACTORS else "set"


def _factor(number: Written, sense: Direction) -> float:
    if number.percent:
        return 1 - number.value if sense == "down" else 1 + number.value
    return 1 / number.value if sense == "down" and number.value > 1 else float(number.value)


def _scaled(knob: str, factor: float, sense: Direction) -> Change | None:
    if factor <= 0 or factor == 1 or (sense == "up" and factor < 1):
        return None
    return Change("", knob, None, None, "up" if factor > 1 else "down", math.log2(factor))


def _said(tokens: list[str], known: Aliases) -> Change | None:
    """A clause with no number in it that counts: a verb and a knob, or a value that belongs to a choice."""
    words = [token.lower() for token in tokens]
    verb, rest = words[0], tokens[1:]
    for factor, named in ((verb, rest), (words[-1], tokens[:-1])):
        if factor in _FACTORS:
            knob = _knob_of(named, known)
            return _scaled(knob, _FACTORS[factor], "set") if knob else None
    if verb in _ADD or verb in _REMOVE or words[:2] in (["turn", "on"], ["turn", "off"]):
        added = verb in _ADD or words[:2] == ["turn", "on"]
        named = [word for word in (rest[1:] if verb == "turn" else rest) if read_number(word) is None]
        knob = _knob_of(named, known) if 0 < len(named) <= MAX_NAME_WORDS and "to" not in words else ""
        if not knob or (verb == "no" and not is_knob(knob, known)):
            return None
        numbers = [] if added else [number.value for word in rest if (number := read_number(word))]
        return Change("", knob, numbers[0] if len(numbers) == 1 else None, None, "add" if added else "remove", None)
    sense = _sense(verb) if verb not in _PARTICIPLE else "set"
    if sense != "set":
        knob = _knob_of(rest, known)
        return Change("", knob, None, None, sense, None) if knob and is_knob(knob, known) else None
    return _chosen(tokens, known)


def _chosen(tokens: list[str], known: Aliases) -> Change | None:
    words = [token for token in tokens if token.lower() not in _FILLERS]
    patterns = [word for word in words if re.fullmatch(r"[SL]{3,}", word)]
    if len(patterns) == 1 and len(words) <= 3:
        return Change("", "window_pattern", None, patterns[0], "set", None)
    values = [word for word in words if choice_of(word, known)]
    if len(values) != 1 or len(words) > 3:
        return None
    choice = choice_of(values[0], known)
    knob = normal_knob(" ".join(word for word in words if word != values[0]), known) or choice
    return Change("", knob, None, values[0].lower(), "set", None) if knob.endswith(choice) else None


def _replacement(tokens: list[str], known: Aliases) -> Change | None:
    """`replace A with B`, `swap A for B`, `B instead of A`, `A -> B`, `switch to B` and, for known values, `A to B`."""
    words = [token.lower() for token in tokens]
    verb = words[0]
    old: list[str] = []
    new: list[str] = []
    if "instead" in words and words[words.index("instead") + 1 :][:1] == ["of"]:
        at = words.index("instead")
        new, old = tokens[:at], tokens[at + 2 :]
    elif verb in _REPLACE and ("with" in words or "for" in words or "by" in words) and verb not in ("use", "change"):
        at = next(i for i, word in enumerate(words) if word in ("with", "for", "by"))
        old, new = tokens[1:at], tokens[at + 1 :]
    elif "->" in words or "to" in words:
        at = words.index("->") if "->" in words else words.index("to")
        old, new = tokens[:at], tokens[at + 1 :]
    old = [word for word in old if word.lower() not in _FILLERS | _REPLACE]
    new = [word for word in new if word.lower() not in _FILLERS | _REPLACE]
    if not new or any(read_number(word) for word in (*old[-1:], *new[:1])):
        return None
    if "->" in words and len(old) > 1 and len(new) == 1 and all("_" in word or word.isupper() for word in old[:-1]):
        knob = _knob_of(old[:-1], known)
        return _changed("", knob, _value(old[-1]), _value(new[0])) if knob and old[-1] != new[0] else None
    choices = {choice_of(word, known) for word in (*old[-1:], new[0])} - {""}
    explicit = verb in {"replace", "replaced", "replacing", "swap", "swapped"} or "instead" in words or "->" in words
    short = len(old) <= MAX_NAME_WORDS and len(new) <= MAX_NAME_WORDS
    if len(choices) == 1 and (explicit or choice_of(new[0], known)) and short:
        was = old[-1].lower() if old and (choice_of(old[-1], known) or explicit) else None
        named = was is not None or verb in _REPLACE or normal_knob(" ".join(old), known) in choices
        if not named or was == new[0].lower():
            return None
        choice = choices.pop()
        around = (*old[:-1], *new[1:])
        of = [word for word in around if normal_knob(word, known) not in (choice, choice_of(word, known))]
        knob = normal_knob(" ".join([*dict.fromkeys(of), choice]), known)
        return Change("", knob, was, new[0].lower(), "swap" if was else "set", None)
    if explicit and old and short and not choices:
        was, now = normal_knob(" ".join(old), known), normal_knob(" ".join(new), known)
        return Change("", was, was, now, "swap", None) if was and now and was != now else None
    return None


def _value(word: str) -> Scalar:
    return {"true": True, "false": False}.get(word.lower(), word)


def _knob_of(tokens: list[str], known: Aliases) -> str:
    """The normal name in these words, or '' where they are too many, none, or name something that is measured."""
    words = [word for word in tokens if word.lower() not in _NAME_NO_KNOB]
    if not words or len(words) > MAX_NAME_WORDS or any(not _NAME.fullmatch(word) for word in words):
        return ""
    if any(word.lower() in WORDS["measured"] for word in words) or all(read_number(word) for word in words):
        return ""
    return normal_knob(" ".join(words), known)
