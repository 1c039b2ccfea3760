"""Counts the package's lines and refuses a file over 500. Run by `make check`."""

import sys
from pathlib import Path

LIMIT = 500
AIM = 12_000

root = Path(__file__).parents[1] / "src"
sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sorted(root.rglob("*.py"))}
too_long = {path: lines for path, lines in sizes.items() if lines > LIMIT}
for path, lines in too_long.items():
    print(f"{path.relative_to(root.parent)}: {lines} lines, more than {LIMIT}: split it by what it knows")
print(f"{sum(sizes.values())} lines in {len(sizes)} files; aim: at most {AIM}, longest {max(sizes.values())}")
sys.exit(bool(too_long))
