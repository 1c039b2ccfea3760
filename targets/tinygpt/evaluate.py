"""Locked: scores out/weights.npz in bits per byte. It imports nothing that a proposer may edit and runs none of it.

It reads plain arrays (`allow_pickle=False`) and a few plain numbers, holds its own forward pass for the family of
models that README.md describes, and refuses everything else with exit code 1 and no metric.

Why the number can be trusted. Causal by construction: the mask, the softmax and the sum are computed here, so what is
said of token t depends on the tokens before t alone. Every byte counts once: the split is cut into windows of
`context` tokens that do not overlap, each token is predicted exactly once, from the tokens of its window before it
and the one just before the window (the first from a newline). The text has one encoding, and the probabilities of
all tokens sum to one, so the sum of -log2 p is the length of a code of the whole text.

    python evaluate.py [--split val|test|train]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import prepare
from numpy.typing import NDArray

ARTIFACT = Path("out/weights.npz")
MAX_PARAMS = 20_000_000
MAX_CONFIG_BYTES = 4096
NORM_EPSILON = np.float32(1e-5)
TOKENS_AT_ONCE = 4096

Array = NDArray[Any]


class Rejected(Exception):
    """The artifact cannot be scored; the message says why and what to do."""


@dataclass(frozen=True)
class Shape:
    """The model as plain numbers; anything else in the artifact's `config` is refused."""

    layers: int
    width: int
    heads: int
    context: int
    mlp_ratio: int
    activation: str
    tie_head: bool

    def weights(self, vocab: int) -> dict[str, tuple[int, ...]]:
        deep, wide, hidden = self.layers, self.width, self.width * self.mlp_ratio
        named = {
            "embed": (vocab, wide), "position": (self.context, wide), "head": (vocab, wide),
            "qkv": (deep, wide, 3 * wide), "mix": (deep, wide, wide),
            "up": (deep, wide, hidden), "down": (deep, hidden, wide),
        }  # fmt: skip
        if self.tie_head:
            del named["head"]
        return named


LIMITS = {"layers": 64, "width": 4096, "heads": 256, "context": 4096, "mlp_ratio": 64}


def gelu(x: Array) -> Array:
    """The tanh form (arXiv:1606.08415)."""
    y: Array = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    return y


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def relu2(x: Array) -> Array:
    return np.square(np.maximum(x, 0))


def silu(x: Array) -> Array:
    y: Array = x / (1 + np.exp(-x))
    return y


ACTIVATIONS = {"gelu": gelu, "relu": relu, "relu2": relu2, "silu": silu}


def read_shape(raw: bytes) -> Shape:
    try:
        config = json.loads(raw)
    except ValueError as error:
        raise Rejected(f"config is not JSON: {error}; train.py must save it as `save` does") from error
    names = [field.name for field in fields(Shape)]
    if not isinstance(config, dict) or sorted(config) != sorted(names):
        raise Rejected(f"config must hold exactly {', '.join(names)}; it is {str(config)[:200]}")
    for name, limit in LIMITS.items():
        if type(config[name]) is not int or not 1 <= config[name] <= limit:
            raise Rejected(f"config {name} is {config[name]!r}; it must be a whole number from 1 to {limit}")
    if type(config["tie_head"]) is not bool:
        raise Rejected(f"config tie_head is {config['tie_head']!r}; it must be true or false")
    if not isinstance(config["activation"], str) or config["activation"] not in ACTIVATIONS:
        raise Rejected(f"config activation is {config['activation']!r}; known are {', '.join(ACTIVATIONS)}")
    if config["width"] % config["heads"]:
        raise Rejected(f"config width {config['width']} is not divisible by heads {config['heads']}")
    return Shape(**config)


def read_artifact(path: Path, vocab: int) -> tuple[Shape, dict[str, Array]]:
    """Shape and weights, every one checked for name, type, size and finiteness; raises Rejected."""
    if not path.is_file():
        raise Rejected(f"there is no {path}; run python train.py first")
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > 9 * MAX_PARAMS:
            raise Rejected(f"{path} unpacks to {unpacked} bytes, more than a model of {MAX_PARAMS} weights needs")
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise Rejected(f"{path} cannot be read as plain arrays: {error}") from error
    config = arrays.pop("config", None)
    if config is None or config.dtype != np.uint8 or config.size > MAX_CONFIG_BYTES:
        raise Rejected(f"{path} holds no array `config` of at most {MAX_CONFIG_BYTES} bytes (uint8)")
    shape = read_shape(config.tobytes())
    expected = shape.weights(vocab)
    if sorted(arrays) != sorted(expected):
        raise Rejected(f"weights must be {', '.join(sorted(expected))}; they are {', '.join(sorted(arrays))}")
    for name, wanted in expected.items():
        array = arrays[name]
        if array.shape != wanted:
            raise Rejected(f"{name} has shape {array.shape}, but its config wants {wanted}")
        if array.dtype not in (np.float32, np.float64):
            raise Rejected(f"{name} is {array.dtype}; it must be float32 or float64")
        if not np.isfinite(array).all():
            raise Rejected(f"{name} holds a number that is not finite; training diverged")
    if sum(array.size for array in arrays.values()) > MAX_PARAMS:
        raise Rejected(f"the model has more than {MAX_PARAMS} weights")
    return shape, {name: array.astype(np.float32) for name, array in arrays.items()}


def norm(x: Array) -> Array:
    y: Array = x / np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + NORM_EPSILON)
    return y


def logits_of(shape: Shape, w: dict[str, Array], tokens: prepare.Tokens) -> Array:
    """Logits (B, T, V) of the token that follows each of `tokens` (B, T)."""
    batch, context = tokens.shape
    size = shape.width // shape.heads
    future = np.triu(np.full((context, context), -np.inf, dtype=np.float32), 1)
    activation = ACTIVATIONS[shape.activation]
    x = w["embed"][tokens] + w["position"][:context]
    for layer in range(shape.layers):
        qkv = (norm(x) @ w["qkv"][layer]).reshape(batch, context, 3, shape.heads, size)
        q, k, v = qkv.transpose(2, 0, 3, 1, 4)
        att = q @ k.swapaxes(2, 3) * np.float32(1 / math.sqrt(size)) + future
        att = np.exp(att - att.max(axis=-1, keepdims=True))
        att /= att.sum(axis=-1, keepdims=True)
        x = x + (att @ v).swapaxes(1, 2).reshape(batch, context, shape.width) @ w["mix"][layer]
        x = x + activation(norm(x) @ w["up"][layer]) @ w["down"][layer]
    head: Array = w["embed"] if shape.tie_head else w["head"]
    result: Array = norm(x) @ head.T
    return result


def bits(shape: Shape, w: dict[str, Array], tokens: prepare.Tokens) -> float:
    """Bits that the model needs for all of `tokens`, each counted once; raises Rejected where they are not finite."""
    before = np.concatenate([prepare.encode(b"\n"), tokens[:-1]])
    whole = len(tokens) // shape.context * shape.context
    batch = max(1, TOKENS_AT_ONCE // shape.context)
    inputs, targets = before[:whole].reshape(-1, shape.context), tokens[:whole].reshape(-1, shape.context)
    blocks = [(inputs[i : i + batch], targets[i : i + batch]) for i in range(0, len(inputs), batch)]
    if whole < len(tokens):
        blocks.append((before[None, whole:], tokens[None, whole:]))
    total = 0.0
    for block, following in blocks:
        logits = logits_of(shape, w, block).astype(np.float64)
        top = logits.max(axis=-1, keepdims=True)
        spread = np.log(np.exp(logits - top).sum(axis=-1)) + top[..., 0]
        said = np.take_along_axis(logits, following[..., None], axis=-1)[..., 0]
        total += float((spread - said).sum())
    if not math.isfinite(total):
        raise Rejected("the model's probabilities are not finite; its weights are too large")
    return total / math.log(2)


def main() -> int:
    parser = argparse.ArgumentParser(description="score out/weights.npz in bits per byte; lower is better")
    parser.add_argument("--split", choices=prepare.SPLITS, default="val", help="the text to score (default: val)")
    parser.add_argument("--baselines", action="store_true", help="score n-gram models and compressors, not the model")
    options = parser.parse_args()
    text = prepare.text(options.split)
    if options.baselines:
        import ngram

        print("---")
        for name, value in ngram.baselines(prepare.text("train"), text):
            print(f"{name}_bpb: {value:.4f}", flush=True)
        return 0
    try:
        with np.errstate(all="ignore"):
            shape, weights = read_artifact(ARTIFACT, prepare.vocab_size())
            score = bits(shape, weights, prepare.encode(text)) / len(text)
    except Rejected as reason:
        print(f"rejected: {reason}", file=sys.stderr)
        return 1
    # The harness looks for the metric by its name, so that name is printed whatever the split; `split` says which.
    print(f"split {options.split}, {len(text)} bytes\n---")
    if options.split != "val":
        print(f"{options.split}_bpb: {score:.6f}")
    print(f"val_bpb: {score:.6f}\nnum_params: {sum(array.size for array in weights.values())}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
