"""Anchors in time: "before the first run with optimizer = muon" as a range of run numbers.

It knows runs, settings, changes and champions. It does not know what is asked of the range. An anchor that cannot be
found raises NotHere: a question with it has no answer.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from ..changes.names import SHIPPED


class NotHere(Exception):
    """What a question speaks of is not in this memory; the message names what is nearest to it."""

    #: Those that were not understood: without them the question may be one that has an answer.
    words: tuple[str, ...] = ()


class Impossible(NotHere):
    """A question that was understood, about a run or a setting that never was: no passage can answer it."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A setting as it was in a run, "metric NAME" or "label COLUMN"; `old` makes it a change from that value."""

    knob: str
    sign: str  # one of = <> < <= > >=, or the way a knob was moved: up, down
    value: str | float
    old: str | float | None = None  # '' for any

    @property
    def of_setting(self) -> bool:
        return not self.knob.startswith(("metric ", "label "))


@dataclass(frozen=True, slots=True)
class Terms:
    """What a phrase names: settings with values, knobs alone (each with its family), and words that name neither."""

    conditions: tuple[Condition, ...]
    knobs: tuple[tuple[str, ...], ...]
    words: tuple[str, ...]
    named: tuple[str, ...] = ()  # the knobs as they were written


@dataclass(frozen=True, slots=True)
class Window:
    """Run numbers from `first` to `last`, both included; `why` are the queries that found the anchors."""

    first: int | None = None
    last: int | None = None
    why: tuple[str, ...] = ()
    before: str | None = None  # an instant that the runs must be older than
    since: str | None = None


#: Stands for the space in a name of two words; a letter to regular expressions.
TIE = "ǀ"
#: Ways a knob is moved, as in `changes`.
DIRECTIONS = ("up", "down")
#: No limit in time.
ANYTIME = Window()

_RUN = r"(?:the )?(?:runs?|experiments?|trials?|iterations?)? ?(?:number |no\.? |#)?(\d{1,9})\b(?!\.\d)"
_DATE = r"(\d{4}-\d\d-\d\d(?:[t ]\d\d:\d\d(?::\d\d)?z?)?)(?![\d-])"
_CHAMPION = (
    r"(?:the )?(?:(?:last |latest )?(?:champion(?: (?:last )?(?:changed|change|switch))?|improvement|new champion))"
)
_EVENT = (
    r"(?:the )?(?P<which>first|last|latest) (?:run|experiment|trial|time|change|use)?"
    r" ?(?:with|using|that used|that had|under|where|to|of|we (?:used|tried|changed|touched))? ?(?:the )?(?P<a>.+)"
    r"|we (?:first |ever )?(?:touched|tried|used|changed|introduced) (?:the )?(?P<b>.+)"
    r"|(?:we |the |it )?(?:switch(?:ed)?|moved?|changed|went)(?: over)?(?P<back> back)? to (?:the )?(?P<c>.+)"
    r"|(?P<d>.+)"
)
_END = (
    r"(?= (?:and before|and after|with|where|whose|when|while|under|that|which|were|was|did|had|have|improved|helped)\b"
    r"|[,?;.]? *$|, )"
)
_POINT = rf"(?:{_RUN}|{_DATE}|{_CHAMPION}|.+?)"
_BETWEEN = re.compile(rf"\b(?:between|from) (?P<one>.+?) (?:and|to|until) (?P<two>{_POINT}){_END}")
_SIDE = re.compile(
    rf"\b(?P<side>before|prior to|until|up to|after|since|following) (?P<one>(?:.*?\bwith [^ ]+.*?|{_POINT})){_END}"
)
_COUNTED = re.compile(
    r"\b(?:in|of|over|within|among|during)? ?(?:the )?(?P<end>last|first|latest|past) (?P<n>\d{1,9})"
    r"(?: (?:runs|experiments|trials)\b|(?= *$))"
)
_NAMED_RUN = r"(?:the )?(?:(?:runs?|experiments?|trials?|iterations?) ?(?:number |no\.? |#)?|#)(\d{1,9})\b(?!\.\d)"
_AT = re.compile(
    r"(?:\b(?:at|in|by|as of|of|for|during|after|when|about|did|does|was|is|on|behind|with|to) |(?<![\w#]))"
    rf"{_NAMED_RUN}"
    r"(?: (?:finished|ended|was done|landed))?"
)


class Anchors:
    """Reads the anchors of a question about one campaign of which the first `last` runs are known."""

    def __init__(
        self, db: sqlite3.Connection, campaign: str, last: int, read: Callable[[str], Terms],
        statuses: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """`statuses` are words for them, as regular expressions: "since the last crash"."""
        self.db, self.campaign, self.last, self.read, self.statuses = db, campaign, last, read, statuses or {}
        self.why: list[str] = []

    def windows(self, text: str, *, exclusive: bool = False) -> tuple[Window, str]:
        """The range that a question names, and the question without it; `exclusive`: "since" leaves out its moment."""
        window = Window()
        for _ in range(3):
            if found := _COUNTED.search(text):
                n = int(found["n"])
                narrow = Window(last=n) if found["end"] == "first" else Window(first=self.last - n + 1)
                window, text = self._cut(window, narrow), without(text, found)
                continue
            if found := _BETWEEN.search(text):
                a = self._point(found["one"])
                b = self._point(found["two"], after=a if isinstance(a, int) else 0)
                upper = self._side("until" if re.fullmatch(_RUN, found["two"]) else "before", b)
                window, text = self._cut(self._cut(window, self._side("from", a)), upper), without(text, found)
                continue
            found = _SIDE.search(text)
            if found is None:
                break
            side = {"prior to": "before", "up to": "until", "following": "after"}.get(found["side"], found["side"])
            if side == "since" and not exclusive and not re.match(_RUN, found["one"]):
                side = "from"
            window, text = self._cut(window, self._side(side, self._point(found["one"]))), without(text, found)
        return replace(window, why=tuple(self.why)), text

    def at(self, text: str) -> tuple[int | None, str]:
        """The run of "at run 40", and the question without it."""
        found = _AT.search(text)
        if found is None:
            return None, text
        return self._number(int(found[1])), without(text, found)

    def _number(self, number: int) -> int:
        if not 1 <= number <= self.last:
            raise Impossible(f"there is no run {number} (runs 1 to {self.last} are known)")
        return number

    def _point(self, text: str, after: int = 0) -> int | str:
        """A run number, or a date as text."""
        text = text.strip(" ,.?!")
        if (found := re.fullmatch(_DATE, text)) is not None:
            return found[1].upper().replace(" ", "T")
        if (found := re.fullmatch(_RUN, text)) is not None:
            return self._number(int(found[1]))
        if re.fullmatch(_CHAMPION, text):
            reigns = f"champions WHERE campaign = {quoted(self.campaign)} AND since <= {self.last}"
            return self._first(f"SELECT max(since) FROM {reigns}", text)
        for status, words in self.statuses.items():
            if found := re.fullmatch(rf"(?:the )?(?P<which>first|last|latest) (?:run )?(?:{words})(?: runs?)?", text):
                best = "min" if found["which"] == "first" else "max"
                own = f"runs WHERE campaign = {quoted(self.campaign)} AND number <= {self.last}"
                return self._first(f"SELECT {best}(number) FROM {own} AND status = {quoted(status)}", text)
        if (found := re.fullmatch(_EVENT, text)) is not None:
            terms = self.read(found["a"] or found["b"] or found["c"] or found["d"])
            amount = any(re.fullmatch(r"[-+]?[\d.]+", word) for word in terms.words)  # of what, nobody said
            told = terms.words and not (amount or terms.conditions or terms.knobs)
            if told and (found["d"] or found["which"] == "first"):
                said = f"r.campaign = {quoted(self.campaign)} AND r.number <= {self.last} AND {in_words(terms.words)}"
                return self._first(f"SELECT min(r.number) FROM runs r WHERE {said}", text)
            if not terms.words and len(terms.conditions) + len(terms.knobs) == 1:
                return self._event(terms, found, text, after)
        raise NotHere(f"no such moment: {text[:80]}")

    def _event(self, terms: Terms, found: re.Match[str], text: str, after: int) -> int:
        runs = f"runs r WHERE r.campaign = {quoted(self.campaign)} AND r.number BETWEEN {after + 1} AND {self.last}"
        best = "max" if found["which"] in ("last", "latest") else "min"
        if terms.knobs:
            names = ", ".join(quoted(knob) for knob in terms.knobs[0])
            return self._first(
                f"SELECT {best}(r.number) FROM changes c JOIN {runs.replace(' WHERE', ' USING (run) WHERE')}"
                f" AND c.knob IN ({names})", text,
            )  # fmt: skip
        condition = terms.conditions[0]
        if condition.sign in DIRECTIONS:
            moved = f"c.knob = {quoted(condition.knob)} AND c.direction = {quoted(condition.sign)}"
            own = runs.replace(" WHERE", " USING (run) WHERE")
            return self._first(f"SELECT {best}(r.number) FROM changes c JOIN {own} AND {moved}", text)
        order, first = "DESC" if best == "max" else "ASC", after + 1
        if condition.sign == "=" and recorded(self.db, self.campaign, condition.knob):
            near = (
                "SELECT s.run_number FROM settings s CROSS JOIN runs r USING (run) WHERE s.knob ="
                f" {quoted(condition.knob)} AND {compared('s', '=', condition.value)} AND s.run_number BETWEEN"
                f" {first} AND {self.last} AND r.campaign = {quoted(self.campaign)}"
                f" ORDER BY s.run_number {order} LIMIT 1"
            )
            if not found["c"]:
                return self._first(near, text)
            [first] = self.db.execute(near).fetchone() or (first,)
        held, other = self._held(condition, "="), self._held(condition, "<>")
        since = runs.replace(f"BETWEEN {after + 1} ", f"BETWEEN {first} ")
        if found["c"]:  # a switch: the run before had another value; back: the value had held before that
            was = f"SELECT 1 FROM runs p WHERE p.campaign = r.campaign AND p.number = r.number - 1 AND {other}"
            ever = runs.replace(f"BETWEEN {after + 1} ", "BETWEEN 1 ")
            back = f" AND r.number > (SELECT r.number FROM {ever} AND {held} ORDER BY r.number LIMIT 1)"
            before = f" AND EXISTS ({was.replace('r.run', 'p.run')}){back if found['back'] else ''}"
            return self._first(f"SELECT r.number FROM {since} AND {held}{before} ORDER BY r.number LIMIT 1", text)
        return self._first(f"SELECT r.number FROM {since} AND {held} ORDER BY r.number {order} LIMIT 1", text)

    def _held(self, condition: Condition, sign: str) -> str:
        opposite = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "<>": "=", "=": "<>"}
        sign = condition.sign if sign == "=" else opposite[condition.sign]
        table = "settings" if recorded(self.db, self.campaign, condition.knob) else "changes"
        test = f"{table[0]}.knob = {quoted(condition.knob)} AND {compared(table[0], sign, condition.value)}"
        return f"EXISTS (SELECT 1 FROM {table} {table[0]} WHERE {table[0]}.run = r.run AND {test})"

    def _first(self, sql: str, text: str) -> int:
        [number] = self.db.execute(sql).fetchone() or (None,)
        self.why.append(f"{text[:80]} is run {number}: {sql}")
        if number is None:
            raise NotHere(f"no such moment: {text[:80]}")
        return int(number)

    def _side(self, side: str, point: int | str) -> Window:
        if isinstance(point, str):
            return Window(before=point) if side in ("before", "until") else Window(since=point)
        if side in ("before", "until"):
            return Window(last=point - (side == "before"))
        return Window(first=point + (side in ("after", "since")))

    def _cut(self, one: Window, two: Window) -> Window:
        firsts, lasts = ([n for n in ends if n is not None] for ends in ((one.first, two.first), (one.last, two.last)))
        return Window(
            max(firsts, default=None), min(lasts, default=None), (), two.before or one.before, two.since or one.since
        )


def recorded(db: sqlite3.Connection, campaign: str, knob: str) -> bool:
    """Whether runs of a campaign have recorded what a knob was set to."""
    sql = "SELECT 1 FROM settings s JOIN runs r USING (run) WHERE s.knob = ? AND r.campaign = ? LIMIT 1"
    return db.execute(sql, (knob, campaign)).fetchone() is not None


def compared(table: str, sign: str, value: str | float, side: str = "new") -> str:
    """A test of a value in `settings` or of a `side` of `changes` (table alias s or c), numbers as numbers."""
    if isinstance(value, float):
        number = "s.number" if table == "s" else f"CAST(c.{side} AS REAL)"
        given = f" AND c.{side} GLOB '*[0-9]*'" if table == "c" else ""
        return f"{number} {sign} {value!r}{given}"
    return f"{'s.value' if table == 's' else f'c.{side}'} {sign} {quoted(value)} COLLATE NOCASE"


def quoted(text: str) -> str:
    """SQL's own way to write a text."""
    return "'" + text.replace("'", "''") + "'"


def without(text: str, found: re.Match[str]) -> str:
    return f"{text[: found.start()]} {text[found.end() :]}"


def in_words(words: Iterable[str]) -> str:
    """SQL: the description has each of these words, or a short form of it."""
    tests = []
    for word in [word.replace(TIE, " ") for word in words][:12]:
        forms = {word} | {p[0] for p, name in SHIPPED.phrases.items() if name == word and len(p) == 1 and len(p[0]) > 3}
        forms |= {word[:-3]} if word.endswith("ing") and len(word) > 6 else set()
        forms |= {word[:-1]} if re.search("[^s]s$", word) and len(word) > 4 else set()
        tests.append("(" + " OR ".join(map(_in_description, sorted(forms))) + ")")
    return " AND ".join(tests) or "1"


def _in_description(form: str) -> str:
    if re.fullmatch("[a-z]{1,4}", form):  # a short word stands at the start of one: "ema" is not in "schema"
        return f"' ' || lower(r.description) GLOB {quoted(f'*[^a-z0-9]{form}*')}"
    shown = re.sub(r"[%_|]", lambda sign: f"|{sign[0]}", form)
    return f"r.description LIKE {quoted(f'%{shown}%')} ESCAPE '|'"
