"""Terms of a corpus over time, and ways of thinking: terms by how often they are used and by how much hangs on them.

Terms are phrases of two to four words by C-value: how often, less what a longer phrase accounts for. A model is a term
that explanations lean on; frequency and load are two numbers and never one.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict

from .corpus import _COMMON, Corpus, Said
from .statements import Model, Term

_MOST_TERMS, _MOST_MODELS, _MOST_USES = 80, 30, 6
_LEAST_USES, _LEAST_GROUPS, _LEAST_COUNT = 3, 2, 8
_EXPLAINS = re.compile(
    r"\b(?:because|therefore|thus|hence|explain(?:s|ed)?|explanation|account(?:s|ed)? for|owing to|through|by means "
    r"of|due to|"
    r"consequently|follows from|the cause of|lead(?:s)? to|result(?:s|ed)? (?:of|from)|depends? on|in accordance "
    r"with|on the "
    r"(?:theory|principle|view|belief) of)\b"
)
_LIKENS = re.compile(
    r"\b(?:(?:be|been|is|are) (?:well |aptly |roughly )?(?:compared|likened) (?:to|with)|as if by|metaphor\w*|think "
    r"of \w+ as|"
    r"look at \w+ as|is basically|is the new|so to speak|as it were|in the same (?:manner|way) as|(?:is|are|was|were|"
    r"seems?|acts?) "
    r"like an? )\b"
)
_EDGES = frozenset(
    re.findall(
        r"\w+",
        "south north east west new old whole large small number part parts year years day days time times "
        "thousand hundred feet miles sincerely point view feel become",
    )
)


def term_counts(corpus: Corpus) -> Counter[tuple[str, ...]]:
    """How often each phrase of two to four content words without a stop word between them is used in own voice."""
    counts = Counter[tuple[str, ...]]()
    for said in corpus.counted:
        run: list[str] = []
        for word in [*said.tokens, ""]:
            if len(word) > 2 and word not in _COMMON:
                run.append(word)
                continue
            for size in (2, 3, 4):
                counts.update(tuple(run[i : i + size]) for i in range(len(run) - size + 1))
            run = []
        tokens = said.tokens  # and nouns that belong to another: struggle for existence, origin of species
        for i in range(len(tokens) - 2):
            if tokens[i + 1] in ("of", "for") and all(
                len(w) > 3 and w not in _COMMON for w in (tokens[i], tokens[i + 2])
            ):
                counts[tokens[i], tokens[i + 1], tokens[i + 2]] += 1
    return counts


def terms(corpus: Corpus) -> tuple[Term, ...]:
    """The terms with the highest C-value that two groups or more use, each with its uses by year."""
    counts = Counter({term: n for term, n in term_counts(corpus).items() if n >= _LEAST_COUNT})
    longer: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for term, n in counts.items():
        for size in range(2, len(term)):
            for i in range(len(term) - size + 1):
                longer[term[i : i + size]].append(n)
    scored = []
    for term, n in counts.items():
        around = longer.get(term, [])
        content = [word for word in term if word not in ("of", "for")]
        if not set(content) & _EDGES:
            scored.append(
                (math.log2(len(term) + 0.1) * (n - sum(around) / len(around) if around else n), " ".join(term))
            )
    scored.sort(key=lambda item: (-item[0], item[1]))
    best = {term: score for score, term in scored[: 3 * _MOST_TERMS]}
    found: list[Term] = []
    uses = uses_of(corpus, list(best))
    for name, score in best.items():
        said = uses[name]
        if len({one.group for one in said}) >= _LEAST_GROUPS and len(found) < _MOST_TERMS:
            years = Counter(one.year for one in said if one.year is not None)
            found.append(Term(name, round(score, 1), min(years, default=None), dict(sorted(years.items()))))
    return tuple(found)


def uses_of(corpus: Corpus, wanted: list[str]) -> dict[str, list[Said]]:
    """The counted sentences that hold each term, in order."""
    found: dict[str, list[Said]] = {term: [] for term in wanted}
    if not wanted:
        return found
    first: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for name in wanted:
        first[name.split()[0]].append(tuple(name.split()))
    for said in corpus.counted:
        tokens = said.tokens
        seen = set[tuple[str, ...]]()
        for place, word in enumerate(tokens):
            for term in first.get(word, ()):
                if term not in seen and tuple(tokens[place : place + len(term)]) == term:
                    seen.add(term)
                    found[" ".join(term)].append(said)
    return found


def models(corpus: Corpus, known: tuple[Term, ...]) -> tuple[Model, ...]:
    """Terms that explanations lean on more than on most: by load, with a use as a metaphor first where there is one."""
    uses = uses_of(corpus, [term.term for term in known])
    found = []
    for one_term in known:
        said = uses[one_term.term]
        groups = {one.group for one in said}
        leaning = [one for one in said if _EXPLAINS.search(one.text)]
        if len(said) < _LEAST_USES or len(groups) < _LEAST_GROUPS or len(leaning) < _LEAST_USES:
            continue
        shown = sorted(
            leaning, key=lambda one: (_LIKENS.search(one.text) is None, len(one.tokens) > 40, one.segment.date)
        )
        spread: dict[tuple[int, int], Said] = {}
        for one in shown:
            spread.setdefault(one.group, one)
        years = Counter(one.year for one in said if one.year is not None)
        share = len(leaning) / len(said)
        quotes = tuple(corpus.quote(one) for one in list(spread.values())[:_MOST_USES])
        found.append((share, Model(one_term.term, len(groups), len(leaning), quotes, dict(sorted(years.items())))))
    if not found:
        return ()
    middle = sorted(share for share, _ in found)[len(found) // 2]
    kept = [model for share, model in found if share >= middle]
    return tuple(sorted(kept, key=lambda model: (-model.load, model.name))[:_MOST_MODELS])
