"""A target that trains in a tenth of a second: a bowl with a known floor, noise of a known size, knobs that matter and
knobs that do not."""

from __future__ import annotations

import subprocess
from pathlib import Path

TRAIN = '''"""Writes where it got to; the evaluator says how good that is."""
import json, os, random, sys, time
from pathlib import Path

LEARNING_RATE = 0.001  # the optimum is at 0.004
WIDTH = 32             # the optimum is at 64
MOMENTUM = 0.9         # matters not at all
ACTIVATION = "gelu"    # relu is better
NOISE = {noise}

rng = random.Random(int(os.environ.get("MEMEX_SEED", "0")))
if ACTIVATION == "relu":
    bonus = -0.05
else:
    bonus = 0.0
{extra}
time.sleep(float(os.environ.get("MEMEX_SECONDS", "0")))
Path("out").mkdir(exist_ok=True)
state = {{"lr": LEARNING_RATE, "width": WIDTH, "momentum": MOMENTUM, "bonus": bonus, "noise": rng.gauss(0, NOISE)}}
Path("out/state.json").write_text(json.dumps(state))
print("steps:", 100)
'''

EVALUATE = """import json, math, sys
state = json.load(open("out/state.json"))
loss = 1 + 0.1 * math.log2(state["lr"] / 0.004) ** 2 + 0.1 * math.log2(state["width"] / 64) ** 2
test = 0.01 if "--split" in sys.argv else 0.0
print("---")
print(f"loss: {loss + state['bonus'] + state['noise'] + test:.6f}")
"""

TOML = """[lab]
name = "toy"

[target]
edit = ["train.py"]
lock = ["evaluate.py"]
run = "python train.py"
evaluate = "python evaluate.py"
evaluate_final = "python evaluate.py --split test"
artifact = "out/state.json"

[metric]
name = "loss"
better = "lower"

[budget]
seconds = {seconds}
kill_after_seconds = {kill_after}

[knobs]
NOISE = {{ fixed = true }}
ACTIVATION = {{ choices = ["gelu", "relu"] }}
"""


def make_toy(
    folder: Path, noise: float = 0.004, extra: str = "", seconds: float = 0.01, kill_after: float = 20, toml: str = ""
) -> Path:
    """A lab with the toy target, committed; `extra` is code that runs before the artifact is written."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.py").write_text(TRAIN.format(noise=noise, extra=extra))
    (folder / "evaluate.py").write_text(EVALUATE)
    (folder / "memex.toml").write_text(TOML.format(seconds=seconds, kill_after=kill_after) + toml)
    (folder / ".gitignore").write_text("out/\n.memex/\nresults.tsv\nreports/\n")
    for command in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "toy"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder
