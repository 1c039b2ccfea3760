"""Long lists on the web: a part at a time, with a way to the rest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from memexlab import Lab
from memexlab.web.app import application
from memexlab.web.wiki import _STEP

ITEMS = 450


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "lab"
    Lab.init(root, target="none")
    (root / "wiki").mkdir(exist_ok=True)
    links = "".join(f"- [Page {n}](page-{n}.md): said of {n}\n" for n in range(ITEMS))
    (root / "wiki" / "index.md").write_text(f"# Index\n\n## Few\n\n- one alone\n\n## Sources\n\n{links}")
    entries = "".join(f"## [2026-01-01] source | Page {n}\n\n`raw/{n}.md`\n\n" for n in range(ITEMS))
    (root / "wiki" / "log.md").write_text(f"# Log\n\n{entries}")
    return root


@pytest.mark.parametrize("name", ["index", "log"])
def test_every_item_of_a_long_list_is_on_exactly_one_part(root: Path, name: str) -> None:
    shown, parts, address = [], 0, f"/wiki/{name}"
    with TestClient(application(root, "t"), base_url="http://127.0.0.1") as client:
        while address:
            text = client.get(address).text
            shown += re.findall(r"Page (\d+)", text.partition("<article")[2].partition("</article>")[0])
            parts += 1
            further = re.search(r'href="(\?from=\d+)">Next', text)
            address = f"/wiki/{name}{further[1]}" if further else ""
    assert [int(number) for number in shown] == list(range(ITEMS))
    assert parts == -(-ITEMS // _STEP)


def test_sources_are_listed_with_their_claims(root: Path) -> None:
    (root / "raw").mkdir(exist_ok=True)
    (root / "raw" / "bridge.md").write_text("# Bridge\n\nThe mass of Bridge is 3 kg. The height of Bridge is 9 m.\n")
    (root / "raw" / "empty.md").write_text("# Nothing\n\nperhaps\n")
    lab = Lab(root)
    lab.ingest([root / "raw"])
    counted = dict(lab.memory.db.execute("SELECT source, count(*) FROM claims GROUP BY 1"))
    entries = [entry for (entry,) in lab.memory.db.execute("SELECT entry FROM documents")]
    lab.close()
    with TestClient(application(root, "t"), base_url="http://127.0.0.1") as client:
        text = client.get("/sources").text
    told = dict(re.findall(r'href="/sources/(\d+)">.*?<td class="n">(\d+)<i> claims', text))
    assert {int(entry): int(count) for entry, count in told.items()} == {e: counted.get(e, 0) for e in entries}
    assert len(entries) == 2
    assert max(counted.values()) > 0
