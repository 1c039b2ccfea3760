"""What runs print of their progress, and when one is so far behind that it is cut short. Knows no process, no entry.

A run may print lines `progress 0.25 3.214`: the share of its budget that is used, and how it stands, in any measure
that is better in the same direction as the metric. It is believed to end a run, never to judge one.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from ...memory.effects.noise import Better, Noise, gain_of

Curve = list[tuple[float, float]]

#: Nothing is cut before this share of the budget: what starts slowly may end well.
EARLIEST = 0.3
#: So many points in a row must be behind, since one batch may be unlucky; so many runs make a usual one.
POINTS, LEAST_RUNS = 2, 4
_LINE = re.compile(r"^progress (\d*\.?\d+) ([-+]?\d*\.?\d+(?:e[-+]?\d+)?)\s*$", re.MULTILINE | re.ASCII)


def curve_in(log: str) -> Curve:
    """The progress lines of a log, in order of the share of the budget."""
    return sorted((float(share), float(value)) for share, value in _LINE.findall(log) if float(share) <= 1)


def value_at(curve: Curve, share: float) -> float | None:
    """Between two points of a curve on the line that joins them; None outside of what was printed."""
    place = bisect_left(curve, (share, -math.inf))
    if place == len(curve) or (place == 0 and curve[0][0] > share):
        return None
    (x1, y1) = curve[place]
    (x0, y0) = curve[place - 1] if place else curve[place]
    return y1 if x1 == x0 else y0 + (y1 - y0) * (share - x0) / (x1 - x0)


@dataclass(frozen=True)
class Pace:
    """How a campaign's runs stood on their way: the champion's, the others', and repeats of one commit in groups.

    `margin` is by how much a run must be behind both the champion and half of the others, in standard deviations of one
    run at that share of the budget.
    """

    champion: Sequence[Curve]
    others: Sequence[Curve]
    repeats: Sequence[Sequence[Curve]]
    better: Better
    margin: float

    def behind(self, curve: Curve) -> str:
        """Why a run is to be cut short at the last point of its curve, or ''; '' where too little is known."""
        last = [point for point in curve if point[0] >= EARLIEST][-POINTS:]
        if len(last) < POINTS:
            return ""
        told = ""
        for share, value in last:
            best, usual = self._known(self.champion, share), self._known(self.others, share)
            noise = Noise.pooled(self._known(group, share) for group in self.repeats)
            if not best or len(usual) < LEAST_RUNS or not noise.known or not noise.sigma:
                return ""
            error = noise.sigma * math.sqrt(1 + 1 / len(best))
            behind = min(-gain_of(value, level, self.better) for level in (fmean(best), median(usual)))
            if behind <= self.margin * error:
                return ""
            told = f"cut short at {share:.0%} of its budget: it stood at {value:.4g}, the champion there at "
            told += f"{fmean(best):.4g} and half of the earlier runs at {median(usual):.4g} or better, "
            told += f"{behind / error:.1f} standard errors ahead of it"
        return told

    @staticmethod
    def _known(curves: Iterable[Curve], share: float) -> list[float]:
        return [value for curve in curves if (value := value_at(curve, share)) is not None]
