"""Periods of a person's writing: where the vocabulary changes, by the cheapest cut of the years into stretches.

Each group weighs the same however long it is, so that one thick book makes no period. How often resampled groups give
the same cut is told beside it. Silence is not a change: a year without groups belongs to the stretch around it.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict

import numpy as np
from numpy.typing import NDArray

from .corpus import Corpus, Said, one_a_group, stem
from .statements import Period, Quote

_WORDS, _MOST_PERIODS, _LEAST_GROUPS = 400, 6, 5
_GROUP_WORDS = 300.0
_RESAMPLES, _NEAR_YEARS = 40, 1
_SHOWN_TERMS, _SHOWN_QUOTES = 8, 3
Counts = NDArray[np.float64]


def periods(corpus: Corpus) -> tuple[Period, ...]:
    """The periods in order; () where fewer than two could have five groups each."""
    by_group: dict[tuple[int, int], list[Said]] = defaultdict(list)
    for said in corpus.counted:
        if said.year is not None:
            by_group[said.group].append(said)
    common = Counter(word for said in corpus.counted for word in said.words)
    vocabulary = sorted(common, key=lambda word: (-common[word], word))[:_WORDS]
    place = {word: at for at, word in enumerate(vocabulary)}
    forms: dict[str, str] = {}
    for token, _ in Counter(token for said in corpus.counted for token in said.tokens).most_common():
        forms.setdefault(stem(token), token)
    rows: list[tuple[int, Counts]] = []
    for _, said_in in sorted(by_group.items()):
        held = [place[word] for said in said_in for word in said.words if word in place]
        row = np.bincount(held, minlength=len(vocabulary)).astype(np.float64)
        if row.sum() >= 10:
            rows.append((said_in[0].year or 0, row * min(1.0, _GROUP_WORDS / row.sum())))
    if len(rows) < 2 * _LEAST_GROUPS:
        return ()
    starts = _cut(rows)
    if len(starts) < 2:
        return ()
    stable = Counter[int]()
    chance = random.Random(0)
    for _ in range(_RESAMPLES):
        again = _cut(sorted(chance.choices(rows, k=len(rows)), key=lambda row: row[0]))
        stable.update(start for start in starts if any(abs(start - other) <= _NEAR_YEARS for other in again))
    years = sorted({year for year, _ in rows})
    found = []
    for at, start in enumerate(starts):
        end = max(year for year in years if at + 1 == len(starts) or year < starts[at + 1])
        now = _sum(rows, start, end)
        before = _sum(rows, starts[at - 1], start - 1) if at else np.zeros(len(vocabulary))
        entered, left = (_distinct(a, b, vocabulary) if at else () for a, b in ((now, before), (before, now)))
        wanted = entered or _distinct(now, _sum(rows, end + 1, 9999), vocabulary)
        quotes = _quotes(corpus, start, end, wanted)
        entered, left = (tuple(forms[word] for word in words) for words in (entered, left))
        stability = stable[start] / _RESAMPLES if at else 1.0
        found.append(Period(start, end, entered, left, quotes, round(stability, 2)))
    return tuple(found)


def _cut(rows: list[tuple[int, Counts]]) -> list[int]:
    """The first years of the stretches that cost least: the likelihood of their words, and a price for each stretch."""
    years = sorted({year for year, _ in rows})
    sums = np.array([_sum(rows, year, year) for year in years])
    groups = np.cumsum([0, *(sum(y == year for y, _ in rows) for year in years)])
    total = np.vstack([np.zeros(sums.shape[1]), np.cumsum(sums, axis=0)])
    # A stretch costs as many parameters as there are words; a fifth of BIC, since words of one group hang together.
    price = 0.1 * sums.shape[1] * np.log(max(2.0, total[-1].sum()))
    count = len(years)
    cost = np.full((count + 1, count + 1), np.inf)
    for i in range(count):
        for j in range(i + 1, count + 1):
            if groups[j] - groups[i] >= _LEAST_GROUPS:
                words = total[j] - total[i]
                share = words[words > 0] / words.sum()
                cost[i, j] = -(words[words > 0] * np.log(share)).sum() + price
    best = np.full((_MOST_PERIODS + 1, count + 1), np.inf)
    came = np.zeros((_MOST_PERIODS + 1, count + 1), int)
    best[0, 0] = 0.0
    for k in range(1, _MOST_PERIODS + 1):
        for j in range(1, count + 1):
            options = best[k - 1, :j] + cost[:j, j]
            came[k, j] = int(options.argmin())
            best[k, j] = options[came[k, j]]
    k, j, starts = int(best[:, count].argmin()), count, []
    while k and np.isfinite(best[k, j]):
        j = int(came[k, j])
        starts.append(years[j])
        k -= 1
    return sorted(starts)


def _sum(rows: list[tuple[int, Counts]], start: int, end: int) -> Counts:
    return sum((row for year, row in rows if start <= year <= end), np.zeros_like(rows[0][1]))


def _distinct(now: Counts, other: Counts, vocabulary: list[str]) -> tuple[str, ...]:
    """Words by log-odds with a prior from both sides, best first."""
    prior = (now + other) / max(1.0, (now + other).sum()) * 50 + 0.01
    a, b = now + prior, other + prior
    odds = np.log(a / (a.sum() - a)) - np.log(b / (b.sum() - b))
    z = odds / np.sqrt(1 / a + 1 / b)
    return tuple(vocabulary[at] for at in np.argsort(-z, kind="stable")[:_SHOWN_TERMS] if z[at] > 1)


def _quotes(corpus: Corpus, start: int, end: int, wanted: tuple[str, ...]) -> tuple[Quote, ...]:
    asked = set(wanted)
    inside = [one for one in corpus.counted if one.year and start <= one.year <= end and 10 <= len(one.tokens) <= 40]
    inside.sort(key=lambda one: (-len(asked.intersection(one.words)), one.source, one.start))
    return tuple(map(corpus.quote, one_a_group(inside)[:_SHOWN_QUOTES]))
