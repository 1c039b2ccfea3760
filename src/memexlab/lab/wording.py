"""Numbers, times and foreign text as words in a report. Knows no run."""

from __future__ import annotations

import math
import re
import shlex
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

#: Control, format (bidi overrides, zero width), surrogate and private characters: none of them may reach a page.
_UNWANTED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
#: Text that needs quotes and means itself inside double ones.
_IN_DOUBLE_QUOTES = re.compile(r"(?=.*[ '])[^\"$`\\!\n]+")
#: What stands for the new value where a text says only that, and how, a knob was moved.
_NO_VALUE = re.compile(r"up|down|edit|swap|set|x\d.*")
_JOINERS = frozenset("\u200c\u200d")


def clean(text: str, limit_chars: int = 200) -> str:
    """Foreign text as one line of visible characters, cut at `limit_chars`."""
    raw = text[: limit_chars * 8]
    # Most text is printable as it is, and is cleaned ten thousand times for one report of a long campaign.
    kept = (
        raw
        if raw.isprintable()
        else "".join(" " if unicodedata.category(c) in _UNWANTED and c not in _JOINERS else c for c in raw)
    )
    line = " ".join(kept.split())
    return line if len(line) <= limit_chars else line[: limit_chars - 1].rstrip() + "…"


def gist(text: str, limit_chars: int = 60) -> str:
    """The first clause of foreign text, so that it can stand inside of a sentence."""
    line = clean(text, 4 * limit_chars)
    first = re.split(r"(?<=[.:;!?]) (?=[A-Z])| \(", line, maxsplit=1)[0].rstrip(".:;!? ")
    return clean(first or line, limit_chars)


def change_told(knob: str, old: str | None, new: str | None, arrow: str = "→") -> str:
    """`depth 4 → 8`, `bias added`, `lr to 0.1`."""
    name, was, now = clean(knob, 60), clean(old or "none", 40), clean(new or "none", 40)
    if {old, new} == {"there", None}:
        return f"{name} {'added' if new else 'removed'}"
    if old is None:
        return f"{name} {now if _NO_VALUE.fullmatch(now) else f'to {now}'}"
    return f"{name} {was} {arrow} {now}"


def plural(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listed(items: Sequence[str], word: str = "and") -> str:
    """`a, b and c`."""
    return f" {word} ".join(filter(None, [", ".join(items[:-1]), items[-1]])) if items else ""


def run_numbers(numbers: Sequence[int], most: int = 8) -> str:
    """`#3, #7 and 12 more`."""
    shown = ", ".join(f"#{number}" for number in numbers[:most])
    return f"{shown} and {len(numbers) - most} more" if len(numbers) > most else shown


def duration(seconds: float) -> str:
    """`41 s`, `4 min 10 s`, `7 h 12 min`, `3 d 4 h`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{min(59, round(seconds))} s"
    for size, name, part, part_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            whole, rest = divmod(round(seconds / part), size // part)
            return f"{whole} {name} {rest} {part_name}" if rest else f"{whole} {name}"
    raise AssertionError(seconds)


def usd(amount: float) -> str:
    return f"${amount:,.2f}" if amount >= 0.1 or amount == 0 else f"${amount:.4f}"


def utc(at: str) -> str:
    """An ISO instant as `2026-03-12 06:31 UTC`; text that is no instant stays as it is."""
    match = re.match(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)", at)
    return f"{match[1]} {match[2]} UTC" if match else at


def command(*words: str) -> str:
    """A command line that can be typed into a POSIX shell; '' where a word has characters that nobody can type."""
    if any(clean(word, len(word) + 1) != word for word in words):
        return ""
    return " ".join(f'"{word}"' if _IN_DOUBLE_QUOTES.fullmatch(word) else shlex.quote(word) for word in words)


@dataclass(frozen=True, slots=True)
class Amounts:
    """Writes values of one metric with the digits that its noise allows."""

    unit: str
    decimals: int | None
    fine_decimals: int = 6

    @classmethod
    def of(cls, unit: str, scale: float | None) -> Amounts:
        """`scale` is the noise, or another difference that matters; None writes six digits."""
        if scale is None or not scale > 0 or not math.isfinite(scale):
            return cls(unit, None)
        # One digit of the noise, and two where the first is a 1 or a 2: 2.4 and 2.6 would hide a gain of 0.28.
        decimals, fine = (-math.floor(math.log10(part)) for part in (scale / 3, scale))
        return cls(unit, min(9, max(0, decimals)), min(9, max(0, fine)) + 1)

    def value(self, value: float) -> str:
        if self.decimals is None or abs(value) >= 1e7:
            return f"{value:,.6g}"
        return f"{value:,.{self.decimals}f}"

    def with_unit(self, value: float) -> str:
        return f"{self.value(value)} {self.unit}".strip()

    def fine(self, value: float) -> str:
        """With one digit more, for gains, whose error is smaller than that of one run."""
        if self.decimals is None or abs(value) >= 1e7:
            text = f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.3g}"
        else:
            text = f"{value:,.{self.fine_decimals}f}"
        return text if any(digit in text for digit in "123456789") else text.removeprefix("-")

    def signed(self, gain: float) -> str:
        text = self.fine(gain)
        return f"−{text[1:]}" if text.startswith("-") else f"+{text}" if gain and text.strip("0.") else text

    def estimate(self, gain: float, low: float | None, high: float | None, label: str = "") -> str:
        """`+0.28 (+0.04 to +0.52)`, or the gain alone where it has no interval."""
        between = f" ({label}{self.signed(low)} to {self.signed(high)})" if low is not None and high is not None else ""
        return f"{self.signed(gain)}{between}"


def one_decimal(value: float) -> str:
    return f"{value:,.1f}".replace("-", "−")


def sigmas(gain: float, sigma: float | None) -> str:
    """`13 sigma`, or '' where there is no scale."""
    if not sigma:
        return ""
    many = abs(gain) / sigma
    return f"{many:.0f} sigma" if many >= 9.95 else f"{many:.1f} sigma"
