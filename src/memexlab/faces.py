"""The faces that serve: `memex mcp` for agents. What they serve are the methods of `Lab`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import api


class Faces(api.Lab):
    """A lab that can be served."""

    def mcp(self) -> None:
        """Serves the lab to an agent over MCP, on stdin and stdout; entries are landed by MEMEX_BY, else agent:mcp.

        For example: claude mcp add memex -- memex mcp --lab /path/to/lab
        """
        from .mcp import serve_stdio

        serve_stdio(self.root)


#: Every command by the name that is typed.
COMMANDS: dict[str, Callable[..., Any]] = api.COMMANDS | {"mcp": Faces.mcp}
