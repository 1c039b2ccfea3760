"""A modern small GPT in PyTorch with one dial, DEPTH. Edit anything here.

From DEPTH follow width, heads, batch and learning rates. Rotary positions, normalised queries and keys, squared ReLU,
RMSNorm; Muon (https://kellerjordan.github.io/posts/muon/) moves the matrices of the blocks, AdamW the two embeddings.
It trains for MEMEX_SECONDS of wall clock (default 30) on MEMEX_DEVICE (default: cuda, mps or cpu, the first there is)
and leaves plain arrays in out/weights.npz, which the locked evaluate.py scores with a forward pass of its own.
"""

from __future__ import annotations

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
import torch
import torch.nn.functional as F
from torch import Tensor

DEPTH = 2  # blocks; the dial that everything below hangs on
ASPECT = 64  # width = DEPTH * ASPECT
HEAD_SIZE = 32  # width of one head; even
MLP_RATIO = 4  # hidden width of the MLP, in units of the width
CONTEXT = 64  # tokens a sequence, in training and in scoring
BATCH_PER_DEPTH = 8  # sequences a step, for each block
MATRIX_RATE = 0.02  # Muon's learning rate, the same at every depth
EMBED_RATE = 0.1  # AdamW's for the token embedding, at width 128; falls with the square root of the width
HEAD_RATE = 0.01  # AdamW's for the output matrix, at width 128; likewise
MOMENTUM = 0.95  # Muon's memory of past gradients
NEWTON_STEPS = 5  # how well Muon makes its step orthogonal
BETA1 = 0.8  # AdamW's memory of the mean gradient
BETA2 = 0.95  # AdamW's memory of the mean squared gradient
WEIGHT_DECAY = 0.0  # pull of the matrices towards zero, in units of the learning rate
WARMUP = 0.02  # share of the time in which the rates rise
WARMDOWN = 0.6  # share of the time, at the end, in which they fall to zero
SOFTCAP = 15.0  # logits are bent into (-SOFTCAP, SOFTCAP); 0 leaves them alone
ROPE_BASE = 10000.0  # slowest turn of the rotary positions

WIDTH = DEPTH * ASPECT
HEADS = WIDTH // HEAD_SIZE
BATCH_SIZE = DEPTH * BATCH_PER_DEPTH
RATE_SCALE = (WIDTH / 128) ** -0.5
EMBEDDING_RATES = {"embed": EMBED_RATE, "head": HEAD_RATE}
EPSILON = 1e-5  # evaluate.py uses the same in its norm: leave it

Weights = dict[str, Tensor]


def device() -> torch.device:
    asked = os.environ.get("MEMEX_DEVICE", "")
    if asked:
        return torch.device(asked)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def initial_weights(where: torch.device, seed: int) -> Weights:
    """The weights by name; evaluate.py expects exactly these. Matrices of all blocks are stacked, one axis in front."""
    rng = torch.Generator().manual_seed(seed)

    def normal(*shape: int, deviation: float) -> Tensor:
        return torch.randn(*shape, generator=rng) * deviation

    vocab, hidden, narrow = prepare.vocab_size(), MLP_RATIO * WIDTH, WIDTH**-0.5
    weights = {
        "embed": normal(vocab, WIDTH, deviation=1.0), "head": normal(vocab, WIDTH, deviation=0.001),
        "query": normal(DEPTH, WIDTH, WIDTH, deviation=narrow), "key": normal(DEPTH, WIDTH, WIDTH, deviation=narrow),
        "value": normal(DEPTH, WIDTH, WIDTH, deviation=narrow), "mix": torch.zeros(DEPTH, WIDTH, WIDTH),
        "up": normal(DEPTH, hidden, WIDTH, deviation=narrow), "down": torch.zeros(DEPTH, WIDTH, hidden),
    }  # fmt: skip
    return {name: weight.to(where).requires_grad_() for name, weight in weights.items()}


def norm(x: Tensor) -> Tensor:
    return F.rms_norm(x, (x.shape[-1],), eps=EPSILON)


def rotary(context: int, where: torch.device) -> tuple[Tensor, Tensor]:
    """Cosine and sine (T, HEAD_SIZE / 2) of the angle of each position and pair (arXiv:2104.09864)."""
    pairs = torch.arange(HEAD_SIZE // 2, dtype=torch.float32)
    angles = torch.arange(context)[:, None] * ROPE_BASE ** (-2 * pairs / HEAD_SIZE)
    return angles.cos().to(where), angles.sin().to(where)


def turn(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turns the pairs (i, i + HEAD_SIZE / 2) of each head by the angle of their position."""
    left, right = x.chunk(2, dim=-1)
    return torch.cat([left * cosine - right * sine, left * sine + right * cosine], dim=-1)


def logits(w: Weights, tokens: Tensor) -> Tensor:
    """Logits (B, T, V) of the token that follows each of `tokens` (B, T)."""
    batch, context = tokens.shape
    cosine, sine = rotary(context, tokens.device)
    x = norm(F.embedding(tokens, w["embed"]))
    for layer in range(DEPTH):
        n = norm(x)
        q, k, v = (
            F.linear(n, w[name][layer]).view(batch, context, HEADS, HEAD_SIZE).transpose(1, 2)
            for name in ("query", "key", "value")
        )
        q, k = norm(turn(q, cosine, sine)), norm(turn(k, cosine, sine))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(batch, context, WIDTH)
        x = x + F.linear(mixed, w["mix"][layer])
        x = x + F.linear(F.relu(F.linear(norm(x), w["up"][layer])).square(), w["down"][layer])
    out = F.linear(norm(x), w["head"]).float()
    if SOFTCAP > 0:
        out = SOFTCAP * torch.tanh(out / SOFTCAP)
    return out


def orthogonal(matrices: Tensor) -> Tensor:
    """Each matrix of the stack with all its singular values near 1, by Newton and Schulz's iteration."""
    x = matrices.bfloat16() if matrices.is_cuda else matrices
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(NEWTON_STEPS):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    step: Tensor = x.mT if tall else x
    return step.to(matrices.dtype)


class Muon(torch.optim.Optimizer):
    """Momentum, then the nearest orthogonal matrix as the step; for stacks of matrices."""

    def __init__(self, parameters: list[Tensor]) -> None:
        super().__init__(parameters, {"lr": MATRIX_RATE})

    @torch.no_grad()
    def step(self, closure: object = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for weight in group["params"]:
                memory = self.state[weight].setdefault("memory", torch.zeros_like(weight))
                memory.lerp_(weight.grad, 1 - MOMENTUM)
                ahead = weight.grad.lerp(memory, MOMENTUM)  # Nesterov
                scale = max(1.0, weight.shape[-2] / weight.shape[-1]) ** 0.5
                weight.mul_(1 - group["lr"] * WEIGHT_DECAY)
                weight.add_(orthogonal(ahead), alpha=-group["lr"] * scale)


def schedule(progress: float) -> float:
    """Share of the peak rates at `progress` (0 to 1) of the time."""
    return max(0.0, min(1.0, progress / max(WARMUP, 1e-9), (1 - progress) / max(WARMDOWN, 1e-9)))


def save(w: Weights, folder: Path) -> None:
    """Plain arrays and, as JSON bytes, the shape of the model: all that evaluate.py ever sees of this run."""
    config = {"depth": DEPTH, "width": WIDTH, "head_size": HEAD_SIZE, "context": CONTEXT, "mlp_ratio": MLP_RATIO,
              "softcap": SOFTCAP, "rope_base": ROPE_BASE}  # fmt: skip
    arrays: dict[str, Any] = {name: weight.detach().float().cpu().numpy() for name, weight in w.items()}
    folder.mkdir(exist_ok=True)
    np.savez(folder / "weights.npz", config=np.frombuffer(json.dumps(config).encode(), dtype=np.uint8), **arrays)


def main() -> None:
    seconds, seed = float(os.environ.get("MEMEX_SECONDS", "30")), int(os.environ.get("MEMEX_SEED", "0"))
    if WIDTH % HEAD_SIZE or HEAD_SIZE % 2:
        raise SystemExit(f"DEPTH * ASPECT = {WIDTH} must be divisible by HEAD_SIZE = {HEAD_SIZE}, and that by 2")
    where = device()
    text = torch.from_numpy(prepare.encode(prepare.text("train"))).to(where)
    rng = torch.Generator().manual_seed(seed)
    w = initial_weights(where, seed)
    matrices = [weight for name, weight in w.items() if name not in EMBEDDING_RATES]
    embeddings = [{"params": [w[name]], "lr": rate * RATE_SCALE} for name, rate in EMBEDDING_RATES.items()]
    adam = torch.optim.AdamW(embeddings, betas=(BETA1, BETA2), eps=1e-10, weight_decay=0.0)
    optimizers: list[torch.optim.Optimizer] = [adam, Muon(matrices)]
    peaks = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    window = torch.arange(CONTEXT + 1, device=where)
    step, told, losses, started = 0, 0.0, list[float](), time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        starts = torch.randint(len(text) - CONTEXT, (BATCH_SIZE,), generator=rng).to(where)
        tokens = text[starts[:, None] + window]
        with torch.autocast(where.type, dtype=torch.bfloat16, enabled=where.type == "cuda"):
            scores = logits(w, tokens[:, :-1])
        loss = F.cross_entropy(scores.flatten(0, 1), tokens[:, 1:].flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        for optimizer, rates in zip(optimizers, peaks, strict=True):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * schedule(elapsed / seconds)
            optimizer.step()
            optimizer.zero_grad()
        step += 1
        if not math.isfinite(value := loss.item()):  # item() also waits for the device: the clock stays honest
            raise SystemExit(f"diverged at step {step}: the loss is {value}; lower the rates")
        losses.append(value)
        if elapsed >= told:  # the share of the time that is used, and the mean loss since the last such line
            print(f"progress {elapsed / seconds:.3f} {sum(losses) / len(losses):.4f}", flush=True)
            told, losses = told + seconds / 16, []
    save(w, Path("out"))
    print(f"---\nsteps: {step}\ntokens_per_second: {step * BATCH_SIZE * CONTEXT / elapsed:.0f}")
    print(f"training_seconds: {elapsed:.2f}\nnum_params: {sum(weight.numel() for weight in w.values())}")
    print(f"depth: {DEPTH}\nseed: {seed}\ndevice: {where.type}", flush=True)
    if "MEMEX" not in os.environ:  # the harness scores by itself; alone, the locked evaluator is asked here
        raise SystemExit(subprocess.run([sys.executable, "evaluate.py"]).returncode)


if __name__ == "__main__":
    main()
