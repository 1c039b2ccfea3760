"""`memex run` and `memex report`: from the settings of a lab to a night of research, and what it came to."""

from __future__ import annotations

import fcntl
import os
import re
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..config import Config, load
from ..folder import FILE, aliases
from ..lab.agent_turns import AgentTurns, Bounds
from ..lab.evidence.packets import packets_for
from ..lab.execution.campaign import Contract, hardware, locked_hash
from ..lab.execution.checkouts import Checkouts, has_taken
from ..lab.execution.engine import Slots
from ..lab.execution.streams import TOLD_FROM, Desk, Streams, interference, visible_cards
from ..lab.loop.campaign import BY, Campaign, Event
from ..lab.loop.night import Limits, Manner, Night
from ..lab.loop.planning import Drive
from ..lab.proposers import Prompt, Proposal, Proposer
from ..lab.proposers.agent import AgentProposer, Task
from ..lab.proposers.knobs import KnobProposer
from ..lab.tsv import keep_tsv
from ..lab.verdict import LOOKS, in_words, race
from ..ledger import Draft, Entry, OutsideError, Ref, Source, UsageError, utc_now, write_durably
from ..memory import Memory
from ..memory.namespaces import plain_names, shown_names

if TYPE_CHECKING:
    from ..models import Driver

_SINCE = re.compile(r"(\d+(?:\.\d+)?)([mhd])")
_SECONDS = {"m": 60, "h": 3600, "d": 86400}

#: What the terms of a campaign are to a person.
_TERMS = {
    "budget_seconds": "the budget", "evaluator": "a locked file", "hardware": "the machine", "metric": "the metric",
    "edit": "the files to edit", "run": "the command", "evaluate": "the evaluator's command",
}  # fmt: skip

Proposing = Literal["knobs", "model", "agent", "mixed"]


@dataclass(frozen=True, slots=True)
class Options:
    """How a loop is run, as the person asked for it; None is what `memex.toml` or the machine says."""

    seconds: float | None = None
    streams: int | None = None
    devices: tuple[str, ...] = ()
    campaign: str | None = None
    proposer: Proposing | None = None
    model: str | None = None
    agent: str | None = None
    agent_seconds: float | None = None
    usd: float | None = None
    approve: bool = False
    unsafe: bool = False
    early_kill: float | None = None


@dataclass(frozen=True, slots=True)
class Reported:
    """A report on disk."""

    headline: str
    html: str
    markdown: str
    png: str

    def __str__(self) -> str:
        return f"{self.headline}\n\nreport: {self.html}\n        {self.markdown}\n        {self.png}"


@dataclass(frozen=True, slots=True)
class NightOutcome:
    """What `memex run` did, with its report."""

    campaign: str
    candidates: int
    interference: str = ""
    report: Reported | None = None

    def with_report(self, report: Reported) -> NightOutcome:
        return replace(self, report=report)

    def __str__(self) -> str:
        return "\n".join(filter(None, [self.interference, str(self.report) if self.report else ""]))


@dataclass(frozen=True, slots=True)
class Raced:
    """Two runs measured again side by side; `pairs` are the new ones, (run, against) on the same seed.

    `gain` and its interval are of all their fresh pairs, earlier ones too. `verdict` is '' where they are too few.
    """

    campaign: str
    run: int
    against: int
    pairs: tuple[tuple[float, float], ...]
    gain: float
    low: float
    high: float
    sigma: float
    unit: str
    verdict: str
    reason: str
    champion: int
    packet: str

    def __str__(self) -> str:
        lines = [
            f"pair {i}: run {self.run} {a:.6g}, run {self.against} {b:.6g}" for i, (a, b) in enumerate(self.pairs, 1)
        ]
        lines += [f"run {self.run}: {self.reason}", f"champion: run {self.champion}"]
        return "\n".join(lines) + (f"\n\n{self.packet}" if self.packet else "")


def run_night(
    root: Path,
    memory: Memory,
    tell: Callable[[Event], None],
    runs: int | None,
    hours: float | None,
    options: Options,
    by: str = BY,
) -> NightOutcome:
    """Runs the loop of the lab at `root` until a limit; raises UsageError where the lab has no target."""
    _above_zero(runs=runs, hours=hours)
    with prepared_night(root, memory, tell, options) as night:
        _measure_commits(root, night, tell, by)
        candidates = night.run(Limits(runs, hours, options.usd))
        cost = interference(memory, night.campaign)
        if (root / "wiki").is_dir():
            from ..wiki.compiling import render

            wiki = render(memory, root)
            tell(Event("notice", f"Wiki: {wiki.pages} pages, {wiki.written} files written."))
            for finding in wiki.findings:
                tell(Event("notice", str(finding)))
    return NightOutcome(night.campaign, candidates, str(cost) if cost and cost.loss > TOLD_FROM else "")


def race_runs(
    root: Path,
    memory: Memory,
    tell: Callable[[Event], None],
    run: int | None,
    against: int | None,
    pairs: int,
    campaign: str | None,
) -> Raced:
    """Measures two runs of a campaign again, side by side, and lands what all their fresh pairs say."""
    _above_zero(pairs=pairs)
    budget = memory.db.execute("SELECT budget_seconds FROM campaigns WHERE campaign = ?", (campaign,)).fetchone()
    options = Options(budget[0] if budget else None, campaign=campaign)
    with prepared_night(root, memory, tell, options, edited=True) as night:
        board, better = night.board, night.contract.metric.better
        first = board.numbered(run) if run is not None else board.champion()
        reigns = first == board.champion()
        rival = board.baseline() if reigns else board.champion()
        second = board.numbered(against) if against is not None else rival
        for given, found in ((run, first), (against, second)):
            if found is None or not found.commit:
                raise UsageError(
                    f"there is no run {given if given is not None else ''} to measure in campaign {night.campaign}",
                    'memex sql "select number, role, status, description from runs"',
                )
        assert first is not None
        assert second is not None
        if first.commit == second.commit:
            raise UsageError(f"runs {first.number} and {second.number} are the same commit", "memex run --runs 8")
        candidate, other = night.judge.sides(first, second)
        before = len(board.pairs(candidate, other))
        verdict = night.retest(candidate, other, pairs)
        every, noise, champion = board.pairs(candidate, other), board.noise(), board.champion()
        if len(every) == before:
            raise OutsideError("no pair could be measured", hint="memex doctor")
        state = race(every, noise, better)
        packets = packets_for(memory.db, night.campaign, [candidate.number])
        told = in_words(state, noise, f"run {other.number}").partition(": ")[2]
        return Raced(
            night.campaign, candidate.number, other.number, tuple(every[before:]), state.gain, *state.interval,
            noise.sigma, night.contract.metric.unit, verdict.decision if verdict else "",
            verdict.reason if verdict else f"no verdict yet, {LOOKS} pairs are needed: {told}",
            champion.number if champion else other.number, packets[0].markdown().strip() if packets else "",
        )  # fmt: skip


@contextmanager
def prepared_night(
    root: Path,
    memory: Memory,
    tell: Callable[[Event], None],
    options: Options = Options(),
    edited: bool = False,
) -> Iterator[Night]:
    """The loop of a lab, ready to run, with the lab locked against a second one; `edited` says that the editable files
    may differ from the last commit."""
    _above_zero(
        seconds=options.seconds, streams=options.streams, agent_seconds=options.agent_seconds, usd=options.usd,
        early_kill=options.early_kill or None,
    )  # fmt: skip
    config = load(root)
    contract = config.contract
    if contract is None:
        raise UsageError(f"{root / FILE} names no [target], so there is nothing to run", "memex init --here")
    seconds = options.seconds
    if seconds is not None:
        longer = max(contract.budget.kill_after_seconds, seconds * 2 + 30)
        contract = replace(contract, budget=replace(contract.budget, seconds=seconds, kill_after_seconds=longer))
    if options.early_kill is not None:
        contract = replace(contract, budget=replace(contract.budget, early_kill=options.early_kill))
    checkouts = Checkouts(root, memory.folder / "worktrees")
    touched = " ".join(checkouts.changed_files(contract.lock)[:5])
    if touched:
        raise UsageError(
            f"locked files differ from the last commit: {touched}; they measure every idea alike",
            f"git -C {root} restore --staged --worktree {touched}; a commit of them begins a new campaign with a new "
            "baseline, and what was measured before does not compare with it",
        )
    dirty = checkouts.changed_files(() if edited else contract.edit)
    if dirty and not checkouts.holds_a_run(dirty):
        names = " ".join(dirty[:5])
        raise UsageError(
            f"these files differ from the last commit: {names}",
            f'git -C {root} commit -am "say what changed", which makes it the first idea; memex try, to measure it; '
            f"or git -C {root} restore --staged --worktree {names}, to drop it",
        )
    with _alone(memory.folder):
        locked = locked_hash(root, contract.lock)
        name, definition, why = _campaign(memory, checkouts, contract, root, locked, options.campaign)
        metric = contract.metric
        terms = f"{metric.name}, {metric.better} is better, {contract.budget.seconds:g} s a run"
        tell(Event("campaign", f"Campaign {name}: {terms}."))
        if why:
            tell(Event("notice", why))
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        # Two trainings on one card slow each other down, or do not fit.
        devices = options.devices or (visible_cards() if options.streams is None else ())
        count = options.streams or len(devices) or min(2, cores)
        streams = Streams(count, devices, Slots(count, options.unsafe))
        campaign = Campaign(memory, checkouts, contract, name, definition.id, locked, tell)
        with _proposing(root, config, options, campaign) as (proposer, manner):
            yield Night(
                campaign, proposer, streams, program=lambda: _program(root), manner=manner,
                after_each=lambda: keep_tsv(root, memory, name, lambda text: tell(Event("notice", text))),
            )  # fmt: skip


@contextmanager
def _proposing(root: Path, config: Config, options: Options, at: Campaign) -> Iterator[tuple[Proposer, Manner]]:
    """Who has the ideas, and who answers what they ask."""
    kind = options.proposer or ("agent" if options.agent else "model" if options.model else "knobs")
    manner = Manner(approve=options.approve, notify=config.notify)
    turns: AgentTurns | None = None
    if kind == "agent" and not options.agent:
        raise UsageError("no agent is named", "memex run --agent claude (or codex, gemini, aider, opencode, a command)")
    if options.agent and kind in ("agent", "mixed"):

        def land(drafts: Any) -> object:
            with at.desk:
                return at.memory.land(drafts, BY)

        bounds = Bounds(options.agent_seconds or Bounds().seconds, options.usd)
        turns = AgentTurns(
            at.checkouts,
            at.name,
            options.agent,
            bounds,
            at.memory.blobs,
            land,
            lambda text: at.tell(Event("notice", text)),
        )
    if kind == "knobs":
        yield KnobProposer(), manner
        return
    if kind == "agent" and turns is not None:
        yield (
            AgentProposer(),
            replace(manner, drive=_drive(at.desk, turns, None), patient=True, stop_proposer=turns.stop),
        )
        return
    from ..lab.proposers.model import ModelProposer
    from ..models import Driver, provider_from

    settings = config.model
    if options.model:
        settings = replace(settings, name=options.model, dial="endpoint" if settings.dial == "none" else settings.dial)
    if options.usd is not None:
        settings = replace(settings, budget_usd_night=options.usd)
    provider = provider_from(settings)
    if provider is None and kind == "model":
        raise UsageError("no model is set", 'dial = "endpoint", base_url and name, under [model] of memex.toml')
    # A memory of its own: it lands its calls while others are at the desk, as another process would.
    own = Memory(at.memory.folder, aliases(root))
    try:
        driver = None if provider is None else Driver(own, provider, settings)
        proposer: Proposer = ModelProposer()
        if kind == "mixed":
            from ..lab.proposers.mixed import MixedProposer

            models = [ModelProposer()] if provider is not None else []
            proposer = MixedProposer([KnobProposer(), *models, *([AgentProposer()] if turns else [])])
        stop = turns.stop if turns is not None else manner.stop_proposer
        yield proposer, replace(manner, drive=_drive(at.desk, turns, driver), patient=True, stop_proposer=stop)
    finally:
        own.close()


def _drive(desk: Desk, turns: AgentTurns | None, driver: Driver | None) -> Drive:
    """Answers tasks with an agent and prompts with a model, while others use the desk; one prompt at a time."""
    one = threading.Lock()

    def answer(prompt: Prompt) -> str:
        if isinstance(prompt, Task) and turns is not None:
            return turns.take(prompt)
        if driver is None:
            raise UsageError("the proposer asks for a model, and none is set", "[model] in memex.toml")
        with one:
            return driver.ask(prompt, "propose")

    def drive(generator: Generator[Prompt, str, list[Proposal]]) -> list[Proposal]:
        with desk.away():
            if driver is not None:
                driver.begin_run()
            try:
                prompt = next(generator)
                while True:
                    try:
                        reply = answer(prompt)
                    except OutsideError as error:
                        prompt = generator.throw(error)
                    else:
                        prompt = generator.send(reply)
            except StopIteration as stop:
                proposals: list[Proposal] = stop.value
                return proposals

    return drive


def _measure_commits(root: Path, night: Night, tell: Callable[[Event], None], by: str) -> None:
    """What the person committed since the baseline is the first idea: who commits and starts the loop means that."""
    from .try_edit import committed_change

    make = committed_change(root, night)
    if make is None:
        return
    tell(Event("notice", "Your commits changed what was measured: that is the first idea."))
    try:
        night.try_one(make, by)
    except UsageError as error:
        tell(Event("notice", f"They are not measured: {error}"))


def _above_zero(**given: float | None) -> None:
    for name, value in given.items():
        if value is not None and value <= 0:
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(f"{flag} is {value}", f"a number above 0, such as {flag} 8")


def _program(root: Path) -> str:
    path = root / "program.md"
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One loop a lab at a time: two would measure each other's noise."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            pid = os.pread(handle, 32, 0).decode(errors="replace").strip()
            raise UsageError(f"another memex run is at work in this lab (process {pid})", f"kill -INT {pid}") from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def _campaign(
    memory: Memory, checkouts: Checkouts, contract: Contract, root: Path, locked: str, wanted: str | None
) -> tuple[str, Entry, str]:
    """The campaign that this contract belongs to: the newest with the same terms, else a new one and why it is new."""
    terms: dict[str, Any] = {
        "metric": contract.metric.name, "unit": contract.metric.unit, "better": contract.metric.better,
        "budget_seconds": contract.budget.seconds, "evaluator": locked, "hardware": hardware(), "origin": "lab",
        "run": contract.run, "evaluate": contract.evaluate, "edit": list(contract.edit),
    }  # fmt: skip
    toml = memory.blobs.put((root / FILE).read_bytes())

    memory.index.catch_up()
    db = memory.index.db

    def is_ours(shown: str) -> bool:
        """Whether its runs were measured in this repository: a campaign of an imported lab is not gone on with."""
        row = db.execute(
            "SELECT commit_id FROM runs WHERE campaign = ? AND commit_id <> '' LIMIT 1", (shown,)
        ).fetchone()
        return row is None or checkouts.has(row[0])

    name, turn, why = wanted or contract.name, 1, ""
    while True:
        differs: list[str] = []
        found = {seq: shown for plain in plain_names(name) for seq, shown in shown_names(db, plain).items()}
        for seq, shown in sorted(found.items()):
            entry = memory.index.entry(seq)
            if entry is None or not isinstance(entry.body, Source) or (wanted and shown != wanted):
                continue
            differs = [key for key in terms if entry.body.meta.get(key) != terms[key]]
            if not differs and is_ours(shown):
                return shown, entry, ""
        if not found:
            break
        if wanted:
            why = f"under other terms ({', '.join(differs)})" if differs else "in another lab"
            hint = f"memex run, which finds or begins the campaign of these terms; or --campaign {name}-new"
            raise UsageError(f"campaign {name} was measured {why}: its runs cannot be compared", hint)
        if differs:
            told = " and ".join(_TERMS.get(key, key) for key in differs)
            why = (
                f"It is a new one, because {told} changed since {name}: results compare within one campaign. Its "
                f"baseline is your last commit; to build on what {name} found: git merge memex/{name}"
            )
        turn += 1
        name = f"{contract.name}-{turn}"
    draft = Draft(
        f"campaign:{name}", Source(f"campaign {name}", meta=terms), (Ref("file", toml),), key=f"campaign:{name}"
    )
    [entry] = memory.land([draft], BY)
    return name, entry, why


def since_instant(text: str, now: datetime) -> str:
    """An ISO instant from `12h`, `90m`, `3d` or a date; raises UsageError for anything else."""
    match = _SINCE.fullmatch(text.strip())
    if match:
        return (now - timedelta(seconds=float(match[1]) * _SECONDS[match[2]])).isoformat()
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no time", "--since 12h, --since 3d or --since 2026-01-31") from error
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


def write_report(memory: Memory, folder: Path, since: str | None, campaign: str | None, runs: bool = True) -> Reported:
    """Writes `<date>.md`, `.html`, `.png` and the same as `latest.*`; a second report of a day replaces the first.

    `runs`: whether the lab has something to run, so that it may be proposed.
    """
    from ..lab.report.renderers import build_report, to_html, to_markdown, to_png

    now = utc_now()
    if campaign is not None:
        known = [row[0] for row in memory.db.execute("SELECT campaign FROM campaigns ORDER BY campaign")]
        if campaign not in known:
            raise UsageError(f"there is no campaign {campaign!r}", f"known are: {', '.join(known) or 'none yet'}")
    instant = since_instant(since, now) if since else None
    report = build_report(
        memory.db,
        campaign=campaign,
        since=instant,
        now=now,
        runs=runs,
        is_taken=partial(has_taken, memory.folder.parent),
    )
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{now:%Y-%m-%d}" + (f"-{campaign}" if campaign else "")
    files = {"md": to_markdown(report, f"{stem}.png").encode(), "html": to_html(report).encode(), "png": to_png(report)}
    for kind, data in files.items():
        write_durably(folder / f"{stem}.{kind}", data)
        write_durably(folder / f"latest.{kind}", data)
    path = folder / stem
    return Reported(report.headline, f"{path}.html", f"{path}.md", f"{path}.png")
