"""Puts names beside marks without overlap, and estimates how wide a text will be. Knows boxes, not runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

#: How much wider bold text is.
BOLD = 1.13

_CELL = 6.0
_Place = tuple[float, float]
_NARROW = frozenset("iljtfrI.,:;'|!()[]{} /\\\"-")
_WIDE = frozenset("mwMW%@OQGDH—→←+=<>±~")


def text_width(text: str, size: float) -> float:
    """Width in the unit of `size`, a little generous: DejaVu Sans is wider than most system fonts."""
    ems = 0.0
    for char in text:
        if ord(char) >= 0x2E80:
            ems += 1.05
        elif char in _NARROW:
            ems += 0.4
        elif char in _WIDE:
            ems += 0.87
        else:
            ems += 0.68 if char.isupper() else 0.63
    return ems * size


def shorten(text: str, limit_chars: int) -> str:
    """The text, cut at a word where it is longer than `limit_chars`; a remark in brackets at its end goes first."""
    text = " ".join(text.split())
    if len(text) > limit_chars and text.endswith(")") and "(" in text[4:]:
        text = text[: text.rindex("(")].rstrip() or text
    if len(text) <= limit_chars:
        return text
    cut = text[: limit_chars - 1]
    space = cut.rfind(" ")
    return (cut[:space] if space > limit_chars * 0.6 else cut).rstrip(" ,;:-→(") + "…"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, y downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box) -> bool:
        beside = self.right <= other.left or other.right <= self.left
        return not (beside or self.bottom <= other.top or other.bottom <= self.top)

    def inside(self, other: Box) -> bool:
        wide = other.left <= self.left and self.right <= other.right
        return wide and other.top <= self.top and self.bottom <= other.bottom

    def has(self, x: float, y: float) -> bool:
        return self.left < x < self.right and self.top < y < self.bottom

    def within(self, y: float) -> float:
        """The height, or the edge that is nearest to it."""
        return min(self.bottom, max(self.top, y))


@dataclass(frozen=True, slots=True)
class Placed:
    """A text at its place; `leader` is where a thin line starts towards its mark, or None where the text touches it."""

    text: str
    x: float
    y: float
    anchor: str
    leader: _Place | None


class Placer:
    """Places texts one after the other; earlier ones keep their place. Texts never overlap one another."""

    def __init__(self, area: Box, size: float, ink: Iterable[_Place], marks: Iterable[_Place] = ()) -> None:
        self.area, self.size, self._marks = area, size, list(marks)
        self._ink = Counter(_cell(x, y) for x, y in ink)
        self._boxes: list[Box] = []
        self._leaders: list[_Place] = []

    def place(
        self, x: float, y: float, text: str, towards: int, radius: float = 6.0, most: float = 26.0
    ) -> Placed | None:
        """The cheapest free place for a text near (x, y), None if all cost more than `most`; `towards` 1 is below."""
        width, size = text_width(text, self.size) * BOLD, self.size
        best: tuple[float, Placed, Box] | None = None
        for distance in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10):
            for side in (towards, -towards):
                for anchor in ("start", "end", "middle"):
                    if distance == 0 and (anchor == "middle" or side != towards):
                        continue
                    middle = y + side * (radius + 8 + (distance - 1) * 15) if distance else y
                    shift = radius + 4 if distance == 0 else 0
                    left = {"start": x + shift, "end": x - shift - width, "middle": x - width / 2}[anchor]
                    box = Box(left - 2, middle - size * 0.62, left + width + 2, middle + size * 0.62)
                    cost = distance * 1.4 + (side != towards) * 4 + (anchor == "end") * 0.5
                    if best is not None and cost >= best[0]:
                        continue
                    cost += self._ink_in(box) * 1.6 + 5 * self._marks_beside(box, (x, y))
                    if best is not None and cost >= best[0]:
                        continue
                    end = (x, box.top if middle > y else box.bottom)
                    leader = end if distance > 1 else None
                    cost += sum(self._ink[_cell(*at)] > 0 for at in _along((x, y), end)[2:]) if leader else 0
                    if not self._free(box, (x, y), leader):
                        continue
                    text_x = {"start": left, "end": left + width, "middle": x}[anchor]
                    best = (cost, Placed(text, text_x, middle + size * 0.35, anchor, leader), box)
        if best is None or best[0] > most:
            return None
        _, placed, box = best
        self._boxes.append(box)
        if placed.leader is not None:
            self._leaders += _along((x, y), placed.leader)
        return placed

    def _free(self, box: Box, mark: _Place, leader: _Place | None) -> bool:
        if not box.inside(self.area) or any(box.overlaps(other) for other in self._boxes):
            return False
        if any(box.has(*place) for place in self._leaders):
            return False
        points = _along(mark, leader) if leader else []
        return not any(other.has(*place) for place in points for other in self._boxes)

    def _marks_beside(self, box: Box, own: _Place) -> int:
        """How many other named marks the text would seem to belong to."""
        wide = Box(box.left - 16, box.top, box.right + 16, box.bottom)
        return sum(wide.has(x, y) and abs(x - own[0]) + abs(y - own[1]) > 1 for x, y in self._marks)

    def _ink_in(self, box: Box) -> int:
        columns = range(int(box.left // _CELL), int(box.right // _CELL) + 1)
        rows = range(int(box.top // _CELL), int(box.bottom // _CELL) + 1)
        return sum(min(3, self._ink[column, row]) for column in columns for row in rows)


def _cell(x: float, y: float) -> tuple[int, int]:
    return int(x // _CELL), int(y // _CELL)


def _along(start: _Place, end: _Place) -> list[_Place]:
    steps = max(2, int((abs(end[0] - start[0]) + abs(end[1] - start[1])) / 5))
    across, down = (end[0] - start[0]) / steps, (end[1] - start[1]) / steps
    return [(start[0] + across * i, start[1] + down * i) for i in range(1, steps + 1)]
