"""Frozen: the text, its three splits and the tokenizer. Knows files and bytes; knows nothing of any model.

The tokenizer is byte-pair encoding over the bytes that occur in the text: `alphabet` gives one token to each of
them, then each merge, in order, replaces a pair of neighbouring tokens by a new one. Encoding is deterministic, so a
model that gives every token a probability gives the text one, and bits per byte do not depend on the vocabulary.

    python prepare.py OriginofSpecies.txt      writes data/ anew from the transcription named in data/SOURCE.md
"""

from __future__ import annotations

import json
import lzma
import sys
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DATA = Path(__file__).resolve().parent / "data"
SPLITS = ("train", "val", "test")
CHUNK_BYTES = 8192  # a chunk ends at the first line end behind this many bytes
SPLIT_OF_CHUNK = ("train", "train", "train", "train", "test", "train", "train", "train", "train", "val")
MERGES = 512

Tokens = NDArray[np.int64]


def text(split: str) -> bytes:
    """The bytes of a split; each is every tenth chunk of the book (train: the other eight), in order."""
    if split not in SPLITS:
        raise ValueError(f"no split {split!r}; there are {', '.join(SPLITS)}")
    return lzma.decompress((DATA / f"{split}.txt.xz").read_bytes())


@cache
def _tokenizer() -> tuple[bytes, list[tuple[int, int]]]:
    stored = json.loads((DATA / "bpe.json").read_text(encoding="utf-8"))
    return bytes(stored["alphabet"]), [(int(left), int(right)) for left, right in stored["merges"]]


def vocab_size() -> int:
    alphabet, merges = _tokenizer()
    return len(alphabet) + len(merges)


def encode(data: bytes) -> Tokens:
    """Token ids of `data`, merges applied in order, leftmost first; raises ValueError for a byte it never saw."""
    alphabet, merges = _tokenizer()
    ids = _bytes_to_ids(data, alphabet)
    for rank, (left, right) in enumerate(merges):
        ids = _merge(ids, left, right, len(alphabet) + rank)
    return ids.astype(np.int64)


def decode(ids: Tokens) -> bytes:
    """The bytes that these tokens stand for: decode(encode(data)) == data."""
    alphabet, merges = _tokenizer()
    pieces = [bytes([byte]) for byte in alphabet]
    for left, right in merges:
        pieces.append(pieces[left] + pieces[right])
    return b"".join(pieces[i] for i in ids.tolist())


def _bytes_to_ids(data: bytes, alphabet: bytes) -> NDArray[np.int32]:
    table = np.full(256, -1, dtype=np.int32)
    table[list(alphabet)] = np.arange(len(alphabet), dtype=np.int32)
    ids = table[np.frombuffer(data, dtype=np.uint8)]
    if ids.size and ids.min() < 0:
        raise ValueError(f"byte {data[int(ids.argmin())]:#04x} is not in the alphabet of data/bpe.json")
    return ids


def _merge(ids: NDArray[np.int32], left: int, right: int, new: int) -> NDArray[np.int32]:
    at = np.flatnonzero((ids[:-1] == left) & (ids[1:] == right))
    if left == right and at.size:  # in a run like aaaa only every second pair is free
        free, last = [], -2
        for position in at.tolist():
            if position > last + 1:
                free.append(position)
                last = position
        at = np.asarray(free)
    if not at.size:
        return ids
    ids = ids.copy()
    ids[at] = new
    return np.delete(ids, at + 1)


def _learn_merges(data: bytes, alphabet: bytes) -> list[tuple[int, int]]:
    """The most frequent pair becomes a token, MERGES times; of equally frequent pairs the smallest ids win.

    White space may only begin a token, so that no token reaches over the end of a word.
    """
    ids, merges = _bytes_to_ids(data, alphabet), []
    spaced = [byte in b" \n" for byte in alphabet]
    for new in range(len(alphabet), len(alphabet) + MERGES):
        counts = np.bincount(ids[:-1].astype(np.int64) * new + ids[1:], minlength=new * new).reshape(new, new)
        counts[:, spaced] = 0
        best = int(counts.argmax())
        merges.append((best // new, best % new))
        spaced.append(spaced[best // new])
        ids = _merge(ids, *merges[-1], new)
    return merges


def _cut(book: bytes) -> dict[str, bytes]:
    parts: dict[str, list[bytes]] = {split: [] for split in SPLITS}
    start = number = 0
    while start < len(book):
        end = book.find(b"\n", start + CHUNK_BYTES) + 1 or len(book)
        parts[SPLIT_OF_CHUNK[number % len(SPLIT_OF_CHUNK)]].append(book[start:end])
        start, number = end, number + 1
    return {split: b"".join(chunks) for split, chunks in parts.items()}


def _write(source: Path) -> None:
    book = source.read_bytes().replace(b"\r\n", b"\n")
    book = book[: book.index(b"\nINDEX.\n")].strip(b"\n") + b"\n"  # behind it: index and the transcriber's errata
    DATA.mkdir(exist_ok=True)
    splits = _cut(book)
    for split, data in splits.items():
        (DATA / f"{split}.txt.xz").write_bytes(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))
    alphabet = bytes(sorted(set(book)))
    merges = _learn_merges(splits["train"], alphabet)
    stored = {"alphabet": list(alphabet), "merges": merges}
    (DATA / "bpe.json").write_text(json.dumps(stored, separators=(",", ":")) + "\n", encoding="utf-8")
    _tokenizer.cache_clear()


if __name__ == "__main__":
    if len(sys.argv) == 2:
        _write(Path(sys.argv[1]))
    for name in SPLITS:
        print(f"{name}: {len(text(name))} bytes, {len(encode(text(name)))} tokens of {vocab_size()}")
