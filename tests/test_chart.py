"""The picture of a campaign: its limits, its marks, its names, and that it can be drawn whatever the values are."""

from __future__ import annotations

import math
import struct
import xml.etree.ElementTree as ElementTree
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memexlab.lab.report.axes import MARKS, Chart, Mark, Point, Step, colour_variables, limits, ticks
from memexlab.lab.report.chart import interval_svg, progress_svg, svg_to_png
from memexlab.lab.report.labels import BOLD, Box, Placer, shorten, text_width

SVG = "{http://www.w3.org/2000/svg}"


def campaign(values: list[float | None], mark: Mark = "discard", **more: object) -> Chart:
    points = tuple(Point(i, v, mark if v is not None else "failed", f"run {i}") for i, v in enumerate(values, 1))
    return Chart(points, **more)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_one_bad_run_does_not_squash_the_picture_and_is_still_named() -> None:
    values = [1.0 + 0.01 * (i % 5) for i in range(20)]
    chart = campaign([*values, 500.0])
    low, high = limits(chart)
    assert low < 1.0
    assert 1.04 < high < 2
    assert "#21 500 ↑" in texts(progress_svg(chart))


@pytest.mark.parametrize("better", ["lower", "higher"])
def test_every_good_value_is_inside_whichever_way_is_better(better: str) -> None:
    sign = 1 if better == "lower" else -1
    values = [sign * (10 - 0.1 * i) for i in range(30)]
    low, high = limits(campaign([*values, sign * 900.0], better=better))
    assert low < min(values)
    assert max(values) < high
    assert abs(low) < 20 > abs(high)


def test_a_picture_is_never_all_noise_band() -> None:
    low, high = limits(campaign([1.0, 1.001, 0.999, 1.0], band=0.1, steps=(Step(1, 1.0, "baseline"),)))
    assert high - low > 3 * 0.1


def test_ticks_are_round_and_inside() -> None:
    values, decimals = ticks(0.9689, 0.9831, 7)
    assert decimals == 3
    assert [round(v, 9) for v in values] == [0.97, 0.972, 0.974, 0.976, 0.978, 0.98, 0.982]


def test_every_kind_of_mark_has_its_own_shape_or_colour_and_a_legend_with_its_count() -> None:
    points = tuple(
        Point(i, None if mark in ("failed", "running") else 1 + i / 100, mark) for i, mark in enumerate(MARKS, 1)
    )
    svg = progress_svg(Chart(points), theme="light")
    for words in MARKS.values():
        assert f"{words} 1" in texts(svg)
    paths = [
        e for e in ElementTree.fromstring(svg).iter(f"{SVG}path") if "z" in e.get("d", "") or "a" in e.get("d", "")
    ]
    assert len({(p.get("fill"), p.get("stroke"), p.get("d", "").partition("m")[2]) for p in paths}) >= 8


def test_names_of_wins_never_overlap() -> None:
    steps = tuple(Step(i * 3, 2 - i * 0.02, f"#{i * 3} a fairly long description {i}") for i in range(1, 25))
    points = tuple(Point(i, 2.1 - i * 0.006, "discard") for i in range(1, 80))
    svg = ElementTree.fromstring(progress_svg(Chart(points, steps), theme="light"))
    boxes = []
    for text in svg.iter(f"{SVG}text"):
        if text.get("font-weight") == "bold":
            size, x, y = float(text.get("font-size", "0")), float(text.get("x", "0")), float(text.get("y", "0"))
            width = text_width(text.text or "", size) * BOLD
            left = {"start": x, "middle": x - width / 2, "end": x - width}[text.get("text-anchor", "start")]
            boxes.append(Box(left, y - size * 0.8, left + width, y + size * 0.2))
    assert len(boxes) >= 6
    assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]


def test_a_full_area_takes_no_more_names() -> None:
    placer = Placer(Box(0, 0, 200, 90), 12, [])
    placed = [placer.place(100, 40, "a name of some length", 1) for _ in range(20)]
    assert placed[0] is not None
    assert placed[-1] is None


def test_shorten_cuts_at_words_and_drops_a_closing_remark_first() -> None:
    assert shorten("halve batch 524K to 262K (more steps in 5 min)", 30) == "halve batch 524K to 262K"
    assert shorten("reduce transformer init scale by a lot", 25) == "reduce transformer init…"
    assert shorten("short", 25) == "short"


def test_what_still_runs_is_not_among_the_failed() -> None:
    running = Chart((Point(1, 1.0, "baseline"), Point(2, None, "running", "#2: lr 1 -> 2")))
    assert "running" in texts(progress_svg(running))
    assert "failed" not in texts(progress_svg(running))
    assert "#2: lr 1 → 2" in progress_svg(running)
    assert "failed" in texts(progress_svg(campaign([1.0, None])))


def test_text_from_outside_is_escaped_everywhere() -> None:
    nasty = "</svg><script>alert(1)</script>&\"'"
    chart = Chart((Point(1, 1.0, "confirmed", nasty), Point(2, None, "failed", nasty)), (Step(1, 1.0, nasty),), nasty)
    svg = progress_svg(chart, heading=[nasty, nasty])
    assert "<script" not in svg
    assert not list(ElementTree.fromstring(svg).iter(f"{SVG}script"))


def test_without_runs_it_says_so_and_one_run_is_one_dot() -> None:
    assert "No runs yet. The first dots land here." in texts(progress_svg(Chart()))
    assert "No run has given a number." in texts(progress_svg(campaign([None])))
    assert "No runs yet. The first dots land here." not in texts(progress_svg(campaign([1.0])))


def test_five_thousand_runs_stay_small() -> None:
    chart = campaign([1 + math.sin(i * 12.9898) * 0.1 if i % 30 else None for i in range(1, 5001)])
    svg = progress_svg(chart)
    assert len(svg) < 120_000
    assert "discarded or within noise 4,834" in texts(svg)


def test_png_is_a_wide_picture_with_text_on_a_machine_without_fonts() -> None:
    blank = svg_to_png(progress_svg(Chart(), theme="light"))
    headed = svg_to_png(progress_svg(Chart(), theme="light", heading=["σ = 0.005 → Größe"]))
    assert headed.startswith(b"\x89PNG\r\n")
    assert struct.unpack(">II", headed[16:24]) == (1800, 900)
    assert blank != headed
    words = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 20"><text y="15" font-size="14">{}</text></svg>'
    empty = svg_to_png(words.format(""), 90)
    for text in ("abc", "σ≥±→", "Жук", "Ünö"):
        assert svg_to_png(words.format(text), 90) != empty


def test_page_colours_are_variables_that_both_themes_set() -> None:
    svg = progress_svg(campaign([1.0, 2.0]))
    used = {part.split(")")[0] for part in svg.split("var(")[1:]}
    for theme in ("light", "dark"):
        declared = {d.split(":")[0] for d in colour_variables(theme).split(";") if d}
        assert used <= declared


def test_an_interval_that_is_out_of_reach_stays_in_its_box() -> None:
    svg = ElementTree.fromstring(
        interval_svg(-1e300, 5.0, 1e300, 1.0, "discard").replace("<svg ", f'<svg xmlns="{SVG[1:-1]}" ')
    )
    [circle] = svg.iter(f"{SVG}circle")
    assert 0 <= float(circle.get("cx", "-1")) <= 130


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.none() | st.floats(allow_nan=True, allow_infinity=True), max_size=12),
    better=st.sampled_from(["lower", "higher"]),
    band=st.sampled_from([0.0, 1e-300, 0.1, 1e300]),
    narrow=st.booleans(),
)
def test_any_values_give_a_well_formed_picture(
    values: list[float | None], better: str, band: float, narrow: bool
) -> None:
    steps = tuple(Step(i, v, f"#{i}") for i, v in enumerate(values, 1) if v is not None and math.isfinite(v))[:3]
    chart = campaign(values, better=better, band=band, steps=steps, ruler="sigma")
    svg = progress_svg(chart, width=420 if narrow else 1200)
    ElementTree.fromstring(svg)
    assert "nan" not in svg
    assert "inf" not in svg
