"""Git as the workbench: clean checkouts to run in, a commit for every run, a branch for what was kept.

Git is derived: the diff of a run is a blob in the lab before anything here is reset. Every run's commit is kept
reachable under `refs/memex/<campaign>/<number>`; kept runs are on the branch `memex/<campaign>`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...ledger import OutsideError, UsageError

_IDENTITY = {
    "GIT_AUTHOR_NAME": "memex", "GIT_AUTHOR_EMAIL": "memex@localhost",
    "GIT_COMMITTER_NAME": "memex", "GIT_COMMITTER_EMAIL": "memex@localhost",
}  # fmt: skip
# Default settings lose commits of the last seconds at power loss; see git-config, core.fsync.
_DURABLE = ("-c", "core.fsync=committed,reference", "-c", "core.fsyncMethod=batch", "-c", "gc.auto=0")
# A hook is a program: none may run on behalf of a run.
_NO_HOOKS = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false")


class Checkouts:
    """The repository that holds the lab, and the worktrees beside it in which runs happen."""

    def __init__(self, lab: Path, worktrees: Path) -> None:
        self.lab = lab
        self.worktrees = worktrees
        top = self._try("rev-parse", "--show-toplevel", "--absolute-git-dir")
        if top is None:
            raise UsageError(
                f"{lab} is not in a git repository",
                f"git -C {lab} init && git -C {lab} add -A && git -C {lab} commit -m start",
            )
        self.top, self._git_dir = map(Path, top.decode().splitlines())
        self._adding = threading.Lock()
        self.prefix = Path(os.path.relpath(lab.resolve(), self.top.resolve()))

    # --- plumbing

    def _run(
        self, args: Sequence[str], cwd: Path, stdin: bytes | None = None, env: Mapping[str, str] | None = None
    ) -> bytes:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | _IDENTITY | dict(env or {})
        try:
            # A session of its own: Ctrl-C in the terminal must not stop a git command half way.
            done = subprocess.run(
                ["git", *_DURABLE, *_NO_HOOKS, *args],
                cwd=cwd,
                input=stdin,
                env=clean,
                capture_output=True,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise OutsideError("git is not installed", hint="install git, for example: apt install git") from error
        if done.returncode:
            text = done.stderr.decode(errors="replace").strip()
            raise OutsideError(f"git {' '.join(args[:3])} failed in {cwd}: {text}", hint=f"git -C {cwd} status")
        return done.stdout

    def _git(self, *args: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None) -> bytes:
        return self._run(args, self.lab, stdin, env)

    def _try(self, *args: str) -> bytes | None:
        try:
            return self._git(*args)
        except OutsideError:
            return None

    # --- reading

    def head(self) -> str:
        found = self._try("rev-parse", "--verify", "HEAD^{commit}")
        if found is None:
            raise UsageError(
                f"the repository at {self.top} has no commit",
                f"git -C {self.top} add -A && git -C {self.top} commit -m start",
            )
        return found.decode().strip()

    def branch(self, campaign: str) -> str | None:
        found = self._try("rev-parse", "--verify", "--quiet", f"refs/heads/memex/{campaign}^{{commit}}")
        return found.decode().strip() if found else None

    def has(self, commit: str) -> bool:
        return self._try("cat-file", "-e", f"{commit}^{{commit}}") is not None

    def named(self) -> tuple[str, str]:
        """The person's last commit: its short name, and the first line of its message."""
        name, _, subject = self._git("log", "-1", "--format=%h %s").decode(errors="replace").strip().partition(" ")
        return name, subject

    def changed_files(self, names: Sequence[str]) -> list[str]:
        """Which of the files differ from HEAD in the person's own working tree."""
        if not names:
            return []  # to git, none means all
        out = self._git("status", "--porcelain", "-z", "--untracked-files=all", "--", *names)
        return [item[3:].decode(errors="replace") for item in out.split(b"\0") if item]

    def holds_a_run(self, names: Sequence[str]) -> bool:
        """Whether these files of the working tree stand as on a branch of kept runs, with nothing of the person's."""
        heads = self._git("for-each-ref", "--format=%(objectname)", "refs/heads/memex/").decode().split()
        mine = tuple(self._git("hash-object", "--", *[str(self.lab / name) for name in names]).splitlines())
        return mine in self.contents(heads, names)

    def read(self, commit: str, name: str) -> str:
        return self._git("show", f"{commit}:{(self.prefix / name).as_posix()}").decode("utf-8")

    def reads_seed(self, commit: str) -> bool:
        """Whether a program in the lab's folder names the seed that a run is given; else all runs may share one."""
        where = ["--", self.prefix.as_posix(), *(f":(exclude,top)**/*.{kind}" for kind in ("md", "toml"))]
        return self._try("grep", "--quiet", "--fixed-strings", "MEMEX_SEED", commit, *where) is not None

    def staged(self, name: str) -> str:
        """A file as it stands in the index: what a `git checkout BRANCH -- FILE` put there, else that of the last
        commit."""
        return self._git("show", f":{(self.prefix / name).as_posix()}").decode("utf-8", errors="replace")

    def contents(self, commits: Sequence[str], names: Sequence[str]) -> list[tuple[bytes, ...]]:
        """What names the bytes of these files at each commit: equal where every byte is."""
        asked = [f"{commit}:{(self.prefix / name).as_posix()}\n" for commit in commits for name in names]
        found = self._git("cat-file", "--batch-check=%(objectname)", stdin="".join(asked).encode()).splitlines()
        return [tuple(found[i : i + len(names)]) for i in range(0, len(found), len(names))]

    def diff(self, old: str, new: str) -> bytes:
        return self._git("diff", "--no-color", "--no-ext-diff", old, new)

    def touched(self, name: str, commit: str) -> list[str]:
        """What differs from a commit in a worktree, committed there or not; paths are relative to the repository."""
        tree = self.worktrees / name
        out = self._run(["diff", "--name-only", "--no-ext-diff", "-z", commit], tree)
        out += self._run(["ls-files", "--others", "--exclude-standard", "-z"], tree)
        return sorted({item.decode(errors="replace") for item in out.split(b"\0") if item})

    def message(self, name: str, commit: str) -> str:
        """The message of the last commit made in a worktree since `commit`, '' where there is none."""
        out = self._run(["log", "-1", "--format=%B", f"{commit}..HEAD"], self.worktrees / name)
        return out.decode(errors="replace").strip()

    # --- writing

    def commit(self, parent: str, files: Mapping[str, str], message: str) -> str:
        """A commit on `parent` with these files replaced; touches no working tree and no branch."""
        with tempfile.TemporaryDirectory(prefix="memex-git-") as scratch:
            env = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
            self._git("read-tree", parent, env=env)
            for name, text in files.items():
                path = (self.prefix / name).as_posix()
                blob = self._git("hash-object", "-w", "--stdin", stdin=text.encode("utf-8")).decode().strip()
                listed = self._run(["ls-files", "-s", "--", path], self.top, env=env).split()
                mode = listed[0].decode() if listed else "100644"
                self._run(["update-index", "--add", "--cacheinfo", f"{mode},{blob},{path}"], self.top, env=env)
            tree = self._git("write-tree", env=env).decode().strip()
        return self._git("commit-tree", tree, "-p", parent, "-F", "-", stdin=message.encode("utf-8")).decode().strip()

    def keep(self, campaign: str, number: int, commit: str) -> None:
        """Makes the commit of a run reachable for good."""
        self._git("update-ref", f"refs/memex/{campaign}/{number:05d}", commit)

    def advance(self, campaign: str, commit: str) -> None:
        """Points the campaign's branch at a commit, unless the person has it checked out: then says so."""
        current = self._try("symbolic-ref", "--quiet", "HEAD")
        if current and current.decode().strip() == f"refs/heads/memex/{campaign}":
            raise UsageError(
                f"the branch memex/{campaign} is checked out, so it cannot be moved under you",
                f"git -C {self.top} switch -   (and look at its commits with git log memex/{campaign})",
            )
        self._git("update-ref", f"refs/heads/memex/{campaign}", commit)

    def checkout(self, name: str, commit: str) -> Path:
        """The lab's folder in a clean worktree at `commit`, with git in it: for those who may commit there."""
        tree = self.worktrees / name
        if (tree / ".git").exists():
            try:
                self._run(["reset", "--quiet", "--hard", commit], tree)
                self._run(["clean", "-ffdxq"], tree)
                return tree / self.prefix
            except OutsideError:
                pass  # half made or half reset when a harness was killed: make it anew
        with self._adding:  # git reads all worktrees while it adds one, and stumbles over one that is being made
            shutil.rmtree(tree, ignore_errors=True)
            self.worktrees.mkdir(parents=True, exist_ok=True)
            self._git("worktree", "prune")
            self._git("worktree", "add", "--force", "--detach", str(tree), commit)
        return tree / self.prefix

    def files_alone(self, name: str, commit: str) -> Path:
        """The lab's folder in a clean tree at `commit` for a run: nothing of an earlier run is left in it.

        The tree holds no `.git`: a run could rewrite one, and git would follow it. The index lies beside the tree.
        """
        tree, index = self.worktrees / name, self.worktrees / f"{name}.index"
        env = {"GIT_DIR": str(self._git_dir), "GIT_WORK_TREE": str(tree), "GIT_INDEX_FILE": str(index)}
        if tree.is_symlink() or os.path.lexists(tree / ".git"):
            _remove(tree)
        try:
            self._fill(tree, commit, env)
        except OutsideError:  # half made when a harness was killed, or made hard to enter by a run: anew
            _remove(tree)
            for left in (index, Path(f"{index}.lock")):
                left.unlink(missing_ok=True)
            self._fill(tree, commit, env)
        return tree / self.prefix

    def _fill(self, tree: Path, commit: str, env: Mapping[str, str]) -> None:
        tree.mkdir(parents=True, exist_ok=True)
        self._run(["read-tree", "--reset", "-u", commit], tree, env=env)
        self._run(["clean", "-ffdxq"], tree, env=env)


def _remove(folder: Path) -> None:
    """Removes what a run left, also where it made folders hard to enter; follows no symbolic link."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        os.chmod(folder, 0o700)
        for path, names, _ in os.walk(folder):
            for name in names:
                if not os.path.islink(os.path.join(path, name)):
                    os.chmod(os.path.join(path, name), 0o700)
        shutil.rmtree(folder)


def has_taken(lab: Path, commit: str) -> bool:
    """Whether the person's branch has what a commit changed, merged or copied; True where there is nothing to take."""
    try:
        checkouts = Checkouts(lab, lab)
    except UsageError:
        return True
    base = checkouts._try("merge-base", "HEAD", commit)
    if base is None:
        return True
    changed = checkouts._git("diff", "--name-only", "-z", base.decode().strip(), commit).decode().split("\0")
    files = [f":(top,literal){name}" for name in changed if name]
    return not files or checkouts._try("diff", "--quiet", "HEAD", commit, "--", *files) is not None


def merged_lines(base: str, ours: str, theirs: str) -> str | None:
    """A text with both changes since `base`, or None where they touch the same or neighbouring lines."""
    with tempfile.TemporaryDirectory(prefix="memex-merge-") as scratch:
        for name, text in (("ours", ours), ("base", base), ("theirs", theirs)):
            (Path(scratch) / name).write_text(text, encoding="utf-8")
        done = subprocess.run(["git", "merge-file", "-p", "ours", "base", "theirs"], capture_output=True, cwd=scratch)
    return None if done.returncode else done.stdout.decode("utf-8")
