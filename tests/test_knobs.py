"""Settings in source: what counts as one, and that writing one changes nothing else."""

from __future__ import annotations

import ast
import math

import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from memexlab.ledger import UsageError
from memexlab.memory.changes.knobs import alternatives, read_knobs, set_knobs, settings, written_float

SOURCE = '''"""Trains with 3 layers from http://example.org."""
import os

__version__ = "1.0"
LEARNING_RATE = 3e-4   # peak rate, of 3e-4
BETAS = (0.9, 0.99)
TOTAL_BATCH = 2**19; CACHE = 64 * 1024
BIG = 1_000_000
DATA = "data/train.txt"
HOME = "https://example.org"
WEIGHTS = "weights.npz"
NEVER_READ = 3
ACTIVATION: str = "relu"
OFFSET = -2000
DEBUG = True
done = 0
HEADS, WIDTH = 2, 64
OPTIONS = {"lr": 1e-3, "name": "adam", "grüße": 2}
TABLE = [1, 2, 3, 4, 5, 6, 7, 8, 9]
MIXED = (1, "a")
NAN = 1e999


class Config:
    """Not 12."""

    depth: int = 8
    pattern: str = 'SSSL'
    unread: int = 1


def build(x, width=4 * 16, unused=3, *, deep=False):
    """Returns 5."""
    local = 7
    return x * width * local if deep else Config().depth + len(Config.pattern)


async def fetch(retries=2):
    for _ in range(retries):
        pass


if os.environ.get("FAST"):
    MODE = "quick"
for DONE_IN_LOOP in range(3):
    done += build(LEARNING_RATE + BETAS[0], TOTAL_BATCH) + CACHE + BIG + OFFSET + HEADS + WIDTH + TABLE[0] + NAN
if DEBUG and ACTIVATION == "relu":
    print(DATA, HOME, WEIGHTS, OPTIONS, MODE, MIXED, {"gelu": 1, "silu": 2}.get(ACTIVATION), __version__)
'''


def test_what_a_person_would_call_a_setting():
    assert settings(SOURCE) == {
        "LEARNING_RATE": 3e-4,
        "BETAS[0]": 0.9,
        "BETAS[1]": 0.99,
        "TOTAL_BATCH": 524288,
        "CACHE": 65536,
        "BIG": 1_000_000,
        "ACTIVATION": "relu",
        "OFFSET": -2000,
        "DEBUG": True,
        "HEADS": 2,
        "WIDTH": 64,
        "OPTIONS[lr]": 1e-3,
        "OPTIONS[name]": "adam",
        "OPTIONS[grüße]": 2,
        "Config.depth": 8,
        "Config.pattern": "SSSL",
        "build.width": 64,
        "build.deep": False,
        "fetch.retries": 2,
        "MODE": "quick",
    }


def test_a_knob_says_its_kind_its_component_and_where_its_value_stands():
    knobs = read_knobs(SOURCE)
    assert [knobs[name].kind for name in ("LEARNING_RATE", "HEADS", "DEBUG", "ACTIVATION")] == [
        "float", "int", "bool", "choice",
    ]  # fmt: skip
    assert [knobs[name].component for name in ("HEADS", "Config.depth", "build.width")] == ["", "Config", "build"]
    width = knobs["build.width"]
    assert SOURCE.splitlines()[width.line - 1].encode()[width.col : width.end_col] == b"4 * 16"


def test_a_name_bound_twice_is_a_variable():
    assert settings("x = 1\nx = 2\ny = 3\nprint(x, y)\n") == {"y": 3}
    assert settings("count = 0\ndef f():\n    global count\n    count = 1\nprint(count)\n") == {}
    assert settings("step = 0\nwhile step < 9:\n    step += 1\n") == {}


def test_a_file_of_settings_for_others_keeps_what_it_does_not_read():
    assert settings("import os\nA = 1\nB = A * 2\nclass C:\n    lr: float = 0.1\n") == {"A": 1, "C.lr": 0.1}


def test_fields_read_all_at_once_count():
    source = (
        "from dataclasses import asdict, dataclass\n@dataclass\nclass C:\n    lr: float = 0.1\nprint(asdict(C()))\n"
    )
    assert settings(source) == {"C.lr": 0.1}


def test_source_that_does_not_parse_names_the_line():
    with pytest.raises(UsageError, match="line 2"):
        read_knobs("x = 1\ny = (\n")
    for broken in ("x = '\x00'", "\ud800 = 1", "(" * 500):
        with pytest.raises(UsageError, match="line"):
            read_knobs(broken)


def test_writing_changes_only_the_token():
    changed = set_knobs(
        SOURCE,
        {
            "LEARNING_RATE": 0.0005, "BETAS[1]": 0.999, "TOTAL_BATCH": 2**18, "CACHE": 32768, "BIG": 2_000_000,
            "ACTIVATION": "gelu", "OFFSET": -4000, "DEBUG": False, "OPTIONS[grüße]": 3, "Config.pattern": "SSSSL",
            "build.width": 128, "Config.depth": 8.0,
        },
    )  # fmt: skip
    pairs = [(a, b) for a, b in zip(SOURCE.splitlines(), changed.splitlines(), strict=True) if a != b]
    assert [new for _, new in pairs] == [
        "LEARNING_RATE = 5e-4   # peak rate, of 3e-4",
        "BETAS = (0.9, 0.999)",
        "TOTAL_BATCH = 2**18; CACHE = 32 * 1024",
        "BIG = 2_000_000",
        'ACTIVATION: str = "gelu"',
        "OFFSET = -4000",
        "DEBUG = False",
        'OPTIONS = {"lr": 1e-3, "name": "adam", "grüße": 3}',
        "    pattern: str = 'SSSSL'",
        "def build(x, width=8 * 16, unused=3, *, deep=False):",
    ]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_endings_a_byte_order_mark_and_letters_beyond_ascii_stay(ending):
    lines = ["\ufeff# größer 🚀", "é = 'ü' # x", "A = {'ß': 1, 'b': 2}", "B = 1; C = 2", "print(A, B, C, é)"]
    source = ending.join(lines)
    assert set_knobs(source, {"C": 5, "A[b]": 7}) == source.replace("C = 2", "C = 5").replace("'b': 2", "'b': 7")


def test_what_cannot_be_written_is_said():
    for name, value in (("HEADS", "two"), ("DEBUG", 1), ("LEARNING_RATE", math.nan), ("ACTIVATION", "a/b/c.txt")):
        with pytest.raises(UsageError, match="hint"):
            set_knobs(SOURCE, {name: value})
    with pytest.raises(UsageError, match="its knobs: HEADS"):
        set_knobs(SOURCE, {"HEAD": 3})


def test_an_unchanged_value_keeps_its_spelling():
    assert set_knobs(SOURCE, settings(SOURCE)) == SOURCE


@pytest.mark.parametrize(
    ("value", "text"),
    [(3e-4, "3e-4"), (1e-3, "0.001"), (1.0, "1.0"), (1e5, "1e5"), (99999.5, "99999.5"), (0.0, "0.0"), (-2e-7, "-2e-7")],
)
def test_a_float_as_a_person_writes_it(value, text):
    assert written_float(value) == text


def test_words_that_the_file_compares_a_knob_with():
    assert alternatives(SOURCE) == {"ACTIVATION": ("gelu", "relu", "silu")}
    more = (
        'A = "x"\nB = "m"\nT = {"m": 1, "n": 2}\nmatch A:\n    case "x" | "y":\n        print(T[B], B in ("o", "m"))\n'
    )
    assert alternatives(more) == {"A": ("x", "y"), "B": ("m", "n", "o")}


NUMBERS = st.one_of(st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False))
NAMES = ["LEARNING_RATE", "BETAS[0]", "TOTAL_BATCH", "CACHE", "BIG", "OFFSET", "build.width", "OPTIONS[lr]"]


@how(deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), NUMBERS), st.booleans(), st.from_regex(r"[a-z]{1,9}", fullmatch=True))
def test_what_is_written_is_read(numbers, flag, word):
    values = {**numbers, "DEBUG": flag, "ACTIVATION": word}
    changed = set_knobs(SOURCE, values)
    assert settings(changed) == {**settings(SOURCE), **values}
    assert ast.dump(ast.parse(changed)).count("Assign") == ast.dump(ast.parse(SOURCE)).count("Assign")


@how(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_written_float_is_exact(value):
    assert float(written_float(value)) == value


BY_HAND = """
import numpy as np
lr = 0.1
l2 = 0.0
epochs = 200
w1 = np.zeros((2, 8))
b2 = 0.
total = 0.0
m = [0.0, 0.0]
v = {"w": 0.0, "b": 0.0}
best = {"loss": 1e9, "patience": 3}
history = [1.0]
shown = 0
momentum = 0.9
DROPOUT = 0
class Meter:
    total = 1.0
    decay = 0.9
    def add(self, x):
        self.total += x
        return self.decay * self.total
def loss_of(x, power=2, seen=0):
    seen += x
    return seen + l2 * x ** power + best["patience"]
for epoch in range(epochs):
    params = [w1, b2]
    total = total + loss_of(lr)
    m[0] = momentum * m[1] + 1
    for key in v:
        v[key] += total
    best["loss"] = min(best["loss"], total)
    history.append(total)
print(total, shown, w1 + b2, Meter().add(1), history, DROPOUT)
"""


def test_a_start_of_the_program_is_no_setting_and_a_zero_that_weighs_is_one():
    assert settings(BY_HAND) == {
        "lr": 0.1, "l2": 0.0, "epochs": 200, "best[patience]": 3, "momentum": 0.9, "DROPOUT": 0,
        "Meter.decay": 0.9, "loss_of.power": 2,
    }  # fmt: skip


def test_a_script_after_the_manner_of_nanogpt_keeps_its_settings_and_not_its_counters():
    source = """
import torch
eval_interval = 2000
dropout = 0.0
bias = False
learning_rate = 6e-4
beta1 = 0.9
beta2 = 0.95
weight_decay = 1e-1
if torch.cuda.is_available():
    seed_offset = 3
else:
    seed_offset = 0
torch.manual_seed(1337 + seed_offset)
offset = 0
iter_num = 0
best_val_loss = 1e9
running_mfu = -1.0
model = torch.GPT(dict(bias=bias, dropout=dropout))
optimizer = model.configure_optimizers(weight_decay, learning_rate, (beta1, beta2))
while iter_num + offset < eval_interval:
    running_mfu = 1 if running_mfu == -1.0 else 0.9 * running_mfu
    best_val_loss = min(best_val_loss, model(iter_num))
    iter_num += 1
"""
    names = ["eval_interval", "dropout", "bias", "learning_rate", "beta1", "beta2", "weight_decay"]
    assert list(settings(source)) == names


def test_defaults_of_the_command_line_are_settings_and_are_written_back():
    source = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument('--batch-size', type=int, default=64, metavar='N')
parser.add_argument('-m', '--momentum', default=0.9, type=float)
parser.add_argument('--opt', choices=['sgd', 'adam'], default='sgd')
parser.add_argument('--learning', dest='lr', default=1e-3)
parser.add_argument('--unread', default=1)
parser.add_argument('data')
args = parser.parse_args()
print(args.batch_size, args.momentum, args.opt, args.lr, args.data)
"""
    found = {"args.batch_size": 64, "args.momentum": 0.9, "args.opt": "sgd", "args.lr": 1e-3}
    assert settings(source) == found
    assert alternatives(source) == {"args.opt": ("adam", "sgd")}
    changed = set_knobs(source, {"args.batch_size": 32, "args.opt": "adam"})
    assert changed == source.replace("default=64", "default=32").replace("default='sgd'", "default='adam'")
    assert settings(source.replace("print(args.batch_size", "print(vars(args)"))["args.unread"] == 1
