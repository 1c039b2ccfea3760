"""`results.tsv` as upstream has it: commit, metric, memory_gb, status, description; a view of the ledger."""

from __future__ import annotations

import re
import sqlite3

_WORDS = {"ok": "discard", "inconclusive": "discard", "blocked": "discard"}
_CRASHED = {"crash", "timeout", "invalid", "lost"}


def results_tsv(db: sqlite3.Connection, campaign: str) -> str:
    """Candidates and the first baseline in order. A run without a value is written as upstream writes a crash."""
    row = db.execute("SELECT metric FROM campaigns WHERE campaign = ?", (campaign,)).fetchone()
    lines = ["\t".join(("commit", row[0] if row else "value", "memory_gb", "status", "description"))]
    first_baseline = True
    for commit, value, role, status, description, error, body in db.execute(
        "SELECT commit_id, value, role, status, description, error, json_extract(body, '$.meta.peak_mb')"
        " FROM runs JOIN entries ON entries.seq = runs.run"
        " WHERE campaign = ? AND role IN ('candidate', 'baseline') AND status <> 'started' ORDER BY number",
        (campaign,),
    ):
        if role == "baseline":
            if not first_baseline or value is None:
                continue
            first_baseline, status = False, "keep"
        crashed = value is None or status in _CRASHED
        word = "crash" if crashed else _WORDS.get(status, status)
        text = f"{description} ({status}: {error})" if crashed and error else description
        cells = (
            commit[:7] or "none",
            f"{0 if crashed else value:.6f}",
            f"{0 if crashed else (body or 0) / 1000:.1f}",
            word,
            re.sub(r"\s+", " ", text),
        )
        lines.append("\t".join(cells))
    return "\n".join(lines) + "\n"
