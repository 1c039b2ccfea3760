"""From a question in words to a typed one: a grammar for what people ask of experiments.

Every word must be accounted for: by the grammar, by the knobs of this memory, or by the words of its descriptions. A
question with a word left over is refused with NotHere, because an answer to part of a question is a guess.
"""

from __future__ import annotations

import difflib
import re
import sqlite3
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from typing import Literal

from .anchors import ANYTIME, Anchors, Condition, NotHere, Terms, Window, quoted, without
from .names import SHIPPED, Aliases, choice_of, normal_knob, read_number

Kind = Literal[
    "best", "worst", "helped", "hurt", "tried", "common", "differ", "setting", "changed", "count", "unresolved",
    "champion", "value", "run",
]  # fmt: skip
MOST_CHARS = 600
_MOST_WORDS_OF_NAME = 6

#: Words that carry no condition. Nothing that narrows a question may stand here.
SMALL = frozenset((files(__package__) / "small_words.txt").read_text("utf-8").split())
_STATUS = {
    "keep": "kept|keeps?|accepted|adopted|successful",
    "discard": "discarded|discards?|rejected|reverted|thrown away|dropped|not kept",
    "crash": "crashed|crash|crashes|crashing",
    "timeout": "timed out|timeout|timeouts",
    "inconclusive": "inconclusive",
    "failed": "failed|failures|failure|failing|fail",
}
_METRIC_WORDS = "metric|thing|score|value|result|outcome|number|performance"
_BETTER = r"best|top|record"
_WORST = r"worst|poorest"
_LOW, _HIGH = r"lowest|minimum|minimal|smallest|min", r"highest|maximum|maximal|largest|greatest|max"
_UNITS = r"tokens?/s|bpb|bits per byte"
_HELPED = (
    r"helped|helps?|helpful|improved|improves|improve|improvements?|produced?|worked|works|beneficial|paid off"
    r"|gains?|better|wins?|won"
)
_HURT = r"hurt|hurts|harmed|harmful|harm|worsened|worse|degraded|regressed|regressions?|backfired|bad|losses"
#: Kinds in the order in which they are looked for, and the words that ask for them; these words are then used up.
_ASKED: tuple[tuple[Kind, str], ...] = (
    ("unresolved", r"(?:still )?(?:unresolved|undecided|unsettled|open questions?|not settled|remains open)"),
    ("common", r"(?:have )?in common|share[ds]?\b|the same (?:in|about)|same settings"),
    ("differ", r"differs?|difference(?:s)?|different(?:ly)?|differing|distinguish(?:es)?"),
    ("count", r"how many(?: times)?|how often|(?:the )?number of(?: times)?|count of|count"),
    ("champion", r"(?:reigning )?champion|(?:held |holds |wore |wears )?(?:the )?crown|leader|incumbent|reigning"),
    ("changed", r"what (?:has |have |was |were |is )?(?:been )?(?:all )?changed?|changes made|what moved"),
)  # fmt: skip
#: What narrows a family of knobs: "optimizer settings" are all of these.
GROUPS: dict[str, re.Pattern[str]] = {
    "optimizer": re.compile(
        r"(?:^|_)(?:optimizer|lr|beta1|beta2|momentum|weight_decay|eps|grad_clip|warmup|warmdown)(?:_|$)|^(?:muon|adam)"
    ),
}
_COMPARED: tuple[tuple[str, str], ...] = (
    (r"fewer than|less than|under|below|smaller than|lower than|<", "<"),
    (r"more than|greater than|larger than|above|over|higher than|exceeding|>", ">"),
    (r"at least|no less than|>=|≥", ">="),
    (r"at most|no more than|up to|<=|≤", "<="),
    (r"not equal to|other than|!=|<>|not", "<>"),
    (r"equal to|equals|==?|:|set to|at|of|is|was", "="),
)
_SIGN = "|".join(f"(?:{words})" for words, _ in _COMPARED)
_VALUE = r"[\w.+\-/^%×:]+"


@dataclass(frozen=True, slots=True)
class Question:
    """A question that SQL can answer. `lowest` is None for the campaign's own better and worse."""

    kind: Kind
    window: Window = ANYTIME
    conditions: tuple[Condition, ...] = ()
    knobs: tuple[tuple[str, ...], ...] = ()
    words: tuple[str, ...] = ()
    status: str = ""
    runs: tuple[int, ...] = ()
    at: int | None = None
    metric: str = ""
    lowest: bool | None = None


@dataclass
class Vocabulary:
    """The names that one campaign knows; reads each list once."""

    db: sqlite3.Connection
    campaign: str
    aliases: Aliases = SHIPPED
    _spans: dict[str, tuple[str, ...]] = field(default_factory=dict)

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

    def family(self, name: str) -> tuple[str, ...]:
        """Names in the tables that a phrase stands for: its own, and where it is a bare knob, that of every part."""
        normal = normal_knob(name, self.aliases)
        if not normal:
            return ()
        if normal not in self._spans:
            exact = self.knobs.get(normal, ())
            wide = normal in self.aliases.knobs and normal not in ("depth", "batch_size", "width", "init")
            ended = [n for other, names in self.knobs.items() if wide and other.endswith(f"_{normal}") for n in names]
            self._spans[normal] = (*exact, *sorted(ended))
        return self._spans[normal]

    def near(self, name: str) -> str:
        """The known names that are spelled most like it, in words for a person."""
        close = difflib.get_close_matches(normal_knob(name[:80], self.aliases), list(self.knobs)[:2000], 3, 0.5)
        some = close or sorted(self.knobs)[:5]
        return f"; {'nearest' if close else 'known'} names: {', '.join(some)}" if some else ""

    def read(self, text: str) -> Terms:
        """The conditions, knobs and other words of a phrase, the longest names first."""
        tokens = text.split()
        conditions: list[Condition] = []
        knobs: list[tuple[str, ...]] = []
        words: list[str] = []
        at = 0
        while at < len(tokens):
            found = self._signed(tokens, at) or self._named(tokens, at)
            if found is None:
                words.append(tokens[at].strip("=:,()'\""))
                at += 1
                continue
            at, condition, family = found
            if condition is not None:
                conditions.append(condition)
            elif family not in knobs:
                knobs.append(family)
        kept = [w for w in words if w and w not in SMALL and not re.fullmatch(r"[\W_]+", w)]
        return Terms(tuple(conditions), tuple(knobs), tuple(dict.fromkeys(kept)))

    def _span(self, tokens: list[str], at: int) -> tuple[int, tuple[str, ...]] | None:
        for end in range(min(len(tokens), at + _MOST_WORDS_OF_NAME), at, -1):
            if any(token in SMALL and token not in ("value", "values") for token in (tokens[at], tokens[end - 1])):
                continue
            name = " ".join(tokens[at:end])
            following = tokens[end] if end < len(tokens) else ""
            if end == at + 1 and name in GROUPS and re.match("setting|knob|param|hyper|change|option", following):
                return end + 1, tuple(n for other, ns in self.knobs.items() if GROUPS[name].search(other) for n in ns)
            family = self.family(name)
            if family:
                return end, family
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
        found = re.match(rf"(?:(?P<lead>of|is|was|were|being|set) )?(?:(?P<sign>{_SIGN}) ?)?(?P<value>{_VALUE})(?: |$)",
                         " ".join(tokens[end:]))  # fmt: skip
        if found:
            value = self._value(family, found["value"])
            if value is not None:
                knob = self._one(family, " ".join(tokens[at:end]))
                used = len(found[0].split())
                return end + used, Condition(knob, _sign(found["sign"] or "="), value), ()
        return end, None, family

    def _signed(self, tokens: list[str], at: int) -> tuple[int, Condition | None, tuple[str, ...]] | None:
        """ "fewer than 8 layers", or "8 layers" alone."""
        found = re.match(rf"(?:(?P<sign>{_SIGN}) )?(?:an? )?(?P<value>[-+.\w/%^]+) (?=\S)", " ".join(tokens[at:]))
        if found is None or read_number(found["value"]) is None:
            return None
        start = at + len(found[0].split())
        span = self._span(tokens, start)
        if span is None:
            return None
        value = self._value(span[1], found["value"])
        knob = self._one(span[1], " ".join(tokens[start : span[0]]))
        return (span[0], Condition(knob, _sign(found["sign"] or "="), value), ()) if value is not None else None

    def _one(self, family: tuple[str, ...], name: str) -> str:
        """The knob that a condition is about; a family of several without a knob of just that name is no condition."""
        exact = self.knobs.get(normal_knob(name, self.aliases), ())
        if len(exact) == 1 or len(family) == 1:
            return exact[0] if exact else family[0]
        raise NotHere(f"{name} may be {', '.join(family[:5])}")

    def _value(self, family: tuple[str, ...], text: str) -> str | float | None:
        text = text.strip(".,?!:")
        number = read_number(text)
        if number is not None and not number.factor:
            return float(number.value)
        return text if any(self._takes(knob, text) for knob in family) else None

    def _takes(self, knob: str, value: str) -> bool:
        return any(
            self.db.execute(f"SELECT EXISTS(SELECT 1 FROM {told})", (knob, value)).fetchone()[0]
            for told in (
                "settings WHERE knob = ?1 AND value = ?2 COLLATE NOCASE",
                "changes WHERE knob = ?1 AND (new = ?2 COLLATE NOCASE OR old = ?2 COLLATE NOCASE)",
            )
        )


def read_question(db: sqlite3.Connection, campaign: str, text: str, last: int, aliases: Aliases = SHIPPED) -> Question:
    """The typed question, or NotHere with what is not known; `last` is the newest run that counts."""
    names = Vocabulary(db, campaign, aliases)
    asked = _plain(text)
    asked = re.sub(r"\b(?:just|right|shortly) (?=before|after)|\bma[dk]e (?:a|any|no) difference\b", " ", asked)
    asked = re.sub(r"\b(reached|got|had) (by) (?=run|trial|experiment)", r"best until ", asked)
    asked = re.sub(r"\blook(?:ed)? (?:at|into)\b", "tried", asked)
    metric, lowest, asked = _metric(asked, names)
    kind = next(((kind, found) for kind, words in _ASKED if (found := re.search(rf"\b(?:{words})\b", asked))), None)
    anchors = Anchors(db, campaign, last, names.read)
    if kind is not None and kind[0] in ("common", "differ"):
        runs = tuple(dict.fromkeys(int(n) for n in re.findall(r"(?<![\w.])\d{1,9}\b", asked)))
        left = names.read(re.sub(r"(?<![\w.])#?\d{1,9}\b|\bcompare\b", " ", without(asked, kind[1])))
        if len(runs) != 2 or left.words or left.knobs or left.conditions:
            raise NotHere("two runs are needed")
        if max(runs) > last or min(runs) < 1:
            raise NotHere(f"there is no run {max(runs)} (runs 1 to {last} are known)")
        return Question(kind[0], runs=runs)
    if kind is not None and kind[0] == "changed" and re.search(r"\b(?:between|since|after|from)\b", asked) is None:
        kind = None
    window, asked = anchors.windows(asked)
    kind = kind if kind is not None and kind[1][0] in asked else None  # "since the champion changed" asks for none
    asked = asked.replace(kind[1][0], " ", 1) if kind is not None else asked
    at, asked = anchors.at(asked)
    status, asked = _status(asked) if kind is None or kind[0] == "count" else ("", asked)
    better = re.search(rf"\b(?:{_BETTER}|{_WORST}|{_LOW}|{_HIGH})\b", asked)
    helped, hurt = re.search(rf"\b(?:{_HELPED})\b", asked), re.search(rf"\b(?:{_HURT})\b", asked)
    asked = re.sub(rf"\b(?:{_BETTER}|{_WORST}|{_HELPED}|{_HURT})\b", " ", asked)
    asked = re.sub(
        rf"\b(?:{_METRIC_WORDS})s?\b|\bwent wrong\b|\bcombined\b|\btogether\b|\bgave\b|\breached?\b", " ", asked
    )
    asked = re.sub(r"\b(?:crash|timeout) ?", " ", asked) if status in ("crash", "timeout") else asked
    terms = names.read(asked)
    known = Question("run", window, terms.conditions, terms.knobs, terms.words, status, (), at, metric, lowest)
    return _settled(known, kind[0] if kind else None, better, helped, hurt, text, names)


def _settled(
    q: Question,
    kind: Kind | None,
    better: re.Match[str] | None,
    helped: object,
    hurt: object,
    text: str,
    names: Vocabulary,
) -> Question:
    """The kind that the words ask for, once it is known what they speak of."""
    made = {name: getattr(q, name) for name in Question.__slots__ if name != "kind"}
    plain = _plain(text)
    asks_what = re.search(r"\b(?:which|what)\b", plain)
    if kind in ("unresolved", "champion", "changed", "count"):
        if q.words:  # how often words of descriptions occur is not how often a thing was tried
            raise _unknown(q.words, names)
        if kind == "champion" and len(q.knobs) == 1 and not q.conditions:
            return Question("value", **(made | {"at": _champion_at(names, q)}))
        if kind in ("champion", "unresolved", "changed") and (q.conditions or (kind == "champion" and q.knobs)):
            raise NotHere("that question takes no condition on settings")
        if kind == "count" and helped:
            made["status"] = "keep"
        return Question(kind, **made)
    if better is not None or q.lowest is not None:
        if not q.words and q.knobs and not q.metric and not q.conditions and better and _about_setting(plain):
            return Question("setting", **made)
        if q.at is not None:
            raise NotHere("best of one run")
        worst = better is not None and re.fullmatch(_WORST, better[0]) is not None
        if q.words:
            _found_in_words(names, q.words)
        return Question("worst" if worst else "best", **made)
    if q.knobs and helped and asks_what and _about_setting(plain) and re.search(r"\bworked best\b", plain):
        return Question("setting", **made)
    if (helped or hurt) and asks_what and not q.words and not re.search(r"\bwhat happen", plain):
        return Question("hurt" if hurt else "helped", **made)
    if q.at is not None and not q.words and not q.conditions and not q.status:
        if len(q.knobs) == 1:
            return Question("value", **made)
        if not q.knobs and (q.metric or re.search(r"happen|about|what|show|describe", plain)):
            return Question("run", **made)
    lists = re.search(
        r"\b(?:look\w*|tried|try|tested|test|attempt\w*|happen\w*|went wrong|which (?:runs?|experiments?|trials?)|used?"
        r"|combined|touch\w*|chang\w+|experiment\w*|failed|explored?)\b", plain
    )  # fmt: skip
    lists = lists or (q.status and (q.knobs or q.conditions))
    if (lists or helped or hurt) and (q.words or q.knobs or q.conditions or q.status or q.window != ANYTIME):
        if q.words:
            _found_in_words(names, q.words)
        return Question("tried", **made)
    if q.words:
        raise _unknown(q.words, names)
    raise NotHere("no kind of question that this memory answers")


def _champion_at(names: Vocabulary, q: Question) -> int:
    moment = min(n for n in (q.at, q.window.last, 1 << 60) if n is not None)
    row = names.db.execute(
        "SELECT since FROM champions WHERE campaign = ? AND since <= ? ORDER BY since DESC", (names.campaign, moment)
    ).fetchone()
    if row is None:
        raise NotHere("no champion then")
    return int(row[0])


def _about_setting(text: str) -> bool:
    return re.search(r"\b(?:run|runs|experiment|experiments|trial|trials|result|score|metric|among)\b", text) is None


def _metric(text: str, names: Vocabulary) -> tuple[str, bool | None, str]:
    """The metric that is named, lowest or highest where that is said, and the rest."""
    for name in sorted(names.metrics, key=len, reverse=True):
        last = rf"|(?<![\w.])\b{re.escape(short)}\b" if len(short := name.lower().rpartition("_")[2]) > 2 else ""
        found = re.search(
            rf"(?<!\w){re.escape(name.lower())}(?!\w)|\b{re.escape(name.lower().replace('_', ' '))}\b{last}", text
        )
        if last and found and sum(n.lower().endswith(f"_{short}") for n in names.metrics) > 1 and found[0] == short:
            found = None
        if found and name:
            text, metric = without(text, found), name
            break
    else:
        metric = ""
    if re.search(r"tok|throughput|per_s", metric):
        text = re.sub(r"\bfastest\b", "highest", text)
    low, high = re.search(rf"\b(?:{_LOW})\b", text), re.search(rf"\b(?:{_HIGH})\b", text)
    lowest = True if low and not high else False if high and not low else None
    found = low if lowest else high if lowest is False else None
    return metric, lowest, without(text, found) if found else text


def _status(text: str) -> tuple[str, str]:
    for status in ("discard", "keep", "crash", "timeout", "inconclusive", "failed"):
        found = re.search(rf"\b(?:with (?:a |the )?status (?:of )?)?(?:{_STATUS[status]})\b", text)
        if found:
            return status, without(text, found)
    return "", text


def _found_in_words(names: Vocabulary, words: Iterable[str]) -> None:
    if not names.db.execute(
        f"SELECT EXISTS (SELECT 1 FROM runs r WHERE r.campaign = ? AND {in_words(words)})", (names.campaign,)
    ).fetchone()[0]:
        raise _unknown(tuple(words), names)


def in_words(words: Iterable[str]) -> str:
    """SQL: the description has each of these words, or a short form of it."""
    tests = []
    for word in list(words)[:12]:
        forms = {word} | {p[0] for p, name in SHIPPED.phrases.items() if name == word and len(p) == 1 and len(p[0]) > 3}
        forms |= {word[:-3]} if word.endswith("ing") and len(word) > 6 else set()
        tests.append("(" + " OR ".join(f"instr(lower(r.description), {quoted(form)})" for form in sorted(forms)) + ")")
    return " AND ".join(tests) or "1"


def _unknown(words: tuple[str, ...], names: Vocabulary) -> NotHere:
    return NotHere(f"{' '.join(words)[:80]!r} is not known here{names.near(' '.join(words))}")


def _plain(text: str) -> str:
    """Lower case, one space between words, no quotes, no question mark; `a=b` is three words."""
    shown = unicodedata.normalize("NFKC", text)[:MOST_CHARS].lower()
    shown = "".join(" " if unicodedata.category(c)[0] == "C" or c in "\"'`’“”?!,;()[]{}" else c for c in shown)
    shown = re.sub(r"(<=|>=|!=|<>|==|[=<>≤≥])", r" \1 ", shown)
    return re.sub(r"\s+", " ", re.sub(r"[.:](?=\s|$)", " ", shown)).strip()


def _sign(words: str) -> str:
    return next(sign for pattern, sign in _COMPARED if re.fullmatch(pattern, words))
