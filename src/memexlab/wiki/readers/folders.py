"""A folder under git: which commit was read, what git ignores, and what was left out and why: a source of its own."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from . import Document, name_of
from .text import parse

#: Settings of a repository that would have git run a program of its own.
_QUIET = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "protocol.allow=never")
_LISTED = 200


@dataclass(frozen=True)
class Repository:
    """A git working tree; empty values where git cannot tell."""

    folder: Path

    def _git(self, *args: str) -> str:
        try:
            command = ["git", *_QUIET, "-C", str(self.folder), *args]
            done = subprocess.run(command, capture_output=True, timeout=60, check=True)
        except (OSError, subprocess.SubprocessError):
            return ""
        return done.stdout.decode("utf-8", errors="surrogateescape")

    @cached_property
    def meta(self) -> dict[str, str]:
        """The commit that is checked out, and where the repository comes from, without what an address may hide."""
        origin = self._git("config", "--get", "remote.origin.url").strip()
        head, at, tail = origin.rpartition("@")
        origin = f"{head.partition('://')[0]}://{tail}" if at and "://" in head else origin
        return {"commit": self._git("rev-parse", "HEAD").strip(), "repo": origin or self.folder.resolve().name}

    @cached_property
    def ignored(self) -> frozenset[Path]:
        """Files and folders that git ignores."""
        listed = self._git("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
        return frozenset((self.folder / name).absolute() for name in listed.split("\0") if name)

    def document(self, root: Path, gaps: Mapping[str, str]) -> Document:
        """What was read of it and what was not: `gaps` holds the reason for each file that was left out."""
        name, meta = name_of(self.folder, root), self.meta
        reasons: dict[str, list[str]] = defaultdict(list)
        for file, reason in sorted(gaps.items()):
            reasons[" ".join(reason.split())].append(" ".join(file.split()))  # a name may hold lines
        title = f"Repository {self.folder.resolve().name}"
        fields = {"title": title, "commit": meta["commit"], "repository": meta["repo"]}
        if reasons:
            fields["not read"] = "; ".join(f"{len(files)} {reason}" for reason, files in sorted(reasons.items()))[:120]
        text = "".join(f"{key}: {value}\n" for key, value in fields.items()) + "\n"
        for reason, files in sorted(reasons.items()):
            listed = [*files[:_LISTED], *([f"and {len(files) - _LISTED} more"] if len(files) > _LISTED else [])]
            text += f"## Not read: {reason}\n\n" + "".join(f"- {file}\n" for file in listed) + "\n"
        [found] = parse(text.encode(errors="replace"), name)
        assert isinstance(found, Document)
        return replace(found, media="text/x-git", meta={**found.meta, "subject": title, **meta}, raw=None)


class Folders:
    """The repositories that a walk came through, and each file it left out with the reason."""

    def __init__(self, root: Path) -> None:
        self._root, self._found, self.gaps = root, dict[Path, Repository](), dict[str, str]()

    def enter(self, folder: Path) -> None:
        """Notes a repository; the lab's own is none, because each compile adds a commit to it."""
        if (folder / ".git").exists() and folder.resolve() != self._root.resolve():
            self._found[folder.absolute()] = Repository(folder)

    def _of(self, path: Path) -> Repository | None:
        return next((self._found[up] for up in path.absolute().parents if up in self._found), None)

    def ignores(self, path: Path) -> bool:
        repository = self._of(path)
        return repository is not None and path.absolute() in repository.ignored

    def placed(self, document: Document, path: Path) -> Document:
        """The document with the commit it was read at."""
        repository = self._of(path)
        return document if repository is None else replace(document, meta={**document.meta, **repository.meta})

    def documents(self) -> Iterator[Document]:
        """One document a repository."""
        for folder, repository in self._found.items():
            below = name_of(folder, self._root) + "/"
            gaps = {name.removeprefix(below): why for name, why in self.gaps.items() if name.startswith(below)}
            yield repository.document(self._root, gaps)
