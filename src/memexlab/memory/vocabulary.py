"""The names that one campaign knows, and what a phrase of a question names by them.

It knows knobs, their values, metrics and who ran what; it does not know what a question asks.
"""

from __future__ import annotations

import difflib
import re
import sqlite3
import tomllib
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any

from .anchors import Condition, Impossible, NotHere, Terms, without
from .names import SHIPPED, Aliases, choice_of, normal_knob, read_number

_MOST_WORDS_OF_NAME = 6
_VALUE = r"[\w.+\-/^%×:]+"

#: The words of questions, by what they do.
WORDS = tomllib.loads((files(__package__) / "question_words.toml").read_text("utf-8"))
#: Words that carry no condition.
SMALL = frozenset(WORDS["small"].split())
_NOUNS = frozenset(WORDS["nouns"].split())
#: Any sign that compares, in words, as a regular expression.
SIGN = "|".join(f"(?:{words})" for words in WORDS["compared"].values())
_NEAR = rf"(?P<sign>{SIGN}) (?P<number>[-+]?\d*\.?\d+)(?![\w.])"
#: What a run is measured on beside the metrics that it reported.
OWN_MEASURES = ("seconds", "usd", "pairs", "steps per second")
_UNITS = ("ms", "us", "s", "sec", "seconds", "mb", "gb", "kb", "m", "pct")
#: Names of metrics of which a higher or a lower value is better, as regular expressions.
BETTER: dict[str, str] = WORDS["better"]


def named_in(pattern: str, text: str) -> re.Match[str] | None:
    """The first place where whole words of a text are this."""
    return re.search(rf"\b(?:{pattern})\b", text)


def sign_of(words: str) -> str:
    """The sign that SQL has for "fewer than" and its like."""
    return next(str(sign) for sign, pattern in WORDS["compared"].items() if re.fullmatch(pattern, words))


@dataclass
class Vocabulary:
    """The names that one campaign knows; reads each list once."""

    db: sqlite3.Connection
    campaign: str
    aliases: Aliases = SHIPPED

    @cached_property
    def knobs(self) -> dict[str, tuple[str, ...]]:
        """Names as they stand in the tables, by normal name."""
        found: dict[str, set[str]] = {}
        # A walk over the distinct knobs of the index, not over its rows.
        for table in ("settings", "changes"):
            rows = self.db.execute(
                f"WITH RECURSIVE k(knob) AS (SELECT min(knob) FROM {table} UNION ALL SELECT (SELECT min(t.knob) FROM"
                f" {table} t WHERE t.knob > k.knob) FROM k WHERE k.knob IS NOT NULL) SELECT knob FROM k WHERE knob"
                f" IS NOT NULL AND EXISTS (SELECT 1 FROM {table} t JOIN runs r USING (run) WHERE t.knob = k.knob"
                f" AND r.campaign = ?)",
                (self.campaign,),
            )
            for (knob,) in rows:
                found.setdefault(normal_knob(knob, self.aliases), set()).add(knob)
        return {normal: tuple(sorted(names)) for normal, names in found.items()}

    @cached_property
    def metrics(self) -> frozenset[str]:
        """The campaign's metric and what else its newest runs measured."""
        rows = self.db.execute(
            "SELECT metric FROM campaigns WHERE campaign = ?1 UNION SELECT m.name FROM metrics m WHERE m.run IN"
            " (SELECT run FROM runs WHERE campaign = ?1 ORDER BY number DESC LIMIT 20)",
            (self.campaign,),
        )
        return frozenset(row[0] for row in rows)

    def one(self, select: str, *values: object) -> Any:
        """The first value that a query has for the campaign, ?1, and what else it needs; None where it has none."""
        row = self.db.execute(f"SELECT {select}", (self.campaign, *values)).fetchone()
        return row[0] if row else None

    @cached_property
    def metric(self) -> str:
        return self.one("metric FROM campaigns WHERE campaign = ?1") or ""

    @cached_property
    def better(self) -> str:
        return self.one("better FROM campaigns WHERE campaign = ?1") or "lower"

    def measured(self, number: str) -> bool:
        """Whether a number may be one of the metric: it has a fraction, or lies among those that were measured."""
        between = "min(value) <= ?2 AND max(value) >= ?2 FROM runs WHERE campaign = ?1"
        return "." in number or bool(self.one(between, float(number)))

    def prefixed(self, word: str) -> bool:
        """Whether descriptions begin with this word and a colon, as logs of several agents write who ran it."""
        begins = "1 FROM runs WHERE campaign = ?1 AND lower(description) GLOB ?2 LIMIT 1"
        return re.fullmatch(r"[\w-]{2,}", word) is not None and self.one(begins, f"{word}:*") is not None

    def family(self, name: str) -> tuple[str, ...]:
        """Names in the tables that a phrase stands for: its own, and where it is a bare knob, that of every part."""
        normal = normal_knob(name, self.aliases)
        if not normal:
            return ()
        if normal not in self.knobs and normal[:-1] in self.knobs and normal.endswith("s"):
            normal = normal[:-1]
        wide = normal in self.aliases.knobs and normal not in ("depth", "batch_size", "width", "init")
        ended = [n for other, names in self.knobs.items() if wide and other.endswith(f"_{normal}") for n in names]
        return (*self.knobs.get(normal, ()), *sorted(ended))

    def near(self, name: str) -> str:
        """The known names that are spelled most like it, in words for a person."""
        close = difflib.get_close_matches(normal_knob(name[:80], self.aliases), list(self.knobs)[:2000], 3, 0.5)
        some = close or sorted(self.knobs)[:5]
        return f"; {'nearest' if close else 'known'} names: {', '.join(some)}" if some else ""

    def read(self, text: str) -> Terms:
        """The conditions, knobs and other words of a phrase, the longest names first."""
        tokens = text.split()
        conditions: list[Condition] = []
        knobs: dict[tuple[str, ...], str] = {}
        words: list[str] = []
        at = 0
        while at < len(tokens):
            found = self._signed(tokens, at) or self._named(tokens, at)
            if found is None:
                words.append(tokens[at].strip("=:,()'\""))
                at += 1
                continue
            start, (at, condition, family) = at, found
            if condition is not None:
                conditions.append(condition)
            else:
                knobs.setdefault(family, " ".join(tokens[start:at]))
        kept = [w for w in words if w and w not in SMALL and not re.fullmatch(r"[\W_]+", w)]
        return Terms(tuple(conditions), tuple(knobs), tuple(dict.fromkeys(kept)), tuple(knobs.values()))

    def _span(self, tokens: list[str], at: int) -> tuple[int, tuple[str, ...]] | None:
        for end in range(min(len(tokens), at + _MOST_WORDS_OF_NAME), at, -1):
            ends = {tokens[at], tokens[end - 1]} - {"value", "values"}
            if not SMALL.isdisjoint(ends) or tokens[end - 1] in "<>==:≤≥!=":
                continue
            name = " ".join(tokens[at:end])
            following = tokens[end] if end < len(tokens) else ""
            if (
                end == at + 1
                and name in WORDS["groups"]
                and re.match("setting|knob|param|hyper|change|option", following)
            ):
                wanted = [names for other, names in self.knobs.items() if re.search(WORDS["groups"][name], other)]
                return end + 1, tuple(knob for names in wanted for knob in names)
            family = self.family(name)
            if family:
                return end + (following in _NOUNS), family
        return None

    def _named(self, tokens: list[str], at: int) -> tuple[int, Condition | None, tuple[str, ...]] | None:
        """A knob, with a value after it or without; or a value that only one knob takes, such as "muon"."""
        span = self._span(tokens, at)
        if span is None:
            choice = choice_of(tokens[at], self.aliases)
            family = self.family(choice) if choice else ()
            if family and self._takes(family[0], tokens[at]):
                end = at + 2 if tokens[at + 1 : at + 2] == [choice] else at + 1
                return end, Condition(family[0], "=", tokens[at]), ()
            return None
        end, family = span
        found = re.match(rf"(?:(?P<lead>of|is|was|were|being|set) )?(?:(?P<sign>{SIGN}) ?)?(?P<value>{_VALUE})(?: |$)",
                         " ".join(tokens[end:]))  # fmt: skip
        if found:
            value = self._value(family, found["value"])
            if value is not None:
                knob = self._one(family, " ".join(tokens[at:end]))
                used = len(found[0].split())
                return end + used, Condition(knob, sign_of(found["sign"] or "="), value), ()
            if found["sign"] in ("=", "==", "set to", "equal to", "equals"):
                raise Impossible(f"no run had {family[0]} = {found['value'][:40]}")
        return end, None, family

    def _signed(self, tokens: list[str], at: int) -> tuple[int, Condition | None, tuple[str, ...]] | None:
        """ "fewer than 8 layers", or "8 layers" alone."""
        found = re.match(rf"(?:(?P<sign>{SIGN}) )?(?:an? )?(?P<value>[-+.\w/%^]+) (?=\S)", " ".join(tokens[at:]))
        if found is None or read_number(found["value"]) is None:
            return None
        start = at + len(found[0].split())
        span = self._span(tokens, start)
        if span is None:
            return None
        value = self._value(span[1], found["value"])
        knob = self._one(span[1], " ".join(tokens[start : span[0]]))
        return (span[0], Condition(knob, sign_of(found["sign"] or "="), value), ()) if value is not None else None

    def _one(self, family: tuple[str, ...], name: str) -> str:
        """The knob that a condition is about; a family of several without a knob of just that name is no condition."""
        exact = self.knobs.get(normal_knob(name, self.aliases), ())
        if len(exact) == 1 or len(family) == 1:
            return exact[0] if exact else family[0]
        raise NotHere(f"{name} may be {', '.join(family[:5])}")

    def _value(self, family: tuple[str, ...], text: str) -> str | float | None:
        text = text.rstrip(".,?!:")
        if text in SMALL:
            return None
        number = read_number(text)
        if number is not None and not number.factor:
            return float(number.value)
        return text if any(self._takes(knob, text) for knob in family) else None

    def _takes(self, knob: str, value: str) -> bool:
        recorded = self.db.execute("SELECT EXISTS(SELECT 1 FROM settings WHERE knob = ?)", (knob,)).fetchone()[0]
        told = "settings WHERE knob = ?1 AND value = ?2 COLLATE NOCASE"
        if not recorded:
            told = "changes WHERE knob = ?1 AND (new = ?2 COLLATE NOCASE OR old = ?2 COLLATE NOCASE)"
        return bool(self.db.execute(f"SELECT EXISTS(SELECT 1 FROM {told})", (knob, value)).fetchone()[0])


def read_metric(text: str, names: Vocabulary) -> tuple[str, bool | None, tuple[Condition, ...], str]:
    """The metric that is named, lowest or highest where that is said, a bound such as "under 0.97", and the rest."""
    better = "under" if names.better != "higher" else "over"
    text = re.sub(r"\b(?:beats?|beating|beaten|better than)(?= \d*\.\d)", better, text)
    text = re.sub(r"\bworse than(?= \d*\.\d)", "over" if better == "under" else "under", text)
    metric, found = _named_metric(text, names)
    bound: tuple[Condition, ...] = ()
    if found:
        shown, gap = (
            re.escape(found[0]),
            "|".join(("was|is|of|went|fell|dropped|got|a|first|ever|be|go|drop|fall", "were")),
        )
        limit = re.search(rf"(?<!\w){shown}(?: (?:{gap}))* {_NEAR}", text) or re.search(rf"{_NEAR} {shown}(?!\w)", text)
        text = text.replace(found[0], " ", 1)
        if limit and (sign := sign_of(limit["sign"])) != "=":
            bound = (Condition(f"metric {metric}", sign, float(limit["number"])),)
            text = text.replace(f"{limit['sign']} {limit['number']}", " ", 1)
            metric = ""
    if re.search(r"tok|throughput|per_s", metric or names.metric):
        text = re.sub(r"\bfastest\b", "highest", text)
    low, high = (
        named_in(WORDS[side], text) or ((metric or None) and named_in(WORDS[f"{side}_of_it"], text))
        for side in ("low", "high")
    )
    lowest = True if low and not high else False if high and not low else None
    found = low if lowest else high if lowest is False else None
    return metric, lowest, bound, without(text, found) if found else text


def unnamed_bound(text: str, names: Vocabulary) -> tuple[tuple[Condition, ...], str]:
    """ "Runs under 0.97": a bound of the campaign's metric, where no other name stands before it."""
    limit = re.search(_NEAR + r"(?= *$)", text)
    if limit is None or not names.measured(limit["number"]) or (sign := sign_of(limit["sign"])) not in "<><=>=":
        return (), text
    before = re.sub(r"(?: +(?:is|was|were|be|of|a|got|get|gets|went|go|fell))+ *$", "", text[: limit.start()]).split()
    strange = before and before[-1] not in SMALL | {"first", "many", "often"}
    if strange or any(names.family(" ".join(before[-n:])) for n in (1, 2, 3, 4) if len(before) >= n):
        return (), text
    return (Condition(f"metric {names.metric}", sign, float(limit["number"])),), without(text, limit)


def _named_metric(text: str, names: Vocabulary) -> tuple[str, re.Match[str] | None]:
    """A metric by its name, else by the words that people have for it, else by the end of its name."""
    known = sorted(filter(None, names.metrics), key=len, reverse=True)
    for name in known:
        parts = [re.escape(part) for part in name.lower().split("_")]
        own = r"[ _/-]?".join(parts)
        if len(parts) > 1 and parts[-1] in _UNITS:
            own = rf"{own}|{r'[ _/-]?'.join(parts[:-1])}"
        found = re.search(
            rf"(?<!\w)(?:(?:how many|how much|(?:the )?number of|by|in) )?(?:{own})(?![\w/]| per| a s)", text
        )
        if found and not _of_a_knob(text, found, names):
            return name, found
    for words, meant in WORDS["measures"].items():
        found = re.search(rf"(?<![\w/])(?:{words})(?![\w/])", text)
        fits = [n for n in (*reversed(known), *OWN_MEASURES) if found and re.fullmatch(meant, n)]
        fits = [names.metric] if names.metric in fits else fits
        if found and len(fits) == 1 and not _of_a_knob(text, found, names):
            return fits[0], found
    for name in known:
        short = name.lower().rpartition("_")[2]
        found = re.search(rf"(?<![\w.]){re.escape(short)}\b", text)
        if found and len(short) > 2 and sum(n.lower().endswith(f"_{short}") for n in known) == 1:
            return name, found
    for part in names.metric.lower().split("_"):
        found = re.search(rf"(?<![\w.]){re.escape(part)}\b", text)
        if found and len(part) > 4 and sum(part in n.lower() for n in known) == 1 and not names.family(part):
            return names.metric, found
    return "", None


def _of_a_knob(text: str, found: re.Match[str], names: Vocabulary) -> bool:
    """Whether the words are part of the name of a knob: "memory fraction", "warmup steps"."""
    before, after = text[: found.start()].split()[-2:], text[found.end() :].split()[:1]
    last = found[0].split()[-1]
    around = [" ".join([*before[n:], last]) for n in range(len(before))] + [" ".join([last, *after])] * bool(after)
    return any(names.family(name) for name in around)
