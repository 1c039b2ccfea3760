"""What each change does, over all runs: intervals, contexts, and the picture of settings against the metric."""

from __future__ import annotations

from collections import Counter

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..commands.explaining import effects_of
from ..lab.chart import Mark, interval_svg
from ..lab.wording import Amounts, plural
from ..memory.registry import by_cause
from .labs import campaigns, lab_of, labs_of
from .parallel import parallel_svg
from .rendering import page

_MARK: dict[str, Mark] = {
    "replicated": "confirmed", "conditional": "provisional", "reversed": "failed", "unresolved": "inconclusive",
}  # fmt: skip
_ROWS = 120
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
    rows = [dict(row) for row in table.rows[:_ROWS]] if table else []
    reach = max((abs(row[side]) for row in rows for side in ("low", "high") if row[side] is not None), default=1.0)
    for row in rows:
        hurts = row["status"] == "replicated" and row["gain"] < 0
        mark = "failed" if hurts else _MARK.get(row["status"], "discard")
        row["colour"] = "failed" if hurts else _MARK.get(row["status"], row["status"])
        known = row["low"] is not None
        row["drawn"] = Markup(interval_svg(row["low"], row["gain"], row["high"], reach or 1.0, mark)) if known else ""
    failed = db.execute(
        "SELECT status, error, number FROM runs WHERE campaign = ? AND status IN ('crash', 'timeout', 'invalid')"
        " ORDER BY number", (campaign,),
    )  # fmt: skip
    causes = sorted(by_cause(failed).items(), key=lambda item: -len(item[1]))
    knobs = [
        row[0] for row in db.execute("SELECT DISTINCT knob FROM effects WHERE campaign = ? ORDER BY 1", (campaign,))
    ]
    count = Counter(row["status"] for row in table.rows) if table else Counter()
    told = "; ".join(f"{count[status]} {means}" for status, means in _MEANS.items() if count[status])
    return page(
        request, "effects.html", "Effects", told=f"Of {plural(count.total(), 'change')}: {told}." if told else "",
        known=any(row["low"] is not None for row in rows), rows=rows, campaign=campaign, campaigns=names, knob=knob,
        knobs=knobs,
        amounts=Amounts.of(table.unit, rows[0]["sigma"]) if table and rows else None,
        left_out=max(0, len(table.rows) - _ROWS) if table else 0, causes=causes[:20],
        picture=Markup(labs.kept(("parallel", campaign), lambda: parallel_svg(labs.lab().memory.db, campaign)))
        if campaign else "", behind=labs.seconds_behind(key),
    )  # fmt: skip


ROUTES = [Route("/effects", _effects)]
