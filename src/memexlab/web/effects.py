"""What each change does, over all runs: intervals, contexts, and the picture of settings against the metric."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..commands.effects import effects_of
from ..lab.report.chart import Mark, interval_svg
from ..lab.wording import Amounts, plural
from ..memory.registry import by_cause, example_of
from .labs import campaigns, lab_of, labs_of
from .parallel import parallel_svg
from .rendering import page

_MARK: dict[str, Mark] = {mark: mark for mark in ("confirmed", "provisional", "failed", "inconclusive")}
_COLOURS = {"replicated": "confirmed", "conditional": "provisional", "reversed": "failed", "unresolved": "inconclusive"}
_CLAIMS = ("replicated", "conditional", "reversed")
_ROWS, _WEIGHTS = 120, 12
#: What a status says, in the order of the sentence above the table.
_MEANS = {
    "replicated": "held up when it was measured again", "conditional": "depends on another setting",
    "reversed": "turned round under other settings", "within noise": "made no difference that can be told from noise",
    "unresolved": "not measured often enough to tell", "stale": "measured on a base that has moved since",
}  # fmt: skip


def _effects(request: Request) -> Response:
    lab = lab_of(request)
    db = lab.memory.db
    names = campaigns(request)
    asked = request.query_params.get("campaign")
    campaign = asked if asked in names else (names[0] if names else "")
    knob = request.query_params.get("knob") or None
    labs = labs_of(request)
    key = "effects", campaign, knob
    table = labs.apart(key, effects_of, campaign, knob) if campaign else None
    scale = table.scale if table else None
    rows = [_judged(row, scale) for row in sorted(table.rows, key=_by_worth)[:_ROWS]] if table else []
    knob = rows[0]["knob"] if knob and rows else knob  # it may be asked for by another name
    reach = max((abs(row[side]) for row in rows for side in ("low", "high") if row[side] is not None), default=1.0)
    for row in rows:
        mark = _MARK.get(row["colour"], "discard")
        known = row["low"] is not None
        row["drawn"] = Markup(interval_svg(row["low"], row["gain"], row["high"], reach or 1.0, mark)) if known else ""
    failed = db.execute(
        "SELECT status, coalesce(nullif(error, ''), reason), number, description FROM runs WHERE campaign = ?"
        " AND status IN ('crash', 'timeout', 'invalid') AND verdict != 'retract' ORDER BY number", (campaign,),
    )  # fmt: skip
    groups = by_cause((status, said, (number, said, told)) for status, said, number, told in failed)
    # In the words of the newest; those that left no message are one row, told apart by what was tried.
    causes = [
        (status, example_of(said for _, said, _ in runs) if cause else "no message was recorded",
         [(number, "" if cause else told) for number, _, told in runs])
        for (status, cause), runs in sorted(groups.items(), key=lambda group: -len(group[1]))
    ]  # fmt: skip
    knobs = [
        row[0] for row in db.execute("SELECT DISTINCT knob FROM effects WHERE campaign = ? ORDER BY 1", (campaign,))
    ]
    count = Counter(row["status"] for row in table.rows) if table else Counter()
    told = "; ".join(f"{count[status]} {means}" for status, means in _MEANS.items() if count[status])
    return page(
        request, "effects.html", "Effects", told=f"Of {plural(count.total(), 'change')}: {told}." if told else "",
        known=any(row["low"] is not None for row in rows), rows=rows, campaign=campaign, campaigns=names, knob=knob,
        knobs=knobs, weights=_weights(table.rows) if table and not knob else [],
        metric=(table and table.unit) or "the metric",
        amounts=Amounts.of(table.unit, scale) if table and rows else None,
        left_out=max(0, len(table.rows) - _ROWS) if table else 0, causes=causes[:20],
        pictures=[
            Markup(labs.apart(("parallel", campaign, width), parallel_svg, campaign, width, most) if campaign else "")
            for width, most in ((1100, 8), (420, 2))
        ],
        behind=labs.seconds_behind(key),
    )  # fmt: skip


def _by_worth(row: Mapping[str, Any]) -> tuple[bool, bool, float]:
    """What is claimed comes first, then what gained, then what lost; in each the largest."""
    is_claimed = row["status"] in _CLAIMS
    return not is_claimed, not is_claimed and row["gain"] <= 0, -abs(row["gain"])


def _judged(found: Mapping[str, Any], scale: float | None) -> dict[str, Any]:
    """A row with a word and a colour for what came of it, and how large it is against noise or seed shift."""
    row = dict(found)
    row["word"], row["colour"] = row["status"], _COLOURS.get(row["status"], row["status"])
    if row["status"] == "replicated" and row["gain"] < 0:
        row["colour"] = "failed"
    row["times"] = abs(row["gain"]) / scale if scale else None
    row["small"] = row["status"] == "within noise" or bool(scale and row["status"] not in _CLAIMS and row["times"] < 1)
    if row["sigma"] is None and row["status"] in ("unresolved", "stale"):
        better = row["gain"] > 0
        row["word"] = "within the seed shift" if row["small"] else "looked better" if better else "looked worse"
        row["colour"] = "discard" if row["small"] else "keep" if better else "failed"
    return row


def _weights(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, float, float]]:
    """Of each knob, the most that one change of it moved the metric: at least, at 95 %, and as it was measured."""
    found: dict[str, tuple[float, float]] = {}
    for row in rows:
        if " + " in row["knob"]:
            continue  # of a stack nobody knows which knob did it
        ends = row["low"] or 0.0, row["high"] or 0.0
        sure = min(map(abs, ends)) if ends[0] * ends[1] > 0 else 0.0
        found[row["knob"]] = max(found.get(row["knob"], (0.0, 0.0)), (sure, abs(row["gain"])))
    most = sorted(found.items(), key=lambda item: (-item[1][0], -item[1][1], item[0]))
    return [(knob, sure, seen) for knob, (sure, seen) in most[:_WEIGHTS] if seen]


ROUTES = [Route("/effects", _effects)]
