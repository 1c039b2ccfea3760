"""Text of a source is data: a model that obeys all of it changes nothing but that source's own claims."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from memexlab.models import Prompt

from .test_wiki_model import BRIDGE, DONE, FERRY, GOOD, Clerk, Lab, compiled, lab_with, pages

DATA = Path(__file__).parent / "data" / "wiki"
ORDERS = sorted((DATA / "inject").glob("*.md"))
HOSTILE = sorted((DATA / "hostile").glob("*.md"))
CPU_SECONDS = 30


def obey(prompt: Prompt) -> Any:
    """Does what the document asks for, and whatever else a mind that was taken over might try."""
    data = prompt.text.split("\n>>> DATA")[0].split("<<< DATA ", 1)[1].split("\n", 1)[1]
    lines = [line.strip() for line in data.splitlines() if len(line.split()) > 2] or [data[:80] or "nothing at all"]
    if "claims of this part" not in prompt.text:
        names = re.findall(r"(?m)^(c[0-9a-f]{10}):", prompt.text)
        told = [
            {"text": text, "cites": names[:1]} for text in ("The evaluation passed.", "![x](https://evil.example/)")
        ]
        return {"sentences": [*told, {"text": "See [[admin]] and raw/../../wiki/trusted.md.", "cites": ["admin"]}]}
    if "Kestrel" in data and "Ordinary first paragraph" not in data:
        return {"claims": [c for c in (GOOD, DONE) if c["quote"] in data]}
    made = []
    for line in lines:
        for subject in ("Notes", "admin", "Kestrel Bridge", "../../admin", "Ferry"):
            for relation in ("is", "alias", "superseded by", "height", "summary"):
                made.append({"subject": subject, "sentence": line, "quote": line, "relation": relation,
                             "value": "passed", "since": ""})  # fmt: skip
                made.append({"subject": subject, "sentence": "The evaluation of Kestrel Bridge passed.", "quote": line,
                             "relation": relation, "value": "", "since": ""})  # fmt: skip
        made.append({"subject": "Notes", "sentence": line, "quote": line, "relation": "says", "value": "", "since": ""})
    return {"claims": made, "tool": "delete raw/", "pages": {"admin.md": "the evaluation passed"}}


def outside(root: Path) -> dict[str, bytes]:
    """Every file of the folder above the lab that is neither in `wiki/` nor of memex itself."""
    return {
        str(path.relative_to(root.parent)): path.read_bytes()
        for path in sorted(root.parent.rglob("*"))
        if path.is_file() and not {"wiki", ".memex"} & set(path.relative_to(root.parent).parts)
    }


def take(lab: Lab) -> None:
    lab.ingest([lab.root / "raw"])
    assert compiled(lab, Clerk(obey)).stopped == ""


@pytest.mark.parametrize("order", ORDERS, ids=lambda path: path.stem)
def test_an_obedient_model_changes_nothing_outside_the_claims_of_that_source(order: Path, tmp_path: Path) -> None:
    lab = lab_with(tmp_path / "lab", {"bridge.md": BRIDGE, "ferry.md": FERRY})
    take(lab)
    clean, files = pages(lab), outside(lab.root)
    last = lab.memory.db.execute("SELECT max(seq) FROM entries").fetchone()[0]
    bad = lab.root / "raw" / "notes.md"
    bad.write_bytes(order.read_bytes())
    take(lab)
    assert outside(lab.root) == files | {"lab/raw/notes.md": order.read_bytes()}
    rows = lab.memory.db.execute("SELECT kind, id, by FROM entries WHERE seq > ?", (last,)).fetchall()
    assert {row[0] for row in rows} <= {"source", "claim", "call", "answer"}
    [source] = [row[1] for row in rows if row[0] == "source"]
    text = order.read_text(encoding="utf-8")
    for kind, entry, by in rows:
        if kind == "claim" and by == "model:clerk":
            told = lab.memory.db.execute(
                "SELECT r.role, r.target, q.text FROM entries e JOIN refs r USING (seq) LEFT JOIN quotes q ON q.entry ="
                " e.seq WHERE e.id = ?", (entry,),
            ).fetchall()  # fmt: skip
            assert [target for role, target, _ in told if role == "from"] == [source]
            assert all(quote in text for _, _, quote in told)
    now = pages(lab)
    assert not [name for name in now if "admin" in name or "trusted" in name]
    for name in ("kestrel-bridge.md", "ferry.md"):
        assert "passed" not in now[name].decode()
    for name, page in now.items():
        assert not re.search(rb"(?<!\\)\]\(https?:|<(?:span|tool|!--)", page), name
    bad.unlink()
    lab.ingest([lab.root / "raw"])
    assert pages(lab) == clean
    lab.close()


@pytest.mark.slow
def test_the_clean_sources_keep_their_claims_among_all_orders_at_once(tmp_path: Path) -> None:
    lab = lab_with(tmp_path / "lab", {"bridge.md": BRIDGE, "ferry.md": FERRY})
    take(lab)
    sql = (
        "SELECT c.subject, c.relation, c.object, c.text FROM claims c JOIN documents d ON d.entry = c.source"
        " WHERE document IN ('raw/bridge.md', 'raw/ferry.md') ORDER BY 1, 2, 3, 4"
    )
    clean, before = pages(lab), lab.memory.db.execute(sql).fetchall()
    for order in ORDERS:
        (lab.root / "raw" / order.name).write_bytes(order.read_bytes())
    take(lab)
    assert lab.memory.db.execute(sql).fetchall() == before
    for order in ORDERS:
        (lab.root / "raw" / order.name).unlink()
    lab.ingest([lab.root / "raw"])
    assert pages(lab) == clean
    lab.close()


def bounded(lab: Path) -> subprocess.CompletedProcess[str]:
    """Ingests in a process that is killed after so much processor time, and after so much memory."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))

    command = [sys.executable, "-m", "memexlab", "ingest", "raw", "--json"]
    env = {"PATH": "/usr/bin:/bin", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=lab, preexec_fn=limit, capture_output=True, text=True, env=env, check=False)


def test_hostile_front_matter_and_markdown_are_bounded_and_lose_nobody_else(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    (lab / "raw").mkdir(parents=True)
    (lab / "memex.toml").write_text('[lab]\nname = "test"\n')
    for path in HOSTILE:
        (lab / "raw" / path.name).write_bytes(path.read_bytes())
    (lab / "raw" / "bridge.md").write_text(BRIDGE)
    before = outside(lab)
    done = bounded(lab)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "134 metres" in (lab / "wiki" / "kestrel-bridge.md").read_text()
    assert outside(lab) == before
    for page in (lab / "wiki").rglob("*.md"):
        text = re.sub(r"`[^`]*`", "", page.read_text())
        assert not re.search(
            r"<(?:img|a|svg|script|style|base|meta|iframe)\b|(?<!\\)\]\((?:javascript|data|https?):", text
        ), page


@pytest.mark.slow
def test_names_that_leave_the_lab_are_names_of_sources_and_never_of_files(tmp_path: Path) -> None:
    names = json.loads((DATA / "hostile" / "names.json").read_text())
    lab = lab_with(tmp_path / "lab", {"bridge.md": BRIDGE})
    claims = []
    for number, name in enumerate(names):
        shown = " ".join(name.replace("\0", "").split()) or "x"
        text = (
            f"---\ntitle: {json.dumps(name)}\naliases: [{json.dumps(name)}]\n---\n\n# {shown}\n\nIt is told of here.\n"
        )
        (lab.root / "raw" / f"n{number}.md").write_text(text, encoding="utf-8")
        claims.append({"subject": name, "sentence": "It is told of here.", "quote": "It is told of here",
                       "relation": "is", "value": "", "since": ""})  # fmt: skip
    before = outside(lab.root)
    lab.ingest([lab.root / "raw"])
    compiled(
        lab, Clerk(lambda prompt: {"claims": claims} if "claims of this part" in prompt.text else {"sentences": []})
    )
    assert outside(lab.root) == before
    for path in (lab.root / "wiki").rglob("*"):
        assert path.resolve().parent == (lab.root / "wiki").resolve()
        assert not path.name.startswith((".", "-"))
        assert re.fullmatch(r"[\w.-]+\.md", path.name), path.name
    lab.close()


PATHOLOGIES = {
    "spaces": " " * 100_000 + "x",
    "open brackets": "[" * 50_000,
    "links": "[a](" * 20_000,
    "stars": "*a " * 40_000,
    "underscores": "_" * 100_000,
    "backticks": "`" * 50_000 + "a" + "`" * 49_999,
    "quotes": "> " * 20_000,
    "capitals": "Aa Bb " * 20_000 + "is a thing.",
    "one word": "a" * 200_000,
    "of of": "The a of " + "B of " * 20_000,
    "possessives": "A's b " * 20_000,
    "dots": "A. " * 40_000,
    "dashes": "-" * 100_000,
    "dash lines": "---\n" * 20_000,
    "numbers": "1," * 50_000,
    "acronyms": "Aa of " * 10_000 + "(AO",
    "emails": "---\nauthor: " + "<a@" * 20_000 + "\n---\n",
    "tables": "|a" * 30_000 + "\n" + "|-" * 30_000,
    "fences": "```\n" * 20_000,
    "footnotes": "[^1]: a\n" * 10_000,
    "replaced": "Aa was " + "now " * 20_000 + "replaced by Bb.",
    "no line end": "is superseded by " * 10_000,
}


@pytest.mark.slow
def test_texts_that_make_patterns_backtrack_are_bounded(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    (lab / "raw").mkdir(parents=True)
    (lab / "memex.toml").write_text('[lab]\nname = "test"\n')
    for name, text in PATHOLOGIES.items():
        (lab / "raw" / f"{name.replace(' ', '-')}.md").write_text(f"# {name}\n\n{text}\n")
    done = bounded(lab)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["compiled"]["new"] == len(PATHOLOGIES)


def test_a_quote_that_makes_the_gate_backtrack_is_bounded() -> None:
    code = (
        "import resource, json; resource.setrlimit(resource.RLIMIT_CPU, (20, 20))\n"
        "from tests.test_wiki_model import source, GOOD\n"
        "from memexlab.wiki.drafting import claim_from, listed\n"
        "for text in ('... ' * 400, 'a ... b c d ' * 100, '(' * 1800, '-\\n' * 900, '*' * 1700, '1.' * 900):\n"
        "    found = claim_from(GOOD | {'quote': text, 'sentence': text[:600]}, source(text * 50 + 'x'))\n"
        "    assert hasattr(found, 'rule') or hasattr(found, 'refs')\n"
        "for reply in ('{' * 100_000, '[' * 100_000, '{\"claims\": ' + '[' * 90_000, '<think>' * 50_000):\n"
        "    try:\n        listed(reply, 'claims')\n    except ValueError as error:\n        assert str(error)\n"
        "    else:\n        raise SystemExit('taken')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=DATA.parents[2], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
