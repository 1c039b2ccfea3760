"""An entry as one line of a ledger file, and back.

A line is plain JSON: `{"seq":7,"entry":{...},"id":"e:...","crc":"89abcdef"}`. The CRC-32 covers every byte before
`,"crc"`; the id is BLAKE2b-128 of the bytes of `entry`, so checking a line needs no canonical form. `seq` is the
line's position in this ledger and not part of the id: two ledgers merge by union. A batch that must land as a whole
carries `"more":k`, the number of its lines still to come. A seal line declares the bytes before it torn.

This module knows no file, no lock and no clock.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from functools import cache
from hashlib import blake2b
from typing import Any

from .types import BODIES, Body, Draft, Entry, Ref

LINE_LIMIT_BYTES = 1_000_000
DEPTH_LIMIT = 50
VERSION = 1

_LINE = re.compile(
    rb'\{"seq":(\d{1,15}),(?:"more":(\d{1,9}),)?"entry":(\{.*\}),"id":"(e:[0-9a-f]{32})","crc":"([0-9a-f]{8})"\}'
)
_SEAL = re.compile(rb'\{"seq":(\d{1,15}),"seal":\{"bytes":(\d{1,15}),"crc":"([0-9a-f]{8})"\},"crc":"([0-9a-f]{8})"\}')


@dataclass(frozen=True, slots=True)
class Line:
    """A line whose checksum holds; `entry_json` is parsed only when somebody needs it."""

    seq: int
    more: int
    id: str
    entry_json: bytes

    def entry(self) -> Entry:
        return entry_from(json.loads(self.entry_json), self.id, self.seq)


@dataclass(frozen=True, slots=True)
class Seal:
    """Says that the `torn_bytes` before it were a write that never finished; they hold no acknowledged entry."""

    seq: int
    torn_bytes: int
    torn_crc: str


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _reject_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number that can be stored")


def _check_depth(value: Any, left: int = DEPTH_LIMIT) -> None:
    """What is nested too deep could be written from a shallow stack, and then not be read from a deep one."""
    if isinstance(value, dict | list | tuple):
        if left == 0:
            raise ValueError(f"lists and tables nest deeper than {DEPTH_LIMIT}")
        for item in value.values() if isinstance(value, dict) else value:
            _check_depth(item, left - 1)


def dumps(value: Any) -> str:
    """JSON in one line, UTF-8, without NaN; raises ValueError or TypeError for what JSON cannot hold."""
    return _ENCODER.encode(value)


def loads(text: str | bytes) -> Any:
    """Strict JSON: NaN and infinities raise ValueError."""
    return json.loads(text, parse_constant=_reject_constant)


@cache
def _body_fields(kind: str) -> tuple[Field[Any], ...]:
    return fields(BODIES[kind])


def body_to(body: Body) -> dict[str, Any]:
    """The body's fields that differ from their defaults."""
    out: dict[str, Any] = {}
    for spec in _body_fields(type(body).__name__.lower()):
        value = getattr(body, spec.name)
        if value != (spec.default if spec.default_factory is MISSING else spec.default_factory()):
            out[spec.name] = dict(value) if isinstance(value, Mapping) else value
    return out


def body_from(kind: str, stored: Mapping[str, Any]) -> Body:
    """A body from its stored fields; a field written by a newer version is ignored, its line is kept as it is."""
    names = {spec.name for spec in _body_fields(kind)}
    return BODIES[kind](**{name: value for name, value in stored.items() if name in names})


def entry_json(draft: Draft, by: str, at: str) -> bytes:
    """The stored bytes of an entry; raises ValueError if a value cannot be stored, such as NaN or half a surrogate."""
    out: dict[str, Any] = {"v": VERSION, "kind": draft.kind, "subject": draft.subject, "by": by, "at": at}
    for name in ("since", "until", "key"):
        value = getattr(draft, name)
        if value is not None:
            out[name] = value
    if draft.refs:
        out["refs"] = [
            [ref.role, ref.id] if ref.start < 0 else [ref.role, ref.id, ref.start, ref.end] for ref in draft.refs
        ]
    out["body"] = body_to(draft.body)
    _check_depth(out)
    return dumps(out).encode("utf-8")


def entry_from(stored: Mapping[str, Any], entry_id: str, seq: int) -> Entry:
    refs = tuple(Ref(*ref) for ref in stored.get("refs", ()))
    since, until, key = (stored.get(name) for name in ("since", "until", "key"))
    body = body_from(stored["kind"], stored["body"])
    return Entry(stored["subject"], body, refs, since, until, key, stored["by"], stored["at"], entry_id, seq)


def entry_id(stored: bytes) -> str:
    return "e:" + blake2b(stored, digest_size=16).hexdigest()


def crc(data: bytes) -> str:
    return f"{zlib.crc32(data):08x}"


def line(stored: bytes, seq: int, more: int = 0) -> bytes:
    """A whole line with its checksum and its line feed."""
    left = b'"more":%d,' % more if more else b""
    head = b'{"seq":%d,%s"entry":%s,"id":"%s"' % (seq, left, stored, entry_id(stored).encode())
    return b'%s,"crc":"%s"}\n' % (head, crc(head).encode())


def seal(seq: int, torn: bytes) -> bytes:
    head = b'{"seq":%d,"seal":{"bytes":%d,"crc":"%s"}' % (seq, len(torn), crc(torn).encode())
    return b'%s,"crc":"%s"}\n' % (head, crc(head).encode())


def parse(raw: bytes) -> Line | Seal | None:
    """What a line without its line feed says, or None if its form, checksum or id does not hold."""
    match = _LINE.fullmatch(raw)
    if match:
        seq, more, stored, given_id, given_crc = match.groups()
        if crc(raw[: -len(b',"crc":"00000000"}')]).encode() == given_crc and entry_id(stored).encode() == given_id:
            return Line(int(seq), int(more or 0), given_id.decode(), stored)
        return None
    match = _SEAL.fullmatch(raw)
    if match and crc(raw[: -len(b',"crc":"00000000"}')]).encode() == match[4]:
        return Seal(int(match[1]), int(match[2]), match[3].decode())
    return None
