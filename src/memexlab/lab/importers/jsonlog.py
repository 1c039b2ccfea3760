"""Logs with one JSON object a line: pi-autoresearch, MemoryLab, sweeps with `params`, and anything close to them.

Strict: a line with a doubled key, or nested too deep, is refused; a number that is no finite double is kept as text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from . import words
from .imported import Report
from .judging import Log, Stated, fits

DEPTH_LIMIT = 32
_INT_DIGITS_LIMIT = 17
#: Objects whose fields are read as fields of the run, and objects whose fields are settings.
_RESULTS = {"metrics", "results", "result", "summary", "user_attrs"}
_SETTINGS = {"params", "settings", "hyperparameters", "hparams", "knobs", "config"}
#: Objects of which parts are read, as the field named; the packets are MemoryLab's own reading of other runs.
_PARTS = {
    "asi": {"hypothesis": "hypothesis"},
    "error": {"summary": "error"},
    "novelty_guard": {"classification": "classification", "mode": "mode"},
    "decision_packet": {"next_action": "next_action", "hypothesis_status": "hypothesis_status"},
}
_DROPPED = {"type", "distributions", "novelty_guard", "decision_packet"}
_FORMS = {"memorylab-jsonl": {"run_id", "metrics"}, "pi-jsonl": {"metric"}, "trials-jsonl": {"params"}}
_WAYS: dict[str, words.Better] = {"low": "lower", "min": "lower", "hig": "higher", "max": "higher"}
_RUN_TYPES = {"", "run", "result", "experiment", "trial", "experiment_result", "iteration"}
_RUN_KEYS = {"metric", "metrics", "results", "params", "status", "val_bpb", "value"}


class _Segment(NamedTuple):
    """What a header line of pi-autoresearch says about the runs after it."""

    metric: str
    unit: str = ""
    better: words.Better = ""


def looks_like_json_lines(lines: Sequence[str]) -> bool:
    """Whether most of the first lines that are not blank open a JSON object."""
    first = [line.lstrip() for line in lines[:500] if line.strip()][:50]
    return bool(first) and sum(line.startswith("{") for line in first) * 2 >= len(first)


def read_json_lines(lines: Sequence[str], report: Report, metric: str | None) -> Log:
    """What a log states; `lines` are the physical lines without line ends, `metric` is the name asked for."""
    segments: list[_Segment] = []
    stated: list[Stated] = []
    forms: list[str] = []
    unmeasured: list[str] = []
    is_first = True
    for place, line in enumerate(lines, 1):
        for one in () if report.fate(place) else _objects_on(place, line, report):
            kind = str(one.get("type", ""))
            keys = {words.plain(key) for key in one}
            if kind == "config" or (one.keys() & {"metricName", "metric_name"} and "status" not in one):
                segments.append(_segment_from(one))
                report.put(place, "header", f"segment {len(segments)} begins")
                is_first = True
            elif kind in _RUN_TYPES and keys & {*_RUN_KEYS, words.plain(metric or "metric")}:
                run = _state(place, one, segments[-1].metric if segments else "metric", unmeasured)
                run.is_first, is_first = is_first, False
                if segments:
                    run.meta.setdefault("segment", len(segments) - 1)
                stated.append(run)
                forms += [form for form, signs in _FORMS.items() if signs <= one.keys()][:1]
            elif kind:
                report.put(place, "comment", f"an object of type {kind[:40]}, not a run")
            else:
                report.refuse(place, "an object without status, metric or params")
    names = list(dict.fromkeys([name for run in stated for name in run.metrics] + unmeasured))
    wanted = words.most_common(run.metric for run in stated) if segments and metric is None else metric
    main = words.choose_metric(names, wanted or None)
    for run in stated:
        if main in run.metrics or not run.metric:
            run.metric = main
    about = next((segment for segment in segments if segment.metric == main), _Segment(main))
    form = "pi-jsonl" if segments else words.most_common(forms) or "jsonl"
    return Log(form, stated, main, names, about.unit, about.better)


def _objects_on(place: int, line: str, report: Report) -> Iterator[dict[str, Any]]:
    """The objects on a line, usually one; none if the line is refused."""
    try:
        yield from _objects(line.strip(" \t"))
    except json.JSONDecodeError as error:
        report.refuse(place, f"not JSON at character {error.pos + 1}: {error.msg}")
    except RecursionError:
        report.refuse(place, f"objects are nested deeper than {DEPTH_LIMIT}")
    except ValueError as refused:
        report.refuse(place, str(refused))


def _objects(text: str) -> list[dict[str, Any]]:
    decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=str, parse_float=words.parsed, parse_int=_int)
    out: list[dict[str, Any]] = []
    at = 0
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        if not isinstance(value, dict):
            raise ValueError("not a JSON object")
        out.append(_checked(value, 1))
        while at < len(text) and text[at] in " \t":
            at += 1
    return out


def _int(digits: str) -> int | float | str:
    return int(digits) if len(digits) <= _INT_DIGITS_LIMIT else words.parsed(digits)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError(f"the key {words.most_common(key for key, _ in pairs)[:60]!r} is there twice")
    return dict(pairs)


def _checked(value: Any, depth: int) -> Any:
    """The value with text that can be written as UTF-8; refused if it is nested too deep."""
    if depth > DEPTH_LIMIT and isinstance(value, (dict, list)):
        raise RecursionError
    if isinstance(value, dict):
        return {words.SURROGATE.sub("\ufffd", key): _checked(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_checked(inner, depth + 1) for inner in value]
    return words.SURROGATE.sub("\ufffd", value) if isinstance(value, str) else value


def _segment_from(one: Mapping[str, Any]) -> _Segment:
    def text(*keys: str) -> str:
        return next((one[key] for key in keys if isinstance(one.get(key), str)), "")

    better = _WAYS.get(text("bestDirection", "best_direction", "direction", "better")[:3].lower(), "")
    name = text("metricName", "metric_name", "metric") or "metric"
    return _Segment(name, text("metricUnit", "metric_unit", "unit"), better)


def _state(place: int, one: Mapping[str, Any], metric: str, unmeasured: list[str]) -> Stated:
    """What the object states; adds to `unmeasured` the names of measurements that have no number in it."""
    names, values = [], []
    for name, value in _fields(one, metric):
        is_measure = name == metric or words.better_of(name)
        if is_measure and (value is None or (isinstance(value, str) and words.could_be_number(value))):
            unmeasured.append(name)
        names.append(name)
        values.append(words.parsed(value) if isinstance(value, str) and is_measure else value)
    roles = words.assign_roles(names, lambda role, index: values[index] != "" and fits(role, values[index]))
    run = Stated(place, metric=metric if "metric" in one else "")
    for name, value, role in zip(names, values, roles, strict=True):
        if role not in ("", "id") or not words.is_missing(value):
            run.take(name, role, value)
    return run


def _fields(one: Mapping[str, Any], metric: str) -> Iterator[tuple[str, Any]]:
    """The fields of a run, flat: with those of its results, its settings and the parts that are read."""
    for key, value in one.items():
        name = words.plain(key)
        inner = value if isinstance(value, dict) else {}
        parts = _PARTS.get(name, {})
        yield from ((parts[part], inner[part]) for part in parts if isinstance(inner.get(part), str))
        if inner and name in _RESULTS:
            yield from inner.items()
        elif inner and name in _SETTINGS:
            for knob, setting in inner.items():
                yield f"params.{knob}", json.dumps(setting) if isinstance(setting, (dict, list)) else setting
        elif name not in _DROPPED and not (inner and name == "error"):
            yield metric if key == "metric" else key, value
