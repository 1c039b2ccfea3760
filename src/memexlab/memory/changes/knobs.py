"""Settings in Python source: found by syntax tree, written back token by token.

It runs no code and follows no import: a knob is a literal that one file names and reads.
"""

from __future__ import annotations

import ast
import difflib
import math
import operator
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from ...ledger import Scalar, UsageError

KnobKind = Literal["int", "float", "bool", "choice"]
#: Longer tuples and dictionaries are data, not settings.
MAX_ITEMS = 8
MAX_WORD_CHARS = 40
LONGEST_INT_BITS = 64
_WORD = re.compile(r"[A-Za-z0-9_][\w.+:=-]*(?: [\w.+:=-]+){0,2}")
_FILE_NAME = re.compile(r".*\.[A-Za-z][A-Za-z0-9]{0,5}")
#: Reading any of these reads all fields of a class at once.
_READS_ALL_FIELDS = frozenset({"asdict", "astuple", "vars", "fields", "__dict__", "_asdict"})

_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], object]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Pow: operator.pow, ast.LShift: operator.lshift,
}  # fmt: skip

#: Where a number is only shown, converted or counted, which makes no setting of it.
_SHOWING = frozenset({"print", "str", "repr", "float", "int", "list", "tuple", "len", "max", "min", "sum", "round"})
_MUTATING = frozenset({"append", "extend", "insert", "pop", "popitem", "clear", "update", "setdefault", "remove"})
#: The dotted name of what the command line sets: `args.lr` for `add_argument("--lr", default=0.1)`.
_ARGUMENTS = "args"

_Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_OF_SETTINGS = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.Pass, ast.Constant)


@dataclass(frozen=True, slots=True)
class Knob:
    """A setting and where its value stands: lines from 1, columns in UTF-8 bytes from 0, the end exclusive.

    `component` is '' for a module-level name, else the dotted name of the class or function it belongs to.
    """

    name: str
    value: Scalar
    kind: KnobKind
    component: str
    line: int
    col: int
    end_line: int
    end_col: int


def read_knobs(source: str) -> dict[str, Knob]:
    """Settings of a Python file by name: `LR`, `Config.lr`, `build.width`, `BETAS[0]`, `OPTIONS[depth]`, `args.lr`.

    A name that is bound twice, changed in place or never read is a variable or dead, so it is no knob; nor is a zero
    that is only added, shown or stored: something starts there. Where a file holds nothing but settings, for others to
    import, all of its names count. Raises UsageError, naming the line, where it does not parse.
    """
    tree = parsed(source)
    found = _named(tree)
    if not _only_settings(tree.body):
        changed, weighed = _changed_in_place(tree), _weighed(tree)
        found = {name: knob for name, knob in found.items() if not _is_a_start(knob, changed, weighed)}
    return found


def _named(tree: ast.Module) -> dict[str, Knob]:
    """What one name alone stands for and something reads."""
    for_others = _only_settings(tree.body)
    loads = _loaded(tree)
    attributes = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Load)}
    every_field = bool((loads | attributes) & _READS_ALL_FIELDS)
    found = list(_body_knobs(tree, "", None if for_others else loads))
    for scope, component in _scopes(tree.body, ""):
        if isinstance(scope, ast.ClassDef):
            found += _body_knobs(scope, component, None if for_others or every_field else attributes | loads)
        else:
            found += _default_knobs(scope, component)
    found += _argument_knobs(tree, None if every_field else attributes)
    count = Counter(knob.name for knob in found)
    found.sort(key=lambda knob: (knob.line, knob.col))
    return {knob.name: knob for knob in found if count[knob.name] == 1}


def settings(source: str) -> dict[str, Scalar]:
    """The values of all knobs of a Python file, in order."""
    return {name: knob.value for name, knob in read_knobs(source).items()}


def set_knobs(source: str, values: Mapping[str, Scalar]) -> str:
    """The source with these knobs changed and every other byte as it was.

    Raises UsageError for an unknown knob, or a value that cannot be written where the knob stands.
    """
    knobs = read_knobs(source)
    mark, body = ("\ufeff", source[1:]) if source.startswith("\ufeff") else ("", source)
    lines = body.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    data = b"".join(lines)
    edits: list[tuple[int, int, bytes]] = []
    for name, value in values.items():
        knob = knobs.get(name)
        if knob is None:
            near = difflib.get_close_matches(name, knobs, n=3) or list(knobs)[:8]
            raise UsageError(f"no knob {name!r} in this file", f"its knobs: {', '.join(near) or 'none'}")
        if _same(knob.value, value):
            continue
        start, end = starts[knob.line - 1] + knob.col, starts[knob.end_line - 1] + knob.end_col
        edits.append((start, end, _written(knob, value, data[start:end].decode()).encode()))
    for start, end, text in sorted(edits, reverse=True):
        data = data[:start] + text + data[end:]
    changed = mark + data.decode()
    after = _named(parsed(changed)) if edits else {}
    for name, value in values.items():
        if edits and (name not in after or after[name].value != value):
            hint = "give a finite number, true or false, or a short word"
            raise UsageError(f"{value!r} cannot stand as the value of {name}", hint)
    return changed


def alternatives(source: str) -> dict[str, tuple[str, ...]]:
    """For each choice knob, the words that the file itself compares it with or keeps under its key, sorted.

    Read from `NAME == "a"`, `NAME in ("a", "b")`, `match NAME`, and dictionaries with word keys that NAME indexes.
    """
    tree = parsed(source)
    tables = {
        target.id: _word_keys(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    words: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        subject, found = _words_beside(node, tables)
        if subject and found:
            words.setdefault(subject, set()).update(found)
    result: dict[str, tuple[str, ...]] = {}
    for name, knob in read_knobs(source).items():
        known = words.get(re.split(r"[.\[]", name.removeprefix(f"{knob.component}."))[0], set())
        if knob.kind == "choice" and known - {knob.value}:
            result[name] = tuple(sorted(known | {str(knob.value)}))
    return result


def written_float(value: float) -> str:
    """A float as a person writes it: 3e-4 below 1e-3 and from 1e5 on, else with a decimal point; never rounded."""
    digits = Decimal(repr(value))
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        text = f"{digits:f}"
        return text if "." in text else f"{text}.0"
    mantissa, _, exponent = f"{digits.normalize():e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def parsed(source: str) -> ast.Module:
    """The syntax tree; raises UsageError, naming the line, where the source does not parse."""
    try:
        return ast.parse(source.removeprefix("\ufeff"))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        wrong = f"line 1 on cannot be parsed: {error}"
        if isinstance(error, SyntaxError):
            wrong = f"line {error.lineno or 1} is not Python: {error.msg}"
        raise UsageError(wrong, "python -m py_compile FILE shows the place") from error


# --- finding


def _argument_knobs(tree: ast.Module, read: set[str] | None) -> Iterator[Knob]:
    for node in ast.walk(tree):
        name, more = _argument(node)
        if name and "default" in more and (read is None or name in read):
            yield from _knobs_of(f"{_ARGUMENTS}.{name}", more["default"], _ARGUMENTS)


def _argument(node: ast.AST) -> tuple[str, dict[str, ast.expr]]:
    """Where `parser.add_argument("--batch-size", default=64)` keeps what was given, and its keywords."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr != "add_argument":
        return "", {}
    more = {word.arg: word.value for word in node.keywords if word.arg}
    names = [n.value for n in (*node.args, *([more["dest"]] if "dest" in more else []))
             if isinstance(n, ast.Constant) and isinstance(n.value, str)]  # fmt: skip
    longest = next((n for n in names if n.startswith("--")), names[0] if names else "")
    return (names[-1] if "dest" in more else longest.lstrip("-").replace("-", "_")), more


def _changed_in_place(tree: ast.Module) -> set[str]:
    """Names whose items are assigned or that grow, as knobs are named: `m[lr]`, or `m[` where it may be any."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and not isinstance(node.ctx, ast.Load):
            key = node.slice.value if isinstance(node.slice, ast.Constant) else None
            found.add(f"{node.value.id}[{key}]" if isinstance(key, str) else f"{node.value.id}[")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _MUTATING:
            found.add(f"{_name(node.func.value)}[")
        elif isinstance(node, ast.ClassDef):
            stored = [n for n in ast.walk(node) if isinstance(n, ast.Attribute) and not isinstance(n.ctx, ast.Load)]
            found |= {f"{node.name}.{n.attr}" for n in stored if _name(n.value) in ("self", "cls", node.name)}
        elif isinstance(node, _Function):
            found |= {f"{node.name}.{name}=" for name in _bound(node.body)}
    return found


def _weighed(tree: ast.Module) -> set[str]:
    """Names that are a factor, are compared, asked for or handed on: what a setting is for, even where it is 0."""
    found: set[str] = set()
    for node in ast.walk(tree):
        parts: list[ast.expr] = []
        if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Add | ast.Sub):
            parts = [node.left, node.right]
        elif isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.If | ast.IfExp | ast.While):
            parts = [node.test]
        elif isinstance(node, ast.BoolOp):
            parts = node.values
        elif isinstance(node, ast.Call):
            parts = [word.value for word in node.keywords]
            parts += [] if _name(node.func) in _SHOWING | _MUTATING else node.args
        found |= {_name(part.value if isinstance(part, ast.Subscript) else part) for part in parts}
    return found


def _is_a_start(knob: Knob, changed: set[str], weighed: set[str]) -> bool:
    """Whether the program goes on from this value instead of being set by it."""
    owner, _, own = knob.name.partition("[")[0].rpartition(".")
    last = f"{owner.rpartition('.')[2]}.{own}"
    if {knob.name, last, own + "[" * (not knob.component)} & changed:
        return True
    if knob.value != 0 or knob.kind == "bool" or own.isupper():
        return False
    return f"{last}=" in changed or (not knob.component and own not in weighed)


def _body_knobs(scope: ast.Module | ast.ClassDef, component: str, read: set[str] | None) -> Iterator[Knob]:
    """Settings of a module or a class that are bound once, and are read where it is known what is."""
    bound = Counter(_bound(scope.body))
    for node in ast.walk(scope) if isinstance(scope, ast.Module) else ():
        if isinstance(node, ast.Global):
            bound.update(node.names)
    for target, value in _assignments(scope.body):
        if bound[target] == 1 and not target.startswith("__") and (read is None or target in read):
            yield from _knobs_of(f"{component}.{target}" if component else target, value, component)


def _default_knobs(scope: _Function, component: str) -> Iterator[Knob]:
    arguments = scope.args
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs: list[tuple[ast.arg, ast.expr | None]] = [
        *zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    read = {name for part in scope.body for name in _loaded(part)}
    for argument, default in pairs:
        if default is not None and argument.arg in read:
            yield from _knobs_of(f"{component}.{argument.arg}", default, component)


def _loaded(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def _knobs_of(name: str, node: ast.expr, component: str) -> Iterator[Knob]:
    if isinstance(node, ast.Tuple | ast.List) and 0 < len(node.elts) <= MAX_ITEMS:
        values = [_number(item) for item in node.elts]
        if all(value is not None for value in values):
            for index, item in enumerate(node.elts):
                yield from _knob(f"{name}[{index}]", item, component)
    elif isinstance(node, ast.Dict) and 0 < len(node.keys) <= MAX_ITEMS:
        for key, item in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str) and key.value.isidentifier():
                yield from _knob(f"{name}[{key.value}]", item, component)
    else:
        yield from _knob(name, node, component)


def _knob(name: str, node: ast.expr, component: str) -> Iterator[Knob]:
    if node.end_lineno != node.lineno or node.end_col_offset is None:
        return
    value: Scalar = _number(node)
    kind: KnobKind = "float" if isinstance(value, float) else "int"
    if value is None and isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            value, kind = node.value, "bool"
        elif isinstance(node.value, str) and _is_word(node.value):
            value, kind = node.value, "choice"
    if value is not None:
        yield Knob(name, value, kind, component, node.lineno, node.col_offset, node.lineno, node.end_col_offset)


def _is_word(text: str) -> bool:
    short = len(text) <= MAX_WORD_CHARS and _WORD.fullmatch(text) is not None
    return short and "://" not in text and _FILE_NAME.fullmatch(text) is None


def _number(node: ast.expr) -> int | float | None:
    """The value of a number, of its negative or of plain arithmetic on such; None for all else."""
    if node.end_lineno != node.lineno or (node.end_col_offset or 0) - node.col_offset > MAX_WORD_CHARS:
        return None
    value: object = None
    if isinstance(node, ast.Constant):
        value = node.value
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        inner = _number(node.operand)
        value = None if inner is None else -inner if isinstance(node.op, ast.USub) else inner
    elif isinstance(node, ast.BinOp):
        left, right = _number(node.left), _number(node.right)
        if left is not None and right is not None:
            value = _arithmetic(left, node.op, right)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    fits = math.isfinite(value) if isinstance(value, float) else value.bit_length() <= LONGEST_INT_BITS
    return value if fits else None


def _arithmetic(left: int | float, op: ast.operator, right: int | float) -> object:
    if type(op) not in _OPERATORS or (isinstance(op, ast.Pow | ast.LShift) and abs(right) > 64):
        return None
    try:
        return _OPERATORS[type(op)](left, right)
    except (ArithmeticError, TypeError, ValueError):  # no such number, or a shift of what is no whole number
        return None


def _assignments(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    """Names and the expressions assigned to them here, `if`, `try` and `with` blocks included; loops are not."""
    for node in body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
            if isinstance(target, ast.Name):
                yield target.id, value
            elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
                for part, item in zip(target.elts, value.elts, strict=True):
                    if isinstance(part, ast.Name):
                        yield part.id, item
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value
        elif isinstance(node, ast.If | ast.Try | ast.With):
            for block in _blocks(node):
                yield from _assignments(block)


def _blocks(node: ast.If | ast.Try | ast.With) -> Iterator[list[ast.stmt]]:
    yield node.body
    if isinstance(node, ast.If | ast.Try):
        yield node.orelse
    if isinstance(node, ast.Try):
        yield node.finalbody
        yield from (handler.body for handler in node.handlers)


def _bound(body: Iterable[ast.AST]) -> Iterator[str]:
    """Every binding of a name in this scope, as often as it is bound; the order is not that of the source."""
    rest = list(body)
    while rest:
        node = rest.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                yield node.id
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            yield from (node.target.id, node.target.id)
        elif not isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            rest.extend(ast.iter_child_nodes(node))


def _scopes(body: Iterable[ast.AST], prefix: str) -> Iterator[tuple[_Scope, str]]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node, f"{prefix}{node.name}"
            yield from _scopes(node.body, f"{prefix}{node.name}.")
        elif not isinstance(node, ast.expr):
            yield from _scopes(ast.iter_child_nodes(node), prefix)


def _only_settings(body: Iterable[ast.stmt]) -> bool:
    for node in body:
        if isinstance(node, ast.ClassDef):
            if not _only_settings(node.body):
                return False
        elif not isinstance(node.value if isinstance(node, ast.Expr) else node, _OF_SETTINGS):
            return False
    return True


def _words_beside(node: ast.AST, tables: Mapping[str, set[str]]) -> tuple[str, set[str]]:
    """The name that this node compares with words or looks up among words, and those words."""
    argument, more = _argument(node)
    if isinstance(choices := more.get("choices"), ast.List | ast.Tuple):
        return argument, _words(choices.elts)
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        left, right = node.left, node.comparators[0]
        if isinstance(node.ops[0], ast.Eq | ast.NotEq):
            return (_name(left), _words([right])) if _name(left) else (_name(right), _words([left]))
        if isinstance(node.ops[0], ast.In | ast.NotIn):
            inside = right.elts if isinstance(right, ast.Tuple | ast.List | ast.Set) else []
            return _name(left), _words(inside) | _word_keys(right) | tables.get(_name(right), set())
    elif isinstance(node, ast.Subscript):
        return _name(node.slice), _word_keys(node.value) | tables.get(_name(node.value), set())
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args:
        return _name(node.args[0]), _word_keys(node.func.value) | tables.get(_name(node.func.value), set())
    elif isinstance(node, ast.Match):
        patterns = [part for case in node.cases for part in ast.walk(case.pattern)]
        return _name(node.subject), _words([part.value for part in patterns if isinstance(part, ast.MatchValue)])
    return "", set()


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _words(nodes: Iterable[ast.expr]) -> set[str]:
    return {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str) and _is_word(n.value)}


def _word_keys(node: ast.expr) -> set[str]:
    return _words(key for key in node.keys if key is not None) if isinstance(node, ast.Dict) else set()


# --- writing


def _same(old: Scalar, new: Scalar) -> bool:
    return old == new and isinstance(old, bool) == isinstance(new, bool)


def _written(knob: Knob, value: Scalar, old_text: str) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = number if knob.kind in ("int", "float") else isinstance(value, bool if knob.kind == "bool" else str)
    too_long = isinstance(value, int) and value.bit_length() > LONGEST_INT_BITS
    if not fits or too_long or (isinstance(value, float) and not math.isfinite(value)):
        hint = f"it is now {knob.value!r}"
        raise UsageError(f"{knob.name} is a {knob.kind}, so {value!r} does not fit", hint)
    if isinstance(value, str):
        text = repr(value)
        double = '"' in old_text and text.startswith("'") and '"' not in value
        return f'"{text[1:-1]}"' if double else text
    if isinstance(value, bool):
        return str(value)
    assert isinstance(value, int | float)
    if knob.kind == "int" and value == int(value) and int(value).bit_length() <= LONGEST_INT_BITS:
        return _written_int(int(value), old_text)
    return written_float(float(value))


def _written_int(value: int, old_text: str) -> str:
    """As the author wrote it: `2**19` becomes `2**18`, `64 * 1024` becomes `32 * 1024`, `1_000` becomes `2_000`."""
    power = re.fullmatch(r"(\d+)(\s*\*\*\s*)\d+", old_text)
    if power and value > 1 and int(power[1]) > 1:
        exponent = round(math.log(value, int(power[1])))
        if int(power[1]) ** exponent == value:
            return f"{power[1]}{power[2]}{exponent}"
    shift = re.fullmatch(r"1(\s*<<\s*)\d+", old_text)
    if shift and value > 0 and value & (value - 1) == 0:
        return f"1{shift[1]}{value.bit_length() - 1}"
    product = re.fullmatch(r"\d+(\s*\*\s*)(\d+)", old_text)
    if product and int(product[2]) and value > 0 and value % int(product[2]) == 0:
        return f"{value // int(product[2])}{product[1]}{product[2]}"
    return f"{value:_}" if "_" in old_text else str(value)
