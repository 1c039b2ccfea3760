"""From a question in words to a typed one: a grammar for what people ask of experiments.

Every word must be accounted for: by the grammar, by the knobs of this memory, or by the words of its descriptions. A
question with a word left over is refused with NotHere, because an answer to part of a question is a guess.
"""

from __future__ import annotations

import difflib
import re
import sqlite3
import tomllib
import unicodedata
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files

from .anchors import ANYTIME, Anchors, Condition, Impossible, NotHere, Terms, Window, in_words, without
from .names import SHIPPED, Aliases, choice_of, normal_knob, read_number

MOST_CHARS = 600
_MOST_WORDS_OF_NAME = 6

_WORDS = tomllib.loads((files(__package__) / "question_words.toml").read_text("utf-8"))
SMALL, NO_CONTENT, _NARROWING, _NOUNS = (
    frozenset(_WORDS[group].split()) for group in ("small", "no_content", "narrowing", "nouns")
)
_ASKED, _SAID, _STATUS, _COMPARED, _GROUPS = (_WORDS[g] for g in ("asked", "said", "status", "compared", "groups"))
_SIGN = "|".join(f"(?:{words})" for words in _COMPARED.values())
_VALUE = r"[\w.+\-/^%×:]+"


@dataclass(frozen=True, slots=True)
class Question:
    """A question that SQL can answer. `lowest` is None for the campaign's own better and worse."""

    kind: str
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
            ends = {tokens[at], tokens[end - 1]} - {"value", "values"}
            if not SMALL.isdisjoint(ends) or tokens[end - 1] in "<>==:≤≥!=":
                continue
            name = " ".join(tokens[at:end])
            following = tokens[end] if end < len(tokens) else ""
            if end == at + 1 and name in _GROUPS and re.match("setting|knob|param|hyper|change|option", following):
                wanted = [names for other, names in self.knobs.items() if re.search(_GROUPS[name], other)]
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
        found = re.match(rf"(?:(?P<lead>of|is|was|were|being|set) )?(?:(?P<sign>{_SIGN}) ?)?(?P<value>{_VALUE})(?: |$)",
                         " ".join(tokens[end:]))  # fmt: skip
        if found:
            value = self._value(family, found["value"])
            if value is not None:
                knob = self._one(family, " ".join(tokens[at:end]))
                used = len(found[0].split())
                return end + used, Condition(knob, _sign(found["sign"] or "="), value), ()
            if found["sign"] in ("=", "==", "set to", "equal to", "equals"):
                raise Impossible(f"no run had {family[0]} = {found['value'][:40]}")
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


def read_question(db: sqlite3.Connection, campaign: str, text: str, last: int, aliases: Aliases = SHIPPED) -> Question:
    """The typed question, or NotHere with what is not known; `last` is the newest run that counts."""
    names = Vocabulary(db, campaign, aliases)
    asked = plain = _plain(text)
    for pattern, other in _WORDS["rewritten"].items():
        asked = re.sub(pattern, other, asked)
    metric, lowest, bound, asked = _metric(asked, names)
    kind, cue = next(((k, found[0]) for k, words in _ASKED.items() if (found := _word(words, asked))), ("", ""))
    if kind in ("common", "differ"):
        return _two_runs(kind, asked.replace(cue, " ", 1), bool(metric or bound), names, last)
    if kind == "gain":
        asked = re.sub(_WORDS["before_it"], " ", asked)
    if kind == "changed" and not _word("between|since|after|from", asked):
        kind = ""
    anchors = Anchors(db, campaign, last, names.read)
    window, asked = anchors.windows(asked)
    kind = kind if cue in asked else ""  # "since the champion changed" asks for none
    asked = asked.replace(cue, " ", 1) if kind else asked
    at, asked = anchors.at(asked)
    status, asked = _status(asked) if kind in ("", "count", "mean") else ("", asked)
    said = {name for name, words in _SAID.items() if _word(words, asked)}
    asked = re.sub(rf"\b(?:{'|'.join([*_SAID.values(), _WORDS['used_up']])})\b", " ", asked)
    asked = re.sub(r"\b(?:crash|timeout) ?", " ", asked) if status in ("crash", "timeout") else asked
    terms = names.read(asked)
    conditions = (*bound, *terms.conditions)
    known = Question("run", window, conditions, terms.knobs, terms.words, status, (), at, metric, lowest)
    return _settled(known, kind, said, plain, names)


def _word(pattern: str, text: str) -> re.Match[str] | None:
    return re.search(rf"\b(?:{pattern})\b", text)


def _two_runs(kind: str, asked: str, measured: bool, names: Vocabulary, last: int) -> Question:
    runs = tuple(dict.fromkeys(int(n) for n in re.findall(r"(?<![\w.])\d{1,9}\b", asked)))
    left = names.read(re.sub(r"(?<![\w.])#?\d{1,9}\b|\bcompare\b", " ", asked))
    if len(runs) != 2 or left.words or left.knobs or left.conditions or measured:
        raise NotHere("two runs are needed, and what they share or where they differ is in their settings")
    if max(runs) > last or min(runs) < 1:
        raise Impossible(f"there is no run {max(runs)} (runs 1 to {last} are known)")
    return Question(kind, runs=runs)


def _settled(q: Question, kind: str, said: set[str], plain: str, names: Vocabulary) -> Question:
    """The kind that the words ask for, once it is known what they speak of."""
    asks_what = _word("which|what", plain)
    narrowed = bool(q.words or q.knobs or q.conditions or q.status)
    # How often words of descriptions occur is not how often a thing was tried.
    if q.words and (kind or not _NARROWING.isdisjoint(q.words)):
        raise _unknown(q.words, names)
    if kind == "champion" and len(q.knobs) == 1 and not q.conditions:
        return replace(q, kind="value", at=_champion_at(names, q))
    if kind:
        narrow = q.conditions or (q.knobs and kind in ("champion", "gain"))
        if (narrow and kind not in ("count", "mean")) or (kind == "gain" and not q.at):
            raise NotHere("that question takes no condition on settings")
        return replace(q, kind=kind, status="keep" if kind == "count" and "helped" in said else q.status)
    if said & {"best", "worst", "first"} or q.lowest is not None:
        if "best" in said and q.knobs and not (q.words or q.metric or q.conditions) and _about_setting(plain):
            return replace(q, kind="setting")
        if q.at is not None or ("first" in said and not narrowed):
            raise NotHere("best of one run")
        _found_in_words(names, q.words)
        return replace(q, kind="worst" if "worst" in said else "first" if "first" in said else "best")
    if q.knobs and asks_what and _about_setting(plain) and _word("worked best", plain):
        return replace(q, kind="setting")
    if q.at is not None:
        if len(q.knobs) == 1 and not (q.words or q.conditions or q.status):
            return replace(q, kind="value")
        if narrowed or not (q.metric or said or _word(_WORDS["describes"], plain)):
            raise NotHere(f"that of run {q.at}{names.near(' '.join(q.words))}")
        return q
    if said and asks_what and not q.words and not _word("what happen.*", plain):
        return replace(q, kind="hurt" if "hurt" in said else "helped")
    lists = _word(_WORDS["lists"], plain)
    if (lists or said or q.status) and (
        q.words or q.knobs or q.conditions or q.window != ANYTIME or (lists and q.status)
    ):
        _found_in_words(names, q.words)
        return replace(q, kind="tried")
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
    """A setting is asked for, not a run: "the best depth", "the depth of the best run"."""
    return not _word(_WORDS["of_runs"], text) or _word(_WORDS["of_the_best"], text) is not None


def _metric(text: str, names: Vocabulary) -> tuple[str, bool | None, tuple[Condition, ...], str]:
    """The metric that is named, lowest or highest where that is said, a bound such as "under 0.97", and the rest."""
    bound: tuple[Condition, ...] = ()
    for name in sorted(names.metrics, key=len, reverse=True):
        last = rf"|(?<![\w.])\b{re.escape(short)}\b" if len(short := name.lower().rpartition("_")[2]) > 2 else ""
        found = re.search(
            rf"(?<!\w){re.escape(name.lower())}(?!\w)|\b{re.escape(name.lower().replace('_', ' '))}\b{last}", text
        )
        if last and found and sum(n.lower().endswith(f"_{short}") for n in names.metrics) > 1 and found[0] == short:
            found = None
        if found and name:
            near = rf"(?:{_SIGN}) [-+]?\d*\.?\d+(?![\w.])"
            was = r"(?: (?:was|is|of|went|fell|dropped|got|a))*"
            limit = re.search(rf"{re.escape(found[0])}{was} ({near})|({near}) {re.escape(found[0])}", text)
            if limit and (sign := _sign((limit[1] or limit[2]).rpartition(" ")[0])) != "=":
                number = float((limit[1] or limit[2]).rpartition(" ")[2])
                return "", None, (Condition(f"metric {name}", sign, number),), without(text, limit)
            text, metric = without(text, found), name
            break
    else:
        metric = ""
    if re.search(r"tok|throughput|per_s", metric):
        text = re.sub(r"\bfastest\b", "highest", text)
    low, high = _word(_WORDS["low"], text), _word(_WORDS["high"], text)
    lowest = True if low and not high else False if high and not low else None
    found = low if lowest else high if lowest is False else None
    return metric, lowest, bound, without(text, found) if found else text


def _status(text: str) -> tuple[str, str]:
    for status, words in _STATUS.items():
        found = re.search(rf"\b(?:with (?:a |the )?status (?:of )?)?(?:{words})\b", text)
        if found:
            return status, without(text, found)
    return "", text


def _found_in_words(names: Vocabulary, words: tuple[str, ...]) -> None:
    if (
        words
        and not names.db.execute(
            f"SELECT EXISTS (SELECT 1 FROM runs r WHERE r.campaign = ? AND {in_words(words)})", (names.campaign,)
        ).fetchone()[0]
    ):
        raise _unknown(words, names)


def _unknown(words: tuple[str, ...], names: Vocabulary) -> NotHere:
    return NotHere(f"{' '.join(words)[:80]!r} is not known here{names.near(' '.join(words))}")


def _plain(text: str) -> str:
    """Lower case, one space between words, no quotes, no question mark; `a=b` is three words."""
    shown = unicodedata.normalize("NFKC", text)[:MOST_CHARS].lower()
    shown = "".join(" " if unicodedata.category(c)[0] == "C" or c in "\"'`’“”?!,;()[]{}" else c for c in shown)
    shown = re.sub(r"(<=|>=|!=|<>|==|[=<>≤≥])", r" \1 ", shown)
    return re.sub(r"\s+", " ", re.sub(r"[.:](?=\s|$)", " ", shown)).strip()


def _sign(words: str) -> str:
    return next(str(sign) for sign, pattern in _COMPARED.items() if re.fullmatch(pattern, words))
