"""`memex ingest --model` and `--brief`, `memex land`: claims and answers by a model or an agent, through the gates."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..config import load
from ..lab.wording import clean
from ..ledger import Finding, UsageError
from ..memory import Memory
from ..models import Driver, provider_from
from ..partner.proposing import Told, admit, lines_about_a_person
from ..wiki.drafting import json_lines
from ..wiki.landing import Landed, Worded, compile_by_model, estimated, land_drafts, work_order
from ..wiki.review import accept_all
from .ingest import Taken, counted, take_in
from .live import counter
from .results import Text


@dataclass(frozen=True, slots=True)
class Worked:
    """What an ingest with a model did: the files as ever, then what the model brought; 3 where a call failed."""

    taken: Taken
    worded: Worded

    @property
    def exit_code(self) -> int:
        return 3 if self.worded.stopped else 0

    def data(self) -> Any:
        return self.taken.data() | {"model": asdict(self.worded) | {"spent": self.worded.spent._asdict()}}

    def __str__(self) -> str:
        done = self.worded
        lines = [
            str(self.taken),
            f"{done.model}: {done.claims} claims and {done.answers} answers landed, "
            f"{sum(done.dropped.values())} dropped"
            f"{counted(done.dropped)}; {done.spent.calls} calls, {done.spent.tokens} tokens, {done.spent.usd:.4f} usd",
            f"wiki: {done.wiki.pages} pages, {done.wiki.written} files written, {done.wiki.removed} removed",
        ]
        if done.stopped:
            lines.append(f"stopped: {done.stopped}\nnothing was withdrawn; the same command goes on from here")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Drafted:
    """What became of an agent's lines; 1 where one was refused."""

    landed: Landed

    @property
    def exit_code(self) -> int:
        return 1 if self.landed.findings else 0

    def data(self) -> Any:
        return asdict(self.landed)

    def __str__(self) -> str:
        done = self.landed
        told = f"{done.claims} claims and {done.answers} answers landed, {done.known} known before, "
        told += f"{len(done.findings)} refused; wiki: {done.wiki.written} files written"
        if done.nowhere:
            names = ", ".join(clean(name, 40) for name in done.nowhere[:8])
            told += f"\nno page of its own: {names}; these claims stand on the page of their source"
        if done.unseen:
            told += f"\nlanded, but shown on no page: {', '.join(clean(name, 60) for name in done.unseen[:8])}"
        if done.again:
            told += "\nworded before some of their claims were known, and shown until worded again: "
            told += "; ".join(done.again)
        return "\n".join([told, *map(str, (*done.findings, *done.warnings))])


@dataclass(frozen=True, slots=True)
class Checked:
    """Which lines would pass the gates, and what is wrong with the others; nothing landed. 1 where one is refused."""

    accepted: tuple[str, ...]
    refused: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        return 1 if self.refused else 0

    def __str__(self) -> str:
        told = f"{len(self.accepted)} lines would pass, {len(self.refused)} refused; nothing landed"
        return "\n".join(
            [told, *(f"{where}: accepted" for where in self.accepted), *self.notes, *map(str, self.refused)]
        )


def driver_for(memory: Memory, root: Path, name: str = "") -> Driver:
    """The model of memex.toml, or another one at the same address; raises UsageError where the dial is at none."""
    settings = load(root).model
    if name:
        settings = replace(settings, name=name, dial="endpoint" if settings.dial == "none" else settings.dial)
    if (provider := provider_from(settings)) is None:
        raise UsageError("no model is set", 'dial = "endpoint", base_url and name, under [model] of memex.toml')
    return Driver(memory, provider, settings)


def take_in_with_model(
    memory: Memory, root: Path, paths: Sequence[Path], by: str, name: str, yes: bool = False
) -> Worked:
    """Takes the files in as ever, then asks the model; `yes` accepts what would wait for a person."""
    driver = driver_for(memory, root, name)
    taken = take_in(memory, root, paths, by)
    with counter(sys.stderr, f"asking {driver.provider.name}") as told:
        done = compile_by_model(memory, root, paths, driver, told)
    return Worked(replace(taken, accepted=accept_all(memory, root, by)) if yes else taken, done)


def estimate_of(memory: Memory, root: Path, paths: Sequence[Path], name: str) -> Text:
    """The most that the first questions for these files can cost."""
    asked, most = estimated(driver_for(memory, root, name), root, paths)
    return Text(
        f"{asked} questions for claims: at most {most.tokens_in} tokens in, {most.tokens_out} out, {most.usd:.4f} usd\n"
        "on top, where needed: one repair a question, and one answer for each section whose claims changed"
    )


def order(memory: Memory, root: Path, paths: Sequence[Path], most_tokens: int) -> Text:
    """The work order for an agent."""
    return Text(work_order(memory, root, paths, most_tokens))


def land(memory: Memory, root: Path, file: Path, by: str, check: bool) -> Drafted | Told | Checked:
    """An agent's drafts through the gates: of the wiki, or of a person where the first line names one."""
    about = lines_about_a_person(file)
    lines = json_lines(file) if about is None else about
    done = admit(memory, lines, by, check) if about else Drafted(land_drafts(memory, root, lines, by, check))
    if not check:
        return done
    findings, notes = (
        (done.findings, done.notes)
        if isinstance(done, Told)
        else (done.landed.findings, tuple(map(str, done.landed.warnings)))
    )
    refused = {one.where for one in findings}
    return Checked(tuple(where for where, _ in lines if where not in refused), findings, notes)
