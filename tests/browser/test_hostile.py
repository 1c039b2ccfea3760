"""Texts that try to run a script or to reach another server, in every place a text can stand: none does, anywhere."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from memexlab import Lab
from memexlab.ledger import Draft, Ref, Run, Source

from .conftest import DATA, Opener, Served, serve, stop

#: A longer list may be named, a payload a line: MEMEX_XSS=payloads.txt pytest tests/browser/test_hostile.py
_MORE = os.environ.get("MEMEX_XSS")


_SECONDS = 240 if _MORE else 60
#: So many payloads stand together on the page of one run and in one source.
_TOGETHER = 100

pytestmark = pytest.mark.slow


def payloads() -> list[str]:
    made = json.loads((DATA / "xss.json").read_text("utf-8")).values()
    more = Path(_MORE).read_text("utf-8", "replace").splitlines() if _MORE else []
    return [text for group in made for text in group] + [line for line in more if line.strip()]


def together() -> list[list[str]]:
    texts = payloads()
    return [texts[start : start + _TOGETHER] for start in range(0, len(texts), _TOGETHER)]


def patch_of(lines: list[str]) -> str:
    head = "diff --git a/t.py b/t.py\n--- a/t.py\n+++ b/t.py\n@@ -1 +1 @@\n"
    return head + "".join(f"-{line}\n+{line} \n" for text in lines for line in text.splitlines())


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("hostile") / "lab"
    Lab.init(root, target="none")
    lab, texts = Lab(root), payloads()
    everything = "\n".join(texts)
    meta = {"metric": "loss", "unit": texts[1], "better": "lower", "origin": "lab"}
    lab.memory.land([Draft("campaign:" + texts[2], Source("c", meta=meta))], "code:test")
    drafts = [
        Draft(
            f"run:{texts[2]}/{n}",
            Run(texts[2], "crash" if n % 3 == 0 else "keep", n, "candidate", text, hypothesis=everything[:4000],
                error=text, metrics={} if n % 3 == 0 else {"loss": 1 / n},
                settings={text: text, "lr": n} if n < 200 else {}),
        )
        for n, text in enumerate(texts, 1)
    ]  # fmt: skip
    for n, chunk in enumerate(together(), len(texts) + 1):
        blobs = [lab.memory.blobs.put(text.encode("utf-8", "replace")) for text in (patch_of(chunk), "\n".join(chunk))]
        run = Run(texts[2], "keep", n, "candidate", f"chunk {n}", hypothesis="\n".join(chunk), error="\n".join(chunk),
                  metrics={"loss": 2.0}, settings={f"k{i}": text[:900] for i, text in enumerate(chunk)})  # fmt: skip
        drafts.append(Draft(f"run:{texts[2]}/{n}", run, (Ref("diff", blobs[0]), Ref("log", blobs[1]))))
    lab.memory.land(drafts, "code:test")
    raw = root / "raw"
    raw.mkdir(exist_ok=True)
    for n, text in enumerate(texts[:75]):
        line = " ".join(text.split())
        words = f"Bridge {n} was built in {1900 + n}. {line}"
        (raw / f"{n}.md").write_text(
            f"---\ntitle: {json.dumps(line)}\nauthor: {json.dumps(line)}\n---\n# {line}\n\n{words}\n"
        )
    for n, chunk in enumerate(together()):
        (raw / f"chunk-{n}.md").write_text("# A chunk\n\n" + "\n\n".join(chunk), "utf-8", "replace")
    lab.ingest([raw])
    (root / "wiki" / "by-hand.md").write_text("---\ntitle: by hand\n---\n" + "\n\n".join(texts))
    (root / "wiki" / "drawn.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg' onload='window.__xss=1'/>")
    (root / "program.md").write_text("</textarea>" + everything)
    lab.close()
    served = serve(root)
    yield served
    stop(served)


@pytest.mark.parametrize("token", [pytest.param(True, id="who may write"), pytest.param(False, id="who may read")])
def test_no_script_runs_and_nothing_leaves(opener: Opener, hostile: Served, token: bool) -> None:
    seen, texts = opener(hostile, token=token, seconds=_SECONDS), payloads()
    lab = Lab(hostile.root)
    sources = [row[0] for row in lab.memory.db.execute("SELECT entry FROM documents LIMIT 4")]
    every_hundredth = [row[0] for row in lab.memory.db.execute("SELECT run FROM runs WHERE number % 100 = 0")]
    chunks = lab.memory.db.execute("SELECT entry FROM documents WHERE document LIKE '%chunk-%'").fetchall()
    names = [path.stem for path in sorted((hostile.root / "wiki").glob("*.md"))[:6]]
    lab.close()
    assert len(chunks) == len(together())
    worst = quote(texts[-14])
    pages: list[str] = [
        "/", "/runs", "/runs?sort=description", f"/runs?where={worst}", "/runs/1", "/runs/3", "/runs/12",
        "/runs/compare?runs=1+2+4", "/runs/lineage", "/effects", f"/effects?knob={worst}", "/report",
        "/wiki", "/wiki/by-hand", "/sources", f"/sources?q={worst}", f"/ask?q={worst}",
        "/ask?q=when+was+bridge+3+built", "/graph", f"/graph?at={worst}", "/graph?at=lr", "/graph?at=1&to=2",
        f"/search?q={worst}", "/search?q=script", f"/nothing/{worst}", "/runs/3/log", "/api/openapi.json",
        f"/api/ask?question={worst}", *(f"/sources/{entry}" for entry in sources),
        *(f"/wiki/{quote(name)}" for name in names),
        *(f"/runs/{len(texts) + n}" for n, _ in enumerate(together(), 1)),
        *(f"/sources/{entry}" for (entry,) in chunks),
    ]  # fmt: skip
    for path in pages:
        seen.open(path)
        if path == "/runs":  # the table has all of them, a page at a time
            pages += [f"/runs?after={after}" for after in every_hundredth]
        assert seen.page.evaluate("window.__xss") is None, path
        seen.fine()
    assert seen.page.request.get(hostile.address + "/wiki/files/drawn.svg").status == 404
    seen.open("/")
    seen.page.get_by_role("combobox", name="Search everything").type("alert", delay=5)
    seen.page.wait_for_timeout(400)
    seen.open("/wiki/by-hand")
    for link in seen.page.locator("article a:visible").all()[:15]:
        link.hover()
    seen.page.wait_for_timeout(300)
    assert seen.page.evaluate("window.__xss") is None
    seen.fine()


def test_the_report_in_one_file_runs_nothing_either(opener: Opener, hostile: Served) -> None:
    """It is opened where no policy of the server stands around it."""
    seen = opener(hostile, token=False)
    with urlopen(hostile.address + "/report.html", timeout=_SECONDS * 2) as answer:
        seen.page.set_content(answer.read().decode())
    assert seen.page.evaluate("window.__xss") is None
    assert seen.page.locator("h1, h2").count() > 0
    seen.fine()


def test_the_hooks_would_notice(opener: Opener, hostile: Served) -> None:
    """A script that does run is seen by the very hooks that the other test rests on."""
    seen = opener(hostile, token=False)
    seen.page.set_content("<img src='http://off.example/a.png'><script>window.__xss=1;alert('seen')</script>")
    assert seen.page.evaluate("window.__xss") == 1
    assert seen.scripts_run == ["seen"]
    assert seen.off_origin == ["http://off.example/a.png"]
