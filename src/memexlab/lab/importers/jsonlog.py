"""Logs with one JSON object a line: pi-autoresearch, MemoryLab, sweeps with `params`, and anything close to them.

Knows JSON and the names of fields. Strict: a doubled key, a too deep or too long line, or anything after the object is
refused with a finding; NaN, infinities and numbers too large are kept as text, so that they are never a metric.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from memexlab.ledger.types import Scalar

from .imported import Better, Fates, Findings, Imported, Stated
from .judging import conclude, meta_key
from .lines import LINE_LIMIT_CHARS, TEXT_LIMIT_CHARS, instant, is_missing, number, without_surrogates
from .words import SECONDS_NAMES, USD_NAMES, better_of, choose_metric, plain, roles_of

DEPTH_LIMIT = 32
_META_LIMIT_CHARS = 4_000
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]')
_INT_DIGITS_LIMIT = 17
_ROLE_KEYS = ("commit", "parent", "status", "description", "hypothesis", "error", "at", "label", "seed", "hardware",
              "diff")  # fmt: skip
_RESULT_KEYS = ("metrics", "results", "result", "summary", "user_attrs")
_SETTING_KEYS = ("params", "settings", "hyperparameters", "hparams", "knobs", "config")
_RUN_TYPES = frozenset({"", "run", "result", "experiment", "trial", "experiment_result", "iteration"})
_NOT_MEASURED = frozenset({"optuna_trial", "segment", "step", "confidence", "iterationtokens", "iteration_tokens"})
_DROPPED = frozenset({"novelty_guard", "decision_packet", "type", "segment", "distributions"})


class OddNumber(str):
    """A JSON number that is no finite double, as it was written."""

    __slots__ = ()


class _Refused(ValueError):
    """Why a line is not read."""


@dataclass(frozen=True, slots=True)
class _Segment:
    """What a header line of pi-autoresearch says about the runs after it."""

    metric: str
    unit: str
    better: Better


def looks_like_json_lines(lines: Sequence[str]) -> bool:
    """Whether most of the first lines that are not blank open a JSON object."""
    first = [line.lstrip() for line in lines[:500] if line.strip()][:50]
    return bool(first) and sum(line.startswith("{") for line in first) * 2 >= len(first)


def parse_objects(text: str) -> list[dict[str, Any]]:
    """The JSON objects on one line, usually one; raises ValueError with the reason when the line is refused."""
    if len(text) > LINE_LIMIT_CHARS:
        raise _Refused(f"the line has {len(text):,} characters; at most {LINE_LIMIT_CHARS:,} are read")
    if text.count("{") + text.count("[") > DEPTH_LIMIT and _depth(text) > DEPTH_LIMIT:
        raise _Refused(f"objects are nested deeper than {DEPTH_LIMIT}")
    decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=OddNumber, parse_float=_float, parse_int=_int)
    out: list[dict[str, Any]] = []
    at, text = 0, text.strip(" \t")
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise _Refused(f"not JSON at character {error.pos + 1}: {error.msg}") from None
        if not isinstance(value, dict):
            raise _Refused("not a JSON object")
        out.append(value)
        while at < len(text) and text[at] in " \t":
            at += 1
    return out


def _depth(text: str) -> int:
    deepest = depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        mark = match[0][0]
        if mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "]}":
            depth -= 1
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        doubled = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise _Refused(f"the key {without_surrogates(doubled)[:60]!r} is there twice")
    return out


def _float(text: str) -> float | OddNumber:
    value = number(text)
    return OddNumber(text[:80]) if value is None else value


def _int(text: str) -> int | OddNumber:
    return int(text) if len(text) <= _INT_DIGITS_LIMIT else OddNumber(text[:80])


def read_json_lines(
    lines: Sequence[str], findings: Findings, campaign: str, metric: str | None, better: str | None
) -> Imported:
    """Runs of a log with one JSON object a line; `lines` are the physical lines without line ends."""
    fates = Fates(len(lines))
    segments: list[_Segment] = []
    found: list[tuple[int, int, dict[str, Any]]] = []
    for place, line in enumerate(lines, 1):
        if not line.strip():
            fates.put(place, "blank")
            continue
        if "\0" in line:
            line = line.lstrip("\0")
            findings.add("nul-bytes", "warning", place, "NUL bytes, left by a write that was lost, were skipped", "")
            if not line.strip():
                fates.put(place, "refused", "the line holds only NUL bytes")
                continue
        if not line.lstrip().startswith("{") and line.lstrip().startswith(("#", "//")):
            fates.put(place, "comment")
            continue
        try:
            objects = parse_objects(line)
        except _Refused as refused:
            fates.put(place, "refused", str(refused))
            findings.add("line-refused", "warning", place, str(refused), findings.show(place))
            continue
        if len(objects) > 1:
            findings.add("two-objects", "info", place, f"{len(objects)} objects are on one line; all were read", "")
        for one in objects:
            _sort_in(place, one, fates, segments, found, metric)
            if fates.of(place) == "refused":
                message = "an object without status, metric or params"
                findings.add("line-refused", "warning", place, message, findings.show(place))
    names = _metric_names(found, segments)
    wanted = metric if metric is not None else _segment_metric(found, segments)
    main = choose_metric(names, wanted)
    if metric is not None and names and not main:
        listed = ", ".join(names[:20])
        findings.add(
            "no-metric",
            "error",
            0,
            f"no field is called {metric}; there are {listed}",
            f"{findings.command} --metric NAME",
        )
    stated = [_state(place, one, _segment(segments, index), main) for place, index, one in found]
    for position, run in enumerate(stated):
        run.is_first = position == 0 or found[position][1] != found[position - 1][1]
        if len(segments) > 1:
            run.meta.setdefault("segment", found[position][1] - 1)
    about = next((segment for segment in segments if segment.metric == main), None)
    _report_segments(segments, findings)
    return conclude(
        _format(found, segments), stated, fates, findings, campaign, main, better,
        about.unit if about else "", about.better if about else "",
    )  # fmt: skip


def _sort_in(
    place: int,
    one: dict[str, Any],
    fates: Fates,
    segments: list[_Segment],
    found: list[tuple[int, int, dict[str, Any]]],
    metric: str | None,
) -> None:
    """A header, a run, or an object of another kind, which is a comment to us."""
    kind = one.get("type")
    if kind == "config" or (("metricName" in one or "metric_name" in one) and "status" not in one):
        segments.append(_segment_from(one))
        if fates.of(place) != "run":
            fates.put(place, "header", f"segment {len(segments)} begins")
    elif _is_run(one, metric):
        found.append((place, len(segments), one))
        fates.put(place, "run")
    elif fates.of(place) is None:
        told = without_surrogates(kind)[:40] if isinstance(kind, str) else ""
        why = f"an object of type {told}, not a run" if told else "an object without status, metric or params"
        fates.put(place, "comment" if told else "refused", why)


def _is_run(one: Mapping[str, Any], metric: str | None) -> bool:
    kind = one.get("type", "")
    if not isinstance(kind, str) or kind not in _RUN_TYPES:
        return False
    keys = {plain(key) for key in one}
    if keys & {"metric", "metrics", "results", "params", "status", "val_bpb", "value", "values"}:
        return True
    if metric is not None and plain(metric) in keys:
        return True
    roles = {role for key in one for role in roles_of(key)}
    return bool(roles & {"commit", "description"}) and any(better_of(key) for key in one)


def _segment_from(one: Mapping[str, Any]) -> _Segment:
    def text(*keys: str) -> str:
        return next((without_surrogates(one[key]) for key in keys if isinstance(one.get(key), str)), "")

    way = text("bestDirection", "best_direction", "direction", "better").lower()
    better: Better = "lower" if way.startswith(("low", "min")) else "higher" if way.startswith(("high", "max")) else ""
    return _Segment(
        text("metricName", "metric_name", "metric") or "metric", text("metricUnit", "metric_unit", "unit"), better
    )


def _segment(segments: Sequence[_Segment], index: int) -> _Segment:
    return segments[index - 1] if index else _Segment("metric", "", "")


def _segment_metric(found: Sequence[tuple[int, int, dict[str, Any]]], segments: Sequence[_Segment]) -> str | None:
    counts = Counter(segments[index - 1].metric for _, index, _ in found if index)
    return counts.most_common(1)[0][0] if counts else None


def _report_segments(segments: Sequence[_Segment], findings: Findings) -> None:
    kinds = sorted({(segment.metric, segment.better) for segment in segments})
    if len(kinds) > 1:
        told = ", ".join(f"{name} ({way or 'no direction'})" for name, way in kinds)
        findings.add(
            "several-metrics",
            "warning",
            0,
            f"the segments of this log are about {told}; runs compare only inside one segment",
            f"{findings.command} --metric NAME",
        )


def _metric_names(found: Sequence[tuple[int, int, dict[str, Any]]], segments: Sequence[_Segment]) -> list[str]:
    """Names of measurements in the order of their first appearance; one that is never a number comes last."""
    names: dict[str, None] = {}
    for _, index, one in found:
        for name in _numbers_of(one, _segment(segments, index)):
            names.setdefault(name)
    for _, index, one in found:
        for name, value in _statements(one, _segment(segments, index)):
            if isinstance(value, OddNumber) or (better_of(name) and value is None):
                names.setdefault(without_surrogates(name))
    return list(names)


def _statements(one: Mapping[str, Any], segment: _Segment) -> Iterator[tuple[str, Any]]:
    """Names and values a run states, those of its results included; `metric` is what the segment measures."""
    for key, value in one.items():
        names_metric = isinstance(one.get("metric"), str) and "value" in one
        if isinstance(value, dict) and plain(key) in _RESULT_KEYS:
            yield from value.items()
        elif key == "metric" and not names_metric:
            yield segment.metric, value
        elif key == "value" and names_metric:
            yield one["metric"], value
        elif key == "values" and isinstance(value, list) and len(value) == 1:
            yield "value", value[0]
        elif key != "metric":
            yield key, value


def _numbers_of(one: Mapping[str, Any], segment: _Segment) -> dict[str, float]:
    """The finite numbers that a run states as measurements, by name."""
    out: dict[str, float] = {}
    for name, value in _statements(one, segment):
        if isinstance(value, bool) or plain(name) in _NOT_MEASURED or set(roles_of(name)) - {"description"}:
            continue
        if isinstance(value, (int, float)):
            out.setdefault(without_surrogates(name), float(value))
        elif isinstance(value, str) and not isinstance(value, OddNumber) and better_of(name):
            parsed = number(value)
            if parsed is not None:
                out.setdefault(without_surrogates(name), parsed)
    return out


def _state(place: int, one: Mapping[str, Any], segment: _Segment, main: str) -> Stated:
    out = Stated(place, metrics=_numbers_of(one, segment), unit=segment.unit)
    out.metric = segment.metric if "metric" in one and main not in out.metrics and segment.metric else main
    if out.metric not in out.metrics:
        raw = next((value for name, value in _statements(one, segment) if name == out.metric), None)
        if raw is not None and not is_missing(str(raw)):
            out.refused = without_surrogates(str(raw))[:200]
    for name, value in out.metrics.items():
        if plain(name) in SECONDS_NAMES and out.seconds is None:
            out.seconds = value
        elif plain(name) in USD_NAMES and out.usd is None:
            out.usd = value
    out.is_trial = isinstance(one.get("params"), dict) and "commit" not in one
    _read_fields(out, one)
    if isinstance(one.get("segment"), int) and not isinstance(one["segment"], bool):
        out.meta["segment"] = one["segment"]
    return out


def _read_fields(out: Stated, one: Mapping[str, Any]) -> None:
    role_of_key = _roles_by_key(one)
    for key, value in one.items():
        name = plain(key)
        if name in _SETTING_KEYS and isinstance(value, dict):
            out.settings.update({without_surrogates(k): v for k, v in _scalars(value).items()})
            continue
        if name in _RESULT_KEYS and isinstance(value, dict):
            inner = value.get("status")
            if isinstance(inner, str) and not out.word:
                out.word = without_surrogates(inner)
            continue
        if name in _DROPPED:
            _read_judgement(out, name, value)
            continue
        role = role_of_key.get(key, "")
        if role and _take(out, role, value):
            continue
        if without_surrogates(key) not in out.metrics and name not in ("metric", "metrics", "results", "value"):
            _keep_as_meta(out, key, value)


def _roles_by_key(one: Mapping[str, Any]) -> dict[str, str]:
    """Which key fills which role: the first name of the role's list that has a value."""
    out: dict[str, str] = {}
    for role in _ROLE_KEYS:
        ranked = [
            (roles_of(key)[role], key)
            for key, value in one.items()
            if key not in out and role in roles_of(key) and value is not None and value != ""
        ]
        if ranked:
            out[min(ranked)[1]] = role
    return out


def _take(out: Stated, role: str, value: Any) -> bool:
    """Puts a field's value where its role says; false if the value is of no use there."""
    if isinstance(value, dict) and role == "error":
        value = value.get("summary")
    if role == "seed":
        if isinstance(value, int) and not isinstance(value, bool):
            out.seed = value
            return True
        return False
    if role == "at":
        usable = isinstance(value, (str, int, float)) and not isinstance(value, (bool, OddNumber))
        stated = instant(value) if usable else ""
        out.at = stated or out.at
        return bool(stated)
    if role == "label" and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None:
        return True
    if not isinstance(value, str):
        return False
    text = without_surrogates(value)
    if role == "status":
        out.word = text.strip()
    elif role == "description":
        out.description = text.split("\n")
    else:
        setattr(out, role, text.strip() if role != "diff" else text)
    return True


def _read_judgement(out: Stated, name: str, value: Any) -> None:
    """What MemoryLab thought of the run: the words, not the packet, which it computed from the other runs."""
    if name not in ("novelty_guard", "decision_packet") or not isinstance(value, dict):
        return
    for key in ("classification", "mode", "next_action", "hypothesis_status"):
        if isinstance(value.get(key), str):
            out.meta[key] = without_surrogates(value[key])[:200]


def _keep_as_meta(out: Stated, key: str, value: Any) -> None:
    if value is None or value == "" or value == [] or value == {}:
        return
    if plain(key) == "asi" and isinstance(value, dict) and not out.hypothesis:
        hypothesis = value.get("hypothesis")
        out.hypothesis = without_surrogates(hypothesis) if isinstance(hypothesis, str) else ""
    name = meta_key(without_surrogates(key))
    if isinstance(value, (bool, int, float)):
        out.meta[name] = value
    elif isinstance(value, str):
        out.meta[name] = without_surrogates(value)[:TEXT_LIMIT_CHARS]
    else:
        text = json.dumps(value, ensure_ascii=True)
        if len(text) <= _META_LIMIT_CHARS:
            out.meta[name] = json.loads(without_surrogates(json.dumps(value, ensure_ascii=False)))
        else:
            out.meta[name] = text[:_META_LIMIT_CHARS]


def _scalars(value: Mapping[str, Any], prefix: str = "") -> dict[str, Scalar]:
    """A dictionary of settings, flat: `{"a": {"b": 1}}` is `a.b = 1`; lists are settings as text."""
    out: dict[str, Scalar] = {}
    for key, inner in value.items():
        if isinstance(inner, dict):
            out.update(_scalars(inner, f"{prefix}{key}."))
        elif isinstance(inner, str):
            out[prefix + key] = without_surrogates(inner)
        elif inner is None or isinstance(inner, (bool, int, float)):
            out[prefix + key] = inner
        else:
            out[prefix + key] = without_surrogates(json.dumps(inner, ensure_ascii=False))
    return out


def _format(found: Sequence[tuple[int, int, dict[str, Any]]], segments: Sequence[_Segment]) -> str:
    if segments:
        return "pi-jsonl"
    signs: Counter[str] = Counter()
    for _, _, one in found:
        if "run_id" in one and "metrics" in one:
            signs["memorylab-jsonl"] += 1
        elif "metric" in one:
            signs["pi-jsonl"] += 1
        elif "params" in one:
            signs["trials-jsonl"] += 1
    return signs.most_common(1)[0][0] if signs else "jsonl"
