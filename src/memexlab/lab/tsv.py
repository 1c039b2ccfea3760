"""`results.tsv` as upstream has it: commit, metric, memory_gb, status, description; a view of the ledger."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from hashlib import sha256
from itertools import count
from pathlib import Path

from ..ledger import write_durably
from ..memory import Memory

_WORDS = {"ok": "discard", "inconclusive": "discard", "timeout": "crash", "invalid": "crash", "lost": "crash"}


def results_tsv(db: sqlite3.Connection, campaign: str) -> str:
    """Candidates and the first baseline in order, but for what was refused before it ran.

    What failed is a crash; a run that was cut short, because it was far behind, is a discard. Neither has a value, and
    0.000000 stands in its place, as upstream writes it. The value of any other is that of its single run, as upstream's
    tools expect it; what fresh pairs said of it stands behind the description.
    """
    row = db.execute("SELECT metric FROM campaigns WHERE campaign = ?", (campaign,)).fetchone()
    lines = ["\t".join(("commit", row[0] if row else "value", "memory_gb", "status", "description"))]
    first_baseline = True
    for commit, value, role, status, description, error, body, judged in db.execute(
        "SELECT commit_id, value, role, status, description, error, json_extract(body, '$.meta.peak_mb'),"
        " (SELECT printf(' (%s: %.6g %s in %d fresh pair%s)', decision, abs(gain), iif(gain < 0, 'worse', 'better'),"
        " pairs, iif(pairs = 1, '', 's')) FROM verdicts v WHERE v.run = runs.run AND v.decision = runs.verdict"
        " AND pairs > 0 ORDER BY v.seq DESC LIMIT 1) FROM runs JOIN entries ON entries.seq = runs.run"
        " WHERE campaign = ? AND role IN ('candidate', 'baseline') AND status NOT IN ('started', 'blocked')"
        " ORDER BY number",
        (campaign,),
    ):
        if role == "baseline":
            if not first_baseline or value is None:
                continue
            first_baseline, status = False, "keep"
        word = _WORDS.get(status, status)
        unmeasured = value is None or word == "crash"
        text = f"{description} ({status}: {error})" if unmeasured and error else description + (judged or "")
        cells = (
            commit[:7] or "none",
            f"{0 if unmeasured else value:.6f}",
            f"{0 if unmeasured else (body or 0) / 1000:.1f}",
            word,
            re.sub(r"\s+", " ", text),
        )
        lines.append("\t".join(cells))
    return "\n".join(lines) + "\n"


def keep_tsv(root: Path, memory: Memory, campaign: str, tell: Callable[[str], None]) -> None:
    """Keeps `results.tsv` in upstream's five columns; it is a view, so it is written as a whole.

    A file that stands there with other bytes than were written last is somebody's own log: it is kept under another
    name, and who runs the loop is told.
    """
    path, mark = root / "results.tsv", memory.folder / "results.tsv.sha256"
    text = results_tsv(memory.db, campaign).encode("utf-8")
    known = mark.read_text(encoding="ascii").split() if mark.exists() else []
    there = path.read_bytes() if path.exists() else None
    if there not in (None, text) and sha256(there or b"").hexdigest() not in known:
        names = (f"results.own{f'-{n}' if n > 1 else ''}.tsv" for n in count(1))
        own = next(name for name in names if not (root / name).exists())
        path.rename(root / own)
        tell(f"results.tsv was not written by memex: it is kept as {own}. memex import {own} takes it in.")
    if known[:1] != [wanted := sha256(text).hexdigest()]:
        write_durably(mark, " ".join([wanted, *known[:1]]).encode("ascii"))  # killed here, the file is the last one
    if there != text:
        write_durably(path, text)
