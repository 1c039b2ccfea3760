"""The MCP server, spoken to with the official client over stdio."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from memexlab import Lab
from memexlab.mcp import TOOLS, bounded
from memexlab.tokens import count_tokens

from .conftest import run_apart

mcp = pytest.importorskip("mcp", reason="the MCP SDK is not installed: pip install 'memexlab[mcp]'")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mcp") / "lab"
    Lab.init(root, target="none")
    opened = Lab.open(root)
    opened.import_(next((Path(__file__).parent / "data" / "logs").rglob("*mar8*")))
    opened.report()
    opened.close()
    return root


def conversation(lab: Path, talk: Any) -> Any:
    async def run() -> Any:
        from mcp.client.stdio import StdioServerParameters

        parameters = StdioServerParameters(
            command=sys.executable, args=["-m", "memexlab", "mcp", "--lab", str(lab)], env={"MEMEX_BY": "agent:tester"}
        )
        async with mcp.Client(parameters) as client:
            return await talk(client)

    return run_apart(run())


def test_tools_have_the_words_of_the_command_line(lab: Path) -> None:
    async def talk(client: Any) -> Any:
        return await client.list_tools()

    tools = {tool.name: tool for tool in conversation(lab, talk).tools}
    assert set(tools) == {*TOOLS, "page", "land"}
    assert "whether to run it" in tools["check"].description
    arguments = tools["check"].input_schema["properties"]
    assert arguments["idea"]["description"].startswith("what is to be changed")
    assert arguments["mode"]["enum"] == ["explore", "exploit", "replicate"]
    assert tools["check"].annotations.read_only_hint is True
    assert tools["log"].annotations.read_only_hint is False
    # What is said to read only takes no argument that lands an entry or costs money.
    assert tools["ask"].annotations.read_only_hint is True
    assert not {"save", "to", "model"} & set(tools["ask"].input_schema["properties"])


def test_an_agent_reads_checks_logs_and_asks(lab: Path) -> None:
    async def talk(client: Any) -> Any:
        brief = await client.call_tool("brief", {"tokens": 800})
        check = await client.call_tool("check", {"idea": "weight tying"})
        before = await client.call_tool("ask", {"question": "how many runs crashed"})
        logged = await client.call_tool(
            "log", {"description": "tie the heads", "status": "crash", "campaign": "by-hand"}
        )
        sql = await client.call_tool("sql", {"query": "select by from entries order by seq desc limit 1"})
        report = await client.read_resource("memex://report")
        return brief, check, before, logged, sql, report

    brief, check, before, logged, sql, report = conversation(lab, talk)
    assert "champion" in brief.structured_content["text"].lower()
    assert count_tokens(brief.structured_content["text"]) <= 800
    assert check.structured_content["data"]["decision"] in ("allow", "caution", "block")
    assert "SELECT" in before.structured_content["data"]["sql"].upper()
    assert not logged.is_error
    assert sql.structured_content["data"] == [{"by": "agent:tester"}]
    assert report.contents[0].text.startswith("# ")


def test_a_refusal_reaches_the_agent_with_its_hint(lab: Path) -> None:
    async def talk(client: Any) -> Any:
        bad = await client.call_tool("sql", {"query": "delete from runs"})
        unknown = await client.call_tool("check", {"idea": "x", "mode": "wild"})
        outside = [None]
        try:
            await client.read_resource("memex://pages/..%2F..%2Fmemex.toml")
        except Exception as error:
            outside[0] = error
        return bad, unknown, outside[0]

    bad, unknown, outside = conversation(lab, talk)
    assert bad.is_error
    assert "hint" in bad.content[0].text
    assert unknown.is_error
    assert outside is not None


def test_an_answer_is_cut_to_its_budget_and_says_so() -> None:
    text = "\n".join(f"line {i} with some words" for i in range(1000))
    cut = bounded(text, {"rows": list(range(5000))}, 300)
    assert count_tokens(cut["text"]) <= 300
    assert cut["data"] is None
    assert "more lines" in cut["left_out"]
    whole = bounded("short", {"rows": [1]}, 300)
    assert whole == {"text": "short", "data": {"rows": [1]}, "left_out": ""}


def test_an_agent_compiles_the_wiki_without_a_file_or_a_shell(lab: Path) -> None:
    (lab / "raw").mkdir(exist_ok=True)
    (lab / "raw" / "bay.md").write_text("# Bay Bridge\n\nThe span was widened by the city in 1998, after two storms.\n")
    claim = {"source": "raw/bay.md", "subject": "Bay Bridge", "sentence": "The span was widened by the city in 1998.",
             "quote": "The span was widened by the city in 1998"}  # fmt: skip
    wrong = claim | {"sentence": "The span was widened by the city in 1989."}
    lines = "\n".join(map(json.dumps, (claim, wrong)))

    async def talk(client: Any) -> Any:
        early = await client.call_tool("ingest", {"paths": ["raw"], "brief": True})
        assert early.is_error
        assert "memex ingest" in early.content[0].text
        await client.call_tool("ingest", {"paths": ["raw"]})
        order = await client.call_tool("ingest", {"paths": ["raw"], "brief": True})
        tried = await client.call_tool("land", {"lines": lines, "check": True})
        landed = await client.call_tool("land", {"lines": lines})
        asked = await client.call_tool(
            "sql", {"query": "select e.by, c.text from claims c join entries e on e.seq = c.entry"}
        )
        return order, tried, landed, asked

    order, tried, landed, asked = conversation(lab, talk)
    assert "raw/bay.md" in order.structured_content["text"]
    assert "1989" in tried.structured_content["text"]
    assert "1989" in landed.structured_content["text"]
    assert "agent:tester" in str(asked.structured_content)
    assert "1989" not in str(asked.structured_content)
