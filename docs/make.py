"""Writes commands.md, tables.md and lint.md from the code; `--check` only says whether they are current."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from memexlab import cli
from memexlab.faces import COMMANDS
from memexlab.memory import schema
from memexlab.wiki.lint import documented

HERE = Path(__file__).parent
LINT = """# Lint

Made from the docstrings of the rules in `memexlab/wiki/rules.py` by `docs/make.py`; a test runs every example.

```sh
memex lint
memex lint --json
memex lint --fix
```

An error means that a reader is misled: exit code 1. A warning should be mended; the rest is to know. With `--json` the
result is a list of findings, each with `rule`, `severity`, `where`, `message` and `hint`. `--fix` corrects a link where
one page alone can be meant, takes in what was changed by hand (sync.md), and renders again what is out of step. It
changes no words of yours.

The rules secret, html-or-script, front-matter and name-trap also stand at the door: a page made from sources that
breaks one of them is not written, and `memex ingest` says so. A section is required where `schema.md` has a line
`required` below its heading. In an example `=== name` begins another file.
"""


def commands() -> str:
    """Every command as `--help` prints it."""
    parts = ["# Commands", "", "Made from the docstrings of `memexlab.api.Lab` by `docs/make.py`.", ""]
    for name in COMMANDS:
        parser = cli._parser(name)
        [subs] = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
        command = subs.choices[name]
        parts += [f"## memex {name}", "", command.description or "", ""]
        for action in command._actions:
            if action.dest in ("help", "json", "lab"):
                continue
            words = ", ".join(action.option_strings) or str(action.metavar)
            takes = (
                ""
                if action.nargs == 0 or not action.option_strings
                else f" {action.metavar or '|'.join(action.choices or ())}"
            )
            parts.append(f"- `{words}{takes}`{' (required)' if action.required else ''}: {action.help}")
        parts.append("")
    return (
        "\n".join(parts)
        + "\nEvery command takes `--json` (the result as JSON) and `--lab DIR` (default: here or above).\n"
    )


def tables() -> str:
    """Every table with its columns, from the commented schema."""
    parts = ["# Tables", "", "What `memex sql` reads; made from `memexlab/memory/schema.py` by `docs/make.py`.", ""]
    for comment, name, body in re.findall(
        r"(?:-- ([^\n]+)\n)?CREATE TABLE (\w+)\((.*?)\n?\)(?: WITHOUT ROWID)?;", schema.TABLES, re.S
    ):
        parts += [f"## {name}", "", _sentence(comment or "bookkeeping of the index"), "", "```sql"]
        parts += [line.rstrip() for line in body.strip("\n").splitlines()] + ["```", ""]
    return "\n".join(parts)


def rules() -> str:
    """Every rule of the lint, from the docstring of its function."""
    parts = [LINT]
    for name, told in documented():
        what = " ".join(told["what"].split())
        parts += [f"## {name}", "", what, ""]
        for part in ("refused", "accepted"):
            text = re.sub(" ?⏎ ?", "\n", told[part].strip())
            parts += [
                f"{part.capitalize()}:",
                "",
                "````text",
                re.sub(r" ?‖ ?([^\n:]+): ?", r"\n=== \1\n", text).strip(),
                "````",
                "",
            ]
        parts += [f"Mend: {' '.join(told['fix'].split())}", ""]
    return "\n".join(parts).rstrip() + "\n"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def main() -> int:
    stale = []
    for name, text in (("commands.md", commands()), ("tables.md", tables()), ("lint.md", rules())):
        path = HERE / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(text, encoding="utf-8")
    if stale and "--check" in sys.argv:
        print(f"out of date: {', '.join(stale)}; run: python docs/make.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
