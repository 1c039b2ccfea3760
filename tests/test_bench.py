"""The programs behind published numbers: what they take from the package is there."""

import ast
import importlib
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "bench"
PROGRAMS = sorted(path for path in BENCH.rglob("*.py") if "out" not in path.relative_to(BENCH).parts)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: str(path.relative_to(BENCH)))
def test_what_a_program_takes_from_the_package_is_there(program: Path) -> None:
    for node in ast.walk(ast.parse(program.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "memexlab":
            module = importlib.import_module(node.module or "")
            for name in node.names:
                if not hasattr(module, name.name):
                    importlib.import_module(f"{node.module}.{name.name}")
        elif isinstance(node, ast.Import):
            for name in node.names:
                if name.name.split(".")[0] == "memexlab":
                    importlib.import_module(name.name)


def test_there_are_programs() -> None:
    assert len(PROGRAMS) > 15
