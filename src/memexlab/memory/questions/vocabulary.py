"""The names that one campaign knows, and what a phrase of a question names by them.

It knows knobs, their values, metrics and who ran what; it does not know what a question asks.
"""

from __future__ import annotations

import difflib
import json
import re
import sqlite3
import tomllib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any

from ..changes.names import SHIPPED, Aliases, choice_of, normal_knob, read_number
from .moments import TIE, Condition, Impossible, NotHere, Terms, without

_MOST_WORDS_OF_NAME = 6
_VALUE = r"[\w.+\-/^%×:]+"
_AMOUNT = r"[-+]?[\d.][\w.^%-]*"
#: The words of questions, by what they do.
WORDS = tomllib.loads((files(__package__) / "question_words.toml").read_text("utf-8"))
#: Words that carry no condition.
SMALL = frozenset(WORDS["small"].split())
#: Words that narrow a question in ways that no kind knows.
NARROWING = frozenset(WORDS["narrowing"].split())
_NOUNS = frozenset(WORDS["nouns"].split())
#: Whole words that the grammar knows.
LEXICON = frozenset(re.findall(r"(?<![\\\w])[a-z]{4,}", str(WORDS)))
#: A column with so few values is what a question may mean by a word that the grammar knows too: "test", "train".
_FEW_LABELS = 10
#: Any sign that compares, in words, as a regular expression.
SIGN = "|".join(f"(?:{words})" for words in WORDS["compared"].values())
_NEAR = rf"(?P<sign>{SIGN}) (?P<number>[-+]?\d*\.?\d+)(?![\w.])"
#: What a run is measured on beside the metrics that it reported.
OWN_MEASURES = ("seconds", "usd", "pairs", "steps per second")
_GAP = "was|is|of|went|fell|dropped|got|a|first|ever|be|go|drop|fall|were|values?"
_HAD = "with|had|has|have|made|did|took"
_UNITS = ("ms", "us", "s", "sec", "seconds", "mb", "gb", "kb", "m", "pct")
#: Names of metrics of which a higher or a lower value is better, as regular expressions.
BETTER: dict[str, str] = WORDS["better"]


def named_in(pattern: str, text: str) -> re.Match[str] | None:
    """The first place where whole words of a text are this."""
    return re.search(rf"\b(?:{pattern})\b", text) if may_hold(pattern, text) else None


def may_hold(pattern: str, text: str) -> bool:
    """Whether an expression can match in a text: a look for its letters, much cheaper than to search for it."""
    needed = _needed_by(pattern)
    for letters in needed:  # a loop, as this is asked a hundred times a question
        if letters in text:
            return True
    return not needed


@lru_cache(maxsize=2048)
def _needed_by(pattern: str) -> frozenset[str]:
    return _letters(re._parser.parse(pattern))  # type: ignore[attr-defined]


def _letters(parsed: Any) -> frozenset[str]:
    """Of these one stands in whatever a parsed expression matches; none where that is not sure."""
    found: list[frozenset[str]] = [frozenset()]
    run = ""
    for sign, what in [*parsed, (None, None)]:
        if str(sign) == "LITERAL":
            run += chr(what)
            continue
        found.append(frozenset([run] if run else []))
        run = ""
        if str(sign) == "SUBPATTERN":
            found.append(_letters(what[3]))
        elif str(sign) in ("MAX_REPEAT", "MIN_REPEAT") and what[0]:
            found.append(_letters(what[2]))
        elif str(sign) == "BRANCH":
            parts = [_letters(part) for part in what[1]]
            found.append(frozenset().union(*parts) if all(parts) else frozenset())
    return max(found, key=lambda letters: min(map(len, letters), default=0))


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
        for table in ("settings", "changes"):
            own = f"FROM runs r CROSS JOIN {table} USING (run) WHERE r.campaign = ?1"
            each = f"(SELECT count(*) FROM {table} WHERE run = (SELECT max(run) FROM runs WHERE campaign = ?1))"
            few = self.one(f"max(number) * (1 + {each}) < 10000 FROM runs WHERE campaign = ?1")
            # Else a walk over the distinct knobs of the index, which looks at every row that only other campaigns have.
            walk = (
                f"WITH RECURSIVE k(knob) AS (SELECT min(knob) FROM {table} UNION ALL SELECT (SELECT min(t.knob) FROM"
                f" {table} t WHERE t.knob > k.knob) FROM k WHERE k.knob IS NOT NULL) SELECT knob FROM k WHERE knob"
                f" IS NOT NULL AND EXISTS (SELECT 1 FROM {table} t CROSS JOIN runs r USING (run) WHERE t.knob = k.knob"
                f" AND r.campaign = ?)"
            )
            for (knob,) in self.db.execute(f"SELECT DISTINCT knob {own}" if few else walk, (self.campaign,)):
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
    def labels(self) -> dict[str, tuple[str, str]]:
        """Columns of an imported log that are text, and a value of each, by the words that name the value."""
        own = "FROM runs r JOIN entries e ON e.seq = r.run WHERE r.campaign = ?1"
        told = f"e.body {own} AND EXISTS (SELECT 1 FROM campaigns WHERE campaign = ?1 AND origin = 'import') LIMIT 1"
        found: dict[str, tuple[str, str]] = {}
        first = self.one(told)  # it has all columns, as a table does
        for column in [*text_columns(first), *(["status_word"] if '"status_word"' in first else [])] if first else ():
            # A longer log has said each word by then.
            said = f"SELECT DISTINCT r.status, lower(json_extract(e.body, ?2)) {own} AND r.number <= 5000"
            pairs = self.db.execute(said, (self.campaign, f"$.meta.{json.dumps(column)}")).fetchall()
            values = {str(v) for _, v in pairs if v and not str(v).isnumeric()}
            if column == "status_word":  # "reverted", where a log says REVERT and KILL, and both are discard here
                several = {v for s, v in pairs if v in values - {s} and sum(s == other for other, _ in pairs) > 1}
                found |= {f"{v}{end}": (column, v) for v in several for end in ("", "ed", "d", f"{v[-1]}ed")}
            else:
                found |= {v: (column, v) for v in values if len(values) < _FEW_LABELS or v not in LEXICON}
        return found

    def labelled(self, text: str) -> tuple[tuple[Condition, ...], str]:
        """The labels that a question names ("in the test period"), and the question without them."""
        words = text.split()
        end = next((n for n, word in enumerate(words) if re.fullmatch(WORDS["weighing"], word)), len(words))
        known = [n for n in range(end) if words[n] in self.labels]
        known = [n for n in known if words[n] not in LEXICON or not n or words[n - 1] not in WORDS["askers"].split("|")]
        named = [self.labels[words[n]] for n in known]
        rest = [w for n, w in enumerate(words) if n not in known and w not in dict(named)]
        if "per" not in words and "how many" not in text:  # "which strategy": the run is asked for that has it
            columns = {column for column, _ in self.labels.values()}
            nouns = dict.fromkeys(columns, "run") | {s: "runs" for c in columns for s in (f"{c}s", f"{c[:-1]}ies")}
            rest = [nouns.get(word, word) for word in rest]
        return tuple(Condition(f"label {column}", "=", value) for column, value in named), " ".join(rest)

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
        return re.fullmatch(r"[\w./-]{2,}", word) is not None and self.one(begins, f"{word}:*") is not None

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
        known = [*list(self.knobs)[:2000], *list(self.labels)[:2000]]
        close = difflib.get_close_matches(normal_knob(name[:80], self.aliases), known, 3, 0.5)
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
            found = self._directed(tokens, at) or self._signed(tokens, at) or self._named(tokens, at)
            if found is None:
                bound = tokens[max(at - 1, 0)] in ("under", "over") and tokens[at][0] in "-+.0123456789"
                words.append(" ".join(tokens[at - bound : at + 1]).strip("=:,()'\""))
                at += 1
                continue
            start, (at, condition, family) = at, found
            if condition is not None:
                conditions.append(condition)
            else:
                knobs.setdefault(family, " ".join(tokens[start:at]))
        kept = [w for w in words if w and w not in SMALL and not re.fullmatch(r"[\W_]+", w)]
        return Terms(tuple(conditions), tuple(knobs), tuple(dict.fromkeys(kept)), tuple(knobs.values()))

    def joined(self, text: str) -> str:
        """The text with small words tied to the next where a description has both: "value embeddings" is one name."""

        def tied(found: re.Match[str]) -> str:
            said = "1 FROM runs WHERE campaign = ?1 AND instr(lower(description), ?2) LIMIT 1"
            known = found[2] not in SMALL and self.one(said, found[0])
            return f"{found[1]}{TIE}{found[2]}" if known else found[0]

        return re.sub(rf"\b({WORDS['naming']}) ([a-z]\w*)", tied, text)

    def ranges(self, text: str) -> str:
        """ "Depth between 3 and 5" is of a setting, not of runs, and "from depth 12 to 14" a change of one."""

        def told(found: re.Match[str]) -> str:
            before = re.sub("( (is|was|were|had|values?))+$", "", found["before"]).split()
            ends = [" ".join(before[-n:]) for n in (4, 3, 2, 1)]
            knob = next((k for k in ends if self.family(k) or ((m := _named_metric(k, self)[1]) and m[0] == k)), "")
            bounds = f">= {found['a']} {knob} <=" if found["word"] == "between" else f"{found['a']} to"
            known = knob and None not in (self._value(self.family(knob), found[end]) for end in "ab")
            return f"{found['before']} {bounds} {found['b']}" if known else found[0]

        if "from" not in text and "between" not in text:
            return text
        text = re.sub(rf"\bfrom (?P<knob>(?:[a-z_]\w* ){{1,4}})(?P<a>{_AMOUNT}) to (?:(?P=knob))?(?P<b>{_AMOUNT})",
                      lambda f: f[0].removeprefix("from ") if self.family(f["knob"]) else f[0], text)  # fmt: skip
        pair = rf"(?P<before>\b.+?) (?P<word>between|from) (?P<a>{_VALUE}) (?:and|to) (?P<b>{_VALUE})"
        return re.sub(pair, told, text)

    def _span(self, tokens: list[str], at: int) -> tuple[int, tuple[str, ...]] | None:
        for end in range(min(len(tokens), at + _MOST_WORDS_OF_NAME), at, -1):
            ends = {tokens[at], tokens[end - 1]} - {"value", "values"}
            if not SMALL.isdisjoint(ends) or re.fullmatch("[<>=!:≤≥]+", tokens[end - 1]):
                continue
            name = " ".join(tokens[at:end])
            following = tokens[end] if end < len(tokens) else ""
            grouped = end == at + 1 and name in WORDS["groups"]
            if grouped and re.match("setting|knob|param|hyper|change|option", following):
                wanted = [names for other, names in self.knobs.items() if re.search(WORDS["groups"][name], other)]
                if wanted:
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
        rest = " ".join(tokens[end:])
        if moved := re.match(rf"(?:(?P<old>{_VALUE}) )?to (?P<new>{_VALUE})(?: |$)", rest):
            old, new = self._value(family, moved["old"]) if moved["old"] else "", self._value(family, moved["new"])
            if old is not None and new is not None:
                return (
                    end + len(moved[0].split()),
                    Condition(self._one(family, " ".join(tokens[at:end])), "=", new, old),
                    (),
                )
        found = re.match(rf"(?:(?P<lead>of|is|was|were|being|set) )?(?:(?P<sign>{SIGN}) ?)?(?P<value>{_VALUE})(?: |$)",
                         rest)  # fmt: skip
        if found:
            value = self._value(family, found["value"])
            if value is not None:
                knob = self._one(family, " ".join(tokens[at:end]))
                used = len(found[0].split())
                return end + used, Condition(knob, sign_of(found["sign"] or "="), value), ()
            if found["sign"] in ("=", "==", "set to", "equal to", "equals"):
                raise Impossible(f"no run had {family[0]} = {found['value'][:40]}")
        return end, None, family

    def _directed(self, tokens: list[str], at: int) -> tuple[int, Condition | None, tuple[str, ...]] | None:
        """ "A bigger batch", "raising the lr", "depth was increased": a knob that was moved that way, to any value."""
        for way, words in WORDS["directions"].items():
            lead = re.match(rf"(?:{words})(?: (?:in|of|the|our|a|an))* (?=\S)", " ".join(tokens[at:]))
            start = at + len(lead[0].split()) if lead else at
            span = self._span(tokens, start)
            if span is None:
                continue
            end, rest = span[0], " ".join(tokens[span[0] :])
            if lead is None:
                if not (after := re.match(rf"(?:(?:was|were|is|being|been|got|ever) )*(?:{words})(?: |$)", rest)):
                    continue
                end, rest = end + len(after[0].split()), rest[after.end() :]
            if re.match(r"(?:than|then|to|from|by|above|below|over|under|[-+.\d])", rest):
                return None  # compared with something: not only a way
            return end, Condition(self._one(span[1], " ".join(tokens[start : span[0]])), way, "", ""), ()
        return None

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


def text_columns(body: str | None) -> dict[str, str]:
    """What a line of an imported log says in words, beside its status and its description, by the body of its run."""
    meta: dict[str, object] = json.loads(body or "{}").get("meta", {})
    return {c: v for c, v in meta.items() if isinstance(v, str) and c not in ("status_word", "label", "at")}


def read_metric(text: str, names: Vocabulary) -> tuple[str, bool | None, tuple[Condition, ...], str]:
    """The metric that is named, lowest or highest where that is said, a bound such as "under 0.97", and the rest."""
    better = "under" if names.better != "higher" else "over"
    text = re.sub(r"\b(?:beats?|beating|beaten|better than)(?= \d*\.\d)", better, text)
    text = re.sub(r"\bworse than(?= \d*\.\d)", "over" if better == "under" else "under", text)
    metric = ""
    bound: tuple[Condition, ...] = ()
    for _ in range(3):
        name, found = _named_metric(text, names)
        if found is None:
            break
        shown, number = re.escape(found[0]), r"(?P<number>[-+]?\d*\.?\d+)(?![\w.])"
        exact = (rf"\b(?P<sign>with) {shown}(?: =| of| at)? {number}", rf"\b(?P<sign>{_HAD}) {number} {shown}(?!\w)")
        limits = (rf"(?<!\w){shown}(?: (?:{_GAP}))* {_NEAR}", rf"{_NEAR} {shown}(?!\w)", *exact)
        near = (re.search(limit, text) for limit in limits)
        limit = next((m for m in near if m and (re.fullmatch(_HAD, m["sign"]) or sign_of(m["sign"]) != "=")), None)
        if limit:
            sign = "=" if re.fullmatch(_HAD, limit["sign"]) else sign_of(limit["sign"])
            bound = (*bound, Condition(f"metric {name}", sign, float(limit["number"])))
            text = without(text, limit)
        elif metric:
            break  # a second one is left in the text: what is asked of it is not known
        else:
            metric, text = name, text.replace(found[0], " ", 1)
    if re.search(r"tok|throughput|per_s", metric or names.metric):
        text = re.sub(r"\bfastest\b", "highest", text)
    low, high = (named_in(WORDS[side], text) or (metric and named_in(WORDS[f"{side}_of_it"], text)) or None
                 for side in ("low", "high"))  # fmt: skip
    lowest = True if low and not high else False if high and not low else None
    found = low if lowest else high if lowest is False else None
    return metric, lowest, bound, without(text, found) if found else text


def unnamed_bound(text: str, names: Vocabulary) -> tuple[tuple[Condition, ...], str]:
    """ "Runs under 0.97": a bound of the campaign's metric, where no other name stands before it."""
    limit = re.search(_NEAR + r"(?= *$)", text)
    if limit is None or not names.measured(limit["number"]) or (sign := sign_of(limit["sign"])) not in "<><=>=":
        return (), text
    before = re.sub(r"(?: +(?:is|was|were|be|of|a|got|get|gets|went|go|fell))+ *$", "", text[: limit.start()]).split()
    strange = before and before[-1] not in SMALL | {"first", "many", "often"} and read_number(before[-1]) is None
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
        found = re.search(rf"(?<![\w/])(?:{words})(?![\w/])", text) if may_hold(words, text) else None
        fits = [n for n in (*reversed(known), *OWN_MEASURES) if found and re.fullmatch(meant, n)]
        fits = [names.metric] if names.metric in fits else fits
        if found and len(fits) == 1 and not _of_a_knob(text, found, names):
            return fits[0], found
    for name in known:
        short = name.lower().rpartition("_")[2]
        found = None if short in NARROWING else re.search(rf"(?<![\w.]){re.escape(short)}\b", text)
        if found and len(short) > 2 and sum(n.lower().endswith(f"_{short}") for n in known) == 1:
            return name, found
    for part in names.metric.lower().split("_"):
        found = None if part in NARROWING else re.search(rf"(?<![\w.]){re.escape(part)}\b", text)
        if found and len(part) > 4 and sum(part in n.lower() for n in known) == 1 and not names.family(part):
            return names.metric, found
    return "", None


def _of_a_knob(text: str, found: re.Match[str], names: Vocabulary) -> bool:
    """Whether the words are part of the name of a knob: "memory fraction", "warmup steps"."""
    before, after = text[: found.start()].split()[-2:], text[found.end() :].split()[:1]
    last = found[0].split()[-1]
    around = [" ".join([*before[n:], last]) for n in range(len(before))] + [" ".join([last, *after])] * bool(after)
    return any(names.family(name) for name in around)
