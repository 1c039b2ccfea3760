"""What looks like a key that opens something, and a text without it: a wiki is shared more widely than its sources."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SECRETS = re.compile(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bgithub_pat_[A-Za-z0-9_]{40,}\b"
    r"|\bsk-(?:proj-|ant-)?[A-Za-z0-9_-]{32,}\b|\bxox[baprs]-[0-9A-Za-z-]{20,}\b"
    r"|-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----(?:(?:(?!-----BEGIN)[^”])*?-----END (?:[A-Z]+ )*PRIVATE KEY-----)?"
)
_BEGIN = ("AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "sk-", "PRIVATE KEY", "xox")
LEFT_OUT = "[…]"


def keys_in(text: str) -> Iterator[tuple[int, str]]:
    """(line, how it begins) of each."""
    for match in _SECRETS.finditer(text) if any(part in text for part in _BEGIN) else ():
        yield text.count("\n", 0, match.start()) + 1, f"{match[0][:8]}..."


def without_keys(text: str) -> str:
    """The text with a mark of what is left out in place of each."""
    return _SECRETS.sub(f"\\\\{LEFT_OUT[:-1]}\\\\]", text)
