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

import numpy as np
import prepare
import torch
import torch.nn.functional as F
from torch import Tensor

ARTIFACT = Path("out/weights.npz")
MAX_PARAMS = 500_000_000
MAX_CONFIG_BYTES = 4096
NORM_EPSILON = 1e-5
TOKENS_AT_ONCE = 8192


class Rejected(Exception):
    """The artifact cannot be scored; the message says why and what to do."""


@dataclass(frozen=True)
class Shape:
    """The model as plain numbers; anything else in the artifact's `config` is refused."""

    depth: int
    width: int
    head_size: int
    context: int
    mlp_ratio: int
    softcap: float
    rope_base: float

    def weights(self, vocab: int) -> dict[str, tuple[int, ...]]:
        deep, wide, hidden = self.depth, self.width, self.width * self.mlp_ratio
        square = (deep, wide, wide)
        return {
            "embed": (vocab, wide), "head": (vocab, wide),
            "query": square, "key": square, "value": square, "mix": square,
            "up": (deep, hidden, wide), "down": (deep, wide, hidden),
        }  # fmt: skip


LIMITS = {"depth": 64, "width": 4096, "head_size": 512, "context": 4096, "mlp_ratio": 64}
RANGES = {"softcap": (0.0, 1e4), "rope_base": (1.0, 1e9)}


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
    for name, (low, high) in RANGES.items():
        if type(config[name]) not in (int, float) or not low <= config[name] <= high:
            raise Rejected(f"config {name} is {config[name]!r}; it must be a number from {low:g} to {high:g}")
    if config["width"] % config["head_size"] or config["head_size"] % 2:
        raise Rejected(f"config width {config['width']} must be a multiple of head_size, and that even")
    return Shape(**config)


def read_artifact(path: Path, vocab: int) -> tuple[Shape, dict[str, Tensor]]:
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
    return shape, {name: torch.from_numpy(array.astype(np.float32)) for name, array in arrays.items()}


def device() -> torch.device:
    asked = os.environ.get("MEMEX_DEVICE", "")
    if asked:
        return torch.device(asked)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def norm(x: Tensor) -> Tensor:
    return x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + NORM_EPSILON)


def turn(x: Tensor, base: float) -> Tensor:
    """Rotary positions (arXiv:2104.09864): the pairs (i, i + half) of a head, turned as complex numbers."""
    half = x.shape[-1] // 2
    angles = torch.arange(x.shape[-2])[:, None] * base ** (-torch.arange(half) / half)
    cosine, sine = angles.cos().to(x), angles.sin().to(x)
    real, imaginary = x[..., :half], x[..., half:]
    return torch.cat([real * cosine - imaginary * sine, real * sine + imaginary * cosine], dim=-1)


def logits_of(shape: Shape, w: dict[str, Tensor], tokens: Tensor) -> Tensor:
    """Logits (B, T, V) of the token that follows each of `tokens` (B, T), in float32."""
    batch, context = tokens.shape
    size = shape.head_size
    future = torch.full((context, context), -math.inf, device=tokens.device).triu(1)
    x = norm(w["embed"][tokens])
    for layer in range(shape.depth):
        n = norm(x)
        q, k, v = (
            (n @ w[name][layer].mT).view(batch, context, -1, size).transpose(1, 2) for name in ("query", "key", "value")
        )
        q, k = norm(turn(q, shape.rope_base)), norm(turn(k, shape.rope_base))
        weights = (q @ k.mT / math.sqrt(size) + future).softmax(dim=-1)
        x = x + (weights @ v).transpose(1, 2).reshape(batch, context, shape.width) @ w["mix"][layer].mT
        x = x + F.relu(norm(x) @ w["up"][layer].mT).square() @ w["down"][layer].mT
    out = norm(x) @ w["head"].mT
    return shape.softcap * torch.tanh(out / shape.softcap) if shape.softcap > 0 else out


def bits(shape: Shape, w: dict[str, Tensor], tokens: prepare.Tokens) -> float:
    """Bits that the model needs for all of `tokens`, each counted once; raises Rejected where they are not finite."""
    before = np.concatenate([prepare.encode(b"\n"), tokens[:-1]])
    whole = len(tokens) // shape.context * shape.context
    batch = max(1, TOKENS_AT_ONCE // shape.context)
    inputs, targets = before[:whole].reshape(-1, shape.context), tokens[:whole].reshape(-1, shape.context)
    blocks = [(inputs[i : i + batch], targets[i : i + batch]) for i in range(0, len(inputs), batch)]
    if whole < len(tokens):
        blocks.append((before[None, whole:], tokens[None, whole:]))
    where = next(iter(w.values())).device
    total = 0.0
    for block, following in blocks:
        # The sum in double precision on the processor: not every device has it.
        logits = logits_of(shape, w, torch.from_numpy(block).to(where)).double().cpu()
        total += float(F.cross_entropy(logits.flatten(0, 1), torch.from_numpy(following).flatten(), reduction="sum"))
    if not math.isfinite(total):
        raise Rejected("the model's probabilities are not finite; its weights are too large")
    return total / math.log(2)


def main() -> int:
    parser = argparse.ArgumentParser(description="score out/weights.npz in bits per byte; lower is better")
    parser.add_argument("--split", choices=prepare.SPLITS, default="val", help="the text to score (default: val)")
    options = parser.parse_args()
    text = prepare.text(options.split)
    try:
        shape, weights = read_artifact(ARTIFACT, prepare.vocab_size())
        where = device()
        weights = {name: weight.to(where) for name, weight in weights.items()}
        with torch.inference_mode():
            score = bits(shape, weights, prepare.encode(text)) / len(text)
    except Rejected as reason:
        print(f"rejected: {reason}", file=sys.stderr)
        return 1
    # The harness looks for the metric by its name, so that name is printed whatever the split; `split` says which.
    print(f"split {options.split}, {len(text)} bytes\n---")
    if options.split != "val":
        print(f"{options.split}_bpb: {score:.6f}")
    print(f"val_bpb: {score:.6f}\nnum_params: {sum(weight.numel() for weight in weights.values())}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
