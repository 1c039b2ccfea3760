"""Gives a coding agent its turn: a worktree, something to read, bounds of time and money, and then control is back.

It knows how agents are started and what they print, not whether their idea is any good. The agent is the person's own
tool: it keeps their environment and their keys. What it may change is the editable files and nothing else.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..ledger import Blobs, Call, Draft, Ref, UsageError
from ..models import BudgetSpent
from .execution.checkouts import Checkouts
from .proposers.agent import Task, Turn

#: Agents by name: how each is started so that it edits files and asks nobody. By their own documentation in 2026:
#: docs.claude.com/en/docs/claude-code/headless; developers.openai.com/codex/noninteractive (`--full-auto` is
#: deprecated there); geminicli.com/docs/cli/headless (a new worktree is no trusted folder, and auto_edit holds in
#: trusted ones alone); aider.chat/docs/scripting.html; opencode.ai/v1/docs/permissions (edits need no word there).
PRESETS = {
    "claude": "claude -p {prompt} --output-format json --permission-mode acceptEdits",
    "codex": "codex exec --sandbox workspace-write {prompt}",
    "gemini": "gemini -p {prompt} --output-format json --approval-mode auto_edit --skip-trust",
    "aider": "aider --yes-always --no-auto-commits --no-gitignore --no-stream --message {prompt} {files}",
    "opencode": "opencode run {prompt}",
}
#: What of the lab lies beside the files for an agent to read, where the lab has it.
GUIDES = ("AGENTS.md", "CLAUDE.md", "GEMINI.md", ".agents/skills/memex/SKILL.md")
_OWN = {"BRIEFING.md", "program.md", "HYPOTHESIS", *GUIDES}
_HYPOTHESIS = re.compile(r"HYPOTHESIS:[*_ \t]*(.+?)\s*$", re.MULTILINE)
_AIDER_COST = re.compile(r"Cost: .*?\$([\d.]+) session")
_OUTPUT_KEEP_BYTES = 400_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """What agents may take: seconds a turn, and US dollars for all turns, as far as agents name their price."""

    seconds: float = 900.0
    usd: float | None = None


class AgentTurns:
    """Turns of one agent in one campaign; several may be at work at once, each in a worktree of its own."""

    def __init__(
        self,
        checkouts: Checkouts,
        campaign: str,
        agent: str,
        bounds: Bounds,
        blobs: Blobs,
        land: Callable[[Sequence[Draft]], object],
        tell: Callable[[str], None],
    ) -> None:
        self.checkouts, self.campaign, self.agent, self.bounds = checkouts, campaign, agent, bounds
        self.blobs, self.land, self.tell = blobs, land, tell
        self._usd: list[float] = []
        self._guard = threading.Lock()
        self._busy: set[int] = set()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopping = False
        self._told: dict[int, str] = {}

    def take(self, task: Task) -> str:
        """Lets the agent work on a task and returns its `Turn`; raises BudgetSpent where the next turn may cost too
        much."""
        if self.bounds.usd is not None and sum(self._usd) + max(self._usd, default=0.0) > self.bounds.usd:
            raise BudgetSpent(
                f"the agent's turns cost {sum(self._usd):.2f} USD so far, and the next might pass {self.bounds.usd:g}",
                hint="memex run --proposer agent --usd MORE",
            )
        with self._guard:
            place = next(i for i in range(len(self._busy) + 1) if i not in self._busy)
            self._busy.add(place)
        try:
            return self._turn(task, place).reply()
        finally:
            with self._guard:
                self._busy.discard(place)

    def stop(self) -> None:
        """Ends the turns at work, and starts no more."""
        self._stopping = True
        with self._guard:
            for process in self._running:
                _end_group(process.pid)

    # --- one turn

    def _turn(self, task: Task, place: int) -> Turn:
        name, base = f"agent-{place}", self.checkouts.branch(self.campaign) or self.checkouts.head()
        folder = self.checkouts.checkout(name, base)
        self._furnish(folder, task, self._told.pop(place, ""))
        begun = time.monotonic()
        exit_code, output, errors = self._run(task, folder)
        seconds = time.monotonic() - begun
        answer, usd = read_output(output)
        if usd is None and (found := _AIDER_COST.findall(output)):
            usd = float(found[-1])
        with self._guard:
            self._usd.append(usd or 0.0)
        self._record(task, output + (f"\n--- stderr\n{errors}" if errors else ""), seconds, usd)
        if exit_code:
            last = (errors or output).strip().rpartition("\n")[2][:200]
            ended = f"was ended after {seconds:.0f} s" if exit_code < 0 else f"ended with exit code {exit_code}: {last}"
            self.tell(f"The agent {ended}; what it did in this turn is not used.")
            return Turn({})
        files = self._edited(folder, task, name, base, place)
        if not files:
            self.tell("The agent changed nothing that may be changed.")
        message = self.checkouts.message(name, base)
        title, _, rest = message.partition("\n")
        return Turn(files, _hypothesis(answer, folder) or rest.strip() or title, title)

    def _furnish(self, folder: Path, task: Task, told: str) -> None:
        for guide in GUIDES:
            source = self.checkouts.lab / guide
            if source.is_file() and not (folder / guide).exists():
                (folder / guide).parent.mkdir(parents=True, exist_ok=True)
                (folder / guide).write_bytes(source.read_bytes())
        for file, text in (*task.files.items(), ("program.md", task.program)):
            (folder / file).write_text(text, encoding="utf-8")
        warning = f"\n\n## Your last turn\n\n{told}\n" if told else ""
        (folder / "BRIEFING.md").write_text(task.briefing + warning, encoding="utf-8")

    def _run(self, task: Task, folder: Path) -> tuple[int, str, str]:
        """Exit code (below 0 where it had to be ended), standard output and standard error."""
        words = shlex.split(PRESETS.get(self.agent, self.agent))
        command = [
            word for given in words for word in (task.files if given == "{files}" else [given])
        ]  # fmt: skip
        command = [word.replace("{prompt}", task.text) for word in command]
        env = os.environ | {"MEMEX_PROMPT": task.text, "MEMEX_LAB": str(self.checkouts.lab), "MEMEX_BY": self.by}
        with tempfile.TemporaryDirectory(prefix="memex-agent-") as scratch:
            paths = [Path(scratch) / part for part in ("in", "out", "err")]
            paths[0].write_text("" if "{prompt}" in " ".join(words) else task.text, encoding="utf-8")
            with paths[0].open("rb") as stdin, paths[1].open("wb") as stdout, paths[2].open("wb") as stderr:
                try:
                    with self._guard:
                        if self._stopping:
                            return -1, "", "stopped"
                        process = subprocess.Popen(
                            command, cwd=folder, env=env, stdin=stdin, stdout=stdout, stderr=stderr,
                            start_new_session=True,
                        )  # fmt: skip
                        self._running.add(process)
                except OSError as error:
                    raise UsageError(
                        f"the agent {command[0]} cannot be started: {error.strerror}",
                        f"install it, or memex run --agent COMMAND; known by name: {', '.join(PRESETS)}",
                    ) from error
                try:
                    code = process.wait(self.bounds.seconds)
                except subprocess.TimeoutExpired:
                    code = -signal.SIGKILL
                finally:
                    _end_group(process.pid)
                    process.wait()
                    with self._guard:
                        self._running.discard(process)
            texts = [path.read_bytes()[-_OUTPUT_KEEP_BYTES:].decode(errors="replace") for path in paths[1:]]
        return code, texts[0], texts[1]

    @property
    def by(self) -> str:
        """Who lands what the agent itself says while it works."""
        word = re.sub(r"[^A-Za-z0-9._-]", "-", Path(shlex.split(self.agent)[0]).name)
        return f"agent:{word or 'unknown'}"

    def _edited(self, folder: Path, task: Task, name: str, base: str, place: int) -> dict[str, str]:
        """The editable files as the agent left them; whatever else it touched is left behind, and it is told so."""
        prefix = self.checkouts.prefix
        allowed = {(prefix / file).as_posix(): file for file in task.files}
        mine = {(prefix / file).as_posix() for file in _OWN}
        touched = (path for path in self.checkouts.touched(name, base) if not path.startswith(".aider"))  # its notes
        foreign = [path for path in touched if path not in allowed and path not in mine]
        found: dict[str, str] = {}
        for file, before in task.files.items():
            path = folder / file
            try:
                text = path.read_text(encoding="utf-8") if path.is_file() and not path.is_symlink() else None
            except UnicodeDecodeError:
                text = None
            if text is None:
                foreign.append(f"{file} (gone, or no plain text file any more)")
            elif text != before:
                found[file] = text
        if foreign:
            told = f"These may not be changed, and were not: {', '.join(foreign[:8])}."
            self._told[place] = told
            self.tell(f"The agent touched more than the editable files. {told}")
        return found

    def _record(self, task: Task, output: str, seconds: float, usd: float | None) -> None:
        texts = (f"{task.text}\n\n{task.briefing}", output)
        refs = tuple(Ref("file", self.blobs.put(text.encode("utf-8", "replace"))) for text in texts)
        purpose = "propose" if usd is not None else "propose (cost unknown)"
        call = Call(self.by.partition(":")[2], purpose, usd=usd or 0.0, seconds=round(seconds, 3))
        self.land([Draft(f"campaign:{self.campaign}", call, refs)])


def read_output(text: str) -> tuple[str, float | None]:
    """The agent's last words, and what it says the turn cost; plain text says nothing of money."""
    for part in (text, *reversed(text.strip().splitlines()[-3:])):
        with suppress(ValueError):
            found: Any = json.loads(part)
            if isinstance(found, dict):
                said = next(
                    (found[key] for key in ("result", "response", "text") if isinstance(found.get(key), str)), ""
                )
                cost = next((found[key] for key in ("total_cost_usd", "cost_usd", "cost") if key in found), None)
                usd = (
                    float(cost) if isinstance(cost, int | float) and not isinstance(cost, bool) and cost >= 0 else None
                )
                return said or text, usd
    return text, None


def _hypothesis(answer: str, folder: Path) -> str:
    match = _HYPOTHESIS.search(answer)
    if match:
        return match[1]
    path = folder / "HYPOTHESIS"
    return (
        path.read_text(encoding="utf-8", errors="replace").strip() if path.is_file() and not path.is_symlink() else ""
    )


def _end_group(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
