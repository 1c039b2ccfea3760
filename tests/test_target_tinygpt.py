"""tinygpt: the trained model against the locked evaluator, Muon, the dial, tampering. Skipped without torch."""

from __future__ import annotations

import importlib
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed, tinygpt goes untested: pip install torch")

FOLDER = Path(__file__).parents[1] / "targets" / "tinygpt"
MODULES = ("prepare", "train", "evaluate")


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
    folder = tmp_path / "tinygpt"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("out", "__pycache__"))
    return folder


def run(folder: Path, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MEMEX")}
    settings = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "MEMEX_DEVICE": "cpu"}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=kept | settings | env, capture_output=True, text=True, timeout=240
    )


def artifact(code: SimpleNamespace, folder: Path) -> dict[str, Any]:
    """An artifact of a random model with no matrix left at zero, written by train.py's own `save`."""
    weights = code.train.initial_weights(torch.device("cpu"), 3)
    rng = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for weight in weights.values():
            weight.add_(torch.randn(weight.shape, generator=rng) * 0.1)
    code.train.save(weights, folder)
    with np.load(folder / "weights.npz") as stored:
        return {name: stored[name] for name in stored.files}


def test_a_short_training_learns_and_is_scored_alone(alone: Path) -> None:
    uniform = 33650 * math.log2(606) / 90573  # what a model that knows nothing needs
    for seconds in ("5", "30", "120"):  # a slow machine learns as much, later
        done = run(alone, "train.py", MEMEX_SECONDS=seconds, MEMEX_SEED="1")
        assert done.returncode == 0, done.stderr
        found = dict(line.split(": ") for line in done.stdout.rpartition("\n---\n")[2].splitlines())
        if float(found["val_bpb"]) < uniform - 0.05:
            break
    assert 1 < float(found["val_bpb"]) < uniform - 0.05
    assert all(f"\n{name}: " in done.stdout for name in ("steps", "tokens_per_second", "training_seconds", "seed"))
    assert "\ndevice: cpu" in done.stdout
    final = run(alone, "evaluate.py", "--split", "test")
    assert final.returncode == 0, final.stderr
    assert "\ntest_bpb: " in final.stdout
    assert "\nval_bpb: " in final.stdout


def test_under_the_harness_a_run_does_not_score_itself(alone: Path) -> None:
    done = run(alone, "train.py", MEMEX="1", MEMEX_SECONDS="0.1")
    assert done.returncode == 0, done.stderr
    assert "val_bpb" not in done.stdout


@pytest.mark.parametrize("depth", [1, 3])
def test_the_dial_makes_a_model_that_can_be_scored(alone: Path, depth: int) -> None:
    path = alone / "train.py"
    path.write_text(path.read_text().replace("\nDEPTH = 2 ", f"\nDEPTH = {depth} ", 1))
    done = run(alone, "train.py", MEMEX_SECONDS="0.5")
    assert done.returncode == 0, done.stderr
    width = 64 * depth
    assert f"\nnum_params: {2 * 606 * width + depth * 12 * width**2}\n" in done.stdout
    assert "\nval_bpb: " in done.stdout


@pytest.mark.parametrize("softcap", [0.0, 15.0])
def test_the_evaluator_computes_the_model_that_was_trained(
    code: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, softcap: float
) -> None:
    monkeypatch.setattr(code.train, "SOFTCAP", softcap)
    arrays = artifact(code, tmp_path)
    shape, weights = code.evaluate.read_artifact(tmp_path / "weights.npz", 606)
    tokens = torch.randint(606, (3, 64), generator=torch.Generator().manual_seed(5))
    trained = code.train.logits({name: torch.from_numpy(arrays[name]) for name in weights}, tokens)
    assert torch.allclose(trained, code.evaluate.logits_of(shape, weights, tokens), atol=1e-3, rtol=1e-3)
    assert trained.std() > 0.5  # the comparison is of something


def test_no_token_sees_what_follows_it(code: SimpleNamespace, tmp_path: Path) -> None:
    artifact(code, tmp_path)
    shape, weights = code.evaluate.read_artifact(tmp_path / "weights.npz", 606)
    tokens = torch.arange(10)[None, :] * 7
    other = tokens.clone()
    other[0, 6] = 500
    one, two = (code.evaluate.logits_of(shape, weights, t) for t in (tokens, other))
    assert torch.allclose(one[0, :6], two[0, :6], atol=1e-5)
    assert not torch.allclose(one[0, 6:], two[0, 6:], atol=1e-2)


def test_every_token_counts_exactly_once(code: SimpleNamespace) -> None:
    shape = code.evaluate.Shape(1, 4, 2, 50, 1, 15.0, 10000.0)
    weights = {name: torch.zeros(size) for name, size in shape.weights(606).items()}
    tokens = code.prepare.encode(code.prepare.text("test"))[:2345]
    assert code.evaluate.bits(shape, weights, tokens) == pytest.approx(2345 * math.log2(606))


@pytest.mark.parametrize("shape", [(2, 32, 32), (2, 64, 16), (2, 16, 64)])
def test_a_muon_step_is_nearly_orthogonal(code: SimpleNamespace, shape: tuple[int, ...]) -> None:
    matrices = torch.randn(*shape, generator=torch.Generator().manual_seed(6))
    values = torch.linalg.svdvals(code.train.orthogonal(matrices))
    # The iteration's published coefficients leave singular values between about 0.7 and 1.2, save tiny ones.
    assert 0.6 < values.median() < 1.3
    assert values.max() < 1.3


def test_the_text_is_that_of_microgpt(code: SimpleNamespace) -> None:
    for split in code.prepare.SPLITS:
        assert code.prepare.text(split) == (FOLDER.parent / "microgpt" / "data" / f"{split}.txt").read_bytes()
    tokens = code.prepare.encode(code.prepare.text("test"))
    assert code.prepare.decode(tokens) == code.prepare.text("test")
    ours, theirs = (FOLDER.parent / name / "data" / "bpe.json" for name in ("tinygpt", "microgpt"))
    assert ours.read_bytes() == theirs.read_bytes()


def _set(**changes: object) -> Callable[[dict[str, Any]], None]:
    def change(arrays: dict[str, Any]) -> None:
        config = json.loads(arrays["config"].tobytes()) | changes
        arrays["config"] = np.frombuffer(json.dumps(config).encode(), dtype=np.uint8)

    return change


def _put(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda arrays: arrays.update({name: value})


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (_put("head", np.full((606, 128), np.nan, dtype=np.float32)), "not finite"),
        (_put("up", np.full((2, 512, 128), 3e38, dtype=np.float32)), "finite"),
        (_put("mix", np.array([{"a": 1}], dtype=object)), "plain arrays"),
        (_put("embed", np.zeros((605, 128), dtype=np.float32)), "embed has shape"),
        (_put("gate", np.zeros(3, dtype=np.float32)), "weights must be"),
        (_set(activation="swish"), "exactly"), (_set(head_size=48), "multiple of head_size"),
        (_set(softcap=float("nan")), "softcap is nan"), (_set(rope_base=True), "rope_base is True"),
        (_set(depth=0), "depth is 0"),
    ],
)  # fmt: skip
def test_a_tampered_artifact_gets_no_score(
    code: SimpleNamespace, alone: Path, tamper: Callable[[dict[str, Any]], None], reason: str
) -> None:
    arrays = artifact(code, alone / "out")
    tamper(arrays)
    np.savez(alone / "out" / "weights.npz", **arrays)
    done = run(alone, "evaluate.py")
    assert done.returncode == 1
    assert reason in done.stderr
    assert "val_bpb" not in done.stdout + done.stderr
