"""Surrogates built from real measurements, for benches in which training itself would take days.

Each makes a lab whose `train.py` holds the knobs and whose locked `landscape.py` says what a run measures: the true
value of the settings, plus noise by the harness's seed. A seed of the bench bends every curve anew and moves every
optimum, so that ten seeds are ten landscapes of one kind, and no search can know them.

- `microgpt`: effects of single knobs measured on a byte-level GPT of 15 s on one core (see `CURVES`), one run +-0.012;
  wins do not add.
- `h100`: parabolas through the runs of the published 126-run log of 2026-03-08 (tests/data/logs/mar8.results.tsv),
  read by memexlab's own parser; one run +-0.0005, from the pair of seeds in that log.
- `sql`: the sql-tuning target, measured for real by `measure_sql.py`: all 128 combinations of the index flags, every
  other setting with none and with all of them; one run +-1.5 %.
"""

from __future__ import annotations

import json
import math
import random
import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LOG = HERE.parents[1] / "tests" / "data" / "logs" / "mar8.results.tsv"

#: Name, default, place of the optimum in doublings from the default, curvature: bits per byte for one doubling squared.
CURVES: tuple[tuple[str, float | int, float, float], ...] = (
    ("LEARNING_RATE", 2e-3, 2.6, 0.037), ("CONTEXT", 64, -0.96, 0.18), ("BATCH_SIZE", 16, -1.2, 0.069),
    ("INIT_STD", 0.02, 1.6, 0.062), ("WIDTH", 64, -0.2, 0.076), ("LAYERS", 1, 0.0, 0.306),
    ("MLP_RATIO", 4, -0.3, 0.04), ("HEADS", 2, 0.0, 0.01), ("WARMUP", 0.05, 0.5, 0.002),
    ("WEIGHT_DECAY", 0.1, -1.0, 0.001), ("GRAD_CLIP", 1.0, 0.0, 0.0005), ("SOFTCAP", 15.0, 0.0, 0.0005),
    ("EPS", 1e-8, 0.0, 0.0),
)  # fmt: skip


@dataclass(frozen=True)
class Landscape:
    """What a lab of this kind measures; `curves` hold (default, optimum in doublings, bend), `words` extra effects.

    `table` (settings in the order of `flags` -> factor) and `factors` are for the measured database.
    """

    name: str
    metric: str
    sigma: float
    is_ratio: bool
    base: float
    ceiling: float
    curves: dict[str, tuple[float, float, float]]
    words: dict[str, dict[str, float]] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    table: dict[str, float] = field(default_factory=dict)
    reach: float = 8.0


def microgpt(seed: int) -> Landscape:
    draw = random.Random(seed)
    curves = {n: (d, best + draw.gauss(0, 0.4), bend * math.exp(draw.gauss(0, 0.3))) for n, d, best, bend in CURVES}
    words = {"ACTIVATION": {"gelu": 0.0, "relu": -0.224, "silu": -0.05, "tanh": 0.15}}
    words["ACTIVATION"] |= {w: e + draw.gauss(0, 0.03) for w, e in words["ACTIVATION"].items() if e}
    words |= {n: {"False": 0.0, "True": draw.gauss(0, s)} for n, s in (("TIE_HEAD", 0.02), ("USE_BIAS", 0.005))}
    return Landscape("microgpt", "val_bpb", 0.012, False, 2.42, 0.6, curves, words)


def h100(seed: int) -> Landscape:
    """Every knob of the log measured at two values or more, as a parabola in doublings from its first value."""
    draw = random.Random(seed)
    curves = {}
    for knob, places in _measured_places().items():
        best, bend = _parabola(places)
        start = places[0][0]
        curves[knob.upper()] = (start, best + draw.gauss(0, 0.15), bend * math.exp(draw.gauss(0, 0.3)))
    return Landscape("h100", "val_bpb", 0.0005, False, 0.9979, math.inf, curves, reach=4.0)


def _measured_places() -> dict[str, list[tuple[float, float]]]:
    """Per knob: (value, gain over its first value in the log), by adding up the gains of the runs that lead there."""
    import csv

    from memexlab.memory.changes.edits import changes_in_text

    best = math.inf
    edges: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    with LOG.open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            value = float(row["val_bpb"]) if row["status"] != "crash" else math.nan
            changes = changes_in_text(row["description"])
            if len(changes) == 1 and math.isfinite(value) and math.isfinite(best):
                old, new = changes[0].old, changes[0].new
                if all(isinstance(v, int | float) and not isinstance(v, bool) and v > 0 for v in (old, new)):
                    edges[changes[0].knob].append((float(old), float(new), best - value))
            if row["status"] == "keep":
                best = min(best, value)
    found = {}
    for knob, known in edges.items():
        places = {known[0][0]: [0.0]}
        for old, new, gain in known:
            if old in places:
                places.setdefault(new, []).append(sum(places[old]) / len(places[old]) + gain)
        if len(places) > 1 and knob != "seed":
            found[knob] = [(value, sum(gains) / len(gains)) for value, gains in places.items()]
    return found


def _parabola(places: list[tuple[float, float]]) -> tuple[float, float]:
    """(optimum in doublings, loss per doubling squared): least squares through the first value, bent the right way."""
    points = [(math.log2(value / places[0][0]), gain) for value, gain in places[1:]]
    far, gain = max(points, key=lambda point: point[1])
    if gain > 0:  # the best measured value is taken for the optimum
        return far, gain / far**2
    steepest = max(-gain / x**2 for x, gain in points)
    return 0.0, min(steepest, 0.05)


def sql(seed: int) -> Landscape:
    draw = random.Random(seed)
    measured: dict[frozenset[str], float] = {}
    for line in (HERE / "sql-tuning.tsv").read_text().splitlines()[1:]:
        told, value = line.split("\t")
        if value != "crash":
            measured[frozenset(told.split())] = float(value)
    none = measured[frozenset()]
    flags = tuple(sorted({t.partition("=")[0] for key in measured if len(key) == 1 for t in key if "INDEX" in t}))
    on = {flag: f"{flag}=True" for flag in flags}
    every = frozenset(on.values())
    table = {
        "".join("1" if on[flag] in key else "0" for flag in flags): math.log(value / none)
        for key, value in measured.items()
        if key <= every
    }
    words: dict[str, dict[str, float]] = defaultdict(dict)
    for key, value in measured.items():
        for told in key - every:
            name, _, setting = told.partition("=")
            effect = math.log(value / measured[key - {told}])
            words[name].setdefault(setting.strip("'"), effect)
            words[name][setting.strip("'")] = (words[name][setting.strip("'")] + effect) / 2 + draw.gauss(0, 0.02)
    defaults = {
        "PAGE_SIZE": "4096",
        "CACHE_KB": "2000",
        "MMAP_MB": "0",
        "JOURNAL_MODE": "delete",
        "SYNCHRONOUS": "full",
    }
    for name, effects in words.items():
        words[name] = {defaults.get(name, "False"): 0.0, **effects}
    table = {key: effect + draw.gauss(0, 0.05) if effect else 0.0 for key, effect in table.items()}
    return Landscape("sql", "p50_ms", 0.015, True, none, math.inf, {}, dict(words), flags, table)


KINDS = {"microgpt": microgpt, "h100": h100, "sql": sql}

#: What runs in the lab; standard library only, because every run starts it anew.
MEASURE = '''"""Locked: what these settings measure. `true(settings)` is for the bench alone."""
import json, math, os, random
from pathlib import Path

L = json.loads((Path(__file__).parent / "landscape.json").read_text())

def true(at):
    change, rate = 0.0, None
    for name, (default, best, bend) in L["curves"].items():
        x = math.log2(float(at[name]) / default)
        change += bend * ((x - best) ** 2 - best ** 2)
    for name, effects in L["words"].items():
        if str(at[name]) not in effects:
            return math.nan
        change += effects[str(at[name])]
    if L["flags"]:
        change += L["table"]["".join("1" if at[flag] else "0" for flag in L["flags"])]
    if L["is_ratio"]:
        return L["base"] * math.exp(change)
    if L["ceiling"] is not None and change < 0:
        change = -L["ceiling"] * (1 - math.exp(change / L["ceiling"]))
    return L["base"] + change

def measured(at):
    draw = random.Random(repr((sorted(at.items()), os.environ["MEMEX_SEED"], L["noise_seed"])))
    scale = true(at) if L["is_ratio"] else 1.0
    return true(at) + draw.gauss(0, L["sigma"] * scale)

def report(at):
    value = measured(at)
    if math.isnan(value):
        raise SystemExit("unknown choice")
    print(f"---\\n{L['metric']}: {value:.9g}")
'''


def make_lab(landscape: Landscape, folder: Path, noise_seed: int) -> None:
    """A lab in an empty folder, with its own repository."""
    folder.mkdir(parents=True)
    told: dict[str, Any] = {name: getattr(landscape, name) for name in Landscape.__dataclass_fields__}
    told |= {"noise_seed": noise_seed, "ceiling": None if math.isinf(landscape.ceiling) else landscape.ceiling}
    (folder / "landscape.json").write_text(json.dumps(told))
    (folder / "landscape.py").write_text(MEASURE)
    lines = ["import landscape", ""]
    ranges = []
    for name, (default, _, _) in landscape.curves.items():
        lines.append(f"{name} = {default!r}")
        high, low = default * landscape.reach, default / landscape.reach
        low = max(1, int(low)) if isinstance(default, int) else low
        ranges.append(f'{name} = {{ low = {low!r}, high = {high!r}, scale = "log" }}')
    for name, effects in landscape.words.items():
        values = [json.loads(v.lower()) if v in ("True", "False") or v.isdigit() else v for v in effects]
        lines.append(f"{name} = {values[0]!r}")
        ranges.append(f"{name} = {{ choices = {json.dumps(values)} }}")
    lines += [f"{flag} = False" for flag in landscape.flags]
    names = [*landscape.curves, *landscape.words, *landscape.flags]
    told_names = ", ".join(f'"{name}": {name}' for name in names)
    (folder / "train.py").write_text("\n".join([*lines, "", f"landscape.report({{{told_names}}})", ""]))
    (folder / "memex.toml").write_text(
        f'[lab]\nname = "{landscape.name}"\n[target]\nedit = ["train.py"]\nlock = ["landscape.*"]\n'
        f'run = "python -S train.py"\n[metric]\nname = "{landscape.metric}"\nbetter = "lower"\n'
        "[budget]\nseconds = 1\nkill_after_seconds = 30\n[knobs]\n" + "\n".join(ranges) + "\n"
    )
    for command in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=bench", "-c", "user.email=b@b", "commit", "-qm", "lab"],
    ):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
