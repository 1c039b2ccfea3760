"""What stands around a text: pictures, repositories, addresses, encodings, and files that hold several documents."""

from __future__ import annotations

import mailbox
import struct
import subprocess
import zlib
from email.message import EmailMessage
from pathlib import Path

import pytest

from memexlab.api import Lab
from memexlab.commands.fetching import local
from memexlab.commands.ingest import Taken
from memexlab.ledger import UsageError
from memexlab.wiki.compiling import Compiled
from memexlab.wiki.fetching import Fetched
from memexlab.wiki.lint import lint

CAFE = "Café Geneva is a café that opened in 1932 and closed for good."


def picture(shade: int) -> bytes:
    """A PNG of one dot."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes([0, shade]))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def lab_with(root: Path, **files: str | bytes) -> Lab:
    (root / "raw").mkdir(parents=True)
    (root / "memex.toml").write_text('[lab]\nname = "test"\n')
    for name, data in files.items():
        path = root / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return Lab(root)


def taken(lab: Lab) -> Compiled:
    done = lab.ingest([lab.root / "raw"])
    assert isinstance(done, Taken)
    assert done.compiled is not None
    return done.compiled


def page(lab: Lab, name: str) -> str:
    return (lab.root / "wiki" / f"{name}.md").read_text(encoding="utf-8")


def test_pictures_go_with_the_text_that_embeds_them(tmp_path: Path) -> None:
    outside = tmp_path / "secret.png"
    outside.write_bytes(picture(9))
    lab = lab_with(
        tmp_path / "lab",
        **{
            "note.md": "# Note\n\nThe plot shows that the loss falls with every step taken.\n\n"
            "![Loss over time](a%20b.png)"
            " ![[other.png|the other]] ![x](../../secret.png) ![y](https://example.org/z.png) ![no](fake.png)\n",
            "a b.png": picture(1), "assets/other.png": picture(2), "fake.png": b"<script>", "linked.png": picture(4),
            "sign.png": picture(3), "sign.png.txt": "A sign that says the bridge is closed until March 2024.",
        },
    )  # fmt: skip
    (tmp_path / "lab" / "raw" / "note.md").with_name("link.png").symlink_to(outside)
    done = taken(lab)
    assert [f.rule for f in done.findings if f.where == "raw/fake.png"] == ["source-damaged"]
    text = page(lab, "note")
    assert text.count("![") == 2
    assert "![Loss over time](files/" in text
    assert "![the other](files/" in text
    assert "![A sign that says the bridge is closed until March 2024.](files/" in page(lab, "sign")
    assert "# linked" in page(lab, "linked")
    files = {path.name: path.read_bytes() for path in (lab.root / "wiki" / "files").iterdir()}
    assert sorted(files.values()) == sorted(picture(n) for n in (1, 2, 3, 4))
    assert taken(lab).wiki.written == 0
    for name in ("note.md", "a b.png", "sign.png.txt", "sign.png", "linked.png", "assets/other.png"):
        (lab.root / "raw" / name).unlink()
    taken(lab)
    assert list((lab.root / "wiki" / "files").iterdir()) == []


def git(folder: Path, *args: str) -> str:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    done = subprocess.run(["git", "-C", str(folder), *who, *args], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_repository_keeps_its_commit_and_what_was_not_read(tmp_path: Path) -> None:
    lab = lab_with(
        tmp_path / "lab",
        **{
            "tool/README.md": "# Tiny tool\n\nTiny tool is a library that counts words in files and prints them.\n",
            "tool/docs/use.md": "# Use\n\nThe tool reads a file and prints how often each word stands in it.\n",
            "tool/.gitignore": "build/\n*.log\n", "tool/build/out.md": "# Built\n", "tool/a.log": "x",
            "tool/logo.bin": b"\0", "tool/fake.md": b"\0\1\2", "tool/x.bin\nsuperseded-by: Lies": b"",
        },
    )  # fmt: skip
    folder = lab.root / "raw" / "tool"
    git(folder, "init", "--quiet")
    marker = tmp_path / "ran"
    git(folder, "config", "core.fsmonitor", f"touch {marker}")
    git(folder, "-c", "core.fsmonitor=false", "add", "--all")
    git(folder, "-c", "core.fsmonitor=false", "commit", "--quiet", "-m", "x")
    git(folder, "config", "remote.origin.url", "https://ada:secret@example.org/tool.git")
    marker.unlink(missing_ok=True)
    taken(lab)
    assert not marker.exists()  # a repository cannot have a program run
    commit = git(folder, "-c", "core.fsmonitor=false", "rev-parse", "HEAD")
    sql = "SELECT body ->> '$.meta.commit', body ->> '$.meta.repo' FROM entries WHERE kind = 'source'"
    rows = set(lab.memory.db.execute(sql))
    assert rows == {(commit, "https://example.org/tool.git")}
    assert not (lab.root / "wiki" / "built.md").exists()
    told = page(lab, "repository-tool")
    assert "- **Not read:** 1 binary; 2 ignored by git; 1 no reader for .bin" in told
    assert "- **Superseded" not in told
    assert commit in told
    assert "secret" not in told
    assert [f for f in lint(lab.memory, lab.root).findings if f.severity == "error"] == []
    assert taken(lab).wiki.written == 0
    (folder / "fake.md").write_text("# Real\n\nA real file is a file that somebody can read.\n")
    assert taken(lab).changed == 1
    assert "1 binary" not in page(lab, "repository-tool")


def letters(path: Path, numbers: list[int]) -> None:
    path.unlink(missing_ok=True)
    box = mailbox.mbox(path)
    for number in numbers:
        message = EmailMessage()
        message["From"], message["Subject"] = "Ada <ada@example.org>", f"Letter {number}"
        message.set_content(f"The harbour crane number {number} is a machine that lifts more than it weighs.\n")
        box.add(message)
    box.close()


def test_a_mail_that_is_gone_takes_its_claims_with_it(tmp_path: Path) -> None:
    pytest.importorskip("html_to_markdown", reason="the extra is not installed: pip install 'memexlab[docs]'")
    lab = lab_with(tmp_path / "lab")
    letters(lab.root / "raw" / "box.mbox", [1, 2, 3])
    assert taken(lab).new == 1
    assert "crane number 2" in page(lab, "letter-2")
    letters(lab.root / "raw" / "box.mbox", [1, 3])
    assert taken(lab).changed == 1
    assert not (lab.root / "wiki" / "letter-2.md").exists()
    assert "crane number 3" in page(lab, "letter-3")
    assert "crane number 2" not in "".join(p.read_text() for p in (lab.root / "wiki").glob("*.md"))
    (lab.root / "raw" / "box.mbox").write_bytes(b"")  # nothing can be read: what was known stays
    done = taken(lab)
    assert [finding.rule for finding in done.findings] == ["source-empty"]
    assert (lab.root / "wiki" / "letter-3.md").exists()


@pytest.mark.parametrize(
    ("name", "data", "rule", "words"),
    [
        ("old.txt", CAFE.encode("cp1252"), "source-encoding", "Café"),
        ("talk.vtt", f"WEBVTT\n\n00:01.000 --> 00:02.000\n{CAFE}\n".encode("cp1252"), "source-encoding", "café"),
        ("wide.txt", CAFE.encode("utf-16"), "", "Café"),
        ("bare.txt", CAFE.encode("utf-16-le"), "source-binary", ""),
    ],
)  # fmt: skip
def test_a_wrong_encoding_is_told_and_loses_nothing(
    tmp_path: Path, name: str, data: bytes, rule: str, words: str
) -> None:
    lab = lab_with(tmp_path / "lab", **{name: data})
    assert [finding.rule for finding in taken(lab).findings] == ([rule] if rule else [])
    text = "".join(path.read_text(encoding="utf-8") for path in (lab.root / "wiki").glob("*.md"))
    assert words in text
    kept = [
        lab.memory.blobs.get(row[0]) for row in lab.memory.db.execute("SELECT target FROM refs WHERE target LIKE 'b:%'")
    ]
    assert not words or data in kept


def test_an_address_is_fetched_only_where_the_network_is_allowed(tmp_path: Path) -> None:
    lab = lab_with(tmp_path / "lab")
    asked: list[str] = []

    def get(url: str) -> Fetched:
        asked.append(url)
        return Fetched(url, "text/plain", b"Geneva tower is a tower that was built by the city in 1932.")

    with pytest.raises(UsageError, match="the network is off"):
        lab.ingest([Path("https://example.org/tower")])
    with pytest.raises(UsageError, match="the network is off"):
        local(lab.root, [Path("https://example.org/tower")], get)
    assert asked == []
    (lab.root / "memex.toml").write_text('[lab]\nname = "test"\n\n[network]\nallow = true\n')
    [path] = local(lab.root, [Path("https://example.org/tower")], get)
    assert asked == ["https://example.org/tower"]
    assert path.parent == lab.root / "raw" / "web"
    assert path.suffix == ".txt"
    assert local(lab.root, [Path("https://example.org/tower")], get) == [path]
    assert len(list(path.parent.iterdir())) == 1
    with pytest.raises(UsageError, match="not on the public network"):
        lab.ingest([Path("http://127.0.0.1/tower")])
