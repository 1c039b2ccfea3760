"""The novelty rules of MemoryLab, written again from a description of them, to be replayed beside ours.

After pauldebdeep9/autoresearch at commit 21d9fc2 (memorylab_core/novelty.py). Descriptions only: logs have no tags and
no family, and the command that asks has no hypothesis. No code of the original is used.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

_PHRASES = {
    "learning rate": "lr",
    "step size": "lr",
    "matrix learning rate": "matrix_lr",
    "matrix lr": "matrix_lr",
    "embedding learning rate": "embedding_lr",
    "unembedding learning rate": "unembedding_lr",
    "scalar learning rate": "scalar_lr",
    "value embeddings": "value_embedding",
    "value embedding": "value_embedding",
    "cuda out of memory": "oom",
    "out of memory": "oom",
    "warm down": "warmdown",
    "cool down": "warmdown",
    "gradient accumulation": "grad_accum",
    "batch size": "batch_size",
    "window pattern": "window_pattern",
    "attention window": "window_pattern",
    "head dimension": "head_dim",
    "model width": "width",
}
_TOKENS = {
    **dict.fromkeys(("increase", "increasing", "raise", "higher", "boost", "larger", "bigger"), "up"),
    **dict.fromkeys(("decrease", "decreasing", "lower", "reduce", "reducing", "shorten", "smaller"), "down"),
    "cooldown": "warmdown",
    "schedule": "sched",
    "optimizer": "optim",
    "activation": "act",
    **dict.fromkeys(("geglu", "swiglu", "glu"), "gated_act"),
}
_STOPWORDS = {
    "a", "an", "and", "are", "as", "at", "baseline", "be", "by", "for", "from", "if", "in", "into", "is", "it",
    "keep", "of", "on", "or", "the", "to", "try", "up", "use", "with",
}  # fmt: skip
_SHORT = {"lr", "kv", "ve", "fa", "mlp", "oom"}
_CONCEPTS = {
    "lr": r"lr",
    "schedule": r"warmup|warmdown|sched",
    "memory": r"oom|memory|vram",
    "architecture": r"width|depth|head_dim|heads|attention|window_pattern|act|mlp|value_embedding",
    "batching": r"batch_size|grad_accum|tokens|sequence|context",
    "optimizer": r"muon|adamw|optim|weight_decay|beta",
}
_THRESHOLD = 0.62
_SHIFT = {"explore": -0.05, "exploit": 0.0, "replicate": -0.08}
_ORDER = ("duplicate_run", "repeat_failure", "incremental_followup", "known_success")
POLICY = {
    "explore": {"novel": "allow"} | dict.fromkeys(_ORDER, "block"),
    "exploit": {
        "novel": "caution", "duplicate_run": "block", "repeat_failure": "block", "incremental_followup": "allow",
        "known_success": "allow",
    },
    "replicate": {
        "novel": "block", "duplicate_run": "allow", "repeat_failure": "block", "incremental_followup": "allow",
        "known_success": "allow",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Text:
    """A description as MemoryLab compares it."""

    normal: str
    tokens: frozenset[str]
    concepts: frozenset[str]
    numbers: frozenset[str]

    @classmethod
    def of(cls, description: str) -> Text:
        text = description.lower().replace("-", " ")
        for phrase in sorted(_PHRASES, key=len, reverse=True):
            text = text.replace(phrase, _PHRASES[phrase])
        words = [_TOKENS.get(word, word) for word in re.findall(r"[a-z0-9_]+", text)]
        normal = " ".join(words)
        numbers = frozenset(f"num:{number}" for number in re.findall(r"\b\d+(?:\.\d+)?\b", normal))
        found = frozenset(name for name, pattern in _CONCEPTS.items() if re.search(rf"\b(?:{pattern})\b", normal))
        kept = (word for word in words if word not in _STOPWORDS and (len(word) > 2 or word in _SHORT))
        return cls(normal, frozenset(kept), found | numbers, numbers)


def score(a: Text, b: Text) -> float:
    ratio = SequenceMatcher(None, a.normal, b.normal).ratio()
    return round(
        0.30 * ratio
        + 0.35 * _jaccard(a.tokens, b.tokens)
        + 0.25 * _jaccard(a.concepts, b.concepts)
        + 0.10 * _jaccard(a.numbers, b.numbers),
        3,
    )


def classify(text: Text, earlier: Sequence[tuple[Text, str]], mode: str) -> str:
    """The class of a description given earlier (description, status), the gravest of its matches."""
    found: set[str] = set()
    for other, status in earlier:
        value = score(text, other)
        duplicate = text.normal == other.normal or (value >= 0.96 and text.tokens == other.tokens)
        if duplicate:
            found.add("duplicate_run")
        elif value >= _THRESHOLD + _SHIFT[mode]:
            found.add("repeat_failure" if status in ("discard", "crash") else "known_success")
    return next((category for category in _ORDER if category in found), "novel")


def replay(runs: Sequence[tuple[str, str]], mode: str) -> list[tuple[str, str]]:
    """(class, decision) for each run of a log, (description, status), each checked against the earlier ones."""
    texts = [Text.of(description) for description, _ in runs]
    earlier: list[tuple[Text, str]] = []
    result = []
    for text, (_, status) in zip(texts, runs, strict=True):
        category = classify(text, earlier, mode)
        result.append((category, POLICY[mode][category]))
        earlier.append((text, status))
    return result


def _jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b) if a | b else 0.0
