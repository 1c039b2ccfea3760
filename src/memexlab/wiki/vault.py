"""Files of `wiki/`: written only where bytes change, never over what a person wrote; one git commit a compile.

`.memex/pages.db` holds what was last written to each file: what differs from it on disk was edited by hand. It knows
nothing of what pages say.
"""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..ledger import Finding, write_durably

FOLDER = "wiki"
_ORDER = "\ufeff"  # the mark of byte order, that some editors put first
#: The rule of a finding: a person's own note has the name of a page.
FOREIGN = "page-foreign"
_PAUSES_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 0)
_SETTLED_NS = 2_000_000_000  # a file changed later than this may change again without its times showing it


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the files of a wiki."""

    pages: int
    written: int
    removed: int
    findings: tuple[Finding, ...]
    commit: str = ""


class Vault:
    """The folder `wiki/` of a lab, and what was last written to it."""

    def __init__(self, root: Path) -> None:
        self._root, self._folder = root, root / FOLDER
        (root / ".memex").mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(root / ".memex" / "pages.db", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        # `next` is set before a file is written and becomes `text` after: a crash between never looks like an edit.
        self._db.execute("CREATE TABLE IF NOT EXISTS pages(path TEXT PRIMARY KEY, text TEXT, next TEXT) WITHOUT ROWID")
        self._db.execute("CREATE INDEX IF NOT EXISTS named ON pages(path)")  # names without the texts between them
        # While a file bears its stamp it holds `text`, and is not read.
        self._db.execute("CREATE TABLE IF NOT EXISTS stamps(path TEXT PRIMARY KEY, stamp TEXT) WITHOUT ROWID")

    def close(self) -> None:
        self._db.close()

    def names(self) -> set[str]:
        """The files that were written."""
        return {path for (path,) in self._db.execute("SELECT path FROM pages INDEXED BY named")}

    def last_written(self, name: str) -> str | None:
        """The text that was last written to a file of the wiki: the base that an edit by hand is compared with."""
        row = self._db.execute("SELECT text FROM pages WHERE path = ?", (name,)).fetchone()
        return row[0] if row else None

    def edited(self) -> dict[str, str | None]:
        """Every page that is not as it was last written: its text now, or None where it is gone; and unknown pages."""
        known = self.names()
        found = os.listdir(self._folder) if self._folder.is_dir() else []
        there = {name: stamp for name in found if name.endswith(".md") and (stamp := self._stamp(name))}
        stamps, held = self._stamps(), dict[str, str]()
        out: dict[str, str | None] = {}
        for name in sorted(known | there.keys()):
            if name in there and stamps.get(name) == there[name]:
                continue
            text = (self._folder / name).read_bytes().decode("utf-8", errors="replace") if name in there else None
            row = self._db.execute("SELECT text, next FROM pages WHERE path = ?", (name,)).fetchone()
            if text is None or text not in (row or ()):
                out[name] = text and text.removeprefix(_ORDER)
            elif row == (text, None):
                held[name] = there[name]
        self._keep(held)
        return out

    def _stamp(self, name: str) -> str:
        """What changes when a file does, its latest time in front; '' where there is no file."""
        try:
            found = os.stat(f"{self._folder}/{name}")
        except (FileNotFoundError, NotADirectoryError):
            return ""
        times = f"{max(found.st_mtime_ns, found.st_ctime_ns)} {found.st_mtime_ns} {found.st_ctime_ns}"
        return f"{times} {found.st_size} {found.st_ino}" if stat.S_ISREG(found.st_mode) else ""

    def kept(self, names: Iterable[str]) -> dict[str, str]:
        """The pages on disk besides these that a person wrote, or changed after they were written."""
        there = {name for name in os.listdir(self._folder) if name.endswith(".md")} if self._folder.is_dir() else set()
        there = {name for name in there - set(names) if (self._folder / name).is_file()}
        texts = {name: (self._folder / name).read_bytes().decode("utf-8", errors="replace") for name in sorted(there)}
        return {name: text for name, text in texts.items() if text != self.last_written(name)}

    def _stamps(self) -> dict[str, str]:
        return dict(self._db.execute("SELECT path, stamp FROM stamps"))

    def _keep(self, held: Mapping[str, str]) -> None:
        """Stamps of files that were read after the stamp was taken, and held what was last written."""
        settled = time.time_ns() - _SETTLED_NS
        rows = [(name, stamp) for name, stamp in held.items() if int(stamp.split()[0]) < settled]
        if rows:
            self._db.execute("BEGIN")
            self._db.executemany("INSERT OR REPLACE INTO stamps VALUES (?, ?)", rows)
            self._db.execute("COMMIT")

    def write(
        self,
        files: Mapping[str, str],
        others: Collection[str] = (),
        absorbed: Mapping[str, str] | None = None,
        gate: Callable[[str], Iterable[Finding]] | None = None,
    ) -> Written:
        """Makes the folder hold these files and what it held of `others`; one that was edited by hand, or is no file of
        ours, stays as it is.

        `absorbed` are texts of edited files whose every change has landed; `gate` says what forbids to write a file.
        """
        gone = self.names() - files.keys() - set(others)
        marks = json.dumps([*files, *gone])
        sql = "SELECT path, text, next FROM pages WHERE path IN (SELECT value FROM json_each(?))"
        known = {path: (text, then) for path, text, then in self._db.execute(sql, (marks,))}
        stamps, findings = self._stamps(), list[Finding]()
        todo: list[tuple[str, str | None]] = []
        for name, text in [*sorted(files.items()), *((name, None) for name in sorted(gone))]:
            try:
                if (stamp := self._stamp(name)) and stamps.get(name) == stamp and name in known:
                    there = known[name][0]
                else:
                    there = (self._folder / name).read_bytes().decode("utf-8", errors="replace") if stamp else None
            except OSError as error:
                where, told = f"{FOLDER}/{name}", str(error.strerror)
                findings.append(Finding("page-unreadable", "error", where, told, "ls -l wiki"))
                continue
            taken = (absorbed or {}).get(name)
            if text is not None and there != text and gate is not None and (wrong := list(gate(name))):
                findings += wrong
                continue
            if there == text:
                if known.get(name, (None, None)) != (text, None):
                    todo.append((name, text))
            elif there is not None and there.removeprefix(_ORDER) != taken and there not in known.get(name, ()):
                told = "was edited by hand and is left as it is" if name in known else "is no page of memex and stays"
                rule = "page-edited" if name in known else FOREIGN
                findings.append(Finding(rule, "warning", f"{FOLDER}/{name}", told, "memex sync"))
            else:
                todo.append((name, text))
        written, removed = self._apply(todo)
        told = f"wiki: {written} pages written, {removed} removed"
        commit = self._commit(told, findings) if written or removed else ""
        return Written(len({*files, *others} - {"index.md", "log.md"}), written, removed, tuple(findings), commit)

    def _apply(self, todo: list[tuple[str, str | None]]) -> tuple[int, int]:
        written, removed, held = 0, 0, dict[str, str]()
        if todo:
            self._folder.mkdir(exist_ok=True)
            rows = [(name, text) for name, text in todo if text is not None]
            self._db.execute("BEGIN")
            self._db.executemany(
                "INSERT INTO pages VALUES (?, NULL, ?) ON CONFLICT(path) DO UPDATE SET next = excluded.next", rows
            )
            self._db.executemany("DELETE FROM stamps WHERE path = ?", [(name,) for name, _ in todo])
            self._db.execute("COMMIT")
        for name, text in todo:
            path = self._folder / name
            if text is None:
                removed += path.exists()
                path.unlink(missing_ok=True)
            elif not path.is_file() or path.read_bytes() != text.encode():
                write_durably(path, text.encode())
                written += 1
            if text is not None and (stamp := self._stamp(name)) and path.read_bytes() == text.encode():
                held[name] = stamp
        if todo:
            self._db.execute("BEGIN")
            for name, text in todo:
                then = "DELETE FROM pages" if text is None else "UPDATE pages SET text = next, next = NULL"
                self._db.execute(f"{then} WHERE path = ?", (name,))
            self._db.execute("COMMIT")
            self._keep(held)
        return written, removed

    def _commit(self, message: str, findings: list[Finding]) -> str:
        """One commit of `wiki/` alone, where the lab is a repository; what is staged besides stays staged."""
        if not (self._root / ".git").exists():
            return ""
        try:
            self._git("add", "--all", "--", FOLDER)
            if not self._git("status", "--porcelain", "--", FOLDER):
                return ""
            named = self._git("config", "--default", "", "user.email")
            who = () if named else ("-c", "user.name=memex", "-c", "user.email=memex@localhost")
            self._git(*who, "commit", "--quiet", "--only", "-m", message, "--", FOLDER)
            return self._git("rev-parse", "HEAD")
        except (OSError, subprocess.CalledProcessError) as error:
            told = (getattr(error, "stderr", "") or str(error)).strip().split("\n")[0]
            findings.append(Finding("wiki-commit", "warning", FOLDER, f"was not committed: {told}", "git status"))
            return ""

    def _git(self, *args: str) -> str:
        command = ["git", "-C", str(self._root), *args]
        for pause_seconds in _PAUSES_SECONDS:
            done = subprocess.run(command, capture_output=True, text=True)
            if not done.returncode or ".lock" not in done.stderr:
                break
            time.sleep(pause_seconds)  # another git holds the lock for as long as it writes
        done.check_returncode()
        return done.stdout.strip()
