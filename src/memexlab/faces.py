"""The faces that serve: `memex mcp` for agents, `memex serve` for people. What they serve are the methods of `Lab`."""

from __future__ import annotations

import sys
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

    def serve(self, *, port: int = 8765) -> None:
        """Opens the lab as a page on this machine: tonight, runs, report, wiki, questions, and the HTTP API.

        Prints the address to open; whoever opens it may write. It answers on the loopback alone. Stop it with Ctrl-C.

        Arguments:
            port: where to listen; 0 takes any free port
        """
        from .web.serving import serve

        serve(self.root, port, lambda text: print(text, file=sys.stderr, flush=True))


#: Every command by the name that is typed.
COMMANDS: dict[str, Callable[..., Any]] = api.COMMANDS | {"serve": Faces.serve, "mcp": Faces.mcp}
