"""`memex init --here`: makes a lab of a repository that exists, by what its files show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ..folder import FILE, FOLDER
from ..ledger import UsageError
from .init import Started, remember, write_guides

_SCRIPTS = ("train.py", "main.py", "run.py", "experiment.py")
_LOCKED = re.compile(r"(prepare|eval|evaluate|evaluation|score|benchmark)\w*\.py")
_ENVIRONMENTS = (".venv", "venv", "env")
# Names in the text of a program that look like a metric which is printed behind them: "val_loss:", "accuracy={".
_METRIC = re.compile(
    r"""["'{\s](?P<name>(?:val|valid|validation|test|eval|dev)_\w+|accuracy|auc|f1|bpb|perplexity|rmse|mse|loss)["']?\s*[:=]"""
)
_FILE = re.compile(
    r"""(["'])((?:[\w-]+/)*[\w.-]+\.(?:npz|npy|pt|pth|ckpt|bin|safetensors|onnx|joblib|pkl|json|csv|txt))\1"""
)
_HIGHER = re.compile(r"(^|_)(acc|accuracy|auc|auroc|f1|score|reward|bleu|recall|precision|r2|map|miou|iou|psnr)(_|$)")

TEMPLATE = """# What memex may run in this repository. Lines that begin with # are choices you may make.

[lab]
name = "{name}"

[target]
edit = ["{script}"]{edit_room} # files that may be changed, relative to this folder
lock = [{lock}]{lock_room} # files that must not change, e.g. ["prepare.py", "evaluate.py", "data/*"]
run = "{run}"{run_room} # how one experiment runs, in a clean checkout of this repository
# read = ["~/datasets"]          # folders outside that a run may read; others are hidden
# env = ["CUDA_HOME"]            # environment variables a run may see, by name; others are hidden

# An evaluator that memex itself runs, in a checkout the experiment never saw, on the file the experiment left.
# Without it the metric is read from what the experiment prints, and every run is marked self-reported.
{apart}artifact = "{artifact}"
{apart}evaluate = "{evaluate}"
# evaluate_final = "python evaluate.py --split test"   # once, for baseline and champion, at the end

[metric]
name = "{metric}"{metric_room} # printed on a line of its own, `{metric}: 0.98`, or METRIC {metric}=0.98, or in JSON
# unit = "bits per byte"
better = "{better}"{better_room} # or "{worse}"

[budget]
seconds = 300                    # told to the run as MEMEX_SECONDS
kill_after_seconds = 600         # memex ends the run and all it started
# memory_mb = 16000

# Every run gets a seed in MEMEX_SEED. A program that reads it lets memex see what is noise:
#     seed = int(os.environ.get("MEMEX_SEED", 0))

# Ranges for constants of the editable files; without them memex looks around their present values.
# [knobs]
# LEARNING_RATE = {{ low = 1e-4, high = 1e-1, scale = "log" }}
# ACTIVATION = {{ choices = ["gelu", "relu"] }}
# SEED = {{ fixed = true }}
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the files of a repository show of the experiment in it; '' where they show nothing."""

    script: str = ""
    metric: str = ""
    lock: tuple[str, ...] = ()
    python: str = "python"
    scorer: str = ""  # a locked program that alone prints the metric
    artifact: str = ""  # what the script leaves and the scorer reads

    @property
    def better(self) -> str:
        return "higher" if _HIGHER.search(self.metric) else "lower"


def init_here(folder: Path) -> Started:
    """A commented `memex.toml` in a repository that exists; called again, what agents read, as that file then says."""
    path = folder / FILE
    if path.exists():
        written = write_guides(folder)
        if not written:
            raise UsageError(f"{path} and AGENTS.md exist already", f"edit {path}, then memex doctor")
        return Started(str(folder), f"wrote {', '.join(written)}", "commit them, then memex run --runs 8")
    name = "".join(c if c.isalnum() or c in "._-" else "-" for c in folder.resolve().name).strip("-._") or "lab"
    seen = look_at(folder)
    path.write_text(_contract(name, seen), encoding="utf-8")
    remember(folder)
    # Own ignore file inside: the person's .gitignore is theirs.
    (folder / FOLDER / ".gitignore").write_text("*\n", encoding="utf-8")
    _ignore_what_is_written(folder)
    then = "memex init --here again writes AGENTS.md from it; commit, then memex doctor && memex run --runs 8"
    if (folder / "results.tsv").exists():
        then += "; memex import results.tsv --campaign before takes in the log that is here"
    guessed = f"{seen.scorer or seen.script} prints {seen.metric}, {seen.better} is better"
    if seen.scorer and not seen.artifact:
        then = f"say in it which artifact {seen.scorer} is to score; {then}"
    guessed = guessed if seen.metric else "no metric found"
    return Started(str(folder), f"this repository; {guessed}", f"look through {path}; {then}")


def _ignore_what_is_written(folder: Path) -> None:
    """Keeps what memex writes beside the code out of the person's commits, in this clone alone."""
    asked = ["git", "-C", str(folder), "rev-parse", "--show-prefix", "--git-path", "info/exclude"]
    try:
        prefix, path = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split("\n")[:2]
    except (OSError, subprocess.CalledProcessError):
        return  # no repository yet: `memex run` says what it wants
    exclude = folder / path
    exclude.parent.mkdir(exist_ok=True)
    before = exclude.read_text(encoding="utf-8") if exclude.exists() else ""
    exclude.write_text(before + "".join(f"/{prefix}{name}\n" for name in ("reports/", "results.tsv")), encoding="utf-8")


def look_at(folder: Path) -> Seen:
    """What can be seen without running anything: a script to train, a metric it prints, who scores it, its Python."""
    scripts = sorted(path.name for path in folder.glob("*.py"))
    locked = tuple(name for name in scripts if _LOCKED.fullmatch(name))
    free = [name for name in scripts if name not in locked]
    named = next((name for name in _SCRIPTS if name in free), free[0] if len(free) == 1 else "")
    texts = {name: (folder / name).read_text(encoding="utf-8", errors="replace") for name in (named, *locked) if name}
    # The one printed last is what the program came to; a validation metric goes before any other.
    found = [(match["name"], name) for name, text in texts.items() for match in _METRIC.finditer(text)]
    outside = [one for one in found if re.match(r"val|test|eval|dev", one[0])]
    metric, printer = (outside or found or [("", "")])[-1]
    mine, python = texts.get(named, ""), _python_of(folder)
    if printer in ("", named) or metric in mine or re.search(rf"\b{re.escape(Path(printer).stem)}\b", mine):
        return Seen(named, metric, locked, python)
    left, read = ([one[1] for one in _FILE.findall(text)] for text in (mine, texts[printer]))
    return Seen(named, metric, locked, python, printer, next((one for one in left if one in read), ""))


def _python_of(folder: Path) -> str:
    """The interpreter of the repository's own environment, then of the one that is active, then memex's own."""
    for name in _ENVIRONMENTS:
        if (folder / name / "bin" / "python").exists():
            return f"{name}/bin/python"
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        active = os.environ.get(variable, "")
        if active and Path(active).resolve() != Path(sys.prefix).resolve():
            return f"{active}/bin/python"
    return "python"


def _contract(name: str, seen: Seen) -> str:
    script = seen.script or "train.py"
    words = {
        "name": name, "script": script, "lock": ", ".join(f'"{one}"' for one in seen.lock),
        "run": f"{seen.python} {script}", "metric": seen.metric or "val_bpb",
        "evaluate": f"{seen.python} {seen.scorer or 'evaluate.py'}", "artifact": seen.artifact or "out/weights.npz",
        "apart": "" if seen.scorer and seen.artifact else "# ",
        "better": seen.better, "worse": "lower" if seen.better == "higher" else "higher",
    }  # fmt: skip
    # Comments stand in one column where the values leave room.
    lines = {"edit": f'edit = ["{script}"]', "lock": f"lock = [{words['lock']}]", "run": f'run = "{words["run"]}"',
             "metric": f'name = "{words["metric"]}"', "better": f'better = "{words["better"]}"'}  # fmt: skip
    return TEMPLATE.format(**words, **{f"{key}_room": " " * max(1, 32 - len(line)) for key, line in lines.items()})
