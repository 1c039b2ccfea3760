"""microgpt: gradients, tokenizer, splits, the locked evaluator against the trained model and against tampering."""

from __future__ import annotations

import importlib
import json
import math
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

FOLDER = Path(__file__).parents[1] / "targets" / "microgpt"
MODULES = ("prepare", "train", "evaluate", "ngram", "pure")


@pytest.fixture(scope="module")
def code() -> Iterator[SimpleNamespace]:
    """The target's own modules; other targets have modules of the same names, so none stays loaded."""
    before = {name: sys.modules.pop(name, None) for name in MODULES}
    sys.path.insert(0, str(FOLDER))
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
    finally:
        sys.path.remove(str(FOLDER))
        for name, module in before.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """The target copied to a place where nothing else is."""
    folder = tmp_path / "microgpt"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("out", "__pycache__"))
    return folder


def run(folder: Path, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MEMEX")}
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=kept | threads | env, capture_output=True, text=True, timeout=240
    )


def block(text: str) -> dict[str, float]:
    lines = text.rpartition("\n---\n")[2].splitlines()
    return {name: float(value) for name, value in (line.split(": ") for line in lines)}


def shrink(train: ModuleType, monkeypatch: pytest.MonkeyPatch, activation: str, tie: bool) -> None:
    small = {"LAYERS": 2, "WIDTH": 8, "HEADS": 2, "CONTEXT": 6, "ACTIVATION": activation, "TIE_HEAD": tie}
    for name, value in small.items():
        monkeypatch.setattr(train, name, value)


def test_the_whole_algorithm_stays_legible() -> None:
    assert len((FOLDER / "train.py").read_text().splitlines()) <= 250
    assert len((FOLDER / "pure.py").read_text().splitlines()) <= 200


# --- train.py


@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("activation", ["gelu", "relu", "relu2", "silu"])
def test_gradient_equals_finite_differences(
    code: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, activation: str, tie: bool
) -> None:
    train = code.train
    shrink(train, monkeypatch, activation, tie)
    size = sum(math.prod(shape) for shape in train.shapes().values())
    random = np.random.default_rng(1)
    flat, found = random.normal(0, 0.5, size), np.zeros(size)
    weights, gradient = train.views(flat), train.views(found)
    inputs, targets = random.integers(0, 606, (3, 6)), random.integers(0, 606, (3, 6))
    inputs[0, 1] = inputs[0, 0]  # a token that occurs twice collects both gradients
    train.loss_and_gradient(weights, gradient, inputs, targets)
    analytic, step = found.copy(), 1e-5
    # Some weights of every matrix, the strongest of each among them.
    where = np.arange(size)
    places = train.views(where)
    for name, indices in places.items():
        strongest = indices.ravel()[np.argsort(-np.abs(analytic[indices.ravel()]))[:8]]
        for i in np.concatenate([strongest, random.choice(indices.ravel(), 8)]):
            old, values = flat[i], []
            for sign in (1, -1):
                flat[i] = old + sign * step
                values.append(train.loss_and_gradient(weights, gradient, inputs, targets))
            flat[i] = old
            numeric = (values[0] - values[1]) / (2 * step)
            assert analytic[i] == pytest.approx(numeric, rel=1e-4, abs=1e-8), f"{name}[{i}]"


def test_gradient_of_every_weight_is_overwritten(code: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(code.train, monkeypatch, "gelu", False)
    size = sum(math.prod(shape) for shape in code.train.shapes().values())
    random = np.random.default_rng(2)
    weights = code.train.views(random.normal(0, 0.5, size))
    tokens = random.integers(0, 606, (2, 7))
    clean, dirty = np.zeros(size), np.full(size, 7.0)
    for flat in (clean, dirty):
        code.train.loss_and_gradient(weights, code.train.views(flat), tokens[:, :-1], tokens[:, 1:])
    assert np.array_equal(clean, dirty)


def test_schedule_rises_then_falls_to_zero(code: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code.train, "WARMUP", 0.05)
    assert code.train.schedule(0.0) == 0
    assert code.train.schedule(0.05) == pytest.approx(1)
    assert code.train.schedule(1.0) == pytest.approx(0)
    monkeypatch.setattr(code.train, "WARMUP", 0.0)
    assert code.train.schedule(0.25) == pytest.approx(0.75)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_first_step(alone: Path) -> None:
    lines = []
    for seed in ("5", "5", "6"):
        done = run(alone, "train.py", MEMEX="1", MEMEX_SECONDS="0.1", MEMEX_SEED=seed)
        assert done.returncode == 0, done.stderr
        lines.append(done.stdout.split(maxsplit=3)[2])  # progress SHARE LOSS
    assert lines[0] == lines[1] != lines[2]


@pytest.mark.slow
def test_a_short_training_learns_and_is_scored_alone(alone: Path) -> None:
    uniform = 33650 * math.log2(606) / 90573  # what a model that knows nothing needs; also far below the unigram
    for seconds in ("2", "20", "120"):  # a slow machine learns as much, later
        done = run(alone, "train.py", MEMEX_SECONDS=seconds, MEMEX_SEED="1")
        assert done.returncode == 0, done.stderr
        if block(done.stdout)["val_bpb"] < uniform - 0.05:
            break
    assert 1 < block(done.stdout)["val_bpb"] < uniform - 0.05
    assert all(f"\n{name}: " in done.stdout for name in ("steps", "tokens_per_second", "training_seconds", "seed"))
    assert block(done.stdout)["num_params"] == 130816
    final = run(alone, "evaluate.py", "--split", "test")
    assert final.returncode == 0, final.stderr
    scores = block(final.stdout)
    assert scores["test_bpb"] == scores["val_bpb"] != block(done.stdout)["val_bpb"]


def test_under_the_harness_a_run_does_not_score_itself(alone: Path) -> None:
    done = run(alone, "train.py", MEMEX="1", MEMEX_SECONDS="0.1")
    assert done.returncode == 0, done.stderr
    assert "val_bpb" not in done.stdout
    assert block(done.stdout)["seed"] == 0


@pytest.mark.parametrize(("old", "new"), [('"gelu"', '"gulu"'), ("LEARNING_RATE = 2e-3", "LEARNING_RATE = 1e60")])
def test_a_setting_that_cannot_work_ends_the_run(alone: Path, old: str, new: str) -> None:
    path = alone / "train.py"
    text = path.read_text()
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1))
    done = run(alone, "train.py", MEMEX_SECONDS="1")
    assert done.returncode == 1
    assert "val_bpb" not in done.stdout
    assert done.stderr.strip()


# --- prepare.py


def test_splits_are_complete_and_apart(code: SimpleNamespace) -> None:
    texts = {name: code.prepare.text(name) for name in code.prepare.SPLITS}
    assert {name: len(data) for name, data in texts.items()} == {"train": 730773, "val": 90573, "test": 90551}
    for name in ("val", "test"):
        lines = {line for line in texts[name].split(b"\n") if len(line) > 50}
        assert not lines & set(texts["train"].split(b"\n"))
    assert b"\r" not in b"".join(texts.values())
    assert b"gutenberg" not in b"".join(texts.values()).lower()
    with pytest.raises(ValueError, match="no split 'validation'"):
        code.prepare.text("validation")


def test_tokens_give_the_text_back(code: SimpleNamespace) -> None:
    for name in code.prepare.SPLITS:
        tokens = code.prepare.encode(code.prepare.text(name))
        assert code.prepare.decode(tokens) == code.prepare.text(name)
        assert 0 <= tokens.min() <= tokens.max() < code.prepare.vocab_size() == 606
    with pytest.raises(ValueError, match="0x07"):
        code.prepare.encode(b"bell \x07")


def test_merges_are_those_of_the_training_text(code: SimpleNamespace) -> None:
    stored = json.loads((FOLDER / "data" / "bpe.json").read_text())
    learned = code.prepare._learn_merges(code.prepare.text("train"), bytes(stored["alphabet"]))
    assert [list(pair) for pair in learned] == stored["merges"]


@settings(max_examples=60, deadline=None)
@given(words=st.lists(st.sampled_from(["the ", "of ", "species", "aaaa", "----", "ss", " * ", "\n"]), max_size=12))
def test_encoding_equals_one_merge_after_the_other(code: SimpleNamespace, words: list[str]) -> None:
    stored = json.loads((FOLDER / "data" / "bpe.json").read_text())
    data = "".join(words).encode()
    ids = [stored["alphabet"].index(byte) for byte in data]
    for rank, pair in enumerate(stored["merges"]):
        merged, i = [], 0
        while i < len(ids):
            hit = ids[i : i + 2] == pair
            merged.append(len(stored["alphabet"]) + rank if hit else ids[i])
            i += 2 if hit else 1
        ids = merged
    assert code.prepare.encode(data).tolist() == ids


# --- evaluate.py


def saved(code: SimpleNamespace, folder: Path, scale: float = 0.3) -> dict[str, Any]:
    """An artifact of a random model, written by train.py's own `save`; what the file holds."""
    size = sum(math.prod(shape) for shape in code.train.shapes().values())
    flat = np.random.default_rng(3).normal(0, scale, size).astype(np.float32)
    code.train.save(code.train.views(flat), folder)
    with np.load(folder / "weights.npz") as stored:
        return {name: stored[name] for name in stored.files}


@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("activation", ["gelu", "relu", "relu2", "silu"])
def test_the_evaluator_computes_the_model_that_was_trained(
    code: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, activation: str, tie: bool
) -> None:
    shrink(code.train, monkeypatch, activation, tie)
    arrays = saved(code, tmp_path)
    arrays.pop("config")
    shape, weights = code.evaluate.read_artifact(tmp_path / "weights.npz", 606)
    tokens = code.prepare.encode(code.prepare.text("val"))[:60]
    nats = code.evaluate.bits(shape, weights, tokens) * math.log(2) / 60
    before = np.concatenate([code.prepare.encode(b"\n"), tokens[:-1]])
    spare = {name: np.zeros_like(array) for name, array in arrays.items()}
    loss = code.train.loss_and_gradient(arrays, spare, before.reshape(10, 6), tokens.reshape(10, 6))
    assert nats == pytest.approx(loss, rel=1e-5)


def test_no_token_sees_what_follows_it(code: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shrink(code.train, monkeypatch, "gelu", False)
    saved(code, tmp_path)
    shape, weights = code.evaluate.read_artifact(tmp_path / "weights.npz", 606)
    tokens = np.arange(6)[None, :] * 7
    other = tokens.copy()
    other[0, 4] = 500
    one, two = (code.evaluate.logits_of(shape, weights, t) for t in (tokens, other))
    assert np.array_equal(one[0, :4], two[0, :4])
    assert not np.allclose(one[0, 4:], two[0, 4:])


@pytest.mark.parametrize("context", [1, 7, 64, 1000])
def test_every_token_counts_exactly_once(code: SimpleNamespace, context: int) -> None:
    shape = code.evaluate.Shape(1, 4, 1, context, 1, "relu", False)
    weights = {name: np.zeros(size, dtype=np.float32) for name, size in shape.weights(606).items()}
    tokens = code.prepare.encode(code.prepare.text("test"))[:2345]
    assert code.evaluate.bits(shape, weights, tokens) == pytest.approx(2345 * math.log2(606))


def _nan(arrays: dict[str, np.ndarray]) -> None:
    arrays["up"][0, 3, 3] = np.nan


def _wrong_shape(arrays: dict[str, np.ndarray]) -> None:
    arrays["embed"] = arrays["embed"][:-1]


def _pickled(arrays: dict[str, np.ndarray]) -> None:
    arrays["mix"] = np.array([{"a": 1}], dtype=object)


def _whole_numbers(arrays: dict[str, np.ndarray]) -> None:
    arrays["mix"] = arrays["mix"].astype(np.int64)


def _too_large(arrays: dict[str, np.ndarray]) -> None:
    arrays["head"] *= 1e38


def _extra(arrays: dict[str, np.ndarray]) -> None:
    arrays["gate"] = np.zeros(3, dtype=np.float32)


def _no_config(arrays: dict[str, np.ndarray]) -> None:
    del arrays["config"]


def _set(**changes: object):
    def change(arrays: dict[str, np.ndarray]) -> None:
        config = json.loads(arrays["config"].tobytes()) | changes
        arrays["config"] = np.frombuffer(json.dumps(config).encode(), dtype=np.uint8)

    return change


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (_nan, "not finite"), (_wrong_shape, "embed has shape"), (_pickled, "plain arrays"), (_too_large, "finite"),
        (_whole_numbers, "float32"), (_extra, "weights must be"), (_no_config, "no array `config`"),
        (_set(activation="swish"), "activation is 'swish'"), (_set(activation=["gelu"]), "activation is"),
        (_set(heads=3), "not divisible"), (_set(layers=True), "layers is True"), (_set(layers=0), "layers is 0"),
        (_set(context=10**9), "context is"), (_set(tie_head=True), "weights must be"), (_set(secret=1), "exactly"),
        (_set(width=64.0), "width is 64.0"),
    ],
)  # fmt: skip
def test_a_tampered_artifact_gets_no_score(code: SimpleNamespace, alone: Path, tamper: object, reason: str) -> None:
    arrays = saved(code, alone / "out")
    tamper(arrays)
    np.savez(alone / "out" / "weights.npz", **arrays)
    done = run(alone, "evaluate.py")
    assert done.returncode == 1
    assert reason in done.stderr
    assert "val_bpb" not in done.stdout + done.stderr


@pytest.mark.parametrize("data", [None, b"", b"PK\x03\x04 no archive", pickle.dumps({"val_bpb": 0.1})])
def test_what_is_no_archive_gets_no_score(alone: Path, data: bytes | None) -> None:
    if data is not None:
        (alone / "out").mkdir()
        (alone / "out" / "weights.npz").write_bytes(data)
    done = run(alone, "evaluate.py")
    assert done.returncode == 1
    assert done.stderr.startswith("rejected: ")
    assert "val_bpb" not in done.stdout + done.stderr


def test_the_evaluator_runs_nothing_of_the_edited_file(code: SimpleNamespace, alone: Path) -> None:
    saved(code, alone / "out")
    honest = run(alone, "evaluate.py")
    (alone / "train.py").write_text("raise SystemExit('val_bpb: 0.01')\n")
    assert honest.returncode == 0
    assert run(alone, "evaluate.py").stdout == honest.stdout


# --- ngram.py and pure.py


@pytest.mark.parametrize("order", [1, 2, 5])
def test_kneser_ney_gives_probabilities_that_sum_to_one(code: SimpleNamespace, order: int) -> None:
    train = code.prepare.text("train")[:20_000]
    chances = [2 ** -code.ngram.kneser_ney(train, bytes([byte]), order) for byte in sorted(set(train))]
    assert sum(chances) == pytest.approx(1)
    assert min(chances) > 0


@pytest.mark.slow
def test_baselines_are_in_the_known_order(alone: Path) -> None:
    done = run(alone, "evaluate.py", "--baselines")
    assert done.returncode == 0, done.stderr
    found = block("\n" + done.stdout)
    assert found["unigram_bpb"] == pytest.approx(4.376, abs=0.001)
    assert found["3gram_bpb"] == pytest.approx(2.694, abs=0.001)
    assert found["5gram_bpb"] == pytest.approx(1.752, abs=0.001)
    assert 1.5 < found["bz2_bpb"] < 2.2
    assert 1.5 < found["xz_bpb"] < 2.2


def test_the_pure_gradient_equals_finite_differences(code: SimpleNamespace) -> None:
    import random

    pure = code.pure
    model = pure.GPT(5, random.Random(4))
    tokens = [0, 3, 1, 4, 4, 2]
    model.loss(tokens).backward()
    layer = model.layers[0]
    some = [model.embed[3][0], model.position[2][5], model.head[4][1], *(layer[name][1][2] for name in layer)]
    for weight in some:
        old, values = weight.data, []
        for sign in (1, -1):
            weight.data = old + sign * 1e-5
            values.append(model.loss(tokens).data)
        weight.data = old
        assert weight.grad == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-4, abs=1e-7)


@pytest.mark.slow
def test_the_pure_loss_falls(code: SimpleNamespace) -> None:
    text = code.prepare.text("train")[20_000:24_000].decode()
    _, losses, alphabet = code.pure.train(text, 20)
    assert losses[0] == pytest.approx(math.log(len(alphabet)), abs=0.5)
    assert sum(losses[-5:]) / 5 < losses[0] - 0.3
