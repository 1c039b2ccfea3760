"""Exports: a site that runs nothing and fetches nothing, an OKF bundle, a context that says what it cut, and lines."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

from memexlab.api import Lab
from memexlab.ledger import UsageError
from memexlab.tokens import count_tokens
from memexlab.wiki.markdown import render

if TYPE_CHECKING:
    from playwright.sync_api import Browser

DATA = Path(__file__).parent / "data" / "wiki"

ATTACKS = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "[a](javascript:alert(1))",
    "![a](https://evil.example/x.png)", "</script><script>alert(1)</script>", "</title><script>alert(1)</script>",
    '"><iframe src=//evil.example>', "<style>@import url(//evil.example)</style>", "`</pre><script>alert(1)</script>`",
    "[x]: javascript:alert(1)",
    "<a href=data:text/html,<script>alert(1)</script>>x</a>", "--><script>alert(1)</script>",
    "]]><script>alert(1)</script>", "{{constructor.constructor('alert(1)')()}}", "<form action=//evil.example><input>",
    "\u202e<b onmouseover=alert(1)>x", "<base href=//evil.example>",
    "<meta http-equiv=refresh content=0;//evil.example>",
]  # fmt: skip


class Page(HTMLParser):
    """Tags with their attributes, and the text of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_script = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts.append(data)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    root = tmp_path_factory.mktemp("lab")
    (root / "memex.toml").write_text('[lab]\nname = "test"\n')
    for part in ("peps", "notes"):
        shutil.copytree(DATA / part, root / "raw" / part)
    (root / "raw" / "licensed.md").write_text("---\nlicence: MIT\n---\n\n# Widget\n\nA Widget is a part that turns.\n")
    made = Lab(root)
    made.ingest([root / "raw"])
    return made


def test_every_link_of_the_site_leads_to_something_on_disk(lab: Lab, tmp_path: Path) -> None:
    done = lab.export("site", tmp_path / "site")
    files = {path.relative_to(tmp_path / "site").as_posix(): path for path in (tmp_path / "site").rglob("*.html")}
    assert done.files == len(files)
    read = {name: Page(path.read_text(encoding="utf-8")) for name, path in files.items()}
    ids = {name: {a.get("id") for _, a in page.tags} for name, page in read.items()}
    links = words = 0
    for name, page in read.items():
        for tag, given in page.tags:
            address = given.get("href") if tag == "a" else None
            parts = urlsplit(address or "")
            if not address or parts.scheme:
                assert parts.scheme in ("", "http", "https")
                continue
            up = Path(name).parent / unquote(parts.path) if parts.path else Path(name)
            target = up.as_posix().removeprefix("sources/../")
            assert target in files, (name, address)
            assert not parts.fragment or unquote(parts.fragment) in ids[target], (name, address)
            links += 1
            words += given.get("class") == "words"
    assert links > 300
    assert words > 50
    assert "Linked from" in files["pep-440.html" if "pep-440.html" in files else "pep-415.html"].read_text()
    svg = [given for tag, given in read["graph.html"].tags if tag == "circle"]
    assert len(svg) >= 8
    index = next(s for s in read["search.html"].scripts if s.startswith("{"))
    told = json.loads(index)
    number = [page[0] for page in told["pages"]].index("pep-386.html")
    assert number in told["words"]["distutils"]
    assert any(told["pages"][n][0].startswith("sources/") for n in told["words"]["distutils"])
    boxes = render("- [ ] ask\n- [x] done\n", lambda _: None, lambda *_: None).html
    assert "☐ ask" in boxes
    assert "☑ done" in boxes


def test_the_site_is_the_same_again_and_forgets_what_is_gone(lab: Lab, tmp_path: Path) -> None:
    out = tmp_path / "site"
    lab.export("site", out)
    first = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    page = lab.root / "wiki" / "zz-by-hand.md"
    page.write_text("# By hand\n")
    try:
        lab.export("site", out)
        assert (out / "zz-by-hand.html").exists()
    finally:
        page.unlink()
    lab.export("site", out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == first
    other = tmp_path / "mine"
    other.mkdir()
    (other / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="no export"):
        lab.export("site", other)
    assert [path.name for path in other.iterdir()] == ["thesis.tex"]


def hostile_lab(root: Path) -> Lab:
    (root / "raw").mkdir(parents=True)
    (root / "memex.toml").write_text('[lab]\nname = "x"\n')
    for number, attack in enumerate(ATTACKS):
        text = f"---\ntitle: {attack}\nauthor: {attack}\nstatus: {attack}\naliases: {attack}\n---\n\n# {attack}\n\n"
        text += f"The gadget number {number} says {attack} to everybody who reads this line.\n\n{attack}\n"
        (root / "raw" / f"a{number:02}.md").write_text(text)
        (root / "wiki").mkdir(exist_ok=True)
        (root / "wiki" / f"hand{number}.md").write_text(
            f"---\ntitle: {attack}\n---\n\n# {attack}\n\n{attack}\n\n- {attack}[^1]\n\n[^1]: {attack}\n"
        )
    lab = Lab(root)
    lab.ingest([root / "raw"])
    return lab


def test_hostile_words_run_nothing_and_fetch_nothing(tmp_path: Path) -> None:
    lab = hostile_lab(tmp_path / "lab")
    lab.export("site", tmp_path / "site")
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 3 * len(ATTACKS)
    own = Page((tmp_path / "site" / "index.html").read_text(encoding="utf-8")).scripts[-1]
    for path in pages:
        page = Page(path.read_text(encoding="utf-8"))
        for tag, given in page.tags:
            assert tag not in ("iframe", "object", "embed", "base", "frame", "video", "audio"), path
            assert not any(name.startswith("on") for name in given), (path, given)
            address = (given.get("href") or given.get("src") or given.get("action") or "").strip().lower()
            assert not address.startswith(("javascript:", "vbscript:", "//")), (path, address)
            assert not (address.startswith("data:") and address != "data:,"), (path, address)
            if tag not in ("a", "link"):
                assert "://" not in address, (path, address)
        assert [s for s in page.scripts if not s.startswith("{")] == [own], path
        assert [tag for tag, _ in page.tags].count("form") == 1


@pytest.mark.slow
def test_a_browser_runs_nothing_of_hostile_pages(browser: Browser, tmp_path: Path) -> None:
    lab = hostile_lab(tmp_path / "lab")
    site = tmp_path / "site"
    lab.export("site", site)
    asked: list[str] = []
    with browser.new_context() as context:
        page = context.new_page()
        page.add_init_script("window.ran = []; window.alert = text => window.ran.push(text)")
        page.on("request", lambda request: asked.append(request.url))
        for path in sorted(site.rglob("*.html")):
            page.goto(path.as_uri() + ("?q=script" if path.name == "search.html" else ""))
            assert page.evaluate("window.ran") == [], path
        page.goto((site / "search.html").as_uri() + "?q=gadget")
        assert page.locator("#found a").count() > 3
        page.locator("#found a").first.click()
        page.locator("sup.footnote-ref a").first.click()
        assert "“" in page.locator("#words").inner_text()
    assert [url for url in asked if not url.startswith(("file://", "data:,"))] == []


def test_a_bundle_keeps_the_rules_of_its_format(lab: Lab, tmp_path: Path) -> None:
    lab.export("okf", tmp_path / "bundle")
    files = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "bundle").glob("*.md")}
    for name, text in files.items():
        assert "[[" not in re.sub(r"`[^`]*`|\\\[", "", text), name
        for target in re.findall(r"\]\(([^):]+\.md)\)", text):
            assert unquote(target) in files or target.startswith("../"), (name, target)
        if name in ("index.md", "log.md"):
            continue
        assert re.match(r"---\ntype: \S+\n", text), name
        front, body = text.split("\n---\n", 1)
        ids = re.findall(r"(?m)^  - \{id: ([a-z0-9-]+), resource: \"/?\S", front)
        assert len(ids) == len(set(ids))
        assert set(re.findall(r"(?<!\\)\[\^([^\]\\]+)\]", body)) == set(ids), name
    assert files["index.md"].startswith('---\nokf_version: "0.2"\n---\n')
    days = re.findall(r"(?m)^## (\d{4}-\d\d-\d\d)$", files["log.md"])
    assert days == sorted(days, reverse=True)
    lab.export("okf", tmp_path / "bundle.zip")
    first = (tmp_path / "bundle.zip").read_bytes()
    lab.export("okf", tmp_path / "bundle.zip")
    assert (tmp_path / "bundle.zip").read_bytes() == first
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        assert {n for n in archive.namelist() if n.endswith(".md")} == set(files)


@pytest.mark.parametrize("tokens", [300, 3_000, 1_000_000])
def test_a_context_stays_below_its_tokens_and_says_what_it_cut(lab: Lab, tmp_path: Path, tokens: int) -> None:
    done = lab.export("cxml", tmp_path / "wiki.xml", tokens=tokens)
    text = (tmp_path / "wiki.xml").read_text(encoding="utf-8")
    assert count_tokens(text) <= tokens
    told = re.search(r"<!-- (\d+) pages: (\d+) whole, (\d+) cut to a line, (\d+) left out -->", text)
    assert told is not None
    total, whole, lines, out = map(int, told.groups())
    assert total == whole + lines + out == len(list((lab.root / "wiki").glob("*.md"))) - 2
    assert text.count("<document>") == text.count("</document>") == whole + lines
    assert f"{whole} pages whole" in str(done)
    assert (out > 0) == (tokens == 300)
    assert (whole == total) == (tokens == 1_000_000)


def test_lines_to_train_on_quote_their_source_and_need_a_licence(lab: Lab, tmp_path: Path) -> None:
    done = lab.export("train", tmp_path / "t.jsonl")
    strict = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text(encoding="utf-8").splitlines()]
    assert strict
    assert {line["licence"] for line in strict} <= {"MIT", "public domain", "CC0-1.0-Universal"}
    assert "left out, no licence: " in str(done)
    lab.export("train", tmp_path / "t.jsonl", any_licence=True)
    rows = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) > len(strict)
    for row in rows:
        name, first, last = re.match(r"(.*)#L(\d+)(?:-L(\d+))?$", row["source"]).groups()
        lines = (lab.root / name).read_text(encoding="utf-8").split("\n")
        assert row["quote"] in "\n".join(lines[int(first) - 1 : int(last or first)]), row
        assert row["question"].endswith("?")


def test_an_export_of_nothing_says_what_to_type(tmp_path: Path) -> None:
    (tmp_path / "memex.toml").write_text('[lab]\nname = "none"\n')
    with pytest.raises(UsageError, match="no pages"):
        Lab(tmp_path).export("site", tmp_path / "site")
