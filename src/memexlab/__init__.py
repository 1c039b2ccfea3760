"""memexlab: a research memory that runs. `Lab` is the way in; the command line says the same in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .api import Lab

__all__ = ["Lab", "__version__"]


def __getattr__(name: str) -> object:
    if name == "Lab":  # imported on first use: `import memexlab` costs nothing
        from .api import Lab

        return Lab
    raise AttributeError(f"module 'memexlab' has no attribute {name!r}")
