"""The command line: one command for each public method of `Lab`, with its signature and docstring as the help.

stdout is data, stderr is talk. Exit codes: 0 done, 1 refused, 2 you must change something, 3 the world failed.
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import re
import sys
import typing
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import UnionType
from typing import Any, Literal

from . import __version__
from .faces import COMMANDS, Faces

FORMS = ("marp", "figure", "table", "canvas")
_ARGUMENT = re.compile(r"^\s{8,}(\w+): (.+)$")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    said = zip(["", *arguments], arguments, strict=False)
    name = next((word for before, word in said if word in COMMANDS and before != "--lab"), None)
    parser = _parser(name, {"-h", "--help"}.isdisjoint(arguments))
    options = vars(parser.parse_args(arguments))
    as_json, folder = options.pop("json", False), options.pop("lab", None)
    name = options.pop("command")
    if name is None:
        parser.print_help()
        return 0
    if options.get("as_") in FORMS and options.get("to", "") is None:  # a form is asked for with --as too
        options |= {"to": options["as_"], "as_": None}
    from .ledger import MemexError  # here, so that --help does not wait for it

    try:
        return _run(name, options, as_json, folder)
    except MemexError as error:
        if as_json:
            print(json.dumps({"error": str(error), "exit": error.exit_code}))
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except (FileExistsError, NotADirectoryError, PermissionError, FileNotFoundError) as error:
        print(f"error: {error.filename or name}: {error.strerror}", file=sys.stderr)
        print(f"  hint: memex {name} --help", file=sys.stderr)
        return 4
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def _run(name: str, options: dict[str, Any], as_json: bool, folder: Path | None) -> int:
    method = COMMANDS[name]
    if "self" not in inspect.signature(method).parameters:
        result, damage = method(**options), []
    else:
        lab = Faces.open(folder or Path.cwd())
        try:
            result = method(lab, **options)
            if result is None:  # it served, and spoke for itself
                return 0
            if hasattr(result, "stream"):
                for line in result.stream(as_json):
                    print(line, flush=True)
                return 0
            damage = lab.damage()
        finally:
            lab.close()
    if as_json:
        data = result.data() if hasattr(result, "data") else asdict(result)
        print(json.dumps(data, ensure_ascii=False, default=str))
    elif str(result):
        print(result)
    for finding in damage:
        print(finding, file=sys.stderr)
    if damage:
        print("error: the ledger is damaged, so the answer may lack entries", file=sys.stderr)
        print("  hint: memex doctor", file=sys.stderr)
        return 3
    return int(getattr(result, "exit_code", 0))


def _parser(only: str | None, alone: bool = False) -> argparse.ArgumentParser:
    """The parser; only the named command gets its options, and `alone` is the only one, so that start-up is short."""
    width = 100 if alone and only else None  # None asks the terminal, for which much is imported
    usual = partial(argparse.HelpFormatter, width=width)
    shared = argparse.ArgumentParser(add_help=False, formatter_class=usual)
    shared.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the result as JSON")
    shared.add_argument(
        "--lab", type=Path, metavar="DIR", default=argparse.SUPPRESS, help="the lab's folder (default: here or above)"
    )
    parser = argparse.ArgumentParser(
        prog="memex",
        description="A research memory that runs: it experiments, remembers what it meant, answers with evidence.",
        epilog="Every command: memex COMMAND --help. Start with: memex init night && cd night && memex run --runs 8",
        parents=[shared],
        formatter_class=usual,
    )
    parser.add_argument("--version", action="version", version=f"memexlab {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, method in COMMANDS.items():
        if alone and only not in (None, name):
            continue
        doc = inspect.getdoc(method) or ""
        first = doc.split("\n\n")[0].replace("\n", " ")
        shape = partial(argparse.RawDescriptionHelpFormatter, width=width)
        sub = commands.add_parser(name, help=first, description=_without_arguments(doc), parents=[shared],
                                  formatter_class=shape)  # fmt: skip
        if name == only:
            _add_arguments(sub, method)
    return parser


def _without_arguments(doc: str) -> str:
    return doc.split("\nArguments:")[0].strip()


def _add_arguments(parser: argparse.ArgumentParser, method: Callable[..., Any]) -> None:
    helps = {m[1]: m[2] for m in map(_ARGUMENT.match, (method.__doc__ or "").splitlines()) if m}
    for name, parameter in inspect.signature(method).parameters.items():
        if name == "self":
            continue
        # Only what the arguments name is imported there; what a command returns is not, to keep start-up short.
        kind, many = _kind(eval(parameter.annotation, method.__globals__))
        text = helps.get(name, "").replace("%", "%%")
        flag = ("--" if len(name) > 1 else "-") + name.rstrip("_").replace("_", "-")
        extra: dict[str, Any] = {"help": text}
        if typing.get_origin(kind) is Literal:
            extra["choices"] = typing.get_args(kind)
        elif kind is not bool:
            extra |= {"type": whole_number if kind is int else kind}
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            if parameter.default is not parameter.empty:
                extra |= {"nargs": "?", "default": parameter.default}
            if many:
                extra["nargs"] = "+"
            parser.add_argument(name, metavar=name.rstrip("_").upper(), **extra)
        elif kind is bool:
            parser.add_argument(flag, dest=name, action="store_true", help=text)
        elif many:
            parser.add_argument(flag, dest=name, action="append", default=[], metavar=_metavar(name), **extra)
        else:
            required = parameter.default is parameter.empty
            default = None if required else parameter.default
            if "choices" not in extra:
                extra["metavar"] = _metavar(name)
            if text.startswith("alone, "):  # its value may be left out
                extra |= {"nargs": "?", "const": ""}
            parser.add_argument(flag, dest=name, required=required, default=default, **extra)


def whole_number(text: str) -> int:
    """A number that a view can hold; argparse tells its name."""
    if not -(1 << 63) <= (value := int(text)) < 1 << 63:
        raise ValueError(text)
    return value


def _metavar(name: str) -> str:
    return {"metric": "NAME=VALUE", "set": "KNOB=VALUE"}.get(name.rstrip("_"), name.rstrip("_").upper())


def _kind(hint: Any) -> tuple[Any, bool]:
    """The plain type of an annotation, and whether it takes many."""
    origin = typing.get_origin(hint)
    if origin in (list, Sequence):
        return typing.get_args(hint)[0], True
    if origin in (typing.Union, UnionType):
        inner = [a for a in typing.get_args(hint) if a is not type(None)]
        if len(inner) != 1:
            raise TypeError(f"{hint} has no place on the command line")
        return _kind(inner[0])
    return hint, False
