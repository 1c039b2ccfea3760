"""A small GPT, whole: forward, backward by hand, AdamW and the loop, in NumPy. Edit anything here.

It trains for MEMEX_SECONDS of wall clock (default 15) and leaves plain arrays in out/weights.npz. evaluate.py, which
is locked, scores that file alone; it holds its own forward pass for the family of models that README.md describes.
Letters in comments: B sequences of T tokens, width D, H heads, vocabulary V, L layers; N = B * T rows.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import prepare
from numpy.typing import NDArray

LEARNING_RATE = 2e-3  # peak; the schedule below multiplies it
BATCH_SIZE = 16  # sequences a step
CONTEXT = 64  # tokens a sequence, in training and in scoring
LAYERS = 1
WIDTH = 64  # must be divisible by HEADS
HEADS = 2
MLP_RATIO = 4  # hidden width of the MLP, in units of WIDTH
ACTIVATION = "gelu"  # gelu, relu, relu2 or silu
TIE_HEAD = False  # True: the embedding is also the output matrix
INIT_STD = 0.02  # standard deviation of all initial weights
WARMUP = 0.05  # share of the time in which the learning rate rises to its peak
WEIGHT_DECAY = 0.1  # pull towards zero, in units of the learning rate
BETA1 = 0.9  # memory of the mean gradient
BETA2 = 0.99  # memory of the mean squared gradient
GRAD_CLIP = 1.0  # longest gradient allowed

Array = NDArray[Any]  # float32 in training; the gradient test uses float64
Arrays = dict[str, Array]
EPSILON = np.float32(1e-5)  # evaluate.py uses the same in its norm: leave it
ONE, GELU_SCALE = np.float32(1), np.float32(2 * math.sqrt(2 / math.pi))
GELU_CUBE = np.float32(0.044715) * GELU_SCALE


def shapes() -> dict[str, tuple[int, ...]]:
    """The weights by name; evaluate.py expects exactly these."""
    vocab, hidden = prepare.vocab_size(), MLP_RATIO * WIDTH
    named = {
        "embed": (vocab, WIDTH), "position": (CONTEXT, WIDTH), "head": (vocab, WIDTH),
        "qkv": (LAYERS, WIDTH, 3 * WIDTH), "mix": (LAYERS, WIDTH, WIDTH),
        "up": (LAYERS, WIDTH, hidden), "down": (LAYERS, hidden, WIDTH),
    }  # fmt: skip
    if TIE_HEAD:
        del named["head"]
    return named


def views(flat: Array) -> Arrays:
    """The named weights as windows into one flat vector, so that the optimizer is a few lines over one array."""
    named, start = {}, 0
    for name, shape in shapes().items():
        named[name] = flat[start : start + math.prod(shape)].reshape(shape)
        start += math.prod(shape)
    return named


def norm(x: Array) -> tuple[Array, Array]:
    """RMSNorm without gain: rows of root mean square 1; also the factor of each row, for the way back."""
    factor = 1 / np.sqrt(np.einsum("nd,nd->n", x, x)[:, None] / x.shape[1] + EPSILON)
    return x * factor, factor


def norm_back(grad: Array, y: Array, factor: Array) -> Array:
    along = np.einsum("nd,nd->n", grad, y)[:, None] / y.shape[1]
    before: Array = (grad - y * along) * factor
    return before


def activate(x: Array) -> tuple[Array, Array]:
    """The activation and its derivative, elementwise."""
    if ACTIVATION == "relu":
        y = np.maximum(x, 0)
        return y, (x > 0).astype(x.dtype)
    if ACTIVATION == "relu2":
        y = np.maximum(x, 0)
        return y * y, 2 * y
    if ACTIVATION in (
        "gelu",
        "silu",
    ):  # x * sigmoid(x * a), or for the tanh form of GELU x * sigmoid(x * (a + b * x * x))
        a, b = (GELU_SCALE, GELU_CUBE) if ACTIVATION == "gelu" else (ONE, np.float32(0))
        square = x * x
        gate = square * -b
        gate -= a
        gate *= x
        np.exp(gate, out=gate)
        gate += ONE
        np.divide(ONE, gate, out=gate)
        y = x * gate
        slope = (3 * b) * square
        slope += a
        slope *= y - y * gate
        slope += gate
        return y, slope
    raise SystemExit(f"ACTIVATION is {ACTIVATION!r}; it can be gelu, relu, relu2 or silu")


def loss_and_gradient(w: Arrays, g: Arrays, inputs: NDArray[np.int64], targets: NDArray[np.int64]) -> float:
    """Mean cross-entropy in nats of `targets` (B, T), given `inputs` (B, T); overwrites `g` with its gradient."""
    batch, context = inputs.shape
    size = WIDTH // HEADS
    scale = np.asarray(1 / math.sqrt(size), dtype=w["embed"].dtype)
    rows, future = inputs.ravel(), np.triu(np.full((context, context), -np.inf, dtype=w["embed"].dtype), 1)
    head, g_head = (w["embed"], g["embed"]) if TIE_HEAD else (w["head"], g["head"])

    # Forward. x is the residual stream (N, D); what the way back needs is kept, layer by layer.
    x = (w["embed"][inputs] + w["position"]).reshape(-1, WIDTH)
    kept = []
    for layer in range(LAYERS):
        n1, f1 = norm(x)
        qkv = (n1 @ w["qkv"][layer]).reshape(batch, context, 3, HEADS, size).transpose(2, 0, 3, 1, 4)
        q, k, v = np.ascontiguousarray(qkv)  # each (B, H, T, D/H)
        att = (q * scale) @ k.swapaxes(2, 3)  # (B, H, T, T)
        att += future  # nothing looks ahead
        att -= att.max(axis=-1, keepdims=True)
        np.exp(att, out=att)
        att /= att.sum(axis=-1, keepdims=True)
        mixed = (att @ v).swapaxes(1, 2).reshape(-1, WIDTH)
        x = x + mixed @ w["mix"][layer]
        n2, f2 = norm(x)
        hidden, slope = activate(n2 @ w["up"][layer])
        x = x + hidden @ w["down"][layer]
        kept.append((n1, f1, q, k, v, att, mixed, n2, f2, hidden, slope))
    last, f_last = norm(x)
    probs = last @ head.T  # (N, V): logits, then their exponentials, in place
    probs -= probs.max(axis=1, keepdims=True)
    np.exp(probs, out=probs)
    total, picked = probs.sum(axis=1), (np.arange(rows.size), targets.ravel())
    loss = -float(np.log(np.maximum(probs[picked], 1e-30) / total).mean())

    # Backward, in reverse order. The gradient of the logits is (probabilities - one-hot) / N.
    probs /= (total * np.float32(rows.size))[:, None]
    probs[picked] -= np.float32(1 / rows.size)
    np.matmul(probs.T, last, out=g_head)
    dx = norm_back(probs @ head, last, f_last)
    for layer in reversed(range(LAYERS)):
        n1, f1, q, k, v, att, mixed, n2, f2, hidden, slope = kept[layer]
        np.matmul(hidden.T, dx, out=g["down"][layer])
        slope *= dx @ w["down"][layer].T  # now the gradient before the activation
        np.matmul(n2.T, slope, out=g["up"][layer])
        dx = dx + norm_back(slope @ w["up"][layer].T, n2, f2)
        np.matmul(mixed.T, dx, out=g["mix"][layer])
        d_mixed = (dx @ w["mix"][layer].T).reshape(batch, context, HEADS, size).swapaxes(1, 2)
        d_att = d_mixed @ v.swapaxes(2, 3)
        d_att -= np.einsum("bhqk,bhqk->bhq", d_att, att)[..., None]  # softmax on the way back
        d_att *= att
        d_att *= scale
        d_qkv = np.empty((batch, context, 3, HEADS, size), dtype=dx.dtype)
        d_q, d_k, d_v = d_qkv.transpose(2, 0, 3, 1, 4)
        d_q[:], d_k[:], d_v[:] = d_att @ k, d_att.swapaxes(2, 3) @ q, att.swapaxes(2, 3) @ d_mixed
        d_rows = d_qkv.reshape(-1, 3 * WIDTH)
        np.matmul(n1.T, d_rows, out=g["qkv"][layer])
        dx = dx + norm_back(d_rows @ w["qkv"][layer].T, n1, f1)
    g["position"][:] = dx.reshape(batch, context, WIDTH).sum(axis=0)
    if not TIE_HEAD:
        g["embed"][:] = 0
    order = np.argsort(rows)  # rows of the same token side by side, so that one pass sums them
    first = np.flatnonzero(np.diff(rows[order], prepend=-1))
    g["embed"][rows[order][first]] += np.add.reduceat(dx[order], first, axis=0)
    return loss


class AdamW:
    """Adam with decoupled weight decay (arXiv:1711.05101), over one flat vector of weights."""

    def __init__(self, size: int) -> None:
        self.mean, self.square = np.zeros(size, dtype=np.float32), np.zeros(size, dtype=np.float32)
        self.steps = 0

    def update(self, weights: Array, gradient: Array, rate: float) -> None:
        self.steps += 1
        length = math.sqrt(float(gradient @ gradient))
        if GRAD_CLIP > 0 and length > GRAD_CLIP:
            gradient *= np.float32(GRAD_CLIP / length)
        self.mean += np.float32(1 - BETA1) * (gradient - self.mean)
        self.square += np.float32(1 - BETA2) * (gradient * gradient - self.square)
        spread = np.sqrt(self.square / np.float32(1 - BETA2**self.steps)) + np.float32(1e-8)
        weights *= np.float32(1 - rate * WEIGHT_DECAY)
        weights -= np.float32(rate / (1 - BETA1**self.steps)) * self.mean / spread


def schedule(progress: float) -> float:
    """Share of the peak learning rate at `progress` (0 to 1) of the time: up during WARMUP, then straight down."""
    return min(progress / max(WARMUP, 1e-9), (1 - progress) / max(1 - WARMUP, 1e-9))


def save(w: dict[str, Any], folder: Path) -> None:
    """Plain arrays and, as JSON bytes, the shape of the model: all that evaluate.py ever sees of this run."""
    config = {"layers": LAYERS, "width": WIDTH, "heads": HEADS, "context": CONTEXT, "mlp_ratio": MLP_RATIO,
              "activation": ACTIVATION, "tie_head": TIE_HEAD}  # fmt: skip
    folder.mkdir(exist_ok=True)
    np.savez(folder / "weights.npz", config=np.frombuffer(json.dumps(config).encode(), dtype=np.uint8), **w)


def keep_freed_memory() -> None:
    """Asks glibc not to hand freed arrays back, else page faults take a third of each step; elsewhere does nothing."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(-3, 1 << 28)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD


def main() -> None:
    seconds, seed = float(os.environ.get("MEMEX_SECONDS", "15")), int(os.environ.get("MEMEX_SEED", "0"))
    keep_freed_memory()
    text = prepare.encode(prepare.text("train"))
    random = np.random.default_rng(seed)
    weights = random.normal(0, INIT_STD, sum(math.prod(shape) for shape in shapes().values())).astype(np.float32)
    gradient, optimizer = np.zeros_like(weights), AdamW(weights.size)
    w, g = views(weights), views(gradient)
    window, told, losses, started = np.arange(CONTEXT + 1), 0.0, list[float](), time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        starts = random.integers(0, len(text) - CONTEXT, BATCH_SIZE)
        tokens = text[starts[:, None] + window]
        loss = loss_and_gradient(w, g, tokens[:, :-1], tokens[:, 1:])
        if not math.isfinite(loss):
            raise SystemExit(f"diverged at step {optimizer.steps}: the loss is {loss}; lower LEARNING_RATE")
        optimizer.update(weights, gradient, LEARNING_RATE * schedule(elapsed / seconds))
        losses.append(loss)
        if elapsed >= told:  # the share of the time that is used, and the mean loss since the last such line
            print(f"progress {elapsed / seconds:.3f} {sum(losses) / len(losses):.4f}", flush=True)
            told, losses = told + seconds / 16, []
    save(w, Path("out"))
    print(f"---\nsteps: {optimizer.steps}")
    print(f"tokens_per_second: {optimizer.steps * BATCH_SIZE * CONTEXT / elapsed:.0f}")
    print(f"training_seconds: {elapsed:.2f}\nnum_params: {weights.size}\nseed: {seed}", flush=True)
    if "MEMEX" not in os.environ:  # the harness scores by itself; alone, the locked evaluator is asked here
        raise SystemExit(subprocess.run([sys.executable, "evaluate.py"]).returncode)


if __name__ == "__main__":
    main()
