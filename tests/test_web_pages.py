"""The pages and the HTTP API, asked as a browser asks them, on real labs."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from memexlab import Lab
from memexlab.api import COMMANDS
from memexlab.lab.execution.owner import this_process
from memexlab.lab.loop.steering import Patch, Steering
from memexlab.ledger import Claim, Draft, Ref, Run, Source
from memexlab.web.app import application
from memexlab.web.http_api import NOT_SERVED, READING, WRITING
from memexlab.web.intake import safe_name
from memexlab.web.labs import Labs
from memexlab.web.run import curves_svg

from .conftest import run_apart

TOKEN = "a-secret-token"
LOG = Path(__file__).parent / "data" / "logs" / "mar8.results.tsv"
PATCH = "diff --git a/t.py b/t.py\n--- a/t.py\n+++ b/t.py\n@@ -1 +1 @@\n-LR = 1\n+LR = <2>\n"


def browser(root: Path, token: str = TOKEN) -> TestClient:
    headers = {"authorization": f"Bearer {token}"}
    return TestClient(application(root, TOKEN), base_url="http://127.0.0.1:8765", headers=headers)


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    Lab.init(tmp_path / "lab", target="none")
    return tmp_path / "lab"


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published log: 126 runs without parents."""
    root = tmp_path_factory.mktemp("logged") / "lab"
    Lab.init(root, target="none")
    lab = Lab(root)
    lab.import_(LOG)
    lab.close()
    return root


def tree(root: Path, runs: int) -> None:
    """A campaign in which every fifth run is kept and has the next five on top of it; one of them crashed."""
    lab = Lab(root)
    meta = {"metric": "loss", "better": "lower", "origin": "lab"}
    lab.memory.land([Draft("campaign:c", Source("c", meta=meta))], "code:test")
    first = Run("c", "keep", 1, "baseline", "baseline", metrics={"loss": 9.0}, settings={"lr": 1.0})
    parent = lab.memory.land([Draft("run:c/1", first)], "code:test")[0]
    drafts = []
    for number in range(2, runs + 1):
        status = "keep" if number % 5 == 0 else "crash" if number % 7 == 0 else "discard"
        metrics = {} if status == "crash" else {"loss": 9 - number / 100 if status == "keep" else 9.5}
        run = Run(
            "c", status, number, "candidate", f"lr to {number}", metrics=metrics, settings={"lr": float(number)},
            error="it fell" if status == "crash" else "",
        )  # fmt: skip
        drafts.append(Draft(f"run:c/{number}", run, (Ref("parent", parent.id),)))
        if status == "keep" or number == runs:
            parent, drafts = lab.memory.land(drafts, "code:test")[-1], []
    lab.close()


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("grown") / "lab"
    Lab.init(root, target="none")
    tree(root, 30)
    return root


@pytest.fixture
def asking(logged: Path) -> Iterator[TestClient]:
    with browser(logged) as client:
        yield client


# --- every page


@pytest.mark.parametrize(
    "path",
    ["/", "/runs", "/runs/lineage", "/effects", "/report", "/wiki", "/sources", "/runs/compare", "/runs?group=day"],
)  # fmt: skip
def test_an_empty_lab_says_what_to_type(empty: Path, path: str) -> None:
    with browser(empty) as client:
        answer = client.get(path)
    if path == "/runs/compare":
        assert answer.status_code == 400  # there is no campaign whose runs could be compared
    else:
        assert answer.status_code == 200
    assert "memex " in answer.text or "<code>" in answer.text


def test_a_lab_of_memory_alone_is_offered_no_night(empty: Path) -> None:
    with browser(empty) as client:
        opened = client.get("/open", follow_redirects=False).headers["location"]
        page = client.get("/").text
        effects = client.get("/effects").text
    places = re.findall(r'<a href="([^"]+)"[^>]* data-key=', page)
    assert (opened, places) == ("/wiki", ["/wiki", "/graph", "/ask", "/sources"])
    assert "memex import results.tsv" in page
    assert not [text for text in (page, effects) if "memex run" in text or "program.md" in text]


def test_runs_side_by_side_say_which_is_best_and_by_how_much(asking: TestClient) -> None:
    page = asking.get("/runs/compare?runs=7+38").text
    assert "<b>0.972779</b> best of these<small>0.00719 better than #7, one run each</small>" in page


def test_a_column_without_a_value_takes_no_room(asking: TestClient) -> None:
    heads = re.findall(r'<th[^>]*><a href="[^"]+">([\w ]+?) *(?:[↑↓]|<)', asking.get("/runs").text)
    assert heads == ["run", "came to", "value", "what", "imported"]  # who measured is the same in every row
    assert "seconds" in re.findall(r'<th[^>]*><a href="[^"]+">(\w+)', asking.get("/runs?sort=seconds").text)


def test_a_run_leads_to_those_beside_it_and_to_the_champion_of_its_time(asking: TestClient) -> None:
    page = asking.get("/runs/20").text
    for at in ("/runs/19?", "/runs/21?", "/runs/compare?", "runs=20+14"):
        assert at in page
    assert "0.00624 worse than" in page


@pytest.mark.parametrize(
    "path",
    ["/", "/runs", "/runs?group=status", "/runs?group=component", "/runs?group=knob", "/runs?group=day", "/runs/5",
     "/runs/lineage", "/effects", "/report", "/report.md", "/report.html", "/runs/compare?runs=1&runs=5"],
)  # fmt: skip
def test_every_page_of_a_log_is_there_and_small(asking: TestClient, path: str) -> None:
    answer = asking.get(path)
    assert answer.status_code == 200
    assert len(answer.content) < 300_000
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    inside = re.sub(r"<script src=[^>]*></script>", "", answer.text)
    assert path.startswith("/report.") or "<script" not in inside


def test_without_the_token_there_is_nothing_to_steer_with(logged: Path) -> None:
    with browser(logged, "a-guess") as client:
        for path in ("/", "/runs/5", "/sources"):
            page = client.get(path).text
            assert "data-call" not in page
            assert "data-post" not in page
            assert "data-program" not in page
        assert client.post("/program", json={"text": "x", "was": ""}).status_code == 401
        answer = client.post("/sources/upload", content=b"x", headers={"content-type": "application/octet-stream"})
        assert answer.status_code == 401


# --- tonight


def test_controls_show_what_the_loop_can_be_told(logged: Path) -> None:
    steering = Steering(logged / ".memex")
    with browser(logged) as client:
        assert "memex run" not in client.get("/").text  # it has no target: no command is offered that would fail
        steering.beat(owner=this_process(), campaign="mar8", candidates=3, paused=False)
        page = client.get("/").text
        assert "The loop is at work" in page
        assert client.post("/api/pause", json={}).status_code == 200
        assert steering.order == "pause"
        assert "/api/resume" in client.get("/").text
        assert client.post("/api/resume", json={}).status_code == 200
        assert client.post("/api/stop", json={"now": True}).status_code == 200
        assert "The loop ends now" in client.get("/").text
    steering.give("")
    (logged / ".memex" / "heartbeat.json").unlink()


def test_tonight_is_shown_while_a_race_is_run_by_hand(logged: Path) -> None:
    Steering(logged / ".memex").beat(owner=this_process(), campaign="mar8", candidates=0, since="", limits={})
    with browser(logged) as client:
        assert client.get("/").status_code == 200
    (logged / ".memex" / "heartbeat.json").unlink()


def test_a_waiting_patch_is_shown_and_judged(logged: Path) -> None:
    steering = Steering(logged / ".memex")
    first, second = Patch("aa11", "raise <LR>", "it is too low", PATCH), Patch("bb22", "drop it", "", PATCH)
    steering.ask(first)
    steering.ask(second)
    with browser(logged) as client:
        page = client.get("/").text
        assert "2 patches wait for your word" in page
        assert "raise &lt;LR&gt;" in page
        assert "<ins>&lt;</ins>" in page or "&lt;" in page
        assert client.post("/api/approve", json={"patch": "aa11"}).status_code == 200
        assert client.post("/api/reject", json={"patch": "bb22", "why": "no"}).status_code == 200
        assert "wait for your word" not in client.get("/").text
    approved, rejected = steering.word(first), steering.word(second)
    assert approved is not None
    assert approved.approved
    assert rejected is not None
    assert asdict(rejected) | {"by": ""} == {"approved": False, "by": "", "why": "no"}


def test_the_program_is_saved_only_over_what_was_read(empty: Path) -> None:
    path = empty / "program.md"
    path.write_text("first", encoding="utf-8")
    path.chmod(0o640)
    with browser(empty) as client:
        was = client.get("/program").json()["hash"]
        done = client.post("/program", json={"text": "mine\n", "was": was})
        assert done.status_code == 200
        assert path.read_bytes() == b"mine\n"
        assert path.stat().st_mode & 0o777 == 0o640
        path.write_text("theirs", encoding="utf-8")
        refused = client.post("/program", json={"text": "mine again", "was": done.json()["hash"]})
        assert refused.status_code == 409
        assert refused.json()["text"] == "theirs"
        assert path.read_text(encoding="utf-8") == "theirs"
        assert client.post("/program", json={"text": "over it", "was": refused.json()["hash"]}).status_code == 200
        assert path.read_text(encoding="utf-8") == "over it"
        for bad in ([], {"text": 5, "was": ""}, {"was": ""}, {"text": "\ud800", "was": ""}):
            raw = json.dumps(bad).encode()
            assert client.post("/program", content=raw, headers={"content-type": "application/json"}).status_code == 400
        assert [p.name for p in empty.glob(".program*")] == []


def test_what_is_costly_is_made_once_for_each_end_of_the_ledger(grown: Path) -> None:
    labs = Labs(grown)
    made: list[int] = []

    def make() -> int:
        made.append(1)
        return len(made)

    assert [labs.kept("k", make), labs.kept("k", make), labs.kept("other", make)] == [1, 1, 2]
    assert labs.seconds_behind("k") is None
    labs.lab().log(description="one more", status="discard", metric=["loss=9.4"], campaign="c")
    _, at, *_ = labs._kept["k"]
    since = int(time.monotonic() - at)
    assert 1 + since <= (labs.seconds_behind("k") or 0) <= 1 + int(time.monotonic() - at)
    assert labs.kept("k", make) == 3
    labs.close()


# --- runs


def rows_of(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'name="runs" value="(\d+)"', page)]


@pytest.mark.parametrize("sort", ["number", "value", "status", "description", "seconds", "by"])
@pytest.mark.parametrize("down", [0, 1])
def test_paging_gives_every_run_once_in_any_order(asking: TestClient, sort: str, down: int) -> None:
    first = asking.get(f"/runs?sort={sort}&down={down}").text
    link = re.search(r'href="(\?[^"]*)" rel="next"', first)
    assert link is not None
    second = asking.get("/runs" + link[1].replace("&amp;", "&")).text
    seen = rows_of(first) + rows_of(second)
    assert len(rows_of(first)) == 100
    assert sorted(seen) == list(range(1, len(seen) + 1))
    assert 'rel="next"' not in second


def test_groups_lead_to_their_runs(asking: TestClient) -> None:
    page = asking.get("/runs?group=status").text
    found = re.search(r'href="(\?[^"]*)">crash</a></td><td class="n">(\d+)', page)
    assert found is not None
    assert len(rows_of(asking.get("/runs" + found[1].replace("&amp;", "&")).text)) == int(found[2])


def test_a_filter_can_do_nothing_but_read(asking: TestClient) -> None:
    for where in ("1); DELETE FROM runs; --", "1) UNION SELECT * FROM runs --", "nonsense(", "load_extension('x')"):
        answer = asking.get("/runs", params={"where": where})
        assert answer.status_code == 200
        assert "warn bad" in answer.text
    assert len(rows_of(asking.get("/runs").text)) == 100


def test_a_chip_is_a_filter_that_is_switched_off_again(asking: TestClient) -> None:
    page = asking.get("/runs", params={"where": "status = 'keep'"}).text
    assert re.search(r'<a href="([^"]*)" aria-current="true">kept</a>', page)
    assert 0 < len(rows_of(page)) < 100


def test_a_lineage_shows_every_run_of_a_small_campaign(grown: Path) -> None:
    with browser(grown) as client:
        page = client.get("/runs/lineage").text
        linked = {int(number) for number in re.findall(r'href="/runs/(\d+)\?', page)}
    assert linked >= set(range(1, 31))
    assert page.count('class="cross"') == 4
    assert "lr to 7" in page


def test_a_long_lineage_is_cut_and_says_where_it_goes_on(empty: Path) -> None:
    tree(empty, 400)
    with browser(empty) as client:
        page = client.get("/runs/lineage").text
        older = re.search(r"before=(\d+)", page)
        assert older is not None
        assert f"/runs/{older[1]}?" in page
        before = client.get(f"/runs/lineage?before={older[1]}").text
    assert "/runs/1?" in before
    assert "/runs/1?" not in page


def test_a_run_tells_what_rests_on_it(grown: Path) -> None:
    with browser(grown) as client:
        page = client.get("/runs/5").text
        last = client.get("/runs/29").text
    assert "made from it would be in doubt" in page
    assert "Nothing rests on it" in last or "compared with another" in last or "no value" in last


def test_the_progress_a_run_printed_is_drawn_over_that_of_the_champion() -> None:
    log = "\n".join(f"progress {i / 10} {9 - i}" for i in range(11))
    drawn = curves_svg(log, log.replace("progress 1.0 -1", "progress 1.0 -11"))
    dashed, mine = re.findall(r'points="([^"]+)"', drawn)
    assert mine.startswith("162,12 ")  # a tenth of the budget, the worst value on top
    assert (mine.split()[-1], dashed.split()[-1]) == ("990,100", "990,198")
    assert re.findall(r">([^<>]+)</text>", drawn)[:4] == ["8", "-11", "10%", "50%"]
    assert curves_svg("progress 0.5 1\nprogress 0.6 1e999\nprogress 0.7 1", log) == ""


def test_a_run_shows_its_own_packet(empty: Path) -> None:
    """The number of a run is no position in the ledger."""
    lab = Lab(empty)
    lab.memory.land([Draft(f"note:{n}", Source(f"note {n}")) for n in range(3)], "code:test")
    lab.close()
    tree(empty, 30)
    with browser(empty) as client:
        assert "Run 7 failed: it fell." in client.get("/runs/7").text
        assert "calls for" not in client.get("/runs/6").text


# --- what a person brings


@pytest.mark.parametrize(
    ("given", "name"),
    [("notes.md", "notes.md"), ("../../etc/passwd.txt", "passwd.txt"), ("C:\\x\\y.PDF", "y.pdf"),
     ("a\x00b\n.md", "a_b_.md"),
     ("..hidden.md", "hidden.md"), ("é" * 300 + ".txt", "é" * 60 + ".txt"), ("<script>.html", "_script_.html")],
)  # fmt: skip
def test_names_of_files_are_tamed(given: str, name: str) -> None:
    assert safe_name(given) == name


def test_a_dropped_file_is_saved_once_and_never_over_another(empty: Path) -> None:
    kind = {"content-type": "application/octet-stream"}
    text = b"# Widget\n\nThe widget is a small machine.\n"
    with browser(empty) as client:
        for name, data, status in (
            ("w.md", text, 200), ("w.md", text, 200), ("w.md", b"other", 400), ("%2e%2e%2fevil", b"x", 400),
            ("run.exe", b"x", 400), ("..%2F..%2Fup.md", text + b"again", 200), ("", b"x", 400),
        ):  # fmt: skip
            answer = client.post("/sources/upload", content=data, headers=kind | {"x-name": name})
            assert answer.status_code == status, (name, answer.text)
        assert sorted(path.name for path in (empty / "raw").iterdir()) == [".gitkeep", "up.md", "w.md"]
        assert (empty / "raw" / "w.md").read_bytes() == text
        taken = client.post("/sources/take", json={"names": ["raw/w.md"]})
        assert "1 new" in taken.json()["text"]
        assert "Widget" in client.get("/sources").text
        assert client.post("/sources/take", json={"names": [5]}).status_code == 400
        for address in ("https://example.org", "file:///etc/passwd", "raw"):  # the network is off, or it is no address
            assert client.post("/sources/take", json={"url": address}).status_code == 400


def test_selected_words_become_a_claim_only_where_they_bear_it(empty: Path) -> None:
    (empty / "raw").mkdir(exist_ok=True)
    (empty / "raw" / "w.md").write_text(
        "# Widget notes\n\nThe Gadget weighs 40 grams when it is empty.\n", encoding="utf-8"
    )
    with browser(empty) as client:
        assert client.post("/sources/take", json={}).status_code == 200
        claim = {"source": "raw/w.md", "subject": "Gadget", "quote": "The Gadget weighs 40 grams when it is empty."}
        wrong = client.post("/sources/claim", json=claim | {"sentence": "The Gadget weighs 90 grams."})
        assert wrong.status_code == 409
        assert "90" in wrong.json()["error"]
        good = client.post("/sources/claim", json=claim | {"sentence": "The Gadget weighs 40 grams when empty."})
        assert good.status_code == 200, good.text
    lab = Lab(empty)
    said = lab.memory.db.execute("SELECT text FROM claims WHERE subject = 'Gadget'").fetchall()
    lab.close()
    assert ("The Gadget weighs 40 grams when empty.",) in said


# --- the API


def test_every_command_is_classed() -> None:
    classes = (READING, WRITING, NOT_SERVED)
    for name in COMMANDS:
        assert sum(name in one for one in classes) == 1, f"say in web/http_api.py whether {name} reads or writes"


def test_every_command_is_in_the_description(asking: TestClient) -> None:
    paths = asking.get("/api/openapi.json").json()["paths"]
    assert set(paths) >= {f"/api/{name}" for name in COMMANDS if name not in NOT_SERVED}
    for path, methods in paths.items():
        if (name := path.removeprefix("/api/")) in COMMANDS:
            assert set(methods) == ({"get"} if name in READING else {"post"})
        assert all(told["summary"] for told in methods.values())


def test_a_writing_command_answers_no_get(asking: TestClient) -> None:
    for name in sorted(WRITING):
        assert asking.get(f"/api/{name}").status_code == 405


def test_tools_over_http_need_the_token_and_speak_to_the_official_client(logged: Path) -> None:
    mcp = pytest.importorskip("mcp", reason="the MCP SDK is not installed: pip install 'memexlab[mcp]'")
    server = subprocess.Popen(
        [sys.executable, "-m", "memexlab", "serve", "--port", "0", "--lab", str(logged)],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stderr is not None
        found = re.search(r"(http://[\d.:]+)/open\?token=(\S+)", server.stderr.readline())
        assert found is not None

        async def talk() -> Any:
            from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client

            async with create_mcp_http_client() as http:
                assert (await http.post(found[1] + "/mcp", json={})).status_code == 401
                assert (await http.get(found[1] + "/mcp")).status_code == 401
            headers = {"authorization": f"Bearer {found[2]}"}
            async with (
                create_mcp_http_client(headers=headers) as http,
                mcp.Client(streamable_http_client(found[1] + "/mcp", http_client=http)) as client,
            ):
                tools = await client.list_tools()
                answer = await client.call_tool("ask", {"question": "how many runs crashed?"})
                return {tool.name for tool in tools.tools}, answer

        names, answer = run_apart(talk())
        assert {"brief", "check", "history", "page"} <= names
        assert answer.structured_content["text"]
    finally:
        server.terminate()
        server.wait(120)


def test_an_edited_block_is_a_claim_of_the_person(empty: Path) -> None:
    (empty / "raw").mkdir(exist_ok=True)
    (empty / "raw" / "w.md").write_text(
        "---\ntitle: Gadget\n---\n# Gadget\n\nThe Gadget is a small machine that weighs 40 grams when it is empty.\n",
        encoding="utf-8",
    )
    with browser(empty) as client:
        client.post("/sources/take", json={})
        page = next(path for path in (empty / "wiki").glob("*.md") if path.stem not in ("index", "log"))
        line = next(line for line in page.read_text(encoding="utf-8").splitlines() if re.search(r" \^c\w+$", line))
        place = {"page": page.stem, "block": line.rpartition("^")[2]}
        was = client.get("/wiki-block", params=place).json()["text"]
        assert was in line
        stale = client.post("/wiki-block", json=place | {"was": "something else", "text": "x"})
        assert stale.status_code == 409
        done = client.post("/wiki-block", json=place | {"was": was, "text": "The Gadget is what I say it is."})
        assert done.status_code == 200, done.text
        assert "what I say it is" in client.get(f"/wiki/{page.stem}").text
        for bad in ({"page": "../memex", "block": "c1"}, place | {"was": was, "text": ""}, place | {"text": "x ^c9"}):
            assert client.post("/wiki-block", json=bad).status_code == 400
    lab = Lab(empty)
    said = lab.memory.db.execute("SELECT by FROM entries WHERE body LIKE '%what I say it is%'").fetchall()
    lab.close()
    assert said
    assert all(by.startswith("human:") for (by,) in said)


def test_what_waits_for_a_judgement_is_listed_and_judged(empty: Path) -> None:
    (empty / "raw").mkdir(exist_ok=True)
    said = "The period of Halley's Comet is {} years."
    for name, year, years in (("Halley's Comet", 2001, 76), ("Notes on comets", 2010, 75)):
        text = (
            f"---\ntitle: {name}\ndate: {year}-01-01\n---\n# {name}\n\nThe period of Halley's Comet is {years} years.\n"
        )
        (empty / "raw" / f"{years}.md").write_text(text, encoding="utf-8")
    with browser(empty) as client:
        client.post("/sources/take", json={})
        lines = [
            {"source": f"raw/{years}.md", "subject": "Halley's Comet", "sentence": f"The period is {years} years.",
             "quote": said.format(years), "relation": "period", "value": f"{years} years"}
            for years in (76, 75)
        ]  # fmt: skip
        (empty / "lines.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
        assert client.post("/api/land", json={"drafts": str(empty / "lines.jsonl")}).status_code == 200
        page = client.get("/wiki-review").text
        item = re.search(r'data-item="(\w+)"', page)
        assert item is not None
        assert "76 years | 75 years" in page
        for years, title, day in ((76, "Halley's Comet", "2001-01-01"), (75, "Notes on comets", "2010-01-01")):
            side = next(s for s in page.split('class="sides"')[1].split("<b>") if s.startswith(f"{years} years"))
            told = html.unescape(side)
            assert said.format(years) in told
            assert f">{title}</a>, {day}" in told
            assert 'href="/sources/' in told
        judged = client.post("/api/review", json={"item": item[1], "decision": "accept", "why": "both were measured"})
        assert judged.status_code == 200, judged.text
        assert item[1] not in client.get("/wiki-review").text
        assert "files of the wiki were looked at" in client.get("/wiki-lint").text


def test_the_graph_of_a_lab_whose_claims_rest_on_a_campaign(empty: Path) -> None:
    tree(empty, 6)
    lab = Lab(empty)
    [campaign] = lab.memory.db.execute("SELECT id FROM entries WHERE subject = 'campaign:c'").fetchone()
    claim = Claim("alone a run makes 9 steps a second", "steps_a_second_alone", 9.0)
    lab.memory.land([Draft("campaign:c", claim, (Ref("from", campaign),))], "code:test")
    [(source,)] = lab.memory.db.execute("SELECT source FROM claims").fetchall()
    assert source is not None
    lab.close()
    assert browser(empty).get("/graph").status_code == 200


def test_a_report_that_is_older_than_the_ledger_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path / "lab", 3)
    monkeypatch.setattr("memexlab.web.labs._MANY_RUNS", 1)  # so small a report is not kept otherwise
    monkeypatch.setattr("memexlab.web.labs._REST", 10**9)
    with browser(tmp_path / "lab") as client:
        assert "Entries have landed since" not in client.get("/report").text
        lab = Lab(tmp_path / "lab")
        lab.log(metric=["loss=1.0"], description="one more", status="discard", campaign="c")
        lab.close()
        assert "Entries have landed since" in client.get("/report").text
        assert "Entries have landed since" not in client.get("/report?since=2020-01-01").text
        assert "newer runs are being counted" in client.get("/").text


def test_what_is_quick_is_shown_before_the_report_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path / "lab", 3)
    monkeypatch.setattr("memexlab.web.labs._MANY_RUNS", 1)
    monkeypatch.setattr("memexlab.web.tonight._PATIENCE", (0.0, 60.0))
    with browser(tmp_path / "lab") as client:
        first = client.get("/").text
        assert "The runs are being counted" in first
        assert 'data-behind="0"' in first
        assert 'href="/runs/3?campaign=c"' in first
        part = client.get("/?part=1").text
    assert "The runs are being counted" not in part
    assert 'aria-label="Progress of 3 runs' in part
