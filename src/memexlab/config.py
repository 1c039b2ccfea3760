"""Reads `memex.toml`, the only file of settings. Strict: an unknown name is an error, with the nearest known one."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_args

from .folder import FILE
from .lab.execution.campaign import Budget, Contract, Metric
from .lab.loop.steering import Notify
from .lab.proposers import KnobRange
from .ledger import UsageError
from .models import ModelSettings
from .models.prompts import Dial, Effort

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")

_SECTIONS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "lab": {"name": str},
    "target": {
        "edit": list, "lock": list, "run": str, "evaluate": str, "evaluate_final": str, "artifact": str, "env": list,
        "hide": list, "read": list,
    },
    "metric": {"name": str, "unit": str, "better": str},
    "budget": dict.fromkeys(("seconds", "kill_after_seconds", "memory_mb", "disk_mb", "early_kill"), (int, float)),
    "network": {"allow": bool},
    "search": {"dense": bool},
    "notify": {"command": str, "webhook": str, "crashes": int},
    "model": {f.name: str if isinstance(f.default, str) else (int, float) for f in fields(ModelSettings)},
}  # fmt: skip
_RANGE: dict[str, type | tuple[type, ...]] = {
    "low": (int, float), "high": (int, float), "scale": str, "choices": list, "fixed": bool,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Config:
    """What `memex.toml` says: the lab's name, and the target's contract where the lab runs experiments."""

    name: str
    contract: Contract | None
    model: ModelSettings = field(default_factory=ModelSettings)
    notify: Notify = field(default_factory=Notify)
    network: bool = False
    dense: bool = False


def load(root: Path) -> Config:
    """The configuration of a lab; raises UsageError that names file, section and key of what is wrong."""
    path = root / FILE
    if not path.exists():
        return Config(root.resolve().name, None)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}", "mend that line; see memex init --help") from error
    for section, content in data.items():
        _known(section, [*_SECTIONS, "knobs", "aliases"], str(path))
        if not isinstance(content, dict):
            raise UsageError(f"{path}: {section} must be a table", f"write [{section}]")
        if section not in ("knobs", "aliases"):
            _check(content, _SECTIONS[section], f"{path} [{section}]")
    name = data.get("lab", {}).get("name", root.resolve().name)
    if not NAME.fullmatch(name):
        raise UsageError(f"{path}: {name!r} cannot name a lab", "letters, digits, . _ - and at most 80 of them")
    said = data.get("model", {})
    model = ModelSettings(**said | ({"file": str(root / said["file"])} if said.get("file") else {}))
    for key, value, known in (("dial", model.dial, Dial), ("effort", model.effort, Effort)):
        if value not in get_args(known):
            raise UsageError(f"{path}: [model] {key} is {value!r}", f"known are: {', '.join(get_args(known))}")
    contract = _contract(data, name, path) if "target" in data else None
    network = data.get("network", {}).get("allow", False)
    dense = data.get("search", {}).get("dense", False)
    return Config(name, contract, model, Notify(**data.get("notify", {})), network, dense)


def _contract(data: Mapping[str, Any], name: str, path: Path) -> Contract:
    target, metric, budget = data["target"], data.get("metric", {}), data.get("budget", {})
    for section, key in (("target", "edit"), ("target", "run"), ("metric", "name")):
        if not data.get(section, {}).get(key):
            raise UsageError(f"{path}: [{section}] {key} is missing", "see memex init --here for a commented example")
    better = metric.get("better", "lower")
    if better not in ("lower", "higher"):
        raise UsageError(f"{path}: [metric] better is {better!r}", 'write better = "lower" or better = "higher"')
    for key in ("edit", "lock", "env", "hide", "read"):
        if not all(isinstance(item, str) for item in target.get(key, [])):
            raise UsageError(f"{path}: [target] {key} must be a list of names", f'{key} = ["name"]')
    for item in (*target["edit"], *target.get("lock", []), *target.get("hide", [])):
        if Path(item).is_absolute() or ".." in Path(item).parts:
            raise UsageError(f"{path}: {item!r} leaves the lab", "name files inside the lab, relative to it")
    if target.get("evaluate") and not target.get("artifact"):
        raise UsageError(
            f"{path}: [target] evaluate is set but artifact is not",
            "name the file that the run leaves for the evaluator",
        )
    for key, value in budget.items():
        if value < 0 or (key not in ("memory_mb", "early_kill") and value == 0):
            raise UsageError(f"{path}: [budget] {key} is {value}", "a number above 0")
    seconds = float(budget.get("seconds", 60))
    return Contract(
        name=name,
        edit=tuple(target["edit"]),
        lock=tuple(target.get("lock", [])),
        run=target["run"],
        metric=Metric(metric["name"], metric.get("unit", ""), better),
        budget=Budget(
            seconds,
            float(budget.get("kill_after_seconds", seconds * 1.5 + 60)),
            float(budget.get("memory_mb", 0)),
            float(budget.get("disk_mb", 20_000)),
            float(budget.get("early_kill", 0)),
        ),
        evaluate=target.get("evaluate", ""),
        evaluate_final=target.get("evaluate_final", ""),
        artifact=target.get("artifact", ""),
        ranges={knob: _range(knob, value, path) for knob, value in data.get("knobs", {}).items()},
        env=tuple(target.get("env", [])),
        hide=tuple(target.get("hide", [])),
        read=tuple(target.get("read", [])),
    )


def _range(knob: str, value: Any, path: Path) -> KnobRange:
    if not isinstance(value, dict):
        raise UsageError(f"{path}: [knobs] {knob} must be a table", f"{knob} = {{ low = 1, high = 8 }}")
    _check(value, _RANGE, f"{path} [knobs] {knob}")
    if value.get("scale", "linear") not in ("log", "linear"):
        raise UsageError(f"{path}: [knobs] {knob} scale is {value['scale']!r}", 'scale = "log" or "linear"')
    return KnobRange(**{**value, "choices": tuple(value.get("choices", ()))})


def _check(content: Mapping[str, Any], allowed: Mapping[str, type | tuple[type, ...]], where: str) -> None:
    for key, value in content.items():
        _known(key, list(allowed), where)
        wanted = allowed[key]
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            names = wanted.__name__ if isinstance(wanted, type) else "number"
            raise UsageError(f"{where}: {key} is {value!r}, not a {names}", f"mend {key} in {FILE}")


def _known(name: str, allowed: list[str], where: str) -> None:
    if name not in allowed:
        near = difflib.get_close_matches(name, allowed, 1)
        raise UsageError(
            f"{where}: {name!r} is not known",
            f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(allowed)}",
        )
