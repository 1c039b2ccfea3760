"""Bytes to physical lines, and text to numbers: the two places where a log is believed or not.

Knows encodings and the one accepted way to write a number; knows no format and no meaning.
"""

from __future__ import annotations

import codecs
import math
import re
from datetime import UTC, datetime
from shlex import quote

from .imported import Findings

#: A longer line is refused: an entry of the ledger holds less, and no row of a log needs it.
LINE_LIMIT_CHARS = 1_000_000
#: A longer text field is cut, and the cut is reported.
TEXT_LIMIT_CHARS = 20_000

_NUMBER = re.compile(r"[+-]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?: ?(?:Z|[+-]\d\d:?\d\d))?)?", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")
_MARKS = r"[^A-Za-z(){}=:'\"<>]"
_NUMBER_LIKE = re.compile(rf"(?=.{{0,64}}\Z){_MARKS}*\d{_MARKS}*(?:[eE]{_MARKS}*)?")
_ODD_NUMBER = re.compile(r"0x[0-9a-f]{1,16}|\d{1,20}(?:\.\d{1,20})?\s?(?:%|[a-z]{1,4})", re.IGNORECASE)
_NOT_FINITE = frozenset({"nan", "inf", "infinity"})
_NUMBER_CHARS_LIMIT = 64
_MISSING = frozenset({"", "-", "--", "n/a", "na", "none", "null", "nil", "?", "tbd", "\u2014", "\u2013"})


def physical_lines(data: bytes, findings: Findings) -> list[str]:
    """The lines of `data` without their line ends; damage in the encoding is replaced by U+FFFD and reported.

    A line ends with LF or CRLF. UTF-8 is assumed unless the file opens with a UTF-16 byte order mark.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = data.decode("utf-16", "replace")
        findings.add("encoding", "info", 0, "the file is UTF-16 and was read as such")
    else:
        if data.startswith(codecs.BOM_UTF8):
            data = data[len(codecs.BOM_UTF8) :]
        text = data.decode("utf-8", "replace")
    text = _SURROGATE.sub("\ufffd", text)
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    if "\ufffd" in text:
        for number, line in enumerate(lines, 1):
            if "\ufffd" in line:
                findings.add("encoding", "warning", number, "bytes that are not UTF-8 were replaced by U+FFFD")
    if len(lines) == 1 and "\r" in lines[0].rstrip("\r"):
        findings.add(
            "line-ends",
            "warning",
            1,
            "the file has carriage returns but no line feeds, so it is one line",
            f"tr '\\r' '\\n' < {quote(findings.name)} > fixed.tsv",
        )
    return [line[:-1] if line.endswith("\r") else line for line in lines]


def number(text: str) -> float | None:
    """The finite number that `text` is, or None.

    Accepted: ASCII digits, an optional sign, one decimal point, an exponent. Refused: NaN, infinities, overflow,
    underflow to zero, digit separators, other scripts' digits, units, more than 64 characters.
    """
    if len(text) > _NUMBER_CHARS_LIMIT or not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    if not math.isfinite(value):
        return None
    if value == 0 and re.search("[1-9]", re.split("[eE]", text)[0]):
        return None
    return value


def is_number_like(text: str) -> bool:
    """Whether the text was meant as a number: digits of any script and marks, or NaN, or an infinity."""
    return text.lower().lstrip("+-") in _NOT_FINITE or bool(_NUMBER_LIKE.fullmatch(text))


def could_be_number(text: str) -> bool:
    """Whether a cell stands where a number is expected: missing, like a number, or a number with a unit."""
    return is_missing(text) or is_number_like(text) or bool(_ODD_NUMBER.fullmatch(text))


def is_missing(text: str) -> bool:
    """Whether a cell says that there is no value."""
    return text.lower() in _MISSING


def instant(stated: str | float) -> str:
    """ISO 8601 of a stated time (a date, an instant, or seconds or milliseconds since 1970), or an empty string."""
    if isinstance(stated, str):
        text = stated.strip()
        if not _DATE.fullmatch(text):
            return ""
        try:
            datetime.fromisoformat(text.replace(" +", "+").replace(" -", "-"))
        except ValueError:
            return ""
        return text.replace(" ", "T", 1) if len(text) > 10 else text
    if 1e9 <= stated < 4e9:
        return datetime.fromtimestamp(stated, UTC).isoformat()
    if 1e12 <= stated < 4e12:
        return datetime.fromtimestamp(stated / 1000, UTC).isoformat()
    return ""


def without_surrogates(text: str) -> str:
    """The text with halves of surrogate pairs replaced, so that it can be written as UTF-8."""
    return _SURROGATE.sub("\ufffd", text)
