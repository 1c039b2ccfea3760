"""The briefing: what whoever proposes the next idea must know, every line with the runs it rests on, within a budget.

Read from the views with SQL, so a long history costs little more than a short one. The same views, bound and tokenizer
give the same bytes. It says what was measured and leaves the thinking to the reader.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ...ledger import FAILED, UsageError
from ...memory.effects.estimates import CampaignEffects
from ...memory.effects.noise import Noise, minimum_detectable_effect
from ...tokens import count_tokens, counting
from ..wording import Amounts, clean, command, plural, run_numbers, sigmas
from .board import REJECTED
from .lessons import Effect, failures, read_effects
from .packets import Packet, book_of, desk_of, ranked
from .sentences import standing_of

_MOST_LINES = 40
_TEXT_CHARS = 100


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
    filling = [*range(len(parts))]
    while filling:
        for i in filling[:]:
            for line in (*parts[i].lines[taken[i] :], None)[: parts[i].share]:
                title = "" if taken[i] else f"\n## {parts[i].title}\n"
                # A token may span the seam of two lines, never more than the count of both apart.
                cost = count_tokens(f"{title}{line}\n") + 1
                if line is None or spent + cost > tokens:
                    filling.remove(i)
                    break
                spent, taken[i] = spent + cost, taken[i] + 1
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
        # Of a long history: what was kept, failed or left open, and the latest of what lost.
        due = db.execute(
            "SELECT number FROM runs WHERE campaign = ?1 AND role = 'candidate' AND (status <> 'discard' OR number >"
            " (SELECT max(number) FROM runs WHERE campaign = ?1) - 500)",
            (campaign,),
        )
        self.due = [number for (number,) in due]
        try:
            self.book = book_of(db, campaign, self.due)
        except KeyError as error:
            hint = 'memex sql "select campaign from campaigns"'
            raise UsageError(f"there is no campaign {campaign}", hint) from error
        self.unit, self.origin = self.book.unit, self.book.origin
        self.amounts = Amounts.of(self.unit, self.book.noise.sigma if self.book.noise else None)

    @property
    def noise(self) -> Noise:
        return self.known.noise

    # --- head

    def head(self) -> list[str]:
        book, unit = self.book, f" ({clean(self.unit, 40)})" if self.unit else ""
        ideas = "SELECT count(*) FROM runs WHERE campaign = ? AND role = 'candidate'"
        [count] = self.db.execute(ideas, (self.campaign,)).fetchone()
        terms = f"{clean(book.metric, 60)}{unit}, {book.better} is better"
        terms += f"; {book.budget_seconds:g} s a run" if book.budget_seconds else ""
        lines = [
            f"# Briefing: campaign {clean(self.campaign, 80)}, {plural(count, 'idea')} tried",
            "",
            f"Metric: {terms}.",
        ]
        if self.noise.known and self.noise.sigma > 0:
            one, three = (self.amounts.fine(minimum_detectable_effect(self.noise, n)) for n in (1, 3))
            lines.append(
                f"Noise: {self.noise}. One fresh pair shows an effect of {one}, three show {three}; less is not worth "
                "a run by itself."
            )
        else:
            lines.append("Noise: unknown. Nothing was repeated four times, so no difference below is known to be real.")
        return [*lines, *self._champion()]

    def _champion(self) -> list[str]:
        book = self.book
        champion, base = book.champion, book.baseline
        level = book.level(champion) if champion else None
        if champion is None or base is None or level is None:
            return ["", "Champion: none yet; nothing has been measured."]
        standing, value = standing_of(book), self.amounts.with_unit(level)
        if standing is None:
            return ["", f"Champion: the baseline itself (#{base.number}), {value}; nothing beat it yet."]
        size = f", {sigmas(standing.gain, book.noise.sigma)}" if book.noise and book.noise.sigma else ""
        lines = [
            "",
            f"Champion: #{champion.number} {clean(champion.description, _TEXT_CHARS)}: {value}, "
            f"{self.amounts.fine(standing.gain)} better than the baseline #{base.number} "
            f"({'confirmed' if standing.confirmed else 'not verified'}{size}).",
        ]
        was, now = book.settings(base.run), book.settings(champion.run)
        moved = [knob for knob in sorted(now) if knob in was and was[knob] != now[knob]]
        if moved:
            told = ", ".join(f"{clean(k, 60)} = {clean(now[k], 40)} (was {clean(was[k], 40)})" for k in moved[:12])
            more = f" and {len(moved) - 12} more" if len(moved) > 12 else ""
            lines.append(f"Its settings that differ from the baseline #{base.number}: {told}{more}.")
        return lines

    # --- sections

    def parts(self) -> list[_Part]:
        effects, now = self.effects, self.settings
        noes = [run for run in self.book.runs if run.status == "blocked" and run.error.startswith(REJECTED)]
        better, worse = effects["looked better"], effects["looked worse"]
        near = [effect for effect in better if effect.low is not None]
        clear = [effect for effect in worse if effect.high is not None and effect.high < 0]
        # Only moves that start where the champion stands now; and nothing twice that is in the champion's line.
        again = [e for e in effects["stale"] if e.knob in now and now[e.knob] == e.old != e.new]
        line = {run.number for reign in self.book.reigns if (run := self.book.by_run.get(reign.run))}
        unknown = [effect for effect in better + worse if effect.low is None and not line & {*effect.numbers}]
        found = [
            _Part("Helped", self._told(effects["helped"]), 2),
            _Part("Led to the champion", self._line(), 2),
            _Part("Settings of the champion, as far as the log says", self._settings()),
            _Part("Hurt", self._told(effects["hurt"]), 2),
            _Part("Depends on other settings", self._told(effects["depends"])),
            _Part(
                "Near misses: better so far, not settled",
                self._told(sorted(near, key=lambda effect: effect.pairs_to_settle or 10**9), 12),
            ),
            _Part("Looked worse beyond the noise, not settled", self._told(clear), 2),
            _Part("Worth another try: measured under settings that have changed since", self._told(again, 12)),
            _Part(
                "Looked better or worse in one run, noise unknown",
                self._told(sorted(unknown, key=lambda effect: -abs(effect.gain)), 24),
            ),
            _Part("What is due", self._due()),
            _Part(
                "Failed; a failure says nothing about the idea", self._failures(FAILED - {"started", "lost", "blocked"})
            ),
            _Part(
                "Refused by a person: propose none of these",
                tuple(f"- {clean(run.description, _TEXT_CHARS)}: {clean(run.error)} [#{run.number}]" for run in noes),
            ),
            _Part("Refused before they ran", self._failures({"blocked"})),
            _Part("No visible effect", self._nothing()),
            _Part("Never turned", self._untouched()),
            _Part("Last runs", self._recent()),
            _Part("Other campaigns of this lab: what they measured does not compare", self._others()),
        ]
        return [part for part in found if part.lines]

    @cached_property
    def effects(self) -> Mapping[str, list[Effect]]:
        found: dict[str, list[Effect]] = defaultdict(list)
        for effect in read_effects(self.db, self.campaign):
            found[effect.outcome].append(effect)
        return found

    def _told(self, effects: Sequence[Effect], most: int = _MOST_LINES) -> tuple[str, ...]:
        return tuple(map(self._effect, effects[:most]))

    def _effect(self, effect: Effect) -> str:
        text = f"- {effect.told('->')}: {self.amounts.estimate(effect.gain, effect.low, effect.high)}"
        settle, numbers = effect.pairs_to_settle, effect.numbers
        notes = [
            effect.status if effect.status != "unresolved" else "",
            f"when {clean(effect.condition, 80)}" if effect.condition else "",
            f"about {plural(settle, 'fresh pair')} would settle it" if settle is not None else "",
            f"moved together with {clean(effect.confounded, 80)}" if effect.confounded else "",
            self._under(numbers, effect.knob) if effect.status != "stale" else "",
        ]
        told = "; ".join(filter(None, notes))
        return f"{text}{f', {told}' if told else ''} [{run_numbers(numbers, 6)}]"

    @cached_property
    def known(self) -> CampaignEffects:
        return CampaignEffects(self.db, self.campaign)

    def _under(self, numbers: Sequence[int], knob: str) -> str:
        """Other settings than the champion's of today under which these runs were made; where each had its own, those
        of the last and what that one gained."""
        rows = self.db.execute(
            "SELECT r.number, m.against, m.gain FROM measurements m JOIN runs r USING (run) WHERE r.campaign = ?"
            " AND r.number IN (SELECT value FROM json_each(?)) GROUP BY r.number ORDER BY r.number",
            (self.campaign, json.dumps(list(numbers))),
        ).fetchall()
        others = []
        for _, against, _ in rows:
            then, moved = self.known.context(against), self.known.moved_since(against) - {knob}
            others.append({(name, str(then[name])) for name in moved if then.get(name) is not None})
        if not others:
            return ""
        shared = set.intersection(*others)
        told = [f"{clean(name, 50)} = {clean(value, 30)}" for name, value in sorted(shared or others[-1])]
        more = f" and {len(told) - 2} more" if len(told) > 2 else ""
        under = f"under {', '.join(told[:2])}{more}" if told else ""
        number, _, gain = rows[-1]
        return under if shared or not under else f"#{number}, {under}: {self.amounts.signed(gain)}"

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

    def _nothing(self) -> tuple[str, ...]:
        told = [
            f"{e.told('->')} [{run_numbers(e.numbers, 3)}]" for e in self.effects["no visible effect"][:_MOST_LINES]
        ]
        return tuple("- " + "; ".join(told[i : i + 4]) for i in range(0, len(told), 4))

    def _due(self) -> tuple[str, ...]:
        """What the packets call for, the most urgent first; many runs that call for one thing share a line."""
        groups: dict[str, list[Packet]] = {}
        for packet in ranked(self.db, self.campaign, self.due, desk_of(self.db, self.campaign, self.book)):
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
        failed = [run for run in self.book.runs if run.role == "candidate" and run.status in statuses]
        failed = [run for run in failed if not run.error.startswith(REJECTED)]  # told apart
        return tuple(
            f"- {len(f.runs)} x {f.status}: {clean(f.cause, 140)} [{run_numbers(f.runs, 6)}]"
            for f in failures(failed)[:10]
        )

    def _untouched(self) -> tuple[str, ...]:
        """Knobs of the champion that no run has turned; only a lab knows all of them."""
        champion = self.book.champion
        if champion is None or self.origin != "lab":
            return ()
        found = self.db.execute(
            "SELECT knob, value FROM settings s WHERE run = ? AND NOT EXISTS (SELECT 1 FROM changes c JOIN runs r"
            " ON r.run = c.run WHERE r.campaign = ? AND c.knob = s.knob) ORDER BY knob LIMIT 24",
            (champion.run, self.campaign),
        ).fetchall()
        return tuple(_packed(f"{clean(knob, 50)} = {clean(str(value), 30)}" for knob, value in found))

    def _others(self) -> tuple[str, ...]:
        rows = self.db.execute(
            "SELECT campaign, count(*), sum(role = 'candidate' AND status = 'keep') FROM runs WHERE campaign <> ?"
            " GROUP BY 1 ORDER BY max(run) DESC LIMIT 6",
            (self.campaign,),
        )
        return tuple(
            f"- {clean(name, 60)}: {plural(runs, 'run')}, {kept} kept; {command('memex', 'brief', '--campaign', name)}"
            for name, runs, kept in rows
        )

    def _recent(self) -> tuple[str, ...]:
        lines = []
        for run in [run for run in reversed(self.book.runs) if run.role == "candidate"][:8]:
            told = f"- #{run.number} {clean(run.description, _TEXT_CHARS)}: {clean(run.verdict or run.status, 20)}"
            level = self.book.level(run)
            if level is not None:
                how = "fresh runs" if self.book.fresh(run) else "one run"
                told += f", {self.amounts.value(level)} in {how}"
            lines.append(told)
        return tuple(lines)


def _packed(items: Iterable[str], width: int = 6) -> list[str]:
    every = list(items)
    return ["- " + ", ".join(every[i : i + width]) for i in range(0, len(every), width)]
