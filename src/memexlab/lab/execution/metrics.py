"""Reads numbers that a program printed. Code reads them, never a model; what is not plainly a finite number is none."""

from __future__ import annotations

import json
import math
import re

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_METRIC_LINE = re.compile(r"^METRIC[ \t]+([^\s=]+)=(\S+)[ \t]*$", re.MULTILINE)
_BLOCK_LINE = re.compile(r"^([A-Za-z_][\w./-]*):[ \t]+(\S+)[ \t]*$", re.MULTILINE)


def number(text: str) -> float | None:
    """A finite number in plain ASCII digits, else None: `nan`, `inf`, `1e400`, `1_0` and foreign digits are none."""
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def printed_metrics(text: str) -> dict[str, float]:
    """Metrics in a log: `METRIC name=value` lines, and the `name: value` lines behind the last line `---` (or anywhere,
    where there is no such line). The last value of a name counts; a name whose last value is no number has none.
    """
    _, rule, block = text.replace("\r\n", "\n").rpartition("\n---\n")
    lines = _BLOCK_LINE.findall(block if rule else text) + _METRIC_LINE.findall(text)
    last = {name: number(value) for name, value in lines}
    return {name: value for name, value in last.items() if value is not None}


def sidecar_metrics(data: bytes) -> dict[str, float]:
    """Metrics of a JSON object, flat or under `metrics`; anything but numbers in it is ignored."""
    try:
        parsed = json.loads(data, parse_constant=lambda name: None)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(parsed, dict):
        return {}
    nested = parsed.get("metrics")
    found = {**parsed, **nested} if isinstance(nested, dict) else parsed
    return {
        str(name): float(value)
        for name, value in found.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }


def why_missing(text: str, name: str) -> str:
    """What a log says instead of a metric: no number, a line of another form, other names; '' where it says nothing."""
    word = re.compile(rf"(?<![\w.]){re.escape(name)}(?![\w.])")
    line = next((line.strip()[:160] for line in reversed(text.splitlines()) if word.search(line)), "")
    if re.search(rf"{re.escape(name)}\s*[:=]\s*[-+]?(nan|inf)", line, re.IGNORECASE):
        return f"it printed {line!r}: the training diverged"
    if line:
        return f"it printed {line!r}, but {name} wants a line of its own: {name}: 0.98"
    others = [f"{other}: {value:g}" for other, value in printed_metrics(text).items()][-4:]
    return f"it printed {', '.join(others)}; is that what [metric] name should be?" if others else ""
