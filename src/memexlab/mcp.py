"""The lab as MCP tools: the same methods, gates and words as the command line, answers cut to a token budget.

Each call opens the lab anew and goes through the one ledger, so that many servers may stand beside each other and
beside a running night. The SDK is imported when a server is made: it costs a second.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Annotated, Any, TypedDict, get_type_hints

from .api import COMMANDS, LANDING, Lab
from .ledger import MemexError, OutsideError
from .tokens import count_tokens

if TYPE_CHECKING:
    from mcp.server import MCPServer

#: Commands that are tools. What a person must decide (retract, approve) and what deletes views are not among them.
TOOLS: tuple[str, ...] = ("brief", "check", "run", "log", "ask", "history", "search", "sql", "next", "lint", "ingest")
#: Those of them that land entries.
WRITING = frozenset({"run", "log", "lint", "ingest"})
TOKENS = 2_000
_LAND = (
    "Takes claims and answers that you wrote, one JSON object a line, through the gates of the wiki; `ingest` with "
    "`brief` is the work order and says their form. Good lines land even if others fail; a refusal names its line and "
    "what to mend. With `check` nothing lands."
)
_PAGE = "Reads a page of the wiki, every sentence with the words it rests on; `index` lists them all."


class Result(TypedDict):
    """What a tool returns: the text that the command prints, and its data where they fit too."""

    text: str
    data: Any
    left_out: str


def server(root: Path) -> MCPServer[Any]:
    """An MCP server on the lab at `root`; raises OutsideError where the SDK is not installed."""
    try:
        from mcp.server import MCPServer
        from mcp.server.mcpserver.exceptions import ResourceError, ToolError
        from mcp_types import ToolAnnotations
    except ImportError as error:
        raise OutsideError("the MCP SDK is not installed", hint="pip install 'memexlab[mcp]'") from error
    from . import __version__

    app: MCPServer[Any] = MCPServer(
        "memex",
        version=__version__,
        instructions="A research memory. Read `brief` before an idea, `check` the idea, `log` or `run` it, then "
        "`next`. Numbers come from the ledger: `ask` answers with the SQL that made the answer.",
    )
    for name in TOOLS:
        app.add_tool(
            _tool(root, name),
            name=name,
            description=_description(COMMANDS[name]),
            annotations=ToolAnnotations(read_only_hint=name not in WRITING, destructive_hint=False),
        )

    @app.resource("memex://report", mime_type="text/markdown", description="the newest morning report")
    def report() -> str:
        path = root / "reports" / "latest.md"
        if not path.exists():
            raise ResourceError("there is no report yet: memex report")
        return path.read_text(encoding="utf-8")

    @app.resource("memex://program", mime_type="text/markdown", description="what the person wants tried")
    def program() -> str:
        path = root / "program.md"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @app.resource("memex://pages/{name}", mime_type="text/markdown", description="a page of the wiki, by its title")
    def page(name: str) -> str:
        found = _page(root, name)
        if found is None:
            raise ResourceError(f"there is no page {name!r}: read memex://pages/index")
        return found

    @app.tool(name="page", description=_PAGE, annotations=ToolAnnotations(read_only_hint=True))
    def page_tool(name: str = "index", tokens: int = TOKENS) -> Result:
        found = _page(root, name)
        if found is None:
            raise ToolError(f"there is no page {name!r}: read the page `index`")
        return bounded(found, None, max(100, min(tokens, 50_000)))

    @app.tool(name="land", description=_LAND, annotations=ToolAnnotations(read_only_hint=False, destructive_hint=False))
    def land_tool(lines: str, check: bool = False, tokens: int = TOKENS) -> Result:
        lab = Lab(root)
        try:
            with NamedTemporaryFile("w", encoding="utf-8", suffix=".jsonl") as drafts:
                drafts.write(lines)
                drafts.flush()
                landed = lab.land(Path(drafts.name), check=check)
        except MemexError as error:
            raise ToolError(str(error)) from error
        finally:
            lab.close()
        return bounded(str(landed).replace(Path(drafts.name).name, "lines"), None, max(100, min(tokens, 50_000)))

    return app


def _page(root: Path, name: str) -> str | None:
    wiki = (root / "wiki").resolve()
    path = (wiki / f"{name.replace(chr(0), '').removesuffix('.md')}.md").resolve()
    inside = path.is_relative_to(wiki) and path.is_file()
    return path.read_text(encoding="utf-8") if inside else None


def _description(method: Callable[..., Any]) -> str:
    return (inspect.getdoc(method) or "").split("\nArguments:")[0].strip()


def _argument_texts(method: Callable[..., Any]) -> dict[str, str]:
    lines = (inspect.getdoc(method) or "").partition("Arguments:")[2].splitlines()
    return {name.strip(): text.strip() for name, colon, text in (line.partition(":") for line in lines) if colon}


def _tool(root: Path, name: str) -> Callable[..., Result]:
    """A function with the signature of the command, its arguments described, and one more: `tokens`."""
    from pydantic import Field

    method = COMMANDS[name]
    texts = _argument_texts(method)
    own = "tokens" in inspect.signature(method).parameters

    def tool(**given: Any) -> Result:
        from mcp.server.mcpserver.exceptions import ToolError

        budget = given["tokens"] if own else given.pop("tokens")
        lab = Lab(root)
        try:
            result = method(lab, **given)
            damage = "".join(f"\nDAMAGED LEDGER: {finding}" for finding in lab.damage())
        except MemexError as error:
            raise ToolError(str(error)) from error
        finally:
            lab.close()
        return bounded(str(result) + damage, result.data() if hasattr(result, "data") else asdict(result), budget)

    parameters: list[inspect.Parameter] = []
    annotations: dict[str, Any] = {}
    hints = get_type_hints(method, vars(inspect.getmodule(method)) | _returns(method), include_extras=True)
    for parameter in inspect.signature(method).parameters.values():
        if parameter.name in {"self", *LANDING.get(name, ())}:
            continue
        hint = hints[parameter.name]
        described: Any = Annotated[hint, Field(description=texts.get(parameter.name, ""))]
        annotations[parameter.name] = described
        parameters.append(parameter.replace(annotation=described, kind=parameter.KEYWORD_ONLY))
    if not own:
        bound: Any = Annotated[int, Field(description="the most the answer may cost to read", ge=100, le=50_000)]
        annotations["tokens"] = bound
        parameters.append(inspect.Parameter("tokens", inspect.Parameter.KEYWORD_ONLY, default=TOKENS, annotation=bound))
    tool.__name__ = name
    tool.__signature__ = inspect.Signature(parameters, return_annotation=Result)  # type: ignore[attr-defined]
    tool.__annotations__ = annotations | {"return": Result}
    return tool


def _returns(method: Callable[..., Any]) -> dict[str, Any]:
    """Stand-ins for the result types, which a command imports only when it is called."""
    names = str(method.__annotations__.get("return", "")).split("|")
    return {name.strip(): Any for name in names}


def bounded(text: str, data: Any, tokens: int) -> Result:
    """Text and data within a budget: the text first, its end cut at a line; the data only where they fit whole."""
    left_out = ""
    if count_tokens(text) > tokens:
        lines, kept, cost = text.splitlines(), [], 20
        for line in lines:
            cost += count_tokens(line + "\n")
            if cost > tokens:
                break
            kept.append(line)
        kept = kept or [text[: tokens * 2]]
        left_out = f"{len(lines) - len(kept)} more lines: ask for less, or raise `tokens`"
        text = "\n".join(kept)
    told = json.dumps(data, ensure_ascii=False, default=str)
    if count_tokens(text) + count_tokens(told) > tokens:
        data = None
        left_out = left_out or "the data: the text says the same; raise `tokens` to have both"
    return Result(text=text, data=json.loads(told) if data is not None else None, left_out=left_out)


def serve_stdio(root: Path) -> None:
    """Serves the lab on stdin and stdout until the client goes."""
    os.environ.setdefault("MEMEX_BY", "agent:mcp")
    server(root).run("stdio")
