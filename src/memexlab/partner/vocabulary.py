"""Terms of a corpus over time, and ways of thinking: terms by how often they are used and by how much hangs on them.

Terms are phrases of two to four words by C-value: how often, less what a longer phrase accounts for. A model is a term
that explanations lean on; frequency and load are two numbers and never one.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from .corpus import COMMON, Corpus, Said, by_year, groups_of, one_a_group
from .statements import Model, Term

_MOST_TERMS, _MOST_MODELS, _MOST_USES = 80, 30, 6
_LEAST_USES, _LEAST_GROUPS, _LEAST_COUNT = 3, 2, 8
_LEAST_SHARE = 0.15
#: What stands right before a term that is given as a reason, and right after one that does something.
_BEFORE = (
    "through|by means of|owing to|due to|results? of|because of|in accordance with|depend(?:s|ed|ing)? on|explain(?:ed|"
    "s)? by|account(?:ed|s)? for by|effects? of|action of|consequences? of|principle of|laws? of|theory of|doctrine of|"
    "agency of|means of|attribut\\w+ to|caused by|gained by|acquired by|produced by|modified by|follows from|leads? to"
)
_BETWEEN = "(?:(?:the|this|a|an|some|of|their|his|its|mere|simple|continued|unconscious|such)\\s+){0,2}(?:\\w+\\s+)?"
_AFTER = "will|would|could|may|might|must|acts?|acting|explains?|accounts?|leads?|causes?|preserves?|tends?|follows"
_EDGES = frozenset(
    """south north east west new old whole large small number part parts year years day days time times thousand hundred
    feet miles sincerely point view feel become opposite sides alone cannot doubt""".split()  # noqa: SIM905
)


def term_counts(corpus: Corpus) -> dict[tuple[str, ...], int]:
    """How often each phrase of two to four content words without a stop word between them is used in own voice."""
    counts: defaultdict[tuple[str, ...], int] = defaultdict(int)
    for said in corpus.counted:
        tokens, run = said.tokens, 0
        for place, word in enumerate(tokens):
            if len(word) < 3 or word in COMMON:
                if word in ("of", "for") and 0 < place < len(tokens) - 1:  # struggle for existence, origin of species
                    a, b = tokens[place - 1], tokens[place + 1]
                    if len(a) > 3 and len(b) > 3 and a not in COMMON and b not in COMMON:
                        counts[a, word, b] += 1
                        if (end := tokens[place + 2 : place + 3]) and len(end[0]) > 3 and end[0] not in COMMON:
                            counts[a, word, b, end[0]] += 1
                run = 0
                continue
            run += 1
            for size in range(2, min(run, 4) + 1):
                counts[tuple(tokens[place - size + 1 : place + 1])] += 1
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
        if not set(term) & _EDGES:
            alone = n - sum(around) / len(around) if around else n
            scored.append((math.log2(len(term) + 0.1) * alone, " ".join(term)))
    scored.sort(key=lambda item: (-item[0], item[1]))
    best = {term: score for score, term in scored[: 3 * _MOST_TERMS]}
    found: list[Term] = []
    uses = uses_of(corpus, list(best))
    for name, score in best.items():
        said = uses[name]
        if groups_of(said) >= _LEAST_GROUPS and len(found) < _MOST_TERMS:
            years = by_year(said)
            found.append(Term(name, round(score, 1), min(years, default=None), years))
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


def leaning(term: str, said: Sequence[Said]) -> list[Said]:
    """Of sentences that hold a term, those that give it as a reason, by the words around it."""
    words = re.escape(term).replace("\\ ", "\\s+")
    given = re.compile(
        rf"\b(?:{_BEFORE})\s+{_BETWEEN}{words}\b|\bon (?:the|my|this) {words}\b|\b{words}\s+(?:{_AFTER})\b", re.I
    )
    return [one for one in said if given.search(one.text)]


def models(corpus: Corpus, known: tuple[Term, ...]) -> tuple[Model, ...]:
    """Terms that are given as a reason in three sentences of two groups, and not just now and then; by load.

    A longer term that holds one of more load is that one."""
    found = []
    for name, said in uses_of(corpus, [term.term for term in known]).items():
        leans = leaning(name, said)
        spread = one_a_group(sorted(leans, key=lambda one: (len(one.tokens) > 40, one.segment.date)))
        if len(leans) < _LEAST_USES or len(spread) < _LEAST_GROUPS or len(leans) < _LEAST_SHARE * len(said):
            continue
        quotes = tuple(map(corpus.quote, spread[:_MOST_USES]))
        found.append(Model(name, groups_of(said), len(leans), quotes, by_year(said)))
    kept: list[Model] = []
    for model in sorted(found, key=lambda model: (-model.load, model.name)):
        if not any(re.search(rf"\b{re.escape(one.name)}\b", model.name) for one in kept):
            kept.append(model)
    return tuple(kept[:_MOST_MODELS])
