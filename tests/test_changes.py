"""Typed changes: from settings, from source, and from what people write; a change never equals its opposite."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from memexlab.ledger import UsageError
from memexlab.memory.changes.edits import MODULE, Change, changes_between, changes_in_source, changes_in_text
from memexlab.memory.changes.names import normal_knob

LOG = Path(__file__).parent / "data" / "logs" / "mar8.results.tsv"

# --- settings


def test_what_differs_between_two_runs():
    old = {
        "LR": 0.002,
        "OFF": -1.0,
        "ACT": "gelu",
        "Net.depth": 8,
        "TIE": False,
        "GONE": 1,
        "BETAS[0]": 0.9,
        "BIAS": True,
    }
    new = {
        "LR": 0.004,
        "OFF": -3.0,
        "ACT": "relu",
        "Net.depth": 4,
        "TIE": True,
        "BETAS[0]": 0.9,
        "BIAS": False,
        "NEW": 2,
    }
    assert changes_between(old, new) == (
        Change("", "LR", 0.002, 0.004, "up", 1.0),
        Change("", "OFF", -1.0, -3.0, "down", -2.0),
        Change("", "ACT", "gelu", "relu", "swap", None),
        Change("Net", "Net.depth", 8, 4, "down", -1.0),
        Change("", "TIE", False, True, "add", None),
        Change("", "GONE", 1, None, "remove", None),
        Change("", "BIAS", True, False, "remove", None),
        Change("", "NEW", None, 2, "add", None),
    )


def test_the_same_number_is_no_change_and_a_change_of_type_is():
    assert changes_between({"A": 4, "B": 0.3}, {"A": 4.0, "B": 0.1 + 0.2}) == ()
    [huge] = changes_between({"A": 1}, {"A": 10**400})
    assert (huge.direction, huge.magnitude) == ("up", None)
    assert changes_between({"A": 1, "B": 1}, {"A": True, "B": "1"}) == (Change("", "B", 1, "1", "set", None),)


def test_a_knob_of_one_of_several_files_knows_its_component():
    [change] = changes_between({"model.py:Net.depth": 1}, {"model.py:Net.depth": 2})
    assert (change.component, change.knob) == ("Net", "model.py:Net.depth")


SCALARS = st.one_of(st.booleans(), st.integers(-9, 9), st.floats(-9, 9), st.sampled_from(["gelu", "relu"]), st.none())
SETTINGS = st.dictionaries(st.sampled_from("ABC"), SCALARS)


@how(deadline=None)
@given(SETTINGS, SETTINGS)
def test_the_way_back_is_never_the_same_change(old, new):
    there, back = changes_between(old, new), changes_between(new, old)
    assert len(there) == len(back)
    assert not set(there) & set(back)


# --- source

BEFORE = '''
LR = 3e-4

class Net:
    """A net."""

    def forward(self, x, scale=2):
        return x * LR * scale

    def loss(self, x):
        return x

def main():
    return Net().forward(1)

main()
'''


def test_a_knob_is_not_also_an_edit_of_its_function():
    after = BEFORE.replace("3e-4", "6e-4").replace("scale=2", "scale=4")
    assert changes_in_source(BEFORE, after) == (
        Change("", "LR", 3e-4, 6e-4, "up", 1.0),
        Change("Net.forward", "Net.forward.scale", 2, 4, "up", 1.0),
    )


def test_formatting_comments_docstrings_and_order_are_no_change():
    main = "def main():\n    return Net().forward(1)\n\n"
    after = BEFORE.replace(main, "").replace("class Net", f"# moved\n{main}class Net")
    after = after.replace("A net.", "Another text.").replace("x * LR * scale", "(x\n            * LR * scale)")
    assert after != BEFORE
    assert changes_in_source(BEFORE, after) == ()


def test_functions_are_added_removed_and_edited():
    after = BEFORE.replace("return x\n", "return x + 1\n").replace(
        "def main():\n", "def helper(a, *, b):\n    ...\n\ndef main():\n"
    )
    changes = changes_in_source(BEFORE, after)
    assert [(c.component, c.direction, c.knob) for c in changes] == [("Net.loss", "edit", ""), ("helper", "add", "")]
    assert str(changes[1].new).startswith("def(a, b) ")
    back = changes_in_source(after, BEFORE)
    assert [(c.component, c.direction) for c in back] == [("Net.loss", "edit"), ("helper", "remove")]
    assert not set(changes) & set(back)
    # pinned: a signature is recorded, so it must be the same everywhere and for ever
    assert changes[0].new == "def(self, x) ca5fdb1b"


def test_code_outside_of_functions_is_the_module():
    [change] = changes_in_source(BEFORE, BEFORE.replace("\nmain()\n", "\nprint(main())\n"))
    assert (change.component, change.direction) == (MODULE, "edit")


def test_source_that_does_not_parse_is_said():
    with pytest.raises(UsageError, match="line 1"):
        changes_in_source(BEFORE, "def")
    with pytest.raises(UsageError, match="line 1"):
        changes_in_source(BEFORE, "print(" + "+".join(["x"] * 900) + ")\n")


# --- text


def one(knob, old, new, direction, magnitude=None):
    return (Change("", knob, old, new, direction, magnitude),)


def up(knob, old, new):
    return one(knob, old, new, "up" if new > old else "down", math.log2(new / old))


def sets(**knobs):
    return tuple(Change("", knob, None, value, "set", None) for knob, value in knobs.items())


#: What a person reads in lines of a published campaign log (MIT), checked one by one.
READ_BY_HAND = {
    "baseline": (),
    "halve batch 524K to 262K (more steps in 5 min)": up("batch_size", 524_000, 262_000),
    "depth 9 aspect_ratio 57 (extra layer dim ~512)": sets(depth=9, aspect_ratio=57),
    "add 5% warmup": one("warmup", None, 0.05, "add"),
    "warmdown 0.5 to 0.7": up("warmdown", 0.5, 0.7),
    "SSSSL window pattern (5:1 short:long)": sets(window_pattern="SSSSL"),
    "short window 1/8 context (256 tokens)": sets(short_window=0.125),
    "RoPE base frequency 10K to 200K": up("rope_base", 10_000, 200_000),
    "embedding LR 0.6 to 0.8": up("embedding_lr", 0.6, 0.8),
    "unembedding LR 0.004 to 0.008": up("unembedding_lr", 0.004, 0.008),
    "x0_lambda init 0.1 to 0.05": up("x0_lambda_init", 0.1, 0.05),
    "FINAL_LR_FRAC 0.0 to 0.05": one("final_lr_frac", 0.0, 0.05, "up", 0.05),
    "matrix LR 0.04 to 0.045": up("matrix_lr", 0.04, 0.045),
    "random seed 42 to 137": up("seed", 42, 137),
    "batch 131K (assert fail: not divisible by device batch)": sets(batch_size=131_000),
    "softcap 15 to 20": up("softcap", 15, 20),
    "depth 10 aspect 51 dim 512 (too narrow)": sets(depth=10, aspect_ratio=51, width=512),
    "weight decay 0.2 to 0.15": up("weight_decay", 0.2, 0.15),
    "muon momentum warmup 300 to 200 steps": up("muon_momentum_warmup", 300, 200),
    "VE gate channels 32 to 48": up("value_embedding_gate_channels", 32, 48),
    "Adam beta1 0.8 to 0.85": up("adam_beta1", 0.8, 0.85),
    "remove cautious WD mask (much worse)": one("cautious_weight_decay_mask", None, None, "remove"),
    "gradient clipping max_norm=1.0": sets(grad_clip=1.0),
    "Muon ns_steps 5 to 4": up("muon_ns_steps", 5, 4),
    "VE gate scale 2 to 3 (flat)": up("value_embedding_gate_scale", 2, 3),
    "VE only last 3 layers (much worse)": (),
    "constant WD at 0.1 (decaying better)": sets(weight_decay=0.1),
    "add WD 0.01 to lm_head": one("unembedding_weight_decay", None, 0.01, "add"),
    "add WD 0.01 to embeddings (hurts)": one("embedding_weight_decay", None, 0.01, "add"),
    "halve value embedding LR": one("value_embedding_lr", None, None, "down", -1.0),
    "lm_head init std 0.001 to 0.01": up("unembedding_init_std", 0.001, 0.01),
    "x0_lambda init 0.0 (x0 skip important)": sets(x0_lambda_init=0.0),
    "rotary precompute 10x to 2x": up("rotary_precompute", 10, 2),
    "VE LR 1.5x (flat)": one("value_embedding_lr", None, None, "up", math.log2(1.5)),
    "sqrt WD schedule": sets(weight_decay_schedule="sqrt"),
    "WD follows LR schedule": (),
    "parallel attn+MLP (much worse)": (),
    "reduce transformer init scale by 0.8x": one("transformer_init_scale", None, None, "down", math.log2(0.8)),
    "small random init for c_proj (worse)": (),
    "cosine warmdown schedule (linear better)": sets(warmdown_schedule="cosine"),
    "multi-query attention n_kv_head=1 (too few KV heads)": sets(kv_heads=1),
    "weight tying (shared embed/unembed, broken)": (),
    "VE every 3rd layer (too few VEs)": (),
    "smaller QK init 0.5x (uniform init matters for Muon)": one("qk_init", None, None, "down", -1.0),
    "depth-dependent init scale 1/sqrt(layer+1)": (),
    "resid_lambda LR 0.01x to 0.04x": up("resid_lambda_lr", 0.01, 0.04),
    "tiny embedding WD 0.001": sets(embedding_weight_decay=0.001),
    "VE LR 1.5x with WD": one("value_embedding_lr", None, None, "up", math.log2(1.5)),
}


@pytest.mark.parametrize("description", READ_BY_HAND)
def test_lines_of_a_published_log_read_as_a_person_reads_them(description):
    with LOG.open(encoding="utf-8") as lines:
        assert description in {row["description"] for row in csv.DictReader(lines, delimiter="\t")}
    assert changes_in_text(description) == READ_BY_HAND[description]


def test_most_lines_of_a_published_log_can_be_read():
    with LOG.open(encoding="utf-8") as lines:
        descriptions = [row["description"] for row in csv.DictReader(lines, delimiter="\t")]
    read = [text for text in descriptions if changes_in_text(text)]
    assert len(descriptions) == 126
    assert len(read) >= 110


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("matrix LR 0.04 → 0.05", up("matrix_lr", 0.04, 0.05)),
        ("gpu0: Higher Matrix LR 0.04->0.08", up("matrix_lr", 0.04, 0.08)),
        ("8 to 12 layers", up("depth", 8, 12)),
        ("reduce depth from 8 to 4", up("depth", 8, 4)),
        ("learning rate 1e-3 to 5e-4", up("lr", 1e-3, 5e-4)),
        ("smaller batch (2^18→2^16) = more steps. Evidence: 180 steps", up("batch_size", 2**18, 2**16)),
        ("double the model width", one("width", None, None, "up", 1.0)),
        ("LR x2", one("lr", None, None, "up", 1.0)),
        ("increase lr by 20%", one("lr", None, None, "up", math.log2(1.2))),
        ("increase weight decay to 0.2", one("weight_decay", None, 0.2, "up")),
        ("decrease the learning rate", one("lr", None, None, "down")),
        ("AdamW to Muon", one("optimizer", "adamw", "muon", "swap")),
        ("replace AdamW with Muon", one("optimizer", "adamw", "muon", "swap")),
        ("Muon optimizer instead of AdamW", one("optimizer", "adamw", "muon", "swap")),
        ("switch optimizer to Lion", one("optimizer", None, "lion", "set")),
        ("ACTIVATION gelu -> relu", one("activation", "gelu", "relu", "swap")),
        ("USE_BIAS True -> False", one("use_bias", True, False, "remove")),
        ("BETAS[1] 0.99 -> 0.999", up("beta2", 0.99, 0.999)),
        ("disable weight tying", one("weight_tying", None, None, "remove")),
        ("enable bias", one("bias", None, None, "add")),
        ("remove dropout 0.1", one("dropout", 0.1, None, "remove")),
        ("batch 64, lr 0.01", sets(batch_size=64, lr=0.01)),
        ("softcap=20 (was 15)", up("softcap", 15, 20)),
        ("VMEM=131072 (vs 98304 default)", up("vmem", 98304, 131072)),
        ("EMBEDDING_LR=0.4 — test lower embedding LR", one("embedding_lr", None, 0.4, "down")),
        ("ADAM_BETAS=(0.9,0.95)", sets(adam_beta1=0.9, adam_beta2=0.95)),
        ("Muon beta2=0.98", sets(muon_beta2=0.98)),
        ("widen the network 2x", one("width", None, None, "up", 1.0)),
        ("linear warmdown schedule instead of cosine", one("warmdown_schedule", "cosine", "linear", "swap")),
        ("revert: undo MATRIX_LR 0.04→0.08", up("matrix_lr", 0.08, 0.04)),
        ("revert: undo batch 2^18 (2^17 is optimal)", one("batch_size", 2**18, None, "set")),
        ("undo add dropout", one("dropout", None, None, "remove")),
        ("undo AdamW to Muon", one("optimizer", "muon", "adamw", "swap")),
    ],
)
def test_ways_to_say_a_change(text, change):
    assert changes_in_text(text) == change


@pytest.mark.parametrize(
    "text",
    ["", "baseline", "try again", "0.04 to 0.06", "val_bpb 1.5 -> 1.2", "don't use dropout 0.1", "no effect", "lower",
     "5:1", "lr 0.1 to 0.2, then lr 0.2 to 0.1", "increase", "->", "to", "(", "x2", "double"],
)  # fmt: skip
def test_text_that_says_no_change_gives_none(text):
    assert changes_in_text(text) == ()


@pytest.mark.parametrize(
    ("one_way", "other_way"),
    [
        ("increase matrix LR", "decrease matrix LR"),
        ("double batch size", "halve batch size"),
        ("add dropout", "remove dropout"),
        ("AdamW to Muon", "Muon to AdamW"),
        ("swap GELU for ReLU", "swap ReLU for GELU"),
        ("embedding LR 0.6 to 0.8", "unembedding LR 0.6 to 0.8"),
        ("LR 1e-3", "LR 5e-3"),
    ],
)
def test_opposites_are_never_equal(one_way, other_way):
    assert changes_in_text(one_way)
    assert changes_in_text(other_way)
    assert not set(changes_in_text(one_way)) & set(changes_in_text(other_way))


@how(deadline=None)
@given(st.floats(0, 1e6), st.floats(0, 1e6), st.sampled_from(["to", "->", "→"]))
def test_numbers_read_exactly_and_with_their_direction(old, new, arrow):
    there, back = (
        changes_in_text(f"matrix LR {old!r} {arrow} {new!r}"),
        changes_in_text(f"matrix LR {new!r} {arrow} {old!r}"),
    )
    assert not set(there) & set(back)
    assert [(c.knob, c.old, c.new) for c in there] == ([("matrix_lr", old, new)] if there else [])
    assert bool(there) == (not math.isclose(old, new, rel_tol=1e-12))


@pytest.mark.parametrize(
    "text",
    ["-" * 100_000, " " * 100_000, "(a " * 50_000, "a: " * 50_000, f"lr {'1' * 5000} to 2", "lr 1e999 to 2", "lr 1/0",
     "lr 9^9^9"],
    ids=lambda text: f"{text[:8]}...",
)  # fmt: skip
def test_absurd_text_says_nothing_and_hangs_nothing(text):
    assert changes_in_text(text) == ()


@how(deadline=None)
@given(st.text(max_size=60))
def test_no_text_breaks_the_parser(text):
    for change in changes_in_text(text):
        assert change.knob


def test_one_name_for_what_people_call_differently():
    for name in ("WEIGHT_DECAY", "weightDecay", "weight decay", "wd", "train.py:Config.weight_decay"):
        assert normal_knob(name) == "weight_decay"
    assert normal_knob("EMBEDDING_LR") == normal_knob("embedding learning rate") == "embedding_lr"
    assert len({normal_knob(name) for name in ("embedding LR", "unembedding LR", "matrix LR", "VE LR", "LR")}) == 5
