"""Locked: what simple counting and plain compressors make of the same text, for scale. Knows bytes, no neural model."""

from __future__ import annotations

import bz2
import lzma
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]


def baselines(train: bytes, split: bytes) -> Iterator[tuple[str, float]]:
    """Name and bits per byte of `split`, each model having seen `train` first."""
    for order, name in ((1, "unigram"), (3, "3gram"), (5, "5gram")):
        yield name, kneser_ney(train, split, order)
    for name, compress in (("bz2", _bz2), ("xz", _xz)):
        yield name, 8 * (compress(train + split) - compress(train)) / len(split)


def _bz2(data: bytes) -> int:
    return len(bz2.compress(data, 9))


def _xz(data: bytes) -> int:
    return len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))


def kneser_ney(train: bytes, split: bytes, order: int) -> float:
    """Interpolated Kneser-Ney over bytes, one discount an order (Chen and Goodman 1998, section 2.7); bits per byte.

    The n-grams before the first full context of `split` are read on from the end of `train`.
    """
    alphabet = np.unique(np.frombuffer(train + split, dtype=np.uint8))
    symbols = len(alphabet)
    seen = np.searchsorted(alphabet, np.frombuffer(train, dtype=np.uint8)).astype(np.int64)
    read_on = np.concatenate([seen[len(seen) - order + 1 :], np.searchsorted(alphabet, np.frombuffer(split, np.uint8))])
    probability = np.full(len(split), 1 / symbols)
    for n in range(1, order + 1):
        grams, counts = np.unique(_codes(seen, n, symbols), return_counts=True)
        if n < order:  # below the top order, count in how many contexts an n-gram occurs, not how often
            longer = np.unique(_codes(seen, n + 1, symbols))
            grams, counts = np.unique(longer % symbols**n, return_counts=True)
        once, twice = int((counts == 1).sum()), int((counts == 2).sum())
        discount = once / (once + 2 * twice) if once else 0.5
        contexts, start = np.unique(grams // symbols, return_index=True)
        sums, kinds = np.add.reduceat(counts, start), np.diff(np.append(start, len(grams)))
        asked = _codes(read_on[order - n :], n, symbols)
        count = _look_up(grams, counts, asked)
        total, kind = _look_up(contexts, sums, asked // symbols), _look_up(contexts, kinds, asked // symbols)
        known = total > 0
        mixed = (np.maximum(count - discount, 0) + discount * kind * probability) / np.maximum(total, 1)
        probability = np.where(known, mixed, probability)
    return -float(np.log(probability).sum()) / math.log(2) / len(split)


def _codes(symbols_of_text: Codes, n: int, symbols: int) -> Codes:
    """Every run of n symbols as one number, the last symbol in the lowest place."""
    length = len(symbols_of_text) - n + 1
    codes = np.zeros(length, dtype=np.int64)
    for place in range(n):
        codes = codes * symbols + symbols_of_text[place : place + length]
    return codes


def _look_up(keys: Codes, values: Codes, asked: Codes) -> Codes:
    at = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return np.where(keys[at] == asked, values[at], 0)
