"""What the words of logs in the wild mean: numbers, times, status words, names of columns and of metrics.

Everything here is a pattern, or a lookup in the tables of `words.toml`; nothing reads free text.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal, cast

from memexlab.ledger.types import RunStatus

Better = Literal["lower", "higher", ""]
_NUMBER = re.compile(r"(?=.{1,64}\Z)[+-]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?", re.ASCII)
_MARKS = r"[^a-z(){}=:'\"<>]*"
#: Digits of any script among marks, an exponent, hexadecimal digits, a short unit, NaN, an infinity.
_MEANT_AS_NUMBER = re.compile(
    rf"(?=.{{0,64}}\Z)(?:{_MARKS}\d{_MARKS}(?:e{_MARKS})?|0x[0-9a-f]+|\d+(?:\.\d+)?\s?[a-z]{{1,4}}|[+-]*(?:nan|inf(?:inity)?))",
    re.IGNORECASE,
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?: ?(?:Z|[+-]\d\d:?\d\d))?)?", re.ASCII)
SURROGATE = re.compile("[\ud800-\udfff]")  # half of a pair: it cannot be written as UTF-8
_MISSING = frozenset({"", "-", "--", "n/a", "na", "none", "null", "nil", "?", "tbd", "\u2014", "\u2013"})
_WORDS: dict[str, dict[str, str]] = tomllib.loads((files(__package__) / "words.toml").read_text("utf-8"))
_STATUS = {word: cast("RunStatus", status) for status, words in _WORDS["status"].items() for word in words.split()}
_LEAST_CERTAIN: tuple[RunStatus | None, ...] = (None, "invalid", "inconclusive")  # None: a word that is not known
_QUALIFIERS = {"completed", "complete", "confirmed"}
_ROLES = {role: {name: rank for rank, name in enumerate(names.split())} for role, names in _WORDS["roles"].items()}
#: `lr` of `params.lr`, `hp_lr`, `config/lr`: a column that calls itself a setting.
SETTING = re.compile(r"(?:params?|hparams?|hp|config|settings?|knobs?)[._/]+(.+)", re.IGNORECASE)
#: What can be a git commit id.
COMMIT = re.compile(r"[0-9a-f]{7,64}", re.ASCII)
_NUMBERS = {kind: frozenset(words.split()) for kind, words in _WORDS["numbers"].items()}
SPENT = {name: kind for kind in ("seconds", "usd") for name in _NUMBERS[kind]}  # what a run spent
_LOWER = _NUMBERS["never_zero"] | _NUMBERS["lower"]
_IDENTIFIERS = _NUMBERS["identifier"].union(*(_ROLES[r] for r in ("commit", "parent", "label", "seed", "hardware")))
_RATE = re.compile(
    r"(?:^|_)(?:tok|token|tokens|req|reqs|requests|samples|images|it|iters|steps|items|rows|ops|queries)_(?:per_)?"
    r"(?:s|sec|second)(?:_|$)|_per_(?:s|sec|second)(?:_|$)"
)
BEST_KNOWN = ("val_bpb", "metric_after", "metric", "objective", "score", "value", "result", "val_loss", "test_loss")
_UNITS = _WORDS["units"]


def parsed(text: str) -> float | str:
    """The finite number that `text` is, else the text.

    A number has ASCII digits, perhaps a sign, one decimal point, an exponent. NaN, overflow, underflow to zero, digit
    separators, units and more than 64 characters make none.
    """
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    underflow = value == 0 and re.search("[1-9]", re.split("[eE]", text)[0])
    return value if math.isfinite(value) and not underflow else text


def is_number(value: Any) -> bool:
    """Whether a value is a number and no truth value."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def could_be_number(text: str) -> bool:
    """Whether a cell stands where a number is expected: missing, NaN, like a number, or a number with a unit."""
    return is_missing(text) or _MEANT_AS_NUMBER.fullmatch(text) is not None


def is_missing(value: Any) -> bool:
    """Whether a cell or a field says that there is no value."""
    return value.lower() in _MISSING if isinstance(value, str) else value in (None, [], {})


def instant(stated: Any) -> str:
    """ISO 8601 of a stated time (a date, an instant, or seconds or milliseconds since 1970), or an empty string."""
    if isinstance(stated, str) and _DATE.fullmatch(stated.strip()):
        text = re.sub(" (?=[-+Z])", "", stated.strip()).replace(" ", "T")
        try:
            datetime.fromisoformat(text)
        except ValueError:
            return ""
        return text
    for units_per_second in (1, 1000):
        if is_number(stated) and 1e9 <= stated / units_per_second < 4e9:
            return datetime.fromtimestamp(stated / units_per_second, UTC).isoformat()
    return ""


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """Lower case, words joined by single underscores."""
    return re.sub(r"[^a-z0-9#]+", "_", name.lower()).strip("_")


@lru_cache(maxsize=4096)
def status_of(word: str, is_sweep: bool = False) -> RunStatus | None:
    """The run status a log's own word stands for, or None if it is not known.

    Compound words (`refuted/tie`) take the least certain part. In a sweep success says that the trial ended.
    """
    key = plain(word)
    if is_sweep and key in ("success", "successful", "pass", "passed"):
        return "ok"
    if key in _STATUS:
        return _STATUS[key]
    parts = key.replace("same_band", "tie").split("_")
    found = {_STATUS.get(part) for part in parts if part not in _QUALIFIERS}
    for least_certain in _LEAST_CERTAIN:
        if least_certain in found:
            return least_certain
    return found.pop() if len(found) == 1 else None


def assign_roles(names: Sequence[str], usable: Callable[[str, int], bool]) -> list[str]:
    """The role of each column or field; `setting`, `id` for a number that measures nothing, or empty.

    A role goes to the best known of its names for which `usable(role, index)` holds.
    """
    keys = [plain(name) for name in names]
    roles = ["setting" if SETTING.fullmatch(name) else "" for name in names]
    for role, known in _ROLES.items():
        named = [(known[key], i) for i, key in enumerate(keys) if key in known and not roles[i] and usable(role, i)]
        if named:
            roles[min(named)[1]] = role
    return [role or ("id" if key in _IDENTIFIERS else "") for role, key in zip(roles, keys, strict=True)]


def better_of(metric: str, unit: str = "") -> Better:
    """Which way the metric is better, from its name and then its unit; empty if they do not say or contradict."""
    key = plain(metric)
    if _RATE.search(key):
        return "higher"
    for words in (set(key.split("_")), {plain(unit)}):
        lower, higher = words & _LOWER, words & _NUMBERS["higher"]
        if lower or higher:
            return "" if lower and higher else "lower" if lower else "higher"
    return ""


def never_zero(metric: str, unit: str = "") -> bool:
    """Whether 0 cannot be a measurement of this metric: a loss, bits per byte, a perplexity, a time."""
    return bool({*plain(metric).split("_"), plain(unit)} & _NUMBERS["never_zero"]) and better_of(metric) != "higher"


def unit_of(metric: str) -> str:
    """The unit the metric's name states, or an empty string."""
    key = plain(metric)
    if _RATE.search(key):
        return "tokens/s" if "tok" in key else "1/s"
    return next((_UNITS[word] for word in reversed(key.split("_")) if word in _UNITS), "")


def most_common(names: Iterable[str]) -> str:
    """The name that is there most often, the earliest of several; empty for none."""
    ranked = Counter(name for name in names if name).most_common(1)
    return ranked[0][0] if ranked else ""


def choose_metric(names: Sequence[str], wanted: str | None) -> str:
    """The metric a log is about: the wanted one, else the best known name, else the first of `names`; empty for none.

    Names that measure what a run used (memory, steps, time) come after names that measure how good it is.
    """
    if wanted is not None:
        return next((name for name in names if plain(name) == plain(wanted)), "")

    def rank(name: str) -> tuple[int, int]:
        key, says_better = plain(name), bool(better_of(name))
        words = set(key.split("_"))
        if key in BEST_KNOWN:
            return 0, BEST_KNOWN.index(key)
        if says_better and words & _NUMBERS["held_out"]:
            return 1, 0
        return 3 if words & _NUMBERS["resource"] and not _RATE.search(key) else 2, not says_better

    return min(names, key=rank, default="")
