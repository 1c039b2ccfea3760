"""The briefing: what whoever proposes the next idea must know, every line with the runs it rests on, within a budget.

Read from the views with SQL, so a long history costs little more than a short one. The same views, bound and tokenizer
give the same bytes. It says what was measured and leaves the thinking to the reader.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from ..ledger import FAILED, UsageError
from ..memory.effects import CampaignEffects
from ..memory.noise import Better, Noise, gain_of, minimum_detectable_effect
from ..memory.registry import by_cause, example_of
from ..tokens import count_tokens, counting
from .board import races_of
from .packets import Packet, ranked
from .wording import Amounts, clean, plural, run_numbers, sigmas

_MOST_LINES = 40
_TEXT_CHARS = 100
_EFFECT = (
    "SELECT knob, component, old, new, gain, low, high, status, condition, runs_to_settle, runs, confounded"
    " FROM effects WHERE campaign = ?"
)


@dataclass(frozen=True, slots=True)
class Briefing:
    """A text of at most `bound` tokens, counted as `counted` says; `left_out` lines did not fit; `cites` are runs."""

    text: str
    tokens: int
    bound: int
    counted: str
    left_out: int

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class _Part:
    """A section with its lines, the most important first; `share` of the lines go to it in each round of filling."""

    title: str
    lines: tuple[str, ...]
    share: int = 1


def briefing(db: sqlite3.Connection, campaign: str, tokens: int) -> Briefing:
    """Raises UsageError for a campaign that nobody defined, and for a bound that not even its head fits into."""
    page = _Page(db, campaign)
    head = page.head()
    spent = count_tokens("\n".join(head))
    if spent > tokens:
        raise UsageError(f"{tokens} tokens are too few: the head alone takes {spent}", f"--tokens {spent + 400}")
    parts = page.parts()
    taken = [0] * len(parts)
    opened: set[int] = set()
    full: set[int] = set()
    while len(full) < len(parts):
        for i, part in enumerate(parts):
            for _ in range(part.share if i not in full else 0):
                if taken[i] >= len(part.lines):
                    full.add(i)
                    break
                title = "" if i in opened else f"\n## {part.title}\n"
                # A token may span the seam of two lines, never more than the count of both apart.
                cost = count_tokens(f"{title}{part.lines[taken[i]]}\n") + 1
                if spent + cost > tokens:
                    full.add(i)
                    break
                spent += cost
                opened.add(i)
                taken[i] += 1
    out = list(head)
    for part, count in zip(parts, taken, strict=True):
        if count:
            out += ["", f"## {part.title}", *part.lines[:count]]
    text = "\n".join(out) + "\n"
    left_out = sum(len(part.lines) for part in parts) - sum(taken)
    return Briefing(text, count_tokens(text), tokens, counting(), left_out)


class _Page:
    """What one campaign has to say, section by section."""

    def __init__(self, db: sqlite3.Connection, campaign: str) -> None:
        self.db, self.campaign = db, campaign
        row = db.execute(
            "SELECT metric, unit, better, budget_seconds, origin FROM campaigns WHERE campaign = ?", (campaign,)
        ).fetchone()
        if row is None:
            raise UsageError(f"there is no campaign {campaign}", 'memex sql "select campaign from campaigns"')
        self.metric, self.unit, better, self.seconds, self.origin = row
        self.better: Better = "higher" if better == "higher" else "lower"
        self.amounts = Amounts.of(self.unit, self.noise.sigma if self.noise.known else None)

    @property
    def noise(self) -> Noise:
        return self.known.noise

    # --- head

    def head(self) -> list[str]:
        [count] = self.db.execute(
            "SELECT count(*) FROM runs WHERE campaign = ? AND role = 'candidate'", (self.campaign,)
        ).fetchone()
        terms = f"{clean(self.metric, 60)}{f' ({clean(self.unit, 40)})' if self.unit else ''}, {self.better} is better"
        terms += f"; {self.seconds:g} s a run" if self.seconds else ""
        lines = [
            f"# Briefing: campaign {clean(self.campaign, 80)}, {plural(count, 'idea')} tried",
            "",
            f"Metric: {terms}.",
        ]
        if self.noise.known and self.noise.sigma > 0:
            paired = self.noise.within_pairs(races_of(self.db, self.campaign).values())
            one, three = (self.amounts.fine(minimum_detectable_effect(paired, n)) for n in (1, 3))
            lines.append(
                f"Noise: sigma {self.noise.sigma:.2g} for one run ({self.noise.dof} degrees of freedom). One fresh "
                f"pair shows an effect of {one}, three show {three}; less is not worth a run by itself."
            )
        else:
            lines.append("Noise: unknown. Nothing was repeated four times, so no difference below is known to be real.")
        return [*lines, *self._champion()]

    def _champion(self) -> list[str]:
        row = self.db.execute(
            "SELECT r.run, r.number, r.value, r.description, r.verdict, r.commit_id FROM champions c"
            " JOIN runs r USING (run) WHERE c.campaign = ? AND c.until IS NULL",
            (self.campaign,),
        ).fetchone()
        base = self.db.execute(
            "SELECT run, number, value, commit_id FROM runs WHERE campaign = ? AND value IS NOT NULL"
            " AND role <> 'final' ORDER BY role <> 'baseline', number LIMIT 1",
            (self.campaign,),
        ).fetchone()
        if row is None or base is None:
            return ["", "Champion: none yet; nothing has been measured."]
        run, number, value, text, verdict, commit = row
        ours, theirs = self._level(commit, value), self._level(base[3], base[2])
        if run == base[0]:
            return [
                "",
                f"Champion: the baseline itself (#{number}), {self.amounts.with_unit(ours)}; nothing beat it yet.",
            ]
        gain = gain_of(ours, theirs, self.better)
        sure = "confirmed" if verdict == "confirmed" else "not verified"
        sigma = self.noise.sigma if self.noise.known else None
        size = f", {sigmas(gain, sigma)}" if sigma else ""
        lines = [
            "",
            f"Champion: #{number} {clean(text, _TEXT_CHARS)}: {self.amounts.with_unit(ours)}, "
            f"{self.amounts.fine(gain)} better than the baseline #{base[1]} ({sure}{size}).",
        ]
        moved = self.db.execute(
            "SELECT n.knob, o.value, n.value FROM settings n LEFT JOIN settings o ON o.run = ? AND o.knob = n.knob"
            " WHERE n.run = ? AND o.value IS NOT n.value ORDER BY n.knob",
            (base[0], run),
        ).fetchall()
        if moved:
            told = ", ".join(
                f"{clean(k, 60)} = {clean(str(v), 40)} (was {clean(str(o), 40)})" for k, o, v in moved[:12]
            )
            more = f" and {len(moved) - 12} more" if len(moved) > 12 else ""
            lines.append(f"Its settings that differ from the baseline #{base[1]}: {told}{more}.")
        return lines

    def _level(self, commit: str, value: float) -> float:
        fresh = self.known.fresh.get(commit, ()) if commit else ()
        return fmean(fresh) if fresh else value

    # --- sections

    def parts(self) -> list[_Part]:
        found = [
            _Part("Helped", self._effects("low > 0 AND status <> 'stale'", "-gain"), 2),
            _Part("Led to the champion", self._line(), 2),
            _Part("Settings of the champion, as far as the log says", self._settings()),
            _Part("Hurt", self._effects("high < 0 AND status <> 'stale'", "gain"), 2),
            _Part("Depends on other settings", self._effects("status IN ('reversed', 'conditional')", "-abs(gain)")),
            _Part("Near misses: better so far, not settled", self._near_misses()),
            _Part("Worth another try: measured under settings that have changed since", self._stale()),
            _Part("Looked better or worse in one run, noise unknown", self._unknown()),
            _Part("What is due", self._due()),
            _Part(
                "Failed; a failure says nothing about the idea", self._failures(FAILED - {"started", "lost", "blocked"})
            ),
            _Part("Refused before they ran", self._failures({"blocked"})),
            _Part("No visible effect", self._nothing()),
            _Part("Never turned", self._untouched()),
            _Part("Last runs", self._recent()),
        ]
        return [part for part in found if part.lines]

    def _effects(self, where: str, order: str, limit: int = _MOST_LINES) -> tuple[str, ...]:
        rows = self.db.execute(
            f"{_EFFECT} AND {where} ORDER BY {order}, knob, old, new LIMIT {limit}", (self.campaign,)
        ).fetchall()
        return tuple(self._effect(row) for row in rows)

    def _effect(self, row: tuple[object, ...]) -> str:
        knob, component, old, new, gain, low, high, status, condition, settle, runs, confounded = row
        name = clean(str(knob or component or "structure"), 60)
        moved = f" {clean(str(old), 40)} -> {clean(str(new), 40)}" if old is not None and new is not None else ""
        moved = moved or (f" -> {clean(str(new), 40)}" if new is not None else "")
        assert isinstance(gain, float)
        amount = self.amounts.signed(gain)
        if isinstance(low, float) and isinstance(high, float):
            amount += f" ({self.amounts.signed(low)} to {self.amounts.signed(high)})"
        notes = [
            str(status) if status != "unresolved" else "",
            f"when {clean(str(condition), 80)}" if condition else "",
        ]
        notes.append(f"about {plural(settle, 'fresh pair')} would settle it" if isinstance(settle, int) else "")
        notes.append(f"moved together with {clean(str(confounded), 80)}" if confounded else "")
        numbers = json.loads(str(runs))
        notes.append(self._then(numbers[-1], str(knob)) if status != "stale" else "")
        told = "; ".join(note for note in notes if note)
        return f"- {name}{moved}: {amount}{f', {told}' if told else ''} [{run_numbers(numbers, 6)}]"

    def _near_misses(self) -> tuple[str, ...]:
        where = "status = 'unresolved' AND gain > 0 AND low <= 0 AND runs_to_settle IS NOT NULL"
        return self._effects(where, "runs_to_settle", 12)

    @cached_property
    def known(self) -> CampaignEffects:
        return CampaignEffects(self.db, self.campaign)

    def _then(self, number: int, knob: str) -> str:
        """In which settings the champion of today differs from what a run was compared with."""
        row = self.db.execute(
            "SELECT m.against FROM measurements m JOIN runs r USING (run) WHERE r.campaign = ? AND r.number = ?",
            (self.campaign, number),
        ).fetchone()
        moved = sorted(self.known.moved_since(row[0]) - {knob}) if row else []
        if not moved:
            return ""
        then = self.known.context(row[0])
        told = [f"{clean(name, 50)} = {clean(str(then[name]), 30)}" for name in moved if then.get(name) is not None]
        more = f" and {len(told) - 2} more" if len(told) > 2 else ""
        return f"under {', '.join(told[:2])}{more}" if told else ""

    @cached_property
    def settings(self) -> Mapping[str, str | None]:
        """The champion's settings, as far as they are known."""
        return self.known.context(self.known.champion.run) if self.known.champion else {}

    def _settings(self) -> tuple[str, ...]:
        """In a log without a full record; a lab's champion is told by what differs from the baseline."""
        if self.origin == "lab":
            return ()
        known = sorted((k, v) for k, v in self.settings.items() if v is not None)
        return tuple(_packed(f"{clean(k, 60)} = {clean(v, 40)}" for k, v in known))

    def _stale(self) -> tuple[str, ...]:
        """Only moves that start where the champion stands now."""
        rows = self.db.execute(
            f"{_EFFECT} AND status = 'stale' ORDER BY -gain, knob, old, new", (self.campaign,)
        ).fetchall()
        apply = [row for row in rows if row[0] in self.settings and self.settings[row[0]] == row[2] != row[3]]
        return tuple(self._effect(row) for row in apply[:12])

    def _line(self) -> tuple[str, ...]:
        """In a log that repeats nothing: the changes of the running best, each as good as its one run."""
        if self.noise.known:
            return ()
        rows = self.db.execute(
            "SELECT r.number, r.description, c.gain FROM champions c JOIN runs r USING (run) WHERE c.campaign = ?"
            " AND c.gain IS NOT NULL ORDER BY c.gain DESC, c.since LIMIT 60",
            (self.campaign,),
        )
        return tuple(
            f"- {clean(text, _TEXT_CHARS)}: {self.amounts.signed(gain)} in one run [#{number}]"
            for number, text, gain in rows
        )

    def _unknown(self) -> tuple[str, ...]:
        if self.noise.known:
            return ()
        # What led to the champion is listed above.
        line = "NOT EXISTS (SELECT 1 FROM champions c JOIN runs r USING (run), json_each(effects.runs) n"
        line += " WHERE c.campaign = effects.campaign AND r.number = n.value)"
        return self._effects(f"low IS NULL AND status <> 'stale' AND {line}", "-abs(gain)", 24)

    def _nothing(self) -> tuple[str, ...]:
        rows = self.db.execute(
            f"{_EFFECT} AND status = 'within noise' ORDER BY knob, old, new LIMIT {_MOST_LINES}", (self.campaign,)
        ).fetchall()
        told = []
        for row in rows:
            numbers = run_numbers(json.loads(row[10]), 3)
            told.append(
                f"{clean(row[0] or row[1], 50)} {clean(str(row[2]), 20)} -> {clean(str(row[3]), 20)} [{numbers}]"
            )
        return tuple("- " + "; ".join(told[i : i + 4]) for i in range(0, len(told), 4))

    def _due(self) -> tuple[str, ...]:
        """What the packets call for, the most urgent first; many runs that call for one thing share a line."""
        groups: dict[str, list[Packet]] = {}
        # Of a long history: what was kept, failed or left open, and the latest of what lost.
        runs = self.db.execute(
            "SELECT number FROM runs WHERE campaign = ?1 AND role = 'candidate' AND (status <> 'discard' OR number >"
            " (SELECT max(number) FROM runs WHERE campaign = ?1) - 500)",
            (self.campaign,),
        )
        for packet in ranked(self.db, self.campaign, [row[0] for row in runs]):
            if packet.action != "promote":
                groups.setdefault(packet.action, []).append(packet)
        lines = []
        for action, packets in groups.items():
            numbers = run_numbers([packet.number for packet in packets], 6)
            example = "" if len(packets) == 1 else "for example: "
            told = f"{example}{clean(packets[0].rationale, 220)}"
            lines.append(f"- {action.replace('_', ' ')} {numbers}: {told}")
        return tuple(lines)

    def _failures(self, statuses: Collection[str]) -> tuple[str, ...]:
        rows = self.db.execute(
            f"SELECT status, coalesce(nullif(error, ''), reason), number FROM runs WHERE campaign = ? AND status IN"
            f" ({','.join('?' * len(statuses))}) AND role = 'candidate' ORDER BY number DESC LIMIT 400",
            (self.campaign, *sorted(statuses)),
        ).fetchall()
        groups = by_cause((status, message, (number, message)) for status, message, number in reversed(rows))
        order = sorted(groups, key=lambda key: (-len(groups[key]), -groups[key][-1][0]))[:10]
        told = {key: clean(example_of(m for _, m in groups[key]) or "no message was recorded", 140) for key in order}
        return tuple(
            f"- {len(groups[k])} x {k[0]}: {told[k]} [{run_numbers([n for n, _ in groups[k]], 6)}]" for k in order
        )

    def _untouched(self) -> tuple[str, ...]:
        """Knobs of the champion that no run has turned; only a lab knows all of them."""
        row = self.db.execute(
            "SELECT run FROM champions WHERE campaign = ? AND until IS NULL", (self.campaign,)
        ).fetchone()
        if row is None or self.origin != "lab":
            return ()
        found = self.db.execute(
            "SELECT knob, value FROM settings s WHERE run = ? AND NOT EXISTS (SELECT 1 FROM changes c JOIN runs r"
            " ON r.run = c.run WHERE r.campaign = ? AND c.knob = s.knob) ORDER BY knob LIMIT 24",
            (row[0], self.campaign),
        ).fetchall()
        return tuple(_packed(f"{clean(knob, 50)} = {clean(str(value), 30)}" for knob, value in found))

    def _recent(self) -> tuple[str, ...]:
        rows = self.db.execute(
            "SELECT number, description, coalesce(nullif(verdict, ''), status), value, commit_id FROM runs"
            " WHERE campaign = ? AND role = 'candidate' ORDER BY number DESC LIMIT 8",
            (self.campaign,),
        ).fetchall()
        lines = []
        for number, text, came_to, value, commit in rows:
            told = f"- #{number} {clean(text, _TEXT_CHARS)}: {clean(came_to, 20)}"
            if value is not None:
                level = self._level(commit, value)
                told += f", {self.amounts.value(level)} in {'one run' if level == value else 'fresh runs'}"
            lines.append(told)
        return tuple(lines)


def _packed(items: Iterable[str], width: int = 6) -> list[str]:
    every = list(items)
    return ["- " + ", ".join(every[i : i + width]) for i in range(0, len(every), width)]
